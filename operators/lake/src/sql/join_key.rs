//! Equalities between two relations as keys of a join, though a function compares them or computing them may stop the query.
//!
//! A term that may fail is computed for the rows only that the other terms keep (`lazy`), and in such a term no join finds a key: each
//! row of one side would be tried with each of the other. As in Trino a key is computed before its join, for those rows of its own
//! side that the terms about this side alone keep; for all of them where an outer join keeps rows of this side without a pair.
//!
//! Floating-point numbers, `char` and times with zones are compared by a function of ours, in which no join finds a key, either: beside
//! it stands an equality of what they are grouped by, which is one for equal values.
//!
//! `a IS NOT DISTINCT FROM b` becomes two equalities, of whether the values are NULL and of the values, so that no join has to take NULL
//! for equal to NULL: in `DataFusion` 55.2.0 that holds for all keys of a join or for none, and rules that add a key to a join, or
//! make one of two (`extract_equijoin_predicate`, `eliminate_cross_join`), do not ask which.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator, ScalarUDF, lit};
use datafusion::scalar::ScalarValue;

use super::lazy;
use super::operator;
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
        let (left, right, comparison) = comparison(term)?;
        let (of_left, of_right) = (self.origins(left)?, self.origins(right)?);
        if of_left.is_empty() || of_right.is_empty() || !of_left.is_disjoint(&of_right) {
            return None;
        }
        let (left, right) = (self.before_join(left, &of_left, safe), self.before_join(right, &of_right, safe));
        let key = |value: &Expr, function: &KernelUdf| {
            values::key(Typed::new(value.clone(), function.arguments[0].clone()), &function.session)
        };
        match comparison {
            Comparison::Native => Some(left.eq(right)),
            Comparison::Equality(equality) => {
                let keys = key(&left, equality).expr.eq(key(&right, equality).expr);
                Some(keys.and(ScalarUDF::new_from_impl(equality.clone()).call(vec![left, right])))
            }
            Comparison::Sameness(distinct) => {
                let filled = |value: &Expr| {
                    let key = key(value, distinct);
                    let default = ScalarValue::new_default(&key.data_type.to_arrow()).ok()?;
                    let is_null = Box::new(value.clone().is_null());
                    Some(Expr::Case(Case::new(None, vec![(is_null, Box::new(lit(default)))], Some(Box::new(key.expr)))))
                };
                let values = filled(&left)?.eq(filled(&right)?);
                Some(left.is_null().eq(right.is_null()).and(values))
            }
        }
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

/// How a term says that two values are one.
#[derive(Debug, Clone, Copy)]
enum Comparison<'e> {
    /// By `=` of `DataFusion`.
    Native,
    /// By `=`, a function of ours.
    Equality(&'e KernelUdf),
    /// By `IS NOT DISTINCT FROM`, whose opposite is the function.
    Sameness(&'e KernelUdf),
}

/// Returns two values and how a term says that they are one; none for other terms.
fn comparison(term: &Expr) -> Option<(&Expr, &Expr, Comparison<'_>)> {
    let (function, is_negated) = match term {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            return Some((left, right, Comparison::Native));
        }
        Expr::ScalarFunction(function) => (function, false),
        Expr::Not(negated) => match negated.as_ref() {
            Expr::ScalarFunction(function) => (function, true),
            _ => return None,
        },
        _ => return None,
    };
    let inner: &dyn Any = function.func.inner().as_ref();
    let kernel = inner.downcast_ref::<KernelUdf>()?;
    let ([left, right], [of_left, of_right]) = (function.args.as_slice(), kernel.arguments.as_slice()) else {
        return None;
    };
    // A merge of sorted rows has no order of the others.
    let is_single = !matches!(of_left, Type::Array(_) | Type::Map(..) | Type::Row(_));
    if !is_single || of_left != of_right {
        return None;
    }
    let is_called = |operator: operator::Operator| kernel.name == operator.symbol();
    match is_negated {
        false if is_called(operator::Operator::Equal) => Some((left, right, Comparison::Equality(kernel))),
        true if is_called(operator::Operator::IsDistinctFrom) => Some((left, right, Comparison::Sameness(kernel))),
        _ => None,
    }
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
            "a.k IS NOT DISTINCT FROM b.k",
            "a.k IS NOT DISTINCT FROM b.k AND a.x IS NOT DISTINCT FROM b.y AND CAST(a.k AS double) IS NOT DISTINCT FROM CAST(b.y AS double)",
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
