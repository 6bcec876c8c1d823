//! The places of a file that are not in the order of time, and what is said of them.

use crate::duplicate::DuplicateRule;
use crate::time::shown;

/// Rows that are not in the order of time, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The first line, from 1.
    pub first_line: u64,
    /// The last line.
    pub last_line: u64,
    /// What they are.
    pub what: Disorder,
}

/// What is not in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disorder {
    /// The rows repeat a time.
    Repeats {
        /// The time.
        time_ms: i64,
        /// The line that had it first.
        of_line: u64,
        /// How many of them have another value than the row before.
        changed: u64,
    },
    /// The rows are earlier than one above them.
    Earlier {
        /// The time of the first of them.
        time_ms: i64,
        /// The latest time above.
        latest_ms: i64,
        /// The line of the latest time.
        of_line: u64,
    },
}

impl Place {
    /// Tells whether a time has two values here.
    #[must_use]
    pub fn has_two_values(&self) -> bool {
        matches!(self.what, Disorder::Repeats { changed, .. } if changed > 0)
    }

    /// Says what stands there, and what becomes of it by a rule; the file stands before it.
    #[must_use]
    pub fn tell(&self, rule: DuplicateRule) -> String {
        let lines = if self.first_line == self.last_line {
            self.first_line.to_string()
        } else {
            format!("{}-{}", self.first_line, self.last_line)
        };
        let rows = self.last_line - self.first_line + 1;
        let (rows, s) = if rows == 1 { ("1 row".to_owned(), "s") } else { (format!("{rows} rows"), "") };
        match self.what {
            Disorder::Repeats { time_ms, of_line, changed } => {
                let kept = match (changed, rule) {
                    (0, _) => "with the same value: one point".to_owned(),
                    (_, DuplicateRule::Last) => format!("{changed} with another value: the last one is kept"),
                    (_, DuplicateRule::Max) => format!("{changed} with another value: the largest one is kept"),
                    (_, DuplicateRule::Error) => format!("{changed} with another value"),
                };
                format!("{lines}: {rows} repeat{s} the time {} of line {of_line}, {kept}", shown(time_ms))
            }
            Disorder::Earlier { time_ms, latest_ms, of_line } => {
                let is = if s.is_empty() { "are" } else { "is" };
                let (time, latest) = (shown(time_ms), shown(latest_ms));
                format!("{lines}: {rows} {is} out of order: {time} stands below {latest} of line {of_line}")
            }
        }
    }
}
