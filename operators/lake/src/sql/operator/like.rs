//! `LIKE`: `%` for any characters, `_` for one character, and no escape sign unless one is named.

use arrow::array::{ArrayRef, StringArray, new_null_array};
use memchr::memmem::Finder;

use super::arguments::{Nulls, argument, booleans, typed};
use super::{Form, form as make_form};
use crate::sql::error::SqlError;
use crate::sql::function::{Argument, Call, EvalError};
use crate::sql::types::Type;

pub(super) fn form(value: &Type, pattern: &Type, escape: Option<&Type>) -> Result<Form, SqlError> {
    let value = match value {
        Type::Varchar(_) | Type::Char(_) => value.clone(),
        Type::Unknown => Type::Varchar(None),
        other => {
            return Err(SqlError::type_mismatch(format!(
                "Left side of LIKE expression must evaluate to a varchar (actual: {other})"
            )));
        }
    };
    let text = |operand: &Type, what: &str| match operand {
        Type::Varchar(_) => Ok(operand.clone()),
        Type::Unknown => Ok(Type::Varchar(None)),
        other => Err(SqlError::type_mismatch(format!(
            "{what} for LIKE expression must evaluate to a varchar (actual: {other})"
        ))),
    };
    let mut arguments = vec![value, text(pattern, "Pattern")?];
    if let Some(escape) = escape {
        arguments.push(text(escape, "Escape")?);
    }
    Ok(make_form(arguments, Type::Boolean, like))
}

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
    /// Finds `text` of `%text%`, which most patterns are.
    inner: Option<Finder<'static>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `%`
    Any,
    /// `_`
    One,
    /// Itself.
    Text(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `INVALID_FUNCTION_ARGUMENT` when the escape sign is not one character, or stands before anything but `%`, `_` or
    /// itself.
    pub fn new(pattern: &str, escape: Option<&str>) -> Result<Self, EvalError> {
        let escape = match escape {
            None => None,
            Some(text) => {
                let mut characters = text.chars();
                match (characters.next(), characters.next()) {
                    (Some(sign), None) => Some(sign),
                    _ => return Err(EvalError::invalid_argument("Escape string must be a single character")),
                }
            }
        };
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let part = match character {
                sign if Some(sign) == escape => {
                    match characters.next() {
                        Some(escaped) if matches!(escaped, '%' | '_') || Some(escaped) == escape => {
                            literal.push(escaped);
                        }
                        _ => {
                            return Err(EvalError::invalid_argument(
                                "Escape character must be followed by '%', '_' or the escape character itself",
                            ));
                        }
                    }
                    continue;
                }
                '%' => Part::Any,
                '_' => Part::One,
                other => {
                    literal.push(other);
                    continue;
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            if part != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(part);
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        let inner = match parts.as_slice() {
            [Part::Any, Part::Text(inner), Part::Any] => Some(Finder::new(inner).into_owned()),
            _ => None,
        };
        Ok(Self { parts, inner })
    }

    /// Tells whether the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if let Some(inner) = &self.inner {
            return inner.find(text.as_bytes()).is_some();
        }
        match self.parts.as_slice() {
            [] => return text.is_empty(),
            [Part::Any] => return true,
            [Part::Text(all)] => return text == all,
            [Part::Text(start), Part::Any] => return text.starts_with(start.as_str()),
            [Part::Any, Part::Text(end)] => return text.ends_with(end.as_str()),
            _ => {}
        }
        // Each `%` takes as little as it can; when the rest does not fit, only the last one needs to take more.
        let (mut part, mut rest) = (0, text);
        let mut last_any: Option<(usize, &str)> = None;
        loop {
            let step = match self.parts.get(part) {
                None if rest.is_empty() => return true,
                None => None,
                Some(Part::Any) => {
                    last_any = Some((part + 1, rest));
                    part += 1;
                    continue;
                }
                Some(Part::One) => {
                    let mut characters = rest.chars();
                    characters.next().map(|_| characters.as_str())
                }
                Some(Part::Text(literal)) => rest.strip_prefix(literal.as_str()),
            };
            match (step, last_any) {
                (Some(after), _) => {
                    rest = after;
                    part += 1;
                }
                (None, Some((after_any, from))) => {
                    let mut characters = from.chars();
                    if characters.next().is_none() {
                        return false;
                    }
                    let mut next = characters.as_str();
                    // Go straight to where the literal behind the `%` comes next.
                    if let Some(Part::Text(literal)) = self.parts.get(after_any) {
                        match next.find(literal.as_str()) {
                            Some(at) => next = &next[at..],
                            None => return false,
                        }
                    }
                    last_any = Some((after_any, next));
                    rest = next;
                    part = after_any;
                }
                (None, None) => return false,
            }
        }
    }
}

fn like(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let nulls = Nulls::of(arguments);
    if matches!(nulls, Nulls::All) {
        return Ok(new_null_array(&call.returns.to_arrow(), call.rows));
    }
    let values = argument(arguments, 0)?;
    let patterns = argument(arguments, 1)?;
    let escapes = arguments.get(2);
    let (texts, pattern_texts) = (typed::<StringArray>(&values.array)?, typed::<StringArray>(&patterns.array)?);
    let escape_texts = escapes.map(|escape| typed::<StringArray>(&escape.array)).transpose()?;
    let escape_of = |row: usize| escapes.zip(escape_texts).map(|(argument, texts)| texts.value(argument.index(row)));
    let width = match call.arguments.first() {
        Some(Type::Char(length)) => usize::try_from(*length).unwrap_or(usize::MAX),
        _ => 0,
    };
    let mut current: Option<(&str, Option<&str>, Pattern)> = None;
    let mut padded = String::new();
    booleans(call, nulls, |row| {
        let (pattern, escape) = (pattern_texts.value(patterns.index(row)), escape_of(row));
        let compiled = match &mut current {
            Some((known, known_escape, compiled)) if *known == pattern && *known_escape == escape => compiled,
            slot => &mut slot.insert((pattern, escape, Pattern::new(pattern, escape)?)).2,
        };
        let text = texts.value(values.index(row));
        if width == 0 {
            return Ok(compiled.matches(text));
        }
        // A char has its blanks when it is matched.
        padded.clear();
        padded.push_str(text);
        padded.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
        Ok(compiled.matches(&padded))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(text: &str, pattern: &str) -> bool {
        Pattern::new(pattern, None).unwrap().matches(text)
    }

    #[test]
    fn wildcards() {
        for (text, pattern, expected) in [
            ("hello", "h%o", true),
            ("hello", "_ello", true),
            ("hello", "H%", false),
            ("hello", "%z%", false),
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("", "_", false),
            ("a\nb", "a%b", true),
            ("a\nb", "a_b", true),
            ("aXbXc", "%X%X%", true),
            ("abcabc", "%bc%bc", true),
            ("ab", "%%b%%", true),
            ("é", "_", true),
            ("a\\b", "a\\b", true),
            ("aab", "%_b", true),
            ("mississippi", "m%iss%ip%i", true),
            ("mississippi", "%s_s%", true),
            ("mississippi", "%s__s__p%", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text:?} like {pattern:?}");
        }
    }

    #[test]
    fn escapes() {
        assert!(Pattern::new("a#%", Some("#")).unwrap().matches("a%"));
        assert!(!Pattern::new("a#%", Some("#")).unwrap().matches("ab"));
        assert!(Pattern::new("##", Some("#")).unwrap().matches("#"));
        for (pattern, escape) in [("ab#", "#"), ("a#b", "#"), ("ab", "##"), ("ab", "")] {
            assert_eq!(Pattern::new(pattern, Some(escape)).unwrap_err().name, "INVALID_FUNCTION_ARGUMENT");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_obvious_matcher(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}") {
            fn obvious(text: &[u8], pattern: &[u8]) -> bool {
                match pattern {
                    [] => text.is_empty(),
                    [b'%', rest @ ..] => (0..=text.len()).any(|skip| obvious(&text[skip..], rest)),
                    [b'_', rest @ ..] => !text.is_empty() && obvious(&text[1..], rest),
                    [sign, rest @ ..] => text.first() == Some(sign) && obvious(&text[1..], rest),
                }
            }
            prop_assert_eq!(matches(&text, &pattern), obvious(text.as_bytes(), pattern.as_bytes()));
        }
    }
}
