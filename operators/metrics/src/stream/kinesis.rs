//! Kinesis Data Streams, read again from a time or from the oldest record.
//!
//! Of every shard the sequence numbers that were read are in the position. A replay that goes on asks for the last record that it
//! has, which must be there still; when it is not, records behind it may be gone as well, and that is an error: a gap is loss,
//! even when all counts agree. Shards that others were split or merged into are read when those are at their end, so that the
//! points of a series stay in their order.

mod api;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use lake::aws::AwsSettings;
use lake::clock::Clock;
use lake::{Error, ErrorKind, Result};
use tokio::sync::Mutex;

use self::api::{About, Api, From, Record, Shard};
use super::{RejectedRecord, ReplayStream, ShardPosition, StreamPiece, StreamPoint, StreamPosition, record};
use crate::time::shown;

/// How many shards are read at once.
const AT_ONCE: usize = 4;

/// How long to wait before a shard is asked again that had nothing and is not at its end: it takes five reads a second
/// (<https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html>).
const EMPTY_PAUSE: Duration = Duration::from_millis(250);

/// Records that Amazon's own library packs together begin like this
/// (<https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>).
const AGGREGATED: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

/// Where a replay begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// At the oldest record that the stream has.
    TrimHorizon,
    /// At the first record that came at this time or later.
    At(Timestamp),
}

/// What a replay of a stream is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KinesisSettings {
    /// The stream's name, or its ARN.
    pub stream: String,
    /// Where the replay begins.
    pub start: StreamStart,
    /// Where it ends: records that came later are left.
    pub until: Timestamp,
    /// Whether a record that holds no points is kept apart. Else it is an error.
    pub keeps_rejected: bool,
    /// The address of the service; none for that of the region.
    pub endpoint: Option<String>,
    /// Region and credentials.
    pub aws: AwsSettings,
}

/// A stream of Kinesis.
#[derive(Debug)]
pub struct KinesisStream {
    api: Api,
    start: StreamStart,
    until: Timestamp,
    keeps_rejected: bool,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// What was found out so far; a later process finds it out again.
#[derive(Debug, Default)]
struct Known {
    shards: Option<Vec<Shard>>,
    about: Option<About>,
    /// Shards with nothing left before the end of the replay.
    finished: BTreeSet<String>,
    /// Where to read on, with the last record that was read when that was told.
    iterators: BTreeMap<String, (Option<String>, String)>,
}

/// What was read of one shard.
#[derive(Debug)]
struct ShardPiece {
    shard: String,
    points: Vec<StreamPoint>,
    rejected: Vec<RejectedRecord>,
    position: ShardPosition,
    iterator: Option<String>,
    is_finished: bool,
}

impl KinesisStream {
    /// Finds region and credentials; nothing is sent to Kinesis yet.
    ///
    /// # Errors
    /// As [`lake::aws::JsonApi::open`].
    pub async fn open(settings: &KinesisSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let api = Api::open(settings, Arc::clone(&clock)).await?;
        let KinesisSettings { start, until, keeps_rejected, .. } = settings;
        Ok(Self { api, start: *start, until: *until, keeps_rejected: *keeps_rejected, clock, known: Mutex::default() })
    }

    /// Lists the shards, once unless some ended since.
    async fn shards(&self, known: &mut Known) -> Result<Vec<Shard>> {
        if let Some(shards) = &known.shards {
            return Ok(shards.clone());
        }
        let shards = self.api.shards().await?;
        known.shards = Some(shards.clone());
        Ok(shards)
    }

    /// Returns since when the stream has all records.
    async fn kept_since(&self, known: &mut Known) -> Result<Timestamp> {
        let keeps = self.about(known).await?.keeps;
        Ok(self.clock.now().saturating_sub(keeps).unwrap_or(Timestamp::MIN))
    }

    async fn about(&self, known: &mut Known) -> Result<About> {
        match known.about {
            Some(about) => Ok(about),
            None => Ok(*known.about.insert(self.api.about().await?)),
        }
    }

    /// Refuses a position behind which something is gone.
    async fn refuse_gaps(&self, known: &mut Known, shards: &[Shard], position: &StreamPosition) -> Result<()> {
        let listed: BTreeSet<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
        if position.shards.is_empty() {
            if let StreamStart::At(time) = self.start {
                let kept_since = self.kept_since(known).await?;
                if time < kept_since {
                    return Err(self
                        .gap(&format!("records of {time} to {kept_since:.0} are gone: the stream does not keep them so long"))
                        .help("begin at the oldest record that is there (`start: trim_horizon`), if the rest is not missed"));
                }
            }
            return Ok(());
        }
        let made_ms = self.about(known).await?.made_ms;
        if let (Some(read_ms), Some(made_ms)) = (position.made_ms, made_ms)
            && read_ms != made_ms
        {
            return Err(self.made_anew(shards, position, made_ms).await?);
        }
        let gone = position.shards.iter().find(|(id, of)| !of.is_ended && !listed.contains(id.as_str()));
        if let Some((id, of)) = gone
            && !is_caught_up(of, self.kept_since(known).await?)
        {
            let last = of.last.as_deref().unwrap_or("its begin");
            return Err(self.gap(&format!("the shard `{id}` is gone, which was read up to {last}")));
        }
        for shard in shards.iter().filter(|shard| !position.shards.contains_key(&shard.id)) {
            let is_known = |parent: &&String| position.shards.contains_key(*parent) || listed.contains(parent.as_str());
            if let Some(parent) = shard.parents.iter().find(|parent| !is_known(parent)) {
                let id = &shard.id;
                return Err(
                    self.gap(&format!("the shard `{parent}`, which `{id}` was made of, was never read and is gone"))
                );
            }
        }
        Ok(())
    }

    /// Makes the error of a stream that is another one than the one that was read: what came last into that one is gone.
    async fn made_anew(&self, shards: &[Shard], position: &StreamPosition, made_ms: i64) -> Result<Error> {
        let read = position.shards.iter().find_map(|(id, of)| Some((id, of.last.as_deref()?)));
        let first = position.shards.keys().next().map_or("", String::as_str);
        let (id, last) = read.map_or((first, "its begin"), |(id, last)| (id.as_str(), last));
        let gap = self.gap(&format!("the shard `{id}` was read up to {last}, which is gone"));
        let gap = gap.with("stream made anew", shown(made_ms));
        let begin = shards.iter().find(|shard| shard.id == id).or(shards.first());
        let Some(shard) = begin else { return Ok(gap) };
        let Some(iterator) = self.api.iterator(&shard.id, &From::TrimHorizon).await? else { return Ok(gap) };
        let oldest = self.api.records(&iterator).await?.and_then(|answer| answer.records.into_iter().next());
        Ok(match oldest {
            Some(record) => gap.with("oldest record", record.sequence),
            None => gap,
        })
    }

    fn gap(&self, what: &str) -> Error {
        let message = format!("the stream has a gap: {what}");
        Error::new(ErrorKind::InvalidData, "replay a stream", message).with("stream", self.api.stream()).help(
            "replay what is missing from where its records are kept, then go on at the oldest record that is there: \
             `start: trim_horizon`, until the task has succeeded once",
        )
    }

    /// Reads on in one shard.
    async fn read(
        &self,
        shard: &Shard,
        before: ShardPosition,
        iterator: Option<String>,
        kept_since: Timestamp,
    ) -> Result<ShardPiece> {
        // The last record is read again, to see that it is there.
        let mut is_seen = before.last.is_none() || iterator.is_some();
        let mut iterator = match iterator {
            Some(iterator) => iterator,
            None => self.begin(shard, &before, kept_since).await?,
        };
        let mut position = before;
        let (mut points, mut rejected) = (Vec::new(), Vec::new());
        loop {
            let Some(answer) = self.api.records(&iterator).await? else {
                // It was good for five minutes.
                iterator = self.begin(shard, &position, kept_since).await?;
                is_seen = position.last.is_none();
                continue;
            };
            let is_empty = answer.records.is_empty();
            for record in answer.records {
                if !is_seen {
                    is_seen = true;
                    if position.last.as_ref() == Some(&record.sequence) {
                        continue;
                    }
                    self.refuse_unless_caught_up(shard, &position, kept_since)
                        .and_then(|()| self.refuse_smaller(shard, &position, &record))
                        .map_err(|error| error.with("oldest record", &record.sequence))?;
                }
                if record.arrived > self.until {
                    // What the next iterator stands behind was not all read.
                    return Ok(ShardPiece {
                        shard: shard.id.clone(),
                        points,
                        rejected,
                        position,
                        iterator: None,
                        is_finished: true,
                    });
                }
                match points_of(&record) {
                    Ok(found) => points.extend(found),
                    Err(error) if self.keeps_rejected => rejected.push(rejected_of(shard, &record, &error)),
                    Err(error) => return Err(self.refused(shard, &record, error)),
                }
                position.first.get_or_insert_with(|| record.sequence.clone());
                position.last = Some(record.sequence);
                position.records += 1;
            }
            if !is_seen && (answer.is_at_tip || answer.next.is_none()) {
                // Nothing is there at all: neither what was read last nor what came behind it.
                is_seen = true;
                self.refuse_unless_caught_up(shard, &position, kept_since)?;
            }
            if answer.is_at_tip {
                position.caught_up_at_ms = Some(self.clock.now().as_millisecond());
            }
            position.is_ended = answer.next.is_none() || (shard.is_closed && answer.is_at_tip);
            let is_finished = position.is_ended || answer.is_at_tip;
            match answer.next {
                Some(next) if !is_finished && points.is_empty() && rejected.is_empty() => iterator = next,
                next => {
                    let shard = shard.id.clone();
                    return Ok(ShardPiece { shard, points, rejected, position, iterator: next, is_finished });
                }
            }
            if is_empty {
                tokio::time::sleep(EMPTY_PAUSE).await;
            }
        }
    }

    async fn begin(&self, shard: &Shard, position: &ShardPosition, kept_since: Timestamp) -> Result<String> {
        let from = match (&position.last, self.start) {
            (Some(last), _) => From::Sequence(last.clone()),
            (None, StreamStart::TrimHorizon) => From::TrimHorizon,
            (None, StreamStart::At(time)) => From::Time(time),
        };
        if let Some(iterator) = self.api.iterator(&shard.id, &from).await? {
            return Ok(iterator);
        }
        // The last record is older than the stream keeps any.
        self.refuse_unless_caught_up(shard, position, kept_since)?;
        let oldest = self.api.iterator(&shard.id, &From::TrimHorizon).await?;
        oldest.ok_or_else(|| self.gap(&format!("the shard `{}` cannot be read", shard.id)))
    }

    /// Refuses to go on behind a record that is gone, unless there was nothing behind it when the stream still had it.
    fn refuse_unless_caught_up(&self, shard: &Shard, position: &ShardPosition, kept_since: Timestamp) -> Result<()> {
        if is_caught_up(position, kept_since) {
            return Ok(());
        }
        let last = position.last.as_deref().unwrap_or("its begin");
        Err(self.gap(&format!("the shard `{}` was read up to {last}, which is gone", shard.id)))
    }

    /// Refuses a record whose number is smaller than that of the last one: a shard's numbers only grow.
    fn refuse_smaller(&self, shard: &Shard, position: &ShardPosition, record: &Record) -> Result<()> {
        let last = position.last.as_deref().unwrap_or_default();
        if number(&record.sequence) > number(last) {
            return Ok(());
        }
        let what = format!("the shard `{}` was read up to {last}, and goes on with {}", shard.id, record.sequence);
        Err(self.gap(&what))
    }

    /// Makes the error of a record that holds no points.
    fn refused(&self, shard: &Shard, record: &Record, error: Error) -> Error {
        let error = error.with("stream", self.api.stream()).with("shard", &shard.id).with("record", &record.sequence);
        let form = "a record is a point as JSON, `{\"name\": …, \"ts\": …, \"value\": …}`, or a list of them";
        let help = error.help.clone().unwrap_or_else(|| form.to_owned());
        error.help(format!(
            "{help}. To go on behind such records: `max_rejected: 10` keeps as many of them apart in each session"
        ))
    }
}

/// Reads the points of a record.
///
/// # Errors
/// `InvalidData` for one that holds none.
fn points_of(record: &Record) -> Result<Vec<StreamPoint>> {
    let wrong = |message: &str| Error::new(ErrorKind::InvalidData, "read a record", message);
    let data = STANDARD.decode(&record.data).map_err(|_| wrong("expected bytes in Base64, found something else"))?;
    if data.starts_with(&AGGREGATED) {
        return Err(wrong("expected JSON, found records that the Kinesis Producer Library has packed together")
            .help("let the producer send records one by one (`AggregationEnabled = false`)"));
    }
    record::points(&data)
}

/// Keeps a record that holds no points.
fn rejected_of(shard: &Shard, record: &Record, error: &Error) -> RejectedRecord {
    let text = STANDARD.decode(&record.data).ok().and_then(|data| String::from_utf8(data).ok());
    RejectedRecord {
        shard: shard.id.clone(),
        sequence: record.sequence.clone(),
        reason: error.message.clone(),
        record: text.unwrap_or_else(|| record.data.clone()),
    }
}

/// Orders sequence numbers, which have more digits than numbers of ours.
fn number(sequence: &str) -> (usize, &str) {
    let digits = sequence.trim_start_matches('0');
    (digits.len(), digits)
}

/// Tells whether nothing was left of a shard at a time since when the stream has all records.
fn is_caught_up(position: &ShardPosition, kept_since: Timestamp) -> bool {
    position.caught_up_at_ms.is_some_and(|at| at >= kept_since.as_millisecond())
}

#[async_trait]
impl ReplayStream for KinesisStream {
    async fn next(&self, position: &StreamPosition) -> Result<StreamPiece> {
        let mut known = self.known.lock().await;
        let mut position = position.clone();
        loop {
            let shards = self.shards(&mut known).await?;
            self.refuse_gaps(&mut known, &shards, &position).await?;
            let kept_since = self.kept_since(&mut known).await?;
            position.made_ms = self.about(&mut known).await?.made_ms.or(position.made_ms);
            let is_ended = |id: &String| position.shards.get(id).is_some_and(|of| of.is_ended);
            let is_listed = |id: &String| shards.iter().any(|shard| shard.id == *id);
            let open = shards.iter().filter(|shard| {
                let has_turn = shard.parents.iter().all(|parent| is_ended(parent) || !is_listed(parent));
                has_turn && !is_ended(&shard.id) && !known.finished.contains(&shard.id)
            });
            let reads: Vec<_> = open
                .map(|shard| {
                    let before = position.shards.get(&shard.id).cloned().unwrap_or_default();
                    let iterator = known.iterators.get(&shard.id).filter(|(last, _)| *last == before.last);
                    self.read(shard, before.clone(), iterator.map(|(_, iterator)| iterator.clone()), kept_since)
                })
                .collect();
            if reads.is_empty() {
                return Ok(StreamPiece { points: Vec::new(), rejected: Vec::new(), position, is_end: true });
            }
            let pieces: Vec<ShardPiece> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
            let (mut points, mut rejected) = (Vec::new(), Vec::new());
            for piece in pieces {
                if piece.position.is_ended {
                    // Others may have come of it.
                    known.shards = None;
                } else if piece.is_finished {
                    known.finished.insert(piece.shard.clone());
                }
                match piece.iterator {
                    Some(iterator) => {
                        let at = (piece.position.last.clone(), iterator);
                        known.iterators.insert(piece.shard.clone(), at);
                    }
                    None => {
                        known.iterators.remove(&piece.shard);
                    }
                }
                points.extend(piece.points);
                rejected.extend(piece.rejected);
                position.shards.insert(piece.shard, piece.position);
            }
            if !points.is_empty() || !rejected.is_empty() {
                return Ok(StreamPiece { points, rejected, position, is_end: false });
            }
        }
    }
}
