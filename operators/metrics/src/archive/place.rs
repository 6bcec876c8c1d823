//! Where a window is in the catalog: its table, its partition, and what its parameters say.

use indexmap::IndexMap;
use lake::catalog::{Column, Database, Expect, Partition, Table, TableFormat};
use lake::name::{Location, TableName};
use lake::publish::record::{Record, schema_hash};
use lake::publish::version::request_hash;
use lake::publish::{Layout, NewVersion, Published, VersionName, plain, version_root};
use lake::{Error, ErrorKind, Lake, Result};

use super::Form;
use crate::checksum::{PARTS, PartSums};
use crate::ledger::{Archived, WindowState};
use crate::tiers::{Tier, TierKind};
use crate::window::Window;

/// The whole record of a generation, as JSON.
const ARCHIVED: &str = "suiro.metrics.archived";

/// How far the window is, in the ledger's words.
const STATE: &str = "suiro.metrics.state";

/// The 256 sums of its objects, as hexadecimal digits.
const PARTS_KEY: &str = "suiro.metrics.parts";

const OPERATION: &str = "archive a window";

/// The partition of a window.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its table, as it is in the catalog.
    pub(crate) table: Table,
    /// Its values.
    pub(crate) values: Vec<String>,
    /// What is there now.
    pub(crate) partition: Option<Partition>,
}

impl Place {
    /// Finds the place of a window; none when its table is not there.
    ///
    /// # Errors
    /// Those of the catalog; `SchemaMismatch` for a table of that name that is no tier's; `InvalidInput` for one with a log of its own.
    pub(crate) async fn find(lake: &Lake, tier: &Tier, window: Window, form: Form) -> Result<Option<Self>> {
        let (name, ..) = parts(tier)?;
        let Some(table) = lake.catalog.table(name).await? else { return Ok(None) };
        plain(&table)?;
        check_columns(&table, tier, form)?;
        let values = values_of(tier, window);
        let partition = lake.catalog.partition(name, &values).await?;
        Ok(Some(Self { table, values, partition }))
    }

    /// Finds the place of a window, and makes its table when it is not there.
    ///
    /// # Errors
    /// As [`Place::find`].
    pub(crate) async fn make(lake: &Lake, tier: &Tier, window: Window, form: Form) -> Result<Self> {
        if let Some(place) = Self::find(lake, tier, window, form).await? {
            return Ok(place);
        }
        let (name, location, keys) = parts(tier)?;
        let points = &lake.settings.crash_points;
        let database = Database::new(&name.database);
        points.around("metrics: make the database", lake.catalog.create_database(&database)).await?;
        let location = match location {
            Some(location) => location.as_prefix(),
            None => lake.default_location(name).await?,
        };
        let table = Table::new(name.clone(), form.columns(), keys, location, TableFormat::Parquet);
        match points.around("metrics: make the table", lake.catalog.put_table(&table, Expect::Absent)).await {
            // Another process made it meanwhile.
            Err(error) if error.kind == ErrorKind::AlreadyExists => {}
            made => drop(made?),
        }
        Self::find(lake, tier, window, form).await?.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, OPERATION, format!("the table `{name}` was dropped meanwhile"))
        })
    }

    /// Returns the root of the table's versions.
    ///
    /// # Errors
    /// `InvalidInput` for a table that is a whole bucket.
    pub(crate) fn root(&self) -> Result<Location> {
        let location = self.table.location.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, OPERATION, format!("`{}` is a view", self.table.name))
        })?;
        version_root(location, None)
    }

    /// Names a generation's prefix.
    ///
    /// # Errors
    /// As [`Place::root`].
    pub(crate) fn prefix(&self, generation: u32, attempt: &str, planned_ms: i64) -> Result<Location> {
        let name = VersionName {
            table: self.table.name.clone(),
            values: Some(self.values.clone()),
            planned_ms,
            request_hash: request_hash(&["metrics".to_owned(), attempt.to_owned()]),
            generation,
        };
        name.prefix(&self.root()?)
    }

    /// Points the partition to a generation: one catalog call. Repeating it after a lost answer is fine.
    ///
    /// # Errors
    /// As [`Lake::publish_partition`].
    pub(crate) async fn publish(&self, lake: &Lake, archived: &Archived, sums: &PartSums) -> Result<Published> {
        let record = Record {
            version: archived.prefix.clone(),
            previous_location: None,
            rows: archived.figures.count,
            bytes: archived.bytes(),
            query_id: format!("metrics-g{}", archived.generation),
            attempt: archived.attempt.clone(),
            schema_hash: schema_hash(&self.table.columns),
        };
        let expect = self.partition.as_ref().map_or(Expect::Absent, |partition| Expect::Version(partition.version));
        let new = NewVersion { record, expect, parameters: parameters_of(archived, sums)?, layout: Layout::default() };
        Box::pin(lake.publish_partition(&self.table, &self.values, &new)).await
    }
}

/// Returns the table and the values of a window's partition.
///
/// # Errors
/// `InvalidInput` for a store.
pub(crate) fn partition_of(tier: &Tier, window: Window) -> Result<(&TableName, Vec<String>)> {
    let (name, ..) = parts(tier)?;
    Ok((name, values_of(tier, window)))
}

/// Returns the values of a window's partition.
fn values_of(tier: &Tier, window: Window) -> Vec<String> {
    vec![tier.step.to_string(), window.label()]
}

fn parts(tier: &Tier) -> Result<(&TableName, Option<&Location>, Vec<Column>)> {
    match &tier.kind {
        TierKind::Archive { table, unit, location } => {
            let keys = vec![Column::new("step", "string"), Column::new(unit.key(), "string")];
            Ok((table, location.as_ref(), keys))
        }
        TierKind::Store { .. } => {
            let message = format!("expected a Parquet tier, found the store `{}`", tier.name);
            Err(Error::new(ErrorKind::InvalidInput, OPERATION, message))
        }
    }
}

fn check_columns(table: &Table, tier: &Tier, form: Form) -> Result<()> {
    let (name, _, keys) = parts(tier)?;
    let typed = |columns: &[Column]| -> Vec<String> {
        columns.iter().map(|column| format!("{} {}", column.name, column.hive_type)).collect()
    };
    let (found, expected) = (typed(&table.columns), typed(&form.columns()));
    let (found_keys, expected_keys) = (typed(&table.partition_keys), typed(&keys));
    if found == expected && found_keys == expected_keys {
        return Ok(());
    }
    let message = format!(
        "expected the table `{name}` of the tier `{}` with the columns `{}` and the keys `{}`, found `{}` and `{}`",
        tier.name,
        expected.join(", "),
        expected_keys.join(", "),
        found.join(", "),
        found_keys.join(", ")
    );
    Err(Error::new(ErrorKind::SchemaMismatch, OPERATION, message).help("give the tier a table of its own"))
}

/// Writes what a generation is as parameters of its partition: for people, for SQL, and for a ledger that was lost.
fn parameters_of(archived: &Archived, sums: &PartSums) -> Result<IndexMap<String, String>> {
    let text = serde_json::to_string(archived)
        .map_err(|error| Error::new(ErrorKind::InvalidInput, OPERATION, error.to_string()))?;
    let figures = &archived.figures;
    let time = |time_ms: Option<i64>| time_ms.map(crate::time::shown).unwrap_or_default();
    let pairs = [
        ("suiro.metrics.generation", archived.generation.to_string()),
        ("suiro.metrics.count", figures.count.to_string()),
        ("suiro.metrics.series", figures.series.to_string()),
        ("suiro.metrics.first", time(figures.min_ms)),
        ("suiro.metrics.last", time(figures.max_ms)),
        ("suiro.metrics.checksum", figures.checksum.to_string()),
        (STATE, WindowState::Written.word().to_owned()),
        (ARCHIVED, text),
        (PARTS_KEY, hex(&sums.to_bytes())),
    ];
    Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// What a window of a tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Points, which come from a store.
    Points,
    /// Buckets, which are made of a finer tier.
    Buckets,
}

/// Tells what a partition holds when it is a window of a tier, by what it says of itself; none of any other one.
pub fn kind_of(partition: &Partition) -> Option<WindowKind> {
    let archived: Archived = serde_json::from_str(partition.parameters.get(ARCHIVED)?).ok()?;
    Some(if archived.made_from.is_empty() { WindowKind::Points } else { WindowKind::Buckets })
}

/// Reads what a partition says it is; none for one that no tier made, or that an undo pointed elsewhere.
///
/// # Errors
/// `InvalidData` for parameters that cannot be read.
pub(crate) fn standing_of(partition: &Partition) -> Result<Option<Archived>> {
    let Some(text) = partition.parameters.get(ARCHIVED) else { return Ok(None) };
    let archived: Archived = serde_json::from_str(text).map_err(|error| {
        let message = format!(
            "the parameter `{ARCHIVED}` of the partition `{}` cannot be read: {error}",
            partition.values.join("/")
        );
        Error::new(ErrorKind::InvalidData, OPERATION, message)
    })?;
    Ok((archived.prefix == partition.location).then_some(archived))
}

/// Notes in a window's partition how far the window is; a note that is there already is no call.
///
/// # Errors
/// As [`Lake::note_on_partition`].
pub(crate) async fn note_state(
    lake: &Lake,
    tier: &Tier,
    window: Window,
    standing: &Archived,
    state: WindowState,
) -> Result<()> {
    let (name, ..) = parts(tier)?;
    lake.note_on_partition(name, &values_of(tier, window), &standing.prefix, (STATE, state.word())).await
}

/// Reads how far a partition says that its window is.
pub(crate) fn state_of(partition: &Partition) -> WindowState {
    let noted = partition.parameters.get(STATE).and_then(|word| WindowState::of(word));
    noted.filter(|state| *state != WindowState::Open).unwrap_or(WindowState::Written)
}

/// Reads the sums that a partition tells of.
pub(crate) fn parts_of(partition: &Partition) -> Option<PartSums> {
    let text = partition.parameters.get(PARTS_KEY)?;
    let digits = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    PartSums::from_bytes(&bytes.filter(|bytes| bytes.len() == PARTS * 8)?)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
