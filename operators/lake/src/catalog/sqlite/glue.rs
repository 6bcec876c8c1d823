//! Histories and statistics of the embedded catalog.

use async_trait::async_trait;
use sqlx::{Row as _, SqliteConnection};

use super::{SqliteCatalog, decode, encode, read_partition, read_table};
use crate::catalog::{Archive, Catalog as _, ColumnStatistics, Database, Expect, GlueCatalog, Table, validate};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::sqlite::failed;

/// What stands for the table itself among the values of its partitions: no partition's values encode to it.
const OF_TABLE: &str = "";

#[async_trait]
impl GlueCatalog for SqliteCatalog {
    async fn insert_database(&self, database: &Database) -> Result<()> {
        const OPERATION: &str = "make a database";
        validate::database(database)?;
        let kept = Database { name: database.name.to_lowercase(), created_ms: self.now_ms(), ..database.clone() };
        let done = sqlx::query("INSERT INTO catalog_database (name, body) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(&kept.name)
            .bind(encode(&kept)?)
            .execute(&self.pool)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        if done.rows_affected() == 0 {
            let message = format!("database `{}` is there already", kept.name);
            return Err(Error::new(ErrorKind::AlreadyExists, OPERATION, message));
        }
        Ok(())
    }

    async fn update_database(&self, database: &Database) -> Result<()> {
        const OPERATION: &str = "change a database";
        validate::database(database)?;
        let name = database.name.to_lowercase();
        let mut transaction = self.begin(OPERATION).await?;
        let body: Option<String> = sqlx::query_scalar("SELECT body FROM catalog_database WHERE name = ?")
            .bind(&name)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        let Some(body) = body else {
            return Err(Error::new(ErrorKind::NotFound, OPERATION, format!("database `{name}` is not in the catalog")));
        };
        let old: Database = decode("database", &name, &body)?;
        let kept = Database { name: name.clone(), created_ms: old.created_ms, ..database.clone() };
        sqlx::query("UPDATE catalog_database SET body = ? WHERE name = ?")
            .bind(encode(&kept)?)
            .bind(&name)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        transaction.commit().await.map_err(|error| failed(OPERATION, error))
    }

    async fn update_table(&self, table: &Table, expect: Expect, archive: Archive) -> Result<Table> {
        self.write_checked_table(table, expect, archive).await
    }

    async fn table_versions(&self, name: &TableName) -> Result<Vec<Table>> {
        const OPERATION: &str = "list versions of a table";
        let rows = sqlx::query(
            "SELECT body FROM catalog_table WHERE database_name = ?1 AND name = ?2 \
             UNION ALL SELECT body FROM catalog_table_version WHERE database_name = ?1 AND table_name = ?2",
        )
        .bind(&name.database)
        .bind(&name.table)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(OPERATION, error))?;
        let mut versions: Vec<Table> =
            rows.iter().map(|row| decode("table", &name.to_string(), row.get(0))).collect::<Result<_>>()?;
        versions.sort_by_key(|table| std::cmp::Reverse(table.version));
        Ok(versions)
    }

    async fn drop_table_version(&self, name: &TableName, version: i64) -> Result<bool> {
        const OPERATION: &str = "drop a version of a table";
        if self.table(name).await?.is_some_and(|table| table.version == version) {
            let message = format!("version {version} of table `{name}` is the current one: drop the table instead");
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, message));
        }
        let done =
            sqlx::query("DELETE FROM catalog_table_version WHERE database_name = ? AND table_name = ? AND version = ?")
                .bind(&name.database)
                .bind(&name.table)
                .bind(version)
                .execute(&self.pool)
                .await
                .map_err(|error| failed(OPERATION, error))?;
        Ok(done.rows_affected() > 0)
    }

    async fn column_statistics(&self, name: &TableName, partition: Option<&[String]>) -> Result<Vec<ColumnStatistics>> {
        let rows = sqlx::query(
            "SELECT column_name, body FROM catalog_column_statistics \
             WHERE database_name = ? AND table_name = ? AND partition_values = ? ORDER BY column_name",
        )
        .bind(&name.database)
        .bind(&name.table)
        .bind(key(partition)?)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read statistics of columns", error))?;
        rows.iter()
            .map(|row| {
                let column: String = row.get(0);
                Ok(ColumnStatistics { figures: decode("statistics of column", &column, row.get(1))?, column })
            })
            .collect()
    }

    async fn put_column_statistics(
        &self,
        name: &TableName,
        partition: Option<&[String]>,
        statistics: &[ColumnStatistics],
    ) -> Result<()> {
        const OPERATION: &str = "keep statistics of columns";
        let mut transaction = self.begin(OPERATION).await?;
        require(&mut transaction, name, partition, OPERATION).await?;
        for statistics in statistics {
            sqlx::query(
                "INSERT INTO catalog_column_statistics (database_name, table_name, partition_values, column_name, body) \
                 VALUES (?, ?, ?, ?, ?) ON CONFLICT (database_name, table_name, partition_values, column_name) \
                 DO UPDATE SET body = excluded.body",
            )
            .bind(&name.database)
            .bind(&name.table)
            .bind(key(partition)?)
            .bind(statistics.column.to_lowercase())
            .bind(encode(&statistics.figures)?)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        }
        transaction.commit().await.map_err(|error| failed(OPERATION, error))
    }

    async fn drop_column_statistics(
        &self,
        name: &TableName,
        partition: Option<&[String]>,
        column: &str,
    ) -> Result<bool> {
        let done = sqlx::query(
            "DELETE FROM catalog_column_statistics \
             WHERE database_name = ? AND table_name = ? AND partition_values = ? AND column_name = ?",
        )
        .bind(&name.database)
        .bind(&name.table)
        .bind(key(partition)?)
        .bind(column.to_lowercase())
        .execute(&self.pool)
        .await
        .map_err(|error| failed("drop statistics of a column", error))?;
        Ok(done.rows_affected() > 0)
    }
}

/// Returns the text that names a partition, or the table itself, in the table of statistics.
fn key(partition: Option<&[String]>) -> Result<String> {
    partition.map_or_else(|| Ok(OF_TABLE.to_owned()), encode)
}

/// Refuses what is not in the catalog.
async fn require(
    connection: &mut SqliteConnection,
    name: &TableName,
    partition: Option<&[String]>,
    operation: &'static str,
) -> Result<()> {
    let absent = |what: String| Error::new(ErrorKind::NotFound, operation, format!("{what} is not in the catalog"));
    let table = read_table(connection, name).await?.ok_or_else(|| absent(format!("table `{name}`")))?;
    if let Some(values) = partition
        && read_partition(connection, name, &encode(values)?).await?.is_none()
    {
        return Err(absent(format!("partition {} of table `{name}`", super::describe(&table, values))));
    }
    Ok(())
}
