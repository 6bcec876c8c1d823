//! What a statement says of itself: a comment at its end, which Athena keeps with the query for 45 days. Whoever finds the
//! query by its id alone, after a restart, learns from it where the rows went and what else belongs to it.
//!
//! The comment stands in statements of Trino's grammar alone: Hive's parser, which reads DDL, trips over comments.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};
use crate::publish::validate::RowsAre;
use crate::publish::version::hex;
use crate::query::{Destination, Query, QueryOptions};

/// The longest statement that Athena takes, in bytes: <https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>.
pub(crate) const LONGEST_STATEMENT: usize = 262_144;

/// What the comment begins with.
const START: &str = "-- suiro: ";

/// What a statement says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::query) struct StatementRecord {
    /// Where its rows go, when it is an UNLOAD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::query) unload: Option<Location>,
    /// The columns that become partition keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::query) partition_by: Vec<String>,
    /// How the rows of its objects are told.
    #[serde(default, skip_serializing_if = "RowsAre::is_described")]
    pub(in crate::query) rows_are: RowsAre,
    /// The tables that are there for this query alone, and are dropped when it has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) temporary: Vec<TableName>,
    /// What stands for the places that those tables are at: the statement on other places is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) places: Option<String>,
    /// What the query may use.
    #[serde(default, flatten)]
    pub(super) options: QueryOptions,
}

impl StatementRecord {
    /// Makes the record of a query.
    pub(super) fn of(query: &Query, temporary: Vec<TableName>) -> Self {
        let (unload, partition_by, rows_are) = match &query.destination {
            Destination::Objects { prefix, partition_by, layout } => {
                (Some(prefix.as_prefix()), partition_by.clone(), RowsAre::from(layout.format))
            }
            Destination::Fetch | Destination::Keep => (None, Vec::new(), RowsAre::Described),
        };
        let places = (!query.tables.is_empty()).then(|| {
            let mut hash = Sha256::new();
            for place in query.places() {
                hash.update(place.to_string().as_bytes());
                hash.update([0]);
            }
            let mut text = hex(&hash.finalize());
            text.truncate(12);
            text
        });
        Self { unload, partition_by, rows_are, temporary, places, options: query.options.clone() }
    }

    /// Makes the record of rows that another engine wrote below a prefix.
    pub(in crate::query) fn of_written(prefix: &Location, partition_by: &[String], rows_are: RowsAre) -> Self {
        Self { unload: Some(prefix.as_prefix()), partition_by: partition_by.to_vec(), rows_are, ..Self::default() }
    }

    /// Reads the record of a statement; an empty one for a statement that suiro did not write.
    pub(super) fn read(statement: &str) -> Self {
        let last = statement.trim_end().rsplit('\n').next().unwrap_or_default();
        last.strip_prefix(START).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Puts the record behind a statement.
    ///
    /// # Errors
    /// `InvalidInput` for a statement that is too long for Athena.
    pub(super) fn put(&self, statement: &str) -> Result<String> {
        let json = serde_json::to_string(self)
            .map_err(|error| Error::new(ErrorKind::External, "write a statement", error.to_string()).source(error))?;
        // JSON has no line ends: the comment is one line, whatever names are in it.
        let statement =
            if *self == Self::default() { statement.to_owned() } else { format!("{statement}\n{START}{json}") };
        if statement.len() > LONGEST_STATEMENT {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "write a statement",
                format!("expected a statement of at most {LONGEST_STATEMENT} bytes, found {} bytes", statement.len()),
            )
            .help("move a part of it into a view (`CREATE VIEW`), or into a task of its own before this one"));
        }
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_from_the_last_line_alone() {
        let record = StatementRecord {
            unload: Some(Location::parse("s3://b/v/").unwrap()),
            rows_are: RowsAre::Lines,
            partition_by: vec!["dt".to_owned(), "a\nb".to_owned()],
            temporary: vec![TableName::new("web", "suiro_temporary_0").unwrap()],
            places: Some("0123456789ab".to_owned()),
            options: QueryOptions { max_scan_bytes: Some(7), ..QueryOptions::default() },
        };
        let statement = record.put("SELECT 1 -- suiro: {\"unload\":\"s3://other/\"}").unwrap();
        assert_eq!(statement.lines().count(), 2);
        assert_eq!(StatementRecord::read(&statement), record);
        assert_eq!(StatementRecord::read("SELECT 1"), StatementRecord::default());
        assert_eq!(StatementRecord::default().put("SELECT 1").unwrap(), "SELECT 1");
    }

    #[test]
    fn a_statement_that_is_too_long_is_refused_before_it_is_sent() {
        let error = StatementRecord::default().put(&"x".repeat(LONGEST_STATEMENT + 1)).unwrap_err();
        assert_eq!(error.message, "expected a statement of at most 262144 bytes, found 262145 bytes");
    }
}
