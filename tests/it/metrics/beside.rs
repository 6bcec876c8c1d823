//! Runs beside one another.

use super::meanwhile::Meanwhile;
use super::{RUN, example};
use crate::support::Outcome;

#[test]
fn a_view_that_another_run_makes_in_that_moment_is_no_error() {
    // What sleeps may hold the catalog for something else that it was doing beside: then nobody can make anything, and it is tried anew.
    let met = (0..5).any(|_| two_views_at_once());
    assert!(met, "the catalog was held each time");
}

/// Makes a view twice at the same time; says whether the second one could.
fn two_views_at_once() -> bool {
    let project = example();
    project.succeed(&RUN);
    project.write("view.dig", "timezone: UTC\n+view: {metrics.view>: metrics.other}\n");
    let other = Meanwhile {
        asleep_at: "metrics: make a view:before",
        done: |project| {
            let outcome = project.suiro(&["run", "view.dig", "--session", "2024-03-12"]);
            if outcome.stderr.contains("is busy: another process is writing") {
                project.write("held", "");
            } else {
                assert_eq!(outcome.exit, Some(0), "{outcome}");
            }
        },
    };
    let mut run = project.command(&["run", "view.dig", "--session", "2024-03-11"]);
    run.env("SUIRO_CRASH_AT", format!("pause {}", other.asleep_at));
    let ended = Outcome::of(&project, &other.run(&mut run, &project));
    assert_eq!(ended.exit, Some(0), "{ended}");
    assert_eq!(
        project.query("SELECT count(*) AS n FROM metrics.other WHERE step = '1h' AND name = 'web-1.cpu'"),
        "n\n72\n"
    );
    !project.path().join("held").exists()
}
