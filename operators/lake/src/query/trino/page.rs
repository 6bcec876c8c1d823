//! The documents of Trino's protocol: `QueryResults` and what is in it.
//!
//! <https://trino.io/docs/476/develop/client-protocol.html>; what it does not say is in
//! <https://github.com/trinodb/trino/tree/476/client/trino-client/src/main/java/io/trino/client>.

use serde::Deserialize;
use serde_json::Value;

use crate::query::QueryStats;

/// One answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// The query.
    pub(super) id: String,
    /// Where the next answer is; none after the last one.
    #[serde(default)]
    pub(super) next_uri: Option<String>,
    /// Where people look at the query.
    #[serde(default)]
    pub(super) info_uri: Option<String>,
    /// The columns; none before they are known, and of statements without any.
    #[serde(default)]
    pub(super) columns: Option<Vec<PageColumn>>,
    /// Rows.
    #[serde(default)]
    pub(super) data: Option<Vec<Vec<Value>>>,
    /// How far it is.
    #[serde(default)]
    pub(super) stats: PageStats,
    /// Why it failed.
    #[serde(default)]
    pub(super) error: Option<PageError>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct PageColumn {
    pub(super) name: String,
    /// In Trino's words: `row(a integer, b varchar(3))`.
    #[serde(rename = "type")]
    pub(super) data_type: String,
}

/// The figures of a query.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PageStats {
    /// `QUEUED`, `PLANNING`, `RUNNING`, `FINISHED`, …
    pub(super) state: String,
    pub(super) queued_time_millis: u64,
    pub(super) elapsed_time_millis: u64,
    /// What was read of storage, compressed as it lies there.
    pub(super) physical_input_bytes: u64,
}

/// Why a query failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageError {
    #[serde(default)]
    pub(super) message: Option<String>,
    /// `TABLE_NOT_FOUND`.
    #[serde(default)]
    pub(super) error_name: String,
    /// `USER_ERROR`, `INTERNAL_ERROR`, `INSUFFICIENT_RESOURCES`, `EXTERNAL`.
    #[serde(default)]
    pub(super) error_type: String,
    #[serde(default)]
    pub(super) error_location: Option<PageErrorLocation>,
}

/// A place in the statement, counted from 1.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageErrorLocation {
    pub(super) line_number: u32,
    pub(super) column_number: u32,
}

impl PageStats {
    /// Tells whether the query has not begun: `QueryState` before `PLANNING`
    /// (<https://github.com/trinodb/trino/blob/476/core/trino-main/src/main/java/io/trino/execution/QueryState.java>).
    pub(super) fn is_queued(&self) -> bool {
        matches!(self.state.as_str(), "" | "QUEUED" | "WAITING_FOR_RESOURCES" | "DISPATCHING")
    }

    /// Returns the figures as every engine gives them. Nobody is billed by Trino.
    pub(super) fn figures(&self) -> QueryStats {
        QueryStats {
            scanned_bytes: self.physical_input_bytes,
            elapsed_ms: self.elapsed_time_millis,
            ..QueryStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_what_is_new_in_it_is_passed_over() {
        let text = r#"{"id":"20260101_000000_00001_abcde","infoUri":"http://t/ui/query.html?x","nextUri":"http://t/v1/statement/executing/x/y/1",
            "columns":[{"name":"a","type":"integer","typeSignature":{"rawType":"integer","arguments":[]}}],"data":[[1],[null]],
            "stats":{"state":"RUNNING","queued":false,"queuedTimeMillis":3,"elapsedTimeMillis":40,"physicalInputBytes":1024},"warnings":[]}"#;
        let page: Page = serde_json::from_str(text).unwrap();
        assert_eq!(page.columns.unwrap(), [PageColumn { name: "a".to_owned(), data_type: "integer".to_owned() }]);
        assert_eq!(page.data.unwrap().len(), 2);
        assert!(!page.stats.is_queued());
        assert_eq!((page.stats.figures().scanned_bytes, page.stats.figures().elapsed_ms), (1024, 40));
        let failed: Page = serde_json::from_str(
            r#"{"id":"q","stats":{"state":"FAILED"},"error":{"message":"line 1:8: Column 'x' cannot be resolved","errorCode":47,
            "errorName":"COLUMN_NOT_FOUND","errorType":"USER_ERROR","errorLocation":{"lineNumber":1,"columnNumber":8},"failureInfo":{}}}"#,
        )
        .unwrap();
        assert_eq!(failed.error.unwrap().error_location.unwrap().column_number, 8);
    }
}
