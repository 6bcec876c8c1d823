//! Which folder is a project, and what `init` makes of one.

use crate::support::Project;

#[test]
fn a_new_project_below_another_is_one_of_its_own() {
    let project = Project::new();
    project.succeed(&["init"]);
    project.succeed(&["run", "daily_access.dig"]);
    let rows = "SELECT count(*) AS n FROM web.access_log";
    let before = project.query(rows);

    let made = project.succeed(&["init", "my"]);
    assert!(made.stderr.contains("made my/suiro.yml\n"), "{made}");
    project.write("my/logs/access.log", "");
    project.shell("tail -n 1 logs/access.log > my/logs/access.log");
    project.succeed(&["run", "my/daily_access.dig"]);
    assert_eq!(project.query(rows), before, "the project above is as it was");
    let below = project.succeed(&["query", "--project", "my", "--format", "csv", rows]);
    assert_eq!(below.stdout, "n\n1\n");
    project.shell("test -d my/.suiro");
}

#[test]
fn settings_that_are_there_are_kept() {
    let project = Project::new();
    project.write("suiro.yml", "profiles: {local: {max_tasks: 2}}\n");
    let made = project.succeed(&["init"]);
    assert!(!made.stderr.contains("suiro.yml"), "{made}");
    assert_eq!(project.shell("cat suiro.yml").stdout, "profiles: {local: {max_tasks: 2}}\n");
}
