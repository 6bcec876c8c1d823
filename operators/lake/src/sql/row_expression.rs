//! One expression over the columns of a batch, without a query around it: what `partition_by` of a load computes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion::common::ToDFSchema;
use datafusion::physical_expr::PhysicalExpr;
use sqlparser::ast::{ObjectNamePart, visit_expressions};

use super::analyze::{Analyzer, physical};
use super::conditional::is_special_form;
use super::error::{SqlError, SqlResult, from_execution};
use super::expression::{Clause, Collected};
use super::function::Session;
use super::parse::parse_expression;
use super::resolve::known::is_known;
use super::resolve::not_registered;
use super::scope::{Ctes, Scope, ScopeColumn};
use super::types::Type;
use super::window::NamedWindows;
use crate::error::Result;

/// An expression of the dialect over named columns; no aggregation, window function or subquery.
#[derive(Debug)]
pub struct RowExpression {
    data_type: Type,
    inner: Arc<dyn PhysicalExpr>,
    schema: Arc<Schema>,
    used: Vec<usize>,
}

/// Looks at the functions that an expression calls, as far as that goes without knowing its columns.
///
/// # Errors
/// `SYNTAX_ERROR`, and `FUNCTION_NOT_FOUND` for a function that Trino does not have.
pub fn examine_functions(text: &str) -> SqlResult<()> {
    let sql = parse_expression(text)?;
    let found = visit_expressions(&sql, |expr| {
        let sqlparser::ast::Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return ControlFlow::Continue(()) };
        let lower = name.value.to_lowercase();
        if is_known(&lower) || is_special_form(&lower) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(not_registered(&lower).at_span(name.span))
    });
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

impl RowExpression {
    /// Types an expression over columns.
    ///
    /// # Errors
    /// `InvalidSql` or `UnsupportedSql` with the place in `text`.
    pub fn new(text: &str, columns: &[(String, Type)], session: &Session) -> Result<Self> {
        Ok(Self::analyzed(text, columns, session)?)
    }

    fn analyzed(text: &str, columns: &[(String, Type)], session: &Session) -> SqlResult<Self> {
        let sql = parse_expression(text)?;
        let tables = HashMap::new();
        let analyzer = Analyzer::new(Arc::new(session.clone()), &tables);
        let scope_columns: Vec<ScopeColumn> = columns
            .iter()
            .map(|(name, data_type)| ScopeColumn {
                name: Some(name.clone()),
                relation: None,
                data_type: data_type.clone(),
                id: analyzer.fresh(),
                hidden: false,
            })
            .collect();
        let schema = Arc::new(Schema::new(
            scope_columns
                .iter()
                .map(|column| Field::new(&column.id, column.data_type.to_arrow(), true))
                .collect::<Vec<_>>(),
        ));
        let collected = RefCell::new(Collected::default());
        let (ctes, windows) = (Ctes::default(), NamedWindows::default());
        let scope = Scope::new(&scope_columns, None);
        let typed = analyzer.context(&scope, &ctes, Clause::Row, &collected, &windows).expr(&sql)?;
        let expr = analyzer.lowered(typed.expr, &Arc::clone(&schema).to_dfschema()?)?;
        let used = expr.column_refs();
        let used = scope_columns
            .iter()
            .enumerate()
            .filter(|(_, column)| used.iter().any(|used| used.name == column.id))
            .map(|(index, _)| index)
            .collect();
        let inner = physical(&expr, &schema).map_err(SqlError::from)?;
        Ok(Self { data_type: typed.data_type, inner, schema, used })
    }

    /// Returns the type of the values.
    pub fn data_type(&self) -> &Type {
        &self.data_type
    }

    /// Returns the positions of the columns that it uses.
    pub fn columns(&self) -> &[usize] {
        &self.used
    }

    /// Computes the value of every row. The batch has the columns that were given, in their order, as
    /// [`Type::to_arrow`] says.
    ///
    /// # Errors
    /// `QueryFailed` with Trino's name of the error under the context key `error`.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let renamed = RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &options)
            .map_err(|error| from_execution(error.into()))?;
        let values = self.inner.evaluate(&renamed).map_err(from_execution)?;
        values.into_array(batch.num_rows()).map_err(from_execution)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn session() -> Session {
        Session { time_zone: "UTC".to_owned(), start_us: 0, database: None }
    }

    #[test]
    fn a_partition_is_computed_from_a_time() {
        let columns = [("ip".to_owned(), Type::Varchar(None)), ("time".to_owned(), Type::Timestamp(3))];
        let expression = RowExpression::new("CAST(CAST(Time AS date) AS varchar)", &columns, &session()).unwrap();
        assert_eq!((expression.data_type(), expression.columns()), (&Type::Varchar(None), [1].as_slice()));
        let ips: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(1_431_857_103_000_000), None]));
        let batch = RecordBatch::try_from_iter_with_nullable([("ip", ips, true), ("time", times, true)]).unwrap();
        let values = expression.evaluate(&batch).unwrap();
        let values: Vec<Option<&str>> = values.as_string::<i32>().iter().collect();
        assert_eq!(values, [Some("2015-05-17"), None]);
    }

    #[test]
    fn what_is_no_row_expression_is_refused_at_its_place() {
        let columns = [("n".to_owned(), Type::Bigint)];
        let refused = |text: &str| RowExpression::new(text, &columns, &session()).unwrap_err().to_string();
        assert!(refused("n + m").starts_with("line 1:5: Column 'm' cannot be resolved"));
        let nothing_aggregated = "partition_by cannot contain aggregations, window functions or grouping operations";
        assert!(refused("sum(n)").contains("EXPRESSION_NOT_SCALAR") && refused("sum(n)").contains(nothing_aggregated));
        assert!(refused("n, n").starts_with("line 1:2: mismatched input ','"));
        assert!(refused("(SELECT 1)").contains("a subquery in partition_by"));
    }
}
