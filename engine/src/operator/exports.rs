//! Which exported values can reach a task, as far as that is known before anything runs.

use serde_json::Value;

use super::typed::is_unevaluated;
use crate::params::Params;

/// The parameters that reach a task besides its own keys.
#[derive(Debug, Clone, Copy)]
pub struct Exports<'a> {
    layers: &'a [Params],
    is_all: bool,
}

impl<'a> Exports<'a> {
    /// Anything may reach the task: its file is called by others, or it is a piece of a task.
    pub const UNKNOWN: Exports<'static> = Exports { layers: &[], is_all: false };

    /// These reach the task and nothing else does.
    pub fn all(layers: &'a [Params]) -> Self {
        Self { layers, is_all: true }
    }

    /// Tells whether one of the mappings of defaults may give a key; their names are those of
    /// [`TypedOperator::DEFAULTS`](super::TypedOperator::DEFAULTS).
    pub fn may_give(&self, names: &[&str], key: &str) -> bool {
        !self.is_all || self.layers.iter().any(|layer| names.iter().any(|name| may_hold(layer, name, key)))
    }
}

fn may_hold(layer: &Params, name: &str, key: &str) -> bool {
    let nested = name.split_once('.').and_then(|(outer, inner)| match layer.get(outer)? {
        Value::Object(map) => map.get(inner),
        other => Some(other),
    });
    [layer.get(name), nested].into_iter().flatten().any(|defaults| match defaults {
        Value::Object(map) => map.contains_key(key),
        other => is_unevaluated(other),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_comes_from_a_mapping_of_its_operator() {
        let given = |export: Value| {
            let layers = [Params::new(), Params::from_iter([("x".to_owned(), export)])];
            Exports::all(&layers).may_give(&["x", "x.y"], "database")
        };
        assert!(given(json!({"database": "${db}"})));
        assert!(given(json!({"y": {"database": "a"}})));
        assert!(given(json!("${all}")), "which is known later");
        for other in [json!({}), json!({"table": "a"}), json!({"z": {"database": "a"}}), json!("a"), json!(null)] {
            assert!(!given(other.clone()), "{other}");
        }
        assert!(!Exports::all(&[]).may_give(&["x"], "database"));
        assert!(Exports::UNKNOWN.may_give(&["x"], "database"));
        let dotted = [Params::from_iter([("x.y".to_owned(), json!({"database": "a"}))])];
        assert!(Exports::all(&dotted).may_give(&["x", "x.y"], "database"));
    }
}
