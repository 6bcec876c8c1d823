//! Trees of definitions become tasks.
//!
//! A tree is first taken apart into a [`Sketch`], where what many tasks share stands once and everything that can be wrong
//! shows. Then its tasks are made level by level, so that the ids of the children of a task follow each other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{GraphError, TaskGraph};
use crate::session::retry::{RetryPolicy, RetryProblem};
use crate::session::task::{Role, Task, TaskId};
use crate::workflow::{Bound, Parallel, TaskDef, TaskKind, Turn};

/// From how many children on all of them are expected to be alike.
const MANY_CHILDREN: usize = 16;

impl TaskGraph {
    /// Adds a tree under a parent, all `Blocked`; nothing is added when anything in it is wrong.
    pub(in crate::session) fn insert(
        &mut self,
        def: TaskDef,
        parent: Option<TaskId>,
        role: Role,
    ) -> Result<TaskId, GraphError> {
        let n_tasks = count(&def);
        self.room().check(n_tasks)?;
        self.check_depth(parent)?;
        let sketch = Sketch::of(def)?;
        let top = self.next_id();
        self.tasks.reserve(n_tasks);
        self.insert_all(&sketch, parent, role);
        if let Some(parent) = parent {
            self.adopt(parent, top);
        }
        Ok(top)
    }

    fn insert_all(&mut self, sketch: &Sketch, parent: Option<TaskId>, role: Role) {
        let Some(top) = sketch.nodes.first() else { return };
        let mut free = self.next_id().0.saturating_add(1);
        // Tasks whose children are not there yet, each with its node. Explicit: trees may be deeper than the stack.
        let mut open = VecDeque::from([(self.next_id(), top)]);
        let task = top.task(self.next_id(), parent, role, &mut free);
        self.push(task);
        while let Some((parent, node)) = open.pop_front() {
            let first = self.next_id();
            for (position, (child, turn)) in node.children(sketch).enumerate() {
                let id = self.next_id();
                let mut task = child.task(id, Some(parent), Role::Written, &mut free);
                if let Some(Turn { name, bound }) = turn {
                    task.name = Arc::clone(name);
                    task.bound = bound.clone();
                }
                task.upstreams = node.upstreams(position, first);
                if !task.children.is_empty() {
                    open.push_back((id, child));
                }
                self.push(task);
            }
        }
    }

    /// Adds one task, and tells those that it waits for.
    pub(super) fn push(&mut self, mut task: Task) {
        task.n_unmet = u32::try_from(task.upstreams.len()).unwrap_or(u32::MAX);
        for upstream in &task.upstreams {
            self.tasks[upstream.index()].downstreams.push(task.id);
        }
        self.tasks.push(task);
    }
}

/// A tree of definitions, taken apart.
#[derive(Debug)]
struct Sketch {
    /// The top first; the children of a node follow each other.
    nodes: Vec<Node>,
}

/// What becomes one task, or, as the body of a loop, one for each turn.
#[derive(Debug)]
struct Node {
    name: Arc<str>,
    bound: Bound,
    /// The definition without name, data and children.
    def: Arc<TaskDef>,
    retry: RetryPolicy,
    has_background: bool,
    /// The node of the first child; its siblings follow, the body of a loop comes last.
    first: usize,
    /// For each child that is written out, the siblings that it waits for, by their positions.
    waits_for: Vec<Vec<usize>>,
    turns: Vec<Turn>,
    /// What the first turn waits for.
    before_turns: Vec<usize>,
}

impl Sketch {
    fn of(def: TaskDef) -> Result<Self, GraphError> {
        let mut nodes: Vec<Node> = Vec::new();
        // Equal definitions are looked for among the children of one parent, and at the same position under parents of the
        // same definition.
        let mut definitions: HashMap<_, Option<Arc<TaskDef>>> = HashMap::new();
        let mut open = VecDeque::from([(def, (None, 0))]);
        while let Some((mut def, place_in_tree)) = open.pop_front() {
            let children = std::mem::take(&mut def.children);
            let (body, turns) = def.turns.take().map_or((None, Vec::new()), |turns| (Some(turns.body), turns.each));
            let retry = group_retry(&def)?;
            let (waits_for, pending) = sibling_edges(&def, &children)?;
            let name = Arc::from(std::mem::take(&mut def.name));
            let bound = Bound::from(&std::mem::take(&mut def.bound));
            let def = share(definitions.entry(place_in_tree).or_default(), def);
            let parent = Some(Arc::as_ptr(&def));
            nodes.push(Node {
                name,
                bound,
                retry,
                has_background: children.iter().any(|child| child.background),
                first: nodes.len() + 1 + open.len(),
                waits_for,
                turns,
                before_turns: if def.parallel == Parallel::No { pending } else { Vec::new() },
                def,
            });
            let many_alike = children.len() > MANY_CHILDREN;
            let n_children = children.len();
            let position = |nth| (parent, if many_alike { 0 } else { nth });
            open.extend(children.into_iter().enumerate().map(|(nth, child)| (child, position(nth))));
            open.extend(body.map(|body| (body, (parent, n_children))));
        }
        Ok(Self { nodes })
    }
}

impl Node {
    fn n_children(&self) -> usize {
        self.waits_for.len() + self.turns.len()
    }

    /// Returns the nodes of the children in order; those of turns with their turn.
    fn children<'s>(&'s self, sketch: &'s Sketch) -> impl Iterator<Item = (&'s Self, Option<&'s Turn>)> {
        let listed = sketch.nodes.iter().skip(self.first).take(self.waits_for.len()).map(|node| (node, None));
        let body = sketch.nodes.get(self.first + self.waits_for.len());
        let turns = self.turns.iter().filter_map(move |turn| Some((body?, Some(turn))));
        listed.chain(turns)
    }

    /// Returns what the child at a position waits for, when the first child is `first`.
    fn upstreams(&self, position: usize, first: TaskId) -> Vec<TaskId> {
        let id = |position: usize| TaskId(first.0.saturating_add(u32::try_from(position).unwrap_or(u32::MAX)));
        match (self.waits_for.get(position), position.checked_sub(1)) {
            (Some(siblings), _) => siblings.iter().copied().map(id).collect(),
            (None, Some(before)) if position > self.waits_for.len() && self.def.parallel == Parallel::No => {
                vec![id(before)]
            }
            _ if position == self.waits_for.len() => self.before_turns.iter().copied().map(id).collect(),
            _ => Vec::new(),
        }
    }

    /// Makes a task of the node. Its children get the next free ids.
    fn task(&self, id: TaskId, parent: Option<TaskId>, role: Role, free: &mut u32) -> Task {
        let mut task = Task::new(id, parent, role, Arc::clone(&self.def), Vec::new());
        task.name = Arc::clone(&self.name);
        task.bound = self.bound.clone();
        task.retry = self.retry;
        task.has_background = self.has_background;
        task.n_open = u32::try_from(self.n_children()).unwrap_or(u32::MAX);
        let after = free.saturating_add(task.n_open);
        task.children = (*free..after).map(TaskId).collect();
        *free = after;
        task
    }
}

/// Reads the `_retry` of a group; that of an action may be a template.
fn group_retry(def: &TaskDef) -> Result<RetryPolicy, GraphError> {
    if !matches!(def.kind, TaskKind::Group) {
        return Ok(RetryPolicy::NONE);
    }
    let problem = |problem: RetryProblem| GraphError::Retry { task: def.name.clone(), message: problem.message };
    RetryPolicy::parse(def.retry.as_ref()).map_err(problem)
}

/// Returns the definition that was kept last, when it is equal, else keeps and returns this one.
fn share(kept: &mut Option<Arc<TaskDef>>, def: TaskDef) -> Arc<TaskDef> {
    match kept {
        Some(kept) if **kept == def => Arc::clone(kept),
        _ => Arc::clone(kept.insert(Arc::new(def))),
    }
}

/// Returns how many tasks a tree has.
pub(crate) fn count(def: &TaskDef) -> usize {
    let mut n_tasks: usize = 0;
    let mut open = vec![(def, 1_usize)];
    while let Some((next, times)) = open.pop() {
        n_tasks = n_tasks.saturating_add(times);
        open.extend(next.children.iter().map(|child| (child, times)));
        open.extend(next.turns.iter().map(|turns| (&turns.body, times.saturating_mul(turns.each.len()))));
    }
    n_tasks
}

/// Returns, for each child of a group, the positions of the siblings that it waits for, and those that a child after all of
/// them would wait for.
///
/// One after the other unless `_parallel`; a `_background` child waits for nothing, and the next child that is not one
/// waits for it as well as for the one before; under `_parallel`, `_after` names earlier siblings.
fn sibling_edges(group: &TaskDef, children: &[TaskDef]) -> Result<(Vec<Vec<usize>>, Vec<usize>), GraphError> {
    let mut pending: Vec<usize> = Vec::new();
    if group.parallel == Parallel::No {
        let edges = children.iter().enumerate().map(|(index, child)| {
            if child.background {
                pending.push(index);
                return Vec::new();
            }
            std::mem::replace(&mut pending, vec![index])
        });
        let edges = edges.collect();
        return Ok((edges, pending));
    }
    let mut edges = Vec::with_capacity(children.len());
    for (index, child) in children.iter().enumerate() {
        let mut upstreams = Vec::with_capacity(child.after.len());
        for name in &child.after {
            let earlier = children.iter().take(index).position(|sibling| sibling.name == *name);
            let earlier =
                earlier.ok_or_else(|| GraphError::UnknownUpstream { task: child.name.clone(), name: name.clone() })?;
            if !upstreams.contains(&earlier) {
                upstreams.push(earlier);
            }
        }
        edges.push(upstreams);
    }
    Ok((edges, pending))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::params::Params;
    use crate::workflow::Turns;

    fn action(name: &str) -> TaskDef {
        TaskDef::action(name, "test", Params::new())
    }

    fn turn(number: i64) -> Turn {
        let bound = Params::from_iter([("i".to_owned(), json!(number))]);
        Turn { name: format!("+loop-{number}").into(), bound: Bound::from(&bound) }
    }

    fn shown(graph: &TaskGraph) -> Vec<String> {
        let numbers = |ids: &[TaskId]| ids.iter().map(TaskId::to_string).collect::<Vec<_>>().join(",");
        let line = |task: &Task| {
            let bound = task.bound.as_json().unwrap_or_default();
            let name = graph.full_name(task.id);
            format!(
                "{} {name} after [{}] holds [{}] {bound}",
                task.id,
                numbers(&task.upstreams),
                numbers(&task.children)
            )
        };
        graph.tasks().iter().map(|task| line(task).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_turns_of_a_loop_are_tasks_like_others() {
        let mut body = TaskDef::group("^sub");
        body.children = vec![action("+a"), action("+b")];
        let mut root = TaskDef::group("+r");
        root.children = vec![action("+first")];
        root.turns = Some(Box::new(Turns { body, each: vec![turn(0), turn(1)] }));
        let graph = TaskGraph::new(root.clone(), 8).unwrap();
        assert_eq!(
            shown(&graph),
            [
                "0 +r after [] holds [1,2,3]",
                "1 +r+first after [] holds []",
                "2 +r+loop-0 after [1] holds [4,5] {\"i\":0}",
                "3 +r+loop-1 after [2] holds [6,7] {\"i\":1}",
                "4 +r+loop-0+a after [] holds []",
                "5 +r+loop-0+b after [4] holds []",
                "6 +r+loop-1+a after [] holds []",
                "7 +r+loop-1+b after [6] holds []",
            ]
        );
        assert!(Arc::ptr_eq(&graph.tasks[4].def, &graph.tasks[6].def), "the turns share their definitions");
        let error = TaskGraph::new(root.clone(), 7).unwrap_err();
        assert_eq!(error, GraphError::TooManyTasks { limit: 7, current: 0, adding: 8 });
        root.parallel = Parallel::Unlimited;
        let graph = TaskGraph::new(root, 8).unwrap();
        assert!(graph.tasks.iter().take(4).all(|task| task.upstreams.is_empty()), "{:?}", shown(&graph));
    }

    #[test]
    fn a_loop_without_turns_is_an_empty_group() {
        let mut root = TaskDef::group("+r");
        root.turns = Some(Box::new(Turns { body: action("^sub"), each: Vec::new() }));
        let graph = TaskGraph::new(root, 1).unwrap();
        assert_eq!(shown(&graph), ["0 +r after [] holds []"]);
    }
}
