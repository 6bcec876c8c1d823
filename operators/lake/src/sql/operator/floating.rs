//! Arithmetic of `real` and `double`: IEEE 754, so nothing fails.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, Float64Type};

use super::arguments::{binary, unary};
use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::types::Type;

/// Processors give NaN a sign and a payload that grouping and ordering would see; Trino has one NaN.
fn one_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value }
}

fn one_nan_single(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value }
}

macro_rules! operation {
    ($name:ident, $operation:path) => {
        pub(super) fn $name(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
            let never = || EvalError::layout("a number");
            match call.returns {
                Type::Real => binary::<Float32Type, Float32Type, Float32Type>(
                    call,
                    arguments,
                    |l, r| Some(one_nan_single($operation(l, r))),
                    |_, _| never(),
                ),
                _ => binary::<Float64Type, Float64Type, Float64Type>(
                    call,
                    arguments,
                    |l, r| Some(one_nan($operation(l, r))),
                    |_, _| never(),
                ),
            }
        }
    };
}

operation!(add, Add::add);
operation!(subtract, Sub::sub);
operation!(multiply, Mul::mul);
operation!(divide, Div::div);
operation!(modulus, Rem::rem);

pub(super) fn negate(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let never = || EvalError::layout("a number");
    match call.returns {
        Type::Real => {
            unary::<Float32Type, Float32Type>(call, arguments, |value| Some(one_nan_single(value.neg())), |_| never())
        }
        _ => unary::<Float64Type, Float64Type>(call, arguments, |value| Some(one_nan(value.neg())), |_| never()),
    }
}
