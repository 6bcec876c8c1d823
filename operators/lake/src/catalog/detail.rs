//! What Glue's model says besides: kept as it came for the clients that put it, and of no meaning in this lake.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What a table carries besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableDetail {
    /// A remark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How long it is wanted, in days, as its owner says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<i32>,
    /// When it was last read, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_access_ms: Option<i64>,
    /// When its statistics were last computed, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_analyzed_ms: Option<i64>,
    /// The text of a view with all names written out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_expanded_text: Option<String>,
    /// The table that this one links to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TableTarget>,
}

/// The table that a resource link leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableTarget {
    /// Its catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog_id: Option<String>,
    /// Its database.
    pub database: String,
    /// Its name.
    pub table: String,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// What a partition carries besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartitionDetail {
    /// When it was last read, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_access_ms: Option<i64>,
    /// When its statistics were last computed, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_analyzed_ms: Option<i64>,
}

/// What a storage descriptor carries besides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageDetail {
    /// The columns that rows are bucketed by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bucket_columns: Vec<String>,
    /// How many buckets there are; -1 in the words of Hive for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_count: Option<i32>,
    /// The order of rows in a bucket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sort_columns: Vec<SortColumn>,
    /// Whether skewed values have folders of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_as_sub_directories: Option<bool>,
    /// Values that stand in very many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skewed: Option<Skewed>,
    /// More places with objects, as written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_locations: Vec<String>,
    /// The `SerDe`'s own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_name: Option<String>,
    /// The descriptor's free pairs.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, String>,
}

/// A column that rows are sorted by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortColumn {
    /// Its name.
    pub column: String,
    /// 1 for ascending, 0 for descending.
    pub order: i32,
}

/// Values that stand in very many rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skewed {
    /// The columns.
    pub columns: Vec<String>,
    /// The values.
    pub values: Vec<String>,
    /// Where the rows of a value are.
    pub locations: IndexMap<String, String>,
}

/// Tells whether nothing is said; for serde.
pub(super) fn is_default<T: Default + PartialEq>(detail: &T) -> bool {
    *detail == T::default()
}
