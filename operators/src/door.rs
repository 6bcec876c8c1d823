//! The way to the lake: opened by the first task that needs it, so that `check` makes nothing and `echo>` waits for nothing.

use engine::operator::TaskError;
use lake::{Lake, LakeSettings};
use tokio::sync::OnceCell;

use crate::error::task_error;

/// A lake that is opened when it is first used.
#[derive(Debug)]
pub struct LakeDoor {
    settings: LakeSettings,
    lake: OnceCell<Lake>,
}

impl LakeDoor {
    /// Makes a door; nothing is opened.
    pub fn new(settings: LakeSettings) -> Self {
        Self { settings, lake: OnceCell::new() }
    }

    /// Returns the lake, opening it the first time.
    ///
    /// # Errors
    /// As [`Lake::open`]; the next call tries again.
    pub async fn lake(&self) -> lake::Result<&Lake> {
        self.lake.get_or_try_init(|| Lake::open(self.settings.clone())).await
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
