//! What `apas>` and `ctas>` have in common: carrying a publish of the lake from step to step, its state kept in between.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::{Published, TaskContext, TaskError, TaskReport};
use engine::params::ParamPath;
use lake::publish::{
    PublishOutcome, PublishRequest, PublishResult, PublishState, RACES, RowLimit, Step, Target, Waiting,
};
use lake::words::counted;
use lake::{ErrorKind, Lake};
use serde::{Deserialize, Serialize};

use super::left;
use super::poll::pause;
use crate::door::{Access, LakeDoor};
use crate::error::{AtParam, task_error};
use crate::state;

/// What is kept between two steps.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// What is asked for: rendered once, so that a retry reads no file anew.
    request: PublishRequest,
    /// How far it is; none before the first look at what is there.
    state: Option<PublishState>,
    /// When it began to run, in milliseconds since 1970; while its query waits for its turn, when it was looked at last.
    started_ms: i64,
    /// How often the running query was looked at.
    polls: u32,
    /// In whose name it acts.
    #[serde(default)]
    access: Access,
}

/// What a step of the task came to.
#[derive(Debug)]
pub(super) enum Progress {
    /// Come again with this job.
    Wait(Box<Job>, Duration),
    /// The work is done.
    Done(Box<PublishOutcome>),
}

impl Job {
    /// Does a step of the task's job; at the first, `request` says what is asked for.
    pub(super) async fn step(
        lake: &Lake,
        context: &TaskContext,
        timeout: Option<Duration>,
        access: Access,
        request: impl Future<Output = Result<PublishRequest, TaskError>> + Send,
    ) -> Result<Progress, TaskError> {
        let job = match state::read::<Self>(context)? {
            Some(job) => job,
            None => Self::begin(context, request.await?, access).await?,
        };
        job.advance(lake, context, timeout).await
    }

    /// Stops the task's job, if it has begun.
    pub(super) async fn cancel_of(door: &LakeDoor, context: &TaskContext) -> Result<(), TaskError> {
        match state::read::<Self>(context)? {
            Some(job) => job.cancel(&door.open_as(&job.access).await?).await,
            None => Ok(()),
        }
    }

    /// Leaves the query of the task's job to the next process, if one is under way.
    pub(super) async fn leave_of(door: &LakeDoor, context: &TaskContext) -> Result<(), TaskError> {
        let Some(job) = state::read::<Self>(context)? else { return Ok(()) };
        let query = job.state.as_ref().and_then(PublishState::open_query);
        if let (Some(lake), Some(query)) = (door.opened_as(&job.access), query) {
            left::leave(&lake, context, query).await;
        }
        Ok(())
    }

    /// Begins a job: the request is stored before anything is done.
    async fn begin(context: &TaskContext, request: PublishRequest, access: Access) -> Result<Self, TaskError> {
        let job = Self { request, state: None, started_ms: context.clock.now().as_millisecond(), polls: 0, access };
        state::write(context, &job).await?;
        Ok(job)
    }

    /// Goes on as far as it goes without waiting; every step is stored before the next.
    async fn advance(
        mut self,
        lake: &Lake,
        context: &TaskContext,
        timeout: Option<Duration>,
    ) -> Result<Progress, TaskError> {
        loop {
            let step = match &self.state {
                None => lake.plan_publish(&self.request).await,
                Some(state) => lake.publish_step(&self.request, state).await,
            };
            match step {
                Ok(Step::Next(next)) => {
                    if let Some(times) = next.overtaken() {
                        context.host.warn(&format!(
                            "another writer published to table `{}` first: the query runs again ({times} of at most {RACES} times)",
                            self.request.target.table()
                        ));
                    }
                    self.state = Some(next);
                    self.polls = 0;
                    state::write(context, &self).await?;
                }
                Ok(Step::Wait(waiting)) => {
                    if waiting == Waiting::Queued {
                        // The time in the queue is not the query's.
                        self.started_ms = context.clock.now().as_millisecond();
                    }
                    if let Some(timeout) = timeout.filter(|timeout| self.is_overdue(context, *timeout)) {
                        self.cancel(lake).await?;
                        self.forget(context).await?;
                        return Err(timed_out(timeout));
                    }
                    let after = pause(self.polls);
                    self.polls = self.polls.saturating_add(1);
                    return Ok(Progress::Wait(Box::new(self), after));
                }
                Ok(Step::Done(outcome)) => return Ok(Progress::Done(Box::new(outcome))),
                Err(error) => {
                    let blamed = self.blamed(&error);
                    let help = self.help(&error);
                    // A retry plans anew on what is there then, and what this try wrote goes.
                    if let Err(error) = self.cancel(lake).await {
                        context.host.log(&format!(
                            "what was written could not be given up, a later collection does it: {}",
                            error.message
                        ));
                    }
                    self.forget(context).await?;
                    let error = blamed.into_iter().fold(task_error(error), AtParam::at_param);
                    return Err(help.into_iter().fold(error, TaskError::help));
                }
            }
        }
    }

    /// Stops the query and gives up what it wrote.
    async fn cancel(&self, lake: &Lake) -> Result<(), TaskError> {
        match &self.state {
            Some(state) => lake.cancel_publish(&self.request, state).await.map_err(task_error),
            None => Ok(()),
        }
    }

    /// Returns the parameter that an error is about, as far as it can be told.
    fn blamed(&self, error: &lake::Error) -> Option<ParamPath> {
        let partition = matches!(self.request.target, Target::Partition { .. });
        let checks = match &self.state {
            Some(PublishState::Written(written)) => Some(written.checks_passed),
            _ => None,
        };
        if let Some(limit) = RowLimit::of(error) {
            let path = match limit {
                RowLimit::Empty => "on_empty",
                RowLimit::MinRows => "min_rows",
                RowLimit::MaxDrop => "max_drop_percent",
            };
            return Some(path.into());
        }
        let path = match (error.kind, checks) {
            (
                ErrorKind::DataQuality
                | ErrorKind::InvalidSql
                | ErrorKind::UnsupportedSql
                | ErrorKind::QueryFailed
                | ErrorKind::TooManyPartitions,
                Some(index),
            ) => return Some(ParamPath::from("checks").index(index)),
            (
                ErrorKind::InvalidSql
                | ErrorKind::UnsupportedSql
                | ErrorKind::QueryFailed
                | ErrorKind::TooManyPartitions
                | ErrorKind::SchemaMismatch
                | ErrorKind::DataQuality,
                None,
            ) => "_command",
            (ErrorKind::AlreadyExists, _) if partition => "partition_kv",
            // A value or a key that does not fit the table's keys.
            (ErrorKind::InvalidInput, _) if partition && error.operation == "describe a table" => "partition_kv",
            (ErrorKind::AlreadyExists | ErrorKind::InvalidInput | ErrorKind::NotFound, _) => "table",
            _ => return None,
        };
        Some(path.into())
    }

    /// Says what to do about an error, where an option of the operator does it.
    fn help(&self, error: &lake::Error) -> Option<&'static str> {
        let partition = matches!(self.request.target, Target::Partition { .. });
        (partition && error.kind == ErrorKind::SchemaMismatch)
            .then_some(
                "`on_schema_change: append` adds new columns to the table, `ignore` leaves them out; `null_fill: true` fills \
                 missing ones with NULL",
            )
    }

    async fn forget(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        self.state = None;
        self.started_ms = context.clock.now().as_millisecond();
        state::write(context, self).await
    }

    fn is_overdue(&self, context: &TaskContext, timeout: Duration) -> bool {
        let elapsed = context.clock.now().as_millisecond().saturating_sub(self.started_ms);
        i64::try_from(timeout.as_millis()).is_ok_and(|timeout| elapsed > timeout)
    }
}

/// The query ran out of its time.
pub(super) fn timed_out(timeout: Duration) -> TaskError {
    TaskError::failed(
        code::QUERY_TIMEOUT,
        format!("the query was stopped after its timeout of {} s", timeout.as_secs()),
    )
    .at_param("timeout")
    .help("set `timeout:` to what the query needs")
}

/// Says in the task's log what became of a publish, and what is known of it in the report.
pub(super) fn report(context: &TaskContext, outcome: &PublishOutcome, partition: &str) -> TaskReport {
    let what = format!("{} {partition}", outcome.table);
    let what = what.trim_end();
    match outcome.result {
        PublishResult::Published => {
            let place = outcome.location.as_ref().map_or_else(String::new, ToString::to_string);
            context.host.log(&format!("published {what} with {} at {place}", counted(outcome.stats.rows, "row")));
            if let Some(previous) = &outcome.previous_location {
                context.host.log(&format!("the version before is kept for the retention: {previous}"));
            }
        }
        PublishResult::Skipped => context.host.log(&format!("{what} is there already: left as it is")),
        PublishResult::KeptEmpty => context.host.log(&format!("no rows: {what} stays as it is")),
        PublishResult::DroppedEmpty => context.host.log(&format!("no rows: {what} is dropped")),
    }
    let published = match (&outcome.result, &outcome.location) {
        (PublishResult::Published, Some(location)) => vec![Published {
            table: outcome.table.to_text(),
            partition: partition.to_owned(),
            rows: outcome.stats.rows,
            bytes: outcome.stats.written_bytes,
            location: location.to_string(),
        }],
        _ => Vec::new(),
    };
    if outcome.result == PublishResult::Skipped {
        return TaskReport::default();
    }
    TaskReport {
        rows: Some(outcome.stats.rows),
        bytes: Some(outcome.stats.written_bytes),
        scanned_bytes: Some(outcome.stats.scanned_bytes),
        cost_micro_usd: Some(outcome.stats.cost_micro_usd).filter(|cost| *cost > 0),
        rejected: None,
        published,
    }
}
