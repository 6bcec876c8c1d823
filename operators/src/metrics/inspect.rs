//! What `check` says of tiers and of the tasks that move points between them, before anything runs.

use engine::diagnostic::code;
use engine::operator::surroundings::{WrittenTask, constant};
use engine::operator::{ParamProblem, Surroundings};
use engine::params::{ParamPath, Params};
use metrics::config::{Period, TiersConfig};
use metrics::replay::csv::parse_time;
use metrics::time::shown;
use serde_json::Value;

use super::params::{TIERS_FILE, text_problems};
use super::route::Work;
use super::window::WrittenWindow;
use crate::config;

/// Looks at a task; `named` are the parameters that name tiers.
pub(super) fn task(
    work: Option<Work>,
    named: &[&str],
    params: &Params,
    surroundings: &Surroundings<'_>,
) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    text_problems(params, &mut problems);
    let Some(file) = tiers_file(params) else { return problems };
    // What is wrong in the file is said once.
    let is_first = !surroundings.tasks_above().iter().any(|task| names_file(task, &file));
    if is_first {
        problems.extend(config::in_file::<TiersConfig>(&file, "tiers", surroundings));
    }
    let Some(config) = known_config(&file, surroundings) else { return problems };
    if is_first {
        problems.extend(other_meaning(&file, &config, surroundings));
    }
    let above = || surroundings.tasks_above().iter().filter(|task| names_file(task, &file));
    if let Some(work) = work {
        let tiers: Option<Vec<(ParamPath, String)>> = named
            .iter()
            .map(|name| tiers_of(params, name))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.into_iter().flatten().collect());
        let Some(tiers) = tiers else { return problems };
        let borrowed: Vec<(ParamPath, &str)> = tiers.iter().map(|(path, tier)| (path.clone(), tier.as_str())).collect();
        let wrong = work.problems(&config, &file, &borrowed);
        if !wrong.is_empty() {
            problems.extend(wrong);
            return problems;
        }
        match (work, borrowed.as_slice()) {
            (Work::Expire, [(_, tier)]) => {
                let calls = surroundings.tasks_above().iter().any(|task| task.operator == "call");
                let here = surroundings.task();
                let before = above().filter(|task| here.is_none_or(|here| task.is_done_before(here)));
                problems.extend((!calls).then(|| unverified(tier, before)).flatten());
                problems.extend(expired_early(&config, params, tier));
            }
            (Work::Flush, [(_, from), _]) => problems.extend(flushed_late(&config, params, from)),
            (Work::Verify, [(path, from), (_, to)]) => {
                let other = dumped_from_another((path, from), to, above());
                problems.extend(other.or_else(|| work.passes_over(&config, &borrowed)));
            }
            (Work::Dump | Work::Rollup, [(_, from), (path, to)]) => {
                let other = second_writer(from, (path, to), above());
                problems.extend(other.or_else(|| work.passes_over(&config, &borrowed)));
                problems.extend(same_writer(from, (path, to), params, surroundings.task(), above()));
                if work == Work::Rollup {
                    problems.extend(behind_expiry(&config, params, from));
                }
            }
            _ => {}
        }
    }
    problems
}

/// Returns the file of tiers of a task, when it can be known.
fn tiers_file(params: &Params) -> Option<String> {
    match params.get("tiers") {
        None => Some(TIERS_FILE.to_owned()),
        Some(value) => constant(value.as_str()?),
    }
}

fn names_file(task: &WrittenTask, file: &str) -> bool {
    task.operator.starts_with("metrics.") && tiers_file(&task.params).is_some_and(|named| named == file)
}

/// Reads the file of tiers of a task, when it can be known and nothing is wrong in it.
pub(super) fn known(params: &Params, surroundings: &Surroundings<'_>) -> Option<TiersConfig> {
    known_config(&tiers_file(params)?, surroundings)
}

/// Reads the file of tiers when nothing is wrong in it and nothing is left to evaluate in it.
fn known_config(file: &str, surroundings: &Surroundings<'_>) -> Option<TiersConfig> {
    let known = config::known_file::<TiersConfig>(file, "tiers", surroundings).ok()??;
    let value = known.value()?;
    // Secrets are texts of their own: what they hold changes nothing here.
    let config: TiersConfig = config::read_value(&value).ok()?;
    TiersConfig::problems(&config).is_empty().then_some(config)
}

/// Returns the tiers that a parameter names; none when they cannot be known.
fn tiers_of(params: &Params, name: &str) -> Option<Vec<(ParamPath, String)>> {
    let path = ParamPath::from(name);
    match params.get(name)? {
        Value::String(tier) => Some(vec![(path, constant(tier)?)]),
        Value::Array(tiers) => {
            let tier = |(index, tier): (usize, &Value)| Some((path.index(index), constant(tier.as_str()?)?));
            tiers.iter().enumerate().map(tier).collect()
        }
        _ => None,
    }
}

/// Says that a tier is expired that no task above is sure to have verified.
fn unverified<'a>(tier: &str, mut above: impl Iterator<Item = &'a WrittenTask>) -> Option<ParamProblem> {
    let verifies = |task: &WrittenTask| {
        task.operator == "metrics.verify"
            // What cannot be known may be it.
            && tiers_of(&task.params, "_command").is_none_or(|tiers| tiers.iter().any(|(_, named)| named == tier))
    };
    if above.any(verifies) {
        return None;
    }
    let message =
        format!("`{tier}` is expired, and no `metrics.verify>` above has looked whether its points are archived");
    let help = format!("add a task above in this file: `+verify: {{metrics.verify>: [{tier}, …]}}`");
    Some(ParamProblem::new("_command".into(), message).code(code::POINTS_LOST).help(help))
}

/// Says that a task above writes the same tier from another one.
fn second_writer<'a>(
    from: &str,
    (path, to): (&ParamPath, &str),
    above: impl Iterator<Item = &'a WrittenTask>,
) -> Option<ParamProblem> {
    let named = |task: &WrittenTask, name: &str| Some(tiers_of(&task.params, name)?.first()?.1.clone());
    let mut writers = above.filter(|task| matches!(task.operator.as_str(), "metrics.dump" | "metrics.rollup"));
    let other = writers.find_map(|task| {
        let same = named(task, "to").is_some_and(|other| other == to);
        named(task, "_command").filter(|other| same && other != from)
    })?;
    let message = format!("`{to}` is written from `{other}` by a task above already, and from `{from}` here");
    Some(
        ParamProblem::new(path.clone(), message)
            .code(code::TWO_WRITERS)
            .help("each window of a tier has one writer: move points down one tier after the other"),
    )
}

/// Says that a window is compared with a store that the tasks above do not dump it from.
fn dumped_from_another<'a>(
    (path, from): (&ParamPath, &str),
    to: &str,
    above: impl Iterator<Item = &'a WrittenTask>,
) -> Option<ParamProblem> {
    let named = |task: &WrittenTask, name: &str| Some(tiers_of(&task.params, name)?.first()?.1.clone());
    let mut sources = Vec::new();
    for task in above.filter(|task| task.operator == "metrics.dump") {
        // What cannot be known may be it.
        let (source, target) = (named(task, "_command")?, named(task, "to")?);
        if target == to {
            sources.push(source);
        }
    }
    let other = sources.first().filter(|_| !sources.iter().any(|source| source == from))?;
    let message = format!(
        "`{to}` is dumped from `{other}` by a task above: its points cannot be compared with those of `{from}`"
    );
    Some(
        ParamProblem::new(path.clone(), message)
            .help(format!("compare it with what it was made of: `[{other}, {to}]`")),
    )
}

/// Says that a task above does the same at the same time.
fn same_writer<'a>(
    from: &str,
    (path, to): (&ParamPath, &str),
    params: &Params,
    here: Option<&WrittenTask>,
    mut above: impl Iterator<Item = &'a WrittenTask>,
) -> Option<ParamProblem> {
    let here = here?;
    let is_named =
        |task: &WrittenTask, name: &str, tier: &str| tiers_of(&task.params, name).is_some_and(|all| all[0].1 == tier);
    let is_same = |task: &WrittenTask| {
        task.operator == here.operator
            && is_named(task, "_command", from)
            && is_named(task, "to", to)
            && task.params.get("window") == params.get("window")
    };
    above.find(|task| is_same(task) && runs_beside(task, here))?;
    let message = format!("a task above writes the same windows of `{to}` from `{from}` at the same time");
    Some(
        ParamProblem::new(path.clone(), message)
            .code(code::TWO_WRITERS)
            .help("one of both finds nothing to do: leave it out, or give each a `window` of its own"),
    )
}

/// Tells whether two tasks are in one group whose tasks run at once, and neither says what it waits for.
fn runs_beside(left: &WrittenTask, right: &WrittenTask) -> bool {
    let both = left.within.iter().zip(&right.within).take_while(|(left, right)| left.place == right.place);
    let waits = [left, right].iter().any(|task| task.params.contains_key("_after"));
    !waits && both.last().is_some_and(|(group, _)| group.is_parallel)
}

/// Says that another file, of a task above, means something else by the name of a tier.
fn other_meaning(file: &str, config: &TiersConfig, surroundings: &Surroundings<'_>) -> Option<ParamProblem> {
    let here = config.tiers().ok()?;
    let above = surroundings.tasks_above().iter().filter(|task| task.operator.starts_with("metrics."));
    let mut others: Vec<String> =
        above.filter_map(|task| tiers_file(&task.params)).filter(|other| other != file).collect();
    others.dedup();
    others.into_iter().find_map(|other| {
        let there = known_config(&other, surroundings)?.tiers().ok()?;
        let (tier, in_other, in_file) = metrics::contradiction(&there, &here)?;
        let message = format!("the tier `{tier}` is {in_file} in `{file}`, and {in_other} in `{other}` of a task above");
        let help = "points and windows are kept by the names of their tiers: give the tiers of one of both files names of their own";
        Some(ParamProblem::new("tiers".into(), message).code(code::TWO_WRITERS).help(help))
    })
}

/// Says that windows of the last tier, which live on nowhere, are to go before their time is over.
fn expired_early(config: &TiersConfig, params: &Params, tier: &str) -> Option<ParamProblem> {
    let older_than = Period::parse(&constant(params.get("older_than")?.as_str()?)?)?;
    let (last, found) = config.tiers.last()?;
    let keep = found.keep();
    let is_early = last == tier && found.as_parquet().is_some() && older_than < keep;
    let message = format!("`{tier}` keeps its windows for {keep}, and those older than {older_than} were to go");
    let problem = ParamProblem::new("older_than".into(), message).code(code::POINTS_LOST);
    is_early.then(|| problem.help("what the last tier gives up is nowhere else: make its `keep` smaller"))
}

/// Says that points leave a store when it has given them up already, by the task's own age.
fn flushed_late(config: &TiersConfig, params: &Params, from: &str) -> Option<ParamProblem> {
    let age = Period::parse(&constant(params.get("age")?.as_str()?)?)?;
    let (keep, needed) = (config.tiers.get(from)?.keep(), age.plus(config.lateness));
    let message = format!(
        "`{from}` keeps points for {keep}, and the oldest is needed for {needed}: it is flushed with an age of {age}, and may come {} \
         late",
        config.lateness
    );
    let problem = ParamProblem::new("age".into(), message).code(code::POINTS_LOST);
    (keep < needed).then(|| problem.help(format!("flush with a smaller age, or keep them for {needed} at least")))
}

/// Says that a roll-up begins where the finer tier has given up its points already: by the time that counts as now, which a window
/// may be written from, or that `at` says. When the session is, nobody knows yet.
fn behind_expiry(config: &TiersConfig, params: &Params, from: &str) -> Option<ParamProblem> {
    let known = |name: &str| constant(params.get(name)?.as_str()?);
    let keep = config.tiers.get(from)?.keep();
    let window = WrittenWindow::parse(&known("window")?).ok()?;
    let problem = |message: String| ParamProblem::new("window".into(), message).code(code::POINTS_LOST);
    if let Some(start) = window.starts_before() {
        let message = format!(
            "the window begins {start} before the session, and `{from}` keeps points for {keep}: the roll-up would be made of what \
             is left"
        );
        return (start > keep).then(|| problem(message).help(format!("begin at `-{keep}` or later")));
    }
    let (start_ms, at) = (window.starts_at()?, known("at")?);
    let kept_ms = parse_time(&at)?.saturating_sub(keep.as_millis());
    let message = format!(
        "the window begins at {}, and at `{at}` the tier `{from}`, which keeps points for {keep}, has them from {} on: the roll-up would \
         be made of what is left",
        shown(start_ms),
        shown(kept_ms)
    );
    (start_ms < kept_ms).then(|| problem(message).help(format!("begin at `{}` or later", shown(kept_ms))))
}
