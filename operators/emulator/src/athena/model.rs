//! What the endpoint keeps of queries: the record of an execution, from its start to long after its end.

use serde::{Deserialize, Serialize};

use super::result::column::ResultColumn;
use super::statement::{Class, StatementKind};

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    #[serde(rename = "CANCELLED")]
    Canceled,
}

impl State {
    /// Returns the name that the API gives it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELLED",
        }
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// A query that was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Execution {
    pub(super) id: String,
    /// The text as it was sent.
    pub(super) query: String,
    /// `DDL`, `DML` or `UTILITY`.
    pub(super) class: String,
    pub(super) substatement: String,
    pub(super) workgroup: String,
    pub(super) catalog: Option<String>,
    pub(super) database: Option<String>,
    pub(super) parameters: Vec<String>,
    /// Where its result goes: the whole name of the object.
    pub(super) output_location: String,
    pub(super) state: State,
    /// Why it failed or was cancelled.
    pub(super) reason: Option<String>,
    pub(super) failure: Option<Failure>,
    pub(super) submitted_ms: i64,
    pub(super) started_ms: Option<i64>,
    pub(super) completed_ms: Option<i64>,
    pub(super) scanned_bytes: u64,
    pub(super) rows: u64,
    pub(super) written_bytes: u64,
    /// The list of the objects that it wrote.
    pub(super) manifest_location: Option<String>,
    /// How old, in minutes, an earlier result may be that is given instead; none when the query is to run.
    #[serde(default)]
    pub(super) reuse_minutes: Option<u32>,
    /// Whether its result is that of an earlier query.
    #[serde(default)]
    pub(super) reused: bool,
    pub(super) result: ResultRecord,
}

/// How the API classes a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// 1 for the system's, 2 for the user's.
    pub(super) category: u32,
    pub(super) error_type: u32,
    pub(super) retryable: bool,
}

/// The result of a query that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ResultRecord {
    pub(super) columns: Vec<ResultColumn>,
    pub(super) form: ResultForm,
    pub(super) update_count: Option<u64>,
}

/// What the object of a result holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResultForm {
    /// There is none.
    #[default]
    Nothing,
    /// CSV with a header.
    Csv,
    /// Lines.
    Text,
}

impl Execution {
    /// Returns the milliseconds that it waited.
    pub(super) fn queued_ms(&self, now_ms: i64) -> i64 {
        self.started_ms.or(self.completed_ms).unwrap_or(now_ms).saturating_sub(self.submitted_ms).max(0)
    }

    /// Returns the milliseconds that it ran.
    pub(super) fn ran_ms(&self, now_ms: i64) -> i64 {
        let Some(started_ms) = self.started_ms else { return 0 };
        self.completed_ms.unwrap_or(now_ms).saturating_sub(started_ms).max(0)
    }
}

/// Returns the name of the object that the result of a statement goes to, below the location of results.
pub(super) fn output_name(kind: StatementKind, id: &str) -> String {
    match (kind.class, kind.substatement) {
        (_, "CREATE_TABLE_AS_SELECT") => format!("tables/{id}"),
        (_, "INSERT" | "UNLOAD") => id.to_owned(),
        (_, "EXPLAIN") | (Class::Ddl | Class::Utility, _) => format!("{id}.txt"),
        (Class::Dml, _) => format!("{id}.csv"),
    }
}
