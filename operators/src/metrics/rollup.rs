//! `metrics.rollup>`: Parquet of a larger step is made of Parquet of a smaller one.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
use metrics::config::TiersConfig;
use metrics::{MakeOptions, OnDamage, OnLate, RollupSource};
use schemars::JsonSchema;
use serde::Deserialize;

use super::door::{MetricsDoor, tier};
use super::inspect;
use super::params::{TiersParams, WindowParams};
use super::route::Work;
use super::windows::{Doing, Windows};
use crate::error::task_error;
use crate::state;

/// The operator.
#[derive(Debug)]
pub(crate) struct Rollup {
    door: Arc<MetricsDoor>,
}

impl Rollup {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.rollup>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The `parquet` tier of the smaller step.
    #[serde(rename = "_command")]
    pub(super) command: String,
    /// The next `parquet` tier, of a larger step.
    pub(super) to: String,
    /// Which windows of the smaller step are taken. Default: `verified` for the tier of the points, `archived` for a roll-up,
    /// which can be made again.
    #[serde(default)]
    source: Option<Source>,
    #[serde(flatten)]
    window: WindowParams,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// Which windows of the smaller step are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// Those that `metrics.verify>` has found whole.
    Verified,
    /// All that are archived.
    Archived,
}

impl Params {
    /// Returns which windows are taken; of the tier of the points (`is_raw`) others than of a roll-up, unless it is said.
    pub(super) fn source(&self, is_raw: bool) -> RollupSource {
        match self.source {
            Some(Source::Verified) => RollupSource::Verified,
            None if is_raw => RollupSource::Verified,
            None | Some(Source::Archived) => RollupSource::Archived,
        }
    }
}

/// Tells whether a tier is that of the points, the first one of Parquet.
pub(super) fn is_raw(config: &TiersConfig, tier: &str) -> bool {
    config.tiers.iter().find(|(_, tier)| tier.as_parquet().is_some()).is_some_and(|(name, _)| name == tier)
}

impl TypedOperator for Rollup {
    const NAME: &'static str = "metrics.rollup";
    const SUMMARY: &'static str = "Makes a tier of a larger step: count, sum, min, max, first and last of each bucket.";
    const COMMAND: Option<&'static str> = Some("the `parquet` tier of the smaller step");
    const DETAILS: &'static str = "\
The columns are `name`, `ts` (the bucket's start), `count`, `sum`, `min`, `max`, `first`, `last`, `first_ts`, `last_ts`. The mean is \
`sum / count`: means of means would be wrong where counts differ, so none is kept. A bucket exists whenever a point does: sparse \
series lose nothing.

A window is always computed as a whole from all windows of the smaller step in it, and published as a new version: \
nothing is added up twice, however often it runs. It is made again when one of those has changed, when it is damaged (`metrics.verify>` finds \
that), and when its partition was dropped; but not any more when the smaller step has given up windows in it, nor when it was undone: \
then the task fails once, and later runs tell of it. Windows of the smaller \
step whose objects are damaged are not used: the task fails with their names when they are found, and later runs tell of them and go on with \
all other windows.

A value that is not a number makes the `sum` none too, and counts; `min` and `max` pass over it. Infinities are values.

Stores `metrics.last_rollup`: `windows`, `made`, `unchanged`, `late`, `not_due`, `damaged` (of the smaller step), `points` (buckets), `bytes`.

IAM actions on AWS: those of `athena.apas>`.";
    const EXAMPLE: &'static str = "\
+hourly:
  metrics.rollup>: cold
  to: hourly
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::task(Some(Work::Rollup), &["_command", "to"], params, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str()), ("to", params.to.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Rollup, &named).await?;
        let (from, to) = (tier(&params.command)?, tier(&params.to)?);
        let range = params.window.range(opened.now)?;
        let table = opened.table(&params.to);
        let doing = Doing {
            key: "last_rollup",
            done: "rolled up",
            archive: opened.archive(),
            table: table.as_ref().map(|(step, table)| (step.as_str(), table.as_str())),
            counts_moved: false,
            says: false,
            is_asked: range.is_some(),
        };
        let source = params.source(is_raw(&opened.config, &params.command));
        let Some(windows) = state::read::<Windows>(context)? else {
            opened.catch_up(context).await?;
            let due = opened.metrics.due_rollups(&from, &to, range, source).await.map_err(task_error)?;
            return Windows::begin(opened.unit(&params.to), &due).start(context, doing);
        };
        let Some(window) = windows.current()? else { return windows.end(doing) };
        let options = MakeOptions {
            attempt: context.token("rollup", 1, &window.label()),
            on_late: OnLate::Rewrite,
            on_damage: OnDamage::Fail,
        };
        let done = opened.metrics.rollup(&from, &to, window, source, &options, opened.now).await;
        let report = done.map_err(task_error)?;
        windows.collect_at_the_end(context, &opened.lake).await;
        windows.note(context, &report, doing)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        // The work runs inside the step and ends with it; what it wrote and did not publish is given up by the next one.
        Ok(())
    }
}
