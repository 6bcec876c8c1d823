//! The YAML of a config: its tree, and where each value stands.

use std::collections::HashMap;
use std::ops::Range;

use engine::diagnostic::{Diagnostic, code};
use engine::document::value::Generated;
use engine::document::{self, Node, NodeKind, SourceMap, Span};
use engine::operator::ParamProblem;
use engine::params::ParamPath;

/// A config as written.
#[derive(Debug)]
pub(crate) struct ConfigDocument {
    /// The one file.
    pub(crate) sources: SourceMap,
    /// The tree; none when the YAML is wrong.
    pub(crate) node: Option<Node>,
    /// What is wrong with the YAML.
    pub(crate) problems: Vec<Diagnostic>,
    places: HashMap<ParamPath, Place>,
}

/// Where a value of a config stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Its key, where it has one; else the value.
    key: Span,
    /// The value; the key when the value is a whole block.
    value: Span,
}

impl ConfigDocument {
    /// Reads a text that messages call `name`.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut sources = SourceMap::default();
        let id = sources.add(name, text);
        let (node, mut problems) = document::parse(&mut sources, id);
        if node.is_none() && problems.is_empty() {
            let begin = Span::new(id, 0, 0);
            let message = "expected a mapping, found a file that holds nothing";
            problems.push(Diagnostic::error(code::PARAM_VALUE, begin, message));
        }
        let places = node.as_ref().map(places).unwrap_or_default();
        Self { sources, node, problems, places }
    }

    /// Returns the place of what a problem is about, or of the nearest value around it.
    pub(crate) fn place(&self, problem: &ParamProblem) -> Option<Span> {
        let mut text = problem.path.0.as_str();
        loop {
            if let Some(place) = self.places.get(&ParamPath(text.to_owned())) {
                return Some(if problem.code == code::PARAM_UNKNOWN { place.key } else { place.value });
            }
            let Some(cut) = text.rfind(['.', '[']) else { return self.node.as_ref().map(|node| node.span) };
            text = &text[..cut];
        }
    }

    /// Returns the bytes of a problem's place.
    pub(crate) fn bytes(&self, problem: &ParamProblem) -> Range<usize> {
        self.place(problem).map_or(0..0, bytes)
    }
}

/// Returns the bytes of a span.
pub(crate) fn bytes(span: Span) -> Range<usize> {
    let byte = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    byte(span.start)..byte(span.end)
}

/// Returns where each value of a document stands, by its path.
fn places(node: &Node) -> HashMap<ParamPath, Place> {
    let generated = Generated::new(&node.to_value(), &ParamPath::default());
    let mut places = HashMap::new();
    collect(node, &generated.node, &generated, &mut places);
    places
}

fn collect(node: &Node, twin: &Node, generated: &Generated, places: &mut HashMap<ParamPath, Place>) {
    if let Some(path) = generated.path(twin.span) {
        places.entry(path.clone()).or_insert(Place { key: node.span, value: node.span });
    }
    match (&node.kind, &twin.kind) {
        (NodeKind::List(items), NodeKind::List(twins)) => {
            for (item, twin) in items.iter().zip(twins) {
                collect(item, twin, generated, places);
            }
        }
        (NodeKind::Map(entries), NodeKind::Map(twins)) => {
            for ((key, value), (_, twin)) in entries.iter().zip(twins) {
                if let Some(path) = generated.path(twin.span) {
                    let block = value.is_null() || value.as_map().is_some() || value.as_list().is_some();
                    let place = Place { key: key.span, value: if block { key.span } else { value.span } };
                    places.insert(path.clone(), place);
                }
                collect(value, twin, generated, places);
            }
        }
        _ => {}
    }
}
