//! Joins that need no memory for a whole side: rows sorted by their keys and merged, with sorts that spill.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinSide, JoinType, Result as DfResult, internal_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};

/// Turns hash joins into joins of sorted rows. It goes before the rules that see to the order and the place of rows.
#[derive(Debug)]
pub(super) struct SortJoins;

impl PhysicalOptimizerRule for SortJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<HashJoinExec>() {
            Some(join) if is_sortable(join) => sorted(join).map(Transformed::yes),
            _ => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "SortJoins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// `NOT IN` knows nulls by its hash table alone. Doubles are left out because a sort has -0 before 0, which are equal; the other
/// types are those that `DataFusion` compares while it merges. A further condition of pairs belongs to inner joins alone: see
/// [`sorted`].
fn is_sortable(join: &HashJoinExec) -> bool {
    let schema = join.left().schema();
    !join.null_aware
        && !join.contains_projection()
        && (join.filter().is_none() || *join.join_type() == JoinType::Inner)
        && join.on().iter().all(|(left, _)| left.data_type(&schema).is_ok_and(|data_type| is_comparable(&data_type)))
}

/// Returns a join of sorted rows for a hash join. What else pairs must meet is a filter of its own above it: when `DataFusion` 55.2.0
/// moves a projection below a sorted join, the condition in it goes on with the columns that were there before.
fn sorted(join: &HashJoinExec) -> DfResult<Arc<dyn ExecutionPlan>> {
    let joined: Arc<dyn ExecutionPlan> = Arc::new(SortMergeJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        join.on().to_vec(),
        None,
        *join.join_type(),
        vec![SortOptions::default(); join.on().len()],
        join.null_equality(),
    )?);
    let Some(filter) = join.filter() else { return Ok(joined) };
    let of_left = join.left().schema().fields().len();
    let condition = Arc::clone(filter.expression()).transform_up(|expr| {
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let Some(place) = filter.column_indices().get(column.index()) else {
            return internal_err!("a condition of a join has no column {}", column.index());
        };
        let index = match place.side {
            JoinSide::Left => place.index,
            JoinSide::Right => of_left + place.index,
            JoinSide::None => return internal_err!("a condition of an inner join has a mark"),
        };
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), index)) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(Arc::new(FilterExec::try_new(condition.data, joined)?))
}

fn is_comparable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Boolean
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::Decimal128(..)
                | DataType::Timestamp(_, None)
                | DataType::Date32
        )
}
