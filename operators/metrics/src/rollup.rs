//! Rolling up: buckets of a coarser step, always a whole window from whatever finer windows are archived.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use lake::Result;

use crate::archive::{ArchiveBatches, Form, SeriesRows as _, scan};
use crate::bucket::{Gather, SeriesBuckets};
use crate::checksum::Tally;
use crate::dump::{MakeOptions, OnLate};
use crate::ledger::{LedgerRow, MadeFrom, Touch, WindowState};
use crate::make::WrittenObjects;
use crate::merge::{Batches, SideBySide};
use crate::metrics::{Metrics, invalid, report_of};
use crate::point::{SeriesName, SeriesPoints};
use crate::report::{Outcome, WindowReport};
use crate::store::{SCAN_POINTS, Selection};
use crate::tiers::{Step, Tier, TierName};
use crate::time::TimeRange;
use crate::verify::NAMED;
use crate::window::{PartitionUnit, Window};

/// Which finer windows a roll-up is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RollupSource {
    /// Those that are verified.
    #[default]
    Verified,
    /// All that are archived.
    Archived,
}

/// A roll-up, and what the finer tier keeps.
struct Pair<'a> {
    coarse: &'a Tier,
    unit: PartitionUnit,
    form: Form,
}

/// What a finer tier offers for a window.
struct Offer {
    tier: TierName,
    rows: Vec<LedgerRow>,
    /// Why it is too early.
    wait: Option<String>,
}

impl Offer {
    fn made_from(&self) -> Vec<MadeFrom> {
        let of = |row: &LedgerRow| {
            let generation = row.standing.as_ref()?.generation;
            Some(MadeFrom { tier: self.tier.to_string(), window: row.window.label(), generation })
        };
        self.rows.iter().filter_map(of).collect()
    }
}

impl Metrics {
    fn rollup_pair(&self, from: &TierName, to: &TierName) -> Result<Pair<'_>> {
        let (fine, coarse) = (self.tiers.tier(from)?, self.tiers.tier(to)?);
        let (Some(_), Some(unit)) = (fine.unit(), coarse.unit()) else {
            return Err(invalid(format!(
                "cannot roll `{from}` up to `{to}`: expected two Parquet tiers, the finer one first"
            )));
        };
        let is_raw = self.tiers.archive().is_some_and(|archive| archive.name == *from);
        if coarse.step <= fine.step || coarse.step.ms() % fine.step.ms() != 0 || fine.unit() > coarse.unit() {
            return Err(invalid(format!("cannot roll `{from}` up to `{to}`: expected the finer tier first")));
        }
        Ok(Pair { coarse, unit, form: if is_raw { Form::Points } else { Form::Buckets } })
    }

    /// Lists the windows of a roll-up that are due: a finer window in them was archived since they were made.
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` when the tiers are no pair.
    pub async fn due_rollups(
        &self,
        from: &TierName,
        to: &TierName,
        window: Option<TimeRange>,
        source: RollupSource,
    ) -> Result<Vec<Window>> {
        let pair = self.rollup_pair(from, to)?;
        let range = window.map_or(TimeRange::ALL, |range| Window::widened(pair.unit, &range));
        let fine = self.ledger.rows(from, range).await?;
        let made: BTreeMap<Window, LedgerRow> =
            self.ledger.rows(to, range).await?.into_iter().map(|row| (row.window, row)).collect();
        let mut offers: BTreeMap<Window, Vec<LedgerRow>> = BTreeMap::new();
        for row in fine {
            offers.entry(Window::of(pair.unit, row.window.range().start_ms)).or_default().push(row);
        }
        let dropped = self.ledger.dropped(from, range).await?;
        let is_due = |(window, rows): (Window, Vec<LedgerRow>)| {
            if dropped.iter().any(|gone| Window::of(pair.unit, gone.range().start_ms) == window) {
                return None;
            }
            let standing = made.get(&window).and_then(|row| row.standing.as_ref());
            let offer = offer(from, rows, standing.map_or(&[][..], |standing| standing.made_from.as_slice()), source);
            let now = offer.made_from();
            let is_new = !now.is_empty() && standing.is_none_or(|standing| standing.made_from != now);
            (offer.wait.is_none() && is_new).then_some(window)
        };
        Ok(offers.into_iter().filter_map(is_due).collect())
    }

    /// Rolls a window up: all of it, from the finer windows in it that are archived, as a new version. One that was made from
    /// the same generations is not made again.
    ///
    /// # Errors
    /// As [`Metrics::dump`].
    pub async fn rollup(
        &self,
        from: &TierName,
        to: &TierName,
        window: Window,
        source: RollupSource,
        options: &MakeOptions,
        _now: Timestamp,
    ) -> Result<WindowReport> {
        let pair = self.rollup_pair(from, to)?;
        let _moving = self.movers.wait().await?;
        let settled_row = self.settle(pair.coarse, window, Form::Buckets).await?;
        let standing = settled_row.as_ref().and_then(|row| row.standing.clone());
        if !self.ledger.dropped(from, window.range()).await?.is_empty() {
            let why = format!("`{from}` has given up windows of it, so that it cannot be made again");
            return self.report(pair.coarse, window, Outcome::NotDue(why)).await;
        }
        let rows = self.ledger.rows(from, window.range()).await?;
        let offer =
            offer(from, rows, standing.as_ref().map_or(&[][..], |standing| standing.made_from.as_slice()), source);
        if let Some(why) = offer.wait {
            return self.report(pair.coarse, window, Outcome::NotDue(why)).await;
        }
        let made_from = offer.made_from();
        if made_from.is_empty() {
            let why = format!("`{from}` has nothing of the window that is verified");
            return Ok(report_of(pair.coarse, window, settled_row.as_ref(), Outcome::NotDue(why)));
        }
        if let Some(standing) = &standing {
            if standing.made_from == made_from {
                return self.report(pair.coarse, window, Outcome::Unchanged).await;
            }
            if options.on_late == OnLate::Leave {
                return self.report(pair.coarse, window, Outcome::Late).await;
            }
        }
        if settled_row.is_none() {
            // The ledger has a row before there is anything to note in it.
            let windows = [window];
            let touch = self.ledger.touch(to, &windows, Touch::Found);
            self.points().around("metrics: note a roll-up's window", touch).await?;
        }
        let Some(row) = self.ledger.row(to, window).await? else {
            return Err(invalid(format!("the ledger lost the window {window} of `{to}`")));
        };
        let making = self.begin_making(pair.coarse, &row, Form::Buckets, made_from, &options.attempt).await?;
        let writer = self.start_writer::<SeriesBuckets>(&making);
        let mut buckets = self.gather(&pair, &offer.rows);
        let (mut source, mut ready, mut count) = (Tally::default(), Vec::new(), 0);
        while let Some((series, points)) = buckets.try_next().await? {
            source.figures.series += 1;
            source.figures.count += points;
            count += series.len();
            ready.push(series);
            if count >= SCAN_POINTS {
                count = 0;
                writer.take(std::mem::take(&mut ready)).await;
            }
        }
        writer.take(ready).await;
        let (files, target) = self.points().around("metrics: write the objects", writer.finish()).await?;
        let moved = source.figures.count;
        let is_new = self.end_making::<SeriesBuckets>(making, WrittenObjects { files, target, source }).await?;
        let outcome = if is_new { Outcome::Made } else { Outcome::Unchanged };
        let report = self.report(pair.coarse, window, outcome).await?;
        Ok(WindowReport { moved, ..report })
    }

    /// Verifies a window of a roll-up: its objects, and that each bucket is what the finer tier gives.
    pub(crate) async fn verify_rollup(&self, from: &TierName, to: &TierName, window: Window) -> Result<WindowReport> {
        let pair = self.rollup_pair(from, to)?;
        let _moving = self.movers.wait().await?;
        let settled_row = self.settle(pair.coarse, window, Form::Buckets).await?;
        let Some((row, standing)) = settled_row.as_ref().and_then(|row| Some((row, row.standing.as_ref()?))) else {
            return self.report(pair.coarse, window, Outcome::NotDue("it was not rolled up".to_owned())).await;
        };
        let mismatches = self.check_objects::<SeriesBuckets>(pair.coarse, row, standing).await?;
        if !mismatches.is_empty() {
            return self.failed(pair.coarse, window, mismatches).await;
        }
        if !self.ledger.dropped(from, window.range()).await?.is_empty() {
            // Nothing is left to compare with: it was verified before that went.
            return self.report(pair.coarse, window, Outcome::Unchanged).await;
        }
        let rows = self.ledger.rows(from, window.range()).await?;
        let offer = offer(from, rows, &standing.made_from, RollupSource::Archived);
        if offer.made_from() != standing.made_from || offer.rows.iter().any(LedgerRow::is_late) {
            return self.report(pair.coarse, window, Outcome::Late).await;
        }
        let made = scan::<SeriesBuckets>(&self.lake.storage, &standing.files, Selection::All);
        let expected = self.gather(&pair, &offer.rows).map_ok(|(series, _)| vec![series]).boxed();
        let mut both = SideBySide::new([expected, made]);
        let mut wrong = Vec::new();
        while let Some((name, found)) = both.next().await? {
            let is_same = matches!(found.as_slice(), [(0, expected), (1, made)] if expected == made);
            if !is_same && wrong.len() < NAMED {
                wrong.push(format!("the buckets of the series `{name}` are not those that `{from}` gives"));
            }
        }
        if wrong.is_empty() {
            self.note_verified(pair.coarse, row).await
        } else {
            self.failed(pair.coarse, window, wrong).await
        }
    }

    /// Gathers the buckets of finer windows, series by series, with how many rows they come from.
    fn gather(
        &self,
        pair: &Pair<'_>,
        rows: &[LedgerRow],
    ) -> futures::stream::BoxStream<'static, Result<(SeriesBuckets, u64)>> {
        let files = rows.iter().filter_map(|row| row.standing.as_ref()).map(|standing| &standing.files);
        let (storage, step) = (&self.lake.storage, pair.coarse.step);
        match pair.form {
            Form::Points => {
                let scans: Vec<ArchiveBatches<SeriesPoints>> =
                    files.map(|files| scan(storage, files, Selection::All)).collect();
                gathered(scans, step, |gather: &mut Gather, series: SeriesPoints| gather.points(&series.points))
            }
            Form::Buckets => {
                let scans: Vec<ArchiveBatches<SeriesBuckets>> =
                    files.map(|files| scan(storage, files, Selection::All)).collect();
                gathered(scans, step, |gather: &mut Gather, series: SeriesBuckets| gather.buckets(&series.buckets))
            }
        }
    }
}

/// Puts the series of windows, which are in the order of time, into buckets.
fn gathered<S: crate::archive::SeriesRows>(
    scans: Vec<Batches<'static, S>>,
    step: Step,
    add: fn(&mut Gather, S),
) -> futures::stream::BoxStream<'static, Result<(SeriesBuckets, u64)>> {
    let series = SideBySide::new(scans);
    futures::stream::try_unfold(series, move |mut series| async move {
        let Some((name, found)): Option<(SeriesName, Vec<(usize, S)>)> = series.next().await? else { return Ok(None) };
        let (mut gather, mut rows) = (Gather::new(step), 0);
        for (_, part) in found {
            rows += part.len() as u64;
            add(&mut gather, part);
        }
        Ok(Some(((SeriesBuckets { name, buckets: gather.finish() }, rows), series)))
    })
    .boxed()
}

/// Chooses the finer windows that a roll-up is made from. One that it was made from before must not be missing now.
fn offer(tier: &TierName, rows: Vec<LedgerRow>, made_from: &[MadeFrom], source: RollupSource) -> Offer {
    let mut offer = Offer { tier: tier.clone(), rows: Vec::new(), wait: None };
    for row in rows {
        let is_offered = match source {
            RollupSource::Verified => row.is_settled(),
            RollupSource::Archived => row.standing.is_some(),
        };
        if is_offered && row.state != WindowState::Open {
            offer.rows.push(row);
        } else if made_from.iter().any(|made| made.tier == tier.as_str() && made.window == row.window.label()) {
            offer.wait = Some(format!("the window {} has to be dumped and verified again first", row.window));
        }
    }
    offer
}
