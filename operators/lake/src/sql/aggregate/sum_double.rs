//! `sum` and `avg` of doubles: added one after the other, as Trino does, so that the last digits are the same.
//!
//! In a window whose frame moves, the frame is added up anew: taking a value back out of a floating-point sum leaves a rest.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use crate::sql::function::EvalError;
use crate::sql::udf::external;

/// `sum(double) -> double` or `avg(double) -> double`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DoubleSum {
    mean: bool,
    signature: Signature,
}

impl DoubleSum {
    pub(super) fn new(mean: bool) -> Self {
        Self { mean, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for DoubleSum {
    fn name(&self) -> &str {
        if self.mean { "avg" } else { "sum" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(SumAccumulator { mean: self.mean, total: 0.0, count: 0 }))
    }

    fn create_sliding_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(FrameAccumulator { mean: self.mean, values: VecDeque::new() }))
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new("total", DataType::Float64, true)),
            Arc::new(Field::new("count", DataType::Int64, true)),
        ])
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(SumGroups { mean: self.mean, totals: Vec::new(), counts: Vec::new() }))
    }
}

fn doubles(values: &[ArrayRef]) -> DfResult<&Float64Array> {
    let doubles = values.first().and_then(|values| values.as_primitive_opt::<Float64Type>());
    doubles.ok_or_else(|| external(EvalError::layout("a double")))
}

fn counts(states: &[ArrayRef]) -> DfResult<&Int64Array> {
    let counts = states.get(1).and_then(|counts| counts.as_primitive_opt::<Int64Type>());
    counts.ok_or_else(|| external(EvalError::layout("a count")))
}

#[expect(clippy::cast_precision_loss, reason = "a mean divides by the count as a double")]
fn finished(mean: bool, total: f64, count: i64) -> Option<f64> {
    match (count, mean) {
        (0, _) => None,
        (_, false) => Some(total),
        (count, true) => Some(total / count as f64),
    }
}

/// The sum of one group.
#[derive(Debug)]
struct SumAccumulator {
    mean: bool,
    total: f64,
    count: i64,
}

impl Accumulator for SumAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for value in doubles(values)?.iter().flatten() {
            self.total += value;
            self.count += 1;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(finished(self.mean, self.total, self.count)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Float64(Some(self.total)), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        for (total, count) in doubles(states)?.iter().zip(counts(states)?) {
            self.total += total.unwrap_or(0.0);
            self.count += count.unwrap_or(0);
        }
        Ok(())
    }
}

/// The sum of a frame that moves.
#[derive(Debug)]
struct FrameAccumulator {
    mean: bool,
    values: VecDeque<f64>,
}

impl Accumulator for FrameAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.values.extend(doubles(values)?.iter().flatten());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let values = doubles(values)?;
        let gone = values.len() - values.null_count();
        self.values.drain(..gone.min(self.values.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let total = self.values.iter().fold(0.0, |total, value| total + value);
        let count = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        Ok(ScalarValue::Float64(finished(self.mean, total, count)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Err(external(EvalError::layout("a state: a frame has none")))
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> DfResult<()> {
        Err(external(EvalError::layout("a state: a frame has none")))
    }
}

/// The sums of all groups.
#[derive(Debug)]
struct SumGroups {
    mean: bool,
    totals: Vec<f64>,
    counts: Vec<i64>,
}

impl SumGroups {
    fn grow(&mut self, groups: usize) {
        self.totals.resize(groups, 0.0);
        self.counts.resize(groups, 0);
    }
}

impl GroupsAccumulator for SumGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> DfResult<()> {
        self.grow(groups);
        let values = doubles(values)?;
        let rows = values.values().iter().zip(group_indices).enumerate();
        for (row, (value, &group)) in rows {
            let counts = values.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if counts && let (Some(total), Some(count)) = (self.totals.get_mut(group), self.counts.get_mut(group)) {
                *total += value;
                *count += 1;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> DfResult<()> {
        self.grow(groups);
        let states = doubles(states)?.iter().zip(counts(states)?);
        for ((partial, partial_count), &group) in states.zip(group_indices) {
            if let (Some(total), Some(count)) = (self.totals.get_mut(group), self.counts.get_mut(group)) {
                *total += partial.unwrap_or(0.0);
                *count += partial_count.unwrap_or(0);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let totals = emit_to.take_needed(&mut self.totals);
        let counts = emit_to.take_needed(&mut self.counts);
        let values: Float64Array =
            totals.into_iter().zip(counts).map(|(total, count)| finished(self.mean, total, count)).collect();
        Ok(Arc::new(values))
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        let totals = emit_to.take_needed(&mut self.totals);
        let counts = emit_to.take_needed(&mut self.counts);
        Ok(vec![Arc::new(Float64Array::from(totals)), Arc::new(Int64Array::from(counts))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let values = doubles(values)?;
        let counted =
            |row: usize| values.is_valid(row) && filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let totals: Float64Array =
            (0..values.len()).map(|row| Some(if counted(row) { values.value(row) } else { 0.0 })).collect();
        let counts: Int64Array = (0..values.len()).map(|row| Some(i64::from(counted(row)))).collect();
        Ok(vec![Arc::new(totals), Arc::new(counts)])
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<f64>() + self.counts.capacity() * size_of::<i64>()
    }
}
