//! Types of columns that a file declares (Parquet's schema, a guessed CSV one), as a table of the lake keeps them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use crate::error::{Error, ErrorKind, Result};

use super::Type;

impl Type {
    /// Returns the type that a table column gets for a field of a file's Arrow schema.
    ///
    /// Every timestamp becomes Hive's, `timestamp(3)`, as a UTC civil time; unsigned numbers go to the next wider type.
    ///
    /// # Errors
    /// `InvalidInput` for a type no table can hold (`time`, `interval`, union, null), naming field and type.
    pub fn from_arrow(field: &Field) -> Result<Self> {
        inferred(field.data_type()).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "infer column type",
                format!(
                    "expected a column of numbers, text, bytes, dates, timestamps, lists, maps or structs, found `{}` of \
                     type `{}`",
                    field.name(),
                    field.data_type()
                ),
            )
        })
    }
}

fn inferred(data_type: &DataType) -> Option<Type> {
    Some(match data_type {
        DataType::Boolean => Type::Boolean,
        DataType::Int8 => Type::Tinyint,
        DataType::Int16 | DataType::UInt8 => Type::Smallint,
        DataType::Int32 | DataType::UInt16 => Type::Integer,
        DataType::Int64 | DataType::UInt32 => Type::Bigint,
        DataType::UInt64 => Type::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 => Type::Real,
        DataType::Float64 => Type::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            if !(1..=38).contains(precision) || scale > *precision {
                return None;
            }
            Type::Decimal(*precision, scale)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::Varchar(None),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Type::Varbinary
        }
        DataType::Date32 | DataType::Date64 => Type::Date,
        DataType::Timestamp(..) => Type::Timestamp(3),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Type::Array(Arc::new(inferred(item.data_type())?)),
        DataType::Struct(fields) => Type::Row(
            fields
                .iter()
                .map(|field| Some((Some(field.name().to_lowercase()), inferred(field.data_type())?)))
                .collect::<Option<_>>()?,
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => match fields.as_ref() {
                [key, value] => Type::Map(Arc::new(inferred(key.data_type())?), Arc::new(inferred(value.data_type())?)),
                _ => return None,
            },
            _ => return None,
        },
        DataType::Dictionary(_, values) => inferred(values)?,
        DataType::RunEndEncoded(_, values) => inferred(values.data_type())?,
        DataType::Null
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Duration(_)
        | DataType::Interval(_)
        | DataType::Union(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn files_types_become_table_types() {
        let list = DataType::List(Arc::new(Field::new("element", DataType::UInt16, true)));
        let record = DataType::Struct(vec![Field::new("A", list, true)].into());
        for (arrow, expected) in [
            (DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), "timestamp(3)"),
            (DataType::UInt64, "decimal(20,0)"),
            (DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)), "varchar"),
            (record, "row(a array(integer))"),
        ] {
            assert_eq!(Type::from_arrow(&Field::new("x", arrow, true)).unwrap().to_string(), expected);
        }
        let error = Type::from_arrow(&Field::new("t", DataType::Time64(TimeUnit::Microsecond), true)).unwrap_err();
        assert!(error.message.contains("found `t` of type `Time64"), "{}", error.message);
    }
}
