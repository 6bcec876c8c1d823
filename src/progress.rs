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
use engine::run::observer::TaskRef;
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

/// Where a task stands in the tree that is shown: the root and the groups `^sub` that loops make are not.
#[derive(Debug, Clone)]
struct Place {
    /// The task's full name.
    full_name: String,
    /// What is shown of it; none when it is not shown.
    own_name: Option<String>,
    /// How deep its line stands.
    depth: usize,
    /// How deep its children's lines stand.
    children_depth: usize,
}

impl Place {
    /// Finds the place of a task below its parent's.
    fn below(parent: Option<&Self>, task: &TaskRef<'_>) -> Self {
        let full_name = task.name.to_owned();
        let Some(parent) = parent else {
            return Self { full_name, own_name: None, depth: 0, children_depth: 0 };
        };
        let own_name = task.name.strip_prefix(parent.full_name.as_str()).unwrap_or(task.name).to_owned();
        let depth = parent.children_depth;
        if own_name == "^sub" && task.operator.is_none() {
            return Self { full_name, own_name: None, depth, children_depth: depth };
        }
        Self { full_name, own_name: Some(own_name), depth, children_depth: depth + 1 }
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
