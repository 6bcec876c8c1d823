//! Reading before writing, where a time has one value for ever: what contradicts it is refused.

use lake::Result;

use super::{OnGap, Terms};
use crate::metrics::Metrics;
use crate::point::{Contradiction, PointBatch, SeriesName, same_value};
use crate::store::contradiction;
use crate::time::TimeRange;
use crate::window::Window;

impl Metrics {
    /// Compares points with those of all tiers before they are written: a value that is refused must not stay in an upper store,
    /// where it would keep all that comes after it from moving down.
    ///
    /// # Errors
    /// `Conflict` with the series, the time and both values; those of the tiers.
    pub(crate) async fn refuse_contradictions(&self, batch: &PointBatch) -> Result<()> {
        let names: Vec<SeriesName> = batch.series().iter().map(|series| series.name.clone()).collect();
        let mut ranges: Vec<TimeRange> = self.windows_of(batch).iter().map(Window::range).collect();
        if ranges.is_empty() {
            let times_ms = || batch.series().iter().flat_map(|series| series.points.times_ms());
            let (Some(first), Some(last)) = (times_ms().min(), times_ms().max()) else { return Ok(()) };
            ranges.push(TimeRange::new(*first, last.saturating_add(1)));
        }
        let terms = Terms { on_gap: OnGap::Fail, is_last_try: true };
        let (standing, _) = self.read_raw(&names, &ranges, terms).await?;
        for series in batch.series() {
            let Some(standing) = standing.get(&series.name) else { continue };
            let mut rows = standing.rows().iter().peekable();
            for (time_ms, written) in series.points.iter() {
                while rows.next_if(|row| row.time_ms < time_ms).is_some() {}
                let Some(row) = rows.peek().filter(|row| row.time_ms == time_ms) else { continue };
                if !same_value(row.value, written) {
                    let found = Contradiction { time_ms, stands: row.value, written };
                    let error = contradiction(&series.name, &found);
                    return Err(match self.tiers.all().get(row.tier) {
                        Some(tier) => error.with("tier", tier.name.as_str()),
                        None => error,
                    });
                }
            }
        }
        Ok(())
    }
}
