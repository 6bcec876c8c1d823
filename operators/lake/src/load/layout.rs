//! The layout of an input: what its columns are, and how to find and read them. Declared, or guessed once and then kept, so
//! that a load that goes on after a crash reads as it began.

use serde::{Deserialize, Serialize};

use super::chunk::{self, Header, HeaderRecord};
use super::column::ReadColumn;
use super::config::{ColumnConfig, ColumnType, CsvConfig, ParserConfig, UnknownKeys};
use super::guess::{self, NoNames};
use super::parse::csv::CsvParser;
use super::parse::jsonl::{JsonlParser, pointer_parts};
use super::parse::{Parser, apache_combined};
use super::time_format::{TimeDefaults, TimeFormat, parse_date, zone};
use crate::catalog::Column;
use crate::error::{Error, ErrorKind, Result};

/// What an input's columns are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InputLayout {
    /// The columns in order.
    pub columns: Vec<LayoutColumn>,
    /// The delimiter of delimited text.
    pub delimiter: String,
    /// What stands before the records.
    pub header: Header,
    /// Whether the columns were guessed.
    pub is_guessed: bool,
}

/// A column of a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LayoutColumn {
    /// The name, lower case.
    pub name: String,
    /// The type.
    pub column_type: ColumnType,
    /// The format of times.
    pub format: Option<String>,
    /// The zone of times.
    pub timezone: Option<String>,
    /// The day of times.
    pub date: Option<String>,
    /// Where its value stands in a JSON line.
    pub path: Vec<String>,
    /// Whether its type was guessed from no value at all.
    #[serde(default)]
    pub is_unknown: bool,
    /// Whether a double keeps every digit of the values that it was guessed from.
    #[serde(default)]
    pub fits_double: bool,
}

/// How many of the guessed columns are named.
const SAID_COLUMNS: usize = 20;

impl LayoutColumn {
    pub(crate) fn new(name: String, column_type: ColumnType) -> Self {
        Self {
            name,
            column_type,
            format: None,
            timezone: None,
            date: None,
            path: Vec::new(),
            is_unknown: false,
            fits_double: false,
        }
    }

    fn declared(column: &ColumnConfig) -> Self {
        let path = match &column.element_at {
            Some(pointer) => pointer_parts(pointer),
            None => vec![column.name.clone()],
        };
        Self {
            name: column.name.to_lowercase(),
            column_type: column.column_type,
            format: column.format.clone(),
            timezone: column.timezone.clone(),
            date: column.date.clone(),
            path,
            is_unknown: false,
            fits_double: false,
        }
    }

    /// Tells whether all values that this type was guessed from are of the other type, too.
    fn gives_way_to(&self, other: ColumnType) -> bool {
        use ColumnType::{Bigint, Boolean, Date, Decimal, Double, Integer, Smallint, Timestamp, Tinyint, Varchar};
        match self.column_type {
            _ if self.is_unknown => true,
            Bigint if other == Double => self.fits_double,
            Bigint => matches!(other, Tinyint | Smallint | Integer | Decimal(..) | Varchar(_)),
            Double => matches!(other, Decimal(..) | Varchar(_)),
            Date => matches!(other, Timestamp | Varchar(_)),
            Boolean | Timestamp | Varchar(_) => matches!(other, Varchar(_)),
            _ => false,
        }
    }
}

impl InputLayout {
    /// Returns the layout that the config declares; none when it must be guessed.
    pub(crate) fn declared(parser: &ParserConfig) -> Option<Self> {
        let columns = match parser {
            ParserConfig::ApacheCombined(_) => apache_combined::columns()
                .into_iter()
                .map(|column| LayoutColumn::new(column.name, column.column_type))
                .collect(),
            _ if parser.columns().is_empty() => return None,
            _ => parser.columns().iter().map(LayoutColumn::declared).collect(),
        };
        let (delimiter, header) = match parser {
            ParserConfig::Csv(csv) => (csv.delimiter.clone().unwrap_or_else(|| ",".to_owned()), declared_header(csv)),
            _ => (String::new(), Header::default()),
        };
        Some(Self { columns, delimiter, header, is_guessed: false })
    }

    /// Guesses the layout from the start of the input `file`; `is_end` says that it is all there is.
    ///
    /// # Errors
    /// `InvalidData` when there is nothing to guess from, a header is no text, or columns would have the same name.
    pub(crate) fn guessed(parser: &ParserConfig, file: &str, sample: &[u8], is_end: bool) -> Result<Self> {
        let layout = match parser {
            ParserConfig::Csv(csv) => guess::csv(csv, sample, is_end),
            ParserConfig::Jsonl(jsonl) => guess::jsonl(jsonl, sample, is_end),
            ParserConfig::ApacheCombined(_) => Ok(Self::declared(parser)),
        };
        let layout = layout.map_err(|no_names| match no_names {
            NoNames::Alike(alike) => {
                let message = format!("{file}:{}: {alike}", alike.line);
                Error::new(ErrorKind::InvalidData, "guess columns", message).help(alike.help)
            }
            NoNames::Unreadable { line, reason, text } => chunk::unreadable(file, line, &reason, &text),
        })?;
        layout.ok_or_else(|| {
            let message = match guess::first_unreadable(parser, sample) {
                Some((line, why)) => {
                    format!("{file}:{line}: {why}; no record can be read that columns could be guessed from")
                }
                None => format!("{file}: expected records to guess the columns from, found none"),
            };
            Error::new(ErrorKind::InvalidData, "guess columns", message)
                .help("mend the input, or give `columns` in the parser, each with its name and type")
        })
    }

    /// Gives guessed columns the types that a table has for them, where the values at hand are of those, too: a day of whole numbers
    /// goes into a column of doubles, and one without rows anywhere. Other differences stay, and are told when both are compared.
    pub(crate) fn follow(&mut self, table: &[Column]) {
        if !self.is_guessed {
            return;
        }
        for column in &mut self.columns {
            let Some(other) = table.iter().find(|other| other.name == column.name) else { continue };
            let Some(other) = ColumnType::parse(&other.hive_type) else { continue };
            if other != column.column_type && column.gives_way_to(other) {
                column.column_type = other;
                column.format = None;
            }
        }
    }

    /// Says what was guessed; none when the config declares it.
    pub(crate) fn guess(&self, parser: &ParserConfig) -> Option<String> {
        if !self.is_guessed {
            return None;
        }
        let mut parts = Vec::new();
        if let ParserConfig::Csv(csv) = parser {
            if csv.delimiter.is_none() {
                parts.push(format!("the delimiter `{}`", self.delimiter.escape_debug()));
            }
            if csv.header_line.is_none() {
                let header = if self.header.record == HeaderRecord::None { "no header line" } else { "a header line" };
                parts.push(header.to_owned());
            }
        }
        let column = |column: &LayoutColumn| format!("{} {}", column.name, column.column_type);
        let mut columns: Vec<String> = self.columns.iter().take(SAID_COLUMNS).map(column).collect();
        if self.columns.len() > SAID_COLUMNS {
            columns.push(format!("… and {} more", self.columns.len() - SAID_COLUMNS));
        }
        parts.push(format!("the columns {}", columns.join(", ")));
        Some(parts.join(", "))
    }

    /// Returns the columns with all that is needed to read them.
    ///
    /// # Errors
    /// `InvalidInput` for formats and zones that are none; `LoadConfig::problems` finds them before.
    pub(crate) fn read_columns(&self, parser: &ParserConfig) -> Result<Vec<ReadColumn>> {
        let (zone_name, format, date) = match parser {
            ParserConfig::Csv(csv) => (&csv.default_timezone, &csv.default_timestamp_format, &csv.default_date),
            ParserConfig::Jsonl(jsonl) => {
                (&jsonl.default_timezone, &jsonl.default_timestamp_format, &jsonl.default_date)
            }
            ParserConfig::ApacheCombined(_) => (&None, &None, &None),
        };
        let invalid = |message: String| Error::new(ErrorKind::InvalidInput, "read the load's config", message);
        self.columns
            .iter()
            .map(|column| {
                let is_date = column.column_type == ColumnType::Date;
                let default_format = if is_date { Some("%Y-%m-%d") } else { format.as_deref() };
                let format = match column.format.as_deref().or(default_format) {
                    Some(format) => TimeFormat::compile(format).map_err(invalid)?,
                    None => TimeFormat::ISO,
                };
                let mut defaults = TimeDefaults::default();
                if let Some(name) = column.timezone.as_ref().or(zone_name.as_ref()) {
                    defaults.zone = zone(name).map_err(invalid)?;
                }
                if let Some(text) = column.date.as_ref().or(date.as_ref()) {
                    let days = parse_date(text.as_bytes()).ok_or_else(|| invalid(format!("`{text}` is no day")))?;
                    defaults.date = TimeDefaults::civil(days);
                }
                let (name, column_type, is_guessed) = (column.name.clone(), column.column_type, self.is_guessed);
                Ok(ReadColumn { name, column_type, format, defaults, is_guessed })
            })
            .collect()
    }

    /// Returns the parser of this layout.
    pub(crate) fn parser(&self, parser: &ParserConfig) -> Parser {
        match parser {
            ParserConfig::Csv(csv) => Parser::Csv(CsvParser::new(csv, &self.delimiter)),
            ParserConfig::Jsonl(jsonl) => {
                let unknown = if self.is_guessed { UnknownKeys::Reject } else { UnknownKeys::Ignore };
                let paths = self.columns.iter().map(|column| column.path.clone()).collect();
                Parser::Jsonl(JsonlParser::new(paths, jsonl.unknown_keys.unwrap_or(unknown), self.is_guessed))
            }
            ParserConfig::ApacheCombined(_) => Parser::ApacheCombined,
        }
    }
}

fn declared_header(csv: &CsvConfig) -> Header {
    Header {
        lines: csv.skip_header_lines.unwrap_or(0),
        record: if csv.header_line == Some(true) { HeaderRecord::Any } else { HeaderRecord::None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_follows_the_table_where_its_values_fit() {
        let sample = b"whole,half,flag,day,none,text\n1,1.5,true,2024-02-29,,x\n";
        let parser = ParserConfig::Csv(CsvConfig::default());
        let mut layout = InputLayout::guessed(&parser, "a.csv", sample, true).unwrap();
        let types = |layout: &InputLayout| {
            layout.columns.iter().map(|column| column.column_type.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(types(&layout), ["bigint", "double", "boolean", "date", "varchar", "varchar"]);
        let table = |types: [&str; 6]| {
            layout.columns.iter().zip(types).map(|(column, kind)| Column::new(&column.name, kind)).collect::<Vec<_>>()
        };
        let (wider, other) = (
            table(["double", "decimal(9,2)", "string", "timestamp", "bigint", "string"]),
            table(["boolean", "bigint", "bigint", "bigint", "date", "bigint"]),
        );
        layout.follow(&wider);
        assert_eq!(types(&layout), ["double", "decimal(9,2)", "varchar", "timestamp", "bigint", "varchar"]);
        let mut layout = InputLayout::guessed(&parser, "a.csv", sample, true).unwrap();
        layout.follow(&other);
        assert_eq!(types(&layout), ["bigint", "double", "boolean", "date", "date", "varchar"]);
        let sample = b"whole\n9007199254740993\n";
        let mut exact = InputLayout::guessed(&parser, "a.csv", sample, true).unwrap();
        exact.follow(&[Column::new("whole", "double")]);
        assert_eq!(types(&exact), ["bigint"]);
        let mut header = InputLayout::guessed(&parser, "a.csv", b"whole,half,flag,day,none,text\n", true).unwrap();
        header.follow(&other);
        assert_eq!(types(&header), ["boolean", "bigint", "bigint", "bigint", "date", "bigint"]);
    }
}
