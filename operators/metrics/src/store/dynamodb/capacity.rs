//! A limit of write units a second, so that a tier leaves others their part of a table.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets so many write units through in a second; what was not used in the last second may be used at once.
#[derive(Debug)]
pub(super) struct Capacity {
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Below zero when more was let through than there is yet: whoever comes next waits for it.
    units: f64,
    at: Instant,
}

impl Capacity {
    /// Makes a limit.
    pub(super) fn new(per_second: f64, now: Instant) -> Self {
        Self { per_second, state: Mutex::new(State { units: per_second, at: now }) }
    }

    /// Waits until so many units may be used.
    pub(super) async fn take(&self, units: f64) {
        let pause = self.taken(units, Instant::now());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes units at a time; returns how long to wait before they are used.
    fn taken(&self, units: f64, now: Instant) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(state.at).as_secs_f64() * self.per_second;
        state.units = (state.units + gained).min(self.per_second) - units;
        state.at = now;
        Duration::try_from_secs_f64((-state.units).max(0.0) / self.per_second).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_let_through_at_their_rate() {
        let start = Instant::now();
        let capacity = Capacity::new(10.0, start);
        let second = Duration::from_secs(1);
        assert_eq!(capacity.taken(10.0, start), Duration::ZERO, "what a second gives");
        assert_eq!(capacity.taken(5.0, start), second / 2);
        assert_eq!(capacity.taken(5.0, start), second, "one behind the other");
        assert_eq!(capacity.taken(0.0, start + second), Duration::ZERO);
        assert_eq!(capacity.taken(20.0, start + 60 * second), second, "no more than a second's is saved up");
    }
}
