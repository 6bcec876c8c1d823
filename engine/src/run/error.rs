//! Why the engine could not work. A task that fails is no error of the engine: see [`super::summary`].

use std::path::{Path, PathBuf};

use super::Obstacle;
use crate::diagnostic::{Code, code};
use crate::session::{AttemptId, GraphError};
use crate::store::{Holder, StoreError, Trouble};

/// Why the engine could not submit or advance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The state store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process works on the session.
    #[error("the session is being run by {holder}")]
    Held {
        /// Which attempt.
        attempt: AttemptId,
        /// Who.
        holder: Box<Holder>,
    },
    /// The workflow's tasks cannot be used.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The workflow's time zone is unknown to this machine.
    #[error("unknown time zone `{0}`")]
    TimeZone(String),
    /// The task that was asked for does not exist.
    #[error("the workflow `{workflow}` has no task `{wanted}`")]
    NoSuchTask {
        /// The workflow.
        workflow: String,
        /// What was asked for.
        wanted: String,
        /// The nearest names.
        candidates: Vec<String>,
    },
    /// A directory of the engine's own cannot be made.
    #[error("cannot make the directory `{}`: {source}", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory of the state is there and cannot be written to.
    #[error("cannot write to the directory `{}`: {source}", path.display())]
    UnwritableStateDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory of the state cannot be read.
    #[error("cannot read the directory `{}`: {source}", path.display())]
    UnreadableStateDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something else stands where the directory of the state should be.
    #[error("`{}` cannot be the directory of the state: {by}", path.display())]
    StateDirTaken {
        /// The directory.
        path: PathBuf,
        /// What stands there.
        by: Obstacle,
    },
}

impl EngineError {
    /// Makes the error of a directory of the state that cannot be made, or written to.
    pub(super) fn state_dir(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match Obstacle::to(&path) {
            Some(by) => Self::StateDirTaken { path, by },
            None if path.is_dir() => Self::UnwritableStateDir { path, source },
            None => Self::StateDir { path, source },
        }
    }

    /// Says whether whoever runs suiro may not use what it needs: somebody else may.
    pub fn is_refused(&self) -> bool {
        let trouble = match self {
            Self::StateDir { source, .. }
            | Self::UnwritableStateDir { source, .. }
            | Self::UnreadableStateDir { source, .. } => Some(Trouble::of_io(source)),
            Self::Store(error) => error.trouble(),
            _ => None,
        };
        trouble == Some(Trouble::Refused)
    }

    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Held { .. } => code::SESSION_HELD,
            Self::Graph(_) => code::TOO_MANY_TASKS,
            Self::TimeZone(_) => code::TIME_ZONE,
            Self::NoSuchTask { .. } => code::NO_SUCH_TASK,
            Self::StateDir { .. }
            | Self::UnwritableStateDir { .. }
            | Self::UnreadableStateDir { .. }
            | Self::StateDirTaken { .. } => code::STORE_UNAVAILABLE,
        }
    }

    /// Says what to do about it, a line each.
    pub fn help(&self) -> Vec<String> {
        match self {
            Self::Held { holder, .. } => vec![format!(
                "wait for process {} to end, or stop it (Ctrl-C); its work is then continued by the next `suiro run`",
                holder.pid
            )],
            Self::NoSuchTask { candidates, .. } if !candidates.is_empty() => {
                vec![format!(
                    "did you mean {}?",
                    candidates.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
                )]
            }
            Self::StateDir { source, .. } | Self::UnwritableStateDir { source, .. } => {
                vec![Trouble::of_io(source).help().to_owned()]
            }
            Self::UnreadableStateDir { .. } => vec!["let whoever runs suiro read the directory".to_owned()],
            Self::StateDirTaken { by, .. } => vec![by.help()],
            Self::Store(error) => error.trouble().map(|trouble| trouble.help().to_owned()).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
