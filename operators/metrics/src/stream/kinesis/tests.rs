//! Replays of streams: of moto's, and of one that forgets.

use std::sync::Mutex as StdMutex;

use lake::aws::{AwsKeys, Call};
use lake::clock::{ManualClock, SystemClock};
use lake::pause::Patience;
use serde_json::{Value, json};

use super::*;
use crate::store::conformance::http::Fake;
use crate::store::conformance::server::Moto;

const TEST: Call = Call { operation: "test", action: "kinesis:Test" };
const PATIENCE: Patience = Patience { tries: 4, first: Duration::from_millis(1), longest: Duration::from_millis(10) };

fn settings(url: &str, start: StreamStart, until: Timestamp) -> KinesisSettings {
    KinesisSettings {
        stream: "points".to_owned(),
        start,
        until,
        keeps_rejected: false,
        endpoint: Some(url.to_owned()),
        aws: AwsSettings {
            region: Some("eu-west-1".to_owned()),
            keys: Some(AwsKeys { id: "AKIDEXAMPLE".to_owned(), secret: "hunter2".to_owned() }),
            ..AwsSettings::default()
        },
    }
}

async fn opened(settings: &KinesisSettings, clock: Arc<dyn Clock>) -> KinesisStream {
    let mut stream = KinesisStream::open(settings, clock).await.unwrap();
    stream.api.api = stream.api.api.clone().with_patience(PATIENCE);
    stream
}

/// Reads to the end; returns the values in their order and the position there.
async fn read(stream: &KinesisStream, mut position: StreamPosition) -> Result<(Vec<f64>, StreamPosition)> {
    let mut values = Vec::new();
    loop {
        let piece = stream.next(&position).await?;
        values.extend(piece.points.iter().map(|point| point.value));
        // As it is stored between two steps.
        position = serde_json::from_value(serde_json::to_value(&piece.position).unwrap()).unwrap();
        if piece.is_end {
            return Ok((values, position));
        }
    }
}

fn point(value: f64) -> String {
    STANDARD.encode(json!({"name": "a", "ts": 5, "value": value}).to_string())
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_whatever_is_split() {
    let Some(moto) = Moto::start() else { return };
    let far = Timestamp::MAX;
    let open = async || opened(&settings(&moto.url, StreamStart::TrimHorizon, far), Arc::new(SystemClock)).await;
    let stream = open().await;
    let ask = async |name: &str, mut request: Value| {
        request["StreamName"] = "points".into();
        stream.api.api.call(TEST, name, &request).await.unwrap()
    };
    ask("CreateStream", json!({"ShardCount": 1})).await;
    let put = async |value: f64, key: &str| {
        ask("PutRecord", json!({"Data": point(value), "PartitionKey": "k", "ExplicitHashKey": key})).await;
    };
    // It knows no shard of the largest number that there is.
    let (low, high) = ("0", "340282366920938463463374607431768211000");
    put(1.0, low).await;
    put(2.0, high).await;
    let (values, first) = read(&open().await, StreamPosition::default()).await.unwrap();
    assert_eq!(values, [1.0, 2.0]);
    let shard = &first.shards["shardId-000000000000"];
    assert!(shard.records == 2 && shard.first.is_some() && shard.last > shard.first, "{shard:?}");
    let (values, _) = read(&open().await, first.clone()).await.unwrap();
    assert!(values.is_empty(), "{values:?}");

    let half = "170141183460469231731687303715884105728";
    ask("SplitShard", json!({"ShardToSplit": "shardId-000000000000", "NewStartingHashKey": half})).await;
    put(3.0, low).await;
    put(4.0, high).await;
    let (values, second) = read(&open().await, first).await.unwrap();
    // Unlike Kinesis, moto still puts records into a shard that is split.
    assert_eq!(values, [3.0, 4.0]);
    assert!(second.shards["shardId-000000000000"].is_ended && second.shards.len() == 3, "{second:?}");
    let (values, _) = read(&open().await, second).await.unwrap();
    assert!(values.is_empty(), "{values:?}");

    // All of it once more, from the begin.
    let (mut values, all) = read(&open().await, StreamPosition::default()).await.unwrap();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(all.shards.values().map(|shard| shard.records).sum::<u64>(), 4);
}

#[tokio::test]
async fn a_stream_that_is_not_there_is_named() {
    let Some(moto) = Moto::start() else { return };
    let stream = opened(&settings(&moto.url, StreamStart::TrimHorizon, Timestamp::MAX), Arc::new(SystemClock)).await;
    let error = stream.next(&StreamPosition::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.to_string().contains("\n  stream: points"), "{error}");
}

/// A stream whose shards a test changes: it trims, closes and loses them.
#[derive(Debug, Default)]
struct Forgetful {
    shards: Vec<FakeShard>,
    /// When it was made, in seconds since 1970, where it tells.
    made: Option<u32>,
    /// Calls that are refused, the next one first.
    refusals: Vec<&'static str>,
}

#[derive(Debug, Default)]
struct FakeShard {
    id: &'static str,
    parents: Vec<&'static str>,
    is_closed: bool,
    /// The number, when it came, and what it holds.
    records: Vec<(u32, i64, String)>,
}

impl Forgetful {
    fn answer(&mut self, name: &str, request: &Value) -> (u16, Value) {
        if let Some(refusal) = self.refusals.pop().filter(|refusal| !refusal.is_empty()) {
            return (400, json!({"__type": refusal, "message": "not now"}));
        }
        let answer = match name {
            "ListShards" => {
                let shards = self.shards.iter().map(|shard| {
                    let end = shard.is_closed.then_some("9");
                    json!({
                        "ShardId": shard.id,
                        "ParentShardId": shard.parents.first(),
                        "AdjacentParentShardId": shard.parents.get(1),
                        "SequenceNumberRange": {"StartingSequenceNumber": "0", "EndingSequenceNumber": end},
                    })
                });
                json!({"Shards": shards.collect::<Vec<_>>()})
            }
            "DescribeStreamSummary" => {
                json!({"StreamDescriptionSummary": {"RetentionPeriodHours": 24, "StreamCreationTimestamp": self.made}})
            }
            "GetShardIterator" => {
                let from = match request["ShardIteratorType"].as_str().unwrap() {
                    "AT_SEQUENCE_NUMBER" => request["StartingSequenceNumber"].as_str().unwrap().parse().unwrap(),
                    "AT_TIMESTAMP" => {
                        let time = request["Timestamp"].as_f64().unwrap();
                        let shard = self.shard(request["ShardId"].as_str().unwrap());
                        let first = shard
                            .records
                            .iter()
                            .find(|(_, arrived, _)| f64::from(i32::try_from(*arrived).unwrap()) >= time);
                        first.map_or(u32::MAX, |(number, ..)| *number)
                    }
                    _ => 0,
                };
                json!({"ShardIterator": format!("{} {from}", request["ShardId"].as_str().unwrap())})
            }
            "GetRecords" => {
                let (id, from) = request["ShardIterator"].as_str().unwrap().split_once(' ').unwrap();
                let from: u32 = from.parse().unwrap();
                let shard = self.shard(id);
                // Two at a time.
                let left: Vec<_> = shard.records.iter().filter(|(number, ..)| *number >= from).collect();
                let records = left.iter().take(2).map(|(number, arrived, data)| {
                    json!({"SequenceNumber": number.to_string(), "ApproximateArrivalTimestamp": arrived, "Data": data})
                });
                let behind = if left.len() > 2 { 1_000 } else { 0 };
                let next = left.iter().take(2).next_back().map_or(from, |(number, ..)| number + 1);
                let is_ended = shard.is_closed && left.len() <= 2;
                let next = (!is_ended).then(|| format!("{id} {next}"));
                json!({
                    "Records": records.collect::<Vec<_>>(),
                    "NextShardIterator": next,
                    "MillisBehindLatest": behind,
                })
            }
            other => panic!("{other}"),
        };
        (200, answer)
    }

    fn shard(&self, id: &str) -> &FakeShard {
        self.shards.iter().find(|shard| shard.id == id).unwrap()
    }
}

const HOUR: i64 = 3_600;

/// A day has 24 hours, which is what the stream keeps: the hour 0 is gone at the hour 30.
struct World {
    stream: Arc<StdMutex<Forgetful>>,
    fake: Fake,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new(shards: Vec<FakeShard>) -> Self {
        let stream = Arc::new(StdMutex::new(Forgetful { shards, ..Forgetful::default() }));
        let answers = Arc::clone(&stream);
        let fake = Fake::new(move |name, request| answers.lock().unwrap().answer(name, request)).await;
        Self { stream, fake, clock: Arc::new(ManualClock::new(Timestamp::from_second(30 * HOUR).unwrap())) }
    }

    async fn open(&self, start: StreamStart) -> KinesisStream {
        self.until(start, Timestamp::MAX).await
    }

    async fn until(&self, start: StreamStart, until: Timestamp) -> KinesisStream {
        opened(&settings(&self.fake.url, start, until), Arc::clone(&self.clock) as Arc<dyn Clock>).await
    }

    fn change(&self, change: impl FnOnce(&mut Forgetful)) {
        change(&mut self.stream.lock().unwrap());
    }
}

fn shard(id: &'static str, parents: &[&'static str], numbers: std::ops::Range<u32>) -> FakeShard {
    let records = numbers.map(|number| (number, 30 * HOUR + i64::from(number), point(f64::from(number))));
    FakeShard { id, parents: parents.to_vec(), is_closed: false, records: records.collect() }
}

#[tokio::test]
async fn a_replay_goes_on_behind_the_last_record_and_ends_at_its_time() {
    let world = World::new(vec![shard("s", &[], 0..7)]).await;
    let at = |second| Timestamp::from_second(30 * HOUR + second).unwrap();
    let stream = world.until(StreamStart::At(at(1)), at(3)).await;
    let (values, position) = read(&stream, StreamPosition::default()).await.unwrap();
    assert_eq!(values, [1.0, 2.0, 3.0]);
    let shard = position.shards["s"].clone();
    assert_eq!((shard.first.as_deref(), shard.last.as_deref(), shard.records), (Some("1"), Some("3"), 3));
    let (values, position) = read(&world.open(StreamStart::TrimHorizon).await, position).await.unwrap();
    assert_eq!(values, [4.0, 5.0, 6.0]);
    assert_eq!(position.shards["s"].last.as_deref(), Some("6"));
}

#[tokio::test]
async fn records_that_are_gone_are_a_gap_unless_there_were_none() {
    let world = World::new(vec![shard("s", &[], 0..4)]).await;
    let at = |second| Timestamp::from_second(30 * HOUR + second).unwrap();
    let stopped = world.until(StreamStart::TrimHorizon, at(1)).await;
    let (_, position) = read(&stopped, StreamPosition::default()).await.unwrap();
    assert_eq!(position.shards["s"].last.as_deref(), Some("1"));
    let (_, to_the_end) = read(&world.open(StreamStart::TrimHorizon).await, StreamPosition::default()).await.unwrap();
    world.change(|stream| {
        stream.shards[0].records.drain(..3);
    });
    let error = read(&world.open(StreamStart::TrimHorizon).await, position.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert_eq!(
        error.to_string(),
        "the stream has a gap: the shard `s` was read up to 1, which is gone\n  stream: points\n  oldest record: 3"
    );
    // Also when nothing is left that would tell of it.
    world.change(|stream| stream.shards[0].records.clear());
    let error = read(&world.open(StreamStart::TrimHorizon).await, position.clone()).await.unwrap_err();
    assert_eq!(error.message, "the stream has a gap: the shard `s` was read up to 1, which is gone");
    // Whoever was at the end when all was there still has missed nothing, for as long as the stream keeps what came since.
    let (values, _) = read(&world.open(StreamStart::TrimHorizon).await, to_the_end.clone()).await.unwrap();
    assert!(values.is_empty(), "{values:?}");
    world.change(|stream| stream.shards[0].records = shard("s", &[], 9..11).records);
    let (values, _) = read(&world.open(StreamStart::TrimHorizon).await, to_the_end.clone()).await.unwrap();
    assert_eq!(values, [9.0, 10.0]);
    world.clock.advance(Duration::from_hours(25));
    let error = read(&world.open(StreamStart::TrimHorizon).await, to_the_end).await.unwrap_err();
    assert!(error.to_string().contains("was read up to 3, which is gone"), "{error}");
    world.change(|stream| stream.shards.clear());
    let error = read(&world.open(StreamStart::TrimHorizon).await, position).await.unwrap_err();
    assert_eq!(error.message, "the stream has a gap: the shard `s` is gone, which was read up to 1");
}

#[tokio::test]
async fn a_stream_that_was_made_anew_is_a_gap_whatever_its_numbers_are() {
    let world = World::new(vec![shard("s", &[], 0..6)]).await;
    world.change(|stream| stream.made = Some(1_000));
    let (_, position) = read(&world.open(StreamStart::TrimHorizon).await, StreamPosition::default()).await.unwrap();
    assert_eq!(position.made_ms, Some(1_000_000));
    // Its numbers go on as those of the other one would, and all of that had been read.
    world.change(|stream| (stream.made, stream.shards) = (Some(2_000), vec![shard("s", &[], 3..9)]));
    let error = read(&world.open(StreamStart::TrimHorizon).await, position.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the stream has a gap: the shard `s` was read up to 5, which is gone\n  stream: points\n  \
         stream made anew: 1970-01-01T00:33:20Z\n  oldest record: 3"
    );
    assert!(error.help.unwrap().contains("`start: trim_horizon`"));
    // Where the stream does not say when it was made, its numbers tell.
    world.change(|stream| (stream.made, stream.shards) = (None, vec![shard("s", &[], 0..3)]));
    world.change(|stream| stream.shards[0].records.iter_mut().for_each(|record| record.0 += 20));
    assert_eq!(
        read(&world.open(StreamStart::TrimHorizon).await, position.clone()).await.unwrap().0,
        [0.0, 1.0, 2.0],
        "all was read, and what follows has larger numbers"
    );
    assert!(number("100") > number("099") && number("9") < number("10") && number("12") > number("11"));
}

#[tokio::test]
async fn a_start_that_the_stream_does_not_have_any_more_is_a_gap() {
    let world = World::new(vec![shard("s", &[], 0..2)]).await;
    let stream = world.open(StreamStart::At(Timestamp::from_second(5 * HOUR).unwrap())).await;
    let error = stream.next(&StreamPosition::default()).await.unwrap_err();
    assert_eq!(
        error.message,
        "the stream has a gap: records of 1970-01-01T05:00:00Z to 1970-01-01T06:00:00Z are gone: the stream does not keep them \
         so long"
    );
    let stream = world.open(StreamStart::At(Timestamp::from_second(6 * HOUR).unwrap())).await;
    assert_eq!(read(&stream, StreamPosition::default()).await.unwrap().0, [0.0, 1.0]);
}

#[tokio::test]
async fn parents_are_read_before_children_and_must_be_known() {
    let closed = |of: FakeShard| FakeShard { is_closed: true, ..of };
    let shards = vec![
        shard("child", &["left", "right"], 20..22),
        closed(shard("right", &[], 10..13)),
        closed(shard("left", &["trimmed before"], 0..5)),
    ];
    let world = World::new(shards).await;
    let (values, position) =
        read(&world.open(StreamStart::TrimHorizon).await, StreamPosition::default()).await.unwrap();
    assert_eq!(values.len(), 10);
    assert_eq!(values[8..], [20.0, 21.0]);
    assert!(
        position.shards["left"].is_ended && position.shards["right"].is_ended && !position.shards["child"].is_ended
    );
    world.change(|stream| stream.shards.push(shard("grandchild", &["child", "other"], 30..31)));
    let error = read(&world.open(StreamStart::TrimHorizon).await, position).await.unwrap_err();
    assert_eq!(
        error.message,
        "the stream has a gap: the shard `other`, which `grandchild` was made of, was never read and is gone"
    );
}

#[tokio::test]
async fn throttling_and_old_iterators_are_waited_out() {
    let world = World::new(vec![shard("s", &[], 0..5)]).await;
    let stream = world.open(StreamStart::TrimHorizon).await;
    let refusals = [
        // The shards, how long records are kept, where to begin.
        "",
        "LimitExceeded#ThrottlingException",
        "",
        "InternalFailure",
        "",
        // The first records: with another iterator.
        "ExpiredIteratorException",
        "",
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceededException",
        "",
        // The next ones: behind the last that was read.
        "ExpiredIteratorException",
    ];
    world.change(|fake| fake.refusals = refusals.into_iter().rev().collect());
    assert_eq!(read(&stream, StreamPosition::default()).await.unwrap().0, [0.0, 1.0, 2.0, 3.0, 4.0]);
    world.change(|fake| fake.refusals = vec!["ProvisionedThroughputExceededException"; 50]);
    let error = world.open(StreamStart::TrimHorizon).await.next(&StreamPosition::default()).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::External, lake::error::Retryable::Yes));
}

#[tokio::test]
async fn a_record_that_is_no_point_has_its_place() {
    let world = World::new(vec![shard("s", &[], 0..1)]).await;
    for (data, message) in [
        (STANDARD.encode("{}"), "expected the key `name`, found `{}`"),
        (
            STANDARD.encode([0xf3, 0x89, 0x9a, 0xc2, 0]),
            "expected JSON, found records that the Kinesis Producer Library has packed together",
        ),
        ("!".to_owned(), "expected bytes in Base64, found something else"),
    ] {
        world.change(|fake| fake.shards[0].records[0].2 = data);
        let error = world.open(StreamStart::TrimHorizon).await.next(&StreamPosition::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{message}\n  stream: points\n  shard: s\n  record: 0"));
        assert_eq!(error.kind, ErrorKind::InvalidData);
        let help = error.help.unwrap();
        let way_on = ". To go on behind such records: `max_rejected: 10` keeps as many of them apart in each session";
        assert!(help.ends_with(way_on), "{help}");
    }
}

#[tokio::test]
async fn records_that_hold_no_points_are_kept_apart_with_their_places() {
    let world = World::new(vec![shard("s", &[], 0..6)]).await;
    world.change(|fake| {
        fake.shards[0].records[0].2 = STANDARD.encode("{}");
        fake.shards[0].records[3].2 = STANDARD.encode([0xff, 0xfe]);
    });
    let settings =
        KinesisSettings { keeps_rejected: true, ..settings(&world.fake.url, StreamStart::TrimHorizon, Timestamp::MAX) };
    let stream = opened(&settings, Arc::clone(&world.clock) as Arc<dyn Clock>).await;
    let (mut position, mut values, mut rejected) = (StreamPosition::default(), Vec::new(), Vec::new());
    loop {
        let piece = stream.next(&position).await.unwrap();
        values.extend(piece.points.iter().map(|point| point.value));
        rejected.extend(piece.rejected);
        position = piece.position;
        if piece.is_end {
            break;
        }
    }
    assert_eq!(values, [1.0, 2.0, 4.0, 5.0]);
    assert_eq!((position.shards["s"].records, position.shards["s"].first.as_deref()), (6, Some("0")));
    let of = |sequence: &str, reason: &str, record: &str| RejectedRecord {
        shard: "s".to_owned(),
        sequence: sequence.to_owned(),
        reason: reason.to_owned(),
        record: record.to_owned(),
    };
    assert_eq!(
        rejected,
        [
            of("0", "expected the key `name`, found `{}`", "{}"),
            of("3", "expected JSON, found bytes that are no text", &STANDARD.encode([0xff, 0xfe])),
        ]
    );
}
