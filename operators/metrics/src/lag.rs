//! A ledger that lacks windows which the catalog has, or lags behind it: another machine with a ledger of its own archived them, or an
//! older copy of the ledger was put back. What the catalog knows better is taken in, as when a ledger that was lost is rebuilt.

use lake::Result;
use lake::catalog::Partition;
use lake::name::Location;

use crate::archive::{parts_of, standing_of, state_of};
use crate::ledger::{Archived, LedgerRow, WindowState};
use crate::metrics::Metrics;
use crate::rebuild::Listed;
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
    /// Takes into the ledger what the catalog knows better: windows that it lacks, later generations of those that it has, and that
    /// another machine emptied the stores. One list of partitions for each Parquet tier. Where an undo points a window to an older
    /// version, the ledger stays as it is.
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
        let (mut windows, mut listed) = (Vec::new(), Listed::default());
        // One that cannot be reached is waited for once, however many windows ask for it.
        let mut can_be_read = true;
        for partition in self.lake.catalog.partitions(table).await? {
            let [of, label] = partition.values.as_slice() else { continue };
            let Ok(window) = Window::parse(*unit, label) else { continue };
            if *of != step {
                continue;
            }
            let row = rows.binary_search_by_key(&window, |row| row.window).ok().map(|at| &rows[at]);
            if let Some(row) = row.filter(|row| is_as_known(row, &partition.location)) {
                if is_raw && can_be_read {
                    can_be_read = self.catch_up_expiry(tier, row, &partition).await?;
                }
                continue;
            }
            let Some(found) = standing_of(&partition)? else { continue };
            let (state, sums) = (state_of(&partition), parts_of(&partition));
            let standing = row.and_then(|row| Some((row, row.standing.as_ref()?)));
            if standing.is_some_and(|(_, known)| !is_later(&found, known)) {
                continue;
            }
            self.bind(&[tier]).await?;
            // Before the roll-up is known: nobody asks for what it was made of any more then.
            self.note_dropped(&found.made_from, &mut listed).await?;
            let take = async {
                match standing {
                    Some((row, _)) => self.ledger.advance(&tier.name, row, &found, state, sums.as_ref(), is_raw).await,
                    None => self.ledger.restore(&tier.name, window, &found, state, sums.as_ref(), is_raw).await,
                }
            };
            if self.points().around("metrics: take a window from the catalog", take).await? {
                windows.push(window);
            }
        }
        windows.sort();
        Ok(windows)
    }

    /// Notes that another machine emptied the stores of a window that is known: else these would seem to have lost its points. Returns
    /// whether the stores can be read, as far as they were asked.
    async fn catch_up_expiry(&self, tier: &Tier, row: &LedgerRow, partition: &Partition) -> Result<bool> {
        let may_be_behind = matches!(row.state, WindowState::Written | WindowState::Verified)
            && row.making.is_none()
            && !row.expiring
            && !row.is_late();
        if !may_be_behind || state_of(partition) != WindowState::Expired {
            return Ok(true);
        }
        // Stores of this machine alone are not those that were emptied; of one that cannot be reached that is asked another time.
        let Ok(is_out) = self.is_out_of_all_stores(row.window).await else { return Ok(false) };
        if is_out {
            let expired = self.ledger.expired_elsewhere(&tier.name, row);
            self.points().around("metrics: note that another machine emptied the stores", expired).await?;
        }
        Ok(true)
    }
}

/// Tells whether a partition is what the ledger knows. While a window is being made, whoever makes it notes what becomes of it.
fn is_as_known(row: &LedgerRow, location: &Location) -> bool {
    row.making.is_some() || row.standing.as_ref().is_some_and(|standing| standing.prefix == *location)
}

/// Tells whether what the catalog points to came after what is known. The numbers begin anew for a window whose partition was dropped
/// by hand, and the clocks of two machines are not the same: either tells it.
fn is_later(found: &Archived, known: &Archived) -> bool {
    found.made_ms > known.made_ms || found.generation > known.generation
}
