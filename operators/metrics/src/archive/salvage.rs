//! Salvage: the points of a damaged object that still can be read; and of those that cannot, as far as that can be told, which
//! series and which times they are of.
//!
//! Pages are tried, the more at a time the longer all goes well. Whether what is read is what was written the ledger's sums say: a
//! page has none of its own.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use lake::storage::Storage;
use lake::{Error, ErrorKind, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::form::PAGE_ROWS;
use super::rows::Columns;
use super::{Form, SeriesRows};
use crate::ledger::ArchivedFile;
use crate::point::{Points, SeriesName, SeriesPoints};

/// What is left of objects.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    /// The points that can be read.
    pub(crate) points: BTreeMap<SeriesName, Points>,
    /// A time for each point that cannot be read, of series whose names can; none where the time cannot be read either.
    pub(crate) lost: BTreeMap<SeriesName, Vec<Option<i64>>>,
}

/// Reads what can be read of an object of at most so many rows. All of it is in memory meanwhile: it is damaged, which is rare.
///
/// # Errors
/// Those of the storage, but for an object that is missing: nothing of it can be read.
pub(crate) async fn salvage(storage: &Storage, file: &ArchivedFile, most_rows: u64) -> Result<Salvaged> {
    let bytes = match storage.read(&file.location).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind == ErrorKind::NotFound => return Ok(Salvaged::default()),
        Err(error) => return Err(error),
    };
    let salvaged = tokio::task::spawn_blocking(move || Salvaged::of(&bytes, most_rows)).await;
    // A reader that damage stops altogether has read nothing.
    Ok(salvaged.unwrap_or_default())
}

impl Salvaged {
    fn of(bytes: &Bytes, most_rows: u64) -> Self {
        let mut salvaged = Self::default();
        let Some(object) = Object::open(bytes) else { return salvaged };
        for group in 0..object.metadata.metadata().num_row_groups() {
            // A damaged description may say any number.
            let rows = u64::try_from(object.metadata.metadata().row_group(group).num_rows()).unwrap_or(u64::MAX);
            if rows <= most_rows
                && let Ok(rows) = usize::try_from(rows)
            {
                salvaged.take(&object, group, &object.page_starts(group, rows));
            }
        }
        salvaged
    }

    /// Adds what is left of another object.
    pub(crate) fn join(&mut self, other: Self) {
        self.add(other.points.into_iter().map(|(name, points)| SeriesPoints { name, points }));
        for (name, times) in other.lost {
            self.lost.entry(name).or_default().extend(times);
        }
    }

    /// Takes the rows from the first to the last of some places, at which pages begin: all at once, or what can be read of both
    /// halves.
    fn take(&mut self, object: &Object, group: usize, places: &[usize]) {
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return };
        if first >= last {
            return;
        }
        if let Ok(series) = object.points(group, *first..*last) {
            self.add(series);
        } else if places.len() > 2 {
            let middle = places.len() / 2;
            self.take(object, group, &places[..=middle]);
            self.take(object, group, &places[middle..]);
        } else {
            for (name, time_ms) in object.named(group, *first..*last) {
                self.lost.entry(name).or_default().push(time_ms);
            }
        }
    }

    fn add(&mut self, series: impl IntoIterator<Item = SeriesPoints>) {
        for SeriesPoints { name, points } in series {
            match self.points.entry(name) {
                Entry::Vacant(vacant) => {
                    vacant.insert(points);
                }
                Entry::Occupied(mut known) if known.get().times_ms().last() < points.times_ms().first() => {
                    known.get_mut().append(points);
                }
                // What is not in the order of its times is not what was written.
                Entry::Occupied(known) => {
                    let times = points.times_ms().iter().map(|time_ms| Some(*time_ms));
                    self.lost.entry(known.key().clone()).or_default().extend(times);
                }
            }
        }
    }
}

/// A damaged object whose description can be read.
struct Object {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
}

impl Object {
    /// Reads the description at the end of an object; none where it cannot be read: then nothing says what the rest is.
    fn open(bytes: &Bytes) -> Option<Self> {
        let load = |policy| {
            let options = ArrowReaderOptions::new().with_schema(Form::Points.schema()).with_page_index_policy(policy);
            ArrowReaderMetadata::load(bytes, options).ok()
        };
        let metadata = load(PageIndexPolicy::Optional).or_else(|| load(PageIndexPolicy::Skip))?;
        Some(Self { bytes: bytes.clone(), metadata })
    }

    /// Lists the rows at which a page of any column begins, and the end.
    fn page_starts(&self, group: usize, rows: usize) -> Vec<usize> {
        let columns = self.metadata.metadata().offset_index().and_then(|index| index.get(group));
        let mut starts: BTreeSet<usize> = match columns {
            Some(columns) => columns
                .iter()
                .flat_map(OffsetIndexMetaData::page_locations)
                .filter_map(|page| usize::try_from(page.first_row_index).ok())
                .collect(),
            None => (0..rows).step_by(PAGE_ROWS).collect(),
        };
        starts.extend([0, rows]);
        starts.into_iter().filter(|start| *start <= rows).collect()
    }

    fn points(&self, group: usize, rows: Range<usize>) -> Result<Vec<SeriesPoints>> {
        let mut found = Vec::new();
        for batch in self.rows(group, &rows, ProjectionMask::all())? {
            found.extend(SeriesPoints::from_rows(&batch, None)?);
        }
        Ok(found)
    }

    /// Lists rows that cannot be read, as far as their names can: of each the name and the time, if that can be read too.
    fn named(&self, group: usize, rows: Range<usize>) -> Vec<(SeriesName, Option<i64>)> {
        let columns = |wanted: &[usize]| {
            let schema = self.metadata.metadata().file_metadata().schema_descr();
            self.rows(group, &rows, ProjectionMask::leaves(schema, wanted.iter().copied()))
        };
        let list = |batches: &[RecordBatch], has_times: bool| {
            let mut named = Vec::new();
            for batch in batches {
                let columns = Columns::of(batch)?;
                let times_ms = if has_times { Some(columns.times(1)?) } else { None };
                for (name, places) in columns.runs(None)? {
                    named.extend(places.map(|place| (name.clone(), times_ms.map(|times_ms| times_ms[place]))));
                }
            }
            Ok::<_, Error>(named)
        };
        let with_times = columns(&[0, 1]).and_then(|batches| list(&batches, true));
        with_times.or_else(|_| columns(&[0]).and_then(|batches| list(&batches, false))).unwrap_or_default()
    }

    /// Reads some columns of rows: all of these, or none.
    fn rows(&self, group: usize, rows: &Range<usize>, columns: ProjectionMask) -> Result<Vec<RecordBatch>> {
        let selection = RowSelection::from(vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())]);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_row_selection(selection)
            .with_projection(columns)
            .build()
            .map_err(|error| damaged(&error.to_string()))?;
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|error| damaged(&error.to_string()))?;
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if found == rows.len() { Ok(batches) } else { Err(damaged("rows are missing")) }
    }
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, "read a damaged object", what)
}
