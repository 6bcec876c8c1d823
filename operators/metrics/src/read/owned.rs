//! Points with their owners: of two tiers that have a time, one gives the value.

use std::cmp::Ordering;

use super::ReadRow;
use crate::duplicate::DuplicateRule;
use crate::point::{Points, same_value};

/// The rows of a series, by time.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned(Vec<ReadRow>);

impl Owned {
    /// Adds a row that is later than all before.
    pub(super) fn push(&mut self, row: ReadRow) {
        self.0.push(row);
    }

    /// Adds points of a tier that are later than all before.
    pub(super) fn extend(&mut self, points: &Points, tier: usize) {
        self.0.extend(points.iter().map(|(time_ms, value)| ReadRow { time_ms, value, tier }));
    }

    /// Adds rows that are later than all before.
    pub(super) fn append(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Takes over the points of an upper tier: they were written after those of the lower ones.
    pub(super) fn cover(&mut self, upper: &Points, tier: usize, rule: DuplicateRule) {
        let is_later =
            self.0.last().is_none_or(|last| upper.times_ms().first().is_none_or(|first| last.time_ms < *first));
        if is_later {
            self.extend(upper, tier);
            return;
        }
        let mut covered = Vec::with_capacity(self.0.len() + upper.len());
        let mut lower = std::mem::take(&mut self.0).into_iter().peekable();
        for (time_ms, value) in upper.iter() {
            while let Some(row) = lower.next_if(|row| row.time_ms < time_ms) {
                covered.push(row);
            }
            let above = ReadRow { time_ms, value, tier };
            let row = match lower.next_if(|row| row.time_ms == time_ms) {
                Some(below) if !keeps_upper(rule, &below, &above) => below,
                _ => above,
            };
            covered.push(row);
        }
        covered.extend(lower);
        self.0 = covered;
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &[ReadRow] {
        &self.0
    }

    /// Returns the rows.
    pub(super) fn into_rows(self) -> Vec<ReadRow> {
        self.0
    }
}

/// Tells whether the upper tier owns a time that both have.
fn keeps_upper(rule: DuplicateRule, below: &ReadRow, above: &ReadRow) -> bool {
    if same_value(below.value, above.value) {
        return true;
    }
    match rule {
        DuplicateRule::Last => true,
        // A number is larger than "not a number".
        DuplicateRule::Max => below.value.is_nan() || above.value.partial_cmp(&below.value) == Some(Ordering::Greater),
        // The first one stays.
        DuplicateRule::Error => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_one_owner() {
        let points = |pairs: &[(i64, f64)]| Points::of_written(pairs, DuplicateRule::Last).unwrap().0;
        for (rule, expected) in [
            (DuplicateRule::Last, vec![(0, 1.0, 2), (1, 5.0, 1), (2, 3.0, 2), (3, 9.0, 1)]),
            (DuplicateRule::Max, vec![(0, 1.0, 2), (1, 7.0, 2), (2, 3.0, 2), (3, 9.0, 1)]),
            (DuplicateRule::Error, vec![(0, 1.0, 2), (1, 7.0, 2), (2, 3.0, 2), (3, 9.0, 1)]),
        ] {
            let mut owned = Owned::default();
            owned.extend(&points(&[(0, 1.0), (1, 7.0), (2, 3.0)]), 2);
            owned.cover(&points(&[(1, 5.0), (3, 9.0)]), 1, rule);
            let rows: Vec<_> = owned.into_rows().iter().map(|row| (row.time_ms, row.value, row.tier)).collect();
            assert_eq!(rows, expected, "{rule:?}");
        }
        let below = ReadRow { time_ms: 0, value: 1.0, tier: 1 };
        let above = ReadRow { time_ms: 0, value: f64::NAN, tier: 0 };
        assert!(!keeps_upper(DuplicateRule::Max, &below, &above));
        assert!(keeps_upper(DuplicateRule::Max, &above, &below));
    }
}
