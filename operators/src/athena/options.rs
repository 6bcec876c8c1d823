//! What the options of several `athena.…>` operators have in common.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::{Params, duration};
use serde_json::Value;

/// Reads `timeout`.
///
/// DIFFERENCE(digdag-operator-athena): without one there is no limit of ours; there it was 10 minutes, below Athena's own.
pub(super) fn timeout(text: Option<&str>) -> Result<Option<Duration>, TaskError> {
    text.map(|text| duration::parse(text).map_err(|error| problem("timeout", error.to_string()))).transpose()
}

/// Returns what an SQL file may use besides the parameters in scope: the keys of the exported mappings `athena` and
/// `athena.<operator>`, as in digdag-operator-athena; the nearer one wins.
pub(super) fn athena_scope(context: &TaskContext, operator: &str) -> Params {
    let scope = context.scope();
    let mut extra = Params::new();
    for name in [super::DEFAULTS, operator] {
        if let Some(Value::Object(map)) = scope.get(name) {
            for (key, value) in map {
                if !scope.contains_key(key) {
                    extra.insert(key.clone(), value.clone());
                }
            }
        }
    }
    extra
}

/// An error that points at a parameter.
pub(super) fn problem(path: &str, message: String) -> TaskError {
    TaskError::config(code::PARAM_VALUE, message.clone()).param(ParamProblem::new(path.into(), message))
}
