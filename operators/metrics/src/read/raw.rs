//! Reading raw points: the stores from the top down, then the archive.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use lake::{Error, Result};

use super::owned::Owned;
use super::{Gap, OnGap, Terms, Told};
use crate::ledger::LedgerRow;
use crate::metrics::Metrics;
use crate::point::{Points, SeriesName, SeriesPoints};
use crate::store::{PointStore, Selection};
use crate::tiers::Tier;
use crate::time::TimeRange;
use crate::window::Window;

/// What a tier has of the series.
type Layer = BTreeMap<SeriesName, Points>;

impl Metrics {
    /// Reads the raw points of spans, which ascend.
    pub(super) async fn read_raw(
        &self,
        names: &[SeriesName],
        ranges: &[TimeRange],
        terms: Terms,
    ) -> Result<(BTreeMap<SeriesName, Owned>, Told)> {
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Ok((BTreeMap::new(), Told::default()));
        };
        let hull = TimeRange::new(first.start_ms, last.end_ms);
        let archive = self.tiers.archive();
        let before = match archive {
            Some(archive) => self.ledger.rows(&archive.name, hull).await?,
            None => Vec::new(),
        };
        let settled: Vec<TimeRange> =
            before.iter().filter(|row| row.is_settled()).map(|row| row.window.range()).collect();
        let stored: Vec<TimeRange> = ranges.iter().flat_map(|range| without(*range, &settled)).collect();
        let (mut layers, mut told) = (Vec::new(), Told::default());
        // What is settled needs no store, and waits for none.
        let stores = if stored.is_empty() { Vec::new() } else { self.stores().await };
        for (number, tier, store) in stores {
            match layer_of(store, names, &stored).await {
                Ok(layer) => layers.push((number, layer)),
                Err(error) => {
                    told.lacks_store = true;
                    note_gap(&mut told.gaps, terms.on_gap, tier, &stored, error)?;
                }
            }
        }
        if let Some(archive) = archive.filter(|_| !stored.is_empty())
            && let Some(error) = self.store_left_out("read points", "an answer is made of").await?
        {
            told.lacks_store = true;
            note_gap(&mut told.gaps, terms.on_gap, archive, &stored, error)?;
        }
        // Only now: what left a store while it was read is in the archive by now.
        let after = match archive {
            Some(archive) => self.rows_since(archive, hull, before).await?,
            None => before,
        };
        if let Some(archive) = archive {
            self.note_lost(archive, ranges, (&after, &layers), terms, &mut told).await?;
        }
        let mut owned = BTreeMap::new();
        if let Some((number, tier)) = self.tiers.all().iter().enumerate().find(|(_, tier)| !tier.is_store()) {
            owned = self.read_archive(number, tier, (names, ranges), &after, terms, &mut told).await?;
        }
        for (number, layer) in layers.into_iter().rev() {
            for (name, points) in layer {
                owned.entry(name).or_default().cover(&points, number, self.tiers.duplicate);
            }
        }
        Ok((owned, told))
    }

    /// Returns the rows of a span as they are now. Most of the time nothing has changed, and what is archived of each window need not
    /// be read once more.
    async fn rows_since(&self, tier: &Tier, range: TimeRange, before: Vec<LedgerRow>) -> Result<Vec<LedgerRow>> {
        let stamps = self.ledger.stamps(&tier.name, range).await?;
        if stamps.iter().eq(before.iter().map(LedgerRow::stamp).collect::<Vec<_>>().iter()) {
            return Ok(before);
        }
        self.ledger.rows(&tier.name, range).await
    }

    /// Names the windows that points were written for, and that neither a store nor the archive has any of.
    async fn note_lost(
        &self,
        archive: &Tier,
        ranges: &[TimeRange],
        (rows, layers): (&[LedgerRow], &[(usize, Layer)]),
        terms: Terms,
        told: &mut Told,
    ) -> Result<()> {
        // A store that cannot be read may hold them: that is told already, and it is not waited for once more.
        let may_be = |row: &&LedgerRow| row.is_lost() || (row.standing.is_none() && row.had_points());
        for row in rows.iter().filter(may_be) {
            if told.lacks_store {
                break;
            }
            let window = row.window.range();
            let asked: Vec<TimeRange> =
                ranges.iter().map(|range| range.intersection(&window)).filter(|range| !range.is_empty()).collect();
            let was_read = layers.iter().flat_map(|(_, layer)| layer.values()).any(|points| points.has_any_in(&window));
            if asked.is_empty() || was_read || !self.is_lost(archive, row.window).await? {
                continue;
            }
            note_gap(&mut told.gaps, terms.on_gap, archive, &asked, crate::lost::error(row.window))?;
        }
        Ok(())
    }

    /// Tells whether nothing is left of a window that points were written for. One of which a store cannot be asked may have some left.
    async fn is_lost(&self, archive: &Tier, window: Window) -> Result<bool> {
        if self.is_dropped(archive, window).await? || !self.is_out_of_all_stores(window).await.unwrap_or(false) {
            return Ok(false);
        }
        // Only now: what left the stores while they were looked at is archived.
        Ok(self.ledger.row(&archive.name, window).await?.is_none_or(|row| row.standing.is_none()))
    }

    async fn read_archive(
        &self,
        number: usize,
        tier: &Tier,
        (names, ranges): (&[SeriesName], &[TimeRange]),
        rows: &[LedgerRow],
        terms: Terms,
        told: &mut Told,
    ) -> Result<BTreeMap<SeriesName, Owned>> {
        let mut generations = Vec::with_capacity(rows.len());
        for row in rows {
            let window = row.window.range();
            let wanted: Vec<TimeRange> =
                ranges.iter().map(|range| range.intersection(&window)).filter(|range| !range.is_empty()).collect();
            if let Some(standing) = row.standing.as_ref().filter(|_| !wanted.is_empty()) {
                generations.push(((row, wanted), standing));
            }
        }
        let mut owned: BTreeMap<SeriesName, Owned> = BTreeMap::new();
        let mut reads = self.read_each::<_, SeriesPoints>(names, generations);
        while let Some(((row, wanted), read)) = reads.next().await {
            match read {
                Ok(series) => {
                    for SeriesPoints { name, points } in series {
                        let owned = owned.entry(name).or_default();
                        if wanted == [row.window.range()] {
                            owned.extend(&points, number);
                        } else {
                            for range in &wanted {
                                owned.extend(&points.within(range), number);
                            }
                        }
                    }
                }
                Err(error) => {
                    let held = self.read_instead(tier, row, (names, &wanted), error, terms, told).await?;
                    for (name, points) in held {
                        owned.entry(name).or_default().append(points);
                    }
                }
            }
        }
        Ok(owned)
    }
}

/// Reads spans from a store that was opened.
pub(super) async fn layer_of(
    store: Result<Arc<dyn PointStore>>,
    names: &[SeriesName],
    ranges: &[TimeRange],
) -> Result<Layer> {
    let (store, mut layer) = (store?, Layer::new());
    for range in ranges {
        let mut batches = store.scan(*range, Selection::Names(names));
        while let Some(batch) = batches.try_next().await? {
            for SeriesPoints { name, points } in batch.into_series() {
                // Spans ascend.
                layer.entry(name).or_default().append(points);
            }
        }
    }
    Ok(layer)
}

/// Names what could not be read, or fails.
pub(super) fn note_gap(
    gaps: &mut Vec<Gap>,
    on_gap: OnGap,
    tier: &Tier,
    ranges: &[TimeRange],
    error: Error,
) -> Result<()> {
    match on_gap {
        OnGap::Fail if error.context.iter().any(|(key, _)| *key == "tier") => Err(error),
        OnGap::Fail => Err(error.with("tier", tier.name.as_str())),
        OnGap::Name => {
            let why = why(error);
            gaps.extend(ranges.iter().map(|range| Gap { range: *range, tier: tier.name.clone(), why: why.clone() }));
            Ok(())
        }
    }
}

/// Says what is wrong where the tier is named beside it.
pub(super) fn why(mut error: Error) -> String {
    error.context.retain(|(key, _)| *key != "tier");
    error.to_string()
}

/// Takes spans, which ascend, out of a span.
pub(crate) fn without(range: TimeRange, taken: &[TimeRange]) -> Vec<TimeRange> {
    let mut rest = Vec::new();
    let mut at_ms = range.start_ms;
    for taken in taken.iter().map(|taken| taken.intersection(&range)).filter(|taken| !taken.is_empty()) {
        if at_ms < taken.start_ms {
            rest.push(TimeRange::new(at_ms, taken.start_ms));
        }
        at_ms = at_ms.max(taken.end_ms);
    }
    if at_ms < range.end_ms {
        rest.push(TimeRange::new(at_ms, range.end_ms));
    }
    rest
}
