//! Carries queries to their ends: each is a task of its own, known by its id, and can be stopped.
//!
//! A query is in the history before its task starts, and its end is written there before anybody is told of it.

mod ddl;
mod job;
mod outcome;
mod partition;
mod show;
mod table;
mod view;
mod write;

use std::sync::Arc;
use std::time::Duration;

use lake::query::{Destination, Query, QueryId, QueryStats, QueryStatus};
use lake::{Error, ErrorKind, Result};

use super::Athena;
use super::model::{Execution, State};
use super::refusal::{classify, reason};
use super::statement::Statement;
use crate::error::ApiError;
use crate::fault::Effect;
pub use job::Quotas;
use job::locked;
pub(super) use job::{Job, Jobs};
use outcome::Outcome;

/// How often the figures of a running query are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

const STOPPED: &str = "Query cancelled by user";

/// What a job does.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) statement: Statement,
    /// The query whose result may be given instead.
    pub(super) earlier: Option<Execution>,
    /// Whether the workgroup says where things go, and clients may not.
    pub(super) enforced_location: bool,
    /// How many bytes may be scanned.
    pub(super) cutoff_bytes: Option<u64>,
    /// What goes wrong on purpose, in the middle of the work.
    pub(super) fault: Option<Effect>,
}

impl Order {
    /// Stops the work here, if that is what a fault wants.
    fn strike(&self) -> Result<()> {
        match self.fault {
            Some(Effect::FailQuery) => Err(Error::new(
                ErrorKind::External,
                "run a query",
                "GENERIC_INTERNAL_ERROR: the query failed by a rule of the endpoint's faults",
            )
            .retryable()),
            Some(Effect::CancelQuery) => Err(Error::new(
                ErrorKind::Canceled,
                "run a query",
                "the query was cancelled by a rule of the endpoint's faults",
            )),
            _ => Ok(()),
        }
    }
}

impl Athena {
    /// Ends the queries of an endpoint that stopped before they ended: an `INSERT` whose rows were on their way to their
    /// places and a `CREATE TABLE … AS` whose table was on its way into the catalog are finished, all others have failed.
    pub(super) async fn recover(&self) -> Result<()> {
        for mut execution in self.inner.store.unfinished().await.map_err(history)? {
            let job = Job::new(execution.clone(), None);
            let finished = match self.finish_insertion(&job).await {
                None => self.finish_creation(&job).await,
                finished => finished,
            };
            self.clear_staging(&execution.id).await?;
            if let Some(ended) = finished {
                self.end(&job, Some(ended)).await;
                continue;
            }
            execution.state = State::Failed;
            execution.completed_ms = Some(self.now_ms());
            execution.reason = Some(
                "GENERIC_INTERNAL_ERROR: the endpoint was stopped while the query ran: what it wrote may be there"
                    .to_owned(),
            );
            execution.failure = Some(super::model::Failure { category: 1, error_type: 100, retryable: true });
            self.inner.store.end(&execution).await.map_err(history)?;
        }
        self.take_away_failed().await
    }

    /// Starts the task of a query that is in the history.
    pub(super) fn launch(&self, job: Arc<Job>, order: Order) {
        locked(&self.inner.jobs.running).insert(job.id(), Arc::clone(&job));
        let athena = self.clone();
        tokio::spawn(async move {
            let ended = {
                let work = Box::pin(athena.work(&job, &order));
                tokio::select! {
                    biased;
                    () = job.stop.cancelled() => None,
                    ended = work => Some(ended),
                }
            };
            let query = locked(&job.query).take();
            if let Some(query) = query {
                if ended.is_none()
                    && let Err(error) = athena.inner.lake.engine.cancel(&query).await
                {
                    tracing::warn!(%error, "cannot cancel a query");
                }
                athena.inner.lake.engine.release(&query).await;
            }
            athena.end(&job, ended).await;
        });
    }

    /// Writes how a query ended into the history, and then lets everybody know.
    async fn end(&self, job: &Job, ended: Option<Result<Outcome>>) {
        let now_ms = self.now_ms();
        let mut execution = locked(&job.execution).clone();
        execution.completed_ms = Some(now_ms);
        match ended {
            None => {
                execution.state = State::Canceled;
                execution.reason = Some(STOPPED.to_owned());
            }
            Some(Ok(outcome)) => {
                execution.state = State::Succeeded;
                execution.result = outcome.record();
                execution.rows = outcome.stats.rows;
                execution.written_bytes = outcome.stats.written_bytes;
                execution.scanned_bytes = execution.scanned_bytes.max(outcome.stats.scanned_bytes);
                execution.manifest_location = outcome.manifest.map(|location| location.to_string());
            }
            Some(Err(error)) if error.kind == ErrorKind::Canceled => {
                execution.state = State::Canceled;
                execution.reason = Some(error.message);
            }
            Some(Err(error)) => {
                execution.state = State::Failed;
                execution.failure = Some(classify(&error));
                execution.reason = Some(reason(&error));
            }
        }
        if let Err(error) = self.inner.store.end(&execution).await {
            // After a restart the query counts as stopped in its middle.
            tracing::warn!(
                id = execution.id,
                error = error.message,
                "cannot write the end of a query into the history"
            );
        }
        locked(&self.inner.jobs.running).remove(&execution.id);
    }

    /// Runs the statement of a job.
    async fn work(&self, job: &Job, order: &Order) -> Result<Outcome> {
        let outcome = match &order.statement {
            Statement::Select(sql) => {
                if let Some(earlier) = &order.earlier
                    && let Some(outcome) = self.reuse(job, earlier).await?
                {
                    return Ok(outcome);
                }
                return self.select(job, order, sql).await;
            }
            Statement::Explain(sql) => self.explain(job, sql).await?,
            Statement::CreateTableAs(create) => return self.create_table_as(job, order, create).await,
            Statement::Insert(insert) => self.insert(job, order, insert).await?,
            Statement::Unload(unload) => self.unload(job, order, unload).await?,
            other => {
                let now_ms = self.now_ms();
                job.change(|execution| {
                    execution.state = State::Running;
                    execution.started_ms = Some(now_ms);
                });
                order.strike()?;
                self.command(job, other).await?
            }
        };
        self.deliver(job, outcome).await
    }

    /// Runs a statement that the engine has no part in.
    async fn command(&self, job: &Job, statement: &Statement) -> Result<Outcome> {
        let database = job.database();
        match statement {
            Statement::CreateView(create) => self.create_view(&database, create).await,
            Statement::DropView { name, if_exists } => self.drop_view(name.full(&database)?, *if_exists).await,
            Statement::CreateDatabase(create) => self.create_database(create).await,
            Statement::DropDatabase { name, if_exists, cascade } => {
                self.drop_database(name, *if_exists, *cascade).await
            }
            Statement::AlterDatabase { name, properties } => self.alter_database(name, properties).await,
            Statement::CreateTable(create) => self.create_table(&database, create).await,
            Statement::DropTable { name, if_exists } => self.drop_table(name.full(&database)?, *if_exists).await,
            Statement::Alter { name, change } => self.alter(name.full(&database)?, change).await,
            Statement::Repair(name) => self.repair(name.full(&database)?).await,
            Statement::Show(show) => self.show(&database, show).await,
            Statement::Describe(describe) => self.describe(&database, describe).await,
            Statement::Prepare { name, statement } => {
                if !self.prepare(&job.workgroup(), name, statement).await.map_err(history)? {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        "prepare a statement",
                        format!("PreparedStatement {name} already exists in workGroup {}", job.workgroup()),
                    ));
                }
                Ok(Outcome::nothing())
            }
            Statement::Deallocate(name) => {
                if !self.deallocate(&job.workgroup(), name).await.map_err(history)? {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        "drop a prepared statement",
                        format!("PreparedStatement {name} was not found in workGroup {}", job.workgroup()),
                    ));
                }
                Ok(Outcome::nothing())
            }
            Statement::Wrong(message) => Err(Error::new(ErrorKind::InvalidSql, "bind parameters", message.clone())),
            Statement::Unsupported { what, .. } => Err(Error::new(
                ErrorKind::UnsupportedSql,
                "run a statement",
                format!("NOT_SUPPORTED: {what} is not supported by this endpoint yet"),
            )),
            Statement::Select(_)
            | Statement::Explain(_)
            | Statement::CreateTableAs(_)
            | Statement::Insert(_)
            | Statement::Unload(_)
            | Statement::Execute { .. } => Err(Error::new(
                ErrorKind::External,
                "run a statement",
                "GENERIC_INTERNAL_ERROR: the statement came to the wrong place",
            )),
        }
    }

    /// Runs a query of the engine to its end, and keeps the job's state and figures as the engine tells them.
    async fn run_query(
        &self,
        job: &Job,
        order: &Order,
        sql: &str,
        destination: Destination,
    ) -> Result<(QueryId, QueryStats)> {
        let engine = &self.inner.lake.engine;
        let query = Query { destination, ..Query::new(sql, Some(&job.database()), format!("athena {}", job.id())) };
        let id = engine.start(&query).await?;
        locked(&job.query).replace(id.clone());
        // The first look finds it started, the next ones when it ended or the time for a look has come.
        let mut status = engine.poll(&id).await?;
        loop {
            let (stats, ended) = match status {
                QueryStatus::Queued => (None, false),
                QueryStatus::Running(stats) => (Some(stats), false),
                QueryStatus::Succeeded(stats) => (Some(stats), true),
                QueryStatus::Failed(error) => return Err(error),
                QueryStatus::Canceled => return Err(Error::new(ErrorKind::Canceled, "run a query", STOPPED)),
                QueryStatus::Unknown => {
                    return Err(Error::new(
                        ErrorKind::External,
                        "run a query",
                        "GENERIC_INTERNAL_ERROR: the engine has forgotten the query",
                    ));
                }
            };
            if let Some(stats) = stats {
                let now_ms = self.now_ms();
                job.change(|execution| {
                    execution.state = State::Running;
                    execution.started_ms.get_or_insert(now_ms);
                    execution.scanned_bytes = execution.scanned_bytes.max(stats.scanned_bytes);
                });
                if let Some(limit) = order.cutoff_bytes.filter(|limit| stats.scanned_bytes > *limit) {
                    engine.cancel(&id).await?;
                    return Err(Error::new(
                        ErrorKind::Canceled,
                        "run a query",
                        format!("Bytes scanned limit was exceeded: the workgroup allows {limit} bytes a query"),
                    ));
                }
                if ended {
                    return Ok((id, stats));
                }
            }
            status = engine.wait(&id, LOOK_EVERY).await?;
        }
    }
}

/// Makes the error of a history that cannot be read or written.
fn history(error: ApiError) -> Error {
    Error::new(ErrorKind::External, "keep a statement", error.message)
}
