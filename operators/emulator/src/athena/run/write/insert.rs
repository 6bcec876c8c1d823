//! `INSERT INTO`: rows are written aside, then their objects take their places, then new partitions are told to the catalog
//! (`place`).
//!
//! A reader may see some of the objects before all are there, as with the service itself; never a part of one.

use lake::catalog::Table;
use lake::name::Location;
use lake::publish::dml::{identifier, literal};
use lake::publish::text::TextCompression;
use lake::publish::{AvroCompression, Buckets, Compression, Format, OrcCompression};
use lake::query::ResultColumn;
use lake::sql::Type;
use lake::sql::coerce::{can_coerce, common_super_type};
use lake::sql::function::FIT;
use lake::storage::{Marker, MarkerKind};
use lake::{Error, ErrorKind, Result};

use super::{OPERATION, STAGING, Target};
use crate::athena::Athena;
use crate::athena::run::outcome::Outcome;
use crate::athena::run::{Job, Order};
use crate::athena::statement::Insert;

impl Athena {
    pub(in crate::athena::run) async fn insert(&self, job: &Job, order: &Order, insert: &Insert) -> Result<Outcome> {
        let lake = &self.inner.lake;
        let name = insert.name.full(&job.database())?;
        let table = lake.catalog.table(&name).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                OPERATION,
                format!("TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{name}' does not exist"),
            )
        })?;
        if table.is_view() {
            return Err(Error::new(
                ErrorKind::InvalidSql,
                OPERATION,
                format!("NOT_SUPPORTED: line 1:1: Inserting into views is not supported: 'awsdatacatalog.{name}'"),
            ));
        }
        let format = format_of(&table)?;
        if let Some(location) = &table.location {
            self.require_bucket_of(location).await?;
        }
        let described = lake.engine.describe(&insert.query, Some(&job.database())).await?;
        let sql = cast_to_table(&table, insert, &described.columns)?;
        let keys: Vec<String> = table.partition_keys.iter().map(|key| key.name.clone()).collect();

        let staging = Location::parse(STAGING)?.join(&format!("{}/", job.id()))?;
        // Ours before anything is in it, so that it may be cleared whatever happens; the rows go into an empty folder below.
        lake.storage.mark(&staging, &Marker::new(MarkerKind::Prefix, None)).await?;
        let rows = staging.join("rows/")?;
        let target = Target { prefix: &rows, layout: format.into(), partitioned_by: &keys };
        let written = self.write_rows(job, order, &sql, &target).await;
        let placed = match written {
            Ok(stats) => self.place(job, order, &table, stats).await,
            Err(error) => Err(error),
        };
        let cleared = self.clear_staging(&job.id()).await;
        let stats = placed?;
        cleared?;
        self.inserted(job, stats).await
    }
}

/// Returns how rows of a table are written: compressed as its properties say, else as Athena does.
fn format_of(table: &Table) -> Result<Format> {
    let refused = |why: String| {
        let message = format!("NOT_SUPPORTED: writing to table `{}` is not supported: {why}", table.name);
        Error::new(ErrorKind::UnsupportedSql, OPERATION, message)
    };
    // The service takes none into a bucketed table either: <https://docs.aws.amazon.com/athena/latest/ug/insert-into.html>.
    if Buckets::of(&table.storage).is_some() {
        return Err(refused("its buckets".to_owned()));
    }
    let format = Format::of_table(table).map_err(refused)?;
    let compression = |keys: &[&str]| {
        let parameter = |key: &&str| lake::catalog::descriptor::parameter(&table.storage, &table.parameters, key);
        keys.iter().chain(&["write.compression"]).find_map(parameter).map(str::to_ascii_uppercase)
    };
    Ok(match format {
        Format::Parquet(_) => {
            Format::Parquet(match compression(&["parquet.compression", "parquet.compress"]).as_deref() {
                Some("SNAPPY") => Compression::Snappy,
                Some("ZSTD") => Compression::Zstd,
                Some("NONE" | "UNCOMPRESSED") => Compression::None,
                _ => Compression::Gzip,
            })
        }
        Format::Orc(_) => Format::Orc(match compression(&["orc.compress", "orc.compression"]).as_deref() {
            Some("SNAPPY") => OrcCompression::Snappy,
            Some("LZ4") => OrcCompression::Lz4,
            Some("ZSTD") => OrcCompression::Zstd,
            Some("NONE" | "UNCOMPRESSED") => OrcCompression::None,
            _ => OrcCompression::Zlib,
        }),
        Format::Avro(_) => Format::Avro(match compression(&["avro.output.codec"]).as_deref() {
            Some("SNAPPY") => AvroCompression::Snappy,
            Some("ZSTD" | "ZSTANDARD") => AvroCompression::Zstd,
            Some("NONE" | "NULL" | "UNCOMPRESSED") => AvroCompression::None,
            _ => AvroCompression::Deflate,
        }),
        Format::Text(form, _) => Format::Text(
            form,
            match compression(&[]).as_deref() {
                Some("ZSTD") => TextCompression::Zstd,
                Some("NONE" | "UNCOMPRESSED") => TextCompression::None,
                _ => TextCompression::Gzip,
            },
        ),
    })
}

/// Wraps a query so that it gives the columns of the table, partition keys last, in its types.
fn cast_to_table(table: &Table, insert: &Insert, query: &[ResultColumn]) -> Result<String> {
    let wrong = |name: &'static str, message: String| {
        Error::new(ErrorKind::InvalidSql, OPERATION, format!("{name}: line 1:1: {message}"))
    };
    let all: Vec<(&str, Type)> = table
        .columns
        .iter()
        .chain(&table.partition_keys)
        .map(|column| Ok((column.name.as_str(), Type::from_hive(&column.hive_type)?)))
        .collect::<Result<_>>()?;
    let given: Vec<&str> = if insert.columns.is_empty() {
        all.iter().map(|(name, _)| *name).collect()
    } else {
        insert.columns.iter().map(String::as_str).collect()
    };
    for (index, name) in given.iter().enumerate() {
        if !all.iter().any(|(known, _)| known == name) {
            return Err(wrong(
                "COLUMN_NOT_FOUND",
                format!("Insert column name does not exist in target table: {name}"),
            ));
        }
        if given.iter().take(index).any(|before| before == name) {
            return Err(wrong(
                "DUPLICATE_COLUMN_NAME",
                format!("Insert column name is specified more than once: {name}"),
            ));
        }
    }
    let types = |of: &mut dyn Iterator<Item = String>| of.collect::<Vec<_>>().join(", ");
    let mismatch = || {
        let wanted = given.iter().filter_map(|name| all.iter().find(|(known, _)| known == name));
        wrong(
            "TYPE_MISMATCH",
            format!(
                "Insert query has mismatched column types: Table: [{}], Query: [{}]",
                types(&mut wanted.map(|(_, data_type)| data_type.to_string())),
                types(&mut query.iter().map(|column| column.data_type.to_string()))
            ),
        )
    };
    if given.len() != query.len() {
        return Err(mismatch());
    }
    let mut list = Vec::with_capacity(all.len());
    for (name, data_type) in &all {
        let position = given.iter().position(|known| known == name);
        let value = match position.and_then(|position| query.get(position).map(|column| (position, column))) {
            Some((position, column)) => {
                if !takes(data_type, &column.data_type) {
                    return Err(mismatch());
                }
                cast(&identifier(&format!("c{position}")), &column.data_type, data_type)
            }
            // A partition key, too: the rows go to the partition of NULL.
            None => format!("CAST(NULL AS {data_type})"),
        };
        list.push(format!("{value} AS {}", identifier(name)));
    }
    let names: Vec<String> = (0..query.len()).map(|index| identifier(&format!("c{index}"))).collect();
    // The query stands on lines of its own, so that a comment at its end does not swallow the bracket.
    Ok(format!("SELECT {} FROM (\n{}\n) AS query ({})", list.join(", "), insert.query, names.join(", ")))
}

/// Tells whether a column takes values of a type without a cast that is written: Trino's rule for INSERT. A common type of both is
/// enough, and values that do not fit stop the statement; within arrays, maps and rows texts are not looked at one by one.
fn takes(column: &Type, value: &Type) -> bool {
    if has_inner_length(column) { can_coerce(value, column) } else { common_super_type(value, column).is_some() }
}

/// Tells whether a type holds texts of a longest length within another type.
fn has_inner_length(data_type: &Type) -> bool {
    let is_bounded = |inner: &Type| matches!(inner, Type::Varchar(Some(_)) | Type::Char(_)) || has_inner_length(inner);
    match data_type {
        Type::Array(element) => is_bounded(element),
        Type::Map(key, value) => is_bounded(key) || is_bounded(value),
        Type::Row(fields) => fields.iter().any(|(_, field)| is_bounded(field)),
        _ => false,
    }
}

/// Casts a value to the type of its column. A text that is longer than the column's is an error, unless only blanks are.
fn cast(source: &str, value: &Type, column: &Type) -> String {
    let longest = |data_type: &Type| match data_type {
        Type::Varchar(longest) => *longest,
        Type::Char(length) => Some(*length),
        _ => None,
    };
    let is_text = matches!(value, Type::Varchar(_) | Type::Char(_));
    match longest(column) {
        Some(fits) if is_text && longest(value).is_none_or(|longest| longest > fits) => {
            let message =
                format!("Cannot truncate non-space characters when casting from {value} to {column} on INSERT");
            let message = literal(&message);
            format!("CAST(\"{FIT}\"(CAST({source} AS varchar), {fits}, {message}) AS {column})")
        }
        _ => format!("CAST({source} AS {column})"),
    }
}
