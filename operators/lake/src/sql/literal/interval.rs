//! `INTERVAL '1 02:03' DAY TO SECOND` and its shorter forms.

use std::sync::Arc;

use arrow::array::{ArrayRef, DurationMillisecondArray, IntervalYearMonthArray};

use super::Literal;
use crate::sql::error::SqlError;
use crate::sql::types::Type;

/// A unit of an interval, with how it is counted and what stands before it in a longer text.
struct Unit {
    name: &'static str,
    /// Months for the first two, milliseconds for the others.
    size: i64,
    /// The sign between it and the unit before.
    separator: char,
}

const MONTHS: &[Unit] =
    &[Unit { name: "year", size: 12, separator: ' ' }, Unit { name: "month", size: 1, separator: '-' }];
const MILLIS: &[Unit] = &[
    Unit { name: "day", size: 86_400_000, separator: ' ' },
    Unit { name: "hour", size: 3_600_000, separator: ' ' },
    Unit { name: "minute", size: 60_000, separator: ':' },
    Unit { name: "second", size: 1_000, separator: ':' },
];

/// Reads an interval; `start` and `end` are its units in lower case.
///
/// # Errors
/// `INVALID_LITERAL` when the text has another form or a number is out of range; `TYPE_NOT_FOUND` for a unit that Trino
/// does not have.
pub fn interval(text: &str, negative: bool, start: &str, end: Option<&str>) -> Result<Literal, SqlError> {
    let found = [MONTHS, MILLIS].into_iter().find_map(|units| {
        let first = units.iter().position(|unit| unit.name == start)?;
        let last = match end {
            None => first,
            Some(end) => units.iter().position(|unit| unit.name == end)?,
        };
        (first <= last).then(|| (units, units.get(first..=last)))
    });
    let Some((all, Some(units))) = found else {
        return Err(SqlError::trino("TYPE_NOT_FOUND", format!("Unknown resolvedType: INTERVAL {start}")));
    };
    let invalid = || {
        let field = match end {
            Some(end) if end != start => format!("{} TO {}", start.to_uppercase(), end.to_uppercase()),
            _ => start.to_uppercase(),
        };
        SqlError::trino("INVALID_LITERAL", format!("Invalid INTERVAL {field} value: {text}"))
    };
    let (sign, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (-1, &text[1..]),
        Some(b'+') => (1, &text[1..]),
        _ => (1, text),
    };
    let sign = if negative { -sign } else { sign };
    let total = sum(unsigned, units).and_then(|total| total.checked_mul(sign)).ok_or_else(invalid)?;
    if std::ptr::eq(all, MONTHS) {
        let months = i32::try_from(total).map_err(|_| invalid())?;
        let array: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![months]));
        Literal::of(Type::IntervalYearToMonth, &array)
    } else {
        let array: ArrayRef = Arc::new(DurationMillisecondArray::from(vec![total]));
        Literal::of(Type::IntervalDayToSecond, &array)
    }
}

/// Adds up the units; the last ones may be left out.
fn sum(text: &str, units: &[Unit]) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    for (at, unit) in units.iter().enumerate() {
        if at > 0 {
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix(unit.separator)?;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // Trino reads each number as one of 32 bits.
        let number: i32 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        total = total.checked_add(i64::from(number).checked_mul(unit.size)?)?;
        if unit.name == "second"
            && let Some(fraction) = rest.strip_prefix('.')
        {
            if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            // What is finer than a millisecond is cut off.
            let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
            total = total.checked_add(millis.parse().ok()?)?;
            rest = "";
        }
    }
    rest.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::display;

    fn shown(text: &str, negative: bool, start: &str, end: &str) -> String {
        match interval(text, negative, start, (!end.is_empty()).then_some(end)) {
            Ok(literal) => display(&literal.data_type, &literal.value.to_array().unwrap(), 0).unwrap(),
            Err(error) => error.name().to_owned(),
        }
    }

    #[test]
    fn units_and_forms() {
        for (text, negative, start, end, expected) in [
            ("2", false, "day", "", "2 00:00:00.000"),
            ("90", false, "minute", "", "0 01:30:00.000"),
            ("1.5", false, "second", "", "0 00:00:01.500"),
            ("1.2345", false, "second", "", "0 00:00:01.234"),
            ("1 02:03:04.567", false, "day", "second", "1 02:03:04.567"),
            ("26:30", false, "hour", "minute", "1 02:30:00.000"),
            ("100:61", false, "hour", "minute", "4 05:01:00.000"),
            ("3:4.5", false, "minute", "second", "0 00:03:04.500"),
            ("1", false, "day", "second", "1 00:00:00.000"),
            ("1 02:03", false, "day", "second", "1 02:03:00.000"),
            ("1-2", false, "year", "month", "1-2"),
            ("-1-2", false, "year", "month", "-1-2"),
            ("1-13", false, "year", "month", "2-1"),
            ("1", true, "day", "", "-1 00:00:00.000"),
            ("-1", true, "day", "", "1 00:00:00.000"),
            ("+1", false, "day", "", "1 00:00:00.000"),
            ("1.5", false, "day", "", "INVALID_LITERAL"),
            (" 1 ", false, "day", "", "INVALID_LITERAL"),
            ("x", false, "day", "", "INVALID_LITERAL"),
            ("9999999999", false, "second", "", "INVALID_LITERAL"),
            ("200000000", false, "year", "", "INVALID_LITERAL"),
            ("2000000000", false, "month", "", "166666666-8"),
            ("1", false, "week", "", "TYPE_NOT_FOUND"),
        ] {
            assert_eq!(shown(text, negative, start, end), expected, "{text} {start} {end}");
        }
    }
}
