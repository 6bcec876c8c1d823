//! Tests of the loader.

use std::collections::HashMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diagnostic::Severity;

/// A project in memory.
#[derive(Debug)]
struct Memory(HashMap<String, String>);

impl ProjectFiles for Memory {
    fn read(&self, path: &ProjectPath) -> Result<String, ReadError> {
        self.0.get(path.as_str()).cloned().ok_or(ReadError::NotFound)
    }

    fn is_file(&self, path: &ProjectPath) -> bool {
        self.0.contains_key(path.as_str())
    }

    fn display_name(&self, path: &ProjectPath) -> String {
        path.to_string()
    }
}

fn lines(sources: &SourceMap, diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|diagnostic| crate::diagnostic::render::line(diagnostic, sources)).collect()
}

/// Parses a text that stands alone: its value and its problems.
fn parse_text(text: &str) -> (Option<Value>, Vec<String>) {
    let mut sources = SourceMap::default();
    let id = sources.add("t", text);
    let (node, diagnostics) = parse(&mut sources, id);
    (node.map(|node| node.to_value()), lines(&sources, &diagnostics))
}

fn value(text: &str) -> Value {
    let (value, problems) = parse_text(text);
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    value.unwrap()
}

fn problems(text: &str) -> Vec<String> {
    parse_text(text).1
}

/// Loads `t.dig` of a project.
fn load_files(files: &[(&str, &str)]) -> (Option<Value>, Vec<String>) {
    let files = Memory(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect());
    let mut sources = SourceMap::default();
    let (node, diagnostics) = load(&mut sources, &files, &ProjectPath::new("t.dig").unwrap());
    (node.map(|node| node.to_value()), lines(&sources, &diagnostics))
}

#[test]
fn documents_keep_their_order_and_types() {
    let text = "b: 1\na: [1, 2.5, '3', ~]\n\"c d\": |\n  x\n  y\n1: {}\ntrue: >-\n  p\n  q\n";
    let parsed = value(text);
    assert_eq!(parsed.to_string(), r#"{"b":1,"a":[1,2.5,"3",null],"c d":"x\ny\n","1":{},"true":"p q"}"#);
}

#[test]
fn spans_cover_what_is_written() {
    let text = "é: \"q\"  # \"c\nm:\n  - {a: b} # c\n  - plain text  \n  - [1,\n     2]\n";
    let mut sources = SourceMap::default();
    let id = sources.add("t", text);
    let (node, diagnostics) = parse(&mut sources, id);
    assert_eq!(diagnostics, []);
    let node = node.unwrap();
    let entries = node.as_map().unwrap();
    assert_eq!(sources.slice(entries[0].0.span), "é");
    assert_eq!(sources.slice(entries[1].1.span), "- {a: b} # c\n  - plain text  \n  - [1,\n     2]");
    let items = entries[1].1.as_list().unwrap();
    assert_eq!(sources.slice(items[0].span), "{a: b}");
    assert_eq!(sources.slice(items[1].span), "plain text");
    assert_eq!(sources.slice(items[2].span), "[1,\n     2]");
    assert_eq!(sources.line_column(id, items[1].span.start), (4, 5));
}

#[test]
fn anchors_and_merges_give_what_they_name() {
    assert_eq!(value("a: &x {p: 1}\nb: *x\n"), json!({"a": {"p": 1}, "b": {"p": 1}}));
    let text = "base: &b {x: 1, y: 1}\nmore: &m {y: 2, z: 2}\nc:\n  y: 0\n  <<: [*b, *m]\n  x: 9\n";
    let merged = value(text);
    assert_eq!(merged["c"].to_string(), r#"{"y":0,"x":9,"z":2}"#);
    assert_eq!(
        problems("c: {<<: [1, {a: b}]}\n"),
        ["t:1:10: error[E0112]: expected a mapping or a list of mappings after `<<`, found the number `1`"]
    );
    assert_eq!(value("'<<': 1\n"), json!({"<<": 1}));
}

#[test]
fn what_yaml_would_let_pass_is_refused() {
    assert_eq!(
        problems("a: 1\nb: {c: 1, c: 2}\na: 2\n'a': 3\n"),
        [
            "t:2:11: error[E0105]: the key `c` stands twice in one mapping",
            "t:3:1: error[E0105]: the key `a` stands twice in one mapping",
            "t:4:1: error[E0105]: the key `a` stands twice in one mapping",
        ]
    );
    assert_eq!(
        problems("a: !foo x\nb: !!set {c}\nc: !!int x\nd: 99999999999999999999\n? [k]\n: v\n"),
        [
            "t:1:4: error[E0106]: there is no tag `!foo`",
            "t:2:4: error[E0106]: there is no tag `!!set`",
            "t:3:4: error[E0109]: the tag `!!int` does not fit the value `x`",
            "t:4:4: error[E0109]: the number `99999999999999999999` does not fit into 64 bits",
            "t:5:3: error[E0108]: expected a text as a key, found a list",
        ]
    );
    assert_eq!(problems("a: 1\n---\nb: 2\n"), ["t:2:1: error[E0104]: a second YAML document starts here"]);
    assert_eq!(
        value("a: !!str 1\nb: ! 1\nc: !!float 3\nd: !!int '3'\n"),
        json!({"a": "1", "b": "1", "c": 3.0, "d": 3})
    );
}

#[test]
fn syntax_errors_say_what_to_look_for() {
    for (text, problem) in [
        ("a:\n\tb: 1\n", "t:2:1: error[E0102]: a tab stands where YAML takes only spaces"),
        ("a:\t1\n", "t:1:3: error[E0102]: a tab stands where YAML takes only spaces"),
        (
            "a: \"x\nb: 1\n",
            "t:1:4: error[E0103]: the quote `\"` is not closed before a line that is indented too little",
        ),
        ("a: \"x\n b: 1\n", "t:1:4: error[E0103]: the quote `\"` is never closed"),
        ("a: 'x\n---\n", "t:1:4: error[E0103]: the quote `'` is never closed"),
        ("x:\n  a: [\n  1]\n", "t:3:3: error[E0101]: the line is indented too little"),
        ("a: 'x\n", "t:1:4: error[E0103]: the quote `'` is never closed"),
        ("a: ***\n", "t:1:4: error[E0107]: there is no anchor `&**` above"),
        ("a: *b\n", "t:1:4: error[E0107]: there is no anchor `&b` above"),
        ("a: &b [*b]\n", "t:1:8: error[E0107]: the alias stands inside the value that it repeats"),
        ("a: b: c\n", "t:1:5: error[E0101]: a `:` cannot stand here"),
        ("a: {b: ${c}}\n", "t:1:9: error[E0101]: expected `,` or `}` in a mapping in braces"),
        ("a: @b\n", "t:1:4: error[E0101]: a value without quotes cannot start with `@`"),
        ("a: \"\\q\"\n", "t:1:4: error[E0101]: there is no such escape in a text in double quotes"),
    ] {
        assert_eq!(problems(text), [problem], "{text:?}");
    }
}

#[test]
fn includes_splice_and_merge() {
    let (loaded, problems) = load_files(&[
        ("t.dig", "m: {a: 1, b: {x: 1, y: 1}}\n!include : p/q.yml\nm: {}\n"),
        ("p/q.yml", "m: {b: {y: 2}, c: 3}\n"),
    ]);
    // The second `m` of the file itself is a duplicate of its first.
    assert_eq!(problems, ["t.dig:3:1: error[E0105]: the key `m` stands twice in one mapping"]);
    assert_eq!(loaded, Some(json!({"m": {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}})));

    let (loaded, problems) = load_files(&[
        (
            "t.dig",
            "!include : a.yml\n!include : b.yml\nm: {own: 1, z: 0}\nv: !include list.yml\nn:\n  !include : sub/c.yml\n",
        ),
        ("a.yml", "m: {x: 1, z: 1}\n"),
        ("b.yml", "m: {y: 2, z: 2}\n"),
        ("list.yml", "- 1\n- 2\n"),
        ("sub/c.yml", "!include : ../d.yml\n"),
        ("d.yml", "deep: true\n"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(loaded, Some(json!({"m": {"x": 1, "z": 0, "y": 2, "own": 1}, "v": [1, 2], "n": {"deep": true}})));
}

#[test]
fn wrong_includes_are_told_all_at_once() {
    let (loaded, problems) = load_files(&[
        (
            "t.dig",
            "!include : no.yml\nb: !include ../x.yml\nc: !include /etc/passwd\n!include : l.yml\n!include : ${x}.yml\n\
             !include :\n!include x: y\nd: !include bad.yml\ne: !include void.yml\nf: !include [x]\ng: 1\ng: 2\n",
        ),
        ("l.yml", "- 1\n"),
        ("bad.yml", "a: [\n"),
        ("void.yml", "# nothing\n"),
    ]);
    assert_eq!(loaded, None);
    assert_eq!(
        problems,
        [
            "t.dig:1:12: error[E0116]: cannot read the included file `no.yml`: there is no such file",
            "t.dig:2:4: error[E0115]: the included file `../x.yml` lies outside the project",
            "t.dig:3:4: error[E0115]: the included file `/etc/passwd` lies outside the project",
            "t.dig:4:12: error[E0118]: expected a mapping in the included file `l.yml`, found a list",
            "t.dig:5:12: error[E0114]: the path `${x}.yml` of an include holds a template",
            "t.dig:6:1: error[E0114]: expected the path of a file after `!include :`, found nothing",
            "t.dig:7:1: error[E0114]: an included path cannot be a key",
            "bad.yml:2:1: error[E0101]: not valid YAML: did not find expected node content",
            "t.dig:9:4: error[E0118]: the included file `void.yml` is empty",
            "t.dig:10:4: error[E0114]: expected the path of a file after `!include`, found a mapping or list",
            "t.dig:12:1: error[E0105]: the key `g` stands twice in one mapping",
        ]
    );
}

#[test]
fn a_circle_of_includes_is_shown() {
    let (loaded, problems) = load_files(&[
        ("t.dig", "!include : a/b.yml\n"),
        ("a/b.yml", "x: !include c.yml\n"),
        ("a/c.yml", "!include : ../t.dig\n"),
    ]);
    assert_eq!(loaded, None);
    assert_eq!(
        problems,
        ["a/c.yml:1:12: error[E0117]: the include goes round in a circle: `t.dig` → `a/b.yml` → `a/c.yml` → `t.dig`"]
    );
}

#[test]
fn deep_documents_are_refused() {
    for text in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000), "a: ".to_owned() + &"[".repeat(200)] {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with("error[E0110]: mappings and lists are nested more than 100 deep"), "{found:?}");
    }
    let mut block = String::new();
    for depth in 0..3_000 {
        let _ = writeln!(block, "{}a:", " ".repeat(depth));
    }
    assert!(problems(&block)[0].contains("E0110"));

    // No line is nested here, but each alias is one level deeper than the one before.
    let mut aliases = "a0: &a0 [x]\n".to_owned();
    for index in 1..10_000 {
        let _ = writeln!(aliases, "a{index}: &a{index} [*a{}]", index - 1);
    }
    let found = problems(&aliases);
    assert_eq!(found, ["t:99:12: error[E0110]: mappings and lists are nested more than 100 deep"]);
    assert!(problems(&("[".repeat(99) + &"]".repeat(99))).is_empty());
}

#[test]
fn bombs_are_refused() {
    let mut text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for index in 1..20 {
        let alias = format!("*a{}", index - 1);
        let _ = writeln!(text, "a{index}: &a{index} [{}]", vec![alias; 9].join(", "));
    }
    let found = problems(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("error[E0111]: aliases and includes expand to more than 16 MiB"), "{found:?}");

    let twice = "x: !include b.yml\ny: !include b.yml\n";
    let (_, problems) = load_files(&[("t.dig", twice), ("b.yml", &"a: 1 # \n".repeat(1_100_000))]);
    assert!(problems[0].contains("error[E0111]"), "{problems:?}");
    // `!include` of one file a thousand times and more.
    let mut many = String::new();
    for index in 0..2_000 {
        let _ = writeln!(many, "k{index}: !include s.yml");
    }
    let (_, problems) = load_files(&[("t.dig", &many), ("s.yml", "1\n")]);
    assert_eq!(problems, ["t.dig:1001:8: error[E0111]: the document includes more than 1000 files"]);
}

#[test]
fn an_empty_file_holds_nothing() {
    assert_eq!(parse_text(""), (None, vec![]));
    assert_eq!(parse_text("# only a comment\n"), (None, vec![]));
    assert_eq!(value("\u{feff}a: 1\r\nb: 2\r\n"), json!({"a": 1, "b": 2}));
}

/// Pieces of YAML that a parser may stumble over.
fn yaml_soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a: ".to_owned()),
        Just("\n".to_owned()),
        Just("  ".to_owned()),
        Just("- ".to_owned()),
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("<<: ".to_owned()),
        Just("!include : ".to_owned()),
        Just("!include t.dig".to_owned()),
        Just("!!str ".to_owned()),
        Just("? ".to_owned()),
        Just("\t".to_owned()),
        Just("|\n".to_owned()),
        Just("---\n".to_owned()),
        Just("%YAML 1.2\n".to_owned()),
        "[\\[\\]{},:#&*!|>'\"%@`é\u{1F600}]",
        "[a-z0-9.+_é]{0,4}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in prop_oneof![yaml_soup(), any::<String>()]) {
        let files = Memory(HashMap::from([("t.dig".to_owned(), text)]));
        let mut sources = SourceMap::default();
        let (node, diagnostics) = load(&mut sources, &files, &ProjectPath::new("t.dig").unwrap());
        prop_assert!(node.is_some() || !diagnostics.is_empty() || !sources.iter().next().unwrap().text.contains('a'));
        for diagnostic in &diagnostics {
            prop_assert_eq!(diagnostic.severity, Severity::Error);
            let text = crate::diagnostic::render::text(diagnostic, &sources, crate::diagnostic::render::Style::Plain);
            prop_assert!(text.contains(diagnostic.code.0));
        }
    }

    /// What JSON says, YAML says too; only the plain scalars differ.
    #[test]
    fn json_is_read_as_json(words in prop::collection::vec("[ -~é\u{1F600}]{0,12}", 0..6), number in any::<i64>()) {
        let written = json!({"words": words, "number": number, "nested": {"empty": {}, "flag": true}});
        prop_assert_eq!(value(&written.to_string()), written);
    }
}

#[test]
fn a_long_chain_of_includes_is_refused() {
    let mut files = HashMap::from([("t.dig".to_owned(), "!include : 0.yml\n".to_owned())]);
    for index in 0..150 {
        files.insert(format!("{index}.yml"), format!("a{index}: {{b: !include {}.yml}}\n", index + 1));
    }
    let mut sources = SourceMap::default();
    let (node, diagnostics) = load(&mut sources, &Memory(files), &ProjectPath::new("t.dig").unwrap());
    assert_eq!(node, None);
    let found = lines(&sources, &diagnostics);
    assert_eq!(found, ["49.yml:1:7: error[E0110]: mappings and lists are nested more than 100 deep"]);
}
