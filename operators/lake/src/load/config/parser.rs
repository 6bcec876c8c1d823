//! Parsers as the user configures them: `csv`, `jsonl`, `apache_combined`.

use std::borrow::Cow;
use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ColumnConfig, ColumnType, ConfigProblem};
use crate::load::time_format::{TimeFormat, parse_date, zone};

/// How bytes become rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ParserConfig {
    /// Delimited text (RFC 4180 and its relatives).
    Csv(CsvConfig),
    /// One JSON object a line. A line in which the key of a column stands twice is rejected, as by Athena's JSON readers.
    Jsonl(JsonlConfig),
    /// Apache's and nginx's `combined` access log. Its columns are fixed: `remote_host`, `ident`, `remote_user`, `time`
    /// (timestamp, UTC), `method`, `path`, `protocol`, `status`, `bytes`, `referer`, `user_agent`. `-` is NULL, and 0 for
    /// `bytes`. A request line that is not method, path and protocol goes whole into `path`. A user agent whose closing quote is missing
    /// goes to the end of the line.
    ApacheCombined(ApacheCombinedConfig),
}

/// Options of the `csv` parser. Names, defaults and meaning are Embulk's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvConfig {
    /// The columns, by position. Without them, names come from the first line (when it looks like a header) and types
    /// are guessed from the first 10,000 records: where the table is there already, a column takes the table's type if the values
    /// fit it. A `double` is guessed only where it keeps every digit. A later value that does not fit is a rejected line. A header that gives two
    /// columns the same name (in lower case, with `_` for what is no letter or digit) is an error: say `columns` then.
    pub columns: Vec<ColumnConfig>,
    /// Whether the first line of every file is a header. With `columns` it is skipped, without them it names the
    /// columns, and every file must have the same. Default: with `columns` no, without them guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_line: Option<bool>,
    /// How many lines at the start of every file are skipped. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_header_lines: Option<u32>,
    /// What separates fields; may be longer than a character. Default `,`; guessed among `,`, tab, `|` and `;` when there
    /// are no `columns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The character around fields that hold delimiters or line ends; `null` switches quoting off.
    pub quote: Option<char>,
    /// The character that takes the special meaning from a quote (or itself) inside quotes, besides a doubled quote;
    /// `null` switches it off.
    pub escape: Option<char>,
    /// The text, or list of texts, that means NULL. Not given: an empty field without quotes is NULL. `''`: an empty
    /// field with quotes too. Any other text means NULL with or without quotes, and an empty field is no longer NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null_string: Option<NullStrings>,
    /// Whether blanks around fields without quotes are dropped.
    pub trim_if_not_quoted: bool,
    /// Lines that start with this text are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment_line_marker: Option<String>,
    /// Whether a record may have fewer fields than there are columns; the rest is NULL. Otherwise it is rejected.
    pub allow_optional_columns: bool,
    /// Whether a record may have more fields than there are columns; they are dropped. Otherwise it is rejected.
    pub allow_extra_columns: bool,
    /// The most bytes of a quoted field. A longer one is taken for a quote that was never closed: its first line is
    /// rejected and reading goes on at the next line.
    pub max_quoted_size_limit: u32,
    /// Line ends inside quoted fields become this one (`CRLF`, `LF`, `CR`).
    ///
    /// DIFFERENCE(embulk): not given, they stay as they are; Embulk makes them CRLF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newline: Option<Newline>,
    /// Embulk's word for what is so anyway when there is no `max_rejected`: one line that cannot be read fails the load.
    pub stop_on_invalid_record: bool,
    /// The encoding: `utf-8` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// The zone of timestamps whose text names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_timezone: Option<String>,
    /// The format of timestamps whose column has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_timestamp_format: Option<String>,
    /// The day of timestamps whose format has none. Default `1970-01-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_date: Option<String>,
}

impl Default for CsvConfig {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            header_line: None,
            skip_header_lines: None,
            delimiter: None,
            quote: Some('"'),
            escape: Some('\\'),
            null_string: None,
            trim_if_not_quoted: false,
            comment_line_marker: None,
            allow_optional_columns: false,
            allow_extra_columns: false,
            max_quoted_size_limit: 131_072,
            newline: None,
            stop_on_invalid_record: false,
            charset: None,
            default_timezone: None,
            default_timestamp_format: None,
            default_date: None,
        }
    }
}

/// A line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Newline {
    /// Carriage return and line feed.
    #[serde(rename = "CRLF")]
    CrLf,
    /// Line feed.
    #[serde(rename = "LF")]
    Lf,
    /// Carriage return.
    #[serde(rename = "CR")]
    Cr,
}

impl Newline {
    /// Returns its bytes.
    #[must_use]
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::Cr => b"\r",
        }
    }
}

/// The texts that mean NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NullStrings(pub Vec<String>);

impl JsonSchema for NullStrings {
    fn schema_name() -> Cow<'static, str> {
        "NullStrings".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a text, or a list of texts, that means NULL",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        })
    }
}

impl<'de> Deserialize<'de> for NullStrings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = NullStrings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<NullStrings, E> {
                Ok(NullStrings(vec![text.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut access: A) -> Result<NullStrings, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = access.next_element()? {
                    texts.push(text);
                }
                Ok(NullStrings(texts))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Options of the `jsonl` parser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonlConfig {
    /// The columns. A key that a line does not have is NULL; nested values go as JSON text into `json` and `varchar`
    /// columns. Without them, names and types are guessed from the first 10,000 lines, as with `csv`; keys that would be
    /// columns of the same name are an error.
    pub columns: Vec<ColumnConfig>,
    /// What happens to a line with a key that is no column. Default: `ignore` with `columns`, `reject` when they are
    /// guessed, so that a key that turns up late is never lost without a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_keys: Option<UnknownKeys>,
    /// Embulk's word for what is so anyway when there is no `max_rejected`: one line that cannot be read fails the load.
    pub stop_on_invalid_record: bool,
    /// The encoding: `utf-8` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// The zone of timestamps whose text names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_timezone: Option<String>,
    /// The format of timestamps whose column has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_timestamp_format: Option<String>,
    /// The day of timestamps whose format has none. Default `1970-01-01`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_date: Option<String>,
}

/// What happens to a line with a key that is no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownKeys {
    /// The key is dropped.
    Ignore,
    /// The line is rejected.
    Reject,
}

/// Options of the `apache_combined` parser: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApacheCombinedConfig {}

impl ParserConfig {
    /// Returns the declared columns.
    #[must_use]
    pub fn columns(&self) -> &[ColumnConfig] {
        match self {
            Self::Csv(csv) => &csv.columns,
            Self::Jsonl(jsonl) => &jsonl.columns,
            Self::ApacheCombined(_) => &[],
        }
    }

    /// Tells whether one bad record is too many.
    pub(crate) fn stop_on_invalid_record(&self) -> bool {
        match self {
            Self::Csv(csv) => csv.stop_on_invalid_record,
            Self::Jsonl(jsonl) => jsonl.stop_on_invalid_record,
            Self::ApacheCombined(_) => false,
        }
    }

    pub(super) fn problems(&self, problems: &mut Vec<ConfigProblem>) {
        let is_json = matches!(self, Self::Jsonl(_));
        column_problems(self.columns(), is_json, problems);
        let (charset, timezone, format, date) = match self {
            Self::Csv(csv) => (&csv.charset, &csv.default_timezone, &csv.default_timestamp_format, &csv.default_date),
            Self::Jsonl(jsonl) => {
                (&jsonl.charset, &jsonl.default_timezone, &jsonl.default_timestamp_format, &jsonl.default_date)
            }
            Self::ApacheCombined(_) => return,
        };
        if let Some(charset) = charset
            && !matches!(charset.to_ascii_lowercase().as_str(), "utf-8" | "utf8")
        {
            problems.push(ConfigProblem::new(
                "in.parser.charset",
                format!("expected `utf-8`, found `{charset}`: other encodings are not known yet"),
            ));
        }
        time_problems(
            "in.parser.default_",
            "timestamp_format",
            format.as_ref(),
            timezone.as_ref(),
            date.as_ref(),
            problems,
        );
        if let Self::Csv(csv) = self {
            csv.own_problems(problems);
        }
    }
}

impl CsvConfig {
    fn own_problems(&self, problems: &mut Vec<ConfigProblem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(ConfigProblem::new(format!("in.parser.{key}"), message));
        };
        if self.header_line == Some(true) && self.skip_header_lines.is_some_and(|lines| lines > 0) {
            problem("header_line", "expected `header_line` or `skip_header_lines`, found both".to_owned());
        }
        if let Some(delimiter) = &self.delimiter
            && (delimiter.is_empty() || delimiter.contains(['\n', '\r', '\0']))
        {
            problem("delimiter", "expected at least one character, and no line end or NUL".to_owned());
        }
        for (key, character) in [("quote", self.quote), ("escape", self.escape)] {
            if let Some(character) = character
                && (!character.is_ascii() || matches!(character, '\n' | '\r' | '\0'))
            {
                problem(key, format!("expected an ASCII character, found `{}`", character.escape_default()));
            }
        }
        if let (Some(quote), Some(delimiter)) = (self.quote, &self.delimiter)
            && delimiter.contains(quote)
        {
            problem("quote", format!("expected a character that is not in the delimiter, found `{quote}`"));
        }
        if self.comment_line_marker.as_deref() == Some("") {
            problem("comment_line_marker", "expected a text, found an empty one".to_owned());
        }
        if !(1..=1 << 30).contains(&self.max_quoted_size_limit) {
            problem("max_quoted_size_limit", "expected 1 to 1073741824 bytes".to_owned());
        }
    }
}

fn column_problems(columns: &[ColumnConfig], is_json: bool, problems: &mut Vec<ConfigProblem>) {
    let mut seen = HashSet::new();
    for (index, column) in columns.iter().enumerate() {
        let path = format!("in.parser.columns[{index}]");
        let name = column.name.to_lowercase();
        if name.is_empty() || name.len() > 255 || name.chars().any(char::is_control) {
            problems.push(ConfigProblem::new(
                format!("{path}.name"),
                format!(
                    "expected a name of 1 to 255 bytes without control characters, found `{}`",
                    column.name.escape_debug()
                ),
            ));
        } else if !seen.insert(name.clone()) {
            problems.push(super::twice(index, &name));
        }
        if column.element_at.is_some() && !is_json {
            problems.push(ConfigProblem::new(format!("{path}.element_at"), "it is an option of JSON columns"));
        }
        if let Some(pointer) = &column.element_at
            && !pointer.starts_with('/')
        {
            problems.push(ConfigProblem::new(
                format!("{path}.element_at"),
                format!("expected a JSON pointer as `/user/id`, found `{pointer}`"),
            ));
        }
        let is_time = matches!(column.column_type, ColumnType::Timestamp | ColumnType::Date);
        if !is_time && (column.format.is_some() || column.timezone.is_some() || column.date.is_some()) {
            problems.push(ConfigProblem::new(
                path.clone(),
                format!(
                    "`format`, `timezone` and `date` are options of timestamps, and this is `{}`",
                    column.column_type
                ),
            ));
        }
        let prefix = format!("{path}.");
        time_problems(
            &prefix,
            "format",
            column.format.as_ref(),
            column.timezone.as_ref(),
            column.date.as_ref(),
            problems,
        );
    }
}

fn time_problems(
    prefix: &str,
    format_key: &str,
    format: Option<&String>,
    timezone: Option<&String>,
    date: Option<&String>,
    problems: &mut Vec<ConfigProblem>,
) {
    if let Some(Err(message)) = format.map(|format| TimeFormat::compile(format)) {
        problems.push(ConfigProblem::new(format!("{prefix}{format_key}"), message));
    }
    if let Some(Err(message)) = timezone.map(|name| zone(name)) {
        problems.push(ConfigProblem::new(format!("{prefix}timezone"), message));
    }
    if let Some(text) = date
        && parse_date(text.as_bytes()).is_none()
    {
        problems.push(ConfigProblem::new(
            format!("{prefix}date"),
            format!("expected a day as `2024-02-29`, found `{text}`"),
        ));
    }
}
