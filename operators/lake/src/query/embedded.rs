//! The query engine of the embedded lake: Athena's dialect on `DataFusion`, in this process.
//!
//! A query lives as long as the process; after a restart the engine answers `Unknown`, and the caller starts it again with
//! the same token. Only a result with [`Destination::Keep`] outlives the process.

mod failure;
mod information_schema;
mod memory;
mod pieces;
mod plan;
pub(in crate::query) mod result;
mod sorted_joins;
mod stop;
mod threads;
mod watched;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryLimit};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Description, Destination, Left, Query, QueryEngine, QueryId, QueryStats, QueryStatus, ResultColumn, WrittenObject,
};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::LakeSettings;
use crate::publish::objects::ObjectsWriter;
use crate::publish::parquet::StoredColumn;
use crate::publish::partitioned::{PartitionedWriter, PartitionsTarget};
use crate::sql::function::Session;
use crate::storage::Storage;
use crate::temporary::TemporaryFolder;
use crate::words;
use failure::is_out_of_memory;
use memory::{Budget, QueryMemory};
use plan::{Manner, Planner, Prepared};
pub(in crate::query) use result::FetchedResult;
use stop::Stop;
use threads::ThreadPool;

/// How many queries run at a time; the others wait in the order of their start.
const QUERIES: usize = 8;

/// How many ended queries are remembered; older ones become `Unknown`.
const REMEMBERED: usize = 1000;

const OPERATION: &str = "run a query";

/// A query engine in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EmbeddedEngine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    storage: Storage,
    planner: Planner,
    clock: Arc<dyn Clock>,
    runtime: Arc<RuntimeEnv>,
    parallelism: Option<usize>,
    max_partitions: usize,
    queries: Mutex<Queries>,
    turns: Arc<Semaphore>,
    threads: Arc<ThreadPool>,
    crash_points: CrashPoints,
    /// Removed when the engine goes.
    _temporary: TemporaryFolder,
}

#[derive(Debug, Default)]
struct Queries {
    by_id: HashMap<QueryId, Arc<Running>>,
    /// In the order of their start.
    order: std::collections::VecDeque<QueryId>,
}

/// A query that was started in this process.
#[derive(Debug)]
struct Running {
    query: Query,
    started_ms: i64,
    cancellation: CancellationToken,
    plan: Mutex<Option<Arc<dyn ExecutionPlan>>>,
    /// Bytes that a try read which found no memory.
    read_in_vain: AtomicU64,
    /// Which limit it went over.
    over_limit: Mutex<Option<Arc<Error>>>,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
enum State {
    Queued,
    Running,
    Succeeded(Box<QueryStats>, Option<FetchedResult>),
    Failed(Arc<Error>),
    Canceled,
}

impl EmbeddedEngine {
    /// Makes an engine. Beyond the memory that the settings allow, queries spill to `temporary`.
    ///
    /// # Errors
    /// `External` when the parts of `DataFusion` do not fit together.
    pub(crate) fn open(
        storage: Storage,
        catalog: Arc<dyn Catalog>,
        temporary: TemporaryFolder,
        settings: &LakeSettings,
    ) -> Result<Self> {
        let parallelism = settings.parallelism;
        let disk = DiskManagerMode::Directories(vec![temporary.path().to_owned()]);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(settings.memory_limit)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(disk))
            .build_arc()
            .map_err(|error| failure::of("open the query engine", error))?;
        let url = Storage::object_store_url()?;
        runtime.register_object_store(url.as_ref(), storage.object_store());
        let planner = Planner { storage: storage.clone(), catalog };
        Ok(Self {
            inner: Arc::new(Inner {
                storage,
                planner,
                clock: Arc::clone(&settings.clock),
                runtime,
                parallelism,
                max_partitions: settings.max_partitions,
                queries: Mutex::default(),
                turns: Arc::new(Semaphore::new(QUERIES)),
                threads: Arc::new(ThreadPool::new(parallelism)),
                crash_points: settings.crash_points.clone(),
                _temporary: temporary,
            }),
        })
    }

    /// Returns what bounds the memory of results, and where larger ones go.
    pub(in crate::query) fn runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(&self.inner.runtime)
    }

    fn running(&self, id: &QueryId) -> Option<Arc<Running>> {
        self.inner.queries().by_id.get(id).cloned()
    }
}

impl Inner {
    fn queries(&self) -> MutexGuard<'_, Queries> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, database: Option<&str>) -> Session {
        Session {
            time_zone: "UTC".to_owned(),
            start_us: self.clock.now().as_microsecond(),
            database: database.map(str::to_owned),
        }
    }

    /// Runs a query to its end or its cancellation. Only its plan runs on threads of its own: what is written is written here,
    /// so that nothing is any more once it counts as cancelled.
    async fn run(self: Arc<Self>, id: QueryId, running: Arc<Running>) {
        let ended = tokio::select! {
            biased;
            () = running.cancellation.cancelled() => match running.over_limit().take() {
                Some(error) => State::Failed(error),
                None => State::Canceled,
            },
            ended = self.work(&id, &running) => match ended {
                Ok((stats, result)) => State::Succeeded(Box::new(stats), result),
                Err(error) => State::Failed(Arc::new(self.helped(error))),
            },
        };
        running.plan().take();
        running.state.send_replace(ended);
    }

    /// Says what to do about a query that could have no more memory.
    fn helped(&self, error: Error) -> Error {
        match self.runtime.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) if is_out_of_memory(&error) => {
                let limit = words::bytes(u64::try_from(bytes).unwrap_or(u64::MAX));
                error.help(format!("raise `memory_limit` of `suiro.yml`, which is {limit}, or make a query of parts"))
            }
            _ => error,
        }
    }

    async fn work(&self, id: &QueryId, running: &Running) -> Result<(QueryStats, Option<FetchedResult>)> {
        let _turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Error::new(ErrorKind::Canceled, OPERATION, "the query engine was closed"))?;
        running.state.send_replace(State::Running);
        // Written rows must come in the same order each time, so that the same query writes the same bytes.
        let parallelism = match running.query.destination {
            Destination::Objects { .. } => Some(1),
            Destination::Fetch | Destination::Keep => self.parallelism,
        };
        let memory = QueryMemory::of(&self.runtime);
        let error = match self.attempt(id, running, &memory, parallelism, Budget::Ample).await {
            Err(error) if is_out_of_memory(&error) => error,
            ended => return ended,
        };
        // Nothing was answered yet. Of a large result some objects may be there: their rows would be written twice.
        if let Destination::Objects { prefix, .. } = &running.query.destination
            && !self.storage.is_empty(prefix).await?
        {
            return Err(error);
        }
        tracing::info!(%error, id = id.0, "the query runs once more, in a way that needs less memory");
        // The plan holds memory, too.
        running.give_up_plan();
        memory.given_back().await;
        let memory = QueryMemory::of(&self.runtime);
        self.attempt(id, running, &memory, Some(1), Budget::Scarce).await
    }

    /// Runs a query once.
    async fn attempt(
        &self,
        id: &QueryId,
        running: &Running,
        memory: &Arc<QueryMemory>,
        parallelism: Option<usize>,
        budget: Budget,
    ) -> Result<(QueryStats, Option<FetchedResult>)> {
        let manner = Manner { parallelism, budget, runtime: memory.runtime(&self.runtime) };
        tokio::select! {
            biased;
            () = memory.crowded() => {
                Err(failure::out_of_memory(OPERATION, "rows on their way between partitions found no room"))
            }
            ended = self.carry_out(id, running, manner) => ended,
        }
    }

    /// Runs a query from its plan to its end.
    async fn carry_out(
        &self,
        id: &QueryId,
        running: &Running,
        manner: Manner,
    ) -> Result<(QueryStats, Option<FetchedResult>)> {
        let query = &running.query;
        let stop = Stop::default();
        let prepared = self
            .planner
            .plan(query.sql.clone(), self.session(query.database.as_deref()), query.tables.clone(), manner, &stop)
            .await?;
        *running.plan() = Some(Arc::clone(&prepared.physical));
        let rows = self.threads.run(Arc::clone(&prepared.physical), prepared.context.task_ctx(), stop)?;
        match &query.destination {
            Destination::Fetch => {
                let (result, count) = FetchedResult::collect(prepared.columns.clone(), rows, &self.runtime).await?;
                Ok((QueryStats { rows: count, ..self.stats(running) }, Some(result)))
            }
            Destination::Keep => {
                let points = &self.crash_points;
                points.around("query: mark the result", result::prepare_kept(&self.storage, id)).await?;
                let writer = result::kept_writer(&self.storage, id, &prepared.columns)?;
                let stats = self.write(running, writer.into(), rows).await?;
                let stats = QueryStats { output: Some(result::kept_location(&self.storage, id)?), ..stats };
                let kept = result::keep(&self.storage, id, &prepared.columns, &stats);
                points.around("query: complete the result", kept).await?;
                Ok((stats, None))
            }
            Destination::Objects { prefix, layout, partition_by } => {
                if !self.storage.is_empty(prefix).await? {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        OPERATION,
                        format!("HIVE_PATH_ALREADY_EXISTS: expected an empty prefix, found objects below `{prefix}`"),
                    ));
                }
                let columns = storable(&prepared)?;
                if partition_by.is_empty() && layout.buckets.is_none() {
                    let writer = ObjectsWriter::new(&self.storage, prefix, &columns, layout.format)?;
                    return Ok((self.write(running, writer, rows).await?, None));
                }
                let session = self.session(query.database.as_deref());
                let target = PartitionsTarget {
                    prefix: prefix.as_prefix(),
                    columns,
                    keys: partition_by.clone(),
                    layout: layout.clone(),
                    most: self.max_partitions,
                };
                let writer = PartitionedWriter::new(&self.storage, target, session)?;
                Ok((Box::pin(self.write_partitions(running, writer, rows)).await?, None))
            }
        }
    }

    async fn write(
        &self,
        running: &Running,
        mut writer: ObjectsWriter,
        mut rows: SendableRecordBatchStream,
    ) -> Result<QueryStats> {
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| failure::of(OPERATION, error))?;
            writer.write(&batch).await?;
        }
        let objects = self.crash_points.around("query: write the objects", writer.finish()).await?;
        Ok(self.written(running, objects))
    }

    async fn write_partitions(
        &self,
        running: &Running,
        mut writer: PartitionedWriter,
        mut rows: SendableRecordBatchStream,
    ) -> Result<QueryStats> {
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| failure::of(OPERATION, error))?;
            writer.write(&batch).await?;
        }
        let objects = self.crash_points.around("query: write the objects", writer.finish()).await?;
        Ok(self.written(running, objects))
    }

    fn written(&self, running: &Running, objects: Vec<WrittenObject>) -> QueryStats {
        QueryStats {
            rows: objects.iter().map(|object| object.rows).sum(),
            written_bytes: objects.iter().map(|object| object.bytes).sum(),
            objects,
            ..self.stats(running)
        }
    }

    /// Returns what is known of a query while it runs.
    fn stats(&self, running: &Running) -> QueryStats {
        let elapsed = self.clock.now().as_millisecond().saturating_sub(running.started_ms);
        QueryStats {
            scanned_bytes: running.scanned_bytes(),
            elapsed_ms: u64::try_from(elapsed).unwrap_or(0),
            ..QueryStats::default()
        }
    }
}

impl Running {
    fn plan(&self) -> MutexGuard<'_, Option<Arc<dyn ExecutionPlan>>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that all tries have read.
    fn scanned_bytes(&self) -> u64 {
        let plan = self.plan();
        let of_plan = plan.as_ref().map_or(0, plan::scanned_bytes);
        self.read_in_vain.load(Ordering::Relaxed).saturating_add(of_plan)
    }

    /// Lets the plan of a try go, and keeps what it read.
    fn give_up_plan(&self) {
        let mut plan = self.plan();
        if let Some(given_up) = plan.take() {
            self.read_in_vain.fetch_add(plan::scanned_bytes(&given_up), Ordering::Relaxed);
        }
    }

    fn over_limit(&self) -> MutexGuard<'_, Option<Arc<Error>>> {
        self.over_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops it when it has read more than it may. It is looked at when somebody polls.
    fn hold_to_limit(&self, scanned_bytes: u64) {
        let Some(limit) = self.query.options.max_scan_bytes.filter(|limit| scanned_bytes > *limit) else { return };
        let error = Error::new(
            ErrorKind::ResourcesExhausted,
            OPERATION,
            format!("the query was stopped: it had read {scanned_bytes} bytes, {limit} are allowed"),
        )
        .help("name fewer partitions in WHERE, or raise `max_scan_bytes`");
        self.over_limit().get_or_insert(Arc::new(error));
        self.cancellation.cancel();
    }
}

/// Checks that a table can hold the columns of a result.
fn storable(prepared: &Prepared) -> Result<Vec<StoredColumn>> {
    let unstorable: Vec<String> = prepared
        .columns
        .iter()
        .filter(|column| column.data_type.to_hive().is_none())
        .map(|column| format!("`{}` is {}", column.name, column.data_type))
        .collect();
    if !unstorable.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidSql,
            OPERATION,
            format!("NOT_SUPPORTED: a table cannot hold these columns, cast them first: {}", unstorable.join(", ")),
        ));
    }
    Ok(prepared
        .columns
        .iter()
        .map(|column| StoredColumn { name: column.name.clone(), data_type: column.data_type.clone() })
        .collect())
}

fn unknown(id: &QueryId) -> Error {
    Error::new(ErrorKind::NotFound, "fetch a result", format!("the query `{}` is not known (any more)", id.0))
}

#[async_trait]
impl QueryEngine for EmbeddedEngine {
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description> {
        let inner = &self.inner;
        let prepared = inner
            .planner
            .plan(
                sql.to_owned(),
                inner.session(database),
                Vec::new(),
                Manner { parallelism: inner.parallelism, budget: Budget::Ample, runtime: Arc::clone(&inner.runtime) },
                &Stop::default(),
            )
            .await?;
        Ok(Description {
            predicted_bytes: Some(plan::predicted_bytes(&prepared.physical)),
            plan: displayable(prepared.physical.as_ref()).indent(false).to_string(),
            columns: prepared.columns,
            tables: prepared.tables,
            views: prepared.views,
        })
    }

    async fn start(&self, query: &Query) -> Result<QueryId> {
        let mut hash = crate::publish::version::hex(&Sha256::digest(query.token.as_bytes()));
        hash.truncate(32);
        let id = QueryId(hash);
        if query.destination == Destination::Keep
            && self.running(&id).is_none()
            && result::kept(&self.inner.storage, &id).await?.is_some()
        {
            return Ok(id);
        }
        let running = {
            let mut queries = self.inner.queries();
            if let Some(known) = queries.by_id.get(&id) {
                if known.query.is_same_request(query) {
                    return Ok(id);
                }
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "start a query",
                    format!("the token `{}` was used for another query", query.token),
                ));
            }
            let running = Arc::new(Running {
                query: query.clone(),
                started_ms: self.inner.clock.now().as_millisecond(),
                cancellation: CancellationToken::new(),
                plan: Mutex::new(None),
                read_in_vain: AtomicU64::new(0),
                over_limit: Mutex::new(None),
                state: watch::Sender::new(State::Queued),
            });
            queries.by_id.insert(id.clone(), Arc::clone(&running));
            queries.order.push_back(id.clone());
            queries.forget();
            running
        };
        tokio::spawn(Arc::clone(&self.inner).run(id.clone(), running));
        Ok(id)
    }

    async fn poll(&self, id: &QueryId) -> Result<QueryStatus> {
        let Some(running) = self.running(id) else {
            return Ok(match result::kept(&self.inner.storage, id).await? {
                Some((_, stats)) => QueryStatus::Succeeded(stats),
                None => QueryStatus::Unknown,
            });
        };
        let state = running.state.borrow().clone();
        Ok(match state {
            State::Queued => QueryStatus::Queued,
            State::Running => {
                let stats = self.inner.stats(&running);
                running.hold_to_limit(stats.scanned_bytes);
                QueryStatus::Running(stats)
            }
            State::Succeeded(stats, _) => QueryStatus::Succeeded(*stats),
            State::Failed(error) => QueryStatus::Failed(error.without_source()),
            State::Canceled => QueryStatus::Canceled,
        })
    }

    async fn wait(&self, id: &QueryId, longest: Duration) -> Result<QueryStatus> {
        if let Some(running) = self.running(id) {
            // Whether it ended or the time did: what it is now is asked next.
            let _waited = tokio::time::timeout(longest, running.ended()).await;
        }
        self.poll(id).await
    }

    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        if let Some(running) = self.running(id) {
            if matches!(running.query.destination, Destination::Objects { .. }) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "fetch a result",
                    format!("the result of the query `{}` was written to objects", id.0),
                ));
            }
            match running.ended().await {
                State::Succeeded(_, Some(result)) => return result.open(),
                State::Failed(error) => return Err(error.without_source()),
                State::Canceled => {
                    return Err(Error::new(ErrorKind::Canceled, "fetch a result", "the query was cancelled"));
                }
                State::Queued | State::Running => return Err(unknown(id)),
                State::Succeeded(_, None) => {}
            }
        }
        match result::kept(&self.inner.storage, id).await? {
            Some((columns, stats)) => result::open_kept(&self.inner.storage, columns, &stats).await,
            None => Err(unknown(id)),
        }
    }

    async fn cancel(&self, id: &QueryId) -> Result<()> {
        if let Some(running) = self.running(id) {
            running.cancellation.cancel();
            running.ended().await;
        }
        Ok(())
    }

    async fn leave(&self, _id: &QueryId) -> Left {
        Left::Ends
    }

    async fn release(&self, id: &QueryId) {
        let mut queries = self.inner.queries();
        if queries.by_id.get(id).is_some_and(|running| running.has_ended()) {
            queries.by_id.remove(id);
            queries.order.retain(|known| known != id);
        }
    }
}

impl Running {
    /// Waits for the end.
    async fn ended(&self) -> State {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| !matches!(state, State::Queued | State::Running)).await {
            Ok(state) => state.clone(),
            // The sender lives in `self`.
            Err(_) => State::Canceled,
        }
    }

    fn has_ended(&self) -> bool {
        !matches!(*self.state.borrow(), State::Queued | State::Running)
    }
}

impl Queries {
    /// Forgets the oldest ended queries beyond [`REMEMBERED`].
    fn forget(&mut self) {
        while self.order.len() > REMEMBERED {
            let oldest = self.order.iter().position(|id| self.by_id.get(id).is_none_or(|running| running.has_ended()));
            match oldest.and_then(|at| self.order.remove(at)) {
                Some(id) => {
                    self.by_id.remove(&id);
                }
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
