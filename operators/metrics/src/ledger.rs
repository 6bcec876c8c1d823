//! The ledger: how far each window of each tier is, in a `SQLite` file of its own.
//!
//! A row says what stands (the generation that readers are pointed to), what is being made, and how often the window was
//! touched. A write touches its windows before and after; a window that was touched since its dump began is *late*.

mod dropped;
mod fault;
mod name;
mod record;
mod row;
mod server;
mod stream;

use std::path::Path;

use lake::sqlite::FileKind;
use lake::{Error, ErrorKind, Result};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

use crate::checksum::{PartSums, Tally};
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::{PartitionUnit, Window};

pub use fault::Fault;
pub use name::Standing;
pub use record::{Archived, ArchivedFile, HashSlot, MadeFrom};
pub use row::{LedgerRow, WindowState};

/// The name of the file below the state's folder.
pub const FILE: &str = "metrics.sqlite";

const LEDGER: FileKind = FileKind {
    name: "ledger of metrics",
    opening: "open the ledger of metrics",
    form: 4,
    tables: include_str!("ledger/tables.sql"),
    page_bytes: None,
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
        let rows = sqlx::query(
            "SELECT start_ms, end_ms, unit, state, stood.generation, begun, ended, dumped_touched, expiring, standing, making, \
             fault.generation AS fault_generation, fault.what AS fault FROM metric_window AS stood \
             LEFT JOIN metric_fault AS fault USING (tier, start_ms) \
             WHERE tier = ? AND start_ms < ? AND end_ms > ? ORDER BY start_ms",
        )
        .bind(tier.as_str())
        .bind(range.end_ms)
        .bind(range.start_ms)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(READ, error))?;
        rows.iter().map(row::read).collect()
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

    /// Notes that a generation is being made; what was being made before is forgotten.
    ///
    /// # Errors
    /// Those of the file; `Conflict` when another process made one since the row was read.
    pub async fn intend(&self, tier: &TierName, window: Window, making: &Archived) -> Result<()> {
        let earlier = making.generation.saturating_sub(1);
        let text = encode(making)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET making = ?, generation = ?, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ?",
                )
                .bind(text)
                .bind(making.generation)
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(earlier),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes what was read back of the objects: from now on they may be published.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn made(
        &self,
        tier: &TierName,
        window: Window,
        made: &Archived,
        target: &Tally,
        source: &Tally,
    ) -> Result<()> {
        let text = encode(made)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET making = ?, making_target = ?, making_source = ?, made = 1 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND making IS NOT NULL",
                )
                .bind(text)
                .bind(target.parts.to_bytes())
                .bind(source.parts.to_bytes())
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(made.generation),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes that what was made is what readers are pointed to.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn promote(&self, tier: &TierName, window: Window, made: &Archived) -> Result<()> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET state = 'written', dumped_touched = ?, expiring = 0, \
                     standing = making, standing_target = making_target, standing_source = making_source, \
                     making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND made = 1",
                )
                .bind(touched(made.touched))
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(made.generation),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes that what was being made is given up.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn give_up(&self, tier: &TierName, window: Window, generation: u32) -> Result<()> {
        self.change(
            sqlx::query(
                "UPDATE metric_window SET making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                 WHERE tier = ? AND start_ms = ? AND generation = ?",
            )
            .bind(tier.as_str())
            .bind(window.range().start_ms)
            .bind(generation),
        )
        .await
        .map(drop)
    }

    /// Notes that what stands is what a dump would make now: `standing` with other figures of its source. `making` is what was
    /// made to find that out, if anything: it is given up.
    ///
    /// # Errors
    /// As [`Ledger::intend`].
    pub async fn confirm(&self, tier: &TierName, window: Window, standing: &Archived, source: &Tally) -> Result<()> {
        let text = encode(standing)?;
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET state = 'written', dumped_touched = ?, expiring = 0, standing = ?, \
                     standing_source = ?, making = NULL, making_target = NULL, making_source = NULL, made = 0 \
                     WHERE tier = ? AND start_ms = ? AND standing IS NOT NULL",
                )
                .bind(touched(standing.touched))
                .bind(text)
                .bind(source.parts.to_bytes())
                .bind(tier.as_str())
                .bind(window.range().start_ms),
            )
            .await?;
        expect_one(done, window)
    }

    /// Notes that points of a verified window are about to be deleted, if it is still as it was. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn begin_expiry(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET expiring = 1 WHERE tier = ? AND start_ms = ? AND generation = ? \
                     AND state = 'verified' AND begun + ended = ? AND dumped_touched = begun + ended",
                )
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(touched(row.touched())),
            )
            .await?;
        Ok(done == 1)
    }

    /// Notes that the stores hold nothing of a window any more, if it is still as it was. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn expired(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET state = 'expired', expiring = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND state = 'verified' AND begun + ended = ?",
                )
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(touched(row.touched())),
            )
            .await?;
        Ok(done == 1)
    }

    /// Notes that an expired window was looked at and the stores still hold nothing of it, if it is still as it was. Returns
    /// whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn still_expired(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET dumped_touched = begun + ended, expiring = 0 \
                     WHERE tier = ? AND start_ms = ? AND generation = ? AND state = 'expired' AND begun + ended = ?",
                )
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(touched(row.touched())),
            )
            .await?;
        Ok(done == 1)
    }

    /// Puts a window that the catalog tells of into a ledger that does not know it, as far as its partition says that it is; one
    /// that it knows stays. A raw window is late: what was written since it was dumped is not known. Returns whether it was put.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn restore(
        &self,
        tier: &TierName,
        window: Window,
        standing: &Archived,
        state: WindowState,
        target: Option<&PartSums>,
        is_late: bool,
    ) -> Result<bool> {
        let text = encode(standing)?;
        let late = i64::from(is_late);
        let done = self
            .change(
                sqlx::query(
                    "INSERT INTO metric_window (tier, start_ms, end_ms, unit, state, generation, begun, ended, \
                     dumped_touched, standing, standing_target, standing_source) \
                     VALUES (?1, ?2, ?3, ?4, ?10, ?5, ?9, ?9, 0, ?6, ?7, ?8) \
                     ON CONFLICT (tier, start_ms) DO UPDATE SET state = ?10, generation = max(generation, ?5), \
                     begun = begun + ?9, ended = ended + ?9, dumped_touched = begun + ended, standing = ?6, \
                     standing_target = ?7, standing_source = ?8, making = NULL, making_target = NULL, \
                     making_source = NULL, made = 0 WHERE standing IS NULL",
                )
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .bind(window.range().end_ms)
                .bind(window.unit().key())
                .bind(standing.generation)
                .bind(text)
                .bind(target.map(PartSums::to_bytes))
                .bind(PartSums::default().to_bytes())
                .bind(late)
                .bind(state.word()),
            )
            .await?;
        Ok(done == 1)
    }

    /// Tells whether all partitions of a tier are in it.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn knows(&self, tier: &TierName) -> Result<bool> {
        let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM metric_tier WHERE tier = ?)").bind(tier.as_str());
        known.fetch_one(&self.pool).await.map_err(|error| failed(READ, error))
    }

    /// Notes that all partitions of a tier are in it.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_known(&self, tier: &TierName) -> Result<()> {
        let note = sqlx::query("INSERT INTO metric_tier (tier) VALUES (?) ON CONFLICT DO NOTHING").bind(tier.as_str());
        self.change(note).await.map(drop)
    }

    /// Closes the file at once: `SQLite` removes its log by name, and a test may put another file in its place.
    #[cfg(test)]
    pub(crate) async fn close(&self) {
        self.pool.close().await;
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

fn encode(archived: &Archived) -> Result<String> {
    serde_json::to_string(archived).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, NOTE, "what is archived cannot be written as JSON").source(error)
    })
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
