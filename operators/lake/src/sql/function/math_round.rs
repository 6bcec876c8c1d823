//! Numbers of every type, kept in their type: absolute values, signs, remainders, rounding, cutting, and the largest or
//! smallest of several.
//!
//! Rounding is half away from zero. A rounded decimal has its type's digits and one more, for the carry.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, make_comparator, new_null_array};
use arrow::compute::{SortOptions, interleave};
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};

use super::kernel::{
    Evaluated, argument, bigint, broken, decimal, double, each, expand, form, integer, out_of_range, real, smallint,
    tinyint, typed, unsupported,
};
use super::math::{as_double, truncated};
use super::{Argument, Call, EvalError, Function};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function {
        name: "abs",
        overloads: &[
            form("(tinyint) -> tinyint", abs_tinyint),
            form("(smallint) -> smallint", abs_smallint),
            form("(integer) -> integer", abs_integer),
            form("(bigint) -> bigint", abs_bigint),
            form("(decimal(p,s)) -> decimal(p,s)", abs_decimal),
            form("(real) -> real", abs_real),
            form("(double) -> double", abs_double),
        ],
    },
    Function {
        name: "sign",
        overloads: &[
            form("(tinyint) -> tinyint", sign_tinyint),
            form("(smallint) -> smallint", sign_smallint),
            form("(integer) -> integer", sign_integer),
            form("(bigint) -> bigint", sign_bigint),
            form("(decimal(p,s)) -> decimal(1,0)", sign_decimal),
            form("(real) -> real", sign_real),
            form("(double) -> double", sign_double),
        ],
    },
    Function {
        name: "mod",
        overloads: &[
            form("(tinyint, tinyint) -> tinyint", mod_tinyint),
            form("(smallint, smallint) -> smallint", mod_smallint),
            form("(integer, integer) -> integer", mod_integer),
            form("(bigint, bigint) -> bigint", mod_bigint),
            typed("(decimal(p,s), decimal(q,t)) -> decimal(p,s)", mod_decimal_type, mod_decimal),
            form("(real, real) -> real", mod_real),
            form("(double, double) -> double", mod_double),
        ],
    },
    Function { name: "ceil", overloads: CEIL },
    Function { name: "ceiling", overloads: CEIL },
    Function {
        name: "floor",
        overloads: &[
            form("(tinyint) -> tinyint", same),
            form("(smallint) -> smallint", same),
            form("(integer) -> integer", same),
            form("(bigint) -> bigint", same),
            typed("(decimal(p,s)) -> decimal(p,s)", whole_with_carry, floor_decimal),
            form("(real) -> real", floor_real),
            form("(double) -> double", floor_double),
        ],
    },
    Function {
        name: "round",
        overloads: &[
            form("(tinyint) -> tinyint", same),
            form("(tinyint, integer) -> tinyint", round_tinyint),
            form("(smallint) -> smallint", same),
            form("(smallint, integer) -> smallint", round_smallint),
            form("(integer) -> integer", same),
            form("(integer, integer) -> integer", round_integer),
            form("(bigint) -> bigint", same),
            form("(bigint, integer) -> bigint", round_bigint),
            typed("(decimal(p,s)) -> decimal(p,s)", whole_with_carry, round_decimal),
            typed("(decimal(p,s), integer) -> decimal(p,s)", with_carry, round_decimal_to),
            form("(real) -> real", round_real),
            form("(real, integer) -> real", round_real_to),
            form("(double) -> double", round_double),
            form("(double, integer) -> double", round_double_to),
        ],
    },
    Function {
        name: "truncate",
        overloads: &[
            form("(double) -> double", truncate_double),
            form("(real) -> real", truncate_real),
            typed("(decimal(p,s)) -> decimal(p,s)", whole, truncate_decimal),
            form("(decimal(p,s), integer) -> decimal(p,s)", truncate_decimal_to),
        ],
    },
    Function { name: "greatest", overloads: &[form("(E, E...) -> E", greatest)] },
    Function { name: "least", overloads: &[form("(E, E...) -> E", least)] },
];

static CEIL: &[super::Overload] = &[
    form("(tinyint) -> tinyint", same),
    form("(smallint) -> smallint", same),
    form("(integer) -> integer", same),
    form("(bigint) -> bigint", same),
    typed("(decimal(p,s)) -> decimal(p,s)", whole_with_carry, ceil_decimal),
    form("(real) -> real", ceil_real),
    form("(double) -> double", ceil_double),
];

macro_rules! integers {
    ($($kind:ty, $column:ident, $name:literal, $abs:ident, $sign:ident, $mod:ident;)*) => {$(
        fn $abs(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, $column(arguments, 0)?).primitive::<$kind>(|value| {
                value.checked_abs().ok_or_else(|| out_of_range(format!("Value {value} is out of range for abs({})", $name)))
            })
        }

        fn $sign(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, $column(arguments, 0)?).primitive::<$kind>(|value| Ok(value.signum()))
        }

        fn $mod(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, ($column(arguments, 0)?, $column(arguments, 1)?)).primitive::<$kind>(|(value, divisor)| {
                if divisor == 0 {
                    // The operator has an error of its own for this; the function lets the machine's through.
                    return Err(EvalError { name: "GENERIC_INTERNAL_ERROR", message: "/ by zero".to_owned() });
                }
                Ok(value.wrapping_rem(divisor))
            })
        }
    )*};
}

integers! {
    Int8Type, tinyint, "tinyint", abs_tinyint, sign_tinyint, mod_tinyint;
    Int16Type, smallint, "smallint", abs_smallint, sign_smallint, mod_smallint;
    Int32Type, integer, "integer", abs_integer, sign_integer, mod_integer;
    Int64Type, bigint, "bigint", abs_bigint, sign_bigint, mod_bigint;
}

macro_rules! of_reals {
    ($($real:ident, $double:ident = $compute:ident;)*) => {$(
        fn $real(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, real(arguments, 0)?).primitive::<Float32Type>(|value| Ok(value.$compute()))
        }

        fn $double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, double(arguments, 0)?).primitive::<Float64Type>(|value| Ok(value.$compute()))
        }
    )*};
}

of_reals! {
    abs_real, abs_double = abs;
    ceil_real, ceil_double = ceil;
    floor_real, floor_double = floor;
    truncate_real, truncate_double = trunc;
}

fn sign_real(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    // Zero keeps its sign, and no number stays none.
    each(call, real(arguments, 0)?)
        .primitive::<Float32Type>(|value| Ok(if value == 0.0 { value } else { value.signum() }))
}

fn sign_double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).double(|value| if value == 0.0 { value } else { value.signum() })
}

fn mod_real(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (real(arguments, 0)?, real(arguments, 1)?))
        .primitive::<Float32Type>(|(value, divisor)| Ok(value % divisor))
}

fn mod_double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, double(arguments, 1)?)).double(|(value, divisor)| value % divisor)
}

fn same(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    expand(argument(arguments, 0)?, call.rows)
}

/// What a decimal's type says: its precision and scale.
fn decimal_type(of: Option<&Type>) -> Result<(u8, u8), EvalError> {
    match of {
        Some(Type::Decimal(precision, scale)) => Ok((*precision, *scale)),
        _ => Err(broken("another type than decimal")),
    }
}

/// The most digits a decimal may have.
const MOST_DIGITS: u8 = 38;

/// A power of ten that fits.
fn power_of_ten(exponent: u32) -> Result<i128, EvalError> {
    10_i128.checked_pow(exponent).ok_or_else(|| out_of_range("Decimal overflow"))
}

/// A column of decimals of the result's type.
fn decimals(call: &Call<'_>, values: PrimitiveArray<Decimal128Type>) -> ArrayRef {
    Arc::new(values.with_data_type(call.returns.to_arrow()))
}

fn abs_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    Ok(decimals(call, each(call, decimal(arguments, 0)?).nullable(|value| Ok(Some(value.abs())))?))
}

fn sign_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    Ok(decimals(call, each(call, decimal(arguments, 0)?).nullable(|value| Ok(Some(value.signum())))?))
}

/// The remainder's type: the larger scale, and the fewer of the digits before the point.
fn mod_decimal_type(arguments: &[Type]) -> Option<Type> {
    let [Type::Decimal(precision, scale), Type::Decimal(divisor_precision, divisor_scale)] = arguments else {
        return None;
    };
    let digits = precision.checked_sub(*scale)?.min(divisor_precision.checked_sub(*divisor_scale)?);
    let scale = *scale.max(divisor_scale);
    Some(Type::Decimal((digits + scale).clamp(1, MOST_DIGITS), scale))
}

fn mod_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (_, scale) = decimal_type(call.arguments.first())?;
    let (_, divisor_scale) = decimal_type(call.arguments.get(1))?;
    let common = scale.max(divisor_scale);
    let factor = power_of_ten(u32::from(common - scale))?;
    let divisor_factor = power_of_ten(u32::from(common - divisor_scale))?;
    let values = each(call, (decimal(arguments, 0)?, decimal(arguments, 1)?)).nullable(|(value, divisor)| {
        if divisor == 0 {
            return Err(EvalError { name: "DIVISION_BY_ZERO", message: "Division by zero".to_owned() });
        }
        match (value.checked_mul(factor), divisor.checked_mul(divisor_factor)) {
            (Some(value), Some(divisor)) => Ok(Some(value % divisor)),
            // The divisor is larger than any value, or the value needs more than 128 bits.
            (Some(value), None) => Ok(Some(value)),
            _ => Err(unsupported("the remainder of such large decimals is not supported")),
        }
    })?;
    Ok(decimals(call, values))
}

/// The type of a decimal rounded to a whole number, where the carry may need a digit.
fn whole_with_carry(arguments: &[Type]) -> Option<Type> {
    let [Type::Decimal(precision, scale)] = arguments else { return None };
    Some(Type::Decimal((precision - scale + (*scale).min(1)).clamp(1, MOST_DIGITS), 0))
}

/// The type of a decimal cut to a whole number.
fn whole(arguments: &[Type]) -> Option<Type> {
    let [Type::Decimal(precision, scale)] = arguments else { return None };
    Some(Type::Decimal((precision - scale).max(1), 0))
}

/// The type of a decimal rounded at some place, where the carry may need a digit.
fn with_carry(arguments: &[Type]) -> Option<Type> {
    let [Type::Decimal(precision, scale), _] = arguments else { return None };
    Some(Type::Decimal((precision + 1).min(MOST_DIGITS), *scale))
}

/// Divides and rounds half away from zero.
fn divide_half_up(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    if rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) { quotient + value.signum() } else { quotient }
}

/// Brings unscaled decimals to whole numbers.
fn to_whole(call: &Call<'_>, arguments: &[Argument], divide: fn(i128, i128) -> i128) -> Evaluated {
    let (_, scale) = decimal_type(call.arguments.first())?;
    let unit = power_of_ten(u32::from(scale))?;
    Ok(decimals(call, each(call, decimal(arguments, 0)?).nullable(|value| Ok(Some(divide(value, unit))))?))
}

fn ceil_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    to_whole(call, arguments, |value, unit| {
        let quotient = value / unit;
        if value % unit > 0 { quotient + 1 } else { quotient }
    })
}

fn floor_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    to_whole(call, arguments, i128::div_euclid)
}

fn round_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    to_whole(call, arguments, divide_half_up)
}

fn truncate_decimal(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    to_whole(call, arguments, |value, unit| value / unit)
}

/// What one at a decimal place is, unscaled: nothing when the place is beyond all digits, one when nothing is cut.
fn unit_of_place(scale: u8, places: i32) -> Option<i128> {
    let dropped = i64::from(scale) - i64::from(places);
    if dropped <= 0 {
        return Some(1);
    }
    u32::try_from(dropped).ok().and_then(|dropped| 10_i128.checked_pow(dropped))
}

/// The first number with more digits than a decimal can have.
const DECIMAL_BOUND: i128 = 10_i128.pow(38);

fn round_decimal_to(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (_, scale) = decimal_type(call.arguments.first())?;
    let values = each(call, (decimal(arguments, 0)?, integer(arguments, 1)?)).nullable(|(value, places)| {
        let Some(unit) = unit_of_place(scale, places) else { return Ok(Some(0)) };
        divide_half_up(value, unit)
            .checked_mul(unit)
            .filter(|rounded| rounded.abs() < DECIMAL_BOUND)
            .map(Some)
            .ok_or_else(|| out_of_range(format!("decimal overflow: {value}")))
    })?;
    Ok(decimals(call, values))
}

fn truncate_decimal_to(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (_, scale) = decimal_type(call.arguments.first())?;
    let values = each(call, (decimal(arguments, 0)?, integer(arguments, 1)?))
        .nullable(|(value, places)| Ok(Some(unit_of_place(scale, places).map_or(0, |unit| value - value % unit))))?;
    Ok(decimals(call, values))
}

/// Rounds a whole number at a place before the point.
fn round_whole(value: i64, places: i32) -> Result<i64, EvalError> {
    let overflow = || out_of_range(format!("numerical overflow: {value}"));
    if places >= 0 {
        return Ok(value);
    }
    let unit = 10_i64.checked_pow(places.unsigned_abs()).ok_or_else(overflow)?;
    let rounded = divide_half_up(i128::from(value), i128::from(unit)) * i128::from(unit);
    i64::try_from(rounded).map_err(|_| overflow())
}

fn round_bigint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, integer(arguments, 1)?)).bigint(|(value, places)| round_whole(value, places))
}

fn round_integer(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (integer(arguments, 0)?, integer(arguments, 1)?)).primitive::<Int32Type>(|(value, places)| {
        i32::try_from(round_whole(i64::from(value), places)?)
            .map_err(|_| EvalError { name: "GENERIC_INTERNAL_ERROR", message: "integer overflow".to_owned() })
    })
}

fn round_smallint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (smallint(arguments, 0)?, integer(arguments, 1)?)).primitive::<Int16Type>(|(value, places)| {
        let rounded = round_whole(i64::from(value), places)?;
        i16::try_from(rounded).map_err(|_| out_of_range(format!("Out of range for smallint: {rounded}")))
    })
}

fn round_tinyint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (tinyint(arguments, 0)?, integer(arguments, 1)?)).primitive::<Int8Type>(|(value, places)| {
        let rounded = round_whole(i64::from(value), places)?;
        i8::try_from(rounded).map_err(|_| out_of_range(format!("Out of range for tinyint: {rounded}")))
    })
}

/// Rounds a double at a decimal place: its magnitude times a power of ten, rounded to a bigint, and back. What does not
/// fit a bigint has no digits left to round.
fn round_float(value: f64, places: i32) -> f64 {
    /// From here on, powers of ten are infinite.
    const LARGEST_EXPONENT: i32 = 308;
    if !value.is_finite() {
        return value;
    }
    let factor = 10f64.powf(f64::from(places));
    let sign = if value < 0.0 { -1.0 } else { 1.0 };
    let rescaled = sign * value * factor;
    let rounded = half_up(rescaled);
    if rounded != i64::MAX {
        return sign * (as_double(rounded) / factor);
    }
    match usize::try_from(places) {
        Ok(digits) if places > LARGEST_EXPONENT => {
            // Numbers near the smallest there is: no double needs more digits than this.
            const MOST_PLACES: usize = 1_100;
            format!("{value:.*}", digits.min(MOST_PLACES)).parse().unwrap_or(value)
        }
        _ => value,
    }
}

/// The nearest bigint, halves upwards; no number is zero and what is too large the largest, as Java's `Math.round`.
fn half_up(value: f64) -> i64 {
    let floor = value.floor();
    truncated(if value - floor >= 0.5 { floor + 1.0 } else { floor })
}

fn round_double(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).double(|value| round_float(value, 0))
}

fn round_double_to(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, integer(arguments, 1)?)).double(|(value, places)| round_float(value, places))
}

/// Rounds a real as a double.
#[expect(clippy::cast_possible_truncation, reason = "a real's result is a real")]
fn round_single(value: f32, places: i32) -> f32 {
    if value.is_finite() { round_float(f64::from(value), places) as f32 } else { value }
}

fn round_real(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, real(arguments, 0)?).primitive::<Float32Type>(|value| Ok(round_single(value, 0)))
}

fn round_real_to(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (real(arguments, 0)?, integer(arguments, 1)?))
        .primitive::<Float32Type>(|(value, places)| Ok(round_single(value, places)))
}

fn greatest(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extreme(call, arguments, Ordering::Greater)
}

fn least(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extreme(call, arguments, Ordering::Less)
}

/// The argument of each row that stands in an order to all others; the first of equals; NULL when one is NULL.
fn extreme(call: &Call<'_>, arguments: &[Argument], wanted: Ordering) -> Evaluated {
    let mut arrays = arguments.iter().map(|argument| expand(argument, call.rows)).collect::<Result<Vec<_>, _>>()?;
    let comparators = comparators(call.returns, &arrays, wanted)?;
    arrays.push(new_null_array(&call.returns.to_arrow(), 1));
    let nothing = (arrays.len() - 1, 0);
    let chosen: Vec<(usize, usize)> = (0..call.rows)
        .map(|row| {
            if arguments.iter().any(|argument| argument.array.is_null(argument.index(row))) {
                return nothing;
            }
            let best = (1..arguments.len())
                .fold(0, |best, next| if comparators(next, best, row) == Some(wanted) { next } else { best });
            (best, row)
        })
        .collect();
    let arrays: Vec<&dyn Array> = arrays.iter().map(|array| &**array).collect();
    interleave(&arrays, &chosen).map_err(|_| broken("arrays of several types"))
}

/// Compares the values of two arguments in a row.
type Compare = Box<dyn Fn(usize, usize, usize) -> Option<Ordering>>;

/// How values of a type compare. What is not a number is passed over, whatever it is compared with.
fn comparators(of: &Type, arrays: &[ArrayRef], wanted: Ordering) -> Result<Compare, EvalError> {
    fn floats<T: ArrowPrimitiveType>(
        arrays: &[ArrayRef],
        wanted: Ordering,
        is_nan: fn(T::Native) -> bool,
    ) -> Result<Compare, EvalError>
    where
        T::Native: PartialOrd,
    {
        let columns = arrays
            .iter()
            .map(|array| array.as_primitive_opt::<T>().cloned().ok_or_else(|| broken("another type")))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(move |left, right, row| {
            let (left, right) = (columns[left].value(row), columns[right].value(row));
            match (is_nan(left), is_nan(right)) {
                (true, _) => None,
                (false, true) => Some(wanted),
                _ => left.partial_cmp(&right),
            }
        }))
    }
    match of {
        Type::Double => return floats::<Float64Type>(arrays, wanted, f64::is_nan),
        Type::Real => return floats::<Float32Type>(arrays, wanted, f32::is_nan),
        _ => {}
    }
    let keys = arrays
        .iter()
        .map(|array| match of {
            Type::Boolean
            | Type::Tinyint
            | Type::Smallint
            | Type::Integer
            | Type::Bigint
            | Type::Decimal(..)
            | Type::Varchar(_)
            | Type::Varbinary
            | Type::Date
            | Type::Time(_)
            | Type::Timestamp(_)
            | Type::IntervalDayToSecond
            | Type::IntervalYearToMonth => Ok(Arc::clone(array)),
            Type::TimestampTz(_) => {
                let parts = array.as_struct_opt().ok_or_else(|| broken("another type"))?;
                Ok(Arc::clone(parts.column(0)))
            }
            _ => Err(unsupported(format!("the greatest or least of {of} is not supported"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let count = keys.len();
    let mut comparators = Vec::with_capacity(count * count);
    for left in &keys {
        for right in &keys {
            comparators.push(
                make_comparator(left, right, SortOptions::default()).map_err(|_| broken("a type without an order"))?,
            );
        }
    }
    Ok(Box::new(move |left, right, row| Some(comparators[left * count + right](row, row))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, decimal, double, error, integer, real, value};
    use crate::sql::types::Type;

    #[test]
    fn doubles_round_half_away_from_zero_after_scaling() {
        let round = |of, places| value("round", 13, Type::Double, &[double(of), integer(places)]);
        assert_eq!(round(2.675, 2), "2.68");
        assert_eq!(round(-2.5, 0), "-3.0");
        assert_eq!(round(-0.4, 0), "-0.0");
        assert_eq!(round(0.499_999_999_999_999_94, 0), "0.0");
        assert_eq!(round(1.0, 400), "1.0");
        assert_eq!(round(1e300, 0), "1e300");
        assert_eq!(round(123.456, -400), "NaN");
        assert_eq!(value("round", 11, Type::Real, &[real(1.005), integer(2)]), "1.0");
    }

    #[test]
    fn decimals_keep_their_scale_and_gain_a_digit() {
        let returned = Type::Unknown;
        assert_eq!(value("round", 9, returned.clone(), &[decimal(125, 3, 2), integer(1)]), "1.30");
        assert_eq!(value("round", 9, returned.clone(), &[decimal(-955, 4, 1), integer(-2)]), "-100.0");
        assert_eq!(value("round", 8, returned.clone(), &[decimal(999, 3, 2)]), "10");
        assert_eq!(value("ceil", 4, returned.clone(), &[decimal(-5, 1, 1)]), "0");
        assert_eq!(value("floor", 4, returned.clone(), &[decimal(-12, 2, 1)]), "-2");
        assert_eq!(value("truncate", 2, returned.clone(), &[decimal(-199, 3, 2)]), "-1");
        assert_eq!(value("mod", 4, returned, &[decimal(-75, 2, 1), decimal(2, 1, 0)]), "-1.5");
    }

    #[test]
    fn whole_numbers_overflow_loudly() {
        assert_eq!(value("round", 7, Type::Bigint, &[bigint(-15), integer(-1)]), "-20");
        assert_eq!(
            error("round", 7, Type::Bigint, &[bigint(i64::MAX), integer(-1)]),
            "NUMERIC_VALUE_OUT_OF_RANGE: numerical overflow: 9223372036854775807"
        );
        assert_eq!(
            error("round", 5, Type::Integer, &[integer(i32::MAX), integer(-1)]),
            "GENERIC_INTERNAL_ERROR: integer overflow"
        );
        assert_eq!(
            error("abs", 2, Type::Integer, &[integer(i32::MIN)]),
            "NUMERIC_VALUE_OUT_OF_RANGE: Value -2147483648 is out of range for abs(integer)"
        );
    }

    #[test]
    fn the_extreme_passes_over_what_is_no_number() {
        let greatest = |values: &[f64]| {
            let values: Vec<_> = values.iter().map(|value| double(*value)).collect();
            value("greatest", 0, Type::Double, &values)
        };
        assert_eq!(greatest(&[f64::NAN, 1.0, 0.5]), "1.0");
        assert_eq!(greatest(&[1.0, f64::NAN, 3.0]), "3.0");
        assert_eq!(greatest(&[f64::NAN, f64::NAN]), "NaN");
        assert_eq!(value("least", 0, Type::Double, &[double(f64::NAN), double(f64::NAN), double(2.0)]), "2.0");
    }
}
