//! Writes a file: stripes, then what they are.
//!
//! No dictionaries, no indexes, and of statistics only the counts: what every reader reads, and the same bytes for the same rows.

use std::io;

use arrow::record_batch::RecordBatch;

use super::chunk::{Codec, WRITTEN_CHUNK_BYTES};
use super::encode::{Encoder, kind_of};
use super::message::Message;
use super::tail::Kind;
use crate::sql::Type;

/// The version of the format, 0.12: runs of version 2.
const VERSION: [u64; 2] = [0, 12];

/// The rules of the writer that readers may rely on: those behind all fixes that concern what is written here (ORC-135).
const WRITER_VERSION: u64 = 6;

/// A file that is written.
#[derive(Debug)]
pub(crate) struct OrcEncoder {
    codec: Codec,
    types: Vec<Message>,
    row: Encoder,
    has_times: bool,
    /// Rows of the stripe.
    rows: usize,
    all_rows: u64,
    stripes: Vec<Message>,
    statistics: Vec<Message>,
    /// Bytes that were given out.
    given: u64,
    ready: Vec<u8>,
}

impl OrcEncoder {
    /// Begins a file of columns by their names.
    pub(crate) fn new(columns: &[(String, Type)], codec: Codec) -> Self {
        let mut types = Vec::new();
        row_type(columns.iter().map(|(name, data_type)| (name.clone(), data_type)), &mut types);
        let children = columns.iter().map(|(_, data_type)| Encoder::new(data_type)).collect();
        Self {
            codec,
            types,
            row: Encoder::of(Kind::Struct, children),
            has_times: columns.iter().any(|(_, data_type)| has_times(data_type)),
            rows: 0,
            all_rows: 0,
            stripes: Vec::new(),
            statistics: Vec::new(),
            given: 0,
            ready: b"ORC".to_vec(),
        }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// Of a value that ORC has no form for.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        self.row.row(rows.columns(), rows.num_rows())?;
        self.rows += rows.num_rows();
        Ok(())
    }

    /// Returns how many bytes the stripe holds, before they are compressed.
    pub(crate) fn held(&self) -> usize {
        self.row.held()
    }

    /// Returns how many rows the stripe has.
    pub(crate) fn stripe_rows(&self) -> usize {
        self.rows
    }

    /// Ends the stripe; nothing without rows.
    ///
    /// # Errors
    /// Of a compression that fails.
    pub(crate) fn end_stripe(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut counted = Vec::new();
        self.row.statistics(false, &mut counted);
        let counted = counted.iter().fold(Message::default(), |message, column| message.message(1, column));
        self.statistics.push(counted);
        let offset = self.offset();
        let (mut column, mut streams, mut encodings) = (0, Vec::new(), Vec::new());
        self.row.finish(&mut column, &mut streams, &mut encodings);
        let mut footer = Message::default();
        let mut data = 0;
        for (kind, column, stream) in streams {
            let packed = self.codec.pack(&stream)?;
            let length = length(&packed);
            footer = footer.message(1, &Message::default().number(1, kind).number(2, column).number(3, length));
            data += length;
            self.ready.extend_from_slice(&packed);
        }
        for encoding in &encodings {
            footer = footer.message(2, encoding);
        }
        if self.has_times {
            footer = footer.bytes(3, b"UTC");
        }
        let footer = self.codec.pack(&footer.0)?;
        self.ready.extend_from_slice(&footer);
        let rows = u64::try_from(self.rows).unwrap_or_default();
        let stripe = Message::default().number(1, offset).number(2, 0).number(3, data).number(4, length(&footer));
        self.stripes.push(stripe.number(5, rows));
        self.all_rows += rows;
        self.rows = 0;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`Self::end_stripe`].
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.end_stripe()?;
        let content = self.offset();
        let metadata = self.statistics.iter().fold(Message::default(), |message, stripe| message.message(1, stripe));
        let metadata = self.codec.pack(&metadata.0)?;
        let mut footer = Message::default().number(1, 3).number(2, content);
        for stripe in &self.stripes {
            footer = footer.message(3, stripe);
        }
        for node in &self.types {
            footer = footer.message(4, node);
        }
        footer = footer.number(6, self.all_rows);
        let mut counted = Vec::new();
        self.row.statistics(true, &mut counted);
        for column in &counted {
            footer = footer.message(7, column);
        }
        // No rows of an index.
        let footer = self.codec.pack(&footer.number(8, 0).0)?;
        let script = Message::default()
            .number(1, length(&footer))
            .number(2, self.codec.number())
            .number(3, WRITTEN_CHUNK_BYTES as u64)
            .numbers(4, &VERSION)
            .number(5, length(&metadata))
            .number(6, WRITER_VERSION)
            .bytes(8000, b"ORC");
        for part in [&metadata, &footer, &script.0] {
            self.ready.extend_from_slice(part);
        }
        self.ready.push(u8::try_from(script.0.len()).unwrap_or_default());
        Ok(())
    }

    /// Gives out the bytes that are ready.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let ready = std::mem::take(&mut self.ready);
        self.given += length(&ready);
        ready
    }

    fn offset(&self) -> u64 {
        self.given + length(&self.ready)
    }
}

/// Tells whether ORC has a form for a type.
pub(crate) fn has_form(data_type: &Type) -> bool {
    kind_of(data_type).is_some()
        && match data_type {
            Type::Array(element) => has_form(element),
            Type::Map(key, value) => has_form(key) && has_form(value),
            Type::Row(fields) => fields.iter().all(|(_, field)| has_form(field)),
            _ => true,
        }
}

fn has_times(data_type: &Type) -> bool {
    match data_type {
        Type::Timestamp(_) => true,
        Type::Array(element) => has_times(element),
        Type::Map(key, value) => has_times(key) || has_times(value),
        Type::Row(fields) => fields.iter().any(|(_, field)| has_times(field)),
        _ => false,
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Adds the type of a row and those inside it, each before those inside it; returns its number.
fn row_type<'t>(fields: impl Iterator<Item = (String, &'t Type)>, types: &mut Vec<Message>) -> u64 {
    let at = types.len();
    types.push(Message::default());
    let (mut names, mut children) = (Vec::new(), Vec::new());
    for (name, data_type) in fields {
        names.push(name);
        children.push(add_type(data_type, types));
    }
    let message = Message::default().number(1, Kind::Struct.number()).numbers(2, &children);
    put(types, at, names.iter().fold(message, |message, name| message.bytes(3, name.as_bytes())))
}

fn add_type(data_type: &Type, types: &mut Vec<Message>) -> u64 {
    if let Type::Row(fields) = data_type {
        let name = |(index, name): (usize, &Option<String>)| name.clone().unwrap_or_else(|| format!("_{index}"));
        return row_type(fields.iter().enumerate().map(|(index, (text, field))| (name((index, text)), field)), types);
    }
    let at = types.len();
    types.push(Message::default());
    let children: Vec<u64> = match data_type {
        Type::Array(element) => vec![add_type(element, types)],
        Type::Map(key, value) => vec![add_type(key, types), add_type(value, types)],
        _ => Vec::new(),
    };
    let kind = kind_of(data_type).unwrap_or(Kind::Struct).number();
    let message = Message::default().number(1, kind).numbers(2, &children);
    let message = match data_type {
        Type::Varchar(Some(length)) | Type::Char(length) => message.number(4, u64::from(*length)),
        Type::Decimal(precision, scale) => message.number(5, u64::from(*precision)).number(6, u64::from(*scale)),
        _ => message,
    };
    put(types, at, message)
}

fn put(types: &mut [Message], at: usize, message: Message) -> u64 {
    if let Some(place) = types.get_mut(at) {
        *place = message;
    }
    u64::try_from(at).unwrap_or_default()
}
