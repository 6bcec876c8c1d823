//! A window of a tier whose partition somebody undid: it is said what that means to the tier, and what to run.

use super::{NEXT_RUN, RUN, example};
use crate::support::Project;

const PARTITION: [&str; 2] = ["metrics.points_1m", "step=1m/dt=2024-03-02"];

/// The example, with two versions of a day, and of its month.
fn two_versions() -> Project {
    let project = example();
    project.succeed(&RUN);
    let file = "data/web-1.cpu.csv";
    let text = std::fs::read_to_string(project.path().join(file)).unwrap();
    project.write(file, format!("{text}2024-03-02 00:01:00,77.5\n"));
    project.succeed(&NEXT_RUN);
    project
}

/// The notes of `suiro metrics status`.
fn notes(project: &Project) -> String {
    project.succeed(&["metrics", "status"]).stderr
}

#[test]
fn an_undo_says_what_it_means_to_the_tier_and_what_to_run() {
    let project = two_versions();
    assert_eq!(notes(&project), "");
    let undone = project.succeed(&[&["partition", "undo"][..], &PARTITION].concat());
    assert_eq!(
        undone.stderr,
        "metrics.points_1m step=1m/dt=2024-03-02 is what it was before: s3://warehouse/metrics/points_1m--versions/[HASH]/[VERSION]/\n\
         it is a window of a metric tier: its ledger still knows the version that was undone, and `suiro metrics read` reads that until \
         its retention is over. To go forward again: `suiro partition redo metrics.points_1m step=1m/dt=2024-03-02`; to keep what the \
         catalog points to: `metrics.dump>` with its time as `window` and `on_damage: replace`\n"
    );
    assert_eq!(
        notes(&project),
        "cold 2024-03-02: the catalog points to `s3://warehouse/metrics/points_1m--versions/[HASH]/[VERSION]/`, as after an undo, and \
         SQL reads that. To go forward again: `suiro partition redo metrics.points_1m step=1m/dt=2024-03-02`; to keep what the catalog \
         points to: `metrics.dump>` with its time as `window` and `on_damage: replace`\n"
    );
    let redone = project.succeed(&[&["partition", "redo"][..], &PARTITION].concat());
    assert_eq!(
        redone.stderr.lines().nth(1),
        Some(
            "it is a window of a metric tier: when its ledger knows that version, both agree again (`suiro metrics status`)"
        )
    );
    assert_eq!(notes(&project), "");
}

/// What is said works.
#[test]
fn the_ways_on_from_an_undo_lead_somewhere() {
    let project = two_versions();
    let points = || project.query("SELECT count(*) AS n FROM metrics.points_1m WHERE dt = '2024-03-02'");
    let (newer, of_month) = (points(), "month=2024-03");
    project.succeed(&[&["partition", "undo"][..], &PARTITION].concat());
    let older = points();
    assert_ne!(older, newer);
    project.write(
        "keep.dig",
        "timezone: UTC\n+dump: {metrics.dump>: warm, to: cold, window: 2024-03-02 .. +1d, on_damage: replace}\n\
         +verify: {metrics.verify>: [warm, cold]}\n",
    );
    project.succeed(&["run", "keep.dig", "--session", "2024-03-12"]);
    assert_eq!(points(), older);
    assert!(!notes(&project).contains("cold 2024-03-02"), "{}", notes(&project));
    // Of a roll-up.
    let month = format!("step=1h/{of_month}");
    let undone = project.succeed(&["partition", "undo", "metrics.points_1h", &month]);
    let way = "to make it again of the finer tier, as long as that has all of what it is made of: drop the partition \
               (`athena.drop_partition>`), then `metrics.rollup>`\n";
    assert!(undone.stderr.ends_with(way), "{undone}");
    let known =
        "to make it again of the finer tier: drop the partition (`athena.drop_partition>`), then `metrics.rollup>`\n";
    assert!(notes(&project).contains(known), "{}", notes(&project));
    project.write(
        "again.dig",
        "timezone: UTC\n+drop:\n  athena.drop_partition>:\n  database: metrics\n  table: points_1h\n\
         \x20 partition_kv: {step: 1h, month: '2024-03'}\n+rollup: {metrics.rollup>: cold, to: hourly}\n\
         +verify: {metrics.verify>: [cold, hourly]}\n",
    );
    project.succeed(&["run", "again.dig", "--session", "2024-03-12"]);
    assert!(!notes(&project).contains("hourly"), "{}", notes(&project));
}

/// A roll-up that stands for points which are given up is not promised to be made again, and what is said brings it back.
#[test]
fn a_dropped_roll_up_that_nothing_can_make_again_is_told_as_that() {
    let project = example();
    project.succeed(&RUN);
    project.write(
        "drop.dig",
        "timezone: UTC\n+verify: {metrics.verify>: [cold, hourly]}\n+expire: {metrics.expire>: cold, older_than: 0d}\n+drop:\n  athena.drop_partition>:\n  database: metrics\n\
         \x20 table: points_1h\n  partition_kv: {step: 1h, month: '2024-03'}\n\
         +rollup: {metrics.rollup>: cold, to: hourly}\n",
    );
    project.succeed(&["run", "drop.dig", "--session", "2024-05-01"]);
    assert_eq!(
        notes(&project),
        "hourly 2024-03: the catalog has no partition of it any more; it cannot be made again, as the finer tier has given up what it \
         is made of; `athena.add_partition>` with `location: s3://warehouse/metrics/points_1h--versions/[HASH]/[VERSION]/` brings it \
         back while its objects are there\n"
    );
    project.write("verify.dig", "timezone: UTC\n+verify: {metrics.verify>: [cold, hourly]}\n");
    let refused = project.suiro(&["run", "verify.dig", "--session", "2024-05-02"]);
    assert_eq!(refused.exit, Some(3), "{refused}");
    let way = "`athena.add_partition>` with the `location` that the ledger knows brings it back while its objects are there: what it was \
               made of was given up, so that it cannot be made again\n";
    assert!(refused.stderr.contains(way), "{refused}");
    let location = location(&project);
    project.write(
        "back.dig",
        format!(
            "timezone: UTC\n+add:\n  athena.add_partition>:\n  database: metrics\n  table: points_1h\n\
             \x20 partition_kv: {{step: 1h, month: '2024-03'}}\n  location: {location}\n\
             +verify: {{metrics.verify>: [cold, hourly]}}\n"
        ),
    );
    project.succeed(&["run", "back.dig", "--session", "2024-05-03"]);
    assert_eq!(notes(&project), "");
}

/// What a note says the location of the one window is that has no partition.
fn location(project: &Project) -> String {
    let output = project.command(&["metrics", "status"]).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    let (_, rest) = notes.split_once("`location: ").unwrap();
    rest.split_once('`').unwrap().0.to_owned()
}
