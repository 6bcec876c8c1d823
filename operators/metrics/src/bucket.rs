//! Buckets of roll-ups: what is kept of the points of a span, and how two of them become one.

use crate::point::{Points, SeriesName, canonical};
use crate::tiers::Step;

/// What is kept of the points of one span of time. A bucket exists whenever a point does.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// How many points, "not a number" included.
    pub count: u64,
    /// The sum; "not a number" as soon as one value is that.
    ///
    /// So `sum / count` is a mean of all points or none: a sum of some of them over the count of all would lie outside of `min` and
    /// `max`, and a count of some of them would not be that of the points that a roll-up was made of.
    pub sum: f64,
    /// The smallest number; "not a number" when there is none.
    pub min: f64,
    /// The largest number; "not a number" when there is none.
    pub max: f64,
    /// The value of the first point.
    pub first: f64,
    /// The value of the last point.
    pub last: f64,
    /// The time of the first point, in milliseconds since 1970.
    pub first_ms: i64,
    /// The time of the last point, in milliseconds since 1970.
    pub last_ms: i64,
}

impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        let exact = |bucket: &Self| {
            let values = [bucket.sum, bucket.min, bucket.max, bucket.first, bucket.last].map(f64::to_bits);
            (bucket.count, values, bucket.first_ms, bucket.last_ms)
        };
        exact(self) == exact(other)
    }
}

impl Eq for Bucket {}

impl Bucket {
    /// Returns the mean; "not a number" as soon as one value is that, as the mean of the points in SQL is.
    #[expect(clippy::cast_precision_loss, reason = "a bucket has fewer points than a double has whole numbers")]
    pub fn mean(&self) -> f64 {
        canonical(self.sum / self.count as f64)
    }
}

/// The buckets of one series, by the times of their starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesBuckets {
    /// The series.
    pub name: SeriesName,
    /// Each bucket with its start, in milliseconds since 1970; ascending.
    pub buckets: Vec<(i64, Bucket)>,
}

/// Gathers points or finer buckets, in the order of their times, into buckets of a step.
#[derive(Debug)]
pub(crate) struct Gather {
    step: Step,
    done: Vec<(i64, Bucket)>,
    current: Option<(i64, Bucket, Sum)>,
}

impl Gather {
    /// Begins with nothing.
    pub(crate) fn new(step: Step) -> Self {
        Self { step, done: Vec::new(), current: None }
    }

    /// Takes points that are later than all before.
    pub(crate) fn points(&mut self, points: &Points) {
        for (time_ms, value) in points.iter() {
            let sum = if value.is_nan() { f64::NAN } else { value };
            self.add(
                time_ms,
                &Bucket {
                    count: 1,
                    sum,
                    min: sum,
                    max: sum,
                    first: value,
                    last: value,
                    first_ms: time_ms,
                    last_ms: time_ms,
                },
            );
        }
    }

    /// Takes finer buckets that are later than all before.
    pub(crate) fn buckets(&mut self, buckets: &[(i64, Bucket)]) {
        for (time_ms, bucket) in buckets {
            self.add(*time_ms, bucket);
        }
    }

    fn add(&mut self, time_ms: i64, new: &Bucket) {
        let start_ms = self.step.floor(time_ms);
        if self.current.as_ref().is_some_and(|(current_ms, ..)| *current_ms != start_ms) {
            self.close();
        }
        let Some((_, bucket, sum)) = &mut self.current else {
            let mut sum = Sum::default();
            sum.add(new.sum);
            self.current = Some((start_ms, *new, sum));
            return;
        };
        bucket.count += new.count;
        // `f64::min` and `f64::max` prefer a number.
        bucket.min = canonical(bucket.min.min(new.min));
        bucket.max = canonical(bucket.max.max(new.max));
        bucket.last = new.last;
        bucket.last_ms = new.last_ms;
        sum.add(new.sum);
    }

    fn close(&mut self) {
        if let Some((start_ms, mut bucket, sum)) = self.current.take() {
            bucket.sum = canonical(sum.value());
            self.done.push((start_ms, bucket));
        }
    }

    /// Returns the buckets.
    pub(crate) fn finish(mut self) -> Vec<(i64, Bucket)> {
        self.close();
        self.done
    }
}

/// A sum that carries what rounding took away: Neumaier's
/// (<https://en.wikipedia.org/wiki/Kahan_summation_algorithm#Further_enhancements>).
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_finite() {
            let (larger, smaller) = if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
            self.lost += (larger - sum) + smaller;
        }
        self.sum = sum;
    }

    fn value(&self) -> f64 {
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(points: &[(i64, f64)], step_ms: i64) -> Vec<(i64, Bucket)> {
        let (points, _) = Points::of_written(points, crate::DuplicateRule::Last).unwrap();
        let mut gather = Gather::new(Step::from_ms(step_ms).unwrap());
        gather.points(&points);
        gather.finish()
    }

    #[test]
    fn sums_lose_nothing() {
        let buckets = gathered(&[(0, 1.0), (1_000, 1e100), (2_000, 1.0), (3_000, -1e100), (60_000, f64::NAN)], 60_000);
        assert_eq!(buckets.len(), 2);
        let first = Bucket {
            count: 4,
            sum: 2.0,
            min: -1e100,
            max: 1e100,
            first: 1.0,
            last: -1e100,
            first_ms: 0,
            last_ms: 3_000,
        };
        assert_eq!(buckets[0], (0, first));
        let second = buckets[1].1;
        assert_eq!((second.count, second.first_ms), (1, 60_000));
        assert!(second.sum.is_nan() && second.min.is_nan() && second.max.is_nan() && second.last.is_nan());
    }

    #[test]
    fn a_mean_is_that_of_all_points_or_none() {
        let ten = gathered(&[(0, f64::NAN), (1_000, 10.0)], 60_000)[0].1;
        assert_eq!((ten.count, ten.min, ten.max, ten.last), (2, 10.0, 10.0, 10.0));
        assert!(ten.sum.is_nan() && ten.mean().is_nan() && ten.first.is_nan());
        // Also of finer buckets, whichever comes first.
        for points in
            [[(0, f64::NAN), (60_000, 10.0), (120_000, 20.0)], [(0, 10.0), (60_000, 20.0), (120_000, f64::NAN)]]
        {
            let mut hours = Gather::new(Step::from_ms(3_600_000).unwrap());
            hours.buckets(&gathered(&points, 60_000));
            let hour = hours.finish()[0].1;
            assert_eq!((hour.count, hour.min, hour.max), (3, 10.0, 20.0));
            assert!(hour.sum.is_nan() && hour.mean().is_nan());
        }
    }

    #[test]
    fn infinities_are_values() {
        let both = gathered(&[(0, f64::INFINITY), (1, f64::NEG_INFINITY)], 1_000)[0].1;
        assert!(both.sum.is_nan());
        assert_eq!((both.min, both.max), (f64::NEG_INFINITY, f64::INFINITY));
        let one = gathered(&[(0, f64::INFINITY), (1, 5.0)], 1_000)[0].1;
        assert_eq!(one.sum.to_bits(), f64::INFINITY.to_bits());
    }

    #[test]
    fn buckets_of_buckets_are_those_of_the_points() {
        let points: Vec<(i64, f64)> = (0..5_000)
            .zip([0.1, -3.5, f64::NAN, 1e9].into_iter().cycle())
            // Of the first hours alone: those have no sum.
            .map(|(at, value)| (at * 7_000, if value.is_nan() && at > 1_000 { 2.5 } else { value }))
            .collect();
        let minutes = gathered(&points, 60_000);
        let mut hours = Gather::new(Step::from_ms(3_600_000).unwrap());
        hours.buckets(&minutes);
        let (hours, straight) = (hours.finish(), gathered(&points, 3_600_000));
        assert_eq!(hours.len(), straight.len());
        for ((_, coarse), (_, fine)) in hours.iter().zip(&straight) {
            assert_eq!(Bucket { sum: 0.0, ..*coarse }, Bucket { sum: 0.0, ..*fine });
            let both_none = coarse.sum.is_nan() && fine.sum.is_nan();
            assert!(both_none || (coarse.sum - fine.sum).abs() <= 1e-6);
        }
    }
}
