//! Tests of loading and compiling.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::document::{ProjectFiles, ProjectPath, ReadError};
use crate::operator::{Registry, TaskContext, TaskError, TaskOutcome, TypedOperator};
use crate::params::ParamPath;

/// A project in memory.
#[derive(Debug, Default)]
struct Memory(HashMap<String, String>);

impl Memory {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }
}

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

/// Parameters of the operators of these tests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EchoParams {
    #[serde(rename = "_command")]
    #[expect(dead_code, reason = "only its schema is used")]
    command: String,
}

#[derive(Debug)]
struct Echo;

impl TypedOperator for Echo {
    const NAME: &'static str = "echo";
    const SUMMARY: &'static str = "Says something.";
    const COMMAND: Option<&'static str> = Some("What to say.");
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+hello: {echo>: hello}";
    type Params = EchoParams;

    async fn run(&self, _context: &TaskContext, _params: EchoParams) -> Result<TaskOutcome, TaskError> {
        Ok(TaskOutcome::Wait { state: Value::Null, after: Duration::ZERO })
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

/// Parameters of a loop.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoopParams {
    #[serde(rename = "_command")]
    #[expect(dead_code, reason = "only its schema is used")]
    command: u32,
    #[serde(rename = "_do")]
    #[expect(dead_code, reason = "only its schema is used")]
    body: Params,
    #[serde(rename = "_parallel")]
    #[expect(dead_code, reason = "only its schema is used")]
    parallel: Option<Value>,
}

#[derive(Debug)]
struct Loop;

impl TypedOperator for Loop {
    const NAME: &'static str = "loop";
    const SUMMARY: &'static str = "Repeats its body.";
    const COMMAND: Option<&'static str> = Some("How often.");
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+again: {loop>: 3, _do: {echo>: hello}}";
    type Params = LoopParams;

    async fn run(&self, _context: &TaskContext, _params: LoopParams) -> Result<TaskOutcome, TaskError> {
        Ok(TaskOutcome::Wait { state: Value::Null, after: Duration::ZERO })
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register(Echo);
    registry.register(Loop);
    registry
}

fn load_text(text: &str) -> Loaded {
    load_from(&Memory::new(&[("t.dig", text)]), "t.dig", &registry())
}

fn compiled(text: &str) -> Workflow {
    let loaded = load_text(text);
    assert_eq!(loaded.diagnostics, [], "{text}");
    loaded.workflow.unwrap()
}

fn messages(loaded: &Loaded) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.primary.span;
            let (line, column) = loaded.sources.line_column(place.source, place.start);
            format!("{}:{line}:{column} {}", diagnostic.code, diagnostic.message)
        })
        .collect()
}

#[test]
fn a_workflow_becomes_its_normal_form() {
    let workflow = compiled(
        "timezone: Asia/Tokyo\nschedule: {daily>: '01:00:00'}\n_export: {a: {b: 1}}\n_error: {echo>: oh}\n+g:\n  \
         _parallel: {limit: 2}\n  +a: {echo>: 1.5, _retry: '${n}'}\n  +b:\n    _after: [+a]\n    _check: {echo>: c}\n    \
         echo>: x\n+h:\n  - +x: {echo>: x}\n  - +y: {echo>: y, _background: true}\n+off: {_disable: true, echo>: z}\n",
    );
    assert_eq!((workflow.name.as_str(), workflow.time_zone.as_str()), ("t", "Asia/Tokyo"));
    assert_eq!(workflow.schedule, Some(json!({"daily>": "01:00:00"})));
    let root = workflow.root;
    assert_eq!((root.name.as_str(), &root.kind), ("+t", &TaskKind::Group));
    assert_eq!(Value::Object(root.export), json!({"a": {"b": 1}}));
    assert_eq!(root.param_places["_export.a.b"], Place { file: "t.dig".into(), line: 3, column: 18 });
    assert_eq!(root.error.unwrap().name, "^error");
    let [group, list, off] = root.children.as_slice() else { panic!("{:?}", root.children) };
    assert_eq!(group.parallel, Parallel::Limit(2));
    let [a, b] = group.children.as_slice() else { panic!("{:?}", group.children) };
    let TaskKind::Action { operator, params } = &a.kind else { panic!("{a:?}") };
    assert_eq!(
        (operator.as_str(), Value::Object(crate::params::Params::clone(params))),
        ("echo", json!({"_command": 1.5}))
    );
    assert_eq!(a.retry, Some(json!("${n}")));
    assert_eq!(a.place, Some(Place { file: "t.dig".into(), line: 7, column: 3 }));
    assert_eq!(a.param_places["_command"], Place { file: "t.dig".into(), line: 7, column: 15 });
    assert_eq!(a.written(&ParamPath::from("_command.day[0]")).0, "echo>.day[0]");
    assert_eq!(a.written(&ParamPath::from("_command_line")).0, "_command_line");
    assert_eq!(b.after, ["+a"]);
    assert_eq!(b.check.as_ref().unwrap().name, "^check");
    assert_eq!(list.children.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["+x", "+y"]);
    assert!(list.children[1].background);
    assert_eq!((&off.kind, off.children.len()), (&TaskKind::Group, 0));
}

#[test]
fn all_problems_are_found_at_once() {
    let loaded = load_text(
        "timezone: JST\n_parallell: true\n+a:\n  ecko>: x\n+b:\n  echo>: x\n  loop>: 3\n  +sub: {echo>: y}\n+c d: {echo>: z}\n\
         +e:\n  - echo>: x\n  - echo>: y\n+f:\n+g: {_after: [+a], echo>: x}\n",
    );
    assert_eq!(
        messages(&loaded),
        [
            "E0211:1:11 expected an IANA time zone such as `Asia/Tokyo` or an offset such as `+09:00`, found `JST`",
            "E0201:2:1 there is no key `_parallell` at the top of a file",
            "E0202:4:3 there is no operator `ecko>`",
            "E0203:7:3 a task cannot have two operators",
            "E0204:8:3 a task with an operator cannot hold the task `+sub`",
            "E0205:9:1 the name `+c d` of a task holds a blank",
            "E0207:12:5 the list holds operators, but it is one task",
            "E0206:13:1 expected a mapping in the task `+f`, found nothing",
            "E0209:14:6 `_after` has a meaning only in a parallel group",
        ]
    );
    assert!(loaded.workflow.is_none());
}

#[test]
fn a_wrong_limit_is_told_and_not_the_after_below_it() {
    for (mapping, expected) in [
        ("{limt: 2}", "E0208:2:14 there is no"),
        ("{limit: 0}", "E0208:2:21 expected a whole number from 1"),
        ("{}", "E0208:2:14 expected"),
    ] {
        let loaded =
            load_text(&format!("+g:\n  _parallel: {mapping}\n  +a: {{echo>: x}}\n  +b: {{_after: [+a], echo>: y}}\n"));
        let found = messages(&loaded);
        assert_eq!(found.len(), 1, "{mapping}: {found:?}");
        let place = expected.split(' ').next().unwrap_or_default().split(':').nth(1);
        assert!(found[0].split(':').nth(1) == place && !found[0].contains("_after"), "{mapping}: {found:?}");
    }
}

#[test]
fn digdags_plugin_block_is_ignored_with_a_note() {
    let loaded = load_text("_export:\n  plugin: {repositories: [x]}\n  a: 1\n+a: {echo>: x}\n");
    assert_eq!(messages(&loaded), ["E0213:2:3 the block `plugin` is for Digdag and is ignored"]);
    assert_eq!(Value::Object(loaded.workflow.unwrap().root.export), json!({"a": 1}));
}

#[test]
fn includes_merge_and_keep_their_places() {
    let files = Memory::new(&[
        ("w/t.dig", "_export:\n  !include : ../p.yml\n  own: {b: 2}\n!include : tasks.yml\n+z: !include z.yml\n"),
        ("p.yml", "own: {a: 1, b: 1}\n"),
        ("w/tasks.yml", "+x:\n  ecko>: x\n"),
        ("w/z.yml", "echo>: z\n"),
    ]);
    let loaded = load_from(&files, "w/t.dig", &registry());
    assert_eq!(messages(&loaded), ["E0202:2:3 there is no operator `ecko>`"]);
    assert_eq!(loaded.sources.get(loaded.diagnostics[0].primary.span.source).name, "w/tasks.yml");
}

#[test]
fn a_workflow_in_a_directory_works_there() {
    let files = Memory::new(&[("a/b/c.dig", "_export: {_workdir: d}\n+x: {echo>: x}\n")]);
    let workflow = load_from(&files, "a/b/c.dig", &registry()).workflow.unwrap();
    assert_eq!(workflow.name, "a/b/c");
    assert_eq!(Value::Object(workflow.root.export), json!({"_workdir": "a/b/d"}));
}

#[test]
fn bodies_are_checked_early_and_compiled_late() {
    let text = "+a:\n  loop>: 3\n  _do:\n    +x: {ecko>: x}\n";
    assert_eq!(messages(&load_text(text)), ["E0202:4:10 there is no operator `ecko>`"]);

    let workflow = compiled("+a:\n  loop>: 3\n  _do:\n    _parallel: true\n    +x: {echo>: x}\n");
    let task = &workflow.root.children[0];
    let TaskKind::Action { params, .. } = &task.kind else { panic!("{task:?}") };
    let at = ParamPath::from("_do");
    let body = compile_body(&params["_do"], &at, &task.param_places, &registry()).unwrap();
    assert_eq!((body.name.as_str(), body.parallel), ("^sub", Parallel::Unlimited));
    let x = &body.children[0];
    assert_eq!(x.place, Some(Place { file: "t.dig".into(), line: 5, column: 9 }));
    assert_eq!(x.param_places["_command"], Place { file: "t.dig".into(), line: 5, column: 17 });

    let error = compile_body(&json!({"ecko>": "x"}), &at, &task.param_places, &registry()).unwrap_err();
    assert_eq!(error.to_string(), "there is no operator `ecko>`");
    let action = compile_body(&json!({"echo>": "x"}), &at, &IndexMap::new(), &registry()).unwrap();
    assert!(matches!(action.kind, TaskKind::Action { .. }));
}

#[derive(Debug)]
struct Call;

impl TypedOperator for Call {
    const NAME: &'static str = "call";
    const SUMMARY: &'static str = "Runs another workflow.";
    const COMMAND: Option<&'static str> = Some("Its path.");
    const DETAILS: &'static str = "";
    const EXAMPLE: &'static str = "+other: {call>: other.dig}";
    type Params = EchoParams;

    async fn run(&self, _context: &TaskContext, _params: EchoParams) -> Result<TaskOutcome, TaskError> {
        Ok(TaskOutcome::Wait { state: Value::Null, after: Duration::ZERO })
    }

    async fn cancel(&self, _context: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }
}

#[test]
fn called_workflows_are_checked_too() {
    let mut registry = registry();
    registry.register(Call);
    let files = Memory::new(&[
        ("t.dig", "+a: {call>: sub/x}\n+b: {call>: sub/x.dig}\n+c: {call>: '${y}'}\n"),
        ("sub/x.dig", "+a: {call>: y}\n+b: {loop>: 2, _do: {call>: ../t}}\n"),
        ("sub/y.yml", "+a: {ecko>: x}\n+b: {call>: x}\n+c: {call>: none}\n"),
    ]);
    let loaded = load_from(&files, "t.dig", &registry);
    assert_eq!(
        messages(&loaded),
        [
            "E0202:1:6 there is no operator `ecko>`",
            "E0215:2:13 workflows call each other without end: `sub/x.dig` → `sub/y.yml` → `sub/x.dig`",
            "E0214:3:13 there is no workflow `none` to call",
        ]
    );
    let moved = Memory::new(&[("t.dig", "_export: {_workdir: d}\n+a: {call>: elsewhere}\n")]);
    assert_eq!(messages(&load_from(&moved, "t.dig", &registry)), Vec::<String>::new());
}

/// Values as they may stand in a workflow, with keys that mean something.
fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..5_i64).prop_map(Value::from),
        prop::sample::select(vec!["x", "true", "${a}", "${a +}", "+a", "UTC", "t.dig", "3", ""]).prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "+a",
        "+b",
        "+c d",
        "echo>",
        "loop>",
        "nope>",
        "_type",
        "_command",
        "_do",
        "_error",
        "_check",
        "_retry",
        "_parallel",
        "_after",
        "_background",
        "_export",
        "_disable",
        "_secrets",
        "timezone",
        "schedule",
        "sla",
        "plugin",
        "limit",
        "a",
        "b.c",
    ]);
    scalar.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    /// Whatever a file holds, there is a workflow or an error with a place, and never both.
    #[test]
    fn any_document_is_compiled_or_refused(document in any_value()) {
        let loaded = load_text(&document.to_string());
        let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == crate::diagnostic::Severity::Error);
        prop_assert_eq!(loaded.workflow.is_some(), errors.count() == 0);
        for diagnostic in &loaded.diagnostics {
            let text = &loaded.sources.get(diagnostic.primary.span.source).text;
            let span = diagnostic.primary.span;
            prop_assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
        if let Some(workflow) = loaded.workflow {
            let stored = serde_json::to_string(&workflow).unwrap();
            prop_assert_eq!(serde_json::from_str::<Workflow>(&stored).unwrap(), workflow);
        }
    }

    /// The same, for what a running task asks for.
    #[test]
    fn any_body_is_compiled_or_refused(body in any_value()) {
        match compile_body(&body, &ParamPath::from("_do"), &IndexMap::new(), &registry()) {
            Ok(task) => prop_assert_eq!(task.name, "^sub"),
            Err(error) => prop_assert!(!error.problems.is_empty()),
        }
    }
}
