//! Points in Redis (or Valkey): a hash for each series, as real systems keep them.
//!
//! | Redis | holds |
//! |---|---|
//! | key | `{step}:{name}` or what the tier says; the name as it is |
//! | field | the time: decimal milliseconds since 1970 |
//! | value | the value: the shortest decimal that reads back equal; `NaN`, `Infinity`, `-Infinity` |
//!
//! A write is a script that reads what stands, asks the rule and writes: one step for the server, so that two processes lose
//! nothing to each other. Scripts of a thousand points are sent one behind the other without waiting; each stops the server
//! for about a millisecond. Keys get no time to live: points go when `delete_exact` takes them.
//!
//! The hash `suiro:tiers` of the database says which tier of which lake has which keys: another one that comes to them is refused, whatever the
//! address by which it comes.
//!
//! One server holds all keys of a tier; a node of a cluster is refused. What Redis has answered survives its restart as far as
//! its own settings say (`appendonly yes`, `appendfsync`).

mod claim;
mod connection;
mod eviction;
mod key;
mod over_points;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use lake::{Error, Result, Secret};
use redis::Value;

pub use key::KeyTemplate;

use self::claim::{CLAIMS, is_claims};
use self::connection::{Connection, Script, is_other_type};
use self::key::foreign;
use super::{Claiming, Owner, PointStore, SCAN_POINTS, Selection, SeriesSummary, ThrownAway, day_of};
use crate::duplicate::DuplicateRule;
use crate::point::{Merged, PointBatch, Points, SeriesName, SeriesPoints};
use crate::time::TimeRange;

/// How many keys one answer of `SCAN` is about, and how many are asked for their length at once.
const SCAN_KEYS: usize = 1_000;

/// What a store in Redis is opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// The address, with user and password: `redis://user:password@host:6379/0`, `rediss://…` with TLS.
    pub uri: Secret,
    /// The keys of the hashes.
    pub key: KeyTemplate,
    /// A file of certificates (PEM) that are trusted in place of those of the system.
    pub ca_file: Option<PathBuf>,
}

/// A store of points in Redis.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    keys: KeyTemplate,
    write: Script,
    delete: Script,
    claim: Script,
    /// The series whose key is that of the claims: it is none of the store's.
    reserved: Option<SeriesName>,
}

impl RedisStore {
    /// Makes a store; nothing is sent yet.
    ///
    /// # Errors
    /// `InvalidInput` for an address that cannot be used; `External` for a file of certificates that cannot be read.
    pub fn open(settings: &RedisSettings) -> Result<Self> {
        Ok(Self {
            reserved: settings.key.name(CLAIMS.as_bytes()).ok().flatten(),
            connection: Connection::new(&settings.uri, settings.ca_file.as_ref())?,
            keys: settings.key.clone(),
            write: Script::new(include_str!("redis/write.lua")),
            delete: Script::new(include_str!("redis/delete.lua")),
            claim: Script::new(include_str!("redis/claim.lua")),
        })
    }

    /// Returns the names of all series, in the order of their bytes.
    async fn names(&self) -> Result<Vec<SeriesName>> {
        loop {
            let (names, is_whole) = self.listed().await?;
            // After a restart the server's order is another one, and the cursor of before passes over keys.
            if is_whole {
                return Ok(names.into_iter().collect());
            }
        }
    }

    /// Lists the series once; tells whether it was all over one connection.
    async fn listed(&self) -> Result<(BTreeSet<SeriesName>, bool)> {
        const OPERATION: &str = "list series";
        let pattern = self.keys.pattern();
        let mut names = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        let mut generation = None;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_KEYS);
            let answer = self.connection.ask(OPERATION, &scan).await?;
            let now = self.connection.generation().await;
            if *generation.get_or_insert(now) != now {
                return Ok((names, false));
            }
            let (next, keys) = match &answer {
                Value::Array(answer) => match &answer[..] {
                    [Value::BulkString(next), Value::Array(keys)] => (next, keys),
                    _ => return Err(foreign(b"", "what Redis answers is not known")),
                },
                _ => return Err(foreign(b"", "what Redis answers is not known")),
            };
            for key in keys {
                if let Value::BulkString(bytes) = key
                    && !is_claims(key)
                    && let Some(name) = self.keys.name(bytes)?
                {
                    names.insert(name);
                }
            }
            cursor.clone_from(next);
            if cursor == b"0" {
                return Ok((names, true));
            }
        }
    }

    async fn selected(&self, selection: Selection<'_>) -> Result<Vec<SeriesName>> {
        match selection {
            Selection::All => self.names().await,
            Selection::Names(names) => {
                let names = names.iter().filter(|name| Some(*name) != self.reserved.as_ref());
                let names: BTreeSet<_> = names.cloned().collect();
                Ok(names.into_iter().collect())
            }
        }
    }

    /// Cuts series into groups of about [`SCAN_POINTS`] points, in their order; those that are not there are left out.
    async fn groups(&self, names: Vec<SeriesName>) -> Result<Vec<Vec<SeriesName>>> {
        let mut groups: Vec<Vec<SeriesName>> = Vec::new();
        let mut points_of_last = SCAN_POINTS;
        for some in names.chunks(SCAN_KEYS) {
            let lengths = self.ask_each("look at series", "HLEN", some).await?;
            for (name, length) in some.iter().zip(lengths) {
                let length = match length {
                    Value::Int(length) => usize::try_from(length).unwrap_or(0),
                    other => return Err(self.no_hash(name, &other)),
                };
                if length == 0 {
                    continue;
                }
                if points_of_last + length > SCAN_POINTS {
                    groups.push(Vec::new());
                    points_of_last = 0;
                }
                points_of_last += length;
                if let Some(last) = groups.last_mut() {
                    last.push(name.clone());
                }
            }
        }
        Ok(groups)
    }

    async fn ask_each(&self, operation: &'static str, command: &str, names: &[SeriesName]) -> Result<Vec<Value>> {
        let mut commands = redis::pipe();
        for name in names {
            commands.cmd(command).arg(self.keys.key(name));
        }
        self.connection.ask_all(operation, &commands).await
    }

    fn no_hash(&self, name: &SeriesName, answer: &Value) -> Error {
        let why = if is_other_type(answer) { "it is no hash" } else { "what Redis answers is not known" };
        foreign(&self.keys.key(name), why)
    }

    /// Reads the points of some series, as far as they are in the span.
    async fn read(&self, names: &[SeriesName], range: &TimeRange) -> Result<PointBatch> {
        let answers = self.ask_each("read points", "HGETALL", names).await?;
        let mut series = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let points = self.points_of(name, &answer, range)?;
            if !points.is_empty() {
                series.push(SeriesPoints { name: name.clone(), points });
            }
        }
        PointBatch::new(series)
    }

    fn points_of(&self, name: &SeriesName, answer: &Value, range: &TimeRange) -> Result<Points> {
        let mut points = Vec::new();
        let mut take = |field: &Value, value: &Value| {
            let (Value::BulkString(field), Value::BulkString(value)) = (field, value) else {
                return Err(self.no_hash(name, answer));
            };
            let time_ms = text::time(field).ok_or_else(|| {
                let field = String::from_utf8_lossy(field).escape_debug().to_string();
                foreign(&self.keys.key(name), &format!("its field `{field}` is no time in milliseconds since 1970"))
            })?;
            let read = text::value(value).ok_or_else(|| {
                let value = String::from_utf8_lossy(value).escape_debug().to_string();
                foreign(&self.keys.key(name), &format!("the value `{value}` of its field `{time_ms}` is no number"))
            })?;
            if range.contains(time_ms) {
                points.push((time_ms, read));
            }
            Ok(())
        };
        match answer {
            Value::Array(pairs) => pairs.chunks_exact(2).try_for_each(|pair| take(&pair[0], &pair[1]))?,
            Value::Map(pairs) => pairs.iter().try_for_each(|(field, value)| take(field, value))?,
            other => return Err(self.no_hash(name, other)),
        }
        points.sort_unstable_by_key(|(time_ms, _)| *time_ms);
        let (times_ms, values) = points.into_iter().unzip();
        Points::of_sorted(times_ms, values)
    }

    /// Calls `seen` with the times of each series, in the order of the names; none is without.
    async fn over_times(
        &self,
        selection: Selection<'_>,
        mut seen: impl FnMut(SeriesName, Vec<i64>) + Send,
    ) -> Result<()> {
        self.refuse_half().await?;
        for group in self.groups(self.selected(selection).await?).await? {
            let answers = self.ask_each("look at series", "HKEYS", &group).await?;
            for (name, answer) in group.into_iter().zip(answers) {
                let fields = match &answer {
                    Value::Array(fields) | Value::Set(fields) => fields,
                    other => return Err(self.no_hash(&name, other)),
                };
                let times = fields.iter().map(|field| match field {
                    Value::BulkString(field) => text::time(field).ok_or_else(|| {
                        let field = String::from_utf8_lossy(field).escape_debug().to_string();
                        let why = format!("its field `{field}` is no time in milliseconds since 1970");
                        foreign(&self.keys.key(&name), &why)
                    }),
                    other => Err(self.no_hash(&name, other)),
                });
                let times = times.collect::<Result<Vec<i64>>>()?;
                if !times.is_empty() {
                    seen(name, times);
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl PointStore for RedisStore {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        if batch.is_empty() {
            return Ok(Merged::default());
        }
        self.refuse_reserved(batch)?;
        self.refuse_eviction("write points", "nothing was written").await?;
        let word = match rule {
            DuplicateRule::Last => "last",
            DuplicateRule::Max => "max",
            DuplicateRule::Error => "error",
        };
        let mut merged = Merged::default();
        self.over_points("write points", &self.write, Some(word), batch, |pieces, answer| {
            let number = |at: usize| match answer.get(at) {
                Some(Value::Int(number)) => *number,
                _ => 0,
            };
            if number(0) >= 0 {
                let count = |at| u64::try_from(number(at)).unwrap_or(0);
                merged += Merged { added: count(0), same: count(1), changed: count(2) };
                return Ok(());
            }
            Err(self.refused(pieces, number(1), number(2), answer.get(3)))
        })
        .await?;
        Ok(merged)
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        self.refuse_eviction("delete points", "nothing was deleted").await?;
        let mut removed = 0;
        self.over_points("delete points", &self.delete, None, batch, |_, answer| {
            if let Some(Value::Int(number)) = answer.first() {
                removed += u64::try_from(*number).unwrap_or(0);
            }
            Ok(())
        })
        .await?;
        Ok(removed)
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        let groups = async move {
            self.refuse_half().await?;
            self.groups(self.selected(selection).await?).await
        };
        stream::once(groups)
            .map_ok(|groups| stream::iter(groups.into_iter().map(Ok::<_, Error>)))
            .try_flatten()
            .and_then(move |group| async move { self.read(&group, &range).await })
            .try_filter(|batch| std::future::ready(!batch.is_empty()))
            .boxed()
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        let mut summaries = Vec::new();
        self.over_times(selection, |name, times| {
            if let (Some(oldest_ms), Some(newest_ms)) = (times.iter().min(), times.iter().max()) {
                let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
                summaries.push(SeriesSummary { name, count, oldest_ms: *oldest_ms, newest_ms: *newest_ms });
            }
        })
        .await?;
        Ok(summaries)
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        let mut days = BTreeSet::new();
        self.over_times(Selection::All, |_, times| days.extend(times.into_iter().map(day_of))).await?;
        Ok(days)
    }

    async fn thrown_away(&self) -> Result<Option<ThrownAway>> {
        self.evicted().await
    }

    fn is_on_server(&self) -> bool {
        true
    }

    async fn claim(&self, owner: &Owner, how: Claiming) -> Result<()> {
        self.claim_keys(owner, how).await
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}
