//! Whole loads on an embedded lake in a folder of the test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::clock::ManualClock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind};
use crate::lake::{Lake, LakeSettings};
use crate::name::{Location, TableName};

mod appended;
mod empty;
mod links;
mod race;
mod typed;

struct Fixture {
    folder: tempfile::TempDir,
    crash_points: CrashPoints,
    threads: usize,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), crash_points: CrashPoints::default(), threads: 2 }
    }

    fn base(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.base().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    async fn lake(&self) -> Lake {
        let mut settings = LakeSettings::new(self.base().join(".suiro"), self.base().join(".suiro/warehouse"));
        settings.clock = Arc::new(ManualClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
        settings.crash_points = self.crash_points.clone();
        settings.parallelism = Some(self.threads);
        Lake::open(settings).await.unwrap()
    }

    async fn run(&self, config: &serde_json::Value, scope: &str) -> Result<LoadReport, Error> {
        run(&read(config), &self.lake().await, token(scope), self.base(), &LoadControl::default()).await
    }
}

fn read(config: &serde_json::Value) -> LoadConfig {
    serde_json::from_value(config.clone()).unwrap()
}

fn token(scope: &str) -> LoadToken {
    LoadToken { token: format!("attempt of {scope}"), scope: scope.to_owned() }
}

/// Reads the rows of an object or file as `a|b|∅`.
fn rows_of(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.flat_map(|batch| texts(&batch.unwrap())).collect()
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("∅");
    let columns: Vec<_> =
        batch.columns().iter().map(|array| ArrayFormatter::try_new(array, &options).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
        .collect()
}

/// Returns the rows of a table by partition, read through the catalog as a query would.
async fn table(lake: &Lake, database: &str, name: &str) -> Vec<(String, Vec<String>)> {
    let name = TableName::new(database, name).unwrap();
    let Some(table) = lake.catalog.table(&name).await.unwrap() else { return Vec::new() };
    let mut places = Vec::new();
    if table.partition_keys.is_empty() {
        places.push((String::new(), table.location.clone().unwrap()));
    }
    for partition in lake.catalog.partitions(&name).await.unwrap() {
        places.push((partition.values.join("/"), partition.location));
    }
    let mut found = Vec::new();
    for (values, place) in places {
        let mut rows = Vec::new();
        for object in lake.storage.list_data(&place).await.unwrap() {
            rows.extend(rows_of(&lake.storage.file(&object.location).unwrap()));
        }
        found.push((values, rows));
    }
    found
}

/// Returns the bytes of what the catalog points to, by partition and object name.
async fn bytes(lake: &Lake, database: &str, name: &str) -> Vec<(String, String, Vec<u8>)> {
    let name = TableName::new(database, name).unwrap();
    let mut found = Vec::new();
    for partition in lake.catalog.partitions(&name).await.unwrap() {
        for object in lake.storage.list_data(&partition.location).await.unwrap() {
            let bytes = lake.storage.read(&object.location).await.unwrap().to_vec();
            found.push((partition.values.join("/"), object.location.file_name().to_owned(), bytes));
        }
    }
    found
}

fn owned(expected: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    expected
        .iter()
        .map(|(values, rows)| ((*values).to_owned(), rows.iter().map(|row| (*row).to_owned()).collect()))
        .collect()
}

fn csv_to_table(mode: &str) -> serde_json::Value {
    serde_json::json!({
        "in": {"type": "file", "path": "in/*.csv", "parser": {"type": "csv", "header_line": true,
               "columns": [{"name": "day", "type": "date"}, {"name": "Name", "type": "string"},
                           {"name": "price", "type": "decimal(10,2)"}]}},
        "out": {"type": "table", "database": "Shop", "table": "sales", "partition_by": {"dt": "day"}, "mode": mode},
        "max_rejected": "50%",
    })
}

const FIRST: &str = "day,name,price\n2024-02-29,a,1.50\n2024-03-01,b,2\n2024-02-29,\"c\nd\",\n";
const SECOND: &str = "day,name,price\n2024-03-01,e,5\nnever,f,6\n";

#[tokio::test]
async fn a_load_makes_partitions_and_keeps_rejected_lines() {
    let fixture = Fixture::new();
    fixture.write("in/b.csv", SECOND);
    fixture.write("in/a.csv", FIRST);
    let report = fixture.run(&csv_to_table("replace_partitions"), "daily+load").await.unwrap();
    assert_eq!((report.rows, report.rejected, report.skipped, report.files), (4, 1, 2, 2));
    let first: Vec<String> = report.first_rejected.iter().map(|line| format!("{line} | {}", line.line)).collect();
    assert_eq!(first, ["in/b.csv:3: column `day`: expected date, found `never` | never,f,6"]);
    let published: Vec<_> = report
        .published
        .iter()
        .map(|part| format!("{} {:?} {}", part.table.as_deref().unwrap(), part.partition.values(), part.rows))
        .collect();
    assert_eq!(published, ["shop.sales [\"2024-02-29\"] 2", "shop.sales [\"2024-03-01\"] 2"]);
    let lake = fixture.lake().await;
    assert_eq!(
        table(&lake, "shop", "sales").await,
        owned(&[
            ("2024-02-29", &["2024-02-29|a|1.50", "2024-02-29|c\nd|∅"]),
            ("2024-03-01", &["2024-03-01|b|2.00", "2024-03-01|e|5.00"]),
        ])
    );
    assert_eq!(
        table(&lake, "shop", "sales__rejected").await,
        owned(&[("daily+load", &["in/b.csv|3|column `day`: expected date, found `never`|never,f,6"])])
    );
    let kept = lake.catalog.table(&TableName::new("shop", "sales").unwrap()).await.unwrap().unwrap();
    let columns: Vec<_> = kept.columns.iter().map(|column| format!("{} {}", column.name, column.hive_type)).collect();
    assert_eq!(columns, ["day date", "name string", "price decimal(10,2)"]);
    assert_eq!(kept.partition_keys[0].name, "dt");

    // Once the bad line is mended, running the load again takes its rejected lines away.
    fixture.write("in/b.csv", "day,name,price\n2024-03-01,e,5\n");
    let report = fixture.run(&csv_to_table("replace_partitions"), "daily+load").await.unwrap();
    assert_eq!((report.rows, report.rejected), (4, 0));
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales__rejected").await, []);
    assert_eq!(table(&lake, "shop", "sales").await[1].1, ["2024-03-01|b|2.00", "2024-03-01|e|5.00"]);
}

#[tokio::test]
async fn append_adds_once_and_replace_takes_all_away() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", FIRST);
    fixture.run(&csv_to_table("append"), "one").await.unwrap();
    fixture.run(&csv_to_table("append"), "one").await.unwrap();
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales").await[1].1, ["2024-03-01|b|2.00"]);
    fixture.write("in/a.csv", "day,name,price\n2024-03-01,z,9\n");
    let report = fixture.run(&csv_to_table("append"), "two").await.unwrap();
    assert_eq!(report.published[0].rows, 2);
    let mut rows = table(&lake, "shop", "sales").await[1].1.clone();
    rows.sort();
    assert_eq!(rows, ["2024-03-01|b|2.00", "2024-03-01|z|9.00"]);
    fixture.run(&csv_to_table("replace"), "two").await.unwrap();
    assert_eq!(table(&lake, "shop", "sales").await, owned(&[("2024-03-01", &["2024-03-01|z|9.00"])]));
}

#[tokio::test]
async fn a_table_without_partitions_is_replaced_or_added_to_as_a_whole() {
    let fixture = Fixture::new();
    fixture.write("in/a.jsonl", "{\"id\": 1, \"tags\": [1, 2]}\n{\"id\": 2}\n");
    let config = |mode: &str| {
        serde_json::json!({
            "in": {"type": "file", "path": "in", "parser": {"type": "jsonl"}},
            "out": {"type": "table", "database": "web", "table": "events", "mode": mode},
        })
    };
    fixture.run(&config("append"), "one").await.unwrap();
    fixture.run(&config("append"), "two").await.unwrap();
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "web", "events").await, owned(&[("", &["1|[1, 2]", "2|∅", "1|[1, 2]", "2|∅"])]));
    fixture.run(&config("replace"), "three").await.unwrap();
    assert_eq!(table(&lake, "web", "events").await, owned(&[("", &["1|[1, 2]", "2|∅"])]));
}

#[tokio::test]
async fn over_the_limit_nothing_is_published_and_the_lines_are_kept() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", "day,name,price\n2024-02-29,a,1.50\n2024-02-29,b\n2024-02-29,c,1,2\n");
    let mut config = csv_to_table("replace_partitions");
    config["max_rejected"] = 1.into();
    let error = fixture.run(&config, "daily").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataQuality);
    assert_eq!(
        error.to_string(),
        "2 of 3 lines cannot be read, and `max_rejected` is 1: nothing was published\n  \
         in/a.csv:3: expected 3 fields, found 2: too short\n    | 2024-02-29,b\n  \
         in/a.csv:4: expected 3 fields, found 4: too long\n    | 2024-02-29,c,1,2\n  \
         rejected lines: the table `shop.sales__rejected`, load = 'daily'"
    );
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales").await, []);
    assert_eq!(table(&lake, "shop", "sales__rejected").await[0].1.len(), 2);
}

#[tokio::test]
async fn without_a_limit_a_line_that_cannot_be_read_is_an_error_and_nothing_is_kept() {
    let fixture = Fixture::new();
    let mut text = String::from("day,name,price\n2024-02-29,a,1.50\n");
    for number in 0..30 {
        writeln!(text, "2024-03-0{},\u{1b}[31m{number}{}", 1 + number % 5, "x".repeat(200)).unwrap();
    }
    fixture.write("in/a.csv", &text);
    fixture.write("in/b.csv", "day,name,price\n2024-02-29,b,2\n");
    for mode in ["replace_partitions", "append"] {
        let mut config = csv_to_table(mode);
        config.as_object_mut().unwrap().remove("max_rejected");
        let error = fixture.run(&config, "daily").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnreadableLines);
        let lines: Vec<&str> = error.message.lines().collect();
        assert_eq!(lines[0], "30 of 32 lines cannot be read: nothing was published");
        assert_eq!(lines[1], "  in/a.csv:3: expected 3 fields, found 2: too short");
        assert!(lines[2].starts_with("    | 2024-03-01,\\x1b[31m0xxx") && lines[2].ends_with("xxx…"), "{}", lines[2]);
        assert_eq!(lines.len(), 1 + 2 * 10 + 1);
        assert_eq!(lines[21], "  … and 20 more");
        assert_eq!(
            error.help.unwrap(),
            "mend the lines, or allow some of them beside `in` and `out`: `max_rejected: 10` (lines) or `max_rejected: 0.1%` (of \
             all lines); they are then kept in the table `shop.sales__rejected` with their reasons"
        );
        let lake = fixture.lake().await;
        assert_eq!(lake.catalog.database("shop").await.unwrap(), None);
        assert!(!fixture.base().join(".suiro/warehouse/s3/warehouse").try_exists().unwrap(), "no object is left");
        for name in ["sales", "sales__rejected"] {
            assert_eq!(lake.versions.of_table(&TableName::new("shop", name).unwrap()).await.unwrap(), []);
        }
    }
    // What an earlier run kept stays.
    fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap_err();
    let kept = table(&fixture.lake().await, "shop", "sales__rejected").await;
    assert_eq!(kept[0].1.len(), 30);
    let mut config = csv_to_table("replace_partitions");
    config.as_object_mut().unwrap().remove("max_rejected");
    fixture.run(&config, "daily").await.unwrap_err();
    assert_eq!(table(&fixture.lake().await, "shop", "sales__rejected").await, kept);
}

#[tokio::test]
async fn broken_input_and_a_table_that_does_not_fit_change_nothing() {
    let fixture = Fixture::new();
    let archive = zstd::encode_all(FIRST.as_bytes(), 3).unwrap();
    fixture.write("in/a.csv", FIRST);
    fixture.write("in/b.csv", &archive[..archive.len() - 3]);
    let error = fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.starts_with("truncated zstd: the file ends at byte "), "{error}");
    let lake = fixture.lake().await;
    assert_eq!(table(&lake, "shop", "sales").await, []);
    assert_eq!(lake.catalog.database("shop").await.unwrap(), None);

    std::fs::remove_file(fixture.base().join("in/b.csv")).unwrap();
    fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap();
    let mut config = csv_to_table("replace_partitions");
    config["in"]["parser"]["columns"] = serde_json::json!([{"name": "day", "type": "date"}, {"name": "name", "type": "long"},
        {"name": "cost", "type": "double"}]);
    config["out"]["partition_by"] = serde_json::json!({"dt": "day", "n": "name"});
    let error = fixture.run(&config, "daily").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::SchemaMismatch);
    assert_eq!(
        error.message,
        "the load does not fit table `shop.sales`: its partition keys are (dt), and `partition_by` gives (dt, n); \
         column `name` is string in the table, and bigint in the load; column `cost` double is not in the table; \
         column `price` decimal(10,2) is not in the load"
    );
    let error = fixture
        .run(&serde_json::json!({"in": {"type": "file", "path": "none-*.csv", "parser": {"type": "csv"}}, "out": {"type": "file", "path": "out"}}), "x")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "no file is there for `none-*.csv`");
}

#[tokio::test]
async fn files_are_written_without_a_catalog() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", "id,name\n1,a\n2,b\n");
    fixture.write("out/other.txt", "stays");
    let config = serde_json::json!({
        "in": {"type": "file", "path_prefix": "in/a", "decoders": [{"type": "gzip"}], "parser": {"type": "csv"}},
        "filters": [],
        "out": {"type": "file", "path": "out/", "format": {"type": "parquet", "compression": "snappy"}},
        "max_rejected": 1,
    });
    let report = fixture.run(&config, "export").await.unwrap();
    assert_eq!((report.rows, report.published[0].location.as_str()), (2, "out"));
    fixture.write("in/a.csv", "id,name\n3,c\n4\n");
    let report = fixture.run(&config, "export").await.unwrap();
    assert_eq!((report.rows, report.rejected), (1, 1));
    let names = |folder: &str| -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            std::fs::read_dir(fixture.base().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let found = names("out");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(rows_of(&found[0]), ["3|c"]);
    assert_eq!(rows_of(&names("out__rejected")[0]), ["in/a.csv|3|expected 2 fields, found 1: too short|4"]);
    // Once the bad line is mended its file goes, and the folder when nothing else is in it.
    fixture.write("in/a.csv", "id,name\n3,c\n4,d\n");
    fixture.write("out__rejected/other.txt", "stays");
    fixture.run(&config, "export").await.unwrap();
    assert_eq!(names("out__rejected"), [fixture.base().join("out__rejected/other.txt")]);
    std::fs::remove_file(fixture.base().join("out__rejected/other.txt")).unwrap();
    fixture.run(&config, "export").await.unwrap();
    assert!(!fixture.base().join("out__rejected").try_exists().unwrap());
    let databases = fixture.lake().await.catalog.databases().await.unwrap();
    assert!(databases.iter().all(|database| database.name == "default"), "{databases:?}");
}

#[tokio::test]
async fn files_over_the_limit_leave_no_folder() {
    let fixture = Fixture::new();
    fixture.write("in.csv", "id,name\n1,a\n2\n");
    let mut config = serde_json::json!({
        "in": {"type": "file", "path": "in.csv", "parser": {"type": "csv"}},
        "out": {"type": "file", "path": "out"},
    });
    let error = fixture.run(&config, "export").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnreadableLines);
    assert_eq!(
        error.to_string(),
        "1 of 2 lines cannot be read: nothing was published\n  in.csv:3: expected 2 fields, found 1: too short\n    | 2"
    );
    assert!(error.help.unwrap().contains("kept in the folder `out__rejected`"));
    for folder in ["out", "out__rejected"] {
        assert!(!fixture.base().join(folder).try_exists().unwrap(), "{folder}");
    }
    config["max_rejected"] = "10%".into();
    let error = fixture.run(&config, "export").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DataQuality);
    assert_eq!(
        error.to_string(),
        "1 of 2 lines cannot be read, and `max_rejected` is 10% of the lines: nothing was published\n  \
         in.csv:3: expected 2 fields, found 1: too short\n    | 2\n  rejected lines: the folder `out__rejected`"
    );
    assert!(!fixture.base().join("out").try_exists().unwrap());
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes_whatever_the_threads() {
    let mut fixture = Fixture::new();
    let mut text = String::from("day,name,price\n");
    for number in 0..200_000_u32 {
        let line = format!("2024-0{}-01,name \"{}\",{}.25\n", 1 + number % 7, number * 7919 % 1000, number);
        text.push_str(&line.replace('"', "'"));
    }
    fixture.write("in/a.csv", &text);
    fixture.threads = 1;
    fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap();
    let one = bytes(&fixture.lake().await, "shop", "sales").await;
    fixture.threads = 5;
    fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap();
    let five = bytes(&fixture.lake().await, "shop", "sales").await;
    assert_eq!(one.len(), 7);
    assert!(one == five);
}

/// The rows of each row group of a file.
fn row_groups(path: &Path) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    reader.metadata().row_groups().iter().map(parquet::file::metadata::RowGroupMetaData::num_rows).collect()
}

#[tokio::test]
async fn row_groups_end_at_a_million_rows_and_none_is_lost() {
    let mut fixture = Fixture::new();
    let mut text = String::new();
    for number in 0..1_300_000_u32 {
        writeln!(text, "{}", number % 10).unwrap();
    }
    fixture.write("in.csv", &text);
    let config = serde_json::json!({
        "in": {"type": "file", "path": "in.csv", "parser": {"type": "csv", "columns": [{"name": "n", "type": "tinyint"}]}},
        "out": {"type": "file", "path": "out"},
    });
    let mut written = Vec::new();
    for threads in [1, 3] {
        fixture.threads = threads;
        let report = fixture.run(&config, "export").await.unwrap();
        assert_eq!(report.rows, 1_300_000);
        let path = std::fs::read_dir(fixture.base().join("out")).unwrap().next().unwrap().unwrap().path();
        let groups = row_groups(&path);
        // A chunk of the input is not torn apart.
        assert!(groups.len() == 2 && groups[0] >= 1 << 20, "{groups:?}");
        assert_eq!(groups.iter().sum::<i64>(), 1_300_000);
        let rows = rows_of(&path);
        assert!(rows.iter().zip(0..).all(|(row, number)| *row == (number % 10).to_string()));
        written.push(std::fs::read(path).unwrap());
    }
    assert!(written[0] == written[1]);
}

#[tokio::test]
async fn partitions_that_take_turns_lose_no_row() {
    let mut fixture = Fixture::new();
    let mut text = String::from("day,name,price\n");
    // Long names, so that both partitions begin a row group several times.
    for number in 0..60_000_u32 {
        writeln!(text, "2024-0{}-01,{number:0700},{number}.25", 1 + number / 100 % 2).unwrap();
    }
    fixture.write("in/a.csv", &text);
    let mut written = Vec::new();
    for threads in [1, 3] {
        fixture.threads = threads;
        fixture.run(&csv_to_table("replace_partitions"), "daily").await.unwrap();
        let lake = fixture.lake().await;
        let found = table(&lake, "shop", "sales").await;
        for (half, (partition, rows)) in found.iter().enumerate() {
            assert_eq!(rows.len(), 30_000, "{partition}");
            let numbers = rows.iter().map(|row| row.split('|').nth(1).unwrap().parse::<usize>().unwrap());
            assert!(
                numbers.zip(0..).all(|(number, at)| number == at / 100 * 200 + half * 100 + at % 100),
                "{partition}"
            );
        }
        written.push(bytes(&lake, "shop", "sales").await);
    }
    assert!(written[0] == written[1]);
}

#[tokio::test]
async fn input_from_the_lake_is_read_in_order() {
    let fixture = Fixture::new();
    let lake = fixture.lake().await;
    for (name, text) in
        [("raw/2/b.csv", "3\n"), ("raw/1/a.csv", "1\n2\n"), ("raw/_tmp/c.csv", "9\n"), ("other/d.csv", "8\n")]
    {
        let location = Location::parse(&format!("s3://lake/{name}")).unwrap();
        lake.storage.put(&location, text.into(), crate::storage::Put::Replace).await.unwrap();
    }
    for path in ["s3://lake/raw/", "s3://lake/raw/*/*.csv", "s3://lake/raw"] {
        let config = serde_json::json!({
            "in": {"type": "file", "path": path, "parser": {"type": "csv", "columns": [{"name": "n", "type": "long"}]}},
            "out": {"type": "table", "database": "d", "table": "t", "mode": "replace"},
        });
        fixture.run(&config, "one").await.unwrap();
        let found = table(&lake, "d", "t").await;
        let rows: Vec<&str> = found[0].1.iter().map(String::as_str).collect();
        assert!(rows == ["1", "2", "3"] || rows == ["1", "2", "9", "3"] && path.contains('*'), "{path}: {rows:?}");
    }
}

/// Stops the process before and after every durable effect; what is there in the end is what an undisturbed load leaves.
#[tokio::test]
async fn a_load_that_is_stopped_anywhere_goes_on_and_ends_the_same() {
    let undisturbed = Fixture::new();
    undisturbed.write("in/a.csv", FIRST);
    undisturbed.write("in/b.csv", SECOND);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let mut counting = undisturbed;
    // The lake is opened without a stop.
    counting.crash_points = CrashPoints::new(Arc::new(move |name| {
        name.contains(" lake: ") || counter.fetch_add(1, Ordering::SeqCst) < usize::MAX
    }));
    let lake = counting.lake().await;
    let mut state = plan(&read(&csv_to_table("append")), &lake, token("daily"), counting.base()).await.unwrap();
    while state.report().is_none() {
        state = advance(&lake, state, &LoadControl::default()).await.unwrap();
    }
    let points = seen.load(Ordering::SeqCst);
    assert!(points > 20, "{points}");
    let lake = counting.lake().await;
    let (expected, expected_rejected) =
        (bytes(&lake, "shop", "sales").await, bytes(&lake, "shop", "sales__rejected").await);

    for stop in 0..points {
        let mut fixture = Fixture::new();
        fixture.write("in/a.csv", FIRST);
        fixture.write("in/b.csv", SECOND);
        let passed = Arc::new(AtomicUsize::new(0));
        // Once stopped, the process does nothing more.
        fixture.crash_points = CrashPoints::new(Arc::new(move |name| {
            name.contains(" lake: ") || passed.fetch_add(1, Ordering::SeqCst) < stop
        }));
        let mut state =
            plan(&read(&csv_to_table("append")), &fixture.lake().await, token("daily"), fixture.base()).await.unwrap();
        let lake = fixture.lake().await;
        let stopped = loop {
            match advance(&lake, state.clone(), &LoadControl::default()).await {
                Ok(next) => state = next,
                Err(error) => break error,
            }
        };
        assert_eq!(stopped.kind, ErrorKind::Canceled, "{stop}: {stopped}");
        drop(lake);
        // Readers see whole partitions or none.
        fixture.crash_points = CrashPoints::default();
        let lake = fixture.lake().await;
        for (values, name, found) in bytes(&lake, "shop", "sales").await {
            let whole = expected.iter().find(|(other, _, _)| *other == values).unwrap();
            assert!((&whole.1, &whole.2) == (&name, &found), "{stop}: {values}");
        }
        // What was kept of the state is what another process goes on from.
        let text = serde_json::to_string(&state).unwrap();
        let mut state: LoadState = serde_json::from_str(&text).unwrap();
        while state.report().is_none() {
            state = advance(&lake, state, &LoadControl::default()).await.unwrap();
        }
        assert_eq!(state.report().unwrap().rows, 4);
        assert!(bytes(&lake, "shop", "sales").await == expected, "{stop}");
        assert!(bytes(&lake, "shop", "sales__rejected").await == expected_rejected, "{stop}");
        let name = TableName::new("shop", "sales").unwrap();
        for version in lake.versions.of_table(&name).await.unwrap() {
            assert_ne!(version.state, crate::publish::VersionState::Writing, "{stop}");
        }
    }
}

#[tokio::test]
async fn a_cancelled_load_publishes_nothing() {
    let fixture = Fixture::new();
    fixture.write("in/a.csv", FIRST);
    let control = LoadControl::default();
    control.cancel.cancel();
    let lake = fixture.lake().await;
    let config = read(&csv_to_table("append"));
    let error = run(&config, &lake, token("x"), fixture.base(), &control).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Canceled);
    assert_eq!(table(&lake, "shop", "sales").await, []);
}

/// Returns a day of an access log, one request an hour; the last line ends within its user agent.
fn access_log(day: &str) -> String {
    let mut text = String::new();
    for hour in 0..24 {
        let agent = if hour == 23 { "\"Mozilla/5.0 (cut" } else { "\"Mozilla/5.0 (X11; Linux x86_64)\"" };
        writeln!(
            text,
            "192.0.2.{hour} - - [{day}/May/2015:{hour:02}:05:43 +0000] \"GET /page/{hour} HTTP/1.1\" 200 {hour}00 \"-\" {agent}"
        )
        .unwrap();
    }
    text
}

#[tokio::test]
async fn an_access_log_loses_no_line() {
    let fixture = Fixture::new();
    // The name says nothing about the compression.
    let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut archive, (access_log("17") + &access_log("18")).as_bytes()).unwrap();
    fixture.write("logs/access", archive.finish().unwrap());
    let config = serde_json::json!({
        "in": {"type": "file", "path": "logs/", "parser": {"type": "apache_combined"}},
        "out": {"type": "table", "database": "web", "table": "access_log", "mode": "replace_partitions",
                "partition_by": {"dt": "date_format(time, '%Y-%m-%d')"}},
        "max_rejected": "0.1%",
    });
    let report = fixture.run(&config, "daily").await.unwrap();
    // A line that ends within its user agent is a row all the same.
    assert_eq!((report.rows, report.rejected), (48, 0));
    let partitions: Vec<_> = report.published.iter().map(|part| (part.partition["dt"].as_str(), part.rows)).collect();
    assert_eq!(partitions, [("2015-05-17", 24), ("2015-05-18", 24)]);
    let lake = fixture.lake().await;
    for (day, rows) in table(&lake, "web", "access_log").await {
        assert!(rows.iter().all(|row| row.split('|').nth(3).unwrap().starts_with(&day)), "{day}");
    }
}

#[tokio::test]
async fn measurements_with_gaps_are_typed() {
    let fixture = Fixture::new();
    let weather = "origin,year,hour,temp,wind_dir,time_hour\n\
                   EWR,2013,1,39.02,270,2013-01-01 01:00:00\n\
                   JFK,2013,1,NA,NA,2013-01-01 01:00:00\n\
                   EWR,2013,2,38,250,2013-01-01 02:00:00\n";
    fixture.write("weather", weather);
    let config = serde_json::json!({
        "in": {"type": "file", "path": "weather", "parser": {"type": "csv", "null_string": "NA"}},
        "out": {"type": "table", "database": "nyc", "table": "weather", "partition_by": {"from_airport": "origin"},
                "mode": "replace_partitions"},
    });
    let report = fixture.run(&config, "weather").await.unwrap();
    assert_eq!((report.rows, report.rejected, report.published.len()), (3, 0, 2));
    let lake = fixture.lake().await;
    let kept = lake.catalog.table(&TableName::new("nyc", "weather").unwrap()).await.unwrap().unwrap();
    let columns: Vec<_> = kept.columns.iter().map(|column| format!("{} {}", column.name, column.hive_type)).collect();
    assert_eq!(
        columns.join(", "),
        "origin string, year bigint, hour bigint, temp double, wind_dir bigint, time_hour timestamp"
    );
}
