//! What a statement would give, asked of Athena: for statements that suiro's own analyzer does not know.
//!
//! It costs two queries at most, which read nothing; Athena bills 10 MB for each.

use std::sync::Arc;

use aws_sdk_athena::types::QueryExecutionState as State;

use super::engine::Inner;
use super::result::FirstPage;
use super::{failure, poller};
use crate::error::{Error, ErrorKind, Result};
use crate::publish::dml::identifier;
use crate::query::{Description, Query, QueryId, ResultColumn};
use crate::sql::{Type, without_semicolon};

/// How many lines stand before the statement in the queries here.
const LINES_BEFORE: u32 = 1;

impl Inner {
    /// Describes a statement: by our own analyzer, and when that does not know it by Athena.
    pub(super) async fn described(self: &Arc<Self>, sql: &str, database: Option<&str>) -> Result<Description> {
        use crate::query::QueryEngine as _;
        match self.analyzer.describe(sql, database).await {
            Err(error) if error.kind == ErrorKind::UnsupportedSql => {
                tracing::info!(%error, "Athena is asked for the columns of a statement that suiro does not know");
                let columns = self.columns_by_athena(sql, database).await?;
                Ok(Description {
                    columns,
                    tables: Vec::new(),
                    views: Vec::new(),
                    predicted_bytes: None,
                    plan: format!("asked of Athena, because suiro does not know it: {}", error.message),
                })
            }
            described => described,
        }
    }

    async fn columns_by_athena(self: &Arc<Self>, sql: &str, database: Option<&str>) -> Result<Vec<ResultColumn>> {
        let sql = without_semicolon(sql);
        let rows = self.asked(&format!("SELECT * FROM (\n{sql}\n) AS query LIMIT 0"), database).await?;
        let mut columns = rows.columns.columns;
        // The answer says of a nested column no more than that it is one; `typeof` says all, and needs a row.
        let is_nested = rows.nested.iter().any(|nested| *nested);
        if is_nested {
            let names: Vec<String> = (0..columns.len()).map(|index| identifier(&format!("c{index}"))).collect();
            let types: Vec<String> = names.iter().map(|name| format!("typeof({name})")).collect();
            let text = format!(
                "SELECT {} FROM (VALUES 1) AS one (n) LEFT JOIN (SELECT * FROM (\n{sql}\n) AS query LIMIT 0) AS query ({}) ON true",
                types.join(", "),
                names.join(", ")
            );
            let answer = self.asked(&text, database).await?;
            let types = answer.rows.into_iter().next().unwrap_or_default();
            for (column, data_type) in columns.iter_mut().zip(types) {
                if let Some(text) = data_type {
                    column.data_type = Type::from_trino(&text)?;
                }
            }
        }
        Ok(columns)
    }

    /// Runs a query whose result is small.
    async fn asked(self: &Arc<Self>, sql: &str, database: Option<&str>) -> Result<FirstPage> {
        // A name of its own each time: what the tables are may change between two descriptions.
        let query = Query::new(sql, database, format!("describe {}", uuid::Uuid::new_v4()));
        let QueryId(id) = self.started(&query).await?;
        let poller::Seen::Execution(execution) = self.poller.ended(&id).await? else {
            return Err(
                Error::new(ErrorKind::External, "describe a query", "Athena has forgotten the query").retryable()
            );
        };
        match poller::state(&execution) {
            Some(State::Succeeded) => FirstPage::fetch(&self.api, &execution).await,
            Some(State::Cancelled) => {
                Err(Error::new(ErrorKind::Canceled, "describe a query", "the query was cancelled by somebody else"))
            }
            _ => {
                let mut error = failure::of(&execution);
                error.position =
                    error.position.map(|(line, column)| (line.saturating_sub(LINES_BEFORE).max(1), column));
                Err(error)
            }
        }
    }
}
