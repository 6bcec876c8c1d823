//! Which tasks of a failed attempt the next attempt of the same session may skip.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::graph::TaskGraph;
use super::task::{Role, TaskId, TaskState};
use crate::workflow::TaskDef;

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

/// Rebuilds a tree bottom up, by an explicit stack: ids of children are larger than those of their parents.
fn rebuild(graph: &TaskGraph, top: TaskId) -> Option<TaskDef> {
    let mut order = Vec::new();
    let mut open = vec![top];
    while let Some(id) = open.pop() {
        let task = graph.get(id)?;
        order.push(id);
        if task.is_group() {
            open.extend(task.children.iter().copied().filter(|child| role(graph, *child) == Some(Role::Written)));
        }
    }
    order.sort_unstable();
    let mut built: HashMap<TaskId, TaskDef> = HashMap::new();
    for id in order.into_iter().rev() {
        let task = graph.get(id)?;
        let mut def = TaskDef::clone(&task.def);
        def.name = task.name.to_string();
        def.bound = task.bound.as_deref().cloned().unwrap_or_default();
        def.children = task.children.iter().filter_map(|child| built.remove(child)).collect();
        built.insert(id, def);
    }
    built.remove(&top)
}
