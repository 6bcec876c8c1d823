//! The same workflows on a profile of Trino: with the results that they have on the embedded lake.

use std::process::Command;

use super::{Connected, Trino};
use crate::endpoint::Endpoint;
use crate::profiles::same::{self, Profile};
use crate::support::Project;

/// Writes the profile `trino` into the settings.
pub(crate) fn prepare(project: &Project, endpoint: &str, lake: &Connected) {
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
pub(crate) fn on_trino(endpoint: &Endpoint<'_>, command: &mut Command) {
    endpoint.name_to(command);
    command.env_remove("AWS_ENDPOINT_URL").env("SUIRO_PROFILE", "trino");
}

#[test]
fn daily_access_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::daily_access(Profile::Trino(&trino), |_run| {});
}

#[test]
fn athena_operators_do_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::athena_operators(Profile::Trino(&trino));
}

#[test]
fn metric_tiers_are_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::metric_tiers(Profile::Trino(&trino));
}

#[test]
fn more_than_a_hundred_partitions_are_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::many_partitions(Profile::Trino(&trino));
}

#[test]
fn plans_are_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::plans(Profile::Trino(&trino));
}

#[test]
fn every_case_of_athena_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::cases(Profile::Trino(&trino), "athena");
}

#[test]
fn every_case_of_load_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::cases(Profile::Trino(&trino), "load");
}

#[test]
fn every_case_of_metrics_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::cases(Profile::Trino(&trino), "metrics");
}

#[test]
fn every_case_of_bad_input_is_the_same_on_trino() {
    let Some(trino) = Trino::find() else { return };
    same::cases(Profile::Trino(&trino), "bad_input");
}
