//! What `check` says of wrong files, to the letter: `tests/diagnostics/CODE/*.dig` → `.stderr`.
//!
//! Every `.dig` file of a code's folder is a workflow in a project of its own folder; other files there are what it includes.
//! `UPDATE=1` writes the expected texts anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::diagnostic::{code, render};
use engine::operator::Registry;
use engine::workflow;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    engine::operator::builtin::register_builtin(&mut registry);
    registry
}

fn check(directory: &Path, file: &str, registry: &Registry) -> (String, BTreeSet<&'static str>) {
    let loaded = workflow::load(directory, file, registry);
    let codes = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code.0).collect();
    let text = render::report(&loaded.diagnostics, &loaded.sources, render::Style::Plain);
    let shown = directory.display().to_string();
    let mut text = text.replace(&format!("{shown}/"), "");
    // Lines of thousands of brackets are no reading matter.
    text = text.lines().map(|line| line.chars().take(160).collect::<String>() + "\n").collect();
    (text, codes)
}

#[expect(clippy::unwrap_used, reason = "the folders of the repository are there")]
fn files_in(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| extension.is_empty() || path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the expected texts")]
fn wrong_files_are_told_so_in_these_words() {
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let registry = registry();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for directory in files_in(&root().join("tests/diagnostics"), "") {
        let code = directory.file_name().unwrap().to_str().unwrap().to_owned();
        for case in files_in(&directory, "dig") {
            let file = case.file_name().unwrap().to_str().unwrap();
            let (text, codes) = check(&directory, file, &registry);
            if !codes.contains(code.as_str()) {
                wrong.push(format!("{}: {code} is not among {codes:?}\n{text}", case.display()));
            }
            seen.extend(codes);
            let golden = case.with_extension("stderr");
            if update {
                std::fs::write(&golden, &text).unwrap();
                continue;
            }
            let expected = std::fs::read_to_string(&golden).unwrap_or_default();
            if expected != text {
                wrong.push(format!("{}: expected\n{expected}\nfound\n{text}", case.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without_case: Vec<_> = code::TABLE
        .iter()
        .map(|entry| entry.code.0)
        .filter(|code| is_of_document(code) && !seen.contains(code))
        .collect();
    assert!(without_case.is_empty(), "codes without a case in tests/diagnostics: {without_case:?}");
}

/// Codes of documents are met by `check`; those of templates, of tasks (`T…`) and of the store (`S…`) only by `run`.
fn is_of_document(code: &str) -> bool {
    ["E01", "E02", "E03", "E05"].iter().any(|group| code.starts_with(group))
        || [code::TEMPLATE_SYNTAX.0, code::TEMPLATE_CYCLE.0].contains(&code)
}

#[test]
fn codes_and_pages_belong_together() {
    let mut codes: Vec<&str> = code::TABLE.iter().map(|entry| entry.code.0).collect();
    codes.sort_unstable();
    let mut pages: Vec<String> = files_in(&root().join("docs/errors"), "md")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    pages.sort_unstable();
    assert_eq!(pages, codes, "every code has one page and one line in the table");
    for entry in code::TABLE {
        let heading = format!("# {}: {}\n", entry.code, entry.title);
        assert!(entry.page.starts_with(&heading), "the page of {} starts with `{}`", entry.code, heading.trim_end());
        let example = entry.code.0.starts_with('E').then_some("\n## Example\n");
        for section in example.into_iter().chain(["\n## How to mend it\n"]) {
            assert!(entry.page.contains(section), "the page of {} has no `{}`", entry.code, section.trim());
        }
    }
}

/// The first YAML block of a page shows the problem; the last one, when there are two, shows it mended.
#[test]
fn examples_of_pages_are_true() {
    let registry = registry();
    let project = tempfile::tempdir().unwrap();
    for entry in code::TABLE.iter().filter(|entry| is_of_document(entry.code.0)) {
        let mut blocks = entry.page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let Some(example) = blocks.next() else { continue };
        std::fs::write(project.path().join("example.dig"), example).unwrap();
        let (text, codes) = check(project.path(), "example.dig", &registry);
        assert!(codes.contains(entry.code.0), "the example of {} shows\n{text}", entry.code);
        if let Some(mended) = blocks.last() {
            std::fs::write(project.path().join("example.dig"), mended).unwrap();
            let (text, codes) = check(project.path(), "example.dig", &registry);
            assert!(codes.is_empty(), "the mended example of {} shows\n{text}", entry.code);
        }
    }
}

/// Codes are written once, in the table; everything else uses their names.
#[test]
fn every_code_in_the_sources_is_in_the_table() {
    let known: BTreeSet<&str> = code::TABLE.iter().map(|entry| entry.code.0).collect();
    let mut folders = vec![root().join("engine/src"), root().join("operators/src"), root().join("src")];
    let mut unknown = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in files_in(&folder, "") {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let codes = text.split("Code(\"").skip(1).filter_map(|rest| rest.split('"').next());
                let missing = codes.filter(|code| !known.contains(code));
                unknown.extend(missing.map(|code| format!("{code} in {}", path.display())));
            }
        }
    }
    assert!(unknown.is_empty(), "codes without a line in the table: {unknown:?}");
}
