//! The way to the lake: opened by the first task that needs it, so that `check` makes nothing and `echo>` waits for nothing.

use engine::operator::TaskError;
use lake::{Lake, LakeSettings};
use tokio::sync::OnceCell;

use crate::error::task_error;

/// A lake that is opened when it is first used.
#[derive(Debug)]
pub struct LakeDoor {
    settings: LakeSettings,
    purpose: Purpose,
    lake: OnceCell<Lake>,
}

/// What a lake is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To change it; it is made when it is not there.
    Work,
    /// To look at it, also where nothing can be written; see [`Lake::open_to_look`].
    Look,
}

impl LakeDoor {
    /// Makes a door to work; nothing is opened.
    pub fn new(settings: LakeSettings) -> Self {
        Self::with_purpose(settings, Purpose::Work)
    }

    /// Makes a door; nothing is opened.
    pub fn with_purpose(settings: LakeSettings, purpose: Purpose) -> Self {
        Self { settings, purpose, lake: OnceCell::new() }
    }

    /// Returns the lake, opening it the first time.
    ///
    /// # Errors
    /// As [`Lake::open`]; the next call tries again.
    pub async fn lake(&self) -> lake::Result<&Lake> {
        let open = || async {
            match self.purpose {
                Purpose::Work => Box::pin(Lake::open(self.settings.clone())).await,
                Purpose::Look => Box::pin(Lake::open_to_look(self.settings.clone())).await,
            }
        };
        self.lake.get_or_try_init(open).await
    }

    /// Returns the lake when it was opened.
    pub fn opened(&self) -> Option<&Lake> {
        self.lake.get()
    }

    /// Removes the temporary files of processes that are gone, when the lake was not opened, which does that too.
    pub fn remove_left_over(&self) {
        if self.opened().is_none() {
            Lake::remove_left_over(&self.settings);
        }
    }

    /// Returns the lake for a task.
    pub(crate) async fn open(&self) -> Result<&Lake, TaskError> {
        self.lake().await.map_err(task_error)
    }
}
