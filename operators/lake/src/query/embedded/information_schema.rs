//! `information_schema`: the catalog as tables, with the columns that Athena gives them.
//!
//! The columns are those of Trino's own (`InformationSchemaTable`), and in `columns` also `comment` and `extra_info`, which
//! Athena shows (<https://docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog.html>).

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::datasource::MemTable;

use crate::catalog::{Catalog, Column, Table, View};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::plan::ResolvedTable;
use crate::sql::{INFORMATION_SCHEMA, Type};

/// The one catalog, as names are shown.
const CATALOG: &str = "awsdatacatalog";

const TABLES: &[&str] = &["table_catalog", "table_schema", "table_name", "table_type"];
const VIEWS: &[&str] = &["table_catalog", "table_schema", "table_name", "view_definition"];
const SCHEMATA: &[&str] = &["catalog_name", "schema_name"];
const COLUMNS: &[&str] = &[
    "table_catalog",
    "table_schema",
    "table_name",
    "column_name",
    ORDINAL,
    "column_default",
    "is_nullable",
    "data_type",
    "comment",
    "extra_info",
];

/// The one column that is a number.
const ORDINAL: &str = "ordinal_position";

/// The tables with their columns.
const ALL: &[(&str, &[&str])] = &[("columns", COLUMNS), ("schemata", SCHEMATA), ("tables", TABLES), ("views", VIEWS)];

type Row = Vec<Option<String>>;

/// Returns a table of `information_schema`, as the catalog is now; none for a name that is not served.
pub(super) async fn table(catalog: &dyn Catalog, name: &str) -> Result<Option<ResolvedTable>> {
    let Some((_, columns)) = ALL.iter().find(|(known, _)| *known == name) else { return Ok(None) };
    let mut rows = Vec::new();
    for database in catalog.databases().await? {
        if name == "schemata" {
            rows.push(texts(&[CATALOG, &database.name]));
            continue;
        }
        for table in catalog.tables(&database.name).await? {
            match name {
                "tables" => rows.push(table_row(&table)),
                "views" if table.is_view() => rows.push(view_row(&table)),
                "views" => {}
                _ => rows.extend(column_rows(&View::shown(table))),
            }
        }
    }
    own_rows(name, &mut rows);
    provider(columns, &rows).map(Some)
}

/// Adds the rows about `information_schema` itself.
fn own_rows(name: &str, rows: &mut Vec<Row>) {
    match name {
        "schemata" => rows.push(texts(&[CATALOG, INFORMATION_SCHEMA])),
        "tables" => {
            rows.extend(ALL.iter().map(|(table, _)| texts(&[CATALOG, INFORMATION_SCHEMA, table, "BASE TABLE"])));
        }
        "columns" => {
            for (table, columns) in ALL {
                for (index, column) in columns.iter().enumerate() {
                    let data_type = if *column == ORDINAL { Type::Bigint } else { Type::Varchar(None) };
                    rows.push(column_row(
                        [INFORMATION_SCHEMA, table, column],
                        index,
                        &data_type.to_string(),
                        None,
                        None,
                    ));
                }
            }
        }
        _ => {}
    }
}

fn texts(values: &[&str]) -> Row {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

fn table_row(table: &Table) -> Row {
    let kind = if table.is_view() { "VIEW" } else { "BASE TABLE" };
    texts(&[CATALOG, &table.name.database, &table.name.table, kind])
}

fn view_row(table: &Table) -> Row {
    let mut row = texts(&[CATALOG, &table.name.database, &table.name.table]);
    // A view that another program made and that cannot be read is there all the same.
    row.push(View::of(table).ok().map(|view| view.sql));
    row
}

fn column_rows(table: &Table) -> Vec<Row> {
    let all = table.columns.iter().chain(&table.partition_keys);
    all.enumerate()
        .map(|(index, column)| {
            let is_key = index >= table.columns.len();
            column_row(
                [&table.name.database, &table.name.table, &column.name],
                index,
                &shown_type(table, column),
                column.comment.as_deref(),
                is_key.then_some("partition key"),
            )
        })
        .collect()
}

/// Writes the type of a column in Trino's words; one that suiro cannot read, in Hive's.
fn shown_type(table: &Table, column: &Column) -> String {
    if table.is_view()
        && let Ok(view) = View::of(table)
        && let Some(of_view) = view.columns.iter().find(|known| known.name == column.name)
    {
        return of_view.data_type.clone();
    }
    Type::from_hive(&column.hive_type).map_or_else(|_| column.hive_type.clone(), |data_type| data_type.to_string())
}

fn column_row(name: [&str; 3], index: usize, data_type: &str, comment: Option<&str>, extra: Option<&str>) -> Row {
    let mut row = texts(&[CATALOG]);
    row.extend(texts(&name));
    row.push(Some((index + 1).to_string()));
    row.push(None);
    row.extend(texts(&["YES", data_type]));
    row.push(comment.map(str::to_owned));
    row.push(extra.map(str::to_owned));
    row
}

fn provider(columns: &[&str], rows: &[Row]) -> Result<ResolvedTable> {
    let types: Vec<(String, Type)> = columns
        .iter()
        .map(|column| ((*column).to_owned(), if *column == ORDINAL { Type::Bigint } else { Type::Varchar(None) }))
        .collect();
    let fields: Vec<Field> =
        types.iter().map(|(name, data_type)| Field::new(name, data_type.to_arrow(), true)).collect();
    let arrays: Vec<ArrayRef> = types
        .iter()
        .enumerate()
        .map(|(index, (_, data_type))| {
            let values = rows.iter().map(|row| row.get(index).and_then(Option::as_deref));
            match data_type {
                Type::Bigint => Arc::new(values.map(|value| value?.parse().ok()).collect::<Int64Array>()) as ArrayRef,
                _ => Arc::new(values.collect::<StringArray>()) as ArrayRef,
            }
        })
        .collect();
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::External, "describe the catalog", format!("GENERIC_INTERNAL_ERROR: {error}"))
    };
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|error| failed(&error))?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(|error| failed(&error))?;
    Ok(ResolvedTable { columns: types, provider: Arc::new(table) })
}
