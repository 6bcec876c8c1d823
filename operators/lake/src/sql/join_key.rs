//! Equalities between two relations as keys of a join, though computing them may stop the query.
//!
//! A term that may fail is computed for the rows only that the other terms keep (`lazy`), and in such a term no join finds a key: each
//! row of one side would be tried with each of the other. As in Trino a key is computed before its join, for those rows of its own
//! side that the terms about this side alone keep; for all of them where an outer join keeps rows of this side without a pair.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};

use super::lazy;
use super::scope::{Qualifier, ScopeColumn};

/// A relation by what stands before its columns.
type Origin<'c> = (Option<&'c str>, &'c str);

/// Returns an equality of the values of two relations as one that a join finds; none for other terms. `safe` are the terms beside it
/// that cannot fail, `kept` the columns of sides whose rows stay without a pair.
pub(super) fn of(term: &Expr, safe: &[Expr], columns: &[ScopeColumn], kept: &[ScopeColumn]) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = term else { return None };
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
    Some(side(left, &of_left).eq(side(right, &of_right)))
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
