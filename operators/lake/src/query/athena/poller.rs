//! Follows the queries of this process with as few calls as it takes: one task asks for up to 50 of them at a time, the young
//! ones often, the old ones seldom.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_athena::types::{QueryExecution, QueryExecutionState};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::api::{Api, BATCH};
use super::limits::Place;
use crate::error::{Error, Result};

/// The shortest pause between two looks at a query: most small queries end within a second.
const SHORTEST: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15);

/// A query is looked at again after this part of the time that it is known: so its end is seen at most a quarter late.
const PART: u32 = 4;

/// After how long a query that nobody asks for is looked at no more; one that holds a place is, until it ends.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// How many ended queries are remembered.
const REMEMBERED: usize = 1000;

/// What is known of a query.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// As Athena described it last.
    Execution(Arc<QueryExecution>),
    /// Athena does not know it (any more).
    Unknown,
}

impl Seen {
    fn has_ended(&self) -> bool {
        match self {
            Self::Execution(execution) => has_ended(execution),
            Self::Unknown => true,
        }
    }
}

/// Tells whether a query has ended, well or not.
pub(super) fn has_ended(execution: &QueryExecution) -> bool {
    matches!(
        state(execution),
        Some(QueryExecutionState::Succeeded | QueryExecutionState::Failed | QueryExecutionState::Cancelled)
    )
}

/// Returns the state of a query.
pub(super) fn state(execution: &QueryExecution) -> Option<&QueryExecutionState> {
    execution.status.as_ref()?.state.as_ref()
}

/// The last answer about a query, or why there was none.
type Answer = std::result::Result<Option<Seen>, Arc<Error>>;

#[derive(Debug)]
struct Watched {
    answer: watch::Sender<Answer>,
    since: Instant,
    asked: Instant,
    due: Instant,
    /// Given back when the query has ended.
    place: Option<Place>,
}

#[derive(Debug, Default)]
struct State {
    queries: HashMap<String, Watched>,
    is_running: bool,
}

/// Follows queries. Its task lives as long as there is something to follow.
#[derive(Debug)]
pub(super) struct Poller {
    api: Arc<Api>,
    state: Mutex<State>,
    changed: Notify,
}

impl Poller {
    pub(super) fn new(api: Arc<Api>) -> Arc<Self> {
        Arc::new(Self { api, state: Mutex::default(), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a query that was just started; its place is free again when it has ended.
    pub(super) fn follow(self: &Arc<Self>, id: &str, place: Place) {
        let mut state = self.state();
        let watched = state.watch(id);
        // A token that is sent again gives a query that is followed already: one place is enough.
        if watched.place.is_none() && !watched.has_ended() {
            watched.place = Some(place);
        }
        self.attend(&mut state);
    }

    /// Returns what is known of a query: at once when it is followed, else after the first answer.
    pub(super) async fn look(self: &Arc<Self>, id: &str) -> Result<Seen> {
        let mut answers = self.ask(id);
        let known = answers.borrow_and_update().clone();
        if let Ok(Some(seen)) = known {
            return Ok(seen);
        }
        Self::next(&mut answers).await
    }

    /// Returns the next answer about a query; the last one at once when it has ended.
    pub(super) async fn next_look(self: &Arc<Self>, id: &str) -> Result<Seen> {
        let mut answers = self.ask(id);
        let known = answers.borrow_and_update().clone();
        match known {
            Ok(Some(seen)) if seen.has_ended() => Ok(seen),
            _ => Self::next(&mut answers).await,
        }
    }

    /// Waits until a query has ended, or is not known (any more).
    pub(super) async fn ended(self: &Arc<Self>, id: &str) -> Result<Seen> {
        loop {
            let seen = self.next_look(id).await?;
            if seen.has_ended() {
                return Ok(seen);
            }
        }
    }

    /// Tells whether a query is known to have ended; nothing is asked.
    pub(super) fn is_known_to_have_ended(&self, id: &str) -> bool {
        self.state().queries.get(id).is_some_and(Watched::has_ended)
    }

    /// Says that a query may have changed: it is looked at as often as a young one.
    pub(super) fn hurry(self: &Arc<Self>, id: &str) {
        let mut state = self.state();
        let now = Instant::now();
        let watched = state.watch(id);
        watched.since = now;
        watched.due = now;
        self.attend(&mut state);
    }

    /// Forgets an ended query.
    pub(super) fn release(&self, id: &str) {
        let mut state = self.state();
        if state.queries.get(id).is_some_and(Watched::has_ended) {
            state.queries.remove(id);
        }
    }

    /// Takes a query among those that are followed.
    fn ask(self: &Arc<Self>, id: &str) -> watch::Receiver<Answer> {
        let mut state = self.state();
        let now = Instant::now();
        let watched = state.watch(id);
        watched.asked = now;
        if watched.answer.borrow().is_err() {
            watched.due = now;
        }
        let answers = watched.answer.subscribe();
        self.attend(&mut state);
        answers
    }

    /// Waits for the next answer.
    async fn next(answers: &mut watch::Receiver<Answer>) -> Result<Seen> {
        loop {
            if answers.changed().await.is_err() {
                // It was forgotten meanwhile, which only ended ones are.
                return Ok(Seen::Unknown);
            }
            let answer = answers.borrow_and_update().clone();
            match answer {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => {}
                Err(error) => return Err(error.without_source()),
            }
        }
    }

    /// Sees to it that the task runs and looks at what is due.
    fn attend(self: &Arc<Self>, state: &mut State) {
        if state.is_running {
            self.changed.notify_one();
        } else if state.queries.values().any(|watched| watched.is_followed(Instant::now())) {
            state.is_running = true;
            tokio::spawn(Arc::clone(self).run());
        }
    }

    async fn run(self: Arc<Self>) {
        loop {
            let (batch, pause) = {
                let mut state = self.state();
                let Some(next) = state.next(Instant::now()) else {
                    state.is_running = false;
                    return;
                };
                next
            };
            if batch.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.changed.notified() => {}
                }
                continue;
            }
            self.look_at(&batch).await;
        }
    }

    async fn look_at(&self, batch: &[String]) {
        match self.api.batch_get(batch).await {
            Ok((found, unprocessed)) => {
                for execution in found {
                    if let Some(id) = execution.query_execution_id.clone() {
                        self.answer(&id, Ok(Seen::Execution(Arc::new(execution))));
                    }
                }
                for id in unprocessed.into_iter().filter_map(|unprocessed| unprocessed.query_execution_id) {
                    // Why is only told in words here: the single call tells it by its kind.
                    let answer = self.api.get(&id).await;
                    self.answer(
                        &id,
                        answer.map(|found| found.map_or(Seen::Unknown, |one| Seen::Execution(Arc::new(one)))),
                    );
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for id in batch {
                    self.answer(id, Err(error.without_source()));
                }
            }
        }
        // What Athena left out altogether is asked for again after a pause.
        let mut state = self.state();
        let now = Instant::now();
        for id in batch {
            if let Some(watched) = state.queries.get_mut(id).filter(|watched| watched.due <= now) {
                watched.due = now + watched.pause(now);
            }
        }
    }

    fn answer(&self, id: &str, answer: Result<Seen>) {
        let mut state = self.state();
        let now = Instant::now();
        let Some(watched) = state.queries.get_mut(id) else { return };
        watched.due = now + watched.pause(now);
        match answer {
            Ok(seen) => {
                if seen.has_ended() {
                    watched.place = None;
                }
                drop(watched.answer.send_replace(Ok(Some(seen))));
            }
            // Whoever waits for the first answer is told; what is known stays known.
            Err(error) => {
                tracing::warn!(%error, id, "cannot look at a query");
                watched.answer.send_if_modified(|known| {
                    let is_news = !matches!(known, Ok(Some(_)));
                    if is_news {
                        *known = Err(Arc::new(error));
                    }
                    is_news
                });
            }
        }
        state.forget();
    }
}

impl State {
    fn watch(&mut self, id: &str) -> &mut Watched {
        let now = Instant::now();
        self.queries.entry(id.to_owned()).or_insert_with(|| Watched {
            answer: watch::Sender::new(Ok(None)),
            since: now,
            asked: now,
            due: now,
            place: None,
        })
    }

    /// Returns what is due, filled up with what will be soon, and how long it is until something is; none when nothing is
    /// followed any more.
    fn next(&self, now: Instant) -> Option<(Vec<String>, Duration)> {
        let mut followed: Vec<(&String, Instant)> = self
            .queries
            .iter()
            .filter(|(_, watched)| watched.is_followed(now))
            .map(|(id, watched)| (id, watched.due))
            .collect();
        followed.sort_unstable_by_key(|(_, due)| *due);
        let pause = followed.first()?.1.saturating_duration_since(now);
        if !pause.is_zero() {
            return Some((Vec::new(), pause));
        }
        Some((followed.into_iter().take(BATCH).map(|(id, _)| id.clone()).collect(), Duration::ZERO))
    }

    /// Forgets ended queries beyond [`REMEMBERED`], those first that nobody asked for the longest.
    fn forget(&mut self) {
        while self.queries.len() > REMEMBERED {
            let oldest = self.queries.iter().filter(|(_, watched)| watched.has_ended());
            let Some(id) = oldest.min_by_key(|(_, watched)| watched.asked).map(|(id, _)| id.clone()) else { return };
            self.queries.remove(&id);
        }
    }
}

impl Watched {
    fn has_ended(&self) -> bool {
        matches!(&*self.answer.borrow(), Ok(Some(seen)) if seen.has_ended())
    }

    /// Tells whether it is looked at.
    fn is_followed(&self, now: Instant) -> bool {
        let is_wanted = self.place.is_some() || now.saturating_duration_since(self.asked) < FORGOTTEN;
        is_wanted && !self.has_ended()
    }

    fn pause(&self, now: Instant) -> Duration {
        (now.saturating_duration_since(self.since) / PART).clamp(SHORTEST, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(due: Instant, asked: Instant) -> Watched {
        Watched { answer: watch::Sender::new(Ok(None)), since: asked, asked, due, place: None }
    }

    #[test]
    fn a_call_takes_what_is_due_and_fills_up_with_what_will_be_soon() {
        let now = Instant::now();
        let mut state = State::default();
        for number in 0..60_u32 {
            let due = if number == 0 { now } else { now + Duration::from_millis(number.into()) };
            state.queries.insert(format!("q{number:02}"), watched(due, now));
        }
        let (batch, pause) = state.next(now).unwrap();
        assert_eq!((batch.len(), pause), (BATCH, Duration::ZERO));
        assert_eq!((batch[0].as_str(), batch[49].as_str()), ("q00", "q49"));
        state.queries.remove("q00");
        assert_eq!(state.next(now).unwrap(), (Vec::new(), Duration::from_millis(1)));
    }

    #[test]
    fn what_has_ended_or_nobody_asks_for_is_looked_at_no_more() {
        let now = Instant::now();
        let mut state = State::default();
        let ended = watched(now, now);
        drop(ended.answer.send_replace(Ok(Some(Seen::Unknown))));
        state.queries.insert("ended".to_owned(), ended);
        assert!(state.next(now).is_none());
        state.queries.insert("alive".to_owned(), watched(now, now));
        assert_eq!(state.next(now).unwrap().0, ["alive"]);
        assert!(state.next(now + FORGOTTEN).is_none());
    }

    #[test]
    fn pauses_grow_with_the_age_of_a_query() {
        let start = Instant::now();
        let query = watched(start, start);
        let after = |seconds| query.pause(start + Duration::from_secs(seconds));
        assert_eq!(after(0), SHORTEST);
        assert_eq!(after(8), Duration::from_secs(2));
        assert_eq!(after(3600), LONGEST);
    }

    #[test]
    fn those_that_ended_long_ago_are_forgotten() {
        let now = Instant::now();
        let mut state = State::default();
        for number in 0..u32::try_from(REMEMBERED).unwrap() + 2 {
            let one = watched(now, now + Duration::from_millis(number.into()));
            drop(one.answer.send_replace(Ok((number != 0).then_some(Seen::Unknown))));
            state.queries.insert(format!("q{number}"), one);
        }
        state.forget();
        assert_eq!(state.queries.len(), REMEMBERED);
        assert!(state.queries.contains_key("q0"), "it runs");
        assert!(!state.queries.contains_key("q1") && !state.queries.contains_key("q2"));
    }
}
