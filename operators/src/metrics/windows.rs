//! Windows one after the other: the list of what is due is made and stored first, then each step does one.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{Published, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskReport, TaskResult};
use lake::Lake;
use lake::words::{bytes, counted, figure};
use metrics::{Outcome, PartitionUnit, Window, WindowReport};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::output::{self, path, store};
use crate::error::task_error;
use crate::state;

/// How far a task is with its windows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Windows {
    unit: PartitionUnit,
    /// The values of their partitions.
    #[serde(rename = "windows")]
    labels: Vec<String>,
    /// How many are done.
    next: usize,
    points: u64,
    bytes: u64,
    made: u64,
    unchanged: u64,
    /// Those to which points came meanwhile: they are due again.
    late: Vec<String>,
    /// Those that were not done, and why.
    not_due: Vec<String>,
    /// Where points are missing or others than they should be.
    mismatches: Vec<String>,
    published: Vec<Published>,
}

/// What the task does with each window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    /// Where the result is stored below `metrics`: `last_dump`.
    pub(super) key: &'static str,
    /// What is done, in the past: `dumped`.
    pub(super) done: &'static str,
    /// What the rows of the windows are: `point`, or `bucket` of a roll-up.
    pub(super) thing: &'static str,
    /// The step and the table whose partitions the windows are, when they are published.
    pub(super) table: Option<(&'a str, &'a str)>,
    /// Whether only what the step moved counts, rather than what the windows hold.
    pub(super) counts_moved: bool,
    /// Whether each window is a line of the run's output.
    pub(super) says: bool,
}

impl Windows {
    /// Begins with the windows that are due.
    pub(super) fn begin(unit: PartitionUnit, due: &[Window]) -> Self {
        Self {
            unit,
            labels: due.iter().map(Window::label).collect(),
            next: 0,
            points: 0,
            bytes: 0,
            made: 0,
            unchanged: 0,
            late: Vec::new(),
            not_due: Vec::new(),
            mismatches: Vec::new(),
            published: Vec::new(),
        }
    }

    /// Stores the list and comes again for the first.
    pub(super) fn start(self, context: &TaskContext, doing: Doing<'_>) -> Result<TaskOutcome, TaskError> {
        let n_windows = output::number(self.labels.len());
        context.host.log(&format!("{} to be {}", counted(n_windows, "window"), doing.done));
        if self.labels.is_empty() {
            return Ok(self.finish(doing));
        }
        state::wait(&self, Duration::ZERO)
    }

    /// Returns the next window; none after the last.
    pub(super) fn current(&self) -> Result<Option<Window>, TaskError> {
        let label = self.labels.get(self.next);
        label.map(|label| Window::parse(self.unit, label).map_err(task_error)).transpose()
    }

    /// Tells whether the next window is the last one.
    fn is_last(&self) -> bool {
        self.next + 1 >= self.labels.len()
    }

    /// Collects versions that are no longer needed, when the next window is the last one: once for all of them.
    pub(super) async fn collect_at_the_end(&self, context: &TaskContext, lake: &Lake) {
        if self.is_last()
            && let Err(error) = lake.collect().await
        {
            // What was done with the windows stands whether that succeeds or not; the next collection goes on with it.
            context.host.warn(&format!("versions that are no longer needed could not be collected: {error}"));
        }
    }

    /// Notes what became of the window, and comes again for the next one, or is done.
    pub(super) fn note(
        mut self,
        context: &TaskContext,
        report: &WindowReport,
        doing: Doing<'_>,
    ) -> Result<TaskOutcome, TaskError> {
        let line = line(report, doing);
        context.host.log(&line);
        if doing.says {
            context.host.output(format!("{line}\n").as_bytes());
        }
        let label = report.window.label();
        match &report.outcome {
            Outcome::Made => {
                self.made += 1;
                self.count(report, doing);
                if let Some((step, table)) = doing.table {
                    self.published.push(Published {
                        table: table.to_owned(),
                        partition: format!("step={step}/{}={label}", self.unit.key()),
                        rows: report.figures.count,
                        bytes: report.bytes,
                        location: String::new(),
                    });
                }
            }
            Outcome::Unchanged => {
                self.unchanged += 1;
                // Nothing was written; what was read once more counts.
                if doing.table.is_none() {
                    self.count(report, doing);
                }
            }
            Outcome::Late => self.late.push(label),
            // The mismatches say what.
            Outcome::Failed => {}
            Outcome::NotDue(why) => {
                context.host.warn(&format!("{label} is not {}: {why}", doing.done));
                self.not_due.push(label);
            }
        }
        for mismatch in &report.mismatches {
            self.mismatches.push(format!("{} {}: {mismatch}", report.tier, report.window.label()));
        }
        self.next += 1;
        if self.next < self.labels.len() {
            return state::wait(&self, Duration::ZERO);
        }
        self.end(doing)
    }

    fn count(&mut self, report: &WindowReport, doing: Doing<'_>) {
        if doing.counts_moved {
            self.points += report.moved;
        } else {
            self.points += report.figures.count;
            self.bytes += report.bytes;
        }
    }

    /// Ends the task: all windows are done.
    pub(super) fn end(self, doing: Doing<'_>) -> Result<TaskOutcome, TaskError> {
        if self.mismatches.is_empty() { Ok(self.finish(doing)) } else { Err(wrong(&self.mismatches)) }
    }

    /// Tells what was done.
    fn finish(self, doing: Doing<'_>) -> TaskOutcome {
        let value = json!({
            "windows": self.labels,
            "made": self.made,
            "unchanged": self.unchanged,
            "late": self.late,
            "not_due": self.not_due,
            "points": self.points,
            "bytes": self.bytes,
        });
        TaskResult {
            store: store(doing.key, value),
            reset: vec![path(doing.key)],
            report: TaskReport {
                rows: Some(self.points),
                bytes: Some(self.bytes).filter(|bytes| *bytes > 0),
                published: self.published,
                ..TaskReport::default()
            },
            ..TaskResult::default()
        }
        .done()
    }
}

/// The line of a window: `cold 2014-02-14: 1,692 points of 6 series, 14.2 KiB, checksum 42, verified`.
fn line(report: &WindowReport, doing: Doing<'_>) -> String {
    let became = match &report.outcome {
        Outcome::Made => doing.done.to_owned(),
        Outcome::Unchanged => format!("{} already", doing.done),
        Outcome::Late if doing.thing == "bucket" => {
            "late: what it is made of has changed since, to be rolled up again".to_owned()
        }
        Outcome::Late => "late: points came since, to be dumped again".to_owned(),
        Outcome::Failed => format!("NOT {}", doing.done),
        Outcome::NotDue(why) => format!("not {}: {why}", doing.done),
    };
    format!(
        "{} {}: {} {}{} of {} series, {}, checksum {}, {became}",
        report.tier,
        report.window.label(),
        figure(report.figures.count),
        doing.thing,
        if report.figures.count == 1 { "" } else { "s" },
        figure(report.figures.series),
        bytes(report.bytes),
        report.figures.checksum,
    )
}

/// Points that are missing or others than they should be, as an error of the data.
fn wrong(mismatches: &[String]) -> TaskError {
    let message = format!("points are not as they should be:\n{}", mismatches.join("\n"));
    TaskError::new(TaskErrorKind::DataQuality, Retry::Never, code::DATA_QUALITY, message).help(
        "nothing of these windows is expired; the next `metrics.dump>` (or `metrics.rollup>`) writes a damaged one again when the store \
         still holds all of it. Else put the object back from a backup, or undo to a version that is whole; what is left is \
         written by `metrics.dump>` with `window` and `on_damage: replace`",
    )
}
