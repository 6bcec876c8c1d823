//! Hashes of an object's blocks: whoever reads pieces of a large object compares these with what was written.
//!
//! The hash of the whole object says nothing of a piece, and the Parquet library checks the checksums of pages but writes none
//! (59.3: `column/page.rs`). So the bytes of the rows are hashed in blocks, whose hashes stand in Parquet's description at the
//! object's end, and that end is hashed as one: this last hash is kept by the ledger, outside of the object.

use std::hash::Hasher as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lake::{Error, ErrorKind, Result};
use parquet::file::metadata::ParquetMetaData;
use twox_hash::XxHash64;

use crate::ledger::ObjectEnd;

/// Bytes of a block: about what a page of values has, so that a reader of one series reads little more than its pages. Eight bytes
/// for each are 0.05 % of the object.
pub(super) const BLOCK_BYTES: u64 = 16 << 10;

/// The key of the hashes in Parquet's description.
pub(super) const KEY: &str = "suiro.blocks";

/// Hashes the bytes of an object as they are written.
#[derive(Debug)]
pub(super) struct BlockHasher {
    hashes: Vec<u8>,
    block: XxHash64,
    /// Bytes of the block so far.
    filled: u64,
    /// Bytes so far: of the rows, and then of the end.
    bytes: u64,
    /// The hash of the end, once the rows have ended.
    end: Option<XxHash64>,
}

impl BlockHasher {
    pub(super) fn new() -> Self {
        Self { hashes: Vec::new(), block: XxHash64::with_seed(0), filled: 0, bytes: 0, end: None }
    }

    /// Takes bytes that come after all before.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(end) = &mut self.end {
            end.write(bytes);
            return;
        }
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK_BYTES - self.filled).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.write(now);
            self.filled += now.len() as u64;
            bytes = rest;
            if self.filled == BLOCK_BYTES {
                self.end_block();
            }
        }
    }

    /// Returns how many bytes came so far, of the rows or of the end.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the rows, and returns the hashes of their blocks as a text: what comes is the end.
    pub(super) fn end_rows(&mut self) -> String {
        if self.filled > 0 {
            self.end_block();
        }
        self.bytes = 0;
        self.end = Some(XxHash64::with_seed(0));
        STANDARD.encode(&self.hashes)
    }

    /// Returns what the end is; none when the rows have not ended.
    pub(super) fn end(&self) -> Option<ObjectEnd> {
        let hash = self.end.as_ref()?.finish();
        Some(ObjectEnd { bytes: self.bytes, hash: format!("{hash:016x}") })
    }

    fn end_block(&mut self) {
        self.hashes.extend(self.block.finish().to_be_bytes());
        (self.block, self.filled) = (XxHash64::with_seed(0), 0);
    }
}

/// The blocks of an object's rows, with their hashes.
#[derive(Debug)]
pub(super) struct Blocks {
    hashes: Vec<u8>,
    /// Where the rows end.
    rows_end: u64,
}

impl Blocks {
    /// Finds the hashes in the description of an object whose rows end at a byte.
    ///
    /// # Errors
    /// `InvalidData` when they are not there.
    pub(super) fn of(metadata: &ParquetMetaData, rows_end: u64) -> Result<Self> {
        let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let text = pairs.filter(|pair| pair.key == KEY).find_map(|pair| pair.value.as_deref());
        let hashes = text.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        if hashes.len() as u64 != rows_end.div_ceil(BLOCK_BYTES) * 8 {
            return Err(damaged("the object lacks hashes of its blocks".to_owned()));
        }
        Ok(Self { hashes, rows_end })
    }

    /// Widens a range to whole blocks.
    pub(super) fn around(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start / BLOCK_BYTES * BLOCK_BYTES;
        start..(range.end.div_ceil(BLOCK_BYTES) * BLOCK_BYTES).min(self.rows_end)
    }

    /// Compares whole blocks with what was written, and cuts a range out of them.
    ///
    /// # Errors
    /// `InvalidData` for other bytes.
    pub(super) fn cut(&self, bytes: &Bytes, around: &Range<u64>, range: &Range<u64>) -> Result<Bytes> {
        if range.end > self.rows_end || around.end.saturating_sub(around.start) != bytes.len() as u64 {
            let (start, end, count) = (range.start, range.end, bytes.len());
            return Err(damaged(format!("the object has {count} bytes for the bytes {start} to {end} of its rows")));
        }
        let first = around.start / BLOCK_BYTES;
        let size = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        for (block, number) in bytes.chunks(size).zip(first..) {
            let at = usize::try_from(number * 8).unwrap_or(usize::MAX);
            let expected = self.hashes.get(at..at.saturating_add(8));
            if expected != Some(&XxHash64::oneshot(0, block).to_be_bytes()[..]) {
                let start = number * BLOCK_BYTES;
                let end = start + block.len() as u64;
                return Err(damaged(format!(
                    "the object has other bytes than were written from byte {start} to {end}"
                )));
            }
        }
        let place = |at: u64| usize::try_from(at - around.start).unwrap_or(usize::MAX);
        Ok(bytes.slice(place(range.start)..place(range.end)))
    }
}

/// Compares the end of an object with what was written.
///
/// # Errors
/// `InvalidData` for other bytes.
pub(super) fn refuse_other_end(end: &ObjectEnd, bytes: &[u8]) -> Result<()> {
    let hash = format!("{:016x}", XxHash64::oneshot(0, bytes));
    if hash == end.hash {
        return Ok(());
    }
    Err(damaged(format!("the object has other bytes than were written in its last {}", end.bytes)))
}

fn damaged(message: String) -> Error {
    Error::new(ErrorKind::InvalidData, "read an archive", message)
}
