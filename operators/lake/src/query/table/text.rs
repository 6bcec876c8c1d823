//! Reads the objects of text tables: plain, gzip or zstd by their first bytes, in batches as they come.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::DisplayFormatType;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::StreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::external;
use super::line::LineForm;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

/// Rows of a batch unless the session says otherwise.
const BATCH_ROWS: usize = 8192;

/// Batches that wait for their reader.
const BATCHES_AHEAD: usize = 2;

/// Chunks of an object that wait for their reader.
const CHUNKS_AHEAD: usize = 4;

/// A line longer than this is no record of a table: a limit for memory, Athena's own is 32 MB for a JSON record.
const LINE_BYTES: u64 = 32 << 20;

/// A source of text objects.
#[derive(Debug, Clone)]
pub(super) struct TextSource {
    schema: TableSchema,
    columns: Vec<(String, Type)>,
    form: LineForm,
    batch_rows: usize,
    projection: SplitProjection,
    metrics: ExecutionPlanMetricsSet,
}

impl TextSource {
    pub(super) fn new(schema: TableSchema, columns: Vec<(String, Type)>, form: LineForm) -> Self {
        Self {
            projection: SplitProjection::unprojected(&schema),
            schema,
            columns,
            form,
            batch_rows: BATCH_ROWS,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for TextSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        _base_config: &FileScanConfig,
        partition: usize,
    ) -> datafusion::common::Result<Arc<dyn FileOpener>> {
        let wanted = self.projection.file_indices.clone();
        let schema = Arc::new(self.schema.file_schema().project(&wanted)?);
        let opener = Arc::new(TextOpener {
            object_store,
            columns: Arc::new(self.columns.clone()),
            form: self.form.clone(),
            wanted,
            schema,
            batch_rows: self.batch_rows,
            scanned: MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition),
        });
        ProjectionOpener::try_new(self.projection.clone(), opener, self.schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_rows: batch_size, ..self.clone() })
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> datafusion::common::Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &'static str {
        "text"
    }

    fn fmt_extra(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", {:?}", self.form)
    }

    fn supports_repartitioning(&self) -> bool {
        // A line may begin anywhere, and compressed objects have no middle.
        false
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> datafusion::common::Result<TreeNodeRecursion>,
    ) -> datafusion::common::Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), f)
    }
}

struct TextOpener {
    object_store: Arc<dyn ObjectStore>,
    columns: Arc<Vec<(String, Type)>>,
    form: LineForm,
    wanted: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
    scanned: Count,
}

impl FileOpener for TextOpener {
    fn open(&self, file: PartitionedFile) -> datafusion::common::Result<FileOpenFuture> {
        let store = Arc::clone(&self.object_store);
        let reader = LineReader {
            object: file.object_meta.location.to_string(),
            columns: Arc::clone(&self.columns),
            form: self.form.clone(),
            wanted: self.wanted.clone(),
            schema: Arc::clone(&self.schema),
            batch_rows: self.batch_rows,
        };
        let scanned = self.scanned.clone();
        Ok(Box::pin(async move {
            let result = store.get(&file.object_meta.location).await?;
            let mut chunks = result.into_stream();
            let (chunk_sender, chunk_receiver) = tokio::sync::mpsc::channel(CHUNKS_AHEAD);
            // Ends by itself when the reader is dropped.
            tokio::spawn(async move {
                while let Some(chunk) = chunks.next().await {
                    if let Ok(bytes) = &chunk {
                        scanned.add(bytes.len());
                    }
                    if chunk_sender.send(chunk.map_err(std::io::Error::other)).await.is_err() {
                        break;
                    }
                }
            });
            let bytes = ChunkReader { chunks: chunk_receiver, current: Bytes::new() };
            let (sender, receiver) = tokio::sync::mpsc::channel(BATCHES_AHEAD);
            // Ends by itself when the receiver is dropped: the next send fails.
            tokio::task::spawn_blocking(move || {
                if let Err(error) = reader.read(bytes, &sender) {
                    let _receiver_is_gone = sender.blocking_send(Err(external(error)));
                }
            });
            let batches = futures::stream::unfold(receiver, |mut receiver| async move {
                receiver.recv().await.map(|batch| (batch, receiver))
            });
            Ok(batches.boxed())
        }))
    }
}

/// Chunks of an object, for a thread that reads and waits.
struct ChunkReader {
    chunks: tokio::sync::mpsc::Receiver<std::io::Result<Bytes>>,
    current: Bytes,
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                None => return Ok(0),
                Some(chunk) => self.current = chunk?,
            }
        }
        let taken = self.current.split_to(buffer.len().min(self.current.len()));
        buffer.get_mut(..taken.len()).map_or(Ok(0), |target| {
            target.copy_from_slice(&taken);
            Ok(taken.len())
        })
    }
}

type Batches = tokio::sync::mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>;

/// Reads the lines of one object.
struct LineReader {
    object: String,
    columns: Arc<Vec<(String, Type)>>,
    form: LineForm,
    wanted: Vec<usize>,
    schema: Arc<Schema>,
    batch_rows: usize,
}

impl LineReader {
    fn read(&self, bytes: impl Read, batches: &Batches) -> Result<()> {
        let mut bytes = BufReader::with_capacity(1 << 16, bytes);
        // Magic numbers of gzip (RFC 1952) and zstd (RFC 8878).
        let magic = bytes.fill_buf().map_err(|error| self.failed(&error))?;
        if magic.starts_with(&[0x1f, 0x8b]) {
            self.lines(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(bytes)), batches)
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| self.failed(&error))?;
            self.lines(BufReader::with_capacity(1 << 16, decoder), batches)
        } else {
            self.lines(bytes, batches)
        }
    }

    fn lines(&self, mut bytes: impl BufRead, batches: &Batches) -> Result<()> {
        let mut lines = Vec::with_capacity(self.batch_rows);
        let mut number: u64 = 0;
        let mut skip = self.form.skip;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read =
                (&mut bytes).take(LINE_BYTES).read_until(b'\n', &mut line).map_err(|error| self.failed(&error))?;
            if read == 0 {
                break;
            }
            number += 1;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if u64::try_from(read).unwrap_or(u64::MAX) >= LINE_BYTES {
                return Err(self.broken(&format!("line {number} is longer than {LINE_BYTES} bytes")));
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            match std::str::from_utf8(&line) {
                Ok(text) => lines.push(text.to_owned()),
                Err(_) => return Err(self.broken(&format!("line {number} is no UTF-8"))),
            }
            if lines.len() == self.batch_rows && !self.send(&mut lines, batches)? {
                return Ok(());
            }
        }
        if !lines.is_empty() {
            self.send(&mut lines, batches)?;
        }
        Ok(())
    }

    /// Sends the lines as a batch; false when nobody reads any more.
    fn send(&self, lines: &mut Vec<String>, batches: &Batches) -> Result<bool> {
        let arrays = self
            .form
            .columns(lines, &self.columns, &self.wanted)
            .map_err(|error| error.with("object", format!("s3://{}", self.object)))?;
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| self.broken(&error.to_string()))?;
        lines.clear();
        Ok(batches.blocking_send(Ok(batch)).is_ok())
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        self.broken(&error.to_string())
    }

    fn broken(&self, why: &str) -> Error {
        Error::new(ErrorKind::InvalidData, "read an object", format!("HIVE_BAD_DATA: the object cannot be read: {why}"))
            .with("object", format!("s3://{}", self.object))
    }
}
