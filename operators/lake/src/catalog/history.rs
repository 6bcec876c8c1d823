//! What a catalog keeps beyond the tables as they are: earlier versions and statistics of columns, as Glue serves them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Catalog, Database, Expect, Table};
use crate::error::Result;
use crate::name::TableName;

/// What happens to the version of a table that an update replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archive {
    /// It stays in the table's history.
    Keep,
    /// It is forgotten.
    Skip,
}

/// The statistics of a column of a table or partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// The column's name, lower case.
    pub column: String,
    /// What was said of it, as it came.
    pub figures: serde_json::Value,
}

/// A catalog that can be served as Glue: it also has histories and statistics. Every call is atomic.
#[async_trait]
pub trait GlueCatalog: Catalog {
    /// Makes a database.
    ///
    /// # Errors
    /// `AlreadyExists`; `InvalidInput` for a name that is none.
    async fn insert_database(&self, database: &Database) -> Result<()>;
    /// Changes a database; its name and the time it was made stay.
    ///
    /// # Errors
    /// `NotFound`.
    async fn update_database(&self, database: &Database) -> Result<()>;
    /// As [`Catalog::put_table`], and says what becomes of the version that is replaced.
    ///
    /// # Errors
    /// As [`Catalog::put_table`].
    async fn update_table(&self, table: &Table, expect: Expect, archive: Archive) -> Result<Table>;
    /// Lists the versions of a table, the newest first: the current one and those in its history. Empty when the table is
    /// not there.
    async fn table_versions(&self, name: &TableName) -> Result<Vec<Table>>;
    /// Forgets a version of a table; false when it was not there.
    ///
    /// # Errors
    /// `InvalidInput` for the current version.
    async fn drop_table_version(&self, name: &TableName, version: i64) -> Result<bool>;
    /// Lists the statistics of the columns of a table, or of one of its partitions, by name.
    async fn column_statistics(&self, name: &TableName, partition: Option<&[String]>) -> Result<Vec<ColumnStatistics>>;
    /// Keeps the statistics of columns in place of what was kept for them.
    ///
    /// # Errors
    /// `NotFound` when the table or partition is not there.
    async fn put_column_statistics(
        &self,
        name: &TableName,
        partition: Option<&[String]>,
        statistics: &[ColumnStatistics],
    ) -> Result<()>;
    /// Forgets the statistics of a column; false when there were none.
    async fn drop_column_statistics(
        &self,
        name: &TableName,
        partition: Option<&[String]>,
        column: &str,
    ) -> Result<bool>;
}
