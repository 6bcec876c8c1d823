//! The checks of a version: SELECTs that run on it alone before anybody sees it, and must return no rows.

use futures::TryStreamExt as _;

use super::write::{FAILURES, may_go_well};
use crate::catalog::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::publish::request::{PublishRequest, PublishState, Step, Waiting, Written};
use crate::publish::whole::partitions_of;
use crate::query::{Query, QueryStats, QueryStatus, QueryTable};
use crate::words::counted;

/// The table that holds the new version alone while checks run, besides the target's own name.
const NEW_VERSION: &str = "new_version";

/// Rows of a failed check that its message shows.
const SHOWN_ROWS: usize = 3;

impl Lake {
    /// Runs the next check on the version.
    pub(super) async fn check(&self, request: &PublishRequest, written: &Written) -> Result<Step> {
        let Some(check) = request.options.checks.get(written.checks_passed) else {
            return Ok(Step::Next(PublishState::Validated(written.clone())));
        };
        let plan = &written.submitted.probed.plan;
        let version = self.version_as_table(request, written).await?;
        // The token of a query that failed would give the failed query again.
        let step = match written.check_failures {
            0 => format!("check {}", written.checks_passed),
            failures => format!("check {} again {failures}", written.checks_passed),
        };
        let mut named = version.clone();
        NEW_VERSION.clone_into(&mut named.table.name.table);
        let query = Query {
            database: request.database.clone(),
            tables: vec![version, named],
            options: request.query.clone(),
            ..Query::new(check.sql.clone(), None, request.query_token(plan, &step))
        };
        let id = self.engine.start(&query).await?;
        if written.check_query.as_ref() != Some(&id) {
            // Kept, so that a publish which is stopped stops its check as well.
            return Ok(Step::Next(PublishState::Written(Written { check_query: Some(id), ..written.clone() })));
        }
        let failed = |what: String| Error::new(ErrorKind::DataQuality, "check a version", what);
        match self.engine.poll(&id).await? {
            QueryStatus::Queued | QueryStatus::Unknown => Ok(Step::Wait(Waiting::Queued)),
            QueryStatus::Running(_) => Ok(Step::Wait(Waiting::Running)),
            QueryStatus::Succeeded(stats @ QueryStats { rows: 0, .. }) => {
                Ok(Step::Next(PublishState::Written(Written {
                    checks_passed: written.checks_passed + 1,
                    check_query: None,
                    check_failures: 0,
                    // What the check has read belongs to the work as well.
                    stats: written.stats.clone().and_cost_of(&stats),
                    ..written.clone()
                })))
            }
            QueryStatus::Succeeded(stats) => {
                let (columns, rows) = self.engine.fetch(&id).await?;
                let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
                let shown = first_rows(&names, rows).await?;
                Err(failed(format!(
                    "the check `{}` returned {}, it must return none: {shown}",
                    check.name,
                    counted(stats.rows, "row")
                )))
            }
            QueryStatus::Failed(error) if may_go_well(&error) && written.check_failures + 1 < FAILURES => {
                tracing::info!(%error, check = check.name, "a check's query failed and is run again");
                Ok(Step::Next(PublishState::Written(Written {
                    check_query: None,
                    check_failures: written.check_failures + 1,
                    ..written.clone()
                })))
            }
            QueryStatus::Failed(error) => Err(error.with("check", check.name.clone())),
            QueryStatus::Canceled => Err(Error::new(ErrorKind::Canceled, "check a version", "the check was cancelled")),
        }
    }

    /// Makes the table that a check reads: the target with the new version alone.
    async fn version_as_table(&self, request: &PublishRequest, written: &Written) -> Result<QueryTable> {
        let prefix = written.submitted.prefix.clone();
        let table = self.future_table(request, &written.submitted.probed).await?;
        let plan = &written.submitted.probed.plan;
        if let Some(values) = &plan.values {
            let mut partition = table.new_partition(values.clone(), prefix);
            partition.storage = plan.layout().storage(&table.columns);
            return Ok(QueryTable { table, partitions: vec![partition] });
        }
        let table = Table { location: Some(prefix), ..table };
        let partitions = partitions_of(&table, &written.stats.objects)?;
        Ok(QueryTable { partitions: partitions.into_iter().map(|written| written.partition).collect(), table })
    }
}

/// Writes the first rows of a failed check.
async fn first_rows(names: &[String], mut rows: datafusion::execution::SendableRecordBatchStream) -> Result<String> {
    use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
    let failed =
        |error: &dyn std::error::Error| Error::new(ErrorKind::External, "read a check's rows", error.to_string());
    let options = FormatOptions::default().with_null("NULL");
    let mut shown = Vec::new();
    while let Some(batch) = rows.try_next().await.map_err(|error| failed(&error))? {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if shown.len() == SHOWN_ROWS {
                return Ok(format!("{}, …", shown.join(", ")));
            }
            let cells: Vec<String> = names
                .iter()
                .zip(&columns)
                .map(|(name, column)| format!("{name}: {}", column.value(row).to_string().escape_debug()))
                .collect();
            shown.push(format!("{{{}}}", cells.join(", ")));
        }
    }
    Ok(shown.join(", "))
}
