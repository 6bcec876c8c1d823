//! Expiring: points that are archived and verified go out of a store.
//!
//! Nothing is deleted that was not read from the archive a moment before, with the same time and value; or, where the larger of
//! two values counts, with a larger one. So nothing is lost whoever writes at the same time, whatever the ledger says, and however
//! often it is repeated.

use jiff::Timestamp;
use lake::{Error, ErrorKind, Result};

use crate::archive::Form;
use crate::ledger::{LedgerRow, WindowState};
use crate::make::Settled;
use crate::merge::{SideBySide, store_batches, stored_and_archived};
use crate::metrics::{Metrics, invalid};
use crate::point::{PointBatch, SeriesPoints};
use crate::report::{Outcome, WindowReport};
use crate::store::{Claiming, PointStore, SCAN_POINTS, Selection};
use crate::tiers::{Tier, TierName};
use crate::time::TimeRange;
use crate::window::Window;

impl Metrics {
    fn expiry_archive(&self, tier: &TierName) -> Result<&Tier> {
        if !self.tiers.tier(tier)?.is_store() {
            return Err(invalid(format!("cannot expire points of `{tier}`: expected a store, found a Parquet tier")));
        }
        self.tiers.archive().ok_or_else(|| invalid(format!("cannot expire points of `{tier}`: nothing archives them")))
    }

    /// Lists the windows whose points may go out of a store: verified, nothing found wrong since, not late, and older than an
    /// age.
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` for a Parquet tier, or one that nothing archives.
    pub async fn due_expiries(
        &self,
        tier: &TierName,
        window: Option<TimeRange>,
        older_than_ms: i64,
        now: Timestamp,
    ) -> Result<Vec<Window>> {
        let archive = self.expiry_archive(tier)?;
        let rows = self.windows(&archive.name, window).await?;
        let is_due = |row: &&LedgerRow| {
            row.state == WindowState::Verified
                && !row.is_late()
                && row.fault.is_none()
                && row.window.is_closed(older_than_ms, now.as_millisecond())
        };
        Ok(rows.iter().filter(is_due).map(|row| row.window).collect())
    }

    /// Deletes the points of a verified window from a store: exactly those that the archive has. Others stay, and make the
    /// window late.
    ///
    /// # Errors
    /// Those of the store, the storage, the catalog and the ledger. Some points may be gone by then, and the same call goes on.
    /// Archived objects that are not what was written are [`Outcome::Failed`], and nothing is deleted.
    pub async fn expire(
        &self,
        tier: &TierName,
        window: Window,
        older_than_ms: i64,
        now: Timestamp,
    ) -> Result<WindowReport> {
        let archive = self.expiry_archive(tier)?;
        if !window.is_closed(older_than_ms, now.as_millisecond()) {
            let why =
                format!("it is kept until {}", crate::time::shown(window.range().end_ms.saturating_add(older_than_ms)));
            return self.report(archive, window, Outcome::NotDue(why)).await;
        }
        let _moving = self.movers.wait().await?;
        let Settled { row: settled_row, astray } = self.look(archive, window, Form::Points).await?;
        let Some(row) = settled_row else {
            return self.report(archive, window, Outcome::NotDue("it was not dumped".to_owned())).await;
        };
        if let (Some(astray), Some(standing)) = (&astray, &row.standing) {
            return self.failed_astray(archive, &row, standing, astray).await;
        }
        if row.is_late() {
            return self.report(archive, window, Outcome::Late).await;
        }
        match row.state {
            WindowState::Verified if row.fault.is_some() => {
                let why = "it was not as it should be when it was verified last".to_owned();
                return self.report(archive, window, Outcome::NotDue(why)).await;
            }
            WindowState::Verified => {}
            WindowState::Expired => return self.report(archive, window, Outcome::Unchanged).await,
            WindowState::Open | WindowState::Written => {
                return self.report(archive, window, Outcome::NotDue("it is not verified".to_owned())).await;
            }
        }
        // Before the first point goes: what is damaged now cannot be put right from the store any more afterwards.
        if let Some(standing) = &row.standing
            && !self.check_bytes(standing).await?.is_empty()
        {
            let error = Error::new(ErrorKind::DataQuality, "expire a window", "the archived objects changed meanwhile");
            return self.damaged::<SeriesPoints>(archive, &row, error).await;
        }
        let store = self.store(tier).await?;
        self.claim(tier, store.as_ref(), Claiming::Take).await?;
        let begin = self.ledger.begin_expiry(&archive.name, &row);
        if !self.points().around("metrics: note that points are about to be deleted", begin).await? {
            return self.report(archive, window, Outcome::Late).await;
        }
        let (deleted, left) = match self.delete_archived(archive, &row, store.as_ref()).await {
            Err(error) if error.kind == ErrorKind::DataQuality => {
                return self.damaged::<SeriesPoints>(archive, &row, error).await;
            }
            gone => gone?,
        };
        if left > 0 {
            self.found_late(archive, window).await?;
            let report = self.report(archive, window, Outcome::Late).await?;
            return Ok(WindowReport { moved: deleted, ..report });
        }
        if self.is_out_of_all_stores(window).await? {
            // The catalog first: a stop between the two leaves a window that is due again.
            self.note_in_catalog(archive, &row, WindowState::Expired).await?;
            let expired = self.ledger.expired(&archive.name, &row);
            self.points().around("metrics: note that a window is expired", expired).await?;
        }
        let report = self.report(archive, window, Outcome::Made).await?;
        Ok(WindowReport { moved: deleted, ..report })
    }

    /// Tells whether no store holds a point of a window.
    pub(crate) async fn is_out_of_all_stores(&self, window: Window) -> Result<bool> {
        // From the top down, as points move.
        for (_, _, store) in self.stores().await {
            if self.holds(store?.as_ref(), window.range()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes from a store what the archive has, or has a larger value of where that counts; returns how many points went and
    /// how many stayed.
    async fn delete_archived(&self, archive: &Tier, row: &LedgerRow, store: &dyn PointStore) -> Result<(u64, u64)> {
        let Some(standing) = &row.standing else { return Ok((0, 0)) };
        let archived = self.scan_standing(&archive.name, row.window, standing).await?;
        let mut both = SideBySide::new([store_batches(store, row.window.range(), Selection::All), archived]);
        let (mut ready, mut count, mut deleted, mut left) = (Vec::new(), 0, 0, 0);
        while let Some((name, found)) = both.next().await? {
            let (stored, archived) = stored_and_archived(found);
            let Some(stored) = stored else { continue };
            let archived = archived.map(|series| series.points).unwrap_or_default();
            let (same, others) = stored.points.split_by(&archived, self.tiers.duplicate);
            left += others.len() as u64;
            count += same.len();
            ready.push(SeriesPoints { name, points: same });
            if count >= SCAN_POINTS {
                count = 0;
                deleted += self.delete(store, std::mem::take(&mut ready)).await?;
            }
        }
        deleted += self.delete(store, ready).await?;
        Ok((deleted, left))
    }

    async fn delete(&self, store: &dyn PointStore, series: Vec<SeriesPoints>) -> Result<u64> {
        let batch = PointBatch::new(series)?;
        self.points().around("metrics: delete expired points", store.delete_exact(&batch)).await
    }
}
