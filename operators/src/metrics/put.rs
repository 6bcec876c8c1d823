//! `metrics.put>`: figures of the engine and of the tiers become series of their own.

use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskReport, TaskResult,
    TypedOperator,
};
use engine::params::Params as EngineParams;
use indexmap::IndexMap;
use jiff::Timestamp;
use metrics::{PointBatch, Points, SeriesName, SeriesPoints, WindowCount, WindowStatus};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::door::{MetricsDoor, Opened, tier};
use super::inspect;
use super::output::{number, path, store};
use super::params::{TiersParams, wrong};
use super::route::Work;
use crate::error::task_error;

/// How many windows before the last one say what is usual.
const USUAL_WINDOWS: usize = 7;

/// The figures that each task writes.
const FIGURES: [&str; 5] =
    ["tasks_finished", "slot_utilisation", "windows_due", "oldest_due_seconds", "points_per_minute"];

/// The operator.
#[derive(Debug)]
pub(crate) struct Put {
    door: Arc<MetricsDoor>,
}

impl Put {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.put>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The tier that takes the points: a store.
    #[serde(rename = "_command")]
    command: String,
    /// What the names of the series begin with.
    #[serde(default = "prefix")]
    prefix: String,
    /// Further figures by the rest of their names: `{probe_seconds: "${metrics.last_probe.seconds}"}`.
    #[serde(default)]
    values: IndexMap<String, f64>,
    /// Fails (exit code 3) when the last window that ended (its end and `lateness` have passed) has so much fewer points a minute
    /// than the seven before it that have any: `50%`. Points count wherever they are, in stores or archived; those of the series that suiro writes itself do not. As a `_check` of what
    /// brings the points, it says that something upstream has gone silent.
    #[serde(default)]
    drop: Option<String>,
    #[serde(flatten)]
    tiers: TiersParams,
}

fn prefix() -> String {
    "suiro".to_owned()
}

/// Figures of the windows.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Flow {
    /// Windows that wait for their dump or their verification.
    due: u64,
    /// How long ago the oldest of them ended, in seconds.
    oldest_due_seconds: f64,
    /// Points a minute in the last window that has ended.
    points_per_minute: Option<f64>,
    /// The mean of that in the windows before it.
    usual: Option<f64>,
}

impl TypedOperator for Put {
    const NAME: &'static str = "metrics.put";
    const SUMMARY: &'static str = "Writes figures of the engine and of the tiers as series of their own.";
    const COMMAND: Option<&'static str> = Some("the tier that takes the points");
    const DETAILS: &'static str = "\
| series | what it is |
|---|---|
| `suiro.tasks_finished` | tasks that came to an end since this process began |
| `suiro.slot_utilisation` | the share of the slots for tasks (`--max-tasks`) that was used, from 0 to 1; above 0.7 there should be more |
| `suiro.windows_due` | windows of Parquet tiers that wait for their dump or their verification |
| `suiro.oldest_due_seconds` | how long ago the oldest of them ended; it rises when something is stuck |
| `suiro.points_per_minute` | of the last window of points that has ended, with its lateness; 0 when nothing came in it but series of suiro's own: these, and that of `metrics.probe>` by its usual name |

and one for each entry of `values`. The time of the points is that of the clock.

Stores `metrics.last_put`: all figures by the rest of their names.

IAM actions on AWS: `glue:GetTable`, `glue:GetPartitions`, `s3:GetObject`.";
    const EXAMPLE: &'static str = "\
+replay:
  metrics.replay>: data
  to: hot
  _check:
    metrics.put>: hot
    drop: 50%
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(Some(Work::Write), &["_command"], params, surroundings);
        let drop = params.get("drop").and_then(Value::as_str).and_then(engine::operator::surroundings::constant);
        if let Some(message) = drop.and_then(|text| share(&text).err()) {
            problems.push(ParamProblem::new("drop".into(), message));
        }
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Write, &named).await?;
        let drop = params.drop.as_deref().map(share).transpose().map_err(|message| wrong("drop", message))?;
        opened.catch_up(context).await?;
        let flow = flow(&opened, &own_series(&params)?).await?;
        let figures = figures(context, &params, flow);
        let time_ms = context.clock.now().as_millisecond();
        let series = figures.iter().map(|(name, value)| {
            let name = SeriesName::new(&format!("{}.{name}", params.prefix)).map_err(task_error)?;
            let points = Points::of_sorted(vec![time_ms], vec![*value]).map_err(task_error)?;
            Ok(SeriesPoints { name, points })
        });
        let batch = PointBatch::new(series.collect::<Result<Vec<_>, TaskError>>()?).map_err(task_error)?;
        opened.write(context, &tier(&params.command)?, &batch).await?;
        for (name, value) in &figures {
            context.host.log(&format!("{}.{name} {value}", params.prefix));
        }
        if let (Some(drop), Some(now), Some(usual)) = (drop, flow.points_per_minute, flow.usual)
            && now < usual * (1.0 - drop)
        {
            return Err(dropped(now, usual, params.drop.as_deref().unwrap_or_default()));
        }
        let last_put: IndexMap<&str, f64> = figures.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        Ok(TaskResult {
            store: store("last_put", json!(last_put)),
            reset: vec![path("last_put")],
            report: TaskReport { rows: Some(number(figures.len())), ..TaskReport::default() },
            ..TaskResult::default()
        }
        .done())
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Collects all figures.
#[expect(clippy::cast_precision_loss, reason = "counts as values of points")]
fn figures(context: &TaskContext, params: &Params, flow: Flow) -> Vec<(String, f64)> {
    let engine = context.host.figures();
    let mut figures = vec![
        ("tasks_finished".to_owned(), engine.tasks_finished as f64),
        ("slot_utilisation".to_owned(), engine.slot_utilisation()),
        ("windows_due".to_owned(), flow.due as f64),
        ("oldest_due_seconds".to_owned(), flow.oldest_due_seconds),
    ];
    figures.extend(flow.points_per_minute.map(|value| ("points_per_minute".to_owned(), value)));
    figures.extend(params.values.iter().map(|(name, value)| (name.clone(), *value)));
    figures
}

/// Lists the series that come whether anything else does: those that this task writes, those of others that leave the beginning of
/// the names as it is, and that of `metrics.probe>`.
fn own_series(params: &Params) -> Result<Vec<SeriesName>, TaskError> {
    let mut names: Vec<String> = [params.prefix.as_str(), &prefix()]
        .iter()
        .flat_map(|prefix| FIGURES.map(|figure| format!("{prefix}.{figure}")))
        .chain(params.values.keys().map(|value| format!("{}.{value}", params.prefix)))
        .chain([super::probe::series()])
        .collect();
    names.sort();
    names.dedup();
    names.iter().map(|name| SeriesName::new(name).map_err(task_error)).collect()
}

/// Looks at the windows.
async fn flow(opened: &Opened, own: &[SeriesName]) -> Result<Flow, TaskError> {
    let status = opened.metrics.status(opened.now).await.map_err(task_error)?;
    let counts = opened.metrics.flow(USUAL_WINDOWS, own, opened.now).await.map_err(task_error)?;
    Ok(measure(&status, &counts, opened.now))
}

/// Measures windows; `counts` are those of points, by time: the last that ended, and those before it.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn measure(all: &[WindowStatus], counts: &[WindowCount], now: Timestamp) -> Flow {
    let due = all.iter().filter(|status| status.is_due);
    let oldest_ms = due.clone().map(|status| status.window.range().end_ms).min();
    let age_ms = oldest_ms.map_or(0, |end_ms| now.as_millisecond().saturating_sub(end_ms).max(0));
    let rate = |count: &WindowCount| {
        let range = count.window.range();
        count.points as f64 / ((range.end_ms - range.start_ms) as f64 / 60_000.0)
    };
    let (last, before) = counts.split_last().map_or((None, [].as_slice()), |(last, before)| (Some(last), before));
    let usual = (!before.is_empty()).then(|| before.iter().map(rate).sum::<f64>() / before.len() as f64);
    Flow {
        due: number(due.count()),
        oldest_due_seconds: age_ms as f64 / 1_000.0,
        points_per_minute: last.map(rate),
        usual,
    }
}

/// Reads a share: `50%`.
fn share(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match number.filter(|number| (0.0..100.0).contains(number) && *number > 0.0) {
        Some(number) => Ok(number / 100.0),
        None => Err(format!(
            "expected a share between 0% and 100% such as `50%` for `drop`, found `{}`",
            text.escape_debug()
        )),
    }
}

/// Writes a rate with the digits that people read.
fn short(rate: f64) -> String {
    if rate == 0.0 {
        "0".to_owned()
    } else if rate >= 10.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.4}")
    }
}

/// Fewer points came than usual.
fn dropped(now: f64, usual: f64, drop: &str) -> TaskError {
    let message =
        format!("expected about {} points a minute as in the windows before, found {}", short(usual), short(now));
    TaskError::new(TaskErrorKind::DataQuality, Retry::Never, code::DATA_QUALITY, message)
        .param(ParamProblem::new("drop".into(), format!("that is more than {drop} fewer")))
        .help("something that sends points may have gone silent")
}
