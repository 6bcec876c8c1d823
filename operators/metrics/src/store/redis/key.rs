//! Keys of hashes: a template with the series' name in it, read both ways. Names are data: nothing in them is a separator.

use std::fmt;

use lake::{Error, ErrorKind, Result};

use crate::point::SeriesName;

/// What a template calls the name of the series.
const NAME: &str = "{name}";

/// What a template calls the step of the tier.
const STEP: &str = "{step}";

/// The keys of one tier: what stands before the series' name, and what behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    prefix: String,
    suffix: String,
}

impl KeyTemplate {
    /// What a tier has that says nothing.
    pub const DEFAULT: &'static str = "{step}:{name}";

    /// Reads a template: `{name}` once, `{step}` as often as wanted, everything else as it is.
    ///
    /// # Errors
    /// `InvalidInput` when `{name}` is missing or there twice, or when there is another brace.
    pub fn parse(template: &str, step: &str) -> Result<Self> {
        let wrong = |found: String| {
            let message = format!("expected a key with `{NAME}` once, such as `{}`, found {found}", Self::DEFAULT);
            Err(Error::new(ErrorKind::InvalidInput, "read a tier", message))
        };
        let shown = template.escape_debug();
        let Some((prefix, suffix)) = template.split_once(NAME) else { return wrong(format!("`{shown}`")) };
        if suffix.contains(NAME) {
            return wrong(format!("it twice in `{shown}`"));
        }
        let of = |text: &str| text.replace(STEP, step);
        let (prefix, suffix) = (of(prefix), of(suffix));
        if prefix.contains(['{', '}']) || suffix.contains(['{', '}']) {
            return wrong(format!("another brace in `{shown}`"));
        }
        Ok(Self { prefix, suffix })
    }

    /// Returns what stands before a series' name, and what behind it.
    pub(super) fn around(&self) -> (&str, &str) {
        (&self.prefix, &self.suffix)
    }

    /// Tells whether one key may be a key of both templates, of two series: neither begins nor ends differently.
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_alike = self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix);
        let ends_alike = self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix);
        begins_alike && ends_alike
    }

    /// Returns the key of a series.
    pub(super) fn key(&self, name: &SeriesName) -> Vec<u8> {
        [&self.prefix, name.as_str(), &self.suffix].concat().into_bytes()
    }

    /// Returns the name of the series whose key this is; none for a key that is not of this template.
    ///
    /// # Errors
    /// `InvalidData` when what stands in the name's place can be no name.
    pub(super) fn name(&self, key: &[u8]) -> Result<Option<SeriesName>> {
        let inner = key.strip_prefix(self.prefix.as_bytes()).and_then(|rest| rest.strip_suffix(self.suffix.as_bytes()));
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { return Ok(None) };
        let name = std::str::from_utf8(inner).ok().and_then(|text| SeriesName::new(text).ok());
        name.map(Some).ok_or_else(|| foreign(key, "its name is none of a series"))
    }

    /// Returns the pattern that `SCAN` finds the keys by.
    pub(super) fn pattern(&self) -> String {
        let literal = |text: &str| {
            let mut pattern = String::with_capacity(text.len());
            for character in text.chars() {
                if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(character);
            }
            pattern
        };
        format!("{}*{}", literal(&self.prefix), literal(&self.suffix))
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{NAME}{}", self.prefix, self.suffix)
    }
}

/// Makes the error of a key that fits the template and is not ours.
pub(super) fn foreign(key: &[u8], why: &str) -> Error {
    let key = String::from_utf8_lossy(key);
    let message = format!("expected a hash of points, found something else: {why}");
    Error::new(ErrorKind::InvalidData, "read points", message)
        .with("key", key.escape_debug().to_string())
        .help("give the tier keys of its own (`key: points:{step}:{name}`), or remove the key")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_template_has_the_name_once() {
        let keys = KeyTemplate::parse("a*{step}:{name}]", "1m").unwrap();
        assert_eq!(keys.key(&SeriesName::new("x").unwrap()), b"a*1m:x]");
        assert_eq!(keys.pattern(), "a\\*1m:*\\]");
        for (wrong, found) in [
            ("points", "`points`"),
            ("{name}:{name}", "it twice in `{name}:{name}`"),
            ("{nme}:{name}", "another brace in `{nme}:{name}`"),
        ] {
            let error = KeyTemplate::parse(wrong, "1m").unwrap_err();
            let expected = format!("expected a key with `{{name}}` once, such as `{{step}}:{{name}}`, found {found}");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn other_keys_are_passed_over_and_damaged_ones_are_not() {
        let keys = KeyTemplate::parse("aa{name}aa", "1m").unwrap();
        for other in [&b"aaa"[..], b"aaaa", b"x", b"aaxa"] {
            assert_eq!(keys.name(other).unwrap(), None);
        }
        let error = keys.name(b"aa\xff\xfeaa").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
    }

    #[test]
    fn keys_overlap_that_begin_and_end_alike() {
        let keys = |template| KeyTemplate::parse(template, "1m").unwrap();
        for (left, right, overlap) in [
            ("{step}:{name}", "1m:{name}", true),
            ("{name}", "w:{name}", true),
            ("m:{name}", "m:w:{name}", true),
            ("{name}", "{name}:w", true),
            ("{name}:h", "{name}:w:h", true),
            ("a:{name}", "{name}:w", true),
            ("h:{name}", "w:{name}", false),
            ("m:{name}:h", "m:{name}:w", false),
            ("{step}:{name}", "5m:{name}", false),
        ] {
            assert_eq!(keys(left).overlaps(&keys(right)), overlap, "{left} {right}");
            assert_eq!(keys(right).overlaps(&keys(left)), overlap, "{right} {left}");
        }
    }

    proptest! {
        #[test]
        fn names_read_back(name in "[^\\p{Cc}]{1,20}", before in "[a*?:\\[\\\\]{0,3}", behind in "[a*?:\\]]{0,3}") {
            let keys = KeyTemplate::parse(&format!("{before}{{name}}{behind}"), "1m").unwrap();
            let name = SeriesName::new(&name).unwrap();
            prop_assert_eq!(keys.name(&keys.key(&name)).unwrap(), Some(name));
        }
    }
}
