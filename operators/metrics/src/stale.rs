//! Windows of roll-ups that are made of older windows than stand now, or of windows that are so themselves.

use std::collections::{BTreeMap, BTreeSet};

use lake::Result;

use crate::ledger::{LedgerRow, MadeFrom};
use crate::metrics::Metrics;
use crate::tiers::Tier;
use crate::time::TimeRange;
use crate::window::Window;

/// The windows of a finer tier.
struct Finer {
    rows: Vec<LedgerRow>,
    stale: BTreeSet<Window>,
}

impl Metrics {
    /// Finds the windows of a roll-up, of which `rows` are some, that are made of something else than stands of the finer tier now, or
    /// of a window that is: down to the points.
    ///
    /// # Errors
    /// Those of the ledger.
    pub(crate) async fn stale(&self, tier: &Tier, rows: &[LedgerRow]) -> Result<BTreeSet<Window>> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(BTreeSet::new()) };
        let range = TimeRange::new(first.window.range().start_ms, last.window.range().end_ms);
        let mut finer: BTreeMap<String, Finer> = BTreeMap::new();
        let archives = self.tiers.all().iter().filter(|tier| !tier.is_store());
        for link in archives.take_while(|link| link.name != tier.name) {
            let rows = self.ledger.rows(&link.name, range).await?;
            let stale = stale_of(&rows, &finer);
            finer.insert(link.name.to_string(), Finer { rows, stale });
        }
        Ok(stale_of(rows, &finer))
    }
}

fn stale_of(rows: &[LedgerRow], finer: &BTreeMap<String, Finer>) -> BTreeSet<Window> {
    rows.iter().filter(|row| is_stale(row, finer)).map(|row| row.window).collect()
}

fn is_stale(row: &LedgerRow, finer: &BTreeMap<String, Finer>) -> bool {
    let made_from = row.standing.as_ref().map(|standing| standing.made_from.as_slice()).unwrap_or_default();
    let Some(finer) = made_from.first().and_then(|from| finer.get(&from.tier)) else { return false };
    let range = row.window.range();
    let begin = finer.rows.partition_point(|finer| finer.window.range().end_ms <= range.start_ms);
    let within = finer.rows[begin..].iter().take_while(|finer| finer.window.range().start_ms < range.end_ms);
    let mut within = within.filter_map(|finer| Some((finer, finer.standing.as_ref()?.generation)));
    within.any(|(of, now)| {
        let made_of = made_of(made_from, of.window);
        // What is not verified yet may still change.
        let is_newer = made_of != Some(now) && (made_of.is_some() || of.is_settled());
        is_newer || (made_of.is_some() && finer.stale.contains(&of.window))
    })
}

/// Returns the generation of a finer window that something is made of.
fn made_of(made_from: &[MadeFrom], window: Window) -> Option<u32> {
    let label = window.label();
    made_from.iter().find(|made| made.window == label).map(|made| made.generation)
}
