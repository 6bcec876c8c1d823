//! Dumping: the points of a closed window go from a store into the archive.

use jiff::Timestamp;
use lake::{Error, ErrorKind, Result};

use crate::archive::{ArchiveBatches, Form};
use crate::astray::Astray;
use crate::checksum::Tally;
use crate::ledger::{Fault, LedgerRow, Touch, WindowState};
use crate::lost;
use crate::make::{Making, Settled, WrittenObjects};
use crate::merge::{SideBySide, store_batches, stored_and_archived};
use crate::metrics::{Metrics, report_of};
use crate::point::{Points, SeriesName, SeriesPoints};
use crate::report::{Outcome, WindowReport};
use crate::store::{PointStore, SCAN_POINTS, Selection};
use crate::tiers::{Tier, TierName};
use crate::time::TimeRange;
use crate::window::Window;

/// What a dump does with a window that was dumped before and got points since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnLate {
    /// It is made anew, as a new version.
    #[default]
    Rewrite,
    /// It stays as it is, and is reported as late.
    Leave,
}

/// What a dump does with a window whose archived objects are damaged or gone, and of which the store and what can be read of the
/// objects do not hold all that was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDamage {
    /// It stays as it is, and is reported as failed.
    #[default]
    Fail,
    /// It is written again from what is left, be it nothing, or from the version that an undo points to: that is all there is.
    Replace,
}

/// How a generation is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeOptions {
    /// The attempt that asks; recorded in the catalog.
    pub attempt: String,
    /// What to do with late windows.
    pub on_late: OnLate,
    /// What to do with damaged windows.
    pub on_damage: OnDamage,
}

impl Metrics {
    /// Lists the windows of the archive that are due: closed, and not dumped, late, or damaged while the store has their points.
    /// With a span, those that hold a part of it, and whatever is damaged in it, not what the catalog points to, or not as the
    /// store.
    ///
    /// # Errors
    /// Those of the ledger, the catalog and the store; `InvalidInput` for another store than the last one, and where the project has a
    /// store of the archive that is not among the tiers.
    pub async fn due_dumps(
        &self,
        from: &TierName,
        to: &TierName,
        window: Option<TimeRange>,
        now: Timestamp,
    ) -> Result<Vec<Window>> {
        let (archive, range) = self.archived_span(from, to, window).await?;
        self.discover(from, archive, &range).await?;
        self.known_dumps(from, to, window, now).await
    }

    /// Returns the archive of a store and a span in whole windows of it: all of time for none.
    async fn archived_span(
        &self,
        from: &TierName,
        to: &TierName,
        window: Option<TimeRange>,
    ) -> Result<(&Tier, TimeRange)> {
        let (_, archive, unit) = self.whole_pair(from, to).await?;
        Ok((archive, window.map_or(TimeRange::ALL, |range| Window::widened(unit, &range))))
    }

    /// The same by what the ledger and the catalog know: no store is looked into, and nothing is noted.
    ///
    /// # Errors
    /// Those of the ledger and the catalog; `InvalidInput` as [`Metrics::due_dumps`].
    pub async fn known_dumps(
        &self,
        from: &TierName,
        to: &TierName,
        window: Option<TimeRange>,
        now: Timestamp,
    ) -> Result<Vec<Window>> {
        let (archive, range) = self.archived_span(from, to, window).await?;
        let rows = self.ledger.rows(to, range).await?;
        let astray = self.astray(archive, &rows).await?;
        let dropped = self.ledger.dropped(to, range).await?;
        let is_due = |row: &&LedgerRow| {
            // Points that came to a window that was given up stay where they are: `came_after` tells of them.
            if row.standing.is_none() && dropped.contains(&row.window) {
                return false;
            }
            let is_broken = match astray.get(&row.window) {
                Some(Astray::Elsewhere(_)) => window.is_some(),
                Some(Astray::Gone) => window.is_some() || row.state != WindowState::Expired,
                None => match row.fault {
                    Some(Fault::Objects) => window.is_some() || row.state != WindowState::Expired,
                    // The next dump would hide what its store has lost: somebody must say that it may.
                    Some(Fault::Store) => window.is_some(),
                    None => false,
                },
            };
            (row.state == WindowState::Open || row.is_late() || is_broken)
                && row.window.is_closed(self.tiers.lateness_ms, now.as_millisecond())
        };
        Ok(rows.iter().filter(is_due).map(|row| row.window).collect())
    }

    /// Finds points that the ledger does not know of: in a store that was filled before, or by a write whose end was never
    /// noted. Their windows become due.
    async fn discover(&self, from: &TierName, archive: &Tier, range: &TimeRange) -> Result<()> {
        let days = self.store(from).await?.days().await?;
        let mut windows: Vec<Window> = days.into_iter().filter_map(|day_ms| self.tiers.raw_window(day_ms)).collect();
        if archive.unit() == Some(crate::window::PartitionUnit::Hour) {
            // A day is of many windows: only those that hold points are of interest.
            let days = windows
                .iter()
                .map(|window| TimeRange::new(window.range().start_ms, window.range().start_ms + 86_400_000));
            windows = days.flat_map(|day| Window::all_in(crate::window::PartitionUnit::Hour, &day)).collect();
        }
        windows.dedup();
        let rows = self.ledger.rows(&archive.name, *range).await?;
        let mut found = Vec::new();
        for window in windows.into_iter().filter(|window| !window.range().intersection(range).is_empty()) {
            let row = rows.binary_search_by_key(&window, |row| row.window).ok().map(|at| &rows[at]);
            let is_unexpected = row.is_none_or(|row| row.state == WindowState::Expired && !row.is_late());
            if is_unexpected {
                let store = self.store(from).await?;
                if self.holds(store.as_ref(), window.range()).await? {
                    found.push(window);
                }
            }
        }
        if !found.is_empty() {
            self.bind(&[self.tiers.tier(from)?, archive]).await?;
            self.claim_once(from, self.store(from).await?.as_ref()).await?;
        }
        let touch = self.ledger.touch(&archive.name, &found, Touch::Found);
        self.points().around("metrics: note windows that were found", touch).await
    }

    /// Dumps a window from a store into the archive: reads the store and what is archived of the window, writes it as objects,
    /// reads them back, and points the catalog to them. A dump of what was dumped already publishes nothing.
    ///
    /// # Errors
    /// Those of the store, the storage, the catalog and the ledger; `InvalidInput` as [`Metrics::due_dumps`]; `Conflict` with the series under
    /// [`crate::DuplicateRule::Error`]; `DataQuality` when the objects read back otherwise than they were written. The same
    /// call goes on. A window that points were written for, and of which no store holds any, is [`Outcome::Failed`], too, rather than
    /// archived empty; one that is archived and for which more were written since is told as [given up](WindowReport::given_up). Archived objects that are not what was written are written again when the store and what can be read of them
    /// hold all of it, else they are [`Outcome::Failed`], and nothing is made of them.
    pub async fn dump(
        &self,
        from: &TierName,
        to: &TierName,
        window: Window,
        options: &MakeOptions,
        now: Timestamp,
    ) -> Result<WindowReport> {
        let (store_tier, archive, _) = self.whole_pair(from, to).await?;
        if !window.is_closed(self.tiers.lateness_ms, now.as_millisecond()) {
            let why = format!(
                "points of the window are expected until {}",
                crate::time::shown(window.range().end_ms + self.tiers.lateness_ms)
            );
            return self.report(archive, window, Outcome::NotDue(why)).await;
        }
        let _moving = self.movers.wait().await?;
        let Settled { row, astray } = self.look(archive, window, Form::Points).await?;
        let Some(row) = row else {
            return Ok(report_of(archive, window, None, Outcome::NotDue("nothing was written into it".to_owned())));
        };
        if self.is_dropped(archive, window).await? {
            let why = format!("`{to}` has given up the window: what comes late stays in its store");
            return self.report(archive, window, Outcome::NotDue(why)).await;
        }
        // Only now that the window's touches are known: a point that comes into an upper store after this look makes it late.
        for upper in self.tiers.above(store_tier) {
            let store = self.store(&upper.name).await?;
            if self.holds(store.as_ref(), window.range()).await? {
                let why = format!("`{}` still holds points of the window: flush them first", upper.name);
                return self.report(archive, window, Outcome::NotDue(why)).await;
            }
        }
        let store = self.store(from).await?;
        let damage = self.known_damage(archive, &row, astray.as_ref()).await?;
        if !damage.is_empty() {
            let repair = self.repair(archive, &row, astray.as_ref(), damage, store.as_ref(), options);
            return Box::pin(repair).await;
        }
        if row.state != WindowState::Open {
            // What the store lacks the archive has: from now on it need hold no more than it does.
            if !row.is_late() && row.fault != Some(Fault::Store) {
                return self.report(archive, window, Outcome::Unchanged).await;
            }
            if row.is_late() && options.on_late == OnLate::Leave {
                return self.report(archive, window, Outcome::Late).await;
            }
        }
        if let Some(standing) = &row.standing
            && !self.holds(store.as_ref(), window.range()).await?
        {
            let is_out = self.is_out_of_all_stores(window).await?;
            let given_up = if is_out && row.had_points_since() { vec![lost::SINCE.to_owned()] } else { Vec::new() };
            // All that there is of the window is archived.
            if row.state == WindowState::Expired && is_out {
                let still = self.ledger.still_expired(to, &row);
                let is_still = self.points().around("metrics: note that nothing has changed", still).await?;
                let outcome = if is_still { Outcome::Unchanged } else { Outcome::Late };
                let report = self.report(archive, window, outcome).await?;
                return Ok(WindowReport { given_up, ..report });
            }
            let source = Tally::default();
            let (touched, begun) = (row.touched(), Some(row.begun));
            let standing = crate::ledger::Archived { touched, begun, source: source.figures, ..standing.clone() };
            let confirm = self.ledger.confirm(to, window, &standing, &source);
            self.points().around("metrics: note that nothing has changed", confirm).await?;
            let report = self.report(archive, window, Outcome::Unchanged).await?;
            return Ok(WindowReport { given_up, ..report });
        }
        let is_lost = row.standing.is_none() && row.had_points() && self.is_out_of_all_stores(window).await?;
        if is_lost && options.on_damage == OnDamage::Fail {
            return self.failed_lost(archive, &row).await;
        }
        let making = self.begin_making(archive, &row, Form::Points, Vec::new(), &options.attempt).await?;
        let archived = match &making.standing {
            Some(standing) => vec![self.scan_standing(to, window, standing).await?],
            None => Vec::new(),
        };
        let written = match self.dump_objects(&making, store.as_ref(), archived).await {
            Err(error) if error.kind == ErrorKind::DataQuality => {
                let damage = self.damaged::<SeriesPoints>(archive, &row, error).await?.mismatches;
                // What was begun is given up.
                let Settled { row, astray } = self.look(archive, window, Form::Points).await?;
                let Some(row) = row else { return self.report(archive, window, Outcome::Late).await };
                let repair = self.repair(archive, &row, astray.as_ref(), damage, store.as_ref(), options);
                let report = Box::pin(repair).await?;
                // It was found just now.
                return Ok(WindowReport { is_known: false, ..report });
            }
            written => written?,
        };
        let moved = written.source.figures.count;
        let is_new = self.end_making::<SeriesPoints>(making, written).await?;
        let outcome = if is_new { Outcome::Made } else { Outcome::Unchanged };
        let report = self.report(archive, window, outcome).await?;
        let given_up = if is_lost { vec!["all points that were written for it".to_owned()] } else { Vec::new() };
        Ok(WindowReport { given_up, moved, ..report })
    }

    /// Writes the points of a store, and those that only the archive has, as objects. Of the archive's scans one has a series.
    pub(crate) async fn dump_objects(
        &self,
        making: &Making<'_>,
        store: &dyn PointStore,
        archived: Vec<ArchiveBatches<SeriesPoints>>,
    ) -> Result<WrittenObjects> {
        let sources = [store_batches(store, making.window.range(), Selection::All)].into_iter().chain(archived);
        let mut series = SideBySide::new(sources);
        let writer = self.start_writer::<SeriesPoints>(making);
        let (mut source, mut ready, mut count) = (Tally::default(), Vec::new(), 0);
        while let Some((name, found)) = series.next().await? {
            let (stored, archived) = stored_and_archived(found);
            let [stored, archived] =
                [stored, archived].map(|series: Option<SeriesPoints>| series.map(|series| series.points));
            if let Some(stored) = &stored {
                source.add(&name, stored);
            }
            let points = self.unite(&name, stored, archived)?;
            count += points.len();
            ready.push(SeriesPoints { name, points });
            if count >= SCAN_POINTS {
                count = 0;
                writer.take(std::mem::take(&mut ready)).await;
            }
        }
        writer.take(ready).await;
        let (files, target) = self.points().around("metrics: write the objects", writer.finish()).await?;
        Ok(WrittenObjects { files, target, source })
    }

    /// Unites what a store and the archive have of a series: what is archived was written before.
    fn unite(&self, name: &SeriesName, stored: Option<Points>, archived: Option<Points>) -> Result<Points> {
        let Some(mut points) = archived else { return Ok(stored.unwrap_or_default()) };
        let Some(stored) = stored else { return Ok(points) };
        points.merge(&stored, self.tiers.duplicate).map_err(|found| {
            let time = crate::time::shown(found.time_ms);
            let message = format!(
                "the series `{name}` has the value {} at {time} in the archive, and {} in the store",
                found.stands, found.written
            );
            Error::new(ErrorKind::Conflict, "archive a window", message)
                .help("`duplicate: last` or `duplicate: max` in tiers.yml says which of two values is kept")
        })?;
        Ok(points)
    }
}
