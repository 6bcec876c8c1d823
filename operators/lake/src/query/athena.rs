//! Athena as a query engine: `StartQueryExecution` under a token of ours, one poller for all queries, results from S3.
//!
//! An execution id is all that must survive a crash: what else belongs to a query stands in a comment of its statement
//! (`record.rs`). A token that is sent again gives the query that it started, also when that one has failed: a new try needs
//! a new token, which whoever retries makes (`generation` of a publish, of `athena.query>`).
//!
//! Rows that are written go by UNLOAD below an empty prefix, which Athena insists on: a second writer, or a token that Athena
//! has forgotten, fails there instead of mixing its objects in.

mod allowance;
mod api;
mod csv;
mod describe;
mod engine;
mod failure;
mod limits;
mod place;
mod poller;
mod record;
mod result;
mod rewrite;
mod statement;
mod stats;
mod temporary;
mod typed;
mod written;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_athena::types::QueryExecutionState;
use datafusion::execution::SendableRecordBatchStream;

use self::engine::Inner;
pub(in crate::query) use self::failure::is_wrong_statement;
use self::poller::Seen;
pub(crate) use self::record::LONGEST_STATEMENT;
pub(in crate::query) use self::record::StatementRecord;
pub(in crate::query) use self::rewrite::Rewritten;
pub(in crate::query) use self::temporary::{PREFIX as TEMPORARY, TemporaryTables, WithTables};
pub(crate) use self::written::below as written_below;
pub(in crate::query) use self::written::objects as written_objects;
use super::{Description, EmbeddedEngine, Left, Query, QueryEngine, QueryId, QueryStats, QueryStatus, ResultColumn};
use crate::aws::AwsClients;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::refuse_what_writes;
use crate::storage::Storage;

/// The query engine Athena. Cheap to clone.
///
/// IAM actions: `athena:StartQueryExecution`, `athena:BatchGetQueryExecution`, `athena:GetQueryExecution`,
/// `athena:GetQueryResults`, `athena:GetQueryRuntimeStatistics`, `athena:StopQueryExecution`, `athena:GetWorkGroup`; those that
/// the query itself needs in Glue and S3; `glue:CreateTable`, `glue:DeleteTable` and the like for checks.
#[derive(Debug, Clone)]
pub struct AthenaEngine {
    inner: Arc<Inner>,
}

impl AthenaEngine {
    /// Makes an engine; nothing is sent.
    ///
    /// `analyzer` describes statements over the same catalog and storage without a call to Athena.
    pub fn open(
        clients: &AwsClients,
        storage: Storage,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        analyzer: EmbeddedEngine,
        crash_points: CrashPoints,
    ) -> Self {
        Self { inner: Inner::open(clients, storage, catalog, clock, analyzer, crash_points) }
    }
}

fn not_known(id: &QueryId) -> Error {
    Error::new(ErrorKind::NotFound, "fetch a result", format!("Athena does not know the query `{}` (any more)", id.0))
        .help("Athena keeps queries for 45 days, in the account and region that ran them")
}

#[async_trait]
impl QueryEngine for AthenaEngine {
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description> {
        self.inner.described(sql, database).await
    }

    async fn start(&self, query: &Query) -> Result<QueryId> {
        refuse_what_writes(&query.sql)?;
        self.inner.started(query).await
    }

    async fn poll(&self, id: &QueryId) -> Result<QueryStatus> {
        let inner = &self.inner;
        let execution = match inner.poller.look(&id.0).await? {
            Seen::Unknown => return Ok(QueryStatus::Unknown),
            Seen::Execution(execution) => execution,
        };
        match poller::state(&execution) {
            Some(QueryExecutionState::Succeeded) => {
                Ok(QueryStatus::Succeeded(inner.ended_well(&execution).await?.stats.clone()))
            }
            Some(QueryExecutionState::Failed) => {
                inner.clear(&execution).await?;
                Ok(QueryStatus::Failed(inner.failure(&execution)))
            }
            Some(QueryExecutionState::Cancelled) => {
                inner.clear(&execution).await?;
                Ok(inner.stopped_by_a_limit(&execution).map_or(QueryStatus::Canceled, QueryStatus::Failed))
            }
            Some(QueryExecutionState::Running) => {
                inner.hold_to_limits(&execution).await?;
                Ok(QueryStatus::Running(inner.progress(&execution)))
            }
            _ => {
                inner.hold_to_limits(&execution).await?;
                Ok(QueryStatus::Queued)
            }
        }
    }

    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        let inner = &self.inner;
        let Seen::Execution(execution) = inner.ended(&id.0).await? else { return Err(not_known(id)) };
        let record = StatementRecord::read(execution.query.as_deref().unwrap_or_default());
        if record.unload.is_some() || execution.substatement_type.as_deref() == Some("UNLOAD") {
            let message = format!("the result of the query `{}` was written to objects", id.0);
            return Err(Error::new(ErrorKind::InvalidInput, "fetch a result", message));
        }
        match poller::state(&execution) {
            Some(QueryExecutionState::Succeeded) => {
                let ended = inner.ended_well(&execution).await?;
                let page = ended.first_page.as_ref().ok_or_else(|| not_known(id))?;
                page.open(&inner.api, &inner.storage, &execution).await
            }
            Some(QueryExecutionState::Cancelled) => {
                inner.clear(&execution).await?;
                let canceled = || Error::new(ErrorKind::Canceled, "fetch a result", "the query was cancelled");
                Err(inner.stopped_by_a_limit(&execution).unwrap_or_else(canceled))
            }
            _ => {
                inner.clear(&execution).await?;
                Err(inner.failure(&execution))
            }
        }
    }

    async fn cancel(&self, id: &QueryId) -> Result<()> {
        let inner = &self.inner;
        let Seen::Execution(execution) = inner.poller.look(&id.0).await? else { return Ok(()) };
        if !poller::has_ended(&execution) {
            inner.stop(&id.0).await?;
            // Athena stops it after a while.
            inner.poller.ended(&id.0).await?;
        }
        inner.clear(&execution).await?;
        Ok(())
    }

    async fn leave(&self, id: &QueryId) -> Left {
        self.inner.left(&id.0)
    }

    async fn release(&self, id: &QueryId) {
        self.inner.release(&id.0);
    }
}

/// What is kept of a query that ended well.
#[derive(Debug)]
struct EndedWell {
    stats: QueryStats,
    /// The first page of its result; none when it wrote objects.
    first_page: Option<result::FirstPage>,
}
