//! From files to checked workflows.

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::Workflow;
use super::called::Calls;
use super::compile::{Call, Compiler, Origin, Position};
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::document::{
    self, Directory, FileHashes, Key, Node, NotedFiles, ProjectFiles, ProjectPath, SourceId, SourceMap, Span,
};
use crate::operator::surroundings::{Within, WrittenTask};
use crate::operator::{Registry, Surroundings};
use crate::params::Params;
use crate::schedule::{self, ProblemKind, Schedule};

/// The default of `timezone:`.
const DEFAULT_TIME_ZONE: &str = "UTC";

/// The longest name of a workflow, in characters.
const MAX_NAME_CHARS: usize = 255;

/// A workflow that was read, with everything there is to say about it.
#[derive(Debug)]
pub struct Loaded {
    /// The files that were read; diagnostics point into them.
    pub sources: SourceMap,
    /// The workflow, unless there is an error.
    pub workflow: Option<Workflow>,
    /// All problems, in the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read (the workflow's, those it includes and calls, and those its tasks name by paths that are written
    /// out) and what they hold.
    pub files: FileHashes,
    /// The workflows that it calls by paths that are written out, and that those call.
    pub called: Vec<ProjectPath>,
}

/// Loads, compiles and checks a workflow of a project on disk. `path` starts at the project's directory.
#[must_use]
pub fn load(project_dir: &Path, path: &str, registry: &Registry) -> Loaded {
    load_from(&Directory::new(project_dir), path, registry)
}

/// Loads, compiles and checks a workflow of a project on disk that is not called by another one: no parameters reach its tasks from
/// outside but `given` (those of the command line), so that what they lack is known.
#[must_use]
pub fn load_given(project_dir: &Path, path: &str, registry: &Registry, given: &[Params]) -> Loaded {
    load_with(&Directory::new(project_dir), path, registry, Some(given))
}

/// Loads, compiles and checks a workflow of a project.
#[must_use]
pub fn load_from(files: &dyn ProjectFiles, path: &str, registry: &Registry) -> Loaded {
    load_with(files, path, registry, None)
}

fn load_with(files: &dyn ProjectFiles, path: &str, registry: &Registry, given: Option<&[Params]>) -> Loaded {
    let mut sources = SourceMap::default();
    let Ok(project_path) = ProjectPath::new(path) else {
        let id = sources.add(path, "");
        let message = "cannot read the file: the path leads out of the project";
        let diagnostics = vec![Diagnostic::error(code::UNREADABLE_FILE, Span::new(id, 0, 0), message)];
        return Loaded { sources, workflow: None, diagnostics, files: FileHashes::new(), called: Vec::new() };
    };
    let files = NotedFiles::new(files);
    let mut calls = Calls::new(&files, registry);
    let workflow = calls.load(&mut sources, &project_path, given);
    let (mut diagnostics, called) = calls.finish(&mut sources);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.primary.span.source, diagnostic.primary.span.start));
    let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let files = files.into_hashes();
    Loaded { workflow: workflow.filter(|_| !has_errors), sources, diagnostics, files, called }
}

/// One file, compiled.
#[derive(Debug)]
pub(super) struct CompiledFile {
    pub(super) workflow: Option<Workflow>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The workflows that it calls, when their paths can be known.
    pub(super) calls: Vec<Call>,
}

/// Loads and compiles one file; `given` are the parameters that reach it from outside, when that is known. The workflow is there even when there are errors, as far as it makes sense.
pub(super) fn compile_file(
    sources: &mut SourceMap,
    files: &dyn ProjectFiles,
    path: &ProjectPath,
    registry: &Registry,
    given: Option<&[Params]>,
) -> CompiledFile {
    let first = sources.next_id();
    let (node, mut diagnostics) = document::load(sources, files, path);
    let Some(node) = node else {
        if diagnostics.is_empty() {
            let diagnostic = Diagnostic::error(code::NOT_A_MAPPING, Span::new(first, 0, 0), "the file is empty");
            diagnostics.push(diagnostic.help("a workflow holds at least one task: `+main: {echo>: hello}`"));
        }
        return CompiledFile { workflow: None, diagnostics, calls: Vec::new() };
    };
    let Some(map) = node.as_map() else {
        let message = format!("expected a mapping at the top of the file, found {}", node.describe());
        let diagnostic = Diagnostic::error(code::NOT_A_MAPPING, node.span, message);
        diagnostics.push(diagnostic.help("a workflow holds tasks: `+main: {echo>: hello}`"));
        return CompiledFile { workflow: None, diagnostics, calls: Vec::new() };
    };
    // Where another directory is set, it is known only at run time what the paths of its tasks name.
    let surroundings = (!sets_work_dir(&node)).then(|| {
        let mut tasks = Vec::new();
        collect_tasks(&node, &[], &mut tasks);
        Surroundings::new(files, path.directory(), tasks)
    });
    let mut compiler = Compiler::new(Origin::Document(sources), registry).with_surroundings(surroundings);
    if let Some(given) = given {
        compiler = compiler.with_all_given(given);
    }
    let workflow = compile(&mut compiler, path, map, node.span, first);
    diagnostics.extend(compiler.diagnostics);
    let calls = if compiler.moves { Vec::new() } else { compiler.calls };
    let in_files = compiler.in_files;
    diagnostics.extend(in_files.into_iter().map(|problem| problem.diagnose(sources, files)));
    CompiledFile { workflow: Some(workflow), diagnostics, calls }
}

/// Returns whether a document sets `_workdir` anywhere.
fn sets_work_dir(node: &Node) -> bool {
    let in_map = |(key, value): &(Key, Node)| key.name == "_workdir" || sets_work_dir(value);
    node.as_map().is_some_and(|entries| entries.iter().any(in_map))
        || node.as_list().is_some_and(|items| items.iter().any(sets_work_dir))
}

/// Collects the tasks that have an operator, in the order in which they are written; `within` is what the node is in.
fn collect_tasks(node: &Node, within: &[Within], tasks: &mut Vec<WrittenTask>) {
    let entries = node.as_map().unwrap_or_default();
    let operators = || entries.iter().filter_map(|(key, _)| Some((key, key.name.strip_suffix('>')?)));
    let operator = operators().next();
    if let Some((operator, name)) = operator {
        let mut params = Params::new();
        for (key, value) in entries {
            let name = if key.name == operator.name { "_command" } else { key.name.as_str() };
            params.insert(name.to_owned(), value.to_value());
        }
        let (place, within) = (operator.span, within.to_vec());
        tasks.push(WrittenTask { operator: name.to_owned(), params, place, within });
    }
    let is_parallel = |(key, value): &(Key, Node)| {
        key.name == "_parallel" && !matches!(value.to_value(), Value::Bool(false) | Value::Null)
    };
    let here = Within {
        place: node.span,
        is_parallel: entries.iter().any(is_parallel),
        is_conditional: operator.is_some_and(|(_, name)| name == "if"),
    };
    let within = [within, std::slice::from_ref(&here)].concat();
    for (_, value) in entries {
        collect_tasks(value, &within, tasks);
    }
    node.as_list().into_iter().flatten().for_each(|item| collect_tasks(item, &within, tasks));
}

fn compile(
    compiler: &mut Compiler<'_>,
    path: &ProjectPath,
    map: &[(Key, Node)],
    span: Span,
    source: SourceId,
) -> Workflow {
    let name = path.without_extension().to_owned();
    compiler.diagnostics.extend(check_name(&name, span));
    let entries: Vec<(&Key, &Node)> = map.iter().map(|(key, value)| (key, value)).collect();
    let top = Span { source, start: span.start, end: span.start };
    let mut root = compiler.task(&format!("+{name}"), top, &entries, Position::Top);
    let directory = path.directory();
    if !directory.as_str().is_empty() {
        // What the tasks of a file name by relative paths lies beside the file.
        let below = root.export.get("_workdir").and_then(Value::as_str).unwrap_or_default();
        let work_dir = format!("{directory}/{below}").trim_end_matches('/').to_owned();
        root.export.insert("_workdir".to_owned(), Value::String(work_dir));
    }
    let (time_zone, zone) = time_zone(map, &mut compiler.diagnostics);
    let schedule = check_schedule(map, &zone, &mut compiler.diagnostics);
    if root.children.is_empty() && compiler.diagnostics.is_empty() {
        let diagnostic = Diagnostic::warning(code::NO_TASKS, top, "the workflow has no tasks");
        compiler.diagnostics.push(diagnostic.help("add one: `+main: {echo>: hello}`"));
    }
    Workflow { name, time_zone, schedule, root }
}

fn check_name(name: &str, span: Span) -> Option<Diagnostic> {
    let error = |message: String| {
        let diagnostic = Diagnostic::error(code::WORKFLOW_NAME, Span { end: span.start, ..span }, message);
        Some(diagnostic.help("rename the file"))
    };
    if name.chars().count() > MAX_NAME_CHARS {
        return error(format!("the name of a workflow is longer than {MAX_NAME_CHARS} characters"));
    }
    let Some(first) = name.chars().next() else { return error("the file has no name".to_owned()) };
    if first.is_ascii_digit() || "@\\:*?\"<>|".contains(first) {
        return error(format!("the name `{name}` of a workflow starts with `{first}`"));
    }
    // DIFFERENCE(digdag): there, signs are refused only at the start, so that `+a+b` may be a task or a workflow.
    let bad = name.chars().find(|c| c.is_control() || matches!(c, '+' | '^'))?;
    error(format!("the name `{name}` of a workflow holds `{}`", bad.escape_debug()))
}

/// Reads `timezone:`; the default when it is wrong.
fn time_zone(map: &[(Key, Node)], diagnostics: &mut Vec<Diagnostic>) -> (String, TimeZone) {
    let default = (DEFAULT_TIME_ZONE.to_owned(), TimeZone::UTC);
    let Some((key, node)) = map.iter().find(|(key, _)| key.name == "timezone") else { return default };
    let Some(name) = node.as_str() else {
        let place = if node.is_null() { key.span } else { node.span };
        let message = format!("expected the name of a time zone, found {}", node.describe());
        let help = "write an IANA name such as `Asia/Tokyo`, or an offset such as `+09:00`";
        diagnostics.push(Diagnostic::error(code::TIME_ZONE, place, message).help(help));
        return default;
    };
    match schedule::time_zone(name) {
        Ok(zone) => (name.to_owned(), zone),
        Err(error) => {
            let diagnostic = Diagnostic::error(code::TIME_ZONE, node.span, error.to_string());
            diagnostics.push(match error.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            default
        }
    }
}

/// Checks `schedule:` and returns it as written.
fn check_schedule(map: &[(Key, Node)], zone: &TimeZone, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    let (key, node) = map.iter().find(|(key, _)| key.name == "schedule")?;
    let value = node.to_value();
    let (_, problems) = Schedule::parse(&value, zone);
    for problem in problems {
        let entry = node.as_map().into_iter().flatten().find(|(option, _)| option.name == problem.path.0);
        let place = match entry {
            Some((option, _)) if problem.kind == ProblemKind::UnknownKey => option.span,
            Some((option, value)) if value.is_null() => option.span,
            Some((_, value)) => value.span,
            None if node.as_map().is_some() || node.is_null() => key.span,
            None => node.span,
        };
        let diagnostic = Diagnostic::error(problem.kind.code(), place, problem.message);
        diagnostics.push(match problem.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
    Some(value)
}
