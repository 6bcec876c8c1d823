//! The tasks of a group: mapping and list form, names, and the order that `_after` and `_background` ask for.

use super::{Compiler, Entry, Position, task_name};
use crate::diagnostic::{Diagnostic, code};
use crate::document::{Key, Node};
use crate::workflow::{Parallel, TaskDef};

impl Compiler<'_> {
    /// Compiles the tasks of a group in order.
    pub(super) fn children(&mut self, task: &mut TaskDef, children: &[Entry<'_>]) {
        let parallel = task.parallel != Parallel::No;
        for (key, node) in children {
            if let Some(diagnostic) = task_name::check(key) {
                self.report(diagnostic);
            }
            let Some(entries) = self.task_entries(key, node) else { continue };
            let position = Position::Child { parallel, above: &task.children };
            let child = self.task(&key.name, key.span, &entries, position);
            task.children.push(child);
        }
    }

    /// Returns the entries of a task that is a mapping or a list of mappings.
    fn task_entries<'n>(&mut self, key: &Key, node: &'n Node) -> Option<Vec<Entry<'n>>> {
        if let Some(entries) = node.as_map() {
            return Some(entries.iter().map(|(key, node)| (key, node)).collect());
        }
        let Some(items) = node.as_list() else {
            let place = if node.is_null() { key.span } else { node.span };
            let message = format!("expected a mapping in the task `{}`, found {}", key.name, node.describe());
            let mut diagnostic = Diagnostic::error(code::TASK_SHAPE, place, message);
            if node.is_null() {
                diagnostic = diagnostic.help("indent the lines of the task deeper than its name");
            } else if let Some(text) = node.as_str() {
                diagnostic = diagnostic.help(format!("name the operator: `{}: {{echo>: {text}}}`", key.name));
            }
            self.report(diagnostic);
            return None;
        };
        self.list_form(items)
    }

    /// Concatenates the mappings of a list, each of which holds tasks.
    ///
    /// DIFFERENCE(digdag): there, operators in several items overwrite each other in silence.
    fn list_form<'n>(&mut self, items: &'n [Node]) -> Option<Vec<Entry<'n>>> {
        let n_problems = self.diagnostics.len();
        let mut entries: Vec<Entry<'n>> = Vec::new();
        let mut operator: Option<(usize, &Key)> = None;
        let mut reported = false;
        for (index, item) in items.iter().enumerate() {
            let Some(map) = item.as_map() else {
                let message = format!("expected a mapping in the list of tasks, found {}", item.describe());
                self.report(Diagnostic::error(code::TASK_SHAPE, item.span, message));
                continue;
            };
            for (key, value) in map {
                let is_operator = key.name.ends_with('>') || key.name == "_type";
                if let Some((_, first)) = operator.filter(|(first, _)| is_operator && *first != index) {
                    if !reported {
                        let message = "the list holds operators, but it is one task";
                        self.report(
                            Diagnostic::error(code::LIST_OF_OPERATORS, key.span, message)
                                .label("a second operator")
                                .also(first.span, "the first one")
                                .help(format!("give each its own task: `- +step_1: {{{}: …}}`", first.name)),
                        );
                        reported = true;
                    }
                    continue;
                }
                if is_operator {
                    operator = operator.or(Some((index, key)));
                }
                match entries.iter().find(|(other, _)| other.name == key.name) {
                    Some((first, _)) => self.report(
                        Diagnostic::error(
                            code::DUPLICATE_KEY,
                            key.span,
                            format!("`{}` stands twice in one task", key.name),
                        )
                        .label("again here")
                        .also(first.span, "first here")
                        .help("rename or remove one of the two"),
                    ),
                    None => entries.push((key, value)),
                }
            }
        }
        (self.diagnostics.len() == n_problems || !reported).then_some(entries)
    }
}
