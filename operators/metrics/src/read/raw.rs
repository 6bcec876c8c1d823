//! Reading raw points: the stores from the top down, then the archive.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use lake::{Error, Result};

use super::owned::Owned;
use super::{Gap, OnGap};
use crate::archive::scan;
use crate::ledger::LedgerRow;
use crate::metrics::Metrics;
use crate::point::{Points, SeriesName, SeriesPoints};
use crate::store::Selection;
use crate::tiers::Tier;
use crate::time::TimeRange;

/// How many windows of the archive are read at a time.
const WINDOWS_AT_ONCE: usize = 16;

/// What a tier has of the series.
type Layer = BTreeMap<SeriesName, Points>;

impl Metrics {
    /// Reads the raw points of spans, which ascend.
    pub(super) async fn read_raw(
        &self,
        names: &[SeriesName],
        ranges: &[TimeRange],
        on_gap: OnGap,
    ) -> Result<(BTreeMap<SeriesName, Owned>, Vec<Gap>)> {
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Ok((BTreeMap::new(), Vec::new()));
        };
        let hull = TimeRange::new(first.start_ms, last.end_ms);
        let archive = self.tiers.archive();
        let rows = || async {
            match archive {
                Some(archive) => self.ledger.rows(&archive.name, hull).await,
                None => Ok(Vec::new()),
            }
        };
        let before = rows().await?;
        let settled: Vec<TimeRange> =
            before.iter().filter(|row| row.is_settled()).map(|row| row.window.range()).collect();
        let stored: Vec<TimeRange> = ranges.iter().flat_map(|range| without(*range, &settled)).collect();
        let (mut layers, mut gaps) = (Vec::new(), Vec::new());
        for (number, tier) in self.tiers.all().iter().enumerate().filter(|(_, tier)| tier.is_store()) {
            match self.read_store(tier, names, &stored).await {
                Ok(layer) => layers.push((number, layer)),
                Err(error) => {
                    note_gap(&mut gaps, on_gap, tier, &stored, error)?;
                }
            }
        }
        // Only now: what left a store while it was read is in the archive by now.
        let after = rows().await?;
        let mut owned = BTreeMap::new();
        if let Some((number, tier)) = self.tiers.all().iter().enumerate().find(|(_, tier)| !tier.is_store()) {
            owned = self.read_archive(number, tier, names, ranges, &after, on_gap, &mut gaps).await?;
        }
        for (number, layer) in layers.into_iter().rev() {
            for (name, points) in layer {
                owned.entry(name).or_default().cover(&points, number, self.tiers.duplicate);
            }
        }
        Ok((owned, gaps))
    }

    async fn read_store(&self, tier: &Tier, names: &[SeriesName], ranges: &[TimeRange]) -> Result<Layer> {
        let mut layer = Layer::new();
        if ranges.is_empty() {
            return Ok(layer);
        }
        let store = self.store(&tier.name).await?;
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

    #[expect(clippy::too_many_arguments, reason = "one caller; a struct of them would say no more")]
    async fn read_archive(
        &self,
        number: usize,
        tier: &Tier,
        names: &[SeriesName],
        ranges: &[TimeRange],
        rows: &[LedgerRow],
        on_gap: OnGap,
        gaps: &mut Vec<Gap>,
    ) -> Result<BTreeMap<SeriesName, Owned>> {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let window = row.window.range();
            let wanted: Vec<TimeRange> =
                ranges.iter().map(|range| range.intersection(&window)).filter(|range| !range.is_empty()).collect();
            if let Some(standing) = row.standing.as_ref().filter(|_| !wanted.is_empty()) {
                jobs.push((window, wanted, standing.files.clone(), self.lake.storage.clone(), names.to_vec()));
            }
        }
        let mut owned: BTreeMap<SeriesName, Owned> = BTreeMap::new();
        let mut reads = futures::stream::iter(jobs)
            .map(|(window, wanted, files, storage, names)| async move {
                // In a task of its own: decoding takes processor time.
                let read = tokio::spawn(async move {
                    scan::<SeriesPoints>(&storage, &files, Selection::Names(&names)).try_concat().await
                });
                let read = read.await.unwrap_or_else(|error| {
                    Err(Error::new(lake::ErrorKind::External, "read an archive", "the reading stopped").source(error))
                });
                (window, wanted, read)
            })
            .buffered(WINDOWS_AT_ONCE);
        while let Some((window, wanted, read)) = reads.next().await {
            match read {
                Ok(series) => {
                    for SeriesPoints { name, points } in series {
                        let owned = owned.entry(name).or_default();
                        if wanted == [window] {
                            owned.extend(&points, number);
                        } else {
                            for range in &wanted {
                                owned.extend(&points.within(range), number);
                            }
                        }
                    }
                }
                Err(error) => note_gap(gaps, on_gap, tier, &wanted, error)?,
            }
        }
        Ok(owned)
    }
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
        // An object that has gone was archived anew: the read begins anew.
        OnGap::Name if error.kind == lake::ErrorKind::NotFound => Err(error),
        OnGap::Name => {
            let why = error.to_string();
            gaps.extend(ranges.iter().map(|range| Gap { range: *range, tier: tier.name.clone(), why: why.clone() }));
            Ok(())
        }
    }
}

/// Takes spans, which ascend, out of a span.
pub(super) fn without(range: TimeRange, taken: &[TimeRange]) -> Vec<TimeRange> {
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
