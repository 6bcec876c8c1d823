//! What a load knows, and how far it is: plain data that its caller keeps between two steps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::load::config::{InputConfig, LoadConfig, OutputConfig, ParserConfig};
use crate::load::input::InputFile;
use crate::load::layout::InputLayout;
use crate::load::notice::Notice;
use crate::load::report::{LoadReport, Progress};
use crate::load::row_check::RowCheck;
use crate::load::table_output::{self, NewPart};
use crate::publish::version::request_hash;

/// What names a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadToken {
    /// The name of this try: the same for every repetition of its steps, another for a new attempt.
    pub token: String,
    /// The name of the load, the same whenever the same load runs again for the same session: `workflow+task@time`. It
    /// names what the load adds to a table and its rejected lines, so that running it again replaces them.
    pub scope: String,
}

/// How far a load is; plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadState {
    pub(super) plan: Plan,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Planned,
    Written(Box<WrittenLoad>),
    Kept(Box<WrittenLoad>),
    Done(Box<LoadReport>),
}

/// All that a load must know from its beginning on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// What the user wrote.
    pub config: LoadConfig,
    /// What names the load.
    pub token: LoadToken,
    /// Where relative paths start.
    pub base: PathBuf,
    /// When it was planned, in milliseconds since 1970.
    pub planned_ms: i64,
    /// The files to read.
    pub files: Vec<InputFile>,
    /// What stands in them.
    pub layout: InputLayout,
    /// The types of the partition keys of the table, in Hive's words; empty where the load makes it.
    #[serde(default)]
    pub key_types: Vec<String>,
    /// How often another writer was there first; each time the load wrote again.
    #[serde(default)]
    pub races: u32,
}

impl Plan {
    /// Returns 12 hexadecimal digits that stand for this try.
    pub(crate) fn request_hash(&self) -> String {
        let config = serde_json::to_string(&self.config).unwrap_or_default();
        request_hash(&[self.token.token.clone(), self.token.scope.clone(), config])
    }

    /// Returns 12 hexadecimal digits that stand for the load, whenever it runs.
    pub(crate) fn load_id(&self) -> String {
        request_hash(&["load".to_owned(), self.token.scope.clone()])
    }

    /// Returns the name of a file that this load writes.
    pub(crate) fn file_name(&self, part: usize) -> String {
        format!("load-{}-{part:05}.parquet", self.load_id())
    }

    /// Returns the table of the catalog that the load writes to, as messages name it; none for files.
    pub(in crate::load) fn table_name(&self) -> Option<String> {
        match &self.config.out {
            OutputConfig::Table(table) => Some(format!("{}.{}", table.database, table.table).to_lowercase()),
            OutputConfig::Staged(staged) => {
                let table = staged.rejected.as_ref()?;
                Some(format!("{}.{}", table.database, table_output::rejected_name(table)).to_lowercase())
            }
            OutputConfig::File(_) => None,
        }
    }

    pub(super) fn parser_config(&self) -> &ParserConfig {
        let InputConfig::File(file) = &self.config.input;
        &file.parser
    }
}

/// What was written, and waits to be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WrittenLoad {
    /// The figures; `published` is filled in later.
    pub report: LoadReport,
    /// The rows, by partition.
    pub parts: Vec<NewPart>,
    /// The rejected lines.
    pub rejected: Option<NewPart>,
    /// With `mode: append`, how many rows that this load added before go when it is published.
    #[serde(default)]
    pub replaced: u64,
}

/// What a running load may call and be told.
#[derive(Clone)]
pub struct LoadControl {
    /// Called after every chunk of input, from a thread of the loader.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
    /// Called when something happens that a user wants to know though the load goes on.
    pub notice: Arc<dyn Fn(&Notice) + Send + Sync>,
    /// Ends the load early; nothing is published then.
    pub cancel: CancellationToken,
    /// Says which rows are not taken, beyond lines that cannot be read; called from threads of the loader.
    pub check: Option<RowCheck>,
}

impl Default for LoadControl {
    fn default() -> Self {
        Self { progress: Arc::new(|_| ()), notice: Arc::new(|_| ()), cancel: CancellationToken::new(), check: None }
    }
}

impl fmt::Debug for LoadControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadControl").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl LoadState {
    /// Returns what the load did; none before it is done.
    #[must_use]
    pub fn report(&self) -> Option<&LoadReport> {
        match &self.stage {
            Stage::Done(report) => Some(report),
            _ => None,
        }
    }

    /// Returns what was read and written, as soon as all of it is; what it says of publishing is complete when the load is done.
    #[must_use]
    pub fn written(&self) -> Option<&LoadReport> {
        match &self.stage {
            Stage::Planned => None,
            Stage::Written(written) | Stage::Kept(written) => Some(&written.report),
            Stage::Done(report) => Some(report),
        }
    }

    /// Returns all that the load knows from its beginning on.
    pub(in crate::load) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Says what was guessed of the input; none when the config declares it.
    #[must_use]
    pub fn guess(&self) -> Option<Notice> {
        let InputConfig::File(file) = &self.plan.config.input;
        self.plan.layout.guess(&file.parser).map(|what| Notice::Guessed { what })
    }

    /// Returns the files that the load reads.
    #[must_use]
    pub fn files(&self) -> &[InputFile] {
        &self.plan.files
    }
}
