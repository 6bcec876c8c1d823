//! Columns of a load: names, and types in Trino's, Hive's or Embulk's words.

use std::borrow::Cow;
use std::fmt;

use arrow::datatypes::{DataType, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A column as the user declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnConfig {
    /// The name; kept in lower case, as catalogs do.
    pub name: String,
    /// The type: `boolean`, `tinyint`, `smallint`, `integer`, `bigint`, `real`, `double`, `decimal(p,s)`, `varchar`,
    /// `varchar(n)`, `date`, `timestamp`, `json`; also Hive's and Embulk's `string`, `int`, `float`, `long`.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// The format of a `timestamp` or `date`: directives as `%Y-%m-%d %H:%M:%S`. Default: ISO 8601 for timestamps,
    /// `%Y-%m-%d` for dates. A leap second (`23:59:60`) is the last second of its minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The zone of timestamps whose text names none; default the parser's `default_timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The day of timestamps whose format has none; default the parser's `default_date`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// JSON only: where the value stands in the line, as a JSON pointer (`/user/id`). Default: the key of the
    /// column's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element_at: Option<String>,
}

/// A type that the loader can read from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
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
    /// Exact: precision 1 to 38, scale 0 to precision.
    Decimal(u8, u8),
    /// Text, with the most characters it may have, or without a bound.
    Varchar(Option<u32>),
    /// JSON text; kept as `string` in tables, as catalogs have no such type.
    Json,
    /// A calendar day.
    Date,
    /// A date and time in UTC, to the microsecond.
    Timestamp,
}

impl ColumnType {
    /// What a text must be to be a type.
    pub(super) const EXPECTED: &'static str = "a type (`boolean`, `tinyint`, `smallint`, `integer`, `bigint`, `real`, `double`, `decimal(p,s)`, `varchar`, `date`, \
         `timestamp`, `json`; also `string`, `long`, `int`, `float`)";

    /// Returns the Arrow type of its values.
    #[must_use]
    pub fn to_arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Tinyint => DataType::Int8,
            Self::Smallint => DataType::Int16,
            Self::Integer => DataType::Int32,
            Self::Bigint => DataType::Int64,
            Self::Real => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX)),
            Self::Varchar(_) | Self::Json => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// Returns the type in Hive's words, as the catalog keeps it.
    #[must_use]
    pub fn to_hive(self) -> String {
        match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Tinyint => "tinyint".to_owned(),
            Self::Smallint => "smallint".to_owned(),
            Self::Integer => "int".to_owned(),
            Self::Bigint => "bigint".to_owned(),
            Self::Real => "float".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
            Self::Varchar(Some(length)) => format!("varchar({length})"),
            Self::Varchar(None) | Self::Json => "string".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Timestamp => "timestamp".to_owned(),
        }
    }

    /// Reads a type; none when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => {
                let arguments = rest.strip_suffix(')')?;
                (
                    name.trim_end(),
                    arguments.split(',').map(|part| part.trim().parse::<u32>().ok()).collect::<Option<Vec<_>>>()?,
                )
            }
            None => (text.as_str(), Vec::new()),
        };
        Some(match (name, arguments.as_slice()) {
            ("boolean" | "bool", []) => Self::Boolean,
            ("tinyint", []) => Self::Tinyint,
            ("smallint", []) => Self::Smallint,
            ("integer" | "int", []) => Self::Integer,
            ("bigint" | "long", []) => Self::Bigint,
            ("real" | "float", []) => Self::Real,
            ("double", []) => Self::Double,
            ("decimal" | "numeric", []) => Self::Decimal(38, 0),
            ("decimal" | "numeric", [precision]) => Self::decimal(*precision, 0)?,
            ("decimal" | "numeric", [precision, scale]) => Self::decimal(*precision, *scale)?,
            ("varchar" | "string", []) => Self::Varchar(None),
            ("varchar", [length @ 1..=65_535]) => Self::Varchar(Some(*length)),
            ("json", []) => Self::Json,
            ("date", []) => Self::Date,
            ("timestamp", [] | [3 | 6]) => Self::Timestamp,
            _ => return None,
        })
    }

    fn decimal(precision: u32, scale: u32) -> Option<Self> {
        let (precision, scale) = (u8::try_from(precision).ok()?, u8::try_from(scale).ok()?);
        ((1..=38).contains(&precision) && scale <= precision).then_some(Self::Decimal(precision, scale))
    }
}

impl fmt::Display for ColumnType {
    /// Writes the type in Trino's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Tinyint => f.write_str("tinyint"),
            Self::Smallint => f.write_str("smallint"),
            Self::Integer => f.write_str("integer"),
            Self::Bigint => f.write_str("bigint"),
            Self::Real => f.write_str("real"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Varchar(Some(length)) => write!(f, "varchar({length})"),
            Self::Varchar(None) => f.write_str("varchar"),
            Self::Json => f.write_str("json"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
        }
    }
}

impl Serialize for ColumnType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("expected {}, found `{text}`", Self::EXPECTED)))
    }
}

impl JsonSchema for ColumnType {
    fn schema_name() -> Cow<'static, str> {
        "ColumnType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a type in Trino's, Hive's or Embulk's words: `bigint`, `decimal(10,2)`, `varchar`, `timestamp`, `long` …",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_trino_hive_and_embulk_are_types() {
        for (text, expected) in [
            ("long", "bigint"),
            ("BIGINT", "bigint"),
            ("int", "integer"),
            ("string", "varchar"),
            ("varchar(10)", "varchar(10)"),
            ("decimal(10, 2)", "decimal(10,2)"),
            ("decimal", "decimal(38,0)"),
            ("timestamp(3)", "timestamp"),
            ("json", "json"),
            ("float", "real"),
        ] {
            let read = ColumnType::parse(text).unwrap();
            assert_eq!(read.to_string(), expected);
            assert_eq!(ColumnType::parse(&read.to_string()), Some(read));
            assert!(ColumnType::parse(&read.to_hive()).is_some());
        }
        for text in ["", "text", "decimal(39,0)", "decimal(2,3)", "varchar(0)", "int(3)", "decimal(1", "array(int)"] {
            assert_eq!(ColumnType::parse(text), None, "{text}");
        }
    }
}
