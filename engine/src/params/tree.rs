//! The merged parameters of a task, leaf by leaf: each remembers whether it may be a template and what it hides.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::Params;

/// A mapping of the merged parameters, in order.
pub(crate) type Map = IndexMap<String, Node>;

/// A merged value: mappings stay open, so that a leaf keeps its origin however it was merged.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Map(Map),
    Leaf(Leaf),
}

/// A value that is replaced as a whole: a scalar or a list.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) value: Value,
    /// Set when the value is a template: it comes from a workflow's author and holds a `$`.
    pub(crate) template: Option<Template>,
    /// What stood here before; the value of a template that names itself.
    pub(crate) shadowed: Option<Box<Node>>,
}

/// What evaluation needs to know of a template.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// Its number in the tree.
    pub(crate) id: usize,
    /// The full name of the task that defines it.
    pub(crate) owner: Arc<str>,
}

/// How the values of a layer are read.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    /// As templates of the named task.
    Templates(Arc<str>),
    /// As they are.
    Data,
}

/// The paths that the command line decides: an `_export` leaves them alone.
#[derive(Debug, Clone)]
pub(crate) enum Pin {
    Whole,
    Keys(IndexMap<String, Self>),
}

/// Builds the tree, layer by layer.
#[derive(Debug, Default)]
pub(crate) struct TreeBuilder {
    pub(crate) root: Map,
    pub(crate) templates: usize,
    pins: IndexMap<String, Pin>,
}

impl TreeBuilder {
    /// Merges a layer over what is there.
    pub(crate) fn merge(&mut self, params: &Params, reading: &Reading) {
        merge_map(&mut self.root, params, reading, None, &mut self.templates);
    }

    /// Merges a layer over what is there, except over what is pinned.
    pub(crate) fn merge_unpinned(&mut self, params: &Params, reading: &Reading) {
        merge_map(&mut self.root, params, reading, Some(&self.pins), &mut self.templates);
    }

    /// Pins every leaf of a layer.
    pub(crate) fn pin(&mut self, params: &Params) {
        pin_map(&mut self.pins, params);
    }

    /// Sets a key, whatever was there: nothing is merged and nothing evaluated.
    pub(crate) fn replace(&mut self, key: &str, value: &Value) {
        self.root.insert(key.to_owned(), Node::data(value));
    }

    /// Removes the value at a dotted path.
    pub(crate) fn remove(&mut self, path: &str) {
        let mut map = &mut self.root;
        let mut keys = path.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                map.shift_remove(key);
                return;
            }
            let Some(Node::Map(next)) = map.get_mut(key) else { return };
            map = next;
        }
    }
}

impl Node {
    /// Makes a node whose leaves are never evaluated.
    pub(crate) fn data(value: &Value) -> Self {
        Self::new(value, &Reading::Data, &mut 0)
    }

    fn new(value: &Value, reading: &Reading, templates: &mut usize) -> Self {
        match value {
            Value::Object(object) => {
                let mut map = Map::new();
                merge_map(&mut map, object, reading, None, templates);
                Self::Map(map)
            }
            other => {
                Self::Leaf(Leaf { value: other.clone(), template: template(other, reading, templates), shadowed: None })
            }
        }
    }
}

/// The keys whose mappings are tasks or texts for later: their templates are evaluated by the tasks made of them.
pub(crate) const LATER: [&str; 4] = ["_do", "_else_do", "_error", "_check"];

fn merge_map(
    into: &mut Map,
    from: &Params,
    reading: &Reading,
    pins: Option<&IndexMap<String, Pin>>,
    templates: &mut usize,
) {
    for (key, value) in from {
        let pin = pins.and_then(|pins| pins.get(key));
        let below = match (pin, value) {
            (None, _) => None,
            (Some(Pin::Keys(keys)), Value::Object(_)) => Some(keys),
            // The command line decides this value, or a part of it that a scalar would wipe out.
            (Some(_), _) => continue,
        };
        if LATER.contains(&key.as_str()) {
            into.insert(key.clone(), Node::Leaf(Leaf { value: value.clone(), template: None, shadowed: None }));
            continue;
        }
        match (into.get_mut(key), value) {
            (Some(Node::Map(old)), Value::Object(object)) => merge_map(old, object, reading, below, templates),
            (Some(old), Value::Object(object)) => {
                let mut map = Map::new();
                merge_map(&mut map, object, reading, below, templates);
                // A mapping over a scalar hides it for good: no leaf of the mapping has its path.
                *old = Node::Map(map);
            }
            (Some(old), other) => {
                let new = Node::Leaf(Leaf {
                    value: other.clone(),
                    template: template(other, reading, templates),
                    shadowed: None,
                });
                let hidden = std::mem::replace(old, new);
                if let Node::Leaf(Leaf { template: Some(_), shadowed, .. }) = old {
                    *shadowed = Some(Box::new(hidden));
                }
            }
            (None, Value::Object(object)) => {
                let mut map = Map::new();
                merge_map(&mut map, object, reading, below, templates);
                into.insert(key.clone(), Node::Map(map));
            }
            (None, other) => {
                into.insert(key.clone(), Node::new(other, reading, templates));
            }
        }
    }
}

fn template(value: &Value, reading: &Reading, templates: &mut usize) -> Option<Template> {
    let Reading::Templates(owner) = reading else { return None };
    holds_dollar(value).then(|| {
        let id = *templates;
        *templates += 1;
        Template { id, owner: Arc::clone(owner) }
    })
}

fn holds_dollar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('$'),
        Value::Array(items) => items.iter().any(holds_dollar),
        Value::Object(map) => map.values().any(holds_dollar),
        _ => false,
    }
}

fn pin_map(pins: &mut IndexMap<String, Pin>, params: &Params) {
    for (key, value) in params {
        match (pins.get_mut(key), value) {
            (Some(Pin::Keys(keys)), Value::Object(object)) => pin_map(keys, object),
            (_, Value::Object(object)) => {
                let mut keys = IndexMap::new();
                pin_map(&mut keys, object);
                pins.insert(key.clone(), Pin::Keys(keys));
            }
            _ => {
                pins.insert(key.clone(), Pin::Whole);
            }
        }
    }
}
