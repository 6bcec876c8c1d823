//! Reading kernels' arguments: typed columns where a constant stands for every row, and loops over them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, UInt32Array, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer};

use crate::sql::function::{Argument, Call, EvalError};

/// A column of numbers; a constant is read again for every row.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a, T: ArrowPrimitiveType> {
    values: &'a [T::Native],
    /// All ones, or zero for a constant: a row's place is `row & mask`.
    mask: usize,
}

impl<'a, T: ArrowPrimitiveType> Column<'a, T> {
    /// Reads an argument.
    ///
    /// # Errors
    /// When the array is of another type: a defect of the planner.
    pub fn new(argument: &'a Argument) -> Result<Self, EvalError> {
        let array = typed::<PrimitiveArray<T>>(&argument.array)?;
        Ok(Self { values: array.values(), mask: if argument.constant { 0 } else { usize::MAX } })
    }

    /// Returns the value of a row, whether or not it is NULL.
    #[inline]
    pub fn value(&self, row: usize) -> T::Native {
        self.values[row & self.mask]
    }
}

/// Returns an array as what it must be.
///
/// # Errors
/// When it is of another type: a defect of the planner.
pub fn typed<A: Array + 'static>(array: &ArrayRef) -> Result<&A, EvalError> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| EvalError::layout(std::any::type_name::<A>()))
}

/// Returns an argument of the call by its place.
///
/// # Errors
/// When there are fewer: a defect of the planner.
pub fn argument(arguments: &[Argument], place: usize) -> Result<&Argument, EvalError> {
    arguments.get(place).ok_or_else(|| EvalError::layout("a call with so many arguments"))
}

/// Which rows of the result are NULL because an argument is.
#[derive(Debug)]
pub enum Nulls {
    /// None.
    None,
    /// These.
    Some(NullBuffer),
    /// All: a constant is NULL.
    All,
}

impl Nulls {
    /// Joins the NULLs of arguments.
    #[must_use]
    pub fn of(arguments: &[Argument]) -> Self {
        let mut joined: Option<NullBuffer> = None;
        for argument in arguments {
            // Not the array's own null mask alone: an array of type Null has none.
            let Some(nulls) = argument.array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else { continue };
            if argument.constant {
                return Self::All;
            }
            joined = NullBuffer::union(joined.as_ref(), Some(&nulls));
        }
        joined.map_or(Self::None, Self::Some)
    }

    /// Tells whether a row is to be computed.
    #[must_use]
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        match self {
            Self::None => true,
            Self::Some(nulls) => nulls.is_valid(row),
            Self::All => false,
        }
    }

    /// Returns the mask for the result.
    #[must_use]
    pub fn into_buffer(self, rows: usize) -> Option<NullBuffer> {
        match self {
            Self::None => None,
            Self::Some(nulls) => Some(nulls),
            Self::All => Some(NullBuffer::new_null(rows)),
        }
    }
}

/// Computes a number from two numbers, row by row; `None` stops with the error for that row's operands.
///
/// # Errors
/// The first row's error, or a wrong layout.
pub fn binary<L: ArrowPrimitiveType, R: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    call: &Call<'_>,
    arguments: &[Argument],
    compute: impl Fn(L::Native, R::Native) -> Option<O::Native>,
    error: impl Fn(L::Native, R::Native) -> EvalError,
) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let left = Column::<L>::new(argument(arguments, 0)?)?;
    let right = Column::<R>::new(argument(arguments, 1)?)?;
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if nulls.is_valid(row) {
            let (l, r) = (left.value(row), right.value(row));
            match compute(l, r) {
                Some(value) => values.push(value),
                None => return Err(error(l, r)),
            }
        } else {
            values.push(O::Native::default());
        }
    }
    finish::<O>(call, values, nulls)
}

/// Computes a number from one number, row by row; `None` stops with the error for that row's operand.
///
/// # Errors
/// The first row's error, or a wrong layout.
pub fn unary<I: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    call: &Call<'_>,
    arguments: &[Argument],
    compute: impl Fn(I::Native) -> Option<O::Native>,
    error: impl Fn(I::Native) -> EvalError,
) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let column = Column::<I>::new(argument(arguments, 0)?)?;
    let mut values = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if nulls.is_valid(row) {
            let value = column.value(row);
            match compute(value) {
                Some(value) => values.push(value),
                None => return Err(error(value)),
            }
        } else {
            values.push(O::Native::default());
        }
    }
    finish::<O>(call, values, nulls)
}

fn finish<O: ArrowPrimitiveType>(call: &Call<'_>, values: Vec<O::Native>, nulls: Nulls) -> Result<ArrayRef, EvalError> {
    let array = PrimitiveArray::<O>::try_new(values.into(), nulls.into_buffer(call.rows))?;
    Ok(Arc::new(array.with_data_type(call.returns.to_arrow())))
}

/// Makes a boolean array; rows that are NULL are not computed.
///
/// # Errors
/// The first row's error.
pub fn booleans(
    call: &Call<'_>,
    nulls: Nulls,
    mut compute: impl FnMut(usize) -> Result<bool, EvalError>,
) -> Result<ArrayRef, EvalError> {
    let mut failure = None;
    let values = BooleanBuffer::collect_bool(call.rows, |row| {
        if failure.is_some() || !nulls.is_valid(row) {
            return false;
        }
        compute(row).unwrap_or_else(|error| {
            failure = Some(error);
            false
        })
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Arc::new(arrow::array::BooleanArray::new(values, nulls.into_buffer(call.rows)))),
    }
}

/// Repeats a constant, so that every row has its own place.
///
/// # Errors
/// When the copy fails.
pub fn expand(argument: &Argument, rows: usize) -> Result<ArrayRef, EvalError> {
    if !argument.constant || (rows == 1 && argument.array.len() == 1) {
        return Ok(Arc::clone(&argument.array));
    }
    Ok(arrow::compute::take(&argument.array, &UInt32Array::from(vec![0; rows]), None)?)
}
