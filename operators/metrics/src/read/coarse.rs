//! Reading with a coarser step: from roll-ups where they are made of what is archived now, else from the raw points.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use lake::Result;

use super::instead::{begins_anew, is_damage, note_instead};
use super::owned::Owned;
use super::raw::{note_gap, without};
use super::{Instead, ReadRequest, ReadRow, Terms, Told};
use crate::bucket::{Bucket, Gather, SeriesBuckets};
use crate::ledger::{Archived, MadeFrom};
use crate::metrics::Metrics;
use crate::point::{Points, SeriesName};
use crate::tiers::{Step, Tier};
use crate::time::TimeRange;
use crate::window::Window;

/// What is said of a roll-up whose objects may read well all the same.
const FOUND_DAMAGED: &str = "`metrics.verify>` found its objects damaged, or its partition gone";

/// The same where nothing else holds its points.
const READ_ALL_THE_SAME: &str =
    "in its own objects alone, which `metrics.verify>` found damaged, or without their partition";

/// Finer buckets of a series with the tiers that they are of.
type Pieces = BTreeMap<SeriesName, Vec<(i64, Bucket, usize)>>;

/// The windows of a roll-up that are as fresh as can be.
struct Fresh {
    /// What stands of each, the spans in which it holds what is archived now, and whether a verification found it damaged: then
    /// nothing else has these.
    windows: Vec<(Archived, Vec<TimeRange>, bool)>,
    /// The spans that finer tiers have given up.
    dropped: Vec<TimeRange>,
    /// What is not read of roll-ups that a verification found damaged.
    damaged: Vec<Instead>,
}

impl Metrics {
    pub(super) async fn read_coarse(
        &self,
        request: &ReadRequest,
        step: Step,
        terms: Terms,
    ) -> Result<(BTreeMap<SeriesName, Owned>, Told)> {
        let end_ms = step.floor(request.range.end_ms.saturating_sub(1)).saturating_add(step.ms());
        let range = TimeRange::new(step.floor(request.range.start_ms), end_ms).intersection(&TimeRange::ALL);
        let (mut pieces, mut told) = (Pieces::new(), Told::default());
        let mut rest = vec![range];
        // What a roll-up has not yet, or not any more, a finer one may have, also where the points were given up.
        for (number, tier) in self.rollups_for(step) {
            let (Some(first), Some(last)) = (rest.first(), rest.last()) else { break };
            let Fresh { windows, dropped, damaged } =
                self.fresh(tier, &TimeRange::new(first.start_ms, last.end_ms)).await?;
            // A coarser roll-up may have told of it, being made of it.
            let is_new = |found: &Instead| {
                let is_within = |known: &Instead| known.range.intersection(&found.range) == found.range;
                !told.instead.iter().any(|known| known.tier == found.tier && is_within(known))
            };
            let damaged: Vec<Instead> = damaged.into_iter().filter(is_new).collect();
            told.instead.extend(damaged);
            let is_given_up = |span: &TimeRange| dropped.iter().any(|gone| !gone.intersection(span).is_empty());
            let windows: Vec<(Archived, Vec<TimeRange>, bool)> = windows
                .into_iter()
                .map(|(standing, spans, is_damaged)| (standing, common(&spans, &rest), is_damaged))
                .filter(|(_, spans, _)| !spans.is_empty())
                .collect();
            let generations =
                windows.iter().map(|(standing, ranges, is_damaged)| ((ranges, *is_damaged), standing)).collect();
            let mut rolled_up = Vec::new();
            let mut reads = self.read_each::<_, SeriesBuckets>(&request.names, generations);
            while let Some(((ranges, is_damaged), read)) = reads.next().await {
                match read {
                    Ok(series) => {
                        if is_damaged {
                            told.instead.extend(ranges.iter().map(|range| damaged_in(tier, *range, READ_ALL_THE_SAME)));
                        }
                        for SeriesBuckets { name, buckets } in series {
                            let wanted = buckets
                                .into_iter()
                                .filter(|(time_ms, _)| ranges.iter().any(|range| range.contains(*time_ms)));
                            pieces
                                .entry(name)
                                .or_default()
                                .extend(wanted.map(|(time_ms, bucket)| (time_ms, bucket, number)));
                        }
                    }
                    Err(error) if begins_anew(&error, terms) => return Err(error),
                    // What it is made of is still there, and read in its place.
                    Err(error) if is_damage(&error) && !ranges.iter().any(is_given_up) => {
                        note_instead(&mut told, tier, ranges, error);
                        continue;
                    }
                    Err(error) => note_gap(&mut told.gaps, terms.on_gap, tier, ranges, error)?,
                }
                rolled_up.extend_from_slice(ranges);
            }
            rolled_up.sort();
            rest = rest.into_iter().flat_map(|span| without(span, &rolled_up)).collect();
        }
        let (raw, more) = self.read_raw(&request.names, &rest, terms).await?;
        told.gaps.extend(more.gaps);
        told.instead.extend(more.instead);
        for (name, owned) in raw {
            let pieces = pieces.entry(name).or_default();
            for run in owned.rows().chunk_by(|left, right| {
                left.tier == right.tier && step.floor(left.time_ms) == step.floor(right.time_ms)
            }) {
                pieces.extend(bucket_of(run, step));
            }
            pieces.sort_by_key(|(_, bucket, _)| bucket.first_ms);
        }
        let aggregate = request.aggregate.unwrap_or_default();
        let owned = pieces.into_iter().map(|(name, pieces)| {
            let mut owned = Owned::default();
            for run in pieces.chunk_by(|left, right| step.floor(left.0) == step.floor(right.0)) {
                let buckets: Vec<(i64, Bucket)> = run.iter().map(|(time_ms, bucket, _)| (*time_ms, *bucket)).collect();
                let mut gather = Gather::new(step);
                gather.buckets(&buckets);
                let tier = run.last().map(|(.., tier)| *tier).unwrap_or_default();
                for (time_ms, bucket) in gather.finish() {
                    owned.push(ReadRow { time_ms, value: aggregate.of(&bucket), tier });
                }
            }
            (name, owned)
        });
        Ok((owned.collect(), told))
    }

    /// Lists the windows of a roll-up with the spans in which it holds what is archived now.
    async fn fresh(&self, tier: &Tier, range: &TimeRange) -> Result<Fresh> {
        let (mut fresh, mut damaged) = (Vec::new(), Vec::new());
        // Which generation of which window holds which spans of the raw points as they are now, from fine to coarse.
        let mut holds: BTreeMap<MadeFrom, Vec<TimeRange>> = BTreeMap::new();
        // Windows that were given up: what was made of them is as fresh as it will ever be.
        let mut dropped: BTreeMap<(String, String), Vec<TimeRange>> = BTreeMap::new();
        for (place, link) in self.tiers.all().iter().filter(|tier| !tier.is_store()).enumerate() {
            let span = link.unit().map_or(*range, |unit| Window::widened(unit, range));
            for window in self.ledger.dropped(&link.name, span).await? {
                dropped.insert((link.name.to_string(), window.label()), vec![window.range()]);
            }
            for row in self.ledger.rows(&link.name, span).await? {
                let is_usable = if place == 0 { row.is_settled() } else { !row.is_late() };
                let is_damaged = place > 0 && row.fault.is_some();
                let Some(standing) = row.standing.filter(|_| is_usable) else { continue };
                let mut spans: Vec<TimeRange> = if place == 0 {
                    vec![row.window.range()]
                } else {
                    let held = |from: &MadeFrom| {
                        holds.get(from).or_else(|| dropped.get(&(from.tier.clone(), from.window.clone())))
                    };
                    standing.made_from.iter().filter_map(held).flatten().copied().collect()
                };
                if is_damaged {
                    // What it is made of is read in its place. Where that was given up, nothing else has it: what comes of the
                    // objects then, be it an error, is the answer.
                    let is_given_up =
                        |span: &TimeRange| dropped.values().flatten().any(|gone| !gone.intersection(span).is_empty());
                    let (last, elsewhere) = spans.into_iter().partition(is_given_up);
                    spans = last;
                    damaged.extend(hulls(elsewhere, range).map(|range| damaged_in(link, range, FOUND_DAMAGED)));
                }
                if link.name == tier.name {
                    let spans = spans.iter().map(|span| span.intersection(range));
                    let spans: Vec<TimeRange> = spans.filter(|span| !span.is_empty()).collect();
                    fresh.push((standing, spans, is_damaged));
                } else {
                    let generation = standing.generation;
                    holds.insert(
                        MadeFrom { tier: link.name.to_string(), window: row.window.label(), generation },
                        spans,
                    );
                }
            }
            if link.name == tier.name {
                break;
            }
        }
        fresh.retain(|(_, spans, _): &(Archived, Vec<TimeRange>, bool)| !spans.is_empty());
        Ok(Fresh { windows: fresh, dropped: dropped.into_values().flatten().collect(), damaged })
    }
}

fn damaged_in(tier: &Tier, range: TimeRange, why: &str) -> Instead {
    Instead { range, tier: tier.name.clone(), why: why.to_owned() }
}

/// Puts spans together that touch, as far as they are in another one.
fn hulls(mut spans: Vec<TimeRange>, within: &TimeRange) -> impl Iterator<Item = TimeRange> {
    spans.sort();
    let mut hulls: Vec<TimeRange> = Vec::new();
    for span in spans.iter().map(|span| span.intersection(within)).filter(|span| !span.is_empty()) {
        match hulls.last_mut() {
            Some(last) if last.end_ms >= span.start_ms => last.end_ms = last.end_ms.max(span.end_ms),
            _ => hulls.push(span),
        }
    }
    hulls.into_iter()
}

/// Returns what two lists of spans have in common; each list ascends.
fn common(left: &[TimeRange], right: &[TimeRange]) -> Vec<TimeRange> {
    let both = left.iter().flat_map(|left| right.iter().map(|right| left.intersection(right)));
    both.filter(|span| !span.is_empty()).collect()
}

/// Makes the bucket of a run of raw points of one tier.
fn bucket_of(run: &[ReadRow], step: Step) -> Option<(i64, Bucket, usize)> {
    let points =
        Points::of_sorted(run.iter().map(|row| row.time_ms).collect(), run.iter().map(|row| row.value).collect())
            .ok()?;
    let mut gather = Gather::new(step);
    gather.points(&points);
    let (time_ms, bucket) = gather.finish().pop()?;
    Some((time_ms, bucket, run.last()?.tier))
}
