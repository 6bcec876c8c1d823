use super::*;
use crate::checksum::{Figures, Tally};

fn day(text: &str) -> Window {
    Window::parse(PartitionUnit::Day, text).unwrap()
}

fn archived(generation: u32, touched: u64) -> Archived {
    Archived {
        generation,
        prefix: lake::name::Location::parse(&format!("s3://b/v/g{generation}/")).unwrap(),
        files: Vec::new(),
        figures: Figures { count: 3, ..Figures::default() },
        source: Figures::default(),
        made_from: Vec::new(),
        touched,
        begun: None,
        attempt: "1".to_owned(),
        made_ms: 7,
    }
}

struct World {
    _folder: tempfile::TempDir,
    ledger: Ledger,
    tier: TierName,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join(FILE)).await.unwrap();
        Self { _folder: folder, ledger, tier: TierName::new("cold").unwrap() }
    }

    async fn row(&self, window: Window) -> LedgerRow {
        self.ledger.row(&self.tier, window).await.unwrap().unwrap()
    }

    async fn touch(&self, window: Window, touch: Touch) {
        self.ledger.touch(&self.tier, &[window], touch).await.unwrap();
    }

    async fn make(&self, window: Window) -> Archived {
        let row = self.row(window).await;
        let made = archived(row.generation + 1, row.touched());
        self.ledger.intend(&self.tier, window, &made).await.unwrap();
        self.ledger.made(&self.tier, window, &made, &Tally::default(), &Tally::default()).await.unwrap();
        made
    }
}

#[tokio::test]
async fn a_window_goes_its_way_and_a_write_makes_it_late() {
    let world = World::new().await;
    let (ledger, tier) = (&world.ledger, &world.tier);
    let window = day("2026-01-02");
    assert!(ledger.known().await.unwrap().is_empty());
    ledger.note_known(tier).await.unwrap();
    assert_eq!(ledger.known().await.unwrap(), [tier.to_string()].into());
    assert_eq!(ledger.row(tier, window).await.unwrap(), None);
    world.touch(window, Touch::Before).await;
    assert!(world.row(window).await.has_unfinished_write());
    world.touch(window, Touch::After).await;
    let row = world.row(window).await;
    assert_eq!((row.state, row.touched(), row.is_late(), row.is_settled()), (WindowState::Open, 2, false, false));

    let made = world.make(window).await;
    world.touch(window, Touch::Found).await;
    ledger.promote(tier, window, &made).await.unwrap();
    let row = world.row(window).await;
    assert_eq!((row.state, row.generation, row.making.is_none()), (WindowState::Written, 1, true));
    assert!(row.is_late(), "a write came while it was made");
    assert_eq!(row.standing.unwrap(), made);
    assert!(ledger.parts(tier, window).await.unwrap().is_some());

    let made = world.make(window).await;
    ledger.promote(tier, window, &made).await.unwrap();
    let row = world.row(window).await;
    assert!(!row.is_late());
    assert!(!ledger.begin_expiry(tier, &row).await.unwrap(), "it is not verified");
    assert!(ledger.verified(tier, &row).await.unwrap());
    let row = world.row(window).await;
    assert!(row.is_settled());
    world.touch(window, Touch::Before).await;
    assert!(!ledger.begin_expiry(tier, &row).await.unwrap(), "it was touched since it was read");
    assert!(!ledger.verified(tier, &row).await.unwrap());
    assert!(!ledger.begin_expiry(tier, &world.row(window).await).await.unwrap(), "it is late");
}

#[tokio::test]
async fn only_what_was_read_back_is_promoted_and_only_once() {
    let world = World::new().await;
    let window = day("2026-01-02");
    world.touch(window, Touch::Found).await;
    let made = archived(1, 2);
    world.ledger.intend(&world.tier, window, &made).await.unwrap();
    let error = world.ledger.promote(&world.tier, window, &made).await.unwrap_err();
    assert_eq!(error.message, "another process moved the points of the window 2026-01-02 meanwhile");
    assert!(world.ledger.intend(&world.tier, window, &made).await.is_err(), "the generation is taken");
    world.ledger.give_up(&world.tier, window, 1).await.unwrap();
    let row = world.row(window).await;
    assert_eq!((row.making, row.generation, row.state), (None, 1, WindowState::Open));
    let made = world.make(window).await;
    assert_eq!(made.generation, 2);
    world.ledger.promote(&world.tier, window, &made).await.unwrap();
    assert!(world.ledger.promote(&world.tier, window, &made).await.is_err());
}

#[tokio::test]
async fn a_restored_window_is_late_and_one_that_stands_stays() {
    let world = World::new().await;
    let (window, other) = (day("2026-01-02"), day("2026-01-03"));
    assert!(
        world.ledger.restore(&world.tier, window, &archived(4, 9), WindowState::Written, None, true).await.unwrap()
    );
    assert!(
        !world.ledger.restore(&world.tier, window, &archived(3, 9), WindowState::Written, None, true).await.unwrap()
    );
    let row = world.row(window).await;
    assert!(row.is_late());
    assert_eq!((row.generation, row.state), (4, WindowState::Written));
    assert_eq!(world.ledger.parts(&world.tier, window).await.unwrap(), None);
    let sums = PartSums::default();
    let standing = archived(1, 9);
    let restore = world.ledger.restore(&world.tier, other, &standing, WindowState::Verified, Some(&sums), false);
    assert!(restore.await.unwrap());
    let row = world.row(other).await;
    assert!(!row.is_late() && row.is_settled());
    let rows = world.ledger.rows(&world.tier, other.range()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.window).collect::<Vec<_>>(), [other]);
}

#[tokio::test]
async fn what_was_looked_at_before_a_later_generation_was_taken_in_is_not_noted() {
    let world = World::new().await;
    let (window, tier) = (day("2026-01-02"), &world.tier);
    world.touch(window, Touch::Found).await;
    let made = world.make(window).await;
    world.ledger.promote(tier, window, &made).await.unwrap();
    let given_up = world.make(window).await;
    world.ledger.give_up(tier, window, given_up.generation).await.unwrap();
    let row = world.row(window).await;
    assert_eq!(row.generation, 2);
    assert!(world.ledger.advance(tier, &row, &archived(2, 9), WindowState::Verified, None, true).await.unwrap());
    let error = world.ledger.confirm(tier, window, &made, &Tally::default()).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::Conflict, lake::error::Retryable::Yes));
    assert!(!world.ledger.verified(tier, &row).await.unwrap());
    let row = world.row(window).await;
    assert_eq!((row.standing.clone().unwrap().generation, row.generation), (2, 3));
    world.ledger.confirm(tier, window, &row.standing.unwrap(), &Tally::default()).await.unwrap();
}

#[tokio::test]
async fn a_window_that_stands_is_not_given_up() {
    let world = World::new().await;
    let (window, tier) = (day("2026-01-02"), &world.tier);
    let dropped = async || world.ledger.dropped(tier, TimeRange::ALL).await.unwrap();
    world.ledger.note_dropped(tier, window).await.unwrap();
    assert!(world.ledger.restore(tier, window, &archived(1, 9), WindowState::Written, None, true).await.unwrap());
    assert_eq!(dropped().await, []);
    // A note that changes nothing takes nothing back either.
    world.ledger.note_dropped(tier, window).await.unwrap();
    assert!(!world.ledger.restore(tier, window, &archived(2, 9), WindowState::Written, None, true).await.unwrap());
    assert_eq!(dropped().await, [window]);
    let row = world.row(window).await;
    assert!(world.ledger.advance(tier, &row, &archived(2, 9), WindowState::Written, None, true).await.unwrap());
    assert_eq!(dropped().await, []);
    world.ledger.note_dropped(tier, window).await.unwrap();
    let made = world.make(window).await;
    world.ledger.promote(tier, window, &made).await.unwrap();
    assert_eq!(dropped().await, []);
}

#[tokio::test]
async fn an_expired_window_that_was_looked_at_is_settled_again_unless_something_came() {
    let world = World::new().await;
    let window = day("2026-01-02");
    let standing = archived(1, 9);
    let restore = world.ledger.restore(&world.tier, window, &standing, WindowState::Expired, None, true);
    assert!(restore.await.unwrap());
    let row = world.row(window).await;
    assert_eq!((row.state, row.is_late(), row.is_settled()), (WindowState::Expired, true, false));
    world.touch(window, Touch::Before).await;
    assert!(!world.ledger.still_expired(&world.tier, &row).await.unwrap(), "it was touched since it was looked at");
    world.touch(window, Touch::After).await;
    assert!(world.ledger.still_expired(&world.tier, &world.row(window).await).await.unwrap());
    assert!(world.row(window).await.is_settled());
}

#[tokio::test]
async fn a_file_of_the_second_form_learns_how_far_streams_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    // As the second form was, with a window in it.
    let ledger = Ledger::open(&file).await.unwrap();
    let (tier, window) = (TierName::new("cold").unwrap(), day("2026-01-02"));
    ledger.touch(&tier, &[window], Touch::Found).await.unwrap();
    sqlx::raw_sql(
        "DROP TABLE metric_stream; DROP TABLE metric_server; DROP TABLE metric_name; PRAGMA user_version = 2;",
    )
    .execute(&ledger.pool)
    .await
    .unwrap();
    ledger.close().await;
    let ledger = Ledger::open(&file).await.unwrap();
    assert!(ledger.row(&tier, window).await.unwrap().is_some());
    let position = |last: &str| {
        let shard = crate::stream::ShardPosition { last: Some(last.to_owned()), records: 2, ..Default::default() };
        crate::stream::StreamPosition { made_ms: Some(7), shards: [(format!("shard-{last}"), shard)].into() }
    };
    assert_eq!(ledger.stream_position("s", &tier).await.unwrap(), crate::stream::StreamPosition::default());
    for last in ["5", "6"] {
        ledger.note_stream_position("s", &tier, &position(last), &[]).await.unwrap();
        assert_eq!(ledger.stream_position("s", &tier).await.unwrap(), position(last));
    }
    let other = TierName::new("other").unwrap();
    assert!(ledger.stream_position("s", &other).await.unwrap().shards.is_empty());
}
