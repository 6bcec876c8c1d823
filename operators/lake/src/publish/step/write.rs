//! The query that writes a version: its columns compared, started under a prefix of its own, followed, its objects counted.

use super::{describe, version_name};
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::lake::Lake;
use crate::name::Location;
use crate::publish::decide::{self, Ending, RowLimit};
use crate::publish::dml::wrap;
use crate::publish::parquet::StoredColumn;
use crate::publish::request::{
    Contents, Plan, Probed, PublishRequest, PublishState, Step, Submitted, Target, Waiting, Written,
};
use crate::publish::schema::SchemaPlan;
use crate::publish::validate;
use crate::query::{Destination, Query, QueryStats, QueryStatus};
use crate::sql::Type;

/// How many failures of a query are enough, of those that may go well the next time (each time under a prefix of its own).
pub(super) const FAILURES: u32 = 5;

impl Lake {
    /// Compares the query's columns with the table's.
    pub(super) async fn probe(&self, request: &PublishRequest, plan: &Plan) -> Result<Step> {
        let description = self.engine.describe(&request.sql, request.database.as_deref()).await?;
        let table = match &request.target {
            Target::Partition { table, .. } if !plan.creates_table => Some(self.existing(table).await?),
            Target::Partition { .. } | Target::Table { .. } => None,
        };
        let columns = request.target.own_columns(&request.sql, &description.columns);
        let schema = request.target.plan_columns(table.as_ref(), &columns, &request.options)?;
        plan.layout().check(&stored(&schema))?;
        Ok(Step::Next(PublishState::Probed(Probed { plan: plan.clone(), schema })))
    }

    /// Starts the query that writes.
    pub(super) async fn submit(&self, request: &PublishRequest, probed: &Probed) -> Result<Step> {
        let plan = &probed.plan;
        let name = version_name(request, plan);
        let prefix = name.prefix(&plan.version_root)?;
        let begun = self.begin_version(&plan.version_root, &prefix, &name.table, plan.values.as_deref()).await;
        match begun {
            Ok(()) => {}
            // A stop after it was given up, before the state of the next generation was kept.
            Err(error) if error.kind == ErrorKind::Conflict => return begin_anew(probed),
            Err(error) => return Err(error),
        }
        if plan.in_batches {
            return self.stage_rows(request, probed, prefix).await;
        }
        let mut sql = wrap(&request.sql, &probed.schema.columns);
        if request.options.contents == Contents::Nothing {
            sql.push_str("\nWHERE false");
        }
        let query = Query {
            sql,
            database: request.database.clone(),
            token: request.query_token(plan, "write"),
            destination: Destination::Objects {
                prefix: prefix.clone(),
                layout: plan.layout(),
                partition_by: probed.schema.keys.iter().map(|key| key.name.clone()).collect(),
            },
            tables: Vec::new(),
            options: request.query.clone(),
        };
        let points = &self.settings.crash_points;
        let query_id = points.around("publish: start the query", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Submitted(Submitted { probed: probed.clone(), prefix, query_id })))
    }

    /// Looks how far the query is.
    pub(super) async fn follow(&self, request: &PublishRequest, submitted: &Submitted) -> Result<Step> {
        let prefix = &submitted.prefix;
        match self.engine.poll(&submitted.query_id).await? {
            QueryStatus::Queued => Ok(Step::Wait(Waiting::Queued)),
            QueryStatus::Running(_) => Ok(Step::Wait(Waiting::Running)),
            QueryStatus::Succeeded(stats) => {
                let step = self.validate_written(request, submitted, std::slice::from_ref(prefix), stats).await;
                self.or_give_up(prefix, step).await
            }
            // The process that ran it is gone; what it wrote may be half. That is no fault of the query: however often the
            // process is stopped, it begins anew.
            QueryStatus::Unknown => {
                self.give_up(prefix).await?;
                begin_anew(&submitted.probed)
            }
            QueryStatus::Failed(error) => self.after_failure(&submitted.probed, prefix, error).await,
            QueryStatus::Canceled => self.canceled(prefix).await,
        }
    }

    /// Ends a publish whose query somebody else cancelled.
    pub(super) async fn canceled(&self, prefix: &Location) -> Result<Step> {
        self.give_up(prefix).await?;
        Err(Error::new(ErrorKind::Canceled, "follow a query", "the query was cancelled"))
    }

    /// Gives up what a query wrote that failed, and begins anew where that may go well.
    pub(super) async fn after_failure(&self, probed: &Probed, prefix: &Location, error: Error) -> Result<Step> {
        self.give_up(prefix).await?;
        let mut probed = probed.clone();
        if error.kind == ErrorKind::TooManyPartitions && !probed.plan.in_batches && !probed.schema.keys.is_empty() {
            tracing::info!(%error, "more partitions than one query may write: they are written in batches");
            probed.plan.in_batches = true;
            return begin_anew(&probed);
        }
        probed.plan.failures += 1;
        if !may_go_well(&error) || probed.plan.failures >= FAILURES {
            return Err(error);
        }
        begin_anew(&probed)
    }

    /// Checks the objects below the prefixes that were written to, and decides by the number of rows.
    pub(super) async fn validate_written(
        &self,
        request: &PublishRequest,
        submitted: &Submitted,
        prefixes: &[Location],
        stats: QueryStats,
    ) -> Result<Step> {
        let format = submitted.probed.plan.format.unwrap_or_default();
        let validated = validate::validate(&self.storage, prefixes, &stats.objects, format.into()).await?;
        let plan = &submitted.probed.plan;
        let name = request.target.table();
        let written = Written {
            submitted: submitted.clone(),
            rows: validated.rows,
            stats: QueryStats { rows: validated.rows, written_bytes: validated.bytes, ..stats }
                .and_cost_of(&plan.spent),
            checks_passed: 0,
            check_query: None,
            check_failures: 0,
        };
        let empty_table = request.options.contents == Contents::Nothing;
        match decide::ending(request.options.on_empty, validated.rows) {
            _ if empty_table => return Ok(Step::Next(PublishState::Validated(written))),
            Ending::Publish => {}
            Ending::Refuse => {
                let what = describe(name, None, plan.values.as_deref());
                return Err(RowLimit::Empty.error(format!("the query for {what} gave no rows")));
            }
            Ending::Keep | Ending::Drop => {
                return Ok(Step::Next(PublishState::Validated(written)));
            }
        }
        if let Some((limit, problem)) =
            decide::out_of_limits(request.options.limits, validated.rows, plan.previous_rows)
        {
            return Err(limit.error(problem));
        }
        Ok(Step::Next(PublishState::Written(written)))
    }
}

/// Returns the columns of the objects that a query writes; none of a type that only the catalog knows.
fn stored(schema: &SchemaPlan) -> Vec<StoredColumn> {
    let in_objects = schema.columns.len().saturating_sub(schema.keys.len());
    let columns = schema.columns.iter().take(in_objects).filter_map(|column| {
        let data_type = Type::from_trino(&column.data_type).ok()?;
        Some(StoredColumn { name: column.name.clone(), data_type })
    });
    columns.collect()
}

/// Tells whether another try may succeed, under a prefix of its own.
pub(super) fn may_go_well(error: &Error) -> bool {
    error.kind == ErrorKind::AlreadyExists || error.retryable == Retryable::Yes
}

/// Goes back to submitting, under a new prefix.
#[expect(clippy::unnecessary_wraps, reason = "the end of a step like the others")]
pub(super) fn begin_anew(probed: &Probed) -> Result<Step> {
    let mut probed = probed.clone();
    probed.plan.generation += 1;
    Ok(Step::Next(PublishState::Probed(probed)))
}
