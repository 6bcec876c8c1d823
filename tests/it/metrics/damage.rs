//! What somebody breaks by hand is found by verifying, and named; nothing is expired on it, and no reader is told something else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::concat_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{embedded_store, example, objects, point};
use crate::support::{Outcome, Project};

/// What is said of an object that is not as it was written.
const OTHER_BYTES: &str = "the object has other bytes than were written: their hash is ";

/// With a window named, everything that is archived in it is looked at again, whatever was verified before.
const AGAIN: &str = "\
timezone: UTC
+raw:    {metrics.verify>: [warm, cold], window: 2024-03-01 .. 2024-03-04}
+hourly: {metrics.verify>: [cold, hourly], window: 2024-03-01 .. 2024-03-04}
+daily:  {metrics.verify>: [hourly, daily], window: 2024-03-01 .. 2024-03-04}
";

/// The example without its expiry, so that all tiers can be compared.
fn archived_example() -> Project {
    let project = example();
    let workflow = std::fs::read_to_string(project.path().join("tiers.dig")).unwrap();
    let lines: Vec<&str> = workflow.lines().filter(|line| !line.contains("expire")).collect();
    project.write("tiers.dig", lines.join("\n"));
    project.write("again.dig", AGAIN);
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    project
}

/// Looks at everything again; each time another session.
fn again(project: &Project, session: u32) -> Outcome {
    project.suiro(&["run", "again.dig", "--session", &format!("2024-04-{session:02}")])
}

/// The object of a partition.
fn object(project: &Project, table: &str, partition: &str) -> PathBuf {
    let objects = objects(project, table);
    let found: Vec<_> = objects.into_iter().filter(|(of, _)| of.contains(partition)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap().1
}

/// Its place as messages name it.
fn shown(project: &Project, file: &Path) -> String {
    let inside = file.strip_prefix(project.path().join(".suiro/warehouse/s3")).unwrap();
    crate::support::steady(&format!("s3://{}", inside.display()), project.path())
}

/// What the run says of a window in which something is wrong; `task` is where it was found.
fn says(outcome: &Outcome, task: &str, line: u32, wrong: &[String]) {
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    let wrong = wrong.join("\n  ");
    let expected =
        format!("error[T0401] +again{task} (again.dig:{line}:1)\n  points are not as they should be:\n  {wrong}\n");
    assert!(outcome.stderr.contains(&expected), "expected\n{expected}found\n{outcome}");
    let help = "  = help: nothing of these windows is expired; the next `metrics.dump>` (or `metrics.rollup>`) writes a damaged one again \
                when the store still holds all of it. Else put the object back from a backup, or undo to a version that is whole; \
                what is left is written by `metrics.dump>` with `window` and `on_damage: replace`\n";
    assert!(outcome.stderr.contains(help), "{outcome}");
}

#[test]
fn a_flipped_byte_in_a_parquet_part_of_any_tier_is_found_and_named() {
    let project = archived_example();
    let mut session = 1;
    assert_eq!(again(&project, session).exit, Some(0));
    for (tier, table, partition, task, line) in [
        ("cold 2024-03-02", "metrics.points_1m", "dt=2024-03-02", "+raw", 2),
        ("hourly 2024-03", "metrics.points_1h", "month=2024-03", "+hourly", 3),
        ("daily 2024-03", "metrics.points_1d", "month=2024-03", "+daily", 4),
    ] {
        let file = object(&project, table, partition);
        let whole = std::fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x10;
        std::fs::write(&file, &damaged).unwrap();
        session += 1;
        let outcome = again(&project, session);
        let hash = |bytes: &[u8]| format!("{:016x}", twox_hash::XxHash64::oneshot(0, bytes));
        let wrong = format!(
            "{tier}: the object `{}` has other bytes than were written: their hash is {}, not {}",
            shown(&project, &file),
            hash(&damaged),
            hash(&whole)
        );
        says(&outcome, task, line, &[wrong]);
        std::fs::write(&file, &whole).unwrap();
        session += 1;
        assert_eq!(again(&project, session).exit, Some(0), "it is mended");
    }
}

#[test]
fn a_point_deleted_from_a_store_by_hand_is_found_and_its_series_named() {
    let project = archived_example();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let gone = point("web-1.cpu", "2024-03-01T00:10:00Z", 13.06);
    runtime.block_on(async {
        let warm = embedded_store(&project, "warm").await;
        assert_eq!(warm.delete_exact(&gone).await.unwrap(), 1);
    });
    let wrong = [
        "cold 2024-03-01: the store holds 311 of the 312 points of the window that were dumped",
        "cold 2024-03-01: the series `web-1.cpu` lacks 1 of its 144 archived points in the store",
    ];
    says(&again(&project, 1), "+raw", 2, &wrong.map(str::to_owned));
    // Another value in its place is found too.
    let other = point("web-1.cpu", "2024-03-01T00:10:00Z", 99.0);
    runtime.block_on(async {
        let warm = embedded_store(&project, "warm").await;
        warm.write(&other, metrics::DuplicateRule::Last).await.unwrap();
    });
    let wrong = "cold 2024-03-01: the series `web-1.cpu` has other values at 1 times in the store than in the archive";
    says(&again(&project, 2), "+raw", 2, &[wrong.to_owned()]);
    // And the right one mends it.
    runtime.block_on(async {
        let warm = embedded_store(&project, "warm").await;
        warm.write(&gone, metrics::DuplicateRule::Last).await.unwrap();
    });
    assert_eq!(again(&project, 3).exit, Some(0));
}

/// Writes a Parquet file again without one of its rows.
fn delete_row(file: &Path, row: usize) {
    let bytes = bytes::Bytes::from(std::fs::read(file).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let schema = batches[0].schema();
    let all = concat_batches(&schema, &batches).unwrap();
    let rest = [all.slice(0, row), all.slice(row + 1, all.num_rows() - row - 1)];
    let mut writer = ArrowWriter::try_new(std::fs::File::create(file).unwrap(), Arc::clone(&schema), None).unwrap();
    writer.write(&concat_batches(&schema, &rest).unwrap()).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_point_deleted_from_a_parquet_part_by_hand_is_found_and_the_part_named() {
    let project = archived_example();
    let file = object(&project, "metrics.points_1m", "dt=2024-03-01");
    let whole = std::fs::metadata(&file).unwrap().len();
    delete_row(&file, 100);
    let found = std::fs::metadata(&file).unwrap().len();
    let wrong = format!("cold 2024-03-01: the object `{}` has {found} bytes, not {whole}", shown(&project, &file));
    says(&again(&project, 1), "+raw", 2, &[wrong]);
    // It is a good file all the same: who asks SQL is not told.
    assert_eq!(project.query("SELECT count(*) AS n FROM metrics.points_1m WHERE dt = '2024-03-01'"), "n\n311\n");
}

#[test]
fn a_truncated_a_missing_and_a_foreign_part_are_found_and_named_and_nothing_is_expired_on_them() {
    let project = archived_example();
    let file = object(&project, "metrics.points_1m", "dt=2024-03-03");
    let (place, whole) = (shown(&project, &file), std::fs::read(&file).unwrap());
    // From here on the example's own workflow, with its expiry.
    project.write(
        "expire.dig",
        "timezone: UTC\n+verify: {metrics.verify>: [warm, cold], window: 2024-03-01 .. 2024-03-04}\n\
         +expire: {metrics.expire>: warm, older_than: 0d, only_if: verified}\n",
    );
    let foreign = file.with_file_name("part-00001.parquet");
    let mut session = 0;
    let mut finds = |wrong: String| {
        session += 1;
        says(&again(&project, session), "+raw", 2, &[format!("cold 2024-03-03: {wrong}")]);
        let stopped = project.suiro(&["run", "expire.dig", "--session", &format!("2024-05-{session:02}")]);
        assert_eq!(stopped.exit, Some(3), "{stopped}");
        let status = project.succeed(&["metrics", "status"]).stdout;
        assert!(!status.contains("expired"), "{status}");
    };
    std::fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    finds(format!("the object `{place}` has {} bytes, not {}", whole.len() - 100, whole.len()));
    std::fs::remove_file(&file).unwrap();
    finds(format!("the object `{place}` is missing"));
    std::fs::write(&file, &whole).unwrap();
    std::fs::write(&foreign, &whole).unwrap();
    finds(format!("the object `{}` is not one of the tier's", place.replace("part-00000", "part-00001")));
    std::fs::remove_file(&foreign).unwrap();
    project.succeed(&["run", "expire.dig", "--session", "2024-06-01"]);
    let status = project.succeed(&["metrics", "status"]).stdout;
    assert_eq!(status.matches("expired").count(), 3, "{status}");
}

/// What a read of the points of a series prints.
fn read_points(project: &Project, more: &[&str]) -> Outcome {
    let read = ["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01", "--to", "2024-03-04", "--step"];
    project.suiro(&[&read[..], more].concat())
}

/// A part that is gone is no hole that nobody is told of.
#[test]
fn a_read_of_a_missing_part_is_an_error_or_a_named_gap() {
    let project = example();
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    let file = object(&project, "metrics.points_1m", "dt=2024-03-02");
    let place = shown(&project, &file);
    std::fs::remove_file(&file).unwrap();
    let refused = read_points(&project, &["raw", "--format", "csv"]);
    assert_eq!((refused.exit, refused.stdout.as_str()), (Some(2), ""), "{refused}");
    assert!(refused.stderr.starts_with("error[T0201]: "), "{refused}");
    assert!(refused.stderr.contains(&place), "{refused}");
    assert!(refused.stderr.contains("  = help: `--partial` reads the rest, and names what is missing\n"), "{refused}");
    let partial = read_points(&project, &["raw", "--format", "csv", "--partial"]);
    assert_eq!((partial.exit, partial.stdout.lines().count()), (Some(0), 1 + 2 * 144), "{partial}");
    assert!(partial.stderr.contains("[MOMENT] .. [MOMENT]  cold  NOT READ: "), "{partial}");
    assert!(!partial.stderr.contains("tier: cold"), "it is said once: {partial}");
    // By a program too.
    let partial = read_points(&project, &["raw", "--format", "json", "--partial"]);
    let gap: serde_json::Value = serde_json::from_str(partial.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(gap["gap"]["tier"], "cold", "{partial}");
    assert!(gap["gap"]["why"].as_str().unwrap().contains(&place), "{partial}");
    assert_eq!(partial.stdout.lines().count(), 2 * 144 + 1, "{partial}");
}

#[test]
fn a_damaged_part_is_read_from_the_store_while_that_holds_all_of_it_and_a_roll_up_from_what_it_is_made_of() {
    let project = archived_example();
    let values = |outcome: &Outcome| -> Vec<String> {
        assert_eq!(outcome.exit, Some(0), "{outcome}");
        outcome.stdout.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
    };
    let points = values(&read_points(&project, &["raw", "--format", "csv"]));
    let hours = values(&read_points(&project, &["1h", "--format", "csv"]));
    for (table, partition, tier) in
        [("metrics.points_1m", "dt=2024-03-02", "cold"), ("metrics.points_1h", "month=2024-03", "hourly")]
    {
        let file = object(&project, table, partition);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let (step, expected) = if tier == "cold" { ("raw", &points) } else { ("1h", &hours) };
        let read = read_points(&project, &[step, "--format", "csv"]);
        assert_eq!(&values(&read), expected, "{read}");
        let said = format!("  {tier}  DAMAGED, read from where its points are still held: {OTHER_BYTES}");
        assert!(read.stderr.contains(&said), "{read}");
        let read = read_points(&project, &[step, "--format", "json"]);
        assert!(read.stdout.lines().any(|line| line.starts_with("{\"instead\":{\"from\":")), "{read}");
        std::fs::write(&file, &whole).unwrap();
    }
}

/// Whoever reads a window whose part is truncated or has a flipped byte is told so, and with `--partial` gets the rest and the
/// gap's name.
#[test]
fn a_read_of_a_truncated_or_a_changed_part_is_an_error_or_a_named_gap() {
    let project = example();
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    let file = object(&project, "metrics.points_1m", "dt=2024-03-02");
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    let read =
        ["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01", "--to", "2024-03-04", "--step", "raw"];
    let read = [&read[..], &["--format", "csv"]].concat();
    for other in [&whole[..whole.len() / 2], &flipped] {
        std::fs::write(&file, other).unwrap();
        let refused = project.suiro(&read);
        assert_eq!(refused.exit, Some(2), "{refused}");
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains(OTHER_BYTES), "{refused}");
        assert!(refused.stderr.contains(&format!("  location: {}\n", shown(&project, &file))), "{refused}");
        let partial = project.succeed(&[&read[..], &["--partial"]].concat());
        assert_eq!(partial.stdout.lines().count(), 1 + 2 * 144, "{partial}");
        assert!(partial.stderr.contains(&format!("[MOMENT] .. [MOMENT]  cold  NOT READ: {OTHER_BYTES}")), "{partial}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(project.succeed(&read).stdout.lines().count(), 1 + 3 * 144);
}
