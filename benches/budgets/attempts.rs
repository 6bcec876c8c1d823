//! The engine at work on tasks that do nothing: hops, tasks a second, one attempt of 100,000 tasks.
//!
//! The state is a real file, every commit as durable as in the product.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use engine::operator::{Registry, TaskContext, TaskError, TaskOutcome, TaskResult, TypedOperator, builtin};
use engine::params::Params;
use engine::run::{AttemptRequest, Deadline, Engine, EngineSettings, Progress, Rerun, Unobserved};
use engine::session::AttemptState;
use engine::store::AttemptSpec;
use engine::time::SystemClock;
use engine::workflow;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::figure::{Figure, kibibytes, median, megabytes, milliseconds, per_second, percentile, seconds};
use crate::process::{memory_kib, peak_of_long_suiro, peak_of_suiro};
use crate::worker::{self, Numbers};
use crate::{Result, Scale};

/// From the call of one operator to the call of the next, which waits for it.
pub(crate) fn hop(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let numbers = worker::run("chain", folder, 2_000 / scale.divisor)?;
    Ok(vec![
        Figure::at_most("durable hop between two in-process tasks, p50", numbers.get("p50_s")?, 0.001, milliseconds),
        Figure::informative("the same, p99", milliseconds(numbers.get("p99_s")?)),
    ])
}

/// Tasks a second when all may run at once.
pub(crate) fn no_op(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let n_tasks = 20_000 / scale.divisor;
    let mut rates = Vec::new();
    for run in 0..scale.runs {
        let own = folder.join(run.to_string());
        fs::create_dir(&own)?;
        let numbers = worker::run("parallel", &own, n_tasks)?;
        rates.push(numbers.get("tasks")? / numbers.get("wall_s")?);
    }
    Ok(vec![Figure::at_least("no-op tasks a second, durable, parallel", median(&rates), 4_000.0, per_second("tasks"))])
}

/// One attempt of 100,000 tasks: whether it ends, and what it needs; once the engine alone, once the whole command with its
/// output, logs and closing summary.
pub(crate) fn large(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let n_tasks = 100_000 / scale.divisor;
    let numbers = worker::run("parallel", folder, n_tasks)?;
    let over_idle = numbers.get("peak_kib")? - numbers.get("idle_kib")?;
    let what = format!("one attempt of {n_tasks} tasks");
    // The setting `task_limit` counts the tasks around the loop too: the root, the loop, its group.
    let n_turns = n_tasks - 3;
    let command = format!("one attempt of {n_turns} `echo>` by `suiro run`");
    let project = folder.join("command");
    fs::create_dir(&project)?;
    fs::write(project.join("idle.dig"), "+hello:\n  echo>: hello\n")?;
    let text = format!("+all:\n  loop>: {n_turns}\n  _parallel: true\n  _do:\n    echo>: turn ${{i}}\n");
    fs::write(project.join("large.dig"), text)?;
    let idle = peak_of_suiro(&project, &["run", "idle.dig"])?;
    let started = Instant::now();
    let peak = peak_of_long_suiro(&project, &["run", "large.dig"])?;
    let wall_s = started.elapsed().as_secs_f64();
    Ok(vec![
        Figure::informative(&format!("{what}, wall"), seconds(numbers.get("wall_s")?)),
        Figure::at_most(&format!("{what}, peak memory over idle"), over_idle, kibibytes(200.0), megabytes),
        Figure::informative(&format!("{command}, wall"), seconds(wall_s)),
        Figure::at_most(&format!("{command}, peak memory over that of one"), peak - idle, kibibytes(200.0), megabytes),
    ])
}

/// Runs tasks one after the other, each its own in the file.
pub(crate) async fn chain(folder: &Path, n_tasks: u64) -> Result<Numbers> {
    let mut text = String::new();
    for task in 0..n_tasks {
        write!(text, "+task_{task}:\n  no_op>:\n")?;
    }
    let ran = run(folder, &text).await?;
    let hops: Vec<f64> = ran.calls.iter().zip(ran.calls.iter().skip(1)).map(|(a, b)| (*b - *a).as_secs_f64()).collect();
    Ok(Numbers::default().with("p50_s", percentile(&hops, 50)).with("p99_s", percentile(&hops, 99)))
}

/// Runs the turns of a loop, all of which may run at once.
pub(crate) async fn parallel(folder: &Path, n_tasks: u64) -> Result<Numbers> {
    let text =
        format!("+all:\n  for_range>: {{from: 0, to: {n_tasks}, step: 1}}\n  _parallel: true\n  _do:\n    no_op>:\n");
    let ran = run(folder, &text).await?;
    // Any number of calls that fits into memory is exact.
    let n_calls = u32::try_from(ran.calls.len())?;
    if u64::from(n_calls) != n_tasks {
        return Err(format!("{n_calls} of {n_tasks} tasks ran").into());
    }
    let numbers = Numbers::default().with("tasks", f64::from(n_calls));
    Ok(numbers.with("wall_s", ran.wall_s).with("idle_kib", ran.idle_kib))
}

/// What an attempt took.
struct Ran {
    /// When the operator was called.
    calls: Vec<Instant>,
    /// From submitting to the end.
    wall_s: f64,
    /// The memory of the process before it had a workflow.
    idle_kib: f64,
}

/// Runs a workflow to its end as `suiro run` does, without its display.
async fn run(folder: &Path, text: &str) -> Result<Ran> {
    fs::write(folder.join("bench.dig"), text)?;
    let calls = Arc::default();
    let mut registry = Registry::default();
    builtin::register_builtin(&mut registry);
    registry.register(NoOp { calls: Arc::clone(&calls) });
    let registry = Arc::new(registry);
    let mut settings = EngineSettings::new(folder);
    // The tasks that hold the loop come on top.
    settings.task_limit = 200_000;
    let engine = Engine::open(Arc::clone(&registry), Arc::new(SystemClock), Arc::new(Unobserved), settings).await?;
    let idle_kib = memory_kib("self", "VmRSS").unwrap_or_default();
    let loaded = workflow::load(folder, "bench.dig", &registry);
    let Some(workflow) = loaded.workflow else {
        let messages: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect();
        return Err(messages.join("; ").into());
    };
    let spec = AttemptSpec {
        workflow,
        settings_params: Params::new(),
        file_params: Params::new(),
        command_line_params: Params::new(),
        only: None,
        files: loaded.files,
    };
    let request = AttemptRequest {
        project: "bench".to_owned(),
        session_time: jiff::Timestamp::UNIX_EPOCH,
        spec,
        rerun: Rerun::Unfinished,
    };
    let started = Instant::now();
    let submitted = engine.submit(request).await?;
    let progress = engine.advance(Deadline::End).await?;
    let wall_s = started.elapsed().as_secs_f64();
    let attempt = engine.store().attempt(submitted.attempt()).await?;
    let succeeded = attempt.is_some_and(|attempt| attempt.state == AttemptState::Success);
    if progress != Progress::Ended || !succeeded {
        return Err("the attempt did not succeed".into());
    }
    let calls = std::mem::take(&mut *calls.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ran { calls, wall_s, idle_kib })
}

/// Does nothing but tell when.
#[derive(Debug)]
struct NoOp {
    calls: Arc<Mutex<Vec<Instant>>>,
}

/// The parameters of `no_op>`: none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoOpParams {}

impl TypedOperator for NoOp {
    const NAME: &'static str = "no_op";
    const SUMMARY: &'static str = "Does nothing.";
    const COMMAND: Option<&'static str> = None;
    const DETAILS: &'static str = "What is left is the engine's own work.";
    const EXAMPLE: &'static str = "+nothing:\n  no_op>:\n";

    type Params = NoOpParams;

    async fn run(&self, _context: &TaskContext, _params: NoOpParams) -> std::result::Result<TaskOutcome, TaskError> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        Ok(TaskResult::default().done())
    }

    async fn cancel(&self, _context: &TaskContext) -> std::result::Result<(), TaskError> {
        Ok(())
    }
}
