//! Columns of `timestamp with time zone` and `time with time zone`: their Arrow structs as typed parts.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int32Array, StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

use crate::sql::function::EvalError;
use crate::sql::types::Type;

/// The parts of a `timestamp with time zone` column.
#[derive(Debug, Clone, Copy)]
pub struct Instants<'a> {
    /// Microseconds since 1970.
    pub instants: &'a TimestampMicrosecondArray,
    /// Zone names.
    pub zones: &'a StringArray,
    /// Which rows are NULL.
    pub nulls: Option<&'a NullBuffer>,
}

impl<'a> Instants<'a> {
    /// Takes a column apart.
    ///
    /// # Errors
    /// When the array is of another layout: a defect of the planner.
    pub fn new(array: &'a dyn Array) -> Result<Self, EvalError> {
        let layout = || EvalError::layout("timestamp with time zone");
        let parts = array.as_any().downcast_ref::<StructArray>().ok_or_else(layout)?;
        match parts.columns() {
            [instants, zones] => Ok(Self {
                instants: instants.as_any().downcast_ref().ok_or_else(layout)?,
                zones: zones.as_any().downcast_ref().ok_or_else(layout)?,
                nulls: array.nulls(),
            }),
            _ => Err(layout()),
        }
    }

    /// Returns the microseconds since 1970 and the zone of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> (i64, &'a str) {
        (self.instants.value(row), self.zones.value(row))
    }
}

/// Puts a `timestamp with time zone` column together.
///
/// # Errors
/// When the parts are not of one length.
pub fn instants(values: Vec<i64>, zones: StringArray, nulls: Option<NullBuffer>) -> Result<ArrayRef, EvalError> {
    let instants = TimestampMicrosecondArray::from(values).with_timezone("UTC");
    structure(&Type::TimestampTz(3), vec![Arc::new(instants), Arc::new(zones)], nulls)
}

/// The parts of a `time with time zone` column.
#[derive(Debug, Clone, Copy)]
pub struct OffsetTimes<'a> {
    /// Microseconds since midnight, as the clock there shows.
    pub times: &'a Time64MicrosecondArray,
    /// Minutes east of UTC.
    pub offsets: &'a Int32Array,
}

impl<'a> OffsetTimes<'a> {
    /// Takes a column apart.
    ///
    /// # Errors
    /// When the array is of another layout: a defect of the planner.
    pub fn new(array: &'a dyn Array) -> Result<Self, EvalError> {
        let layout = || EvalError::layout("time with time zone");
        let parts = array.as_any().downcast_ref::<StructArray>().ok_or_else(layout)?;
        match parts.columns() {
            [times, offsets] => Ok(Self {
                times: times.as_any().downcast_ref().ok_or_else(layout)?,
                offsets: offsets.as_any().downcast_ref().ok_or_else(layout)?,
            }),
            _ => Err(layout()),
        }
    }

    /// Returns the time of a row in UTC, in microseconds since midnight: what comparisons see.
    #[must_use]
    pub fn utc(&self, row: usize) -> i64 {
        (self.times.value(row) - i64::from(self.offsets.value(row)) * 60_000_000).rem_euclid(super::MICROS_PER_DAY)
    }
}

/// Puts a `time with time zone` column together.
///
/// # Errors
/// When the parts are not of one length.
pub fn offset_times(times: Vec<i64>, offsets: Vec<i32>, nulls: Option<NullBuffer>) -> Result<ArrayRef, EvalError> {
    let times = Time64MicrosecondArray::from(times);
    structure(&Type::TimeTz(3), vec![Arc::new(times), Arc::new(Int32Array::from(offsets))], nulls)
}

fn structure(layout: &Type, parts: Vec<ArrayRef>, nulls: Option<NullBuffer>) -> Result<ArrayRef, EvalError> {
    match layout.to_arrow() {
        DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(fields, parts, nulls)?)),
        _ => Err(EvalError::layout(&layout.to_string())),
    }
}
