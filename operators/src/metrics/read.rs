//! `metrics.read>`: a series from all tiers at once, for the tasks that follow.

use std::fmt::Write as _;
use std::path::{Component, Path};
use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::surroundings::constant;
use engine::operator::{
    ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TaskReport, TaskResult, TypedOperator,
};
use engine::params::Params as EngineParams;
use lake::words::counted;
use metrics::config::Period;
use metrics::point::value_text;
use metrics::{
    Aggregate, Gap, GivenUp, Instead, LeftOut, OnGap, ReadAnswer, ReadRequest, SeriesName, Step, TierName, TimeRange,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::door::MetricsDoor;
use super::inspect;
use super::known::refuse_unknown_series;
use super::output::{number, path, store};
use super::params::{TiersParams, wrong};
use super::route::Work;
use super::window::WrittenWindow;
use crate::error::{AtParam as _, task_error};

/// The operator.
#[derive(Debug)]
pub(crate) struct Read {
    door: Arc<MetricsDoor>,
}

impl Read {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.read>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The series.
    #[serde(rename = "_command")]
    command: String,
    /// The span of time, `a .. b`: times as `2024-03-01` or `2024-03-01T05:00:00Z` (UTC unless they say a zone), `now`, `-3h`
    /// (before now), and for the end `+1h` (after the start).
    window: String,
    /// One value for each so much time, such as `5m` or `1h`, or `raw` for the points as they are, at their own times. Default: the
    /// finest that the span makes sense with and that the tiers still hold all of it in.
    #[serde(default)]
    step: Option<ReadStep>,
    /// What is made of the points of a step; default: `avg`.
    #[serde(default)]
    aggregate: Option<What>,
    /// Leave out what tiers hold that cannot be reached, or is damaged or missing, and name it, where it would be an error.
    #[serde(default)]
    partial: bool,
    /// A CSV file of the project that takes the rows: `timestamp,value,tier`.
    #[serde(default)]
    to: Option<String>,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// The distance of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadStep {
    /// `raw`: the points as they are.
    Raw,
    /// A length of time.
    Each(Period),
}

impl ReadStep {
    fn parse(text: &str) -> Option<Self> {
        if text.trim().eq_ignore_ascii_case("raw") { Some(Self::Raw) } else { Period::parse(text).map(Self::Each) }
    }

    /// Returns the step; `raw` is that of the points.
    ///
    /// # Errors
    /// That it divides no day, for people.
    fn step(self, raw: Step) -> Result<Step, String> {
        match self {
            Self::Raw => Ok(raw),
            Self::Each(period) => step_of(period),
        }
    }
}

impl<'de> Deserialize<'de> for ReadStep {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if Period::has_months(&text) {
            let message = format_args!("expected a step, found `{text}`: months are no step, and a minute is `1m`");
            return Err(serde::de::Error::custom(message));
        }
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format_args!("expected {} or `raw`, found `{text}`", Period::EXPECTED))
        })
    }
}

impl JsonSchema for ReadStep {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ReadStep".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a length of time: `1m`, `1h`, `1d`; or `raw`",
        })
    }
}

/// What is made of the points of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Their mean.
    Avg,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are.
    Count,
    /// The first.
    First,
    /// The last.
    Last,
}

impl From<What> for Aggregate {
    fn from(what: What) -> Self {
        match what {
            What::Avg => Self::Mean,
            What::Sum => Self::Sum,
            What::Min => Self::Min,
            What::Max => Self::Max,
            What::Count => Self::Count,
            What::First => Self::First,
            What::Last => Self::Last,
        }
    }
}

impl TypedOperator for Read {
    const NAME: &'static str = "metrics.read";
    const SUMMARY: &'static str = "Reads a series from all tiers at once, for later tasks or into a CSV file.";
    const COMMAND: Option<&'static str> = Some("the series");
    const DETAILS: &'static str = "\
Each time has one owner: the upper tier until its window is archived and verified, then the archive. What moves meanwhile is seen once. \
With a step, roll-ups are used where they are made and fresh, and points elsewhere; values are of whole steps, those in which the \
window begins and ends too. A length gives one value for each so much time, that of the points as well: of several points of a minute \
`step: 1m` makes one, at the minute's start. Only `raw` gives the points as they are, and no `step` where the window is short enough.

What a tier has given up (`metrics.expire>` of a Parquet tier) lives on in a coarser one. Without `step` the finest step is chosen that \
still shows all of the window; with one that shows a part no longer, a warning and `given_up` say which, and which step does.

Points that came to a window after the archive had given it up are in no roll-up: a warning and `left_out` name them, or say that a store \
which cannot be read keeps them from being counted.

A series of which no tier has a point is an error; one without points in the window is none.

Archived objects that are damaged or missing are read from where their points are still held, and named in a warning and in `instead`: \
from the stores, while they hold all that was dumped, and of a roll-up from what it is made of. Else that is an error, or with `partial` \
a gap with its name.

Stores `metrics.last_read`: `name`, `step`, `rows`, `min`, `max`, `avg`, `first` and `last` of the rows' values (none when there is no \
row), `segments` (a list of `{from, to, tier, rows}`, from the first row to the last one), `gaps`, `instead`, `given_up` and `left_out` (lists of `{from, to, tier, why}`).

IAM actions on AWS: `glue:GetTable`, `glue:GetPartitions`, `s3:GetObject`.";
    const EXAMPLE: &'static str = "\
+read:
  metrics.read>: web-1.cpu
  window: -1d .. now
  step: 1h
+tell:
  echo>: the mean of a day is ${metrics.last_read.avg}
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        let mut problems = inspect::task(None, &[], params, surroundings);
        let known = |name: &str| params.get(name).and_then(Value::as_str).and_then(constant);
        let mut say = |name: &str, message: String| problems.push(ParamProblem::new(name.into(), message));
        if let Some(Err(error)) = known("_command").map(|text| SeriesName::new(&text)) {
            say("_command", error.message);
        }
        if let Some(ReadStep::Each(period)) = known("step").and_then(|text| ReadStep::parse(&text))
            && let Err(message) = step_of(period)
        {
            say("step", message);
        }
        if params.contains_key("aggregate")
            && known("step").and_then(|text| ReadStep::parse(&text)) == Some(ReadStep::Raw)
        {
            say("aggregate", NO_AGGREGATE.to_owned());
        }
        if let Some(Err(message)) = known("to").map(|to| refuse_outside(&to)) {
            say("to", message);
        }
        problems
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let opened = self.door.open(context, &params.tiers, Work::Look, &[]).await?;
        let window = WrittenWindow::parse(&params.window).and_then(|window| window.at(opened.now));
        let range = window.map_err(|message| wrong("window", message))?;
        let name = SeriesName::new(&params.command).map_err(task_error).at_param("_command")?;
        let raw_step = opened.metrics.tiers().raw_step();
        let step = params.step.map(|step| step.step(raw_step)).transpose();
        let aggregate = match (params.step, params.aggregate) {
            (Some(ReadStep::Raw), Some(_)) => return Err(wrong("aggregate", NO_AGGREGATE.to_owned())),
            (Some(ReadStep::Each(_)), what) => Some(what.map(Aggregate::from).unwrap_or_default()),
            (_, what) => what.map(Aggregate::from),
        };
        let request = ReadRequest {
            names: vec![name],
            range,
            step: step.map_err(|message| wrong("step", message))?,
            aggregate,
            on_gap: if params.partial { OnGap::Name } else { OnGap::Fail },
        };
        // With `partial` what the catalog knows better is left out, and named, when it cannot be reached.
        match opened.catch_up(context).await {
            Err(error) if params.partial => {
                context.host.warn(&format!("the catalog was not compared with the ledger of metrics: {error}"));
            }
            caught_up => caught_up?,
        }
        let answer = opened.metrics.read(&request, opened.now).await.map_err(task_error)?;
        for Instead { range, tier, why } in &answer.instead {
            context
                .host
                .warn(&format!("{range} of `{tier}` is damaged, and read from where its points are still held: {why}"));
        }
        for Gap { range, tier, why } in &answer.gaps {
            context.host.warn(&format!("{range} of `{tier}` is not read: {why}"));
        }
        for GivenUp { range, tier, .. } in &answer.coarser_for {
            context
                .host
                .log(&format!("{range} of `{tier}` is given up: read with the step {} in its place", answer.step));
        }
        for given_up in &answer.given_up {
            let GivenUp { range, tier, .. } = given_up;
            context.host.warn(&format!("{range} of `{tier}` is given up: {}", lives_on(given_up, STEP)));
        }
        for left_out in &answer.left_out {
            let LeftOut { range, tier, .. } = left_out;
            context.host.warn(&format!("{range} of `{tier}` is not all there is: {}", left_out_why(left_out, STEP)));
        }
        refuse_unknown_series(&opened.metrics, &answer).await.at_param("_command")?;
        if let Some(to) = &params.to {
            write(context, to, &answer).await.at_param("to")?;
        }
        Ok(done(&params.command, &answer))
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// What is wrong with an `aggregate` of points as they are.
const NO_AGGREGATE: &str =
    "expected no `aggregate` with `step: raw`, which gives the points as they are: give a length, such as `1m`";

/// The step as a workflow writes it.
const STEP: &str = "step:";

/// Says where a span that a tier has given up can be read, by which `step:` or `--step`.
pub fn lives_on(given_up: &GivenUp, step_option: &str) -> String {
    match &given_up.held_by {
        Some((tier, step)) => format!("`{step_option} {step}` reads it from `{tier}`"),
        None => "no tier holds it any more".to_owned(),
    }
}

/// Says which points are left out, and how they are read.
pub fn left_out_why(left_out: &LeftOut, step_option: &str) -> String {
    let LeftOut { tier, points, .. } = left_out;
    match points {
        Ok(points) => {
            let them = if *points == 1 { "it" } else { "them" };
            let points = counted(*points, "point");
            format!("{points} came after `{tier}` had given it up, in no roll-up: `{step_option} raw` reads {them}")
        }
        Err(why) => format!("what came after `{tier}` had given it up, in no roll-up, is not counted: {why}"),
    }
}

/// Reads a step.
///
/// # Errors
/// That it divides no day, for people.
fn step_of(period: Period) -> Result<Step, String> {
    Step::from_ms(period.as_millis()).map_err(|_| {
        format!("expected a step of whole seconds that divides a day, like `1m` or `1h`, found `{period}`")
    })
}

/// Refuses a file that is not inside the project, or is of suiro's own.
///
/// # Errors
/// Which of both, for people.
fn refuse_outside(to: &str) -> Result<(), String> {
    let is_inside = Path::new(to).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let shown = to.escape_debug();
    if !is_inside {
        return Err(format!("expected a file inside the project, found `{shown}`"));
    }
    if Path::new(to).components().any(|part| part.as_os_str().eq_ignore_ascii_case(".suiro")) {
        return Err(format!("expected a file of yours, found `{shown}`: suiro keeps its own files there"));
    }
    Ok(())
}

/// Tells whether links lead from a folder of the project, which may have to be made yet, out of it or to suiro's own files.
fn leads_out(project: &Path, folder: &Path) -> bool {
    let there = folder.ancestors().find_map(|folder| folder.canonicalize().ok());
    let (Some(there), Ok(project)) = (there, project.canonicalize()) else { return false };
    there.strip_prefix(&project).map_or(true, |below| below.starts_with(".suiro"))
}

/// Writes the rows into a file of the project: under another name first, so that nobody reads half of it.
async fn write(context: &TaskContext, to: &str, answer: &ReadAnswer) -> Result<(), TaskError> {
    refuse_outside(to).map_err(|message| wrong("to", message))?;
    let mut text = String::from("timestamp,value,tier\n");
    for row in answer.series.iter().flat_map(|series| &series.rows) {
        let tier = answer.tiers.get(row.tier).map_or("", |tier| tier.as_str());
        let _infallible = writeln!(text, "{},{},{tier}", moment(row.time_ms), value_text(row.value));
    }
    let file = context.work_dir.join(to);
    if file.parent().is_some_and(|folder| leads_out(&context.project_dir, folder)) {
        return Err(wrong(
            "to",
            format!("expected a file inside the project, found `{to}`, which a link leads out of it"),
        ));
    }
    let unfinished = file.with_extension("csv.part");
    let written = async {
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        tokio::fs::write(&unfinished, text).await?;
        tokio::fs::rename(&unfinished, &file).await
    };
    let written = written.await;
    if written.is_err() {
        // What keeps it from going is said with the error of the write.
        let _stays = tokio::fs::remove_file(&unfinished).await;
    }
    written.map_err(|error| TaskError::failed(code::STORAGE, format!("cannot write `{to}`: {error}")))
}

/// Tells what was read.
fn done(name: &str, answer: &ReadAnswer) -> TaskOutcome {
    let rows = || answer.series.iter().flat_map(|series| &series.rows);
    let values = || rows().map(|row| row.value).filter(|value| !value.is_nan());
    let n_rows = number(rows().count());
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    let mean = |sum: f64| sum / values().count() as f64;
    let tier = |index: usize| answer.tiers.get(index).map_or("", |tier| tier.as_str());
    let segments = answer.series.iter().flat_map(|series| &series.segments);
    let last_read = json!({
        "name": name,
        "step": answer.step.to_string(),
        "rows": n_rows,
        "min": figure(values().reduce(f64::min)),
        "max": figure(values().reduce(f64::max)),
        "avg": figure(values().reduce(|left, right| left + right).map(mean)),
        "first": figure(rows().next().map(|row| row.value)),
        "last": figure(rows().last().map(|row| row.value)),
        "segments": segments.map(|segment| json!({
            "from": moment(segment.range.start_ms),
            "to": moment(segment.range.end_ms - 1),
            "tier": tier(segment.tier),
            "rows": segment.rows,
        })).collect::<Vec<_>>(),
        "gaps": answer.gaps.iter().map(|Gap { range, tier, why }| span(*range, tier, why)).collect::<Vec<_>>(),
        "instead": answer.instead.iter().map(|Instead { range, tier, why }| span(*range, tier, why)).collect::<Vec<_>>(),
        "left_out": answer
            .left_out
            .iter()
            .map(|left_out| span(left_out.range, &left_out.tier, &left_out_why(left_out, STEP)))
            .collect::<Vec<_>>(),
        "given_up": answer.given_up.iter().map(|gone| span(gone.range, &gone.tier, &lives_on(gone, STEP))).collect::<Vec<_>>(),
    });
    TaskResult {
        store: store("last_read", last_read),
        reset: vec![path("last_read")],
        report: TaskReport { rows: Some(n_rows), ..TaskReport::default() },
        ..TaskResult::default()
    }
    .done()
}

/// A span of which something is to be said.
fn span(range: TimeRange, tier: &TierName, why: &str) -> Value {
    json!({"from": moment(range.start_ms), "to": moment(range.end_ms), "tier": tier.as_str(), "why": why})
}

/// A number of JSON; null for what is none there.
fn figure(value: Option<f64>) -> Value {
    value.and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

/// Writes a time.
fn moment(time_ms: i64) -> String {
    metrics::time::shown(time_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_no_file_out_of_the_project() {
        let (project, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let project = project.path();
        std::fs::create_dir_all(project.join("inside")).unwrap();
        std::fs::create_dir_all(project.join(".suiro/logs")).unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, project.join(name)).unwrap();
        link(other.path(), "out");
        link(&project.join("inside"), "in");
        link(&project.join(".suiro"), "own");
        for (folder, expected) in [
            ("", false),
            ("inside", false),
            ("in", false),
            ("new/deep", false),
            ("in/new", false),
            ("out", true),
            ("out/new/deep", true),
            ("own", true),
            ("own/logs/new", true),
        ] {
            assert_eq!(leads_out(project, &project.join(folder)), expected, "{folder}");
        }
    }
}
