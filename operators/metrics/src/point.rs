//! Points: a series' name, a time, a value; and batches of them in the order in which tiers keep them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use lake::{Error, ErrorKind, Result};

use crate::duplicate::DuplicateRule;

/// How many characters a series' name may have. Real ones are paths of a hundred; beyond a thousand a mistake is likely.
pub const NAME_CHARACTERS: usize = 1_000;

/// A series' name: any text of 1 to 1,000 characters but control characters. Data: never a path, never part of SQL text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesName(Arc<str>);

impl SeriesName {
    /// Makes a name.
    ///
    /// # Errors
    /// `InvalidData` when it is empty, too long, or holds a control character.
    pub fn new(text: &str) -> Result<Self> {
        let refused = |why: String| Err(Error::new(ErrorKind::InvalidData, "read a series' name", why));
        let characters = text.chars().count();
        if characters == 0 {
            return refused("expected a series' name, found an empty text".to_owned());
        }
        if characters > NAME_CHARACTERS {
            return refused(format!(
                "expected a series' name of at most {NAME_CHARACTERS} characters, found one of {characters}"
            ));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return refused(format!(
                "expected a series' name without control characters, found `{}` in `{}`",
                control.escape_debug(),
                text.escape_debug()
            ));
        }
        Ok(Self(text.into()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SeriesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for SeriesName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Returns the one form of a value: every "not a number" is the same, and −0 is 0. Without it two equal points would have two
/// checksums.
pub fn canonical(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}

/// Writes a value as SQL and JSON texts have it: `Infinity` in full.
pub fn value_text(value: f64) -> String {
    match (value.is_infinite(), value.is_sign_negative()) {
        (false, _) => value.to_string(),
        (true, false) => "Infinity".to_owned(),
        (true, true) => "-Infinity".to_owned(),
    }
}

/// Tells whether two canonical values are the same, "not a number" included.
pub fn same_value(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits()
}

/// The points of one series: times ascend and no time is there twice; values are canonical.
#[derive(Debug, Clone, Default)]
pub struct Points {
    times_ms: Vec<i64>,
    values: Vec<f64>,
}

/// What merging points did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Times that were not there.
    pub added: u64,
    /// Times that had the same value.
    pub same: u64,
    /// Times that had another value, which was replaced or stayed, as the rule says.
    pub changed: u64,
}

impl std::ops::AddAssign for Merged {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.same += other.same;
        self.changed += other.changed;
    }
}

/// A time with two values where the rule allows one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction {
    /// The time.
    pub time_ms: i64,
    /// The value that stands.
    pub stands: f64,
    /// The value that was written.
    pub written: f64,
}

impl Points {
    /// Makes points of times that ascend and values as they are; the values become canonical.
    ///
    /// # Errors
    /// `InvalidData` when a time does not ascend or the two have different lengths: stored data that is damaged.
    pub fn of_sorted(times_ms: Vec<i64>, mut values: Vec<f64>) -> Result<Self> {
        if times_ms.len() != values.len() || !times_ms.is_sorted_by(|left, right| left < right) {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "read points",
                "expected points in the order of their times",
            ));
        }
        for value in &mut values {
            *value = canonical(*value);
        }
        Ok(Self { times_ms, values })
    }

    /// Makes points of any order, in the order in which they were written: of two of one time the rule chooses.
    ///
    /// # Errors
    /// The first contradiction, under [`DuplicateRule::Error`].
    pub fn of_written(written: &[(i64, f64)], rule: DuplicateRule) -> Result<(Self, Merged), Contradiction> {
        let mut sorted: Vec<(i64, f64)> = written.iter().map(|&(time, value)| (time, canonical(value))).collect();
        // Stable: of one time the later written stays behind the earlier.
        sorted.sort_by_key(|(time, _)| *time);
        let mut points = Self { times_ms: Vec::with_capacity(sorted.len()), values: Vec::with_capacity(sorted.len()) };
        let mut merged = Merged::default();
        for (time_ms, value) in sorted {
            if points.times_ms.last() != Some(&time_ms) {
                points.times_ms.push(time_ms);
                points.values.push(value);
                merged.added += 1;
                continue;
            }
            let Some(last) = points.values.last_mut() else { continue };
            if same_value(*last, value) {
                merged.same += 1;
            } else {
                *last = choose(rule, time_ms, *last, value)?;
                merged.changed += 1;
            }
        }
        Ok((points, merged))
    }

    /// Returns the times, ascending.
    pub fn times_ms(&self) -> &[i64] {
        &self.times_ms
    }

    /// Returns the values, each of the time at the same place.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }

    /// Returns the points one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.times_ms.iter().copied().zip(self.values.iter().copied())
    }

    /// Returns the points of a span of time.
    #[must_use]
    pub fn within(&self, range: &crate::TimeRange) -> Self {
        let from = self.times_ms.partition_point(|time| *time < range.start_ms);
        let to = self.times_ms.partition_point(|time| *time < range.end_ms).max(from);
        Self { times_ms: self.times_ms[from..to].to_vec(), values: self.values[from..to].to_vec() }
    }

    /// Tells whether a point is in a span of time.
    #[must_use]
    pub fn has_any_in(&self, range: &crate::TimeRange) -> bool {
        let from = self.times_ms.partition_point(|time| *time < range.start_ms);
        self.times_ms.get(from).is_some_and(|time| *time < range.end_ms)
    }

    /// Returns the points at some places.
    #[must_use]
    pub fn slice(&self, places: std::ops::Range<usize>) -> Self {
        Self { times_ms: self.times_ms[places.clone()].to_vec(), values: self.values[places].to_vec() }
    }

    /// Appends points that are all later; the caller knows that they are.
    pub(crate) fn append(&mut self, mut later: Self) {
        debug_assert!(self.times_ms.last().is_none_or(|last| later.times_ms.first().is_none_or(|first| last < first)));
        self.times_ms.append(&mut later.times_ms);
        self.values.append(&mut later.values);
    }

    /// Tells these points, which are a store's, apart: those that the archive has, and those that it has not. It has a point
    /// with exactly the same value, and one that its own value of that time stands against by the rule.
    pub(crate) fn split_by(&self, other: &Self, rule: DuplicateRule) -> (Self, Self) {
        let (mut same, mut others, mut at) = (Self::default(), Self::default(), 0);
        for (time_ms, value) in self.iter() {
            while other.times_ms.get(at).is_some_and(|time| *time < time_ms) {
                at += 1;
            }
            let is_there = other.times_ms.get(at) == Some(&time_ms) && stands_against(rule, other.values[at], value);
            let into = if is_there { &mut same } else { &mut others };
            into.times_ms.push(time_ms);
            into.values.push(value);
        }
        (same, others)
    }

    /// Takes over points that were written after these: of two of one time the rule chooses.
    ///
    /// Taking over the same points again changes nothing.
    ///
    /// # Errors
    /// The first contradiction, under [`DuplicateRule::Error`]; then nothing has changed.
    pub fn merge(&mut self, written: &Self, rule: DuplicateRule) -> Result<Merged, Contradiction> {
        let mut merged = Merged::default();
        if self.times_ms.last().is_none_or(|last| written.times_ms.first().is_none_or(|first| last < first)) {
            self.times_ms.extend_from_slice(&written.times_ms);
            self.values.extend_from_slice(&written.values);
            merged.added = u64::try_from(written.len()).unwrap_or(u64::MAX);
            return Ok(merged);
        }
        let mut united = Self {
            times_ms: Vec::with_capacity(self.len() + written.len()),
            values: Vec::with_capacity(self.len() + written.len()),
        };
        let (mut left, mut right) = (0, 0);
        while left < self.len() || right < written.len() {
            let order = match (self.times_ms.get(left), written.times_ms.get(right)) {
                (Some(standing), Some(new)) => standing.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let (time_ms, value) = match order {
                Ordering::Less => (self.times_ms[left], self.values[left]),
                Ordering::Greater => {
                    merged.added += 1;
                    (written.times_ms[right], written.values[right])
                }
                Ordering::Equal => {
                    let (time_ms, stands, new) = (self.times_ms[left], self.values[left], written.values[right]);
                    if same_value(stands, new) {
                        merged.same += 1;
                        (time_ms, stands)
                    } else {
                        merged.changed += 1;
                        (time_ms, choose(rule, time_ms, stands, new)?)
                    }
                }
            };
            united.times_ms.push(time_ms);
            united.values.push(value);
            left += usize::from(order != Ordering::Greater);
            right += usize::from(order != Ordering::Less);
        }
        *self = united;
        Ok(merged)
    }

    /// Takes points away that are there with exactly this time and value; returns how many went. Others stay.
    pub fn remove_exact(&mut self, points: &Self) -> u64 {
        let (mut removed, mut at) = (0, 0);
        let mut kept = Self::default();
        for (time_ms, value) in self.iter() {
            while points.times_ms.get(at).is_some_and(|time| *time < time_ms) {
                at += 1;
            }
            if points.times_ms.get(at) == Some(&time_ms) && same_value(points.values[at], value) {
                removed += 1;
            } else {
                kept.times_ms.push(time_ms);
                kept.values.push(value);
            }
        }
        *self = kept;
        removed
    }
}

impl PartialEq for Points {
    fn eq(&self, other: &Self) -> bool {
        self.times_ms == other.times_ms
            && self.values.iter().zip(&other.values).all(|(left, right)| same_value(*left, *right))
    }
}

impl Eq for Points {}

/// Chooses between two different values of one time.
fn choose(rule: DuplicateRule, time_ms: i64, stands: f64, written: f64) -> Result<f64, Contradiction> {
    match rule {
        DuplicateRule::Last => Ok(written),
        // `f64::max` prefers a number.
        DuplicateRule::Max => Ok(stands.max(written)),
        DuplicateRule::Error => Err(Contradiction { time_ms, stands, written }),
    }
}

/// Tells whether a value that stands says all that there is to say when another one is written: that changes nothing.
fn stands_against(rule: DuplicateRule, stands: f64, written: f64) -> bool {
    same_value(stands, written) || (rule == DuplicateRule::Max && same_value(canonical(stands.max(written)), stands))
}

/// The points of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesPoints {
    /// The series.
    pub name: SeriesName,
    /// Its points.
    pub points: Points,
}

/// Points of many series: in the order of the names' bytes, each series once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointBatch {
    series: Vec<SeriesPoints>,
}

impl PointBatch {
    /// Makes a batch of series in any order.
    ///
    /// # Errors
    /// `InvalidData` when a series is there twice.
    pub fn new(mut series: Vec<SeriesPoints>) -> Result<Self> {
        series.retain(|series| !series.points.is_empty());
        series.sort_by(|left, right| left.name.cmp(&right.name));
        match series.windows(2).find(|pair| pair[0].name == pair[1].name) {
            None => Ok(Self { series }),
            Some(pair) => {
                let message = format!("expected each series once, found `{}` twice", pair[0].name);
                Err(Error::new(ErrorKind::InvalidData, "read points", message))
            }
        }
    }

    /// Returns the series, in the order of their names' bytes; none is without points.
    pub fn series(&self) -> &[SeriesPoints] {
        &self.series
    }

    /// Returns the series, in the order of their names' bytes.
    pub fn into_series(self) -> Vec<SeriesPoints> {
        self.series
    }

    /// Returns how many points there are in all.
    pub fn count(&self) -> usize {
        self.series.iter().map(|series| series.points.len()).sum()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}
