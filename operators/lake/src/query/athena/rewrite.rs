//! Points the names of tables in a statement to other tables, and leaves every other character of it as it is.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{ObjectNamePart, Query, Spanned as _, TableFactor, Visit as _, Visitor};
use sqlparser::tokenizer::{Location, Span};

use crate::error::Result;
use crate::name::TableName;
use crate::publish::dml::identifier;
use crate::sql::{parse_one, without_semicolon};

/// The database of tables without one, where a query names none: Athena's own default.
pub(super) const DEFAULT_DATABASE: &str = "default";

/// A statement with other names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::query) struct Rewritten {
    pub(in crate::query) sql: String,
    /// The tables that it names, in place of which others stand now; each once.
    pub(super) named: Vec<TableName>,
    pub(in crate::query) edits: Vec<Edit>,
}

/// A name that was replaced: where, in the characters of its line, and by how many of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct Edit {
    line: u64,
    start: u64,
    old: u64,
    new: u64,
}

/// Replaces the names of tables by what `replaced` gives for them. Names of subqueries (`WITH name AS`) stay.
///
/// # Errors
/// Those of the parser: a statement that it cannot read cannot be rewritten.
pub(super) fn rewrite(
    sql: &str,
    database: Option<&str>,
    replaced: impl Fn(&TableName) -> Option<TableName>,
) -> Result<Rewritten> {
    // As Athena does, a `;` at the end is passed over.
    let sql = without_semicolon(sql);
    let query = parse_one(sql)?;
    let mut found = Names::default();
    let ControlFlow::Continue(()) = query.visit(&mut found);
    let mut rewritten = Rewritten::default();
    let mut edits = Vec::new();
    for Found { parts, span, has_alias } in found.tables {
        let name = match parts.as_slice() {
            // What WITH names hides the table of that name.
            [table] if found.subqueries.contains(table) => continue,
            [table] => TableName::new(database.unwrap_or(DEFAULT_DATABASE), table)?,
            [database, table] | [_, database, table] => TableName::new(database, table)?,
            _ => continue,
        };
        let Some(other) = replaced(&name) else { continue };
        // Columns may be named by the table's name.
        let alias = if has_alias { String::new() } else { format!(" AS {}", identifier(&name.table)) };
        let text = format!("{}.{}{alias}", identifier(&other.database), identifier(&other.table));
        if !rewritten.named.contains(&name) {
            rewritten.named.push(name);
        }
        edits.push((span, text));
    }
    edits.sort_by_key(|(span, _)| (span.start.line, span.start.column));
    let mut done = 0;
    for (span, text) in edits {
        let (start, end) = (offset(sql, span.start), offset(sql, span.end));
        if start < done {
            continue;
        }
        rewritten.sql.push_str(&sql[done..start]);
        rewritten.sql.push_str(&text);
        let count = |text: &str| u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        rewritten.edits.push(Edit {
            line: span.start.line,
            start: span.start.column,
            old: count(&sql[start..end]),
            new: count(&text),
        });
        done = end;
    }
    rewritten.sql.push_str(&sql[done..]);
    Ok(rewritten)
}

impl Rewritten {
    /// A statement in which nothing is replaced.
    pub(super) fn unchanged(sql: &str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }

    /// Returns where a place of the rewritten statement is in the one before.
    pub(in crate::query) fn place_before(&self, (line, column): (u32, u32)) -> (u32, u32) {
        let mut column = i64::from(column);
        for edit in self.edits.iter().filter(|edit| edit.line == u64::from(line)) {
            // The edits before this one are undone already, so its start is where it was.
            let (start, old, new) = (signed(edit.start), signed(edit.old), signed(edit.new));
            if column < start {
                break;
            }
            column = if column < start + new { start } else { column - new + old };
        }
        (line, u32::try_from(column).unwrap_or(1))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A name of a table in a statement.
#[derive(Debug)]
struct Found {
    parts: Vec<String>,
    span: Span,
    has_alias: bool,
}

/// Collects names.
#[derive(Debug, Default)]
struct Names {
    tables: Vec<Found>,
    subqueries: HashSet<String>,
}

impl Visitor for Names {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        let subqueries = query.with.iter().flat_map(|with| &with.cte_tables);
        self.subqueries.extend(subqueries.map(|subquery| subquery.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor {
            let parts: Option<Vec<String>> = name
                .0
                .iter()
                .map(|part| match part {
                    ObjectNamePart::Identifier(word) => Some(word.value.to_lowercase()),
                    ObjectNamePart::Function(_) => None,
                })
                .collect();
            if let Some(parts) = parts {
                self.tables.push(Found { parts, span: name.span(), has_alias: alias.is_some() });
            }
        }
        ControlFlow::Continue(())
    }
}

/// Returns the byte of a 1-based line and column, counted in characters.
fn offset(text: &str, place: Location) -> usize {
    let mut start = 0;
    for _ in 1..place.line {
        start += text[start..].find('\n').map_or(text.len() - start, |at| at + 1);
    }
    let skipped = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
    text[start..].char_indices().nth(skipped).map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(sql: &str) -> Rewritten {
        let other = |name: &TableName| {
            let known = matches!(name.to_string().as_str(), "web.daily" | "web.new_version");
            known.then(|| TableName::new("web", "tmp").unwrap())
        };
        rewrite(sql, Some("web"), other).unwrap()
    }

    #[test]
    fn names_of_tables_are_replaced_and_nothing_else() {
        for (sql, expected) in [
            ("SELECT daily.n FROM daily", "SELECT daily.n FROM \"web\".\"tmp\" AS \"daily\""),
            ("SELECT n FROM WEB.Daily AS d -- daily", "SELECT n FROM \"web\".\"tmp\" AS d -- daily"),
            (
                "SELECT 'é daily' AS \"daily\"\nFROM other o JOIN \"new_version\" USING (n), web.daily x",
                "SELECT 'é daily' AS \"daily\"\nFROM other o JOIN \"web\".\"tmp\" AS \"new_version\" USING (n), \"web\".\"tmp\" x",
            ),
            (
                "SELECT * FROM other WHERE n IN (SELECT n FROM (SELECT n FROM awsdatacatalog.web.daily) q)",
                "SELECT * FROM other WHERE n IN (SELECT n FROM (SELECT n FROM \"web\".\"tmp\" AS \"daily\") q)",
            ),
            ("WITH daily AS (SELECT 1 AS n) SELECT n FROM daily", "WITH daily AS (SELECT 1 AS n) SELECT n FROM daily"),
            ("SELECT n FROM elsewhere.daily ;\n", "SELECT n FROM elsewhere.daily "),
        ] {
            assert_eq!(rewritten(sql).sql, expected);
        }
        let named = rewritten("SELECT 1 FROM daily, daily d, new_version").named;
        assert_eq!(named.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web.daily", "web.new_version"]);
    }

    #[test]
    fn places_lead_back_to_the_statement_of_the_user() {
        let sql = "SELECT a FROM daily d JOIN daily e ON d.x = e.x WHERE bad";
        let done = rewritten(sql);
        let column = |text: &str, word: &str| u32::try_from(text.find(word).unwrap() + 1).unwrap();
        for word in ["SELECT", "d JOIN", "e ON", "WHERE", "bad"] {
            let place = (1, column(&done.sql, word));
            assert_eq!(done.place_before(place), (1, column(sql, word)), "{word}");
        }
        assert_eq!(done.place_before((1, column(&done.sql, "\"tmp\""))), (1, column(sql, "daily d")));
        assert_eq!(done.place_before((2, 40)), (2, 40));
    }
}
