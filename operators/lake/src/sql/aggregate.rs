//! Aggregations: which `DataFusion` accumulator computes each, on arguments of exactly its types, and what is done after.
//!
//! What Trino means and `DataFusion` does not is put together of others: `avg` of decimals is a checked sum and a count,
//! `max_by` is the first value in an order, `map_agg` and `approx_percentile` collect and then compute.

mod collect;
mod extreme;
mod moments;
pub(super) mod single;
mod sum;
mod sum_double;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::expr::{NullTreatment, Sort};
use datafusion::logical_expr::{AggregateUDF, Case, Expr, lit};
use sqlparser::ast::{OrderByExpr, OrderByOptions};

use self::extreme::DoubleExtreme;
use self::moments::{Moment, MomentAggregate};
use self::sum::ExactSum;
use self::sum_double::DoubleSum;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Context, own_call};
use super::scope::Typed;
use super::types::Type;
use super::values;

/// An aggregation of a query; in expressions it stands as the column `id`.
#[derive(Debug, Clone)]
pub(super) struct AggregateCall {
    pub(super) id: String,
    pub(super) raw: RawAggregate,
}

/// An accumulator of `DataFusion` and what it is called with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawAggregate {
    pub(super) function: Arc<AggregateUDF>,
    pub(super) arguments: Vec<Expr>,
    pub(super) distinct: bool,
    pub(super) filter: Option<Expr>,
    pub(super) order_by: Vec<Sort>,
    pub(super) null_treatment: Option<NullTreatment>,
}

/// What stands around the arguments of an aggregation.
#[derive(Debug, Clone, Default)]
pub(super) struct Modifiers {
    pub(super) distinct: bool,
    pub(super) filter: Option<Expr>,
    pub(super) order_by: Vec<Sort>,
}

/// The names of aggregations that this engine knows, in order.
pub const KNOWN: &[&str] = &[
    "any_value",
    "approx_distinct",
    "approx_percentile",
    "arbitrary",
    "array_agg",
    "avg",
    "bitwise_and_agg",
    "bitwise_or_agg",
    "bitwise_xor_agg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "count_if",
    "covar_pop",
    "covar_samp",
    "every",
    "geometric_mean",
    "histogram",
    "listagg",
    "map_agg",
    "map_union",
    "max",
    "max_by",
    "min",
    "min_by",
    "multimap_agg",
    "regr_intercept",
    "regr_slope",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

/// Trino's aggregations that this engine does not know yet.
pub(super) const UNKNOWN: &[&str] = &[
    "approx_most_frequent",
    "approx_set",
    "checksum",
    "convex_hull_agg",
    "entropy",
    "evaluate_classifier_predictions",
    "geometry_union_agg",
    "kurtosis",
    "learn_classifier",
    "learn_libsvm_classifier",
    "learn_libsvm_regressor",
    "learn_regressor",
    "make_set_digest",
    "merge",
    "merge_set_digest",
    "multimap_from_entries_agg",
    "numeric_histogram",
    "qdigest_agg",
    "reduce_agg",
    "skewness",
    "tdigest_agg",
];

/// Tells whether a name is an aggregation of Trino.
pub(super) fn is_aggregate(name: &str) -> bool {
    KNOWN.contains(&name) || UNKNOWN.contains(&name)
}

/// Puts one call together of accumulators, each given to `register`, which answers with its column.
pub(super) struct Builder<'b, 'c> {
    pub(super) context: &'b Context<'c>,
    pub(super) modifiers: Modifiers,
    pub(super) register: &'b mut dyn FnMut(RawAggregate) -> SqlResult<String>,
}

impl Builder<'_, '_> {
    fn raw(&mut self, function: Arc<AggregateUDF>, arguments: Vec<Expr>, returns: Type) -> SqlResult<Typed> {
        let raw = RawAggregate {
            function,
            arguments,
            distinct: self.modifiers.distinct,
            filter: self.modifiers.filter.clone(),
            order_by: self.modifiers.order_by.clone(),
            null_treatment: None,
        };
        let id = (self.register)(raw)?;
        Ok(Typed::new(super::scope::column(&id), returns))
    }

    fn also_where(&mut self, condition: Expr) {
        self.modifiers.filter = Some(match self.modifiers.filter.take() {
            Some(filter) => filter.and(condition),
            None => condition,
        });
    }

    /// Types a call of an aggregation.
    pub(super) fn build(&mut self, name: &str, mut arguments: Vec<Typed>) -> SqlResult<Typed> {
        let analyzer = self.context.analyzer;
        let types: Vec<Type> = arguments.iter().map(|argument| argument.data_type.clone()).collect();
        let not_found = || not_found(name, &types);
        if matches!((name, types.as_slice()), ("sum" | "avg", [Type::Unknown])) {
            return Err(SqlError::trino(
                "AMBIGUOUS_FUNCTION_CALL",
                "Could not choose a best candidate operator. Explicit type casts must be added.",
            ));
        }
        match (name, arguments.as_mut_slice()) {
            ("count", []) => self.raw(df::count::count_udaf(), vec![lit(1_i64)], Type::Bigint),
            ("count", [value]) => {
                let value = self.comparable(value.clone())?;
                self.raw(df::count::count_udaf(), vec![value.expr], Type::Bigint)
            }
            ("count_if", [condition]) => {
                let condition = analyzer.coerce(condition.clone(), &Type::Boolean).map_err(|_| not_found())?;
                let one = Case::new(None, vec![(Box::new(condition.expr), Box::new(lit(1_i64)))], None);
                self.raw(df::count::count_udaf(), vec![Expr::Case(one)], Type::Bigint)
            }
            ("approx_distinct", [value] | [value, _]) => {
                // Exact, which is within every error that is asked for.
                let value = value.clone();
                if let Some(error) = arguments.get(1) {
                    let error = analyzer.coerce(error.clone(), &Type::Double).map_err(|_| not_found())?;
                    match analyzer.constant(&error.expr)? {
                        Some(ScalarValue::Float64(Some(error))) if (0.004_062_5..=0.26).contains(&error) => {}
                        Some(ScalarValue::Float64(Some(error))) => {
                            return Err(SqlError::trino(
                                "INVALID_FUNCTION_ARGUMENT",
                                format!("Max standard error must be in [0.0040625, 0.26]: {error}"),
                            ));
                        }
                        _ => return Err(SqlError::unsupported("a standard error that is not a constant")),
                    }
                }
                self.modifiers.distinct = true;
                let value = self.comparable(value)?;
                self.raw(df::count::count_udaf(), vec![value.expr], Type::Bigint)
            }
            ("sum", [value]) => self.sum(value.clone()).ok_or_else(not_found)?,
            ("avg", [value]) => self.average(value.clone()).ok_or_else(not_found)?,
            ("min" | "max", [value]) => self.extreme(name, value.clone()),
            ("min" | "max", [value, count]) => {
                let (value, count) = (value.clone(), count.clone());
                self.first_n(name == "max", value.clone(), value, count)
            }
            ("min_by" | "max_by", [value, key]) => {
                let (value, key) = (value.clone(), key.clone());
                self.by(name == "max_by", value, key)
            }
            ("min_by" | "max_by", [value, key, count]) => {
                let (value, key, count) = (value.clone(), key.clone(), count.clone());
                self.first_n(name == "max_by", value, key, count)
            }
            ("arbitrary" | "any_value", [value]) => {
                let value = value.clone();
                self.also_where(value.expr.clone().is_not_null());
                self.raw(df::first_last::first_value_udaf(), vec![value.expr], value.data_type)
            }
            ("bool_and" | "every" | "bool_or", [condition]) => {
                let condition = analyzer.coerce(condition.clone(), &Type::Boolean).map_err(|_| not_found())?;
                let function =
                    if name == "bool_or" { df::bool_and_or::bool_or_udaf() } else { df::bool_and_or::bool_and_udaf() };
                self.raw(function, vec![condition.expr], Type::Boolean)
            }
            ("array_agg", [value]) => {
                let value = value.clone();
                let returns = Type::Array(Arc::new(value.data_type));
                self.raw(df::array_agg::array_agg_udaf(), vec![value.expr], returns)
            }
            ("bitwise_and_agg" | "bitwise_or_agg" | "bitwise_xor_agg", [value]) => {
                let value = analyzer.coerce(value.clone(), &Type::Bigint).map_err(|_| not_found())?;
                let function = match name {
                    "bitwise_and_agg" => df::bit_and_or_xor::bit_and_udaf(),
                    "bitwise_or_agg" => df::bit_and_or_xor::bit_or_udaf(),
                    _ => df::bit_and_or_xor::bit_xor_udaf(),
                };
                self.raw(function, vec![value.expr], Type::Bigint)
            }
            ("stddev" | "stddev_samp" | "stddev_pop" | "variance" | "var_samp" | "var_pop", [value]) => {
                let value = analyzer.coerce(value.clone(), &Type::Double).map_err(|_| not_found())?;
                let function = self.over_frame(name).unwrap_or_else(|| match name {
                    "stddev_pop" => df::stddev::stddev_pop_udaf(),
                    "variance" | "var_samp" => df::variance::var_samp_udaf(),
                    "var_pop" => df::variance::var_pop_udaf(),
                    _ => df::stddev::stddev_udaf(),
                });
                self.raw(function, vec![value.expr], Type::Double)
            }
            ("corr" | "covar_samp" | "covar_pop" | "regr_slope" | "regr_intercept", [y, x]) => {
                // Trino has a form of real and one of double; all but double come to the first.
                let real = y.data_type != Type::Double && x.data_type != Type::Double;
                let number = |value: &Typed| {
                    let value = if real { analyzer.coerce(value.clone(), &Type::Real)? } else { value.clone() };
                    analyzer.coerce(value, &Type::Double)
                };
                let (y, x) = (number(y).map_err(|_| not_found())?, number(x).map_err(|_| not_found())?);
                let moment = Moment::of(name).ok_or_else(not_found)?;
                let function = Arc::new(AggregateUDF::new_from_impl(MomentAggregate::new(moment)));
                let result = self.raw(function, vec![y.expr, x.expr], Type::Double)?;
                if real { analyzer.cast(result, &Type::Real, false) } else { Ok(result) }
            }
            ("geometric_mean", [Typed { data_type: Type::Real | Type::Decimal(..), .. }]) => {
                Err(SqlError::unsupported("geometric_mean of real and decimal"))
            }
            ("geometric_mean", [value]) => {
                let value = analyzer.coerce(value.clone(), &Type::Double).map_err(|_| not_found())?;
                let logarithm = self.context.scalar("ln", vec![value])?;
                let mean = self.added(true, logarithm)?;
                self.context.scalar("exp", vec![mean])
            }
            ("map_agg" | "multimap_agg", [key, value]) => {
                let (key, value) = (key.clone(), value.clone());
                self.map(name, key, value)
            }
            ("histogram", [value]) => {
                let value = value.clone();
                self.also_where(value.expr.clone().is_not_null());
                let returns = Type::Map(Arc::new(value.data_type.clone()), Arc::new(Type::Bigint));
                let list = self.list(value)?;
                Ok(own_call("histogram", collect::histogram, vec![list], returns, analyzer))
            }
            ("map_union", [map]) => {
                let map = map.clone();
                let Type::Map(..) = &map.data_type else { return Err(not_found()) };
                let returns = map.data_type.clone();
                self.also_where(map.expr.clone().is_not_null());
                let list = self.list(map)?;
                Ok(own_call("map_union", collect::map_union, vec![list], returns, analyzer))
            }
            ("listagg", [value] | [value, _]) => {
                let value = value.clone();
                if !matches!(value.data_type, Type::Varchar(_)) {
                    return Err(SqlError::type_mismatch(format!(
                        "Expected expression of varchar, but the argument has {} type",
                        value.data_type
                    )));
                }
                let separator = match arguments.get(1) {
                    Some(separator) => separator.clone(),
                    None => Typed::new(lit(""), Type::Varchar(Some(0))),
                };
                self.also_where(value.expr.clone().is_not_null());
                let value = analyzer.coerce(value, &Type::Varchar(None))?;
                let list = self.list(value)?;
                self.context.scalar("array_join", vec![list, separator])
            }
            ("approx_percentile", [value, percentage]) => {
                let (value, percentage) = (value.clone(), percentage.clone());
                self.percentile(value, percentage).ok_or_else(not_found)?
            }
            (name, _) if UNKNOWN.contains(&name) || name == "approx_percentile" => {
                Err(SqlError::unsupported(format!("the aggregation `{name}`")))
            }
            _ => Err(not_found()),
        }
    }

    /// What a value is compared by, where it is for comparison only.
    fn comparable(&self, value: Typed) -> SqlResult<Typed> {
        if !self.modifiers.distinct {
            return Ok(value);
        }
        if !super::query::groups_by_key(&value.data_type) {
            return Err(SqlError::unsupported(format!("a DISTINCT {}", value.data_type)));
        }
        Ok(values::key(value, &self.context.analyzer.session))
    }

    /// What computes a moment over the frame of a window.
    fn over_frame(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let moment = Moment::of(name).filter(|_| self.context.clause == Clause::WindowArgument)?;
        Some(Arc::new(AggregateUDF::new_from_impl(MomentAggregate::new(moment))))
    }

    fn sum(&mut self, value: Typed) -> Option<SqlResult<Typed>> {
        let analyzer = self.context.analyzer;
        let sum = |builder: &mut Self, value: SqlResult<Typed>, returns: Type| {
            let over_window = builder.context.clause == Clause::WindowArgument;
            let sum = if over_window { ExactSum::over_window } else { ExactSum::new };
            let function = Arc::new(AggregateUDF::new_from_impl(sum(returns.clone())));
            builder.raw(function, vec![value?.expr], returns)
        };
        Some(match &value.data_type {
            Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => {
                let value = analyzer.coerce(value, &Type::Bigint);
                sum(self, value, Type::Bigint)
            }
            Type::Decimal(_, scale) => {
                let returns = Type::Decimal(38, *scale);
                sum(self, Ok(value), returns)
            }
            Type::Double => self.added(false, value),
            Type::Real => analyzer.coerce(value, &Type::Double).and_then(|value| {
                let sum = self.added(false, value)?;
                analyzer.cast(sum, &Type::Real, false)
            }),
            Type::IntervalDayToSecond | Type::IntervalYearToMonth => {
                Err(SqlError::unsupported(format!("sum of {}", value.data_type)))
            }
            _ => return None,
        })
    }

    /// The sum or mean of doubles.
    fn added(&mut self, mean: bool, value: Typed) -> SqlResult<Typed> {
        let function = match (self.modifiers.distinct, mean) {
            (false, mean) => Arc::new(AggregateUDF::new_from_impl(DoubleSum::new(mean))),
            (true, false) => df::sum::sum_udaf(),
            (true, true) => df::average::avg_udaf(),
        };
        self.raw(function, vec![value.expr], Type::Double)
    }

    fn average(&mut self, value: Typed) -> Option<SqlResult<Typed>> {
        let analyzer = self.context.analyzer;
        Some(match &value.data_type {
            Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint | Type::Double => {
                analyzer.coerce(value, &Type::Double).and_then(|value| self.added(true, value))
            }
            Type::Real => analyzer.coerce(value, &Type::Double).and_then(|value| {
                let mean = self.added(true, value)?;
                analyzer.cast(mean, &Type::Real, false)
            }),
            Type::Decimal(precision, scale) => {
                let returns = Type::Decimal(*precision, *scale);
                let sum = Arc::new(AggregateUDF::new_from_impl(ExactSum::new(Type::Decimal(38, *scale))));
                let argument = value.expr.clone();
                self.raw(sum, vec![argument], Type::Decimal(38, *scale)).and_then(|sum| {
                    let count = self.raw(df::count::count_udaf(), vec![value.expr], Type::Bigint)?;
                    Ok(own_call("avg", collect::decimal_average, vec![sum, count], returns, analyzer))
                })
            }
            Type::IntervalDayToSecond | Type::IntervalYearToMonth => {
                Err(SqlError::unsupported(format!("avg of {}", value.data_type)))
            }
            _ => return None,
        })
    }

    fn extreme(&mut self, name: &str, value: Typed) -> SqlResult<Typed> {
        let function = || if name == "max" { df::min_max::max_udaf() } else { df::min_max::min_udaf() };
        if super::expression::compares_natively(&value.data_type) || value.data_type == Type::IntervalYearToMonth {
            return self.raw(function(), vec![value.expr], value.data_type);
        }
        if matches!(value.data_type, Type::Real | Type::Double) && self.context.clause != Clause::WindowArgument {
            let data_type = value.data_type.clone();
            let value = self.context.analyzer.coerce(value, &Type::Double)?;
            let function = Arc::new(AggregateUDF::new_from_impl(DoubleExtreme::new(name == "max")));
            let found = self.raw(function, vec![value.expr], Type::Double)?;
            return self.context.analyzer.cast(found, &data_type, false);
        }
        if matches!(value.data_type, Type::Real | Type::Double) {
            // NaN only where there is nothing else.
            let data_type = value.data_type.clone();
            let numbers = values::number(value.clone(), &self.context.analyzer.session);
            let number = self.raw(function(), vec![numbers.expr], data_type.clone())?;
            let any = self.raw(function(), vec![value.expr], data_type)?;
            let there = Typed::new(number.expr.clone().is_not_null(), Type::Boolean);
            return self.context.conditional(vec![(there, number)], Some(any), "min and max");
        }
        if value.data_type == Type::Unknown {
            return Ok(value);
        }
        self.by(name == "max", value.clone(), value)
    }

    /// The value of the row with the smallest or largest key; rows without a key do not count.
    fn by(&mut self, largest: bool, value: Typed, key: Typed) -> SqlResult<Typed> {
        if !key.data_type.is_orderable() {
            return Err(SqlError::type_mismatch(format!("{} is not orderable", key.data_type)));
        }
        if matches!(key.data_type, Type::Array(_) | Type::Row(_)) {
            return Err(SqlError::unsupported(format!("an order by {}", key.data_type)));
        }
        self.also_where(key.expr.clone().is_not_null());
        let key = match &key.data_type {
            Type::Real | Type::Double => values::number(key, &self.context.analyzer.session).expr,
            _ => self.context.sort_key(key, false)?,
        };
        self.modifiers.order_by = vec![Sort::new(key, !largest, false)];
        self.raw(df::first_last::first_value_udaf(), vec![value.expr], value.data_type)
    }

    fn first_n(&mut self, largest: bool, value: Typed, key: Typed, count: Typed) -> SqlResult<Typed> {
        if matches!(key.data_type, Type::Array(_) | Type::Row(_)) || !key.data_type.is_orderable() {
            return Err(SqlError::unsupported(format!("an order by {}", key.data_type)));
        }
        if !matches!(count.expr, Expr::Literal(..)) {
            return Err(SqlError::unsupported("a number of values that is not a constant"));
        }
        self.also_where(key.expr.clone().is_not_null());
        let key = match &key.data_type {
            Type::Real | Type::Double => values::number(key, &self.context.analyzer.session).expr,
            _ => self.context.sort_key(key, false)?,
        };
        self.modifiers.order_by = vec![Sort::new(key, !largest, false)];
        let list = self.list(value)?;
        let one = Typed::new(lit(1_i64), Type::Bigint);
        self.context.scalar("slice", vec![list, one, count])
    }

    fn list(&mut self, value: Typed) -> SqlResult<Typed> {
        let returns = Type::Array(Arc::new(value.data_type));
        self.raw(df::array_agg::array_agg_udaf(), vec![value.expr], returns)
    }

    fn map(&mut self, name: &str, key: Typed, value: Typed) -> SqlResult<Typed> {
        let analyzer = self.context.analyzer;
        self.also_where(key.expr.clone().is_not_null());
        let (key_type, value_type) = (Arc::new(key.data_type.clone()), Arc::new(value.data_type.clone()));
        let entries = self.list(values::row(vec![key, value], &analyzer.session))?;
        Ok(if name == "map_agg" {
            own_call("map_agg", collect::map_agg, vec![entries], Type::Map(key_type, value_type), analyzer)
        } else {
            let returns = Type::Map(key_type, Arc::new(Type::Array(value_type)));
            own_call("multimap_agg", collect::multimap_agg, vec![entries], returns, analyzer)
        })
    }

    fn percentile(&mut self, value: Typed, percentage: Typed) -> Option<SqlResult<Typed>> {
        let analyzer = self.context.analyzer;
        let element = match &value.data_type {
            Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => Type::Bigint,
            Type::Real | Type::Decimal(..) => Type::Real,
            Type::Double => Type::Double,
            _ => return None,
        };
        let returns = match &value.data_type {
            // Trino has this function for bigint, real and double; integers come back as bigint.
            Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint => Type::Bigint,
            _ => element.clone(),
        };
        Some((|| {
            let (percentage, returns) = match &percentage.data_type {
                Type::Array(_) => {
                    let to = Type::Array(Arc::new(Type::Double));
                    (analyzer.coerce(percentage, &to)?, Type::Array(Arc::new(returns)))
                }
                _ => (analyzer.coerce(percentage, &Type::Double)?, returns),
            };
            let value = analyzer.coerce(value, &element)?;
            self.also_where(value.expr.clone().is_not_null());
            self.modifiers.order_by = vec![Sort::new(value.expr.clone(), true, false)];
            let list = self.list(value)?;
            Ok(own_call("approx_percentile", collect::percentile, vec![list, percentage], returns, analyzer))
        })())
    }
}

impl Context<'_> {
    /// What an item of ORDER BY, whose value is typed, orders by.
    pub(super) fn sort_by(&self, item: &OrderByExpr, value: Typed) -> SqlResult<Sort> {
        let OrderByExpr { expr: _, options: OrderByOptions { asc, nulls_first }, with_fill: None } = item else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{item}`")));
        };
        let nulls_first = nulls_first.unwrap_or(false);
        Ok(Sort::new(self.sort_key(value, nulls_first)?, asc.unwrap_or(true), nulls_first))
    }

    /// What a value is ordered by. NaN is the largest number, and the smallest where NULL comes first.
    fn sort_key(&self, value: Typed, nulls_first: bool) -> SqlResult<Expr> {
        let session = &self.analyzer.session;
        match &value.data_type {
            data_type if !data_type.is_orderable() => Err(SqlError::type_mismatch(format!(
                "Type {data_type} is not orderable, and therefore cannot be used in ORDER BY"
            ))),
            Type::TimeTz(_) | Type::Uuid | Type::IpAddress => {
                Err(SqlError::unsupported(format!("an order by {}", value.data_type)))
            }
            Type::Real | Type::Double if nulls_first => Ok(values::key_from_nan(value, session).expr),
            Type::Array(_) | Type::Row(_) => {
                Ok(values::key(values::without_nulls_inside(value, session), session).expr)
            }
            _ => Ok(values::key(value, session).expr),
        }
    }
}

/// Trino's error for arguments that a function does not take.
pub(super) fn not_found(name: &str, types: &[Type]) -> SqlError {
    let types = types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    SqlError::trino("FUNCTION_NOT_FOUND", format!("Unexpected parameters ({types}) for function {name}"))
}

/// Takes a constant whole number out of an expression.
pub(super) fn constant_integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int8(Some(value)), _) => Some(i64::from(*value)),
        Expr::Literal(ScalarValue::Int16(Some(value)), _) => Some(i64::from(*value)),
        Expr::Literal(ScalarValue::Int32(Some(value)), _) => Some(i64::from(*value)),
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => Some(*value),
        Expr::Cast(cast) => constant_integer(&cast.expr),
        Expr::Alias(alias) => constant_integer(&alias.expr),
        _ => None,
    }
}
