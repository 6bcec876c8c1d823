//! Renders diagnostics: text with underlined source for people, one line for logs, JSON for programs.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity};
use crate::document::{SourceId, SourceMap, Span};

/// How many problems a report shows; nobody reads more of them.
const MAX_SHOWN: usize = 100;

/// Whether the text may hold escape codes of terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Plain text.
    #[default]
    Plain,
    /// With colours.
    Colored,
}

/// Renders problems one below the other, with a closing line that counts them; empty when there are none.
#[must_use]
pub fn report(diagnostics: &[Diagnostic], sources: &SourceMap, style: Style) -> String {
    let Some(summary) = summary(diagnostics) else { return String::new() };
    let mut report = String::new();
    for diagnostic in diagnostics.iter().take(MAX_SHOWN) {
        report.push_str(&text(diagnostic, sources, style));
        report.push_str("\n\n");
    }
    if diagnostics.len() > MAX_SHOWN {
        report.push_str("the first ");
        report.push_str(&MAX_SHOWN.to_string());
        report.push_str(" are shown of ");
    }
    report.push_str(&summary);
    let worst = diagnostics.iter().map(|diagnostic| diagnostic.severity).max();
    if let Some(first) = diagnostics.iter().find(|diagnostic| Some(diagnostic.severity) == worst) {
        report.push_str("; `suiro explain ");
        report.push_str(first.code.0);
        report.push_str("` tells more\n");
    }
    report
}

/// Renders one problem in the manner of `rustc`; no line break at the end.
#[must_use]
pub fn text(diagnostic: &Diagnostic, sources: &SourceMap, style: Style) -> String {
    let title = level(diagnostic.severity).primary_title(printable(&diagnostic.message)).id(diagnostic.code.0);
    let mut group = Group::with_title(title);
    for id in sources_of(diagnostic) {
        let source = sources.get(id);
        if source.text.is_empty() {
            group = group.element(annotate_snippets::Origin::path(source.name.as_str()));
            continue;
        }
        let labels = || {
            std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary).filter(|label| label.span.source == id)
        };
        let window = sources.lines_around(labels().map(|label| label.span));
        let (first_line, _) = sources.line_column(id, u32::try_from(window.start).unwrap_or(u32::MAX));
        let piece = source.text.get(window.clone()).unwrap_or_default();
        let mut snippet = Snippet::source(piece)
            .path(source.name.as_str())
            .line_start(usize::try_from(first_line).unwrap_or(usize::MAX));
        for label in labels() {
            let primary = std::ptr::eq(label, &raw const diagnostic.primary);
            snippet = snippet.annotation(annotation(label, primary, &window));
        }
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colored => Renderer::styled(),
    };
    renderer.render(&[group]).lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Renders one problem as `FILE:LINE:COLUMN: error[CODE]: MESSAGE`.
#[must_use]
pub fn line(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let span = diagnostic.primary.span;
    let (line, column) = sources.line_column(span.source, span.start);
    let name = &sources.get(span.source).name;
    let severity = severity_name(diagnostic.severity);
    format!("{name}:{line}:{column}: {severity}[{}]: {}", diagnostic.code, printable(&diagnostic.message))
}

/// Escapes what would command a terminal or turn the direction of writing: messages repeat what files hold.
fn printable(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Makes the JSON object of one problem: `code`, `severity`, `message`, `place`, `label`, `secondary`, `help`.
#[must_use]
pub fn json(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let secondary: Vec<Value> = diagnostic
        .secondary
        .iter()
        .map(|label| json!({ "place": place(label.span, sources), "label": label.text }))
        .collect();
    json!({
        "code": diagnostic.code.0,
        "severity": severity_name(diagnostic.severity),
        "message": diagnostic.message,
        "place": place(diagnostic.primary.span, sources),
        "label": diagnostic.primary.text,
        "secondary": secondary,
        "help": diagnostic.help,
    })
}

/// Counts the problems: `2 errors, 1 note`; `None` when there are none.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(|severity| {
            let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
            let plural = if count == 1 { "" } else { "s" };
            (count > 0).then(|| format!("{count} {}{plural}", severity_name(severity)))
        })
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

fn place(span: Span, sources: &SourceMap) -> Value {
    let (line, column) = sources.line_column(span.source, span.start);
    let (end_line, end_column) = sources.line_column(span.source, span.end);
    json!({
        "file": sources.get(span.source).name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    })
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// Returns the files of a problem, that of the primary place first.
fn sources_of(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut ids = vec![diagnostic.primary.span.source];
    for label in &diagnostic.secondary {
        if !ids.contains(&label.span.source) {
            ids.push(label.span.source);
        }
    }
    ids
}

fn annotation<'a>(label: &'a Label, primary: bool, window: &Range<usize>) -> annotate_snippets::Annotation<'a> {
    let inside = |byte: u32| (byte as usize).clamp(window.start, window.end) - window.start;
    let kind = if primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let annotation = kind.span(inside(label.span.start)..inside(label.span.end));
    if label.text.is_empty() { annotation } else { annotation.label(printable(&label.text)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::code;

    fn example() -> (Vec<Diagnostic>, SourceMap) {
        let mut sources = SourceMap::default();
        let id = sources.add("daily.dig", "# é\n+a:\n  echo>: x\n+a:\n  sh>: ls\n");
        let diagnostic =
            Diagnostic::error(code::DUPLICATE_KEY, Span::new(id, 20, 22), "the key `+a` stands twice in one mapping")
                .label("again here")
                .also(Span::new(id, 5, 7), "first here")
                .help("rename or remove one of the two");
        let note = Diagnostic::note(code::IGNORED_BLOCK, Span::new(id, 5, 5), "ignored");
        (vec![diagnostic, note], sources)
    }

    #[test]
    fn the_text_underlines_the_source() {
        let (diagnostics, sources) = example();
        assert_eq!(
            report(&diagnostics, &sources, Style::Plain),
            "\
error[E0105]: the key `+a` stands twice in one mapping
 --> daily.dig:4:1
  |
2 | +a:
  | -- first here
3 |   echo>: x
4 | +a:
  | ^^ again here
  |
  = help: rename or remove one of the two

note[E0213]: ignored
 --> daily.dig:2:1
  |
2 | +a:
  | ^

1 error, 1 note; `suiro explain E0105` tells more
"
        );
        assert!(text(&diagnostics[0], &sources, Style::Colored).contains("\u{1b}["));
    }

    #[test]
    fn files_cannot_command_the_terminal() {
        let mut sources = SourceMap::default();
        let id = sources.add("t", "a: \"\u{1b}[2J\u{202e}\"\n");
        let diagnostic =
            Diagnostic::error(code::KEY_VALUE, Span::new(id, 3, 12), "found \u{1b}[2J\u{202e}").label("\u{7}");
        let shown = text(&diagnostic, &sources, Style::Plain) + &line(&diagnostic, &sources);
        assert!(!shown.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
    }

    #[test]
    fn a_flood_is_cut() {
        let (diagnostics, sources) = example();
        let flood: Vec<Diagnostic> = diagnostics.iter().cycle().take(150).cloned().collect();
        let shown = report(&flood, &sources, Style::Plain);
        assert_eq!(shown.matches("--> ").count(), 100);
        assert!(shown.ends_with("the first 100 are shown of 75 errors, 75 notes; `suiro explain E0105` tells more\n"));
    }

    #[test]
    fn a_line_and_json_name_the_place() {
        let (diagnostics, sources) = example();
        assert_eq!(
            line(&diagnostics[0], &sources),
            "daily.dig:4:1: error[E0105]: the key `+a` stands twice in one mapping"
        );
        assert_eq!(
            json(&diagnostics[0], &sources),
            json!({
                "code": "E0105",
                "severity": "error",
                "message": "the key `+a` stands twice in one mapping",
                "place": {"file": "daily.dig", "line": 4, "column": 1, "end_line": 4, "end_column": 3},
                "label": "again here",
                "secondary": [{
                    "place": {"file": "daily.dig", "line": 2, "column": 1, "end_line": 2, "end_column": 3},
                    "label": "first here",
                }],
                "help": ["rename or remove one of the two"],
            })
        );
    }
}
