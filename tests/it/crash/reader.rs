//! A reader of the lake, and what must be true of a project in the end.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use engine::session::AttemptState;
use engine::store::{SqliteStore, StateStore as _};
use jiff::Timestamp;
use lake::clock::ManualClock;
use lake::name::{Location, TableName};
use lake::publish::record::Record;
use lake::publish::{VersionState, WrittenVersion};
use lake::{ErrorKind, Lake, LakeSettings};
use tokio::runtime::Runtime;

use super::scenario::Scenario;
use crate::support::{files_below, steady};

/// How long a reader that looks again and again lets the others work.
const PAUSE: Duration = Duration::from_millis(5);

/// The bytes of objects in the order of their names: length and hash.
type Contents = Vec<(usize, u64)>;

/// Rows that the catalog tells, and the bytes of the objects.
type Whole = (Option<u64>, Contents);

/// What a reader finds: table, partition, or folder of files → what is in it.
pub(super) type Found = BTreeMap<String, Whole>;

/// An entry of the catalog.
struct Entry {
    name: String,
    table: TableName,
    /// None for a whole table.
    values: Option<Vec<String>>,
    location: Location,
    rows: Option<u64>,
    version: i64,
}

/// Reads all that the catalog points to, again and again, while processes work.
pub(super) struct Reader<'a> {
    runtime: Runtime,
    project: PathBuf,
    lake: Option<Lake>,
    old: &'a Found,
    new: &'a Found,
    scenario: &'a Scenario,
    samples: usize,
    seen: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of a project that is `old` or becomes `new`.
    pub(super) fn new(project: &Path, old: &'a Found, new: &'a Found, scenario: &'a Scenario) -> Self {
        let project = project.to_owned();
        Self { runtime: runtime(), project, lake: None, old, new, scenario, samples: 0, seen: Vec::new() }
    }

    /// Runs a command and looks until it has ended, and once more.
    pub(super) fn watch(&mut self, command: &mut Command) -> Output {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel();
            scope.spawn(move || ended.send(command.output().unwrap()).unwrap());
            loop {
                self.look();
                match end.recv_timeout(PAUSE) {
                    Ok(output) => {
                        self.look();
                        return output;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => panic!("the command could not be run"),
                }
            }
        })
    }

    /// Stops reading; returns how often it looked, and what it should not have seen.
    pub(super) fn close(self) -> (usize, Vec<String>) {
        let Self { runtime, lake, samples, seen, .. } = self;
        runtime.block_on(async move { drop(lake) });
        (samples, seen)
    }

    fn look(&mut self) {
        if self.lake.is_none() && self.project.join(".suiro/catalog.sqlite").is_file() {
            self.lake = Some(self.runtime.block_on(open(&self.project)));
        }
        let Some(lake) = &self.lake else { return };
        let seen = self.runtime.block_on(async {
            let mut seen = Vec::new();
            let entries = entries(lake).await;
            for (name, whole) in self.old {
                // What is there before and after is never away.
                let stays = self.new.contains_key(name)
                    && !self.is_loose(name)
                    && !name.starts_with("folder ")
                    && !name.starts_with("s3://");
                if stays && !entries.iter().any(|entry| entry.name == *name) {
                    seen.push(format!("no {name}, which was {whole:?}"));
                }
            }
            for entry in entries {
                if !self.is_loose(&entry.name) {
                    seen.extend(self.look_at(lake, &entry).await);
                }
            }
            seen
        });
        self.samples += 1;
        self.seen.extend(seen);
        for (name, contents) in folders(&self.project) {
            let allowed = [&self.old, &self.new].map(|found| found.get(&name).map(|(_, contents)| contents));
            let whole = contents.iter().all(|file| allowed.iter().flatten().any(|contents| contents.contains(file)));
            if !whole {
                self.seen.push(format!("{name} with {contents:?}"));
            }
        }
    }

    /// Whether a partition is published in place, where a reader may meet it between.
    fn is_loose(&self, name: &str) -> bool {
        self.scenario.loose.contains(&name)
    }

    async fn look_at(&self, lake: &Lake, entry: &Entry) -> Option<String> {
        let contents = contents(lake, &entry.location).await;
        let found = contents.map(|contents| (entry.rows, contents));
        if let Some(found) = &found
            && (self.old.get(&entry.name) == Some(found) || self.new.get(&entry.name) == Some(found))
        {
            return None;
        }
        // What it pointed to may have been replaced, and collected, since.
        let now = match &entry.values {
            Some(values) => {
                lake.catalog.partition(&entry.table, values).await.unwrap().map(|partition| partition.version)
            }
            None => lake.catalog.table(&entry.table).await.unwrap().map(|table| table.version),
        };
        (now == Some(entry.version)).then(|| format!("{} as {found:?}", entry.name))
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn open(project: &Path) -> Lake {
    let state = project.join(".suiro");
    let warehouse = state.join("warehouse");
    Lake::open(LakeSettings::new(state, warehouse)).await.unwrap()
}

/// Lists what the catalog points to.
async fn entries(lake: &Lake) -> Vec<Entry> {
    let mut entries = Vec::new();
    for database in lake.catalog.databases().await.unwrap() {
        for table in lake.catalog.tables(&database.name).await.unwrap() {
            if table.partition_keys.is_empty() {
                entries.push(Entry {
                    name: table.name.to_string(),
                    values: None,
                    location: table.location.unwrap(),
                    rows: Record::read(&table.parameters).unwrap().map(|record| record.rows),
                    version: table.version,
                    table: table.name,
                });
                continue;
            }
            for partition in lake.catalog.partitions(&table.name).await.unwrap() {
                entries.push(Entry {
                    // A partition of rejected lines is called by its load.
                    name: format!("{} {}", table.name, partition.values.join("/")),
                    table: table.name.clone(),
                    rows: Record::read(&partition.parameters).unwrap().map(|record| record.rows),
                    version: partition.version,
                    location: partition.location,
                    values: Some(partition.values),
                });
            }
        }
    }
    entries
}

/// Reads the objects below a location; none when one goes away meanwhile.
async fn contents(lake: &Lake, location: &Location) -> Option<Contents> {
    let mut contents = Vec::new();
    for object in lake.storage.list_data(location).await.unwrap() {
        match lake.storage.read(&object.location).await {
            Ok(bytes) => contents.push(digest(&bytes)),
            Err(error) if error.kind == ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        }
    }
    Some(contents)
}

fn digest(bytes: &[u8]) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    (bytes.len(), hasher.finish())
}

/// Reads the folders that loads write files to, `out…` in the project, as far as their files can be seen.
fn folders(project: &Path) -> BTreeMap<String, Contents> {
    let mut folders = BTreeMap::new();
    for entry in std::fs::read_dir(project).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("out") && path.is_dir() {
            let files = files_below(&path).into_iter().filter(|file| !is_hidden(file));
            // One that is replaced at this moment is looked at the next time.
            let contents: Contents =
                files.filter_map(|file| std::fs::read(file).ok()).map(|bytes| digest(&bytes)).collect();
            if !contents.is_empty() {
                folders.insert(format!("folder {name}"), contents);
            }
        }
    }
    folders
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Reads all that the catalog points to, the folders of files, and the objects at places that no table points to.
pub(super) fn find(project: &Path, places: &[&str]) -> Found {
    let mut found: Found = folders(project).into_iter().map(|(name, contents)| (name, (None, contents))).collect();
    if !project.join(".suiro/catalog.sqlite").is_file() {
        return found;
    }
    runtime().block_on(async {
        let lake = open(project).await;
        for entry in entries(&lake).await {
            let contents = contents(&lake, &entry.location).await.unwrap();
            found.insert(entry.name, (entry.rows, contents));
        }
        for place in places {
            let location = Location::parse(place).unwrap();
            found.insert((*place).to_owned(), (None, contents(&lake, &location).await.unwrap()));
        }
    });
    found
}

/// Returns the folder that a partition of one key points to.
pub(crate) fn partition_location(project: &Path, database: &str, table: &str, value: &str) -> PathBuf {
    runtime().block_on(async {
        let lake = open(project).await;
        let name = TableName::new(database, table).unwrap();
        let partition = lake.catalog.partition(&name, &[value.to_owned()]).await.unwrap().unwrap();
        lake.storage.file(&partition.location)
    })
}

/// Lists the temporary files that are left, those of writes that were not finished among them.
pub(super) fn temporary(project: &Path) -> Vec<String> {
    let state = project.join(".suiro");
    let mut left = Vec::new();
    if state.join("tmp").is_dir() {
        left.extend(std::fs::read_dir(state.join("tmp")).unwrap().map(|entry| entry.unwrap().path()));
    }
    for folder in [state.join("warehouse"), project.to_owned()] {
        if folder.is_dir() {
            let unfinished =
                |file: &PathBuf| file.to_string_lossy().contains('#') || file.to_string_lossy().ends_with(".part");
            left.extend(files_below(&folder).into_iter().filter(unfinished));
        }
    }
    left.iter().map(|path| path.strip_prefix(project).unwrap().display().to_string()).collect()
}

/// Lists the objects that nothing points to and that no tombstone is set for.
pub(super) fn leftovers(project: &Path, places: &[&str]) -> Vec<String> {
    let folder = project.join(".suiro/warehouse/s3");
    if !folder.is_dir() {
        return Vec::new();
    }
    runtime().block_on(async {
        let lake = open(project).await;
        let mut known: Vec<Location> = places.iter().map(|place| Location::parse(place).unwrap()).collect();
        known.push(Location::parse("s3://suiro-results/").unwrap());
        let entries = entries(&lake).await;
        known.extend(entries.iter().map(|entry| entry.location.as_prefix()));
        for version in versions(project).await {
            if version.state == VersionState::Retired {
                known.push(version.location);
            }
        }
        let mut left = Vec::new();
        for file in files_below(&folder) {
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_')) {
                continue;
            }
            let location = format!("s3://{}", file.strip_prefix(&folder).unwrap().display());
            let object = Location::parse(&location).unwrap();
            if !known.iter().any(|prefix| prefix.contains(&object)) {
                left.push(steady(&location, project));
            }
        }
        left
    })
}

/// Lists all versions of the ledger: to a clock far ahead every tombstone is due.
async fn versions(project: &Path) -> Vec<WrittenVersion> {
    let state = project.join(".suiro");
    let warehouse = state.join("warehouse");
    let clock = ManualClock::new(Timestamp::from_second(10_000_000_000).unwrap());
    let settings = LakeSettings { clock: Arc::new(clock), ..LakeSettings::new(state, warehouse) };
    let versions = Lake::open(settings).await.unwrap().versions;
    let mut all = versions.unfinished(Duration::ZERO).await.unwrap();
    all.extend(versions.due().await.unwrap());
    all
}

/// Lists what is wrong in the ledger of versions and in the state store: sessions that did not end as they should.
pub(super) fn problems(project: &Path, sessions: &[(&str, AttemptState)]) -> Vec<String> {
    let mut problems = Vec::new();
    runtime().block_on(async {
        if project.join(".suiro/catalog.sqlite").is_file() {
            let lake = open(project).await;
            let pointed: Vec<Location> = entries(&lake).await.into_iter().map(|entry| entry.location).collect();
            let tables: Vec<Location> = tables(&lake).await;
            for version in versions(project).await {
                let used = pointed.iter().chain(&tables).any(|location| version.location.contains(location));
                // Nothing is due: what was given up is collected, what was replaced waits for its time.
                let waits = version.collect_after_ms.is_some_and(|at| at > Timestamp::now().as_millisecond());
                let right = match version.state {
                    VersionState::Published => used,
                    VersionState::Retired => !used && waits,
                    _ => false,
                };
                if !right {
                    problems.push(format!("the ledger says {version:?}"));
                }
            }
        }
        if project.join(".suiro/state.db").is_file() {
            let store = SqliteStore::open(&project.join(".suiro/state.db")).await.unwrap();
            for session in store.sessions("local", None, 100).await.unwrap() {
                let workflow = session.key.workflow.as_str();
                let expected = sessions.iter().find(|(name, _)| *name == workflow);
                let expected = expected.map_or(AttemptState::Success, |(_, state)| *state);
                let attempt = session.last_attempt;
                if attempt.state != expected || attempt.finished_at.is_none() || attempt.holder.is_some() {
                    problems.push(format!(
                        "the store says of `{workflow}`: {:?}, held by {:?}",
                        attempt.state, attempt.holder
                    ));
                }
            }
        }
    });
    problems
}

/// The locations of all tables: a whole table's version is used by its partitions.
async fn tables(lake: &Lake) -> Vec<Location> {
    let mut locations = Vec::new();
    for database in lake.catalog.databases().await.unwrap() {
        locations
            .extend(lake.catalog.tables(&database.name).await.unwrap().into_iter().filter_map(|table| table.location));
    }
    locations
}
