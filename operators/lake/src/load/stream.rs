//! The written streams of a load: one for each partition, one for the rejected lines. Each buffers rows until they make a row
//! group, and becomes files of about a size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::file::properties::WriterPropertiesPtr;

use super::column::{ReadColumn, schema};
use super::encode::{ParquetFile, RowGroup};
use super::input::InputFile;
use super::pipeline::Results;
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
    /// Opens the `part`th file of a stream, counted from 0.
    ///
    /// # Errors
    /// Those of the storage.
    fn open(&self, key: &StreamKey, part: usize) -> Result<Sink>;
}

/// The bytes of a row group in Arrow's form: some hundred thousand rows, enough for good compression and statistics. One is
/// gathered while each thread encodes another: they are most of the memory that a load needs.
const ROW_GROUP_BYTES: usize = 12 * 1024 * 1024;

/// The rows of a row group at most: the unit that readers skip by statistics.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// What all streams may buffer together before the largest makes a row group early.
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
    encode: &'a dyn Fn(u64, RowGroup),
    by_key: BTreeMap<StreamKey, Stream>,
    /// Row groups that are being encoded, in the order they were cut in.
    on_their_way: VecDeque<(u64, StreamKey)>,
    most_on_their_way: usize,
    next_number: u64,
    buffered: usize,
    open_files: usize,
}

#[derive(Default)]
struct Stream {
    batches: Vec<RecordBatch>,
    rows: usize,
    buffered: usize,
    file: Option<ParquetFile>,
    file_bytes: usize,
    last_cut: u64,
    parts: usize,
    written: Vec<WrittenFile>,
}

impl<'a> Streams<'a> {
    /// Makes the streams; `encode` hands a row group to a worker.
    ///
    /// # Errors
    /// `InvalidInput` for a compression that is not built in.
    pub(crate) fn new(
        destination: &'a dyn Destination,
        compression: Compression,
        columns: &[ReadColumn],
        threads: usize,
        encode: &'a dyn Fn(u64, RowGroup),
    ) -> Result<Self> {
        Ok(Self {
            destination,
            properties: Arc::new(crate::publish::parquet::properties(compression)?),
            rows_schema: schema(columns),
            rejected_schema: rejected_schema(),
            encode,
            by_key: BTreeMap::new(),
            on_their_way: VecDeque::new(),
            most_on_their_way: threads,
            next_number: 0,
            buffered: 0,
            open_files: 0,
        })
    }

    /// Adds rows to a stream.
    ///
    /// # Errors
    /// Those of the destination and the encoder.
    pub(crate) fn push(&mut self, key: &StreamKey, rows: RecordBatch, results: &mut Results<'_>) -> Result<()> {
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
        if stream.buffered >= ROW_GROUP_BYTES || stream.rows >= ROW_GROUP_ROWS {
            return self.cut(key, results);
        }
        if self.buffered >= BUFFER_BYTES {
            let largest = self.by_key.iter().max_by_key(|(_, stream)| stream.buffered).map(|(key, _)| key.clone());
            if let Some(key) = largest {
                return self.cut(&key, results);
            }
        }
        Ok(())
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
        self.push(&StreamKey::Rejected, batch, results)
    }

    /// Makes a row group of what a stream has buffered.
    fn cut(&mut self, key: &StreamKey, results: &mut Results<'_>) -> Result<()> {
        while self.on_their_way.len() >= self.most_on_their_way {
            self.append_next(results)?;
        }
        let Some(stream) = self.by_key.get(key) else { return Ok(()) };
        if stream.file.is_none() {
            if self.open_files >= MAX_OPEN_FILES {
                self.close_oldest(results)?;
            }
            self.open(key)?;
        }
        let number = self.next_number;
        let Some(stream) = self.by_key.get_mut(key) else { return Ok(()) };
        let Some(file) = &mut stream.file else { return Ok(()) };
        let group = file.row_group(&std::mem::take(&mut stream.batches));
        let bytes = std::mem::take(&mut stream.buffered);
        stream.rows = 0;
        self.buffered -= bytes;
        stream.file_bytes += bytes;
        stream.last_cut = number;
        let is_full = stream.file_bytes >= FILE_BYTES;
        (self.encode)(number, group);
        self.on_their_way.push_back((number, key.clone()));
        self.next_number += 1;
        if is_full { self.close(key, results) } else { Ok(()) }
    }

    fn open(&mut self, key: &StreamKey) -> Result<()> {
        let Some(stream) = self.by_key.get_mut(key) else { return Ok(()) };
        let schema = match key {
            StreamKey::Rows(_) => &self.rows_schema,
            StreamKey::Rejected => &self.rejected_schema,
        };
        let sink = self.destination.open(key, stream.parts)?;
        stream.file = Some(ParquetFile::new(sink, schema, &self.properties)?);
        stream.file_bytes = 0;
        stream.parts += 1;
        self.open_files += 1;
        Ok(())
    }

    /// Waits for the next row group in order and appends it.
    fn append_next(&mut self, results: &mut Results<'_>) -> Result<()> {
        let Some((number, key)) = self.on_their_way.pop_front() else { return Ok(()) };
        let columns = results.encoded(number)?;
        match self.by_key.get_mut(&key).and_then(|stream| stream.file.as_mut()) {
            Some(file) => file.append(columns),
            None => Ok(()),
        }
    }

    /// Ends the open file of a stream.
    fn close(&mut self, key: &StreamKey, results: &mut Results<'_>) -> Result<()> {
        while self.on_their_way.iter().any(|(_, waiting)| waiting == key) {
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
        let oldest = open.min_by_key(|(_, stream)| stream.last_cut).map(|(key, _)| key.clone());
        oldest.map_or(Ok(()), |key| self.close(&key, results))
    }

    /// Writes what is buffered and ends all files.
    ///
    /// # Errors
    /// Those of the destination and the encoder.
    pub(crate) fn finish(mut self, results: &mut Results<'_>) -> Result<Vec<Written>> {
        let keys: Vec<StreamKey> = self.by_key.keys().cloned().collect();
        for key in &keys {
            if self.by_key.get(key).is_some_and(|stream| !stream.batches.is_empty()) {
                self.cut(key, results)?;
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
