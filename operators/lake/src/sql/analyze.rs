//! The analyzer: what all its parts share.
//!
//! Every expression gets a type of [`Type`] by Trino's rules and becomes an expression of `DataFusion` over columns whose
//! names are unique in the statement. Conversions are written out, so that no rule of `DataFusion` has to guess any.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue, ToDFSchema};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, cast as native_cast, lit};
use datafusion::physical_expr::create_physical_expr;

use super::cast;
use super::coerce;
use super::error::{SqlError, SqlResult};
use super::function::{Nulls, Session};
use super::plan::Found;
use super::resolve::Resolved;
use super::scope::{Relation, ScopeColumn, Typed};
use super::types::Type;
use super::udf::{KernelUdf, TryMarker, TryUdf};
use crate::name::TableName;

/// How deep expressions may be nested after parsing: chains of operators nest without parentheses.
const DEPTH_LIMIT: u32 = 2_000;

/// What is the same for a whole statement.
#[derive(Debug)]
pub(super) struct Analyzer<'a> {
    pub(super) session: Arc<Session>,
    tables: &'a HashMap<TableName, Option<Found>>,
    /// The database of unqualified tables: the session's, or that of the view that is planned.
    pub(super) database: RefCell<Option<String>>,
    /// The views that are being planned, from the outside in.
    pub(super) views: RefCell<Vec<TableName>>,
    missing: RefCell<Option<TableName>>,
    read: RefCell<BTreeSet<TableName>>,
    views_read: RefCell<BTreeSet<TableName>>,
    next_id: Cell<u32>,
    depth: Cell<u32>,
    /// Whether a subquery refers to a column around it: the plan must then be checked for what was not decorrelated.
    pub(super) correlated: Cell<bool>,
    /// The names in the plan of the columns that are read from tables; nothing for all.
    only: Option<&'a HashSet<String>>,
    /// The most columns that a table has which is read.
    pub(super) widest: Cell<usize>,
}

impl<'a> Analyzer<'a> {
    pub(super) fn new(session: Arc<Session>, tables: &'a HashMap<TableName, Option<Found>>) -> Self {
        Self {
            database: RefCell::new(session.database.clone()),
            session,
            tables,
            views: RefCell::default(),
            missing: RefCell::new(None),
            read: RefCell::new(BTreeSet::new()),
            views_read: RefCell::new(BTreeSet::new()),
            next_id: Cell::new(0),
            depth: Cell::new(0),
            correlated: Cell::new(false),
            only: None,
            widest: Cell::new(0),
        }
    }

    /// Leaves columns of tables out of the plan that are not among these, by their names in it.
    pub(super) fn reading_only(self, names: &'a HashSet<String>) -> Self {
        Self { only: Some(names), ..self }
    }

    /// Tells whether a column of a table is read.
    pub(super) fn reads(&self, id: &str) -> bool {
        self.only.is_none_or(|only| only.contains(id))
    }

    /// Returns a column's name that nothing else in the statement has.
    pub(super) fn fresh(&self) -> String {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        format!("c{id}")
    }

    /// Runs `work` one level deeper.
    pub(super) fn nested<T>(&self, work: impl FnOnce() -> SqlResult<T>) -> SqlResult<T> {
        let depth = self.depth.get() + 1;
        if depth > DEPTH_LIMIT {
            return Err(SqlError::trino(
                "STACK_OVERFLOW",
                format!("the statement is nested deeper than {DEPTH_LIMIT} levels"),
            ));
        }
        self.depth.set(depth);
        let result = stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, work);
        self.depth.set(depth - 1);
        result
    }

    /// Looks a table up. One that was not asked for yet is noted, and the analysis starts again with it.
    pub(super) fn table(&self, name: &TableName) -> SqlResult<Option<&'a Found>> {
        let Some(found) = self.tables.get(name) else {
            *self.missing.borrow_mut() = Some(name.clone());
            return Err(SqlError::unsupported(format!("the table {name} was not looked up")));
        };
        let read = match found {
            Some(Found::Table(_)) => &self.read,
            Some(Found::View(..)) => &self.views_read,
            None => return Ok(None),
        };
        read.borrow_mut().insert(name.clone());
        Ok(found.as_ref())
    }

    /// Returns the table that the analysis stopped at, if that is why it stopped.
    pub(super) fn take_missing(&self) -> Option<TableName> {
        self.missing.borrow_mut().take()
    }

    /// Returns the tables that the statement reads.
    pub(super) fn tables_read(&self) -> Vec<TableName> {
        self.read.borrow().iter().cloned().collect()
    }

    /// Returns the views that the statement reads.
    pub(super) fn views_read(&self) -> Vec<TableName> {
        self.views_read.borrow().iter().cloned().collect()
    }

    // --- calls and conversions ---------------------------------------------------------------------------------------

    /// Calls a chosen form with arguments that are brought to its types.
    pub(super) fn call(&self, resolved: Resolved, arguments: Vec<Typed>) -> SqlResult<Typed> {
        let Resolved { name, kernel, nulls, arguments: types, returns } = resolved;
        let arguments = arguments
            .into_iter()
            .zip(&types)
            .map(|(argument, to)| self.coerce(argument, to))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(KernelUdf::call(name, kernel, nulls, arguments, returns, &self.session))
    }

    /// Converts a value implicitly: the caller knows that the types allow it.
    pub(super) fn coerce(&self, value: Typed, to: &Type) -> SqlResult<Typed> {
        if &value.data_type == to {
            return Ok(value);
        }
        if !coerce::can_coerce(&value.data_type, to) {
            return Err(SqlError::type_mismatch(format!("Cannot coerce {} to {to}", value.data_type)));
        }
        self.cast(value, to, false)
    }

    /// Converts a value as `CAST` (or `TRY_CAST`) does.
    pub(super) fn cast(&self, value: Typed, to: &Type, safe: bool) -> SqlResult<Typed> {
        let Typed { expr, data_type: from } = value;
        if &from == to {
            return Ok(Typed::new(expr, from));
        }
        if from == Type::Unknown {
            return null(to);
        }
        if keeps_values(&from, to) {
            return Ok(Typed::new(expr, to.clone()));
        }
        if widens(&from, to) {
            return Ok(Typed::new(native_cast(expr, to.to_arrow()), to.clone()));
        }
        let kernel = if safe { cast::try_kernel(&from, to)? } else { cast::kernel(&from, to)? };
        let Some(kernel) = kernel else {
            return Err(SqlError::type_mismatch(format!("Cannot cast {from} to {to}")));
        };
        let name = if safe { "try_cast" } else { "cast" };
        Ok(KernelUdf::call(name, kernel, Nulls::ReturnNull, vec![Typed::new(expr, from)], to.clone(), &self.session))
    }

    // --- plans -------------------------------------------------------------------------------------------------------

    /// Computes columns: every expression under a new name, unless it is a column that is not there yet.
    pub(super) fn project(&self, input: LogicalPlan, expressions: &[Typed]) -> SqlResult<(LogicalPlan, Vec<String>)> {
        let mut ids: Vec<String> = Vec::with_capacity(expressions.len());
        let mut projected = Vec::with_capacity(expressions.len());
        let mut there: HashSet<&str> = HashSet::with_capacity(expressions.len());
        for expression in expressions {
            match &expression.expr {
                // What is made here has names of its own.
                Expr::Column(column) if there.insert(&column.name) => {
                    ids.push(column.name.clone());
                    projected.push(expression.expr.clone());
                }
                expr => {
                    let id = self.fresh();
                    projected.push(self.lowered(expr.clone(), input.schema())?.alias(&id));
                    ids.push(id);
                }
            }
        }
        Ok((LogicalPlanBuilder::from(input).project(projected)?.build()?, ids))
    }

    /// Keeps the rows for which the condition is true.
    pub(super) fn filter(&self, input: LogicalPlan, condition: Expr) -> SqlResult<LogicalPlan> {
        let condition = self.lowered(condition, input.schema())?;
        Ok(LogicalPlanBuilder::from(input).filter(condition)?.build()?)
    }

    /// Gives all columns new names: a query of WITH may be read twice in one FROM.
    pub(super) fn renamed(&self, relation: &Relation) -> SqlResult<Relation> {
        let mut columns: Vec<ScopeColumn> = relation.columns.clone();
        let mut projected = Vec::with_capacity(columns.len());
        for column in &mut columns {
            let id = self.fresh();
            projected.push(column.expr().alias(&id));
            column.id = id;
        }
        let plan = LogicalPlanBuilder::from(relation.plan.clone()).project(projected)?.build()?;
        Ok(Relation { plan, columns })
    }

    /// Replaces what only the analyzer understands (TRY) by what runs.
    #[expect(clippy::unused_self, reason = "it belongs to the plan helpers")]
    pub(super) fn lowered(&self, expr: Expr, schema: &DFSchema) -> SqlResult<Expr> {
        let lowered = expr.transform_up(|expr| {
            let Expr::ScalarFunction(function) = &expr else { return Ok(Transformed::no(expr)) };
            let inner: &dyn Any = function.func.inner().as_ref();
            let (Some(marker), [argument]) = (inner.downcast_ref::<TryMarker>(), function.args.as_slice()) else {
                return Ok(Transformed::no(expr));
            };
            Ok(Transformed::yes(lower_try(argument, &marker.returns, schema)?))
        })?;
        Ok(lowered.data)
    }
}

/// Makes a function of the columns that the argument of TRY uses.
fn lower_try(argument: &Expr, returns: &Type, schema: &DFSchema) -> datafusion::common::Result<Expr> {
    let mut columns: Vec<Column> = Vec::new();
    argument.apply(|expr| {
        if let Expr::Column(column) = expr
            && !columns.contains(column)
        {
            columns.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let fields = columns
        .iter()
        .map(|column| Ok(schema.field_from_column(column)?.as_ref().clone().with_nullable(true)))
        .collect::<datafusion::common::Result<Vec<Field>>>()?;
    let schema = Arc::new(Schema::new(fields));
    let inner = physical(argument, &schema)?;
    let function = TryUdf::new(argument.to_string(), inner, schema, returns.clone());
    Ok(ScalarUDF::new_from_impl(function).call(columns.into_iter().map(Expr::Column).collect()))
}

/// A NULL of a type.
pub(super) fn null(data_type: &Type) -> SqlResult<Typed> {
    let value = ScalarValue::try_from(&data_type.to_arrow())?;
    Ok(Typed::new(lit(value), data_type.clone()))
}

/// Tells whether the same Arrow values stand for the value in both types: only a bound on text becomes wider.
fn keeps_values(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Varchar(_), Type::Varchar(None)) => true,
        (Type::Varchar(Some(from)), Type::Varchar(Some(to))) | (Type::Char(from), Type::Char(to)) => from <= to,
        (Type::Timestamp(from), Type::Timestamp(to)) => from <= to && (*from > 6) == (*to > 6),
        (Type::Time(from), Type::Time(to)) | (Type::TimestampTz(from), Type::TimestampTz(to)) => from <= to,
        (Type::Array(from), Type::Array(to)) => from == to || keeps_values(from, to),
        _ => false,
    }
}

/// Tells whether `DataFusion`'s own cast gives the same value and cannot fail; its optimizer sees through it.
fn widens(from: &Type, to: &Type) -> bool {
    let bits = |data_type: &Type| match data_type {
        Type::Tinyint => Some((8, 3)),
        Type::Smallint => Some((16, 5)),
        Type::Integer => Some((32, 10)),
        Type::Bigint => Some((64, 19)),
        _ => None,
    };
    match (from, to) {
        (Type::Decimal(precision, scale), Type::Decimal(to_precision, to_scale)) => {
            scale <= to_scale && precision - scale <= to_precision - to_scale
        }
        (Type::Real, Type::Double) | (Type::Date, Type::Timestamp(0..=6)) => true,
        (from, to) => match (bits(from), bits(to), to) {
            (Some((from, _)), Some((to, _)), _) => from < to,
            (Some((_, digits)), None, Type::Decimal(precision, scale)) => digits <= precision - scale,
            (Some(_), None, Type::Double) => true,
            (Some((bits, _)), None, Type::Real) => bits <= 16,
            _ => false,
        },
    }
}

/// Makes a physical expression over columns of these types.
pub(super) fn physical(
    expr: &Expr,
    schema: &Arc<Schema>,
) -> datafusion::common::Result<Arc<dyn datafusion::physical_expr::PhysicalExpr>> {
    let df_schema = Arc::clone(schema).to_dfschema()?;
    create_physical_expr(expr, &df_schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

impl Analyzer<'_> {
    /// Computes an expression that uses no column, while planning.
    #[expect(clippy::unused_self, reason = "it belongs to the helpers for expressions")]
    pub(super) fn constant(&self, expr: &Expr) -> SqlResult<Option<ScalarValue>> {
        if let Expr::Literal(value, _) = expr {
            return Ok(Some(value.clone()));
        }
        let schema = Arc::new(Schema::empty());
        if !expr.column_refs().is_empty() || expr.is_volatile() || expr.contains_outer() {
            return Ok(None);
        }
        let physical = physical(expr, &schema)?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let batch = RecordBatch::try_new_with_options(schema, Vec::new(), &options)
            .map_err(|error| SqlError::unsupported(error.to_string()))?;
        let value = physical.evaluate(&batch)?.into_array(1)?;
        Ok(Some(ScalarValue::try_from_array(&value, 0)?))
    }
}
