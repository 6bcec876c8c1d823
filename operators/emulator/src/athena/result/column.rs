//! The columns of a result as the API describes them.
//!
//! Which numbers a type has is what the service answers; text of Hive's statements is `string`, without any.

use lake::sql::Type;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What `varchar` without a bound has as its precision.
const UNBOUNDED: u32 = 2_147_483_647;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::athena) struct ResultColumn {
    pub(in crate::athena) name: String,
    /// The type's first word: `varchar`, `decimal`, `row`.
    pub(in crate::athena) data_type: String,
    pub(in crate::athena) precision: Option<u32>,
    pub(in crate::athena) scale: Option<u32>,
    pub(in crate::athena) case_sensitive: Option<bool>,
}

impl ResultColumn {
    /// Describes a column of a query.
    pub(in crate::athena) fn of(name: &str, data_type: &Type) -> Self {
        let number = |word: &'static str, precision: u32, scale: u32| (word, Some(precision), Some(scale), Some(false));
        let text = |word: &'static str, length: u32| (word, Some(length), Some(0), Some(true));
        let (word, precision, scale, case_sensitive) = match data_type {
            Type::Boolean => ("boolean", None, None, Some(false)),
            Type::Tinyint => number("tinyint", 3, 0),
            Type::Smallint => number("smallint", 5, 0),
            Type::Integer => number("integer", 10, 0),
            Type::Bigint => number("bigint", 19, 0),
            Type::Real => number("float", 17, 0),
            Type::Double => number("double", 17, 0),
            Type::Decimal(precision, scale) => number("decimal", (*precision).into(), (*scale).into()),
            Type::Varchar(length) => text("varchar", length.unwrap_or(UNBOUNDED)),
            Type::Char(length) => text("char", *length),
            Type::Varbinary => number("varbinary", 1_073_741_824, 0),
            Type::Date => ("date", None, Some(0), Some(false)),
            Type::Time(_) => number("time", 3, 0),
            Type::TimeTz(_) => number("time with time zone", 3, 0),
            Type::Timestamp(_) => number("timestamp", 3, 0),
            Type::TimestampTz(_) => number("timestamp with time zone", 3, 0),
            Type::IntervalDayToSecond => ("interval day to second", None, None, Some(false)),
            Type::IntervalYearToMonth => ("interval year to month", None, None, Some(false)),
            Type::Unknown => ("unknown", None, None, None),
            Type::Json => ("json", None, None, None),
            Type::Uuid => ("uuid", None, None, None),
            Type::IpAddress => ("ipaddress", None, None, None),
            Type::Array(_) => ("array", None, None, None),
            Type::Map(..) => ("map", None, None, None),
            Type::Row(_) => ("row", None, None, None),
        };
        Self { name: name.to_owned(), data_type: word.to_owned(), precision, scale, case_sensitive }
    }

    /// Describes a column of a statement of Hive's.
    pub(in crate::athena) fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            data_type: "string".to_owned(),
            precision: None,
            scale: None,
            case_sensitive: None,
        }
    }

    /// Describes the column of statements that count what they wrote.
    pub(in crate::athena) fn rows() -> Self {
        Self::of("rows", &Type::Bigint)
    }

    /// Returns the API's `ColumnInfo`.
    pub(in crate::athena) fn info(&self) -> Value {
        json!({
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.data_type,
            "Precision": self.precision.unwrap_or(0),
            "Scale": self.scale.unwrap_or(0),
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.case_sensitive.unwrap_or(false),
        })
    }
}
