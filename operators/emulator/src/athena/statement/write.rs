//! The statements around a SELECT: `CREATE TABLE … AS`, `INSERT INTO`, `UNLOAD`, `CREATE VIEW`, `EXPLAIN`, `PREPARE`.
//!
//! <https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html>,
//! <https://docs.aws.amazon.com/athena/latest/ug/unload.html>.

use indexmap::IndexMap;

use super::reader::Reader;
use super::{Class, Name, Statement, SyntaxError, unsupported};

/// The value of a property of `WITH (…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) enum Property {
    /// A text, a number or a word.
    Scalar(String),
    /// `ARRAY['a', 'b']`.
    Array(Vec<String>),
}

/// `CREATE TABLE … AS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct CreateTableAs {
    pub(in crate::athena) name: Name,
    pub(in crate::athena) if_not_exists: bool,
    /// The names of the columns; none for those of the query.
    pub(in crate::athena) columns: Vec<String>,
    pub(in crate::athena) properties: IndexMap<String, Property>,
    pub(in crate::athena) query: String,
    /// Whether rows are written.
    pub(in crate::athena) with_data: bool,
}

/// `INSERT INTO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct Insert {
    pub(in crate::athena) name: Name,
    /// The columns that the query gives; none for all of the table.
    pub(in crate::athena) columns: Vec<String>,
    pub(in crate::athena) query: String,
}

/// `UNLOAD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct Unload {
    pub(in crate::athena) query: String,
    pub(in crate::athena) to: String,
    pub(in crate::athena) properties: IndexMap<String, Property>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct CreateView {
    pub(in crate::athena) name: Name,
    pub(in crate::athena) replace: bool,
    pub(in crate::athena) comment: Option<String>,
    pub(in crate::athena) query: String,
}

pub(super) fn explain(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    reader.expect_words(&["EXPLAIN"])?;
    if reader.take_word("ANALYZE") {
        return Ok(unsupported("EXPLAIN ANALYZE", Class::Dml, "EXPLAIN"));
    }
    // `(FORMAT TEXT, TYPE LOGICAL)`; a SELECT may stand in parentheses as well.
    if reader.is_sign(0, '(') && (reader.is_word(1, "FORMAT") || reader.is_word(1, "TYPE")) {
        let options = reader.parenthesised()?.to_ascii_uppercase();
        let plain = options
            .split(',')
            .all(|option| matches!(option.split_whitespace().collect::<Vec<_>>().as_slice(), ["FORMAT", "TEXT"]));
        if !plain {
            return Ok(unsupported(&format!("EXPLAIN ({options})"), Class::Dml, "EXPLAIN"));
        }
    }
    if !reader.is_sign(0, '(') && !["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| reader.is_word(0, word)) {
        let what = reader.next_word().unwrap_or_default().to_ascii_uppercase();
        return Ok(unsupported(&format!("EXPLAIN {what}"), Class::Dml, "EXPLAIN"));
    }
    Ok(Statement::Explain(reader.rest().to_owned()))
}

pub(super) fn insert(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    if reader.take_words(&["INSERT", "OVERWRITE"]) {
        return Ok(unsupported("INSERT OVERWRITE", Class::Dml, "INSERT"));
    }
    reader.expect_words(&["INSERT", "INTO"])?;
    let name = reader.name("the name of a table")?;
    let mut columns = Vec::new();
    if reader.is_sign(0, '(') && reader.holds_names_only() {
        columns = names(&mut reader)?;
    }
    let query = query(&mut reader)?;
    Ok(Statement::Insert(Insert { name, columns, query }))
}

pub(super) fn unload(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    reader.expect_words(&["UNLOAD"])?;
    let query = reader.parenthesised()?;
    let query = reader.in_place(query);
    reader.expect_words(&["TO"])?;
    let to = reader.text("a location in quotes")?;
    let mut properties = IndexMap::new();
    if reader.take_word("WITH") {
        properties = with(&mut reader)?;
    }
    reader.expect_end()?;
    Ok(Statement::Unload(Unload { query, to, properties }))
}

pub(super) fn create_view(mut reader: Reader<'_>, replace: bool) -> Result<Statement, SyntaxError> {
    let name = reader.name("the name of a view")?;
    let comment = if reader.take_word("COMMENT") { Some(reader.text("a comment in quotes")?) } else { None };
    if reader.take_word("SECURITY") && !reader.take_one_of(&["DEFINER", "INVOKER"]) {
        return Err(reader.expected("DEFINER or INVOKER"));
    }
    reader.expect_words(&["AS"])?;
    let query = query(&mut reader)?;
    Ok(Statement::CreateView(CreateView { name, replace, comment, query }))
}

pub(super) fn create_table_as(
    mut reader: Reader<'_>,
    name: Name,
    if_not_exists: bool,
) -> Result<Statement, SyntaxError> {
    let mut columns = Vec::new();
    if reader.is_sign(0, '(') {
        columns = names(&mut reader)?;
    }
    let mut properties = IndexMap::new();
    if reader.take_word("WITH") {
        properties = with(&mut reader)?;
    }
    reader.expect_words(&["AS"])?;
    let mut query = query(&mut reader)?;
    let mut with_data = true;
    for (words, data) in [(&["with", "no", "data"][..], false), (&["with", "data"][..], true)] {
        if let Some(cut) = without_words(&query, words) {
            with_data = data;
            query = cut;
            break;
        }
    }
    // `AS (SELECT …) WITH NO DATA` may leave the parentheses, which a SELECT may have.
    Ok(Statement::CreateTableAs(CreateTableAs { name, if_not_exists, columns, properties, query, with_data }))
}

pub(super) fn prepared(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    if reader.take_word("PREPARE") {
        let name = reader.identifier("the name of a prepared statement")?;
        reader.expect_words(&["FROM"])?;
        if reader.is_at_end() {
            return Err(reader.expected("a statement"));
        }
        return Ok(Statement::Prepare { name, statement: reader.rest().to_owned() });
    }
    if reader.take_word("DEALLOCATE") {
        reader.expect_words(&["PREPARE"])?;
        let name = reader.identifier("the name of a prepared statement")?;
        reader.expect_end()?;
        return Ok(Statement::Deallocate(name));
    }
    reader.expect_words(&["EXECUTE"])?;
    let name = reader.identifier("the name of a prepared statement")?;
    let mut values = Vec::new();
    if reader.take_word("USING") {
        values.push(reader.until(&[]));
        while reader.take_sign(',') {
            values.push(reader.until(&[]));
        }
        if values.iter().any(String::is_empty) {
            return Err(reader.expected("a value"));
        }
    }
    reader.expect_end()?;
    Ok(Statement::Execute { name, values })
}

fn query(reader: &mut Reader<'_>) -> Result<String, SyntaxError> {
    let selects = ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| reader.is_word(0, word));
    if selects || reader.is_sign(0, '(') { Ok(reader.rest().to_owned()) } else { Err(reader.expected("a query")) }
}

fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, SyntaxError> {
    reader.expect_sign('(')?;
    let mut names = vec![reader.identifier("the name of a column")?];
    while reader.take_sign(',') {
        names.push(reader.identifier("the name of a column")?);
    }
    reader.expect_sign(')')?;
    Ok(names)
}

/// Reads `(name = value, …)`.
fn with(reader: &mut Reader<'_>) -> Result<IndexMap<String, Property>, SyntaxError> {
    let mut properties = IndexMap::new();
    reader.expect_sign('(')?;
    while !reader.take_sign(')') {
        let name = reader.identifier("the name of a property")?;
        reader.expect_sign('=')?;
        let value = if reader.is_word(0, "ARRAY") {
            reader.take_word("ARRAY");
            reader.expect_sign('[')?;
            let mut items = Vec::new();
            while !reader.take_sign(']') {
                items.push(reader.text("a text in quotes")?);
                if !reader.take_sign(',') && !reader.is_sign(0, ']') {
                    return Err(reader.expected("`,` or `]`"));
                }
            }
            Property::Array(items)
        } else {
            Property::Scalar(reader.scalar("the value of a property")?)
        };
        properties.insert(name, value);
        if !reader.take_sign(',') && !reader.is_sign(0, ')') {
            return Err(reader.expected("`,` or `)`"));
        }
    }
    Ok(properties)
}

/// Cuts words off the end of a query, if it ends in them.
fn without_words(query: &str, words: &[&str]) -> Option<String> {
    let mut rest = query.trim_end();
    for word in words.iter().rev() {
        let start = rest.len().checked_sub(word.len())?;
        let last = rest.get(start..)?;
        let parted =
            rest.get(..start)?.chars().next_back().is_some_and(|before| before.is_whitespace() || before == ')');
        if !last.eq_ignore_ascii_case(word) || !parted {
            return None;
        }
        rest = rest.get(..start)?.trim_end();
    }
    Some(rest.to_owned())
}
