//! The steps of a publish: plan, probe, submit, wait, validate, check, publish, collect.
//!
//! The caller keeps the state between two steps, so a process that stops anywhere goes on with the step it was in: each one
//! may be repeated. What a step leaves behind when it fails for good is given up and collected.

use std::sync::atomic::Ordering;

use futures::TryStreamExt as _;

use super::decide::{self, Beginning, Ending, OnEmpty, PublishMode};
use super::dml::wrap;
use super::in_place::Place;
use super::record::{Record, schema_hash, table_hash};
use super::request::{
    Contents, Plan, Probed, PublishOutcome, PublishRequest, PublishResult, PublishState, Step, Submitted, Target,
    Written,
};
use super::version::{VersionName, version_root};
use super::whole::partitions_of;
use super::{NewVersion, schema, validate};
use crate::catalog::{Column, Database, Expect, Table, TableFormat};
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::lake::Lake;
use crate::name::{Location, TableName};
use crate::query::{Destination, Query, QueryStats, QueryStatus, QueryTable};

/// How many failures of a query are enough, of those that may go well the next time (each time under a prefix of its own).
const FAILURES: u32 = 5;

/// The parameter of a table that keeps where it stood first, because its location moves with each version.
const TABLE_ROOT: &str = "suiro.table_root";

/// The table that holds the new version alone while checks run, besides the target's own name.
const NEW_VERSION: &str = "new_version";

/// Rows of a failed check that its message shows.
const SHOWN_ROWS: usize = 3;

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
                let table = keyed_table(name, values.keys(), Vec::new(), root.clone());
                (Some(table.partition_values(values)?), None, None, root)
            }
            (Target::Partition { .. }, None) => {
                return Err(not_found(format!("table `{name}` is not in the catalog")));
            }
            (Target::Partition { values, .. }, Some(table)) => {
                publishable(table, request)?;
                let values = table.partition_values(values)?;
                let current = self.catalog.partition(name, &values).await?;
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
                let root = match &request.options.location {
                    Some(location) => location.as_prefix(),
                    None => root_of(table)?,
                };
                (None, Some(table.version), Record::read(&table.parameters)?, root)
            }
        };
        match decide::beginning(request.options.save_mode, replaces.is_some()) {
            Beginning::Proceed => {}
            Beginning::Skip => return Ok(Step::Done(skipped(request, values, PublishResult::Skipped))),
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
            replaces,
            previous_rows: previous.map(|record| record.rows),
            table_root,
            version_root,
            generation: 1,
            failures: 0,
            creates_table,
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
        if options.on_empty == OnEmpty::Drop {
            return Err(invalid("objects without a table cannot be dropped when there are no rows".to_owned()));
        }
        let exists = !self.ours_at(&place).await?.objects.is_empty();
        match decide::beginning(options.save_mode, exists) {
            Beginning::Proceed => {}
            Beginning::Skip => return Ok(Step::Done(skipped(request, None, PublishResult::Skipped))),
            Beginning::Refuse => {
                let message = format!("objects are there already below `{place}`");
                return Err(Error::new(ErrorKind::AlreadyExists, "plan a publish", message));
            }
        }
        Ok(Step::Next(PublishState::Planned(Plan {
            planned_ms: self.next_plan_ms(),
            values: None,
            replaces: None,
            schema_hash: None,
            previous_rows: None,
            version_root: version_root(&place, options.version_location.as_ref())?,
            table_root: place,
            generation: 1,
            failures: 0,
            creates_table: false,
        })))
    }

    /// Returns the time of a new plan. No two plans of a process have the same: the tokens of their queries are made of it.
    fn next_plan_ms(&self) -> i64 {
        let now_ms = self.settings.clock.now().as_millisecond();
        let next = |last: i64| now_ms.max(last.saturating_add(1));
        let last = self.last_plan_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        last.map_or(now_ms, next)
    }

    /// Takes a publish one step further. Repeating it from the same state is fine.
    ///
    /// # Errors
    /// What the step meets; those that a retry of the same step may mend are [`Retryable::Yes`] or of the kind `External`.
    /// After the others the version is given up and collected, and the publish must begin anew.
    pub async fn publish_step(&self, request: &PublishRequest, state: &PublishState) -> Result<Step> {
        match state {
            PublishState::Planned(plan) => self.probe(request, plan).await,
            PublishState::Probed(probed) => self.submit(request, probed).await,
            PublishState::Submitted(submitted) => self.follow(request, submitted).await,
            PublishState::Written(written) => {
                let step = self.check(request, written).await;
                self.or_give_up(&written.submitted.prefix, step).await
            }
            PublishState::Validated(written) => {
                let step = self.make_visible(request, written).await;
                self.or_give_up(&written.submitted.prefix, step).await
            }
            PublishState::Published(outcome) => {
                // What is due can go now. The publish is done whether that succeeds or not; the next collection goes on with it.
                if let Err(error) = self.collect().await {
                    tracing::warn!(%error, "versions that are no longer needed could not be collected");
                }
                Ok(Step::Done(outcome.clone()))
            }
        }
    }

    /// Stops a publish that is not wanted any more: its query, and what it wrote.
    ///
    /// # Errors
    /// Those of the query engine and the storage.
    pub async fn cancel_publish(&self, request: &PublishRequest, state: &PublishState) -> Result<()> {
        let (prefix, query_id) = match state {
            PublishState::Planned(_) | PublishState::Published(_) => return Ok(()),
            // It may have been noted already, by a step that was stopped before its state was kept.
            PublishState::Probed(probed) => {
                (version_name(request, &probed.plan).prefix(&probed.plan.version_root)?, None)
            }
            PublishState::Submitted(submitted) => (submitted.prefix.clone(), Some(&submitted.query_id)),
            PublishState::Written(Written { submitted, .. }) | PublishState::Validated(Written { submitted, .. }) => {
                (submitted.prefix.clone(), Some(&submitted.query_id))
            }
        };
        if let Some(query_id) = query_id {
            self.engine.cancel(query_id).await?;
        }
        self.abandon_version(&prefix).await?;
        self.collect().await?;
        Ok(())
    }

    /// Returns where a table goes that is given no place: below its database's location, else `s3://warehouse/DATABASE/TABLE/`.
    ///
    /// # Errors
    /// `InvalidInput` for names that make no place.
    pub async fn default_location(&self, name: &TableName) -> Result<Location> {
        match self.catalog.database(&name.database).await?.and_then(|database| database.location) {
            Some(location) => location.join(&format!("{}/", name.table)),
            None => Location::parse(&format!("s3://warehouse/{}/{}/", name.database, name.table)),
        }
    }

    /// Compares the query's columns with the table's.
    async fn probe(&self, request: &PublishRequest, plan: &Plan) -> Result<Step> {
        let description = self.engine.describe(&request.sql, request.database.as_deref()).await?;
        let options = &request.options;
        let schema = match &request.target {
            Target::Table { partitioned_by, .. } if partitioned_by.is_empty() => {
                schema::new_schema(&description.columns)?
            }
            Target::Table { partitioned_by, .. } => schema::new_keyed_schema(&description.columns, partitioned_by)?,
            Target::Partition { values, .. } if plan.creates_table => {
                schema::new_partitioned_schema(&description.columns, values.keys().map(String::as_str))?
            }
            Target::Partition { table, .. } => {
                let table = self.existing(table).await?;
                schema::plan_schema(&table, &description.columns, options.on_schema_change, options.on_missing_column)?
            }
        };
        Ok(Step::Next(PublishState::Probed(Probed { plan: plan.clone(), schema })))
    }

    /// Starts the query that writes.
    async fn submit(&self, request: &PublishRequest, probed: &Probed) -> Result<Step> {
        let plan = &probed.plan;
        let name = version_name(request, plan);
        let prefix = name.prefix(&plan.version_root)?;
        let begun = self.begin_version(&plan.version_root, &prefix, &name.table, plan.values.as_deref()).await;
        match begun {
            Ok(()) => {}
            // A stop after it was given up, before the state of the next generation was kept.
            Err(error) if error.kind == ErrorKind::Conflict => return begin_anew(probed),
            Err(error) => return Err(error),
        }
        let mut sql = wrap(&request.sql, &probed.schema.columns);
        if request.options.contents == Contents::Nothing {
            sql.push_str("\nWHERE false");
        }
        let query = Query {
            sql,
            database: request.database.clone(),
            token: request.query_token(plan, "write"),
            destination: Destination::Objects {
                prefix: prefix.clone(),
                format: request.options.format.unwrap_or_default(),
                partition_by: probed.schema.keys.iter().map(|key| key.name.clone()).collect(),
            },
            tables: Vec::new(),
        };
        let points = &self.settings.crash_points;
        let query_id = points.around("publish: start the query", self.engine.start(&query)).await?;
        Ok(Step::Next(PublishState::Submitted(Submitted { probed: probed.clone(), prefix, query_id })))
    }

    /// Looks how far the query is.
    async fn follow(&self, request: &PublishRequest, submitted: &Submitted) -> Result<Step> {
        let prefix = &submitted.prefix;
        match self.engine.poll(&submitted.query_id).await? {
            QueryStatus::Queued | QueryStatus::Running(_) => Ok(Step::Wait),
            QueryStatus::Succeeded(stats) => {
                let step = self.validate_written(request, submitted, stats).await;
                self.or_give_up(prefix, step).await
            }
            // The process that ran it is gone; what it wrote may be half. That is no fault of the query: however often the
            // process is stopped, it begins anew.
            QueryStatus::Unknown => {
                self.give_up(prefix).await?;
                begin_anew(&submitted.probed)
            }
            QueryStatus::Failed(error) => {
                self.give_up(prefix).await?;
                let may_go_well = error.kind == ErrorKind::AlreadyExists || error.retryable == Retryable::Yes;
                let failures = submitted.probed.plan.failures + 1;
                if !may_go_well || failures >= FAILURES {
                    return Err(error);
                }
                let mut probed = submitted.probed.clone();
                probed.plan.failures = failures;
                begin_anew(&probed)
            }
            QueryStatus::Canceled => {
                self.give_up(prefix).await?;
                Err(Error::new(ErrorKind::Canceled, "follow a query", "the query was cancelled"))
            }
        }
    }

    /// Checks the objects, and decides by the number of rows.
    async fn validate_written(
        &self,
        request: &PublishRequest,
        submitted: &Submitted,
        stats: QueryStats,
    ) -> Result<Step> {
        let validated = validate::validate(&self.storage, &submitted.prefix, &stats.objects).await?;
        let plan = &submitted.probed.plan;
        let name = request.target.table();
        let written = Written {
            submitted: submitted.clone(),
            rows: validated.rows,
            stats: QueryStats { rows: validated.rows, written_bytes: validated.bytes, ..stats },
            checks_passed: 0,
        };
        let empty_table = request.options.contents == Contents::Nothing;
        match decide::ending(request.options.on_empty, validated.rows) {
            _ if empty_table => return Ok(Step::Next(PublishState::Validated(written))),
            Ending::Publish => {}
            Ending::Refuse => {
                return Err(Error::new(
                    ErrorKind::DataQuality,
                    "publish a version",
                    format!("the query for {} gave no rows", describe(name, None, plan.values.as_deref())),
                ));
            }
            Ending::Keep | Ending::Drop => {
                return Ok(Step::Next(PublishState::Validated(written)));
            }
        }
        if let Some(problem) = decide::out_of_limits(request.options.limits, validated.rows, plan.previous_rows) {
            return Err(Error::new(ErrorKind::DataQuality, "publish a version", problem));
        }
        Ok(Step::Next(PublishState::Written(written)))
    }

    /// Runs the next check on the version.
    async fn check(&self, request: &PublishRequest, written: &Written) -> Result<Step> {
        let Some(check) = request.options.checks.get(written.checks_passed) else {
            return Ok(Step::Next(PublishState::Validated(written.clone())));
        };
        let plan = &written.submitted.probed.plan;
        let version = self.version_as_table(request, written).await?;
        let mut named = version.clone();
        NEW_VERSION.clone_into(&mut named.table.name.table);
        let query = Query {
            database: request.database.clone(),
            tables: vec![version, named],
            ..Query::new(
                check.sql.clone(),
                None,
                request.query_token(plan, &format!("check {}", written.checks_passed)),
            )
        };
        let id = self.engine.start(&query).await?;
        let failed = |what: String| Error::new(ErrorKind::DataQuality, "check a version", what);
        match self.engine.poll(&id).await? {
            QueryStatus::Queued | QueryStatus::Running(_) | QueryStatus::Unknown => Ok(Step::Wait),
            QueryStatus::Succeeded(QueryStats { rows: 0, .. }) => Ok(Step::Next(PublishState::Written(Written {
                checks_passed: written.checks_passed + 1,
                ..written.clone()
            }))),
            QueryStatus::Succeeded(stats) => {
                let (columns, rows) = self.engine.fetch(&id).await?;
                let names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
                let shown = first_rows(&names, rows).await?;
                Err(failed(format!(
                    "the check `{}` returned {} rows, it must return none: {shown}",
                    check.name, stats.rows
                )))
            }
            QueryStatus::Failed(error) => Err(error.with("check", check.name.clone())),
            QueryStatus::Canceled => Err(Error::new(ErrorKind::Canceled, "check a version", "the check was cancelled")),
        }
    }

    /// Makes the table that a check reads: the target with the new version alone.
    async fn version_as_table(&self, request: &PublishRequest, written: &Written) -> Result<QueryTable> {
        let prefix = written.submitted.prefix.clone();
        let table = self.future_table(request, &written.submitted.probed).await?;
        let plan = &written.submitted.probed.plan;
        if let Some(values) = &plan.values {
            let mut partition = table.new_partition(values.clone(), prefix);
            partition.storage = request.options.format.unwrap_or_default().storage();
            return Ok(QueryTable { table, partitions: vec![partition] });
        }
        let table = Table { location: Some(prefix), ..table };
        let partitions = partitions_of(&table, &written.stats.objects)?;
        Ok(QueryTable { partitions: partitions.into_iter().map(|written| written.partition).collect(), table })
    }

    /// Makes the table as it will be: with added columns, or made from the query.
    async fn future_table(&self, request: &PublishRequest, probed: &Probed) -> Result<Table> {
        let name = request.target.table();
        let root = probed.plan.table_root.clone();
        match &request.target {
            Target::Partition { values, .. } if probed.plan.creates_table => {
                // A sibling that publishes another partition of the same new table may have made it.
                let wanted = keyed_table(name, values.keys(), probed.schema.added.clone(), root);
                Ok(self.catalog.table(name).await?.unwrap_or(wanted))
            }
            Target::Partition { .. } => {
                let mut table = self.existing(name).await?;
                for added in &probed.schema.added {
                    if !table.columns.iter().any(|column| column.name == added.name) {
                        table.columns.push(added.clone());
                    }
                }
                Ok(table)
            }
            Target::Table { .. } => {
                let (columns, keys) = (probed.schema.added.clone(), probed.schema.keys.clone());
                let mut table = Table::new(name.clone(), columns, keys, root.clone(), TableFormat::Parquet);
                table.parameters.insert(TABLE_ROOT.to_owned(), root.to_string());
                table.parameters.extend(request.options.table_parameters.clone());
                Ok(table)
            }
        }
    }

    /// Makes the version visible, or does what an empty one asks for.
    async fn make_visible(&self, request: &PublishRequest, written: &Written) -> Result<Step> {
        let submitted = &written.submitted;
        let plan = &submitted.probed.plan;
        let name = request.target.table();
        let is_empty = written.rows == 0 && request.options.contents == Contents::Rows;
        let ending = if is_empty { decide::ending(request.options.on_empty, 0) } else { Ending::Publish };
        if ending != Ending::Publish {
            let result = if ending == Ending::Drop { PublishResult::DroppedEmpty } else { PublishResult::KeptEmpty };
            if ending == Ending::Drop {
                self.drop_current(name, plan.values.as_deref()).await?;
            }
            self.abandon_version(&submitted.prefix).await?;
            let outcome = PublishOutcome {
                query_id: Some(submitted.query_id.clone()),
                stats: written.stats.clone(),
                ..skipped(request, plan.values.clone(), result)
            };
            return Ok(Step::Next(PublishState::Published(outcome)));
        }
        let mut table = self.future_table(request, &submitted.probed).await?;
        if request.options.create_table && request.options.register {
            self.make_database(name).await?;
        }
        if plan.creates_table {
            table = self.make_table(request, &submitted.probed).await?;
        } else if plan.values.is_some() {
            table = self.add_columns(plan, &submitted.probed, table).await?;
        }
        let new = NewVersion {
            record: Record {
                version: submitted.prefix.clone(),
                previous_location: None,
                rows: written.rows,
                bytes: written.stats.written_bytes,
                query_id: submitted.query_id.0.clone(),
                attempt: request.attempt.clone(),
                schema_hash: match &plan.values {
                    Some(_) => schema_hash(&table.columns),
                    None => table_hash(&table),
                },
            },
            expect: plan.replaces.map_or(Expect::Absent, Expect::Version),
        };
        let register = request.options.register;
        let (location, published) = match request.options.mode {
            PublishMode::Versioned if register => {
                let published = match &plan.values {
                    Some(values) => self.publish_partition(&table, values, &new).await?,
                    None => self.publish_whole(&table, &written.stats.objects, &new).await?,
                };
                (submitted.prefix.clone(), published)
            }
            PublishMode::Versioned | PublishMode::InPlace => {
                let location = match (&request.options.location, &plan.values) {
                    (Some(location), _) => location.as_prefix(),
                    (None, Some(values)) => table.hive_location(values)?,
                    (None, None) => plan.table_root.clone(),
                };
                let place = Place { location: &location, table: &table, values: plan.values.as_deref(), register };
                let published = self.publish_in_place(place, &written.stats.objects, &new).await?;
                (location, published)
            }
        };
        Ok(Step::Next(PublishState::Published(PublishOutcome {
            table: name.clone(),
            values: plan.values.clone(),
            result: PublishResult::Published,
            location: Some(location),
            previous_location: published.previous_location,
            query_id: Some(submitted.query_id.clone()),
            stats: written.stats.clone(),
        })))
    }

    /// Makes the database of a new table, unless it is there.
    async fn make_database(&self, name: &TableName) -> Result<()> {
        if self.catalog.database(&name.database).await?.is_some() {
            return Ok(());
        }
        let database = Database::new(&name.database);
        let made = self.catalog.create_database(&database);
        self.settings.crash_points.around("publish: make the database", made).await
    }

    /// Makes the table of a partition; one that a sibling made meanwhile must be the same.
    async fn make_table(&self, request: &PublishRequest, probed: &Probed) -> Result<Table> {
        let Target::Partition { table: name, values } = &request.target else {
            return self.existing(request.target.table()).await;
        };
        let wanted = keyed_table(name, values.keys(), probed.schema.added.clone(), probed.plan.table_root.clone());
        let put = self.catalog.put_table(&wanted, Expect::Absent);
        match self.settings.crash_points.around("publish: make the table", put).await {
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                let found = self.existing(name).await?;
                if found.columns == wanted.columns && found.partition_keys == wanted.partition_keys {
                    return Ok(found);
                }
                Err(Error::new(
                    ErrorKind::Conflict,
                    "publish a version",
                    format!("table `{name}` was made with other columns since the query was planned"),
                ))
            }
            made => made,
        }
    }

    /// Adds columns to the table of a partition, unless they are there; refuses when the columns changed meanwhile.
    async fn add_columns(&self, plan: &Plan, probed: &Probed, future: Table) -> Result<Table> {
        let current = self.existing(&future.name).await?;
        if current.columns == future.columns {
            let before = current.columns.len().saturating_sub(probed.schema.added.len());
            let planned = current.columns.get(..before).unwrap_or_default();
            let unchanged = Some(schema_hash(&current.columns)) == plan.schema_hash
                || Some(schema_hash(planned)) == plan.schema_hash;
            if unchanged {
                return Ok(current);
            }
        } else if Some(schema_hash(&current.columns)) == plan.schema_hash {
            let put = self.catalog.put_table(&future, Expect::Version(current.version));
            return self.settings.crash_points.around("publish: add columns", put).await;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "publish a version",
            format!("the columns of table `{}` were changed since the query was planned", future.name),
        ))
    }

    /// Drops what is there from the catalog, with a tombstone.
    async fn drop_current(&self, name: &TableName, values: Option<&[String]>) -> Result<()> {
        let is_there = match values {
            Some(values) => self.catalog.partition(name, values).await?.is_some(),
            None => self.catalog.table(name).await?.is_some(),
        };
        if is_there {
            let dropped = async {
                match values {
                    Some(values) => self.catalog.drop_partition(name, values).await,
                    None => self.catalog.drop_table(name).await,
                }
            };
            self.settings.crash_points.around("publish: drop", dropped).await?;
        }
        // Also when nothing is there any more: this step may have been stopped after the drop.
        self.retire_unused(name, values).await
    }

    /// Gives a version up when its step failed for good.
    async fn or_give_up(&self, prefix: &Location, step: Result<Step>) -> Result<Step> {
        if let Err(error) = &step {
            let for_good = matches!(
                error.kind,
                ErrorKind::DataQuality
                    | ErrorKind::InvalidData
                    | ErrorKind::InvalidInput
                    | ErrorKind::InvalidSql
                    | ErrorKind::UnsupportedSql
                    | ErrorKind::QueryFailed
                    | ErrorKind::SchemaMismatch
                    | ErrorKind::Conflict
                    | ErrorKind::AlreadyExists
                    | ErrorKind::NotFound
            );
            if for_good && error.retryable == Retryable::No {
                self.give_up(prefix).await?;
            }
        }
        step
    }

    async fn give_up(&self, prefix: &Location) -> Result<()> {
        self.abandon_version(prefix).await?;
        self.collect().await?;
        Ok(())
    }

    async fn existing(&self, name: &TableName) -> Result<Table> {
        let table = self.catalog.table(name).await?;
        table.ok_or_else(|| not_found(format!("table `{name}` is not in the catalog")))
    }
}

/// Names what a plan writes.
fn version_name(request: &PublishRequest, plan: &Plan) -> VersionName {
    VersionName {
        table: request.target.table().clone(),
        values: plan.values.clone(),
        planned_ms: plan.planned_ms,
        request_hash: request.hash(),
        generation: plan.generation,
    }
}

/// Goes back to submitting, under a new prefix.
#[expect(clippy::unnecessary_wraps, reason = "the end of a step like the others")]
fn begin_anew(probed: &Probed) -> Result<Step> {
    let mut probed = probed.clone();
    probed.plan.generation += 1;
    Ok(Step::Next(PublishState::Probed(probed)))
}

/// Makes the description of a table whose partition keys are text.
fn keyed_table<'a>(
    name: &TableName,
    keys: impl Iterator<Item = &'a String>,
    columns: Vec<Column>,
    root: Location,
) -> Table {
    let keys = keys.map(|key| Column::new(&key.to_lowercase(), "string")).collect();
    Table::new(name.clone(), columns, keys, root, TableFormat::Parquet)
}

/// Refuses tables whose partitions a version cannot become.
fn publishable(table: &Table, request: &PublishRequest) -> Result<()> {
    let name = &table.name;
    if table.is_view() {
        return Err(invalid(format!("`{name}` is a view: it has no partitions")));
    }
    let parameter =
        |key: &str, value: &str| table.parameters.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
    if parameter("table_type", "ICEBERG") {
        return Err(invalid(format!("`{name}` is an Iceberg table: it has no partitions in the catalog")));
    }
    if parameter("projection.enabled", "true") && request.options.mode == PublishMode::Versioned {
        return Err(invalid(format!(
            "`{name}` has partition projection: its readers go by path and would not see a new version; use \
             `publish: in_place` (not atomic), or disable the projection"
        )));
    }
    if request.options.format.is_none() && TableFormat::of(&table.storage) != Some(TableFormat::Parquet) {
        return Err(invalid(format!(
            "`{name}` is read by `{}`, and partitions are written as Parquet: give `format: parquet` when its readers take \
             each partition's own format",
            table.storage.serde
        )));
    }
    Ok(())
}

/// Returns where a table stood first.
fn root_of(table: &Table) -> Result<Location> {
    if let Some(root) = table.parameters.get(TABLE_ROOT) {
        return Location::parse(root);
    }
    table
        .location
        .as_ref()
        .map(Location::as_prefix)
        .ok_or_else(|| invalid(format!("table `{}` has no location", table.name)))
}

fn describe(name: &TableName, table: Option<&Table>, values: Option<&[String]>) -> String {
    match (table, values) {
        (_, None) => format!("table `{name}`"),
        (Some(table), Some(values)) => {
            let pairs: Vec<String> = table.pairs(values).map(|(key, value)| format!("{key}={value}")).collect();
            format!("partition `{}` of table `{name}`", pairs.join("/"))
        }
        (None, Some(values)) => format!("partition `{}` of table `{name}`", values.join("/")),
    }
}

fn skipped(request: &PublishRequest, values: Option<Vec<String>>, result: PublishResult) -> PublishOutcome {
    PublishOutcome {
        table: request.target.table().clone(),
        values,
        result,
        location: None,
        previous_location: None,
        query_id: None,
        stats: QueryStats::default(),
    }
}

/// Writes the first rows of a failed check.
async fn first_rows(names: &[String], mut rows: datafusion::execution::SendableRecordBatchStream) -> Result<String> {
    use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
    let failed =
        |error: &dyn std::error::Error| Error::new(ErrorKind::External, "read a check's rows", error.to_string());
    let options = FormatOptions::default().with_null("NULL");
    let mut shown = Vec::new();
    while let Some(batch) = rows.try_next().await.map_err(|error| failed(&error))? {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map_err(|error| failed(&error)))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if shown.len() == SHOWN_ROWS {
                return Ok(format!("{}, …", shown.join(", ")));
            }
            let cells: Vec<String> = names
                .iter()
                .zip(&columns)
                .map(|(name, column)| format!("{name}: {}", column.value(row).to_string().escape_debug()))
                .collect();
            shown.push(format!("{{{}}}", cells.join(", ")));
        }
    }
    Ok(shown.join(", "))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "plan a publish", message)
}

fn not_found(message: String) -> Error {
    Error::new(ErrorKind::NotFound, "plan a publish", message)
}
