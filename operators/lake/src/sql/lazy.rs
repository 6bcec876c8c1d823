//! AND, OR and CASE that compute a term only for the rows that need it, where computing it may stop the query.
//!
//! `DataFusion` computes both sides of AND for a whole batch and rewrites a boolean CASE to AND and OR. So that
//! `x <> 0 AND 10 / x > 1` does not divide by zero, such terms become a CASE of numbers, which it leaves as it is.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Case, Expr, Operator as Native, cast as native_cast, lit};

use super::udf::KernelUdf;

/// The functions that give a value, or NULL, for every argument.
const SAFE: &[&str] = &[
    "<",
    "<=",
    "=",
    "IS DISTINCT FROM",
    "array",
    "cardinality",
    "concat",
    "day",
    "day_of_week",
    "element_at",
    "field",
    "hour",
    "instant",
    "json_extract_scalar",
    "key",
    "length",
    "lower",
    "ltrim",
    "minute",
    "month",
    "number",
    "regexp_like",
    "replace",
    "row",
    "rtrim",
    "second",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "trim",
    "try_cast",
    "upper",
    "url_extract_host",
    "url_extract_path",
    "url_extract_query",
    "year",
    "zone",
];

/// Tells whether computing an expression may stop the query.
pub(super) fn may_fail(expr: &Expr) -> bool {
    expr.exists(|expr| {
        let Expr::ScalarFunction(function) = expr else { return Ok(false) };
        let inner: &dyn Any = function.func.inner().as_ref();
        Ok(inner.downcast_ref::<KernelUdf>().is_some_and(|kernel| !SAFE.contains(&kernel.name.as_str())))
    })
    .unwrap_or(true)
}

/// `left AND right`, or `left OR right`.
pub(super) fn logical(left: Expr, and: bool, right: Expr) -> Expr {
    let native = |left: Expr, right: Expr| {
        let operator = if and { Native::And } else { Native::Or };
        Expr::BinaryExpr(datafusion::logical_expr::BinaryExpr::new(Box::new(left), operator, Box::new(right)))
    };
    if !may_fail(&right) {
        return native(left, right);
    }
    let decided = if and { Expr::IsFalse(Box::new(left.clone())) } else { Expr::IsTrue(Box::new(left.clone())) };
    let otherwise = native(left, right);
    opaque(vec![(decided, lit(!and))], otherwise)
}

/// A boolean CASE that `DataFusion` does not take apart.
pub(super) fn opaque(branches: Vec<(Expr, Expr)>, default: Expr) -> Expr {
    let number = |truth: Expr| match truth {
        Expr::Literal(datafusion::scalar::ScalarValue::Boolean(Some(truth)), _) => lit(i8::from(truth)),
        truth => native_cast(truth, DataType::Int8),
    };
    let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(number(then)))).collect();
    Expr::Case(Case::new(None, branches, Some(Box::new(number(default))))).eq(lit(1_i8))
}

/// The terms of a WHERE: those that may fail are computed for the rows that the others, and the ones before, keep. What
/// cannot fail stays a term of its own, by which files and partitions are passed over.
pub(super) fn filter(terms: Vec<Expr>) -> Option<Expr> {
    let (risky, safe): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(may_fail);
    let mut guard = safe.iter().cloned().reduce(Expr::and);
    let mut kept = guard.clone();
    for term in risky {
        let guarded = match guard {
            Some(guard) => opaque(vec![(Expr::IsNotTrue(Box::new(guard)), lit(false))], term),
            None => term,
        };
        guard = Some(guarded.clone());
        kept = Some(match kept {
            Some(kept) => kept.and(guarded),
            None => guarded,
        });
    }
    kept
}
