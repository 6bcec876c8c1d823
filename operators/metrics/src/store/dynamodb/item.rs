//! Items: the points of one series and one span of time, as attributes.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lake::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::point::{Points, SeriesName};
use crate::time::{TimeRange, check_time};

/// The partition key: the series' name, or [`HASHED`] and the hash of one that is too long for a key.
pub(super) const SERIES: &str = "series";

/// The sort key: `<first millisecond of the span>:<step>`.
pub(super) const EPOCH: &str = "epoch";

/// The points: a set of 16 bytes each, the time and the value's bits, both with the highest byte first.
pub(super) const POINTS: &str = "points";

/// Counts the changes of an item.
pub(super) const REVISION: &str = "revision";

/// The series' name, where the partition key is its hash.
pub(super) const NAME: &str = "name";

/// `DynamoDB` takes partition keys of at most 2,048 bytes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const LONGEST_KEY: usize = 2_048;

/// How a partition key begins that is a hash. Names that begin like that are hashed too, so that none is taken for another.
const HASHED: &str = "sha256:";

/// `DynamoDB` takes items of at most 400 KB, names of attributes and keys included; an element of a set takes a byte more than it has.
/// What is left for the rest is more than two keys and a name take.
const MOST_POINTS: usize = (400 * 1024 - 8 * 1024) / 17;

/// What tells the items of a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Items {
    /// How long the span of an item is.
    pub(super) span_ms: i64,
    /// The step, as the tier says it: `1m`.
    pub(super) step: String,
    /// The attribute of the time to live.
    pub(super) ttl_attr: String,
    /// How long an item is kept after its end.
    pub(super) keep: Duration,
}

/// The key of an item: a series and the first millisecond of a span.
pub(super) type Key = (SeriesName, i64);

/// What an item holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stored {
    pub(super) points: Points,
    /// None for one that another program made.
    pub(super) revision: Option<u64>,
    /// The set as it was read, to compare with where there is no revision.
    pub(super) raw: Option<Value>,
}

impl Items {
    /// Returns the first millisecond of the span of a time.
    pub(super) fn epoch_of(&self, time_ms: i64) -> i64 {
        time_ms - time_ms.rem_euclid(self.span_ms)
    }

    /// Returns the span of an item.
    pub(super) fn span(&self, epoch_ms: i64) -> TimeRange {
        TimeRange::new(epoch_ms, epoch_ms.saturating_add(self.span_ms))
    }

    /// Returns the sort key of an item.
    pub(super) fn sort_key(&self, epoch_ms: i64) -> String {
        format!("{epoch_ms}:{}", self.step)
    }

    /// Returns the key of an item as attributes.
    pub(super) fn key(&self, (name, epoch_ms): &Key) -> Value {
        json!({SERIES: {"S": partition_key(name)}, EPOCH: {"S": self.sort_key(*epoch_ms)}})
    }

    /// Returns when an item may go by itself, in seconds since 1970: what is kept counts from its end.
    pub(super) fn gone_after(&self, epoch_ms: i64) -> i64 {
        let keep_ms = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let end_ms = self.span(epoch_ms).end_ms.saturating_add(keep_ms);
        end_ms.div_euclid(1_000) + i64::from(end_ms.rem_euclid(1_000) > 0)
    }

    /// Reads the key of an item; none for one of another step.
    ///
    /// # Errors
    /// `InvalidData` for one that is no item of points, or whose span is not the tier's.
    pub(super) fn read_key(&self, item: &Map<String, Value>) -> Result<Option<Key>> {
        let series = text(item, SERIES).unwrap_or_default();
        let sort_key = text(item, EPOCH).unwrap_or_default();
        let wrong = |why: String| foreign(series, sort_key, &why);
        let Some((epoch, step)) = sort_key.split_once(':') else {
            return Err(wrong("its sort key is not `<milliseconds>:<step>`".to_owned()));
        };
        if step != self.step {
            return Ok(None);
        }
        let epoch_ms = epoch.parse::<i64>().ok().filter(|epoch_ms| epoch_ms.to_string() == epoch);
        let Some(epoch_ms) = epoch_ms.filter(|epoch_ms| check_time(*epoch_ms).is_ok()) else {
            return Err(wrong("its sort key begins with no time in milliseconds since 1970".to_owned()));
        };
        if self.epoch_of(epoch_ms) != epoch_ms {
            let why = format!("items of {} ms do not begin at that time: `item` was another one", self.span_ms);
            return Err(wrong(why));
        }
        let name = text(item, NAME).unwrap_or(series);
        let name = SeriesName::new(name).ok().filter(|name| partition_key(name) == series);
        name.map(|name| Some((name, epoch_ms))).ok_or_else(|| wrong("its name is none of a series".to_owned()))
    }

    /// Reads the points of an item.
    ///
    /// # Errors
    /// `InvalidData` for what is no set of points, or a point outside of the item's span.
    pub(super) fn read(&self, (name, epoch_ms): &Key, item: &Map<String, Value>) -> Result<Stored> {
        let sort_key = self.sort_key(*epoch_ms);
        let wrong = |why: &str| foreign(name.as_str(), &sort_key, why);
        let raw = item.get(POINTS);
        let elements = raw.and_then(|points| points.get("BS")).and_then(Value::as_array);
        let elements = elements.ok_or_else(|| wrong("its points are no set of bytes"))?;
        let (times, mut points) = (self.span(*epoch_ms), BTreeMap::new());
        for element in elements {
            let bytes = element.as_str().and_then(|text| STANDARD.decode(text).ok());
            let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            let (time_ms, value) = bytes.map(point).ok_or_else(|| wrong("a point has not 16 bytes"))?;
            if !times.contains(time_ms) {
                return Err(wrong(&format!("a point has the time {time_ms}, which is not within its span")));
            }
            // Another program may have added a second value: the larger one counts, whoever looks.
            points.entry(time_ms).and_modify(|stands: &mut f64| *stands = stands.max(value)).or_insert(value);
        }
        let (times_ms, values) = points.into_iter().unzip();
        let revision = item.get(REVISION).and_then(|revision| revision.get("N")).and_then(Value::as_str);
        let revision = revision.map(|text| text.parse::<u64>().map_err(|_| wrong("its revision is no number")));
        Ok(Stored { points: Points::of_sorted(times_ms, values)?, revision: revision.transpose()?, raw: raw.cloned() })
    }

    /// Returns the set of points as an attribute.
    ///
    /// # Errors
    /// `ResourcesExhausted` when an item cannot hold them.
    pub(super) fn points(&self, (name, epoch_ms): &Key, points: &Points) -> Result<Value> {
        if points.len() > MOST_POINTS {
            let message = format!(
                "expected at most {MOST_POINTS} points in one item, found {} in that of `{name}`, `{}`: DynamoDB takes items of 400 KB",
                points.len(),
                self.sort_key(*epoch_ms)
            );
            return Err(Error::new(ErrorKind::ResourcesExhausted, "write points", message)
                .help("give the tier's items a shorter span, `item: 1h`, in a table of its own: it must not change for items that are there"));
        }
        let elements: Vec<String> =
            points.iter().map(|(time_ms, value)| STANDARD.encode(bytes(time_ms, value))).collect();
        Ok(json!({ "BS": elements }))
    }
}

/// Returns the partition key of a series.
pub(super) fn partition_key(name: &SeriesName) -> String {
    let text = name.as_str();
    if text.len() <= LONGEST_KEY && !text.starts_with(HASHED) {
        return text.to_owned();
    }
    format!("{HASHED}{:x}", Sha256::digest(text))
}

fn bytes(time_ms: i64, value: f64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&time_ms.to_be_bytes());
    bytes[8..].copy_from_slice(&value.to_bits().to_be_bytes());
    bytes
}

fn point(bytes: [u8; 16]) -> (i64, f64) {
    let both = u128::from_be_bytes(bytes);
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (half(both >> 64).cast_signed(), f64::from_bits(half(both)))
}

fn text<'a>(item: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    item.get(name)?.get("S")?.as_str()
}

/// Makes the error of an item that is not ours.
fn foreign(series: &str, sort_key: &str, why: &str) -> Error {
    let message = format!("expected an item of points, found something else: {why}");
    Error::new(ErrorKind::InvalidData, "read points", message)
        .with("series", series.escape_debug().to_string())
        .with("epoch", sort_key.escape_debug().to_string())
        .help("give the tier a table of its own, or remove the item")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicate::DuplicateRule;

    fn items() -> Items {
        Items { span_ms: 3_600_000, step: "1m".to_owned(), ttl_attr: "ttl".to_owned(), keep: Duration::from_hours(48) }
    }

    fn name(text: &str) -> SeriesName {
        SeriesName::new(text).unwrap()
    }

    #[test]
    fn a_point_is_its_time_and_the_bits_of_its_value() {
        let written = bytes(1_709_164_800_000, 1.5);
        assert_eq!(written, [0, 0, 1, 0x8d, 0xf2, 0x29, 0x28, 0, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
        assert_eq!(point(written), (1_709_164_800_000, 1.5));
    }

    #[test]
    fn what_is_kept_counts_from_the_end_of_an_item() {
        assert_eq!(items().gone_after(7_200_000), 10_800 + 48 * 3_600);
        assert_eq!(Items { span_ms: 1_500, ..items() }.gone_after(0), 2 + 48 * 3_600);
    }

    #[test]
    fn long_names_are_hashed_and_read_back() {
        let (long, short) = ("🐙".repeat(1_000), "é".repeat(1_000));
        assert_eq!(partition_key(&name(&short)), short);
        let hashed = partition_key(&name(&long));
        assert_eq!(hashed.len(), 7 + 64);
        assert_ne!(partition_key(&name(&hashed)), hashed, "a name that looks like a hash is none");
        for text in [&long, &short, &hashed] {
            let key = (name(text), 3_600_000);
            let mut item = items().key(&key).as_object().unwrap().clone();
            item.insert(NAME.to_owned(), json!({"S": text}));
            assert_eq!(items().read_key(&item).unwrap(), Some(key));
        }
    }

    #[test]
    fn foreign_items_are_named_and_those_of_other_steps_passed_over() {
        let item = |series: &str, epoch: &str| {
            json!({SERIES: {"S": series}, EPOCH: {"S": epoch}}).as_object().unwrap().clone()
        };
        assert_eq!(items().read_key(&item("a", "3600000:5m")).unwrap(), None);
        for (series, epoch, why) in [
            ("a", "3600000", "its sort key is not `<milliseconds>:<step>`"),
            ("a", "x:1m", "its sort key begins with no time in milliseconds since 1970"),
            ("a", "-3600000:1m", "its sort key begins with no time in milliseconds since 1970"),
            ("a", "03600000:1m", "its sort key begins with no time in milliseconds since 1970"),
            ("a", "1800000:1m", "items of 3600000 ms do not begin at that time: `item` was another one"),
            ("a\u{7}", "3600000:1m", "its name is none of a series"),
            ("sha256:00", "3600000:1m", "its name is none of a series"),
        ] {
            let error = items().read_key(&item(series, epoch)).unwrap_err();
            let expected = format!(
                "expected an item of points, found something else: {why}\n  series: {}\n  epoch: {epoch}",
                series.escape_debug()
            );
            assert_eq!(error.to_string(), expected);
        }
        let key = (name("a"), 3_600_000);
        for (points, why) in [
            (json!({"M": {}}), "its points are no set of bytes"),
            (json!({"BS": ["AAAA"]}), "a point has not 16 bytes"),
            (
                json!({"BS": [STANDARD.encode(bytes(3_599_999, 1.0))]}),
                "a point has the time 3599999, which is not within its span",
            ),
        ] {
            let item = json!({POINTS: points}).as_object().unwrap().clone();
            let error = items().read(&key, &item).unwrap_err();
            assert!(error.message.ends_with(why), "{error}");
        }
    }

    #[test]
    fn of_two_values_of_one_time_the_larger_is_read() {
        let key = (name("a"), 0);
        let elements =
            [(5, 1.0), (5, 3.0), (5, f64::NAN), (4, 2.0)].map(|(time, value)| STANDARD.encode(bytes(time, value)));
        let item = json!({POINTS: {"BS": elements}}).as_object().unwrap().clone();
        let expected = Points::of_written(&[(4, 2.0), (5, 3.0)], DuplicateRule::Error).unwrap().0;
        assert_eq!(items().read(&key, &item).unwrap().points, expected);
    }
}
