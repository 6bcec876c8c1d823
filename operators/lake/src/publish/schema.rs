//! The columns of a query against those of the table: every difference at once, and the wrapper that mends what may be mended.
//!
//! Names are compared in lower case, types in their canonical form; order, remarks and parameters never count, because the
//! wrapper puts the columns into the table's order.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::dml::WrappedColumn;
use crate::catalog::{Column, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::query::ResultColumn;
use crate::sql::{Type, cast, identifier};

/// What to do with a column that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnSchemaChange {
    /// Fail.
    #[default]
    Fail,
    /// Add it to the table, at the end.
    Append,
    /// Leave it out.
    Ignore,
}

/// What to do with a column that the query does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissingColumn {
    /// Fail.
    #[default]
    Fail,
    /// Fill it with NULL.
    NullFill,
}

/// How a query becomes rows of the table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaPlan {
    /// The columns of the wrapper, in the table's order, added ones last.
    pub columns: Vec<WrappedColumn>,
    /// The columns that the table gets.
    pub added: Vec<Column>,
    /// The partition keys of a table that is made: the last of [`SchemaPlan::columns`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Column>,
}

/// Plans how the rows of a query become rows of an existing table.
///
/// # Errors
/// `SchemaMismatch` that lists every difference; `InvalidData` for a table with a type that is none.
pub fn plan_schema(
    table: &Table,
    query: &[ResultColumn],
    on_schema_change: OnSchemaChange,
    on_missing_column: OnMissingColumn,
) -> Result<SchemaPlan> {
    let mut problems = Differences::default();
    let mut plan = SchemaPlan::default();
    nameless(query, &mut problems);
    for column in &table.columns {
        let expected = Type::from_hive(&column.hive_type)?;
        match query.iter().find(|found| found.is_named && found.name.to_lowercase() == column.name) {
            Some(found) if widens(&found.data_type, &expected) => {
                plan.columns.push(WrappedColumn::new(&column.name, &expected, Some(&found.name)));
            }
            Some(found) => problems.push(
                &column.name,
                &expected.to_string(),
                &found.data_type.to_string(),
                cast_remedy(&column.name, &found.data_type, &expected),
            ),
            None if on_missing_column == OnMissingColumn::NullFill => {
                plan.columns.push(WrappedColumn::new(&column.name, &expected, None));
            }
            None => problems.push(&column.name, &expected.to_string(), NOTHING, "select it".to_owned()),
        }
    }
    for found in query.iter().filter(|column| column.is_named) {
        let name = found.name.to_lowercase();
        if table.columns.iter().any(|column| column.name == name) {
            continue;
        }
        if table.partition_keys.iter().any(|key| key.name == name) {
            problems.key(found);
            continue;
        }
        match (on_schema_change, unbounded(&found.data_type).to_hive()) {
            (OnSchemaChange::Ignore, _) => {}
            (OnSchemaChange::Append, Some(hive_type)) => {
                plan.columns.push(WrappedColumn::new(&name, &unbounded(&found.data_type), Some(&found.name)));
                plan.added.push(Column::new(&name, &hive_type));
            }
            (OnSchemaChange::Append, None) => problems.unstorable(found),
            (OnSchemaChange::Fail, _) => {
                problems.push(&name, NOTHING, &found.data_type.to_string(), "leave it out".to_owned());
            }
        }
    }
    if problems.is_empty() {
        return Ok(plan);
    }
    Err(problems.error(&format!("the query does not fit table `{}`", table.name)))
}

/// Plans the columns of a table that is made from a query.
///
/// # Errors
/// `SchemaMismatch` that lists every column without a name of its own or of a type that no table holds.
pub fn new_schema(query: &[ResultColumn]) -> Result<SchemaPlan> {
    let mut problems = Differences::default();
    let mut plan = SchemaPlan::default();
    nameless(query, &mut problems);
    for found in query {
        let name = found.name.to_lowercase();
        match found.data_type.to_hive() {
            Some(hive_type) => {
                plan.columns.push(WrappedColumn::new(&name, &found.data_type, Some(&found.name)));
                plan.added.push(Column::new(&name, &hive_type));
            }
            None => problems.unstorable(found),
        }
    }
    if problems.is_empty() { Ok(plan) } else { Err(problems.error("the query cannot become a table")) }
}

/// Returns the type of a new column whose partitions are filled day by day: the length of the first day's literals says nothing about
/// the next day's.
fn unbounded(data_type: &Type) -> Type {
    match data_type {
        Type::Varchar(Some(_)) => Type::Varchar(None),
        other => other.clone(),
    }
}

/// Plans the columns of a table that is made from a query and gets partition keys besides.
///
/// # Errors
/// As [`new_schema`], and `SchemaMismatch` for columns that are partition keys.
pub fn new_partitioned_schema<'a>(query: &[ResultColumn], keys: impl Iterator<Item = &'a str>) -> Result<SchemaPlan> {
    let mut problems = Differences::default();
    for key in keys.map(str::to_lowercase) {
        query.iter().filter(|column| column.name.to_lowercase() == key).for_each(|column| problems.key(column));
    }
    let unbounded: Vec<ResultColumn> =
        query.iter().map(|column| ResultColumn { data_type: unbounded(&column.data_type), ..column.clone() }).collect();
    if problems.is_empty() { new_schema(&unbounded) } else { Err(problems.error("the query cannot become a table")) }
}

/// Plans the columns of a table that is made from a query whose last columns become partition keys.
///
/// # Errors
/// As [`new_schema`], and `SchemaMismatch` when the keys are not the last columns, in their order and with another column
/// before them, or are of a type that a path cannot hold.
pub fn new_keyed_schema(query: &[ResultColumn], partitioned_by: &[String]) -> Result<SchemaPlan> {
    let mut plan = new_schema(query)?;
    let names: Vec<String> = plan.added.iter().map(|column| column.name.clone()).collect();
    keys_are_last(&names, partitioned_by)?;
    let first_key = plan.added.len().saturating_sub(partitioned_by.len());
    let problems: Vec<String> =
        query.iter().skip(first_key).filter_map(|key| unusable_key(&key.name.to_lowercase(), &key.data_type)).collect();
    if !problems.is_empty() {
        return Err(mismatch("the query cannot become a partitioned table", &problems));
    }
    plan.keys = plan.added.split_off(first_key);
    Ok(plan)
}

/// Checks that partition keys are the last columns in their order, with another column before them.
pub(super) fn keys_are_last(columns: &[String], partitioned_by: &[String]) -> Result<()> {
    let first_key = columns.len().saturating_sub(partitioned_by.len());
    let last = columns.get(first_key..).unwrap_or_default();
    if first_key > 0 && last.iter().eq(partitioned_by.iter().map(|key| key.to_lowercase()).collect::<Vec<_>>().iter()) {
        return Ok(());
    }
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(Error::new(
        ErrorKind::SchemaMismatch,
        "compare columns",
        format!(
            "expected the partition keys as the last columns of the query, in their order, and another column before them: \
             the keys are {}, the columns are {}",
            list(partitioned_by),
            list(columns)
        ),
    ))
}

/// Says why a column cannot be a partition key; none when it can.
pub(super) fn unusable_key(name: &str, data_type: &Type) -> Option<String> {
    if name.starts_with(['_', '.']) {
        return Some(format!(
            "`{name}` cannot be a partition key: readers pass over folders that begin with `_` or `.`"
        ));
    }
    let holds_text = matches!(
        data_type,
        Type::Boolean
            | Type::Tinyint
            | Type::Smallint
            | Type::Integer
            | Type::Bigint
            | Type::Real
            | Type::Double
            | Type::Decimal(..)
            | Type::Varchar(_)
            | Type::Char(_)
            | Type::Date
            | Type::Timestamp(_)
    );
    (!holds_text)
        .then(|| format!("`{name}` cannot be a partition key: it is {data_type}, which has no place in a path"))
}

/// Finds columns that cannot be told by their names. One without a name is called `_colN` by its place, from 0, as Athena's results
/// have it, and cannot be selected by that: it takes the name from no other column.
fn nameless(query: &[ResultColumn], problems: &mut Differences) {
    for column in query.iter().filter(|column| !column.is_named) {
        let place = column.name.strip_prefix("_col").and_then(|digits| digits.parse::<usize>().ok());
        let which = place.map_or_else(|| "a column".to_owned(), |index| format!("column {}", index + 1));
        problems.push(&column.name, "", "no name", format!("{which} of the SELECT: give it a name with `AS`"));
    }
    let mut seen = std::collections::HashSet::new();
    let mut told = std::collections::HashSet::new();
    for column in query.iter().filter(|column| column.is_named) {
        let name = column.name.to_lowercase();
        if !seen.insert(name.clone()) && told.insert(name.clone()) {
            problems.push(&name, "", "two columns", "give one another name with `AS`".to_owned());
        }
    }
}

/// Says how a column becomes one of the type that the table has.
fn cast_remedy(name: &str, from: &Type, to: &Type) -> String {
    match cast::kernel(from, to) {
        // Trino has no such cast.
        Ok(None) => format!("select another value: no CAST leads from {from} to {to}"),
        Ok(Some(_)) | Err(_) => format!("`CAST({} AS {to})`", identifier(name)),
    }
}

/// What stands in a list of differences where there is no column.
const NOTHING: &str = "-";

/// The differences between a query's columns and a table's, a line each.
#[derive(Debug, Default)]
struct Differences {
    /// The column; its type in the table; its type in the query; what to do.
    rows: Vec<[String; 4]>,
}

impl Differences {
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn push(&mut self, column: &str, in_table: &str, in_query: &str, remedy: String) {
        self.rows.push([column.to_owned(), in_table.to_owned(), in_query.to_owned(), remedy]);
    }

    /// A column of the query that the partition gives.
    fn key(&mut self, column: &ResultColumn) {
        let remedy = "leave it out: the partition gives its value";
        let name = column.name.to_lowercase();
        self.push(&name, "partition key", &column.data_type.to_string(), remedy.to_owned());
    }

    /// A column of the query whose type no table holds.
    fn unstorable(&mut self, column: &ResultColumn) {
        let remedy = match &column.data_type {
            Type::Timestamp(_) => "cast it to timestamp(3): tables hold milliseconds",
            _ => "cast it: no table holds this type",
        };
        self.push(&column.name.to_lowercase(), NOTHING, &column.data_type.to_string(), remedy.to_owned());
    }

    /// Makes the error: a sentence, then the differences as a table whose columns line up.
    fn error(&self, what: &str) -> Error {
        let head = ["column", "in the table", "in the query", "what to do"].map(str::to_owned);
        let lines: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |cell: usize| lines.iter().map(|line| line[cell].chars().count()).max().unwrap_or_default();
        let widths = [width(0), width(1), width(2)];
        let mut message = what.to_owned();
        for [column, in_table, in_query, remedy] in lines {
            let [first, second, third] = widths;
            // Writing into a string cannot fail.
            let _ = write!(message, "\n  {column:<first$}  {in_table:<second$}  {in_query:<third$}  {remedy}");
        }
        Error::new(ErrorKind::SchemaMismatch, "compare columns", message)
    }
}

fn mismatch(what: &str, problems: &[String]) -> Error {
    Error::new(ErrorKind::SchemaMismatch, "compare columns", format!("{what}: {}", problems.join("; ")))
}

/// Tells whether every value of `from` is one of `to`, so that the wrapper may cast without loss.
pub fn widens(from: &Type, to: &Type) -> bool {
    if from == to {
        return true;
    }
    match (from, to) {
        // NULL alone is of every type.
        (Type::Unknown, _)
        | (Type::Tinyint, Type::Smallint | Type::Integer | Type::Bigint)
        | (Type::Smallint, Type::Integer | Type::Bigint)
        | (Type::Integer, Type::Bigint)
        | (Type::Real, Type::Double)
        | (Type::Varchar(Some(_)), Type::Varchar(None)) => true,
        (Type::Varchar(Some(from)), Type::Varchar(Some(to))) | (Type::Char(from), Type::Char(to)) => from <= to,
        (Type::Decimal(from, from_scale), Type::Decimal(to, to_scale)) => from_scale == to_scale && from <= to,
        (Type::Timestamp(from), Type::Timestamp(to)) => from <= to,
        (Type::Array(from), Type::Array(to)) => widens(from, to),
        (Type::Map(from_key, from), Type::Map(to_key, to)) => widens(from_key, to_key) && widens(from, to),
        (Type::Row(from), Type::Row(to)) => {
            from.len() == to.len()
                && from.iter().zip(to.iter()).all(|((from_name, from), (to_name, to))| {
                    let lower = |name: &Option<String>| name.as_ref().map(|name| name.to_lowercase());
                    lower(from_name) == lower(to_name) && widens(from, to)
                })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TableFormat;

    #[test]
    fn a_cast_is_named_only_where_there_is_one() {
        assert_eq!(cast_remedy("a", &Type::Varchar(Some(3)), &Type::Bigint), "`CAST(a AS bigint)`");
        assert_eq!(cast_remedy("order", &Type::Double, &Type::Bigint), "`CAST(\"order\" AS bigint)`");
        assert_eq!(
            cast_remedy("a", &Type::Date, &Type::Bigint),
            "select another value: no CAST leads from date to bigint"
        );
    }
    use crate::name::{Location, TableName};

    fn table() -> Table {
        Table::new(
            TableName::new("web", "t").unwrap(),
            vec![
                Column::new("a", "bigint"),
                Column::new("b", "string"),
                Column::new("c", "decimal(10,2)"),
                Column::new("d", "date"),
            ],
            vec![Column::new("dt", "string")],
            Location::parse("s3://b/t/").unwrap(),
            TableFormat::Parquet,
        )
    }

    fn query(columns: &[(&str, &str)]) -> Vec<ResultColumn> {
        let column = |(index, (name, text)): (usize, &(&str, &str))| {
            ResultColumn::of_result(index, (*name).to_owned(), Type::from_trino(text).unwrap())
        };
        columns.iter().enumerate().map(column).collect()
    }

    #[test]
    fn every_difference_is_listed_at_once() {
        let query = query(&[
            ("x", "integer"),
            ("A", "varchar(3)"),
            ("c", "decimal(12,2)"),
            ("b", "varchar(3)"),
            ("dt", "varchar(10)"),
            ("B", "varchar(3)"),
        ]);
        let error = plan_schema(&table(), &query, OnSchemaChange::Fail, OnMissingColumn::Fail).unwrap_err();
        assert_eq!(error.kind, ErrorKind::SchemaMismatch);
        assert_eq!(
            error.message,
            "\
the query does not fit table `web.t`
  column  in the table   in the query   what to do
  b                      two columns    give one another name with `AS`
  a       bigint         varchar(3)     `CAST(a AS bigint)`
  c       decimal(10,2)  decimal(12,2)  `CAST(c AS decimal(10,2))`
  d       date           -              select it
  x       -              integer        leave it out
  dt      partition key  varchar(10)    leave it out: the partition gives its value"
        );
    }

    #[test]
    fn a_column_without_a_name_is_told_by_its_place() {
        let mut query = query(&[("a", "bigint"), ("_col1", "integer"), ("_col1", "date")]);
        let error = plan_schema(&table(), &query, OnSchemaChange::Fail, OnMissingColumn::Fail).unwrap_err();
        let folded = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "_col1 no name column 2 of the SELECT: give it a name with `AS`";
        assert!(folded.contains(expected) && !folded.contains("two columns"), "{folded}");
        // A name that is given is one, whatever it is; what stands before such a column may be left out of what is written.
        query[1].is_named = true;
        query.remove(2);
        let names = new_schema(&query).unwrap().columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(names, ["a", "_col1"]);
        query[1].is_named = false;
        query.remove(0);
        let error = new_schema(&query).unwrap_err().message;
        assert!(error.contains("column 2 of the SELECT: give it a name with `AS`"), "{error}");
    }

    #[test]
    fn a_name_that_only_looks_like_none_is_one() {
        // Given to another column than the one that would have it, or longer than such a name.
        let named = query(&[("_col1", "bigint"), ("_col", "bigint"), ("_color", "bigint"), ("_col03", "bigint")]);
        assert_eq!(new_schema(&named).unwrap().columns.len(), 4);
        let error = new_schema(&query(&[("_col0", "bigint")])).unwrap_err();
        let folded = error.message.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.ends_with("_col0 no name column 1 of the SELECT: give it a name with `AS`"), "{folded}");
        // A table that was made of a result once has such a column, and gets what the statement itself calls so.
        let mut table = table();
        table.columns = vec![Column::new("_col0", "bigint")];
        let plan = |query: &[ResultColumn]| plan_schema(&table, query, OnSchemaChange::Fail, OnMissingColumn::Fail);
        let mut query = query(&[("_col0", "integer"), ("_col1", "integer")]);
        assert!(plan(&query[..1]).is_err());
        query[0].is_named = true;
        assert_eq!(plan(&query[..1]).unwrap().columns[0].source.as_deref(), Some("_col0"));
        assert!(plan(&query).is_err());
    }

    #[test]
    fn order_does_not_count_and_types_widen() {
        let query = query(&[("d", "date"), ("c", "decimal(4,2)"), ("b", "varchar(3)"), ("a", "integer")]);
        let plan = plan_schema(&table(), &query, OnSchemaChange::Fail, OnMissingColumn::Fail).unwrap();
        let columns: Vec<String> =
            plan.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
        assert_eq!(columns, ["a bigint", "b varchar", "c decimal(10,2)", "d date"]);
        assert!(plan.added.is_empty());
    }

    #[test]
    fn columns_are_added_ignored_and_filled() {
        let query = query(&[("a", "bigint"), ("new", "double"), ("b", "varchar"), ("c", "decimal(10,2)")]);
        let plan = plan_schema(&table(), &query, OnSchemaChange::Append, OnMissingColumn::NullFill).unwrap();
        assert_eq!(plan.added, [Column::new("new", "double")]);
        let text = self::query(&[("new", "varchar(3)")]);
        let longer = plan_schema(&table(), &text, OnSchemaChange::Append, OnMissingColumn::NullFill).unwrap();
        assert_eq!(longer.added, [Column::new("new", "string")], "the next text may be longer");
        assert_eq!(plan.columns.last().unwrap().source.as_deref(), Some("new"));
        assert_eq!(plan.columns[3], WrappedColumn::new("d", &Type::Date, None));
        let plan = plan_schema(&table(), &query, OnSchemaChange::Ignore, OnMissingColumn::NullFill).unwrap();
        assert_eq!(plan.columns.len(), 4);
    }

    #[test]
    fn a_new_table_takes_what_tables_hold() {
        let plan = new_schema(&query(&[("A", "integer"), ("b", "varchar(3)")])).unwrap();
        assert_eq!(plan.added, [Column::new("a", "int"), Column::new("b", "varchar(3)")]);
        let error = new_schema(&query(&[
            ("t", "time(3)"),
            ("z", "timestamp(3) with time zone"),
            ("f", "timestamp(6)"),
            ("s", "timestamp(0)"),
        ]))
        .unwrap_err();
        assert_eq!(
            error.message,
            "\
the query cannot become a table
  column  in the table  in the query                 what to do
  t       -             time(3)                      cast it: no table holds this type
  z       -             timestamp(3) with time zone  cast it: no table holds this type
  f       -             timestamp(6)                 cast it to timestamp(3): tables hold milliseconds"
        );
    }
}
