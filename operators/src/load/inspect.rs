//! What `check` says of a load's config: in its file or in the workflow, before anything runs.

use engine::diagnostic::code;
use engine::document::node::describe;
use engine::operator::surroundings::{NamedFile, wrong_expressions};
use engine::operator::typed::{check_params, is_unevaluated, read_params};
use engine::operator::{ParamProblem, Piece, Surroundings};
use engine::params::{ParamPath, Params};
use lake::load::LoadConfig;
use lake::load::config::OutputConfig;
use serde_json::Value;

use super::config_file::{below_command, config_problems, text_problems};
use super::document::{ConfigDocument, bytes};
use crate::error::classify;

/// Looks at the config that a task names or holds.
pub(super) fn config(params: &Params, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
    match params.get("_command") {
        Some(Value::String(path)) if !path.contains("${") => file(path, surroundings),
        // Its keys and the types of its values were checked with the task's own.
        Some(inline @ Value::Object(_)) => meaning(inline).into_iter().map(below_command).collect(),
        _ => Vec::new(),
    }
}

fn file(path: &str, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
    let named = match surroundings.read(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Vec::new(),
        Err(error) => {
            let message = format!("cannot read the load's config `{path}`: {error}");
            let help = format!(
                "the path starts at {}; the config may also stand in the workflow itself",
                surroundings.directory_name()
            );
            return vec![ParamProblem::new("_command".into(), message).code(code::UNREADABLE_FILE).help(help)];
        }
    };
    let document = ConfigDocument::parse(path, &named.text);
    let piece = |bytes: std::ops::Range<usize>| Piece {
        file: Some(NamedFile::clone(&named)),
        start: bytes.start,
        end: bytes.end,
    };
    let command = || ParamPath::from("_command");
    let mut problems: Vec<ParamProblem> = Vec::new();
    for diagnostic in &document.problems {
        let problem = ParamProblem::new(command(), diagnostic.message.clone()).code(diagnostic.code);
        let problem = problem.inside(piece(bytes(diagnostic.primary.span)));
        problems.push(if diagnostic.help.is_empty() { problem } else { problem.help(diagnostic.help.join("; ")) });
    }
    let Some(node) = &document.node else { return problems };
    let value = node.to_value();
    for problem in all(&value) {
        let inside = piece(document.bytes(&problem));
        problems.push(ParamProblem { path: command(), inside: Some(inside), ..problem });
    }
    problems
}

/// Says everything that is wrong with a config, with paths in the config.
fn all(value: &Value) -> Vec<ParamProblem> {
    let Value::Object(params) = value else {
        let message = format!("expected a mapping with `in` and `out`, found {}", describe(value));
        return vec![ParamProblem::new(ParamPath::default(), message)];
    };
    let mut problems = Vec::new();
    expressions(value, &ParamPath::default(), &mut problems);
    problems.extend(check_params::<LoadConfig>("load", params));
    problems.extend(meaning(value));
    problems
}

/// Says what a schema cannot say of a config.
fn meaning(value: &Value) -> Vec<ParamProblem> {
    let problems = text_problems(value);
    let Some(params) = value.as_object().filter(|_| problems.is_empty()) else { return problems };
    if is_unevaluated(value) || !check_params::<LoadConfig>("load", params).is_empty() {
        return problems;
    }
    let config = match read_params::<LoadConfig>("load", params) {
        Ok(config) => config,
        Err(problems) => return problems,
    };
    let mut problems = config_problems(&config);
    if let OutputConfig::Table(table) = &config.out {
        problems.extend(table.partition_by.iter().filter_map(|(key, expression)| partition_by(key, expression)));
    }
    problems
}

/// Looks at the expression of a partition key.
fn partition_by(key: &str, expression: &str) -> Option<ParamProblem> {
    if expression.trim().is_empty() {
        // That is told with the rest of the config.
        return None;
    }
    let error = lake::sql::parse_expression(expression).err()?;
    let (_, code) = classify(lake::Error::from(error.clone()).kind);
    let path = ParamPath::from("out.partition_by").key(key);
    Some(ParamProblem::new(path, error.message).code(code))
}

/// Looks at the expressions in the texts of a value.
fn expressions(value: &Value, at: &ParamPath, problems: &mut Vec<ParamProblem>) {
    match value {
        Value::String(text) => {
            for wrong in wrong_expressions(text) {
                problems.push(ParamProblem::new(at.clone(), wrong.message).code(code::TEMPLATE_SYNTAX));
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| expressions(item, &at.index(index), problems));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, entry)| expressions(entry, &at.key(key), problems)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
