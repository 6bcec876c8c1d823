//! What every catalog does that is served as Glue.

use indexmap::IndexMap;
use lake::ErrorKind;
use lake::catalog::detail::{Skewed, SortColumn, TableTarget};
use lake::catalog::{
    Archive, Column, ColumnStatistics, Database, Expect, GlueCatalog, Partition, PartitionDetail, Storage,
    StorageDetail, Table, TableDetail,
};
use lake::name::Location;
use serde_json::json;

use super::catalog::{partition, table};

/// Runs every law on an empty catalog.
pub(super) async fn run(catalog: &dyn GlueCatalog) {
    databases(catalog).await;
    details(catalog).await;
    versions(catalog).await;
    statistics(catalog).await;
}

async fn databases(catalog: &dyn GlueCatalog) {
    catalog.insert_database(&Database::new("Web")).await.unwrap();
    assert_eq!(catalog.insert_database(&Database::new("web")).await.unwrap_err().kind, ErrorKind::AlreadyExists);
    let made = catalog.database("web").await.unwrap().unwrap();
    let changed = Database {
        description: Some("second".to_owned()),
        location: Some(Location::parse("s3://b/web/").unwrap()),
        ..Database::new("WEB")
    };
    catalog.update_database(&changed).await.unwrap();
    let found = catalog.database("web").await.unwrap().unwrap();
    assert_eq!(found, Database { created_ms: made.created_ms, ..changed });
    assert_eq!(catalog.update_database(&Database::new("absent")).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(catalog.drop_database("web").await.unwrap());
}

async fn details(catalog: &dyn GlueCatalog) {
    let pair = IndexMap::from([("k".to_owned(), "v".to_owned())]);
    let storage = StorageDetail {
        bucket_columns: vec!["a".to_owned()],
        bucket_count: Some(-1),
        sort_columns: vec![SortColumn { column: "a".to_owned(), order: 0 }],
        stored_as_sub_directories: Some(false),
        skewed: Some(Skewed { columns: vec!["a".to_owned()], values: vec!["1".to_owned()], locations: pair.clone() }),
        additional_locations: vec!["s3://b/more/".to_owned()],
        serde_name: Some("serde".to_owned()),
        parameters: pair.clone(),
    };
    let plain = table("t");
    let full = Table {
        columns: vec![Column { parameters: pair.clone(), ..Column::new("a", "bigint") }],
        storage: Storage { detail: storage.clone(), ..plain.storage.clone() },
        detail: TableDetail {
            description: Some("d".to_owned()),
            owner: Some("me".to_owned()),
            retention: Some(0),
            last_access_ms: Some(1),
            last_analyzed_ms: Some(2),
            view_expanded_text: Some("SELECT 1".to_owned()),
            target: Some(TableTarget {
                catalog_id: Some("1".to_owned()),
                database: "x".to_owned(),
                table: "y".to_owned(),
                region: Some("z".to_owned()),
            }),
        },
        ..plain
    };
    let kept = catalog.put_table(&full, Expect::Absent).await.unwrap();
    let found = catalog.table(&kept.name).await.unwrap().unwrap();
    assert_eq!((&found.columns, &found.storage, &found.detail), (&full.columns, &full.storage, &full.detail));
    let wanted = Partition {
        storage: full.storage.clone(),
        detail: PartitionDetail { last_access_ms: Some(1), last_analyzed_ms: Some(2) },
        ..partition(&kept, "x")
    };
    catalog.put_partition(&kept.name, &wanted, Expect::Absent).await.unwrap();
    let found = catalog.partition(&kept.name, &wanted.values).await.unwrap().unwrap();
    assert_eq!((found.storage, found.detail), (wanted.storage, wanted.detail));
    catalog.drop_table(&kept.name).await.unwrap();
}

async fn versions(catalog: &dyn GlueCatalog) {
    let first = catalog.update_table(&table("t"), Expect::Absent, Archive::Keep).await.unwrap();
    let name = &first.name;
    assert_eq!(catalog.table_versions(name).await.unwrap(), std::slice::from_ref(&first));
    let second = catalog.update_table(&first, Expect::Version(first.version), Archive::Keep).await.unwrap();
    let third = catalog.update_table(&second, Expect::Version(second.version), Archive::Skip).await.unwrap();
    assert_eq!(
        catalog.update_table(&second, Expect::Version(second.version), Archive::Keep).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
    assert_eq!(
        catalog.table_versions(name).await.unwrap(),
        [third.clone(), first.clone()],
        "the second version was not kept, and a refused update keeps nothing"
    );
    assert_eq!(catalog.drop_table_version(name, third.version).await.unwrap_err().kind, ErrorKind::InvalidInput);
    assert!(catalog.drop_table_version(name, first.version).await.unwrap());
    assert!(!catalog.drop_table_version(name, first.version).await.unwrap());
    catalog.update_table(&third, Expect::Any, Archive::Keep).await.unwrap();
    assert_eq!(catalog.table_versions(name).await.unwrap().len(), 2);
    catalog.drop_table(name).await.unwrap();
    let again = catalog.put_table(&table("t"), Expect::Absent).await.unwrap();
    assert_eq!(catalog.table_versions(name).await.unwrap(), [again], "a dropped table takes its history along");
    catalog.drop_table(name).await.unwrap();
}

async fn statistics(catalog: &dyn GlueCatalog) {
    let kept = catalog.put_table(&table("t"), Expect::Absent).await.unwrap();
    let name = &kept.name;
    let made = catalog.put_partition(name, &partition(&kept, "x"), Expect::Absent).await.unwrap();
    let of = |column: &str, rows: i64| ColumnStatistics { column: column.to_owned(), figures: json!({ "n": rows }) };
    for place in [None, Some(made.values.as_slice())] {
        catalog.put_column_statistics(name, place, &[of("b", 1), of("a", 2)]).await.unwrap();
        catalog.put_column_statistics(name, place, &[of("b", 3)]).await.unwrap();
        assert_eq!(catalog.column_statistics(name, place).await.unwrap(), [of("a", 2), of("b", 3)]);
        assert!(catalog.drop_column_statistics(name, place, "A").await.unwrap());
        assert!(!catalog.drop_column_statistics(name, place, "a").await.unwrap());
        assert_eq!(catalog.column_statistics(name, place).await.unwrap(), [of("b", 3)]);
    }
    let absent = ["y".to_owned()];
    let error = catalog.put_column_statistics(name, Some(&absent), &[of("a", 1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    catalog.drop_partition(name, &made.values).await.unwrap();
    assert!(catalog.column_statistics(name, Some(&made.values)).await.unwrap().is_empty());
    assert_eq!(catalog.column_statistics(name, None).await.unwrap().len(), 1);
    catalog.drop_table(name).await.unwrap();
    assert!(catalog.column_statistics(name, None).await.unwrap().is_empty());
    let error = catalog.put_column_statistics(name, None, &[of("a", 1)]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}
