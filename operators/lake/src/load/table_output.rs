//! `out: {type: table}`: versions of partitions, published through the catalog.
//!
//! Rejected lines go into `<table>__rejected`, partitioned by the load, so that running a load again replaces its own.
//! `append` writes a new version that holds the objects of the old one (copied by the storage, not read) and the new ones:
//! readers see all of it or nothing, and running the load again replaces what it added, by the names of its objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::appended;
use super::config::{Mode, OutputConfig, TableOutput};
use super::job::Plan;
use super::layout::InputLayout;
use super::report::PublishedPart;
use super::sink::{Sink, WrittenFile};
use super::stream::{Destination, StreamKey, Written};
use crate::catalog::descriptor::reader;
use crate::catalog::{Column, Database, Expect, Partition, PartitionValues, Table, TableFormat, TableKind};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName, check_partition_value};
use crate::publish::Buckets;
use crate::publish::record::{Record, schema_hash};
use crate::publish::validate::{RowsAre, validate};
use crate::publish::{IntendedVersion, NewPartition, NewVersion, VersionName, VersionState, plain, version_root};
use crate::query::{TypedPartitions, WrittenObject};
use crate::sql::Type;

/// How many partitions are checked at a time.
const FINISHED_AT_ONCE: usize = 8;

/// Something new that waits to be published: a partition, a whole table, or files of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewPart {
    /// The values of the partition.
    pub values: Vec<String>,
    /// The version's prefix; empty for files of a folder.
    pub prefix: String,
    /// Its objects or files.
    pub files: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// The bytes of its objects.
    pub bytes: u64,
    /// The version of the catalog's entry that it takes the place of; none when there was none.
    pub replaces: Option<i64>,
}

impl NewPart {
    /// Files of a folder.
    pub(crate) fn file(values: Vec<String>, files: &[WrittenFile]) -> Self {
        Self {
            values,
            prefix: String::new(),
            files: files.iter().map(|file| file.place.clone()).collect(),
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            replaces: None,
        }
    }
}

/// Returns the columns in the catalog's words.
pub(crate) fn columns(layout: &InputLayout) -> Vec<Column> {
    layout.columns.iter().map(|column| Column::new(&column.name, &column.column_type.to_hive())).collect()
}

/// Returns the name of the table of rejected lines.
pub(crate) fn rejected_name(output: &TableOutput) -> String {
    rejected_table(&output.table)
}

/// Returns the name of the table of rejected lines of a table.
pub(crate) fn rejected_table(table: &str) -> String {
    format!("{table}__rejected")
}

fn rejected_columns() -> Vec<Column> {
    [("file", "string"), ("line_number", "bigint"), ("reason", "string"), ("line", "string")]
        .map(|(name, hive_type)| Column::new(name, hive_type))
        .to_vec()
}

fn keys(output: &TableOutput) -> Vec<Column> {
    output.partition_by.keys().map(|name| Column::new(name, "string")).collect()
}

/// Compares the load's columns with the table's, if it is there, and returns it.
///
/// # Errors
/// `SchemaMismatch` with every difference; those of the catalog.
pub(crate) async fn compare(lake: &Lake, output: &TableOutput, columns: &[Column]) -> Result<Option<Table>> {
    let name = TableName::new(&output.database, &output.table)?;
    let Some(table) = lake.catalog.table(&name).await? else { return Ok(None) };
    let mut differences = Vec::new();
    if table.is_view() {
        differences.push("it is a view".to_owned());
    }
    let kind = TableKind::of(&table);
    if let Some(kind) = kind {
        differences.push(format!("it is {}: a load does not write such tables", kind.described()));
    }
    if let Some(buckets) = Buckets::of(&table.storage) {
        let columns = buckets.columns.join(", ");
        differences.push(format!("it has {} buckets by {columns}, which a load does not write", buckets.count));
    }
    // A partition has a format of its own, a table without partitions one for all its objects.
    if table.partition_keys.is_empty()
        && !table.is_view()
        && kind.is_none()
        && TableFormat::of(&table.storage) != Some(TableFormat::Parquet)
    {
        differences
            .push(format!("it is read by {}, and a load writes Parquet: drop the table first", reader(&table.storage)));
    }
    let found: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let expected: Vec<String> = output.partition_by.keys().map(|key| key.to_lowercase()).collect();
    if found != expected {
        differences.push(format!(
            "its partition keys are ({}), and `partition_by` gives ({})",
            found.join(", "),
            expected.join(", ")
        ));
    }
    for column in columns {
        match table.columns.iter().find(|other| other.name == column.name) {
            None => differences.push(format!("column `{}` {} is not in the table", column.name, column.hive_type)),
            Some(other) if !same_type(&other.hive_type, &column.hive_type) => differences.push(format!(
                "column `{}` is {} in the table, and {} in the load",
                column.name, other.hive_type, column.hive_type
            )),
            Some(_) => {}
        }
    }
    for column in &table.columns {
        if !columns.iter().any(|other| other.name == column.name) {
            differences.push(format!("column `{}` {} is not in the load", column.name, column.hive_type));
        }
    }
    if differences.is_empty() {
        return Ok(Some(table));
    }
    Err(Error::new(
        ErrorKind::SchemaMismatch,
        "compare with the table",
        format!("the load does not fit table `{name}`: {}", differences.join("; ")),
    )
    .help(
        "give the parser the table's columns (`columns`, with `name` and `type`), or load into a table of another name",
    ))
}

fn same_type(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || matches!((Type::from_hive(left), Type::from_hive(right)), (Ok(left), Ok(right)) if left == right)
}

/// The tables of a load as they are, or as they will be made.
#[derive(Debug, Clone)]
struct Targets {
    rows: Table,
    rejected: Table,
}

async fn targets(lake: &Lake, plan: &Plan, output: &TableOutput) -> Result<Targets> {
    let columns = columns(&plan.layout);
    let name = TableName::new(&output.database, &output.table)?;
    let rejected_name = TableName::new(&output.database, &rejected_name(output))?;
    // Staged rows are no table's.
    let found = match &plan.config.out {
        OutputConfig::Staged(_) => None,
        _ => compare(lake, output, &columns).await?,
    };
    let rows = match found {
        Some(table) => table,
        None => Table::new(name.clone(), columns, keys(output), place(lake, output).await?, TableFormat::Parquet),
    };
    let rejected = if let Some(table) = lake.catalog.table(&rejected_name).await? {
        plain(&table)?;
        table
    } else {
        let text = place(lake, output).await?.to_string();
        let location = Location::parse(&format!("{}__rejected/", text.trim_end_matches('/')))?;
        let keys = vec![Column::new("load", "string")];
        Table::new(rejected_name, rejected_columns(), keys, location, TableFormat::Parquet)
    };
    Ok(Targets { rows, rejected })
}

/// Returns where the table goes when it is made.
async fn place(lake: &Lake, output: &TableOutput) -> Result<Location> {
    if let Some(text) = &output.location {
        return Ok(Location::parse(text)?.as_prefix());
    }
    lake.default_location(&TableName::new(&output.database, &output.table)?).await
}

/// Returns the root of a table's versions.
fn versions_of(table: &Table) -> Result<Location> {
    let location = table.location.as_ref().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "place versions", format!("`{}` has no location", table.name))
    })?;
    // The location of a table without partitions is one of its versions once it has been published.
    if crate::storage::is_version_name(location.file_name())
        && let Some(root) = location.parent().and_then(|values| values.parent())
    {
        return Ok(root.as_prefix());
    }
    version_root(location, None)
}

/// Gives up what an earlier try of this load wrote and did not come to publish; returns the generation of the next.
///
/// # Errors
/// Those of the ledger.
pub(crate) async fn next_generation(lake: &Lake, plan: &Plan, output: &TableOutput) -> Result<u32> {
    Ok(give_up(lake, &output.database, &output.table, &plan.request_hash()).await? + 1)
}

/// Gives up what a load wrote to a table and did not come to publish; returns its last generation, 0 for none.
///
/// # Errors
/// Those of the ledger.
pub(crate) async fn give_up(lake: &Lake, database: &str, table: &str, request_hash: &str) -> Result<u32> {
    let mark = format!("-{request_hash}-g");
    let mut last = 0;
    for table in [table.to_owned(), rejected_table(table)] {
        let mut given_up = Vec::new();
        for version in lake.versions.of_table(&TableName::new(database, &table)?).await? {
            let name = version.location.file_name().to_owned();
            let Some((_, generation)) = name.split_once(&mark) else { continue };
            last = last.max(generation.parse::<u32>().unwrap_or(0));
            if version.state == VersionState::Writing {
                given_up.push(version.location);
            }
        }
        lake.abandon_versions(&given_up).await?;
    }
    Ok(last)
}

/// Opens objects below the version prefixes of partitions; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TableDestination {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    lake: Lake,
    plan: Plan,
    mode: Mode,
    generation: u32,
    targets: Targets,
    /// What the catalog has in the table, where a value can be written in several ways.
    typed: Option<TypedPartitions>,
    runtime: Handle,
    /// The prefixes that were begun: nothing is written below others.
    begun: Mutex<BTreeMap<StreamKey, Location>>,
    /// The load's own values of each partition that was begun, where a value can be written in several ways.
    given: Mutex<HashMap<PartitionValues, PartitionValues>>,
    /// How many rows that this load appended before have gone.
    replaced: AtomicU64,
}

impl TableDestination {
    /// Makes the destination of one try at writing.
    ///
    /// # Errors
    /// Those of the catalog; `SchemaMismatch` when the table has changed since the plan.
    pub(crate) async fn new(lake: &Lake, plan: &Plan, output: &TableOutput, generation: u32) -> Result<Self> {
        let targets = targets(lake, plan, output).await?;
        let typed = TypedPartitions::list(lake.catalog.as_ref(), &targets.rows).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                lake: lake.clone(),
                plan: plan.clone(),
                mode: output.mode,
                generation,
                targets,
                typed,
                runtime: Handle::current(),
                begun: Mutex::new(BTreeMap::new()),
                given: Mutex::new(HashMap::new()),
                replaced: AtomicU64::new(0),
            }),
        })
    }

    fn table(&self, key: &StreamKey) -> &Table {
        match key {
            StreamKey::Rows(_) => &self.inner.targets.rows,
            StreamKey::Rejected => &self.inner.targets.rejected,
        }
    }

    /// Returns the values that the catalog knows a stream's partition by, as it writes them; none for a table without partitions.
    fn values(&self, key: &StreamKey) -> Result<Option<PartitionValues>> {
        match (key, &self.inner.typed) {
            (StreamKey::Rejected, _) => Ok(Some(vec![load_value(&self.inner.plan)])),
            (StreamKey::Rows(values), _) if values.is_empty() => Ok(None),
            (StreamKey::Rows(values), None) => Ok(Some(values.clone())),
            (StreamKey::Rows(values), Some(typed)) => Ok(Some(typed.find(values)?.1)),
        }
    }

    /// Refuses values that the load has written in another way before: the rows of a partition are one stream.
    fn refuse_another_spelling(&self, key: &StreamKey) -> Result<()> {
        let (StreamKey::Rows(values), Some(typed)) = (key, &self.inner.typed) else { return Ok(()) };
        let (_, value) = typed.find(values)?;
        let mut given = self.inner.given.lock().unwrap_or_else(PoisonError::into_inner);
        let first = given.entry(value).or_insert_with(|| values.clone());
        if first == values {
            return Ok(());
        }
        let message = format!(
            "the load gives two partitions of `{}` that are one: {} and {}",
            self.inner.targets.rows.name,
            first.join("/"),
            values.join("/")
        );
        Err(Error::new(ErrorKind::InvalidData, "split rows by partition", message)
            .help("let `partition_by` write each value in one way, such as `CAST(month AS integer)`"))
    }

    /// Returns the prefix of a stream.
    fn prefix(&self, key: &StreamKey) -> Result<(Location, Location)> {
        let table = self.table(key);
        let root = versions_of(table)?;
        let name = VersionName {
            table: table.name.clone(),
            values: self.values(key)?,
            planned_ms: self.inner.plan.planned_ms,
            request_hash: self.inner.plan.request_hash(),
            generation: self.inner.generation,
        };
        let prefix = name.prefix(&root)?;
        Ok((root, prefix))
    }

    /// Begins the prefixes of streams, as far as they are new: the ledger knows them before their first byte, those of a table
    /// in one step.
    async fn begin(&self, keys: &[StreamKey]) -> Result<()> {
        let (rejected, rows): (Vec<&StreamKey>, Vec<&StreamKey>) =
            keys.iter().partition(|key| **key == StreamKey::Rejected);
        for keys in [rows, rejected] {
            let mut intended = Vec::with_capacity(keys.len());
            let mut place = None;
            for key in keys {
                if self.begun().contains_key(key) {
                    continue;
                }
                self.refuse_another_spelling(key)?;
                let (root, prefix) = self.prefix(key)?;
                intended.push((key.clone(), IntendedVersion { location: prefix, values: self.values(key)? }));
                place = Some((root, self.table(key).name.clone()));
            }
            let Some((root, table)) = place else { continue };
            let versions: Vec<IntendedVersion> = intended.iter().map(|(_, version)| version.clone()).collect();
            self.inner.lake.begin_versions(&root, &table, &versions).await?;
            self.begun().extend(intended.into_iter().map(|(key, version)| (key, version.location)));
        }
        Ok(())
    }

    /// Returns the partitions that the load has no rows for now, and added rows to before; none unless it appends.
    ///
    /// # Errors
    /// Those of the catalog and the storage.
    pub(crate) async fn left_by_earlier_runs(&self, streams: &[Written]) -> Result<Vec<PartitionValues>> {
        let Inner { lake, plan, mode, targets, .. } = &*self.inner;
        let table = &targets.rows;
        if *mode != Mode::Append || table.partition_keys.is_empty() || lake.catalog.table(&table.name).await?.is_none()
        {
            return Ok(Vec::new());
        }
        let rows = streams.iter().filter(|stream| matches!(stream.key, StreamKey::Rows(_)));
        let written = rows.filter_map(|stream| self.values(&stream.key).transpose()).collect::<Result<_>>()?;
        appended::left_in(lake, plan, table, &written).await
    }

    /// Returns how many rows that this load appended before have gone from what is going to be published.
    pub(crate) fn replaced(&self) -> u64 {
        self.inner.replaced.load(Ordering::Relaxed)
    }

    fn begun(&self) -> MutexGuard<'_, BTreeMap<StreamKey, Location>> {
        self.inner.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up all that was begun.
    ///
    /// # Errors
    /// Those of the ledger.
    pub(crate) async fn abandon(&self) -> Result<()> {
        let begun: Vec<Location> = self.begun().values().cloned().collect();
        self.inner.lake.abandon_versions(&begun).await
    }

    /// Completes all partitions (no values: the rejected lines): brings what was written to the disk, takes over the old objects
    /// where rows are appended, checks all objects, and remembers what they take the place of. Returns them in the order given.
    ///
    /// # Errors
    /// As [`TableDestination::finish`].
    pub(crate) async fn finish_all(&self, streams: &[Written]) -> Result<Vec<NewPart>> {
        let lake = &self.inner.lake;
        let keys: Vec<StreamKey> = streams.iter().map(|stream| stream.key.clone()).collect();
        self.begin(&keys).await?;
        let mut locations = Vec::new();
        for file in streams.iter().flat_map(|stream| &stream.files) {
            locations.push(Location::parse(&file.place)?);
        }
        let sync = lake.storage.sync_all(&locations);
        lake.settings.crash_points.around("load: bring the objects to the disk", sync).await?;
        let parts: Vec<_> = streams.iter().map(|stream| self.finish(stream)).collect();
        futures::stream::iter(parts).buffered(FINISHED_AT_ONCE).try_collect().await
    }

    /// Completes one of them.
    ///
    /// # Errors
    /// `InvalidData` when the objects are not what was written; those of storage and catalog.
    async fn finish(&self, Written { key, files }: &Written) -> Result<NewPart> {
        let Inner { lake, plan, .. } = &*self.inner;
        let (_, prefix) = self.prefix(key)?;
        let mut objects = Vec::with_capacity(files.len());
        for file in files {
            objects.push(WrittenObject {
                location: Location::parse(&file.place)?,
                bytes: file.bytes,
                rows: file.rows,
                partition: Vec::new(),
            });
        }
        let values = self.values(key)?;
        let is_appended = self.inner.mode == Mode::Append && matches!(key, StreamKey::Rows(_));
        let (replaces, old) = match &values {
            Some(values) => match lake.catalog.partition(&self.table(key).name, values).await? {
                Some(partition) => {
                    if is_appended {
                        takes_parquet(self.table(key), &partition)?;
                    }
                    (Some(partition.version), Some(partition.location))
                }
                None => (None, None),
            },
            None => match lake.catalog.table(&self.table(key).name).await? {
                Some(table) => (Some(table.version), table.location),
                None => (None, None),
            },
        };
        if let Some(old) = old.filter(|old| is_appended && *old != prefix) {
            let left_behind = appended::take_over(lake, plan, &old, &prefix, &mut objects).await?;
            self.inner.replaced.fetch_add(left_behind, Ordering::Relaxed);
        }
        let validated = validate(&lake.storage, std::slice::from_ref(&prefix), &objects, RowsAre::Described).await?;
        Ok(NewPart {
            values: values.unwrap_or_default(),
            prefix: prefix.to_string(),
            files: objects.iter().map(|object| object.location.to_string()).collect(),
            rows: validated.rows,
            bytes: validated.bytes,
            replaces,
        })
    }
}

impl Destination for TableDestination {
    fn prepare(&self, keys: &[StreamKey]) -> Result<()> {
        self.inner.runtime.block_on(self.begin(keys))
    }

    fn open(&self, key: &StreamKey, part: usize) -> Result<Sink> {
        let (_, prefix) = self.prefix(key)?;
        let location = prefix.join(&self.inner.plan.file_name(part))?;
        let writer = Box::new(self.inner.lake.storage.writer(&location)?);
        let crash_points = self.inner.lake.settings.crash_points.clone();
        Ok(Sink::Object { writer, runtime: self.inner.runtime.clone(), crash_points })
    }
}

/// Returns the value of the partition of a load's rejected lines: its name where that can be one.
fn load_value(plan: &Plan) -> String {
    let scope = &plan.token.scope;
    if scope.is_empty() || check_partition_value("load", scope).is_err() { plan.load_id() } else { scope.clone() }
}

/// Makes the database and a table unless they are there; returns the table as the catalog keeps it.
async fn ensure(lake: &Lake, table: &Table) -> Result<Table> {
    let points = &lake.settings.crash_points;
    if lake.catalog.database(&table.name.database).await?.is_none() {
        let database = Database::new(&table.name.database);
        points.around("load: make the database", lake.catalog.create_database(&database)).await?;
    }
    if let Some(table) = lake.catalog.table(&table.name).await? {
        return Ok(table);
    }
    match points.around("load: make the table", lake.catalog.put_table(table, Expect::Absent)).await {
        Err(error) if error.kind == ErrorKind::AlreadyExists => lake.catalog.table(&table.name).await?.ok_or(error),
        made => made,
    }
}

fn expect(part: &NewPart) -> Expect {
    part.replaces.map_or(Expect::Absent, Expect::Version)
}

fn new_version(plan: &Plan, table: &Table, part: &NewPart) -> Result<NewVersion> {
    Ok(NewVersion {
        record: Record {
            version: Location::parse(&part.prefix)?,
            previous_location: None,
            rows: part.rows,
            bytes: part.bytes,
            query_id: format!("load-{}", plan.request_hash()),
            attempt: plan.token.token.clone(),
            schema_hash: schema_hash(&table.columns),
        },
        expect: expect(part),
        parameters: appended::parameters(&part.files),
        layout: crate::publish::Layout::default(),
    })
}

/// Publishes the rejected lines of this load, or takes away those of an earlier run when there are none now.
///
/// # Errors
/// `Conflict` when another run of the same load published meanwhile; those of storage and catalog.
pub(crate) async fn keep_rejected(
    lake: &Lake,
    plan: &Plan,
    output: &TableOutput,
    part: Option<&NewPart>,
) -> Result<()> {
    let table = targets(lake, plan, output).await?.rejected;
    if let Some(part) = part {
        let table = ensure(lake, &table).await?;
        lake.publish_partition(&table, &part.values, &new_version(plan, &table, part)?).await?;
        return Ok(());
    }
    let earlier = lake.catalog.partition(&table.name, &[load_value(plan)]).await?;
    drop_partitions(lake, &table.name, earlier.as_slice()).await
}

/// Drops partitions and sets the tombstones of their versions.
async fn drop_partitions(lake: &Lake, table: &TableName, partitions: &[Partition]) -> Result<()> {
    if partitions.is_empty() {
        return Ok(());
    }
    let points = &lake.settings.crash_points;
    let locations: Vec<Location> = partitions.iter().map(|partition| partition.location.clone()).collect();
    let values: Vec<PartitionValues> = partitions.iter().map(|partition| partition.values.clone()).collect();
    // The tombstones first: after the drop nothing would lead to the versions. Their time has not come before the drop is done.
    let retire = lake.versions.retire_all(&locations, lake.settings.retention);
    points.around("load: set the tombstone", retire).await?;
    points.around("load: drop a partition", lake.catalog.drop_partitions(table, &values)).await?;
    Ok(())
}

/// Gives up parts that will not be published.
///
/// # Errors
/// Those of the ledger.
pub(crate) async fn abandon_all<'p>(lake: &Lake, parts: impl IntoIterator<Item = &'p NewPart>) -> Result<()> {
    let prefixes = parts.into_iter().map(|part| Location::parse(&part.prefix)).collect::<Result<Vec<_>>>()?;
    lake.abandon_versions(&prefixes).await
}

/// Gives up the parts of a load that readers do not see.
///
/// # Errors
/// Those of the ledger and the catalog; repeating it is fine.
pub(crate) async fn abandon_unpublished(
    lake: &Lake,
    output: &TableOutput,
    parts: &[NewPart],
    rejected_part: Option<&NewPart>,
) -> Result<()> {
    let rows = TableName::new(&output.database, &output.table)?;
    let rejected = TableName::new(&output.database, &rejected_name(output))?;
    let parts = parts.iter().map(|part| (&rows, part)).chain(rejected_part.map(|part| (&rejected, part)));
    let mut unseen = Vec::new();
    for (table, part) in parts {
        let seen = if part.values.is_empty() {
            lake.catalog.table(table).await?.and_then(|table| table.location)
        } else {
            lake.catalog.partition(table, &part.values).await?.map(|partition| partition.location)
        };
        if seen.is_none_or(|seen| seen.to_string() != part.prefix) {
            unseen.push(part);
        }
    }
    abandon_all(lake, unseen).await
}

/// Publishes the parts: in one step where the catalog can.
///
/// # Errors
/// `Conflict` when another writer changed a partition since it was written; those of storage and catalog. Repeating it goes
/// on where it stopped.
pub(crate) async fn publish(
    lake: &Lake,
    plan: &Plan,
    output: &TableOutput,
    parts: &[NewPart],
) -> Result<Vec<PublishedPart>> {
    let table = targets(lake, plan, output).await?.rows;
    let mut published = Vec::with_capacity(parts.len());
    if output.partition_by.is_empty() {
        if lake.catalog.database(&table.name.database).await?.is_none() {
            let database = Database::new(&table.name.database);
            let points = &lake.settings.crash_points;
            points.around("load: make the database", lake.catalog.create_database(&database)).await?;
        }
        for part in parts {
            lake.publish_table(&table, &new_version(plan, &table, part)?).await?;
            published.push(published_part(&table, part));
        }
        return Ok(published);
    }
    let table = ensure(lake, &table).await?;
    let mut new = Vec::with_capacity(parts.len());
    let typed = TypedPartitions::list(lake.catalog.as_ref(), &table).await?;
    for part in parts {
        refuse_second_spelling(&table, typed.as_ref(), part)?;
        new.push(NewPartition { values: part.values.clone(), version: new_version(plan, &table, part)? });
        published.push(published_part(&table, part));
    }
    lake.publish_partitions(&table, &new).await?;
    if output.mode == Mode::Replace {
        let kept: BTreeSet<&PartitionValues> = parts.iter().map(|part| &part.values).collect();
        let mut old = lake.catalog.partitions(&table.name).await?;
        old.retain(|old| !kept.contains(&old.values));
        drop_partitions(lake, &table.name, &old).await?;
    }
    Ok(published)
}

/// Refuses a partition that another writer made meanwhile by another text of its values: the load finds that one when it writes
/// again.
fn refuse_second_spelling(table: &Table, typed: Option<&TypedPartitions>, part: &NewPart) -> Result<()> {
    let Some((true, known)) = typed.map(|typed| typed.find(&part.values)).transpose()? else { return Ok(()) };
    if known == part.values {
        return Ok(());
    }
    let message = format!("`{}` has the partition {} as {} now", table.name, part.values.join("/"), known.join("/"));
    Err(Error::new(ErrorKind::AlreadyExists, "publish a load", message))
}

/// Refuses to add objects of Parquet to a partition of another format.
fn takes_parquet(table: &Table, partition: &Partition) -> Result<()> {
    if TableFormat::of(&partition.storage) == Some(TableFormat::Parquet) {
        return Ok(());
    }
    let name = partition.values.join("/");
    let message = format!(
        "the partition {name} of `{}` is read by {}, and a load adds Parquet to it",
        table.name,
        reader(&partition.storage)
    );
    Err(Error::new(ErrorKind::InvalidInput, "append to a partition", message)
        .help("replace its rows (`mode: replace_partitions`), or write it anew as Parquet by `athena.apas>` first"))
}

fn published_part(table: &Table, part: &NewPart) -> PublishedPart {
    PublishedPart {
        table: Some(table.name.to_text()),
        partition: table.pairs(&part.values).map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        rows: part.rows,
        bytes: part.bytes,
        location: part.prefix.clone(),
    }
}
