//! Text that objects give as views stays views where `DataFusion` means the same by both: comparisons, LIKE, IN and IS NULL with
//! literals, the keys of groups, `count`, `min` and `max`.
//!
//! Our functions know text as plain UTF-8, so a scan is wrapped in casts (`relation.rs`). A view is 16 bytes beside the bytes of the
//! page that it was read from; the cast copies every text. This rule takes casts away again, where nothing but `DataFusion`'s own
//! operators works on the text.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, Alias, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprSchemable as _, Like, LogicalPlan, Operator, Projection,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// The rule.
#[derive(Debug, Default)]
pub(super) struct KeepViews;

impl OptimizerRule for KeepViews {
    fn name(&self) -> &'static str {
        "keep_views"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        predicates(plan)?.transform_data(|plan| match plan {
            LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
            other => Ok(Transformed::no(other)),
        })
    }
}

/// Takes casts out of the conditions of a node.
fn predicates(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Projection(_) | LogicalPlan::Join(_)) {
        return Ok(Transformed::no(plan));
    }
    let schema = merge_schema(&plan.inputs());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|expr| Ok(predicate(expr, &schema)))?;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })
}

fn predicate(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Like(Like { negated, expr, pattern, escape_char, case_insensitive }) => {
            match (view_in(&expr, schema), literal(&pattern)) {
                (Some(view), Some(pattern)) => Transformed::yes(Expr::Like(Like::new(
                    negated,
                    Box::new(view),
                    Box::new(pattern),
                    escape_char,
                    case_insensitive,
                ))),
                _ => Transformed::no(Expr::Like(Like { negated, expr, pattern, escape_char, case_insensitive })),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let operand = |expr: &Expr| view_in(expr, schema).or_else(|| literal(expr));
            match (operand(&left), operand(&right)) {
                (Some(left), Some(right)) => {
                    Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
                }
                _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::InList(InList { expr, list, negated }) => {
            let literals: Option<Vec<Expr>> = list.iter().map(literal).collect();
            match (view_in(&expr, schema), literals) {
                (Some(view), Some(list)) => {
                    Transformed::yes(Expr::InList(InList { expr: Box::new(view), list, negated }))
                }
                _ => Transformed::no(Expr::InList(InList { expr, list, negated })),
            }
        }
        Expr::IsNull(inner) => match view_in(&inner, schema) {
            Some(view) => Transformed::yes(view.is_null()),
            None => Transformed::no(Expr::IsNull(inner)),
        },
        Expr::IsNotNull(inner) => match view_in(&inner, schema) {
            Some(view) => Transformed::yes(view.is_not_null()),
            None => Transformed::no(Expr::IsNotNull(inner)),
        },
        other => Transformed::no(other),
    }
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// Returns the column of views that an expression casts to plain text.
fn view_in(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::Cast(Cast { expr: inner, field }) = expr else { return None };
    let is_view = matches!(**inner, Expr::Column(_))
        && *field.data_type() == DataType::Utf8
        && inner.get_type(schema).is_ok_and(|found| found == DataType::Utf8View);
    is_view.then(|| (**inner).clone())
}

/// Returns a literal of plain text as one of views.
fn literal(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text), metadata) => {
            Some(Expr::Literal(ScalarValue::Utf8View(text.clone()), metadata.clone()))
        }
        _ => None,
    }
}

/// Groups and counts views, and casts what comes out: a text for each group in place of one for each row.
fn grouped(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Projection(below) = &*aggregate.input else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    // The columns that may stay views, by their names above the projection.
    let mut views = Vec::new();
    let projected: Vec<Expr> = below
        .expr
        .iter()
        .map(|expr| {
            let (relation, name, inner) = match expr {
                Expr::Alias(Alias { expr, relation, name, .. }) => (relation.clone(), name.clone(), &**expr),
                other => {
                    let (relation, name) = other.qualified_name();
                    (relation, name, other)
                }
            };
            let column = Column::new(relation.clone(), name.clone());
            match view_in(inner, below.input.schema()) {
                Some(view) if is_free(&aggregate, &column) => {
                    views.push(column);
                    view.alias_qualified(relation, name)
                }
                _ => expr.clone(),
            }
        })
        .collect();
    if views.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let input = LogicalPlan::Projection(Projection::try_new(projected, Arc::clone(&below.input))?);
    let wanted = Arc::clone(&aggregate.schema);
    let changed = Aggregate::try_new(Arc::new(input), aggregate.group_expr, aggregate.aggr_expr)?;
    let given = Arc::clone(&changed.schema);
    let output = wanted
        .iter()
        .zip(given.iter())
        .map(|((relation, field), (_, found))| {
            let column = Expr::Column(Column::new(relation.cloned(), field.name()));
            if field.data_type() == found.data_type() {
                return column;
            }
            Expr::Cast(Cast::new(Box::new(column), field.data_type().clone()))
                .alias_qualified(relation.cloned(), field.name())
        })
        .collect();
    let above = Projection::try_new(output, Arc::new(LogicalPlan::Aggregate(changed)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(above)))
}

/// Tells whether an aggregation uses a column only as a key, and in `count`, `min` and `max`.
fn is_free(aggregate: &Aggregate, column: &Column) -> bool {
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(own) if own == column);
    let is_key = |expr: &Expr| is_column(expr) || !expr.column_refs().contains(column);
    let is_figure = |expr: &Expr| {
        let call = match expr {
            Expr::Alias(Alias { expr, .. }) => &**expr,
            other => other,
        };
        let Expr::AggregateFunction(AggregateFunction { func, params }) = call else { return false };
        if !call.column_refs().contains(column) {
            return true;
        }
        // Ours have names of their own; these are `DataFusion`'s.
        matches!(func.name(), "count" | "min" | "max")
            && params.args.len() == 1
            && params.args.iter().all(is_column)
            && params.order_by.is_empty()
            && params.filter.as_ref().is_none_or(|filter| !filter.column_refs().contains(column))
    };
    aggregate.group_expr.iter().all(is_key) && aggregate.aggr_expr.iter().all(is_figure)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use datafusion::arrow::array::{ArrayRef, StringArray, StringViewArray};
    use datafusion::arrow::record_batch::RecordBatch;
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;

    use super::*;
    use crate::sql::plan::{ResolvedRelation, ResolvedTable, Settings, TableResolver, context, plan};
    use crate::sql::{Session, Type};

    /// The table `t` with the columns `s` and `u`, as views or not.
    struct OneTable {
        views: bool,
    }

    #[async_trait]
    impl TableResolver for OneTable {
        async fn resolve(&self, _database: &str, _table: &str) -> crate::error::Result<Option<ResolvedRelation>> {
            let texts = vec![Some("blue lamp"), Some("a red chair, of some length"), None, Some("blue lamp"), Some("")];
            let column: ArrayRef =
                if self.views { Arc::new(StringViewArray::from(texts)) } else { Arc::new(StringArray::from(texts)) };
            let rows = [("s", Arc::clone(&column), true), ("u", column, true)];
            let rows = RecordBatch::try_from_iter_with_nullable(rows).unwrap();
            let provider = Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap());
            let columns = ["s", "u"].map(|name| (name.to_owned(), Type::Varchar(None))).to_vec();
            Ok(Some(ResolvedRelation::Table(ResolvedTable { columns, provider })))
        }
    }

    /// Returns the optimized plan and the rows.
    async fn run(sql: &str, views: bool) -> (String, String) {
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: Some("web".to_owned()) };
        let planned = plan(sql, &session, &OneTable { views }).await.unwrap();
        let context = context(&Settings { parallelism: Some(1), ..Settings::default() });
        let optimized = context.state().optimize(&planned.plan).unwrap();
        let batches = context.execute_logical_plan(planned.plan).await.unwrap().collect().await.unwrap();
        for column in batches.iter().flat_map(RecordBatch::columns) {
            assert_ne!(*column.data_type(), DataType::Utf8View, "{sql}");
        }
        (optimized.display_indent().to_string(), pretty_format_batches(&batches).unwrap().to_string())
    }

    #[tokio::test]
    async fn text_stays_views_where_nothing_of_ours_works_on_it() {
        for (sql, casts) in [
            ("SELECT count(*) FROM t WHERE s LIKE '%blue%' AND u IS NOT NULL", 0),
            ("SELECT count(*) FROM t WHERE s NOT LIKE 'a%' OR s IS NULL", 0),
            ("SELECT count(*) FROM t WHERE s IN ('blue lamp', 'x', 'y', 'z') AND u <> 'q' AND s = u", 0),
            ("SELECT count(s), count(DISTINCT u) FROM t", 0),
            // One for each group.
            ("SELECT s, count(*) FROM t GROUP BY s ORDER BY s", 1),
            ("SELECT s, min(u), max(u), count(u) FROM t GROUP BY s ORDER BY s", 3),
        ] {
            let (plan, rows) = run(sql, true).await;
            assert_eq!(plan.matches("CAST(").count(), casts, "{sql}\n{plan}");
            let below = plan.split("Aggregate:").nth(1).unwrap_or_default();
            assert!(!below.contains("CAST("), "{sql}\n{plan}");
            assert_eq!(rows, run(sql, false).await.1, "{sql}");
        }
    }

    #[tokio::test]
    async fn elsewhere_it_becomes_plain_text() {
        for sql in [
            "SELECT upper(s), s FROM t ORDER BY 2",
            "SELECT s || u FROM t WHERE length(s) > 3",
            "SELECT s, array_agg(u), max_by(s, u) FROM t GROUP BY s ORDER BY s",
            "SELECT upper(s), count(*) FROM t GROUP BY 1 ORDER BY 1",
            "SELECT s, count(*) FILTER (WHERE u > 'b'), min(s) FROM t GROUP BY ROLLUP (s) ORDER BY 1, 2",
            "SELECT a.s, count(*) FROM t a JOIN t b ON a.s = b.u GROUP BY a.s ORDER BY 1",
            "SELECT DISTINCT s FROM t ORDER BY s",
            "SELECT s, row_number() OVER (PARTITION BY u ORDER BY s) FROM t ORDER BY s, 2",
        ] {
            assert_eq!(run(sql, true).await.1, run(sql, false).await.1, "{sql}");
        }
    }
}
