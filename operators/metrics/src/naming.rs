//! Tiers of one name in two files are one store and the same windows: two files must not mean different things by it, from the
//! first thing on that is kept by it.

use lake::catalog::CatalogIdentity;
use lake::{Error, ErrorKind, Result};

use crate::ledger::Standing;
use crate::metrics::Metrics;
use crate::store::{Claiming, Owner, PointStore};
use crate::tiers::{Step, Tier, TierKind, TierName, Tiers};

impl Metrics {
    /// Notes what names of tiers stand for, before the first thing is kept by them: a point, a window, or a place in a stream. Whoever
    /// only looks, or has nothing to keep, binds no name: a slip in a file of tiers does not stay.
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` for a name that stands for something else by now.
    pub(crate) async fn bind(&self, tiers: &[&Tier]) -> Result<()> {
        let mut bound = self.bound.lock().await;
        let unbound: Vec<&Tier> = tiers.iter().copied().filter(|tier| !bound.contains(&tier.name)).collect();
        if unbound.is_empty() {
            return Ok(());
        }
        let new: Vec<(TierName, Standing)> = self
            .refuse_others(unbound.iter().copied())
            .await?
            .into_iter()
            .map(|tier| (tier.name.clone(), standing_of(&self.tiers, tier)))
            .collect();
        if !new.is_empty() {
            let note = self.ledger.note_names(&new);
            self.points().around("metrics: note what the names of tiers stand for", note).await?;
            // Another process may have been first.
            self.refuse_others(unbound.iter().copied()).await?;
        }
        for tier in &unbound {
            // It had no partitions when it was looked up in the catalog: those that it gets now are in the ledger.
            if self.without_partitions.contains(&tier.name) {
                self.note_known(tier).await?;
            }
            bound.insert(tier.name.clone());
        }
        Ok(())
    }

    /// Notes that all partitions of a tier are in the ledger.
    pub(crate) async fn note_known(&self, tier: &Tier) -> Result<()> {
        let note = self.ledger.note_known(&tier.name);
        self.points().around("metrics: note that a tier is known", note).await
    }

    /// Refuses tiers whose names stand for something else. Returns those of which there is something to note.
    pub(crate) async fn refuse_others<'t>(&self, tiers: impl Iterator<Item = &'t Tier>) -> Result<Vec<&'t Tier>> {
        let names = self.ledger.names().await?;
        let mut new = Vec::new();
        for tier in tiers {
            let here = standing_of(&self.tiers, tier);
            match names.get(tier.name.as_str()) {
                Some(noted) => {
                    if let Some((expected, found)) = difference(noted, &here) {
                        return Err(other(&tier.name, &expected, &found));
                    }
                    if noted.table.is_empty() && !here.table.is_empty() {
                        new.push(tier);
                    }
                }
                None => new.push(tier),
            }
        }
        Ok(new)
    }

    /// Refuses tiers whose windows are of another length than those that are kept by their names.
    pub(crate) async fn refuse_other_windows(&self) -> Result<()> {
        for tier in self.tiers.all() {
            let Some(here) = tier.unit() else { continue };
            if let Some(kept) = self.ledger.unit(&tier.name).await?.filter(|kept| *kept != here) {
                let message = format!(
                    "the windows of the tier `{}` of this project are {}s (`{}`), found a file of tiers in which they are {}s (`{}`)",
                    tier.name,
                    kept.noun(),
                    kept.key(),
                    here.noun(),
                    here.key()
                );
                return Err(Error::new(ErrorKind::InvalidInput, "open the tiers", message).help(format!(
                    "a table keeps the partitions that it was made with: leave `partition: {}`, or give the tier another name and a \
                     table of its own",
                    kept.noun()
                )));
            }
        }
        Ok(())
    }
}

/// Says of the first tier by whose name two files of tiers mean different things what it is in each; none where they agree.
pub fn contradiction(first: &Tiers, second: &Tiers) -> Option<(TierName, String, String)> {
    second.all().iter().find_map(|tier| {
        let other = first.all().iter().find(|other| other.name == tier.name)?;
        let (of_other, of_tier) = (standing_of(first, other), standing_of(second, tier));
        // Whichever is first: the other one is refused from then on, or the next time.
        let (there, here) = difference(&of_other, &of_tier)
            .or_else(|| difference(&of_tier, &of_other).map(|(here, there)| (there, here)))?;
        Some((tier.name.clone(), there, here))
    })
}

impl Metrics {
    /// Refuses a place of points that is another tier's, as the place itself says. One that nobody has is the tier's from now on, or
    /// stays as it is.
    ///
    /// # Errors
    /// As [`PointStore::claim`].
    pub(crate) async fn claim(&self, tier: &TierName, store: &dyn PointStore, how: Claiming) -> Result<()> {
        let table = standing_of(&self.tiers, self.tiers.tier(tier)?).table;
        let owner = Owner { tier: tier.clone(), table, lake: self.lake_of_claims(store, how).await? };
        let claim = store.claim(&owner, how);
        match how {
            Claiming::Look => claim.await,
            Claiming::Take => self.points().around("metrics: claim the place of a tier's points", claim).await,
        }
    }

    /// Returns which lake claims a place; none where others cannot come to it, or nobody has asked for that before and nothing is to be
    /// written.
    async fn lake_of_claims(&self, store: &dyn PointStore, how: Claiming) -> Result<Option<CatalogIdentity>> {
        let catalog = &self.lake.catalog;
        let is_on_server = store.is_on_server();
        match how {
            Claiming::Look if is_on_server => catalog.identity().await,
            Claiming::Look => Ok(None),
            Claiming::Take => {
                let make = async { if is_on_server { catalog.make_identity().await.map(Some) } else { Ok(None) } };
                self.points().around("metrics: give the lake an id", make).await
            }
        }
    }

    /// The same once in this process, for a store that points come into.
    pub(crate) async fn claim_once(&self, tier: &TierName, store: &dyn PointStore) -> Result<()> {
        let mut claimed = self.claimed.lock().await;
        if !claimed.contains(tier) {
            self.claim(tier, store, Claiming::Take).await?;
            claimed.insert(tier.clone());
        }
        Ok(())
    }
}

/// Says what the name of a tier stands for in a file of tiers.
pub(crate) fn standing_of(tiers: &Tiers, tier: &Tier) -> Standing {
    let of = if tier.is_store() { tiers.archive() } else { Some(tier) };
    let table = of.and_then(|tier| match &tier.kind {
        TierKind::Archive { table, .. } => Some(table.to_string()),
        TierKind::Store { .. } => None,
    });
    Standing { is_store: tier.is_store(), table: table.unwrap_or_default(), step_ms: tier.step.ms() }
}

/// Says what a name stands for and what it is to stand for now, where these are not the same.
fn difference(noted: &Standing, here: &Standing) -> Option<(String, String)> {
    let kind = |standing: &Standing| {
        let (is, table) = (if standing.is_store { "a store" } else { "the table" }, &standing.table);
        match (standing.is_store, table.as_str()) {
            (true, "") => is.to_owned(),
            (true, table) => format!("{is} of the table `{table}`"),
            (false, table) => format!("{is} `{table}`"),
        }
    };
    // A store may be archived from some day on. From then on a file without the archive would not see what is in it, and points that are
    // written by it would reopen no window of it.
    let has_other_table = noted.table != here.table && !noted.table.is_empty();
    if noted.is_store != here.is_store || has_other_table {
        return Some((kind(noted), kind(here)));
    }
    let step = |standing: &Standing| {
        let step = Step::from_ms(standing.step_ms).map_or_else(|_| String::new(), |step| step.to_string());
        format!("{} with the step {step}", kind(standing))
    };
    (noted.step_ms != here.step_ms).then(|| (step(noted), step(here)))
}

fn other(tier: &TierName, expected: &str, found: &str) -> Error {
    let message =
        format!("the tier `{tier}` of this project is {expected}, found a file of tiers in which it is {found}");
    Error::new(ErrorKind::InvalidInput, "open the tiers", message).help(format!(
        "points and windows are kept by the names of their tiers: give each tier of this file a name of its own, such as `{tier}_2`, \
         or let it be what it was"
    ))
}
