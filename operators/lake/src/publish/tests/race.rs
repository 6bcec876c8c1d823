//! Writers of the same partition or table at the same time.

use super::*;

/// Plans a publish, lets another writer publish first, and goes on.
async fn overtaken(lake: &Lake, slow: &PublishRequest, quick: &PublishRequest) -> Result<PublishOutcome> {
    let Step::Next(planned) = lake.plan_publish(slow).await.unwrap() else { panic!("it proceeds") };
    let quick = PublishRequest { attempt: "2".to_owned(), ..quick.clone() };
    publish(lake, &quick).await.unwrap();
    go_on(lake, slow, &Mutex::new(Some(planned))).await
}

fn with_mode(mut request: PublishRequest, save_mode: SaveMode) -> PublishRequest {
    request.options.save_mode = save_mode;
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_that_overwrite_the_last_one_wins() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let outcome = overtaken(&lake, &request("d", ONE), &request("d", TWO)).await.unwrap();
    assert_eq!(outcome.result, PublishResult::Published);
    assert!(outcome.previous_location.is_some(), "it took the place of the other's");
    let version = outcome.location.unwrap();
    assert!(version.file_name().ends_with("-g2"), "no prefix is written to twice: {version}");
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["a"]);

    // The same where something was there before.
    world.tick();
    overtaken(&lake, &request("d", TWO), &request("d", ONE)).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["b"]);

    overtaken(&lake, &table_request("made", ONE), &table_request("made", TWO)).await.unwrap();
    assert_eq!(shown(&lake, "SELECT k FROM web.made").await, ["a"]);
    world.clock.advance(Duration::from_hours(72));
    lake.collect().await.unwrap();
    // Of each its object, its marker, and the marker of the version root.
    assert_eq!(world.files().len(), 6, "what lost is gone: {:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_query_read_that_came_too_late_counts() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    publish(&lake, &request("d", ONE)).await.unwrap();
    let copy = |attempt: &str| PublishRequest {
        attempt: attempt.to_owned(),
        ..table_request("made", "SELECT k FROM web.daily WHERE dt = 'd'")
    };
    let once = publish(&lake, &copy("1")).await.unwrap().stats.scanned_bytes;
    world.tick();
    let twice = overtaken(&lake, &copy("3"), &table_request("made", TWO)).await.unwrap().stats.scanned_bytes;
    assert!(once > 0 && twice == 2 * once, "{once} {twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_overtaken_does_what_its_save_mode_says() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let strict = with_mode(request("d", ONE), SaveMode::ErrorIfExists);
    let error = overtaken(&lake, &strict, &request("d", TWO)).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::AlreadyExists, "partition `dt=d` of table `web.daily` is there already")
    );
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["b"]);
    assert_eq!(world.files().len(), 3, "the loser's version is gone: {:?}", world.files());

    let content = with_mode(request("e", ONE), SaveMode::SkipIfExists);
    let outcome = overtaken(&lake, &content, &request("e", TWO)).await.unwrap();
    assert_eq!(outcome.result, PublishResult::Skipped);
    assert_eq!(shown(&lake, "SELECT k FROM web.daily WHERE dt = 'e'").await, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_a_new_table_at_once_all_publish() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let requests = (0..3).map(|n| {
        let mut request = request("d", &format!("SELECT {n} AS a"));
        let values = IndexMap::from([("dt".to_owned(), "d".to_owned())]);
        request.target = Target::Partition { table: TableName::new("fresh", "made").unwrap(), values };
        request.options.create_table = true;
        request.token = format!("+main^sub+{n}");
        request
    });
    let requests: Vec<PublishRequest> = requests.collect();
    let mut planned = Vec::new();
    for request in &requests {
        let Step::Next(state) = lake.plan_publish(request).await.unwrap() else { panic!("it proceeds") };
        planned.push(Mutex::new(Some(state)));
    }
    let all = requests.iter().zip(&planned).map(|(request, kept)| go_on(&lake, request, kept));
    for outcome in futures::future::join_all(all).await {
        assert_eq!(outcome.unwrap().result, PublishResult::Published);
    }
    assert_eq!(shown(&lake, "SELECT count(*) FROM fresh.made").await, ["1"]);
}

/// Makes a table whose key is a number: a value has more than one text.
async fn with_a_table_of_months(lake: &Lake) -> Table {
    let name = TableName::new("web", "monthly").unwrap();
    let place = Location::parse("s3://warehouse/web/monthly/").unwrap();
    let columns = vec![Column::new("k", "string"), Column::new("n", "bigint")];
    let table = Table::new(name, columns, vec![Column::new("m", "int")], place, TableFormat::Parquet);
    lake.catalog.put_table(&table, Expect::Absent).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_texts_of_one_value_are_one_partition_whoever_is_first() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let name = with_a_table_of_months(&lake).await.name;
    let of_month = |month: &str, sql: &str| {
        let values = IndexMap::from([("m".to_owned(), month.to_owned())]);
        PublishRequest { target: Target::Partition { table: name.clone(), values }, ..request("d", sql) }
    };
    let outcome = overtaken(&lake, &of_month("09", ONE), &of_month("9", TWO)).await.unwrap();
    assert_eq!(outcome.partition, IndexMap::from([("m".to_owned(), "9".to_owned())]));
    let partitions = lake.catalog.partitions(&name).await.unwrap();
    assert_eq!(partitions.iter().map(|partition| partition.values.join("/")).collect::<Vec<_>>(), ["9"]);
    assert_eq!(shown(&lake, "SELECT k FROM web.monthly").await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_was_registered_meanwhile_by_another_text_is_the_one() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let table = with_a_table_of_months(&lake).await;
    let name = table.name.clone();
    for (mode, ours, theirs) in [(PublishMode::Versioned, "9", "09"), (PublishMode::InPlace, "7", "07")] {
        let values = IndexMap::from([("m".to_owned(), ours.to_owned())]);
        let mut request =
            PublishRequest { target: Target::Partition { table: name.clone(), values }, ..request("d", ONE) };
        request.options.mode = mode;
        let Step::Next(planned) = lake.plan_publish(&request).await.unwrap() else { panic!("it proceeds") };
        // Who registers a partition gives it the text that it has in its place.
        let registered = vec![theirs.to_owned()];
        let partition = table.new_partition(registered.clone(), table.hive_location(&registered).unwrap());
        lake.catalog.put_partition(&name, &partition, Expect::Absent).await.unwrap();
        let outcome = go_on(&lake, &request, &Mutex::new(Some(planned))).await.unwrap();
        assert_eq!(outcome.partition, IndexMap::from([("m".to_owned(), theirs.to_owned())]), "{mode:?}");
        assert_eq!(shown(&lake, &format!("SELECT k FROM web.monthly WHERE m = {ours}")).await, ["a"], "{mode:?}");
    }
    let partitions = lake.catalog.partitions(&name).await.unwrap();
    assert_eq!(partitions.iter().map(|partition| partition.values.join("/")).collect::<Vec<_>>(), ["07", "09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_always_overtaken_gives_up() {
    let world = World::new().await;
    let lake = world.open(CrashPoints::default()).await;
    let slow = request("d", ONE);
    let mut state = None;
    let error = loop {
        let step = match &state {
            None => lake.plan_publish(&slow).await,
            Some(state) => {
                if let PublishState::Planned(_) = state {
                    publish(&lake, &PublishRequest { attempt: "2".to_owned(), ..request("d", TWO) }).await.unwrap();
                }
                lake.publish_step(&slow, state).await
            }
        };
        match step {
            Ok(Step::Next(next)) => state = Some(next),
            Ok(Step::Wait(_)) => tokio::task::yield_now().await,
            Ok(Step::Done(_)) => panic!("it is always too late"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(
        error.message,
        "another writer published partition `d` of table `web.daily` meanwhile, 21 times in a row"
    );
    assert_eq!(shown(&lake, "SELECT k FROM web.daily").await, ["b"]);
}
