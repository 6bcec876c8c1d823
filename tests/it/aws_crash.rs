//! On the profile of AWS, against our endpoint: the process is stopped before and after every durable effect, and the same
//! command then continues. Each query is paid for once, what is published is the same to the byte as undisturbed, nothing is
//! left over, and a reader of the catalog and its objects finds what was there or what becomes, never between.
//!
//! The endpoint goes on all the while, as AWS does. Each session of a scenario is stopped once and replaces the one before it
//! (or publishes what was not there), so that one endpoint serves all stops of a scenario.
//!
//! `SCENARIO="a load" cargo test --test it aws_crash::` runs one of them alone, without asking for all points.

pub(crate) mod scenario;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;
use std::sync::LazyLock;

use regex::Regex;

use crate::crash::{in_pairs, traced};
use crate::support::{Outcome, Project, files_below, root};
use scenario::{Scenario, Session};
use world::{Found, Target, Watched, World};

/// A plan that stops nowhere, so that all passes are traced.
const TRACED: [(&str, &str); 2] = [("SUIRO_CRASH_AT", "nowhere:before"), ("SUIRO_LOG", "error,crash_point=trace")];

/// Points of the lake that no scenario passes here, and the tests that stop at them.
const ELSEWHERE: [(&str, &str); 17] = [
    ("aws: adopt lost versions", "conformance/publish.rs: once a day"),
    ("aws: complete the partitions", "conformance/publish.rs"),
    ("aws: drop the partitions of other keys", "conformance/publish.rs"),
    ("aws: drop the partitions that are gone", "conformance/publish.rs"),
    ("aws: leave a version to others", "conformance/lost.rs"),
    ("aws: put a late write right", "conformance/lost.rs"),
    ("aws: remove a lease that was left", "conformance/publish.rs: only what goes on after a stop has it"),
    ("aws: stop the query", "conformance/athena.rs"),
    ("aws: write all partitions", "conformance/publish.rs"),
    ("aws: write the partitions", "conformance/publish.rs"),
    ("aws: write the table of new keys", "conformance/publish.rs"),
    ("collect: delete a result", "crash.rs: the embedded engine keeps results, Athena does so itself"),
    ("collect: forget a root", "crash.rs: on S3 the markers of roots stay"),
    ("collect: give a version back", "crash.rs: an undo at the same time"),
    ("publish: add columns", "crash.rs"),
    ("publish: drop", "crash.rs"),
    ("publish: set the tombstone of what is not used", "conformance/publish.rs"),
];

/// What may be half done when a publish stops, one by one, and a stop that leaves it so: point and moment. Of two more a stop of this
/// process is not enough: the state that is lost (`aws_lost_state.rs`), and a process that slept beyond its lease (`aws_zombie.rs`).
const HALF_DONE: [(&str, (&str, &str)); 10] = [
    ("the intent is stored, nothing is sent", ("aws: start the query", "before")),
    ("the query is accepted, its id is not stored", ("aws: start the query", "after")),
    ("the query's id is stored, and it runs", ("run: checkpoint", "after")),
    ("the query has succeeded, which is not stored", ("run: checkpoint", "before")),
    ("the query has failed, and its files are still there", ("version: give it up", "before")),
    ("the version is checked, and nobody sees it", ("publish: the catalog call", "before")),
    ("the version is visible, which is not stored", ("publish: the catalog call", "after")),
    ("the version is visible, a temporary table is left", ("aws: drop a temporary table", "before")),
    ("the version is visible, the one before has no tombstone", ("publish: set the tombstone", "before")),
    ("objects of an old version are gone, the version is known", ("collect: forget the version", "before")),
];

#[test]
fn a_stop_at_any_effect_on_aws_changes_nothing_and_pays_once() {
    let only = std::env::var("SCENARIO").ok();
    let scenarios: Vec<Scenario> =
        scenario::all().into_iter().filter(|scenario| only.as_ref().is_none_or(|only| scenario.name == only)).collect();
    let results = in_pairs(scenarios, |scenario| run(&scenario));
    let mut stopped: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for result in results {
        println!("{:4} stops, {:5} looks: {}", result.stopped.len(), result.watched.samples, result.name);
        for (point, moment) in result.stopped {
            stopped.entry(point).or_default().insert(moment);
        }
        wrong.extend(result.watched.wrong.into_iter().map(|what| format!("{}{what}", result.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_some() {
        return;
    }
    let never: Vec<String> =
        points().into_iter().filter(|point| stopped.get(point).is_none_or(|moments| moments.len() < 2)).collect();
    assert!(never.is_empty(), "no process was stopped on AWS before and after {never:?}");
    for (what, (point, moment)) in HALF_DONE {
        assert!(stopped.get(point).is_some_and(|moments| moments.contains(moment)), "nothing was stopped when {what}");
    }
}

/// What came of a scenario.
struct Ended {
    name: &'static str,
    stopped: Vec<(String, &'static str)>,
    watched: Watched,
}

/// The two results that sessions have in turn.
type Sides = [Vec<Found>; 2];

/// Runs a scenario without faults and stops.
fn undisturbed(scenario: &Scenario) -> Sides {
    let project = project(scenario);
    let world = World::start_with(&project, "", scenario.settings);
    let sides = [0, 1].map(|number| {
        let session = Session::of(number);
        let output = command(&world, &project, &session).output().unwrap();
        let outcome = Outcome::of(&project, &output);
        assert_eq!(outcome.exit, Some(0), "{}, undisturbed\n{outcome}", scenario.name);
        world.found(&(scenario.targets)(&session))
    });
    assert_ne!(sides[0], sides[1], "{}", scenario.name);
    world.stop();
    sides
}

fn project(scenario: &Scenario) -> Project {
    let project = Project::in_memory();
    project.write("main.dig", scenario.workflow);
    project
}

fn command(world: &World<'_>, project: &Project, session: &Session) -> std::process::Command {
    session.write_rows(project);
    world.command(&["run", "main.dig", "--session", &session.date])
}

/// Stops a scenario at each of its points, one session after the other.
fn run(scenario: &Scenario) -> Ended {
    let sides = undisturbed(scenario);
    let project = project(scenario);
    let world = World::start_with(&project, scenario.faults, scenario.settings);
    let mut ended = Ended { name: scenario.name, stopped: Vec::new(), watched: Watched::default() };
    let mut numbers = 0..;
    let mut next = || Session::of(numbers.next().unwrap());

    let mut stops = Vec::new();
    for number in 0..2 + scenario.undisturbed {
        let session = next();
        let mut command = command(&world, &project, &session);
        if number == 1 {
            command.envs(TRACED);
        }
        let old = scenario.before(&session, &sides, number != 0);
        let outcome = one_session(
            scenario,
            &world,
            &project,
            &session,
            [&old, &sides[session.side()]],
            vec![command],
            &mut ended,
        );
        if number == 1 {
            stops = scenario.stops(&traced(&outcome.stderr));
        }
    }
    for (point, moment, pass) in stops {
        let session = next();
        let mut stopped = command(&world, &project, &session);
        stopped.env("SUIRO_CRASH_AT", format!("{point}:{moment}:{pass}"));
        let again = command(&world, &project, &session);
        let old = scenario.before(&session, &sides, true);
        one_session(
            scenario,
            &world,
            &project,
            &session,
            [&old, &sides[session.side()]],
            vec![stopped, again],
            &mut ended,
        );
        ended.stopped.push((point, moment));
    }
    let left = world.left_over();
    ended.watched.wrong.extend(left.into_iter().map(|left| format!(": left over: {left}")));
    world.stop();
    ended
}

/// Runs the commands of a session, all but the last of which are stopped, and looks at what came of it.
fn one_session(
    scenario: &Scenario,
    world: &World<'_>,
    project: &Project,
    session: &Session,
    [old, new]: [&Vec<Found>; 2],
    commands: Vec<std::process::Command>,
    ended: &mut Ended,
) -> Outcome {
    let targets = (scenario.targets)(session);
    let before = world.queries();
    let mut watched = Watched::default();
    let mut outcome = None;
    let last = commands.len() - 1;
    let mut what = format!(", session {}", session.date);
    for (index, command) in commands.into_iter().enumerate() {
        let stop = command.get_envs().find(|(name, _)| *name == "SUIRO_CRASH_AT").and_then(|(_, plan)| plan);
        if let Some(stop) = stop.map(|stop| stop.to_string_lossy().into_owned()).filter(|_| index != last) {
            what = format!(", stopped {stop}");
        }
        let output: Output = world.watch(command, &targets, [old, new], &mut watched);
        let found = Outcome::of(project, &output);
        let expected = if index == last { Some(0) } else { None };
        if found.exit != expected {
            watched.wrong.push(format!("the run ended with {:?} instead of {expected:?}\n{found}", found.exit));
        }
        outcome = Some(found);
    }
    let end = world.found(&targets);
    if end != *new {
        watched.wrong.push(format!("published\n{end:?}\ninstead of\n{new:?}"));
    }
    let after = world.queries();
    let more = |state: &str| after.get(state).unwrap_or(&0) - before.get(state).unwrap_or(&0);
    let (all, well): (usize, usize) =
        (after.values().sum::<usize>() - before.values().sum::<usize>(), more("SUCCEEDED"));
    if (well, all - well) != scenario.queries {
        watched.wrong.push(format!("{all} queries, {well} of them well: {after:?}"));
    }
    ended.watched.samples += watched.samples;
    ended.watched.wrong.extend(watched.wrong.into_iter().map(|wrong| format!("{what}: {wrong}")));
    outcome.unwrap()
}

impl Scenario {
    /// What is there before a session: what the one before it published, where that was not another place.
    fn before(&self, session: &Session, sides: &Sides, is_replaced: bool) -> Vec<Found> {
        let targets = (self.targets)(session);
        let is_new = |(_, values): &Target| values.as_ref().is_some_and(|values| values.contains(&session.date));
        let old = sides[1 - session.side()].iter().cloned().zip(&targets);
        old.map(|(found, target)| found.filter(|_| is_replaced && !self.is_first && !is_new(target))).collect()
    }

    /// The stops of a run that passed these points so often.
    fn stops(&self, passed: &[(String, usize)]) -> Vec<(String, &'static str, usize)> {
        let mut stops = Vec::new();
        for (point, count) in passed.iter().filter(|(point, _)| self.only.iter().any(|start| point.starts_with(start)))
        {
            for pass in 1..=if self.every_pass { *count } else { 1 } {
                stops.extend(["before", "after"].map(|moment| (point.clone(), moment, pass)));
            }
        }
        stops
    }
}

/// The points of publishing and loading on AWS, as they stand in the sources.
fn points() -> BTreeSet<String> {
    static POINT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\.around(?:_now)?\(\s*"((?:aws|collect|publish|version): [^"]+)""#).unwrap());
    let files = files_below(&root().join("operators/lake/src"));
    let texts = files.iter().map(|file| std::fs::read_to_string(file).unwrap());
    let points: BTreeSet<String> = texts
        .flat_map(|text| POINT.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect();
    for (elsewhere, _) in ELSEWHERE {
        assert!(points.contains(elsewhere), "no point `{elsewhere}`");
    }
    points.into_iter().filter(|point| !ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == point)).collect()
}
