//! Flushing: series that have gathered enough points go from a store to the one below.

use jiff::Timestamp;
use lake::Result;

use futures::StreamExt as _;

use crate::metrics::{Metrics, invalid};
use crate::point::{PointBatch, SeriesName};
use crate::store::{Claiming, SCAN_POINTS, Selection, SeriesSummary};
use crate::tiers::{FlushRule, TierName};
use crate::time::TimeRange;

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushReport {
    /// How many series were moved.
    pub series: u64,
    /// How many points went out of the upper store.
    pub points: u64,
}

impl Metrics {
    /// Moves the series that the rule names from a store to a lower one; a rule that names none moves all. What is written
    /// meanwhile stays where it is.
    ///
    /// # Errors
    /// Those of the stores and the ledger; `InvalidInput` when `to` is no store below `from`. What was moved by then stays
    /// moved, and the same call goes on.
    pub async fn flush(&self, from: &TierName, to: &TierName, rule: FlushRule, now: Timestamp) -> Result<FlushReport> {
        let (upper, lower) = (self.tiers.tier(from)?, self.tiers.tier(to)?);
        let is_below = upper.is_store() && lower.is_store() && self.tiers.above(lower).any(|tier| tier.name == *from);
        if !is_below {
            return Err(invalid(format!("cannot flush `{from}` to `{to}`: expected two stores, the upper one first")));
        }
        let _moving = self.movers.wait().await?;
        let series = self.store(from).await?.summaries(Selection::All).await?;
        let due: Vec<SeriesSummary> = series.into_iter().filter(|series| rule.names(series, now)).collect();
        self.move_down(from, to, &due).await
    }

    /// Gives a tier's rule that counts points an age as well: a series that falls silent moves when a window of its points is due, as the
    /// window cannot be dumped before. Without an archive no window is ever due.
    #[must_use]
    pub fn with_due(&self, rule: FlushRule, now: Timestamp) -> FlushRule {
        if rule.count.is_none() || rule.age_ms.is_some() {
            return rule;
        }
        let now_ms = now.as_millisecond();
        // All windows before this one have ended, their lateness too.
        let open = self.tiers.raw_window(now_ms.saturating_sub(self.tiers.lateness_ms));
        FlushRule { age_ms: open.map(|open| now_ms - open.range().start_ms + 1), ..rule }
    }

    /// Moves series; the caller has the leave.
    pub(crate) async fn move_down(&self, from: &TierName, to: &TierName, due: &[SeriesSummary]) -> Result<FlushReport> {
        let store = self.store(from).await?;
        let mut report = FlushReport::default();
        if due.is_empty() {
            return Ok(report);
        }
        // Before anything is deleted: both are places of their own, whatever their addresses look like. Points that are written to
        // where they came from would all be gone in the end.
        for (tier, store) in [(from, &store), (to, &self.store_to_fill(to).await?)] {
            self.claim(tier, store.as_ref(), Claiming::Take).await?;
        }
        let mut rest = due;
        while !rest.is_empty() {
            let mut count = 0;
            let taken = rest
                .iter()
                .take_while(|series| {
                    let fits = count < SCAN_POINTS as u64;
                    count += series.count;
                    fits
                })
                .count();
            let names: Vec<SeriesName> = rest[..taken].iter().map(|series| series.name.clone()).collect();
            rest = &rest[taken..];
            let mut batches = store.scan(TimeRange::ALL, Selection::Names(&names));
            while let Some(batch) = batches.next().await {
                let batch: PointBatch = batch?;
                self.take(to, &batch).await?;
                let gone = self.points().around("metrics: delete flushed points", store.delete_exact(&batch)).await?;
                report.points += gone;
                report.series += batch.series().len() as u64;
            }
        }
        Ok(report)
    }
}
