//! Writes objects of ORC, Avro and lines of text, whose bytes depend on the rows and their order alone, as those of Parquet do.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{Field, Schema, SchemaRef};
use tokio::io::AsyncWriteExt as _;

use super::Format;
use super::avro::{self, AvroCompression, AvroEncoder};
use super::buckets::ObjectNames;
use super::parquet::{StoredColumn, relabel, stored_type};
use super::text::{self, LineEncoder, TextCompression, TextForm};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::orc::{Codec, OrcEncoder, has_form};
use crate::query::WrittenObject;
use crate::sql::Type;
use crate::storage::{ObjectWriter, Storage};

/// Rows that are encoded at a time.
const BATCH_ROWS: usize = 8192;

/// Bytes of a stripe at most, before they are compressed: what a writer holds in memory for each open object.
const STRIPE_BYTES: usize = 64 << 20;

/// Rows of a stripe at most.
const STRIPE_ROWS: usize = 1 << 20;

/// Bytes of an object, about.
const OBJECT_BYTES: u64 = 512 << 20;

/// The compression inside ORC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrcCompression {
    /// Zstandard, level 3.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// DEFLATE, which ORC calls ZLIB.
    Zlib,
    /// LZ4.
    Lz4,
    /// None.
    None,
}

impl OrcCompression {
    fn codec(self) -> Codec {
        match self {
            Self::Zstd => Codec::Zstd,
            Self::Snappy => Codec::Snappy,
            Self::Zlib => Codec::Zlib,
            Self::Lz4 => Codec::Lz4,
            Self::None => Codec::None,
        }
    }
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Orc(OrcCompression),
    Avro(AvroCompression),
    Text(TextForm, TextCompression),
}

#[derive(Debug)]
enum Encoder {
    Orc(Box<OrcEncoder>),
    Avro(Box<AvroEncoder>),
    Text(Box<LineEncoder>),
}

/// Writes rows to `part-00000.orc`, … (or `.avro`, `.json.gz`, `.txt.gz`) below a prefix. No rows, no object.
#[derive(Debug)]
pub(crate) struct EncodedWriter {
    storage: Storage,
    prefix: Location,
    form: Form,
    columns: Vec<(String, Type)>,
    schema: SchemaRef,
    partition: Vec<String>,
    names: ObjectNames,
    pieces: BatchCoalescer,
    current: Option<(ObjectWriter, Encoder)>,
    object_bytes: u64,
    rows: u64,
    bytes: u64,
    objects: Vec<WrittenObject>,
}

impl EncodedWriter {
    /// Makes a writer of objects below a prefix.
    ///
    /// # Errors
    /// `InvalidInput` for columns that the format has no form for, and for Parquet.
    pub(crate) fn new(storage: &Storage, prefix: &Location, columns: &[StoredColumn], format: Format) -> Result<Self> {
        format.check(columns)?;
        let form = match format {
            Format::Orc(compression) => Form::Orc(compression),
            Format::Avro(compression) => Form::Avro(compression),
            Format::Text(form, compression) => Form::Text(form, compression),
            Format::Parquet(_) => {
                return Err(Error::new(ErrorKind::InvalidInput, "write rows", "Parquet has a writer of its own"));
            }
        };
        let fields = columns.iter().map(|column| Field::new(&column.name, stored_type(&column.data_type), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            storage: storage.clone(),
            prefix: prefix.as_prefix(),
            form,
            columns: pairs(columns),
            partition: Vec::new(),
            names: ObjectNames::default(),
            pieces: BatchCoalescer::new(Arc::clone(&schema), BATCH_ROWS),
            schema,
            current: None,
            object_bytes: OBJECT_BYTES,
            rows: 0,
            bytes: 0,
            objects: Vec::new(),
        })
    }

    /// Sets the values of the partition that the objects are of and their names, and encodes so many rows at a time.
    #[must_use]
    pub(super) fn partition(mut self, values: Vec<String>, names: ObjectNames, piece_rows: usize) -> Self {
        self.partition = values;
        self.names = names;
        self.pieces = BatchCoalescer::new(Arc::clone(&self.schema), piece_rows);
        self
    }

    /// Takes rows: the columns in order, of the Arrow types of their [`Type`]s.
    ///
    /// # Errors
    /// `InvalidInput` for a batch of other columns; `QueryFailed` for a value that the format has no form for; those of the
    /// storage.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| relabel(column, field.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, self.form.operation(), error.to_string()))?;
        self.pieces.push_batch(batch).map_err(|error| self.form.broken(&error))?;
        self.encode().await
    }

    /// Encodes the pieces that are whole.
    async fn encode(&mut self) -> Result<()> {
        while let Some(piece) = self.pieces.next_completed_batch() {
            let form = self.form;
            let (mut object, mut encoder) = match self.current.take() {
                Some(current) => current,
                None => self.open()?,
            };
            encoder.write(&piece).map_err(|error| form.failed(&error))?;
            if encoder.is_full() {
                encoder.flush().map_err(|error| form.failed(&error))?;
            }
            self.bytes += put(&mut object, encoder.take()).await?;
            self.rows += u64::try_from(piece.num_rows()).unwrap_or(u64::MAX);
            self.current = Some((object, encoder));
            // Bytes leave the encoder at the end of a stripe or a block only, so that the cut depends on rows alone.
            if self.bytes >= self.object_bytes {
                self.close().await?;
            }
        }
        Ok(())
    }

    fn open(&self) -> Result<(ObjectWriter, Encoder)> {
        let (ending, encoder) = match self.form {
            Form::Orc(compression) => {
                ("orc", Encoder::Orc(Box::new(OrcEncoder::new(&self.columns, compression.codec()))))
            }
            Form::Avro(compression) => ("avro", Encoder::Avro(Box::new(AvroEncoder::new(&self.columns, compression)))),
            Form::Text(form, compression) => {
                let encoder = LineEncoder::new(&self.columns, form, compression);
                let encoder = encoder.map_err(|error| self.form.failed(&error))?;
                (form.ending(compression), Encoder::Text(Box::new(encoder)))
            }
        };
        let location = self.prefix.join(&self.names.name(self.objects.len(), ending))?;
        Ok((self.storage.writer(&location)?, encoder))
    }

    async fn close(&mut self) -> Result<()> {
        let Some((mut object, mut encoder)) = self.current.take() else { return Ok(()) };
        encoder.end().map_err(|error| self.form.failed(&error))?;
        put(&mut object, encoder.take()).await?;
        let location = object.location().clone();
        let bytes = object.finish().await?;
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        self.objects.push(WrittenObject { location, bytes, rows, partition: self.partition.clone() });
        Ok(())
    }

    /// Returns about how many bytes it holds in memory.
    pub(super) fn memory(&self) -> usize {
        self.current.as_ref().map_or(0, |(_, encoder)| encoder.held())
    }

    /// Ends the stripe or the block, so that its rows leave the memory.
    ///
    /// # Errors
    /// As [`EncodedWriter::write`].
    pub(super) async fn end_stripe(&mut self) -> Result<()> {
        let form = self.form;
        if let Some((object, encoder)) = &mut self.current {
            encoder.flush().map_err(|error| form.failed(&error))?;
            self.bytes += put(object, encoder.take()).await?;
        }
        Ok(())
    }

    /// Ends the last object and returns all: they survive the loss of power.
    ///
    /// # Errors
    /// As [`EncodedWriter::write`].
    pub(crate) async fn finish(mut self) -> Result<Vec<WrittenObject>> {
        self.pieces.finish_buffered_batch().map_err(|error| self.form.broken(&error))?;
        self.encode().await?;
        self.close().await?;
        Ok(self.objects)
    }
}

async fn put(object: &mut ObjectWriter, bytes: Vec<u8>) -> Result<u64> {
    if let Err(error) = object.write_all(&bytes).await {
        return Err(object.failed(error));
    }
    Ok(u64::try_from(bytes.len()).unwrap_or_default())
}

fn pairs(columns: &[StoredColumn]) -> Vec<(String, Type)> {
    columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect()
}

/// Checks that a format has a form for columns.
pub(super) fn check(format: Format, columns: &[StoredColumn]) -> Result<()> {
    let columns = pairs(columns);
    let (name, why) = match format {
        Format::Parquet(_) => return Ok(()),
        Format::Avro(_) => ("AVRO", avro::problem(&columns)),
        Format::Text(TextForm::Json, _) => ("JSON", text::json_problem(&columns)),
        Format::Text(TextForm::Delimited(_), _) => ("TEXTFILE", None),
        Format::Orc(_) => {
            let unknown = columns.iter().find(|(_, data_type)| !has_form(data_type));
            (
                "ORC",
                unknown.map(|(name, data_type)| format!("column `{name}` of type {data_type}: ORC has no form for it")),
            )
        }
    };
    let mut seen = std::collections::HashSet::new();
    let twice = columns.iter().find(|(name, _)| !seen.insert(name.to_lowercase()));
    let why = why.or_else(|| {
        twice.map(|(name, _)| format!("two columns are named `{name}`: give one of them another name with AS"))
    });
    match why {
        None => Ok(()),
        Some(why) => {
            let message = format!("NOT_SUPPORTED: rows cannot be written in the format {name}: {why}");
            Err(Error::new(ErrorKind::InvalidInput, "write rows", message))
        }
    }
}

impl Form {
    fn operation(self) -> &'static str {
        match self {
            Self::Orc(_) => "write ORC",
            Self::Avro(_) => "write Avro",
            Self::Text(TextForm::Json, _) => "write JSON",
            Self::Text(TextForm::Delimited(_), _) => "write text",
        }
    }

    fn failed(self, error: &io::Error) -> Error {
        Error::new(ErrorKind::QueryFailed, self.operation(), format!("HIVE_WRITER_DATA_ERROR: {error}"))
    }

    fn broken(self, error: &arrow::error::ArrowError) -> Error {
        Error::new(ErrorKind::External, self.operation(), error.to_string())
    }
}

impl Encoder {
    fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Orc(encoder) => encoder.write(rows),
            Self::Avro(encoder) => encoder.write(rows),
            Self::Text(encoder) => encoder.write(rows),
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Orc(encoder) => encoder.held() >= STRIPE_BYTES || encoder.stripe_rows() >= STRIPE_ROWS,
            Self::Avro(_) | Self::Text(_) => false,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Orc(encoder) => encoder.held(),
            // A block, or what the compression holds, which is small.
            Self::Avro(_) | Self::Text(_) => 0,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Orc(encoder) => encoder.end_stripe(),
            Self::Avro(encoder) => encoder.end_block(),
            Self::Text(_) => Ok(()),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Orc(encoder) => encoder.end(),
            Self::Avro(encoder) => encoder.end_block(),
            Self::Text(encoder) => encoder.end(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Orc(encoder) => encoder.take(),
            Self::Avro(encoder) => encoder.take(),
            Self::Text(encoder) => encoder.take(),
        }
    }
}
