//! A task with an operator: which one, its parameters, and what the operator says of them.

use std::sync::Arc;

use serde_json::Value;

use super::{Call, Compiler, Entry, InFile, Position, foreign};
use crate::diagnostic::{Diagnostic, code, suggest};
use crate::document::{Key, Node, NodeKind, Span};
use crate::operator::{Exports, ParamProblem, Piece};
use crate::params::{ParamPath, Params, template};
use crate::workflow::{TaskDef, TaskKind, keyword};

/// The keys whose values are bodies of tasks.
const BODIES: [&str; 2] = ["_do", "_else_do"];

impl Compiler<'_> {
    pub(super) fn action(&mut self, task: &mut TaskDef, task_key: Span, entries: &[Entry<'_>], position: Position<'_>) {
        let Some((operator_key, operator)) = self.operator(entries) else { return };
        // Marks the task as an action before its keys are read: `_retry` may hold a template only then.
        task.kind = TaskKind::Action { operator: operator.clone(), params: Arc::default() };
        let mut params = Params::new();
        let mut disabled = false;
        for (key, node) in entries {
            if key.name.starts_with('+') {
                self.report(
                    Diagnostic::error(
                        code::OPERATOR_WITH_TASKS,
                        key.span,
                        format!("a task with an operator cannot hold the task `{}`", key.name),
                    )
                    .also(operator_key.span, "this is the operator")
                    .help("make the operator a task of its own beside the others"),
                );
                continue;
            }
            if let Some(keyword) = keyword::find(&key.name).filter(|keyword| keyword.action) {
                disabled |= self.keyword(task, keyword.name, key, node, position);
                continue;
            }
            let name = if key.name.ends_with('>') { "_command" } else { key.name.as_str() };
            if key.name == "_type" {
                // By it is known that the operator's value is written as `_command`.
                self.remember_places(task, &ParamPath::from("_type"), node);
                continue;
            }
            if key.name.ends_with('>') && *key != operator_key {
                continue;
            }
            if name == "_command" && node.is_null() {
                // As in Digdag, an operator without a value has no `_command` at all.
                continue;
            }
            if BODIES.contains(&name) && node.as_map().is_some() {
                self.conditional += 1;
                self.exports.push(loop_variables(entries, operator_key));
                self.body("^sub", key.span, node);
                self.exports.pop();
                self.conditional -= 1;
            } else {
                self.check_templates(node);
            }
            self.remember_places(task, &ParamPath::default().key(name), node);
            self.moves |= name == "_workdir";
            params.insert(name.to_owned(), node.to_value());
        }
        self.check_operator(&operator, operator_key, task_key, entries, &params);
        task.kind = TaskKind::Action { operator, params: Arc::new(params) };
        if disabled {
            task.kind = TaskKind::Group;
        }
    }

    /// Finds the one operator of a task: its key and its name.
    fn operator<'n>(&mut self, entries: &[Entry<'n>]) -> Option<(&'n Key, String)> {
        let mut operators = entries.iter().filter(|(key, _)| key.name.ends_with('>') || key.name == "_type");
        let (key, node) = operators.next()?;
        for (other, _) in operators {
            self.report(
                Diagnostic::error(code::TWO_OPERATORS, other.span, "a task cannot have two operators")
                    .label("a second operator")
                    .also(key.span, "the first one")
                    .help("make two tasks of it"),
            );
        }
        if let Some(name) = key.name.strip_suffix('>') {
            if let Some((command, _)) = entries.iter().find(|(other, _)| other.name == "_command") {
                self.report(
                    Diagnostic::error(code::TWO_OPERATORS, command.span, "the operator has two values")
                        .label("a second value")
                        .also(key.span, "the first one")
                        .help("remove `_command`"),
                );
            }
            return Some((key, name.to_owned()));
        }
        if let NodeKind::String(name) = &node.kind {
            return Some((key, name.trim_end_matches('>').to_owned()));
        }
        let message = format!("expected the name of an operator for `_type`, found {}", node.describe());
        self.report(Diagnostic::error(code::KEY_VALUE, if node.is_null() { key.span } else { node.span }, message));
        Some((key, "${".to_owned()))
    }

    fn check_operator(
        &mut self,
        operator: &str,
        operator_key: &Key,
        task_key: Span,
        entries: &[Entry<'_>],
        params: &Params,
    ) {
        if operator.contains("${") {
            return;
        }
        let Some(found) = self.registry.get(operator) else {
            let message = format!("there is no operator `{operator}>`");
            let mut diagnostic = Diagnostic::error(code::UNKNOWN_OPERATOR, operator_key.span, message);
            if let Some(instead) = foreign::instead_of(operator) {
                diagnostic.message = format!("Digdag has the operator `{operator}>`, suiro does not have it yet");
                diagnostic = diagnostic.help(instead);
            } else if let Some(name) = suggest::nearest(operator, self.registry.names()) {
                diagnostic = diagnostic.help(format!("did you mean `{name}>`?"));
            }
            self.report(diagnostic);
            return;
        };
        let exports = if self.knows_all_exports { Exports::all(&self.exports) } else { Exports::UNKNOWN };
        let mut problems = found.check(params, &exports);
        if let Some(surroundings) = &self.surroundings {
            problems.extend(found.inspect(params, &surroundings.seen_from(operator_key.span)));
        }
        for mut problem in problems {
            if problem.code == code::PARAM_UNKNOWN && is_used(&problem.path.0, entries) {
                let name = &problem.path;
                problem.help = Some(format!("a value for templates goes into `_export: {{{name}: …}}`"));
            }
            let mut diagnostic = diagnose(&problem, operator, operator_key, task_key, entries);
            match problem.inside {
                Some(Piece { file: Some(file), start, end }) => {
                    // What names the file is the value, whatever is wrong in the file.
                    if let Some(node) = value_at(&problem.path, operator_key, entries) {
                        diagnostic.primary.span = node.span;
                    }
                    self.in_files.push(InFile { diagnostic, file, start, end });
                    continue;
                }
                Some(piece) => {
                    let value = value_at(&problem.path, operator_key, entries);
                    if let Some(span) = value.and_then(|node| self.span_inside(node, &piece)) {
                        diagnostic.primary.span = span;
                    }
                }
                None => {}
            }
            self.report(diagnostic);
        }
        if operator == "call" {
            self.remember_call(operator_key, entries);
        }
    }

    /// Remembers the path of a called workflow when it is written out.
    fn remember_call(&mut self, operator_key: &Key, entries: &[Entry<'_>]) {
        let is_command = |(key, _): &&Entry<'_>| {
            if operator_key.name == "_type" { key.name == "_command" } else { *key == operator_key }
        };
        let Some((_, node)) = entries.iter().find(is_command) else { return };
        if let Some(path) = node.as_str().filter(|text| !text.contains("${")) {
            let conditional = self.conditional > 0;
            self.calls.push(Call { path: path.to_owned(), span: node.span, conditional });
        }
    }
}

/// Returns the names that the operator may give values for the tasks of its body: those of a loop's mapping.
fn loop_variables(entries: &[Entry<'_>], operator_key: &Key) -> Params {
    let command = entries.iter().find(|(key, _)| *key == operator_key || key.name == "_command");
    let names = command.and_then(|(_, node)| node.as_map()).into_iter().flatten();
    names.map(|(key, _)| (key.name.clone(), Value::String("${…}".to_owned()))).collect()
}

/// Returns whether a template of the task uses a name.
fn is_used(name: &str, entries: &[Entry<'_>]) -> bool {
    entries.iter().any(|(_, node)| node.as_str().is_some_and(|text| template::plain_names(text).contains(&name)))
}

/// Puts what an operator says of a parameter over its place.
fn diagnose(
    problem: &ParamProblem,
    operator: &str,
    operator_key: &Key,
    task_key: Span,
    entries: &[Entry<'_>],
) -> Diagnostic {
    let is_of_key = matches!(problem.code, code::PARAM_UNKNOWN | code::DUPLICATE_KEY);
    let find = |path: &ParamPath| {
        entries.iter().find_map(|(key, node)| {
            let name = if *key == operator_key && key.name != "_type" { "_command" } else { key.name.as_str() };
            find_place(path, &ParamPath::default().key(name), key, node, is_of_key)
        })
    };
    let elsewhere = if problem.path.0.is_empty() { operator_key.span } else { task_key };
    let mut place = find(&problem.path).unwrap_or(elsewhere);
    if problem.code == code::PARAM_MISSING && place == task_key {
        place = operator_key.span;
    }
    let mut diagnostic = Diagnostic::error(problem.code, place, problem.message.clone());
    if problem.code == code::PARAM_MISSING {
        diagnostic = diagnostic.label(format!("`{operator}>` needs it"));
    }
    if let Some(first) = problem.first.as_ref().and_then(find) {
        diagnostic = diagnostic.label("again here").also(first, "first here");
    }
    match &problem.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// Finds the value at a path.
fn value_at<'n>(path: &ParamPath, operator_key: &Key, entries: &[Entry<'n>]) -> Option<&'n Node> {
    entries.iter().find_map(|(key, node)| {
        let name = if *key == operator_key && key.name != "_type" { "_command" } else { key.name.as_str() };
        find_value(path, &ParamPath::default().key(name), node)
    })
}

fn find_value<'n>(path: &ParamPath, at: &ParamPath, node: &'n Node) -> Option<&'n Node> {
    if path == at {
        return Some(node);
    }
    if !path.0.strip_prefix(&at.0)?.starts_with(['.', '[']) {
        return None;
    }
    let mut entries = node.as_map().into_iter().flatten().map(|(key, value)| (at.key(&key.name), value));
    let mut items = node.as_list().into_iter().flatten().enumerate().map(|(index, item)| (at.index(index), item));
    entries
        .find_map(|(at, value)| find_value(path, &at, value))
        .or_else(|| items.find_map(|(at, item)| find_value(path, &at, item)))
}

/// Finds the place of a path in the value at `at`: the deepest part that exists; that of its key when the key is what is wrong.
fn find_place(path: &ParamPath, at: &ParamPath, key: &Key, node: &Node, is_of_key: bool) -> Option<Span> {
    let rest = path.0.strip_prefix(&at.0)?;
    if rest.is_empty() {
        return Some(if is_of_key || node.is_null() { key.span } else { node.span });
    }
    if !rest.starts_with(['.', '[']) {
        return None;
    }
    if let Some(entries) = node.as_map() {
        for (key, value) in entries {
            if let Some(span) = find_place(path, &at.key(&key.name), key, value, is_of_key) {
                return Some(span);
            }
        }
    }
    if let Some(items) = node.as_list() {
        for (index, item) in items.iter().enumerate() {
            let key = Key { name: String::new(), span: item.span };
            if let Some(span) = find_place(path, &at.index(index), &key, item, is_of_key) {
                return Some(span);
            }
        }
    }
    Some(node.span)
}
