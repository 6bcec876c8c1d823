//! Inputs without rows, and what becomes of the table.

use std::sync::Mutex;

use super::*;

const NO_ROWS: &str = "day,name,price\n";

fn config(mode: &str, on_empty: Option<&str>, partitions: bool) -> serde_json::Value {
    let mut config = csv_to_table(mode);
    if let Some(on_empty) = on_empty {
        config["out"]["on_empty"] = on_empty.into();
    }
    if !partitions {
        config["out"]["partition_by"] = serde_json::json!({});
    }
    config
}

#[tokio::test]
async fn an_empty_input_takes_no_rows_away_unless_that_is_said() {
    for partitions in [true, false] {
        let fixture = Fixture::new();
        fixture.write("in/a.csv", FIRST);
        fixture.run(&config("replace", None, partitions), "daily").await.unwrap();
        let lake = fixture.lake().await;
        let before = table(&lake, "shop", "sales").await;
        fixture.write("in/a.csv", NO_ROWS);

        let error = fixture.run(&config("replace", None, partitions), "daily").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::DataQuality);
        assert_eq!(
            error.message,
            "the load found no rows in 1 file, and `mode: replace` would take all rows of table `shop.sales` away: nothing was \
             published"
        );
        assert_eq!(
            error.help.as_deref(),
            Some(
                "say beside `mode` what an empty input means: `on_empty: publish` (what this load has in the table goes), `on_empty: skip` (it \
                 stays as it is) or `on_empty: error`"
            )
        );
        assert_eq!(table(&lake, "shop", "sales").await, before);

        let error = fixture.run(&config("append", Some("error"), partitions), "daily").await.unwrap_err();
        assert_eq!(error.message, "the load found no rows in 1 file, and `on_empty` is `error`: nothing was published");
        assert_eq!(table(&lake, "shop", "sales").await, before);

        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&told);
        let notice = Arc::new(move |notice: &Notice| kept.lock().unwrap().push(notice.to_string()));
        let control = LoadControl { notice, ..LoadControl::default() };
        let skipping = read(&config("replace", Some("skip"), partitions));
        let report = run(&skipping, &lake, token("daily"), fixture.base(), &control).await.unwrap();
        assert_eq!((report.rows, report.published), (0, Vec::new()));
        assert_eq!(
            *told.lock().unwrap(),
            ["the load found no rows: table `shop.sales` stays as it is (`on_empty: skip`)"]
        );
        assert_eq!(table(&lake, "shop", "sales").await, before);
        let unseen = lake.versions.unfinished(std::time::Duration::ZERO).await.unwrap();
        assert_eq!(unseen.len(), before.len(), "nothing is left of what was not published: {unseen:?}");

        fixture.run(&config("replace", Some("publish"), partitions), "daily").await.unwrap();
        let after = table(&lake, "shop", "sales").await;
        assert_eq!(after.iter().map(|(_, rows)| rows.len()).sum::<usize>(), 0);
    }
}

#[tokio::test]
async fn an_empty_input_is_published_where_nothing_is_lost() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", NO_ROWS);
    fixture.run(&config("replace", None, false), "daily").await.unwrap();
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales").await, owned(&[("", &[])]));
    // An empty table can be replaced by an empty one.
    fixture.run(&config("replace", None, false), "daily").await.unwrap();
    fixture.write("in/a.csv", FIRST);
    fixture.run(&config("append", None, false), "one").await.unwrap();
    fixture.write("in/a.csv", NO_ROWS);
    fixture.run(&config("append", None, false), "two").await.unwrap();
    assert_eq!(table(&lake, "shop", "sales").await[0].1.len(), 3);
}

#[tokio::test]
async fn rejected_lines_of_an_input_without_rows_are_kept() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", FIRST);
    fixture.run(&config("replace", None, true), "daily").await.unwrap();
    fixture.write("in/a.csv", "day,name,price\nnever,a,1\n");
    let mut skipping = config("replace", Some("skip"), true);
    skipping["max_rejected"] = "100%".into();
    let report = fixture.run(&skipping, "daily").await.unwrap();
    assert_eq!(report.rejected_kept.unwrap().table.as_deref(), Some("shop.sales__rejected"));
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales").await.len(), 2);
    assert_eq!(table(&lake, "shop", "sales__rejected").await[0].1.len(), 1);
}
