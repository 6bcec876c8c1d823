//! Names of series that there are, for whoever asked for one that is not.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use lake::Result;

use crate::archive::scan;
use crate::metrics::Metrics;
use crate::point::{SeriesName, SeriesPoints};
use crate::store::Selection;
use crate::time::TimeRange;

impl Metrics {
    /// Lists the series of the last window that is archived, at most so many. No store is asked: to list a large one takes long, and
    /// of some costs money.
    ///
    /// # Errors
    /// Those of the ledger and the storage.
    pub async fn archived_names(&self, most: usize) -> Result<BTreeSet<SeriesName>> {
        let mut names = BTreeSet::new();
        let Some(archive) = self.tiers.archive() else { return Ok(names) };
        let rows = self.ledger.rows(&archive.name, TimeRange::ALL).await?;
        let Some(standing) = rows.iter().rev().find_map(|row| row.standing.as_ref()) else { return Ok(names) };
        let mut batches = scan::<SeriesPoints>(&self.lake.storage, &standing.files, Selection::All);
        while names.len() < most
            && let Some(series) = batches.try_next().await?
        {
            names.extend(series.into_iter().map(|series| series.name).take(most - names.len()));
        }
        Ok(names)
    }
}
