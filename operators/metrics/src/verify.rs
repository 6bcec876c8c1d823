//! Verifying: what is archived is read from the storage and compared with the ledger, with the catalog and with the store.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lake::Result;

use crate::archive::{Form, note_state, scan};
use crate::astray::Astray;
use crate::checksum::{PartSums, Tally};
use crate::ledger::{Archived, Fault, LedgerRow, Touch, WindowState};
use crate::make::Settled;
use crate::merge::{SideBySide, store_batches, stored_and_archived};
use crate::metrics::Metrics;
use crate::point::SeriesPoints;
use crate::report::{Outcome, WayOn, WindowReport};
use crate::store::{PointStore, Selection};
use crate::tiers::{Tier, TierName};
use crate::time::TimeRange;
use crate::window::Window;

/// How many series a report names.
pub(crate) const NAMED: usize = 20;

/// What comparing a store with the archive found.
enum Compared {
    Same,
    /// Points that were written since, or whose write never ended.
    Late,
    /// These are wrong.
    Wrong(Vec<String>),
}

impl Metrics {
    /// Lists the windows of a Parquet tier that wait for their verification, of which something was found wrong, to which the
    /// catalog does not point, or which are made of older windows than stand now. With a span: all that stand in it.
    ///
    /// # Errors
    /// Those of the ledger and the catalog.
    pub async fn due_verifications(&self, tier: &TierName, window: Option<TimeRange>) -> Result<Vec<Window>> {
        let rows = self.windows(tier, window).await?;
        let tier = self.tiers.tier(tier)?;
        let (astray, stale) = (self.astray(tier, &rows).await?, self.stale(tier, &rows).await?);
        let is_due = |row: &&LedgerRow| {
            let is_wrong = row.fault.is_some() || astray.contains_key(&row.window) || stale.contains(&row.window);
            let waits = (row.state == WindowState::Written && !row.is_late()) || is_wrong;
            row.standing.is_some() && (window.is_some() || waits)
        };
        Ok(rows.iter().filter(is_due).map(|row| row.window).collect())
    }

    /// Verifies a window of the archive against the store it was dumped from, or a window of a roll-up against the finer tier.
    ///
    /// What does not hold stands in the report's mismatches, with the objects and series, and in the ledger: the window is not
    /// expired, and due for its verification, until it holds or is written again.
    ///
    /// # Errors
    /// Those of the stores, the storage, the catalog and the ledger: nothing could be said. `InvalidInput` as [`Metrics::due_dumps`].
    pub async fn verify(
        &self,
        from: &TierName,
        to: &TierName,
        window: Window,
        _now: Timestamp,
    ) -> Result<WindowReport> {
        if !self.tiers.tier(from)?.is_store() {
            return self.verify_rollup(from, to, window).await;
        }
        let (_, archive, _) = self.whole_pair(from, to).await?;
        let _moving = self.movers.wait().await?;
        let Settled { row: settled_row, astray } = self.look(archive, window, Form::Points).await?;
        let Some((row, standing)) = settled_row.as_ref().and_then(|row| Some((row, row.standing.as_ref()?))) else {
            return self.report(archive, window, Outcome::NotDue("it was not dumped".to_owned())).await;
        };
        if let Some(astray) = astray {
            return self.failed_astray(archive, row, standing, &astray).await;
        }
        let mismatches = self.check_objects::<SeriesPoints>(archive, row, standing).await?;
        if !mismatches.is_empty() {
            return self.failed(archive, row, Fault::Objects, mismatches).await;
        }
        if row.is_late() {
            return self.report(archive, window, Outcome::Late).await;
        }
        let store = self.store(from).await?;
        match self.compare(archive, row, standing, store.as_ref()).await? {
            Compared::Wrong(mismatches) => self.failed(archive, row, Fault::Store, mismatches).await,
            Compared::Late => {
                self.found_late(archive, window).await?;
                self.report(archive, window, Outcome::Late).await
            }
            Compared::Same => self.note_verified(archive, row).await,
        }
    }

    /// Notes that a window holds, unless it was touched meanwhile.
    pub(crate) async fn note_verified(&self, tier: &Tier, row: &LedgerRow) -> Result<WindowReport> {
        // The catalog first: a stop between the two leaves a window that is due again.
        self.note_in_catalog(tier, row, row.state.max(WindowState::Verified)).await?;
        let verified = self.ledger.verified(&tier.name, row);
        let is_verified = self.points().around("metrics: note that a window is verified", verified).await?;
        let outcome = if !is_verified {
            Outcome::Late
        } else if row.state == WindowState::Written {
            Outcome::Made
        } else {
            Outcome::Unchanged
        };
        self.report(tier, row.window, outcome).await
    }

    /// Notes in the catalog's partition how far a window is: a ledger that is lost is rebuilt from it.
    pub(crate) async fn note_in_catalog(&self, tier: &Tier, row: &LedgerRow, state: WindowState) -> Result<()> {
        let Some(standing) = &row.standing else { return Ok(()) };
        let note = note_state(&self.lake, tier, row.window, standing, state);
        self.points().around("metrics: note the state in the catalog", note).await
    }

    /// Notes what is wrong with a window, and reports it.
    pub(crate) async fn failed(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        fault: Fault,
        mismatches: Vec<String>,
    ) -> Result<WindowReport> {
        let note = self.ledger.note_fault(&tier.name, row, fault);
        self.points().around("metrics: note that a window is not as it should be", note).await?;
        let report = self.report(tier, row.window, Outcome::Failed).await?;
        let way_on = Some(self.way_on(tier, row, fault).await?);
        Ok(WindowReport { mismatches, way_on, is_known: row.fault == Some(fault), ..report })
    }

    /// The same of a window whose partition is not what the ledger knows.
    pub(crate) async fn failed_astray(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        standing: &Archived,
        astray: &Astray,
    ) -> Result<WindowReport> {
        let report = self.failed(tier, row, Fault::Objects, vec![astray.told(&standing.prefix)]).await?;
        let is_raw = self.tiers.archive().is_some_and(|archive| archive.name == tier.name);
        let way_on = match astray {
            Astray::Elsewhere(_) if is_raw => Some(WayOn::RedoOrDump),
            Astray::Elsewhere(_) if report.way_on == Some(WayOn::RollUpAgain) => Some(WayOn::RedoOrRollUp),
            Astray::Elsewhere(_) => Some(WayOn::Redo),
            Astray::Gone if report.way_on == Some(WayOn::PutBack) => Some(WayOn::PutPartitionBack),
            Astray::Gone => report.way_on,
        };
        Ok(WindowReport { way_on, ..report })
    }

    /// Says what leads on from a window of which something was found wrong.
    async fn way_on(&self, tier: &Tier, row: &LedgerRow, fault: Fault) -> Result<WayOn> {
        let finer =
            self.tiers.all().iter().filter(|other| !other.is_store()).take_while(|other| other.name != tier.name);
        Ok(match (fault, finer.last()) {
            (Fault::Store, _) => WayOn::DumpFromStore,
            (Fault::Objects, None) if row.state == WindowState::Expired => WayOn::DumpWhatIsLeft,
            (Fault::Objects, None) => WayOn::DumpAgain,
            (Fault::Objects, Some(finer)) => {
                let dropped = self.ledger.dropped(&finer.name, row.window.range()).await?;
                if dropped.is_empty() { WayOn::RollUpAgain } else { WayOn::PutBack }
            }
        })
    }

    /// Makes a window late, because points were found in a store that are not archived.
    pub(crate) async fn found_late(&self, tier: &Tier, window: Window) -> Result<()> {
        let windows = [window];
        self.bind(&[tier]).await?;
        let touch = self.ledger.touch(&tier.name, &windows, Touch::Found);
        self.points().around("metrics: note that a window is late", touch).await
    }

    /// Compares what a store holds of a window with what it held when it was dumped.
    async fn compare(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        standing: &Archived,
        store: &dyn PointStore,
    ) -> Result<Compared> {
        let range = row.window.range();
        let is_moving_out = row.expiring || row.state == WindowState::Expired;
        let parts = self.ledger.parts(&tier.name, row.window).await?;
        let mut stored = Tally::default();
        let mut batches = SideBySide::new([store_batches(store, range, Selection::All)]);
        while let Some((name, found)) = batches.next().await? {
            for (_, series) in found {
                stored.add(&name, &series.points);
            }
        }
        let is_same =
            stored.figures == standing.source && parts.as_ref().is_none_or(|parts| parts.source == stored.parts);
        if is_same && !is_moving_out {
            return Ok(Compared::Same);
        }
        // Where the sums of the parts differ, the series are looked at one by one.
        let differing: Option<BTreeSet<usize>> =
            parts.filter(|_| !is_moving_out).map(|parts| parts.source.differing(&stored.parts).into_iter().collect());
        let archived = scan(&self.lake.storage, &standing.files, Selection::All);
        let mut both = SideBySide::new([store_batches(store, range, Selection::All), archived]);
        let (mut changed, mut gone, mut more, mut held) = (Vec::new(), Vec::new(), 0, 0);
        while let Some((name, found)) = both.next().await? {
            // Counted anew: points may have come since the scan before.
            held += found
                .iter()
                .filter(|(source, _)| *source == 0)
                .map(|(_, series)| series.points.len() as u64)
                .sum::<u64>();
            if differing.as_ref().is_some_and(|parts| !parts.contains(&PartSums::of(&name))) {
                continue;
            }
            let (stored, archived) = stored_and_archived(found);
            let points = |series: Option<SeriesPoints>| series.map(|series| series.points).unwrap_or_default();
            let (stored, archived) = (points(stored), points(archived));
            let (same, others) = stored.split_by(&archived, self.tiers.duplicate);
            let is_archived = |time_ms: &&i64| archived.times_ms().binary_search(time_ms).is_ok();
            let others_changed = others.times_ms().iter().filter(is_archived).count();
            more += (others.len() - others_changed) as u64;
            if others_changed > 0 {
                changed.push(format!(
                    "the series `{name}` has other values at {others_changed} times in the store than in the archive"
                ));
            }
            let absent = archived.len() - same.len() - others_changed;
            if absent > 0 {
                let all = archived.len();
                gone.push(format!("the series `{name}` lacks {absent} of its {all} archived points in the store"));
            }
        }
        let mut wrong = if row.has_unfinished_write() { Vec::new() } else { changed };
        // Points that only the archive has since an earlier expiry are no loss of the store: it is one when fewer are there.
        let present = held - more;
        if !is_moving_out && present < standing.source.count {
            let expected = standing.source.count;
            wrong.extend(gone);
            wrong.insert(
                0,
                format!("the store holds {present} of the {expected} points of the window that were dumped"),
            );
        }
        if wrong.is_empty() {
            return Ok(if is_moving_out && more == 0 && !row.has_unfinished_write() {
                Compared::Same
            } else {
                Compared::Late
            });
        }
        let more = wrong.len().saturating_sub(NAMED + 1);
        wrong.truncate(NAMED + 1);
        if more > 0 {
            wrong.push(format!("and {more} more series"));
        }
        Ok(Compared::Wrong(wrong))
    }
}
