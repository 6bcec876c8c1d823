//! Joins that need no memory for a whole side: rows sorted by their keys and merged, with sorts that spill.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};

/// Turns hash joins into joins of sorted rows. It goes before the rules that see to the order and the place of rows.
#[derive(Debug)]
pub(super) struct SortJoins;

impl PhysicalOptimizerRule for SortJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<HashJoinExec>() {
            Some(join) if is_sortable(join) && !join.contains_projection() => {
                Ok(Transformed::yes(Arc::new(SortMergeJoinExec::try_new(
                    Arc::clone(join.left()),
                    Arc::clone(join.right()),
                    join.on().to_vec(),
                    join.filter().cloned(),
                    *join.join_type(),
                    vec![SortOptions::default(); join.on().len()],
                    join.null_equality(),
                )?) as Arc<dyn ExecutionPlan>))
            }
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
/// types are those that `DataFusion` compares while it merges.
fn is_sortable(join: &HashJoinExec) -> bool {
    let schema = join.left().schema();
    !join.null_aware
        && join.on().iter().all(|(left, _)| left.data_type(&schema).is_ok_and(|data_type| is_comparable(&data_type)))
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
