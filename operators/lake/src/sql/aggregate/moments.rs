//! Variance, covariance and what is made of them, of groups and over the frame of a window: computed as Trino does, value by value
//! in their order, so that the last digits are the same, and what has no spread has none.
//!
//! A frame that grows goes on from where it was; one that moves is computed anew, as in Trino: taking a value back out of a
//! mean leaves a rest.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
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

/// An aggregation of one double, or of two (`y`, then `x`).
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MomentAggregate {
    moment: Moment,
    signature: Signature,
}

impl MomentAggregate {
    pub(super) fn new(moment: Moment) -> Self {
        Self { moment, signature: Signature::any(moment.arguments(), Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for MomentAggregate {
    fn name(&self) -> &'static str {
        match self.moment {
            Moment::VarPop => "var_pop",
            Moment::VarSamp => "var_samp",
            Moment::StddevPop => "stddev_pop",
            Moment::StddevSamp => "stddev_samp",
            Moment::CovarPop => "covar_pop",
            Moment::CovarSamp => "covar_samp",
            Moment::Corr => "corr",
            Moment::RegrSlope => "regr_slope",
            Moment::RegrIntercept => "regr_intercept",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(Group { moment: self.moment, moments: Moments::default() }))
    }

    fn create_sliding_accumulator(&self, _arguments: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(Frame {
            moment: self.moment,
            values: VecDeque::new(),
            moments: Moments::default(),
            has_moved: false,
        }))
    }

    fn state_fields(&self, _arguments: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(STATE.iter().map(|name| Arc::new(Field::new(*name, DataType::Float64, false))).collect())
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

    /// Adds what was found of other values.
    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let (apart_x, apart_y) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let weight = self.count * other.count / count;
        self.squares_x += other.squares_x + apart_x * apart_x * weight;
        self.squares_y += other.squares_y + apart_y * apart_y * weight;
        self.products += other.products + apart_x * apart_y * weight;
        self.mean_x += apart_x * other.count / count;
        self.mean_y += apart_y * other.count / count;
        self.count = count;
    }

    /// Its figures, in the order of [`STATE`].
    fn state(&self) -> [f64; STATE.len()] {
        [self.count, self.mean_x, self.mean_y, self.squares_x, self.squares_y, self.products]
    }

    fn of_state([count, mean_x, mean_y, squares_x, squares_y, products]: [f64; STATE.len()]) -> Self {
        Self { count, mean_x, mean_y, squares_x, squares_y, products }
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

/// The figures that stand for a part of a group.
const STATE: [&str; 6] = ["count", "mean_x", "mean_y", "squares_x", "squares_y", "products"];

/// The moments of a group, or of a frame that only grows.
#[derive(Debug)]
struct Group {
    moment: Moment,
    moments: Moments,
}

impl Accumulator for Group {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for (x, y) in rows(self.moment, values)? {
            self.moments.add(x, y);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Float64(self.moments.value(self.moment)))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(self.moments.state().into_iter().map(|figure| ScalarValue::Float64(Some(figure))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let figures = states.iter().map(doubles).collect::<DfResult<Vec<_>>>()?;
        for row in 0..figures.first().map_or(0, Array::len) {
            let state: Vec<f64> = figures.iter().map(|figure| figure.value(row)).collect();
            let state = state.try_into().map_err(|_| external(EvalError::layout("the state of a moment")))?;
            self.moments.merge(&Moments::of_state(state));
        }
        Ok(())
    }
}

fn doubles(array: &ArrayRef) -> DfResult<&Float64Array> {
    array.as_primitive_opt::<Float64Type>().ok_or_else(|| external(EvalError::layout("a double")))
}

/// Returns the rows in which no argument is NULL, as `x` and `y`.
fn rows(moment: Moment, arguments: &[ArrayRef]) -> DfResult<Vec<(f64, f64)>> {
    match (moment.arguments(), arguments) {
        (1, [x]) => Ok(doubles(x)?.iter().flatten().map(|x| (x, 0.0)).collect()),
        (2, [y, x]) => Ok(doubles(x)?.iter().zip(doubles(y)?.iter()).filter_map(|(x, y)| x.zip(y)).collect()),
        _ => Err(external(EvalError::layout("the arguments of a moment"))),
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

impl Accumulator for Frame {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        for (x, y) in rows(self.moment, values)? {
            self.values.push_back((x, y));
            self.moments.add(x, y);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        let gone = rows(self.moment, values)?.len().min(self.values.len());
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
