//! A figure beside its budget, and the table of them.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

/// Whether a figure keeps its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// There is no budget: the figure is for comparison over time.
    Informative,
    /// Nothing was measured.
    Skipped,
    Failed,
}

/// Something measured.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: String,
    measured: String,
    budget: String,
    verdict: Verdict,
}

impl Figure {
    /// A figure that must not be more than its budget.
    pub(crate) fn at_most(what: &str, value: f64, budget: f64, show: impl Fn(f64) -> String) -> Self {
        let verdict = if value <= budget { Verdict::Met } else { Verdict::Missed };
        Self { what: what.to_owned(), measured: show(value), budget: format!("≤ {}", show(budget)), verdict }
    }

    /// A figure that must not be less than its budget.
    pub(crate) fn at_least(what: &str, value: f64, budget: f64, show: impl Fn(f64) -> String) -> Self {
        let verdict = if value >= budget { Verdict::Met } else { Verdict::Missed };
        Self { what: what.to_owned(), measured: show(value), budget: format!("≥ {}", show(budget)), verdict }
    }

    /// A figure without a budget.
    pub(crate) fn informative(what: &str, measured: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(), measured: measured.into(), budget: "–".to_owned(), verdict: Verdict::Informative
        }
    }

    /// What could not be measured here, and what it would take.
    pub(crate) fn skipped(what: &str, why: &str) -> Self {
        Self { what: what.to_owned(), measured: why.to_owned(), budget: "–".to_owned(), verdict: Verdict::Skipped }
    }

    /// What stopped with an error.
    pub(crate) fn failed(what: &str) -> Self {
        Self { what: what.to_owned(), measured: "–".to_owned(), budget: "–".to_owned(), verdict: Verdict::Failed }
    }
}

/// Draws the figures as a table of Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(["what", "measured", "budget", "met"]);
    for figure in figures {
        let verdict = match figure.verdict {
            Verdict::Met => "yes",
            Verdict::Missed => "**no**",
            Verdict::Informative => "–",
            Verdict::Skipped => "skipped",
            Verdict::Failed => "**failed**",
        };
        table.add_row([&figure.what, &figure.measured, &figure.budget, verdict]);
    }
    table.to_string()
}

/// Shows seconds as milliseconds.
pub(crate) fn milliseconds(seconds: f64) -> String {
    let milliseconds = seconds * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.2} ms") } else { format!("{milliseconds:.0} ms") }
}

/// Shows seconds.
pub(crate) fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

/// Shows KiB as MB of a million bytes, as budgets are written.
pub(crate) fn megabytes(kibibytes: f64) -> String {
    format!("{:.0} MB", kibibytes * 1024.0 / 1e6)
}

/// Turns megabytes into the KiB that the kernel counts in.
pub(crate) fn kibibytes(megabytes: f64) -> f64 {
    megabytes * 1e6 / 1024.0
}

/// Shows a rate in whole numbers.
pub(crate) fn per_second(noun: &'static str) -> impl Fn(f64) -> String {
    move |rate| format!("{rate:.0} {noun}/s")
}

/// Shows how many times as much.
pub(crate) fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}

/// Returns the middle one; of an even number the upper one.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// Returns the value below which so many per cent of the values lie; 0 when there are none.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}
