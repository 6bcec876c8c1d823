//! Parameters of one `_export` that are made of each other in a circle.
//!
//! Only `${name}` and `${name.…}` are looked into; what an expression in JavaScript uses shows when it is evaluated.

use std::collections::HashMap;

use super::Compiler;
use crate::diagnostic::{Diagnostic, code};
use crate::document::{Key, Node, NodeKind};
use crate::params::template;

impl Compiler<'_> {
    /// Reports each circle once, at the first of its parameters.
    pub(super) fn report_circles(&mut self, entries: &[(Key, Node)]) {
        let index: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(at, (key, _))| (key.name.as_str(), at)).collect();
        let uses: Vec<Vec<usize>> = entries
            .iter()
            .enumerate()
            .map(|(at, (_, node))| {
                let mut names = Vec::new();
                collect_names(node, &mut names);
                // A parameter that uses its own name means the outer one, which it hides.
                names.iter().filter_map(|name| index.get(name).copied()).filter(|used| *used != at).collect()
            })
            .collect();
        let mut done = vec![false; entries.len()];
        for start in 0..entries.len() {
            let mut chain: Vec<(usize, usize)> = vec![(start, 0)];
            while let Some((at, next)) = chain.last_mut() {
                let Some(&used) = uses[*at].get(*next).filter(|_| !done[*at]) else {
                    done[*at] = true;
                    chain.pop();
                    continue;
                };
                *next += 1;
                if let Some(first) = chain.iter().position(|(at, _)| *at == used) {
                    let circle: Vec<&(Key, Node)> =
                        chain.iter().skip(first).filter_map(|(at, _)| entries.get(*at)).collect();
                    if let Some(diagnostic) = describe(&circle) {
                        self.report(diagnostic);
                    }
                } else if !done[used] {
                    chain.push((used, 0));
                }
            }
        }
    }
}

fn describe(circle: &[&(Key, Node)]) -> Option<Diagnostic> {
    let ((first, value), rest) = circle.split_first().map(|(first, rest)| ((&first.0, &first.1), rest))?;
    let names: Vec<&str> = circle.iter().map(|(key, _)| key.name.as_str()).chain([first.name.as_str()]).collect();
    let message = format!("the parameter `{}` is made of itself: `{}`", first.name, names.join("` → `"));
    let mut diagnostic = Diagnostic::error(code::TEMPLATE_CYCLE, value.span, message);
    for (key, value) in rest {
        diagnostic = diagnostic.also(value.span, format!("`{}`", key.name));
    }
    Some(diagnostic.help("give one of them a value of its own"))
}

fn collect_names<'n>(node: &'n Node, names: &mut Vec<&'n str>) {
    match &node.kind {
        NodeKind::String(text) => names.extend(template::plain_names(text)),
        NodeKind::List(items) => items.iter().for_each(|item| collect_names(item, names)),
        NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| collect_names(value, names)),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) => {}
    }
}
