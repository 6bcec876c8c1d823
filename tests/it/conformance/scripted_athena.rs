//! An Athena that gives answers written down beforehand: for statements that no engine of ours knows.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use lake::aws::{AthenaSettings, AwsEndpoints, AwsSettings, EngineKind};
use lake::query::Description;
use lake::{ErrorKind, Lake, LakeSettings};
use serde_json::{Value, json};

use super::publish::world;
use super::server::{Emulated, OnAws};

/// What a query gives: a result, or why it failed.
type Script = fn(&str) -> Result<Value, &'static str>;

/// A server that answers the calls of a query.
struct Scripted {
    url: String,
    /// The texts of the queries in their order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let texts = Arc::clone(&asked);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), script, &texts);
            }
        });
        Self { url, asked }
    }
}

fn answer(mut stream: TcpStream, script: Script, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if let Some(value) = line.strip_prefix("x-amz-target: amazonathena.") {
            value.clone_into(&mut operation);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = of_call(&operation, &body, script, asked).to_string();
    let length = answer.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n\
         {answer}"
    )
    .unwrap();
}

/// The id of a query is its number.
fn of_call(operation: &str, body: &Value, script: Script, asked: &Mutex<Vec<String>>) -> Value {
    let text_of = |id: &Value| asked.lock().unwrap()[id.as_str().unwrap().parse::<usize>().unwrap()].clone();
    match operation {
        "getworkgroup" => json!({"WorkGroup": {"Name": "primary", "Configuration": {"ResultConfiguration": {}}}}),
        "startqueryexecution" => {
            let text = body["QueryString"].as_str().unwrap();
            let mut asked = asked.lock().unwrap();
            asked.push(text.to_owned());
            json!({"QueryExecutionId": (asked.len() - 1).to_string()})
        }
        "batchgetqueryexecution" => {
            let execution = |id: &Value| {
                let text = text_of(id);
                let status = match script(&text) {
                    Ok(_) => json!({"State": "SUCCEEDED"}),
                    Err(reason) => json!({"State": "FAILED", "StateChangeReason": reason}),
                };
                json!({"QueryExecutionId": id, "Query": text, "StatementType": "DML", "Status": status})
            };
            let ids = body["QueryExecutionIds"].as_array().unwrap();
            json!({"QueryExecutions": ids.iter().map(execution).collect::<Vec<_>>()})
        }
        "getqueryresults" => json!({"ResultSet": script(&text_of(&body["QueryExecutionId"])).unwrap()}),
        other => panic!("nobody calls `{other}` here"),
    }
}

/// Makes a result: columns of names and types, then a row of their names as Athena puts it first, then the rows.
fn result(columns: &[(&str, &str)], rows: &[&[&str]]) -> Value {
    let cells =
        |cells: &[&str]| json!({"Data": cells.iter().map(|cell| json!({"VarCharValue": cell})).collect::<Vec<_>>()});
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let infos = columns.iter().map(|(name, data_type)| json!({"Name": name, "Type": data_type, "Precision": 17}));
    let rows = std::iter::once(cells(&names)).chain(rows.iter().map(|row| cells(row)));
    json!({
        "ResultSetMetadata": {"ColumnInfo": infos.collect::<Vec<_>>()},
        "Rows": rows.collect::<Vec<_>>(),
    })
}

/// Opens a lake whose Athena is the scripted one; its tables are those of the endpoint.
async fn lake_of(server: &Emulated, scripted: &Scripted) -> Lake {
    let state = server.folder().join("scripted");
    drop(world(server, &state).await);
    let settings = server.settings();
    let endpoints = AwsEndpoints { athena: Some(scripted.url.clone()), ..settings.endpoints };
    let athena = AthenaSettings { workgroup: Some("primary".to_owned()), ..settings.athena };
    let settings = AwsSettings { endpoints, athena, engine: EngineKind::Athena, ..settings };
    Lake::open(LakeSettings::aws(state, settings)).await.unwrap()
}

async fn described(lake: &Lake, sql: &str) -> lake::Result<Description> {
    lake.engine.describe(sql, Some("web")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn athena_is_asked_for_the_columns_of_a_statement_that_suiro_does_not_know() {
    let scripted = Scripted::start(|text| {
        Ok(if text.contains("typeof") {
            result(&[("_col0", "varchar"), ("_col1", "varchar")], &[&["double", "array(row(a bigint))"]])
        } else {
            result(&[("chance", "double"), ("items", "array")], &[])
        })
    });
    let sql = "SELECT rand() AS chance, ARRAY[ROW(n)] AS items\nFROM daily;";
    let server = Emulated::start();
    let described = described(&lake_of(&server, &scripted).await, sql).await.unwrap();
    let columns: Vec<String> =
        described.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
    assert_eq!(columns, ["chance double", "items array(row(a bigint))"]);
    assert_eq!(described.predicted_bytes, None);
    assert!(described.plan.starts_with("asked of Athena, because suiro does not know it: "), "{}", described.plan);
    // No more than two queries, which read nothing; the second one because the first answer says of a list only that it is one.
    let inner = "SELECT rand() AS chance, ARRAY[ROW(n)] AS items\nFROM daily";
    let asked = scripted.asked.lock().unwrap();
    assert_eq!(
        *asked,
        [
            format!("SELECT * FROM (\n{inner}\n) AS query LIMIT 0"),
            format!(
                "SELECT typeof(\"c0\"), typeof(\"c1\") FROM (VALUES 1) AS one (n) LEFT JOIN (SELECT * FROM (\n{inner}\n) AS query \
                 LIMIT 0) AS query (\"c0\", \"c1\") ON true"
            ),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_athena_finds_wrong_with_it_stands_at_its_place() {
    let scripted = Scripted::start(|_text| {
        Err("COLUMN_NOT_FOUND: line 3:3: Column 'nothing' cannot be resolved or requester is not authorized")
    });
    let server = Emulated::start();
    let lake = lake_of(&server, &scripted).await;
    let error = described(&lake, "SELECT rand(),\n  nothing\nFROM daily").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidSql, "{error}");
    assert_eq!(error.position, Some((2, 3)), "the line before the statement is suiro's: {error}");
    assert_eq!(scripted.asked.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn athena_is_not_asked_for_what_suiro_knows() {
    let scripted = Scripted::start(|text| panic!("nobody asks for this: {text}"));
    let server = Emulated::start();
    let lake = lake_of(&server, &scripted).await;
    let known = described(&lake, "SELECT n FROM daily").await.unwrap();
    assert_eq!(known.predicted_bytes, Some(0));
    let wrong = described(&lake, "SELECT nothing FROM daily").await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::InvalidSql, "{wrong}");
    assert!(scripted.asked.lock().unwrap().is_empty());
}
