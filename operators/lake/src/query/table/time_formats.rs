//! The formats of times in a table's texts: `timestamp.formats` of Hive's `SerDe`s, which come before the form that all tables have.
//!
//! As in Trino, the first format that a text is of counts, and a text that has the form of a time but is none (a thirteenth month)
//! is tried by the usual form, not by the next format.
//! <https://docs.aws.amazon.com/athena/latest/ug/hive-json-serde.html>.

use super::civil;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::error::UNSUPPORTED;
use crate::sql::{EvalError, Match, TimePattern};

/// The parameter.
pub(super) const PARAMETER: &str = "timestamp.formats";

/// The word for whole milliseconds since 1970, among patterns of Joda-Time.
const MILLIS: &str = "millis";

/// The formats as a table names them; they are read only where a column of times is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TimeFormats {
    text: String,
}

/// The formats, ready to read by.
#[derive(Debug)]
pub(super) struct Formats(Vec<Format>);

#[derive(Debug)]
enum Format {
    Millis,
    Pattern(TimePattern),
}

impl TimeFormats {
    /// Takes the parameter's value; none when it is not there.
    pub(super) fn new(text: Option<&str>) -> Self {
        Self { text: text.unwrap_or_default().to_owned() }
    }

    /// Reads the formats.
    ///
    /// # Errors
    /// `InvalidInput` for what is no format; `UnsupportedSql` for one that is not supported.
    pub(super) fn read(&self) -> Result<Formats> {
        let formats = split(&self.text)?.into_iter().map(|text| {
            if text.eq_ignore_ascii_case(MILLIS) {
                return Ok(Format::Millis);
            }
            TimePattern::joda(&text).map(Format::Pattern).map_err(|error| self.wrong(&error))
        });
        formats.collect::<Result<_>>().map(Formats)
    }

    /// Refuses formats that have another meaning to this reader.
    ///
    /// # Errors
    /// `UnsupportedSql` when there are any.
    pub(super) fn refuse(&self, serde: &str) -> Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let message =
            format!("NOT_SUPPORTED: `{PARAMETER}` of {serde} (`{}`) is not supported yet", self.text.escape_debug());
        Err(Error::new(ErrorKind::UnsupportedSql, "read a table", message)
            .help("leave it out if the times are in the usual form or with an offset, or make the column a string and use `parse_datetime`"))
    }

    fn wrong(&self, error: &EvalError) -> Error {
        let text = self.text.escape_debug();
        if error.name == UNSUPPORTED {
            let message = format!("NOT_SUPPORTED: `{PARAMETER}` (`{text}`) of the table: {}", error.message);
            return Error::new(ErrorKind::UnsupportedSql, "read a table", message);
        }
        metadata(&self.text, &error.message)
    }
}

impl Formats {
    /// Reads a text as seconds since 1970 and nanoseconds: by a format, else by the usual form.
    ///
    /// # Errors
    /// `UnsupportedSql` for a zone that is not known.
    pub(super) fn time(&self, text: &str) -> Result<Option<(i64, u32)>> {
        // What Java trims.
        let text = text.trim_matches(|character| character <= ' ');
        for format in &self.0 {
            let found = match format {
                Format::Millis => millis(text),
                Format::Pattern(pattern) => pattern.read(text).map_err(|error| {
                    let message = format!("NOT_SUPPORTED: the value `{}`: {}", text.escape_debug(), error.message);
                    Error::new(ErrorKind::UnsupportedSql, "read a table", message)
                })?,
            };
            match found {
                Match::None => {}
                Match::NoTime => break,
                Match::Time(micros) => {
                    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default() * 1000;
                    return Ok(Some((micros.div_euclid(1_000_000), nanos)));
                }
            }
        }
        Ok(civil::timestamp(text))
    }

    /// Tells whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads milliseconds; a fraction of them does not count.
fn millis(text: &str) -> Match {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole.strip_prefix('-').unwrap_or(whole)) || !is_digits(fraction) {
        return Match::None;
    }
    whole.parse::<i64>().ok().and_then(|millis| millis.checked_mul(1000)).map_or(Match::NoTime, Match::Time)
}

/// Splits a list at commas; a backslash takes a comma or a backslash its meaning.
fn split(text: &str) -> Result<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, parts.last_mut()) {
            (',', _) => parts.push(String::new()),
            ('\\', Some(part)) => match characters.next() {
                Some(escaped @ (',' | '\\')) => part.push(escaped),
                _ => return Err(metadata(text, "a backslash stands before a comma or a backslash")),
            },
            (_, Some(part)) => part.push(character),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

/// Makes the error of a value that is none.
fn metadata(text: &str, why: &str) -> Error {
    let message = format!(
        "HIVE_INVALID_METADATA: expected patterns of Joda-Time and `{MILLIS}`, with commas between them, in the SerDe's parameter \
         `{PARAMETER}`, found `{}`: {why}",
        text.escape_debug()
    );
    Error::new(ErrorKind::InvalidInput, "read a table", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(formats: &str, text: &str) -> String {
        let formats = TimeFormats::new(Some(formats)).read().unwrap();
        match formats.time(text).unwrap() {
            None => "NULL".to_owned(),
            Some((seconds, nanos)) => {
                let time = jiff::Timestamp::new(seconds, i32::try_from(nanos).unwrap()).unwrap();
                time.strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
            }
        }
    }

    /// What Trino 476 answers.
    #[test]
    fn times_are_read_by_the_formats_first() {
        for (formats, text, expected) in [
            ("", "2020-01-02 03:04:05", "2020-01-02 03:04:05"),
            (",", "2020-01-02 03:04:05", "2020-01-02 03:04:05"),
            ("yyyy-dd-MM HH:mm:ss", "2020-01-02 03:04:05", "2020-02-01 03:04:05"),
            // No thirty-first month: the usual form.
            ("yyyy-dd-MM HH:mm:ss", "2020-01-31 03:04:05", "2020-01-31 03:04:05"),
            ("yyyy-dd-MM HH:mm:ss", "2020-01-02 03:04:05.5", "2020-01-02 03:04:05.5"),
            ("dd/MM/yyyy,MM/dd/yyyy", "01/31/2020", "NULL"),
            ("dd/MM/yyyy HH:mm", "1/1/2020 3:4", "2020-01-01 03:04:00"),
            ("dd/MM/yyyy HH:mm", "01/02/20 03:04", "0020-02-01 03:04:00"),
            ("dd/MM/yyyy HH:mm", " 01/02/2020 03:04 ", "2020-02-01 03:04:00"),
            (" dd/MM/yyyy HH:mm", " 01/02/2020 03:04", "NULL"),
            ("dd/MM/yyyy HH:mm", "001/02/2020 03:04", "NULL"),
            ("MM-dd HH:mm", "02-29 01:02", "NULL"),
            ("MM-dd HH:mm", "03-01 01:02", "1970-03-01 01:02:00"),
            ("hh:mm a", "01:02 PM", "1970-01-01 13:02:00"),
            ("EEE MMM dd HH:mm:ss Z yyyy", "Tue Mar 05 06:07:08 +0100 2024", "2024-03-05 05:07:08"),
            ("EEE MMM dd HH:mm:ss Z yyyy", "Mon Mar 05 06:07:08 +0100 2024", "2024-03-04 05:07:08"),
            ("EEE MMM dd HH:mm:ss Z yyyy", "Mon Mar 05 06:07:08 UTC 2024", "NULL"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "2020-01-02T03:04:05.123456", "2020-01-02 03:04:05.123"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "2020-01-02T03:04:05.678Z", "2020-01-02 03:04:05.678"),
            ("yyyy-MM-dd HH:mm:ss ZZZ", "2020-01-02 03:04:05 Europe/Paris", "2020-01-02 02:04:05"),
            ("yyyy-MM-dd HH:mm:ss ZZZ", "2020-03-29 02:30:00 Europe/Paris", "NULL"),
            ("yyyy-MM-dd HH:mm:ss Z", "2020-01-02 03:04:05 +01", "2020-01-02 02:04:05"),
            ("yyyy-MM-dd'T'HH:mm:ssZ", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05"),
            ("yyyy\\,MM\\\\dd", "2020,02\\03", "2020-02-03 00:00:00"),
            ("MILLIS", "1577934245678", "2020-01-02 03:04:05.678"),
            ("millis", "1577934245.9", "1970-01-19 06:18:54.245"),
            ("millis", "-1", "1969-12-31 23:59:59.999"),
            ("millis", "1e3", "NULL"),
            ("millis", "99999999999999999999", "NULL"),
        ] {
            assert_eq!(shown(formats, text), expected, "{formats}: {text}");
        }
    }

    #[test]
    fn what_is_no_format_or_not_known_is_an_error_by_name() {
        for (formats, name, kind) in [
            ("yyyy-MM-ddXXX", "HIVE_INVALID_METADATA: ", ErrorKind::InvalidInput),
            ("a\\b", "HIVE_INVALID_METADATA: ", ErrorKind::InvalidInput),
            ("yyyy\\", "HIVE_INVALID_METADATA: ", ErrorKind::InvalidInput),
            ("dd/MM/yy", "NOT_SUPPORTED: ", ErrorKind::UnsupportedSql),
            ("YYYY-MM-dd", "NOT_SUPPORTED: ", ErrorKind::UnsupportedSql),
            ("yyyy z", "NOT_SUPPORTED: ", ErrorKind::UnsupportedSql),
        ] {
            let error = TimeFormats::new(Some(formats)).read().unwrap_err();
            assert_eq!(error.kind, kind, "{formats}");
            assert!(error.message.starts_with(name), "{formats}: {error}");
        }
        let formats = TimeFormats::new(Some("yyyy ZZZ")).read().unwrap();
        let error = formats.time("2020 Nowhere/There").unwrap_err();
        assert!(error.message.starts_with("NOT_SUPPORTED: the value `2020 Nowhere/There`: "), "{error}");
    }
}
