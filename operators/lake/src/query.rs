//! Query engines: `start`, `poll`, `fetch`, `cancel`, so that an id is all that must survive a crash.

pub mod athena;
pub mod embedded;
pub(crate) mod same_value;
mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod trino;
mod typed;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;

use crate::error::{Error, Result};
use crate::name::Location;
use crate::sql::Type;

pub use athena::AthenaEngine;
pub(crate) use athena::{LONGEST_STATEMENT, written_below};
pub use embedded::EmbeddedEngine;
pub use same_value::{TypedPartitions, canonical, meaning, partition_of, written_otherwise};
pub(crate) use table::{avro_rows, partition_meaning};
pub use trino::{TrinoEngine, TrinoSettings};

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
    /// Tables that this query alone sees, in place of those of the same name in the catalog: a version that is not
    /// published yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<QueryTable>,
    /// What it may use.
    #[serde(default, skip_serializing_if = "QueryOptions::is_default")]
    pub options: QueryOptions,
}

/// What a query may use; what is none is as the engine's settings say.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueryOptions {
    /// The workgroup; the embedded engine has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workgroup: Option<String>,
    /// Where the result goes; the embedded engine has a place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_location: Option<Location>,
    /// How many bytes it may read before it is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_scan_bytes: Option<u64>,
    /// How long it may wait for its turn before it is stopped, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_timeout_ms: Option<u64>,
    /// How long it may run before it is stopped, in milliseconds; the time that it waited for its turn does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_timeout_ms: Option<u64>,
}

impl QueryOptions {
    /// Tells whether nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Query {
    /// Makes a query whose result is fetched.
    pub fn new(sql: impl Into<String>, database: Option<&str>, token: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            database: database.map(str::to_owned),
            token: token.into(),
            destination: Destination::Fetch,
            tables: Vec::new(),
            options: QueryOptions::default(),
        }
    }
}

impl Query {
    /// Tells whether another query asks for the same: the same text on the same objects. What else the catalog says of the
    /// tables that the query alone sees (their versions, times, parameters) may change between two tries of one step.
    pub(crate) fn is_same_request(&self, other: &Self) -> bool {
        self.sql == other.sql
            && self.database == other.database
            && self.destination == other.destination
            && self.places() == other.places()
    }

    /// Returns the places of the tables that this query alone sees.
    pub(crate) fn places(&self) -> Vec<Location> {
        let tables = self.tables.iter();
        tables
            .flat_map(|table| {
                let partitions = table.partitions.iter().map(|partition| partition.location.clone());
                let own = table.table.location.clone().filter(|_| table.partitions.is_empty());
                partitions.chain(own).collect::<Vec<_>>()
            })
            .collect()
    }
}

/// A table that one query sees.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QueryTable {
    /// The table.
    pub table: crate::catalog::Table,
    /// Its partitions; none for a table without partition keys.
    pub partitions: Vec<crate::catalog::Partition>,
}

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Destination {
    /// To whoever fetches it, until the process ends.
    Fetch,
    /// To whoever fetches it, also after a restart: the engine keeps it.
    Keep,
    /// To Parquet (or other) objects below an empty prefix, rows in the order of the query.
    Objects {
        /// The prefix; must be empty.
        prefix: Location,
        /// How rows are laid out in them.
        #[serde(flatten)]
        layout: crate::publish::Layout,
        /// The last columns of the result, which become partition keys: objects go to `key=value/…` below the prefix and do
        /// not hold these columns. None of them for objects right below the prefix.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        partition_by: Vec<String>,
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
    /// Whether the statement gives it its name: one that is called `_colN` by its place alone cannot be selected by that.
    pub is_named: bool,
    /// The type.
    pub data_type: Type,
}

impl ResultColumn {
    /// Makes a column of a result whose statement does not tell: it counts as named unless it is called as its place.
    #[must_use]
    pub fn of_result(index: usize, name: String, data_type: Type) -> Self {
        Self { is_named: name != format!("_col{index}"), name, data_type }
    }
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

/// What becomes of a query whose process goes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Nothing: it has ended, or ends with the process.
    Ends,
    /// It was stopped, because no other process can go on with it.
    Stopped,
    /// It was told to stop, and may still run: why it is not known.
    Unsure(String),
    /// It goes on, and another process may go on with it by its id.
    GoesOn {
        /// A command line that stops it.
        stopped_by: String,
    },
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
    /// What they cost, in millionths of a US dollar, rounded up; 0 on the embedded lake.
    #[serde(default)]
    pub cost_micro_usd: u64,
    /// Milliseconds from start to end.
    pub elapsed_ms: u64,
    /// Where the result is kept; none when it is kept nowhere, or was written to objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Location>,
    /// The workgroup that it ran in; none where there are no workgroups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workgroup: Option<String>,
    /// The objects written.
    pub objects: Vec<WrittenObject>,
}

impl QueryStats {
    /// Adds what another query of the same work read and cost.
    #[must_use]
    pub fn and_cost_of(mut self, other: &Self) -> Self {
        self.scanned_bytes += other.scanned_bytes;
        self.billed_bytes += other.billed_bytes;
        self.cost_micro_usd += other.cost_micro_usd;
        self
    }
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
    /// The values of its partition in the order of the keys, as the catalog keeps them; none outside of partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition: Vec<String>,
}

/// Checks that a text is a value of a partition key of one of Hive's types, as it is read in queries.
///
/// # Errors
/// `InvalidData` when it is none; `InvalidInput` for a type that is none.
pub fn check_partition_value(key: &str, hive_type: &str, text: &str) -> Result<()> {
    table::check_partition_value(key, hive_type, text)
}

/// A query engine.
#[async_trait]
pub trait QueryEngine: Debug + Send + Sync + 'static {
    /// Plans a statement and returns its columns, tables read and predicted bytes, running nothing.
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description>;
    /// Starts a query; the same token gives the same query.
    ///
    /// # Errors
    /// `InvalidInput` when the token was used for another query. What is wrong with the statement is told by
    /// [`QueryEngine::poll`]; an engine may tell at once that it has no form (`InvalidSql`).
    async fn start(&self, query: &Query) -> Result<QueryId>;
    /// Tells how far a query is.
    async fn poll(&self, id: &QueryId) -> Result<QueryStatus>;
    /// Waits until a query has ended, at most for `longest`, and tells how far it is then.
    ///
    /// An engine that is told of ends answers at once at the end; one that can only be asked, after `longest`.
    async fn wait(&self, id: &QueryId, longest: Duration) -> Result<QueryStatus> {
        let status = self.poll(id).await?;
        if !matches!(status, QueryStatus::Queued | QueryStatus::Running(_)) {
            return Ok(status);
        }
        tokio::time::sleep(longest).await;
        self.poll(id).await
    }
    /// Waits for the end of a query that was started with [`Destination::Fetch`] or [`Destination::Keep`], and returns its
    /// result; it may be fetched again.
    ///
    /// # Errors
    /// The query's own; `NotFound` for a query that the engine does not know (any more); `Canceled`; `InvalidInput` for a
    /// query whose result went elsewhere.
    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)>;
    /// Stops a query and waits until it has stopped; one that has ended stays as it is.
    async fn cancel(&self, id: &QueryId) -> Result<()>;
    /// Says that this process goes away before a query has ended. What only this process can follow to its end is stopped; what
    /// another one can go on with goes on. Answers within two seconds.
    async fn leave(&self, id: &QueryId) -> Left;
    /// Says that nobody asks for an ended query any more: what the engine holds of it in memory may go. It may answer
    /// `Unknown` then.
    async fn release(&self, id: &QueryId);
}

/// What a statement would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The columns of the result.
    pub columns: Vec<ResultColumn>,
    /// The tables it reads.
    pub tables: Vec<crate::name::TableName>,
    /// The views that it reads, those within views among them; none when only the engine knows the statement.
    pub views: Vec<crate::name::TableName>,
    /// The bytes of the objects that it would read at most, after partition pruning; none when the engine cannot tell.
    pub predicted_bytes: Option<u64>,
    /// How it would be run, as text for people.
    pub plan: String,
}
