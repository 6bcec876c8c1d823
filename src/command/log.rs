//! `suiro log`: the logs of a run's tasks.

use std::io::Write;
use std::sync::Arc;

use engine::diagnostic::code;
use engine::run::{Engine, EngineError};
use engine::session::AttemptId;
use engine::time::SystemClock;
use serde_json::json;

use super::run::{PROJECT, engine_settings};
use crate::cli;
use crate::compose::{Base, door, in_project, registry};
use crate::failure::Failure;

/// How much of a log is read at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Log) -> Result<(), Failure> {
    let settings = base.settings(Some(&command.file))?;
    let path = in_project(&settings, &command.file)?;
    let name = path.with_extension("").to_string_lossy().into_owned();
    let registry = Arc::new(registry(&Arc::new(door(&settings, base.listener()))));
    let engine = Engine::open_to_look(registry, Arc::new(SystemClock), engine_settings(&settings, None)).await?;
    let Some(engine) = engine else { return Err(never_run(&name)) };
    let attempt = if let Some(attempt) = command.attempt {
        AttemptId(attempt)
    } else {
        let sessions = engine.store().sessions(PROJECT, Some(&name), 1).await.map_err(EngineError::from)?;
        let Some(session) = sessions.first() else {
            return Err(never_run(&name));
        };
        session.last_attempt.id
    };
    let summary = engine.summary(attempt).await?;
    let mut any = false;
    for task in &summary.tasks {
        let wanted = command.task.as_ref().is_none_or(|wanted| task.name.ends_with(wanted.as_str()));
        if !wanted || task.log.is_none() {
            continue;
        }
        any = true;
        if !base.output.json {
            base.output.line(&format!("==> {} ({}) <==", task.name, task.state.as_str()))?;
        }
        let mut offset = 0;
        loop {
            let bytes = engine.logs().read(attempt, task.id, &task.name, offset, CHUNK_BYTES).map_err(|error| {
                Failure::of_code(code::STORAGE, format!("cannot read the log of `{}`: {error}", task.name))
            })?;
            if bytes.is_empty() {
                break;
            }
            offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if base.output.json {
                base.output.json_line(&json!({"task": task.name, "text": String::from_utf8_lossy(&bytes)}))?;
            } else {
                std::io::stdout().lock().write_all(&bytes)?;
            }
        }
    }
    if !any {
        let what = command.task.as_ref().map_or_else(|| "no task".to_owned(), |task| format!("no task `{task}`"));
        base.output.note(&format!("{what} of attempt {attempt} of `{name}` wrote a log"));
    }
    Ok(())
}

fn never_run(name: &str) -> Failure {
    Failure::of_code(code::NOT_FOUND, format!("`{name}` has never run here"))
}
