//! Views are made and dropped.

use lake::catalog::{ATHENA_CATALOG, Expect, View, ViewColumn};
use lake::name::TableName;
use lake::{Error, ErrorKind, Result};

use super::ddl::{no_table, semantic};
use super::outcome::Outcome;
use crate::athena::Athena;
use crate::athena::statement::CreateView;

const OPERATION: &str = "make a view";

impl Athena {
    pub(super) async fn create_view(&self, database: &str, create: &CreateView) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let name = create.name.full(database)?;
        if catalog.database(&name.database).await?.is_none() {
            return Err(no_schema(&name.database));
        }
        let old = catalog.table(&name).await?;
        match &old {
            Some(table) if !table.is_view() => {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    OPERATION,
                    format!("TABLE_ALREADY_EXISTS: line 1:1: Table already exists: 'awsdatacatalog.{name}'"),
                ));
            }
            Some(_) if !create.replace => {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    OPERATION,
                    format!("TABLE_ALREADY_EXISTS: line 1:1: View already exists: 'awsdatacatalog.{name}'"),
                ));
            }
            _ => {}
        }
        let described = self.inner.lake.engine.describe(&create.query, Some(database)).await?;
        if described.views.contains(&name) {
            return Err(Error::new(
                ErrorKind::InvalidSql,
                OPERATION,
                format!("VIEW_IS_RECURSIVE: line 1:1: Statement would create a recursive view: {name}"),
            ));
        }
        let mut names = described.columns.iter().map(|column| column.name.as_str()).enumerate();
        if let Some((nameless, _)) = names.find(|(index, name)| *name == format!("_col{index}")) {
            return Err(Error::new(
                ErrorKind::InvalidSql,
                OPERATION,
                format!("MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {}", nameless + 1),
            ));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = described.columns.iter().find(|column| !seen.insert(column.name.to_lowercase())) {
            return Err(Error::new(
                ErrorKind::InvalidSql,
                OPERATION,
                format!("DUPLICATE_COLUMN_NAME: line 1:1: Column name '{}' specified more than once", twice.name),
            ));
        }
        let view = View {
            sql: create.query.clone(),
            catalog: ATHENA_CATALOG.to_owned(),
            database: Some(database.to_owned()),
            comment: create.comment.clone(),
            as_invoker: false,
            columns: described
                .columns
                .iter()
                .map(|column| ViewColumn { name: column.name.to_lowercase(), data_type: column.data_type.to_string() })
                .collect(),
        };
        let table = view.table(name)?;
        let expect = old.map_or(Expect::Absent, |old| Expect::Version(old.version));
        catalog.put_table(&table, expect).await?;
        Ok(Outcome::nothing())
    }

    pub(super) async fn drop_view(&self, name: TableName, if_exists: bool) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        match catalog.table(&name).await? {
            Some(table) if table.is_view() => {
                catalog.drop_table(&name).await?;
                Ok(Outcome::nothing())
            }
            Some(_) => Err(semantic(
                ErrorKind::InvalidInput,
                format_args!("[Error 10000]: Cannot drop a base table with DROP VIEW: {name}"),
            )),
            None if if_exists => Ok(Outcome::nothing()),
            None => Err(no_table(&name)),
        }
    }
}

/// Makes the error of a database that is not there, in Trino's words.
pub(super) fn no_schema(database: &str) -> Error {
    Error::new(ErrorKind::NotFound, OPERATION, format!("SCHEMA_NOT_FOUND: line 1:1: Schema {database} does not exist"))
}
