//! Reads the config of a load from YAML: every problem at once, each with its line and column.

use engine::diagnostic::{Diagnostic, code, render};
use engine::document::SourceMap;
use engine::document::node::describe;
use engine::operator::surroundings::constant;
use engine::operator::typed::read_params;
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::{ParamPath, Params};
use lake::load::LoadConfig;
use serde_json::Value;

use super::document::ConfigDocument;
use crate::error::AtParam as _;

/// Reads a file of the project and the config in it.
pub(super) async fn load(context: &TaskContext, path: &str) -> Result<LoadConfig, TaskError> {
    let unreadable = |why: String| {
        let message = format!("cannot read the load's config `{path}`: {why}");
        let start = context.work_dir.display();
        TaskError::config(code::UNREADABLE_FILE, message)
            .at_param("_command")
            .help(format!("paths start at `{start}`; the config may also stand in the workflow itself"))
    };
    let file = context.work_dir.join(path);
    let project = tokio::fs::canonicalize(&context.project_dir).await.map_err(|error| unreadable(error.to_string()))?;
    let real = tokio::fs::canonicalize(&file).await.map_err(|error| unreadable(error.to_string()))?;
    if !real.starts_with(&project) {
        return Err(unreadable("it is outside of the project".to_owned()));
    }
    let bytes = tokio::fs::read(&real).await.map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no text in UTF-8".to_owned()))?;
    read_config(path, &text, &mut |text| context.host.render(text, &Params::new())).at_param("_command")
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
    let mut document = ConfigDocument::parse(name, text);
    let mut problems = std::mem::take(&mut document.problems);
    let Some(node) = &document.node else { return Err(wrong(name, &problems, &document.sources)) };
    let mut value = node.to_value();
    let at = |problem: ParamProblem| {
        let place = document.place(&problem).unwrap_or(node.span);
        let diagnostic = Diagnostic::error(problem.code, place, problem.message);
        match problem.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    };
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
    Err(wrong(name, &problems, &document.sources))
}

/// Reads the config of a load from a value in which nothing is left to evaluate.
///
/// # Errors
/// All problems, with their paths in the value.
pub(super) fn read_value(value: &Value) -> Result<LoadConfig, Vec<ParamProblem>> {
    let Value::Object(params) = value else {
        let message = format!("expected a mapping with `in` and `out`, found {}", describe(value));
        return Err(vec![ParamProblem::new(ParamPath::default(), message)]);
    };
    let problems = text_problems(value);
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = read_params::<LoadConfig>("load", params)?;
    let problems = config_problems(&config);
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Says what is wrong with the types and limits of a config; of texts with a `${…}` nothing.
pub(super) fn text_problems(value: &Value) -> Vec<ParamProblem> {
    let problems = LoadConfig::text_problems(value, &|text| constant(text).is_some());
    problems.into_iter().map(|problem| ParamProblem::new(ParamPath(problem.path), problem.message)).collect()
}

/// Says what is wrong with a config whose values have the right types.
pub(super) fn config_problems(config: &LoadConfig) -> Vec<ParamProblem> {
    let problems = config.problems().into_iter();
    problems.map(|problem| ParamProblem::new(ParamPath(problem.path), problem.message)).collect()
}

/// Reads the config that stands in the workflow itself.
///
/// # Errors
/// Of the workflow's author, with all problems at their places.
pub(crate) fn inline(value: &Value) -> Result<LoadConfig, TaskError> {
    let below = |problems: Vec<ParamProblem>| problems.into_iter().map(below_command).collect();
    read_value(value).map_err(|problems| TaskError::wrong_params(below(problems)))
}

/// Puts the path of a problem with a config below the parameter that holds the config.
pub(super) fn below_command(mut problem: ParamProblem) -> ParamProblem {
    let dot = if problem.path.0.is_empty() || problem.path.0.starts_with('[') { "" } else { "." };
    problem.path = ParamPath(format!("_command{dot}{}", problem.path));
    problem
}

fn wrong(name: &str, problems: &[Diagnostic], sources: &SourceMap) -> TaskError {
    let code = problems.first().map_or(code::PARAM_VALUE, |problem| problem.code);
    let mut message = format!("the load's config `{name}` is wrong");
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
    fn null_string_is_a_text_or_a_list_of_texts() {
        for (written, expected) in
            [("NA", "[\"NA\"]"), ("''", "[\"\"]"), ("[NA, '-']", "[\"NA\",\"-\"]"), ("0", "[\"0\"]")]
        {
            let text = format!(
                "in: {{type: file, path: a.csv, parser: {{type: csv, null_string: {written}}}}}\nout: {{type: file, path: o}}\n"
            );
            let config = serde_json::to_value(read(&text).unwrap()).unwrap();
            assert_eq!(config["in"]["parser"]["null_string"].to_string(), expected, "{written}");
        }
        let text =
            "in: {type: file, path: a.csv, parser: {type: csv, null_string: {a: b}}}\nout: {type: file, path: o}\n";
        assert_eq!(
            read(text).unwrap_err(),
            "the load's config `access.yml` is wrong\n  \
             access.yml:1:51: error[E0301]: expected a text or a list for `in.parser.null_string`, found a mapping"
        );
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
             access.yml:7:12: error[E0301]: expected one character for `in.parser.quote`, found the string `ab`\n  \
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
             access.yml:8:16: error[E0301]: `a` is there twice\n  \
             access.yml:9:25: error[E0301]: expected a folder of this machine, found `s3://`: use `type: table`"
        );
    }
}
