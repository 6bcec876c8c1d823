//! What every `metrics.…>` operator takes.

use engine::diagnostic::code;
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::Params;
use jiff::Timestamp;
use metrics::TimeRange;
use metrics::config::TiersConfig;
use metrics::replay::csv::parse_time;
use schemars::JsonSchema;
use serde::Deserialize;

use super::window::WrittenWindow;
use crate::config;

/// The file of tiers of a task that names none.
pub(crate) const TIERS_FILE: &str = "tiers.yml";

/// Which tiers, and what time it is for the task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TiersParams {
    /// The file of the tiers; paths start at the workflow's folder.
    #[serde(default = "tiers_file")]
    pub(super) tiers: String,
    /// The time that counts as now: windows that end later, or less than the lateness before, are not touched. Default: the
    /// session's time.
    #[serde(default)]
    pub(super) at: Option<String>,
}

/// The default of `tiers`.
fn tiers_file() -> String {
    TIERS_FILE.to_owned()
}

/// Which windows.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WindowParams {
    /// The span of time, `a .. b`, widened to whole windows: times as `2024-03-01` or `2024-03-01T05:00:00Z` (UTC unless they
    /// say a zone), `now`, `-3h` (before now), and for the end `+1h` (after the start). Default: everything that is due.
    #[serde(default)]
    pub(super) window: Option<String>,
}

impl TiersParams {
    /// Reads the file of the tiers.
    ///
    /// # Errors
    /// Of its author, with all problems.
    pub(super) async fn config(&self, context: &TaskContext) -> Result<TiersConfig, TaskError> {
        config::load(context, &self.tiers, "tiers").await
    }

    /// Returns the time that counts as now.
    ///
    /// # Errors
    /// That `at` is no time.
    pub(super) fn now(&self, context: &TaskContext) -> Result<Timestamp, TaskError> {
        self.now_at(context.session_time.timestamp())
    }

    /// Returns the time that counts as now in a session of some time.
    ///
    /// # Errors
    /// That `at` is no time.
    pub(super) fn now_at(&self, session: Timestamp) -> Result<Timestamp, TaskError> {
        let Some(text) = &self.at else { return Ok(session) };
        let time = parse_time(text).and_then(|time_ms| Timestamp::from_millisecond(time_ms).ok());
        time.ok_or_else(|| wrong("at", at_problem(text)))
    }
}

/// Says that a text is no time.
fn at_problem(text: &str) -> String {
    format!("expected a time such as `2024-03-01 05:00:00` for `at`, found `{}`", text.escape_debug())
}

impl WindowParams {
    /// Returns the span of time; none for everything that is due.
    ///
    /// # Errors
    /// That it is no window, or that nothing is left of it.
    pub(super) fn range(&self, now: Timestamp) -> Result<Option<TimeRange>, TaskError> {
        let read = |text: &String| WrittenWindow::parse(text).and_then(|window| window.at(now));
        self.window.as_ref().map(read).transpose().map_err(|message| wrong("window", message))
    }
}

/// Looks at the texts of `at` and `window` before anything runs.
pub(super) fn text_problems(params: &Params, problems: &mut Vec<ParamProblem>) {
    let known = |name: &str| {
        let text = params.get(name)?.as_str()?;
        engine::operator::surroundings::constant(text)
    };
    if let Some(text) = known("at").filter(|text| parse_time(text).is_none()) {
        problems.push(ParamProblem::new("at".into(), at_problem(&text)));
    }
    if let Some(message) = known("window").and_then(|text| WrittenWindow::parse(&text).err()) {
        problems.push(ParamProblem::new("window".into(), message));
    }
}

/// Says what is wrong with a parameter.
pub(super) fn wrong(path: &str, message: String) -> TaskError {
    TaskError::config(code::PARAM_VALUE, message.clone()).param(ParamProblem::new(path.into(), message))
}

/// Says that two tiers are needed.
pub(super) fn two_tiers() -> TaskError {
    wrong("_command", "expected two tiers, the finer one first".to_owned())
}
