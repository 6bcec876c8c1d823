//! How fast work goes, and how often it is worth a word. Both are told the time, so that nothing here waits.

use std::time::{Duration, Instant};

/// How long bytes are counted before a rate is made of them.
const WINDOW: Duration = Duration::from_secs(1);

/// Lets something be said at most once in a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Every {
    pause: Duration,
    last: Instant,
}

impl Every {
    /// Begins at a time: the first word comes a pause later.
    pub(crate) fn new(pause: Duration, now: Instant) -> Self {
        Self { pause, last: now }
    }

    /// Says whether it is time again.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.saturating_duration_since(self.last) >= self.pause;
        if is_due {
            self.last = now;
        }
        is_due
    }
}

/// How many bytes a second go through, as of the last second or so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    since: Instant,
    bytes: u64,
    per_second: Option<u64>,
}

impl Pace {
    /// Begins at a time with nothing done.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, per_second: None }
    }

    /// Takes note of all bytes so far; returns those a second, once that is known.
    pub(crate) fn note(&mut self, bytes: u64, now: Instant) -> Option<u64> {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
            self.per_second = Some(bytes.saturating_sub(self.bytes).saturating_mul(1000) / millis);
            self.since = now;
            self.bytes = bytes;
        }
        self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_comes_a_pause_after_the_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut every = Every::new(Duration::from_secs(10), start);
        let due: Vec<u64> = (0..35).filter(|second| every.is_due(at(*second))).collect();
        assert_eq!(due, [10, 20, 30]);
    }

    #[test]
    fn a_rate_is_that_of_the_last_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.note(500, start + Duration::from_millis(500)), None);
        assert_eq!(pace.note(3000, start + Duration::from_millis(1500)), Some(2000));
        assert_eq!(pace.note(9999, start + Duration::from_secs(2)), Some(2000));
        assert_eq!(pace.note(4000, start + Duration::from_millis(3500)), Some(500));
    }
}
