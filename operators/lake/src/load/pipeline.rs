//! The work of a load: one thread reads and decodes, several parse and encode, one puts everything in order.
//!
//! ```text
//! files ─ decode ─ chunks ──▶ parse, split (workers) ──▶ in order: partitions' buffers ─ columns' pieces ─┐
//!                              in order: append to files ◀─ row groups ◀─ encode column by column (workers)┘
//! ```
//! What is written depends on the input alone: chunks are cut by content, results are taken in the order of the chunks, and
//! row groups are cut by counted bytes. Memory is bounded by the number of chunks on their way (a permit goes with each until
//! its last column is encoded), by what partitions may buffer together and by the encoded pages of a row group; it does not
//! grow with the input or with the number of rejected lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parquet::arrow::arrow_writer::ArrowColumnChunk;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::chunk::{CHUNK_BYTES, ChunkReader};
use super::column::ReadColumn;
use super::encode::{ColumnEncoder, ColumnPlace};
use super::input::InputFile;
use super::layout::InputLayout;
use super::parse::{Chunk, Parser};
use super::partition::{Part, PartitionKeys};
use super::pool::{Permit, Permits, Queue};
use super::reject::Rejected;
use super::report::Progress;
use super::row_check::{self, RowCheck};
use super::stream::{Destination, StreamKey, Streams, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::publish::Compression;
use crate::storage::Storage;

/// What is read, how, and where it goes.
pub(crate) struct Pipeline<'a> {
    /// The files in order.
    pub files: &'a [InputFile],
    /// What stands where in them.
    pub layout: &'a InputLayout,
    /// Reads records.
    pub parser: Parser,
    /// The columns.
    pub columns: Vec<ReadColumn>,
    /// Splits rows.
    pub keys: PartitionKeys,
    /// Says which rows are not taken.
    pub check: Option<RowCheck>,
    /// Whether rejected records are kept. Where they are not, the first one makes all that is written worthless: from then on
    /// records are counted and nothing more is written.
    pub keeps_rejected: bool,
    /// The compression of what is written.
    pub compression: Compression,
    /// Where files are opened.
    pub destination: &'a dyn Destination,
    /// Where `s3://` inputs are.
    pub storage: &'a Storage,
    /// Where the storage's work is done.
    pub runtime: Handle,
    /// How many threads parse and encode.
    pub threads: usize,
    /// Told after every chunk.
    pub progress: &'a (dyn Fn(Progress) + Send + Sync),
    /// Ends the work early.
    pub cancel: CancellationToken,
}

/// What a pipeline did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was written, by partition and for the rejected lines; nothing when a record was rejected and none are kept.
    pub written: Vec<Written>,
    /// Rows.
    pub rows: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Skipped lines: headers, blank lines, comments.
    pub skipped: u64,
    /// Bytes of the files as stored.
    pub bytes_read: u64,
    /// The first rejected records.
    pub first_rejected: Vec<Rejected>,
}

/// How many rejected records are shown.
pub(crate) const SHOWN_REJECTED: usize = 10;

enum Job {
    Parse { number: u64, chunk: Chunk, raw_bytes: u64, permit: Permit },
    Encode(Arc<ColumnEncoder>),
}

enum Done {
    Parsed(u64, Result<Batch>),
    /// A column has no more to do for now; it comes with its chunk when it is whole.
    Encoded(ColumnPlace, Result<Option<Box<ArrowColumnChunk>>>),
    /// So many chunks were read; the header lines that were passed and the bytes of all files.
    Read {
        chunks: u64,
        header_lines: u64,
        raw_bytes: u64,
        result: Result<()>,
    },
    /// A thread panicked.
    Stopped,
}

struct Batch {
    file: usize,
    parts: Vec<Part>,
    rejected: Vec<Rejected>,
    skipped: u64,
    raw_bytes: u64,
    permit: Permit,
}

/// Tells the consumer when a thread ends by a panic, so that nobody waits for it.
struct Bell<'a>(&'a Sender<Done>);

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The consumer may have gone already.
            let _sent = self.0.send(Done::Stopped);
        }
    }
}

impl Pipeline<'_> {
    /// Does the work. The calling thread must be one that may wait.
    ///
    /// # Errors
    /// `InvalidData` for an input that is broken, `Canceled`, and those of the destination. What was begun is given up.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let threads = self.threads.max(1);
        // Enough chunks that no thread waits for the reader, few enough to bound memory.
        let permits = Permits::new(threads + 2);
        let queue = Queue::new();
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let (queue, permits, reader_sender) = (&queue, &permits, sender.clone());
            scope.spawn(move || {
                let _bell = Bell(&reader_sender);
                let (mut chunks, mut header_lines, mut raw_bytes) = (0, 0, 0);
                let result = self.read(queue, permits, &mut chunks, &mut header_lines, &mut raw_bytes);
                let _sent = reader_sender.send(Done::Read { chunks, header_lines, raw_bytes, result });
            });
            for _ in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || {
                    let _bell = Bell(&sender);
                    while let Some(job) = queue.next() {
                        if sender.send(self.work(job)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let outcome = self.consume(queue, &receiver);
            // Whatever happened, the threads end before the scope does.
            permits.close();
            queue.close();
            outcome
        })
    }

    fn read(
        &self,
        queue: &Queue<Job>,
        permits: &Arc<Permits>,
        chunks: &mut u64,
        header_lines: &mut u64,
        raw_bytes: &mut u64,
    ) -> Result<()> {
        for (index, file) in self.files.iter().enumerate() {
            let input = file.open(self.storage, &self.runtime)?;
            let mut reader = ChunkReader::new(&file.name, index, input, &self.parser, &self.layout.header, CHUNK_BYTES);
            loop {
                let Some(permit) = permits.acquire() else { return Ok(()) };
                let Some(chunk) = reader.next_chunk()? else { break };
                let so_far = *raw_bytes + reader.raw_bytes();
                queue.push(Job::Parse { number: *chunks, chunk, raw_bytes: so_far, permit });
                *chunks += 1;
            }
            *header_lines += reader.header_lines();
            *raw_bytes += reader.raw_bytes();
        }
        Ok(())
    }

    fn work(&self, job: Job) -> Done {
        match job {
            Job::Parse { number, chunk, raw_bytes, permit } => {
                let batch = self.parser.parse(&self.columns, &chunk).and_then(|mut parsed| {
                    if let Some(check) = &self.check {
                        row_check::apply(check, &mut parsed, &chunk)?;
                    }
                    let parts = self.keys.split(&mut parsed, &chunk)?;
                    let (rejected, skipped) = (parsed.rejected, parsed.skipped);
                    Ok(Batch { file: chunk.file, parts, rejected, skipped, raw_bytes, permit })
                });
                Done::Parsed(number, batch)
            }
            Job::Encode(column) => Done::Encoded(column.place(), column.work().map(|chunk| chunk.map(Box::new))),
        }
    }

    fn consume(&self, queue: &Queue<Job>, receiver: &Receiver<Done>) -> Result<Outcome> {
        let mut results = Results { receiver, parsed: HashMap::new(), encoded: HashMap::new(), read: None };
        let encode = |column| queue.push_urgent(Job::Encode(column));
        let mut streams = Streams::new(self.destination, self.compression, &self.columns, self.threads, &encode)?;
        let mut outcome = Outcome {
            written: Vec::new(),
            rows: 0,
            rejected: 0,
            skipped: 0,
            bytes_read: 0,
            first_rejected: Vec::new(),
        };
        let mut number = 0;
        let mut writes = true;
        while let Some(batch) = results.parsed(number)? {
            number += 1;
            if self.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Canceled, "load", "the load was cancelled"));
            }
            let batch = batch?;
            outcome.rejected += u64::try_from(batch.rejected.len()).unwrap_or(u64::MAX);
            outcome.skipped += batch.skipped;
            writes = self.keeps_rejected || outcome.rejected == 0;
            let permit = Arc::new(batch.permit);
            for (values, rows) in batch.parts {
                outcome.rows += u64::try_from(rows.num_rows()).unwrap_or(u64::MAX);
                if writes {
                    streams.push(&StreamKey::Rows(values), rows, Some(&permit), &mut results)?;
                }
            }
            if !batch.rejected.is_empty() {
                if writes {
                    streams.push_rejected(&batch.rejected, self.files, &mut results)?;
                }
                let missing = SHOWN_REJECTED.saturating_sub(outcome.first_rejected.len());
                outcome.first_rejected.extend(batch.rejected.into_iter().take(missing));
            }
            drop(permit);
            streams.append_ready(&mut results)?;
            (self.progress)(Progress {
                rows: outcome.rows,
                rejected: outcome.rejected,
                bytes_read: batch.raw_bytes,
                bytes_total: self.files.iter().map(|file| file.bytes).sum(),
                files_read: u64::try_from(batch.file).unwrap_or(u64::MAX),
                files_total: u64::try_from(self.files.len()).unwrap_or(u64::MAX),
            });
        }
        if let Some((header_lines, raw_bytes)) = results.totals() {
            outcome.skipped += header_lines;
            outcome.bytes_read = raw_bytes;
        }
        if writes {
            outcome.written = streams.finish(&mut results)?;
        }
        Ok(outcome)
    }
}

/// The results of jobs, taken in the order that the consumer wants.
pub(crate) struct Results<'a> {
    receiver: &'a Receiver<Done>,
    parsed: HashMap<u64, Result<Batch>>,
    encoded: HashMap<ColumnPlace, Box<ArrowColumnChunk>>,
    read: Option<(u64, u64, u64, Option<Error>)>,
}

impl Results<'_> {
    /// Returns the result of a chunk; none after the last.
    fn parsed(&mut self, number: u64) -> Result<Option<Result<Batch>>> {
        loop {
            if let Some(batch) = self.parsed.remove(&number) {
                return Ok(Some(batch));
            }
            if let Some((chunks, _, _, error)) = &mut self.read
                && *chunks == number
            {
                return error.take().map_or(Ok(None), Err);
            }
            self.receive()?;
        }
    }

    fn totals(&self) -> Option<(u64, u64)> {
        self.read.as_ref().map(|(_, header_lines, raw_bytes, _)| (*header_lines, *raw_bytes))
    }

    /// Tells whether all columns of a row group are encoded.
    pub(crate) fn is_encoded(&self, group: u64, columns: usize) -> bool {
        (0..columns).all(|column| self.encoded.contains_key(&ColumnPlace { group, column }))
    }

    /// Waits for an encoded column.
    ///
    /// # Errors
    /// The encoder's.
    pub(crate) fn encoded(&mut self, place: ColumnPlace) -> Result<ArrowColumnChunk> {
        loop {
            if let Some(chunk) = self.encoded.remove(&place) {
                return Ok(*chunk);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<()> {
        match self.receiver.recv() {
            Ok(Done::Parsed(number, batch)) => {
                self.parsed.insert(number, batch);
            }
            Ok(Done::Encoded(place, chunk)) => {
                if let Some(chunk) = chunk? {
                    self.encoded.insert(place, chunk);
                }
            }
            Ok(Done::Read { chunks, header_lines, raw_bytes, result }) => {
                self.read = Some((chunks, header_lines, raw_bytes, result.err()));
            }
            Ok(Done::Stopped) | Err(_) => {
                return Err(Error::new(
                    ErrorKind::External,
                    "load",
                    "a thread of the loader stopped: please report it",
                ));
            }
        }
        Ok(())
    }
}
