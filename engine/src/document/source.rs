//! Where a piece of a document stands.

use std::sync::Arc;

/// Names one source file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A piece of a source, in bytes, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// Makes a span.
    #[must_use]
    pub fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// Returns the span from the start of this one to the end of a later one of the same file.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        if end.source == self.source { Self { end: end.end.max(self.start), ..self } } else { self }
    }
}

/// The files that were read, with their texts.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

/// One file.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name as shown to users: relative to where the command was started.
    pub name: String,
    /// The path in its project; the name when it is in none.
    pub path: String,
    /// The text.
    pub text: Arc<str>,
    /// The byte at which each line starts.
    line_starts: Vec<u32>,
}

impl SourceMap {
    /// Adds a text that is in no project.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let name = name.into();
        self.add_file(name.clone(), name, text)
    }

    /// Adds a file of a project.
    pub fn add_file(
        &mut self,
        name: impl Into<String>,
        path: impl Into<String>,
        text: impl Into<Arc<str>>,
    ) -> SourceId {
        let id = self.next_id();
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(breaks.filter_map(|(at, _)| u32::try_from(at + 1).ok())).collect();
        self.sources.push(Source { name: name.into(), path: path.into(), text, line_starts });
        id
    }

    /// Adds a file of a project unless it is there with the same text.
    pub fn add_once(&mut self, name: impl Into<String>, path: &str, text: &Arc<str>) -> SourceId {
        let there = self.sources.iter().position(|source| source.path == path && source.text == *text);
        match there.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => SourceId(index),
            None => self.add_file(name, path, Arc::clone(text)),
        }
    }

    /// Returns the id that the next file will get.
    #[must_use]
    pub fn next_id(&self) -> SourceId {
        SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX))
    }

    /// Returns a file.
    ///
    /// # Panics
    /// When the id comes from another map.
    #[must_use]
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// Returns all files in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    /// Returns the 1-based line and column (in characters) of a byte of a file.
    #[must_use]
    pub fn line_column(&self, id: SourceId, byte: u32) -> (u32, u32) {
        let source = self.get(id);
        let line = source.line_starts.partition_point(|start| *start <= byte).saturating_sub(1);
        let start = source.line_starts.get(line).copied().unwrap_or_default();
        let before = source.text.get(start as usize..byte as usize).unwrap_or_default();
        let column = before.chars().count();
        (u32::try_from(line + 1).unwrap_or(u32::MAX), u32::try_from(column + 1).unwrap_or(u32::MAX))
    }

    /// Returns the bytes of the whole lines that spans of one file touch.
    #[must_use]
    pub fn lines_around(&self, spans: impl Iterator<Item = Span> + Clone) -> std::ops::Range<usize> {
        let Some(source) = spans.clone().next().map(|span| self.get(span.source)) else { return 0..0 };
        let first = spans.clone().map(|span| span.start).min().unwrap_or_default();
        let last = spans.map(|span| span.end).max().unwrap_or_default();
        let line = source.line_starts.partition_point(|start| *start <= first).saturating_sub(1);
        let start = source.line_starts.get(line).copied().unwrap_or_default() as usize;
        let next = source.line_starts.partition_point(|start| *start <= last);
        let end = source.line_starts.get(next).map_or(source.text.len(), |start| *start as usize);
        start..end
    }

    /// Returns the text of a span; empty when the span is not of this map.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.source).text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let mut sources = SourceMap::default();
        let id = sources.add("t", "ab\ncé\u{1F600}d\n\nx");
        assert_eq!(sources.line_column(id, 0), (1, 1));
        assert_eq!(sources.line_column(id, 2), (1, 3));
        assert_eq!(sources.line_column(id, 3), (2, 1));
        assert_eq!(sources.line_column(id, 10), (2, 4));
        assert_eq!(sources.line_column(id, 12), (3, 1));
        assert_eq!(sources.line_column(id, 13), (4, 1));
        assert_eq!(sources.line_column(id, 14), (4, 2));
    }
}
