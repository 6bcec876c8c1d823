//! What an UNLOAD wrote: the objects below its prefix, their rows by what they say, their partitions by their paths.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};

use super::csv::Records;
use super::record::StatementRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::publish::validate::{self, RowsAre};
use crate::query::WrittenObject;
use crate::storage::{Object, Storage};

/// How many footers are read at a time.
const FOOTERS: usize = 16;

const OPERATION: &str = "look at what a query wrote";

/// Returns the objects that an UNLOAD wrote, in the order of their names.
///
/// # Errors
/// `InvalidData` when the manifest of Athena names other objects, or an object is not of its format or in no partition.
pub(in crate::query) async fn objects(
    storage: &Storage,
    record: &StatementRecord,
    manifest: Option<&str>,
) -> Result<Vec<WrittenObject>> {
    let Some(prefix) = &record.unload else { return Ok(Vec::new()) };
    let listed = storage.list_data(prefix).await?;
    if let Some(manifest) = manifest {
        compare(storage, prefix, &listed, manifest).await?;
    }
    described(storage, prefix, &record.partition_by, record.rows_are, listed).await
}

/// Returns the objects below a prefix that a query has written to, in the order of their names.
///
/// # Errors
/// `InvalidData` when an object is not of its format or in no partition by these keys.
pub(crate) async fn below(
    storage: &Storage,
    prefix: &Location,
    partition_by: &[String],
    rows_are: RowsAre,
) -> Result<Vec<WrittenObject>> {
    let listed = storage.list_data(prefix).await?;
    described(storage, prefix, partition_by, rows_are, listed).await
}

async fn described(
    storage: &Storage,
    prefix: &Location,
    partition_by: &[String],
    rows_are: RowsAre,
    listed: Vec<Object>,
) -> Result<Vec<WrittenObject>> {
    futures::stream::iter(listed)
        .map(|object| async move {
            let rows = validate::rows(storage, &object.location, object.bytes, rows_are).await?;
            let partition = values(prefix, &object.location, partition_by)?;
            Ok(WrittenObject { location: object.location, bytes: object.bytes, rows, partition })
        })
        .buffered(FOOTERS)
        .try_collect()
        .await
}

/// Compares the list of Athena with what is there: `<id>-manifest.csv` has a line for each object
/// (<https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html>).
async fn compare(storage: &Storage, prefix: &Location, listed: &[Object], manifest: &str) -> Result<()> {
    let at = Location::parse(manifest)?;
    let text = storage.read(&at).await?;
    let mut records = Vec::new();
    let mut reader = Records::default();
    reader.take(&text, &mut records);
    records.extend(reader.end());
    let named: BTreeSet<Location> = records
        .iter()
        .filter_map(|record| record.first()?.as_deref())
        .filter(|line| !line.is_empty())
        .map(Location::parse)
        .collect::<Result<_>>()?;
    let found: BTreeSet<Location> = listed.iter().map(|object| object.location.clone()).collect();
    let missing = named.difference(&found).map(|location| format!("`{location}` is missing"));
    let foreign = found.difference(&named).map(|location| format!("`{location}` was not written by this query"));
    let problems: Vec<String> = missing.chain(foreign).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let message = format!("the objects below `{prefix}` are not those of Athena's manifest: {}", problems.join("; "));
    Err(Error::new(ErrorKind::InvalidData, OPERATION, message).with("manifest", manifest))
}

/// Reads the values of a partition out of a path: `key=value/…` below the prefix.
fn values(prefix: &Location, location: &Location, keys: &[String]) -> Result<Vec<String>> {
    let below = location.key().strip_prefix(prefix.as_prefix().key()).unwrap_or_default();
    let mut parts = below.split('/');
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        let pair = parts.next().and_then(|part| part.split_once('='));
        match pair {
            Some((name, value)) if unescaped(name).eq_ignore_ascii_case(key) => values.push(unescaped(value)),
            _ => {
                let message = format!("`{location}` is in no partition by {}", keys.join(", "));
                return Err(Error::new(ErrorKind::InvalidData, OPERATION, message));
            }
        }
    }
    Ok(values)
}

/// Reads what Hive writes as `%3A` in a path. A `%` that is no such sign stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let sign = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(digits, 16).ok()
        });
        if let Some(byte) = sign {
            bytes.push(byte);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::hive_path;

    #[test]
    fn partitions_are_read_from_paths() {
        let prefix = Location::parse("s3://b/v/").unwrap();
        let keys = ["dt".to_owned(), "city".to_owned()];
        let path = hive_path([("dt", "2026-01-02 03:04"), ("city", "50% = São Paulo")]).unwrap();
        let object = prefix.join(&format!("{path}20260101_0001_x")).unwrap();
        assert_eq!(values(&prefix, &object, &keys).unwrap(), ["2026-01-02 03:04", "50% = São Paulo"]);
        assert_eq!(values(&prefix, &prefix.join("x").unwrap(), &[]).unwrap(), Vec::<String>::new());
        let error = values(&prefix, &prefix.join("dt=1/x").unwrap(), &keys).unwrap_err();
        assert_eq!(error.to_string(), "`s3://b/v/dt=1/x` is in no partition by dt, city");
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("%zz%3a"), "%zz:");
    }
}
