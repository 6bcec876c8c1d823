//! `ALTER TABLE` of Hive's DDL: partitions, columns, places, properties.

use indexmap::IndexMap;

use super::create_table::{WrittenColumn, columns};
use super::reader::Reader;
use super::{Class, Statement, SyntaxError, unsupported};

/// The keys and values of a partition as they are written.
pub(in crate::athena) type PartitionSpec = IndexMap<String, String>;

/// A change of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) enum Alter {
    /// `ADD [IF NOT EXISTS] PARTITION (…) [LOCATION '…'] …`.
    AddPartitions { if_not_exists: bool, partitions: Vec<(PartitionSpec, Option<String>)> },
    /// `DROP [IF EXISTS] PARTITION (…), …`.
    DropPartitions { if_exists: bool, partitions: Vec<PartitionSpec> },
    /// `PARTITION (…) RENAME TO PARTITION (…)`.
    RenamePartition { from: PartitionSpec, to: PartitionSpec },
    /// `[PARTITION (…)] SET LOCATION '…'`.
    SetLocation { partition: Option<PartitionSpec>, location: String },
    /// `ADD COLUMNS (…)`.
    AddColumns(Vec<WrittenColumn>),
    /// `REPLACE COLUMNS (…)`.
    ReplaceColumns(Vec<WrittenColumn>),
    /// `CHANGE [COLUMN] old new type [COMMENT '…'] [FIRST|AFTER column]`.
    ChangeColumn { old: String, new: WrittenColumn, place: Option<ColumnPlace> },
    /// `SET TBLPROPERTIES (…)`.
    SetProperties(IndexMap<String, String>),
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::athena) enum ColumnPlace {
    First,
    After(String),
}

impl Alter {
    pub(super) fn substatement(&self) -> &'static str {
        match self {
            Self::AddPartitions { .. } => "ALTER_TABLE_ADD_PARTITION",
            Self::DropPartitions { .. } => "ALTER_TABLE_DROP_PARTITION",
            Self::RenamePartition { .. } => "ALTER_TABLE_RENAME_PARTITION",
            Self::SetLocation { .. } => "ALTER_TABLE_SET_LOCATION",
            Self::AddColumns(_) => "ALTER_TABLE_ADD_COLUMNS",
            Self::ReplaceColumns(_) => "ALTER_TABLE_REPLACE_COLUMNS",
            Self::ChangeColumn { .. } => "ALTER_TABLE_RENAME_COLUMN",
            Self::SetProperties(_) => "ALTER_TABLE_SET_TBLPROPERTIES",
        }
    }
}

pub(super) fn alter(mut reader: Reader<'_>) -> Result<Statement, SyntaxError> {
    reader.expect_words(&["ALTER"])?;
    if reader.take_one_of(&["DATABASE", "SCHEMA"]) {
        let name = reader.identifier("the name of a database")?;
        if !reader.take_words(&["SET", "DBPROPERTIES"]) {
            return Ok(unsupported("ALTER DATABASE of anything but DBPROPERTIES", Class::Ddl, "ALTER_DATABASE"));
        }
        let properties = reader.properties()?;
        reader.expect_end()?;
        return Ok(Statement::AlterDatabase { name, properties });
    }
    if reader.take_word("VIEW") {
        return Ok(unsupported("ALTER VIEW", Class::Ddl, "ALTER_VIEW"));
    }
    reader.expect_words(&["TABLE"])?;
    let name = reader.name("the name of a table")?;
    let change = if reader.take_words(&["ADD", "COLUMNS"]) {
        Alter::AddColumns(columns(&mut reader)?)
    } else if reader.take_word("ADD") {
        let if_not_exists = reader.take_words(&["IF", "NOT", "EXISTS"]);
        let mut partitions = Vec::new();
        while reader.take_word("PARTITION") {
            let partition = spec(&mut reader)?;
            let location = if reader.take_word("LOCATION") { Some(reader.text("a location in quotes")?) } else { None };
            partitions.push((partition, location));
            reader.take_sign(',');
        }
        if partitions.is_empty() {
            return Err(reader.expected("COLUMNS or PARTITION"));
        }
        Alter::AddPartitions { if_not_exists, partitions }
    } else if reader.take_word("DROP") {
        let if_exists = reader.take_words(&["IF", "EXISTS"]);
        let mut partitions = Vec::new();
        loop {
            reader.expect_words(&["PARTITION"])?;
            partitions.push(spec(&mut reader)?);
            if !reader.take_sign(',') {
                break;
            }
        }
        reader.take_word("PURGE");
        Alter::DropPartitions { if_exists, partitions }
    } else if reader.take_word("PARTITION") {
        let partition = spec(&mut reader)?;
        if reader.take_words(&["RENAME", "TO", "PARTITION"]) {
            Alter::RenamePartition { from: partition, to: spec(&mut reader)? }
        } else if reader.take_words(&["SET", "LOCATION"]) {
            Alter::SetLocation { partition: Some(partition), location: reader.text("a location in quotes")? }
        } else if reader.is_word(0, "ADD") || reader.is_word(0, "REPLACE") || reader.is_word(0, "CHANGE") {
            return Ok(unsupported("ALTER TABLE … PARTITION … COLUMNS", Class::Ddl, "ALTER_TABLE_ADD_COLUMNS"));
        } else {
            return Err(reader.expected("RENAME TO PARTITION or SET LOCATION"));
        }
    } else if reader.take_words(&["REPLACE", "COLUMNS"]) {
        Alter::ReplaceColumns(columns(&mut reader)?)
    } else if reader.take_word("CHANGE") {
        change_column(&mut reader)?
    } else if reader.take_words(&["SET", "LOCATION"]) {
        Alter::SetLocation { partition: None, location: reader.text("a location in quotes")? }
    } else if reader.take_words(&["SET", "TBLPROPERTIES"]) {
        Alter::SetProperties(reader.properties()?)
    } else {
        for (words, name) in [
            (&["RENAME"][..], "ALTER TABLE … RENAME TO"),
            (&["UNSET"][..], "ALTER TABLE … UNSET TBLPROPERTIES"),
            (&["EXCHANGE"][..], "ALTER TABLE … EXCHANGE PARTITION"),
            (&["SET"][..], "ALTER TABLE … SET of anything but LOCATION and TBLPROPERTIES"),
            (&["CLUSTERED"][..], "ALTER TABLE … CLUSTERED BY"),
        ] {
            if reader.take_words(words) {
                return Ok(unsupported(name, Class::Ddl, "ALTER_TABLE"));
            }
        }
        return Err(reader.expected("ADD, CHANGE, DROP, PARTITION, REPLACE COLUMNS, SET LOCATION or SET TBLPROPERTIES"));
    };
    reader.expect_end()?;
    Ok(Statement::Alter { name, change })
}

/// Reads what stands behind `CHANGE`.
fn change_column(reader: &mut Reader<'_>) -> Result<Alter, SyntaxError> {
    reader.take_word("COLUMN");
    let old = reader.identifier("the name of a column")?;
    let name = reader.identifier("the new name of the column")?;
    let data_type = reader.until(&["COMMENT", "FIRST", "AFTER", "CASCADE", "RESTRICT"]).to_lowercase();
    if data_type.is_empty() {
        return Err(reader.expected("the type of the column"));
    }
    let comment = if reader.take_word("COMMENT") { Some(reader.text("a comment in quotes")?) } else { None };
    let place = if reader.take_word("FIRST") {
        Some(ColumnPlace::First)
    } else if reader.take_word("AFTER") {
        Some(ColumnPlace::After(reader.identifier("the name of a column")?))
    } else {
        None
    };
    // Partitions keep their own columns either way, as with Glue.
    reader.take_one_of(&["CASCADE", "RESTRICT"]);
    Ok(Alter::ChangeColumn { old, new: WrittenColumn { name, data_type, comment }, place })
}

/// Reads `(key = 'value', …)`.
pub(super) fn spec(reader: &mut Reader<'_>) -> Result<PartitionSpec, SyntaxError> {
    let mut pairs = IndexMap::new();
    reader.expect_sign('(')?;
    loop {
        let key = reader.identifier("a partition key")?;
        reader.expect_sign('=')?;
        // `DATE '2026-01-01'` is the text.
        if reader.is_word(0, "DATE") && !reader.is_sign(1, ',') && !reader.is_sign(1, ')') {
            reader.take_word("DATE");
        }
        pairs.insert(key, reader.scalar("the value of a partition key")?);
        if !reader.take_sign(',') {
            reader.expect_sign(')')?;
            return Ok(pairs);
        }
    }
}
