//! `metrics.probe>`: how long a point takes from being written to being read.

use std::sync::Arc;
use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::surroundings::constant;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator};
use engine::params::Params as EngineParams;
use metrics::config::Period;
use metrics::{OnGap, PointBatch, Points, ReadRequest, SeriesName, SeriesPoints, TimeRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::door::{MetricsDoor, tier};
use super::inspect;
use super::output::{path, store};
use super::params::TiersParams;
use super::route::Work;
use crate::error::task_error;
use crate::state;

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The series of probes that name none.
const SERIES: &str = "suiro.probe";

/// The operator.
#[derive(Debug)]
pub(crate) struct Probe {
    door: Arc<MetricsDoor>,
}

impl Probe {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.probe>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The tier that the point is written to: a store.
    #[serde(rename = "_command")]
    command: String,
    /// The series that takes the points.
    #[serde(default = "series")]
    name: String,
    /// How long it may take until the point is read, more than no time; then the task fails.
    #[serde(default = "limit")]
    limit: Period,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// Returns the series of probes that name none.
pub(super) fn series() -> String {
    SERIES.to_owned()
}

fn limit() -> Period {
    Period::from_seconds(30)
}

/// Says that nothing is read in no time.
fn no_limit() -> ParamProblem {
    ParamProblem::new("limit".into(), "expected a length of time above 0 for `limit`, found `0s`".to_owned())
        .help("learn how many seconds are normal (`metrics.last_probe.seconds`) and allow some times that")
}

/// The point that is on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    /// Its time: when the task began.
    time_ms: i64,
    /// Its value: the seconds of that time, so that no two probes are the same.
    value: f64,
    /// Whether it was written.
    is_written: bool,
}

impl TypedOperator for Probe {
    const NAME: &'static str = "metrics.probe";
    const SUMMARY: &'static str = "Writes a point, reads until it comes back, and tells how many seconds that took.";
    const COMMAND: Option<&'static str> = Some("the tier that the point is written to");
    const DETAILS: &'static str = "\
That the whole works is proven from outside only. The point has the time of the clock, not that of the session, and is read as \
`suiro metrics read` does, from all tiers at once. Learn what is normal before you set a limit.

Stores `metrics.last_probe`: `seconds`, `name`, `timestamp`. `metrics.put>` writes the seconds as a series of their own.";
    const EXAMPLE: &'static str = "\
+probe:
  metrics.probe>: hot
  limit: 10s
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(Some(Work::Write), &["_command"], params, surroundings);
        let limit = params.get("limit").and_then(serde_json::Value::as_str).and_then(constant);
        let is_zero = limit.and_then(|text| Period::parse(&text)) == Some(Period::ZERO);
        problems.extend(is_zero.then(no_limit));
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Write, &named).await?;
        if params.limit == Period::ZERO {
            return Err(TaskError::wrong_params(vec![no_limit()]));
        }
        let name = SeriesName::new(&params.name).map_err(task_error)?;
        let mut progress = if let Some(progress) = state::read::<Progress>(context)? {
            progress
        } else {
            let now = context.clock.now();
            let time_ms = now.as_millisecond();
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact up to 2^53")]
            let progress = Progress { time_ms, value: now.as_second() as f64, is_written: false };
            state::write(context, &progress).await?;
            progress
        };
        if !progress.is_written {
            let points = Points::of_sorted(vec![progress.time_ms], vec![progress.value]).map_err(task_error)?;
            let batch = PointBatch::new(vec![SeriesPoints { name: name.clone(), points }]).map_err(task_error)?;
            opened.write(context, &tier(&params.command)?, &batch).await?;
            progress.is_written = true;
        }
        let range = TimeRange::new(progress.time_ms, progress.time_ms + 1);
        let request = ReadRequest {
            names: vec![name],
            range,
            step: Some(opened.metrics.tiers().raw_step()),
            aggregate: None,
            on_gap: OnGap::Fail,
        };
        let answer = opened.metrics.read(&request, context.clock.now()).await.map_err(task_error)?;
        let elapsed_ms = context.clock.now().as_millisecond().saturating_sub(progress.time_ms).max(0);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a wait are exact up to 2^53")]
        let seconds = elapsed_ms as f64 / 1_000.0;
        let is_back = answer.series.iter().flat_map(|series| &series.rows).any(|row| row.time_ms == progress.time_ms);
        if is_back {
            context.host.log(&format!("the point of `{}` was read after {seconds} s", params.name));
            let last_probe = json!({
                "seconds": seconds,
                "name": params.name,
                "timestamp": jiff::Timestamp::from_millisecond(progress.time_ms).map_or_else(|_| String::new(), |time| time.to_string()),
            });
            return Ok(TaskResult {
                store: store("last_probe", last_probe),
                reset: vec![path("last_probe")],
                ..TaskResult::default()
            }
            .done());
        }
        if elapsed_ms >= params.limit.as_millis() {
            let message =
                format!("a point that was written to `{}` is not read after {}", params.command, params.limit);
            return Err(TaskError::failed(code::POINT_LATE, message)
                .param(ParamProblem::new("limit".into(), format!("the limit is {}", params.limit))));
        }
        state::wait(&progress, PAUSE)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
