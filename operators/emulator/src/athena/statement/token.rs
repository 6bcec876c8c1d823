//! Words, names, texts and signs of a statement, with their places.

use super::SyntaxError;

/// How texts in single quotes are read: Hive's DDL knows `\'`, Trino's SQL only `''`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    Hive,
    Trino,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word or a number.
    Word,
    /// `` `…` ``.
    Backticks,
    /// `"…"`.
    DoubleQuotes,
    /// `'…'`.
    Text,
    /// Any other character.
    Sign(char),
}

/// A token: what it is and where it stands in the statement, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts a statement into tokens; blanks and comments are passed over.
pub(super) fn tokenize(sql: &str, texts: Texts) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(character) = sql.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = sql.get(at..).unwrap_or_default();
        let start = at;
        if character.is_whitespace() {
            at += character.len_utf8();
            continue;
        }
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if rest.starts_with("/*") {
            let Some(end) = rest.find("*/") else { return Err(SyntaxError::at(sql, at, "a comment without an end")) };
            at += end + 2;
            continue;
        }
        let (kind, length) = match character {
            '\'' => (Kind::Text, quoted(rest, '\'', texts == Texts::Hive)),
            '"' => (Kind::DoubleQuotes, quoted(rest, '"', texts == Texts::Hive)),
            '`' => (Kind::Backticks, quoted(rest, '`', false)),
            first if first.is_alphanumeric() || first == '_' => {
                let end = rest.find(|next: char| !(next.is_alphanumeric() || matches!(next, '_' | '$')));
                (Kind::Word, Some(end.unwrap_or(rest.len())))
            }
            sign => (Kind::Sign(sign), Some(sign.len_utf8())),
        };
        let Some(length) = length else {
            return Err(SyntaxError::at(sql, start, &format!("a quoted text without an end: {character}")));
        };
        at += length;
        tokens.push(Token { kind, start, end: at });
    }
    Ok(tokens)
}

/// Returns the length of a quoted text with its quotes; none when it has no end.
fn quoted(text: &str, quote: char, backslashes: bool) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == '\\' && backslashes {
            characters.next();
        } else if character == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return Some(at + quote.len_utf8());
            }
        }
    }
    None
}

/// Takes the quotes off; a doubled quote is one.
pub(super) fn unquoted(text: &str) -> String {
    let mut characters = text.chars();
    let Some(quote) = characters.next() else { return String::new() };
    let inner = characters.as_str().strip_suffix(quote).unwrap_or(characters.as_str());
    inner.replace(&format!("{quote}{quote}"), &quote.to_string())
}

/// Takes the quotes and Hive's escapes off: `\n`, `\001`, `\u0001`; before anything else a backslash is passed over.
pub(super) fn hive_text(text: &str) -> String {
    let quote = text.chars().next().unwrap_or('\'');
    let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).unwrap_or(text);
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        if character == quote {
            // A doubled quote.
            plain.push(quote);
            rest = rest.strip_prefix(quote).unwrap_or(rest);
            continue;
        }
        if character != '\\' {
            plain.push(character);
            continue;
        }
        let numbered = |digits: Option<&str>, radix: u32| {
            digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).and_then(char::from_u32)
        };
        if let Some(character) = rest.strip_prefix('u').and_then(|rest| numbered(rest.get(..4), 16)) {
            plain.push(character);
            rest = rest.get(5..).unwrap_or_default();
            continue;
        }
        let octal = rest.get(..3).filter(|digits| digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit)));
        if let Some(character) = numbered(octal, 8) {
            plain.push(character);
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        let Some(escaped) = rest.chars().next() else { break };
        rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
        plain.push(match escaped {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            '0' => '\0',
            'Z' => '\u{1a}',
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_end_where_their_dialect_ends_them() {
        let shown = |sql: &str, texts| {
            let tokens = tokenize(sql, texts).unwrap();
            tokens.iter().map(|token| sql[token.start..token.end].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(r"a '\' b", Texts::Trino), ["a", r"'\'", "b"]);
        assert_eq!(shown(r"a '\' b' c", Texts::Hive), ["a", r"'\' b'", "c"]);
        assert_eq!(shown("x /* ' */ -- '\n `a``b`.\"c\"", Texts::Trino), ["x", "`a``b`", ".", "\"c\""]);
        assert!(tokenize("'a", Texts::Trino).is_err());
    }

    #[test]
    fn hive_texts_have_escapes() {
        assert_eq!(hive_text(r"'a\tb\'c\001\u0002\\d''e'"), "a\tb'c\u{1}\u{2}\\d'e");
        assert_eq!(hive_text(r"'\|'"), "|");
        assert_eq!(unquoted("\"a\"\"b\""), "a\"b");
    }
}
