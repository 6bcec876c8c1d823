//! What `run`, `plan` and `log` have in common: a workflow from its file, and the session that is meant.

use std::path::Path;

use engine::diagnostic::code;
use engine::document::{self, FileHashes, SourceMap};
use engine::operator::Registry;
use engine::params::{Params, command_line, merge};
use engine::schedule::{self, Schedule, session_flag};
use engine::time::{Clock, SystemClock};
use engine::workflow::{self, Workflow};
use jiff::Zoned;
use serde_json::Value;

use crate::cli::SessionArgs;
use crate::compose::{Base, in_project};
use crate::failure::Failure;
use crate::settings::Settings;

/// Loads and checks a workflow; says its warnings.
pub(super) fn load(
    base: &Base,
    settings: &Settings,
    file: &Path,
    registry: &Registry,
    params: &CommandLineParams,
) -> Result<(Workflow, FileHashes), Failure> {
    let path = in_project(settings, file)?;
    let given = [params.file.clone(), params.command_line.clone()];
    let loaded = workflow::load_given(&settings.project, &path.to_string_lossy(), registry, &given);
    match loaded.workflow {
        Some(workflow) => {
            if !loaded.diagnostics.is_empty() {
                super::say(base.output, &Failure::diagnostics(loaded.sources, loaded.diagnostics));
            }
            Ok((workflow, loaded.files))
        }
        None => Err(Failure::diagnostics(loaded.sources, loaded.diagnostics)),
    }
}

/// Decides for which time the session is.
pub(super) fn session_time(
    workflow: &Workflow,
    flag: Option<&str>,
    last: Option<jiff::Timestamp>,
) -> Result<Zoned, Failure> {
    let zone = schedule::time_zone(&workflow.time_zone)
        .map_err(|error| Failure::of_code(code::TIME_ZONE, error.to_string()))?;
    let schedule = workflow.schedule.as_ref().and_then(|value| Schedule::parse(value, &zone).0);
    session_flag::resolve(flag, &zone, schedule.as_ref(), SystemClock.now(), last)
        .map_err(|error| Failure::of_code(code::SESSION_ARGUMENT, error.to_string()))
}

/// The parameters of the command line.
#[derive(Debug, Clone, Default)]
pub(super) struct CommandLineParams {
    /// Of `-P FILE`, the later file over the earlier.
    pub(super) file: Params,
    /// Of `-p KEY=VALUE`.
    pub(super) command_line: Params,
}

/// Reads `-p` and `-P`.
pub(super) fn params(args: &SessionArgs) -> Result<CommandLineParams, Failure> {
    let mut file = Params::new();
    for path in &args.params_file {
        merge(&mut file, &params_file(path)?);
    }
    let command_line =
        command_line::parse(&args.params).map_err(|error| Failure::of_code(code::PARAM_ARGUMENT, error.to_string()))?;
    Ok(CommandLineParams { file, command_line })
}

fn params_file(path: &Path) -> Result<Params, Failure> {
    let wrong = |message: String| Failure::of_code(code::PARAM_ARGUMENT, message);
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot read the parameters in `{}`: {error}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        // YAML knows no pairs of escapes for one character, which every writer of JSON makes.
        return serde_json::from_str(&text).map_err(|error| {
            wrong(format!("expected a mapping of parameters in JSON in `{}`: {error}", path.display()))
        });
    }
    let mut sources = SourceMap::default();
    let id = sources.add(path.display().to_string(), text);
    let (node, diagnostics) = document::parse(&mut sources, id);
    match node.filter(|_| diagnostics.is_empty()).map(|node| node.to_value()) {
        Some(Value::Object(params)) => Ok(params),
        Some(Value::Null) => Ok(Params::new()),
        Some(_) => Err(wrong(format!("expected a mapping of parameters in `{}`", path.display()))),
        None => Err(Failure::diagnostics(sources, diagnostics)),
    }
}
