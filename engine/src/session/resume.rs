//! Which tasks of a failed attempt the next attempt of the same session may skip.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::graph::TaskGraph;
use super::task::{Role, Task, TaskId, TaskState};
use crate::workflow::{TaskDef, Turn, Turns};

/// The actions of an earlier attempt that succeeded with everything under them, by full name.
///
/// Skipping goes by name, as in Digdag: a task that was renamed runs, one that was edited does not. Tasks under `_error` are
/// never skipped: they belong to a failure, not to the session. A name that two tasks bear is not skipped either.
#[derive(Debug, Default)]
pub struct Skippable {
    by_name: HashMap<String, Option<TaskId>>,
}

impl Skippable {
    /// Collects what may be skipped.
    pub fn of(earlier: &TaskGraph) -> Self {
        let mut by_name = HashMap::new();
        // Parents come before their children, so one pass hands down whether an ancestor is `^error` and the full name.
        let mut names: Vec<Option<String>> = Vec::with_capacity(earlier.tasks().len());
        for task in earlier.tasks() {
            let parent = task.parent.map(|parent| names.get(parent.index()).cloned().flatten());
            let name = match parent {
                _ if task.superseded || task.role == Role::Error => None,
                Some(parent) => parent.map(|parent| parent + &task.name),
                None => Some(task.name.to_string()),
            };
            if let Some(name) = name.clone().filter(|_| task.state == TaskState::Success && !task.is_group()) {
                match by_name.entry(name) {
                    Entry::Vacant(free) => {
                        free.insert(Some(task.id));
                    }
                    Entry::Occupied(mut taken) => {
                        taken.insert(None);
                    }
                }
            }
            names.push(name);
        }
        Self { by_name }
    }

    /// Returns the earlier attempt's task of this name, when it may be skipped.
    pub fn get(&self, full_name: &str) -> Option<TaskId> {
        self.by_name.get(full_name).copied().flatten()
    }

    /// Says whether nothing may be skipped.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// Puts the definitions of what an operator generated together again.
pub fn generated_by(graph: &TaskGraph, id: TaskId) -> Vec<TaskDef> {
    let Some(task) = graph.get(id) else { return Vec::new() };
    let generated = task.children.iter().copied().filter(|child| role(graph, *child) == Some(Role::Generated));
    generated.filter_map(|child| rebuild(graph, child)).collect()
}

fn role(graph: &TaskGraph, id: TaskId) -> Option<Role> {
    graph.get(id).map(|task| task.role)
}

/// Returns the written children of a group.
fn written<'g>(graph: &'g TaskGraph, group: &'g Task) -> impl Iterator<Item = &'g Task> {
    let children = group.children.iter().filter_map(|child| graph.get(*child));
    children.filter(|child| group.is_group() && child.role == Role::Written)
}

/// Returns the turns of a loop: children that have nothing below them and one definition.
fn turns(graph: &TaskGraph, group: &Task) -> Option<Turns> {
    let first = written(graph, group).next()?;
    let alike = |child: &Task| !child.is_group() && Arc::ptr_eq(&child.def, &first.def);
    let placed = first.def.background || !first.def.after.is_empty();
    if placed || group.children.len() < 2 || !written(graph, group).all(alike) {
        return None;
    }
    let each = written(graph, group).map(|child| Turn { name: Arc::clone(&child.name), bound: child.bound.clone() });
    Some(Turns { body: TaskDef::clone(&first.def), each: each.collect() })
}

/// Rebuilds a tree bottom up, by an explicit stack: ids of children are larger than those of their parents.
fn rebuild(graph: &TaskGraph, top: TaskId) -> Option<TaskDef> {
    let mut order = Vec::new();
    let mut open = vec![graph.get(top)?];
    while let Some(task) = open.pop() {
        let turns = turns(graph, task);
        if turns.is_none() {
            open.extend(written(graph, task));
        }
        order.push((task, turns));
    }
    order.sort_unstable_by_key(|(task, _)| task.id);
    let mut built: HashMap<TaskId, TaskDef> = HashMap::new();
    for (task, turns) in order.into_iter().rev() {
        let mut def = TaskDef::clone(&task.def);
        def.name = task.name.to_string();
        def.bound = task.bound.params();
        def.children = task.children.iter().filter_map(|child| built.remove(child)).collect();
        def.turns = turns.map(Box::new);
        built.insert(task.id, def);
    }
    built.remove(&top)
}
