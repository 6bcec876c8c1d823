//! The house is in order: nothing is without its page, example or case, no file has grown too long, no link is broken.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use engine::diagnostic::render;
use engine::workflow;
use regex::Regex;

use crate::generated::file_name;
use crate::support::{Project, files_below, registry, root};

/// A file is split at this many lines.
const MOST_LINES: usize = 800;

#[test]
fn every_operator_has_an_example_that_check_passes() {
    let registry = registry();
    let project = Project::new();
    // What examples call and name.
    project.write("common/prepare.dig", "+say:\n  echo>: prepared\n");
    let tiers = std::fs::read_to_string(root().join("examples/05_metric_tiers/tiers.yml")).unwrap();
    project.write("tiers.yml", tiers);
    let mut wrong = Vec::new();
    for operator in registry.operators() {
        let info = operator.info();
        project.write("example.dig", info.example);
        let loaded = workflow::load(project.path(), "example.dig", &registry);
        if !loaded.diagnostics.is_empty() {
            let report = render::report(&loaded.diagnostics, &loaded.sources, render::Style::Plain);
            wrong.push(format!("the example of `{}>`:\n{report}", info.name));
        }
        if !info.example.contains(&format!("{}>:", info.name)) {
            wrong.push(format!("the example of `{}>` does not use it", info.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_has_a_page_and_a_case() {
    let registry = registry();
    let mut missing = Vec::new();
    for name in registry.names() {
        if !root().join("docs/operators").join(file_name(name)).is_file() {
            missing.push(format!("docs/operators/{}", file_name(name)));
        }
        let case = case_of(name);
        if !root().join(&case).is_dir() {
            missing.push(case);
        }
    }
    assert!(missing.is_empty(), "there is no {}", missing.join(", no "));
}

/// The folder of an operator's case, or of its cases.
fn case_of(operator: &str) -> String {
    let operator = operator.trim_end_matches('?');
    match operator.split_once('.') {
        Some((family, verb)) => format!("tests/cases/{family}/{verb}"),
        None if operator == "load" => "tests/cases/load".to_owned(),
        None => format!("tests/cases/workflow/{operator}"),
    }
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for file in sources() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > MOST_LINES {
            long.push(format!("{}: {lines} lines", shown(&file)));
        }
    }
    assert!(long.is_empty(), "files of more than {MOST_LINES} lines, to be split by idea:\n{}", long.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| name != "tests.rs"))
        .filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//! "))
        .map(|file| shown(file))
        .collect();
    assert!(silent.is_empty(), "files without a `//!` header:\n{}", silent.join("\n"));
}

/// Words that mean in the engine what another word of the house means already.
const FORBIDDEN: &[(&str, &str)] = &[
    (r"\bworkers?\b", "agent"),
    (r"\bbackfill_run\b", "attempt"),
    (r"\bdag\b", "workflow"),
    (r"\bDagRun\b", "session"),
    (r"\bDAG\b", "workflow"),
];

#[test]
fn one_idea_has_one_word() {
    let forbidden: Vec<(Regex, &str)> =
        FORBIDDEN.iter().map(|(pattern, instead)| (Regex::new(pattern).unwrap(), *instead)).collect();
    let mut found = Vec::new();
    for file in files_below(&root().join("engine/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in &forbidden {
                if word.is_match(line) {
                    found.push(format!("{}:{}: say `{instead}`: {}", shown(&file), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").unwrap());
    let mut broken = Vec::new();
    let pages: Vec<PathBuf> =
        files_below(root()).into_iter().filter(|file| file.extension().is_some_and(|end| end == "md")).collect();
    for page in pages {
        let text = without_code(&std::fs::read_to_string(&page).unwrap());
        for link in LINK.captures_iter(&text) {
            let target = &link[1];
            if target.contains("://") || target.starts_with('#') || target.starts_with("mailto:") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            if !page.parent().unwrap().join(file).try_exists().unwrap() {
                broken.push(format!("{}: {target}", shown(&page)));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_readme_has_the_two_commands() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for command in ["cargo run -- run examples/01_daily_access/daily_access.dig", "./test", "cargo build --release"] {
        assert!(readme.contains(command), "README.md does not say `{command}`");
    }
}

/// A page without its code blocks, in which brackets mean something else.
fn without_code(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// All Rust files of the house.
fn sources() -> Vec<PathBuf> {
    files_below(root()).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).collect()
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}
