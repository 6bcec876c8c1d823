//! Names of version prefixes: `<table root>--versions/<hash of values>/<utc>-<request hash>-g<generation>/`.
//!
//! No part has the form `k=v`, so that no repair or crawler takes a version for a partition, and none starts with `_` or `.`,
//! so that readers do not pass over it.

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};

/// What names a version. The same values give the same prefix, so a repeated step finds what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VersionName {
    /// The table.
    pub table: TableName,
    /// The values of the partition; none for a whole table.
    pub values: Option<Vec<String>>,
    /// When the work was planned, in milliseconds since 1970.
    pub planned_ms: i64,
    /// The first 12 hexadecimal digits of the hash of all that was asked for: [`request_hash`].
    pub request_hash: String,
    /// Which try at writing it is, from 1.
    pub generation: u32,
}

impl VersionName {
    /// Returns the prefix below a version root.
    ///
    /// # Errors
    /// `InvalidInput` for a time outside the years 0 to 9999 or a hash of another form.
    pub fn prefix(&self, root: &Location) -> Result<Location> {
        let time = jiff::Timestamp::from_millisecond(self.planned_ms)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "name a version", error.to_string()))?;
        let name = format!("{}-{}-g{}", time.strftime("%Y%m%dT%H%M%SZ"), self.request_hash, self.generation);
        if !crate::storage::is_version_name(&name) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "name a version",
                format!("expected a version like `20260102T030405Z-0123456789ab-g1`, found `{name}`"),
            ));
        }
        root.join(&format!("{}/{name}/", self.values_hash()))
    }

    /// Returns a short hash of the table and the values.
    fn values_hash(&self) -> String {
        values_hash(&self.table, self.values.as_deref())
    }
}

/// Returns the name that versions of these values are below: a short hash of the table and the values.
pub(super) fn values_hash(table: &TableName, values: Option<&[String]>) -> String {
    let mut parts = vec![table.to_string()];
    parts.extend(values.unwrap_or_default().iter().cloned());
    hash(&parts)[..16].to_owned()
}

/// Returns when a version was planned, as its name says; none for what is no version.
pub(super) fn planned_at(version: &Location) -> Option<jiff::Timestamp> {
    let name = version.file_name();
    if !crate::storage::is_version_name(name) {
        return None;
    }
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", name.split('-').next()?).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// Returns the version root of a table: `version_location` when given, else the sibling `<table root>--versions/`.
///
/// # Errors
/// `InvalidInput` when the table lies at the root of a bucket and no `version_location` is given.
pub fn version_root(table_root: &Location, version_location: Option<&Location>) -> Result<Location> {
    if let Some(location) = version_location {
        return Ok(location.as_prefix());
    }
    if table_root.as_prefix().key().is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "place versions",
            format!("the location `{table_root}` is a whole bucket: there is no place for versions beside it"),
        )
        .help("give a prefix below it as `location`, or, where the table lies there already, another one as `version_location`"));
    }
    Location::parse(&format!("{}--versions/", table_root.as_prefix().to_string().trim_end_matches('/')))
}

/// Returns 12 hexadecimal digits that stand for all parts of a request.
pub fn request_hash(parts: &[String]) -> String {
    hash(parts)[..12].to_owned()
}

/// Hashes a list of texts; their bounds count.
fn hash(parts: &[String]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_prefix_has_its_form() {
        let mut name = VersionName {
            table: TableName::new("web", "daily").unwrap(),
            values: Some(vec!["2026-01-02".to_owned()]),
            planned_ms: 1_767_323_045_000,
            request_hash: request_hash(&["select 1".to_owned()]),
            generation: 1,
        };
        let root = version_root(&Location::parse("s3://b/web/daily/").unwrap(), None).unwrap();
        assert_eq!(root.to_string(), "s3://b/web/daily--versions/");
        let first = name.prefix(&root).unwrap();
        assert_eq!(
            first.to_string(),
            format!("s3://b/web/daily--versions/{}/20260102T030405Z-{}-g1/", name.values_hash(), name.request_hash)
        );
        assert_eq!(planned_at(&first).unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(planned_at(&root), None);
        name.generation = 2;
        assert_ne!(name.prefix(&root).unwrap(), first);
        assert_eq!(name.prefix(&root).unwrap().parent(), first.parent());
    }

    #[test]
    fn bounds_of_parts_count() {
        assert_ne!(request_hash(&["ab".into(), "c".into()]), request_hash(&["a".into(), "bc".into()]));
    }
}
