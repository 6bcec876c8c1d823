//! The text of a query: the value after `athena.query>:` and its like, or the file or object that it names.
//!
//! DIFFERENCE(digdag-operator-athena): what looks like a file is a file. A missing `foo.sql` is an error that says so, and is
//! never sent as SQL.

use engine::diagnostic::code;
use engine::operator::{TaskContext, TaskError};
use engine::params::Params;
use lake::Lake;
use lake::name::Location;

use crate::error::task_error;

/// The longest query text Athena takes, in bytes
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>).
const MAX_SQL_BYTES: usize = 262_144;

/// Reads and renders the text of a query.
///
/// `command` is SQL, the path of a file (`….sql`, relative to the task's folder), or `s3://bucket/key`. A file's text may hold
/// `${…}`; `extra` are parameters for it besides those in scope.
///
/// # Errors
/// Of the workflow's author: the file is missing, is no text, or a template in it is wrong.
pub(crate) async fn resolve(
    lake: &Lake,
    context: &TaskContext,
    command: &str,
    extra: &Params,
) -> Result<String, TaskError> {
    let trimmed = command.trim();
    let text = if trimmed.starts_with("s3://") {
        let location = Location::parse(trimmed).map_err(task_error)?;
        let bytes = lake.storage.read(&location).await.map_err(task_error)?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| {
            TaskError::config(code::SQL_FILE, format!("expected SQL text in UTF-8, found other bytes in `{location}`"))
        })?;
        context.host.render(&text, extra).map_err(|error| in_file(error, trimmed))?
    } else if is_path(trimmed) {
        let text = read_file(context, trimmed).await?;
        context.host.render(&text, extra).map_err(|error| in_file(error, trimmed))?
    } else {
        command.to_owned()
    };
    if text.trim().is_empty() {
        return Err(TaskError::config(code::SQL_FILE, "expected SQL text, found nothing"));
    }
    if text.len() > MAX_SQL_BYTES {
        return Err(TaskError::config(
            code::SQL_FILE,
            format!("expected SQL text of at most {MAX_SQL_BYTES} bytes, found {} bytes", text.len()),
        ));
    }
    Ok(text)
}

/// Tells a path from SQL: no SELECT is one word that ends in `.sql`.
fn is_path(text: &str) -> bool {
    !text.contains(char::is_whitespace) && text.to_ascii_lowercase().ends_with(".sql")
}

/// Reads a file of the project.
async fn read_file(context: &TaskContext, path: &str) -> Result<String, TaskError> {
    let file = context.work_dir.join(path);
    let missing = |error: &std::io::Error| {
        TaskError::config(code::SQL_FILE, format!("cannot read the SQL file `{path}`: {error}"))
            .help(format!("paths start at `{}`; SQL may also stand in the workflow itself", context.work_dir.display()))
    };
    let project = tokio::fs::canonicalize(&context.project_dir).await.map_err(|error| missing(&error))?;
    let real = tokio::fs::canonicalize(&file).await.map_err(|error| missing(&error))?;
    if !real.starts_with(&project) {
        return Err(TaskError::config(code::SQL_FILE, format!("the SQL file `{path}` is outside of the project")));
    }
    let bytes = tokio::fs::read(&real).await.map_err(|error| missing(&error))?;
    String::from_utf8(bytes).map_err(|_| {
        TaskError::config(code::SQL_FILE, format!("expected SQL text in UTF-8, found other bytes in `{path}`"))
    })
}

/// Names the file in which a template was wrong.
fn in_file(mut error: TaskError, file: &str) -> TaskError {
    error.message = format!("in `{file}`: {}", error.message);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_taken_as_sql() {
        assert!(is_path("daily.sql"));
        assert!(is_path("queries/Daily.SQL"));
        assert!(!is_path("select 1"));
        assert!(!is_path("SELECT 1 -- daily.sql"));
        assert!(!is_path("values(1)"));
    }
}
