//! Pages that are made of the code: one for every operator, and their list. `UPDATE=1` writes them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use engine::operator::OperatorInfo;
use serde_json::{Map, Value};

use crate::support::{golden, registry, root, update};

/// What stands above everything that is generated.
const NOTE: &str = "<!-- Generated from the code: `UPDATE=1 cargo test --test it generated`. -->\n";

#[test]
fn every_operator_has_its_page_and_its_line_in_the_list() {
    let registry = registry();
    let folder = root().join("docs/operators");
    let mut wrong = Vec::new();
    let mut expected = vec!["README.md".to_owned()];
    for operator in registry.operators() {
        let info = operator.info();
        let file = file_name(info.name);
        wrong.extend(golden(&folder.join(&file), &Page::of(info)));
        expected.push(file);
    }
    let infos: Vec<&OperatorInfo> = registry.operators().map(|operator| operator.info()).collect();
    wrong.extend(golden(&folder.join("README.md"), &index(&infos)));
    expected.sort();
    let mut found: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    for file in found.iter().filter(|file| !expected.contains(file)) {
        if update() {
            std::fs::remove_file(folder.join(file)).unwrap();
        } else {
            wrong.push(format!("docs/operators/{file} is the page of no operator"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The file of an operator's page; `?` has no place in a path.
pub(crate) fn file_name(operator: &str) -> String {
    format!("{}.md", operator.trim_end_matches('?'))
}

/// The list of all operators, by family.
fn index(infos: &[&OperatorInfo]) -> String {
    let mut families: BTreeMap<&str, Vec<&&OperatorInfo>> = BTreeMap::new();
    for info in infos {
        let family = info.name.split_once('.').map_or("workflow", |(family, _)| family);
        families.entry(if info.name == "load" { "load" } else { family }).or_default().push(info);
    }
    let mut text = format!("{NOTE}# Operators\n\nA task names its operator by a key that ends in `>`.\n");
    for (family, infos) in families {
        let title = match family {
            "workflow" => "Workflow",
            "load" => "Loading",
            "athena" => "Athena",
            "metrics" => "Metrics",
            other => other,
        };
        write!(text, "\n## {title}\n\n| operator | what it does |\n|---|---|\n").unwrap();
        for info in infos {
            writeln!(text, "| [`{}>`]({}) | {} |", info.name, file_name(info.name), cell(info.summary)).unwrap();
        }
    }
    text
}

/// A page in the making.
struct Page<'i> {
    info: &'i OperatorInfo,
    text: String,
    /// Mappings that still need a table: what they are, and their schema.
    waiting: VecDeque<(String, Value)>,
}

impl<'i> Page<'i> {
    fn of(info: &'i OperatorInfo) -> String {
        let mut page = Self { info, text: String::new(), waiting: VecDeque::new() };
        write!(page.text, "{NOTE}# `{}>`\n\n{}\n\n```yaml\n{}```\n", info.name, info.summary, info.example).unwrap();
        page.text.push_str("\n## Parameters\n\n");
        page.table(&info.schema);
        if !info.details.trim().is_empty() {
            write!(page.text, "\n## What it does\n\n{}\n", info.details.trim()).unwrap();
        }
        let mut written: Vec<String> = Vec::new();
        while let Some((title, schema)) = page.waiting.pop_front() {
            if written.contains(&title) {
                continue;
            }
            write!(page.text, "\n### {title}\n\n").unwrap();
            if let Some(what) = schema.get("description").and_then(Value::as_str) {
                write!(page.text, "{}\n\n", what.trim()).unwrap();
            }
            page.table(&schema);
            written.push(title);
        }
        page.text
    }

    /// Writes the table of a mapping's keys.
    fn table(&mut self, schema: &Value) {
        let schema = self.resolve(schema);
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none).clone();
        let takes_no_value = |name: &str| name == "_command" && self.info.command.is_none();
        let rows: Vec<(&String, &Value)> = properties.iter().filter(|(name, _)| !takes_no_value(name)).collect();
        if rows.is_empty() {
            self.text.push_str("None.\n");
            return;
        }
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        self.text.push_str("| key | value | default | what it is |\n|---|---|---|---|\n");
        for (name, property) in rows {
            let place = match schema.get("x-place").and_then(Value::as_str) {
                _ if name == "_command" => String::new(),
                Some(place) => format!("{place}.{name}"),
                None => name.clone(),
            };
            let shown = if name == "_command" { format!("{}>", self.info.name) } else { name.clone() };
            let kind = self.kind(property, &place);
            let resolved = self.resolve(property);
            let default = match property.get("default").or_else(|| resolved.get("default")) {
                _ if required.contains(&name.as_str()) => "required".to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(Value::Array(items)) if items.is_empty() => String::new(),
                Some(Value::Object(map)) if map.is_empty() => String::new(),
                Some(Value::String(text)) => format!("`{text}`"),
                Some(other) => format!("`{other}`"),
            };
            let mut what =
                property.get("description").or_else(|| resolved.get("description")).map_or("", text).to_owned();
            for (choice, meaning) in self.choices(property) {
                if !meaning.is_empty() {
                    write!(what, "<br>`{choice}`: {meaning}").unwrap();
                }
            }
            writeln!(self.text, "| `{shown}` | {} | {} | {} |", cell(&kind), cell(&default), cell(&what)).unwrap();
        }
    }

    /// Follows references; what stands beside one is added to what it refers to.
    fn resolve(&self, schema: &Value) -> Value {
        let mut merged = schema.as_object().cloned().unwrap_or_default();
        while let Some(Value::String(reference)) = merged.remove("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| self.info.schema.pointer(pointer));
            for (key, value) in target.and_then(Value::as_object).into_iter().flatten() {
                match (merged.get_mut(key), value) {
                    (Some(Value::Object(ours)), Value::Object(theirs)) if key == "properties" => {
                        for (name, property) in theirs {
                            ours.entry(name.clone()).or_insert_with(|| property.clone());
                        }
                    }
                    (Some(Value::Array(ours)), Value::Array(theirs)) if key == "required" => {
                        ours.extend(theirs.iter().cloned());
                    }
                    (Some(_), _) => {}
                    (None, _) => {
                        merged.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        Value::Object(merged)
    }

    /// Says what a value is; mappings with keys of their own get a table further down.
    fn kind(&mut self, schema: &Value, place: &str) -> String {
        let schema = self.resolve(schema);
        if let Some(variants) = variants(&schema) {
            let mut kinds: Vec<String> = Vec::new();
            for variant in variants {
                let mut variant = self.resolve(variant);
                if variant.get("type").and_then(Value::as_str) == Some("null") {
                    continue;
                }
                if variant.get("description").is_none()
                    && let Some(what) = schema.get("description")
                    && let Some(variant) = variant.as_object_mut()
                {
                    variant.insert("description".to_owned(), what.clone());
                }
                let kind = self.kind(&variant, place);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            return either(&kinds);
        }
        if let Some(fixed) = schema.get("const") {
            return format!("`{}`", plain(fixed));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return either(&values.iter().map(|value| format!("`{}`", plain(value))).collect::<Vec<_>>());
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect()
            }
            _ => Vec::new(),
        };
        if types.is_empty() {
            return "any".to_owned();
        }
        let kinds: Vec<String> = types.iter().map(|name| self.typed(name, &schema, place)).collect();
        either(&kinds)
    }

    fn typed(&mut self, name: &str, schema: &Value, place: &str) -> String {
        match name {
            "boolean" => "`true` or `false`".to_owned(),
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "array" => match schema.get("items") {
                Some(items) => format!("list of {}", self.kind(&items.clone(), &format!("{place}[]"))),
                None => "list".to_owned(),
            },
            "object" if schema.get("properties").and_then(Value::as_object).is_some_and(|keys| !keys.is_empty()) => {
                self.waiting.push_back((title(place, schema), below(schema, place)));
                "mapping".to_owned()
            }
            "object" => match schema.get("additionalProperties").filter(|value| value.is_object()) {
                Some(values) => format!("mapping of {}", self.kind(&values.clone(), &format!("{place}.*"))),
                None => "mapping".to_owned(),
            },
            other => other.to_owned(),
        }
    }

    /// The fixed values of a key with what they mean.
    fn choices(&self, schema: &Value) -> Vec<(String, String)> {
        let schema = self.resolve(schema);
        let Some(variants) = variants(&schema) else { return Vec::new() };
        let mut choices = Vec::new();
        for variant in variants {
            let variant = self.resolve(variant);
            if let Some(fixed) = variant.get("const") {
                choices.push((plain(fixed), variant.get("description").map_or("", text).to_owned()));
            } else {
                choices.extend(self.choices(&variant));
            }
        }
        choices
    }
}

/// The title of a mapping's table: where it stands, and which of several forms it is.
fn title(place: &str, schema: &Value) -> String {
    let fixed = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let form: Vec<String> = fixed
        .filter_map(|(name, property)| property.get("const").map(|value| format!("`{name}: {}`", plain(value))))
        .collect();
    let place = if place.is_empty() { "The mapping".to_owned() } else { format!("`{place}`") };
    if form.is_empty() { place } else { format!("{place} with {}", form.join(", ")) }
}

/// A mapping whose keys know where they stand, so that tables further down are called by their whole path.
fn below(schema: &Value, place: &str) -> Value {
    let mut schema = schema.clone();
    if !place.is_empty()
        && let Some(object) = schema.as_object_mut()
    {
        object.insert("x-place".to_owned(), Value::String(place.to_owned()));
    }
    schema
}

fn variants(schema: &Value) -> Option<&Vec<Value>> {
    ["anyOf", "oneOf"].iter().find_map(|keyword| schema.get(keyword)?.as_array())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text as the cell of a table: one line, no bars.
fn cell(text: &str) -> String {
    text.trim()
        .replace("DIFFERENCE(embulk):", "Differs from Embulk:")
        .replace("\n\n", "<br>")
        .replace('\n', " ")
        .replace('|', "\\|")
}

fn either(kinds: &[String]) -> String {
    match kinds {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
