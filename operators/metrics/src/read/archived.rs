//! Reading what is archived of some series: several windows at a time, in their order.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use lake::{Error, ErrorKind, Result};

use crate::archive::{SeriesRows, read_named};
use crate::ledger::Archived;
use crate::metrics::Metrics;
use crate::point::SeriesName;

/// How many windows of the archive are read at a time.
const WINDOWS_AT_ONCE: usize = 16;

impl Metrics {
    /// Reads some series of generations; each comes with what it is called by.
    pub(crate) fn read_each<'k, K: Send + 'k, S: SeriesRows>(
        &self,
        names: &[SeriesName],
        generations: Vec<(K, &Archived)>,
    ) -> BoxStream<'k, (K, Result<Vec<S>>)> {
        let names: Arc<[SeriesName]> = names.into();
        let jobs: Vec<_> = generations
            .into_iter()
            .map(|(key, standing)| (key, standing.files.clone(), self.lake.storage.clone(), Arc::clone(&names)))
            .collect();
        futures::stream::iter(jobs)
            .map(|(key, files, storage, names)| async move {
                // In a task of its own: decoding takes processor time.
                let read = tokio::spawn(async move { read_named::<S>(&storage, &files, &names).await });
                let stopped =
                    |error| Error::new(ErrorKind::External, "read an archive", "the reading stopped").source(error);
                (key, read.await.unwrap_or_else(|error| Err(stopped(error))))
            })
            .buffered(WINDOWS_AT_ONCE)
            .boxed()
    }
}
