//! What Trino remembers of queries: those that run and, for a while, those that have ended (`query.max-history`,
//! `query.min-expire-age`: at least 15 minutes unless set otherwise).
//!
//! The table `system.runtime.queries` shows each user their own queries
//! (<https://trino.io/docs/476/connector/system.html>). It has no client tags, so a query is found by its text.

use std::time::Duration;

use serde_json::Value;

use super::client::{Client, SOURCE};
use super::record::TrinoRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::publish::dml::literal;

/// The first pause between two looks at a query that was told to stop; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often is looked until a query that was told to stop has stopped: for two minutes with these pauses.
const LOOKS: u32 = 64;

/// The states in which a task of a query may still write
/// (<https://github.com/trinodb/trino/blob/476/core/trino-main/src/main/java/io/trino/execution/TaskState.java>).
const ENDED_TASKS: &str = "'FINISHED', 'CANCELED', 'ABORTED', 'FAILED'";

/// A query that Trino remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) id: String,
    pub(super) state: State,
    /// `DIVISION_BY_ZERO`, of one that failed.
    pub(super) error_name: String,
    /// `USER_ERROR`, of one that failed.
    pub(super) error_type: String,
    /// What suiro wrote behind its statement.
    pub(super) record: Option<TrinoRecord>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has not ended.
    Lives,
    /// It ended well.
    Finished,
    /// It failed, or was stopped.
    Failed,
}

/// Asks Trino for what it remembers.
#[derive(Debug, Clone)]
pub(super) struct History {
    client: Client,
}

impl History {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Returns the query of an id.
    pub(super) async fn of_id(&self, id: &str) -> Result<Option<Remembered>> {
        Ok(self.remembered(&format!("query_id = {}", literal(id))).await?.pop())
    }

    /// Returns the youngest query of what stands for a token.
    pub(super) async fn of_token(&self, stand_in: &str) -> Result<Option<Remembered>> {
        let condition =
            format!("source = {} AND strpos(query, {}) > 0", literal(SOURCE), literal(&format!("\"{stand_in}\"")));
        let found = self.remembered(&condition).await?;
        // The text of a query may hold anything; the record of its last line is ours.
        Ok(found.into_iter().rfind(|query| query.record.as_ref().is_some_and(|record| record.token == stand_in)))
    }

    async fn remembered(&self, condition: &str) -> Result<Vec<Remembered>> {
        let question = format!(
            "SELECT query_id, state, query, error_code, error_type FROM system.runtime.queries WHERE {condition} \
             ORDER BY created, query_id"
        );
        let (_, rows) = self.client.ask(&question, "runtime").await?;
        Ok(rows.iter().filter_map(|row| remembered(row)).collect())
    }

    /// Stops a query and waits until nothing of it runs any more; one that has ended stays as it is.
    ///
    /// # Errors
    /// `External` when it does not stop in two minutes; those of the questions.
    pub(super) async fn stop(&self, id: &str) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        for look in 0..LOOKS {
            match self.of_id(id).await? {
                Some(Remembered { state: State::Lives, .. }) if look == 0 => self.kill(id).await?,
                Some(Remembered { state: State::Lives, .. }) => {}
                _ if self.running_tasks(id).await? == 0 => return Ok(()),
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let message = format!("the query `{id}` was told to stop and still runs");
        Err(Error::new(ErrorKind::External, "stop a query", message)
            .retryable()
            .help(format!("stop it in Trino: CALL system.runtime.kill_query(query_id => '{id}')")))
    }

    async fn kill(&self, id: &str) -> Result<()> {
        let call = format!(
            "CALL system.runtime.kill_query(query_id => {}, message => 'stopped by suiro: nobody waits for it any more')",
            literal(id)
        );
        match self.client.ask(&call, "runtime").await {
            Ok(_) => Ok(()),
            // It has ended meanwhile, or nobody may stop it in this way: the next look tells.
            Err(error)
                if matches!(error.kind, ErrorKind::InvalidSql | ErrorKind::QueryFailed | ErrorKind::NotFound) =>
            {
                tracing::debug!(%error, id, "a query could not be told to stop");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Counts the tasks of a query that have not ended: the coordinator says that a query has failed before the last of its
    /// writers has noticed.
    async fn running_tasks(&self, id: &str) -> Result<i64> {
        let question = format!(
            "SELECT count(*) FROM system.runtime.tasks WHERE query_id = {} AND state NOT IN ({ENDED_TASKS})",
            literal(id)
        );
        let (_, rows) = self.client.ask(&question, "runtime").await?;
        Ok(rows.first().and_then(|row| row.first()).and_then(Value::as_i64).unwrap_or(0))
    }
}

fn remembered(row: &[Value]) -> Option<Remembered> {
    let text = |at: usize| row.get(at).and_then(Value::as_str).unwrap_or_default();
    let state = match text(1) {
        "FINISHED" => State::Finished,
        "FAILED" => State::Failed,
        _ => State::Lives,
    };
    Some(Remembered {
        id: row.first()?.as_str()?.to_owned(),
        state,
        error_name: text(3).to_owned(),
        error_type: text(4).to_owned(),
        record: TrinoRecord::read(text(2)),
    })
}
