//! Points that leave their stores: the ledger's notes before and after.

use lake::Result;

use super::{Ledger, LedgerRow, touched};
use crate::tiers::TierName;

impl Ledger {
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
}
