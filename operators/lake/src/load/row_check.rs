//! Rows that whoever runs the load does not take: they are rejected with their lines, as lines that cannot be read are.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;

use super::parse::{Chunk, Parsed};
use super::reject::{Reason, Rejected};
use crate::error::{Error, ErrorKind, Result};

/// Looks at rows; returns those that are not taken, by their places in the batch, each with the reason.
pub type RowCheck = Arc<dyn Fn(&RecordBatch) -> Result<BTreeMap<usize, String>> + Send + Sync>;

/// Takes the rows out of a chunk that a check does not take.
///
/// # Errors
/// Those of the check; `External` when the rows cannot be put together again.
pub(super) fn apply(check: &RowCheck, parsed: &mut Parsed, chunk: &Chunk) -> Result<()> {
    let refused = check(&parsed.batch)?;
    if refused.is_empty() {
        return Ok(());
    }
    let is_kept = |row: &usize| !refused.contains_key(row);
    for (row, why) in &refused {
        let Some(place) = parsed.places.get(*row) else { continue };
        let bytes = usize::try_from(place.start).unwrap_or(0)..usize::try_from(place.end).unwrap_or(0);
        parsed.rejected.push(Rejected::new(
            chunk.file,
            chunk.first_line + u64::from(place.line),
            &Reason::NotTaken { why: why.clone() },
            chunk.bytes.get(bytes).unwrap_or_default(),
        ));
    }
    parsed.rejected.sort_by_key(|rejected| rejected.line_number);
    let kept: BooleanArray = (0..parsed.batch.num_rows()).map(|row| Some(is_kept(&row))).collect();
    parsed.batch = filter_record_batch(&parsed.batch, &kept).map_err(|error| {
        Error::new(ErrorKind::External, "reject rows", format!("the rows cannot be put together: {error}"))
            .source(error)
    })?;
    let mut row = 0;
    parsed.places.retain(|_| {
        row += 1;
        is_kept(&(row - 1))
    });
    Ok(())
}
