//! `suiro log`: the logs of a run's tasks.

use std::io::Write;
use std::sync::Arc;

use engine::diagnostic::code;
use engine::run::{Engine, EngineError};
use engine::schedule;
use engine::session::{AttemptId, SessionKey};
use engine::store::AttemptRecord;
use engine::time::SystemClock;
use jiff::tz::TimeZone;
use serde_json::json;

use super::run::{PROJECT, engine_settings};
use crate::cli;
use crate::compose::{Base, door, in_project, registry};
use crate::failure::Failure;

/// How much of a log is read at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// How many attempts are named, the latest ones, where the one that was asked for is not there.
const SHOWN_ATTEMPTS: u32 = 10;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Log) -> Result<(), Failure> {
    let settings = base.settings(Some(&command.file))?;
    let path = in_project(&settings, &command.file)?;
    let name = path.with_extension("").to_string_lossy().into_owned();
    let registry = Arc::new(registry(&Arc::new(door(&settings, base.listener()))));
    let engine = Engine::open_to_look(registry, Arc::new(SystemClock), engine_settings(&settings, None)).await?;
    let Some(engine) = engine else { return Err(never_run(&name)) };
    let recent = engine.store().recent_attempts(PROJECT, &name, SHOWN_ATTEMPTS).await.map_err(EngineError::from)?;
    let Some((_, last)) = recent.first() else { return Err(never_run(&name)) };
    let attempt = match command.attempt.map(AttemptId) {
        None => last.id,
        Some(wanted) => {
            let found = engine.store().attempt(wanted).await.map_err(EngineError::from)?;
            let owner = found.map(|found| found.spec.workflow.name.clone());
            if owner.as_ref() != Some(&name) {
                return Err(no_such_attempt(&name, wanted, owner.as_deref(), &recent));
            }
            wanted
        }
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

/// Says that a workflow has no such attempt, whose it is, and which there are.
fn no_such_attempt(
    name: &str,
    wanted: AttemptId,
    owner: Option<&str>,
    recent: &[(SessionKey, AttemptRecord)],
) -> Failure {
    let message = match owner {
        Some(owner) => format!("attempt {wanted} is one of `{owner}`, not of `{name}`"),
        None => format!("`{name}` has no attempt {wanted}"),
    };
    let recent = recent.iter().map(|(key, attempt)| {
        let zone = schedule::time_zone(&attempt.spec.workflow.time_zone).unwrap_or(TimeZone::UTC);
        let session = key.session_time.to_zoned(zone);
        format!("{} (session {})", attempt.id, session.strftime("%Y-%m-%dT%H:%M:%S%:z"))
    });
    let recent: Vec<String> = recent.collect();
    Failure::of_code(code::NOT_FOUND, message).help(format!("the latest of `{name}`: {}", recent.join(", ")))
}

fn never_run(name: &str) -> Failure {
    Failure::of_code(code::NOT_FOUND, format!("`{name}` has never run here"))
}
