//! Faults: what was found wrong with a window that stands, until it is found whole or another generation stands.

use lake::Result;

use super::{Ledger, LedgerRow, NOTE, failed};
use crate::tiers::TierName;

/// What was found wrong with a window that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its archived objects are not what was written, or the catalog does not point to them.
    Objects,
    /// The store does not hold what was dumped, or nothing of what was written for a window that was not dumped yet.
    Store,
}

impl Fault {
    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Store => "store",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Objects, Self::Store].into_iter().find(|fault| fault.word() == word)
    }
}

impl Ledger {
    /// Notes what was found wrong with the generation that stands, or with the points of a window that has none yet: it is due,
    /// whatever it was.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_fault(&self, tier: &TierName, row: &LedgerRow, fault: Fault) -> Result<()> {
        let generation = row.standing.as_ref().map_or(0, |standing| standing.generation);
        self.change(
            sqlx::query(
                "INSERT INTO metric_fault (tier, start_ms, generation, what) VALUES (?, ?, ?, ?) \
                 ON CONFLICT (tier, start_ms) DO UPDATE SET generation = excluded.generation, what = excluded.what",
            )
            .bind(tier.as_str())
            .bind(row.window.range().start_ms)
            .bind(generation)
            .bind(fault.word()),
        )
        .await
        .map(drop)
    }

    /// Notes that a window was verified, if it is still as it was: the same generation, and not touched since. What was found
    /// wrong with it before is forgotten. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn verified(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        let start_ms = row.window.range().start_ms;
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE metric_window SET state = CASE state WHEN 'expired' THEN state ELSE 'verified' END \
             WHERE tier = ? AND start_ms = ? AND generation = ? AND begun + ended = ? AND dumped_touched IS ?",
        )
        .bind(tier.as_str())
        .bind(start_ms)
        .bind(row.generation)
        .bind(super::touched(row.touched()))
        .bind(row.dumped_touched.map(super::touched))
        .execute(&mut *transaction)
        .await
        .map_err(|error| failed(NOTE, error))?
        .rows_affected();
        if done == 1 {
            sqlx::query("DELETE FROM metric_fault WHERE tier = ? AND start_ms = ?")
                .bind(tier.as_str())
                .bind(start_ms)
                .execute(&mut *transaction)
                .await
                .map_err(|error| failed(NOTE, error))?;
        }
        transaction.commit().await.map_err(|error| failed(NOTE, error))?;
        Ok(done == 1)
    }
}
