//! The same workflows on a profile of Trino: with the results that they have on the embedded lake.

use std::path::Path;
use std::process::Command;

use super::{Connected, Trino};
use crate::cases::{check_in, folders};
use crate::endpoint::Endpoint;
use crate::profiles::make_buckets;
use crate::support::{Outcome, Project, root};

/// Writes the profile `trino` into the settings.
pub(super) fn prepare(project: &Project, endpoint: &str, lake: &Connected) {
    project.write(
        "suiro.yml",
        format!(
            "profiles:\n  trino:\n    type: trino\n    url: {}\n    user: etl\n    catalog: {}\n    region: us-east-1\n    \
             endpoint: {endpoint}\n    path_style: true\n    warehouse: s3://warehouse/\n",
            lake.url(),
            lake.catalog
        ),
    );
}

/// Lets a command use the profile, with the keys of the endpoint.
pub(super) fn on_trino(endpoint: &Endpoint<'_>, command: &mut Command) {
    endpoint.name_to(command);
    command.env_remove("AWS_ENDPOINT_URL").env("SUIRO_PROFILE", "trino");
}

/// Runs the binary on the profile, which must succeed.
fn succeed(project: &Project, endpoint: &Endpoint<'_>, arguments: &[&str]) -> Outcome {
    let mut command = project.command(arguments);
    on_trino(endpoint, &mut command);
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "`suiro {}` on Trino\n{outcome}", arguments.join(" "));
    outcome
}

#[test]
fn daily_access_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    let example = root().join("examples/01_daily_access");
    let local = Project::copy_of(&example);
    local.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]);

    let project = Project::copy_of(&example);
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    prepare(&project, endpoint.url(), &lake);
    let plan = succeed(&project, &endpoint, &["plan", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(plan.stdout.contains("+load"), "{plan}");
    succeed(&project, &endpoint, &["run", "daily_access.dig", "--session", "2026-03-03"]);
    let all = "SELECT * FROM web.daily_summary ORDER BY dt, method, status";
    let query = |sql: &str| succeed(&project, &endpoint, &["query", "--format", "csv", sql]).stdout;
    assert_eq!(query(all), local.query(all));
    let count = "SELECT dt, count(*) AS n, sum(bytes) AS bytes FROM web.access_log GROUP BY dt ORDER BY dt";
    assert_eq!(query(count), local.query(count));
    let tables = succeed(&project, &endpoint, &["table", "list"]);
    assert_eq!(
        tables.stdout,
        local.succeed(&["table", "list"]).stdout,
        "no table is left of what queries write through"
    );

    // A new version, and back.
    succeed(&project, &endpoint, &["run", "daily_access.dig", "--session", "2026-03-03", "--rerun"]);
    succeed(&project, &endpoint, &["partition", "undo", "web.daily_summary", "dt=2026-03-02"]);
    assert_eq!(query(all), local.query(all));
    // The embedded engine reads what Trino wrote.
    assert_eq!(project.query(all), local.query(all));
    assert!(project.path().join(".suiro/trino").is_dir(), "the state of the profile is its own");
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn athena_operators_do_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    let example = root().join("examples/02_athena_operators");
    let arguments = ["run", "athena_operators.dig", "--session", "2024-03-01"];
    let local = Project::copy_of(&example).succeed(&arguments);
    let project = Project::copy_of(&example);
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    let lake = trino.connect(endpoint.url());
    prepare(&project, endpoint.url(), &lake);
    let run = succeed(&project, &endpoint, &arguments);
    // The first line names a query; databases go side by side.
    let printed = |outcome: &Outcome| {
        let mut lines: Vec<String> = outcome.stdout.lines().skip(1).map(str::to_owned).collect();
        let databases = lines.len() - 2;
        lines[databases..].sort_unstable();
        lines
    };
    assert_eq!(printed(&run), printed(&local), "{run}");
    drop(lake);
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn every_case_of_athena_is_the_same_on_trino() {
    cases("athena");
}

#[test]
fn every_case_of_load_is_the_same_on_trino() {
    cases("load");
}

/// Runs the cases of a family on the profile; all that is wrong is said at once.
fn cases(family: &str) {
    let Some(trino) = Trino::find() else { return };
    let case = |folder: &Path| {
        let project = Project::copy_of(folder);
        make_buckets(&project);
        let endpoint = Endpoint::start(&project, &[], &[]);
        let lake = trino.connect(endpoint.url());
        prepare(&project, endpoint.url(), &lake);
        let wrong = check_in(&project, folder, &|command| on_trino(&endpoint, command), false);
        drop(lake);
        assert_eq!(endpoint.stop(), Some(0));
        wrong
    };
    let wrong: Vec<String> =
        folders(&root().join("tests/cases").join(family)).iter().flat_map(|folder| case(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
