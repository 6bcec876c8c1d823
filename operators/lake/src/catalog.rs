//! The catalog: databases, tables, partitions and versions, in Glue's model.
//!
//! Names and types are data here; what a type means is in `sql`, what is at a location is in `storage`.

mod aws;
pub mod ddl;
pub mod descriptor;
pub mod detail;
mod history;
mod identity;
mod kind;
mod sqlite;
mod validate;
pub mod view;

use std::fmt::Debug;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};

pub use aws::AwsCatalog;
pub use descriptor::TableFormat;
pub use detail::{PartitionDetail, StorageDetail, TableDetail};
pub use history::{Archive, ColumnStatistics, GlueCatalog};
pub use identity::CatalogIdentity;
pub use kind::TableKind;
pub use sqlite::SqliteCatalog;
pub use view::{ATHENA_CATALOG, View, ViewColumn};

/// The table type of a table whose objects the catalog does not own: all of ours.
pub const EXTERNAL_TABLE: &str = "EXTERNAL_TABLE";

/// The table type of a view.
pub const VIRTUAL_VIEW: &str = "VIRTUAL_VIEW";

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
    /// Free pairs.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, String>,
}

/// How objects are read and written: Glue's storage descriptor without location and columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The input format's class.
    pub input_format: String,
    /// The output format's class.
    pub output_format: String,
    /// The `SerDe`'s class.
    pub serde: String,
    /// The `SerDe`'s parameters.
    pub serde_parameters: IndexMap<String, String>,
    /// Whether objects are compressed.
    pub compressed: bool,
    /// What Glue's descriptor says besides.
    #[serde(default, skip_serializing_if = "detail::is_default")]
    pub detail: StorageDetail,
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
    /// What Glue's model says besides.
    #[serde(default, skip_serializing_if = "detail::is_default")]
    pub detail: TableDetail,
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
    /// What Glue's model says besides.
    #[serde(default, skip_serializing_if = "detail::is_default")]
    pub detail: PartitionDetail,
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

impl Database {
    /// Makes the description of a database without remark, place and parameters.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_lowercase(),
            description: None,
            location: None,
            parameters: IndexMap::new(),
            created_ms: 0,
        }
    }
}

impl Column {
    /// Makes a column without a remark.
    pub fn new(name: &str, hive_type: &str) -> Self {
        Self { name: name.to_lowercase(), hive_type: hive_type.to_owned(), comment: None, parameters: IndexMap::new() }
    }
}

impl Table {
    /// Makes the description of an external table in a format.
    pub fn new(
        name: TableName,
        columns: Vec<Column>,
        partition_keys: Vec<Column>,
        location: Location,
        format: TableFormat,
    ) -> Self {
        Self {
            name,
            table_type: EXTERNAL_TABLE.to_owned(),
            columns,
            partition_keys,
            location: Some(location.into_prefix()),
            storage: format.storage(),
            parameters: IndexMap::from([
                ("EXTERNAL".to_owned(), "TRUE".to_owned()),
                ("classification".to_owned(), format.classification().to_owned()),
            ]),
            view_text: None,
            detail: TableDetail::default(),
            created_ms: 0,
            updated_ms: 0,
            version: 0,
        }
    }

    /// Tells whether it is a view.
    pub fn is_view(&self) -> bool {
        self.table_type == VIRTUAL_VIEW
    }

    /// Returns the pairs of keys and values of a partition.
    pub fn pairs<'a>(&'a self, values: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.partition_keys.iter().zip(values).map(|(key, value)| (key.name.as_str(), value.as_str()))
    }

    /// Returns where Hive would put a partition: `LOCATION/key=value/…`.
    ///
    /// # Errors
    /// `InvalidInput` for a view, or a value that must not come near a path.
    pub fn hive_location(&self, values: &[String]) -> Result<Location> {
        let location = self.location.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "place a partition",
                format!("`{}` is a view: it has no location", self.name),
            )
        })?;
        location.as_prefix().join(&crate::name::hive_path(self.pairs(values))?)
    }

    /// Makes the description of a partition as a copy of the table's columns and format.
    ///
    /// The table's parameters are not copied: its counts and statistics are not the partition's.
    pub fn new_partition(&self, values: PartitionValues, location: Location) -> Partition {
        Partition {
            values,
            columns: self.columns.clone(),
            location: location.into_prefix(),
            storage: self.storage.clone(),
            parameters: IndexMap::new(),
            detail: PartitionDetail::default(),
            created_ms: 0,
            version: 0,
        }
    }

    /// Puts the values of partition keys, given by name, into the order of the table's keys.
    ///
    /// # Errors
    /// `InvalidInput` that names every missing and every extra key, and every value that cannot be used.
    pub fn partition_values(&self, pairs: &IndexMap<String, String>) -> Result<PartitionValues> {
        validate::partition_values(self, pairs)
    }

    /// Refuses partition keys that are not those of the table; their values are not looked at.
    ///
    /// # Errors
    /// `InvalidInput` that names every missing and every extra key.
    pub fn check_partition_keys(&self, pairs: &IndexMap<String, String>) -> Result<()> {
        validate::partition_keys(self, pairs)
    }
}

/// A catalog. Every call is atomic: readers see the state before or after it. On Glue, which has no call for it,
/// [`Catalog::replace_table`] takes several (see `catalog/aws/replace.rs`).
#[async_trait]
pub trait Catalog: Debug + Send + Sync + 'static {
    /// Returns which catalog it is: the same for all who use it, from whatever machine and place, and another one for every other
    /// catalog. None of one that was never asked to be known by anything: looking gives it no id.
    async fn identity(&self) -> Result<Option<CatalogIdentity>>;
    /// The same, of one that is known by its id from now on.
    ///
    /// # Errors
    /// `PermissionDenied` where nothing can be written and there is none.
    async fn make_identity(&self) -> Result<CatalogIdentity>;
    /// Lists the databases by name.
    async fn databases(&self) -> Result<Vec<Database>>;
    /// Returns a database.
    async fn database(&self, name: &str) -> Result<Option<Database>>;
    /// Makes a database unless it is there; one that is there stays as it is.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is none.
    async fn create_database(&self, database: &Database) -> Result<()>;
    /// Drops an empty database; false when it was not there.
    ///
    /// # Errors
    /// `Conflict` when it still has tables.
    async fn drop_database(&self, name: &str) -> Result<bool>;
    /// Lists the tables of a database by name; none when the database is not there.
    async fn tables(&self, database: &str) -> Result<Vec<Table>>;
    /// Returns a table.
    async fn table(&self, name: &TableName) -> Result<Option<Table>>;
    /// Makes or replaces a table; returns it as kept. A replaced table keeps its partitions.
    ///
    /// # Errors
    /// As [`Expect`] says; `NotFound` when the database is not there; `InvalidInput` for names that are none, two columns of
    /// one name, or partition keys that change while there are partitions.
    async fn put_table(&self, table: &Table, expect: Expect) -> Result<Table>;
    /// Makes or replaces a table together with its partitions, in one step: those that it had before are gone, whatever its
    /// keys were. Returns the table as kept. A call that was stopped between the steps that Glue needs is completed by the
    /// same call.
    ///
    /// # Errors
    /// As [`Expect`] says, of the table; `NotFound` when the database is not there; `InvalidInput` for names that are none,
    /// two columns of one name, partitions whose values do not fit the keys, or two partitions of the same values.
    async fn replace_table(&self, table: &Table, partitions: &[Partition], expect: Expect) -> Result<Table>;
    /// Drops a table with its partitions; false when it was not there.
    async fn drop_table(&self, name: &TableName) -> Result<bool>;
    /// Returns a partition.
    async fn partition(&self, name: &TableName, values: &[String]) -> Result<Option<Partition>>;
    /// Lists the partitions in the order of their values; none of a table that is not there.
    async fn partitions(&self, name: &TableName) -> Result<Vec<Partition>>;
    /// Makes or replaces a partition; returns it as kept.
    ///
    /// # Errors
    /// As [`Expect`] says; `NotFound` when the table is not there; `InvalidInput` when the values are not as many as the keys
    /// or cannot be used.
    async fn put_partition(&self, name: &TableName, partition: &Partition, expect: Expect) -> Result<Partition>;
    /// Makes or replaces partitions of a table; returns them as kept. A catalog that can does it in one step; this way is one
    /// after the other, each atomic.
    ///
    /// # Errors
    /// As [`Catalog::put_partition`], of the first that is refused. What was put before it stays, unless it is done in one step.
    async fn put_partitions(&self, name: &TableName, partitions: &[(Partition, Expect)]) -> Result<Vec<Partition>> {
        let mut kept = Vec::with_capacity(partitions.len());
        for (partition, expect) in partitions {
            kept.push(self.put_partition(name, partition, *expect).await?);
        }
        Ok(kept)
    }
    /// Drops a partition; false when it was not there.
    async fn drop_partition(&self, name: &TableName, values: &[String]) -> Result<bool>;
    /// Drops partitions of a table; returns how many were there. A catalog that can does it in one step.
    async fn drop_partitions(&self, name: &TableName, partitions: &[PartitionValues]) -> Result<usize> {
        let mut dropped = 0;
        for values in partitions {
            dropped += usize::from(self.drop_partition(name, values).await?);
        }
        Ok(dropped)
    }
}
