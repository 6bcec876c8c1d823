//! Reads a config from YAML when its task runs: every problem at once, each with its line and column.

use engine::diagnostic::{Diagnostic, code, render};
use engine::document::node::describe;
use engine::document::{Node, SourceMap};
use engine::operator::surroundings::constant;
use engine::operator::typed::{check_params, read_params};
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::{ParamPath, Params};
use serde_json::Value;

use super::Config;
use super::document::ConfigDocument;
use crate::error::AtParam as _;

/// Reads a file of the project and the config in it; `param` is the parameter that names the file.
pub(crate) async fn load<C: Config>(context: &TaskContext, path: &str, param: &str) -> Result<C, TaskError> {
    let unreadable = |why: String| {
        let message = format!("cannot read the {} `{path}`: {why}", C::WHAT);
        let start = context.work_dir.display();
        TaskError::config(code::UNREADABLE_FILE, message)
            .at_param(param)
            .help(format!("paths start at `{start}`{}", C::INSTEAD))
    };
    let file = context.work_dir.join(path);
    let project = tokio::fs::canonicalize(&context.project_dir).await.map_err(|error| unreadable(error.to_string()))?;
    let real = tokio::fs::canonicalize(&file).await.map_err(|error| unreadable(error.to_string()))?;
    if !real.starts_with(&project) {
        return Err(unreadable("it is outside of the project".to_owned()));
    }
    let bytes = tokio::fs::read(&real).await.map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no text in UTF-8".to_owned()))?;
    read(path, &text, &mut |text| context.host.render(text, &Params::new())).at_param(param)
}

/// Reads the config in the text of a file that messages call `name`; `evaluate` gives each text in it its value.
///
/// # Errors
/// Of the config's author, with all problems, each on a line with its place.
pub(crate) fn read<C: Config>(
    name: &str,
    text: &str,
    evaluate: &mut dyn FnMut(&str) -> Result<String, TaskError>,
) -> Result<C, TaskError> {
    let mut document = ConfigDocument::parse(name, text);
    let mut problems = std::mem::take(&mut document.problems);
    let Some(node) = &document.node else { return Err(wrong::<C>(name, &problems, &document.sources)) };
    let mut value = node.to_value();
    let at = |problem: ParamProblem| placed(&document, node, problem);
    evaluate_all(&mut value, &ParamPath::default(), &mut |path, text| {
        evaluate(text).map_err(|error| {
            problems.push(at(ParamProblem::new(path.clone(), error.message).code(error.code)));
        })
    });
    if problems.is_empty() {
        match read_value(&value) {
            Ok(config) => return Ok(config),
            Err(found) => problems.extend(found.into_iter().map(at)),
        }
    }
    Err(wrong::<C>(name, &problems, &document.sources))
}

/// Makes the error of a config in the text of a file that turned out to be wrong with what it names: a column that is not there.
pub(crate) fn found_wrong<C: Config>(name: &str, text: &str, problem: ParamProblem) -> TaskError {
    let document = ConfigDocument::parse(name, text);
    match &document.node {
        Some(node) => wrong::<C>(name, &[placed(&document, node, problem)], &document.sources),
        None => TaskError::wrong_params(vec![problem]),
    }
}

/// Puts a problem at its place.
fn placed(document: &ConfigDocument, node: &Node, problem: ParamProblem) -> Diagnostic {
    let place = document.place(&problem).unwrap_or(node.span);
    let diagnostic = Diagnostic::error(problem.code, place, problem.message);
    match problem.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Reads a config from a value in which nothing is left to evaluate.
///
/// # Errors
/// All problems, with their paths in the value.
pub(crate) fn read_value<C: Config>(value: &Value) -> Result<C, Vec<ParamProblem>> {
    let Value::Object(params) = value else {
        let message = format!("expected {}, found {}", C::EXPECTED, describe(value));
        return Err(vec![ParamProblem::new(ParamPath::default(), message)]);
    };
    // What can be told without the rest being right is told together with it.
    let mut problems = check_params::<C>(C::WHAT, params);
    problems.extend(C::text_problems(value, &|text| constant(text).is_some()));
    match read_params::<C>(C::WHAT, params) {
        Ok(config) => {
            add(&mut problems, config.problems());
            if problems.is_empty() { Ok(config) } else { Err(problems) }
        }
        // What is wrong with a text is told above.
        Err(_) if !problems.is_empty() => {
            let more = of_the_rest::<C>(params, &problems);
            add(&mut problems, more);
            Err(problems)
        }
        Err(found) => Err(found),
    }
}

/// Says what else is wrong with a config that cannot be read because of values at its top, as if these were not there; nothing
/// when it cannot be read without them, either.
pub(super) fn of_the_rest<C: Config>(params: &Params, wrong: &[ParamProblem]) -> Vec<ParamProblem> {
    let mut rest = params.clone();
    for problem in wrong {
        rest.shift_remove(&problem.path.0);
    }
    match read_params::<C>(C::WHAT, &rest) {
        Ok(config) => config.problems(),
        Err(_) => Vec::new(),
    }
}

/// Adds problems that are not told yet.
pub(super) fn add(problems: &mut Vec<ParamProblem>, more: Vec<ParamProblem>) {
    for problem in more {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

fn wrong<C: Config>(name: &str, problems: &[Diagnostic], sources: &SourceMap) -> TaskError {
    let code = problems.first().map_or(code::PARAM_VALUE, |problem| problem.code);
    let mut message = format!("the {} `{name}` is wrong", C::WHAT);
    for problem in problems {
        message.push_str("\n  ");
        message.push_str(&render::line(problem, sources));
        for help in &problem.help {
            message.push_str(": ");
            message.push_str(help);
        }
    }
    TaskError::config(code, message)
}

/// Evaluates the texts of a value where they stand.
fn evaluate_all(value: &mut Value, at: &ParamPath, evaluate: &mut dyn FnMut(&ParamPath, &str) -> Result<String, ()>) {
    match value {
        Value::String(text) => {
            if text.contains("${")
                && let Ok(evaluated) = evaluate(at, text)
            {
                *text = evaluated;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                evaluate_all(item, &at.index(index), evaluate);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                evaluate_all(entry, &at.key(key), evaluate);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
