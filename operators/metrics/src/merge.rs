//! Reads several tiers side by side, in the order of names.

use std::collections::VecDeque;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use lake::Result;

use crate::archive::SeriesRows;
use crate::point::{PointBatch, SeriesName, SeriesPoints};
use crate::store::{PointStore, Selection};
use crate::time::TimeRange;

/// Series on their way, in the order of names.
pub(crate) type Batches<'a, S> = BoxStream<'a, Result<Vec<S>>>;

/// Reads a store.
pub(crate) fn store_batches<'a>(
    store: &'a dyn PointStore,
    range: TimeRange,
    selection: Selection<'a>,
) -> Batches<'a, SeriesPoints> {
    store.scan(range, selection).map_ok(PointBatch::into_series).boxed()
}

/// One source of series.
struct Source<'a, S> {
    batches: Batches<'a, S>,
    ready: VecDeque<S>,
    ended: bool,
}

/// Several sources side by side.
pub(crate) struct SideBySide<'a, S> {
    sources: Vec<Source<'a, S>>,
}

impl<'a, S: SeriesRows> SideBySide<'a, S> {
    /// Begins to read sources.
    pub(crate) fn new(sources: impl IntoIterator<Item = Batches<'a, S>>) -> Self {
        let source = |batches| Source { batches, ready: VecDeque::new(), ended: false };
        Self { sources: sources.into_iter().map(source).collect() }
    }

    /// Returns the next series: its name, and what each source has of it, by the source's number.
    ///
    /// # Errors
    /// The first one of a source.
    pub(crate) async fn next(&mut self) -> Result<Option<(SeriesName, Vec<(usize, S)>)>> {
        for source in &mut self.sources {
            while source.ready.is_empty() && !source.ended {
                match source.batches.next().await {
                    None => source.ended = true,
                    Some(batch) => source.ready.extend(batch?),
                }
            }
        }
        let first = self.sources.iter().filter_map(|source| source.ready.front()).map(S::name).min();
        let Some(name) = first.cloned() else { return Ok(None) };
        let mut found = Vec::with_capacity(self.sources.len());
        for (number, source) in self.sources.iter_mut().enumerate() {
            if let Some(series) = source.ready.pop_front_if(|series| *series.name() == name) {
                found.push((number, series));
            }
        }
        Ok(Some((name, found)))
    }
}

/// Tells apart what a store (the first source) and the archive (the second) have of a series.
pub(crate) fn stored_and_archived<S>(found: Vec<(usize, S)>) -> (Option<S>, Option<S>) {
    let (mut stored, mut archived) = (None, None);
    for (number, series) in found {
        if number == 0 {
            stored = Some(series);
        } else {
            archived = Some(series);
        }
    }
    (stored, archived)
}
