//! Checks a written version against what its writer says, before anyone is pointed to it.

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt as _;
use parquet::arrow::async_reader::AsyncFileReader as _;
use parquet::errors::ParquetError;

use super::Format;
use super::reader::ParquetObject;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::query::WrittenObject;
use crate::storage::Storage;
use crate::words::counted;

/// How many footers are read at a time.
const FOOTERS: usize = 16;

/// What is done to an object of Parquet.
const PARQUET: &str = "read a Parquet footer";

/// What is done to an object of any format.
pub(super) const READ: &str = "count the rows of an object";

/// How the rows of objects are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsAre {
    /// By what an object of Parquet, ORC or Avro says of itself.
    #[default]
    Described,
    /// By the lines of an object of text.
    Lines,
}

impl RowsAre {
    /// Tells whether objects say it themselves.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    pub(crate) fn is_described(&self) -> bool {
        *self == Self::Described
    }
}

impl From<Format> for RowsAre {
    fn from(format: Format) -> Self {
        match format {
            Format::Parquet(_) | Format::Orc(_) | Format::Avro(_) => Self::Described,
            Format::Text(..) => Self::Lines,
        }
    }
}

/// What a version holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validated {
    /// Its rows, counted in the footers of its objects.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Checks that the objects below prefixes are exactly those that were written, whole, and counts their rows.
///
/// # Errors
/// `InvalidData` that names every object that is missing, foreign, empty, of another size, or of another number of rows.
pub async fn validate(
    storage: &Storage,
    prefixes: &[Location],
    written: &[WrittenObject],
    rows_are: RowsAre,
) -> Result<Validated> {
    let mut listed: BTreeMap<Location, u64> = BTreeMap::new();
    for prefix in prefixes {
        listed.extend(storage.list_data(prefix).await?.into_iter().map(|object| (object.location, object.bytes)));
    }
    let mut problems = Vec::new();
    let known: HashSet<&Location> = written.iter().map(|object| &object.location).collect();
    for location in listed.keys() {
        if !known.contains(location) {
            problems.push(format!("`{location}` was not written by this query"));
        }
    }
    let mut validated = Validated { rows: 0, bytes: 0 };
    let counts: Vec<_> = written
        .iter()
        .map(|object| {
            // Only what can have a footer of the right rows is opened.
            let bytes = listed.get(&object.location).copied().filter(|bytes| *bytes > 0 && *bytes == object.bytes);
            async move {
                match bytes {
                    Some(bytes) => Some(rows(storage, &object.location, bytes, rows_are).await),
                    None => None,
                }
            }
        })
        .collect();
    let counts: Vec<Option<Result<u64>>> = futures::stream::iter(counts).buffered(FOOTERS).collect().await;
    for (object, count) in written.iter().zip(counts) {
        match (listed.get(&object.location), count) {
            (None, _) => problems.push(format!("`{}` is missing", object.location)),
            (Some(0), _) => problems.push(format!("`{}` is empty", object.location)),
            (Some(bytes), None) => {
                problems.push(format!("`{}` has {bytes} bytes, the query wrote {}", object.location, object.bytes));
            }
            (Some(bytes), Some(count)) => match count {
                // It says nothing of the object that it could not be read just now.
                Err(error) if error.kind != ErrorKind::InvalidData => return Err(error),
                Err(error) => {
                    let is_what = if error.operation == PARQUET { "is no Parquet file" } else { "cannot be read" };
                    problems.push(format!("`{}` {is_what}: {}", object.location, error.message));
                }
                Ok(rows) if rows != object.rows => {
                    let why = match rows_are {
                        RowsAre::Lines if rows > object.rows => ": a text with a line end in it is read as two rows",
                        _ => "",
                    };
                    let (found, wrote) = (counted(rows, "row"), counted(object.rows, "row"));
                    problems.push(format!("`{}` has {found}, the query wrote {wrote}{why}", object.location));
                }
                Ok(rows) => {
                    validated.rows += rows;
                    validated.bytes += bytes;
                }
            },
        }
    }
    if problems.is_empty() {
        return Ok(validated);
    }
    Err(Error::new(
        ErrorKind::InvalidData,
        "validate a version",
        format!("the written objects are not what the query reported: {}", problems.join("; ")),
    )
    .with("location", prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
}

/// Counts the rows of an object: lines where they are that, else of Parquet by its footer. Only what is none is asked whether it is
/// of ORC or Avro.
///
/// # Errors
/// `InvalidData` for an object that is damaged or of another format; those of the storage.
pub(crate) async fn rows(storage: &Storage, location: &Location, bytes: u64, rows_are: RowsAre) -> Result<u64> {
    if rows_are == RowsAre::Lines {
        return super::counted::lines(storage, location, bytes).await;
    }
    let mut reader = ParquetObject::new(storage, location, bytes)?;
    let metadata = match reader.get_metadata(None).await {
        Ok(metadata) => metadata,
        Err(error) => {
            let error = match of_store(error) {
                Ok(error) => return Err(storage.failed(READ, Some(location), error)),
                Err(error) => error,
            };
            let counted = super::counted::rows(storage, location, bytes).await?;
            return counted.ok_or_else(|| Error::new(ErrorKind::InvalidData, PARQUET, error.to_string()));
        }
    };
    u64::try_from(metadata.file_metadata().num_rows())
        .map_err(|_| Error::new(ErrorKind::InvalidData, PARQUET, "the number of rows is negative"))
}

/// Takes the store's error out of Parquet's; gives back what is none: then the object is not what it should be.
fn of_store(error: ParquetError) -> std::result::Result<object_store::Error, ParquetError> {
    match error {
        ParquetError::External(inner) => inner.downcast().map(|error| *error).map_err(ParquetError::External),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Compression;
    use crate::publish::parquet::{ParquetWriter, StoredColumn};
    use crate::sql::Type;
    use crate::storage::Put;
    use arrow::array::Int64Array;
    use bytes::Bytes;
    use std::sync::Arc;

    #[tokio::test]
    async fn every_departure_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        let prefix = Location::parse("s3://b/v/").unwrap();
        let columns = [StoredColumn { name: "n".to_owned(), data_type: Type::Bigint }];
        let mut writer = ParquetWriter::new(&storage, &prefix, &columns, Compression::Snappy).unwrap();
        let batch =
            arrow::record_batch::RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])
                .unwrap();
        writer.write(&batch).await.unwrap();
        let objects = writer.finish().await.unwrap();
        storage.put(&prefix.join("_suiro.json").unwrap(), Bytes::from_static(b"{}"), Put::Create).await.unwrap();
        let found = validate(&storage, std::slice::from_ref(&prefix), &objects, RowsAre::Described).await.unwrap();
        assert_eq!(found, Validated { rows: 3, bytes: objects[0].bytes });

        let at = |name: &str| prefix.join(name).unwrap();
        storage.put(&at("foreign"), Bytes::from_static(b"x"), Put::Create).await.unwrap();
        storage.put(&at("empty"), Bytes::new(), Put::Create).await.unwrap();
        storage.put(&at("cut"), Bytes::from_static(b"PAR1PAR1"), Put::Create).await.unwrap();
        let mut claimed = objects.clone();
        claimed[0].rows = 4;
        for (name, bytes) in [("absent", 1), ("empty", 0), ("cut", 8)] {
            claimed.push(WrittenObject { location: at(name), bytes, rows: 0, partition: Vec::new() });
        }
        let error = validate(&storage, &[prefix], &claimed, RowsAre::Described).await.unwrap_err();
        for part in [
            "`s3://b/v/foreign` was not written",
            "`s3://b/v/absent` is missing",
            "`s3://b/v/empty` is empty",
            "`s3://b/v/cut` is no Parquet file",
            "has 3 rows, the query wrote 4 rows",
        ] {
            assert!(error.message.contains(part), "{part}: {}", error.message);
        }
    }

    /// Athena and Trino write a text as it is, whatever ends lines in it.
    #[tokio::test]
    async fn rows_of_text_are_what_its_readers_see() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        let prefix = Location::parse("s3://b/v/").unwrap();
        for (name, text, rows, is_right) in [
            ("plain", "1,a\n2,b\n", 2, true),
            ("both", "1,a\r\n2,b", 2, true),
            ("return", "1,a\rb\n", 1, false),
            ("feed", "1,a\nb\n", 1, false),
        ] {
            let prefix = prefix.join(&format!("{name}/")).unwrap();
            let location = prefix.join("x.txt").unwrap();
            storage.put(&location, Bytes::from(text), Put::Create).await.unwrap();
            let bytes = text.len() as u64;
            let written = [WrittenObject { location, bytes, rows, partition: Vec::new() }];
            match validate(&storage, &[prefix], &written, RowsAre::Lines).await {
                Ok(found) => assert_eq!((found.rows, is_right), (rows, true), "{name}"),
                Err(error) => {
                    let why = "has 2 rows, the query wrote 1 row: a text with a line end in it is read as two rows";
                    assert!(!is_right && error.message.ends_with(why), "{name}: {}", error.message);
                }
            }
        }
    }
}
