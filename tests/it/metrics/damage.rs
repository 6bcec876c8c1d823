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

/// What the run says of a window in which something is wrong, and how it goes on; `task` is where it was found.
fn says(outcome: &Outcome, task: &str, line: u32, wrong: &[String], way_on: &str) {
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    let wrong = wrong.join("\n  ");
    let expected =
        format!("error[T0401] +again{task} (again.dig:{line}:1)\n  points are not as they should be:\n  {wrong}\n");
    assert!(outcome.stderr.contains(&expected), "expected\n{expected}found\n{outcome}");
    let help = format!(
        "  = help: nothing of these windows is expired, and later runs tell of them and go on with all others. {way_on}\n"
    );
    assert!(outcome.stderr.contains(&help), "expected\n{help}found\n{outcome}");
}

/// How a damaged day of points goes on that its store still holds.
fn dump_again(day: u32) -> String {
    let when_lost = dump_what_is_left(day);
    let (place, else_) = when_lost.split_once(": ").unwrap();
    format!("{place}: the next `metrics.dump>` writes it again when nothing of it is lost. Else {else_}")
}

/// How a damaged day of points goes on.
fn dump_what_is_left(day: u32) -> String {
    format!(
        "cold 2024-03-{day:02}: put its object back from a backup and verify; or run `metrics.dump>` once with `window: \
         2024-03-{day:02} .. 2024-03-{:02}` and `on_damage: replace`, which keeps what can be read and names what it gives up",
        day + 1
    )
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
        let way_on = match table {
            "metrics.points_1m" => dump_again(2),
            _ => format!("{tier}: the next `metrics.rollup>` makes it again of the finer tier"),
        };
        says(&outcome, task, line, &[wrong], &way_on);
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
    let way_on = "cold 2024-03-01: what was archived is whole. Bring back what the store has lost (`metrics.replay>`, \
                  `metrics.write>`), or run `metrics.dump>` once with `window: 2024-03-01 .. 2024-03-02`, which takes what the store \
                  has now for all that it should hold; then verify";
    says(&again(&project, 1), "+raw", 2, &wrong.map(str::to_owned), way_on);
    // Another value in its place is found too.
    let other = point("web-1.cpu", "2024-03-01T00:10:00Z", 99.0);
    runtime.block_on(async {
        let warm = embedded_store(&project, "warm").await;
        warm.write(&other, metrics::DuplicateRule::Last).await.unwrap();
    });
    let wrong = "cold 2024-03-01: the series `web-1.cpu` has other values at 1 times in the store than in the archive";
    says(&again(&project, 2), "+raw", 2, &[wrong.to_owned()], way_on);
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
    says(&again(&project, 1), "+raw", 2, &[wrong], &dump_again(1));
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
        let wrong = format!("cold 2024-03-03: {wrong}");
        says(&again(&project, session), "+raw", 2, &[wrong], &dump_again(3));
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
    assert_eq!(refused.stderr.matches("location: ").count(), 1, "{refused}");
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

/// Points that a store loses after they were verified are named without a window that asks for them; and what is said goes on.
#[test]
fn a_store_that_loses_points_after_their_verification_is_told_by_the_next_run() {
    let project = archived_example();
    project.write("verify.dig", "timezone: UTC\n+verify: {metrics.verify>: [warm, cold]}\n");
    let verify = |session: &str| project.suiro(&["run", "verify.dig", "--session", session]);
    assert_eq!(verify("2024-04-01").exit, Some(0));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let gone = point("web-1.cpu", "2024-03-01T00:10:00Z", 13.06);
        assert_eq!(embedded_store(&project, "warm").await.delete_exact(&gone).await.unwrap(), 1);
    });
    let lost = "cold 2024-03-01: the store holds 311 of the 312 points of the window that were dumped\n";
    let found = verify("2024-04-02");
    assert_eq!(found.exit, Some(3), "{found}");
    assert!(found.stderr.contains(lost), "{found}");
    assert!(
        found.stderr.contains("the series `web-1.cpu` lacks 1 of its 144 archived points in the store\n"),
        "{found}"
    );
    // It was an error once. From then on it is told.
    let told = verify("2024-04-03");
    assert_eq!(told.exit, Some(0), "{told}");
    assert!(
        told.stderr.contains("cold 2024-03-01 is still not as it should be: the store holds 311 of the 312"),
        "{told}"
    );
    project.write(
        "dump.dig",
        "timezone: UTC\n+dump: {metrics.dump>: warm, to: cold, window: 2024-03-01 .. 2024-03-02}\n\
         +verify: {metrics.verify>: [warm, cold]}\n",
    );
    project.succeed(&["run", "dump.dig", "--session", "2024-04-04"]);
    let quiet = verify("2024-04-05");
    assert_eq!((quiet.exit, quiet.stderr.contains("not as it should be")), (Some(0), false), "{quiet}");
    assert_eq!(project.query("SELECT count(*) AS n FROM metrics.points_1m WHERE dt = '2024-03-01'"), "n\n312\n");
}

/// A late point for a day that has rotted stops one run, and names the day. All other days go on, and what is said leads on.
#[test]
fn a_rotten_day_stops_one_run_and_no_other_day() {
    let project = example();
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    // From here on points come from elsewhere: the files are not replayed.
    let workflow = std::fs::read_to_string(project.path().join("tiers.dig")).unwrap();
    project.write("tiers.dig", workflow.replace("+replay: {metrics.replay>: \"${data}\", to: hot}\n", ""));
    let file = object(&project, "metrics.points_1m", "dt=2024-03-02");
    let place = shown(&project, &file);
    std::fs::remove_file(&file).unwrap();
    let write = |time: &str, value: f64| {
        let task = format!(
            "timezone: UTC\n+write:\n  metrics.write>: warm\n  query: SELECT 'web-1.cpu' AS name, TIMESTAMP '{time}' AS ts, {value:?} AS value\n"
        );
        project.write("write.dig", task);
        project.succeed(&["run", "write.dig", "--rerun", "--session", "2024-03-10"]);
    };
    write("2024-03-02 00:01:00", 77.5);
    write("2024-03-05 00:00:00", 1.5);
    let run = |session: &str| project.suiro(&["run", "tiers.dig", "--session", session]);
    let stopped = run("2024-03-11");
    assert_eq!(stopped.exit, Some(3), "{stopped}");
    assert!(stopped.stderr.contains(&format!("\n  cold 2024-03-02: the object `{place}` is missing\n")), "{stopped}");
    let gone = format!(
        "\n  cold 2024-03-02: gone are 300 points of which not even the series can be read, but for those that the store has: of the \
         series `db-1.disk used %` to `web-1.requests` in `{place}`\n"
    );
    assert!(stopped.stderr.contains(&gone), "{stopped}");
    assert!(stopped.stderr.contains(&dump_what_is_left(2)), "{stopped}");
    // The next run tells of it, and does all the rest.
    let went_on = run("2024-03-12");
    assert_eq!(went_on.exit, Some(0), "{went_on}");
    let told =
        format!("cold 2024-03-02 is still not as it should be: the object `{place}` is missing; put its object back");
    assert!(went_on.stderr.contains(&told), "{went_on}");
    let status = project.succeed(&["metrics", "status"]).stdout;
    let line = |window: &str| status.lines().find(|line| line.contains(window)).unwrap_or_default().to_owned();
    assert!(line("cold    2024-03-05").contains("expired"), "{status}");
    assert!(line("cold    2024-03-02").contains("damaged"), "{status}");
    // The way that was named.
    project.write(
        "replace.dig",
        "timezone: UTC\n+dump: {metrics.dump>: warm, to: cold, window: 2024-03-02 .. 2024-03-03, on_damage: replace}\n\
         +told: {echo>: \"${metrics.last_dump.given_up.length} lines\"}\n",
    );
    let replaced = project.succeed(&["run", "replace.dig", "--session", "2024-03-13"]);
    assert_eq!(replaced.stdout, "1 lines\n", "{replaced}");
    assert!(replaced.stderr.contains("cold 2024-03-02 gives up 300 points of which not even the series"), "{replaced}");
    let clean = run("2024-03-14");
    assert_eq!((clean.exit, clean.stderr.contains("not as it should be")), (Some(0), false), "{clean}");
    assert_eq!(project.query("SELECT count(*) AS n FROM metrics.points_1m WHERE dt = '2024-03-02'"), "n\n1\n");
    let status = project.succeed(&["metrics", "status"]).stdout;
    assert!(!status.contains("damaged") && !status.contains("late"), "{status}");
}

/// The same day when no store has a point of it: what leads on does not lead back.
#[test]
fn a_rotten_day_of_which_nothing_is_left_can_be_given_up() {
    let project = example();
    project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    let file = object(&project, "metrics.points_1m", "dt=2024-03-02");
    std::fs::remove_file(&file).unwrap();
    project.write(
        "replace.dig",
        "timezone: UTC\n+dump: {metrics.dump>: warm, to: cold, window: 2024-03-02 .. 2024-03-03, on_damage: replace}\n\
         +verify: {metrics.verify>: [warm, cold]}\n+hourly: {metrics.rollup>: cold, to: hourly}\n\
         +again: {metrics.verify>: [cold, hourly]}\n",
    );
    assert_eq!(again_raw(&project).exit, Some(3));
    let replaced = project.succeed(&["run", "replace.dig", "--session", "2024-03-13"]);
    assert!(
        replaced.stdout.contains("cold 2024-03-02: 0 points of 0 series, 0 B, checksum 0, verified\n"),
        "{replaced}"
    );
    assert_eq!(again_raw(&project).exit, Some(0));
    assert_eq!(project.query("SELECT count(*) AS n FROM metrics.points_1m WHERE dt = '2024-03-02'"), "n\n0\n");
    let read = read_points(&project, &["raw", "--format", "csv"]);
    assert_eq!((read.exit, read.stdout.lines().count()), (Some(0), 1 + 2 * 144), "{read}");
}

/// Looks at the points of all days.
fn again_raw(project: &Project) -> Outcome {
    project
        .write("raw.dig", "timezone: UTC\n+raw: {metrics.verify>: [warm, cold], window: 2024-03-01 .. 2024-03-04}\n");
    project.suiro(&["run", "raw.dig", "--rerun", "--session", "2024-04-01"])
}
