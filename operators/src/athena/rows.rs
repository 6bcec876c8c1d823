//! Rows of a result as text, as Athena shows them.

use arrow::array::RecordBatch;
use lake::query::ResultColumn;
use lake::sql::text;

/// Returns the values of a row, none for NULL.
pub(super) fn values(columns: &[ResultColumn], batch: &RecordBatch, row: usize) -> Vec<Option<String>> {
    columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| text::display(&column.data_type, array, row))
        .collect()
}

/// Returns a row on one line: `method = GET, status = 500`.
pub(super) fn text_row(columns: &[ResultColumn], batch: &RecordBatch, row: usize) -> String {
    let values = values(columns, batch, row);
    let parts = columns
        .iter()
        .zip(values)
        .map(|(column, value)| format!("{} = {}", column.name, value.unwrap_or_else(|| "NULL".to_owned())));
    parts.collect::<Vec<_>>().join(", ")
}
