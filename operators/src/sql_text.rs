//! The text of a query: the value after `athena.query>:` and its like, or the file or object that it names.
//!
//! DIFFERENCE(digdag-operator-athena): what looks like a file is a file. A missing `foo.sql` is an error that says so, and is
//! never sent as SQL.

use std::path::PathBuf;

use engine::diagnostic::code;
use engine::operator::{TaskContext, TaskError};
use engine::params::Params;
use lake::Lake;
use lake::name::Location;
use lake::storage::Storage;

use crate::error::task_error;

/// The longest query text Athena takes, in bytes
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>).
pub(crate) const MAX_SQL_BYTES: usize = 262_144;

/// Where the files of a task are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The project's folder: nothing outside of it is read.
    pub(crate) project: PathBuf,
    /// Where relative paths start.
    pub(crate) work_dir: PathBuf,
}

impl Files {
    /// Reads a text file of the project.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) async fn read(&self, path: &str) -> Result<String, String> {
        let project = tokio::fs::canonicalize(&self.project).await.map_err(|error| error.to_string())?;
        let real = tokio::fs::canonicalize(self.work_dir.join(path)).await.map_err(|error| error.to_string())?;
        if !real.starts_with(&project) {
            return Err("it is outside of the project".to_owned());
        }
        let bytes = tokio::fs::read(&real).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
        Ok(without_mark(&text).to_owned())
    }
}

/// Reads and renders the text of a query for a running task; `extra` are parameters for it besides those in scope.
///
/// # Errors
/// As [`read`].
pub(crate) async fn resolve(
    lake: &Lake,
    context: &TaskContext,
    command: &str,
    extra: &Params,
) -> Result<String, TaskError> {
    let files = Files { project: context.project_dir.clone(), work_dir: context.work_dir.clone() };
    read(Some(&lake.storage), &files, command, &|text| context.host.render(text, extra)).await
}

/// Reads and renders the text of a query.
///
/// `command` is SQL, the path of a file (`….sql`, relative to the task's folder), or `s3://bucket/key`. A file's text may hold
/// `${…}`, which `render` evaluates; SQL in the workflow was evaluated with the task's other parameters.
///
/// # Errors
/// Of the workflow's author: the file is missing, is no text, or a template in it is wrong.
pub(crate) async fn read(
    storage: Option<&Storage>,
    files: &Files,
    command: &str,
    render: &(dyn Fn(&str) -> Result<String, TaskError> + Sync),
) -> Result<String, TaskError> {
    let trimmed = command.trim();
    let text = if trimmed.starts_with("s3://") {
        let location = Location::parse(trimmed).map_err(task_error)?;
        let Some(storage) = storage else {
            let message = format!("cannot read `{location}`: the project has no lake yet");
            return Err(TaskError::config(code::SQL_FILE, message));
        };
        let bytes = storage.read(&location).await.map_err(task_error)?;
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| {
            TaskError::config(code::SQL_FILE, format!("expected SQL text in UTF-8, found other bytes in `{location}`"))
        })?;
        render(without_mark(&text)).map_err(|error| in_file(error, trimmed))?
    } else if is_path(trimmed) {
        let text = files.read(trimmed).await.map_err(|why| {
            TaskError::config(code::SQL_FILE, format!("cannot read the SQL file `{trimmed}`: {why}")).help(format!(
                "paths start at `{}`; SQL may also stand in the workflow itself",
                files.work_dir.display()
            ))
        })?;
        render(&text).map_err(|error| in_file(error, trimmed))?
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

/// Returns a file's text without the byte order mark that editors on Windows put before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Tells a path from SQL: no SELECT is one word that ends in `.sql`, or that is made of what names of files are made of alone.
pub(crate) fn is_path(text: &str) -> bool {
    let is_of_names = |character: char| character.is_alphanumeric() || "/._-".contains(character);
    !text.is_empty()
        && !text.contains(char::is_whitespace)
        && (text.to_ascii_lowercase().ends_with(".sql") || text.chars().all(is_of_names))
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
        assert!(is_path("no_ending") && is_path("queries/daily.txt"));
        assert!(!is_path("") && !is_path("(1)"));
        assert!(!is_path("select 1"));
        assert!(!is_path("SELECT 1 -- daily.sql"));
        assert!(!is_path("values(1)"));
    }
}
