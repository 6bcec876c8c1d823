//! Why the engine could not work. A task that fails is no error of the engine: see [`super::summary`].

use std::path::PathBuf;

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
}

impl EngineError {
    /// Returns the code of the page that explains it.
    pub fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::Held { .. } => code::SESSION_HELD,
            Self::Graph(_) => code::TOO_MANY_TASKS,
            Self::TimeZone(_) => code::TIME_ZONE,
            Self::NoSuchTask { .. } => code::NO_SUCH_TASK,
            Self::StateDir { .. } => code::STORE_UNAVAILABLE,
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
            Self::StateDir { source, .. } => vec![Trouble::of_io(source).help().to_owned()],
            Self::Store(error) => error.trouble().map(|trouble| trouble.help().to_owned()).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
