//! Publishing: how a SELECT or a load becomes visible by one catalog call.
//!
//! Everything before the call writes under a version prefix where nobody looks; everything after it is collection.

mod avro;
mod batch;
mod buckets;
mod collect;
mod commit;
mod counted;
pub mod decide;
pub mod dml;
mod encoded;
mod in_place;
mod late;
mod lease;
mod lost;
mod note;
pub(crate) mod objects;
pub mod parquet;
mod parquet_file;
pub(crate) mod partitioned;
pub(crate) mod reader;
pub mod record;
mod references;
mod request;
mod roots;
pub mod schema;
mod step;
#[cfg(test)]
mod tests;
pub mod text;
mod undo;
pub mod validate;
pub mod version;
mod versions;
mod whole;

pub use avro::AvroCompression;
pub use buckets::{Buckets, Layout};
pub use collect::Collected;
pub use commit::{NewPartition, NewVersion, Published};
pub use decide::{OnEmpty, PublishMode, RowLimit, RowLimits, SaveMode};
pub use encoded::OrcCompression;
pub(crate) use lease::Leases;
pub use parquet_file::ParquetFile;
pub(crate) use references::Elsewhere;
pub use request::{
    Batching, Check, Contents, Plan, Probed, PublishOptions, PublishOutcome, PublishRequest, PublishResult,
    PublishState, Staging, Step, Submitted, Target, Waiting, Written, WrittenBatch,
};
pub use schema::{OnMissingColumn, OnSchemaChange};
pub use step::plan::{plain, publishable};
pub use step::race::RACES;
pub use undo::{Direction, OtherVersion, Undone};
pub use version::{VersionName, version_root};
pub use versions::{IntendedVersion, VersionRoot, VersionState, Versions, WrittenVersion};

use self::parquet::StoredColumn;
use self::text::{TextCompression, TextForm};
use crate::catalog::{Column, Storage, Table, TableFormat, TableKind, descriptor};
use crate::error::Result;
use crate::sql::Type;

/// A format of written objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Format {
    /// Parquet.
    Parquet(Compression),
    /// ORC.
    Orc(OrcCompression),
    /// Avro.
    Avro(AvroCompression),
    /// Lines of text: delimited values or JSON.
    Text(TextForm, TextCompression),
}

/// The compression inside Parquet pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Zstandard, level 3.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// Gzip.
    Gzip,
    /// None.
    None,
}

impl Default for Format {
    fn default() -> Self {
        Self::Parquet(Compression::default())
    }
}

impl Format {
    /// Returns the descriptor of objects of these columns in this format. One of Avro has the schema of its objects, for
    /// readers that do not take it from each of them.
    pub fn storage(self, columns: &[Column]) -> Storage {
        if let Self::Text(form, _) = self {
            return form.storage();
        }
        let mut storage = self.table_format().storage();
        if let Self::Avro(_) = self {
            let typed =
                columns.iter().map(|column| Some((column.name.clone(), Type::from_hive(&column.hive_type).ok()?)));
            if let Some(typed) = typed.collect::<Option<Vec<_>>>() {
                storage.serde_parameters.insert("avro.schema.literal".to_owned(), avro::schema(&typed));
            }
        }
        storage
    }

    /// Returns the format of tables of such objects.
    pub fn table_format(self) -> TableFormat {
        match self {
            Self::Parquet(_) => TableFormat::Parquet,
            Self::Orc(_) => TableFormat::Orc,
            Self::Avro(_) => TableFormat::Avro,
            Self::Text(form, _) => form.table_format(),
        }
    }

    /// Returns how objects of a table are written when nothing says more.
    ///
    /// # Errors
    /// What of the table they cannot be written with, as the end of a sentence about it: its `SerDe`, or one of its properties.
    pub fn of_table(table: &Table) -> std::result::Result<Self, String> {
        if let Some(kind) = TableKind::of(table) {
            return Err(format!("it is {}", kind.described()));
        }
        if let Some(form) = TextForm::of_table(&table.storage, &table.parameters) {
            return form.map(|form| Self::Text(form, TextCompression::default()));
        }
        match TableFormat::of(&table.storage) {
            Some(TableFormat::Parquet) => Ok(Self::Parquet(Compression::default())),
            Some(TableFormat::Orc) => Ok(Self::Orc(OrcCompression::default())),
            Some(TableFormat::Avro) => Ok(Self::Avro(AvroCompression::default())),
            Some(_) => Err(format!("its SerDe `{}`, which is read and not written", table.storage.serde)),
            None => Err(format!("its SerDe {}, which is neither written nor read", descriptor::reader(&table.storage))),
        }
    }

    /// Checks that the format has a form for columns.
    ///
    /// # Errors
    /// `InvalidInput` that names the column, and its type or its name.
    pub fn check(self, columns: &[StoredColumn]) -> Result<()> {
        encoded::check(self, columns)
    }
}
