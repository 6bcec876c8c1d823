//! What the kernels of all families share: typed access to arguments, rows of several arguments, and builders of results.
//!
//! A kernel reads its arguments as [`Column`]s, walks them together with [`each`], and ends in one of the methods of
//! [`Rows`], which pass over rows with a NULL argument. Kernels with NULL rules of their own read the columns by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BinaryBuilder, BooleanArray, ListArray,
    MapArray, PrimitiveArray, StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};

use super::{Argument, Call, EvalError, Kernel, Nulls, Overload};
use crate::sql::types::Type;

/// What a kernel gives.
pub(super) type Evaluated = Result<ArrayRef, EvalError>;

/// A form whose result is NULL when an argument is.
pub(super) const fn form(signature: &'static str, kernel: Kernel) -> Overload {
    Overload { signature, nulls: Nulls::ReturnNull, returns: None, kernel }
}

/// A form that looks at NULL arguments itself.
pub(super) const fn called(signature: &'static str, kernel: Kernel) -> Overload {
    Overload { signature, nulls: Nulls::Called, returns: None, kernel }
}

/// A form whose result's type is computed.
pub(super) const fn typed(signature: &'static str, returns: fn(&[Type]) -> Option<Type>, kernel: Kernel) -> Overload {
    Overload { signature, nulls: Nulls::ReturnNull, returns: Some(returns), kernel }
}

/// `INVALID_FUNCTION_ARGUMENT` with a sentence.
pub(super) fn invalid(message: impl Into<String>) -> EvalError {
    EvalError { name: "INVALID_FUNCTION_ARGUMENT", message: message.into() }
}

/// `NUMERIC_VALUE_OUT_OF_RANGE` with a sentence.
pub(super) fn out_of_range(message: impl Into<String>) -> EvalError {
    EvalError { name: "NUMERIC_VALUE_OUT_OF_RANGE", message: message.into() }
}

/// `INVALID_CAST_ARGUMENT` with a sentence.
pub(super) fn bad_cast(message: impl Into<String>) -> EvalError {
    EvalError { name: "INVALID_CAST_ARGUMENT", message: message.into() }
}

/// What Trino may answer and this engine does not: a refusal, never another answer.
pub(super) fn unsupported(construct: impl std::fmt::Display) -> EvalError {
    EvalError::unsupported(construct)
}

/// The engine called a kernel with something else than its signature says.
pub(super) fn broken(what: &str) -> EvalError {
    EvalError { name: "GENERIC_INTERNAL_ERROR", message: format!("a function was called with {what}") }
}

/// A typed argument.
#[derive(Clone, Copy)]
pub(super) struct Column<A> {
    array: A,
    constant: bool,
}

impl<A: ArrayAccessor> Column<A> {
    /// The value of a row, or nothing for NULL.
    pub(super) fn get(&self, row: usize) -> Option<A::Item> {
        let index = if self.constant { 0 } else { row };
        if self.array.is_null(index) { None } else { Some(self.array.value(index)) }
    }
}

impl<A> Column<A> {
    /// A column of an array that has all rows.
    pub(super) fn every(array: A) -> Self {
        Self { array, constant: false }
    }

    /// The array behind it.
    pub(super) fn array(&self) -> &A {
        &self.array
    }

    /// Where the value of a row is in the array.
    pub(super) fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }
}

/// The argument at a position.
pub(super) fn argument(arguments: &[Argument], position: usize) -> Result<&Argument, EvalError> {
    arguments.get(position).ok_or_else(|| broken("too few arguments"))
}

macro_rules! column {
    ($($(#[$doc:meta])* $name:ident -> $array:ty, $cast:ident $(::<$kind:ty>)?;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(arguments: &[Argument], position: usize) -> Result<Column<&$array>, EvalError> {
            let argument = argument(arguments, position)?;
            let array = argument.array.$cast$(::<$kind>)?().ok_or_else(|| broken("an array of another type"))?;
            Ok(Column { array, constant: argument.constant })
        }
    )*};
}

column! {
    /// A text argument.
    text -> StringArray, as_string_opt::<i32>;
    /// A varbinary argument.
    bytes -> BinaryArray, as_binary_opt::<i32>;
    /// A boolean argument.
    boolean -> BooleanArray, as_boolean_opt;
    /// A tinyint argument.
    tinyint -> PrimitiveArray<Int8Type>, as_primitive_opt::<Int8Type>;
    /// A smallint argument.
    smallint -> PrimitiveArray<Int16Type>, as_primitive_opt::<Int16Type>;
    /// An integer argument.
    integer -> PrimitiveArray<Int32Type>, as_primitive_opt::<Int32Type>;
    /// A bigint argument.
    bigint -> PrimitiveArray<Int64Type>, as_primitive_opt::<Int64Type>;
    /// A real argument.
    real -> PrimitiveArray<Float32Type>, as_primitive_opt::<Float32Type>;
    /// A double argument.
    double -> PrimitiveArray<Float64Type>, as_primitive_opt::<Float64Type>;
    /// A decimal argument, unscaled.
    decimal -> PrimitiveArray<Decimal128Type>, as_primitive_opt::<Decimal128Type>;
    /// A date argument, in days.
    date -> PrimitiveArray<Date32Type>, as_primitive_opt::<Date32Type>;
    /// An array argument.
    list -> ListArray, as_list_opt::<i32>;
    /// A map argument.
    map -> MapArray, as_map_opt;
    /// A row argument.
    fields -> StructArray, as_struct_opt;
}

/// A primitive argument of any kind.
pub(super) fn primitive<T: ArrowPrimitiveType>(
    arguments: &[Argument],
    position: usize,
) -> Result<Column<&PrimitiveArray<T>>, EvalError> {
    let argument = argument(arguments, position)?;
    let array = argument.array.as_primitive_opt::<T>().ok_or_else(|| broken("an array of another type"))?;
    Ok(Column { array, constant: argument.constant })
}

/// Columns that are read together.
pub(super) trait Columns {
    /// The values of one row.
    type Item;
    /// The values of a row, or nothing when one of them is NULL.
    fn row(&self, row: usize) -> Option<Self::Item>;
}

impl<A: ArrayAccessor> Columns for Column<A> {
    type Item = A::Item;
    fn row(&self, row: usize) -> Option<Self::Item> {
        self.get(row)
    }
}

macro_rules! columns {
    ($($name:ident)*) => {
        impl<$($name: Columns),*> Columns for ($($name,)*) {
            type Item = ($($name::Item,)*);
            fn row(&self, row: usize) -> Option<Self::Item> {
                #[expect(non_snake_case, reason = "the type parameters name the columns")]
                let ($($name,)*) = self;
                Some(($($name.row(row)?,)*))
            }
        }
    };
}
columns!(A B);
columns!(A B C);
columns!(A B C D);

/// The rows of a call, as tuples of values.
pub(super) struct Rows<C> {
    columns: C,
    rows: usize,
}

/// Walks columns together.
pub(super) fn each<C: Columns>(call: &Call<'_>, columns: C) -> Rows<C> {
    Rows { columns, rows: call.rows }
}

impl<C: Columns> Rows<C> {
    fn values<R>(
        &self,
        mut compute: impl FnMut(C::Item) -> Result<Option<R>, EvalError>,
    ) -> impl Iterator<Item = Result<Option<R>, EvalError>> {
        (0..self.rows).map(move |row| match self.columns.row(row) {
            Some(item) => compute(item),
            None => Ok(None),
        })
    }

    /// A column of a primitive type; nothing is NULL.
    pub(super) fn nullable<T: ArrowPrimitiveType>(
        &self,
        compute: impl FnMut(C::Item) -> Result<Option<T::Native>, EvalError>,
    ) -> Result<PrimitiveArray<T>, EvalError> {
        let mut builder = PrimitiveArray::<T>::builder(self.rows);
        for value in self.values(compute) {
            builder.append_option(value?);
        }
        Ok(builder.finish())
    }

    /// A column of a primitive type.
    pub(super) fn primitive<T: ArrowPrimitiveType>(
        &self,
        mut compute: impl FnMut(C::Item) -> Result<T::Native, EvalError>,
    ) -> Evaluated {
        Ok(Arc::new(self.nullable::<T>(|item| compute(item).map(Some))?))
    }

    /// A bigint column.
    pub(super) fn bigint(&self, compute: impl FnMut(C::Item) -> Result<i64, EvalError>) -> Evaluated {
        self.primitive::<Int64Type>(compute)
    }

    /// A double column, of a computation that cannot fail.
    pub(super) fn double(&self, mut compute: impl FnMut(C::Item) -> f64) -> Evaluated {
        self.primitive::<Float64Type>(|item| Ok(compute(item)))
    }

    /// A boolean column.
    pub(super) fn boolean(&self, compute: impl FnMut(C::Item) -> Result<Option<bool>, EvalError>) -> Evaluated {
        Ok(Arc::new(self.values(compute).collect::<Result<BooleanArray, _>>()?))
    }

    /// A text column; the computation writes into an empty buffer.
    pub(super) fn text(&self, mut compute: impl FnMut(C::Item, &mut String) -> Result<(), EvalError>) -> Evaluated {
        self.text_or_null(|item, out| compute(item, out).map(|()| Some(())))
    }

    /// A text column; the computation writes into an empty buffer, or gives nothing for NULL.
    pub(super) fn text_or_null(
        &self,
        mut compute: impl FnMut(C::Item, &mut String) -> Result<Option<()>, EvalError>,
    ) -> Evaluated {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut out = String::new();
        for row in 0..self.rows {
            out.clear();
            let written = match self.columns.row(row) {
                Some(item) => compute(item, &mut out)?,
                None => None,
            };
            builder.append_option(written.map(|()| out.as_str()));
        }
        Ok(Arc::new(builder.finish()))
    }

    /// A text column of parts of the arguments.
    pub(super) fn slices<'a>(
        &self,
        mut compute: impl FnMut(C::Item) -> Result<Option<&'a str>, EvalError>,
    ) -> Evaluated {
        let mut builder = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            builder.append_option(match self.columns.row(row) {
                Some(item) => compute(item)?,
                None => None,
            });
        }
        Ok(Arc::new(builder.finish()))
    }

    /// A varbinary column; the computation writes into an empty buffer.
    pub(super) fn bytes(&self, mut compute: impl FnMut(C::Item, &mut Vec<u8>) -> Result<(), EvalError>) -> Evaluated {
        let mut builder = BinaryBuilder::with_capacity(self.rows, self.rows * 16);
        let mut out = Vec::new();
        for row in 0..self.rows {
            out.clear();
            match self.columns.row(row) {
                Some(item) => {
                    compute(item, &mut out)?;
                    builder.append_value(&out);
                }
                None => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// A value made from a text (a pattern, a format) and kept while the text stays the same, which is what constants do.
pub(super) struct Prepared<T> {
    last: Option<(String, T)>,
}

impl<T> Prepared<T> {
    /// Nothing prepared yet.
    pub(super) const fn new() -> Self {
        Self { last: None }
    }

    /// The value for a text.
    pub(super) fn get(
        &mut self,
        text: &str,
        prepare: impl FnOnce(&str) -> Result<T, EvalError>,
    ) -> Result<&T, EvalError> {
        let last = match self.last.take() {
            Some(last) if last.0 == text => last,
            _ => (text.to_owned(), prepare(text)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

/// Whether a value is NULL, also where the array has only those.
pub(super) fn is_null(array: &dyn Array, index: usize) -> bool {
    *array.data_type() == DataType::Null || array.is_null(index)
}

/// An argument as an array of all rows.
pub(super) fn expand(argument: &Argument, rows: usize) -> Evaluated {
    if !argument.constant {
        return Ok(Arc::clone(&argument.array));
    }
    let zeros = UInt32Array::from(vec![0_u32; rows]);
    take(&argument.array, &zeros, None).map_err(|_| broken("a constant without a value"))
}

/// A column of maps from their keys and values one after the other, and how many each row has; nothing is NULL.
pub(super) fn map_of(of: &Type, keys: ArrayRef, values: ArrayRef, lengths: &[Option<usize>]) -> Evaluated {
    let DataType::Map(field, sorted) = of.to_arrow() else { return Err(broken("another result than a map")) };
    let DataType::Struct(fields) = field.data_type() else { return Err(broken("another result than a map")) };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)
        .map_err(|_| broken("keys and values of other types"))?;
    let (offsets, nulls) = spans(lengths);
    let maps = MapArray::try_new(field, offsets, entries, nulls, sorted).map_err(|_| broken("a map of other types"))?;
    Ok(Arc::new(maps))
}

/// A column of lists from their elements one after the other, and how many each row has; nothing is NULL.
pub(super) fn list_of(of: &Type, elements: ArrayRef, lengths: &[Option<usize>]) -> Evaluated {
    let DataType::List(field) = of.to_arrow() else { return Err(broken("another result than an array")) };
    let (offsets, nulls) = spans(lengths);
    let lists = ListArray::try_new(field, offsets, elements, nulls).map_err(|_| broken("elements of another type"))?;
    Ok(Arc::new(lists))
}

/// Where the values of rows start, and which rows are NULL.
fn spans(lengths: &[Option<usize>]) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls = lengths.iter().any(Option::is_none).then(|| lengths.iter().map(Option::is_some).collect());
    (offsets, nulls)
}

/// The bytes of a text that its first so many characters take.
pub(super) fn prefix_bytes(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// The characters of a text, as a bigint.
pub(super) fn character_count(text: &str) -> i64 {
    let count = if text.is_ascii() { text.len() } else { text.chars().count() };
    i64::try_from(count).unwrap_or(i64::MAX)
}
