//! The rows of a result, and what a query did.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{input, list};
use crate::athena::Athena;
use crate::athena::model::{ResultForm, State};
use crate::athena::refusal::{ErrorCode, invalid};
use crate::athena::result::column::ResultColumn;
use crate::athena::result::page;
use crate::error::ApiResult;

/// How many rows a page has at most, the header among them.
const MOST_ROWS: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    query_execution_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Athena {
    pub(in crate::athena) async fn get_query_results(&self, body: Value) -> ApiResult<Value> {
        let Get { query_execution_id, max_results, next_token } = input(body)?;
        let limit = list::limit(max_results, MOST_ROWS)?;
        let execution = self.execution(&query_execution_id).await?;
        match execution.state {
            State::Succeeded => {}
            State::Queued | State::Running => {
                return Err(invalid(
                    ErrorCode::InvalidQueryExecutionState,
                    format!("Query has not yet finished. Current state: {}", execution.state.name()),
                ));
            }
            State::Failed => {
                return Err(invalid(
                    ErrorCode::InvalidQueryExecutionState,
                    "Query did not finish successfully. Final query state: FAILED",
                ));
            }
            State::Canceled => return Err(invalid(ErrorCode::ResultNotFound, "Could not find results")),
        }
        let page = page::read(&self.inner.lake.storage, &execution, limit, next_token.as_deref()).await?;
        let columns: Vec<Value> = execution.result.columns.iter().map(ResultColumn::info).collect();
        let mut output = Map::from_iter([(
            "ResultSet".to_owned(),
            json!({ "Rows": page.rows, "ResultSetMetadata": { "ColumnInfo": columns } }),
        )]);
        if let Some(count) = execution.result.update_count {
            output.insert("UpdateCount".to_owned(), json!(count));
        }
        if let Some(next) = page.next {
            output.insert("NextToken".to_owned(), json!(next));
        }
        Ok(Value::Object(output))
    }

    pub(in crate::athena) async fn get_query_runtime_statistics(&self, body: Value) -> ApiResult<Value> {
        let Get { query_execution_id, .. } = input(body)?;
        let execution = self.execution(&query_execution_id).await?;
        let now_ms = self.now_ms();
        let mut statistics = Map::from_iter([(
            "Timeline".to_owned(),
            json!({
                "QueryQueueTimeInMillis": execution.queued_ms(now_ms),
                "ServicePreProcessingTimeInMillis": 0,
                "QueryPlanningTimeInMillis": 0,
                "EngineExecutionTimeInMillis": execution.ran_ms(now_ms),
                "ServiceProcessingTimeInMillis": 0,
                "TotalExecutionTimeInMillis": execution.queued_ms(now_ms) + execution.ran_ms(now_ms),
            }),
        )]);
        if execution.state.has_ended() && execution.result.form != ResultForm::Text {
            statistics.insert(
                "Rows".to_owned(),
                json!({
                    "InputBytes": execution.scanned_bytes,
                    "OutputRows": execution.rows,
                    "OutputBytes": execution.written_bytes,
                }),
            );
        }
        Ok(json!({ "QueryRuntimeStatistics": statistics }))
    }
}
