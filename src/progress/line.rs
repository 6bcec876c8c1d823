//! One task's line: sign, name, duration, figures. On a terminal it fits its width: the name is cut, figures are left out.

use std::time::Duration;

use console::measure_text_width;
use engine::operator::{TaskProgress, TaskReport};
use engine::session::TaskState;
use lake::words::{bytes, figure};

use super::place::{cut, cut_middle, padded};
use crate::output::{counted, dollars, duration};

/// The columns of names, where there is room.
const NAME_COLUMNS: usize = 44;

/// The fewest columns that a name gets.
const FEWEST_NAME_COLUMNS: usize = 12;

/// The columns of durations: `done before`.
const TIME_COLUMNS: usize = 11;

/// The columns of rows and bytes, with the blanks before them.
const FIGURE_COLUMNS: usize = 17 + 12;

/// Those of all figures.
const ALL_FIGURE_COLUMNS: usize = FIGURE_COLUMNS + 20;

/// The most columns that a name gets.
const MOST_NAME_COLUMNS: usize = 90;

/// The columns of a sign and the blank after it.
pub(super) const SIGN_COLUMNS: usize = 2;

/// What a task has done, in figures, the ones that matter most first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Figures(Vec<Figure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Figure {
    /// Its place in the line; the list is in the order in which figures are given room.
    place: u8,
    text: String,
}

impl Figures {
    /// Those of a report: `4,350 rows  180.2 KiB  scanned 1.2 MiB  $0.000048  3 rejected`.
    pub(super) fn of_report(report: &TaskReport) -> Self {
        let mut figures = Vec::new();
        let rejected = report.rejected.filter(|rejected| *rejected > 0);
        figures.extend(rejected.map(|rejected| (5, format!("{} rejected", figure(rejected)))));
        figures.extend(report.rows.map(|rows| (1, format!("{:>15}", counted(rows, "row")))));
        figures.extend(report.bytes.map(|written| (2, format!("{:>10}", bytes(written)))));
        figures.extend(report.scanned_bytes.map(|scanned| (3, format!("scanned {}", bytes(scanned)))));
        figures.extend(report.cost_micro_usd.map(|cost| (4, dollars(cost))));
        Self(figures.into_iter().map(|(place, text)| Figure { place, text }).collect())
    }

    /// Those of work that goes on: `1,350 rows  18.2 MiB of 1.2 GiB  45.0 MiB/s`.
    pub(super) fn of_progress(progress: &TaskProgress, per_second: Option<u64>) -> Self {
        let mut figures = vec![(1, format!("{:>15}", counted(progress.rows, "row")))];
        figures.push(match progress.bytes_total {
            Some(total) => (2, format!("{:>10} of {}", bytes(progress.bytes), bytes(total))),
            None => (2, format!("{:>10}", bytes(progress.bytes))),
        });
        figures.extend(per_second.map(|rate| (3, format!("{}/s", bytes(rate)))));
        Self(figures.into_iter().map(|(place, text)| Figure { place, text }).collect())
    }

    /// Writes as many as there is room for.
    fn text(&self, room: usize) -> String {
        let mut left = room;
        let mut fitting: Vec<&Figure> = Vec::new();
        for figure in &self.0 {
            let columns = measure_text_width(&figure.text) + 2;
            if columns <= left {
                left -= columns;
                fitting.push(figure);
            }
        }
        fitting.sort_by_key(|figure| figure.place);
        fitting.iter().flat_map(|figure| ["  ", figure.text.as_str()]).collect()
    }
}

/// Writes a task's line after its sign. `width` is what a terminal has for it; none elsewhere: then nothing is cut.
pub(super) fn line(depth: usize, label: &str, time: &str, figures: &Figures, width: Option<usize>) -> String {
    let name = format!("{:indent$}{label}", "", indent = depth * 2);
    let (name_columns, room) = match width {
        None => (NAME_COLUMNS, usize::MAX),
        Some(width) => {
            let rest = width.saturating_sub(1 + TIME_COLUMNS);
            let beside_all = rest.saturating_sub(ALL_FIGURE_COLUMNS).min(MOST_NAME_COLUMNS);
            let beside_most = rest.saturating_sub(FIGURE_COLUMNS).min(NAME_COLUMNS);
            let columns = beside_all.max(beside_most).max(rest.min(FEWEST_NAME_COLUMNS));
            (columns, rest.saturating_sub(columns))
        }
    };
    let name = if width.is_some() { cut_middle(&name, name_columns) } else { name };
    let line = format!("{} {time:>TIME_COLUMNS$}{}", padded(&name, name_columns), figures.text(room));
    let line = line.trim_end();
    width.map_or_else(|| line.to_owned(), |width| cut(line, width))
}

/// Writes what is shown in place of a duration for a task that was at its end before.
pub(super) fn before(state: TaskState) -> &'static str {
    match state {
        TaskState::Error | TaskState::GroupError => "failed before",
        TaskState::Canceled => "stopped before",
        _ => "done before",
    }
}

/// The duration of a task that ended now, or that it had ended before.
pub(super) fn time(took: Duration, skipped: bool) -> String {
    if skipped { before(TaskState::Success).to_owned() } else { duration(took) }
}

/// The sign of how a task ended.
pub(super) fn sign(state: TaskState, was_before: bool, color: bool) -> String {
    let (sign, style) = match state {
        TaskState::Success if was_before => ("-", "2"),
        TaskState::Success => ("✓", "32"),
        TaskState::Canceled => ("∅", "33"),
        TaskState::Error | TaskState::GroupError => ("✗", "31"),
        _ => ("·", "2"),
    };
    if color { format!("\x1b[{style}m{sign}\x1b[0m") } else { sign.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> TaskReport {
        TaskReport {
            rows: Some(4325),
            bytes: Some(59_800),
            scanned_bytes: Some(60_300),
            cost_micro_usd: None,
            rejected: Some(3),
            published: Vec::new(),
        }
    }

    #[test]
    fn lines_fit_their_terminal() {
        let figures = Figures::of_report(&report());
        let drawn = |label: &str, width| line(1, label, "346 ms", &figures, width);
        assert_eq!(
            drawn("+load", None),
            "  +load                                           346 ms       4,325 rows    58.3 KiB  scanned 58.8 KiB  3 rejected"
        );
        assert_eq!(
            drawn("+load", Some(78)),
            "  +load                                    346 ms       4,325 rows  3 rejected"
        );
        assert!(
            drawn("+load", Some(118)).ends_with("4,325 rows    58.3 KiB  3 rejected"),
            "{}",
            drawn("+load", Some(118))
        );
        assert_eq!(drawn("+load", Some(38)), "  +load           346 ms  3 rejected");
        let long = "+a_task_with_a_name_that_is_longer_than_anybody_would_write_it";
        assert_eq!(drawn(long, Some(38)), "  +a_t…te_it      346 ms  3 rejected");
        for width in 0..140 {
            let columns = measure_text_width(&drawn(long, Some(width)));
            assert!(columns <= width, "{columns} columns of {width}");
        }
        assert!(drawn(long, None).contains(long));
    }

    #[test]
    fn work_that_goes_on_shows_rows_bytes_and_rate() {
        let progress = TaskProgress { rows: 1350, bytes: 19_083_000, bytes_total: Some(1_288_490_189) };
        let figures = Figures::of_progress(&progress, Some(47_185_920));
        assert_eq!(
            line(0, "+load", "12.10 s", &figures, None),
            "+load                                            12.10 s       1,350 rows    18.1 MiB of 1.2 GiB  45.0 MiB/s"
        );
    }
}
