//! Lines that a regular expression takes apart: `RegexSerDe`, and `GrokSerDe` by translation.
//!
//! The pattern must match the whole line. In a line that does not match, all columns are NULL, and so is a value that is none of its
//! column's type, as in Hive: <https://docs.aws.amazon.com/athena/latest/ug/regex-serde.html>,
//! <https://docs.aws.amazon.com/athena/latest/ug/grok-serde.html>.

mod grok;

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;

use super::line::wrong;
use super::typed_text::{Rules, typed};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::{Type, WholeLine};

/// How the lines of a table are taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternLines {
    pattern: Arc<WholeLine>,
    groups: Groups,
}

/// Which groups of the pattern a column has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Groups {
    /// The first column the first one, and so on.
    InOrder,
    /// Those of its name, the first that took part in the match.
    Named(Vec<(String, usize)>),
}

impl PatternLines {
    /// Reads the parameters of a `RegexSerDe`.
    ///
    /// # Errors
    /// `InvalidInput` without a pattern; `UnsupportedSql` for one that is not translated.
    pub(super) fn regex<'p>(parameter: &impl Fn(&str) -> Option<&'p str>) -> Result<Self> {
        let text = required(parameter, "input.regex")?;
        let ignores_case =
            parameter("input.regex.case.insensitive").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let pattern = WholeLine::new(text, ignores_case).map_err(|error| untranslated("input.regex", text, &error))?;
        Ok(Self { pattern: Arc::new(pattern), groups: Groups::InOrder })
    }

    /// Reads the parameters of a `GrokSerDe`.
    ///
    /// # Errors
    /// `InvalidInput` without a pattern, or with one that names what there is not; `UnsupportedSql` for one that is not
    /// translated.
    pub(super) fn grok<'p>(parameter: &impl Fn(&str) -> Option<&'p str>) -> Result<Self> {
        let format = required(parameter, "input.format")?;
        let own = parameter("input.grokCustomPatterns").unwrap_or_default();
        let grok::Translated { regex, names } =
            grok::translate(format, own).map_err(|expected| wrong("input.format", format, &expected))?;
        let pattern = WholeLine::new(&regex, false).map_err(|error| untranslated("input.format", format, &error))?;
        let groups = names.into_iter().filter_map(|(column, group)| Some((column, pattern.named(&group)?))).collect();
        Ok(Self { pattern: Arc::new(pattern), groups: Groups::Named(groups) })
    }

    /// Turns lines into the wanted columns (by index among all of the table's).
    ///
    /// # Errors
    /// `UnsupportedSql` for a column of a type that no text is, and for a line that the pattern takes too many steps for.
    pub(super) fn columns(
        &self,
        lines: &[String],
        columns: &[(String, Type)],
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        let matched = lines
            .iter()
            .map(|line| self.pattern.groups(line))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| Error::new(ErrorKind::UnsupportedSql, "read a table", error.to_string()))?;
        wanted
            .iter()
            .filter_map(|index| columns.get(*index).map(|column| (*index, column)))
            .map(|(index, (name, data_type))| {
                let own = self.groups_of(index, name);
                let values: Vec<Option<&str>> = matched
                    .iter()
                    .map(|groups| {
                        groups.as_ref().and_then(|groups| own.iter().find_map(|group| *groups.get(*group)?))
                    })
                    .collect();
                value_of(name, &values, data_type)
            })
            .collect()
    }

    fn groups_of(&self, index: usize, name: &str) -> Vec<usize> {
        match &self.groups {
            Groups::InOrder => vec![index + 1],
            Groups::Named(named) => named.iter().filter(|(known, _)| known == name).map(|(_, group)| *group).collect(),
        }
    }
}

fn value_of(name: &str, values: &[Option<&str>], data_type: &Type) -> Result<ArrayRef> {
    match data_type {
        Type::Array(_) | Type::Map(..) | Type::Row(_) | Type::Varbinary => Err(Error::new(
            ErrorKind::UnsupportedSql,
            "read a table",
            format!("column `{name}` is {data_type}: a pattern takes texts, numbers, dates and times out of a line"),
        )),
        _ => typed(name, values, data_type, Rules::Pattern),
    }
}

fn required<'p>(parameter: &impl Fn(&str) -> Option<&'p str>, name: &str) -> Result<&'p str> {
    parameter(name).ok_or_else(|| {
        let message = format!("expected the SerDe's parameter `{name}`, found none");
        Error::new(ErrorKind::InvalidInput, "read a table", message)
    })
}

fn untranslated(name: &str, text: &str, error: &dyn std::error::Error) -> Error {
    let message = format!("the SerDe's parameter `{name}` cannot be used: {error}: `{}`", text.escape_debug());
    Error::new(ErrorKind::UnsupportedSql, "read a table", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::display;

    fn form(parameters: &[(&str, &str)]) -> Result<PatternLines> {
        let parameter = |name: &str| parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        if parameter("input.format").is_some() {
            PatternLines::grok(&parameter)
        } else {
            PatternLines::regex(&parameter)
        }
    }

    fn shown(form: &PatternLines, lines: &[&str], columns: &[(&str, Type)]) -> Vec<String> {
        let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let wanted: Vec<usize> = (0..columns.len()).collect();
        let arrays = form.columns(&lines, &columns, &wanted).unwrap();
        let cell =
            |row: usize, at: usize| display(&columns[at].1, &arrays[at], row).unwrap_or_else(|| "NULL".to_owned());
        (0..lines.len()).map(|row| wanted.iter().map(|at| cell(row, *at)).collect::<Vec<_>>().join("|")).collect()
    }

    const TEXT: Type = Type::Varchar(None);

    #[test]
    fn a_line_that_does_not_match_whole_is_null() {
        let form = form(&[("input.regex", "(\\w+) ([0-9]+)(?: (x))? *(\\S*)")]).unwrap();
        let columns = [("a", TEXT), ("n", Type::Smallint), ("x", TEXT), ("b", Type::Boolean), ("more", TEXT)];
        assert_eq!(
            shown(&form, &["a 1 x TRUE", "b 99999 yes", "c 2 ", "c two", "", "a 1 x TRUE and more"], &columns),
            [
                "a|1|x|true|NULL",
                "b|NULL|NULL|false|NULL",
                "c|2|NULL|false|NULL",
                "NULL|NULL|NULL|NULL|NULL",
                "NULL|NULL|NULL|NULL|NULL",
                "NULL|NULL|NULL|NULL|NULL"
            ]
        );
    }

    #[test]
    fn alternatives_and_case_are_those_of_the_whole_pattern() {
        let form = form(&[("input.regex", "(a)|(b)|ab"), ("input.regex.case.insensitive", "TRUE")]).unwrap();
        let columns = [("a", TEXT), ("b", TEXT)];
        assert_eq!(shown(&form, &["A", "b", "ab", "abc"], &columns), ["A|NULL", "NULL|b", "NULL|NULL", "NULL|NULL"]);
    }

    /// The patterns that Athena's guide gives for `CloudFront`'s logs and for those of load balancers have such parts.
    #[test]
    fn look_ahead_and_classes_of_known_logs() {
        let cloudfront = form(&[("input.regex", "^(?!#)([^ \\t]+)\\s+([^ \\t]+)$")]).unwrap();
        let columns = [("a", TEXT), ("b", TEXT)];
        assert_eq!(shown(&cloudfront, &["#Version: 1.0", "2026-01-01\t10"], &columns), ["NULL|NULL", "2026-01-01|10"]);
        let balancer = form(&[(
            "input.regex",
            "([^ ]*) ([^ ]*):([0-9]*) ([-.0-9]*) (|[-0-9]*) \"([^ ]*) (.*) (- |[^ ]*)\" \"([^\"]*)\" ([A-Z0-9-_]+) \"([^\\s]+?)\"( .*)?",
        )])
        .unwrap();
        let columns: Vec<(String, Type)> = (1..=12).map(|number| (format!("c{number}"), TEXT)).collect();
        let columns: Vec<(&str, Type)> = columns.iter().map(|(name, t)| (name.as_str(), t.clone())).collect();
        assert_eq!(
            shown(
                &balancer,
                &[r#"h2 10.0.0.1:80 0.1 200 "GET http://x/ HTTP/1.1" "curl/8" TLS_AES-128 "a-b""#],
                &columns
            ),
            ["h2|10.0.0.1|80|0.1|200|GET|http://x/|HTTP/1.1|curl/8|TLS_AES-128|a-b|NULL"]
        );
    }

    #[test]
    fn grok_gives_columns_by_their_names() {
        let form = form(&[
            ("input.grokCustomPatterns", "POSTFIX_QUEUEID [0-9A-F]{7,12}\nREST .*"),
            ("input.format", "%{SYSLOGBASE} %{POSTFIX_QUEUEID:queue_id:string}: %{REST:Syslog_Message}"),
        ])
        .unwrap();
        let columns =
            [("syslogbase", TEXT), ("queue_id", TEXT), ("syslog_message", TEXT), ("pid", Type::Integer), ("x", TEXT)];
        assert_eq!(
            shown(
                &form,
                &[
                    "Feb  9 07:15:00 m4eastmail postfix/smtpd[19305]: B88C4120838: connect from unknown",
                    "no line of a log"
                ],
                &columns
            ),
            [
                "Feb  9 07:15:00 m4eastmail postfix/smtpd[19305]:|B88C4120838|connect from unknown|19305|NULL",
                "NULL|NULL|NULL|NULL|NULL"
            ]
        );
    }

    #[test]
    fn grok_knows_the_log_of_apache() {
        let form = form(&[("input.format", "%{COMBINEDAPACHELOG}")]).unwrap();
        let columns = [
            ("clientip", TEXT),
            ("auth", TEXT),
            ("timestamp", TEXT),
            ("verb", TEXT),
            ("request", TEXT),
            ("httpversion", TEXT),
            ("response", Type::Integer),
            ("bytes", Type::Bigint),
            ("agent", TEXT),
        ];
        assert_eq!(
            shown(
                &form,
                &[
                    r#"83.149.9.216 - frank [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 203023 "http://x/" "Mozilla/5.0 (X11)""#,
                    r#"::1 - - [17/May/2015:10:05:03 +0000] "-" 408 - "-" "-""#,
                ],
                &columns
            ),
            [
                "83.149.9.216|frank|17/May/2015:10:05:03 +0000|GET|/a?b=c|1.1|200|203023|\"Mozilla/5.0 (X11)\"",
                "::1|-|17/May/2015:10:05:03 +0000|NULL|NULL|NULL|408|NULL|\"-\""
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_told() {
        for (parameters, expected) in [
            (&[][..], "expected the SerDe's parameter `input.regex`, found none"),
            (
                &[("input.regex", "(a")],
                "the SerDe's parameter `input.regex` cannot be used: INVALID_FUNCTION_ARGUMENT: end pattern with unmatched \
                 parenthesis: `(a`",
            ),
            (
                &[("input.format", "%{NUMBR:n}")],
                "expected patterns that there are (`NUMBR` is none: add it to `input.grokCustomPatterns`) in the SerDe's parameter \
                 `input.format`, found `%{NUMBR:n}`",
            ),
            (
                &[("input.format", "%{A:n}"), ("input.grokCustomPatterns", "A %{B}\nB x%{A}")],
                "expected patterns that are not made of themselves in the SerDe's parameter `input.format`, found `%{A:n}`",
            ),
            (
                &[("input.format", "%{INT:n")],
                "expected `%{PATTERN}` or `%{PATTERN:column}` with its `}` in the SerDe's parameter `input.format`, found `%{INT:n`",
            ),
        ] {
            assert_eq!(form(parameters).unwrap_err().message, expected, "{parameters:?}");
        }
        let nested = form(&[("input.regex", "(.*)")]).unwrap();
        let error =
            nested.columns(&["a".to_owned()], &[("m".to_owned(), Type::Array(Arc::new(TEXT)))], &[0]).unwrap_err();
        assert_eq!(
            error.message,
            "column `m` is array(varchar): a pattern takes texts, numbers, dates and times out of a line"
        );
    }
}
