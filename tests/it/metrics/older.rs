//! A ledger that is older than the catalog, and a catalog that is gone.

use super::{NEXT_RUN, RUN, example};
use crate::support::Project;

/// The ledger's files, by their names below the state's folder.
const LEDGER: [&str; 3] = ["metrics.sqlite", "metrics.sqlite-wal", "metrics.sqlite-shm"];

fn remove(project: &Project, files: &[&str]) {
    for file in files {
        let file = project.path().join(".suiro").join(file);
        if file.exists() {
            std::fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn a_copy_of_the_ledger_that_was_put_back_takes_in_what_was_archived_since() {
    let project = example();
    project.succeed(&RUN);
    let state = project.path().join(".suiro");
    let copies: Vec<_> = LEDGER.map(|file| (file, std::fs::read(state.join(file)).ok())).into_iter().collect();
    project.write("data/web-1.cpu.csv", "timestamp,value\n2024-03-04 05:00:00,7\n");
    project.succeed(&NEXT_RUN);
    let read = [
        "metrics",
        "read",
        "--name",
        "web-1.cpu",
        "--from",
        "2024-03-04",
        "--to",
        "2024-03-05",
        "--step",
        "raw",
        "--format",
        "csv",
    ];
    let before = project.succeed(&read);
    remove(&project, &LEDGER);
    for (file, bytes) in copies {
        if let Some(bytes) = bytes {
            std::fs::write(state.join(file), bytes).unwrap();
        }
    }
    let after = project.succeed(&read);
    assert_eq!(after.stdout, before.stdout);
    let notice =
        "the ledger of metrics was older than the catalog: what that knows of `cold` 2024-03-04 was taken in\n";
    assert!(after.stderr.starts_with(notice), "{after}");
    assert!(!project.succeed(&read).stderr.contains("older than the catalog"));
}

#[test]
fn that_the_catalog_is_gone_is_told_as_that() {
    let project = example();
    project.succeed(&RUN);
    remove(&project, &["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"]);
    for command in [&["metrics", "status"][..], &["metrics", "read", "--name", "web-1.cpu", "--from", "2024-03-01"]] {
        let refused = project.suiro(command);
        assert_ne!(refused.exit, Some(0));
        assert!(refused.stderr.contains("and the catalog of this project is gone: `catalog.sqlite` in"), "{refused}");
    }
}
