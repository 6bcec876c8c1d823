//! Objects that are read by a thread of their own, in batches as they come: text and Avro from their first byte to their last, ORC
//! stripe by stripe.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::ArrayRef;
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
use futures::stream::BoxStream;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::line::LineForm;
use super::{avro, external, orc, text};
use crate::error::{Error, ErrorKind, Result};
use crate::orc::StoredObject;
use crate::sql::Type;

/// Rows of a batch unless the session says otherwise.
const BATCH_ROWS: usize = 8192;

/// Batches that wait for their reader.
const BATCHES_AHEAD: usize = 2;

/// Chunks of an object that wait for their reader.
const CHUNKS_AHEAD: usize = 4;

/// What the objects of a table are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectForm {
    /// Lines of text.
    Lines(LineForm),
    /// Avro's object container files.
    Avro,
    /// ORC files.
    Orc(orc::Access),
}

/// A source of such objects.
#[derive(Debug, Clone)]
pub(super) struct StreamSource {
    schema: TableSchema,
    columns: Vec<(String, Type)>,
    form: ObjectForm,
    batch_rows: usize,
    projection: SplitProjection,
    metrics: ExecutionPlanMetricsSet,
}

impl StreamSource {
    pub(super) fn new(schema: TableSchema, columns: Vec<(String, Type)>, form: ObjectForm) -> Self {
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

impl FileSource for StreamSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        _base_config: &FileScanConfig,
        partition: usize,
    ) -> datafusion::common::Result<Arc<dyn FileOpener>> {
        let wanted = self.projection.file_indices.clone();
        let schema = Arc::new(self.schema.file_schema().project(&wanted)?);
        let opener = Arc::new(StreamOpener {
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
        match self.form {
            ObjectForm::Lines(_) => "text",
            ObjectForm::Avro => "avro",
            ObjectForm::Orc(_) => "orc",
        }
    }

    fn fmt_extra(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", {:?}", self.form)
    }

    fn supports_repartitioning(&self) -> bool {
        // A line or a block may begin anywhere, and compressed objects have no middle.
        false
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> datafusion::common::Result<TreeNodeRecursion>,
    ) -> datafusion::common::Result<TreeNodeRecursion> {
        datafusion::physical_plan::apply_expression_roots(self.projection.source.iter(), f)
    }
}

struct StreamOpener {
    object_store: Arc<dyn ObjectStore>,
    columns: Arc<Vec<(String, Type)>>,
    form: ObjectForm,
    wanted: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
    scanned: Count,
}

impl FileOpener for StreamOpener {
    fn open(&self, file: PartitionedFile) -> datafusion::common::Result<FileOpenFuture> {
        let store = Arc::clone(&self.object_store);
        let form = self.form.clone();
        let asked = Asked {
            object: file.object_meta.location.to_string(),
            columns: Arc::clone(&self.columns),
            wanted: self.wanted.clone(),
            schema: Arc::clone(&self.schema),
            batch_rows: self.batch_rows,
        };
        let scanned = self.scanned.clone();
        if let ObjectForm::Orc(access) = form {
            return Ok(Box::pin(async move {
                let (sender, receiver) = tokio::sync::mpsc::channel(BATCHES_AHEAD);
                let object = orc::Object {
                    stored: StoredObject {
                        store,
                        path: file.object_meta.location,
                        bytes: file.object_meta.size,
                        runtime: tokio::runtime::Handle::current(),
                    },
                    scanned,
                    batches: sender.clone(),
                };
                read_aside(sender, move |batches| orc::read(&asked, access, object, batches));
                Ok(received(receiver))
            }));
        }
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
            read_aside(sender, move |batches| match &form {
                ObjectForm::Lines(form) => text::read(&asked, form, bytes, batches),
                ObjectForm::Avro | ObjectForm::Orc(_) => avro::read(&asked, bytes, batches),
            });
            Ok(received(receiver))
        }))
    }
}

/// Reads an object in a thread that may wait; ends by itself when the receiver is dropped, as the next send fails.
fn read_aside(sender: Batches, read: impl FnOnce(&Batches) -> Result<()> + Send + 'static) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(&sender) {
            let _receiver_is_gone = sender.blocking_send(Err(external(error)));
        }
    });
}

type Received = std::result::Result<RecordBatch, DataFusionError>;

fn received(receiver: tokio::sync::mpsc::Receiver<Received>) -> BoxStream<'static, Received> {
    let batches = futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    batches.boxed()
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

pub(super) type Batches = tokio::sync::mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>;

/// What is wanted of one object.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its place in the store.
    pub(super) object: String,
    /// The columns of the table.
    pub(super) columns: Arc<Vec<(String, Type)>>,
    /// Those that are wanted, by their index.
    pub(super) wanted: Vec<usize>,
    /// What the batches have.
    pub(super) schema: Arc<Schema>,
    /// How many rows a batch has.
    pub(super) batch_rows: usize,
}

impl Asked {
    /// Sends the wanted columns of some rows; false when nobody reads any more.
    pub(super) fn send(&self, arrays: Vec<ArrayRef>, rows: usize, batches: &Batches) -> Result<bool> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| self.broken(&error.to_string()))?;
        Ok(batches.blocking_send(Ok(batch)).is_ok())
    }

    /// Names the object in an error.
    pub(super) fn in_object(&self, error: Error) -> Error {
        error.with("object", format!("s3://{}", self.object))
    }

    pub(super) fn failed(&self, error: &dyn std::error::Error) -> Error {
        self.broken(&error.to_string())
    }

    /// Makes the error of an object that is not what it should be.
    pub(super) fn broken(&self, why: &str) -> Error {
        let message = format!("HIVE_BAD_DATA: the object cannot be read: {why}");
        self.in_object(Error::new(ErrorKind::InvalidData, "read an object", message))
    }
}
