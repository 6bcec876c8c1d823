//! The columns that every table has and that `*` passes over: which object a row comes from.
//!
//! Source: the Hive connector of Trino 476, <https://trino.io/docs/476/connector/hive.html#extra-hidden-columns>.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray, StructArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use crate::catalog::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::name::hive_escaped_path;
use crate::sql::Type;
use crate::storage::Object;

/// A hidden column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hidden {
    /// The object's location.
    Path,
    /// Its bytes.
    FileSize,
    /// When it was written, in the zone UTC.
    FileModifiedTime,
    /// The partition, as `dt=2024-03-01/hour=5`.
    Partition,
}

impl Hidden {
    /// Returns those of a table: one without partitions has no `$partition`.
    pub(super) fn of(table: &Table) -> Vec<Self> {
        let mut columns = vec![Self::Path, Self::FileSize, Self::FileModifiedTime];
        if !table.partition_keys.is_empty() {
            columns.push(Self::Partition);
        }
        columns
    }

    /// Returns its name and type.
    pub(super) fn column(self) -> (String, Type) {
        let (name, data_type) = match self {
            Self::Path => ("$path", Type::Varchar(None)),
            Self::FileSize => ("$file_size", Type::Bigint),
            Self::FileModifiedTime => ("$file_modified_time", Type::TimestampTz(3)),
            Self::Partition => ("$partition", Type::Varchar(None)),
        };
        (name.to_owned(), data_type)
    }

    /// Returns its value for the rows of an object; `pairs` are the keys and values of its partition.
    ///
    /// # Errors
    /// `External` when Arrow cannot hold it.
    pub(super) fn value(self, object: &Object, pairs: &[(&str, &str)]) -> Result<ScalarValue> {
        Ok(match self {
            Self::Path => ScalarValue::Utf8(Some(object.location.to_string())),
            Self::FileSize => ScalarValue::Int64(i64::try_from(object.bytes).ok()),
            Self::FileModifiedTime => instant(object.modified_ms)?,
            Self::Partition => ScalarValue::Utf8(Some(hive_escaped_path(pairs.iter().copied()))),
        })
    }
}

fn instant(millis: i64) -> Result<ScalarValue> {
    let wrong = |why: String| Error::new(ErrorKind::External, "read a table", why);
    let DataType::Struct(fields) = Type::TimestampTz(3).to_arrow() else {
        return Err(wrong("a time with a zone is no struct".to_owned()));
    };
    let instant: ArrayRef =
        Arc::new(TimestampMicrosecondArray::from(vec![millis.saturating_mul(1000)]).with_timezone("UTC"));
    let zone: ArrayRef = Arc::new(StringArray::from(vec!["UTC"]));
    let value = StructArray::try_new(fields, vec![instant, zone], None).map_err(|error| wrong(error.to_string()))?;
    Ok(ScalarValue::Struct(Arc::new(value)))
}
