//! Which columns of a file are worth a dictionary.
//!
//! Parquet's writer begins every column with a dictionary and gives it up when its page is full. Values that hardly repeat are
//! looked up for nothing, and what was written of them until then takes more room than the values do. The rows that a file
//! begins with tell which columns are like that: the same rows always give the same answer.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use parquet::file::properties::{DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT, WriterPropertiesPtr};
use parquet::schema::types::ColumnPath;
use twox_hash::XxHash64;

/// Fewer values than these tell nothing, and cost nothing either way.
const LEAST_VALUES: usize = 16 * 1024;

/// One of so many hashes, a power of two, is remembered; the different values are so many times those that were.
const ONE_OF: usize = 16;

/// Returns the settings of a file that begins with such rows.
pub(crate) fn settings(properties: &WriterPropertiesPtr, first_rows: &[RecordBatch]) -> WriterPropertiesPtr {
    let Some(first) = first_rows.first() else { return Arc::clone(properties) };
    let schema = first.schema();
    let without = schema.fields().iter().enumerate().filter(|(index, _)| {
        let pieces = first_rows.iter().map(|rows| rows.column(*index));
        !Census::of(pieces).repays()
    });
    let mut without = without.map(|(_, field)| ColumnPath::new(vec![field.name().clone()])).peekable();
    if without.peek().is_none() {
        return Arc::clone(properties);
    }
    let builder = properties.as_ref().clone().into_builder();
    Arc::new(without.fold(builder, |builder, column| builder.set_column_dictionary_enabled(column, false)).build())
}

/// What the first values of a column are like: as many as would fill the dictionary's page if all of them differed.
#[derive(Debug, Default)]
struct Census {
    /// Values that are not NULL.
    values: usize,
    /// The bytes that they take without a dictionary.
    plain_bytes: usize,
    /// Those of the different values' hashes that are remembered.
    different: HashSet<u64>,
    /// The bytes of the values of which a hash is remembered, each counted once.
    different_bytes: usize,
}

impl Census {
    fn of<'a>(pieces: impl Iterator<Item = &'a ArrayRef>) -> Self {
        let mut census = Self::default();
        for piece in pieces {
            match (piece.data_type(), piece.data_type().primitive_width()) {
                (DataType::Utf8, _) => {
                    for text in piece.as_string::<i32>().iter().flatten() {
                        // Each text stands behind its length.
                        census.add(XxHash64::oneshot(0, text.as_bytes()), size_of::<u32>() + text.len());
                    }
                }
                (_, Some(1)) => census.add_numbers::<1>(piece),
                (_, Some(2)) => census.add_numbers::<2>(piece),
                (_, Some(4)) => census.add_numbers::<4>(piece),
                (_, Some(8)) => census.add_numbers::<8>(piece),
                (_, Some(16)) => census.add_numbers::<16>(piece),
                // Truth values have no dictionary.
                _ => {}
            }
        }
        census
    }

    fn add_numbers<const WIDTH: usize>(&mut self, piece: &ArrayRef) {
        // As `ArrowSchemaConverter` stores them.
        let stored = match piece.data_type() {
            DataType::Decimal128(0..=9, _) => 4,
            DataType::Decimal128(10..=18, _) => 8,
            _ => WIDTH.max(4),
        };
        let data = piece.to_data();
        let Some(bytes) = data.buffers().first() else { return };
        let (numbers, _) = bytes.as_chunks::<WIDTH>();
        for (row, number) in numbers.iter().skip(data.offset()).take(data.len()).enumerate() {
            if piece.is_valid(row) {
                let mut word = [0; 16];
                word[..WIDTH].copy_from_slice(number);
                let (halves, _) = word.as_chunks();
                self.add(halves.iter().fold(0, |mix, half| mixed(mix ^ u64::from_le_bytes(*half))), stored);
            }
        }
    }

    fn add(&mut self, hash: u64, bytes: usize) {
        if self.plain_bytes >= DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT {
            return;
        }
        self.values += 1;
        self.plain_bytes += bytes;
        if hash.trailing_zeros() >= ONE_OF.trailing_zeros() && self.different.insert(hash) {
            self.different_bytes += bytes;
        }
    }

    /// Tells whether a dictionary takes less room than the values, and fits its page.
    ///
    /// One that fits, with values that come in any order, is less than 1 - 1/e (63 %) full after as many of them as it has
    /// room for: one that is two thirds full by then will be given up.
    fn repays(&self) -> bool {
        if self.values < LEAST_VALUES {
            return true;
        }
        let dictionary = self.different_bytes * ONE_OF;
        let index_bits = (self.different.len() * ONE_OF).next_power_of_two().trailing_zeros() as usize;
        let is_smaller = dictionary + self.values * index_bits / 8 < self.plain_bytes;
        is_smaller && dictionary < DEFAULT_DICTIONARY_PAGE_SIZE_LIMIT / 3 * 2
    }
}

/// Mixes the bits of a number: [the finalizer of MurmurHash3](https://github.com/aappleby/smhasher/wiki/MurmurHash3).
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int32Array, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};
    use parquet::file::properties::WriterProperties;

    use super::*;

    const ROWS: u64 = 150_000;

    /// Returns the columns without a dictionary of a file that begins with such columns.
    fn without(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let fields: Vec<Field> =
            columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true)).collect();
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, values)| values).collect();
        let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let half = rows.num_rows() / 2;
        let pieces = [rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
        let properties = settings(&Arc::new(WriterProperties::default()), &pieces);
        let names = rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        names.into_iter().filter(|name| !properties.dictionary_enabled(&ColumnPath::new(vec![name.clone()]))).collect()
    }

    /// A number that looks random, of so many different ones.
    fn one_of(different: u64, row: u64) -> u64 {
        mixed(row) % different
    }

    fn longs(different: u64) -> ArrayRef {
        Arc::new((0..ROWS).map(|row| i64::try_from(one_of(different, row)).ok()).collect::<Int64Array>())
    }

    fn ints(different: u64) -> ArrayRef {
        Arc::new((0..ROWS).map(|row| i32::try_from(one_of(different, row)).ok()).collect::<Int32Array>())
    }

    fn texts(different: u64) -> ArrayRef {
        let text = |row| format!("customer-{:011}", one_of(different, row));
        Arc::new((0..ROWS).map(|row| Some(text(row))).collect::<StringArray>())
    }

    #[test]
    fn values_that_hardly_repeat_get_no_dictionary() {
        let prices = (0..ROWS).map(|row| Some(i128::from(one_of(200_000, row)))).collect::<Decimal128Array>();
        let found = without(vec![
            ("id", Arc::new((0..i64::try_from(ROWS).unwrap()).collect::<Int64Array>())),
            ("day", longs(30)),
            ("fits", longs(120_000)),
            ("too many", longs(200_000)),
            ("small", ints(20_000)),
            ("no smaller", ints(200_000)),
            ("price", Arc::new(prices.with_precision_and_scale(10, 2).unwrap())),
            ("name", texts(2_000)),
            ("name that fits", texts(40_000)),
            ("unique name", texts(u64::MAX)),
        ]);
        assert_eq!(found, ["id", "too many", "no smaller", "price", "unique name"]);
    }

    #[test]
    fn few_values_tell_nothing() {
        let ids: Int64Array = (0..ROWS).map(|row| (row % 10 == 0).then(|| i64::try_from(row).unwrap())).collect();
        assert_eq!(without(vec![("mostly null", Arc::new(ids))]), Vec::<String>::new());
        assert_eq!(without(vec![("few", Arc::new((0..1_000).collect::<Int64Array>()))]), Vec::<String>::new());
    }
}
