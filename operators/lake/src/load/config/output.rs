//! Outputs as the user configures them: `table` and `file`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigProblem;
use crate::name::{Location, TableName};
use crate::publish::Compression;

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputConfig {
    /// A table of the lake, made when it is not there. Rejected lines go into `<table>__rejected`.
    Table(TableOutput),
    /// Files below a folder; no catalog is touched. Rejected lines go into the folder `<path>__rejected`.
    File(FileOutput),
    /// Rows that whoever runs the load takes and puts somewhere itself. No config of a user says that: it is made by
    /// [`LoadConfig::staged`](super::LoadConfig::staged).
    #[schemars(skip)]
    Staged(StagedOutput),
}

/// A table as output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableOutput {
    /// The database; made when it is not there.
    pub database: String,
    /// The table; made when it is not there.
    pub table: String,
    /// Partition keys and the SQL expression over the columns that gives each row's value, as
    /// `dt: date_format(time, '%Y-%m-%d')`. The order is the table's. Values are kept as text; in a table whose keys are of another
    /// type, `8` is the partition `08` that is there, and a new one has the text that a query writes. Times are rounded to milliseconds first, as queries read them.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub partition_by: IndexMap<String, String>,
    /// What happens to what is there.
    #[serde(default)]
    pub mode: Mode,
    /// What to do when the input has no rows. Not given: `error` where `mode: replace` would take rows away, else `publish`,
    /// which takes nothing away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_empty: Option<OnEmpty>,
    /// The format of the files.
    #[serde(default)]
    pub format: FormatConfig,
    /// Where the table goes when it is made, as `s3://bucket/path/`. Default: below the database's location, or
    /// `s3://warehouse/<database>/<table>/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// What happens to the rows that a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They stay. Running the same load again replaces what it added and nothing else.
    #[default]
    Append,
    /// They go: afterwards the table has this load's rows only.
    Replace,
    /// Those of the partitions that this load writes go, all others stay.
    ReplacePartitions,
    /// Rows stay unless a new one has the same key. Not known yet.
    AppendUnique,
}

/// What to do when there are no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// Publish nothing and fail with exit code 3.
    Error,
    /// Publish it: "ran, and found nothing" can be told from "never ran". With `mode: replace` the table is empty then.
    Publish,
    /// Publish nothing and end well: what is there stays.
    Skip,
}

/// The format of written files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FormatConfig {
    /// Apache Parquet.
    Parquet {
        /// The compression of its pages: `zstd` (default), `snappy`, `gzip` or `none`.
        #[serde(default)]
        #[schemars(with = "CompressionName")]
        compression: Compression,
    },
}

/// The schema of [`Compression`], which lives in a module that knows no schemas.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum CompressionName {
    Zstd,
    Snappy,
    Gzip,
    None,
}

impl Default for FormatConfig {
    fn default() -> Self {
        Self::Parquet { compression: Compression::default() }
    }
}

/// Files as output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileOutput {
    /// The folder. Relative paths start at the folder of the workflow. Files of an earlier run of the same load are
    /// replaced; other files stay.
    pub path: String,
    /// The format of the files.
    #[serde(default)]
    pub format: FormatConfig,
}

/// Rows that are kept in files of this machine until whoever runs the load has taken them ([`crate::load::staged_rows`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedOutput {
    /// Where the rows are kept. The folder belongs to this load alone.
    pub files: FileOutput,
    /// The table whose `<table>__rejected` takes the rejected lines; none where no line may be rejected.
    pub rejected: Option<TableOutput>,
}

impl OutputConfig {
    /// Returns the format of the files.
    #[must_use]
    pub fn compression(&self) -> Compression {
        let (Self::Table(TableOutput { format, .. })
        | Self::File(FileOutput { format, .. })
        | Self::Staged(StagedOutput { files: FileOutput { format, .. }, .. })) = self;
        let FormatConfig::Parquet { compression } = format;
        *compression
    }

    pub(super) fn problems(&self, problems: &mut Vec<ConfigProblem>) {
        match self {
            Self::Table(table) => table.problems(problems),
            // Whoever makes it knows what it is.
            Self::Staged(_) => {}
            Self::File(file) => {
                if file.path.is_empty() || file.path.contains('\0') {
                    problems.push(ConfigProblem::new("out.path", "expected a folder, found an empty path or a NUL"));
                } else if file.path.starts_with("s3://") {
                    problems.push(ConfigProblem::new(
                        "out.path",
                        "expected a folder of this machine, found `s3://`: use `type: table`",
                    ));
                }
            }
        }
    }
}

impl TableOutput {
    fn problems(&self, problems: &mut Vec<ConfigProblem>) {
        for (path, result) in [
            ("out.database", TableName::new(&self.database, "table")),
            ("out.table", TableName::new("database", &self.table)),
        ] {
            if let Err(error) = result {
                problems.push(ConfigProblem::new(path, error.message));
            }
        }
        if let Some(text) = &self.location {
            match Location::parse(text) {
                Ok(location) if location.key().is_empty() => {
                    problems.push(ConfigProblem::new("out.location", "expected a prefix, found a whole bucket"));
                }
                Ok(_) => {}
                Err(error) => problems.push(ConfigProblem::new("out.location", error.message)),
            }
        }
        if self.mode == Mode::AppendUnique {
            problems.push(ConfigProblem::new(
                "out.mode",
                "`append_unique` is not known yet: use `append`, `replace` or `replace_partitions`",
            ));
        }
        if self.mode == Mode::ReplacePartitions && self.partition_by.is_empty() {
            problems.push(ConfigProblem::new(
                "out.mode",
                "`replace_partitions` needs `partition_by`: use `replace` for a table without partitions",
            ));
        }
        let mut seen = std::collections::HashSet::new();
        for (name, expression) in &self.partition_by {
            let path = format!("out.partition_by.{name}");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
                problems.push(ConfigProblem::new(path.clone(), "expected a key of letters, digits and `_`"));
            } else if !seen.insert(name.to_ascii_lowercase()) {
                let message = format!("the key `{name}` is there twice: upper and lower case make no other key");
                problems.push(ConfigProblem::new(path.clone(), message));
            }
            if expression.trim().is_empty() {
                problems.push(ConfigProblem::new(path, "expected a SQL expression over the columns, found nothing"));
            }
        }
    }
}
