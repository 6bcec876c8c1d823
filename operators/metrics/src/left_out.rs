//! Stores of the project that a file of tiers leaves out: what they hold must not be passed over when a window is archived, nor when
//! points are read.

use lake::{Error, ErrorKind, Result};

use crate::metrics::Metrics;
use crate::naming::standing_of;
use crate::tiers::{Tier, TierName};
use crate::window::PartitionUnit;

impl Metrics {
    /// Finds a store and the archive of its points as [`Metrics::raw_pair`] does, where all stores of the archive are among the tiers.
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` with a store that is left out.
    pub(crate) async fn whole_pair(&self, from: &TierName, to: &TierName) -> Result<(&Tier, &Tier, PartitionUnit)> {
        let pair = self.raw_pair(from, to)?;
        match self.store_left_out("archive windows", "a window is archived with").await? {
            Some(left_out) => Err(left_out),
            None => Ok(pair),
        }
    }

    /// Makes the error of an operation that must have the points of all stores, where one is left out; `needs` is how its help begins.
    ///
    /// # Errors
    /// Those of the ledger.
    pub(crate) async fn store_left_out(&self, operation: &'static str, needs: &str) -> Result<Option<Error>> {
        let (Some(archive), Some(left_out)) = (self.tiers.archive(), self.left_out_stores().await?.into_iter().next())
        else {
            return Ok(None);
        };
        let stores: Vec<String> = self.tiers.stores().map(|tier| format!("`{}`", tier.name)).collect();
        let message = format!(
            "`{left_out}` of this project is a store of `{}`, too: expected it in the file of tiers, found {} alone",
            archive.name,
            stores.join(", ")
        );
        Ok(Some(Error::new(ErrorKind::InvalidInput, operation, message).help(format!(
            "{needs} the points of all stores: put `{left_out}` where it was in the file; where what it held is gone for good, say so: \
             `suiro metrics accept-loss {left_out}`"
        ))))
    }

    /// Lists the stores of the archive by whose names something was kept, and which are not among the tiers; by name.
    pub(crate) async fn left_out_stores(&self) -> Result<Vec<String>> {
        let Some(archive) = self.tiers.archive() else { return Ok(Vec::new()) };
        let table = standing_of(&self.tiers, archive).table;
        let is_here = |name: &str| self.tiers.stores().any(|tier| tier.name.as_str() == name);
        let names = self.ledger.names().await?.into_iter();
        let left_out = names.filter(|(name, of)| of.is_store && of.table == table && !is_here(name));
        Ok(left_out.map(|(name, _)| name).collect())
    }
}
