//! What the engine is made of: starting a query once, finding one again, and what is kept of those that have ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::execution::runtime_env::RuntimeEnv;

use super::client::{Client, Statement};
use super::history::{History, Remembered, State as RememberedState};
use super::kept::KeptResults;
use super::record::{TrinoRecord, Writes, stand_in};
use super::running::{self, Running, State};
use super::statement;
use crate::catalog::{Catalog, Database};
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::publish::validate::RowsAre;
use crate::query::athena::{StatementRecord, TEMPORARY, TemporaryTables, WithTables, written_objects};
use crate::query::{Destination, EmbeddedEngine, Query, QueryId, QueryStats, QueryStatus};
use crate::sql::without_semicolon;
use crate::storage::Storage;

/// How many ended queries are remembered; older ones are looked up in Trino's list.
const REMEMBERED: usize = 1000;

/// The database of tables without one, where a query names none: as on Athena.
const DEFAULT_DATABASE: &str = "default";

/// The parameter in which Trino's Hive connector keeps the query that made a table
/// (<https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/HiveMetadata.java>,
/// `TRINO_QUERY_ID_NAME`).
const QUERY_ID: &str = "trino_query_id";

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) client: Client,
    pub(super) history: History,
    pub(super) storage: Storage,
    pub(super) analyzer: EmbeddedEngine,
    pub(super) runtime: Arc<RuntimeEnv>,
    pub(super) results: KeptResults,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) temporary: TemporaryTables,
    pub(super) crash_points: CrashPoints,
    pub(super) queries: Mutex<Queries>,
}

/// The queries of this process.
#[derive(Debug, Default)]
pub(super) struct Queries {
    by_id: HashMap<String, Arc<Running>>,
    /// In the order of their start.
    order: VecDeque<String>,
}

impl Inner {
    fn queries(&self) -> MutexGuard<'_, Queries> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a query that was started in this process.
    pub(super) fn running(&self, id: &QueryId) -> Option<Arc<Running>> {
        self.queries().by_id.get(&id.0).cloned()
    }

    /// Starts a query, once for a token.
    pub(super) async fn started(self: &Arc<Self>, query: &Query) -> Result<QueryId> {
        if let Some(known) = self.queries().of_token(&query.token) {
            if known.query.is_same_request(query) {
                return Ok(QueryId(known.id.clone()));
            }
            let message = format!("the token `{}` was used for another query", query.token);
            return Err(Error::new(ErrorKind::InvalidInput, "start a query", message));
        }
        let with = WithTables::of(query)?;
        let record = self.record(query, with.names())?;
        if let Some(id) = self.started_before(query, &record).await? {
            return Ok(id);
        }
        let settings = self.client.settings();
        let sql = &with.rewritten.sql;
        let mut session = Vec::new();
        let text = match (&query.destination, &record.writes) {
            (Destination::Objects { layout, .. }, Some(Writes { prefix, partition_by, through, .. })) => {
                if !self.storage.is_empty(prefix).await? {
                    let message =
                        format!("HIVE_PATH_ALREADY_EXISTS: expected an empty prefix, found objects below `{prefix}`");
                    let failed = Arc::new(Error::new(ErrorKind::AlreadyExists, "run a query", message));
                    let id = format!("not-started-{}", record.token);
                    let running = Running::new(id, query.clone(), record, with.rewritten, State::Failed(failed));
                    return Ok(self.queries().add(Arc::new(running)));
                }
                self.make_scratch_database().await?;
                session.push(statement::compression(&settings.catalog, layout.format));
                statement::write(&settings.catalog, through, sql, prefix, layout, partition_by)
            }
            _ => without_semicolon(sql).to_owned(),
        };
        let statement = Statement {
            text: record.put(&text)?,
            database: query.database.clone().unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
            token: Some(record.token.clone()),
            session,
        };
        self.temporary.make(&with).await?;
        let posted = self.crash_points.around("trino: start it on Trino", self.client.post(&statement));
        let first = match posted.await {
            Ok(first) => first,
            Err(error) => {
                self.temporary.drop(&record.temporary).await?;
                return Err(error);
            }
        };
        let running = Running::new(first.id.clone(), query.clone(), record, with.rewritten, State::Queued);
        let running = Arc::new(running);
        let id = {
            let mut queries = self.queries();
            // Two starts of one token at a time: the first one wins, the other one was never followed and so never runs.
            match queries.of_token(&query.token) {
                Some(known) => return Ok(QueryId(known.id.clone())),
                None => queries.add(Arc::clone(&running)),
            }
        };
        tokio::spawn(running::run(Arc::clone(self), running, first));
        Ok(id)
    }

    fn record(&self, query: &Query, temporary: Vec<TableName>) -> Result<TrinoRecord> {
        let token = stand_in(&query.token);
        let writes = match &query.destination {
            Destination::Objects { prefix, partition_by, layout } => Some(Writes {
                prefix: prefix.as_prefix(),
                partition_by: partition_by.clone(),
                rows_are: RowsAre::from(layout.format),
                through: TableName::new(
                    &self.client.settings().scratch_database,
                    &format!("{TEMPORARY}{token}_written"),
                )?,
            }),
            Destination::Fetch | Destination::Keep => None,
        };
        Ok(TrinoRecord { token, writes, temporary })
    }

    /// Looks for what another process started under the token and could not tell: a query that wrote all it should is taken as
    /// it is; one that still runs has lost its client, which Trino gives up sooner or later, so it is stopped.
    async fn started_before(&self, query: &Query, record: &TrinoRecord) -> Result<Option<QueryId>> {
        if query.destination == Destination::Fetch {
            return Ok(None);
        }
        if let Some(id) = self.results.of_token(&record.token).await? {
            return Ok(Some(id));
        }
        match self.history.of_token(&record.token).await? {
            Some(Remembered { id, state: RememberedState::Finished, .. }) if record.writes.is_some() => {
                return Ok(Some(QueryId(id)));
            }
            Some(Remembered { id, state: RememberedState::Lives, .. }) => {
                self.crash_points.around("trino: stop one that was left on Trino", self.history.stop(&id)).await?;
            }
            _ => {}
        }
        let Some(writes) = &record.writes else { return Ok(None) };
        // It may have come to its end while it was told to stop, or so long ago that Trino has forgotten it: the table is there
        // once all rows are.
        let Some(table) = self.catalog.table(&writes.through).await? else { return Ok(None) };
        let id = table.parameters.get(QUERY_ID).cloned().unwrap_or_else(|| format!("ended-{}", record.token));
        let stats = self.written(writes).await?;
        let running = Running::new(
            id,
            query.clone(),
            record.clone(),
            crate::query::athena::Rewritten::default(),
            State::Succeeded(Box::new(stats), None),
        );
        self.clear(record).await?;
        Ok(Some(self.queries().add(Arc::new(running))))
    }

    async fn make_scratch_database(&self) -> Result<()> {
        let name = &self.client.settings().scratch_database;
        if self.catalog.database(name).await?.is_none() {
            let database = Database::new(name);
            let made = self.catalog.create_database(&database);
            self.crash_points.around("trino: make the database of temporary tables", made).await?;
        }
        Ok(())
    }

    /// Tells how far a query of another process is, as Trino remembers it.
    pub(super) async fn remembered(&self, id: &QueryId) -> Result<QueryStatus> {
        if let Some((_, stats)) = self.results.of(id).await? {
            return Ok(QueryStatus::Succeeded(stats));
        }
        let Some(query) = self.history.of_id(&id.0).await? else { return Ok(QueryStatus::Unknown) };
        let Some(record) = &query.record else { return Ok(QueryStatus::Unknown) };
        if query.state == RememberedState::Lives {
            // Nobody can ask for its answers any more: the address of the next one went with the process that had it.
            self.crash_points.around("trino: stop one that was left", self.history.stop(&query.id)).await?;
        }
        // It may have ended well before it was told to stop.
        let query = match query.state {
            RememberedState::Lives => self.history.of_id(&id.0).await?.unwrap_or(query.clone()),
            _ => query.clone(),
        };
        match (&record.writes, query.state) {
            (Some(writes), RememberedState::Finished) => {
                let stats = self.written(writes).await?;
                self.clear(record).await?;
                Ok(QueryStatus::Succeeded(stats))
            }
            (_, RememberedState::Failed) if query.error_type == "USER_ERROR" && !is_of_a_stop(&query.error_name) => {
                self.clear(record).await?;
                let message = format!("{}: the query failed while nobody listened", query.error_name);
                let made = Error::new(ErrorKind::QueryFailed, "run a query", message).with("query", &query.id);
                Ok(QueryStatus::Failed(made.help("look at the query in Trino, or run it again to see what was wrong")))
            }
            _ => {
                self.clear(record).await?;
                Ok(QueryStatus::Unknown)
            }
        }
    }

    /// Returns what a query that ended well has written.
    pub(super) async fn written(&self, writes: &Writes) -> Result<QueryStats> {
        let record = StatementRecord::of_written(&writes.prefix, &writes.partition_by, writes.rows_are);
        let objects = written_objects(&self.storage, &record, None).await?;
        Ok(QueryStats {
            rows: objects.iter().map(|object| object.rows).sum(),
            written_bytes: objects.iter().map(|object| object.bytes).sum(),
            objects,
            ..QueryStats::default()
        })
    }

    /// Drops the tables that belong to a query that has ended: they are entries of the catalog, no object goes.
    ///
    /// # Errors
    /// Those of crash points alone: what cannot be dropped now is swept later.
    pub(super) async fn clear(&self, record: &TrinoRecord) -> Result<()> {
        self.temporary.drop(&record.tables()).await
    }

    /// Stops a query of this process, and waits until nothing of it runs any more.
    pub(super) async fn stop(&self, id: &str, next: Option<&str>) -> Result<()> {
        let stopped = async {
            if let Some(address) = next {
                self.client.delete(address).await?;
            }
            self.history.stop(id).await
        };
        self.crash_points.around("trino: stop it on Trino", stopped).await
    }

    /// Forgets an ended query.
    pub(super) fn release(&self, id: &QueryId) {
        let mut queries = self.queries();
        if queries.by_id.get(&id.0).is_some_and(|running| running.has_ended()) {
            queries.by_id.remove(&id.0);
            queries.order.retain(|known| *known != id.0);
        }
    }
}

/// Tells whether a query failed because it was stopped.
fn is_of_a_stop(name: &str) -> bool {
    matches!(name, "USER_CANCELED" | "ADMINISTRATIVELY_KILLED" | "ABANDONED_QUERY")
}

impl Queries {
    fn of_token(&self, token: &str) -> Option<Arc<Running>> {
        self.by_id.values().find(|running| running.query.token == token).cloned()
    }

    /// Adds a query, and forgets the oldest ended ones beyond [`REMEMBERED`].
    fn add(&mut self, running: Arc<Running>) -> QueryId {
        let id = running.id.clone();
        self.order.push_back(id.clone());
        self.by_id.insert(id.clone(), running);
        while self.order.len() > REMEMBERED {
            let oldest = self.order.iter().position(|id| self.by_id.get(id).is_none_or(|running| running.has_ended()));
            match oldest.and_then(|at| self.order.remove(at)) {
                Some(id) => {
                    self.by_id.remove(&id);
                }
                None => break,
            }
        }
        QueryId(id)
    }
}
