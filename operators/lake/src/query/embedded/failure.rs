//! From `DataFusion`'s errors to ours, with the names that Trino gives.

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::parquet::errors::ParquetError;

use crate::error::{Error, ErrorKind, io_kind, io_text};
use crate::sql::error::UNSUPPORTED;
use crate::sql::function::EvalError;

/// What Trino calls the limit that is reached here.
const OUT_OF_MEMORY: &str = "EXCEEDED_LOCAL_MEMORY_LIMIT";

/// Makes the error of a query whose operators could have no more memory.
pub(super) fn out_of_memory(operation: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::ResourcesExhausted, operation, format!("{OUT_OF_MEMORY}: {why}"))
}

/// Tells whether a query stopped because its operators could have no more memory.
pub(super) fn is_out_of_memory(error: &Error) -> bool {
    error.kind == ErrorKind::ResourcesExhausted && error.message.starts_with(OUT_OF_MEMORY)
}

/// Makes the error of a query that stopped.
pub(super) fn of(operation: &'static str, error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => from_cause(operation, &DataFusionError::External(other)),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => of(operation, *inner),
        other => from_cause(operation, &other),
    }
}

/// Looks for a cause that we know, from the outside in.
fn from_cause(operation: &'static str, error: &DataFusionError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = known(operation, error) {
            return found;
        }
        cause = error.source();
    }
    Error::new(ErrorKind::External, operation, format!("GENERIC_INTERNAL_ERROR: {}", error.strip_backtrace()))
}

fn known(operation: &'static str, error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    if let Some(error) = error.downcast_ref::<EvalError>() {
        let kind = if error.name == UNSUPPORTED { ErrorKind::UnsupportedSql } else { ErrorKind::QueryFailed };
        return Some(Error::new(kind, operation, format!("{}: {}", error.name, error.message)));
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        return Some(error.without_source());
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        if error.raw_os_error().is_some() {
            return Some(Error::new(io_kind(error), operation, format!("cannot {operation}: {}", io_text(error))));
        }
        return None;
    }
    if let Some(error) = error.downcast_ref::<ParquetError>() {
        return match error {
            ParquetError::External(_) => None,
            other => Some(Error::new(ErrorKind::InvalidData, operation, format!("HIVE_BAD_DATA: {other}"))),
        };
    }
    if let Some(error) = error.downcast_ref::<object_store::Error>() {
        return match error {
            object_store::Error::NotFound { path, .. } => Some(Error::new(
                ErrorKind::NotFound,
                operation,
                format!("HIVE_CANNOT_OPEN_SPLIT: the object `s3://{path}` is gone"),
            )),
            object_store::Error::PermissionDenied { path, .. } => Some(Error::new(
                ErrorKind::PermissionDenied,
                operation,
                format!("PERMISSION_DENIED: cannot read `s3://{path}`"),
            )),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return match error {
            ArrowError::DivideByZero => {
                Some(Error::new(ErrorKind::QueryFailed, operation, "DIVISION_BY_ZERO: Division by zero"))
            }
            ArrowError::ArithmeticOverflow(text) => {
                Some(Error::new(ErrorKind::QueryFailed, operation, format!("NUMERIC_VALUE_OUT_OF_RANGE: {text}")))
            }
            ArrowError::CastError(text) | ArrowError::ParseError(text) => {
                Some(Error::new(ErrorKind::QueryFailed, operation, format!("INVALID_CAST_ARGUMENT: {text}")))
            }
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<DataFusionError>() {
        return match error {
            DataFusionError::ResourcesExhausted(text) => Some(out_of_memory(operation, text)),
            DataFusionError::NotImplemented(text) => {
                Some(Error::new(ErrorKind::UnsupportedSql, operation, format!("not supported yet: {text}")))
            }
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn causes_are_found_however_deep() {
        let division = EvalError { name: "DIVISION_BY_ZERO", message: "Division by zero".to_owned() };
        let wrapped = DataFusionError::Shared(Arc::new(DataFusionError::ArrowError(
            Box::new(ArrowError::ExternalError(Box::new(DataFusionError::External(Box::new(division))))),
            None,
        )));
        let error = of("run a query", DataFusionError::Context("scan".to_owned(), Box::new(wrapped)));
        assert_eq!(error.kind, ErrorKind::QueryFailed);
        assert_eq!(error.message, "DIVISION_BY_ZERO: Division by zero");

        let ours = Error::new(ErrorKind::InvalidData, "read", "broken").with("object", "s3://b/k");
        let error = of("run a query", DataFusionError::External(Box::new(ours)));
        assert_eq!(error.to_string(), "broken\n  object: s3://b/k");

        let memory = of("run a query", DataFusionError::ResourcesExhausted("no room".to_owned()));
        assert_eq!(memory.kind, ErrorKind::ResourcesExhausted);
    }
}
