//! Another writer was there first: what was written is given up, and the load writes again on what is there then.

use super::config::{OutputConfig, StagedOutput};
use super::job::{Plan, WrittenLoad};
use super::table_output;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;

/// How many other writers a load lets go first. Of those that race one wins each time, so this is how many may publish the
/// same partition at once.
pub(super) const RACES: u32 = 20;

/// Returns the plan of a load that writes again, when all that stopped it was that another writer published meanwhile.
///
/// # Errors
/// The error itself when it is another one; `Conflict` when it has happened too often.
pub(super) async fn plan_anew(lake: &Lake, plan: Plan, written: &WrittenLoad, lost: Error) -> Result<Plan> {
    // Of staged rows only the rejected lines are anybody else's to change.
    let (table, parts) = match &plan.config.out {
        OutputConfig::Table(table) => (table, written.parts.as_slice()),
        OutputConfig::Staged(StagedOutput { rejected: Some(table), .. }) => (table, &[][..]),
        OutputConfig::Staged(_) | OutputConfig::File(_) => return Err(lost),
    };
    if !matches!(lost.kind, ErrorKind::AlreadyExists | ErrorKind::Conflict) {
        return Err(lost);
    }
    table_output::abandon_unpublished(lake, table, parts, written.rejected.as_ref()).await?;
    if let Err(error) = lake.collect().await {
        tracing::warn!(%error, "what was written could not be deleted, a later collection does it");
    }
    let races = plan.races + 1;
    if races > RACES {
        let name = plan.table_name().unwrap_or_default();
        let message = format!("another writer published to table `{name}` meanwhile, {races} times in a row");
        return Err(Error::new(ErrorKind::Conflict, "publish a load", message).source(lost));
    }
    tracing::info!(error = %lost, races, "another writer was there first: the load writes again");
    Ok(Plan { races, ..plan })
}
