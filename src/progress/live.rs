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

/// How many lines the tree has at most: more fit on no terminal, and each takes part in every redrawing. A task that finds
/// no room has no line until it ends; the lines of ended tasks scroll away above the tree when it is full.
const MOST_LINES: usize = 200;

/// Draws the tree.
#[derive(Debug)]
pub(super) struct LiveTree {
    output: Output,
    multi: MultiProgress,
    tree: Mutex<Tree>,
}

/// The tasks that are shown, or that others are shown below.
#[derive(Debug, Default)]
struct Tree {
    /// Those with a line, from top to bottom.
    order: Vec<TaskId>,
    entries: HashMap<TaskId, Entry>,
}

/// A task of the tree.
#[derive(Debug)]
struct Entry {
    parent: Option<TaskId>,
    place: Place,
    /// Its line; the root and the groups `^sub` have none.
    bar: Option<ProgressBar>,
}

impl LiveTree {
    pub(super) fn new(output: Output) -> Self {
        Self { output, multi: MultiProgress::new(), tree: Mutex::default() }
    }

    /// Does something with a task's name, depth and line, which is made when it is not there and there is room.
    fn with(&self, task: &TaskRef<'_>, act: impl FnOnce(&str, usize, &ProgressBar)) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        self.add(&mut tree, task);
        let Some(Entry { place, bar: Some(bar), .. }) = tree.entries.get(&task.id) else { return };
        act(place.own_name.as_deref().unwrap_or_default(), place.depth, bar);
    }

    /// Ends a task's line with what `text` makes of its name and depth.
    fn end(&self, task: &TaskRef<'_>, state: TaskState, text: impl FnOnce(&str, usize) -> String) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        self.add(&mut tree, task);
        let is_full = tree.order.len() >= MOST_LINES;
        let Some(entry) = tree.entries.get_mut(&task.id) else { return };
        let text = entry.place.own_name.as_deref().map(|name| text(name, entry.place.depth));
        match (text, entry.bar.take()) {
            (Some(text), Some(bar)) if !is_full => {
                let finished =
                    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
                bar.set_style(finished);
                bar.finish_with_message(text);
                entry.bar = Some(bar);
                return;
            }
            (Some(text), bar) => {
                if let Some(bar) = bar {
                    bar.finish_and_clear();
                    self.multi.remove(&bar);
                    tree.order.retain(|id| *id != task.id);
                }
                // A terminal that has gone must not end the run.
                let _lost = self.multi.println(text);
            }
            (None, _) => {}
        }
        // Others may be shown below it only if it has a line, or is a canceled group, which is told of before what is under it.
        if is_full && state != TaskState::Canceled {
            tree.entries.remove(&task.id);
        }
    }

    /// Adds a task, and if there is room its line below the last line of its parent's.
    fn add(&self, tree: &mut Tree, task: &TaskRef<'_>) {
        if tree.entries.contains_key(&task.id) {
            return;
        }
        let parent = task.parent.and_then(|id| tree.entries.get(&id));
        let place = Place::below(parent.map(|parent| &parent.place), task);
        let mut bar = None;
        if let Some(own_name) = place.own_name.as_ref().filter(|_| tree.order.len() < MOST_LINES) {
            let index = tree.index_below(task.parent);
            bar = Some(self.bar(index, own_name, place.depth));
            tree.order.insert(index, task.id);
        }
        tree.entries.insert(task.id, Entry { parent: task.parent, place, bar });
    }

    /// Makes the line at a position of the tree.
    fn bar(&self, index: usize, own_name: &str, depth: usize) -> ProgressBar {
        let bar = self.multi.insert(index, ProgressBar::new_spinner());
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
    /// Returns where the next line below a task comes: after the last line below it, or below the nearest task above it that
    /// has a line.
    fn index_below(&self, task: Option<TaskId>) -> usize {
        let mut current = task;
        while let Some(id) = current {
            if let Some(line) = self.order.iter().position(|other| *other == id) {
                let after = &self.order[line + 1..];
                let below = after.iter().position(|other| !self.is_below(*other, current));
                return below.map_or(self.order.len(), |offset| line + 1 + offset);
            }
            current = self.entries.get(&id).and_then(|entry| entry.parent);
        }
        self.order.len()
    }

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
                self.end(task, *state, |name, depth| {
                    let line = line(depth, name, *duration, *skipped, *report);
                    format!("{} {line}", sign(*state, *skipped, self.output.color))
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
