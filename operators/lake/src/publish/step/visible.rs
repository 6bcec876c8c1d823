//! The last step of a publish: the database and the table stand, and the catalog points to the version.

use super::{TABLE_ROOT, keyed_table, skipped};
use crate::catalog::{Column, Database, Expect, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::TableName;
use crate::publish::NewVersion;
use crate::publish::decide::{self, Ending, PublishMode};
use crate::publish::in_place::Place;
use crate::publish::record::{Record, schema_hash, table_hash};
use crate::publish::request::{
    Contents, Plan, Probed, PublishOutcome, PublishRequest, PublishResult, PublishState, Step, Target, Written,
};
use crate::query::written_otherwise;

impl Lake {
    /// Makes the table as it will be: with added columns, or made from the query.
    pub(super) async fn future_table(&self, request: &PublishRequest, probed: &Probed) -> Result<Table> {
        let name = request.target.table();
        let root = probed.plan.table_root.clone();
        match &request.target {
            Target::Partition { values, .. } if probed.plan.creates_table => {
                // A sibling that publishes another partition of the same new table may have made it.
                let wanted = keyed_table(name, values.keys(), probed.schema.added.clone(), root, &probed.plan.layout());
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
                let layout = probed.plan.layout();
                let mut table = Table::new(name.clone(), columns, keys, root.clone(), layout.format.table_format());
                table.storage = layout.storage(&table.columns);
                table.parameters.insert(TABLE_ROOT.to_owned(), root.to_string());
                table.parameters.extend(request.options.table_parameters.clone());
                Ok(table)
            }
        }
    }

    /// Makes the version visible, or does what an empty one asks for.
    pub(super) async fn make_visible(&self, request: &PublishRequest, written: &Written) -> Result<Step> {
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
                ..skipped(request, plan.partition(), result)
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
            table = self.add_columns(plan, &submitted.probed, name).await?;
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
            parameters: indexmap::IndexMap::new(),
            layout: plan.layout(),
        };
        let register = request.options.register;
        if register
            && plan.replaces.is_none()
            && let Some(values) = &plan.values
        {
            self.refuse_second_text(&table, values).await?;
        }
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
            partition: plan.partition(),
            result: PublishResult::Published,
            location: Some(location),
            previous_location: published.previous_location,
            query_id: Some(submitted.query_id.clone()),
            stats: written.stats.clone(),
        })))
    }

    /// Refuses a partition that another writer made meanwhile by another text of its values: it is found when the publish is planned
    /// anew.
    async fn refuse_second_text(&self, table: &Table, values: &[String]) -> Result<()> {
        let Some(other) = written_otherwise(self.catalog.as_ref(), table, values).await? else { return Ok(()) };
        let (wanted, known) = (values.join("/"), other.values.join("/"));
        let message = format!("`{}` has the partition {wanted} as {known} now", table.name);
        Err(Error::new(ErrorKind::AlreadyExists, "publish a version", message))
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
        let (columns, root) = (probed.schema.added.clone(), probed.plan.table_root.clone());
        let wanted = keyed_table(name, values.keys(), columns, root, &probed.plan.layout());
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

    /// Adds columns to the table of a partition, unless they are there; refuses when the columns changed meanwhile. What else
    /// somebody changed of the table stays: the columns go into the table as it is now, and the write is guarded by its version.
    async fn add_columns(&self, plan: &Plan, probed: &Probed, name: &TableName) -> Result<Table> {
        let current = self.existing(name).await?;
        let added = &probed.schema.added;
        let is_there = |column: &Column| current.columns.iter().any(|known| known.name == column.name);
        let absent: Vec<Column> = added.iter().filter(|column| !is_there(column)).cloned().collect();
        let is_planned = |columns: &[Column]| Some(schema_hash(columns)) == plan.schema_hash;
        let before = current.columns.len().saturating_sub(added.len());
        if absent.is_empty() {
            if is_planned(&current.columns) || is_planned(current.columns.get(..before).unwrap_or_default()) {
                return Ok(current);
            }
        } else if is_planned(&current.columns) {
            let mut wider = current.clone();
            wider.columns.extend(absent);
            let put = self.catalog.put_table(&wider, Expect::Version(current.version));
            return self.settings.crash_points.around("publish: add columns", put).await;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "publish a version",
            format!("the columns of table `{name}` were changed since the query was planned"),
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
}
