//! What the servers of stores have thrown away, when they were last seen whole.

use lake::Result;

use super::{Ledger, READ, failed};
use crate::store::ThrownAway;
use crate::tiers::TierName;

impl Ledger {
    /// Returns what a tier's server had thrown away when it was last seen; none when it never was.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn thrown_away(&self, tier: &TierName) -> Result<Option<ThrownAway>> {
        let query = "SELECT run, thrown_away, takes_marked_keys_only FROM metric_server WHERE tier = ?";
        let row: Option<(String, i64, bool)> = sqlx::query_as(query)
            .bind(tier.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| failed(READ, error))?;
        Ok(row.map(|(run, keys, takes_marked_keys_only)| ThrownAway {
            run,
            keys: u64::try_from(keys).unwrap_or_default(),
            takes_marked_keys_only,
        }))
    }

    /// Notes what a tier's server has thrown away by now: from here on, more is a loss.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_thrown_away(&self, tier: &TierName, seen: &ThrownAway) -> Result<()> {
        let note = sqlx::query(
            "INSERT INTO metric_server (tier, run, thrown_away, takes_marked_keys_only) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (tier) DO UPDATE SET run = ?2, thrown_away = ?3, takes_marked_keys_only = ?4",
        )
        .bind(tier.as_str())
        .bind(seen.run.as_str())
        .bind(i64::try_from(seen.keys).unwrap_or(i64::MAX))
        .bind(seen.takes_marked_keys_only);
        self.change(note).await.map(drop)
    }
}
