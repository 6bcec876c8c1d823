//! The tree of types: what arrays stand for them, and which types are below one.

use std::io;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::bad;
use super::tail::{Kind, TypeNode};

/// The precision and the scale of decimals of Hive before they had any.
const OLD_DECIMAL: (u8, i8) = (38, 18);

/// Marks a type and those below it.
pub(super) fn mark(types: &[TypeNode], node: usize, marks: &mut [bool]) {
    if let Some(mark) = marks.get_mut(node) {
        *mark = true;
    }
    for child in types.get(node).map_or(&[][..], |node| node.children.as_slice()) {
        mark(types, *child, marks);
    }
}

/// Returns the precision and the scale of a decimal.
pub(super) fn decimal(node: &TypeNode) -> io::Result<(u8, i8)> {
    if node.precision == 0 {
        return Ok(OLD_DECIMAL);
    }
    match (u8::try_from(node.precision), i8::try_from(node.scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if i16::from(scale) <= i16::from(precision) => Ok((precision, scale)),
        _ => Err(bad(format!("it has a decimal({},{})", node.precision, node.scale))),
    }
}

/// Returns what a type is read as.
pub(super) fn data_type(types: &[TypeNode], at: usize) -> io::Result<DataType> {
    let node = types.get(at).ok_or_else(|| bad("a type is not there"))?;
    let child = |index: usize| {
        let child = node.children.get(index).ok_or_else(|| bad("a type is not there"))?;
        data_type(types, *child)
    };
    Ok(match node.kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Byte => DataType::Int8,
        Kind::Short => DataType::Int16,
        Kind::Int => DataType::Int32,
        Kind::Long => DataType::Int64,
        Kind::Float => DataType::Float32,
        Kind::Double => DataType::Float64,
        Kind::String | Kind::Varchar | Kind::Char => DataType::Utf8,
        Kind::Binary => DataType::Binary,
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Decimal => {
            let (precision, scale) = decimal(node)?;
            DataType::Decimal128(precision, scale)
        }
        Kind::List => DataType::List(Arc::new(Field::new("item", child(0)?, true))),
        Kind::Map => {
            let entries = DataType::Struct(entries(child(0)?, child(1)?));
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        Kind::Struct => {
            let fields = node.names.iter().enumerate().map(|(index, name)| Ok(Field::new(name, child(index)?, true)));
            DataType::Struct(fields.collect::<io::Result<Fields>>()?)
        }
        Kind::Union => return Err(bad("a column is a union, which no type of a table stands for")),
    })
}

/// Returns the fields of a map's entries.
pub(super) fn entries(key: DataType, value: DataType) -> Fields {
    vec![Field::new("key", key, false), Field::new("value", value, true)].into()
}
