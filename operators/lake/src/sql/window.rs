//! Window functions: ranks, neighbours and aggregations over a frame.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::functions_window as df;
use datafusion::logical_expr::expr::{NullTreatment, Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
    WindowUDF, cast as native_cast, lit,
};
use sqlparser::ast::{self, Expr as Sql, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, WindowSpec, WindowType};

use super::aggregate::{Builder, Modifiers, RawAggregate, constant_integer, not_found};
use super::analyze::Analyzer;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Context};
use super::resolve::known::WINDOW;
use super::scope::{Typed, column, same};
use super::types::Type;
use super::values;

/// A window function of a query; in expressions it stands as the column `id`.
#[derive(Debug, Clone)]
pub(super) struct WindowCall {
    pub(super) id: String,
    pub(super) function: WindowFunction,
}

/// The windows of the WINDOW clause.
#[derive(Debug, Default)]
pub(super) struct NamedWindows<'w> {
    pub(super) definitions: &'w [NamedWindowDefinition],
}

/// A call with OVER.
pub(super) struct Call<'s> {
    pub(super) name: &'s str,
    pub(super) arguments: &'s [&'s Sql],
    pub(super) star: bool,
    pub(super) distinct: bool,
    pub(super) order_by: &'s [&'s OrderByExpr],
    pub(super) filter: Option<&'s Sql>,
    pub(super) null_treatment: Option<ast::NullTreatment>,
    pub(super) over: &'s WindowType,
}

/// A window's parts, typed.
struct Window {
    partition_by: Vec<Expr>,
    order_by: Vec<Sort>,
    frame: WindowFrame,
    framed: bool,
}

const RANKING: &[&str] = &["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile"];
const NEIGHBOURS: &[&str] = &["lag", "lead"];
const VALUES: &[&str] = &["first_value", "last_value", "nth_value"];

/// Tells whether a name is a window function that is no aggregation.
pub(super) fn is_window_only(name: &str) -> bool {
    WINDOW.contains(&name)
}

impl Context<'_> {
    /// Types a call with OVER.
    pub(super) fn window_function(&self, call: &Call<'_>) -> SqlResult<Typed> {
        let inner = self.in_clause(Clause::WindowArgument);
        let window = inner.window(call.over)?;
        let name = call.name;
        if is_window_only(name) {
            if call.distinct || call.star || !call.order_by.is_empty() || call.filter.is_some() {
                return Err(SqlError::unsupported(format!(
                    "DISTINCT, ORDER BY and FILTER in the window function `{name}`"
                )));
            }
            if window.framed && !VALUES.contains(&name) {
                return Err(SqlError::trino(
                    "INVALID_WINDOW_FRAME",
                    format!("Cannot specify window frame for {name} function"),
                ));
            }
            if window.order_by.is_empty() && NEIGHBOURS.contains(&name) {
                return Err(SqlError::trino(
                    "MISSING_ORDER_BY",
                    format!("{name} function requires an ORDER BY window clause"),
                ));
            }
            let arguments =
                call.arguments.iter().map(|argument| inner.expr(argument)).collect::<SqlResult<Vec<_>>>()?;
            return if RANKING.contains(&name) {
                inner.ranking(name, &arguments, &window, call.null_treatment)
            } else {
                inner.value_of_row(name, &arguments, &window, call.null_treatment)
            };
        }
        if !super::aggregate::is_aggregate(name) {
            return Err(SqlError::trino("FUNCTION_NOT_WINDOW", format!("Function '{name}' is no window function")));
        }
        if call.null_treatment.is_some() {
            return Err(SqlError::trino(
                "NULL_TREATMENT_NOT_ALLOWED",
                format!("Cannot specify null treatment clause for {name} function"),
            ));
        }
        if call.filter.is_some() {
            return Err(SqlError::trino("NOT_SUPPORTED", "FILTER is not yet supported for window functions"));
        }
        if call.distinct || !call.order_by.is_empty() {
            return Err(SqlError::unsupported("DISTINCT and ORDER BY in an aggregation over a window"));
        }
        let arguments = call.arguments.iter().map(|argument| inner.expr(argument)).collect::<SqlResult<Vec<_>>>()?;
        let modifiers = Modifiers::default();
        let mut register = |raw: RawAggregate| {
            if !raw.order_by.is_empty() {
                return Err(SqlError::unsupported(format!("the aggregation `{name}` over a window")));
            }
            Ok(self.over(
                WindowFunctionDefinition::AggregateUDF(raw.function),
                raw.arguments,
                &window,
                raw.filter,
                raw.null_treatment,
            ))
        };
        Builder { context: &inner, modifiers, register: &mut register }.build(name, arguments)
    }

    /// Notes a window function and returns its column.
    fn over(
        &self,
        fun: WindowFunctionDefinition,
        args: Vec<Expr>,
        window: &Window,
        filter: Option<Expr>,
        null_treatment: Option<NullTreatment>,
    ) -> String {
        let params = WindowFunctionParams {
            args,
            partition_by: window.partition_by.clone(),
            order_by: window.order_by.clone(),
            window_frame: window.frame.clone(),
            filter: filter.map(Box::new),
            null_treatment,
            distinct: false,
        };
        let function = WindowFunction { fun, params };
        let mut collected = self.collected.borrow_mut();
        if let Some(known) = collected.windows.iter().find(|known| known.function == function) {
            return known.id.clone();
        }
        let id = self.analyzer.fresh();
        collected.windows.push(WindowCall { id: id.clone(), function });
        id
    }

    fn ranking(
        &self,
        name: &str,
        arguments: &[Typed],
        window: &Window,
        null_treatment: Option<ast::NullTreatment>,
    ) -> SqlResult<Typed> {
        if null_treatment.is_some() {
            return Err(SqlError::trino(
                "NULL_TREATMENT_NOT_ALLOWED",
                format!("Cannot specify null treatment clause for {name} function"),
            ));
        }
        let types: Vec<Type> = arguments.iter().map(|argument| argument.data_type.clone()).collect();
        let (function, arguments): (Arc<WindowUDF>, Vec<Expr>) = match (name, arguments) {
            ("row_number", []) => (df::row_number::row_number_udwf(), vec![]),
            ("rank", []) => (df::rank::rank_udwf(), vec![]),
            ("dense_rank", []) => (df::rank::dense_rank_udwf(), vec![]),
            ("percent_rank", []) => (df::rank::percent_rank_udwf(), vec![]),
            ("cume_dist", []) => (df::cume_dist::cume_dist_udwf(), vec![]),
            ("ntile", [buckets]) => {
                let Some(buckets) = constant_integer(&buckets.expr) else {
                    return Err(SqlError::unsupported("a number of buckets that is not a constant"));
                };
                if buckets <= 0 {
                    return Err(SqlError::trino("INVALID_FUNCTION_ARGUMENT", "Buckets must be greater than 0"));
                }
                (df::ntile::ntile_udwf(), vec![lit(buckets)])
            }
            _ => return Err(not_found(name, &types)),
        };
        let id = self.over(WindowFunctionDefinition::WindowUDF(function), arguments, window, None, None);
        Ok(match name {
            "percent_rank" | "cume_dist" => Typed::new(column(&id), Type::Double),
            // DataFusion counts without a sign.
            _ => Typed::new(native_cast(column(&id), Type::Bigint.to_arrow()), Type::Bigint),
        })
    }

    fn value_of_row(
        &self,
        name: &str,
        arguments: &[Typed],
        window: &Window,
        null_treatment: Option<ast::NullTreatment>,
    ) -> SqlResult<Typed> {
        let null_treatment = match null_treatment {
            Some(ast::NullTreatment::IgnoreNulls) => Some(NullTreatment::IgnoreNulls),
            Some(ast::NullTreatment::RespectNulls) => Some(NullTreatment::RespectNulls),
            None => None,
        };
        let types: Vec<Type> = arguments.iter().map(|argument| argument.data_type.clone()).collect();
        let offset = |argument: &Typed, least: i64, what: &str| {
            let Some(offset) = constant_integer(&argument.expr) else {
                return Err(SqlError::unsupported(format!("an offset of `{name}` that is not a constant")));
            };
            if offset < least {
                return Err(SqlError::trino("INVALID_FUNCTION_ARGUMENT", what));
            }
            Ok(offset)
        };
        let (function, arguments, returns): (Arc<WindowUDF>, Vec<Expr>, Type) = match (name, arguments) {
            ("first_value", [value]) => {
                (df::nth_value::first_value_udwf(), vec![value.expr.clone()], value.data_type.clone())
            }
            ("last_value", [value]) => {
                (df::nth_value::last_value_udwf(), vec![value.expr.clone()], value.data_type.clone())
            }
            ("nth_value", [value, at]) => {
                let at = offset(at, 1, "Offset must be at least 1")?;
                (df::nth_value::nth_value_udwf(), vec![value.expr.clone(), lit(at)], value.data_type.clone())
            }
            ("lag" | "lead", [value, rest @ ..]) if rest.len() <= 2 => {
                let at = rest.first().map_or(Ok(1), |at| offset(at, 0, "Offset must be at least 0"))?;
                let mut arguments = vec![value.expr.clone(), lit(at)];
                if let Some(default) = rest.get(1) {
                    let common = common_super_type(&value.data_type, &default.data_type);
                    if common.is_some_and(|common| common != value.data_type) {
                        let what = format!("a default of `{name}` of a wider type than its values");
                        return Err(SqlError::unsupported(what));
                    }
                    let default = self.analyzer.coerce(default.clone(), &value.data_type)?;
                    let Some(default) = self.analyzer.constant(&default.expr)? else {
                        return Err(SqlError::unsupported(format!("a default of `{name}` that is not a constant")));
                    };
                    arguments.push(lit(default));
                }
                let function = if name == "lag" { df::lead_lag::lag_udwf() } else { df::lead_lag::lead_udwf() };
                (function, arguments, value.data_type.clone())
            }
            _ => return Err(not_found(name, &types)),
        };
        let id = self.over(WindowFunctionDefinition::WindowUDF(function), arguments, window, None, null_treatment);
        Ok(Typed::new(column(&id), returns))
    }

    // --- the window itself -----------------------------------------------------------------------------------------------

    fn window(&self, over: &WindowType) -> SqlResult<Window> {
        match over {
            WindowType::NamedWindow(name) => {
                let spec = self.named_window(name)?;
                self.window_of(spec, None)
            }
            WindowType::WindowSpec(spec) => {
                let base = spec.window_name.as_ref().map(|name| self.named_window(name)).transpose()?;
                self.window_of(spec, base)
            }
        }
    }

    fn named_window(&self, name: &ast::Ident) -> SqlResult<&WindowSpec> {
        let mut found =
            self.windows.definitions.iter().filter(|NamedWindowDefinition(own, _)| same(&own.value, &name.value));
        match found.next() {
            Some(NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(spec))) if spec.window_name.is_none() => Ok(spec),
            Some(_) => Err(SqlError::unsupported("a window that is made of another")),
            None => {
                Err(SqlError::trino("INVALID_WINDOW_REFERENCE", format!("Cannot resolve WINDOW name {}", name.value))
                    .at_span(name.span))
            }
        }
    }

    fn window_of(&self, spec: &WindowSpec, base: Option<&WindowSpec>) -> SqlResult<Window> {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        if let Some(base) = base
            && (!partition_by.is_empty()
                || base.window_frame.is_some()
                || !(order_by.is_empty() || base.order_by.is_empty()))
        {
            return Err(SqlError::trino(
                "INVALID_WINDOW_REFERENCE",
                "a window made of a named one may add ORDER BY and a frame only where that one has none",
            ));
        }
        let partition_by = if partition_by.is_empty() {
            base.map_or(partition_by.as_slice(), |base| base.partition_by.as_slice())
        } else {
            partition_by.as_slice()
        };
        let order_by = if order_by.is_empty() {
            base.map_or(order_by.as_slice(), |base| base.order_by.as_slice())
        } else {
            order_by.as_slice()
        };
        let mut partitions = Vec::with_capacity(partition_by.len());
        for item in partition_by {
            let typed = self.expr(item)?;
            if !typed.data_type.is_comparable() {
                return Err(SqlError::type_mismatch(format!(
                    "{} is not comparable, and therefore cannot be used in window function PARTITION BY",
                    typed.data_type
                )));
            }
            // Trino sorts by them.
            if !typed.data_type.is_orderable() {
                return Err(SqlError::unsupported(format!("PARTITION BY {}", typed.data_type)));
            }
            partitions.push(values::key(typed, &self.analyzer.session).expr);
        }
        let sorts = order_by.iter().map(|item| self.sort(item)).collect::<SqlResult<Vec<_>>>()?;
        let frame = match window_frame {
            Some(frame) => self.frame(frame, &sorts)?,
            None if sorts.is_empty() => WindowFrame::new(None),
            None => WindowFrame::new(Some(false)),
        };
        Ok(Window {
            partition_by: partitions,
            order_by: sorts.into_iter().map(|(sort, _)| sort).collect(),
            frame,
            framed: window_frame.is_some(),
        })
    }

    fn frame(&self, frame: &ast::WindowFrame, sorts: &[(Sort, Typed)]) -> SqlResult<WindowFrame> {
        let ast::WindowFrame { units, start_bound, end_bound } = frame;
        let current = ast::WindowFrameBound::CurrentRow;
        let end_bound = end_bound.as_ref().unwrap_or(&current);
        let wrong = |message: &str| Err(SqlError::trino("INVALID_WINDOW_FRAME", message));
        match (start_bound, end_bound) {
            (ast::WindowFrameBound::Following(None), _) => {
                return wrong("Window frame start cannot be UNBOUNDED FOLLOWING");
            }
            (_, ast::WindowFrameBound::Preceding(None)) => {
                return wrong("Window frame end cannot be UNBOUNDED PRECEDING");
            }
            (ast::WindowFrameBound::CurrentRow, ast::WindowFrameBound::Preceding(_)) => {
                return wrong("Window frame starting from CURRENT ROW cannot end with PRECEDING");
            }
            (ast::WindowFrameBound::Following(_), ast::WindowFrameBound::Preceding(_)) => {
                return wrong("Window frame starting from FOLLOWING cannot end with PRECEDING");
            }
            (ast::WindowFrameBound::Following(_), ast::WindowFrameBound::CurrentRow) => {
                return wrong("Window frame starting from FOLLOWING cannot end with CURRENT ROW");
            }
            _ => {}
        }
        let offsets = [start_bound, end_bound].iter().any(|bound| {
            matches!(bound, ast::WindowFrameBound::Preceding(Some(_)) | ast::WindowFrameBound::Following(Some(_)))
        });
        let units = match units {
            ast::WindowFrameUnits::Rows => WindowFrameUnits::Rows,
            ast::WindowFrameUnits::Range => WindowFrameUnits::Range,
            ast::WindowFrameUnits::Groups => WindowFrameUnits::Groups,
        };
        if units == WindowFrameUnits::Groups && sorts.is_empty() {
            return Err(SqlError::trino("MISSING_ORDER_BY", "Window frame of type GROUPS requires ORDER BY"));
        }
        let key = match (units, sorts) {
            (WindowFrameUnits::Range, [(_, key)]) if offsets => Some(&key.data_type),
            (WindowFrameUnits::Range, []) if offsets => {
                return Err(SqlError::trino(
                    "MISSING_ORDER_BY",
                    "Window frame of type RANGE PRECEDING or FOLLOWING requires ORDER BY",
                ));
            }
            (WindowFrameUnits::Range, _) if offsets => {
                return Err(SqlError::trino(
                    "INVALID_ORDER_BY",
                    "Window frame of type RANGE PRECEDING or FOLLOWING requires single sort item in ORDER BY",
                ));
            }
            _ => None,
        };
        let start = self.bound(start_bound, units, key)?;
        let end = self.bound(end_bound, units, key)?;
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn bound(
        &self,
        bound: &ast::WindowFrameBound,
        units: WindowFrameUnits,
        key: Option<&Type>,
    ) -> SqlResult<WindowFrameBound> {
        let unbounded = || match units {
            WindowFrameUnits::Range => ScalarValue::Null,
            WindowFrameUnits::Rows | WindowFrameUnits::Groups => ScalarValue::UInt64(None),
        };
        Ok(match bound {
            ast::WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            ast::WindowFrameBound::Preceding(None) => WindowFrameBound::Preceding(unbounded()),
            ast::WindowFrameBound::Following(None) => WindowFrameBound::Following(unbounded()),
            ast::WindowFrameBound::Preceding(Some(offset)) => WindowFrameBound::Preceding(self.offset(offset, key)?),
            ast::WindowFrameBound::Following(Some(offset)) => WindowFrameBound::Following(self.offset(offset, key)?),
        })
    }

    fn offset(&self, offset: &Sql, key: Option<&Type>) -> SqlResult<ScalarValue> {
        let offset = self.expr(offset)?;
        let not_constant = || SqlError::unsupported("an offset of a window's frame that is not a constant");
        let Some(key) = key else {
            let rows = constant_integer(&offset.expr).ok_or_else(not_constant)?;
            let Ok(rows) = u64::try_from(rows) else {
                return Err(SqlError::trino(
                    "INVALID_WINDOW_FRAME",
                    "Window frame offset value must not be negative or null",
                ));
            };
            return Ok(ScalarValue::UInt64(Some(rows)));
        };
        match (key, &offset.data_type) {
            (Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint, offset_type)
                if offset_type.is_integer() =>
            {
                let value = constant_integer(&offset.expr).ok_or_else(not_constant)?;
                if value < 0 {
                    return Err(SqlError::trino(
                        "INVALID_WINDOW_FRAME",
                        "Window frame offset value must not be negative or null",
                    ));
                }
                Ok(ScalarValue::Int64(Some(value)).cast_to(&key.to_arrow())?)
            }
            (Type::Date | Type::Timestamp(0..=6), Type::IntervalDayToSecond) => {
                let Some(ScalarValue::DurationMillisecond(Some(value))) = self.analyzer.constant(&offset.expr)? else {
                    return Err(not_constant());
                };
                if *key == Type::Date && value % 86_400_000 != 0 {
                    return Err(SqlError::trino(
                        "INVALID_FUNCTION_ARGUMENT",
                        "Cannot subtract hour, minutes or seconds from a date",
                    ));
                }
                let interval = arrow::datatypes::IntervalMonthDayNano::new(0, 0, value * 1_000_000);
                Ok(ScalarValue::IntervalMonthDayNano(Some(interval)))
            }
            (Type::Varchar(_) | Type::Boolean | Type::Varbinary, _) => Err(SqlError::type_mismatch(format!(
                "Window frame of type RANGE PRECEDING or FOLLOWING requires that sort item type be numeric, datetime or interval (actual: {key})"
            ))),
            _ => Err(SqlError::unsupported(format!("a window's frame by RANGE over {key} with {}", offset.data_type))),
        }
    }
}

impl Analyzer<'_> {
    /// Puts window functions on a plan: one node for all of the same partitions and order.
    pub(super) fn add_windows(&self, mut plan: LogicalPlan, calls: Vec<WindowCall>) -> SqlResult<LogicalPlan> {
        let mut rest = calls;
        while let Some(first) = rest.first().cloned() {
            let (now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|call| {
                call.function.params.partition_by == first.function.params.partition_by
                    && call.function.params.order_by == first.function.params.order_by
            });
            rest = later;
            let expressions = now
                .into_iter()
                .map(|call| {
                    let expr = Expr::WindowFunction(Box::new(call.function));
                    Ok(self.lowered(expr, plan.schema())?.alias(&call.id))
                })
                .collect::<SqlResult<Vec<_>>>()?;
            plan = LogicalPlanBuilder::from(plan).window(expressions)?.build()?;
        }
        Ok(plan)
    }
}
