use std::sync::Arc;

use arrow_avro::writer::AvroWriter;
use datafusion::arrow::array::{
    Array as _, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int32Array, Int64Array, ListArray,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;

const TEXT: Type = Type::Varchar(None);

/// Writes a file of three rows by another implementation than the one that takes its blocks apart.
fn file() -> Vec<u8> {
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("City", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("Rome"), None, Some("")])) as ArrayRef,
        ),
        (Arc::new(Field::new("n", DataType::Int32, false)), Arc::new(Int32Array::from(vec![1, 2, 3]))),
    ]);
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), Some(2)]), Some(vec![]), None]);
    let list_type = lists.data_type().clone();
    let columns: Vec<(Field, ArrayRef)> = vec![
        (Field::new("Id", DataType::Int32, false), Arc::new(Int32Array::from(vec![1, 2, 3]))),
        (Field::new("name", DataType::Utf8, true), Arc::new(StringArray::from(vec![Some("ä"), None, Some("c")]))),
        (Field::new("ok", DataType::Boolean, true), Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        (Field::new("weight", DataType::Float32, false), Arc::new(Float32Array::from(vec![0.5, 1.5, -2.0]))),
        (Field::new("day", DataType::Date32, true), Arc::new(Date32Array::from(vec![Some(20_000), None, Some(-1)]))),
        (
            Field::new("at", TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC").data_type().clone(), true),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_500), None, Some(0)]).with_timezone("UTC")),
        ),
        (
            Field::new("price", DataType::Decimal128(10, 2), true),
            Arc::new(Decimal128Array::from(vec![Some(1234), None, Some(-5)]).with_precision_and_scale(10, 2).unwrap()),
        ),
        (Field::new("place", inner.data_type().clone(), true), Arc::new(inner)),
        (Field::new("marks", list_type, true), Arc::new(lists)),
        (Field::new("unused", DataType::Int64, false), Arc::new(Int64Array::from(vec![7, 8, 9]))),
    ];
    let schema = Schema::new(columns.iter().map(|(field, _)| field.clone()).collect::<Vec<_>>());
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), arrays).unwrap();
    let mut writer = AvroWriter::new(Vec::new(), schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner()
}

/// Reads the wanted columns of a file, two rows at a time; a row as `a|b`.
fn rows(file: &[u8], columns: &[(&str, Type)], wanted: &[usize]) -> Result<Vec<String>> {
    let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
    let fields = wanted.iter().map(|at| Field::new(&columns[*at].0, columns[*at].1.to_arrow(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let (object, columns) = ("b/t/x.avro".to_owned(), Arc::new(columns));
    let asked = Asked { object, columns, wanted: wanted.to_vec(), schema, batch_rows: 2 };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    read(&asked, file, &sender)?;
    drop(sender);
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    while let Some(batch) = receiver.blocking_recv() {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cell = |array: &ArrayRef| ArrayFormatter::try_new(array, &options).unwrap().value(row).to_string();
            rows.push(batch.columns().iter().map(cell).collect::<Vec<_>>().join("|"));
        }
    }
    Ok(rows)
}

#[test]
fn columns_are_found_by_name_and_have_the_types_of_the_table() {
    let place = Type::Row(Arc::from([(Some("n".to_owned()), Type::Bigint), (Some("city".to_owned()), TEXT)]));
    let columns = [
        ("weight", Type::Double),
        ("id", Type::Bigint),
        ("absent", TEXT),
        ("name", TEXT),
        ("ok", Type::Boolean),
        ("day", Type::Date),
        ("at", Type::Timestamp(3)),
        ("price", Type::Decimal(12, 2)),
        ("place", place),
        ("marks", Type::Array(Arc::new(Type::Integer))),
    ];
    let all: Vec<usize> = (0..columns.len()).collect();
    assert_eq!(
        rows(&file(), &columns, &all).unwrap(),
        [
            "0.5|1|NULL|ä|true|2024-10-04|1970-01-01T00:00:00.002|12.34|{_0: 1, _1: Rome}|[1, 2]",
            "1.5|2|NULL|NULL|false|NULL|NULL|NULL|{_0: 2, _1: NULL}|[]",
            "-2.0|3|NULL|c|NULL|1969-12-31|1970-01-01T00:00:00|-0.05|{_0: 3, _1: }|NULL"
        ]
    );
    assert_eq!(rows(&file(), &columns, &[3, 1]).unwrap(), ["ä|1", "NULL|2", "c|3"]);
    assert_eq!(rows(&file(), &columns, &[2]).unwrap(), ["NULL", "NULL", "NULL"]);
    assert_eq!(rows(&file(), &columns, &[]).unwrap(), ["", "", ""], "rows without columns are counted");
}

#[test]
fn what_does_not_fit_names_the_object() {
    let error = rows(&file(), &[("name", Type::Bigint)], &[0]).unwrap_err();
    assert_eq!(error.message, "HIVE_BAD_DATA: column `name` is bigint, and the object holds `Utf8`");
    assert!(format!("{error:?}").contains("s3://b/t/x.avro"), "{error:?}");
    let error = rows(b"1,2\n", &[("name", TEXT)], &[0]).unwrap_err();
    assert_eq!(error.message, "HIVE_BAD_DATA: the object cannot be read: it does not begin as an Avro file does");
    let whole = file();
    for length in [whole.len() - 1, whole.len() - 20, whole.len() / 2, 10] {
        assert!(rows(&whole[..length], &[("name", TEXT)], &[0]).is_err(), "{length} bytes");
    }
}
