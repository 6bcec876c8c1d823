//! Why a statement cannot be planned or run: Trino's own refusals, and what this engine does not know yet.

use std::fmt;

use datafusion::error::DataFusionError;
use sqlparser::ast::Spanned;
use sqlparser::tokenizer::Span;

use crate::error::{Error, ErrorKind};

use super::function::EvalError;

/// The result of planning.
pub type SqlResult<T> = std::result::Result<T, SqlError>;

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Trino refuses too, under this name: `TYPE_MISMATCH`.
    Trino(&'static str),
    /// Athena answers it, this engine does not know it yet.
    Unsupported,
    /// It is a statement that writes or changes something: wrong wherever a SELECT is expected, on every engine.
    NotAQuery,
}

/// A statement that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// Who refuses.
    pub refusal: Refusal,
    /// What was expected and what was found.
    pub message: String,
    /// The 1-based line and column in the SQL text, where it is known.
    pub position: Option<(u32, u32)>,
}

/// The name that an [`EvalError`] has when the engine, not Trino, stops on a value.
pub const UNSUPPORTED: &str = "UNSUPPORTED_BY_EMBEDDED_ENGINE";

/// The name of the refusal of a statement that is no query.
pub const NOT_A_QUERY: &str = "NOT_A_QUERY";

impl SqlError {
    /// Makes an error that Trino gives too, by its name.
    pub fn trino(name: &'static str, message: impl Into<String>) -> Self {
        Self { refusal: Refusal::Trino(name), message: message.into(), position: None }
    }

    /// Makes an error of operands, arguments or columns that do not fit.
    pub fn type_mismatch(message: impl Into<String>) -> Self {
        Self::trino("TYPE_MISMATCH", message)
    }

    /// Makes an error of a construct that Athena knows and this engine does not.
    pub fn unsupported(construct: impl fmt::Display) -> Self {
        Self { refusal: Refusal::Unsupported, message: not_supported(construct), position: None }
    }

    /// Makes an error of a statement that does something else than read.
    pub fn not_a_query(message: impl Into<String>) -> Self {
        Self { refusal: Refusal::NotAQuery, message: message.into(), position: None }
    }

    /// Says where in the SQL text, unless it is known already.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.position.get_or_insert((line, column));
        self
    }

    /// Says that it is at the end of a text, unless the place is known already.
    #[must_use]
    pub fn at_end_of(self, text: &str) -> Self {
        let text = text.trim_end();
        let last = text.rsplit('\n').next().unwrap_or_default();
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.at(number(lines), number(last.chars().count() + 1))
    }

    /// Says where by the first character of a span, unless it is known already; a span that knows no place says nothing.
    #[must_use]
    pub fn at_span(self, span: Span) -> Self {
        if span.start.line == 0 {
            return self;
        }
        let line = u32::try_from(span.start.line).unwrap_or(u32::MAX);
        let column = u32::try_from(span.start.column).unwrap_or(u32::MAX);
        self.at(line, column)
    }

    /// Says that it is where an expression starts, unless the place is known already: looking for it goes through all of the
    /// expression, and so is not done again by everything around it.
    #[must_use]
    pub fn at_place_of(self, place: &impl Spanned) -> Self {
        if self.position.is_some() { self } else { self.at_span(place.span()) }
    }

    /// Returns the name of the error: Trino's, [`UNSUPPORTED`] or [`NOT_A_QUERY`].
    pub fn name(&self) -> &'static str {
        match self.refusal {
            Refusal::Trino(name) => name,
            Refusal::Unsupported => UNSUPPORTED,
            Refusal::NotAQuery => NOT_A_QUERY,
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Self {
        let kind = match error.refusal {
            Refusal::Trino(_) | Refusal::NotAQuery => ErrorKind::InvalidSql,
            Refusal::Unsupported => ErrorKind::UnsupportedSql,
        };
        let name = error.name();
        let mut converted = Self::new(kind, "plan query", error.message);
        if error.refusal != Refusal::NotAQuery {
            // Trino runs such a statement, so it has no name for the refusal.
            converted = converted.with("error", name);
        }
        converted.position = error.position;
        converted
    }
}

impl EvalError {
    /// Makes an error by Trino's name.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    /// Makes an error of a value that cannot be cast.
    pub fn invalid_cast(message: impl Into<String>) -> Self {
        Self::new("INVALID_CAST_ARGUMENT", message)
    }

    /// Makes an error of a number that its type cannot hold.
    pub fn out_of_range(message: impl Into<String>) -> Self {
        Self::new("NUMERIC_VALUE_OUT_OF_RANGE", message)
    }

    /// Makes an error of an argument that a function does not take.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new("INVALID_FUNCTION_ARGUMENT", message)
    }

    /// Makes an error of a division by zero.
    pub fn division_by_zero() -> Self {
        Self::new("DIVISION_BY_ZERO", "Division by zero")
    }

    /// Makes an error of a value that Trino takes and this engine cannot hold.
    pub fn unsupported(construct: impl fmt::Display) -> Self {
        Self::new(UNSUPPORTED, not_supported(construct))
    }

    /// Makes an error of an array that is not of the Arrow type its [`super::Type`] asks for: a defect of the planner.
    pub fn layout(what: &str) -> Self {
        Self::new("GENERIC_INTERNAL_ERROR", format!("an array is not in the layout of {what}"))
    }
}

impl From<arrow::error::ArrowError> for EvalError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::new("GENERIC_INTERNAL_ERROR", error.to_string())
    }
}

impl From<EvalError> for SqlError {
    fn from(error: EvalError) -> Self {
        if error.name == UNSUPPORTED {
            Self { refusal: Refusal::Unsupported, message: error.message, position: None }
        } else {
            Self::trino(error.name, error.message)
        }
    }
}

impl From<DataFusionError> for SqlError {
    /// A plan that `DataFusion` does not take is a gap of ours, never the user's mistake.
    fn from(error: DataFusionError) -> Self {
        match eval_error(&error) {
            Some(error) => error.into(),
            None => Self::unsupported(first_line(&error.to_string())),
        }
    }
}

/// Turns an error of a running query into the lake's; an [`EvalError`] of ours keeps Trino's name.
pub fn from_execution(error: DataFusionError) -> Error {
    if let Some(eval) = eval_error(&error) {
        let kind = if eval.name == UNSUPPORTED { ErrorKind::UnsupportedSql } else { ErrorKind::QueryFailed };
        return Error::new(kind, "run query", eval.message.clone()).with("error", eval.name).source(eval);
    }
    if let DataFusionError::ResourcesExhausted(message) = error.find_root() {
        let message = format!("the memory limit was reached: {}", first_line(message));
        return Error::new(ErrorKind::ResourcesExhausted, "run query", message).source(error);
    }
    let message = first_line(&error.to_string()).to_owned();
    Error::new(ErrorKind::External, "run query", message).source(error)
}

/// Finds the error of one of our functions in the wrappings that `DataFusion` and Arrow put around it.
pub fn eval_error(error: &DataFusionError) -> Option<EvalError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(eval) = current.downcast_ref::<EvalError>() {
            return Some(eval.clone());
        }
        next = match (current.downcast_ref::<DataFusionError>(), current.downcast_ref::<arrow::error::ArrowError>()) {
            (Some(DataFusionError::External(inner)), _) | (_, Some(arrow::error::ArrowError::ExternalError(inner))) => {
                Some(&**inner)
            }
            (Some(DataFusionError::Shared(inner)), _) => Some(&**inner),
            (Some(DataFusionError::ArrowError(inner, _)), _) => Some(&**inner),
            _ => current.source(),
        };
    }
    None
}

/// Says that Athena answers it and this engine does not yet: it is not the user who is wrong.
fn not_supported(construct: impl fmt::Display) -> String {
    format!("not supported yet: {construct}")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
