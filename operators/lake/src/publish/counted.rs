//! The rows of an object of ORC or Avro, told by how it begins, and of one of lines.

use std::io::{self, BufReader, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use super::validate::READ;
use crate::error::{Error, ErrorKind, Result};
use crate::lines::count_lines;
use crate::name::Location;
use crate::orc::{OrcFile, Ranges as _, StoredObject};
use crate::query::avro_rows;
use crate::storage::Storage;

/// Bytes of Avro that are read at a time.
const WINDOW: u64 = 8 << 20;

/// Counts the rows of an object; none for one that begins as neither does.
///
/// # Errors
/// `InvalidData` for a damaged object; those of the storage.
pub(super) async fn rows(storage: &Storage, location: &Location, bytes: u64) -> Result<Option<u64>> {
    count(storage, location, bytes, rows_of).await
}

/// Counts the lines of an object, which gzip or zstd may have compressed: its first bytes tell.
///
/// # Errors
/// As [`rows`].
pub(super) async fn lines(storage: &Storage, location: &Location, bytes: u64) -> Result<u64> {
    count(storage, location, bytes, lines_of).await
}

async fn count<N: Send + 'static>(
    storage: &Storage,
    location: &Location,
    bytes: u64,
    of: fn(StoredObject) -> io::Result<N>,
) -> Result<N> {
    let object = StoredObject {
        store: storage.object_store(),
        path: Storage::store_path(location)?,
        bytes,
        runtime: tokio::runtime::Handle::current(),
    };
    let counting = tokio::task::spawn_blocking(move || of(object)).await;
    let counted = counting.map_err(|error| Error::new(ErrorKind::External, READ, error.to_string()))?;
    counted.map_err(|error| match error.downcast::<object_store::Error>() {
        Ok(error) => storage.failed(READ, Some(location), error),
        Err(error) => Error::new(ErrorKind::InvalidData, READ, error.to_string()),
    })
}

fn rows_of(mut object: StoredObject) -> io::Result<Option<u64>> {
    let begin = object.read(0..object.bytes.min(4))?;
    if begin.starts_with(b"ORC") {
        return Ok(Some(OrcFile::open(object)?.rows()));
    }
    if begin.starts_with(b"Obj\x01") {
        let windows = Windows { object, at: 0, ready: Bytes::new() };
        return Ok(Some(avro_rows(BufReader::with_capacity(1 << 16, windows))?));
    }
    Ok(None)
}

fn lines_of(mut object: StoredObject) -> io::Result<u64> {
    let begin = object.read(0..object.bytes.min(4))?;
    let mut bytes = BufReader::with_capacity(1 << 16, Windows { object, at: 0, ready: Bytes::new() });
    // No text in UTF-8 begins as these do.
    if begin.starts_with(&[0x1f, 0x8b]) {
        count_lines(&mut BufReader::with_capacity(1 << 16, MultiGzDecoder::new(bytes)))
    } else if begin.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        count_lines(&mut BufReader::with_capacity(1 << 16, zstd::stream::read::Decoder::with_buffer(bytes)?))
    } else {
        count_lines(&mut bytes)
    }
}

/// An object from its first byte to its last.
struct Windows {
    object: StoredObject,
    at: u64,
    ready: Bytes,
}

impl Read for Windows {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            let end = self.object.bytes.min(self.at + WINDOW);
            self.ready = self.object.read(self.at..end)?;
            self.at = end;
        }
        let taken = self.ready.split_to(buffer.len().min(self.ready.len()));
        buffer.get_mut(..taken.len()).map_or(Ok(0), |target| {
            target.copy_from_slice(&taken);
            Ok(taken.len())
        })
    }
}
