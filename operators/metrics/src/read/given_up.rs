//! Spans that finer tiers have given up: which step still shows them, and which one a reader gets who asked for none.

use lake::Result;

use crate::metrics::Metrics;
use crate::tiers::{Step, Tier, TierName};
use crate::time::TimeRange;
use crate::window::PartitionUnit;

/// Rows of a series at most, when the step is chosen for the reader: more than a screen or a spreadsheet shows.
const MOST_ROWS: i64 = 12_000;

/// A span that a tier has given up: its time to be kept there is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The span.
    pub range: TimeRange,
    /// The tier: the coarsest that answers with the step of the rows.
    pub tier: TierName,
    /// The finest tier that it lives on in, with the step to ask for; none when no tier holds it any more.
    pub held_by: Option<(TierName, Step)>,
}

impl Metrics {
    /// Chooses a step for a span: the finest tier's that gives few enough rows, and that still holds all that any tier does. Comes
    /// with the spans because of which a finer one was passed over.
    pub(super) async fn step_for(&self, range: &TimeRange) -> Result<(Step, Vec<GivenUp>)> {
        let span_ms = range.end_ms.saturating_sub(range.start_ms);
        let mut steps: Vec<Step> = self.tiers.all().iter().map(|tier| tier.step).collect();
        steps.dedup();
        let first = steps.iter().position(|step| span_ms / step.ms() <= MOST_ROWS).unwrap_or(steps.len() - 1);
        let mut passed_over = Vec::new();
        for step in steps[first..].iter().copied() {
            let mut lost = self.given_up(step, range).await?;
            lost.retain(|lost| lost.held_by.is_some());
            if lost.is_empty() {
                return Ok((step, passed_over));
            }
            if passed_over.is_empty() {
                passed_over = lost;
            }
        }
        // Not reached: nothing lives on below the last tier.
        Ok((steps.last().copied().unwrap_or_else(|| self.tiers.raw_step()), passed_over))
    }

    /// Lists the spans that no tier which answers with a step holds any more, by time.
    pub(super) async fn given_up(&self, step: Step, range: &TimeRange) -> Result<Vec<GivenUp>> {
        let answering = self.rollups_for(step).first().map(|(_, tier)| *tier).or_else(|| self.tiers.archive());
        let Some(tier) = answering else { return Ok(Vec::new()) };
        let windows = self.ledger.dropped(&tier.name, *range).await?;
        if windows.is_empty() {
            return Ok(Vec::new());
        }
        let mut coarser = Vec::new();
        for other in self.tiers.all().iter().skip_while(|other| other.name != tier.name).skip(1) {
            coarser.push((other, self.ledger.dropped(&other.name, *range).await?));
        }
        let mut all: Vec<GivenUp> = Vec::new();
        for window in windows {
            let span = window.range().intersection(range);
            // A window of a coarser tier holds whole ones of this one.
            let mut holding = coarser
                .iter()
                .filter(|(_, dropped)| dropped.iter().all(|gone| gone.range().intersection(&span).is_empty()));
            let held_by = holding.next().map(|(tier, _)| (tier.name.clone(), tier.step));
            match all.last_mut() {
                Some(last) if last.range.end_ms == span.start_ms && last.held_by == held_by => {
                    last.range.end_ms = span.end_ms;
                }
                _ => all.push(GivenUp { range: span, tier: tier.name.clone(), held_by }),
            }
        }
        Ok(all)
    }

    /// Finds the roll-ups that a step can be made of, the coarsest first, with their places among the tiers.
    pub(super) fn rollups_for(&self, step: Step) -> Vec<(usize, &Tier)> {
        let Some(raw) = self.tiers.archive() else { return Vec::new() };
        // A bucket must not reach into windows that are not rolled up.
        if raw.unit() == Some(PartitionUnit::Hour) && step.ms() > 3_600_000 {
            return Vec::new();
        }
        let rollups = self.tiers.all().iter().enumerate().skip_while(|(_, tier)| tier.name != raw.name).skip(1);
        let fits = |(_, tier): &(usize, &Tier)| tier.step <= step && step.ms() % tier.step.ms() == 0;
        let mut fitting: Vec<(usize, &Tier)> = rollups.filter(fits).collect();
        fitting.reverse();
        fitting
    }
}
