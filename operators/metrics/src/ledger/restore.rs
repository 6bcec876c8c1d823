//! A ledger that was lost: what the catalog tells of comes back into it, and it is noted of which tiers all of that is there.

use std::collections::BTreeSet;

use lake::Result;

use super::making::encode;
use super::{Archived, Ledger, LedgerRow, NOTE, READ, WindowState, failed};
use crate::checksum::PartSums;
use crate::tiers::TierName;
use crate::window::Window;

impl Ledger {
    /// Puts a window that the catalog tells of into a ledger that does not know it, as far as its partition says that it is; one
    /// that it knows stays, and so does one that is being made: whoever makes it notes what becomes of it. A raw window is late: what
    /// was written since it was dumped is not known. Returns whether it was put.
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
            .stand(
                tier,
                window,
                sqlx::query(
                    "INSERT INTO metric_window (tier, start_ms, end_ms, unit, state, generation, begun, ended, \
                     dumped_touched, standing, standing_target, standing_source) \
                     VALUES (?1, ?2, ?3, ?4, ?10, ?5, ?9, ?9, 0, json_set(?6, '$.begun', ?9), ?7, ?8) \
                     ON CONFLICT (tier, start_ms) DO UPDATE SET state = ?10, generation = max(generation, ?5), \
                     begun = begun + ?9, ended = ended + ?9, dumped_touched = begun + ended, \
                     standing = json_set(?6, '$.begun', begun + ?9), \
                     standing_target = ?7, standing_source = ?8 WHERE standing IS NULL AND making IS NULL",
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

    /// Puts a later generation that the catalog tells of in the place of the one that stands, if the row is still as it was: no
    /// generation was begun since. Returns whether it was put. The row's number grows in any case: whoever looked at what stood before
    /// notes nothing of what stands now.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn advance(
        &self,
        tier: &TierName,
        row: &LedgerRow,
        standing: &Archived,
        state: WindowState,
        target: Option<&PartSums>,
        is_late: bool,
    ) -> Result<bool> {
        let done = self
            .stand(
                tier,
                row.window,
                sqlx::query(
                    "UPDATE metric_window SET state = ?4, generation = max(generation + 1, ?5), begun = begun + ?6, ended = ended + ?6, \
                     dumped_touched = begun + ended, expiring = 0, standing = json_set(?7, '$.begun', begun + ?6), \
                     standing_target = ?8, standing_source = ?9 \
                     WHERE tier = ?1 AND start_ms = ?2 AND generation = ?3 AND making IS NULL",
                )
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(state.word())
                .bind(standing.generation)
                .bind(i64::from(is_late))
                .bind(encode(standing)?)
                .bind(target.map(PartSums::to_bytes))
                .bind(PartSums::default().to_bytes()),
            )
            .await?;
        Ok(done == 1)
    }

    /// Notes what stands of a window, in one step with that it is not given up, be it what a roll-up told of it before. Returns how many
    /// rows the note has changed.
    pub(super) async fn stand(
        &self,
        tier: &TierName,
        window: Window,
        note: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let done = note.execute(&mut *transaction).await.map_err(|error| failed(NOTE, error))?.rows_affected();
        if done > 0 {
            sqlx::query("DELETE FROM metric_dropped WHERE tier = ? AND start_ms = ?")
                .bind(tier.as_str())
                .bind(window.range().start_ms)
                .execute(&mut *transaction)
                .await
                .map_err(|error| failed(NOTE, error))?;
        }
        transaction.commit().await.map_err(|error| failed(NOTE, error))?;
        Ok(done)
    }

    /// Returns the names of the tiers whose partitions are all in it.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn known(&self) -> Result<BTreeSet<String>> {
        let names: Vec<String> = sqlx::query_scalar("SELECT tier FROM metric_tier")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| failed(READ, error))?;
        Ok(names.into_iter().collect())
    }

    /// Notes that all partitions of a tier are in it.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_known(&self, tier: &TierName) -> Result<()> {
        let note = sqlx::query("INSERT INTO metric_tier (tier) VALUES (?) ON CONFLICT DO NOTHING").bind(tier.as_str());
        self.change(note).await.map(drop)
    }
}
