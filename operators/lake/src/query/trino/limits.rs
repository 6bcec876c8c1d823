//! What a query may use before it is stopped: as the query says, else as the settings say.

use std::time::Duration;

use super::page::PageStats;
use super::settings::TrinoSettings;
use crate::error::{Error, ErrorKind};
use crate::query::QueryOptions;

const OPERATION: &str = "run a query";

/// Tells which limit a query is over.
pub(super) fn exceeded(stats: &PageStats, options: &QueryOptions, settings: &TrinoSettings) -> Option<Error> {
    let millis = |own: Option<u64>, set: Option<Duration>| {
        own.or_else(|| set.map(|set| u64::try_from(set.as_millis()).unwrap_or(u64::MAX)))
    };
    let over = |used: u64, limit: Option<u64>| limit.filter(|limit| used > *limit);
    let stopped = |message: String| Error::new(ErrorKind::ResourcesExhausted, OPERATION, message);
    if let Some(limit) = over(stats.queued_time_millis, millis(options.queue_timeout_ms, settings.queue_timeout)) {
        return Some(
            stopped(format!("the query waited for its turn for more than {}", seconds(limit)))
                .help("run fewer queries at a time, or allow a longer `queue_timeout`"),
        );
    }
    let ran = stats.elapsed_time_millis.saturating_sub(stats.queued_time_millis);
    if let Some(limit) = over(ran, millis(options.run_timeout_ms, settings.run_timeout)) {
        return Some(
            stopped(format!("the query ran for more than {}", seconds(limit)))
                .help("let the query read less, or allow a longer `run_timeout`"),
        );
    }
    let limit = over(stats.physical_input_bytes, options.max_scan_bytes.or(settings.max_scan_bytes))?;
    Some(
        stopped(format!("the query read {} bytes, more than the {limit} allowed", stats.physical_input_bytes))
            .help("name fewer partitions in WHERE, or allow more by `max_scan_bytes`"),
    )
}

fn seconds(millis: u64) -> String {
    format!("{}s", std::time::Duration::from_millis(millis).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_the_queue_does_not_count_as_running() {
        let settings = TrinoSettings {
            run_timeout: Some(Duration::from_secs(10)),
            max_scan_bytes: Some(100),
            ..TrinoSettings::new("http://127.0.0.1", "me", "lake")
        };
        let stats = |queued, elapsed, bytes| PageStats {
            queued_time_millis: queued,
            elapsed_time_millis: elapsed,
            physical_input_bytes: bytes,
            ..PageStats::default()
        };
        let own = QueryOptions { queue_timeout_ms: Some(90_000), max_scan_bytes: Some(7), ..QueryOptions::default() };
        let said = |stats, options| exceeded(&stats, options, &settings).map(|error| error.message);
        let none = QueryOptions::default();
        assert_eq!(said(stats(60_000, 65_000, 100), &none), None);
        assert_eq!(said(stats(0, 10_001, 0), &none).unwrap(), "the query ran for more than 10s");
        assert_eq!(said(stats(0, 0, 101), &none).unwrap(), "the query read 101 bytes, more than the 100 allowed");
        assert_eq!(said(stats(0, 0, 8), &own).unwrap(), "the query read 8 bytes, more than the 7 allowed");
        assert_eq!(said(stats(90_001, 90_001, 0), &own).unwrap(), "the query waited for its turn for more than 90s");
    }
}
