//! Reading: one answer from all tiers, in which every time has one owner.
//!
//! The stores are read from the top down, and the archive after them: points move only downwards, so what was not yet in a
//! lower tier when an upper one was read is read there. The ledger is asked before (which windows need no store) and after
//! (which windows have been archived meanwhile).

mod archived;
mod coarse;
mod contradict;
mod given_up;
mod instead;
mod known;
mod owned;
mod raw;

use std::collections::BTreeMap;

use jiff::Timestamp;
use lake::{ErrorKind, Result};

use crate::bucket::Bucket;
use crate::came_after::LeftOut;
use crate::metrics::{Metrics, invalid};
use crate::point::SeriesName;
use crate::tiers::{Step, TierName};
use crate::time::TimeRange;
pub use given_up::GivenUp;
use owned::Owned;

pub(crate) use raw::without;

/// How often a read begins anew when an object went while it was read: its window was archived anew.
const TRIES: usize = 3;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// The series.
    pub names: Vec<SeriesName>,
    /// The span. Where rows are of whole steps it is widened to these.
    pub range: TimeRange,
    /// The distance of the rows; none for the finest that the span makes sense with and whose tiers still hold it.
    pub step: Option<Step>,
    /// What a row says of the points in its step. None: with the step of the points these as they are, at their own times, and with a
    /// coarser one their mean.
    pub aggregate: Option<Aggregate>,
    /// What to do about a tier that cannot be reached, or objects of it that are damaged or missing.
    pub on_gap: OnGap,
}

/// What a row says of the points in its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many.
    Count,
    /// The first.
    First,
    /// The last.
    Last,
}

/// What to do about a tier that cannot be reached, or whose objects are damaged or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnGap {
    /// Nothing is answered.
    #[default]
    Fail,
    /// The answer names the gap.
    Name,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct ReadRow {
    /// The time, in milliseconds since 1970.
    pub time_ms: i64,
    /// The value.
    pub value: f64,
    /// The tier it comes from: its place in [`ReadAnswer::tiers`]. Of a bucket that was made while reading: that of its last
    /// point.
    pub tier: usize,
}

/// A run of rows of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// From the first row to behind the last one.
    pub range: TimeRange,
    /// The tier: its place in [`ReadAnswer::tiers`].
    pub tier: usize,
    /// How many rows.
    pub rows: u64,
}

/// A span whose archived objects are damaged or missing, and that was read from where its points are still held: be it, as `why` says
/// then, in these objects alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The span.
    pub range: TimeRange,
    /// The tier whose objects they are.
    pub tier: TierName,
    /// What is wrong with them.
    pub why: String,
}

/// A span that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The span.
    pub range: TimeRange,
    /// The tier that could not be reached, or whose objects are damaged or missing.
    pub tier: TierName,
    /// Why.
    pub why: String,
}

/// The answer for a series.
#[derive(Debug, Clone)]
pub struct SeriesAnswer {
    /// The series.
    pub name: SeriesName,
    /// Its rows, by time; none for a series that no tier has.
    pub rows: Vec<ReadRow>,
    /// Where they come from.
    pub segments: Vec<Segment>,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct ReadAnswer {
    /// The distance of the rows.
    pub step: Step,
    /// Whether the rows are the points as they are, rather than one for each step.
    pub are_points: bool,
    /// The names of the tiers, upper ones first.
    pub tiers: Vec<TierName>,
    /// The series, in the order of the request.
    pub series: Vec<SeriesAnswer>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// What was read from other tiers than the one that it belongs to.
    pub instead: Vec<Instead>,
    /// What no tier of so small a step holds any more, by time.
    pub given_up: Vec<GivenUp>,
    /// Points that roll-ups do not have: they came after the archive had given up their window.
    pub left_out: Vec<LeftOut>,
    /// Because of which a coarser step was chosen than the span alone makes sense with, by time.
    pub coarser_for: Vec<GivenUp>,
}

/// How a reading deals with what it cannot read.
#[derive(Debug, Clone, Copy)]
struct Terms {
    on_gap: OnGap,
    /// Whether it is not begun anew any more when an object is gone.
    is_last_try: bool,
}

/// What is told beside the rows.
#[derive(Debug, Default)]
struct Told {
    gaps: Vec<Gap>,
    instead: Vec<Instead>,
    /// Whether a store could not be read.
    lacks_store: bool,
}

impl Metrics {
    /// Reads series from all tiers.
    ///
    /// # Errors
    /// `InvalidInput` for a step that is no multiple of the raw one; those of the tiers, unless gaps are named; `InvalidData` and
    /// `NotFound` for objects that are damaged or missing, unless the stores (or what a roll-up is made of) still hold all of it.
    pub async fn read(&self, request: &ReadRequest, _now: Timestamp) -> Result<ReadAnswer> {
        let raw_step = self.tiers.raw_step();
        let (step, coarser_for) = match request.step {
            Some(step) => (step, Vec::new()),
            None => self.step_for(&request.range).await?,
        };
        if step.ms() % raw_step.ms() != 0 {
            return Err(invalid(format!("cannot read with the step {step}: expected a multiple of {raw_step}")));
        }
        let are_points = step == raw_step && request.aggregate.is_none();
        let given_up = self.given_up(step, &request.range).await?;
        let mut tries = 1;
        let (owned, told) = loop {
            let terms = Terms { on_gap: request.on_gap, is_last_try: tries == TRIES };
            let read = if are_points {
                self.read_raw(&request.names, &[request.range], terms).await
            } else {
                self.read_coarse(request, step, terms).await
            };
            match read {
                Err(error) if error.kind == ErrorKind::NotFound && !terms.is_last_try => tries += 1,
                read => break read?,
            }
        };
        let left_out = if are_points || self.rollups_for(step).is_empty() {
            Vec::new()
        } else {
            self.left_out_of(&request.names, request.range).await?
        };
        let mut owned: BTreeMap<SeriesName, Owned> = owned;
        let series = request.names.iter().map(|name| {
            let rows = owned.remove(name).unwrap_or_default().into_rows();
            SeriesAnswer { name: name.clone(), segments: segments(&rows), rows }
        });
        Ok(ReadAnswer {
            step,
            are_points,
            series: series.collect(),
            tiers: self.tiers.all().iter().map(|tier| tier.name.clone()).collect(),
            gaps: told.gaps,
            instead: told.instead,
            given_up,
            left_out,
            coarser_for,
        })
    }
}

impl Aggregate {
    /// Returns what a row says of a bucket.
    #[expect(clippy::cast_precision_loss, reason = "a bucket has fewer points than a double has whole numbers")]
    fn of(self, bucket: &Bucket) -> f64 {
        match self {
            Self::Mean => bucket.mean(),
            Self::Sum => bucket.sum,
            Self::Min => bucket.min,
            Self::Max => bucket.max,
            Self::Count => bucket.count as f64,
            Self::First => bucket.first,
            Self::Last => bucket.last,
        }
    }
}

fn segments(rows: &[ReadRow]) -> Vec<Segment> {
    rows.chunk_by(|left, right| left.tier == right.tier)
        .filter_map(|run| {
            let (first, last) = (run.first()?, run.last()?);
            let range = TimeRange::new(first.time_ms, last.time_ms + 1);
            Some(Segment { range, tier: first.tier, rows: run.len() as u64 })
        })
        .collect()
}
