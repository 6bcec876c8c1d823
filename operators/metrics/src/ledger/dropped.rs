//! Windows that a Parquet tier has given up: their time to be kept is over.

use lake::Result;

use super::{Ledger, LedgerRow, NOTE, failed, row, touched};
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::Window;

impl Ledger {
    /// Lists the windows that a tier has given up, or is giving up, as far as they hold a part of a span; by time.
    ///
    /// # Errors
    /// Those of the file; `InvalidData` for a row that holds something else.
    pub async fn dropped(&self, tier: &TierName, range: TimeRange) -> Result<Vec<Window>> {
        const QUERY: &str = "SELECT start_ms, unit FROM metric_dropped WHERE tier = ? AND start_ms < ? AND end_ms > ? \
                             ORDER BY start_ms";
        self.in_span(QUERY, tier, range).await?.iter().map(row::window).collect()
    }

    /// Notes that a window is about to be given up, if it is still as it was. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn begin_drop(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        let done = self
            .change(
                sqlx::query(
                    "INSERT INTO metric_dropped (tier, start_ms, end_ms, unit) \
                     SELECT tier, start_ms, end_ms, unit FROM metric_window WHERE tier = ?1 AND start_ms = ?2 \
                     AND generation = ?3 AND state = ?4 AND begun + ended = ?5 AND dumped_touched = begun + ended \
                     ON CONFLICT (tier, start_ms) DO UPDATE SET unit = excluded.unit",
                )
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(row.state.word())
                .bind(touched(row.touched())),
            )
            .await?;
        Ok(done == 1)
    }

    /// Notes that nothing of a window is in the catalog any more: what is known of its objects is forgotten. Points that came
    /// meanwhile stay noted.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn end_drop(&self, tier: &TierName, window: Window) -> Result<()> {
        let start_ms = window.range().start_ms;
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM metric_window WHERE tier = ? AND start_ms = ? AND dumped_touched = begun + ended")
            .bind(tier.as_str())
            .bind(start_ms)
            .execute(&mut *transaction)
            .await
            .map_err(|error| failed(NOTE, error))?;
        sqlx::query(
            "UPDATE metric_window SET state = 'open', dumped_touched = NULL, expiring = 0, standing = NULL, \
             standing_target = NULL, standing_source = NULL WHERE tier = ? AND start_ms = ?",
        )
        .bind(tier.as_str())
        .bind(start_ms)
        .execute(&mut *transaction)
        .await
        .map_err(|error| failed(NOTE, error))?;
        transaction.commit().await.map_err(|error| failed(NOTE, error))
    }

    /// Notes that a window was given up of which a roll-up alone tells, after the ledger was lost.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_dropped(&self, tier: &TierName, window: Window) -> Result<()> {
        self.change(
            sqlx::query(
                "INSERT INTO metric_dropped (tier, start_ms, end_ms, unit) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(tier.as_str())
            .bind(window.range().start_ms)
            .bind(window.range().end_ms)
            .bind(window.unit().key()),
        )
        .await
        .map(drop)
    }
}
