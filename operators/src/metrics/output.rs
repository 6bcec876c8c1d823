//! What `metrics.…>` operators tell: parameters below `metrics`, and lines for people.

use engine::params::{ParamPath, Params};
use serde_json::{Value, json};

/// Puts a value below `metrics`.
pub(super) fn store(key: &str, value: Value) -> Params {
    let mut metrics = Params::new();
    metrics.insert(key.to_owned(), value);
    let mut params = Params::new();
    params.insert("metrics".to_owned(), json!(metrics));
    params
}

/// The path of a key below `metrics`, for `reset`: what an earlier task stored there must not shine through.
pub(super) fn path(key: &str) -> ParamPath {
    ParamPath(format!("metrics.{key}"))
}

/// A number of things in memory.
pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
