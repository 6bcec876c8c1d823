//! The version of a partition, which Glue has none of: a number of ours that grows, and a hash that tells foreign changes.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::catalog::Partition;

/// The parameter that holds the number, and the time that the partition was made when it has been changed since: what Glue
/// says of that is not documented to survive a change.
pub(super) const PARAMETER: &str = "suiro.revision";

/// How many bits of a version are hash; the others hold seconds since 1970 until the year 2242.
const HASH_BITS: u32 = 30;

/// What we write beside a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Grows with each of our writes; 0 for a partition that we never wrote.
    pub(super) number: i64,
    /// When the partition was made, in milliseconds since 1970.
    pub(super) created_ms: Option<i64>,
}

impl Stamp {
    /// Makes the stamp of the next write: its number is the time in seconds, or more when several writes fall into one.
    pub(super) fn next(old: Option<&Partition>, now_seconds: i64) -> Self {
        let number = now_seconds.max(old.map_or(0, |old| number_of(old.version)) + 1);
        Self { number, created_ms: old.map(|old| old.created_ms) }
    }

    /// Takes the stamp out of the parameters of a partition.
    pub(super) fn take(parameters: &mut HashMap<String, String>) -> Self {
        let text = parameters.remove(PARAMETER).unwrap_or_default();
        let mut numbers = text.split(' ').map(|number| number.parse().ok().filter(|number: &i64| *number > 0));
        Self { number: numbers.next().flatten().unwrap_or(0), created_ms: numbers.next().flatten() }
    }

    /// Writes it for the parameter.
    pub(super) fn text(self) -> String {
        match self.created_ms {
            Some(created_ms) => format!("{} {created_ms}", self.number),
            None => self.number.to_string(),
        }
    }
}

/// Returns the number in a version.
pub(super) fn number_of(version: i64) -> i64 {
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
    use crate::catalog::{PartitionDetail, TableFormat};
    use crate::name::Location;

    fn partition(location: &str) -> Partition {
        Partition {
            values: vec!["x".to_owned()],
            columns: Vec::new(),
            location: Location::parse(location).unwrap(),
            storage: TableFormat::Parquet.storage(),
            parameters: IndexMap::new(),
            detail: PartitionDetail::default(),
            created_ms: 0,
            version: 0,
        }
    }

    fn written(location: &str, stamp: Stamp) -> Partition {
        let mut partition = partition(location);
        partition.version = version(stamp.number, &partition);
        partition
    }

    #[test]
    fn versions_grow_with_our_writes_and_differ_by_foreign_ones() {
        let foreign = written("s3://b/a/", Stamp::default());
        let now = 1_800_000_000;
        let first = written("s3://b/b/", Stamp::next(Some(&foreign), now));
        assert!(first.version > foreign.version);
        let stamp = Stamp::next(Some(&first), now);
        let second = written("s3://b/a/", stamp);
        assert!(second.version > first.version);
        let third = written("s3://b/a/", Stamp::next(Some(&second), now - 60));
        assert!(third.version > second.version, "also when the clock goes back");
        let moved = written("s3://b/c/", stamp);
        assert_ne!(moved.version, second.version, "a foreign change that kept the parameter");
        let mut timed = partition("s3://b/a/");
        timed.detail.last_access_ms = Some(1);
        assert_eq!(version(stamp.number, &timed), second.version);
    }

    #[test]
    fn a_stamp_reads_as_it_was_written() {
        for stamp in [Stamp { number: 17, created_ms: None }, Stamp { number: 18, created_ms: Some(5) }] {
            let mut parameters =
                HashMap::from([(PARAMETER.to_owned(), stamp.text()), ("k".to_owned(), "v".to_owned())]);
            assert_eq!(Stamp::take(&mut parameters), stamp);
            assert_eq!(parameters.len(), 1);
            assert_eq!(Stamp::take(&mut parameters), Stamp::default());
        }
    }
}
