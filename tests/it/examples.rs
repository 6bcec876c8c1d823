//! Every example runs, in a copy of its folder; what it says it does is looked at.

use crate::support::{Project, SUIRO, files_below, root};

#[test]
fn every_example_is_run_here() {
    let mut examples: Vec<String> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    examples.sort();
    assert_eq!(examples, ["01_daily_access", "02_athena_operators", "05_metric_tiers"], "each example has a test here");
}

#[test]
fn daily_access_publishes_every_day() {
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    let run = project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(run.stderr.contains("Look at it: suiro query"), "{run}");
    let lines: usize = project.shell("zcat logs/*.gz | wc -l").stdout.trim().parse().unwrap();
    let all = project.query("SELECT count(*) AS n FROM web.access_log");
    assert_eq!(all, format!("n\n{lines}\n"), "no line is lost");
    let days = "SELECT dt, sum(requests) AS n FROM web.daily_summary GROUP BY dt ORDER BY dt";
    let expected = "SELECT dt, count(*) AS n FROM web.access_log GROUP BY dt ORDER BY dt";
    assert_eq!(project.query(days), project.query(expected));

    // Run again, it publishes the same and adds nothing.
    let before = project.query("SELECT * FROM web.daily_summary ORDER BY dt, method, status");
    project.succeed(&["run", "daily_access.dig", "--session", "2026-03-03", "--rerun"]);
    assert_eq!(project.query("SELECT * FROM web.daily_summary ORDER BY dt, method, status"), before);
    assert_eq!(project.query("SELECT count(*) AS n FROM web.access_log"), all);
}

#[test]
fn athena_operators_do_what_they_say() {
    let project = Project::copy_of(&root().join("examples/02_athena_operators"));
    let run = project.succeed(&["run", "athena_operators.dig", "--session", "2024-03-01"]);
    assert!(!run.stderr.contains("Look at it"), "all tables are dropped again\n{run}");
    let mut printed: Vec<&str> = run.stdout.lines().collect();
    // Databases go side by side.
    let databases = printed.len() - 2;
    printed[databases..].sort_unstable();
    assert_eq!(
        printed[1..],
        [
            "fruit | cents",
            "------+------",
            "apple | 125",
            "pear  | 210",
            "plum  | 40",
            "3 rows in price",
            r#"{"partition_exists":true,"location_exists":true}"#,
            r#"{"partition_exists":false,"location_exists":null}"#,
            r#"{"table_exists":true,"location_exists":true}"#,
            r#"{"table_exists":true,"location_exists":null}"#,
            r#"{"table_exists":false,"location_exists":false}"#,
            r#"{"table_exists":true,"location_exists":null}"#,
            r#"{"partition_exists":false,"location_exists":false}"#,
            "default",
            "shop",
        ],
        "{run}"
    );
    assert!(printed[0].starts_with("query ") && printed[0].ends_with(" is SUCCEEDED"), "{run}");
    let tables = project.suiro(&["table", "list"]);
    assert!(tables.stderr.contains("there are no tables"), "it tidies up behind itself\n{tables}");
    // Results of queries are kept for a while; of the tables nothing is, not even a marker of where they were.
    let warehouse = project.path().join(".suiro/warehouse/s3");
    let mut left = files_below(&warehouse);
    left.retain(|file| !file.starts_with(warehouse.join("suiro-results")));
    assert!(left.is_empty() && !warehouse.join(".staging").exists(), "{left:?}");
}

#[test]
fn metric_tiers_end_as_parquet_and_are_read_as_one() {
    let project = Project::copy_of(&root().join("examples/05_metric_tiers"));
    let run = project.succeed(&["run", "tiers.dig", "--session", "2024-03-10"]);
    for window in
        ["cold 2024-03-01: 312 points", "cold 2024-03-02: ", "cold 2024-03-03: ", "hourly 2024-03: ", "daily 2024-03: "]
    {
        let line = run.stdout.lines().find(|line| line.starts_with(window));
        let line = line.unwrap_or_else(|| panic!("no line of {window}\n{run}"));
        assert!(
            line.contains(" of 4 series, ") && line.contains(", checksum ") && line.ends_with(", verified"),
            "{run}"
        );
    }
    assert!(run.stderr.contains("data/db-1.disk used %.csv:43: 1 row is out of order: "), "{run}");
    assert!(run.stderr.contains("data/web-1.requests.csv:123: 1 row repeats the time "), "{run}");
    assert_eq!(project.query("SELECT count(*) AS n FROM metrics.points WHERE step = '1m'"), "n\n924\n");
    assert_eq!(project.query("SELECT sum(\"count\") AS n FROM metrics.points WHERE step = '1d'"), "n\n924\n");
    let read = ["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01", "--to", "2024-03-04"];
    let plot = project.succeed(&[&read[..], &["--format", "plot"]].concat());
    assert!(plot.stdout.starts_with("web-1.cpu, its points\n 97.3 ┤"), "{plot}");
    assert!(plot.stderr.contains("[MOMENT] … [MOMENT]  cold  432 rows\n"), "{plot}");
}

#[test]
fn the_command_at_the_end_of_a_run_runs() {
    let project = Project::new();
    for (table, value) in [("order", "it's $HOME \"q\""), ("\"t-up per\"", "a!b`c")] {
        let table = table.trim_matches('"');
        project.write(
            "main.dig",
            format!(
                "timezone: UTC\n+kept:\n  athena.apas>: SELECT 'seen' AS n\n  database: web\n  table: '{table}'\n  partition_kv:\n    dt: \
                 {}\n+dropped:\n  athena.ctas>: SELECT 1 AS n\n  database: web\n  table: dropped\n+drop:\n  athena.drop_table>:\n  \
                 database: web\n  table: dropped\n",
                serde_json::Value::from(value)
            ),
        );
        let run = project.succeed(&["run", "main.dig", "--rerun"]);
        let (_, rest) = run.stderr.split_once("Look at it: suiro ").unwrap_or_else(|| panic!("{run}"));
        let command = rest.lines().next().unwrap_or_default();
        let looked = project.shell(&format!("{SUIRO} {command}"));
        assert!(looked.stdout.contains("seen"), "{command}\n{looked}");
        assert!(
            run.stderr.contains("Published and dropped again: 1 table.") && !run.stderr.contains("web.dropped"),
            "{run}"
        );
    }
}
