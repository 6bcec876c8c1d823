//! Names and places as types: nothing that comes from data becomes a path by itself.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// A table's full name, lower-cased as the catalog keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Makes a name.
    ///
    /// # Errors
    /// `InvalidInput` when a part is empty, longer than 255 bytes (Glue's limit), or holds `/`, `\`, a control character,
    /// or is `.` or `..`.
    pub fn new(database: &str, table: &str) -> Result<Self> {
        for (what, name) in [("database", database), ("table", table)] {
            let bad = name.is_empty()
                || name.len() > 255
                || name == "."
                || name == ".."
                || name.chars().any(|character| character.is_control() || matches!(character, '/' | '\\'));
            if bad {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "name a table",
                    format!(
                        "expected the name of a {what} (1 to 255 bytes, no `/`, `\\` or control character), found `{}`",
                        name.escape_debug()
                    ),
                ));
            }
        }
        Ok(Self { database: database.to_lowercase(), table: table.to_lowercase() })
    }

    /// Returns the name as [`TableName::of_text`] reads it back: a database with a dot in it stands in quotes (`"a.b".t`).
    pub fn to_text(&self) -> String {
        if self.database.contains(['.', '"']) {
            format!("\"{}\".{}", self.database.replace('"', "\"\""), self.table)
        } else {
            self.to_string()
        }
    }

    /// Reads a name that [`TableName::to_text`] wrote; none for a text that is no name.
    pub fn of_text(text: &str) -> Option<Self> {
        let (database, table) = if let Some(quoted) = text.strip_prefix('"') {
            let (database, rest) = quoted.split_at_checked(closing_quote(quoted)?)?;
            (database.replace("\"\"", "\""), rest.strip_prefix("\".")?)
        } else {
            let (database, table) = text.split_once('.')?;
            (database.to_owned(), table)
        };
        Self::new(&database, table).ok()
    }
}

/// Finds the quote that ends a text: one that stands there twice is of the text.
fn closing_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + text.get(from..)?.find('"')?;
        if !text.get(quote + 1..)?.starts_with('"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// An `s3://bucket/key` place. On the embedded lake it is `WAREHOUSE/s3/bucket/key`.
///
/// A prefix always ends in `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location {
    bucket: String,
    key: String,
}

impl Location {
    /// Reads `s3://bucket/key` (also `s3a://`, `s3n://`).
    ///
    /// # Errors
    /// `InvalidInput` when it is no such place, or a part of the key is `.`, `..` or holds NUL or a backslash.
    pub fn parse(text: &str) -> Result<Self> {
        let error = |why: &str| {
            Error::new(
                ErrorKind::InvalidInput,
                "read a location",
                format!("expected `s3://bucket/key`, found `{}`: {why}", text.escape_debug()),
            )
        };
        let rest = ["s3://", "s3a://", "s3n://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .ok_or_else(|| error("it does not start with `s3://`"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket_ok = !bucket.is_empty()
            && !bucket.starts_with('.')
            && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !bucket_ok {
            return Err(error("the bucket's name is not one"));
        }
        if key.chars().any(|character| character.is_control() || character == '\\') {
            return Err(error("the key holds a control character or a backslash"));
        }
        let mut parts = key.split('/').peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if part == "." || part == ".." || (part.is_empty() && !last) {
                return Err(error("a part of the key is empty, `.` or `..`"));
            }
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Returns the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the key, without a leading `/`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns this place as a prefix: ending in `/` (or the whole bucket).
    #[must_use]
    pub fn as_prefix(&self) -> Self {
        let mut key = self.key.clone();
        if !key.is_empty() && !key.ends_with('/') {
            key.push('/');
        }
        Self { bucket: self.bucket.clone(), key }
    }

    /// Turns this place into a prefix: ending in `/` (or the whole bucket).
    #[must_use]
    pub fn into_prefix(mut self) -> Self {
        if !self.is_prefix() {
            self.key.push('/');
        }
        self
    }

    /// Returns a place below this prefix.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn join(&self, below: &str) -> Result<Self> {
        Self::parse(&format!("{}{below}", self.as_prefix()))
    }

    /// Returns the prefix that holds this place, or none for a whole bucket.
    pub fn parent(&self) -> Option<Self> {
        let key = self.key.strip_suffix('/').unwrap_or(&self.key);
        if key.is_empty() {
            return None;
        }
        let parent = key.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
        Some(Self { bucket: self.bucket.clone(), key: parent })
    }

    /// Returns the last part of the key, without a closing `/`.
    pub fn file_name(&self) -> &str {
        let key = self.key.strip_suffix('/').unwrap_or(&self.key);
        key.rsplit_once('/').map_or(key, |(_, name)| name)
    }

    /// Tells whether it is a prefix: ends in `/`, or is a whole bucket.
    pub fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// Tells whether `other` is this prefix or below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.key.starts_with(&self.as_prefix().key)
    }
}

/// What Hive writes for a NULL or empty partition value.
pub const HIVE_DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Refuses a partition value that must never come near a path.
///
/// # Errors
/// `InvalidInput` when it is `.` or `..`, holds `/`, `\\` or a control character (NUL, newline), or is longer than 1,024 bytes
/// (Glue's limit of a partition value).
pub fn check_partition_value(key: &str, value: &str) -> Result<()> {
    let why = if value == "." || value == ".." {
        "it is a step in a path"
    } else if value.contains(['/', '\\']) {
        "it holds `/` or `\\`"
    } else if value.chars().any(char::is_control) {
        "it holds a control character"
    } else if value.len() > 1024 {
        "it is longer than 1,024 bytes"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidInput,
        "read a partition value",
        format!("the value `{}` of partition key `{key}` cannot be used: {why}", value.escape_debug()),
    ))
}

/// Returns `key=value/…` as Hive writes the path of a partition: characters that Hive escapes as `%XX`, an empty value as
/// [`HIVE_DEFAULT_PARTITION`].
///
/// # Errors
/// As [`check_partition_value`].
pub fn hive_path<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<String> {
    let mut path = String::new();
    for (key, value) in pairs {
        check_partition_value(key, value)?;
        hive_escape(key, &mut path);
        path.push('=');
        hive_escape(if value.is_empty() { HIVE_DEFAULT_PARTITION } else { value }, &mut path);
        path.push('/');
    }
    Ok(path)
}

/// Returns `key=value/…` as Hive names a partition, without a `/` at its end; for showing only: the values are taken as they are.
pub(crate) fn hive_escaped_path<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut path = String::new();
    for (key, value) in pairs {
        if !path.is_empty() {
            path.push('/');
        }
        hive_escape(key, &mut path);
        path.push('=');
        hive_escape(if value.is_empty() { HIVE_DEFAULT_PARTITION } else { value }, &mut path);
    }
    path
}

/// Escapes what Hive's `FileUtils.escapePathName` escapes.
fn hive_escape(text: &str, into: &mut String) {
    use std::fmt::Write as _;
    for character in text.chars() {
        let escaped = matches!(
            character,
            '\u{1}'
                ..='\u{1f}'
                    | '\u{7f}'
                    | '"'
                    | '#'
                    | '%'
                    | '\''
                    | '*'
                    | '/'
                    | ':'
                    | '='
                    | '?'
                    | '\\'
                    | '{'
                    | '['
                    | ']'
                    | '^'
        );
        if escaped {
            // Writing into a string cannot fail.
            let _infallible = write!(into, "%{:02X}", u32::from(character));
        } else {
            into.push(character);
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl TryFrom<String> for Location {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_partition_value_is_refused() {
        for value in ["..", ".", "a/b", "x/../y", "a\0b", "a\nb", "\\", "/etc/passwd"] {
            let error = check_partition_value("dt", value).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{value:?}");
        }
        assert_eq!(
            check_partition_value("dt", "a\0b").unwrap_err().to_string(),
            "the value `a\\0b` of partition key `dt` cannot be used: it holds a control character"
        );
    }

    #[test]
    fn a_name_is_read_back_from_its_text() {
        for (database, table, text) in [
            ("web", "a.b", "web.a.b"),
            ("v.db", "n3", "\"v.db\".n3"),
            ("v.db", "a\".b", "\"v.db\".a\".b"),
            ("a\".b", "t", "\"a\"\".b\".t"),
        ] {
            let name = TableName::new(database, table).unwrap();
            assert_eq!(name.to_text(), text);
            assert_eq!(TableName::of_text(text), Some(name));
        }
        for text in ["web", "\"web", "web.", ".t", ""] {
            assert_eq!(TableName::of_text(text), None, "{text}");
        }
    }

    #[test]
    fn hive_escapes_what_hive_escapes() {
        let path =
            hive_path([("dt", "2026-01-02 03:04"), ("city", "São Paulo"), ("empty", ""), ("p", "50%=a?")]).unwrap();
        assert_eq!(path, "dt=2026-01-02 03%3A04/city=São Paulo/empty=__HIVE_DEFAULT_PARTITION__/p=50%25%3Da%3F/");
    }

    #[test]
    fn a_prefix_is_whole_parts() {
        let prefix = Location::parse("s3://b/t/dt=2026-01-1").unwrap();
        assert!(!prefix.contains(&Location::parse("s3://b/t/dt=2026-01-10/x").unwrap()));
        assert!(prefix.contains(&Location::parse("s3://b/t/dt=2026-01-1/x").unwrap()));
        assert_eq!(prefix.parent().unwrap().to_string(), "s3://b/t/");
        assert_eq!(Location::parse("s3://b").unwrap().parent(), None);
        for text in ["s3://b/../x", "s3://b/a//b", "s3://../x", "http://b/x", "s3://b/a\\b", "s3://b/a\0"] {
            assert!(Location::parse(text).is_err(), "{text:?}");
        }
    }
}
