//! Points that a store's server has thrown away: nothing is decided by what is left, until somebody says that it may be.
//!
//! The server counts the keys that it takes away. The ledger keeps the count of when the server was last seen whole, with the run
//! that it belongs to: a server that was started again counts from 0, and what it had taken before that and after it was last
//! seen is not known.

use lake::{Error, ErrorKind, Result};

use crate::metrics::Metrics;
use crate::store::PointStore;
use crate::tiers::TierName;

/// What somebody has taken for lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedLoss {
    /// Nothing was known to be lost.
    Nothing,
    /// Points that a store's server has thrown away.
    Points,
    /// A store that is not among the tiers any more, with all that it held.
    Store,
}

impl Metrics {
    /// Begins to watch a server that was never seen.
    pub(crate) async fn watch(&self, tier: &TierName, store: &dyn PointStore) -> Result<()> {
        if self.ledger.thrown_away(tier).await?.is_none()
            && let Some(now) = store.thrown_away().await?
        {
            self.ledger.note_thrown_away(tier, &now).await?;
        }
        Ok(())
    }

    /// Refuses a store whose server has thrown keys away since it was last seen.
    pub(crate) async fn refuse_loss(&self, tier: &TierName, store: &dyn PointStore) -> Result<()> {
        let Some(now) = store.thrown_away().await? else { return Ok(()) };
        let Some(before) = self.ledger.thrown_away(tier).await? else { return Ok(()) };
        let Some(keys) = now.since(&before) else {
            if now != before {
                self.ledger.note_thrown_away(tier, &now).await?;
            }
            return Ok(());
        };
        let keys = if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") };
        let message = format!(
            "expected a server that keeps every key, found one that has thrown {keys} away since it was last seen: points of \
             the tier may be lost, and nothing was moved or deleted"
        );
        let help = format!(
            "set `maxmemory-policy noeviction` on the server, say that you know (`suiro metrics accept-loss {tier}`), and bring the \
             points again from where they came: `metrics.replay>` of files, and of a stream with `start: trim_horizon` or a time, as without it \
             only what is new comes. Points that are there are not doubled"
        );
        Err(Error::new(ErrorKind::ResourcesExhausted, "look whether a store is whole", message).help(help))
    }

    /// Takes what a store's server has left for all that there is, after it threw keys away; and nothing for all that a store has which
    /// is not among the tiers any more.
    ///
    /// # Errors
    /// Those of opening the store, and of the ledger; `InvalidInput` for a Parquet tier; `NotFound` for a name that was never a store
    /// of the archive.
    pub async fn accept_loss(&self, tier: &TierName) -> Result<AcceptedLoss> {
        if self.left_out_stores().await?.iter().any(|left_out| left_out == tier.as_str()) {
            self.ledger.forget_store(tier).await?;
            return Ok(AcceptedLoss::Store);
        }
        let store = self.store_to_fill(tier).await?;
        let Some(now) = store.thrown_away().await? else { return Ok(AcceptedLoss::Nothing) };
        let before = self.ledger.thrown_away(tier).await?;
        self.ledger.note_thrown_away(tier, &now).await?;
        let is_less = before.is_some_and(|before| now.since(&before).is_some());
        Ok(if is_less { AcceptedLoss::Points } else { AcceptedLoss::Nothing })
    }
}
