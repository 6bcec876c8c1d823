//! FROM: tables, queries in parentheses, joins.

use std::cell::RefCell;
use std::sync::Arc;

use datafusion::common::{DFSchema, JoinType};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{
    Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, Projection, cast as native_cast, lit,
};
use sqlparser::ast::{
    BinaryOperator, Expr as Sql, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName,
    ObjectNamePart, TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs, TableWithJoins,
};

use super::analyze::Analyzer;
use super::coerce::common_super_type;
use super::error::{SqlError, SqlResult};
use super::expression::{Clause, Collected, check_identifier};
use super::plan::Found;
use super::scope::{Ctes, Qualifier, Relation, Scope, ScopeColumn, Typed, same};
use super::types::Type;
use super::window::NamedWindows;
use crate::name::TableName;

/// The schema of tables about tables; those that the resolver does not have are not supported.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// What stands around a FROM.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) ctes: &'a Ctes<'a>,
    pub(super) outer: Option<&'a Scope<'a>>,
}

impl Around<'_> {
    /// How often a column of the query around was used so far.
    pub(super) fn used(&self) -> usize {
        self.outer.map_or(0, |outer| outer.used.borrow().len())
    }
}

/// An element of FROM.
enum Factor<'s> {
    Relation(Relation),
    Unnest { arguments: Vec<&'s Sql>, ordinality: bool, alias: Option<&'s TableAlias> },
}

impl Analyzer<'_> {
    /// Plans FROM; without one, a single row without columns.
    pub(super) fn from(&self, tables: &[TableWithJoins], around: Around<'_>) -> SqlResult<Relation> {
        let mut result: Option<Relation> = None;
        for TableWithJoins { relation, joins } in tables {
            let factor = self.factor(relation, around).map_err(|error| error.at_place_of(relation))?;
            let mut current = match factor {
                Factor::Relation(relation) => match result.take() {
                    // The first table's joins bind closer than the comma.
                    Some(left) if joins.is_empty() => Self::cross(left, relation)?,
                    Some(left) => {
                        let mut right = relation;
                        for join in joins {
                            right = self.join(right, join, around)?;
                        }
                        result = Some(Self::cross(left, right)?);
                        continue;
                    }
                    None => relation,
                },
                unnest @ Factor::Unnest { .. } => {
                    let left = result.take().unwrap_or_else(one_row);
                    self.joined(left, unnest, &Kind::Cross, around).map_err(|error| error.at_place_of(relation))?
                }
            };
            for join in joins {
                current = self.join(current, join, around)?;
            }
            result = Some(current);
        }
        Ok(result.unwrap_or_else(one_row))
    }

    fn cross(left: Relation, right: Relation) -> SqlResult<Relation> {
        let plan = if is_no_table(&left) {
            right.plan
        } else {
            LogicalPlanBuilder::from(left.plan).cross_join(right.plan)?.build()?
        };
        Ok(Relation { plan, columns: left.columns.into_iter().chain(right.columns).collect() })
    }

    fn factor<'s>(&self, factor: &'s TableFactor, around: Around<'_>) -> SqlResult<Factor<'s>> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: Some(TableFunctionArgs { args, settings: None }),
                with_hints,
                version: None,
                with_ordinality,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                if !name.to_string().eq_ignore_ascii_case("unnest") {
                    return Err(SqlError::unsupported(format!("the table function `{name}`")));
                }
                let arguments = args
                    .iter()
                    .map(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
                        other => Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{other}`"))),
                    })
                    .collect::<SqlResult<Vec<_>>>()?;
                Ok(Factor::Unnest { arguments, ordinality: *with_ordinality, alias: alias.as_ref() })
            }
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let relation = self.table_named(name, around)?;
                Ok(Factor::Relation(aliased(relation, alias.as_ref())?))
            }
            TableFactor::Derived { lateral, subquery, alias, sample: None } => {
                if *lateral {
                    return Err(SqlError::unsupported("LATERAL"));
                }
                let relation = self.query(subquery, around)?;
                let mut relation = without_qualifiers(relation);
                relation.columns.retain(|column| !column.hidden);
                Ok(Factor::Relation(aliased(relation, alias.as_ref())?))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let relation = self.from(std::slice::from_ref(table_with_joins), around)?;
                Ok(Factor::Relation(aliased(relation, alias.as_ref())?))
            }
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                Err(SqlError::unsupported("TABLESAMPLE"))
            }
            TableFactor::Table { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => Err(SqlError::unsupported(format!("`{factor}` in FROM"))),
        }
    }

    /// Reads a table or a query of WITH.
    pub(super) fn table_named(&self, name: &ObjectName, around: Around<'_>) -> SqlResult<Relation> {
        let parts = name
            .0
            .iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) => check_identifier(ident).map(|()| ident),
                ObjectNamePart::Function(_) => {
                    Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{name}`")))
                }
            })
            .collect::<SqlResult<Vec<&Ident>>>()?;
        let (database, table) = match parts.as_slice() {
            [table] => {
                if let Some(query) = around.ctes.find(&table.value) {
                    let mut relation = self.renamed(query)?;
                    for column in &mut relation.columns {
                        column.relation = Some(Qualifier { database: None, table: table.value.clone() });
                    }
                    return Ok(relation);
                }
                let Some(database) = self.database.borrow().clone() else {
                    return Err(SqlError::trino(
                        "MISSING_SCHEMA_NAME",
                        format!("`{}` needs a database: write `database.{}`", table.value, table.value),
                    )
                    .at_span(table.span));
                };
                (database, *table)
            }
            [database, table] => (database.value.clone(), *table),
            [catalog, database, table] => {
                if !same(&catalog.value, "awsdatacatalog") {
                    return Err(SqlError::trino("CATALOG_NOT_FOUND", format!("Catalog '{}' not found", catalog.value))
                        .at_span(catalog.span));
                }
                (database.value.clone(), *table)
            }
            _ => return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{name}`"))),
        };
        let not_found = || {
            if same(&database, INFORMATION_SCHEMA) {
                let what = format!("{INFORMATION_SCHEMA}.{}", table.value.to_lowercase());
                return SqlError::unsupported(what).at_span(table.span);
            }
            SqlError::trino(
                "TABLE_NOT_FOUND",
                format!("Table '{database}.{}' does not exist", table.value.to_lowercase()),
            )
            .at_span(table.span)
        };
        if table.value.contains('$') {
            return Err(SqlError::unsupported(format!("the metadata table `{}`", table.value)).at_span(table.span));
        }
        let full = TableName::new(&database, &table.value).map_err(|_| not_found())?;
        let resolved = match self.table(&full)?.ok_or_else(not_found)? {
            Found::Table(table) => table,
            Found::View(view, query) => {
                return self.view(&full, view, query).map_err(|error| error.at_span(table.span));
            }
        };

        // Every scan under a name of its own: a table may be read twice.
        let scan_name = self.fresh();
        let source = provider_as_source(Arc::clone(&resolved.provider));
        let scan = LogicalPlanBuilder::scan(scan_name.as_str(), source, None)?.build()?;
        let schema = scan.schema();
        let mut projected = Vec::new();
        let mut fields = Vec::new();
        let mut columns = Vec::with_capacity(resolved.columns.len());
        self.widest.set(self.widest.get().max(resolved.columns.len()));
        for (index, (column_name, data_type)) in resolved.columns.iter().enumerate() {
            let (qualifier, field) = schema.qualified_field(index);
            let expected = data_type.to_arrow();
            let value = Expr::Column(datafusion::common::Column::new(qualifier.cloned(), field.name()));
            let value = if field.data_type() == &expected {
                value
            } else if holds_the_same(field.data_type(), &expected) {
                native_cast(value, expected)
            } else {
                return Err(SqlError::unsupported(format!(
                    "column `{column_name}` of {full}: {} where {data_type} is expected",
                    field.data_type()
                )));
            };
            let id = self.fresh();
            let is_last_chance = projected.is_empty() && index + 1 == resolved.columns.len();
            if is_last_chance || self.reads(&id) {
                // The field is known: to look it up by its name takes the longer the more columns there are.
                let field = match &value {
                    Expr::Column(_) => Arc::new(field.as_ref().clone().with_name(&id)),
                    cast => Arc::new(cast.to_field(schema)?.1.as_ref().clone().with_name(&id)),
                };
                fields.push((None, field));
                projected.push(value.alias(&id));
            }
            columns.push(ScopeColumn {
                name: Some(column_name.clone()),
                relation: Some(Qualifier { database: Some(full.database.clone()), table: full.table.clone() }),
                data_type: data_type.clone(),
                id,
                hidden: column_name.starts_with('$'),
            });
        }
        let schema = DFSchema::new_with_metadata(fields, schema.metadata().clone())?;
        let projection = Projection::try_new_with_schema(projected, Arc::new(scan), Arc::new(schema))?;
        Ok(Relation { plan: LogicalPlan::Projection(projection), columns })
    }

    // --- joins -----------------------------------------------------------------------------------------------------------

    fn join(&self, left: Relation, join: &Join, around: Around<'_>) -> SqlResult<Relation> {
        self.join_here(left, join, around).map_err(|error| error.at_place_of(&join.relation))
    }

    fn join_here(&self, left: Relation, join: &Join, around: Around<'_>) -> SqlResult<Relation> {
        let Join { relation, global: false, join_operator } = join else {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{join}`")));
        };
        let kind = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => Kind::On(JoinType::Inner, constraint),
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                Kind::On(JoinType::Left, constraint)
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                Kind::On(JoinType::Right, constraint)
            }
            JoinOperator::FullOuter(constraint) => Kind::On(JoinType::Full, constraint),
            JoinOperator::CrossJoin(JoinConstraint::None) => Kind::Cross,
            JoinOperator::CrossJoin(_)
            | JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{join}`")));
            }
        };
        let factor = self.factor(relation, around)?;
        self.joined(left, factor, &kind, around)
    }

    fn joined(&self, left: Relation, factor: Factor<'_>, kind: &Kind<'_>, around: Around<'_>) -> SqlResult<Relation> {
        let right = match factor {
            Factor::Relation(right) => right,
            Factor::Unnest { arguments, ordinality, alias } => {
                let outer = match kind {
                    Kind::Cross => false,
                    Kind::On(join_type @ (JoinType::Inner | JoinType::Left), JoinConstraint::On(condition))
                        if is_true(condition) =>
                    {
                        *join_type == JoinType::Left
                    }
                    Kind::On(..) => {
                        return Err(SqlError::trino(
                            "NOT_SUPPORTED",
                            "UNNEST is joined by CROSS JOIN, or by LEFT or INNER JOIN ON TRUE",
                        ));
                    }
                };
                let arguments = {
                    let used = around.used();
                    let scope = Scope::new(&left.columns, around.outer);
                    let (collected, windows) = (RefCell::new(Collected::default()), NamedWindows::default());
                    let context = self.context(&scope, around.ctes, Clause::Unnest, &collected, &windows);
                    let arguments =
                        arguments.into_iter().map(|argument| context.expr(argument)).collect::<SqlResult<Vec<_>>>()?;
                    if around.used() != used {
                        return Err(SqlError::unsupported("a correlated UNNEST"));
                    }
                    arguments
                };
                let (left, unnested) = self.unnested(left, arguments, ordinality, outer)?;
                let unnested = aliased(Relation { plan: left.plan.clone(), columns: unnested }, alias)?;
                let columns = left.columns.into_iter().chain(unnested.columns).collect();
                return Ok(Relation { plan: left.plan, columns });
            }
        };
        match kind {
            Kind::Cross => Self::cross(left, right),
            Kind::On(join_type, JoinConstraint::On(condition)) => {
                let columns: Vec<ScopeColumn> = left.columns.iter().chain(&right.columns).cloned().collect();
                let condition = {
                    let used = around.used();
                    let scope = Scope::new(&columns, around.outer);
                    let (collected, windows) = (RefCell::new(Collected::default()), NamedWindows::default());
                    let context = self.context(&scope, around.ctes, Clause::Join, &collected, &windows);
                    let kept: &[ScopeColumn] = match join_type {
                        JoinType::Left => &left.columns,
                        JoinType::Right => &right.columns,
                        JoinType::Full => &columns,
                        _ => &[],
                    };
                    let condition = context.filter(condition, "JOIN ON clause", kept)?.unwrap_or_else(|| lit(true));
                    if around.used() != used {
                        return Err(SqlError::unsupported("a correlated condition of a join"));
                    }
                    condition
                };
                let plan = self.join_plan(left.plan, right.plan, *join_type, condition)?;
                Ok(Relation { plan, columns })
            }
            Kind::On(join_type, JoinConstraint::Using(names)) => self.using(left, right, *join_type, names, around),
            Kind::On(_, JoinConstraint::Natural) => Err(SqlError::trino("NOT_SUPPORTED", "Natural join not supported")),
            Kind::On(_, JoinConstraint::None) => {
                Err(SqlError::trino("SYNTAX_ERROR", "mismatched input: a join needs ON or USING"))
            }
        }
    }

    fn join_plan(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        join_type: JoinType,
        condition: Expr,
    ) -> SqlResult<LogicalPlan> {
        if join_type == JoinType::Inner && condition == lit(true) {
            return Ok(LogicalPlanBuilder::from(left).cross_join(right)?.build()?);
        }
        let schema = left.schema().join(right.schema())?;
        let condition = self.lowered(condition, &schema)?;
        let joined = LogicalPlanBuilder::from(left).join_on(right, join_type, split_conjunction_owned(condition))?;
        Ok(joined.build()?)
    }

    fn using(
        &self,
        left: Relation,
        right: Relation,
        join_type: JoinType,
        names: &[ObjectName],
        around: Around<'_>,
    ) -> SqlResult<Relation> {
        let mut condition: Option<Expr> = None;
        let mut keys: Vec<(String, Typed)> = Vec::new();
        let mut merged: Vec<String> = Vec::new();
        for name in names {
            let [ObjectNamePart::Identifier(name)] = name.0.as_slice() else {
                return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{name}`")));
            };
            let left_key = using_column(&left, name)?;
            let right_key = using_column(&right, name)?;
            let common = common_super_type(&left_key.data_type, &right_key.data_type).ok_or_else(|| {
                SqlError::type_mismatch(format!(
                    "Column types of left and right sides of the join cannot be compared: {} and {}",
                    left_key.data_type, right_key.data_type
                ))
                .at_span(name.span)
            })?;
            let left_value = self.coerce(left_key.typed(), &common)?;
            let right_value = self.coerce(right_key.typed(), &common)?;
            let nothing = Scope::new(&[], None);
            let (collected, windows) = (RefCell::new(Collected::default()), NamedWindows::default());
            let context = self.context(&nothing, around.ctes, Clause::Join, &collected, &windows);
            let equal = context.compare(BinaryOperator::Eq, left_value.clone(), right_value.clone())?.expr;
            condition = Some(match condition {
                Some(condition) => condition.and(equal),
                None => equal,
            });
            let value = match join_type {
                JoinType::Right => right_value,
                JoinType::Full => {
                    let there = Typed::new(left_value.expr.clone().is_not_null(), Type::Boolean);
                    context.conditional(vec![(there, left_value)], Some(right_value), "JOIN USING")?
                }
                _ => left_value,
            };
            let shown = left_key.name.clone().unwrap_or_else(|| name.value.clone());
            keys.push((shown, value));
            merged.extend([left_key.id.clone(), right_key.id.clone()]);
        }
        let Some(condition) = condition else {
            return Err(SqlError::trino("SYNTAX_ERROR", "mismatched input: USING without columns"));
        };
        let rest: Vec<ScopeColumn> =
            left.columns.iter().chain(&right.columns).filter(|column| !merged.contains(&column.id)).cloned().collect();
        let plan = self.join_plan(left.plan, right.plan, join_type, condition)?;
        let mut projected: Vec<Typed> = keys.iter().map(|(_, value)| value.clone()).collect();
        projected.extend(rest.iter().map(ScopeColumn::typed));
        let (plan, ids) = self.project(plan, &projected)?;
        let mut columns: Vec<ScopeColumn> = keys
            .into_iter()
            .map(|(name, value)| ScopeColumn {
                name: Some(name),
                relation: None,
                data_type: value.data_type,
                id: String::new(),
                hidden: false,
            })
            .chain(rest)
            .collect();
        for (column, id) in columns.iter_mut().zip(ids) {
            column.id = id;
        }
        Ok(Relation { plan, columns })
    }
}

enum Kind<'s> {
    Cross,
    On(JoinType, &'s JoinConstraint),
}

fn is_true(condition: &Sql) -> bool {
    matches!(condition, Sql::Value(value) if value.value == sqlparser::ast::Value::Boolean(true))
}

/// A single row without columns.
pub(super) fn one_row() -> Relation {
    let plan = LogicalPlanBuilder::empty(true).build();
    Relation {
        plan: plan.unwrap_or_else(|_| {
            LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
                produce_one_row: true,
                schema: std::sync::Arc::new(datafusion::common::DFSchema::empty()),
            })
        }),
        columns: Vec::new(),
    }
}

fn is_no_table(relation: &Relation) -> bool {
    matches!(&relation.plan, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row)
}

fn using_column<'r>(relation: &'r Relation, name: &Ident) -> SqlResult<&'r ScopeColumn> {
    let mut found = relation.columns.iter().filter(|column| column.is_named(&name.value));
    match (found.next(), found.next()) {
        (Some(column), None) => Ok(column),
        (Some(_), Some(_)) => {
            Err(SqlError::trino("AMBIGUOUS_NAME", format!("Column '{}' is ambiguous", name.value)).at_span(name.span))
        }
        (None, _) => Err(SqlError::trino(
            "COLUMN_NOT_FOUND",
            format!("Column '{}' is missing from one side of join", name.value),
        )
        .at_span(name.span)),
    }
}

pub(super) fn without_qualifiers(mut relation: Relation) -> Relation {
    for column in &mut relation.columns {
        column.relation = None;
    }
    relation
}

/// Gives a relation an alias, and its columns new names.
pub(super) fn aliased(mut relation: Relation, alias: Option<&TableAlias>) -> SqlResult<Relation> {
    let Some(TableAlias { explicit: _, name, columns, at: None }) = alias else {
        return match alias {
            None => Ok(relation),
            Some(alias) => Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: `{alias}`"))),
        };
    };
    check_identifier(name)?;
    for column in &mut relation.columns {
        column.relation = Some(Qualifier { database: None, table: name.value.clone() });
    }
    if columns.is_empty() {
        return Ok(relation);
    }
    relation.columns.retain(|column| !column.hidden);
    if columns.len() != relation.columns.len() {
        return Err(SqlError::trino(
            "MISMATCHED_COLUMN_ALIASES",
            format!(
                "Column alias list has {} entries but '{}' has {} columns available",
                columns.len(),
                name.value,
                relation.columns.len()
            ),
        )
        .at_span(name.span));
    }
    for (column, TableAliasColumnDef { name, data_type }) in relation.columns.iter_mut().zip(columns) {
        if data_type.is_some() {
            return Err(SqlError::trino("SYNTAX_ERROR", format!("mismatched input: a type after `{name}`")));
        }
        check_identifier(name)?;
        column.name = Some(name.value.clone());
    }
    Ok(relation)
}

/// Tells whether two Arrow types hold the same values: other widths of offsets, views, dictionaries, units of time.
fn holds_the_same(from: &arrow::datatypes::DataType, to: &arrow::datatypes::DataType) -> bool {
    use arrow::datatypes::DataType as Arrow;
    match (from, to) {
        (Arrow::Dictionary(_, value), to) => value.as_ref() == to || holds_the_same(value, to),
        (Arrow::LargeUtf8 | Arrow::Utf8View | Arrow::Utf8, Arrow::Utf8)
        | (Arrow::LargeBinary | Arrow::BinaryView | Arrow::FixedSizeBinary(_), Arrow::Binary)
        | (Arrow::Timestamp(_, None), Arrow::Timestamp(_, None)) => true,
        (Arrow::List(from) | Arrow::LargeList(from), Arrow::List(to)) | (Arrow::Map(from, _), Arrow::Map(to, _)) => {
            from.data_type() == to.data_type() || holds_the_same(from.data_type(), to.data_type())
        }
        (Arrow::Struct(from), Arrow::Struct(to)) => {
            from.len() == to.len()
                && from.iter().zip(to).all(|(from, to)| {
                    from.data_type() == to.data_type() || holds_the_same(from.data_type(), to.data_type())
                })
        }
        _ => false,
    }
}
