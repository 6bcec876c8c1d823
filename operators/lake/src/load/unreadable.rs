//! Lines that cannot be read: whether a load may go on with them, and what it says when it may not.
//!
//! | `max_rejected` | such lines | the load |
//! |---|---|---|
//! | not given | are an error of the input, kept nowhere | fails with `UnreadableLines` |
//! | given, and more came | are kept | fails with `DataQuality` |
//! | given, and no more came | are kept | publishes its rows |

use std::fmt::Write as _;

use super::config::{MaxRejected, OutputConfig, StagedOutput};
use super::file_output;
use super::job::{Plan, WrittenLoad};
use super::pipeline::Outcome;
use super::reject::{Rejected, shortened};
use super::report::{LoadReport, RejectedLine};
use super::table_output;
use crate::error::{Error, ErrorKind, Result};

/// How much of a reason, and of a file's name, is shown.
const REASON_CHARACTERS: usize = 300;

/// How much of a line is shown.
const LINE_CHARACTERS: usize = 120;

/// Makes the first rejected lines fit for messages.
pub(crate) fn first(plan: &Plan, outcome: &Outcome) -> Vec<RejectedLine> {
    let shown = |rejected: &Rejected| RejectedLine {
        file: plan
            .files
            .get(rejected.file)
            .map_or_else(|| "?".to_owned(), |file| shortened(file.name.as_bytes(), REASON_CHARACTERS)),
        line_number: rejected.line_number,
        reason: shortened(rejected.reason.as_bytes(), REASON_CHARACTERS),
        line: shortened(rejected.line.as_bytes(), LINE_CHARACTERS),
    };
    outcome.first_rejected.iter().map(shown).collect()
}

/// Refuses a load with lines that cannot be read when none may be rejected.
///
/// # Errors
/// `UnreadableLines` with the first places.
pub(crate) fn refuse_any(plan: &Plan, report: &LoadReport) -> Result<()> {
    if report.rejected == 0 || plan.config.limit().is_some() {
        return Ok(());
    }
    let mut message = format!("{} cannot be read: nothing was {}", of_all(report), done(plan));
    list(&mut message, report);
    let beside = match &plan.config.out {
        OutputConfig::Staged(StagedOutput { rejected: None, .. }) => {
            return Err(Error::new(ErrorKind::UnreadableLines, "load", message).help("mend the lines"));
        }
        OutputConfig::Staged(_) => "`in`",
        OutputConfig::Table(_) | OutputConfig::File(_) => "`in` and `out`",
    };
    Err(Error::new(ErrorKind::UnreadableLines, "load", message).help(format!(
        "mend the lines, or allow some of them beside {beside}: `max_rejected: 10` (lines) or `max_rejected: 0.1%` (of all \
         lines); they are then kept in {} with their reasons",
        place(plan)
    )))
}

/// Says that more lines were rejected than the config allows, if it is so.
pub(crate) fn too_many(plan: &Plan, written: &WrittenLoad) -> Option<Error> {
    let report = &written.report;
    let limit = plan.config.limit()?;
    if !limit.is_exceeded(report.rejected, report.rows + report.rejected) {
        return None;
    }
    let allowed = match limit {
        MaxRejected::Rows(_) => format!("`max_rejected` is {limit}"),
        MaxRejected::Share { .. } => format!("`max_rejected` is {limit} of the lines"),
    };
    let mut message = format!("{} cannot be read, and {allowed}: nothing was {}", of_all(report), done(plan));
    list(&mut message, report);
    let error = Error::new(ErrorKind::DataQuality, "load", message);
    Some(match &written.rejected {
        Some(part) => error.with("rejected lines", kept(plan, part)),
        None => error,
    })
}

/// Writes how many lines of how many.
fn of_all(report: &LoadReport) -> String {
    let lines = report.rows + report.rejected;
    format!("{} of {lines} {}", report.rejected, if lines == 1 { "line" } else { "lines" })
}

/// Adds the first lines, each with its place and reason and below it its text, and how many more there are.
fn list(message: &mut String, report: &LoadReport) {
    for line in &report.first_rejected {
        // Writing into a string cannot fail.
        let _infallible = write!(message, "\n  {line}\n    | {}", line.line);
    }
    let shown = u64::try_from(report.first_rejected.len()).unwrap_or(u64::MAX);
    if report.rejected > shown {
        let _infallible = write!(message, "\n  … and {} more", report.rejected - shown);
    }
}

/// Says where rejected lines go.
fn place(plan: &Plan) -> String {
    match &plan.config.out {
        OutputConfig::Table(_) | OutputConfig::Staged(_) => {
            format!("the table `{}`", rejected_table(plan).unwrap_or_default())
        }
        OutputConfig::File(file) => format!("the folder `{}`", shown_folder(plan, file)),
    }
}

/// Says where rejected lines were kept.
fn kept(plan: &Plan, part: &table_output::NewPart) -> String {
    match &plan.config.out {
        OutputConfig::Table(_) | OutputConfig::Staged(_) => {
            format!("{}, load = '{}'", place(plan), part.values.join("/"))
        }
        OutputConfig::File(_) => place(plan),
    }
}

/// Returns the table of the rejected lines.
fn rejected_table(plan: &Plan) -> Option<String> {
    let (OutputConfig::Table(table) | OutputConfig::Staged(StagedOutput { rejected: Some(table), .. })) =
        &plan.config.out
    else {
        return None;
    };
    Some(format!("{}.{}", table.database, table_output::rejected_name(table)).to_lowercase())
}

/// Says what was not done with the rows.
fn done(plan: &Plan) -> &'static str {
    match &plan.config.out {
        OutputConfig::Table(_) | OutputConfig::File(_) => "published",
        OutputConfig::Staged(_) => "written",
    }
}

fn shown_folder(plan: &Plan, file: &super::config::FileOutput) -> String {
    let folder = file_output::rejected_folder(plan, file);
    folder.strip_prefix(&plan.base).unwrap_or(&folder).display().to_string()
}
