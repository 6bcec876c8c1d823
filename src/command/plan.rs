//! `suiro plan`: the tasks, what they would run, and what would change; nothing runs and nothing is made.

use std::sync::Arc;

use engine::params::Params;
use engine::run::plan::{PlannedTask, Unknown};
use engine::run::{AttemptRequest, Engine, Rerun, Unobserved, state_trouble};
use engine::store::{AttemptSpec, MemoryStore};
use engine::time::SystemClock;
use lake::words::bytes;
use operators::{Effect, LakePlan, Purpose};
use serde_json::json;

use super::run::{PROJECT, engine_settings};
use super::workflow;
use crate::cli;
use crate::compose::{Base, door_to, has_lake, registry};
use crate::failure::{Exit, Failure};
use crate::output::{counted, dollars, usd};
use crate::settings::Settings;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Plan) -> Result<(), Failure> {
    let settings = base.settings(Some(&command.file))?;
    let door = Arc::new(door_to(&settings, Purpose::Look, base.listener()));
    let registry = Arc::new(registry(&door));
    let params = workflow::params(&command.session)?;
    let (workflow, files) = workflow::load(base, &settings, &command.file, &registry, &params)?;
    let session_time = workflow::session_time(&workflow, command.session.session.as_deref(), None)?;
    let name = workflow.name.clone();
    let warning = warning(&settings)?;
    // A plan stores nothing: its engine has no state of its own.
    let engine = Engine::new(
        Arc::new(MemoryStore::default()),
        registry,
        Arc::new(SystemClock),
        Arc::new(Unobserved),
        engine_settings(&settings, None),
    );
    let request = AttemptRequest {
        project: PROJECT.to_owned(),
        session_time: session_time.timestamp(),
        spec: AttemptSpec {
            workflow,
            settings_params: Params::new(),
            file_params: params.file,
            command_line_params: params.command_line,
            only: None,
            files,
        },
        rerun: Rerun::All,
    };
    let tasks = engine.plan(&request).await?;
    if let Some(warning) = warning.as_ref().filter(|_| !base.output.json) {
        base.output.note(&format!("warning: {warning}"));
    }
    // A lake that was never opened has no tables; opening it would make it.
    let lake_is_there = has_lake(&settings);
    let session = session_time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    if !base.output.json {
        base.output.line(&format!("{name}  session {session}"))?;
    }
    let (mut n_problems, mut cost) = (0_usize, 0_u64);
    let (mut scanned, mut read) = (Predicted::default(), Predicted::default());
    let mut have_checks = false;
    let mut changed = Changed::default();
    for task in &tasks {
        let lake_plan = operators::plan(&door, lake_is_there, &settings.project, task).await;
        if let Some(plan) = &lake_plan {
            if plan.sql.is_some() {
                scanned.add(plan.predicted_bytes);
                have_checks |= to_scan(plan).is_some() && plan.has_checks;
            }
            if plan.sql.is_some() || task.operator.as_deref() == Some("load") {
                read.add(plan.predicted_bytes);
            }
            cost += settings.cost_micro_usd(to_scan(plan).unwrap_or(0));
        }
        let problem = problem(task, lake_plan.as_ref(), &changed);
        n_problems += usize::from(problem.is_some());
        if base.output.json {
            base.output.json_line(&json!({
                "task": task.name,
                "operator": task.operator,
                "params": as_written(task),
                "unknown": unknown(task, lake_plan.as_ref()).map(|unknown| json!({
                    "expression": unknown.expression,
                    "reason": unknown.reason,
                })).collect::<Vec<_>>(),
                "example": task.is_example,
                "problem": problem,
                "lake": lake_plan,
            }))?;
        } else {
            show(base, task, lake_plan.as_ref(), problem, &changed)?;
        }
        if let Some((plan, target)) = lake_plan.as_ref().and_then(|plan| Some((plan, plan.target.as_deref()?))) {
            changed.note(task, plan, target);
        }
    }
    let n_tasks = tasks.iter().filter(|task| task.operator.is_some()).count();
    if base.output.json {
        base.output.json_line(&json!({
            "workflow": name,
            "session": session,
            "tasks": n_tasks,
            "problems": n_problems,
            "predicted_bytes": read.sum(),
            "predicted_cost_usd": (cost > 0).then(|| usd(cost)),
            "warnings": warning.into_iter().collect::<Vec<_>>(),
        }))?;
    } else {
        let scans = match scanned.sum() {
            None => ", unknown how much to scan".to_owned(),
            Some(0) if cost == 0 => String::new(),
            Some(predicted) => {
                let cost = if cost > 0 { format!(" for {}", dollars(cost)) } else { String::new() };
                let without = if have_checks { ", without their checks" } else { "" };
                format!(", at most {}{cost} to scan by those whose tables are there{without}", bytes(predicted))
            }
        };
        let problems = match n_problems {
            0 => String::new(),
            1 => ", 1 of them would fail".to_owned(),
            more => format!(", {more} of them would fail"),
        };
        base.output.line("")?;
        base.output.line(&format!(
            "{}{scans}{problems}. Nothing was run. What a task stores is not known to the tasks after it yet.",
            counted(u64::try_from(n_tasks).unwrap_or(u64::MAX), "task")
        ))?;
    }
    if n_problems > 0 { Err(Failure::said(Exit::Usage)) } else { Ok(()) }
}

/// The bytes that tasks would read, where it is known of a task.
#[derive(Debug, Clone, Copy, Default)]
struct Predicted {
    n_tasks: usize,
    known: Option<u64>,
}

impl Predicted {
    fn add(&mut self, bytes: Option<u64>) {
        self.n_tasks += 1;
        self.known = self.known.map_or(bytes, |known| Some(known.saturating_add(bytes.unwrap_or(0))));
    }

    /// Returns the sum of what is known; none when it is known of none of the tasks. No task reads nothing.
    fn sum(self) -> Option<u64> {
        if self.n_tasks == 0 { Some(0) } else { self.known }
    }
}

/// Says what would keep a run from its first task, when whoever plans may not change what is there: another user may run it.
///
/// # Errors
/// When nobody could run it, because something else stands in the place of the state.
fn warning(settings: &Settings) -> Result<Option<String>, Failure> {
    match state_trouble(&settings.state_dir) {
        None => Ok(None),
        Some(error) if error.is_refused() => {
            let help: String = error.help().into_iter().flat_map(|line| ["; ".to_owned(), line]).collect();
            Ok(Some(format!("a run would not start here: {error}{help}")))
        }
        Some(error) => Err(error.into()),
    }
}

/// Returns the parameters of a task by the keys of its file: the operator's own value is at its name, such as `echo>`.
fn as_written(task: &PlannedTask) -> Params {
    let key = |key: &str| match (&task.operator, key) {
        (Some(operator), "_command") => format!("{operator}>"),
        (_, key) => key.to_owned(),
    };
    task.params.iter().map(|(name, value)| (key(name), value.clone())).collect()
}

/// Says what would go wrong with a task, as far as that is known.
fn problem<'p>(task: &'p PlannedTask, lake_plan: Option<&'p LakePlan>, changed: &Changed<'_>) -> Option<&'p str> {
    let own = task.problem.as_ref().map(|failure| failure.message.as_str());
    let of_target = || {
        let plan = lake_plan?;
        let is_decided_above = changed.before(plan.target.as_deref()?, plan.exists).is_some();
        plan.target_problem.as_deref().filter(|_| !is_decided_above)
    };
    own.or_else(|| lake_plan?.problem.as_deref()).or_else(of_target)
}

/// Lists the expressions of a task that are not known yet, each once.
fn unknown<'p>(task: &'p PlannedTask, lake_plan: Option<&'p LakePlan>) -> impl Iterator<Item = &'p Unknown> {
    let in_files = lake_plan.map(|plan| plan.unknown.as_slice()).unwrap_or_default();
    let mut told: Vec<&str> = Vec::new();
    task.unknown.iter().chain(in_files).filter(move |unknown| {
        let is_new = !told.contains(&unknown.expression.as_str());
        told.push(&unknown.expression);
        is_new
    })
}

/// Prints a task: its name and operator, then what it would do.
fn show(
    base: &Base,
    task: &PlannedTask,
    lake_plan: Option<&LakePlan>,
    problem: Option<&str>,
    changed: &Changed<'_>,
) -> Result<(), Failure> {
    let indent = "  ".repeat(task.depth);
    let operator = task.operator.as_ref().map_or_else(String::new, |operator| format!("  {operator}>"));
    base.output.line(&format!("{indent}{}{operator}", task.own_name))?;
    let detail = |line: &str| base.output.line(&format!("{indent}    {line}"));
    match lake_plan {
        Some(plan) => {
            if let Some(target) = &plan.target {
                let before = changed.before(target, plan.exists);
                detail(&purpose(task.operator.as_deref().unwrap_or_default(), plan, target, before))?;
            }
            plan.lines.iter().try_for_each(|line| detail(line))?;
            for line in plan.sql.iter().flat_map(|sql| sql.trim().lines()) {
                detail(format!("| {line}").trim_end())?;
            }
            if let Some(predicted) = to_scan(plan) {
                let without = if plan.has_checks { ", without its checks" } else { "" };
                detail(&format!("scans at most {}{without}", bytes(predicted)))?;
            }
        }
        None => {
            for (key, value) in task.params.iter().filter(|(key, _)| !matches!(key.as_str(), "_do" | "_else_do")) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let key = if key == "_command" { String::new() } else { format!("{key}: ") };
                format!("{key}{value}").lines().try_for_each(detail)?;
            }
        }
    }
    for unknown in unknown(task, lake_plan) {
        detail(&format!("not known yet: ${{{}}} ({})", unknown.expression, unknown.reason))?;
    }
    if task.has_examples {
        detail(match task.operator.as_deref() {
            Some("if") => "whether it holds is not known yet: what it would run follows",
            _ => "how often it runs is not known yet: one turn follows, as it is written",
        })?;
    }
    if let Some(problem) = problem {
        for (number, line) in problem.lines().enumerate() {
            detail(&if number == 0 { format!("problem: {line}") } else { format!("  {line}") })?;
        }
    }
    Ok(())
}

/// Returns the bytes that the query of a task scans at most; none for a task without one: what a load reads is in its lines, and costs
/// nothing.
fn to_scan(plan: &LakePlan) -> Option<u64> {
    plan.predicted_bytes.filter(|_| plan.sql.is_some() && plan.effect != Some(Effect::Leaves))
}

/// What the tasks above change: the lake as it is says nothing of that to those below.
#[derive(Debug, Default)]
struct Changed<'p>(Vec<Change<'p>>);

/// What a task changes.
#[derive(Debug)]
struct Change<'p> {
    task: &'p str,
    target: String,
    is_drop: bool,
}

impl<'p> Changed<'p> {
    /// Notes that a task changes a table, or a partition of one (`TABLE KEYS`).
    fn note(&mut self, task: &'p PlannedTask, plan: &LakePlan, target: &str) {
        let Some(operator) = task.operator.as_deref().filter(|operator| !operator.contains("exists?")) else { return };
        if plan.target_problem.is_some() || matches!(plan.effect, Some(Effect::Leaves | Effect::Nothing)) {
            return;
        }
        let is_drop = operator.starts_with("athena.drop_") || plan.effect == Some(Effect::Drops);
        self.0.push(Change { task: &task.own_name, target: target.to_owned(), is_drop });
    }

    /// Returns the last task above that decides whether a target is there: one of the same target; one that takes away, or makes
    /// what is not there, of its table; or, for a table that is not there yet, one of its partitions.
    fn before(&self, target: &str, exists: Option<bool>) -> Option<&'p str> {
        let is_part_of = |part: &str, table: &str| part.strip_prefix(table).is_some_and(|keys| keys.starts_with(' '));
        let decides = |change: &&Change<'_>| {
            let of_its_table = is_part_of(target, &change.target) && exists == Some(change.is_drop);
            let of_a_part = is_part_of(&change.target, target) && exists == Some(false);
            change.target == target || of_its_table || of_a_part
        };
        self.0.iter().rev().find(decides).map(|change| change.task)
    }
}

/// Says what a task does to its target, which a task above may change.
fn purpose(operator: &str, plan: &LakePlan, target: &str, before: Option<&str>) -> String {
    let drops = operator.starts_with("athena.drop_");
    match (plan.exists, before) {
        _ if operator.contains("exists?") => format!("looks at {target}"),
        (_, Some(before)) if drops => format!("drops {target}, if it is there after `{before}`"),
        (Some(false), None) if drops => format!("finds no {target} to drop"),
        _ if drops => format!("drops {target}"),
        (_, Some(before)) => format!("changes {target}; whether it is there is known after `{before}`"),
        _ if plan.target_problem.is_some() => format!("finds {target} there already"),
        _ if plan.effect == Some(Effect::Leaves) => format!("leaves {target} as it is: it is there already"),
        _ if plan.effect == Some(Effect::Drops) => format!("drops the registration of {target}"),
        _ if plan.effect == Some(Effect::Nothing) => format!("adds no {target}"),
        (Some(true), _) if operator == "load" => format!("writes {target}, which is there already"),
        (Some(false), _) if operator == "load" => format!("writes {target}, which is not there yet"),
        (Some(true), _) => format!("replaces {target}"),
        (Some(false), _) => format!("adds {target}"),
        (None, _) => format!("changes {target}; whether it is there is not known yet"),
    }
}
