//! The calls of one stream.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use lake::aws::{Call, JsonApi, JsonService, Refusal};
use lake::clock::Clock;
use lake::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::KinesisSettings;

const LIST: Call = Call { operation: "list the shards of a stream", action: "kinesis:ListShards" };
const DESCRIBE: Call = Call { operation: "look at a stream", action: "kinesis:DescribeStreamSummary" };
const BEGIN: Call = Call { operation: "read a stream", action: "kinesis:GetShardIterator" };
const READ: Call = Call { operation: "read a stream", action: "kinesis:GetRecords" };

/// How many records one answer has at most; each may have a megabyte, an answer ten.
const RECORDS: u32 = 5_000;

/// One stream.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) api: JsonApi,
    stream: String,
}

/// A shard.
#[derive(Debug, Clone)]
pub(super) struct Shard {
    pub(super) id: String,
    /// The shards that it was made of.
    pub(super) parents: Vec<String>,
    /// Whether no records are added any more.
    pub(super) is_closed: bool,
}

/// Where to begin to read a shard.
#[derive(Debug, Clone)]
pub(super) enum From {
    TrimHorizon,
    Time(Timestamp),
    /// With the record of this number, or the first one after it that is there.
    Sequence(String),
}

/// A record as it came.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) sequence: String,
    pub(super) arrived: Timestamp,
    /// In Base64.
    pub(super) data: String,
}

/// Some records of a shard.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) records: Vec<Record>,
    /// Where to read on; none at the end of a closed shard.
    pub(super) next: Option<String>,
    /// Whether there was no newer record when this was answered.
    pub(super) is_at_tip: bool,
}

/// What is known of a stream as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// How long it keeps records.
    pub(super) keeps: SignedDuration,
    /// When it was made, in milliseconds since 1970.
    pub(super) made_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListShardsAnswer {
    shards: Vec<ListedShard>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedShard {
    shard_id: String,
    parent_shard_id: Option<String>,
    adjacent_parent_shard_id: Option<String>,
    sequence_number_range: SequenceNumberRange,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumberRange {
    ending_sequence_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryAnswer {
    stream_description_summary: Summary,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    retention_period_hours: i64,
    stream_creation_timestamp: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IteratorAnswer {
    shard_iterator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordsAnswer {
    records: Vec<ReadRecord>,
    next_shard_iterator: Option<String>,
    #[serde(default)]
    millis_behind_latest: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReadRecord {
    sequence_number: String,
    approximate_arrival_timestamp: f64,
    data: String,
}

impl Api {
    pub(super) async fn open(settings: &KinesisSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        // Finding credentials knows many ways, and all of them are in its future.
        let api = JsonApi::open(JsonService::KINESIS, &settings.aws, settings.endpoint.as_ref(), clock);
        let api = Box::pin(api).await?;
        Ok(Self { api, stream: settings.stream.clone() })
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Lists the shards that the stream still has, closed ones too.
    pub(super) async fn shards(&self) -> Result<Vec<Shard>> {
        let mut shards = Vec::new();
        let mut request = self.of_stream(json!({}));
        loop {
            let answer: ListShardsAnswer = self.call(LIST, "ListShards", &request).await?;
            shards.extend(answer.shards.into_iter().map(|shard| Shard {
                id: shard.shard_id,
                parents: [shard.parent_shard_id, shard.adjacent_parent_shard_id].into_iter().flatten().collect(),
                is_closed: shard.sequence_number_range.ending_sequence_number.is_some(),
            }));
            match answer.next_token {
                // It stands for the stream as well, which must not be named beside it.
                Some(token) => request = json!({ "NextToken": token }),
                None => return Ok(shards),
            }
        }
    }

    /// Returns how long the stream keeps records, and when it was made.
    pub(super) async fn about(&self) -> Result<About> {
        let answer: SummaryAnswer = self.call(DESCRIBE, "DescribeStreamSummary", &self.of_stream(json!({}))).await?;
        let Summary { retention_period_hours, stream_creation_timestamp } = answer.stream_description_summary;
        let made = stream_creation_timestamp.as_ref().and_then(Value::as_f64);
        let made = made.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        let made_ms = made.and_then(|made| i64::try_from(made.as_millis()).ok());
        Ok(About { keeps: SignedDuration::from_hours(retention_period_hours), made_ms })
    }

    /// Returns an iterator of a shard; none when the sequence number is older than what the stream keeps.
    pub(super) async fn iterator(&self, shard: &str, from: &From) -> Result<Option<String>> {
        let mut request = self.of_stream(json!({ "ShardId": shard }));
        request["ShardIteratorType"] = match from {
            From::TrimHorizon => "TRIM_HORIZON",
            From::Time(_) => "AT_TIMESTAMP",
            From::Sequence(_) => "AT_SEQUENCE_NUMBER",
        }
        .into();
        match from {
            From::TrimHorizon => {}
            From::Time(time) => request["Timestamp"] = time.as_duration().as_secs_f64().into(),
            From::Sequence(number) => request["StartingSequenceNumber"] = number.as_str().into(),
        }
        match self.api.call(BEGIN, "GetShardIterator", &request).await {
            Ok(answer) => Ok(Some(self.read::<IteratorAnswer>(BEGIN, answer)?.shard_iterator)),
            Err(refusal) if refusal.is("InvalidArgumentException") && matches!(from, From::Sequence(_)) => Ok(None),
            Err(refusal) => Err(self.explained(refusal)),
        }
    }

    /// Reads some records; none when the iterator is too old.
    pub(super) async fn records(&self, iterator: &str) -> Result<Option<Answer>> {
        let request = json!({"ShardIterator": iterator, "Limit": RECORDS});
        let answer = match self.api.call(READ, "GetRecords", &request).await {
            Ok(answer) => self.read::<RecordsAnswer>(READ, answer)?,
            Err(refusal) if refusal.is("ExpiredIteratorException") => return Ok(None),
            Err(refusal) => return Err(self.explained(refusal)),
        };
        let records = answer.records.into_iter().map(|record| {
            let arrived = SignedDuration::try_from_secs_f64(record.approximate_arrival_timestamp).ok();
            let arrived = arrived.and_then(|since| Timestamp::from_duration(since).ok());
            let arrived = arrived.ok_or_else(|| self.unreadable(READ))?;
            Ok(Record { sequence: record.sequence_number, arrived, data: record.data })
        });
        Ok(Some(Answer {
            records: records.collect::<Result<_>>()?,
            next: answer.next_shard_iterator,
            is_at_tip: answer.millis_behind_latest == 0,
        }))
    }

    fn of_stream(&self, mut request: Value) -> Value {
        let key = if self.stream.starts_with("arn:") { "StreamARN" } else { "StreamName" };
        request[key] = self.stream.as_str().into();
        request
    }

    async fn call<T: DeserializeOwned>(&self, call: Call, name: &str, request: &Value) -> Result<T> {
        let answer = self.api.call(call, name, request).await.map_err(|refusal| self.explained(refusal))?;
        self.read(call, answer)
    }

    fn read<T: DeserializeOwned>(&self, call: Call, answer: Value) -> Result<T> {
        serde_json::from_value(answer).map_err(|error| self.unreadable(call).source(error))
    }

    fn unreadable(&self, call: Call) -> Error {
        let message = format!("cannot {}: what Kinesis answers cannot be read", call.operation);
        Error::new(ErrorKind::External, call.operation, message).with("stream", &self.stream)
    }

    fn explained(&self, refusal: Refusal) -> Error {
        refusal.error.with("stream", &self.stream)
    }
}
