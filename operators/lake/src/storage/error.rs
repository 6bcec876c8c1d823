//! From the store's errors to ours: a full disk and a refused access are told apart, and the path is named.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind, io_kind, io_text};
use crate::name::Location;

/// A key that no object in a folder can have.
#[derive(Debug)]
pub(super) struct NoFile;

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "its key ends in a letter and `|` or `:`, which a lake in a folder cannot hold: let it end otherwise",
        )
    }
}

impl std::error::Error for NoFile {}

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
        object_store::Error::Generic { source, .. } if source.is::<NoFile>() => {
            (ErrorKind::InvalidInput, source.to_string())
        }
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

/// Tells whether a file stands where a folder of the path would be: then there is no object of that name.
pub(super) fn is_below_a_file(error: &object_store::Error) -> bool {
    io_cause(error).is_some_and(|io| io.kind() == std::io::ErrorKind::NotADirectory)
}

/// Finds the system call that failed behind an error. A writer wraps its errors, so the first of the kind may not be it.
pub(super) fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut found: Option<&std::io::Error> = None;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            if io.raw_os_error().is_some() {
                return Some(io);
            }
            found = found.or(Some(io));
        }
        cause = error.source();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_refused_access_are_told_apart() {
        for (code, kind, text) in [
            (28, ErrorKind::ResourcesExhausted, "cannot write an object: the disk is full"),
            (13, ErrorKind::PermissionDenied, "cannot write an object: permission denied"),
            (30, ErrorKind::PermissionDenied, "cannot write an object: the file system is read-only"),
        ] {
            let source = Box::new(std::io::Error::from_raw_os_error(code));
            let store = object_store::Error::Generic { store: "LocalFileSystem", source };
            let error = of("write an object", None, Path::new("/lake/s3/b/k"), store);
            assert_eq!(error.kind, kind);
            assert_eq!(error.to_string(), format!("{text}\n  path: /lake/s3/b/k"));
        }
    }
}
