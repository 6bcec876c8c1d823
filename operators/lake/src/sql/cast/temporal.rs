//! Casts among dates, times and timestamps, with and without zones.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, StringBuilder};
use arrow::datatypes::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType};

use super::Conversion;
use super::text::{session_offset, session_zone};
use crate::sql::function::EvalError;
use crate::sql::temporal::zone::ZoneError;
use crate::sql::temporal::zoned::{self, Instants, OffsetTimes};
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, micros_of_precision, round_to};
use crate::sql::types::Type;

/// A value between two types: civil time since 1970 in nanoseconds (finer than any that is cast), and its zone.
#[derive(Clone, Copy)]
struct Moment<'a> {
    /// Microseconds of civil time.
    local: i64,
    /// The nanoseconds beyond, 0 to 999.
    nanos: i64,
    zone: Option<&'a Zone>,
    /// The instant, where there is a zone: the civil time alone may be ambiguous.
    instant: i64,
}

pub(super) fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&conversion.from.to_string());
    let plain = |local: i64| Moment { local, nanos: 0, zone: None, instant: 0 };
    match conversion.from {
        Type::Date => {
            let days: &PrimitiveArray<Date32Type> = array.as_primitive_opt().ok_or_else(layout)?;
            build(conversion, array, |row| {
                i64::from(days.value(row)).checked_mul(MICROS_PER_DAY).map(plain).ok_or_else(too_far)
            })
        }
        Type::Time(_) => {
            let times: &PrimitiveArray<Time64MicrosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            let today = today(conversion)?;
            build(conversion, array, |row| Ok(plain(today + times.value(row))))
        }
        Type::TimeTz(_) => {
            let parts = OffsetTimes::new(array.as_ref())?;
            let today = today(conversion)?;
            let mut offsets: Vec<Zone> = Vec::with_capacity(array.len());
            for row in 0..array.len() {
                let minutes = if array.is_valid(row) { i64::from(parts.offsets.value(row)) } else { 0 };
                offsets.push(Zone::fixed(minutes).map_err(|_| layout())?);
            }
            build(conversion, array, |row| {
                let local = today + parts.times.value(row);
                let zone = offsets.get(row).ok_or_else(layout)?;
                Ok(Moment { local, nanos: 0, zone: Some(zone), instant: zone.to_instant(local) })
            })
        }
        Type::Timestamp(precision) if *precision > 6 => {
            let values: &PrimitiveArray<TimestampNanosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            build(conversion, array, |row| {
                let nanos = values.value(row);
                Ok(Moment { nanos: nanos.rem_euclid(1_000), ..plain(nanos.div_euclid(1_000)) })
            })
        }
        Type::Timestamp(_) => {
            let values: &PrimitiveArray<TimestampMicrosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            build(conversion, array, |row| Ok(plain(values.value(row))))
        }
        Type::TimestampTz(_) => {
            let parts = Instants::new(array.as_ref())?;
            let mut zones = Zones::default();
            let mut found: Vec<Option<Zone>> = Vec::with_capacity(array.len());
            for row in 0..array.len() {
                let zone = if array.is_valid(row) {
                    Some(zones.get(parts.row(row).1).map_err(|_: ZoneError| layout())?.clone())
                } else {
                    None
                };
                found.push(zone);
            }
            build(conversion, array, |row| {
                let instant = parts.row(row).0;
                let zone = found.get(row).and_then(Option::as_ref).ok_or_else(layout)?;
                Ok(Moment { local: zone.to_local(instant), nanos: 0, zone: Some(zone), instant })
            })
        }
        _ => Err(layout()),
    }
}

fn too_far() -> EvalError {
    EvalError::unsupported("a timestamp so far away")
}

/// Returns the start of the session's day in microseconds of civil time.
fn today(conversion: &Conversion<'_>) -> Result<i64, EvalError> {
    let local = session_zone(conversion)?.to_local(conversion.session.start_us);
    Ok(local.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY)
}

/// Rounds microseconds with the nanoseconds behind them to a precision of at most 6.
fn rounded(micros: i64, nanos: i64, precision: u8) -> Result<i64, EvalError> {
    // Halves are decided by the digit behind the last kept one, so only precision 6 looks at the nanoseconds.
    let micros = if precision >= 6 && nanos >= 500 { micros + 1 } else { micros };
    round_to(micros, micros_of_precision(precision)).ok_or_else(too_far)
}

fn build<'a>(
    conversion: &Conversion<'_>,
    array: &ArrayRef,
    moment: impl Fn(usize) -> Result<Moment<'a>, EvalError>,
) -> Result<ArrayRef, EvalError> {
    let numbers = |value: &dyn Fn(Moment<'a>) -> Result<i64, EvalError>| -> Result<Vec<i64>, EvalError> {
        (0..array.len()).map(|row| if array.is_valid(row) { value(moment(row)?) } else { Ok(0) }).collect()
    };
    let nulls = array.nulls().cloned();
    match conversion.to {
        Type::Date => {
            let days = numbers(&|moment| Ok(moment.local.div_euclid(MICROS_PER_DAY)))?;
            let days: Vec<i32> =
                days.into_iter().map(|day| i32::try_from(day).map_err(|_| too_far())).collect::<Result<_, _>>()?;
            Ok(Arc::new(PrimitiveArray::<Date32Type>::try_new(days.into(), nulls)?))
        }
        Type::Time(precision) => {
            let times = numbers(&|moment| {
                let of_day = rounded(moment.local.rem_euclid(MICROS_PER_DAY), moment.nanos, *precision)?;
                Ok(of_day % MICROS_PER_DAY)
            })?;
            Ok(Arc::new(PrimitiveArray::<Time64MicrosecondType>::try_new(times.into(), nulls)?))
        }
        Type::TimeTz(precision) => {
            let times = numbers(&|moment| {
                let of_day = rounded(moment.local.rem_euclid(MICROS_PER_DAY), moment.nanos, *precision)?;
                Ok(of_day % MICROS_PER_DAY)
            })?;
            let session = session_offset(conversion)?;
            let offsets = (0..array.len())
                .map(|row| {
                    if array.is_null(row) {
                        return Ok(0);
                    }
                    let moment = moment(row)?;
                    match moment.zone {
                        Some(zone) => i32::try_from(zone.offset_seconds(moment.instant) / 60)
                            .map_err(|_| EvalError::layout("a time zone")),
                        None => Ok(session),
                    }
                })
                .collect::<Result<Vec<_>, _>>()?;
            zoned::offset_times(times, offsets, nulls)
        }
        Type::Timestamp(precision) if *precision > 6 => {
            let unit = 10_i64.pow(u32::from(9 - (*precision).min(9)));
            let values = numbers(&|moment| {
                moment
                    .local
                    .checked_mul(1_000)
                    .and_then(|nanos| nanos.checked_add(moment.nanos))
                    .and_then(|nanos| round_to(nanos, unit))
                    .ok_or_else(too_far)
            })?;
            Ok(Arc::new(PrimitiveArray::<TimestampNanosecondType>::try_new(values.into(), nulls)?))
        }
        Type::Timestamp(precision) => {
            let values = numbers(&|moment| rounded(moment.local, moment.nanos, *precision))?;
            Ok(Arc::new(PrimitiveArray::<TimestampMicrosecondType>::try_new(values.into(), nulls)?))
        }
        Type::TimestampTz(precision) => {
            let session = session_zone(conversion)?;
            let instants = numbers(&|moment| match moment.zone {
                Some(_) => rounded(moment.instant, moment.nanos, *precision),
                None => Ok(session.to_instant(rounded(moment.local, moment.nanos, *precision)?)),
            })?;
            let mut ids = StringBuilder::new();
            for row in 0..array.len() {
                let id = if array.is_valid(row) { moment(row)?.zone.unwrap_or(&session).id() } else { "" };
                ids.append_value(id);
            }
            zoned::instants(instants, ids.finish(), nulls)
        }
        other => Err(EvalError::layout(&other.to_string())),
    }
}
