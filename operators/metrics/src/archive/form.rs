//! What archived rows look like: the columns of points and of buckets, and how Parquet holds them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lake::catalog::Column;
use lake::{Error, ErrorKind, Result};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// Rows of a row group at most: some 3.5 MB of points.
pub(super) const ROW_GROUP_ROWS: usize = 1_000_000;

/// Rows of a page at most: whoever reads one series decodes whole pages, and smaller ones gain little beside what they take.
/// Measured on 2,880,000 points of 2,000 series: 4,096 rows 3.4 bytes a point, 20,000 rows 3.3.
pub(super) const PAGE_ROWS: usize = 4_096;

/// Bytes of the dictionary of names in a row group at most: a million different names of a hundred characters do not fit, and
/// then they are written as they are.
const NAMES_BYTES: usize = 16 << 20;

/// What stands in every object as its creator. A constant without a version, so that an upgrade writes the same bytes.
const CREATED_BY: &str = "suiro";

/// A kind of archived rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name, ts, value`.
    Points,
    /// `name, ts, count, sum, min, max, first, last, first_ts, last_ts`.
    Buckets,
}

impl Form {
    /// Returns the columns as the catalog names them.
    pub(crate) fn columns(self) -> Vec<Column> {
        let mut columns = vec![Column::new("name", "string"), Column::new("ts", "timestamp")];
        match self {
            Self::Points => columns.push(Column::new("value", "double")),
            Self::Buckets => {
                columns.push(Column::new("count", "bigint"));
                columns.extend(["sum", "min", "max", "first", "last"].map(|name| Column::new(name, "double")));
                columns.extend(["first_ts", "last_ts"].map(|name| Column::new(name, "timestamp")));
            }
        }
        columns
    }

    /// Returns the columns as Arrow knows them.
    pub(super) fn schema(self) -> SchemaRef {
        let fields = self.columns().into_iter().map(|column| {
            let data_type = match column.hive_type.as_str() {
                "string" => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
                "timestamp" => DataType::Timestamp(TimeUnit::Millisecond, None),
                "bigint" => DataType::Int64,
                _ => DataType::Float64,
            };
            Field::new(column.name, data_type, false)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Returns how Parquet holds the columns.
    pub(super) fn properties(self) -> Result<WriterProperties> {
        let zstd = ZstdLevel::try_new(3)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "write an archive", error.to_string()))?;
        let sorting = [0, 1].map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
        let mut builder = WriterProperties::builder()
            // The form that every reader knows, Hive's and Athena's too.
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(zstd))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(None)
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_sorting_columns(Some(sorting.to_vec()))
            // Names are paths whose beginnings are the same: only whole they tell pages from one another.
            .set_statistics_truncate_length(None)
            .set_column_index_truncate_length(None)
            .set_column_dictionary_page_size_limit(ColumnPath::from("name"), NAMES_BYTES)
            // What is small already by its encoding. A reader of one series pays more for zstd's workspaces than for what it
            // unpacks: a fifth of the time of a year's read went there.
            .set_column_compression(ColumnPath::from("name"), Compression::SNAPPY);
        for column in self.columns() {
            if column.hive_type == "timestamp" || column.hive_type == "bigint" {
                let path = ColumnPath::from(column.name.as_str());
                builder = builder
                    .set_column_compression(path.clone(), Compression::SNAPPY)
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            } else if column.hive_type == "double" {
                // Values of many series are too many for a dictionary: it is given up on the way, and zstd finds more without
                // (measured on the same points: 3.3 bytes instead of 3.5; on the 17 series of CloudWatch 2.0 instead of 2.1).
                builder = builder.set_column_dictionary_enabled(ColumnPath::from(column.name.as_str()), false);
            }
        }
        Ok(builder.build())
    }
}
