//! Repair: a window whose archived objects are damaged or gone is written again, as a new version, from what the store holds
//! and from what can be read of the objects.
//!
//! Only when all that was archived is in both together, by its sums, unless the caller says that what is left is all there is.

use lake::Result;
use lake::name::Location;

use crate::archive::Form;
use crate::astray::Astray;
use crate::checksum::Figures;
use crate::dump::{MakeOptions, OnDamage};
use crate::ledger::{ArchivedFile, Fault, LedgerRow};
use crate::metrics::Metrics;
use crate::point::SeriesPoints;
use crate::report::{Outcome, WayOn, WindowReport};
use crate::salvage::Left;
use crate::store::PointStore;
use crate::tiers::Tier;
use crate::verify::NAMED;

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
        let mut left = match astray {
            Some(Astray::Elsewhere(location)) => {
                if options.on_damage != OnDamage::Replace {
                    return self.failed_astray(archive, row, standing, &Astray::Elsewhere(location.clone())).await;
                }
                Left::unknown(self.objects_below(location).await?)
            }
            Some(Astray::Gone) | None => self.left_of(archive, row, standing).await?,
        };
        let mut making = self.begin_making(archive, row, Form::Points, Vec::new(), &options.attempt).await?;
        // What stands is replaced, even by the same points.
        making.standing = None;
        let written = self.dump_objects(&making, store, left.scans(self)).await?;
        let is_all_there = self.is_all_there(&left, standing, &written).await?;
        let given_up = if is_all_there { Vec::new() } else { self.losses(&left, &written.files).await? };
        if options.on_damage == OnDamage::Fail && !is_all_there {
            mismatches.push(lack(&written.target.figures, &standing.figures));
            let more = given_up.len().saturating_sub(NAMED);
            mismatches.extend(given_up.iter().take(NAMED).map(|gone| format!("gone are {gone}")));
            if more > 0 {
                mismatches.push(format!("and those of {more} more series"));
            }
            self.give_up(archive, row.window, &making.archived).await?;
            let report = self.failed(archive, row, Fault::Objects, mismatches).await?;
            return Ok(WindowReport { way_on: Some(WayOn::DumpWhatIsLeft), ..report });
        }
        let moved = written.source.figures.count;
        self.end_making::<SeriesPoints>(making, written).await?;
        let report = self.report(archive, row.window, Outcome::Made).await?;
        Ok(WindowReport { given_up, moved, ..report })
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
        "it is not written again: the store and what can be read of the objects hold {} points of {} series with the checksum {}, \
         and {} of {} with {} were archived",
        found.count, found.series, found.checksum, archived.count, archived.series, archived.checksum
    )
}
