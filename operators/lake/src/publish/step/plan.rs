//! The first step of a publish: what is there, and what is to be done about it. Nothing is changed.

use std::sync::atomic::Ordering;

use indexmap::IndexMap;

use super::{TABLE_ROOT, describe, invalid, keyed_table, not_found, skipped};
use crate::catalog::{Table, TableKind};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::publish::decide::{self, Beginning, OnEmpty, PublishMode};
use crate::publish::record::{Record, schema_hash};
use crate::publish::request::{Plan, PublishOptions, PublishRequest, PublishResult, PublishState, Step, Target};
use crate::publish::text::TextForm;
use crate::publish::version::version_root;
use crate::publish::{Buckets, Format, Layout};
use crate::query::{canonical, meaning, partition_of};

impl Lake {
    /// Begins a publish: looks at what is there, and decides. Changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a database or table that is not there; `InvalidInput` for keys that do not fit, a table that cannot be
    /// published to, or options that exclude each other; `AlreadyExists` by the save mode.
    pub async fn plan_publish(&self, request: &PublishRequest) -> Result<Step> {
        let name = request.target.table();
        if let Target::Table { partitioned_by, .. } = &request.target
            && !partitioned_by.is_empty()
            && request.options.mode == PublishMode::InPlace
        {
            return Err(invalid(format!("`{name}` is partitioned: it cannot be published in place as a whole")));
        }
        if request.options.buckets.is_some() {
            no_buckets_in_place(&request.options)?;
        }
        if !request.options.register {
            return self.plan_objects(request).await;
        }
        let create = request.options.create_table;
        if !create && self.catalog.database(&name.database).await?.is_none() {
            return Err(not_found(format!("database `{}` is not in the catalog", name.database)));
        }
        let table = self.catalog.table(name).await?;
        let creates_table = create && table.is_none() && matches!(request.target, Target::Partition { .. });
        let (values, replaces, previous, table_root) = match (&request.target, &table) {
            (Target::Partition { values, .. }, None) if create => {
                let root = self.default_location(name).await?;
                let table = keyed_table(name, values.keys(), Vec::new(), root.clone(), &Layout::default());
                (Some(table.partition_values(values)?), None, None, root)
            }
            (Target::Partition { .. }, None) => {
                return Err(not_found(format!("table `{name}` is not in the catalog")));
            }
            (Target::Partition { values, .. }, Some(table)) => {
                publishable(table, &request.options)?;
                let values = table.partition_values(values)?;
                let wrong = |error| Error { kind: ErrorKind::InvalidInput, operation: "describe a table", ..error };
                meaning(table, &values).map_err(wrong)?;
                let current = partition_of(self.catalog.as_ref(), table, &values).await?;
                // As it is registered, so that it is replaced; a new one as everybody would write it.
                let values = match &current {
                    Some(current) => current.values.clone(),
                    None => canonical(table, &values)?,
                };
                let current = self.put_right(name, &values, current).await?;
                let record = current.as_ref().map(|current| Record::read(&current.parameters)).transpose()?.flatten();
                let root = root_of(table)?;
                (Some(values), current.map(|current| current.version), record, root)
            }
            (Target::Table { .. }, None) => {
                let root = match &request.options.location {
                    Some(location) => location.as_prefix(),
                    None => self.default_location(name).await?,
                };
                (None, None, None, root)
            }
            (Target::Table { .. }, Some(table)) => {
                if table.is_view() {
                    return Err(invalid(format!("`{name}` is a view: only a table can be replaced")));
                }
                plain(table)?;
                let root = match &request.options.location {
                    Some(location) => location.as_prefix(),
                    None => root_of(table)?,
                };
                (None, Some(table.version), Record::read(&table.parameters)?, root)
            }
        };
        let keys: Vec<String> = match (&request.target, &table) {
            (Target::Table { .. }, _) => Vec::new(),
            (Target::Partition { .. }, Some(table)) => {
                table.partition_keys.iter().map(|key| key.name.clone()).collect()
            }
            (Target::Partition { values, .. }, None) => values.keys().map(|key| key.to_lowercase()).collect(),
        };
        match decide::beginning(request.options.save_mode, replaces.is_some()) {
            Beginning::Proceed => {}
            Beginning::Skip => {
                let partition = keys.into_iter().zip(values.into_iter().flatten()).collect();
                return Ok(Step::Done(skipped(request, partition, PublishResult::Skipped)));
            }
            Beginning::Refuse => {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    "plan a publish",
                    format!("{} is there already", describe(name, table.as_ref(), values.as_deref())),
                ));
            }
        }
        let version_root = version_root(&table_root, request.options.version_location.as_ref())?;
        if request.options.mode == PublishMode::InPlace {
            let place = match (&request.options.location, &values, &table) {
                (Some(location), _, _) => Some(location.as_prefix()),
                (None, Some(values), Some(table)) => Some(table.hive_location(values)?),
                (None, Some(_), None) => None,
                (None, None, _) => Some(table_root.clone()),
            };
            if let Some(place) = place {
                self.ours_at(&place).await?;
            }
        }
        Ok(Step::Next(PublishState::Planned(Plan {
            planned_ms: self.next_plan_ms(),
            schema_hash: table.as_ref().map(|table| schema_hash(&table.columns)),
            values,
            keys,
            replaces,
            previous_rows: previous.map(|record| record.rows),
            table_root,
            version_root,
            generation: 1,
            failures: 0,
            races: 0,
            spent: Box::default(),
            creates_table,
            in_batches: false,
            format: format_of(request, table.as_ref()),
            buckets: buckets_of(request, table.as_ref()),
        })))
    }

    /// Begins a publish of objects that no table is told of.
    async fn plan_objects(&self, request: &PublishRequest) -> Result<Step> {
        let options = &request.options;
        let Target::Table { .. } = &request.target else {
            return Err(invalid("a partition cannot be published without its table".to_owned()));
        };
        let Some(place) = options.location.as_ref().map(Location::as_prefix) else {
            return Err(invalid("objects without a table need a `location`: nothing else names them".to_owned()));
        };
        if options.buckets.is_some() {
            return Err(invalid(
                "objects without a table have no buckets: the names of their copies do not tell them".to_owned(),
            ));
        }
        if options.on_empty == OnEmpty::Drop {
            return Err(invalid("objects without a table cannot be dropped when there are no rows".to_owned()));
        }
        let exists = self.storage.has_data(&place).await?;
        match decide::beginning(options.save_mode, exists) {
            Beginning::Proceed => {
                self.ours_at(&place).await?;
            }
            Beginning::Skip => return Ok(Step::Done(skipped(request, IndexMap::new(), PublishResult::Skipped))),
            Beginning::Refuse => {
                let message = format!("objects are there already below `{place}`");
                return Err(Error::new(ErrorKind::AlreadyExists, "plan a publish", message));
            }
        }
        Ok(Step::Next(PublishState::Planned(Plan {
            planned_ms: self.next_plan_ms(),
            values: None,
            keys: Vec::new(),
            replaces: None,
            schema_hash: None,
            previous_rows: None,
            version_root: version_root(&place, options.version_location.as_ref())?,
            table_root: place,
            generation: 1,
            failures: 0,
            races: 0,
            spent: Box::default(),
            creates_table: false,
            in_batches: false,
            format: options.format,
            buckets: options.buckets.clone(),
        })))
    }

    /// Returns the time of a new plan. No two plans of a process have the same: the tokens of their queries are made of it.
    fn next_plan_ms(&self) -> i64 {
        let now_ms = self.settings.clock.now().as_millisecond();
        let next = |last: i64| now_ms.max(last.saturating_add(1));
        let last = self.last_plan_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        last.map_or(now_ms, next)
    }

    /// Returns where a table goes that is given no place: below its database's location, else `WAREHOUSE/DATABASE/TABLE/`,
    /// where the warehouse is `s3://warehouse/` in a folder, and what the settings say on AWS.
    ///
    /// # Errors
    /// `InvalidInput` for names that make no place, and on AWS without a warehouse.
    pub async fn default_location(&self, name: &TableName) -> Result<Location> {
        if let Some(location) = self.catalog.database(&name.database).await?.and_then(|database| database.location) {
            return location.join(&format!("{}/", name.table));
        }
        let warehouse = self.warehouse()?.ok_or_else(|| {
            invalid(format!("there is no place for table `{name}`: its database has no location in the catalog"))
                .help("give `location`, or set `warehouse:` of the profile to a prefix of yours, `s3://bucket/prefix/`")
        })?;
        warehouse.join(&format!("{}/{}/", name.database, name.table))
    }
}

/// Refuses tables whose partitions a version cannot become.
///
/// # Errors
/// `InvalidInput` that says why not, and what can be done.
pub fn publishable(table: &Table, options: &PublishOptions) -> Result<()> {
    let name = &table.name;
    if table.is_view() {
        return Err(invalid(format!("`{name}` is a view: it has no partitions")));
    }
    let parameter =
        |key: &str, value: &str| table.parameters.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
    plain(table)?;
    if parameter("projection.enabled", "true") && options.mode == PublishMode::Versioned {
        return Err(invalid(format!(
            "`{name}` has partition projection: its readers go by path and would not see a new version; use \
             `publish: in_place` (not atomic), or disable the projection (`projection.enabled` = `false`), or publish the \
             table as a whole below a version in its `storage.location.template`"
        )));
    }
    let standing = Buckets::of(&table.storage);
    if let (Some(standing), Some(wanted)) = (&standing, &options.buckets)
        && standing != wanted
    {
        return Err(invalid(format!(
            "`{name}` has {} buckets by {}: its partitions have the same: leave `bucketed_by` and `bucket_count` out",
            standing.count,
            standing.columns.join(", ")
        )));
    }
    if standing.is_some() {
        no_buckets_in_place(options)?;
        // Another hash, which nobody writes who reads these tables.
        if parameter("bucketing_version", "2") {
            return Err(invalid(format!(
                "`{name}` has the `bucketing_version` 2, Hive's second way to deal rows out to buckets, which is not written"
            ))
            .help(
                "Athena's own tables have 1: make the table anew with `bucketed_by` (`athena.ctas>`), or without buckets",
            ));
        }
    }
    // What the table says of text counts for all text of its partitions.
    if let Some(text @ Format::Text(..)) = options.format
        && let Some(Err(why)) = TextForm::of_table(&text.storage(&table.columns), &table.parameters)
    {
        return Err(invalid(format!(
            "partitions of `{name}` cannot be text, because of {why}: readers would apply it to them"
        )));
    }
    if options.format.is_none()
        && let Err(why) = Format::of_table(table)
    {
        return Err(invalid(format!(
            "partitions of `{name}` are not written in the form that it is read in, because of {why}: give `format: parquet` when \
             its readers take each partition's own format"
        )));
    }
    Ok(())
}

/// Refuses a table with a log of its own: its readers would not follow to a version, and the pointer to its log would be lost.
///
/// # Errors
/// `InvalidInput` that says what the table is, and what can be done.
pub fn plain(table: &Table) -> Result<()> {
    let Some(kind) = TableKind::of(table) else { return Ok(()) };
    Err(invalid(format!("`{}` is {}: it cannot be published to", table.name, kind.described()))
        .help("drop the table first (`athena.drop_table>`), or publish to one of another name"))
}

/// Refuses buckets whose objects get other names.
fn no_buckets_in_place(options: &PublishOptions) -> Result<()> {
    if options.mode == PublishMode::Versioned {
        return Ok(());
    }
    Err(invalid(
        "buckets are told by the names of their objects, which get others in place: use `publish: version`".to_owned(),
    ))
}

/// Returns the format that is written: what the request says, else for a partition that of its table.
fn format_of(request: &PublishRequest, table: Option<&Table>) -> Option<Format> {
    let of_table = || match (&request.target, table) {
        // What cannot be written is refused before.
        (Target::Partition { .. }, Some(table)) => Format::of_table(table).ok(),
        _ => None,
    };
    request.options.format.or_else(of_table)
}

/// Returns the buckets that are written: what the request says, else for a partition those of its table, which its readers count on.
fn buckets_of(request: &PublishRequest, table: Option<&Table>) -> Option<Buckets> {
    let of_table = || match (&request.target, table) {
        (Target::Partition { .. }, Some(table)) => Buckets::of(&table.storage),
        _ => None,
    };
    request.options.buckets.clone().or_else(of_table)
}

/// Returns where a table stood first.
pub(in crate::publish) fn root_of(table: &Table) -> Result<Location> {
    if let Some(root) = table.parameters.get(TABLE_ROOT) {
        return Location::parse(root);
    }
    table
        .location
        .as_ref()
        .map(Location::as_prefix)
        .ok_or_else(|| invalid(format!("table `{}` has no location", table.name)))
}
