//! `suiro partition list|show|undo|redo`.

use engine::diagnostic::code;
use futures::{StreamExt as _, TryStreamExt as _};
use indexmap::IndexMap;
use lake::catalog::{self, Partition, PartitionValues};
use lake::publish::record::Record;
use lake::publish::{Direction, OtherVersion};
use lake::query::partition_of;
use lake::words::{bytes, figure};
use lake::{ErrorKind, Lake};
use operators::Purpose;
use serde_json::json;

use super::metrics::astray;
use super::table::{find, name, stored_as};
use crate::cli;
use crate::compose::Base;
use crate::failure::Failure;
use crate::output::{right, stdout_width, table, text};

/// How many partitions are looked at at a time.
const LOOKS_AT_ONCE: usize = 16;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Partition) -> Result<(), Failure> {
    let settings = base.settings(None)?;
    let purpose = match command {
        cli::Partition::List { .. } | cli::Partition::Show { .. } => Purpose::Look,
        cli::Partition::Undo { .. } | cli::Partition::Redo { .. } => Purpose::Work,
    };
    let Some(lake) = base.existing_lake(&settings, purpose).await? else {
        return Err(super::table::no_tables(&settings));
    };
    match command {
        cli::Partition::List { table } => list(base, &lake, &find(&lake, &name(table)?).await?).await,
        cli::Partition::Show { table, partition } => {
            let table = find(&lake, &name(table)?).await?;
            show(base, &lake, &table, &values(&table, partition)?).await
        }
        cli::Partition::Undo { table, partition } => {
            let table = find(&lake, &name(table)?).await?;
            undo(base, &lake, &table, &values(&table, partition)?, Direction::Undo).await
        }
        cli::Partition::Redo { table, partition } => {
            let table = find(&lake, &name(table)?).await?;
            undo(base, &lake, &table, &values(&table, partition)?, Direction::Redo).await
        }
    }
}

/// Reads `dt=2024-03-01/hour=5`.
fn values(table: &catalog::Table, partition: &str) -> Result<PartitionValues, Failure> {
    let mut pairs = IndexMap::new();
    for pair in partition.split('/').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("expected a partition such as `dt=2024-03-01`, found `{partition}`")));
        };
        pairs.insert(key.to_lowercase(), value.to_owned());
    }
    Ok(table.partition_values(&pairs)?)
}

/// Writes a partition as users do.
fn partition_name(table: &catalog::Table, values: &[String]) -> String {
    table.pairs(values).map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("/")
}

async fn list(base: &Base, lake: &Lake, found: &catalog::Table) -> Result<(), Failure> {
    let partitions = lake.catalog.partitions(&found.name).await?;
    if partitions.is_empty() {
        base.output.note(&format!("`{}` has no partitions", found.name));
        return Ok(());
    }
    let others: Vec<_> = partitions.iter().map(|partition| other_version(lake, partition)).collect();
    let others: Vec<Other> = futures::stream::iter(others).buffered(LOOKS_AT_ONCE).try_collect().await?;
    let mut rows = table(&["partition", "rows", "bytes", "undo", "location"]);
    for (partition, other) in partitions.iter().zip(others) {
        let name = partition_name(found, &partition.values);
        let record = Record::read(&partition.parameters)?;
        if base.output.json {
            base.output.json_line(&json!({
                "table": found.name.to_string(),
                "partition": name,
                "rows": record.as_ref().map(|record| record.rows),
                "bytes": record.as_ref().map(|record| record.bytes),
                "location": partition.location,
                "previous_location": record.as_ref().and_then(|record| record.previous_location.as_ref()),
                "undo": other.allows(Direction::Undo),
                "redo": other.allows(Direction::Redo),
            }))?;
            continue;
        }
        rows.add_row(vec![
            name,
            record.as_ref().map_or_else(String::new, |record| figure(record.rows)),
            record.as_ref().map_or_else(String::new, |record| bytes(record.bytes)),
            other.word().to_owned(),
            partition.location.to_string(),
        ]);
    }
    if !base.output.json {
        right(&mut rows, &[1, 2]);
        base.output.line(&text(&rows, stdout_width()))?;
    }
    Ok(())
}

/// What a partition can be pointed to besides what it is pointed to.
#[derive(Debug)]
enum Other {
    /// Nothing, and it never could.
    None,
    /// A version; it may be gone.
    Version(OtherVersion),
    /// A version that may not be looked at.
    Hidden,
}

impl Other {
    /// Says in a word what `suiro partition undo` and `redo` would do.
    fn word(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Version(OtherVersion { is_there: false, .. }) => "gone",
            Self::Version(OtherVersion { direction: Direction::Undo, .. }) => "yes",
            Self::Version(OtherVersion { direction: Direction::Redo, .. }) => "redo",
            Self::Hidden => "not known",
        }
    }

    /// Tells whether there is something to go to; none when that is not known.
    fn allows(&self, direction: Direction) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Version(version) => Some(version.is_there && version.direction == direction),
            Self::Hidden => None,
        }
    }
}

/// Looks at what a partition could be pointed to. Who may see the catalog need not be one who may read the objects.
async fn other_version(lake: &Lake, partition: &Partition) -> Result<Other, Failure> {
    match lake.other_version(partition).await {
        Ok(found) => Ok(found.map_or(Other::None, Other::Version)),
        Err(error) if error.kind == ErrorKind::PermissionDenied => Ok(Other::Hidden),
        Err(error) => Err(error.into()),
    }
}

/// Returns a partition, or says that it is not there.
async fn find_partition(lake: &Lake, found: &catalog::Table, values: &[String]) -> Result<Partition, Failure> {
    if let Some(partition) = partition_of(lake.catalog.as_ref(), found, values).await? {
        return Ok(partition);
    }
    let name = partition_name(found, values);
    Err(Failure::of_code(code::NOT_FOUND, format!("there is no partition {name} of `{}`", found.name))
        .help(format!("`suiro partition list {}` shows all", found.name)))
}

async fn show(base: &Base, lake: &Lake, found: &catalog::Table, values: &[String]) -> Result<(), Failure> {
    let partition = find_partition(lake, found, values).await?;
    let name = partition_name(found, &partition.values);
    if base.output.json {
        return Ok(base.output.json_line(&partition)?);
    }
    base.output.line(&format!("{} {name}", found.name))?;
    base.output.line(&format!("location {}", partition.location))?;
    base.output.line(&stored_as(&partition.storage))?;
    if !partition.parameters.is_empty() {
        base.output.line("")?;
        let mut rows = table(&["parameter", "value"]);
        for (key, value) in &partition.parameters {
            rows.add_row(vec![key, value]);
        }
        base.output.line(&text(&rows, stdout_width()))?;
    }
    Ok(())
}

async fn undo(
    base: &Base,
    lake: &Lake,
    found: &catalog::Table,
    values: &[String],
    direction: Direction,
) -> Result<(), Failure> {
    let partition = find_partition(lake, found, values).await?;
    let (name, kind) = (partition_name(found, &partition.values), metrics::kind_of(&partition));
    let undone = lake.undo_partition(&found.name, &partition.values, direction).await.map_err(|error| {
        let is_missing = error.kind == lake::ErrorKind::NotFound;
        let failure = Failure::from(error);
        if is_missing { failure.help(where_versions_are(found, &name, direction)) } else { failure }
    })?;
    if base.output.json {
        return Ok(base.output.json_line(&json!({
            "table": found.name.to_string(),
            "partition": name,
            "location": undone.to,
            "undone_location": undone.from,
        }))?);
    }
    let what = match (direction, undone.from.is_some()) {
        (Direction::Undo, true) => "is what it was before",
        (Direction::Undo, false) => "is what it was before already, `suiro partition redo` goes forward again",
        (Direction::Redo, true) => "is again what was undone",
        (Direction::Redo, false) => "is the latest version already",
    };
    base.output.note(&format!("{} {name} {what}: {}", found.name, undone.to));
    if let Some(kind) = kind {
        // The tier has a word in it, which the catalog does not know.
        base.output.note(&match direction {
            Direction::Undo => astray::after_undo(&found.name.to_string(), &name, kind),
            Direction::Redo => astray::AFTER_REDO.to_owned(),
        });
    }
    Ok(())
}

/// Says how to see which partitions have a version to go to, and which one.
fn where_versions_are(found: &catalog::Table, partition: &str, direction: Direction) -> String {
    let table = &found.name;
    let said = match direction {
        Direction::Undo => "",
        Direction::Redo => " with `redo`",
    };
    format!(
        "`suiro partition list {table}` says{said} under `undo` which partitions have one, `suiro partition show {table} {partition}` names \
         the versions of this one"
    )
}
