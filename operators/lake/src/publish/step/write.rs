//! The query that writes a version: its columns compared, started under a prefix of its own, followed, its objects counted.

use super::describe;
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::lake::Lake;
use crate::publish::decide::{self, Ending};
use crate::publish::dml::wrap;
use crate::publish::request::{Contents, Plan, Probed, PublishRequest, PublishState, Step, Submitted, Target, Written};
use crate::publish::version::VersionName;
use crate::publish::{schema, validate};
use crate::query::{Destination, Query, QueryStats, QueryStatus};

/// How often a query that vanished or stumbled over leftovers is begun anew, each time under a prefix of its own.
const GENERATIONS: u32 = 5;

impl Lake {
    /// Compares the query's columns with the table's.
    pub(super) async fn probe(&self, request: &PublishRequest, plan: &Plan) -> Result<Step> {
        let description = self.engine.describe(&request.sql, request.database.as_deref()).await?;
        let options = &request.options;
        let schema = match &request.target {
            Target::Table { partitioned_by, .. } if partitioned_by.is_empty() => {
                schema::new_schema(&description.columns)?
            }
            Target::Table { partitioned_by, .. } => schema::new_keyed_schema(&description.columns, partitioned_by)?,
            Target::Partition { values, .. } if plan.creates_table => {
                schema::new_partitioned_schema(&description.columns, values.keys().map(String::as_str))?
            }
            Target::Partition { table, .. } => {
                let table = self.existing(table).await?;
                schema::plan_schema(&table, &description.columns, options.on_schema_change, options.on_missing_column)?
            }
        };
        Ok(Step::Next(PublishState::Probed(Probed { plan: plan.clone(), schema })))
    }

    /// Starts the query that writes.
    pub(super) async fn submit(&self, request: &PublishRequest, probed: &Probed) -> Result<Step> {
        let plan = &probed.plan;
        let name = VersionName {
            table: request.target.table().clone(),
            values: plan.values.clone(),
            planned_ms: plan.planned_ms,
            request_hash: request.hash(),
            generation: plan.generation,
        };
        let prefix = name.prefix(&plan.version_root)?;
        let begun = self.begin_version(&plan.version_root, &prefix, &name.table, plan.values.as_deref()).await;
        match begun {
            Ok(()) => {}
            // A stop after it was given up, before the state of the next generation was kept.
            Err(error) if error.kind == ErrorKind::Conflict => return self.next_generation(probed, error),
            Err(error) => return Err(error),
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
                format: request.options.format.unwrap_or_default(),
                partition_by: probed.schema.keys.iter().map(|key| key.name.clone()).collect(),
            },
            tables: Vec::new(),
        };
        let points = &self.settings.crash_points;
        let query_id = points.around("publish: start the query", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Submitted(Submitted { probed: probed.clone(), prefix, query_id })))
    }

    /// Looks how far the query is.
    pub(super) async fn follow(&self, request: &PublishRequest, submitted: &Submitted) -> Result<Step> {
        let prefix = &submitted.prefix;
        match self.engine.poll(&submitted.query_id).await? {
            QueryStatus::Queued | QueryStatus::Running(_) => Ok(Step::Wait),
            QueryStatus::Succeeded(stats) => {
                self.settings.crash_points.pass("after publish: the query wrote")?;
                let step = self.validate_written(request, submitted, stats).await;
                self.or_give_up(prefix, step).await
            }
            // The process that ran it is gone; what it wrote may be half.
            QueryStatus::Unknown => {
                let gone = Error::new(ErrorKind::External, "follow a query", "the query engine lost the query");
                self.give_up(prefix).await?;
                self.next_generation(&submitted.probed, gone)
            }
            QueryStatus::Failed(error) => {
                self.give_up(prefix).await?;
                if error.kind == ErrorKind::AlreadyExists || error.retryable == Retryable::Yes {
                    return self.next_generation(&submitted.probed, error);
                }
                Err(error)
            }
            QueryStatus::Canceled => {
                self.give_up(prefix).await?;
                Err(Error::new(ErrorKind::Canceled, "follow a query", "the query was cancelled"))
            }
        }
    }

    /// Goes back to submitting, under a new prefix.
    #[expect(clippy::unused_self, reason = "a step like the others")]
    fn next_generation(&self, probed: &Probed, why: Error) -> Result<Step> {
        if probed.plan.generation >= GENERATIONS {
            return Err(why);
        }
        let mut probed = probed.clone();
        probed.plan.generation += 1;
        Ok(Step::Next(PublishState::Probed(probed)))
    }

    /// Checks the objects, and decides by the number of rows.
    async fn validate_written(
        &self,
        request: &PublishRequest,
        submitted: &Submitted,
        stats: QueryStats,
    ) -> Result<Step> {
        let validated = validate::validate(&self.storage, &submitted.prefix, &stats.objects).await?;
        let plan = &submitted.probed.plan;
        let name = request.target.table();
        let written = Written {
            submitted: submitted.clone(),
            rows: validated.rows,
            stats: QueryStats { rows: validated.rows, written_bytes: validated.bytes, ..stats },
            checks_passed: 0,
        };
        let empty_table = request.options.contents == Contents::Nothing;
        match decide::ending(request.options.on_empty, validated.rows) {
            _ if empty_table => return Ok(Step::Next(PublishState::Validated(written))),
            Ending::Publish => {}
            Ending::Refuse => {
                return Err(Error::new(
                    ErrorKind::DataQuality,
                    "publish a version",
                    format!("the query for {} gave no rows", describe(name, None, plan.values.as_deref())),
                ));
            }
            Ending::Keep | Ending::Drop => {
                return Ok(Step::Next(PublishState::Validated(written)));
            }
        }
        if let Some(problem) = decide::out_of_limits(request.options.limits, validated.rows, plan.previous_rows) {
            return Err(Error::new(ErrorKind::DataQuality, "publish a version", problem));
        }
        Ok(Step::Next(PublishState::Written(written)))
    }
}
