//! Points that leave their stores: the ledger's notes before and after.

use lake::Result;

use super::{Ledger, LedgerRow, WindowState, touched};
use crate::tiers::TierName;

impl Ledger {
    /// Notes that points of a verified window are about to be deleted, if it is still as it was. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn begin_expiry(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        self.go_on(tier, row, (WindowState::Verified, WindowState::Verified), true).await
    }

    /// Notes that the stores hold nothing of a window any more, if it is still as it was. Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn expired(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        self.go_on(tier, row, (WindowState::Verified, WindowState::Expired), false).await
    }

    /// Notes that another machine emptied the stores of a window whose archived generation is what stands, if it is still as it was.
    /// Returns whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn expired_elsewhere(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        self.go_on(tier, row, (row.state, WindowState::Expired), false).await
    }

    /// Notes that an expired window was looked at and the stores still hold nothing of it, if it is still as it was. Returns
    /// whether it is.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn still_expired(&self, tier: &TierName, row: &LedgerRow) -> Result<bool> {
        self.go_on(tier, row, (WindowState::Expired, WindowState::Expired), false).await
    }

    /// Brings a window from a state to another one, if it is still as it was: the same generation, and not touched since. Late points of
    /// one that has points in its stores keep it from that; one that is expired was looked at, and is late no more.
    async fn go_on(
        &self,
        tier: &TierName,
        row: &LedgerRow,
        (from, to): (WindowState, WindowState),
        is_expiring: bool,
    ) -> Result<bool> {
        let done = self
            .change(
                sqlx::query(
                    "UPDATE metric_window SET state = ?1, expiring = ?2, dumped_touched = begun + ended, \
                     standing = json_set(standing, '$.begun', begun) \
                     WHERE tier = ?3 AND start_ms = ?4 AND generation = ?5 AND begun + ended = ?6 AND state = ?7 \
                     AND (state = 'expired' OR dumped_touched = begun + ended)",
                )
                .bind(to.word())
                .bind(is_expiring)
                .bind(tier.as_str())
                .bind(row.window.range().start_ms)
                .bind(row.generation)
                .bind(touched(row.touched()))
                .bind(from.word()),
            )
            .await?;
        Ok(done == 1)
    }
}
