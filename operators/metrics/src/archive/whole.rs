//! Reads all that a generation holds, and ends with an error when that is not what was written.

use futures::StreamExt as _;
use lake::storage::Storage;
use lake::{Error, ErrorKind};

use super::SeriesRows;
use super::scan::{ArchiveBatches, scan};
use crate::checksum::{PartSums, Tally};
use crate::ledger::Archived;
use crate::store::Selection;

/// Reads the objects of a generation. The last thing that comes is an error of the kind `DataQuality` when they cannot be read,
/// or hold something else than the ledger says: whoever makes something of them reads to the end before readers see it.
pub(crate) fn scan_whole<S: SeriesRows>(
    storage: &Storage,
    standing: &Archived,
    sums: Option<PartSums>,
) -> ArchiveBatches<S> {
    let batches = scan::<S>(storage, &standing.files, Selection::All);
    let whole = Whole { batches, tally: Tally::default(), figures: standing.figures, sums };
    futures::stream::try_unfold(whole, |mut whole| async move {
        match whole.batches.next().await {
            Some(Ok(batch)) => {
                for series in &batch {
                    series.tally(&mut whole.tally);
                }
                Ok(Some((batch, whole)))
            }
            Some(Err(error)) if matches!(error.kind, ErrorKind::InvalidData | ErrorKind::NotFound) => {
                Err(damaged(&error.to_string()).source(error))
            }
            Some(Err(error)) => Err(error),
            None if whole.is_as_written() => Ok(None),
            None => {
                let (found, expected) = (whole.tally.figures, whole.figures);
                Err(damaged(&format!(
                    "{} of {} series with the checksum {}, not {} of {} with {}",
                    found.count, found.series, found.checksum, expected.count, expected.series, expected.checksum
                )))
            }
        }
    })
    .boxed()
}

/// Objects on their way, and what they should be.
struct Whole<S> {
    batches: ArchiveBatches<S>,
    tally: Tally,
    figures: crate::checksum::Figures,
    sums: Option<PartSums>,
}

impl<S> Whole<S> {
    fn is_as_written(&self) -> bool {
        self.tally.figures == self.figures && self.sums.as_ref().is_none_or(|sums| *sums == self.tally.parts)
    }
}

fn damaged(found: &str) -> Error {
    let message = format!("the archived objects do not read as they were written: {found}");
    Error::new(ErrorKind::DataQuality, "read an archive", message)
}
