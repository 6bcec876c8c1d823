//! Databases and tables are made and dropped. Objects stay: all tables are external.

use indexmap::IndexMap;
use lake::catalog::{Database, Expect};
use lake::name::{Location, TableName};
use lake::{Error, ErrorKind, Result};

use super::outcome::Outcome;
use super::partition::check_key_types;
use crate::athena::Athena;
use crate::athena::statement::{CreateDatabase, CreateTable};

const OPERATION: &str = "run a statement";

/// Makes an error of Hive's.
pub(super) fn semantic(kind: ErrorKind, message: impl std::fmt::Display) -> Error {
    Error::new(kind, OPERATION, format!("FAILED: SemanticException {message}"))
}

/// Makes the error of a table that is not there.
pub(super) fn no_table(name: &TableName) -> Error {
    semantic(ErrorKind::NotFound, format_args!("[Error 10001]: Table not found {name}"))
}

/// Makes the error of a database that is not there.
pub(super) fn no_database(name: &str) -> Error {
    semantic(ErrorKind::NotFound, format_args!("[Error 10072]: Database does not exist: {name}"))
}

impl Athena {
    /// Returns a table that must be there.
    pub(super) async fn table(&self, name: &TableName) -> Result<lake::catalog::Table> {
        self.inner.lake.catalog.table(name).await?.ok_or_else(|| no_table(name))
    }

    pub(super) async fn create_database(&self, create: &CreateDatabase) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        if catalog.database(&create.name).await?.is_some() {
            if create.if_not_exists {
                return Ok(Outcome::nothing());
            }
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                OPERATION,
                format!(
                    "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Database {} already \
                     exists",
                    create.name
                ),
            ));
        }
        let location = create.location.as_deref().map(Location::parse).transpose()?;
        let database = Database {
            description: create.comment.clone(),
            location: location.map(Location::into_prefix),
            parameters: create.properties.clone(),
            ..Database::new(&create.name)
        };
        catalog.create_database(&database).await?;
        Ok(Outcome::nothing())
    }

    pub(super) async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        if catalog.database(name).await?.is_none() {
            return if if_exists { Ok(Outcome::nothing()) } else { Err(no_database(name)) };
        }
        let tables = catalog.tables(name).await?;
        if !tables.is_empty() && !cascade {
            return Err(Error::new(
                ErrorKind::Conflict,
                OPERATION,
                format!(
                    "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. \
                     InvalidOperationException(message:Database {name} is not empty. One or more tables exist.)"
                ),
            ));
        }
        for table in tables {
            catalog.drop_table(&table.name).await?;
        }
        catalog.drop_database(name).await?;
        Ok(Outcome::nothing())
    }

    /// Gives a database properties; those of other names stay.
    pub(super) async fn alter_database(&self, name: &str, properties: &IndexMap<String, String>) -> Result<Outcome> {
        let catalog = &self.inner.glue;
        let mut database = catalog.database(name).await?.ok_or_else(|| no_database(name))?;
        database.parameters.extend(properties.clone());
        catalog.update_database(&database).await?;
        Ok(Outcome::nothing())
    }

    pub(super) async fn create_table(&self, database: &str, create: &CreateTable) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        let Some(name) = &create.name else { return Err(semantic(ErrorKind::InvalidInput, "a table without a name")) };
        let name = name.full(database)?;
        if catalog.database(&name.database).await?.is_none() {
            return Err(no_database(&name.database));
        }
        let table = create.table(name.clone(), self.now_ms())?;
        check_key_types(&table.partition_keys)?;
        match catalog.put_table(&table, Expect::Absent).await {
            Ok(_kept) => Ok(Outcome::nothing()),
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                if create.if_not_exists {
                    return Ok(Outcome::nothing());
                }
                Err(Error::new(
                    ErrorKind::AlreadyExists,
                    OPERATION,
                    format!(
                        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. \
                         AlreadyExistsException(message:Table {} already exists)",
                        name.table
                    ),
                ))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn drop_table(&self, name: TableName, if_exists: bool) -> Result<Outcome> {
        let catalog = &self.inner.lake.catalog;
        match catalog.table(&name).await? {
            Some(table) if table.is_view() => Err(semantic(
                ErrorKind::InvalidInput,
                format_args!("[Error 10000]: Cannot drop a view with DROP TABLE: {name}"),
            )),
            Some(_) => {
                catalog.drop_table(&name).await?;
                Ok(Outcome::nothing())
            }
            None if if_exists => Ok(Outcome::nothing()),
            None => Err(no_table(&name)),
        }
    }
}
