//! What the engine of this process has done: how many tasks came to an end, and how busy its slots were.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The figures of an engine since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineFigures {
    /// How many tasks came to an end, well or not.
    pub tasks_finished: u64,
    /// How long steps of tasks have run, all together.
    pub busy: Duration,
    /// How long the engine is there.
    pub elapsed: Duration,
    /// How many tasks may run at once.
    pub slots: usize,
}

impl EngineFigures {
    /// Returns the share of its slots that was used, from 0 to 1. Above 0.7 there should be more: making them takes time.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn slot_utilisation(&self) -> f64 {
        let capacity = self.elapsed.as_secs_f64() * self.slots as f64;
        if capacity > 0.0 { (self.busy.as_secs_f64() / capacity).min(1.0) } else { 0.0 }
    }
}

/// Counts as tasks run.
#[derive(Debug)]
pub(super) struct Counters {
    since: Timestamp,
    tasks_finished: AtomicU64,
    busy_us: AtomicU64,
}

impl Counters {
    pub(super) fn new(since: Timestamp) -> Self {
        Self { since, tasks_finished: AtomicU64::new(0), busy_us: AtomicU64::new(0) }
    }

    /// Notes a step of a task that ran from one time to another.
    pub(super) fn note(&self, from: Timestamp, to: Timestamp, is_end: bool) {
        self.tasks_finished.fetch_add(u64::from(is_end), Ordering::Relaxed);
        self.busy_us.fetch_add(microseconds(from, to), Ordering::Relaxed);
    }

    pub(super) fn figures(&self, now: Timestamp, slots: usize) -> EngineFigures {
        EngineFigures {
            tasks_finished: self.tasks_finished.load(Ordering::Relaxed),
            busy: Duration::from_micros(self.busy_us.load(Ordering::Relaxed)),
            elapsed: Duration::from_micros(microseconds(self.since, now)),
            slots,
        }
    }
}

fn microseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_microsecond().saturating_sub(from.as_microsecond())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilisation_is_the_share_of_all_slots() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let counters = Counters::new(at(100));
        counters.note(at(100), at(106), false);
        counters.note(at(103), at(107), true);
        let figures = counters.figures(at(110), 2);
        assert_eq!((figures.tasks_finished, figures.busy.as_secs(), figures.elapsed.as_secs()), (1, 10, 10));
        assert!((figures.slot_utilisation() - 0.5).abs() < 1e-9);
        assert!(counters.figures(at(100), 2).slot_utilisation().abs() < 1e-9, "nothing is known yet");
    }
}
