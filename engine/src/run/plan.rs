//! A dry run: the tasks of a workflow with their parameters evaluated; nothing runs and nothing is stored.
//!
//! What tasks would store while they run is unknown here, so a parameter that needs it comes as an error of that task alone.
//! Tasks that loops, conditions and calls would generate are planned too, as far as their parameters are known: these
//! operators ([`GENERATORS`]) do nothing but generate.

use std::sync::Arc;

use super::Engine;
use super::attempt::{ActiveAttempt, Earlier};
use super::error::EngineError;
use super::submit::{AttemptRequest, find_task, keep_only, time_zone};
use super::task::{Ending, Report};
use crate::operator::{TaskError, TaskResult};
use crate::params::Params;
use crate::session::{AttemptId, AttemptState, Event, RetryPolicy, SessionId, SessionKey, TaskGraph, TaskId};
use crate::store::{AttemptRecord, Claim, Failure};
use crate::workflow::TaskKind;

/// Operators that a plan may run: they have no effect but the tasks that they make.
pub const GENERATORS: [&str; 5] = ["call", "if", "for_each", "for_range", "loop"];

/// A task as it would run.
#[derive(Debug, Clone)]
pub struct PlannedTask {
    /// Its full name.
    pub name: String,
    /// Its own name.
    pub own_name: String,
    /// How deep it stands; 0 for the root.
    pub depth: usize,
    /// Its operator without `>`; none for a group.
    pub operator: Option<String>,
    /// Its own parameters, evaluated, or why they cannot be.
    pub params: Result<Params, Failure>,
    /// All parameters in scope, evaluated, its own included; what cannot be evaluated is left out.
    pub scope: Params,
}

impl Engine {
    /// Says what an attempt would do, as if every task succeeded. Writes nothing.
    ///
    /// # Errors
    /// When the workflow's tree cannot be used, or the task that was asked for does not exist.
    pub async fn plan(&self, request: &AttemptRequest) -> Result<Vec<PlannedTask>, EngineError> {
        let spec = &request.spec;
        let zone = time_zone(&spec.workflow.time_zone)?;
        let mut root = spec.workflow.root.clone();
        if let Some(wanted) = &spec.only {
            keep_only(&mut root, &find_task(&spec.workflow.root, &spec.workflow.name, wanted)?);
        }
        let now = self.parts.clock.now();
        let claim = Claim { attempt: AttemptId(0), session: SessionId(0), epoch: 0 };
        let record = AttemptRecord {
            id: claim.attempt,
            session: claim.session,
            number: 0,
            resumes: None,
            spec: Arc::new(spec.clone()),
            state: AttemptState::Running,
            kill_requested: false,
            created_at: now,
            finished_at: None,
            epoch: claim.epoch,
            holder: None,
        };
        let key = SessionKey {
            project: request.project.clone(),
            workflow: spec.workflow.name.clone(),
            session_time: request.session_time,
        };
        let shared = self.share(&key, &record, claim, "00000000-0000-0000-0000-000000000000", &zone);
        let graph = TaskGraph::new(root, self.parts.settings.task_limit)?;
        let mut attempt = ActiveAttempt::new(shared, record, graph, Earlier::default());
        let mut planned = Vec::new();
        attempt.apply(Event::Begin, now);
        loop {
            let jobs = attempt.start(1, now);
            let Some(job) = jobs.into_iter().next() else { break };
            let id = job.task;
            let (params, scope, subtasks) = job.preview().await;
            planned.push((id, params, scope));
            let result = TaskResult { subtasks, ..TaskResult::default() };
            let report = Report {
                attempt: claim.attempt,
                task: id,
                retry: RetryPolicy::NONE,
                checkpointed: None,
                ending: Ending::Done(Box::new(result)),
            };
            attempt.report(report, now);
        }
        Ok(in_tree_order(&attempt, planned))
    }
}

type Preview = (TaskId, Result<Params, TaskError>, Params);

fn in_tree_order(attempt: &ActiveAttempt, planned: Vec<Preview>) -> Vec<PlannedTask> {
    let mut previews: std::collections::HashMap<TaskId, _> =
        planned.into_iter().map(|(id, params, scope)| (id, (params, scope))).collect();
    let mut tasks = Vec::new();
    let mut open = vec![(TaskId::ROOT, 0)];
    while let Some((id, depth)) = open.pop() {
        let Some(task) = attempt.graph.get(id) else { continue };
        open.extend(task.children.iter().rev().map(|child| (*child, depth + 1)));
        let operator = match &task.def.kind {
            TaskKind::Group => None,
            TaskKind::Action { operator, .. } => Some(operator.clone()),
        };
        let (params, scope) = previews.remove(&id).unwrap_or_else(|| (Ok(Params::new()), Params::new()));
        tasks.push(PlannedTask {
            name: attempt.graph.full_name(id),
            own_name: task.name.to_string(),
            depth,
            operator,
            params: params.map_err(|error| Failure::of(&error, &task.def)),
            scope,
        });
    }
    tasks
}
