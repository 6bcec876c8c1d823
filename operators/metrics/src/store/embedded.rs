//! The embedded store: a `SQLite` file in which a series' points lie in chunks of six hours.
//!
//! A write is one transaction: it reads the chunks that it touches, merges, and puts them back. Every statement takes many
//! rows at a time. Readers see the state as it was when they began, whatever is written meanwhile (WAL).

mod chunk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use lake::crash::CrashPoints;
use lake::sqlite::FileKind;
use lake::{Error, ErrorKind, Result};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};
use tokio::sync::mpsc;

use super::{PointStore, SCAN_POINTS, Selection, SeriesSummary};
use crate::duplicate::DuplicateRule;
use crate::point::{Contradiction, Merged, PointBatch, Points, SeriesName, SeriesPoints};
use crate::time::TimeRange;

const FILE: FileKind = FileKind {
    name: "embedded store of points",
    opening: "open the embedded store of points",
    form: 1,
    tables: include_str!("embedded/tables.sql"),
    // A chunk of a steady minute series fits into a page.
    page_bytes: Some(8_192),
    without_copy: "move it away and bring its points again from where they came (`metrics.replay>`, `metrics.write>`): what was archived \
                   is safe, and nothing else has the rest",
};

const READ: &str = "read points";
const WRITE: &str = "write points";
const DELETE: &str = "delete points";

/// The span of a chunk: 360 points of a minute, so that adding one rewrites little.
const SPAN_MS: i64 = 6 * 3_600_000;

/// Chunks of a day.
const DAY_SPANS: i64 = 4;

/// How many numbers of spans there are for each series: more than there are until the year 10000.
const SPANS: i64 = 1 << 24;

/// Rows of one statement. `SQLite` takes 32,766 values; a few hundred rows make the cost of a statement small.
const ROWS: usize = 256;

/// Batches that a scan is ahead of its reader.
const AHEAD: usize = 2;

/// A store of points in a file.
#[derive(Debug)]
pub struct EmbeddedStore {
    /// Where it is, for messages.
    path: Arc<str>,
    pool: SqlitePool,
    crash_points: CrashPoints,
    /// The ids of names; they are never given to another name.
    ids: Mutex<HashMap<SeriesName, i64>>,
}

impl EmbeddedStore {
    /// Opens (or makes) the file.
    ///
    /// # Errors
    /// Those of the file, with its path.
    pub async fn open(file: &Path, crash_points: CrashPoints) -> Result<Self> {
        let path = file.display().to_string().into();
        Ok(Self { path, pool: FILE.open(file).await?, crash_points, ids: Mutex::default() })
    }

    /// Makes the error of points that cannot be read.
    fn unreadable(&self, error: sqlx::Error) -> Error {
        at(&self.path, FILE.failed(READ, error))
    }

    async fn begin(&self, operation: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| FILE.failed(operation, error))
    }

    /// Finds the ids of names; those that are not there are made, or left out.
    async fn ids(
        &self,
        connection: &mut SqliteConnection,
        names: &[SeriesName],
        missing: Missing,
    ) -> Result<HashMap<SeriesName, i64>> {
        let mut found = HashMap::with_capacity(names.len());
        let mut unknown = Vec::new();
        {
            let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
            for name in names {
                match ids.get(name) {
                    Some(id) => drop(found.insert(name.clone(), *id)),
                    None => unknown.push(name.clone()),
                }
            }
        }
        for names in unknown.chunks(ROWS) {
            if missing == Missing::Make {
                let sql =
                    format!("INSERT INTO series (name) VALUES {} ON CONFLICT DO NOTHING", list("(?)", names.len()));
                let query = names.iter().fold(query(sql), |query, name| query.bind(name.as_str().to_owned()));
                query.execute(&mut *connection).await.map_err(|error| FILE.failed(WRITE, error))?;
            }
            let sql = format!("SELECT id, name FROM series WHERE name IN ({})", list("?", names.len()));
            let query = names.iter().fold(query(sql), |query, name| query.bind(name.as_str().to_owned()));
            let rows = query.fetch_all(&mut *connection).await.map_err(|error| FILE.failed(READ, error))?;
            for row in rows {
                found.insert(SeriesName::new(row.get("name"))?, row.get("id"));
            }
        }
        Ok(found)
    }

    /// Keeps ids that are in the file for good.
    fn remember(&self, found: &HashMap<SeriesName, i64>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, id) in found {
            if !ids.contains_key(name) {
                ids.insert(name.clone(), *id);
            }
        }
    }

    async fn write_all(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        let mut transaction = self.begin(WRITE).await?;
        let names: Vec<SeriesName> = batch.series().iter().map(|series| series.name.clone()).collect();
        let ids = self.ids(&mut transaction, &names, Missing::Make).await?;
        let mut merged = Merged::default();
        for series in batch.series().chunks(ROWS) {
            let pieces = pieces_of(series, &ids);
            for pieces in pieces.chunks(ROWS) {
                let mut standing = read_chunks(&mut transaction, pieces).await?;
                let mut changed = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    let mut points = standing.remove(&piece.key).unwrap_or_default();
                    let done = points.merge(&piece.points, rule).map_err(|error| contradiction(piece.name, error))?;
                    merged += done;
                    if done.added + done.changed > 0 {
                        changed.push((piece.key, points));
                    }
                }
                put_chunks(&mut transaction, &changed).await?;
            }
        }
        transaction.commit().await.map_err(|error| FILE.failed(WRITE, error))?;
        self.remember(&ids);
        Ok(merged)
    }

    async fn delete_all(&self, batch: &PointBatch) -> Result<u64> {
        let mut transaction = self.begin(DELETE).await?;
        let names: Vec<SeriesName> = batch.series().iter().map(|series| series.name.clone()).collect();
        let ids = self.ids(&mut transaction, &names, Missing::LeaveOut).await?;
        let mut removed = 0;
        for series in batch.series().chunks(ROWS) {
            let pieces = pieces_of(series, &ids);
            for pieces in pieces.chunks(ROWS) {
                let mut standing = read_chunks(&mut transaction, pieces).await?;
                let (mut changed, mut emptied) = (Vec::new(), Vec::new());
                for piece in pieces {
                    let Some(mut points) = standing.remove(&piece.key) else { continue };
                    let gone = points.remove_exact(&piece.points);
                    removed += gone;
                    if points.is_empty() {
                        emptied.push(piece.key);
                    } else if gone > 0 {
                        changed.push((piece.key, points));
                    }
                }
                put_chunks(&mut transaction, &changed).await?;
                drop_chunks(&mut transaction, &emptied).await?;
            }
        }
        transaction.commit().await.map_err(|error| FILE.failed(DELETE, error))?;
        Ok(removed)
    }
}

#[async_trait]
impl PointStore for EmbeddedStore {
    async fn write(&self, batch: &PointBatch, rule: DuplicateRule) -> Result<Merged> {
        if batch.is_empty() {
            return Ok(Merged::default());
        }
        let write = self.crash_points.around("metrics: write points into a file", self.write_all(batch, rule));
        write.await.map_err(|error| at(&self.path, error))
    }

    async fn delete_exact(&self, batch: &PointBatch) -> Result<u64> {
        if batch.is_empty() {
            return Ok(0);
        }
        let delete = self.crash_points.around("metrics: delete points of a file", self.delete_all(batch));
        delete.await.map_err(|error| at(&self.path, error))
    }

    fn scan<'a>(&'a self, range: TimeRange, selection: Selection<'a>) -> BoxStream<'a, Result<PointBatch>> {
        let (sender, mut receiver) = mpsc::channel(AHEAD);
        let range = range.intersection(&TimeRange::ALL);
        let names = match selection {
            Selection::All => None,
            Selection::Names(names) => Some(names.iter().map(|name| name.as_str().to_owned()).collect()),
        };
        let (pool, path) = (self.pool.clone(), Arc::clone(&self.path));
        tokio::spawn(async move {
            if !range.is_empty()
                && let Err(error) = send_points(&pool, range, names, &sender).await
            {
                // Nobody listens any more when this fails.
                let _given_up = sender.send(Err(at(&path, error))).await;
            }
        });
        futures::stream::poll_fn(move |context| receiver.poll_recv(context)).boxed()
    }

    async fn summaries(&self, selection: Selection<'_>) -> Result<Vec<SeriesSummary>> {
        let sql = match selection {
            Selection::All => {
                "SELECT s.name, sum(c.count) AS count, min(c.first_ms) AS oldest_ms, max(c.last_ms) AS newest_ms \
                 FROM series s CROSS JOIN chunk c ON c.key >= s.id * ?1 AND c.key < (s.id + 1) * ?1 \
                 GROUP BY s.name ORDER BY s.name"
            }
            Selection::Names(_) => {
                "SELECT s.name, sum(c.count) AS count, min(c.first_ms) AS oldest_ms, max(c.last_ms) AS newest_ms \
                 FROM (SELECT DISTINCT value AS name FROM json_each(?2)) n CROSS JOIN series s ON s.name = n.name \
                 CROSS JOIN chunk c ON c.key >= s.id * ?1 AND c.key < (s.id + 1) * ?1 GROUP BY s.name ORDER BY s.name"
            }
        };
        let mut query = sqlx::query(sql).bind(SPANS);
        if let Selection::Names(names) = selection {
            query = query.bind(json_of(names.iter().map(SeriesName::as_str))?);
        }
        let rows = query.fetch_all(&self.pool).await.map_err(|error| self.unreadable(error))?;
        rows.iter()
            .map(|row| {
                Ok(SeriesSummary {
                    name: SeriesName::new(row.get("name"))?,
                    count: u64::try_from(row.get::<i64, _>("count")).unwrap_or_default(),
                    oldest_ms: row.get("oldest_ms"),
                    newest_ms: row.get("newest_ms"),
                })
            })
            .collect()
    }

    async fn names_at_hand(&self, most: usize) -> Result<Vec<SeriesName>> {
        let sql = "SELECT s.name FROM series s WHERE EXISTS \
                   (SELECT 1 FROM chunk c WHERE c.key >= s.id * ?1 AND c.key < (s.id + 1) * ?1) ORDER BY s.name LIMIT ?2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = sqlx::query(sql).bind(SPANS).bind(most).fetch_all(&self.pool).await;
        let rows = rows.map_err(|error| self.unreadable(error))?;
        rows.iter().map(|row| SeriesName::new(row.get("name"))).collect()
    }

    async fn days(&self) -> Result<BTreeSet<i64>> {
        let days: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT (key & ?) / ? FROM chunk")
            .bind(SPANS - 1)
            .bind(DAY_SPANS)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.unreadable(error))?;
        Ok(days.into_iter().map(|day| day * DAY_SPANS * SPAN_MS).collect())
    }
}

/// What happens to names that are not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Make,
    LeaveOut,
}

/// The points of a series that belong to one chunk.
struct Piece<'a> {
    key: i64,
    name: &'a SeriesName,
    points: Points,
}

/// Cuts series into the pieces of chunks; series without an id are left out.
fn pieces_of<'a>(series: &'a [SeriesPoints], ids: &HashMap<SeriesName, i64>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::with_capacity(series.len());
    for SeriesPoints { name, points } in series {
        let Some(id) = ids.get(name) else { continue };
        let mut at = 0;
        while let Some(first) = points.times_ms().get(at) {
            let span = first.div_euclid(SPAN_MS);
            let end = points.times_ms().partition_point(|time_ms| *time_ms < (span + 1) * SPAN_MS);
            pieces.push(Piece { key: id * SPANS + span, name, points: points.slice(at..end) });
            at = end;
        }
    }
    pieces
}

/// Reads the chunks of at most [`ROWS`] pieces.
async fn read_chunks(connection: &mut SqliteConnection, pieces: &[Piece<'_>]) -> Result<BTreeMap<i64, Points>> {
    let mut chunks = BTreeMap::new();
    let sql = format!("SELECT key, points FROM chunk WHERE key IN ({})", list("?", pieces.len()));
    let query = pieces.iter().fold(query(sql), |query, piece| query.bind(piece.key));
    for row in query.fetch_all(&mut *connection).await.map_err(|error| FILE.failed(READ, error))? {
        let key = row.get("key");
        let points = chunk::decode(row.get("points")).map_err(|error| {
            let piece = pieces.iter().find(|piece| piece.key == key);
            error.with("series", piece.map_or_else(String::new, |piece| piece.name.to_string()))
        })?;
        chunks.insert(key, points);
    }
    Ok(chunks)
}

/// Says which file it is that holds something else than it should.
fn at(path: &str, error: Error) -> Error {
    if error.kind == ErrorKind::InvalidData { error.with("path", path) } else { error }
}

async fn put_chunks(connection: &mut SqliteConnection, chunks: &[(i64, Points)]) -> Result<()> {
    for chunks in chunks.chunks(ROWS) {
        let sql = format!(
            "INSERT OR REPLACE INTO chunk (key, count, first_ms, last_ms, points) VALUES {}",
            list("(?, ?, ?, ?, ?)", chunks.len())
        );
        let query = chunks.iter().fold(query(sql), |query, (key, points)| {
            let times_ms = points.times_ms();
            query
                .bind(*key)
                .bind(i64::try_from(points.len()).unwrap_or(i64::MAX))
                .bind(times_ms.first().copied().unwrap_or_default())
                .bind(times_ms.last().copied().unwrap_or_default())
                .bind(chunk::encode(points))
        });
        query.execute(&mut *connection).await.map_err(|error| FILE.failed(WRITE, error))?;
    }
    Ok(())
}

async fn drop_chunks(connection: &mut SqliteConnection, keys: &[i64]) -> Result<()> {
    for keys in keys.chunks(ROWS) {
        let sql = format!("DELETE FROM chunk WHERE key IN ({})", list("?", keys.len()));
        let query = keys.iter().fold(query(sql), |query, key| query.bind(*key));
        query.execute(&mut *connection).await.map_err(|error| FILE.failed(DELETE, error))?;
    }
    Ok(())
}

/// Reads the chunks of a span in the order of names and sends them as batches.
async fn send_points(
    pool: &SqlitePool,
    range: TimeRange,
    names: Option<Vec<String>>,
    sender: &mpsc::Sender<Result<PointBatch>>,
) -> Result<()> {
    let sql = match &names {
        None => {
            "SELECT s.name, c.points FROM series s \
             CROSS JOIN chunk c ON c.key >= s.id * ?1 + ?2 AND c.key <= s.id * ?1 + ?3 ORDER BY s.name, c.key"
        }
        Some(_) => {
            "SELECT s.name, c.points FROM (SELECT DISTINCT value AS name FROM json_each(?4)) n \
             CROSS JOIN series s ON s.name = n.name \
             CROSS JOIN chunk c ON c.key >= s.id * ?1 + ?2 AND c.key <= s.id * ?1 + ?3 ORDER BY s.name, c.key"
        }
    };
    let mut query = sqlx::query(sql)
        .bind(SPANS)
        .bind(range.start_ms.div_euclid(SPAN_MS))
        .bind((range.end_ms - 1).div_euclid(SPAN_MS));
    if let Some(names) = names {
        query = query.bind(json_of(names.iter().map(String::as_str))?);
    }
    let mut rows = query.fetch(pool);
    let mut gathered = Gathered::default();
    while let Some(row) = rows.try_next().await.map_err(|error| FILE.failed(READ, error))? {
        if let Some(batch) = gathered.take(&row, &range)?
            && sender.send(Ok(batch)).await.is_err()
        {
            // Whoever asked has gone.
            return Ok(());
        }
    }
    let last = gathered.finish()?;
    if !last.is_empty() {
        let _given_up = sender.send(Ok(last)).await;
    }
    Ok(())
}

/// Writes names as a list of JSON: one value of a statement, however many they are.
fn json_of<'a>(names: impl Iterator<Item = &'a str>) -> Result<String> {
    serde_json::to_string(&names.collect::<Vec<_>>())
        .map_err(|error| Error::new(ErrorKind::InvalidInput, READ, "the names cannot be written as JSON").source(error))
}

/// Puts chunks together to whole series, and those to batches.
#[derive(Default)]
struct Gathered {
    whole: Vec<SeriesPoints>,
    count: usize,
    current: Option<SeriesPoints>,
}

impl Gathered {
    /// Takes a row; returns a batch when there are enough whole series.
    fn take(&mut self, row: &SqliteRow, range: &TimeRange) -> Result<Option<PointBatch>> {
        let name: &str = row.get("name");
        let points = chunk::decode(row.get("points")).map_err(|error| error.with("series", name))?;
        let points = if range.holds(&points) { points } else { points.within(range) };
        if let Some(current) = self.current.as_mut().filter(|current| current.name.as_str() == name) {
            // The chunks of a series come by time.
            current.points.append(points);
            return Ok(None);
        }
        let ended = self.current.replace(SeriesPoints { name: SeriesName::new(name)?, points });
        if let Some(ended) = ended {
            self.count += ended.points.len();
            self.whole.push(ended);
        }
        if self.count < SCAN_POINTS {
            return Ok(None);
        }
        self.count = 0;
        PointBatch::new(std::mem::take(&mut self.whole)).map(Some)
    }

    fn finish(mut self) -> Result<PointBatch> {
        self.whole.extend(self.current);
        PointBatch::new(self.whole)
    }
}

/// Makes a query of text that holds nothing but our own words and `?`.
fn query(sql: String) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
}

/// Writes a list of `count` times the same.
fn list(item: &str, count: usize) -> String {
    (0..count).fold(String::with_capacity(count * (item.len() + 1)), |mut list, at| {
        // Writing into a string cannot fail.
        let _infallible = write!(list, "{}{item}", if at == 0 { "" } else { "," });
        list
    })
}

/// Makes the error of two values of one time.
fn contradiction(name: &SeriesName, found: Contradiction) -> Error {
    let Contradiction { time_ms, stands, written } = found;
    let time = crate::time::shown(time_ms);
    let message = format!("the series `{name}` has the value {stands} at {time}, and {written} was written");
    Error::new(ErrorKind::Conflict, WRITE, message)
        .with("series", name.as_str())
        .with("time", time)
        .help("`duplicate: last` or `duplicate: max` in tiers.yml says which of two values is kept")
}

#[cfg(test)]
mod tests;
