//! The config of a load, in a file or in the workflow itself.

use engine::operator::{ParamProblem, TaskError};
use engine::params::ParamPath;
use lake::load::config::ConfigProblem;
use lake::load::{LoadConfig, PARTITION_KEY};
use serde_json::Value;

use crate::config::{self, Config};
use crate::error::classify;

impl Config for LoadConfig {
    const WHAT: &'static str = "load's config";
    const EXPECTED: &'static str = "a mapping with `in` and `out`";
    const INSTEAD: &'static str = "; the config may also stand in the workflow itself";

    fn text_problems(value: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<ParamProblem> {
        Self::text_problems(value, is_known).into_iter().map(problem).collect()
    }

    fn problems(&self) -> Vec<ParamProblem> {
        self.problems().into_iter().map(problem).chain(super::inspect::partition_by(self)).collect()
    }
}

fn problem(problem: ConfigProblem) -> ParamProblem {
    ParamProblem::new(ParamPath(problem.path), problem.message)
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
    config::read(name, text, evaluate)
}

/// Makes the error of a load, when it is about something that its config says, which stands in the text of a file that messages call
/// `name`: at its place.
pub fn config_error(name: &str, text: &str, error: &lake::Error) -> Option<TaskError> {
    of_config(error).map(|problem| config::found_wrong::<LoadConfig>(name, text, problem))
}

/// Returns what of its config the error of a load is about; none for other errors.
pub(super) fn of_config(error: &lake::Error) -> Option<ParamProblem> {
    let (_, key) = error.context.iter().find(|(name, _)| *name == PARTITION_KEY)?;
    let (_, code) = classify(error.kind);
    let path = ParamPath::from("out.partition_by").key(key);
    let problem = ParamProblem::new(path, error.message.clone()).code(code);
    Some(match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    })
}

/// Reads the config that stands in the workflow itself.
///
/// # Errors
/// Of the workflow's author, with all problems at their places.
pub(crate) fn inline(value: &Value) -> Result<LoadConfig, TaskError> {
    let below = |problems: Vec<ParamProblem>| problems.into_iter().map(below_command).collect();
    config::read_value(value).map_err(|problems| TaskError::wrong_params(below(problems)))
}

/// Puts the path of a problem with a config below the parameter that holds the config.
pub(super) fn below_command(mut problem: ParamProblem) -> ParamProblem {
    let dot = if problem.path.0.is_empty() || problem.path.0.starts_with('[') { "" } else { "." };
    problem.path = ParamPath(format!("_command{dot}{}", problem.path));
    problem
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
    fn all_that_is_wrong_is_told_at_once() {
        let message = read(
            "in:\n  type: file\n  path: a.csv\n  parser:\n    type: csv\n    skip_header_line: 1\n    columns:\n      \
             - {name: a, type: lang}\n      - {name: A, type: string}\nfilters: [{type: rename}]\nout: {type: file, path: o}\n\
             max_rejected: many\n",
        )
        .unwrap_err();
        let places: Vec<&str> = message.lines().skip(1).filter_map(|line| line.trim().split(": ").next()).collect();
        for line in [6, 8, 9, 10, 12] {
            let place = format!("access.yml:{line}:");
            assert!(places.iter().any(|found| found.starts_with(&place)), "{place}\n{message}");
        }
        assert_eq!(places.len(), 5, "{message}");
    }

    #[test]
    fn a_wrong_limit_does_not_hide_what_else_is_wrong() {
        let message = read(
            "in: {type: file, path: a.csv, parser: {type: csv, columns: [{name: a, type: long}]}}\nmax_rejected: 12 %%\n\
             out: {type: table, database: web, table: t, partition_by: {dt: day}}\n",
        )
        .unwrap_err();
        let places: Vec<&str> = message.lines().skip(1).filter_map(|line| line.trim().split(": ").next()).collect();
        assert_eq!(places, ["access.yml:2:15", "access.yml:3:64"], "{message}");
    }

    #[test]
    fn what_only_the_input_tells_has_its_place_as_well() {
        let text = "in: {type: file, path: a.csv, parser: {type: csv}}\n\
                    out: {type: table, database: web, table: t, partition_by: {p: nosuch}}\n";
        let error = lake::Error::new(lake::ErrorKind::InvalidSql, "plan", "Column 'nosuch' cannot be resolved");
        assert!(config_error("a.yml", text, &error).is_none());
        let placed = config_error("a.yml", text, &error.with(PARTITION_KEY, "p")).unwrap();
        assert_eq!(
            placed.message,
            "the load's config `a.yml` is wrong\n  a.yml:2:63: error[T0301]: Column 'nosuch' cannot be resolved"
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
