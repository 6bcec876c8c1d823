//! The embedded catalog: Glue's model in `SQLite`, one transaction a call.

mod glue;
mod identity;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};

use super::{Archive, Catalog, CatalogIdentity, Column, Database, Expect, Partition, PartitionValues, Table, validate};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::sqlite::{failed, undecodable};

const PUT_PARTITION: &str = "write a partition";

/// The database that is always there, as in Athena.
const DEFAULT_DATABASE: &str = "default";

/// A catalog in a `SQLite` file.
#[derive(Debug, Clone)]
pub struct SqliteCatalog {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl SqliteCatalog {
    /// Opens the catalog of a lake; the database `default` is there afterwards.
    pub(crate) async fn open(pool: SqlitePool, clock: Arc<dyn Clock>) -> Result<Self> {
        let catalog = Self { pool, clock };
        let file = catalog.pool.connect_options().get_filename().display().to_string();
        let is_there = sqlx::query("SELECT 1 FROM catalog_database WHERE name = ?")
            .bind(DEFAULT_DATABASE)
            .fetch_optional(&catalog.pool)
            .await
            .map_err(|error| failed("open the catalog", error).with("path", file.clone()))?;
        // Who only opens it waits for no writer.
        if is_there.is_none() {
            let made = catalog.put_database(&Database::new(DEFAULT_DATABASE), "open the catalog").await;
            made.map_err(|error| error.with("path", file))?;
        }
        Ok(catalog)
    }

    /// Makes a database unless it is there.
    async fn put_database(&self, database: &Database, operation: &'static str) -> Result<()> {
        let kept = Database { name: database.name.to_lowercase(), created_ms: self.now_ms(), ..database.clone() };
        sqlx::query("INSERT INTO catalog_database (name, body) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(&kept.name)
            .bind(encode(&kept)?)
            .execute(&self.pool)
            .await
            .map_err(|error| failed(operation, error))?;
        Ok(())
    }

    /// Takes a catalog that is there as it is.
    pub(crate) fn to_look(pool: SqlitePool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// Opens the catalog in the state of a lake: beside the lake's own catalog, for who serves it to others.
    ///
    /// # Errors
    /// As [`crate::Lake::open`].
    pub async fn open_in(state_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open(crate::sqlite::open(&state_dir.join(crate::sqlite::FILE)).await?, clock).await
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    async fn begin(&self, operation: &'static str) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(operation, error))
    }

    /// Makes or replaces a table, and keeps or forgets the version that it replaces.
    async fn write_checked_table(&self, table: &Table, expect: Expect, archive: Archive) -> Result<Table> {
        const OPERATION: &str = "write a table";
        validate::table(table)?;
        let name = &table.name;
        let mut transaction = self.begin(OPERATION).await?;
        let old = replaceable(&mut transaction, name, expect, OPERATION).await?;
        if let Some(old) = old.as_ref().filter(|old| !same_keys(&old.partition_keys, &table.partition_keys)) {
            let partitions: i64 =
                sqlx::query_scalar("SELECT count(*) FROM catalog_partition WHERE database_name = ? AND table_name = ?")
                    .bind(&name.database)
                    .bind(&name.table)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(|error| failed(OPERATION, error))?;
            if partitions > 0 {
                let names = |table: &Table| {
                    table.partition_keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(", ")
                };
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!(
                        "table `{name}` has {partitions} partitions: its keys ({}) cannot become ({})",
                        names(old),
                        names(table)
                    ),
                ));
            }
        }
        if let Some(old) = old.as_ref().filter(|_| archive == Archive::Keep) {
            sqlx::query(
                "INSERT INTO catalog_table_version (database_name, table_name, version, body) VALUES (?, ?, ?, ?)",
            )
            .bind(&name.database)
            .bind(&name.table)
            .bind(old.version)
            .bind(encode(old)?)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        }
        let kept = self.write_table(&mut transaction, table, old.as_ref(), OPERATION).await?;
        transaction.commit().await.map_err(|error| failed(OPERATION, error))?;
        Ok(kept)
    }

    /// Writes a table in place of `old`, and returns it as kept.
    async fn write_table(
        &self,
        connection: &mut SqliteConnection,
        table: &Table,
        old: Option<&Table>,
        operation: &'static str,
    ) -> Result<Table> {
        let now_ms = self.now_ms();
        let kept = Table {
            created_ms: old.map_or(now_ms, |old| old.created_ms),
            updated_ms: now_ms,
            version: next_version(connection, operation).await?,
            ..table.clone()
        };
        sqlx::query(
            "INSERT INTO catalog_table (database_name, name, version, body) VALUES (?, ?, ?, ?) \
             ON CONFLICT (database_name, name) DO UPDATE SET version = excluded.version, body = excluded.body",
        )
        .bind(&kept.name.database)
        .bind(&kept.name.table)
        .bind(kept.version)
        .bind(encode(&kept)?)
        .execute(connection)
        .await
        .map_err(|error| failed(operation, error))?;
        Ok(kept)
    }

    /// Makes or replaces a partition, if it is as expected, and returns it as kept.
    async fn put_one(
        &self,
        connection: &mut SqliteConnection,
        table: &Table,
        partition: &Partition,
        expect: Expect,
    ) -> Result<Partition> {
        validate::partition(table, partition)?;
        let old = read_partition(connection, &table.name, &encode(&partition.values)?).await?;
        let what = || format!("partition {} of table `{}`", describe(table, &partition.values), table.name);
        guard(expect, old.as_ref().map(|old| old.version), what, PUT_PARTITION)?;
        self.write_partition(connection, &table.name, partition, old.as_ref(), PUT_PARTITION).await
    }

    /// Writes a partition in place of `old`, and returns it as kept.
    async fn write_partition(
        &self,
        connection: &mut SqliteConnection,
        name: &TableName,
        partition: &Partition,
        old: Option<&Partition>,
        operation: &'static str,
    ) -> Result<Partition> {
        let kept = Partition {
            created_ms: old.map_or_else(|| self.now_ms(), |old| old.created_ms),
            version: next_version(connection, operation).await?,
            ..partition.clone()
        };
        sqlx::query(
            "INSERT INTO catalog_partition (database_name, table_name, partition_values, version, body) \
             VALUES (?, ?, ?, ?, ?) ON CONFLICT (database_name, table_name, partition_values) \
             DO UPDATE SET version = excluded.version, body = excluded.body",
        )
        .bind(&name.database)
        .bind(&name.table)
        .bind(encode(&kept.values)?)
        .bind(kept.version)
        .bind(encode(&kept)?)
        .execute(connection)
        .await
        .map_err(|error| failed(operation, error))?;
        Ok(kept)
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn identity(&self) -> Result<Option<CatalogIdentity>> {
        self.read_identity().await
    }

    async fn make_identity(&self) -> Result<CatalogIdentity> {
        self.put_identity().await
    }

    async fn databases(&self) -> Result<Vec<Database>> {
        let rows = sqlx::query("SELECT name, body FROM catalog_database ORDER BY name")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| failed("list databases", error))?;
        rows.iter().map(|row| decode("database", row.get(0), row.get(1))).collect()
    }

    async fn database(&self, name: &str) -> Result<Option<Database>> {
        let name = name.to_lowercase();
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM catalog_database WHERE name = ?")
            .bind(&name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| failed("read a database", error))?;
        body.map(|body| decode("database", &name, &body)).transpose()
    }

    async fn create_database(&self, database: &Database) -> Result<()> {
        validate::database(database)?;
        self.put_database(database, "make a database").await
    }

    async fn drop_database(&self, name: &str) -> Result<bool> {
        const OPERATION: &str = "drop a database";
        let name = name.to_lowercase();
        let mut transaction = self.begin(OPERATION).await?;
        let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM catalog_table WHERE database_name = ?")
            .bind(&name)
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        if tables > 0 {
            return Err(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                format!("database `{name}` is not empty: it has {tables} tables"),
            ));
        }
        let done = sqlx::query("DELETE FROM catalog_database WHERE name = ?")
            .bind(&name)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        transaction.commit().await.map_err(|error| failed(OPERATION, error))?;
        Ok(done.rows_affected() > 0)
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let rows = sqlx::query("SELECT name, body FROM catalog_table WHERE database_name = ? ORDER BY name")
            .bind(database.to_lowercase())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| failed("list tables", error))?;
        rows.iter().map(|row| decode("table", row.get(0), row.get(1))).collect()
    }

    async fn table(&self, name: &TableName) -> Result<Option<Table>> {
        let mut connection = self.pool.acquire().await.map_err(|error| failed("read a table", error))?;
        read_table(&mut connection, name).await
    }

    async fn put_table(&self, table: &Table, expect: Expect) -> Result<Table> {
        self.write_checked_table(table, expect, Archive::Skip).await
    }

    async fn replace_table(&self, table: &Table, partitions: &[Partition], expect: Expect) -> Result<Table> {
        const OPERATION: &str = "replace a table";
        validate::table(table)?;
        let mut seen = HashSet::new();
        for partition in partitions {
            validate::partition(table, partition)?;
            if !seen.insert(&partition.values) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    OPERATION,
                    format!("table `{}` has two partitions {}", table.name, describe(table, &partition.values)),
                ));
            }
        }
        let name = &table.name;
        let mut transaction = self.begin(OPERATION).await?;
        let old = replaceable(&mut transaction, name, expect, OPERATION).await?;
        let kept = self.write_table(&mut transaction, table, old.as_ref(), OPERATION).await?;
        sqlx::query("DELETE FROM catalog_partition WHERE database_name = ? AND table_name = ?")
            .bind(&name.database)
            .bind(&name.table)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        for partition in partitions {
            self.write_partition(&mut transaction, name, partition, None, OPERATION).await?;
        }
        transaction.commit().await.map_err(|error| failed(OPERATION, error))?;
        Ok(kept)
    }

    async fn drop_table(&self, name: &TableName) -> Result<bool> {
        // Its partitions go with it by the foreign key.
        let done = sqlx::query("DELETE FROM catalog_table WHERE database_name = ? AND name = ?")
            .bind(&name.database)
            .bind(&name.table)
            .execute(&self.pool)
            .await
            .map_err(|error| failed("drop a table", error))?;
        Ok(done.rows_affected() > 0)
    }

    async fn partition(&self, name: &TableName, values: &[String]) -> Result<Option<Partition>> {
        let mut connection = self.pool.acquire().await.map_err(|error| failed("read a partition", error))?;
        read_partition(&mut connection, name, &encode(values)?).await
    }

    async fn partitions(&self, name: &TableName) -> Result<Vec<Partition>> {
        let rows = sqlx::query(
            "SELECT partition_values, body FROM catalog_partition WHERE database_name = ? AND table_name = ?",
        )
        .bind(&name.database)
        .bind(&name.table)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("list partitions", error))?;
        let mut partitions: Vec<Partition> =
            rows.iter().map(|row| decode("partition", row.get(0), row.get(1))).collect::<Result<_>>()?;
        partitions.sort_by(|left, right| left.values.cmp(&right.values));
        Ok(partitions)
    }

    async fn put_partition(&self, name: &TableName, partition: &Partition, expect: Expect) -> Result<Partition> {
        let mut transaction = self.begin(PUT_PARTITION).await?;
        let table = partitioned(&mut transaction, name).await?;
        let kept = self.put_one(&mut transaction, &table, partition, expect).await?;
        transaction.commit().await.map_err(|error| failed(PUT_PARTITION, error))?;
        Ok(kept)
    }

    async fn put_partitions(&self, name: &TableName, partitions: &[(Partition, Expect)]) -> Result<Vec<Partition>> {
        let mut transaction = self.begin(PUT_PARTITION).await?;
        let table = partitioned(&mut transaction, name).await?;
        let mut kept = Vec::with_capacity(partitions.len());
        for (partition, expect) in partitions {
            kept.push(self.put_one(&mut transaction, &table, partition, *expect).await?);
        }
        transaction.commit().await.map_err(|error| failed(PUT_PARTITION, error))?;
        Ok(kept)
    }

    async fn drop_partition(&self, name: &TableName, values: &[String]) -> Result<bool> {
        Ok(self.drop_partitions(name, &[values.to_vec()]).await? > 0)
    }

    async fn drop_partitions(&self, name: &TableName, partitions: &[PartitionValues]) -> Result<usize> {
        const OPERATION: &str = "drop a partition";
        let mut transaction = self.begin(OPERATION).await?;
        let mut dropped = 0;
        for values in partitions {
            let done = sqlx::query(
                "DELETE FROM catalog_partition WHERE database_name = ? AND table_name = ? AND partition_values = ?",
            )
            .bind(&name.database)
            .bind(&name.table)
            .bind(encode(values)?)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
            dropped += usize::from(done.rows_affected() > 0);
        }
        transaction.commit().await.map_err(|error| failed(OPERATION, error))?;
        Ok(dropped)
    }
}

/// Returns the table whose partitions are to be put.
async fn partitioned(connection: &mut SqliteConnection, name: &TableName) -> Result<Table> {
    read_table(connection, name)
        .await?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, PUT_PARTITION, format!("table `{name}` is not in the catalog")))
}

/// Returns the table that a put replaces, if there is one, and refuses a put that does not find what it expects.
async fn replaceable(
    connection: &mut SqliteConnection,
    name: &TableName,
    expect: Expect,
    operation: &'static str,
) -> Result<Option<Table>> {
    let database: Option<i64> = sqlx::query_scalar("SELECT 1 FROM catalog_database WHERE name = ?")
        .bind(&name.database)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| failed(operation, error))?;
    if database.is_none() {
        return Err(Error::new(
            ErrorKind::NotFound,
            operation,
            format!("database `{}` is not in the catalog", name.database),
        ));
    }
    let old = read_table(connection, name).await?;
    guard(expect, old.as_ref().map(|old| old.version), || format!("table `{name}`"), operation)?;
    Ok(old)
}

async fn read_table(connection: &mut SqliteConnection, name: &TableName) -> Result<Option<Table>> {
    let body: Option<String> =
        sqlx::query_scalar("SELECT body FROM catalog_table WHERE database_name = ? AND name = ?")
            .bind(&name.database)
            .bind(&name.table)
            .fetch_optional(connection)
            .await
            .map_err(|error| failed("read a table", error))?;
    body.map(|body| decode("table", &name.to_string(), &body)).transpose()
}

async fn read_partition(connection: &mut SqliteConnection, name: &TableName, key: &str) -> Result<Option<Partition>> {
    let body: Option<String> = sqlx::query_scalar(
        "SELECT body FROM catalog_partition WHERE database_name = ? AND table_name = ? AND partition_values = ?",
    )
    .bind(&name.database)
    .bind(&name.table)
    .bind(key)
    .fetch_optional(connection)
    .await
    .map_err(|error| failed("read a partition", error))?;
    body.map(|body| decode("partition", key, &body)).transpose()
}

async fn next_version(connection: &mut SqliteConnection, operation: &'static str) -> Result<i64> {
    sqlx::query_scalar("UPDATE catalog_version SET latest = latest + 1 RETURNING latest")
        .fetch_one(connection)
        .await
        .map_err(|error| failed(operation, error))
}

/// Refuses a put that does not find what it expects.
pub(super) fn guard(
    expect: Expect,
    found: Option<i64>,
    what: impl Fn() -> String,
    operation: &'static str,
) -> Result<()> {
    match (expect, found) {
        (Expect::Any, _) | (Expect::Absent, None) => Ok(()),
        (Expect::Absent, Some(_)) => {
            Err(Error::new(ErrorKind::AlreadyExists, operation, format!("{} is there already", what())))
        }
        (Expect::Version(expected), Some(found)) if expected == found => Ok(()),
        (Expect::Version(expected), Some(found)) => Err(Error::new(
            ErrorKind::Conflict,
            operation,
            format!("{} was changed by another writer: expected version {expected}, found version {found}", what()),
        )),
        (Expect::Version(expected), None) => Err(Error::new(
            ErrorKind::NotFound,
            operation,
            format!("{} was dropped by another writer: expected version {expected}, found none", what()),
        )),
    }
}

/// Tells whether partition keys are the same to the partitions that have values for them: remarks may differ.
pub(super) fn same_keys(left: &[Column], right: &[Column]) -> bool {
    let what = |column: &Column| (column.name.clone(), column.hive_type.clone());
    left.iter().map(what).eq(right.iter().map(what))
}

pub(super) fn describe(table: &Table, values: &[String]) -> String {
    let pairs: Vec<String> = table.pairs(values).map(|(key, value)| format!("{key}={value}")).collect();
    format!("`{}`", pairs.join("/"))
}

fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "write the catalog", "the description cannot be written as JSON")
            .source(error)
    })
}

fn decode<T: serde::de::DeserializeOwned>(what: &'static str, name: &str, body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| undecodable(what, name, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{GlueCatalog as _, TableFormat};
    use crate::clock::ManualClock;
    use crate::name::Location;

    /// Makes the description of a table partitioned by `dt` in the database `default`.
    fn table(name: &str) -> Table {
        Table::new(
            TableName::new("default", name).unwrap(),
            vec![Column::new("a", "bigint")],
            vec![Column::new("dt", "string")],
            Location::parse(&format!("s3://b/{name}/")).unwrap(),
            TableFormat::Parquet,
        )
    }

    async fn memory() -> SqliteCatalog {
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::from_second(1_700_000_000).unwrap()));
        SqliteCatalog::open(crate::sqlite::open_memory().await.unwrap(), clock).await.unwrap()
    }

    #[tokio::test]
    async fn several_partitions_are_put_together_or_not_at_all() {
        let catalog = memory().await;
        let table = crate::catalog::Table::new(
            TableName::new("default", "t").unwrap(),
            vec![crate::catalog::Column::new("a", "bigint")],
            vec![crate::catalog::Column::new("dt", "string")],
            crate::name::Location::parse("s3://b/t/").unwrap(),
            crate::catalog::TableFormat::Parquet,
        );
        let table = catalog.put_table(&table, Expect::Absent).await.unwrap();
        let new = |day: &str| {
            let values = vec![day.to_owned()];
            table.new_partition(values.clone(), table.hive_location(&values).unwrap())
        };
        catalog.put_partition(&table.name, &new("b"), Expect::Absent).await.unwrap();
        let puts = [(new("a"), Expect::Absent), (new("b"), Expect::Absent), (new("c"), Expect::Absent)];
        let error = catalog.put_partitions(&table.name, &puts).await.unwrap_err();
        assert_eq!(error.message, "partition `dt=b` of table `default.t` is there already");
        assert_eq!(catalog.partitions(&table.name).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_catalog_of_the_first_form_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        let pool = crate::sqlite::open(&file).await.unwrap();
        let first = SqliteCatalog::open(pool.clone(), Arc::clone(&clock)).await.unwrap();
        let table = first.put_table(&table("kept"), Expect::Absent).await.unwrap();
        // As the first form was: without histories and statistics.
        sqlx::raw_sql(
            "DROP TABLE catalog_table_version; DROP TABLE catalog_column_statistics; PRAGMA user_version = 1",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let second = SqliteCatalog::open_in(folder.path(), clock).await.unwrap();
        assert_eq!(second.table_versions(&table.name).await.unwrap(), std::slice::from_ref(&table));
        let changed = second.update_table(&table, Expect::Version(table.version), Archive::Keep).await.unwrap();
        assert_eq!(second.table_versions(&table.name).await.unwrap(), [changed, table]);
    }

    #[tokio::test]
    async fn it_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/catalog.sqlite");
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        let first = SqliteCatalog::open(crate::sqlite::open(&file).await.unwrap(), Arc::clone(&clock)).await.unwrap();
        let table = first.put_table(&table("kept"), Expect::Absent).await.unwrap();
        drop(first);
        let second = SqliteCatalog::open(crate::sqlite::open(&file).await.unwrap(), clock).await.unwrap();
        assert_eq!(second.table(&table.name).await.unwrap(), Some(table));
    }

    #[tokio::test]
    async fn a_file_that_is_no_catalog_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.sqlite");
        std::fs::write(&file, vec![b'x'; 8192]).unwrap();
        let error = crate::sqlite::open(&file).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert!(error.to_string().contains(&file.display().to_string()));
    }

    #[tokio::test]
    async fn a_row_that_cannot_be_read_harms_only_itself() {
        let catalog = memory().await;
        catalog.put_table(&table("good"), Expect::Absent).await.unwrap();
        sqlx::query("INSERT INTO catalog_table VALUES ('default', 'bad', 99, '{')")
            .execute(&catalog.pool)
            .await
            .unwrap();
        let bad = catalog.table(&TableName::new("default", "bad").unwrap()).await.unwrap_err();
        assert_eq!(bad.kind, ErrorKind::InvalidData);
        assert!(catalog.table(&TableName::new("default", "good").unwrap()).await.unwrap().is_some());
    }
}
