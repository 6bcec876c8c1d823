//! Tables of very many columns: what a statement does not use of them is left out of its plan from the beginning.
//!
//! `DataFusion` looks a column up by going through all of a schema, for each column and in each of its rules, so a table of 20,000 columns
//! would take minutes. What is used is known when a statement was planned once; it is then planned again, reading only that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use sqlparser::ast::Query;

use super::analyze::Analyzer;
use super::function::Session;
use super::plan::Found;
use super::scope::Relation;
use crate::name::TableName;

/// From more columns of a table on a statement is planned twice; below, that takes longer than what it saves.
pub(super) const WIDE: usize = 500;

/// Plans a statement once more, reading only what its first plan uses. The columns of both have the same names. None when it cannot be
/// planned so: the first plan is right.
pub(super) fn narrowed(
    query: &Query,
    session: &Arc<Session>,
    tables: &HashMap<TableName, Option<Found>>,
    first: &Relation,
) -> Option<Relation> {
    let used = used_names(&first.plan)?;
    let analyzer = Analyzer::new(Arc::clone(session), tables).reading_only(&used);
    analyzer.statement(query).ok()
}

/// Collects the names of all columns that a plan uses or gives; a table's own names are qualified, and are not among them.
fn used_names(plan: &LogicalPlan) -> Option<HashSet<String>> {
    let mut names: HashSet<String> = plan.schema().columns().into_iter().map(|column| column.name).collect();
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Column(column) | Expr::OuterReferenceColumn(_, column) = expr
                    && column.relation.is_none()
                {
                    names.insert(column.name.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.ok().map(|_| names)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use datafusion::arrow::array::{ArrayRef, Int64Array};
    use datafusion::arrow::record_batch::RecordBatch;
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::datasource::MemTable;

    use super::*;
    use crate::sql::Type;
    use crate::sql::plan::{ResolvedRelation, ResolvedTable, Settings, TableResolver, context, plan};

    /// A table with the columns `c0`, `c1` and so on, called as columns in plans are, and two rows: `cN` is N, and N + 1000.
    struct Columns(usize);

    #[async_trait]
    impl TableResolver for Columns {
        async fn resolve(&self, _database: &str, _table: &str) -> crate::error::Result<Option<ResolvedRelation>> {
            let column = |index: usize| {
                let value = i64::try_from(index).unwrap();
                (format!("c{index}"), Arc::new(Int64Array::from(vec![value, value + 1_000])) as ArrayRef)
            };
            let rows = RecordBatch::try_from_iter((0..self.0).map(column)).unwrap();
            let provider = Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap());
            let columns = (0..self.0).map(|index| (format!("c{index}"), Type::Bigint)).collect();
            Ok(Some(ResolvedRelation::Table(ResolvedTable { columns, provider })))
        }
    }

    /// Returns the most columns of a step of the plan besides the table itself, and the rows.
    async fn run(sql: &str, columns: usize) -> (usize, String) {
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: Some("d".to_owned()) };
        let planned = plan(sql, &session, &Columns(columns)).await.unwrap();
        let mut widest = 0;
        let walked = planned.plan.apply_with_subqueries(|node| {
            if !matches!(node, LogicalPlan::TableScan(_)) {
                widest = widest.max(node.schema().fields().len());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.unwrap();
        let context = context(&Settings { parallelism: Some(1), ..Settings::default() });
        let batches = context.execute_logical_plan(planned.plan).await.unwrap().collect().await.unwrap();
        let rows = pretty_format_batches(&batches).unwrap().to_string();
        // The names of the plan's columns differ, and with them the widths.
        let rows = rows.lines().skip(3).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        (widest, rows.filter(|line| !line.starts_with('+')).collect::<Vec<_>>().join("\n"))
    }

    #[tokio::test]
    async fn what_a_statement_does_not_use_of_a_wide_table_is_not_in_its_plan() {
        for (sql, most) in [
            ("SELECT c30 FROM t ORDER BY c29", 2),
            ("SELECT count(*) FROM t", 1),
            ("SELECT 1 FROM t", 1),
            ("SELECT c7 % 2, sum(c8) FILTER (WHERE c9 > 10) FROM t WHERE c10 < 5000 GROUP BY 1", 5),
            ("SELECT a.c5, b.c6 FROM t a JOIN t b ON a.c5 = b.c5 - 1000 WHERE b.c30 > 0", 5),
            ("SELECT c1 FROM t a WHERE EXISTS (SELECT 1 FROM t b WHERE b.c2 = a.c2 AND b.c3 > 1000)", 3),
            ("SELECT (SELECT max(c4) FROM t) - c4 FROM t WHERE c5 IN (SELECT c5 FROM t) ORDER BY 1", 5),
            ("WITH w AS (SELECT c1, c2 FROM t) SELECT w.c2, row_number() OVER (ORDER BY w.c1) FROM w", 3),
            ("SELECT try(c1 / (c1 - c1)), c2 FROM t ORDER BY 2", 2),
            ("SELECT c3 FROM t UNION ALL SELECT c4 FROM t ORDER BY 1", 1),
            ("SELECT c1 FROM (SELECT DISTINCT c1, c2 FROM t) ORDER BY 1", 2),
        ] {
            let (narrow, few) = run(sql, 31).await;
            let (wide, many) = run(sql, WIDE + 1).await;
            assert_eq!(few, many, "{sql}");
            assert!(narrow >= 31, "{sql}: a table that is not wide is read whole: {narrow}");
            assert!(wide <= most, "{sql}: {wide}");
        }
        assert_eq!(run("SELECT * FROM t", WIDE + 1).await.0, WIDE + 1);
    }
}
