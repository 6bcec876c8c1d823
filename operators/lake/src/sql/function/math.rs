//! Floating-point mathematics, bases, buckets and bits. Rounding and signs are in `math_round`.
//!
//! Left out: distributions other than what is listed, and random numbers (a run must give the same rows again).

use std::f64::consts;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int8Type, Int16Type, Int32Type};

use super::kernel::{
    Evaluated, bigint, broken, double, each, form, integer, invalid, list, out_of_range, real, smallint, text, tinyint,
    unsupported,
};
use super::{Argument, Call, EvalError, Function};

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "sqrt", overloads: &[form("(double) -> double", sqrt)] },
    Function { name: "cbrt", overloads: &[form("(double) -> double", cbrt)] },
    Function { name: "exp", overloads: &[form("(double) -> double", exp)] },
    Function { name: "ln", overloads: &[form("(double) -> double", ln)] },
    Function { name: "log", overloads: &[form("(double, double) -> double", log)] },
    Function { name: "log2", overloads: &[form("(double) -> double", log2)] },
    Function { name: "log10", overloads: &[form("(double) -> double", log10)] },
    Function { name: "power", overloads: &[form("(double, double) -> double", power)] },
    Function { name: "pow", overloads: &[form("(double, double) -> double", power)] },
    Function { name: "sin", overloads: &[form("(double) -> double", sin)] },
    Function { name: "cos", overloads: &[form("(double) -> double", cos)] },
    Function { name: "tan", overloads: &[form("(double) -> double", tan)] },
    Function { name: "asin", overloads: &[form("(double) -> double", asin)] },
    Function { name: "acos", overloads: &[form("(double) -> double", acos)] },
    Function { name: "atan", overloads: &[form("(double) -> double", atan)] },
    Function { name: "atan2", overloads: &[form("(double, double) -> double", atan2)] },
    Function { name: "sinh", overloads: &[form("(double) -> double", sinh)] },
    Function { name: "cosh", overloads: &[form("(double) -> double", cosh)] },
    Function { name: "tanh", overloads: &[form("(double) -> double", tanh)] },
    Function { name: "degrees", overloads: &[form("(double) -> double", degrees)] },
    Function { name: "radians", overloads: &[form("(double) -> double", radians)] },
    Function { name: "pi", overloads: &[form("() -> double", pi)] },
    Function { name: "e", overloads: &[form("() -> double", e)] },
    Function { name: "nan", overloads: &[form("() -> double", nan)] },
    Function { name: "infinity", overloads: &[form("() -> double", infinity)] },
    Function {
        name: "is_nan",
        overloads: &[form("(double) -> boolean", is_nan), form("(real) -> boolean", is_nan_real)],
    },
    Function { name: "is_finite", overloads: &[form("(double) -> boolean", is_finite)] },
    Function { name: "is_infinite", overloads: &[form("(double) -> boolean", is_infinite)] },
    Function {
        name: "width_bucket",
        overloads: &[
            form("(double, double, double, bigint) -> bigint", width_bucket),
            form("(double, array(double)) -> bigint", width_bucket_of_bins),
        ],
    },
    Function { name: "from_base", overloads: &[form("(varchar(x), bigint) -> bigint", from_base)] },
    Function { name: "to_base", overloads: &[form("(bigint, bigint) -> varchar(64)", to_base)] },
    Function { name: "bitwise_and", overloads: &[form("(bigint, bigint) -> bigint", bitwise_and)] },
    Function { name: "bitwise_or", overloads: &[form("(bigint, bigint) -> bigint", bitwise_or)] },
    Function { name: "bitwise_xor", overloads: &[form("(bigint, bigint) -> bigint", bitwise_xor)] },
    Function { name: "bitwise_not", overloads: &[form("(bigint) -> bigint", bitwise_not)] },
    Function { name: "bit_count", overloads: &[form("(bigint, bigint) -> bigint", bit_count)] },
    Function {
        name: "bitwise_left_shift",
        overloads: &[
            form("(tinyint, integer) -> tinyint", left_shift_tinyint),
            form("(smallint, integer) -> smallint", left_shift_smallint),
            form("(integer, integer) -> integer", left_shift_integer),
            form("(bigint, integer) -> bigint", left_shift_bigint),
        ],
    },
    Function {
        name: "bitwise_right_shift",
        overloads: &[
            form("(tinyint, integer) -> tinyint", right_shift_tinyint),
            form("(smallint, integer) -> smallint", right_shift_smallint),
            form("(integer, integer) -> integer", right_shift_integer),
            form("(bigint, integer) -> bigint", right_shift_bigint),
        ],
    },
    Function {
        name: "bitwise_right_shift_arithmetic",
        overloads: &[
            form("(tinyint, integer) -> tinyint", arithmetic_shift_tinyint),
            form("(smallint, integer) -> smallint", arithmetic_shift_smallint),
            form("(integer, integer) -> integer", arithmetic_shift_integer),
            form("(bigint, integer) -> bigint", arithmetic_shift_bigint),
        ],
    },
];

macro_rules! of_double {
    ($($name:ident = $compute:expr;)*) => {$(
        fn $name(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, double(arguments, 0)?).double($compute)
        }
    )*};
}

of_double! {
    sqrt = f64::sqrt;
    cbrt = libm::cbrt;
    exp = f64::exp;
    ln = f64::ln;
    log2 = |value| value.ln() / consts::LN_2;
    log10 = f64::log10;
    sin = f64::sin;
    cos = f64::cos;
    tan = f64::tan;
    asin = f64::asin;
    acos = f64::acos;
    atan = f64::atan;
    sinh = hyperbolic_sine;
    cosh = hyperbolic_cosine;
    tanh = f64::tanh;
    degrees = |value: f64| value * DEGREES_OF_A_RADIAN;
    radians = |value: f64| value * RADIANS_OF_A_DEGREE;
}

/// 180 / π, as Java rounds it.
const DEGREES_OF_A_RADIAN: f64 = 57.295_779_513_082_32;

/// π / 180, as Java rounds it.
const RADIANS_OF_A_DEGREE: f64 = 0.017_453_292_519_943_295;

/// Hyperbolic functions of large numbers are half the exponential: beyond this the other half does not count.
const ONE_EXPONENTIAL: f64 = 22.0;

/// The hyperbolic sine as Java's strict mathematics computes it, by `expm1`.
fn hyperbolic_sine(value: f64) -> f64 {
    let magnitude = value.abs();
    let half = 0.5_f64.copysign(value);
    if magnitude >= ONE_EXPONENTIAL || value.is_nan() {
        return libm::sinh(value);
    }
    if magnitude < 2f64.powi(-28) {
        return value;
    }
    let grown = libm::expm1(magnitude);
    if magnitude < 1.0 {
        half * (2.0 * grown - grown * grown / (grown + 1.0))
    } else {
        half * (grown + grown / (grown + 1.0))
    }
}

/// The hyperbolic cosine as Java's strict mathematics computes it.
fn hyperbolic_cosine(value: f64) -> f64 {
    let magnitude = value.abs();
    if magnitude >= ONE_EXPONENTIAL || value.is_nan() {
        return libm::cosh(value);
    }
    if magnitude < 0.5 * consts::LN_2 {
        let grown = libm::expm1(magnitude);
        let whole = 1.0 + grown;
        return if magnitude < 2f64.powi(-55) { whole } else { 1.0 + grown * grown / (whole + whole) };
    }
    let exponential = libm::exp(magnitude);
    0.5 * exponential + 0.5 / exponential
}

fn log(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, double(arguments, 1)?)).double(|(base, value)| value.ln() / base.ln())
}

fn power(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, double(arguments, 1)?)).double(|(base, exponent)| {
        // Java gives no number where C gives 1: a base of ±1 with no number or an infinity as exponent.
        let undefined = (base.abs() - 1.0) == 0.0 && exponent.is_infinite();
        if undefined || exponent.is_nan() || (base.is_nan() && exponent != 0.0) {
            f64::NAN
        } else {
            base.powf(exponent)
        }
    })
}

fn atan2(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, double(arguments, 1)?)).double(|(y, x)| y.atan2(x))
}

macro_rules! constants {
    ($($name:ident = $value:expr;)*) => {$(
        fn $name(call: &Call<'_>, _: &[Argument]) -> Evaluated {
            Ok(std::sync::Arc::new(arrow::array::Float64Array::from(vec![$value; call.rows])))
        }
    )*};
}

constants! {
    pi = consts::PI;
    e = consts::E;
    nan = f64::NAN;
    infinity = f64::INFINITY;
}

fn is_nan(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).boolean(|value| Ok(Some(value.is_nan())))
}

fn is_nan_real(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, real(arguments, 0)?).boolean(|value| Ok(Some(value.is_nan())))
}

fn is_finite(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).boolean(|value| Ok(Some(value.is_finite())))
}

fn is_infinite(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, double(arguments, 0)?).boolean(|value| Ok(Some(value.is_infinite())))
}

/// The bigint that a double is cut to; too large ones become the largest.
#[expect(clippy::cast_possible_truncation, reason = "Java's cast, which saturates as Rust's does")]
pub(super) fn truncated(value: f64) -> i64 {
    value as i64
}

/// A bigint as a double, rounded to the nearest.
#[expect(clippy::cast_precision_loss, reason = "SQL's own conversion of a bigint to a double")]
pub(super) fn as_double(value: i64) -> f64 {
    value as f64
}

fn width_bucket(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let columns = (double(arguments, 0)?, double(arguments, 1)?, double(arguments, 2)?, bigint(arguments, 3)?);
    each(call, columns).bigint(|(value, first, second, buckets)| {
        if buckets <= 0 {
            return Err(invalid("bucketCount must be greater than 0"));
        }
        if value.is_nan() {
            return Err(invalid("operand must not be NaN"));
        }
        if !first.is_finite() {
            return Err(invalid("first bound must be finite"));
        }
        if !second.is_finite() {
            return Err(invalid("second bound must be finite"));
        }
        let (lower, upper) = (first.min(second), first.max(second));
        if upper <= lower {
            return Err(invalid("bounds cannot equal each other"));
        }
        let bucket = if value < lower {
            0
        } else if value >= upper {
            buckets.checked_add(1).ok_or_else(|| out_of_range(format!("Bucket for value {value:?} is out of range")))?
        } else {
            truncated(as_double(buckets) * (value - lower) / (upper - lower) + 1.0)
        };
        Ok(if first > second { buckets - bucket + 1 } else { bucket })
    })
}

fn width_bucket_of_bins(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (double(arguments, 0)?, list(arguments, 1)?)).bigint(|(value, bins)| {
        let bins = bins.as_primitive_opt::<Float64Type>().ok_or_else(|| broken("another element type"))?;
        if bins.is_empty() {
            return Err(invalid("Bins cannot be an empty array"));
        }
        if bins.null_count() > 0 {
            return Err(unsupported("width_bucket over bins with NULL is not supported"));
        }
        if value.is_nan() {
            return Err(invalid("Operand cannot be NaN"));
        }
        let bins = bins.values();
        let (mut lower, mut upper) = (0, bins.len());
        while lower < upper {
            if bins[lower] > bins[upper - 1] {
                return Err(invalid("Bin values are not sorted in ascending order"));
            }
            let middle = lower.midpoint(upper);
            if !bins[middle].is_finite() {
                return Err(invalid(format!("Bin value must be finite, got {:?}", bins[middle])));
            }
            if value < bins[middle] {
                upper = middle;
            } else {
                lower = middle + 1;
            }
        }
        i64::try_from(lower).map_err(|_| broken("too many bins"))
    })
}

/// A base that numbers can be written in.
fn radix(radix: i64) -> Result<u32, EvalError> {
    u32::try_from(radix)
        .ok()
        .filter(|radix| (2..=36).contains(radix))
        .ok_or_else(|| invalid("Radix must be between 2 and 36"))
}

fn from_base(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, bigint(arguments, 1)?)).bigint(|(digits, base)| {
        i64::from_str_radix(digits, radix(base)?)
            .map_err(|_| invalid(format!("Not a valid base-{base} number: {digits}")))
    })
}

fn to_base(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut digits = Vec::new();
    each(call, (bigint(arguments, 0)?, bigint(arguments, 1)?)).text(|(value, base), out| {
        let base = radix(base)?;
        let mut rest = value.unsigned_abs();
        digits.clear();
        while rest > 0 || digits.is_empty() {
            let digit = u32::try_from(rest % u64::from(base)).map_err(|_| broken("a large base"))?;
            digits.extend(char::from_digit(digit, base));
            rest /= u64::from(base);
        }
        if value < 0 {
            out.push('-');
        }
        out.extend(digits.iter().rev());
        Ok(())
    })
}

fn bitwise_and(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, bigint(arguments, 1)?)).bigint(|(left, right)| Ok(left & right))
}

fn bitwise_or(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, bigint(arguments, 1)?)).bigint(|(left, right)| Ok(left | right))
}

fn bitwise_xor(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, bigint(arguments, 1)?)).bigint(|(left, right)| Ok(left ^ right))
}

fn bitwise_not(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, bigint(arguments, 0)?).bigint(|value| Ok(!value))
}

fn bit_count(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, bigint(arguments, 1)?)).bigint(|(value, bits)| {
        let width = u32::try_from(bits)
            .ok()
            .filter(|width| (2..=64).contains(width))
            .ok_or_else(|| invalid(format!("Bits specified in bit_count must be between 2 and 64, got {bits}")))?;
        if width == 64 {
            return Ok(i64::from(value.count_ones()));
        }
        let bound = 1_i64 << (width - 1);
        if value < -bound || value >= bound {
            return Err(invalid(format!(
                "Number must be representable with the bits specified. {value} cannot be represented with {bits} bits"
            )));
        }
        let mask = (1_i64 << width) - 1;
        Ok(i64::from((value & mask).count_ones()))
    })
}

/// The low bits of a distance, which is what shifting 64 bits takes.
fn distance(shift: i32) -> u32 {
    shift.cast_unsigned()
}

macro_rules! shifts {
    ($($kind:ty, $native:ty, $column:ident, $left:ident, $right:ident, $arithmetic:ident;)*) => {$(
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are the result")]
        fn $left(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, ($column(arguments, 0)?, integer(arguments, 1)?)).primitive::<$kind>(|(value, shift)| {
                if shift >= <$native>::BITS.cast_signed() {
                    return Ok(0);
                }
                Ok(i64::from(value).wrapping_shl(distance(shift)) as $native)
            })
        }

        #[expect(clippy::cast_possible_truncation, reason = "the low bits are the result")]
        fn $right(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, ($column(arguments, 0)?, integer(arguments, 1)?)).primitive::<$kind>(|(value, shift)| {
                if shift >= <$native>::BITS.cast_signed() {
                    return Ok(0);
                }
                Ok(u64::from(value.cast_unsigned()).wrapping_shr(distance(shift)) as $native)
            })
        }

        #[expect(clippy::cast_possible_truncation, reason = "the low bits are the result")]
        fn $arithmetic(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
            each(call, ($column(arguments, 0)?, integer(arguments, 1)?)).primitive::<$kind>(|(value, shift)| {
                if shift >= <$native>::BITS.cast_signed() {
                    return Ok(if value < 0 { -1 } else { 0 });
                }
                Ok(i64::from(value).wrapping_shr(distance(shift)) as $native)
            })
        }
    )*};
}

shifts! {
    Int8Type, i8, tinyint, left_shift_tinyint, right_shift_tinyint, arithmetic_shift_tinyint;
    Int16Type, i16, smallint, left_shift_smallint, right_shift_smallint, arithmetic_shift_smallint;
    Int32Type, i32, integer, left_shift_integer, right_shift_integer, arithmetic_shift_integer;
}

fn left_shift_bigint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, integer(arguments, 1)?))
        .bigint(|(value, shift)| Ok(if shift >= 64 { 0 } else { value.wrapping_shl(distance(shift)) }))
}

fn right_shift_bigint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, integer(arguments, 1)?)).bigint(|(value, shift)| {
        Ok(if shift >= 64 { 0 } else { value.cast_unsigned().wrapping_shr(distance(shift)).cast_signed() })
    })
}

fn arithmetic_shift_bigint(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (bigint(arguments, 0)?, integer(arguments, 1)?))
        .bigint(|(value, shift)| Ok(if shift >= 64 { value >> 63 } else { value.wrapping_shr(distance(shift)) }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bigint, double, error, integer, text, value};
    use crate::sql::types::Type;

    fn of(name: &str, values: &[f64]) -> String {
        let values: Vec<_> = values.iter().map(|value| double(*value)).collect();
        value(name, 0, Type::Double, &values)
    }

    #[test]
    fn figures_are_those_of_trino() {
        assert_eq!(of("log", &[10.0, 1000.0]), "2.9999999999999996");
        assert_eq!(of("log2", &[3.0]), "1.5849625007211563");
        assert_eq!(of("cbrt", &[2.0]), "1.2599210498948732");
        assert_eq!(of("cosh", &[1.0]), "1.543080634815244");
        assert_eq!(of("cosh", &[2.3]), "5.037220649268761");
        assert_eq!(of("cosh", &[7.7]), "1104.174222357196");
        assert_eq!(of("sinh", &[2.3]), "4.936961805545957");
        assert_eq!(of("sinh", &[-3.3]), "-13.537877876628322");
        assert_eq!(of("tanh", &[0.3]), "0.2913126124515909");
        assert_eq!(of("tanh", &[1.2]), "0.8336546070121552");
        assert_eq!(of("degrees", &[0.1]), "5.729577951308233");
        assert_eq!(of("degrees", &[2.5]), "143.2394487827058");
        assert_eq!(of("power", &[1.0, f64::NAN]), "NaN");
        assert_eq!(of("power", &[f64::NAN, 0.0]), "1.0");
    }

    #[test]
    fn buckets_may_run_backwards() {
        let bucket = |of, first, second| {
            value("width_bucket", 0, Type::Bigint, &[double(of), double(first), double(second), bigint(5)])
        };
        assert_eq!(bucket(5.3, 0.0, 10.0), "3");
        assert_eq!(bucket(10.0, 0.0, 10.0), "6");
        assert_eq!(bucket(3.0, 10.0, 0.0), "4");
        assert_eq!(bucket(10.0, 10.0, 0.0), "0");
    }

    #[test]
    fn shifts_drop_bits_and_take_negative_distances() {
        assert_eq!(value("bitwise_right_shift", 2, Type::Integer, &[integer(-8), integer(1)]), "2147483644");
        assert_eq!(value("bitwise_right_shift", 3, Type::Bigint, &[bigint(-1), integer(-1)]), "1");
        assert_eq!(value("bitwise_left_shift", 2, Type::Integer, &[integer(1), integer(-31)]), "0");
        assert_eq!(value("bitwise_right_shift_arithmetic", 2, Type::Integer, &[integer(-8), integer(32)]), "-1");
        assert_eq!(value("bit_count", 0, Type::Bigint, &[bigint(-7), bigint(8)]), "6");
    }

    #[test]
    fn bases_are_checked() {
        assert_eq!(value("to_base", 0, Type::Varchar(Some(64)), &[bigint(i64::MIN), bigint(10)]), i64::MIN.to_string());
        assert_eq!(value("from_base", 0, Type::Bigint, &[text("-101"), bigint(2)]), "-5");
        assert_eq!(
            error("from_base", 0, Type::Bigint, &[text("12"), bigint(2)]),
            "INVALID_FUNCTION_ARGUMENT: Not a valid base-2 number: 12"
        );
    }
}
