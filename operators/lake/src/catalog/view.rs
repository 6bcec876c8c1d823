//! Views as Athena keeps them in Glue: the SELECT, its columns and its database as base64 of JSON in a comment.
//!
//! The JSON is what Presto and Trino read and write:
//! <https://github.com/trinodb/trino/blob/476/core/trino-spi/src/main/java/io/trino/spi/connector/ConnectorViewDefinition.java>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Column, Storage, StorageDetail, Table, TableDetail, VIRTUAL_VIEW};
use crate::error::{Error, ErrorKind, Result};
use crate::name::TableName;
use crate::sql::{ResolvedView, Type};

const START: &str = "/* Presto View: ";
const END: &str = " */";

/// What Glue keeps as the second text of a view.
const EXPANDED_TEXT: &str = "/* Presto View */";

/// The comment by which Athena and Trino know a view of theirs
/// (<https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/ViewReaderUtil.java>,
/// `isTrinoView`): with another one there is no such table to them. What a user says of the view stands in its JSON.
const COMMENT: &str = "Presto View";

/// Who Athena says is the owner of what it makes. A Trino reads no view of a definer that is not named.
const OWNER: &str = "hadoop";

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The SELECT.
    pub sql: String,
    /// The catalog of its tables, as the engine names it that the view is made for: `awsdatacatalog` on Athena.
    pub catalog: String,
    /// The database of unqualified tables in it.
    pub database: Option<String>,
    /// The columns that it gave when it was made.
    pub columns: Vec<ViewColumn>,
    /// What its maker says of it.
    pub comment: Option<String>,
    /// Whether Trino reads its tables as whoever asks; else as the view's owner, and a view of Athena has none.
    pub as_invoker: bool,
}

/// The catalog of Glue as Athena names it.
pub const ATHENA_CATALOG: &str = "awsdatacatalog";

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    /// The name.
    pub name: String,
    /// The type in Trino's words.
    #[serde(rename = "type")]
    pub data_type: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    original_sql: String,
    catalog: Option<String>,
    schema: Option<String>,
    columns: Vec<ViewColumn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(default)]
    run_as_invoker: bool,
}

impl View {
    /// Reads the view that a table of the catalog stands for.
    ///
    /// # Errors
    /// `UnsupportedSql` for a view of another program, whose text is no Presto view; `InvalidData` for one that is damaged.
    pub fn of(table: &Table) -> Result<Self> {
        let text = table.view_text.as_deref().unwrap_or_default();
        let Some(encoded) = text.trim().strip_prefix(START).and_then(|rest| rest.strip_suffix(END)) else {
            return Err(Error::new(
                ErrorKind::UnsupportedSql,
                "read a view",
                format!("view `{}` is not one of Athena or Trino: such views are not supported", table.name),
            ));
        };
        let damaged = |why: String| {
            Error::new(
                ErrorKind::InvalidData,
                "read a view",
                format!("the text of view `{}` is damaged: {why}", table.name),
            )
        };
        let json = STANDARD.decode(encoded.trim()).map_err(|error| damaged(error.to_string()))?;
        let definition: Definition = serde_json::from_slice(&json).map_err(|error| damaged(error.to_string()))?;
        Ok(Self {
            sql: definition.original_sql,
            catalog: definition.catalog.unwrap_or_else(|| ATHENA_CATALOG.to_owned()),
            database: definition.schema,
            columns: definition.columns,
            comment: definition.comment,
            as_invoker: definition.run_as_invoker,
        })
    }

    /// Writes the view as the text that the catalog keeps.
    pub fn to_text(&self) -> String {
        let definition = Definition {
            original_sql: self.sql.clone(),
            catalog: Some(self.catalog.clone()),
            schema: self.database.clone(),
            columns: self.columns.clone(),
            comment: self.comment.clone(),
            run_as_invoker: self.as_invoker,
        };
        // A structure of texts always has a JSON form.
        let json = serde_json::to_string(&definition).unwrap_or_default();
        format!("{START}{}{END}", STANDARD.encode(json))
    }

    /// Makes the description of the view for the catalog.
    ///
    /// # Errors
    /// `InvalidInput` for a column whose type is none.
    pub fn table(&self, name: TableName) -> Result<Table> {
        Ok(Table {
            name,
            table_type: VIRTUAL_VIEW.to_owned(),
            columns: self.columns_of_table()?,
            partition_keys: Vec::new(),
            location: None,
            storage: Storage {
                input_format: String::new(),
                output_format: String::new(),
                serde: String::new(),
                serde_parameters: IndexMap::new(),
                compressed: false,
                detail: StorageDetail::default(),
            },
            parameters: IndexMap::from([
                ("presto_view".to_owned(), "true".to_owned()),
                ("comment".to_owned(), COMMENT.to_owned()),
            ]),
            view_text: Some(self.to_text()),
            detail: TableDetail {
                owner: Some(OWNER.to_owned()),
                view_expanded_text: Some(EXPANDED_TEXT.to_owned()),
                ..TableDetail::default()
            },
            created_ms: 0,
            updated_ms: 0,
            version: 0,
        })
    }

    /// Returns its columns in Hive's words.
    fn columns_of_table(&self) -> Result<Vec<Column>> {
        let columns = self.columns.iter().map(|column| {
            let data_type = Type::from_trino(&column.data_type)?;
            // A type that no table can hold is text to readers of the catalog; the view itself knows better.
            let hive_type = match &data_type {
                Type::Timestamp(_) => "timestamp".to_owned(),
                other => other.to_hive().unwrap_or_else(|| "string".to_owned()),
            };
            Ok(Column::new(&column.name, &hive_type))
        });
        columns.collect()
    }

    /// Returns a table as it is described: a view has the columns of its text. Trino gives its views one column in the catalog,
    /// `dummy`, whatever they have.
    pub fn shown(mut table: Table) -> Table {
        if table.is_view()
            && let Ok(columns) = Self::of(&table).and_then(|view| view.columns_of_table())
            && !columns.iter().map(|column| &column.name).eq(table.columns.iter().map(|column| &column.name))
        {
            table.columns = columns;
        }
        table
    }

    /// Returns what the analyzer needs of it.
    pub(crate) fn resolved(&self, table: &Table) -> Result<ResolvedView> {
        let columns = self
            .columns
            .iter()
            .map(|column| Ok((column.name.clone(), Type::from_trino(&column.data_type)?)))
            .collect::<Result<Vec<_>>>()
            .map_err(|error| error.with("view", table.name.to_string()))?;
        Ok(ResolvedView { sql: self.sql.clone(), database: self.database.clone(), columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_reads_back_and_others_are_refused_by_name() {
        let view = View {
            sql: "SELECT 'a */ b' AS s, 1 AS n".to_owned(),
            catalog: ATHENA_CATALOG.to_owned(),
            database: Some("web".to_owned()),
            columns: vec![
                ViewColumn { name: "s".to_owned(), data_type: "varchar(6)".to_owned() },
                ViewColumn { name: "n".to_owned(), data_type: "integer".to_owned() },
            ],
            comment: Some("two columns".to_owned()),
            as_invoker: false,
        };
        let mut table = view.table(TableName::new("web", "v").unwrap()).unwrap();
        assert_eq!(View::of(&table).unwrap(), view);
        assert_eq!(table.parameters["comment"], "Presto View", "without it Athena and Trino see no view");
        assert!(table.is_view());
        assert_eq!(table.detail.owner.as_deref(), Some("hadoop"));
        assert_eq!(table.columns[1].hive_type, "int");

        table.view_text = Some("SELECT 1".to_owned());
        assert_eq!(
            View::of(&table).unwrap_err().to_string(),
            "view `web.v` is not one of Athena or Trino: such views are not supported"
        );
        table.view_text = Some("/* Presto View: !! */".to_owned());
        assert_eq!(View::of(&table).unwrap_err().kind, ErrorKind::InvalidData);
    }
}
