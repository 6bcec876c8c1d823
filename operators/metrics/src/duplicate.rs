//! What is kept when a series has two values for one time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which value a time keeps that is written twice with different values. The same value twice is one point, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateRule {
    /// The one that was written last.
    #[default]
    Last,
    /// The larger one; a number is larger than "not a number".
    Max,
    /// None: writing another value is an error, and the first one stays.
    Error,
}
