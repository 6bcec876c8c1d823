//! Parsers: a chunk of whole records goes in, a record batch and the rejected lines come out.
//!
//! A parser never loses a line: every line of a chunk is part of a row, rejected, or counted as skipped (blank lines and
//! comments).

use arrow::record_batch::RecordBatch;

use super::column::{BatchBuilder, ReadColumn};
use super::reject::{Reason, Rejected};
use crate::error::Result;

pub(crate) mod apache_combined;
pub(crate) mod csv;
pub(crate) mod json;
pub(crate) mod jsonl;
pub(crate) mod stops;

/// Whole records of one file.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The file's place in the list of inputs.
    pub file: usize,
    /// The number of the first line, from 1.
    pub first_line: u64,
    /// The records with their line ends.
    pub bytes: Vec<u8>,
}

/// Where a row's record stands in its chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordPlace {
    /// Its first byte.
    pub start: u32,
    /// The byte after its last, without the line end.
    pub end: u32,
    /// Its first line, from the chunk's first.
    pub line: u32,
}

/// What became of a chunk.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The rows.
    pub batch: RecordBatch,
    /// Where each row stood.
    pub places: Vec<RecordPlace>,
    /// The rejected records.
    pub rejected: Vec<Rejected>,
    /// How many lines were skipped: blank ones and comments.
    pub skipped: u64,
}

/// How records are told apart and read.
#[derive(Debug, Clone)]
pub(crate) enum Parser {
    /// See [`csv`].
    Csv(csv::CsvParser),
    /// See [`jsonl`].
    Jsonl(jsonl::JsonlParser),
    /// See [`apache_combined`].
    ApacheCombined,
}

impl Parser {
    /// Reads a chunk.
    ///
    /// # Errors
    /// `InvalidData` when a column cannot be built; bad lines are no error.
    pub(crate) fn parse(&self, columns: &[ReadColumn], chunk: &Chunk) -> Result<Parsed> {
        let mut sink = RecordSink::new(columns, chunk);
        match self {
            Self::Csv(parser) => parser.parse(&mut sink),
            Self::Jsonl(parser) => parser.parse(&mut sink),
            Self::ApacheCombined => apache_combined::parse(&mut sink),
        }
        sink.finish()
    }
}

/// Takes the rows and rejected records of one chunk.
pub(crate) struct RecordSink<'a> {
    chunk: &'a Chunk,
    /// The rows so far.
    pub rows: BatchBuilder,
    /// Whether the whole chunk is UTF-8 without NUL: then no record needs to be looked at.
    clean: bool,
    places: Vec<RecordPlace>,
    rejected: Vec<Rejected>,
    skipped: u64,
}

impl<'a> RecordSink<'a> {
    fn new(columns: &[ReadColumn], chunk: &'a Chunk) -> Self {
        let clean = memchr::memchr(0, &chunk.bytes).is_none() && std::str::from_utf8(&chunk.bytes).is_ok();
        // As many rows as lines, and no more than there are bytes to fill their columns.
        let lines = memchr::memchr_iter(b'\n', &chunk.bytes).count() + 1;
        let rows = lines.min(chunk.bytes.len() / columns.len().max(1) + 1);
        Self {
            chunk,
            rows: BatchBuilder::new(columns, rows, chunk.bytes.len()),
            clean,
            places: Vec::with_capacity(rows),
            rejected: Vec::new(),
            skipped: 0,
        }
    }

    /// Returns the bytes of the chunk.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.chunk.bytes
    }

    /// Tells why a record is not text, if it is not.
    pub(crate) fn not_text(&self, record: &[u8]) -> Option<Reason> {
        if self.clean { None } else { not_text(record) }
    }

    /// The values of the record at `start..end` were added to the rows.
    pub(crate) fn accept(&mut self, start: usize, end: usize, line: u64) {
        self.rows.row_done();
        self.places.push(RecordPlace { start: narrow(start), end: narrow(end), line: narrow_line(line) });
    }

    /// The record is rejected; what was added of it is taken back.
    pub(crate) fn reject(&mut self, start: usize, end: usize, line: u64, reason: &Reason) {
        self.rows.row_undone();
        let rejected =
            Rejected::new(self.chunk.file, self.chunk.first_line + line, reason, &self.chunk.bytes[start..end]);
        self.rejected.push(rejected);
    }

    /// A line was skipped.
    pub(crate) fn skip(&mut self) {
        self.skipped += 1;
    }

    fn finish(self) -> Result<Parsed> {
        Ok(Parsed { batch: self.rows.finish()?, places: self.places, rejected: self.rejected, skipped: self.skipped })
    }
}

/// Tells why bytes are not text in UTF-8, if they are not.
pub(crate) fn not_text(bytes: &[u8]) -> Option<Reason> {
    if let Some(at) = memchr::memchr(0, bytes) {
        return Some(Reason::Nul { at: at + 1 });
    }
    let error = std::str::from_utf8(bytes).err()?;
    Some(Reason::NotUtf8 { at: error.valid_up_to() + 1 })
}

/// A chunk is far below 4 GiB (see `chunk::MAX_RECORD_BYTES`).
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn narrow_line(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// Calls `line` with the start and end of each line (without its LF or CRLF) and its number from 0.
pub(crate) fn for_each_line(bytes: &[u8], mut line: impl FnMut(usize, usize, u64)) {
    let mut start = 0;
    let mut number = 0;
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let text_end = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
        line(start, text_end, number);
        number += 1;
        start = end + 1;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::config::ColumnType;
    use crate::load::time_format::{TimeDefaults, TimeFormat};

    /// A column for tests.
    pub(crate) fn column(name: &str, column_type: &str) -> ReadColumn {
        ReadColumn {
            name: name.to_owned(),
            column_type: ColumnType::parse(column_type).unwrap(),
            format: TimeFormat::ISO,
            defaults: TimeDefaults::default(),
            is_guessed: false,
        }
    }

    /// Parses a text as one chunk; rows as `a|b|∅`, rejected lines as `line: reason: text`.
    pub(crate) fn run(parser: &Parser, columns: &[ReadColumn], text: &[u8]) -> (Vec<String>, Vec<String>, u64) {
        let chunk = Chunk { file: 0, first_line: 1, bytes: text.to_vec() };
        let parsed = parser.parse(columns, &chunk).unwrap();
        assert_eq!(parsed.places.len(), parsed.batch.num_rows());
        let options = arrow::util::display::FormatOptions::default().with_null("∅");
        let formatters: Vec<_> = parsed
            .batch
            .columns()
            .iter()
            .map(|array| arrow::util::display::ArrayFormatter::try_new(array, &options).unwrap())
            .collect();
        let rows = (0..parsed.batch.num_rows())
            .map(|row| formatters.iter().map(|cell| cell.value(row).to_string()).collect::<Vec<_>>().join("|"))
            .collect();
        let rejected = parsed
            .rejected
            .iter()
            .map(|rejected| format!("{}: {}: {}", rejected.line_number, rejected.reason, rejected.line))
            .collect();
        (rows, rejected, parsed.skipped)
    }
}
