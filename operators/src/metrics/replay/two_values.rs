//! Files in which a time has another value than it may have, where the tiers allow one: the lines are named.

use std::error::Error as _;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{TaskContext, TaskError, TaskErrorKind};
use metrics::replay::csv::Reader;
use metrics::store::SecondValue;
use metrics::{DuplicateRule, SeriesName};

use super::{File, NAMED_PLACES, refuse_cancelled};
use crate::error::{AtParam as _, task_error};
use crate::metrics::batch::BATCH_ROWS;

/// Refuses files in which a time has two values, before anything of any of them is written.
///
/// # Errors
/// The first such places; those of the files.
pub(super) fn refuse(context: &TaskContext, files: &[File]) -> Result<(), TaskError> {
    let (mut places, mut more) = (Vec::new(), 0);
    for file in files {
        let (path, shown) = (context.work_dir.join(&file.path), file.path.display().to_string());
        let open = || Reader::open(&path, &shown).map_err(task_error).at_param("_command");
        let mut reader = open()?;
        while reader.next_rows(BATCH_ROWS).map_err(task_error).at_param("_command")?.is_some() {
            refuse_cancelled(context)?;
        }
        if reader.is_out_of_order() {
            reader.name_repeats(open()?).map_err(task_error).at_param("_command")?;
        }
        for place in reader.places().iter().filter(|place| place.has_two_values()) {
            if places.len() < NAMED_PLACES {
                places.push(format!("{shown}:{}", place.tell(DuplicateRule::Error)));
            } else {
                more += 1;
            }
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    if more > 0 {
        places.push(format!("… and {more} more places"));
    }
    let message = format!("expected one value for each time, as `duplicate: error` says:\n{}", places.join("\n"));
    let help = "nothing is written. Mend the files, or say which value is kept: `duplicate: last` or `max` in the file of tiers";
    Err(TaskError::config(code::CONFLICT, message).help(help)).at_param("_command")
}

/// Names the line of a file whose value a tier contradicts: the input is wrong until somebody mends it.
pub(super) fn at_line(mut error: TaskError, context: &TaskContext, file: &File, name: &SeriesName) -> TaskError {
    let shown = file.path.display().to_string();
    let line = second_value(&error).filter(|second| second.name == *name).and_then(|second| {
        let mut reader = Reader::open(&context.work_dir.join(&file.path), &shown).ok()?;
        reader.line_of(second.found.time_ms, second.found.written).ok()?
    });
    let Some(line) = line else { return error };
    error.message = format!("{shown}:{line}: {}", error.message);
    (error.kind, error.retry) = (TaskErrorKind::Config, Retry::Never);
    error.at_param("_command")
}

/// Finds the second value that an error comes from.
fn second_value(error: &TaskError) -> Option<&SecondValue> {
    let mut cause = error.source();
    while let Some(found) = cause {
        if let Some(second) = found.downcast_ref() {
            return Some(second);
        }
        cause = found.source();
    }
    None
}
