//! Where points come from that are replayed: what is wrong with the text that says it, and with the place itself.

use std::path::Path;

use engine::diagnostic::suggest;
use engine::operator::{ParamProblem, TaskError};
use metrics::replay::csv::{self, SeriesFiles};

use super::STREAM;
use crate::error::{AtParam as _, task_error};

/// What to do where a stream has no name.
const NAMED: &str = "write it as `kinesis://points`";

/// Says what is wrong with a text, whatever there is in its place.
pub(super) fn problem(command: &str) -> Option<ParamProblem> {
    let problem = |message: String, help: &str| Some(ParamProblem::new("_command".into(), message).help(help));
    let found = command.escape_debug();
    if let Some(stream) = command.strip_prefix(STREAM) {
        let message = "expected the name of a stream, found `kinesis://` alone".to_owned();
        return if stream.is_empty() { problem(message, NAMED) } else { None };
    }
    if command.starts_with("kinesis:") {
        return problem(format!("expected a stream as `kinesis://NAME`, found `{found}`"), NAMED);
    }
    if command.contains("://") {
        let message = format!("expected a folder, a file or `kinesis://NAME`, found `{found}`");
        return problem(
            message,
            "`metrics.write>` reads objects: `in: {type: file, path: s3://…, parser: {type: csv}}`",
        );
    }
    None
}

/// Lists the files of a folder, or a file itself.
///
/// # Errors
/// As [`csv::list`]; where there is nothing of that name, with the name that was meant most probably.
pub(super) fn list(work_dir: &Path, command: &str) -> Result<SeriesFiles, TaskError> {
    csv::list(&work_dir.join(command))
        .map_err(|error| {
            let error = task_error(error);
            match meant(work_dir, Path::new(command)) {
                Some(help) => error.help(help),
                None => error,
            }
        })
        .at_param("_command")
}

/// Says what was meant by the name of a folder or file that is not there.
fn meant(work_dir: &Path, written: &Path) -> Option<String> {
    if work_dir.join(written).symlink_metadata().is_ok() {
        return None;
    }
    let folder = written.parent()?;
    let beside = std::fs::read_dir(work_dir.join(folder)).ok()?.flatten();
    let mut names: Vec<String> = beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    let name = suggest::nearest(written.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", folder.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_folder_and_no_stream_is_told() {
        for (command, expected) in [
            ("data", None),
            ("kinesis://points", None),
            ("kinesis://", Some("expected the name of a stream, found `kinesis://` alone")),
            ("kinesis:/points", Some("expected a stream as `kinesis://NAME`, found `kinesis:/points`")),
            ("s3://x/y", Some("expected a folder, a file or `kinesis://NAME`, found `s3://x/y`")),
        ] {
            assert_eq!(problem(command).map(|problem| problem.message).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn the_folder_beside_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/data")).unwrap();
        let error = list(folder.path(), "in/data2").unwrap_err();
        assert_eq!(error.help, ["did you mean `in/data`?"]);
        assert!(list(folder.path(), "elsewhere").unwrap_err().help.is_empty());
    }
}
