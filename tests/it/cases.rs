//! Whole workflows, from YAML to tables: `tests/cases/<family>/<verb>/` with its files and the steps of `case.yml`.
//!
//! A step runs the binary (`run`), a line of shell (`shell`) or a query (`query`) in a copy of the folder, and says how it
//! ends. Steps are described by the fields of [`Step`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::document::{self, SourceMap};
use serde::Deserialize;

use crate::profiles::RESULTS;
use crate::support::{Outcome, Project, golden, root};

/// One step of a case.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The arguments of the binary, as on a command line.
    run: Option<String>,
    /// A line of shell, to make what the workflow needs.
    shell: Option<String>,
    /// A query, whose result is expected in `rows`.
    query: Option<String>,
    /// The environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The exit code; 0.
    #[serde(default)]
    exit: i32,
    /// All of what is printed.
    stdout: Option<String>,
    /// Parts of what is printed, each on one line.
    #[serde(default)]
    stdout_has: Vec<String>,
    /// Parts of what is said, each on one line.
    #[serde(default)]
    stderr_has: Vec<String>,
    /// What must not be said.
    #[serde(default)]
    stderr_lacks: Vec<String>,
    /// The file below `expected/` that holds all that is printed and said.
    expected: Option<String>,
    /// The result of the query as CSV, the header first.
    rows: Option<String>,
    /// The step changes nothing of the lake: no table, no partition, no object.
    #[serde(default)]
    changes_nothing: bool,
}

#[test]
fn all_cases_of_workflow() {
    all("workflow");
}

#[test]
fn all_cases_of_athena() {
    all("athena");
}

#[test]
fn all_cases_of_load() {
    all("load");
}

#[test]
fn all_cases_of_metrics() {
    all("metrics");
}

#[test]
fn all_cases_of_bad_input() {
    all("bad_input");
}

#[test]
fn no_family_is_left_out() {
    let mut families: Vec<String> = folders(&root().join("tests/cases")).iter().map(|path| name(path)).collect();
    families.sort();
    assert_eq!(families, ["athena", "bad_input", "load", "metrics", "workflow"], "each family has a test here");
}

/// Runs the cases of a family; all that is wrong is said at once.
fn all(family: &str) {
    let wrong: Vec<String> =
        folders(&root().join("tests/cases").join(family)).iter().flat_map(|folder| check(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Runs one case in a copy of its folder; returns what is wrong.
fn check(folder: &Path) -> Vec<String> {
    check_in(&Project::copy_of(folder), folder, &|_command| {}, true)
}

/// Runs the steps of a case in a project, each prepared by `prepare`; returns what is wrong. What is said besides the results,
/// with its figures, is compared when `is_exact`.
pub(crate) fn check_in(
    project: &Project,
    folder: &Path,
    prepare: &dyn Fn(&mut Command),
    is_exact: bool,
) -> Vec<String> {
    let steps = read(&folder.join("case.yml"));
    let mut wrong = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let problems = one(project, folder, step, prepare, is_exact);
        let stop = !problems.is_empty();
        let place = folder.strip_prefix(root()).unwrap().display();
        wrong.extend(problems.into_iter().map(|problem| format!("{place}, step {}: {problem}", number + 1)));
        if stop {
            break;
        }
    }
    wrong
}

fn one(project: &Project, folder: &Path, step: &Step, prepare: &dyn Fn(&mut Command), is_exact: bool) -> Vec<String> {
    let (shown, mut command) = match (&step.run, &step.shell, &step.query) {
        (Some(line), None, None) => {
            let arguments = words(line);
            (format!("suiro {line}"), project.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        (None, Some(line), None) => {
            let mut command = project.program("sh");
            command.args(["-ec", line]);
            (line.clone(), command)
        }
        (None, None, Some(sql)) => (sql.clone(), project.command(&["query", "--format", "csv", sql])),
        _ => return vec!["a step has one of `run`, `shell` and `query`".to_owned()],
    };
    let before = step.changes_nothing.then(|| lake_files(project));
    prepare(&mut command);
    let outcome = Outcome::of(project, &command.envs(&step.env).output().unwrap());
    let mut wrong = Vec::new();
    if outcome.exit != Some(step.exit) {
        wrong.push(format!("`{shown}` should end with {}\n{outcome}", step.exit));
    }
    for (what, expected) in [("stdout", &step.stdout), ("rows", &step.rows)] {
        if let Some(expected) = expected.as_ref().filter(|expected| **expected != outcome.stdout) {
            wrong.push(format!("`{shown}`\n--- expected {what}\n{expected}--- found\n{outcome}"));
        }
    }
    for (parts, text) in [(&step.stdout_has, &outcome.stdout), (&step.stderr_has, &outcome.stderr)] {
        for part in parts.iter().filter(|part| !text.contains(part.as_str())) {
            wrong.push(format!("`{shown}` does not say `{part}`\n{outcome}"));
        }
    }
    for part in step.stderr_lacks.iter().filter(|part| outcome.stderr.contains(part.as_str())) {
        wrong.push(format!("`{shown}` says `{part}`\n{outcome}"));
    }
    if let Some(file) = step.expected.as_ref().filter(|_| is_exact) {
        wrong.extend(golden(&folder.join("expected").join(file), &format!("{}{}", outcome.stdout, outcome.stderr)));
    }
    if before.is_some_and(|before| before != lake_files(project)) {
        wrong.push(format!("`{shown}` changed something\n{outcome}"));
    }
    wrong
}

/// Everything that a lake holds: its objects with their bytes, and its catalog as `suiro table show` and `partition list`
/// tell it.
pub(crate) fn lake_files(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let objects = project.path().join(".suiro/warehouse");
    if objects.is_dir() {
        for file in crate::support::files_below(&objects) {
            let name = file.strip_prefix(&objects).unwrap().display().to_string();
            // Athena keeps what it answered.
            if name.starts_with(&format!("s3/{RESULTS}/")) {
                continue;
            }
            found.insert(name, std::fs::read(&file).unwrap());
        }
    }
    if project.path().join(".suiro/catalog.sqlite").is_file() {
        let tables = project.succeed(&["--json", "table", "list"]).stdout;
        for line in tables.lines() {
            let table: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = table["table"].as_str().or_else(|| table["name"].as_str()).unwrap_or_default().to_owned();
            let name = if name.contains('.') {
                name
            } else {
                format!("{}.{name}", table["database"].as_str().unwrap_or_default())
            };
            let partitions = project.suiro(&["--json", "partition", "list", &name]).stdout;
            found.insert(format!("partitions of {name}"), partitions.into_bytes());
        }
        found.insert("tables".to_owned(), tables.into_bytes());
    }
    found
}

/// Reads the steps of a case.
fn read(path: &Path) -> Vec<Step> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut sources = SourceMap::default();
    let id = sources.add(path.display().to_string(), text);
    let (node, diagnostics) = document::parse(&mut sources, id);
    assert!(diagnostics.is_empty(), "{}: {diagnostics:?}", path.display());
    serde_json::from_value(node.unwrap().to_value()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Takes a command line apart: words between blanks, quotes around words with blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut quote = None;
    for character in line.chars() {
        match quote {
            Some(end) if character == end => quote = None,
            None if character == '\'' || character == '"' => {
                quote = Some(character);
                word.get_or_insert_with(String::new);
            }
            None if character.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_with(String::new).push(character),
        }
    }
    words.extend(word);
    words
}

/// Lists the folders in a folder.
pub(crate) fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
