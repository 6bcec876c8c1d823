//! Streams of points that are read again: from where a replay was, to a time, with nothing left out.

mod kinesis;
mod record;

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use lake::Result;
use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;
use crate::point::SeriesName;
use crate::tiers::TierName;

pub use kinesis::{KinesisSettings, KinesisStream, StreamStart};

/// A point as a stream brings it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPoint {
    /// The series.
    pub name: SeriesName,
    /// The time.
    pub time_ms: i64,
    /// The value.
    pub value: f64,
}

/// How far a replay is, shard by shard. Whoever replays stores it after the points of a piece are written, and begins with it
/// after a stop; empty at first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// When the stream was made, in milliseconds since 1970: one of the same name that was made later is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_ms: Option<i64>,
    /// The shards that were begun.
    pub shards: BTreeMap<String, ShardPosition>,
}

impl StreamPosition {
    /// Takes the place of an earlier reading of the same stream for each shard of which nothing was read in this one.
    pub fn keep_unread(&mut self, before: &Self) {
        if self.made_ms.is_some() && self.made_ms != before.made_ms {
            return;
        }
        self.made_ms = before.made_ms;
        for (shard, before) in &before.shards {
            let is_newer = self.shards.get(shard).is_some_and(|here| here.last.is_some() || before.last.is_none());
            if !is_newer {
                self.shards.insert(shard.clone(), before.clone());
            }
        }
    }
}

/// What was read of a shard: everything from `first` to `last`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPosition {
    /// The sequence number of the first record that was read; none when there was none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// That of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// How many records.
    #[serde(default)]
    pub records: u64,
    /// Whether the shard was closed and is read to its end.
    #[serde(default)]
    pub is_ended: bool,
    /// When nothing was left to read, in milliseconds since 1970: what came later is there as long as the stream keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up_at_ms: Option<i64>,
}

/// A record that holds no points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// The shard.
    pub shard: String,
    /// Its sequence number.
    pub sequence: String,
    /// Why it holds none.
    pub reason: String,
    /// What it holds: as text, or in Base64 where it is none.
    pub record: String,
}

/// A record that was kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRecord {
    /// The stream, and its region.
    pub stream: String,
    /// The tier that it was replayed into.
    pub tier: String,
    /// The record.
    pub record: RejectedRecord,
}

/// What a replay reads in one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPiece {
    /// The points: those of one shard in their order.
    pub points: Vec<StreamPoint>,
    /// Records that hold no points, where these are kept apart.
    pub rejected: Vec<RejectedRecord>,
    /// Where the replay is when they are written.
    pub position: StreamPosition,
    /// Whether nothing is left to read.
    pub is_end: bool,
}

impl Metrics {
    /// Returns how far a stream was read into a tier; empty when it never was.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn stream_position(&self, stream: &str, tier: &TierName) -> Result<StreamPosition> {
        self.ledger.stream_position(stream, tier).await
    }

    /// Notes how far a stream was read into a tier, and the records on the way that hold no points; its points are written by then.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn note_stream_position(
        &self,
        stream: &str,
        tier: &TierName,
        position: &StreamPosition,
        rejected: &[RejectedRecord],
    ) -> Result<()> {
        self.bind(&[self.tiers.tier(tier)?]).await?;
        let note = self.ledger.note_stream_position(stream, tier, position, rejected);
        self.points().around("metrics: note how far a stream is read", note).await
    }
}

impl Metrics {
    /// Lists the records that were kept apart, by stream, tier, shard and sequence number.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn rejected_records(&self) -> Result<Vec<KeptRecord>> {
        self.ledger.rejected_records().await
    }
}

/// A stream that is read again.
#[async_trait]
pub trait ReplayStream: Debug + Send + Sync + 'static {
    /// Reads what follows a position.
    ///
    /// # Errors
    /// `InvalidData` for a record that holds no points, and for a gap: records between the position and what the stream still
    /// has are gone. `NotFound`, `PermissionDenied`, `External`.
    async fn next(&self, position: &StreamPosition) -> Result<StreamPiece>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(made_ms: Option<i64>, shards: &[(&str, Option<&str>)]) -> StreamPosition {
        let of = |(shard, last): &(&str, Option<&str>)| {
            ((*shard).to_owned(), ShardPosition { last: last.map(str::to_owned), ..ShardPosition::default() })
        };
        StreamPosition { made_ms, shards: shards.iter().map(of).collect() }
    }

    #[test]
    fn what_was_not_read_again_is_where_it_was() {
        let before = position(Some(1), &[("0", Some("7")), ("1", Some("8")), ("2", None)]);
        let mut now = position(Some(1), &[("0", None), ("1", Some("9"))]);
        now.keep_unread(&before);
        assert_eq!(now, position(Some(1), &[("0", Some("7")), ("1", Some("9")), ("2", None)]));
        // Another stream of the same name has nothing of it.
        let mut other = position(Some(2), &[("0", None)]);
        other.keep_unread(&before);
        assert_eq!(other, position(Some(2), &[("0", None)]));
        let mut nothing = position(Some(1), &[("0", None)]);
        nothing.keep_unread(&position(None, &[]));
        assert_eq!(nothing, position(Some(1), &[("0", None)]));
    }
}
