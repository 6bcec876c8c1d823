//! Reads ORC files: columns by their places, as Athena does, or by their names when `orc.column.index.access` is false; one that is
//! not there is NULL.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/orc-serde.html>.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, new_null_array};
use datafusion::physical_plan::metrics::Count;
use futures::FutureExt as _;

use super::adapt::{BytesAre, adapt_by, fits};
use super::line::cast_failed;
use super::stream::{Asked, Batches};
use crate::error::{Error, ErrorKind, Result};
use crate::orc::{OrcFile, Ranges, StoredObject};
use crate::sql::Type;

/// How the columns of a table are found in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The first is the first.
    ByPlace,
    /// By name, in lower case.
    ByName,
}

impl Access {
    /// Reads the parameter of the `SerDe`.
    pub(super) fn of(parameter: Option<&str>) -> Self {
        if parameter.is_some_and(|word| word.trim().eq_ignore_ascii_case("false")) {
            Self::ByName
        } else {
            Self::ByPlace
        }
    }
}

/// An object that a query reads.
pub(super) struct Object {
    pub(super) stored: StoredObject,
    pub(super) scanned: Count,
    /// Reading ends when nobody takes batches any more.
    pub(super) batches: Batches,
}

impl Ranges for Object {
    fn length(&self) -> u64 {
        self.stored.length()
    }

    fn read(&mut self, range: Range<u64>) -> io::Result<Bytes> {
        let read = async {
            let closed = self.batches.closed().fuse();
            let get = self.stored.get(range).fuse();
            futures::pin_mut!(closed, get);
            futures::select! {
                bytes = get => bytes,
                () = closed => Err(io::ErrorKind::Interrupted.into()),
            }
        };
        let bytes = self.stored.runtime.block_on(read)?;
        self.scanned.add(bytes.len());
        Ok(bytes)
    }
}

/// Reads one object; ends early when nobody reads the batches any more.
///
/// # Errors
/// `InvalidData` for an object that is no such file, or holds a column of another type.
pub(super) fn read(asked: &Asked, access: Access, object: impl Ranges, batches: &Batches) -> Result<()> {
    let mut file = OrcFile::open(object).map_err(|error| asked.failed(&error))?;
    let names: Vec<String> = file.names().iter().map(|name| name.to_lowercase()).collect();
    // For each wanted column which of the columns that are read it is.
    let mut read = Vec::new();
    let mut wanted = Vec::with_capacity(asked.wanted.len());
    for index in &asked.wanted {
        let Some((name, data_type)) = asked.columns.get(*index) else { continue };
        let place = match access {
            Access::ByPlace => Some(*index).filter(|index| *index < names.len()),
            Access::ByName => names.iter().position(|found| found == name),
        };
        if let Some(place) = place {
            let found = file.data_type(place).map_err(|error| asked.failed(&error))?;
            if !fits(&found, data_type) {
                let message = format!("HIVE_BAD_DATA: column `{name}` is {data_type}, and the object holds `{found}`");
                return Err(asked.in_object(Error::new(ErrorKind::InvalidData, "read ORC", message)));
            }
            read.push(place);
        }
        wanted.push((name, data_type, place.map(|_| read.len() - 1)));
    }
    for stripe in 0..file.stripes() {
        if batches.is_closed() {
            return Ok(());
        }
        let mut rows = match file.stripe(stripe, &read) {
            Ok(rows) => rows,
            Err(_) if batches.is_closed() => return Ok(()),
            Err(error) => return Err(asked.failed(&error)),
        };
        while let Some((count, arrays)) = rows.next(asked.batch_rows).map_err(|error| asked.failed(&error))? {
            let columns = wanted.iter().map(|(name, data_type, place)| {
                column(&arrays, *place, count, name, data_type).map_err(|error| asked.in_object(error))
            });
            if !asked.send(columns.collect::<Result<Vec<_>>>()?, count, batches)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Turns what an object holds for a column into the column's type.
fn column(arrays: &[ArrayRef], place: Option<usize>, rows: usize, name: &str, data_type: &Type) -> Result<ArrayRef> {
    match place.and_then(|place| arrays.get(place)) {
        None => Ok(new_null_array(&data_type.to_arrow(), rows)),
        Some(found) => adapt_by(found, data_type, BytesAre::Hexadecimal).map_err(|error| cast_failed(name, &error)),
    }
}

#[cfg(test)]
mod tests;
