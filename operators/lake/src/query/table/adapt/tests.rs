use super::*;
use datafusion::arrow::array::{Int64Array, TimestampMicrosecondArray, TimestampNanosecondArray};

#[test]
fn timestamps_round_to_milliseconds() {
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_499, 1_500, -1_500, -1_501]));
    let adapted = adapt(&micros, &Type::Timestamp(3)).unwrap();
    assert_eq!(adapted.as_primitive::<TimestampMicrosecondType>().values(), &[1_000, 2_000, -1_000, -2_000]);
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_499_999, 1_500_000]).with_timezone("+09:00"));
    let adapted = adapt(&nanos, &Type::Timestamp(3)).unwrap();
    assert_eq!(adapted.as_primitive::<TimestampMicrosecondType>().values(), &[1_000, 2_000]);
}

#[test]
fn values_out_of_range_are_errors() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, i64::MAX]));
    assert!(adapt(&numbers, &Type::Integer).is_err());
    assert!(adapt(&numbers, &Type::Bigint).is_ok());
}

#[test]
fn text_is_cut_by_characters() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["äöü", "a  "]));
    let cut = adapt(&text, &Type::Varchar(Some(2))).unwrap();
    assert_eq!(cut.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["äö", "a "]);
    let cut = adapt(&text, &Type::Char(3)).unwrap();
    assert_eq!(cut.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["äöü", "a"]);
}

#[test]
fn types_that_do_not_fit_are_told_apart() {
    assert!(fits(&DataType::Int32, &Type::Bigint));
    assert!(!fits(&DataType::Utf8, &Type::Bigint));
    assert!(!fits(&DataType::Float64, &Type::Real));
}

/// What Athena says, where Trino itself reads numbers into texts and doubles.
#[test]
fn types_that_parquet_calls_otherwise_are_named_by_parquet() {
    for (found, name) in [
        (DataType::Int16, "INT32"),
        (DataType::Int64, "INT64"),
        (DataType::Float64, "DOUBLE"),
        (DataType::Utf8View, "BINARY (STRING)"),
        (DataType::Decimal128(5, 2), "Decimal128(5, 2)"),
    ] {
        assert_eq!(parquet_name(&found), name);
    }
}
