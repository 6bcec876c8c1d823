//! Expressions that are no JavaScript, found before anything runs.
//!
//! What an expression uses is known only while the workflow runs, so nothing else is checked of it here.

use super::{Compiler, Origin};
use crate::diagnostic::{Diagnostic, code};
use crate::document::{Node, NodeKind, Span};
use crate::params::syntax;
use crate::params::template::{self, Part};

impl Compiler<'_> {
    /// Checks the expressions in a value. Tasks made at run time were checked when their file was.
    pub(super) fn check_templates(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::String(text) if text.contains("${") => self.check_template(text, node.span),
            NodeKind::List(items) => items.iter().for_each(|item| self.check_templates(item)),
            NodeKind::Map(entries) => entries.iter().for_each(|(_, value)| self.check_templates(value)),
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) | NodeKind::String(_) => {}
        }
    }

    fn check_template(&mut self, text: &str, span: Span) {
        let Origin::Document(sources) = self.origin else { return };
        for part in template::parts(text) {
            let Part::Expression { source, .. } = part else { continue };
            let Some(message) = syntax::problem(source) else { continue };
            let written = format!("${{{source}}}");
            let at = sources.slice(span).find(&written).and_then(|at| u32::try_from(at).ok());
            let place = match (at, u32::try_from(written.len())) {
                (Some(at), Ok(length)) => Span { start: span.start + at, end: span.start + at + length, ..span },
                // The text has escapes, so that it is not written as it reads.
                _ => span,
            };
            let mut diagnostic = Diagnostic::error(code::TEMPLATE_SYNTAX, place, message);
            if is_shell(source) {
                diagnostic = diagnostic.help("a variable of the shell is written `$NAME`, without braces");
            }
            self.report(diagnostic);
        }
    }
}

/// Returns whether an expression looks like one of a shell: `${name%.gz}`, `${#name}`.
fn is_shell(source: &str) -> bool {
    let after = source.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    source.starts_with(['#', '!']) || (after.len() < source.len() && after.starts_with(['%', '#', ':', '^', ',', '@']))
}
