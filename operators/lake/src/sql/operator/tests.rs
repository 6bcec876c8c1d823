//! Operators against what a real Trino answered.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, UInt32Array};
use arrow::compute::take;

use super::*;
use crate::sql::cast;
use crate::sql::function::{Argument, Call, EvalError, Session};
use crate::sql::literal;
use crate::sql::text::display;

fn session(zone: &str) -> Session {
    Session { time_zone: zone.to_owned(), start_us: 0, database: None }
}

/// Reads an operand: `DATE 2024-01-01`, `'text'`, `1.5`, `NULL`, `{…} as type` (JSON cast on), `DAY 1` (an interval).
fn operand(written: &str, session: &Session) -> (Type, ArrayRef) {
    if let Some((json, data_type)) = written.split_once(" as ") {
        let to = Type::from_trino(data_type).unwrap();
        let value = literal::typed("JSON", json, session).unwrap().value.to_array().unwrap();
        let through_text = !matches!(to, Type::Array(_) | Type::Map(..) | Type::Row(_) | Type::Json);
        let value =
            cast::cast(session, &Type::Json, if through_text { &Type::Varchar(None) } else { &to }, &value).unwrap();
        let value = if through_text { cast::cast(session, &Type::Varchar(None), &to, &value).unwrap() } else { value };
        return (to, value);
    }
    let literal = match written.split_once(' ') {
        _ if written == "NULL" => return (Type::Unknown, Arc::new(arrow::array::NullArray::new(1))),
        _ if written.starts_with('\'') => literal::text(written.trim_matches('\'')),
        Some((unit @ ("DAY" | "HOUR" | "MINUTE" | "SECOND" | "YEAR" | "MONTH"), count)) => {
            literal::interval(count, false, &unit.to_lowercase(), None)
        }
        Some((kind, text)) => literal::typed(kind, text, session),
        None => literal::number(written),
    };
    let literal = literal.unwrap_or_else(|error| panic!("{written}: {error}"));
    (literal.data_type, literal.value.to_array().unwrap())
}

/// Computes an operator on constants and on columns; both must agree. Gives `value type`, or the error's name.
fn compute(zone: &str, operator: Operator, operands: &[&str]) -> String {
    let session = session(zone);
    let read: Vec<(Type, ArrayRef)> = operands.iter().map(|written| operand(written, &session)).collect();
    let types: Vec<Type> = read.iter().map(|(data_type, _)| data_type.clone()).collect();
    let resolved = match resolve(operator, &types) {
        Ok(resolved) => resolved,
        Err(error) => return error.name().to_owned(),
    };
    let run = |constant: bool| -> Result<String, EvalError> {
        let mut arguments = Vec::new();
        for ((from, array), to) in read.iter().zip(&resolved.arguments) {
            let array = cast::cast(&session, from, to, array)?;
            let array = if constant { array } else { take(&array, &UInt32Array::from(vec![0, 0, 0]), None)? };
            arguments.push(Argument { array, constant });
        }
        let call = Call { arguments: &resolved.arguments, returns: &resolved.returns, rows: 3, session: &session };
        let result = (resolved.kernel)(&call, &arguments)?;
        assert_eq!(result.len(), 3, "{operator:?} {operands:?}");
        assert_eq!(result.data_type(), &resolved.returns.to_arrow(), "{operator:?} {operands:?}");
        let shown = display(&resolved.returns, &result, 2).unwrap_or_else(|| "NULL".to_owned());
        Ok(format!("{shown} {}", resolved.returns))
    };
    let (columns, constants) = (run(false), run(true));
    assert_eq!(columns, constants, "{operator:?} {operands:?}");
    columns.unwrap_or_else(|error| error.name.to_owned())
}

fn check(operator: Operator, cases: &[(&str, &str, &str)]) {
    for (left, right, expected) in cases {
        assert_eq!(compute("UTC", operator, &[left, right]), *expected, "{left} {} {right}", operator.symbol());
    }
}

const RANGE: &str = "NUMERIC_VALUE_OUT_OF_RANGE";
const ZERO: &str = "DIVISION_BY_ZERO";
const MISMATCH: &str = "TYPE_MISMATCH";
const AMBIGUOUS: &str = "AMBIGUOUS_FUNCTION_CALL";
const INTERNAL: &str = "GENERIC_INTERNAL_ERROR";
const ARGUMENT: &str = "INVALID_FUNCTION_ARGUMENT";

#[test]
fn whole_numbers_are_checked() {
    check(
        Operator::Add,
        &[
            ("1", "1", "2 integer"),
            ("1", "BIGINT 1", "2 bigint"),
            ("TINYINT 1", "SMALLINT 1", "2 smallint"),
            ("9223372036854775807", "1", RANGE),
            ("2147483647", "1", RANGE),
            ("TINYINT 127", "TINYINT 1", RANGE),
            ("1", "NULL", "NULL integer"),
            ("NULL", "NULL", AMBIGUOUS),
            ("'5'", "5", MISMATCH),
        ],
    );
    check(
        Operator::Multiply,
        &[("SMALLINT 300", "SMALLINT 300", RANGE), ("9223372036854775807", "2", RANGE), ("NULL", "0", "NULL integer")],
    );
    check(
        Operator::Divide,
        &[
            ("7", "2", "3 integer"),
            ("-7", "2", "-3 integer"),
            ("7", "-2", "-3 integer"),
            ("1", "0", ZERO),
            ("-2147483648", "-1", INTERNAL),
            ("-9223372036854775808", "-1", RANGE),
            ("NULL", "0", "NULL integer"),
        ],
    );
    check(
        Operator::Modulus,
        &[
            ("-7", "3", "-1 integer"),
            ("7", "-3", "1 integer"),
            ("-2147483648", "-1", "0 integer"),
            ("5", "0", ZERO),
            ("5", "NULL", "NULL integer"),
        ],
    );
    assert_eq!(compute("UTC", Operator::Negate, &["-2147483648"]), RANGE);
    assert_eq!(compute("UTC", Operator::Negate, &["'a'"]), MISMATCH);
    assert_eq!(compute("UTC", Operator::Negate, &["DAY 1"]), "-1 00:00:00.000 interval day to second");
}

#[test]
fn decimals_are_exact() {
    check(
        Operator::Add,
        &[
            ("1", "1.5", "2.5 decimal(12,1)"),
            ("1.5", "BIGINT 1", "2.5 decimal(21,1)"),
            ("1.5", "1e0", "2.5 double"),
            ("1.5", "NULL", "NULL decimal(3,1)"),
            ("99999999999999999999999999999999999999 as decimal(38,0)", "1", RANGE),
            ("99999999999999999999999999999999999999 as decimal(38,0)", "\"0.1\" as decimal(38,38)", RANGE),
        ],
    );
    check(
        Operator::Subtract,
        &[
            ("1.25", "10.5", "-9.25 decimal(5,2)"),
            (
                "1 as decimal(38,0)",
                "\"0.5\" as decimal(38,38)",
                "0.50000000000000000000000000000000000000 decimal(38,38)",
            ),
        ],
    );
    check(
        Operator::Multiply,
        &[
            ("1.25", "10.50", "13.1250 decimal(7,4)"),
            ("1.5", "BIGINT 2", "3.0 decimal(21,1)"),
            ("DECIMAL 99999999999999999999999999999999999999", "10", RANGE),
            ("1 as decimal(38,20)", "1 as decimal(38,20)", ARGUMENT),
            ("1 as decimal(30,20)", "1 as decimal(30,10)", "1.000000000000000000000000000000 decimal(38,30)"),
        ],
    );
    check(
        Operator::Divide,
        &[
            ("1.00", "3", "0.33 decimal(3,2)"),
            ("10", "4.0", "2.5 decimal(12,1)"),
            ("1", "3.0", "0.3 decimal(12,1)"),
            ("1.0", "8", "0.1 decimal(2,1)"),
            ("2.0", "3", "0.7 decimal(2,1)"),
            ("-2.0", "3", "-0.7 decimal(2,1)"),
            ("5.00", "8", "0.63 decimal(3,2)"),
            ("1 as decimal(38,10)", "3", "0.3333333333 decimal(38,10)"),
            ("1 as decimal(38,10)", "3 as decimal(10,2)", "0.3333333333 decimal(38,10)"),
            ("99999999999999999999999999999999999999 as decimal(38,0)", "\"0.10\" as decimal(10,2)", RANGE),
            (
                "\"99999999999999999999999999999999.999999\" as decimal(38,6)",
                "\"1.000000\" as decimal(38,6)",
                "99999999999999999999999999999999.999999 decimal(38,6)",
            ),
            ("1.0", "0.0", ZERO),
        ],
    );
    check(
        Operator::Modulus,
        &[
            ("7.5", "2", "1.5 decimal(2,1)"),
            ("-7.5", "2", "-1.5 decimal(2,1)"),
            ("7.5", "-2.0", "1.5 decimal(2,1)"),
            ("1.0", "0.0", ZERO),
        ],
    );
}

#[test]
fn floating_numbers_never_fail() {
    check(
        Operator::Divide,
        &[("1e0", "0", "Infinity double"), ("-1e0", "0", "-Infinity double"), ("0e0", "0", "NaN double")],
    );
    check(
        Operator::Add,
        &[("REAL 1", "1", "2.0 real"), ("REAL 1", "1e0", "2.0 double"), ("REAL 1", "1.5", "2.5 real")],
    );
    check(Operator::Modulus, &[("-7.5e0", "2", "-1.5 double")]);
    check(Operator::Multiply, &[("1e308", "10", "Infinity double")]);
}

#[test]
fn dates_times_and_intervals() {
    check(
        Operator::Add,
        &[
            ("DATE 2024-01-31", "MONTH 1", "2024-02-29 date"),
            ("DATE 2024-01-01", "HOUR 48", "2024-01-03 date"),
            ("DATE 2024-01-01", "HOUR 1", ARGUMENT),
            ("DAY 1", "DATE 2024-01-01", "2024-01-02 date"),
            ("DATE 2024-01-01", "NULL", "NULL date"),
            ("DATE 2024-01-01", "1", MISMATCH),
            ("TIMESTAMP 2024-01-01 00:00:00", "HOUR 1", "2024-01-01 01:00:00.000 timestamp(3)"),
            ("TIMESTAMP 2024-01-31 10:00:00", "MONTH 1", "2024-02-29 10:00:00 timestamp(0)"),
            ("TIMESTAMP 2024-01-01 00:00:00.123456", "SECOND 1", "2024-01-01 00:00:01.123456 timestamp(6)"),
            ("TIMESTAMP 2024-01-01 00:00:00.123456789", "DAY 1", "2024-01-02 00:00:00.123456789 timestamp(9)"),
            ("TIME 23:30:00", "HOUR 1", "00:30:00.000 time(3)"),
            ("TIME 10:00:00 +09:00", "HOUR 20", "06:00:00.000+09:00 time(3) with time zone"),
            ("TIME 10:00:00", "MONTH 1", MISMATCH),
            (
                "TIMESTAMP 2024-03-10 01:59:59 America/New_York",
                "SECOND 1",
                "2024-03-10 03:00:00.000 America/New_York timestamp(3) with time zone",
            ),
            (
                "TIMESTAMP 2024-03-09 12:00:00 America/New_York",
                "DAY 1",
                "2024-03-10 13:00:00.000 America/New_York timestamp(3) with time zone",
            ),
            (
                "TIMESTAMP 2024-02-10 02:30:00 America/New_York",
                "MONTH 1",
                "2024-03-10 03:30:00 America/New_York timestamp(0) with time zone",
            ),
            ("DAY 1", "HOUR 12", "1 12:00:00.000 interval day to second"),
            ("YEAR 1", "MONTH 3", "1-3 interval year to month"),
            ("YEAR 100000000", "YEAR 100000000", INTERNAL),
            ("DAY 1", "MONTH 1", MISMATCH),
            ("DAY 1", "NULL", AMBIGUOUS),
        ],
    );
    check(
        Operator::Subtract,
        &[
            ("DATE 2024-03-31", "MONTH 1", "2024-02-29 date"),
            ("TIME 00:30:00", "HOUR 1", "23:30:00.000 time(3)"),
            ("DAY 1", "HOUR 36", "-0 12:00:00.000 interval day to second"),
            ("DATE 2024-01-01", "DATE 2024-03-01", "-60 00:00:00.000 interval day to second"),
            (
                "TIMESTAMP 2024-03-01 10:00:00",
                "TIMESTAMP 2024-02-28 12:30:15.5",
                "1 21:29:44.500 interval day to second",
            ),
            (
                "TIMESTAMP 2024-01-01 00:00:00",
                "TIMESTAMP 2024-01-01 00:00:00.0005",
                "0 00:00:00.000 interval day to second",
            ),
            (
                "TIMESTAMP 2024-01-01 00:00:00",
                "TIMESTAMP 2024-01-01 00:00:00.0006",
                "-0 00:00:00.001 interval day to second",
            ),
            (
                "TIMESTAMP 2024-03-31 10:00:00 Europe/Paris",
                "MONTH 1",
                "2024-02-29 10:00:00 Europe/Paris timestamp(0) with time zone",
            ),
            (
                "TIMESTAMP 2024-01-01 10:00:00 +09:00",
                "TIMESTAMP 2024-01-01 00:00:00 UTC",
                "0 01:00:00.000 interval day to second",
            ),
            ("TIME 01:00:00", "TIME 02:00:00", "-0 01:00:00.000 interval day to second"),
            ("TIMESTAMP 2024-01-01 00:00:00", "NULL", AMBIGUOUS),
            ("NULL", "DATE 2024-01-01", "NULL interval day to second"),
        ],
    );
    check(
        Operator::Multiply,
        &[
            ("3", "HOUR 1", "0 03:00:00.000 interval day to second"),
            ("DAY 1", "1.5", "1 12:00:00.000 interval day to second"),
            ("MONTH 3", "2", "0-6 interval year to month"),
            ("MONTH 1", "1.5", "0-1 interval year to month"),
            ("DAY 1", "DOUBLE NaN", ARGUMENT),
        ],
    );
    check(
        Operator::Divide,
        &[
            ("HOUR 1", "4", "0 00:15:00.000 interval day to second"),
            ("MONTH -3", "2", "-0-1 interval year to month"),
            ("SECOND 1", "3", "0 00:00:00.333 interval day to second"),
            ("DAY 1", "0", ARGUMENT),
            ("4", "DAY 1", MISMATCH),
        ],
    );
}

#[test]
fn comparisons() {
    let bad = "[1,null] as array(integer)";
    check(
        Operator::Equal,
        &[
            ("1.50", "1.5", "true boolean"),
            ("'1'", "1", MISMATCH),
            ("DATE 2024-01-01", "TIMESTAMP 2024-01-01 00:00:00", "true boolean"),
            ("TIMESTAMP 2024-01-01 00:00:00 +01:00", "TIMESTAMP 2023-12-31 23:00:00 UTC", "true boolean"),
            ("TIME 10:00:00 +09:00", "TIME 01:00:00 +00:00", "true boolean"),
            ("CHAR ab  ", "'ab'", "true boolean"),
            ("DOUBLE NaN", "DOUBLE NaN", "false boolean"),
            ("0e0", "-0e0", "true boolean"),
            (bad, bad, "NULL boolean"),
            (bad, "[2,null] as array(integer)", "false boolean"),
            ("[1,null] as row(integer, integer)", "[1,null] as row(integer, integer)", "NULL boolean"),
            ("[1,null] as row(integer, integer)", "[2,null] as row(integer, integer)", "false boolean"),
            (
                "{\"1\":\"a\",\"2\":\"b\"} as map(integer, varchar)",
                "{\"2\":\"b\",\"1\":\"a\"} as map(integer, varchar)",
                "true boolean",
            ),
            ("{\"1\":null} as map(integer, integer)", "{\"1\":null} as map(integer, integer)", "NULL boolean"),
            ("JSON {\"a\":1,\"b\":2}", "JSON {\"b\":2,\"a\":1}", "true boolean"),
            ("JSON 1.0", "JSON 1", "false boolean"),
            ("NULL", "NULL", "NULL boolean"),
            ("1", "NULL", "NULL boolean"),
        ],
    );
    check(
        Operator::LessThan,
        &[
            ("1.49", "1.5", "true boolean"),
            ("DATE 2024-01-01", "TIMESTAMP 2024-01-01 00:00:01", "true boolean"),
            ("DOUBLE NaN", "1e0", "false boolean"),
            ("1e0", "DOUBLE NaN", "false boolean"),
            ("CHAR ab", "CHAR ab  ", "false boolean"),
            ("CHAR a\t", "CHAR a  ", "true boolean"),
            ("CHAR ab  ", "'ab!'", "true boolean"),
            ("[1] as array(integer)", "[1,2] as array(integer)", "true boolean"),
            (bad, "[1,2] as array(integer)", "NOT_SUPPORTED"),
            (bad, "[2,null] as array(integer)", "true boolean"),
            ("[1] as array(integer)", "[1,null] as array(integer)", "true boolean"),
            ("[1,null] as row(integer, integer)", "[2,3] as row(integer, integer)", "true boolean"),
            ("[1,null] as row(integer, integer)", "[1,3] as row(integer, integer)", "NOT_SUPPORTED"),
            ("[\"NaN\"] as array(double)", "[1] as array(double)", "false boolean"),
            ("[1] as array(double)", "[\"NaN\"] as array(double)", "true boolean"),
            ("JSON 1", "JSON 2", MISMATCH),
            ("HOUR 23", "DAY 1", "true boolean"),
        ],
    );
    check(Operator::LessThanOrEqual, &[("DOUBLE NaN", "DOUBLE NaN", "false boolean"), ("2", "2", "true boolean")]);
    check(
        Operator::IsDistinctFrom,
        &[
            ("NULL", "NULL", "false boolean"),
            ("1", "NULL", "true boolean"),
            ("1", "1", "false boolean"),
            ("DOUBLE NaN", "DOUBLE NaN", "false boolean"),
            ("0e0", "-0e0", "false boolean"),
            (bad, bad, "false boolean"),
            ("TIMESTAMP 2024-01-01 10:00:00 +09:00", "TIMESTAMP 2024-01-01 01:00:00 UTC", "false boolean"),
        ],
    );
    assert_eq!(
        compute("Asia/Tokyo", Operator::Equal, &["TIMESTAMP 2024-01-01 09:00:00", "TIMESTAMP 2024-01-01 00:00:00 UTC"]),
        "true boolean"
    );
}

#[test]
fn subscripts() {
    check(
        Operator::Subscript,
        &[
            ("[10,20] as array(integer)", "2", "20 integer"),
            ("[10,null] as array(integer)", "2", "NULL integer"),
            ("[10,20] as array(integer)", "NULL", "NULL integer"),
            ("[10,20] as array(integer)", "0", ARGUMENT),
            ("[10,20] as array(integer)", "5", ARGUMENT),
            ("[10,20] as array(integer)", "-1", ARGUMENT),
            ("[10,20] as array(integer)", "'a'", MISMATCH),
            ("{\"a\":1,\"b\":2} as map(varchar, integer)", "'b'", "2 integer"),
            ("{\"a\":1} as map(varchar, integer)", "'z'", ARGUMENT),
            ("{\"a\":1} as map(varchar, integer)", "1", MISMATCH),
            ("{\"1\":7} as map(double, integer)", "1", "7 integer"),
            ("{\"1\":7} as map(integer, integer)", "BIGINT 1", "7 integer"),
            ("5", "1", MISMATCH),
        ],
    );
}

#[test]
fn zones_and_patterns() {
    check(
        Operator::AtTimeZone,
        &[
            ("TIMESTAMP 2024-07-01 12:00:00 UTC", "'+05:30'", "2024-07-01 17:30:00 +05:30 timestamp(0) with time zone"),
            ("TIMESTAMP 2024-07-01 12:00:00 UTC", "HOUR 2", "2024-07-01 14:00:00 +02:00 timestamp(0) with time zone"),
            ("TIMESTAMP 2024-07-01 12:00:00 UTC", "'Moon/Crater'", ARGUMENT),
            ("DATE 2024-01-01", "'UTC'", MISMATCH),
        ],
    );
    assert_eq!(
        compute("Asia/Tokyo", Operator::AtTimeZone, &["TIMESTAMP 2024-07-01 12:00:00", "'UTC'"]),
        "2024-07-01 03:00:00 UTC timestamp(0) with time zone"
    );
    check(
        Operator::Like,
        &[
            ("'hello'", "'h%o'", "true boolean"),
            ("NULL", "'a'", "NULL boolean"),
            ("'a'", "NULL", "NULL boolean"),
            ("CHAR ab  ", "'ab'", "false boolean"),
            ("CHAR ab  ", "'ab  '", "true boolean"),
            ("123", "'1%'", MISMATCH),
            ("'ab'", "CHAR ab", MISMATCH),
        ],
    );
    assert_eq!(compute("UTC", Operator::Like, &["'a%'", "'a#%'", "'#'"]), "true boolean");
    assert_eq!(compute("UTC", Operator::Like, &["'ab'", "'ab'", "'##'"]), ARGUMENT);
}

#[test]
fn rows_with_null_are_passed_over() {
    let session = session("UTC");
    let resolved = resolve(Operator::Divide, &[Type::Integer, Type::Integer]).unwrap();
    let left: ArrayRef = Arc::new(Int32Array::from(vec![Some(6), None, Some(8)]));
    // What lies under the NULL must not stop the others.
    let right: ArrayRef = Arc::new(Int32Array::from(vec![Some(2), Some(0), None]));
    let call = Call { arguments: &resolved.arguments, returns: &resolved.returns, rows: 3, session: &session };
    let arguments = [Argument { array: left, constant: false }, Argument { array: right, constant: false }];
    let expected: ArrayRef = Arc::new(Int32Array::from(vec![Some(3), None, None]));
    assert_eq!(&(resolved.kernel)(&call, &arguments).unwrap(), &expected);
}
