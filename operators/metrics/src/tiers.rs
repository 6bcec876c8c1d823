//! The tiers: which there are, in which order points move through them, and what each keeps.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use lake::name::{Location, TableName};
use lake::{Error, ErrorKind, Result};

use crate::duplicate::DuplicateRule;
use crate::store::SeriesSummary;
use crate::window::{PartitionUnit, Window};

const OPERATION: &str = "read the tiers";

/// Milliseconds of a day: the longest step.
const DAY_MS: i64 = 86_400_000;

/// A tier's name: a small letter, then small letters, digits and `_`; at most 64. It may be the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TierName(Arc<str>);

impl TierName {
    /// Makes a name.
    ///
    /// # Errors
    /// `InvalidInput` for any other text.
    pub fn new(text: &str) -> Result<Self> {
        let is_word = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_word {
            return Ok(Self(text.into()));
        }
        let message = format!(
            "expected the name of a tier (a small letter, then small letters, digits and `_`, at most 64), found `{}`",
            text.escape_debug()
        );
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, message))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The distance of two points of a series; of a roll-up, the length of a bucket. It divides a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(i64);

impl Step {
    /// Makes a step of milliseconds.
    ///
    /// # Errors
    /// `InvalidInput` for one that is not whole seconds or does not divide a day.
    pub fn from_ms(ms: i64) -> Result<Self> {
        if ms > 0 && ms % 1_000 == 0 && DAY_MS % ms == 0 {
            return Ok(Self(ms));
        }
        let message = format!("expected a step of whole seconds that divides a day, like `1m` or `1h`, found {ms} ms");
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, message))
    }

    /// Returns its milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Returns the start of the bucket that holds a time.
    pub const fn floor(self, time_ms: i64) -> i64 {
        time_ms - time_ms.rem_euclid(self.0)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(DAY_MS, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let (unit_ms, unit) = units.into_iter().find(|(unit_ms, _)| self.0 % unit_ms == 0).unwrap_or((1, "ms"));
        write!(f, "{}{unit}", self.0 / unit_ms)
    }
}

/// When points of a store are flushed to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlushRule {
    /// A series with at least so many points.
    pub count: Option<u64>,
    /// A series whose oldest point is at least so old, in milliseconds.
    pub age_ms: Option<i64>,
}

impl FlushRule {
    /// Tells whether a series is moved; a rule without count and age moves all.
    pub(crate) fn names(&self, series: &SeriesSummary, now: Timestamp) -> bool {
        let enough = self.count.is_some_and(|count| series.count >= count);
        let old = self.age_ms.is_some_and(|age_ms| series.oldest_ms.saturating_add(age_ms) <= now.as_millisecond());
        enough || old || (self.count.is_none() && self.age_ms.is_none())
    }
}

/// What a tier is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierKind {
    /// A store of points.
    Store {
        /// When its points are flushed to the store below, as a part of writing.
        flush: Option<FlushRule>,
    },
    /// A table of Parquet objects in the lake: the archive of the raw points, or a roll-up.
    Archive {
        /// The table.
        table: TableName,
        /// How much time a partition holds.
        unit: PartitionUnit,
        /// Where the table is; none for the default place.
        location: Option<Location>,
    },
}

/// A tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: TierName,
    /// The distance of its points, or the length of its buckets.
    pub step: Step,
    /// How long it keeps points, in milliseconds; none for ever.
    pub keep_ms: Option<i64>,
    /// What it is.
    pub kind: TierKind,
}

impl Tier {
    /// Tells whether it is a store of points.
    pub fn is_store(&self) -> bool {
        matches!(self.kind, TierKind::Store { .. })
    }

    /// Returns how its table is divided; none of a store.
    pub fn unit(&self) -> Option<PartitionUnit> {
        match &self.kind {
            TierKind::Archive { unit, .. } => Some(*unit),
            TierKind::Store { .. } => None,
        }
    }

    /// Returns the partition unit that a Parquet tier has by default: days for steps below an hour, else months.
    pub fn default_unit(step: Step) -> PartitionUnit {
        if step.ms() < 3_600_000 { PartitionUnit::Day } else { PartitionUnit::Month }
    }
}

/// All tiers, upper ones first: the stores, then the archive of their points, then roll-ups from fine to coarse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiers {
    list: Vec<Tier>,
    /// Which value a time keeps that is written twice.
    pub duplicate: DuplicateRule,
    /// How long after a window's end points are still expected, in milliseconds.
    pub lateness_ms: i64,
}

impl Tiers {
    /// Puts tiers together.
    ///
    /// # Errors
    /// `InvalidInput` with the first tier that is out of place.
    pub fn new(list: Vec<Tier>, duplicate: DuplicateRule, lateness_ms: i64) -> Result<Self> {
        let refused = |tier: &Tier, why: String| {
            Err(Error::new(ErrorKind::InvalidInput, OPERATION, format!("the tier `{}` {why}", tier.name)))
        };
        let Some(first) = list.first() else {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "expected at least one tier, found none"));
        };
        if !first.is_store() {
            return refused(first, "is the first: expected a store, where points are written".to_owned());
        }
        for (at, tier) in list.iter().enumerate() {
            let before = &list[..at];
            if before.iter().any(|other| other.name == tier.name) {
                return refused(tier, "is there twice".to_owned());
            }
            let Some(upper) = before.last() else { continue };
            match (tier.unit(), upper.unit()) {
                (None, Some(_)) => return refused(tier, "is a store: expected it above the Parquet tiers".to_owned()),
                (None, None) if tier.step != first.step => {
                    return refused(tier, format!("is a store: expected the step {} of the first tier", first.step));
                }
                (None, None) => {}
                (Some(_), None) if tier.step == first.step => {}
                (Some(_), None) => {
                    return refused(
                        tier,
                        format!("rolls up a store: expected a Parquet tier of the step {} first", first.step),
                    );
                }
                (Some(unit), Some(finer)) => {
                    if tier.step <= upper.step || tier.step.ms() % upper.step.ms() != 0 {
                        return refused(
                            tier,
                            format!("expected a multiple of the step {} of the tier above it", upper.step),
                        );
                    }
                    if unit < finer {
                        return refused(
                            tier,
                            format!("expected partitions at least as long as those of `{}`", upper.name),
                        );
                    }
                }
            }
            let same_table = |other: &&Tier| match (&other.kind, &tier.kind) {
                (TierKind::Archive { table: left, .. }, TierKind::Archive { table: right, .. }) => left == right,
                _ => false,
            };
            if let Some(other) = before.iter().find(same_table) {
                return refused(tier, format!("has the table of `{}`: expected one of its own", other.name));
            }
            if tier.unit() == Some(PartitionUnit::Hour) && tier.step.ms() > 3_600_000 {
                return refused(tier, "expected partitions at least as long as its step".to_owned());
            }
        }
        Ok(Self { list, duplicate, lateness_ms })
    }

    /// Returns all, upper ones first.
    pub fn all(&self) -> &[Tier] {
        &self.list
    }

    /// Finds a tier.
    ///
    /// # Errors
    /// `NotFound` with the names that there are.
    pub fn tier(&self, name: &TierName) -> Result<&Tier> {
        self.list.iter().find(|tier| tier.name == *name).ok_or_else(|| {
            let names: Vec<String> = self.list.iter().map(|tier| format!("`{}`", tier.name)).collect();
            let message = format!("expected one of the tiers {}, found `{name}`", names.join(", "));
            Error::new(ErrorKind::NotFound, OPERATION, message)
        })
    }

    /// Returns the stores, upper ones first.
    pub fn stores(&self) -> impl DoubleEndedIterator<Item = &Tier> {
        self.list.iter().filter(|tier| tier.is_store())
    }

    /// Returns the stores above a tier, upper ones first.
    pub fn above<'a>(&'a self, tier: &'a Tier) -> impl Iterator<Item = &'a Tier> {
        self.list.iter().take_while(move |other| other.name != tier.name).filter(|tier| tier.is_store())
    }

    /// Returns the archive of the raw points.
    pub fn archive(&self) -> Option<&Tier> {
        self.list.iter().find(|tier| !tier.is_store())
    }

    /// Returns the roll-ups, from fine to coarse.
    pub fn rollups(&self) -> impl Iterator<Item = &Tier> {
        self.list.iter().filter(|tier| !tier.is_store()).skip(1)
    }

    /// Returns the step of the raw points.
    pub fn raw_step(&self) -> Step {
        self.list[0].step
    }

    /// Returns the window of the raw points' archive that holds a time; none without an archive.
    pub fn raw_window(&self, time_ms: i64) -> Option<Window> {
        self.archive().and_then(Tier::unit).map(|unit| Window::of(unit, time_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str, step_ms: i64) -> Tier {
        let step = Step::from_ms(step_ms).unwrap();
        Tier { name: TierName::new(name).unwrap(), step, keep_ms: None, kind: TierKind::Store { flush: None } }
    }

    fn archive(name: &str, step_ms: i64, unit: PartitionUnit) -> Tier {
        let table = TableName::new("m", name).unwrap();
        Tier { kind: TierKind::Archive { table, unit, location: None }, ..store(name, step_ms) }
    }

    #[test]
    fn tiers_have_their_order() {
        let day = PartitionUnit::Day;
        let refusal = |list: Vec<Tier>| Tiers::new(list, DuplicateRule::Last, 0).unwrap_err().message;
        assert_eq!(refusal(Vec::new()), "expected at least one tier, found none");
        assert_eq!(
            refusal(vec![archive("cold", 60_000, day)]),
            "the tier `cold` is the first: expected a store, where points are written"
        );
        assert_eq!(refusal(vec![store("hot", 60_000), store("hot", 60_000)]), "the tier `hot` is there twice");
        assert_eq!(
            refusal(vec![store("hot", 60_000), store("warm", 1_000)]),
            "the tier `warm` is a store: expected the step 1m of the first tier"
        );
        assert_eq!(
            refusal(vec![store("hot", 60_000), archive("hourly", 3_600_000, day)]),
            "the tier `hourly` rolls up a store: expected a Parquet tier of the step 1m first"
        );
        assert_eq!(
            refusal(vec![store("hot", 60_000), archive("cold", 60_000, day), store("warm", 60_000)]),
            "the tier `warm` is a store: expected it above the Parquet tiers"
        );
        assert_eq!(
            refusal(vec![store("hot", 60_000), archive("cold", 60_000, day), archive("c2", 60_000, day)]),
            "the tier `c2` expected a multiple of the step 1m of the tier above it"
        );
        let month = PartitionUnit::Month;
        assert_eq!(
            refusal(vec![store("hot", 60_000), archive("cold", 60_000, month), archive("c2", 3_600_000, day)]),
            "the tier `c2` expected partitions at least as long as those of `cold`"
        );
        let list = vec![
            store("hot", 60_000),
            store("warm", 60_000),
            archive("cold", 60_000, day),
            archive("hourly", 3_600_000, month),
        ];
        let tiers = Tiers::new(list, DuplicateRule::Last, 0).unwrap();
        assert_eq!(tiers.archive().unwrap().name.as_str(), "cold");
        assert_eq!(tiers.rollups().map(|tier| tier.name.as_str()).collect::<Vec<_>>(), ["hourly"]);
        let warm = tiers.tier(&TierName::new("warm").unwrap()).unwrap();
        assert_eq!(tiers.above(warm).map(|tier| tier.name.as_str()).collect::<Vec<_>>(), ["hot"]);
        let missing = tiers.tier(&TierName::new("tepid").unwrap()).unwrap_err();
        assert_eq!(missing.message, "expected one of the tiers `hot`, `warm`, `cold`, `hourly`, found `tepid`");
    }

    #[test]
    fn steps_divide_a_day_and_names_are_words() {
        let shown = |ms| Step::from_ms(ms).unwrap().to_string();
        assert_eq!([60_000, 300_000, 3_600_000, 86_400_000, 90_000].map(shown), ["1m", "5m", "1h", "1d", "90s"]);
        for ms in [0, -60_000, 500, 7_000, 2 * DAY_MS] {
            assert!(Step::from_ms(ms).is_err(), "{ms}");
        }
        for wrong in ["", "Hot", "../x", "a b", "1m", "a.sqlite"] {
            assert!(TierName::new(wrong).is_err(), "{wrong}");
        }
    }
}
