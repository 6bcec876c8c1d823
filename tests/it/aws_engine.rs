//! Who says what a statement means: on AWS the engine that runs it.

use crate::aws_crash::world::World;
use crate::support::{Outcome, Project};

/// Our analyzer does not know it; the endpoint, which is asked here, has no other.
#[test]
fn what_our_analyzer_does_not_know_is_asked_of_athena() {
    let project = Project::in_memory();
    let world = World::start(&project, "");
    project.write("random.dig", "timezone: UTC\n+random:\n  athena.query>: SELECT random() AS r\n");
    let checked = Outcome::of(&project, &world.command(&["check", "random.dig"]).output().unwrap());
    assert_eq!((checked.exit, checked.stderr.as_str()), (Some(0), "1 workflow with 1 task: no errors\n"), "{checked}");
    let ran =
        Outcome::of(&project, &world.command(&["run", "random.dig", "--session", "2024-01-01"]).output().unwrap());
    assert!(ran.stderr.contains("line 1:8: not supported yet: function `random`\n    error: NOT_SUPPORTED\n"), "{ran}");
    assert_eq!(world.queries().get("FAILED"), Some(&1), "{ran}");
    world.stop();
}
