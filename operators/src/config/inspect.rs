//! What `check` says of a config, before anything runs.

use engine::diagnostic::code;
use engine::document::node::describe;
use engine::operator::surroundings::{NamedFile, constant, wrong_expressions};
use engine::operator::typed::{check_params, read_params};
use engine::operator::{ParamProblem, Piece, Surroundings};
use engine::params::ParamPath;
use engine::secret::wrong_reference;
use serde_json::Value;

use super::Config;
use super::document::{ConfigDocument, bytes};
use super::file::{add, of_the_rest};

/// A config's file as it can be known before anything runs.
#[derive(Debug)]
pub(crate) struct Known {
    file: NamedFile,
    document: ConfigDocument,
}

impl Known {
    /// Returns the value in the file; none when it is no YAML.
    pub(crate) fn value(&self) -> Option<Value> {
        self.document.node.as_ref().map(engine::document::Node::to_value)
    }

    /// Puts a problem with a value of the file over its place there; `param` is the parameter that names the file.
    pub(crate) fn at(&self, problem: ParamProblem, param: &str) -> ParamProblem {
        let bytes = self.document.bytes(&problem);
        let inside = Some(Piece { file: Some(self.file.clone()), start: bytes.start, end: bytes.end });
        ParamProblem { path: param.into(), inside, ..problem }
    }
}

/// Reads the file of a config; none when a program may write it first.
///
/// # Errors
/// That it cannot be read; `param` is the parameter that names it.
pub(crate) fn known_file<C: Config>(
    path: &str,
    param: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Option<Known>, ParamProblem> {
    match surroundings.read(path) {
        Ok(Some(file)) => {
            let document = ConfigDocument::parse(path, &file.text);
            Ok(Some(Known { file, document }))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            let message = format!("cannot read the {} `{path}`: {error}", C::WHAT);
            let help = format!("the path starts at {}{}", surroundings.directory_name(), C::INSTEAD);
            Err(ParamProblem::new(param.into(), message).code(code::UNREADABLE_FILE).help(help))
        }
    }
}

/// Looks at the file of a config.
pub(crate) fn in_file<C: Config>(path: &str, param: &str, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
    let known = match known_file::<C>(path, param, surroundings) {
        Ok(Some(known)) => known,
        Ok(None) => return Vec::new(),
        Err(problem) => return vec![problem],
    };
    let mut problems: Vec<ParamProblem> = Vec::new();
    for diagnostic in &known.document.problems {
        let bytes = bytes(diagnostic.primary.span);
        let piece = Piece { file: Some(known.file.clone()), start: bytes.start, end: bytes.end };
        let problem = ParamProblem::new(param.into(), diagnostic.message.clone()).code(diagnostic.code).inside(piece);
        problems.push(if diagnostic.help.is_empty() { problem } else { problem.help(diagnostic.help.join("; ")) });
    }
    let Some(value) = known.value() else { return problems };
    problems.extend(all::<C>(&value).into_iter().map(|problem| known.at(problem, param)));
    problems
}

/// Says everything that is wrong with a config, with paths in the config.
fn all<C: Config>(value: &Value) -> Vec<ParamProblem> {
    let Value::Object(params) = value else {
        let message = format!("expected {}, found {}", C::EXPECTED, describe(value));
        return vec![ParamProblem::new(ParamPath::default(), message)];
    };
    let mut problems = Vec::new();
    expressions(value, &ParamPath::default(), &mut problems);
    problems.extend(check_params::<C>(C::WHAT, params));
    problems.extend(meaning::<C>(value));
    problems
}

/// Says what a schema cannot say of a config.
pub(crate) fn meaning<C: Config>(value: &Value) -> Vec<ParamProblem> {
    let mut problems = C::text_problems(value, &|text| constant(text).is_some());
    let Some(params) = value.as_object() else { return problems };
    if is_open(value) || !check_params::<C>(C::WHAT, params).is_empty() {
        return problems;
    }
    match read_params::<C>(C::WHAT, params) {
        Ok(config) => add(&mut problems, config.problems()),
        Err(found) if problems.is_empty() => problems = found,
        // What is wrong with a text is told above.
        Err(_) => {
            let more = of_the_rest::<C>(params, &problems);
            add(&mut problems, more);
        }
    }
    problems
}

/// Tells whether something in a value is still to be evaluated. A secret is a text of its own: two that are written alike are one.
fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => constant(text).is_none(),
        Value::Array(items) => items.iter().any(is_open),
        Value::Object(entries) => entries.values().any(is_open),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Looks at the expressions in the texts of a value.
fn expressions(value: &Value, at: &ParamPath, problems: &mut Vec<ParamProblem>) {
    match value {
        Value::String(text) => {
            for wrong in wrong_expressions(text) {
                problems.push(ParamProblem::new(at.clone(), wrong.message).code(code::TEMPLATE_SYNTAX));
            }
            if let Some(wrong) = wrong_reference(text) {
                let problem = ParamProblem::new(at.clone(), wrong.to_string()).code(code::SECRET_MISSING);
                problems.push(problem.help(wrong.help()));
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| expressions(item, &at.index(index), problems));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, entry)| expressions(entry, &at.key(key), problems)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
