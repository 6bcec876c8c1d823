//! Repair: a window whose archived objects are damaged or gone is written again, as a new version, from what the store holds
//! and from the objects that are whole.
//!
//! Only when both together are exactly what was archived, by its figures and sums, unless the caller says that what is left is
//! all there is.

use lake::name::Location;
use lake::{ErrorKind, Result};

use crate::archive::{ArchiveBatches, Form, hash_of_object, scan};
use crate::astray::Astray;
use crate::checksum::{Figures, Tally};
use crate::dump::{MakeOptions, OnDamage};
use crate::ledger::{Archived, ArchivedFile, Fault, LedgerRow};
use crate::metrics::Metrics;
use crate::point::SeriesPoints;
use crate::report::{Outcome, WindowReport};
use crate::store::{PointStore, Selection};
use crate::tiers::Tier;

impl Metrics {
    /// Says what is wrong with a window of which something was found wrong before; nothing when it is whole now.
    pub(crate) async fn known_damage(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        astray: Option<&Astray>,
    ) -> Result<Vec<String>> {
        let Some(standing) = &row.standing else { return Ok(Vec::new()) };
        match astray {
            Some(astray) => Ok(vec![astray.told(&standing.prefix)]),
            None if row.fault == Some(Fault::Objects) => self.check_objects::<SeriesPoints>(tier, row, standing).await,
            None => Ok(Vec::new()),
        }
    }

    /// Writes a damaged window of the archive again.
    ///
    /// # Errors
    /// As [`Metrics::dump`].
    pub(crate) async fn repair(
        &self,
        archive: &Tier,
        row: &LedgerRow,
        astray: Option<&Astray>,
        mut mismatches: Vec<String>,
        store: &dyn PointStore,
        options: &MakeOptions,
    ) -> Result<WindowReport> {
        let Some(standing) = &row.standing else { return self.report(archive, row.window, Outcome::Unchanged).await };
        let files = match astray {
            Some(Astray::Elsewhere(location)) => {
                if options.on_damage != OnDamage::Replace {
                    return self.failed(archive, row, Fault::Objects, mismatches).await;
                }
                self.objects_below(location).await?
            }
            Some(Astray::Gone) | None => self.whole_objects(standing).await?,
        };
        let mut making = self.begin_making(archive, row, Form::Points, Vec::new(), &options.attempt).await?;
        // What stands is replaced, even by the same points.
        making.standing = None;
        // A series is whole in one object.
        let scans: Vec<ArchiveBatches<SeriesPoints>> =
            files.iter().map(|file| scan(&self.lake.storage, std::slice::from_ref(file), Selection::All)).collect();
        let written = self.dump_objects(&making, store, scans).await?;
        let is_refused = match options.on_damage {
            OnDamage::Fail => !self.is_all_of(archive, row, standing, &written.target).await?,
            OnDamage::Replace => written.target.figures.count == 0,
        };
        if is_refused {
            mismatches.push(lack(&written.target.figures, &standing.figures));
            self.give_up(archive, row.window, &making.archived).await?;
            return self.failed(archive, row, Fault::Objects, mismatches).await;
        }
        let moved = written.source.figures.count;
        self.end_making::<SeriesPoints>(making, written).await?;
        let report = self.report(archive, row.window, Outcome::Made).await?;
        Ok(WindowReport { moved, ..report })
    }

    /// Tells whether points are exactly those that were archived.
    async fn is_all_of(&self, tier: &Tier, row: &LedgerRow, standing: &Archived, found: &Tally) -> Result<bool> {
        let parts = self.ledger.parts(&tier.name, row.window).await?;
        Ok(found.figures == standing.figures && parts.is_none_or(|parts| parts.target == found.parts))
    }

    /// Lists the objects of a generation whose bytes are those that were written.
    async fn whole_objects(&self, standing: &Archived) -> Result<Vec<ArchivedFile>> {
        let mut whole = Vec::new();
        for file in &standing.files {
            match hash_of_object(&self.lake.storage, &file.location).await {
                Ok((bytes, hash)) if bytes == file.bytes && hash == file.hash => whole.push(file.clone()),
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(whole)
    }

    /// Lists the objects of a version of which the ledger knows nothing more.
    async fn objects_below(&self, location: &Location) -> Result<Vec<ArchivedFile>> {
        let objects = self.lake.storage.list_data(location).await?;
        let file = |object: lake::storage::Object| ArchivedFile {
            location: object.location,
            bytes: object.bytes,
            hash: String::new(),
            first: String::new(),
            last: String::new(),
            slot: None,
            end: None,
        };
        Ok(objects.into_iter().map(file).collect())
    }
}

fn lack(found: &Figures, archived: &Figures) -> String {
    format!(
        "it is not written again: the store and the objects that are whole hold {} points of {} series with the checksum {}, \
         and {} of {} with {} were archived",
        found.count, found.series, found.checksum, archived.count, archived.series, archived.checksum
    )
}
