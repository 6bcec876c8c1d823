//! The words of a condition.

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a word of the language.
    Word(String),
    /// A name in backticks or double quotes.
    Name(String),
    /// A text in single quotes.
    Text(String),
    /// A number, with its sign.
    Number(String),
    /// `=`, `<>`, `(`, `,` and so on.
    Sign(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Number(text) => write!(f, "`{text}`"),
            Self::Text(text) => write!(f, "`'{text}'`"),
            Self::Sign(sign) => write!(f, "`{sign}`"),
        }
    }
}

/// The signs, longer ones before those that start them.
const SIGNS: [&str; 10] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

/// Splits a condition into words.
pub(super) fn split(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '\'' => quoted(rest, '\'').map(|(text, after)| (Token::Text(text), after))?,
            '"' | '`' => quoted(rest, first).map(|(text, after)| (Token::Name(text), after))?,
            _ if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') => number(rest)?,
            _ if first.is_alphabetic() || first == '_' => {
                let end = rest
                    .find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '-' | '$')))
                    .unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), &rest[end..])
            }
            _ => SIGNS
                .into_iter()
                .find_map(|sign| Some((Token::Sign(sign), rest.strip_prefix(sign)?)))
                .ok_or_else(|| format!("found `{}`", first.escape_debug()))?,
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Reads a text in quotes; a quote in it is doubled.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut rest = &text[quote.len_utf8()..];
    loop {
        let end = rest.find(quote).ok_or_else(|| format!("a `{quote}` is never closed"))?;
        value.push_str(&rest[..end]);
        rest = &rest[end + quote.len_utf8()..];
        match rest.strip_prefix(quote) {
            Some(after) => {
                value.push(quote);
                rest = after;
            }
            None => return Ok((value, rest)),
        }
    }
}

fn number(text: &str) -> Result<(Token, &str), String> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = &text[sign..];
    let end = digits.find(|character: char| !(character.is_ascii_digit() || character == '.')).unwrap_or(digits.len());
    let number = &text[..sign + end];
    if number.parse::<f64>().is_err() {
        return Err(format!("expected a number, found `{}`", text.chars().take(20).collect::<String>()));
    }
    Ok((Token::Number(number.to_owned()), &text[sign + end..]))
}
