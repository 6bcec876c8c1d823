use futures::TryStreamExt as _;

use super::*;

struct World {
    folder: tempfile::TempDir,
    store: EmbeddedStore,
}

fn name(text: &str) -> SeriesName {
    SeriesName::new(text).unwrap()
}

fn batch(series: &[(&str, &[(i64, f64)])]) -> PointBatch {
    let series = series.iter().map(|(text, points)| {
        let (points, _) = Points::of_written(points, DuplicateRule::Last).unwrap();
        SeriesPoints { name: name(text), points }
    });
    PointBatch::new(series.collect()).unwrap()
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("hot.sqlite"), CrashPoints::default()).await.unwrap();
        Self { folder, store }
    }

    async fn all(&self, range: TimeRange, selection: Selection<'_>) -> Vec<SeriesPoints> {
        let batches: Vec<PointBatch> = self.store.scan(range, selection).try_collect().await.unwrap();
        batches.into_iter().flat_map(PointBatch::into_series).collect()
    }
}

#[tokio::test]
async fn it_is_a_set_of_points() {
    let world = World::new().await;
    let written = batch(&[("b", &[(0, 1.0), (60_000, 2.0), (SPAN_MS, 3.0)]), ("a'\"🚀/%", &[(5, f64::NAN)])]);
    for added in [4, 0] {
        let merged = world.store.write(&written, DuplicateRule::Last).await.unwrap();
        assert_eq!(merged, Merged { added, same: 4 - added, changed: 0 });
    }
    assert_eq!(world.all(TimeRange::ALL, Selection::All).await, written.series());
    assert_eq!(
        world.all(TimeRange::new(60_000, SPAN_MS), Selection::All).await,
        batch(&[("b", &[(60_000, 2.0)])]).series()
    );
    let names = [name("b"), name("absent"), name("b")];
    assert_eq!(world.all(TimeRange::ALL, Selection::Names(&names)).await.len(), 1);
    let again = EmbeddedStore::open(&world.folder.path().join("hot.sqlite"), CrashPoints::default()).await.unwrap();
    let summaries = again.summaries(Selection::All).await.unwrap();
    assert_eq!(summaries[1], SeriesSummary { name: name("b"), count: 3, oldest_ms: 0, newest_ms: SPAN_MS });
    assert_eq!(again.days().await.unwrap(), BTreeSet::from([0]));
}

#[tokio::test]
async fn only_what_is_exactly_there_is_deleted() {
    let world = World::new().await;
    world.store.write(&batch(&[("a", &[(0, 1.0), (1, 2.0)]), ("b", &[(0, 5.0)])]), DuplicateRule::Last).await.unwrap();
    world.store.write(&batch(&[("a", &[(1, 7.0)])]), DuplicateRule::Last).await.unwrap();
    let read_before = batch(&[("a", &[(0, 1.0), (1, 2.0), (2, 3.0)]), ("b", &[(0, 5.0)]), ("c", &[(0, 1.0)])]);
    assert_eq!(world.store.delete_exact(&read_before).await.unwrap(), 2);
    assert_eq!(world.store.delete_exact(&read_before).await.unwrap(), 0);
    assert_eq!(world.all(TimeRange::ALL, Selection::All).await, batch(&[("a", &[(1, 7.0)])]).series());
    assert_eq!(world.store.summaries(Selection::All).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_values_of_a_time_are_told_when_that_is_an_error() {
    let world = World::new().await;
    world.store.write(&batch(&[("a", &[(60_000, 1.0)])]), DuplicateRule::Error).await.unwrap();
    let error =
        world.store.write(&batch(&[("a", &[(60_000, 2.0), (0, 9.0)])]), DuplicateRule::Error).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.message, "the series `a` has the value 1 at 1970-01-01T00:01:00Z, and 2 was written");
    assert_eq!(world.all(TimeRange::ALL, Selection::All).await.len(), 1, "nothing of it was written");
    world.store.write(&batch(&[("a", &[(60_000, 0.5)])]), DuplicateRule::Max).await.unwrap();
    assert_eq!(world.all(TimeRange::ALL, Selection::All).await, batch(&[("a", &[(60_000, 1.0)])]).series());
}

#[tokio::test]
async fn many_series_come_in_batches_in_the_order_of_their_names() {
    let world = World::new().await;
    let points: Vec<(i64, f64)> = (0..500).map(|at| (at * 60_000, 1.0)).collect();
    let names: Vec<String> = (0..600).map(|number| format!("s{number:03}")).collect();
    let series: Vec<(&str, &[(i64, f64)])> = names.iter().map(|name| (name.as_str(), points.as_slice())).collect();
    let written = batch(&series);
    world.store.write(&written, DuplicateRule::Last).await.unwrap();
    let batches: Vec<PointBatch> = world.store.scan(TimeRange::ALL, Selection::All).try_collect().await.unwrap();
    assert!(batches.len() > 2, "{}", batches.len());
    let all: Vec<SeriesPoints> = batches.into_iter().flat_map(PointBatch::into_series).collect();
    assert_eq!(all, written.series());
    assert_eq!(world.store.delete_exact(&written).await.unwrap(), 300_000);
    assert!(world.all(TimeRange::ALL, Selection::All).await.is_empty());
}

#[tokio::test]
async fn a_damaged_chunk_is_named_by_its_file_and_its_series() {
    let world = World::new().await;
    world.store.write(&batch(&[("a", &[(0, 1.0)]), ("b", &[(0, 1.0)])]), DuplicateRule::Last).await.unwrap();
    let damage = "UPDATE chunk SET points = zeroblob(20) WHERE key / ? = (SELECT id FROM series WHERE name = 'b')";
    sqlx::query(damage).bind(SPANS).execute(&world.store.pool).await.unwrap();
    let found = world.store.scan(TimeRange::ALL, Selection::All).try_collect::<Vec<_>>().await;
    let written = world.store.write(&batch(&[("b", &[(1, 2.0)])]), DuplicateRule::Last).await;
    let deleted = world.store.delete_exact(&batch(&[("b", &[(0, 1.0)])])).await;
    let path = world.folder.path().join("hot.sqlite").display().to_string();
    for error in [found.unwrap_err(), written.unwrap_err(), deleted.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert_eq!(error.message, "a chunk of points in an embedded store cannot be read: it has another form");
        assert_eq!(error.context, [("series", "b".to_owned()), ("path", path.clone())]);
    }
}
