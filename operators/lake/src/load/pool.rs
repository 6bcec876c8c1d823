//! A few threads that work on jobs, and one consumer that takes the results in the order of the jobs' numbers.
//!
//! Jobs of the second kind (`urgent`) go first: they free memory, the others take it. What takes memory needs a permit first.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs that wait for a thread.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<J> {
    jobs: VecDeque<J>,
    is_closed: bool,
}

impl<J> Queue<J> {
    /// Makes a queue.
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { jobs: VecDeque::new(), is_closed: false }), changed: Condvar::new() }
    }

    /// A thread that panicked while it held the lock left the queue as it was: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State<J>>) -> MutexGuard<'a, State<J>> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
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

/// So many permits, each of which lets one piece of work into memory.
#[derive(Debug)]
pub(crate) struct Permits {
    /// How many are left; none when nobody is to get one any more.
    left: Mutex<Option<usize>>,
    changed: Condvar,
}

/// A permit; dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Permits>);

impl Permits {
    /// Makes so many permits.
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { left: Mutex::new(Some(permits)), changed: Condvar::new() })
    }

    /// As [`Queue::lock`].
    fn lock(&self) -> MutexGuard<'_, Option<usize>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit; none after [`Permits::close`].
    pub(crate) fn acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut left = self.lock();
        while *left == Some(0) {
            left = self.changed.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left = Some(left.as_ref()?.saturating_sub(1));
        Some(Permit(Arc::clone(self)))
    }

    /// Ends everybody's waiting.
    pub(crate) fn close(&self) {
        *self.lock() = None;
        self.changed.notify_all();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(left) = self.0.lock().as_mut() {
            *left += 1;
        }
        self.0.changed.notify_one();
    }
}
