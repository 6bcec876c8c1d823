//! Patterns that whole lines match, for tables whose lines a regular expression takes apart.

use std::fmt;

use super::Pattern;
use crate::sql::function::EvalError;

/// A pattern that a line matches from its first character to its last, as `matches` of `java.util.regex` means it.
pub(crate) struct WholeLine {
    /// As it was written.
    text: String,
    pattern: Pattern,
}

impl WholeLine {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `INVALID_FUNCTION_ARGUMENT` for what is no pattern, `NOT_SUPPORTED` for what is not translated.
    pub(crate) fn new(text: &str, ignores_case: bool) -> Result<Self, EvalError> {
        let options = if ignores_case { "(?i)" } else { "" };
        let pattern = Pattern::new(&format!("{options}\\A(?:{text})\\z"))?;
        Ok(Self { text: format!("{options}{text}"), pattern })
    }

    /// Returns the number of a named group; the first group is 1.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.pattern.named(name)
    }

    /// Returns what the groups of a line are, the whole line first; none when the line does not match.
    ///
    /// # Errors
    /// `NOT_SUPPORTED` when it takes too many steps.
    pub(crate) fn groups<'t>(&self, line: &'t str) -> Result<Option<Vec<Option<&'t str>>>, EvalError> {
        let spans = self.pattern.matcher(line)?.captures(0)?;
        let part = |span: Option<(usize, usize)>| span.and_then(|(start, end)| line.get(start..end));
        Ok(spans.map(|spans| spans.into_iter().map(part).collect()))
    }
}

impl fmt::Debug for WholeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for WholeLine {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for WholeLine {}
