//! Reads the config of a load from YAML: every problem at once, each with its line and column.

use std::collections::HashMap;

use engine::diagnostic::{Diagnostic, code, render};
use engine::document::value::Generated;
use engine::document::{self, Node, NodeKind, SourceMap, Span};
use engine::operator::typed::read_params;
use engine::operator::{TaskContext, TaskError};
use engine::params::{ParamPath, Params};
use lake::load::LoadConfig;
use serde_json::Value;

/// Reads a file of the project and the config in it.
pub(super) async fn load(context: &TaskContext, path: &str) -> Result<LoadConfig, TaskError> {
    let unreadable = |why: String| {
        TaskError::config(code::UNREADABLE_FILE, format!("cannot read the load's config `{path}`: {why}")).help(
            format!(
                "paths start at `{}`; the config may also stand in the workflow itself",
                context.work_dir.display()
            ),
        )
    };
    let file = context.work_dir.join(path);
    let project = tokio::fs::canonicalize(&context.project_dir).await.map_err(|error| unreadable(error.to_string()))?;
    let real = tokio::fs::canonicalize(&file).await.map_err(|error| unreadable(error.to_string()))?;
    if !real.starts_with(&project) {
        return Err(unreadable("it is outside of the project".to_owned()));
    }
    let bytes = tokio::fs::read(&real).await.map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no text in UTF-8".to_owned()))?;
    read_config(path, &text, &mut |text| context.host.render(text, &Params::new()))
}

/// Reads the config of a load from the text of a file that messages call `name`; `evaluate` gives each text in it its value.
///
/// # Errors
/// Of the config's author, with all problems, each on a line with its place.
pub fn read_config(
    name: &str,
    text: &str,
    evaluate: &mut dyn FnMut(&str) -> Result<String, TaskError>,
) -> Result<LoadConfig, TaskError> {
    let mut sources = SourceMap::default();
    let id = sources.add(name, text);
    let (node, mut problems) = document::parse(&mut sources, id);
    let Some(node) = node else { return Err(wrong(name, &problems, &sources)) };
    let mut value = node.to_value();
    let places = places(&node);
    let place = |path: &ParamPath| find(&places, path).unwrap_or(node.span);
    evaluate_all(&mut value, &ParamPath::default(), &mut |path, text| {
        evaluate(text).map_err(|error| {
            problems.push(Diagnostic::error(error.code, place(path), error.message));
        })
    });
    let Value::Object(params) = value else {
        problems.push(Diagnostic::error(
            code::PARAM_VALUE,
            node.span,
            format!("expected a mapping with `in` and `out`, found {}", node.describe()),
        ));
        return Err(wrong(name, &problems, &sources));
    };
    if !problems.is_empty() {
        return Err(wrong(name, &problems, &sources));
    }
    let config = match read_params::<LoadConfig>("load", &params) {
        Ok(config) => config,
        Err(found) => {
            for problem in found {
                let message = match problem.help {
                    Some(help) => format!("{}: {help}", problem.message),
                    None => problem.message,
                };
                problems.push(Diagnostic::error(problem.code, place(&problem.path), message));
            }
            return Err(wrong(name, &problems, &sources));
        }
    };
    for problem in config.problems() {
        let path = ParamPath(problem.path);
        problems.push(Diagnostic::error(code::PARAM_VALUE, place(&path), problem.message));
    }
    if problems.is_empty() { Ok(config) } else { Err(wrong(name, &problems, &sources)) }
}

fn wrong(name: &str, problems: &[Diagnostic], sources: &SourceMap) -> TaskError {
    let code = problems.first().map_or(code::PARAM_VALUE, |problem| problem.code);
    let mut message = format!("the load's config `{name}` is wrong");
    for problem in problems {
        message.push_str("\n  ");
        message.push_str(&render::line(problem, sources));
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

/// Returns where each value of a document stands, by its path.
fn places(node: &Node) -> HashMap<ParamPath, Span> {
    let generated = Generated::new(&node.to_value(), &ParamPath::default());
    let mut places = HashMap::new();
    collect(node, &generated.node, &generated, &mut places);
    places
}

fn collect(node: &Node, twin: &Node, generated: &Generated, places: &mut HashMap<ParamPath, Span>) {
    if let Some(path) = generated.path(twin.span) {
        places.entry(path.clone()).or_insert(node.span);
    }
    match (&node.kind, &twin.kind) {
        (NodeKind::List(items), NodeKind::List(twins)) => {
            for (item, twin) in items.iter().zip(twins) {
                collect(item, twin, generated, places);
            }
        }
        (NodeKind::Map(entries), NodeKind::Map(twins)) => {
            for ((key, value), (_, twin)) in entries.iter().zip(twins) {
                // The key says more than the value, which may be a whole block.
                if let Some(path) = generated.path(twin.span) {
                    places.insert(path.clone(), key.span);
                }
                collect(value, twin, generated, places);
            }
        }
        _ => {}
    }
}

/// Returns the place of a path, or of the nearest value around it.
fn find(places: &HashMap<ParamPath, Span>, path: &ParamPath) -> Option<Span> {
    let mut text = path.0.as_str();
    loop {
        if let Some(span) = places.get(&ParamPath(text.to_owned())) {
            return Some(*span);
        }
        text = &text[..text.rfind(['.', '['])?];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LoadConfig, String> {
        read_config("access.yml", text, &mut |text| Ok(text.replace("${day}", "2026-01-02")))
            .map_err(|error| error.message)
    }

    #[test]
    fn the_manuals_example_is_read_and_evaluated() {
        let config = read(
            "in:\n  type: file\n  path: logs/${day}-*.gz\n  parser: {type: apache_combined}\nfilters: []\n\
             out: {type: table, database: web, table: t, partition_by: {dt: \"date_format(time, '%Y-%m-%d')\"}, \
             mode: replace_partitions}\nmax_rejected: 0.1%\n",
        )
        .unwrap();
        assert_eq!(serde_json::to_value(&config).unwrap()["in"]["path"], "logs/2026-01-02-*.gz");
    }

    #[test]
    fn every_problem_has_its_place() {
        let message = read(
            "in:\n  type: file\n  path: a.csv\n  parser:\n    type: csv\n    skip_header_line: 1\n    quote: ab\n\
             out: {type: table, database: web, table: t, mod: append}\n",
        )
        .unwrap_err();
        assert_eq!(
            message,
            "the load's config `access.yml` is wrong\n  \
             access.yml:6:5: error[E0302]: there is no key `skip_header_line` in `in.parser`: did you mean `skip_header_lines`?\n  \
             access.yml:8:45: error[E0302]: there is no key `mod` in `out`: did you mean `mode`?"
        );
    }

    #[test]
    fn what_a_schema_cannot_say_has_its_place_too() {
        let message = read(
            "in:\n  type: file\n  path: a.csv\n  parser:\n    type: csv\n    columns:\n      - {name: a, type: long}\n      \
             - {name: a, type: string}\nout: {type: file, path: s3://b/x}\n",
        )
        .unwrap_err();
        assert_eq!(
            message,
            "the load's config `access.yml` is wrong\n  \
             access.yml:8:10: error[E0301]: `a` is there twice\n  \
             access.yml:9:19: error[E0301]: expected a folder of this machine, found `s3://`: use `type: table`"
        );
    }
}
