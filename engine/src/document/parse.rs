//! Events of the YAML parser → nodes: nesting, anchors, `<<`, tags and duplicate keys, within budgets.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::files::{ProjectFiles, ProjectPath};
use super::include::Open;
use super::mapping::MapBuilder;
use super::node::{Key, Node, NodeKind};
use super::source::{SourceId, SourceMap, Span};
use super::{MAX_DEPTH, MAX_EXPANSION, MAX_FILE_BYTES, scalar, syntax};
use crate::diagnostic::{Diagnostic, code};

/// Why reading ended early; the diagnostic has been recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing more of this file can be read.
    File,
    /// A budget is used up.
    All,
}

/// Loads one document and what it includes.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    pub(super) sources: &'a mut SourceMap,
    pub(super) files: &'a dyn ProjectFiles,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The files that are being read, the outermost first.
    pub(super) open: Vec<Open>,
    pub(super) known: HashMap<ProjectPath, SourceId>,
    pub(super) includes: usize,
    /// Whether a piece of the tree is missing.
    pub(super) incomplete: bool,
    expansion: usize,
}

impl<'a> Loader<'a> {
    pub(super) fn new(sources: &'a mut SourceMap, files: &'a dyn ProjectFiles) -> Self {
        Self {
            sources,
            files,
            diagnostics: Vec::new(),
            open: Vec::new(),
            known: HashMap::new(),
            includes: 0,
            incomplete: false,
            expansion: 0,
        }
    }

    /// Loads the document of a file that is in the source map. An empty file has no tree and is no error here.
    pub(super) fn document(mut self, id: SourceId) -> (Option<Node>, Vec<Diagnostic>) {
        if let Ok(path) = ProjectPath::new(&self.sources.get(id).path) {
            self.open.push(Open { path, included_at: None });
        }
        let node = self.file(id, 1).ok().flatten().filter(|_| !self.incomplete);
        (node, self.diagnostics)
    }

    /// Loads a file; `None` when it holds nothing.
    pub(super) fn file(&mut self, id: SourceId, depth: usize) -> Result<Option<Node>, Stop> {
        let text = Arc::clone(&self.sources.get(id).text);
        if text.len() > MAX_FILE_BYTES {
            let message = format!("the text is longer than {MAX_FILE_BYTES} bytes");
            return Err(self.stop(Diagnostic::error(code::TOO_LARGE, Span::new(id, 0, 0), message)));
        }
        let mut reader = FileReader {
            places: Places::new(id, &text),
            events: Parser::new_from_str(&text),
            anchors: HashMap::new(),
            loader: self,
        };
        reader.document(depth)
    }

    /// Records a problem after which nothing more should be read.
    pub(super) fn stop(&mut self, diagnostic: Diagnostic) -> Stop {
        self.incomplete = true;
        self.diagnostics.push(diagnostic);
        Stop::All
    }

    /// Counts bytes that a few characters of text expanded to.
    pub(super) fn charge(&mut self, bytes: usize, span: Span) -> Result<(), Stop> {
        self.expansion = self.expansion.saturating_add(bytes);
        if self.expansion <= MAX_EXPANSION {
            return Ok(());
        }
        let message = format!("aliases and includes expand to more than {} MiB", MAX_EXPANSION >> 20);
        let diagnostic = Diagnostic::error(code::TOO_LARGE, span, message).label("the limit is reached here");
        Err(self.stop(diagnostic))
    }
}

/// Turns positions of the YAML parser, which counts characters, into spans, which count bytes.
#[derive(Debug)]
struct Places<'t> {
    source: SourceId,
    text: &'t str,
    /// The byte of every character; empty for ASCII, where they are the same.
    bytes: Vec<u32>,
}

impl<'t> Places<'t> {
    fn new(source: SourceId, text: &'t str) -> Self {
        let bytes = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(byte, _)| u32::try_from(byte).unwrap_or(u32::MAX)).collect()
        };
        Self { source, text, bytes }
    }

    fn byte(&self, character: usize) -> u32 {
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        if self.bytes.is_empty() {
            return u32::try_from(character).unwrap_or(u32::MAX).min(end);
        }
        self.bytes.get(character).copied().unwrap_or(end)
    }

    /// Returns the span without the white space after it, which the parser counts in.
    fn span(&self, place: saphyr_parser::Span) -> Span {
        let (start, end) = (self.byte(place.start.index()), self.byte(place.end.index()));
        self.trimmed(start, end.max(start))
    }

    fn trimmed(&self, start: u32, end: u32) -> Span {
        let piece = self.text.get(start as usize..end as usize).unwrap_or_default();
        let length = u32::try_from(piece.trim_end().len()).unwrap_or(u32::MAX);
        Span::new(self.source, start, start.saturating_add(length))
    }

    /// Cuts a comment off a quoted scalar, which the parser counts in.
    fn quoted(&self, span: Span, quote: char) -> Span {
        let piece = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let length = piece.rfind(quote).map_or(piece.len(), |at| at + 1);
        self.trimmed(span.start, span.start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX)))
    }
}

/// A value that aliases may repeat.
#[derive(Debug)]
struct Anchor {
    node: Node,
    height: usize,
    weight: usize,
}

/// Reads one file.
struct FileReader<'l, 'a, 't> {
    loader: &'l mut Loader<'a>,
    places: Places<'t>,
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Anchor>,
}

impl<'t> FileReader<'_, '_, 't> {
    fn document(&mut self, depth: usize) -> Result<Option<Node>, Stop> {
        let mut root = None;
        let mut start = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentStart(explicit) => start = explicit.then_some(span),
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(root),
                event if root.is_none() => root = Some(self.value(event, span, depth)?),
                _ => {
                    let diagnostic = Diagnostic::error(
                        code::SECOND_DOCUMENT,
                        start.unwrap_or(span),
                        "a second YAML document starts here",
                    )
                    .help("a file holds one document: move the rest into a file of its own, or remove the `---` line");
                    self.report(diagnostic);
                    return Ok(root);
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok((event, place))) => {
                let span = self.places.span(place);
                Ok((event, span))
            }
            Some(Err(error)) => {
                let at = self.places.byte(error.marker().index()) as usize;
                let diagnostic = syntax::diagnose(&error, self.places.source, self.places.text, at);
                self.loader.incomplete = true;
                self.report(diagnostic);
                Err(Stop::File)
            }
            None => Ok((Event::StreamEnd, Span::new(self.places.source, 0, 0))),
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.loader.diagnostics.push(diagnostic);
    }

    /// Builds the value that starts with an event.
    fn value(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            return Err(self.loader.stop(syntax::too_deep(span)));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let span = match style {
                    ScalarStyle::SingleQuoted => self.places.quoted(span, '\''),
                    ScalarStyle::DoubleQuoted => self.places.quoted(span, '"'),
                    ScalarStyle::Plain if text.is_empty() && tag.is_none() => Span { end: span.start, ..span },
                    _ => span,
                };
                let node = if tag.as_deref().is_some_and(is_include) {
                    self.include_value(&text, span, depth)?
                } else {
                    self.scalar(text, style, tag.as_deref(), span)
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span);
                let node = self.list(span, depth)?;
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span);
                let node = self.map(span, depth)?;
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::Alias(anchor) => self.alias(anchor, span, depth),
            // The parser never gives these inside a document.
            _ => Ok(Node { kind: NodeKind::Null, span }),
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let last = items.last().map(|item: &Node| item.span);
                return Ok(Node { kind: NodeKind::List(items), span: self.extent(start, span, ']', last) });
            }
            items.push(self.value(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut map = MapBuilder::default();
        let mut last = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd => {
                    let span = self.extent(start, span, '}', last);
                    return Ok(Node { kind: NodeKind::Map(map.finish()), span });
                }
                Event::Scalar(text, _, _, Some(tag)) if is_include(&tag) => {
                    last = Some(self.include_key(&mut map, &text, span, depth)?);
                }
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                    last = Some(self.merge_key(&mut map, depth)?);
                }
                event => {
                    let key = self.key(event, span, depth)?;
                    let (event, span) = self.next()?;
                    let value = self.value(event, span, depth + 1)?;
                    last = Some(value.span);
                    let Some(key) = key else { continue };
                    let (name, place) = (key.name.clone(), key.span);
                    if let Err(first) = map.add_own(key, value) {
                        let message = format!("the key `{name}` stands twice in one mapping");
                        self.report(
                            Diagnostic::error(code::DUPLICATE_KEY, place, message)
                                .label("again here")
                                .also(first, "first here")
                                .help("rename or remove one of the two"),
                        );
                    }
                }
            }
        }
    }

    /// Returns the span of a list or mapping: to its bracket, or to the end of its last value.
    fn extent(&self, start: Span, end: Span, bracket: char, last: Option<Span>) -> Span {
        if self.places.text.get(end.start as usize..).is_some_and(|rest| rest.starts_with(bracket)) {
            return Span { end: end.start + 1, ..start };
        }
        last.map_or(start, |last| start.to(last))
    }

    /// Reads a key. `None` when it is none: the diagnostic is there, the value is still to be read.
    fn key(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Option<Key>, Stop> {
        let node = self.value(event, span, depth + 1)?;
        let name = match node.kind {
            NodeKind::String(text) => text,
            NodeKind::Bool(value) => value.to_string(),
            NodeKind::Int(value) => value.to_string(),
            NodeKind::Float(value) => value.to_string(),
            NodeKind::Null | NodeKind::List(_) | NodeKind::Map(_) => {
                let message = format!("expected a text as a key, found {}", node.describe());
                self.report(Diagnostic::error(code::KEY_NOT_TEXT, node.span, message));
                return Ok(None);
            }
        };
        Ok(Some(Key { name, span: node.span }))
    }

    fn scalar(&mut self, text: Cow<'t, str>, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let resolved = match tag {
            None if style == ScalarStyle::Plain => scalar::resolve(&text),
            None => Ok(NodeKind::String(text.clone().into_owned())),
            Some(tag) => return Node { kind: self.tagged(text, tag, span), span },
        };
        let kind = resolved.unwrap_or_else(|scalar::OutOfRange| {
            let message = format!("the number `{text}` does not fit into 64 bits");
            self.report(
                Diagnostic::error(code::SCALAR_VALUE, span, message)
                    .help(format!("quote it to keep it as text: `'{text}'`")),
            );
            NodeKind::String(text.into_owned())
        });
        Node { kind, span }
    }

    /// Resolves a scalar with a tag.
    fn tagged(&mut self, text: Cow<'t, str>, tag: &Tag, span: Span) -> NodeKind {
        let core = tag.is_yaml_core_schema();
        if (core && tag.suffix == "str") || (tag.handle.is_empty() && tag.suffix == "!") {
            return NodeKind::String(text.into_owned());
        }
        if !core || !matches!(tag.suffix.as_str(), "null" | "bool" | "int" | "float") {
            self.unknown_tag(tag, span);
            return NodeKind::String(text.into_owned());
        }
        let resolved = scalar::resolve(&text);
        match (tag.suffix.as_str(), resolved) {
            ("null", Ok(kind @ NodeKind::Null))
            | ("bool", Ok(kind @ NodeKind::Bool(_)))
            | ("int", Ok(kind @ NodeKind::Int(_)))
            | ("float", Ok(kind @ NodeKind::Float(_))) => kind,
            #[expect(clippy::cast_precision_loss, reason = "`!!float 3` asks for it")]
            ("float", Ok(NodeKind::Int(value))) => NodeKind::Float(value as f64),
            ("float", _) if text.parse::<f64>().is_ok_and(f64::is_finite) => {
                NodeKind::Float(text.parse().unwrap_or_default())
            }
            (suffix, _) => {
                let message = format!("the tag `!!{suffix}` does not fit the value `{text}`");
                self.report(Diagnostic::error(code::SCALAR_VALUE, span, message));
                NodeKind::String(text.into_owned())
            }
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == expected)
        {
            if is_include(tag) {
                let message = "expected the path of a file after `!include`, found a mapping or list";
                self.report(Diagnostic::error(code::INCLUDE_PATH, span, message));
            } else {
                self.unknown_tag(tag, span);
            }
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
        let diagnostic = Diagnostic::error(code::UNKNOWN_TAG, span, format!("there is no tag `{name}`"));
        self.report(diagnostic.help("quote a value that starts with `!`; the one tag of workflows is `!include`"));
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            let (height, weight) = (node.height(), node.weight());
            self.anchors.insert(anchor, Anchor { node: node.clone(), height, weight });
        }
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, Stop> {
        let Some(anchor) = self.anchors.get(&anchor) else {
            let message = "the alias stands inside the value that it repeats";
            self.report(Diagnostic::error(code::UNKNOWN_ANCHOR, span, message));
            return Ok(Node { kind: NodeKind::Null, span });
        };
        if depth + anchor.height > MAX_DEPTH {
            return Err(self.loader.stop(syntax::too_deep(span)));
        }
        self.loader.charge(anchor.weight, span)?;
        // Inside, places are those of the anchor, where the text is; the value as a whole stands here.
        Ok(Node { kind: anchor.node.kind.clone(), span })
    }

    /// `<<: *base` or `<<: [*a, *b]`; returns the place of the value.
    fn merge_key(&mut self, map: &mut MapBuilder, depth: usize) -> Result<Span, Stop> {
        let (event, span) = self.next()?;
        let value = self.value(event, span, depth + 1)?;
        let place = value.span;
        let parts = match value.kind {
            NodeKind::List(items) => items,
            kind => vec![Node { kind, span: place }],
        };
        for part in parts {
            if let NodeKind::Map(entries) = part.kind {
                map.add_merged(entries);
            } else {
                let message = format!("expected a mapping or a list of mappings after `<<`, found {}", part.describe());
                self.report(Diagnostic::error(code::MERGE_SHAPE, part.span, message));
            }
        }
        Ok(place)
    }

    /// `!include : 'path'`; returns the place of the path.
    fn include_key(&mut self, map: &mut MapBuilder, key: &str, key_span: Span, depth: usize) -> Result<Span, Stop> {
        let (event, span) = self.next()?;
        let value = self.value(event, span, depth + 1)?;
        let place = value.span;
        if !key.is_empty() {
            let diagnostic = Diagnostic::error(code::INCLUDE_PATH, key_span, "an included path cannot be a key");
            self.report(diagnostic.help(format!("write `!include : '{key}'`, with a space before the colon")));
            return Ok(place);
        }
        let NodeKind::String(path) = &value.kind else {
            let message = format!("expected the path of a file after `!include :`, found {}", value.describe());
            let place = if value.is_null() { key_span } else { place };
            self.report(Diagnostic::error(code::INCLUDE_PATH, place, message));
            return Ok(place);
        };
        let Some(node) = self.loader.include(path, place, depth)? else { return Ok(place) };
        if let NodeKind::Map(entries) = node.kind {
            map.add_included(entries);
        } else {
            let message = format!("expected a mapping in the included file `{path}`, found {}", node.describe());
            let diagnostic =
                Diagnostic::error(code::INCLUDE_SHAPE, place, message).also(node.span, "this is its content");
            self.report(diagnostic.help(format!("to take the content as a value, write `key: !include {path}`")));
        }
        Ok(place)
    }

    /// `key: !include path`.
    fn include_value(&mut self, path: &str, span: Span, depth: usize) -> Result<Node, Stop> {
        if path.is_empty() {
            let message = "expected the path of a file after `!include`, found nothing";
            self.report(Diagnostic::error(code::INCLUDE_PATH, span, message));
            return Ok(Node { kind: NodeKind::Null, span });
        }
        let node = self.loader.include(path, span, depth)?;
        Ok(node.unwrap_or(Node { kind: NodeKind::Null, span }))
    }
}

fn is_include(tag: &Tag) -> bool {
    tag.handle == "!" && tag.suffix == "include"
}
