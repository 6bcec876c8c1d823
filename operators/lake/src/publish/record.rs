//! What a publish leaves in the parameters of a partition or table: the catalog alone can tell the story.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::{Column, Storage, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

const VERSION: &str = "suiro.version";
const PREVIOUS: &str = "suiro.previous_location";
const ROWS: &str = "suiro.rows";
const BYTES: &str = "suiro.bytes";
const QUERY: &str = "suiro.query_id";
const ATTEMPT: &str = "suiro.attempt";
const SCHEMA: &str = "suiro.schema_hash";
const UNDONE: &str = "suiro.undone";
/// The storage descriptor of the previous location, where it is another one.
const PREVIOUS_STORAGE: &str = "suiro.previous_storage";
/// Names the loads that a partition has objects of, separated by commas.
pub(crate) const LOADS: &str = "suiro.loads";

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The prefix of the version.
    pub version: Location,
    /// Where readers were pointed before; what an undo goes back to.
    pub previous_location: Option<Location>,
    /// The rows of the version.
    pub rows: u64,
    /// The bytes of its objects.
    pub bytes: u64,
    /// The query (or load) that wrote it.
    pub query_id: String,
    /// The attempt that asked for it.
    pub attempt: String,
    /// The hash of the columns it was written for: [`schema_hash`].
    pub schema_hash: String,
}

impl Record {
    /// Puts the record among the parameters of a partition or table.
    pub fn put(&self, parameters: &mut IndexMap<String, String>) {
        parameters.insert(VERSION.to_owned(), self.version.to_string());
        match &self.previous_location {
            Some(previous) => parameters.insert(PREVIOUS.to_owned(), previous.to_string()),
            None => parameters.shift_remove(PREVIOUS),
        };
        parameters.insert(ROWS.to_owned(), self.rows.to_string());
        parameters.insert(BYTES.to_owned(), self.bytes.to_string());
        parameters.insert(QUERY.to_owned(), self.query_id.clone());
        parameters.insert(ATTEMPT.to_owned(), self.attempt.clone());
        parameters.insert(SCHEMA.to_owned(), self.schema_hash.clone());
        parameters.shift_remove(UNDONE);
    }

    /// Puts the record of another version of the same partition or table in the place of the one that stands: what else the parameters
    /// say of that one's objects goes.
    pub(super) fn put_instead(&self, parameters: &mut IndexMap<String, String>) {
        self.put(parameters);
        parameters.shift_remove(LOADS);
    }

    /// Puts the record of a version that an undo went back to; its previous location is the version that was undone.
    pub(super) fn put_undone(&self, parameters: &mut IndexMap<String, String>) {
        self.put_instead(parameters);
        parameters.insert(UNDONE.to_owned(), "true".to_owned());
    }

    /// Says whether parameters are those of a version that an undo went back to.
    pub fn is_undone(parameters: &IndexMap<String, String>) -> bool {
        parameters.contains_key(UNDONE)
    }

    /// Reads the record among parameters; none when nothing of ours is there.
    ///
    /// # Errors
    /// `InvalidData` when it is there and cannot be read.
    pub fn read(parameters: &IndexMap<String, String>) -> Result<Option<Self>> {
        let Some(version) = parameters.get(VERSION) else { return Ok(None) };
        let number = |key: &str| {
            parameters.get(key).and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidData,
                    "read a publish record",
                    format!("expected a number in the parameter `{key}`, found {:?}", parameters.get(key)),
                )
            })
        };
        let text = |key: &str| parameters.get(key).cloned().unwrap_or_default();
        Ok(Some(Self {
            version: Location::parse(version)?,
            previous_location: parameters.get(PREVIOUS).map(|text| Location::parse(text)).transpose()?,
            rows: number(ROWS)?,
            bytes: number(BYTES)?,
            query_id: text(QUERY),
            attempt: text(ATTEMPT),
            schema_hash: text(SCHEMA),
        }))
    }

    /// Takes the record out of parameters.
    pub fn remove(parameters: &mut IndexMap<String, String>) {
        for key in [VERSION, PREVIOUS, PREVIOUS_STORAGE, ROWS, BYTES, QUERY, ATTEMPT, SCHEMA, UNDONE] {
            parameters.shift_remove(key);
        }
    }
}

/// Notes how the previous location is read, when that is not how the new one is: an undo goes back to both.
pub(super) fn note_previous_storage(
    previous: Option<&Storage>,
    new: &Storage,
    parameters: &mut IndexMap<String, String>,
) -> Result<()> {
    parameters.shift_remove(PREVIOUS_STORAGE);
    let Some(previous) = previous.filter(|previous| *previous != new) else { return Ok(()) };
    let json = serde_json::to_string(previous).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "write a publish record", "the descriptor cannot be written as JSON")
            .source(error)
    })?;
    parameters.insert(PREVIOUS_STORAGE.to_owned(), json);
    Ok(())
}

/// Returns how the previous location is read, when that is not how the present one is.
///
/// # Errors
/// `InvalidData` when it is noted and cannot be read.
pub(super) fn previous_storage(parameters: &IndexMap<String, String>) -> Result<Option<Storage>> {
    let Some(json) = parameters.get(PREVIOUS_STORAGE) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|error| {
        let message = format!("expected a descriptor in the parameter `{PREVIOUS_STORAGE}`, found another text");
        Error::new(ErrorKind::InvalidData, "read a publish record", message).source(error)
    })
}

/// Returns a hash of names and types of columns in order; remarks do not count.
pub fn schema_hash(columns: &[Column]) -> String {
    let mut hasher = Sha256::new();
    for column in columns {
        hasher.update(format!("{:?} {:?}\n", column.name, column.hive_type));
    }
    let mut hash = super::version::hex(&hasher.finalize());
    hash.truncate(16);
    hash
}

/// Returns a hash of a table's columns and partition keys: [`schema_hash`] of its columns alone when it has no keys.
pub fn table_hash(table: &Table) -> String {
    let columns: Vec<Column> = table.columns.iter().chain(&table.partition_keys).cloned().collect();
    schema_hash(&columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_put() {
        let mut record = Record {
            version: Location::parse("s3://b/v/").unwrap(),
            previous_location: Some(Location::parse("s3://b/u/").unwrap()),
            rows: 3,
            bytes: 99,
            query_id: "q".to_owned(),
            attempt: "7".to_owned(),
            schema_hash: schema_hash(&[Column::new("a", "bigint")]),
        };
        let mut parameters = IndexMap::from([("classification".to_owned(), "parquet".to_owned())]);
        record.put(&mut parameters);
        assert_eq!(Record::read(&parameters).unwrap(), Some(record.clone()));
        record.previous_location = None;
        record.put(&mut parameters);
        assert_eq!(Record::read(&parameters).unwrap(), Some(record));
        parameters.insert(ROWS.to_owned(), "many".to_owned());
        assert_eq!(Record::read(&parameters).unwrap_err().kind, ErrorKind::InvalidData);
        Record::remove(&mut parameters);
        assert_eq!(parameters.len(), 1);
    }
}
