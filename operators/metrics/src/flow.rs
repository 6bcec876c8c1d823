//! How many points came, window by window: what an alert about points that stay away is made of.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use lake::{ErrorKind, Result};

use crate::ledger::{Archived, LedgerRow};
use crate::metrics::Metrics;
use crate::point::{SeriesName, SeriesPoints};
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
    /// The points of some series do not count: those that are written whether anything comes or not.
    ///
    /// Of a window that is archived and has become late the larger number counts: the archive's or the stores'.
    ///
    /// # Errors
    /// Those of the ledger and the stores.
    pub async fn flow(&self, before: usize, except: &[SeriesName], now: Timestamp) -> Result<Vec<WindowCount>> {
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
        if first.window > last {
            return Ok(Vec::new());
        }
        let mut counts = BTreeMap::from([(last, 0)]);
        let of_last: Vec<&LedgerRow> = rows.iter().filter(|row| row.window == last).collect();
        counts.extend(self.points_in(unit, &of_last, &[last], except).await?);
        let earlier: Vec<&LedgerRow> = rows.iter().rev().filter(|row| row.window != last).collect();
        // Windows in which nothing came but what does not count say nothing of what is usual.
        for some in earlier.chunks(before.max(1)) {
            let windows: Vec<Window> = some.iter().map(|row| row.window).collect();
            let found = self.points_in(unit, some, &windows, except).await?;
            let lacking = (before + 1).saturating_sub(counts.len());
            counts.extend(found.into_iter().rev().filter(|(_, points)| *points > 0).take(lacking));
            if counts.len() > before {
                break;
            }
        }
        Ok(counts.into_iter().map(|(window, points)| WindowCount { window, points }).collect())
    }

    /// Counts the points of windows that count, wherever they are; `rows` are what is known of these.
    async fn points_in(
        &self,
        unit: PartitionUnit,
        rows: &[&LedgerRow],
        windows: &[Window],
        except: &[SeriesName],
    ) -> Result<BTreeMap<Window, u64>> {
        let archived: Vec<(Window, &Archived)> =
            rows.iter().filter_map(|row| Some((row.window, row.standing.as_ref()?))).collect();
        let mut counts: BTreeMap<Window, u64> =
            archived.iter().map(|(window, standing)| (*window, standing.figures.count)).collect();
        let mut reads = self.read_each::<_, SeriesPoints>(except, archived);
        while let Some((window, read)) = reads.next().await {
            // What is damaged is told by others; its count is that of the ledger.
            let series = match read {
                Err(error) if !matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidData) => return Err(error),
                read => read.unwrap_or_default(),
            };
            let own: usize = series.iter().map(|series| series.points.len()).sum();
            counts.entry(window).and_modify(|points| *points = points.saturating_sub(own as u64));
        }
        let is_settled = |window: &&Window| rows.iter().any(|row| row.window == **window && row.is_settled());
        let unsettled = windows.iter().filter(|window| !is_settled(window)).copied().collect();
        for (window, points) in self.stored_in(unit, &unsettled, Selection::All, except).await? {
            let archived = counts.entry(window).or_default();
            *archived = points.max(*archived);
        }
        Ok(counts)
    }

    /// Counts the points that stores hold of windows; one that is in two stores is one.
    pub(crate) async fn stored_in(
        &self,
        unit: PartitionUnit,
        windows: &BTreeSet<Window>,
        selection: Selection<'_>,
        except: &[SeriesName],
    ) -> Result<BTreeMap<Window, u64>> {
        let mut counts = BTreeMap::new();
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(counts) };
        let range = Window::widened(unit, &TimeRange::new(first.range().start_ms, last.range().end_ms));
        let mut stores = Vec::new();
        let mut names: BTreeSet<SeriesName> = BTreeSet::new();
        for (_, _, store) in self.stores().await {
            let store = store?;
            let series = store.summaries(selection).await?.into_iter();
            let within = series.filter(|of| of.oldest_ms < range.end_ms && of.newest_ms >= range.start_ms);
            names.extend(within.map(|of| of.name));
            stores.push(store);
        }
        let names: Vec<SeriesName> = names.into_iter().filter(|name| !except.contains(name)).collect();
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
