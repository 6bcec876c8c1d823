//! Windows one after the other: the list of what is due is made and stored first, then each step does one.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{Published, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskReport, TaskResult};
use lake::Lake;
use lake::words::{bytes, counted, figure};
use metrics::{Outcome, PartitionUnit, WayOn, Window, WindowReport};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::output::{self, path, store};
use crate::error::task_error;
use crate::state;

/// How many losses are told of a window; the log and the result name all of them.
const NAMED_LOSSES: usize = 20;

/// Of how many windows an error says what leads on.
const NAMED_WAYS: usize = 3;

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
    /// What leads on from there.
    #[serde(default)]
    ways_on: Vec<String>,
    /// Those that were found damaged before, and still are: `cold 2024-03-01`.
    #[serde(default)]
    damaged: Vec<String>,
    /// What was archived and is not any more.
    #[serde(default)]
    given_up: Vec<String>,
    published: Vec<Published>,
}

/// What the task does with each window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a> {
    /// Where the result is stored below `metrics`: `last_dump`.
    pub(super) key: &'static str,
    /// What is done, in the past: `dumped`.
    pub(super) done: &'static str,
    /// The tier whose rows are points; those of all others are buckets.
    pub(super) archive: Option<&'a str>,
    /// The step and the table whose partitions the windows are, when they are published.
    pub(super) table: Option<(&'a str, &'a str)>,
    /// Whether only what the step moved counts, rather than what the windows hold.
    pub(super) counts_moved: bool,
    /// Whether each window is a line of the run's output.
    pub(super) says: bool,
    /// Whether somebody asks for these windows: then also what was found wrong before is an error.
    pub(super) is_asked: bool,
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
            ways_on: Vec::new(),
            damaged: Vec::new(),
            given_up: Vec::new(),
            published: Vec::new(),
        }
    }

    /// Notes a window that is left as it is, and of which was said why.
    pub(super) fn leave(&mut self, label: String) {
        self.not_due.push(label);
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
            Outcome::Failed => self.note_failed(context, report, doing),
            Outcome::NotDue(why) => {
                context.host.warn(&format!("{label} is not {}: {why}", doing.done));
                self.not_due.push(label);
            }
        }
        for (index, gone) in report.given_up.iter().enumerate() {
            let gone = format!("{} {} gives up {gone}", report.tier, report.window.label());
            if index < NAMED_LOSSES {
                context.host.warn(&gone);
            } else {
                context.host.log(&gone);
            }
            self.given_up.push(gone);
        }
        if report.given_up.len() > NAMED_LOSSES {
            context.host.warn(&format!("… and {} more; the log names them", report.given_up.len() - NAMED_LOSSES));
        }
        self.next += 1;
        if self.next < self.labels.len() {
            return state::wait(&self, Duration::ZERO);
        }
        self.end(doing)
    }

    /// Notes a window that is not as it should be. It is an error when it is found, and for whoever asks for the window; from then on it
    /// is told, and everything else goes on.
    fn note_failed(&mut self, context: &TaskContext, report: &WindowReport, doing: Doing<'_>) {
        let place = format!("{} {}", report.tier, report.window.label());
        let way_on = report.way_on.map(|way_on| told(way_on, report.window));
        if report.is_known && !doing.is_asked {
            let (what, way_on) = (report.mismatches.first().map_or("", String::as_str), way_on.unwrap_or_default());
            context.host.warn(&format!("{place} is still not as it should be: {what}; {way_on}"));
            self.damaged.push(place);
            return;
        }
        self.mismatches.extend(report.mismatches.iter().map(|mismatch| format!("{place}: {mismatch}")));
        self.ways_on.extend(way_on.map(|way_on| format!("{place}: {way_on}")));
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
        if self.mismatches.is_empty() { Ok(self.finish(doing)) } else { Err(wrong(&self.mismatches, &self.ways_on)) }
    }

    /// Tells what was done.
    fn finish(self, doing: Doing<'_>) -> TaskOutcome {
        let value = json!({
            "windows": self.labels,
            "made": self.made,
            "unchanged": self.unchanged,
            "late": self.late,
            "not_due": self.not_due,
            "damaged": self.damaged,
            "given_up": self.given_up,
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
    let thing = if doing.archive == Some(report.tier.as_str()) { "point" } else { "bucket" };
    let became = match &report.outcome {
        Outcome::Made => doing.done.to_owned(),
        Outcome::Unchanged => format!("{} already", doing.done),
        Outcome::Late if thing == "bucket" => {
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
        thing,
        if report.figures.count == 1 { "" } else { "s" },
        figure(report.figures.series),
        bytes(report.bytes),
        report.figures.checksum,
    )
}

/// Points that are missing or others than they should be, as an error of the data.
fn wrong(mismatches: &[String], ways_on: &[String]) -> TaskError {
    let message = format!("points are not as they should be:\n{}", mismatches.join("\n"));
    let common =
        "nothing of these windows is expired, and later runs tell of them and go on with all others".to_owned();
    let more = ways_on.len().saturating_sub(NAMED_WAYS);
    let more = (more > 0).then(|| format!("So it is with {more} more"));
    let parts: Vec<String> = [common].into_iter().chain(ways_on.iter().take(NAMED_WAYS).cloned()).chain(more).collect();
    let help = parts.join(". ");
    TaskError::new(TaskErrorKind::DataQuality, Retry::Never, code::DATA_QUALITY, message).help(help)
}

/// Says what leads on from a window.
fn told(way_on: WayOn, window: Window) -> String {
    let span = written(window);
    let what_is_left = format!(
        "put its object back from a backup and verify; or run `metrics.dump>` once with `window: {span}` and `on_damage: replace`, \
         which keeps what can be read and names what it gives up"
    );
    match way_on {
        WayOn::DumpAgain => {
            format!("the next `metrics.dump>` writes it again when nothing of it is lost. Else {what_is_left}")
        }
        WayOn::DumpWhatIsLeft => what_is_left,
        WayOn::DumpFromStore => format!(
            "what was archived is whole. Bring back what the store has lost (`metrics.replay>`, `metrics.write>`), or run `metrics.dump>` \
             once with `window: {span}`, which takes what the store has now for all that it should hold; then verify"
        ),
        WayOn::BringBack => format!(
            "bring the points again from where they came (`metrics.replay>`, `metrics.write>`), or put the store back; a tier that has \
             another name in the file of tiers now has its points under the old one. Or take it that they are gone: run `metrics.dump>` once \
             with `window: {span}` and `on_damage: replace`"
        ),
        WayOn::RedoOrRollUp => "`suiro partition redo` goes forward again; to make it again of the finer tier, drop the partition \
                                (`athena.drop_partition>`), then `metrics.rollup>`"
            .to_owned(),
        WayOn::RedoOrDump => format!(
            "`suiro partition redo` goes forward again; to keep what the catalog points to, run `metrics.dump>` once with \
             `window: {span}` and `on_damage: replace`"
        ),
        WayOn::Redo => "`suiro partition redo` goes forward again".to_owned(),
        WayOn::RollUpAgain => "the next `metrics.rollup>` makes it again of the finer tier".to_owned(),
        WayOn::PutBack => {
            "put its object back from a backup and verify: what it was made of was given up, so that it cannot be made again"
                .to_owned()
        }
        WayOn::PutPartitionBack => "`athena.add_partition>` with the `location` that the ledger knows brings it back while its objects are \
                                    there: what it was made of was given up, so that it cannot be made again"
            .to_owned(),
    }
}

/// Writes the span of a window as `window` takes it.
fn written(window: Window) -> String {
    let range = window.range();
    let end = |time_ms: i64| {
        let text = metrics::time::shown(time_ms);
        text.strip_suffix("T00:00:00Z").map(str::to_owned).unwrap_or(text)
    };
    format!("{} .. {}", end(range.start_ms), end(range.end_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_written_as_it_is_read() {
        for (unit, label, expected) in [
            (PartitionUnit::Day, "2024-02-29", "2024-02-29 .. 2024-03-01"),
            (PartitionUnit::Hour, "2024-02-29-23", "2024-02-29T23:00:00Z .. 2024-03-01"),
            (PartitionUnit::Month, "2024-02", "2024-02-01 .. 2024-03-01"),
        ] {
            let window = Window::parse(unit, label).unwrap();
            let text = written(window);
            assert_eq!(text, expected);
            let read = crate::metrics::window::WrittenWindow::parse(&text).unwrap();
            assert_eq!(read.at(jiff::Timestamp::UNIX_EPOCH).unwrap(), window.range());
        }
    }
}
