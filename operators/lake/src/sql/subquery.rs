//! Subqueries in expressions: joined to the plan they stand in, so that NULL and the number of rows mean what Trino means.
//!
//! A subquery without outer columns becomes one row that is cross joined, or a set that is joined by equality. A correlated
//! one is left to `DataFusion`, which turns it into a join or, where it cannot, is refused (`plan.rs`).

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::Int64Type;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Spans};
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{AggregateUDF, Case, Expr, LogicalPlan, LogicalPlanBuilder, Subquery, lit};
use sqlparser::ast::{BinaryOperator, Expr as Sql, Query};

use super::aggregate::single::SingleValue;
use super::analyze::{Analyzer, null};
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Context, compares_natively, negated, own_call};
use super::function::{Argument, Call, EvalError};
use super::scope::{Relation, ScopeColumn, Typed, column};
use super::types::Type;

/// A subquery that is to be put on the plan before the expression that uses its columns.
#[derive(Debug, Clone)]
pub(super) enum Attachment {
    /// Exactly one row.
    Row(LogicalPlan),
    /// Whether values are in a set, each equal to its element: the column `id` is not NULL where they are.
    Member { id: String, keys: Vec<(Expr, String)>, set: LogicalPlan },
    /// A correlated scalar subquery, computed as the column `id`.
    Correlated { id: String, expr: Expr },
}

impl Attachment {
    /// Tells whether a column is one of its own.
    fn gives(&self, name: &str) -> bool {
        match self {
            Self::Row(plan) => plan.schema().columns().iter().any(|column| column.name == name),
            Self::Member { id, .. } | Self::Correlated { id, .. } => id == name,
        }
    }

    /// Gives its expressions over the plan to `change`.
    pub(super) fn map(self, change: &mut dyn FnMut(Expr) -> SqlResult<Expr>) -> SqlResult<Self> {
        Ok(match self {
            Self::Row(plan) => Self::Row(plan),
            Self::Member { id, keys, set } => {
                let keys = keys.into_iter().map(|(value, element)| Ok((change(value)?, element)));
                Self::Member { id, keys: keys.collect::<SqlResult<_>>()?, set }
            }
            Self::Correlated { id, expr } => Self::Correlated { id, expr },
        })
    }
}

/// A subquery's relation and the outer columns it uses.
struct Inner {
    relation: Relation,
    outer: Vec<Expr>,
}

impl Context<'_> {
    fn inner(&self, query: &Query) -> SqlResult<Inner> {
        let (relation, outer) = self.analyzer.subquery(query, self.ctes, self.scope)?;
        if !outer.is_empty() {
            self.analyzer.correlated.set(true);
        }
        Ok(Inner { relation, outer })
    }

    pub(super) fn attach(&self, attachment: Attachment) {
        let mut collected = self.collected.borrow_mut();
        match self.clause {
            Clause::Where | Clause::GroupBy | Clause::AggregateArgument => collected.before.push(attachment),
            _ => collected.after.push(attachment),
        }
    }

    /// Joins the subqueries of an expression before the rows are grouped: they are grouped by it.
    pub(super) fn attach_before_grouping(&self, expr: &Expr) {
        let used = expr.column_refs();
        let mut collected = self.collected.borrow_mut();
        let (before, after): (Vec<_>, Vec<_>) = std::mem::take(&mut collected.after)
            .into_iter()
            .partition(|attachment| used.iter().any(|column| attachment.gives(&column.name)));
        collected.after = after;
        collected.before.extend(before);
    }

    fn may_attach(&self) -> SqlResult<()> {
        match self.clause {
            Clause::Join | Clause::Values | Clause::Unnest => {
                Err(SqlError::unsupported("a subquery in ON, VALUES or UNNEST"))
            }
            Clause::Row => Err(SqlError::unsupported("a subquery in partition_by")),
            _ => Ok(()),
        }
    }

    /// `(SELECT …)` as a value.
    pub(super) fn scalar_subquery(&self, query: &Query) -> SqlResult<Typed> {
        self.may_attach()?;
        let Inner { relation, outer } = self.inner(query)?;
        let value = only_column(&relation)?.clone();
        if value.data_type == Type::Unknown {
            return Err(SqlError::unsupported("a subquery of NULL"));
        }
        let id = self.analyzer.fresh();
        let plan = if is_one_row(&relation.plan) {
            LogicalPlanBuilder::from(relation.plan).project([value.expr().alias(&id)])?.build()?
        } else {
            let single = AggregateUDF::new_from_impl(SingleValue::new(value.data_type.clone()));
            let single = call(Arc::new(single), vec![value.expr()]).alias(&id);
            LogicalPlanBuilder::from(relation.plan).aggregate(Vec::<Expr>::new(), [single])?.build()?
        };
        if outer.is_empty() {
            self.attach(Attachment::Row(plan));
        } else {
            let result = self.analyzer.fresh();
            let expr = Expr::ScalarSubquery(subquery(plan, outer));
            self.attach(Attachment::Correlated { id: result.clone(), expr });
            return Ok(Typed::new(column(&result), value.data_type));
        }
        Ok(Typed::new(column(&id), value.data_type))
    }

    /// `[NOT] EXISTS (SELECT …)`
    pub(super) fn exists(&self, query: &Query, not: bool) -> SqlResult<Typed> {
        self.may_attach()?;
        let Inner { relation, outer } = self.inner(query)?;
        if !outer.is_empty() {
            if self.clause != Clause::Where {
                return self.exists_as_value(relation.plan, outer, not);
            }
            let exists = Exists::new(subquery(relation.plan, outer), not);
            return Ok(Typed::new(Expr::Exists(exists), Type::Boolean));
        }
        let id = self.analyzer.fresh();
        let count = call(df::count::count_udaf(), vec![lit(1_i64)]).alias(&id);
        let plan = LogicalPlanBuilder::from(relation.plan)
            .limit(0, Some(1))?
            .aggregate(Vec::<Expr>::new(), [count])?
            .build()?;
        self.attach(Attachment::Row(plan));
        let some = column(&id).gt(lit(0_i64));
        Ok(Typed::new(if not { Expr::Not(Box::new(some)) } else { some }, Type::Boolean))
    }

    /// A correlated `[NOT] EXISTS` where its truth is a value: whether it counts any rows.
    fn exists_as_value(&self, plan: LogicalPlan, outer: Vec<Expr>, not: bool) -> SqlResult<Typed> {
        if !is_flat(&plan) {
            let what = "a correlated EXISTS outside of WHERE over a query that groups, limits, sorts or combines rows";
            return Err(SqlError::unsupported(what));
        }
        let count = call(df::count::count_udaf(), vec![lit(1_i64)]).alias(self.analyzer.fresh());
        let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), [count])?.build()?;
        let id = self.analyzer.fresh();
        let expr = Expr::ScalarSubquery(subquery(plan, outer));
        self.attach(Attachment::Correlated { id: id.clone(), expr });
        let counted = Typed::new(column(&id), Type::Bigint);
        let some = own_call("EXISTS", counts_any, vec![counted], Type::Boolean, self.analyzer);
        Ok(if not { negated(some) } else { some })
    }

    /// `value [NOT] IN (SELECT …)`, with all of NULL's three values.
    pub(super) fn in_subquery(&self, value: Typed, query: &Query, not: bool) -> SqlResult<Typed> {
        self.may_attach()?;
        let Inner { relation, outer } = self.inner(query)?;
        if let (Type::Row(fields), true) = (&value.data_type, has_several_columns(&relation)) {
            if !outer.is_empty() {
                return Err(SqlError::unsupported("a correlated IN of several columns"));
            }
            let semi_join = self.row_semi_join(&value, fields.len(), relation)?;
            return self.row_in(&value, semi_join, not);
        }
        let (value, relation) = self.same_type(value, relation)?;
        let element = only_column(&relation)?.clone();
        if !outer.is_empty() {
            if not || self.clause != Clause::Where {
                return Err(SqlError::unsupported("a correlated IN that is negated or outside of WHERE"));
            }
            // In WHERE, neither false nor NULL keeps a row: a match that exists is all that counts.
            let (value, outer) = as_outer(value.expr, &relation, self, outer)?;
            let plan = LogicalPlanBuilder::from(relation.plan).filter(element.expr().eq(value))?.build()?;
            return Ok(Typed::new(Expr::Exists(Exists::new(subquery(plan, outer), false)), Type::Boolean));
        }
        let bounds = self.bounds(&relation, &element)?;
        let id = self.analyzer.fresh();
        let set_element = self.analyzer.fresh();
        let set = LogicalPlanBuilder::from(relation.plan)
            .project([element.expr().alias(&set_element)])?
            .filter(column(&set_element).is_not_null())?
            .distinct()?
            .build()?;
        self.attach(Attachment::Member { id: id.clone(), keys: vec![(value.expr.clone(), set_element)], set });
        let found = case(
            vec![
                (column(&bounds.rows).eq(lit(0_i64)), lit(false)),
                (column(&id).is_not_null(), lit(true)),
                (value.expr.is_null().or(column(&bounds.rows).gt(column(&bounds.values))), null(&Type::Boolean)?.expr),
            ],
            lit(false),
        );
        let found = Typed::new(found, Type::Boolean);
        Ok(if not { negated(found) } else { found })
    }

    /// `value < ALL (SELECT …)` and its like.
    pub(super) fn quantified(&self, value: Typed, op: &BinaryOperator, right: &Sql, all: bool) -> SqlResult<Typed> {
        let query = match right {
            Sql::Subquery(query) => query,
            Sql::Nested(inner) => match &**inner {
                Sql::Subquery(query) => query,
                other => return Err(super::expression::foreign(other)),
            },
            other => return Err(super::expression::foreign(other)),
        };
        match (op, all) {
            (BinaryOperator::Eq, false) => return self.in_subquery(value, query, false),
            (BinaryOperator::NotEq, true) => return self.in_subquery(value, query, true),
            _ => {}
        }
        self.may_attach()?;
        let Inner { relation, outer } = self.inner(query)?;
        if !outer.is_empty() {
            return Err(SqlError::unsupported("a correlated comparison with ALL or ANY"));
        }
        let (value, relation) = self.same_type(value, relation)?;
        let element = only_column(&relation)?.clone();
        if !compares_natively(&element.data_type) {
            return Err(SqlError::unsupported(format!("a comparison of {} with ALL or ANY", element.data_type)));
        }
        let bounds = self.bounds(&relation, &element)?;
        let least = || Typed::new(column(&bounds.least), element.data_type.clone());
        let most = || Typed::new(column(&bounds.most), element.data_type.clone());
        // The one element that decides: all are greater when the least is.
        let decides = match (op, all) {
            (BinaryOperator::Eq, true) => {
                let low = self.compare(BinaryOperator::Eq, value.clone(), least())?;
                low.expr.and(self.compare(BinaryOperator::Eq, value.clone(), most())?.expr)
            }
            (BinaryOperator::NotEq, false) => {
                let low = self.compare(BinaryOperator::NotEq, value.clone(), least())?;
                low.expr.or(self.compare(BinaryOperator::NotEq, value.clone(), most())?.expr)
            }
            (BinaryOperator::Lt | BinaryOperator::LtEq, true) | (BinaryOperator::Gt | BinaryOperator::GtEq, false) => {
                self.compare(op.clone(), value.clone(), least())?.expr
            }
            (BinaryOperator::Gt | BinaryOperator::GtEq, true) | (BinaryOperator::Lt | BinaryOperator::LtEq, false) => {
                self.compare(op.clone(), value.clone(), most())?.expr
            }
            (other, _) => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{other}'"))),
        };
        let unknown = value.expr.is_null().or(column(&bounds.rows).gt(column(&bounds.values)));
        let nothing = null(&Type::Boolean)?.expr;
        let decided = if all {
            case(
                vec![
                    (column(&bounds.rows).eq(lit(0_i64)), lit(true)),
                    (Expr::Not(Box::new(decides)), lit(false)),
                    (unknown, nothing),
                ],
                lit(true),
            )
        } else {
            case(
                vec![(column(&bounds.rows).eq(lit(0_i64)), lit(false)), (decides, lit(true)), (unknown, nothing)],
                lit(false),
            )
        };
        Ok(Typed::new(decided, Type::Boolean))
    }

    fn same_type(&self, value: Typed, mut relation: Relation) -> SqlResult<(Typed, Relation)> {
        let element = only_column(&relation)?.clone();
        let common = common_super_type(&value.data_type, &element.data_type).ok_or_else(|| {
            SqlError::type_mismatch(format!(
                "Value expression and result of subquery must be of the same type: {} vs {}",
                value.data_type, element.data_type
            ))
        })?;
        if !compares_natively(&common) {
            return Err(SqlError::unsupported(format!("a subquery compared by {common}")));
        }
        let value = self.analyzer.coerce(value, &common)?;
        let coerced = self.analyzer.coerce(element.typed(), &common)?;
        let (plan, ids) = self.analyzer.project(relation.plan, &[coerced])?;
        relation.plan = plan;
        relation.columns = vec![ScopeColumn { data_type: common, id: ids.concat(), ..element }];
        Ok((value, relation))
    }

    /// Attaches one row with the number, the number that are not NULL, the least and the most of a subquery's values.
    fn bounds(&self, relation: &Relation, element: &ScopeColumn) -> SqlResult<Bounds> {
        let relation =
            self.analyzer.renamed(&Relation { plan: relation.plan.clone(), columns: vec![element.clone()] })?;
        let value = only_column(&relation)?.expr();
        let bounds = Bounds {
            rows: self.analyzer.fresh(),
            values: self.analyzer.fresh(),
            least: self.analyzer.fresh(),
            most: self.analyzer.fresh(),
        };
        let aggregates = [
            call(df::count::count_udaf(), vec![lit(1_i64)]).alias(&bounds.rows),
            call(df::count::count_udaf(), vec![value.clone()]).alias(&bounds.values),
            call(df::min_max::min_udaf(), vec![value.clone()]).alias(&bounds.least),
            call(df::min_max::max_udaf(), vec![value]).alias(&bounds.most),
        ];
        let plan = LogicalPlanBuilder::from(relation.plan).aggregate(Vec::<Expr>::new(), aggregates)?.build()?;
        self.attach(Attachment::Row(plan));
        Ok(bounds)
    }
}

/// The columns that say what a subquery's values are like.
struct Bounds {
    rows: String,
    values: String,
    least: String,
    most: String,
}

impl Analyzer<'_> {
    /// Puts subqueries on a plan.
    pub(super) fn attached(&self, mut plan: LogicalPlan, attachments: Vec<Attachment>) -> SqlResult<LogicalPlan> {
        for attachment in attachments {
            plan = match attachment {
                Attachment::Row(row) => LogicalPlanBuilder::from(plan).cross_join(row)?.build()?,
                Attachment::Correlated { id, expr } => {
                    let mut projected: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
                    projected.push(expr.alias(&id));
                    LogicalPlanBuilder::from(plan).project(projected)?.build()?
                }
                Attachment::Member { id, keys, set } => {
                    let kept: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
                    let (mut projected, mut on) = (kept.clone(), Vec::with_capacity(keys.len()));
                    for (value, element) in &keys {
                        let key = self.fresh();
                        projected.push(self.lowered(value.clone(), plan.schema())?.alias(&key));
                        on.push(column(&key).eq(column(element)));
                    }
                    let joined = LogicalPlanBuilder::from(plan).project(projected)?.join_on(set, JoinType::Left, on)?;
                    let mark = keys.first().map(|(_, element)| column(element).alias(&id));
                    joined.project(kept.into_iter().chain(mark))?.build()?
                }
            };
        }
        Ok(plan)
    }
}

/// Tells whether rows were counted. A row that nothing was counted for may come out of the join with NULL.
///
/// `DataFusion` believes that a count is never NULL until it makes the join, and then finds its own plan at odds with what it is
/// made of, wherever it looks at that; of a call of ours it believes nothing.
fn counts_any(call: &Call<'_>, arguments: &[Argument]) -> Result<ArrayRef, EvalError> {
    let counts = arguments.first().map(|argument| super::values::expanded(argument, call.rows)).transpose()?;
    let counts = counts.as_ref().and_then(|counts| counts.as_primitive_opt::<Int64Type>());
    let counts = counts.ok_or_else(|| EvalError::layout("a count"))?;
    let any: BooleanArray = counts.iter().map(|count| Some(count.is_some_and(|count| count > 0))).collect();
    Ok(Arc::new(any))
}

fn only_column(relation: &Relation) -> SqlResult<&ScopeColumn> {
    let mut visible = relation.columns.iter().filter(|column| !column.hidden);
    match (visible.next(), visible.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(SqlError::unsupported("a subquery of several columns as a value")),
    }
}

fn has_several_columns(relation: &Relation) -> bool {
    relation.columns.iter().filter(|column| !column.hidden).count() > 1
}

/// Tells whether a plan gives exactly one row, whatever it reads.
fn is_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => is_one_row(&projection.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

fn subquery(plan: LogicalPlan, outer_ref_columns: Vec<Expr>) -> Subquery {
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

/// Turns columns of the query around into outer columns.
fn as_outer(
    value: Expr,
    inner: &Relation,
    context: &Context<'_>,
    mut outer: Vec<Expr>,
) -> SqlResult<(Expr, Vec<Expr>)> {
    let schema = inner.plan.schema();
    let mut added = Vec::new();
    let value = value.transform_up(|expr| match expr {
        Expr::Column(column) if !schema.has_column(&column) => {
            let own = context.scope.columns.iter().find(|own| own.id == column.name);
            let Some(own) = own else { return Ok(Transformed::no(Expr::Column(column))) };
            let field = Arc::new(arrow::datatypes::Field::new(&own.id, own.data_type.to_arrow(), true));
            let reference = Expr::OuterReferenceColumn(field, column);
            added.push(reference.clone());
            Ok(Transformed::yes(reference))
        }
        other => Ok(Transformed::no(other)),
    })?;
    outer.extend(added);
    Ok((value.data, outer))
}

/// A plain call of an accumulator.
pub(super) fn call(function: Arc<AggregateUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::AggregateFunction(datafusion::logical_expr::expr::AggregateFunction::new_udf(
        function,
        arguments,
        false,
        None,
        Vec::new(),
        None,
    ))
}

fn case(branches: Vec<(Expr, Expr)>, default: Expr) -> Expr {
    let branches = branches.into_iter().map(|(when, then)| (Box::new(when), Box::new(then))).collect();
    Expr::Case(Case::new(None, branches, Some(Box::new(default))))
}

/// Tells whether a plan has as many rows for a row around it as are counted when it is joined to all of them at once.
fn is_flat(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::SubqueryAlias(_)
    ) && plan.inputs().into_iter().all(is_flat)
}

/// A semi-join: the keys of the rows and of the set, which are equal, and the set.
pub(super) struct SemiJoin {
    pub(super) keys: Vec<(Expr, String)>,
    pub(super) set: LogicalPlan,
}

impl Context<'_> {
    /// `value IN (SELECT …)` as a condition that a row must meet: a semi-join, or a condition where one cannot be made.
    pub(super) fn semi_join(&self, value: &Sql, query: &Query) -> SqlResult<Result<SemiJoin, Typed>> {
        let typed = self.expr(value)?;
        let Inner { relation, outer } = self.inner(query)?;
        if !outer.is_empty() {
            return self.in_subquery(typed, query, false).map(Err);
        }
        if let (Type::Row(fields), true) = (&typed.data_type, has_several_columns(&relation)) {
            return self.row_semi_join(&typed, fields.len(), relation).map(Ok);
        }
        let (typed, relation) = self.same_type(typed, relation)?;
        let element = only_column(&relation)?.id.clone();
        Ok(Ok(SemiJoin { keys: vec![(typed.expr, element)], set: relation.plan }))
    }

    /// `(a, b) IN (SELECT c, d …)`: where NULL is no better than false, all that counts is a row that is equal field by field.
    pub(super) fn row_semi_join(&self, value: &Typed, fields: usize, relation: Relation) -> SqlResult<SemiJoin> {
        let columns: Vec<ScopeColumn> = relation.columns.into_iter().filter(|column| !column.hidden).collect();
        if columns.len() != fields {
            return Err(SqlError::type_mismatch(format!(
                "Value expression and result of subquery must be of the same type: {} vs {} columns",
                value.data_type,
                columns.len()
            )));
        }
        let (mut own, mut others) = (Vec::with_capacity(fields), Vec::with_capacity(fields));
        for (index, column) in columns.iter().enumerate() {
            let field = super::values::field(value.clone(), index, &self.analyzer.session);
            let common = common_super_type(&field.data_type, &column.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "Value expression and result of subquery must be of the same type: {} vs {}",
                    field.data_type, column.data_type
                ))
            })?;
            if !compares_natively(&common) {
                return Err(SqlError::unsupported(format!("a subquery compared by {common}")));
            }
            own.push(self.analyzer.coerce(field, &common)?.expr);
            others.push(self.analyzer.coerce(column.typed(), &common)?);
        }
        let (set, ids) = self.analyzer.project(relation.plan, &others)?;
        Ok(SemiJoin { keys: own.into_iter().zip(ids).collect(), set })
    }
}
