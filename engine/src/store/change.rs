//! What is not as it was when an attempt was submitted.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::record::AttemptSpec;

/// Something that is not as it was when an attempt was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The workflow, when it is not known what its files held.
    Workflow,
    /// The parameters of the command line or the settings.
    Params,
    /// A file that the workflow reads, by its path in the project.
    File(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflow => f.write_str("the workflow"),
            Self::Params => f.write_str("the parameters"),
            Self::File(path) => write!(f, "`{path}`"),
        }
    }
}

impl AttemptSpec {
    /// Tells whether an attempt of this one does the work of the other: the same tasks with the same parameters.
    pub fn is_same_work(&self, other: &Self) -> bool {
        self.workflow == other.workflow && self.has_params_of(other) && self.only == other.only
    }

    fn has_params_of(&self, other: &Self) -> bool {
        self.settings_params == other.settings_params
            && self.file_params == other.file_params
            && self.command_line_params == other.command_line_params
    }

    /// Lists what is not as it was for an earlier attempt.
    pub fn changes_since(&self, earlier: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        // A state that was written by a suiro that kept no hashes has none.
        if !earlier.files.is_empty() {
            let differs = |path: &&String| self.files.get(*path) != earlier.files.get(*path);
            let paths: BTreeSet<&String> = self.files.keys().chain(earlier.files.keys()).filter(differs).collect();
            changes.extend(paths.into_iter().cloned().map(Change::File));
        }
        if changes.is_empty() && self.workflow != earlier.workflow {
            changes.push(Change::Workflow);
        }
        if !self.has_params_of(earlier) {
            changes.push(Change::Params);
        }
        changes
    }
}
