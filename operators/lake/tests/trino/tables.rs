//! The tables that the statements read, in memory.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::datasource::MemTable;
use lake::Result;
use lake::sql::{ResolvedRelation, ResolvedTable, TableResolver, Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

#[derive(serde::Deserialize)]
struct Described {
    table: String,
    format: String,
    columns: Vec<Column>,
    files: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
}

/// The hidden columns that the statements read.
const HIDDEN: &[&str] = &["$path", "$partition"];

/// The tables of the folder, as database `corpus`.
pub(crate) struct Tables {
    tables: HashMap<String, ResolvedTable>,
}

impl Tables {
    pub(crate) fn load(folder: &Path) -> Self {
        let mut tables = HashMap::new();
        for entry in std::fs::read_dir(folder).expect("the tables") {
            let path = entry.expect("a table").path();
            let schema = std::fs::read_to_string(path.join("schema.json")).expect("a schema");
            let described: Described = serde_json::from_str(&schema).expect("a schema");
            tables.insert(described.table.clone(), load(&path, &described));
        }
        Self { tables }
    }
}

#[async_trait]
impl TableResolver for Tables {
    async fn resolve(&self, database: &str, table: &str) -> Result<Option<ResolvedRelation>> {
        let table = if database == "corpus" { self.tables.get(table).cloned() } else { None };
        Ok(table.map(ResolvedRelation::Table))
    }
}

fn load(folder: &Path, described: &Described) -> ResolvedTable {
    let mut columns: Vec<(String, Type)> = described
        .columns
        .iter()
        .map(|column| (column.name.clone(), Type::from_trino(&column.data_type).expect("a type")))
        .collect();
    let hidden = if described.files.iter().any(|file| file.contains('=')) { HIDDEN } else { &HIDDEN[..1] };
    columns.extend(hidden.iter().map(|name| ((*name).to_owned(), Type::Varchar(None))));
    let schema = Arc::new(Schema::new(
        columns
            .iter()
            .map(|(name, data_type)| {
                // As objects give it.
                let is_view = *data_type == Type::Varchar(None);
                Field::new(name, if is_view { DataType::Utf8View } else { data_type.to_arrow() }, true)
            })
            .collect::<Vec<_>>(),
    ));
    let mut batches = Vec::new();
    for file in &described.files {
        let mut keys: HashMap<&str, &str> = file.split('/').filter_map(|part| part.split_once('=')).collect();
        let path = format!("s3://corpus/{}/{file}", described.table);
        let partition = file.rsplit_once('/').map_or("", |(partition, _)| partition);
        keys.extend([(HIDDEN[0], path.as_str()), (HIDDEN[1], partition)]);
        let read = if described.format == "csv" { csv(&folder.join(file)) } else { parquet(&folder.join(file)) };
        for batch in read {
            let values = columns.iter().zip(schema.fields()).map(|((name, _), field)| match keys.get(name.as_str()) {
                Some(value) => {
                    let text: ArrayRef = Arc::new(StringArray::from(vec![*value; batch.num_rows()]));
                    cast(&text, field.data_type()).expect("a partition key")
                }
                None => shaped(batch.column_by_name(name).expect("a column"), field.data_type()),
            });
            batches.push(RecordBatch::try_new(Arc::clone(&schema), values.collect()).expect("a batch"));
        }
    }
    let provider = Arc::new(MemTable::try_new(schema, vec![batches]).expect("a table"));
    ResolvedTable { columns, provider }
}

fn parquet(file: &Path) -> Vec<RecordBatch> {
    let file = File::open(file).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .expect("Parquet");
    reader.map(|batch| batch.expect("a batch")).collect()
}

fn csv(file: &Path) -> Vec<RecordBatch> {
    let text = std::fs::read_to_string(file).expect("a file");
    let mut lines = text.lines().map(fields);
    let names = lines.next().expect("a header");
    let rows: Vec<Vec<String>> = lines.collect();
    let columns = (0..names.len()).map(|index| {
        let values: StringArray = rows.iter().map(|row| row.get(index)).collect();
        Arc::new(values) as ArrayRef
    });
    vec![
        RecordBatch::try_from_iter_with_nullable(names.iter().zip(columns).map(|(name, values)| (name, values, true)))
            .expect("a batch"),
    ]
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().expect("a field").push(other),
        }
    }
    fields
}

/// Brings an array to the engine's layout: other names of fields, other units.
fn shaped(array: &ArrayRef, to: &DataType) -> ArrayRef {
    match (array.data_type(), to) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let rows = array.as_struct();
            let columns =
                rows.columns().iter().zip(fields).map(|(column, field)| shaped(column, field.data_type())).collect();
            Arc::new(StructArray::new(fields.clone(), columns, rows.nulls().cloned()))
        }
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            let values = shaped(lists.values(), item.data_type());
            Arc::new(ListArray::new(Arc::clone(item), lists.offsets().clone(), values, lists.nulls().cloned()))
        }
        (DataType::Map(..), DataType::Map(entries, ordered)) => {
            let maps = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else { panic!("a map's entries") };
            let columns = maps
                .entries()
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| shaped(column, field.data_type()))
                .collect();
            let pairs = StructArray::new(fields.clone(), columns, None);
            Arc::new(MapArray::new(Arc::clone(entries), maps.offsets().clone(), pairs, maps.nulls().cloned(), *ordered))
        }
        _ => cast(array, to).expect("a cast"),
    }
}
