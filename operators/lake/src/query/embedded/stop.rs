//! A query can be stopped whatever its plan does: operators give control back between batches, those that make rows ask for every
//! batch whether anybody still wants it (`watched.rs`), joins that look at many pairs
//! of rows before they have a batch ask meanwhile, and UNNEST takes a few rows at a time.

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinType, Result as DfResult};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{SchedulingType, replace_children_if_necessary};
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::unnest::UnnestExec;

use super::memory::Budget;
use super::pieces::PiecesExec;
use super::sorted_joins::SortJoins;
use super::watched::WatchedExec;
use crate::error::{Error, ErrorKind};
use crate::query::table::external;

/// Tells a query's threads that nobody wants its rows any more. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub(super) fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails when it was asked to stop.
    pub(super) fn check(&self) -> DfResult<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(external(Error::new(ErrorKind::Canceled, "run a query", "the query was stopped")));
        }
        Ok(())
    }
}

/// Returns the rules of a query's physical plan: `DataFusion`'s own, those of its budget, and the one that makes it stoppable.
pub(super) fn rules(budget: Budget, stop: &Stop) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    if budget == Budget::Scarce {
        let place = rules.iter().position(|rule| rule.name() == "join_selection").unwrap_or(0);
        rules.insert(place, Arc::new(SortJoins));
    }
    // Those behind it tie filters to the nodes of the plan, which must not change afterwards.
    let place = rules.iter().position(|rule| rule.name() == "EnsureCooperative").unwrap_or(rules.len());
    rules.insert(place, Arc::new(EnsureStoppable { stop: stop.clone() }));
    rules
}

/// Makes every node of a plan give control back, and every join ask whether to go on.
///
/// `EnsureCooperative` does so for the leaves only: a join makes any number of batches of one, and a filter above it that lets
/// nothing through asks for the next one without end.
#[derive(Debug)]
struct EnsureStoppable {
    stop: Stop,
}

impl PhysicalOptimizerRule for EnsureStoppable {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let watched = self.watched(&node)?;
            let mut is_changed = watched.is_some();
            let mut node = watched.unwrap_or(node);
            if makes_rows(&node) {
                is_changed = true;
                node = Arc::new(WatchedExec::new(node, self.stop.clone()));
            }
            if node.properties().scheduling_type == SchedulingType::Cooperative {
                return Ok(Transformed::new_transformed(node, is_changed));
            }
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "EnsureStoppable"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl EnsureStoppable {
    /// Makes a join ask whether to go on wherever it tests pairs of rows, and UNNEST take few rows; nothing for others.
    fn watched(&self, node: &Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            let Some(filter) = self.filter(join.filter(), *join.join_type()) else { return Ok(None) };
            return HashJoinExecBuilder::from(join).with_filter(Some(filter)).build_exec().map(Some);
        }
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let Some(filter) = self.filter(join.filter(), *join.join_type()) else { return Ok(None) };
            let join = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?;
            return Ok(Some(Arc::new(join)));
        }
        if node.is::<UnnestExec>()
            && let [input] = node.children().as_slice()
            && let Some(input) = in_pieces(input)?
        {
            return replace_children_if_necessary(Arc::clone(node), vec![input]).map(Some);
        }
        Ok(None)
    }

    fn filter(&self, filter: Option<&JoinFilter>, join_type: JoinType) -> Option<JoinFilter> {
        let watched = |condition: &Arc<dyn PhysicalExpr>| -> Arc<dyn PhysicalExpr> {
            Arc::new(WhileWanted { condition: Arc::clone(condition), stop: self.stop.clone() })
        };
        match filter {
            Some(filter) => Some(JoinFilter::new(
                watched(filter.expression()),
                filter.column_indices().to_vec(),
                Arc::clone(filter.schema()),
            )),
            // Pairs that match become rows: control is given back with every batch of them.
            None if matches!(join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) => None,
            None => Some(JoinFilter::new(watched(&lit(true)), Vec::new(), Arc::new(Schema::empty()))),
        }
    }
}

/// Tells whether an operator makes rows, be it of nothing or many of one: all others come to their end with those they are given.
fn makes_rows(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.children().is_empty()
        || node.is::<UnnestExec>()
        || node.is::<HashJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<CrossJoinExec>()
        || node.is::<SortMergeJoinExec>()
}

/// Makes the arrays that UNNEST takes from a few rows at a time; nothing for an input that does not make them.
fn in_pieces(input: &Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    let made = input.downcast_ref::<CooperativeExec>().map_or(input, CooperativeExec::input);
    let Some(projection) = made.downcast_ref::<ProjectionExec>() else { return Ok(None) };
    let pieces: Arc<dyn ExecutionPlan> = Arc::new(PiecesExec::new(Arc::clone(projection.input())));
    let made = replace_children_if_necessary(Arc::clone(made), vec![pieces])?;
    Ok(Some(Arc::new(CooperativeExec::new(made))))
}

/// A condition that fails as soon as nobody wants the query's rows any more.
#[derive(Debug)]
struct WhileWanted {
    condition: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl PhysicalExpr for WhileWanted {
    fn data_type(&self, schema: &Schema) -> DfResult<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> DfResult<bool> {
        self.condition.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DfResult<ColumnarValue> {
        self.stop.check()?;
        self.condition.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> DfResult<FieldRef> {
        self.condition.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> DfResult<Arc<dyn PhysicalExpr>> {
        let condition = children.pop().unwrap_or_else(|| Arc::clone(&self.condition));
        Ok(Arc::new(Self { condition, stop: self.stop.clone() }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

impl Display for WhileWanted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.condition, f)
    }
}

impl PartialEq for WhileWanted {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition) && Arc::ptr_eq(&self.stop.0, &other.stop.0)
    }
}

impl Eq for WhileWanted {}

impl Hash for WhileWanted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}
