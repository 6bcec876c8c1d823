//! Tables.

use lake::ErrorKind;
use lake::catalog::{self, Archive, Expect};
use lake::name::TableName;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::batch::{ErrorDetail, check_size};
use super::model::{Table, TableInput};
use super::page::Paging;
use super::{Glue, list, no_database, no_table, nothing};
use crate::error::{ApiError, ApiResult};
use crate::json::output;

/// How many tables a page holds.
const MAX_PAGE: usize = 100;

/// How many tables one call deletes.
const MAX_DELETED: usize = 100;

/// How large the pattern of names may grow once it is compiled, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// How often an update without a version is tried over while others change the table.
const UNGUARDED_TRIES: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTable {
    database_name: String,
    table_input: TableInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedTable {
    database_name: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTables {
    database_name: String,
    #[serde(default)]
    expression: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateTable {
    database_name: String,
    table_input: TableInput,
    #[serde(default)]
    skip_archive: Option<bool>,
    #[serde(default)]
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchDeleteTable {
    database_name: String,
    tables_to_delete: Vec<String>,
}

impl Glue {
    /// Returns a table, or the error that says it is not there.
    pub(super) async fn table(&self, name: &TableName) -> ApiResult<catalog::Table> {
        self.catalog.table(name).await?.ok_or_else(|| no_table(name))
    }

    pub(super) async fn create_table(&self, call: CreateTable) -> ApiResult<Value> {
        self.require_database(&call.database_name).await?;
        let table = call.table_input.into_catalog(&call.database_name)?;
        self.catalog.update_table(&table, Expect::Absent, Archive::Skip).await?;
        Ok(nothing())
    }

    pub(super) async fn get_table(&self, call: NamedTable) -> ApiResult<Value> {
        let name = TableName::new(&call.database_name, &call.name)?;
        Ok(json!({"Table": output(&Table::of(self.table(&name).await?))?}))
    }

    pub(super) async fn get_tables(&self, call: GetTables) -> ApiResult<Value> {
        self.require_database(&call.database_name).await?;
        let mut tables = self.catalog.tables(&call.database_name).await?;
        if let Some(expression) = call.expression.filter(|expression| !expression.is_empty()) {
            let pattern = name_pattern(&expression)?;
            tables.retain(|table| pattern.is_match(&table.name.table));
        }
        let page = call.paging.of(tables, MAX_PAGE, |table| table.name.table.clone())?;
        let items: Vec<Table> = page.items.into_iter().map(Table::of).collect();
        list("TableList", &items, page.next_token)
    }

    pub(super) async fn update_table(&self, call: UpdateTable) -> ApiResult<Value> {
        let table = call.table_input.into_catalog(&call.database_name)?;
        let archive = if call.skip_archive == Some(true) { Archive::Skip } else { Archive::Keep };
        if let Some(version) = call.version_id {
            let version = parse_version(&version)?;
            self.table(&table.name).await?;
            self.catalog.update_table(&table, Expect::Version(version), archive).await?;
            return Ok(nothing());
        }
        // Without a version the last writer wins, but what is not there is not made.
        for _ in 0..UNGUARDED_TRIES {
            let current = self.table(&table.name).await?;
            match self.catalog.update_table(&table, Expect::Version(current.version), archive).await {
                Err(error) if error.kind == ErrorKind::Conflict => {}
                done => return Ok(done.map(|_| nothing())?),
            }
        }
        let message = format!("table `{}` was changed by others again and again", table.name);
        Err(ApiError::client("ConcurrentModificationException", message))
    }

    pub(super) async fn delete_table(&self, call: NamedTable) -> ApiResult<Value> {
        let name = TableName::new(&call.database_name, &call.name)?;
        if self.catalog.drop_table(&name).await? { Ok(nothing()) } else { Err(no_table(&name)) }
    }

    pub(super) async fn batch_delete_table(&self, call: BatchDeleteTable) -> ApiResult<Value> {
        check_size("TablesToDelete", call.tables_to_delete.len(), MAX_DELETED)?;
        let mut errors = Vec::new();
        for table in call.tables_to_delete {
            let done = self.delete_table(NamedTable { database_name: call.database_name.clone(), name: table.clone() });
            if let Err(error) = done.await {
                errors.push(json!({"TableName": table, "ErrorDetail": output(&ErrorDetail::of(&error))?}));
            }
        }
        Ok(json!({ "Errors": errors }))
    }

    pub(super) async fn require_database(&self, name: &str) -> ApiResult<()> {
        if self.catalog.database(name).await?.is_some() { Ok(()) } else { Err(no_database(name)) }
    }
}

/// Reads the id of a version.
pub(super) fn parse_version(text: &str) -> ApiResult<i64> {
    text.parse().map_err(|_| ApiError::invalid_input(format!("expected the id of a version, found `{text}`")))
}

/// Reads the pattern of names of `GetTables`, which the whole name must fit: a regular expression, in which a `*` that
/// repeats nothing but a letter stands for anything, as in Hive's `logs_*`. Athena's `ListTableMetadata` hands its own on to it.
///
/// # Errors
/// `InvalidInputException` for an expression that is no pattern.
pub(crate) fn name_pattern(expression: &str) -> ApiResult<Regex> {
    let mut pattern = String::with_capacity(expression.len() + 8);
    let mut before = None;
    for character in expression.chars() {
        let repeats = matches!(before, Some('.' | ']' | ')' | '}' | '\\'));
        if character == '*' && !repeats {
            pattern.push('.');
        }
        pattern.push(character);
        before = Some(character);
    }
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .case_insensitive(true)
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| ApiError::invalid_input(format!("the expression `{expression}` is no pattern: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole_by_patterns_and_by_stars() {
        for (expression, name, expected) in [
            ("logs", "logs", true),
            ("logs", "logs_2", false),
            ("logs_*", "logs_2", true),
            ("*", "anything", true),
            (".*_2", "logs_2", true),
            ("logs_[0-9]*", "logs_12", true),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("LOGS", "logs", true),
        ] {
            assert_eq!(name_pattern(expression).unwrap().is_match(name), expected, "{expression} {name}");
        }
        assert_eq!(name_pattern("(").unwrap_err().code, "InvalidInputException");
        assert_eq!(name_pattern("(a{1000}){1000}").unwrap_err().code, "InvalidInputException");
    }
}
