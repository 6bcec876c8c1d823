//! The live task tree of a terminal: a line a task in the tree's order, running ones with a spinner.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::run::observer::TaskRef;
use engine::run::{RunEvent, RunObserver};
use engine::session::{TaskId, TaskState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Place, line, sign};
use crate::output::{Output, bytes, count};

/// How many finished tasks stay in the tree; older ones scroll away above it.
const KEPT_LINES: usize = 200;

/// Draws the tree.
#[derive(Debug)]
pub(super) struct LiveTree {
    output: Output,
    multi: MultiProgress,
    tree: Mutex<Tree>,
}

/// The lines of the tree, from top to bottom.
#[derive(Debug, Default)]
struct Tree {
    order: Vec<TaskId>,
    entries: HashMap<TaskId, Entry>,
}

/// A line of the tree; the root and the groups `^sub` have none.
#[derive(Debug)]
struct Entry {
    parent: Option<TaskId>,
    place: Place,
    bar: Option<ProgressBar>,
}

impl LiveTree {
    pub(super) fn new(output: Output) -> Self {
        Self { output, multi: MultiProgress::new(), tree: Mutex::default() }
    }

    /// Does something with a task's name, depth and line, which is made when it is not there.
    fn with(&self, task: &TaskRef<'_>, act: impl FnOnce(&str, usize, &ProgressBar)) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if !tree.entries.contains_key(&task.id) {
            self.add(&mut tree, task);
        }
        let Some(Entry { place, bar: Some(bar), .. }) = tree.entries.get(&task.id) else { return };
        act(place.own_name.as_deref().unwrap_or_default(), place.depth, bar);
    }

    /// Adds a task's line below the last line of its parent's.
    fn add(&self, tree: &mut Tree, task: &TaskRef<'_>) {
        let parent = task.parent.and_then(|id| tree.entries.get(&id));
        let place = Place::below(parent.map(|parent| &parent.place), task);
        let index = match task.parent.and_then(|parent| tree.order.iter().position(|id| *id == parent)) {
            Some(parent) => {
                let below = tree.order[parent + 1..].iter().position(|id| !tree.is_below(*id, task.parent));
                below.map_or(tree.order.len(), |offset| parent + 1 + offset)
            }
            None => tree.order.len(),
        };
        let bar = place.own_name.as_ref().map(|own_name| self.bar(tree, index, own_name, place.depth));
        tree.order.insert(index, task.id);
        tree.entries.insert(task.id, Entry { parent: task.parent, place, bar });
    }

    /// Makes the line at a position of the tree.
    fn bar(&self, tree: &Tree, index: usize, own_name: &str, depth: usize) -> ProgressBar {
        let shown = |id: &&TaskId| tree.entries.get(*id).is_some_and(|entry| entry.bar.is_some());
        let line = tree.order[..index].iter().filter(shown).count();
        let bar = ProgressBar::new_spinner();
        let bar = if tree.order.len() < KEPT_LINES { self.multi.insert(line, bar) } else { self.multi.add(bar) };
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·");
        bar.set_style(style);
        bar.set_message(format!("{:indent$}{own_name}", "", indent = depth * 2));
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

impl Tree {
    /// Tells whether a task is somewhere below another.
    fn is_below(&self, id: TaskId, above: Option<TaskId>) -> bool {
        let mut current = Some(id);
        while let Some(id) = current {
            current = self.entries.get(&id).and_then(|entry| entry.parent);
            if current.is_some() && current == above {
                return true;
            }
        }
        false
    }
}

impl RunObserver for LiveTree {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::TaskStarted { task, .. } => self.with(task, |_, _, _| {}),
            RunEvent::TaskProgress { task, rows, bytes: written } => self.with(task, |name, depth, bar| {
                let name = format!("{:indent$}{name}", "", indent = depth * 2);
                bar.set_message(format!("{name:<55}  {:>10} rows  {:>10}", count(*rows), bytes(*written)));
            }),
            RunEvent::TaskWaits { task, failure: Some(failure), .. } => self.with(task, |name, depth, bar| {
                let name = format!("{:indent$}{name}", "", indent = depth * 2);
                bar.set_message(format!("{name}  waits for its retry: {}", failure.message));
            }),
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. } if *state != TaskState::Unreached => {
                self.with(task, |name, depth, bar| {
                    let line = line(depth, name, *duration, *skipped, *report);
                    let finished =
                        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
                    bar.set_style(finished);
                    bar.finish_with_message(format!("{} {line}", sign(*state, *skipped, self.output.color)));
                });
            }
            RunEvent::Output { bytes, .. } => self.multi.suspend(|| {
                let mut stdout = std::io::stdout().lock();
                // A reader that has gone must not end the run.
                let _lost = stdout.write_all(bytes).and_then(|()| stdout.flush());
            }),
            _ => {}
        }
    }
}
