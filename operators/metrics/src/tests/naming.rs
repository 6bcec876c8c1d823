//! Two files of tiers in one project that mean different things by one name.

use std::sync::Arc;

use lake::crash::CrashPoints;
use lake::name::TableName;
use lake::{ErrorKind, Result};

use super::world::*;
use crate::*;

#[tokio::test]
async fn a_name_stands_for_one_table_and_one_step_in_a_project() {
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let stores = |lake: &lake::Lake| EmbeddedStores {
        folder: lake.settings.state_dir.join("metrics"),
        crash_points: CrashPoints::default(),
    };
    let open = async |tiers: Tiers| -> Result<Metrics> { Metrics::open(&lake, tiers, Arc::new(stores(&lake))).await };
    let of = |list: Vec<Tier>| Tiers::new(list, DuplicateRule::Last, 0).unwrap();
    let store = |text: &str, step_ms| Tier {
        name: tier(text),
        step: Step::from_ms(step_ms).unwrap(),
        keep_ms: None,
        kind: TierKind::Store { flush: None },
    };
    let archive = |text: &str, table: &str, step_ms| Tier {
        kind: TierKind::Archive {
            table: TableName::new("metrics", table).unwrap(),
            unit: PartitionUnit::Day,
            location: None,
        },
        ..store(text, step_ms)
    };
    // A store whose archive comes later is the same one.
    open(of(vec![store("hot", 60_000)])).await.unwrap();
    open(of(vec![store("hot", 60_000), archive("cold", "points", 60_000)])).await.unwrap();
    open(of(vec![store("hot", 60_000), archive("cold", "points", 60_000), archive("hourly", "hours", 3_600_000)]))
        .await
        .unwrap();
    let refused = [
        (
            vec![store("hot", 60_000), archive("other_cold", "other", 60_000)],
            "the tier `hot` of this project is a store of the table `metrics.points`, found a file of tiers in which it is a store \
             of the table `metrics.other`",
        ),
        (
            vec![store("other_hot", 60_000), archive("cold", "other", 60_000)],
            "the tier `cold` of this project is the table `metrics.points`, found a file of tiers in which it is the table \
             `metrics.other`",
        ),
        (
            vec![store("cold", 60_000)],
            "the tier `cold` of this project is the table `metrics.points`, found a file of tiers in which it is a store",
        ),
        (
            vec![store("hot", 30_000), archive("cold", "points", 30_000)],
            "the tier `hot` of this project is a store of the table `metrics.points` with the step 1m, found a file of tiers in \
             which it is a store of the table `metrics.points` with the step 30s",
        ),
    ];
    for (list, message) in refused {
        for refused in [
            open(of(list.clone())).await.unwrap_err(),
            Metrics::open_to_look(&lake, of(list), Arc::new(stores(&lake))).await.unwrap_err(),
        ] {
            assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::InvalidInput, message));
            assert!(refused.help.unwrap().contains("a name of its own, such as `"));
        }
    }
    open(of(vec![store("other_hot", 60_000), archive("other_cold", "other", 60_000)])).await.unwrap();
}
