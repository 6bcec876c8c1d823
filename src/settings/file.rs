//! The file `suiro.yml`, as written: its profiles, and what is wrong with it, with places.

use std::path::{Path, PathBuf};

use engine::diagnostic::suggest::did_you_mean;
use engine::diagnostic::{Diagnostic, code};
use engine::document::{self, Key, Node, NodeKind, SourceMap};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The key of the profiles, the only one at the top.
const PROFILES: &str = "profiles";

/// The file as written.
#[derive(Debug, Default)]
pub(super) struct File {
    /// By name; `local` is there without being written.
    pub(super) profiles: IndexMap<String, Profile>,
}

/// A profile as written: where the lake is and what it may use. The names of its fields are the keys of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The folder of the data, relative to the project; `.suiro/warehouse`.
    pub(super) warehouse: Option<PathBuf>,
    /// The memory that queries and loads may hold before they spill: `2GiB`, `512MiB`; 1 GiB.
    pub(super) memory_limit: Option<String>,
    /// How long a replaced version is kept: `24h`, `7d`; 24 hours.
    pub(super) retention: Option<String>,
    /// How long the kept result of a query is there: `7d`; 45 days.
    pub(super) result_retention: Option<String>,
    /// How long a session stays with a run that does not say that it lives, because its machine died, say: `5m`; 60 seconds.
    pub(super) lease: Option<String>,
    /// The most tasks that run at once; 16.
    pub(super) max_tasks: Option<usize>,
    /// The most tasks an attempt may have; 100,000.
    pub(super) task_limit: Option<usize>,
}

impl Profile {
    /// The keys of a profile.
    fn keys() -> Vec<String> {
        let empty = serde_json::to_value(Self::default());
        let keys = empty.ok().as_ref().and_then(Value::as_object).map(|keys| keys.keys().cloned().collect());
        keys.unwrap_or_default()
    }
}

impl File {
    /// Reads the file's text.
    ///
    /// # Errors
    /// All problems of it at once, each with its place.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        let mut sources = SourceMap::default();
        let id = sources.add(path.display().to_string(), text);
        let (node, mut problems) = document::parse(&mut sources, id);
        match node.filter(|_| problems.is_empty()) {
            None => Err(Failure::diagnostics(sources, problems)),
            Some(node) => {
                let file = Self::of(&node, &mut problems);
                if problems.is_empty() { Ok(file) } else { Err(Failure::diagnostics(sources, problems)) }
            }
        }
    }

    /// Reads the document.
    fn of(node: &Node, problems: &mut Vec<Diagnostic>) -> Self {
        let mut file = Self::default();
        for (key, value) in entries(node, "the settings", problems) {
            if key.name != PROFILES {
                problems.push(unknown_at_the_top(key));
                continue;
            }
            for (name, profile) in entries(value, "`profiles`", problems) {
                file.profiles.insert(name.name.clone(), profile_of(name, profile, problems));
            }
        }
        file
    }
}

/// Reads a profile; one without a value has the defaults.
fn profile_of(name: &Key, node: &Node, problems: &mut Vec<Diagnostic>) -> Profile {
    let known = Profile::keys();
    let mut values = Map::new();
    for (key, value) in entries(node, &format!("the profile `{}`", name.name), problems) {
        if !known.contains(&key.name) {
            let problem = Diagnostic::error(
                code::UNKNOWN_KEY,
                key.span,
                format!("there is no setting `{}` in a profile", key.name),
            );
            let help = did_you_mean(&key.name, known.iter().map(String::as_str))
                .unwrap_or_else(|| format!("the settings are {}", listed(&known)));
            problems.push(problem.help(help));
            continue;
        }
        // Each alone, so that a wrong one is known by its place.
        let entry = Map::from_iter([(key.name.clone(), value.to_value())]);
        if serde_json::from_value::<Profile>(Value::Object(entry.clone())).is_ok() {
            values.extend(entry);
            continue;
        }
        let expected =
            if matches!(key.name.as_str(), "max_tasks" | "task_limit") { "a whole number" } else { "a text" };
        let message = format!("expected {expected} for `{}`, found {}", key.name, value.describe());
        problems.push(Diagnostic::error(code::KEY_VALUE, value.span, message));
    }
    serde_json::from_value(Value::Object(values)).unwrap_or_default()
}

/// Says that a key stands at the top which does not belong there.
fn unknown_at_the_top(key: &Key) -> Diagnostic {
    let message = format!("there is no key `{}` at the top of the settings", key.name);
    let problem = Diagnostic::error(code::UNKNOWN_KEY, key.span, message);
    if Profile::keys().contains(&key.name) {
        return problem.help("settings stand in a profile: `profiles:`, below it `local:`, below that the setting");
    }
    match did_you_mean(&key.name, [PROFILES]) {
        Some(help) => problem.help(help),
        None => problem.help("`profiles` is the only one"),
    }
}

/// Returns the entries of a mapping; nothing is a mapping without entries.
fn entries<'n>(node: &'n Node, what: &str, problems: &mut Vec<Diagnostic>) -> &'n [(Key, Node)] {
    match &node.kind {
        NodeKind::Map(entries) => entries,
        NodeKind::Null => &[],
        _ => {
            let message = format!("expected a mapping for {what}, found {}", node.describe());
            problems.push(Diagnostic::error(code::KEY_VALUE, node.span, message));
            &[]
        }
    }
}

/// Lists names: `` `a`, `b` ``.
fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::What;

    fn problems(text: &str) -> Vec<String> {
        match File::parse(Path::new("suiro.yml"), text.to_owned()) {
            Ok(_) => Vec::new(),
            Err(Failure { what: What::Diagnostics { sources, diagnostics }, .. }) => diagnostics
                .iter()
                .map(|problem| {
                    let span = problem.primary.span;
                    let (line, column) = sources.line_column(span.source, span.start);
                    format!("{line}:{column} {} {} | {}", problem.code, problem.message, problem.help.join("; "))
                })
                .collect(),
            Err(failure) => vec![format!("{failure:?}")],
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, expected) in [
            ("", vec![]),
            ("profiles:\n  local:\n", vec![]),
            (
                "profiles:\n  local:\n    memory_limt: 2GiB\n  big: {lease: 5m, colour: red}\n",
                vec![
                    "3:5 E0201 there is no setting `memory_limt` in a profile | did you mean `memory_limit`?",
                    "4:20 E0201 there is no setting `colour` in a profile | the settings are `warehouse`, `memory_limit`, `retention`, `result_retention`, `lease`, `max_tasks`, `task_limit`",
                ],
            ),
            (
                "profile: {}\n",
                vec!["1:1 E0201 there is no key `profile` at the top of the settings | did you mean `profiles`?"],
            ),
            (
                "warehouse: data\nx: 1\n",
                vec![
                    "1:1 E0201 there is no key `warehouse` at the top of the settings | settings stand in a profile: `profiles:`, below it `local:`, below that the setting",
                    "2:1 E0201 there is no key `x` at the top of the settings | `profiles` is the only one",
                ],
            ),
            (
                "profiles:\n  local: {max_tasks: many, retention: 24}\n",
                vec![
                    "2:22 E0208 expected a whole number for `max_tasks`, found the string `many` | ",
                    "2:39 E0208 expected a text for `retention`, found the number `24` | ",
                ],
            ),
            ("profiles: [local]\n", vec!["1:11 E0208 expected a mapping for `profiles`, found a list | "]),
        ] {
            assert_eq!(problems(text), expected, "{text}");
        }
    }

    #[test]
    fn the_page_names_every_key_and_variable() {
        let page = include_str!("../../docs/settings.md");
        for key in Profile::keys() {
            assert!(page.contains(&format!("| `{key}` |")), "docs/settings.md does not name `{key}`");
        }
        let variable = regex::Regex::new("\"(SUIRO_[A-Z_]+|NO_COLOR)\"").unwrap();
        for source in [include_str!("../settings.rs"), include_str!("../cli.rs")] {
            for found in variable.captures_iter(source) {
                assert!(page.contains(&format!("`{}`", &found[1])), "docs/settings.md does not name {}", &found[1]);
            }
        }
    }

    #[test]
    fn the_file_of_a_new_project_shows_every_key() {
        let text = include_str!("../command/init/suiro.yml");
        assert!(problems(text).is_empty());
        // What it shows is right when it is no comment any more.
        let mut shown = text.to_owned();
        for key in Profile::keys() {
            let comment = format!("    # {key}: ");
            assert_eq!(text.matches(&comment).count(), 1, "{key}");
            shown = shown.replace(&comment, &format!("    {key}: "));
        }
        assert!(problems(&shown).is_empty(), "{:?}", problems(&shown));
    }
}
