//! The ledger: how far each window of each tier is, in a `SQLite` file of its own.
//!
//! A row says what stands (the generation that readers are pointed to), what is being made, and how often the window was
//! touched. A write touches its windows before and after; a window that was touched since its dump began is *late*.

mod dropped;
mod expiry;
mod fault;
mod making;
mod name;
mod record;
mod restore;
mod row;
mod server;
mod stream;

use std::path::Path;

use lake::sqlite::{FileKind, MADE_ANEW};
use lake::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Sqlite, Transaction};

use crate::checksum::PartSums;
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::{PartitionUnit, Window};

pub use fault::Fault;
pub use name::Standing;
pub use record::{Archived, ArchivedFile, HashSlot, MadeFrom, ObjectEnd};
pub use row::{LedgerRow, WindowState};

/// The name of the file below the state's folder.
pub const FILE: &str = "metrics.sqlite";

/// Tells whether a ledger is in a state's folder: something was kept by the tiers of the project.
pub fn were_kept_in(state_dir: &Path) -> bool {
    state_dir.join(FILE).is_file()
}

const LEDGER: FileKind = FileKind {
    name: "ledger of metrics",
    opening: "open the ledger of metrics",
    form: 5,
    tables: include_str!("ledger/tables.sql"),
    page_bytes: None,
    without_copy: MADE_ANEW,
};

const READ: &str = "read the ledger of metrics";
const NOTE: &str = "note a window";

/// The blobs of a row, where there are any.
type TwoBlobs = (Option<Vec<u8>>, Option<Vec<u8>>);

/// When a write touches its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Before it: its intent.
    Before,
    /// After it: points may have come in since.
    After,
    /// At once, for points that were found: a window becomes late.
    Found,
}

/// The sums by parts that belong to what stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Those of the archived objects.
    pub target: PartSums,
    /// Those of what they were made of.
    pub source: PartSums,
}

/// The ledger of all tiers of a project. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    pool: SqlitePool,
}

impl Ledger {
    /// Opens (or makes) the file.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn open(file: &Path) -> Result<Self> {
        Ok(Self { pool: LEDGER.open(file).await? })
    }

    /// Touches windows, in one step; a window that is not there is made.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn touch(&self, tier: &TierName, windows: &[Window], touch: Touch) -> Result<()> {
        if windows.is_empty() {
            return Ok(());
        }
        let (begun, ended) = match touch {
            Touch::Before => (1, 0),
            Touch::After => (0, 1),
            Touch::Found => (1, 1),
        };
        let mut transaction = self.begin().await?;
        for window in windows {
            sqlx::query(
                "INSERT INTO metric_window (tier, start_ms, end_ms, unit, begun, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (tier, start_ms) DO UPDATE SET begun = begun + ?5, ended = ended + ?6",
            )
            .bind(tier.as_str())
            .bind(window.range().start_ms)
            .bind(window.range().end_ms)
            .bind(window.unit().key())
            .bind(begun)
            .bind(ended)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(NOTE, error))?;
        }
        transaction.commit().await.map_err(|error| failed(NOTE, error))
    }

    /// Returns a window's row.
    ///
    /// # Errors
    /// Those of the file; `InvalidData` for a row that holds something else.
    pub async fn row(&self, tier: &TierName, window: Window) -> Result<Option<LedgerRow>> {
        let rows = self.rows(tier, window.range()).await?;
        Ok(rows.into_iter().find(|row| row.window == window))
    }

    /// Lists the rows of a tier that hold a part of a span, by time.
    ///
    /// # Errors
    /// As [`Ledger::row`].
    pub async fn rows(&self, tier: &TierName, range: TimeRange) -> Result<Vec<LedgerRow>> {
        const QUERY: &str = "SELECT start_ms, end_ms, unit, state, stood.generation, begun, ended, dumped_touched, expiring, standing, \
                             making, making IS NOT NULL AS is_making, fault.generation AS fault_generation, fault.what AS fault FROM metric_window AS stood \
                             LEFT JOIN metric_fault AS fault USING (tier, start_ms) \
                             WHERE tier = ? AND start_ms < ? AND end_ms > ? ORDER BY start_ms";
        self.in_span(QUERY, tier, range).await?.iter().map(row::read).collect()
    }

    /// Returns the sums by parts of what stands; none where a rebuilt ledger does not know them.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn parts(&self, tier: &TierName, window: Window) -> Result<Option<Parts>> {
        let row: Option<TwoBlobs> = sqlx::query_as(
            "SELECT standing_target, standing_source FROM metric_window WHERE tier = ? AND start_ms = ?",
        )
        .bind(tier.as_str())
        .bind(window.range().start_ms)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| failed(READ, error))?;
        let Some((Some(target), Some(source))) = row else { return Ok(None) };
        let parts = (PartSums::from_bytes(&target), PartSums::from_bytes(&source));
        let (Some(target), Some(source)) = parts else { return Err(damaged(window, "the sums by parts")) };
        Ok(Some(Parts { target, source }))
    }

    /// Closes the file at once: `SQLite` removes its log by name, and a test may put another file in its place.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Asks for what belongs to a span: the query's parameters are the tier, the span's end and its start.
    async fn in_span(&self, query: &'static str, tier: &TierName, range: TimeRange) -> Result<Vec<SqliteRow>> {
        let query = sqlx::query(query).bind(tier.as_str()).bind(range.end_ms).bind(range.start_ms);
        query.fetch_all(&self.pool).await.map_err(|error| failed(READ, error))
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(NOTE, error))
    }

    async fn change(&self, query: sqlx::query::Query<'_, Sqlite, sqlx::sqlite::SqliteArguments>) -> Result<u64> {
        let done = query.execute(&self.pool).await.map_err(|error| failed(NOTE, error))?;
        Ok(done.rows_affected())
    }
}

fn expect_one(changed: u64, window: Window) -> Result<()> {
    if changed == 1 {
        return Ok(());
    }
    let message = format!("another process moved the points of the window {window} meanwhile");
    Err(Error::new(ErrorKind::Conflict, NOTE, message).retryable())
}

fn touched(touched: u64) -> i64 {
    i64::try_from(touched).unwrap_or(i64::MAX)
}

fn failed(operation: &'static str, error: sqlx::Error) -> Error {
    LEDGER.failed(operation, error)
}

fn damaged(window: Window, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, READ, format!("the ledger's window {window} cannot be read: {what}")).help(
        "a lost ledger is rebuilt from the partitions' parameters: remove `metrics.sqlite` with its `-wal` and `-shm`",
    )
}

/// Reads a unit by the name of its key.
fn unit_of(key: &str) -> Option<PartitionUnit> {
    [PartitionUnit::Hour, PartitionUnit::Day, PartitionUnit::Month, PartitionUnit::Year]
        .into_iter()
        .find(|unit| unit.key() == key)
}

#[cfg(test)]
mod tests;
