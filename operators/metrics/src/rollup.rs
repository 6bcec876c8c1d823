//! Rolling up: buckets of a coarser step, always a whole window from whatever finer windows are archived.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use lake::{Error, ErrorKind, Result};

use crate::archive::{ArchiveBatches, Form, SeriesRows, scan};
use crate::astray::Astray;
use crate::bucket::{Gather, SeriesBuckets};
use crate::checksum::Tally;
use crate::dump::{MakeOptions, OnLate};
use crate::ledger::{Fault, LedgerRow, MadeFrom, Touch, WindowState};
use crate::make::{Settled, WrittenObjects};
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
    fine: &'a Tier,
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
        Ok(Pair { fine, coarse, unit, form: if is_raw { Form::Points } else { Form::Buckets } })
    }

    /// Lists the windows of a roll-up that are due: a finer window in them was archived since they were made, or waits to be rolled up
    /// again itself, or they are damaged or gone.
    ///
    /// # Errors
    /// Those of the ledger and the catalog; `InvalidInput` when the tiers are no pair.
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
        let rows = self.ledger.rows(to, range).await?;
        let astray = self.astray(pair.coarse, &rows).await?;
        let made: BTreeMap<Window, LedgerRow> = rows.into_iter().map(|row| (row.window, row)).collect();
        let mut offers: BTreeMap<Window, Vec<LedgerRow>> = BTreeMap::new();
        for row in fine.iter().cloned() {
            offers.entry(Window::of(pair.unit, row.window.range().start_ms)).or_default().push(row);
        }
        let dropped = self.ledger.dropped(from, range).await?;
        // What is made of one of these waits for it.
        let stale = self.stale(pair.fine, &fine).await?;
        let is_due = |(window, rows): (Window, Vec<LedgerRow>)| {
            if dropped.iter().any(|gone| Window::of(pair.unit, gone.range().start_ms) == window) {
                return None;
            }
            if rows.iter().any(is_damaged) {
                // It fails with their names, until they are whole again.
                return Some(window);
            }
            let standing = made.get(&window).and_then(|row| row.standing.as_ref());
            let offer = offer(from, rows, standing.map_or(&[][..], |standing| standing.made_from.as_slice()), source);
            let now = offer.made_from();
            let is_of_stale = offer.rows.iter().any(|row| stale.contains(&row.window));
            let is_damaged = made.get(&window).is_some_and(|row| row.fault == Some(Fault::Objects));
            let is_new = match astray.get(&window) {
                Some(Astray::Gone) => true,
                // Somebody has chosen that.
                Some(Astray::Elsewhere(_)) => standing.is_none_or(|standing| standing.made_from != now),
                None => is_damaged || is_of_stale || standing.is_none_or(|standing| standing.made_from != now),
            };
            (offer.wait.is_none() && !now.is_empty() && is_new).then_some(window)
        };
        Ok(offers.into_iter().filter_map(is_due).collect())
    }

    /// Rolls a window up: all of it, from the finer windows in it that are archived, as a new version. One that was made from
    /// the same generations is not made again.
    ///
    /// # Errors
    /// As [`Metrics::dump`]. A finer window whose objects are damaged is what the report is about.
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
        let Settled { row: settled_row, astray } = self.look(pair.coarse, window, Form::Buckets).await?;
        if let (Some(Astray::Elsewhere(_)), Some(row)) = (&astray, &settled_row)
            && let (Some(astray), Some(standing)) = (&astray, &row.standing)
        {
            // Somebody has chosen another version: it is not made again over that.
            return self.failed_astray(pair.coarse, row, standing, astray).await;
        }
        let standing = settled_row.as_ref().and_then(|row| row.standing.clone());
        if !self.ledger.dropped(from, window.range()).await?.is_empty() {
            let why = format!("`{from}` has given up windows of it, so that it cannot be made again");
            return self.report(pair.coarse, window, Outcome::NotDue(why)).await;
        }
        let rows = self.ledger.rows(from, window.range()).await?;
        if let Some(damaged) = rows.iter().find(|row| is_damaged(row)) {
            // Made without it, the roll-up would pass for whole.
            let found = match pair.form {
                Form::Points => self.find_damage::<SeriesPoints>(pair.fine, damaged).await?,
                Form::Buckets => self.find_damage::<SeriesBuckets>(pair.fine, damaged).await?,
            };
            if let Some(report) = found {
                return Ok(report);
            }
        }
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
        // What is damaged or gone is made again, whatever it was made from.
        let is_broken = astray.is_some() || settled_row.as_ref().is_some_and(|row| row.fault == Some(Fault::Objects));
        if let Some(standing) = standing.as_ref().filter(|_| !is_broken) {
            if standing.made_from == made_from {
                let outcome = match self.stale(pair.fine, &offer.rows).await?.first() {
                    Some(older) => Outcome::NotDue(format!(
                        "the window {older} of `{from}` is made of older windows than stand now: roll it up again first"
                    )),
                    None => Outcome::Unchanged,
                };
                return self.report(pair.coarse, window, outcome).await;
            }
            if options.on_late == OnLate::Leave {
                return self.report(pair.coarse, window, Outcome::Late).await;
            }
        }
        if settled_row.is_none() {
            // The ledger has a row before there is anything to note in it.
            let windows = [window];
            self.bind(&[pair.coarse]).await?;
            let touch = self.ledger.touch(to, &windows, Touch::Found);
            self.points().around("metrics: note a roll-up's window", touch).await?;
        }
        let Some(row) = self.ledger.row(to, window).await? else {
            return Err(invalid(format!("the ledger lost the window {window} of `{to}`")));
        };
        let mut making = self.begin_making(pair.coarse, &row, Form::Buckets, made_from, &options.attempt).await?;
        if is_broken {
            making.standing = None;
        }
        let writer = self.start_writer::<SeriesBuckets>(&making);
        let mut buckets = self.gather(&pair, &offer.rows).await?;
        let (mut source, mut ready, mut count) = (Tally::default(), Vec::new(), 0);
        loop {
            let (series, points) = match buckets.try_next().await {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => return self.damaged_source(&pair, &offer.rows, error).await,
            };
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
        let Settled { row: settled_row, astray } = self.look(pair.coarse, window, Form::Buckets).await?;
        let Some((row, standing)) = settled_row.as_ref().and_then(|row| Some((row, row.standing.as_ref()?))) else {
            return self.report(pair.coarse, window, Outcome::NotDue("it was not rolled up".to_owned())).await;
        };
        if let Some(astray) = astray {
            return self.failed_astray(pair.coarse, row, standing, &astray).await;
        }
        let mismatches = self.check_objects::<SeriesBuckets>(pair.coarse, row, standing).await?;
        if !mismatches.is_empty() {
            return self.failed(pair.coarse, row, Fault::Objects, mismatches).await;
        }
        if !self.ledger.dropped(from, window.range()).await?.is_empty() {
            // Nothing is left to compare with: it was verified before that went.
            if row.fault.is_some() {
                return self.note_verified(pair.coarse, row).await;
            }
            return self.report(pair.coarse, window, Outcome::Unchanged).await;
        }
        let rows = self.ledger.rows(from, window.range()).await?;
        let offer = offer(from, rows, &standing.made_from, RollupSource::Archived);
        let is_of_now = offer.made_from() == standing.made_from && !offer.rows.iter().any(LedgerRow::is_late);
        if !is_of_now || !self.stale(pair.fine, &offer.rows).await?.is_empty() {
            return self.report(pair.coarse, window, Outcome::Late).await;
        }
        let made = scan::<SeriesBuckets>(&self.lake.storage, &standing.files, Selection::All);
        let expected = self.gather(&pair, &offer.rows).await?.map_ok(|(series, _)| vec![series]).boxed();
        let mut both = SideBySide::new([expected, made]);
        let mut wrong = Vec::new();
        loop {
            let (name, found) = match both.next().await {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => return self.damaged_source(&pair, &offer.rows, error).await,
            };
            let is_same = matches!(found.as_slice(), [(0, expected), (1, made)] if expected == made);
            if !is_same && wrong.len() < NAMED {
                wrong.push(format!("the buckets of the series `{name}` are not those that `{from}` gives"));
            }
        }
        if wrong.is_empty() {
            self.note_verified(pair.coarse, row).await
        } else {
            self.failed(pair.coarse, row, Fault::Objects, wrong).await
        }
    }

    /// Gathers the buckets of finer windows, series by series, with how many rows they come from.
    async fn gather(
        &self,
        pair: &Pair<'_>,
        rows: &[LedgerRow],
    ) -> Result<futures::stream::BoxStream<'static, Result<(SeriesBuckets, u64)>>> {
        let step = pair.coarse.step;
        Ok(match pair.form {
            Form::Points => {
                let scans = self.scan_rows(pair.fine, rows).await?;
                gathered(scans, step, |gather: &mut Gather, series: SeriesPoints| gather.points(&series.points))
            }
            Form::Buckets => {
                let scans = self.scan_rows(pair.fine, rows).await?;
                gathered(scans, step, |gather: &mut Gather, series: SeriesBuckets| gather.buckets(&series.buckets))
            }
        })
    }

    async fn scan_rows<S: SeriesRows>(&self, tier: &Tier, rows: &[LedgerRow]) -> Result<Vec<ArchiveBatches<S>>> {
        let mut scans = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(standing) = &row.standing {
                scans.push(self.scan_standing(&tier.name, row.window, standing).await?);
            }
        }
        Ok(scans)
    }

    /// Finds the finer window whose objects did not read as they were written, and reports it; any other error stays one.
    async fn damaged_source(&self, pair: &Pair<'_>, rows: &[LedgerRow], error: Error) -> Result<WindowReport> {
        if error.kind != ErrorKind::DataQuality {
            return Err(error);
        }
        for row in rows {
            let report = match pair.form {
                Form::Points => self.find_damage::<SeriesPoints>(pair.fine, row).await?,
                Form::Buckets => self.find_damage::<SeriesBuckets>(pair.fine, row).await?,
            };
            if let Some(report) = report {
                return Ok(report);
            }
        }
        Err(error)
    }
}

/// Puts the series of windows, which are in the order of time, into buckets.
fn gathered<S: SeriesRows>(
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

/// Tells whether the objects of a window were found damaged.
fn is_damaged(row: &LedgerRow) -> bool {
    row.fault == Some(Fault::Objects) && row.standing.is_some()
}

/// Chooses the finer windows that a roll-up is made from. One that it was made from before must not be missing now, nor one of
/// which something was found wrong.
fn offer(tier: &TierName, rows: Vec<LedgerRow>, made_from: &[MadeFrom], source: RollupSource) -> Offer {
    let mut offer = Offer { tier: tier.clone(), rows: Vec::new(), wait: None };
    for row in rows {
        let is_offered = match source {
            RollupSource::Verified => row.is_settled(),
            RollupSource::Archived => row.standing.is_some(),
        };
        if is_offered && row.state != WindowState::Open {
            offer.rows.push(row);
        } else if (row.fault.is_some() && !row.is_lost())
            || made_from.iter().any(|made| made.tier == tier.as_str() && made.window == row.window.label())
        {
            offer.wait = Some(format!("the window {} has to be dumped and verified again first", row.window));
        }
    }
    offer
}
