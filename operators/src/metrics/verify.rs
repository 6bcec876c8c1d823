//! `metrics.verify>`: what is archived is read back and compared with what it was made of.

use std::sync::Arc;

use engine::operator::{ParamProblem, Surroundings, TaskContext, TaskError, TaskOutcome, TypedOperator};
use engine::params::Params as EngineParams;
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
pub(crate) struct Verify {
    door: Arc<MetricsDoor>,
}

impl Verify {
    pub(crate) fn new(door: Arc<MetricsDoor>) -> Self {
        Self { door }
    }
}

/// The parameters of `metrics.verify>`.
///
/// Unknown keys are refused by the schema: serde cannot do that beside `flatten`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Params {
    /// The two tiers, the one that was written from first: `[warm, cold]`.
    #[serde(rename = "_command")]
    pub(super) command: Vec<String>,
    #[serde(flatten)]
    window: WindowParams,
    #[serde(flatten)]
    tiers: TiersParams,
}

impl TypedOperator for Verify {
    const NAME: &'static str = "metrics.verify";
    const SUMMARY: &'static str = "Reads archived windows back and compares them with the tier that they were made of.";
    const COMMAND: Option<&'static str> = Some("the two tiers, such as `[warm, cold]`");
    const DETAILS: &'static str = "\
A window's objects are read from the storage, never from memory: their bytes, their points' count, series, first and last time and \
checksum must be those of the ledger, and the store must still hold what was dumped. A roll-up's buckets must be those that the tier of \
the smaller step gives (`[cold, hourly]`). Then the window is *verified*, and only then \
`metrics.expire>` may delete it from the store.

Without `window` those are looked at that wait for it: windows that were written since, windows of which something was found wrong (that is \
kept: they stay due, and are not expired, until they are found whole or written again), windows whose partition was undone or dropped, \
roll-ups that are made of older windows than stand now, and windows of which the store has lost points since: the number of all its points \
tells. Windows that were found whole are read again with `window` only: `2024-03-01 .. now` once a week finds a disk that forgets.

Points that came to the store since are no failure: the window is late, and the next dump writes it again. Points that are missing, or \
changed without a write, are an error (exit code 3) that names the series, at most 20: 256 sums by the names' hashes say where to look. So it is with an object that still can be read. \
`metrics.dump>` and `metrics.rollup>` write damaged windows again where they can. What was found before is told again, with what leads on, \
and is an error only for who asks for it by `window`: other windows go on.

Points that a store has lost are still archived. Bring them back (`metrics.replay>`, `metrics.write>`), or run `metrics.dump>` once with that \
`window`, which takes what the store has now for all that it should hold; then the window verifies again.

The checksum is the sum over all points of `int64(xxhash64(name ‖ time ‖ value))`; the page on metric tiers has it as one SQL statement.

Each window is a line of the run's output. Stores `metrics.last_verify`: `windows`, `made` (verified now), `unchanged` (verified \
before), `late`, `not_due`, `damaged` (found before, and still so), `points`, `bytes`.

IAM actions on AWS: `s3:ListBucket`, `s3:GetObject`, `glue:GetTable`, `glue:GetPartition`, `glue:GetPartitions`; to note in the partition \
that it is verified `s3:PutObject`, `s3:DeleteObject` (the lease) and `glue:UpdatePartition`.";
    const EXAMPLE: &'static str = "\
+verify:
  metrics.verify>: [warm, cold]
";

    type Params = Params;

    fn inspect(&self, params: &EngineParams, surroundings: &Surroundings<'_>) -> Vec<ParamProblem> {
        inspect::task(Some(Work::Verify), &["_command"], params, surroundings)
    }

    async fn run(&self, context: &TaskContext, params: Params) -> Result<TaskOutcome, TaskError> {
        let paths: Vec<String> = (0..params.command.len()).map(|index| format!("_command[{index}]")).collect();
        let named: Vec<(&str, &str)> =
            paths.iter().map(String::as_str).zip(params.command.iter().map(String::as_str)).collect();
        let opened = self.door.open(context, &params.tiers, Work::Verify, &named).await?;
        let [from_name, to_name] = params.command.as_slice() else { return Err(super::params::two_tiers()) };
        let (from, to) = (tier(from_name)?, tier(to_name)?);
        let range = params.window.range(opened.now)?;
        let is_raw = opened.archive() == Some(to_name.as_str());
        let doing = Doing {
            key: "last_verify",
            done: "verified",
            archive: opened.archive(),
            table: None,
            counts_moved: false,
            says: true,
            is_asked: range.is_some(),
        };
        let Some(windows) = state::read::<Windows>(context)? else {
            opened.catch_up(context).await?;
            let mut due = opened.metrics.due_verifications(&to, range).await.map_err(task_error)?;
            if is_raw && range.is_none() {
                due.extend(opened.metrics.lacking_windows(&from, &to).await.map_err(task_error)?);
                due.sort();
                due.dedup();
            }
            return Windows::begin(opened.unit(to_name), &due).start(context, doing);
        };
        let Some(window) = windows.current()? else { return windows.end(doing) };
        let report = opened.metrics.verify(&from, &to, window, opened.now).await.map_err(task_error)?;
        windows.note(context, &report, doing)
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}
