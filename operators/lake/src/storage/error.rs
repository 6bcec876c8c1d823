//! From the store's errors to ours: a full disk and a refused access are told apart, and the path is named.

use std::path::Path;

use crate::error::{Error, ErrorKind, io_kind, io_text};
use crate::name::Location;

/// Makes the error of a failed call of the store.
pub(super) fn of(
    operation: &'static str,
    location: Option<&Location>,
    file: &Path,
    error: object_store::Error,
) -> Error {
    let (kind, text) = match &error {
        object_store::Error::NotFound { .. } => (ErrorKind::NotFound, "it is not there".to_owned()),
        object_store::Error::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "it is there already".to_owned()),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (ErrorKind::PermissionDenied, "permission denied".to_owned())
        }
        object_store::Error::InvalidPath { .. } => (ErrorKind::InvalidInput, error.to_string()),
        _ => match io_cause(&error) {
            Some(io) => (io_kind(io), io_text(io)),
            None => (ErrorKind::External, error.to_string()),
        },
    };
    let mut made = Error::new(kind, operation, format!("cannot {operation}: {text}"));
    if let Some(location) = location {
        made = made.with("location", location.to_string());
    }
    made.with("path", file.display().to_string()).source(error)
}

/// Finds the system call that failed behind an error.
pub(super) fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}
