//! The value of a scalar subquery: NULL for no row, an error for more than one.

use std::mem::size_of_val;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::sql::function::EvalError;
use crate::sql::types::Type;
use crate::sql::udf::external;

/// Takes the one value of its group.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::sql) struct SingleValue {
    returns: Type,
    signature: Signature,
}

impl SingleValue {
    pub(in crate::sql) fn new(returns: Type) -> Self {
        Self { returns, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &'static str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.to_arrow())
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(&self.returns.to_arrow())?;
        Ok(Box::new(SingleAccumulator { value, rows: 0 }))
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new("value", self.returns.to_arrow(), true)),
            Arc::new(Field::new("rows", DataType::Int64, true)),
        ])
    }
}

#[derive(Debug)]
struct SingleAccumulator {
    value: ScalarValue,
    rows: i64,
}

impl SingleAccumulator {
    fn take(&mut self, values: &ArrayRef, rows: i64, at: usize) -> DfResult<()> {
        self.rows += rows;
        if self.rows > 1 {
            return Err(external(EvalError::new(
                "SUBQUERY_MULTIPLE_ROWS",
                "Scalar sub-query has returned multiple rows",
            )));
        }
        if rows == 1 {
            self.value = ScalarValue::try_from_array(values, at)?;
        }
        Ok(())
    }
}

impl Accumulator for SingleAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let Some(values) = values.first() else { return Ok(()) };
        if values.is_empty() { Ok(()) } else { self.take(values, i64::try_from(values.len()).unwrap_or(i64::MAX), 0) }
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let [values, rows] = states else { return Err(external(EvalError::layout("a state of a scalar subquery"))) };
        for (at, rows) in rows.as_primitive::<Int64Type>().iter().enumerate() {
            self.take(values, rows.unwrap_or(0), at)?;
        }
        Ok(())
    }
}
