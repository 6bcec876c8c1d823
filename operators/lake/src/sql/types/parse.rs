//! Types from text: Trino's words (`row(a bigint, b varchar)`) and Hive's (`struct<a:bigint,b:string>`).
//!
//! Trino: <https://trino.io/docs/476/language/types.html>. Hive as Glue keeps it:
//! <https://docs.aws.amazon.com/athena/latest/ug/data-types.html>.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::sql::error::SqlError;

use super::Type;

/// The greatest length of `varchar(n)`.
const VARCHAR_LIMIT: u64 = 2_147_483_646;
/// The greatest length of `char(n)`.
const CHAR_LIMIT: u64 = 65_536;
/// The most digits of a second.
const PRECISION_LIMIT: u64 = 12;
/// The precision of a time type that is written without one.
const DEFAULT_PRECISION: u8 = 3;
/// How deep types may be nested: more is an attack, not a table.
const DEPTH_LIMIT: usize = 64;

impl Type {
    /// Reads a type in Trino's words, as in CAST: `decimal(10,2)`, `array(varchar)`, `ROW(a integer, "B" double)`.
    ///
    /// # Errors
    /// `TYPE_MISMATCH` with the unknown word, as Trino does; also for lengths and precisions out of range.
    pub fn from_trino(text: &str) -> Result<Self, SqlError> {
        let mut reader = Reader { rest: text, depth: 0 };
        let parsed = trino(&mut reader)?;
        reader.skip_blanks();
        if reader.rest.is_empty() { Ok(parsed) } else { Err(unknown_type(text)) }
    }

    /// Reads a type in Hive's words, as the catalog keeps it: `string`, `decimal(10,2)`, `map<string,array<int>>`.
    ///
    /// A Hive `timestamp` is a `timestamp(3)`, which is what Athena makes of it.
    ///
    /// # Errors
    /// `InvalidInput` with the place in the text, and what was expected there.
    pub fn from_hive(text: &str) -> Result<Self> {
        let mut reader = Reader { rest: text, depth: 0 };
        let parsed = hive(&mut reader).and_then(|parsed| {
            reader.skip_blanks();
            if reader.rest.is_empty() { Ok(parsed) } else { Err("the end of the type") }
        });
        parsed.map_err(|expected| {
            let position = text.len() - reader.rest.len() + 1;
            Error::new(
                ErrorKind::InvalidInput,
                "read column type",
                format!("expected {expected} at character {position} of the column type `{text}`"),
            )
        })
    }

    /// Writes the type in Hive's words; none for the types that only queries know (`time`, `json`, `interval …`,
    /// `timestamp with time zone`, `unknown`, rows without names, …).
    pub fn to_hive(&self) -> Option<String> {
        Some(match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Tinyint => "tinyint".to_owned(),
            Self::Smallint => "smallint".to_owned(),
            Self::Integer => "int".to_owned(),
            Self::Bigint => "bigint".to_owned(),
            Self::Real => "float".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Decimal(precision, scale) => format!("decimal({precision},{scale})"),
            Self::Varchar(None) => "string".to_owned(),
            // Hive's varchar ends at 65535; a longer one is kept as what it is to every reader: a string.
            Self::Varchar(Some(length)) if *length == 0 || *length > 65_535 => "string".to_owned(),
            Self::Varchar(Some(length)) => format!("varchar({length})"),
            // Hive's char ends at 255.
            Self::Char(length) if *length == 0 || *length > 255 => return None,
            Self::Char(length) => format!("char({length})"),
            Self::Varbinary => "binary".to_owned(),
            Self::Date => "date".to_owned(),
            // Hive's has milliseconds; what is finer would come back as another value.
            Self::Timestamp(digits) if *digits > 3 => return None,
            Self::Timestamp(_) => "timestamp".to_owned(),
            Self::Array(element) => format!("array<{}>", element.to_hive()?),
            Self::Map(key, value) => format!("map<{},{}>", key.to_hive()?, value.to_hive()?),
            Self::Row(fields) => {
                let mut text = String::from("struct<");
                for (index, (name, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    text.push_str(&name.as_ref()?.to_lowercase());
                    text.push(':');
                    text.push_str(&field.to_hive()?);
                }
                text.push('>');
                text
            }
            Self::Unknown
            | Self::Json
            | Self::Time(_)
            | Self::TimeTz(_)
            | Self::TimestampTz(_)
            | Self::IntervalDayToSecond
            | Self::IntervalYearToMonth
            | Self::Uuid
            | Self::IpAddress => return None,
        })
    }
}

/// The rest of a text that is being read.
struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a sign, after blanks.
    fn take(&mut self, sign: char) -> bool {
        self.skip_blanks();
        self.rest.strip_prefix(sign).map(|rest| self.rest = rest).is_some()
    }

    /// Takes an unquoted word.
    fn word(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let end = self
            .rest
            .char_indices()
            .find(|(index, character)| {
                !(character.is_alphabetic()
                    || *character == '_'
                    || (*index > 0 && (character.is_numeric() || *character == '$')))
            })
            .map_or(self.rest.len(), |(index, _)| index);
        if end == 0 {
            return None;
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(word)
    }

    /// Takes the words if all of them come next, in any case.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let before = self.rest;
        let all = words.iter().all(|expected| self.word().is_some_and(|word| word.eq_ignore_ascii_case(expected)));
        if !all {
            self.rest = before;
        }
        all
    }

    /// Takes `"…"`, with `""` for a quote.
    fn quoted(&mut self) -> Option<String> {
        self.skip_blanks();
        let mut name = String::new();
        let mut characters = self.rest.strip_prefix('"')?.chars();
        loop {
            match characters.next()? {
                '"' => {
                    if let Some(rest) = characters.as_str().strip_prefix('"') {
                        name.push('"');
                        characters = rest.chars();
                    } else {
                        self.rest = characters.as_str();
                        return Some(name);
                    }
                }
                character => name.push(character),
            }
        }
    }

    /// Takes a whole number.
    fn number(&mut self) -> Option<u64> {
        self.skip_blanks();
        let end = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(end);
        let number = digits.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    /// Takes `(a)`, `(a, b)` or nothing.
    fn numbers(&mut self) -> Option<Vec<u64>> {
        if !self.take('(') {
            return Some(Vec::new());
        }
        let mut numbers = vec![self.number()?];
        while self.take(',') {
            numbers.push(self.number()?);
        }
        self.take(')').then_some(numbers)
    }
}

fn unknown_type(text: &str) -> SqlError {
    SqlError::type_mismatch(format!("Unknown type: {text}"))
}

/// Reads one type in Trino's words, with the suffix `array` as often as it comes.
fn trino(reader: &mut Reader<'_>) -> Result<Type, SqlError> {
    reader.depth += 1;
    if reader.depth > DEPTH_LIMIT {
        return Err(SqlError::trino("SYNTAX_ERROR", format!("expected a type nested at most {DEPTH_LIMIT} deep")));
    }
    let mut parsed = trino_one(reader)?;
    while reader.take_words(&["array"]) {
        parsed = Type::Array(Arc::new(parsed));
    }
    reader.depth -= 1;
    Ok(parsed)
}

fn trino_one(reader: &mut Reader<'_>) -> Result<Type, SqlError> {
    let before = reader.rest;
    // A type's name may be quoted: "varchar"(3).
    let word = match reader.quoted() {
        Some(name) => name,
        None => reader.word().ok_or_else(|| unknown_type(before.trim()))?.to_owned(),
    }
    .to_ascii_lowercase();
    match word.as_str() {
        "array" => {
            let close = open(reader, before)?;
            let element = trino(reader)?;
            closed(reader, close, before)?;
            return Ok(Type::Array(Arc::new(element)));
        }
        "map" => {
            let close = open(reader, before)?;
            let key = trino(reader)?;
            if !reader.take(',') {
                return Err(unknown_type(before));
            }
            let value = trino(reader)?;
            closed(reader, close, before)?;
            return Ok(Type::Map(Arc::new(key), Arc::new(value)));
        }
        "row" => {
            let close = open(reader, before)?;
            let mut fields = Vec::new();
            loop {
                fields.push(trino_field(reader)?);
                if !reader.take(',') {
                    break;
                }
            }
            closed(reader, close, before)?;
            return Ok(Type::Row(fields.into()));
        }
        "interval" => {
            return if reader.take_words(&["day", "to", "second"]) {
                Ok(Type::IntervalDayToSecond)
            } else if reader.take_words(&["year", "to", "month"]) {
                Ok(Type::IntervalYearToMonth)
            } else {
                Err(unknown_type(before))
            };
        }
        _ => {}
    }
    if word == "double" {
        // The second word is noise.
        reader.take_words(&["precision"]);
    }
    let numbers = reader.numbers().ok_or_else(|| unknown_type(before))?;
    let zoned = matches!(word.as_str(), "time" | "timestamp") && reader.take_words(&["with", "time", "zone"]);
    if !zoned && matches!(word.as_str(), "time" | "timestamp") {
        reader.take_words(&["without", "time", "zone"]);
    }
    let unknown = || {
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        if numbers.is_empty() { unknown_type(&word) } else { unknown_type(&format!("{word}({})", numbers.join(", "))) }
    };
    match (word.as_str(), numbers.as_slice()) {
        ("decimal", []) => Ok(Type::Decimal(38, 0)),
        ("decimal", [precision]) => decimal(*precision, 0),
        ("decimal", [precision, scale]) => decimal(*precision, *scale),
        ("varchar", []) => Ok(Type::Varchar(None)),
        ("varchar", [length]) => match u32::try_from(*length) {
            Ok(_) if *length == VARCHAR_LIMIT + 1 => Ok(Type::Varchar(None)),
            Ok(length) if u64::from(length) <= VARCHAR_LIMIT => Ok(Type::Varchar(Some(length))),
            _ => Err(invalid(format!("Invalid VARCHAR length {length}"))),
        },
        ("char", []) => Ok(Type::Char(1)),
        ("char", [length]) => match u32::try_from(*length) {
            Ok(length) if u64::from(length) <= CHAR_LIMIT => Ok(Type::Char(length)),
            _ => Err(invalid(format!("CHAR length must be in range [0, {CHAR_LIMIT}], got {length}"))),
        },
        ("time", [] | [_]) => {
            let precision = second_digits("TIME", numbers.first())?;
            Ok(if zoned { Type::TimeTz(precision) } else { Type::Time(precision) })
        }
        ("timestamp", [] | [_]) => {
            let precision = second_digits("TIMESTAMP", numbers.first())?;
            Ok(if zoned { Type::TimestampTz(precision) } else { Type::Timestamp(precision) })
        }
        ("unknown", []) => Ok(Type::Unknown),
        ("boolean", []) => Ok(Type::Boolean),
        ("tinyint", []) => Ok(Type::Tinyint),
        ("smallint", []) => Ok(Type::Smallint),
        ("integer" | "int", []) => Ok(Type::Integer),
        ("bigint", []) => Ok(Type::Bigint),
        ("real", []) => Ok(Type::Real),
        ("double", []) => Ok(Type::Double),
        ("varbinary", []) => Ok(Type::Varbinary),
        ("json", []) => Ok(Type::Json),
        ("date", []) => Ok(Type::Date),
        ("uuid", []) => Ok(Type::Uuid),
        ("ipaddress", []) => Ok(Type::IpAddress),
        _ => Err(unknown()),
    }
}

/// Reads a field of a row: `name type`, `"Name" type` or a type alone.
fn trino_field(reader: &mut Reader<'_>) -> Result<(Option<String>, Type), SqlError> {
    let before = reader.rest;
    // A word may be a name or a type. It is a name when a whole type follows it.
    let name = reader.quoted().or_else(|| reader.word().map(str::to_lowercase));
    reader.skip_blanks();
    let type_follows = reader.rest.starts_with(|character: char| character.is_alphabetic() || character == '"');
    if let (Some(name), true) = (name, type_follows) {
        let depth = reader.depth;
        let after_name = reader.rest;
        let first_two_are_a_type = {
            let mut whole = Reader { rest: before, depth };
            trino(&mut whole).is_ok() && {
                whole.skip_blanks();
                whole.rest.starts_with([',', ')', '>'])
            }
        };
        if !first_two_are_a_type {
            reader.rest = after_name;
            reader.depth = depth;
            return Ok((Some(name), trino(reader)?));
        }
    }
    reader.rest = before;
    Ok((None, trino(reader)?))
}

fn open(reader: &mut Reader<'_>, before: &str) -> Result<char, SqlError> {
    if reader.take('(') {
        Ok(')')
    } else if reader.take('<') {
        Ok('>')
    } else {
        Err(unknown_type(before))
    }
}

fn closed(reader: &mut Reader<'_>, close: char, before: &str) -> Result<(), SqlError> {
    if reader.take(close) { Ok(()) } else { Err(unknown_type(before)) }
}

fn invalid(message: String) -> SqlError {
    SqlError::trino("INVALID_FUNCTION_ARGUMENT", message)
}

fn decimal(precision: u64, scale: u64) -> Result<Type, SqlError> {
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => Ok(Type::Decimal(precision, scale)),
        (Ok(1..=38), _) => {
            Err(invalid(format!("DECIMAL scale must be in range [0, precision ({precision})]: {scale}")))
        }
        _ => Err(invalid(format!("DECIMAL precision must be in range [1, 38]: {precision}"))),
    }
}

fn second_digits(name: &str, digits: Option<&u64>) -> Result<u8, SqlError> {
    let Some(digits) = digits else { return Ok(DEFAULT_PRECISION) };
    match u8::try_from(*digits) {
        Ok(precision) if *digits <= PRECISION_LIMIT => Ok(precision),
        _ => Err(invalid(format!("{name} precision must be in range [0, {PRECISION_LIMIT}]: {digits}"))),
    }
}

/// Reads one type in Hive's words; the error is what was expected.
fn hive(reader: &mut Reader<'_>) -> Result<Type, &'static str> {
    reader.depth += 1;
    if reader.depth > DEPTH_LIMIT {
        return Err("a type nested less deeply");
    }
    let before = reader.rest;
    let word = reader.word().unwrap_or_default().to_ascii_lowercase();
    let parsed = match word.as_str() {
        "boolean" => Type::Boolean,
        "tinyint" => Type::Tinyint,
        "smallint" => Type::Smallint,
        "int" | "integer" => Type::Integer,
        "bigint" => Type::Bigint,
        "float" => Type::Real,
        "double" => Type::Double,
        "string" => Type::Varchar(None),
        "binary" => Type::Varbinary,
        "date" => Type::Date,
        "timestamp" => Type::Timestamp(DEFAULT_PRECISION),
        "decimal" => match reader.numbers().ok_or("`(precision, scale)`")?.as_slice() {
            // Hive's own default.
            [] => Type::Decimal(10, 0),
            [precision] => decimal(*precision, 0).map_err(|_| "a precision from 1 to 38")?,
            [precision, scale] => {
                decimal(*precision, *scale).map_err(|_| "a precision from 1 to 38 and a scale up to the precision")?
            }
            _ => return Err("`(precision, scale)`"),
        },
        "varchar" | "char" => match reader.numbers().ok_or("`(length)`")?.as_slice() {
            [length] => match u32::try_from(*length) {
                Ok(length @ 1..=65_535) if word == "varchar" => Type::Varchar(Some(length)),
                Ok(length @ 1..=255) if word == "char" => Type::Char(length),
                _ => return Err("a length from 1 to 65535 for varchar, to 255 for char"),
            },
            _ => return Err("`(length)`"),
        },
        "array" => {
            expect(reader, '<', "`<`")?;
            let element = hive(reader)?;
            expect(reader, '>', "`>`")?;
            Type::Array(Arc::new(element))
        }
        "map" => {
            expect(reader, '<', "`<`")?;
            let key = hive(reader)?;
            expect(reader, ',', "`,`")?;
            let value = hive(reader)?;
            expect(reader, '>', "`>`")?;
            Type::Map(Arc::new(key), Arc::new(value))
        }
        "struct" => {
            expect(reader, '<', "`<`")?;
            let mut fields = Vec::new();
            loop {
                fields.push((Some(hive_field_name(reader)?), hive(reader)?));
                if !reader.take(',') {
                    break;
                }
            }
            expect(reader, '>', "`,` or `>`")?;
            Type::Row(fields.into())
        }
        _ => {
            reader.rest = before;
            return Err(
                "one of `boolean`, `tinyint`, `smallint`, `int`, `bigint`, `float`, `double`, `decimal(p,s)`, `string`, \
                 `varchar(n)`, `char(n)`, `binary`, `date`, `timestamp`, `array<…>`, `map<…,…>`, `struct<…:…>`",
            );
        }
    };
    reader.depth -= 1;
    Ok(parsed)
}

/// Takes the name of a field and its colon; Hive takes any sign but a colon in it.
fn hive_field_name(reader: &mut Reader<'_>) -> Result<String, &'static str> {
    reader.skip_blanks();
    let (name, rest) = reader.rest.split_once(':').ok_or("a field's name and `:`")?;
    let name = name.trim();
    if name.is_empty() || name.contains([',', '<', '>', '(', ')']) {
        return Err("a field's name and `:`");
    }
    reader.rest = rest;
    Ok(name.to_lowercase())
}

fn expect(reader: &mut Reader<'_>, sign: char, expected: &'static str) -> Result<(), &'static str> {
    if reader.take(sign) { Ok(()) } else { Err(expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trino_text_is_read_back_as_written() {
        for text in [
            "unknown",
            "boolean",
            "tinyint",
            "integer",
            "decimal(4,2)",
            "varchar",
            "varchar(3)",
            "char(5)",
            "time(3)",
            "time(0) with time zone",
            "timestamp(3)",
            "timestamp(6) with time zone",
            "interval day to second",
            "interval year to month",
            "array(array(varchar(1)))",
            "map(varchar(1), array(integer))",
            "row(id bigint, tags array(varchar), m map(integer, double))",
            "row(integer, varchar(1))",
            "row(\"My Field\" integer)",
            "row(\"a\"\"b\" timestamp(3) with time zone, interval day to second)",
            "row(time time(3), date date, x double)",
        ] {
            assert_eq!(Type::from_trino(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn trino_short_forms() {
        for (text, full) in [
            ("INT", "integer"),
            ("double precision", "double"),
            ("decimal", "decimal(38,0)"),
            ("decimal(5)", "decimal(5,0)"),
            ("char", "char(1)"),
            ("timestamp", "timestamp(3)"),
            ("TIMESTAMP WITH TIME ZONE", "timestamp(3) with time zone"),
            ("timestamp(6) without time zone", "timestamp(6)"),
            ("array<double>", "array(double)"),
            ("integer array", "array(integer)"),
            ("row(Id bigint, Name varchar(10))", "row(id bigint, name varchar(10))"),
            ("row(a double precision, double precision)", "row(a double, double)"),
        ] {
            assert_eq!(Type::from_trino(text).unwrap().to_string(), full);
        }
    }

    #[test]
    fn unknown_words_are_refused_by_trinos_name() {
        for (text, name, message) in [
            ("number", "TYPE_MISMATCH", "Unknown type: number"),
            ("dec(5,1)", "TYPE_MISMATCH", "Unknown type: dec(5, 1)"),
            ("float", "TYPE_MISMATCH", "Unknown type: float"),
            ("string", "TYPE_MISMATCH", "Unknown type: string"),
            ("decimal(39)", "INVALID_FUNCTION_ARGUMENT", "DECIMAL precision must be in range [1, 38]: 39"),
            ("timestamp(13)", "INVALID_FUNCTION_ARGUMENT", "TIMESTAMP precision must be in range [0, 12]: 13"),
        ] {
            let error = Type::from_trino(text).unwrap_err();
            assert_eq!((error.name(), error.message.as_str()), (name, message), "{text}");
        }
        assert!(Type::from_trino(&"array(".repeat(10_000)).is_err());
    }

    #[test]
    fn hive_text_goes_there_and_back() {
        for (hive, trino) in [
            ("string", "varchar"),
            ("int", "integer"),
            ("float", "real"),
            ("binary", "varbinary"),
            ("timestamp", "timestamp(3)"),
            ("decimal(10,2)", "decimal(10,2)"),
            ("varchar(10)", "varchar(10)"),
            ("char(3)", "char(3)"),
            ("map<string,array<int>>", "map(varchar, array(integer))"),
            ("struct<a:int,b c:struct<d:date>>", "row(a integer, \"b c\" row(d date))"),
        ] {
            let parsed = Type::from_hive(hive).unwrap();
            assert_eq!(parsed.to_string(), trino);
            assert_eq!(parsed.to_hive().as_deref(), Some(hive));
        }
        assert_eq!(Type::from_hive("DECIMAL").unwrap(), Type::Decimal(10, 0));
        for query_only in ["json", "time(3)", "timestamp(3) with time zone", "row(integer)", "array(unknown)"] {
            assert_eq!(Type::from_trino(query_only).unwrap().to_hive(), None, "{query_only}");
        }
    }

    #[test]
    fn hive_errors_say_where_and_what() {
        for (text, message) in [
            ("map<string>", "expected `,` at character 11 of the column type `map<string>`"),
            ("struct<int>", "expected a field's name and `:` at character 8 of the column type `struct<int>`"),
            ("int int", "expected the end of the type at character 5 of the column type `int int`"),
        ] {
            assert_eq!(Type::from_hive(text).unwrap_err().message, message);
        }
        assert!(
            Type::from_hive("array<varchar>").unwrap_err().message.starts_with("expected `(length)` at character 14")
        );
    }
}
