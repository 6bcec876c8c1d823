//! A file of an earlier form is brought up to date when it is opened, and publishing goes on with what it holds.

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::*;

/// Its tables, each before those that refer to it.
const TABLES: [&str; 7] = [
    "catalog_database",
    "catalog_table",
    "catalog_partition",
    "catalog_table_version",
    "catalog_column_statistics",
    "catalog_version",
    "version_prefix",
];

#[tokio::test(flavor = "multi_thread")]
async fn publishing_goes_on_with_a_file_of_the_second_form() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let first = publish(&lake, &request("2026-01-01", ONE)).await.unwrap();
    world.tick();
    let second = publish(&lake, &request("2026-01-01", TWO)).await.unwrap();

    // The same in a file as it was then.
    let folder = world.folder.path();
    let state = folder.join(".suiro-before");
    std::fs::create_dir(&state).unwrap();
    let file = state.join("catalog.sqlite");
    let mut before =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file).create_if_missing(true))
            .await
            .unwrap();
    sqlx::raw_sql(include_str!("form_2.sql")).execute(&mut before).await.unwrap();
    let now = folder.join(".suiro/catalog.sqlite").display().to_string();
    sqlx::query("ATTACH ? AS now").bind(now).execute(&mut before).await.unwrap();
    let copies = TABLES.map(|table| format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM now.{table};")).concat();
    sqlx::raw_sql(sqlx::AssertSqlSafe(copies)).execute(&mut before).await.unwrap();
    before.close().await.unwrap();
    drop(lake);

    let settings = LakeSettings {
        clock: Arc::clone(&world.clock) as _,
        parallelism: Some(2),
        ..LakeSettings::new(&state, folder.join("warehouse"))
    };
    let lake = Lake::open(settings.clone()).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k, n, dt FROM web.daily").await, ["b|2|2026-01-01"]);
    // What it knew of versions leads back and forth.
    let values = ["2026-01-01".to_owned()];
    let undone = lake.undo_partition(&daily(), &values, Direction::Undo).await.unwrap();
    assert_eq!(Some(&undone.to), first.location.as_ref());
    lake.undo_partition(&daily(), &values, Direction::Redo).await.unwrap();
    world.tick();
    let third = publish(&lake, &request("2026-01-01", ONE)).await.unwrap();
    assert_eq!(third.previous_location, second.location);
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["a|1"]);
    world.clock.advance(Duration::from_hours(25));
    let collected: BTreeSet<Location> = lake.collect().await.unwrap().versions.into_iter().collect();
    assert_eq!(collected, [first, second].map(|outcome| outcome.location.unwrap()).into());
    drop(lake);

    // It has the form of today, and what that has more.
    let mut now = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
    let form: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut now).await.unwrap();
    let roots: Vec<String> = sqlx::query_scalar("SELECT location FROM version_root").fetch_all(&mut now).await.unwrap();
    let visible: i64 = sqlx::query_scalar("SELECT count(*) FROM version_visible").fetch_one(&mut now).await.unwrap();
    assert_eq!((form, roots.as_slice(), visible), (4, ["s3://b/web/daily--versions/".to_owned()].as_slice(), 0));
    now.close().await.unwrap();
    let lake = Lake::open(settings).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k, n FROM web.daily").await, ["a|1"]);
}
