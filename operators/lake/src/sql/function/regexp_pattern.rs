//! Patterns of Trino's regular expressions (Joni with Java's syntax), translated for the engines at hand.
//!
//! What the engines would read in another way is refused, not approximated: set operations in classes, stacked
//! quantifiers, repeated groups that may match nothing, `(?x)`, and escapes that are not listed here. `\d`, `\w` and `\s`
//! are ASCII, `\b`, properties and bracket classes Unicode, `$` also stands before a last line end.

mod class;
mod translate;
mod whole_line;

use std::sync::OnceLock;

use self::class::folds_to_several;
use self::translate::Translator;
use super::EvalError;
use super::kernel::unsupported;
pub(crate) use whole_line::WholeLine;

/// Where a match or a group of it is, in bytes.
pub(super) type Span = (usize, usize);

/// A pattern ready to match.
pub(super) struct Pattern {
    /// The translation, divided at each `$`.
    segments: Vec<String>,
    /// For texts that do not end in a line end, where `$` is the end.
    engine: Engine,
    /// For the others; made when one comes.
    before_line_end: OnceLock<Engine>,
    /// How many groups it captures.
    pub(super) groups: usize,
    names: Vec<(String, usize)>,
    ignores_case: bool,
    has_line_start: bool,
    has_boundary: bool,
}

/// What runs a translated pattern.
enum Engine {
    /// In linear time.
    Linear(regex::Regex),
    /// By backtracking: look-around, back references, possessive quantifiers.
    Backtracking(Box<fancy_regex::Regex>),
}

/// The end of a text where it has no line end.
const END: &str = r"\z";
/// The end of a text, or the place before its last line end.
const END_OR_BEFORE_LINE_END: &str = r"(?=\n?\z)";

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// `INVALID_FUNCTION_ARGUMENT` for what Trino refuses, `NOT_SUPPORTED` for what is not translated.
    pub(super) fn new(pattern: &str) -> Result<Self, EvalError> {
        let translator = Translator::translate(pattern)?;
        let engine = Engine::new(&translator.segments.join(END), translator.needs_backtracking)?;
        Ok(Self {
            engine,
            before_line_end: OnceLock::new(),
            groups: translator.groups,
            names: translator.names,
            ignores_case: translator.ignores_case,
            has_line_start: translator.has_line_start,
            has_boundary: translator.has_boundary,
            segments: translator.segments,
        })
    }

    /// The number of a named group.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, group)| *group)
    }

    /// What matches a text.
    pub(super) fn matcher<'a>(&'a self, text: &'a str) -> Result<Matcher<'a>, EvalError> {
        if !text.is_ascii() {
            if self.ignores_case && text.chars().any(folds_to_several) {
                return Err(unsupported("matching without case a text with characters that fold to several"));
            }
            if self.has_boundary && text.contains(['\u{200c}', '\u{200d}']) {
                return Err(unsupported("word boundaries in a text with joiners"));
            }
        }
        let mut engine = &self.engine;
        if text.ends_with('\n') {
            if self.has_line_start {
                return Err(unsupported("(?m)^ on a text that ends in a line end"));
            }
            if self.segments.len() > 1 {
                engine = if let Some(engine) = self.before_line_end.get() {
                    engine
                } else {
                    let made = Engine::new(&self.segments.join(END_OR_BEFORE_LINE_END), true)?;
                    self.before_line_end.get_or_init(|| made)
                };
            }
        }
        Ok(Matcher { engine, text, groups: self.groups })
    }

    /// Whether it needs more than linear time.
    #[cfg(test)]
    pub(super) fn needs_backtracking(&self) -> bool {
        matches!(self.engine, Engine::Backtracking(_))
    }
}

impl Engine {
    fn new(pattern: &str, backtracking: bool) -> Result<Self, EvalError> {
        let refused =
            |error: &dyn std::fmt::Display| unsupported(format!("this regular expression is not supported: {error}"));
        if backtracking {
            let engine = fancy_regex::Regex::new(pattern).map_err(|error| refused(&error))?;
            Ok(Self::Backtracking(Box::new(engine)))
        } else {
            Ok(Self::Linear(regex::Regex::new(pattern).map_err(|error| refused(&error))?))
        }
    }
}

/// The engine took too many steps.
fn too_many_steps(error: &fancy_regex::Error) -> EvalError {
    unsupported(format!("this regular expression takes too many steps: {error}"))
}

/// A pattern on a text.
pub(super) struct Matcher<'a> {
    engine: &'a Engine,
    text: &'a str,
    groups: usize,
}

impl Matcher<'_> {
    /// Whether the pattern is found anywhere.
    pub(super) fn is_match(&self) -> Result<bool, EvalError> {
        match self.engine {
            Engine::Linear(engine) => Ok(engine.is_match(self.text)),
            Engine::Backtracking(engine) => engine.is_match(self.text).map_err(|error| too_many_steps(&error)),
        }
    }

    /// The first match at or after a place.
    fn find(&self, at: usize) -> Result<Option<Span>, EvalError> {
        Ok(match self.engine {
            Engine::Linear(engine) => engine.find_at(self.text, at).map(|found| (found.start(), found.end())),
            Engine::Backtracking(engine) => engine
                .find_from_pos(self.text, at)
                .map_err(|error| too_many_steps(&error))?
                .map(|found| (found.start(), found.end())),
        })
    }

    /// The first match at or after a place, with its groups: the whole match first.
    pub(super) fn captures(&self, at: usize) -> Result<Option<Vec<Option<Span>>>, EvalError> {
        Ok(match self.engine {
            Engine::Linear(engine) => engine.captures_at(self.text, at).map(|found| {
                (0..=self.groups).map(|group| found.get(group).map(|part| (part.start(), part.end()))).collect()
            }),
            Engine::Backtracking(engine) => {
                engine.captures_from_pos(self.text, at).map_err(|error| too_many_steps(&error))?.map(|found| {
                    (0..=self.groups).map(|group| found.get(group).map(|part| (part.start(), part.end()))).collect()
                })
            }
        })
    }

    /// Where to search on after a match: behind it, and behind the next character too when it was empty.
    fn next(&self, (start, end): Span) -> usize {
        if start < end { end } else { end + self.text[end..].chars().next().map_or(1, char::len_utf8) }
    }

    /// Calls something with every match from a place on, until it says no.
    pub(super) fn each_match(
        &self,
        from: usize,
        mut visit: impl FnMut(Span) -> Result<bool, EvalError>,
    ) -> Result<(), EvalError> {
        let mut at = from;
        while at <= self.text.len() {
            let Some(found) = self.find(at)? else { break };
            if !visit(found)? {
                break;
            }
            at = self.next(found);
        }
        Ok(())
    }

    /// Calls something with the groups of every match.
    pub(super) fn each_captures(
        &self,
        mut visit: impl FnMut(&[Option<Span>]) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut at = 0;
        while at <= self.text.len() {
            let Some(groups) = self.captures(at)? else { break };
            visit(&groups)?;
            let Some(Some(whole)) = groups.first() else { break };
            at = self.next(*whole);
        }
        Ok(())
    }
}
