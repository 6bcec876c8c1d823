//! UNION ALL: one step over all queries of a chain.
//!
//! A plan in which the union of the first ones is a side of the next union is worked on again and again from top to bottom: a chain
//! of 500 queries took the square of their number.

use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, Union};
use sqlparser::ast::{SetExpr, SetOperator, SetQuantifier};

use super::analyze::Analyzer;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::query::start_of;
use super::relation::Around;
use super::scope::{Relation, ScopeColumn, Typed};

/// Returns the queries of `a UNION ALL b UNION ALL c …`, as far as that is one chain; one alone when it is none.
pub(super) fn chain(body: &SetExpr) -> Vec<&SetExpr> {
    let (mut queries, mut rest) = (Vec::new(), body);
    while let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, left, right } = rest {
        queries.push(&**right);
        rest = left;
    }
    queries.push(rest);
    queries.reverse();
    queries
}

impl Analyzer<'_> {
    /// Plans a chain. Types are brought together from left to right, as each UNION does with what is left of it: what is converted
    /// twice on the way is, as `bigint` to `real` and on to `double`.
    pub(super) fn union_all(&self, queries: &[&SetExpr], around: Around<'_>) -> SqlResult<Relation> {
        let mut columns: Vec<ScopeColumn> = Vec::new();
        let mut branches: Vec<(LogicalPlan, Vec<Typed>)> = Vec::with_capacity(queries.len());
        for (index, query) in queries.iter().enumerate() {
            // What does not fit is said of the later one.
            let place = start_of(queries.get(index.max(1)).unwrap_or(query));
            let mut relation = self.body(query, around).map_err(|error| error.at_span(place))?;
            relation.columns.retain(|column| !column.hidden);
            let mut values: Vec<Typed> = relation.columns.iter().map(ScopeColumn::typed).collect();
            if index == 0 {
                columns = relation.columns;
            } else {
                self.bring_together(&mut columns, &mut branches, &mut values).map_err(|error| error.at_span(place))?;
            }
            branches.push((relation.plan, values));
        }
        for column in &mut columns {
            (column.id, column.relation) = (self.fresh(), None);
        }
        let mut inputs = Vec::with_capacity(branches.len());
        for (plan, values) in branches {
            let projected = values.into_iter().zip(&columns).map(|(value, column)| value.expr.alias(&column.id));
            inputs.push(Arc::new(LogicalPlanBuilder::from(plan).project(projected)?.build()?));
        }
        let plan = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        Ok(Relation { plan, columns })
    }

    /// Brings the values of a query and those of the ones before it to the same types.
    fn bring_together(
        &self,
        columns: &mut [ScopeColumn],
        before: &mut [(LogicalPlan, Vec<Typed>)],
        values: &mut [Typed],
    ) -> SqlResult<()> {
        if columns.len() != values.len() {
            return Err(SqlError::type_mismatch(format!(
                "UNION query has different number of fields: {}, {}",
                columns.len(),
                values.len()
            )));
        }
        for (index, (column, value)) in columns.iter_mut().zip(values).enumerate() {
            let common = common_super_type(&column.data_type, &value.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "column {} in UNION query has incompatible types: {}, {}",
                    index + 1,
                    column.data_type,
                    value.data_type
                ))
            })?;
            *value = self.coerce(value.clone(), &common)?;
            if column.data_type != common {
                for (_, values) in before.iter_mut() {
                    if let Some(value) = values.get_mut(index) {
                        *value = self.coerce(value.clone(), &common)?;
                    }
                }
                column.data_type = common;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::logical_expr::LogicalPlan;

    use crate::sql::function::Session;
    use crate::sql::plan::{ResolvedRelation, TableResolver, plan};

    struct NoTables;

    #[async_trait::async_trait]
    impl TableResolver for NoTables {
        async fn resolve(&self, _: &str, _: &str) -> crate::Result<Option<ResolvedRelation>> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn a_chain_is_one_step_whatever_is_in_it() {
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
        for (sql, unions) in [
            ("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT BIGINT '3' UNION ALL VALUES 4.5", vec![4]),
            ("SELECT 1 UNION ALL (SELECT 2 UNION ALL SELECT 3)", vec![2, 2]),
            ("SELECT 1 UNION ALL SELECT 2 UNION SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5", vec![3, 2, 2]),
        ] {
            let planned = plan(sql, &session, &NoTables).await.unwrap();
            let mut found = Vec::new();
            planned
                .plan
                .apply(|node| {
                    if let LogicalPlan::Union(union) = node {
                        found.push(union.inputs.len());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
                .unwrap();
            assert_eq!(found, unions, "{sql}");
        }
    }
}
