//! Results that outlive the process: Trino keeps none, so they go to the lake, in the form that the embedded engine keeps
//! them. They are collected as those are.

use datafusion::execution::SendableRecordBatchStream;

use crate::crash::CrashPoints;
use crate::error::Result;
use crate::publish::parquet::ParquetWriter;
use crate::query::embedded::result;
use crate::query::{QueryId, QueryStats, ResultColumn};
use crate::storage::{Marker, MarkerKind, Storage};

/// The kept results of a lake.
#[derive(Debug, Clone)]
pub(super) struct KeptResults {
    storage: Storage,
    crash_points: CrashPoints,
}

impl KeptResults {
    pub(super) fn new(storage: Storage, crash_points: CrashPoints) -> Self {
        Self { storage, crash_points }
    }

    /// Begins to keep a result; what a process that stopped left of it is cleared.
    pub(super) async fn begin(&self, id: &QueryId, columns: &[ResultColumn]) -> Result<ParquetWriter> {
        let prepared = result::prepare_kept(&self.storage, id);
        self.crash_points.around("trino: mark the result", prepared).await?;
        result::kept_writer(&self.storage, id, columns)
    }

    /// Completes a result: from here on it counts as kept, and as that of the token.
    pub(super) async fn keep(
        &self,
        id: &QueryId,
        stand_in: &str,
        columns: &[ResultColumn],
        writer: ParquetWriter,
        figures: QueryStats,
    ) -> Result<QueryStats> {
        let objects = writer.finish().await?;
        let stats = QueryStats {
            written_bytes: objects.iter().map(|object| object.bytes).sum(),
            output: Some(result::kept_location(&self.storage, id)?),
            objects,
            ..figures
        };
        let kept = result::keep(&self.storage, id, columns, &stats);
        self.crash_points.around("trino: complete the result", kept).await?;
        // A prefix of its own, so that it is collected as the results are.
        let named = Marker::new(MarkerKind::Prefix, Some(serde_json::Value::String(id.0.clone())));
        let place = result::kept_location(&self.storage, &of_token(stand_in))?;
        self.crash_points.around("trino: name the result", self.storage.mark(&place, &named)).await?;
        Ok(stats)
    }

    /// Returns the query whose result is kept for a token.
    pub(super) async fn of_token(&self, stand_in: &str) -> Result<Option<QueryId>> {
        if self.storage.results()?.is_none() {
            return Ok(None);
        }
        let place = result::kept_location(&self.storage, &of_token(stand_in))?;
        let record = self.storage.marker(&place).await?.and_then(|marker| marker.record);
        let Some(id) = record.as_ref().and_then(serde_json::Value::as_str) else { return Ok(None) };
        let id = QueryId(id.to_owned());
        Ok(self.of(&id).await?.map(|_kept| id))
    }

    /// Returns what is known of a kept result.
    pub(super) async fn of(&self, id: &QueryId) -> Result<Option<(Vec<ResultColumn>, QueryStats)>> {
        result::kept(&self.storage, id).await
    }

    /// Opens a kept result.
    pub(super) async fn open(
        &self,
        columns: Vec<ResultColumn>,
        stats: &QueryStats,
    ) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        result::open_kept(&self.storage, columns, stats).await
    }
}

/// Returns under what the name of a token's result is kept; no query of Trino is called so.
fn of_token(stand_in: &str) -> QueryId {
    QueryId(format!("token-{stand_in}"))
}
