//! Exported mappings that give defaults to operators: `athena: {database: …, ctas: {…}}`.
//!
//! They may also hold values for templates and SQL files, under any name: only a key that is nearly the name of a parameter is
//! reported, because a default that is misspelt would silently not be one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Compiler;
use crate::diagnostic::{Diagnostic, code, suggest};
use crate::document::{Key, Node};

impl Compiler<'_> {
    /// Reports keys of such mappings that no operator which reads them knows.
    pub(super) fn check_defaults(&mut self, exported: &[(Key, Node)]) {
        for (key, value) in exported {
            self.check_defaults_of(&key.name, value);
        }
    }

    fn check_defaults_of(&mut self, mapping: &str, value: &Node) {
        let Some(entries) = value.as_map() else { return };
        let known = self.defaults_of(mapping);
        if known.is_empty() {
            return;
        }
        for (key, value) in entries {
            if known.contains(&key.name) {
                self.check_defaults_of(&format!("{mapping}.{}", key.name), value);
            } else if let Some(near) = suggest::nearest(&key.name, known.iter().map(String::as_str)) {
                let message = format!("there is no key `{}` in `{mapping}`, the defaults of operators", key.name);
                self.report(
                    Diagnostic::error(code::PARAM_UNKNOWN, key.span, message)
                        .help(format!("did you mean `{near}`?"))
                        .help(format!("a value for templates goes beside `{mapping}`, or under another name")),
                );
            }
        }
    }

    /// Returns what a mapping may hold: parameters of the operators that read it, and the last words of mappings in it.
    fn defaults_of(&self, mapping: &str) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for operator in self.registry.operators() {
            let names = operator.defaults();
            if names.contains(&mapping) {
                let properties = operator.info().schema.get("properties").and_then(Value::as_object);
                let keys = properties.into_iter().flat_map(|properties| properties.keys());
                known.extend(keys.filter(|key| !key.starts_with('_')).cloned());
                let inner = names.iter().filter_map(|name| name.strip_prefix(mapping)?.strip_prefix('.'));
                known.extend(inner.map(str::to_owned));
            }
        }
        known
    }
}
