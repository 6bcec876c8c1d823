//! What whoever hosts the engine decides.

use std::path::PathBuf;
use std::time::Duration;

use super::crash::CrashPoints;
use super::groups::ProcessGroups;
use crate::secret::Secrets;

/// The settings of an engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The project's directory: where relative paths of its workflows start.
    pub project_dir: PathBuf,
    /// Where state, logs and temporary files are; `.suiro` in the project unless told otherwise.
    pub state_dir: PathBuf,
    /// How many tasks run at once; 16 unless told otherwise. A task that waits does not count.
    pub max_running: usize,
    /// How many tasks an attempt may have, retries and generated ones included; 100,000 unless told otherwise.
    pub task_limit: usize,
    /// How long an attempt stays with a process that does not say that it lives; 60 s unless told otherwise. Renewed three
    /// times in that span.
    pub lease: Duration,
    /// How long a task that was told to stop may take; 15 s unless told otherwise. Longer than `sh>` gives its program.
    pub stop_grace: Duration,
    /// The same of a task whose work is done elsewhere
    /// ([`works_elsewhere`](crate::operator::OperatorInfo::works_elsewhere)); 1 s unless told otherwise. Its calls may hang in a
    /// network that is gone.
    pub call_grace: Duration,
    /// How long such a task may take to leave its work to the next holder; 3 s unless told otherwise.
    pub leave_grace: Duration,
    /// How large a task's log may grow; 256 MiB unless told otherwise.
    pub log_limit_bytes: u64,
    /// Where tasks look up the secrets that their parameters and files name; nowhere unless told otherwise.
    pub secrets: Secrets,
    /// Where to stop the process, in crash tests.
    pub crash_points: CrashPoints,
    /// Where the process groups of running scripts are noted; whoever leaves without waiting for the engine kills them.
    pub process_groups: ProcessGroups,
}

impl EngineSettings {
    /// Makes the settings of a project with all defaults.
    pub fn new(project_dir: impl Into<PathBuf>) -> Self {
        let project_dir = project_dir.into();
        Self {
            state_dir: project_dir.join(".suiro"),
            project_dir,
            max_running: 16,
            task_limit: 100_000,
            lease: Duration::from_mins(1),
            stop_grace: Duration::from_secs(15),
            call_grace: Duration::from_secs(1),
            leave_grace: Duration::from_secs(3),
            log_limit_bytes: 256 * 1024 * 1024,
            secrets: Secrets::none(),
            crash_points: CrashPoints::off(),
            process_groups: ProcessGroups::default(),
        }
    }
}
