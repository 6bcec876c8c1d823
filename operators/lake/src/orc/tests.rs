#![expect(clippy::from_iter_instead_of_collect, reason = "an array says its type where it is made")]

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;

use super::*;
use crate::sql::Type;

impl Ranges for Bytes {
    fn length(&self) -> u64 {
        u64::try_from(self.len()).unwrap()
    }

    fn read(&mut self, range: Range<u64>) -> io::Result<Bytes> {
        let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        if from > to || to > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.slice(from..to))
    }
}

fn is_there(row: i64) -> bool {
    row % 7 != 3
}

/// Columns of every type, of which some rows are NULL; and one without NULLs, one of NULLs.
pub(crate) fn columns(rows: i64) -> Vec<(&'static str, Type, ArrayRef)> {
    let all = || 0..rows;
    let some = |row: i64| is_there(row).then_some(row);
    let small = |row: i64| i8::try_from(row % 100).unwrap();
    let nulls = || Some(NullBuffer::from(all().map(is_there).collect::<Vec<_>>()));
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Int64, true)),
            Arc::new(Int64Array::from_iter(all().map(|row| (row % 5 != 1).then_some(row)))) as ArrayRef,
        ),
        (
            Arc::new(Field::new("y", DataType::Utf8, true)),
            Arc::new(StringArray::from_iter_values(all().map(|row| format!("y{row}")))),
        ),
    ]);
    let row = StructArray::new(inner.fields().clone(), inner.columns().to_vec(), nulls());
    let lengths: Vec<usize> = all().map(|row| usize::try_from(row % 4).unwrap()).collect();
    let count: i64 = all().map(|row| row % 4).sum();
    let items = Int64Array::from_iter((0..count).map(some));
    let lists = ListArray::new(
        Arc::new(Field::new("item", DataType::Int64, true)),
        OffsetBuffer::from_lengths(lengths.clone()),
        Arc::new(items.clone()),
        nulls(),
    );
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Utf8, false)),
            Arc::new(StringArray::from_iter_values((0..count).map(|at| format!("k{at}")))) as ArrayRef,
        ),
        (Arc::new(Field::new("value", DataType::Int64, true)), Arc::new(items)),
    ]);
    let maps = MapArray::new(
        Arc::new(Field::new("entries", entries.data_type().clone(), false)),
        OffsetBuffer::from_lengths(lengths),
        entries,
        nulls(),
        false,
    );
    let row_type =
        Type::Row(Arc::from([(Some("x".to_owned()), Type::Bigint), (Some("y".to_owned()), Type::Varchar(None))]));
    let lists_of_nothing = ListArray::from_iter_primitive::<Int64Type, _, _>(all().map(|_| None::<Vec<Option<i64>>>));
    let decimals = Decimal128Array::from_iter(all().map(|row| some(row).map(|row| i128::from(row) * -12_345_678_901)));
    vec![
        ("flag", Type::Boolean, Arc::new(BooleanArray::from_iter(all().map(|row| some(row).map(|row| row % 3 == 0))))),
        ("tiny", Type::Tinyint, Arc::new(Int8Array::from_iter(all().map(|row| some(row).map(small))))),
        (
            "small",
            Type::Smallint,
            Arc::new(Int16Array::from_iter(all().map(|row| some(row).map(|row| i16::from(small(row)) * -300)))),
        ),
        (
            "whole",
            Type::Integer,
            Arc::new(Int32Array::from_iter(all().map(|row| some(row).map(|row| i32::from(small(row)) * 20_000_000)))),
        ),
        (
            "big",
            Type::Bigint,
            Arc::new(Int64Array::from_iter(all().map(|row| some(row).map(|row| row * row * row - 5)))),
        ),
        ("same", Type::Bigint, Arc::new(Int64Array::from_iter_values(all().map(|_| -1)))),
        (
            "single",
            Type::Real,
            Arc::new(Float32Array::from_iter(all().map(|row| some(row).map(|row| f32::from(small(row)) / 3.0)))),
        ),
        (
            "double",
            Type::Double,
            Arc::new(Float64Array::from_iter(all().map(|row| some(row).map(|row| f64::from(small(row)) / 7.0)))),
        ),
        (
            "text",
            Type::Varchar(None),
            Arc::new(StringArray::from_iter(all().map(|row| some(row).map(|row| format!("ä{}", row % 11))))),
        ),
        (
            "short",
            Type::Varchar(Some(20)),
            Arc::new(StringArray::from_iter_values(all().map(|row| "x".repeat(usize::try_from(row % 20).unwrap())))),
        ),
        ("bytes", Type::Varbinary, Arc::new(BinaryArray::from_iter(all().map(|row| some(row).map(i64::to_le_bytes))))),
        ("decimal", Type::Decimal(30, 4), Arc::new(decimals.with_precision_and_scale(30, 4).unwrap())),
        (
            "day",
            Type::Date,
            Arc::new(Date32Array::from_iter(all().map(|row| some(row).map(|row| i32::try_from(row).unwrap() - 500)))),
        ),
        (
            "at",
            Type::Timestamp(3),
            Arc::new(TimestampMillisecondArray::from_iter(
                all().map(|row| some(row).map(|row| (row - 500) * 86_400_123 - 1001)),
            )),
        ),
        ("row", row_type, Arc::new(row)),
        ("list", Type::Array(Arc::new(Type::Bigint)), Arc::new(lists)),
        ("map", Type::Map(Arc::new(Type::Varchar(None)), Arc::new(Type::Bigint)), Arc::new(maps)),
        ("nothing", Type::Array(Arc::new(Type::Bigint)), Arc::new(lists_of_nothing)),
    ]
}

/// Writes columns, a stripe for each of so many rows.
pub(crate) fn file(columns: &[(&str, Type, ArrayRef)], codec: Codec, stripe_rows: usize) -> Bytes {
    let names: Vec<(String, Type)> = columns.iter().map(|(name, t, _)| ((*name).to_owned(), t.clone())).collect();
    let fields = columns.iter().map(|(name, _, array)| Field::new(*name, array.data_type().clone(), true));
    let arrays = columns.iter().map(|(_, _, array)| Arc::clone(array)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays).unwrap();
    let mut encoder = OrcEncoder::new(&names, codec);
    let mut file = Vec::new();
    let mut at = 0;
    while at < batch.num_rows() {
        let rows = stripe_rows.min(batch.num_rows() - at);
        // In two pieces, whose bits go on in one byte.
        encoder.write(&batch.slice(at, rows / 3)).unwrap();
        encoder.write(&batch.slice(at + rows / 3, rows - rows / 3)).unwrap();
        encoder.end_stripe().unwrap();
        file.extend(encoder.take());
        at += rows;
    }
    encoder.end().unwrap();
    file.extend(encoder.take());
    file.into()
}

/// Reads the wanted columns.
fn read(file: Bytes, wanted: &[usize], most: usize) -> io::Result<Vec<ArrayRef>> {
    let mut file = OrcFile::open(file)?;
    let mut parts: Vec<Vec<ArrayRef>> = wanted.iter().map(|_| Vec::new()).collect();
    let mut counted = 0;
    for stripe in 0..file.stripes() {
        let mut rows = file.stripe(stripe, wanted)?;
        while let Some((count, arrays)) = rows.next(most)? {
            counted += u64::try_from(count).unwrap();
            for (part, array) in parts.iter_mut().zip(arrays) {
                assert_eq!(array.len(), count);
                part.push(array);
            }
        }
    }
    assert_eq!(counted, file.rows());
    Ok(parts.iter().map(|part| concat(&part.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()).collect())
}

/// Times come in microseconds.
fn as_read(array: &ArrayRef) -> ArrayRef {
    let Some(times) = array.as_any().downcast_ref::<TimestampMillisecondArray>() else { return Arc::clone(array) };
    Arc::new(TimestampMicrosecondArray::from_iter(times.iter().map(|at| at.map(|at| at * 1000))))
}

#[test]
fn every_type_is_read_as_it_is_written() {
    let columns = columns(1000);
    let all: Vec<usize> = (0..columns.len()).collect();
    for codec in [Codec::None, Codec::Zlib, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let file = file(&columns, codec, 300);
        let opened = OrcFile::open(file.clone()).unwrap();
        assert_eq!((opened.rows(), opened.stripes()), (1000, 4));
        assert_eq!(opened.names()[..2], ["flag", "tiny"]);
        for (index, ((name, _, array), found)) in columns.iter().zip(read(file.clone(), &all, 128).unwrap()).enumerate()
        {
            assert_eq!(&found, &as_read(array), "{name} by {codec:?}");
            assert_eq!(found.data_type(), &opened.data_type(index).unwrap());
        }
        let some = read(file, &[16, 4], 5000).unwrap();
        assert_eq!((&some[0], &some[1]), (&columns[16].2, &columns[4].2));
    }
}

#[test]
fn rows_without_columns_are_counted() {
    let file = file(&columns(100), Codec::Zstd, 60);
    assert!(read(file, &[], 7).unwrap().is_empty());
}

#[test]
fn a_file_without_rows_is_a_file() {
    let file = file(&columns(0), Codec::Zlib, 60);
    assert_eq!(OrcFile::open(file).unwrap().stripes(), 0);
}

#[test]
fn a_damaged_file_is_an_error_and_never_more() {
    let columns = columns(30);
    let all: Vec<usize> = (0..columns.len()).collect();
    for codec in [Codec::None, Codec::Zlib] {
        let whole = file(&columns, codec, 20);
        for length in 0..whole.len() {
            assert!(read(whole.slice(..length), &all, 64).is_err(), "{length} of {} bytes", whole.len());
        }
        // One byte is another one: values may be others, but nothing else happens.
        for at in 0..whole.len() {
            for mask in [0x01, 0xff] {
                let mut damaged = whole.to_vec();
                damaged[at] ^= mask;
                let _any = std::hint::black_box(read(damaged.into(), &all, 64));
            }
        }
    }
    let message = |file: &'static [u8]| OrcFile::open(Bytes::from_static(file)).unwrap_err().to_string();
    assert_eq!(message(b""), "it does not end as an ORC file does");
    assert_eq!(message(b"PAR1....PAR1"), "it does not end as an ORC file does");
}

#[test]
fn a_time_that_readers_would_move_is_not_written() {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![-1]));
    let mut encoder = OrcEncoder::new(&[("at".to_owned(), Type::Timestamp(3))], Codec::None);
    let error = encoder.write(&RecordBatch::try_from_iter([("at", times)]).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a time lies in the last second before 1970-01-01, and ORC has no form for it: readers would take it for one in the second \
         behind; write another format, or whole seconds"
    );
}
