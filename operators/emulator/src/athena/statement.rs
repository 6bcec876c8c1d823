//! What Athena takes beside SELECT: Hive's DDL, and the statements that write.
//!
//! A SELECT is the lake's to parse. A statement that Athena knows and this endpoint does not is read as
//! [`Statement::Unsupported`] with its name, so that it fails by name.

mod alter;
mod create_table;
pub(super) mod parameter;
mod reader;
mod show;
mod token;
mod write;

use std::fmt;

use indexmap::IndexMap;
use lake::name::TableName;

pub(super) use alter::{Alter, ColumnPlace, PartitionSpec};
pub(super) use create_table::{CreateTable, WrittenColumn};
pub(super) use show::{Describe, Detail, Show};
pub(super) use write::{CreateTableAs, CreateView, Insert, Property, Unload};

use reader::Reader;
use token::Texts;

/// A text that is no statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// The 1-based line and column.
    pub(super) position: (usize, usize),
    /// What was found and what was expected.
    pub(super) message: String,
}

impl SyntaxError {
    fn at(sql: &str, byte: usize, message: &str) -> Self {
        let before = sql.get(..byte).unwrap_or(sql);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { position: (line, column), message: message.to_owned() }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}:{}: {}", self.position.0, self.position.1, self.message)
    }
}

/// The name of a table or view as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The database; none for that of the query.
    pub(super) database: Option<String>,
    /// The table.
    pub(super) table: String,
}

impl Name {
    /// Returns the full name, with the database of the query where none is written.
    ///
    /// # Errors
    /// `InvalidInput` for a name that cannot be one.
    pub(super) fn full(&self, database: &str) -> lake::Result<TableName> {
        TableName::new(self.database.as_deref().unwrap_or(database), &self.table)
    }
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// `SELECT`, `WITH`, `VALUES`, `TABLE`.
    Select(String),
    /// `EXPLAIN SELECT`.
    Explain(String),
    /// `CREATE TABLE … AS`.
    CreateTableAs(CreateTableAs),
    /// `INSERT INTO`.
    Insert(Insert),
    /// `UNLOAD`.
    Unload(Unload),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `DROP VIEW`.
    DropView { name: Name, if_exists: bool },
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `DROP DATABASE`.
    DropDatabase { name: String, if_exists: bool, cascade: bool },
    /// `ALTER DATABASE … SET DBPROPERTIES`.
    AlterDatabase { name: String, properties: IndexMap<String, String> },
    /// `CREATE EXTERNAL TABLE`.
    CreateTable(Box<CreateTable>),
    /// `DROP TABLE`.
    DropTable { name: Name, if_exists: bool },
    /// `ALTER TABLE`.
    Alter { name: Name, change: Alter },
    /// `MSCK REPAIR TABLE`.
    Repair(Name),
    /// `SHOW`.
    Show(Show),
    /// `DESCRIBE`.
    Describe(Describe),
    /// `PREPARE name FROM statement`.
    Prepare { name: String, statement: String },
    /// `EXECUTE name USING values`.
    Execute { name: String, values: Vec<String> },
    /// `DEALLOCATE PREPARE name`.
    Deallocate(String),
    /// A statement that cannot be run, for this reason: it fails when its turn comes.
    Wrong(String),
    /// What Athena takes and this endpoint does not.
    Unsupported { what: String, kind: StatementKind },
}

/// `CREATE DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CreateDatabase {
    pub(super) name: String,
    pub(super) if_not_exists: bool,
    pub(super) comment: Option<String>,
    pub(super) location: Option<String>,
    pub(super) properties: IndexMap<String, String>,
}

/// How the API classes a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatementKind {
    /// `DDL`, `DML` or `UTILITY`.
    pub(super) class: Class,
    /// The finer class.
    pub(super) substatement: &'static str,
}

/// The class of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Ddl,
    Dml,
    Utility,
}

impl Class {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ddl => "DDL",
            Self::Dml => "DML",
            Self::Utility => "UTILITY",
        }
    }
}

impl Statement {
    /// Tells whether it is in Hive's dialect, not in Trino's.
    fn is_of_hive(&self) -> bool {
        match self {
            Self::CreateDatabase(_)
            | Self::AlterDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::CreateTable(_)
            | Self::DropTable { .. }
            | Self::DropView { .. }
            | Self::Alter { .. }
            | Self::Repair(_)
            | Self::Show(_)
            | Self::Describe(_) => true,
            Self::Select(_)
            | Self::Explain(_)
            | Self::CreateTableAs(_)
            | Self::Insert(_)
            | Self::Unload(_)
            | Self::CreateView(_)
            | Self::Prepare { .. }
            | Self::Execute { .. }
            | Self::Deallocate(_)
            | Self::Wrong(_)
            | Self::Unsupported { .. } => false,
        }
    }

    /// Tells how the API classes it.
    pub(super) fn kind(&self) -> StatementKind {
        let (class, substatement) = match self {
            Self::Select(_) | Self::Wrong(_) => (Class::Dml, "SELECT"),
            Self::Explain(_) => (Class::Dml, "EXPLAIN"),
            Self::CreateTableAs(_) => (Class::Ddl, "CREATE_TABLE_AS_SELECT"),
            Self::Insert(_) => (Class::Dml, "INSERT"),
            Self::Unload(_) => (Class::Dml, "UNLOAD"),
            Self::CreateView(_) => (Class::Ddl, "CREATE_VIEW"),
            Self::DropView { .. } => (Class::Ddl, "DROP_VIEW"),
            Self::CreateDatabase(_) => (Class::Ddl, "CREATE_DATABASE"),
            Self::DropDatabase { .. } => (Class::Ddl, "DROP_DATABASE"),
            Self::AlterDatabase { .. } => (Class::Ddl, "ALTER_DATABASE"),
            Self::CreateTable(_) => (Class::Ddl, "CREATE_TABLE"),
            Self::DropTable { .. } => (Class::Ddl, "DROP_TABLE"),
            Self::Alter { change, .. } => (Class::Ddl, change.substatement()),
            Self::Repair(_) => (Class::Ddl, "MSCK"),
            Self::Show(show) => (Class::Utility, show.substatement()),
            Self::Describe(_) => (Class::Utility, "DESCRIBE_TABLE"),
            Self::Prepare { .. } => (Class::Utility, "PREPARE"),
            Self::Execute { .. } => (Class::Dml, "EXECUTE"),
            Self::Deallocate(_) => (Class::Utility, "DEALLOCATE"),
            Self::Unsupported { kind, .. } => return *kind,
        };
        StatementKind { class, substatement }
    }
}

/// Reads a statement.
///
/// # Errors
/// A [`SyntaxError`] for a text that is none; for a SELECT, of which only the first word is looked at here, the lake's.
pub(super) fn parse(sql: &str) -> Result<Statement, SyntaxError> {
    let trino = Reader::new(sql, Texts::Trino);
    // Hive's texts may hold what Trino's cannot: which dialect it is shows in the first words.
    let hive = || Reader::new(sql, Texts::Hive);
    let first = match &trino {
        Ok(reader) => reader.clone(),
        Err(_) => hive()?,
    };
    let Some(word) = first.next_word() else {
        if first.is_sign(0, '(') {
            return Ok(Statement::Select(trino?.rest().to_owned()));
        }
        return Err(first.expected("a statement"));
    };
    match word.to_ascii_uppercase().as_str() {
        "SELECT" | "WITH" | "VALUES" | "TABLE" => Ok(Statement::Select(trino?.rest().to_owned())),
        "EXPLAIN" => write::explain(trino?),
        "INSERT" => write::insert(trino?),
        "UNLOAD" => write::unload(trino?),
        "PREPARE" | "EXECUTE" | "DEALLOCATE" => write::prepared(trino?),
        "CREATE" => create(trino, hive),
        "DROP" => drop_statement(hive()?),
        "ALTER" => alter::alter(hive()?),
        "MSCK" => {
            let mut reader = hive()?;
            reader.expect_words(&["MSCK", "REPAIR", "TABLE"])?;
            let name = reader.name("the name of a table")?;
            reader.expect_end()?;
            Ok(Statement::Repair(name))
        }
        "SHOW" => show::show(hive()?),
        "DESCRIBE" | "DESC" => show::describe(hive()?),
        "UPDATE" => Ok(unsupported("UPDATE", Class::Dml, "UPDATE")),
        "DELETE" => Ok(unsupported("DELETE", Class::Dml, "DELETE")),
        "MERGE" => Ok(unsupported("MERGE", Class::Dml, "MERGE")),
        "OPTIMIZE" => Ok(unsupported("OPTIMIZE", Class::Ddl, "OPTIMIZE")),
        "VACUUM" => Ok(unsupported("VACUUM", Class::Ddl, "VACUUM")),
        "USING" => Ok(unsupported("USING EXTERNAL FUNCTION", Class::Dml, "SELECT")),
        _ => Err(first.expected(
            "'ALTER', 'CREATE', 'DEALLOCATE', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'INSERT', 'MSCK', 'PREPARE', 'SELECT', \
             'SHOW', 'UNLOAD', 'VALUES' or 'WITH'",
        )),
    }
}

fn unsupported(what: &str, class: Class, substatement: &'static str) -> Statement {
    Statement::Unsupported { what: format!("`{what}`"), kind: StatementKind { class, substatement } }
}

fn create<'s>(
    trino: Result<Reader<'s>, SyntaxError>,
    hive: impl FnOnce() -> Result<Reader<'s>, SyntaxError>,
) -> Result<Statement, SyntaxError> {
    if let Ok(mut reader) = trino {
        reader.expect_words(&["CREATE"])?;
        let replace = reader.take_words(&["OR", "REPLACE"]);
        if reader.take_word("VIEW") {
            return write::create_view(reader, replace);
        }
        if reader.take_word("TABLE") {
            let if_not_exists = reader.take_words(&["IF", "NOT", "EXISTS"]);
            let name = reader.name("the name of a table")?;
            let selects = ["WITH", "AS"].iter().any(|word| reader.is_word(0, word))
                || (reader.is_sign(0, '(') && reader.holds_names_only());
            if selects {
                return write::create_table_as(reader, name, if_not_exists);
            }
        }
    }
    let mut reader = hive()?;
    reader.expect_words(&["CREATE"])?;
    if reader.take_one_of(&["DATABASE", "SCHEMA"]) {
        return create_database(reader);
    }
    let external = reader.take_word("EXTERNAL");
    if reader.take_word("TABLE") {
        return create_table::create_table(reader, external);
    }
    Err(reader.expected("'DATABASE', 'EXTERNAL', 'OR', 'SCHEMA', 'TABLE' or 'VIEW'"))
}

fn create_database(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    let if_not_exists = reader.take_words(&["IF", "NOT", "EXISTS"]);
    let mut made = CreateDatabase {
        name: reader.identifier("the name of a database")?,
        if_not_exists,
        ..CreateDatabase::default()
    };
    if reader.take_word("COMMENT") {
        made.comment = Some(reader.text("a comment in quotes")?);
    }
    if reader.take_word("LOCATION") {
        made.location = Some(reader.text("a location in quotes")?);
    }
    if reader.take_words(&["WITH", "DBPROPERTIES"]) {
        made.properties = reader.properties()?;
    }
    reader.expect_end()?;
    Ok(Statement::CreateDatabase(made))
}

fn drop_statement(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    reader.expect_words(&["DROP"])?;
    let if_exists = |reader: &mut Reader<'_>| reader.take_words(&["IF", "EXISTS"]);
    let statement = if reader.take_one_of(&["DATABASE", "SCHEMA"]) {
        let if_exists = if_exists(&mut reader);
        let name = reader.identifier("the name of a database")?;
        let cascade = reader.take_word("CASCADE");
        if !cascade {
            reader.take_word("RESTRICT");
        }
        Statement::DropDatabase { name, if_exists, cascade }
    } else if reader.take_word("TABLE") {
        let if_exists = if_exists(&mut reader);
        let name = reader.name("the name of a table")?;
        reader.take_word("PURGE");
        Statement::DropTable { name, if_exists }
    } else if reader.take_word("VIEW") {
        Statement::DropView { if_exists: if_exists(&mut reader), name: reader.name("the name of a view")? }
    } else {
        return Err(reader.expected("'DATABASE', 'SCHEMA', 'TABLE' or 'VIEW'"));
    };
    reader.expect_end()?;
    Ok(statement)
}

#[cfg(test)]
mod tests;
