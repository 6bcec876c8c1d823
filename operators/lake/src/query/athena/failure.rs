//! Why a query failed: from Athena's words, category and type to our kinds.
//!
//! Categories and types: <https://docs.aws.amazon.com/athena/latest/ug/error-reference.html>.

use aws_sdk_athena::types::QueryExecution;

use super::record::StatementRecord;
use super::statement::LINES_BEFORE;
use crate::error::{Error, ErrorKind};

const OPERATION: &str = "run a query";

/// What a query needs that ran out of something: said once, wherever it ran out.
const SMALLER: &str =
    "let the query read less: name fewer partitions in WHERE, or do a part of the work in a task before it";

/// Trino's names of what is wrong with a statement, whatever its data: an analyzer finds them
/// (<https://github.com/trinodb/trino/blob/476/core/trino-spi/src/main/java/io/trino/spi/StandardErrorCode.java>).
const WRONG_STATEMENTS: &[&str] = &[
    "AMBIGUOUS_NAME",
    "CATALOG_NOT_FOUND",
    "COLUMN_ALIAS_NOT_FOUND",
    "COLUMN_NOT_FOUND",
    "COLUMN_TYPE_UNKNOWN",
    "DUPLICATE_COLUMN_NAME",
    "DUPLICATE_NAMED_QUERY",
    "EXPRESSION_NOT_AGGREGATE",
    "EXPRESSION_NOT_CONSTANT",
    "EXPRESSION_NOT_IN_DISTINCT",
    "EXPRESSION_NOT_SCALAR",
    "FUNCTION_NOT_AGGREGATE",
    "FUNCTION_NOT_FOUND",
    "FUNCTION_NOT_WINDOW",
    "INVALID_COLUMN_REFERENCE",
    "INVALID_LITERAL",
    "INVALID_WINDOW_FRAME",
    "MISMATCHED_COLUMN_ALIASES",
    "MISSING_CATALOG_NAME",
    "MISSING_COLUMN_NAME",
    "MISSING_GROUP_BY",
    "MISSING_ORDER_BY",
    "MISSING_OVER",
    "MISSING_SCHEMA_NAME",
    "NESTED_AGGREGATION",
    "NESTED_WINDOW",
    "NOT_SUPPORTED",
    "SCHEMA_NOT_FOUND",
    "SYNTAX_ERROR",
    "TABLE_NOT_FOUND",
    "TYPE_MISMATCH",
    "TYPE_NOT_FOUND",
    "VIEW_IS_RECURSIVE",
    "VIEW_IS_STALE",
];

/// Tells whether a name of Trino's is that of a wrong statement.
pub(in crate::query) fn is_wrong_statement(name: &str) -> bool {
    WRONG_STATEMENTS.contains(&name)
}

/// Athena's reason, taken apart.
struct Reason<'r> {
    /// `TABLE_NOT_FOUND`.
    name: Option<&'r str>,
    /// The 1-based line and column.
    position: Option<(u32, u32)>,
    /// The sentence.
    sentence: &'r str,
}

impl<'r> Reason<'r> {
    /// Reads `TABLE_NOT_FOUND: line 1:15: Table … does not exist`; each part may be missing.
    fn of(text: &'r str) -> Self {
        let text = text.trim();
        let is_name = |name: &str| {
            name.len() > 3
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let (name, rest) = match text.split_once(": ") {
            Some((name, rest)) if is_name(name) => (Some(name), rest),
            _ => (None, text),
        };
        let place = rest.strip_prefix("line ").and_then(|rest| {
            let (place, sentence) = rest.split_once(": ")?;
            let (line, column) = place.split_once(':')?;
            Some(((line.parse().ok()?, column.parse().ok()?), sentence))
        });
        match place {
            Some((position, sentence)) => Self { name, position: Some(position), sentence },
            None => Self { name, position: None, sentence: rest },
        }
    }
}

/// Makes the error of a query that Athena failed.
pub(super) fn of(execution: &QueryExecution) -> Error {
    let status = execution.status.as_ref();
    let athena = status.and_then(|status| status.athena_error.as_ref());
    let text = status
        .and_then(|status| status.state_change_reason.as_deref())
        .or_else(|| athena.and_then(|error| error.error_message.as_deref()))
        .unwrap_or("Athena gives no reason");
    let class = athena.map(|error| Class {
        category: error.error_category.unwrap_or_default(),
        number: error.error_type.unwrap_or_default(),
        retryable: error.retryable,
    });
    let mut made = classed(text, class);
    if let Some((line, column)) = made.position {
        // The user's text begins behind the first line of the statement that suiro put around it.
        let unload = StatementRecord::read(execution.query.as_deref().unwrap_or_default()).unload.is_some();
        made.position = Some((if unload { line.saturating_sub(LINES_BEFORE).max(1) } else { line }, column));
    }
    if let Some(Class { category, number, .. }) = class {
        made = made.with("athena error", format!("category {category}, type {number}"));
    }
    match &execution.query_execution_id {
        Some(id) => made.with("query", id),
        None => made,
    }
}

/// Makes the error of a statement that Athena does not take because it has no form: `line 1:8: mismatched input …`.
pub(super) fn of_malformed(message: &str) -> Error {
    let text = message.find("line ").and_then(|at| message.get(at..)).unwrap_or(message);
    let reason = Reason::of(text);
    let sentence = if reason.position.is_some() { reason.sentence } else { message };
    let error = Error::new(ErrorKind::InvalidSql, "start a query", sentence).with("error", "SYNTAX_ERROR");
    Error { position: reason.position, ..error }
}

/// What Athena says of a failure besides its words.
#[derive(Debug, Clone, Copy)]
struct Class {
    /// 1: the system, 2: the user, 3: other.
    category: i32,
    number: i32,
    retryable: bool,
}

/// Finds the kind: by Trino's name where it says what to do, else by Athena's number, else by its hint.
fn classed(text: &str, class: Option<Class>) -> Error {
    let reason = Reason::of(text);
    let made = |kind| Error::new(kind, OPERATION, text.trim());
    let repeated = |kind| made(kind).retryable();
    if let Some(name) = reason.name {
        if is_wrong_statement(name) {
            let error = Error::new(ErrorKind::InvalidSql, OPERATION, reason.sentence).with("error", name);
            return Error { position: reason.position, ..error };
        }
        if name.ends_with("_TOO_MANY_OPEN_PARTITIONS") {
            return made(ErrorKind::TooManyPartitions)
                .help("write fewer than 100 partitions at a time: add a WHERE on the partition keys, or loop over their values");
        }
        if name == "HIVE_PATH_ALREADY_EXISTS" {
            return made(ErrorKind::AlreadyExists);
        }
        if name == "ICEBERG_COMMIT_ERROR" {
            return repeated(ErrorKind::Conflict);
        }
    }
    if ["SlowDown", "Rate exceeded", "ThrottlingException", "Please reduce your request rate"]
        .iter()
        .any(|words| text.contains(words))
    {
        return repeated(ErrorKind::External);
    }
    if text.contains("NoSuchBucket") {
        return made(ErrorKind::NotFound).help("make the bucket, or change the location to one that is there");
    }
    let Some(class) = class else { return made(ErrorKind::QueryFailed) };
    match class.number {
        // Exhausted resources, and the time limit of Athena.
        0..=8 | 206 | 210 => made(ErrorKind::ResourcesExhausted).help(SMALLER),
        233 => repeated(ErrorKind::Conflict),
        // Results that could not be written: a missing permission more often than not, so Athena's own hint counts.
        401 | 402 if !class.retryable => made(ErrorKind::PermissionDenied)
            .help("let who suiro acts as write to the output location (`s3:PutObject`), and to the key it is encrypted with"),
        100..=499 | 1400..=1406 | 9999 => repeated(ErrorKind::External),
        1011 | 1014 => made(ErrorKind::Canceled),
        1006 | 1110 | 1300..=1399 => Error { position: reason.position, ..made(ErrorKind::InvalidSql) },
        1109 => made(ErrorKind::NotFound),
        1200..=1299 => made(ErrorKind::InvalidSql),
        1500 | 1501 => made(ErrorKind::PermissionDenied).help(
            "let who suiro acts as read the tables: `glue:GetTable`, `glue:GetPartitions`, `s3:GetObject`, `s3:ListBucket` \
             (and `lakeformation:GetDataAccess` where Lake Formation is used)",
        ),
        _ if class.retryable => repeated(ErrorKind::External),
        _ if class.category == 1 => made(ErrorKind::External),
        _ => made(ErrorKind::QueryFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Retryable;

    fn class(category: i32, number: i32, retryable: bool) -> Class {
        Class { category, number, retryable }
    }

    #[test]
    fn every_class_has_its_kind_and_whether_a_new_query_may_go_well() {
        for (text, class, kind, again) in [
            (
                "SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved",
                Some(class(2, 1006, false)),
                ErrorKind::InvalidSql,
                false,
            ),
            (
                "TABLE_NOT_FOUND: line 1:15: Table 'a.b' does not exist",
                Some(class(2, 1301, false)),
                ErrorKind::InvalidSql,
                false,
            ),
            ("DIVISION_BY_ZERO: Division by zero", Some(class(2, 1001, false)), ErrorKind::QueryFailed, false),
            (
                "HIVE_FILESYSTEM_ERROR: Failed checking path: s3://b/x/: The specified bucket does not exist (Error Code: NoSuchBucket)",
                Some(class(1, 200, false)),
                ErrorKind::NotFound,
                false,
            ),
            (
                "HIVE_PATH_ALREADY_EXISTS: Target directory …",
                Some(class(2, 1000, false)),
                ErrorKind::AlreadyExists,
                false,
            ),
            (
                "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit",
                Some(class(2, 1000, false)),
                ErrorKind::TooManyPartitions,
                false,
            ),
            ("ICEBERG_COMMIT_ERROR: Failed to commit", Some(class(1, 233, true)), ErrorKind::Conflict, true),
            (
                "Query exhausted resources at this scale factor",
                Some(class(1, 2, false)),
                ErrorKind::ResourcesExhausted,
                false,
            ),
            ("Query timeout", Some(class(1, 210, false)), ErrorKind::ResourcesExhausted, false),
            ("GENERIC_INTERNAL_ERROR: lost a worker", Some(class(1, 200, false)), ErrorKind::External, true),
            ("com.amazonaws: Rate exceeded", Some(class(2, 1401, true)), ErrorKind::External, true),
            ("HIVE_CURSOR_ERROR: Please reduce your request rate. SlowDown", None, ErrorKind::External, true),
            (
                "Insufficient permissions to execute the query",
                Some(class(2, 1500, false)),
                ErrorKind::PermissionDenied,
                false,
            ),
            ("something new", Some(class(1, 7777, true)), ErrorKind::External, true),
            ("something new", Some(class(3, 7777, false)), ErrorKind::QueryFailed, false),
            ("something new", None, ErrorKind::QueryFailed, false),
        ] {
            let error = classed(text, class);
            assert_eq!((error.kind, error.retryable == Retryable::Yes), (kind, again), "{text}: {error}");
        }
    }

    #[test]
    fn a_place_in_the_statement_is_told_apart_from_the_words() {
        let error = classed("TYPE_MISMATCH: line 3:12: '+' cannot be applied to varchar(1), integer", None);
        assert_eq!(error.position, Some((3, 12)));
        assert_eq!(
            error.to_string(),
            "line 3:12: '+' cannot be applied to varchar(1), integer\n  error: TYPE_MISMATCH"
        );
        let error = classed("INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT", None);
        assert_eq!(error.to_string(), "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT");
    }

    #[test]
    fn a_statement_without_a_form_has_a_place() {
        let error = of_malformed("Queries of this type are not supported: line 2:3: mismatched input 'FORM'");
        assert_eq!(error.to_string(), "line 2:3: mismatched input 'FORM'\n  error: SYNTAX_ERROR");
        assert_eq!(of_malformed("no place").to_string(), "no place\n  error: SYNTAX_ERROR");
    }

    #[test]
    fn places_are_those_of_the_text_inside_an_unload() {
        use aws_sdk_athena::types::QueryExecutionStatus;
        let status = |reason: &str| QueryExecutionStatus::builder().state_change_reason(reason).build();
        let query = |statement: &str| {
            QueryExecution::builder()
                .query(statement)
                .query_execution_id("id")
                .status(status("SYNTAX_ERROR: line 2:8: Column 'x' cannot be resolved"))
                .build()
        };
        let record = StatementRecord {
            unload: Some(crate::name::Location::parse("s3://b/v/").unwrap()),
            ..StatementRecord::default()
        };
        let unload = record.put("UNLOAD (\nSELECT x\n) TO 's3://b/v/' WITH (format = 'PARQUET')").unwrap();
        assert_eq!(of(&query(&unload)).position, Some((1, 8)));
        let error = of(&query("SELECT\nx"));
        assert_eq!(error.position, Some((2, 8)));
        assert!(error.to_string().ends_with("\n  query: id"), "{error}");
    }
}
