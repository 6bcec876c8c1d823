//! Which tier of which lake the keys of a store belong to: a hash of the database says it, whatever address leads to it.

#[cfg(test)]
mod tests;

use lake::{Error, ErrorKind, Result};
use redis::Value;

use super::connection::ScriptCall;
use super::{RedisStore, text_of};
use crate::point::PointBatch;
use crate::store::claim::{CLAIM, Claim, Claiming, Owner, Place, claimed};

/// The key of the hash of claims: the tiers by their patterns of keys, and the lakes that they are of. Earlier versions pass over the
/// lakes.
pub(super) const CLAIMS: &str = "suiro:tiers";

impl RedisStore {
    /// Refuses keys that are another tier's, or may be. It is one step for the server: of two that come at once one is first.
    pub(super) async fn claim_keys(&self, owner: &Owner, how: Claiming) -> Result<()> {
        let word = match how {
            Claiming::Look => "look",
            Claiming::Take => {
                self.refuse_eviction("write points", "nothing was written").await?;
                "take"
            }
        };
        let (prefix, suffix) = self.keys.around();
        let id = owner.lake.as_ref().map(|lake| lake.id.as_str()).unwrap_or_default();
        let lake = owner.lake.as_ref().map(ToString::to_string).unwrap_or_default();
        let arguments = [prefix, suffix, owner.tier.as_str(), &owner.table, id, &lake, word];
        let call = ScriptCall { keys: vec![CLAIMS.into()], arguments: arguments.map(ToOwned::to_owned).to_vec() };
        let answer = self.connection.evaluate(CLAIM, &self.claim, &call).await?;
        let [pattern, name, lake] = &answer[..] else { return Ok(()) };
        let text = |value| text_of(value).unwrap_or_default();
        let (pattern, lake) = (text(pattern), Some(text(lake)).filter(|lake| !lake.is_empty()));
        let own = self.keys.to_string();
        let shared = if pattern == own {
            format!("the keys `{own}` of one database of Redis")
        } else {
            format!("keys `{own}` may be keys `{pattern}` in one database of Redis")
        };
        let apart = format!(
            "give each tier keys that begin or end differently (`key: \"{}:{{step}}:{{name}}\"`), or another database",
            owner.tier
        );
        let remove = format!("HDEL {CLAIMS} \"{pattern}\" \"{}\"", pattern.replacen("{name}", "{lake}", 1));
        Err(claimed(owner, &Claim { name: text(name), lake }, &Place { shared, apart, remove: &remove }))
    }

    /// Refuses the series whose key is that of the claims.
    pub(super) fn refuse_reserved(&self, batch: &PointBatch) -> Result<()> {
        let Some(reserved) = &self.reserved else { return Ok(()) };
        if batch.series().binary_search_by(|series| series.name.cmp(reserved)).is_err() {
            return Ok(());
        }
        let message = format!(
            "expected a series with a key of its own, found `{reserved}`, whose key `{CLAIMS}` says which tiers there are"
        );
        Err(Error::new(ErrorKind::InvalidInput, "write points", message)
            .help("give the tier other keys: `key: points:{step}:{name}`"))
    }
}

/// Tells whether an answer names the hash of claims.
pub(super) fn is_claims(key: &Value) -> bool {
    matches!(key, Value::BulkString(key) if key == CLAIMS.as_bytes())
}
