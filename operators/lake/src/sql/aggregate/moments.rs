//! Variance, covariance and what is made of them, over the frame of a window: computed as Trino does, value by value in the
//! order of the frame, so that the last digits are the same.
//!
//! A frame that grows goes on from where it was; one that moves is computed anew, as in Trino: taking a value back out of a
//! mean leaves a rest.

use std::collections::VecDeque;
use std::mem::size_of;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::sql::function::EvalError;
use crate::sql::udf::external;

/// What is made of the moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    VarPop,
    VarSamp,
    StddevPop,
    StddevSamp,
    CovarPop,
    CovarSamp,
    Corr,
    RegrSlope,
    RegrIntercept,
}

impl Moment {
    /// Finds it by the name of an aggregation.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "var_pop" => Self::VarPop,
            "var_samp" | "variance" => Self::VarSamp,
            "stddev_pop" => Self::StddevPop,
            "stddev_samp" | "stddev" => Self::StddevSamp,
            "covar_pop" => Self::CovarPop,
            "covar_samp" => Self::CovarSamp,
            "corr" => Self::Corr,
            "regr_slope" => Self::RegrSlope,
            "regr_intercept" => Self::RegrIntercept,
            _ => return None,
        })
    }

    fn arguments(self) -> usize {
        match self {
            Self::VarPop | Self::VarSamp | Self::StddevPop | Self::StddevSamp => 1,
            Self::CovarPop | Self::CovarSamp | Self::Corr | Self::RegrSlope | Self::RegrIntercept => 2,
        }
    }
}

/// An aggregation of one double, or of two (`y`, then `x`), over a window.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FrameMoment {
    moment: Moment,
    signature: Signature,
}

impl FrameMoment {
    pub(super) fn new(moment: Moment) -> Self {
        Self { moment, signature: Signature::any(moment.arguments(), Volatility::Immutable) }
    }

    fn frame(&self) -> Box<dyn Accumulator> {
        Box::new(Frame { moment: self.moment, values: VecDeque::new(), moments: Moments::default(), has_moved: false })
    }
}

impl AggregateUDFImpl for FrameMoment {
    fn name(&self) -> &'static str {
        "moment"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(self.frame())
    }

    fn create_sliding_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(self.frame())
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Err(external(EvalError::layout("a state: a frame has none")))
    }
}

/// Means and sums of products of differences from them; of one value, `y` is zero.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean_x: f64,
    mean_y: f64,
    squares_x: f64,
    squares_y: f64,
    products: f64,
}

impl Moments {
    fn add(&mut self, x: f64, y: f64) {
        let (before_x, before_y) = (x - self.mean_x, y - self.mean_y);
        self.count += 1.0;
        self.mean_x += before_x / self.count;
        self.mean_y += before_y / self.count;
        let (after_x, after_y) = (x - self.mean_x, y - self.mean_y);
        self.squares_x += before_x * after_x;
        self.squares_y += before_y * after_y;
        self.products += before_x * after_y;
    }

    fn value(&self, moment: Moment) -> Option<f64> {
        let over = |sum: f64, least: f64, count: f64| (self.count >= least).then(|| sum / count);
        let (population, sample) = (self.count, self.count - 1.0);
        let slope = self.products / self.squares_x;
        match moment {
            Moment::VarPop => over(self.squares_x, 1.0, population),
            Moment::VarSamp => over(self.squares_x, 2.0, sample),
            Moment::StddevPop => over(self.squares_x, 1.0, population).map(f64::sqrt),
            Moment::StddevSamp => over(self.squares_x, 2.0, sample).map(f64::sqrt),
            Moment::CovarPop => over(self.products, 1.0, population),
            Moment::CovarSamp => over(self.products, 2.0, sample),
            // Without spread there is none.
            Moment::Corr => {
                let corr = self.products / self.squares_x.sqrt() / self.squares_y.sqrt();
                Some(corr).filter(|corr| corr.is_finite())
            }
            Moment::RegrSlope => Some(slope).filter(|slope| slope.is_finite()),
            Moment::RegrIntercept => Some(self.mean_y - slope * self.mean_x).filter(|intercept| intercept.is_finite()),
        }
    }
}

/// The values of a frame, and their moments as long as it only grows.
#[derive(Debug)]
struct Frame {
    moment: Moment,
    values: VecDeque<(f64, f64)>,
    moments: Moments,
    has_moved: bool,
}

impl Frame {
    /// Returns the rows in which no argument is NULL, as `x` and `y`.
    fn rows(&self, arguments: &[ArrayRef]) -> DfResult<Vec<(f64, f64)>> {
        let doubles = |array: &ArrayRef| -> DfResult<Float64Array> {
            array.as_primitive_opt::<Float64Type>().cloned().ok_or_else(|| external(EvalError::layout("a double")))
        };
        match (self.moment.arguments(), arguments) {
            (1, [x]) => Ok(doubles(x)?.iter().flatten().map(|x| (x, 0.0)).collect()),
            (2, [y, x]) => Ok(doubles(x)?.iter().zip(doubles(y)?.iter()).filter_map(|(x, y)| x.zip(y)).collect()),
            _ => Err(external(EvalError::layout("the arguments of a moment"))),
        }
    }
}

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for (x, y) in self.rows(values)? {
            self.values.push_back((x, y));
            self.moments.add(x, y);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let gone = self.rows(values)?.len().min(self.values.len());
        self.values.drain(..gone);
        self.has_moved |= gone > 0;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        if std::mem::take(&mut self.has_moved) {
            self.moments = Moments::default();
            for (x, y) in &self.values {
                self.moments.add(*x, *y);
            }
        }
        Ok(ScalarValue::Float64(self.moments.value(self.moment)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<(f64, f64)>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Err(external(EvalError::layout("a state: a frame has none")))
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> DfResult<()> {
        Err(external(EvalError::layout("a state: a frame has none")))
    }
}
