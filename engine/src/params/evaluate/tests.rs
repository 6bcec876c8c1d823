use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::params::scope::{Layer, Scope};

/// 2024-02-29T01:02:03Z in Tokyo.
pub(crate) fn settings() -> TemplateSettings {
    TemplateSettings {
        zone: jiff::tz::TimeZone::get("Asia/Tokyo").unwrap(),
        now: "2024-02-29T01:02:03Z".parse().unwrap(),
        seed: 7,
    }
}

fn object(value: Value) -> Params {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not an object"),
    }
}

fn task(export: Value, own: Value) -> TaskParams {
    let mut scope = Scope::new();
    scope.push(Layer::export("+t", object(export)));
    scope.task("+t+a", &Params::new(), &object(own), settings())
}

fn rendered(export: &Value, text: &str) -> String {
    task(export.clone(), json!({})).render_text(text).unwrap_or_else(|error| error.to_string())
}

fn own(export: Value, own: Value) -> Value {
    match task(export, own).own() {
        Ok(params) => Value::Object(params),
        Err(errors) => Value::String(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// The recorded cases 03, 06, 07, 08, 09 and 89 of a real Digdag.
#[test]
fn expressions_render_as_in_digdag() {
    let params = json!({
        "n": 3, "s": "abc", "arr": [1, 2, 3], "obj": {"k": {"deep": "v"}, "list": [{"id": 1}, {"id": 2}]}, "t": true, "z": null, "o": {},
        "half": 1.50, "big": 9_007_199_254_740_993_i64,
    });
    let table = [
        ("${n + 1} ${n * 2.5} ${n / 0} ${7 / 2} ${7 % 2}", "4 7.5 null 3.5 1"),
        ("${s.toUpperCase()} ${s + n} ${s.length} ${s[0]}", "ABC abc3 3 a"),
        ("${arr} ${arr.length} ${arr.map(function(x){return x*2})} ${arr.join('-')}", "[1,2,3] 3 [2,4,6] 1-2-3"),
        (
            "${obj} ${obj.k} ${obj.k.deep} ${obj.list[1].id} ${obj.nosuch}",
            "{\"k\":{\"deep\":\"v\"},\"list\":[{\"id\":1},{\"id\":2}]} {\"deep\":\"v\"} v 2 ",
        ),
        ("[${z}] [${obj.nosuch}] [${t}] [${!t}] [${undefined}] [${null}]", "[] [] [true] [false] [] []"),
        ("${n > 2 ? 'big' : 'small'} ${typeof z} ${typeof nosuch}", "big object undefined"),
        (
            "${JSON.stringify(obj)} ${JSON.parse('[1,2]')[1]}",
            "{\"k\":{\"deep\":\"v\"},\"list\":[{\"id\":1},{\"id\":2}]} 2",
        ),
        (
            "${1e21} ${0.1 + 0.2} ${NaN} ${-0} ${10000000000000000000} ${1.0}",
            "1e+21 0.30000000000000004 null 0 10000000000000000000 1",
        ),
        ("${new Date(0)} ${Math.max(1,2)} ${parseInt('12px')}", "\"1970-01-01T00:00:00.000Z\" 2 12"),
        ("${(function(){ return 5 })()} ${'a' in {a: 1}} ${[]} ${ {} }", "5 true [] {}"),
        ("${Object.keys(obj)} ${typeof obj.k} ${typeof arr}", "[\"k\",\"list\"] object object"),
        // What ES5 has not.
        ("${arr.map(x => x + 1)} ${`tpl ${n}`}", "[2,3,4] tpl 3"),
        ("value=[${o.a}]", "value=[]"),
        ("a\\nb \\\\ ${\"q\\\"q\"} ${\"nl\\nnl\"}", "a\\nb \\\\ q\"q nl\nnl"),
        ("$ {x} $x $$ ${\"$\"}{x} $", "$ {x} $x $ ${x} $"),
        ("pid $$ and $$$$", "pid $ and $$"),
        ("abc ${x", "abc ${x"),
        ("abc ${}", "abc "),
        ("${half} ${big} ${[big].length}", "1.5 9007199254740993 1"),
        ("${this.n} ${this['n']} ${Object.keys(this).length}", "3 3 9"),
        ("${\"aaa\".replaceAll(\"a\",\"A\")} ${2n ** 64n}", "AAA 18446744073709551616"),
        ("${n // a comment\n}", "3"),
        ("${secret:db.${s}} ${x:-def}", "${secret:db.abc} ${x:-def}"),
    ];
    for (text, expected) in table {
        assert_eq!(rendered(&params, text), expected, "{text}");
    }
}

#[test]
fn errors_name_the_expression_and_the_way_out() {
    let params = json!({"o": {}, "session_time": "T", "s": "x"});
    let table = [
        (
            "value=${sesion_time}",
            "E0402 1:7",
            "cannot evaluate `${sesion_time}`: `sesion_time` is not defined",
            Some("did you mean `session_time`?"),
        ),
        (
            "${HOME}",
            "E0402 1:1",
            "cannot evaluate `${HOME}`: `HOME` is not defined",
            Some("a variable of the shell is written `$HOME`, without braces"),
        ),
        (
            "${last_session_time}",
            "E0402 1:1",
            "cannot evaluate `${last_session_time}`: `last_session_time` is not defined",
            Some("only a workflow with a `schedule:` has it"),
        ),
        (
            "a\nbé ${o.a.b}",
            "E0403 2:4",
            "cannot evaluate `${o.a.b}`: TypeError: cannot read property 'b' of undefined",
            None,
        ),
        (
            "${'}'}",
            "E0401 1:1",
            "cannot evaluate `${'}`: not an expression of JavaScript: unexpected end of string",
            Some("an expression ends at the `}` that balances its braces, in a string too: write `\\x7d` or `\\x7b`"),
        ),
        ("${s.trim}", "E0407 1:1", "cannot evaluate `${s.trim}`: its result is a function, which has no text", None),
        (
            "${(function f(){ return f() })()}",
            "E0406 1:1",
            "cannot evaluate `${(function f(){ return f() })()}`: it calls itself too deeply",
            None,
        ),
        (
            "${(function(){ while (true) {} })()}",
            "E0405 1:1",
            "cannot evaluate `${(function(){ while (true) {} })()}`: it did not end within the limit of steps",
            None,
        ),
        (
            "${(function(){ var a = []; while (true) a.push(new Array(1000).fill('x')) })()}",
            "E0406 1:1",
            "cannot evaluate `${(function(){ var a = []; while (true) a.push(new Array(1000).fill('x')) })()}`: it needs more than 64 MiB of memory",
            None,
        ),
        (
            "${Array(4e9).indexOf(1)}",
            "E0403 1:1",
            "cannot evaluate `${Array(4e9).indexOf(1)}`: RangeError: a list may have 10000000 items",
            None,
        ),
        (
            "${'a'.repeat(1e9)}",
            "E0406 1:1",
            "cannot evaluate `${'a'.repeat(1e9)}`: it needs more than 64 MiB of memory",
            None,
        ),
        (
            "${/(a+)+$/.test('a'.repeat(40) + 'b')}",
            "E0405 1:1",
            "cannot evaluate `${/(a+)+$/.test('a'.repeat(40) + 'b')}`: it did not end within the limit of steps",
            None,
        ),
        (
            "${(function(){ try { while (true) {} } catch (e) { return 'caught' } })()}",
            "E0405 1:1",
            "cannot evaluate `${(function(){ try { while (true) {} } catch (e) { return 'caught' } })()}`: it did not end within the limit of steps",
            None,
        ),
        (
            "${'\\ud800'}",
            "E0407 1:1",
            "cannot evaluate `${'\\ud800'}`: its result is a string with half a surrogate pair, which has no text",
            None,
        ),
        ("${(function(){ throw 'up' })()}", "E0403 1:1", "cannot evaluate `${(function(){ throw 'up' })()}`: up", None),
    ];
    for (text, place, message, help) in table {
        let error = task(params.clone(), json!({})).render_text(text).unwrap_err();
        let found = format!("{} {}:{}", error.code(), error.line, error.column);
        assert_eq!(
            (found.as_str(), error.to_string().as_str(), error.help.as_deref()),
            (place, message, help),
            "{text}"
        );
    }
    // The engine is whole again after each of them.
    assert_eq!(rendered(&params, "${1 + 1}"), "2");
}

/// Digdag leaves the text of a template in most of these: cases 09, 10, 85 and 87.
#[test]
fn references_are_resolved_whatever_their_order() {
    assert_eq!(
        own(json!({"fwd": "${later}", "later": "${last}", "last": "L"}), json!({"_command": "${fwd}"})),
        json!({"_command": "L"})
    );
    assert_eq!(
        own(json!({}), json!({"x": "before", "_command": "x=${x} y=${y}", "y": "after"})),
        json!({"x": "before", "_command": "x=before y=after", "y": "after"})
    );
    // Outer values inside nested mappings and lists.
    assert_eq!(
        own(json!({"now": "${1 + 1}"}), json!({"m": {"p": "${now}", "l": ["${now}", {"q": "${now}", "r": "${q}!"}]}})),
        json!({"m": {"p": "2", "l": ["2", {"q": "2", "r": "2!"}]}})
    );
    // Siblings by name and by path; one that stands before wins over the top level, which wins over one that stands after.
    assert_eq!(
        own(json!({"x": "top", "y": "top"}), json!({"m": {"x": "in", "z": "${x} ${m.x} ${y}", "y": "in"}})),
        json!({"m": {"x": "in", "z": "in in top", "y": "in"}})
    );
    // A key that has the name of what it takes.
    assert_eq!(
        own(
            json!({"date": "D", "m": {"date": "old"}}),
            json!({"body": {"date": "${date}"}, "m": {"date": "${m.date}er"}})
        ),
        json!({"body": {"date": "D"}, "m": {"date": "older"}})
    );
    let mut scope = Scope::new();
    scope.push(Layer::export("+t", object(json!({"a": "one", "list": [1]}))));
    scope.push(Layer::export("+t+g", object(json!({"a": "${a}two", "list": ["${list.length + 1}"]}))));
    let params = scope.task(
        "+t+g+b",
        &Params::new(),
        &object(json!({"a": "${a}three", "_command": "${a + 1} ${list}"})),
        settings(),
    );
    assert_eq!(params.own().map(Value::Object), Ok(json!({"a": "onetwothree", "_command": "onetwothree1 [\"2\"]"})));
    // What a template gives is text, and text is not evaluated again.
    assert_eq!(
        own(json!({"n": 5, "m": "${n}"}), json!({"_command": "${typeof m} ${m + 1} ${'${n}'}"})),
        json!({"_command": "string 51 ${n}"})
    );
}

#[test]
fn cycles_name_their_members() {
    assert_eq!(
        own(json!({"a": "${b}", "b": "${c + 1}", "c": "${a}"}), json!({"_command": "${a}"})),
        json!("`a` is made of itself: `a` → `b` → `c` → `a`")
    );
    assert_eq!(
        own(json!({"a": "${a}"}), json!({"_command": "${a}"})),
        json!("`a` is made of itself, and no outer value has its name")
    );
    assert_eq!(
        own(json!({}), json!({"m": {"x": "${m}"}})),
        json!("`m.x` is made of itself, and no outer value has its name")
    );
    assert_eq!(
        own(json!({}), json!({"m": {"x": "${JSON.stringify(m)}"}})),
        json!("`m.x` is made of itself, and no outer value has its name")
    );
    let help = |own| task(json!({}), own).own().unwrap_err().first().help.clone().unwrap();
    assert_eq!(
        help(json!({"database": "${database}"})),
        "nothing above the task gives `database` a value: leave the key away where an exported mapping of the operator has it, which \
         reaches the task anyway, or name what it is to be made of, such as `${my_database}` with `_export: {my_database: …}`"
    );
    assert_eq!(
        help(json!({"m": {"x": "${m}"}})),
        "`m.x` stands in the mapping that it is made of: take its value from a parameter with another name"
    );
    // Mentioning a name is not using it.
    assert_eq!(
        own(json!({"a": "${false ? b : 1}", "b": "${a}"}), json!({"_command": "${b}"})),
        json!({"_command": "1"})
    );
    let chain: Params = (0..500).map(|i| (format!("p{i}"), json!(format!("${{p{}}}", i + 1)))).collect();
    let error = task(Value::Object(chain), json!({"_command": "${p0}"})).own().unwrap_err();
    assert_eq!(error.first().code().0, "E0406");
}

#[test]
fn what_nobody_uses_does_not_fail() {
    let export =
        json!({"bad": "${nosuch}", "worse": "${bad}", "m": {"bad": "${nosuch}", "good": "${1 + 1}"}, "good": "g"});
    assert_eq!(
        own(export.clone(), json!({"_command": "${good} ${m.good} ${m.good + 1}"})),
        json!({"_command": "g 2 21"})
    );
    let params = task(export, json!({"_command": "${good}", "_do": {"echo>": "${i}"}}));
    let (all, errors) = params.everything();
    assert_eq!(Value::Object(all), json!({"good": "g", "_command": "g"}));
    assert_eq!(
        errors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "cannot evaluate `${nosuch}`: `nosuch` is not defined",
            "cannot evaluate `${nosuch}` of `bad` (`_export` of `+t`): `nosuch` is not defined",
            "cannot evaluate `${nosuch}`: `nosuch` is not defined",
        ]
    );
}

#[test]
fn an_error_tells_which_key_leads_to_it() {
    let params =
        task(json!({"a": "x ${nosuch}"}), json!({"table": "t_${a}", "other": "${also}", "list": ["ok", "${worse}"]}));
    let errors = params.own().unwrap_err();
    let places: Vec<(&str, &str, &str)> = errors
        .iter()
        .map(|error| (error.asked_for().0.as_str(), error.path.0.as_str(), error.expression.as_str()))
        .collect();
    assert_eq!(places, [("table", "a", "nosuch"), ("other", "other", "also"), ("list[1]", "list[1]", "worse")]);
    assert_eq!(errors.first().offset, 2);
    let task_error = crate::operator::TaskError::from(errors);
    assert_eq!(task_error.code.0, "E0402");
    assert_eq!(task_error.params.len(), 3);
    // In a file the place is that of the file.
    let error = params.render_text("SELECT 1;\nSELECT '${a}'").unwrap_err();
    assert_eq!((error.line, error.column, error.expression.as_str()), (2, 9, "a"));
    assert_eq!(
        error.to_string(),
        "cannot evaluate `${a}`: cannot evaluate `${nosuch}` of `a` (`_export` of `+t`): `nosuch` is not defined"
    );
}

#[test]
fn nothing_is_left_behind_and_nothing_is_reachable() {
    let none = json!({"o": {"k": 1}});
    for (text, expected) in [
        ("${Object.prototype.x = 1}${({}).x}", "1"),
        ("${globalThis.leak = 1}${typeof leak}", "1undefined"),
        ("${(moment.fn.format = function(){ return 'x' }, moment(0).utc().format())}", "1970-01-01T00:00:00Z"),
        ("${o.k = 2}${o.k}", "21"),
        (
            "${[typeof console, typeof std, typeof os, typeof performance, typeof WebAssembly, typeof require, typeof fetch].join()}",
            "undefined,undefined,undefined,undefined,undefined,undefined,undefined",
        ),
        (
            "${Function('return typeof queueMicrotask + typeof Atomics + typeof Promise')()}",
            "undefinedundefinedundefined",
        ),
    ] {
        assert_eq!(rendered(&none, text), expected, "{text}");
    }
}

#[test]
fn clock_and_chance_are_the_attempts_own() {
    let none = json!({});
    assert_eq!(
        rendered(&none, "${Date.now()} ${new Date().toISOString()} ${moment().format()}"),
        "1709168523000 2024-02-29T01:02:03.000Z 2024-02-29T10:02:03+09:00"
    );
    let params =
        task(json!({"r": "${Math.random()}"}), json!({"a": "${r}", "b": "${Math.random()}", "c": "${Math.random()}"}));
    let (first, second) = (params.own().unwrap(), params.own().unwrap());
    assert_eq!(first, second);
    assert_ne!(first["b"], first["c"]);
    for value in first.values() {
        let value: f64 = value.as_str().unwrap().parse().unwrap();
        assert!((0.0..1.0).contains(&value));
    }
    // An exported draw is the same for every task, a task's own draw is its own.
    let mut scope = Scope::new();
    scope.push(Layer::export("+t", object(json!({"r": "${Math.random()}"}))));
    let of = |name: &str| {
        scope
            .task(name, &Params::new(), &object(json!({"a": "${r}", "b": "${Math.random()}"})), settings())
            .own()
            .unwrap()
    };
    assert_eq!(of("+t+x")["a"], of("+t+y")["a"]);
    assert_ne!(of("+t+x")["b"], of("+t+y")["b"]);
}

#[test]
fn dates_are_in_the_workflows_zone() {
    let none = json!({});
    for (text, expected) in [
        ("${new Date(0).getHours()} ${new Date(0).getTimezoneOffset()}", "9 -540"),
        ("${String(new Date(0))}", "Thu Jan 01 1970 09:00:00 GMT+0900 (JST)"),
        ("${new Date(2024, 1, 29, 1, 2, 3).toISOString()}", "2024-02-28T16:02:03.000Z"),
        ("${new Date('2024-02-29T01:02:03').toISOString()}", "2024-02-28T16:02:03.000Z"),
        ("${new Date('2024-02-29 01:02:03').toISOString()}", "2024-02-28T16:02:03.000Z"),
        (
            "${new Date('2024-02-29').toISOString()} ${new Date('2024-02-29T00:00:00Z').getTime()}",
            "2024-02-29T00:00:00.000Z 1709164800000",
        ),
        ("${new Date('Feb 29, 2024 01:02:03').toISOString()}", "2024-02-28T16:02:03.000Z"),
        ("${(d => (d.setHours(25), d.toISOString()))(new Date(0))}", "1970-01-01T16:00:00.000Z"),
        (
            "${new Date(new Date(5)).getTime()} ${new Date('nonsense').getTime()} ${typeof Date()} ${new Date(0) instanceof Date}",
            "5 null string true",
        ),
        ("${new Date(0).toLocaleDateString()} ${new Date(1e20)}", "1/1/1970 null"),
    ] {
        assert_eq!(rendered(&none, text), expected, "{text}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no such number", |x| x.is_finite()).prop_map(Value::from),
        ".*".prop_map(Value::from),
        "[0-9a-z]{1,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[0-9]{1,2}|[a-z]{1,3}|.*", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().filter(|(key, _)| key != "__proto__").collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_fast_path_equals_the_path_through_javascript(value in value()) {
        let mut scope = Scope::new();
        scope.push(Layer::store(object(json!({"v": value})), Vec::new()));
        let params = scope.task("+t", &Params::new(), &Params::new(), settings());
        prop_assert_eq!(params.render_text("${v}"), params.render_text("${(v)}"));
    }

    #[test]
    fn data_comes_out_as_it_went_in(text in "([${}a:'(). ]|\\$\\{|1\\+1)*") {
        let mut scope = Scope::new();
        scope.push(Layer::export("+t", object(json!({"m": {"x": "${1}"}}))));
        scope.push(Layer::store(object(json!({"m": {"x": text}})), Vec::new()));
        let params = scope.task("+t", &Params::new(), &object(json!({"_command": "${m.x}", "js": "${m.x + ''}"})), settings());
        prop_assert_eq!(params.own().map(Value::Object), Ok(json!({"_command": text, "js": text})));
    }

    #[test]
    fn rendering_never_panics(text in "(\\$|\\{|\\}|a|b|\\.|\\+|'|1|moment\\(\\)|\\n|é)*") {
        let params = task(json!({"a": "${b}", "b": {"a": "x"}}), json!({}));
        match params.render_text(&text) {
            Ok(out) => prop_assert!(text.contains('$') || out == text),
            Err(error) => {
                let points = text[error.offset..].starts_with("${");
                prop_assert!(points);
            }
        }
    }
}
