//! What a query may use: bytes it may read, time it may wait, time it may run. The time in the queue is not the query's own.
//!
//! Everything is read from Athena's figures, so that a process which finds a cancelled query knows why it was stopped.

use aws_sdk_athena::types::{QueryExecution, QueryExecutionState};

use super::poller;
use crate::aws::AthenaSettings;
use crate::error::{Error, ErrorKind};
use crate::query::QueryOptions;

/// The limits of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    scan_bytes: Option<u64>,
    queue_ms: Option<u64>,
    run_ms: Option<u64>,
}

impl Allowance {
    /// Takes the limits of the query, and those of the profile where it has none.
    pub(super) fn of(options: &QueryOptions, settings: &AthenaSettings) -> Self {
        let milliseconds =
            |time: Option<std::time::Duration>| time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Self {
            scan_bytes: options.max_scan_bytes.or(settings.max_scan_bytes),
            queue_ms: options.queue_timeout_ms.or_else(|| milliseconds(settings.queue_timeout)),
            run_ms: options.run_timeout_ms.or_else(|| milliseconds(settings.run_timeout)),
        }
    }

    /// Says which limit a query has gone over; none for one that ended well or failed by itself.
    pub(super) fn exceeded(self, execution: &QueryExecution, now_ms: i64) -> Option<Error> {
        let state = poller::state(execution)?;
        if matches!(state, QueryExecutionState::Succeeded | QueryExecutionState::Failed) {
            return None;
        }
        let figures = execution.statistics.as_ref();
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
        let scanned = number(figures.and_then(|figures| figures.data_scanned_in_bytes));
        let submitted_ms = execution
            .status
            .as_ref()
            .and_then(|status| status.submission_date_time.as_ref())
            .and_then(|time| time.to_millis().ok());
        // While it waits Athena gives no figure.
        let queued = match state {
            QueryExecutionState::Queued => number(submitted_ms.map(|submitted| now_ms.saturating_sub(submitted))),
            _ => number(figures.and_then(|figures| figures.query_queue_time_in_millis)),
        };
        let ran = number(figures.and_then(|figures| figures.engine_execution_time_in_millis));
        let over = |limit: Option<u64>, value: u64| limit.filter(|limit| value > *limit);
        let made = |message: String| Error::new(ErrorKind::ResourcesExhausted, "run a query", message);
        if let Some(limit) = over(self.scan_bytes, scanned) {
            let message = format!("the query was stopped: it had read {scanned} bytes, {limit} are allowed");
            return Some(made(message).help("name fewer partitions in WHERE, or raise `max_scan_bytes`"));
        }
        if let Some(limit) = over(self.queue_ms, queued) {
            let message = format!("the query was stopped: it had waited for its turn for more than {}", seconds(limit));
            return Some(made(message).retryable().help("fewer queries at once, or raise `queue_timeout`"));
        }
        let limit = over(self.run_ms, ran)?;
        let message = format!("the query was stopped: it had run for more than {}", seconds(limit));
        Some(made(message).help("raise the limit: `timeout` of a task, `query_timeout` of a profile"))
    }
}

fn seconds(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) { format!("{} s", milliseconds / 1000) } else { format!("{milliseconds} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_athena::primitives::DateTime;
    use aws_sdk_athena::types::{QueryExecutionStatistics, QueryExecutionStatus};

    fn query(state: QueryExecutionState, scanned: i64, queued: i64, ran: i64) -> QueryExecution {
        let status =
            QueryExecutionStatus::builder().state(state).submission_date_time(DateTime::from_millis(0)).build();
        let figures = QueryExecutionStatistics::builder()
            .data_scanned_in_bytes(scanned)
            .query_queue_time_in_millis(queued)
            .engine_execution_time_in_millis(ran)
            .build();
        QueryExecution::builder().status(status).statistics(figures).build()
    }

    #[test]
    fn waiting_does_not_count_as_running() {
        use QueryExecutionState::{Cancelled, Queued, Running, Succeeded};
        let options = QueryOptions {
            max_scan_bytes: Some(100),
            queue_timeout_ms: Some(60_000),
            run_timeout_ms: Some(1_500),
            ..QueryOptions::default()
        };
        let allowance = Allowance::of(&options, &AthenaSettings::default());
        for (query, now_ms, expected) in [
            (query(Queued, 0, 0, 0), 60_000, None),
            (query(Queued, 0, 0, 0), 60_001, Some("it had waited for its turn for more than 60 s")),
            (query(Running, 100, 50_000, 1_500), 1_000_000, None),
            (query(Running, 101, 0, 0), 0, Some("it had read 101 bytes, 100 are allowed")),
            (query(Running, 0, 0, 1_501), 0, Some("it had run for more than 1500 ms")),
            (query(Cancelled, 0, 60_001, 0), 0, Some("it had waited for its turn for more than 60 s")),
            (query(Succeeded, 1_000, 0, 0), 0, None),
        ] {
            let found = allowance.exceeded(&query, now_ms).map(|error| error.message);
            assert_eq!(found, expected.map(|text| format!("the query was stopped: {text}")));
        }
    }
}
