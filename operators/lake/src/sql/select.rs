//! SELECT: FROM, WHERE, GROUP BY, HAVING, windows, the select list, DISTINCT and ORDER BY, in Trino's order of meaning.

use std::cell::RefCell;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr as Sql, GroupByExpr, Ident, ObjectName, ObjectNamePart, OrderByExpr, Select,
    SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, Spanned, WildcardAdditionalOptions,
};

use super::analyze::Analyzer;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Collected, Context, check_identifier};
use super::grouping::Grouping;
use super::join_key::Sides;
use super::lazy;
use super::operation::terms;
use super::query::{Order, groups_by_key, groups_natively, ordinal};
use super::regroup::regrouped;
use super::relation::Around;
use super::scope::{Relation, Scope, ScopeColumn, Typed, column};
use super::subquery::{Attachment, SemiJoin, call};
use super::types::Type;
use super::values;
use super::window::NamedWindows;

/// An item of the select list.
type Item = (Option<String>, Typed);

impl Analyzer<'_> {
    /// Plans a SELECT with the ORDER BY of its query, which sees more than the output.
    pub(super) fn select(&self, select: &Select, order: Order<'_>, around: Around<'_>) -> SqlResult<Relation> {
        self.select_here(select, order, around).map_err(|error| error.at_span(select.select_token.0.span))
    }

    fn select_here(&self, select: &Select, order: Order<'_>, around: Around<'_>) -> SqlResult<Relation> {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers: None,
            top: None,
            top_before_distinct: false,
            projection,
            exclude: None,
            into: None,
            from,
            lateral_views,
            prewhere: None,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify: None,
            window_before_qualify: _,
            value_table_mode: None,
            flavor: SelectFlavor::Standard,
        } = select
        else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{select}`")));
        };
        let foreign_clauses = !lateral_views.is_empty()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty();
        if foreign_clauses {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{select}`")));
        }
        let distinct = match distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input 'ON'")),
        };

        let source = self.from(from, around)?;
        let windows = NamedWindows { definitions: named_window };
        let plan = self
            .filtered(source.plan, &source.columns, selection.as_ref(), around, &windows)
            .map_err(|error| about_alias(error, projection, "WHERE"))?;

        let collected = RefCell::new(Collected::default());
        let scope = Scope::new(&source.columns, around.outer);
        let context = self.context(&scope, around.ctes, Clause::Select, &collected, &windows);
        let (items, written) = self.select_list(&context, projection)?;
        let grouping = Self::grouping_of(&context.in_clause(Clause::GroupBy), group_by, &items)
            .map_err(|error| about_alias(error, projection, "GROUP BY"))?;
        let condition = having
            .as_ref()
            .map(|having| context.in_clause(Clause::Having).condition(having, "HAVING clause"))
            .transpose()
            .map_err(|error| about_alias(error, projection, "HAVING"))?;
        // ORDER BY sees the output columns before those of FROM.
        let order_scope = Scope { output: &items, ..Scope::new(&source.columns, around.outer) };
        let sorts = order_items(
            &Context { scope: &order_scope, ..context.in_clause(Clause::OrderBy) },
            order,
            &items,
            distinct,
        )?;

        let collected = collected.into_inner();
        let aggregated = grouping.is_some()
            || !collected.aggregates.is_empty()
            || condition.is_some()
            || !collected.groupings.is_empty();
        if aggregated {
            let grouping = grouping.unwrap_or_default();
            let written =
                Written { columns: &source.columns, items: written, order: order.items, having: having.as_ref() };
            let grouped = self.grouped(plan, grouping, collected, items, sorts, condition, &written)?;
            self.finish(grouped, distinct, order)
        } else {
            let plan = self.attached(plan, collected.before)?;
            let plan = self.attached(plan, collected.after)?;
            let plan = self.add_windows(plan, collected.windows)?;
            self.finish(Unfinished { plan, items, sorts }, distinct, order)
        }
    }

    /// WHERE: the positive `IN (SELECT …)` of it become semi-joins.
    fn filtered(
        &self,
        mut plan: LogicalPlan,
        columns: &[ScopeColumn],
        selection: Option<&Sql>,
        around: Around<'_>,
        windows: &NamedWindows<'_>,
    ) -> SqlResult<LogicalPlan> {
        let Some(selection) = selection else { return Ok(plan) };
        let scope = Scope::new(columns, around.outer);
        let collected = RefCell::new(Collected::default());
        let context = self.context(&scope, around.ctes, Clause::Where, &collected, windows);
        let mut conditions = Vec::new();
        let mut members = Vec::new();
        for conjunct in terms(selection, &BinaryOperator::And) {
            match conjunct {
                Sql::InSubquery { expr, subquery, negated: false } => match context.semi_join(expr, subquery)? {
                    Ok(member) => members.push(member),
                    Err(condition) => conditions.push(condition.expr),
                },
                other => {
                    let what = if conditions.is_empty() && std::ptr::eq(other, selection) {
                        "WHERE clause"
                    } else {
                        "Logical expression term of AND"
                    };
                    conditions.push(context.condition(other, what)?.expr);
                }
            }
        }
        plan = self.attached(plan, collected.into_inner().before)?;
        if let Some(condition) = lazy::filter(conditions, &Sides::of(columns, &[])) {
            plan = self.filter(plan, condition)?;
        }
        for SemiJoin { keys, set } in members {
            let on: Vec<Expr> = keys.into_iter().map(|(value, element)| value.eq(column(&element))).collect();
            plan = LogicalPlanBuilder::from(plan).join_on(set, JoinType::LeftSemi, on)?.build()?;
        }
        Ok(plan)
    }

    /// Types the select list. Returns what each item is written as, too: a `*` stands for several.
    fn select_list<'s>(
        &self,
        context: &Context<'_>,
        projection: &'s [SelectItem],
    ) -> SqlResult<(Vec<Item>, Vec<&'s SelectItem>)> {
        let mut items = Vec::with_capacity(projection.len());
        let mut written = Vec::with_capacity(projection.len());
        for item in projection {
            self.select_item(context, item, &mut items).map_err(|error| error.at_place_of(item))?;
            written.resize(items.len(), item);
        }
        Ok((items, written))
    }

    fn select_item(&self, context: &Context<'_>, item: &SelectItem, items: &mut Vec<Item>) -> SqlResult<()> {
        match item {
            SelectItem::UnnamedExpr(sql) => items.push((natural_name(sql), context.expr(sql)?)),
            SelectItem::ExprWithAlias { expr, alias } => {
                check_identifier(alias)?;
                items.push((Some(alias.value.clone()), context.expr(expr)?));
            }
            SelectItem::Wildcard(options) => {
                no_options(options)?;
                let before = items.len();
                items.extend(shown(context.scope.columns.iter()));
                if items.len() == before {
                    return Err(SqlError::trino(
                        "COLUMN_NOT_FOUND",
                        "SELECT * not allowed from relation that has no columns",
                    ));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                no_options(options)?;
                self.qualified_star(context, name, items)?;
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), options) => {
                no_options(options)?;
                let value = context.expr(expr)?;
                self.all_fields(&value, items)?;
            }
            SelectItem::ExprWithAliases { expr, aliases: _ } => {
                return Err(SqlError::unsupported(format!("several aliases for `{expr}`")));
            }
        }
        Ok(())
    }

    fn qualified_star(&self, context: &Context<'_>, name: &ObjectName, items: &mut Vec<Item>) -> SqlResult<()> {
        let parts = name
            .0
            .iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) => Ok(ident.clone()),
                ObjectNamePart::Function(_) => {
                    Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{name}`")))
                }
            })
            .collect::<SqlResult<Vec<Ident>>>()?;
        let before = items.len();
        items.extend(shown(context.scope.columns.iter().filter(|column| column.is_of(&parts))));
        if items.len() > before {
            return Ok(());
        }
        let not_found =
            || SqlError::trino("TABLE_NOT_FOUND", format!("Unable to resolve reference {name}")).at_span(name.span());
        if parts.len() < 2 {
            return Err(not_found());
        }
        let (value, rest) = context.scope.resolve(&parts).map_err(|_| not_found())?;
        if !rest.is_empty() {
            return Err(SqlError::unsupported(format!("`{name}.*`")));
        }
        self.all_fields(&value, items)
    }

    fn all_fields(&self, value: &Typed, items: &mut Vec<Item>) -> SqlResult<()> {
        let Type::Row(fields) = value.data_type.clone() else {
            return Err(SqlError::type_mismatch("expected expression of type Row"));
        };
        for (index, (name, _)) in fields.iter().enumerate() {
            items.push((name.clone(), values::field(value.clone(), index, &self.session)));
        }
        Ok(())
    }

    fn grouping_of(context: &Context<'_>, group_by: &GroupByExpr, items: &[Item]) -> SqlResult<Option<Grouping>> {
        match group_by {
            GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => {
                if expressions.is_empty() {
                    return Ok(None);
                }
                Grouping::of(context, expressions, items).map(Some)
            }
            GroupByExpr::Expressions(expressions, modifiers) => {
                // `GROUP BY GROUPING SETS …` after other elements arrives as a modifier.
                let mut all = expressions.clone();
                for modifier in modifiers {
                    match modifier {
                        sqlparser::ast::GroupByWithModifier::GroupingSets(sets) => all.push(sets.clone()),
                        other => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{other}`"))),
                    }
                }
                Grouping::of(context, &all, items).map(Some)
            }
            GroupByExpr::All(modifiers) if modifiers.is_empty() => {
                Err(SqlError::trino("COLUMN_NOT_FOUND", "Column 'all' cannot be resolved"))
            }
            GroupByExpr::All(_) => Err(SqlError::unsupported("GROUP BY ALL")),
        }
    }

    /// Groups, and brings everything that comes after to the columns of the groups.
    #[expect(clippy::too_many_arguments, reason = "the clauses of one SELECT, used in one place")]
    fn grouped(
        &self,
        plan: LogicalPlan,
        grouping: Grouping,
        collected: Collected,
        items: Vec<Item>,
        sorts: Vec<Sort>,
        having: Option<Typed>,
        written: &Written<'_>,
    ) -> SqlResult<Unfinished> {
        let Collected { aggregates, windows, before, after, groupings } = collected;
        let by_subquery = !before.is_empty();
        let plan = self.attached(plan, before)?;
        let mut known: Vec<String> = aggregates.iter().map(|call| call.id.clone()).collect();
        known.extend(windows.iter().map(|call| call.id.clone()));
        for attachment in &after {
            match attachment {
                Attachment::Row(plan) => {
                    known.extend(plan.schema().columns().into_iter().map(|column| column.name));
                }
                Attachment::Member { id, .. } | Attachment::Correlated { id, .. } => known.push(id.clone()),
            }
        }
        known.extend(groupings.iter().map(|(id, _)| id.clone()));

        let calls = aggregates
            .into_iter()
            .map(|call| {
                let raw = call.raw;
                let function = AggregateFunction::new_udf(
                    raw.function,
                    raw.arguments,
                    raw.distinct,
                    raw.filter.map(Box::new),
                    raw.order_by,
                    raw.null_treatment,
                );
                Ok(self.lowered(Expr::AggregateFunction(function), plan.schema())?.alias(&call.id))
            })
            .collect::<SqlResult<Vec<Expr>>>()?;
        let mut calls = calls;
        if calls.is_empty() && grouping.is_empty() {
            // HAVING without anything else still makes one group of all rows.
            let one = call(datafusion::functions_aggregate::count::count_udaf(), vec![lit(1_i64)]);
            calls.push(one.alias(self.fresh()));
        }
        let source = Arc::clone(plan.schema());
        let (mut plan, groups) = grouping.apply(self, plan, &calls, &groupings)?;
        let written_again = |error: SqlError| match error.name() {
            // Two subqueries are never the same here, so one of a key is not known again.
            "EXPRESSION_NOT_AGGREGATE" if by_subquery => SqlError::unsupported("a subquery in GROUP BY"),
            _ => error,
        };
        let mut rebase = |expr: Expr| rebased(expr, &groups, &known, written.columns).map_err(written_again);

        let after = after
            .into_iter()
            .map(|attachment| match attachment {
                Attachment::Correlated { id, expr } => {
                    let expr = regrouped(expr, &groups, &source).map_err(written_again)?;
                    Ok(Attachment::Correlated { id, expr })
                }
                other => other.map(&mut rebase),
            })
            .collect::<SqlResult<Vec<_>>>()?;
        plan = self.attached(plan, after)?;
        if let Some(having) = having {
            let condition = rebase(having.expr).map_err(|error| written.in_having(error))?;
            plan = self.filter(plan, condition)?;
        }
        let mut rebased_windows = Vec::with_capacity(windows.len());
        for mut call in windows {
            let Expr::WindowFunction(function) = rebase(Expr::WindowFunction(Box::new(call.function)))? else {
                return Err(SqlError::unsupported("a window function over these groups"));
            };
            call.function = *function;
            rebased_windows.push(call);
        }
        plan = self.add_windows(plan, rebased_windows)?;
        let items = items
            .into_iter()
            .zip(&written.items)
            .map(|((name, typed), item)| {
                let expr = rebase(typed.expr).map_err(|error| error.at_place_of(*item))?;
                Ok((name, Typed::new(expr, typed.data_type)))
            })
            .collect::<SqlResult<Vec<_>>>()?;
        let sorts = sorts
            .into_iter()
            .zip(written.order)
            .map(|(sort, item)| {
                let expr = rebase(sort.expr).map_err(|error| error.at_place_of(item))?;
                Ok(Sort::new(expr, sort.asc, sort.nulls_first))
            })
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(Unfinished { plan, items, sorts })
    }

    /// Computes the select list, removes duplicates, sorts and cuts.
    fn finish(&self, unfinished: Unfinished, distinct: bool, order: Order<'_>) -> SqlResult<Relation> {
        let Unfinished { plan, mut items, mut sorts } = unfinished;
        if distinct {
            for (_, item) in &mut items {
                if matches!(item.data_type, Type::Real | Type::Double) {
                    let key = values::key(item.clone(), &self.session);
                    for sort in sorts.iter_mut().filter(|sort| sort.expr == item.expr) {
                        sort.expr = key.expr.clone();
                    }
                    *item = key;
                }
            }
        }
        let mut projected: Vec<Typed> = items.iter().map(|(_, typed)| typed.clone()).collect();
        // A key that is an output column is sorted by it; others are computed besides.
        let mut positions = Vec::with_capacity(sorts.len());
        for sort in &sorts {
            let position = projected.iter().position(|typed| typed.expr == sort.expr).unwrap_or_else(|| {
                projected.push(Typed::new(sort.expr.clone(), Type::Unknown));
                projected.len() - 1
            });
            positions.push(position);
        }
        let (mut plan, ids) = self.project(plan, &projected)?;
        for (sort, position) in sorts.iter_mut().zip(positions) {
            if let Some(id) = ids.get(position) {
                sort.expr = column(id);
            }
        }
        if distinct {
            plan = self.without_repeats(plan, &items, &ids)?;
        }
        plan = self.sorted(plan, sorts, order)?;
        let columns: Vec<ScopeColumn> = items
            .into_iter()
            .zip(&ids)
            .map(|((name, typed), id)| ScopeColumn {
                name,
                relation: None,
                data_type: typed.data_type,
                id: id.clone(),
                hidden: false,
            })
            .collect();
        if ids.len() > columns.len() {
            plan = LogicalPlanBuilder::from(plan).project(columns.iter().map(ScopeColumn::expr))?.build()?;
        }
        Ok(Relation { plan, columns })
    }
}

impl Analyzer<'_> {
    /// Keeps each row once. Values that are the same in several forms (entries of a map in another order) are shown in that of
    /// some row.
    fn without_repeats(&self, plan: LogicalPlan, items: &[Item], ids: &[String]) -> SqlResult<LogicalPlan> {
        if items.iter().all(|(_, item)| groups_natively(&item.data_type)) {
            return Ok(LogicalPlanBuilder::from(plan).distinct()?.build()?);
        }
        if let Some((_, odd)) = items.iter().find(|(_, item)| !groups_by_key(&item.data_type)) {
            return Err(SqlError::unsupported(format!("DISTINCT on {}", odd.data_type)));
        }
        let (mut keys, mut forms, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for ((_, item), id) in items.iter().zip(ids) {
            let value = Typed::new(column(id), item.data_type.clone());
            if groups_natively(&item.data_type) {
                keys.push(value.expr);
                shown.push(column(id));
                continue;
            }
            keys.push(values::key(value.clone(), &self.session).expr.alias(self.fresh()));
            let form = self.fresh();
            forms.push(call(first_value_udaf(), vec![value.expr]).alias(&form));
            shown.push(column(&form).alias(id));
        }
        Ok(LogicalPlanBuilder::from(plan).aggregate(keys, forms)?.project(shown)?.build()?)
    }
}

/// A SELECT as it is written, for errors about its parts.
struct Written<'s> {
    /// The columns of FROM.
    columns: &'s [ScopeColumn],
    /// For each item of the select list, what it comes from.
    items: Vec<&'s SelectItem>,
    order: &'s [OrderByExpr],
    having: Option<&'s Sql>,
}

impl Written<'_> {
    fn in_having(&self, error: SqlError) -> SqlError {
        match self.having {
            Some(having) => error.at_place_of(having),
            None => error,
        }
    }
}

/// A select list and sort keys that wait for their plan to be finished.
struct Unfinished {
    plan: LogicalPlan,
    items: Vec<Item>,
    sorts: Vec<Sort>,
}

fn order_items(context: &Context<'_>, order: Order<'_>, items: &[Item], distinct: bool) -> SqlResult<Vec<Sort>> {
    let mut sorts = Vec::with_capacity(order.items.len());
    for item in order.items {
        let sort = || match ordinal(&item.expr, items.len(), "ORDER BY")? {
            Some(position) => {
                let (_, typed) = items.get(position).ok_or_else(|| SqlError::unsupported("this position"))?;
                Ok((context.sort_by(item, typed.clone())?, typed.clone()))
            }
            None => context.sort(item),
        };
        let (sort, typed) = sort().map_err(|error: SqlError| error.at_place_of(item))?;
        if distinct && !items.iter().any(|(_, item)| item.expr == typed.expr) {
            return Err(SqlError::trino(
                "EXPRESSION_NOT_IN_DISTINCT",
                "For SELECT DISTINCT, ORDER BY expressions must appear in select list",
            )
            .at_place_of(item));
        }
        sorts.push(sort);
    }
    Ok(sorts)
}

/// Replaces group expressions by their columns; a column of FROM (`columns`) that is left is neither grouped nor aggregated.
fn rebased(expr: Expr, groups: &[(Expr, Expr)], known: &[String], columns: &[ScopeColumn]) -> SqlResult<Expr> {
    let mut loose: Option<String> = None;
    let rebased = expr.transform_down(|expr| {
        if let Some((_, replacement)) = groups.iter().find(|(group, _)| *group == expr) {
            return Ok(Transformed::new(replacement.clone(), true, TreeNodeRecursion::Jump));
        }
        if let Expr::Column(column) = &expr
            && !known.contains(&column.name)
        {
            loose = Some(column.name.clone());
        }
        Ok(Transformed::no(expr))
    })?;
    match loose {
        None => Ok(rebased.data),
        Some(id) => {
            let name = columns.iter().find(|column| column.id == id).and_then(|column| column.name.as_deref());
            let what = name.map_or_else(|| "an expression".to_owned(), |name| format!("'{name}'"));
            Err(SqlError::trino(
                "EXPRESSION_NOT_AGGREGATE",
                format!("{what} must be an aggregate expression or appear in GROUP BY clause"),
            ))
        }
    }
}

/// Says of a name that is no column that it is an alias, which a clause does not see.
fn about_alias(error: SqlError, projection: &[SelectItem], clause: &str) -> SqlError {
    let about = projection.iter().find_map(|item| {
        let SelectItem::ExprWithAlias { alias, .. } = item else { return None };
        let unresolved = format!("Column '{}' cannot be resolved", alias.value.to_lowercase());
        (error.name() == "COLUMN_NOT_FOUND" && error.message.starts_with(&unresolved)).then_some(unresolved)
    });
    match about {
        Some(unresolved) => {
            let hint = format!("{clause} does not see the names of the select list: write the expression itself");
            SqlError { message: format!("{unresolved}; {hint}"), ..error }
        }
        None => error,
    }
}

/// The name of an unnamed item: that of the column or field it is.
fn natural_name(sql: &Sql) -> Option<String> {
    match sql {
        Sql::Identifier(name) => Some(name.value.clone()),
        Sql::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()),
        Sql::Nested(inner) => natural_name(inner),
        _ => None,
    }
}

fn shown<'c>(columns: impl Iterator<Item = &'c ScopeColumn>) -> impl Iterator<Item = Item> {
    columns.filter(|column| !column.hidden).map(|column| (column.name.clone(), column.typed()))
}

fn no_options(options: &WildcardAdditionalOptions) -> SqlResult<()> {
    match options {
        WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike: None,
            opt_exclude: None,
            opt_except: None,
            opt_replace: None,
            opt_rename: None,
            opt_alias: None,
        } => Ok(()),
        other => Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{other}`"))),
    }
}
