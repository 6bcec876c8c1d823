//! The keys of the language itself, in one table: everything else in a task belongs to its operator.

/// A key of the language and where it may stand.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The key.
    pub name: &'static str,
    /// Whether it may stand at the top of a file.
    pub top: bool,
    /// Whether it may stand in a group.
    pub group: bool,
    /// Whether it may stand in a task with an operator, where it belongs to the engine and not to the operator.
    pub action: bool,
    /// What it does, for editors and docs.
    pub summary: &'static str,
}

const fn keyword(name: &'static str, places: &str, summary: &'static str) -> Keyword {
    let places = places.as_bytes();
    let (mut top, mut group, mut action) = (false, false, false);
    let mut at = 0;
    while at < places.len() {
        match places[at] {
            b't' => top = true,
            b'g' => group = true,
            _ => action = true,
        }
        at += 1;
    }
    Keyword { name, top, group, action, summary }
}

/// All keys of the language. `_parallel` of an operator task belongs to the operator: loops copy it to what they generate.
pub const KEYWORDS: &[Keyword] = &[
    keyword("timezone", "t", "The workflow's time zone: an IANA name or an offset. Default `UTC`."),
    keyword("schedule", "t", "When the workflow runs by itself."),
    keyword("sla", "t", "What happens when a run takes too long. Not supported yet."),
    keyword("_export", "tga", "Parameters for this task and everything below it."),
    keyword("_parallel", "tg", "`true` runs the tasks of the group all at once, `{limit: N}` at most N at once."),
    keyword(
        "_retry",
        "tga",
        "How often to try again: a number, or `limit`, `interval`, `max_interval`, `interval_type`.",
    ),
    keyword("_error", "tga", "The task to run when this one failed."),
    keyword("_check", "tga", "The task to run when this one succeeded; its failure fails this one."),
    keyword("_background", "ga", "`true` starts the task together with its group."),
    keyword("_after", "ga", "The tasks above, in a parallel group, that this one waits for."),
    keyword("_disable", "ga", "`true` makes the task do nothing and succeed."),
    keyword("_secrets", "ga", "Gives secrets other names. Not supported yet."),
];

/// Finds a key of the language.
#[must_use]
pub fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}
