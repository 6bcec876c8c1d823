//! `sum` of integers and decimals: exact, and an error where the result does not fit.
//!
//! Sums are kept in 128 bits, and looked at after every value.

use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use crate::sql::function::EvalError;
use crate::sql::types::Type;
use crate::sql::udf::external;

/// The largest magnitude of `decimal(38,s)`, without its scale.
const DECIMAL_LIMIT: i128 = 10_i128.pow(38);

/// `sum(bigint) -> bigint`, `sum(decimal(p,s)) -> decimal(38,s)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExactSum {
    returns: Type,
    over_window: bool,
    signature: Signature,
}

impl ExactSum {
    pub(super) fn new(returns: Type) -> Self {
        Self { returns, over_window: false, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// As the value of a window function. There a sum of Trino's that overflows goes on from the other end, which is no figure
    /// to give to anyone.
    pub(super) fn over_window(returns: Type) -> Self {
        Self { over_window: true, ..Self::new(returns) }
    }

    fn result(&self) -> Sum {
        Sum { returns: self.returns.clone(), over_window: self.over_window }
    }
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.to_arrow())
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let seen = arguments.is_distinct.then(HashSet::new);
        Ok(Box::new(SumAccumulator { sum: self.result(), total: 0, count: 0, seen }))
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        self.accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        if arguments.is_distinct {
            let item = Arc::new(Field::new("item", state_type(), true));
            return Ok(vec![Arc::new(Field::new("values", DataType::List(item), true))]);
        }
        Ok(vec![Arc::new(Field::new("total", state_type(), true))])
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        !arguments.is_distinct
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(SumGroups { sum: self.result(), totals: Vec::new(), has_values: Vec::new() }))
    }
}

fn state_type() -> DataType {
    DataType::Decimal128(38, 0)
}

/// What the sum is given as.
#[derive(Debug)]
struct Sum {
    returns: Type,
    over_window: bool,
}

impl Sum {
    fn overflow(&self) -> EvalError {
        match self.returns {
            Type::Decimal(..) => EvalError::out_of_range("Decimal overflow"),
            _ if self.over_window => EvalError::unsupported("a sum over a window that does not fit bigint"),
            _ => EvalError::out_of_range("bigint addition overflow"),
        }
    }

    fn add(&self, total: i128, value: i128) -> DfResult<i128> {
        let total = total.checked_add(value);
        // As Trino does, an error also where a later value would bring the sum back.
        match (total, &self.returns) {
            (Some(total), Type::Decimal(..)) => Ok(total),
            (Some(total), _) if i64::try_from(total).is_ok() => Ok(total),
            _ => Err(external(self.overflow())),
        }
    }

    /// Returns the sums of groups; those that had no value are NULL.
    fn finish(&self, totals: Vec<i128>, has_values: Vec<bool>) -> DfResult<ArrayRef> {
        let nulls = nulls_of(has_values);
        if let Type::Decimal(precision, scale) = self.returns {
            if totals.iter().any(|total| total.abs() >= DECIMAL_LIMIT) {
                return Err(external(self.overflow()));
            }
            let scale = i8::try_from(scale).unwrap_or(i8::MAX);
            let array = Decimal128Array::try_new(totals.into(), nulls)?;
            return Ok(Arc::new(array.with_precision_and_scale(precision, scale)?));
        }
        let totals = totals
            .into_iter()
            .map(i64::try_from)
            .collect::<Result<Vec<i64>, _>>()
            .map_err(|_| external(self.overflow()))?;
        Ok(Arc::new(Int64Array::try_new(totals.into(), nulls)?))
    }
}

/// Returns the sums so far as the state of an aggregation: NULL where there was no value.
fn state_array(totals: Vec<i128>, nulls: Option<NullBuffer>) -> DfResult<ArrayRef> {
    Ok(Arc::new(Decimal128Array::try_new(totals.into(), nulls)?.with_precision_and_scale(38, 0)?))
}

fn nulls_of(has_values: Vec<bool>) -> Option<NullBuffer> {
    Some(NullBuffer::from(has_values)).filter(|nulls| nulls.null_count() > 0)
}

/// Calls `visit` with the position and value of every row that is not NULL.
fn each(values: &ArrayRef, mut visit: impl FnMut(usize, i128) -> DfResult<()>) -> DfResult<()> {
    macro_rules! walk {
        ($array:expr) => {{
            let array = $array;
            if array.null_count() == 0 {
                for (row, value) in array.values().iter().enumerate() {
                    visit(row, i128::from(*value))?;
                }
            } else {
                for (row, value) in array.iter().enumerate() {
                    if let Some(value) = value {
                        visit(row, i128::from(value))?;
                    }
                }
            }
        }};
    }
    if let Some(array) = values.as_primitive_opt::<Int64Type>() {
        walk!(array);
    } else if let Some(array) = values.as_primitive_opt::<Decimal128Type>() {
        walk!(array);
    } else {
        return Err(external(EvalError::layout("an exact number")));
    }
    Ok(())
}

/// The sum of one group, or of a window's frame.
#[derive(Debug)]
struct SumAccumulator {
    sum: Sum,
    total: i128,
    count: i64,
    /// The values so far, for DISTINCT.
    seen: Option<HashSet<i128>>,
}

impl Accumulator for SumAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        let Self { sum, total, count, seen } = self;
        each(values, |_, value| {
            if seen.as_mut().is_none_or(|seen| seen.insert(value)) {
                *total = sum.add(*total, value)?;
                *count += 1;
            }
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        each(values, |_, value| {
            self.total = self.sum.add(self.total, value.saturating_neg())?;
            self.count -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        self.seen.is_none()
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        ScalarValue::try_from_array(&self.sum.finish(vec![self.total], vec![self.count > 0])?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.seen.as_ref().map_or(0, |seen| seen.capacity() * size_of::<i128>())
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        if let Some(seen) = &self.seen {
            let values: Vec<ScalarValue> =
                seen.iter().map(|value| ScalarValue::Decimal128(Some(*value), 38, 0)).collect();
            return Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &state_type()))]);
        }
        Ok(vec![ScalarValue::Decimal128((self.count > 0).then_some(self.total), 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        if self.seen.is_some() {
            let Some(lists) = states.first().and_then(|state| state.as_list_opt::<i32>()) else {
                return Err(external(EvalError::layout("a state of sum")));
            };
            for values in lists.iter().flatten() {
                self.update_batch(&[values])?;
            }
            return Ok(());
        }
        let [totals] = states else { return Err(external(EvalError::layout("a state of sum"))) };
        each(totals, |_, total| {
            self.total = self.sum.add(self.total, total)?;
            self.count += 1;
            Ok(())
        })
    }
}

/// The sums of all groups.
#[derive(Debug)]
struct SumGroups {
    sum: Sum,
    totals: Vec<i128>,
    /// Whether a group had a value that is not NULL.
    has_values: Vec<bool>,
}

impl GroupsAccumulator for SumGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> DfResult<()> {
        self.totals.resize(groups, 0);
        self.has_values.resize(groups, false);
        let Some(values) = values.first() else { return Ok(()) };
        let Self { sum, totals, has_values } = self;
        each(values, |row, value| {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
                && let Some(&group) = group_indices.get(row)
                && let (Some(total), Some(has_value)) = (totals.get_mut(group), has_values.get_mut(group))
            {
                *total = sum.add(*total, value)?;
                *has_value = true;
            }
            Ok(())
        })
    }

    /// The sums so far are added as the values were.
    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> DfResult<()> {
        self.update_batch(states, group_indices, None, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let totals = emit_to.take_needed(&mut self.totals);
        let has_values = emit_to.take_needed(&mut self.has_values);
        self.sum.finish(totals, has_values)
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        let totals = emit_to.take_needed(&mut self.totals);
        let has_values = emit_to.take_needed(&mut self.has_values);
        Ok(vec![state_array(totals, nulls_of(has_values))?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let Some(values) = values.first() else { return Err(external(EvalError::layout("an exact number"))) };
        let mut totals = vec![0_i128; values.len()];
        let mut has_values = vec![false; values.len()];
        each(values, |row, value| {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
                && let (Some(total), Some(has_value)) = (totals.get_mut(row), has_values.get_mut(row))
            {
                *total = value;
                *has_value = true;
            }
            Ok(())
        })?;
        Ok(vec![state_array(totals, nulls_of(has_values))?])
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<i128>() + self.has_values.capacity()
    }
}
