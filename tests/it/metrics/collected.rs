//! What a dump or a roll-up replaces is collected by the task that replaced it, once its retention is over: nothing else of a
//! workflow of tiers alone would ever do that.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{NEXT_RUN, RUN, example, objects};
use crate::support::{Outcome, Project, files_below};

const TABLES: [&str; 3] = ["metrics.points_1m", "metrics.points_1h", "metrics.points_1d"];

/// The objects that readers are pointed to.
fn current(project: &Project) -> BTreeSet<PathBuf> {
    TABLES.iter().flat_map(|table| of_table(project, table)).collect()
}

/// Those of one table.
fn of_table(project: &Project, table: &str) -> BTreeSet<PathBuf> {
    objects(project, table).into_iter().map(|(_, file)| file).collect()
}

/// All objects of Parquet that there are.
fn all(project: &Project) -> BTreeSet<PathBuf> {
    let files = files_below(&project.path().join(".suiro/warehouse/s3")).into_iter();
    files.filter(|file| file.extension().is_some_and(|end| end == "parquet")).collect()
}

#[test]
fn what_a_dump_and_a_roll_up_replaced_is_collected_by_them() {
    let project = with_a_late_point();
    assert_eq!(all(&project), current(&project));
    for (steps, table) in [
        (&["+tiers+replay", "+tiers+flush", "+tiers+dump"][..], "metrics.points_1m"),
        (&["+tiers+verify", "+tiers+hourly"], "metrics.points_1h"),
        (&["+tiers+daily"], "metrics.points_1d"),
    ] {
        let before = of_table(&project, table);
        for step in steps {
            let step = [&NEXT_RUN[..], &[step]].concat();
            let run = project.command(&step).env("SUIRO_RETENTION", "0s").output().unwrap();
            assert!(run.status.success(), "{}", Outcome::of(&project, &run));
        }
        assert_ne!(before, of_table(&project, table), "{table}: something was written again");
        assert_eq!(all(&project), current(&project), "{steps:?}");
    }
}

/// The example, all of it archived, and a point more in its files.
fn with_a_late_point() -> Project {
    let project = example();
    project.succeed(&RUN);
    let file = "data/web-1.cpu.csv";
    let text = std::fs::read_to_string(project.path().join(file)).unwrap();
    project.write(file, format!("{text}2024-03-02 00:01:00,77.5\n"));
    project
}
