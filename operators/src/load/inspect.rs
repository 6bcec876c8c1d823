//! What `check` says of a load's config: in its file or in the workflow, before anything runs.

use engine::operator::{ParamProblem, Surroundings};
use engine::params::{ParamPath, Params};
use lake::load::LoadConfig;
use lake::load::config::OutputConfig;
use serde_json::Value;

use super::config_file::below_command;
use crate::config;
use crate::error::classify;

/// Looks at the config that a task names or holds.
pub(super) fn config(params: &Params, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
    match params.get("_command") {
        Some(Value::String(path)) if !path.contains("${") => {
            config::in_file::<LoadConfig>(path, "_command", surroundings)
        }
        // Its keys and the types of its values were checked with the task's own.
        Some(inline @ Value::Object(_)) => {
            config::meaning::<LoadConfig>(inline).into_iter().map(below_command).collect()
        }
        _ => Vec::new(),
    }
}

/// Looks at the expressions of the partition keys.
pub(super) fn partition_by(config: &LoadConfig) -> Vec<ParamProblem> {
    let OutputConfig::Table(table) = &config.out else { return Vec::new() };
    let unreadable: Vec<_> =
        table.partition_by.iter().filter_map(|(key, expression)| key_expression(key, expression)).collect();
    if !unreadable.is_empty() {
        return unreadable;
    }
    lake::load::examine_partition_keys(config)
        .into_iter()
        .map(|(key, error)| {
            let (_, code) = classify(error.kind);
            ParamProblem::new(ParamPath::from("out.partition_by").key(&key), error.message).code(code)
        })
        .collect()
}

fn key_expression(key: &str, expression: &str) -> Option<ParamProblem> {
    if expression.trim().is_empty() {
        // That is told with the rest of the config.
        return None;
    }
    let error = lake::sql::parse_expression(expression).err()?;
    let (_, code) = classify(lake::Error::from(error.clone()).kind);
    let path = ParamPath::from("out.partition_by").key(key);
    Some(ParamProblem::new(path, error.message).code(code))
}
