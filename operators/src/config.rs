//! Configs: YAML that stands in a file of the project which a task names, such as a load's or the tiers of metrics.
//!
//! One way to read them for all: every problem at once, each with its line and column, before anything runs (`inspect`) and
//! when a task does (`file`).

mod document;
mod file;
mod inspect;

use engine::operator::ParamProblem;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use file::{found_wrong, load, read, read_value};
pub(crate) use inspect::{in_file, known_file, meaning};

/// A kind of config.
pub(crate) trait Config: DeserializeOwned + JsonSchema {
    /// What messages call it: `load's config`.
    const WHAT: &'static str;
    /// What its text must be: "a mapping with `in` and `out`".
    const EXPECTED: &'static str;
    /// What to do when its file cannot be read, besides mending the path.
    const INSTEAD: &'static str;

    /// Says what is wrong with texts that have a grammar of their own, before the config is read; `is_known` tells whether a
    /// text is what it will be.
    fn text_problems(value: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<ParamProblem>;

    /// Says what a schema cannot say, with paths in the config.
    fn problems(&self) -> Vec<ParamProblem>;
}
