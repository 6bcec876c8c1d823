//! Casts among `boolean`, whole numbers, `real`, `double` and `decimal`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};

use super::Conversion;
use crate::sql::function::EvalError;
use crate::sql::text::number as number_text;
use crate::sql::types::Type;

pub(super) fn convert(conversion: &Conversion<'_>, array: &ArrayRef) -> Result<ArrayRef, EvalError> {
    let layout = || EvalError::layout(&conversion.from.to_string());
    match conversion.from {
        Type::Boolean => {
            let bits = array.as_boolean_opt().ok_or_else(layout)?;
            let numbers: Int64Array = bits.iter().map(|bit| bit.map(i64::from)).collect();
            match conversion.to {
                // Trino does not look whether 1 fits: `decimal(2,2)` holds `1.00` then.
                Type::Decimal(_, scale) => {
                    let one = 10_i128.pow(u32::from(*scale));
                    each::<Int64Type, Decimal128Type>(conversion, &numbers, |bit| Ok(i128::from(bit) * one))
                }
                _ => from_whole(conversion, &numbers),
            }
        }
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => {
            let wide = arrow::compute::cast(array, &DataType::Int64)?;
            from_whole(conversion, wide.as_primitive_opt().ok_or_else(layout)?)
        }
        Type::Real => from_real(conversion, array.as_primitive_opt().ok_or_else(layout)?),
        Type::Double => from_double(conversion, array.as_primitive_opt().ok_or_else(layout)?),
        Type::Decimal(precision, scale) => {
            from_decimal(conversion, array.as_primitive_opt().ok_or_else(layout)?, *precision, *scale)
        }
        _ => Err(layout()),
    }
}

/// Converts number by number, passing over NULL.
pub(super) fn each<I: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    conversion: &Conversion<'_>,
    array: &PrimitiveArray<I>,
    convert: impl Fn(I::Native) -> Result<O::Native, EvalError>,
) -> Result<ArrayRef, EvalError> {
    let mut values = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        values.push(if array.is_valid(row) { convert(array.value(row))? } else { O::Native::default() });
    }
    let result = PrimitiveArray::<O>::try_new(values.into(), array.nulls().cloned())?;
    Ok(Arc::new(result.with_data_type(conversion.to.to_arrow())))
}

fn truth<I: ArrowPrimitiveType>(array: &PrimitiveArray<I>, test: impl Fn(I::Native) -> bool) -> ArrayRef {
    let bits = BooleanBuffer::collect_bool(array.len(), |row| test(array.value(row)));
    Arc::new(BooleanArray::new(bits, array.nulls().cloned()))
}

/// Narrows whole numbers to the type wanted.
fn narrow<I: ArrowPrimitiveType>(
    conversion: &Conversion<'_>,
    array: &PrimitiveArray<I>,
    whole: impl Fn(I::Native) -> Result<i64, EvalError>,
    error: impl Fn(I::Native) -> EvalError,
) -> Result<ArrayRef, EvalError> {
    match conversion.to {
        Type::Tinyint => {
            each::<I, Int8Type>(conversion, array, |value| i8::try_from(whole(value)?).map_err(|_| error(value)))
        }
        Type::Smallint => {
            each::<I, Int16Type>(conversion, array, |value| i16::try_from(whole(value)?).map_err(|_| error(value)))
        }
        Type::Integer => {
            each::<I, Int32Type>(conversion, array, |value| i32::try_from(whole(value)?).map_err(|_| error(value)))
        }
        Type::Bigint => each::<I, Int64Type>(conversion, array, whole),
        other => Err(EvalError::layout(&other.to_string())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "real and double hold the nearest value they have")]
fn from_whole(conversion: &Conversion<'_>, array: &Int64Array) -> Result<ArrayRef, EvalError> {
    match conversion.to {
        Type::Boolean => Ok(truth(array, |value| value != 0)),
        Type::Real => each::<Int64Type, Float32Type>(conversion, array, |value| Ok(value as f32)),
        Type::Double => each::<Int64Type, Float64Type>(conversion, array, |value| Ok(value as f64)),
        Type::Decimal(precision, scale) => each::<Int64Type, Decimal128Type>(conversion, array, |value| {
            i128::from(value)
                .checked_mul(10_i128.pow(u32::from(*scale)))
                .filter(|value| fits(*value, *precision))
                .ok_or_else(|| {
                    let from = conversion.from.to_string().to_uppercase();
                    EvalError::invalid_cast(format!("Cannot cast {from} '{value}' to {}", spaced(conversion.to)))
                })
        }),
        to => narrow(conversion, array, Ok, |value| EvalError::out_of_range(format!("Out of range for {to}: {value}"))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked against the range, or at its ends as Trino is")]
fn from_real(conversion: &Conversion<'_>, array: &PrimitiveArray<Float32Type>) -> Result<ArrayRef, EvalError> {
    match conversion.to {
        Type::Boolean => Ok(truth(array, |value| value != 0.0)),
        Type::Double => each::<Float32Type, Float64Type>(conversion, array, |value| Ok(f64::from(value))),
        Type::Decimal(precision, scale) => each::<Float32Type, Decimal128Type>(conversion, array, |value| {
            let written = number_text::java_float(value);
            exact(&written, *precision, *scale).map_err(|_| {
                EvalError::invalid_cast(format!("Cannot cast REAL '{written}' to {}", spaced(conversion.to)))
            })
        }),
        to => narrow(
            conversion,
            array,
            |value| {
                if value.is_nan() {
                    return Err(EvalError::invalid_cast(format!("Cannot cast real NaN to {to}")));
                }
                Ok(value.round() as i64)
            },
            |value| EvalError::out_of_range(format!("Out of range for {to}: {}", number_text::java_float(value))),
        ),
    }
}

/// Two to the 63rd, the first double that `bigint` cannot hold.
const BIGINT_END: f64 = 9_223_372_036_854_775_808.0;

#[expect(clippy::cast_possible_truncation, reason = "checked against the range, or rounded as REAL is")]
pub(super) fn from_double(
    conversion: &Conversion<'_>,
    array: &PrimitiveArray<Float64Type>,
) -> Result<ArrayRef, EvalError> {
    match conversion.to {
        Type::Boolean => Ok(truth(array, |value| value != 0.0)),
        Type::Real => each::<Float64Type, Float32Type>(conversion, array, |value| Ok(value as f32)),
        Type::Decimal(precision, scale) => each::<Float64Type, Decimal128Type>(conversion, array, |value| {
            let written = number_text::java_double(value);
            exact(&written, *precision, *scale).map_err(|fault| match fault {
                // Only what leaves no place before the point fails in another way there.
                Inexact::TooLarge if precision == scale && *precision > 18 => {
                    EvalError::out_of_range("Decimal overflow")
                }
                _ => EvalError::invalid_cast(format!("Cannot cast DOUBLE '{written}' to {}", spaced(conversion.to))),
            })
        }),
        to => narrow(
            conversion,
            array,
            |value| {
                let rounded = value.round();
                if *to == Type::Bigint {
                    if value.is_nan() || !(-BIGINT_END..BIGINT_END).contains(&rounded) {
                        return Err(EvalError::invalid_cast(format!(
                            "Unable to cast {} to bigint",
                            number_text::java_double(value)
                        )));
                    }
                } else if value.is_nan() {
                    return Err(EvalError::invalid_cast(format!("Cannot cast double NaN to {to}")));
                }
                Ok(rounded as i64)
            },
            |value| EvalError::out_of_range(format!("Out of range for {to}: {}", number_text::java_double(value))),
        ),
    }
}

/// The greatest whole number up to which a double, or a real, misses none.
const EXACT_DOUBLE: u128 = 1 << 53;
const EXACT_REAL: u128 = 1 << 24;

#[expect(
    clippy::cast_precision_loss,
    reason = "short decimals are divided as doubles, as Trino does; whole parts are exact below the limits"
)]
fn from_decimal(
    conversion: &Conversion<'_>,
    array: &PrimitiveArray<Decimal128Type>,
    from_precision: u8,
    from_scale: u8,
) -> Result<ArrayRef, EvalError> {
    let factor = 10_i128.pow(u32::from(from_scale));
    let written = |value: i128| {
        let mut out = String::new();
        number_text::decimal(&mut out, value, from_scale);
        out
    };
    match conversion.to {
        Type::Boolean => Ok(truth(array, |value| value != 0)),
        Type::Double => each::<Decimal128Type, Float64Type>(conversion, array, |value| {
            if from_precision <= 18 || (from_scale <= 22 && value.unsigned_abs() <= EXACT_DOUBLE) {
                return Ok(value as f64 / factor as f64);
            }
            written(value).parse().map_err(|_| EvalError::layout("a decimal"))
        }),
        Type::Real => each::<Decimal128Type, Float32Type>(conversion, array, |value| {
            if from_precision <= 18 || (from_scale <= 10 && value.unsigned_abs() <= EXACT_REAL) {
                return Ok(value as f32 / factor as f32);
            }
            written(value).parse().map_err(|_| EvalError::layout("a decimal"))
        }),
        Type::Decimal(precision, scale) => each::<Decimal128Type, Decimal128Type>(conversion, array, |value| {
            rescale(value, from_scale, *scale).filter(|rescaled| fits(*rescaled, *precision)).ok_or_else(|| {
                EvalError::invalid_cast(format!(
                    "Cannot cast {} '{}' to {}",
                    spaced(conversion.from),
                    written(value),
                    spaced(conversion.to)
                ))
            })
        }),
        to => {
            let error = |rounded: i128| {
                EvalError::invalid_cast(format!("Cannot cast '{rounded}' to {}", to.to_string().to_uppercase()))
            };
            narrow(
                conversion,
                array,
                |value| {
                    let rounded = rescale(value, from_scale, 0).ok_or_else(|| error(value))?;
                    i64::try_from(rounded).map_err(|_| error(rounded))
                },
                |value| error(rescale(value, from_scale, 0).unwrap_or(value)),
            )
        }
    }
}

/// Changes the scale of a decimal, halves away from zero; none when 128 bits do not hold it.
pub(in crate::sql) fn rescale(value: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return value.checked_mul(10_i128.checked_pow(u32::from(to - from))?);
    }
    let divisor = 10_i128.checked_pow(u32::from(from - to))?;
    let (whole, rest) = (value / divisor, value % divisor);
    // The divisor is even, so half of it is exact.
    Some(if rest.unsigned_abs() >= divisor.unsigned_abs() / 2 { whole + value.signum() } else { whole })
}

/// Tells whether a decimal's digits are at most so many.
pub(in crate::sql) fn fits(value: i128, precision: u8) -> bool {
    value.unsigned_abs() < 10_u128.pow(u32::from(precision))
}

/// Why a text is no decimal of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Inexact {
    NotANumber,
    TooLarge,
}

/// Reads a number, with an exponent where there is one, as a decimal; halves are rounded away from zero.
pub(in crate::sql) fn exact(text: &str, precision: u8, scale: u8) -> Result<i128, Inexact> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| Inexact::NotANumber)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Inexact::NotANumber);
    }
    let digits: Vec<u8> = digits.into_iter().skip_while(|digit| *digit == b'0').collect();
    if digits.is_empty() {
        return Ok(0);
    }
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    // How many zeros the digits need behind them, or how many of them are to be dropped.
    let shift = i64::from(exponent) - length(fraction.len()) + i64::from(scale);
    let kept = length(digits.len()).saturating_add(shift);
    if kept > 38 {
        return Err(Inexact::TooLarge);
    }
    let mut value: i128 = 0;
    for place in 0..kept.max(0) {
        let digit = usize::try_from(place).ok().and_then(|place| digits.get(place)).map_or(0, |digit| digit - b'0');
        value = value * 10 + i128::from(digit);
    }
    let dropped = usize::try_from(kept).ok().and_then(|kept| digits.get(kept));
    if dropped.is_some_and(|digit| *digit >= b'5') {
        value += 1;
    }
    if !fits(value, precision) {
        return Err(Inexact::TooLarge);
    }
    Ok(if negative { -value } else { value })
}

/// Writes a decimal type as Trino's messages of casts do: `DECIMAL(5, 2)`.
pub(super) fn spaced(decimal: &Type) -> String {
    match decimal {
        Type::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        other => other.to_string().to_uppercase(),
    }
}
