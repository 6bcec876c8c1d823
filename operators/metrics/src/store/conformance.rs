//! What every store of points promises, as checks that run on each of them.
//!
//! A store's own tests hand over a [`Fixture`] and call [`keeps_its_promises`]; what only one store can do wrong is beside it.

mod checks;
pub(crate) mod http;
mod model;
pub(crate) mod proxy;
pub(crate) mod server;

use std::sync::Arc;

use futures::TryStreamExt;
use lake::Result;

use super::{PointStore, Selection};
use crate::duplicate::DuplicateRule;
use crate::point::{PointBatch, Points, SeriesName, SeriesPoints};
use crate::time::TimeRange;

/// Makes stores for the checks.
pub(crate) trait Fixture {
    /// The store.
    type Store: PointStore;

    /// Makes a store without a point in it.
    async fn empty(&self) -> Arc<Self::Store>;
}

/// Checks every promise of [`PointStore`], each on a store of its own.
pub(crate) async fn keeps_its_promises(fixture: &impl Fixture) {
    keeps_its_promises_with_few_points(fixture).await;
    checks::what_is_written_is_read(&*fixture.empty().await).await;
    checks::many_points_come_in_whole_series(&*fixture.empty().await).await;
    checks::a_point_that_came_meanwhile_is_not_deleted(fixture.empty().await).await;
    checks::a_reader_sees_what_was_there_before(fixture.empty().await).await;
}

/// Checks the promises that need few calls, for a store that is slow on purpose.
pub(crate) async fn keeps_its_promises_with_few_points(fixture: &impl Fixture) {
    checks::an_empty_store_has_nothing(&*fixture.empty().await).await;
    checks::writing_again_changes_nothing(&*fixture.empty().await).await;
    checks::the_last_value_wins(&*fixture.empty().await).await;
    checks::the_largest_value_wins(&*fixture.empty().await).await;
    checks::a_second_value_is_refused(&*fixture.empty().await).await;
    checks::only_exact_points_are_deleted(&*fixture.empty().await).await;
    checks::a_span_has_its_start_and_not_its_end(&*fixture.empty().await).await;
    checks::series_are_chosen_by_name(&*fixture.empty().await).await;
    checks::summaries_and_days_follow_the_points(&*fixture.empty().await).await;
    checks::writers_lose_nothing_to_each_other(fixture.empty().await).await;
    model::behaves_like_a_map(&*fixture.empty().await).await;
}

/// Makes a batch.
pub(crate) fn batch<'a>(series: impl IntoIterator<Item = (&'a str, Vec<(i64, f64)>)>) -> PointBatch {
    let series = series.into_iter().map(|(name, points)| SeriesPoints {
        name: SeriesName::new(name).unwrap(),
        points: Points::of_written(&points, DuplicateRule::Error).unwrap().0,
    });
    PointBatch::new(series.collect()).unwrap()
}

/// Returns all points of a store, and checks the order of its scan on the way.
pub(crate) async fn everything(store: &impl PointStore) -> PointBatch {
    scanned(store, TimeRange::ALL, Selection::All).await.unwrap()
}

/// Returns the points of a scan as one batch.
pub(crate) async fn scanned(store: &impl PointStore, range: TimeRange, selection: Selection<'_>) -> Result<PointBatch> {
    let batches: Vec<PointBatch> = store.scan(range, selection).try_collect().await?;
    let mut series: Vec<SeriesPoints> = Vec::new();
    for batch in batches {
        assert!(!batch.is_empty(), "a scan has no empty batches");
        for found in batch.series() {
            if let Some(last) = series.last() {
                assert!(last.name < found.name, "{} before {}", last.name, found.name);
            }
            series.push(found.clone());
        }
    }
    PointBatch::new(series)
}
