//! Writes Avro's object container files, whose bytes depend on the rows alone: the mark between blocks is one of the schema.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/>. Every value may be NULL, as in Hive's tables.

use std::io::{self, Read as _};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType,
};
use serde_json::{Value, json};
use twox_hash::XxHash64;

use crate::sql::Type;

/// Bytes of a block, about: what other writers make too.
const BLOCK_BYTES: usize = 64 << 10;

/// The name of the record that a row is.
const RECORD: &str = "row";

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AvroCompression {
    /// Zstandard, level 3.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// DEFLATE.
    Deflate,
    /// None.
    None,
}

impl AvroCompression {
    /// Returns what the specification calls it.
    fn codec(self) -> &'static str {
        match self {
            Self::Zstd => "zstandard",
            Self::Snappy => "snappy",
            Self::Deflate => "deflate",
            Self::None => "null",
        }
    }

    fn pack(self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd => zstd::bulk::compress(block, 3),
            Self::Snappy => {
                let mut packed = snap::raw::Encoder::new().compress_vec(block).map_err(io::Error::other)?;
                packed.extend_from_slice(&crc32fast::hash(block).to_be_bytes());
                Ok(packed)
            }
            Self::Deflate => {
                let mut packed = Vec::new();
                flate2::read::DeflateEncoder::new(block, flate2::Compression::default()).read_to_end(&mut packed)?;
                Ok(packed)
            }
            Self::None => Ok(block.to_vec()),
        }
    }
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct AvroEncoder {
    columns: Vec<(String, Type)>,
    compression: AvroCompression,
    mark: [u8; 16],
    block: Vec<u8>,
    block_rows: i64,
    ready: Vec<u8>,
}

impl AvroEncoder {
    /// Begins a file of columns by their names.
    pub(super) fn new(columns: &[(String, Type)], compression: AvroCompression) -> Self {
        let schema = schema(columns);
        let half = |seed: u64| XxHash64::oneshot(seed, schema.as_bytes()).to_be_bytes();
        let mut mark = [0; 16];
        for (byte, hashed) in mark.iter_mut().zip(half(0).into_iter().chain(half(1))) {
            *byte = hashed;
        }
        let mut ready = b"Obj\x01".to_vec();
        number(2, &mut ready);
        for part in ["avro.schema", &schema, "avro.codec", compression.codec()] {
            bytes(part.as_bytes(), &mut ready);
        }
        number(0, &mut ready);
        ready.extend_from_slice(&mark);
        Self { columns: columns.to_vec(), compression, mark, block: Vec::new(), block_rows: 0, ready }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// Of columns that are not those of the file, and of a compression that fails.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> io::Result<()> {
        for row in 0..rows.num_rows() {
            for ((_, data_type), array) in self.columns.iter().zip(rows.columns()) {
                value(data_type, array, row, &mut self.block)?;
            }
            self.block_rows += 1;
            if self.block.len() >= BLOCK_BYTES {
                self.end_block()?;
            }
        }
        Ok(())
    }

    /// Ends the block; nothing without rows.
    ///
    /// # Errors
    /// Of a compression that fails.
    pub(super) fn end_block(&mut self) -> io::Result<()> {
        if self.block_rows == 0 {
            return Ok(());
        }
        let packed = self.compression.pack(&self.block)?;
        number(self.block_rows, &mut self.ready);
        bytes(&packed, &mut self.ready);
        self.ready.extend_from_slice(&self.mark);
        self.block.clear();
        self.block_rows = 0;
        Ok(())
    }

    /// Gives out the bytes that are ready.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }
}

/// Tells why columns have no form in Avro; none when they have.
pub(super) fn problem(columns: &[(String, Type)]) -> Option<String> {
    columns.iter().find_map(|(name, data_type)| {
        if !is_name(name) {
            return Some(format!(
                "column `{name}`: a name in Avro begins with a letter or `_`, and has letters, digits and `_` behind it"
            ));
        }
        problem_of(data_type).map(|why| format!("column `{name}` of type {data_type}: {why}"))
    })
}

fn problem_of(data_type: &Type) -> Option<String> {
    match data_type {
        Type::Array(element) => problem_of(element),
        Type::Map(key, value) => match key.as_ref() {
            Type::Varchar(_) | Type::Char(_) => problem_of(value),
            _ => Some("the keys of a map in Avro are text".to_owned()),
        },
        Type::Row(fields) => fields.iter().enumerate().find_map(|(at, (name, field))| {
            let name = field_name(at, name.as_deref());
            if is_name(&name) { problem_of(field) } else { Some(format!("`{name}` is no name in Avro")) }
        }),
        // Hive writes these as `int` and knows them by its own schema; Trino and Athena refuse to make such a table, and
        // cannot read one.
        Type::Tinyint | Type::Smallint => Some(format!("{data_type} has no form in Avro: CAST it to integer")),
        other => simple(other).is_none().then(|| "Avro has no form for it".to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn field_name(at: usize, name: Option<&str>) -> String {
    name.map_or_else(|| format!("_{at}"), str::to_owned)
}

/// Returns the schema of rows, as JSON.
pub(super) fn schema(columns: &[(String, Type)]) -> String {
    let fields = columns.iter().map(|(name, data_type)| (name.clone(), data_type));
    record(RECORD, fields).to_string()
}

/// Makes the schema of a record; those inside it have names of their own, by their places.
fn record<'t>(name: &str, fields: impl Iterator<Item = (String, &'t Type)>) -> Value {
    let fields = fields.map(|(field, data_type)| {
        let path = format!("{name}_{field}");
        json!({"name": field, "type": optional(data_type, &path), "default": null})
    });
    json!({"type": "record", "name": name, "fields": fields.collect::<Vec<_>>()})
}

fn optional(data_type: &Type, path: &str) -> Value {
    let inner = match data_type {
        Type::Array(element) => json!({"type": "array", "items": optional(element, path)}),
        Type::Map(_, value) => json!({"type": "map", "values": optional(value, path)}),
        Type::Row(fields) => {
            record(path, fields.iter().enumerate().map(|(at, (name, field))| (field_name(at, name.as_deref()), field)))
        }
        other => simple(other).unwrap_or(Value::Null),
    };
    json!(["null", inner])
}

/// Returns the schema of a type without others inside; none for one that has no form.
fn simple(data_type: &Type) -> Option<Value> {
    Some(match data_type {
        Type::Boolean => json!("boolean"),
        Type::Integer => json!("int"),
        Type::Bigint => json!("long"),
        Type::Real => json!("float"),
        Type::Double => json!("double"),
        Type::Varchar(_) | Type::Char(_) => json!("string"),
        Type::Varbinary => json!("bytes"),
        Type::Date => json!({"type": "int", "logicalType": "date"}),
        Type::Timestamp(0..=3) => json!({"type": "long", "logicalType": "timestamp-millis"}),
        Type::Timestamp(4..=6) => json!({"type": "long", "logicalType": "timestamp-micros"}),
        Type::Decimal(precision, scale) => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        }
        _ => return None,
    })
}

/// Writes a value, behind the branch that it is of: NULL or the type.
fn value(data_type: &Type, array: &ArrayRef, row: usize, to: &mut Vec<u8>) -> io::Result<()> {
    if array.data_type() == &DataType::Null || array.is_null(row) {
        number(0, to);
        return Ok(());
    }
    number(1, to);
    match data_type {
        Type::Boolean => to.push(u8::from(array.as_boolean_opt().ok_or_else(misfit)?.value(row))),
        Type::Integer => number(i64::from(array.as_primitive_opt::<Int32Type>().ok_or_else(misfit)?.value(row)), to),
        Type::Bigint => number(array.as_primitive_opt::<Int64Type>().ok_or_else(misfit)?.value(row), to),
        Type::Date => number(i64::from(array.as_primitive_opt::<Date32Type>().ok_or_else(misfit)?.value(row)), to),
        Type::Real => {
            let value = array.as_primitive_opt::<Float32Type>().ok_or_else(misfit)?.value(row);
            to.extend_from_slice(&value.to_le_bytes());
        }
        Type::Double => {
            let value = array.as_primitive_opt::<Float64Type>().ok_or_else(misfit)?.value(row);
            to.extend_from_slice(&value.to_le_bytes());
        }
        Type::Varchar(_) | Type::Char(_) => {
            bytes(array.as_string_opt::<i32>().ok_or_else(misfit)?.value(row).as_bytes(), to);
        }
        Type::Varbinary => bytes(array.as_binary_opt::<i32>().ok_or_else(misfit)?.value(row), to),
        Type::Timestamp(_) => number(
            match array.data_type() {
                DataType::Timestamp(TimeUnit::Millisecond, _) => {
                    array.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(misfit)?.value(row)
                }
                _ => array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(misfit)?.value(row),
            },
            to,
        ),
        Type::Decimal(..) => {
            let digits = array.as_primitive_opt::<Decimal128Type>().ok_or_else(misfit)?.value(row).to_be_bytes();
            bytes(shortest(&digits), to);
        }
        Type::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(misfit)?.value(row);
            count(items.len(), to);
            for at in 0..items.len() {
                value(element, &items, at, to)?;
            }
            if !items.is_empty() {
                number(0, to);
            }
        }
        Type::Map(_, inner) => {
            let entries = array.as_map_opt().ok_or_else(misfit)?.value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let keys = keys.as_string_opt::<i32>().ok_or_else(misfit)?;
            count(entries.len(), to);
            for at in 0..entries.len() {
                bytes(keys.value(at).as_bytes(), to);
                value(inner, values, at, to)?;
            }
            if !entries.is_empty() {
                number(0, to);
            }
        }
        Type::Row(fields) => {
            let columns = array.as_struct_opt().ok_or_else(misfit)?.columns();
            for ((_, field), column) in fields.iter().zip(columns) {
                value(field, column, row, to)?;
            }
        }
        _ => return Err(misfit()),
    }
    Ok(())
}

fn misfit() -> io::Error {
    io::Error::other("a column is not of the type that is written")
}

/// Returns the bytes that are needed for a number of two's complement: the first of them says the sign.
fn shortest(digits: &[u8; 16]) -> &[u8] {
    let mut rest = digits.as_slice();
    while let [first, second, ..] = rest {
        let is_spare = (*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80);
        if !is_spare {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    rest
}

/// Writes a number: seven bits a byte, the lowest first, the sign in the lowest bit.
fn number(number: i64, to: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while bits > 0x7f {
        to.push(u8::try_from(bits & 0x7f).unwrap_or_default() | 0x80);
        bits >>= 7;
    }
    to.push(u8::try_from(bits).unwrap_or_default());
}

fn count(length: usize, to: &mut Vec<u8>) {
    number(i64::try_from(length).unwrap_or(i64::MAX), to);
}

fn bytes(text: &[u8], to: &mut Vec<u8>) {
    count(text.len(), to);
    to.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn decimals_take_the_bytes_that_they_need() {
        for (value, wanted) in [(0_i128, 1), (127, 1), (128, 2), (-128, 1), (-129, 2), (i128::MAX, 16), (i128::MIN, 16)]
        {
            let digits = value.to_be_bytes();
            let short = shortest(&digits);
            assert_eq!(short.len(), wanted, "{value}");
            assert_eq!(short.first().map(|byte| byte >= &0x80), Some(value < 0), "{value}");
        }
    }

    #[test]
    fn records_have_names_of_their_own() {
        let inner = Type::Row(Arc::from([(Some("n".to_owned()), Type::Integer), (None, Type::Date)]));
        let columns = [("a".to_owned(), Type::Array(Arc::new(inner))), ("b".to_owned(), Type::Decimal(10, 2))];
        assert_eq!(
            schema(&columns),
            r#"{"type":"record","name":"row","fields":[{"name":"a","type":["null",{"type":"array","items":["null",{"type":"record","name":"row_a","fields":[{"name":"n","type":["null","int"],"default":null},{"name":"_1","type":["null",{"type":"int","logicalType":"date"}],"default":null}]}]}],"default":null},{"name":"b","type":["null",{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}],"default":null}]}"#
        );
        assert_eq!(problem(&columns), None);
    }

    #[test]
    fn what_has_no_form_is_told() {
        let of = |name: &str, data_type: Type| problem(&[(name.to_owned(), data_type)]).unwrap();
        assert_eq!(
            of("2nd", Type::Date),
            "column `2nd`: a name in Avro begins with a letter or `_`, and has letters, digits and `_` behind it"
        );
        let map = Type::Map(Arc::new(Type::Bigint), Arc::new(Type::Date));
        assert_eq!(of("m", map), "column `m` of type map(bigint, date): the keys of a map in Avro are text");
        for (data_type, shown) in [(Type::Tinyint, "tinyint"), (Type::Smallint, "smallint")] {
            assert_eq!(
                of("a", Type::Array(Arc::new(data_type))),
                format!("column `a` of type array({shown}): {shown} has no form in Avro: CAST it to integer")
            );
        }
    }
}
