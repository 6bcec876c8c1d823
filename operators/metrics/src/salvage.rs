//! What is left of an archived window that is damaged, and what of it is gone.
//!
//! A damaged object costs what cannot be read of it. Its series are whole where the ledger's sums say so; where a sum differs although
//! every point can be read, something has changed, and none of the series that the sum is of is taken.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use lake::{ErrorKind, Result};

use crate::archive::{ArchiveBatches, Salvaged, hash_of_object, read_named, salvage, scan};
use crate::checksum::{PARTS, PartSums, Tally};
use crate::ledger::{Archived, ArchivedFile, LedgerRow};
use crate::make::WrittenObjects;
use crate::metrics::Metrics;
use crate::point::{Points, SeriesName, SeriesPoints};
use crate::store::Selection;
use crate::tiers::Tier;

/// What is left of a window.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The objects that are what was written.
    whole: Vec<ArchivedFile>,
    /// What can be read of the others, in the order of the names.
    read: Vec<SeriesPoints>,
    /// The series among which something has changed.
    changed: BTreeMap<SeriesName, Points>,
    /// What cannot be read, as [`Salvaged::lost`].
    lost: BTreeMap<SeriesName, Vec<Option<i64>>>,
    /// How many points cannot be read, nor of which series they are.
    nameless: u64,
    /// The objects that they were in, or may have been in.
    broken: Vec<ArchivedFile>,
    /// The ledger's sums, where it knows them.
    sums: Option<PartSums>,
    /// The parts of the series that are not all there as they were written.
    incomplete: BTreeSet<usize>,
}

impl Left {
    /// Takes objects of which the ledger knows nothing more.
    pub(crate) fn unknown(whole: Vec<ArchivedFile>) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Reads all of it: a series is whole in one of the scans.
    pub(crate) fn scans(&mut self, metrics: &Metrics) -> Vec<ArchiveBatches<SeriesPoints>> {
        let storage = &metrics.lake.storage;
        let mut scans: Vec<ArchiveBatches<SeriesPoints>> =
            self.whole.iter().map(|file| scan(storage, std::slice::from_ref(file), Selection::All)).collect();
        let read = std::mem::take(&mut self.read);
        if !read.is_empty() {
            scans.push(futures::stream::iter([Ok(read)]).boxed());
        }
        scans
    }

    /// Lists the parts of which neither what is left nor that together with a store is what was archived.
    fn doubtful(&self, standing: &Archived, united: &Tally) -> BTreeSet<usize> {
        match &self.sums {
            Some(sums) => {
                sums.differing(&united.parts).into_iter().filter(|part| self.incomplete.contains(part)).collect()
            }
            None if united.figures == standing.figures => BTreeSet::new(),
            None => self.incomplete.clone(),
        }
    }
}

impl Metrics {
    /// Looks for what is left of a window whose objects are damaged or gone.
    ///
    /// # Errors
    /// Those of the storage and the ledger.
    pub(crate) async fn left_of(&self, tier: &Tier, row: &LedgerRow, standing: &Archived) -> Result<Left> {
        let storage = &self.lake.storage;
        let (mut left, mut salvaged) = (Left::default(), Salvaged::default());
        for file in &standing.files {
            match hash_of_object(storage, &file.location).await {
                Ok((bytes, hash)) if bytes == file.bytes && hash == file.hash => {
                    left.whole.push(file.clone());
                    continue;
                }
                Ok(_) => salvaged.join(salvage(storage, file, standing.figures.count).await?),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            left.broken.push(file.clone());
        }
        let (figures, parts) = self.read_back::<SeriesPoints>(&left.whole).await?;
        let mut found = Tally { figures, parts };
        for (name, points) in &salvaged.points {
            found.add(name, points);
        }
        left.sums = self.ledger.parts(&tier.name, row.window).await?.map(|parts| parts.target);
        left.incomplete = match &left.sums {
            Some(sums) => sums.differing(&found.parts).into_iter().collect(),
            None if found.figures == standing.figures => BTreeSet::new(),
            None => (0..PARTS).collect(),
        };
        let lost: usize = salvaged.lost.values().map(Vec::len).sum();
        left.nameless = standing.figures.count.saturating_sub(found.figures.count + lost as u64);
        let lacking: BTreeSet<usize> = salvaged.lost.keys().map(PartSums::of).collect();
        for (name, points) in salvaged.points {
            let part = PartSums::of(&name);
            // What cannot be read explains why a sum differs.
            if left.nameless == 0 && left.incomplete.contains(&part) && !lacking.contains(&part) {
                left.changed.insert(name, points);
            } else {
                left.read.push(SeriesPoints { name, points });
            }
        }
        left.lost = salvaged.lost;
        Ok(left)
    }

    /// Tells whether everything that was archived is in what was written of what is left and of a store: part by part, so that points
    /// which came since do not hide it; of a part that is not whole without the store that is one point at most.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn is_all_there(
        &self,
        left: &Left,
        standing: &Archived,
        written: &WrittenObjects,
    ) -> Result<bool> {
        let mut doubtful = left.doubtful(standing, &written.target);
        let Some(sums) = left.sums.as_ref().filter(|_| !doubtful.is_empty()) else { return Ok(doubtful.is_empty()) };
        let mut batches = scan::<SeriesPoints>(&self.lake.storage, &written.files, Selection::All);
        while let Some(batch) = batches.try_next().await? {
            for SeriesPoints { name, points } in batch {
                let part = PartSums::of(&name);
                if doubtful.contains(&part) && written.target.parts.is_with_one_of(sums, &name, &points) {
                    doubtful.remove(&part);
                }
            }
        }
        Ok(doubtful.is_empty())
    }

    /// Says what of a window is gone when it consists of some objects: a line each.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn losses(&self, left: &Left, written: &[ArchivedFile]) -> Result<Vec<String>> {
        let names: BTreeSet<&SeriesName> = left.lost.keys().chain(left.changed.keys()).collect();
        let names: Vec<SeriesName> = names.into_iter().cloned().collect();
        let there = read_named::<SeriesPoints>(&self.lake.storage, written, &names).await?;
        let there: BTreeMap<&SeriesName, &Points> = there.iter().map(|series| (&series.name, &series.points)).collect();
        let mut gone = Vec::new();
        for name in &names {
            let is_there =
                |time_ms: &i64| there.get(name).is_some_and(|points| points.times_ms().binary_search(time_ms).is_ok());
            let lost = left.lost.get(name).map(Vec::as_slice).unwrap_or_default();
            let lost = lost.iter().filter(|time_ms| time_ms.is_none_or(|time_ms| !is_there(&time_ms))).count();
            if lost > 0 {
                gone.push(format!("{} of `{name}`, which cannot be read", points(lost as u64)));
            }
            let changed = left.changed.get(name).map(Points::times_ms).unwrap_or_default();
            let changed = changed.iter().filter(|time_ms| !is_there(time_ms)).count();
            if changed > 0 {
                gone.push(format!("{} of `{name}`, among which something has changed", points(changed as u64)));
            }
        }
        if left.nameless > 0 {
            let of: Vec<String> = left
                .broken
                .iter()
                .map(|file| format!("`{}` to `{}` in `{}`", file.first, file.last, file.location))
                .collect();
            gone.push(format!(
                "{} of which not even the series can be read, but for those that the store has: of the series {}",
                points(left.nameless),
                of.join(", ")
            ));
        }
        Ok(gone)
    }
}

fn points(count: u64) -> String {
    if count == 1 { "1 point".to_owned() } else { format!("{count} points") }
}
