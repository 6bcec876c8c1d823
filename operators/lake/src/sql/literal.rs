//! Literals: which type a number has, and what `DATE '…'`, `INTERVAL '…' DAY` and their like mean.
//!
//! Grammar and types: <https://trino.io/docs/476/language/types.html>.

mod interval;

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray};
use datafusion::scalar::ScalarValue;

use super::cast;
use super::error::{SqlError, UNSUPPORTED};
use super::function::Session;
use super::json::Json;
use super::temporal::parse::{self, Malformed};
use super::temporal::zone::ZoneError;
use super::temporal::{Zone, zoned};
use super::types::Type;

pub use interval::interval;

/// A constant with its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The type.
    pub data_type: Type,
    /// The value, in the Arrow type of `data_type`.
    pub value: ScalarValue,
}

impl Literal {
    /// Makes a literal of an array's first row.
    fn of(data_type: Type, array: &ArrayRef) -> Result<Self, SqlError> {
        let value = ScalarValue::try_from_array(array, 0)
            .map_err(|error| SqlError::trino("GENERIC_INTERNAL_ERROR", error.to_string()))?;
        Ok(Self { data_type, value })
    }
}

/// Reads a number: `1`, `1.5`, `1e3`, `5.`, `.5`, `0xFF`, `0b101`, `0o17`, `1_000`, with a minus where one stands before it.
///
/// # Errors
/// `SYNTAX_ERROR` for a whole number beyond 64 bits, `INVALID_LITERAL` for a decimal beyond 38 digits.
pub fn number(text: &str) -> Result<Literal, SqlError> {
    let clean: String = text.chars().filter(|character| *character != '_' && !character.is_whitespace()).collect();
    let (sign, unsigned) = match clean.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", clean.as_str()),
    };
    let lower = unsigned.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            return whole(text, i64::from_str_radix(&format!("{sign}{digits}"), radix).ok());
        }
    }
    if lower.contains('e') {
        let value = clean.parse::<f64>().map_err(|_| invalid_number(text))?;
        return Literal::of(Type::Double, &(Arc::new(Float64Array::from(vec![value])) as ArrayRef));
    }
    if unsigned.contains('.') {
        return decimal(&clean)
            .ok_or_else(|| SqlError::trino("INVALID_LITERAL", format!("'{text}' is not a valid DECIMAL literal")))?;
    }
    whole(text, clean.parse().ok())
}

fn invalid_number(text: &str) -> SqlError {
    SqlError::trino("SYNTAX_ERROR", format!("Invalid numeric literal: {text}"))
}

fn whole(text: &str, value: Option<i64>) -> Result<Literal, SqlError> {
    let value = value.ok_or_else(|| invalid_number(text))?;
    match i32::try_from(value) {
        Ok(small) => Literal::of(Type::Integer, &(Arc::new(Int32Array::from(vec![small])) as ArrayRef)),
        Err(_) => Literal::of(Type::Bigint, &(Arc::new(Int64Array::from(vec![value])) as ArrayRef)),
    }
}

/// Reads a decimal; its digits, without leading zeros, make the type. None when it is none or too long.
fn decimal(text: &str) -> Option<Result<Literal, SqlError>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let scale = u8::try_from(fraction.len()).ok()?;
    let precision = u8::try_from((whole.len() + fraction.len()).max(1)).ok().filter(|precision| *precision <= 38)?;
    let digits = format!("0{whole}{fraction}");
    let value: i128 = digits.parse().ok()?;
    let value = if text.starts_with('-') { -value } else { value };
    let data_type = Type::Decimal(precision, scale);
    let array: ArrayRef = Arc::new(Decimal128Array::from(vec![value]).with_data_type(data_type.to_arrow()));
    Some(Literal::of(data_type, &array))
}

/// Reads a text, which is a `varchar` of its own length.
///
/// # Errors
/// When the constant cannot be made.
pub fn text(value: &str) -> Result<Literal, SqlError> {
    let length = u32::try_from(value.chars().count()).ok();
    Literal::of(Type::Varchar(length), &(Arc::new(StringArray::from(vec![value])) as ArrayRef))
}

/// Reads the digits of `X'…'`; blanks between them mean nothing.
///
/// # Errors
/// `SYNTAX_ERROR` for other characters or an odd number of digits.
pub fn binary(digits: &str) -> Result<Literal, SqlError> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()
        .ok_or_else(|| SqlError::trino("SYNTAX_ERROR", "Binary literal can only contain hexadecimal digits"))?;
    if !digits.len().is_multiple_of(2) {
        return Err(SqlError::trino("SYNTAX_ERROR", "Binary literal must contain an even number of digits"));
    }
    let bytes: Vec<u8> = digits
        .chunks(2)
        .filter_map(|pair| u8::try_from(pair.iter().fold(0, |byte, digit| byte * 16 + digit)).ok())
        .collect();
    Literal::of(Type::Varbinary, &(Arc::new(BinaryArray::from(vec![bytes.as_slice()])) as ArrayRef))
}

/// Reads what stands in `U&'…'`: `\00e9` and `\+01F600` are characters, the sign twice is itself.
///
/// # Errors
/// `SYNTAX_ERROR` for an incomplete escape or one that is no character.
pub fn unicode(value: &str, escape: char) -> Result<Literal, SqlError> {
    let wrong = |message: String| SqlError::trino("SYNTAX_ERROR", message);
    let mut out = String::new();
    let mut rest = value;
    while let Some(place) = rest.find(escape) {
        out.push_str(&rest[..place]);
        let after = &rest[place + escape.len_utf8()..];
        if let Some(behind) = after.strip_prefix(escape) {
            out.push(escape);
            rest = behind;
            continue;
        }
        let (digits, behind) = match after.strip_prefix('+') {
            Some(long) => long.split_at_checked(6),
            None => after.split_at_checked(4),
        }
        .ok_or_else(|| wrong("Incomplete escape sequence".to_owned()))?;
        let code =
            u32::from_str_radix(digits, 16).map_err(|_| wrong(format!("Invalid hexadecimal digit: {digits}")))?;
        let character = char::from_u32(code).ok_or_else(|| wrong(format!("Invalid escaped character: {digits}")))?;
        out.push(character);
        rest = behind;
    }
    out.push_str(rest);
    text(&out)
}

/// Reads a typed literal: `DATE '2024-02-29'`, `DECIMAL '1.50'`, `JSON '{}'`, `TINYINT '5'`, …
///
/// # Errors
/// `INVALID_LITERAL` when the text is none of the type; unsupported for precisions this engine cannot hold.
pub fn typed(type_text: &str, value: &str, session: &Session) -> Result<Literal, SqlError> {
    let name = type_text.trim().to_ascii_uppercase();
    let invalid = || SqlError::trino("INVALID_LITERAL", format!("'{value}' is not a valid {name} literal"));
    match name.as_str() {
        "DECIMAL" => return decimal(value).ok_or_else(invalid)?,
        "CHAR" => {
            let length = u32::try_from(value.chars().count()).map_err(|_| invalid())?;
            let array: ArrayRef = Arc::new(StringArray::from(vec![value.trim_end_matches(' ')]));
            return Literal::of(Type::Char(length), &array);
        }
        "VARCHAR" => return Literal::of(Type::Varchar(None), &(Arc::new(StringArray::from(vec![value])) as ArrayRef)),
        "JSON" => {
            let canonical = Json::parse(value).ok_or_else(invalid)?.to_text();
            return Literal::of(Type::Json, &(Arc::new(StringArray::from(vec![canonical])) as ArrayRef));
        }
        "TIMESTAMP" => return timestamp(value),
        "TIME" => return time(value, session),
        _ => {}
    }
    let data_type = Type::from_trino(type_text)?;
    let array: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let from = Type::Varchar(None);
    if cast::kernel(&from, &data_type)?.is_none() {
        return Err(SqlError::type_mismatch(format!("Cannot cast {from} to {data_type}")));
    }
    let cast = cast::cast(session, &from, &data_type, &array).map_err(|error| match error.name {
        UNSUPPORTED => error.into(),
        _ => invalid(),
    })?;
    Literal::of(data_type, &cast)
}

fn too_fine(precision: u8) -> SqlError {
    SqlError::unsupported(format!("a time literal with {precision} digits of a second"))
}

fn malformed(fault: Malformed, kind: &str, value: &str) -> SqlError {
    match fault {
        Malformed::Form => SqlError::trino("INVALID_LITERAL", format!("'{value}' is not a valid {kind} literal")),
        Malformed::Precision => {
            SqlError::trino("NUMERIC_VALUE_OUT_OF_RANGE", format!("{kind} precision must be in range [0, 12]"))
        }
    }
}

/// Its digits and its zone make the type.
fn timestamp(value: &str) -> Result<Literal, SqlError> {
    let civil = parse::timestamp(value).map_err(|fault| malformed(fault, "TIMESTAMP", value))?;
    let invalid = || malformed(Malformed::Form, "TIMESTAMP", value);
    let far = || SqlError::unsupported(format!("a timestamp so far away: `{value}`"));
    let precision = civil.time.precision;
    let Some(name) = civil.zone else {
        let data_type = Type::Timestamp(precision);
        let array: ArrayRef = match precision {
            0..=6 => {
                let micros = civil.micros(precision).ok_or_else(far)?;
                Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![micros]))
            }
            7..=9 => {
                let nanos = civil.nanos(precision).ok_or_else(far)?;
                Arc::new(arrow::array::TimestampNanosecondArray::from(vec![nanos]))
            }
            _ => return Err(too_fine(precision)),
        };
        return Literal::of(data_type, &array);
    };
    let zone = Zone::parse(name).map_err(|fault| match fault {
        ZoneError::Unknown => invalid(),
        ZoneError::NotSupported => SqlError::trino("NOT_SUPPORTED", format!("Time zone not supported: {name}")),
    })?;
    if precision > 6 {
        return Err(too_fine(precision));
    }
    let local = civil.micros(precision).ok_or_else(far)?;
    if zone.is_in_gap(local) {
        return Err(invalid());
    }
    let array = zoned::instants(vec![zone.to_instant(local)], StringArray::from(vec![zone.id()]), None)
        .map_err(|error| SqlError::trino(error.name, error.message))?;
    Literal::of(Type::TimestampTz(precision), &array)
}

fn time(value: &str, _session: &Session) -> Result<Literal, SqlError> {
    let (time, offset) = parse::time(value).map_err(|fault| malformed(fault, "TIME", value))?;
    let precision = time.precision;
    if precision > 6 {
        return Err(too_fine(precision));
    }
    let micros = time.micros(precision);
    match offset.map(i32::try_from) {
        None => Literal::of(
            Type::Time(precision),
            &(Arc::new(arrow::array::Time64MicrosecondArray::from(vec![micros])) as ArrayRef),
        ),
        Some(Ok(minutes)) => {
            let array = zoned::offset_times(vec![micros], vec![minutes], None)
                .map_err(|error| SqlError::trino(error.name, error.message))?;
            Literal::of(Type::TimeTz(precision), &array)
        }
        Some(Err(_)) => Err(malformed(Malformed::Form, "TIME", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text;

    fn session() -> Session {
        Session { time_zone: "UTC".to_owned(), start_us: 0, database: None }
    }

    fn shown(literal: Result<Literal, SqlError>) -> (String, String) {
        match literal {
            Ok(literal) => {
                let array = literal.value.to_array().unwrap();
                assert_eq!(array.data_type(), &literal.data_type.to_arrow());
                (text::display(&literal.data_type, &array, 0).unwrap(), literal.data_type.to_string())
            }
            Err(error) => (error.name().to_owned(), String::new()),
        }
    }

    #[test]
    fn numbers() {
        for (written, value, data_type) in [
            ("2147483647", "2147483647", "integer"),
            ("2147483648", "2147483648", "bigint"),
            ("-2147483648", "-2147483648", "integer"),
            ("-9223372036854775808", "-9223372036854775808", "bigint"),
            ("9223372036854775808", "SYNTAX_ERROR", ""),
            ("12.50", "12.50", "decimal(4,2)"),
            ("5.", "5", "decimal(1,0)"),
            (".5", "0.5", "decimal(1,1)"),
            ("0.05", "0.05", "decimal(2,2)"),
            ("00.05", "0.05", "decimal(2,2)"),
            ("0.0", "0.0", "decimal(1,1)"),
            ("0.", "0", "decimal(1,0)"),
            ("-0.05", "-0.05", "decimal(2,2)"),
            ("1_000.5", "1000.5", "decimal(5,1)"),
            ("12345678901234567890123456789012345.678", "12345678901234567890123456789012345.678", "decimal(38,3)"),
            ("123456789012345678901234567890123456789.0", "INVALID_LITERAL", ""),
            ("1e3", "1000.0", "double"),
            ("2.5E-4", "2.5E-4", "double"),
            ("1e400", "Infinity", "double"),
            ("0xFF", "255", "integer"),
            ("0b1_0", "2", "integer"),
            ("0o17", "15", "integer"),
            ("-0x10", "-16", "integer"),
            ("0xFFFFFFFFFF", "1099511627775", "bigint"),
            ("007", "7", "integer"),
        ] {
            assert_eq!(shown(number(written)), (value.to_owned(), data_type.to_owned()), "{written}");
        }
    }

    #[test]
    fn typed_literals() {
        for (kind, written, value, data_type) in [
            ("DATE", " 2024-02-03 ", "2024-02-03", "date"),
            ("DATE", "yesterday", "INVALID_LITERAL", ""),
            ("TIMESTAMP", "2024-03-04 05:06", "2024-03-04 05:06:00", "timestamp(0)"),
            ("TIMESTAMP", "2024-03-04 05:06:07.123456789", "2024-03-04 05:06:07.123456789", "timestamp(9)"),
            ("TIMESTAMP", "2024-03-04 05:06:07.123456789012", "UNSUPPORTED_BY_EMBEDDED_ENGINE", ""),
            ("TIMESTAMP", "2024-03-04 24:00:00", "INVALID_LITERAL", ""),
            (
                "TIMESTAMP",
                "2024-07-01 12:00:00.5 +05:30",
                "2024-07-01 12:00:00.5 +05:30",
                "timestamp(1) with time zone",
            ),
            ("TIMESTAMP", "2024-07-01 12:00:00 Mars/Base", "INVALID_LITERAL", ""),
            ("TIMESTAMP", "2024-01-01 09:00:00+09", "2024-01-01 09:00:00 +09:00", "timestamp(0) with time zone"),
            ("TIMESTAMP", "2024-03-10 02:30:00 America/New_York", "INVALID_LITERAL", ""),
            ("TIMESTAMP", "2024-01-01 09:00:00 +18:00", "NOT_SUPPORTED", ""),
            ("TIME", "01:02:03.456", "01:02:03.456", "time(3)"),
            ("TIME", "01:02:03 +09:00", "01:02:03+09:00", "time(0) with time zone"),
            ("TIME", "25:00:00", "INVALID_LITERAL", ""),
            ("DECIMAL", "1.50", "1.50", "decimal(3,2)"),
            ("DECIMAL", "+1", "1", "decimal(1,0)"),
            ("DECIMAL", "1.2.3", "INVALID_LITERAL", ""),
            ("DECIMAL", " 1", "INVALID_LITERAL", ""),
            ("DECIMAL", "1e3", "INVALID_LITERAL", ""),
            ("CHAR", "abc ", "abc ", "char(4)"),
            ("VARCHAR", "abc", "abc", "varchar"),
            ("TINYINT", "128", "INVALID_LITERAL", ""),
            ("REAL", "1.1", "1.1", "real"),
            ("DOUBLE", "12.25", "12.25", "double"),
            ("BIGINT", " 1", "1", "bigint"),
            ("BOOLEAN", "yes", "INVALID_LITERAL", ""),
            ("JSON", "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}", "json"),
            ("JSON", "abc", "INVALID_LITERAL", ""),
            ("UUID", "0f8fad5b-d9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e", "uuid"),
            ("IPADDRESS", "2001:DB8::1", "2001:db8::1", "ipaddress"),
        ] {
            assert_eq!(
                shown(typed(kind, written, &session())),
                (value.to_owned(), data_type.to_owned()),
                "{kind} {written}"
            );
        }
    }

    #[test]
    fn bytes_and_escapes() {
        assert_eq!(shown(binary("41 42")).0, "41 42");
        assert_eq!(shown(binary("ABC")).0, "SYNTAX_ERROR");
        assert_eq!(shown(binary("4G")).0, "SYNTAX_ERROR");
        assert_eq!(shown(unicode("\\00e9\\+01F600x\\\\", '\\')), ("é😀x\\".to_owned(), "varchar(4)".to_owned()));
        assert_eq!(shown(unicode("#00e9", '#')).0, "é");
        assert_eq!(shown(unicode("\\d800", '\\')).0, "SYNTAX_ERROR");
    }
}
