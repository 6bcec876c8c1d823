//! `suiro log`: the logs of a run's tasks.

use std::io::Write;
use std::sync::Arc;

use engine::diagnostic::{code, suggest};
use engine::run::summary::TaskSummary;
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
    let below = below(&summary.tasks, command.task.as_deref());
    if let (Some(wanted), true) = (&command.task, below.is_empty()) {
        return Err(no_such_task(&name, wanted, attempt, &summary.tasks));
    }
    let mut any = false;
    for task in below {
        if task.log.is_none() {
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

/// Returns a task and those below it, as `run +TASK` takes them; all of them for no name.
fn below<'t>(tasks: &'t [TaskSummary], wanted: Option<&str>) -> Vec<&'t TaskSummary> {
    let Some(wanted) = wanted else { return tasks.iter().collect() };
    let mut found = Vec::new();
    // Children follow their parent.
    let mut above: Option<usize> = None;
    for task in tasks {
        if above.is_some_and(|depth| task.depth <= depth) {
            above = None;
        }
        if above.is_none() && task.name.ends_with(wanted) {
            above = Some(task.depth);
        }
        if above.is_some() {
            found.push(task);
        }
    }
    found
}

/// Says that an attempt has no such task, and which is near.
fn no_such_task(name: &str, wanted: &str, attempt: AttemptId, tasks: &[TaskSummary]) -> Failure {
    let failure = Failure::of_code(code::NO_SUCH_TASK, format!("attempt {attempt} of `{name}` has no task `{wanted}`"));
    match suggest::nearest(wanted, tasks.iter().map(|task| &*task.own_name)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    }
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
