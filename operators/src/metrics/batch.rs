//! Rows as batches of points.

use std::collections::BTreeMap;

use lake::{Error, ErrorKind, Result};
use metrics::{DuplicateRule, Merged, PointBatch, Points, SeriesName, SeriesPoints};

/// How many rows become one batch: some megabytes, so that memory does not grow with the input.
pub(super) const BATCH_ROWS: usize = 100_000;

/// Rows in the order in which they were written, by series.
#[derive(Debug, Default)]
pub(super) struct Rows {
    by_series: BTreeMap<SeriesName, Vec<(i64, f64)>>,
    count: usize,
}

impl Rows {
    /// Adds rows of a series.
    pub(super) fn add(&mut self, name: &SeriesName, rows: &[(i64, f64)]) {
        self.count += rows.len();
        match self.by_series.get_mut(name.as_str()) {
            Some(known) => known.extend_from_slice(rows),
            None => {
                self.by_series.insert(name.clone(), rows.to_vec());
            }
        }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Makes points of them, and none are left; also returns how many rows repeated the time of another one.
    ///
    /// # Errors
    /// `Conflict` with the series, the time and both values under [`DuplicateRule::Error`].
    pub(super) fn take(&mut self, rule: DuplicateRule) -> Result<(PointBatch, Merged)> {
        self.count = 0;
        let mut repeated = Merged::default();
        let series = std::mem::take(&mut self.by_series).into_iter().map(|(name, rows)| {
            let (points, merged) = Points::of_written(&rows, rule).map_err(|found| {
                let message = format!(
                    "expected one value of `{name}` for {}, found {} and {}",
                    jiff::Timestamp::from_millisecond(found.time_ms)
                        .map_or_else(|_| found.time_ms.to_string(), |time| time.to_string()),
                    found.stands,
                    found.written
                );
                Error::new(ErrorKind::Conflict, "write points", message)
                    .help("`duplicate: last` or `max` in the file of tiers says which one is kept")
            })?;
            repeated += Merged { added: 0, ..merged };
            Ok(SeriesPoints { name, points })
        });
        let batch = PointBatch::new(series.collect::<Result<Vec<_>>>()?)?;
        Ok((batch, repeated))
    }
}
