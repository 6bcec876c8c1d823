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
use crate::sql::cast::cast;
use crate::sql::temporal::micros_of_precision;

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
        // As Trino, which reads nothing of a table with a longer one.
        let fits = |text: &str, longest: u32| u32::try_from(text.chars().count()).is_ok_and(|count| count <= longest);
        return match data_type {
            Type::Varchar(Some(longest)) if !fits(text, *longest) => Err(wrong()),
            // Blanks at the end are none of it.
            Type::Char(length) if fits(text.trim_end_matches(' '), *length) => Ok(text.trim_end_matches(' ').into()),
            Type::Char(_) => Err(wrong()),
            _ => Ok(value),
        };
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let value = value.cast_to_with_options(&target, &options).map_err(|_| wrong())?;
    if value.is_null() || !is_whole(data_type, text, &value) { Err(wrong()) } else { Ok(value) }
}

/// Tells whether a value is all that its text says: Arrow's cast rounds, takes the day of a time, and words for booleans.
fn is_whole(data_type: &Type, text: &str, value: &ScalarValue) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (data_type, value) {
        (Type::Boolean, _) => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
        (Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint, _) => is_digits(unsigned),
        (Type::Decimal(_, scale), _) => {
            let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
            is_digits(whole) && is_digits(fraction) && fraction.trim_end_matches('0').len() <= usize::from(*scale)
        }
        (Type::Date, _) => value.cast_to(&DataType::Utf8).is_ok_and(|shown| shown == ScalarValue::from(text)),
        (Type::Timestamp(precision), ScalarValue::TimestampMicrosecond(Some(micros), _)) => {
            micros % micros_of_precision(*precision) == 0
        }
        _ => !text.contains(char::is_whitespace),
    }
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
    Ok(match partition_value(key, data_type, text)? {
        ScalarValue::Utf8(Some(text)) => text,
        // Equal, though they are written otherwise.
        ScalarValue::Float64(Some(0.0)) | ScalarValue::Float32(Some(0.0)) => "0".to_owned(),
        value => value.to_string(),
    })
}

/// Returns the text that a query writes of a value of a partition key, for a partition that is new.
///
/// # Errors
/// `InvalidData` for text that is no value of the key's type.
pub(crate) fn partition_text(key: &str, data_type: &Type, text: &str) -> Result<String> {
    let value = partition_value(key, data_type, text)?;
    if value.is_null() || value.data_type() == DataType::Utf8 {
        return Ok(text.to_owned());
    }
    let session = crate::sql::Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
    let written = value.to_array().ok().and_then(|array| cast(&session, data_type, &Type::Varchar(None), &array).ok());
    let written = written.and_then(|array| array.as_string_opt::<i32>().map(|texts| texts.value(0).to_owned()));
    Ok(written.unwrap_or_else(|| text.to_owned()))
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
        for (data_type, whole, others) in [
            (Type::Integer, &["8", "08", "+8", "-8"][..], &[" 8", "8 ", "8.0", "1e3", "", "0x8", "9999999999"][..]),
            (Type::Boolean, &["true", "FALSE"], &["yes", "1", "t", "on"]),
            (Type::Decimal(3, 2), &["1.5", "1.50", "+1.500", "-1"], &["1.499", "1.501", "15", "1e0", " 1", ".x"]),
            (Type::Date, &["2024-01-02"], &["2024-01-02 00:00:00", "20240102", "2024-1-2", "2024-02-30"]),
            (
                Type::Timestamp(3),
                &["2024-01-02 03:04:05", "2024-01-02 03:04:05.100"],
                &["2024-01-02 03:04:05.0004", "x"],
            ),
            (Type::Double, &["0.5", "-0", "1e3", "NaN"], &[" 0.5", "x"]),
            (Type::Char(3), &["a", "a ", "abc  "], &["abcd"]),
            (Type::Varchar(Some(2)), &["a", "ab", "a "], &["abc", "a  "]),
        ] {
            for text in whole {
                assert!(value(&data_type, text).is_ok(), "{text:?} is a {data_type}");
            }
            for text in others {
                assert!(value(&data_type, text).is_err(), "{text:?} is no {data_type}");
            }
        }
        for (data_type, text, meaning, written) in [
            (Type::Integer, "+08", "8", "8"),
            (Type::Decimal(3, 2), "1.5", "1.50", "1.50"),
            (Type::Boolean, "TRUE", "true", "true"),
            (Type::Double, "-0.0", "0", "-0E0"),
            (Type::Double, "0.50", "0.5", "5.0E-1"),
            (Type::Date, "2024-01-02", "2024-01-02", "2024-01-02"),
            (Type::Timestamp(3), "2024-01-02 03:04:05", "1704164645000000", "2024-01-02 03:04:05.000"),
            (Type::Char(3), "a ", "a", "a "),
            (Type::Varchar(None), "07", "07", "07"),
        ] {
            assert_eq!(partition_meaning("k", &data_type, text).unwrap(), meaning, "{text} {data_type}");
            assert_eq!(partition_text("k", &data_type, text).unwrap(), written, "{text} {data_type}");
        }
        assert_eq!(
            value(&Type::Integer, "a\nb").unwrap_err().to_string(),
            "HIVE_INVALID_PARTITION_VALUE: the value `a\\nb` of partition key `k` is no integer"
        );
    }
}
