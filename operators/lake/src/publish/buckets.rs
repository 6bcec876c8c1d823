//! Buckets: rows dealt out to numbered objects by the hash of some of their columns, as Hive's tables have them, so that engines know
//! which object a value is in.
//!
//! The hash is the one of Hive's first bucketing, which Trino and Athena write and read
//! (<https://github.com/trinodb/trino/blob/476/plugin/trino-hive/src/main/java/io/trino/plugin/hive/util/HiveBucketingV1.java>).

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::{Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use serde::{Deserialize, Serialize};

use super::Format;
use super::parquet::StoredColumn;
use crate::catalog::{Column, Storage};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

const OPERATION: &str = "write buckets";

/// The buckets that rows are dealt out to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Buckets {
    /// The columns whose values decide, in lower case.
    pub columns: Vec<String>,
    /// How many there are.
    pub count: u32,
}

/// How the rows of a version are laid out in objects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layout {
    /// The format of the objects and its compression.
    pub format: Format,
    /// The buckets that rows are dealt out to, by columns that are in the objects; none without such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
}

impl Layout {
    /// Returns the descriptor of objects of these columns.
    pub fn storage(&self, columns: &[Column]) -> Storage {
        let mut storage = self.format.storage(columns);
        if let Some(buckets) = &self.buckets {
            storage.detail.bucket_columns.clone_from(&buckets.columns);
            storage.detail.bucket_count = i32::try_from(buckets.count).ok();
        }
        storage
    }

    /// Checks that columns can be written so.
    ///
    /// # Errors
    /// `InvalidInput` that names the column, and its type or its name.
    pub fn check(&self, columns: &[StoredColumn]) -> Result<()> {
        self.format.check(columns)?;
        self.buckets.as_ref().map_or(Ok(()), |buckets| buckets.hash(columns).map(drop))
    }
}

impl From<Format> for Layout {
    fn from(format: Format) -> Self {
        Self { format, buckets: None }
    }
}

impl Buckets {
    /// How many there may be: Athena and Trino write to 100 objects at a time
    /// (<https://docs.aws.amazon.com/athena/latest/ug/ctas-insert-into.html>).
    pub const MOST: u32 = 100;

    /// Returns the buckets that a descriptor speaks of.
    pub fn of(storage: &Storage) -> Option<Self> {
        let count =
            storage.detail.bucket_count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0)?;
        let columns: Vec<String> = storage.detail.bucket_columns.iter().map(|name| name.to_lowercase()).collect();
        (!columns.is_empty()).then_some(Self { columns, count })
    }

    /// Returns what decides the bucket of a row with these columns.
    ///
    /// # Errors
    /// `InvalidInput` for a number that cannot be written, a column that is not there, and a type that Hive's readers have no hash
    /// for.
    pub(super) fn hash(&self, columns: &[StoredColumn]) -> Result<BucketHash> {
        let refused = |what: String| Err(Error::new(ErrorKind::InvalidInput, OPERATION, what));
        if !(1..=Self::MOST).contains(&self.count) {
            return refused(format!("expected 1 to {} buckets, found {}", Self::MOST, self.count));
        }
        let mut found = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            let Some(at) = columns.iter().position(|column| column.name.to_lowercase() == *name) else {
                return refused(format!(
                    "rows cannot be bucketed by `{name}`: it is no column of the query that is in the objects"
                ));
            };
            let data_type = &columns[at].data_type;
            let Some(kind) = Kind::of(data_type) else {
                return refused(format!(
                    "rows cannot be bucketed by `{name}`: Hive's readers know no buckets by {data_type}"
                ));
            };
            found.push((at, kind));
        }
        Ok(BucketHash { columns: found, count: self.count })
    }
}

/// Decides the bucket of a row.
#[derive(Debug)]
pub(super) struct BucketHash {
    columns: Vec<(usize, Kind)>,
    count: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Boolean,
    Tinyint,
    Smallint,
    Integer,
    Bigint,
    Real,
    Double,
    Date,
    /// What the hash of a text begins with: 0 of a `string`, 1 of a `varchar(n)`.
    Text(i32),
}

impl Kind {
    fn of(data_type: &Type) -> Option<Self> {
        Some(match data_type {
            Type::Boolean => Self::Boolean,
            Type::Tinyint => Self::Tinyint,
            Type::Smallint => Self::Smallint,
            Type::Integer => Self::Integer,
            Type::Bigint => Self::Bigint,
            Type::Real => Self::Real,
            Type::Double => Self::Double,
            Type::Date => Self::Date,
            Type::Varchar(None) => Self::Text(0),
            Type::Varchar(Some(_)) => Self::Text(1),
            _ => return None,
        })
    }

    fn hash(self, array: &ArrayRef, row: usize) -> i32 {
        if array.is_null(row) {
            return 0;
        }
        match self {
            Self::Boolean => i32::from(array.as_boolean().value(row)),
            Self::Tinyint => i32::from(array.as_primitive::<Int8Type>().value(row)),
            Self::Smallint => i32::from(array.as_primitive::<Int16Type>().value(row)),
            Self::Integer => array.as_primitive::<Int32Type>().value(row),
            Self::Date => array.as_primitive::<Date32Type>().value(row),
            Self::Bigint => folded(array.as_primitive::<Int64Type>().value(row).cast_unsigned()),
            Self::Real => {
                let value = array.as_primitive::<Float32Type>().value(row);
                // Java has one NaN.
                if value.is_nan() { 0x7fc0_0000 } else { value.to_bits().cast_signed() }
            }
            Self::Double => {
                let value = array.as_primitive::<Float64Type>().value(row);
                folded(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() })
            }
            Self::Text(start) => array
                .as_string::<i32>()
                .value(row)
                .bytes()
                .fold(start, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte.cast_signed()))),
        }
    }
}

/// Folds 64 bits to 32 as Java does.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is folded in before")]
fn folded(bits: u64) -> i32 {
    (((bits >> 32) ^ bits) as u32).cast_signed()
}

impl BucketHash {
    /// Returns the bucket of a row, from 0.
    pub(super) fn bucket(&self, arrays: &[ArrayRef], row: usize) -> u32 {
        let hash = self.columns.iter().fold(0_i32, |hash, (at, kind)| {
            let own = arrays.get(*at).map_or(0, |array| kind.hash(array, row));
            hash.wrapping_mul(31).wrapping_add(own)
        });
        (hash & i32::MAX).cast_unsigned() % self.count
    }
}

/// How the objects of a writer are called: readers of buckets take the number of the bucket from the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ObjectNames(pub(super) Option<u32>);

impl ObjectNames {
    /// Returns the name of the object with a number, from 0.
    pub(super) fn name(self, number: usize, ending: &str) -> String {
        match self.0 {
            None => format!("part-{number:05}.{ending}"),
            // As Hive calls them, which Trino reads the bucket from.
            Some(bucket) => format!("{bucket:06}_{number}.{ending}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, StringArray};

    use super::*;

    fn hash_of(data_type: &Type, array: impl arrow::array::Array + 'static) -> i32 {
        let array: ArrayRef = Arc::new(array);
        Kind::of(data_type).unwrap().hash(&array, 0)
    }

    /// Java's own: `"hello".hashCode()`, `Long.hashCode`, `Double.hashCode`.
    #[test]
    fn hashes_are_those_of_java() {
        let text = |text: &str| StringArray::from(vec![text]);
        assert_eq!(hash_of(&Type::Varchar(None), text("hello")), 99_162_322);
        assert_eq!(hash_of(&Type::Varchar(Some(9)), text("")), 1);
        assert_eq!(hash_of(&Type::Varchar(None), text("é")), 31 * -61 + -87);
        assert_eq!(hash_of(&Type::Bigint, Int64Array::from(vec![-1])), 0);
        assert_eq!(hash_of(&Type::Bigint, Int64Array::from(vec![1_i64 << 32])), 1);
        assert_eq!(hash_of(&Type::Integer, Int32Array::from(vec![-7])), -7);
        assert_eq!(hash_of(&Type::Double, Float64Array::from(vec![1.0])), 1_072_693_248);
        assert_eq!(hash_of(&Type::Boolean, BooleanArray::from(vec![true])), 1);
        assert_eq!(hash_of(&Type::Date, Date32Array::from(vec![19_000])), 19_000);
        assert_eq!(hash_of(&Type::Integer, Int32Array::from(vec![None])), 0);
    }

    #[test]
    fn what_has_no_bucket_is_refused() {
        let column = |name: &str, data_type| StoredColumn { name: name.to_owned(), data_type };
        let columns = [column("Id", Type::Bigint), column("at", Type::Timestamp(3))];
        let of = |names: &[&str], count| {
            let buckets = Buckets { columns: names.iter().map(|name| (*name).to_owned()).collect(), count };
            buckets.hash(&columns).map(drop).map_err(|error| error.message)
        };
        assert_eq!(of(&["id"], 100), Ok(()));
        for count in [0, 101] {
            assert_eq!(of(&["id"], count).unwrap_err(), format!("expected 1 to 100 buckets, found {count}"));
        }
        assert_eq!(
            of(&["dt"], 4).unwrap_err(),
            "rows cannot be bucketed by `dt`: it is no column of the query that is in the objects"
        );
        assert_eq!(
            of(&["at"], 4).unwrap_err(),
            "rows cannot be bucketed by `at`: Hive's readers know no buckets by timestamp(3)"
        );
    }

    #[test]
    fn two_columns_decide_together() {
        let columns = [("a", Type::Integer), ("b", Type::Integer)];
        let columns = columns.map(|(name, data_type)| StoredColumn { name: name.to_owned(), data_type });
        let buckets = Buckets { columns: vec!["a".to_owned(), "b".to_owned()], count: 7 };
        let arrays: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(vec![3, -3])), Arc::new(Int32Array::from(vec![5, 5]))];
        let hash = buckets.hash(&columns).unwrap();
        assert_eq!(hash.bucket(&arrays, 0), (3 * 31 + 5) % 7);
        assert_eq!(hash.bucket(&arrays, 1), ((-3_i32 * 31 + 5) & i32::MAX).cast_unsigned() % 7);
    }
}
