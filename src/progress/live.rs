//! The live task tree of a terminal: a line a task in the tree's order, running ones with a spinner.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::run::observer::TaskRef;
use engine::run::{RunEvent, RunObserver};
use engine::session::TaskId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{line, sign};
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

/// A line of the tree.
#[derive(Debug)]
struct Entry {
    parent: Option<TaskId>,
    full_name: String,
    own_name: String,
    depth: usize,
    bar: ProgressBar,
}

impl LiveTree {
    pub(super) fn new(output: Output) -> Self {
        Self { output, multi: MultiProgress::new(), tree: Mutex::default() }
    }

    /// Does something with a task's line, which is made when it is not there.
    fn with(&self, task: &TaskRef<'_>, act: impl FnOnce(&Entry)) {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if !tree.entries.contains_key(&task.id) {
            self.add(&mut tree, task);
        }
        if let Some(entry) = tree.entries.get(&task.id) {
            act(entry);
        }
    }

    /// Adds a task's line below the last line of its parent's.
    fn add(&self, tree: &mut Tree, task: &TaskRef<'_>) {
        let parent = task.parent.and_then(|parent| tree.entries.get(&parent));
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        let own_name =
            parent.and_then(|parent| task.name.strip_prefix(parent.full_name.as_str())).unwrap_or(task.name).to_owned();
        let index = match task.parent.and_then(|parent| tree.order.iter().position(|id| *id == parent)) {
            Some(parent) => {
                let below = tree.order[parent + 1..].iter().position(|id| !tree.is_below(*id, task.parent));
                below.map_or(tree.order.len(), |offset| parent + 1 + offset)
            }
            None => tree.order.len(),
        };
        let bar = ProgressBar::new_spinner();
        let bar = if tree.order.len() < KEPT_LINES { self.multi.insert(index, bar) } else { self.multi.add(bar) };
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·");
        bar.set_style(style);
        bar.set_message(format!("{:indent$}{own_name}", "", indent = depth * 2));
        bar.enable_steady_tick(Duration::from_millis(100));
        tree.order.insert(index, task.id);
        tree.entries
            .insert(task.id, Entry { parent: task.parent, full_name: task.name.to_owned(), own_name, depth, bar });
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
            RunEvent::TaskStarted { task, .. } => self.with(task, |_| {}),
            RunEvent::TaskProgress { task, rows, bytes: written } => self.with(task, |entry| {
                let name = format!("{:indent$}{}", "", entry.own_name, indent = entry.depth * 2);
                entry.bar.set_message(format!("{name:<55}  {:>10} rows  {:>10}", count(*rows), bytes(*written)));
            }),
            RunEvent::TaskWaits { task, failure: Some(failure), .. } => self.with(task, |entry| {
                let name = format!("{:indent$}{}", "", entry.own_name, indent = entry.depth * 2);
                entry.bar.set_message(format!("{name}  waits for its retry: {}", failure.message));
            }),
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. } => self.with(task, |entry| {
                let line = line(entry.depth, &entry.own_name, *duration, *skipped, *report);
                let finished =
                    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
                entry.bar.set_style(finished);
                entry.bar.finish_with_message(format!("{} {line}", sign(*state, *skipped, self.output.color)));
            }),
            RunEvent::Output { bytes, .. } => self.multi.suspend(|| {
                let mut stdout = std::io::stdout().lock();
                // A reader that has gone must not end the run.
                let _lost = stdout.write_all(bytes).and_then(|()| stdout.flush());
            }),
            _ => {}
        }
    }
}
