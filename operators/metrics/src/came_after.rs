//! Points that came to windows which the archive had given up: they stay in their stores, and are in no roll-up.

use lake::Result;

use crate::flow::WindowCount;
use crate::metrics::Metrics;
use crate::point::SeriesName;
use crate::store::Selection;
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::Window;

/// Points of a series that a reading with a larger step leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The span.
    pub range: TimeRange,
    /// The tier that had given it up.
    pub tier: TierName,
    /// How many points came to it since.
    pub points: u64,
}

impl Metrics {
    /// Counts the points that stores hold of windows which the archive had given up before they came; with a span, of those that hold a
    /// part of it.
    ///
    /// # Errors
    /// Those of the ledger and the stores.
    pub async fn came_after(&self, window: Option<TimeRange>) -> Result<Vec<WindowCount>> {
        let range = window.unwrap_or(TimeRange::ALL);
        self.count_came_after(range, Selection::All).await
    }

    /// Lists what a reading of series by roll-ups leaves out.
    pub(crate) async fn left_out_of(&self, names: &[SeriesName], range: TimeRange) -> Result<Vec<LeftOut>> {
        let Some(archive) = self.tiers.archive() else { return Ok(Vec::new()) };
        let counts = self.count_came_after(range, Selection::Names(names)).await?;
        let left_out = |count: WindowCount| LeftOut {
            range: count.window.range(),
            tier: archive.name.clone(),
            points: count.points,
        };
        Ok(counts.into_iter().map(left_out).collect())
    }

    async fn count_came_after(&self, range: TimeRange, selection: Selection<'_>) -> Result<Vec<WindowCount>> {
        let Some((archive, unit)) = self.tiers.archive().and_then(|tier| Some((tier, tier.unit()?))) else {
            return Ok(Vec::new());
        };
        let dropped = self.ledger.dropped(&archive.name, range).await?;
        if dropped.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.ledger.rows(&archive.name, range).await?;
        let touched: std::collections::BTreeSet<Window> = rows
            .iter()
            .filter(|row| row.standing.is_none() && dropped.contains(&row.window))
            .map(|row| row.window)
            .collect();
        let counts = self.stored_in(unit, &touched, selection, &[]).await?;
        let counts = counts.into_iter().filter(|(_, points)| *points > 0);
        Ok(counts.map(|(window, points)| WindowCount { window, points }).collect())
    }
}
