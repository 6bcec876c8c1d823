//! The archive: windows as Parquet objects in the lake, written once, read back from the storage, and made visible by one
//! catalog call.
//!
//! Rows are in the order of name and time. Times are delta-encoded, names a dictionary, values zstd; pages have an index, so
//! that one series is found without reading the others. Where there are too many rows for one object there are several, by the hash
//! of the series.

mod block;
mod file;
mod form;
mod object;
mod pick;
mod place;
mod rows;
mod salvage;
mod scan;
mod split;
mod whole;

pub(crate) use file::{ArchiveWriter, hash_of_object};
pub(crate) use form::Form;
pub(crate) use place::{Place, note_state, partition_of, parts_of, standing_of, state_of};
pub use place::{WindowKind, kind_of};
pub(crate) use rows::SeriesRows;
pub(crate) use salvage::{Salvaged, salvage};
pub(crate) use scan::{ArchiveBatches, read_named, scan};
pub(crate) use whole::scan_whole;

#[cfg(test)]
mod tests;
