//! The stores of points: where hot and warm tiers keep them.

pub(crate) mod claim;
#[cfg(test)]
pub(crate) mod conformance;
pub mod dynamodb;
mod embedded;
#[cfg(test)]
pub(crate) mod memory;
mod opener;
pub mod redis;

use std::collections::BTreeSet;
use std::fmt::{self, Debug};

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use lake::{Error, ErrorKind, Result};

use crate::duplicate::DuplicateRule;
use crate::point::{Contradiction, Merged, PointBatch, SeriesName};
use crate::time::TimeRange;

pub use claim::{Claiming, Owner};
pub use dynamodb::{DynamoDbSettings, DynamoDbStore};
pub use embedded::EmbeddedStore;
pub use opener::{EmbeddedStores, StoreOpener};
pub use redis::{KeyTemplate, RedisSettings, RedisStore};

/// How many points a batch of a scan holds, about: 16 bytes each, so that a few batches on their way take some megabytes.
pub const SCAN_POINTS: usize = 100_000;

/// What a store holds of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesSummary {
    /// The series.
    pub name: SeriesName,
    /// How many points.
    pub count: u64,
    /// The time of the first.
    pub oldest_ms: i64,
    /// The time of the last.
    pub newest_ms: i64,
}

/// What a store's server has thrown away of its own accord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThrownAway {
    /// The run of the server: it counts from 0 when it is started again.
    pub run: String,
    /// How many keys went since then, of whoever they were.
    pub keys: u64,
    /// Whether the server may take only keys that somebody has given a time to live, which those of a store have not.
    pub takes_marked_keys_only: bool,
}

impl ThrownAway {
    /// Returns how many keys went since the server was last seen, which may have been points; none when nothing may be lost.
    pub(crate) fn since(&self, before: &Self) -> Option<u64> {
        let counted_before = if self.run == before.run { before.keys } else { 0 };
        let marked_only = self.takes_marked_keys_only && before.takes_marked_keys_only;
        Some(self.keys.saturating_sub(counted_before)).filter(|keys| *keys > 0 && !marked_only)
    }
}

/// Which series are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All of them.
    All,
    /// These, in any order; those that are not there are passed over.
    Names(&'a [SeriesName]),
}

/// A store of points: embedded, Redis, or `DynamoDB`. All behave alike: one conformance suite runs on each of them.
///
/// A store is a set of points: of one series and time it holds one value. Every call may be repeated after a lost answer, and
/// two processes may call at the same time: what one of them has written is never lost by what the other one does.
#[async_trait]
pub trait PointStore: Debug + Send + Sync + 'static {
    /// Writes points; when it returns, they survive a restart of this process, and of the store as far as it promises.
    ///
    /// Writing the same points again changes nothing. Of two values of one time the rule chooses.
    ///
    /// # Errors
    /// `Conflict` with the series, the time and both values under [`DuplicateRule::Error`]; `ResourcesExhausted` where the store
    /// is full or throws points away by itself; `External`, `PermissionDenied`. Some of the points may be written by then.
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged>;

    /// Deletes points that are there with exactly this time and value; returns how many went. A point that was written since
    /// with another value stays, and so does every other one.
    ///
    /// # Errors
    /// `External`, `PermissionDenied`. Some of the points may be gone by then.
    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64>;

    /// Reads the points of a span of time, in the order of the names' bytes; each series is whole in one batch of about
    /// [`SCAN_POINTS`].
    ///
    /// Points that were there before the call are in it, whatever is written meanwhile. Items past their time to live that the
    /// store still holds are points like others: whether they count is not the store's business.
    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>>;

    /// Returns what there is of series, in the order of the names' bytes; those without points are left out.
    ///
    /// # Errors
    /// `External`, `PermissionDenied`, `InvalidData` for what is no point of ours.
    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>>;

    /// Returns the UTC days that hold points, as the times of their first milliseconds. A store that keeps larger pieces may name
    /// more days, never fewer.
    ///
    /// # Errors
    /// As [`PointStore::summaries`].
    async fn days(&self) -> Result<BTreeSet<i64>>;

    /// Returns series that it holds, at most so many, where to list them costs next to nothing; none elsewhere.
    ///
    /// # Errors
    /// `External`, `InvalidData` for what is no name of a series.
    async fn names_at_hand(&self, _most: usize) -> Result<Vec<SeriesName>> {
        Ok(Vec::new())
    }

    /// Returns what the server has thrown away of its own accord since it was started; none of a store that throws nothing away,
    /// and where the server does not tell.
    ///
    /// # Errors
    /// `External`.
    async fn thrown_away(&self) -> Result<Option<ThrownAway>> {
        Ok(None)
    }

    /// Tells whether tiers of other lakes can come to its points, because they are on a server.
    fn is_on_server(&self) -> bool {
        false
    }

    /// Refuses a place whose points are another tier's, as the place itself says: two addresses may lead to it. One that nobody
    /// has is taken for the owner, or stays as it is. A store that no other tier can come to has nothing to say.
    ///
    /// # Errors
    /// `InvalidInput` with the other tier; `External`, `PermissionDenied`.
    async fn claim(&self, _owner: &Owner, _how: Claiming) -> Result<()> {
        Ok(())
    }
}

/// How long a UTC day is.
const DAY_MS: i64 = 86_400_000;

/// Returns the first millisecond of the UTC day of a time.
fn day_of(time_ms: i64) -> i64 {
    time_ms - time_ms.rem_euclid(DAY_MS)
}

/// The cause of the error of a second value, for whoever knows where that comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondValue {
    /// The series.
    pub name: SeriesName,
    /// The time, and both values.
    pub found: Contradiction,
}

impl fmt::Display for SecondValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contradiction { time_ms, stands, written } = self.found;
        let time =
            Timestamp::from_millisecond(time_ms).map_or_else(|_| format!("{time_ms} ms"), |time| time.to_string());
        write!(f, "expected one value of `{}` at {time}, found {written} where {stands} stands", self.name)
    }
}

impl std::error::Error for SecondValue {}

/// Makes the error of a second value of one time where the rule allows one.
pub(crate) fn contradiction(name: &SeriesName, found: &Contradiction) -> Error {
    let second = SecondValue { name: name.clone(), found: *found };
    Error::new(ErrorKind::Conflict, "write points", second.to_string())
        .source(second)
        .help("the tiers say `duplicate: error`: `last` keeps the later one, `max` the larger")
}
