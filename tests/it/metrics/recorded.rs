//! The 17 recorded series of `CloudWatch`, all the way, as other people's programs read what comes of them.

use std::path::PathBuf;

use super::{example_of, objects};
use crate::readers::python;
use crate::support::{Outcome, Project, root};

/// The session of the recorded series: all of them have ended by then.
const RUN: [&str; 4] = ["run", "tiers.dig", "--session", "2014-05-01"];

/// The recorded series, where they are.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn cloudwatch() -> Option<PathBuf> {
    let data = root().join("../shared/data/cloudwatch");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no ../shared/data/cloudwatch");
    None
}

#[test]
fn recorded_series_are_whole_in_every_tier() {
    let Some(data) = cloudwatch() else { return };
    let project = example_of(&data);
    let run = project.succeed(&RUN);
    for place in [
        "data/ec2_disk_write_bytes_1ef3de.csv:2121-2131: 11 rows repeat the time [MOMENT] of line 2120",
        "data/ec2_network_in_5abac7.csv:2120-2130: 11 rows repeat the time [MOMENT] of line 2119",
    ] {
        assert!(run.stderr.contains(place), "{run}");
    }
    let points = project.query("SELECT count(*) AS n, count(DISTINCT name) AS series FROM metrics.points_1m");
    assert_eq!(points, "n,series\n67718,17\n", "67,740 rows, 22 of which repeat a time");
    let buckets = "SELECT sum(\"count\") AS n, count(DISTINCT name) AS series FROM metrics.";
    assert_eq!(project.query(&format!("{buckets}points_1h")), "n,series\n67718,17\n");
    assert_eq!(project.query(&format!("{buckets}points_1d")), "n,series\n67718,17\n");

    // Replayed once more, nothing changes: not a point, not a version of a partition.
    let before = crate::cases::lake_files(&project);
    let again = project.succeed(&[&RUN[..], &["--rerun"]].concat());
    assert_eq!(crate::cases::lake_files(&project), before, "{again}");

    let Some(python) = python() else { return };
    let mut command = project.program(python);
    command.arg(root().join("tests/readers/metrics.py")).arg(&data);
    for (tier, table) in [("raw", "points_1m"), ("1h", "points_1h"), ("1d", "points_1d")] {
        command.arg(format!("{tier}={}", files(&project, &format!("metrics.{table}"))));
    }
    let read = Outcome::of(&project, &command.output().unwrap());
    assert_eq!(read.exit, Some(0), "{read}");
    let expected = "\
pandas: 17 files, 67740 rows, 22 of which repeat the time of another one: 67718 points
raw by pyarrow: 17 series, 67718 rows: count, sum, min and max of each are those of pandas
raw by DuckDB: 17 series, 67718 rows: count, sum, min and max of each are those of pandas
1h by pyarrow: 17 series, 5658 rows: count, sum, min and max of each are those of pandas, and of each bucket
1h by DuckDB: 17 series, 5658 rows: count, sum, min and max of each are those of pandas, and of each bucket
1d by pyarrow: 17 series, 252 rows: count, sum, min and max of each are those of pandas, and of each bucket
1d by DuckDB: 17 series, 252 rows: count, sum, min and max of each are those of pandas, and of each bucket
";
    assert_eq!(read.stdout, expected);
}

fn files(project: &Project, table: &str) -> String {
    let files = objects(project, table).into_iter().map(|(_, file)| file.display().to_string());
    files.collect::<Vec<_>>().join(",")
}
