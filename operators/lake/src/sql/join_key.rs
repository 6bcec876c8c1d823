//! Equalities between two relations as keys of a join, though computing them may stop the query.
//!
//! A term that may fail is computed for the rows only that the other terms keep (`lazy`), and in such a term no join finds a key: each
//! row of one side would be tried with each of the other. As in Trino a key is computed before its join, for those rows of its own
//! side that the terms about this side alone keep; for all of them where an outer join keeps rows of this side without a pair.
//!
//! Doubles are compared by a function of ours, in which no join finds a key, either: beside it stands an equality of what they are
//! grouped by, of which each zero and each NaN has one.

use std::any::Any;
use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator, ScalarUDF};

use super::lazy;
use super::scope::{Qualifier, ScopeColumn, Typed};
use super::types::Type;
use super::udf::KernelUdf;
use super::values;

/// A relation by what stands before its columns.
type Origin<'c> = (Option<&'c str>, &'c str);

/// Returns an equality of the values of two relations as one that a join finds; none for other terms. `safe` are the terms beside it
/// that cannot fail, `kept` the columns of sides whose rows stay without a pair.
pub(super) fn of(term: &Expr, safe: &[Expr], columns: &[ScopeColumn], kept: &[ScopeColumn]) -> Option<Expr> {
    let (left, right, floating) = match term {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => (left.as_ref(), right.as_ref(), None),
        Expr::ScalarFunction(function) => match (floating_equality(function), function.args.as_slice()) {
            (Some(floating), [left, right]) => (left, right, Some(floating)),
            _ => return None,
        },
        _ => return None,
    };
    let (of_left, of_right) = (origins(left, columns)?, origins(right, columns)?);
    if of_left.is_empty() || of_right.is_empty() || !of_left.is_disjoint(&of_right) {
        return None;
    }
    let side = |value: &Expr, own: &BTreeSet<Origin<'_>>| {
        let is_kept =
            || kept.iter().filter_map(|column| column.relation.as_ref()).any(|kept| own.contains(&origin(kept)));
        if !lazy::may_fail(value) || is_kept() {
            return value.clone();
        }
        let about_it = safe.iter().filter(|term| {
            let origins = origins(term, columns);
            origins.is_some_and(|origins| !origins.is_empty() && origins.is_subset(own))
        });
        match lazy::joined(about_it.cloned().collect(), Expr::and) {
            Some(guard) => Expr::Case(Case::new(None, vec![(Box::new(guard), Box::new(value.clone()))], None)),
            None => value.clone(),
        }
    };
    let (left, right) = (side(left, &of_left), side(right, &of_right));
    let Some(floating) = floating else { return Some(left.eq(right)) };
    let key =
        |value: &Expr| values::key(Typed::new(value.clone(), floating.arguments[0].clone()), &floating.session).expr;
    Some(key(&left).eq(key(&right)).and(ScalarUDF::new_from_impl(floating.clone()).call(vec![left, right])))
}

/// Returns the function when it is the equality of two floating-point numbers.
fn floating_equality(function: &ScalarFunction) -> Option<&KernelUdf> {
    let inner: &dyn Any = function.func.inner().as_ref();
    let kernel = inner.downcast_ref::<KernelUdf>()?;
    (kernel.name == "="
        && matches!(kernel.arguments.as_slice(), [Type::Double, Type::Double] | [Type::Real, Type::Real]))
    .then_some(kernel)
}

/// Returns the relations whose columns an expression uses; none where one of them is not known, or it has a query in it.
fn origins<'c>(expr: &Expr, columns: &'c [ScopeColumn]) -> Option<BTreeSet<Origin<'c>>> {
    let mut found = Some(BTreeSet::new());
    let visited = expr.apply(|expr| {
        let origin = match expr {
            Expr::Column(used) => {
                let column = columns.iter().find(|column| column.id == used.name);
                column.and_then(|column| column.relation.as_ref()).map(origin)
            }
            Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_) => None,
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if let (Some(origin), Some(found)) = (origin, &mut found) {
            found.insert(origin);
            Ok(TreeNodeRecursion::Continue)
        } else {
            found = None;
            Ok(TreeNodeRecursion::Stop)
        }
    });
    visited.ok().and(found)
}

fn origin(relation: &Qualifier) -> Origin<'_> {
    (relation.database.as_deref(), &relation.table)
}

#[cfg(test)]
mod tests {
    use crate::sql::testing::physical;

    const LEFT: &str = "(VALUES (1, 4), (2, 4), (5, 8)) a(k, x)";

    #[tokio::test]
    async fn a_key_that_may_fail_is_found_beside_other_terms() {
        for condition in [
            "a.k = b.k + 1 AND b.y > 1",
            "b.y > 1 AND b.k + 1 = a.k",
            "a.k - 1 = b.k AND b.y + 1 > 2 AND a.x < 9",
            "a.k = 10 / b.y AND b.y <> 0 AND a.x > b.k",
            "CAST(CAST(a.k AS varchar) AS bigint) = b.k AND a.x + b.y > 0 AND a.k > 0",
            "CAST(a.k AS double) = CAST(b.k AS double)",
            "CAST(a.k AS double) = b.k / DOUBLE '1.0' AND b.y > 0",
        ] {
            for kind in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
                let sql = format!("SELECT a.k FROM {LEFT} {kind} (VALUES (1, 2), (3, 0)) b(k, y) ON {condition}");
                let plan = physical(&sql).await.unwrap();
                assert!(plan.contains("HashJoinExec"), "{kind} ON {condition}:\n{plan}");
            }
            let sql = format!("SELECT a.k FROM {LEFT}, (VALUES (1, 2), (3, 0)) b(k, y) WHERE {condition}");
            let plan = physical(&sql).await.unwrap();
            assert!(plan.contains("HashJoinExec"), "WHERE {condition}:\n{plan}");
        }
    }
}
