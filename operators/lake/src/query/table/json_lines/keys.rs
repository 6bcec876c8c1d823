//! Which wanted columns the keys of JSON objects stand for; made once for many objects.

use std::borrow::Cow;
use std::collections::HashMap;

use super::JsonLines;

/// The wanted columns by the keys that stand for them.
#[derive(Debug)]
pub(super) struct Keys {
    /// Each column's place among all: an array has its value there.
    pub(super) places: Vec<usize>,
    /// By key, in lower case where case does not count.
    by_key: HashMap<String, Vec<usize>>,
    /// By column, of those whose keys may have dots where it has underscores.
    by_dotted: HashMap<String, Vec<usize>>,
    case_insensitive: bool,
}

impl Keys {
    /// Prepares for the columns, each with its place; one without a name has no key.
    pub(super) fn new(form: &JsonLines, columns: &[(usize, Option<&str>)]) -> Self {
        let openx = match form {
            JsonLines::Hive(_) => None,
            JsonLines::Openx(openx, _) => Some(openx),
        };
        let mut keys = Self {
            places: columns.iter().map(|(place, _)| *place).collect(),
            by_key: HashMap::with_capacity(columns.len()),
            by_dotted: HashMap::new(),
            case_insensitive: openx.is_none_or(|openx| openx.case_insensitive),
        };
        for (at, (_, column)) in columns.iter().enumerate() {
            let column = column.unwrap_or_default();
            let mapped = openx.and_then(|openx| openx.mappings.iter().find(|(known, _)| known == column));
            let key = mapped.map_or(column, |(_, key)| key.as_str());
            keys.by_key.entry(keys.folded(key).into_owned()).or_default().push(at);
            if openx.is_some_and(|openx| openx.dots_in_keys) && column.contains('_') {
                keys.by_dotted.entry(keys.folded(column).into_owned()).or_default().push(at);
            }
        }
        keys
    }

    /// Returns the columns that a key stands for, by their order among the wanted ones.
    pub(super) fn of(&self, key: &str) -> &[usize] {
        self.by_key.get(self.folded(key).as_ref()).map_or(&[], Vec::as_slice)
    }

    /// Returns the columns that a key with dots may stand for.
    pub(super) fn of_dotted(&self, key: &str) -> &[usize] {
        if self.by_dotted.is_empty() || !key.contains('.') {
            return &[];
        }
        self.by_dotted.get(self.folded(&key.replace('.', "_")).as_ref()).map_or(&[], Vec::as_slice)
    }

    fn folded<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if !self.case_insensitive || key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
            return Cow::Borrowed(key);
        }
        Cow::Owned(key.to_lowercase())
    }
}
