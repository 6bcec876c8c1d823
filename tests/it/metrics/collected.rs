//! What a dump or a roll-up replaces is collected by the task that replaced it, once its retention is over, and not by the end of
//! the run alone: a run of many windows would keep two versions of each until then.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{RUN, example, objects};
use crate::support::{Outcome, Project};

/// Each step, and a look at what is there when it is done.
const WORKFLOW: &str = "\
timezone: UTC
+replay: {metrics.replay>: data, to: hot}
+flush:  {metrics.flush>: hot, to: warm}
+dump:   {metrics.dump>: warm, to: cold}
+dumped: {sh>: find .suiro/warehouse/s3 -name '*.parquet' > points_1m.txt}
+verify: {metrics.verify>: [warm, cold]}
+hourly: {metrics.rollup>: cold, to: hourly}
+rolled: {sh>: find .suiro/warehouse/s3 -name '*.parquet' > points_1h.txt}
+daily:  {metrics.rollup>: hourly, to: daily}
+ended:  {sh>: find .suiro/warehouse/s3 -name '*.parquet' > points_1d.txt}
";

/// The objects that readers of a table are pointed to.
fn current(project: &Project, table: &str) -> BTreeSet<PathBuf> {
    objects(project, &format!("metrics.{table}")).into_iter().map(|(_, file)| file).collect()
}

/// The objects of a table that were there when its step was done.
fn seen(project: &Project, table: &str) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(project.path().join(format!("{table}.txt"))).unwrap();
    let files = text.lines().filter(|line| line.contains(&format!("/{table}")));
    files.map(|line| project.path().join(line)).collect()
}

#[test]
fn what_a_dump_and_a_roll_up_replaced_is_collected_by_them() {
    let project = example();
    project.succeed(&RUN);
    let tables = ["points_1m", "points_1h", "points_1d"];
    let before = tables.map(|table| current(&project, table));
    let file = "data/web-1.cpu.csv";
    let text = std::fs::read_to_string(project.path().join(file)).unwrap();
    project.write(file, format!("{text}2024-03-02 00:01:00,77.5\n"));
    project.write("seen.dig", WORKFLOW);
    let run = ["run", "seen.dig", "--session", "2024-03-11"];
    let run = project.command(&run).env("SUIRO_RETENTION", "0s").output().unwrap();
    assert!(run.status.success(), "{}", Outcome::of(&project, &run));
    for (table, before) in tables.into_iter().zip(before) {
        let now = current(&project, table);
        assert_ne!(now, before, "{table}: something was written again");
        assert_eq!(seen(&project, table), now, "{table}");
    }
}
