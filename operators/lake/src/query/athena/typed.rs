//! From the texts of a result to typed columns.
//!
//! Athena says of nested columns only that they are `array`, `map` or `row`: they stay the text that it prints.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, NullArray, StringArray};
use arrow::record_batch::RecordBatch;
use aws_sdk_athena::types::ColumnInfo;

use super::csv::Record;
use crate::error::Result;
use crate::query::ResultColumn;
use crate::query::typed::{TypedColumns, is_of_texts};
use crate::sql::Type;

/// The precision of a `varchar` without a bound: <https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html>
/// gives numbers only; this is Java's largest `int`, as every client of Athena sees it.
const UNBOUNDED: i32 = i32::MAX;

/// Makes the columns of a result that begins with `first` rows.
///
/// Athena calls every timestamp `timestamp(3)`; how many digits its type has is seen from the first value, because Trino
/// prints all values of a column with as many.
pub(super) fn columns_of(infos: &[ColumnInfo], first: &[Record]) -> TypedColumns {
    let column = |(index, info): (usize, &ColumnInfo)| {
        let value = first.iter().find_map(|record| record.get(index)?.as_deref());
        ResultColumn::of_result(index, info.name.clone(), readable(of_info(info), value))
    };
    TypedColumns::new(infos.iter().enumerate().map(column).collect())
}

/// Makes a batch of rows.
///
/// # Errors
/// `InvalidData` for a value that its type has no room for.
pub(super) fn batch(columns: &TypedColumns, records: &[Record]) -> Result<RecordBatch> {
    columns.batch_of(records.len(), |index, data_type| {
        let values = records.iter().map(|record| record.get(index).and_then(|value| value.as_deref()));
        Ok(match data_type {
            Type::Unknown => Arc::new(NullArray::new(records.len())) as ArrayRef,
            Type::Varbinary => {
                let bytes = values.map(|value| value.map(hexadecimal).transpose());
                Arc::new(bytes.collect::<Result<Vec<_>, _>>()?.iter().map(Option::as_deref).collect::<BinaryArray>())
            }
            other => columns.of_texts(other, values.collect::<StringArray>())?,
        })
    })
}

/// Reads the type that Athena gives a column.
fn of_info(info: &ColumnInfo) -> Type {
    let length = u32::try_from(info.precision).unwrap_or(0);
    let bounded = (info.precision != UNBOUNDED && length > 0).then_some(length);
    match info.r#type.to_ascii_lowercase().as_str() {
        "varchar" | "string" => Type::Varchar(bounded),
        "char" => Type::Char(length),
        "float" | "real" => Type::Real,
        "int" | "integer" => Type::Integer,
        "decimal" => {
            Type::Decimal(u8::try_from(info.precision).unwrap_or(38).min(38), u8::try_from(info.scale).unwrap_or(0))
        }
        "timestamp" => Type::Timestamp(3),
        "timestamp with time zone" => Type::TimestampTz(3),
        "time" => Type::Time(3),
        "array" | "map" | "row" => Type::Varchar(None),
        // `bigint`, `date`, `uuid` and the like are written as Trino does.
        other => Type::from_trino(other).unwrap_or(Type::Varchar(None)),
    }
}

/// Returns the type that texts are read as: with as many digits of a second as a value shows; text for what has no cast.
fn readable(data_type: Type, value: Option<&str>) -> Type {
    let digits = || value.map_or(3, second_digits);
    let data_type = match data_type {
        Type::Timestamp(_) => Type::Timestamp(digits()),
        Type::TimestampTz(_) => Type::TimestampTz(digits()),
        Type::Time(_) => Type::Time(digits()),
        other => other,
    };
    let is_known = matches!(data_type, Type::Unknown | Type::Varbinary) || is_of_texts(&data_type);
    if is_known { data_type } else { Type::Varchar(None) }
}

/// Counts the digits behind the point of the seconds.
fn second_digits(value: &str) -> u8 {
    let digits = value.split_once('.').map_or("", |(_, behind)| behind);
    let digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    u8::try_from(digits).unwrap_or(12).min(12)
}

/// Reads `41 42`, as Athena prints bytes.
fn hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| format!("`{text}` is not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::text::display;

    fn info(name: &str, data_type: &str, precision: i32, scale: i32) -> ColumnInfo {
        ColumnInfo::builder().name(name).r#type(data_type).precision(precision).scale(scale).build().unwrap()
    }

    #[test]
    fn texts_become_values_and_print_as_they_were() {
        for (data_type, precision, scale, expected, value) in [
            ("boolean", 0, 0, "boolean", "true"),
            ("tinyint", 3, 0, "tinyint", "-7"),
            ("integer", 10, 0, "integer", "2147483647"),
            ("bigint", 19, 0, "bigint", "-9223372036854775808"),
            ("float", 17, 0, "real", "1.5"),
            ("double", 17, 0, "double", "1.0E10"),
            ("double", 17, 0, "double", "Infinity"),
            ("decimal", 10, 2, "decimal(10,2)", "12345678.90"),
            ("varchar", i32::MAX, 0, "varchar", "a,\"b\""),
            ("varchar", 3, 0, "varchar(3)", ""),
            ("char", 4, 0, "char(4)", "ab  "),
            ("varbinary", 0, 0, "varbinary", "41 0a ff"),
            ("date", 0, 0, "date", "2024-02-29"),
            ("timestamp", 3, 0, "timestamp(3)", "2024-02-29 01:02:03.004"),
            ("timestamp", 3, 0, "timestamp(6)", "2024-02-29 01:02:03.000456"),
            ("timestamp", 3, 0, "timestamp(0)", "2024-02-29 01:02:03"),
            ("timestamp with time zone", 3, 0, "timestamp(3) with time zone", "2024-02-29 01:02:03.004 UTC"),
            ("json", 0, 0, "json", "{\"a\":1}"),
            ("array", 0, 0, "varchar", "[1, 2]"),
            ("row", 0, 0, "varchar", "{a=1, b=null}"),
            ("interval day to second", 0, 0, "varchar", "1 00:00:00.000"),
            ("something new", 0, 0, "varchar", "x"),
        ] {
            let rows = vec![vec![None], vec![Some(value.to_owned())]];
            let typed = columns_of(&[info("c", data_type, precision, scale)], &rows);
            assert_eq!(typed.columns[0].data_type.to_string(), expected, "{data_type} {value}");
            let batch = batch(&typed, &rows).unwrap();
            let shown = |row| display(&typed.columns[0].data_type, batch.column(0), row);
            assert_eq!((shown(0), shown(1).as_deref()), (None, Some(value)), "{data_type}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_column() {
        let typed = columns_of(&[info("n", "integer", 10, 0)], &[]);
        let error = batch(&typed, &[vec![Some("x".to_owned())]]).unwrap_err();
        assert!(error.message.starts_with("column `n` of the result cannot be read as integer: "), "{error}");
    }
}
