//! `metrics.dump>`: closed windows of a store become Parquet.

use std::sync::Arc;

use engine::diagnostic::code;
use engine::operator::error::Retry;
use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
use lake::words::counted;
use metrics::{MakeOptions, Outcome, WindowCount, WindowReport};
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
pub(crate) struct Dump {
    door: Arc<MetricsDoor>,
}

impl Dump {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.dump>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The store whose windows are written.
    #[serde(rename = "_command")]
    pub(super) command: String,
    /// The `parquet` tier of the same step.
    pub(super) to: String,
    /// What becomes of a window that is archived already and to which points came since.
    #[serde(default)]
    on_late: OnLate,
    /// What becomes of an archived window that is damaged, or whose partition was dropped or undone, when the store does not hold
    /// all that was archived.
    #[serde(default)]
    on_damage: OnDamage,
    #[serde(flatten)]
    window: WindowParams,
    #[serde(flatten)]
    tiers: TiersParams,
}

/// What becomes of a window to which points came after it was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnLate {
    /// It is written again, whole, as a new version.
    #[default]
    Rewrite,
    /// The task fails, and nothing is changed.
    Fail,
}

/// What becomes of a damaged window of which the store does not hold all that was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnDamage {
    /// The task fails, and nothing is changed.
    #[default]
    Fail,
    /// It is written again from what is left: the store's points and what can be read of the objects, be it nothing; after an undo, those
    /// of the version that the catalog points to. What is given up is named.
    Replace,
}

impl TypedOperator for Dump {
    const NAME: &'static str = "metrics.dump";
    const SUMMARY: &'static str = "Writes closed windows of a store to Parquet, each as a version of its partition.";
    const COMMAND: Option<&'static str> = Some("the store whose windows are written");
    const DETAILS: &'static str = "\
A window is a partition of the `parquet` tier: a day, unless the tier says another. It is closed when its end and the lateness have \
passed; open windows are not touched, and neither are windows of which a store above still holds points (`metrics.flush>` first).

What is written is read back from the storage and compared before readers are pointed to it by one catalog call. Points that were \
expired from the store stay: they are taken over from the version that stands. Running it again publishes nothing new when nothing \
has changed; points that came late make their window due again.

A window that points were written for, and of which no store holds any by now, is not archived as an empty one: the task fails with its \
name, and later runs tell of it. `on_damage: replace` with that `window` takes it that the points are gone. Windows that the `parquet` tier \
has given up are left as they are, and each run tells how many points came to them since.

Archived objects are compared with the ledger before anything new is made of them. A window that is damaged, which `metrics.verify>` \
finds, is due again: when the store and what can be read of the objects hold all that was archived, it is written again. Else the task \
fails with the names of the objects and series, and with what is lost (exit code 3); later runs tell of the window and go on with all \
others. Put the object back from a backup and verify, or run the task once with that `window` and `on_damage: replace`, which keeps \
every series that is whole, and names what it gives up, be it all of the window. A window whose partition was dropped is damaged too. \
One that has no points in the store any more (`expired`), that was undone, or of which the store has lost points is looked at with \
`window` only; of the last, what the store has now counts from then on, and what the archive has stays.

Stores `metrics.last_dump`: `windows` (the values of their partitions), `made`, `unchanged`, `late`, `not_due`, `damaged` (those that \
were found damaged before, and still are), `given_up` (a line for each loss), `points`, `bytes`.

IAM actions on AWS: those of `athena.apas>`.";
    const EXAMPLE: &'static str = "\
+dump:
  metrics.dump>: warm
  to: cold
  window: -3d .. now
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::task(Some(Work::Dump), &["_command", "to"], params, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let named = [("_command", params.command.as_str()), ("to", params.to.as_str())];
        let opened = self.door.open(context, &params.tiers, Work::Dump, &named).await?;
        let (from, to) = (tier(&params.command)?, tier(&params.to)?);
        let range = params.window.range(opened.now)?;
        let table = opened.table(&params.to);
        let doing = Doing {
            key: "last_dump",
            done: "dumped",
            archive: opened.archive(),
            table: table.as_ref().map(|(step, table)| (step.as_str(), table.as_str())),
            counts_moved: false,
            says: false,
            is_asked: range.is_some(),
        };
        let Some(windows) = state::read::<Windows>(context)? else {
            opened.catch_up(context).await?;
            let due = opened.metrics.due_dumps(&from, &to, range, opened.now).await.map_err(task_error)?;
            let mut windows = Windows::begin(opened.unit(&params.to), &due);
            for WindowCount { window, points } in opened.metrics.came_after(range).await.map_err(task_error)? {
                let label = window.label();
                let (stay, their) = if points == 1 { ("stays", "its store") } else { ("stay", "their stores") };
                context.host.warn(&format!(
                    "{label} is not dumped: `{to}` has given up the window, and {} that came since {stay} in {their}, in no roll-up",
                    counted(points, "point")
                ));
                windows.leave(label);
            }
            return windows.start(context, doing);
        };
        let Some(window) = windows.current()? else { return windows.end(doing) };
        let on_late = match params.on_late {
            OnLate::Rewrite => metrics::OnLate::Rewrite,
            OnLate::Fail => metrics::OnLate::Leave,
        };
        let on_damage = match params.on_damage {
            OnDamage::Fail => metrics::OnDamage::Fail,
            OnDamage::Replace => metrics::OnDamage::Replace,
        };
        let options = MakeOptions { attempt: context.token("dump", 1, &window.label()), on_late, on_damage };
        let report = opened.metrics.dump(&from, &to, window, &options, opened.now).await.map_err(task_error)?;
        if report.outcome == Outcome::Late {
            return Err(late(&report));
        }
        windows.collect_at_the_end(context, &opened.lake).await;
        windows.note(context, &report, doing)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        // The work runs inside the step and ends with it; what it wrote and did not publish is given up by the next one.
        Ok(())
    }
}

/// A window that is archived has more points now, and the task was told to stop then.
fn late(report: &WindowReport) -> TaskError {
    let message =
        format!("points came to the window {} of `{}` after it was archived", report.window.label(), report.tier);
    TaskError::new(TaskErrorKind::DataQuality, Retry::Never, code::DATA_QUALITY, message)
        .param(ParamProblem::new("on_late".into(), "`on_late: fail` stops here".to_owned()))
        .help("`on_late: rewrite` writes the window again as a new version")
}
