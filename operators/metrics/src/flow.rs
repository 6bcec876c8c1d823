//! How many points came, window by window: what an alert about points that stay away is made of.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use jiff::Timestamp;
use lake::Result;

use crate::metrics::Metrics;
use crate::point::SeriesName;
use crate::store::Selection;
use crate::time::TimeRange;
use crate::window::{PartitionUnit, Window};

/// How many series are counted at once: their times are in memory.
const SERIES: usize = 500;

/// How many points came in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowCount {
    /// The window.
    pub window: Window,
    /// The points in it, of all tiers; each once.
    pub points: u64,
}

impl Metrics {
    /// Counts the points of the last window that has ended, with its lateness, and of some windows before it that have any; by
    /// time. The last one is there also when nothing came in it. Nothing where no window has ended since points came first.
    ///
    /// Of a window that is archived and has become late the larger number counts: the archive's or the stores'.
    ///
    /// # Errors
    /// Those of the ledger and the stores.
    pub async fn flow(&self, before: usize, now: Timestamp) -> Result<Vec<WindowCount>> {
        let Some((archive, unit)) = self.tiers.archive().and_then(|tier| Some((tier, tier.unit()?))) else {
            return Ok(Vec::new());
        };
        let open_ms = now.as_millisecond().saturating_sub(self.tiers.lateness_ms);
        let open = Window::of(unit, open_ms);
        if open_ms < TimeRange::ALL.start_ms || open.range().start_ms == TimeRange::ALL.start_ms {
            return Ok(Vec::new());
        }
        let last = Window::of(unit, open.range().start_ms - 1);
        let ended = TimeRange::new(TimeRange::ALL.start_ms, last.range().end_ms);
        let rows = self.ledger.rows(&archive.name, ended).await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let mut unsettled: BTreeSet<Window> =
            rows.iter().filter(|row| !row.is_settled()).map(|row| row.window).collect();
        if rows.last().is_none_or(|row| row.window != last) && first.window < last {
            unsettled.insert(last);
        }
        let mut counts: BTreeMap<Window, u64> = rows
            .iter()
            .rev()
            .filter(|row| row.window != last)
            .take(before)
            .chain(rows.last().filter(|row| row.window == last))
            .map(|row| (row.window, row.standing.as_ref().map_or(0, |standing| standing.figures.count)))
            .collect();
        counts.entry(last).or_default();
        unsettled.retain(|window| counts.contains_key(window));
        for (window, points) in self.stored_in(unit, &unsettled).await? {
            let archived = counts.entry(window).or_default();
            *archived = points.max(*archived);
        }
        let counts = counts.into_iter().filter(|(window, points)| *points > 0 || *window == last);
        Ok(counts.map(|(window, points)| WindowCount { window, points }).collect())
    }

    /// Counts the points that stores hold of windows; one that is in two stores is one.
    async fn stored_in(&self, unit: PartitionUnit, windows: &BTreeSet<Window>) -> Result<BTreeMap<Window, u64>> {
        let mut counts = BTreeMap::new();
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(counts) };
        let range = Window::widened(unit, &TimeRange::new(first.range().start_ms, last.range().end_ms));
        let mut stores = Vec::new();
        let mut names: BTreeSet<SeriesName> = BTreeSet::new();
        for tier in self.tiers.stores() {
            let store = self.store(&tier.name).await?;
            let series = store.summaries(Selection::All).await?.into_iter();
            let within = series.filter(|of| of.oldest_ms < range.end_ms && of.newest_ms >= range.start_ms);
            names.extend(within.map(|of| of.name));
            stores.push(store);
        }
        let names: Vec<SeriesName> = names.into_iter().collect();
        for names in names.chunks(SERIES) {
            let mut times: BTreeMap<SeriesName, Vec<i64>> = BTreeMap::new();
            for store in &stores {
                let mut batches = store.scan(range, Selection::Names(names));
                while let Some(batch) = batches.try_next().await? {
                    for series in batch.into_series() {
                        times.entry(series.name).or_default().extend_from_slice(series.points.times_ms());
                    }
                }
            }
            for mut times in times.into_values() {
                times.sort_unstable();
                times.dedup();
                for window in windows {
                    let before = |time_ms: i64| times.partition_point(|other| *other < time_ms);
                    let held = before(window.range().end_ms) - before(window.range().start_ms);
                    *counts.entry(*window).or_default() += held as u64;
                }
            }
        }
        Ok(counts)
    }
}
