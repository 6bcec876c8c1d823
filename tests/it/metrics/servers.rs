//! Real servers of points, each on a free port of this machine: Redis, `DynamoDB` Local, and moto for Kinesis.
//!
//! `./test` installs them; without one, what needs it says that it is skipped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lake::aws::{AwsKeys, AwsSettings, Call, JsonApi, JsonService};
use lake::clock::SystemClock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::endpoint::alone;

/// The keys of somebody whom the servers know.
pub(super) const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "of-the-test"), ("AWS_REGION", "eu-west-1")];

/// A Redis that keeps all that it has answered.
pub(super) struct Redis {
    /// Where it listens.
    pub(super) port: u16,
    /// How its client lets itself in.
    password: Option<String>,
    _folder: TempDir,
    process: Child,
}

impl Redis {
    /// Starts one with a password and more options; none when there is none on this machine.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    pub(super) fn start(password: Option<&str>, options: &[&str]) -> Option<Self> {
        let program = std::env::var_os("SUIRO_TEST_REDIS").unwrap_or_else(|| "redis-server".into());
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(&program);
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--daemonize", "no", "--loglevel", "warning", "--dir"])
            .arg(folder.path())
            .args(options);
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = match spawned {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("skipped: there is no {} (`./test` installs one)", program.display());
                return None;
            }
            Err(error) => panic!("cannot start {}: {error}", program.display()),
        };
        Some(Self { port, password: password.map(str::to_owned), _folder: folder, process })
    }

    /// Asks it as another program does, and returns what it answers to one word a line.
    pub(super) fn ask(&self, words: &[&str]) -> String {
        // Debian has the client in a package of its own, which the server's needs.
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = &self.password {
            command.env("REDISCLI_AUTH", password);
        }
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _code = self.process.wait();
    }
}

/// Somebody who calls a service of AWS that speaks JSON.
pub(super) struct Service {
    runtime: Runtime,
    api: JsonApi,
}

impl Service {
    fn new(service: JsonService, url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let [(_, id), (_, secret), (_, region)] = KEYS;
        let keys = Some(AwsKeys { id: id.to_owned(), secret: secret.to_owned() });
        let settings = AwsSettings { region: Some(region.to_owned()), keys, ..AwsSettings::default() };
        let url = url.to_owned();
        let opening = JsonApi::open(service, &settings, Some(&url), Arc::new(SystemClock));
        let api = runtime.block_on(opening).unwrap();
        Self { runtime, api }
    }

    /// Makes a call, which must be answered well.
    pub(super) fn ask(&self, name: &str, request: &Value) -> Value {
        const TEST: Call = Call { operation: "test", action: "test:Test" };
        self.runtime.block_on(self.api.call(TEST, name, request)).unwrap()
    }
}

/// A table of `DynamoDB` Local, of one test alone.
pub(super) struct DynamoTable {
    /// The server.
    pub(super) url: String,
    /// The table.
    pub(super) name: String,
    service: Service,
}

impl DynamoTable {
    /// Makes one; none when nobody has started the server.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    pub(super) fn make() -> Option<Self> {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let Some(url) = std::env::var_os("SUIRO_TEST_DYNAMODB").and_then(|url| url.into_string().ok()) else {
            println!("skipped: no SUIRO_TEST_DYNAMODB (`./test` sets it)");
            return None;
        };
        let name = format!("tier-{}-{}", std::process::id(), TABLES.fetch_add(1, Ordering::SeqCst));
        let service = Service::new(JsonService::DYNAMODB, &url);
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        service.ask(
            "CreateTable",
            &json!({
                "TableName": name,
                "KeySchema": [key("series", "HASH"), key("epoch", "RANGE")],
                "AttributeDefinitions": [text("series"), text("epoch")],
                "BillingMode": "PAY_PER_REQUEST",
            }),
        );
        Some(Self { url, name, service })
    }

    /// Returns all items.
    pub(super) fn items(&self) -> Vec<Value> {
        let (mut items, mut from) = (Vec::new(), Value::Null);
        loop {
            let mut request = json!({"TableName": self.name, "ConsistentRead": true});
            if !from.is_null() {
                request["ExclusiveStartKey"] = from;
            }
            let page = self.service.ask("Scan", &request);
            let is_claim = |item: &&Value| item["series"]["S"] == "sha256:tiers";
            items.extend(page["Items"].as_array().unwrap().iter().filter(|item| !is_claim(item)).cloned());
            from = page["LastEvaluatedKey"].clone();
            if from.is_null() {
                return items;
            }
        }
    }

    /// Takes one of the points out of an item, as somebody does by hand.
    pub(super) fn delete_point(&self, item: &Value, point: &Value) {
        self.service.ask(
            "UpdateItem",
            &json!({
                "TableName": self.name,
                "Key": {"series": item["series"], "epoch": item["epoch"]},
                "UpdateExpression": "DELETE #points :gone",
                "ExpressionAttributeNames": {"#points": "points"},
                "ExpressionAttributeValues": {":gone": {"BS": [point]}},
            }),
        );
    }
}

/// A stream of Kinesis at moto's server.
pub(super) struct Stream {
    service: Service,
}

impl Stream {
    /// Makes the stream `points` with so many shards.
    pub(super) fn make(url: &str, shards: usize) -> Self {
        let stream = Self { service: Service::new(JsonService::KINESIS, url) };
        stream.create(shards);
        stream
    }

    fn create(&self, shards: usize) {
        self.service.ask("CreateStream", &json!({"StreamName": "points", "ShardCount": shards}));
    }

    /// Puts records, each with the key that chooses its shard.
    pub(super) fn put(&self, records: &[(String, Value)]) {
        for records in records.chunks(500) {
            let records: Vec<Value> = records
                .iter()
                .map(|(key, record)| {
                    let data = STANDARD.encode(record.to_string());
                    json!({"PartitionKey": key, "Data": data})
                })
                .collect();
            let answer = self.service.ask("PutRecords", &json!({"StreamName": "points", "Records": records}));
            assert_eq!(answer["FailedRecordCount"], 0, "{answer}");
        }
    }

    /// Loses all records: the stream is another one of the same name, with nothing in it.
    pub(super) fn lose_all(&self, shards: usize) {
        self.service.ask("DeleteStream", &json!({"StreamName": "points"}));
        self.create(shards);
    }
}

/// Lets a command call the servers of the test and nobody else.
pub(super) fn with_keys(command: &mut Command) -> &mut Command {
    alone(command);
    command.envs(KEYS)
}
