//! Rows of a result as text, as Athena shows them.

use arrow::array::RecordBatch;
use lake::query::ResultColumn;
use lake::sql::text;

/// Returns the values of a row, none for NULL.
pub(super) fn values(columns: &[ResultColumn], batch: &RecordBatch, row: usize) -> Vec<Option<String>> {
    columns.iter().zip(batch.columns()).map(|(column, array)| text::display(&column.data_type, array, row)).collect()
}
