//! Evaluates the templates of a task: on demand, each once, whatever their order.
//!
//! A template sees, by name: the keys of its own mapping that stand before it, then the task's parameters at top level, then
//! the keys of its own mapping that stand after it. What a name stands for is evaluated first, so a template never sees
//! another template's text. A template that names itself sees the value it hides (`a: "${a}/more"` over an outer `a`).
//!
//! DIFFERENCE(digdag): nothing is evaluated that nothing uses; references forward and into nested mappings are resolved; a
//! cycle is an error that names its members; Digdag leaves the text of the template in these cases.

use std::collections::HashSet;
use std::rc::Rc;

use serde_json::Value;

use super::javascript::{self, Input, Outcome};
use super::template::{
    Part, TemplateError, TemplateErrorKind, TemplateErrors, TemplateSettings, line_and_column, mix, parts, plain_path,
};
use super::text::text_of;
use super::tree::{LATER, Leaf, Map, Node, Template, TreeBuilder};
use super::{ParamPath, Params, builtin};
use crate::diagnostic::suggest;

/// How many templates may wait for each other; more is an error and not a crash.
const MAX_DEPTH: usize = 128;

/// How long the text of a parameter may become. Each of a dozen parameters may name the one before ten times; what JavaScript gives is
/// bound by its own memory.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// The merged parameters of one task, ready to be evaluated. Made by [`super::scope::Scope::task`].
#[derive(Debug, Clone)]
pub struct TaskParams {
    root: Map,
    templates: usize,
    task: String,
    own: Params,
    settings: TemplateSettings,
}

type Result<T> = std::result::Result<T, Box<TemplateError>>;

impl TaskParams {
    pub(crate) fn new(tree: TreeBuilder, task: &str, own: &Params, settings: TemplateSettings) -> Self {
        Self { root: tree.root, templates: tree.templates, task: task.to_owned(), own: own.clone(), settings }
    }

    /// Evaluates the task's own keys, in their order. A mapping comes merged with what the scope has under its key;
    /// `_do`, `_else_do`, `_error` and `_check` come as written, for the tasks made of them.
    ///
    /// # Errors
    /// When templates that these keys need, directly or not, cannot be evaluated; all of them.
    pub fn own(&self) -> std::result::Result<Params, TemplateErrors> {
        let mut evaluation = Evaluation::new(self);
        let mut errors = Vec::new();
        let mut params = Params::new();
        for (key, written) in &self.own {
            if LATER.contains(&key.as_str()) {
                params.insert(key.clone(), written.clone());
            } else if let Some(node) = self.root.get(key) {
                params.insert(key.clone(), evaluation.collect(node, &mut errors));
            }
        }
        TemplateErrors::gather(errors).map_or(Ok(params), Err)
    }

    /// Evaluates the task's own keys as [`TaskParams::own`] does, as far as they are known: an expression that cannot be
    /// evaluated yet stays as written, and is told.
    pub fn own_known(&self) -> (Params, Vec<TemplateError>) {
        let mut evaluation = Evaluation::new(self);
        let mut errors = Vec::new();
        let mut params = Params::new();
        for (key, written) in &self.own {
            if LATER.contains(&key.as_str()) {
                params.insert(key.clone(), written.clone());
            } else if let Some(node) = self.root.get(key) {
                params.insert(key.clone(), evaluation.known(node, &mut errors));
            }
        }
        (params, errors)
    }

    /// Evaluates everything in scope, the task's own keys included, except `_do`, `_else_do`, `_error` and `_check`.
    ///
    /// A key whose value cannot be evaluated is left out and told among the errors: what nobody uses must not fail a task.
    pub fn everything(&self) -> (Params, Vec<TemplateError>) {
        let mut evaluation = Evaluation::new(self);
        let mut errors = Vec::new();
        let mut params = Params::new();
        for (key, node) in &self.root {
            if LATER.contains(&key.as_str()) {
                continue;
            }
            let before = errors.len();
            let value = evaluation.collect(node, &mut errors);
            if errors.len() == before {
                params.insert(key.clone(), value);
            }
        }
        (params, errors)
    }

    /// Evaluates the templates of a text that is no parameter: a file of SQL, say.
    ///
    /// # Errors
    /// When one of them cannot be evaluated, with its line and column in the text.
    pub fn render_text(&self, text: &str) -> std::result::Result<String, Box<TemplateError>> {
        Evaluation::new(self).render(text, &mut Site::text(self))
    }

    /// Evaluates the templates of a text as [`TaskParams::render_text`] does, with more parameters: data, over all others.
    ///
    /// # Errors
    /// When one of them cannot be evaluated, with its line and column in the text.
    pub fn render_text_with(&self, text: &str, extra: &Params) -> std::result::Result<String, Box<TemplateError>> {
        if extra.is_empty() {
            return self.render_text(text);
        }
        let mut params = self.clone();
        params.root.extend(extra.iter().map(|(name, value)| (name.clone(), Node::data(value))));
        params.render_text(text)
    }

    /// Evaluates the templates of a text as [`TaskParams::render_text_with`] does, as far as they are known: an expression
    /// that cannot be evaluated stays as written, and is told.
    pub fn render_text_known(&self, text: &str, extra: &Params) -> (String, Vec<TemplateError>) {
        let mut params = self.clone();
        params.root.extend(extra.iter().map(|(name, value)| (name.clone(), Node::data(value))));
        let mut errors = Vec::new();
        let known = Evaluation::new(&params).render_known(text, &mut Site::text(&params), &mut errors);
        (known, errors)
    }

    /// Says whether a parameter of this name is in scope.
    pub fn has(&self, name: &str) -> bool {
        self.root.contains_key(name)
    }

    /// Evaluates a value that is no parameter of the task, such as the `_retry` of an action; `name` is what errors call it.
    ///
    /// # Errors
    /// When one of its templates cannot be evaluated.
    pub fn evaluate(&self, name: &str, value: &Value) -> std::result::Result<Value, Box<TemplateError>> {
        let mut site = Site { path: ParamPath::from(name), ..Site::text(self) };
        Evaluation::new(self).value(value, &mut site)
    }
}

/// Where an expression stands: what it may see and what its errors name.
#[derive(Debug, Clone)]
struct Site<'t> {
    /// The template, unless the text is no parameter.
    id: Option<usize>,
    owner: &'t str,
    path: ParamPath,
    /// The evaluated keys of the mappings inside a list, outermost first.
    locals: Vec<(String, Value)>,
}

impl<'t> Site<'t> {
    fn text(params: &'t TaskParams) -> Self {
        Self { id: None, owner: &params.task, path: ParamPath::from(""), locals: Vec::new() }
    }
}

/// A template of the tree and its place there.
#[derive(Debug)]
struct Placed<'t> {
    leaf: &'t Leaf,
    owner: &'t str,
    path: ParamPath,
    key: &'t str,
    /// The mapping around it and its position there; none at top level.
    siblings: Option<(&'t Map, usize)>,
}

#[derive(Debug, Clone)]
enum State {
    Fresh,
    Running,
    Done(Rc<Value>),
    Failed(Box<TemplateError>),
}

enum Found<'t> {
    Node(&'t Node),
    Local(Value),
    Itself,
    Nothing,
}

/// A value that is there already or was made by a template.
#[derive(Debug)]
enum Held<'t> {
    Plain(&'t Value),
    Made(Rc<Value>),
}

impl Held<'_> {
    fn get(&self) -> &Value {
        match self {
            Self::Plain(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// Adds an error unless it is there.
fn note(error: Box<TemplateError>, errors: &mut Vec<TemplateError>) {
    if !errors.contains(&error) {
        errors.push(*error);
    }
}

struct Evaluation<'t> {
    params: &'t TaskParams,
    placed: Vec<Option<Placed<'t>>>,
    states: Vec<State>,
    running: Vec<usize>,
}

impl<'t> Evaluation<'t> {
    fn new(params: &'t TaskParams) -> Self {
        let mut placed: Vec<Option<Placed<'t>>> = Vec::new();
        placed.resize_with(params.templates, || None);
        place_map(&params.root, true, &mut Vec::new(), &mut placed);
        Self { params, placed, states: vec![State::Fresh; params.templates], running: Vec::new() }
    }

    /// Evaluates a node for the outside; what fails is null and noted.
    fn collect(&mut self, node: &'t Node, errors: &mut Vec<TemplateError>) -> Value {
        match node {
            Node::Map(map) => Value::Object(
                map.iter().map(|(key, node)| (key.clone(), self.collect(node, errors))).collect::<Params>(),
            ),
            Node::Leaf(leaf) => match self.leaf(leaf, None) {
                Ok(held) => held.get().clone(),
                Err(error) => {
                    note(error, errors);
                    Value::Null
                }
            },
        }
    }

    /// Evaluates a node for the outside; what fails stays as written and is noted.
    fn known(&mut self, node: &'t Node, errors: &mut Vec<TemplateError>) -> Value {
        let leaf = match node {
            Node::Map(map) => {
                return Value::Object(map.iter().map(|(key, node)| (key.clone(), self.known(node, errors))).collect());
            }
            Node::Leaf(leaf) => leaf,
        };
        let id = match (self.leaf(leaf, None), &leaf.template) {
            (Ok(held), _) => return held.get().clone(),
            (Err(error), None) => {
                note(error, errors);
                return leaf.value.clone();
            }
            (Err(_), Some(template)) => template.id,
        };
        let Some(Some(placed)) = self.placed.get(id) else { return leaf.value.clone() };
        let mut site = Site { id: Some(id), owner: placed.owner, path: placed.path.clone(), locals: Vec::new() };
        self.value_known(&leaf.value, &mut site, errors)
    }

    fn value_known(&mut self, value: &Value, site: &mut Site<'t>, errors: &mut Vec<TemplateError>) -> Value {
        let path = site.path.clone();
        let known = match value {
            Value::String(text) => Value::String(self.render_known(text, site, errors)),
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    site.path = path.index(index);
                    self.value_known(item, site, errors)
                });
                Value::Array(items.collect())
            }
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, item)| {
                    site.path = path.key(key);
                    (key.clone(), self.value_known(item, site, errors))
                });
                Value::Object(entries.collect())
            }
            other => other.clone(),
        };
        site.path = path;
        known
    }

    fn render_known(&mut self, text: &str, site: &mut Site<'t>, errors: &mut Vec<TemplateError>) -> String {
        let mut out = String::with_capacity(text.len());
        for part in parts(text) {
            match part {
                Part::Text(text) => out.push_str(&text),
                Part::Expression { source: "", .. } => {}
                Part::Expression { source, offset } => match self.expression_after(&out, source, offset, site) {
                    Ok(text) => out.push_str(&text),
                    Err(error) => {
                        note(Self::place(error, text, source, offset, site), errors);
                        out.push_str("${");
                        out.push_str(source);
                        out.push('}');
                    }
                },
            }
        }
        out
    }

    /// Evaluates a node for a template.
    fn node(&mut self, node: &'t Node, asking: Option<usize>) -> Result<Value> {
        match node {
            Node::Map(map) => {
                let mut object = Params::new();
                for (key, node) in map {
                    object.insert(key.clone(), self.node(node, asking)?);
                }
                Ok(Value::Object(object))
            }
            Node::Leaf(leaf) => Ok(self.leaf(leaf, asking)?.get().clone()),
        }
    }

    fn leaf(&mut self, leaf: &'t Leaf, asking: Option<usize>) -> Result<Held<'t>> {
        match &leaf.template {
            None => Ok(Held::Plain(&leaf.value)),
            Some(template) if Some(template.id) == asking => match leaf.shadowed.as_deref() {
                Some(hidden) => Ok(Held::Made(Rc::new(self.node(hidden, asking)?))),
                None => self.template(template.id).map(Held::Made),
            },
            Some(template) => self.template(template.id).map(Held::Made),
        }
    }

    /// Evaluates a template, once.
    fn template(&mut self, id: usize) -> Result<Rc<Value>> {
        match self.states.get(id) {
            Some(State::Done(value)) => return Ok(Rc::clone(value)),
            Some(State::Failed(error)) => return Err(error.clone()),
            Some(State::Running) => return Err(self.cycle(id)),
            Some(State::Fresh) | None => {}
        }
        let Some(Some(placed)) = self.placed.get(id) else { return Ok(Rc::new(Value::Null)) };
        let (leaf, owner, path) = (placed.leaf, placed.owner, placed.path.clone());
        if self.running.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} parameters wait for each other here");
            return Err(Box::new(self.problem(TemplateErrorKind::TooBig, message, path, owner)));
        }
        self.running.push(id);
        self.states[id] = State::Running;
        let result = self.value(&leaf.value, &mut Site { id: Some(id), owner, path, locals: Vec::new() });
        self.running.pop();
        match result {
            Ok(value) => {
                let value = Rc::new(value);
                self.states[id] = State::Done(Rc::clone(&value));
                Ok(value)
            }
            Err(error) => {
                self.states[id] = State::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn value(&mut self, value: &Value, site: &mut Site<'t>) -> Result<Value> {
        match value {
            Value::String(text) => self.render(text, site).map(Value::String),
            Value::Array(items) => {
                let path = site.path.clone();
                let mut list = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    site.path = path.index(i);
                    list.push(self.value(item, site)?);
                }
                site.path = path;
                Ok(Value::Array(list))
            }
            Value::Object(object) => {
                let path = site.path.clone();
                let known = site.locals.len();
                let mut map = Params::new();
                for (key, item) in object {
                    site.path = path.key(key);
                    let value = if LATER.contains(&key.as_str()) { item.clone() } else { self.value(item, site)? };
                    site.locals.push((key.clone(), value.clone()));
                    map.insert(key.clone(), value);
                }
                site.locals.truncate(known);
                site.path = path;
                Ok(Value::Object(map))
            }
            other => Ok(other.clone()),
        }
    }

    fn render(&mut self, text: &str, site: &mut Site<'t>) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        for part in parts(text) {
            match part {
                Part::Text(text) => out.push_str(&text),
                Part::Expression { source: "", .. } => {}
                Part::Expression { source, offset } => match self.expression_after(&out, source, offset, site) {
                    Ok(text) => out.push_str(&text),
                    Err(error) => return Err(Self::place(error, text, source, offset, site)),
                },
            }
        }
        Ok(out)
    }

    /// Evaluates an expression that stands behind a text: both together have an end.
    fn expression_after(&mut self, before: &str, source: &str, offset: usize, site: &mut Site<'t>) -> Result<String> {
        let text = self.expression(source, offset, site)?;
        if before.len() + text.len() > MAX_TEXT_BYTES {
            let message = format!("the text would be longer than {} MiB", MAX_TEXT_BYTES >> 20);
            let problem = self.problem(TemplateErrorKind::TooBig, message, ParamPath::default(), site.owner);
            // The place is found by who puts the text together.
            return Err(Box::new(TemplateError { line: 0, ..problem }));
        }
        Ok(text)
    }

    /// Completes an error with the place of the expression; an error from further down gets the parameter it came by.
    fn place(
        mut error: Box<TemplateError>,
        text: &str,
        source: &str,
        offset: usize,
        site: &Site<'_>,
    ) -> Box<TemplateError> {
        let (line, column) = line_and_column(text, offset);
        let own = error.line == 0;
        if own {
            source.clone_into(&mut error.expression);
            error.path = site.path.clone();
            site.owner.clone_into(&mut error.defined_by);
        } else if site.id.is_none() && site.path.0.is_empty() {
            // The reader has a file before him: the place in the file comes first, the cause becomes the message.
            error.used_by.insert(0, ParamPath::default());
            error.message = error.to_string();
            source.clone_into(&mut error.expression);
            error.path = ParamPath::from("");
            error.used_by.clear();
        } else {
            error.used_by.insert(0, site.path.clone());
            return error;
        }
        error.offset = offset;
        error.line = line;
        error.column = column;
        error
    }

    fn expression(&mut self, source: &str, offset: usize, site: &mut Site<'t>) -> Result<String> {
        match self.plain(source, site)? {
            Some(text) => Ok(text),
            None => self.javascript(source, offset, site),
        }
    }

    /// Evaluates `a.b.c` without JavaScript; none when that takes more than looking up names.
    fn plain(&mut self, source: &str, site: &Site<'t>) -> Result<Option<String>> {
        let Some(path) = plain_path(source) else { return Ok(None) };
        let mut keys = path.iter().copied().peekable();
        let Some(first) = keys.next() else { return Ok(None) };
        let mut node = match self.lookup(first, site) {
            Found::Node(node) => node,
            Found::Local(value) => return Ok(descend(&value, keys)),
            Found::Itself => return Err(site.id.map_or_else(|| self.cycle(0), |id| self.cycle(id))),
            Found::Nothing => return Ok(None),
        };
        while let Node::Map(map) = node {
            let Some(key) = keys.next() else { break };
            match map.get(key) {
                Some(next) => node = next,
                None if keys.peek().is_none() && !inherited(key) => return Ok(Some(String::new())),
                None => return Ok(None),
            }
        }
        match node {
            Node::Map(_) => Ok(Some(text_of(&self.node(node, site.id)?))),
            Node::Leaf(leaf) => {
                let held = self.leaf(leaf, site.id)?;
                Ok(descend(held.get(), keys))
            }
        }
    }

    fn lookup(&self, name: &str, site: &Site<'t>) -> Found<'t> {
        if let Some((_, value)) = site.locals.iter().rev().find(|(key, _)| key == name) {
            return Found::Local(value.clone());
        }
        let top = self.params.root.get(name);
        let Some(placed) = site.id.and_then(|id| self.placed.get(id)?.as_ref()) else {
            return top.map_or(Found::Nothing, Found::Node);
        };
        let hidden = || placed.leaf.shadowed.as_deref().map_or(Found::Itself, Found::Node);
        let Some((siblings, own)) = placed.siblings else {
            return if name == placed.key { hidden() } else { top.map_or(Found::Nothing, Found::Node) };
        };
        match siblings.get_full(name) {
            Some((at, _, node)) if at < own => Found::Node(node),
            sibling => match (top, sibling) {
                (None, Some((at, ..))) if at == own => hidden(),
                (Some(node), _) | (None, Some((_, _, node))) => Found::Node(node),
                (None, None) => Found::Nothing,
            },
        }
    }

    fn javascript(&mut self, source: &str, offset: usize, site: &Site<'t>) -> Result<String> {
        let names = self.names_for(source, site);
        let seed = mix(self.params.settings.seed, &[site.owner, &site.path.0, &offset.to_string()]);
        // Each round evaluates one template that the expression turned out to need; a round that needs none is the last.
        loop {
            let bindings: Vec<(&str, Input<'_>)> = names
                .iter()
                .filter_map(|name| {
                    let input = match self.lookup(name, site) {
                        Found::Node(node) => self.input(node, site.id),
                        Found::Local(value) => Input::Made(Rc::new(value)),
                        Found::Itself => Input::Pending(site.id?),
                        Found::Nothing => return None,
                    };
                    Some((name.as_str(), input))
                })
                .collect();
            match javascript::evaluate(source, &bindings, &self.params.settings, seed) {
                Outcome::Text(text) => return Ok(text),
                Outcome::Needs(id) => drop(self.template(id)?),
                Outcome::Failed(kind, message) => {
                    let mut error = self.problem(kind, message, site.path.clone(), site.owner);
                    error.line = 0;
                    error.help = self.help(kind, &error.message, source, site);
                    return Err(Box::new(error));
                }
            }
        }
    }

    /// Returns the names that an expression may look up: those it mentions, or all when it can build a name.
    fn names_for(&self, source: &str, site: &Site<'t>) -> Vec<String> {
        if ["this", "eval", "Function", "\\"].iter().any(|word| source.contains(word)) {
            return self.visible(site);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let mut seen = HashSet::new();
        source.split(|c| !is_word(c)).filter(|word| !word.is_empty() && seen.insert(*word)).map(str::to_owned).collect()
    }

    fn visible(&self, site: &Site<'t>) -> Vec<String> {
        let mut names: Vec<String> = self.params.root.keys().cloned().collect();
        if let Some(Some(placed)) = site.id.map(|id| self.placed.get(id).and_then(Option::as_ref))
            && let Some((siblings, _)) = placed.siblings
        {
            names.extend(siblings.keys().cloned());
        }
        names.extend(site.locals.iter().map(|(name, _)| name.clone()));
        names.sort_unstable();
        names.dedup();
        names
    }

    fn input(&self, node: &'t Node, asking: Option<usize>) -> Input<'t> {
        match node {
            Node::Map(map) => {
                Input::Map(map.iter().map(|(key, node)| (key.as_str(), self.input(node, asking))).collect())
            }
            Node::Leaf(Leaf { value, template: None, .. }) => Input::Plain(value),
            Node::Leaf(Leaf { template: Some(Template { id, .. }), shadowed, .. }) => {
                match (self.states.get(*id), shadowed) {
                    (Some(State::Done(value)), _) => Input::Made(Rc::clone(value)),
                    (_, Some(hidden)) if asking == Some(*id) => self.input(hidden, asking),
                    _ => Input::Pending(*id),
                }
            }
        }
    }

    fn cycle(&self, id: usize) -> Box<TemplateError> {
        let from = self.running.iter().position(|running| *running == id).unwrap_or(0);
        let name = |id: &usize| {
            self.placed.get(*id).and_then(Option::as_ref).map_or(String::new(), |at| format!("`{}`", at.path))
        };
        let chain: Vec<String> = self.running.iter().skip(from).chain([&id]).map(name).collect();
        let is_alone = chain.len() <= 2;
        let message = if is_alone {
            format!("{} is made of itself, and no outer value has its name", name(&id))
        } else {
            format!("{} is made of itself: {}", name(&id), chain.join(" → "))
        };
        let (path, owner) = self
            .placed
            .get(id)
            .and_then(Option::as_ref)
            .map_or((ParamPath::from(""), ""), |placed| (placed.path.clone(), placed.owner));
        let help = is_alone.then(|| TemplateError::help_for_own_value(&path));
        let mut error = self.problem(TemplateErrorKind::Cycle, message, path, owner);
        error.help = help;
        error.line = 0;
        Box::new(error)
    }

    #[expect(clippy::unused_self, reason = "reads as a method of the evaluation where errors are made")]
    fn problem(&self, kind: TemplateErrorKind, message: String, path: ParamPath, owner: &str) -> TemplateError {
        TemplateError {
            kind,
            message,
            help: None,
            expression: String::new(),
            path,
            defined_by: owner.to_owned(),
            used_by: Vec::new(),
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    fn help(&self, kind: TemplateErrorKind, message: &str, source: &str, site: &Site<'t>) -> Option<String> {
        match kind {
            TemplateErrorKind::UnknownName => {
                let name = message.split('`').nth(1)?;
                if builtin::table().iter().any(|entry| entry.name == name && entry.needs_schedule) {
                    return Some("only a workflow with a `schedule:` has it".to_owned());
                }
                let mut names = self.visible(site);
                names.extend(javascript::GLOBALS.iter().map(|global| (*global).to_owned()));
                if let Some(near) = suggest::did_you_mean(name, names.iter().map(String::as_str)) {
                    return Some(near);
                }
                let shell = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
                shell.then(|| format!("a variable of the shell is written `${name}`, without braces"))
            }
            TemplateErrorKind::Syntax if source.matches(['\'', '"', '`']).count() % 2 == 1 => Some(
                "an expression ends at the `}` that balances its braces, in a string too: write `\\x7d` or `\\x7b`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn place_map<'t>(map: &'t Map, top: bool, path: &mut Vec<&'t str>, placed: &mut [Option<Placed<'t>>]) {
    for (index, (key, node)) in map.iter().enumerate() {
        path.push(key);
        let mut next = Some(node);
        while let Some(node) = next.take() {
            match node {
                Node::Map(inner) => place_map(inner, false, path, placed),
                Node::Leaf(leaf) => {
                    let Some(template) = &leaf.template else { break };
                    if let Some(slot) = placed.get_mut(template.id) {
                        *slot = Some(Placed {
                            leaf,
                            owner: &template.owner,
                            path: path.iter().fold(ParamPath::default(), |path, key| path.key(key)),
                            key,
                            siblings: (!top).then_some((map, index)),
                        });
                    }
                    next = leaf.shadowed.as_deref();
                }
            }
        }
        path.pop();
    }
}

/// Follows keys into a value; none when one of them asks for more than an object's own key.
fn descend<'k>(value: &Value, keys: impl Iterator<Item = &'k str>) -> Option<String> {
    let mut value = value;
    let mut keys = keys.peekable();
    while let Some(key) = keys.next() {
        let object = value.as_object()?;
        match object.get(key) {
            Some(next) => value = next,
            None if keys.peek().is_none() && !inherited(key) => return Some(String::new()),
            None => return None,
        }
    }
    Some(text_of(value))
}

/// Says whether every object of JavaScript has the key.
fn inherited(key: &str) -> bool {
    matches!(
        key,
        "constructor"
            | "hasOwnProperty"
            | "isPrototypeOf"
            | "propertyIsEnumerable"
            | "toLocaleString"
            | "toString"
            | "valueOf"
    ) || key.starts_with("__")
}

#[cfg(test)]
pub(crate) mod tests;
