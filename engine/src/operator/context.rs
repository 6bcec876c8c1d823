//! The only door out of an operator.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{Timestamp, Zoned};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::error::TaskError;
use crate::params::Params;
use crate::time::Clock;

/// What an operator may know of its task, and what it may do besides its own work.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The attempt's id; part of every token.
    pub attempt_id: i64,
    /// The task's full name: `+daily+load`.
    pub task_name: String,
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
    /// All parameters in scope, evaluated; `params` of `run` are the task's own of these.
    pub scope: Params,
    /// The project's directory.
    pub project_dir: PathBuf,
    /// Where relative paths of this task start: inside the project.
    pub work_dir: PathBuf,
    /// The clock.
    pub clock: Arc<dyn Clock>,
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

    /// Passes on bytes that the task's program wrote to its standard output.
    fn output(&self, bytes: &[u8]);

    /// Tells how far the task is, for the live tree.
    fn progress(&self, rows: u64, bytes: u64);

    /// Evaluates the templates of a text (an SQL file, say) with the task's parameters.
    ///
    /// # Errors
    /// When a template is wrong, with its place in the text.
    fn render(&self, text: &str) -> Result<String, TaskError>;
}

impl TaskContext {
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
