//! The turns of a loop: one body, and for each turn a name and the data that is its own.
//!
//! A loop may have a hundred thousand turns, so a turn is kept as small as it can be: what all turns share stands once, and
//! the data of each is JSON text until the turn runs.

use std::sync::Arc;

use serde::de::{Error as _, IgnoredAny};

use super::TaskDef;
use crate::params::Params;

/// The children of a loop's group.
#[derive(Debug, Clone, PartialEq)]
pub struct Turns {
    /// What each turn runs; its name and data are the turn's.
    pub body: TaskDef,
    /// The turns in order.
    pub each: Vec<Turn>,
}

/// What one turn of a loop does not share with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The name of its task: `+loop-0`.
    pub name: Arc<str>,
    /// Its data.
    pub bound: Bound,
}

/// Parameters that a task was made with: data, such as a loop variable, kept as the JSON text in which it is stored.
///
/// The text counts: a template sees the same value before and after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound(Option<Arc<str>>);

impl Bound {
    /// Takes the JSON text of a mapping.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        // Read to its end, but nothing of it is kept: there may be very many of these.
        serde_json::from_str::<IgnoredAny>(text)?;
        if !text.trim_start().starts_with('{') {
            return Err(serde_json::Error::custom("expected a mapping"));
        }
        Ok(Self(Some(Arc::from(text))))
    }

    /// Returns the JSON text, unless there are no parameters.
    pub fn as_json(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Says whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Reads the parameters.
    pub fn params(&self) -> Params {
        // INVARIANT: the text is a mapping; both ways to make it see to that.
        self.as_json().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

impl From<&Params> for Bound {
    fn from(params: &Params) -> Self {
        if params.is_empty() {
            return Self(None);
        }
        // A mapping of JSON values always has a text.
        Self(serde_json::to_string(params).ok().map(Arc::from))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_survive_as_text() {
        let value = json!({"range": {"from": 1, "to": 2.5}, "text": "\u{0} ü \" ${x}", "list": [null, true]});
        let params = value.as_object().unwrap();
        let bound = Bound::from(params);
        assert_eq!(bound.params(), *params);
        assert_eq!(Bound::from_json(bound.as_json().unwrap()).unwrap(), bound);
        assert!(Bound::from(&Params::new()).is_empty());
        assert_eq!(Bound::default().params(), Params::new());
    }

    #[test]
    fn only_a_mapping_is_taken() {
        for text in ["", "1", "[]", "{", "{\"a\":}", "null", "{}x"] {
            assert!(Bound::from_json(text).is_err(), "{text}");
        }
    }
}
