//! Where a task stands in what is shown, and what it is called there.

use std::collections::HashMap;
use std::fmt::Write as _;

use console::measure_text_width;
use engine::run::observer::TaskRef;
use engine::session::{TaskId, TaskState};
use engine::workflow::Bound;
use serde_json::Value;

/// How much of a loop's value is shown at most, in characters.
const VALUE_CHARACTERS: usize = 200;

/// Where a task stands in the tree that is shown: the root and the groups `^sub` that loops make are not.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The task's full name.
    full_name: String,
    /// What is shown of it; none when it is not shown.
    pub(super) label: Option<String>,
    /// How deep its line stands.
    pub(super) depth: usize,
    /// How deep its children's lines stand.
    children_depth: usize,
}

/// The places of the tasks that were told of.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_id: HashMap<TaskId, Place>,
}

impl Places {
    /// Returns the place of a task, below that of its parent, which was told of before.
    pub(super) fn of(&mut self, task: &TaskRef<'_>, bound: Option<&Bound>) -> &Place {
        if !self.by_id.contains_key(&task.id) {
            let parent = task.parent.and_then(|parent| self.by_id.get(&parent));
            let place = Place::below(parent, task, bound);
            self.by_id.insert(task.id, place);
        }
        &self.by_id[&task.id]
    }

    /// Forgets a task that ended now, and so did all below it. A group that is stopped is told of before what is below it.
    pub(super) fn forget(&mut self, id: TaskId, state: TaskState) {
        if state != TaskState::Canceled {
            self.by_id.remove(&id);
        }
    }
}

impl Place {
    /// Finds the place of a task below its parent's.
    fn below(parent: Option<&Self>, task: &TaskRef<'_>, bound: Option<&Bound>) -> Self {
        let full_name = task.name.to_owned();
        let Some(parent) = parent else {
            return Self { full_name, label: None, depth: 0, children_depth: 0 };
        };
        let own_name = task.name.strip_prefix(parent.full_name.as_str()).unwrap_or(task.name);
        let depth = parent.children_depth;
        if own_name == "^sub" && task.operator.is_none() {
            return Self { full_name, label: None, depth, children_depth: depth };
        }
        let label = Some(label(own_name, bound));
        Self { full_name, label, depth, children_depth: depth + 1 }
    }
}

/// Returns the name of a task, and the whole values of a `for_each>`, whose names hold the first characters only.
fn label(own_name: &str, bound: Option<&Bound>) -> String {
    let mut label = plain(own_name);
    if !own_name.starts_with("+for-") {
        return label;
    }
    for (key, value) in bound.map(Bound::params).unwrap_or_default() {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if !own_name.contains(&text) {
            let short: String = text.chars().take(VALUE_CHARACTERS).collect();
            let end = if short.len() < text.len() { "…" } else { "" };
            // Writing into a string cannot fail.
            let _infallible = write!(label, "  {}={}{end}", plain(&key), plain(&short));
        }
    }
    label
}

/// Returns a text that a terminal takes for nothing but text.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { plain.extend(character.escape_debug()) } else { plain.push(character) }
    }
    plain
}

/// Cuts a text to a width in columns; what is cut off is an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let end = if width == 0 { "" } else { "…" };
    console::truncate_str(text, width, end).into_owned()
}

/// Cuts a text to a width in columns, out of its middle: what tells one name from the next stands at its end.
pub(super) fn cut_middle(text: &str, width: usize) -> String {
    let whole = measure_text_width(text);
    if whole <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let head = console::truncate_str(text, room - room / 2, "");
    let mut tail = text;
    while measure_text_width(tail) > room / 2 {
        let mut characters = tail.chars();
        characters.next();
        tail = characters.as_str();
    }
    format!("{head}…{tail}")
}

/// Fills a text up with blanks to a width in columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(measure_text_width(text));
    format!("{text}{:missing$}", "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bound_to(value: Value) -> Bound {
        let Value::Object(params) = value else { panic!("no mapping") };
        Bound::from(&params)
    }

    #[test]
    fn a_value_stands_beside_a_name_that_does_not_say_it() {
        let bound = bound_to(json!({"day": "2026-03-01"}));
        assert_eq!(label("+for-0=day=0=2026-03-", Some(&bound)), "+for-0=day=0=2026-03-  day=2026-03-01");
        let bound = bound_to(json!({"a": 1, "b": "y z"}));
        assert_eq!(label("+for-0=a=0=1&1=b=1=y%20z", Some(&bound)), "+for-0=a=0=1&1=b=1=y%20z  b=y z");
        assert_eq!(label("+loop-0", Some(&bound_to(json!({"i": 17})))), "+loop-0");
        assert_eq!(label("+load", None), "+load");
        let bound = bound_to(json!({"v": "\u{1b}[31mred\nline"}));
        assert_eq!(label("+for-0=v=0=%1B", Some(&bound)), "+for-0=v=0=%1B  v=\\u{1b}[31mred\\nline");
        let bound = bound_to(json!({"v": "x".repeat(300)}));
        assert!(label("+for-0=v=0=xxxxxxxx", Some(&bound)).ends_with(&format!("  v={}…", "x".repeat(200))));
    }

    #[test]
    fn texts_are_cut_and_filled_by_columns() {
        assert_eq!(cut("水路水路", 5), "水路…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(padded("水", 4), "水  ");
        assert_eq!(cut_middle("+for-0=day=0=2026-03-  day=2026-03-01", 20), "+for-0=day…026-03-01");
        assert_eq!(cut_middle("水路水路", 6), "水…路");
        for width in 0..8 {
            assert!(measure_text_width(&cut_middle("水路abc水", width)) <= width, "{width}");
        }
    }
}
