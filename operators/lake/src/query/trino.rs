//! Trino as a query engine: statements by its REST protocol, a task for each query that asks for its answers, rows that are
//! written through an external table over an empty prefix.
//!
//! Trino runs a query as long as somebody asks for its answers, and the address of the next answer is known to that client
//! alone. So after a restart of ours a query that still runs is stopped, and the engine answers `Unknown`: whoever publishes
//! begins the next generation under a new prefix. One that had come to its end is taken as it is: its table is in the catalog
//! once all of its rows are written, and Trino's list of queries names it. Nothing is run twice while the first run may still
//! write.
//!
//! What belongs to a query beside its text (where its rows go, which tables are there for it alone) stands in a comment of the
//! statement (`athena/record.rs`).

mod client;
mod describe;
mod engine;
mod failure;
mod history;
mod interval;
mod kept;
mod limits;
mod page;
mod record;
mod running;
mod settings;
mod statement;
mod value;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;

use self::client::Client;
use self::engine::Inner;
use self::history::History;
use self::kept::KeptResults;
use self::running::State;
use super::athena::TemporaryTables;
use super::{Description, EmbeddedEngine, Left, Query, QueryEngine, QueryId, QueryStatus, ResultColumn};
use crate::aws::Reach;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::refuse_what_writes;
use crate::storage::Storage;

pub use settings::{TrinoLogin, TrinoSettings};

/// The query engine Trino. Cheap to clone.
///
/// What Trino reads and writes, it does with the rights of its own catalog. suiro itself needs `glue:GetTable`,
/// `glue:CreateTable`, `glue:DeleteTable`, `glue:GetDatabase`, `glue:CreateDatabase`, `glue:GetTables` for tables that are there
/// for one query alone, and `s3:ListBucket`, `s3:GetObject` to look at what was written.
#[derive(Debug, Clone)]
pub struct TrinoEngine {
    inner: Arc<Inner>,
}

impl TrinoEngine {
    /// Makes an engine over a lake's storage and catalog, which must be those that Trino's catalog reads. Nothing is sent.
    ///
    /// `analyzer` describes statements over the same catalog and storage without a call to Trino.
    ///
    /// # Errors
    /// `InvalidInput` for settings that cannot be used; those of reading the file of certificates.
    pub fn open(
        settings: TrinoSettings,
        reach: Reach,
        storage: Storage,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        analyzer: EmbeddedEngine,
        crash_points: CrashPoints,
    ) -> Result<Self> {
        let client = Client::open(settings, reach)?;
        let inner = Inner {
            history: History::new(client.clone()),
            client,
            results: KeptResults::new(storage.clone(), crash_points.clone()),
            storage,
            runtime: analyzer.runtime(),
            analyzer,
            temporary: TemporaryTables::new(Arc::clone(&catalog), clock, crash_points.clone()),
            catalog,
            crash_points,
            queries: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// How long stopping a query may take when the process goes away.
const LEAVING: Duration = Duration::from_secs(2);

fn not_known(id: &QueryId) -> Error {
    Error::new(ErrorKind::NotFound, "fetch a result", format!("the query `{}` is not known (any more)", id.0))
        .help("Trino keeps no results: they go with the process that ran the query")
}

#[async_trait]
impl QueryEngine for TrinoEngine {
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description> {
        self.inner.described(sql, database).await
    }

    async fn start(&self, query: &Query) -> Result<QueryId> {
        refuse_what_writes(&query.sql)?;
        self.inner.started(query).await
    }

    async fn poll(&self, id: &QueryId) -> Result<QueryStatus> {
        let Some(running) = self.inner.running(id) else { return self.inner.remembered(id).await };
        Ok(match running.state() {
            State::Queued => QueryStatus::Queued,
            State::Running => QueryStatus::Running(running.figures()),
            State::Succeeded(stats, _) => QueryStatus::Succeeded(*stats),
            State::Failed(error) => QueryStatus::Failed(error.without_source()),
            State::Canceled => QueryStatus::Canceled,
        })
    }

    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        if let Some(running) = self.inner.running(id) {
            if running.record.writes.is_some() {
                let message = format!("the result of the query `{}` was written to objects", id.0);
                return Err(Error::new(ErrorKind::InvalidInput, "fetch a result", message));
            }
            match running.ended().await {
                State::Succeeded(_, Some(result)) => return result.open(),
                State::Failed(error) => return Err(error.without_source()),
                State::Canceled => {
                    return Err(Error::new(ErrorKind::Canceled, "fetch a result", "the query was cancelled"));
                }
                State::Queued | State::Running => return Err(not_known(id)),
                State::Succeeded(_, None) => {}
            }
        }
        match self.inner.results.of(id).await? {
            Some((columns, stats)) => self.inner.results.open(columns, &stats).await,
            None => Err(not_known(id)),
        }
    }

    async fn cancel(&self, id: &QueryId) -> Result<()> {
        match self.inner.running(id) {
            Some(running) => running.cancel(&self.inner).await,
            None => self.inner.remembered(id).await.map(|_status| ()),
        }
    }

    async fn leave(&self, id: &QueryId) -> Left {
        // One of another process is stopped by whoever looks for it next.
        let Some(running) = self.inner.running(id) else { return Left::Ends };
        if running.has_ended() {
            return Left::Ends;
        }
        match tokio::time::timeout(LEAVING, running.cancel(&self.inner)).await {
            Ok(Ok(())) => Left::Stopped,
            Ok(Err(error)) => Left::Unsure(error.message),
            Err(_) => Left::Unsure("Trino did not answer in time".to_owned()),
        }
    }

    async fn release(&self, id: &QueryId) {
        self.inner.release(id);
    }
}
