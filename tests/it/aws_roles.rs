//! Roles on AWS: the profile's chain, and a role of a task at its end. moto's server gives out the keys of a role, and shows
//! each account its own catalog; without it the test says that it is skipped.

use lake::aws::{AssumedRole, AwsClients, AwsSettings};
use lake::catalog::{AwsCatalog, Catalog as _, Column, Database, Expect, Table, TableFormat};
use lake::clock::SystemClock;
use lake::crash::CrashPoints;
use lake::name::{Location, TableName};
use std::sync::Arc;

use crate::conformance::server::{Moto, OnAws};
use crate::endpoint::alone;
use crate::support::{Outcome, Project};

const BASE: &str = "arn:aws:iam::111111111111:role/base";
const TASK: &str = "arn:aws:iam::222222222222:role/etl";

/// The same partition, as the profile acts and as a task does that has a role of its own.
const WORKFLOW: &str = r"
timezone: UTC
+own:
  athena.add_partition>:
  database: web
  table: daily
  partition_kv: {k: own}
  location: s3://bucket-b/own/
  follow_location: false
+other:
  _export:
    athena: {role_arn: 'arn:aws:iam::222222222222:role/etl', external_id: partner, role_session_name: nightly}
  +add:
    athena.add_partition>:
    database: web
    table: daily
    partition_kv: {k: other}
    location: s3://bucket-b/other/
    follow_location: false
  +look:
    athena.partition_exists?>:
    database: web
    table: daily
    partition_kv: {k: other}
    error_if_not_exist: true
";

fn daily() -> TableName {
    TableName::new("web", "daily").unwrap()
}

/// The catalog as somebody sees it who has assumed these roles.
async fn catalog(server: &Moto, roles: &[&str]) -> AwsCatalog {
    let roles = roles.iter().map(|arn| AssumedRole { arn: (*arn).to_owned(), ..AssumedRole::default() }).collect();
    let settings = AwsSettings { roles, ..server.settings() };
    let clients = AwsClients::open(&settings, Arc::new(SystemClock)).await.unwrap();
    AwsCatalog::new(&clients, Arc::new(SystemClock), CrashPoints::default())
}

async fn partitions(catalog: &AwsCatalog) -> Vec<String> {
    let partitions = catalog.partitions(&daily()).await.unwrap();
    partitions.into_iter().map(|partition| partition.values.join("/")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_acts_in_a_role_of_its_own() {
    let Some(server) = Moto::start() else { return };
    server.make_buckets();
    let (own, other) = (catalog(&server, &[BASE]).await, catalog(&server, &[BASE, TASK]).await);
    for catalog in [&own, &other] {
        catalog.create_database(&Database::new("web")).await.unwrap();
        let place = Location::parse("s3://bucket-b/web/daily/").unwrap();
        let (columns, keys) = (vec![Column::new("n", "bigint")], vec![Column::new("k", "string")]);
        let table = Table::new(daily(), columns, keys, place, TableFormat::Parquet);
        catalog.put_table(&table, Expect::Absent).await.unwrap();
    }
    let project = Project::new();
    project.write("main.dig", WORKFLOW);
    let address = server.address();
    project.write(
        "suiro.yml",
        format!(
            "profiles:\n  aws:\n    type: aws\n    region: us-east-1\n    endpoint: http://{address}\n    path_style: true\n    \
             warehouse: s3://bucket-b/warehouse/\n    role_arn: {BASE}\n"
        ),
    );
    let run = |workflow: &str| {
        let mut command = project.command(&["run", workflow, "--session", "2024-01-02"]);
        alone(&mut command);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("SUIRO_PROFILE", "aws");
        Outcome::of(&project, &command.output().unwrap())
    };
    let outcome = run("main.dig");
    assert_eq!(outcome.exit, Some(0), "{outcome}");
    assert_eq!(partitions(&own).await, ["own"]);
    assert_eq!(partitions(&other).await, ["other"]);

    let wrong = WORKFLOW.replace(TASK, "etl");
    project.write("wrong.dig", wrong);
    let outcome = run("wrong.dig");
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    let expected = "expected a role such as `arn:aws:iam::123456789012:role/etl`, found `etl`";
    assert!(outcome.stderr.contains(expected), "{outcome}");
}
