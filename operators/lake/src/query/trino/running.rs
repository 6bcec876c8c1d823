//! One query of this process: a task of its own asks for its answers, because Trino gives a query up that nobody asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::engine::Inner;
use super::page::{Page, PageStats};
use super::record::TrinoRecord;
use super::statement::LINES_BEFORE;
use super::value;
use super::{failure, limits};
use crate::error::{Error, ErrorKind, Result};
use crate::query::athena::Rewritten;
use crate::query::embedded::FetchedResult;
use crate::query::{Destination, Query, QueryId, QueryStats};

/// A query that was started in this process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) query: Query,
    pub(super) record: TrinoRecord,
    rewritten: Rewritten,
    cancellation: CancellationToken,
    stats: Mutex<PageStats>,
    state: watch::Sender<State>,
    /// It could not be stopped: it may still run, and write.
    lives_on: AtomicBool,
}

/// How far it is.
#[derive(Debug, Clone)]
pub(super) enum State {
    Queued,
    Running,
    Succeeded(Box<QueryStats>, Option<FetchedResult>),
    Failed(Arc<Error>),
    Canceled,
}

impl State {
    fn has_ended(&self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl Running {
    pub(super) fn new(id: String, query: Query, record: TrinoRecord, rewritten: Rewritten, state: State) -> Self {
        Self {
            id,
            query,
            record,
            rewritten,
            cancellation: CancellationToken::new(),
            stats: Mutex::default(),
            state: watch::Sender::new(state),
            lives_on: AtomicBool::new(false),
        }
    }

    /// Stops it, and waits until nothing of it runs any more; one that has ended stays as it is.
    ///
    /// # Errors
    /// When Trino cannot be told, or does not stop it; repeating it is fine.
    pub(super) async fn cancel(&self, inner: &Inner) -> Result<()> {
        self.cancellation.cancel();
        self.ended().await;
        if self.lives_on.load(Ordering::Acquire) {
            inner.stop(&self.id, None).await?;
            self.lives_on.store(false, Ordering::Release);
            self.state.send_replace(State::Canceled);
        }
        Ok(())
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.borrow().has_ended()
    }

    /// Waits for the end.
    pub(super) async fn ended(&self) -> State {
        let mut state = self.state.subscribe();
        match state.wait_for(State::has_ended).await {
            Ok(state) => state.clone(),
            // The sender lives in `self`.
            Err(_) => State::Canceled,
        }
    }

    /// Returns the figures so far.
    pub(super) fn figures(&self) -> QueryStats {
        self.stats().figures()
    }

    fn stats(&self) -> MutexGuard<'_, PageStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the error of a failed query, with its place in the user's text.
    fn failure(&self, page: &Page) -> Option<Error> {
        let mut error = failure::of(page.error.as_ref()?);
        if let Some((line, column)) = error.position {
            let before = if self.record.writes.is_some() { LINES_BEFORE } else { 0 };
            error.position = Some(self.rewritten.place_before((line.saturating_sub(before).max(1), column)));
        }
        let error = error.with("query", &self.id);
        Some(match &page.info_uri {
            Some(address) => error.with("see", address),
            None => error,
        })
    }
}

/// Takes a query to its end, or to its cancellation, and tidies up behind it.
pub(super) async fn run(inner: Arc<Inner>, running: Arc<Running>, first: Page) {
    let mut answers = Answers { inner: &inner, running: &running, next: first.next_uri.clone(), first: Some(first) };
    let worked = tokio::select! {
        biased;
        () = running.cancellation.cancelled() => Ok(None),
        ended = work(&inner, &running, &mut answers) => ended.map(Some),
    };
    let ended = match worked {
        Ok(Some((stats, result))) => State::Succeeded(Box::new(stats), result),
        Ok(None) => match inner.stop(&running.id, answers.next.as_deref()).await {
            Ok(()) => State::Canceled,
            Err(error) => {
                running.lives_on.store(true, Ordering::Release);
                State::Failed(Arc::new(error))
            }
        },
        Err(error) => {
            // It may live on when the fault is ours: the result cannot be kept, a limit was reached, nobody answered.
            if answers.next.is_some()
                && let Err(not_stopped) = inner.stop(&running.id, answers.next.as_deref()).await
            {
                running.lives_on.store(true, Ordering::Release);
                tracing::warn!(error = %not_stopped, id = running.id, "a query could not be stopped");
            }
            State::Failed(Arc::new(error))
        }
    };
    let ended = match inner.clear(&running.record).await {
        Ok(()) => ended,
        Err(error) => State::Failed(Arc::new(error)),
    };
    running.state.send_replace(ended);
}

async fn work(
    inner: &Inner,
    running: &Running,
    answers: &mut Answers<'_>,
) -> Result<(QueryStats, Option<FetchedResult>)> {
    if let Some(writes) = &running.record.writes {
        while answers.next().await?.is_some() {}
        let written = inner.written(writes).await?;
        return Ok((
            QueryStats {
                elapsed_ms: running.figures().elapsed_ms,
                scanned_bytes: running.figures().scanned_bytes,
                ..written
            },
            None,
        ));
    }
    let mut first = None;
    let mut columns = Vec::new();
    while let Some(page) = answers.next().await? {
        if let Some(found) = &page.columns {
            columns.clone_from(found);
            first = Some(page);
            break;
        }
    }
    let typed = value::columns_of(&columns);
    let mut count = 0;
    let result = if running.query.destination == Destination::Keep {
        let id = QueryId(running.id.clone());
        let mut writer = inner.results.begin(&id, &typed.columns).await?;
        while let Some(page) = next(&mut first, answers).await? {
            let batch = value::batch(&typed, &page.data.unwrap_or_default())?;
            count += batch.num_rows();
            writer.write(&batch).await?;
        }
        let stats = QueryStats { rows: rows(count), ..running.figures() };
        return Ok((inner.results.keep(&id, &running.record.token, &typed.columns, writer, stats).await?, None));
    } else {
        let schema = Arc::clone(&typed.schema);
        let columns = typed.columns.clone();
        // The stream of a result owns what it needs; here it is read by this task alone, page by page.
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            let batch: Result<_, DataFusionError> = receiver.recv().await?;
            Some((batch, receiver))
        });
        let stream: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, stream));
        let send = async {
            while let Some(page) = next(&mut first, answers).await? {
                let batch = value::batch(&typed, &page.data.unwrap_or_default())?;
                count += batch.num_rows();
                // Whoever collects has failed, and says why.
                if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
                    break;
                }
            }
            drop(sender);
            Ok::<(), Error>(())
        };
        let (sent, collected) = tokio::join!(send, FetchedResult::collect(columns, stream, &inner.runtime));
        sent?;
        collected?.0
    };
    Ok((QueryStats { rows: rows(count), ..running.figures() }, Some(result)))
}

async fn next(first: &mut Option<Page>, answers: &mut Answers<'_>) -> Result<Option<Page>> {
    match first.take() {
        Some(page) => Ok(Some(page)),
        None => answers.next().await,
    }
}

fn rows(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The answers of a query, one after the other.
struct Answers<'a> {
    inner: &'a Inner,
    running: &'a Running,
    first: Option<Page>,
    /// Where the next one is; none after the last.
    next: Option<String>,
}

impl Answers<'_> {
    /// Returns the next answer; none after the last.
    ///
    /// # Errors
    /// The query's own; that it reached a limit; `External` when Trino cannot be reached for minutes.
    async fn next(&mut self) -> Result<Option<Page>> {
        let page = match (self.first.take(), &self.next) {
            (Some(page), _) => page,
            (None, None) => return Ok(None),
            (None, Some(address)) => {
                let page = self.inner.client.next(address).await.map_err(|error| {
                    // The query is gone with its coordinator: another one may be started.
                    if error.kind == ErrorKind::NotFound {
                        Error { kind: ErrorKind::External, ..error }.retryable()
                    } else {
                        error
                    }
                })?;
                self.next.clone_from(&page.next_uri);
                page
            }
        };
        *self.running.stats() = page.stats.clone();
        if let Some(error) = self.running.failure(&page) {
            return Err(error);
        }
        let is_queued = page.stats.is_queued();
        self.running.state.send_if_modified(|state| match state {
            State::Queued if !is_queued => {
                *state = State::Running;
                true
            }
            _ => false,
        });
        match limits::exceeded(&page.stats, &self.running.query.options, self.inner.client.settings()) {
            Some(error) if self.next.is_some() => Err(error.with("query", &self.running.id)),
            _ => Ok(Some(page)),
        }
    }
}
