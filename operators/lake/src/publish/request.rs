//! What a publish is asked for, and what is kept of it between two steps.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::decide::{OnEmpty, PublishMode, RowLimits, SaveMode};
use super::schema::{OnMissingColumn, OnSchemaChange, SchemaPlan};
use super::{Buckets, Format, Layout, schema, version};
use crate::catalog::Table;
use crate::error::Result;
use crate::name::{Location, TableName};
use crate::query::{QueryId, QueryOptions, QueryStats, ResultColumn};
use crate::sql::constants;

/// A SELECT that becomes a partition or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishRequest {
    /// What it becomes.
    pub target: Target,
    /// The SELECT, rendered once: a retry must not read a file anew.
    pub sql: String,
    /// The database of unqualified tables.
    pub database: Option<String>,
    /// How.
    pub options: PublishOptions,
    /// The attempt that asks; recorded in the catalog.
    pub attempt: String,
    /// The name of this effect: the same for every retry of this step, another one for any other step.
    pub token: String,
    /// What its queries may use.
    #[serde(default, skip_serializing_if = "QueryOptions::is_default")]
    pub query: QueryOptions,
}

/// What a SELECT becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Target {
    /// A partition of a table that is there.
    Partition {
        /// The table.
        table: TableName,
        /// The values by the names of the keys.
        values: IndexMap<String, String>,
    },
    /// A whole table, which is made when it is not there.
    Table {
        /// The table.
        table: TableName,
        /// The last columns of the query that become partition keys; none for a table without partitions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        partitioned_by: Vec<String>,
    },
}

impl Target {
    /// Returns the table.
    pub fn table(&self) -> &TableName {
        match self {
            Self::Partition { table, .. } | Self::Table { table, .. } => table,
        }
    }

    /// Returns the columns of a query without those that say once more, as a constant, which partition the rows are for: they are
    /// left out of what is written, as the partition has the value. One that says something else stays, and is refused.
    #[must_use]
    pub fn own_columns(&self, sql: &str, query: &[ResultColumn]) -> Vec<ResultColumn> {
        let Self::Partition { values, .. } = self else { return query.to_vec() };
        let is_named = |column: &&ResultColumn, name: &str| column.name.eq_ignore_ascii_case(name);
        let mut constants = constants(sql);
        constants.retain(|(name, text)| {
            values.get(name) == Some(text) && query.iter().filter(|column| is_named(column, name)).count() == 1
        });
        let is_left_out = |column: &&ResultColumn| constants.iter().any(|(name, _)| is_named(column, name));
        let own: Vec<ResultColumn> = query.iter().filter(|column| !is_left_out(column)).cloned().collect();
        // Rows of nothing else are no rows of a table: the refusal names the column.
        if own.is_empty() { query.to_vec() } else { own }
    }

    /// Plans the columns of what a query is published as; `table` is that of a partition when it is there.
    ///
    /// # Errors
    /// `SchemaMismatch` that lists every difference; `InvalidData` for a table with a type that is none.
    pub fn plan_columns(
        &self,
        table: Option<&Table>,
        query: &[ResultColumn],
        options: &PublishOptions,
    ) -> Result<SchemaPlan> {
        match (self, table) {
            (Self::Table { partitioned_by, .. }, _) if partitioned_by.is_empty() => schema::new_schema(query),
            (Self::Table { partitioned_by, .. }, _) => schema::new_keyed_schema(query, partitioned_by),
            (Self::Partition { values, .. }, None) => {
                schema::new_partitioned_schema(query, values.keys().map(String::as_str))
            }
            (Self::Partition { .. }, Some(table)) => {
                schema::plan_schema(table, query, options.on_schema_change, options.on_missing_column)
            }
        }
    }
}

/// How a SELECT is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PublishOptions {
    /// What to do when it is there.
    pub save_mode: SaveMode,
    /// What to do when there are no rows.
    pub on_empty: OnEmpty,
    /// What to do with columns that the table does not have.
    pub on_schema_change: OnSchemaChange,
    /// What to do with columns that the query does not have.
    pub on_missing_column: OnMissingColumn,
    /// How it becomes visible.
    pub mode: PublishMode,
    /// Where versions go; none for `<table root>--versions/`.
    pub version_location: Option<Location>,
    /// Where a new table is, or where an in-place partition is; none for the default place.
    pub location: Option<Location>,
    /// The format; none for that of the table, and Parquet with zstd for a new one.
    pub format: Option<Format>,
    /// The buckets; none for those of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
    /// Whether rows are written.
    pub contents: Contents,
    /// How many rows there must be.
    pub limits: RowLimits,
    /// SELECTs that must return no rows. In them the table's name, and `new_version`, stand for the new version alone.
    pub checks: Vec<Check>,
    /// Whether a missing database is made, and for a partition a missing table: its columns are the query's, its keys are
    /// text. Neither is there before the version is.
    pub create_table: bool,
    /// Whether the catalog is told. Without it the validated objects of a whole table are copied to `location`, which must be
    /// given, as in place; the table's name means nothing then but to the checks.
    pub register: bool,
    /// Parameters that a table which is made or replaced gets.
    pub table_parameters: IndexMap<String, String>,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self {
            save_mode: SaveMode::default(),
            on_empty: OnEmpty::default(),
            on_schema_change: OnSchemaChange::default(),
            on_missing_column: OnMissingColumn::default(),
            mode: PublishMode::default(),
            version_location: None,
            location: None,
            format: None,
            buckets: None,
            contents: Contents::default(),
            limits: RowLimits::default(),
            checks: Vec::new(),
            create_table: false,
            register: true,
            table_parameters: IndexMap::new(),
        }
    }
}

/// Whether rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// All rows of the query.
    #[default]
    Rows,
    /// None: only the columns count (`WITH NO DATA`).
    Nothing,
}

/// A SELECT that must return no rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name in messages: the file's, or the text.
    pub name: String,
    /// The text.
    pub sql: String,
}

impl PublishRequest {
    /// Returns 12 hexadecimal digits that stand for this request and the attempt that makes it.
    pub(super) fn hash(&self) -> String {
        let options = serde_json::to_string(&self.options).unwrap_or_default();
        let target = serde_json::to_string(&self.target).unwrap_or_default();
        version::request_hash(&[
            target,
            self.sql.clone(),
            self.database.clone().unwrap_or_default(),
            options,
            self.attempt.clone(),
            self.token.clone(),
        ])
    }

    /// Returns the token of one of its queries. A publish that begins anew has another plan, and so other tokens: that of a
    /// query that failed would give the failed query again.
    pub(super) fn query_token(&self, plan: &Plan, step: &str) -> String {
        format!("{} {} {} g{} {step}", self.token, self.hash(), plan.planned_ms, plan.generation)
    }
}

fn is_nothing(stats: &QueryStats) -> bool {
    *stats == QueryStats::default()
}

/// How far a publish is. It is all that must be kept between two steps; a step that is repeated from the same state ends in
/// the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub enum PublishState {
    /// What is there was looked at; nothing was changed.
    Planned(Plan),
    /// The columns are known to fit; nothing was changed.
    Probed(Probed),
    /// The query runs, or ran.
    Submitted(Submitted),
    /// A query writes all rows of a version that is written batch by batch, aside and once.
    Staging(Staging),
    /// Queries write the version batch by batch.
    Batching(Batching),
    /// The objects are written; the checks up to this one have passed.
    Written(Written),
    /// All that can be checked holds: the point of no return.
    Validated(Written),
    /// Readers see it; what was replaced waits for its collection.
    Published(PublishOutcome),
}

impl PublishState {
    /// Returns how often another writer was there first, when the publish begins anew for that; none else.
    pub fn overtaken(&self) -> Option<u32> {
        match self {
            Self::Planned(plan) if plan.races > 0 => Some(plan.races),
            _ => None,
        }
    }

    /// Returns the query that may be under way; none when nothing is asked of the query engine at this stage.
    pub fn open_query(&self) -> Option<&QueryId> {
        match self {
            Self::Submitted(submitted) => Some(&submitted.query_id),
            Self::Staging(staging) => Some(&staging.query_id),
            // Before the first batch, the query that lists them.
            Self::Batching(batching) => {
                batching.running.as_ref().or_else(|| batching.written.is_empty().then_some(&batching.listing))
            }
            Self::Written(written) => written.check_query.as_ref(),
            Self::Planned(_) | Self::Probed(_) | Self::Validated(_) | Self::Published(_) => None,
        }
    }
}

/// What was there when the publish began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When, in milliseconds since 1970; part of the version's name.
    pub planned_ms: i64,
    /// The values of the partition in the order of the keys.
    pub values: Option<Vec<String>>,
    /// The keys; empty for a table.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The version of the partition or table that is replaced.
    pub replaces: Option<i64>,
    /// The hash of the table's columns.
    pub schema_hash: Option<String>,
    /// The rows of the version before.
    pub previous_rows: Option<u64>,
    /// Where the table is; versions stand beside it.
    pub table_root: Location,
    /// Where versions go.
    pub version_root: Location,
    /// Which try at writing comes next, from 1.
    pub generation: u32,
    /// How many of them failed in a way that may go well the next time.
    #[serde(default)]
    pub failures: u32,
    /// How often another writer was there first since this publish began; each time it was planned anew.
    #[serde(default)]
    pub races: u32,
    /// What the queries read and cost whose versions were given up for that.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub spent: Box<QueryStats>,
    /// Whether the table of the partition is to be made.
    #[serde(default)]
    pub creates_table: bool,
    /// Whether the version is written in batches, because one query may not write so many partitions.
    #[serde(default)]
    pub in_batches: bool,
    /// The format that is written; none for Parquet with zstd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The buckets that are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
}

impl Plan {
    /// Returns the partition by key; nothing for a table.
    pub(super) fn partition(&self) -> IndexMap<String, String> {
        self.keys.iter().cloned().zip(self.values.iter().flatten().cloned()).collect()
    }

    /// Returns how the rows are laid out in objects.
    pub(super) fn layout(&self) -> Layout {
        Layout { format: self.format.unwrap_or_default(), buckets: self.buckets.clone() }
    }
}

/// What the query gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The plan.
    pub plan: Plan,
    /// How its rows become rows of the table.
    pub schema: SchemaPlan,
}

/// A query that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// What was probed.
    pub probed: Probed,
    /// The prefix that it writes to.
    pub prefix: Location,
    /// The query; the last one of a version that was written in batches.
    pub query_id: QueryId,
}

/// A query that writes the rows of a version aside, from where batches of them come: the SELECT runs once, so that all batches
/// are of one result, whatever it reads and however it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staging {
    /// What was probed.
    pub probed: Probed,
    /// The prefix of the version; the rows are aside below it.
    pub prefix: Location,
    /// The query.
    pub query_id: QueryId,
}

/// A version that is written in batches of its partitions, by one query after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batching {
    /// What was probed.
    pub probed: Probed,
    /// The prefix of the version; each batch has one of its own below it.
    pub prefix: Location,
    /// What the query did that wrote the rows aside; its objects are not kept here.
    pub staged: QueryStats,
    /// The query that lists the partitions with their rows. Its result is kept: the batches are made of it in each step.
    pub listing: QueryId,
    /// The batches that are written, in their order.
    pub written: Vec<WrittenBatch>,
    /// Which try at the next one comes, from 1.
    pub try_number: u32,
    /// How many of them failed in a way that may go well the next time.
    pub failures: u32,
    /// The query that writes it, once it is started.
    pub running: Option<QueryId>,
}

/// A batch that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenBatch {
    /// Where its objects are.
    pub prefix: Location,
    /// The query that wrote it.
    pub query_id: QueryId,
    /// How many objects it wrote.
    pub objects: usize,
    /// What the query did; its objects are not kept here, of which there can be thousands.
    pub stats: QueryStats,
}

/// A query that has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The query.
    pub submitted: Submitted,
    /// What it did.
    pub stats: QueryStats,
    /// The rows, counted in the objects.
    pub rows: u64,
    /// How many checks have passed.
    pub checks_passed: usize,
    /// The query of the next one, once it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_query: Option<QueryId>,
    /// How often that query failed in a way that may go well the next time.
    #[serde(default, skip_serializing_if = "is_none_yet")]
    pub check_failures: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none_yet(failures: &u32) -> bool {
    *failures == 0
}

/// What a publish did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishOutcome {
    /// The table.
    pub table: TableName,
    /// The keys of the partition in the table's order, and their values as the catalog has them; empty for a table.
    #[serde(default)]
    pub partition: IndexMap<String, String>,
    /// What became of it.
    pub result: PublishResult,
    /// Where readers are pointed now.
    pub location: Option<Location>,
    /// Where they were pointed before.
    pub previous_location: Option<Location>,
    /// The query that wrote it; the last one of a version that was written in batches.
    pub query_id: Option<QueryId>,
    /// What the queries did.
    pub stats: QueryStats,
}

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishResult {
    /// Readers see the new version.
    Published,
    /// It was there already, and was to be left.
    Skipped,
    /// There were no rows, and what was there was kept.
    KeptEmpty,
    /// There were no rows, and what was there was dropped from the catalog.
    DroppedEmpty,
}

/// What a publish waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Its query has not begun to run: others go first.
    Queued,
    /// Its query runs.
    Running,
}

/// What to do after a step.
#[expect(clippy::large_enum_variant, reason = "a publish has a handful of steps, one at a time")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Keep the state, then call again.
    Next(PublishState),
    /// Nothing to do yet: call again with the same state after a while.
    Wait(Waiting),
    /// It is done.
    Done(PublishOutcome),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Type;

    fn own(sql: &str, columns: &[&str]) -> Vec<String> {
        let values = IndexMap::from([("dt".to_owned(), "d".to_owned()), ("h".to_owned(), "5".to_owned())]);
        let target = Target::Partition { table: TableName::new("web", "t").unwrap(), values };
        let column =
            |name: &&str| ResultColumn { name: (*name).to_owned(), is_named: true, data_type: Type::Varchar(None) };
        let query: Vec<ResultColumn> = columns.iter().map(column).collect();
        target.own_columns(sql, &query).into_iter().map(|column| column.name).collect()
    }

    #[test]
    fn constants_that_say_the_partition_again_are_left_out() {
        assert_eq!(own("SELECT a, 'd' AS Dt, 5 AS h FROM t", &["a", "Dt", "h"]), ["a"]);
        // One that says something else, or what nobody can tell, stays and is refused.
        assert_eq!(own("SELECT a, 'e' AS dt, 5 AS h FROM t", &["a", "dt", "h"]), ["a", "dt"]);
        assert_eq!(own("SELECT a, b AS dt FROM t", &["a", "dt"]), ["a", "dt"]);
        assert_eq!(own("SELECT 'd' AS dt, a AS dt FROM t", &["dt", "dt"]), ["dt", "dt"]);
    }

    #[test]
    fn a_select_of_nothing_else_keeps_them() {
        assert_eq!(own("SELECT 'd' AS dt", &["dt"]), ["dt"]);
        assert_eq!(own("SELECT 'd' AS dt, 5 AS h", &["dt", "h"]), ["dt", "h"]);
    }
}
