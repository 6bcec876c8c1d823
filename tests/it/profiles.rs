//! The same workflows on a profile of AWS, against `suiro emulate`: with the results that they have on the embedded lake.
//!
//! The endpoint serves the embedded lake of the same project, so what a step looks for in its folder is there.

pub(crate) mod same;

use std::collections::BTreeSet;
use std::process::Command;

use regex::Regex;
use serde_json::json;

use self::same::Profile;
use crate::endpoint::{Endpoint, alone};
use crate::endpoint_crash::call_json;
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

#[test]
fn daily_access_is_the_same_on_aws() {
    same::daily_access(Profile::Aws(""), |run| {
        // Two queries for each day, the one that writes and its check, each of 10 MB at $5 a TB.
        assert_eq!(run.stderr.matches("$0.000096").count(), 3, "{run}");
        assert!(run.stderr.contains("Look at it: suiro query --profile aws \"SELECT * FROM web."), "{run}");
    });
}

#[test]
fn athena_operators_do_the_same_on_aws() {
    same::athena_operators(Profile::Aws(""));
}

#[test]
fn metric_tiers_are_the_same_on_aws() {
    same::metric_tiers(Profile::Aws(""));
}

#[test]
fn more_than_a_hundred_partitions_are_the_same_on_aws() {
    same::many_partitions(Profile::Aws(""));
}

#[test]
fn plans_are_the_same_on_aws() {
    same::plans(Profile::Aws(""));
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
    let elsewhere = [&arguments[..], &["--rerun", "-p", "place=s3://warehouse/shop-output"]].concat();
    let mut command = project.command(&elsewhere);
    on_aws(&endpoint, &mut command);
    let outcome = Outcome::of(&project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn a_query_tells_the_workgroup_that_it_ran_in_wherever_that_was_named() {
    let project = Project::new();
    make_buckets(&project);
    let query = |name: &str, more: &str| {
        format!(
            "+{name}:\n  athena.query>: SELECT 1 AS n\n  database: default\n{more}\
             +{name}_told:\n  sh>: echo {name} ${{athena.last_query.workgroup}} >> told.txt\n"
        )
    };
    project.write("main.dig", query("profile", "") + &query("task", "  workgroup: primary\n"));
    let endpoint = Endpoint::start(&project, &[], &[]);
    let group = json!({ "Name": "team", "Configuration": { "EnforceWorkGroupConfiguration": false } });
    call_json(endpoint.url(), "AmazonAthena.CreateWorkGroup", &group).unwrap();
    prepare(&project, endpoint.url(), "    workgroup: team\n");
    let mut command = project.command(&["run", "main.dig"]);
    on_aws(&endpoint, &mut command);
    let outcome = Outcome::of(&project, &command.output().unwrap());
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    let told = std::fs::read_to_string(project.path().join("told.txt")).unwrap();
    assert_eq!(told, "profile team\ntask primary\n");
    assert_eq!(endpoint.stop(), Some(0));
}

#[test]
fn every_case_of_athena_is_the_same_on_aws() {
    same::cases(Profile::Aws(""), "athena");
}

#[test]
fn every_case_of_load_is_the_same_on_aws() {
    same::cases(Profile::Aws(""), "load");
}

#[test]
fn every_case_of_metrics_is_the_same_on_aws() {
    same::cases(Profile::Aws(""), "metrics");
}

#[test]
fn every_case_of_bad_input_is_the_same_on_aws() {
    same::cases(Profile::Aws(""), "bad_input");
}

#[test]
fn every_case_of_athena_is_the_same_on_the_embedded_engine_over_s3() {
    same::cases(Profile::Aws("    engine: embedded\n"), "athena");
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
