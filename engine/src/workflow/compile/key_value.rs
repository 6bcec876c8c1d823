//! The values of the language's own keys.

use super::{Compiler, Position};
use crate::diagnostic::{Diagnostic, code, suggest};
use crate::document::{Key, Node, NodeKind};
use crate::params::{ParamPath, Params};
use crate::workflow::{Parallel, TaskDef};

/// The keys of a `_retry` mapping.
const RETRY_KEYS: [&str; 4] = ["limit", "interval", "max_interval", "interval_type"];

impl Compiler<'_> {
    /// Takes a key of the language into a task; returns whether it disables the task.
    pub(super) fn keyword(
        &mut self,
        task: &mut TaskDef,
        keyword: &str,
        key: &Key,
        node: &Node,
        position: Position<'_>,
    ) -> bool {
        match keyword {
            "_export" => self.export(task, key, node, position),
            "_parallel" => {
                match self.parallel(key, node) {
                    Some(parallel) => task.parallel = parallel,
                    // A mapping is meant to make it parallel, whatever is wrong with it: its tasks may have `_after`.
                    None if node.as_map().is_some() => task.parallel = Parallel::Unlimited,
                    None => {}
                }
            }
            "_retry" => self.retry(task, key, node),
            "_error" => {
                // It runs only when the task failed, so a call in it may never happen.
                self.conditional += 1;
                task.error = self.body("^error", key.span, node).map(Box::new);
                self.conditional -= 1;
            }
            "_check" => task.check = self.body("^check", key.span, node).map(Box::new),
            "_background" => self.background(task, key, node, position),
            "_after" => self.after(task, key, node, position),
            "_disable" => return self.boolean(key, node).unwrap_or(false),
            "_secrets" => self.secrets(key, node),
            "sla" => {
                let message = "Digdag has `sla`, suiro does not have it yet";
                let diagnostic = Diagnostic::error(code::NOT_SUPPORTED, key.span, message);
                self.report(
                    diagnostic.help("remove the block; `timeout` limits the time of a query, and `schedule` and your monitoring that of a run"),
                );
            }
            // `timezone` and `schedule` are read by the caller, who makes the workflow.
            _ => {}
        }
        false
    }

    fn wrong(&mut self, key: &Key, node: &Node, expected: &str) {
        let place = if node.is_null() { key.span } else { node.span };
        let mut message = format!("expected {expected} for `{}`, found {}", key.name, node.describe());
        let template = node.as_str().is_some_and(|text| text.contains("${"));
        if template {
            message = format!("`{}` cannot hold a template here", key.name);
        }
        let mut diagnostic = Diagnostic::error(code::KEY_VALUE, place, message);
        if template {
            diagnostic = diagnostic.help(format!("it is read before anything is evaluated: write {expected}"));
        }
        self.report(diagnostic);
    }

    fn boolean(&mut self, key: &Key, node: &Node) -> Option<bool> {
        let value = match &node.kind {
            NodeKind::Bool(value) => Some(*value),
            NodeKind::Int(0) => Some(false),
            NodeKind::Int(1) => Some(true),
            NodeKind::String(text) => match text.as_str() {
                "true" | "True" => Some(true),
                "false" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() {
            self.wrong(key, node, "`true` or `false`");
        }
        value
    }

    fn export(&mut self, task: &mut TaskDef, key: &Key, node: &Node, position: Position<'_>) {
        if node.is_null() {
            let message = "`_export` holds nothing";
            self.report(
                Diagnostic::warning(code::KEY_VALUE, key.span, message).help("remove it, or indent what belongs to it"),
            );
            return;
        }
        let Some(entries) = node.as_map() else {
            self.wrong(key, node, "a mapping");
            return;
        };
        let at = ParamPath::from("_export");
        let mut export = Params::new();
        for (key, value) in entries {
            if matches!(position, Position::Top) && key.name == "plugin" && value.as_map().is_some() {
                self.ignored_plugin(key);
                continue;
            }
            self.moves |= key.name == "_workdir";
            export.insert(key.name.clone(), value.to_value());
            self.remember_places(task, &at.key(&key.name), value);
            self.check_templates(value);
        }
        self.report_circles(entries);
        self.check_defaults(entries);
        task.export = export;
    }

    fn parallel(&mut self, key: &Key, node: &Node) -> Option<Parallel> {
        const EXPECTED: &str = "`true`, `false` or `{limit: N}`";
        let Some(entries) = node.as_map() else {
            if matches!(node.kind, NodeKind::Bool(_) | NodeKind::String(_)) {
                let value = match node.as_str() {
                    Some("true" | "True") => true,
                    Some("false" | "False") => false,
                    None => node.kind == NodeKind::Bool(true),
                    Some(_) => {
                        self.wrong(key, node, EXPECTED);
                        return None;
                    }
                };
                return Some(if value { Parallel::Unlimited } else { Parallel::No });
            }
            self.wrong(key, node, EXPECTED);
            return None;
        };
        let n_problems = self.diagnostics.len();
        let mut limit = None;
        for (option, value) in entries {
            if option.name != "limit" {
                self.unknown_option(key, option, &["limit"]);
                continue;
            }
            limit = whole_number(value).and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit >= 1);
            if limit.is_none() {
                self.wrong(option, value, "a whole number from 1");
                return None;
            }
        }
        if limit.is_none() && self.diagnostics.len() == n_problems {
            self.wrong(key, node, EXPECTED);
        }
        limit.map(Parallel::Limit)
    }

    fn unknown_option(&mut self, key: &Key, option: &Key, known: &[&'static str]) {
        let message = format!("there is no option `{}` in `{}`", option.name, key.name);
        let mut diagnostic = Diagnostic::error(code::UNKNOWN_KEY, option.span, message);
        if let Some(help) = suggest::did_you_mean(&option.name, known.iter().copied()) {
            diagnostic = diagnostic.help(help);
        } else {
            diagnostic = diagnostic.help(format!("options are `{}`", known.join("`, `")));
        }
        self.report(diagnostic);
    }

    fn retry(&mut self, task: &mut TaskDef, key: &Key, node: &Node) {
        self.remember_places(task, &ParamPath::from("_retry"), node);
        // A group's `_retry` is read when its children have failed, in nobody's scope.
        let templates = matches!(task.kind, crate::workflow::TaskKind::Action { .. });
        let is_template = |value: &Node| templates && value.as_str().is_some_and(|text| text.contains("${"));
        let is_number = |value: &Node| whole_number(value).is_some() || is_template(value);
        let is_pause = |value: &Node| whole_number(value).is_some_and(|seconds| seconds >= 0) || is_template(value);
        if let Some(entries) = node.as_map() {
            let n_problems = self.diagnostics.len();
            for (option, value) in entries {
                match option.name.as_str() {
                    "limit" if is_number(value) => {}
                    "interval" | "max_interval" if is_pause(value) => {}
                    "limit" => self.wrong(option, value, "a whole number"),
                    "interval" | "max_interval" => self.wrong(option, value, "a whole number of seconds"),
                    "interval_type" => {
                        let text = value.as_str().map(str::to_ascii_lowercase);
                        if !matches!(text.as_deref(), Some("constant" | "exponential")) {
                            self.wrong(option, value, "`constant` or `exponential`");
                        }
                    }
                    _ => self.unknown_option(key, option, &RETRY_KEYS),
                }
            }
            if node.get("limit").is_none() {
                let message = "expected `limit` in `_retry`, found none";
                self.report(
                    Diagnostic::error(code::KEY_VALUE, key.span, message)
                        .help("`limit: 3` tries up to three times again"),
                );
            }
            if self.diagnostics.len() == n_problems {
                task.retry = Some(node.to_value());
            }
        } else if is_number(node) {
            task.retry = Some(node.to_value());
        } else {
            self.wrong(key, node, "a whole number or a mapping with `limit`");
        }
    }

    fn background(&mut self, task: &mut TaskDef, key: &Key, node: &Node, position: Position<'_>) {
        let Some(background) = self.boolean(key, node) else { return };
        task.background = background;
        let message = match position {
            Position::Child { parallel: false, .. } => return,
            _ if !background => return,
            Position::Child { parallel: true, .. } => "`_background` has no meaning in a parallel group",
            Position::Top | Position::Body => "`_background` has no meaning outside a group",
        };
        self.report(Diagnostic::error(code::KEY_PLACE, key.span, message).help("remove it"));
        task.background = false;
    }

    fn after(&mut self, task: &mut TaskDef, key: &Key, node: &Node, position: Position<'_>) {
        let Position::Child { parallel: true, above } = position else {
            let message = "`_after` has a meaning only in a parallel group";
            let help = "add `_parallel: true` to the group, or remove it: tasks run in the order of the file";
            self.report(Diagnostic::error(code::KEY_PLACE, key.span, message).help(help));
            return;
        };
        let Some(items) = node.as_list() else {
            self.wrong(key, node, "a list of tasks, such as `[+load]`,");
            return;
        };
        for item in items {
            let Some(name) = item.as_str() else {
                self.wrong(key, item, "the name of a task");
                continue;
            };
            if above.iter().any(|sibling| sibling.name == name) {
                if !task.after.iter().any(|other| other == name) {
                    task.after.push(name.to_owned());
                }
                continue;
            }
            let message = format!("there is no task `{name}` above in this group");
            let mut diagnostic = Diagnostic::error(code::UNKNOWN_DEPENDENCY, item.span, message);
            let names = || above.iter().map(|sibling| sibling.name.as_str());
            let with_sign = format!("+{name}");
            if names().any(|sibling| sibling == with_sign) {
                diagnostic = diagnostic.help(format!("write the name with its sign: `{with_sign}`"));
            } else if let Some(help) = suggest::did_you_mean(name, names()) {
                diagnostic = diagnostic.help(help);
            } else {
                diagnostic = diagnostic.help("a task can wait only for tasks of its own group that stand above it");
            }
            self.report(diagnostic);
        }
    }

    fn secrets(&mut self, key: &Key, node: &Node) {
        let Some(entries) = node.as_map() else {
            self.wrong(key, node, "a mapping");
            return;
        };
        for (secret, value) in entries {
            let diagnostic = if value.kind == NodeKind::Bool(true) {
                let message = format!("granting the secret `{}` is not needed and is ignored", secret.name);
                Diagnostic::note(code::IGNORED_BLOCK, secret.span, message)
            } else {
                let message = format!("giving the secret `{}` another name is not supported yet", secret.name);
                Diagnostic::error(code::NOT_SUPPORTED, secret.span, message)
                    .help("name a secret where it is used (`${secret:name}`); give a program its own by the environment in which suiro runs")
            };
            self.report(diagnostic);
        }
    }
}

/// Reads a whole number, also from text.
fn whole_number(node: &Node) -> Option<i64> {
    match &node.kind {
        NodeKind::Int(value) => Some(*value),
        NodeKind::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
