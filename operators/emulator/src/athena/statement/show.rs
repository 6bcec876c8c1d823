//! `SHOW` and `DESCRIBE`.

use super::alter::{PartitionSpec, spec};
use super::reader::Reader;
use super::{Class, Name, Statement, SyntaxError, unsupported};

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) enum Show {
    /// `SHOW DATABASES`.
    Databases { like: Option<String> },
    /// `SHOW TABLES`.
    Tables { database: Option<String>, like: Option<String> },
    /// `SHOW VIEWS`.
    Views { database: Option<String>, like: Option<String> },
    /// `SHOW PARTITIONS`.
    Partitions { table: Name, partition: Option<PartitionSpec> },
    /// `SHOW COLUMNS`.
    Columns(Name),
    /// `SHOW TBLPROPERTIES`.
    Properties { table: Name, key: Option<String> },
    /// `SHOW CREATE TABLE`.
    CreateTable(Name),
    /// `SHOW CREATE VIEW`.
    CreateView(Name),
}

/// `DESCRIBE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) struct Describe {
    pub(in crate::athena) table: Name,
    pub(in crate::athena) detail: Detail,
    pub(in crate::athena) partition: Option<PartitionSpec>,
    pub(in crate::athena) column: Option<String>,
}

/// How much is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::athena) enum Detail {
    Columns,
    Extended,
    Formatted,
}

impl Show {
    pub(super) fn substatement(&self) -> &'static str {
        match self {
            Self::Databases { .. } => "SHOW_DATABASES",
            Self::Tables { .. } => "SHOW_TABLES",
            Self::Views { .. } => "SHOW_VIEWS",
            Self::Partitions { .. } => "SHOW_PARTITIONS",
            Self::Columns(_) => "SHOW_COLUMNS",
            Self::Properties { .. } => "SHOW_TBLPROPERTIES",
            Self::CreateTable(_) => "SHOW_CREATE_TABLE",
            Self::CreateView(_) => "SHOW_CREATE_VIEW",
        }
    }
}

pub(super) fn show(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    reader.expect_words(&["SHOW"])?;
    let show = if reader.take_one_of(&["DATABASES", "SCHEMAS"]) {
        Show::Databases { like: like(&mut reader)? }
    } else if reader.take_word("TABLES") {
        Show::Tables { database: within(&mut reader)?, like: like(&mut reader)? }
    } else if reader.take_word("VIEWS") {
        Show::Views { database: within(&mut reader)?, like: like(&mut reader)? }
    } else if reader.take_word("PARTITIONS") {
        let table = reader.name("the name of a table")?;
        let partition = if reader.take_word("PARTITION") { Some(spec(&mut reader)?) } else { None };
        Show::Partitions { table, partition }
    } else if reader.take_word("COLUMNS") {
        if !reader.take_one_of(&["FROM", "IN"]) {
            return Err(reader.expected("FROM or IN"));
        }
        let mut table = reader.name("the name of a table")?;
        if let Some(database) = within(&mut reader)? {
            table.database = Some(database);
        }
        Show::Columns(table)
    } else if reader.take_word("TBLPROPERTIES") {
        let table = reader.name("the name of a table")?;
        let mut key = None;
        if reader.take_sign('(') {
            key = Some(reader.text("the name of a property in quotes")?);
            reader.expect_sign(')')?;
        }
        Show::Properties { table, key }
    } else if reader.take_words(&["CREATE", "TABLE"]) {
        Show::CreateTable(reader.name("the name of a table")?)
    } else if reader.take_words(&["CREATE", "VIEW"]) {
        Show::CreateView(reader.name("the name of a view")?)
    } else {
        for (word, name) in [
            ("FUNCTIONS", "SHOW FUNCTIONS"),
            ("STATS", "SHOW STATS"),
            ("SESSION", "SHOW SESSION"),
            ("CATALOGS", "SHOW CATALOGS"),
            ("GRANTS", "SHOW GRANTS"),
        ] {
            if reader.take_word(word) {
                return Ok(unsupported(name, Class::Utility, "SHOW"));
            }
        }
        return Err(reader.expected(
            "COLUMNS, CREATE TABLE, CREATE VIEW, DATABASES, PARTITIONS, SCHEMAS, TABLES, TBLPROPERTIES or VIEWS",
        ));
    };
    reader.expect_end()?;
    Ok(Statement::Show(show))
}

fn within(reader: &mut Reader<'_>) -> Result<Option<String>, SyntaxError> {
    if reader.take_one_of(&["FROM", "IN"]) { reader.identifier("the name of a database").map(Some) } else { Ok(None) }
}

/// Reads `[LIKE] 'pattern'`.
fn like(reader: &mut Reader<'_>) -> Result<Option<String>, SyntaxError> {
    if reader.take_word("LIKE") || !reader.is_at_end() {
        return reader.text("a pattern in quotes").map(Some);
    }
    Ok(None)
}

pub(super) fn describe(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    if !reader.take_one_of(&["DESCRIBE", "DESC"]) {
        return Err(reader.expected("DESCRIBE"));
    }
    if reader.take_one_of(&["DATABASE", "SCHEMA", "FUNCTION", "INPUT", "OUTPUT"]) {
        return Ok(unsupported("DESCRIBE of anything but a table or view", Class::Utility, "DESCRIBE"));
    }
    let detail = if reader.take_word("EXTENDED") {
        Detail::Extended
    } else if reader.take_word("FORMATTED") {
        Detail::Formatted
    } else {
        Detail::Columns
    };
    if reader.is_word(0, "VIEW") || reader.is_word(0, "TABLE") {
        reader.take_one_of(&["VIEW", "TABLE"]);
    }
    let table = reader.name("the name of a table")?;
    let partition = if reader.take_word("PARTITION") { Some(spec(&mut reader)?) } else { None };
    let column = if reader.is_at_end() { None } else { Some(reader.identifier("the name of a column")?) };
    reader.expect_end()?;
    Ok(Statement::Describe(Describe { table, detail, partition, column }))
}
