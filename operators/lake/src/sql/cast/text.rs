//! Casts from and to text, and among bytes, UUIDs and addresses.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryBuilder, PrimitiveArray,
    StringArray, StringBuilder,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType, TimestampNanosecondType,
};

use super::Conversion;
use super::number::{Inexact, exact, spaced};
use crate::sql::function::EvalError;
use crate::sql::temporal::zoned::{self, Instants, OffsetTimes};
use crate::sql::temporal::{MICROS_PER_DAY, Zone, Zones, format, parse};
use crate::sql::text::{self as value_text, number as number_text};
use crate::sql::types::Type;

/// Which error a text that is too long for `varchar(n)` gives.
#[derive(Clone, Copy)]
enum TooLong {
    /// `INVALID_CAST_ARGUMENT`: numbers and dates.
    NotRepresentable,
    /// `GENERIC_INTERNAL_ERROR`: what Trino notices only when the value is stored.
    Unnoticed,
}

pub(super) fn to_text(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&conversion.from.to_string());
    match conversion.from {
        Type::Varchar(_) | Type::Char(_) => Ok(recut(conversion, array.as_string_opt().ok_or_else(layout)?)),
        Type::Boolean => {
            let bits = array.as_boolean_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                out.push_str(if bits.value(row) { "true" } else { "false" });
            })
        }
        Type::Tinyint => numbers::<Int8Type>(conversion, array),
        Type::Smallint => numbers::<Int16Type>(conversion, array),
        Type::Integer => numbers::<Int32Type>(conversion, array),
        Type::Bigint => numbers::<Int64Type>(conversion, array),
        Type::Real => {
            let values: &PrimitiveArray<Float32Type> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::NotRepresentable, |out, row| {
                out.push_str(&number_text::cast_real(values.value(row)));
            })
        }
        Type::Double => {
            let values: &PrimitiveArray<Float64Type> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::NotRepresentable, |out, row| {
                out.push_str(&number_text::cast_double(values.value(row)));
            })
        }
        Type::Decimal(_, scale) => {
            let values: &PrimitiveArray<Decimal128Type> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::NotRepresentable, |out, row| {
                number_text::decimal(out, values.value(row), *scale);
            })
        }
        Type::Date => {
            let values: &PrimitiveArray<Date32Type> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::NotRepresentable, |out, row| {
                format::date(out, values.value(row).into(), format::FarYear::Plain);
            })
        }
        Type::Time(precision) => {
            let values: &PrimitiveArray<Time64MicrosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::time(out, values.value(row) * 1_000, *precision);
            })
        }
        Type::TimeTz(precision) => {
            let parts = OffsetTimes::new(array.as_ref())?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::time(out, parts.times.value(row) * 1_000, *precision);
                format::offset(out, parts.offsets.value(row).into());
            })
        }
        Type::Timestamp(precision) if *precision > 6 => {
            let values: &PrimitiveArray<TimestampNanosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::timestamp_nanos(out, values.value(row), *precision);
            })
        }
        Type::Timestamp(precision) => {
            let values: &PrimitiveArray<TimestampMicrosecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::timestamp_micros(out, values.value(row), *precision);
            })
        }
        Type::TimestampTz(precision) => {
            let parts = Instants::new(array.as_ref())?;
            let mut zones = Zones::default();
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                let (instant, zone) = parts.row(row);
                value_text::zoned(out, instant, zone, *precision, &mut zones);
            })
        }
        Type::IntervalDayToSecond => {
            let values: &PrimitiveArray<DurationMillisecondType> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::interval_day_to_second(out, values.value(row));
            })
        }
        Type::IntervalYearToMonth => {
            let values: &PrimitiveArray<IntervalYearMonthType> = array.as_primitive_opt().ok_or_else(layout)?;
            write_each(conversion, array, TooLong::Unnoticed, |out, row| {
                format::interval_year_to_month(out, values.value(row));
            })
        }
        Type::Uuid | Type::IpAddress => write_each(conversion, array, TooLong::Unnoticed, |out, row| {
            out.push_str(&value_text::display(conversion.from, array, row).unwrap_or_default());
        }),
        _ => Err(layout()),
    }
}

fn numbers<T: ArrowPrimitiveType<Native: std::fmt::Display>>(
    conversion: &Conversion<'_>,
    array: &ArrayRef,
) -> Result<ArrayRef, EvalError> {
    let values: &PrimitiveArray<T> =
        array.as_primitive_opt().ok_or_else(|| EvalError::layout(&conversion.from.to_string()))?;
    write_each(conversion, array, TooLong::NotRepresentable, |out, row| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", values.value(row));
    })
}

/// Writes row by row, passing over NULL, and looks at the length.
fn write_each(
    conversion: &Conversion<'_>,
    array: &ArrayRef,
    too_long: TooLong,
    mut write: impl FnMut(&mut String, usize),
) -> Result<ArrayRef, EvalError> {
    let limit = match conversion.to {
        Type::Varchar(Some(length)) => usize::try_from(*length).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut out = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        out.clear();
        write(&mut out, row);
        // All these texts are ASCII.
        if out.len() > limit {
            return Err(match too_long {
                TooLong::NotRepresentable => {
                    EvalError::invalid_cast(format!("Value {out} cannot be represented as {}", conversion.to))
                }
                TooLong::Unnoticed => EvalError::new(
                    "GENERIC_INTERNAL_ERROR",
                    format!("Character count exceeds length limit {limit}: {out}"),
                ),
            });
        }
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

/// Cuts texts to a length, takes the blanks off a `char`'s end and puts them on a `varchar` made of one.
fn recut(conversion: &Conversion<'_>, texts: &StringArray) -> ArrayRef {
    let size = |length: &u32| usize::try_from(*length).unwrap_or(usize::MAX);
    let width = match conversion.from {
        Type::Char(length) => size(length),
        _ => 0,
    };
    let limit = match conversion.to {
        Type::Varchar(Some(length)) | Type::Char(length) => size(length),
        _ => usize::MAX,
    };
    let to_char = matches!(conversion.to, Type::Char(_));
    let longest = match conversion.from {
        Type::Varchar(Some(length)) => size(length),
        _ => usize::MAX,
    };
    if !to_char && width == 0 && longest <= limit {
        return Arc::new(texts.clone());
    }
    let mut padded = String::new();
    let cut: StringArray = texts
        .iter()
        .map(|text| {
            let text = text?;
            padded.clear();
            padded.push_str(text);
            if !to_char {
                padded.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
            }
            let end = padded.char_indices().nth(limit).map_or(padded.len(), |(place, _)| place);
            let kept = &padded[..end];
            Some(if to_char { kept.trim_end_matches(' ') } else { kept }.to_owned())
        })
        .collect();
    Arc::new(cut)
}

/// Reads row by row, passing over NULL.
fn read_each<O: ArrowPrimitiveType>(
    conversion: &Conversion<'_>,
    texts: &StringArray,
    mut read: impl FnMut(&str) -> Result<O::Native, EvalError>,
) -> Result<ArrayRef, EvalError> {
    let mut values = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        values.push(if texts.is_valid(row) { read(texts.value(row))? } else { O::Native::default() });
    }
    let array = PrimitiveArray::<O>::try_new(values.into(), texts.nulls().cloned())?;
    Ok(Arc::new(array.with_data_type(conversion.to.to_arrow())))
}

pub(super) fn from_text(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let texts = array.as_string_opt::<i32>().ok_or_else(|| EvalError::layout(&conversion.from.to_string()))?;
    let cannot = |text: &str, name: &str| {
        // Java reads the digits of every script.
        if text.chars().any(|character| !character.is_ascii() && character.is_numeric()) {
            return EvalError::unsupported(format!("a number in other than ASCII digits: `{text}`"));
        }
        EvalError::invalid_cast(format!("Cannot cast '{text}' to {name}"))
    };
    match conversion.to {
        Type::Boolean => {
            let mut values = Vec::with_capacity(texts.len());
            for text in texts {
                values.push(text.map(|text| boolean(text).ok_or_else(|| cannot(text, "BOOLEAN"))).transpose()?);
            }
            Ok(Arc::new(BooleanArray::from(values)))
        }
        Type::Tinyint => read_each::<Int8Type>(conversion, texts, |text| {
            java_trim(text).parse().map_err(|_| cannot(text, "TINYINT"))
        }),
        Type::Smallint => read_each::<Int16Type>(conversion, texts, |text| {
            java_trim(text).parse().map_err(|_| cannot(text, "SMALLINT"))
        }),
        Type::Integer => {
            read_each::<Int32Type>(conversion, texts, |text| java_trim(text).parse().map_err(|_| cannot(text, "INT")))
        }
        Type::Bigint => read_each::<Int64Type>(conversion, texts, |text| {
            java_trim(text).parse().map_err(|_| cannot(text, "BIGINT"))
        }),
        Type::Real => read_each::<Float32Type>(conversion, texts, |text| {
            java_floating(text)?.and_then(|digits| digits.parse().ok()).ok_or_else(|| cannot(text, "REAL"))
        }),
        Type::Double => read_each::<Float64Type>(conversion, texts, |text| {
            java_floating(text)?.and_then(|digits| digits.parse().ok()).ok_or_else(|| cannot(text, "DOUBLE"))
        }),
        Type::Decimal(precision, scale) => read_each::<Decimal128Type>(conversion, texts, |text| {
            exact(text, *precision, *scale).map_err(|fault| {
                let why = match fault {
                    Inexact::NotANumber => "Value is not a number.",
                    Inexact::TooLarge => "Value too large.",
                };
                match cannot(text, "DECIMAL") {
                    refused if refused.name == crate::sql::error::UNSUPPORTED => refused,
                    _ => EvalError::invalid_cast(format!(
                        "Cannot cast VARCHAR '{text}' to {}. {why}",
                        spaced(conversion.to)
                    )),
                }
            })
        }),
        Type::Date => read_each::<Date32Type>(conversion, texts, |text| {
            parse::date(text).map_err(|_| EvalError::invalid_cast(format!("Value cannot be cast to date: {text}")))
        }),
        Type::Time(precision) => {
            read_each::<Time64MicrosecondType>(conversion, texts, |text| match parse::time(text) {
                Ok((time, None)) => Ok(time.micros(*precision) % MICROS_PER_DAY),
                _ => Err(EvalError::invalid_cast(format!("Value cannot be cast to time: {text}"))),
            })
        }
        Type::TimeTz(precision) => time_with_offset(conversion, texts, *precision),
        Type::Timestamp(precision) => {
            let precision = *precision;
            let mut zones = Zones::default();
            let mut read = |text: &str| -> Result<i64, EvalError> {
                let civil = civil(text)?;
                // The zone is read, and its clock's gaps are jumped, but it is not kept.
                let jumped = match civil.zone {
                    None => 0,
                    Some(name) => {
                        let zone = zones.get(name).map_err(|fault| bad_zone(fault, name, text))?;
                        let local = civil.micros(0).ok_or_else(|| bad_timestamp(text))?;
                        zone.to_local(zone.to_instant(local)) - local
                    }
                };
                let value = if precision > 6 {
                    civil.nanos(precision).and_then(|nanos| nanos.checked_add(jumped * 1_000))
                } else {
                    civil.micros(precision).and_then(|micros| micros.checked_add(jumped))
                };
                value.ok_or_else(|| EvalError::unsupported(format!("a timestamp so far away: `{text}`")))
            };
            if precision > 6 {
                read_each::<TimestampNanosecondType>(conversion, texts, read)
            } else {
                read_each::<TimestampMicrosecondType>(conversion, texts, &mut read)
            }
        }
        Type::TimestampTz(precision) => {
            let session = session_zone(conversion)?;
            let mut zones = Zones::default();
            let mut instants = Vec::with_capacity(texts.len());
            let mut ids = StringBuilder::new();
            for text in texts {
                let Some(text) = text else {
                    instants.push(0);
                    ids.append_value("");
                    continue;
                };
                let civil = civil(text)?;
                let zone = match civil.zone {
                    Some(name) => zones.get(name).map_err(|fault| bad_zone(fault, name, text))?,
                    None => &session,
                };
                let local = civil.micros(*precision).ok_or_else(|| bad_timestamp(text))?;
                instants.push(zone.to_instant(local));
                ids.append_value(zone.id());
            }
            zoned::instants(instants, ids.finish(), texts.nulls().cloned())
        }
        Type::Varbinary => {
            let bytes: BinaryArray = texts.iter().map(|text| text.map(str::as_bytes)).collect();
            Ok(Arc::new(bytes))
        }
        Type::Uuid => fixed(texts.iter().map(|text| text.map(uuid))),
        Type::IpAddress => fixed(texts.iter().map(|text| text.map(ip_address))),
        other => Err(EvalError::layout(&other.to_string())),
    }
}

fn fixed(values: impl Iterator<Item = Option<Result<[u8; 16], EvalError>>>) -> Result<ArrayRef, EvalError> {
    let mut builder = FixedSizeBinaryBuilder::new(16);
    for value in values {
        match value.transpose()? {
            Some(bytes) => builder.append_value(bytes)?,
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" => Some(true),
        "f" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Takes off what Java's `trim` does: blanks and control characters.
pub(super) fn java_trim(text: &str) -> &str {
    text.trim_matches(|character| character <= ' ')
}

/// Returns a floating point number as Java takes it in a form that Rust reads; none when it is none.
pub(super) fn java_floating(text: &str) -> Result<Option<&str>, EvalError> {
    let trimmed = java_trim(text);
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Ok(Some(trimmed));
    }
    if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        // Java reads these when they have a binary exponent.
        return if unsigned.contains(['p', 'P']) {
            Err(EvalError::unsupported(format!("a hexadecimal floating point number: `{text}`")))
        } else {
            Ok(None)
        };
    }
    let plain = trimmed.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(trimmed);
    let signs = |character: char| character.is_ascii_digit() || matches!(character, '.' | 'e' | 'E' | '+' | '-');
    Ok((plain.chars().all(signs) && plain.contains(|character: char| character.is_ascii_digit())).then_some(plain))
}

fn bad_timestamp(text: &str) -> EvalError {
    EvalError::invalid_cast(format!("Value cannot be cast to timestamp: {text}"))
}

fn bad_zone(fault: crate::sql::temporal::zone::ZoneError, zone: &str, text: &str) -> EvalError {
    match fault {
        crate::sql::temporal::zone::ZoneError::Unknown => bad_timestamp(text),
        crate::sql::temporal::zone::ZoneError::NotSupported => {
            EvalError::new("NOT_SUPPORTED", format!("Time zone not supported: {zone}"))
        }
    }
}

fn civil(text: &str) -> Result<parse::CivilText<'_>, EvalError> {
    parse::timestamp(java_trim(text)).map_err(|_| bad_timestamp(text))
}

pub(super) fn session_zone(conversion: &Conversion<'_>) -> Result<Zone, EvalError> {
    Zone::parse(&conversion.session.time_zone).map_err(|_| {
        EvalError::invalid_argument(format!("'{}' is not a valid time zone", conversion.session.time_zone))
    })
}

/// Returns the minutes east of UTC that the session's clock showed when the statement started.
pub(super) fn session_offset(conversion: &Conversion<'_>) -> Result<i32, EvalError> {
    let seconds = session_zone(conversion)?.offset_seconds(conversion.session.start_us);
    i32::try_from(seconds / 60).map_err(|_| EvalError::layout("a time zone"))
}

fn time_with_offset(conversion: &Conversion<'_>, texts: &StringArray, precision: u8) -> Result<ArrayRef, EvalError> {
    let session = session_offset(conversion)?;
    let (mut times, mut offsets) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    for text in texts {
        let (time, offset) = match text {
            None => (0, 0),
            Some(text) => match parse::time(text) {
                Ok((time, offset)) => (
                    time.micros(precision) % MICROS_PER_DAY,
                    offset.map_or(Ok(session), i32::try_from).map_err(|_| EvalError::layout("an offset"))?,
                ),
                Err(_) => {
                    return Err(EvalError::invalid_cast(format!(
                        "Value cannot be cast to time with time zone: {text}"
                    )));
                }
            },
        };
        times.push(time);
        offsets.push(offset);
    }
    zoned::offset_times(times, offsets, texts.nulls().cloned())
}

fn uuid(text: &str) -> Result<[u8; 16], EvalError> {
    if text.len() != 36 && text.split('-').count() == 5 {
        return Err(EvalError::invalid_cast(format!("Invalid UUID string length: {}", text.len())));
    }
    // Only the form with hyphens, not the others that the library reads.
    uuid::Uuid::try_parse(text)
        .ok()
        .filter(|_| text.len() == 36)
        .map(uuid::Uuid::into_bytes)
        .ok_or_else(|| EvalError::invalid_cast(format!("Cannot cast value to UUID: {text}")))
}

fn ip_address(text: &str) -> Result<[u8; 16], EvalError> {
    match text.parse() {
        Ok(IpAddr::V4(four)) => Ok(four.to_ipv6_mapped().octets()),
        Ok(IpAddr::V6(six)) => Ok(six.octets()),
        Err(_) => Err(EvalError::invalid_cast(format!("Cannot cast value to IPADDRESS: {text}"))),
    }
}

/// Casts among `varbinary`, `uuid` and `ipaddress`.
pub(super) fn bytes(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    if *conversion.to == Type::Varbinary {
        let fixed = array.as_fixed_size_binary_opt().ok_or_else(|| EvalError::layout(&conversion.from.to_string()))?;
        let bytes: BinaryArray = fixed.iter().collect();
        return Ok(Arc::new(bytes));
    }
    let all = array.as_binary_opt::<i32>().ok_or_else(|| EvalError::layout(&conversion.from.to_string()))?;
    let is_address = *conversion.to == Type::IpAddress;
    fixed(all.iter().map(|bytes| {
        bytes.map(|bytes| match <[u8; 16]>::try_from(bytes) {
            Ok(whole) => Ok(whole),
            Err(_) => match <[u8; 4]>::try_from(bytes) {
                Ok(four) if is_address => Ok(std::net::Ipv4Addr::from(four).to_ipv6_mapped().octets()),
                _ => {
                    let what = if is_address { "IP address" } else { "UUID" };
                    Err(EvalError::invalid_cast(format!("Invalid {what} binary length: {}", bytes.len())))
                }
            },
        })
    }))
}
