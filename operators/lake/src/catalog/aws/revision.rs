//! The version of a partition, which Glue has none of: a number of ours that grows, and a hash that tells foreign changes.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::catalog::Partition;

/// The parameter that holds the number.
pub(super) const PARAMETER: &str = "suiro.revision";

/// How many bits of a version are hash; the others hold seconds since 1970 until the year 2242.
const HASH_BITS: u32 = 30;

/// Takes the number out of the parameters of a partition; 0 for one that we never wrote.
pub(super) fn take(parameters: &mut HashMap<String, String>) -> i64 {
    parameters.remove(PARAMETER).and_then(|text| text.parse().ok()).filter(|number| *number > 0).unwrap_or(0)
}

/// Returns the number of the next write: the time in seconds, or more when several fall into one.
pub(super) fn next(current: Option<i64>, now_seconds: i64) -> i64 {
    now_seconds.max(current.map_or(0, of) + 1)
}

/// Returns the number in a version.
pub(super) fn of(version: i64) -> i64 {
    version >> HASH_BITS
}

/// Makes the version of a partition that was read. Its times do not count: a reader may change them.
pub(super) fn version(number: i64, partition: &Partition) -> i64 {
    let mut parameters: Vec<(&String, &String)> = partition.parameters.iter().collect();
    parameters.sort_unstable();
    let content =
        (&partition.values, partition.location.to_string(), &partition.columns, &partition.storage, parameters);
    // Texts and numbers always have a JSON form.
    let json = serde_json::to_vec(&content).unwrap_or_default();
    let digest = Sha256::digest(&json);
    let hash = i64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) >> (32 - HASH_BITS));
    (number << HASH_BITS) | hash
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::catalog::TableFormat;
    use crate::name::Location;

    fn partition(location: &str) -> Partition {
        Partition {
            values: vec!["x".to_owned()],
            columns: Vec::new(),
            location: Location::parse(location).unwrap(),
            storage: TableFormat::Parquet.storage(),
            parameters: IndexMap::new(),
            detail: Default::default(),
            created_ms: 0,
            version: 0,
        }
    }

    #[test]
    fn versions_grow_with_our_writes_and_differ_by_foreign_ones() {
        let foreign = version(0, &partition("s3://b/a/"));
        let now = 1_800_000_000;
        let first = version(next(Some(foreign), now), &partition("s3://b/b/"));
        assert!(first > foreign);
        let second = version(next(Some(first), now), &partition("s3://b/a/"));
        assert!(second > first);
        assert!(
            version(next(Some(second), now - 60), &partition("s3://b/a/")) > second,
            "also when the clock goes back"
        );
        let moved = version(of(second), &partition("s3://b/c/"));
        assert_ne!(moved, second, "a foreign change that kept the parameter");
        let mut timed = partition("s3://b/a/");
        timed.detail.last_access_ms = Some(1);
        assert_eq!(version(of(second), &timed), second);
    }

    #[test]
    fn the_number_is_taken_out() {
        let mut parameters = HashMap::from([(PARAMETER.to_owned(), "17".to_owned()), ("k".to_owned(), "v".to_owned())]);
        assert_eq!(take(&mut parameters), 17);
        assert_eq!(parameters.len(), 1);
        assert_eq!(take(&mut parameters), 0);
    }
}
