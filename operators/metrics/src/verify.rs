//! Verifying: what is archived is read from the storage and compared with the ledger, with the catalog and with the store.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lake::{ErrorKind, Result};

use crate::archive::{Form, SeriesRows, hash_of_object, note_state, scan};
use crate::checksum::{PartSums, Tally};
use crate::ledger::{Archived, LedgerRow, Touch, WindowState};
use crate::merge::{SideBySide, store_batches, stored_and_archived};
use crate::metrics::Metrics;
use crate::point::SeriesPoints;
use crate::report::{Outcome, WindowReport};
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
    /// Lists the windows of a Parquet tier that wait for their verification. With a span: all that stand in it.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn due_verifications(&self, tier: &TierName, window: Option<TimeRange>) -> Result<Vec<Window>> {
        let rows = self.windows(tier, window).await?;
        let is_due = |row: &&LedgerRow| {
            row.standing.is_some() && (window.is_some() || (row.state == WindowState::Written && !row.is_late()))
        };
        Ok(rows.iter().filter(is_due).map(|row| row.window).collect())
    }

    /// Verifies a window of the archive against the store it was dumped from, or a window of a roll-up against the finer tier.
    ///
    /// What does not hold stands in the report's mismatches, with the objects and series; the window stays what it was.
    ///
    /// # Errors
    /// Those of the stores, the storage, the catalog and the ledger: nothing could be said.
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
        let (_, archive, _) = self.raw_pair(from, to)?;
        let _moving = self.movers.wait().await?;
        let settled_row = self.settle(archive, window, Form::Points).await?;
        let Some((row, standing)) = settled_row.as_ref().and_then(|row| Some((row, row.standing.as_ref()?))) else {
            return self.report(archive, window, Outcome::NotDue("it was not dumped".to_owned())).await;
        };
        let mismatches = self.check_objects::<SeriesPoints>(archive, row, standing).await?;
        if !mismatches.is_empty() {
            return self.failed(archive, window, mismatches).await;
        }
        if row.is_late() {
            return self.report(archive, window, Outcome::Late).await;
        }
        let store = self.store(from).await?;
        match self.compare(archive, row, standing, store.as_ref()).await? {
            Compared::Wrong(mismatches) => self.failed(archive, window, mismatches).await,
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

    pub(crate) async fn failed(&self, tier: &Tier, window: Window, mismatches: Vec<String>) -> Result<WindowReport> {
        let report = self.report(tier, window, Outcome::Failed).await?;
        Ok(WindowReport { mismatches, ..report })
    }

    /// Makes a window late, because points were found in a store that are not archived.
    pub(crate) async fn found_late(&self, tier: &Tier, window: Window) -> Result<()> {
        let windows = [window];
        let touch = self.ledger.touch(&tier.name, &windows, Touch::Found);
        self.points().around("metrics: note that a window is late", touch).await
    }

    /// Reads the objects of a window from the storage: their bytes and what they hold must be what the ledger says.
    ///
    /// # Errors
    /// Those of the storage, but for objects that are missing or damaged.
    pub(crate) async fn check_objects<S: SeriesRows>(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        standing: &Archived,
    ) -> Result<Vec<String>> {
        let storage = &self.lake.storage;
        let mut wrong = Vec::new();
        for file in &standing.files {
            match hash_of_object(storage, &file.location).await {
                Ok((bytes, _)) if bytes != file.bytes => {
                    wrong.push(format!("the object `{}` has {bytes} bytes, not {}", file.location, file.bytes));
                }
                Ok((_, hash)) if hash != file.hash => {
                    let (location, expected) = (&file.location, &file.hash);
                    wrong.push(format!("the object `{location}` has other bytes than were written: their hash is {hash}, not {expected}"));
                }
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => {
                    wrong.push(format!("the object `{}` is missing", file.location));
                }
                Err(error) => return Err(error),
            }
        }
        let known: BTreeSet<_> = standing.files.iter().map(|file| &file.location).collect();
        for object in storage.list_data(&standing.prefix).await? {
            if !known.contains(&object.location) {
                wrong.push(format!("the object `{}` is not one of the tier's", object.location));
            }
        }
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        let (figures, sums) = match self.read_back::<S>(&standing.files).await {
            Ok(found) => found,
            Err(error) if error.kind == ErrorKind::InvalidData => return Ok(vec![error.to_string()]),
            Err(error) => return Err(error),
        };
        if figures != standing.figures {
            wrong.push(format!(
                "the objects hold {} points of {} series with the checksum {}, and the ledger says {} of {} with {}",
                figures.count,
                figures.series,
                figures.checksum,
                standing.figures.count,
                standing.figures.series,
                standing.figures.checksum
            ));
        }
        if let Some(parts) = self.ledger.parts(&tier.name, row.window).await?
            && parts.target != sums
        {
            wrong.push(format!(
                "{} of the 256 sums of the objects differ from the ledger's",
                parts.target.differing(&sums).len()
            ));
        }
        Ok(wrong)
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
        let (mut changed, mut gone, mut more) = (Vec::new(), Vec::new(), 0);
        while let Some((name, found)) = both.next().await? {
            if differing.as_ref().is_some_and(|parts| !parts.contains(&PartSums::of(&name))) {
                continue;
            }
            let (stored, archived) = stored_and_archived(found);
            let points = |series: Option<SeriesPoints>| series.map(|series| series.points).unwrap_or_default();
            let (stored, archived) = (points(stored), points(archived));
            let (same, others) = stored.split_by(&archived);
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
        let present = stored.figures.count - more;
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
