//! The profile of AWS against `suiro emulate` on this machine: what an `apas>` asks for, what it costs beside its query, how
//! fast partitions are added, and the memory of a long stream to S3. The endpoint's own work is part of every time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use lake::aws::{AwsClients, AwsEndpoints, AwsKeys, AwsSettings};
use lake::clock::SystemClock;
use lake::name::Location;
use lake::storage::Storage;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::figure::{Figure, kibibytes, median, megabytes, milliseconds};
use crate::process::memory_kib;
use crate::worker::{self, Numbers};
use crate::{Result, SUIRO, Scale};

/// Where a worker finds the address of the endpoint.
const ADDRESS: &str = "endpoint";

/// How many tasks a workflow has whose time is shared among them.
const TASKS: u32 = 20;

/// `suiro emulate` over the lake of a folder, which is a project on the profile of AWS.
struct Endpoint {
    child: Child,
    project: PathBuf,
}

impl Endpoint {
    fn start(project: &Path) -> Result<Self> {
        for bucket in ["warehouse", "results"] {
            fs::create_dir_all(project.join(".suiro/warehouse/s3").join(bucket))?;
        }
        let mut child = Command::new(SUIRO)
            .current_dir(project)
            .args(["emulate", "--port", "0", "--json"])
            .env("SUIRO_LOG", "call=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(project.join("calls"))?)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let listening: Value = serde_json::from_str(&line)?;
        let url = listening.get("url").and_then(Value::as_str).ok_or("the endpoint does not say where it is")?;
        fs::write(project.join(ADDRESS), url)?;
        fs::write(
            project.join("suiro.yml"),
            format!(
                "profiles:\n  aws:\n    type: aws\n    region: us-east-1\n    endpoint: {url}\n    path_style: true\n    \
                 warehouse: s3://warehouse/\n    output_location: s3://results/\n"
            ),
        )?;
        Ok(Self { child, project: project.to_owned() })
    }

    /// Runs a workflow on the profile, and returns the seconds it took.
    fn run(&self, workflow: &str, session: &str) -> Result<f64> {
        let started = Instant::now();
        let output = Command::new(SUIRO)
            .current_dir(&self.project)
            .args(["run", workflow, "--profile", "aws", "--session", session])
            .envs([("AWS_ACCESS_KEY_ID", "suiro"), ("AWS_SECRET_ACCESS_KEY", "suiro")])
            .stdin(Stdio::null())
            .output()?;
        let took = started.elapsed().as_secs_f64();
        if output.status.success() {
            Ok(took)
        } else {
            Err(format!("`suiro run {workflow}` failed: {}", String::from_utf8_lossy(&output.stderr)).into())
        }
    }

    /// Counts the calls that came so far, by service and operation.
    fn calls(&self) -> Result<BTreeMap<String, usize>> {
        let mut calls = BTreeMap::new();
        for line in fs::read_to_string(self.project.join("calls"))?.lines() {
            let field = |name: &str| {
                let (_, rest) = line.split_once(&format!("{name}=\""))?;
                Some(rest.split_once('"')?.0)
            };
            if let (Some(service), Some(operation)) = (field("service"), field("operation")) {
                *calls.entry(format!("{service}:{operation}")).or_default() += 1;
            }
        }
        Ok(calls)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended by itself, with an error that a call has met.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Measures all of it.
pub(crate) fn measure(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let endpoint = Endpoint::start(folder)?;
    let mut figures = requests(&endpoint)?;
    figures.push(overhead(&endpoint, scale)?);
    figures.push(partitions(&endpoint, scale)?);
    figures.extend(stream(&endpoint, scale)?);
    Ok(figures)
}

/// The requests of one `apas>`, with all that `suiro run` asks for around it: of a first partition, of one that replaces another,
/// without a check and with one.
fn requests(endpoint: &Endpoint) -> Result<Vec<Figure>> {
    let apas = "timezone: UTC\n+apas:\n  athena.apas>: SELECT '${session_date}' AS day\n  database: web\n  table: daily\n  \
                partition_kv: {k: a}\n";
    let check = "  checks: [SELECT day FROM new_version WHERE day IS NULL]\n";
    fs::write(endpoint.project.join("plain.dig"), apas)?;
    fs::write(endpoint.project.join("checked.dig"), format!("{apas}{check}"))?;
    let mut figures = Vec::new();
    for (workflow, session, what) in [
        ("plain.dig", "2024-01-01", "makes a table with its first partition"),
        ("plain.dig", "2024-01-02", "replaces a partition"),
        ("checked.dig", "2024-01-03", "replaces a partition after a check"),
    ] {
        let before = endpoint.calls()?;
        endpoint.run(workflow, session)?;
        let mut all = 0;
        let mut list = String::new();
        for (call, count) in endpoint.calls()? {
            let more = count - before.get(&call).unwrap_or(&0);
            if more > 0 {
                all += more;
                write!(list, "; {more} {call}")?;
            }
        }
        let what = format!("`suiro run` of one `apas>` that {what}: requests");
        figures.push(Figure::informative(&what, format!("{all}{list}")));
    }
    Ok(figures)
}

/// What an `apas>` takes beside the query alone, of a small query.
fn overhead(endpoint: &Endpoint, scale: Scale) -> Result<Figure> {
    let each = format!("timezone: UTC\n+each:\n  loop>: {TASKS}\n  _do:\n    database: web\n");
    fs::write(endpoint.project.join("queries.dig"), format!("{each}    athena.query>: SELECT ${{i}} AS n\n"))?;
    let publish = "    athena.apas>: SELECT ${i} AS n\n    table: numbers\n    partition_kv: {k: '${i}'}\n";
    fs::write(endpoint.project.join("publishes.dig"), format!("{each}{publish}"))?;
    endpoint.run("publishes.dig", "2024-01-01")?;
    let mut over = Vec::new();
    for run in 0..scale.runs {
        let session = format!("2024-02-{:02}", run + 1);
        let took = endpoint.run("publishes.dig", &session)? - endpoint.run("queries.dig", &session)?;
        over.push(took / f64::from(TASKS));
    }
    Ok(Figure::informative("one `apas>` beside its query alone, in a workflow of 20", milliseconds(median(&over))))
}

/// How fast partitions are added that are there already as objects.
fn partitions(endpoint: &Endpoint, scale: Scale) -> Result<Figure> {
    let count = u32::try_from(1_000 / scale.divisor)?;
    let table = "timezone: UTC\n+table:\n  athena.apas>: SELECT 1 AS n\n  database: web\n  table: added\n  \
                 partition_kv: {k: first}\n";
    fs::write(endpoint.project.join("table.dig"), table)?;
    let add = format!(
        "timezone: UTC\n+each:\n  loop>: {count}\n  _parallel: {{limit: 8}}\n  _do:\n    athena.add_partition>:\n    \
         database: web\n    table: added\n    partition_kv: {{k: '${{i}}'}}\n    location: \
         's3://warehouse/added/${{i}}/'\n    follow_location: false\n"
    );
    fs::write(endpoint.project.join("add.dig"), add)?;
    endpoint.run("table.dig", "2024-01-01")?;
    let took = endpoint.run("add.dig", "2024-01-01")?;
    let a_minute = f64::from(count) * 60.0 / took;
    let what = format!("partitions added a minute, by {count} tasks, eight at a time");
    Ok(Figure::at_least(&what, a_minute, 1_000.0, |rate| format!("{rate:.0}")))
}

/// The memory of a process that streams an object to S3, and of the endpoint that takes it.
fn stream(endpoint: &Endpoint, scale: Scale) -> Result<Vec<Figure>> {
    let megabytes_sent = 2_000 / scale.divisor;
    let peak = || memory_kib(&endpoint.child.id().to_string(), "VmHWM").unwrap_or_default();
    let before = peak();
    let told = worker::run("stream", &endpoint.project, megabytes_sent)?;
    let grown = peak() - before;
    let what = format!("{megabytes_sent} MB streamed to S3 as one object");
    let growth = told.get("most_kib")? - told.get("early_kib")?;
    Ok(vec![
        Figure::informative(&format!("{what}: wall"), format!("{:.1} s", told.get("wall_s")?)),
        Figure::informative(&format!("{what}: peak memory"), megabytes(told.get("peak_kib")?)),
        // Flat: what the allocator keeps for itself is no growth with the length of the stream.
        Figure::at_most(
            &format!("{what}: growth of memory after the first 200 MB"),
            growth,
            kibibytes(16.0),
            megabytes,
        ),
        Figure::informative(&format!("{what}: growth of the endpoint's peak memory"), megabytes(grown)),
    ])
}

/// The worker: sends so many megabytes, and looks at its own memory after each ten.
pub(crate) async fn send(folder: &Path, megabytes: u64) -> Result<Numbers> {
    let settings = AwsSettings {
        region: Some("us-east-1".to_owned()),
        keys: Some(AwsKeys { id: "suiro".to_owned(), secret: "suiro".to_owned() }),
        endpoints: AwsEndpoints { all: Some(fs::read_to_string(folder.join(ADDRESS))?), ..AwsEndpoints::default() },
        path_style: true,
        ..AwsSettings::default()
    };
    let clients = AwsClients::open(&settings, Arc::new(SystemClock)).await?;
    let storage = Storage::open_s3(&clients, None, Arc::new(SystemClock))?;
    let mut writer = storage.writer(&Location::parse("s3://warehouse/stream/object")?)?;
    let started = Instant::now();
    let piece = vec![7_u8; 1_000_000];
    let (mut early, mut most): (f64, f64) = (0.0, 0.0);
    for sent in 0..megabytes {
        writer.write_all(&piece).await?;
        if sent % 10 == 9 {
            let now = memory_kib("self", "VmRSS").unwrap_or_default();
            if sent < 200.min(megabytes / 2) {
                early = early.max(now);
            }
            most = most.max(now);
        }
    }
    writer.finish().await?;
    let wall = started.elapsed().as_secs_f64();
    Ok(Numbers::default().with("wall_s", wall).with("early_kib", early).with("most_kib", most))
}
