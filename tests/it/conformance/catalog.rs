//! What every catalog does.

use indexmap::IndexMap;
use lake::ErrorKind;
use lake::catalog::{Catalog, Column, Database, Expect, Partition, Table, TableFormat};
use lake::name::{Location, TableName};

/// Makes the description of a table partitioned by `dt` in the database `default`.
pub(super) fn table(name: &str) -> Table {
    Table::new(
        TableName::new("default", name).unwrap(),
        vec![Column::new("a", "bigint")],
        vec![Column::new("dt", "string")],
        Location::parse(&format!("s3://b/{name}/")).unwrap(),
        TableFormat::Parquet,
    )
}

pub(super) fn partition(table: &Table, dt: &str) -> Partition {
    let values = vec![dt.to_owned()];
    table.new_partition(values.clone(), table.hive_location(&values).unwrap())
}

/// Runs every law on an empty catalog.
pub(super) async fn run(catalog: &dyn Catalog) {
    databases(catalog).await;
    tables(catalog).await;
    partitions(catalog).await;
    several_partitions(catalog).await;
    replaced_tables(catalog).await;
    two_writers(catalog).await;
    refusals(catalog).await;
}

async fn databases(catalog: &dyn Catalog) {
    assert!(catalog.database("default").await.unwrap().is_some(), "the default database is there");
    let web = Database { description: Some("first".to_owned()), ..Database::new("Web") };
    catalog.create_database(&web).await.unwrap();
    catalog.create_database(&Database::new("web")).await.unwrap();
    assert_eq!(catalog.database("WEB").await.unwrap().unwrap().description.as_deref(), Some("first"));
    let names: Vec<String> = catalog.databases().await.unwrap().into_iter().map(|database| database.name).collect();
    assert_eq!(names, ["default", "web"]);
    assert!(catalog.drop_database("web").await.unwrap());
    assert!(!catalog.drop_database("web").await.unwrap());
    assert_eq!(catalog.database("web").await.unwrap(), None);
}

async fn tables(catalog: &dyn Catalog) {
    let made = catalog.put_table(&table("t"), Expect::Absent).await.unwrap();
    assert_eq!(catalog.table(&made.name).await.unwrap().as_ref(), Some(&made));
    assert_eq!(catalog.put_table(&table("t"), Expect::Absent).await.unwrap_err().kind, ErrorKind::AlreadyExists);

    let wider = Table { columns: vec![Column::new("a", "bigint"), Column::new("b", "string")], ..made.clone() };
    let second = catalog.put_table(&wider, Expect::Version(made.version)).await.unwrap();
    assert!(second.version > made.version);
    assert_eq!(second.created_ms, made.created_ms);
    assert_eq!(
        catalog.put_table(&wider, Expect::Version(made.version)).await.unwrap_err().kind,
        ErrorKind::Conflict,
        "the first version is gone"
    );
    assert_eq!(catalog.table(&made.name).await.unwrap(), Some(second.clone()), "a refused put changes nothing");

    assert_eq!(catalog.drop_database("default").await.unwrap_err().kind, ErrorKind::Conflict);
    assert!(catalog.drop_table(&made.name).await.unwrap());
    assert!(!catalog.drop_table(&made.name).await.unwrap());
    assert_eq!(catalog.put_table(&wider, Expect::Version(second.version)).await.unwrap_err().kind, ErrorKind::NotFound);
    let again = catalog.put_table(&table("t"), Expect::Absent).await.unwrap();
    assert!(again.version > second.version, "a version is never given twice");
    catalog.put_table(&table("s"), Expect::Any).await.unwrap();
    let names: Vec<String> =
        catalog.tables("default").await.unwrap().into_iter().map(|table| table.name.table).collect();
    assert_eq!(names, ["s", "t"]);
    assert!(catalog.tables("absent").await.unwrap().is_empty());
    catalog.drop_table(&TableName::new("default", "s").unwrap()).await.unwrap();
}

async fn partitions(catalog: &dyn Catalog) {
    let table = catalog.table(&TableName::new("default", "t").unwrap()).await.unwrap().unwrap();
    let second = catalog.put_partition(&table.name, &partition(&table, "2026-01-02"), Expect::Absent).await.unwrap();
    let first = catalog.put_partition(&table.name, &partition(&table, "2026-01-01"), Expect::Any).await.unwrap();
    assert_eq!(catalog.partitions(&table.name).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(catalog.partition(&table.name, &first.values).await.unwrap(), Some(first.clone()));

    let mut moved = first.clone();
    moved.location = Location::parse("s3://b/elsewhere/").unwrap();
    moved.parameters = IndexMap::from([("k".to_owned(), "v".to_owned())]);
    let kept = catalog.put_partition(&table.name, &moved, Expect::Version(first.version)).await.unwrap();
    assert!(kept.version > first.version);
    assert_eq!(kept.created_ms, first.created_ms);
    assert_eq!(catalog.partition(&table.name, &first.values).await.unwrap(), Some(kept.clone()));

    assert!(catalog.drop_partition(&table.name, &second.values).await.unwrap());
    assert!(!catalog.drop_partition(&table.name, &second.values).await.unwrap());

    // A table that changes keeps its partitions, and they keep their own columns.
    let wider = Table { columns: vec![Column::new("z", "date")], ..table.clone() };
    catalog.put_table(&wider, Expect::Any).await.unwrap();
    assert_eq!(catalog.partition(&table.name, &first.values).await.unwrap().unwrap().columns, table.columns);
    // A remark on a key is no other key.
    let key = Column { comment: Some("the day".to_owned()), ..Column::new("dt", "string") };
    let remarked = Table { partition_keys: vec![key], ..wider.clone() };
    assert_eq!(catalog.put_table(&remarked, Expect::Any).await.unwrap().partition_keys, remarked.partition_keys);
    let other_keys = Table { partition_keys: vec![Column::new("day", "string")], ..wider };
    assert_eq!(catalog.put_table(&other_keys, Expect::Any).await.unwrap_err().kind, ErrorKind::InvalidInput);

    // A dropped table takes its partitions along.
    catalog.drop_table(&table.name).await.unwrap();
    catalog.put_table(&table, Expect::Absent).await.unwrap();
    assert!(catalog.partitions(&table.name).await.unwrap().is_empty());
}

async fn several_partitions(catalog: &dyn Catalog) {
    let table = catalog.table(&TableName::new("default", "t").unwrap()).await.unwrap().unwrap();
    let name = &table.name;
    let new = |day: &str, expect| (partition(&table, day), expect);
    let kept = catalog.put_partitions(name, &[new("a", Expect::Absent), new("b", Expect::Any)]).await.unwrap();
    assert_eq!(catalog.partitions(name).await.unwrap(), kept);
    let version = kept[1].version;
    let again =
        catalog.put_partitions(name, &[new("c", Expect::Absent), new("b", Expect::Version(version))]).await.unwrap();
    assert!(again[1].version > version);
    let late = [new("a", Expect::Version(kept[0].version)), new("b", Expect::Version(version))];
    assert_eq!(catalog.put_partitions(name, &late).await.unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(catalog.put_partitions(name, &[]).await.unwrap(), []);
    let days = |days: &[&str]| days.iter().map(|day| vec![(*day).to_owned()]).collect::<Vec<_>>();
    assert_eq!(catalog.drop_partitions(name, &days(&["a", "absent", "c"])).await.unwrap(), 2);
    assert_eq!(catalog.drop_partitions(name, &days(&["b"])).await.unwrap(), 1);
    assert!(catalog.partitions(name).await.unwrap().is_empty());
}

async fn replaced_tables(catalog: &dyn Catalog) {
    let name = TableName::new("default", "t").unwrap();
    let old = catalog.table(&name).await.unwrap().unwrap();
    catalog.put_partition(&name, &partition(&old, "2026-01-01"), Expect::Absent).await.unwrap();

    // Other keys, other partitions: all at once.
    let keys = vec![Column::new("b", "bigint"), Column::new("c", "string")];
    let wanted = Table { partition_keys: keys, ..old.clone() };
    let of = |b: &str, c: &str| {
        let values = vec![b.to_owned(), c.to_owned()];
        wanted.new_partition(values.clone(), wanted.hive_location(&values).unwrap())
    };
    let kept =
        catalog.replace_table(&wanted, &[of("2", "x"), of("10", "y")], Expect::Version(old.version)).await.unwrap();
    assert!(kept.version > old.version);
    assert_eq!(catalog.table(&name).await.unwrap(), Some(kept.clone()));
    let values = || async {
        let partitions = catalog.partitions(&name).await.unwrap();
        partitions.into_iter().map(|partition| partition.values.join("/")).collect::<Vec<_>>()
    };
    assert_eq!(values().await, ["10/y", "2/x"]);

    // What is refused changes nothing.
    let refused = [
        (vec![of("1", "z")], Expect::Version(old.version), ErrorKind::Conflict),
        (vec![of("1", "z")], Expect::Absent, ErrorKind::AlreadyExists),
        (vec![of("1", "z"), of("1", "z")], Expect::Any, ErrorKind::InvalidInput),
        (vec![of("1", "z"), partition(&old, "x")], Expect::Any, ErrorKind::InvalidInput),
    ];
    for (partitions, expect, kind) in refused {
        assert_eq!(catalog.replace_table(&wanted, &partitions, expect).await.unwrap_err().kind, kind);
        assert_eq!(values().await, ["10/y", "2/x"]);
    }
    assert_eq!(catalog.table(&name).await.unwrap(), Some(kept.clone()));

    let plain = Table { partition_keys: Vec::new(), ..old };
    catalog.replace_table(&plain, &[], Expect::Version(kept.version)).await.unwrap();
    assert!(values().await.is_empty());
    catalog.drop_table(&name).await.unwrap();
    let made = catalog.replace_table(&wanted, &[of("3", "w")], Expect::Absent).await.unwrap();
    assert_eq!((values().await, made.partition_keys.len()), (vec!["3/w".to_owned()], 2));
    catalog.drop_table(&name).await.unwrap();
    catalog.put_table(&table("t"), Expect::Absent).await.unwrap();
}

async fn two_writers(catalog: &dyn Catalog) {
    let table = catalog.table(&TableName::new("default", "t").unwrap()).await.unwrap().unwrap();
    let base = catalog.put_partition(&table.name, &partition(&table, "x"), Expect::Absent).await.unwrap();
    let writers = (0..8).map(|writer| {
        let mut mine = base.clone();
        mine.location = Location::parse(&format!("s3://b/w{writer}/")).unwrap();
        let name = &table.name;
        async move { catalog.put_partition(name, &mine, Expect::Version(mine.version)).await }
    });
    let results = futures::future::join_all(writers).await;
    let won: Vec<&Partition> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "one of eight writers wins");
    for lost in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(lost.kind, ErrorKind::Conflict);
    }
    assert_eq!(catalog.partition(&table.name, &base.values).await.unwrap().as_ref(), won.first().copied());
    catalog.drop_table(&table.name).await.unwrap();
}

async fn refusals(catalog: &dyn Catalog) {
    let elsewhere = Table { name: TableName::new("absent", "t").unwrap(), ..table("t") };
    assert_eq!(catalog.put_table(&elsewhere, Expect::Any).await.unwrap_err().kind, ErrorKind::NotFound);
    let twice = Table { columns: vec![Column::new("dt", "bigint")], ..table("t") };
    assert_eq!(catalog.put_table(&twice, Expect::Any).await.unwrap_err().kind, ErrorKind::InvalidInput);
    let absent = table("absent");
    assert_eq!(
        catalog.put_partition(&absent.name, &partition(&absent, "x"), Expect::Any).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    let kept = catalog.put_table(&table("t"), Expect::Any).await.unwrap();
    for values in [vec![], vec!["a".to_owned(), "b".to_owned()], vec!["..".to_owned()], vec!["a/b".to_owned()]] {
        let hostile = Partition { values: values.clone(), ..partition(&kept, "x") };
        let error = catalog.put_partition(&kept.name, &hostile, Expect::Any).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{values:?}");
    }
    let pairs = IndexMap::from([("day".to_owned(), "a".to_owned()), ("hour".to_owned(), "1".to_owned())]);
    assert_eq!(
        kept.partition_values(&pairs).unwrap_err().to_string(),
        "the partition does not fit table `default.t` with the keys `dt`: key `dt` is missing; key `day` is not a partition \
         key; key `hour` is not a partition key"
    );
    catalog.drop_table(&kept.name).await.unwrap();
}
