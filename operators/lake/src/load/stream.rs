//! The written streams of a load: one for each partition, one for the rejected lines; each becomes files of about a size.
//!
//! One stream at a time has an open row group, which takes its rows as they come: a load without partitions, or one whose rows
//! come by partition, writes large row groups. The other streams buffer rows until they are worth a row group; then the open
//! one is ended and theirs begins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::file::properties::WriterPropertiesPtr;

use super::column::{ReadColumn, schema};
use super::dictionary;
use super::encode::{ColumnEncoder, ColumnPlace, ParquetFile, RowGroup};
use super::input::InputFile;
use super::pipeline::Results;
use super::pool::Permit;
use super::reject::Rejected;
use super::sink::{Sink, WrittenFile};
use crate::error::{Error, ErrorKind, Result};
use crate::publish::Compression;

/// What a stream holds. The order is that of the written files in reports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum StreamKey {
    /// The rows of a partition, by its values; of the whole output when there are no keys.
    Rows(Vec<String>),
    /// The rejected lines.
    Rejected,
}

/// A finished stream.
#[derive(Debug)]
pub(crate) struct Written {
    /// What it holds.
    pub key: StreamKey,
    /// Its files in order.
    pub files: Vec<WrittenFile>,
}

/// Where files are opened.
pub(crate) trait Destination: Send + Sync {
    /// Is told of streams before the first file of any of them is opened, many at once.
    ///
    /// # Errors
    /// Those of the storage and the ledger.
    fn prepare(&self, keys: &[StreamKey]) -> Result<()>;

    /// Opens the `part`th file of a stream, counted from 0.
    ///
    /// # Errors
    /// Those of the storage.
    fn open(&self, key: &StreamKey, part: usize) -> Result<Sink>;
}

/// The bytes of a row group in Arrow's form at most; encoded they are some 20 to 60 MB, which stay in memory until the row
/// group ends.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;

/// What a stream buffers, in Arrow's form, before its row group begins: some hundred thousand rows, enough for good
/// compression and statistics should the row group end with them.
const FIRST_BYTES: usize = 12 * 1024 * 1024;

/// The rows of a row group at most: the unit that readers skip by statistics.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// What all streams may buffer together before the largest begins a row group early.
const BUFFER_BYTES: usize = 80 * 1024 * 1024;

/// The bytes of a file in Arrow's form: some 100 to 500 MB of Parquet, which Athena and Trino read best.
const FILE_BYTES: usize = 1024 * 1024 * 1024;

/// How many files are open at a time; each holds some megabytes on their way to the storage.
const MAX_OPEN_FILES: usize = 16;

/// How many partitions one load writes at most: more is a key that was not meant to be one.
const MAX_PARTITIONS: usize = 10_000;

/// Returns the columns of rejected lines.
pub(crate) fn rejected_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("file", DataType::Utf8, true),
        Field::new("line_number", DataType::Int64, true),
        Field::new("reason", DataType::Utf8, true),
        Field::new("line", DataType::Utf8, true),
    ]))
}

/// All streams of a load.
pub(crate) struct Streams<'a> {
    destination: &'a dyn Destination,
    properties: WriterPropertiesPtr,
    rows_schema: SchemaRef,
    rejected_schema: SchemaRef,
    encode: &'a dyn Fn(Arc<ColumnEncoder>),
    by_key: BTreeMap<StreamKey, Stream>,
    /// The row group that takes rows.
    open: Option<OpenGroup>,
    /// Row groups that have ended and are being encoded, in that order.
    on_their_way: VecDeque<EndedGroup>,
    most_on_their_way: usize,
    next_number: u64,
    buffered: usize,
    open_files: usize,
}

struct OpenGroup {
    number: u64,
    key: StreamKey,
    group: RowGroup,
    rows: usize,
    bytes: usize,
}

struct EndedGroup {
    number: u64,
    key: StreamKey,
    columns: usize,
}

#[derive(Default)]
struct Stream {
    batches: Vec<RecordBatch>,
    rows: usize,
    buffered: usize,
    file: Option<ParquetFile>,
    file_bytes: usize,
    last_begun: u64,
    is_prepared: bool,
    parts: usize,
    written: Vec<WrittenFile>,
}

impl<'a> Streams<'a> {
    /// Makes the streams; `encode` hands a column to a worker.
    ///
    /// # Errors
    /// `InvalidInput` for a compression that is not built in.
    pub(crate) fn new(
        destination: &'a dyn Destination,
        compression: Compression,
        columns: &[ReadColumn],
        threads: usize,
        encode: &'a dyn Fn(Arc<ColumnEncoder>),
    ) -> Result<Self> {
        Ok(Self {
            destination,
            properties: Arc::new(crate::publish::parquet::properties(compression)?),
            rows_schema: schema(columns),
            rejected_schema: rejected_schema(),
            encode,
            by_key: BTreeMap::new(),
            open: None,
            on_their_way: VecDeque::new(),
            most_on_their_way: threads,
            next_number: 0,
            buffered: 0,
            open_files: 0,
        })
    }

    /// Adds rows to a stream; the permit is given back when they are buffered or encoded.
    ///
    /// # Errors
    /// Those of the destination and the encoder.
    pub(crate) fn push(
        &mut self,
        key: &StreamKey,
        rows: RecordBatch,
        permit: Option<&Arc<Permit>>,
        results: &mut Results<'_>,
    ) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.key == *key) {
            return self.feed(&rows, permit, results);
        }
        let bytes = memory_of(&rows);
        if !self.by_key.contains_key(key) && self.by_key.len() > MAX_PARTITIONS {
            return Err(Error::new(
                ErrorKind::ResourcesExhausted,
                "split rows by partition",
                format!("the rows have more than {MAX_PARTITIONS} partitions: is `partition_by` what was meant?"),
            ));
        }
        let stream = self.by_key.entry(key.clone()).or_default();
        stream.rows += rows.num_rows();
        stream.batches.push(rows);
        stream.buffered += bytes;
        self.buffered += bytes;
        if stream.buffered >= FIRST_BYTES || stream.rows >= ROW_GROUP_ROWS {
            return self.begin(key, results);
        }
        if self.buffered >= BUFFER_BYTES {
            let largest = self.by_key.iter().max_by_key(|(_, stream)| stream.buffered).map(|(key, _)| key.clone());
            if let Some(key) = largest {
                return self.begin(&key, results);
            }
        }
        Ok(())
    }

    /// Adds rows to the open row group, and ends it when it is full.
    fn feed(&mut self, rows: &RecordBatch, permit: Option<&Arc<Permit>>, results: &mut Results<'_>) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.rows += rows.num_rows();
        open.bytes += memory_of(rows);
        open.group.push(rows, permit, self.encode);
        if open.bytes >= ROW_GROUP_BYTES || open.rows >= ROW_GROUP_ROWS { self.end(results) } else { Ok(()) }
    }

    /// Adds rejected lines.
    ///
    /// # Errors
    /// As [`Streams::push`].
    pub(crate) fn push_rejected(
        &mut self,
        rejected: &[Rejected],
        files: &[InputFile],
        results: &mut Results<'_>,
    ) -> Result<()> {
        let name = |file: usize| files.get(file).map(|file| file.name.as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rejected.iter().map(|line| name(line.file)).collect::<StringArray>()),
            Arc::new(rejected.iter().map(|line| i64::try_from(line.line_number).ok()).collect::<Int64Array>()),
            Arc::new(rejected.iter().map(|line| Some(line.reason.as_str())).collect::<StringArray>()),
            Arc::new(rejected.iter().map(|line| Some(line.line.as_str())).collect::<StringArray>()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.rejected_schema), columns)
            .map_err(|error| Error::new(ErrorKind::External, "keep rejected lines", error.to_string()).source(error))?;
        self.push(&StreamKey::Rejected, batch, None, results)
    }

    /// Ends the open row group and lets a stream's rows into row groups of their own from now on.
    fn begin(&mut self, key: &StreamKey, results: &mut Results<'_>) -> Result<()> {
        self.end(results)?;
        let Some(stream) = self.by_key.get_mut(key) else { return Ok(()) };
        self.buffered -= std::mem::take(&mut stream.buffered);
        stream.rows = 0;
        let batches = std::mem::take(&mut stream.batches);
        for (place, batch) in batches.iter().enumerate() {
            if self.open.is_none() {
                self.open_group(key, &batches[place..], results)?;
            }
            self.feed(batch, None, results)?;
        }
        Ok(())
    }

    fn open_group(&mut self, key: &StreamKey, first_rows: &[RecordBatch], results: &mut Results<'_>) -> Result<()> {
        if self.by_key.get(key).is_none_or(|stream| stream.file.is_none()) {
            if self.open_files >= MAX_OPEN_FILES {
                self.close_oldest(results)?;
            }
            self.open_file(key, first_rows)?;
        }
        let number = self.next_number;
        self.next_number += 1;
        let Some(stream) = self.by_key.get_mut(key) else { return Ok(()) };
        let Some(file) = &mut stream.file else { return Ok(()) };
        stream.last_begun = number;
        self.open = Some(OpenGroup { number, key: key.clone(), group: file.row_group(number)?, rows: 0, bytes: 0 });
        Ok(())
    }

    /// Ends the open row group.
    fn end(&mut self, results: &mut Results<'_>) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let columns = open.group.end(self.encode);
        self.on_their_way.push_back(EndedGroup { number: open.number, key: open.key.clone(), columns });
        while self.on_their_way.len() > self.most_on_their_way {
            self.append_next(results)?;
        }
        let Some(stream) = self.by_key.get_mut(&open.key) else { return Ok(()) };
        stream.file_bytes += open.bytes;
        if stream.file_bytes >= FILE_BYTES { self.close(&open.key, results) } else { Ok(()) }
    }

    fn open_file(&mut self, key: &StreamKey, first_rows: &[RecordBatch]) -> Result<()> {
        self.prepare(key)?;
        let Some(stream) = self.by_key.get_mut(key) else { return Ok(()) };
        let schema = match key {
            StreamKey::Rows(_) => &self.rows_schema,
            StreamKey::Rejected => &self.rejected_schema,
        };
        let sink = self.destination.open(key, stream.parts)?;
        let properties = dictionary::settings(&self.properties, first_rows);
        stream.file = Some(ParquetFile::new(sink, schema, &properties)?);
        stream.file_bytes = 0;
        stream.parts += 1;
        self.open_files += 1;
        Ok(())
    }

    /// Tells the destination of all streams that it does not know yet, when one of them is about to have a file.
    fn prepare(&mut self, key: &StreamKey) -> Result<()> {
        if self.by_key.get(key).is_none_or(|stream| stream.is_prepared) {
            return Ok(());
        }
        let new = self.by_key.iter_mut().filter(|(_, stream)| !stream.is_prepared);
        let keys: Vec<StreamKey> = new
            .map(|(key, stream)| {
                stream.is_prepared = true;
                key.clone()
            })
            .collect();
        self.destination.prepare(&keys)
    }

    /// Appends the row groups that are encoded, so that they leave the memory.
    ///
    /// # Errors
    /// Those of the destination.
    pub(crate) fn append_ready(&mut self, results: &mut Results<'_>) -> Result<()> {
        while self.on_their_way.front().is_some_and(|next| results.is_encoded(next.number, next.columns)) {
            self.append_next(results)?;
        }
        Ok(())
    }

    /// Waits for the next row group in order and appends it.
    fn append_next(&mut self, results: &mut Results<'_>) -> Result<()> {
        let Some(EndedGroup { number, key, columns }) = self.on_their_way.pop_front() else { return Ok(()) };
        let places = (0..columns).map(|column| ColumnPlace { group: number, column });
        let columns = places.map(|place| results.encoded(place)).collect::<Result<Vec<_>>>()?;
        match self.by_key.get_mut(&key).and_then(|stream| stream.file.as_mut()) {
            Some(file) => file.append(columns),
            None => Ok(()),
        }
    }

    /// Ends the open file of a stream.
    fn close(&mut self, key: &StreamKey, results: &mut Results<'_>) -> Result<()> {
        while self.on_their_way.iter().any(|waiting| waiting.key == *key) {
            self.append_next(results)?;
        }
        if let Some(stream) = self.by_key.get_mut(key)
            && let Some(file) = stream.file.take()
        {
            self.open_files -= 1;
            stream.written.push(file.finish()?);
        }
        Ok(())
    }

    /// Ends the file that has waited longest for rows.
    fn close_oldest(&mut self, results: &mut Results<'_>) -> Result<()> {
        let open = self.by_key.iter().filter(|(_, stream)| stream.file.is_some());
        let oldest = open.min_by_key(|(_, stream)| stream.last_begun).map(|(key, _)| key.clone());
        oldest.map_or(Ok(()), |key| self.close(&key, results))
    }

    /// Writes what is buffered and ends all files.
    ///
    /// # Errors
    /// Those of the destination and the encoder.
    pub(crate) fn finish(mut self, results: &mut Results<'_>) -> Result<Vec<Written>> {
        self.end(results)?;
        let keys: Vec<StreamKey> = self.by_key.keys().cloned().collect();
        for key in &keys {
            if self.by_key.get(key).is_some_and(|stream| !stream.batches.is_empty()) {
                self.begin(key, results)?;
                self.end(results)?;
            }
        }
        for key in &keys {
            self.close(key, results)?;
        }
        Ok(self.by_key.into_iter().map(|(key, stream)| Written { key, files: stream.written }).collect())
    }
}

/// The bytes of the values of a batch, whatever room their buffers have left: the same for the same rows.
fn memory_of(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()))
        .sum()
}
