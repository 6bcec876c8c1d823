//! Grok: a regular expression in which `%{NAME:column}` stands for a pattern by its name, translated to one without.

use std::collections::HashMap;

/// How deep patterns may be made of patterns; one that is made of itself never ends.
const DEEPEST: usize = 32;

/// A pattern without names of others.
pub(super) struct Translated {
    pub(super) regex: String,
    /// Which column each named group is for, outer ones first.
    pub(super) names: Vec<(String, String)>,
}

/// Patterns that need not be defined, under the names that Grok's users know. The columns that composed ones give have the names
/// that logs of these kinds have elsewhere.
const KNOWN: &[(&str, &str)] = &[
    // Numbers and words.
    ("INT", r"[+-]?[0-9]+"),
    ("POSINT", r"[1-9][0-9]*"),
    ("NONNEGINT", r"[0-9]+"),
    ("BASE10NUM", r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
    ("NUMBER", r"%{BASE10NUM}"),
    ("BASE16NUM", r"[+-]?(?:0x)?[0-9A-Fa-f]+"),
    ("WORD", r"\b\w+\b"),
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("DATA", r".*?"),
    ("GREEDYDATA", r".*"),
    ("QUOTEDSTRING", r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"#),
    ("QS", r"%{QUOTEDSTRING}"),
    ("UUID", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    (
        "LOGLEVEL",
        r"(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|fatal|severe|alert|emerg(?:ency)?)",
    ),
    // Users and machines.
    ("USERNAME", r"[0-9A-Za-z._-]+"),
    ("USER", r"%{USERNAME}"),
    ("EMAILLOCALPART", r"[0-9A-Za-z][0-9A-Za-z._+=:-]*"),
    ("EMAILADDRESS", r"%{EMAILLOCALPART}@%{HOSTNAME}"),
    ("IPV4", r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"),
    ("IPV6", r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:%{IPV4}|[0-9A-Fa-f]{1,4})?"),
    ("IP", r"%{IPV4}|%{IPV6}"),
    ("MAC", r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"),
    ("HOSTNAME", r"[0-9A-Za-z][0-9A-Za-z_-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z_-]{0,62})*\.?"),
    ("HOST", r"%{HOSTNAME}"),
    ("IPORHOST", r"%{IP}|%{HOSTNAME}"),
    ("HOSTPORT", r"%{IPORHOST}:%{POSINT}"),
    // Places.
    ("UNIXPATH", r"(?:/[^/\s]*)+"),
    ("WINPATH", r"(?:[A-Za-z]:|\\)(?:\\[^\\?*]*)+"),
    ("PATH", r"%{UNIXPATH}|%{WINPATH}"),
    ("TTY", r"/dev/(?:pts/|tty)\w*"),
    ("URIPROTO", r"[A-Za-z][0-9A-Za-z+.-]*"),
    ("URIHOST", r"%{IPORHOST}(?::%{POSINT})?"),
    ("URIPATH", r"(?:/[^\s?#]*)+"),
    ("URIPARAM", r"\?[^\s#]*"),
    ("URIPATHPARAM", r"%{URIPATH}(?:%{URIPARAM})?"),
    ("URI", r"%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?"),
    // Dates and times.
    (
        "MONTH",
        r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b",
    ),
    ("MONTHNUM", r"1[0-2]|0?[1-9]"),
    ("MONTHNUM2", r"1[0-2]|0[1-9]"),
    ("MONTHDAY", r"3[01]|[12][0-9]|0?[1-9]"),
    ("DAY", r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?"),
    ("YEAR", r"[0-9]{4}|[0-9]{2}"),
    ("HOUR", r"2[0-3]|[01]?[0-9]"),
    ("MINUTE", r"[0-5][0-9]"),
    ("SECOND", r"(?:60|[0-5]?[0-9])(?:[:.,][0-9]+)?"),
    ("TIME", r"%{HOUR}:%{MINUTE}:%{SECOND}"),
    ("TZ", r"[A-Z]{3,4}"),
    ("DATE_US", r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}"),
    ("DATE_EU", r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}"),
    ("DATE", r"%{DATE_US}|%{DATE_EU}"),
    ("DATESTAMP", r"%{DATE}[ -]%{TIME}"),
    ("ISO8601_TIMEZONE", r"Z|[+-]%{HOUR}:?%{MINUTE}"),
    ("ISO8601_SECOND", r"%{SECOND}"),
    (
        "TIMESTAMP_ISO8601",
        r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?:%{ISO8601_TIMEZONE})?",
    ),
    ("DATESTAMP_RFC2822", r"%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}"),
    ("HTTPDATE", r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}"),
    // Logs.
    ("SYSLOGTIMESTAMP", r"%{MONTH} +%{MONTHDAY} %{TIME}"),
    ("PROG", r"[\w./%-]+"),
    ("SYSLOGPROG", r"%{PROG:program}(?:\[%{POSINT:pid}\])?"),
    ("SYSLOGHOST", r"%{IPORHOST}"),
    ("SYSLOGFACILITY", r"<%{NONNEGINT:facility}\.%{NONNEGINT:priority}>"),
    ("SYSLOGBASE", r"%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:"),
    ("HTTPDUSER", r"%{EMAILADDRESS}|%{USER}"),
    ("REQUESTLINE", r"%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest}"),
    (
        "COMMONAPACHELOG",
        r#"%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] "%{REQUESTLINE}" %{INT:response} (?:%{INT:bytes}|-)"#,
    ),
    ("COMBINEDAPACHELOG", r"%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}"),
];

/// Puts the patterns that others are named by in their places. A name that the format itself has without a column is the column, in
/// lower case.
///
/// # Errors
/// What was expected instead.
pub(super) fn translate(format: &str, own: &str) -> Result<Translated, String> {
    let mut patterns: HashMap<&str, &str> = KNOWN.iter().copied().collect();
    let own = own.lines().filter_map(|line| line.trim_start().split_once(char::is_whitespace));
    patterns.extend(own.map(|(name, pattern)| (name, pattern.trim_start())));
    let mut translation = Translation { patterns, names: Vec::new() };
    let mut regex = String::new();
    translation.write(format, 0, &mut regex)?;
    Ok(Translated { regex, names: translation.names })
}

struct Translation<'p> {
    patterns: HashMap<&'p str, &'p str>,
    names: Vec<(String, String)>,
}

impl Translation<'_> {
    fn write(&mut self, text: &str, depth: usize, regex: &mut String) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("patterns that are not made of themselves".to_owned());
        }
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("%{") {
            regex.push_str(before);
            let Some((inside, behind)) = after.split_once('}') else {
                return Err("`%{PATTERN}` or `%{PATTERN:column}` with its `}`".to_owned());
            };
            // A third part is a type; the table's own stands.
            let mut parts = inside.split(':');
            let name = parts.next().unwrap_or_default();
            let Some(pattern) = self.patterns.get(name).copied() else {
                return Err(format!(
                    "patterns that there are (`{name}` is none: add it to `input.grokCustomPatterns`)"
                ));
            };
            let column = parts.next().or((depth == 0).then_some(name)).filter(|column| !column.is_empty());
            match column {
                Some(column) => {
                    let group = format!("grok{}", self.names.len());
                    regex.extend(["(?<", &group, ">"]);
                    self.names.push((column.to_lowercase(), group));
                }
                None => regex.push_str("(?:"),
            }
            self.write(pattern, depth + 1, regex)?;
            regex.push(')');
            rest = behind;
        }
        regex.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::WholeLine;

    #[test]
    fn every_known_pattern_can_be_used() {
        for (name, _) in KNOWN {
            let Translated { regex, .. } = translate(&format!("%{{{name}}}"), "").unwrap();
            let made = WholeLine::new(&regex, false);
            assert!(made.is_ok(), "{name}: {made:?}");
        }
    }

    #[test]
    fn known_patterns_match_what_they_are_called() {
        for (name, good, bad) in [
            ("INT", "-7", "7.0"),
            ("NUMBER", "+.5", "5."),
            ("IPV4", "255.1.20.0", "256.1.1.1"),
            ("IPV6", "2001:db8::8a2e:370:7334", "2001"),
            ("IP", "::ffff:10.0.0.1", "a.b"),
            ("HOSTNAME", "a-1.example.org", "-a"),
            ("MAC", "00:1b:44:11:3a:b7", "00:1b:44"),
            ("UUID", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
            ("QS", r#""a \"b\" c""#, r#""a" b""#),
            ("LOGLEVEL", "WARN", "LOUD"),
            ("URI", "https://me:secret@example.org:8080/a/b?c=d", "example.org"),
            ("UNIXPATH", "/usr/lib/x.so", "usr/lib"),
            ("WINPATH", r"C:\Windows\x", "C:"),
            ("TIMESTAMP_ISO8601", "2026-03-03T12:00:01.250+09:00", "2026-13-03T12:00"),
            ("HTTPDATE", "17/May/2015:10:05:03 +0000", "17/05/2015:10:05:03 +0000"),
            ("DATESTAMP_RFC2822", "Tue, 3 Mar 2026 12:00:01 +0100", "Tue 3 Mar"),
            ("SYSLOGTIMESTAMP", "Feb  9 07:15:00", "9 Feb 07:15:00"),
            ("DATE_EU", "31.12.2026", "12.31.2026"),
        ] {
            let Translated { regex, .. } = translate(&format!("%{{{name}}}"), "").unwrap();
            let line = WholeLine::new(&regex, false).unwrap();
            assert!(line.groups(good).unwrap().is_some(), "{name} {good}");
            assert!(line.groups(bad).unwrap().is_none(), "{name} {bad}");
        }
    }

    #[test]
    fn ones_own_pattern_goes_before_a_known_one() {
        let Translated { regex, names } = translate("a %{INT:n} %{INT} %{WORD:}", "INT x\n\n  WORD   y z ").unwrap();
        assert_eq!(regex, "a (?<grok0>x) (?<grok1>x) (?:y z )");
        assert_eq!(names, [("n", "grok0"), ("int", "grok1")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
