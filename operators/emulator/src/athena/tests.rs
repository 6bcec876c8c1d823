use std::path::Path;

use lake::LakeSettings;
use lake::catalog::SqliteCatalog;
use serde_json::json;

use super::*;
use crate::s3::S3;
use lake::name::Location;

mod describe;
mod history;
mod select;
mod statements;
mod view;
mod writing;

/// An endpoint over a lake in a folder of its own.
struct Fixture {
    athena: Athena,
    folder: tempfile::TempDir,
}

async fn open(folder: &Path, quotas: Quotas) -> Athena {
    let state = folder.join(".suiro");
    let settings = LakeSettings {
        parallelism: Some(2),
        bucket_names: Some(crate::bucket_names(&state)),
        ..LakeSettings::new(state, folder.join("warehouse"))
    };
    let faults = Arc::new(Faults::new(crate::FaultPlan::default()));
    let lake = Lake::open(settings).await.unwrap();
    let buckets = S3::open(lake.clone(), "us-east-1".to_owned()).await.unwrap().buckets();
    for bucket in ["s3://results/", "s3://team/", "s3://b/"] {
        buckets.create(&Location::parse(bucket).unwrap()).await.unwrap();
    }
    let clock = Arc::clone(&lake.settings.clock);
    let glue = Arc::new(SqliteCatalog::open_in(&lake.settings.state_dir, clock).await.unwrap());
    Athena::open(lake, glue, buckets, "us-east-1".to_owned(), quotas, faults).await.unwrap()
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    Fixture { athena: open(folder.path(), Quotas::default()).await, folder }
}

/// A query that does not end by itself, and has no rows until then.
fn endless() -> String {
    let digits = "(VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)";
    let tables: Vec<String> = (0..15).map(|table| format!("{digits} t{table} (x)")).collect();
    let sum: Vec<String> = (0..15).map(|table| format!("CAST(t{table}.x AS bigint) * {}", 10_u64.pow(table))).collect();
    format!(
        "SELECT count(*) FROM (SELECT {} AS n FROM {}) AS t WHERE n % 7 = -1",
        sum.join(" + "),
        tables.join(" CROSS JOIN ")
    )
}

/// What a query gave: its rows as `a|b`, NULL as `NULL`, and the answers of the API.
struct Ran {
    rows: Vec<String>,
    execution: Value,
    results: Value,
}

impl Fixture {
    async fn call(&self, operation: &str, body: Value) -> Value {
        self.athena.call(operation, body).await.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// Returns the code and the message of a call that is refused.
    async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let error = self.athena.call(operation, body).await.unwrap_err();
        (error.code.to_string(), error.message)
    }

    async fn start(&self, sql: &str) -> String {
        let started = self
            .call(
                "StartQueryExecution",
                json!({
                    "QueryString": sql,
                    "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
                    "QueryExecutionContext": { "Database": "web" },
                    "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
                }),
            )
            .await;
        started["QueryExecutionId"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of a query.
    async fn ended(&self, id: &str) -> Value {
        loop {
            let got = self.call("GetQueryExecution", json!({ "QueryExecutionId": id })).await;
            let execution = got["QueryExecution"].clone();
            if !matches!(execution["Status"]["State"].as_str(), Some("QUEUED" | "RUNNING")) {
                return execution;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn run(&self, sql: &str) -> Ran {
        let id = self.start(sql).await;
        let execution = self.ended(&id).await;
        assert_eq!(execution["Status"]["State"], "SUCCEEDED", "{sql}: {}", execution["Status"]);
        let results = self.call("GetQueryResults", json!({ "QueryExecutionId": id })).await;
        let rows = results["ResultSet"]["Rows"].as_array().unwrap().iter().map(shown).collect();
        Ran { rows, execution, results }
    }

    /// Runs a query and returns its rows without the header.
    async fn rows(&self, sql: &str) -> Vec<String> {
        let mut rows = self.run(sql).await.rows;
        rows.remove(0);
        rows
    }

    /// Runs a query that fails, and returns why.
    async fn fails(&self, sql: &str) -> String {
        let id = self.start(sql).await;
        let execution = self.ended(&id).await;
        assert_eq!(execution["Status"]["State"], "FAILED", "{sql}");
        execution["Status"]["StateChangeReason"].as_str().unwrap().to_owned()
    }

    async fn object(&self, location: &str) -> String {
        let bytes = self.athena.inner.lake.storage.read(&Location::parse(location).unwrap()).await.unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn put(&self, location: &str, text: &str) {
        let location = Location::parse(location).unwrap();
        let put = lake::storage::Put::Replace;
        self.athena
            .inner
            .lake
            .storage
            .put(&location, bytes::Bytes::copy_from_slice(text.as_bytes()), put)
            .await
            .unwrap();
    }

    async fn objects(&self, prefix: &str) -> Vec<String> {
        let objects = self.athena.inner.lake.storage.list(&Location::parse(prefix).unwrap()).await.unwrap();
        objects.iter().map(|object| object.location.to_string()).collect()
    }
}

fn shown(row: &Value) -> String {
    let cells: Vec<&str> = row["Data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| cell.get("VarCharValue").map_or("NULL", |text| text.as_str().unwrap()))
        .collect();
    cells.join("|")
}

/// Returns the names and types of a result.
fn columns(results: &Value) -> Vec<String> {
    let columns = results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"].as_array().unwrap();
    columns
        .iter()
        .map(|column| {
            format!(
                "{} {} {} {}",
                column["Name"].as_str().unwrap(),
                column["Type"].as_str().unwrap(),
                column["Precision"],
                column["Scale"]
            )
        })
        .collect()
}
