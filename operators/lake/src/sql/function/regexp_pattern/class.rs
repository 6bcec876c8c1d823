//! What stands for one character of a text: classes, properties, escapes and literals.

use super::translate::{Atom, CHARACTER, Translator};
use crate::sql::function::EvalError;
use crate::sql::function::kernel::{invalid, unsupported};

impl Translator<'_> {
    /// Reads an escape that is a character or a set of them, in a class or outside.
    pub(super) fn escaped(&mut self, next: char) -> Result<Escaped, EvalError> {
        let set = match next {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[\x09-\x0d\x20]",
            'S' => r"[^\x09-\x0d\x20]",
            'p' | 'P' => return self.property(next == 'P').map(Escaped::Set),
            _ => "",
        };
        if !set.is_empty() {
            return Ok(Escaped::Set(set.to_owned()));
        }
        let character = match next {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'e' => '\u{1b}',
            'x' if self.take('{') => {
                let mut digits = String::new();
                while let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit) {
                    digits.push(digit);
                }
                if !self.take('}') {
                    return Err(unsupported(r"such a \x{…} in a regular expression"));
                }
                code_point(&digits)?
            }
            'x' => {
                code_point(&self.digits(2)?).ok().filter(char::is_ascii).ok_or_else(|| unsupported(r"bytes by \x"))?
            }
            'u' => code_point(&self.digits(4)?)?,
            _ if next.is_ascii_alphanumeric() => {
                return Err(unsupported(format!("\\{next} in a regular expression is not supported")));
            }
            _ => next,
        };
        Ok(Escaped::Character(character))
    }

    /// Reads so many hexadecimal digits.
    fn digits(&mut self, count: usize) -> Result<String, EvalError> {
        let digits: String = (0..count).map_while(|_| self.rest.next_if(char::is_ascii_hexdigit)).collect();
        if digits.len() == count {
            Ok(digits)
        } else {
            Err(unsupported("too few digits of a code in a regular expression"))
        }
    }

    /// Translates a property after `\p`.
    fn property(&mut self, negated: bool) -> Result<String, EvalError> {
        let mut name = String::new();
        if !self.take('{') {
            return Err(unsupported(r"\p without braces in a regular expression"));
        }
        loop {
            match self.rest.next() {
                Some('}') => break,
                Some(next) => name.push(next),
                None => return Err(invalid(format!("invalid character property name <{name}>"))),
            }
        }
        let property = match name.as_str() {
            "L" | "Lu" | "Ll" | "Lt" | "Lm" | "Lo" | "M" | "Mn" | "Mc" | "Me" | "N" | "Nd" | "Nl" | "No" | "P"
            | "Pc" | "Pd" | "Ps" | "Pe" | "Pi" | "Pf" | "Po" | "S" | "Sm" | "Sc" | "Sk" | "So" | "Z" | "Zs" | "Zl"
            | "Zp" | "Han" | "Hiragana" | "Katakana" | "Latin" | "Cyrillic" | "Greek" | "Arabic" | "Hebrew"
            | "Hangul" | "Thai" => format!(r"\p{{{name}}}"),
            _ => bracket_class(&name.to_ascii_lowercase())
                .filter(|_| name.starts_with(|first: char| first.is_ascii_uppercase()))
                .ok_or_else(|| unsupported(format!("the character property {name} is not supported")))?
                .to_owned(),
        };
        Ok(format!("[{}{property}]", if negated { "^" } else { "" }))
    }

    /// Translates a class after its `[`.
    pub(super) fn class(&mut self) -> Result<Atom, EvalError> {
        let mut class = String::from(if self.take('^') { "[^" } else { "[" });
        let mut before = Item::Start;
        let mut first = true;
        loop {
            let Some(next) = self.rest.next() else { return Err(invalid("premature end of char-class")) };
            let item = match next {
                ']' if !first => break,
                '[' if self.take(':') => Escaped::Set(self.bracket()?),
                '[' => return Err(unsupported("a class in a class in a regular expression")),
                '&' if self.rest.peek() == Some(&'&') => {
                    return Err(unsupported("&& in a class in a regular expression"));
                }
                // Behind a range it stands for itself: `[0-9-_]`.
                '-' if before == Item::Range && self.rest.peek() == Some(&'-') => {
                    return Err(unsupported("-- after a range in a class in a regular expression"));
                }
                '\\' => {
                    let escaped = self.rest.next().ok_or_else(|| invalid("end pattern at escape"))?;
                    self.escaped(escaped)?
                }
                _ => Escaped::Character(next),
            };
            first = false;
            before = match item {
                Escaped::Set(set) => {
                    class.push_str(&set);
                    Item::Set
                }
                Escaped::Character(start) => self.range(start, &mut class)?,
            };
        }
        class.push(']');
        self.write(&class);
        Ok(CHARACTER)
    }

    /// Translates a character in a class, or a range that it starts.
    fn range(&mut self, start: char, class: &mut String) -> Result<Item, EvalError> {
        if self.ignores_case && folds_to_several(start) {
            return Err(unsupported("matching without case characters that fold to several"));
        }
        class.push_str(&literal(start));
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.peek().is_none_or(|next| *next == ']') {
            return Ok(Item::Character);
        }
        self.rest = ahead;
        let end = match self.rest.next() {
            Some('[') => return Err(unsupported("a range that ends in a class in a regular expression")),
            Some('\\') => {
                let escaped = self.rest.next().ok_or_else(|| invalid("end pattern at escape"))?;
                match self.escaped(escaped)? {
                    Escaped::Character(end) => end,
                    Escaped::Set(_) => return Err(unsupported("a range that ends in a set in a regular expression")),
                }
            }
            Some(end) => end,
            None => return Err(invalid("premature end of char-class")),
        };
        if end < start {
            return Err(invalid("empty range in char class"));
        }
        class.push('-');
        class.push_str(&literal(end));
        Ok(Item::Range)
    }

    /// Translates `[:name:]` after its start.
    fn bracket(&mut self) -> Result<String, EvalError> {
        let negated = self.take('^');
        let mut name = String::new();
        while let Some(letter) = self.rest.next_if(char::is_ascii_lowercase) {
            name.push(letter);
        }
        if !self.take_all(":]") {
            return Err(unsupported("a class in a class in a regular expression"));
        }
        let set = bracket_class(&name)
            .ok_or_else(|| unsupported(format!("[:{name}:] in a regular expression is not supported")))?;
        Ok(format!("[{}{set}]", if negated { "^" } else { "" }))
    }
}

/// What stood last in a class.
#[derive(PartialEq, Eq)]
enum Item {
    Start,
    Character,
    Range,
    Set,
}

/// What an escape stands for.
pub(super) enum Escaped {
    Character(char),
    Set(String),
}

/// The character of a code in hexadecimal digits.
fn code_point(digits: &str) -> Result<char, EvalError> {
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or_else(|| invalid("invalid code point value"))
}

/// A character that stands for itself, in a class or outside.
pub(super) fn literal(character: char) -> String {
    if character.is_ascii() && !character.is_ascii_alphanumeric() {
        format!(r"\x{{{:x}}}", u32::from(character))
    } else {
        character.to_string()
    }
}

/// What a bracket class or its property has, to stand in a class.
fn bracket_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alpha" => r"\p{Alphabetic}",
        "digit" => r"\p{Nd}",
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "upper" => r"\p{Uppercase}",
        "lower" => r"\p{Lowercase}",
        "space" => r"\p{White_Space}",
        "punct" => r"\p{P}",
        "xdigit" => "0-9A-Fa-f",
        "word" => r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}",
        _ => return None,
    })
}

/// Tells whether the case folding of a character is several characters, which matters only to an engine that folds so.
pub(super) fn folds_to_several(character: char) -> bool {
    matches!(character,
        '\u{df}' | '\u{130}' | '\u{149}' | '\u{1f0}' | '\u{390}' | '\u{3b0}' | '\u{587}' | '\u{1e96}'..='\u{1e9e}'
        | '\u{1f50}'..='\u{1ffc}' | '\u{fb00}'..='\u{fb17}')
}
