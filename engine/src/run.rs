//! The engine at work: submit, advance, cancel.
//!
//! One process holds an attempt by a lease and keeps its tasks in memory; what every tick changes is stored in one commit
//! before anything that builds on it starts. After a crash the next holder rebuilds the same tasks from the store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

mod attempt;
pub mod crash;
mod error;
pub mod figures;
mod found;
pub(crate) mod groups;
mod host;
mod leftover;
pub mod log;
pub mod observer;
mod obstacle;
pub mod plan;
pub mod process;
mod settings;
mod shared;
mod state_trouble;
pub mod submit;
pub mod summary;
mod task;
#[cfg(test)]
mod tests;

pub use error::EngineError;
pub use groups::ProcessGroups;
pub use observer::{RunEvent, RunObserver, Unobserved};
pub use obstacle::Obstacle;
pub use settings::EngineSettings;
pub use state_trouble::state_trouble;
pub use submit::{AttemptRequest, Rerun, Submitted};
pub use summary::{ExitClass, RunSummary};

use attempt::ActiveAttempt;
use figures::Counters;
use log::TaskLogs;
use process::ProcessIdentity;
use shared::EngineParts;
use task::{Job, Report};

use crate::operator::Registry;
use crate::session::{AttemptId, AttemptState, Event};
use crate::store::{KillRequest, SqliteStore, StateStore, StoreError};
use crate::time::Clock;

/// Until when [`Engine::advance`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Until every attempt is at its end.
    End,
    /// Until then at the latest; what runs is interrupted.
    At(Timestamp),
    /// Until there is nothing to do at this moment.
    Idle,
}

/// Why [`Engine::advance`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every attempt is at its end.
    Ended,
    /// Nothing to do before then, or ever until something is submitted.
    Waits {
        /// The next time something is due.
        until: Option<Timestamp>,
    },
    /// Interrupted, or the deadline came: tasks were stopped and their state stored; the next holder continues.
    Interrupted,
}

/// The file of the state below its directory.
const STATE_FILE: &str = "state.db";

/// Runs attempts. Submit, then advance; both may be called from several tasks, advance from one at a time.
#[derive(Debug)]
pub struct Engine {
    parts: Arc<EngineParts>,
    /// Attempts that the loop has not taken over yet, or gave back when it paused.
    inbox: Mutex<Vec<ActiveAttempt>>,
    kills: Mutex<Vec<AttemptId>>,
    wake: Notify,
    interrupted: CancellationToken,
    advancing: tokio::sync::Mutex<()>,
}

impl Engine {
    /// Makes an engine over a store.
    pub fn new(
        store: Arc<dyn StateStore>,
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn RunObserver>,
        settings: EngineSettings,
    ) -> Self {
        let logs = TaskLogs::new(settings.state_dir.join("logs"), settings.log_limit_bytes);
        let identity = ProcessIdentity::current();
        let counters = Counters::new(clock.now());
        Self {
            parts: Arc::new(EngineParts { store, registry, clock, observer, settings, logs, identity, counters }),
            inbox: Mutex::default(),
            kills: Mutex::default(),
            wake: Notify::new(),
            interrupted: CancellationToken::new(),
            advancing: tokio::sync::Mutex::default(),
        }
    }

    /// Makes an engine over the state directory of the settings, which is made when it is missing. What a process that is gone
    /// left there of temporary files is removed.
    ///
    /// # Errors
    /// When the directory cannot be made or the state in it cannot be opened.
    pub async fn open(
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn RunObserver>,
        settings: EngineSettings,
    ) -> Result<Self, EngineError> {
        let dir = &settings.state_dir;
        let points = &settings.crash_points;
        points
            .around_now("run: make the folder of the state", || make_state_dir(dir))
            .map_err(|source| EngineError::state_dir(dir, source))?;
        let store = points.around("run: open the state", SqliteStore::open(&dir.join(STATE_FILE))).await?;
        let engine = Self::new(Arc::new(store), registry, clock, observer, settings);
        leftover::remove_unheld(&engine.parts).await;
        Ok(engine)
    }

    /// Makes an engine to look at what ran: over the state as it is, also where it cannot be written. Nothing of it is changed,
    /// and what would change something fails. None when nothing ever ran.
    ///
    /// # Errors
    /// When something else than a directory is there, or the state in it cannot be read.
    pub async fn open_to_look(
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
        settings: EngineSettings,
    ) -> Result<Option<Self>, EngineError> {
        let dir = &settings.state_dir;
        if let Some(by) = Obstacle::to(dir) {
            return Err(EngineError::StateDirTaken { path: dir.clone(), by });
        }
        let file = dir.join(STATE_FILE);
        match file.metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(EngineError::UnreadableStateDir { path: dir.clone(), source }),
        }
        let store = Arc::new(SqliteStore::open_to_look(&file).await?);
        Ok(Some(Self::new(store, registry, clock, Arc::new(Unobserved), settings)))
    }

    /// Returns the store, for listings.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.parts.store
    }

    /// Returns the task logs.
    pub fn logs(&self) -> &TaskLogs {
        &self.parts.logs
    }

    /// Kills an attempt, wherever it runs: its tasks are stopped, what they started outside too, `_error` does not run.
    ///
    /// Says whether there was anything to kill. Returns before the kill is done; [`Engine::advance`] does it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn cancel(&self, attempt: AttemptId) -> Result<bool, EngineError> {
        let effect = self.parts.store.request_kill(attempt);
        let found = self.parts.settings.crash_points.around("run: ask for a kill", effect).await?;
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
        self.wake.notify_one();
        Ok(found)
    }

    /// Stops the work of this process: tasks are told to stop, their state is stored, and [`Engine::advance`] returns. The next
    /// holder continues where they were.
    pub fn interrupt(&self) {
        self.interrupted.cancel();
    }

    /// Moves all submitted attempts on, until the deadline. The one loop: the command line, a server and a function service
    /// call it alike.
    ///
    /// # Errors
    /// When the store cannot be written or somebody else took an attempt over; tasks were told to stop by then.
    pub async fn advance(&self, deadline: Deadline) -> Result<Progress, EngineError> {
        let _only_one = self.advancing.lock().await;
        let (reports, inbound) = mpsc::unbounded_channel();
        let mut advance = Advance {
            engine: self,
            attempts: BTreeMap::new(),
            n_running: 0,
            stopping: false,
            left: false,
            reports,
            inbound,
        };
        let result = advance.work(deadline).await;
        if let Err(error) = &result {
            // Whoever called is told, and tells it in its own way.
            tracing::debug!(%error, "the engine stops");
            advance.abandon().await;
        }
        result
    }
}

/// One call of [`Engine::advance`].
struct Advance<'a> {
    engine: &'a Engine,
    attempts: BTreeMap<AttemptId, ActiveAttempt>,
    n_running: usize,
    stopping: bool,
    /// Whether the tasks whose work goes on elsewhere were told that this process goes away.
    left: bool,
    reports: mpsc::UnboundedSender<Report>,
    inbound: mpsc::UnboundedReceiver<Report>,
}

impl Advance<'_> {
    async fn work(&mut self, deadline: Deadline) -> Result<Progress, EngineError> {
        let parts = &self.engine.parts;
        let mut heartbeat = tokio::time::interval((parts.settings.lease / 3).max(Duration::from_millis(1)));
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        heartbeat.reset();
        loop {
            self.take_inbox();
            self.take_kills();
            let now = parts.clock.now();
            self.tick(now).await?;
            if self.stopping {
                if self.n_running == 0 && !self.leave() {
                    self.release().await?;
                    return Ok(Progress::Interrupted);
                }
            } else if self.attempts.is_empty() && !self.has_mail() {
                return Ok(Progress::Ended);
            }
            let due = self.attempts.values().filter_map(|attempt| attempt.graph.next_due()).min();
            if deadline == Deadline::Idle && self.n_running == 0 && !self.has_mail() {
                self.pause();
                return Ok(Progress::Waits { until: due });
            }
            let pause = if self.stopping { None } else { pause_until(due, deadline, now) };
            tokio::select! {
                Some(report) = self.inbound.recv() => self.take_reports(report),
                _ = heartbeat.tick() => self.heartbeat().await?,
                () = self.engine.wake.notified() => {}
                () = self.engine.interrupted.cancelled(), if !self.stopping => self.stop(),
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {
                    if matches!(deadline, Deadline::At(at) if at <= self.engine.parts.clock.now()) {
                        self.stop();
                    }
                }
            }
        }
    }

    fn take_inbox(&mut self) {
        let inbox = std::mem::take(&mut *self.engine.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        for mut attempt in inbox {
            attempt.tell_found();
            self.attempts.insert(attempt.shared.claim.attempt, attempt);
        }
    }

    fn take_kills(&mut self) {
        let kills = std::mem::take(&mut *self.engine.kills.lock().unwrap_or_else(PoisonError::into_inner));
        for attempt in kills {
            self.kill(attempt);
        }
    }

    fn kill(&mut self, attempt: AttemptId) {
        let now = self.engine.parts.clock.now();
        if let Some(attempt) = self.attempts.get_mut(&attempt) {
            attempt.shared.kill();
            attempt.apply(Event::Cancel, now);
        }
    }

    fn has_mail(&self) -> bool {
        !self.engine.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Applies what is due, starts what may start, stores all of it in one commit an attempt, and only then lets it happen.
    async fn tick(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let parts = &self.engine.parts;
        let mut ended = Vec::new();
        for (id, attempt) in &mut self.attempts {
            attempt.apply(Event::Begin, now);
            attempt.apply(Event::Tick, now);
            let slots = parts.settings.max_running.saturating_sub(self.n_running);
            let jobs = if self.stopping { Vec::new() } else { attempt.start(slots, now) };
            let batch = attempt.batch(now);
            if !batch.tick.is_empty() {
                let effect = parts.store.save(&attempt.shared.claim, &batch.tick);
                parts.settings.crash_points.around("run: tick", effect).await?;
            }
            attempt.tell(&batch);
            self.n_running += jobs.len();
            execute(jobs, &self.reports);
            if let Some((state, _)) = batch.tick.finished {
                ended.push((*id, state));
            }
        }
        for (attempt, state) in ended {
            self.attempts.remove(&attempt);
            parts.observer.event(&RunEvent::AttemptFinished { attempt, state });
        }
        Ok(())
    }

    /// Takes a report and all that came with it: they share a commit.
    fn take_reports(&mut self, first: Report) {
        let now = self.engine.parts.clock.now();
        let mut next = Some(first);
        while let Some(report) = next {
            self.n_running = self.n_running.saturating_sub(1);
            if let Some(attempt) = self.attempts.get_mut(&report.attempt) {
                attempt.report(report, now);
            }
            next = self.inbound.try_recv().ok();
        }
    }

    async fn heartbeat(&mut self) -> Result<(), EngineError> {
        let parts = &self.engine.parts;
        let until = parts.clock.now().saturating_add(parts.settings.lease).unwrap_or(Timestamp::MAX);
        let mut killed = Vec::new();
        for (id, attempt) in &self.attempts {
            let effect = parts.store.heartbeat(&attempt.shared.claim, until);
            if parts.settings.crash_points.around("run: extend the lease", effect).await? == KillRequest::Requested {
                killed.push(*id);
            }
        }
        for attempt in killed {
            self.kill(attempt);
        }
        Ok(())
    }

    /// Tells everything that runs to stop; nothing new starts.
    fn stop(&mut self) {
        self.stopping = true;
        for attempt in self.attempts.values() {
            attempt.shared.stop.cancel();
        }
    }

    /// Once all is stopped: lets the tasks whose work goes on elsewhere leave it to the next holder. Says whether any does.
    fn leave(&mut self) -> bool {
        if self.left {
            return false;
        }
        self.left = true;
        for attempt in self.attempts.values_mut() {
            let jobs = attempt.leave();
            self.n_running += jobs.len();
            execute(jobs, &self.reports);
        }
        self.n_running > 0
    }

    /// Gives all claims back.
    async fn release(&mut self) -> Result<(), EngineError> {
        for (_, attempt) in std::mem::take(&mut self.attempts) {
            let parts = &self.engine.parts;
            let effect = parts.store.release(&attempt.shared.claim);
            parts.settings.crash_points.around("run: give the session back", effect).await?;
        }
        Ok(())
    }

    /// Leaves the attempts for the next call.
    fn pause(&mut self) {
        let attempts = std::mem::take(&mut self.attempts);
        self.engine.inbox.lock().unwrap_or_else(PoisonError::into_inner).extend(attempts.into_values());
    }

    /// After an error of the store: stops what runs, and waits for it, but stores nothing.
    async fn abandon(&mut self) {
        self.stop();
        let grace = self.engine.parts.settings.stop_grace;
        let all_stopped = async {
            while self.n_running > 0 {
                let Some(report) = self.inbound.recv().await else { break };
                self.n_running -= 1;
                if let Some(attempt) = self.attempts.get_mut(&report.attempt) {
                    attempt.running.remove(&report.task);
                }
            }
        };
        if tokio::time::timeout(grace, all_stopped).await.is_err() {
            for attempt in self.attempts.values() {
                attempt.tell_unstopped(grace);
            }
        }
    }
}

/// Begins steps; their reports come through the channel.
fn execute(jobs: Vec<Job>, reports: &mpsc::UnboundedSender<Report>) {
    for job in jobs {
        let reports = reports.clone();
        tokio::spawn(async move {
            let report = job.execute().await;
            // The loop is gone: nobody is left to be told, the next holder starts the step again.
            drop(reports.send(report));
        });
    }
}

/// Makes the folder of the state, and keeps git away from it.
fn make_state_dir(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let ignore = dir.join(".gitignore");
    let is_written = match std::fs::metadata(&ignore) {
        // Empty: a stop between making it and writing it.
        Ok(found) => found.len() > 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if is_written { Ok(()) } else { std::fs::write(&ignore, "*\n") }
}

/// Returns how long the loop may sleep, if it must wake by itself.
fn pause_until(due: Option<Timestamp>, deadline: Deadline, now: Timestamp) -> Option<Duration> {
    let limit = if let Deadline::At(at) = deadline { Some(at) } else { None };
    let until = due.into_iter().chain(limit).min()?;
    // A clock may be set back or forward while this sleeps: look again at least once a minute.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default().min(Duration::from_mins(1)))
}

/// Says whether a lease that could not be had is somebody else's.
pub(crate) fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. })
}

/// Says whether an attempt came to a good end.
pub(crate) fn succeeded(state: AttemptState) -> bool {
    state == AttemptState::Success
}
