//! Reads the rules of `--fault`: every problem at once, each with its line and column.

use std::path::Path;

use emulator::FaultPlan;
use engine::diagnostic::{Diagnostic, code};
use engine::document::{self, Node, NodeKind, SourceMap, Span};
use engine::operator::typed::read_params;
use serde_json::Value;

use crate::failure::Failure;

/// Reads a file of rules.
pub(super) fn read(path: &Path) -> Result<FaultPlan, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the fault rules `{}`: {error}", path.display());
        Failure::of_code(code::UNREADABLE_FILE, message)
    })?;
    parse(&path.display().to_string(), &text)
        .map_err(|(sources, diagnostics)| Failure::diagnostics(*sources, diagnostics))
}

type Problems = (Box<SourceMap>, Vec<Diagnostic>);

fn parse(name: &str, text: &str) -> Result<FaultPlan, Problems> {
    let mut sources = Box::<SourceMap>::default();
    let id = sources.add(name, text);
    let (node, mut problems) = document::parse(&mut sources, id);
    if !problems.is_empty() {
        return Err((sources, problems));
    }
    // A file without anything, or of comments only, has no rules.
    let Some(node) = node else { return Ok(FaultPlan::default()) };
    let Value::Object(params) = node.to_value() else {
        let message = format!("expected a mapping with `rules`, found {}", node.describe());
        problems.push(Diagnostic::error(code::PARAM_VALUE, node.span, message));
        return Err((sources, problems));
    };
    let plan = match read_params::<FaultPlan>("file of faults", &params) {
        Ok(plan) => plan,
        Err(found) => {
            for problem in found {
                let mut diagnostic = Diagnostic::error(problem.code, place(&node, &problem.path.0), problem.message);
                if let Some(help) = problem.help {
                    diagnostic = diagnostic.help(help);
                }
                problems.push(diagnostic);
            }
            return Err((sources, problems));
        }
    };
    for problem in plan.problems() {
        let path = format!("rules[{}].{}", problem.rule, problem.key);
        problems.push(Diagnostic::error(code::PARAM_VALUE, place(&node, &path), problem.message));
    }
    if problems.is_empty() { Ok(plan) } else { Err((sources, problems)) }
}

/// Returns where the value of a path such as `rules[0].nth` stands, or what is nearest around it.
fn place(root: &Node, path: &str) -> Span {
    let mut node = root;
    let mut span = root.span;
    for segment in path.split(['.', '[']).filter(|segment| !segment.is_empty()) {
        let next = match (&node.kind, segment.strip_suffix(']').and_then(|index| index.parse::<usize>().ok())) {
            (NodeKind::List(items), Some(index)) => items.get(index).map(|item| (item, item.span)),
            // The key says more than the value, which may be a whole block.
            (NodeKind::Map(entries), None) => {
                entries.iter().find(|(key, _)| key.name == segment).map(|(key, value)| (value, key.span))
            }
            _ => None,
        };
        let Some((below, place)) = next else { break };
        (node, span) = (below, place);
    }
    span
}

#[cfg(test)]
mod tests {
    use engine::diagnostic::render;

    use super::*;

    fn problems(text: &str) -> String {
        let (sources, problems) = parse("fault.yml", text).unwrap_err();
        problems.iter().map(|problem| render::line(problem, &sources)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn rules_are_read() {
        let plan = parse(
            "fault.yml",
            "seed: 7\nrules:\n  - {service: s3, operation: PutObject, nth: [2, 3], effect: lost_reply}\n  \
             - probability: 0.05\n    effect: throttle\n  - service: glue\n    times: 1\n    effect: {late: 30s}\n",
        )
        .map_err(|(sources, problems)| render::report(&problems, &sources, render::Style::Plain))
        .unwrap();
        let expected = serde_json::json!({"seed": 7, "rules": [
            {"service": "s3", "operation": "PutObject", "nth": [2, 3], "effect": "lost_reply"},
            {"probability": 0.05, "effect": "throttle"},
            {"service": "glue", "times": 1, "effect": {"late": "30s"}},
        ]});
        assert_eq!(plan, serde_json::from_value(expected).unwrap());
    }

    #[test]
    fn a_file_without_rules_has_none() {
        for text in ["", "# nothing yet\n", "rules:\n"] {
            let plan = parse("fault.yml", text).map_err(|(_, problems)| problems).unwrap();
            assert_eq!(plan, FaultPlan::default(), "{text:?}");
        }
    }

    #[test]
    fn misspelt_operations_and_effects_are_told_with_what_is_meant() {
        for (rule, expected) in [
            (
                "{service: s3, operation: PutObjct, effect: throttle}",
                "fault.yml:1:23: error[E0301]: expected an operation of s3 that is served, found `PutObjct`; did you mean `PutObject`?",
            ),
            ("{effect: {dely: 5s}}", "fault.yml:1:19: error[E0302]: there is no key `dely` in `rules[0].effect`"),
            (
                "{effect: {delay: 5s, late: 3s}}",
                "fault.yml:1:10: error[E0301]: expected one key, `delay` or `late`, in `rules[0].effect`, found `delay` and `late`",
            ),
            (
                "{effect: {}}",
                "fault.yml:1:10: error[E0301]: expected one key, `delay` or `late`, in `rules[0].effect`, found none",
            ),
            (
                "{effect: {delay: [5s]}}",
                "fault.yml:1:19: error[E0301]: expected a text for `rules[0].effect.delay`, found a list",
            ),
        ] {
            let found = problems(&format!("rules: [{rule}]\n"));
            assert_eq!(found, expected, "{rule}");
        }
        let (sources, found) = parse("fault.yml", "rules: [{effect: {dely: 5s}}]\n").unwrap_err();
        let shown = render::report(&found, &sources, render::Style::Plain);
        assert!(shown.contains("did you mean `delay`?"), "{shown}");
    }

    #[test]
    fn every_problem_has_its_place() {
        let text =
            "rules:\n  - service: s3\n    nht: [1]\n    effect: throttle\n  - probability: 2\n    effect: throttle\n";
        let (sources, found) = parse("fault.yml", text).unwrap_err();
        let shown = render::report(&found, &sources, render::Style::Plain);
        assert!(shown.contains("fault.yml:3:5") && shown.contains("`nht`") && shown.contains("`nth`"), "{shown}");
        let text = "rules:\n  - probability: 2\n    effect: throttle\n  - {effect: fail_query, service: glue}\n";
        let found = problems(text);
        assert!(found.contains("fault.yml:2:5") && found.contains("from 0 to 1, found 2"), "{found}");
        assert!(found.contains("fault.yml:4:") && found.contains("expected `athena`"), "{found}");
        let found = problems("rules:\n  - effect: explode\n");
        assert!(found.contains("fault.yml:2:5") && found.contains("throttle"), "{found}");
        let found = problems("- effect: throttle\n");
        assert!(found.contains("fault.yml:1:1") && found.contains("expected a mapping"), "{found}");
    }
}
