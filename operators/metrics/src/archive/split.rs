//! Splits an object that has too many rows into several by the hash of the series, each in the order of name and time.
//!
//! How many there must be is known only when all rows are written, and rows are too many to be kept. So they are written as one
//! object first, which is read again and deleted: that costs a second encoding, for windows of more than some 25,000 series
//! alone. What is written depends on the series and their points alone, not on the pieces in which they come.

use futures::TryStreamExt as _;
use lake::Result;

use super::file::Current;
use super::{ArchiveWriter, SeriesRows, scan};
use crate::ledger::{ArchivedFile, HashSlot};
use crate::store::{SCAN_POINTS, Selection};

/// Encoded rows in memory at most, of all objects together: about 20 MB of points.
const ROWS_IN_MEMORY: usize = 4_000_000;

/// One of the objects.
struct Share<S> {
    /// Series that wait to be encoded.
    ready: Vec<S>,
    object: Option<Current>,
}

impl ArchiveWriter {
    /// Splits an object; it is deleted when the others are there.
    pub(super) async fn split<S: SeriesRows>(mut self, whole: ArchivedFile, count: usize) -> Result<Vec<ArchivedFile>> {
        let mut shares: Vec<Share<S>> = (0..count).map(|_| Share { ready: Vec::new(), object: None }).collect();
        let mut series = scan::<S>(&self.storage, std::slice::from_ref(&whole), Selection::All);
        let mut ready = 0;
        while let Some(batch) = series.try_next().await? {
            for series in batch {
                let slot = HashSlot::of_series(series.name(), count as u64);
                ready += series.len();
                let share = usize::try_from(slot.number).ok().and_then(|number| shares.get_mut(number));
                if let Some(share) = share {
                    share.ready.push(series);
                }
                if ready >= SCAN_POINTS {
                    ready = 0;
                    self.encode(&mut shares).await?;
                }
            }
        }
        self.encode(&mut shares).await?;
        let mut files = Vec::with_capacity(count);
        for (number, share) in (0..).zip(shares) {
            // With few series a share may have none.
            if let Some(object) = share.object {
                files.push(object.close(Some(HashSlot { number, of: count as u64 })).await?);
            }
        }
        self.storage.delete(&[whole.location]).await?;
        Ok(files)
    }

    /// Encodes what waits, and ends row groups before there are too many rows in memory.
    async fn encode<S: SeriesRows>(&mut self, shares: &mut [Share<S>]) -> Result<()> {
        let of = shares.len();
        for (number, share) in shares.iter_mut().enumerate() {
            let ready = std::mem::take(&mut share.ready);
            let Some(first) = ready.first() else { continue };
            let mut object = match share.object.take() {
                Some(object) => object,
                None => self.open::<S>(&format!("part-{number:05}-of-{of:05}.parquet"), first.name())?,
            };
            object.write(&ready).await?;
            share.object = Some(object);
        }
        let rows = |share: &Share<S>| share.object.as_ref().map_or(0, Current::rows_in_memory);
        while shares.iter().map(rows).sum::<usize>() > ROWS_IN_MEMORY {
            // The first of the largest, always the same one.
            let largest = shares.iter_mut().rev().max_by_key(|share| rows(share));
            let Some(object) = largest.and_then(|share| share.object.as_mut()) else { break };
            object.end_row_group().await?;
        }
        Ok(())
    }
}
