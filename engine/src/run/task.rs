//! One step of one task: evaluate its parameters, call its operator, say how that ended.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::leftover;
use super::plan::GENERATORS;
use super::shared::AttemptShared;
use crate::diagnostic::{code, suggest};
use crate::operator::context::LazyScope;
use crate::operator::error::Retry;
use crate::operator::{
    Exports, Operator, ParamProblem, TaskContext, TaskError, TaskErrorKind, TaskOutcome, TaskResult,
};
use crate::params::scope::{Layer, Scope};
use crate::params::template::TemplateError;
use crate::params::{ParamPath, Params, TaskParams, builtin};
use crate::secret::Secrets;
use crate::session::graph::TaskRoom;
use crate::session::{AttemptId, RetryPolicy, TaskId};
use crate::workflow::{TaskDef, TaskKind};

/// What to do with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// The next step.
    Run,
    /// Stop what its operator remembers: the attempt is killed.
    Cancel,
    /// Leave what its operator remembers to the next holder: the process was told to stop.
    Leave,
}

/// A step to be done, with all it needs.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) shared: Arc<AttemptShared>,
    pub(super) task: TaskId,
    pub(super) parent: Option<TaskId>,
    pub(super) name: Arc<str>,
    /// See [`TaskContext::lasting_name`].
    pub(super) lasting_name: Arc<str>,
    pub(super) def: Arc<TaskDef>,
    pub(super) room: TaskRoom,
    pub(super) retry_count: u32,
    pub(super) state: Value,
    pub(super) scope: Vec<Layer>,
    pub(super) token: CancellationToken,
    pub(super) work: Work,
}

/// How a step ended.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) attempt: AttemptId,
    pub(super) task: TaskId,
    /// The task's `_retry`, evaluated.
    pub(super) retry: RetryPolicy,
    /// What the operator stored while it ran, last.
    pub(super) checkpointed: Option<Value>,
    /// Why its log is not whole, if it is not.
    pub(super) log_failure: Option<String>,
    pub(super) ending: Ending,
}

/// What a step would do.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// The task's own parameters; expressions that cannot be evaluated yet as written.
    pub(super) own: Params,
    /// Why some cannot.
    pub(super) unknown: Vec<TemplateError>,
    /// All parameters in scope that can be evaluated.
    pub(super) scope: Params,
    /// What it would generate.
    pub(super) subtasks: Vec<TaskDef>,
    /// Whether these stand in for tasks that are not known yet.
    pub(super) stands_in: bool,
    /// What would go wrong.
    pub(super) problem: Option<TaskError>,
}

/// How a step ended.
#[derive(Debug)]
pub(super) enum Ending {
    Done(Box<TaskResult>),
    Waits {
        state: Value,
        after: Duration,
    },
    Failed(Box<TaskError>),
    Stopped,
    /// The task stands as it stood.
    Left,
}

/// All that a call of an operator needs.
struct Prepared {
    operator: Arc<dyn Operator>,
    context: TaskContext,
    host: Arc<Host>,
}

impl Job {
    /// Does the step. Never panics: an operator that does has failed.
    pub(super) async fn execute(self) -> Report {
        let attempt = self.shared.claim.attempt;
        let (task, is_leaving) = (self.task, self.work == Work::Leave);
        let engine = Arc::clone(&self.shared.engine);
        let from = engine.clock.now();
        let secrets = self.shared.engine.settings.secrets.clone();
        let checkpointed = Arc::new(Mutex::new(None));
        let mut log_failure = None;
        let step = AssertUnwindSafe(self.step(Arc::clone(&checkpointed), &mut log_failure)).catch_unwind();
        let (retry, ending) = step.await.unwrap_or_else(|panic| {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            let message = format!("the operator panicked: {}", text.unwrap_or("no message"));
            let error = TaskError::new(TaskErrorKind::Failed, Retry::Never, code::OPERATOR_PANICKED, message);
            let error = error.help("this is a defect of suiro or of the operator; please report it");
            let ending = if is_leaving { Ending::Left } else { Ending::Failed(Box::new(error)) };
            (RetryPolicy::NONE, ending)
        });
        let ending = redacted(ending, &secrets);
        let checkpointed = checkpointed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_end = matches!(ending, Ending::Done(_) | Ending::Failed(_));
        engine.counters.note(from, engine.clock.now(), is_end);
        Report { attempt, task, retry, checkpointed, log_failure, ending }
    }

    async fn step(
        self,
        checkpointed: Arc<Mutex<Option<Value>>>,
        log_failure: &mut Option<String>,
    ) -> (RetryPolicy, Ending) {
        let mut retry = RetryPolicy::NONE;
        if self.work == Work::Leave {
            self.leave(checkpointed).await;
            return (retry, Ending::Left);
        }
        match self.try_step(checkpointed, &mut retry, log_failure).await {
            Ok(ending) => (retry, ending),
            Err(error) => (retry, Ending::Failed(Box::new(error))),
        }
    }

    async fn try_step(
        self,
        checkpointed: Arc<Mutex<Option<Value>>>,
        retry: &mut RetryPolicy,
        log_failure: &mut Option<String>,
    ) -> Result<Ending, TaskError> {
        let TaskKind::Action { operator, params: own } = &self.def.kind else {
            return Ok(Ending::Done(Box::default()));
        };
        let params = Arc::new(self.params(own));
        if let Some(written) = &self.def.retry {
            *retry = evaluate_retry(&params, written)?;
        }
        let Prepared { operator, mut context, host } = self.prepare(&params, operator, checkpointed)?;
        let ending = match self.work {
            Work::Cancel => cancel(&*operator, &context, &host).await,
            Work::Leave => Ending::Left,
            Work::Run => {
                let own = params.own()?;
                let outcome = self.run(&*operator, &context, own).await;
                match outcome {
                    Ok(TaskOutcome::Done(result)) => Ending::Done(result),
                    Ok(TaskOutcome::Wait { state, after }) => Ending::Waits { state, after },
                    Err(error) if self.token.is_cancelled() && error.kind == TaskErrorKind::Canceled => {
                        if self.shared.is_killed() {
                            context.state = host.latest_state().unwrap_or(self.state);
                            cancel(&*operator, &context, &host).await
                        } else {
                            Ending::Stopped
                        }
                    }
                    Err(error) => {
                        host.log_failure(&error);
                        Ending::Failed(Box::new(error))
                    }
                }
            }
        };
        *log_failure = host.log_failure_text();
        leftover::remove(&self.shared.engine, &context.temp_dir).await;
        Ok(ending)
    }

    /// Lets the operator leave its work to the next holder. What goes wrong is told, and changes nothing.
    async fn leave(&self, checkpointed: Arc<Mutex<Option<Value>>>) {
        let TaskKind::Action { operator, params: own } = &self.def.kind else { return };
        let params = Arc::new(self.params(own));
        let Ok(Prepared { operator, context, .. }) = self.prepare(&params, operator, checkpointed) else { return };
        let grace = self.shared.engine.settings.leave_grace;
        match tokio::time::timeout(grace, operator.leave(&context)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => context.host.warn(&error.message.replace('\n', "; ")),
            Err(_) => context.host.warn("what it started elsewhere did not answer in time, and may go on"),
        }
        leftover::remove(&self.shared.engine, &context.temp_dir).await;
    }

    /// Finds the operator and makes the context it is called with.
    fn prepare(
        &self,
        params: &Arc<TaskParams>,
        operator: &str,
        checkpointed: Arc<Mutex<Option<Value>>>,
    ) -> Result<Prepared, TaskError> {
        let operator = self.operator(params, operator)?;
        let work_dir = self.work_dir(params)?;
        let host = Arc::new(Host {
            shared: Arc::clone(&self.shared),
            task: self.task,
            parent: self.parent,
            name: Arc::clone(&self.name),
            def: Arc::clone(&self.def),
            operator: operator.info().name,
            params: Arc::clone(params),
            work_dir: work_dir.clone(),
            log: self.shared.engine.logs.open(self.shared.claim.attempt, self.task, &self.name),
            checkpointed,
        });
        let context = TaskContext {
            attempt_id: self.shared.claim.attempt.0,
            task_name: self.name.to_string(),
            lasting_name: self.lasting_name.to_string(),
            epoch: self.shared.claim.epoch,
            retry_count: self.retry_count,
            session_time: self.shared.session_time.clone(),
            attempt_time: self.shared.attempt_time,
            state: self.state.clone(),
            scope: LazyScope::of(Arc::clone(params)),
            project_dir: self.shared.engine.settings.project_dir.clone(),
            work_dir,
            temp_dir: leftover::temp_dir(&self.shared.engine, self.shared.claim.attempt, self.task),
            secrets: self.shared.engine.settings.secrets.clone(),
            clock: Arc::clone(&self.shared.engine.clock),
            crash_points: self.shared.engine.settings.crash_points.clone(),
            process_groups: self.shared.engine.settings.process_groups.clone(),
            room: self.room,
            cancellation: self.token.clone(),
            host: Arc::clone(&host) as Arc<dyn crate::operator::context::TaskHost>,
        };
        Ok(Prepared { operator, context, host })
    }

    /// Evaluates the parameters as far as they are known, and runs nothing but operators that only generate tasks.
    ///
    /// Where it is not known which tasks an operator would generate, its bodies stand in for them, once each.
    pub(super) async fn preview(self) -> Preview {
        let TaskKind::Action { operator, params: own } = &self.def.kind else { return Preview::default() };
        let params = Arc::new(self.params(own));
        let (own, unknown) = params.own_known();
        let mut preview = Preview { own, unknown, scope: params.everything().0, ..Preview::default() };
        if let Err(error) = self.try_preview(&params, operator, &mut preview).await {
            preview.problem = Some(error);
        }
        preview
    }

    async fn try_preview(
        &self,
        params: &Arc<TaskParams>,
        operator: &str,
        preview: &mut Preview,
    ) -> Result<(), TaskError> {
        let Prepared { operator, context, .. } = self.prepare(params, operator, Arc::default())?;
        let is_generator = GENERATORS.contains(&operator.info().name);
        if is_generator && preview.unknown.is_empty() {
            if let TaskOutcome::Done(result) = operator.run(&context, preview.own.clone()).await? {
                preview.subtasks = result.subtasks;
            }
            return Ok(());
        }
        if preview.unknown.is_empty() {
            let scope = [preview.scope.clone()];
            let problems = operator.check(&preview.own, &Exports::all(&scope));
            if !problems.is_empty() {
                return Err(TaskError::wrong_params(problems));
            }
        }
        for (key, name) in [("_do", "^do"), ("_else_do", "^else_do")] {
            let Some(body) = preview.own.get(key) else { continue };
            let body = context.host.compile_body(body, &ParamPath::from(key))?;
            preview.subtasks.push(TaskDef { name: name.to_owned(), ..body });
            preview.stands_in = true;
        }
        Ok(())
    }

    /// Calls the operator; one that does not stop when it is told to is dropped after the grace period.
    async fn run(
        &self,
        operator: &dyn Operator,
        context: &TaskContext,
        params: Params,
    ) -> Result<TaskOutcome, TaskError> {
        let settings = &self.shared.engine.settings;
        let grace = if operator.info().works_elsewhere { settings.call_grace } else { settings.stop_grace };
        let overdue = async {
            self.token.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            outcome = operator.run(context, params) => outcome,
            () = overdue => {
                Err(TaskError::new(TaskErrorKind::Canceled, Retry::AsTold, code::TASK_STOPPED, "the task did not stop in time and was left"))
            }
        }
    }

    fn params(&self, own: &Params) -> TaskParams {
        let mut scope = Scope::new();
        for layer in &self.scope {
            scope.push(layer.clone());
        }
        let built_ins = builtin::task_params(&self.shared.session_params, &self.name);
        scope.task(&self.name, &built_ins, own, self.shared.templates.clone())
    }

    fn operator(&self, params: &TaskParams, written: &str) -> Result<Arc<dyn Operator>, TaskError> {
        let name = match params.evaluate("_type", &Value::String(written.to_owned())) {
            Ok(Value::String(name)) => name,
            Ok(other) => other.to_string(),
            Err(error) => return Err(TaskError::from(*error)),
        };
        let registry = &self.shared.engine.registry;
        registry.get(&name).cloned().ok_or_else(|| {
            let error = TaskError::config(code::UNKNOWN_OPERATOR, format!("unknown operator `{name}>`"));
            match suggest::nearest(&name, registry.names()) {
                Some(near) => error.help(format!("did you mean `{near}>`?")),
                None => error,
            }
        })
    }

    /// Returns where relative paths of the task start: `_workdir` inside the project.
    fn work_dir(&self, params: &TaskParams) -> Result<PathBuf, TaskError> {
        let project_dir = &self.shared.engine.settings.project_dir;
        let written = "${typeof _workdir === 'undefined' ? '' : _workdir}";
        if !params.has("_workdir") {
            return Ok(project_dir.clone());
        }
        let value =
            params.evaluate("_workdir", &Value::String(written.to_owned())).map_err(|error| TaskError::from(*error))?;
        let relative = value.as_str().unwrap_or_default();
        let inside =
            Path::new(relative).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let message = format!("expected a directory inside the project, found `{relative}`");
            let problem = ParamProblem::new(ParamPath::from("_workdir"), message.clone());
            return Err(TaskError::config(code::OUTSIDE_PROJECT, message).param(problem));
        }
        Ok(project_dir.join(relative))
    }
}

/// Takes the secrets out of all that is stored and shown of a step. An operator gives none away; a library may, in a message.
fn redacted(mut ending: Ending, secrets: &Secrets) -> Ending {
    if secrets.is_empty() {
        return ending;
    }
    match &mut ending {
        Ending::Done(result) => {
            secrets.redact_params(&mut result.export);
            secrets.redact_params(&mut result.store);
            for published in &mut result.report.published {
                secrets.redact_text(&mut published.location);
            }
        }
        Ending::Waits { state, .. } => secrets.redact_value(state),
        Ending::Failed(error) => {
            secrets.redact_text(&mut error.message);
            error.help.iter_mut().for_each(|help| secrets.redact_text(help));
            secrets.redact_params(&mut error.details);
            for problem in &mut error.params {
                secrets.redact_text(&mut problem.message);
                problem.help.iter_mut().for_each(|help| secrets.redact_text(help));
            }
            // A cause cannot be mended; its text stands in the message as a rule.
            let causes = || {
                std::iter::successors(error.source.as_deref().map(|source| source as &dyn std::error::Error), |cause| {
                    cause.source()
                })
            };
            if causes().any(|cause| matches!(secrets.redact(&cause.to_string()), Cow::Owned(_))) {
                error.source = None;
            }
        }
        Ending::Stopped | Ending::Left => {}
    }
    ending
}

fn evaluate_retry(params: &TaskParams, written: &Value) -> Result<RetryPolicy, TaskError> {
    let value = params.evaluate("_retry", written).map_err(|error| TaskError::from(*error))?;
    RetryPolicy::parse(Some(&value)).map_err(|problem| {
        let path = ParamPath::from("_retry");
        let path = if problem.key.is_empty() { path } else { path.key(problem.key) };
        let error = TaskError::config(code::KEY_VALUE, problem.message.clone());
        error.param(ParamProblem::new(path, problem.message))
    })
}

async fn cancel(operator: &dyn Operator, context: &TaskContext, host: &Host) -> Ending {
    if let Err(error) = operator.cancel(context).await {
        // The task is killed all the same; what could not be stopped is named in its log.
        host.log_failure(&error);
    }
    Ending::Stopped
}
