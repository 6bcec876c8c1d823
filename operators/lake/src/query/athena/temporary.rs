//! Tables that are in the catalog for one query alone: a version that is not published yet, for the checks on it.
//!
//! Athena reads what the catalog names, so a query that shall see other tables gets external tables under names of its own, in
//! the database of the target. The names are made of the query's token: a repeated start finds them. They go when the query
//! has ended; those that a process left which never came back are swept after a day by the next check in that database.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::rewrite::{Rewritten, rewrite};
use crate::catalog::{Catalog, Database, Expect, Partition, Table};
use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{ErrorKind, Result};
use crate::name::TableName;
use crate::publish::version::hex;
use crate::query::{Query, QueryTable};

/// What the names begin with.
pub(in crate::query) const PREFIX: &str = "suiro_temporary_";

/// After how long a table is taken for one that was left: no query of Athena runs that long
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>: at most 240 minutes).
const LEFT: Duration = Duration::from_hours(24);

/// Makes and drops the tables of queries.
#[derive(Debug)]
pub(in crate::query) struct TemporaryTables {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    crash_points: CrashPoints,
    /// The databases that this process has swept.
    swept: Mutex<HashSet<String>>,
}

/// A query with the tables that it alone sees put in their places.
#[derive(Debug)]
pub(in crate::query) struct WithTables {
    /// The statement.
    pub(in crate::query) rewritten: Rewritten,
    /// The tables to make, under their temporary names.
    tables: Vec<QueryTable>,
}

impl WithTables {
    /// Rewrites the statement of a query. Nothing is made.
    ///
    /// # Errors
    /// Those of the parser.
    pub(in crate::query) fn of(query: &Query) -> Result<Self> {
        if query.tables.is_empty() {
            return Ok(Self { rewritten: Rewritten::unchanged(&query.sql), tables: Vec::new() });
        }
        // The same version under two names is one table.
        let same = |one: &QueryTable, other: &QueryTable| {
            one.table.location == other.table.location && one.partitions == other.partitions
        };
        let index_of = |name: &TableName| {
            let asked = query.tables.iter().find(|own| own.table.name == *name)?;
            query.tables.iter().position(|own| same(own, asked))
        };
        let named = |index: usize| {
            let database = &query.tables.get(index)?.table.name.database;
            TableName::new(database, &name(&query.token, index)).ok()
        };
        let rewritten = rewrite(&query.sql, query.database.as_deref(), |name| named(index_of(name)?))?;
        let mut indexes: Vec<usize> = rewritten.named.iter().filter_map(index_of).collect();
        indexes.sort_unstable();
        indexes.dedup();
        let tables = indexes
            .into_iter()
            .filter_map(|index| {
                let QueryTable { table, partitions } = query.tables.get(index)?.clone();
                Some(QueryTable { table: Table { name: named(index)?, ..table }, partitions })
            })
            .collect();
        Ok(Self { rewritten, tables })
    }

    /// Returns the names of the tables.
    pub(in crate::query) fn names(&self) -> Vec<TableName> {
        self.tables.iter().map(|own| own.table.name.clone()).collect()
    }
}

impl TemporaryTables {
    pub(in crate::query) fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>, crash_points: CrashPoints) -> Self {
        Self { catalog, clock, crash_points, swept: Mutex::default() }
    }

    /// Makes the tables of a query, and their database where it is not there; tables that are there already are made anew.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(in crate::query) async fn make(&self, with: &WithTables) -> Result<()> {
        for QueryTable { table, partitions } in &with.tables {
            self.sweep(&table.name.database).await?;
            let made = self.make_one(table, partitions);
            self.crash_points.around("aws: make a temporary table", made).await?;
        }
        Ok(())
    }

    /// Makes the databases of tables that a query makes itself, where they are not there, and sweeps them.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(in crate::query) async fn make_databases(&self, names: &[TableName]) -> Result<()> {
        for TableName { database, .. } in names {
            if self.catalog.database(database).await?.is_none() {
                let database = Database::new(database);
                let made = self.catalog.create_database(&database);
                self.crash_points.around("aws: make the database of temporary tables", made).await?;
            }
            self.sweep(database).await?;
        }
        Ok(())
    }

    async fn make_one(&self, table: &Table, partitions: &[Partition]) -> Result<()> {
        let table = Table { created_ms: 0, updated_ms: 0, version: 0, ..table.clone() };
        let partitions: Vec<Partition> =
            partitions.iter().map(|partition| Partition { created_ms: 0, version: 0, ..partition.clone() }).collect();
        match self.catalog.replace_table(&table, &partitions, Expect::Any).await {
            // The first version of a first table: its database is made when it is published, its checks come before.
            Err(error) if error.kind == ErrorKind::NotFound => {
                let database = Database::new(&table.name.database);
                let made = self.catalog.create_database(&database);
                self.crash_points.around("aws: make the database of temporary tables", made).await?;
                self.catalog.replace_table(&table, &partitions, Expect::Any).await.map(|_kept| ())
            }
            made => made.map(|_kept| ()),
        }
    }

    /// Drops tables; those that are gone already are passed over. What cannot be dropped is swept later.
    ///
    /// # Errors
    /// Those of crash points alone.
    pub(in crate::query) async fn drop(&self, names: &[TableName]) -> Result<()> {
        for name in names.iter().filter(|name| name.table.starts_with(PREFIX)) {
            let dropped = self.crash_points.around("aws: drop a temporary table", self.catalog.drop_table(name)).await;
            match dropped {
                Ok(_was_there) => {}
                Err(error) if error.kind == ErrorKind::Canceled => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, table = %name, "a temporary table could not be dropped: it is swept later");
                }
            }
        }
        Ok(())
    }

    /// Drops the tables in a database that nobody came back for; once a process.
    async fn sweep(&self, database: &str) -> Result<()> {
        if !self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(database.to_owned()) {
            return Ok(());
        }
        let oldest = self.clock.now().as_millisecond() - i64::try_from(LEFT.as_millis()).unwrap_or(i64::MAX);
        match self.catalog.tables(database).await {
            Ok(tables) => {
                let left = tables.into_iter().filter(|table| table.name.table.starts_with(PREFIX));
                let left: Vec<TableName> =
                    left.filter(|table| table.created_ms < oldest).map(|table| table.name).collect();
                self.drop(&left).await
            }
            Err(error) => {
                tracing::warn!(%error, database, "temporary tables could not be looked for");
                Ok(())
            }
        }
    }
}

/// Names the table that a query writes its rows through.
///
/// # Errors
/// `InvalidInput` for a database that cannot be one.
pub(super) fn written_through(database: &str, token: &str) -> Result<TableName> {
    let mut hash = hex(&Sha256::digest(token.as_bytes()));
    hash.truncate(24);
    TableName::new(database, &format!("{PREFIX}{hash}_written"))
}

/// Names the table of a query.
fn name(token: &str, index: usize) -> String {
    let mut hash = hex(&Sha256::digest(token.as_bytes()));
    hash.truncate(24);
    format!("{PREFIX}{hash}_{index}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Column, SqliteCatalog, TableFormat};
    use crate::clock::ManualClock;
    use crate::name::Location;

    fn query(sql: &str) -> Query {
        let location = Location::parse("s3://b/v/").unwrap();
        let columns = vec![Column::new("n", "bigint")];
        let keys = vec![Column::new("dt", "string")];
        let make = |name: &str| {
            let name = TableName::new("web", name).unwrap();
            let table = Table::new(name, columns.clone(), keys.clone(), location.clone(), TableFormat::Parquet);
            let partitions = vec![table.new_partition(vec!["2026-01-02".to_owned()], location.clone())];
            QueryTable { table, partitions }
        };
        Query { tables: vec![make("daily"), make("new_version")], ..Query::new(sql, Some("web"), "a token") }
    }

    #[test]
    fn two_names_of_a_version_are_one_table() {
        let with = WithTables::of(&query("SELECT * FROM new_version a JOIN daily b USING (n)")).unwrap();
        let names: Vec<String> = with.names().iter().map(ToString::to_string).collect();
        let name = name("a token", 0);
        assert_eq!(names, [format!("web.{name}")]);
        assert_eq!(
            with.rewritten.sql,
            format!("SELECT * FROM \"web\".\"{name}\" a JOIN \"web\".\"{name}\" b USING (n)")
        );
        assert!(WithTables::of(&query("SELECT 1")).unwrap().names().is_empty(), "what is not read is not made");
    }

    #[tokio::test]
    async fn tables_are_made_dropped_and_swept() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1000)));
        let pool = crate::sqlite::open(&folder.path().join("catalog.sqlite")).await.unwrap();
        let catalog: Arc<dyn Catalog> =
            Arc::new(SqliteCatalog::open(pool, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap());
        catalog.create_database(&Database::new("web")).await.unwrap();
        let tables =
            || TemporaryTables::new(Arc::clone(&catalog), Arc::clone(&clock) as Arc<dyn Clock>, CrashPoints::default());
        let first = tables();
        let with = WithTables::of(&query("SELECT * FROM new_version")).unwrap();
        first.make(&with).await.unwrap();
        first.make(&with).await.unwrap();
        let name = &with.names()[0];
        assert_eq!(catalog.partitions(name).await.unwrap().len(), 1);
        first.drop(&with.names()).await.unwrap();
        first.drop(&with.names()).await.unwrap();
        assert_eq!(catalog.table(name).await.unwrap(), None);

        // One that is left, and one that only looks like it.
        first.make(&with).await.unwrap();
        let own = Table { name: TableName::new("web", "own").unwrap(), ..query("").tables.remove(0).table };
        catalog.put_table(&own, Expect::Absent).await.unwrap();
        clock.advance(LEFT / 2);
        let other = WithTables::of(&Query { token: "other".to_owned(), ..query("SELECT * FROM daily") }).unwrap();
        tables().make(&other).await.unwrap();
        assert!(catalog.table(name).await.unwrap().is_some(), "it may be in use");
        clock.advance(LEFT);
        first.drop(&other.names()).await.unwrap();
        tables().make(&other).await.unwrap();
        assert_eq!(catalog.table(name).await.unwrap(), None);
        assert!(catalog.table(&own.name).await.unwrap().is_some());
    }
}
