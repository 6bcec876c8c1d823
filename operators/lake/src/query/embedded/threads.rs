//! Threads for the plans of queries, apart from those that everything else runs on: a plan that is busy keeps nobody from
//! noticing that it is to be stopped, and its threads are given up with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::stop::Stop;
use crate::error::{Error, ErrorKind, Result};
use crate::query::table::external;

/// Batches that a plan may be ahead of whoever takes them.
const BATCHES_AHEAD: usize = 2;

/// The stack of a thread: evaluating deep expressions in an unoptimised build needs more than tokio's 2 MiB.
const STACK_BYTES: usize = 8 << 20;

/// Threads that wait for the next query.
#[derive(Debug)]
pub(super) struct ThreadPool {
    /// Threads that a query gets.
    size: usize,
    idle: Mutex<Vec<Threads>>,
}

impl ThreadPool {
    /// Makes a pool whose queries get so many threads each; the number of cores for nothing.
    pub(super) fn new(size: Option<usize>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { size: size.unwrap_or_else(cores).max(1), idle: Mutex::default() }
    }

    /// Runs a plan on threads of its own and returns its rows. When they are dropped before their end, `stop` is requested and
    /// the threads are given up: they end by themselves as soon as they notice.
    pub(super) fn run(
        self: &Arc<Self>,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        stop: Stop,
    ) -> Result<SendableRecordBatchStream> {
        let waiting = self.idle().pop();
        let threads = match waiting {
            Some(threads) => threads,
            None => Threads::start(self.size)?,
        };
        let schema = plan.schema();
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        // These threads have nothing else to do: a plan that gives way after so many steps of its operators (tokio's budget is 128)
        // never comes to an end when it has more operators within each other than that.
        let drive = tokio::task::unconstrained(drive(plan, context, sender));
        let driver = threads.0.as_ref().map(|runtime| runtime.spawn(drive));
        let work = Work { batches, driver, threads: Some(threads), pool: Arc::clone(self), stop };
        let rows =
            futures::stream::unfold(work, |mut work| async move { work.next().await.map(|batch| (batch, work)) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Threads>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the rows of a plan until it ends or nobody takes them.
async fn drive(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>, sender: mpsc::Sender<DfResult<RecordBatch>>) {
    let mut rows = match execute_stream(plan, context) {
        Ok(rows) => rows,
        Err(error) => {
            let _nobody_takes_it = sender.send(Err(error)).await;
            return;
        }
    };
    while let Some(batch) = rows.next().await {
        let is_last = batch.is_err();
        if sender.send(batch).await.is_err() || is_last {
            return;
        }
    }
}

/// The threads of one query at a time.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn start(size: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(size)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build();
        runtime.map(|runtime| Self(Some(runtime))).map_err(|error| {
            let message = format!("cannot start the threads of a query: {error}");
            Error::new(ErrorKind::ResourcesExhausted, "run a query", message).retryable().source(error)
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for them would wait for what they are busy with.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A plan at work.
struct Work {
    batches: mpsc::Receiver<DfResult<RecordBatch>>,
    driver: Option<JoinHandle<()>>,
    threads: Option<Threads>,
    pool: Arc<ThreadPool>,
    stop: Stop,
}

impl Work {
    async fn next(&mut self) -> Option<DfResult<RecordBatch>> {
        if let Some(batch) = self.batches.recv().await {
            return Some(batch);
        }
        match self.driver.take()?.await {
            Ok(()) => {
                self.pool.idle().extend(self.threads.take());
                None
            }
            Err(error) => Some(Err(stopped_early(&error))),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

fn stopped_early(error: &tokio::task::JoinError) -> DataFusionError {
    let message = format!("GENERIC_INTERNAL_ERROR: the query stopped early: {error}");
    external(Error::new(ErrorKind::External, "run a query", message))
}

#[cfg(test)]
mod tests;
