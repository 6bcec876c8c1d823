//! `suiro check`: all problems of workflows with their places; nothing runs and nothing is made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::diagnostic::{Severity, code, render};
use engine::workflow;
use serde_json::json;

use crate::cli;
use crate::compose::{Base, door, in_project, registry};
use crate::failure::{Exit, Failure};
use crate::output::read_or_not;
use crate::settings::{self, find_project};

/// Runs the command.
pub(crate) fn run(base: &Base, command: &cli::Check) -> Result<(), Failure> {
    let settings = base.settings(command.files.first().map(PathBuf::as_path))?;
    let registry = registry(&Arc::new(door(&settings, base.listener())));
    let (mut named, mut found) = (Vec::new(), Vec::new());
    if command.files.is_empty() {
        workflows_in(&settings.project, false, &mut Vec::new(), &mut found)?;
    }
    for file in &command.files {
        if file.is_dir() {
            workflows_in(file, true, &mut Vec::new(), &mut found)?;
        } else {
            named.push(file.clone());
        }
    }
    let n_named = named.len();
    let files: Vec<PathBuf> = named.into_iter().chain(found).collect();
    if files.is_empty() {
        return Err(Failure::usage(
            "there are no workflows to check: no `.dig` file, and no `.yml` or `.yaml` with a task",
        ));
    }
    let (mut n_tasks, mut n_errors) = (0, 0);
    let mut all = Vec::new();
    let (mut called, mut included) = (HashSet::new(), HashSet::new());
    for (index, file) in files.iter().enumerate() {
        // Files of several projects may be named at once.
        let project = match &base.global.project {
            Some(_) => settings.project.clone(),
            None => find_project(Some(file))?,
        };
        let path = in_project(&settings::Settings { project: project.clone(), ..settings.clone() }, file)?;
        let loaded = workflow::load_given(&project, &path.to_string_lossy(), &registry, &[]);
        called.extend(loaded.called.iter().map(|called| project.join(called.as_str())));
        let parts = loaded.sources.iter().map(|source| project.join(&source.path));
        included.extend(parts.filter(|part| *part != project.join(&path)));
        all.push((index < n_named, project, path, loaded));
    }
    // What is only a part of another file was looked at there, and need be no workflow of its own.
    all.retain(|(is_named, project, path, loaded)| {
        let file = project.join(path);
        *is_named || loaded.workflow.is_some() || called.contains(&file) || !included.contains(&file)
    });
    let mut printed = Ok(());
    let n_files = all.len();
    for (_, project, path, loaded) in all {
        // What a called workflow's tasks lack may come from the one that calls it.
        let loaded = if called.contains(&project.join(&path)) {
            workflow::load(&project, &path.to_string_lossy(), &registry)
        } else {
            loaded
        };
        n_errors += loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        n_tasks += loaded.workflow.as_ref().map_or(0, |workflow| count(&workflow.root));
        for diagnostic in &loaded.diagnostics {
            if base.output.json {
                // All are counted, whether somebody reads them or not.
                printed = printed.and_then(|()| base.output.json_line(&render::json(diagnostic, &loaded.sources)));
            } else {
                base.output.note(render::text(diagnostic, &loaded.sources, super::style(base.output)).trim_end());
                base.output.note("");
            }
        }
    }
    if base.output.json {
        let counts = json!({"files": n_files, "tasks": n_tasks, "errors": n_errors});
        read_or_not(printed.and_then(|()| base.output.json_line(&counts)))?;
    } else if n_errors > 0 {
        base.output.note(&format!("{} in {}", plural(n_errors, "error"), plural(n_files, "file")));
    } else {
        base.output.note(&format!("{} with {}: no errors", plural(n_files, "workflow"), plural(n_tasks, "task")));
    }
    if n_errors > 0 { Err(Failure::said(Exit::Usage)) } else { Ok(()) }
}

/// Finds the workflows of a folder in the order of their names; those of `.suiro` and hidden folders are passed over. So is a link
/// to a folder that it is in: `above` has those, without links.
fn workflows_in(
    folder: &Path,
    recursive: bool,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::of_code(code::UNREADABLE_FILE, format!("cannot read the folder `{}`: {error}", folder.display()))
    };
    let real = std::fs::canonicalize(folder).map_err(failed)?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if entry.is_dir() {
            if recursive && !hidden {
                workflows_in(&entry, true, above, files)?;
            }
        } else if is_workflow(&entry) {
            files.push(entry);
        }
    }
    above.pop();
    Ok(())
}

/// Tells whether a file is a workflow: a `.dig` file, or one of YAML with a task, which configs of loads and tiers do not have.
fn is_workflow(file: &Path) -> bool {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("dig") => true,
        // One that cannot be read is none that somebody runs.
        Some("yml" | "yaml") => {
            std::fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line.starts_with('+')))
        }
        _ => false,
    }
}

/// Counts the tasks that do something.
fn count(task: &workflow::TaskDef) -> usize {
    let own = usize::from(matches!(task.kind, workflow::TaskKind::Action { .. }));
    own + task.children.iter().map(count).sum::<usize>()
}

fn plural(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
