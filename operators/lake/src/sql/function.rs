//! The one table of functions: what it does not list does not exist.
//!
//! A family is a file that gives a slice of [`Function`]s; [`TABLE`] is the list of families. An entry is listed only with
//! recorded answers of a real Trino (`tests/sql`).

mod array;
mod array_set;
mod datetime;
mod datetime_convert;
mod datetime_format;
mod datetime_math;
mod datetime_pattern;
mod decimal_text;
mod encoding;
mod fitting;
mod format;
mod hash;
mod json;
mod json_reader;
mod kernel;
mod map;
mod math;
mod math_round;
mod moment;
mod regexp;
pub(crate) mod regexp_pattern;
mod string;
mod string_more;
mod string_split;
#[cfg(test)]
mod testing;
pub(crate) mod time_pattern;
mod url;

use arrow::array::ArrayRef;

use super::types::Type;
/// The function by which INSERT fits texts into columns.
pub use fitting::NAME as FIT;

/// A function of the dialect.
#[derive(Debug)]
pub struct Function {
    /// The name, lower case.
    pub name: &'static str,
    /// Its forms.
    pub overloads: &'static [Overload],
}

/// One form of a function.
#[derive(Debug)]
pub struct Overload {
    /// Parameters and result in Trino's words: `(varchar(x), bigint) -> varchar(x)`, `(array(E), E) -> E`,
    /// `(decimal(p,s)) -> decimal(p,s)`; `T...` repeats the last parameter.
    pub signature: &'static str,
    /// What a NULL argument does.
    pub nulls: Nulls,
    /// The result's type where the signature cannot say it: called with the coerced arguments' types.
    pub returns: Option<ResultType>,
    /// The code.
    pub kernel: Kernel,
}

/// Tells the type of a result by the types of the arguments; nothing when there is no such function.
pub type ResultType = fn(&[Type]) -> Option<Type>;

/// What a NULL argument does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// The result is NULL; the kernel must pass over such rows.
    ReturnNull,
    /// The kernel decides.
    Called,
}

/// Computes one batch. It must give an array of [`Call::rows`] rows of the Arrow type of [`Call::returns`].
pub type Kernel = fn(&Call<'_>, &[Argument]) -> Result<ArrayRef, EvalError>;

/// An argument: an array of all rows, or of one row that stands for all.
#[derive(Debug, Clone)]
pub struct Argument {
    /// The values.
    pub array: ArrayRef,
    /// Whether the first value stands for every row.
    pub constant: bool,
}

impl Argument {
    /// Returns where the value of a row is in the array.
    pub fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }
}

/// What a kernel may know besides its arguments.
#[derive(Debug)]
pub struct Call<'a> {
    /// The types of the arguments, as coerced.
    pub arguments: &'a [Type],
    /// The type of the result.
    pub returns: &'a Type,
    /// How many rows.
    pub rows: usize,
    /// The session.
    pub session: &'a Session,
}

/// What is the same for a whole statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// The IANA name of the session's time zone.
    pub time_zone: String,
    /// When the statement started, in microseconds since 1970: `now()` is this.
    pub start_us: i64,
    /// The database of unqualified tables.
    pub database: Option<String>,
}

/// Why a value could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalError {
    /// Trino's name of the error: `DIVISION_BY_ZERO`.
    pub name: &'static str,
    /// Trino's sentence.
    pub message: String,
}

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for EvalError {}

/// All scalar functions, by family.
pub static TABLE: &[&[Function]] = &[
    array::FAMILY,
    array_set::FAMILY,
    datetime::FAMILY,
    datetime_convert::FAMILY,
    datetime_format::FAMILY,
    datetime_math::FAMILY,
    encoding::FAMILY,
    fitting::FAMILY,
    format::FAMILY,
    hash::FAMILY,
    json::FAMILY,
    map::FAMILY,
    math::FAMILY,
    math_round::FAMILY,
    regexp::FAMILY,
    string::FAMILY,
    string_more::FAMILY,
    string_split::FAMILY,
    url::FAMILY,
];
