//! How often Athena is called and how many queries are active: kept below its quotas here, so that it need not refuse.
//!
//! The quotas hold for an account and region, not for a process: other programs use them too. What Athena refuses all the
//! same is sent again after a pause.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::statement::Class;
use crate::aws::CallRate;
use crate::error::{Error, ErrorKind, Result};

/// A bucket of tokens: a call takes one, and waits for it when there is none.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: CallRate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Below zero by the calls that wait.
    tokens: f64,
    at: Option<Instant>,
}

impl Bucket {
    pub(super) fn new(rate: CallRate) -> Self {
        Self { rate, state: Mutex::new(State { tokens: f64::from(rate.burst), at: None }) }
    }

    /// Waits for the turn of a call. Whoever waits first goes first.
    pub(super) async fn turn(&self) {
        let wait = self.take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes a token and returns how long it is until it is there.
    fn take(&self, now: Instant) -> Duration {
        let per_second = f64::from(self.rate.per_second.max(1));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = state.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        state.tokens = (state.tokens + passed.as_secs_f64() * per_second).min(f64::from(self.rate.burst));
        state.at = Some(now);
        state.tokens -= 1.0;
        if state.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-state.tokens / per_second) }
    }
}

/// The places of active queries: a query has one from its start to its end, running or queued.
#[derive(Debug)]
pub(super) struct Places {
    dml: Arc<Semaphore>,
    ddl: Arc<Semaphore>,
}

/// The place of an active query; given back when it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub(super) fn new(dml: usize, ddl: usize) -> Self {
        Self { dml: Arc::new(Semaphore::new(dml.max(1))), ddl: Arc::new(Semaphore::new(ddl.max(1))) }
    }

    /// Waits for a place. Whoever waits first goes first.
    pub(super) async fn take(&self, class: Class) -> Result<Place> {
        let places = match class {
            Class::Dml => &self.dml,
            Class::Ddl => &self.ddl,
        };
        let place = Arc::clone(places).acquire_owned().await;
        place.map_err(|_| Error::new(ErrorKind::Canceled, "start a query", "the query engine was closed"))
    }
}

/// The pauses between the tries of a refused start: each a random time from one second to three times the one before, at
/// most half a minute (decorrelated jitter: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug)]
pub(super) struct Pauses {
    last: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Pauses {
    pub(super) fn new() -> Self {
        Self { last: FIRST_PAUSE }
    }

    /// Returns the next pause; `random` is any number.
    pub(super) fn next(&mut self, random: u32) -> Duration {
        let most = (self.last * 3).min(LONGEST_PAUSE);
        let span = most.saturating_sub(FIRST_PAUSE);
        self.last = FIRST_PAUSE + span.mul_f64(f64::from(random) / f64::from(u32::MAX));
        self.last
    }

    /// Waits.
    pub(super) async fn wait(&mut self) {
        // Without a source of randomness the pauses are the longest ones.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        tokio::time::sleep(self.next(random)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_steady_rate() {
        let bucket = Bucket::new(CallRate { per_second: 20, burst: 80 });
        let start = Instant::now();
        let waits: Vec<Duration> = (0..120).map(|_| bucket.take(start)).collect();
        assert!(waits[..80].iter().all(Duration::is_zero));
        let last = waits[119].as_secs_f64();
        assert!((last - 2.0).abs() < 1e-6, "40 calls over the burst at 20 a second: {last}");
        // When those have gone, a second later, 20 more may go at once.
        let later = start + Duration::from_secs(3);
        assert!((0..20).all(|_| bucket.take(later).is_zero()));
        assert!(!bucket.take(later).is_zero());
        // A rest fills it to the burst and no further.
        let rested = start + Duration::from_hours(1);
        assert!((0..80).all(|_| bucket.take(rested).is_zero()));
        assert!(!bucket.take(rested).is_zero());
    }

    #[test]
    fn pauses_grow_between_a_second_and_half_a_minute() {
        let mut longest = Pauses::new();
        let pauses: Vec<u64> = (0..5).map(|_| longest.next(u32::MAX).as_secs()).collect();
        assert_eq!(pauses, [3, 9, 27, 30, 30]);
        assert_eq!(Pauses::new().next(0), FIRST_PAUSE);
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_query_has_ended() {
        let places = Places::new(1, 1);
        let first = places.take(Class::Dml).await.unwrap();
        let other = places.take(Class::Ddl).await.unwrap();
        let waiting = places.take(Class::Dml);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending(), "the two kinds have places of their own");
        drop(first);
        assert!(futures::poll!(&mut waiting).is_ready());
        drop(other);
    }
}
