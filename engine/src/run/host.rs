//! What the engine does for a running task: checkpoints, logs, progress, templates, tasks out of values and files.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::figures::EngineFigures;
use super::log::TaskLog;
use super::observer::{RunEvent, TaskRef};
use super::shared::AttemptShared;
use crate::diagnostic::{Severity, code};
use crate::operator::context::TaskHost;
use crate::operator::error::Retry;
use crate::operator::{TaskError, TaskErrorKind, TaskProgress};
use crate::params::{ParamPath, Params, TaskParams};
use crate::session::TaskId;
use crate::store::{StoreError, TaskUpdate, Tick};
use crate::workflow::{self, TaskDef};

/// The engine as one running task sees it.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) shared: Arc<AttemptShared>,
    pub(super) task: TaskId,
    pub(super) parent: Option<TaskId>,
    pub(super) name: Arc<str>,
    pub(super) def: Arc<TaskDef>,
    pub(super) operator: &'static str,
    pub(super) params: Arc<TaskParams>,
    pub(super) work_dir: PathBuf,
    pub(super) log: TaskLog,
    pub(super) checkpointed: Arc<Mutex<Option<Value>>>,
}

impl Host {
    /// Returns what was stored last, if anything was.
    pub(super) fn latest_state(&self) -> Option<Value> {
        self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn log_failure(&self, error: &TaskError) {
        self.log(&format!("error {}: {}", error.code, error.message));
        for problem in &error.params {
            self.log(&format!("  `{}`: {}", self.def.written(&problem.path), problem.message));
        }
        for help in &error.help {
            self.log(&format!("  help: {help}"));
        }
    }

    /// Says why the log is not whole, if it is not.
    pub(super) fn log_failure_text(&self) -> Option<String> {
        let (path, error) = self.log.take_failure()?;
        Some(format!("its log `{}` cannot be written: {error}", path.display()))
    }

    /// Writes to the task's log.
    fn keep(&self, write: impl FnOnce(&TaskLog)) {
        let points = &self.shared.engine.settings.crash_points;
        let Ok(()) = points.around_now("run: write a log", || {
            write(&self.log);
            Ok::<_, std::convert::Infallible>(())
        });
    }

    fn reference(&self) -> TaskRef<'_> {
        TaskRef {
            attempt: self.shared.claim.attempt,
            id: self.task,
            parent: self.parent,
            name: &self.name,
            operator: Some(self.operator),
        }
    }

    fn observe(&self, event: &RunEvent<'_>) {
        self.shared.engine.observer.event(event);
    }
}

#[async_trait]
impl TaskHost for Host {
    async fn checkpoint(&self, state: &Value) -> Result<(), TaskError> {
        let engine = &self.shared.engine;
        let mut state = state.clone();
        self.shared.engine.settings.secrets.redact_value(&mut state);
        let mut update = TaskUpdate::new(self.task);
        update.operator_state = Some(state.clone());
        let tick = Tick { updated: vec![update], ..Tick::default() };
        let effect = engine.store.save(&self.shared.claim, &tick);
        engine.settings.crash_points.around("run: checkpoint", effect).await.map_err(store_error)?;
        *self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Ok(())
    }

    fn log(&self, line: &str) {
        let now = self.shared.engine.clock.now();
        let line = self.shared.engine.settings.secrets.redact(line);
        for line in line.lines() {
            self.keep(|log| log.line(now, line));
            self.observe(&RunEvent::Log { task: self.reference(), line });
        }
    }

    fn warn(&self, line: &str) {
        let now = self.shared.engine.clock.now();
        let line = self.shared.engine.settings.secrets.redact(line);
        self.keep(|log| log.line(now, &format!("warning: {line}")));
        self.observe(&RunEvent::Warning { task: self.reference(), line: &line });
    }

    fn output(&self, bytes: &[u8]) {
        let secrets = &self.shared.engine.settings.secrets;
        let redacted = std::str::from_utf8(bytes).ok().filter(|_| !secrets.is_empty()).map(|text| secrets.redact(text));
        let bytes = redacted.as_deref().map_or(bytes, str::as_bytes);
        self.keep(|log| log.write(bytes));
        self.observe(&RunEvent::Output { task: self.reference(), bytes });
    }

    fn progress(&self, progress: TaskProgress) {
        self.observe(&RunEvent::TaskProgress { task: self.reference(), progress });
    }

    fn figures(&self) -> EngineFigures {
        let engine = &self.shared.engine;
        engine.counters.figures(engine.clock.now(), engine.settings.max_running)
    }

    fn render(&self, text: &str, extra: &Params) -> Result<String, TaskError> {
        self.params.render_text_with(text, extra).map_err(|error| TaskError::from(*error))
    }

    fn compile_body(&self, body: &Value, at: &ParamPath) -> Result<TaskDef, TaskError> {
        let registry = &self.shared.engine.registry;
        Ok(workflow::compile_body(body, at, &self.def.param_places, registry)?)
    }

    fn load_workflow(&self, file: &str) -> Result<TaskDef, TaskError> {
        let project_dir = &self.shared.engine.settings.project_dir;
        let path = self.inside_project(file)?;
        let candidates = match path.extension().and_then(|extension| extension.to_str()) {
            Some("dig" | "yml" | "yaml") => vec![path],
            _ => ["dig", "yml", "yaml"].iter().map(|extension| with_extension(&path, extension)).collect(),
        };
        let found = candidates.iter().find(|path| project_dir.join(path).is_file());
        let Some(found) = found else {
            let tried: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
            let message = format!("the workflow file `{file}` does not exist");
            return Err(TaskError::config(code::CALLED_FILE_UNUSABLE, message)
                .help(format!("looked for {} in the project", tried.join(", "))));
        };
        let name = found.to_string_lossy();
        let loaded = workflow::load(project_dir, &name, &self.shared.engine.registry);
        loaded.workflow.map(|workflow| workflow.root).ok_or_else(|| {
            let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
            let mut task_error: Option<TaskError> = None;
            for diagnostic in errors {
                let source = loaded.sources.get(diagnostic.primary.span.source);
                let (line, column) =
                    loaded.sources.line_column(diagnostic.primary.span.source, diagnostic.primary.span.start);
                let text = format!("{}:{line}:{column}: {}", source.name, diagnostic.message);
                task_error = Some(match task_error {
                    None => TaskError::config(diagnostic.code, text),
                    Some(error) => error.help(format!("also {text}")),
                });
            }
            task_error.unwrap_or_else(|| {
                TaskError::config(code::CALLED_FILE_UNUSABLE, format!("the workflow file `{name}` cannot be used"))
            })
        })
    }
}

impl Host {
    /// Returns the path of a file from the project's directory, or an error when it leads out of it.
    fn inside_project(&self, file: &str) -> Result<PathBuf, TaskError> {
        let project_dir = &self.shared.engine.settings.project_dir;
        let outside = || {
            let message = format!("expected a file inside the project, found `{file}`");
            TaskError::config(code::OUTSIDE_PROJECT, message)
        };
        let base = self.work_dir.strip_prefix(project_dir).map_err(|_| outside())?;
        let mut path = PathBuf::new();
        for part in base.join(file).components() {
            match part {
                Component::Normal(name) => path.push(name),
                Component::CurDir => {}
                Component::ParentDir if path.pop() => {}
                _ => return Err(outside()),
            }
        }
        Ok(path)
    }
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn store_error(error: StoreError) -> TaskError {
    let kind = match error {
        StoreError::LeaseLost { .. } => TaskErrorKind::LeaseLost,
        _ => TaskErrorKind::External,
    };
    TaskError::new(kind, Retry::Never, error.code(), error.to_string()).source(error)
}
