//! `suiro run`: a workflow here to its end, with what is shown meanwhile and afterwards.

mod look_at;

use std::num::NonZeroUsize;
use std::sync::Arc;

use engine::diagnostic::code;
use engine::run::{
    AttemptRequest, Deadline, Engine, EngineError, EngineSettings, ExitClass, Progress, Rerun, RunObserver, RunSummary,
    Submitted,
};
use engine::store::AttemptSpec;
use engine::time::SystemClock;
use lake::words::{bytes, figure};
use operators::LakeDoor;
use serde::Serialize;
use serde_json::json;

use super::workflow;
use crate::cli;
use crate::compose::{Base, door, registry, was_opened};
use crate::failure::{Exit, Failure, What};
use crate::output::{counted, duration, read_or_not, right, stderr_width, table, text};
use crate::progress::{self, Beside, Show};
use crate::settings::Settings;
use crate::signals::Signals;
use look_at::Remaining;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Run) -> Result<(), Failure> {
    let settings = base.settings(Some(&command.file))?;
    let shown = progress::show(base.output, command.quiet);
    let door = Arc::new(door(&settings, Arc::new(Beside(Arc::clone(&shown)))));
    let registry = Arc::new(registry(&door));
    let params = workflow::params(&command.session)?;
    let (workflow, files) = workflow::load(base, &settings, &command.file, &registry, &params)?;
    let observer = Arc::clone(&shown) as Arc<dyn RunObserver>;
    let mut engine_settings = engine_settings(&settings, command.max_tasks.map(NonZeroUsize::get));
    engine_settings.secrets = base.environment.secrets.secrets();
    let scripts = engine_settings.process_groups.clone();
    let mut signals = Signals::listen(base.output, scripts, "stopped at once; the same command continues")?;
    let engine = Engine::open(registry, Arc::new(SystemClock), observer, engine_settings).await?;
    let last = match command.session.session.as_deref() {
        Some("last") => last_session(&engine, &workflow.name).await?,
        _ => None,
    };
    let session_time = workflow::session_time(&workflow, command.session.session.as_deref(), last)?;
    let name = workflow.name.clone();
    let spec = AttemptSpec {
        workflow,
        settings_params: engine::params::Params::new(),
        file_params: params.file,
        command_line_params: params.command_line,
        only: command.task.clone(),
        files,
    };
    let request = AttemptRequest {
        project: PROJECT.to_owned(),
        session_time: session_time.timestamp(),
        spec,
        rerun: if command.rerun { Rerun::All } else { Rerun::Unfinished },
    };
    let submitted = engine.submit(request).await.map_err(|error| in_state(error.into(), &settings))?;
    let quiet = command.quiet || base.output.json;
    // That what was changed has not been run is a warning: `--quiet` leaves those.
    let is_stale = matches!(&submitted, Submitted::AlreadyDone { changes, .. } if !changes.is_empty());
    if !quiet || is_stale && !base.output.json {
        base.output.note(&heading(&name, &session_time, &submitted));
    }
    let is_first = matches!(submitted, Submitted::Started { skips_those_of: None, .. });
    if let Submitted::AlreadyDone { changes, .. } = &submitted {
        tidy(base, &settings, &door, is_first, &mut signals).await;
        if base.output.json {
            let event = json!({"event": "already_done", "attempt": submitted.attempt(), "changes": changes});
            read_or_not(base.output.json_line(&event))?;
        }
        return Ok(());
    }
    let progress = advance(&*shown, &engine, &mut signals).await;
    shown.finish();
    let progress = progress.map_err(|failure| in_state(failure, &settings))?;
    let summary = engine.summary(submitted.attempt()).await.map_err(|error| in_state(error.into(), &settings))?;
    if progress == Progress::Interrupted {
        door.remove_left_over();
    } else {
        tidy(base, &settings, &door, is_first, &mut signals).await;
    }
    if base.output.json {
        read_or_not(base.output.json_line(&SummaryEvent { event: "summary", summary: &summary }))?;
    } else {
        let remaining = if quiet { None } else { Some(look_at::remaining(&door, &summary).await) };
        finish(base, &settings, &summary, remaining.as_ref(), progress);
    }
    match (progress, summary.exit_class()) {
        (Progress::Interrupted, _) | (_, ExitClass::Interrupted) => Err(Failure::said(Exit::Interrupted)),
        (_, ExitClass::Success) => Ok(()),
        (_, ExitClass::TaskFailed) => Err(Failure::said(Exit::Failed)),
        (_, ExitClass::Config) => Err(Failure::said(Exit::Usage)),
        (_, ExitClass::DataQuality) => Err(Failure::said(Exit::DataQuality)),
    }
}

/// The last line of `--json`; written as it is, because a summary may be of very many tasks.
#[derive(Debug, Serialize)]
struct SummaryEvent<'a> {
    event: &'static str,
    summary: &'a RunSummary,
}

/// The name of a project that was never pushed anywhere: its state lies in its own folder.
pub(super) const PROJECT: &str = "local";

/// Returns the settings of the engine.
pub(super) fn engine_settings(settings: &Settings, max_tasks: Option<usize>) -> EngineSettings {
    let mut engine = EngineSettings::new(settings.project.clone());
    engine.state_dir.clone_from(&settings.state_dir);
    if let Some(max_tasks) = max_tasks.or(settings.max_tasks) {
        engine.max_running = max_tasks;
    }
    if let Some(task_limit) = settings.task_limit {
        engine.task_limit = task_limit;
    }
    if let Some(lease) = settings.lease {
        engine.lease = lease;
    }
    engine.crash_points = settings.crash_points.clone();
    engine
}

/// Advances the engine to the end; when the process is asked to stop, the tasks are stopped and their state is stored.
async fn advance(shown: &dyn Show, engine: &Engine, signals: &mut Signals) -> Result<Progress, Failure> {
    let advance = engine.advance(Deadline::End);
    tokio::pin!(advance);
    tokio::select! {
        progress = &mut advance => return Ok(progress?),
        () = signals.asked_to_stop() => {}
    }
    shown.say("stopping the tasks and storing their state; once more stops at once");
    engine.interrupt();
    Ok(advance.await?)
}

/// Says where the state is, when what failed is to read or write it: its disk may be another one than the project's.
fn in_state(failure: Failure, settings: &Settings) -> Failure {
    let is_of_state = matches!(&failure.what, What::Message { code, .. } if *code == code::STORE_DATABASE);
    if is_of_state { failure.help(format!("the state is in `{}`", settings.state_dir.display())) } else { failure }
}

/// Collects versions whose retention is over and temporary files of processes that are gone, when this run opened the lake, or
/// goes on after one that may have been stopped before it had collected. What fails, or is not done when the process is asked to
/// stop, is tried again by the next run.
async fn tidy(base: &Base, settings: &Settings, door: &LakeDoor, is_first: bool, signals: &mut Signals) {
    // A first run that needs no lake does not wait for one to be opened.
    if door.opened().is_none() && (is_first || !was_opened(settings)) {
        door.remove_left_over();
        return;
    }
    let collect = async { door.lake().await?.collect().await };
    let collected = tokio::select! {
        collected = collect => collected,
        () = signals.asked_to_stop() => return,
    };
    if let Err(error) = collected {
        base.output.note(&format!("warning: old versions were not collected, the next run tries again: {error}"));
        if let Some(help) = &error.help {
            base.output.note(&format!("  = help: {help}"));
        }
    }
}

/// The time of the latest session of a workflow.
async fn last_session(engine: &Engine, workflow: &str) -> Result<Option<jiff::Timestamp>, Failure> {
    let sessions = engine.store().sessions(PROJECT, Some(workflow), 1).await.map_err(EngineError::from)?;
    Ok(sessions.first().map(|session| session.key.session_time))
}

/// The line above the tree.
fn heading(name: &str, session_time: &jiff::Zoned, submitted: &Submitted) -> String {
    let session = format!("{name}  session {}", session_time.strftime("%Y-%m-%dT%H:%M:%S%:z"));
    match submitted {
        Submitted::Started { number, skips_those_of, replaces, .. } => {
            let skipping = if skips_those_of.is_some() { ", skipping what succeeded before" } else { "" };
            let why = replaces.map_or_else(String::new, |replaced| {
                format!("\nAttempt {replaced} is not continued: the workflow or its parameters were changed since.")
            });
            format!("{session}  attempt {number}{skipping}{why}")
        }
        Submitted::Continued { number, .. } => format!("{session}  attempt {number}, continued"),
        Submitted::AlreadyDone { finished_at, changes, .. } => {
            let when =
                finished_at.map_or_else(String::new, |at| format!(" at {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
            if changes.is_empty() {
                return format!(
                    "{session}: done already{when}\nNothing to do. `--rerun` runs it again, `--session` another session."
                );
            }
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            format!(
                "{session}: done already{when}; changed since: {}\nNothing was run. `--rerun` runs it again as it is now, in a new \
                 attempt; `--session` another session.",
                changes.join(", ")
            )
        }
    }
}

/// What is said after a run: errors, and, unless little is to be said, what was published and how to look at it.
fn finish(
    base: &Base,
    settings: &Settings,
    summary: &RunSummary,
    remaining: Option<&Remaining<'_>>,
    progress: Progress,
) {
    let output = base.output;
    for task in summary.failed() {
        let Some(failure) = &task.failure else { continue };
        let place = failure
            .place
            .as_ref()
            .map_or_else(String::new, |place| format!(" ({}:{}:{})", place.file, place.line, place.column));
        output.note("");
        output.note(&format!("{} {}{place}", super::bold_red(output, &format!("error[{}]", failure.code)), task.name));
        for line in failure.message.lines() {
            output.note(&format!("  {line}"));
        }
        for param in &failure.params {
            if let Some(place) = &param.place {
                let message = if param.message == failure.message { "" } else { param.message.as_str() };
                let place = format!("  --> {}:{}:{} `{}` {message}", place.file, place.line, place.column, param.path);
                output.note(place.trim_end());
            }
            if let Some(help) = &param.help {
                output.note(&format!("  = help: {help}"));
            }
        }
        for help in &failure.help {
            output.note(&format!("  = help: {help}"));
        }
        if let Some(log) = &task.log {
            output.note(&format!("  = log: {}", log.display()));
        }
        output.note(&format!("  = more: suiro explain {}", failure.code));
    }
    let Some(remaining) = remaining else { return };
    if !remaining.published.is_empty() {
        output.note("");
        let mut rows = table(&["published", "partition", "rows", "bytes"]);
        for entry in &remaining.published {
            // Files of a folder belong to no table.
            let what = if entry.table.is_empty() { &entry.location } else { &entry.table };
            rows.add_row(vec![what.clone(), entry.partition.clone(), figure(entry.rows), bytes(entry.bytes)]);
        }
        right(&mut rows, &[2, 3]);
        output.note(&text(&rows, stderr_width()));
    }
    let dropped = [(remaining.dropped_tables, "table"), (remaining.dropped_partitions, "partition")];
    let dropped = dropped.iter().filter(|(count, _)| *count > 0);
    let dropped: Vec<String> =
        dropped.map(|(count, what)| counted(u64::try_from(*count).unwrap_or(u64::MAX), what)).collect();
    if !dropped.is_empty() {
        output.note("");
        output.note(&format!("Published and dropped again: {}.", dropped.join(", ")));
    }
    if let Some(command) = remaining.command(settings) {
        output.note("");
        output.note(&format!("Look at it: {command}"));
    }
    let took = summary.finished_at.map(|end| end.duration_since(summary.created_at));
    let took = took
        .and_then(|took| std::time::Duration::try_from(took).ok())
        .map_or_else(String::new, |took| format!(" in {}", duration(took)));
    output.note("");
    output.note(&match (progress, summary.exit_class()) {
        (Progress::Interrupted, _) | (_, ExitClass::Interrupted) => {
            "Interrupted. The same command continues.".to_owned()
        }
        (_, ExitClass::Success) => format!("Success{took}."),
        _ => format!("Failed{took}. The same command runs what has not succeeded."),
    });
}
