//! `mode: append`, again.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn what_was_appended_is_replaced_wherever_it_lies() {
    let fixture = Fixture::new();
    let load = async |text: &str, scope: &str| {
        fixture.write("in/a.csv", text);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&notices);
        let notice = Arc::new(move |notice: &Notice| told.lock().unwrap().push(notice.to_string()));
        let control = LoadControl { notice, ..LoadControl::default() };
        let (config, lake) = (read(&csv_to_table("append")), fixture.lake().await);
        Box::pin(run(&config, &lake, token(scope), fixture.base(), &control)).await.unwrap();
        drop(lake);
        let said = notices.lock().unwrap().clone();
        (said, table(&fixture.lake().await, "shop", "sales").await)
    };
    assert_eq!(load(FIRST, "one").await.0, [""; 0]);
    assert_eq!(load("day,name,price\n2024-03-01,z,9\n", "two").await.0, [""; 0]);
    // The rows of the first day go, those that another load added to the second stay.
    let (said, rows) = load("day,name,price\n2024-03-02,b,2\n", "one").await;
    assert_eq!(said, ["replaced 3 rows that this load had appended to table `shop.sales` before"]);
    let after: &[(&str, &[&str])] =
        &[("2024-02-29", &[]), ("2024-03-01", &["2024-03-01|z|9.00"]), ("2024-03-02", &["2024-03-02|b|2.00"])];
    assert_eq!(rows, owned(after));
    // A partition that holds nothing of it is left alone.
    let name = TableName::new("shop", "sales").unwrap();
    let before = fixture.lake().await.catalog.partitions(&name).await.unwrap();
    assert_eq!(load("day,name,price\n2024-03-02,b,2\n", "one").await.1, owned(after));
    let after = fixture.lake().await.catalog.partitions(&name).await.unwrap();
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2].location, after[2].location);
}

#[tokio::test]
async fn what_was_appended_is_found_behind_an_undo_and_in_a_damaged_object() {
    let fixture = Fixture::new();
    let load = async |text: &str, scope: &str| {
        fixture.write("in/a.csv", text);
        fixture.run(&csv_to_table("append"), scope).await.unwrap();
    };
    load(FIRST, "one").await;
    load("day,name,price\n2024-03-01,z,9\n", "two").await;
    let (lake, name) = (fixture.lake().await, TableName::new("shop", "sales").unwrap());
    let day = "2024-03-01".to_owned();
    lake.undo_partition(&name, &[day], crate::publish::Direction::Undo).await.unwrap();
    assert_eq!(table(&lake, "shop", "sales").await[1].1, ["2024-03-01|b|2.00"]);
    let first = lake.catalog.partition(&name, &["2024-02-29".to_owned()]).await.unwrap().unwrap();
    for object in lake.storage.list_data(&first.location).await.unwrap() {
        std::fs::write(lake.storage.file(&object.location).unwrap(), "damaged").unwrap();
    }
    load("day,name,price\n2024-03-02,b,2\n", "one").await;
    let after: &[(&str, &[&str])] = &[("2024-02-29", &[]), ("2024-03-01", &[]), ("2024-03-02", &["2024-03-02|b|2.00"])];
    assert_eq!(table(&fixture.lake().await, "shop", "sales").await, owned(after));
}
