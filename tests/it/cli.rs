//! What the README and the pages show is what happens: their transcripts are run, in a copy of the repository.

use std::path::Path;

use regex::Regex;

use crate::support::{SUIRO, copy, files_below, root, update};

/// Durations differ from run to run; the page shows those of one.
const DURATION: &str = r" *\b(\d+ h \d\d m|\d+ m \d\d s|\d+\.\d\d s|\d+ ms)";

/// Makes the turns of all loops run one after the other: those that run at the same time end in any order, and a page shows one.
fn one_after_the_other(examples: &Path) {
    for file in files_below(examples).into_iter().filter(|file| file.extension().is_some_and(|end| end == "dig")) {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("_parallel: true", "_parallel: false")).unwrap();
    }
}

#[test]
fn transcripts_are_true() {
    let folder = tempfile::tempdir().unwrap();
    let duration = Regex::new(DURATION).unwrap();
    let tests = trycmd::TestCases::new();
    tests.register_bin("suiro", Path::new(SUIRO));
    tests.env("NO_COLOR", "1");
    let pages: Vec<_> = files_below(root())
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "md"))
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("```console"))
        .collect();
    assert!(!pages.is_empty());
    for (number, page) in pages.iter().enumerate() {
        // Each page has a copy of what it may run, of which nothing is left in the repository.
        let place = folder.path().join(format!("{number}.in"));
        std::fs::create_dir_all(place.join("examples")).unwrap();
        copy(&root().join("examples"), &place.join("examples"));
        one_after_the_other(&place.join("examples"));
        let text = std::fs::read_to_string(page).unwrap();
        let text = duration.replace_all(&text, "[..]");
        std::fs::write(folder.path().join(format!("{number}.md")), text.as_bytes()).unwrap();
    }
    if update() {
        println!("transcripts are not written by UPDATE=1: run the commands of the page and copy what they print");
    }
    tests.case(folder.path().join("*.md"));
    tests.run();
}
