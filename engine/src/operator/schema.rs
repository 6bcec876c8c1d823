//! Values against the JSON schema of an operator's parameters: what does not fit, and the values in the types it wants.
//!
//! The schemas are those that `schemars` makes of Rust types; keywords that it does not make are not read. Values are
//! coerced as Digdag does it: `"3"` is a number where one is wanted, `3` is a text where one is wanted, a text that holds a
//! JSON list is a list where one is wanted. Templates always yield text, so this is what gives them their types.

mod form;

use std::fmt;

use serde_json::{Map, Number, Value};

use self::form::has_required_keys;
use super::ParamProblem;
use crate::diagnostic::{code, suggest};
use crate::document::node::describe;
use crate::params::{ParamPath, Params};
use crate::workflow::keyword;

/// When values are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before anything is evaluated: a text with a `${…}` may become anything.
    Check,
    /// After.
    Run,
}

/// Whose values they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner<'s> {
    /// An operator's parameters, by its name without `>`.
    Operator(&'s str),
    /// The keys of a config that stands somewhere else than in a task, by what messages call it: `file of tiers`.
    Config(&'s str),
}

impl Owner<'_> {
    /// Names the value after an operator's name; a config has none.
    fn command(self) -> String {
        match self {
            Self::Operator(name) => format!("{name}>"),
            Self::Config(what) => what.to_owned(),
        }
    }
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "`{name}>`"),
            Self::Config(what) => write!(f, "the {what}"),
        }
    }
}

/// The schema of one operator, or of a config.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'s> {
    pub(super) owner: Owner<'s>,
    pub(super) root: &'s Value,
    pub(super) stage: Stage,
}

impl<'s> Schema<'s> {
    /// Returns the parameters in the types that the schema wants, and everything that does not fit.
    pub(super) fn fit_params(self, params: &Params) -> (Params, Vec<ParamProblem>) {
        let mut problems = Vec::new();
        let fitted = self.object(self.root, params, &ParamPath::default(), &mut problems);
        (fitted, problems)
    }

    fn fit(self, schema: &'s Value, value: &Value, path: &ParamPath, problems: &mut Vec<ParamProblem>) -> Value {
        let schema = self.resolve(schema);
        if self.stage == Stage::Check && value.as_str().is_some_and(has_template) {
            return value.clone();
        }
        if let Some(variants) = variants(schema) {
            return self.fit_variant(schema, variants, value, path, problems);
        }
        if let Some(allowed) = allowed_values(schema) {
            let text = Value::String(plain_text(value).unwrap_or_default());
            return match allowed.iter().find(|allowed| **allowed == value || **allowed == &text) {
                Some(found) => (*found).clone(),
                None => self.wrong(schema, value, path, problems),
            };
        }
        let types = types(schema);
        if types.is_empty() {
            return value.clone();
        }
        if let Some(exact) = types.iter().find(|wanted| is_type(value, wanted)) {
            return self.inside(schema, exact, value.clone(), path, problems);
        }
        for wanted in &types {
            if let Some(coerced) = coerce(value, wanted) {
                return self.inside(schema, wanted, coerced, path, problems);
            }
        }
        self.wrong(schema, value, path, problems)
    }

    /// Checks the inside of a value that has the type it should have.
    fn inside(
        self,
        schema: &'s Value,
        wanted: &str,
        value: Value,
        path: &ParamPath,
        problems: &mut Vec<ParamProblem>,
    ) -> Value {
        match (wanted, &value) {
            ("object", Value::Object(map)) => Value::Object(self.object(schema, map, path, problems)),
            ("array", Value::Array(items)) => {
                let Some(item_schema) = schema.get("items") else { return value };
                let fit = |(index, item)| self.fit(item_schema, item, &path.index(index), problems);
                Value::Array(items.iter().enumerate().map(fit).collect())
            }
            ("integer" | "number", Value::Number(number)) => {
                let (low, high) = bounds(schema);
                let too_low = low.is_some_and(|low| number.as_f64().is_some_and(|number| number < low));
                let too_high = high.is_some_and(|high| number.as_f64().is_some_and(|number| number > high));
                if too_low || too_high {
                    return self.wrong(schema, &value, path, problems);
                }
                value
            }
            ("string", Value::String(text)) if !fits_length(schema, text) => self.wrong(schema, &value, path, problems),
            _ => value,
        }
    }

    fn object(
        self,
        schema: &'s Value,
        map: &Map<String, Value>,
        path: &ParamPath,
        problems: &mut Vec<ParamProblem>,
    ) -> Map<String, Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let property = |name: &str| properties.and_then(|properties| properties.get(name));
        let required = required(schema);
        // One that is wanted and not there is meant rather than one that is as near.
        let absent: Vec<&str> = required.iter().copied().filter(|name| !map.contains_key(*name)).collect();
        let closed = is_closed(schema);
        let additional = schema.get("additionalProperties").filter(|additional| additional.is_object());
        let mut fitted = Map::new();
        for (name, value) in map {
            let at = path.key(name);
            match (property(name), additional) {
                // Nothing written is nothing given, unless nothing is an answer of its own.
                (Some(schema), _) if value.is_null() && !self.takes_null(schema) => {}
                // A key of the user's own was written to have a value.
                (Some(schema), _) | (None, Some(schema)) => {
                    fitted.insert(name.clone(), self.fit(schema, value, &at, problems));
                }
                (None, None) if closed => problems.push(self.unknown(name, path, properties, &absent)),
                (None, None) => {
                    fitted.insert(name.clone(), value.clone());
                }
            }
        }
        for name in required {
            if !fitted.contains_key(name) {
                problems.push(self.missing(name, path, property(name)));
            }
        }
        fitted
    }

    /// Chooses the variant that a value is meant to be.
    fn fit_variant(
        self,
        schema: &'s Value,
        variants: &'s [Value],
        value: &Value,
        path: &ParamPath,
        problems: &mut Vec<ParamProblem>,
    ) -> Value {
        let attempts: Vec<(&Value, Value, Vec<ParamProblem>)> = variants
            .iter()
            .map(|variant| {
                let mut problems = Vec::new();
                let fitted = self.fit(variant, value, path, &mut problems);
                (self.resolve(variant), fitted, problems)
            })
            .collect();
        let good = || attempts.iter().filter(|(_, _, problems)| problems.is_empty());
        if let Some((_, fitted, _)) = good().find(|(_, fitted, _)| fitted == value).or_else(|| good().next()) {
            return fitted.clone();
        }
        // A mapping or list is judged by the one variant that is of that type; of several mappings, by the one whose
        // fixed keys it has.
        let mut same_type = attempts.iter().filter(|(variant, _, _)| {
            types(variant).iter().any(|wanted| is_type(value, wanted)) && allowed_values(variant).is_none()
        });
        let meant = match (same_type.next(), same_type.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => attempts.iter().find(|(variant, _, _)| has_fixed_keys(variant, value)),
            (None, _) => {
                let mut others = attempts.iter().filter(|(variant, _, _)| types(variant) != ["null"]);
                others.next().filter(|_| others.next().is_none())
            }
        };
        if let Some((_, fitted, found)) = meant {
            problems.extend(found.iter().cloned());
            return fitted.clone();
        }
        if let (Value::Object(map), Some((key, choices))) =
            (value, distinguishing_key(attempts.iter().map(|one| one.0)))
        {
            problems.push(self.no_such_form(map, key, &choices, path));
            problems.extend(self.in_no_form(map, attempts.iter().map(|one| one.0), path));
            return value.clone();
        }
        if let Value::Object(map) = value {
            // Of several mappings that a key of their own tells apart, the one whose key is there is meant.
            let mut named = attempts.iter().filter(|(variant, _, _)| has_required_keys(variant, map));
            if let (Some((_, fitted, found)), None) = (named.next(), named.next()) {
                problems.extend(found.iter().cloned());
                return fitted.clone();
            }
            let found = self.in_one_of(map, attempts.iter().map(|one| one.0), path);
            if !found.is_empty() {
                problems.extend(found);
                return value.clone();
            }
        }
        self.wrong(schema, value, path, problems)
    }

    /// Follows `$ref` and a lone `allOf`.
    fn resolve(self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        // A chain of references longer than any real one is a circle.
        for _ in 0..16 {
            let next = match (schema.get("$ref").and_then(Value::as_str), schema.get("allOf").and_then(Value::as_array))
            {
                (Some(reference), _) => reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)),
                (None, Some(parts)) if parts.len() == 1 => parts.first(),
                _ => None,
            };
            match next {
                Some(next) => schema = next,
                None => return schema,
            }
        }
        schema
    }

    fn takes_null(self, schema: &'s Value) -> bool {
        let schema = self.resolve(schema);
        if let Some(variants) = variants(schema) {
            return variants.iter().any(|variant| self.takes_null(variant));
        }
        let types = types(schema);
        allowed_values(schema).is_none() && (types.is_empty() || types.contains(&"null"))
    }

    fn name(self, path: &ParamPath) -> String {
        match path.0.strip_prefix("_command") {
            Some("") => self.owner.command(),
            Some(rest) => rest.strip_prefix('.').unwrap_or(rest).to_owned(),
            None => path.0.clone(),
        }
    }

    fn wrong(self, schema: &'s Value, value: &Value, path: &ParamPath, problems: &mut Vec<ParamProblem>) -> Value {
        let message =
            format!("expected {} for `{}`, found {}", self.expected(schema), self.name(path), describe(value));
        let mut problem = ParamProblem::new(path.clone(), message);
        let choices = self.choices(schema);
        if let Some(help) =
            value.as_str().and_then(|text| suggest::did_you_mean(text, choices.iter().map(String::as_str)))
        {
            problem = problem.help(help);
        }
        problems.push(problem);
        value.clone()
    }

    /// Says that there is no such key; `absent` are those that must be there and are not.
    fn unknown(
        self,
        name: &str,
        path: &ParamPath,
        properties: Option<&Map<String, Value>>,
        absent: &[&str],
    ) -> ParamProblem {
        let is_task = matches!(self.owner, Owner::Operator(_));
        let message = if path.0.is_empty() {
            format!("{} has no {} `{name}`", self.owner, if is_task { "parameter" } else { "key" })
        } else {
            format!("there is no key `{name}` in `{}`", self.name(path))
        };
        let mut problem = ParamProblem { code: code::PARAM_UNKNOWN, ..ParamProblem::new(path.key(name), message) };
        let known: Vec<&str> = properties
            .into_iter()
            .flat_map(|properties| properties.keys().map(String::as_str))
            .filter(|name| *name != "_command")
            .collect();
        let keywords = keyword::KEYWORDS.iter().filter(|keyword| keyword.action && is_task && path.0.is_empty());
        let candidates = known.iter().copied().chain(keywords.map(|keyword| keyword.name));
        let meant = suggest::did_you_mean(name, absent.iter().copied().filter(|name| *name != "_command"));
        if let Some(help) = meant.or_else(|| suggest::did_you_mean(name, candidates)) {
            problem = problem.help(help);
        } else if is_task && path.0.is_empty() && name == "_parallel" {
            problem = problem.help("`_parallel` belongs to a group or a loop");
        } else if is_task && path.0.is_empty() && suggest::nearest(name, ["_parallel"]).is_some() {
            problem = problem.help("did you mean `_parallel`? It belongs to a group or a loop");
        } else if known.is_empty() {
            problem = problem.help("it takes no parameters besides its value");
        } else {
            problem = problem.help(format!("it takes `{}`", known.join("`, `")));
        }
        problem
    }

    fn missing(self, name: &str, path: &ParamPath, schema: Option<&'s Value>) -> ParamProblem {
        let at = path.key(name);
        let expected = schema.map_or_else(|| "a value".to_owned(), |schema| self.expected(schema));
        let message = if at.0 == "_command" {
            format!("expected {expected} after `{}:`, found nothing", self.owner.command())
        } else {
            let what = match self.owner {
                Owner::Config(_) if path.0.is_empty() => "key",
                Owner::Operator(_) | Owner::Config(_) => "parameter",
            };
            format!("the {what} `{}` is missing: expected {expected}", self.name(&at))
        };
        ParamProblem { code: code::PARAM_MISSING, ..ParamProblem::new(at, message) }
    }

    /// Says what a schema wants.
    fn expected(self, schema: &'s Value) -> String {
        let choices = self.choices(schema);
        let schema = self.resolve(schema);
        if !choices.is_empty() {
            let mut others: Vec<String> = Vec::new();
            for variant in variants(schema).unwrap_or_default() {
                let resolved = self.resolve(variant);
                if allowed_values(resolved).is_none() && types(resolved) != ["null"] {
                    others.push(self.expected(variant));
                }
            }
            let listed = choices.iter().map(|choice| format!("`{choice}`"));
            return either(listed.chain(others).collect());
        }
        if let Some(variants) = variants(schema) {
            let mut all: Vec<String> = Vec::new();
            for variant in variants.iter().filter(|variant| types(self.resolve(variant)) != ["null"]) {
                let expected = self.expected(variant);
                if !all.contains(&expected) {
                    all.push(expected);
                }
            }
            return either(all);
        }
        let types = types(schema);
        let named = types.iter().filter(|wanted| types.len() == 1 || **wanted != "null");
        either(named.map(|wanted| type_name(wanted, schema)).collect())
    }

    /// Returns the fixed values that a schema allows.
    fn choices(self, schema: &'s Value) -> Vec<String> {
        let schema = self.resolve(schema);
        if let Some(variants) = variants(schema) {
            return variants.iter().flat_map(|variant| self.choices(variant)).collect();
        }
        allowed_values(schema).into_iter().flatten().filter_map(plain_text).collect()
    }
}

/// Returns whether a mapping has the constant keys of a variant, such as `type: csv`, and there are some.
fn has_fixed_keys(variant: &Value, value: &Value) -> bool {
    let Some(properties) = variant.get("properties").and_then(Value::as_object) else { return false };
    let mut fixed = properties.iter().filter_map(|(name, schema)| Some((name, schema.get("const")?))).peekable();
    fixed.peek().is_some() && fixed.all(|(name, wanted)| value.get(name) == Some(wanted))
}

/// Returns the key whose constants tell the mappings among some variants apart, such as `type`, and the constants.
fn distinguishing_key<'v>(variants: impl Iterator<Item = &'v Value>) -> Option<(&'v str, Vec<&'v str>)> {
    let mut key = None;
    let mut choices = Vec::new();
    for properties in variants.filter_map(|variant| variant.get("properties").and_then(Value::as_object)) {
        let mut fixed =
            properties.iter().filter_map(|(name, schema)| Some((name.as_str(), schema.get("const")?.as_str()?)));
        let (name, choice) = fixed.next()?;
        if *key.get_or_insert(name) != name {
            return None;
        }
        choices.push(choice);
    }
    key.map(|key| (key, choices))
}

/// Returns the keys that a mapping must have.
fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns whether a mapping takes no other keys than those of its schema.
fn is_closed(schema: &Value) -> bool {
    let keywords = ["additionalProperties", "unevaluatedProperties"];
    keywords.iter().any(|keyword| schema.get(keyword) == Some(&Value::Bool(false)))
}

/// Returns whether a text holds a template.
pub(super) fn has_template(text: &str) -> bool {
    text.contains("${")
}

fn variants(schema: &Value) -> Option<&[Value]> {
    ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array()).map(Vec::as_slice)
}

fn allowed_values(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    schema.get("enum")?.as_array().map(|values| values.iter().collect())
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// Gives a value the type that is wanted, as Digdag does.
fn coerce(value: &Value, wanted: &str) -> Option<Value> {
    match (wanted, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => plain_text(value).map(Value::String),
        ("integer", Value::String(text)) => text.trim().parse::<i64>().ok().map(|number| Value::Number(number.into())),
        ("integer", Value::Number(number)) => whole(number),
        ("number", Value::String(text)) => {
            let text = text.trim();
            let number = text.parse::<i64>().ok().map(Number::from);
            number.or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number)
        }
        ("boolean", Value::String(text)) => match text.trim() {
            "true" | "True" => Some(Value::Bool(true)),
            "false" | "False" | "" => Some(Value::Bool(false)),
            _ => None,
        },
        ("boolean", Value::Number(number)) => match number.as_i64() {
            Some(0) => Some(Value::Bool(false)),
            Some(1) => Some(Value::Bool(true)),
            _ => None,
        },
        ("array", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_array),
        ("object", Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        _ => None,
    }
}

/// Returns a number such as `1e3` as the integer that it is.
fn whole(number: &Number) -> Option<Value> {
    /// The first power of two that a float holds together with all smaller integers.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= MAX_EXACT)?;
    format!("{float:.0}").parse::<i64>().ok().map(|number| Value::Number(number.into()))
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Returns the least and greatest number that a schema allows.
fn bounds(schema: &Value) -> (Option<f64>, Option<f64>) {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let (format_low, format_high) = match format {
        "int8" => (Some(f64::from(i8::MIN)), Some(f64::from(i8::MAX))),
        "int16" => (Some(f64::from(i16::MIN)), Some(f64::from(i16::MAX))),
        "int32" => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        "uint8" => (Some(0.0), Some(f64::from(u8::MAX))),
        "uint16" => (Some(0.0), Some(f64::from(u16::MAX))),
        "uint32" => (Some(0.0), Some(f64::from(u32::MAX))),
        "uint64" | "uint" => (Some(0.0), None),
        _ => (None, None),
    };
    (bound("minimum").or(format_low), bound("maximum").or(format_high))
}

/// Returns whether a text is as long as a schema wants it.
fn fits_length(schema: &Value, text: &str) -> bool {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    limit("minLength").is_none_or(|least| length >= least) && limit("maxLength").is_none_or(|most| length <= most)
}

fn type_name(wanted: &str, schema: &Value) -> String {
    let name = match wanted {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "string" if schema.get("maxLength").and_then(Value::as_u64) == Some(1) => "one character",
        "string" => "a text",
        "array" => "a list",
        "object" => "a mapping",
        "integer" | "number" => {
            let name = if wanted == "integer" { "a whole number" } else { "a number" };
            let limits = (schema.get("minimum").and_then(Value::as_f64), schema.get("maximum").and_then(Value::as_f64));
            return match limits {
                (Some(low), Some(high)) => format!("{name} from {low} to {high}"),
                (Some(low), None) => format!("{name} from {low}"),
                (None, Some(high)) => format!("{name} up to {high}"),
                (None, None) => name.to_owned(),
            };
        }
        _ => "another type",
    };
    name.to_owned()
}

/// Joins with commas and an `or`.
fn either(parts: Vec<String>) -> String {
    // Two forms may be of one type: they are said once.
    let mut said: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        if !said.contains(&part) {
            said.push(part);
        }
    }
    let Some(last) = said.pop() else { return "another value".to_owned() };
    if said.is_empty() { last } else { format!("{} or {last}", said.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(rename = "_command")]
        command: String,
        limit: Option<u32>,
        #[serde(default)]
        strict: bool,
        ratio: Option<f64>,
        mode: Option<Mode>,
        #[serde(default)]
        keys: Vec<String>,
        partition: Option<Partition>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        rejected: Option<Share>,
        format: Option<Format>,
        quote: Option<char>,
        anything: Option<Value>,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        /// Keeps what is there.
        Append,
        /// Removes what is there.
        Replace,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Partition {
        key: String,
        #[serde(default)]
        values: Vec<i64>,
    }

    /// A number of rows, or a share such as `0.1%`.
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(untagged)]
    enum Share {
        Rows(u64),
        Text(String),
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
    enum Format {
        Parquet { compression: Option<String> },
        Csv { delimiter: Option<String> },
    }

    fn fit(stage: Stage, params: &Value) -> (Params, Vec<String>) {
        let root = schemars::schema_for!(Options).to_value();
        let schema = Schema { owner: Owner::Operator("copy"), root: &root, stage };
        let (params, problems) = schema.fit_params(params.as_object().unwrap());
        let problems = problems
            .iter()
            .map(|problem| {
                let help = problem.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
                format!("{} {}: {}{help}", problem.code, problem.path, problem.message)
            })
            .collect();
        (params, problems)
    }

    #[test]
    fn all_problems_come_at_once_with_paths() {
        let (_, problems) = fit(
            Stage::Check,
            &json!({
                "limit": -1, "strict": "yes", "ratio": "x", "mode": "repalce", "keys": "a", "labels": {"a": [1]},
                "partition": {"kye": 1, "values": [1, "b", "3"]}, "tables": 1, "stritc": true, "_paralel": 2, "rejected": true,
                "format": {"type": "csv", "compression": "zstd"}, "quote": "ab",
            }),
        );
        assert_eq!(
            problems,
            [
                "E0301 limit: expected a whole number from 0 for `limit`, found the number `-1`",
                "E0301 strict: expected `true` or `false` for `strict`, found the string `yes`",
                "E0301 ratio: expected a number for `ratio`, found the string `x`",
                "E0301 mode: expected `append` or `replace` for `mode`, found the string `repalce` (did you mean `replace`?)",
                "E0301 keys: expected a list for `keys`, found the string `a`",
                "E0301 labels.a: expected a text for `labels.a`, found a list",
                "E0302 partition.kye: there is no key `kye` in `partition` (did you mean `key`?)",
                "E0301 partition.values[1]: expected a whole number for `partition.values[1]`, found the string `b`",
                "E0303 partition.key: the parameter `partition.key` is missing: expected a text",
                "E0302 tables: `copy>` has no parameter `tables` (did you mean `labels`?)",
                "E0302 stritc: `copy>` has no parameter `stritc` (did you mean `strict`?)",
                "E0302 _paralel: `copy>` has no parameter `_paralel` (did you mean `_parallel`? It belongs to a group or a loop)",
                "E0302 format.compression: there is no key `compression` in `format` (it takes `type`, `delimiter`)",
                "E0301 quote: expected one character for `quote`, found the string `ab`",
                "E0303 _command: expected a text after `copy>:`, found nothing",
            ]
        );
    }

    #[test]
    fn values_get_the_types_that_are_wanted() {
        let (params, problems) = fit(
            Stage::Run,
            &json!({
                "_command": 3, "limit": "7", "strict": "True", "ratio": "1.5", "mode": "append", "keys": "[\"a\", 2]",
                "partition": "{\"key\": 1, \"values\": [\"4\", 5e0]}", "labels": {"a": true}, "rejected": "0.1%",
                "format": {"type": "parquet", "compression": null}, "anything": [null],
            }),
        );
        assert_eq!(problems, Vec::<String>::new());
        let options: Options = serde_json::from_value(Value::Object(params)).unwrap();
        assert_eq!(
            options,
            Options {
                command: "3".into(),
                limit: Some(7),
                strict: true,
                ratio: Some(1.5),
                mode: Some(Mode::Append),
                keys: vec!["a".into(), "2".into()],
                partition: Some(Partition { key: "1".into(), values: vec![4, 5] }),
                labels: BTreeMap::from([("a".into(), "true".into())]),
                rejected: Some(Share::Text("0.1%".into())),
                format: Some(Format::Parquet { compression: None }),
                quote: None,
                anything: Some(json!([null])),
            }
        );
    }

    #[test]
    fn templates_pass_before_they_are_evaluated_only() {
        let params = json!({"_command": "x", "limit": "${n}", "partition": "${p}", "mode": "${m}", "keys": ["${k}"]});
        assert_eq!(fit(Stage::Check, &params).1, Vec::<String>::new());
        assert_eq!(fit(Stage::Run, &params).1.len(), 3);
    }

    #[test]
    fn nothing_written_is_nothing_given() {
        let (params, problems) =
            fit(Stage::Run, &json!({"_command": null, "strict": null, "limit": null, "keys": null}));
        assert_eq!(problems, ["E0303 _command: expected a text after `copy>:`, found nothing"]);
        assert_eq!(Value::Object(params), json!({"limit": null}));
    }

    #[test]
    fn a_key_of_the_users_own_needs_its_value() {
        let (_, problems) = fit(Stage::Check, &json!({"_command": "x", "labels": {"dt": null, "hour": 1}}));
        assert_eq!(problems, ["E0301 labels.dt: expected a text for `labels.dt`, found nothing"]);
    }
}
