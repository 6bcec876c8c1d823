//! `suiro plan`: the tasks, what they would run, and what would change; nothing runs and nothing is made.

use std::sync::Arc;

use engine::run::plan::PlannedTask;
use engine::run::{AttemptRequest, Engine, EngineSettings, Rerun, Unobserved};
use engine::store::{AttemptSpec, MemoryStore};
use engine::time::SystemClock;
use operators::LakePlan;
use serde_json::json;

use super::run::PROJECT;
use super::workflow;
use crate::cli;
use crate::compose::{Base, door, registry};
use crate::failure::{Exit, Failure};
use crate::output::bytes;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Plan) -> Result<(), Failure> {
    let settings = base.settings(Some(&command.file))?;
    let door = Arc::new(door(&settings));
    let registry = Arc::new(registry(&door));
    let workflow = workflow::load(base, &settings, &command.file, &registry)?;
    let params = workflow::params(&command.session)?;
    let session_time = workflow::session_time(&workflow, command.session.session.as_deref(), None)?;
    let name = workflow.name.clone();
    // A plan stores nothing: its engine has no state of its own.
    let engine = Engine::new(
        Arc::new(MemoryStore::default()),
        registry,
        Arc::new(SystemClock),
        Arc::new(Unobserved),
        EngineSettings::new(settings.project.clone()),
    );
    let request = AttemptRequest {
        project: PROJECT.to_owned(),
        session_time: session_time.timestamp(),
        spec: AttemptSpec {
            workflow,
            settings_params: engine::params::Params::new(),
            file_params: params.file,
            command_line_params: params.command_line,
            only: None,
        },
        rerun: Rerun::All,
    };
    let tasks = engine.plan(&request).await?;
    // A lake that was never opened has no tables; opening it would make it.
    let lake_is_there = settings.state_dir.join("catalog.sqlite").is_file();
    let session = session_time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    if !base.output.json {
        base.output.line(&format!("{name}  session {session}"))?;
    }
    let (mut n_problems, mut predicted) = (0_usize, 0_u64);
    for task in &tasks {
        let lake_plan = operators::plan(lake_is_there.then_some(&door), &settings.project, task).await;
        predicted += lake_plan.as_ref().and_then(|plan| plan.predicted_bytes).unwrap_or(0);
        let failed = task.params.is_err() || lake_plan.as_ref().is_some_and(|plan| plan.problem.is_some());
        n_problems += usize::from(failed);
        if base.output.json {
            base.output.json_line(&json!({
                "task": task.name,
                "operator": task.operator,
                "params": task.params.as_ref().ok(),
                "problem": task.params.as_ref().err().map(|failure| &failure.message),
                "lake": lake_plan,
            }))?;
        } else {
            show(base, task, lake_plan.as_ref())?;
        }
    }
    if !base.output.json {
        base.output.line("")?;
        base.output.line(&format!(
            "{} tasks{}. Nothing was run. What a task stores is not known to the tasks after it yet.",
            tasks.iter().filter(|task| task.operator.is_some()).count(),
            if predicted > 0 {
                format!(", at most {} to scan by those whose tables are there", bytes(predicted))
            } else {
                String::new()
            }
        ))?;
    }
    if n_problems > 0 && base.output.json {
        return Ok(());
    }
    let only_unknown = n_problems == 0 || tasks.iter().any(|task| task.params.is_err());
    if only_unknown { Ok(()) } else { Err(Failure::said(Exit::Usage)) }
}

/// Prints a task: its name and operator, then what it would do.
fn show(base: &Base, task: &PlannedTask, lake_plan: Option<&LakePlan>) -> Result<(), Failure> {
    let indent = "  ".repeat(task.depth);
    let operator = task.operator.as_ref().map_or_else(String::new, |operator| format!("  {operator}>"));
    base.output.line(&format!("{indent}{}{operator}", task.own_name))?;
    let detail = |line: &str| base.output.line(&format!("{indent}    {line}"));
    let params = match &task.params {
        Ok(params) => params,
        Err(failure) => {
            detail(&format!("not known yet: {}", failure.message))?;
            return Ok(());
        }
    };
    if lake_plan.is_none() {
        for (key, value) in params.iter().filter(|(key, _)| !matches!(key.as_str(), "_do" | "_else_do")) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let key = if key == "_command" { String::new() } else { format!("{key}: ") };
            for line in format!("{key}{value}").lines() {
                detail(line)?;
            }
        }
        return Ok(());
    }
    let Some(plan) = lake_plan else { return Ok(()) };
    if let Some(target) = &plan.target {
        let operator = task.operator.as_deref().unwrap_or_default();
        detail(&match plan.exists {
            _ if operator.contains("exists?") => format!("looks at {target}"),
            Some(false) if operator.starts_with("athena.drop_") => format!("finds no {target} to drop"),
            _ if operator.starts_with("athena.drop_") => format!("drops {target}"),
            _ if operator == "load" => format!("writes {target}"),
            Some(true) => format!("replaces {target}"),
            Some(false) => format!("adds {target}"),
            None => format!("changes {target}"),
        })?;
    }
    for line in &plan.lines {
        detail(line)?;
    }
    if let Some(sql) = &plan.sql {
        for line in sql.trim().lines() {
            detail(&format!("| {line}"))?;
        }
    }
    if let Some(predicted) = plan.predicted_bytes {
        detail(&format!("scans at most {}", bytes(predicted)))?;
    }
    if let Some(problem) = &plan.problem {
        detail(&format!("problem: {problem}"))?;
    }
    Ok(())
}
