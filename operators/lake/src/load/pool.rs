//! A few threads that work on jobs, and one consumer that takes the results in the order of the jobs' numbers.
//!
//! Jobs of the second kind (`urgent`) go first: they free memory, the others take it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs that wait for a thread.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    permits: usize,
    is_closed: bool,
}

impl<J> Queue<J> {
    /// Makes a queue; `permits` ordinary jobs may be on their way at a time.
    pub(crate) fn new(permits: usize) -> Self {
        Self { state: Mutex::new(State { jobs: VecDeque::new(), permits, is_closed: false }), changed: Condvar::new() }
    }

    /// A thread that panicked while it held the lock left the queue as it was: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State<J>>) -> MutexGuard<'a, State<J>> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit; false when the queue was closed.
    pub(crate) fn acquire(&self) -> bool {
        let mut state = self.lock();
        while state.permits == 0 && !state.is_closed {
            state = self.wait(state);
        }
        if state.is_closed {
            return false;
        }
        state.permits -= 1;
        true
    }

    /// Gives a permit back.
    pub(crate) fn release(&self) {
        self.lock().permits += 1;
        self.changed.notify_all();
    }

    /// Adds a job.
    pub(crate) fn push(&self, job: J) {
        self.lock().jobs.push_back(job);
        self.changed.notify_all();
    }

    /// Adds a job that goes first.
    pub(crate) fn push_urgent(&self, job: J) {
        self.lock().jobs.push_front(job);
        self.changed.notify_all();
    }

    /// Waits for a job; none when the queue was closed.
    pub(crate) fn next(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.wait(state);
        }
    }

    /// Ends everybody's waiting; jobs that nobody took are dropped.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.jobs.clear();
        drop(state);
        self.changed.notify_all();
    }
}
