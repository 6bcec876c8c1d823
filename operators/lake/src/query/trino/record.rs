//! What a statement says of itself: a comment at its end, which Trino keeps as long as it remembers the query. Whoever finds
//! the query after a restart learns from it where its rows went, and what else belongs to it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};
use crate::publish::validate::RowsAre;
use crate::publish::version::hex;

/// What the comment begins with.
const START: &str = "-- suiro: ";

/// What a statement says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TrinoRecord {
    /// Stands for the token of the query.
    pub(super) token: String,
    /// Where its rows go, when it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) writes: Option<Writes>,
    /// The tables that are there for this query alone, and are dropped when it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) temporary: Vec<TableName>,
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Writes {
    /// The prefix.
    pub(super) prefix: Location,
    /// The columns that become partition keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) partition_by: Vec<String>,
    /// How the rows of its objects are told.
    #[serde(default, skip_serializing_if = "RowsAre::is_described")]
    pub(super) rows_are: RowsAre,
    /// The table that the rows are written through; it goes when they are.
    pub(super) through: TableName,
}

impl TrinoRecord {
    /// Puts the record behind a statement.
    ///
    /// # Errors
    /// None in practice: the record is plain.
    pub(super) fn put(&self, statement: &str) -> Result<String> {
        let json = serde_json::to_string(self)
            .map_err(|error| Error::new(ErrorKind::External, "write a statement", error.to_string()).source(error))?;
        // JSON has no line ends: the comment is one line, whatever names are in it.
        Ok(format!("{statement}\n{START}{json}"))
    }

    /// Reads the record of a statement; none for one that suiro did not write.
    pub(super) fn read(statement: &str) -> Option<Self> {
        let last = statement.trim_end().rsplit('\n').next()?;
        serde_json::from_str(last.strip_prefix(START)?).ok()
    }

    /// Returns every table that goes when the query has ended.
    pub(super) fn tables(&self) -> Vec<TableName> {
        self.temporary.iter().cloned().chain(self.writes.iter().map(|writes| writes.through.clone())).collect()
    }
}

/// Returns what stands for a token: 32 hexadecimal digits.
pub(super) fn stand_in(token: &str) -> String {
    let mut hash = hex(&Sha256::digest(token.as_bytes()));
    hash.truncate(32);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_from_the_last_line_alone() {
        let record = TrinoRecord {
            token: stand_in("a token"),
            writes: Some(Writes {
                prefix: Location::parse("s3://b/v/").unwrap(),
                partition_by: vec!["a\nb".to_owned()],
                rows_are: RowsAre::Lines,
                through: TableName::new("default", "suiro_temporary_x").unwrap(),
            }),
            temporary: vec![TableName::new("web", "suiro_temporary_0").unwrap()],
        };
        let statement = record.put("SELECT 1 -- suiro: {\"token\":\"x\"}").unwrap();
        assert_eq!(statement.lines().count(), 2);
        assert_eq!(TrinoRecord::read(&statement), Some(record.clone()));
        assert_eq!(record.tables().len(), 2);
        assert_eq!(TrinoRecord::read("SELECT 1"), None);
        assert_eq!(stand_in("a token").len(), 32);
    }
}
