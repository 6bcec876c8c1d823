//! Document → workflow in normal form: `(Option<TaskDef>, Vec<Diagnostic>)`, all problems at once.
//!
//! What operators need is checked by [`crate::operator::Operator::check`]; this module maps the paths of its complaints to
//! places. Templates are neither evaluated nor checked here.

mod action;
mod children;
mod circle;
mod defaults;
mod foreign;
mod inside;
mod key_value;
mod task_name;
mod templates;

use std::sync::Arc;

use indexmap::IndexMap;

use super::{Place, TaskDef};
use crate::diagnostic::{Diagnostic, code, suggest};
use crate::document::value::Generated;
use crate::document::{Key, Node, SourceMap, Span};
use crate::operator::{Registry, Surroundings};
use crate::params::{ParamPath, Params};
use crate::workflow::keyword::{self, Keyword};

pub(super) use inside::InFile;

/// Where the text of a tree is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// In files.
    Document(&'a SourceMap),
    /// In a value of a task, whose places are known by path.
    Generated(&'a Generated, &'a IndexMap<String, Place>),
}

impl Origin<'_> {
    /// Returns the place of a span for messages at run time.
    pub(super) fn place(self, span: Span) -> Option<Place> {
        match self {
            Self::Document(sources) => {
                let (line, column) = sources.line_column(span.source, span.start);
                Some(Place { file: sources.get(span.source).path.clone(), line, column })
            }
            Self::Generated(generated, places) => places.get(&generated.path(span)?.0).cloned(),
        }
    }
}

/// A `call>` of a workflow whose path is written out.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The path as written.
    pub(super) path: String,
    /// Where it stands.
    pub(super) span: Span,
    /// Whether it stands in the body of an operator or of `_error`, so that it may never happen.
    pub(super) conditional: bool,
}

/// An entry of a mapping.
type Entry<'n> = (&'n Key, &'n Node);

/// Where a task stands: which keys of the language make sense there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Position<'p> {
    /// The top of a file.
    Top,
    /// The body of `_error`, `_check` or `_do`.
    Body,
    /// A child of a group, below these siblings.
    Child { parallel: bool, above: &'p [TaskDef] },
}

/// Compiles one document.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    origin: Origin<'a>,
    registry: &'a Registry,
    /// How many bodies (`_do`, `_error`) the current task is in.
    conditional: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) calls: Vec<Call>,
    /// The problems in files that tasks name.
    pub(super) in_files: Vec<InFile>,
    /// The files that tasks may name; none when it cannot be known where their paths start.
    surroundings: Option<Surroundings<'a>>,
    /// Whether some task works in another directory than that of its file.
    pub(super) moves: bool,
    /// The parameters that reach the current task, outermost first, as written.
    exports: Vec<Params>,
    /// Whether nothing else reaches it.
    knows_all_exports: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(origin: Origin<'a>, registry: &'a Registry) -> Self {
        Self {
            origin,
            registry,
            conditional: 0,
            diagnostics: Vec::new(),
            calls: Vec::new(),
            in_files: Vec::new(),
            surroundings: None,
            moves: false,
            exports: Vec::new(),
            knows_all_exports: false,
        }
    }

    /// Says that nothing reaches the tasks from outside of the file but these.
    pub(super) fn with_all_given(self, given: &[Params]) -> Self {
        Self { exports: given.to_vec(), knows_all_exports: true, ..self }
    }

    /// Lets operators look at the files that their tasks name.
    pub(super) fn with_surroundings(self, surroundings: Option<Surroundings<'a>>) -> Self {
        Self { surroundings, ..self }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Compiles the value of `_error`, `_check` or `_do`.
    pub(super) fn body(&mut self, name: &str, key: Span, node: &Node) -> Option<TaskDef> {
        if let Some(entries) = node.as_map() {
            let entries: Vec<Entry<'_>> = entries.iter().map(|(key, node)| (key, node)).collect();
            return Some(self.task(name, key, &entries, Position::Body));
        }
        let place = if node.is_null() { key } else { node.span };
        let message = format!("expected a mapping that is a task or holds tasks, found {}", node.describe());
        let mut diagnostic = Diagnostic::error(code::TASK_SHAPE, place, message);
        if node.as_list().is_some() {
            diagnostic = diagnostic.help("write the tasks as a mapping, without the `-`");
        }
        self.report(diagnostic);
        None
    }

    /// Compiles a task or group from its entries.
    pub(super) fn task(&mut self, name: &str, key: Span, entries: &[Entry<'_>], position: Position<'_>) -> TaskDef {
        let mut task = TaskDef { place: self.origin.place(key), ..TaskDef::group(name) };
        let is_operator = |(key, _): &Entry<'_>| key.name.ends_with('>') || key.name == "_type";
        let export = entries.iter().find(|(key, _)| key.name == "_export").map(|(_, node)| node.to_value());
        self.exports.push(export.and_then(|export| export.as_object().cloned()).unwrap_or_default());
        if !matches!(position, Position::Top) && entries.iter().any(is_operator) {
            self.action(&mut task, key, entries, position);
        } else {
            self.group(&mut task, entries, position);
        }
        self.exports.pop();
        task
    }

    fn group(&mut self, task: &mut TaskDef, entries: &[Entry<'_>], position: Position<'_>) {
        let mut disabled = false;
        let mut children = Vec::new();
        for (key, node) in entries {
            if key.name.starts_with('+') {
                children.push((*key, *node));
                continue;
            }
            let keyword = keyword::find(&key.name);
            let fits = |keyword: &&Keyword| match position {
                Position::Top => keyword.top,
                Position::Body | Position::Child { .. } => keyword.group,
            };
            match keyword.filter(fits) {
                Some(keyword) => disabled |= self.keyword(task, keyword.name, key, node, position),
                None if matches!(position, Position::Top) && key.name == "plugin" => self.ignored_plugin(key),
                None => self.unknown_key(key, node, keyword, position),
            }
        }
        // The children are compiled last: whether they run at once is a key that may stand below them.
        self.children(task, &children);
        if disabled {
            task.children.clear();
        }
    }

    fn ignored_plugin(&mut self, key: &Key) {
        let message = "the block `plugin` is for Digdag and is ignored";
        let note = Diagnostic::note(code::IGNORED_BLOCK, key.span, message);
        self.report(note.help("operators are built in: nothing is to be downloaded"));
    }

    fn unknown_key(&mut self, key: &Key, node: &Node, keyword: Option<&Keyword>, position: Position<'_>) {
        let name = &key.name;
        let top = matches!(position, Position::Top);
        if let Some(keyword) = keyword {
            let message = if top {
                format!("`{name}` cannot stand at the top of a file")
            } else {
                format!("`{name}` can stand only at the top of a file")
            };
            let help = if keyword.action { "put it into a task" } else { "move it to the top of the file" };
            self.report(Diagnostic::error(code::KEY_PLACE, key.span, message).help(help));
            return;
        }
        let place = if top { "at the top of a file" } else { "in a group" };
        let mut diagnostic =
            Diagnostic::error(code::UNKNOWN_KEY, key.span, format!("there is no key `{name}` {place}"));
        let operator = format!("{name}>");
        let known = keyword::KEYWORDS.iter().filter(|keyword| if top { keyword.top } else { keyword.group });
        if top && (name.ends_with('>') || name == "_type") {
            diagnostic = diagnostic.help(format!("put the operator into a task: `+main: {{{name}: …}}`"));
        } else if self.registry.get(name).is_some() {
            diagnostic = diagnostic.help(format!("did you mean the operator `{operator}`?"));
        } else if let Some(help) = suggest::did_you_mean(name, known.map(|keyword| keyword.name)) {
            diagnostic = diagnostic.help(help);
        } else if top && matches!(name.as_str(), "in" | "out") && self.registry.get("load").is_some() {
            // A load's config has Embulk's shape, and Embulk's users run it by itself.
            diagnostic =
                diagnostic.help("the config of a load runs with `suiro load run FILE`, or in a task: `load>: FILE`");
        } else if matches!(name.as_str(), "_do" | "_else_do" | "_env" | "_command") {
            diagnostic = diagnostic.help(format!("`{name}` belongs to a task with an operator"));
        } else if node.as_map().is_some() {
            diagnostic = diagnostic.help(format!("the name of a task starts with `+`: `+{name}`"));
        } else {
            diagnostic = diagnostic.help(format!("a parameter for the tasks below goes into `_export: {{{name}: …}}`"));
        }
        self.report(diagnostic);
    }

    /// Remembers where the parts of a parameter stand.
    fn remember_places(&self, task: &mut TaskDef, path: &ParamPath, node: &Node) {
        if let Some(place) = self.origin.place(node.span) {
            Arc::make_mut(&mut task.param_places).insert(path.0.clone(), place);
        }
        if let Some(entries) = node.as_map() {
            for (key, value) in entries {
                self.remember_places(task, &path.key(&key.name), value);
            }
        }
        if let Some(items) = node.as_list() {
            for (index, item) in items.iter().enumerate() {
                self.remember_places(task, &path.index(index), item);
            }
        }
    }
}
