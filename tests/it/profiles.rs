//! The same workflows on a profile of AWS, against `suiro emulate`: with the results that they have on the embedded lake.
//!
//! The endpoint serves the embedded lake of the same project, so what a step looks for in its folder is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::cases::{check_in, folders};
use crate::endpoint::{Endpoint, alone};
use crate::support::{Outcome, Project, files_below, root};

/// The bucket of Athena's results.
pub(crate) const RESULTS: &str = "athena-results";

/// Writes the profile `aws` into the settings, and makes the buckets that the files of the project name.
pub(crate) fn prepare(project: &Project, url: &str, more: &str) {
    project.write(
        "suiro.yml",
        format!(
            "profiles:\n  aws:\n    type: aws\n    region: us-east-1\n    endpoint: {url}\n    path_style: true\n    \
             warehouse: s3://warehouse/\n    output_location: s3://{RESULTS}/queries/\n{more}"
        ),
    );
}

/// Makes the buckets that a project names, before its lake is served.
pub(crate) fn make_buckets(project: &Project) {
    let named = Regex::new("s3://([a-z0-9.-]+)").unwrap();
    let mut buckets = BTreeSet::from([RESULTS.to_owned(), "warehouse".to_owned(), "suiro-results".to_owned()]);
    for file in files_below(project.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        buckets.extend(named.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    for bucket in buckets {
        std::fs::create_dir_all(project.path().join(".suiro/warehouse/s3").join(bucket)).unwrap();
    }
}

/// Lets a command use the profile, with the keys of the endpoint.
pub(crate) fn on_aws(endpoint: &Endpoint<'_>, command: &mut Command) {
    endpoint.name_to(command);
    command.env_remove("AWS_ENDPOINT_URL").env("SUIRO_PROFILE", "aws");
}

/// Runs the binary on the profile, which must succeed.
fn succeed(project: &Project, endpoint: &Endpoint<'_>, arguments: &[&str]) -> Outcome {
    let mut command = project.command(arguments);
    on_aws(endpoint, &mut command);
    let outcome = Outcome::of(project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "`suiro {}` on AWS\n{outcome}", arguments.join(" "));
    outcome
}

#[test]
fn daily_access_is_the_same_on_aws() {
    let example = root().join("examples/01_daily_access");
    let local = Project::copy_of(&example);
    local.succeed(&["run", "daily_access.dig", "--session", "2026-03-03"]);

    let project = Project::copy_of(&example);
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    prepare(&project, endpoint.url(), "");
    let plan = succeed(&project, &endpoint, &["plan", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(plan.stdout.contains("+load"), "{plan}");
    let run = succeed(&project, &endpoint, &["run", "daily_access.dig", "--session", "2026-03-03"]);
    // Two queries for each day, the one that writes and its check, each of 10 MB at $5 a TB.
    assert_eq!(run.stderr.matches("$0.000096").count(), 3, "{run}");
    assert!(run.stderr.contains("Look at it: suiro query --profile aws \"SELECT * FROM web."), "{run}");
    let all = "SELECT * FROM web.daily_summary ORDER BY dt, method, status";
    let query = |sql: &str| succeed(&project, &endpoint, &["query", "--format", "csv", sql]).stdout;
    assert_eq!(query(all), local.query(all));
    let count = "SELECT dt, count(*) AS n, sum(bytes) AS bytes FROM web.access_log GROUP BY dt ORDER BY dt";
    assert_eq!(query(count), local.query(count));
    let tables = succeed(&project, &endpoint, &["table", "list"]);
    assert_eq!(tables.stdout, local.succeed(&["table", "list"]).stdout);
    let plan = succeed(&project, &endpoint, &["plan", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(plan.stdout.contains("is there already"), "{plan}");

    // A new version, and back.
    succeed(&project, &endpoint, &["run", "daily_access.dig", "--session", "2026-03-03", "--rerun"]);
    let partition = ["partition", "undo", "web.daily_summary", "dt=2026-03-02"];
    succeed(&project, &endpoint, &partition);
    assert_eq!(query(all), local.query(all));
    let left = query("SELECT count(*) AS n FROM web.daily_summary");
    assert_eq!(left, local.query("SELECT count(*) AS n FROM web.daily_summary"));
    let again = succeed(&project, &endpoint, &["run", "daily_access.dig", "--session", "2026-03-03"]);
    assert!(again.stderr.contains("Success") || again.stderr.contains("already"), "{again}");
    assert!(project.path().join(".suiro/aws").is_dir(), "the state of the profile is its own");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn athena_operators_do_the_same_on_aws() {
    let example = root().join("examples/02_athena_operators");
    let arguments = ["run", "athena_operators.dig", "--session", "2024-03-01"];
    let local = Project::copy_of(&example).succeed(&arguments);
    let project = Project::copy_of(&example);
    make_buckets(&project);
    let endpoint = Endpoint::start(&project, &[], &[]);
    prepare(&project, endpoint.url(), "");
    let run = succeed(&project, &endpoint, &arguments);
    // The first line names a query; databases go side by side.
    let printed = |outcome: &Outcome| {
        let mut lines: Vec<String> = outcome.stdout.lines().skip(1).map(str::to_owned).collect();
        let databases = lines.len() - 2;
        lines[databases..].sort_unstable();
        lines
    };
    assert_eq!(printed(&run), printed(&local), "{run}");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn a_bucket_that_is_not_there_is_named_with_what_to_do() {
    let project = Project::copy_of(&root().join("examples/02_athena_operators"));
    make_buckets(&project);
    std::fs::remove_dir(project.path().join(".suiro/warehouse/s3/shop-output")).unwrap();
    let endpoint = Endpoint::start(&project, &[], &[]);
    prepare(&project, endpoint.url(), "");
    let arguments = ["run", "athena_operators.dig", "--session", "2024-03-01"];
    let mut command = project.command(&arguments);
    on_aws(&endpoint, &mut command);
    let outcome = Outcome::of(&project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    let help = format!(
        "  = help: there is no bucket `shop-output`: make it (`aws s3 mb s3://shop-output --endpoint-url {}`), or change the \
         location to a bucket that is there\n",
        endpoint.url()
    );
    assert!(outcome.stderr.contains("error[T0201] +athena_operators+table+make"), "{outcome}");
    assert!(outcome.stderr.contains("  code: NoSuchBucket\n") && outcome.stderr.contains(&help), "{outcome}");
    // A place in a bucket that is there does as well.
    succeed(&project, &endpoint, &[&arguments[..], &["--rerun", "-p", "place=s3://warehouse/shop-output"]].concat());
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn every_case_of_athena_is_the_same_on_aws() {
    cases("athena", "");
}

#[test]
fn every_case_of_load_is_the_same_on_aws() {
    cases("load", "");
}

#[test]
fn every_case_of_athena_is_the_same_on_the_embedded_engine_over_s3() {
    cases("athena", "    engine: embedded\n");
}

/// Runs the cases of a family on the profile; all that is wrong is said at once.
fn cases(family: &str, more: &str) {
    let case = |folder: &Path| {
        let project = Project::copy_of(folder);
        make_buckets(&project);
        let endpoint = Endpoint::start(&project, &[], &[]);
        prepare(&project, endpoint.url(), more);
        let wrong = check_in(&project, folder, &|command| on_aws(&endpoint, command), false);
        assert_eq!(endpoint.stop(), Some(0));
        wrong
    };
    let wrong: Vec<String> =
        folders(&root().join("tests/cases").join(family)).iter().flat_map(|folder| case(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn without_credentials_one_error_says_what_to_do() {
    let project = Project::copy_of(&root().join("examples/01_daily_access"));
    prepare(&project, "http://127.0.0.1:1", "");
    for arguments in [&["run", "daily_access.dig"][..], &["query", "SELECT 1"], &["table", "list"]] {
        let mut command = project.command(arguments);
        alone(&mut command);
        let outcome = Outcome::of(&project, &command.env("SUIRO_PROFILE", "aws").output().unwrap());
        assert_eq!(outcome.exit, Some(2), "{arguments:?}\n{outcome}");
        assert!(outcome.stderr.contains("found no AWS credentials"), "{outcome}");
        assert!(outcome.stderr.contains("= help: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"), "{outcome}");
    }
}

#[test]
fn what_only_a_lake_in_a_folder_has_is_refused() {
    let project = Project::new();
    prepare(&project, "http://127.0.0.1:1", "");
    let outcome = project.suiro(&["emulate", "--profile", "aws", "--port", "0"]);
    assert_eq!(outcome.exit, Some(2));
    assert_eq!(
        outcome.stderr,
        "error[C0101]: the profile `aws` is on AWS: what is served is a lake in a folder\n  \
         = help: say `--profile` with one of `type: embedded`, or leave it out for `local`\n  \
         = more: suiro explain C0101\n"
    );
    project.write("suiro.yml", "profiles:\n  tmp: {type: aws}\n");
    let outcome = project.suiro(&["table", "list", "--profile", "tmp"]);
    assert_eq!(outcome.exit, Some(2));
    assert!(outcome.stderr.starts_with("error[C0105]: the profile `tmp` cannot have that name"), "{outcome}");
    assert!(!project.path().join(".suiro").try_exists().unwrap(), "nothing was made");
}
