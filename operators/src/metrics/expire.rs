//! `metrics.expire>`: verified windows are deleted from their store, and old ones from a Parquet tier.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
use metrics::config::Period;
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
pub(crate) struct Expire {
    door: Arc<MetricsDoor>,
}

impl Expire {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.expire>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The store, or the `parquet` tier.
    #[serde(rename = "_command")]
    pub(super) command: String,
    /// How long ago a window must have ended: `60d`; `0d` for every window that is verified. Default: the tier's `keep`.
    #[serde(default)]
    pub(super) older_than: Option<Period>,
    /// Which windows may be deleted. There is no other choice; it may be written so that readers know.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; only verified windows are ever deleted")]
    only_if: OnlyIf,
    #[serde(flatten)]
    window: WindowParams,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// Which windows may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnlyIf {
    /// Those that `metrics.verify>` has found whole.
    #[default]
    Verified,
}

impl TypedOperator for Expire {
    const NAME: &'static str = "metrics.expire";
    const SUMMARY: &'static str =
        "Deletes verified windows from a store, or old ones from a `parquet` tier, and nothing else.";
    const COMMAND: Option<&'static str> = Some("the store, or the `parquet` tier");
    const DETAILS: &'static str = "\
The archived objects and the store's points of a window are read again immediately before these are deleted: objects that are not what \
was written end the task (exit code 3), and nothing is deleted. The points must be those that were archived: when a point \
came or changed since, nothing is deleted and the window is due for `metrics.dump>` again. Exactly the points that were read are \
deleted, each by its time and value: one that is written in that moment stays.

Of a `parquet` tier the partitions go whose time is over; their objects are deleted by the next collection. What is deleted lives \
on in the next roll-up alone: a window goes only when no store and no tier of a smaller step holds its time any more, and a \
verified window of that roll-up is made of exactly it. Its age is that of the roll-up's window, so that all of that go together, \
and it is never made again from what is left. Points that come to such a time later stay in their store, and `metrics.dump>` says so. \
What the last tier gives up is nowhere else: its windows go after its `keep`, and no earlier `older_than` is taken.

A window that was not verified, or of which something was found wrong since, is never deleted, whatever its age.

Stores `metrics.last_expire`: `windows`, `made` (deleted now), `unchanged` (nothing was left), `late`, `not_due`, `points` (that were deleted).

IAM actions on AWS: `s3:ListBucket`, `s3:GetObject`, `glue:GetTable`, `glue:GetPartition`, `glue:GetPartitions`; to note in the partition \
that it is expired `s3:PutObject`, `s3:DeleteObject` (the lease) and `glue:UpdatePartition`; of a `parquet` tier `s3:DeleteObject` and \
`glue:DeletePartition`.";
    const EXAMPLE: &'static str = "\
+verify:
  metrics.verify>: [warm, cold]
+expire:
  metrics.expire>: warm
  older_than: 60d
  only_if: verified
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::task(Some(Work::Expire), &["_command"], params, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Expire, &named).await?;
        let store = tier(&params.command)?;
        let range = params.window.range(opened.now)?;
        let keep = opened.config.tiers.get(&params.command).map_or(Period::ZERO, metrics::config::TierConfig::keep);
        let older_than_ms = params.older_than.unwrap_or(keep).as_millis();
        let is_parquet = opened.config.tiers.get(&params.command).is_some_and(|tier| tier.as_parquet().is_some());
        let doing = Doing {
            key: "last_expire",
            done: "expired",
            archive: opened.archive(),
            table: None,
            counts_moved: true,
            says: false,
            is_asked: range.is_some(),
        };
        if is_parquet {
            let Some(windows) = state::read::<Windows>(context)? else {
                opened.catch_up(context).await?;
                let due =
                    opened.metrics.due_drops(&store, range, older_than_ms, opened.now).await.map_err(task_error)?;
                return Windows::begin(opened.unit(&params.command), &due).start(context, doing);
            };
            let Some(window) = windows.current()? else { return windows.end(doing) };
            let dropped = opened.metrics.drop_window(&store, window, older_than_ms, opened.now);
            let dropped = dropped.await.map_err(task_error)?;
            windows.collect_at_the_end(context, &opened.lake).await;
            return windows.note(context, &dropped, doing);
        }
        let Some(windows) = state::read::<Windows>(context)? else {
            opened.catch_up(context).await?;
            let due =
                opened.metrics.due_expiries(&store, range, older_than_ms, opened.now).await.map_err(task_error)?;
            return Windows::begin(opened.raw_unit(), &due).start(context, doing);
        };
        let Some(window) = windows.current()? else { return windows.end(doing) };
        let report = opened.metrics.expire(&store, window, older_than_ms, opened.now).await.map_err(task_error)?;
        windows.note(context, &report, doing)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
