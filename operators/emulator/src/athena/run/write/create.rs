//! `CREATE TABLE … AS`: objects first, then the table with its partitions in one call of the catalog (`register`).

use indexmap::IndexSet;
use lake::catalog::{Column, Partition, Table, TableFormat};
use lake::name::{Location, TableName};
use lake::publish::Layout;
use lake::publish::dml::identifier;
use lake::query::{QueryStats, ResultColumn};
use lake::{Error, ErrorKind, Result};

use super::form::{Options, keys_are_last};
use super::register::Creation;
use super::{OPERATION, Target};
use crate::athena::Athena;
use crate::athena::run::outcome::Outcome;
use crate::athena::run::partition::check_key_types;
use crate::athena::run::view::no_schema;
use crate::athena::run::{Job, Order};
use crate::athena::statement::CreateTableAs;

impl Athena {
    pub(in crate::athena::run) async fn create_table_as(
        &self,
        job: &Job,
        order: &Order,
        create: &CreateTableAs,
    ) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let name = create.name.full(&job.database())?;
        let options = Options::of_create(&create.properties)?;
        if options.external_location.is_some() && order.enforced_location {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                OPERATION,
                "The Create Table As Select query failed because it was submitted with an 'external_location' property to an \
                 Athena Workgroup that enforces a centralized output location for all queries. Please remove the \
                 'external_location' property and resubmit the query.",
            ));
        }
        if catalog.database(&name.database).await?.is_none() {
            return Err(no_schema(&name.database));
        }
        if catalog.table(&name).await?.is_some() {
            if create.if_not_exists {
                return self.deliver(job, Outcome::written("CREATE TABLE", QueryStats::default())).await;
            }
            return Err(exists(&name));
        }
        let described = self.inner.lake.engine.describe(&create.query, Some(&job.database())).await?;
        let columns = columns(&described.columns, create)?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        keys_are_last(&names, &options.partitioned_by)?;
        check_key_types(columns.get(columns.len() - options.partitioned_by.len()..).unwrap_or_default())?;
        let location = match &options.external_location {
            Some(location) => location.clone(),
            None => Location::parse(&job.output_location())?.into_prefix(),
        };
        self.check_empty(&location).await?;

        let layout = Layout { format: options.format, buckets: options.buckets.clone() };
        let stats = if create.with_data {
            let sql = renamed(&create.query, &described.columns, &names);
            let target = Target { prefix: &location, layout: layout.clone(), partitioned_by: &options.partitioned_by };
            let stats = self.write_rows(job, order, &sql, &target).await?;
            self.leave(job, order, &stats).await?;
            stats
        } else {
            QueryStats::default()
        };

        let (columns, keys) = columns.split_at(columns.len() - options.partitioned_by.len());
        let mut table = Table::new(name.clone(), columns.to_vec(), keys.to_vec(), location, TableFormat::Parquet);
        table.storage = layout.storage(&table.columns);
        table.parameters.insert("classification".to_owned(), options.format.table_format().classification().to_owned());
        let partitions = partitions(&table, &stats)?;
        let creation = Creation { table, partitions, stats };
        // Whatever else may fail comes before the table is there.
        self.write_manifest(job, &creation.stats).await?;
        let outcome = self.deliver(job, creation.outcome(job)?).await?;
        self.register(job, &creation).await?;
        Ok(outcome)
    }
}

pub(super) fn exists(name: &TableName) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        OPERATION,
        format!("TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.{name}' already exists"),
    )
}

/// Returns the columns of the table: the query's types, under its names or those that the statement gives.
fn columns(query: &[ResultColumn], create: &CreateTableAs) -> Result<Vec<Column>> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidSql, OPERATION, message);
    if !create.columns.is_empty() && create.columns.len() != query.len() {
        return Err(wrong(format!(
            "MISMATCHED_COLUMN_ALIASES: line 1:1: Column alias list has {} entries but relation has {} columns",
            create.columns.len(),
            query.len()
        )));
    }
    let mut seen = IndexSet::new();
    query
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let name = create.columns.get(index).map_or_else(|| column.name.to_lowercase(), Clone::clone);
            if column.name == format!("_col{index}") && create.columns.is_empty() {
                return Err(wrong(format!(
                    "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {}",
                    index + 1
                )));
            }
            if !seen.insert(name.clone()) {
                return Err(wrong(format!(
                    "DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once"
                )));
            }
            let hive_type = column.data_type.to_hive().ok_or_else(|| {
                wrong(format!(
                    "NOT_SUPPORTED: Unsupported Hive type: {} of column `{name}`: cast it first",
                    column.data_type
                ))
            })?;
            Ok(Column::new(&name, &hive_type))
        })
        .collect()
}

/// Gives the columns of a query other names, where they have others.
pub(super) fn renamed(query: &str, columns: &[ResultColumn], names: &[String]) -> String {
    if columns.iter().map(|column| &column.name).eq(names) {
        return query.to_owned();
    }
    let list: Vec<String> = names.iter().map(|name| identifier(name)).collect();
    // The query stands on lines of its own, so that a comment at its end does not swallow the bracket.
    format!("SELECT * FROM (\n{query}\n) AS query ({})", list.join(", "))
}

/// Returns the partitions that were written, each once.
pub(super) fn partitions(table: &Table, stats: &QueryStats) -> Result<Vec<Partition>> {
    if table.partition_keys.is_empty() {
        return Ok(Vec::new());
    }
    let values: IndexSet<&Vec<String>> = stats.objects.iter().map(|object| &object.partition).collect();
    values.into_iter().map(|values| Ok(table.new_partition(values.clone(), table.hive_location(values)?))).collect()
}
