//! How far streams were read into tiers: the next replay goes on there, and sees when something between is gone.

use lake::{Error, ErrorKind, Result};

use super::{Ledger, NOTE, READ, failed};
use crate::stream::StreamPosition;
use crate::tiers::TierName;

impl Ledger {
    /// Returns how far a stream was read into a tier; empty when it never was.
    ///
    /// # Errors
    /// Those of the file; `InvalidData` for a row that holds something else.
    pub async fn stream_position(&self, stream: &str, tier: &TierName) -> Result<StreamPosition> {
        let query = "SELECT shard, made_ms, position FROM metric_stream WHERE stream = ? AND tier = ?";
        let rows: Vec<(String, Option<i64>, String)> = sqlx::query_as(query)
            .bind(stream)
            .bind(tier.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| failed(READ, error))?;
        let mut position = StreamPosition::default();
        for (shard, made_ms, text) in rows {
            let of = serde_json::from_str(&text).map_err(|error| {
                let message =
                    format!("the ledger's position in the shard `{shard}` of `{stream}` cannot be read: {error}");
                Error::new(ErrorKind::InvalidData, READ, message).source(error)
            })?;
            position.made_ms = position.made_ms.max(made_ms);
            position.shards.insert(shard, of);
        }
        Ok(position)
    }

    /// Notes how far a stream was read into a tier, in one step: what was noted before is forgotten.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_stream_position(&self, stream: &str, tier: &TierName, position: &StreamPosition) -> Result<()> {
        let noting = |error| failed(NOTE, error);
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM metric_stream WHERE stream = ? AND tier = ?")
            .bind(stream)
            .bind(tier.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(noting)?;
        for (shard, of) in &position.shards {
            let text = serde_json::to_string(of).map_err(|error| {
                Error::new(ErrorKind::InvalidInput, NOTE, "a position in a stream cannot be written as JSON")
                    .source(error)
            })?;
            sqlx::query("INSERT INTO metric_stream (stream, tier, shard, made_ms, position) VALUES (?, ?, ?, ?, ?)")
                .bind(stream)
                .bind(tier.as_str())
                .bind(shard.as_str())
                .bind(position.made_ms)
                .bind(text)
                .execute(&mut *transaction)
                .await
                .map_err(noting)?;
        }
        transaction.commit().await.map_err(noting)
    }
}
