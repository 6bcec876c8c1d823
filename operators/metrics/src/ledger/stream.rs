//! How far streams were read into tiers: the next replay goes on there, and sees when something between is gone.

use lake::{Error, ErrorKind, Result};

use super::{Ledger, NOTE, READ, failed};
use crate::stream::{KeptRecord, RejectedRecord, StreamPosition};
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

    /// Notes how far a stream was read into a tier, and the records on the way that hold no points, in one step: what was noted
    /// before of how far it was is forgotten.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn note_stream_position(
        &self,
        stream: &str,
        tier: &TierName,
        position: &StreamPosition,
        rejected: &[RejectedRecord],
    ) -> Result<()> {
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
        for RejectedRecord { shard, sequence, reason, record } in rejected {
            sqlx::query(
                "INSERT INTO metric_rejected (stream, tier, shard, sequence, reason, record) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (stream, tier, shard, sequence) DO UPDATE SET reason = excluded.reason, record = excluded.record",
            )
            .bind(stream)
            .bind(tier.as_str())
            .bind(shard.as_str())
            .bind(sequence.as_str())
            .bind(reason.as_str())
            .bind(record.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(noting)?;
        }
        transaction.commit().await.map_err(noting)
    }

    /// Lists the records that hold no points, by stream, tier, shard and sequence number.
    ///
    /// # Errors
    /// Those of the file.
    pub async fn rejected_records(&self) -> Result<Vec<KeptRecord>> {
        // Sequence numbers have more digits than the file's numbers.
        let query = "SELECT stream, tier, shard, sequence, reason, record FROM metric_rejected \
                     ORDER BY stream, tier, shard, length(sequence), sequence";
        let rows: Vec<(String, String, String, String, String, String)> =
            sqlx::query_as(query).fetch_all(&self.pool).await.map_err(|error| failed(READ, error))?;
        let kept = |(stream, tier, shard, sequence, reason, record)| KeptRecord {
            stream,
            tier,
            record: RejectedRecord { shard, sequence, reason, record },
        };
        Ok(rows.into_iter().map(kept).collect())
    }
}
