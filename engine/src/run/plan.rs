//! A dry run: the tasks of a workflow with their parameters evaluated; nothing runs and nothing is stored.
//!
//! What tasks would store while they run is unknown here: an expression that needs it stays as written, and is told. Tasks
//! that loops, conditions and calls would generate are planned too: these operators ([`GENERATORS`]) do nothing but generate.
//! When it is not known which tasks they would generate, their bodies are planned once, as an example of each.

use std::collections::HashMap;
use std::sync::Arc;

use super::Engine;
use super::attempt::{ActiveAttempt, Earlier};
use super::error::EngineError;
use super::submit::{AttemptRequest, find_task, keep_only, time_zone};
use super::task::{Ending, Preview, Report};
use crate::operator::TaskResult;
use crate::params::Params;
use crate::params::template::TemplateError;
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
    /// Its own parameters, evaluated; an expression that is not known yet as written.
    pub params: Params,
    /// The expressions that are not known yet.
    pub unknown: Vec<Unknown>,
    /// What would go wrong.
    pub problem: Option<Failure>,
    /// Whether the tasks below it are examples: how many there will be, if any, is not known yet.
    pub has_examples: bool,
    /// Whether it is (part of) such an example.
    pub is_example: bool,
    /// In an example of a loop's turn, the names that only a turn knows.
    pub turn_names: Vec<String>,
    /// All parameters in scope, evaluated, its own included; what cannot be evaluated is left out.
    pub scope: Params,
}

/// An expression that a plan cannot evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What stands between `${` and `}`.
    pub expression: String,
    /// Why it is not known.
    pub reason: String,
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
        let mut planned = HashMap::new();
        attempt.apply(Event::Begin, now);
        loop {
            let jobs = attempt.start(1, now);
            let Some(job) = jobs.into_iter().next() else { break };
            let id = job.task;
            let mut preview = job.preview().await;
            let subtasks = std::mem::take(&mut preview.subtasks);
            planned.insert(id, preview);
            let result = TaskResult { subtasks, ..TaskResult::default() };
            let report = Report {
                attempt: claim.attempt,
                task: id,
                retry: RetryPolicy::NONE,
                checkpointed: None,
                log_failure: None,
                ending: Ending::Done(Box::new(result)),
            };
            attempt.report(report, now);
        }
        Ok(in_tree_order(&attempt, planned))
    }
}

fn in_tree_order(attempt: &ActiveAttempt, mut planned: HashMap<TaskId, Preview>) -> Vec<PlannedTask> {
    let mut tasks = Vec::new();
    // Each task with its depth and, inside an example, the names that only a turn of it knows.
    let mut open: Vec<(TaskId, usize, Option<Vec<String>>)> = vec![(TaskId::ROOT, 0, None)];
    while let Some((id, depth, turn)) = open.pop() {
        let Some(task) = attempt.graph.get(id) else { continue };
        let preview = planned.remove(&id).unwrap_or_default();
        let below = if preview.stands_in {
            let mut names = turn.clone().unwrap_or_default();
            names.extend(names_of_a_turn(&task.def.kind));
            Some(names)
        } else {
            turn.clone()
        };
        open.extend(task.children.iter().rev().map(|child| (*child, depth + 1, below.clone())));
        let operator = match &task.def.kind {
            TaskKind::Group => None,
            TaskKind::Action { operator, .. } => Some(operator.clone()),
        };
        let is_example = turn.is_some();
        let turn_names = turn.unwrap_or_default();
        tasks.push(PlannedTask {
            name: attempt.graph.full_name(id),
            own_name: task.name.to_string(),
            depth,
            operator,
            params: preview.own,
            unknown: preview.unknown.iter().map(|error| Unknown::of(error, &turn_names)).collect(),
            // What it would generate may be too much.
            problem: preview
                .problem
                .map(|error| Failure::of(&error, &task.def))
                .or_else(|| attempt.failures.get(&id).cloned()),
            has_examples: preview.stands_in,
            is_example,
            turn_names,
            scope: preview.scope,
        });
    }
    tasks
}

/// Returns the names that a loop gives the tasks of each turn.
fn names_of_a_turn(kind: &TaskKind) -> Vec<String> {
    let TaskKind::Action { operator, params } = kind else { return Vec::new() };
    match operator.as_str() {
        "for_each" => params
            .get("_command")
            .and_then(|lists| lists.as_object())
            .map_or_else(Vec::new, |lists| lists.keys().cloned().collect()),
        "for_range" => vec!["range".to_owned()],
        "loop" => vec!["i".to_owned()],
        // Whatever else repeats a body tells it about the turn under a name of its own.
        other => other.rsplit('.').next().map(str::to_owned).into_iter().collect(),
    }
}

impl Unknown {
    /// Says why an expression is not known; `names` are those that only a turn of a loop knows.
    pub fn of(error: &TemplateError, names: &[String]) -> Self {
        let words = error.expression.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let by_turn = words.into_iter().find(|word| names.iter().any(|name| name == word));
        let reason = match by_turn {
            Some(name) => format!("each turn of the loop has a `{name}` of its own"),
            None => error.message.clone(),
        };
        Self { expression: error.expression.clone(), reason }
    }
}
