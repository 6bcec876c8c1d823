//! Picks the pages that may hold some series, by the page index.

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

/// The rows to read: row groups, and the rows in them.
pub(super) struct Picked {
    pub(super) row_groups: Vec<usize>,
    pub(super) rows: RowSelection,
}

/// Picks what may hold one of some names, which are sorted. Without an index all of it may.
pub(super) fn pick(metadata: &ParquetMetaData, names: &[&str]) -> Picked {
    let (mut row_groups, mut selectors) = (Vec::new(), Vec::new());
    for group in 0..metadata.num_row_groups() {
        let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or_default();
        let picked = of_group(metadata, group, rows, names);
        if picked.iter().any(|selector| !selector.skip) {
            row_groups.push(group);
            selectors.extend(picked);
        }
    }
    Picked { row_groups, rows: RowSelection::from(selectors) }
}

fn of_group(metadata: &ParquetMetaData, group: usize, rows: usize, names: &[&str]) -> Vec<RowSelector> {
    let index = metadata.column_index().and_then(|index| index.get(group)).and_then(|columns| columns.first());
    let offsets = metadata.offset_index().and_then(|index| index.get(group)).and_then(|columns| columns.first());
    let (Some(ColumnIndexMetaData::BYTE_ARRAY(index)), Some(offsets)) = (index, offsets) else {
        return vec![RowSelector::select(rows)];
    };
    let pages = offsets.page_locations();
    let first_row =
        |page: usize| pages.get(page).map_or(rows, |page| usize::try_from(page.first_row_index).unwrap_or_default());
    (0..pages.len())
        .map(|page| {
            let length = first_row(page + 1).saturating_sub(first_row(page));
            let (min, max) = (index.min_value(page).unwrap_or_default(), index.max_value(page));
            // The first name that is not before the page must not be behind it.
            let next = names.partition_point(|name| name.as_bytes() < min);
            let may_hold = names.get(next).is_some_and(|name| max.is_none_or(|max| name.as_bytes() <= max));
            if may_hold { RowSelector::select(length) } else { RowSelector::skip(length) }
        })
        .collect()
}
