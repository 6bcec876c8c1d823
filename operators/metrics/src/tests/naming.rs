//! Two files of tiers in one project that mean different things by one name: refused as soon as something is kept by it, and not
//! before.

use std::sync::Arc;

use lake::crash::CrashPoints;
use lake::name::TableName;
use lake::{ErrorKind, Result};

use super::world::*;
use crate::*;

/// Opens the tiers of a list over one lake.
async fn open(lake: &lake::Lake, list: Vec<Tier>) -> Result<Metrics> {
    let tiers = Tiers::new(list, DuplicateRule::Last, 0).unwrap();
    Metrics::open(lake, tiers, Arc::new(stores(lake))).await
}

fn stores(lake: &lake::Lake) -> EmbeddedStores {
    EmbeddedStores { folder: lake.settings.state_dir.join("metrics"), crash_points: CrashPoints::default() }
}

fn store(text: &str, step_ms: i64) -> Tier {
    Tier {
        name: tier(text),
        step: Step::from_ms(step_ms).unwrap(),
        keep_ms: None,
        kind: TierKind::Store { flush: None },
    }
}

fn archive(text: &str, table: &str, step_ms: i64) -> Tier {
    let table = TableName::new("metrics", table).unwrap();
    Tier { kind: TierKind::Archive { table, unit: PartitionUnit::Day, location: None }, ..store(text, step_ms) }
}

/// Writes a point.
async fn write(metrics: &Metrics, to: &str) -> Result<()> {
    let point = batch(&[("a", &[(ms("2026-02-01T00:00:00Z"), 1.0)])]);
    metrics.write(&tier(to), &point, at("2026-02-10T00:00:00Z")).await.map(drop)
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

#[tokio::test]
async fn a_name_stands_for_one_table_and_one_step_in_a_project() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    // A store whose archive comes later is the same one.
    write(&open(&lake, vec![store("hot", MINUTE)]).await.unwrap(), "hot").await.unwrap();
    write(&open(&lake, vec![store("hot", MINUTE), archive("cold", "points", MINUTE)]).await.unwrap(), "hot")
        .await
        .unwrap();
    let three = vec![store("hot", MINUTE), archive("cold", "points", MINUTE), archive("hourly", "hours", HOUR)];
    open(&lake, three).await.unwrap();
    let refused = [
        (
            vec![store("hot", MINUTE), archive("other_cold", "other", MINUTE)],
            "the tier `hot` of this project is a store of the table `metrics.points`, found a file of tiers in which it is a store \
             of the table `metrics.other`",
        ),
        (
            vec![store("other_hot", MINUTE), archive("cold", "other", MINUTE)],
            "the tier `cold` of this project is the table `metrics.points`, found a file of tiers in which it is the table \
             `metrics.other`",
        ),
        (
            vec![store("cold", MINUTE)],
            "the tier `cold` of this project is the table `metrics.points`, found a file of tiers in which it is a store",
        ),
        // It would not see what is archived, and reopen no window.
        (
            vec![store("hot", MINUTE)],
            "the tier `hot` of this project is a store of the table `metrics.points`, found a file of tiers in which it is a store",
        ),
        (
            vec![store("hot", 30_000), archive("cold", "points", 30_000)],
            "the tier `hot` of this project is a store of the table `metrics.points` with the step 1m, found a file of tiers in \
             which it is a store of the table `metrics.points` with the step 30s",
        ),
    ];
    for (list, message) in refused {
        let tiers = Tiers::new(list.clone(), DuplicateRule::Last, 0).unwrap();
        for refused in [
            open(&lake, list).await.unwrap_err(),
            Metrics::open_to_look(&lake, tiers, Arc::new(stores(&lake))).await.unwrap_err(),
        ] {
            assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::InvalidInput, message));
            assert!(refused.help.unwrap().contains("a name of its own, such as `"));
        }
    }
    let others = open(&lake, vec![store("other_hot", MINUTE), archive("other_cold", "other", MINUTE)]).await.unwrap();
    write(&others, "other_hot").await.unwrap();
}

#[tokio::test]
async fn a_slip_in_a_file_of_tiers_does_not_stay_while_nothing_is_kept_by_it() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let now = at("2026-02-10T00:00:00Z");
    // Everything that finds nothing to do, and every look.
    let slip = || {
        vec![
            store("hot", MINUTE),
            store("warm", MINUTE),
            archive("cold", "ponits", MINUTE),
            archive("hourly", "huors", HOUR),
        ]
    };
    let (hot, warm, cold, hourly) = (tier("hot"), tier("warm"), tier("cold"), tier("hourly"));
    let metrics = open(&lake, slip()).await.unwrap();
    metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    assert!(metrics.due_dumps(&warm, &cold, None, now).await.unwrap().is_empty());
    assert!(metrics.due_rollups(&cold, &hourly, None, RollupSource::Archived).await.unwrap().is_empty());
    metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    let month = Window::of(PartitionUnit::Day, ms("2026-02-01T00:00:00Z"));
    metrics.rollup(&cold, &hourly, month, RollupSource::Archived, &options(), now).await.unwrap();
    assert!(metrics.status(now).await.unwrap().is_empty());
    assert!(read_all(&metrics, &[name("a")]).await.is_empty());
    assert_eq!(metrics.rebuild().await.unwrap(), 0);
    assert!(metrics.ledger.names().await.unwrap().is_empty());
    let right = || {
        vec![
            store("hot", MINUTE),
            store("warm", MINUTE),
            archive("cold", "points", MINUTE),
            archive("hourly", "hours", HOUR),
        ]
    };
    // The point binds the store that takes it, and the table of its window; not what nothing has reached yet.
    let righted = open(&lake, right()).await.unwrap();
    write(&righted, "hot").await.unwrap();
    let bound: Vec<String> = righted.ledger.names().await.unwrap().into_keys().collect();
    assert_eq!(bound, ["cold", "hot"]);
    // Whoever opened the tiers before with the other table is refused when it would keep something.
    let late = write(&metrics, "hot").await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::InvalidInput, "{late}");
    assert_eq!(read_all(&righted, &[name("a")]).await.len(), 1);
    righted.flush(&hot, &warm, FlushRule::default(), now).await.unwrap();
    righted.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap();
    righted.rollup(&cold, &hourly, month, RollupSource::Archived, &options(), now).await.unwrap();
    let bound: Vec<String> = righted.ledger.names().await.unwrap().into_keys().collect();
    assert_eq!(bound, ["cold", "hot", "hourly", "warm"]);
    let refused = open(&lake, slip()).await.unwrap_err();
    assert!(
        refused.message.starts_with("the tier `hot` of this project is a store of the table `metrics.points`"),
        "{refused}"
    );
}

/// What was looked up in the catalog by a table of a slip is looked up once more by the right one.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_slip_the_windows_of_a_lost_ledger_are_found_all_the_same() {
    let world = World::new();
    let list = |table: &str| vec![store("hot", MINUTE), archive("cold", table, MINUTE)];
    let now = at("2026-02-10T00:00:00Z");
    {
        let lake = world.lake(CrashPoints::default()).await;
        let metrics = open(&lake, list("points")).await.unwrap();
        write(&metrics, "hot").await.unwrap();
        metrics.dump(&tier("hot"), &tier("cold"), day("2026-02-01"), &options(), now).await.unwrap();
        metrics.ledger.close().await;
    }
    for end in ["", "-wal", "-shm"] {
        let file = world.folder.path().join(format!(".suiro/{}{end}", crate::ledger::FILE));
        if file.try_exists().unwrap() {
            std::fs::remove_file(file).unwrap();
        }
    }
    let lake = world.lake(CrashPoints::default()).await;
    let slip = open(&lake, list("ponits")).await.unwrap();
    assert!(slip.windows(&tier("cold"), None).await.unwrap().is_empty());
    let right = open(&lake, list("points")).await.unwrap();
    let rows = right.windows(&tier("cold"), None).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.window).collect::<Vec<_>>(), [day("2026-02-01")]);
    assert_eq!(read_all(&right, &[name("a")]).await.len(), 1);
}

#[tokio::test]
async fn the_windows_of_a_tier_keep_their_length() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let list = |unit| {
        let mut cold = archive("cold", "points", MINUTE);
        if let TierKind::Archive { unit: of, .. } = &mut cold.kind {
            *of = unit;
        }
        vec![store("hot", MINUTE), cold]
    };
    // Nothing is kept yet.
    open(&lake, list(PartitionUnit::Month)).await.unwrap();
    write(&open(&lake, list(PartitionUnit::Day)).await.unwrap(), "hot").await.unwrap();
    let refused = open(&lake, list(PartitionUnit::Month)).await.unwrap_err();
    assert_eq!(
        refused.message,
        "the windows of the tier `cold` of this project are days (`dt`), found a file of tiers in which they are months (`month`)"
    );
    assert_eq!(
        refused.help.as_deref(),
        Some(
            "a table keeps the partitions that it was made with: leave `partition: day`, or give the tier another name and a table of \
             its own"
        )
    );
}
