//! Writing: touch the windows, write the points, touch the windows again.
//!
//! The first touch is the intent: a window that nobody knew is in the ledger before its first point is in a store. The second
//! makes a dump late that read the store meanwhile. Only then a write has been taken.

use std::sync::Arc;

use jiff::Timestamp;
use lake::{Error, ErrorKind, Result};

use crate::duplicate::DuplicateRule;
use crate::gathered::GatheredSeries;
use crate::ledger::Touch;
use crate::metrics::{Metrics, invalid};
use crate::point::{Merged, PointBatch, SeriesName};
use crate::store::{PointStore, Selection, SeriesSummary};
use crate::tiers::{FlushRule, TierKind, TierName};
use crate::window::Window;

/// What a write did.
#[derive(Debug)]
pub struct Written {
    /// What came of the points: all of them are taken.
    pub merged: Merged,
    /// Why nothing was flushed to the store below; none where that was done, or is not due.
    pub not_flushed: Option<Error>,
}

/// Says of an error of the flush after a write that the write was taken.
fn written_and_not_flushed(tier: &TierName, below: &TierName, error: Error) -> Error {
    let message =
        format!("the points are written into `{tier}`, and were not moved on to `{below}`: {}", error.message);
    Error { message, ..error }
}

impl Metrics {
    /// Writes points into a store. Writing the same points again changes nothing.
    ///
    /// When the tier says so, series with enough points are flushed to the store below, unless points are being moved, or the tier's
    /// server may have lost some: then all that was written stays, and [`Written::not_flushed`] says why.
    ///
    /// # Errors
    /// As [`crate::PointStore::write`], and `Conflict` for a value that another tier contradicts, before anything is written; `InvalidInput` for a Parquet tier; those of the ledger.
    pub async fn write(&self, tier: &TierName, batch: &PointBatch, now: Timestamp) -> Result<Written> {
        let TierKind::Store { flush } = &self.tiers.tier(tier)?.kind else {
            return Err(invalid(format!(
                "cannot write into `{tier}`: it is a Parquet tier, which dumps and roll-ups make"
            )));
        };
        if self.tiers.duplicate == DuplicateRule::Error {
            self.refuse_contradictions(batch).await?;
        }
        let merged = self.take(tier, batch).await?;
        let below = self.tiers.stores().skip_while(|other| other.name != *tier).nth(1);
        let mut not_flushed = None;
        if let (Some(rule), Some(below)) = (flush, below) {
            let store = self.store_to_fill(tier).await?;
            match self.refuse_loss(tier, store.as_ref()).await {
                Ok(()) => {
                    let flush = self.flush_after(tier, &store, &below.name, self.with_due(*rule, now), batch, now);
                    flush.await.map_err(|error| written_and_not_flushed(tier, &below.name, error))?;
                }
                Err(loss) if loss.kind == ErrorKind::ResourcesExhausted => {
                    // What is written meanwhile is not counted.
                    if let Some(gathered) = self.gathered.get(tier) {
                        *gathered.lock().await = GatheredSeries::default();
                    }
                    not_flushed = Some(loss.with("tier", tier.as_str()));
                }
                Err(error) => return Err(written_and_not_flushed(tier, &below.name, error)),
            }
        }
        Ok(Written { merged, not_flushed })
    }

    /// Flushes the series that a write has made due, and those that have grown old, unless points are being moved.
    async fn flush_after(
        &self,
        tier: &TierName,
        store: &Arc<dyn PointStore>,
        below: &TierName,
        rule: FlushRule,
        batch: &PointBatch,
        now: Timestamp,
    ) -> Result<()> {
        let Some(gathered) = self.gathered.get(tier) else { return Ok(()) };
        let mut gathered = gathered.lock().await;
        if gathered.is_known() {
            gathered.wrote(batch);
        } else {
            gathered.begin(store.summaries(Selection::All).await?);
        }
        let names = gathered.may_be_due(rule, batch, now);
        if names.is_empty() {
            return Ok(());
        }
        let Some(_moving) = self.movers.now()? else { return Ok(()) };
        let found = store.summaries(Selection::Names(&names)).await?;
        gathered.looked_at(&names, &found);
        let due: Vec<SeriesSummary> = found.into_iter().filter(|series| rule.names(series, now)).collect();
        self.move_down(tier, below, &due).await?;
        // What others wrote into them meanwhile is theirs to flush.
        let moved: Vec<SeriesName> = due.into_iter().map(|series| series.name).collect();
        gathered.looked_at(&moved, &[]);
        Ok(())
    }

    /// Writes points into a store by the protocol.
    pub(crate) async fn take(&self, tier: &TierName, batch: &PointBatch) -> Result<Merged> {
        let store = self.store_to_fill(tier).await?;
        let is_kept_by = [Some(self.tiers.tier(tier)?), self.tiers.archive()];
        self.bind(&is_kept_by.into_iter().flatten().collect::<Vec<_>>()).await?;
        self.claim_once(tier, store.as_ref()).await?;
        let Some(archive) = self.tiers.archive() else {
            return store.write(batch, self.tiers.duplicate).await;
        };
        let windows = self.windows_of(batch);
        let (name, points) = (&archive.name, self.points());
        let touch = |touch| self.ledger.touch(name, &windows, touch);
        points.around("metrics: touch the windows before a write", touch(Touch::Before)).await?;
        let merged = points.around("metrics: write points", store.write(batch, self.tiers.duplicate)).await?;
        points.around("metrics: touch the windows after a write", touch(Touch::After)).await?;
        Ok(merged)
    }

    /// Lists the windows that points belong to, by time.
    pub(crate) fn windows_of(&self, batch: &PointBatch) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for series in batch.series() {
            let times_ms = series.points.times_ms();
            let mut at = 0;
            while let Some(window) = times_ms.get(at).and_then(|time_ms| self.tiers.raw_window(*time_ms)) {
                if let Err(place) = windows.binary_search(&window) {
                    windows.insert(place, window);
                }
                at = times_ms.partition_point(|time_ms| *time_ms < window.range().end_ms);
            }
        }
        windows
    }
}
