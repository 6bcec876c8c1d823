use datafusion::arrow::array::{BinaryArray, Int64Array, StructArray};
use datafusion::arrow::datatypes::Field;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::arrow::{ArrowWriter, encode_arrow_schema};
use datafusion::parquet::file::properties::WriterProperties;

use super::*;
use crate::catalog::{Column, Database, Expect, Table, TableFormat};
use crate::lake::{Lake, LakeSettings};
use crate::name::{Location, TableName};
use crate::query::testing::rows;
use crate::storage::Put;

fn object(values: &[&[u8]]) -> Vec<u8> {
    let schema = Schema::new(vec![Field::new("c", DataType::Binary, true), Field::new("n", DataType::Int64, true)]);
    let numbers: Vec<i64> = (1..=i64::try_from(values.len()).unwrap()).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(BinaryArray::from_vec(values.to_vec())), Arc::new(Int64Array::from(numbers))];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn text_without_its_mark_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let lake =
        Lake::open(LakeSettings::new(folder.path().join(".suiro"), folder.path().join("warehouse"))).await.unwrap();
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    for (name, data_type, values) in [
        ("good", "string", [b"ok".as_slice(), "äöü".as_bytes()]),
        ("cut", "varchar(2)", [b"ok", "äöü".as_bytes()]),
        ("bad", "string", [b"ok", b"a\xff\xfe\x80"]),
        ("bad_cut", "varchar(10)", [b"ok", b"a\xff\xfe\x80"]),
        ("bad_char", "char(10)", [b"ok", b"a\xff\xfe\x80"]),
        ("bytes", "binary", [b"ok", b"a\xff\xfe\x80"]),
    ] {
        let location = Location::parse(&format!("s3://b/{name}/")).unwrap();
        let columns = vec![Column::new("c", data_type), Column::new("n", "bigint")];
        let name = TableName::new("web", name).unwrap();
        let table = Table::new(name, columns, Vec::new(), location.clone(), TableFormat::Parquet);
        lake.catalog.put_table(&table, Expect::Any).await.unwrap();
        let location = Location::parse(&format!("{location}x")).unwrap();
        lake.storage.put(&location, object(&values).into(), Put::Replace).await.unwrap();
    }
    let rows = async |sql: &str| rows(lake.engine.as_ref(), sql).await;
    assert_eq!(
        rows("SELECT c, reverse(c) FROM web.good WHERE c <> 'x' ORDER BY c").await.unwrap(),
        ["ok|ko", "äöü|üöä"]
    );
    assert_eq!(rows("SELECT n FROM web.good WHERE c = 'ok'").await.unwrap(), ["1"]);
    assert_eq!(rows("SELECT c FROM web.cut").await.unwrap(), ["ok", "äö"]);
    assert_eq!(rows("SELECT to_hex(c) FROM web.bytes").await.unwrap(), ["6F6B", "61FFFE80"]);
    // What is not asked for is not looked at.
    assert_eq!(rows("SELECT n FROM web.bad").await.unwrap(), ["1", "2"]);
    for (sql, name, data_type) in [
        ("SELECT c FROM web.bad", "bad", "varchar"),
        ("SELECT n FROM web.bad WHERE c = 'ok'", "bad", "varchar"),
        ("SELECT upper(c) FROM web.bad ORDER BY c", "bad", "varchar"),
        ("SELECT count(DISTINCT c) FROM web.bad", "bad", "varchar"),
        ("SELECT c FROM web.bad_cut", "bad_cut", "varchar(10)"),
        ("SELECT c FROM web.bad_char", "bad_char", "char(10)"),
    ] {
        let error = rows(sql).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData, "{sql}");
        assert_eq!(
            error.to_string(),
            format!(
                "HIVE_BAD_DATA: column `c` is {data_type}, and the object holds bytes that are no UTF-8: `a\\xff\\xfe\\x80`\n  \
                 object: s3://b/{name}/x"
            ),
            "{sql}"
        );
        assert_eq!(error.help.as_deref(), Some("declare the column as `binary`, or write the object anew"));
    }
}

/// An object may say in Arrow's own words that bytes without a mark are text.
#[tokio::test(flavor = "multi_thread")]
async fn nested_text_without_its_mark_is_looked_at() {
    let schema_of = |data_type: DataType| {
        let fields = vec![Arc::new(Field::new("a", data_type, true))];
        Schema::new(vec![Field::new("s", DataType::Struct(fields.into()), true)])
    };
    let schema = Arc::new(schema_of(DataType::Binary));
    let DataType::Struct(fields) = schema.field(0).data_type().clone() else { panic!("it is a struct") };
    let values: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"ok", b"a\xff\xfe\x80"]));
    let column: ArrayRef = Arc::new(StructArray::try_new(fields, vec![values], None).unwrap());
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let told = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&schema_of(DataType::Utf8)));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![told])).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, schema, options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let lake =
        Lake::open(LakeSettings::new(folder.path().join(".suiro"), folder.path().join("warehouse"))).await.unwrap();
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    let location = Location::parse("s3://b/nested/").unwrap();
    let columns = vec![Column::new("s", "struct<a:string>")];
    let name = TableName::new("web", "nested").unwrap();
    let table = Table::new(name, columns, Vec::new(), location.clone(), TableFormat::Parquet);
    lake.catalog.put_table(&table, Expect::Any).await.unwrap();
    lake.storage.put(&location.join("x").unwrap(), bytes.into(), Put::Replace).await.unwrap();
    let error = rows(lake.engine.as_ref(), "SELECT upper(s.a) FROM web.nested").await.unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
}
