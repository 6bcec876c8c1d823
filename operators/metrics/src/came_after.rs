//! Points that came to windows which the archive had given up: they stay in their stores, and are in no roll-up.

use std::collections::BTreeSet;

use lake::{ErrorKind, Result};

use crate::flow::WindowCount;
use crate::metrics::Metrics;
use crate::point::SeriesName;
use crate::store::Selection;
use crate::tiers::{Tier, TierName};
use crate::time::TimeRange;
use crate::window::Window;

/// Points of a series that a reading with a larger step leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The span.
    pub range: TimeRange,
    /// The tier that had given it up.
    pub tier: TierName,
    /// How many points came to it since, or why that is not known: a store cannot be read.
    pub points: std::result::Result<u64, String>,
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

    /// Lists what a reading of series by roll-ups leaves out. It needs no store: where one cannot be read, that is said in place of the
    /// number.
    pub(crate) async fn left_out_of(&self, names: &[SeriesName], range: TimeRange) -> Result<Vec<LeftOut>> {
        let Some(archive) = self.tiers.archive() else { return Ok(Vec::new()) };
        let left_out = |window: Window, points| LeftOut { range: window.range(), tier: archive.name.clone(), points };
        let touched = self.touched_after(range).await?;
        match self.count_of(&touched, Selection::Names(names)).await {
            Ok(counts) => Ok(counts.into_iter().map(|count| left_out(count.window, Ok(count.points))).collect()),
            Err(error) if error.kind == ErrorKind::Canceled => Err(error),
            Err(error) => {
                let why = error.to_string();
                Ok(touched.into_iter().map(|window| left_out(window, Err(why.clone()))).collect())
            }
        }
    }

    async fn count_came_after(&self, range: TimeRange, selection: Selection<'_>) -> Result<Vec<WindowCount>> {
        let touched = self.touched_after(range).await?;
        self.count_of(&touched, selection).await
    }

    /// Lists the windows that were written to after the archive had given them up.
    async fn touched_after(&self, range: TimeRange) -> Result<BTreeSet<Window>> {
        let Some(archive) = self.tiers.archive() else { return Ok(BTreeSet::new()) };
        let dropped = self.ledger.dropped(&archive.name, range).await?;
        if dropped.is_empty() {
            return Ok(BTreeSet::new());
        }
        let rows = self.ledger.rows(&archive.name, range).await?;
        let touched = rows.iter().filter(|row| row.standing.is_none() && dropped.contains(&row.window));
        Ok(touched.map(|row| row.window).collect())
    }

    async fn count_of(&self, windows: &BTreeSet<Window>, selection: Selection<'_>) -> Result<Vec<WindowCount>> {
        let Some(unit) = self.tiers.archive().and_then(Tier::unit) else { return Ok(Vec::new()) };
        let counts = self.stored_in(unit, windows, selection, &[]).await?;
        let counts = counts.into_iter().filter(|(_, points)| *points > 0);
        Ok(counts.map(|(window, points)| WindowCount { window, points }).collect())
    }
}
