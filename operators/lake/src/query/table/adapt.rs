//! From the types of a Parquet object to those of the catalog, by Trino's rules: columns by name in any case, a missing
//! column is NULL, numbers widen, timestamps are rounded to what the catalog's type holds.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array as _, ArrayRef, AsArray as _, ListArray, MapArray, StringArray, StructArray, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};

use super::unmarked::looked_at;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Type;

const STRICT: CastOptions<'static> =
    CastOptions { safe: false, format_options: datafusion::arrow::util::display::FormatOptions::new() };

/// Makes adapters for the objects of one table.
#[derive(Debug)]
pub(super) struct TypeAdapterFactory {
    table: String,
    columns: Arc<Vec<(String, Type)>>,
    wanted: SchemaRef,
}

impl TypeAdapterFactory {
    /// Makes adapters to `columns` as `wanted` lays them out: text as views or not.
    pub(super) fn new(table: String, columns: Vec<(String, Type)>, wanted: SchemaRef) -> Self {
        Self { table, columns: Arc::new(columns), wanted }
    }
}

impl PhysicalExprAdapterFactory for TypeAdapterFactory {
    fn create(
        &self,
        _logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> datafusion::common::Result<Arc<dyn PhysicalExprAdapter>> {
        Ok(Arc::new(TypeAdapter {
            table: self.table.clone(),
            columns: Arc::clone(&self.columns),
            wanted: Arc::clone(&self.wanted),
            file: physical_file_schema,
        }))
    }
}

/// Rewrites expressions over the table's columns into expressions over one object's columns.
#[derive(Debug)]
struct TypeAdapter {
    table: String,
    columns: Arc<Vec<(String, Type)>>,
    wanted: SchemaRef,
    file: SchemaRef,
}

impl PhysicalExprAdapter for TypeAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> datafusion::common::Result<Arc<dyn PhysicalExpr>> {
        expr.transform(|expr| {
            let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            let Some((_, data_type)) = self.columns.iter().find(|(name, _)| name == column.name()) else {
                return Ok(Transformed::no(expr));
            };
            self.column(column.name(), data_type).map(Transformed::yes).map_err(super::external)
        })
        .data()
    }
}

impl TypeAdapter {
    fn column(&self, name: &str, data_type: &Type) -> Result<Arc<dyn PhysicalExpr>> {
        let target = match self.wanted.field_with_name(name) {
            Ok(field) => field.data_type().clone(),
            Err(_) => data_type.to_arrow(),
        };
        let found = self.file.fields().iter().enumerate().find(|(_, field)| field.name().eq_ignore_ascii_case(name));
        let Some((index, found)) = found else {
            let null = ScalarValue::try_new_null(&target)
                .map_err(|error| Error::new(ErrorKind::External, "read Parquet", error.to_string()))?;
            return Ok(Arc::new(Literal::new(null)));
        };
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(found.name(), index));
        let column = looked_at(column, (found.name(), found.data_type()), name, data_type, &self.file);
        if is_as_it_is(found.data_type(), data_type, &target) {
            return Ok(column);
        }
        if !fits(found.data_type(), data_type) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "read Parquet",
                // Athena's words; Trino itself reads some of these, as numbers into text.
                format!(
                    "HIVE_BAD_DATA: Field {name}'s type {} in parquet is incompatible with type {} defined in table schema",
                    parquet_name(found.data_type()),
                    data_type.to_hive().unwrap_or_else(|| data_type.to_string()),
                ),
            )
            .with("table", self.table.clone())
            .help("let the column have the type of the objects, and cast it in queries"));
        }
        if is_plain_cast(found.data_type(), &target) {
            // A form that the pruning by statistics sees through.
            return Ok(Arc::new(CastExpr::new(column, target, Some(STRICT))));
        }
        let adapted: Arc<dyn PhysicalExpr> = Arc::new(AdaptedColumn { column, data_type: data_type.clone() });
        if target == data_type.to_arrow() {
            return Ok(adapted);
        }
        Ok(Arc::new(CastExpr::new(adapted, target, Some(STRICT))))
    }
}

/// Returns what Parquet calls the type of values that are read as this one.
fn parquet_name(found: &DataType) -> Cow<'static, str> {
    Cow::Borrowed(match found {
        DataType::Boolean => "BOOLEAN",
        DataType::Int64 | DataType::UInt64 => "INT64",
        integer if integer.is_integer() => "INT32",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Date32 => "INT32 (DATE)",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "BINARY (STRING)",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "BINARY",
        other => return Cow::Owned(other.to_string()),
    })
}

/// Tells whether values need no change.
fn is_as_it_is(found: &DataType, data_type: &Type, target: &DataType) -> bool {
    found == target
        && match data_type {
            // Values may be longer or finer than the type.
            Type::Varchar(Some(_)) | Type::Char(_) | Type::Timestamp(_) => false,
            _ => !found.is_nested(),
        }
}

/// Tells whether Arrow's own cast does exactly what is wanted, and keeps the order of values.
fn is_plain_cast(found: &DataType, target: &DataType) -> bool {
    (found.is_integer() && target.is_integer())
        || matches!((found, target), (DataType::Float32, DataType::Float64))
        || matches!(
            (found, target),
            (
                DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Second, None),
                DataType::Timestamp(TimeUnit::Microsecond, None)
            )
        )
        || matches!((found, target), (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) if from <= to)
}

/// Tells whether an object's column may stand for a column of the type.
pub(super) fn fits(found: &DataType, data_type: &Type) -> bool {
    match (found, data_type) {
        (DataType::Dictionary(_, values), _) => fits(values, data_type),
        (_, Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint) => found.is_integer() || found.is_null(),
        (DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..), Type::Decimal(_, _))
        | (DataType::Null, _)
        | (DataType::Boolean, Type::Boolean)
        | (DataType::Float32, Type::Real | Type::Double)
        | (DataType::Float64, Type::Double)
        | (
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView,
            Type::Varchar(_) | Type::Char(_) | Type::Varbinary,
        )
        | (DataType::FixedSizeBinary(_), Type::Varbinary)
        | (DataType::Date32, Type::Date)
        | (DataType::Timestamp(_, _), Type::Timestamp(_)) => true,
        (_, Type::Decimal(_, _)) => found.is_integer(),
        (DataType::List(field), Type::Array(element)) => fits(field.data_type(), element),
        (DataType::Map(entries, _), Type::Map(key, value)) => match entries.data_type() {
            DataType::Struct(fields) => match fields.as_ref() {
                [found_key, found_value] => fits(found_key.data_type(), key) && fits(found_value.data_type(), value),
                _ => false,
            },
            _ => false,
        },
        (DataType::Struct(found), Type::Row(fields)) => fields.iter().all(|(name, data_type)| {
            struct_field(found, name.as_deref()).is_none_or(|(_, field)| fits(field.data_type(), data_type))
        }),
        _ => false,
    }
}

fn struct_field<'a>(
    fields: &'a datafusion::arrow::datatypes::Fields,
    name: Option<&str>,
) -> Option<(usize, &'a FieldRef)> {
    let name = name?;
    fields.iter().enumerate().find(|(_, field)| field.name().eq_ignore_ascii_case(name))
}

/// What bytes are in a column of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BytesAre {
    /// The text in UTF-8.
    Text,
    /// Digits to read in a `varchar`, two a byte with blanks between: `31 32`. In a `char(n)` they are the text.
    Hexadecimal,
}

/// Turns an object's values into those of the catalog's type.
///
/// # Errors
/// Of a value that does not fit: a number out of range, bytes that are no text.
pub(super) fn adapt(array: &ArrayRef, data_type: &Type) -> datafusion::common::Result<ArrayRef> {
    adapt_by(array, data_type, BytesAre::Text)
}

/// Turns an object's values into those of the catalog's type, by what bytes are in its format.
///
/// # Errors
/// As [`adapt`].
pub(super) fn adapt_by(array: &ArrayRef, data_type: &Type, bytes: BytesAre) -> datafusion::common::Result<ArrayRef> {
    let target = data_type.to_arrow();
    if is_as_it_is(array.data_type(), data_type, &target) {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), data_type) {
        (DataType::Null, _) => Ok(new_null_array(&target, array.len())),
        (DataType::Dictionary(_, values), _) => adapt_by(&cast_with_options(array, values, &STRICT)?, data_type, bytes),
        (DataType::Binary, Type::Varchar(_)) if bytes == BytesAre::Hexadecimal => {
            adapt_by(&hexadecimal(array), data_type, bytes)
        }
        (DataType::Timestamp(unit, _), Type::Timestamp(precision)) => timestamps(array, *unit, *precision),
        (_, Type::Varchar(Some(length))) => {
            Ok(shorten(&cast_with_options(array, &DataType::Utf8, &STRICT)?, *length, false))
        }
        (_, Type::Char(length)) => Ok(shorten(&cast_with_options(array, &DataType::Utf8, &STRICT)?, *length, true)),
        (DataType::List(_), Type::Array(element)) => {
            let list = array.as_list::<i32>();
            let values = adapt_by(list.values(), element, bytes)?;
            let field = Arc::new(Field::new("item", element.to_arrow(), true));
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (DataType::Map(_, _), Type::Map(key, value)) => {
            let map = array.as_map();
            let entries = StructArray::try_new(
                vec![Field::new("key", key.to_arrow(), false), Field::new("value", value.to_arrow(), true)].into(),
                vec![adapt_by(map.keys(), key, bytes)?, adapt_by(map.values(), value, bytes)?],
                None,
            )?;
            let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
            Ok(Arc::new(MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), false)?))
        }
        (DataType::Struct(found), Type::Row(fields)) => {
            let row = array.as_struct();
            let columns = fields
                .iter()
                .map(|(name, data_type)| match struct_field(found, name.as_deref()) {
                    Some((index, _)) => adapt_by(row.column(index), data_type, bytes),
                    None => Ok(new_null_array(&data_type.to_arrow(), row.len())),
                })
                .collect::<datafusion::common::Result<Vec<_>>>()?;
            let DataType::Struct(fields) = target else {
                return Err(DataFusionError::Internal("a row is a struct".to_owned()));
            };
            Ok(Arc::new(StructArray::try_new(fields, columns, row.nulls().cloned())?))
        }
        _ => Ok(cast_with_options(array, &target, &STRICT)?),
    }
}

/// Reads timestamps as civil time in UTC, rounded half up to the digits of the type.
fn timestamps(array: &ArrayRef, unit: TimeUnit, precision: u8) -> datafusion::common::Result<ArrayRef> {
    // Instants are shown in UTC, whatever zone the object names.
    let civil: ArrayRef = match array.data_type() {
        DataType::Timestamp(_, Some(_)) => {
            let utc = cast_with_options(array, &DataType::Timestamp(unit, Some("UTC".into())), &STRICT)?;
            cast_with_options(&utc, &DataType::Timestamp(unit, None), &STRICT)?
        }
        _ => Arc::clone(array),
    };
    if precision > 6 {
        return Ok(cast_with_options(&civil, &DataType::Timestamp(TimeUnit::Nanosecond, None), &STRICT)?);
    }
    let micros: ArrayRef = if unit == TimeUnit::Nanosecond {
        let nanos = civil.as_primitive::<datafusion::arrow::datatypes::TimestampNanosecondType>();
        let step = 10_i64.pow(u32::from(9 - precision));
        Arc::new(nanos.unary::<_, TimestampMicrosecondType>(|value| round(value, step) / 1000))
    } else {
        let micros = cast_with_options(&civil, &DataType::Timestamp(TimeUnit::Microsecond, None), &STRICT)?;
        let step = 10_i64.pow(u32::from(6 - precision));
        if micros.as_primitive::<TimestampMicrosecondType>().values().iter().all(|value| value % step == 0) {
            return Ok(micros);
        }
        Arc::new(
            micros
                .as_primitive::<TimestampMicrosecondType>()
                .unary::<_, TimestampMicrosecondType>(|value| round(value, step)),
        )
    };
    Ok(micros)
}

/// Rounds to a multiple of `step`, halves up.
fn round(value: i64, step: i64) -> i64 {
    let rest = value.rem_euclid(step);
    let floor = value.saturating_sub(rest);
    if rest.saturating_mul(2) >= step && step > 1 { floor.saturating_add(step) } else { floor }
}

/// Cuts text to a number of characters; `char(n)` is kept without its padding.
fn shorten(array: &ArrayRef, length: u32, padded: bool) -> ArrayRef {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let text = array.as_string::<i32>();
    let fits = |value: &str| value.len() <= length && !(padded && value.ends_with(' '));
    if text.iter().flatten().all(fits) {
        return Arc::clone(array);
    }
    let shortened: StringArray = text
        .iter()
        .map(|value| {
            value.map(|value| {
                let cut = value.char_indices().nth(length).map_or(value, |(at, _)| value.split_at(at).0);
                if padded { cut.trim_end_matches(' ') } else { cut }
            })
        })
        .collect();
    Arc::new(shortened)
}

/// Writes bytes as digits.
fn hexadecimal(array: &ArrayRef) -> ArrayRef {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    Arc::new(array.as_binary::<i32>().iter().map(|bytes| bytes.map(digits)).collect::<StringArray>())
}

/// A column of an object, turned into the catalog's type.
#[derive(Debug, Clone)]
struct AdaptedColumn {
    column: Arc<dyn PhysicalExpr>,
    data_type: Type,
}

impl PartialEq for AdaptedColumn {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.data_type == other.data_type
    }
}

impl Eq for AdaptedColumn {}

impl Hash for AdaptedColumn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.data_type.hash(state);
    }
}

impl fmt::Display for AdaptedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.column, self.data_type)
    }
}

impl PhysicalExpr for AdaptedColumn {
    fn data_type(&self, _input_schema: &Schema) -> datafusion::common::Result<DataType> {
        Ok(self.data_type.to_arrow())
    }

    fn nullable(&self, _input_schema: &Schema) -> datafusion::common::Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> datafusion::common::Result<ColumnarValue> {
        let array = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(adapt(&array, &self.data_type)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> datafusion::common::Result<Arc<dyn PhysicalExpr>> {
        match children.pop() {
            Some(column) => Ok(Arc::new(Self { column, data_type: self.data_type.clone() })),
            None => Err(DataFusionError::Internal("an adapted column has one child".to_owned())),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests;
