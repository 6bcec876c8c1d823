//! Which names tasks may have: Digdag's rules, so that full names such as `+daily+load^sub` read one way only.

use crate::diagnostic::{Diagnostic, code};
use crate::document::Key;

/// The longest name, in characters, with its `+`.
const MAX_CHARS: usize = 256;

/// Checks the name of a task, which starts with `+`.
pub(super) fn check(key: &Key) -> Option<Diagnostic> {
    let name = key.name.strip_prefix('+').unwrap_or(&key.name);
    let error = |message: String| Some(Diagnostic::error(code::TASK_NAME, key.span, message));
    if name.is_empty() {
        return error("expected the name of a task after `+`, found nothing".to_owned());
    }
    if key.name.chars().count() > MAX_CHARS {
        return error(format!("the name of a task is longer than {} characters", MAX_CHARS - 1));
    }
    if name.contains("${") {
        return error(format!("the name `{}` of a task holds a template", key.name)).map(|diagnostic| {
            diagnostic.help("names are fixed when the file is read: loops number their tasks by themselves")
        });
    }
    let bad = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "_-=[]{}%&@`,.".contains(*c)))?;
    let bad = if bad == ' ' { "a blank".to_owned() } else { format!("`{}`", bad.escape_debug()) };
    error(format!("the name `{}` of a task holds {bad}", key.name))
        .map(|diagnostic| diagnostic.help("use letters, digits, `_`, `-` and `.`"))
}
