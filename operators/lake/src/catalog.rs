//! The catalog: databases, tables, partitions and versions, in Glue's model.

use std::fmt::Debug;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::name::{Location, TableName};

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name, lower case.
    pub name: String,
    /// A remark.
    pub description: Option<String>,
    /// Where its tables go by default.
    pub location: Option<Location>,
    /// Free pairs.
    pub parameters: IndexMap<String, String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A column: its name in lower case and its type in Hive's words (`string`, `int`, `decimal(10,2)`, `struct<a:int>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type; `sql::Type::from_hive` reads it.
    pub hive_type: String,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How objects are read and written: Glue's storage descriptor without location and columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The input format's class.
    pub input_format: String,
    /// The output format's class.
    pub output_format: String,
    /// The SerDe's class.
    pub serde: String,
    /// The SerDe's parameters.
    pub serde_parameters: IndexMap<String, String>,
    /// Whether objects are compressed.
    pub compressed: bool,
}

/// A table (or view).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// `EXTERNAL_TABLE` or `VIRTUAL_VIEW`.
    pub table_type: String,
    /// The columns, without the partition keys.
    pub columns: Vec<Column>,
    /// The partition keys in order.
    pub partition_keys: Vec<Column>,
    /// Where it is; none for a view.
    pub location: Option<Location>,
    /// How it is read and written.
    pub storage: Storage,
    /// Free pairs.
    pub parameters: IndexMap<String, String>,
    /// The text of a view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_text: Option<String>,
    /// When it was made, in milliseconds since 1970; set by the catalog.
    pub created_ms: i64,
    /// When it was last changed, in milliseconds since 1970; set by the catalog.
    pub updated_ms: i64,
    /// Grows with every change; set by the catalog.
    pub version: i64,
}

/// A partition's values in the order of the table's keys, as text.
pub type PartitionValues = Vec<String>;

/// A partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The values in the order of the keys.
    pub values: PartitionValues,
    /// Its own columns: a later change of the table does not reach it.
    pub columns: Vec<Column>,
    /// Where it is.
    pub location: Location,
    /// How it is read.
    pub storage: Storage,
    /// Free pairs; what a publish records is in `publish::record`.
    pub parameters: IndexMap<String, String>,
    /// When it was made, in milliseconds since 1970; set by the catalog.
    pub created_ms: i64,
    /// Grows with every change; set by the catalog.
    pub version: i64,
}

/// Whether a put may replace what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It must not be there: `AlreadyExists` otherwise.
    Absent,
    /// It must be there in this version: `Conflict` (or `NotFound`) otherwise.
    Version(i64),
    /// Whatever is there.
    Any,
}

/// A catalog. Every call is atomic: readers see the state before or after it.
#[async_trait]
pub trait Catalog: Debug + Send + Sync + 'static {
    /// Lists the databases by name.
    async fn databases(&self) -> Result<Vec<Database>>;
    /// Returns a database.
    async fn database(&self, name: &str) -> Result<Option<Database>>;
    /// Makes a database unless it is there.
    async fn create_database(&self, database: &Database) -> Result<()>;
    /// Drops an empty database; false when it was not there.
    async fn drop_database(&self, name: &str) -> Result<bool>;
    /// Lists the tables of a database by name.
    async fn tables(&self, database: &str) -> Result<Vec<Table>>;
    /// Returns a table.
    async fn table(&self, name: &TableName) -> Result<Option<Table>>;
    /// Makes or replaces a table; returns it as kept.
    async fn put_table(&self, table: &Table, expect: Expect) -> Result<Table>;
    /// Drops a table with its partitions; false when it was not there.
    async fn drop_table(&self, name: &TableName) -> Result<bool>;
    /// Returns a partition.
    async fn partition(&self, name: &TableName, values: &[String]) -> Result<Option<Partition>>;
    /// Lists the partitions in the order of their values.
    async fn partitions(&self, name: &TableName) -> Result<Vec<Partition>>;
    /// Makes or replaces a partition; returns it as kept.
    async fn put_partition(&self, name: &TableName, partition: &Partition, expect: Expect) -> Result<Partition>;
    /// Drops a partition; false when it was not there.
    async fn drop_partition(&self, name: &TableName, values: &[String]) -> Result<bool>;
}
