//! The only door out of an operator.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use jiff::{Timestamp, Zoned};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::TaskProgress;
use super::error::TaskError;
use crate::params::{ParamPath, Params, TaskParams};
use crate::run::ProcessGroups;
use crate::run::crash::CrashPoints;
use crate::run::figures::EngineFigures;
use crate::secret::{Revealed, Secrets};
use crate::session::graph::TaskRoom;
use crate::time::Clock;
use crate::workflow::TaskDef;

/// What an operator may know of its task, and what it may do besides its own work.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The attempt's id; part of every token.
    pub attempt_id: i64,
    /// The task's full name: `+daily+load`.
    pub task_name: String,
    /// The same, but a turn of `for_each>` is told by its values and not by its place in the list: what the same work of the
    /// same session is known by in a later attempt, for which the list may have another order.
    pub lasting_name: String,
    /// The fencing number of the claim under which this step runs.
    pub epoch: i64,
    /// How often the task was retried.
    pub retry_count: u32,
    /// The session's time, in the workflow's time zone.
    pub session_time: Zoned,
    /// When this attempt was submitted; the same on every retry.
    pub attempt_time: Timestamp,
    /// What the last step asked to remember; null at first.
    pub state: Value,
    /// All parameters in scope; `params` of `run` are the task's own of these. Read through [`TaskContext::scope`].
    pub scope: LazyScope,
    /// The project's directory.
    pub project_dir: PathBuf,
    /// Where relative paths of this task start: inside the project.
    pub work_dir: PathBuf,
    /// A directory for the task's temporary files: not there until the operator makes it, removed when the step ends.
    pub temp_dir: PathBuf,
    /// Where `${secret:name}` is looked up. Use [`TaskContext::reveal`].
    pub secrets: Secrets,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where tests stop the process, around what the operator itself makes durable.
    pub crash_points: CrashPoints,
    /// Where a program that the operator starts is noted while it runs.
    pub process_groups: ProcessGroups,
    /// How many tasks the attempt had when the step began, and may have.
    pub room: TaskRoom,
    /// Cancelled when the task is killed or the process stops.
    pub cancellation: CancellationToken,
    /// What the engine does for the task.
    pub host: Arc<dyn TaskHost>,
}

/// What the engine does for a running task.
#[async_trait]
pub trait TaskHost: std::fmt::Debug + Send + Sync + 'static {
    /// Stores the task's state under its epoch, durably, before it returns: an intent before an effect.
    ///
    /// # Errors
    /// When the claim was lost (the operator must stop at once) or the store cannot be written.
    async fn checkpoint(&self, state: &Value) -> Result<(), TaskError>;

    /// Adds a line to the task's log, which is kept and shown.
    fn log(&self, line: &str);

    /// Adds a line to the task's log that whoever runs the workflow should see at once: something is not as they may expect, and the
    /// task goes on.
    fn warn(&self, line: &str);

    /// Passes on bytes that the task's program wrote to its standard output.
    fn output(&self, bytes: &[u8]);

    /// Tells how far the task is, for the live tree.
    fn progress(&self, progress: TaskProgress);

    /// Returns what the engine of this process has done since it was made.
    fn figures(&self) -> EngineFigures;

    /// Evaluates the templates of a text (an SQL file, say) with the task's parameters; `extra` is data that comes over them.
    ///
    /// # Errors
    /// When a template is wrong, with its place in the text.
    fn render(&self, text: &str, extra: &Params) -> Result<String, TaskError>;

    /// Makes a task named `^sub` of a parameter that holds tasks, such as `_do`; `at` is the parameter's path.
    ///
    /// # Errors
    /// When it is no task or group, with all problems.
    fn compile_body(&self, body: &Value, at: &ParamPath) -> Result<TaskDef, TaskError>;

    /// Loads the root task of another workflow file of the project; the path starts at the task's directory and may leave out
    /// `.dig` or `.yml`.
    ///
    /// # Errors
    /// When the file is missing, outside the project or wrong, with all problems.
    fn load_workflow(&self, file: &str) -> Result<TaskDef, TaskError>;
}

/// All parameters in scope of a task, evaluated when they are first asked for.
///
/// A parameter whose template cannot be evaluated is left out: what nobody uses must not fail a task.
#[derive(Debug, Clone)]
pub struct LazyScope {
    source: Option<Arc<TaskParams>>,
    evaluated: Arc<OnceLock<Params>>,
}

impl LazyScope {
    /// Takes the parameters of a task.
    pub fn of(source: Arc<TaskParams>) -> Self {
        Self { source: Some(source), evaluated: Arc::default() }
    }

    /// Takes parameters that are evaluated already.
    pub fn fixed(params: Params) -> Self {
        Self { source: None, evaluated: Arc::new(OnceLock::from(params)) }
    }

    /// Returns the parameters.
    pub fn params(&self) -> &Params {
        self.evaluated.get_or_init(|| self.source.as_ref().map(|source| source.everything().0).unwrap_or_default())
    }
}

impl TaskContext {
    /// Returns all parameters in scope, the task's own included, evaluated.
    pub fn scope(&self) -> &Params {
        self.scope.params()
    }

    /// Puts the secrets in place of the `${secret:name}` of a text, to be sent at once and kept nowhere.
    ///
    /// # Errors
    /// When one of them is not set, or written wrongly.
    pub fn reveal(&self, text: &str) -> Result<Revealed, TaskError> {
        self.secrets.resolve(text).map_err(TaskError::from)
    }

    /// Returns the name of one effect of this task: the same on every retry and after every crash of this attempt, unlike
    /// that of any other task, step, generation or request.
    ///
    /// 57 characters of `a-z2-7` after `suiro-`; Athena's `ClientRequestToken` takes 32 to 128.
    pub fn token(&self, step: &str, generation: u32, request: &str) -> String {
        use sha2::{Digest, Sha256};
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut hash = Sha256::new();
        for part in [self.attempt_id.to_string().as_str(), &self.task_name, step, &generation.to_string(), request] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut token = String::from("suiro-");
        let (mut bits, mut n_bits) = (0_u32, 0);
        for byte in digest {
            bits = (bits << 8) | u32::from(byte);
            n_bits += 8;
            while n_bits >= 5 {
                n_bits -= 5;
                token.push(char::from(ALPHABET[(bits >> n_bits) as usize & 31]));
            }
        }
        token
    }
}
