use std::sync::Arc;

use datafusion::arrow::array::AsArray as _;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use indexmap::IndexMap;

use super::*;
use crate::catalog::TableFormat;
use crate::error::ErrorKind;
use crate::sql::Type;

/// Reads a table of one column, two lines at a time.
fn rows(parameters: &[(&str, &str)], object: &[u8]) -> Result<Vec<String>> {
    let mut storage = TableFormat::Delimited.storage();
    for (key, value) in parameters {
        storage.serde_parameters.insert((*key).to_owned(), (*value).to_owned());
    }
    let form = LineForm::try_new(TableFormat::Delimited, &storage, &IndexMap::new())?;
    let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Utf8, true)]));
    let columns = Arc::new(vec![("c".to_owned(), Type::Varchar(None))]);
    let asked = Asked { object: "b/t/x".to_owned(), columns, wanted: vec![0], schema, batch_rows: 2 };
    let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    read(&asked, &form, object, &sender)?;
    drop(sender);
    let mut rows = Vec::new();
    while let Ok(batch) = receiver.try_recv() {
        rows.extend(batch.unwrap().column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(rows)
}

#[test]
fn headers_and_footers_are_no_records() {
    let lines = b"h\na\nb\nc\nf\n";
    let count = |header, footer| [("skip.header.line.count", header), ("skip.footer.line.count", footer)];
    for (header, footer, expected) in [
        ("1", "0", &["a", "b", "c", "f"][..]),
        ("1", "1", &["a", "b", "c"]),
        ("0", "4", &["h"]),
        ("2", "3", &[]),
        ("9", "9", &[]),
    ] {
        assert_eq!(rows(&count(header, footer), lines).unwrap(), expected, "{header} {footer}");
    }
    let error = rows(&count("0", "x"), lines).unwrap_err();
    assert_eq!(
        error.message,
        "expected a number of lines in the SerDe's parameter `skip.footer.line.count`, found `x`"
    );
}

#[test]
fn compressions_that_are_not_read_are_named() {
    for (object, name) in [
        (b"BZh91AY&SY\xff\xfe".as_slice(), "bzip2"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\xff\x06\x00\x00sNaPpY", "snappy"),
        (b"PK\x03\x04\x14", "zip"),
    ] {
        let error = rows(&[], object).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert_eq!(
            error.to_string(),
            format!(
                "HIVE_BAD_DATA: the object cannot be read: expected plain text, gzip or zstd, found what begins as {name} does: compress \
                 the object as one of these\n  object: s3://b/t/x"
            )
        );
    }
}

/// What Trino 476 answers.
#[test]
fn a_line_ends_with_either_of_three_and_a_byte_order_mark_is_none_of_it() {
    for (object, expected) in [
        (b"\xEF\xBB\xBFa\r\nb\r\n".as_slice(), &["a", "b"][..]),
        (b"1\r2\r3\n4\r\n", &["1", "2", "3", "4"]),
        (b"a\n\nb", &["a", "", "b"]),
        (b"a\r\r\nb\r", &["a", "", "b"]),
        (b"\xEF\xBB\xBF", &[""]),
        (b"a\n\xEF\xBB\xBFb", &["a", "\u{feff}b"]),
        (b"", &[]),
    ] {
        assert_eq!(rows(&[], object).unwrap(), expected);
    }
}
