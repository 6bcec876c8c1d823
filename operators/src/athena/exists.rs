//! What `table_exists?>` and `partition_exists?>` have in common: what they store, and when a missing thing is an error.

use engine::diagnostic::code;
use engine::operator::{TaskError, TaskOutcome, TaskResult};
use serde_json::json;

use super::output::store;
use crate::error::AtParam as _;

/// What was looked for, and what is there.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// What it is in the stored keys: `table`.
    pub(super) kind: &'a str,
    /// What it is called in messages: ``the table `web.t` ``.
    pub(super) what: &'a str,
    /// What its location is called: `` `web.t` ``.
    pub(super) owner: &'a str,
    /// The parameter that names it.
    pub(super) named_by: &'static str,
    /// Whether it is in the catalog.
    pub(super) exists: bool,
    /// Whether there are objects at its location; none when nobody asked.
    pub(super) location_exists: Option<bool>,
}

impl Found<'_> {
    /// Stores what is there; something missing is an error when it must be there.
    pub(super) fn outcome(&self, must_exist: bool) -> Result<TaskOutcome, TaskError> {
        let missing = |what: String| Err(TaskError::config(code::NOT_FOUND, what).at_param(self.named_by));
        if must_exist && !self.exists {
            return missing(format!("{} does not exist", self.what));
        }
        if must_exist && self.location_exists == Some(false) {
            return missing(format!("there are no objects at the location of {}", self.owner));
        }
        let kind = self.kind;
        let found = json!({format!("{kind}_exists"): self.exists, "location_exists": self.location_exists});
        Ok(TaskResult { store: store(&format!("last_{kind}_exists"), found), ..TaskResult::default() }.done())
    }
}
