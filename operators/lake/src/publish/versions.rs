//! The ledger of versions: every version prefix has a row before its first byte, so that nothing suiro wrote is forgotten,
//! and a tombstone when it may go.

use std::sync::Arc;

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row as _, SqliteConnection};

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{Location, TableName};
use crate::sqlite::failed;

/// How far a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It is being written, or waits to be published.
    Writing,
    /// The catalog points (or is about to point) to it.
    Published,
    /// Another version took its place; it goes after the retention.
    Retired,
    /// It will never be published; it goes at once.
    Abandoned,
    /// It was found on S3 without a row in this ledger, and nobody points to it; it goes after the retention.
    Lost,
    /// Its objects are being deleted: nobody can point to it any more.
    Collecting,
}

impl VersionState {
    fn word(self) -> &'static str {
        match self {
            Self::Writing => "writing",
            Self::Published => "published",
            Self::Retired => "retired",
            Self::Abandoned => "abandoned",
            Self::Lost => "lost",
            Self::Collecting => "collecting",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        [Self::Writing, Self::Published, Self::Retired, Self::Abandoned, Self::Lost, Self::Collecting]
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidData,
                    "read the ledger of versions",
                    format!("expected the state of a version, found `{}`", word.escape_debug()),
                )
            })
    }
}

/// A version prefix in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenVersion {
    /// The prefix.
    pub location: Location,
    /// The table.
    pub table: TableName,
    /// The values of the partition; none for a whole table.
    pub values: Option<Vec<String>>,
    /// How far it is.
    pub state: VersionState,
    /// When its row was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// From when on it may be deleted, in milliseconds since 1970.
    pub collect_after_ms: Option<i64>,
}

/// A version prefix that is going to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntendedVersion {
    /// The prefix.
    pub location: Location,
    /// The values of the partition; none for a whole table.
    pub values: Option<Vec<String>>,
}

/// A prefix that versions of a table are below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRoot {
    /// The prefix.
    pub location: Location,
    /// The table.
    pub table: TableName,
}

/// What a version that is not in the ledger means for the others of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Nothing.
    Fine,
    /// None is changed.
    Refused,
}

/// The ledger of a lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Versions {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl Versions {
    pub(crate) fn new(pool: SqlitePool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock }
    }

    /// Notes that a version is about to be written; repeating it is fine.
    ///
    /// # Errors
    /// Those of the catalog's file; `Conflict` when the prefix is noted for another table or partition, or its writing was
    /// given up.
    pub async fn intend(
        &self,
        root: &Location,
        location: &Location,
        table: &TableName,
        values: Option<&[String]>,
    ) -> Result<()> {
        let intended = IntendedVersion { location: location.clone(), values: values.map(<[String]>::to_vec) };
        self.intend_all(root, table, &[intended]).await
    }

    /// Notes that versions of a table are about to be written below a root, in one step; repeating it is fine.
    ///
    /// # Errors
    /// As [`Versions::intend`]; then none is noted.
    pub async fn intend_all(&self, root: &Location, table: &TableName, intended: &[IntendedVersion]) -> Result<()> {
        const OPERATION: &str = "note a version";
        let now_ms = self.clock.now().as_millisecond();
        let mut transaction = self.begin(OPERATION).await?;
        sqlx::query(
            "INSERT INTO version_root (location, database_name, table_name, searched_ms) VALUES (?, ?, ?, 0) \
             ON CONFLICT DO NOTHING",
        )
        .bind(root.as_prefix().to_string())
        .bind(&table.database)
        .bind(&table.table)
        .execute(&mut *transaction)
        .await
        .map_err(|error| failed(OPERATION, error))?;
        for IntendedVersion { location, values } in intended {
            let encoded = values.as_deref().map(encode).transpose()?;
            let made = sqlx::query(
                "INSERT INTO version_prefix (location, database_name, table_name, partition_values, state, created_ms) \
                 VALUES (?, ?, ?, ?, 'writing', ?) ON CONFLICT (location) DO NOTHING",
            )
            .bind(location.to_string())
            .bind(&table.database)
            .bind(&table.table)
            .bind(&encoded)
            .bind(now_ms)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
            if made.rows_affected() > 0 {
                continue;
            }
            let found = find(&mut transaction, location).await?;
            let same = found.as_ref().is_some_and(|found| {
                found.table == *table && found.state == VersionState::Writing && found.values == *values
            });
            if !same {
                let message = format!("the version `{location}` is not free to be written");
                return Err(Error::new(ErrorKind::Conflict, OPERATION, message)
                    .with("state", found.map_or("gone", |found| found.state.word())));
            }
        }
        transaction.commit().await.map_err(|error| failed(OPERATION, error))
    }

    /// Notes that the catalog points to a version (again): it is not collected.
    ///
    /// # Errors
    /// Those of the catalog's file; `Conflict` when the version is not in the ledger: it was collected.
    pub async fn published(&self, location: &Location) -> Result<()> {
        self.published_all(std::slice::from_ref(location)).await
    }

    /// Notes that the catalog points to versions (again), in one step.
    ///
    /// # Errors
    /// As [`Versions::published`]; then none is noted.
    pub async fn published_all(&self, locations: &[Location]) -> Result<()> {
        let missing = self.set_all(locations, VersionState::Published, None, Missing::Refused).await?;
        match missing.first() {
            None => Ok(()),
            Some(location) => Err(Error::new(
                ErrorKind::Conflict,
                "note a version",
                format!("the version `{location}` was collected meanwhile"),
            )),
        }
    }

    /// Notes that another version took the place of this one: it may be deleted after the retention. Returns false for a
    /// location that is no version of ours.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn retire(&self, location: &Location, retention: std::time::Duration) -> Result<bool> {
        Ok(self.retire_all(std::slice::from_ref(location), retention).await?.is_empty())
    }

    /// Notes that other versions took the place of these, in one step. Returns the locations that are no versions of ours.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn retire_all(&self, locations: &[Location], retention: std::time::Duration) -> Result<Vec<Location>> {
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let after = self.clock.now().as_millisecond().saturating_add(retention_ms);
        self.set_all(locations, VersionState::Retired, Some(after), Missing::Fine).await
    }

    /// Notes that a version will never be published: it may be deleted at once. Returns false for a location that is no
    /// version of ours.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn abandon(&self, location: &Location) -> Result<bool> {
        Ok(self.abandon_all(std::slice::from_ref(location)).await?.is_empty())
    }

    /// Notes that versions will never be published, in one step. Returns the locations that are no versions of ours.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn abandon_all(&self, locations: &[Location]) -> Result<Vec<Location>> {
        let now_ms = self.clock.now().as_millisecond();
        self.set_all(locations, VersionState::Abandoned, Some(now_ms), Missing::Fine).await
    }

    /// Sets the state of versions in one step, and returns those that are not there.
    async fn set_all(
        &self,
        locations: &[Location],
        state: VersionState,
        collect_after_ms: Option<i64>,
        missing: Missing,
    ) -> Result<Vec<Location>> {
        const OPERATION: &str = "note a version";
        if locations.is_empty() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin(OPERATION).await?;
        let mut absent = Vec::new();
        for location in locations {
            // A tombstone that stands keeps its time: repeating a step must not prolong it.
            let done = sqlx::query(
                "UPDATE version_prefix SET \
                 collect_after_ms = CASE WHEN state = ?1 AND ?2 IS NOT NULL THEN collect_after_ms ELSE ?2 END, state = ?1 \
                 WHERE location = ?3 AND state <> 'collecting'",
            )
            .bind(state.word())
            .bind(collect_after_ms)
            .bind(location.as_prefix().to_string())
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
            if done.rows_affected() == 0 {
                absent.push(location.clone());
            }
        }
        if absent.is_empty() || missing == Missing::Fine {
            transaction.commit().await.map_err(|error| failed(OPERATION, error))?;
        }
        Ok(absent)
    }

    async fn begin(&self, operation: &'static str) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(operation, error))
    }

    /// Returns a version.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn version(&self, location: &Location) -> Result<Option<WrittenVersion>> {
        let mut connection = self.pool.acquire().await.map_err(|error| failed("read the ledger of versions", error))?;
        find(&mut connection, location).await
    }

    /// Lists the versions of a table, oldest first.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn of_table(&self, table: &TableName) -> Result<Vec<WrittenVersion>> {
        let rows = sqlx::query(
            "SELECT * FROM version_prefix WHERE database_name = ? AND table_name = ? ORDER BY created_ms, location",
        )
        .bind(&table.database)
        .bind(&table.table)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        rows.iter().map(read).collect()
    }

    /// Lists the versions whose tombstone is due, oldest first.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn due(&self) -> Result<Vec<WrittenVersion>> {
        let rows = sqlx::query(
            "SELECT * FROM version_prefix WHERE collect_after_ms IS NOT NULL AND collect_after_ms <= ? \
             ORDER BY created_ms, location",
        )
        .bind(self.clock.now().as_millisecond())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        rows.iter().map(read).collect()
    }

    /// Lists the versions older than `age` that have no tombstone; most of them are what readers see.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn unfinished(&self, age: std::time::Duration) -> Result<Vec<WrittenVersion>> {
        let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "SELECT * FROM version_prefix WHERE collect_after_ms IS NULL AND created_ms <= ? ORDER BY created_ms, location",
        )
        .bind(self.clock.now().as_millisecond().saturating_sub(age_ms))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        rows.iter().map(read).collect()
    }

    /// Notes the number of the lease under which a version was seen to be visible.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn became_visible(&self, location: &Location, fence: i64) -> Result<()> {
        // One that is in no ledger (any more) is somebody else's.
        sqlx::query(
            "INSERT INTO version_visible (location, fence) SELECT location, ? FROM version_prefix WHERE location = ? \
             ON CONFLICT (location) DO UPDATE SET fence = excluded.fence",
        )
        .bind(fence)
        .bind(location.as_prefix().to_string())
        .execute(&self.pool)
        .await
        .map_err(|error| failed("note a version", error))?;
        Ok(())
    }

    /// Returns the version of a partition that became visible last, as far as this ledger knows, and the number of its lease.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn last_visible(&self, table: &TableName, values: &[String]) -> Result<Option<(Location, i64)>> {
        let row = sqlx::query(
            "SELECT location, fence FROM version_prefix JOIN version_visible USING (location) \
             WHERE database_name = ? AND table_name = ? AND partition_values = ? AND state = 'published' \
             ORDER BY fence DESC LIMIT 1",
        )
        .bind(&table.database)
        .bind(&table.table)
        .bind(encode(values)?)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        row.map(|row| Ok((Location::parse(row.get("location"))?, row.get("fence")))).transpose()
    }

    /// Lists the roots below which lost versions were not looked for since `before_ms`.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn unsearched(&self, before_ms: i64) -> Result<Vec<VersionRoot>> {
        let rows = sqlx::query(
            "SELECT location, database_name, table_name FROM version_root WHERE searched_ms <= ? ORDER BY location",
        )
        .bind(before_ms)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        let read = |row: &SqliteRow| {
            let table = TableName::new(row.get("database_name"), row.get("table_name"))?;
            Ok(VersionRoot { location: Location::parse(row.get("location"))?, table })
        };
        rows.iter().map(read).collect()
    }

    /// Lists the roots that no version is below.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn empty_roots(&self) -> Result<Vec<Location>> {
        // What is below `…/` is less than `…0`: `0` comes after `/`.
        let rows = sqlx::query(
            "SELECT DISTINCT location FROM version_root AS root WHERE NOT EXISTS ( \
             SELECT 1 FROM version_prefix AS version WHERE version.location >= root.location \
             AND version.location < substr(root.location, 1, length(root.location) - 1) || '0') ORDER BY location",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
        rows.iter().map(|row| Location::parse(row.get("location"))).collect()
    }

    /// Forgets a root, unless a version is below it by now. What is to be done with its objects is done meanwhile: nobody can begin a
    /// version then, and whoever does next looks for the marker after that.
    ///
    /// # Errors
    /// Those of the catalog's file and of `clear`; then it is not forgotten.
    pub(super) async fn forget_root(&self, root: &Location, clear: impl Future<Output = Result<()>>) -> Result<()> {
        const OPERATION: &str = "forget a root of versions";
        let root = root.as_prefix().to_string();
        let mut transaction = self.begin(OPERATION).await?;
        let version = sqlx::query(
            "SELECT 1 FROM version_prefix WHERE location >= ?1 AND location < substr(?1, 1, length(?1) - 1) || '0' LIMIT 1",
        )
        .bind(&root)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(|error| failed(OPERATION, error))?;
        if version.is_some() {
            return Ok(());
        }
        clear.await?;
        sqlx::query("DELETE FROM version_root WHERE location = ?")
            .bind(&root)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        transaction.commit().await.map_err(|error| failed(OPERATION, error))
    }

    /// Takes lost versions of a table into the ledger, each with the values of its partition, and notes that they were looked
    /// for below a root; those that are in the ledger stay as they are. They go after the retention.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn adopt(
        &self,
        root: &VersionRoot,
        lost: &[IntendedVersion],
        retention: std::time::Duration,
    ) -> Result<()> {
        const OPERATION: &str = "adopt lost versions";
        let now_ms = self.clock.now().as_millisecond();
        let after = now_ms.saturating_add(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX));
        let mut transaction = self.begin(OPERATION).await?;
        for IntendedVersion { location, values } in lost {
            sqlx::query(
                "INSERT INTO version_prefix \
                 (location, database_name, table_name, partition_values, state, created_ms, collect_after_ms) \
                 VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (location) DO NOTHING",
            )
            .bind(location.as_prefix().to_string())
            .bind(&root.table.database)
            .bind(&root.table.table)
            .bind(values.as_deref().map(encode).transpose()?)
            .bind(VersionState::Lost.word())
            .bind(now_ms)
            .bind(after)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(OPERATION, error))?;
        }
        sqlx::query(
            "UPDATE version_root SET searched_ms = ? WHERE location = ? AND database_name = ? AND table_name = ?",
        )
        .bind(now_ms)
        .bind(root.location.as_prefix().to_string())
        .bind(&root.table.database)
        .bind(&root.table.table)
        .execute(&mut *transaction)
        .await
        .map_err(|error| failed(OPERATION, error))?;
        transaction.commit().await.map_err(|error| failed(OPERATION, error))
    }

    /// Claims a version for the collection, if it is still as it was found; from then on it cannot be published.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn claim(&self, version: &WrittenVersion) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE version_prefix SET state = 'collecting', collect_after_ms = coalesce(collect_after_ms, 0) \
             WHERE location = ? AND state = ? AND collect_after_ms IS ?",
        )
        .bind(version.location.to_string())
        .bind(version.state.word())
        .bind(version.collect_after_ms)
        .execute(&self.pool)
        .await
        .map_err(|error| failed("claim a version", error))?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives a claimed version back: the catalog points to it.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub(super) async fn give_back(&self, location: &Location) -> Result<()> {
        sqlx::query("UPDATE version_prefix SET state = 'published', collect_after_ms = NULL WHERE location = ?")
            .bind(location.to_string())
            .execute(&self.pool)
            .await
            .map_err(|error| failed("claim a version", error))?;
        Ok(())
    }

    /// Forgets a version whose objects are gone.
    ///
    /// # Errors
    /// Those of the catalog's file.
    pub async fn forget(&self, location: &Location) -> Result<()> {
        sqlx::query("DELETE FROM version_prefix WHERE location = ?")
            .bind(location.as_prefix().to_string())
            .execute(&self.pool)
            .await
            .map_err(|error| failed("forget a version", error))?;
        Ok(())
    }
}

async fn find(connection: &mut SqliteConnection, location: &Location) -> Result<Option<WrittenVersion>> {
    let row = sqlx::query("SELECT * FROM version_prefix WHERE location = ?")
        .bind(location.as_prefix().to_string())
        .fetch_optional(connection)
        .await
        .map_err(|error| failed("read the ledger of versions", error))?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<WrittenVersion> {
    let values: Option<String> = row.get("partition_values");
    let location: String = row.get("location");
    let values = values
        .map(|text| {
            serde_json::from_str(&text).map_err(|error| crate::sqlite::undecodable("version", &location, error))
        })
        .transpose()?;
    Ok(WrittenVersion {
        location: Location::parse(&location)?,
        table: TableName::new(row.get("database_name"), row.get("table_name"))?,
        values,
        state: VersionState::from_word(row.get("state"))?,
        created_ms: row.get("created_ms"),
        collect_after_ms: row.get("collect_after_ms"),
    })
}

fn encode(values: &[String]) -> Result<String> {
    serde_json::to_string(values).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "note a version", "the values cannot be written as JSON").source(error)
    })
}
