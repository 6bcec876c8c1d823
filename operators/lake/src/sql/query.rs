//! Queries: WITH, set operations, VALUES, ORDER BY, OFFSET, LIMIT and FETCH FIRST around a body.

use std::cell::RefCell;

use datafusion::common::{JoinType, NullEquality};
use datafusion::functions_window as df_window;
use datafusion::logical_expr::expr::{Sort, WindowFunction};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition, cast as native_cast, lit,
};
use sqlparser::ast::{
    Cte, Expr as Sql, Fetch, LimitClause, ObjectName, Offset, OrderBy, OrderByExpr, OrderByKind, Query, SetExpr,
    SetOperator, SetQuantifier, Spanned, Table, Values, With,
};
use sqlparser::tokenizer::Span;

use super::analyze::Analyzer;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Collected, Context, check_identifier};
use super::plan::refuse_too_large;
use super::relation::{Around, aliased, without_qualifiers};
use super::scope::{Ctes, Relation, Scope, ScopeColumn, Typed, column};
use super::types::Type;
use super::union::chain;
use super::values;
use super::window::NamedWindows;

/// The items of ORDER BY and how many rows are kept after them.
#[derive(Clone, Copy)]
pub(super) struct Order<'q> {
    pub(super) items: &'q [OrderByExpr],
    pub(super) skip: usize,
    pub(super) fetch: Option<usize>,
    pub(super) with_ties: bool,
}

impl Analyzer<'_> {
    /// Plans a whole statement.
    pub(super) fn statement(&self, query: &Query) -> SqlResult<Relation> {
        let ctes = Ctes::default();
        let mut relation = self.query(query, Around { ctes: &ctes, outer: None })?;
        relation.columns.retain(|column| !column.hidden);
        let columns: Vec<Expr> = relation.columns.iter().map(ScopeColumn::expr).collect();
        let shown: Vec<String> = relation.plan.schema().columns().into_iter().map(|column| column.name).collect();
        if shown.iter().eq(relation.columns.iter().map(|column| &column.id)) {
            return Ok(relation);
        }
        relation.plan = LogicalPlanBuilder::from(relation.plan).project(columns)?.build()?;
        Ok(relation)
    }

    /// Plans a subquery of an expression: it sees the columns around it. Returns those that it uses, too.
    pub(super) fn subquery(
        &self,
        query: &Query,
        ctes: &Ctes<'_>,
        outer: &Scope<'_>,
    ) -> SqlResult<(Relation, Vec<Expr>)> {
        // A scope of its own, so that what the subquery uses of it is known.
        let own = Scope { columns: outer.columns, output: &[], outer: outer.outer, used: RefCell::default() };
        let relation = self.query(query, Around { ctes, outer: Some(&own) })?;
        let mut used: Vec<Expr> = Vec::new();
        for expr in own.used.into_inner() {
            if !used.contains(&expr) {
                used.push(expr);
            }
        }
        Ok((relation, used))
    }

    pub(super) fn context<'c>(
        &'c self,
        scope: &'c Scope<'c>,
        ctes: &'c Ctes<'c>,
        clause: Clause,
        collected: &'c RefCell<Collected>,
        windows: &'c NamedWindows<'c>,
    ) -> Context<'c> {
        Context { analyzer: self, scope, ctes, clause, collected, windows }
    }

    /// Plans a query.
    pub(super) fn query(&self, query: &Query, around: Around<'_>) -> SqlResult<Relation> {
        let planned = self.nested(|| self.query_here(query, around)).and_then(|relation| {
            refuse_too_large(&relation.plan)?;
            Ok(relation)
        });
        planned.map_err(|error| error.at_span(start_of(&query.body)))
    }

    fn query_here(&self, query: &Query, around: Around<'_>) -> SqlResult<Relation> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause: None,
            settings: None,
            format_clause: None,
            pipe_operators,
        } = query
        else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{query}`")));
        };
        if !locks.is_empty() || !pipe_operators.is_empty() {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{query}`")));
        }
        let ctes = self.with(with.as_ref(), around)?;
        let around = Around { ctes: &ctes, outer: around.outer };
        let order = Self::order(order_by.as_ref(), limit_clause.as_ref(), fetch.as_ref())?;
        match &**body {
            SetExpr::Select(select) => self.select(select, order, around),
            body => {
                let relation = self.body(body, around)?;
                self.ordered(relation, order, around)
            }
        }
    }

    fn with<'a>(&self, with: Option<&With>, around: Around<'a>) -> SqlResult<Ctes<'a>> {
        let mut ctes = Ctes { parent: Some(around.ctes), queries: Vec::new() };
        let Some(With { with_token: _, recursive, cte_tables }) = with else { return Ok(ctes) };
        for (index, cte) in cte_tables.iter().enumerate() {
            let Cte { alias, query, from: None, materialized: None, closing_paren_token: _ } = cte else {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{cte}`")));
            };
            check_identifier(&alias.name)?;
            if cte_tables.iter().take(index).any(|other| other.alias.name.value.eq_ignore_ascii_case(&alias.name.value))
            {
                let message = format!("WITH query name '{}' specified more than once", alias.name.value);
                return Err(SqlError::trino("DUPLICATE_NAMED_QUERY", message).at_span(alias.name.span));
            }
            if *recursive && mentions(query, &alias.name.value) {
                return Err(SqlError::unsupported("WITH RECURSIVE").at_span(alias.name.span));
            }
            let relation = self.query(query, Around { ctes: &ctes, outer: around.outer })?;
            let mut relation = without_qualifiers(relation);
            relation.columns.retain(|column| !column.hidden);
            let relation = aliased(relation, Some(alias))?;
            ctes.queries.push((alias.name.value.clone(), relation));
        }
        Ok(ctes)
    }

    // --- ORDER BY and LIMIT ----------------------------------------------------------------------------------------------

    fn order<'q>(
        order_by: Option<&'q OrderBy>,
        limit: Option<&LimitClause>,
        fetch: Option<&Fetch>,
    ) -> SqlResult<Order<'q>> {
        let items = match order_by {
            None => &[],
            Some(OrderBy { kind: OrderByKind::Expressions(items), interpolate: None }) => items.as_slice(),
            Some(order_by) => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{order_by}`"))),
        };
        let mut order = Order { items, skip: 0, fetch: None, with_ties: false };
        match limit {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                if let Some(limit) = limit
                    && !matches!(limit, Sql::Identifier(name) if name.value.eq_ignore_ascii_case("all"))
                {
                    order.fetch = Some(count(limit)?);
                }
                if let Some(Offset { value, rows: _ }) = offset {
                    order.skip = count(value)?;
                }
            }
            Some(limit) => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{limit}`"))),
        }
        if let Some(Fetch { with_ties, percent, quantity }) = fetch {
            if *percent || order.fetch.is_some() {
                return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input in FETCH FIRST"));
            }
            let rows = quantity.as_ref().map_or(Ok(1), count)?;
            if let (0, Some(quantity)) = (rows, quantity) {
                return Err(SqlError::trino(
                    "NUMERIC_VALUE_OUT_OF_RANGE",
                    "FETCH FIRST row count must be positive (actual value: 0)",
                )
                .at_span(quantity.span()));
            }
            if *with_ties && items.is_empty() {
                return Err(SqlError::trino("MISSING_ORDER_BY", "FETCH FIRST WITH TIES clause requires ORDER BY"));
            }
            order.fetch = Some(rows);
            order.with_ties = *with_ties;
        }
        Ok(order)
    }

    /// Sorts and cuts a plan that has all the columns it is sorted by.
    pub(super) fn sorted(&self, mut plan: LogicalPlan, sorts: Vec<Sort>, order: Order<'_>) -> SqlResult<LogicalPlan> {
        if order.with_ties
            && let Some(rows) = order.fetch
        {
            // All rows whose rank is within the first ones.
            let mut function =
                WindowFunction::new(WindowFunctionDefinition::WindowUDF(df_window::rank::rank_udwf()), Vec::new());
            function.params.order_by.clone_from(&sorts);
            function.params.window_frame = datafusion::logical_expr::WindowFrame::new(Some(false));
            if order.skip > 0 {
                return Err(SqlError::unsupported("OFFSET with FETCH FIRST WITH TIES"));
            }
            let id = self.fresh();
            let kept: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
            let rank = native_cast(column(&id), Type::Bigint.to_arrow());
            plan = LogicalPlanBuilder::from(plan)
                .window([Expr::WindowFunction(Box::new(function)).alias(&id)])?
                .filter(rank.lt_eq(lit(i64::try_from(rows).unwrap_or(i64::MAX))))?
                .project(kept)?
                .sort(sorts)?
                .build()?;
            return Ok(plan);
        }
        let mut builder = LogicalPlanBuilder::from(plan);
        if !sorts.is_empty() {
            builder = builder.sort(sorts)?;
        }
        if order.skip > 0 || order.fetch.is_some() {
            builder = builder.limit(order.skip, order.fetch)?;
        }
        Ok(builder.build()?)
    }

    /// Orders a body that is no SELECT: by its output columns only.
    fn ordered(&self, relation: Relation, order: Order<'_>, around: Around<'_>) -> SqlResult<Relation> {
        if order.items.is_empty() {
            let plan = self.sorted(relation.plan, Vec::new(), order)?;
            return Ok(Relation { plan, columns: relation.columns });
        }
        let mut sorts = Vec::new();
        let mut projected: Vec<Typed> = relation.columns.iter().map(ScopeColumn::typed).collect();
        {
            let scope = Scope::new(&relation.columns, around.outer);
            let (collected, windows) = (RefCell::new(Collected::default()), NamedWindows::default());
            let context = self.context(&scope, around.ctes, Clause::OrderBy, &collected, &windows);
            for item in order.items {
                let sort = || match ordinal(&item.expr, projected.len().min(relation.columns.len()), "ORDER BY")? {
                    Some(position) => {
                        let typed = relation.columns.get(position).map(ScopeColumn::typed).ok_or_else(|| {
                            SqlError::trino("INVALID_COLUMN_REFERENCE", "ORDER BY position is not in select list")
                        })?;
                        context.sort_by(item, typed)
                    }
                    None => context.sort(item).map(|(sort, _)| sort),
                };
                sorts.push(sort().map_err(|error| error.at_place_of(item))?);
                let collected = collected.borrow();
                if !collected.aggregates.is_empty() || !collected.windows.is_empty() || !collected.after.is_empty() {
                    let what = "aggregations, window functions or subqueries in this ORDER BY";
                    return Err(SqlError::unsupported(what).at_place_of(item));
                }
            }
        }
        // Keys that are more than a column get one.
        for sort in &mut sorts {
            if !matches!(sort.expr, Expr::Column(_)) {
                projected.push(Typed::new(sort.expr.clone(), Type::Unknown));
            }
        }
        let (plan, ids) = self.project(relation.plan, &projected)?;
        let mut extra = ids.iter().skip(relation.columns.len());
        for sort in &mut sorts {
            if !matches!(sort.expr, Expr::Column(_))
                && let Some(id) = extra.next()
            {
                sort.expr = column(id);
            }
        }
        let mut columns = relation.columns;
        for (own, id) in columns.iter_mut().zip(&ids) {
            own.id.clone_from(id);
        }
        let plan = self.sorted(plan, sorts, order)?;
        Ok(Relation { plan, columns })
    }

    // --- bodies ----------------------------------------------------------------------------------------------------------

    pub(super) fn body(&self, body: &SetExpr, around: Around<'_>) -> SqlResult<Relation> {
        match body {
            SetExpr::Select(select) => {
                let order = Order { items: &[], skip: 0, fetch: None, with_ties: false };
                self.select(select, order, around)
            }
            SetExpr::Query(query) => self.query(query, around),
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier: SetQuantifier::All, .. } => {
                self.nested(|| self.union_all(&chain(body), around))
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let planned = self.nested(|| self.set_operation(left, *op, *set_quantifier, right, around));
                // What does not fit is said of the second of the two.
                planned.map_err(|error| error.at_span(start_of(right)))
            }
            SetExpr::Values(values) => self.values(values, around),
            SetExpr::Table(table) => {
                let Table { table_name: Some(table), schema_name } = &**table else {
                    return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input after TABLE"));
                };
                let mut name: Vec<sqlparser::ast::Ident> = Vec::new();
                if let Some(schema) = schema_name {
                    name.push(sqlparser::ast::Ident::new(schema));
                }
                name.push(sqlparser::ast::Ident::new(table));
                let mut relation = self.table_named(&ObjectName::from(name), around)?;
                relation.columns.retain(|column| !column.hidden);
                Ok(without_qualifiers(relation))
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => Err(SqlError::unsupported(format!("`{statement}`: it writes"))),
        }
    }

    fn values(&self, values: &Values, around: Around<'_>) -> SqlResult<Relation> {
        let Values { explicit_row: false, value_keyword: _, rows } = values else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{values}`")));
        };
        let used = around.used();
        let scope = Scope::new(&[], around.outer);
        let (collected, windows) = (RefCell::new(Collected::default()), NamedWindows::default());
        let context = self.context(&scope, around.ctes, Clause::Values, &collected, &windows);
        let mut typed: Vec<Vec<Typed>> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut items = row.content.iter().map(|item| context.expr(item)).collect::<SqlResult<Vec<_>>>()?;
            if let [Typed { data_type: Type::Row(fields), .. }] = items.as_slice() {
                let (count, only) = (fields.len(), items.remove(0));
                items = (0..count).map(|index| values::field(only.clone(), index, &self.session)).collect();
            }
            typed.push(items);
        }
        if around.used() != used {
            return Err(SqlError::unsupported("a correlated VALUES"));
        }
        let width = typed.first().map_or(0, Vec::len);
        let mut types = vec![Type::Unknown; width];
        for (row, written) in typed.iter().zip(rows) {
            let place = written.content.first().map_or_else(Span::empty, Spanned::span);
            if row.len() != width {
                return Err(SqlError::type_mismatch(format!(
                    "Values rows have mismatched sizes: {width} vs {}",
                    row.len()
                ))
                .at_span(place));
            }
            for (index, (common, item)) in types.iter_mut().zip(row).enumerate() {
                *common = common_super_type(common, &item.data_type).ok_or_else(|| {
                    SqlError::type_mismatch(format!(
                        "Values rows have mismatched types: {common} vs {}",
                        item.data_type
                    ))
                    // The fields of a ROW stand where it begins.
                    .at_span(written.content.get(index).map_or(place, Spanned::span))
                })?;
            }
        }
        let rows = typed
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .zip(&types)
                    .map(|(item, to)| {
                        let expr = self.coerce(item, to)?.expr;
                        self.lowered(expr, &datafusion::common::DFSchema::empty())
                    })
                    .collect::<SqlResult<Vec<Expr>>>()
            })
            .collect::<SqlResult<Vec<_>>>()?;
        let plan = LogicalPlanBuilder::values(rows)?.build()?;
        let mut projected = Vec::with_capacity(width);
        let mut columns = Vec::with_capacity(width);
        for (own, data_type) in plan.schema().columns().into_iter().zip(types) {
            let id = self.fresh();
            projected.push(Expr::Column(own).alias(&id));
            columns.push(ScopeColumn { name: None, relation: None, data_type, id, hidden: false });
        }
        Ok(Relation { plan: LogicalPlanBuilder::from(plan).project(projected)?.build()?, columns })
    }

    fn set_operation(
        &self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
        around: Around<'_>,
    ) -> SqlResult<Relation> {
        let all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::Distinct | SetQuantifier::None => false,
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input after {op}")));
            }
        };
        let left = self.body(left, around)?;
        let right = self.body(right, around)?;
        let (left, right, columns) = self.aligned(left, right, op)?;
        if let Some(odd) = columns.iter().find(|column| !groups_natively(&column.data_type)) {
            return Err(SqlError::unsupported(format!("a set operation on {}", odd.data_type)));
        }
        let plan = match op {
            // UNION ALL is none of these.
            SetOperator::Union => LogicalPlanBuilder::from(left).union(right)?.distinct()?.build()?,
            SetOperator::Intersect | SetOperator::Except => {
                let keep = if op == SetOperator::Intersect { JoinType::LeftSemi } else { JoinType::LeftAnti };
                self.matched(left, right, &columns, keep, all)?
            }
            SetOperator::Minus => return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input 'MINUS'")),
        };
        Ok(Relation { plan, columns })
    }

    /// Brings two relations to the same types, and to values that are equal when Trino says so; the columns of the result are called as
    /// the left ones.
    fn aligned(
        &self,
        left: Relation,
        right: Relation,
        op: SetOperator,
    ) -> SqlResult<(LogicalPlan, LogicalPlan, Vec<ScopeColumn>)> {
        let (mut left, mut right) = (left, right);
        left.columns.retain(|column| !column.hidden);
        right.columns.retain(|column| !column.hidden);
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::type_mismatch(format!(
                "{op} query has different number of fields: {}, {}",
                left.columns.len(),
                right.columns.len()
            )));
        }
        let mut sides = (Vec::new(), Vec::new());
        let mut columns = Vec::new();
        for (index, (own, other)) in left.columns.iter().zip(&right.columns).enumerate() {
            let data_type = common_super_type(&own.data_type, &other.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "column {} in {op} query has incompatible types: {}, {}",
                    index + 1,
                    own.data_type,
                    other.data_type
                ))
            })?;
            let id = self.fresh();
            let side = |column: &ScopeColumn| -> SqlResult<Expr> {
                let value = self.coerce(column.typed(), &data_type)?;
                let value = if is_floating(&data_type) { values::key(value, &self.session) } else { value };
                Ok(value.expr.alias(&id))
            };
            sides.0.push(side(own)?);
            sides.1.push(side(other)?);
            columns.push(ScopeColumn { name: own.name.clone(), relation: None, data_type, id, hidden: false });
        }
        let left = LogicalPlanBuilder::from(left.plan).project(sides.0)?.build()?;
        let right = LogicalPlanBuilder::from(right.plan).project(sides.1)?.build()?;
        Ok((left, right, columns))
    }

    /// INTERSECT and EXCEPT: NULL equals NULL; with ALL, each copy of a row meets one copy on the other side.
    fn matched(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        columns: &[ScopeColumn],
        keep: JoinType,
        all: bool,
    ) -> SqlResult<LogicalPlan> {
        let number = |plan: LogicalPlan, id: &str| -> SqlResult<LogicalPlan> {
            if !all {
                return Ok(LogicalPlanBuilder::from(plan).distinct()?.build()?);
            }
            let row_number = WindowFunctionDefinition::WindowUDF(df_window::row_number::row_number_udwf());
            let mut function = WindowFunction::new(row_number, Vec::new());
            function.params.partition_by = columns.iter().map(ScopeColumn::expr).collect();
            let numbered = Expr::WindowFunction(Box::new(function)).alias(id);
            Ok(LogicalPlanBuilder::from(plan).window([numbered])?.build()?)
        };
        let (left_number, right_number) = (self.fresh(), self.fresh());
        let left = number(left, &left_number)?;
        let right = number(right, &right_number)?;
        let mut renamed = Vec::new();
        let mut keys: (Vec<datafusion::common::Column>, Vec<datafusion::common::Column>) = (Vec::new(), Vec::new());
        for own in columns {
            let id = self.fresh();
            renamed.push(own.expr().alias(&id));
            keys.0.push(datafusion::common::Column::new_unqualified(&own.id));
            keys.1.push(datafusion::common::Column::new_unqualified(&id));
        }
        if all {
            renamed.push(column(&right_number));
            keys.0.push(datafusion::common::Column::new_unqualified(&left_number));
            keys.1.push(datafusion::common::Column::new_unqualified(&right_number));
        }
        let right = LogicalPlanBuilder::from(right).project(renamed)?.build()?;
        let joined =
            LogicalPlanBuilder::from(left).join_detailed(right, keep, keys, None, NullEquality::NullEqualsNull)?;
        Ok(joined.project(columns.iter().map(ScopeColumn::expr))?.build()?)
    }
}

/// Returns where a body begins: its first SELECT or row.
pub(super) fn start_of(body: &SetExpr) -> Span {
    let mut body = body;
    loop {
        body = match body {
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            SetExpr::Select(select) => return select.select_token.0.span,
            SetExpr::Values(values) => {
                return values.rows.first().and_then(|row| row.content.first()).map_or_else(Span::empty, Spanned::span);
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => {
                return Span::empty();
            }
        };
    }
}

/// Tells whether `DataFusion` puts values of this type into the same group when Trino does.
pub(super) fn groups_natively(data_type: &Type) -> bool {
    match data_type {
        Type::TimestampTz(_) | Type::TimeTz(_) | Type::Map(..) => false,
        Type::Array(element) => !is_floating(element) && groups_natively(element),
        Type::Row(fields) => fields.iter().all(|(_, field)| !is_floating(field) && groups_natively(field)),
        _ => true,
    }
}

/// Tells whether values that are the same to Trino have the same `values::key`. NaN as a key of a map is not even itself there.
pub(super) fn groups_by_key(data_type: &Type) -> bool {
    fn holds_floating(data_type: &Type) -> bool {
        match data_type {
            Type::Array(element) => holds_floating(element),
            Type::Row(fields) => fields.iter().any(|(_, field)| holds_floating(field)),
            Type::Map(key, value) => holds_floating(key) || holds_floating(value),
            other => is_floating(other),
        }
    }
    match data_type {
        Type::Map(key, value) => !holds_floating(key) && groups_by_key(key) && groups_by_key(value),
        Type::Array(element) => groups_by_key(element),
        Type::Row(fields) => fields.iter().all(|(_, field)| groups_by_key(field)),
        _ => true,
    }
}

/// Zeros and NaNs of several forms: by themselves they are brought to one (`values::key`), inside of others they are not.
fn is_floating(data_type: &Type) -> bool {
    matches!(data_type, Type::Real | Type::Double)
}

/// Reads a position in the select list, from 0.
pub(super) fn ordinal(sql: &Sql, count: usize, clause: &str) -> SqlResult<Option<usize>> {
    let Sql::Value(value) = sql else { return Ok(None) };
    let sqlparser::ast::Value::Number(text, false) = &value.value else { return Ok(None) };
    let Ok(position) = text.parse::<usize>() else { return Ok(None) };
    if (1..=count).contains(&position) {
        return Ok(Some(position - 1));
    }
    Err(SqlError::trino("INVALID_COLUMN_REFERENCE", format!("{clause} position {position} is not in select list"))
        .at_span(value.span))
}

/// Reads the number of LIMIT, OFFSET or FETCH FIRST.
fn count(sql: &Sql) -> SqlResult<usize> {
    let wrong = || {
        SqlError::trino("SYNTAX_ERROR", format!("mismatched input '{sql}'. Expecting: a number of rows"))
            .at_span(sql.span())
    };
    let Sql::Value(value) = sql else { return Err(wrong()) };
    let sqlparser::ast::Value::Number(text, false) = &value.value else { return Err(wrong()) };
    text.parse::<usize>().map_err(|_| wrong())
}

/// Tells whether a query's text names a table like this.
fn mentions(query: &Query, name: &str) -> bool {
    let name = name.to_lowercase();
    let text = query.to_string().to_lowercase();
    text.split(|character: char| !(character.is_alphanumeric() || character == '_')).any(|word| word == name)
}
