//! Our Parquet files as other people's programs read them: `pyarrow`, `DuckDB` and `polars` agree with each other and with us.
//!
//! `./test` installs them and names their Python in `SUIRO_TEST_PYTHON`; without it these tests say that they are skipped.

use std::path::{Path, PathBuf};

use crate::crash::partition_location;
use crate::support::{Outcome, Project, files_below, root};

/// A row of every type that has a Parquet type of its own, and one of NULLs.
const ROWS: &str = "\
true,1,-2,3,9223372036854775807,0.5,-1e300,12345678901234.5678,0.01,text,2024-02-29,2024-02-29 23:59:59.123456
false,-128,32767,-2147483648,-9223372036854775808,-0.0,2.5,-0.0001,-99999.99,\"Zürich, \"\"8001\"\"\",1969-12-31,1969-12-31 23:59:59
,,,,,,,,,,,
";

/// Loads the rows with a compression.
fn config(compression: &str) -> String {
    format!(
        "in:
  type: file
  path: rows.csv
  parser:
    type: csv
    columns:
      - {{name: a, type: boolean}}
      - {{name: b, type: tinyint}}
      - {{name: c, type: smallint}}
      - {{name: d, type: integer}}
      - {{name: e, type: bigint}}
      - {{name: f, type: real}}
      - {{name: g, type: double}}
      - {{name: h, type: \"decimal(38,4)\"}}
      - {{name: i, type: \"decimal(7,2)\"}}
      - {{name: j, type: varchar}}
      - {{name: k, type: date}}
      - {{name: l, type: timestamp}}
out: {{type: file, path: out/{compression}, format: {{type: parquet, compression: {compression}}}}}
"
    )
}

#[test]
fn every_type_and_compression_is_read_by_others() {
    let Some(python) = python() else { return };
    let project = Project::new();
    project.write("rows.csv", ROWS);
    for compression in ["zstd", "snappy", "gzip", "none"] {
        project.write(&format!("{compression}.yml"), config(compression));
        project.succeed(&["load", "run", &format!("{compression}.yml")]);
    }
    let read = compare(&project, &python, &["files", "out"]);
    assert_eq!(read.stdout, "4 files, 12 rows\n");
}

#[test]
fn what_the_example_publishes_is_read_by_others() {
    let Some(python) = python() else { return };
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "-q"]);
    let lines: usize = project.shell("zcat logs/*.gz | wc -l").stdout.trim().parse().unwrap();
    let summary: usize =
        project.query("SELECT count(*) AS n FROM web.daily_summary").lines().last().unwrap().parse().unwrap();
    let read = compare(&project, &python, &["files", ".suiro/warehouse/s3"]);
    assert_eq!(read.stdout, format!("6 files, {} rows\n", lines + summary));
    for day in ["2026-03-01", "2026-03-02", "2026-03-03"] {
        same_summary(&project, &python, day);
    }
}

/// The lines of a real server: none is lost, each is on its day, and every day's summary is that of `DuckDB`.
#[test]
fn recorded_logs_are_loaded_whole() {
    let logs = root().join("../shared/data/apache_logs.gz");
    if !logs.is_file() {
        println!("skipped: no ../shared/data");
        return;
    }
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    std::fs::remove_dir_all(project.path().join("logs")).unwrap();
    std::fs::create_dir(project.path().join("logs")).unwrap();
    std::fs::copy(logs, project.path().join("logs/access-all.log.gz")).unwrap();
    project.succeed(&["run", "daily_access.dig", "--session", "2015-05-20", "-q"]);
    let days = project.query("SELECT dt, count(*) AS n FROM web.access_log GROUP BY dt ORDER BY dt");
    let counted: Vec<(&str, u64)> = days
        .lines()
        .skip(1)
        .map(|line| line.split_once(',').map(|(day, rows)| (day, rows.parse().unwrap())).unwrap())
        .collect();
    let rejected = if project.suiro(&["table", "list"]).stdout.contains("web.access_log__rejected") {
        project.query("SELECT count(*) AS n FROM web.access_log__rejected").lines().last().unwrap().parse().unwrap()
    } else {
        0_u64
    };
    assert_eq!(counted.iter().map(|(_, rows)| rows).sum::<u64>() + rejected, 10_000, "no line is lost");
    let expected = [("2015-05-17", 1_632), ("2015-05-18", 2_893), ("2015-05-19", 2_896), ("2015-05-20", 2_579)];
    assert_eq!(counted, expected);
    let Some(python) = python() else { return };
    for (day, _) in expected {
        same_summary(&project, &python, day);
    }
}

/// Compares the published summary of a day with what `DuckDB` makes of the same SELECT and the same files.
fn same_summary(project: &Project, python: &Path, day: &str) {
    let folder = partition_location(project.path(), "web", "access_log", day);
    let files: Vec<String> = files_below(&folder)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "parquet"))
        .map(|file| file.display().to_string())
        .collect();
    let mut arguments = vec!["query", "daily_summary.sql", day];
    arguments.extend(files.iter().map(String::as_str));
    let theirs = compare(project, python, &arguments).stdout;
    let ours = project
        .succeed(&[
            "query",
            "--format",
            "json",
            &format!(
                "SELECT method, status, requests, visitors, bytes, largest_response FROM web.daily_summary \
                 WHERE dt = '{day}' ORDER BY method, status"
            ),
        ])
        .stdout;
    let theirs: Vec<Vec<String>> = theirs
        .lines()
        .map(|line| serde_json::from_str::<Vec<serde_json::Value>>(line).unwrap().iter().map(number).collect())
        .collect();
    let ours: Vec<Vec<String>> = ours
        .lines()
        .map(|line| {
            let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            row.values().map(number).collect()
        })
        .collect();
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs, "{day}");
}

/// A value as one text whatever its type was: `100`, `100.0` and `"100.00"` are one number.
fn number(value: &serde_json::Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse::<f64>().map_or(text, |number| number.to_string())
}

fn compare(project: &Project, python: &Path, arguments: &[&str]) -> Outcome {
    let mut command = project.program(python);
    command.arg(root().join("tests/readers/compare.py")).args(arguments);
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    outcome
}

#[expect(clippy::print_stdout, reason = "a test says what it skips")]
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("SUIRO_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("skipped: no SUIRO_TEST_PYTHON (`./test` sets it)");
    }
    python
}
