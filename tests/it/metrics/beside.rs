//! Runs beside one another.

use super::meanwhile::Meanwhile;
use super::{RUN, example};
use crate::support::Outcome;

#[test]
fn a_view_that_another_run_makes_in_that_moment_is_no_error() {
    let project = example();
    project.succeed(&RUN);
    project.write("view.dig", "timezone: UTC\n+view: {metrics.view>: metrics.other}\n");
    let other = Meanwhile {
        asleep_at: "metrics: make a view:before",
        done: |project| drop(project.succeed(&["run", "view.dig", "--session", "2024-03-12"])),
    };
    let mut run = project.command(&["run", "view.dig", "--session", "2024-03-11"]);
    run.env("SUIRO_CRASH_AT", format!("pause {}", other.asleep_at));
    let ended = Outcome::of(&project, &other.run(&mut run, &project));
    assert_eq!(ended.exit, Some(0), "{ended}");
    assert_eq!(
        project.query("SELECT count(*) AS n FROM metrics.other WHERE step = '1h' AND name = 'web-1.cpu'"),
        "n\n72\n"
    );
}
