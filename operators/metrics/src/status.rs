//! How far the windows are: what figures and alerts are made of.

use jiff::Timestamp;
use lake::Result;
use lake::name::Location;

use crate::astray::Astray;
use crate::checksum::Figures;
use crate::ledger::{Archived, Fault, WindowState};
use crate::metrics::Metrics;
use crate::tiers::TierName;
use crate::time::TimeRange;
use crate::window::Window;

/// How far a window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowStatus {
    /// The Parquet tier.
    pub tier: TierName,
    /// The window.
    pub window: Window,
    /// How far it is.
    pub state: WindowState,
    /// Whether points came in since it was dumped.
    pub is_late: bool,
    /// What was found wrong with it.
    pub fault: Option<Fault>,
    /// What the catalog points to, where that is something else than the ledger knows: after an undo, or a drop.
    pub astray: Option<Astray>,
    /// Whether it is made of older windows than stand now, or of windows that are: of a roll-up.
    pub is_stale: bool,
    /// Whether it is of a roll-up and cannot be made again: the finer tier has given up windows that it is made of.
    pub is_last: bool,
    /// Where its objects are, as the ledger knows it.
    pub location: Option<Location>,
    /// Whether it waits for something: for its dump, or for its verification.
    pub is_due: bool,
    /// The generation that readers are pointed to; 0 for none.
    pub generation: u32,
    /// Its figures.
    pub figures: Figures,
    /// The bytes of its objects.
    pub bytes: u64,
}

impl Metrics {
    /// Lists all windows of all Parquet tiers, by tier and time.
    ///
    /// # Errors
    /// Those of the ledger and the catalog.
    pub async fn status(&self, now: Timestamp) -> Result<Vec<WindowStatus>> {
        let mut list = Vec::new();
        // The windows that the tier before has given up, from fine to coarse.
        let mut gone: Vec<Window> = Vec::new();
        for tier in self.tiers.all().iter().filter(|tier| !tier.is_store()) {
            let rows = self.ledger.rows(&tier.name, TimeRange::ALL).await?;
            let (mut astray, stale) = (self.astray(tier, &rows).await?, self.stale(tier, &rows).await?);
            let dropped = self.ledger.dropped(&tier.name, TimeRange::ALL).await?;
            let finer_gone = std::mem::replace(&mut gone, dropped.clone());
            list.extend(rows.into_iter().map(|row| {
                let is_late = row.is_late();
                let (astray, is_stale) = (astray.remove(&row.window), stale.contains(&row.window));
                // Points that came to a window that was given up stay where they are: nothing is to be done.
                let is_given_up = row.standing.is_none() && dropped.binary_search(&row.window).is_ok();
                let waits = is_late
                    || astray.is_some()
                    || is_stale
                    || row.fault.is_some()
                    || matches!(row.state, WindowState::Open | WindowState::Written);
                WindowStatus {
                    tier: tier.name.clone(),
                    window: row.window,
                    state: row.state,
                    is_late,
                    fault: row.fault,
                    astray,
                    is_stale,
                    is_last: has_part_of(&finer_gone, row.window),
                    location: row.standing.as_ref().map(|standing| standing.prefix.clone()),
                    is_due: waits && !is_given_up && row.window.is_closed(self.tiers.lateness_ms, now.as_millisecond()),
                    generation: row.standing.as_ref().map_or(0, |standing| standing.generation),
                    figures: row.standing.as_ref().map(|standing| standing.figures).unwrap_or_default(),
                    bytes: row.standing.as_ref().map_or(0, Archived::bytes),
                }
            }));
        }
        Ok(list)
    }
}

/// Tells whether one of some windows, which are in the order of time, is a part of another one.
fn has_part_of(finer: &[Window], window: Window) -> bool {
    let range = window.range();
    let next = finer.partition_point(|finer| finer.range().end_ms <= range.start_ms);
    finer.get(next).is_some_and(|finer| finer.range().start_ms < range.end_ms)
}
