//! Parameters: ordered JSON objects, their scopes and their templates.
//!
//! [`scope`] decides which value of a name wins, [`template`] finds `${…}` in a text, [`evaluate`] resolves and renders, with
//! JavaScript for what is more than a name. [`builtin`] and [`command_line`] make layers of a scope.

pub mod builtin;
pub mod byte_size;
pub mod command_line;
pub mod duration;
pub mod evaluate;
mod javascript;
pub mod scope;
pub(crate) mod syntax;
pub mod template;
mod text;
mod tree;

pub use evaluate::TaskParams;

/// An ordered JSON object of parameters.
pub type Params = serde_json::Map<String, serde_json::Value>;

/// The path of a parameter inside its task, such as `partition.keys[1]`; empty for the task itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ParamPath(pub String);

impl ParamPath {
    /// Returns the path of a key of the mapping at this path; a key with other characters than `a-zA-Z0-9_-+^>` is quoted.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '^' | '>');
        if name.is_empty() || !name.chars().all(plain) {
            return Self(format!("{}[{name:?}]", self.0));
        }
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// Returns the path of an item of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl std::fmt::Display for ParamPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ParamPath {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

/// Merges `from` into `into`: mappings deeply, everything else replaced; a replaced key keeps its position.
pub fn merge(into: &mut Params, from: &Params) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(serde_json::Value::Object(old)), serde_json::Value::Object(new)) => merge(old, new),
            (Some(old), _) => *old = value.clone(),
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}
