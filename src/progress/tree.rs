//! The live tree as data: which tasks there are, how far they are, and the lines that they make on a terminal of a size.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use engine::operator::{TaskProgress, TaskReport};
use engine::session::{TaskId, TaskState};

use super::line::{Figures, SIGN_COLUMNS, before, line, sign, time};
use super::pace::Pace;
use super::place::cut;
use crate::output::{counted, duration};

/// What turns beside a task that is at work.
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// How long the spinner stands still.
const SPINNER_STEP: Duration = Duration::from_millis(100);

/// The tasks that were told of, in the order of the tree.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: HashMap<TaskId, Entry>,
    /// The tasks whose lines stand at the margin, without those that were printed for good.
    tops: VecDeque<TaskId>,
}

/// A task; one without a label has no line, its children have.
#[derive(Debug)]
struct Entry {
    label: Option<String>,
    depth: usize,
    children: Vec<TaskId>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// At work, or open.
    Open { since: Instant, pace: Pace, figures: Figures, waits: Option<String> },
    /// At its end.
    Ended { state: TaskState, was_before: bool, time: String, figures: Figures },
}

/// The terminal that lines are made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// Its columns.
    pub(super) width: usize,
    /// Its lines.
    pub(super) height: usize,
    /// Whether it has colours.
    pub(super) color: bool,
}

impl Tree {
    /// Adds a task at the end of its parent's children, unless it is there.
    pub(super) fn add(&mut self, id: TaskId, parent: Option<TaskId>, label: Option<&str>, depth: usize, now: Instant) {
        if self.entries.contains_key(&id) {
            return;
        }
        if depth == 0 && label.is_some() {
            self.tops.push_back(id);
        } else if let Some(parent) = parent.and_then(|parent| self.entries.get_mut(&parent)) {
            parent.children.push(id);
        }
        let stage = Stage::Open { since: now, pace: Pace::new(now), figures: Figures::default(), waits: None };
        self.entries.insert(id, Entry { label: label.map(str::to_owned), depth, children: Vec::new(), stage });
    }

    /// Notes that a task is at work: for the first time, or again.
    pub(super) fn start(&mut self, id: TaskId) {
        if let Some(Entry { stage: Stage::Open { waits, .. }, .. }) = self.entries.get_mut(&id) {
            *waits = None;
        }
    }

    /// Notes how far a task is.
    pub(super) fn advance(&mut self, id: TaskId, progress: &TaskProgress, now: Instant) {
        if let Some(Entry { stage: Stage::Open { pace, figures, .. }, .. }) = self.entries.get_mut(&id) {
            *figures = Figures::of_progress(progress, pace.note(progress.bytes, now));
        }
    }

    /// Notes that a task failed and waits until it is tried again.
    pub(super) fn wait(&mut self, id: TaskId, why: &str) {
        if let Some(Entry { stage: Stage::Open { waits, .. }, .. }) = self.entries.get_mut(&id) {
            *waits = Some(why.to_owned());
        }
    }

    /// Notes that a task ended now; `skipped` when an earlier attempt had done it.
    pub(super) fn end(
        &mut self,
        id: TaskId,
        state: TaskState,
        took: Duration,
        skipped: bool,
        report: Option<&TaskReport>,
    ) {
        let figures = report.map(Figures::of_report).unwrap_or_default();
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stage = Stage::Ended { state, was_before: skipped, time: time(took, skipped), figures };
        }
    }

    /// Notes that a task was at its end before this run went on.
    pub(super) fn found(&mut self, id: TaskId, state: TaskState, report: Option<&TaskReport>) {
        let figures = report.map(Figures::of_report).unwrap_or_default();
        if let Some(entry) = self.entries.get_mut(&id).filter(|_| state.is_final()) {
            entry.stage = Stage::Ended { state, was_before: true, time: before(state).to_owned(), figures };
        }
    }

    /// Returns the lines that can stand for good: those of tasks at the margin that are at their ends, and what is below them,
    /// down to the first that is not. They are not returned again.
    pub(super) fn take_ended(&mut self, screen: Screen, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(top) = self.tops.front().copied().filter(|top| self.is_ended(*top)) {
            lines.extend(self.take(top, screen, now));
        }
        lines
    }

    /// Returns all lines that were not printed for good.
    pub(super) fn take_all(&mut self, screen: Screen, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(top) = self.tops.front().copied() {
            lines.extend(self.take(top, screen, now));
        }
        lines
    }

    fn is_ended(&self, id: TaskId) -> bool {
        self.entries.get(&id).is_some_and(|entry| matches!(entry.stage, Stage::Ended { .. }))
    }

    /// Returns the lines of the first task at the margin and forgets it.
    fn take(&mut self, top: TaskId, screen: Screen, now: Instant) -> Vec<String> {
        let rows = self.rows(top);
        let lines = rows
            .iter()
            .filter_map(|id| self.entries.get(id))
            .filter(|entry| entry.label.is_some())
            .map(|entry| match entry.stage {
                Stage::Open { since, .. } => stopped(entry, since, screen, now),
                Stage::Ended { .. } => drawn(entry, screen, now),
            })
            .collect();
        for id in rows {
            self.entries.remove(&id);
        }
        self.tops.pop_front();
        lines
    }

    /// Returns the lines to be drawn now: all of them, or, where the screen has no room for all, those of tasks that are at
    /// work and the ones that ended last.
    pub(super) fn lines(&self, screen: Screen, now: Instant) -> Vec<String> {
        let rows = self.tops.iter().flat_map(|top| self.rows(*top));
        let rows = rows.filter_map(|id| self.entries.get(&id)).filter(|entry| entry.label.is_some());
        let rows: Vec<&Entry> = rows.collect();
        if rows.len() <= screen.height {
            return rows.into_iter().map(|row| drawn(row, screen, now)).collect();
        }
        let mut room = screen.height.saturating_sub(1);
        let mut is_kept = vec![false; rows.len()];
        for wants_open in [true, false] {
            for (index, row) in rows.iter().enumerate().rev() {
                let is_open = matches!(row.stage, Stage::Open { .. });
                if room > 0 && is_open == wants_open {
                    is_kept[index] = true;
                    room -= 1;
                }
            }
        }
        let n_hidden = is_kept.iter().filter(|is_kept| !**is_kept).count();
        let hidden = counted(u64::try_from(n_hidden).unwrap_or(u64::MAX), "more task");
        let above = format!("  … and {hidden}, shown at the end");
        let kept = rows.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
        std::iter::once(cut(&above, screen.width)).chain(kept.map(|(row, _)| drawn(row, screen, now))).collect()
    }

    /// Returns a task and those below it, in order.
    fn rows(&self, top: TaskId) -> Vec<TaskId> {
        let mut rows = Vec::new();
        let mut open = vec![top];
        while let Some(id) = open.pop() {
            let Some(entry) = self.entries.get(&id) else { continue };
            rows.push(id);
            open.extend(entry.children.iter().rev());
        }
        rows
    }
}

/// Draws a task's line.
fn drawn(entry: &Entry, screen: Screen, now: Instant) -> String {
    let label = entry.label.as_deref().unwrap_or_default();
    let width = screen.width.saturating_sub(SIGN_COLUMNS);
    match &entry.stage {
        Stage::Ended { state, was_before, time, figures } => {
            let sign = sign(*state, *was_before, screen.color);
            format!("{sign} {}", line(entry.depth, label, time, figures, Some(width)))
        }
        Stage::Open { since, waits: Some(why), .. } => {
            let elapsed = duration(now.saturating_duration_since(*since));
            let line = line(entry.depth, label, &elapsed, &Figures::default(), Some(width));
            cut(&format!("↻ {line}  tried again: {}", super::place::plain(why)), screen.width)
        }
        Stage::Open { since, figures, .. } => {
            let elapsed = now.saturating_duration_since(*since);
            let steps = elapsed.as_millis() / SPINNER_STEP.as_millis();
            let step = usize::try_from(steps).unwrap_or_default() % SPINNER.len();
            format!("{} {}", SPINNER[step], line(entry.depth, label, &duration(elapsed), figures, Some(width)))
        }
    }
}

/// Draws the line of a task that was at work when the run was stopped.
fn stopped(entry: &Entry, since: Instant, screen: Screen, now: Instant) -> String {
    let label = entry.label.as_deref().unwrap_or_default();
    let elapsed = duration(now.saturating_duration_since(since));
    let width = Some(screen.width.saturating_sub(SIGN_COLUMNS));
    let line = line(entry.depth, label, &elapsed, &Figures::default(), width);
    cut(&format!("· {line}  not done"), screen.width)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCREEN: Screen = Screen { width: 60, height: 6, color: false };

    /// A root without a line, `+a` and `+each` with `n` tasks in a group without a line.
    fn tree(n: u32, now: Instant) -> Tree {
        let mut tree = Tree::default();
        tree.add(TaskId(0), None, None, 0, now);
        tree.add(TaskId(1), Some(TaskId(0)), Some("+a"), 0, now);
        tree.add(TaskId(2), Some(TaskId(0)), Some("+each"), 0, now);
        tree.add(TaskId(3), Some(TaskId(2)), None, 1, now);
        for index in 0..n {
            tree.add(TaskId(4 + index), Some(TaskId(3)), Some(&format!("+for-{index}")), 1, now);
        }
        tree
    }

    fn end(tree: &mut Tree, id: u32) {
        tree.end(TaskId(id), TaskState::Success, Duration::from_millis(5), false, None);
    }

    #[test]
    fn the_tree_is_drawn_in_its_order_while_it_fits() {
        let now = Instant::now();
        let mut tree = tree(2, now);
        end(&mut tree, 1);
        end(&mut tree, 5);
        let report = TaskReport { rows: Some(7), ..TaskReport::default() };
        tree.found(TaskId(4), TaskState::Success, Some(&report));
        let lines = tree.lines(SCREEN, now + Duration::from_millis(200));
        assert_eq!(
            lines,
            [
                "✓ +a                       5 ms",
                "⠹ +each                  200 ms",
                "-   +for-0          done before           7 rows",
                "✓   +for-1                 5 ms",
            ]
        );
    }

    #[test]
    fn what_is_at_work_is_seen_however_many_tasks_there_are() {
        let now = Instant::now();
        let mut tree = tree(100, now);
        end(&mut tree, 1);
        (4..100).for_each(|id| end(&mut tree, id));
        let lines = tree.lines(SCREEN, now);
        let names: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1.trim_start()).collect();
        assert_eq!(lines.len(), SCREEN.height);
        assert_eq!(names[0], "… and 97 more tasks, shown at the end");
        assert!(names[1].starts_with("+each") && names[2].starts_with("+for-96"), "{names:?}");
        (100..103).for_each(|id| end(&mut tree, id));
        let lines = tree.lines(SCREEN, now);
        assert!(lines[1].starts_with("⠋ +each") && lines[5].starts_with("⠋   +for-99"), "{lines:?}");
    }

    #[test]
    fn what_ended_is_printed_once_and_in_order() {
        let now = Instant::now();
        let mut tree = tree(1, now);
        end(&mut tree, 2);
        end(&mut tree, 4);
        end(&mut tree, 3);
        assert_eq!(tree.take_ended(SCREEN, now), Vec::<String>::new(), "`+a` comes first and goes on");
        end(&mut tree, 1);
        let names = |lines: Vec<String>| -> Vec<String> {
            lines.iter().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(names(tree.take_ended(SCREEN, now)), ["✓ +a", "✓ +each", "✓ +for-0"]);
        assert_eq!(tree.take_ended(SCREEN, now), Vec::<String>::new());
        tree.add(TaskId(9), Some(TaskId(0)), Some("+last"), 0, now);
        assert_eq!(tree.lines(SCREEN, now).len(), 1);
        let last = tree.take_all(SCREEN, now);
        assert!(last[0].starts_with("· +last") && last[0].ends_with("not done"), "{last:?}");
    }

    #[test]
    fn a_retry_says_why_on_one_line() {
        let now = Instant::now();
        let mut tree = tree(0, now);
        tree.wait(TaskId(1), "the first line\nand the second of a message that goes on and on");
        let lines = tree.lines(SCREEN, now);
        assert!(
            lines[0].starts_with("↻ +a") && lines[0].ends_with('…') && lines[0].contains("tried again: the"),
            "{lines:?}"
        );
        tree.start(TaskId(1));
        assert!(tree.lines(SCREEN, now)[0].starts_with("⠋ +a"));
    }
}
