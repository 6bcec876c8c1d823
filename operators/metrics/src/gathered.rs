//! How many points each series of a store has gathered, as far as this process knows: what a write needs to find the series that
//! have to be flushed.
//!
//! The store is asked for all series once, at the first write. From then on a write looks only at the series that it touched, and
//! at those that have grown old. What is kept here is never too low for what this process wrote; the store is asked for those
//! series alone before any of them moves. What other processes write they flush themselves, or `metrics.flush>` does.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::point::{PointBatch, SeriesName};
use crate::store::SeriesSummary;
use crate::tiers::FlushRule;

/// What a series has gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gathered {
    count: u64,
    oldest_ms: i64,
}

/// The series of a store.
#[derive(Debug, Default)]
pub(crate) struct GatheredSeries {
    /// None before the store was asked.
    known: Option<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_name: HashMap<SeriesName, Gathered>,
    by_age: BTreeSet<(i64, SeriesName)>,
}

impl GatheredSeries {
    /// Tells whether the store was asked.
    pub(crate) fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// Takes what a store says of all series.
    pub(crate) fn begin(&mut self, summaries: Vec<SeriesSummary>) {
        let mut known = Known::default();
        for summary in summaries {
            known.set(summary.name, Gathered { count: summary.count, oldest_ms: summary.oldest_ms });
        }
        self.known = Some(known);
    }

    /// Takes points that were written. Those that were there already are counted once more.
    pub(crate) fn wrote(&mut self, batch: &PointBatch) {
        let Some(known) = &mut self.known else { return };
        for series in batch.series() {
            let Some(first_ms) = series.points.times_ms().first().copied() else { continue };
            let before = known.by_name.get(&series.name).copied();
            let count = before.map_or(0, |before| before.count) + series.points.len() as u64;
            let oldest_ms = before.map_or(first_ms, |before| before.oldest_ms.min(first_ms));
            known.set(series.name.clone(), Gathered { count, oldest_ms });
        }
    }

    /// Takes what a store says of some series; those that it does not tell of have no points.
    pub(crate) fn looked_at(&mut self, names: &[SeriesName], summaries: &[SeriesSummary]) {
        let Some(known) = &mut self.known else { return };
        for name in names {
            known.remove(name);
        }
        for summary in summaries {
            known.set(summary.name.clone(), Gathered { count: summary.count, oldest_ms: summary.oldest_ms });
        }
    }

    /// Lists the series that may be due after a write: of those that it touched, and of all that have grown old; by name.
    pub(crate) fn may_be_due(&self, rule: FlushRule, batch: &PointBatch, now: Timestamp) -> Vec<SeriesName> {
        let Some(known) = &self.known else { return Vec::new() };
        let mut due = BTreeSet::new();
        for series in batch.series() {
            if known.by_name.get(&series.name).is_some_and(|gathered| {
                let summary = SeriesSummary {
                    name: series.name.clone(),
                    count: gathered.count,
                    oldest_ms: gathered.oldest_ms,
                    newest_ms: gathered.oldest_ms,
                };
                rule.names(&summary, now)
            }) {
                due.insert(series.name.clone());
            }
        }
        if let Some(age_ms) = rule.age_ms {
            let latest_ms = now.as_millisecond().saturating_sub(age_ms);
            let old = known.by_age.iter().take_while(|(oldest_ms, _)| *oldest_ms <= latest_ms);
            due.extend(old.map(|(_, name)| name.clone()));
        }
        due.into_iter().collect()
    }
}

impl Known {
    fn set(&mut self, name: SeriesName, gathered: Gathered) {
        self.remove(&name);
        self.by_age.insert((gathered.oldest_ms, name.clone()));
        self.by_name.insert(name, gathered);
    }

    fn remove(&mut self, name: &SeriesName) {
        if let Some(before) = self.by_name.remove(name) {
            self.by_age.remove(&(before.oldest_ms, name.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
