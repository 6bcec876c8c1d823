//! Rebuilding a lost ledger: what the catalog's partitions tell of themselves, and what the stores hold.

use std::collections::{BTreeMap, BTreeSet};

use lake::Result;

use crate::archive::{partition_of, parts_of, standing_of, state_of};
use crate::ledger::{MadeFrom, Touch};
use crate::metrics::Metrics;
use crate::tiers::{Tier, TierKind, TierName};
use crate::window::Window;

/// The values of the partitions that the catalog has, of the tiers that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    of_tiers: BTreeMap<TierName, BTreeSet<Vec<String>>>,
}

impl Metrics {
    /// Takes into the ledger what it does not know: windows that the catalog's partitions tell of, and those that the stores
    /// hold points of. Returns how many windows were found in the catalog.
    ///
    /// Each is as far as its partition says. Those of the raw points are late all the same: what was written since they were
    /// dumped is not known, so each is looked at once more.
    ///
    /// # Errors
    /// Those of the catalog, the stores and the ledger. Repeating it goes on.
    pub async fn rebuild(&self) -> Result<u64> {
        let mut found = 0;
        for tier in self.tiers.all() {
            found += self.rebuild_from_catalog(tier).await?;
        }
        if let Some(archive) = self.tiers.archive() {
            self.find_stored(archive).await?;
        }
        Ok(found)
    }

    /// Takes windows of a tier into the ledger that the catalog's partitions tell of.
    pub(crate) async fn rebuild_from_catalog(&self, tier: &Tier) -> Result<u64> {
        let TierKind::Archive { table, unit, .. } = &tier.kind else { return Ok(0) };
        if self.lake.catalog.table(table).await?.is_none() {
            return Ok(0);
        }
        let (mut found, mut made_from) = (0, Vec::new());
        let is_raw = self.tiers.archive().is_some_and(|archive| archive.name == tier.name);
        for partition in self.lake.catalog.partitions(table).await? {
            let [step, label] = partition.values.as_slice() else { continue };
            let archived = standing_of(&partition)?.filter(|_| *step == tier.step.to_string());
            let Some(archived) = archived else { continue };
            let window = Window::parse(*unit, label)?;
            let sums = parts_of(&partition);
            let state = state_of(&partition);
            made_from.extend(archived.made_from.iter().cloned());
            self.bind(&[tier]).await?;
            let restore = self.ledger.restore(&tier.name, window, &archived, state, sums.as_ref(), is_raw);
            found += u64::from(self.points().around("metrics: take a window from the catalog", restore).await?);
        }
        self.note_dropped(&made_from, &mut Listed::default()).await?;
        Ok(found)
    }

    /// Notes the windows of which nothing but a roll-up is left: their tier has given them up. What a roll-up is made of was in the
    /// catalog before it, so that a list of partitions that is made after the roll-up was found tells what is there no more.
    pub(crate) async fn note_dropped(&self, made_from: &[MadeFrom], listed: &mut Listed) -> Result<()> {
        for from in made_from {
            let finer = self.tiers.all().iter().find(|tier| tier.name.as_str() == from.tier);
            let Some((tier, unit)) = finer.and_then(|tier| Some((tier, tier.unit()?))) else { continue };
            let window = Window::parse(unit, &from.window)?;
            let row = self.ledger.row(&tier.name, window).await?;
            if row.is_some_and(|row| row.standing.is_some()) || self.is_dropped(tier, window).await? {
                continue;
            }
            if !self.is_listed(tier, window, listed).await? {
                let note = self.ledger.note_dropped(&tier.name, window);
                self.points().around("metrics: note that a roll-up alone is left of a window", note).await?;
            }
        }
        Ok(())
    }

    /// Tells whether the catalog has a partition of a window, by one list for each tier.
    async fn is_listed(&self, tier: &Tier, window: Window, listed: &mut Listed) -> Result<bool> {
        let (table, values) = partition_of(tier, window)?;
        if !listed.of_tiers.contains_key(&tier.name) {
            let is_there = self.lake.catalog.table(table).await?.is_some();
            let partitions = if is_there { self.lake.catalog.partitions(table).await? } else { Vec::new() };
            let all = partitions.into_iter().map(|partition| partition.values).collect();
            listed.of_tiers.insert(tier.name.clone(), all);
        }
        Ok(listed.of_tiers.get(&tier.name).is_some_and(|all| all.contains(&values)))
    }

    /// Notes the windows of points in stores.
    async fn find_stored(&self, archive: &Tier) -> Result<()> {
        let mut windows = Vec::new();
        for tier in self.tiers.stores() {
            let days = self.store(&tier.name).await?.days().await?;
            let of_day = |day_ms: i64| {
                let day = crate::TimeRange::new(day_ms, day_ms.saturating_add(86_400_000));
                archive.unit().map(|unit| Window::all_in(unit, &day)).unwrap_or_default()
            };
            windows.extend(days.into_iter().flat_map(of_day));
        }
        windows.sort();
        windows.dedup();
        let known = self.ledger.rows(&archive.name, crate::TimeRange::ALL).await?;
        windows.retain(|window| known.binary_search_by_key(window, |row| row.window).is_err());
        let mut held = Vec::new();
        for window in windows {
            if !self.is_out_of_all_stores(window).await? {
                held.push(window);
            }
        }
        let windows = held;
        if !windows.is_empty() {
            self.bind(&self.tiers.stores().chain([archive]).collect::<Vec<_>>()).await?;
        }
        let touch = self.ledger.touch(&archive.name, &windows, Touch::Found);
        self.points().around("metrics: note windows that were found", touch).await
    }

    /// Makes a window late, so that its next dump looks at it once more.
    ///
    /// # Errors
    /// Those of the ledger; `InvalidInput` for a tier that is not the archive.
    pub async fn reopen(&self, tier: &crate::TierName, window: Window) -> Result<()> {
        match self.tiers.archive() {
            Some(archive) if archive.name == *tier => self.found_late(archive, window).await,
            _ => Err(crate::metrics::invalid(format!("cannot reopen a window of `{tier}`: it is not the archive"))),
        }
    }
}
