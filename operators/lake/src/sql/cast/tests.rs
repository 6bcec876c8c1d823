//! Casts against what a real Trino answered.

use std::sync::Arc;

use arrow::array::{Int32Array, StringArray};

use super::*;
use crate::sql::literal;
use crate::sql::text::display;

fn session(zone: &str) -> Session {
    // 2026-11-20 12:00 UTC
    Session { time_zone: zone.to_owned(), start_us: 1_795_176_000_000_000, database: None }
}

/// Casts `kind 'written'` to a type: its text, or the name of the error.
fn cast_in(zone: &str, kind: &str, written: &str, to: &str) -> String {
    let session = session(zone);
    let value = match kind {
        "number" => literal::number(written),
        "text" => literal::text(written),
        "unbounded" => literal::typed("VARCHAR", written, &session),
        other => literal::typed(other, written, &session),
    };
    let value = value.unwrap_or_else(|error| panic!("{kind} {written}: {error}"));
    let to = Type::from_trino(to).unwrap();
    if kernel(&value.data_type, &to).unwrap().is_none() {
        return "TYPE_MISMATCH".to_owned();
    }
    match cast(&session, &value.data_type, &to, &value.value.to_array().unwrap()) {
        Ok(array) => {
            assert_eq!(array.data_type(), &to.to_arrow(), "{kind} {written}");
            display(&to, &array, 0).unwrap_or_else(|| "NULL".to_owned())
        }
        Err(error) => error.name.to_owned(),
    }
}

fn cast_text(kind: &str, written: &str, to: &str) -> String {
    cast_in("UTC", kind, written, to)
}

const INVALID: &str = "INVALID_CAST_ARGUMENT";
const RANGE: &str = "NUMERIC_VALUE_OUT_OF_RANGE";
const INTERNAL: &str = "GENERIC_INTERNAL_ERROR";

#[test]
fn numbers() {
    for (kind, written, to, expected) in [
        ("BOOLEAN", "true", "integer", "1"),
        ("BOOLEAN", "true", "decimal(5,2)", "1.00"),
        ("BOOLEAN", "true", "decimal(2,2)", "1.00"),
        ("BOOLEAN", "true", "real", "1.0"),
        ("number", "70000", "tinyint", RANGE),
        ("number", "127", "tinyint", "127"),
        ("number", "2", "boolean", "true"),
        ("number", "5", "decimal(10,3)", "5.000"),
        ("number", "1000", "decimal(3,0)", INVALID),
        ("number", "9007199254740993", "double", "9.007199254740992E15"),
        ("number", "16777217", "real", "1.6777216E7"),
        ("number", "2.5e0", "integer", "3"),
        ("number", "-2.5e0", "integer", "-3"),
        ("number", "-0.5e0", "bigint", "-1"),
        ("number", "1e10", "integer", RANGE),
        ("number", "300e0", "tinyint", RANGE),
        ("number", "9.3e18", "bigint", INVALID),
        ("number", "9223372036854775807e0", "bigint", INVALID),
        ("DOUBLE", "NaN", "integer", INVALID),
        ("DOUBLE", "NaN", "bigint", INVALID),
        ("DOUBLE", "Infinity", "integer", RANGE),
        ("DOUBLE", "NaN", "boolean", "true"),
        ("REAL", "Infinity", "bigint", "9223372036854775807"),
        ("REAL", "Infinity", "smallint", RANGE),
        ("REAL", "NaN", "bigint", INVALID),
        ("REAL", "-2.5", "bigint", "-3"),
        ("REAL", "0.1", "double", "0.10000000149011612"),
        ("number", "1e300", "real", "Infinity"),
        ("number", "1.005e0", "decimal(5,2)", "1.01"),
        ("number", "0.1e0", "decimal(38,37)", "0.1000000000000000000000000000000000000"),
        ("number", "123456789.125e0", "decimal(18,2)", "123456789.13"),
        ("number", "1e22", "decimal(38,5)", "10000000000000000000000.00000"),
        ("number", "1e0", "decimal(38,38)", RANGE),
        ("number", "1e10", "decimal(5,2)", INVALID),
        ("DOUBLE", "NaN", "decimal(5,2)", INVALID),
        ("REAL", "0.1", "decimal(10,9)", "0.100000000"),
        ("REAL", "1.115", "decimal(5,2)", "1.12"),
        ("number", "12.75", "tinyint", "13"),
        ("number", "-12.5", "integer", "-13"),
        ("number", "-12.4", "integer", "-12"),
        ("number", "127.5", "tinyint", INVALID),
        ("number", "99999999999.0", "integer", INVALID),
        ("number", "12.345", "decimal(4,1)", "12.3"),
        ("number", "-12.35", "decimal(4,1)", "-12.4"),
        ("number", "12.5", "decimal(10,5)", "12.50000"),
        ("number", "99.95", "decimal(3,1)", INVALID),
        ("DECIMAL", "12345678901234567890.12", "double", "1.2345678901234567E19"),
        ("DECIMAL", "9007199254740993", "double", "9.007199254740992E15"),
        ("DECIMAL", "90071992547409930000000001", "double", "9.007199254740994E25"),
        ("DECIMAL", "0.1", "double", "0.1"),
        ("DECIMAL", "1.10", "real", "1.1"),
        ("number", "0.00", "boolean", "false"),
        ("number", "0.01", "boolean", "true"),
        ("number", "12.75", "time", "TYPE_MISMATCH"),
    ] {
        assert_eq!(cast_text(kind, written, to), expected, "{kind} {written} to {to}");
    }
}

#[test]
fn from_text() {
    for (written, to, expected) in [
        ("true", "boolean", "true"),
        ("F", "boolean", "false"),
        ("yes", "boolean", INVALID),
        (" true", "boolean", INVALID),
        ("", "integer", INVALID),
        ("12a", "bigint", INVALID),
        ("2147483648", "integer", INVALID),
        ("1e3", "bigint", INVALID),
        ("+5", "integer", "5"),
        ("0007", "tinyint", "7"),
        (" 5", "integer", "5"),
        ("\t5 ", "integer", "5"),
        ("\u{a0}5", "integer", INVALID),
        ("５", "integer", "UNSUPPORTED_BY_EMBEDDED_ENGINE"),
        ("5.0", "integer", INVALID),
        ("", "double", INVALID),
        (" 1.5 ", "double", "1.5"),
        ("1.5f", "double", "1.5"),
        ("1d", "double", "1.0"),
        ("1.", "double", "1.0"),
        (".5", "double", "0.5"),
        ("1e400", "double", "Infinity"),
        ("+Infinity", "double", "Infinity"),
        (" Infinity ", "real", "Infinity"),
        ("NaN", "double", "NaN"),
        ("nan", "double", INVALID),
        ("inf", "double", INVALID),
        ("0x10", "double", INVALID),
        ("2147483648", "real", "2.1474836E9"),
        ("1.234", "decimal(10,2)", "1.23"),
        ("1.235", "decimal(10,2)", "1.24"),
        ("-1.235", "decimal(10,2)", "-1.24"),
        ("1.5e2", "decimal(10,2)", "150.00"),
        ("-.5e1", "decimal(5,2)", "-5.00"),
        ("5.", "decimal(5,2)", "5.00"),
        ("abc", "decimal(4,0)", INVALID),
        (" 5 ", "decimal(5,2)", INVALID),
        ("1e", "decimal(5,2)", INVALID),
        ("12345", "decimal(5,2)", INVALID),
        ("999.995", "decimal(5,2)", INVALID),
        ("1e-400", "decimal(5,2)", "0.00"),
        ("1e400", "decimal(5,2)", INVALID),
        ("2024-02-29", "date", "2024-02-29"),
        (" 2024-02-29 ", "date", "2024-02-29"),
        ("20240229", "date", INVALID),
        ("2024-05-17 10:00:00", "date", INVALID),
        ("2024-02-29 10:11:12", "timestamp", "2024-02-29 10:11:12.000"),
        ("2024-02-29 10:11:12.3456", "timestamp", "2024-02-29 10:11:12.346"),
        ("2024-02-29 10:11:12.3456", "timestamp(6)", "2024-02-29 10:11:12.345600"),
        ("2024-02-29 10:11:12.9996", "timestamp(3)", "2024-02-29 10:11:13.000"),
        ("2024-02-29 10:11:12 UTC", "timestamp", "2024-02-29 10:11:12.000"),
        ("2024-02-29 10:11:12 Asia/Tokyo", "timestamp", "2024-02-29 10:11:12.000"),
        ("2024-03-10 02:30:00 America/New_York", "timestamp", "2024-03-10 03:30:00.000"),
        (" 2024-02-29 10:11:12", "timestamp", "2024-02-29 10:11:12.000"),
        ("29.02.2024", "timestamp", INVALID),
        ("2024-02-29 10:11:12 Mars/X", "timestamp", INVALID),
        ("2024-02-29 10:11:12", "timestamp with time zone", "2024-02-29 10:11:12.000 UTC"),
        (
            "2024-03-10 02:30:00 America/New_York",
            "timestamp with time zone",
            "2024-03-10 03:30:00.000 America/New_York",
        ),
        ("2024-02-29T10:11:12Z", "timestamp with time zone", INVALID),
        ("10:11", "time", "10:11:00.000"),
        ("10:11:12.98765", "time(6)", "10:11:12.987650"),
        ("  10:11:12", "time", INVALID),
        ("10:11:12 +09:00", "time", INVALID),
        ("10:11:12 +09:00", "time with time zone", "10:11:12.000+09:00"),
        ("10:11:12", "time with time zone", "10:11:12.000+00:00"),
        ("é", "varbinary", "c3 a9"),
        ("abc", "varchar(2)", "ab"),
        ("ab ", "varchar(5)", "ab "),
        ("ab", "char(4)", "ab  "),
        ("abcdef", "char(3)", "abc"),
        ("1", "json", "\"1\""),
        ("0F8FAD5B-d9cb-469f-a165-70867728950e", "uuid", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("not-a-uuid", "uuid", INVALID),
        ("1.2.3", "ipaddress", INVALID),
        ("::ffff:1.2.3.4", "ipaddress", "1.2.3.4"),
        ("1", "map(varchar, varchar)", "TYPE_MISMATCH"),
        ("1 00:00:00.000", "interval day to second", "TYPE_MISMATCH"),
    ] {
        assert_eq!(cast_text("unbounded", written, to), expected, "'{written}' to {to}");
    }
}

#[test]
fn to_text() {
    for (kind, written, to, expected) in [
        ("BOOLEAN", "false", "varchar(5)", "false"),
        ("BOOLEAN", "true", "varchar(3)", INTERNAL),
        ("number", "12345", "varchar(3)", INVALID),
        ("number", "100", "varchar(3)", "100"),
        ("number", "1.50", "varchar(4)", "1.50"),
        ("number", "1.5", "varchar(2)", INVALID),
        ("number", "1e0", "varchar(2)", INVALID),
        ("number", "123e0", "varchar(7)", "1.23E2"),
        ("number", "-0e0", "varchar", "-0E0"),
        ("REAL", "100000000", "varchar", "1.0E8"),
        ("DATE", "0099-02-01", "varchar", "0099-02-01"),
        ("DATE", "12024-01-01", "varchar", "12024-01-01"),
        ("DATE", "2024-01-01", "varchar(5)", INVALID),
        ("TIMESTAMP", "2024-01-01 00:00:00", "varchar(10)", INTERNAL),
        ("TIMESTAMP", "12024-01-01 00:00:00", "varchar", "+12024-01-01 00:00:00"),
        ("TIMESTAMP", "2024-02-29 01:00:00.25 Europe/Paris", "varchar", "2024-02-29 01:00:00.25 Europe/Paris"),
        ("TIME", "10:11:12.55 +09:00", "varchar", "10:11:12.55+09:00"),
        ("number", "1", "char(3)", "TYPE_MISMATCH"),
        ("DATE", "2024-01-01", "char(12)", "TYPE_MISMATCH"),
        ("CHAR", "ab  ", "varchar", "ab  "),
        ("CHAR", "ab  ", "varchar(3)", "ab "),
        ("CHAR", "ab  ", "varchar(1)", "a"),
        ("CHAR", "12", "integer", "TYPE_MISMATCH"),
        ("CHAR", "12", "varbinary", "TYPE_MISMATCH"),
        ("JSON", "\"a\"", "varchar", "a"),
        ("JSON", "1.50", "varchar", "1.5E0"),
        ("JSON", "12345678901234567890", "varchar", "12345678901234567890"),
        ("JSON", "null", "varchar", "NULL"),
        ("JSON", "[1]", "varchar", INVALID),
        ("JSON", "\"abc\"", "varchar(2)", INTERNAL),
    ] {
        assert_eq!(cast_text(kind, written, to), expected, "{kind} {written} to {to}");
    }
}

#[test]
fn times() {
    for (kind, written, to, expected) in [
        ("DATE", "2024-02-29", "timestamp(0)", "2024-02-29 00:00:00"),
        ("DATE", "2024-02-29", "timestamp(6) with time zone", "2024-02-29 00:00:00.000000 UTC"),
        ("DATE", "2024-02-29", "time", "TYPE_MISMATCH"),
        ("TIMESTAMP", "1969-12-31 23:00:00", "date", "1969-12-31"),
        ("TIMESTAMP", "2024-02-29 10:11:12", "bigint", "TYPE_MISMATCH"),
        ("TIMESTAMP", "2024-02-29 23:59:59.9996", "timestamp(3)", "2024-03-01 00:00:00.000"),
        ("TIMESTAMP", "1969-12-31 23:59:59.9995", "timestamp(3)", "1970-01-01 00:00:00.000"),
        ("TIMESTAMP", "1969-12-31 23:59:59.99949", "timestamp(3)", "1969-12-31 23:59:59.999"),
        ("TIMESTAMP", "2024-02-29 10:11:12.345678901", "timestamp(6)", "2024-02-29 10:11:12.345679"),
        ("TIMESTAMP", "2024-02-29 10:11:12.345678501", "timestamp(3)", "2024-02-29 10:11:12.346"),
        ("TIMESTAMP", "2024-02-29 10:11:12.345678", "timestamp(9)", "2024-02-29 10:11:12.345678000"),
        ("TIMESTAMP", "2024-02-29 23:59:59.99", "time(0)", "00:00:00"),
        ("TIMESTAMP", "2024-02-29 22:11:12.345 -05:00", "date", "2024-02-29"),
        ("TIMESTAMP", "2024-02-29 22:11:12.345 -05:00", "timestamp", "2024-02-29 22:11:12.345"),
        ("TIMESTAMP", "2024-02-29 10:11:12.9 Asia/Tokyo", "time with time zone", "10:11:12.900+09:00"),
        (
            "TIMESTAMP",
            "2024-01-01 10:00:00.123456 Asia/Tokyo",
            "timestamp(3) with time zone",
            "2024-01-01 10:00:00.123 Asia/Tokyo",
        ),
        ("TIME", "23:59:59.9996", "time(3)", "00:00:00.000"),
        ("TIME", "10:11:12", "timestamp", "2026-11-20 10:11:12.000"),
        ("TIME", "10:11:12 +09:00", "time", "10:11:12.000"),
        ("TIME", "10:11:12.55 +09:00", "time(1) with time zone", "10:11:12.6+09:00"),
        ("TIME", "10:11:12 -11:00", "timestamp with time zone", "2026-11-20 10:11:12.000 -11:00"),
    ] {
        assert_eq!(cast_text(kind, written, to), expected, "{kind} {written} to {to}");
    }
    for (zone, kind, written, to, expected) in [
        (
            "Asia/Tokyo",
            "TIMESTAMP",
            "2024-07-01 12:00:00",
            "timestamp with time zone",
            "2024-07-01 12:00:00.000 Asia/Tokyo",
        ),
        ("Asia/Tokyo", "TIMESTAMP", "2024-07-01 22:00:00 UTC", "date", "2024-07-01"),
        ("Asia/Tokyo", "unbounded", "2024-01-01 00:00:00 UTC", "timestamp", "2024-01-01 00:00:00.000"),
        (
            "America/New_York",
            "TIMESTAMP",
            "2024-03-10 02:30:00",
            "timestamp with time zone",
            "2024-03-10 03:30:00.000 America/New_York",
        ),
        (
            "America/Sao_Paulo",
            "DATE",
            "2018-11-04",
            "timestamp with time zone",
            "2018-11-04 01:00:00.000 America/Sao_Paulo",
        ),
        ("America/New_York", "TIME", "10:11:12", "time with time zone", "10:11:12.000-05:00"),
    ] {
        assert_eq!(cast_in(zone, kind, written, to), expected, "{kind} {written} to {to} in {zone}");
    }
}

#[test]
fn json() {
    for (written, to, expected) in [
        ("12", "integer", "12"),
        ("\"12\"", "integer", "12"),
        ("12.7", "integer", "13"),
        ("-2.5", "bigint", "-3"),
        ("true", "integer", "1"),
        ("null", "integer", "NULL"),
        ("300", "tinyint", INVALID),
        ("3e9", "integer", INVALID),
        ("1e20", "bigint", INVALID),
        ("\"x\"", "integer", INVALID),
        ("\"1.5\"", "double", "1.5"),
        ("1e400", "real", "Infinity"),
        ("1.555", "decimal(5,2)", "1.56"),
        ("true", "decimal(5,2)", "1.00"),
        ("12345", "decimal(5,2)", INVALID),
        ("0.0", "boolean", "false"),
        ("\"false\"", "boolean", "false"),
        ("\"yes\"", "boolean", INVALID),
        ("[]", "boolean", INVALID),
        ("[1,null,\"2\"]", "array(integer)", "[1, null, 2]"),
        ("{\"a\":1,\"b\":null}", "map(varchar, integer)", "{a=1, b=null}"),
        ("{\"1\":[true]}", "map(bigint, array(boolean))", "{1=[true]}"),
        ("{\"a\":1,\"B\":\"x\",\"c\":2}", "row(a integer, b varchar)", "{a=1, b=x}"),
        ("[1,\"x\"]", "row(a integer, b varchar)", "{a=1, b=x}"),
        ("[1]", "row(a integer, b varchar)", INVALID),
        ("{\"a\":1}", "array(integer)", INVALID),
        ("1", "map(varchar, varchar)", INVALID),
        ("{\"1\":1,\"01\":2}", "map(integer, integer)", INVALID),
        ("[[1],{\"a\":2}]", "array(json)", "[[1], {\"a\":2}]"),
        ("null", "array(integer)", "NULL"),
        ("\"2024-01-01\"", "date", "TYPE_MISMATCH"),
        ("1", "timestamp with time zone", "TYPE_MISMATCH"),
        ("[1]", "array(time)", "TYPE_MISMATCH"),
    ] {
        assert_eq!(cast_text("JSON", written, to), expected, "{written} to {to}");
    }
    for (kind, written, expected) in [
        ("number", "1e0", "1.0"),
        ("number", "1.50", "1.50"),
        ("number", "1e20", "1.0E20"),
        ("DOUBLE", "NaN", "\"NaN\""),
        ("REAL", "1.1", "1.1"),
        ("BOOLEAN", "true", "true"),
        ("DATE", "2024-02-29", "\"2024-02-29\""),
        ("TIMESTAMP", "2024-02-29 10:11:12.345", "\"2024-02-29 10:11:12.345\""),
        ("text", "a\"b\\é\u{1}\n", "\"a\\\"b\\\\é\\u0001\\n\""),
        ("TIMESTAMP", "2024-01-01 00:00:00 UTC", "TYPE_MISMATCH"),
        ("TIME", "10:00:00", "TYPE_MISMATCH"),
        ("CHAR", "ab", "TYPE_MISMATCH"),
    ] {
        assert_eq!(cast_text(kind, written, "json"), expected, "{kind} {written}");
    }
}

/// Builds nested values by way of JSON, and casts them on.
fn nested(json: &str, from: &str, to: &str) -> String {
    let session = session("UTC");
    let (from, to) = (Type::from_trino(from).unwrap(), Type::from_trino(to).unwrap());
    let texts: ArrayRef = Arc::new(StringArray::from(vec![json]));
    let value = cast(&session, &Type::Json, &from, &texts).unwrap();
    if kernel(&from, &to).unwrap().is_none() {
        return "TYPE_MISMATCH".to_owned();
    }
    match cast(&session, &from, &to, &value) {
        Ok(array) => {
            assert_eq!(array.data_type(), &to.to_arrow());
            display(&to, &array, 0).unwrap_or_else(|| "NULL".to_owned())
        }
        Err(error) => error.name.to_owned(),
    }
}

#[test]
fn nested_values() {
    for (json, from, to, expected) in [
        ("[\"1\",\"2\",null]", "array(varchar)", "array(integer)", "[1, 2, null]"),
        ("[1,2]", "array(integer)", "array(varchar)", "[1, 2]"),
        ("[1,2]", "array(integer)", "varchar", "TYPE_MISMATCH"),
        ("[\"x\"]", "array(varchar)", "array(integer)", INVALID),
        ("{\"1\":1,\"2\":2}", "map(varchar, integer)", "map(integer, varchar)", "{1=1, 2=2}"),
        ("{\"1\":1,\"01\":2}", "map(varchar, integer)", "map(integer, integer)", INVALID),
        ("[1,\"x\"]", "row(integer, varchar)", "row(a bigint, b varchar)", "{a=1, b=x}"),
        ("[1,2]", "row(integer, integer)", "row(a integer)", "TYPE_MISMATCH"),
        ("[1,\"x\"]", "row(integer, varchar)", "json", "{\"\":1,\"\":\"x\"}"),
        ("[1,\"a\",null]", "row(id integer, name varchar, z double)", "json", "{\"id\":1,\"name\":\"a\",\"z\":null}"),
        ("{\"b\":1.5,\"a\":null}", "map(varchar, decimal(2,1))", "json", "{\"a\":null,\"b\":1.5}"),
        ("{\"10\":1,\"9\":2}", "map(integer, integer)", "json", "{\"10\":1,\"9\":2}"),
        ("[1,null]", "array(integer)", "json", "[1,null]"),
    ] {
        assert_eq!(nested(json, from, to), expected, "{json} {from} to {to}");
    }
}

#[test]
fn try_cast_makes_null_of_bad_rows_only() {
    let session = session("UTC");
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1"), Some("x"), None, Some("3"), Some("")]));
    let (from, to) = (Type::Varchar(None), Type::Integer);
    let code = try_kernel(&from, &to).unwrap().unwrap();
    let call = Call { arguments: &[from], returns: &to, rows: 5, session: &session };
    let cast = code(&call, &[Argument { array: texts, constant: false }]).unwrap();
    let expected: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, None, Some(3), None]));
    assert_eq!(&cast, &expected);
}

#[test]
fn hidden_values_do_not_fail() {
    // The second row is NULL, and a text that is no number lies under it.
    let session = session("UTC");
    let mut builder = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    builder.append_value([Some("1")]);
    builder.append_value([Some("x")]);
    builder.append_value([Some("2")]);
    let list = builder.finish();
    let masked = arrow::array::ListArray::new(
        Arc::new(arrow::datatypes::Field::new("item", arrow::datatypes::DataType::Utf8, true)),
        list.offsets().clone(),
        Arc::clone(list.values()),
        Some(arrow::buffer::NullBuffer::from(vec![true, false, true])),
    );
    let (from, to) = (Type::from_trino("array(varchar)").unwrap(), Type::from_trino("array(integer)").unwrap());
    let masked: ArrayRef = Arc::new(masked);
    let cast_all = cast(&session, &from, &to, &masked).unwrap();
    assert_eq!(display(&to, &cast_all, 2).unwrap(), "[2]");
    let cast_slice = cast(&session, &from, &to, &masked.slice(2, 1)).unwrap();
    assert_eq!(display(&to, &cast_slice, 0).unwrap(), "[2]");
}

#[test]
fn what_cannot_be_held_is_refused_by_name() {
    for to in ["timestamp(12)", "time(9)", "timestamp(9) with time zone"] {
        assert!(kernel(&Type::Varchar(None), &Type::from_trino(to).unwrap()).is_err(), "{to}");
    }
}
