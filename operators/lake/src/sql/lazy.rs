//! AND, OR and CASE that compute a term only for the rows that need it, where computing it may stop the query.
//!
//! `DataFusion` computes both sides of AND for a whole batch and rewrites a boolean CASE to AND and OR. So that
//! `x <> 0 AND 10 / x > 1` does not divide by zero, such terms become a CASE of numbers, which it leaves as it is.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Case, Expr, cast as native_cast, lit};

use super::join_key::Sides;
use super::udf::KernelUdf;

/// The functions that give a value, or NULL, for every argument.
const SAFE: &[&str] = &[
    "<",
    "<=",
    "=",
    "EXISTS",
    "IN",
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
    "key from NaN",
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

/// The terms joined by AND, or by OR. From the second on, one that may fail is computed for the rows only that the ones before
/// it do not decide.
pub(super) fn logical(terms: Vec<Expr>, and: bool) -> Expr {
    let is_plain = !terms.iter().skip(1).any(may_fail);
    let decided = |term: &Expr| {
        let term = Box::new(term.clone());
        if and { Expr::IsFalse(term) } else { Expr::IsTrue(term) }
    };
    let last = terms.iter().rposition(may_fail).unwrap_or_default();
    // The branches of a CASE are taken one after the other: each is computed for the rows that are left.
    let branches = terms.iter().take(last).map(|term| (decided(term), lit(!and))).collect();
    let joined = joined(terms, if and { Expr::and } else { Expr::or }).unwrap_or_else(|| lit(and));
    if is_plain { joined } else { opaque(branches, joined) }
}

/// Joins terms two by two: one behind the other they would be as deep as they are many, and whatever works on them calls itself for
/// each level.
pub(super) fn joined(mut terms: Vec<Expr>, join: fn(Expr, Expr) -> Expr) -> Option<Expr> {
    while terms.len() > 1 {
        let mut pairs = terms.into_iter();
        let mut joined = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            joined.push(match pairs.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        terms = joined;
    }
    terms.pop()
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

/// How many terms of a WHERE or ON that may fail are terms of their own, which can be computed before a join: each holds again all
/// that stands before it.
const TERMS_APART: usize = 8;

/// The terms of a WHERE or ON: those that may fail are computed for the rows that the others, and the ones before, keep. What
/// cannot fail stays a term of its own, by which files and partitions are passed over and joins find their keys; so does what is a
/// key of a join between `sides`.
pub(super) fn filter(terms: Vec<Expr>, sides: &Sides<'_>) -> Option<Expr> {
    let (may_fail, safe): (Vec<Expr>, Vec<Expr>) = terms.into_iter().partition(may_fail);
    let (mut sure, mut risky) = (Vec::new(), Vec::new());
    for (term, fails) in safe.iter().map(|term| (term, false)).chain(may_fail.iter().map(|term| (term, true))) {
        match sides.key(term, &safe) {
            Some(key) => sure.push(key),
            None if fails => risky.push(term.clone()),
            None => sure.push(term.clone()),
        }
    }
    let behind = risky.split_off(risky.len().min(TERMS_APART));
    risky.extend((!behind.is_empty()).then(|| logical(behind, true)));
    let mut guard = joined(sure, Expr::and);
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::sql::testing::physical;

    #[tokio::test]
    async fn keys_of_a_join_are_found_beside_a_term_that_may_fail() {
        let joins = HashMap::from([
            ("a.k = b.k AND a.x / b.y > 1", "HashJoinExec"),
            ("a.x / b.y > 1 AND (a.k = b.k)", "HashJoinExec"),
            ("(a.k = b.k AND b.y <> 0) AND a.x / b.y > 1", "HashJoinExec"),
            ("a.x / b.y > 1", "NestedLoopJoinExec"),
        ]);
        for kind in ["JOIN", "LEFT JOIN", "FULL JOIN"] {
            for (condition, expected) in &joins {
                let sql = format!(
                    "SELECT a.k FROM (VALUES (1, 4), (2, 4)) a(k, x) {kind} (VALUES (1, 2), (3, 0)) b(k, y) ON {condition}"
                );
                let found = physical(&sql).await.unwrap();
                assert!(found.contains(expected), "{kind} ON {condition}:\n{found}");
            }
        }
    }

    #[tokio::test]
    async fn a_long_chain_of_terms_that_may_fail_stays_small() {
        let terms: Vec<String> = (1..=40).map(|number| format!("{number} / x > 0")).collect();
        for operator in [" AND ", " OR "] {
            let found = physical(&format!("SELECT {} FROM (VALUES 1, 2) t(x)", terms.join(operator))).await.unwrap();
            assert!(found.len() < 100_000, "{} bytes for{operator}", found.len());
        }
        let terms: Vec<String> = (1..=300).map(|number| format!("{number} / x > 0")).collect();
        let found = physical(&format!("SELECT x FROM (VALUES 1, 2) t(x) WHERE {}", terms.join(" AND "))).await.unwrap();
        assert!(found.len() < 300_000, "{} bytes for WHERE", found.len());
    }
}
