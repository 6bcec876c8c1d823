//! Laws of the state machine, tried on random trees in random orders of events, and its meaning case by case.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::params::Params;
use crate::session::Task;
use crate::session::graph::StoredTask;
use crate::workflow::TaskKind;

const START: Timestamp = Timestamp::UNIX_EPOCH;

/// What the operators of a simulated attempt do: the same for a task and try, in whatever order things happen.
#[derive(Debug, Clone, Copy)]
struct Operators {
    seed: u64,
    /// Of 100 steps, how many fail.
    failing: u64,
}

enum Act {
    Done(Vec<TaskDef>),
    Fail(Retry),
    Wait,
}

impl Operators {
    fn act(self, name: &str, retry_count: u32, step: u32) -> Act {
        let mut hasher = DefaultHasher::new();
        (self.seed, name, retry_count, step).hash(&mut hasher);
        let draw = hasher.finish();
        let kind = draw % 100;
        if kind < self.failing {
            return Act::Fail(if draw.is_multiple_of(7) { Retry::Never } else { Retry::AsTold });
        }
        // A task waits at most twice, or a simulation might not end.
        if kind > 90 && step < 2 {
            return Act::Wait;
        }
        if kind > 80 && !name.contains("^sub") {
            let mut group = TaskDef::group("^sub");
            group.parallel = if draw.is_multiple_of(2) { Parallel::Limit(2) } else { Parallel::No };
            group.children = (0..draw % 4).map(|child| action(&format!("+g{child}"))).collect();
            return Act::Done(vec![group]);
        }
        Act::Done(Vec::new())
    }
}

fn action(name: &str) -> TaskDef {
    TaskDef::action(name, "test", Params::new())
}

/// Plays an attempt: picks what happens next by a sequence of random numbers.
struct Player {
    graph: TaskGraph,
    now: Timestamp,
    operators: Operators,
    running: Vec<TaskId>,
    steps: BTreeMap<TaskId, u32>,
    random: u64,
    started: Vec<String>,
    cancel_after: Option<usize>,
}

impl Player {
    fn new(root: TaskDef, operators: Operators, order: u64) -> Self {
        let graph = TaskGraph::new(root, 10_000).unwrap();
        Self {
            graph,
            now: START,
            operators,
            running: Vec::new(),
            steps: BTreeMap::new(),
            random: order,
            started: Vec::new(),
            cancel_after: None,
        }
    }

    /// `SplitMix64`: small, and the same everywhere.
    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(below).unwrap()).unwrap()
    }

    fn apply(&mut self, event: Event) {
        apply(&mut self.graph, event, self.now).unwrap();
        check_graph(&self.graph);
    }

    fn play(&mut self) {
        self.apply(Event::Begin);
        let mut n_events = 0;
        while !self.graph.is_done() {
            n_events += 1;
            assert!(n_events < 20_000, "the attempt does not end");
            if self.cancel_after == Some(n_events) {
                self.apply(Event::Cancel);
                continue;
            }
            let ready = self.graph.ready(usize::MAX);
            let due = self.graph.next_due();
            let n_choices = ready.len() + self.running.len() + usize::from(due.is_some());
            assert!(n_choices > 0, "nothing can happen any more: {:#?}", self.graph.tasks());
            let choice = self.draw(n_choices);
            if let Some(task) = ready.get(choice) {
                self.begin(*task);
            } else if choice < ready.len() + self.running.len() {
                let task = self.running.swap_remove(choice - ready.len());
                self.end(task);
            } else if let Some(due) = due {
                self.now = due;
                self.apply(Event::Tick);
            }
        }
        assert!(self.running.is_empty());
        for task in self.graph.tasks() {
            assert!(task.superseded || task.state.is_final(), "{} is left {}", task.id, task.state);
        }
    }

    fn begin(&mut self, id: TaskId) {
        let task = self.graph.get(id).unwrap();
        assert!(!self.running.contains(&id), "{id} runs twice at once");
        for upstream in &task.upstreams {
            assert_eq!(self.graph.get(*upstream).unwrap().state, TaskState::Success, "{id} starts too early");
        }
        let parent = task.parent.map(|parent| self.graph.get(parent).unwrap().state);
        assert!(matches!(parent, None | Some(TaskState::Planned)), "{id} starts under a parent that is {parent:?}");
        assert!(!self.graph.cancel_requested() || task.has_state, "{id} starts after the kill");
        self.started.push(self.graph.full_name(id));
        self.apply(Event::Started { task: id });
        self.running.push(id);
    }

    fn end(&mut self, id: TaskId) {
        let task = self.graph.get(id).unwrap();
        let retry = RetryPolicy::parse(task.def.retry.as_ref()).unwrap();
        let step = self.steps.entry(id).or_default();
        *step += 1;
        if self.graph.cancel_requested() {
            self.apply(Event::Stopped { task: id });
            return;
        }
        // Now and then the process is interrupted: the step is done again, and counts as none.
        let step = *step - 1;
        if self.draw(10) == 0 {
            *self.steps.get_mut(&id).unwrap() -= 1;
            self.apply(Event::Stopped { task: id });
            return;
        }
        let task = self.graph.get(id).unwrap();
        match self.operators.act(&self.graph.full_name(id), task.retry_count, step) {
            Act::Done(subtasks) => self.apply(Event::Done { task: id, retry, subtasks, skipped: false }),
            Act::Fail(again) => self.apply(Event::Failed { task: id, again, retry }),
            Act::Wait => {
                let until = self.now + Duration::from_secs(5);
                self.apply(Event::Waits { task: id, until });
            }
        }
    }

    /// Returns how the living tasks ended, by name.
    fn ends(&self) -> BTreeMap<String, TaskState> {
        let living = self.graph.tasks().iter().filter(|task| !task.superseded);
        living.map(|task| (self.graph.full_name(task.id), task.state)).collect()
    }
}

/// Compares the indexes of a graph with what a full look at it finds, and with those of a graph rebuilt from its rows.
fn check_graph(graph: &TaskGraph) {
    let mut ready = BTreeSet::new();
    for task in graph.tasks().iter().filter(|task| !task.superseded) {
        if task.state == TaskState::Ready {
            ready.insert(task.id);
        }
        let children: Vec<&Task> = task.children.iter().map(|child| graph.get(*child).unwrap()).collect();
        assert!(children.iter().all(|child| !child.superseded && child.parent == Some(task.id)));
        let count =
            |wanted: fn(&Task) -> bool| u32::try_from(children.iter().filter(|child| wanted(child)).count()).unwrap();
        if !task.state.is_final() {
            assert_eq!(task.n_open, count(|child| !child.state.is_final()), "open children of {}", task.id);
            assert_eq!(task.n_failed, count(|child| child.state.is_failure()), "failed children of {}", task.id);
        }
        if let (Parallel::Limit(limit), TaskState::Planned) = (task.def.parallel, task.state) {
            let slots = count(|child| child.state.holds_slot());
            assert!(slots <= limit, "{} children of {} run, {limit} may", slots, task.id);
            let idle = children.iter().any(|child| child.state == TaskState::Blocked && child.n_unmet == 0);
            assert!(!idle || slots == limit || graph.cancel_requested(), "a slot of {} is not used", task.id);
        }
        assert_eq!(
            task.retry_at.is_some(),
            graph.waiting.iter().any(|(_, id)| *id == task.id),
            "when {} goes on",
            task.id
        );
        assert!(task.retries_used <= task.retry.limit, "{} is retried too often", task.id);
    }
    assert_eq!(graph.ready(usize::MAX).into_iter().collect::<BTreeSet<_>>(), ready);
    let rows = graph.tasks().iter().map(StoredTask::of);
    let again = TaskGraph::restore(rows.collect(), graph.limit, graph.cancel_requested).unwrap();
    assert_eq!(again.ready(usize::MAX).into_iter().collect::<BTreeSet<_>>(), ready);
    assert_eq!(again.waiting, graph.waiting);
    for (task, restored) in
        graph.tasks().iter().zip(again.tasks()).filter(|(task, _)| !task.superseded && !task.state.is_final())
    {
        let indexes =
            |task: &Task| (task.n_open, task.n_failed, task.checked, task.children.clone(), task.has_background);
        assert_eq!(indexes(task), indexes(restored), "indexes of {}", task.id);
        if task.state == TaskState::Planned && !graph.cancel_requested {
            let queue = |task: &Task| task.queue.iter().copied().collect::<BTreeSet<_>>();
            assert_eq!((task.n_slots, queue(task)), (restored.n_slots, queue(restored)), "slots of {}", task.id);
        }
    }
}

fn any_task() -> impl Strategy<Value = TaskDef> {
    let leaf = (0_u32..3, any::<bool>(), any::<bool>()).prop_map(|(retry, check, error)| {
        let mut task = action("+leaf");
        task.retry = Some(json!({"limit": retry, "interval": 1}));
        task.check = (check && retry == 1).then(|| Box::new(action("^check")));
        task.error = error.then(|| Box::new(action("^error")));
        task
    });
    leaf.prop_recursive(4, 24, 5, |inner| {
        let parallel = prop_oneof![Just(Parallel::No), Just(Parallel::Unlimited), (1_u32..3).prop_map(Parallel::Limit)];
        let children = prop::collection::vec((inner, any::<bool>()), 0..5);
        (children, parallel, 0_u32..2, any::<bool>(), any::<bool>()).prop_map(
            |(children, parallel, retry, check, error)| {
                let mut group = TaskDef::group("+group");
                group.parallel = parallel;
                group.retry = Some(json!({"limit": retry, "interval": retry}));
                group.check = check.then(|| Box::new(action("^check")));
                group.error = error.then(|| Box::new(action("^error")));
                for (index, (mut child, flag)) in children.into_iter().enumerate() {
                    child.name = format!("+t{index}");
                    child.background = flag && parallel == Parallel::No;
                    if flag && parallel != Parallel::No && index > 0 {
                        child.after = vec![format!("+t{}", index - 1)];
                    }
                    group.children.push(child);
                }
                group
            },
        )
    })
}

fn any_root() -> impl Strategy<Value = TaskDef> {
    any_task().prop_map(|task| {
        let mut root = TaskDef::group("+wf");
        root.children = vec![TaskDef { name: "+a".to_owned(), ..task }];
        root
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Every attempt comes to its end, no task runs twice at once or before its time, limits and retries are kept, the
    /// indexes are right all the way, and a graph rebuilt from rows is the same.
    #[test]
    fn every_attempt_ends_well_ordered(root in any_root(), seed: u64, order: u64, failing in 0_u64..40) {
        let mut player = Player::new(root, Operators { seed, failing }, order);
        player.play();
    }

    /// However the events are ordered, the attempt ends alike.
    #[test]
    fn the_order_of_events_does_not_matter(root in any_root(), seed: u64, orders: [u64; 2], failing in 0_u64..40) {
        let ends = orders.map(|order| {
            let mut player = Player::new(root.clone(), Operators { seed, failing }, order);
            player.play();
            player.ends()
        });
        prop_assert_eq!(&ends[0], &ends[1]);
    }

    /// A killed attempt ends as killed or as it was about to, and its `_error` does not run.
    #[test]
    fn a_kill_ends_everything(root in any_root(), seed: u64, order: u64, after in 1_usize..40) {
        let mut player = Player::new(root, Operators { seed, failing: 10 }, order);
        player.cancel_after = Some(after);
        player.play();
        if player.graph.cancel_requested() {
            prop_assert!(player.graph.root().state == TaskState::Canceled);
        }
    }
}

/// Runs a tree to its end, each task as its name says: `…fail` fails for ever, `…failN` N times.
fn run(children: Vec<TaskDef>, change: impl FnOnce(&mut TaskDef)) -> Vec<String> {
    let mut root = TaskDef::group("+wf");
    root.children = children;
    change(&mut root);
    let mut graph = TaskGraph::new(root, 1_000).unwrap();
    let mut log = Vec::new();
    let mut tries: BTreeMap<String, u32> = BTreeMap::new();
    let mut now = START;
    apply(&mut graph, Event::Begin, now).unwrap();
    while !graph.is_done() {
        let Some(id) = graph.ready(1).first().copied() else {
            now = graph.next_due().unwrap();
            apply(&mut graph, Event::Tick, now).unwrap();
            continue;
        };
        let task = graph.get(id).unwrap();
        let (name, retry) = (task.name.to_string(), RetryPolicy::parse(task.def.retry.as_ref()).unwrap());
        let n_tries = tries.entry(graph.full_name(id)).or_default();
        *n_tries += 1;
        let fails = name
            .split_once("fail")
            .is_some_and(|(_, times)| times.parse().map_or(true, |times: u32| *n_tries <= times));
        log.push(format!("{}s {name}", now.as_second()));
        apply(&mut graph, Event::Started { task: id }, now).unwrap();
        let event = if fails {
            Event::Failed { task: id, again: Retry::AsTold, retry }
        } else {
            Event::Done { task: id, retry, subtasks: Vec::new(), skipped: false }
        };
        apply(&mut graph, event, now).unwrap();
    }
    log.push(graph.root().state.to_string());
    log
}

fn group(name: &str, children: Vec<TaskDef>) -> TaskDef {
    TaskDef { children, ..TaskDef::group(name) }
}

#[test]
fn children_run_one_after_the_other_and_stop_at_a_failure() {
    assert_eq!(run(vec![action("+a"), action("+b")], |_| {}), ["0s +a", "0s +b", "success"]);
    assert_eq!(run(vec![action("+a"), action("+fail"), action("+c")], |_| {}), ["0s +a", "0s +fail", "group_error"]);
}

#[test]
fn a_retry_pauses_as_told() {
    let mut leaf = action("+fail");
    leaf.retry = Some(json!({"limit": 3, "interval": 10, "interval_type": "exponential", "max_interval": 15}));
    assert_eq!(run(vec![leaf], |_| {}), ["0s +fail", "10s +fail", "25s +fail", "40s +fail", "group_error"]);
}

#[test]
fn a_group_is_retried_from_its_beginning() {
    let mut retried = group("+g", vec![action("+a"), action("+fail1"), action("+c")]);
    retried.retry = Some(json!({"limit": 2, "interval": 7}));
    let log = run(vec![retried, action("+after")], |_| {});
    assert_eq!(log, ["0s +a", "0s +fail1", "7s +a", "7s +fail1", "7s +c", "7s +after", "success"]);
}

#[test]
fn error_handlers_run_innermost_first_and_once() {
    let mut inner = action("+fail");
    inner.error = Some(Box::new(action("^error")));
    let mut outer = group("+g", vec![inner]);
    outer.error = Some(Box::new(action("^error")));
    outer.retry = Some(json!(1));
    let log = run(vec![outer], |root| root.error = Some(Box::new(group("^error", vec![action("+top")]))));
    assert_eq!(log, ["0s +fail", "0s ^error", "0s +fail", "0s ^error", "0s ^error", "0s +top", "group_error"]);
}

#[test]
fn a_check_runs_last_and_decides() {
    let mut leaf = action("+a");
    leaf.check = Some(Box::new(group("^check", vec![action("+fail")])));
    leaf.error = Some(Box::new(action("^error")));
    assert_eq!(run(vec![leaf, action("+b")], |_| {}), ["0s +a", "0s +fail", "0s ^error", "group_error"]);
    let mut checked = group("+g", vec![action("+a"), action("+b")]);
    checked.check = Some(Box::new(action("^check")));
    assert_eq!(run(vec![checked, action("+c")], |_| {}), ["0s +a", "0s +b", "0s ^check", "0s +c", "success"]);
}

#[test]
fn a_background_task_starts_with_its_group_and_is_waited_for() {
    let mut background = action("+bg");
    background.background = true;
    let mut graph = TaskGraph::new(group("+wf", vec![action("+x"), background, action("+y")]), 100).unwrap();
    apply(&mut graph, Event::Begin, START).unwrap();
    assert_eq!(graph.ready(10), [TaskId(1), TaskId(2)]);
    assert_eq!(graph.get(TaskId(3)).unwrap().upstreams, [TaskId(1), TaskId(2)]);
}

#[test]
fn a_kill_asks_only_tasks_that_remember_something() {
    let mut graph = TaskGraph::new(group("+wf", vec![action("+a"), action("+b")]), 100).unwrap();
    apply(&mut graph, Event::Begin, START).unwrap();
    apply(&mut graph, Event::Started { task: TaskId(1) }, START).unwrap();
    apply(&mut graph, Event::Waits { task: TaskId(1), until: START + Duration::from_secs(9) }, START).unwrap();
    apply(&mut graph, Event::Cancel, START).unwrap();
    assert_eq!(graph.ready(10), [TaskId(1)]);
    apply(&mut graph, Event::Started { task: TaskId(1) }, START).unwrap();
    apply(&mut graph, Event::Stopped { task: TaskId(1) }, START).unwrap();
    let states: Vec<_> = graph.tasks().iter().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Canceled; 3]);
}

#[test]
fn a_group_whose_turn_comes_by_a_kill_is_not_opened() {
    let mut root = group("+wf", vec![action("+a"), group("+g", vec![action("+b")])]);
    root.parallel = Parallel::Limit(1);
    let mut graph = TaskGraph::new(root, 100).unwrap();
    apply(&mut graph, Event::Begin, START).unwrap();
    apply(&mut graph, Event::Started { task: TaskId(1) }, START).unwrap();
    let again = Retry::After(Duration::from_secs(9));
    let failed = Event::Failed { task: TaskId(1), again, retry: RetryPolicy::default() };
    apply(&mut graph, failed, START).unwrap();
    // `+a`, which waits for its retry, ends and gives its slot to `+g`, which is killed with the rest.
    apply(&mut graph, Event::Cancel, START).unwrap();
    let states: Vec<_> = graph.tasks().iter().map(|task| task.state).collect();
    assert_eq!(states, [TaskState::Canceled; 4]);
}

#[test]
fn an_event_that_comes_too_late_changes_nothing() {
    let mut graph = TaskGraph::new(group("+wf", vec![action("+a")]), 100).unwrap();
    apply(&mut graph, Event::Begin, START).unwrap();
    let late = apply(&mut graph, Event::Stopped { task: TaskId(1) }, START).unwrap_err();
    assert_eq!(late.to_string(), "task 1 is `ready`, which this event does not fit");
}

#[test]
fn a_tree_too_large_is_refused_whole() {
    let error = TaskGraph::new(group("+wf", vec![action("+a"), action("+b")]), 2).unwrap_err();
    assert_eq!(error, GraphError::TooManyTasks { limit: 2, current: 0, adding: 3 });
}

#[test]
fn a_deep_tree_needs_no_stack() {
    let mut deep = action("+leaf");
    for _ in 0..50_000 {
        let mut parent = TaskDef::group("+g");
        parent.children.push(deep);
        deep = parent;
    }
    // The definition itself is dropped level by level: the graph takes it apart.
    let mut graph = TaskGraph::new(deep, 100_000).unwrap();
    apply(&mut graph, Event::Begin, START).unwrap();
    let leaf = graph.ready(1)[0];
    apply(&mut graph, Event::Started { task: leaf }, START).unwrap();
    apply(
        &mut graph,
        Event::Done { task: leaf, retry: RetryPolicy::NONE, subtasks: Vec::new(), skipped: false },
        START,
    )
    .unwrap();
    assert_eq!(graph.root().state, TaskState::Success);
    assert!(matches!(graph.get(leaf).unwrap().def.kind, TaskKind::Action { .. }));
}
