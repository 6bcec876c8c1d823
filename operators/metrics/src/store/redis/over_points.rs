//! Scripts over the points of a batch: cut into calls, some of them on their way at once.

use futures::TryStreamExt as _;
use futures::{StreamExt as _, stream};
use lake::{Error, Result};
use redis::Value;

use super::connection::{Script, ScriptCall};
use super::key::foreign;
use super::{RedisStore, text, text_of};
use crate::point::{Contradiction, PointBatch, SeriesPoints};
use crate::store::contradiction;

/// How many points one script takes: the server does nothing else meanwhile, and Lua unpacks at most 8,000 values.
const SCRIPT_POINTS: usize = 1_000;

/// How many scripts are on their way at once.
const SCRIPTS: usize = 8;

impl RedisStore {
    /// Runs a script over all points of a batch, some at a time; `answered` gets what each call answered.
    pub(super) async fn over_points(
        &self,
        operation: &'static str,
        script: &Script,
        first: Option<&str>,
        batch: &PointBatch,
        mut answered: impl FnMut(&[Piece<'_>], Vec<Value>) -> Result<()> + Send,
    ) -> Result<()> {
        // Collected, and each made when its turn comes: the texts of a whole batch would take much room.
        let calls: Vec<_> =
            calls(batch).into_iter().map(|pieces| self.over_pieces(operation, script, first, pieces)).collect();
        let mut answers = std::pin::pin!(stream::iter(calls).buffer_unordered(SCRIPTS));
        while let Some((answer, pieces)) = answers.try_next().await? {
            answered(&pieces, answer)?;
        }
        Ok(())
    }

    async fn over_pieces<'b>(
        &self,
        operation: &'static str,
        script: &Script,
        first: Option<&str>,
        pieces: Vec<Piece<'b>>,
    ) -> Result<(Vec<Value>, Vec<Piece<'b>>)> {
        let mut call = ScriptCall::default();
        call.arguments.extend(first.map(ToOwned::to_owned));
        for piece in &pieces {
            call.keys.push(self.keys.key(&piece.series.name));
            call.arguments.push(piece.count.to_string());
            for (time_ms, value) in piece.points() {
                call.arguments.push(text::of_time(time_ms));
                call.arguments.push(text::of_value(value));
            }
        }
        Ok((self.connection.evaluate(operation, script, &call).await?, pieces))
    }

    /// Makes the error of a point that a script did not write; what it names counts from one.
    pub(super) fn refused(&self, pieces: &[Piece<'_>], hash: i64, point: i64, stands: Option<&Value>) -> Error {
        let place = |number: i64| usize::try_from(number - 1).unwrap_or(0);
        let piece = pieces.get(place(hash));
        let stands_text = stands.and_then(text_of).unwrap_or_default();
        let found = piece.and_then(|piece| {
            let (time_ms, written) = piece.points().nth(place(point))?;
            let stands = text::value(stands_text.as_bytes())?;
            Some((piece, Contradiction { time_ms, stands, written }))
        });
        match (found, piece) {
            (Some((piece, found)), _) => contradiction(&piece.series.name, &found),
            (None, Some(piece)) => {
                let why = format!("its value `{}` is no number", stands_text.escape_debug());
                foreign(&self.keys.key(&piece.series.name), &why)
            }
            (None, None) => foreign(b"", "what Redis answers is not known"),
        }
    }
}

/// Some points of one series.
pub(super) struct Piece<'a> {
    series: &'a SeriesPoints,
    start: usize,
    count: usize,
}

impl Piece<'_> {
    fn points(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.series.points.iter().skip(self.start).take(self.count)
    }
}

/// Cuts a batch into the calls of a script.
fn calls(batch: &PointBatch) -> Vec<Vec<Piece<'_>>> {
    let mut calls: Vec<Vec<Piece<'_>>> = Vec::new();
    let mut room = 0;
    for series in batch.series() {
        let mut start = 0;
        while start < series.points.len() {
            if room == 0 {
                calls.push(Vec::new());
                room = SCRIPT_POINTS;
            }
            let count = room.min(series.points.len() - start);
            if let Some(call) = calls.last_mut() {
                call.push(Piece { series, start, count });
            }
            start += count;
            room -= count;
        }
    }
    calls
}
