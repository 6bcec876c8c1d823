//! What names mean: columns of relations, queries of WITH, and the queries around a subquery.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan};
use sqlparser::ast::Ident;

use super::error::{SqlError, SqlResult};
use super::resolve::nearest;
use super::types::Type;

/// An expression of the plan and its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) data_type: Type,
}

impl Typed {
    pub(super) fn new(expr: Expr, data_type: Type) -> Self {
        Self { expr, data_type }
    }
}

/// A column of a relation.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// The name as written (names are compared without regard to case), or nothing for an unnamed expression.
    pub(super) name: Option<String>,
    /// The alias or table that qualifies it.
    pub(super) relation: Option<Qualifier>,
    /// The type.
    pub(super) data_type: Type,
    /// The column's name in the plan, unique in the statement.
    pub(super) id: String,
    /// Whether `*` passes over it.
    pub(super) hidden: bool,
}

/// What stands before a column's name.
#[derive(Debug, Clone)]
pub(super) struct Qualifier {
    /// The database, unless it is an alias.
    pub(super) database: Option<String>,
    /// The table or alias.
    pub(super) table: String,
}

impl Qualifier {
    fn matches(&self, parts: &[Ident]) -> bool {
        match parts {
            [table] => same(&table.value, &self.table),
            [database, table] => {
                same(&table.value, &self.table)
                    && self.database.as_deref().is_some_and(|own| same(&database.value, own))
            }
            _ => false,
        }
    }
}

impl ScopeColumn {
    pub(super) fn expr(&self) -> Expr {
        column(&self.id)
    }

    pub(super) fn typed(&self) -> Typed {
        Typed::new(self.expr(), self.data_type.clone())
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_some_and(|own| same(own, name))
    }

    /// Tells whether `parts` (`t` or `db.t`) is what stands before this column.
    pub(super) fn is_of(&self, parts: &[Ident]) -> bool {
        self.relation.as_ref().is_some_and(|relation| relation.matches(parts))
    }
}

/// Refers to a column of the plan by its unique name.
pub(super) fn column(id: &str) -> Expr {
    Expr::Column(Column::new_unqualified(id))
}

/// Compares names as Trino does: quoted or not, without regard to case.
pub(super) fn same(left: &str, right: &str) -> bool {
    left == right || left.to_lowercase() == right.to_lowercase()
}

/// A plan and what its columns are called.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) plan: LogicalPlan,
    pub(super) columns: Vec<ScopeColumn>,
}

/// The queries of WITH that can be named.
#[derive(Debug, Default)]
pub(super) struct Ctes<'p> {
    pub(super) parent: Option<&'p Self>,
    pub(super) queries: Vec<(String, Relation)>,
}

impl Ctes<'_> {
    pub(super) fn find(&self, name: &str) -> Option<&Relation> {
        let own = self.queries.iter().rev().find(|(own, _)| same(own, name)).map(|(_, relation)| relation);
        own.or_else(|| self.parent.and_then(|parent| parent.find(name)))
    }
}

/// The columns that an expression sees, and those of the queries around it.
#[derive(Debug)]
pub(super) struct Scope<'p> {
    /// The columns of FROM.
    pub(super) columns: &'p [ScopeColumn],
    /// What ORDER BY sees before the columns of FROM: the output columns.
    pub(super) output: &'p [(Option<String>, Typed)],
    /// The scope of the query around.
    pub(super) outer: Option<&'p Self>,
    /// Its columns that a subquery used, as `DataFusion`'s outer references.
    pub(super) used: RefCell<Vec<Expr>>,
}

impl<'p> Scope<'p> {
    pub(super) fn new(columns: &'p [ScopeColumn], outer: Option<&'p Self>) -> Self {
        Self { columns, output: &[], outer, used: RefCell::new(Vec::new()) }
    }

    /// Finds what `a`, `t.a`, `db.t.a` names; the rest of the parts are fields of it.
    pub(super) fn resolve<'i>(&self, parts: &'i [Ident]) -> SqlResult<(Typed, &'i [Ident])> {
        if let [name] = parts {
            let mut found =
                self.output.iter().filter(|(own, _)| own.as_deref().is_some_and(|own| same(own, &name.value)));
            if let Some((_, typed)) = found.next() {
                if found.any(|(_, other)| other.expr != typed.expr) {
                    return Err(ambiguous(name));
                }
                return Ok((typed.clone(), &[]));
            }
        }
        if let Some(found) = find(self.columns, parts)? {
            return Ok((found.0.typed(), found.1));
        }
        let mut outer = self.outer;
        let mut levels = 1;
        while let Some(scope) = outer {
            if let Some((found, rest)) = find(scope.columns, parts)? {
                if levels > 1 {
                    let name = shown(parts);
                    return Err(SqlError::unsupported(format!("`{name}` of a query that is not the next one around"))
                        .at_span(span(parts)));
                }
                let field = Arc::new(Field::new(&found.id, found.data_type.to_arrow(), true));
                let expr = Expr::OuterReferenceColumn(field, Column::new_unqualified(&found.id));
                scope.used.borrow_mut().push(expr.clone());
                return Ok((Typed::new(expr, found.data_type.clone()), rest));
            }
            outer = scope.outer;
            levels += 1;
        }
        let hint = self.meant(parts).unwrap_or_default();
        Err(SqlError::trino("COLUMN_NOT_FOUND", format!("Column '{}' cannot be resolved{hint}", shown(parts)))
            .at_span(span(parts)))
    }

    /// Says what may be meant by a name that is none: a column that is near, or a text.
    fn meant(&self, parts: &[Ident]) -> Option<String> {
        let name = parts.last()?;
        let columns = self.columns.iter().filter(|column| !column.hidden).filter_map(|column| column.name.as_deref());
        let near = nearest(&name.value.to_lowercase(), columns);
        if let Some(near) = near {
            return Some(format!("; did you mean `{near}`?"));
        }
        // A hidden column (`"$path"`) needs its quotes.
        (parts.len() == 1 && name.quote_style == Some('"') && !name.value.starts_with('$'))
            .then(|| format!("; a text stands in single quotes: '{}'", name.value))
    }
}

/// Finds a column of these: the longest qualifier first, as `t.a` is a column before it is a field.
fn find<'c, 'i>(columns: &'c [ScopeColumn], parts: &'i [Ident]) -> SqlResult<Option<(&'c ScopeColumn, &'i [Ident])>> {
    for prefix in (0..parts.len().min(3)).rev() {
        let (qualifier, rest) = parts.split_at(prefix);
        let Some((name, fields)) = rest.split_first() else { continue };
        let mut found = columns
            .iter()
            .filter(|column| column.is_named(&name.value) && (qualifier.is_empty() || column.is_of(qualifier)));
        if let Some(first) = found.next() {
            if found.next().is_some() {
                return Err(ambiguous(name));
            }
            return Ok(Some((first, fields)));
        }
    }
    Ok(None)
}

fn ambiguous(name: &Ident) -> SqlError {
    SqlError::trino("AMBIGUOUS_NAME", format!("Column '{}' is ambiguous", name.value)).at_span(name.span)
}

fn shown(parts: &[Ident]) -> String {
    parts.iter().map(|part| part.value.to_lowercase()).collect::<Vec<_>>().join(".")
}

fn span(parts: &[Ident]) -> sqlparser::tokenizer::Span {
    parts.first().map_or_else(sqlparser::tokenizer::Span::empty, |part| part.span)
}
