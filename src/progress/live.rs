//! The live task tree of a terminal: a line a task in the tree's order, drawn again and again at the bottom of the screen.
//!
//! Tasks at the margin that are done, with all below them, are printed for good above it, in order. What has no room is
//! left out of the drawing and printed with the others in the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::run::observer::TaskRef;
use engine::run::{RunEvent, RunObserver};
use engine::session::TaskState;
use engine::workflow::Bound;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::Show;
use super::place::{Places, plain};
use super::tree::{Screen, Tree};
use crate::output::Output;

/// How often the tree is drawn.
const REFRESH: Duration = Duration::from_millis(100);

/// The size of a terminal that does not tell.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// Draws the tree.
#[derive(Debug)]
pub(super) struct LiveTree {
    output: Output,
    bar: ProgressBar,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    places: Places,
    tree: Tree,
}

impl LiveTree {
    pub(super) fn new(output: Output) -> Self {
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let drawn = Arc::clone(&shared);
        let style = ProgressStyle::with_template("{tree}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let style = style.with_key("tree", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let shared = drawn.lock().unwrap_or_else(PoisonError::into_inner);
            // What cannot be drawn now is drawn the next time.
            let _lost = out.write_str(&shared.tree.lines(screen(output), Instant::now()).join("\n"));
        });
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.enable_steady_tick(REFRESH);
        Self { output, bar, shared }
    }

    /// Does something with the tree, in which the task is, and prints what can stand for good then.
    fn with(&self, task: &TaskRef<'_>, bound: Option<&Bound>, act: impl FnOnce(&mut Tree, Instant)) {
        let now = Instant::now();
        let lines = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let Shared { places, tree } = &mut *shared;
            let place = places.of(task, bound);
            tree.add(task.id, task.parent, place.label.as_deref(), place.depth, now);
            act(tree, now);
            tree.take_ended(screen(self.output), now)
        };
        self.print(&lines);
    }

    /// Prints for good what has not been, and begins anew.
    fn take_all(&self) {
        let Shared { mut tree, .. } = std::mem::take(&mut *self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        self.print(&tree.take_all(screen(self.output), Instant::now()));
    }

    fn print(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut text = String::new();
        for line in lines {
            // Writing into a string cannot fail.
            let _infallible = writeln!(text, "{line}");
        }
        self.bar.suspend(|| {
            let mut stderr = std::io::stderr().lock();
            // Nobody reads it then.
            let _lost = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        });
    }
}

/// Returns the terminal as it is now.
fn screen(output: Output) -> Screen {
    let (height, width) = console::Term::stderr().size_checked().unwrap_or(USUAL_SIZE);
    // The cursor stands on a line of its own, and what is typed may need one.
    Screen { width: usize::from(width), height: usize::from(height).saturating_sub(2).max(1), color: output.color }
}

impl RunObserver for LiveTree {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::TaskFound { task, bound, state, report } => {
                self.with(task, Some(bound), |tree, _| tree.found(task.id, *state, *report));
            }
            RunEvent::TaskStarted { task, bound, .. } => self.with(task, Some(bound), |tree, _| tree.start(task.id)),
            RunEvent::TaskProgress { task, progress } => {
                self.with(task, None, |tree, now| tree.advance(task.id, progress, now));
            }
            RunEvent::TaskWaits { task, failure: Some(failure), .. } => {
                self.with(task, None, |tree, _| tree.wait(task.id, &failure.message));
            }
            RunEvent::TaskFinished { task, state, skipped, duration, report, .. } if *state != TaskState::Unreached => {
                self.with(task, None, |tree, _| tree.end(task.id, *state, *duration, *skipped, *report));
                self.shared.lock().unwrap_or_else(PoisonError::into_inner).places.forget(task.id, *state);
            }
            RunEvent::Warning { task, line } => self.say(&format!("warning: {}: {}", task.name, plain(line))),
            // Another attempt's tasks have the same numbers.
            RunEvent::AttemptFinished { .. } => self.take_all(),
            RunEvent::Output { bytes, .. } => self.bar.suspend(|| {
                let mut stdout = std::io::stdout().lock();
                // A reader that has gone must not end the run.
                let _lost = stdout.write_all(bytes).and_then(|()| stdout.flush());
            }),
            _ => {}
        }
    }
}

impl Show for LiveTree {
    fn say(&self, line: &str) {
        self.print(&[line.to_owned()]);
    }

    fn finish(&self) {
        self.take_all();
        self.bar.finish_and_clear();
    }
}
