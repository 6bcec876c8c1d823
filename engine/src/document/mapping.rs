//! How the entries of one mapping come together: its own, those of `<<`, and those of `!include`.
//!
//! Own keys may stand once. A key of `<<` never replaces one that is there; an own key replaces it. An included key is
//! merged deeply with what stands above the include and wins; what stands below the include is merged deeply into it and
//! wins.
//!
//! DIFFERENCE(digdag): there, an own mapping below an include replaces the included one whole.

use std::collections::HashMap;

use super::node::{Key, Node, NodeKind};
use super::source::Span;

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Own,
    Merged,
    Included,
}

/// A mapping in the making.
#[derive(Debug, Default)]
pub(super) struct MapBuilder {
    entries: Vec<(Key, Node)>,
    origins: Vec<Origin>,
    index: HashMap<String, usize>,
}

impl MapBuilder {
    /// Adds a key of the mapping itself.
    ///
    /// # Errors
    /// With the place of the first one when the key is there already; that one stays.
    pub(super) fn add_own(&mut self, key: Key, value: Node) -> Result<(), Span> {
        let Some(&at) = self.index.get(&key.name) else {
            self.push(key, value, Origin::Own);
            return Ok(());
        };
        let (old_key, old_value) = &mut self.entries[at];
        match self.origins[at] {
            Origin::Own => return Err(old_key.span),
            Origin::Merged => *old_value = value,
            Origin::Included => merge(old_value, value),
        }
        *old_key = key;
        self.origins[at] = Origin::Own;
        Ok(())
    }

    /// Adds the entries of a mapping that `<<` names.
    pub(super) fn add_merged(&mut self, entries: Vec<(Key, Node)>) {
        for (key, value) in entries {
            if !self.index.contains_key(&key.name) {
                self.push(key, value, Origin::Merged);
            }
        }
    }

    /// Adds the entries of an included mapping.
    pub(super) fn add_included(&mut self, entries: Vec<(Key, Node)>) {
        for (key, value) in entries {
            match self.index.get(&key.name) {
                None => self.push(key, value, Origin::Included),
                Some(&at) => {
                    merge(&mut self.entries[at].1, value);
                    if self.origins[at] == Origin::Merged {
                        self.origins[at] = Origin::Included;
                    }
                }
            }
        }
    }

    pub(super) fn finish(self) -> Vec<(Key, Node)> {
        self.entries
    }

    fn push(&mut self, key: Key, value: Node, origin: Origin) {
        self.index.insert(key.name.clone(), self.entries.len());
        self.entries.push((key, value));
        self.origins.push(origin);
    }
}

/// Merges `from` into `into`: mappings deeply, everything else is replaced; a replaced key keeps its position.
fn merge(into: &mut Node, from: Node) {
    if let (NodeKind::Map(old), NodeKind::Map(_)) = (&mut into.kind, &from.kind) {
        let NodeKind::Map(new) = from.kind else { return };
        for (key, value) in new {
            match old.iter_mut().find(|(old_key, _)| old_key.name == key.name) {
                Some((old_key, old_value)) => {
                    *old_key = key;
                    merge(old_value, value);
                }
                None => old.push((key, value)),
            }
        }
    } else {
        *into = from;
    }
}
