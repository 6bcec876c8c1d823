//! Patterns of times in text, in `MySQL`'s words (`%Y-%m-%d`) and Joda's (`yyyy-MM-dd`): one list of tokens for writing and
//! reading.
//!
//! Left out: names of zones, and reading years of two digits in Joda's words (they depend on the present day).

use super::EvalError;
use super::kernel::{invalid, unsupported};

/// A part of a time in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Itself.
    Literal(String),
    /// A field in digits: written with at least so many, read with at most so many.
    Number { field: Field, least: usize, most: usize },
    /// The last two digits of a year.
    ShortYear(Field),
    /// The name of a month or a day of the week; short ones have three letters.
    Name { field: Field, short: bool },
    /// `AM` or `PM`.
    Halfday,
    /// `AD` or `BC`.
    Era,
    /// So many digits of a second; read with at most so many.
    Fraction { digits: usize, most: usize },
    /// `+0530`, or with a colon.
    Offset { colon: bool },
    /// The zone's name.
    Zone,
}

/// A field of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Year,
    YearOfEra,
    Century,
    Weekyear,
    Month,
    Week,
    DayOfYear,
    DayOfMonth,
    DayOfWeek,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HourOfHalfday,
    /// 1 to 12.
    ClockHourOfHalfday,
    Minute,
    Second,
}

/// How many digits a year may have when no digits follow.
const YEAR_DIGITS: usize = 9;

/// Digits of a field with at least so many; two are the most that fields other than years and days of the year have.
fn number(field: Field, least: usize) -> Token {
    let most = match field {
        Field::Year | Field::YearOfEra | Field::Weekyear => YEAR_DIGITS,
        Field::DayOfYear => 3,
        Field::DayOfWeek => 1,
        _ => 2,
    };
    Token::Number { field, least, most: most.max(least) }
}

/// Reads a pattern in `MySQL`'s words.
///
/// # Errors
///
/// `INVALID_FUNCTION_ARGUMENT` for an empty pattern and for what Trino does not support.
pub(super) fn mysql(pattern: &str) -> Result<Vec<Token>, EvalError> {
    if pattern.is_empty() {
        return Err(invalid("Both printing and parsing not supported"));
    }
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            literal(&mut tokens, character);
            continue;
        }
        // A last sign says nothing.
        let Some(specifier) = characters.next() else { break };
        match specifier {
            'a' => tokens.push(Token::Name { field: Field::DayOfWeek, short: true }),
            'b' => tokens.push(Token::Name { field: Field::Month, short: true }),
            'c' => tokens.push(number(Field::Month, 1)),
            'd' => tokens.push(number(Field::DayOfMonth, 2)),
            'e' => tokens.push(number(Field::DayOfMonth, 1)),
            'f' => tokens.push(Token::Fraction { digits: 6, most: 9 }),
            'H' => tokens.push(number(Field::Hour, 2)),
            'h' | 'I' => tokens.push(number(Field::ClockHourOfHalfday, 2)),
            'i' => tokens.push(number(Field::Minute, 2)),
            'j' => tokens.push(number(Field::DayOfYear, 3)),
            'k' => tokens.push(number(Field::Hour, 1)),
            'l' => tokens.push(number(Field::ClockHourOfHalfday, 1)),
            'M' => tokens.push(Token::Name { field: Field::Month, short: false }),
            'm' => tokens.push(number(Field::Month, 2)),
            'p' => tokens.push(Token::Halfday),
            'r' | 'T' => {
                let hours = if specifier == 'r' { Field::ClockHourOfHalfday } else { Field::Hour };
                tokens.push(number(hours, 2));
                literal(&mut tokens, ':');
                tokens.push(number(Field::Minute, 2));
                literal(&mut tokens, ':');
                tokens.push(number(Field::Second, 2));
                if specifier == 'r' {
                    literal(&mut tokens, ' ');
                    tokens.push(Token::Halfday);
                }
            }
            'S' | 's' => tokens.push(number(Field::Second, 2)),
            'v' => tokens.push(number(Field::Week, 2)),
            'W' => tokens.push(Token::Name { field: Field::DayOfWeek, short: false }),
            'x' => tokens.push(number(Field::Weekyear, 4)),
            'Y' => tokens.push(number(Field::Year, 4)),
            'y' => tokens.push(Token::ShortYear(Field::Year)),
            'w' | 'U' | 'u' | 'V' | 'X' | 'D' => {
                return Err(invalid(format!("%{specifier} not supported in date format string")));
            }
            _ => literal(&mut tokens, specifier),
        }
    }
    bound_years(&mut tokens);
    Ok(tokens)
}

/// Adds a character to a literal at the end.
fn literal(tokens: &mut Vec<Token>, character: char) {
    match tokens.last_mut() {
        Some(Token::Literal(text)) => text.push(character),
        _ => tokens.push(Token::Literal(character.to_string())),
    }
}

/// A year has only as many digits as written when digits follow it at once.
fn bound_years(tokens: &mut [Token]) {
    for index in 1..tokens.len() {
        let followed = matches!(tokens[index], Token::Number { .. } | Token::ShortYear(_) | Token::Fraction { .. });
        if followed
            && let Token::Number { field: Field::Year | Field::YearOfEra | Field::Weekyear, least, most } =
                &mut tokens[index - 1]
        {
            *most = *least;
        }
    }
}

/// Reads a pattern in Joda's words.
///
/// # Errors
///
/// `INVALID_FUNCTION_ARGUMENT` for an empty pattern and unknown letters.
pub(super) fn joda(pattern: &str) -> Result<Vec<Token>, EvalError> {
    if pattern.is_empty() {
        return Err(invalid("Invalid pattern specification: Pattern is null or empty"));
    }
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        if character == '\'' {
            if rest.next_if_eq(&'\'').is_some() {
                literal(&mut tokens, '\'');
                continue;
            }
            // Two quotes inside are one.
            while let Some(quoted) = rest.next() {
                if quoted == '\'' && rest.next_if_eq(&'\'').is_none() {
                    break;
                }
                literal(&mut tokens, quoted);
            }
            continue;
        }
        if !character.is_ascii_alphabetic() {
            literal(&mut tokens, character);
            continue;
        }
        let mut length = 1;
        while rest.next_if_eq(&character).is_some() {
            length += 1;
        }
        tokens.push(joda_token(character, length)?);
    }
    bound_years(&mut tokens);
    Ok(tokens)
}

/// The token of a letter so many times.
fn joda_token(letter: char, length: usize) -> Result<Token, EvalError> {
    Ok(match letter {
        'y' | 'Y' | 'x' => {
            let field = match letter {
                'y' => Field::Year,
                'Y' => Field::YearOfEra,
                _ => Field::Weekyear,
            };
            if length == 2 { Token::ShortYear(field) } else { number(field, length) }
        }
        'C' => number(Field::Century, length),
        'M' if length >= 3 => Token::Name { field: Field::Month, short: length == 3 },
        'M' => number(Field::Month, length),
        'E' => Token::Name { field: Field::DayOfWeek, short: length < 4 },
        'd' => number(Field::DayOfMonth, length),
        'D' => number(Field::DayOfYear, length),
        'e' => number(Field::DayOfWeek, length),
        'w' => number(Field::Week, length),
        'a' => Token::Halfday,
        'G' => Token::Era,
        'H' => number(Field::Hour, length),
        'k' => number(Field::ClockHour, length),
        'K' => number(Field::HourOfHalfday, length),
        'h' => number(Field::ClockHourOfHalfday, length),
        'm' => number(Field::Minute, length),
        's' => number(Field::Second, length),
        'S' => Token::Fraction { digits: length, most: length },
        'Z' if length >= 3 => Token::Zone,
        'Z' => Token::Offset { colon: length == 2 },
        'z' => return Err(unsupported("names of time zones in a format")),
        _ => return Err(invalid(format!("Illegal pattern component: {}", letter.to_string().repeat(length)))),
    })
}

/// Tells whether a pattern shows a zone.
pub(super) fn has_zone(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| matches!(token, Token::Offset { .. } | Token::Zone))
}
