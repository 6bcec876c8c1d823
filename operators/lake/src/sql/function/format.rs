//! `format`: values in Java's format strings.
//!
//! Refused: `%c`, `%h`, `%g`, `%a`, times with a zone, and what combines flags in rarer ways.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};

use super::datetime_format::write_local;
use super::datetime_pattern::mysql;
use super::decimal_text::Digits;
use super::kernel::{Evaluated, broken, called, invalid, text, unsupported};
use super::{Argument, Call, EvalError, Function};
use crate::sql::temporal::{MICROS_PER_DAY, civil_from_days};
use crate::sql::text::number::{decimal, java_double, java_float};
use crate::sql::text::pad;
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] =
    &[Function { name: "format", overloads: &[called("(varchar(x), any...) -> varchar", format)] }];

/// A value to format.
enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Real(f32),
    Decimal(i128, u8),
    Text(String),
    /// Civil microseconds, and whether there is a time of day.
    Moment(i64, bool),
    /// Microseconds of the day.
    Time(i64),
}

/// The value of a row.
fn value_of(of: &Type, array: &ArrayRef, row: usize) -> Result<Value, EvalError> {
    if *of == Type::Unknown || array.is_null(row) {
        return Ok(Value::Null);
    }
    let layout = || broken("an array of another type");
    macro_rules! primitive {
        ($kind:ty) => {
            array.as_primitive_opt::<$kind>().ok_or_else(layout)?.value(row)
        };
    }
    Ok(match of {
        Type::Boolean => Value::Boolean(array.as_boolean_opt().ok_or_else(layout)?.value(row)),
        Type::Tinyint => Value::Integer(i64::from(primitive!(Int8Type))),
        Type::Smallint => Value::Integer(i64::from(primitive!(Int16Type))),
        Type::Integer => Value::Integer(i64::from(primitive!(Int32Type))),
        Type::Bigint => Value::Integer(primitive!(Int64Type)),
        Type::Double => Value::Double(primitive!(Float64Type)),
        Type::Real => Value::Real(primitive!(Float32Type)),
        Type::Decimal(_, scale) => Value::Decimal(primitive!(Decimal128Type), *scale),
        Type::Varchar(_) | Type::Json => {
            Value::Text(array.as_string_opt::<i32>().ok_or_else(layout)?.value(row).to_owned())
        }
        Type::Char(width) => {
            let width = usize::try_from(*width).map_err(|_| layout())?;
            Value::Text(pad(array.as_string_opt::<i32>().ok_or_else(layout)?.value(row), width))
        }
        Type::Date => Value::Moment(i64::from(primitive!(Date32Type)) * MICROS_PER_DAY, false),
        Type::Timestamp(0..=6) => Value::Moment(primitive!(TimestampMicrosecondType), true),
        Type::Time(0..=6) => Value::Time(primitive!(Time64MicrosecondType)),
        _ => return Err(EvalError::new("NOT_SUPPORTED", format!("Type not supported for formatting: {of}"))),
    })
}

/// A place for a value.
struct Place {
    /// The argument's number, or nothing for the next one.
    index: Option<Index>,
    flags: Flags,
    width: Option<usize>,
    precision: Option<usize>,
    conversion: char,
    upper: bool,
    /// What of a time, behind `t`.
    of_time: Option<char>,
}

enum Index {
    Number(usize),
    Last,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the format")]
struct Flags {
    left: bool,
    alternate: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    comma: bool,
    parentheses: bool,
}

fn bad(whole: &str, why: &str) -> EvalError {
    invalid(format!("Invalid format string: {whole} ({why})"))
}

/// Reads a place behind its `%`.
fn place(whole: &str, rest: &mut Peekable<Chars<'_>>) -> Result<Place, EvalError> {
    let mut place = Place {
        index: None,
        flags: Flags::default(),
        width: None,
        precision: None,
        conversion: '%',
        upper: false,
        of_time: None,
    };
    let digits = |rest: &mut Peekable<Chars<'_>>| {
        let mut number = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            number.push(digit);
        }
        number
    };
    let read = |number: &str| number.parse::<usize>().map_err(|_| bad(whole, "a number that is too large"));
    if rest.next_if_eq(&'<').is_some() {
        place.index = Some(Index::Last);
    } else {
        let mut ahead = rest.clone();
        let number = digits(&mut ahead);
        if !number.is_empty() && !number.starts_with('0') && ahead.next() == Some('$') {
            place.index = Some(Index::Number(read(&number)?));
            *rest = ahead;
        }
    }
    while let Some(flag) = rest.next_if(|next| "-#+ 0,(".contains(*next)) {
        let flags = &mut place.flags;
        let set = match flag {
            '-' => &mut flags.left,
            '#' => &mut flags.alternate,
            '+' => &mut flags.plus,
            ' ' => &mut flags.blank,
            '0' => &mut flags.zero,
            ',' => &mut flags.comma,
            _ => &mut flags.parentheses,
        };
        if std::mem::replace(set, true) {
            return Err(bad(whole, &format!("DuplicateFormatFlags: Flags = '{flag}'")));
        }
    }
    let width = digits(rest);
    if !width.is_empty() {
        place.width = Some(read(&width)?);
    }
    if rest.next_if_eq(&'.').is_some() {
        place.precision = Some(read(&digits(rest))?);
    }
    let conversion = rest.next().ok_or_else(|| bad(whole, "UnknownFormatConversion: Conversion = '%'"))?;
    place.upper = matches!(conversion, 'S' | 'B' | 'X' | 'E' | 'T');
    place.conversion = if place.upper { conversion.to_ascii_lowercase() } else { conversion };
    match place.conversion {
        's' | 'd' | 'f' | 'e' | 'x' | 'o' | 'b' | 'n' | '%' => {}
        't' => {
            place.of_time = Some(rest.next().ok_or_else(|| bad(whole, "UnknownFormatConversion: Conversion = 't'"))?);
        }
        'c' | 'C' | 'h' | 'H' | 'g' | 'G' | 'a' | 'A' => {
            return Err(unsupported(format!("%{conversion} in a format string")));
        }
        _ => return Err(bad(whole, &format!("UnknownFormatConversion: Conversion = '{conversion}'"))),
    }
    if (place.flags.left || place.flags.zero) && place.width.is_none() {
        return Err(bad(whole, "MissingFormatWidth"));
    }
    if (place.flags.left && place.flags.zero) || (place.flags.plus && place.flags.blank) {
        return Err(bad(whole, "IllegalFormatFlags"));
    }
    Ok(place)
}

impl Place {
    /// Writes a text with blanks to its width.
    fn write_padded(&self, shown: &str, out: &mut String) {
        let blanks = self.width.unwrap_or(0).saturating_sub(shown.encode_utf16().count());
        if !self.flags.left {
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        if self.upper {
            out.push_str(&shown.to_uppercase());
        } else {
            out.push_str(shown);
        }
        if self.flags.left {
            out.extend(std::iter::repeat_n(' ', blanks));
        }
    }

    /// Writes a text cut to the precision.
    fn write_text(&self, shown: &str, out: &mut String) {
        let cut: String = shown.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        self.write_padded(&cut, out);
    }

    /// Writes digits with their sign, and zeros to the width where wanted.
    fn write_number(&self, negative: bool, digits: &str, out: &mut String) {
        let (before, behind) = match (negative, self.flags.parentheses) {
            (true, true) => ("(", ")"),
            (true, false) => ("-", ""),
            _ if self.flags.plus => ("+", ""),
            _ if self.flags.blank => (" ", ""),
            _ => ("", ""),
        };
        let mut shown = String::from(before);
        if self.flags.zero {
            let taken = before.len() + digits.len() + behind.len();
            shown.extend(std::iter::repeat_n('0', self.width.unwrap_or(0).saturating_sub(taken)));
        }
        shown.push_str(digits);
        shown.push_str(behind);
        self.write_padded(&shown, out);
    }

    /// Flags that only numbers have.
    fn has_number_flags(&self) -> bool {
        let flags = &self.flags;
        flags.alternate || flags.plus || flags.blank || flags.zero || flags.comma || flags.parentheses
    }

    /// Writes a value.
    fn write(&self, whole: &str, value: &Value, out: &mut String) -> Result<(), EvalError> {
        if matches!(self.conversion, 's' | 'b' | 't') && self.has_number_flags() {
            return Err(unsupported("flags of numbers with other values in a format string"));
        }
        if let ('b', value) = (self.conversion, value) {
            self.write_text(if matches!(value, Value::Null | Value::Boolean(false)) { "false" } else { "true" }, out);
            return Ok(());
        }
        if matches!(self.conversion, 'd' | 'x' | 'o') && self.precision.is_some() {
            return Err(bad(whole, "IllegalFormatPrecision"));
        }
        match (self.conversion, value) {
            (_, Value::Null) => self.write_text("null", out),
            ('s', value) => {
                let mut shown = String::new();
                write_shown(value, &mut shown)?;
                self.write_text(&shown, out);
            }
            ('d', Value::Integer(value)) => {
                if self.flags.alternate {
                    return Err(bad(whole, "FormatFlagsConversionMismatch"));
                }
                let digits = Digits::of_decimal(i128::from(*value), 0).plain(self.flags.comma);
                self.write_number(*value < 0, &digits, out);
            }
            ('x' | 'o', Value::Integer(value)) => {
                let flags = &self.flags;
                if flags.plus || flags.blank || flags.comma || flags.parentheses {
                    return Err(bad(whole, "FormatFlagsConversionMismatch"));
                }
                let (prefix, digits) =
                    if self.conversion == 'x' { ("0x", format!("{value:x}")) } else { ("0", format!("{value:o}")) };
                let prefix = if flags.alternate { prefix } else { "" };
                let taken = prefix.len() + digits.len();
                let zeros = if flags.zero { self.width.unwrap_or(0).saturating_sub(taken) } else { 0 };
                self.write_padded(&format!("{prefix}{}{digits}", "0".repeat(zeros)), out);
            }
            ('f' | 'e', Value::Double(value)) => self.write_double(*value, out)?,
            ('f' | 'e', Value::Real(value)) => self.write_double(f64::from(*value), out)?,
            ('f', Value::Decimal(value, scale)) => {
                let digits = Digits::of_decimal(*value, *scale).rounded(self.places()).plain(self.flags.comma);
                self.write_number(*value < 0, &digits, out);
            }
            ('e', Value::Decimal(..)) => return Err(unsupported("%e of a decimal in a format string")),
            ('t', value) => {
                let mut shown = String::new();
                self.write_time(value, &mut shown)?;
                self.write_padded(&shown, out);
            }
            _ => return Err(bad(whole, "IllegalFormatConversion")),
        }
        Ok(())
    }

    /// Digits behind the point.
    fn places(&self) -> usize {
        self.precision.unwrap_or(6)
    }

    fn write_double(&self, value: f64, out: &mut String) -> Result<(), EvalError> {
        if !value.is_finite() {
            if self.has_number_flags() {
                return Err(unsupported("flags with what is no number in a format string"));
            }
            let shown = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            self.write_padded(shown, out);
            return Ok(());
        }
        if self.flags.alternate || (self.conversion == 'e' && self.flags.comma) {
            return Err(unsupported("such flags of doubles in a format string"));
        }
        let digits = Digits::shortest(value);
        let digits = if self.conversion == 'f' {
            digits.rounded(self.places()).plain(self.flags.comma)
        } else {
            digits.scientific(self.places())
        };
        self.write_number(value.is_sign_negative(), &digits, out);
        Ok(())
    }

    /// Writes a part of a time, by the letter behind `t`.
    fn write_time(&self, value: &Value, out: &mut String) -> Result<(), EvalError> {
        let (local, has_time) = match value {
            Value::Moment(local, has_time) => (*local, *has_time),
            _ => return Err(unsupported("%t of other values than dates and timestamps in a format string")),
        };
        plain_year(local)?;
        let (pattern, of_time) = match self.of_time {
            Some('Y') => ("%Y", false),
            Some('y') => ("%y", false),
            Some('m') => ("%m", false),
            Some('d') => ("%d", false),
            Some('e') => ("%e", false),
            Some('j') => ("%j", false),
            Some('B') => ("%M", false),
            Some('b' | 'h') => ("%b", false),
            Some('A') => ("%W", false),
            Some('a') => ("%a", false),
            Some('F') => ("%Y-%m-%d", false),
            Some('H') => ("%H", true),
            Some('M') => ("%i", true),
            Some('S') => ("%s", true),
            Some('T') => ("%T", true),
            _ => return Err(unsupported("such a part of a time in a format string")),
        };
        if of_time && !has_time {
            return Err(unsupported("a time of day of a date in a format string"));
        }
        write_local(local, &mysql(pattern)?, out)
    }
}

/// Years that Java writes with four digits.
fn plain_year(local: i64) -> Result<(), EvalError> {
    let year = civil_from_days(local.div_euclid(MICROS_PER_DAY)).0;
    if (1..=9_999).contains(&year) { Ok(()) } else { Err(unsupported("such a far year in a format string")) }
}

/// Writes a time of day as Java's `LocalTime` shows itself: without seconds that are zero, fractions by thousands.
fn write_time_of_day(micros: i64, out: &mut String) {
    let seconds = micros / 1_000_000;
    let fraction = micros % 1_000_000;
    // Writing to a string cannot fail.
    let _ = write!(out, "{:02}:{:02}", seconds / 3_600, seconds / 60 % 60);
    if seconds % 60 > 0 || fraction > 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
    if fraction % 1_000 > 0 {
        let _ = write!(out, ".{fraction:06}");
    } else if fraction > 0 {
        let _ = write!(out, ".{:03}", fraction / 1_000);
    }
}

/// Writes a value as Java shows it.
fn write_shown(value: &Value, out: &mut String) -> Result<(), EvalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => {
            let _ = write!(out, "{value}");
        }
        Value::Double(value) => out.push_str(&java_double(*value)),
        Value::Real(value) => out.push_str(&java_float(*value)),
        Value::Decimal(value, scale) => {
            // Java turns to powers of ten below a millionth.
            let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0);
            if u32::from(*scale) > digits + 6 {
                return Err(unsupported("such a small decimal in a format string"));
            }
            decimal(out, *value, *scale);
        }
        Value::Text(value) => out.push_str(value),
        Value::Moment(local, has_time) => {
            plain_year(*local)?;
            write_local(*local, &mysql("%Y-%m-%d")?, out)?;
            if *has_time {
                out.push('T');
                write_time_of_day(local.rem_euclid(MICROS_PER_DAY), out);
            }
        }
        Value::Time(time) => write_time_of_day(*time, out),
    }
    Ok(())
}

/// Writes a row's values into a format string.
fn write_row(whole: &str, values: &[Value], out: &mut String) -> Result<(), EvalError> {
    let mut rest = whole.chars().peekable();
    let (mut next, mut last) = (0, None);
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let place = place(whole, &mut rest)?;
        if matches!(place.conversion, 'n' | '%') {
            if place.width.is_some() || place.precision.is_some() || place.has_number_flags() {
                return Err(unsupported("a width of a sign in a format string"));
            }
            out.push(if place.conversion == 'n' { '\n' } else { '%' });
            continue;
        }
        let index = match place.index {
            Some(Index::Number(number)) => number.checked_sub(1),
            Some(Index::Last) => last,
            None => {
                next += 1;
                Some(next - 1)
            }
        };
        last = index;
        let value = index
            .and_then(|index| values.get(index))
            .ok_or_else(|| bad(whole, &format!("MissingFormatArgument: Format specifier '%{}'", place.conversion)))?;
        place.write(whole, value, out)?;
    }
    Ok(())
}

fn format(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    if arguments.len() < 2 {
        return Err(EvalError::new("SYNTAX_ERROR", "The 'format' function must have at least two arguments"));
    }
    let formats = text(arguments, 0)?;
    let mut builder = StringBuilder::new();
    let mut out = String::new();
    let mut values = Vec::with_capacity(arguments.len());
    for row in 0..call.rows {
        let Some(whole) = formats.get(row) else {
            // Only a NULL without a type has been given the narrowest one.
            if call.arguments.first() == Some(&Type::Varchar(Some(0))) {
                return Err(EvalError::new("TYPE_MISMATCH", "Type of first argument to format() must be VARCHAR"));
            }
            builder.append_null();
            continue;
        };
        values.clear();
        for (argument, of) in arguments.iter().zip(call.arguments).skip(1) {
            values.push(value_of(of, &argument.array, argument.index(row))?);
        }
        out.clear();
        write_row(whole, &values, &mut out)?;
        builder.append_value(&out);
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        Value, bigint, boolean, date, decimal, double, error, no_text, text, timestamp, value,
    };
    use crate::sql::types::Type;

    const VARCHAR: Type = Type::Varchar(None);

    fn of(format: &str, values: &[Value]) -> String {
        let arguments: Vec<Value> = std::iter::once(text(format)).chain(values.iter().cloned()).collect();
        value("format", 0, VARCHAR, &arguments)
    }

    #[test]
    fn numbers_have_signs_widths_and_digits() {
        assert_eq!(of("%5d|%<-5d|%<05d|%<+d|%<x", &[bigint(42)]), "   42|42   |00042|+42|2a");
        assert_eq!(of("%,d %<(d %<08d %<x", &[bigint(-1_234)]), "-1,234 (1234) -0001234 fffffffffffffb2e");
        assert_eq!(of("%.2f|%<,.1f|%<.3e|%<10.2f", &[double(12_345.678)]), "12345.68|12,345.7|1.235e+04|  12345.68");
        assert_eq!(of("%.1f %.0f %.2f", &[double(0.25), double(2.5), double(1.005)]), "0.3 3 1.01");
        assert_eq!(of("%.2f", &[double(-0.0)]), "-0.00");
        assert_eq!(of("%+,.3f %<s", &[decimal(123_456_789, 9, 4)]), "+12,345.679 12345.6789");
    }

    #[test]
    fn other_values_have_their_texts() {
        assert_eq!(of("%2$s %1$S %3$b", &[text("a"), double(1.0), boolean(true)]), "1.0 A true");
        assert_eq!(of("%s|%<5s|%<.2f|%<b", &[no_text()]), "null| null|nu|false");
        assert_eq!(of("%.2s|%<-4s|%n%%", &[text("abc")]), "ab|abc |\n%");
        assert_eq!(of("%1$tY-%1$tm-%1$td %1$tB %1$s", &[date("2024-03-05")]), "2024-03-05 March 2024-03-05");
        assert_eq!(of("%s %<tT", &[timestamp("2024-03-05T10:11:00.5", 3)]), "2024-03-05T10:11:00.500 10:11:00");
        assert_eq!(of("%s", &[timestamp("2024-03-05T00:00:00", 0)]), "2024-03-05T00:00");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for (format, argument) in [
            ("%d", text("abc")),
            ("%.2f", bigint(1)),
            ("%d", double(1.0)),
            ("%s %s", text("a")),
            ("%q", bigint(1)),
            ("%-d", bigint(1)),
        ] {
            let message = error("format", 0, VARCHAR, &[text(format), argument]);
            assert!(message.starts_with("INVALID_FUNCTION_ARGUMENT: Invalid format string"), "{format}: {message}");
        }
    }
}
