//! `metrics.flush>`: points move from a store to the next one.

use std::sync::Arc;

use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskReport, TaskResult, TypedOperator,
};
use engine::params::Params as EngineParams;
use lake::words::counted;
use metrics::FlushRule;
use metrics::config::{Period, TierConfig};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::door::{MetricsDoor, tier};
use super::inspect;
use super::output::{path, store};
use super::params::TiersParams;
use super::route::Work;
use crate::error::task_error;

/// The operator.
#[derive(Debug)]
pub(crate) struct Flush {
    door: Arc<MetricsDoor>,
}

impl Flush {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.flush>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The store that points leave.
    #[serde(rename = "_command")]
    pub(super) command: String,
    /// The store below it that takes them.
    pub(super) to: String,
    /// Series with so many points are moved, from 1. Default: the tier's `flush`.
    #[serde(default)]
    count: Option<u64>,
    /// Series whose oldest point is older than this are moved. Default: the tier's `flush`; `0s` moves everything, as it is where
    /// neither is given anywhere.
    #[serde(default)]
    age: Option<Period>,
    #[serde(flatten)]
    tiers: TiersParams,
}

impl TypedOperator for Flush {
    const NAME: &'static str = "metrics.flush";
    const SUMMARY: &'static str =
        "Moves points from a store to the next one; deletes only what it has read and written.";
    const COMMAND: Option<&'static str> = Some("the store that points leave");
    const DETAILS: &'static str = "\
A series is moved when it has `count` points, or when its oldest point is older than `age`: both together keep the lower store's load \
flat. Where the tier's `flush` has no `age`, a series with points of a window that is due is moved too, as the window could not be dumped \
before; a `count` of the task's own moves what has so many points, and nothing else. The points are read, written below, and then deleted above, each by its time and value: a point that comes in between stays. A \
stop anywhere leaves a point in both stores at worst, and the same flush again makes it right.

Stores `metrics.last_flush`: `series` and `points` that were moved.";
    const EXAMPLE: &'static str = "\
+flush:
  metrics.flush>: hot
  to: warm
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(Some(Work::Flush), &["_command", "to"], params, surroundings);
        let is_zero = params.get("count").and_then(serde_json::Value::as_u64) == Some(0);
        problems.extend(is_zero.then(no_count));
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str()), ("to", params.to.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Flush, &named).await?;
        if params.count == Some(0) {
            return Err(TaskError::wrong_params(vec![no_count()]));
        }
        let (from, to) = (tier(&params.command)?, tier(&params.to)?);
        let of_tier = opened.config.tiers.get(&params.command).and_then(TierConfig::flush);
        // What the task says, else the tier, else all: a rule that names none moves all.
        let rule = match (params.count, params.age, of_tier) {
            (None, None, Some(tier)) => opened.metrics.with_due(tier.rule(), opened.now),
            (count, age, _) => FlushRule { count, age_ms: age.map(Period::as_millis) },
        };
        let report = opened.metrics.flush(&from, &to, rule, opened.now).await.map_err(task_error)?;
        context.host.log(&format!(
            "moved {} of {} from `{from}` to `{to}`",
            counted(report.points, "point"),
            if report.series == 1 { "1 series".to_owned() } else { format!("{} series", report.series) }
        ));
        Ok(TaskResult {
            store: store("last_flush", json!({"series": report.series, "points": report.points})),
            reset: vec![path("last_flush")],
            report: TaskReport { rows: Some(report.points), ..TaskReport::default() },
            ..TaskResult::default()
        }
        .done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        // A point is in both stores at worst.
        Ok(())
    }
}

/// Says that every series has no point at least.
fn no_count() -> ParamProblem {
    ParamProblem::new("count".into(), "expected a number from 1 for `count`, found 0".to_owned())
        .help("`age: 0s` moves everything")
}
