//! Partitions that a query need not read: filters over partition keys, evaluated on the catalog's values.

use std::sync::Arc;

use datafusion::arrow::array::{Array as _, AsArray as _};
use datafusion::arrow::compute::CastOptions;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;

use crate::catalog::Partition;
use crate::error::{Error, ErrorKind, Result};
use crate::name::HIVE_DEFAULT_PARTITION;
use crate::sql::Type;

/// Reads the value of a partition key.
///
/// # Errors
/// `InvalidData` for text that is no value of the key's type.
pub(super) fn partition_value(key: &str, data_type: &Type, text: &str) -> Result<ScalarValue> {
    let target = data_type.to_arrow();
    let wrong = || {
        Error::new(
            ErrorKind::InvalidData,
            "read a partition",
            format!(
                "HIVE_INVALID_PARTITION_VALUE: the value `{}` of partition key `{key}` is no {data_type}",
                text.escape_debug()
            ),
        )
    };
    if text == HIVE_DEFAULT_PARTITION {
        return ScalarValue::try_new_null(&target).map_err(|_| wrong());
    }
    let value = ScalarValue::Utf8(Some(text.to_owned()));
    if target == DataType::Utf8 {
        let longest = match data_type {
            Type::Varchar(longest) => *longest,
            Type::Char(length) => Some(*length),
            _ => None,
        };
        // As Trino, which reads nothing of such a table.
        let fits =
            longest.is_none_or(|longest| u32::try_from(text.chars().count()).is_ok_and(|count| count <= longest));
        return if fits { Ok(value) } else { Err(wrong()) };
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let value = value.cast_to_with_options(&target, &options).map_err(|_| wrong())?;
    if value.is_null() { Err(wrong()) } else { Ok(value) }
}

/// Checks that a text is a value of a partition key of one of Hive's types.
///
/// # Errors
/// `InvalidData` when it is none; `InvalidInput` for a type that is none.
pub(crate) fn check_partition_value(key: &str, hive_type: &str, text: &str) -> Result<()> {
    partition_value(key, &Type::from_hive(hive_type)?, text).map(|_value| ())
}

/// Returns a value of a partition key in the one form that all texts of that value have.
///
/// # Errors
/// `InvalidData` for text that is no value of the key's type.
pub(crate) fn partition_meaning(key: &str, data_type: &Type, text: &str) -> Result<String> {
    let value = partition_value(key, data_type, text)?;
    Ok(if matches!(value, ScalarValue::Utf8(_)) { text.to_owned() } else { value.to_string() })
}

/// Keeps the partitions that the filters may let through, with the values of their keys.
pub(super) fn prune<'a>(
    state: &dyn Session,
    keys: &[(String, Type)],
    partitions: &'a [Partition],
    filters: &[Expr],
) -> Result<Vec<(&'a Partition, Vec<ScalarValue>)>> {
    let mut valued = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let values = keys
            .iter()
            .zip(&partition.values)
            .map(|((key, data_type), text)| partition_value(key, data_type, text))
            .collect::<Result<Vec<_>>>()?;
        valued.push((partition, values));
    }
    Ok(keep(state, keys, valued, filters))
}

/// Keeps what the filters may let through by the values of these keys; filters over other columns are passed over.
pub(super) fn keep<T>(
    state: &dyn Session,
    keys: &[(String, Type)],
    valued: Vec<(T, Vec<ScalarValue>)>,
    filters: &[Expr],
) -> Vec<(T, Vec<ScalarValue>)> {
    if valued.is_empty() {
        return valued;
    }
    let schema = Arc::new(Schema::new(
        keys.iter().map(|(name, data_type)| Field::new(name, data_type.to_arrow(), true)).collect::<Vec<_>>(),
    ));
    let mut kept = vec![true; valued.len()];
    for filter in filters.iter().filter(|filter| reads_only(filter, keys)) {
        // A filter that cannot be evaluated here (it fails on some value) prunes nothing: it decides, and fails, on the rows.
        if let Some(mask) = evaluate(state, &schema, &valued, filter) {
            kept.iter_mut().zip(mask).for_each(|(kept, passes)| *kept &= passes);
        }
    }
    valued.into_iter().zip(kept).filter_map(|(valued, kept)| kept.then_some(valued)).collect()
}

/// Tells whether a filter is about partition keys alone.
fn reads_only(filter: &Expr, keys: &[(String, Type)]) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty()
        && !filter.is_volatile()
        && columns.iter().all(|column| keys.iter().any(|(name, _)| *name == column.name))
}

fn evaluate<T>(
    state: &dyn Session,
    schema: &Arc<Schema>,
    valued: &[(T, Vec<ScalarValue>)],
    filter: &Expr,
) -> Option<Vec<bool>> {
    let columns = (0..schema.fields().len())
        .map(|index| ScalarValue::iter_to_array(valued.iter().filter_map(|(_, values)| values.get(index).cloned())))
        .collect::<datafusion::common::Result<Vec<_>>>()
        .ok()?;
    let batch = RecordBatch::try_new(Arc::clone(schema), columns).ok()?;
    let unqualified = unqualify(filter)?;
    let expression = state.create_physical_expr(unqualified, &DFSchema::try_from(Arc::clone(schema)).ok()?).ok()?;
    let result = expression.evaluate(&batch).ok()?.into_array(batch.num_rows()).ok()?;
    let result = result.as_boolean_opt()?;
    Some((0..result.len()).map(|row| result.is_valid(row) && result.value(row)).collect())
}

/// Takes the tables' names off the columns of a filter.
fn unqualify(filter: &Expr) -> Option<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode as _};
    filter
        .clone()
        .transform(|expr| {
            Ok(match expr {
                Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
                other => Transformed::no(other),
            })
        })
        .ok()
        .map(|transformed| transformed.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_keys_type() {
        let value = |data_type: &Type, text: &str| partition_value("k", data_type, text);
        assert_eq!(value(&Type::Integer, "007").unwrap(), ScalarValue::Int32(Some(7)));
        assert_eq!(value(&Type::Date, "1970-01-02").unwrap(), ScalarValue::Date32(Some(1)));
        assert_eq!(value(&Type::Varchar(None), "x y").unwrap(), ScalarValue::Utf8(Some("x y".to_owned())));
        assert_eq!(value(&Type::Bigint, HIVE_DEFAULT_PARTITION).unwrap(), ScalarValue::Int64(None));
        assert_eq!(
            value(&Type::Integer, "a\nb").unwrap_err().to_string(),
            "HIVE_INVALID_PARTITION_VALUE: the value `a\\nb` of partition key `k` is no integer"
        );
    }
}
