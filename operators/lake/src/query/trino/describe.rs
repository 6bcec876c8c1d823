//! What a statement would give, asked of Trino: for statements that suiro's own analyzer does not know.
//!
//! One question with `LIMIT 0`, which Trino answers from the plan alone; its columns carry their full types.

use super::engine::Inner;
use super::statement::{LINES_BEFORE, columns};
use super::value::held;
use crate::error::{ErrorKind, Result};
use crate::query::{Description, QueryEngine as _, ResultColumn};

impl Inner {
    /// Describes a statement: by our own analyzer, and when that does not know it by Trino.
    pub(super) async fn described(&self, sql: &str, database: Option<&str>) -> Result<Description> {
        match self.analyzer.describe(sql, database).await {
            Err(error) if error.kind == ErrorKind::UnsupportedSql => {
                tracing::info!(%error, "Trino is asked for the columns of a statement that suiro does not know");
                Ok(Description {
                    columns: self.columns_by_trino(sql, database).await?,
                    tables: Vec::new(),
                    views: Vec::new(),
                    predicted_bytes: None,
                    plan: format!("asked of Trino, because suiro does not know it: {}", error.message),
                })
            }
            described => described,
        }
    }

    async fn columns_by_trino(&self, sql: &str, database: Option<&str>) -> Result<Vec<ResultColumn>> {
        let answer = self.client.ask(&columns(sql), database.unwrap_or("default")).await;
        let (columns, _) = answer.map_err(|mut error| {
            error.position = error.position.map(|(line, column)| (line.saturating_sub(LINES_BEFORE).max(1), column));
            error
        })?;
        Ok(columns
            .into_iter()
            .enumerate()
            .map(|(index, column)| ResultColumn::of_result(index, column.name, held(&column.data_type)))
            .collect())
    }
}
