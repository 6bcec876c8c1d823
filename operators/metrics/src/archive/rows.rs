//! Series as rows of Arrow, and back.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow::record_batch::RecordBatch;
use lake::{Error, ErrorKind, Result};

use super::Form;
use crate::bucket::{Bucket, SeriesBuckets};
use crate::checksum::Tally;
use crate::point::{Points, SeriesName, SeriesPoints};

/// What the archive keeps of a series.
pub(crate) trait SeriesRows: Sized + Send + Sync + 'static {
    /// The kind of rows.
    const FORM: Form;

    /// Returns the series.
    fn name(&self) -> &SeriesName;
    /// Returns how many rows it has.
    fn len(&self) -> usize;
    /// Takes the rest of the same series, which was in a later piece.
    ///
    /// # Errors
    /// `InvalidData` when it does not come later.
    fn append(&mut self, later: Self) -> Result<()>;
    /// Counts it.
    fn tally(&self, tally: &mut Tally);
    /// Writes series as rows.
    ///
    /// # Errors
    /// Those of Arrow: none in practice.
    fn to_rows(series: &[Self]) -> Result<RecordBatch>;
    /// Reads the rows of some series, whose names are sorted, or of all; a series is where the name stays the same.
    ///
    /// # Errors
    /// `InvalidData` for rows of another form.
    fn from_rows(rows: &RecordBatch, names: Option<&[SeriesName]>) -> Result<Vec<Self>>;
}

impl SeriesRows for SeriesPoints {
    const FORM: Form = Form::Points;

    fn name(&self) -> &SeriesName {
        &self.name
    }

    fn len(&self) -> usize {
        self.points.len()
    }

    fn append(&mut self, later: Self) -> Result<()> {
        if self.points.times_ms().last() >= later.points.times_ms().first() {
            return Err(disorder(&self.name));
        }
        self.points.append(later.points);
        Ok(())
    }

    fn tally(&self, tally: &mut Tally) {
        tally.add(&self.name, &self.points);
    }

    fn to_rows(series: &[Self]) -> Result<RecordBatch> {
        let count = series.iter().map(|series| series.points.len()).sum();
        let (mut times_ms, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for series in series {
            times_ms.extend_from_slice(series.points.times_ms());
            values.extend_from_slice(series.points.values());
        }
        let columns: Vec<ArrayRef> = vec![
            names_of(series)?,
            Arc::new(TimestampMillisecondArray::from(times_ms)),
            Arc::new(Float64Array::from(values)),
        ];
        RecordBatch::try_new(Form::Points.schema(), columns).map_err(|error| failed(&error))
    }

    fn from_rows(rows: &RecordBatch, names: Option<&[SeriesName]>) -> Result<Vec<Self>> {
        let columns = Columns::of(rows)?;
        let values = columns.doubles(2)?;
        columns
            .runs(names)?
            .into_iter()
            .map(|(name, places)| {
                let times_ms = columns.times(1)?[places.clone()].to_vec();
                let points = Points::of_sorted(times_ms, values[places].to_vec()).map_err(|_| disorder(&name))?;
                Ok(Self { name, points })
            })
            .collect()
    }
}

impl SeriesRows for SeriesBuckets {
    const FORM: Form = Form::Buckets;

    fn name(&self) -> &SeriesName {
        &self.name
    }

    fn len(&self) -> usize {
        self.buckets.len()
    }

    fn append(&mut self, later: Self) -> Result<()> {
        let time = |bucket: &(i64, Bucket)| bucket.0;
        if self.buckets.last().map(time) >= later.buckets.first().map(time) {
            return Err(disorder(&self.name));
        }
        self.buckets.extend(later.buckets);
        Ok(())
    }

    fn tally(&self, tally: &mut Tally) {
        tally.add_buckets(self);
    }

    fn to_rows(series: &[Self]) -> Result<RecordBatch> {
        let all = || series.iter().flat_map(|series| &series.buckets);
        let times = |time: fn(&(i64, Bucket)) -> i64| -> ArrayRef {
            Arc::new(TimestampMillisecondArray::from_iter_values(all().map(time)))
        };
        let doubles = |value: fn(&Bucket) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(all().map(|(_, bucket)| value(bucket))))
        };
        let counts = Int64Array::from_iter_values(all().map(|(_, bucket)| bucket.count.cast_signed()));
        let columns: Vec<ArrayRef> = vec![
            names_of(series)?,
            times(|(time_ms, _)| *time_ms),
            Arc::new(counts),
            doubles(|bucket| bucket.sum),
            doubles(|bucket| bucket.min),
            doubles(|bucket| bucket.max),
            doubles(|bucket| bucket.first),
            doubles(|bucket| bucket.last),
            times(|(_, bucket)| bucket.first_ms),
            times(|(_, bucket)| bucket.last_ms),
        ];
        RecordBatch::try_new(Form::Buckets.schema(), columns).map_err(|error| failed(&error))
    }

    fn from_rows(rows: &RecordBatch, names: Option<&[SeriesName]>) -> Result<Vec<Self>> {
        let columns = Columns::of(rows)?;
        let (times_ms, counts) = (columns.times(1)?, columns.integers(2)?);
        let doubles = (3..8).map(|column| columns.doubles(column)).collect::<Result<Vec<_>>>()?;
        let (firsts_ms, lasts_ms) = (columns.times(8)?, columns.times(9)?);
        let bucket = |at: usize| {
            let value = |column: usize| doubles[column][at];
            let bucket = Bucket {
                count: counts[at].cast_unsigned(),
                sum: value(0),
                min: value(1),
                max: value(2),
                first: value(3),
                last: value(4),
                first_ms: firsts_ms[at],
                last_ms: lasts_ms[at],
            };
            (times_ms[at], bucket)
        };
        columns
            .runs(names)?
            .into_iter()
            .map(|(name, places)| {
                if !times_ms[places.clone()].is_sorted_by(|left, right| left < right) {
                    return Err(disorder(&name));
                }
                Ok(Self { name, buckets: places.map(bucket).collect() })
            })
            .collect()
    }
}

/// Makes the column of names.
fn names_of<S: SeriesRows>(series: &[S]) -> Result<ArrayRef> {
    let mut keys = Vec::with_capacity(series.iter().map(S::len).sum());
    for (key, series) in (0_i32..).zip(series) {
        keys.extend(std::iter::repeat_n(key, series.len()));
    }
    let names = StringArray::from_iter_values(series.iter().map(|series| series.name().as_str()));
    let column = DictionaryArray::try_new(Int32Array::from(keys), Arc::new(names)).map_err(|error| failed(&error))?;
    Ok(Arc::new(column))
}

/// The columns of rows that were read.
pub(super) struct Columns<'a>(&'a RecordBatch);

impl<'a> Columns<'a> {
    pub(super) fn of(rows: &'a RecordBatch) -> Result<Self> {
        if rows.columns().iter().any(|column| column.null_count() > 0) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "read an archive",
                "expected rows without NULL, found some",
            ));
        }
        Ok(Self(rows))
    }

    /// Finds where the name stays the same, of some names or of all.
    pub(super) fn runs(&self, wanted: Option<&[SeriesName]>) -> Result<Vec<(SeriesName, std::ops::Range<usize>)>> {
        let names = self.column(0)?.as_dictionary_opt::<Int32Type>().ok_or_else(misfit)?;
        let texts = names.values().as_string_opt::<i32>().ok_or_else(misfit)?;
        let keys = names.keys().values();
        let is_wanted =
            |text: &str| wanted.is_none_or(|names| names.binary_search_by(|name| name.as_str().cmp(text)).is_ok());
        let mut runs: Vec<(SeriesName, std::ops::Range<usize>)> = Vec::new();
        let mut start = 0;
        while let Some(key) = keys.get(start) {
            let length = keys[start..].iter().position(|other| other != key).unwrap_or(keys.len() - start);
            let place = usize::try_from(*key).ok().filter(|place| *place < texts.len()).ok_or_else(misfit)?;
            let text = texts.value(place);
            match runs.last_mut() {
                // A dictionary may hold a text twice.
                Some((name, places)) if name.as_str() == text && places.end == start => places.end = start + length,
                _ if is_wanted(text) => runs.push((SeriesName::new(text)?, start..start + length)),
                _ => {}
            }
            start += length;
        }
        Ok(runs)
    }

    pub(super) fn times(&self, column: usize) -> Result<&[i64]> {
        Ok(self.column(column)?.as_primitive_opt::<TimestampMillisecondType>().ok_or_else(misfit)?.values())
    }

    fn integers(&self, column: usize) -> Result<&[i64]> {
        Ok(self.column(column)?.as_primitive_opt::<Int64Type>().ok_or_else(misfit)?.values())
    }

    fn doubles(&self, column: usize) -> Result<&[f64]> {
        Ok(self.column(column)?.as_primitive_opt::<Float64Type>().ok_or_else(misfit)?.values())
    }

    fn column(&self, column: usize) -> Result<&ArrayRef> {
        self.0.columns().get(column).ok_or_else(misfit)
    }
}

fn misfit() -> Error {
    Error::new(ErrorKind::InvalidData, "read an archive", "expected the columns of a tier, found others")
}

fn disorder(name: &SeriesName) -> Error {
    let message = format!("expected the points of `{name}` in the order of their times");
    Error::new(ErrorKind::InvalidData, "read an archive", message)
}

fn failed(error: &arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::External, "write an archive", error.to_string())
}
