//! A store in memory, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use lake::{Error, ErrorKind, Result};

use super::{PointStore, SCAN_POINTS, Selection, SeriesSummary};
use crate::duplicate::DuplicateRule;
use crate::point::{Merged, PointBatch, Points, SeriesName, SeriesPoints};
use crate::time::TimeRange;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// A store in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore(Mutex<BTreeMap<SeriesName, Points>>);

impl MemoryStore {
    fn series(&self) -> MutexGuard<'_, BTreeMap<SeriesName, Points>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PointStore for MemoryStore {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        let mut all = self.series();
        let mut merged = Merged::default();
        for SeriesPoints { name, points } in batch.series() {
            merged += all
                .entry(name.clone())
                .or_default()
                .merge(points, rule)
                .map_err(|found| Error::new(ErrorKind::Conflict, "write points", format!("`{name}`: {found:?}")))?;
        }
        Ok(merged)
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        let mut all = self.series();
        Ok(batch
            .series()
            .iter()
            .map(|series| all.get_mut(&series.name).map_or(0, |points| points.remove_exact(&series.points)))
            .sum())
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        let mut batches = vec![Vec::new()];
        let mut count = 0;
        for (name, points) in self.series().iter() {
            if matches!(selection, Selection::Names(names) if !names.contains(name)) {
                continue;
            }
            let points = points.within(&range);
            count += points.len();
            if let Some(last) = batches.last_mut() {
                last.push(SeriesPoints { name: name.clone(), points });
            }
            if count >= SCAN_POINTS {
                count = 0;
                batches.push(Vec::new());
            }
        }
        futures::stream::iter(batches).map(PointBatch::new).boxed()
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        let all = self.series();
        Ok(all
            .iter()
            .filter(|(name, _)| !matches!(selection, Selection::Names(names) if !names.contains(name)))
            .filter_map(|(name, points)| {
                let (oldest_ms, newest_ms) = (*points.times_ms().first()?, *points.times_ms().last()?);
                Some(SeriesSummary { name: name.clone(), count: points.len() as u64, oldest_ms, newest_ms })
            })
            .collect())
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        let all = self.series();
        Ok(all.values().flat_map(Points::times_ms).map(|time_ms| time_ms - time_ms.rem_euclid(DAY_MS)).collect())
    }
}
