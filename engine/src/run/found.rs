//! What an attempt that is taken over has behind it, told to observers before anything new happens.

use super::attempt::ActiveAttempt;
use super::observer::{RunEvent, TaskRef};
use crate::session::{TaskId, TaskState};

impl ActiveAttempt {
    /// Tells of every task that is open or at its end, parents before children, in the order of the tree; once, and only when
    /// the attempt is to go on where it was.
    pub(super) fn tell_found(&mut self) {
        if !std::mem::take(&mut self.tells_found) {
            return;
        }
        let mut open = vec![TaskId::ROOT];
        while let Some(id) = open.pop() {
            let Some(task) = self.graph.get(id).filter(|task| !task.superseded) else { continue };
            open.extend(task.children.iter().rev());
            let is_open = matches!(task.state, TaskState::Planned | TaskState::GroupRetryWaiting);
            let is_told = is_open || (task.state.is_final() && task.state != TaskState::Unreached);
            if !is_told {
                continue;
            }
            let name = self.graph.full_name(id);
            self.shared.engine.observer.event(&RunEvent::TaskFound {
                task: TaskRef {
                    attempt: self.shared.claim.attempt,
                    id,
                    parent: task.parent,
                    name: &name,
                    operator: task.operator(),
                },
                bound: &task.bound,
                state: task.state,
                report: self.report_of(id),
            });
        }
    }
}
