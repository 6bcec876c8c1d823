//! What a mapping holds that may have one of several forms, and has none of them.

use serde_json::{Map, Value};

use super::{ParamProblem, Schema, describe, either, is_closed, required};
use crate::diagnostic::{code, suggest};
use crate::params::ParamPath;

impl Schema<'_> {
    /// Says that a mapping is none of the forms that one of its keys tells apart.
    pub(super) fn no_such_form(
        self,
        map: &Map<String, Value>,
        key: &str,
        choices: &[&str],
        path: &ParamPath,
    ) -> ParamProblem {
        let at = path.key(key);
        let expected = either(choices.iter().map(|choice| format!("`{choice}`")).collect());
        let Some(found) = map.get(key) else {
            let message = format!("the parameter `{}` is missing: expected {expected}", self.name(&at));
            return ParamProblem { code: code::PARAM_MISSING, ..ParamProblem::new(at, message) };
        };
        let message = format!("expected {expected} for `{}`, found {}", self.name(&at), describe(found));
        let problem = ParamProblem::new(at, message);
        match found.as_str().and_then(|text| suggest::did_you_mean(text, choices.iter().copied())) {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    /// Says which keys of a mapping none of its forms has, whichever it is meant to be.
    pub(super) fn in_no_form<'v>(
        self,
        map: &Map<String, Value>,
        forms: impl Iterator<Item = &'v Value>,
        path: &ParamPath,
    ) -> Vec<ParamProblem> {
        let forms: Vec<&Value> = forms.filter(|form| form.get("properties").is_some()).collect();
        if !forms.iter().all(|form| is_closed(form)) {
            return Vec::new();
        }
        let of_form = |form: &&Value| form.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let properties: Map<String, Value> = forms.iter().flat_map(of_form).collect();
        let wanted = forms.first().map(|form| required(form)).unwrap_or_default();
        let is_absent =
            |name: &&str| !map.contains_key(*name) && forms.iter().all(|form| required(form).contains(name));
        let absent: Vec<&str> = wanted.into_iter().filter(is_absent).collect();
        let unknown = map.keys().filter(|name| !properties.contains_key(*name));
        unknown.map(|name| self.unknown(name, path, Some(&properties), &absent)).collect()
    }

    /// Says which keys of a mapping none of its forms has, or that it must have the key of one of them; nothing for forms that
    /// no key of their own names.
    pub(super) fn in_one_of<'v>(
        self,
        map: &Map<String, Value>,
        forms: impl Iterator<Item = &'v Value>,
        path: &ParamPath,
    ) -> Vec<ParamProblem> {
        let forms: Vec<&Value> = forms.filter(|form| form.get("properties").is_some()).collect();
        let keys: Vec<&str> = forms.iter().flat_map(|form| required(form)).collect();
        if forms.is_empty() || !forms.iter().all(|form| required(form).len() == 1) {
            return Vec::new();
        }
        let unknown = self.in_no_form(map, forms.into_iter(), path);
        if !unknown.is_empty() {
            return unknown;
        }
        let expected = either(keys.iter().map(|key| format!("`{key}`")).collect());
        let found: Vec<String> = map.keys().map(|key| format!("`{key}`")).collect();
        let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
        let message = format!("expected one key, {expected}, in `{}`, found {found}", self.name(path));
        vec![ParamProblem::new(path.clone(), message)]
    }
}

/// Returns whether a mapping has all keys that a form must have, and there are some.
pub(super) fn has_required_keys(form: &Value, map: &Map<String, Value>) -> bool {
    let required = required(form);
    !required.is_empty() && required.iter().all(|name| map.contains_key(*name))
}
