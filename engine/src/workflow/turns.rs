//! The turns of a loop: one body, and for each turn a name and the data that is its own.
//!
//! A loop may have a hundred thousand turns, so a turn is kept as small as it can be: what all turns share stands once, and
//! the data of each is JSON text until the turn runs.

use std::borrow::Cow;
use std::fmt::Write as _;
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

/// How the name of a turn of `for_each>` begins.
pub(crate) const FOR_EACH: &str = "+for-";

/// What stands in the name of a turn before the number that tells it from others with the same values; [`escaped`] never gives it.
pub(crate) const REPEATED: char = '~';

/// Returns the name of a task in which a turn of `for_each>` is told by its values alone, and not by their places in the lists:
/// `+for-0=day=3=2026-01-` becomes `+for-day=2026-01-04`. Other names stay.
///
/// Of turns with the same values the second one is `+for-day=2026-01-04~2`.
pub(crate) fn lasting_name<'n>(name: &'n str, bound: &Bound) -> Cow<'n, str> {
    if bound.is_empty() || !name.starts_with(FOR_EACH) {
        return Cow::Borrowed(name);
    }
    let params = bound.params();
    let mut pairs: Vec<String> = params
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{}={}", escaped(key.chars()), escaped(text.chars()))
        })
        .collect();
    pairs.sort_unstable();
    let repeated = name.find(REPEATED).and_then(|at| name.get(at..)).unwrap_or_default();
    Cow::Owned(format!("{FOR_EACH}{}{repeated}", pairs.join("&")))
}

/// Escapes characters as in a URL, so that they may stand in a task's name.
pub(crate) fn escaped(text: impl Iterator<Item = char>) -> String {
    let mut escaped = String::new();
    for character in text {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            escaped.push(character);
        } else {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing into a string cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
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
    fn a_lasting_name_tells_a_turn_by_its_values() {
        let bound = |value: serde_json::Value| Bound::from(value.as_object().unwrap());
        for (name, data, lasting) in [
            ("+for-0=v=0=a", json!({"v": "a"}), "+for-v=a"),
            ("+for-0=v=7=a", json!({"v": "a"}), "+for-v=a"),
            ("+for-0=v=0=2026-01-", json!({"v": "2026-01-04"}), "+for-v=2026-01-04"),
            ("+for-0=b=0=1&1=a=2=x%20y", json!({"b": 1, "a": "x y"}), "+for-a=x%20y&b=1"),
            ("+for-0=v=0=%7B%22k%22", json!({"v": {"k": [1]}}), "+for-v=%7B%22k%22%3A%5B1%5D%7D"),
            ("+for-0=v=4=a~2", json!({"v": "a"}), "+for-v=a~2"),
            ("+loop-3", json!({"i": 3}), "+loop-3"),
            ("+for-written-by-hand", json!({}), "+for-written-by-hand"),
        ] {
            assert_eq!(lasting_name(name, &bound(data)), lasting);
        }
        // The text "1" and the number 1 are one; the second of them has its number.
        assert_eq!(lasting_name("+for-0=v=0=1", &bound(json!({"v": "1"}))), "+for-v=1");
    }

    #[test]
    fn only_a_mapping_is_taken() {
        for text in ["", "1", "[]", "{", "{\"a\":}", "null", "{}x"] {
            assert!(Bound::from_json(text).is_err(), "{text}");
        }
    }
}
