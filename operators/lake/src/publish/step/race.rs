//! Another writer was there first: the publish is planned anew on what is there then.

use super::describe;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::publish::request::{Plan, PublishRequest, PublishState, Step, Written};
use crate::query::QueryStats;

/// How many other writers a publish lets go first. Of those that race one wins each time, so this is how many may publish the
/// same partition at once.
pub const RACES: u32 = 20;

impl Lake {
    /// Plans anew when the last step found that the table or partition is not as it was planned on. What the save mode says
    /// of what is there now counts: it is replaced, left, or an error. The version of the step was given up.
    pub(super) async fn or_plan_anew(
        &self,
        request: &PublishRequest,
        written: &Written,
        step: Result<Step>,
    ) -> Result<Step> {
        let plan = &written.submitted.probed.plan;
        let lost = match step {
            Err(error) if matches!(error.kind, ErrorKind::AlreadyExists | ErrorKind::Conflict) => error,
            step => return step,
        };
        let races = plan.races + 1;
        if races > RACES {
            let what = describe(request.target.table(), None, plan.values.as_deref());
            let message = format!("another writer published {what} meanwhile, {races} times in a row");
            return Err(Error::new(ErrorKind::Conflict, "publish a version", message).source(lost));
        }
        tracing::info!(error = %lost, races, "another writer was there first: the publish begins anew");
        match self.plan_publish(request).await? {
            Step::Next(PublishState::Planned(anew)) => {
                // So many partitions need batches again.
                let in_batches = plan.in_batches;
                // It may be planned in the same second, which is all of the time that a version's name has.
                let generation = plan.generation + 1;
                let spent = Box::new(QueryStats::default().and_cost_of(&written.stats));
                let anew = Plan { generation, races, spent, in_batches, ..anew };
                Ok(Step::Next(PublishState::Planned(anew)))
            }
            step => Ok(step),
        }
    }
}
