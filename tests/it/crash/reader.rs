//! A reader of the lake, and what must be true of a project in the end.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use engine::session::AttemptState;
use engine::store::{SqliteStore, StateStore as _};
use jiff::Timestamp;
use lake::clock::ManualClock;
use lake::name::{Location, TableName};
use lake::publish::VersionState;
use lake::publish::record::Record;
use lake::storage::Object;
use lake::{ErrorKind, Lake, LakeSettings};
use tokio::runtime::Runtime;

use super::scenario::Scenario;
use crate::support::{files_below, steady};

/// How long a reader that looks again and again lets the others work.
const PAUSE: Duration = Duration::from_millis(5);

/// The folder of unfinished objects, below that of all buckets.
const STAGING: &str = ".staging";

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

/// When files were written last, and how long they are.
type Stamp = Vec<(PathBuf, u64, SystemTime)>;

/// Reads all that the catalog points to, again and again, while processes work.
pub(super) struct Reader<'a> {
    runtime: Runtime,
    project: PathBuf,
    lake: Option<Lake>,
    old: &'a Found,
    new: &'a Found,
    scenario: &'a Scenario,
    /// What the last look was at: nobody who writes objects or points to them leaves all of it as it is.
    stamp: Stamp,
    /// What was read and right: entry → version, and its objects.
    read: BTreeMap<String, (i64, Vec<Object>)>,
    samples: usize,
    seen: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of a project that is `old` or becomes `new`.
    pub(super) fn new(project: &Path, old: &'a Found, new: &'a Found, scenario: &'a Scenario) -> Self {
        Self {
            runtime: runtime(),
            project: project.to_owned(),
            lake: None,
            old,
            new,
            scenario,
            stamp: Stamp::new(),
            read: BTreeMap::new(),
            samples: 0,
            seen: Vec::new(),
        }
    }

    /// Runs a command and looks whenever something was written until it has ended, and then at everything once more.
    pub(super) fn watch(&mut self, command: &mut Command) -> Output {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel();
            scope.spawn(move || ended.send(command.output().unwrap()).unwrap());
            loop {
                let stamp = stamp(&self.project);
                if stamp != self.stamp {
                    self.stamp = stamp;
                    self.look();
                }
                match end.recv_timeout(PAUSE) {
                    Ok(output) => {
                        self.read.clear();
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
        let (old, new, scenario, read) = (self.old, self.new, self.scenario, &mut self.read);
        let seen = self.runtime.block_on(async {
            let mut seen = Vec::new();
            let entries = entries(lake).await;
            for (name, whole) in old {
                // What is there before and after is never away.
                let stays = new.contains_key(name)
                    && !is_loose(scenario, name)
                    && !name.starts_with("folder ")
                    && !name.starts_with("s3://");
                if stays && !entries.iter().any(|entry| entry.name == *name) {
                    seen.push(format!("no {name}, which was {whole:?}"));
                }
            }
            for entry in entries.iter().filter(|entry| !is_loose(scenario, &entry.name)) {
                let objects = lake.storage.list_data(&entry.location).await.unwrap();
                let now = (entry.version, objects);
                if read.get(&entry.name) == Some(&now) {
                    continue;
                }
                let found = contents(lake, &now.1).await.map(|contents| (entry.rows, contents));
                if found.as_ref().is_some_and(|found| [old, new].iter().any(|all| all.get(&entry.name) == Some(found)))
                {
                    read.insert(entry.name.clone(), now);
                } else if entry.is_current(lake).await {
                    seen.push(format!("{} as {found:?}", entry.name));
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
}

impl Entry {
    /// Whether the catalog still says it: what it pointed to may have been replaced, and collected, since it was read.
    async fn is_current(&self, lake: &Lake) -> bool {
        let now = match &self.values {
            Some(values) => {
                lake.catalog.partition(&self.table, values).await.unwrap().map(|partition| partition.version)
            }
            None => lake.catalog.table(&self.table).await.unwrap().map(|table| table.version),
        };
        now == Some(self.version)
    }
}

/// Whether a partition is published in place, where a reader may meet it between.
fn is_loose(scenario: &Scenario, name: &str) -> bool {
    scenario.loose.contains(&name)
}

/// Looks at the files that say that something was written: the catalog's, which note what becomes of objects, and those in
/// folders of loads.
fn stamp(project: &Path) -> Stamp {
    let state = project.join(".suiro");
    let mut files = vec![state.join("catalog.sqlite"), state.join("catalog.sqlite-wal")];
    files.extend(out_folders(project).iter().flat_map(|folder| files_in(folder)));
    let stamp = |file: PathBuf| {
        let found = file.metadata().ok()?;
        Some((file, found.len(), found.modified().ok()?))
    };
    files.into_iter().filter_map(stamp).collect()
}

/// The folders that loads write files to, `out…` in the project.
fn out_folders(project: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project).unwrap().map(|entry| entry.unwrap().path());
    let is_out = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("out"));
    entries.filter(|path| is_out(path) && path.is_dir()).collect()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Opens the lake with a clock far ahead, to which every tombstone is due and every version old.
async fn open(project: &Path) -> Lake {
    let state = project.join(".suiro");
    let warehouse = state.join("warehouse");
    let clock = ManualClock::new(Timestamp::from_second(10_000_000_000).unwrap());
    let settings = LakeSettings { clock: Arc::new(clock), ..LakeSettings::new(state, warehouse) };
    Lake::open(settings).await.unwrap()
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

/// Reads objects; none when one goes away meanwhile.
async fn contents(lake: &Lake, objects: &[Object]) -> Option<Contents> {
    let mut contents = Vec::new();
    for object in objects {
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

/// Reads the folders that loads write files to, as far as their files can be seen.
fn folders(project: &Path) -> BTreeMap<String, Contents> {
    let mut folders = BTreeMap::new();
    for path in out_folders(project) {
        let files = files_in(&path).into_iter().filter(|file| !is_hidden(file));
        // One that is replaced at this moment is looked at the next time.
        let contents: Contents =
            files.filter_map(|file| std::fs::read(file).ok()).map(|bytes| digest(&bytes)).collect();
        if !contents.is_empty() {
            folders.insert(format!("folder {}", path.file_name().unwrap().to_string_lossy()), contents);
        }
    }
    folders
}

/// The files in a folder in the order of their names; none when it goes away meanwhile.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// What a project has come to.
pub(super) struct End {
    /// All that the catalog points to, the folders of files, and the objects at places that no table points to.
    pub(super) found: Found,
    /// The objects that nothing points to and that no tombstone is set for.
    pub(super) leftovers: Vec<String>,
    /// What is wrong in the ledger of versions and in the state store: sessions that did not end as they should.
    pub(super) problems: Vec<String>,
}

impl End {
    /// Looks at a project in which nobody works; some sessions are to end otherwise than with success.
    pub(super) fn of(project: &Path, places: &[&str], sessions: &[(&str, AttemptState)]) -> Self {
        let found = folders(project).into_iter().map(|(name, contents)| (name, (None, contents))).collect();
        let mut end = Self { found, leftovers: Vec::new(), problems: Vec::new() };
        runtime().block_on(async {
            if project.join(".suiro/catalog.sqlite").is_file() {
                end.look_at_lake(project, places).await;
            }
            if project.join(".suiro/state.db").is_file() {
                end.look_at_sessions(project, sessions).await;
            }
        });
        end
    }

    async fn look_at_lake(&mut self, project: &Path, places: &[&str]) {
        let lake = open(project).await;
        let places: Vec<Location> = places.iter().map(|place| Location::parse(place).unwrap()).collect();
        let entries = entries(&lake).await;
        let named = entries.iter().map(|entry| (entry.name.clone(), entry.rows, &entry.location));
        for (name, rows, location) in named.chain(places.iter().map(|place| (place.to_string(), None, place))) {
            let objects = lake.storage.list_data(location).await.unwrap();
            self.found.insert(name, (rows, contents(&lake, &objects).await.unwrap()));
        }

        let mut versions = lake.versions.unfinished(Duration::ZERO).await.unwrap();
        versions.extend(lake.versions.due().await.unwrap());
        let tables = tables(&lake).await;
        for version in &versions {
            let pointed = entries.iter().map(|entry| &entry.location).chain(&tables);
            let used = pointed.into_iter().any(|location| version.location.contains(location));
            // Nothing is due: what was given up is collected, what was replaced waits for its time.
            let waits = version.collect_after_ms.is_some_and(|at| at > Timestamp::now().as_millisecond());
            let right = match version.state {
                VersionState::Published => used,
                VersionState::Retired => !used && waits,
                _ => false,
            };
            if !right {
                self.problems.push(format!("the ledger says {version:?}"));
            }
        }

        let mut known: Vec<Location> = places;
        known.push(Location::parse("s3://suiro-results/").unwrap());
        known.extend(entries.iter().map(|entry| entry.location.as_prefix()));
        let retired = versions.into_iter().filter(|version| version.state == VersionState::Retired);
        known.extend(retired.map(|version| version.location));
        let folder = project.join(".suiro/warehouse/s3");
        for file in files_below(&folder) {
            let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'));
            // What is in the folder of unfinished objects is no object: [`temporary`] looks there.
            if is_hidden || file.starts_with(folder.join(STAGING)) {
                continue;
            }
            let location = format!("s3://{}", file.strip_prefix(&folder).unwrap().display());
            let object = Location::parse(&location).unwrap();
            if !known.iter().any(|prefix| prefix.contains(&object)) {
                self.leftovers.push(steady(&location, project));
            }
        }
    }

    async fn look_at_sessions(&mut self, project: &Path, sessions: &[(&str, AttemptState)]) {
        let store = SqliteStore::open(&project.join(".suiro/state.db")).await.unwrap();
        for session in store.sessions("local", None, 100).await.unwrap() {
            let workflow = session.key.workflow.as_str();
            let expected = sessions.iter().find(|(name, _)| *name == workflow);
            let expected = expected.map_or(AttemptState::Success, |(_, state)| *state);
            let attempt = session.last_attempt;
            if attempt.state != expected || attempt.finished_at.is_none() || attempt.holder.is_some() {
                self.problems
                    .push(format!("the store says of `{workflow}`: {:?}, held by {:?}", attempt.state, attempt.holder));
            }
        }
    }
}

/// Returns the folder that a partition of one key points to.
pub(crate) fn partition_location(project: &Path, database: &str, table: &str, value: &str) -> PathBuf {
    runtime().block_on(async {
        let lake = open(project).await;
        let name = TableName::new(database, table).unwrap();
        let partition = lake.catalog.partition(&name, &[value.to_owned()]).await.unwrap().unwrap();
        lake.storage.file(&partition.location).unwrap()
    })
}

/// Lists the temporary files that are left, those of writes that were not finished and folders without a file among them.
pub(super) fn temporary(project: &Path) -> Vec<String> {
    let state = project.join(".suiro");
    let mut left = Vec::new();
    let unfinished = state.join("warehouse/s3").join(STAGING);
    for folder in [state.join("tmp"), state.join("loads"), unfinished].iter().filter(|folder| folder.is_dir()) {
        left.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    for folder in [state.join("warehouse"), project.to_owned()] {
        if folder.is_dir() {
            let unfinished =
                |file: &PathBuf| file.to_string_lossy().contains('#') || file.to_string_lossy().ends_with(".part");
            left.extend(files_below(&folder).into_iter().filter(unfinished));
        }
    }
    left.extend(out_folders(project).into_iter().filter(|folder| files_in(folder).is_empty()));
    left.iter().map(|path| path.strip_prefix(project).unwrap().display().to_string()).collect()
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
