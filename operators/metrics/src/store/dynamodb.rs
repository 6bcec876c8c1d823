//! Points in `DynamoDB`: an item for each series and span of time, as real systems keep them.
//!
//! | attribute | type | holds |
//! |---|---|---|
//! | `series` | S, partition key | the series' name; of one longer than 2,048 bytes (or that begins with `sha256:`) `sha256:` and its hash, with the name in `name` |
//! | `epoch` | S, sort key | the first millisecond of the span and the step: `1709164800000:1m` |
//! | `points` | BS | 16 bytes each: the milliseconds since 1970, then the value's bits, both with the highest byte first |
//! | `revision` | N | counts changes |
//! | `ttl` or what the tier says | N | seconds since 1970: the *end* of the span and what the tier keeps |
//!
//! A write reads the items (`BatchGetItem`), merges by the rule, and changes each item under the condition that its revision is
//! still the one that was read (`UpdateItem`, some at a time); a change that came between is read and merged again. So two
//! processes lose nothing to each other. `BatchWriteItem` takes no conditions: it would write over what another process
//! wrote meanwhile, and is not used. A new item begins with a revision by chance: one that was deleted and made again is not taken
//! for the one that was read. Attributes that others add stay.
//!
//! An item without points says which tier of which lake the items of a step belong to.
//!
//! Items past their time to live that are still returned are points like others. `DynamoDB` takes items of 400 KB: about 23,000 points
//! in one span are an error before anything of the item is written.

mod capacity;
mod claim;
mod client;
mod item;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use lake::aws::AwsSettings;
use lake::clock::Clock;
use lake::notice::Listener;
use lake::{Error, ErrorKind, Result};

use self::client::Table;
use self::item::{Items, Key, Stored};
use super::{Claiming, DAY_MS, Owner, PointStore, SCAN_POINTS, Selection, SeriesSummary, contradiction, day_of};
use crate::duplicate::DuplicateRule;
use crate::point::{Merged, PointBatch, Points, SeriesName, SeriesPoints};
use crate::time::TimeRange;

/// How many items are changed at once, and how many calls read at once.
const AT_ONCE: usize = 16;

/// How many items the first batch of a scan is made of, before it is known how many points they have.
const FIRST_ITEMS: usize = 100;

/// What a store in `DynamoDB` is opened with.
#[derive(Debug, Clone, PartialEq)]
pub struct DynamoDbSettings {
    /// The table. It must be there, with the partition key `series` and the sort key `epoch`, both texts.
    pub table: String,
    /// The tier's step, as it says it: `1m`. Items of other steps are another tier's.
    pub step: String,
    /// How long the span of an item is. It must stay as it is for the items that are there.
    pub item: Duration,
    /// The attribute of the time to live.
    pub ttl_attr: String,
    /// How long an item is kept after the end of its span.
    pub keep: Duration,
    /// How many write units are used in a second at most; none for as many as the table gives.
    pub capacity: Option<f64>,
    /// The address of the service; none for that of the region.
    pub endpoint: Option<String>,
    /// Region and credentials.
    pub aws: AwsSettings,
}

/// A store of points in `DynamoDB`.
#[derive(Debug)]
pub struct DynamoDbStore {
    table: Table,
    items: Items,
}

/// What is done to the points of an item.
#[derive(Debug, Clone, Copy)]
enum Change {
    Write(DuplicateRule),
    Delete,
}

/// What changes did.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    merged: Merged,
    removed: u64,
}

/// What a scan reads of one series: these items, or all that the span asks for.
#[derive(Debug)]
struct Wanted {
    name: SeriesName,
    epochs: Option<Vec<i64>>,
}

impl DynamoDbStore {
    /// Finds region and credentials; nothing is sent to `DynamoDB` yet.
    ///
    /// # Errors
    /// As [`lake::aws::JsonApi::open`]; `InvalidInput` for a span that is no number of milliseconds, or a capacity that lets
    /// nothing through.
    pub async fn open(settings: &DynamoDbSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let wrong = |message: String| Error::new(ErrorKind::InvalidInput, "open DynamoDB", message);
        let span_ms = i64::try_from(settings.item.as_millis()).unwrap_or(0);
        if !(1..=366 * DAY_MS).contains(&span_ms) {
            return Err(wrong("expected a span of an item of a millisecond to a year".to_owned()));
        }
        if let Some(capacity) = settings.capacity.filter(|capacity| !capacity.is_finite() || *capacity <= 0.0) {
            return Err(wrong(format!("expected a capacity above 0, found {capacity}")));
        }
        let items =
            Items { span_ms, step: settings.step.clone(), ttl_attr: settings.ttl_attr.clone(), keep: settings.keep };
        Ok(Self { table: Table::open(settings, items.clone(), clock).await?, items })
    }

    /// Sets who is told when the service cannot be reached and is tried again.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.table.api = self.table.api.with_listener(listener);
        self
    }

    /// Changes the items of a batch's points.
    async fn change(&self, batch: &PointBatch, change: Change) -> Result<Done> {
        let pieces = self.pieces(batch);
        let mut done = Done::default();
        for some in pieces.chunks(client::BATCH_KEYS) {
            let keys: Vec<&Key> = some.iter().map(|(key, _)| key).collect();
            let mut found = self.table.get(&keys).await?;
            let changes = some.iter().map(|(key, points)| {
                let before = found.remove(key);
                self.change_item(key, points, before, change)
            });
            // Collected: each has taken what was found of its item.
            let changes: Vec<_> = changes.collect();
            let mut changes = std::pin::pin!(stream::iter(changes).buffer_unordered(AT_ONCE));
            while let Some(one) = changes.try_next().await? {
                done.merged += one.merged;
                done.removed += one.removed;
            }
        }
        Ok(done)
    }

    /// Changes one item, again and again until nobody comes between.
    async fn change_item(
        &self,
        key: &Key,
        points: &Points,
        mut before: Option<Stored>,
        change: Change,
    ) -> Result<Done> {
        let mut pauses = client::CONFLICTS.begin();
        loop {
            let mut after = before.as_ref().map(|stored| stored.points.clone()).unwrap_or_default();
            let done = match change {
                Change::Write(rule) => {
                    let merged = after.merge(points, rule).map_err(|found| contradiction(&key.0, &found))?;
                    Done { merged, removed: 0 }
                }
                Change::Delete => Done { merged: Merged::default(), removed: after.remove_exact(points) },
            };
            let is_same = before.as_ref().map_or(after.is_empty(), |stored| stored.points == after);
            if is_same || self.table.put(key, before.as_ref(), &after).await? {
                return Ok(done);
            }
            if !pauses.wait().await {
                let message = format!("the item of `{}` is changed by others all the time", key.0);
                return Err(Error::new(ErrorKind::External, "write points", message).retryable());
            }
            before = self.table.get(&[key]).await?.remove(key);
        }
    }

    /// Cuts a batch into the points of its items.
    fn pieces(&self, batch: &PointBatch) -> Vec<(Key, Points)> {
        let mut pieces = Vec::new();
        for series in batch.series() {
            let mut rest = series.points.times_ms();
            while let Some(first) = rest.first() {
                let epoch_ms = self.items.epoch_of(*first);
                let span = self.items.span(epoch_ms);
                pieces.push(((series.name.clone(), epoch_ms), series.points.within(&span)));
                rest = &rest[rest.partition_point(|time_ms| *time_ms < span.end_ms)..];
            }
        }
        pieces
    }

    /// Returns what a scan has to read, in the order of the names.
    async fn wanted(&self, range: TimeRange, selection: Selection<'_>) -> Result<Vec<Wanted>> {
        match selection {
            Selection::Names(names) => {
                let names: BTreeSet<&SeriesName> = names.iter().collect();
                Ok(names.into_iter().map(|name| Wanted { name: name.clone(), epochs: None }).collect())
            }
            Selection::All => {
                let mut found: BTreeMap<SeriesName, Vec<i64>> = BTreeMap::new();
                self.table
                    .keys(|(name, epoch_ms)| {
                        if !self.items.span(epoch_ms).intersection(&range).is_empty() {
                            found.entry(name).or_default().push(epoch_ms);
                        }
                    })
                    .await?;
                Ok(found.into_iter().map(|(name, epochs)| Wanted { name, epochs: Some(epochs) }).collect())
            }
        }
    }

    /// Reads the points of some series, as far as they are in the span.
    async fn read(&self, wanted: Vec<Wanted>, range: TimeRange) -> Result<PointBatch> {
        let mut found: BTreeMap<SeriesName, Vec<Points>> = BTreeMap::new();
        let (mut keys, mut names) = (Vec::new(), Vec::new());
        for Wanted { name, epochs } in wanted {
            match epochs {
                Some(epochs) => keys.extend(epochs.into_iter().map(|epoch_ms| (name.clone(), epoch_ms))),
                None => names.push(name),
            }
        }
        let gets: Vec<_> = keys.chunks(client::BATCH_KEYS).map(|some| self.get_some(some)).collect();
        let mut gets = std::pin::pin!(stream::iter(gets).buffer_unordered(AT_ONCE));
        while let Some(items) = gets.try_next().await? {
            for ((name, _), stored) in items {
                found.entry(name).or_default().push(stored.points);
            }
        }
        let queries: Vec<_> = names.iter().map(|name| self.table.query(name, range)).collect();
        let mut queries = std::pin::pin!(stream::iter(queries).buffer_unordered(AT_ONCE));
        while let Some(items) = queries.try_next().await? {
            for ((name, _), stored) in items {
                found.entry(name).or_default().push(stored.points);
            }
        }
        let series = found.into_iter().map(|(name, pieces)| {
            let mut points: Vec<(i64, f64)> = pieces.iter().flat_map(Points::iter).collect();
            points.sort_unstable_by_key(|(time_ms, _)| *time_ms);
            let (times_ms, values) = points.into_iter().unzip();
            Ok(SeriesPoints { name, points: Points::of_sorted(times_ms, values)?.within(&range) })
        });
        PointBatch::new(series.collect::<Result<_>>()?)
    }

    async fn get_some(&self, keys: &[Key]) -> Result<BTreeMap<Key, Stored>> {
        self.table.get(&keys.iter().collect::<Vec<_>>()).await
    }
}

/// How far a scan is.
struct Progress {
    /// What is left, the next one last.
    left: Vec<Wanted>,
    items: usize,
    points: usize,
}

impl Progress {
    /// Takes series of about [`SCAN_POINTS`] points, as far as those before tell.
    fn next(&mut self) -> Vec<Wanted> {
        let at_most = match self.points {
            0 => FIRST_ITEMS,
            points => (SCAN_POINTS * self.items / points).max(1),
        };
        let (mut group, mut items) = (Vec::new(), 0);
        while let Some(next) = self.left.pop_if(|next| group.is_empty() || items + next.weight() <= at_most) {
            items += next.weight();
            group.push(next);
        }
        self.items += items;
        group
    }
}

impl Wanted {
    fn weight(&self) -> usize {
        self.epochs.as_ref().map_or(1, Vec::len)
    }
}

#[async_trait]
impl PointStore for DynamoDbStore {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        Ok(self.change(batch, Change::Write(rule)).await?.merged)
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        Ok(self.change(batch, Change::Delete).await?.removed)
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        let begin = async move {
            let mut left = self.wanted(range, selection).await?;
            left.reverse();
            Ok::<_, Error>(Progress { left, items: 0, points: 0 })
        };
        let read = move |progress| {
            stream::try_unfold(progress, move |mut progress: Progress| async move {
                let group = progress.next();
                if group.is_empty() {
                    return Ok(None);
                }
                let batch = self.read(group, range).await?;
                progress.points += batch.count();
                Ok::<_, Error>(Some((batch, progress)))
            })
        };
        stream::once(begin).map_ok(read).try_flatten().try_filter(|batch| std::future::ready(!batch.is_empty())).boxed()
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        let mut found: BTreeMap<SeriesName, SeriesSummary> = BTreeMap::new();
        let mut seen = |(name, _): Key, stored: Stored| {
            let times = stored.points.times_ms();
            let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
            let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
            found
                .entry(name)
                .and_modify(|summary| {
                    summary.count += count;
                    summary.oldest_ms = summary.oldest_ms.min(*first);
                    summary.newest_ms = summary.newest_ms.max(*last);
                })
                .or_insert_with_key(|name| SeriesSummary {
                    name: name.clone(),
                    count,
                    oldest_ms: *first,
                    newest_ms: *last,
                });
        };
        match selection {
            Selection::All => self.table.each(seen).await?,
            Selection::Names(names) => {
                let names: BTreeSet<&SeriesName> = names.iter().collect();
                let queries: Vec<_> = names.into_iter().map(|name| self.table.query(name, TimeRange::ALL)).collect();
                let mut queries = std::pin::pin!(stream::iter(queries).buffer_unordered(AT_ONCE));
                while let Some(items) = queries.try_next().await? {
                    for (key, stored) in items {
                        seen(key, stored);
                    }
                }
            }
        }
        Ok(found.into_values().collect())
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        let mut days = BTreeSet::new();
        self.table
            .keys(|(_, epoch_ms)| {
                let span = self.items.span(epoch_ms);
                let mut day = day_of(span.start_ms);
                while day < span.end_ms {
                    days.insert(day);
                    day += DAY_MS;
                }
            })
            .await?;
        Ok(days)
    }

    fn is_on_server(&self) -> bool {
        true
    }

    async fn claim(&self, owner: &Owner, how: Claiming) -> Result<()> {
        self.table.claim(owner, how).await
    }
}
