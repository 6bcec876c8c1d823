//! Many writers and many queries at once: what several engines publish to one table is all there in the end, what an outsider
//! writes between is met and not written over unseen, and quotas of the account show as nothing but time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt as _, TryStreamExt as _};
use indexmap::IndexMap;
use lake::aws::{AthenaSettings, AwsClients, AwsSettings, CallRate, CallRates};
use lake::clock::SystemClock;
use lake::crash::CrashPoints;
use lake::name::TableName;
use lake::publish::{OnMissingColumn, OnSchemaChange, PublishOptions, PublishRequest, PublishState, Step, Target};
use lake::query::Query;
use lake::{Lake, LakeSettings};
use serde_json::{Value, json};

use crate::conformance::publish::{go_on, open, partition, publish, rows, world};
use crate::conformance::server::{Emulated, OnAws};
use crate::endpoint_crash::call_json;
use crate::support::Project;

/// How often each of the two engines publishes to the partition that both write, and to its own.
const EACH: usize = 30;

/// How often the outsider writes its partition.
const OUTSIDE: usize = 50;

/// How often the outsider changes the table that the engines publish to, at least: with the engines' four times `EACH` and
/// `OUTSIDE`, 200 commits.
const OF_TABLE: usize = 30;

/// Every so many turns an engine adds a column to the table.
const COLUMN_EVERY: usize = 5;

/// A publish that adds one to what is in a partition.
fn one_more(value: &str, attempt: &str) -> PublishRequest {
    PublishRequest {
        target: Target::Partition {
            table: TableName::new("web", "daily").unwrap(),
            values: IndexMap::from([("dt".to_owned(), value.to_owned())]),
        },
        attempt: attempt.to_owned(),
        token: format!("+{value}"),
        // Of the columns that another one added.
        options: PublishOptions { on_missing_column: OnMissingColumn::NullFill, ..PublishOptions::default() },
        ..partition(&format!("SELECT coalesce(max(n), 0) + 1 AS n FROM web.daily WHERE dt = '{value}'"))
    }
}

/// A publish that also adds a column to the table.
fn with_column(request: &PublishRequest, name: &str) -> PublishRequest {
    let options = PublishOptions { on_schema_change: OnSchemaChange::Append, ..request.options.clone() };
    PublishRequest { sql: format!("SELECT n, 1 AS {name} FROM ({}) AS t", request.sql), options, ..request.clone() }
}

fn glue(server: &Emulated, operation: &str, body: &Value) -> Value {
    glue_at(server.address(), operation, body)
}

fn glue_at(address: &str, operation: &str, body: &Value) -> Value {
    call_json(&format!("http://{address}"), &format!("AWSGlue.{operation}"), body).unwrap()
}

/// Adds one to a property of the table as another program does: to what it has read, guarded by Glue's own version.
fn count_in_table(address: &str) {
    loop {
        let read = glue_at(address, "GetTable", &json!({ "DatabaseName": "web", "Name": "daily" }));
        let table = &read["Table"];
        let mut input = json!({});
        for key in ["Name", "TableType", "StorageDescriptor", "PartitionKeys", "Parameters"] {
            input[key] = table[key].clone();
        }
        let count = table["Parameters"]["outside"].as_str().map_or(0, |count| count.parse::<usize>().unwrap());
        input["Parameters"]["outside"] = json!((count + 1).to_string());
        let body = json!({ "DatabaseName": "web", "TableInput": input, "VersionId": table["VersionId"] });
        let answer = glue_at(address, "UpdateTable", &body);
        match answer.get("__type").and_then(Value::as_str) {
            None => return,
            Some(refused) => assert_eq!(refused, "ConcurrentModificationException", "{answer}"),
        }
    }
}

/// Lets the outsider change the table at the moments where an engine has read it and is about to write.
fn meets(address: &str, commits: &Arc<AtomicUsize>) -> CrashPoints {
    let (address, commits) = (address.to_owned(), Arc::clone(commits));
    let (columns, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    CrashPoints::new(Arc::new(move |point| {
        let is_met = match point {
            // Each write that it makes stale is tried again, and goes through.
            "before publish: add columns" => columns.fetch_add(1, Ordering::SeqCst) % 2 == 0,
            "before publish: the catalog call" => calls.fetch_add(1, Ordering::SeqCst) % 3 == 0,
            _ => false,
        };
        if is_met {
            count_in_table(&address);
            commits.fetch_add(1, Ordering::SeqCst);
        }
        true
    }))
}

/// Reads a partition as Glue has it.
fn partition_of(server: &Emulated, value: &str) -> Value {
    let body = json!({ "DatabaseName": "web", "TableName": "daily", "PartitionValues": [value] });
    glue(server, "GetPartition", &body)["Partition"].take()
}

/// Writes a partition by the raw call, which compares nothing.
fn write_outside(server: &Emulated, value: &str, found: &Value, is_new: bool) {
    let input = json!({
        "Values": [value],
        "StorageDescriptor": found["StorageDescriptor"],
        "Parameters": found["Parameters"],
    });
    let mut body = json!({ "DatabaseName": "web", "TableName": "daily", "PartitionInput": input });
    let operation = if is_new { "CreatePartition" } else { "UpdatePartition" };
    if !is_new {
        body["PartitionValueList"] = json!([value]);
    }
    let answer = glue(server, operation, &body);
    assert_eq!(answer.get("__type"), None, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_engines_and_an_outsider_lose_no_update() {
    let server = Emulated::start();
    let state = tempfile::tempdir().unwrap();
    let first = world(&server, state.path()).await;
    publish(&first, &one_more("shared", "0")).await;
    let commits = Arc::new(AtomicUsize::new(0));
    let engine = async |name: &str| {
        let lake = open(&server, &state.path().join(name), meets(server.address(), &commits)).await;
        for turn in 0..EACH {
            publish(&lake, &one_more("shared", &format!("{name}/{turn}"))).await;
            let mut own = one_more(name, &format!("{name}/{turn}"));
            if turn % COLUMN_EVERY == 0 {
                own = with_column(&own, &format!("{name}_{turn}"));
            }
            publish(&lake, &own).await;
        }
    };
    let outsider = async {
        let found = partition_of(&server, "shared");
        for turn in 0..OUTSIDE {
            let mut mine = found.clone();
            mine["Parameters"] = json!({ "turn": turn.to_string() });
            write_outside(&server, "outside", &mine, turn == 0);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(engine("one"), engine("two"), outsider);
    let all = rows(&first, "SELECT dt, max(n) FROM web.daily WHERE dt <> 'outside' GROUP BY dt").await;
    assert_eq!(all, [format!("one|{EACH}"), format!("shared|{}", 2 * EACH + 1), format!("two|{EACH}")]);
    assert_eq!(partition_of(&server, "outside")["Parameters"]["turn"], (OUTSIDE - 1).to_string());
    let table = glue(&server, "GetTable", &json!({ "DatabaseName": "web", "Name": "daily" }))["Table"].take();
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits >= OF_TABLE, "{commits}");
    assert_eq!(table["Parameters"]["outside"], commits.to_string(), "what the outsider wrote is all there");
    let columns = table["StorageDescriptor"]["Columns"].as_array().unwrap();
    let columns: BTreeSet<&str> = columns.iter().map(|column| column["Name"].as_str().unwrap()).collect();
    let mut expected = BTreeSet::from(["n".to_owned()]);
    for turn in (0..EACH).step_by(COLUMN_EVERY) {
        expected.extend(["one", "two"].map(|name| format!("{name}_{turn}")));
    }
    assert_eq!(columns, expected.iter().map(String::as_str).collect(), "and so are the columns of both engines");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outsider_writes_between_plan_and_publish_is_met() {
    let server = Emulated::start();
    let state = tempfile::tempdir().unwrap();
    let lake = world(&server, state.path()).await;
    publish(&lake, &one_more("shared", "0")).await;
    for turn in 0..6 {
        publish(&lake, &one_more("other", &turn.to_string())).await;
    }
    // The new version was computed of what was there, and is checked; then somebody points the partition elsewhere.
    let request = one_more("shared", "1");
    let mut kept: Option<PublishState> = None;
    while !matches!(kept, Some(PublishState::Validated(_))) {
        let step = match &kept {
            None => lake.plan_publish(&request).await.unwrap(),
            Some(state) => lake.publish_step(&request, state).await.unwrap(),
        };
        match step {
            Step::Next(state) => kept = Some(state),
            Step::Wait(_) => tokio::task::yield_now().await,
            Step::Done(outcome) => panic!("{outcome:?}"),
        }
    }
    let mut elsewhere = partition_of(&server, "other");
    elsewhere["Parameters"] = json!({});
    write_outside(&server, "shared", &elsewhere, false);
    go_on(&lake, &request, &mut kept).await.unwrap();
    let shown = rows(&lake, "SELECT n FROM web.daily WHERE dt = 'shared'").await;
    assert_eq!(shown, ["7"], "one more than what the outsider put there");
}

/// How many queries are run.
const QUERIES: usize = 2000;

/// How many are active at once at most: fewer than the client itself would have.
const QUOTA: &str = "10";

/// How often calls are taken: less often than the client makes them.
const CALL_QUOTAS: [&str; 3] =
    ["athena.StartQueryExecution=100/20", "athena.BatchGetQueryExecution=20/5", "athena.GetQueryResults=100/20"];

#[tokio::test(flavor = "multi_thread")]
async fn quotas_show_as_nothing_but_time() {
    let project = Project::new();
    let rules = "seed: 7\nrules:\n\
         \x20 - {operation: StartQueryExecution, probability: 0.05, effect: throttle}\n\
         \x20 - {operation: BatchGetQueryExecution, probability: 0.05, effect: throttle}\n\
         \x20 - {operation: GetQueryResults, probability: 0.05, effect: throttle}\n";
    project.write("fault.yml", rules);
    let quotas = CALL_QUOTAS.iter().flat_map(|quota| ["--call-quota", quota]);
    let arguments: Vec<&str> = ["--fault", "fault.yml", "--max-queries", QUOTA].into_iter().chain(quotas).collect();
    let server = Emulated::of(project, &arguments);
    server.make_buckets();
    let state = tempfile::tempdir().unwrap();
    // Calls as often as this machine answers them: the documented rates alone would take 100 seconds.
    let often = CallRate { per_second: 2000, burst: 2000 };
    let rates = CallRates { start: often, get: often, batch_get: often, other: often };
    let settings = server.settings();
    let athena = AthenaSettings { rates, dml_queries: 12, ..settings.athena.clone() };
    let settings = AwsSettings { athena, ..settings };
    let lake = Lake::open(LakeSettings::aws(state.path(), settings.clone())).await.unwrap();
    let answers: BTreeMap<usize, String> = futures::stream::iter(0..QUERIES)
        .map(|number| {
            let lake = &lake;
            async move { (number, answer(lake, number).await) }
        })
        .buffer_unordered(40)
        .collect()
        .await;
    let expected: BTreeMap<usize, String> = (0..QUERIES).map(|number| (number, number.to_string())).collect();
    assert_eq!(answers, expected);

    let clients = AwsClients::open(&settings, Arc::new(SystemClock)).await.unwrap();
    let mut pages = clients.athena.list_query_executions().into_paginator().send();
    let mut started = 0;
    while let Some(page) = pages.next().await {
        started += page.unwrap().query_execution_ids.unwrap_or_default().len();
    }
    assert_eq!(started, QUERIES, "each of them once");
}

/// Runs a small query to its end, and returns its only cell.
async fn answer(lake: &Lake, number: usize) -> String {
    let id =
        lake.engine.start(&Query::new(format!("SELECT {number} AS n"), None, format!("query {number}"))).await.unwrap();
    let (_columns, batches) = lake.engine.fetch(&id).await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    let cell = arrow::util::display::array_value_to_string(batches[0].column(0).as_ref(), 0).unwrap();
    lake.engine.release(&id).await;
    cell
}
