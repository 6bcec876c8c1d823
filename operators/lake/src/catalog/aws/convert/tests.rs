use super::*;
use crate::catalog::TableFormat;

const CALL: Call = Call { operation: "write a table", action: "glue:UpdateTable" };

fn some_pairs() -> Pairs {
    IndexMap::from([("k".to_owned(), "v".to_owned())])
}

/// A table in which every field says something.
fn full() -> Table {
    let detail = StorageDetail {
        bucket_columns: vec!["a".to_owned()],
        bucket_count: Some(-1),
        sort_columns: vec![SortColumn { column: "a".to_owned(), order: 0 }],
        stored_as_sub_directories: Some(true),
        skewed: Some(Skewed { columns: vec!["a".to_owned()], values: vec!["1".to_owned()], locations: some_pairs() }),
        additional_locations: vec!["s3://b/more/".to_owned()],
        serde_name: Some("serde".to_owned()),
        parameters: some_pairs(),
    };
    let plain = Table::new(
        TableName::new("web", "t").unwrap(),
        vec![Column { parameters: some_pairs(), comment: Some("c".to_owned()), ..Column::new("a", "bigint") }],
        vec![Column { comment: Some("the day".to_owned()), ..Column::new("dt", "string") }],
        Location::parse("s3://b/t/").unwrap(),
        TableFormat::Parquet,
    );
    Table {
        storage: Storage { compressed: true, detail, ..plain.storage.clone() },
        view_text: Some("text".to_owned()),
        detail: TableDetail {
            description: Some("d".to_owned()),
            owner: Some("me".to_owned()),
            retention: Some(7),
            last_access_ms: Some(1000),
            last_analyzed_ms: Some(2000),
            view_expanded_text: Some("expanded".to_owned()),
            target: Some(TableTarget {
                catalog_id: Some("1".to_owned()),
                database: "x".to_owned(),
                table: "y".to_owned(),
                region: Some("z".to_owned()),
            }),
        },
        ..plain
    }
}

/// What Glue gives back of what it was given.
fn echoed(input: glue::TableInput) -> glue::Table {
    glue::Table::builder()
        .name(input.name)
        .database_name("web")
        .set_description(input.description)
        .set_owner(input.owner)
        .create_time(DateTime::from_millis(5))
        .update_time(DateTime::from_millis(6))
        .set_last_access_time(input.last_access_time)
        .set_last_analyzed_time(input.last_analyzed_time)
        .retention(input.retention)
        .set_storage_descriptor(input.storage_descriptor)
        .set_partition_keys(input.partition_keys)
        .set_view_original_text(input.view_original_text)
        .set_view_expanded_text(input.view_expanded_text)
        .set_table_type(input.table_type)
        .set_parameters(input.parameters)
        .set_target_table(input.target_table)
        .version_id("3")
        .build()
        .unwrap()
}

#[test]
fn no_field_of_a_table_is_lost() {
    for wanted in [
        full(),
        Table { storage: TableFormat::Parquet.storage(), detail: TableDetail::default(), view_text: None, ..full() },
    ] {
        let (found, unreadable) = table("web", echoed(table_input(CALL, &wanted).unwrap())).unwrap();
        assert!(unreadable.is_none());
        let expected = Table { created_ms: 5, updated_ms: 6, version: (6 << 20) | 3, ..wanted };
        assert_eq!(found, expected);
    }
}

#[test]
fn no_field_of_a_partition_is_lost() {
    let table = full();
    let wanted = Partition {
        parameters: some_pairs(),
        detail: PartitionDetail { last_access_ms: Some(1000), last_analyzed_ms: Some(2000) },
        ..table.new_partition(vec!["x".to_owned()], Location::parse("s3://b/t/dt=x/").unwrap())
    };
    let input = partition_input(CALL, &wanted, Stamp { number: 9, created_ms: None }).unwrap();
    assert_eq!(input.parameters().unwrap().get(revision::PARAMETER).unwrap(), "9");
    let echoed = glue::Partition::builder()
        .set_values(input.values)
        .creation_time(DateTime::from_millis(5))
        .set_last_access_time(input.last_access_time)
        .set_last_analyzed_time(input.last_analyzed_time)
        .set_storage_descriptor(input.storage_descriptor)
        .set_parameters(input.parameters)
        .build();
    let found = partition(&table.name, echoed).unwrap();
    assert_eq!(revision::number_of(found.version), 9);
    assert_eq!(found, Partition { created_ms: 5, version: found.version, ..wanted });
}

#[test]
fn what_would_be_lost_is_not_touched() {
    let descriptor = glue::StorageDescriptor::builder()
        .schema_reference(glue::SchemaReference::builder().schema_version_id("1").build())
        .build();
    let found = glue::Table::builder().name("t").storage_descriptor(descriptor).build().unwrap();
    assert_eq!(unchangeable(&found), Some("its columns are those of a schema registry"));
    let plain = glue::Table::builder().name("t").build().unwrap();
    assert_eq!(unchangeable(&plain), None);
}

#[test]
fn a_location_that_is_none_of_s3_is_told_apart() {
    let descriptor = glue::StorageDescriptor::builder().location("hdfs://x/y").build();
    let found = glue::Table::builder().name("t").storage_descriptor(descriptor).build().unwrap();
    let (found, unreadable) = table("web", found).unwrap();
    assert_eq!(found.location, None);
    assert!(unreadable.unwrap().to_string().contains("hdfs://x/y"));
}
