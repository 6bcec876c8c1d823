//! Places inside the texts that parameters hold or name: a line of SQL in a block of YAML, a column of a `.sql` file.

use super::{Compiler, Origin};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, ProjectFiles, SourceMap, Span};
use crate::operator::Piece;
use crate::operator::surroundings::NamedFile;

/// A problem in a file that a task names.
#[derive(Debug)]
pub(in crate::workflow) struct InFile {
    /// The problem, over the parameter that names the file.
    pub(super) diagnostic: Diagnostic,
    pub(super) file: NamedFile,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl InFile {
    /// Puts the problem over its place in the file, which is added to the sources; the parameter is the second place.
    pub(in crate::workflow) fn diagnose(self, sources: &mut SourceMap, files: &dyn ProjectFiles) -> Diagnostic {
        let NamedFile { path, text } = &self.file;
        let id = sources.add_once(files.display_name(path), path.as_str(), text);
        let byte = |at: usize| u32::try_from(at.min(text.len())).unwrap_or(u32::MAX);
        let mut diagnostic = self.diagnostic;
        let named_at = diagnostic.primary.span;
        diagnostic.primary.span = Span::new(id, byte(self.start), byte(self.end));
        diagnostic.also(named_at, "the file is named here")
    }
}

impl Compiler<'_> {
    /// Returns where a piece of a text stands in the document; none when the text is not written as it reads.
    pub(super) fn span_inside(&self, node: &Node, piece: &Piece) -> Option<Span> {
        let Origin::Document(sources) = self.origin else { return None };
        let (text, written) = (node.as_str()?, sources.slice(node.span));
        let (from, to) = range_inside(text, written, piece)?;
        let place = |at: usize| u32::try_from(at).ok().and_then(|at| node.span.start.checked_add(at));
        Some(Span { start: place(from)?, end: place(to)?, ..node.span })
    }
}

/// Returns the bytes of a piece of a text in the scalar that writes it: the same letters, or a block `|` line by line.
fn range_inside(text: &str, written: &str, piece: &Piece) -> Option<(usize, usize)> {
    if let Some(at) = written.find(text.trim_end()) {
        let end = written.len();
        return Some(((at + piece.start).min(end), (at + piece.end).min(end)));
    }
    let before = text.get(..piece.start)?;
    let number = before.matches('\n').count();
    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
    let mut at = 0;
    if written.starts_with(['|', '>']) {
        at = written.find('\n')? + 1;
    }
    for _ in 0..number {
        at += written.get(at..)?.find('\n')? + 1;
    }
    let line = text.lines().nth(number)?.trim_end();
    let written_line = written.get(at..)?.lines().next()?.trim_end();
    let indent = written_line.strip_suffix(line)?.len();
    let start = at + indent + column;
    let length = (piece.end - piece.start).min(line.len().saturating_sub(column));
    Some((start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'w>(text: &str, written: &'w str, word: &str) -> Option<&'w str> {
        let start = text.find(word).unwrap();
        let (from, to) = range_inside(text, written, &Piece { file: None, start, end: start + word.len() })?;
        written.get(from..to)
    }

    #[test]
    fn words_are_found_where_they_are_written() {
        assert_eq!(found("SELECT a", "SELECT a", "a"), Some("a"));
        assert_eq!(found("SELECT 'a' b", "\"SELECT 'a' b\"", "b"), Some("b"));
        let text = "SELECT a\n  FROM b\n\nWHERE c\n";
        for written in ["|\n    SELECT a\n      FROM b\n\n    WHERE c", "SELECT a\n      FROM b\n\n    WHERE c"] {
            for word in ["SELECT", "FROM", "b", "c"] {
                assert_eq!(found(text, written, word), Some(word), "{written}");
            }
        }
    }

    #[test]
    fn what_is_folded_or_escaped_is_not_guessed() {
        assert_eq!(found("a b c\n", ">\n  a\n  b\n  c", "c"), None);
        assert_eq!(found("a\tb", "\"a\\tb\"", "b"), None);
    }
}
