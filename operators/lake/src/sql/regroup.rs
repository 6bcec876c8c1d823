//! Correlated subqueries after GROUP BY: what they take from the query around them are columns of its groups.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, LogicalPlan, Subquery};

use super::error::{SqlError, SqlResult};

/// Brings a correlated subquery over the rows of FROM, whose columns are those of `source`, to the groups that they were put into.
///
/// # Errors
/// As Trino when it uses a column that is no group.
pub(super) fn regrouped(subquery: Expr, groups: &[(Expr, Expr)], source: &DFSchema) -> SqlResult<Expr> {
    let Expr::ScalarSubquery(subquery) = subquery else {
        return Err(SqlError::unsupported("this correlated subquery after GROUP BY"));
    };
    let mut regroup = Regroup { groups, source, loose: false };
    let outer_ref_columns = subquery
        .outer_ref_columns
        .into_iter()
        .map(|reference| Ok(regroup.expression(reference)?.data))
        .collect::<SqlResult<Vec<_>>>()?;
    let plan = regroup.plan(Arc::unwrap_or_clone(subquery.subquery))?;
    if regroup.loose {
        return Err(SqlError::trino(
            "EXPRESSION_NOT_AGGREGATE",
            "a subquery uses a column of the query around it that is neither aggregated nor in its GROUP BY clause",
        ));
    }
    Ok(Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: subquery.spans }))
}

struct Regroup<'g> {
    groups: &'g [(Expr, Expr)],
    source: &'g DFSchema,
    /// Whether a column was used that is no group.
    loose: bool,
}

impl Regroup<'_> {
    fn plan(&mut self, plan: LogicalPlan) -> SqlResult<LogicalPlan> {
        let changed = plan.transform_up_with_subqueries(|node| node.map_expressions(|expr| self.expression(expr)))?;
        Ok(changed.data)
    }

    fn expression(&mut self, expr: Expr) -> datafusion::common::Result<Transformed<Expr>> {
        expr.transform_up(|expr| match expr {
            Expr::OuterReferenceColumn(field, column) if self.source.has_column(&column) => {
                let is_own = |group: &Expr| matches!(group, Expr::Column(own) if own.name == column.name);
                if let Some((_, Expr::Column(new))) = self.groups.iter().find(|(group, _)| is_own(group)) {
                    let field = Field::new(&new.name, field.data_type().clone(), true);
                    Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::new(field), new.clone())))
                } else {
                    self.loose = true;
                    Ok(Transformed::no(Expr::OuterReferenceColumn(field, column)))
                }
            }
            Expr::ScalarSubquery(mut inner) => {
                inner.outer_ref_columns = self.references(inner.outer_ref_columns)?;
                Ok(Transformed::yes(Expr::ScalarSubquery(inner)))
            }
            Expr::Exists(mut exists) => {
                exists.subquery.outer_ref_columns = self.references(exists.subquery.outer_ref_columns)?;
                Ok(Transformed::yes(Expr::Exists(exists)))
            }
            other => Ok(Transformed::no(other)),
        })
    }

    fn references(&mut self, references: Vec<Expr>) -> datafusion::common::Result<Vec<Expr>> {
        references.into_iter().map(|reference| Ok(self.expression(reference)?.data)).collect()
    }
}
