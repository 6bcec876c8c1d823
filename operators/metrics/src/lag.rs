//! A ledger that lacks windows which the catalog has, or lags behind it: another machine with a ledger of its own archived them, or an
//! older copy of the ledger was put back. What the catalog knows better is taken in, as when a ledger that was lost is rebuilt.

use lake::Result;

use crate::archive::{parts_of, standing_of, state_of};
use crate::ledger::LedgerRow;
use crate::metrics::Metrics;
use crate::tiers::{Tier, TierKind, TierName};
use crate::time::TimeRange;
use crate::window::Window;

/// Windows that were taken from the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenIn {
    /// Their tier.
    pub tier: TierName,
    /// The windows, by time.
    pub windows: Vec<Window>,
}

impl Metrics {
    /// Takes into the ledger what the catalog knows better: windows that it lacks, and later generations of those that it has. One list of
    /// partitions for each Parquet tier. Where an undo points a window to an older version, the ledger stays as it is.
    ///
    /// # Errors
    /// Those of the catalog and the ledger. Repeating it goes on.
    pub async fn catch_up(&self) -> Result<Vec<TakenIn>> {
        let mut taken = Vec::new();
        for tier in self.tiers.all().iter().filter(|tier| !tier.is_store()) {
            let windows = self.catch_up_tier(tier).await?;
            if !windows.is_empty() {
                taken.push(TakenIn { tier: tier.name.clone(), windows });
            }
        }
        Ok(taken)
    }

    async fn catch_up_tier(&self, tier: &Tier) -> Result<Vec<Window>> {
        let TierKind::Archive { table, unit, .. } = &tier.kind else { return Ok(Vec::new()) };
        // The rows first: what is made or given up after this look has its row in another state, or is in no list of partitions.
        let rows = self.ledger.rows(&tier.name, TimeRange::ALL).await?;
        if self.lake.catalog.table(table).await?.is_none() {
            return Ok(Vec::new());
        }
        let is_raw = self.tiers.archive().is_some_and(|archive| archive.name == tier.name);
        let step = tier.step.to_string();
        let (mut windows, mut made_from) = (Vec::new(), Vec::new());
        for partition in self.lake.catalog.partitions(table).await? {
            let [of, label] = partition.values.as_slice() else { continue };
            let Ok(window) = Window::parse(*unit, label) else { continue };
            let row = rows.binary_search_by_key(&window, |row| row.window).ok().map(|at| &rows[at]);
            if *of != step || row.is_some_and(|row| is_as_known(row, &partition.location)) {
                continue;
            }
            let Some(found) = standing_of(&partition)? else { continue };
            let (state, sums) = (state_of(&partition), parts_of(&partition));
            let standing = row.and_then(|row| Some((row, row.standing.as_ref()?)));
            if standing.is_some_and(|(_, known)| (found.generation, found.made_ms) <= (known.generation, known.made_ms))
            {
                continue;
            }
            self.bind(&[tier]).await?;
            let take = async {
                match standing {
                    Some((row, _)) => self.ledger.advance(&tier.name, row, &found, state, sums.as_ref(), is_raw).await,
                    None => self.ledger.restore(&tier.name, window, &found, state, sums.as_ref(), is_raw).await,
                }
            };
            if self.points().around("metrics: take a window from the catalog", take).await? {
                windows.push(window);
                made_from.extend(found.made_from);
            }
        }
        self.note_dropped(&made_from).await?;
        windows.sort();
        Ok(windows)
    }
}

/// Tells whether a partition is what the ledger knows. While a window is being made, whoever makes it notes what becomes of it.
fn is_as_known(row: &LedgerRow, location: &lake::name::Location) -> bool {
    row.making.is_some() || row.standing.as_ref().is_some_and(|standing| standing.prefix == *location)
}
