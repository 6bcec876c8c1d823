//! Exact arithmetic of `decimal(p,s)`: Trino's result types, halves rounded away from zero, overflow as an error.
//!
//! Values have up to 38 digits; what goes beyond between the steps is computed in 256 bits.

use arrow::array::ArrayRef;
use arrow::datatypes::{Decimal128Type, i256};

use super::arguments::{binary, unary};
use super::{Form, Operator, form as make_form};
use crate::sql::function::{Argument, Call, EvalError, Kernel};
use crate::sql::types::Type;

/// The greatest value of 38 digits.
pub(crate) const GREATEST: i128 = 10_i128.pow(38) - 1;

/// Returns the decimal type that holds every value of an exact number's type.
pub(super) fn of(operand: &Type) -> Option<Type> {
    match operand {
        Type::Decimal(..) => Some(operand.clone()),
        Type::Tinyint => Some(Type::Decimal(3, 0)),
        Type::Smallint => Some(Type::Decimal(5, 0)),
        Type::Integer => Some(Type::Decimal(10, 0)),
        Type::Bigint => Some(Type::Decimal(19, 0)),
        _ => None,
    }
}

/// Returns the form for two decimals; none when the result would have more than 38 digits behind the point.
pub(super) fn form(operator: Operator, left: &Type, right: &Type) -> Option<Form> {
    let (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) = (left, right) else { return None };
    let (whole1, whole2, scale) = (p1 - s1, p2 - s2, *s1.max(s2));
    let (precision, scale, kernel): (u8, u8, Kernel) = match operator {
        Operator::Add => (1 + scale + whole1.max(whole2), scale, add),
        Operator::Subtract => (1 + scale + whole1.max(whole2), scale, subtract),
        Operator::Multiply => (p1 + p2, s1 + s2, multiply),
        Operator::Divide => (p1 + s2 + s2.saturating_sub(*s1), scale, divide),
        _ => (whole1.min(whole2) + scale, scale, modulus),
    };
    let precision = precision.clamp(1, 38);
    (scale <= precision).then(|| make_form([left.clone(), right.clone()], Type::Decimal(precision, scale), kernel))
}

fn scales(call: &Call<'_>) -> Result<(u32, u32, u32), EvalError> {
    match (call.arguments, call.returns) {
        ([Type::Decimal(_, left), Type::Decimal(_, right)], Type::Decimal(_, result)) => {
            Ok((u32::from(*left), u32::from(*right), u32::from(*result)))
        }
        _ => Err(EvalError::layout("two decimals")),
    }
}

fn overflow() -> EvalError {
    EvalError::out_of_range("Decimal overflow")
}

/// Returns a 256-bit value if it has at most 38 digits.
fn narrow(wide: i256) -> Option<i128> {
    wide.to_i128().filter(|value| (-GREATEST..=GREATEST).contains(value))
}

fn ten_to(power: u32) -> i256 {
    // At most 10^76, which fits: two scales of 38.
    i256::from_i128(10).wrapping_pow(power)
}

fn sum(
    call: &Call<'_>,
    arguments: &[Argument],
    exact: impl Fn(i128, i128) -> Option<i128>,
    wide: impl Fn(i256, i256) -> i256,
) -> Result<ArrayRef, EvalError> {
    let (left_scale, right_scale, scale) = scales(call)?;
    // Both factors are at most 10^38.
    let (left_factor, right_factor) = (10_i128.pow(scale - left_scale), 10_i128.pow(scale - right_scale));
    let compute = |left: i128, right: i128| {
        let quick = left
            .checked_mul(left_factor)
            .zip(right.checked_mul(right_factor))
            .and_then(|(left, right)| exact(left, right));
        match quick {
            Some(value) => (-GREATEST..=GREATEST).contains(&value).then_some(value),
            None => narrow(wide(
                i256::from_i128(left).wrapping_mul(i256::from_i128(left_factor)),
                i256::from_i128(right).wrapping_mul(i256::from_i128(right_factor)),
            )),
        }
    };
    binary::<Decimal128Type, Decimal128Type, Decimal128Type>(call, arguments, compute, |_, _| overflow())
}

fn add(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    sum(call, arguments, i128::checked_add, i256::wrapping_add)
}

fn subtract(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    sum(call, arguments, i128::checked_sub, i256::wrapping_sub)
}

fn multiply(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    binary::<Decimal128Type, Decimal128Type, Decimal128Type>(
        call,
        arguments,
        |left, right| left.checked_mul(right).filter(|value| (-GREATEST..=GREATEST).contains(value)),
        |_, _| overflow(),
    )
}

/// Divides, rounding halves away from zero.
fn quotient(dividend: i256, divisor: i256) -> Option<i256> {
    let whole = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?;
    let twice = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
    if twice >= divisor.checked_abs()? {
        let away = if (dividend < i256::ZERO) == (divisor < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
        whole.checked_add(away)
    } else {
        Some(whole)
    }
}

fn divide(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let (left_scale, right_scale, scale) = scales(call)?;
    let power = scale + right_scale - left_scale;
    let factor = ten_to(power);
    let small_factor = 10_i128.checked_pow(power);
    let compute = |left: i128, right: i128| {
        if right == 0 {
            return None;
        }
        if let Some(dividend) = small_factor.and_then(|factor| left.checked_mul(factor)) {
            let (whole, rest) = (dividend / right, dividend % right);
            // The divisor is below 10^38, so twice the rest fits.
            let value = if rest.unsigned_abs() * 2 >= right.unsigned_abs() {
                whole + if (dividend < 0) == (right < 0) { 1 } else { -1 }
            } else {
                whole
            };
            return (-GREATEST..=GREATEST).contains(&value).then_some(value);
        }
        narrow(quotient(i256::from_i128(left).checked_mul(factor)?, i256::from_i128(right))?)
    };
    binary::<Decimal128Type, Decimal128Type, Decimal128Type>(call, arguments, compute, |_, right| {
        if right == 0 { EvalError::division_by_zero() } else { overflow() }
    })
}

fn modulus(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let (left_scale, right_scale, scale) = scales(call)?;
    let (left_factor, right_factor) = (ten_to(scale - left_scale), ten_to(scale - right_scale));
    let compute = |left: i128, right: i128| {
        if right == 0 {
            return None;
        }
        let left = i256::from_i128(left).checked_mul(left_factor)?;
        let right = i256::from_i128(right).checked_mul(right_factor)?;
        narrow(left.checked_rem(right)?)
    };
    binary::<Decimal128Type, Decimal128Type, Decimal128Type>(call, arguments, compute, |_, right| {
        if right == 0 { EvalError::division_by_zero() } else { overflow() }
    })
}

pub(super) fn negate(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    unary::<Decimal128Type, Decimal128Type>(call, arguments, i128::checked_neg, |_| overflow())
}
