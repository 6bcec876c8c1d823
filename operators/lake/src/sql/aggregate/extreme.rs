//! `min` and `max` of doubles in groups, as Trino has them: NaN only where there is nothing else, of two equal ones (the zeros) the
//! first. `DataFusion`'s own begin at the largest finite number, which a group of infinities never reaches.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use crate::sql::function::EvalError;
use crate::sql::udf::external;

/// `min(double) -> double` or `max(double) -> double`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DoubleExtreme {
    which: Which,
    signature: Signature,
}

/// Which of the values counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Smallest,
    Largest,
}

impl DoubleExtreme {
    pub(super) fn new(is_largest: bool) -> Self {
        let which = if is_largest { Which::Largest } else { Which::Smallest };
        Self { which, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for DoubleExtreme {
    fn name(&self) -> &'static str {
        match self.which {
            Which::Smallest => "min",
            Which::Largest => "max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(One { which: self.which, found: None }))
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new("found", DataType::Float64, true))])
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { which: self.which, found: Vec::new() }))
    }
}

impl Which {
    /// Returns what counts when one more value is found.
    fn of(self, found: Option<f64>, value: f64) -> f64 {
        let is_better = |found: f64| match self {
            Self::Smallest => value < found,
            Self::Largest => value > found,
        };
        match found {
            Some(found) if !found.is_nan() && !is_better(found) => found,
            Some(found) if value.is_nan() => found,
            _ => value,
        }
    }
}

fn doubles(values: &[ArrayRef]) -> DfResult<&Float64Array> {
    let doubles = values.first().and_then(|values| values.as_primitive_opt::<Float64Type>());
    doubles.ok_or_else(|| external(EvalError::layout("a double")))
}

/// The extreme of one group.
#[derive(Debug)]
struct One {
    which: Which,
    found: Option<f64>,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for value in doubles(values)?.iter().flatten() {
            self.found = Some(self.which.of(self.found, value));
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.found))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.update_batch(states)
    }
}

/// The extremes of all groups.
#[derive(Debug)]
struct Groups {
    which: Which,
    found: Vec<Option<f64>>,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> DfResult<()> {
        self.found.resize(groups, None);
        let values = doubles(values)?;
        for (row, (value, &group)) in values.iter().zip(group_indices).enumerate() {
            let counts = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let (true, Some(value), Some(found)) = (counts, value, self.found.get_mut(group)) {
                *found = Some(self.which.of(*found, value));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> DfResult<()> {
        self.update_batch(states, group_indices, None, groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        Ok(Arc::new(Float64Array::from(emit_to.take_needed(&mut self.found))))
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let counts = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let found: Float64Array =
            doubles(values)?.iter().enumerate().map(|(row, value)| value.filter(|_| counts(row))).collect();
        Ok(vec![Arc::new(found)])
    }

    fn size(&self) -> usize {
        self.found.capacity() * size_of::<Option<f64>>()
    }
}
