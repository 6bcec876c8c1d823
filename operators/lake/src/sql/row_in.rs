//! `(a, b) [NOT] IN (SELECT c, d …)` as a value: whether a row is one of a set.
//!
//! Trino looks rows up by what is identical, NULL in a field included, unless the condition becomes a join on its way through
//! the optimizer, which compares with `=`. The two differ only where a NULL of the value meets a NULL of the set in the same
//! field of rows that are otherwise equal. What Trino answers then depends on its plan, so such rows are refused when they are met.

use arrow::array::{ArrayRef, AsArray};
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::{Case, Expr, LogicalPlanBuilder, lit};

use super::analyze::null;
use super::error::SqlResult;
use super::expression::{Context, negated, own_call};
use super::function::{Argument, Call, EvalError};
use super::scope::{Typed, column};
use super::subquery::{Attachment, SemiJoin, call};
use super::types::Type;

impl Context<'_> {
    /// Types the value. `semi_join` holds the fields of the row and the columns of the set.
    pub(super) fn row_in(&self, row: &Typed, semi_join: SemiJoin, not: bool) -> SqlResult<Typed> {
        let SemiJoin { keys, set } = semi_join;
        let fields: Vec<Expr> = keys.iter().map(|(field, _)| field.clone()).collect();
        let elements: Vec<Expr> = keys.iter().map(|(_, element)| column(element)).collect();
        // How many rows the set has, and how many of them hold a NULL.
        let (rows, with_null) = (self.analyzer.fresh(), self.analyzer.fresh());
        let renamed: Vec<String> = keys.iter().map(|_| self.analyzer.fresh()).collect();
        let of_set = LogicalPlanBuilder::from(set.clone())
            .project(elements.iter().zip(&renamed).map(|(element, name)| element.clone().alias(name)))?;
        let any_null = any(renamed.iter().map(|name| column(name).is_null()));
        let one_if_null = Expr::Case(Case::new(None, vec![(Box::new(any_null), Box::new(lit(1_i64)))], None));
        let counts = of_set.aggregate(
            Vec::<Expr>::new(),
            [
                call(df::count::count_udaf(), vec![lit(1_i64)]).alias(&rows),
                call(df::count::count_udaf(), vec![one_if_null]).alias(&with_null),
            ],
        )?;
        self.attach(Attachment::Row(counts.build()?));
        let id = self.analyzer.fresh();
        let whole = elements.iter().map(|element| element.clone().is_not_null()).reduce(Expr::and).unwrap_or(lit(true));
        let set = LogicalPlanBuilder::from(set).project(elements)?.filter(whole)?.distinct()?.build()?;
        self.attach(Attachment::Member { id: id.clone(), keys, set });
        let null_meets_null = any(fields.into_iter().map(Expr::is_null)).and(column(&with_null).gt(lit(0_i64)));
        let refusal = own_call(
            "rows_with_null",
            rows_with_null,
            vec![Typed::new(null_meets_null, Type::Boolean)],
            Type::Boolean,
            self.analyzer,
        );
        let branches = [
            (column(&rows).eq(lit(0_i64)), lit(false)),
            (row.expr.clone().is_null(), null(&Type::Boolean)?.expr),
            (column(&id).is_not_null(), lit(true)),
        ];
        let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
        let found = Typed::new(Expr::Case(Case::new(None, branches, Some(Box::new(refusal.expr)))), Type::Boolean);
        Ok(if not { negated(found) } else { found })
    }
}

fn any(conditions: impl Iterator<Item = Expr>) -> Expr {
    conditions.reduce(Expr::or).unwrap_or(lit(false))
}

/// Passes false on, and stops at true: a NULL of the value meets a NULL of the set.
fn rows_with_null(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let [argument] = arguments else { return Err(EvalError::layout("a condition")) };
    let met = argument.array.as_boolean_opt().ok_or_else(|| EvalError::layout("a condition"))?;
    if met.true_count() > 0 {
        return Err(EvalError::unsupported("IN of rows with NULL in a field on both sides"));
    }
    super::values::expanded(argument, call.rows)
}
