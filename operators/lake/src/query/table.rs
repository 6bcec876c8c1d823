//! A table of the catalog as a source of rows: partitions are pruned by filters, objects read in the partition's own format.
//!
//! Types are the catalog's, whatever the objects hold; what does not fit is an error that names the object.

mod adapt;
mod avro;
mod civil;
mod delimited;
mod hidden;
mod json_lines;
mod line;
mod number;
mod orc;
mod partition;
mod pattern;
mod projection;
mod stream;
mod text;
mod time_formats;
mod typed_text;
mod unmarked;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, ScalarValue, Statistics, project_schema};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt as _, TryStreamExt as _};
use indexmap::IndexMap;
use object_store::{ObjectMeta, ObjectStore};

use crate::catalog::descriptor::{parameter, reader};
use crate::catalog::{Partition, PartitionValues, Storage as Descriptor, Table, TableFormat, TableKind};
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::publish::record::Record;
use crate::sql::Type;
use crate::storage::Storage;
pub(crate) use avro::rows as avro_rows;
use hidden::Hidden;
pub(crate) use partition::{check_partition_value, partition_meaning, partition_text};
use projection::Projection;
use stream::{ObjectForm, StreamSource};
use unmarked::MarkingReaderFactory;

/// How many prefixes are listed at a time.
const LISTINGS: usize = 16;

/// A table (or a version of one) to read.
#[derive(Debug)]
pub(crate) struct CatalogTable {
    storage: Storage,
    table: Table,
    partitions: Vec<Partition>,
    /// How partitions follow from the table's parameters; none when they are those above.
    projection: Option<Projection>,
    columns: Vec<(String, Type)>,
    keys: Vec<(String, Type)>,
    hidden: Vec<Hidden>,
    /// The columns that are in the objects, as they are read.
    file_schema: SchemaRef,
    schema: SchemaRef,
}

/// Objects that are read in one way.
struct Part {
    descriptor: Descriptor,
    files: Vec<PartitionedFile>,
    /// The rows as the publishes recorded them; none when one of the places has no record.
    rows: Option<u64>,
}

/// A place to list.
struct Place {
    location: Location,
    descriptor: Descriptor,
    values: Vec<ScalarValue>,
    /// The values as the catalog has them; none for a table without partitions.
    texts: Option<PartitionValues>,
    rows: Option<u64>,
}

impl CatalogTable {
    /// Makes the source of a table and its partitions, as they are in the catalog now.
    ///
    /// # Errors
    /// `InvalidData` for a column whose type is none; `UnsupportedSql` for a view, and for a table with a log of its own.
    pub(crate) fn try_new(storage: Storage, table: Table, partitions: Vec<Partition>) -> Result<Self> {
        if table.is_view() {
            return Err(Error::new(
                ErrorKind::UnsupportedSql,
                "read a table",
                format!("`{}` is a view: views are not supported yet", table.name),
            ));
        }
        if let Some(kind) = TableKind::of(&table) {
            let message = format!(
                "UNSUPPORTED_TABLE_TYPE: Cannot query {kind} table '{}': it is {}",
                table.name,
                kind.described()
            );
            return Err(Error::new(ErrorKind::UnsupportedSql, "read a table", message));
        }
        let typed = |columns: &[crate::catalog::Column]| {
            columns
                .iter()
                .map(|column| match Type::from_hive(&column.hive_type) {
                    Ok(data_type) => Ok((column.name.clone(), data_type)),
                    Err(error) => Err(error.with("table", table.name.to_string()).with("column", column.name.clone())),
                })
                .collect::<Result<Vec<_>>>()
        };
        let columns = typed(&table.columns)?;
        let keys = typed(&table.partition_keys)?;
        let hidden = Hidden::of(&table);
        let of_objects: Vec<(String, Type)> = hidden.iter().map(|hidden| hidden.column()).collect();
        let is_parquet = |descriptor: &Descriptor| TableFormat::of(descriptor) == Some(TableFormat::Parquet);
        let all_parquet = is_parquet(&table.storage) && partitions.iter().all(|part| is_parquet(&part.storage));
        let file_fields = columns.iter().map(|column| file_field(column, all_parquet));
        let marked = |fields: Vec<FieldRef>| Arc::new(Schema::new_with_metadata(fields, of_the_catalog()));
        let file_schema = marked(file_fields.map(Arc::new).collect());
        let of_places = keys.iter().chain(&of_objects).map(|column| Arc::new(field(column)));
        let schema = marked(file_schema.fields().iter().cloned().chain(of_places).collect());
        Ok(Self { storage, table, partitions, projection: None, columns, keys, hidden, file_schema, schema })
    }

    /// Makes the source of a table whose partitions follow from its parameters, at a time in microseconds since 1970; none when
    /// they do not, and stand in the catalog.
    ///
    /// # Errors
    /// Those of [`Self::try_new`], and `InvalidData` for parameters that are wrong.
    pub(crate) fn projected(storage: &Storage, table: &Table, now_us: i64) -> Result<Option<Self>> {
        let Some(projection) = Projection::of(table, now_us)? else { return Ok(None) };
        let made = Self::try_new(storage.clone(), table.clone(), Vec::new())?;
        Ok(Some(Self { projection: Some(projection), ..made }))
    }

    /// Returns the columns, partition keys behind them and then those that say where a row comes from: their names start with
    /// `$`, and `*` passes over them.
    pub(crate) fn columns(&self) -> Vec<(String, Type)> {
        let hidden = self.hidden.iter().map(|hidden| hidden.column());
        self.columns.iter().chain(&self.keys).cloned().chain(hidden).collect()
    }

    /// Lists the objects of the places that are left after pruning, grouped by how they are read.
    async fn parts(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Part>> {
        let recorded =
            |parameters: &IndexMap<String, String>| Record::read(parameters).ok().flatten().map(|record| record.rows);
        let places: Vec<Place> = if self.keys.is_empty() {
            let location = self.table.location.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidData,
                    "read a table",
                    format!("HIVE_INVALID_METADATA: table `{}` has no location", self.table.name),
                )
            })?;
            vec![Place {
                location,
                descriptor: self.table.storage.clone(),
                values: Vec::new(),
                texts: None,
                rows: recorded(&self.table.parameters),
            }]
        } else {
            let place = |partition: &Partition, values| Place {
                location: partition.location.clone(),
                descriptor: partition.storage.clone(),
                values,
                texts: Some(partition.values.clone()),
                rows: recorded(&partition.parameters),
            };
            if let Some(projection) = &self.projection {
                let kept = projection.partitions(state, &self.table, &self.keys, filters)?;
                kept.into_iter().map(|(partition, values)| place(&partition, values)).collect()
            } else {
                let kept = partition::prune(state, &self.keys, &self.partitions, filters)?;
                kept.into_iter().map(|(partition, values)| place(partition, values)).collect()
            }
        };
        let listed: Vec<Part> = futures::stream::iter(places)
            .map(|Place { location, descriptor, values, texts, rows }| async move {
                let objects = self.storage.list_data(&location).await?;
                if objects.is_empty() {
                    self.storage.require_bucket(&location).await?;
                }
                let pairs: Vec<(&str, &str)> = texts.iter().flat_map(|texts| self.table.pairs(texts)).collect();
                let files = objects
                    .into_iter()
                    .filter(|object| object.bytes > 0)
                    .map(|object| {
                        let mut file = PartitionedFile::from(ObjectMeta {
                            location: Storage::store_path(&object.location)?,
                            last_modified: chrono::DateTime::from_timestamp_millis(object.modified_ms)
                                .unwrap_or_default(),
                            size: object.bytes,
                            e_tag: None,
                            version: None,
                        });
                        file.partition_values.clone_from(&values);
                        for hidden in &self.hidden {
                            file.partition_values.push(hidden.value(&object, &pairs)?);
                        }
                        Ok(file)
                    })
                    .collect::<Result<Vec<_>>>()?;
                Ok::<_, Error>(Part { descriptor, files, rows })
            })
            .buffered(LISTINGS)
            .try_collect()
            .await?;
        let mut parts: Vec<Part> = Vec::new();
        for found in listed {
            if found.files.is_empty() {
                continue;
            }
            match parts.iter_mut().find(|part| part.descriptor == found.descriptor) {
                Some(part) => {
                    part.files.extend(found.files);
                    part.rows = part.rows.zip(found.rows).map(|(rows, more)| rows.saturating_add(more));
                }
                None => parts.push(found),
            }
        }
        Ok(parts)
    }

    /// Makes the source of objects in one format.
    fn source(&self, descriptor: &Descriptor, store: &Arc<dyn ObjectStore>) -> Result<Arc<dyn FileSource>> {
        let of_places = self.keys.iter().cloned().chain(self.hidden.iter().map(|hidden| hidden.column()));
        let keys: Vec<FieldRef> = of_places.map(|key| Arc::new(field(&key))).collect();
        let schema = TableSchema::builder(Arc::clone(&self.file_schema)).with_table_partition_cols(keys).build();
        match TableFormat::of(descriptor) {
            Some(TableFormat::Parquet) => {
                let mut options = TableParquetOptions::default();
                // Hive's connector of Trino, and Spark, write times as INT96, of years that nanoseconds cannot count (they end in
                // 2262).
                options.global.coerce_int96 = Some("us".to_owned());
                let source = ParquetSource::new(schema)
                    .with_table_parquet_options(options)
                    .with_parquet_file_reader_factory(Arc::new(MarkingReaderFactory::new(Arc::clone(store))));
                Ok(Arc::new(source))
            }
            Some(TableFormat::Avro) => Ok(Arc::new(StreamSource::new(schema, self.columns.clone(), ObjectForm::Avro))),
            Some(TableFormat::Orc) => {
                let word = parameter(descriptor, &self.table.parameters, "orc.column.index.access");
                let form = ObjectForm::Orc(orc::Access::of(word));
                Ok(Arc::new(StreamSource::new(schema, self.columns.clone(), form)))
            }
            Some(format) => {
                let form = line::LineForm::try_new(format, descriptor, &self.table.parameters)?;
                Ok(Arc::new(StreamSource::new(schema, self.columns.clone(), ObjectForm::Lines(form))))
            }
            None => Err(Error::new(
                ErrorKind::UnsupportedSql,
                "read a table",
                format!(
                    "HIVE_UNSUPPORTED_FORMAT: table `{}` is in a format that is not read yet: {}",
                    self.table.name,
                    reader(descriptor)
                ),
            )),
        }
    }
}

fn guess(number: Option<u64>) -> Precision<usize> {
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) => Precision::Inexact(number),
        None => Precision::Absent,
    }
}

/// Makes the Arrow field of a column.
fn field((name, data_type): &(String, Type)) -> Field {
    Field::new(name, data_type.to_arrow(), true)
}

/// Makes the Arrow field of a column in objects. Text of Parquet comes as views: it is not copied out of the pages, and much of
/// what is asked of it needs no more (`sql/views.rs`).
fn file_field(column: &(String, Type), is_parquet: bool) -> Field {
    if is_parquet && matches!(column.1, Type::Varchar(_) | Type::Char(_)) {
        return Field::new(&column.0, DataType::Utf8View, true);
    }
    field(column)
}

#[async_trait]
impl TableProvider for CatalogTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::common::Result<Vec<TableProviderFilterPushDown>> {
        // They prune; the rows that are left are filtered again.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        let parts = self.parts(state, filters).await.map_err(external)?;
        let store_url = Storage::object_store_url().map_err(external)?;
        let store = state.runtime_env().object_store(&store_url)?;
        let mut scans: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(parts.len());
        for part in parts {
            let source = self.source(&part.descriptor, &store).map_err(external)?;
            // Guesses for the order of joins, never answers: objects may have changed since they were recorded.
            let bytes: u64 = part.files.iter().map(|file| file.object_meta.size).sum();
            let mut statistics = Statistics::new_unknown(&self.schema);
            statistics.total_byte_size = guess(Some(bytes));
            statistics.num_rows = guess(part.rows);
            let groups = FileGroup::new(part.files).split_files(state.config().target_partitions().max(1));
            let config = FileScanConfigBuilder::new(store_url.clone(), source)
                .with_file_groups(groups)
                .with_statistics(statistics)
                .with_limit(limit)
                .with_expr_adapter(Some(Arc::new(adapt::TypeAdapterFactory::new(
                    self.table.name.to_string(),
                    self.columns.clone(),
                    Arc::clone(&self.file_schema),
                ))))
                .with_projection_indices(projection.cloned())?
                .build();
            scans.push(DataSourceExec::from_data_source(config));
        }
        match scans.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            1 => Ok(scans.remove(0)),
            _ => UnionExec::try_new(scans),
        }
    }
}

/// Returns what tells a schema of the catalog from that of any object.
///
/// Where the two are equal and nothing is filtered, `DataFusion`'s reader of Parquet takes the values as they are, without
/// [`adapt::TypeAdapterFactory`]; equal Arrow types may still hold text that is too long and times that are too fine.
fn of_the_catalog() -> HashMap<String, String> {
    HashMap::from([("suiro.schema".to_owned(), "catalog".to_owned())])
}

/// Carries one of our errors through `DataFusion`.
pub(crate) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
