//! Patterns of Joda-Time for the texts of tables: the times that `parse_datetime` reads, but from 1970 on as Hive does it.

use super::EvalError;
use super::datetime_convert::strict_instant;
use super::datetime_format::{Found, read};
use super::datetime_pattern::{Field, Token, joda};
use super::kernel::unsupported;
use crate::sql::error::UNSUPPORTED;
use crate::sql::temporal::Zone;

/// The year of a text that says a month or a day but no year.
const DEFAULT_YEAR: i64 = 1970;

/// A pattern, ready to read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimePattern {
    tokens: Vec<Token>,
}

/// What a text is to a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It is of another form.
    None,
    /// It is of the form, and there is no such time: a thirteenth month.
    NoTime,
    /// Microseconds since 1970 in UTC.
    Time(i64),
}

impl TimePattern {
    /// Reads a pattern in Joda-Time's words.
    ///
    /// # Errors
    /// In Trino's words for a pattern that is none; of what is not supported for one that other readers take.
    pub(crate) fn joda(pattern: &str) -> Result<Self, EvalError> {
        let tokens = joda(pattern)?;
        for token in &tokens {
            match token {
                Token::ShortYear(_) => {
                    return Err(unsupported("reading years of two digits, which depends on the present day"));
                }
                Token::Era | Token::Number { field: Field::YearOfEra | Field::Century, .. } => {
                    return Err(unsupported("reading years of an era or centuries"));
                }
                _ => {}
            }
        }
        Ok(Self { tokens })
    }

    /// Reads a text; one without a zone is in UTC.
    ///
    /// # Errors
    /// Of a zone that is not known here.
    pub(crate) fn read(&self, text: &str) -> Result<Match, EvalError> {
        let Some(found) = known(read(text, &self.tokens))? else { return Ok(Match::None) };
        Ok(known(instant(text, &found))?.map_or(Match::NoTime, Match::Time))
    }
}

fn instant(text: &str, found: &Found) -> Result<i64, EvalError> {
    let local = found.micros(text, DEFAULT_YEAR)?;
    found.zone.as_ref().map_or(Ok(local), |zone: &Zone| strict_instant(zone, local))
}

/// Makes nothing of an error that says that a text is none; one that says that it is not known here stays.
fn known<T>(read: Result<T, EvalError>) -> Result<Option<T>, EvalError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.name == UNSUPPORTED => Err(error),
        Err(_) => Ok(None),
    }
}
