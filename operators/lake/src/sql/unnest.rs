//! UNNEST: arrays and maps as rows, side by side, with or without the rows that have none.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StructArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Column, UnnestOptions};
use datafusion::logical_expr::{LogicalPlanBuilder, lit};

use super::error::{SqlError, SqlResult};
use super::expression::own_call;
use super::function::{Argument, Call, EvalError};
use super::scope::{Relation, ScopeColumn, Typed};
use super::types::Type;
use super::values;
use super::{analyze::Analyzer, values::expanded};

impl Analyzer<'_> {
    /// Joins every row with what its arrays and maps hold. With `outer`, a row that has nothing stays, once.
    pub(super) fn unnested(
        &self,
        left: Relation,
        arguments: Vec<Typed>,
        ordinality: bool,
        outer: bool,
    ) -> SqlResult<(Relation, Vec<ScopeColumn>)> {
        let mut types = Vec::new();
        for argument in &arguments {
            match &argument.data_type {
                Type::Array(element) => match &**element {
                    Type::Row(fields) => types.extend(fields.iter().cloned()),
                    element => types.push((None, element.clone())),
                },
                Type::Map(key, value) => {
                    types.push((None, key.as_ref().clone()));
                    types.push((None, value.as_ref().clone()));
                }
                Type::Unknown => return Err(SqlError::unsupported("UNNEST of NULL")),
                other => {
                    return Err(SqlError::trino("INVALID_FUNCTION_ARGUMENT", format!("Cannot unnest type: {other}")));
                }
            }
        }
        if ordinality {
            types.push((None, Type::Bigint));
        }
        let entry = Type::Row(types.clone().into());
        let mut call = arguments;
        call.push(Typed::new(lit(outer), Type::Boolean));
        call.push(Typed::new(lit(ordinality), Type::Boolean));
        let entries = own_call("unnest", entries_kernel, call, Type::Array(Arc::new(entry.clone())), self);

        let mut projected: Vec<Typed> = left.columns.iter().map(ScopeColumn::typed).collect();
        projected.push(entries);
        let (plan, ids) = self.project(left.plan, &projected)?;
        let Some((entries_id, kept)) = ids.split_last() else {
            return Err(SqlError::unsupported("UNNEST without columns"));
        };
        let plan = LogicalPlanBuilder::from(plan)
            .unnest_columns_with_options(
                vec![Column::new_unqualified(entries_id)],
                UnnestOptions::new().with_preserve_nulls(false),
            )?
            .build()?;
        let mut columns = left.columns;
        for (column, id) in columns.iter_mut().zip(kept) {
            column.id.clone_from(id);
        }
        let entry_column = Typed::new(super::scope::column(entries_id), entry);
        let mut projected: Vec<Typed> = columns.iter().map(ScopeColumn::typed).collect();
        for index in 0..types.len() {
            projected.push(values::field(entry_column.clone(), index, &self.session));
        }
        let (plan, ids) = self.project(plan, &projected)?;
        let new = ids.get(columns.len()..).unwrap_or_default();
        let unnested = types
            .into_iter()
            .zip(new)
            .map(|((name, data_type), id)| ScopeColumn {
                name,
                relation: None,
                data_type,
                id: id.clone(),
                hidden: false,
            })
            .collect();
        Ok((Relation { plan, columns }, unnested))
    }
}

/// Where the elements of an argument's row are.
struct Elements {
    array: ArrayRef,
    map: bool,
}

impl Elements {
    fn of(argument: &Argument, rows: usize) -> Result<Self, EvalError> {
        let array = expanded(argument, rows)?;
        match array.data_type() {
            DataType::List(_) => Ok(Self { array, map: false }),
            DataType::Map(..) => Ok(Self { array, map: true }),
            _ => Err(EvalError::layout("an array or map")),
        }
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        if self.array.is_null(row) {
            return 0..0;
        }
        let offsets =
            if self.map { self.array.as_map().value_offsets() } else { self.array.as_list::<i32>().value_offsets() };
        let at = |index: usize| offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        at(row)..at(row + 1)
    }

    fn columns(&self, indices: &UInt64Array) -> Result<Vec<ArrayRef>, EvalError> {
        if self.map {
            let map = self.array.as_map();
            return Ok(vec![take(map.keys(), indices, None)?, take(map.values(), indices, None)?]);
        }
        Ok(vec![take(self.array.as_list::<i32>().values(), indices, None)?])
    }
}

/// The rows that one row becomes, as an array of rows.
fn entries_kernel(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let (Type::Array(entry), [sources @ .., outer, ordinality]) = (call.returns, arguments) else {
        return Err(EvalError::layout("UNNEST"));
    };
    let flag = |argument: &Argument| argument.array.as_boolean_opt().is_some_and(|flags| flags.value(0));
    let (outer, ordinality) = (flag(outer), flag(ordinality));
    let elements = sources.iter().map(|source| Elements::of(source, call.rows)).collect::<Result<Vec<_>, _>>()?;

    let mut offsets: Vec<i32> = Vec::with_capacity(call.rows + 1);
    offsets.push(0);
    let mut indices: Vec<Vec<Option<u64>>> = vec![Vec::new(); elements.len()];
    let mut ordinals: Vec<Option<i64>> = Vec::new();
    let mut total = 0_usize;
    for row in 0..call.rows {
        let ranges: Vec<_> = elements.iter().map(|elements| elements.range(row)).collect();
        let longest = ranges.iter().map(std::iter::ExactSizeIterator::len).max().unwrap_or(0);
        let rows = if longest == 0 && outer { 1 } else { longest };
        for (range, indices) in ranges.iter().zip(&mut indices) {
            for position in 0..rows {
                indices
                    .push((position < range.len()).then(|| u64::try_from(range.start + position).unwrap_or(u64::MAX)));
            }
        }
        for position in 0..rows {
            ordinals.push((longest > 0).then(|| i64::try_from(position + 1).unwrap_or(i64::MAX)));
        }
        total += rows;
        offsets.push(
            i32::try_from(total)
                .map_err(|_| EvalError::unsupported("UNNEST of more than 2^31 elements in one batch"))?,
        );
    }

    let mut columns: Vec<ArrayRef> = Vec::new();
    for ((elements, indices), data_type) in elements.iter().zip(indices).zip(call.arguments) {
        let taken = elements.columns(&UInt64Array::from(indices))?;
        let rows_of = matches!(data_type, Type::Array(element) if matches!(&**element, Type::Row(_)));
        if let (true, [only]) = (rows_of, taken.as_slice()) {
            let rows = only.as_struct_opt().ok_or_else(|| EvalError::layout("a row"))?;
            for column in rows.columns() {
                columns.push(values::under(column, rows.nulls())?);
            }
        } else {
            columns.extend(taken);
        }
    }
    if ordinality {
        columns.push(Arc::new(Int64Array::from(ordinals)));
    }
    let DataType::Struct(fields) = entry.to_arrow() else { return Err(EvalError::layout("a row")) };
    let entries = StructArray::try_new_with_length(fields, columns, None, total)?;
    values::list(Arc::new(entries), offsets, None)
}
