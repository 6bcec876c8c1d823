//! Points as hostile as they come: they go all the way and come back as they are, or are refused with a clear error, and what
//! was there stays.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::example;
use crate::support::{Outcome, Project};

/// Names that hold what somewhere separates, quotes, ends or matches something.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "a",
        "A",
        "1m:cpu",
        "a/b/../c",
        "s3://a/b",
        "a|b#c",
        "{name}",
        "*?[a]",
        "\\",
        "'",
        "\"",
        "`",
        "'; DROP TABLE points; --",
        "%2F%00",
        " a ",
        "é",
        "e\u{301}",
        "日本語",
        "🐙",
        "👩‍👩‍👧",
        "\u{feff}a",
        "NULL",
        "-1",
        "dt=2024-03-01",
        ",",
        "{x}",
        "#",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(1_000));
    names.push("🐙".repeat(1_000));
    names
}

/// Values by their SQL, and what is read of them.
fn values() -> [(&'static str, Value); 10] {
    [
        ("nan()", json!("NaN")),
        ("-nan()", json!("NaN")),
        ("infinity()", json!("Infinity")),
        ("-infinity()", json!("-Infinity")),
        // Zero has no sign.
        ("-0e0", json!(0.0)),
        ("0e0", json!(0.0)),
        ("5e-324", json!(5e-324)),
        ("1.7976931348623157e308", json!(f64::MAX)),
        ("-1.5e0", json!(-1.5)),
        ("1e-1 + 2e-1", json!(0.1 + 0.2)),
    ]
}

/// The whole way of the example, from a query.
const WORKFLOW: &str = "\
timezone: UTC
+write:  {metrics.write>: hot, query: points.sql}
+flush:  {metrics.flush>: hot, to: warm, age: 0s}
+dump:   {metrics.dump>: warm, to: cold}
+verify: {metrics.verify>: [warm, cold]}
+hourly:
  +rollup: {metrics.rollup>: cold, to: hourly}
  +verify: {metrics.verify>: [cold, hourly]}
+expire: {metrics.expire>: warm, older_than: 0d}
";

fn rows_of(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn hostile_names_and_values_go_all_the_way() {
    let project = example();
    let (names, values) = (names(), values());
    let rows = names.iter().enumerate().flat_map(|(number, name)| {
        let name = name.replace('\'', "''");
        // Each series begins with another value.
        let values = values.iter().cycle().skip(number).take(values.len()).enumerate();
        values.map(move |(minute, (value, _))| {
            format!("('{name}', TIMESTAMP '2024-03-01 00:{minute:02}:00', CAST({value} AS double))")
        })
    });
    let rows: Vec<String> = rows.collect();
    project.write("points.sql", format!("SELECT * FROM (VALUES\n{}\n) AS t (name, ts, value)", rows.join(",\n")));
    project.write("way.dig", WORKFLOW);
    for session in ["2024-03-10", "2024-03-11"] {
        // The second time nothing is new.
        let run = project.succeed(&["run", "way.dig", "--session", session]);
        let points = format!("cold 2024-03-01: {} points of {} series, ", rows.len(), names.len());
        assert!(run.stdout.lines().any(|line| line.starts_with(&points) && line.ends_with(", verified")), "{run}");
    }
    for (number, name) in names.iter().enumerate() {
        let name = format!("--name={name}");
        let read = ["metrics", "read", &name, "--from", "2024-03-01", "--to", "2024-03-02", "--format", "json"];
        let found = rows_of(&project.succeed(&[&read[..], &["--step", "raw"]].concat()));
        let expected = values.iter().cycle().skip(number).take(values.len());
        let expected: Vec<Value> = expected.map(|(_, read)| json!({"value": read, "tier": "cold"})).collect();
        let found: Vec<Value> = found.iter().map(|row| json!({"value": row["value"], "tier": row["tier"]})).collect();
        assert_eq!(found, expected, "{name}");
        let hourly = rows_of(&project.succeed(&[&read[..], &["--step", "1h", "--aggregate", "count"]].concat()));
        assert_eq!(
            (hourly.len(), &hourly[0]["value"], &hourly[0]["tier"]),
            (1, &json!(10.0), &json!("hourly")),
            "{name}"
        );
    }
}

/// Runs a replay of one file.
fn replay(project: &Project, text: &str, session: u32) -> Outcome {
    project.write("one/x.csv", text);
    project.suiro(&["run", "one.dig", "--session", &format!("2024-04-{session:02}")])
}

fn project_of(duplicate: &str) -> Project {
    let project = example();
    let tiers = std::fs::read_to_string(project.path().join("tiers.yml")).unwrap();
    project.write("tiers.yml", tiers.replace("duplicate: last", &format!("duplicate: {duplicate}")));
    project.write("one.dig", "timezone: UTC\n+replay: {metrics.replay>: one, to: warm}\n");
    project
}

fn read(project: &Project) -> BTreeMap<String, String> {
    let read = ["metrics", "read", "--name", "x", "--from", "1970-01-01", "--to", "2030-01-01", "--step", "raw"];
    let found = rows_of(&project.succeed(&[&read[..], &["--format", "json"]].concat()));
    found.iter().map(|row| (row["value"].to_string(), row["tier"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn times_that_no_point_may_have_are_refused_and_what_was_there_stays() {
    let project = project_of("last");
    assert_eq!(replay(&project, "timestamp,value\n2024-03-01 00:00:00,1\n", 1).exit, Some(0));
    for (session, time, message) in [
        (
            2,
            "1969-12-31 23:59:59",
            "one/x.csv:3: expected a time from 1970 to 9999 in UTC, found `1969-12-31 23:59:59`\n",
        ),
        (
            3,
            "10000-01-01 00:00:00",
            "one/x.csv:3: expected a time such as `2014-02-14 14:30:00`, found `10000-01-01 00:00:00`\n",
        ),
        (
            4,
            "2024-02-30 00:00:00",
            "one/x.csv:3: expected a time such as `2014-02-14 14:30:00`, found `2024-02-30 00:00:00`\n",
        ),
    ] {
        let outcome = replay(&project, &format!("timestamp,value\n2024-03-01 00:01:00,2\n{time},3\n"), session);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        assert!(outcome.stderr.contains(message), "{time}\n{outcome}");
        let held = read(&project);
        assert!(held.contains_key("1.0") && !held.contains_key("3.0"), "{held:?}");
    }
}

#[test]
fn of_two_values_of_one_time_the_rule_chooses_in_every_tier() {
    // The third value of each comes when the first is archived, and expired from its store.
    for (rule, second, third) in [("last", "3.0", "2.0"), ("max", "3.0", "3.0")] {
        let project = project_of(rule);
        let file = |value: u32| format!("timestamp,value\n2024-03-01 00:00:00,{value}\n");
        for (session, value, held) in [(1, 1, "1.0"), (2, 3, second)] {
            assert_eq!(replay(&project, &file(value), session).exit, Some(0));
            assert_eq!(read(&project), BTreeMap::from([(held.to_owned(), "warm".to_owned())]), "{rule}");
        }
        let way = WORKFLOW.lines().filter(|line| !line.contains("metrics.write")).collect::<Vec<_>>().join("\n");
        project.write("way.dig", way);
        project.succeed(&["run", "way.dig", "--session", "2024-04-10"]);
        assert_eq!(read(&project), BTreeMap::from([(second.to_owned(), "cold".to_owned())]), "{rule}");
        assert_eq!(replay(&project, &file(2), 11).exit, Some(0));
        assert!(read(&project).contains_key(third), "{rule}: before it is archived");
        project.succeed(&["run", "way.dig", "--session", "2024-04-12"]);
        assert_eq!(read(&project), BTreeMap::from([(third.to_owned(), "cold".to_owned())]), "{rule}");
    }
}

#[test]
fn a_second_value_is_an_error_where_the_tiers_say_so_and_the_first_one_stays() {
    let project = project_of("error");
    let file = |value: u32| format!("timestamp,value\n2024-03-01 00:00:00,{value}\n");
    assert_eq!(replay(&project, &file(1), 1).exit, Some(0));
    let refused = replay(&project, &file(2), 2);
    assert_eq!(refused.exit, Some(2), "{refused}");
    let stands = "  one/x.csv:2: expected one value of `x` at [MOMENT], found 2 where 1 stands\n";
    assert!(refused.stderr.contains(&format!("{stands}    tier: warm\n")), "{refused}");
    assert_eq!(read(&project), BTreeMap::from([("1.0".to_owned(), "warm".to_owned())]));
    // The same value is none.
    assert_eq!(replay(&project, &file(1), 3).exit, Some(0));
    // Twice in one file.
    let refused = replay(&project, "timestamp,value\n2024-03-01 00:01:00,5\n2024-03-01 00:01:00,6\n", 4);
    assert_eq!(refused.exit, Some(2), "{refused}");
    let twice = "  one/x.csv:3: 1 row repeats the time [MOMENT] of line 2, 1 with another value\n";
    assert!(refused.stderr.contains(twice), "{refused}");
    // And when the first one is archived: the archive is not changed, and readers see the first.
    let way = WORKFLOW.lines().filter(|line| !line.contains("metrics.write")).collect::<Vec<_>>().join("\n");
    project.write("way.dig", way);
    project.succeed(&["run", "way.dig", "--session", "2024-04-10"]);
    let refused = replay(&project, &file(2), 11);
    assert_eq!(refused.exit, Some(2), "{refused}");
    assert!(refused.stderr.contains(&format!("{stands}    tier: cold\n")), "{refused}");
    project.succeed(&["run", "way.dig", "--session", "2024-04-12"]);
    assert_eq!(read(&project), BTreeMap::from([("1.0".to_owned(), "cold".to_owned())]));
}
