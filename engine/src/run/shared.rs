//! What the tasks of an attempt share: parts of the engine and facts of the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{Timestamp, Zoned};
use tokio_util::sync::CancellationToken;

use super::figures::Counters;
use super::log::TaskLogs;
use super::observer::RunObserver;
use super::process::ProcessIdentity;
use super::settings::EngineSettings;
use crate::operator::Registry;
use crate::params::Params;
use crate::params::scope::Layer;
use crate::params::template::TemplateSettings;
use crate::store::{Claim, StateStore};
use crate::time::Clock;

/// The parts of an engine.
#[derive(Debug)]
pub(super) struct EngineParts {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) registry: Arc<Registry>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn RunObserver>,
    pub(super) settings: EngineSettings,
    pub(super) logs: TaskLogs,
    pub(super) identity: ProcessIdentity,
    pub(super) counters: Counters,
}

/// What the tasks of an attempt share.
#[derive(Debug)]
pub(super) struct AttemptShared {
    pub(super) engine: Arc<EngineParts>,
    pub(super) claim: Claim,
    pub(super) session_time: Zoned,
    pub(super) attempt_time: Timestamp,
    /// `session_*` and the like.
    pub(super) session_params: Params,
    /// Layers below everything that the workflow says: settings, `-P`, `-p`.
    pub(super) base_layers: Vec<Layer>,
    pub(super) templates: TemplateSettings,
    /// Cancelled when the tasks of this attempt must stop, for whatever reason.
    pub(super) stop: CancellationToken,
    killed: AtomicBool,
}

impl AttemptShared {
    #[expect(clippy::too_many_arguments, reason = "the one constructor of a plain record")]
    pub(super) fn new(
        engine: Arc<EngineParts>,
        claim: Claim,
        session_time: Zoned,
        attempt_time: Timestamp,
        session_params: Params,
        base_layers: Vec<Layer>,
        templates: TemplateSettings,
        stop: CancellationToken,
    ) -> Self {
        Self {
            engine,
            claim,
            session_time,
            attempt_time,
            session_params,
            base_layers,
            templates,
            stop,
            killed: AtomicBool::new(false),
        }
    }

    /// Tells running tasks that they are killed, not just interrupted: what they started must be stopped for good.
    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.stop.cancel();
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }
}
