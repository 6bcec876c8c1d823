//! `${…}`: found in a text with its places. What an expression means is [`super::evaluate`]'s business.
//!
//! The grammar is Digdag's: `$$` is a dollar; `${` opens an expression that ends at the `}` which balances its braces, all
//! braces counted, those in strings too; `${name:` with a name of lower-case letters belongs to an operator or a shell and
//! stays as it is; what is never closed stays as it is; `${}` is nothing.

mod error;

pub(crate) use error::line_and_column;
pub use error::{TemplateError, TemplateErrorKind, TemplateErrors};

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What templates may know besides the parameters; the same on every retry of an attempt, so that they render the same.
#[derive(Debug, Clone)]
pub struct TemplateSettings {
    /// The workflow's time zone: that of `moment()` and `Date`.
    pub zone: TimeZone,
    /// What `moment()` and `Date.now()` show: when the attempt was submitted.
    pub now: Timestamp,
    /// Where `Math.random()` starts; the attempt's own.
    pub seed: u64,
}

impl TemplateSettings {
    /// Makes the settings of an attempt from what is stored of it, so that they are the same after a restart.
    ///
    /// `submitted` is when the attempt was submitted. Another attempt, of this session or of any other, draws other numbers.
    pub fn of_attempt(zone: TimeZone, submitted: Timestamp, session_uuid: &str, attempt_id: i64) -> Self {
        let seed = mix(0, &[session_uuid, &attempt_id.to_string(), &submitted.as_millisecond().to_string()]);
        Self { zone, now: submitted, seed }
    }
}

/// Mixes texts into a seed (FNV-1a, 64 bits), so that templates of different places draw different numbers.
pub(crate) fn mix(seed: u64, parts: &[&str]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    /// Text to copy.
    Text(Cow<'t, str>),
    /// An expression to evaluate.
    Expression {
        /// What stands between `${` and `}`.
        source: &'t str,
        /// Where its `${` stands, in bytes from the start of the text.
        offset: usize,
    },
}

/// Cuts a text into copied text and expressions.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    if !text.contains('$') {
        if !text.is_empty() {
            parts.push(Part::Text(Cow::Borrowed(text)));
        }
        return parts;
    }
    let ends = closing_braces(text);
    let bytes = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("${")) {
        let start = at + found;
        let inside = start + 2;
        let closing = ends.get(&(start + 1)).copied();
        match closing {
            Some(end) if !belongs_to_operator(&bytes[inside..]) => {
                push_text(&mut parts, &text[copied..start]);
                parts.push(Part::Expression { source: &text[inside..end], offset: start });
                at = end + 1;
                copied = at;
            }
            _ => at = inside,
        }
    }
    push_text(&mut parts, &text[copied..]);
    parts
}

/// Returns the names that a text uses as `${name}` or `${name.…}`; what is more than that is not looked into.
pub fn plain_names(text: &str) -> Vec<&str> {
    parts(text)
        .into_iter()
        .filter_map(|part| match part {
            Part::Expression { source, .. } => Some(*plain_path(source)?.first()?),
            Part::Text(_) => None,
        })
        .collect()
}

fn push_text<'t>(parts: &mut Vec<Part<'t>>, text: &'t str) {
    if text.contains("$$") {
        parts.push(Part::Text(Cow::Owned(text.replace("$$", "$"))));
    } else if !text.is_empty() {
        parts.push(Part::Text(Cow::Borrowed(text)));
    }
}

/// Finds the `}` of every `{` that has one, by the position of the `{`; one pass, however many braces are left open.
fn closing_braces(text: &str) -> std::collections::HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut ends = std::collections::HashMap::new();
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open.push(i),
            b'}' => {
                if let Some(start) = open.pop() {
                    ends.insert(start, i);
                }
            }
            _ => {}
        }
    }
    ends
}

/// Says whether what follows `${` is `name:`, as in `${secret:db.password}`, or what a shell does about a variable that is not set:
/// `${NAME:-default}`, `:=`, `:+`, `:?`. No expression of JavaScript begins so.
fn belongs_to_operator(after: &[u8]) -> bool {
    let letters = after.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    let name = after.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    letters > 0 && after.get(letters) == Some(&b':')
        || after.first().is_some_and(|first| !first.is_ascii_digit())
            && name > 0
            && matches!(after.get(name..name + 2), Some(b":-" | b":=" | b":+" | b":?"))
}

/// Words that mean something to JavaScript by themselves, so that a parameter of that name never stands for them.
const RESERVED: &[&str] = &[
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Reads an expression as `a.b.c`, the form that needs no JavaScript.
pub(crate) fn plain_path(source: &str) -> Option<Vec<&str>> {
    let path: Vec<&str> = source.trim_matches([' ', '\t', '\n', '\r']).split('.').collect();
    let is_name = |name: &&str| {
        name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
    };
    (path.iter().all(is_name) && !path.first().is_some_and(|first| RESERVED.contains(first))).then_some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        parts(text)
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => text.into_owned(),
                Part::Expression { source, .. } => format!("<{source}>"),
            })
            .collect()
    }

    #[test]
    fn follows_the_grammar_of_digdag() {
        let table = [
            ("plain {x} $ $x", "plain {x} $ $x"),
            ("p${1}m$$m${2}s", "p<1>m$m<2>s"),
            ("$$$$", "$$"),
            ("$ {x} $x $$ ${\"$\"}{x} $", "$ {x} $x $ <\"$\">{x} $"),
            ("$${x}", "$<x>"),
            ("\\${x}", "\\<x>"),
            ("abc ${x", "abc ${x"),
            ("abc ${", "abc ${"),
            ("a${}b", "a<>b"),
            ("${ {a: 1}.a }", "< {a: 1}.a >"),
            ("${'}'}", "<'>'}"),
            ("${secret:db.password}", "${secret:db.password}"),
            ("${secret:${key}}", "${secret:<key>}"),
            ("${x:-def} $(echo)", "${x:-def} $(echo)"),
            ("${MY_HOME1:-def} ${X:=a} ${X:+a} ${X:?a}", "${MY_HOME1:-def} ${X:=a} ${X:+a} ${X:?a}"),
            ("${X:def} ${1:-a} ${X ?a:-b}", "<X:def> <1:-a> <X ?a:-b>"),
            ("${a ${b}", "${a <b>"),
            ("é${é}é", "é<é>é"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn tells_where_an_expression_starts() {
        assert_eq!(parts("é $$ ${x}").last(), Some(&Part::Expression { source: "x", offset: 6 }));
    }

    #[test]
    fn plain_paths_are_names_only() {
        assert_eq!(plain_path(" a.b_1.$c "), Some(vec!["a", "b_1", "$c"]));
        for other in ["", " ", "a..b", "a.1", "1", "a+b", "true", "this.a", "a b", "a[0]", "é"] {
            assert_eq!(plain_path(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn text_without_a_dollar_is_unchanged(text in "[^$]*") {
            prop_assert_eq!(shown(&text), text);
        }

        #[test]
        fn never_panics_and_offsets_point_at_expressions(text in "[${}a:'é \n]{0,40}") {
            for part in parts(&text) {
                if let Part::Expression { source, offset } = part {
                    let written = format!("${{{source}}}");
                    prop_assert!(text[offset..].starts_with(&written));
                }
            }
        }
    }
}
