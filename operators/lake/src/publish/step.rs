//! The steps of a publish: plan, probe, submit, wait (or batch by batch), validate, check, publish, collect.
//!
//! The caller keeps the state between two steps, so a process that stops anywhere goes on with the step it was in: each one
//! may be repeated. What a step leaves behind when it fails for good is given up and collected.

mod batch;
mod check;
pub(super) mod plan;
pub(super) mod race;
mod visible;
mod write;

use indexmap::IndexMap;

use super::Layout;
use super::request::{Plan, PublishOutcome, PublishRequest, PublishResult, PublishState, Step, Written};
use super::version::VersionName;
use crate::catalog::{Column, Table};
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::query::QueryStats;

/// The parameter of a table that keeps where it stood first, because its location moves with each version.
pub(super) const TABLE_ROOT: &str = "suiro.table_root";

impl Lake {
    /// Takes a publish one step further. Repeating it from the same state is fine.
    ///
    /// # Errors
    /// What the step meets; those that a retry of the same step may mend are [`Retryable::Yes`] or of the kind `External`.
    /// After the others the version is given up and collected, and the publish must begin anew.
    pub async fn publish_step(&self, request: &PublishRequest, state: &PublishState) -> Result<Step> {
        match state {
            PublishState::Planned(plan) => self.probe(request, plan).await,
            PublishState::Probed(probed) => self.submit(request, probed).await,
            PublishState::Submitted(submitted) => self.follow(request, submitted).await,
            PublishState::Staging(staging) => {
                let step = self.follow_staging(request, staging).await;
                self.or_give_up(&staging.prefix, step).await
            }
            PublishState::Batching(batching) => {
                let step = self.write_batches(request, batching).await;
                self.or_give_up(&batching.prefix, step).await
            }
            PublishState::Written(written) => {
                let step = self.check(request, written).await;
                self.or_give_up(&written.submitted.prefix, step).await
            }
            PublishState::Validated(written) => {
                let step = self.make_visible(request, written).await;
                let step = self.or_give_up(&written.submitted.prefix, step).await;
                self.or_plan_anew(request, written, step).await
            }
            PublishState::Published(outcome) => {
                // What is due can go now. The publish is done whether that succeeds or not; the next collection goes on with it.
                self.try_to_collect().await?;
                Ok(Step::Done(outcome.clone()))
            }
        }
    }

    /// Stops a publish that is not wanted any more: its query, and what it wrote.
    ///
    /// # Errors
    /// Those of the query engine and the storage.
    pub async fn cancel_publish(&self, request: &PublishRequest, state: &PublishState) -> Result<()> {
        if let PublishState::Written(Written { check_query: Some(check), .. }) = state {
            self.engine.cancel(check).await?;
        }
        let (prefix, query_id) = match state {
            PublishState::Planned(_) | PublishState::Published(_) => return Ok(()),
            // It may have been noted already, by a step that was stopped before its state was kept.
            PublishState::Probed(probed) => {
                (version_name(request, &probed.plan).prefix(&probed.plan.version_root)?, None)
            }
            PublishState::Submitted(submitted) => (submitted.prefix.clone(), Some(&submitted.query_id)),
            PublishState::Staging(staging) => (staging.prefix.clone(), Some(&staging.query_id)),
            PublishState::Batching(batching) => {
                (batching.prefix.clone(), Some(batching.running.as_ref().unwrap_or(&batching.listing)))
            }
            PublishState::Written(Written { submitted, .. }) | PublishState::Validated(Written { submitted, .. }) => {
                (submitted.prefix.clone(), Some(&submitted.query_id))
            }
        };
        if let Some(query_id) = query_id {
            self.engine.cancel(query_id).await?;
        }
        self.abandon_version(&prefix).await?;
        self.collect().await?;
        Ok(())
    }

    /// Gives a version up when its step failed for good.
    async fn or_give_up(&self, prefix: &Location, step: Result<Step>) -> Result<Step> {
        if let Err(error) = &step {
            let for_good = matches!(
                error.kind,
                ErrorKind::DataQuality
                    | ErrorKind::InvalidData
                    | ErrorKind::InvalidInput
                    | ErrorKind::InvalidSql
                    | ErrorKind::UnsupportedSql
                    | ErrorKind::QueryFailed
                    | ErrorKind::TooManyPartitions
                    | ErrorKind::SchemaMismatch
                    | ErrorKind::Conflict
                    | ErrorKind::AlreadyExists
                    | ErrorKind::NotFound
            );
            if for_good && error.retryable == Retryable::No {
                self.give_up(prefix).await?;
            }
        }
        step
    }

    async fn give_up(&self, prefix: &Location) -> Result<()> {
        self.abandon_version(prefix).await?;
        // What counts is why it is given up. What cannot be deleted now, of other tables too, goes with a later collection.
        self.try_to_collect().await
    }

    async fn try_to_collect(&self) -> Result<()> {
        match self.collect().await {
            // A test that stops here stops the step.
            Err(error) if error.kind == ErrorKind::Canceled => Err(error),
            Err(error) => {
                tracing::warn!(%error, help = error.help, "versions that are no longer needed could not be collected");
                Ok(())
            }
            Ok(_collected) => Ok(()),
        }
    }

    async fn existing(&self, name: &TableName) -> Result<Table> {
        let table = self.catalog.table(name).await?;
        table.ok_or_else(|| not_found(format!("table `{name}` is not in the catalog")))
    }
}

/// Names what a plan writes.
fn version_name(request: &PublishRequest, plan: &Plan) -> VersionName {
    VersionName {
        table: request.target.table().clone(),
        values: plan.values.clone(),
        planned_ms: plan.planned_ms,
        request_hash: request.hash(),
        generation: plan.generation,
    }
}

/// Makes the description of a table whose partition keys are text.
fn keyed_table<'a>(
    name: &TableName,
    keys: impl Iterator<Item = &'a String>,
    columns: Vec<Column>,
    root: Location,
    layout: &Layout,
) -> Table {
    let keys = keys.map(|key| Column::new(&key.to_lowercase(), "string")).collect();
    let mut table = Table::new(name.clone(), columns, keys, root, layout.format.table_format());
    table.storage = layout.storage(&table.columns);
    table
}

fn describe(name: &TableName, table: Option<&Table>, values: Option<&[String]>) -> String {
    match (table, values) {
        (_, None) => format!("table `{name}`"),
        (Some(table), Some(values)) => {
            let pairs: Vec<String> = table.pairs(values).map(|(key, value)| format!("{key}={value}")).collect();
            format!("partition `{}` of table `{name}`", pairs.join("/"))
        }
        (None, Some(values)) => format!("partition `{}` of table `{name}`", values.join("/")),
    }
}

fn skipped(request: &PublishRequest, partition: IndexMap<String, String>, result: PublishResult) -> PublishOutcome {
    PublishOutcome {
        table: request.target.table().clone(),
        partition,
        result,
        location: None,
        previous_location: None,
        query_id: None,
        stats: QueryStats::default(),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "plan a publish", message)
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::NotFound, "plan a publish", message)
}
