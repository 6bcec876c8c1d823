//! A project on the profile of AWS, the endpoint that it calls, and what somebody else sees of its lake meanwhile.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use jiff::Timestamp;
use lake::aws::{AwsClients, AwsEndpoints, AwsKeys, AwsSettings, EngineKind};
use lake::clock::{ManualClock, SystemClock};
use lake::name::{Location, TableName};
use lake::publish::VersionState;
use lake::publish::record::Record;
use lake::{ErrorKind, Lake, LakeSettings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::endpoint::Endpoint;
use crate::profiles::{make_buckets, on_aws, prepare};
use crate::support::{Project, files_below};

/// How often a reader looks.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// A table, or a partition of one.
pub(crate) type Target = (TableName, Option<Vec<String>>);

/// What a reader finds at a target: nothing, or the rows that the catalog tells and the bytes of the objects.
pub(crate) type Found = Option<(Option<u64>, Vec<(usize, u64)>)>;

/// A project and its endpoint.
pub(crate) struct World<'p> {
    project: &'p Project,
    endpoint: Endpoint<'p>,
    runtime: Runtime,
    clients: AwsClients,
    lake: Lake,
    /// What the profile says besides.
    settings: &'static str,
    _state: TempDir,
}

/// What was seen while commands ran.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) samples: usize,
    /// What is neither as it was nor as it becomes.
    pub(crate) wrong: Vec<String>,
}

impl<'p> World<'p> {
    /// Starts the endpoint of a project; calls fail by these rules, one a line.
    pub(crate) fn start(project: &'p Project, faults: &str) -> Self {
        Self::start_with(project, faults, "")
    }

    /// Starts it with more settings, of the profile and of the lake that the endpoint serves.
    pub(crate) fn start_with(project: &'p Project, faults: &str, settings: &'static str) -> Self {
        make_buckets(project);
        project.write("suiro.yml", format!("profiles:\n  local:\n{settings}"));
        let rules: Vec<String> = faults.lines().map(|rule| format!("\n  - {rule}")).collect();
        let rules = if rules.is_empty() { " []".to_owned() } else { rules.concat() };
        project.write("fault.yml", format!("seed: 7\nrules:{rules}\n"));
        let endpoint = Endpoint::start(project, &["--fault", "fault.yml"], &[]);
        prepare(project, endpoint.url(), settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let state = tempfile::tempdir().unwrap();
        let looks = self::settings(endpoint.url());
        let (clients, lake) = runtime.block_on(async {
            let clients = AwsClients::open(&looks, Arc::new(SystemClock)).await.unwrap();
            (clients, Lake::open(LakeSettings::aws(state.path(), looks)).await.unwrap())
        });
        Self { project, endpoint, runtime, clients, lake, settings, _state: state }
    }

    /// Prepares the binary, on the profile. What is replaced may be collected at once.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(self.project, arguments)
    }

    /// Prepares the binary in another project: a machine with a state of its own, which works on the same lake.
    pub(crate) fn command_in(&self, project: &Project, arguments: &[&str]) -> Command {
        prepare(project, self.endpoint.url(), self.settings);
        let mut command = project.command(arguments);
        on_aws(&self.endpoint, &mut command);
        command.env("SUIRO_RETENTION", "0s");
        command
    }

    /// Does something with the catalog and the objects, as somebody else.
    pub(crate) fn with_lake<T>(&self, work: impl AsyncFnOnce(&Lake) -> T) -> T {
        self.runtime.block_on(work(&self.lake))
    }

    /// Counts the queries that Athena was asked to run, by how they ended.
    pub(crate) fn queries(&self) -> BTreeMap<String, usize> {
        self.runtime.block_on(async {
            let athena = &self.clients.athena;
            let mut ids = Vec::new();
            let mut pages = athena.list_query_executions().into_paginator().send();
            while let Some(page) = pages.next().await {
                ids.extend(page.unwrap().query_execution_ids.unwrap_or_default());
            }
            let mut states = BTreeMap::new();
            for ids in ids.chunks(50) {
                let answer =
                    athena.batch_get_query_execution().set_query_execution_ids(Some(ids.to_vec())).send().await;
                for execution in answer.unwrap().query_executions.unwrap() {
                    let state = execution.status.unwrap().state.unwrap();
                    *states.entry(state.as_str().to_owned()).or_default() += 1;
                }
            }
            states
        })
    }

    /// Reads what is published at targets.
    pub(crate) fn found(&self, targets: &[Target]) -> Vec<Found> {
        self.runtime.block_on(async {
            let mut found = Vec::new();
            for target in targets {
                found.push(found_at(&self.lake, target).await);
            }
            found
        })
    }

    /// Runs a command, and looks at the targets meanwhile and at its end: each is as it was or as it becomes.
    pub(crate) fn watch(
        &self,
        mut command: Command,
        targets: &[Target],
        allowed: [&[Found]; 2],
        watched: &mut Watched,
    ) -> Output {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel();
            scope.spawn(move || ended.send(command.output().unwrap()).unwrap());
            loop {
                let output = match end.recv_timeout(LOOKS_EVERY) {
                    Ok(output) => Some(output),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => panic!("the command could not be run"),
                };
                watched.samples += 1;
                for ((found, target), index) in self.found(targets).into_iter().zip(targets).zip(0..) {
                    if !allowed.iter().any(|all| all[index] == found) {
                        watched.wrong.push(format!("a reader saw {target:?} as {found:?}"));
                    }
                }
                if let Some(output) = output {
                    return output;
                }
            }
        })
    }

    /// Says what is left over: objects that nothing points to when all that is due is collected, versions that nobody will
    /// collect, temporary tables, leases.
    pub(crate) fn left_over(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let clock = ManualClock::new(Timestamp::from_second(10_000_000_000).unwrap());
            let settings = LakeSettings::aws(self.project.path().join(".suiro/aws"), settings(self.endpoint.url()));
            let lake = Lake::open(LakeSettings { clock: Arc::new(clock), ..settings }).await.unwrap();
            let mut left = Vec::new();
            let mut pointed = Vec::new();
            for database in lake.catalog.databases().await.unwrap() {
                for table in lake.catalog.tables(&database.name).await.unwrap() {
                    if table.name.table.starts_with("suiro_temporary_") {
                        left.push(format!("table {}", table.name));
                    }
                    let partitions = lake.catalog.partitions(&table.name).await.unwrap();
                    pointed.extend(partitions.into_iter().map(|partition| partition.location));
                    pointed.extend(table.location.filter(|_| table.partition_keys.is_empty()));
                }
            }
            for version in lake.versions.unfinished(Duration::ZERO).await.unwrap() {
                let used = pointed.iter().any(|location| version.location.contains(&location.as_prefix()));
                if version.state == VersionState::Writing || (version.state == VersionState::Published && !used) {
                    left.push(format!("the ledger says {version:?}"));
                }
            }
            lake.collect().await.unwrap();
            left.extend(unpointed(self.project.path(), &pointed));
            left
        })
    }

    /// Stops the endpoint.
    pub(crate) fn stop(self) {
        let Self { endpoint, runtime, lake, .. } = self;
        runtime.block_on(async move { drop(lake) });
        assert_eq!(endpoint.stop(), Some(0));
    }
}

/// The settings of a lake on an endpoint, for those who look.
pub(crate) fn settings(url: &str) -> AwsSettings {
    AwsSettings {
        region: Some("us-east-1".to_owned()),
        keys: Some(AwsKeys { id: "suiro".to_owned(), secret: "suiro".to_owned() }),
        endpoints: AwsEndpoints { all: Some(url.to_owned()), ..AwsEndpoints::default() },
        path_style: true,
        warehouse: Some(Location::parse("s3://warehouse/").unwrap()),
        engine: EngineKind::Embedded,
        ..AwsSettings::default()
    }
}

/// Reads a target as a reader does: what the catalog points to, and the objects there; once more when it was pointed
/// elsewhere meanwhile.
async fn found_at(lake: &Lake, target: &Target) -> Found {
    loop {
        let (version, location, rows) = entry(lake, target).await?;
        let contents = contents(lake, &location).await;
        let now = entry(lake, target).await;
        if now.as_ref().is_some_and(|now| now.0 == version) {
            // Objects that are gone while they are pointed to are no objects to a reader.
            return Some((rows, contents.unwrap_or_default()));
        }
    }
}

async fn entry(lake: &Lake, (table, values): &Target) -> Option<(i64, Location, Option<u64>)> {
    let (version, location, parameters) = if let Some(values) = values {
        let partition = lake.catalog.partition(table, values).await.unwrap()?;
        (partition.version, partition.location, partition.parameters)
    } else {
        let table = lake.catalog.table(table).await.unwrap()?;
        (table.version, table.location.unwrap(), table.parameters)
    };
    Some((version, location, Record::read(&parameters).unwrap().map(|record| record.rows)))
}

/// Reads the objects at a location in the order of their names; none when one goes away meanwhile.
async fn contents(lake: &Lake, location: &Location) -> Option<Vec<(usize, u64)>> {
    let mut contents = Vec::new();
    for object in lake.storage.list_data(location).await.unwrap() {
        match lake.storage.read(&object.location).await {
            Ok(bytes) => {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                contents.push((bytes.len(), hasher.finish()));
            }
            Err(error) if error.kind == ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        }
    }
    Some(contents)
}

/// Lists the objects of tables that are at no location that the catalog points to, and the leases.
fn unpointed(project: &Path, pointed: &[Location]) -> Vec<String> {
    let folder = project.join(".suiro/warehouse/s3");
    let mut left = Vec::new();
    for file in files_below(&folder.join("warehouse")) {
        let location = format!("s3://{}", file.strip_prefix(&folder).unwrap().display());
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let object = Location::parse(&location).unwrap();
        let is_of_nobody = !name.starts_with('_') && !pointed.iter().any(|prefix| prefix.as_prefix().contains(&object));
        if is_of_nobody || name.contains("lease") {
            left.push(location);
        }
    }
    left
}
