//! What the catalog points to: nothing goes that is pointed to.
//!
//! In a folder all tables and partitions are looked at. An account on AWS has thousands of tables with many partitions each:
//! there it is the places of all tables that can be listed, and the partitions of the tables that versions were written for and
//! of those that lie where they lie.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;

use super::step::TABLE_ROOT;
use super::versions::WrittenVersion;
use crate::catalog::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};

/// How long it is remembered what the tables of other databases point to. A version goes a day after it was replaced: whoever
/// points another database to it has had that time to be seen.
const REMEMBERED: Duration = Duration::from_mins(10);

/// How many databases are listed at a time.
const LISTED_AT_ONCE: usize = 8;

/// What is remembered of databases that no version was written for.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    tables: Mutex<Remembered>,
}

/// The tables of databases, with the time they were listed at.
type Remembered = HashMap<String, (Instant, Arc<Vec<Place>>)>;

/// Where a table is.
#[derive(Debug, Clone)]
struct Place {
    name: TableName,
    /// Where it is now, and where it stood first.
    locations: Vec<Location>,
    has_partitions: bool,
}

impl Place {
    fn of(table: &Table) -> Self {
        let first = table.parameters.get(TABLE_ROOT).and_then(|root| Location::parse(root).ok());
        let locations = table.location.iter().cloned().chain(first).map(|location| location.as_prefix()).collect();
        Self { name: table.name.clone(), locations, has_partitions: !table.partition_keys.is_empty() }
    }

    /// Tells whether it is at one of these prefixes, above or below.
    fn is_near(&self, prefixes: &BTreeSet<Location>) -> bool {
        let near =
            |location: &Location| prefixes.iter().any(|prefix| prefix.contains(location) || location.contains(prefix));
        self.locations.iter().any(near)
    }
}

impl Elsewhere {
    fn tables(&self) -> MutexGuard<'_, Remembered> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, database: &str) -> Option<Arc<Vec<Place>>> {
        let tables = self.tables();
        let (since, places) = tables.get(database)?;
        (since.elapsed() < REMEMBERED).then(|| Arc::clone(places))
    }
}

impl Lake {
    /// Lists the locations that the catalog points to and that could be those of these versions.
    ///
    /// # Errors
    /// Those of the catalog; `PermissionDenied` when a database may not be listed, which says what is missing: then nobody can
    /// tell what may go.
    pub(super) async fn referenced(&self, versions: &[WrittenVersion]) -> Result<BTreeSet<Location>> {
        let mut referenced = BTreeSet::new();
        if versions.is_empty() {
            return Ok(referenced);
        }
        let has_all = self.storage.folder().is_some();
        let own: BTreeSet<&TableName> = versions.iter().map(|version| &version.table).collect();
        let own_databases: BTreeSet<&str> = own.iter().map(|name| name.database.as_str()).collect();
        let near: BTreeSet<Location> = versions.iter().flat_map(places_of).collect();
        let databases = self.catalog.databases().await.map_err(|error| unlisted(error, None))?;
        let lists: Vec<_> = databases
            .iter()
            .map(|database| {
                let is_fresh = has_all || own_databases.contains(database.name.as_str());
                self.places_in(&database.name, is_fresh)
            })
            .collect();
        let all: Vec<Arc<Vec<Place>>> = futures::stream::iter(lists).buffered(LISTED_AT_ONCE).try_collect().await?;
        for place in all.iter().flat_map(|places| places.iter()) {
            referenced.extend(place.locations.first().cloned());
            if place.has_partitions && (has_all || own.contains(&place.name) || place.is_near(&near)) {
                let partitions = match self.catalog.partitions(&place.name).await {
                    // It was dropped meanwhile.
                    Err(error) if error.kind == ErrorKind::NotFound => continue,
                    partitions => partitions.map_err(|error| unlisted(error, Some(&place.name.database)))?,
                };
                referenced.extend(partitions.iter().map(|partition| partition.location.as_prefix()));
            }
        }
        Ok(referenced)
    }

    async fn places_in(&self, database: &str, is_fresh: bool) -> Result<Arc<Vec<Place>>> {
        if let Some(known) = self.elsewhere.known(database).filter(|_| !is_fresh) {
            return Ok(known);
        }
        let tables = match self.catalog.tables(database).await {
            // It was dropped meanwhile.
            Err(error) if error.kind == ErrorKind::NotFound => Vec::new(),
            tables => tables.map_err(|error| unlisted(error, Some(database)))?,
        };
        let places: Arc<Vec<Place>> = Arc::new(tables.iter().map(Place::of).collect());
        if !is_fresh {
            self.elsewhere.tables().insert(database.to_owned(), (Instant::now(), Arc::clone(&places)));
        }
        Ok(places)
    }
}

/// The prefixes that a table lies at which could have something to do with a version: its root, and the table that stands beside it.
fn places_of(version: &WrittenVersion) -> Vec<Location> {
    let root = version.location.parent().and_then(|values| values.parent());
    let beside = root.as_ref().and_then(|root| {
        let table = root.to_string();
        Location::parse(&format!("{}/", table.strip_suffix("--versions/")?)).ok()
    });
    root.into_iter().chain(beside).collect()
}

/// Says what follows from a list that may not be read.
fn unlisted(error: Error, database: Option<&str>) -> Error {
    if error.kind != ErrorKind::PermissionDenied {
        return error;
    }
    let (what, actions) = match database {
        Some(database) => (format!("the tables of database `{database}`"), "`glue:GetTables` and `glue:GetPartitions`"),
        None => ("the databases".to_owned(), "`glue:GetDatabases`"),
    };
    let message = format!(
        "nothing is collected: {what} may not be listed ({actions}), and could point to what would go. Versions that were \
         replaced, and those of a state that was lost, stay and cost room until that is allowed; no reader is affected"
    );
    Error::new(ErrorKind::PermissionDenied, "collect versions", message)
        .help(format!("let who suiro acts as read all databases: {actions} (docs/aws_permissions.md)"))
        .source(error)
}
