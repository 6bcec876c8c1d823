//! Why a query failed: from Trino's error to our kinds.
//!
//! The names are those of
//! <https://github.com/trinodb/trino/blob/476/core/trino-spi/src/main/java/io/trino/spi/StandardErrorCode.java> and of the Hive
//! connector's `HiveErrorCode`.

use super::page::PageError;
use crate::error::{Error, ErrorKind};
use crate::query::athena::is_wrong_statement;

const OPERATION: &str = "run a query";

/// Makes the error of a query that Trino failed.
pub(super) fn of(error: &PageError) -> Error {
    let name = error.error_name.as_str();
    let message = error.message.as_deref().unwrap_or("Trino gives no reason").trim();
    let place = error.error_location.map(|place| (place.line_number, place.column_number));
    // The message of an error with a place begins with it.
    let sentence =
        place.and_then(|(line, column)| message.strip_prefix(&format!("line {line}:{column}: "))).unwrap_or(message);
    let named = |kind| Error::new(kind, OPERATION, format!("{name}: {message}"));
    // <https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/HiveMetadata.java>,
    // `beginCreateTable`.
    if message == "Writes to non-managed Hive tables is disabled" {
        return named(ErrorKind::InvalidInput)
            .help("set `hive.non-managed-table-writes-enabled=true` in the file of Trino's catalog (docs/trino.md)");
    }
    if is_wrong_statement(name) {
        let made = Error::new(ErrorKind::InvalidSql, OPERATION, sentence).with("error", name);
        return Error { position: place, ..made };
    }
    match (error.error_type.as_str(), name) {
        (_, "PERMISSION_DENIED") => named(ErrorKind::PermissionDenied),
        (_, "HIVE_PATH_ALREADY_EXISTS") => named(ErrorKind::AlreadyExists),
        (_, "USER_CANCELED" | "ADMINISTRATIVELY_KILLED") => named(ErrorKind::Canceled),
        (_, "HIVE_TOO_MANY_OPEN_PARTITIONS") => named(ErrorKind::TooManyPartitions).help(
            "write fewer partitions at a time, or set `CATALOG.max_partitions_per_writers` in `session_properties`",
        ),
        (
            _,
            "ADMINISTRATIVELY_PREEMPTED"
            | "ABANDONED_QUERY"
            | "QUERY_QUEUE_FULL"
            | "SERVER_STARTING_UP"
            | "HIVE_WRITER_OPEN_ERROR"
            | "HIVE_WRITER_CLOSE_ERROR"
            | "HIVE_WRITER_DATA_ERROR",
        ) => named(ErrorKind::External).retryable(),
        ("USER_ERROR", _) => named(ErrorKind::QueryFailed),
        ("INSUFFICIENT_RESOURCES", _) => named(ErrorKind::ResourcesExhausted).help(
            "let the query read less: name fewer partitions in WHERE, or do a part of the work in a task before it",
        ),
        // What Trino itself, or what it reads from, has trouble with may go well the next time.
        _ => named(ErrorKind::External).retryable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Retryable;
    use crate::query::trino::page::PageErrorLocation;

    fn error(name: &str, kind: &str, message: &str, place: Option<(u32, u32)>) -> Error {
        of(&PageError {
            message: Some(message.to_owned()),
            error_name: name.to_owned(),
            error_type: kind.to_owned(),
            error_location: place.map(|(line_number, column_number)| PageErrorLocation { line_number, column_number }),
        })
    }

    #[test]
    fn every_class_has_its_kind_and_whether_a_new_query_may_go_well() {
        for (name, class, kind, again) in [
            ("TABLE_NOT_FOUND", "USER_ERROR", ErrorKind::InvalidSql, false),
            ("DIVISION_BY_ZERO", "USER_ERROR", ErrorKind::QueryFailed, false),
            ("HIVE_TOO_MANY_OPEN_PARTITIONS", "USER_ERROR", ErrorKind::TooManyPartitions, false),
            ("PERMISSION_DENIED", "USER_ERROR", ErrorKind::PermissionDenied, false),
            ("HIVE_PATH_ALREADY_EXISTS", "EXTERNAL", ErrorKind::AlreadyExists, false),
            ("EXCEEDED_TIME_LIMIT", "INSUFFICIENT_RESOURCES", ErrorKind::ResourcesExhausted, false),
            ("QUERY_QUEUE_FULL", "INSUFFICIENT_RESOURCES", ErrorKind::External, true),
            ("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", ErrorKind::External, true),
            ("HIVE_METASTORE_ERROR", "EXTERNAL", ErrorKind::External, true),
            ("ADMINISTRATIVELY_KILLED", "USER_ERROR", ErrorKind::Canceled, false),
        ] {
            let error = error(name, class, "words", None);
            assert_eq!((error.kind, error.retryable == Retryable::Yes), (kind, again), "{name}: {error}");
        }
    }

    #[test]
    fn a_place_in_the_statement_is_told_apart_from_the_words() {
        let made = error("TYPE_MISMATCH", "USER_ERROR", "line 3:12: '+' cannot be applied", Some((3, 12)));
        assert_eq!(made.position, Some((3, 12)));
        assert_eq!(made.to_string(), "line 3:12: '+' cannot be applied\n  error: TYPE_MISMATCH");
        let made = error("NOT_SUPPORTED", "USER_ERROR", "Writes to non-managed Hive tables is disabled", None);
        assert_eq!(made.to_string(), "NOT_SUPPORTED: Writes to non-managed Hive tables is disabled");
        assert!(made.help.unwrap().starts_with("set `hive.non-managed-table-writes-enabled=true`"));
        let made = error("DIVISION_BY_ZERO", "USER_ERROR", "Division by zero", None);
        assert_eq!(made.to_string(), "DIVISION_BY_ZERO: Division by zero");
    }
}
