//! `AT TIME ZONE`: the same instant in another zone.

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder, new_null_array};
use arrow::datatypes::DurationMillisecondType;

use super::arguments::{Column, Nulls, argument, expand, typed};
use super::{Form, form as make_form};
use crate::sql::coerce::can_coerce;
use crate::sql::error::SqlError;
use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::temporal::{
    Zone, Zones,
    zoned::{self, Instants},
};
use crate::sql::types::Type;

pub(super) fn form(value: &Type, zone: &Type) -> Result<Form, SqlError> {
    let zone = match zone {
        Type::IntervalDayToSecond => Type::IntervalDayToSecond,
        zone if can_coerce(zone, &Type::Varchar(None)) => Type::Varchar(None),
        other => {
            return Err(SqlError::type_mismatch(format!(
                "Type of time zone must be varchar or interval (actual {other})"
            )));
        }
    };
    match value {
        Type::Timestamp(precision) | Type::TimestampTz(precision) => {
            let zoned = Type::TimestampTz(*precision);
            Ok(make_form([zoned.clone(), zone], zoned, at_time_zone))
        }
        Type::Time(_) | Type::TimeTz(_) => Err(SqlError::unsupported("AT TIME ZONE of a time of day")),
        other => Err(SqlError::type_mismatch(format!(
            "Type of value must be a time or timestamp with or without time zone (actual {other})"
        ))),
    }
}

fn at_time_zone(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let expanded = expand(argument(arguments, 0)?, call.rows)?;
    let column = Instants::new(expanded.as_ref())?;
    let wanted = argument(arguments, 1)?;
    let mut zones = Zones::default();
    let mut ids = StringBuilder::new();
    for row in 0..call.rows {
        if !nulls.is_valid(row) {
            ids.append_value("");
        } else if wanted.array.data_type() == &arrow::datatypes::DataType::Utf8 {
            let name = typed::<StringArray>(&wanted.array)?.value(wanted.index(row));
            let zone = zones
                .get(name)
                .map_err(|_| EvalError::invalid_argument(format!("'{name}' is not a valid time zone")))?;
            ids.append_value(zone.id());
        } else {
            let millis = Column::<DurationMillisecondType>::new(wanted)?.value(row);
            if millis % 60_000 != 0 {
                return Err(EvalError::invalid_argument(
                    "Invalid time zone offset interval: interval contains seconds",
                ));
            }
            let zone = Zone::fixed(millis / 60_000)
                .map_err(|_| EvalError::invalid_argument("Invalid offset minutes for a time zone"))?;
            ids.append_value(zone.id());
        }
    }
    zoned::instants(column.instants.values().to_vec(), ids.finish(), nulls.into_buffer(call.rows))
}
