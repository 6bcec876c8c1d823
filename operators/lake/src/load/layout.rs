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
use crate::error::{Error, ErrorKind, Result};

/// What an input's columns are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
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
}

/// How many of the guessed columns are named.
const SAID_COLUMNS: usize = 20;

impl LayoutColumn {
    pub(crate) fn new(name: String, column_type: ColumnType) -> Self {
        Self { name, column_type, format: None, timezone: None, date: None, path: Vec::new() }
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
        }
    }
}

impl Layout {
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
                Ok(ReadColumn { name: column.name.clone(), column_type: column.column_type, format, defaults })
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
