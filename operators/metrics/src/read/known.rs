//! Which series there are, for whoever asked for one of which no point was found.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use lake::Result;

use crate::archive::{SeriesRows, scan};
use crate::bucket::SeriesBuckets;
use crate::ledger::{Archived, MadeFrom};
use crate::metrics::Metrics;
use crate::point::{SeriesName, SeriesPoints};
use crate::store::Selection;
use crate::tiers::TierKind;
use crate::time::TimeRange;

/// How many windows of a tier are looked through for names at most.
const LAST_WINDOWS: usize = 31;

impl Metrics {
    /// Tells whether any tier has a point of a series, whenever it was. Each tier is asked, so that this is for readers that found
    /// nothing: of a series that is there nowhere every window is looked at, those of the roll-ups in place of what they are made of.
    ///
    /// # Errors
    /// Those of the stores, the ledger and the storage: what cannot be read may hold it.
    pub async fn knows(&self, name: &SeriesName) -> Result<bool> {
        for tier in self.tiers.stores() {
            let store = self.store(&tier.name).await?;
            if !store.summaries(Selection::Names(std::slice::from_ref(name))).await?.is_empty() {
                return Ok(true);
            }
        }
        let mut looked_at: BTreeSet<MadeFrom> = BTreeSet::new();
        let archive = self.tiers.archive().map(|archive| archive.name.clone());
        for tier in self.tiers.all().iter().filter(|tier| matches!(tier.kind, TierKind::Archive { .. })).rev() {
            let mut windows = Vec::new();
            // The newest first: a series that came to its end is asked for less often than one that is young.
            for row in self.ledger.rows(&tier.name, TimeRange::ALL).await?.into_iter().rev() {
                let Some(standing) = row.standing else { continue };
                let (window, generation) = (row.window.label(), standing.generation);
                let is_in_rollup = looked_at.contains(&MadeFrom { tier: tier.name.to_string(), window, generation });
                looked_at.extend(standing.made_from.iter().cloned());
                if !is_in_rollup {
                    windows.push(standing);
                }
            }
            let is_there = if archive.as_ref() == Some(&tier.name) {
                self.is_in_any::<SeriesPoints>(name, &windows).await?
            } else {
                self.is_in_any::<SeriesBuckets>(name, &windows).await?
            };
            if is_there {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether one of some generations has a row of a series.
    async fn is_in_any<S: SeriesRows>(&self, name: &SeriesName, windows: &[Archived]) -> Result<bool> {
        let generations = windows.iter().map(|standing| ((), standing)).collect();
        let mut reads = self.read_each::<_, S>(std::slice::from_ref(name), generations);
        while let Some(((), read)) = reads.next().await {
            if !read?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lists series whose names are at hand, at most so many: those of stores that list them at once, and those of the last windows that
    /// are archived, roll-ups in place of what they are made of. Stores that do not are not asked: to list a large one takes long, and of
    /// some costs money. What cannot be read is passed over.
    ///
    /// # Errors
    /// Those of the stores and the ledger.
    pub async fn names_at_hand(&self, most: usize) -> Result<BTreeSet<SeriesName>> {
        let mut names = BTreeSet::new();
        for tier in self.tiers.stores() {
            names.extend(self.store(&tier.name).await?.names_at_hand(most).await?);
        }
        let mut looked_at: BTreeSet<MadeFrom> = BTreeSet::new();
        let archive = self.tiers.archive().map(|archive| archive.name.clone());
        for tier in self.tiers.all().iter().filter(|tier| matches!(tier.kind, TierKind::Archive { .. })).rev() {
            let rows = self.ledger.rows(&tier.name, TimeRange::ALL).await?;
            let mut left = LAST_WINDOWS;
            for (row, standing) in rows.iter().rev().filter_map(|row| Some((row, row.standing.as_ref()?))) {
                let (window, generation) = (row.window.label(), standing.generation);
                let is_in_rollup = looked_at.contains(&MadeFrom { tier: tier.name.to_string(), window, generation });
                looked_at.extend(standing.made_from.iter().cloned());
                if is_in_rollup || left == 0 {
                    continue;
                }
                left -= 1;
                if archive.as_ref() == Some(&tier.name) {
                    self.add_names::<SeriesPoints>(standing, most, &mut names).await;
                } else {
                    self.add_names::<SeriesBuckets>(standing, most, &mut names).await;
                }
            }
        }
        Ok(names)
    }

    /// Adds the names of a generation's series, as long as there are fewer than so many.
    async fn add_names<S: SeriesRows>(&self, standing: &Archived, most: usize, names: &mut BTreeSet<SeriesName>) {
        let mut batches = scan::<S>(&self.lake.storage, &standing.files, Selection::All);
        while names.len() < most
            && let Ok(Some(series)) = batches.try_next().await
        {
            names.extend(series.iter().map(|series| series.name().clone()).take(most - names.len()));
        }
    }
}
