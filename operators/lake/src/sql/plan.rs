//! From text to a plan: the public entry, the tables it asks for, and the session that runs plans.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::{SessionConfig, SessionContext};
use sqlparser::ast::Query;

use super::analyze::Analyzer;
use super::error::SqlError;
use super::function::Session;
use super::parse::parse_one;
use super::semicolon::without_semicolon;
use super::types::Type;
use super::views::KeepViews;
use super::wide::{WIDE, narrowed};
use crate::error::Result;
use crate::name::TableName;

/// Where the analyzer finds tables.
#[async_trait]
pub trait TableResolver: Send + Sync {
    /// Looks a table or view up by its lower-case names; nothing when there is none.
    async fn resolve(&self, database: &str, table: &str) -> Result<Option<ResolvedRelation>>;
}

/// What a name in FROM stands for.
#[derive(Debug, Clone)]
pub enum ResolvedRelation {
    /// A table.
    Table(ResolvedTable),
    /// A view: its query is planned in its place.
    View(ResolvedView),
}

/// A table as the analyzer needs it.
#[derive(Debug, Clone)]
pub struct ResolvedTable {
    /// The columns, partition keys last, in the provider's order. A name that starts with `$` is hidden from `*`.
    pub columns: Vec<(String, Type)>,
    /// The rows: its schema holds each column as [`Type::to_arrow`] says.
    pub provider: Arc<dyn TableProvider>,
}

/// A view as the analyzer needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedView {
    /// Its query.
    pub sql: String,
    /// The database of unqualified tables in it.
    pub database: Option<String>,
    /// The columns as they were when the view was made: a query that gives others now is refused.
    pub columns: Vec<(String, Type)>,
}

/// A relation that was looked up; the query of a view is parsed.
#[derive(Debug)]
pub(super) enum Found {
    Table(ResolvedTable),
    View(ResolvedView, Box<Query>),
}

impl Found {
    fn of(name: &TableName, relation: ResolvedRelation) -> std::result::Result<Self, SqlError> {
        match relation {
            ResolvedRelation::Table(table) => Ok(Self::Table(table)),
            ResolvedRelation::View(view) => match parse_one(&view.sql) {
                Ok(query) => Ok(Self::View(view, query)),
                Err(error) => {
                    let message = format!("Failed parsing stored view 'awsdatacatalog.{name}': {error}");
                    Err(SqlError { message, position: None, ..error })
                }
            },
        }
    }
}

/// A planned statement.
#[derive(Debug)]
pub struct Planned {
    /// The plan; its columns have names of the planner's own.
    pub plan: LogicalPlan,
    /// The names and types of the result's columns, in the plan's order; names may repeat.
    pub columns: Vec<(String, Type)>,
    /// For each column, whether the statement names it; one that it does not name is called `_colN` by its place.
    pub named: Vec<bool>,
    /// The tables that it reads, those of its views among them.
    pub tables: Vec<TableName>,
    /// The views that it reads, those within views among them.
    pub views: Vec<TableName>,
}

/// Plans one statement that reads.
///
/// # Errors
/// `InvalidSql` with Trino's name of the error and the place; `UnsupportedSql` naming what Trino answers and this engine
/// does not; what the resolver gives.
pub async fn plan(text: &str, session: &Session, resolver: &dyn TableResolver) -> Result<Planned> {
    let query = parse_one(text)?;
    let session = Arc::new(session.clone());
    let mut tables: HashMap<TableName, Option<Found>> = HashMap::new();
    loop {
        // The analyzer is not asynchronous: it stops at a table it has not seen, which is looked up before it starts again.
        let missing = {
            let analyzer = Analyzer::new(Arc::clone(&session), &tables);
            match analyzer.statement(&query) {
                Ok(relation) => {
                    let relation = match analyzer.widest.get() {
                        0..=WIDE => relation,
                        _ => narrowed(&query, &session, &tables, &relation).unwrap_or(relation),
                    };
                    if analyzer.correlated.get() {
                        check_decorrelated(&relation.plan)?;
                    }
                    let columns = relation
                        .columns
                        .iter()
                        .enumerate()
                        .map(|(index, column)| {
                            (column.name.clone().unwrap_or_else(|| format!("_col{index}")), column.data_type.clone())
                        })
                        .collect();
                    let named = relation.columns.iter().map(|column| column.name.is_some()).collect();
                    let (tables, views) = (analyzer.tables_read(), analyzer.views_read());
                    return Ok(Planned { plan: relation.plan, columns, named, tables, views });
                }
                Err(error) => match analyzer.take_missing() {
                    Some(missing) => missing,
                    None => return Err(error.into()),
                },
            }
        };
        let found = resolver.resolve(&missing.database, &missing.table).await?;
        let found = found.map(|relation| Found::of(&missing, relation)).transpose()?;
        tables.insert(missing, found);
    }
}

/// Looks at a statement as far as that goes without tables: its syntax, and its meaning up to the first table that it reads.
///
/// As everywhere where a statement is taken from a user, one `;` may end it.
///
/// # Errors
/// As [`plan`]: what is refused here is refused there, too.
pub fn examine(text: &str) -> std::result::Result<(), SqlError> {
    let query = parse_one(without_semicolon(text))?;
    // A table without a database is one of the session's, whatever that will be.
    let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: Some("default".to_owned()) };
    let tables = HashMap::new();
    let analyzer = Analyzer::new(Arc::new(session), &tables);
    match analyzer.statement(&query) {
        Err(error) if analyzer.take_missing().is_none() => Err(error),
        _ => Ok(()),
    }
}

/// How many steps a plan may have. Queries of WITH are planned anew wherever they are read, so that a few of them which read each
/// other twice are a plan that nothing can work on; written out by hand, nobody comes near it.
const STEPS: u64 = 20_000;

/// Refuses a plan of more than [`STEPS`] steps. It is asked of each query of a statement: what is built on a plan looks through
/// all of it again.
pub(super) fn refuse_too_large(plan: &LogicalPlan) -> std::result::Result<(), SqlError> {
    let steps = steps(plan, &mut HashMap::new());
    if steps <= STEPS {
        return Ok(());
    }
    Err(SqlError::unsupported(format!(
        "a statement of more than {STEPS} steps once each query of WITH and each view stands wherever it is read"
    )))
}

/// Counts the steps of a plan. What is read in several places is one plan in memory, and is gone through once.
fn steps(plan: &LogicalPlan, known: &mut HashMap<usize, u64>) -> u64 {
    let place = std::ptr::from_ref(plan).addr();
    if let Some(steps) = known.get(&place) {
        return *steps;
    }
    let mut count = stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || {
        plan.inputs().into_iter().fold(1_u64, |count, input| count.saturating_add(steps(input, known)))
    });
    // The plan of a subquery is handed over in a place that is used again for the next one, what it holds is not.
    let counted = plan.apply_subqueries(|subquery| {
        for input in subquery.inputs() {
            count = count.saturating_add(stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || steps(input, known)));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // The closure does not fail.
    drop(counted);
    known.insert(place, count);
    count
}

/// Refuses a correlated subquery that `DataFusion` cannot turn into a join.
fn check_decorrelated(plan: &LogicalPlan) -> std::result::Result<(), SqlError> {
    let context = context(&Settings::default());
    let optimized = context.state().optimize(plan)?;
    let mut left = false;
    optimized.apply_with_subqueries(|node| {
        let outer = node.contains_outer_reference();
        let subquery = !node.expressions().iter().all(|expr| {
            !expr
                .exists(|expr| Ok(matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_))))
                .unwrap_or(true)
        });
        left |= outer || subquery;
        Ok(if left { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if left { Err(SqlError::unsupported("this form of correlated subquery")) } else { Ok(()) }
}

/// What a session runs plans with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The memory that operators may hold before they spill, and where they spill to.
    pub runtime: Arc<RuntimeEnv>,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// Partitions that run at once; nothing takes the number of cores.
    pub parallelism: Option<usize>,
}

impl Default for Settings {
    /// `DataFusion`'s: memory without a limit, batches of 8,192 rows, as many partitions as cores.
    fn default() -> Self {
        Self { runtime: Arc::default(), batch_rows: 8192, parallelism: None }
    }
}

/// `DataFusion`'s rules, and ours before the one that would take a cast which is there twice for a column of its own.
fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let at = rules.iter().position(|rule| rule.name() == "common_sub_expression_eliminate").unwrap_or(rules.len());
    rules.insert(at, Arc::new(KeepViews));
    rules
}

/// Makes a session for plans of [`plan`]: no functions by name, no rule that guesses types, nulls last, a memory limit.
#[must_use]
pub fn context(settings: &Settings) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_batch_size(settings.batch_rows)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    if let Some(parallelism) = settings.parallelism {
        config = config.with_target_partitions(parallelism);
    }
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.schema_force_view_types = false;
    options.optimizer.prefer_hash_join = true;
    if let MemoryLimit::Finite(bytes) = settings.runtime.memory_pool.memory_limit() {
        // What a sort keeps for merging what it spilled is a part of the limit, and `DataFusion`'s 10 MB at most.
        let for_merges = &mut options.execution.sort_spill_reservation_bytes;
        *for_merges = (*for_merges).min(bytes / 8);
    }
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(&settings.runtime))
        .with_default_features()
        .with_scalar_functions(Vec::new())
        .with_aggregate_functions(Vec::new())
        .with_window_functions(Vec::new())
        .with_expr_planners(Vec::new())
        .with_analyzer_rules(Vec::new())
        .with_optimizer_rules(optimizer_rules())
        .build();
    SessionContext::new_with_state(state)
}
