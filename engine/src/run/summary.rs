//! How an attempt ended: every task with its state, duration, figures and error, for the tree and the JSON stream.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Engine, EngineError};
use crate::diagnostic::code;
use crate::operator::TaskReport;
use crate::session::{AttemptId, AttemptState, Role, TaskId, TaskState};
use crate::store::record::FailureKind;
use crate::store::{Failure, StoreError};

/// How an attempt stands.
#[derive(Debug, Clone, Serialize)]
pub struct RunSummary {
    /// Which.
    pub attempt: AttemptId,
    /// 1 for the first of its session.
    pub number: u32,
    /// The workflow's name.
    pub workflow: String,
    /// How it ended, or `running`.
    pub state: AttemptState,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The living tasks, parents before children, in the order of the file.
    pub tasks: Vec<TaskSummary>,
}

/// How a task stands.
#[derive(Debug, Clone, Serialize)]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// Its full name.
    pub name: String,
    /// Its own name.
    pub own_name: Arc<str>,
    /// How deep it stands; 0 for the root.
    pub depth: usize,
    /// Its operator without `>`; none for a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// How it ended.
    pub state: TaskState,
    /// Whether nothing was done, because it succeeded in an earlier attempt.
    pub skipped: bool,
    /// How often it was tried again.
    pub retry_count: u32,
    /// From its first start to its end; none when it has not started or not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<TaskReport>>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
    /// Its log, when it wrote one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<Path>>,
}

/// What the exit code of a command tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitClass {
    /// 0.
    Success,
    /// 1: a task failed, or was killed.
    TaskFailed,
    /// 2: every failure is one of the workflow, its configuration, or the machine (a full disk, no access).
    Config,
    /// 3: every failure is one of the data.
    DataQuality,
    /// 130: the attempt is not at its end.
    Interrupted,
}

impl ExitClass {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::TaskFailed => 1,
            Self::Config => 2,
            Self::DataQuality => 3,
            Self::Interrupted => 130,
        }
    }
}

impl RunSummary {
    /// Returns the class of the attempt's end.
    pub fn exit_class(&self) -> ExitClass {
        match self.state {
            AttemptState::Success => return ExitClass::Success,
            AttemptState::Running => return ExitClass::Interrupted,
            AttemptState::Canceled => return ExitClass::TaskFailed,
            AttemptState::Failed => {}
        }
        let all = |kind: FailureKind| {
            let mut kinds =
                self.failed().filter_map(|task| task.failure.as_ref()).map(|failure| failure.kind).peekable();
            kinds.peek().is_some() && kinds.all(|found| found == kind)
        };
        // The disk is full, or access is refused: nothing to do here until whoever runs this has mended it.
        let mut failures = self.failed().filter_map(|task| task.failure.as_ref()).peekable();
        let machine = [code::RESOURCES.0, code::PERMISSION.0];
        if failures.peek().is_some() && failures.all(|failure| machine.contains(&failure.code.as_str())) {
            return ExitClass::Config;
        }
        if all(FailureKind::DataQuality) {
            ExitClass::DataQuality
        } else if all(FailureKind::Config) {
            ExitClass::Config
        } else {
            ExitClass::TaskFailed
        }
    }

    /// Returns the tasks that failed by themselves, not through their children.
    pub fn failed(&self) -> impl Iterator<Item = &TaskSummary> {
        self.tasks.iter().filter(|task| task.state.is_failure() && task.failure.is_some())
    }
}

impl Engine {
    /// Reads how an attempt stands.
    ///
    /// # Errors
    /// When the store cannot be read or has no such attempt.
    pub async fn summary(&self, attempt: AttemptId) -> Result<RunSummary, EngineError> {
        let missing =
            || StoreError::Corrupt { what: "attempt".to_owned(), message: format!("there is no attempt {attempt}") };
        let record = self.parts.store.attempt(attempt).await?.ok_or_else(missing)?;
        let mut records = self.parts.store.tasks(attempt).await?;
        let with_logs: BTreeSet<TaskId> = self.parts.logs.tasks(attempt).unwrap_or_default();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); records.len()];
        for (index, record) in records.iter().enumerate() {
            let parent = record.task.parent.filter(|_| !record.task.progress.superseded);
            if let Some(siblings) = parent.and_then(|parent| children.get_mut(parent.0 as usize)) {
                siblings.push(index);
            }
        }
        let mut tasks = Vec::with_capacity(records.len());
        let mut open = vec![(0_usize, 0_usize, Arc::<str>::default())];
        while let Some((index, depth, parent)) = open.pop() {
            let name = match records.get(index) {
                Some(record) => format!("{parent}{}", record.task.name),
                None => continue,
            };
            // Handlers come last among the children, whenever they were made.
            let mut order = children.get_mut(index).map(std::mem::take).unwrap_or_default();
            order.sort_by_key(|child| records.get(*child).map(|child| (is_handler(child.task.role), child.task.id)));
            if !order.is_empty() {
                let parent = Arc::<str>::from(name.as_str());
                open.extend(order.into_iter().rev().map(|child| (child, depth + 1, Arc::clone(&parent))));
            }
            let Some(record) = records.get_mut(index) else { continue };
            let (task, progress) = (&record.task, &record.task.progress);
            let elapsed = record.started_at.zip(record.finished_at).map(|(start, end)| end.duration_since(start));
            let report = record.result.take().map(|result| result.report);
            tasks.push(TaskSummary {
                id: task.id,
                own_name: Arc::clone(&task.name),
                depth,
                operator: match &task.def.kind {
                    crate::workflow::TaskKind::Group => None,
                    crate::workflow::TaskKind::Action { operator, .. } => Some(operator.clone()),
                },
                state: progress.state,
                skipped: progress.skipped,
                retry_count: progress.retry_count,
                duration: elapsed.and_then(|elapsed| Duration::try_from(elapsed).ok()),
                report: report.filter(|report| *report != TaskReport::default()).map(Box::new),
                failure: record.failure.take().filter(|_| progress.state != TaskState::Success),
                log: with_logs
                    .contains(&task.id)
                    .then(|| self.parts.logs.path(attempt, task.id, &name).into_boxed_path()),
                name,
            });
        }
        Ok(RunSummary {
            attempt,
            number: record.number,
            workflow: record.spec.workflow.name.clone(),
            state: record.state,
            created_at: record.created_at,
            finished_at: record.finished_at,
            tasks,
        })
    }
}

fn is_handler(role: Role) -> bool {
    matches!(role, Role::Check | Role::Error)
}
