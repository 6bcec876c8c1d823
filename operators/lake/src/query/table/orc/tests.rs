use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{BinaryArray, Int32Array, ListArray, StringArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::orc::Codec;
use crate::orc::tests::file;

const TEXT: Type = Type::Varchar(None);

fn fruit() -> Bytes {
    let columns: Vec<(&str, Type, ArrayRef)> = vec![
        ("Id", Type::Integer, Arc::new(Int32Array::from(vec![1, 2, 3]))),
        ("name", TEXT, Arc::new(StringArray::from(vec![Some("fig"), None, Some("plum")]))),
    ];
    file(&columns, Codec::Zlib, 2)
}

/// Reads the wanted columns of a file, two rows at a time; a row as `a|b`.
fn rows(file: Bytes, access: Access, columns: &[(&str, Type)], wanted: &[usize]) -> Result<Vec<String>> {
    let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
    let fields = wanted.iter().map(|at| Field::new(&columns[*at].0, columns[*at].1.to_arrow(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let (object, columns) = ("b/t/x.orc".to_owned(), Arc::new(columns));
    let asked = Asked { object, columns, wanted: wanted.to_vec(), schema, batch_rows: 2 };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    read(&asked, access, file, &sender)?;
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
fn columns_are_found_by_place_unless_the_table_says_by_name() {
    assert_eq!(Access::of(None), Access::ByPlace);
    assert_eq!(Access::of(Some("true")), Access::ByPlace);
    assert_eq!(Access::of(Some("False")), Access::ByName);
    let other = [("a", Type::Bigint), ("b", TEXT), ("absent", TEXT)];
    assert_eq!(
        rows(fruit(), Access::ByPlace, &other, &[1, 2, 0]).unwrap(),
        ["fig|NULL|1", "NULL|NULL|2", "plum|NULL|3"]
    );
    let named = [("name", TEXT), ("absent", TEXT), ("id", Type::Bigint)];
    assert_eq!(
        rows(fruit(), Access::ByName, &named, &[0, 1, 2]).unwrap(),
        ["fig|NULL|1", "NULL|NULL|2", "plum|NULL|3"]
    );
    assert_eq!(rows(fruit(), Access::ByName, &named, &[]).unwrap(), ["", "", ""], "rows without columns are counted");
}

/// What Trino 476 answers.
#[test]
fn bytes_are_digits_in_a_column_of_text() {
    let element = Arc::new(Field::new("item", DataType::Binary, true));
    let bytes = || BinaryArray::from_opt_vec(vec![Some(&b"12"[..]), None, Some(&[0xff, 0x0a][..])]);
    let lists = ListArray::new(element, OffsetBuffer::from_lengths([1, 1, 1]), Arc::new(bytes()), None);
    let columns: Vec<(&str, Type, ArrayRef)> =
        vec![("a", Type::Varbinary, Arc::new(bytes())), ("l", Type::Array(Arc::new(Type::Varbinary)), Arc::new(lists))];
    let stored = file(&columns, Codec::Zlib, 2);
    let read = |a: Type| {
        rows(stored.clone(), Access::ByPlace, &[("a", a), ("l", Type::Array(Arc::new(TEXT)))], &[0, 1]).unwrap()
    };
    assert_eq!(read(TEXT), ["31 32|[31 32]", "NULL|[NULL]", "ff 0a|[ff 0a]"]);
    assert_eq!(read(Type::Varchar(Some(2))), ["31|[31 32]", "NULL|[NULL]", "ff|[ff 0a]"]);
    assert_eq!(read(Type::Varbinary), ["3132|[31 32]", "NULL|[NULL]", "ff0a|[ff 0a]"]);
}

#[test]
fn reading_ends_when_nobody_takes_the_rows() {
    /// A file of which only the end may be read.
    struct End(Bytes);
    impl Ranges for End {
        fn length(&self) -> u64 {
            self.0.length()
        }
        fn read(&mut self, range: Range<u64>) -> io::Result<Bytes> {
            assert_eq!(range.end, self.length(), "no stripe is read");
            self.0.read(range)
        }
    }
    let columns = Arc::new(vec![("id".to_owned(), Type::Integer)]);
    let schema = Arc::new(Schema::new(vec![Field::new("id", Type::Integer.to_arrow(), true)]));
    let asked = Asked { object: "b/t/x.orc".to_owned(), columns, wanted: vec![0], schema, batch_rows: 2 };
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    read(&asked, Access::ByPlace, End(fruit()), &sender).unwrap();
}

#[test]
fn what_does_not_fit_names_the_object() {
    let error = rows(fruit(), Access::ByPlace, &[("id", Type::Integer), ("n", Type::Bigint)], &[1]).unwrap_err();
    assert_eq!(error.message, "HIVE_BAD_DATA: column `n` is bigint, and the object holds `Utf8`");
    assert!(format!("{error:?}").contains("s3://b/t/x.orc"), "{error:?}");
    let error = rows(Bytes::from_static(b"1,2\n"), Access::ByPlace, &[("n", TEXT)], &[0]).unwrap_err();
    assert_eq!(error.message, "HIVE_BAD_DATA: the object cannot be read: it does not end as an ORC file does");
    assert!(format!("{error:?}").contains("s3://b/t/x.orc"), "{error:?}");
}
