//! What is said of windows that were taken from the catalog, as the ledger of metrics lacked them or lagged behind.

use engine::operator::{TaskContext, TaskError};
use metrics::{TakenIn, Window};

use super::door::Opened;
use crate::error::task_error;

/// How many windows are named.
const NAMED: usize = 5;

impl Opened {
    /// Takes into the ledger what the catalog knows better, and says so.
    pub(super) async fn catch_up(&self, context: &TaskContext) -> Result<(), TaskError> {
        for taken in self.metrics.catch_up().await.map_err(task_error)? {
            context.host.warn(&taken_in(&taken));
        }
        Ok(())
    }
}

/// Says which windows were taken in.
pub fn taken_in(taken: &TakenIn) -> String {
    let mut labels: Vec<String> = taken.windows.iter().take(NAMED).map(Window::label).collect();
    if taken.windows.len() > NAMED {
        labels.push(format!("{} more", taken.windows.len() - NAMED));
    }
    format!(
        "the ledger of metrics was older than the catalog: what that knows of `{}` {} was taken in",
        taken.tier,
        labels.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use metrics::{PartitionUnit, TierName};

    use super::*;

    #[test]
    fn of_many_windows_the_first_ones_are_named() {
        let days = |count: i64| (0..count).map(|day| Window::of(PartitionUnit::Day, day * 86_400_000)).collect();
        let told = |count| taken_in(&TakenIn { tier: TierName::new("cold").unwrap(), windows: days(count) });
        let start = "the ledger of metrics was older than the catalog: what that knows of `cold`";
        assert_eq!(told(1), format!("{start} 1970-01-01 was taken in"));
        let all = "1970-01-01, 1970-01-02, 1970-01-03, 1970-01-04, 1970-01-05, 2 more";
        assert_eq!(told(7), format!("{start} {all} was taken in"));
    }
}
