//! Calls: which of special form, aggregation, window function or function of the table a name is.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::lit;
use sqlparser::ast::{
    DuplicateTreatment, Expr as Sql, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, ListAggOnOverflow, ObjectNamePart, OrderByExpr, Value, ValueWithSpan,
};

use super::aggregate::{AggregateCall, Builder, Modifiers, RawAggregate, is_aggregate};
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Context};
use super::scope::{Typed, column};
use super::types::Type;
use super::window;

/// A call's parts, after what no dialect of ours has is refused.
struct Parts<'s> {
    name: String,
    arguments: Vec<&'s Sql>,
    star: bool,
    distinct: bool,
    order_by: Vec<&'s OrderByExpr>,
}

impl Context<'_> {
    /// Types a call.
    pub(super) fn function(&self, function: &Function) -> SqlResult<Typed> {
        let Function {
            name: _,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: _,
            filter,
            null_treatment,
            over,
            within_group,
        } = function
        else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{function}`")));
        };
        let parts = parts(function)?;
        let name = parts.name.as_str();
        if matches!(function.args, FunctionArguments::None) {
            return self.constant_of_session(name, None);
        }
        if let "current_time" | "current_timestamp" | "localtime" | "localtimestamp" = name {
            let precision = precision(name, &parts)?;
            return self.constant_of_session(name, Some(precision));
        }
        if let Some(over) = over {
            if !within_group.is_empty() {
                return Err(SqlError::unsupported("WITHIN GROUP of a window function"));
            }
            if !matches!(self.clause, Clause::Select | Clause::OrderBy) {
                return Err(self.not_here(true));
            }
            return self.window_function(&window::Call {
                name,
                arguments: &parts.arguments,
                star: parts.star,
                distinct: parts.distinct,
                order_by: &parts.order_by,
                filter: filter.as_deref(),
                null_treatment: *null_treatment,
                over,
            });
        }
        if null_treatment.is_some() {
            return Err(SqlError::trino(
                "NULL_TREATMENT_NOT_ALLOWED",
                format!("Cannot specify null treatment clause for {name} function"),
            ));
        }
        if window::is_window_only(name) {
            return Err(SqlError::trino(
                "MISSING_OVER",
                format!("Window function system.builtin.{name} requires an OVER clause"),
            ));
        }
        if parts.arguments.iter().any(|argument| matches!(argument, Sql::Lambda(_))) {
            return Err(SqlError::unsupported(format!("a lambda expression (in `{name}`)")));
        }
        if is_aggregate(name) {
            return self.aggregation(&parts, filter.as_deref(), within_group);
        }
        if name == "grouping" {
            return self.grouping(&parts.arguments);
        }
        if filter.is_some() || parts.distinct || !parts.order_by.is_empty() || !within_group.is_empty() {
            return Err(SqlError::trino(
                "FUNCTION_NOT_AGGREGATE",
                format!("Filter, DISTINCT and ORDER BY are only for aggregations, not for {name}"),
            ));
        }
        if parts.star {
            // Whether there is a function of the name, and one without arguments, is said first.
            self.scalar(name, Vec::new())?;
            return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input '*'"));
        }
        if let Some(typed) = self.special_form(name, &parts.arguments) {
            return typed;
        }
        if name == "now" && parts.arguments.is_empty() {
            return self.constant_of_session("current_timestamp", None);
        }
        if name == "current_timezone" && parts.arguments.is_empty() {
            return Ok(Typed::new(lit(self.analyzer.session.time_zone.clone()), Type::Varchar(None)));
        }
        let arguments = parts.arguments.iter().map(|argument| self.expr(argument)).collect::<SqlResult<Vec<_>>>()?;
        self.scalar(name, arguments)
    }

    fn aggregation(&self, parts: &Parts<'_>, filter: Option<&Sql>, within_group: &[OrderByExpr]) -> SqlResult<Typed> {
        if !matches!(self.clause, Clause::Select | Clause::Having | Clause::OrderBy | Clause::WindowArgument) {
            return Err(self.not_here(false));
        }
        let inner = self.in_clause(Clause::AggregateArgument);
        let name = parts.name.as_str();
        let arguments = inner.aggregate_arguments(parts)?;
        if (name == "listagg") == within_group.is_empty() {
            return Err(SqlError::trino(
                "SYNTAX_ERROR",
                format!("WITHIN GROUP is for listagg, and needed there: `{name}`"),
            ));
        }
        let order: Vec<&OrderByExpr> =
            if within_group.is_empty() { parts.order_by.clone() } else { within_group.iter().collect() };
        let modifiers = inner.modifiers(&arguments, parts.distinct, &order, filter)?;
        let mut register = |raw: RawAggregate| {
            let mut collected = self.collected.borrow_mut();
            if let Some(known) = collected.aggregates.iter().find(|known| known.raw == raw) {
                return Ok(known.id.clone());
            }
            let id = self.analyzer.fresh();
            collected.aggregates.push(AggregateCall { id: id.clone(), raw });
            Ok(id)
        };
        Builder { context: &inner, modifiers, register: &mut register }.build(name, arguments)
    }

    fn aggregate_arguments(&self, parts: &Parts<'_>) -> SqlResult<Vec<Typed>> {
        if parts.star && parts.name != "count" {
            return Err(SqlError::trino(
                "FUNCTION_NOT_FOUND",
                format!("Unexpected parameters () for function {}", parts.name),
            ));
        }
        parts.arguments.iter().map(|argument| self.expr(argument)).collect()
    }

    /// Types DISTINCT, ORDER BY and FILTER of an aggregation or window aggregation.
    pub(super) fn modifiers(
        &self,
        arguments: &[Typed],
        distinct: bool,
        order_by: &[&OrderByExpr],
        filter: Option<&Sql>,
    ) -> SqlResult<Modifiers> {
        let mut sorts = Vec::with_capacity(order_by.len());
        for item in order_by {
            let (sort, typed) = self.sort(item)?;
            if distinct && !arguments.iter().any(|argument| argument.expr == typed.expr) {
                return Err(SqlError::trino(
                    "EXPRESSION_NOT_IN_DISTINCT",
                    "For aggregate function with DISTINCT, ORDER BY expressions must appear in arguments",
                ));
            }
            sorts.push(sort);
        }
        let filter = filter.map(|filter| self.condition(filter, "FILTER clause")).transpose()?;
        Ok(Modifiers { distinct, filter: filter.map(|filter| filter.expr), order_by: sorts })
    }

    /// Types an item of ORDER BY inside a call: NULL comes last unless it says otherwise, also descending.
    pub(super) fn sort(&self, item: &OrderByExpr) -> SqlResult<(Sort, Typed)> {
        let typed = self.expr(&item.expr)?;
        Ok((self.sort_by(item, typed.clone())?, typed))
    }

    fn grouping(&self, arguments: &[&Sql]) -> SqlResult<Typed> {
        if !matches!(self.clause, Clause::Select | Clause::Having | Clause::OrderBy | Clause::WindowArgument) {
            return Err(self.not_here(false));
        }
        let arguments =
            arguments.iter().map(|argument| Ok(self.expr(argument)?.expr)).collect::<SqlResult<Vec<_>>>()?;
        let id = self.analyzer.fresh();
        let data_type = if arguments.len() <= 31 { Type::Integer } else { Type::Bigint };
        self.collected.borrow_mut().groupings.push((id.clone(), arguments));
        Ok(Typed::new(column(&id), data_type))
    }

    /// `current_date` and its like: fixed when the statement starts. Times have milliseconds unless a precision is given.
    fn constant_of_session(&self, name: &str, precision: Option<u8>) -> SqlResult<Typed> {
        let session = &self.analyzer.session;
        let wrong = || SqlError::unsupported(format!("the session's time zone `{}`", session.time_zone));
        let start = jiff::Timestamp::from_microsecond(session.start_us).map_err(|_| wrong())?;
        let zoned = start.in_tz(&session.time_zone).map_err(|_| wrong())?;
        let digits = precision.unwrap_or(3);
        if digits > 6 {
            return Err(SqlError::unsupported(format!("`{name}({digits})`: more than 6 digits of a second")));
        }
        let unit = 10_i64.pow(6 - u32::from(digits));
        // Half of a unit is rounded up, as Trino does.
        let instant = (session.start_us + unit / 2).div_euclid(unit) * unit;
        let offset = i64::from(zoned.offset().seconds()) * 1_000_000;
        match name {
            "current_date" => {
                let epoch = jiff::civil::date(1970, 1, 1);
                let days = zoned.date().since(epoch).map_err(|_| wrong())?.get_days();
                Ok(Typed::new(lit(ScalarValue::Date32(Some(days))), Type::Date))
            }
            "current_timestamp" => {
                let returns = Type::TimestampTz(digits);
                let DataType::Struct(fields) = returns.to_arrow() else { return Err(wrong()) };
                let instant: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![instant]).with_timezone("UTC"));
                let zone: ArrayRef = Arc::new(StringArray::from(vec![session.time_zone.clone()]));
                let value = StructArray::try_new(fields, vec![instant, zone], None)
                    .map_err(|error| SqlError::unsupported(error.to_string()))?;
                Ok(Typed::new(lit(ScalarValue::Struct(Arc::new(value))), returns))
            }
            "localtimestamp" => {
                let value = ScalarValue::TimestampMicrosecond(Some(instant + offset), None);
                Ok(Typed::new(lit(value), Type::Timestamp(digits)))
            }
            "localtime" => {
                let value = (instant + offset).rem_euclid(86_400_000_000);
                Ok(Typed::new(lit(ScalarValue::Time64Microsecond(Some(value))), Type::Time(digits)))
            }
            other => Err(SqlError::unsupported(format!("`{other}`"))),
        }
    }
}

/// Reads the precision of `current_timestamp(6)` and its like.
fn precision(name: &str, parts: &Parts<'_>) -> SqlResult<u8> {
    let text = match parts.arguments.as_slice() {
        [Sql::Value(ValueWithSpan { value: Value::Number(text, false), span: _ })] if !parts.distinct => text,
        _ => {
            let message = format!("mismatched input: `{name}(…)` takes a number of digits");
            return Err(SqlError::trino("SYNTAX_ERROR", message));
        }
    };
    match text.parse::<u8>() {
        Ok(precision) if precision <= 12 => Ok(precision),
        _ => {
            let message = format!("the precision of `{name}` must be 0 to 12, found {text}");
            Err(SqlError::trino("NUMERIC_VALUE_OUT_OF_RANGE", message))
        }
    }
}

fn parts(function: &Function) -> SqlResult<Parts<'_>> {
    let syntax = |what: String| SqlError::trino("SYNTAX_ERROR", format!("mismatched input: {what}"));
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
        return Err(SqlError::trino("FUNCTION_NOT_FOUND", format!("Function '{}' not registered", function.name)));
    };
    let mut parts = Parts {
        name: name.value.to_lowercase(),
        arguments: Vec::new(),
        star: false,
        distinct: false,
        order_by: Vec::new(),
    };
    let FunctionArgumentList { duplicate_treatment, args, clauses } = match &function.args {
        FunctionArguments::None => return Ok(parts),
        FunctionArguments::Subquery(query) => return Err(syntax(format!("`{query}`"))),
        FunctionArguments::List(list) => list,
    };
    parts.distinct = match duplicate_treatment {
        None | Some(DuplicateTreatment::All) => false,
        Some(DuplicateTreatment::Distinct) => true,
    };
    for argument in args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => parts.arguments.push(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if args.len() == 1 => parts.star = true,
            FunctionArg::Unnamed(
                FunctionArgExpr::Wildcard
                | FunctionArgExpr::WildcardWithOptions(_)
                | FunctionArgExpr::QualifiedWildcard(_),
            )
            | FunctionArg::Named { .. }
            | FunctionArg::ExprNamed { .. } => return Err(syntax(format!("`{argument}`"))),
        }
    }
    for clause in clauses {
        match clause {
            FunctionArgumentClause::OrderBy(items) => parts.order_by.extend(items),
            FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Error) if parts.name == "listagg" => {}
            FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Truncate { .. }) if parts.name == "listagg" => {
                return Err(SqlError::unsupported("ON OVERFLOW TRUNCATE"));
            }
            FunctionArgumentClause::OnOverflow(_)
            | FunctionArgumentClause::IgnoreOrRespectNulls(_)
            | FunctionArgumentClause::Limit(_)
            | FunctionArgumentClause::Having(_)
            | FunctionArgumentClause::Separator(_)
            | FunctionArgumentClause::JsonNullClause(_)
            | FunctionArgumentClause::JsonReturningClause(_) => return Err(syntax(format!("`{clause}`"))),
        }
    }
    Ok(parts)
}
