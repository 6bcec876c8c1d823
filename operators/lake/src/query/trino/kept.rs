//! Results that outlive the process: Trino keeps none, so they stay in a folder beside the state, in the form that the
//! embedded lake keeps them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;

use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::Result;
use crate::name::Location;
use crate::publish::parquet::ParquetWriter;
use crate::query::embedded::result;
use crate::query::{QueryId, QueryStats, RESULTS, ResultColumn};
use crate::storage::{MARKER, Put, Storage};

/// What the names of the objects begin with that tell under which id the result of a token is kept.
const OF_TOKEN: &str = "token-";

/// The kept results of a profile.
#[derive(Debug, Clone)]
pub(super) struct KeptResults {
    storage: Storage,
    crash_points: CrashPoints,
}

impl KeptResults {
    /// Opens the folder, and removes the results that are older than `retention`.
    ///
    /// # Errors
    /// Those of the folder.
    pub(super) async fn open(
        folder: &Path,
        retention: Duration,
        clock: &dyn Clock,
        crash_points: CrashPoints,
    ) -> Result<Self> {
        let storage = crash_points.around("query: make the folder of results", Storage::open(folder)).await?;
        let retention_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before_ms = clock.now().as_millisecond().saturating_sub(retention_ms);
        for object in storage.list(&Location::parse(RESULTS)?).await? {
            if object.modified_ms >= before_ms {
                continue;
            }
            if object.location.file_name().starts_with(OF_TOKEN) {
                storage.delete(&[object.location]).await?;
            } else if object.location.file_name() == MARKER
                && let Some(prefix) = object.location.parent()
            {
                crash_points.around("query: delete an old result", storage.delete_prefix(&prefix)).await?;
            }
        }
        Ok(Self { storage, crash_points })
    }

    /// Begins to keep a result; what a process that stopped left of it is cleared.
    pub(super) async fn begin(&self, id: &str, columns: &[ResultColumn]) -> Result<ParquetWriter> {
        let id = QueryId(id.to_owned());
        let prepared = result::prepare_kept(&self.storage, &id);
        self.crash_points.around("query: mark the result of Trino", prepared).await?;
        result::kept_writer(&self.storage, &id, columns)
    }

    /// Completes a result: from here on it counts as kept, and as that of the token.
    pub(super) async fn keep(
        &self,
        id: &str,
        stand_in: &str,
        columns: &[ResultColumn],
        writer: ParquetWriter,
        figures: QueryStats,
    ) -> Result<QueryStats> {
        let objects = writer.finish().await?;
        let stats =
            QueryStats { written_bytes: objects.iter().map(|object| object.bytes).sum(), objects, ..figures };
        let query_id = QueryId(id.to_owned());
        let kept = result::keep(&self.storage, &query_id, columns, &stats);
        self.crash_points.around("query: complete the result of Trino", kept).await?;
        let named = self.storage.put(&of_token(stand_in)?, Bytes::copy_from_slice(id.as_bytes()), Put::Replace);
        self.crash_points.around("query: name the result of Trino", named).await?;
        Ok(stats)
    }

    /// Returns the query whose result is kept for a token.
    pub(super) async fn of_token(&self, stand_in: &str) -> Result<Option<QueryId>> {
        let at = of_token(stand_in)?;
        if self.storage.head(&at).await?.is_none() {
            return Ok(None);
        }
        let id = QueryId(String::from_utf8_lossy(&self.storage.read(&at).await?).into_owned());
        Ok(self.of(&id).await?.map(|_kept| id))
    }

    /// Returns what is known of a kept result.
    pub(super) async fn of(&self, id: &QueryId) -> Result<Option<(Vec<ResultColumn>, QueryStats)>> {
        result::kept(&self.storage, id).await
    }

    /// Opens a kept result.
    pub(super) async fn open_result(
        &self,
        columns: Vec<ResultColumn>,
        stats: &QueryStats,
    ) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        result::open_kept(&self.storage, columns, stats).await
    }
}

fn of_token(stand_in: &str) -> Result<Location> {
    Location::parse(RESULTS)?.join(&format!("{OF_TOKEN}{stand_in}"))
}
