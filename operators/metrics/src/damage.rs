//! Damage: archived objects that are not what was written. Nothing is made of them, and nothing is deleted that they stand for.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use lake::{Error, ErrorKind, Result};

use crate::archive::{ArchiveBatches, SeriesRows, hash_of_object, scan, scan_whole};
use crate::checksum::PartSums;
use crate::ledger::{Archived, Fault, LedgerRow};
use crate::metrics::Metrics;
use crate::report::WindowReport;
use crate::store::Selection;
use crate::tiers::{Tier, TierName};
use crate::verify::NAMED;
use crate::window::Window;

impl Metrics {
    /// Reads all that stands of a window; its end is an error when that is not what the ledger says.
    pub(crate) async fn scan_standing<S: SeriesRows>(
        &self,
        tier: &TierName,
        window: Window,
        standing: &Archived,
    ) -> Result<ArchiveBatches<S>> {
        let parts = self.ledger.parts(tier, window).await?;
        Ok(scan_whole(&self.lake.storage, standing, parts.map(|parts| parts.target)))
    }

    /// Reports a window whose objects did not read as they were written: what is wrong with them now. When nothing is, it was
    /// something else: `error`.
    pub(crate) async fn damaged<S: SeriesRows>(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        error: Error,
    ) -> Result<WindowReport> {
        self.find_damage::<S>(tier, row).await?.ok_or(error)
    }

    /// Looks for what is wrong with the objects of a window; a report of it, if anything is.
    pub(crate) async fn find_damage<S: SeriesRows>(
        &self,
        tier: &Tier,
        row: &LedgerRow,
    ) -> Result<Option<WindowReport>> {
        let Some(standing) = &row.standing else { return Ok(None) };
        let mismatches = self.check_objects::<S>(tier, row, standing).await?;
        if mismatches.is_empty() {
            return Ok(None);
        }
        self.failed(tier, row, Fault::Objects, mismatches).await.map(Some)
    }

    /// Reads the objects of a window from the storage: their bytes and what they hold must be what the ledger says.
    ///
    /// # Errors
    /// Those of the storage, but for objects that are missing or damaged.
    pub(crate) async fn check_objects<S: SeriesRows>(
        &self,
        tier: &Tier,
        row: &LedgerRow,
        standing: &Archived,
    ) -> Result<Vec<String>> {
        let mut wrong = self.check_bytes(standing).await?;
        let (figures, sums) = match self.read_back::<S>(&standing.files).await {
            Ok(found) => found,
            // What is wrong with the bytes says it all.
            Err(error) if matches!(error.kind, ErrorKind::InvalidData | ErrorKind::NotFound) => {
                if wrong.is_empty() {
                    wrong.push(error.to_string());
                }
                return Ok(wrong);
            }
            Err(error) => return Err(error),
        };
        let expected = standing.figures;
        if figures != expected {
            wrong.push(format!(
                "the objects hold {} points of {} series with the checksum {}, and the ledger says {} of {} with {}",
                figures.count, figures.series, figures.checksum, expected.count, expected.series, expected.checksum
            ));
        }
        if let Some(parts) = self.ledger.parts(&tier.name, row.window).await?
            && parts.target != sums
        {
            wrong.push(self.series_of::<S>(standing, &parts.target.differing(&sums)).await?);
        }
        Ok(wrong)
    }

    /// Compares the bytes of a generation's objects with those that were written.
    ///
    /// # Errors
    /// Those of the storage, but for objects that are missing.
    pub(crate) async fn check_bytes(&self, standing: &Archived) -> Result<Vec<String>> {
        let storage = &self.lake.storage;
        let mut wrong = Vec::new();
        for file in &standing.files {
            match hash_of_object(storage, &file.location).await {
                Ok((bytes, _)) if bytes != file.bytes => {
                    let (location, expected) = (&file.location, file.bytes);
                    wrong.push(format!("the object `{location}` has {bytes} bytes, not {expected}"));
                }
                Ok((_, hash)) if hash != file.hash => {
                    let (location, expected) = (&file.location, &file.hash);
                    wrong.push(format!("the object `{location}` has other bytes than were written: their hash is {hash}, not {expected}"));
                }
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => {
                    wrong.push(format!("the object `{}` is missing", file.location));
                }
                Err(error) => return Err(error),
            }
        }
        let known: BTreeSet<_> = standing.files.iter().map(|file| &file.location).collect();
        for object in storage.list_data(&standing.prefix).await? {
            if !known.contains(&object.location) {
                wrong.push(format!("the object `{}` is not one of the tier's", object.location));
            }
        }
        Ok(wrong)
    }

    /// Says in which series a difference is, by the parts whose sums differ.
    async fn series_of<S: SeriesRows>(&self, standing: &Archived, parts: &[usize]) -> Result<String> {
        let (mut names, mut more) = (Vec::new(), 0_u64);
        let mut batches = scan::<S>(&self.lake.storage, &standing.files, Selection::All);
        while let Some(series) = batches.try_next().await? {
            for series in series.iter().filter(|series| parts.contains(&PartSums::of(series.name()))) {
                if names.len() < NAMED {
                    names.push(format!("`{}`", series.name()));
                } else {
                    more += 1;
                }
            }
        }
        let sums = format!("{} of the 256 sums of the objects differ from the ledger's", parts.len());
        let more = if more > 0 { format!(" or {more} others") } else { String::new() };
        Ok(match names.as_slice() {
            [] => format!("{sums}; the series are not there any more"),
            [only] if more.is_empty() => format!("{sums}: the series {only} has changed"),
            names => format!("{sums}: what has changed is among the series {}{more}", names.join(", ")),
        })
    }
}
