//! What the YAML parser's complaints mean, in words that help.

use saphyr_parser::ScanError;

use super::source::{SourceId, Span};
use crate::diagnostic::{Diagnostic, code};

/// Makes a diagnostic of a complaint at byte `at`.
pub(super) fn diagnose(error: &ScanError, source: SourceId, text: &str, at: usize) -> Diagnostic {
    let info = error.info();
    let span = |start: usize, end: usize| {
        Span::new(source, u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
    };
    let rest = text.get(at..).unwrap_or_default();
    let here = span(at, at + rest.chars().next().filter(|c| !c.is_control()).map_or(0, char::len_utf8));
    if let Some(tab) = tab_near(info, text, at) {
        let place = span(tab, tab + 1);
        return Diagnostic::error(code::TAB, place, "a tab stands where YAML takes only spaces")
            .label("this is a tab")
            .help("indent with spaces");
    }
    if info == "invalid indentation in quoted scalar"
        || info == "while scanning a quoted scalar, found unexpected end of stream"
        || info == "while scanning a quoted scalar, found unexpected document indicator"
    {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'')).unwrap_or('"');
        let (message, help) = if info.contains("indentation") {
            (
                format!("the quote `{quote}` is not closed before a line that is indented too little"),
                format!("close it with `{quote}`, or indent all lines of the text deeper than its key"),
            )
        } else {
            (format!("the quote `{quote}` is never closed"), format!("close it with `{quote}`"))
        };
        return Diagnostic::error(code::UNCLOSED_QUOTE, here, message).label("it is opened here").help(help);
    }
    if info.contains("unknown anchor") {
        let name: String = rest.chars().take_while(|c| !c.is_whitespace() && !",[]{}".contains(*c)).collect();
        let place = span(at, at + name.len());
        let anchor = name.strip_prefix('*').unwrap_or(&name);
        return Diagnostic::error(code::UNKNOWN_ANCHOR, place, format!("there is no anchor `&{anchor}` above"))
            .help("an alias `*name` repeats a value that was marked `&name` earlier in the same file")
            .help(format!("quote the value when it is meant as text: `'{name}'`"));
    }
    if info.contains("recursion limit") {
        return too_deep(here);
    }
    if info.contains("handle wasn't declared") {
        return Diagnostic::error(code::UNKNOWN_TAG, here, "the tag has a prefix that no `%TAG` line declares");
    }
    let diagnostic = |message: &str| Diagnostic::error(code::YAML_SYNTAX, here, message);
    match info {
        "mapping values are not allowed in this context" | "illegal placement of ':' indicator" => {
            diagnostic("a `:` cannot stand here")
                .help("check the indentation of this line against the one above")
                .help("quote a value that holds `: `")
        }
        "while parsing a flow mapping, did not find expected ',' or '}'"
        | "while parsing a flow sequence, expected ',' or ']'"
        | "misplaced bracket" => {
            let message = if info.contains('}') {
                "expected `,` or `}` in a mapping in braces"
            } else if info.contains(']') {
                "expected `,` or `]` in a list in brackets"
            } else {
                "there is no open bracket for this one"
            };
            let diagnostic = diagnostic(message);
            if text.get(..at).is_some_and(|before| before.ends_with('$')) && rest.starts_with('{') {
                diagnostic.help("quote a value that holds `${…}` inside `{…}` or `[…]`")
            } else {
                diagnostic
            }
        }
        _ if info.starts_with("unexpected character") => {
            let found = rest.chars().next().unwrap_or('?');
            diagnostic(&format!("a value without quotes cannot start with `{found}`")).help("put the value in quotes")
        }
        "found unprintable character" => diagnostic("there is a control character here").help("remove it"),
        "while parsing a quoted scalar, found unknown escape character" => {
            diagnostic("there is no such escape in a text in double quotes")
                .help("write `\\\\` for a backslash, or use single quotes, which know no escapes")
        }
        "while parsing a block mapping, did not find expected key"
        | "simple key expect ':'"
        | "simple key expected" => diagnostic("expected a key and a `:`")
            .help("write `key: value`, with a space after the colon, and indent the keys of one mapping alike"),
        "invalid indentation" | "invalid indentation in flow construct" => {
            diagnostic("the line is indented too little")
                .help("indent the lines inside `[…]` and `{…}` deeper than the key before them")
        }
        "while parsing a block collection, did not find expected '-' indicator" => {
            diagnostic("expected a `-`, as in the lines above").help("indent the items of one list alike")
        }
        "unexpected eof" | "unexpected end of plain scalar" => diagnostic("the text ends too early"),
        _ => {
            let said = info.rsplit(", ").next().unwrap_or(info);
            diagnostic(&format!("not valid YAML: {said}"))
        }
    }
}

/// Makes the diagnostic of a document that is nested too deep.
pub(super) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("mappings and lists are nested more than {} deep", super::MAX_DEPTH);
    Diagnostic::error(code::TOO_DEEP, span, message)
        .help("move the inner part into a workflow of its own and `call>` it")
}

/// Returns where the tab is that the complaint is about.
fn tab_near(info: &str, text: &str, at: usize) -> Option<usize> {
    let is_tab = |at: &usize| text.as_bytes().get(*at) == Some(&b'\t');
    if info.contains("tab") {
        let line_start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        return Some(at).filter(is_tab).or_else(|| {
            let line = text.get(line_start..)?.lines().next()?;
            line.find('\t').map(|tab| line_start + tab)
        });
    }
    if info.contains("valid YAML whitespace") {
        return [at, at + 1, at.wrapping_sub(1)].into_iter().find(is_tab);
    }
    None
}
