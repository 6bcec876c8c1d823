//! Nodes as JSON values and back: what is stored and handed to operators has no places.

use serde_json::{Map, Number, Value};

use super::node::{Key, Node, NodeKind};
use super::source::{SourceId, Span};
use crate::params::ParamPath;

impl Node {
    /// Returns the value without its places. Integers stay integers.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Int(value) => Value::Number((*value).into()),
            NodeKind::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            NodeKind::String(text) => Value::String(text.clone()),
            NodeKind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            NodeKind::Map(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.name.clone(), value.to_value())).collect())
            }
        }
    }
}

/// A tree made of a value, with paths for places: the start of a span is an index into `paths`.
#[derive(Debug)]
pub struct Generated {
    /// The tree.
    pub node: Node,
    /// Where each key or value stands in the value.
    pub paths: Vec<ParamPath>,
}

impl Generated {
    /// Makes a tree of a value that stands at `at`.
    #[must_use]
    pub fn new(value: &Value, at: &ParamPath) -> Self {
        let mut paths = Vec::new();
        let node = generate(value, at, &mut paths);
        Self { node, paths }
    }

    /// Returns the path that a span of this tree stands for.
    #[must_use]
    pub fn path(&self, span: Span) -> Option<&ParamPath> {
        self.paths.get(span.start as usize)
    }
}

fn generate(value: &Value, at: &ParamPath, paths: &mut Vec<ParamPath>) -> Node {
    let index = u32::try_from(paths.len()).unwrap_or(u32::MAX);
    let span = Span::new(SourceId(0), index, index);
    paths.push(at.clone());
    let kind = match value {
        Value::Null => NodeKind::Null,
        Value::Bool(value) => NodeKind::Bool(*value),
        Value::Number(number) => number_kind(number),
        Value::String(text) => NodeKind::String(text.clone()),
        Value::Array(items) => NodeKind::List(
            items.iter().enumerate().map(|(index, item)| generate(item, &at.index(index), paths)).collect(),
        ),
        Value::Object(entries) => NodeKind::Map(generate_map(entries, at, paths)),
    };
    Node { kind, span }
}

fn generate_map(entries: &Map<String, Value>, at: &ParamPath, paths: &mut Vec<ParamPath>) -> Vec<(Key, Node)> {
    let entry = |(name, value): (&String, &Value)| {
        let node = generate(value, &at.key(name), paths);
        (Key { name: name.clone(), span: node.span }, node)
    };
    entries.iter().map(entry).collect()
}

fn number_kind(number: &Number) -> NodeKind {
    match (number.as_i64(), number.as_f64()) {
        (Some(value), _) => NodeKind::Int(value),
        (None, Some(value)) => NodeKind::Float(value),
        (None, None) => NodeKind::String(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_survives_the_way_through_a_tree() {
        let value = json!({"a": [1, 2.5, null, true, "x"], "b": {"c.d": 9_007_199_254_740_993_i64}});
        let generated = Generated::new(&value, &ParamPath::from("_do"));
        assert_eq!(generated.node.to_value(), value);
        let inner = generated.node.get("b").and_then(|b| b.get("c.d")).unwrap();
        assert_eq!(generated.path(inner.span).unwrap().0, "_do.b[\"c.d\"]");
    }
}
