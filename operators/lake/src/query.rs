//! Query engines: `start`, `poll`, `fetch`, `cancel`, so that an id is all that must survive a crash.

use std::fmt::Debug;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;

use crate::error::{Error, Result};
use crate::name::Location;
use crate::sql::Type;

/// A statement to run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Query {
    /// The text: one SELECT, in the dialect of the engine.
    pub sql: String,
    /// The database of unqualified tables.
    pub database: Option<String>,
    /// The name of this effect: starting the same token again gives the same query.
    pub token: String,
    /// Where the result goes.
    pub destination: Destination,
}

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Destination {
    /// To whoever fetches it.
    Fetch,
    /// To Parquet (or other) objects below an empty prefix, rows in the order of the query.
    Objects {
        /// The prefix; must be empty.
        prefix: Location,
        /// The format and its compression.
        format: crate::publish::Format,
    },
}

/// The id of a started query.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct QueryId(pub String);

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// The name: as aliased, or `_colN`.
    pub name: String,
    /// The type.
    pub data_type: Type,
}

/// How far a query is.
#[derive(Debug)]
pub enum QueryStatus {
    /// It waits for its turn.
    Queued,
    /// It runs.
    Running(QueryStats),
    /// It ended well.
    Succeeded(QueryStats),
    /// It failed.
    Failed(Error),
    /// It was cancelled.
    Canceled,
    /// The engine does not know it (any more): start it again with the same token.
    Unknown,
}

/// What a query did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueryStats {
    /// Rows of the result (or written).
    pub rows: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes read from storage.
    pub scanned_bytes: u64,
    /// Bytes that are billed; 0 on the embedded lake.
    pub billed_bytes: u64,
    /// Milliseconds from start to end.
    pub elapsed_ms: u64,
    /// The objects written.
    pub objects: Vec<WrittenObject>,
}

/// An object that a query or load wrote.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WrittenObject {
    /// Where.
    pub location: Location,
    /// Its bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// A query engine.
#[async_trait]
pub trait QueryEngine: Debug + Send + Sync + 'static {
    /// Plans a statement and returns its columns, tables read and predicted bytes, running nothing.
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description>;
    /// Starts a query; the same token gives the same query.
    async fn start(&self, query: &Query) -> Result<QueryId>;
    /// Tells how far a query is.
    async fn poll(&self, id: &QueryId) -> Result<QueryStatus>;
    /// Returns the result of a query that was started with [`Destination::Fetch`]; rows as they come.
    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)>;
    /// Stops a query and waits until it has stopped.
    async fn cancel(&self, id: &QueryId) -> Result<()>;
}

/// What a statement would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The columns of the result.
    pub columns: Vec<ResultColumn>,
    /// The tables it reads.
    pub tables: Vec<crate::name::TableName>,
    /// The bytes of the objects that it would read at most, after partition pruning.
    pub predicted_bytes: u64,
}
