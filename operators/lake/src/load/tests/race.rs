//! Loads that publish to the same table at the same time.

use std::sync::Mutex;

use super::*;
use crate::publish::VersionState;

fn to_table(mode: &str) -> serde_json::Value {
    let mut config = csv_to_table(mode);
    config["out"]["partition_by"] = serde_json::json!({});
    config
}

/// Keeps what a load tells.
fn listening() -> (LoadControl, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&told);
    let notice = Arc::new(move |notice: &Notice| kept.lock().unwrap().push(notice.to_string()));
    (LoadControl { notice, ..LoadControl::default() }, told)
}

/// Plans and writes a load, lets another one publish first, and goes on.
async fn overtaken(fixture: &Fixture, config: &serde_json::Value, scope: &str, other: &str) -> LoadReport {
    let lake = fixture.lake().await;
    let mut state = plan(&read(config), &lake, token(scope), fixture.base()).await.unwrap();
    while state.written().is_none() {
        state = advance(&lake, state, &LoadControl::default()).await.unwrap();
    }
    let replaces = config["out"]["mode"] == "append" && scope == other;
    let other = LoadToken { token: "another run".to_owned(), scope: other.to_owned() };
    run(&read(config), &lake, other, fixture.base(), &LoadControl::default()).await.unwrap();
    let (control, told) = listening();
    while state.report().is_none() {
        let text = serde_json::to_string(&state).unwrap();
        state = advance(&lake, serde_json::from_str(&text).unwrap(), &control).await.unwrap();
    }
    let mut expected =
        vec!["another writer published to table `shop.sales` first: the load writes again (1 of at most 20 times)"];
    if replaces {
        expected.push("replaced 4 rows that this load had appended to table `shop.sales` before");
    }
    assert_eq!(*told.lock().unwrap(), expected);
    state.report().unwrap().clone()
}

/// Checks that every version of a table is either seen or has its tombstone.
async fn assert_nothing_is_left(lake: &Lake, name: &str, seen: usize) {
    let versions = lake.versions.of_table(&TableName::new("shop", name).unwrap()).await.unwrap();
    let count = |state| versions.iter().filter(|version| version.state == state).count();
    assert_eq!(count(VersionState::Published), seen, "{versions:?}");
    assert_eq!(count(VersionState::Published) + count(VersionState::Retired), versions.len(), "{versions:?}");
}

#[tokio::test]
async fn of_two_equal_loads_at_once_the_last_one_wins_and_nothing_is_left() {
    for (config, partitions) in [(to_table("replace"), 1), (csv_to_table("replace"), 2), (csv_to_table("append"), 2)] {
        let fixture = Fixture::new();
        fixture.write("in/a.csv", FIRST);
        fixture.write("in/b.csv", SECOND);
        let report = Box::pin(overtaken(&fixture, &config, "daily", "daily")).await;
        let lake = fixture.lake().await;
        let found = table(&lake, "shop", "sales").await;
        assert_eq!(found.iter().map(|(_, rows)| rows.len()).sum::<usize>(), 4, "{found:?}");
        let seen = lake.catalog.table(&TableName::new("shop", "sales").unwrap()).await.unwrap().unwrap();
        let ours: Vec<String> = report.published.iter().map(|part| part.location.clone()).collect();
        if partitions == 1 {
            assert_eq!(ours, [seen.location.unwrap().to_string()], "it is the last one's");
        } else {
            let seen = lake.catalog.partitions(&seen.name).await.unwrap();
            assert_eq!(ours, seen.iter().map(|partition| partition.location.to_string()).collect::<Vec<_>>());
        }
        assert_eq!(table(&lake, "shop", "sales__rejected").await[0].1.len(), 1);
        assert_nothing_is_left(&lake, "sales", partitions).await;
        assert_nothing_is_left(&lake, "sales__rejected", 1).await;
    }
}

#[tokio::test]
async fn two_loads_that_append_at_once_both_add_their_rows() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", FIRST);
    Box::pin(overtaken(&fixture, &csv_to_table("append"), "one", "two")).await;
    let lake = fixture.lake().await;
    let found = table(&lake, "shop", "sales").await;
    assert_eq!(found[1].1, ["2024-03-01|b|2.00", "2024-03-01|b|2.00"]);
    assert_nothing_is_left(&lake, "sales", 2).await;
}

#[tokio::test]
async fn a_load_that_is_always_overtaken_gives_up_and_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", FIRST);
    let config = read(&to_table("replace"));
    let lake = fixture.lake().await;
    let mut state = plan(&config, &lake, token("slow"), fixture.base()).await.unwrap();
    let mut others = 0;
    let error = loop {
        if state.written().is_some() {
            let other = token(&format!("quick {others}"));
            others += 1;
            run(&config, &lake, other, fixture.base(), &LoadControl::default()).await.unwrap();
        }
        match advance(&lake, state, &LoadControl::default()).await {
            Ok(next) => state = next,
            Err(error) => break error,
        }
        assert!(state.report().is_none(), "it is always too late");
    };
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.message, "another writer published to table `shop.sales` meanwhile, 21 times in a row");
    assert_nothing_is_left(&lake, "sales", 1).await;
}
