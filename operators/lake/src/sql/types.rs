//! Trino's types: names, text, and what they are in Arrow, Hive and Parquet.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};

mod inferred;
mod parse;

/// A type of the dialect.
///
/// In Arrow: `unknown` Null · `boolean` Boolean · `tinyint…bigint` Int8…Int64 · `real`, `double` Float32, Float64 ·
/// `decimal(p,s)` Decimal128 · `varchar`, `varchar(n)`, `char(n)`, `json` Utf8 (char without its padding) ·
/// `varbinary` Binary · `date` Date32 · `time(p)` Time64(µs) · `timestamp(p)` Timestamp(µs), for p > 6 Timestamp(ns) ·
/// `timestamp(p) with time zone` Struct{instant: Timestamp(µs, UTC), zone: Utf8} · `interval day to second` Duration(ms)
/// · `interval year to month` Interval(YearMonth) · `array(T)` List · `map(K,V)` Map · `row(…)` Struct with fields named by
/// position (`_0`, `_1`, …; names may repeat or be missing, so they live here only).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// The type of NULL.
    Unknown,
    /// `boolean`.
    Boolean,
    /// 8 bits.
    Tinyint,
    /// 16 bits.
    Smallint,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Bigint,
    /// 32-bit floating point.
    Real,
    /// 64-bit floating point.
    Double,
    /// Exact; precision 1 to 38, scale 0 to precision.
    Decimal(u8, u8),
    /// Text, with the most characters it may have, or without a bound.
    Varchar(Option<u32>),
    /// Text of fixed length, padded with blanks.
    Char(u32),
    /// Bytes.
    Varbinary,
    /// JSON text.
    Json,
    /// A calendar day.
    Date,
    /// A time of day, with so many digits of a second.
    Time(u8),
    /// A time of day with an offset.
    TimeTz(u8),
    /// A civil date and time, with so many digits of a second.
    Timestamp(u8),
    /// An instant with its zone, with so many digits of a second.
    TimestampTz(u8),
    /// Days, hours, …, milliseconds.
    IntervalDayToSecond,
    /// Years and months.
    IntervalYearToMonth,
    /// A UUID.
    Uuid,
    /// An IP address.
    IpAddress,
    /// A list.
    Array(Arc<Self>),
    /// A map.
    Map(Arc<Self>, Arc<Self>),
    /// A row; its fields may have names.
    Row(Arc<[(Option<String>, Self)]>),
}

impl fmt::Display for Type {
    /// Writes the type as Trino's `typeof` does: `decimal(4,2)`, `varchar(3)`, `row(a integer, bigint)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Boolean => f.write_str("boolean"),
            Self::Tinyint => f.write_str("tinyint"),
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Varchar(None) => f.write_str("varchar"),
            Self::Varchar(Some(length)) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Varbinary => f.write_str("varbinary"),
            Self::Json => f.write_str("json"),
            Self::Date => f.write_str("date"),
            Self::Time(precision) => write!(f, "time({precision})"),
            Self::TimeTz(precision) => write!(f, "time({precision}) with time zone"),
            Self::Timestamp(precision) => write!(f, "timestamp({precision})"),
            Self::TimestampTz(precision) => write!(f, "timestamp({precision}) with time zone"),
            Self::IntervalDayToSecond => f.write_str("interval day to second"),
            Self::IntervalYearToMonth => f.write_str("interval year to month"),
            Self::Uuid => f.write_str("uuid"),
            Self::IpAddress => f.write_str("ipaddress"),
            Self::Array(element) => write!(f, "array({element})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Row(fields) => {
                f.write_str("row(")?;
                for (index, (name, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    match name {
                        Some(name) if is_plain(name) => write!(f, "{name} {field}")?,
                        Some(name) => write!(f, "\"{}\" {field}", name.replace('"', "\"\""))?,
                        None => write!(f, "{field}")?,
                    }
                }
                f.write_str(")")
            }
        }
    }
}

/// Tells whether a field's name is written without quotes.
fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

impl Type {
    /// Tells whether `=` knows the type.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        match self {
            Self::Array(element) => element.is_comparable(),
            Self::Map(key, value) => key.is_comparable() && value.is_comparable(),
            Self::Row(fields) => fields.iter().all(|(_, field)| field.is_comparable()),
            _ => true,
        }
    }

    /// Tells whether `<`, ORDER BY, `min` and `max` know the type.
    #[must_use]
    pub fn is_orderable(&self) -> bool {
        match self {
            Self::Json | Self::Map(..) => false,
            Self::Array(element) => element.is_orderable(),
            Self::Row(fields) => fields.iter().all(|(_, field)| field.is_orderable()),
            _ => true,
        }
    }

    /// Tells whether it is a number.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Tinyint
                | Self::Smallint
                | Self::Integer
                | Self::Bigint
                | Self::Real
                | Self::Double
                | Self::Decimal(..)
        )
    }

    /// Tells whether it is a whole number of 8 to 64 bits.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Tinyint | Self::Smallint | Self::Integer | Self::Bigint)
    }

    /// Returns the Arrow type that holds its values.
    ///
    /// `Uuid` and `IpAddress` are held as `FixedSizeBinary(16)`, `TimeTz` as Struct{time: Time64(µs), offset: Int32 minutes}.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Unknown => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::Tinyint => DataType::Int8,
            Self::Smallint => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::Bigint => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => {
                DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
            }
            Self::Varchar(_) | Self::Char(_) | Self::Json => DataType::Utf8,
            Self::Varbinary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time(_) => DataType::Time64(TimeUnit::Microsecond),
            Self::TimeTz(_) => DataType::Struct(Fields::from(vec![
                Field::new("time", DataType::Time64(TimeUnit::Microsecond), true),
                Field::new("offset", DataType::Int32, true),
            ])),
            Self::Timestamp(precision) if *precision > 6 => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Timestamp(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz(_) => DataType::Struct(Fields::from(vec![
                Field::new("instant", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
                Field::new("zone", DataType::Utf8, true),
            ])),
            Self::IntervalDayToSecond => DataType::Duration(TimeUnit::Millisecond),
            Self::IntervalYearToMonth => DataType::Interval(IntervalUnit::YearMonth),
            Self::Uuid | Self::IpAddress => DataType::FixedSizeBinary(16),
            Self::Array(element) => DataType::List(Arc::new(Field::new("item", element.to_arrow(), true))),
            Self::Map(key, value) => DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(Fields::from(vec![
                        Field::new("key", key.to_arrow(), false),
                        Field::new("value", value.to_arrow(), true),
                    ])),
                    false,
                )),
                false,
            ),
            Self::Row(fields) => DataType::Struct(
                fields
                    .iter()
                    .enumerate()
                    .map(|(index, (_, field))| Field::new(format!("_{index}"), field.to_arrow(), true))
                    .collect(),
            ),
        }
    }
}
