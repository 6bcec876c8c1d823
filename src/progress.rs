//! What a run shows while it goes on: a live tree on a terminal, lines elsewhere, JSON with `--json`.
//!
//! What tasks print goes to stdout; everything else to stderr.

mod json;
mod line;
mod lines;
mod live;
mod pace;
mod place;
mod tree;

use std::io::IsTerminal;
use std::sync::Arc;

use engine::run::RunObserver;
use lake::notice::Listener;

pub(crate) use pace::{Every, Pace};

use crate::output::Output;

/// Shows a run.
pub(crate) trait Show: RunObserver {
    /// Says something beside the tasks.
    fn say(&self, line: &str);

    /// Nothing more comes: what is drawn over and over is printed for good.
    fn finish(&self);
}

/// Shows among the tasks of a run why the lake keeps them waiting.
#[derive(Debug)]
pub(crate) struct Beside(pub(crate) Arc<dyn Show>);

impl Listener for Beside {
    fn hear(&self, line: &str) {
        self.0.say(line);
    }
}

/// Chooses what a run shows.
pub(crate) fn show(output: Output, quiet: bool) -> Arc<dyn Show> {
    if output.json {
        Arc::new(json::JsonLines::new(output))
    } else if !quiet && std::io::stderr().is_terminal() {
        Arc::new(live::LiveTree::new(output))
    } else {
        Arc::new(lines::Lines::new(output, quiet))
    }
}
