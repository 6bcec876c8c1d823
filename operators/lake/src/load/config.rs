//! What a user may write in a load's config: Embulk's shape with a modern vocabulary.
//!
//! The docs of the fields are the manual. Embulk's own keys are accepted where they mean the same; where this loader
//! means something else on purpose, a `DIFFERENCE(embulk)` says so. Reading the values (`${…}`) is the caller's business.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::TableName;

mod column;
mod limit;
mod output;
mod parser;

pub use column::{ColumnConfig, ColumnType};
pub use limit::MaxRejected;
pub use output::{FileOutput, FormatConfig, Mode, OnEmpty, OutputConfig, StagedOutput, TableOutput};
pub use parser::{ApacheCombinedConfig, CsvConfig, JsonlConfig, Newline, NullStrings, ParserConfig, UnknownKeys};

/// A load: where the bytes come from, how they are read, and where the rows go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadConfig {
    /// Where the bytes come from and how they are read.
    #[serde(rename = "in")]
    pub input: InputConfig,
    /// Changes of the rows on their way. No filter is known yet: leave it out, or empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<serde_json::Value>,
    /// Where the rows go.
    pub out: OutputConfig,
    /// How many lines that cannot be read may be left out of the rows and kept apart: a number of lines (`10`) or a share of
    /// all (`0.1%`). With more of them nothing is published and the exit code is 3. Not given: one such line is an error of
    /// the input, exit code 2, and none is kept.
    ///
    /// DIFFERENCE(embulk): a bad line is never dropped without a word; Embulk skips any number of them and exits 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejected: Option<MaxRejected>,
}

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InputConfig {
    /// Files: of this machine, or objects of the lake.
    File(FileInput),
}

/// Files as input. They are read in the order of their names; gzip and zstd are found by content, never by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileInput {
    /// A file, a glob (`logs/access-*.gz`), a folder (everything below it), or an `s3://` object or prefix. Relative
    /// paths start at the folder of the workflow. Files whose name starts with `.` or `_` are left out of folders; one
    /// that links lead to as well is read once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Embulk's way: every file whose path starts with this text, also in folders below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// Embulk's decoders; accepted and not needed, as compression is found by content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoders: Vec<DecoderConfig>,
    /// How the bytes become rows.
    pub parser: ParserConfig,
}

/// One of Embulk's decoders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DecoderConfig {
    /// Gzip, also of several members.
    Gzip {},
    /// Zstandard.
    Zstd {},
}

/// A place in a config and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The path of the value: `in.parser.columns[2].type`.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl ConfigProblem {
    /// Makes a problem.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The problem of a filter.
fn unknown_filter(name: Option<&serde_json::Value>) -> ConfigProblem {
    let name = name.and_then(serde_json::Value::as_str).unwrap_or("?");
    ConfigProblem::new("filters", format!("no filter is known yet, found `{name}`"))
}

/// The problem of a column whose name another one has.
fn twice(column: usize, name: &str) -> ConfigProblem {
    ConfigProblem::new(format!("in.parser.columns[{column}].name"), format!("`{name}` is there twice"))
}

impl LoadConfig {
    /// Makes a load whose rows whoever runs it takes from a folder of this machine. Rejected lines are limited and kept as with
    /// every load: `rejected` is the table whose `<table>__rejected` takes them.
    #[must_use]
    pub fn staged(
        input: InputConfig,
        max_rejected: Option<MaxRejected>,
        folder: &Path,
        rejected: Option<&TableName>,
    ) -> Self {
        let table = |name: &TableName| TableOutput {
            database: name.database.clone(),
            table: name.table.clone(),
            partition_by: IndexMap::new(),
            mode: Mode::Replace,
            on_empty: None,
            format: FormatConfig::default(),
            location: None,
        };
        let files = FileOutput { path: folder.to_string_lossy().into_owned(), format: FormatConfig::default() };
        Self {
            input,
            filters: Vec::new(),
            out: OutputConfig::Staged(StagedOutput { files, rejected: rejected.map(table) }),
            max_rejected,
        }
    }

    /// Looks at everything that needs no file and no catalog, and returns all problems at once.
    #[must_use]
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let InputConfig::File(file) = &self.input;
        match (&file.path, &file.path_prefix) {
            (None, None) => problems.push(ConfigProblem::new("in", "expected `path` (or Embulk's `path_prefix`)")),
            (Some(_), Some(_)) => {
                problems.push(ConfigProblem::new("in", "expected `path` or `path_prefix`, found both"));
            }
            (Some(path), None) | (None, Some(path)) if path.contains('\0') || path.is_empty() => {
                problems.push(ConfigProblem::new("in.path", "expected a path, found an empty one or one with a NUL"));
            }
            _ => {}
        }
        file.parser.problems(&mut problems);
        if let Some(first) = self.filters.first() {
            problems.push(unknown_filter(first.get("type")));
        }
        self.out.problems(&mut problems);
        if self.max_rejected.is_some() && file.parser.stop_on_invalid_record() {
            problems.push(ConfigProblem::new(
                "max_rejected",
                "expected `max_rejected` or the parser's `stop_on_invalid_record: true`, found both",
            ));
        }
        if let OutputConfig::Table(table) = &self.out {
            for name in table.partition_by.keys() {
                let column = file.parser.columns().iter().find(|column| column.name.eq_ignore_ascii_case(name));
                if column.is_some() {
                    problems.push(ConfigProblem::new(
                        format!("out.partition_by.{name}"),
                        format!("`{name}` is a column of the input too: give the partition key another name"),
                    ));
                }
            }
        }
        problems
    }

    /// Looks at the texts of a config that have a grammar of their own, before it is read: the types of columns and the limit
    /// of rejected lines. `is_known` tells whether a text is what it will be.
    #[must_use]
    pub fn text_problems(config: &serde_json::Value, is_known: &dyn Fn(&str) -> bool) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let columns = config.pointer("/in/parser/columns").and_then(serde_json::Value::as_array);
        for (index, column) in columns.into_iter().flatten().enumerate() {
            let Some(text) = column.get("type").and_then(serde_json::Value::as_str) else { continue };
            if is_known(text) && ColumnType::parse(text).is_none() {
                problems.push(ConfigProblem::new(
                    format!("in.parser.columns[{index}].type"),
                    format!("expected {}, found `{text}`", ColumnType::EXPECTED),
                ));
            }
        }
        let mut seen = HashSet::new();
        for (index, column) in columns.into_iter().flatten().enumerate() {
            let Some(name) = column.get("name").and_then(serde_json::Value::as_str) else { continue };
            let name = name.to_lowercase();
            if is_known(&name) && !seen.insert(name.clone()) {
                problems.push(twice(index, &name));
            }
        }
        if let Some(filter) = config.get("filters").and_then(serde_json::Value::as_array).and_then(|all| all.first()) {
            problems.push(unknown_filter(filter.get("type")));
        }
        let limit = config.get("max_rejected").and_then(serde_json::Value::as_str);
        if let Some(text) = limit.filter(|text| is_known(text) && MaxRejected::parse(text).is_none()) {
            problems.push(ConfigProblem::new(
                "max_rejected",
                format!("expected {}, found `{text}`", MaxRejected::EXPECTED),
            ));
        }
        problems
    }

    /// Returns how many lines may be rejected and kept; none when a line that cannot be read is an error of the input.
    #[must_use]
    pub fn limit(&self) -> Option<MaxRejected> {
        self.max_rejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: serde_json::Value) -> Result<LoadConfig, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn the_example_of_the_manual_is_read() {
        let config = read(serde_json::json!({
            "in": {"type": "file", "path": "logs/access-*.gz", "parser": {"type": "apache_combined"}},
            "filters": [],
            "out": {"type": "table", "database": "web", "table": "access_log",
                    "partition_by": {"dt": "date_format(time, '%Y-%m-%d')"},
                    "mode": "replace_partitions", "format": {"type": "parquet", "compression": "zstd"}},
            "max_rejected": "0.1%",
        }))
        .unwrap();
        assert_eq!(config.problems(), vec![]);
        assert_eq!(config.limit(), Some(MaxRejected::Share { parts_per_billion: 1_000_000 }));
        let again: LoadConfig = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let error = read(serde_json::json!({
            "in": {"type": "file", "path": "a.csv", "parser": {"type": "csv", "skip_header_line": 1}},
            "out": {"type": "file", "path": "out/"},
        }))
        .unwrap_err();
        assert!(error.to_string().starts_with("unknown field `skip_header_line`"), "{error}");
    }

    #[test]
    fn all_problems_come_at_once() {
        let config = read(serde_json::json!({
            "in": {"type": "file", "parser": {"type": "csv", "charset": "MS932", "header_line": true, "skip_header_lines": 2,
                   "stop_on_invalid_record": true,
                   "columns": [{"name": "a", "type": "long"}, {"name": "A", "type": "string"}]}},
            "filters": [{"type": "rename"}],
            "out": {"type": "table", "database": "web/x", "table": "t", "mode": "append_unique", "partition_by": {"a": "a"}},
            "max_rejected": 0,
        }))
        .unwrap();
        let problems: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "in: expected `path` (or Embulk's `path_prefix`)",
                "in.parser.columns[1].name: `a` is there twice",
                "in.parser.charset: expected `utf-8`, found `MS932`: other encodings are not known yet",
                "in.parser.header_line: expected `header_line` or `skip_header_lines`, found both",
                "filters: no filter is known yet, found `rename`",
                "out.database: expected the name of a database (1 to 255 bytes, no `/`, `\\` or control character), found `web/x`",
                "out.mode: `append_unique` is not known yet: use `append`, `replace` or `replace_partitions`",
                "max_rejected: expected `max_rejected` or the parser's `stop_on_invalid_record: true`, found both",
                "out.partition_by.a: `a` is a column of the input too: give the partition key another name",
            ]
        );
    }
}
