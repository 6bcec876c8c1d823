//! What a run shows while it goes on: a live tree on a terminal, lines elsewhere, JSON with `--json`.
//!
//! What tasks print goes to stdout; everything else to stderr.

mod json;
mod lines;
mod live;

use std::io::IsTerminal;
use std::sync::Arc;

use engine::operator::TaskReport;
use engine::run::RunObserver;
use engine::session::TaskState;

use crate::output::{Output, bytes, count, duration};

/// Chooses what a run shows.
pub(crate) fn observer(output: Output, quiet: bool) -> Arc<dyn RunObserver> {
    if output.json {
        Arc::new(json::JsonLines::new(output))
    } else if !quiet && std::io::stderr().is_terminal() {
        Arc::new(live::LiveTree::new(output))
    } else {
        Arc::new(lines::Lines::new(output, quiet))
    }
}

/// The sign of how a task ended.
fn sign(state: TaskState, skipped: bool, color: bool) -> String {
    let (sign, style) = match state {
        _ if skipped => ("-", "2"),
        TaskState::Success => ("✓", "32"),
        TaskState::Canceled => ("∅", "33"),
        TaskState::Error | TaskState::GroupError => ("✗", "31"),
        _ => ("·", "2"),
    };
    if color { format!("\x1b[{style}m{sign}\x1b[0m") } else { sign.to_owned() }
}

/// A task's line after its sign: indented name, duration, figures.
fn line(depth: usize, name: &str, took: std::time::Duration, skipped: bool, report: Option<&TaskReport>) -> String {
    let name = format!("{:indent$}{name}", "", indent = depth * 2);
    if skipped {
        return format!("{name:<44} {:>10}", "done before");
    }
    let figures = report.map(figures).unwrap_or_default();
    format!("{name:<44} {:>10}  {figures}", duration(took)).trim_end().to_owned()
}

/// The figures of a report: `4,350 rows  180.2 KiB  scanned 1.2 MiB  3 rejected`.
fn figures(report: &TaskReport) -> String {
    let mut parts = Vec::new();
    parts.extend(report.rows.map(|rows| format!("{:>10} rows", count(rows))));
    parts.extend(report.bytes.map(|written| format!("{:>10}", bytes(written))));
    parts.extend(report.scanned_bytes.map(|scanned| format!("scanned {}", bytes(scanned))));
    parts.extend(
        report.rejected.filter(|rejected| *rejected > 0).map(|rejected| format!("{} rejected", count(rejected))),
    );
    parts.join("  ")
}
