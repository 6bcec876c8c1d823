//! What proves that two sets of points are the same: counts, times, and a sum of hashes that knows no order.
//!
//! A point's hash is `int64(xxhash64(utf8(name) ‖ be64(ts_ms) ‖ be64(bits(value))))` with seed 0
//! (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>); the checksum is the sum of all as a wide integer, so
//! that a point that is there twice changes it. In SQL, on the embedded engine, Athena and Trino:
//!
//! ```sql
//! SELECT sum(CAST(from_big_endian_64(xxhash64(to_utf8(name)
//!     || to_big_endian_64(date_diff('millisecond', TIMESTAMP '1970-01-01 00:00:00', ts))
//!     || to_ieee754_64(value))) AS decimal(38, 0))) FROM points
//! ```

use std::hash::Hasher as _;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::bucket::SeriesBuckets;
use crate::point::{Points, SeriesName};

/// Into how many parts the series are divided, by the hash of their names: a difference is in few of them.
pub(crate) const PARTS: usize = 256;

/// The figures of a set of points (or of buckets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// How many points; of a roll-up, how many buckets.
    pub count: u64,
    /// Of how many series.
    pub series: u64,
    /// The first time, in milliseconds since 1970.
    pub min_ms: Option<i64>,
    /// The last time, in milliseconds since 1970.
    pub max_ms: Option<i64>,
    /// The sum of the hashes.
    #[serde(with = "as_text")]
    pub checksum: i128,
}

/// The sums of the hashes by parts, each modulo 2⁶⁴: they only tell where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSums(Vec<u64>);

impl PartSums {
    /// Returns the part of a series.
    pub fn of(name: &SeriesName) -> usize {
        let part = XxHash64::oneshot(0, name.as_str().as_bytes()) % PARTS as u64;
        usize::try_from(part).unwrap_or_default()
    }

    /// Writes them as bytes: 8 a part.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|sum| sum.to_be_bytes()).collect()
    }

    /// Reads what [`PartSums::to_bytes`] wrote; none for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let sums: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
        (bytes.len() == PARTS * 8).then_some(Self(sums))
    }

    /// Tells whether a part of these is that of others and one point of a series, which is in that part.
    pub(crate) fn is_with_one_of(&self, others: &Self, name: &SeriesName, points: &Points) -> bool {
        let part = Self::of(name);
        let more = self.0[part].wrapping_sub(others.0[part]);
        hashes_of(name, points).any(|hash| low_bits(hash) == more)
    }

    /// Returns the parts that differ.
    pub fn differing(&self, other: &Self) -> Vec<usize> {
        (0..PARTS).filter(|part| self.0[*part] != other.0[*part]).collect()
    }
}

impl Default for PartSums {
    fn default() -> Self {
        Self(vec![0; PARTS])
    }
}

/// Counts and sums points as they come by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// The figures so far.
    pub figures: Figures,
    /// The sums by parts so far.
    pub parts: PartSums,
}

impl Tally {
    /// Takes all points of a series; each series comes once.
    pub fn add(&mut self, name: &SeriesName, points: &Points) {
        let hash = checksum_of(name, points);
        self.add_hashed(name, points.times_ms(), hash);
    }

    /// Takes all buckets of a series; each series comes once.
    pub fn add_buckets(&mut self, buckets: &SeriesBuckets) {
        let start = start_of(&buckets.name);
        let sum = buckets.buckets.iter().map(|(time_ms, bucket)| {
            let mut bytes = [0; 72];
            let (words, _) = bytes.as_chunks_mut::<8>();
            let values = [bucket.sum, bucket.min, bucket.max, bucket.first, bucket.last];
            words[0] = time_ms.to_be_bytes();
            words[1] = bucket.count.to_be_bytes();
            for (word, value) in words[2..].iter_mut().zip(values) {
                *word = value.to_bits().to_be_bytes();
            }
            words[7] = bucket.first_ms.to_be_bytes();
            words[8] = bucket.last_ms.to_be_bytes();
            finish(&start, &bytes)
        });
        let sum = sum.sum();
        let times: Vec<i64> = buckets.buckets.iter().map(|(time_ms, _)| *time_ms).collect();
        self.add_hashed(&buckets.name, &times, sum);
    }

    fn add_hashed(&mut self, name: &SeriesName, times_ms: &[i64], hash: i128) {
        let (Some(first), Some(last)) = (times_ms.first(), times_ms.last()) else { return };
        let figures = &mut self.figures;
        figures.count += times_ms.len() as u64;
        figures.series += 1;
        figures.min_ms = Some(figures.min_ms.map_or(*first, |min_ms| min_ms.min(*first)));
        figures.max_ms = Some(figures.max_ms.map_or(*last, |max_ms| max_ms.max(*last)));
        figures.checksum += hash;
        let part = &mut self.parts.0[PartSums::of(name)];
        *part = part.wrapping_add(low_bits(hash));
    }
}

/// Returns the sum of the hashes of a series' points.
pub fn checksum_of(name: &SeriesName, points: &Points) -> i128 {
    hashes_of(name, points).sum()
}

/// Returns the hashes of a series' points, one after the other.
fn hashes_of<'a>(name: &SeriesName, points: &'a Points) -> impl Iterator<Item = i128> + 'a {
    let start = start_of(name);
    points.iter().map(move |(time_ms, value)| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&time_ms.to_be_bytes());
        bytes[8..].copy_from_slice(&value.to_bits().to_be_bytes());
        finish(&start, &bytes)
    })
}

/// Hashes a name once for all its points.
fn start_of(name: &SeriesName) -> XxHash64 {
    let mut start = XxHash64::with_seed(0);
    start.write(name.as_str().as_bytes());
    start
}

fn finish(start: &XxHash64, bytes: &[u8]) -> i128 {
    let mut hash = start.clone();
    hash.write(bytes);
    i128::from(hash.finish().cast_signed())
}

fn low_bits(sum: i128) -> u64 {
    u64::try_from(sum.cast_unsigned() & u128::from(u64::MAX)).unwrap_or_default()
}

/// A wide integer as text: numbers of JSON are read as doubles by many.
mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_documented_one_and_knows_no_order() {
        let name = SeriesName::new("a").unwrap();
        let points = Points::of_sorted(vec![0, 60_000], vec![1.0, f64::NAN]).unwrap();
        let mut expected = 0_i128;
        for (time_ms, value) in points.iter() {
            let mut bytes = b"a".to_vec();
            bytes.extend(time_ms.to_be_bytes());
            bytes.extend(value.to_bits().to_be_bytes());
            expected += i128::from(XxHash64::oneshot(0, &bytes).cast_signed());
        }
        let mut tally = Tally::default();
        tally.add(&name, &points);
        assert_eq!(tally.figures.checksum, expected);
        assert_eq!((tally.figures.count, tally.figures.series), (2, 1));
        assert_eq!((tally.figures.min_ms, tally.figures.max_ms), (Some(0), Some(60_000)));
        let other = SeriesName::new("b").unwrap();
        let (mut forwards, mut backwards) = (tally.clone(), Tally::default());
        forwards.add(&other, &points);
        backwards.add(&other, &points);
        backwards.add(&name, &points);
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.parts.differing(&tally.parts), [PartSums::of(&other)]);
        assert_eq!(PartSums::from_bytes(&forwards.parts.to_bytes()), Some(forwards.parts));
        assert_eq!(PartSums::from_bytes(b"short"), None);
    }

    #[test]
    fn figures_read_as_they_were_written() {
        let figures = Figures { count: 1, series: 1, min_ms: Some(5), max_ms: Some(5), checksum: i128::MIN };
        let text = serde_json::to_string(&figures).unwrap();
        assert!(text.contains("\"checksum\":\"-170141183460469231731687303715884105728\""), "{text}");
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    }
}
