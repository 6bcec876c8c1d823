//! Archived objects that are damaged or missing: their points are read from where they are still held, and that is told.

use std::collections::BTreeMap;

use lake::{Error, ErrorKind, Result};

use super::owned::Owned;
use super::raw::{layer_of, note_gap, why};
use super::{Instead, Terms, Told};
use crate::ledger::{Fault, LedgerRow, WindowState};
use crate::metrics::Metrics;
use crate::point::SeriesName;
use crate::tiers::Tier;
use crate::time::TimeRange;

impl Metrics {
    /// Reads what is wanted of a window whose objects could not be read from the stores, when they still hold all that was dumped of
    /// it; else that is the error, or a gap.
    ///
    /// # Errors
    /// `NotFound` while the reading may begin anew: an object that is gone may have been archived anew.
    pub(super) async fn read_instead(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        (names, wanted): (&[SeriesName], &[TimeRange]),
        error: Error,
        terms: Terms,
        told: &mut Told,
    ) -> Result<BTreeMap<SeriesName, Owned>> {
        if begins_anew(&error, terms) {
            return Err(error);
        }
        if is_damage(&error)
            && is_held_by_stores(row)
            && !told.lacks_store
            && let Ok(held) = self.held(names, wanted).await
            // Points leave their stores after this note alone.
            && self.ledger.row(&tier.name, row.window).await?.as_ref().is_some_and(is_held_by_stores)
        {
            note_instead(told, tier, wanted, error);
            return Ok(held);
        }
        note_gap(&mut told.gaps, terms.on_gap, tier, wanted, error)?;
        Ok(BTreeMap::new())
    }

    /// Reads spans from all stores.
    async fn held(&self, names: &[SeriesName], ranges: &[TimeRange]) -> Result<BTreeMap<SeriesName, Owned>> {
        let mut layers = Vec::new();
        // From the top down, as points move.
        for (number, _, store) in self.stores().await {
            layers.push((number, layer_of(store, names, ranges).await?));
        }
        let mut owned: BTreeMap<SeriesName, Owned> = BTreeMap::new();
        for (number, layer) in layers.into_iter().rev() {
            for (name, points) in layer {
                owned.entry(name).or_default().cover(&points, number, self.tiers.duplicate);
            }
        }
        Ok(owned)
    }
}

/// Tells whether a reading is to begin anew: an object that has gone was archived anew most likely.
pub(super) fn begins_anew(error: &Error, terms: Terms) -> bool {
    error.kind == ErrorKind::NotFound && !terms.is_last_try
}

/// Tells whether objects are damaged or missing, rather than out of reach.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::InvalidData | ErrorKind::NotFound)
}

/// Notes spans that were read from elsewhere.
pub(super) fn note_instead(told: &mut Told, tier: &Tier, ranges: &[TimeRange], error: Error) {
    let why = why(error);
    let instead = |range: &TimeRange| Instead { range: *range, tier: tier.name.clone(), why: why.clone() };
    told.instead.extend(ranges.iter().map(instead));
}

/// Tells whether the stores hold all that is archived of a window: it was dumped from them as it is, and nothing has left them since.
fn is_held_by_stores(row: &LedgerRow) -> bool {
    let is_all_there = row.standing.as_ref().is_some_and(|standing| standing.source == standing.figures);
    let has_left = row.expiring || row.state == WindowState::Expired;
    is_all_there && !has_left && row.fault != Some(Fault::Store)
}
