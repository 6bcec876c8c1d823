//! What a query did and what it costs, from Athena's figures.

use aws_sdk_athena::types::{QueryExecution, QueryExecutionState, StatementType};

use super::poller;
use crate::aws::AthenaSettings;
use crate::query::QueryStats;

/// Returns the figures of a query so far; rows and objects are not among them.
pub(super) fn of(execution: &QueryExecution, settings: &AthenaSettings) -> QueryStats {
    let figures = execution.statistics.as_ref();
    let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    let scanned_bytes = number(figures.and_then(|figures| figures.data_scanned_in_bytes));
    let billed_bytes = billed(execution, scanned_bytes);
    QueryStats {
        scanned_bytes,
        billed_bytes,
        cost_micro_usd: settings.cost_micro_usd(billed_bytes),
        elapsed_ms: number(figures.and_then(|figures| figures.total_execution_time_in_millis)),
        output: super::result::output(execution),
        workgroup: execution.work_group.clone(),
        ..QueryStats::default()
    }
}

/// Returns the bytes that Athena bills. DDL (other than CREATE TABLE AS, which reads and is billed, and is DDL by its type), failed queries and results of before are free; a cancelled query costs what it
/// has read.
fn billed(execution: &QueryExecution, scanned_bytes: u64) -> u64 {
    let is_reused = execution
        .statistics
        .as_ref()
        .and_then(|figures| figures.result_reuse_information.as_ref())
        .is_some_and(|reuse| reuse.reused_previous_result);
    let reads = execution.statement_type.as_ref().is_none_or(|kind| *kind == StatementType::Dml)
        || execution.substatement_type.as_deref() == Some("CREATE_TABLE_AS_SELECT");
    let is_free = !reads || is_reused;
    match poller::state(execution) {
        Some(QueryExecutionState::Failed) => 0,
        _ if is_free => 0,
        _ => AthenaSettings::billed_bytes(scanned_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_athena::types::{QueryExecutionStatistics, QueryExecutionStatus};

    fn query(kind: StatementType, state: QueryExecutionState, scanned: i64) -> QueryExecution {
        QueryExecution::builder()
            .statement_type(kind)
            .status(QueryExecutionStatus::builder().state(state).build())
            .statistics(QueryExecutionStatistics::builder().data_scanned_in_bytes(scanned).build())
            .build()
    }

    #[test]
    fn ten_megabytes_are_the_least_and_whole_ones_count() {
        use QueryExecutionState::{Cancelled, Failed, Succeeded};
        for (kind, state, scanned, megabytes) in [
            (StatementType::Dml, Succeeded, 0, 10),
            (StatementType::Dml, Succeeded, 10 << 20, 10),
            (StatementType::Dml, Succeeded, (10 << 20) + 1, 11),
            (StatementType::Dml, Cancelled, 12 << 20, 12),
            (StatementType::Dml, Failed, 12 << 20, 0),
            (StatementType::Ddl, Succeeded, 0, 0),
        ] {
            assert_eq!(
                of(&query(kind.clone(), state, scanned), &AthenaSettings::default()).billed_bytes,
                megabytes << 20,
                "{kind} {scanned}"
            );
        }
    }

    #[test]
    fn the_workgroup_is_the_one_that_athena_names() {
        let ran = QueryExecution::builder().work_group("etl").build();
        assert_eq!(of(&ran, &AthenaSettings::default()).workgroup.as_deref(), Some("etl"));
    }

    #[test]
    fn a_table_that_is_made_of_a_query_is_billed_as_that() {
        let mut made = query(StatementType::Ddl, QueryExecutionState::Succeeded, 12 << 20);
        made.substatement_type = Some("CREATE_TABLE_AS_SELECT".to_owned());
        assert_eq!(of(&made, &AthenaSettings::default()).billed_bytes, 12 << 20);
    }

    #[test]
    fn a_terabyte_costs_five_dollars_and_parts_are_rounded_up() {
        let settings = AthenaSettings::default();
        assert_eq!(settings.cost_micro_usd(1 << 40), 5_000_000);
        assert_eq!(settings.cost_micro_usd(10 << 20), 48);
        assert_eq!(settings.cost_micro_usd(0), 0);
        assert_eq!(AthenaSettings { micro_usd_per_tb: u64::MAX, ..settings }.cost_micro_usd(u64::MAX), u64::MAX);
    }
}
