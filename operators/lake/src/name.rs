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

    /// Returns a place below this prefix.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn join(&self, below: &str) -> Result<Self> {
        Self::parse(&format!("{}{below}", self.as_prefix()))
    }

    /// Tells whether `other` is this prefix or below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.bucket == other.bucket && other.key.starts_with(&self.as_prefix().key)
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
