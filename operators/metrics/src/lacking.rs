//! Windows of which a store has lost points since they were verified: nobody looks at these any more, unless something tells.
//!
//! The store is asked for the number of all its points. It must not be smaller than what the ledger says of the windows that the store
//! still holds, and what is counted of all others: so most of the points are not read.

use futures::TryStreamExt as _;
use lake::Result;

use crate::ledger::{LedgerRow, WindowState};
use crate::metrics::Metrics;
use crate::read::without;
use crate::store::{PointStore, Selection};
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::Window;

impl Metrics {
    /// Lists the windows of the archive of which a store holds fewer points than were dumped from it, and of which that is not known
    /// yet.
    ///
    /// # Errors
    /// Those of the ledger and the store; `InvalidInput` as [`Metrics::due_dumps`].
    pub async fn lacking_windows(&self, from: &TierName, to: &TierName) -> Result<Vec<Window>> {
        let (_, archive, _) = self.whole_pair(from, to).await?;
        let _moving = self.movers.wait().await?;
        let rows = self.ledger.rows(&archive.name, TimeRange::ALL).await?;
        let held: Vec<(Window, u64)> = rows.iter().filter_map(held).collect();
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.store(from).await?;
        // Before the others are counted: what is written meanwhile must not stand for what is lost.
        let summaries = store.summaries(Selection::All).await?;
        let all: u64 = summaries.iter().map(|series| series.count).sum();
        let first_ms = summaries.iter().map(|series| series.oldest_ms).min().unwrap_or_default();
        let last_ms = summaries.iter().map(|series| series.newest_ms).max().unwrap_or_default();
        let spans: Vec<TimeRange> = held.iter().map(|(window, _)| window.range()).collect();
        let mut expected: u64 = held.iter().map(|(_, count)| count).sum();
        for other in without(TimeRange::new(first_ms, last_ms.saturating_add(1)), &spans) {
            expected += count(store.as_ref(), other).await?;
        }
        let mut lacking = Vec::new();
        if all < expected {
            for (window, dumped) in held {
                if count(store.as_ref(), window.range()).await? < dumped {
                    lacking.push(window);
                }
            }
        }
        Ok(lacking)
    }
}

/// Returns a window of which the store should hold what was dumped, and how many points that were.
fn held(row: &LedgerRow) -> Option<(Window, u64)> {
    let is_archived = matches!(row.state, WindowState::Written | WindowState::Verified);
    let is_held = is_archived && !row.is_late() && !row.expiring && row.fault.is_none();
    row.standing.as_ref().filter(|_| is_held).map(|standing| (row.window, standing.source.count))
}

async fn count(store: &dyn PointStore, range: TimeRange) -> Result<u64> {
    let mut batches = store.scan(range, Selection::All);
    let mut points = 0;
    while let Some(batch) = batches.try_next().await? {
        points += batch.count() as u64;
    }
    Ok(points)
}
