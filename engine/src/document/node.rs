//! The tree of a YAML document: order kept, every key and value with its place.

use serde_json::Value;

use super::source::Span;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it is.
    pub span: Span,
}

/// A YAML value, resolved as Digdag resolves it; tags, anchors and includes are resolved and gone.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// `~`, `null` or nothing.
    Null,
    /// `true` or `false`; `yes` and `on` are strings.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction or an exponent; always finite.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, with unique keys.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The text.
    pub name: String,
    /// Where it is.
    pub span: Span,
}

impl Node {
    /// Returns the entries of a mapping.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Key, Self)]> {
        match &self.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the items of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.kind {
            NodeKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a value of a mapping.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_map()?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// Returns whether the value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind == NodeKind::Null
    }

    /// Says what the value is, for a message: ``the string `x` ``, `a list`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::List(_) => "a list".to_owned(),
            NodeKind::Map(_) => "a mapping".to_owned(),
            _ => describe(&self.to_value()),
        }
    }

    /// Returns how many levels of mappings and lists the value has; 0 for a scalar.
    pub(super) fn height(&self) -> usize {
        match &self.kind {
            NodeKind::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            NodeKind::Map(entries) => 1 + entries.iter().map(|(_, value)| value.height()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Returns about how many bytes of memory the value takes.
    pub(super) fn weight(&self) -> usize {
        let inner = match &self.kind {
            NodeKind::String(text) => text.len(),
            NodeKind::List(items) => items.iter().map(Self::weight).sum(),
            NodeKind::Map(entries) => {
                entries.iter().map(|(key, value)| size_of::<Key>() + key.name.len() + value.weight()).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + inner
    }
}

/// Says what a value is, for a message.
#[must_use]
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) => format!("the string `{}`", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Cuts a text so that it fits into a message: its first line, 60 characters.
fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(MAX_CHARS).collect();
    if short.len() < text.trim_end().len() { format!("{short}…") } else { short }
}
