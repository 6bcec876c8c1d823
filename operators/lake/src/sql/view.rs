//! Views: the query of a view stands in for its name, in the view's own database and with the columns that it was made with.

use sqlparser::ast::Query;

use super::analyze::Analyzer;
use super::coerce::can_coerce;
use super::error::{Refusal, SqlError, SqlResult};
use super::plan::ResolvedView;
use super::relation::Around;
use super::scope::{Ctes, Qualifier, Relation, ScopeColumn, Typed};
use crate::name::TableName;

impl Analyzer<'_> {
    /// Plans the query of a view.
    pub(super) fn view(&self, name: &TableName, view: &ResolvedView, query: &Query) -> SqlResult<Relation> {
        if self.views.borrow().contains(name) {
            return Err(SqlError::trino(
                "VIEW_IS_RECURSIVE",
                format!("Statement stack: view 'awsdatacatalog.{name}' reads itself"),
            ));
        }
        self.views.borrow_mut().push(name.clone());
        let around = self.database.replace(view.database.clone());
        let ctes = Ctes::default();
        let planned = self.query(query, Around { ctes: &ctes, outer: None });
        self.database.replace(around);
        self.views.borrow_mut().pop();
        let mut relation = planned.map_err(|error| stored(name, &error))?;
        relation.columns.retain(|column| !column.hidden);

        let stale = |why: String| {
            SqlError::trino(
                "VIEW_IS_STALE",
                format!("View 'awsdatacatalog.{name}' is stale or in invalid state: {why}; create it again"),
            )
        };
        if relation.columns.len() != view.columns.len() {
            return Err(stale(format!(
                "it has {} columns, its query gives {}",
                view.columns.len(),
                relation.columns.len()
            )));
        }
        let mut values: Vec<Typed> = Vec::with_capacity(view.columns.len());
        for (column, (own, data_type)) in relation.columns.iter().zip(&view.columns) {
            if &column.data_type != data_type && !can_coerce(&column.data_type, data_type) {
                return Err(stale(format!(
                    "column {own} of type {data_type} cannot take the {} that its query gives",
                    column.data_type
                )));
            }
            values.push(self.coerce(column.typed(), data_type)?);
        }
        let (plan, ids) = self.project(relation.plan, &values)?;
        let columns = ids
            .into_iter()
            .zip(&view.columns)
            .map(|(id, (own, data_type))| ScopeColumn {
                name: Some(own.clone()),
                relation: Some(Qualifier { database: Some(name.database.clone()), table: name.table.clone() }),
                data_type: data_type.clone(),
                id,
                hidden: false,
            })
            .collect();
        Ok(Relation { plan, columns })
    }
}

/// Says of an error that it is in the text of a view: its place there is no place in the statement.
fn stored(name: &TableName, error: &SqlError) -> SqlError {
    let refusal = match error.refusal {
        // A cycle keeps its name however many views it goes through.
        Refusal::Trino("VIEW_IS_RECURSIVE") | Refusal::Unsupported => error.refusal,
        Refusal::Trino(_) | Refusal::NotAQuery => Refusal::Trino("INVALID_VIEW"),
    };
    SqlError {
        refusal,
        message: format!("Failed analyzing stored view 'awsdatacatalog.{name}': {error}"),
        position: None,
    }
}
