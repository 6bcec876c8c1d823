//! GROUP BY: expressions and positions, GROUPING SETS, ROLLUP and CUBE, and `grouping()`.
//!
//! Several grouping sets become one aggregation each, put together by UNION ALL: every set means exactly what a GROUP BY of
//! its own means, and `grouping()` is a constant in each.

use std::collections::HashSet;

use datafusion::common::Column;
use datafusion::functions_aggregate as df;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use sqlparser::ast::{Expr as Sql, Spanned};

use super::analyze::{Analyzer, null};
use super::error::{SqlError, SqlResult};
use super::expression::Context;
use super::query::{groups_by_key, groups_natively, ordinal};
use super::scope::{Typed, column};
use super::subquery::call;
use super::types::Type;
use super::values;

/// The most grouping sets that a GROUP BY may have.
///
/// Source: Trino's default of `max-grouping-sets` is 2048; each is an aggregation of its own here.
const SET_LIMIT: usize = 128;

/// What rows are grouped by.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    keys: Vec<Typed>,
    /// The positions in `keys` of each set; nothing for one set of all.
    sets: Option<Vec<Vec<usize>>>,
}

impl Grouping {
    /// Types the elements of GROUP BY.
    pub(super) fn of(context: &Context<'_>, elements: &[Sql], items: &[(Option<String>, Typed)]) -> SqlResult<Self> {
        let mut keys: Vec<Typed> = Vec::new();
        let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
        let mut several = false;
        for element in elements {
            let mut add = |sql: &Sql| -> SqlResult<usize> {
                let key = match ordinal(sql, items.len(), "GROUP BY")? {
                    Some(position) => {
                        let (_, item) = items.get(position).ok_or_else(|| SqlError::unsupported("this position"))?;
                        if computes(context, item) {
                            return Err(SqlError::trino(
                                "EXPRESSION_NOT_SCALAR",
                                "GROUP BY clause cannot contain aggregations, window functions or grouping operations",
                            )
                            .at_span(sql.span()));
                        }
                        context.attach_before_grouping(&item.expr);
                        item.clone()
                    }
                    None => context.expr(sql)?,
                };
                if !key.data_type.is_comparable() {
                    return Err(SqlError::type_mismatch(format!(
                        "{} is not comparable, and therefore cannot be used in GROUP BY",
                        key.data_type
                    ))
                    .at_span(sql.span()));
                }
                if let Some(known) = keys.iter().position(|known| known.expr == key.expr) {
                    return Ok(known);
                }
                keys.push(key);
                Ok(keys.len() - 1)
            };
            let alternatives: Vec<Vec<usize>> = match element {
                Sql::GroupingSets(groups) => {
                    several = true;
                    groups
                        .iter()
                        .map(|group| group.iter().map(|sql| add(column_only(sql)?)).collect::<SqlResult<Vec<_>>>())
                        .collect::<SqlResult<Vec<_>>>()?
                }
                Sql::Rollup(groups) => {
                    several = true;
                    let groups = positions(groups, &mut add)?;
                    (0..=groups.len())
                        .rev()
                        .map(|length| groups.iter().take(length).flatten().copied().collect())
                        .collect()
                }
                Sql::Cube(groups) => {
                    several = true;
                    let groups = positions(groups, &mut add)?;
                    if groups.len() > 7 {
                        return Err(SqlError::unsupported("CUBE of more than 7 groups"));
                    }
                    (0..1_usize << groups.len())
                        .rev()
                        .map(|mask| {
                            let chosen = groups
                                .iter()
                                .enumerate()
                                .filter(|(index, _)| mask >> (groups.len() - 1 - index) & 1 == 1);
                            chosen.flat_map(|(_, group)| group.iter().copied()).collect()
                        })
                        .collect()
                }
                Sql::Tuple(expressions) => {
                    vec![expressions.iter().map(&mut add).collect::<SqlResult<Vec<_>>>()?]
                }
                Sql::Nested(inner) => vec![vec![add(inner)?]],
                sql => vec![vec![add(sql)?]],
            };
            // Elements beside each other multiply.
            sets = sets
                .iter()
                .flat_map(|set| {
                    alternatives.iter().map(|alternative| {
                        let mut both = set.clone();
                        both.extend(alternative.iter().filter(|key| !set.contains(key)));
                        both
                    })
                })
                .collect();
            if sets.len() > SET_LIMIT {
                return Err(SqlError::unsupported(format!("more than {SET_LIMIT} grouping sets")));
            }
        }
        let empty = sets.iter().any(Vec::is_empty);
        Ok(Self { keys, sets: (several || empty).then_some(sets) })
    }

    /// Tells whether there are no keys.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Groups a plan. Returns it and what stands for each group expression after it.
    pub(super) fn apply(
        self,
        analyzer: &Analyzer<'_>,
        plan: LogicalPlan,
        calls: &[Expr],
        groupings: &[(String, Vec<Expr>)],
    ) -> SqlResult<(LogicalPlan, Vec<(Expr, Expr)>)> {
        let Self { keys, sets } = self;
        let sets = sets.unwrap_or_else(|| vec![(0..keys.len()).collect()]);
        for (_, arguments) in groupings {
            if arguments.iter().any(|argument| !keys.iter().any(|key| key.expr == *argument)) {
                return Err(SqlError::trino(
                    "INVALID_ARGUMENTS",
                    "The arguments to GROUPING() must be expressions referenced by the GROUP BY associated with the current query",
                ));
            }
        }
        if let Some(odd) = keys.iter().find(|key| !groups_by_key(&key.data_type)) {
            return Err(SqlError::unsupported(format!("GROUP BY {}", odd.data_type)));
        }
        // The keys first, as columns: every set groups by some of them.
        let read: HashSet<&Column> = calls.iter().flat_map(Expr::column_refs).collect();
        let columns = plan.schema().columns();
        let mut projected: Vec<Expr> =
            columns.iter().filter(|column| read.contains(column)).cloned().map(Expr::Column).collect();
        if projected.is_empty() && keys.is_empty() {
            // Rows are counted by what they hold.
            projected.extend(columns.into_iter().next().map(Expr::Column));
        }
        let mut ids = Vec::with_capacity(keys.len());
        for key in &keys {
            let id = analyzer.fresh();
            let value = match &key.data_type {
                Type::Real | Type::Double => values::key(key.clone(), &analyzer.session).expr,
                _ => key.expr.clone(),
            };
            projected.push(analyzer.lowered(value, plan.schema())?.alias(&id));
            ids.push(id);
        }
        let input = LogicalPlanBuilder::from(plan).project(projected)?.build()?;
        let outputs: Vec<String> = keys.iter().map(|_| analyzer.fresh()).collect();
        let call_ids: Vec<String> = calls.iter().map(|call| call.schema_name().to_string()).collect();
        let mut result: Option<LogicalPlan> = None;
        for set in &sets {
            let branch = one_set(analyzer, &input, &keys, &ids, &outputs, calls, &call_ids, set, groupings)?;
            result = Some(match result {
                None => branch,
                Some(so_far) => LogicalPlanBuilder::from(so_far).union(branch)?.build()?,
            });
        }
        let Some(plan) = result else { return Err(SqlError::unsupported("GROUP BY without sets")) };
        let groups = keys.into_iter().zip(&outputs).map(|(key, id)| (key.expr, column(id))).collect();
        Ok((plan, groups))
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of one branch of a union, used in one place")]
fn one_set(
    analyzer: &Analyzer<'_>,
    input: &LogicalPlan,
    keys: &[Typed],
    ids: &[String],
    outputs: &[String],
    calls: &[Expr],
    call_ids: &[String],
    set: &[usize],
    groupings: &[(String, Vec<Expr>)],
) -> SqlResult<LogicalPlan> {
    let session = &analyzer.session;
    let mut group = Vec::new();
    let mut calls = calls.to_vec();
    // Timestamps with time zone are one group when they are the same instant; the zone is that of some row.
    let mut zones: Vec<Option<String>> = vec![None; keys.len()];
    // Other values that are the same in several forms (entries of a map in another order) are shown in that of some row.
    let mut forms: Vec<Option<String>> = vec![None; keys.len()];
    for (index, (key, id)) in keys.iter().zip(ids).enumerate() {
        if !set.contains(&index) {
            continue;
        }
        if matches!(key.data_type, Type::TimestampTz(_)) {
            let value = Typed::new(column(id), key.data_type.clone());
            let zone = analyzer.fresh();
            group.push(values::instant(value.clone(), session).expr.alias(analyzer.fresh()));
            calls.push(call(df::min_max::min_udaf(), vec![values::zone(value, session).expr]).alias(&zone));
            if let Some(slot) = zones.get_mut(index) {
                *slot = Some(zone);
            }
        } else if groups_natively(&key.data_type) {
            group.push(column(id));
        } else {
            let form = analyzer.fresh();
            group
                .push(values::key(Typed::new(column(id), key.data_type.clone()), session).expr.alias(analyzer.fresh()));
            calls.push(call(df::first_last::first_value_udaf(), vec![column(id)]).alias(&form));
            if let Some(slot) = forms.get_mut(index) {
                *slot = Some(form);
            }
        }
    }
    let group_ids: Vec<String> = group.iter().map(|expr| expr.schema_name().to_string()).collect();
    let plan = LogicalPlanBuilder::from(input.clone()).aggregate(group, calls)?.build()?;
    let mut group_ids = group_ids.into_iter();
    let mut projected = Vec::new();
    for (index, ((key, output), (zone, form))) in keys.iter().zip(outputs).zip(zones.into_iter().zip(forms)).enumerate()
    {
        let value = if set.contains(&index) {
            let own = group_ids.next().unwrap_or_default();
            match (zone, form) {
                (None, Some(form)) => column(&form),
                (Some(zone), _) => {
                    let instant = Typed::new(column(&own), Type::Timestamp(6));
                    let zone = Typed::new(column(&zone), Type::Varchar(None));
                    values::zoned(instant, zone, key.data_type.clone(), session).expr
                }
                (None, None) => column(&own),
            }
        } else {
            null(&key.data_type)?.expr
        };
        projected.push(value.alias(output));
    }
    projected.extend(call_ids.iter().map(|id| column(id)));
    for (id, arguments) in groupings {
        let mut bits = 0_i64;
        for argument in arguments {
            let grouped = set.iter().any(|index| keys.get(*index).is_some_and(|key| key.expr == *argument));
            bits = bits << 1 | i64::from(!grouped);
        }
        let value = match i32::try_from(bits) {
            Ok(bits) if arguments.len() <= 31 => lit(bits),
            _ => lit(bits),
        };
        projected.push(value.alias(id));
    }
    Ok(LogicalPlanBuilder::from(plan).project(projected)?.build()?)
}

fn positions(groups: &[Vec<Sql>], add: &mut dyn FnMut(&Sql) -> SqlResult<usize>) -> SqlResult<Vec<Vec<usize>>> {
    groups.iter().map(|group| group.iter().map(|sql| add(column_only(sql)?)).collect::<SqlResult<Vec<_>>>()).collect()
}

/// Trino wants columns in grouping sets.
fn column_only(sql: &Sql) -> SqlResult<&Sql> {
    match sql {
        Sql::Identifier(_) | Sql::CompoundIdentifier(_) | Sql::CompoundFieldAccess { .. } => Ok(sql),
        Sql::Nested(inner) => column_only(inner),
        other => Err(SqlError::trino(
            "INVALID_COLUMN_REFERENCE",
            format!("GROUP BY expression must be a column reference: {other}"),
        )
        .at_span(other.span())),
    }
}

/// Tells whether an item of the select list uses an aggregation or window function.
fn computes(context: &Context<'_>, item: &Typed) -> bool {
    let collected = context.collected.borrow();
    item.expr.column_refs().iter().any(|column| {
        collected.aggregates.iter().any(|call| call.id == column.name)
            || collected.windows.iter().any(|call| call.id == column.name)
            || collected.groupings.iter().any(|(id, _)| *id == column.name)
    })
}
