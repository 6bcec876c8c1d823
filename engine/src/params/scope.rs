//! Which scope wins: written once, tested by table.
//!
//! The rule is Digdag's nearness: layers are laid from the root towards the task, in each task what its earlier siblings
//! stored, then its `_export`, then what it stored itself, and the later layer wins. Mappings are merged deeply. Built-in
//! parameters come over all of them, and only the task's own keys over those.
//!
//! DIFFERENCE(digdag): what `-p` and `-P` give wins over every `_export` (a store, a loop variable and a task's own key
//! still win over it), and a value that is data is never evaluated, wherever it is merged into.

use std::sync::Arc;

use super::evaluate::TaskParams;
use super::template::TemplateSettings;
use super::tree::{LATER, Reading, TreeBuilder};
use super::{ParamPath, Params};

/// Parameters from one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    origin: Origin,
    params: Arc<Params>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Settings,
    ParametersFile,
    CommandLine,
    Export { task: Arc<str> },
    Generated,
    Store { reset: Vec<ParamPath> },
}

impl Layer {
    /// The installation's or project's defaults: templates, below everything.
    pub fn settings(params: impl Into<Arc<Params>>) -> Self {
        Self { origin: Origin::Settings, params: params.into() }
    }

    /// The file of `-P`: templates, since an author wrote it; wins over `_export`.
    pub fn parameters_file(params: impl Into<Arc<Params>>) -> Self {
        Self { origin: Origin::ParametersFile, params: params.into() }
    }

    /// The values of `-p`, or those of whoever started the attempt: data; wins over `_export`.
    pub fn command_line(params: impl Into<Arc<Params>>) -> Self {
        Self { origin: Origin::CommandLine, params: params.into() }
    }

    /// The `_export` of a task as written: templates. `task` is its full name.
    pub fn export(task: &str, params: impl Into<Arc<Params>>) -> Self {
        Self { origin: Origin::Export { task: Arc::from(task) }, params: params.into() }
    }

    /// What an operator gave to the tasks it made (a loop variable, `error`): data.
    pub fn generated(params: impl Into<Arc<Params>>) -> Self {
        Self { origin: Origin::Generated, params: params.into() }
    }

    /// What a finished task stored: data; the stored paths of `reset` are removed first.
    pub fn store(params: impl Into<Arc<Params>>, reset: Vec<ParamPath>) -> Self {
        Self { origin: Origin::Store { reset }, params: params.into() }
    }
}

/// The layers of a task, lowest first.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    layers: Vec<Layer>,
}

impl Scope {
    /// Makes a scope with no layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a layer over the others.
    pub fn push(&mut self, layer: Layer) {
        self.layers.push(layer);
    }

    /// Lays the built-in parameters and the task's own keys over the layers and merges all of it.
    ///
    /// `task` is the task's full name, `own` its own keys as written. Pure; nothing is evaluated yet.
    pub fn task(&self, task: &str, built_ins: &Params, own: &Params, settings: TemplateSettings) -> TaskParams {
        let mut tree = TreeBuilder::default();
        for layer in &self.layers {
            match &layer.origin {
                Origin::Settings => tree.merge(&layer.params, &Reading::Templates(Arc::from(""))),
                Origin::ParametersFile => {
                    tree.merge(&layer.params, &Reading::Templates(Arc::from("")));
                    tree.pin(&layer.params);
                }
                Origin::CommandLine => {
                    tree.merge(&layer.params, &Reading::Data);
                    tree.pin(&layer.params);
                }
                Origin::Export { task } => tree.merge_unpinned(&layer.params, &Reading::Templates(Arc::clone(task))),
                Origin::Generated => tree.merge(&layer.params, &Reading::Data),
                Origin::Store { reset } => {
                    for path in reset {
                        tree.remove(&path.0);
                    }
                    tree.merge(&layer.params, &Reading::Data);
                }
            }
        }
        for (name, value) in built_ins {
            tree.replace(name, value);
        }
        for key in LATER {
            tree.root.shift_remove(key);
        }
        tree.merge(own, &Reading::Templates(Arc::from(task)));
        TaskParams::new(tree, task, own, settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::params::evaluate::tests::settings;

    fn object(value: Value) -> Params {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is not an object"),
        }
    }

    fn text(layers: Vec<Layer>, text: &str) -> String {
        let mut scope = Scope::new();
        for layer in layers {
            scope.push(layer);
        }
        let built_ins = object(json!({"session_time": "T", "task_name": "+t+e"}));
        scope
            .task("+t+e", &built_ins, &object(json!({"_command": text})), settings())
            .render_text(text)
            .unwrap_or_else(|error| format!("{error}"))
    }

    fn export(value: Value) -> Layer {
        Layer::export("+t", object(value))
    }

    fn store(value: Value) -> Layer {
        Layer::store(object(value), Vec::new())
    }

    fn command_line(value: Value) -> Layer {
        Layer::command_line(object(value))
    }

    fn generated(value: Value) -> Layer {
        Layer::generated(object(value))
    }

    /// The recorded cases 01, 02, 49, 68, 72, 74, 75, 86 of a real Digdag, and what we do otherwise.
    #[test]
    fn the_nearest_scope_wins() {
        let top = || export(json!({"a": "top_export", "b": "top_export", "m": {"x": 1, "y": 2}}));
        let table: Vec<(&str, Vec<Layer>, &str, &str)> = vec![
            ("01 direct", vec![top()], "${a} ${b}", "top_export top_export"),
            (
                "01 task export",
                vec![top(), export(json!({"a": "task_export", "m": {"y": 20, "z": 30}}))],
                "a=${a} m=${m} y=${m.y}",
                "a=task_export m={\"x\":1,\"y\":20,\"z\":30} y=20",
            ),
            (
                "01 after store",
                vec![top(), store(json!({"a": "stored", "b": "stored", "m": {"y": 200}}))],
                "a=${a} b=${b} m=${m}",
                "a=stored b=stored m={\"x\":1,\"y\":200}",
            ),
            (
                "01 own export over store",
                vec![top(), store(json!({"a": "stored"})), export(json!({"a": "task_export2"}))],
                "a=${a}",
                "a=task_export2",
            ),
            (
                "01 store in a group over its export",
                vec![
                    top(),
                    store(json!({"a": "stored"})),
                    export(json!({"a": "group_export"})),
                    store(json!({"a": "stored_in_group"})),
                ],
                "a=${a}",
                "a=stored_in_group",
            ),
            (
                "02 file, command line and export",
                vec![
                    Layer::settings(object(json!({"a": "config", "b": "config", "c": "config"}))),
                    Layer::parameters_file(object(json!({"a": "file", "b": "file", "n": 5, "l": [1, 2]}))),
                    command_line(json!({"b": "cmd", "n": "7"})),
                    export(json!({"c": "export", "d": "${a}"})),
                ],
                "a=${a} b=${b} c=${c} d=${d} n=${n} ${typeof n} l=${l} ${Array.isArray(l)}",
                "a=file b=cmd c=export d=file n=7 string l=[1,2] true",
            ),
            (
                "-p wins over every _export",
                vec![command_line(json!({"a": "cmdline"})), top(), export(json!({"a": "nearer"}))],
                "${a} ${b}",
                "cmdline top_export",
            ),
            (
                "-p of one key leaves the others of an exported mapping",
                vec![command_line(json!({"m": {"x": "p"}})), top(), export(json!({"m": 7}))],
                "${m}",
                "{\"x\":\"p\",\"y\":2}",
            ),
            ("-p of a scalar hides an exported mapping", vec![command_line(json!({"m": "p"})), top()], "${m}", "p"),
            (
                "72 a store beats -p",
                vec![command_line(json!({"a": "cmdline"})), store(json!({"a": "stored"}))],
                "${a}",
                "stored",
            ),
            (
                "72 in a group, -p has taken its _export out",
                vec![
                    command_line(json!({"a": "cmdline"})),
                    store(json!({"a": "stored"})),
                    export(json!({"a": "exported"})),
                ],
                "${a}",
                "stored",
            ),
            (
                "86 a loop variable beats -p",
                vec![command_line(json!({"i": "99"})), generated(json!({"i": 0}))],
                "i=${i}",
                "i=0",
            ),
            (
                "74 the branch declared last wins and mappings merge",
                vec![
                    store(json!({"v": "a", "o": {"a": 1}})),
                    store(json!({"v": "b", "o": {"b": 2}})),
                    store(json!({"v": "c"})),
                ],
                "v=${v} o=${o}",
                "v=c o={\"a\":1,\"b\":2}",
            ),
            (
                "68 built-ins are not overridden",
                vec![command_line(json!({"session_time": "OVER"})), export(json!({"session_time": "EXPORT"}))],
                "${session_time}",
                "T",
            ),
            (
                "a reset removes what was stored before",
                vec![
                    store(json!({"http": {"last_content": "old", "last_status": 200}})),
                    Layer::store(object(json!({"http": {"last_status": 404}})), vec!["http.last_content".into()]),
                ],
                "${http}",
                "{\"last_status\":404}",
            ),
            ("null replaces", vec![top(), export(json!({"m": null}))], "[${m}]", "[]"),
            (
                "the error of a task",
                vec![top(), generated(json!({"error": {"message": "cannot evaluate ${nosuch}"}}))],
                "${error.message}",
                "cannot evaluate ${nosuch}",
            ),
        ];
        for (name, layers, template, expected) in table {
            assert_eq!(text(layers, template), expected, "{name}");
        }
    }

    #[test]
    fn data_is_never_evaluated_however_it_is_merged() {
        for hostile in ["${1+1}", "$$", "${session_time}", "${secret:db}"] {
            for layer in [store(json!({"m": {"x": hostile}})), generated(json!({"m": {"x": hostile}}))] {
                let layers = vec![export(json!({"m": {"x": "${session_time}", "y": "${session_time}"}})), layer];
                assert_eq!(text(layers, "${m.x}|${m.y}|${m.x + ''}"), format!("{hostile}|T|{hostile}"));
            }
            let layers = vec![command_line(json!({"m": {"x": hostile}})), export(json!({"m": {"y": "${m.x}"}}))];
            assert_eq!(text(layers, "${m.y}"), hostile);
        }
    }

    #[test]
    fn own_keys_win_over_everything() {
        let mut scope = Scope::new();
        scope.push(command_line(json!({"a": "cmdline"})));
        scope.push(export(json!({"m": {"x": 1}})));
        let own = object(json!({"a": "own", "session_time": "mine", "m": {"y": "${a}"}, "_do": {"echo>": "${i}"}}));
        let params = scope.task("+t", &object(json!({"session_time": "T"})), &own, settings());
        assert_eq!(
            params.own().map(Value::Object),
            Ok(json!({"a": "own", "session_time": "mine", "m": {"x": 1, "y": "own"}, "_do": {"echo>": "${i}"}}))
        );
    }
}
