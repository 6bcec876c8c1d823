//! Windows whose partition is not what the ledger knows: somebody undid it, dropped it, or put another one in its place.

use std::collections::BTreeMap;

use lake::Result;
use lake::name::Location;

use crate::ledger::LedgerRow;
use crate::metrics::Metrics;
use crate::tiers::{Tier, TierKind};
use crate::window::Window;

/// Where the catalog points, when that is not what the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Astray {
    /// It has no partition of the window.
    Gone,
    /// Somewhere else.
    Elsewhere(Location),
}

impl Astray {
    /// Says it, beside the prefix that the ledger knows.
    pub(crate) fn told(&self, known: &Location) -> String {
        match self {
            Self::Gone => format!("the catalog has no partition of it, and the ledger knows `{known}`"),
            Self::Elsewhere(location) => format!("the catalog points to `{location}`, and the ledger knows `{known}`"),
        }
    }
}

impl Metrics {
    /// Finds the windows of a Parquet tier whose partitions are not what the ledger's rows say: one look at the catalog for all
    /// of them.
    ///
    /// # Errors
    /// Those of the catalog.
    pub(crate) async fn astray(&self, tier: &Tier, rows: &[LedgerRow]) -> Result<BTreeMap<Window, Astray>> {
        let TierKind::Archive { table, unit, .. } = &tier.kind else { return Ok(BTreeMap::new()) };
        // What is being made may be published already: the next step settles it.
        let stands = |row: &&LedgerRow| row.making.is_none() && row.standing.is_some();
        if !rows.iter().any(|row| stands(&row)) {
            return Ok(BTreeMap::new());
        }
        let partitions = match self.lake.catalog.table(table).await? {
            Some(_) => self.lake.catalog.partitions(table).await?,
            None => Vec::new(),
        };
        let step = tier.step.to_string();
        let mut locations: BTreeMap<Window, Location> = BTreeMap::new();
        for partition in partitions {
            if let [of, label] = partition.values.as_slice()
                && *of == step
                && let Ok(window) = Window::parse(*unit, label)
            {
                locations.insert(window, partition.location);
            }
        }
        let mut astray = BTreeMap::new();
        for row in rows.iter().filter(stands) {
            let Some(standing) = &row.standing else { continue };
            match locations.get(&row.window) {
                None => drop(astray.insert(row.window, Astray::Gone)),
                Some(location) if *location != standing.prefix => {
                    drop(astray.insert(row.window, Astray::Elsewhere(location.clone())));
                }
                Some(_) => {}
            }
        }
        Ok(astray)
    }
}
