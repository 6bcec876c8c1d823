//! What is said of a query whose process goes away before it has ended.

use engine::operator::TaskContext;
use lake::Lake;
use lake::query::{Left, QueryId};

/// Leaves a query to the next process, and tells what becomes of it: it may cost money.
pub(super) async fn leave(lake: &Lake, context: &TaskContext, query: &QueryId) {
    let id = &query.0;
    let said = match lake.engine.leave(query).await {
        Left::Ends => return,
        Left::GoesOn { stopped_by } => format!(
            "the query {id} goes on and is paid for once: the next run takes up where it is then. To stop it: {stopped_by}"
        ),
        Left::Stopped => format!("the query {id} was stopped, the next run begins it anew"),
        Left::Unsure(why) => {
            format!("the query {id} was told to stop and may still run, the next run stops it first: {why}")
        }
    };
    context.host.warn(&said);
}
