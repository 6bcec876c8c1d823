//! Equalities between two relations as keys of a join, though a function compares them or computing them may stop the query.
//!
//! A term that may fail is computed for the rows only that the other terms keep (`lazy`), and in such a term no join finds a key: each
//! row of one side would be tried with each of the other. As in Trino a key is computed before its join, for those rows of its own
//! side that the terms about this side alone keep; for all of them where an outer join keeps rows of this side without a pair.
//!
//! Floating-point numbers, `char` and times with zones are compared by a function of ours, in which no join finds a key, either: beside
//! it stands an equality of what they are grouped by, which is one for equal values.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator, ScalarUDF};

use super::lazy;
use super::operator;
use super::operator::compare;
use super::scope::{Qualifier, ScopeColumn, Typed};
use super::types::Type;
use super::udf::KernelUdf;
use super::values;

/// A relation by what stands before its columns.
type Origin<'c> = (Option<&'c str>, &'c str);

/// The relations that the terms of a WHERE or ON are about.
#[derive(Debug)]
pub(super) struct Sides<'c> {
    /// By the names of their columns in the plan; none for a column that belongs to no relation.
    of_column: HashMap<&'c str, Option<Origin<'c>>>,
    /// Those whose rows stay without a pair.
    kept: BTreeSet<Origin<'c>>,
}

impl<'c> Sides<'c> {
    /// Knows the relations of `columns`; `kept` are the columns of sides whose rows stay without a pair.
    pub(super) fn of(columns: &'c [ScopeColumn], kept: &'c [ScopeColumn]) -> Self {
        let origin_of = |column: &'c ScopeColumn| column.relation.as_ref().map(origin);
        Self {
            of_column: columns.iter().map(|column| (column.id.as_str(), origin_of(column))).collect(),
            kept: kept.iter().filter_map(origin_of).collect(),
        }
    }

    /// Returns an equality of the values of two relations as one that a join finds; none for other terms. `safe` are the terms beside
    /// it that cannot fail.
    pub(super) fn key(&self, term: &Expr, safe: &[Expr]) -> Option<Expr> {
        let (left, right, by_function) = match term {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => (left.as_ref(), right.as_ref(), None),
            Expr::ScalarFunction(function) => match (equality(function), function.args.as_slice()) {
                (Some(equality), [left, right]) => (left, right, Some(equality)),
                _ => return None,
            },
            _ => return None,
        };
        let (of_left, of_right) = (self.origins(left)?, self.origins(right)?);
        if of_left.is_empty() || of_right.is_empty() || !of_left.is_disjoint(&of_right) {
            return None;
        }
        let (left, right) = (self.before_join(left, &of_left, safe), self.before_join(right, &of_right, safe));
        let Some(equality) = by_function else { return Some(left.eq(right)) };
        let key = |value: &Expr| {
            values::key(Typed::new(value.clone(), equality.arguments[0].clone()), &equality.session).expr
        };
        Some(key(&left).eq(key(&right)).and(ScalarUDF::new_from_impl(equality.clone()).call(vec![left, right])))
    }

    /// A value of a key, for the rows of its own side that a join asks for it.
    fn before_join(&self, value: &Expr, own: &BTreeSet<Origin<'_>>, safe: &[Expr]) -> Expr {
        if !lazy::may_fail(value) || !self.kept.is_disjoint(own) {
            return value.clone();
        }
        let about_it = safe.iter().filter(|term| {
            let origins = self.origins(term);
            origins.is_some_and(|origins| !origins.is_empty() && origins.is_subset(own))
        });
        match lazy::joined(about_it.cloned().collect(), Expr::and) {
            Some(guard) => Expr::Case(Case::new(None, vec![(Box::new(guard), Box::new(value.clone()))], None)),
            None => value.clone(),
        }
    }

    /// Returns the relations whose columns an expression uses; none where one of them is not known, or it has a query in it.
    fn origins(&self, expr: &Expr) -> Option<BTreeSet<Origin<'c>>> {
        let mut found = Some(BTreeSet::new());
        let visited = expr.apply(|expr| {
            let origin = match expr {
                Expr::Column(used) => self.of_column.get(used.name.as_str()).copied().flatten(),
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
}

fn origin(relation: &Qualifier) -> Origin<'_> {
    (relation.database.as_deref(), &relation.table)
}

/// Returns the function when it is the equality of two single values that are grouped by a key. Arrays, maps and rows are not: a
/// merge of sorted rows has no order of them.
fn equality(function: &ScalarFunction) -> Option<&KernelUdf> {
    let inner: &dyn Any = function.func.inner().as_ref();
    let kernel = inner.downcast_ref::<KernelUdf>()?;
    let [left, right] = kernel.arguments.as_slice() else { return None };
    let is_single = !matches!(left, Type::Array(_) | Type::Map(..) | Type::Row(_));
    let is_equality = kernel.name == operator::Operator::Equal.symbol() && left == right;
    (is_equality && is_single && compare::needs_key(left)).then_some(kernel)
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
            "CAST(a.k AS real) = CAST(b.k AS real)",
            "CAST(CAST(a.k AS varchar) AS char(3)) = CAST(CAST(b.k AS varchar) AS char(3)) AND a.x > b.y",
            "from_unixtime(a.k) = from_unixtime(b.k)",
            "CAST(from_unixtime(a.k) AS time with time zone) = CAST(from_unixtime(b.k) AS time with time zone)",
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
