//! `tiers.yml` as a config.

use engine::diagnostic::code;
use engine::operator::{ParamProblem, TaskError};
use engine::params::ParamPath;
use metrics::config::{ProblemKind, TierProblem, TiersConfig};
use serde_json::Value;

use crate::config::{self, Config};

impl Config for TiersConfig {
    const WHAT: &'static str = "file of tiers";
    const EXPECTED: &'static str = "a mapping with `tiers`";
    const INSTEAD: &'static str = "; `tiers:` names another file";

    fn text_problems(value: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<ParamProblem> {
        Self::text_problems(value, is_known).into_iter().map(problem).collect()
    }

    fn problems(&self) -> Vec<ParamProblem> {
        self.problems().into_iter().map(problem).collect()
    }
}

fn problem(found: TierProblem) -> ParamProblem {
    let code = match found.kind {
        ProblemKind::Wrong => code::PARAM_VALUE,
        ProblemKind::Loss => code::POINTS_LOST,
        ProblemKind::TwoWriters => code::TWO_WRITERS,
    };
    let problem = ParamProblem::new(ParamPath(found.path), found.message).code(code);
    match found.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Reads a file of tiers from its text; messages call it `name`, and `evaluate` gives each text in it its value.
///
/// # Errors
/// Of the file's author, with all problems, each on a line with its place.
pub fn read_config(
    name: &str,
    text: &str,
    evaluate: &mut dyn FnMut(&str) -> Result<String, TaskError>,
) -> Result<TiersConfig, TaskError> {
    config::read(name, text, evaluate)
}
