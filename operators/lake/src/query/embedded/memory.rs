//! The memory of one try at running a query: a part of what all queries have together.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::Result as DfResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan as _;
use datafusion::physical_plan::repartition::RepartitionExec;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a plan is to do about memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// The fastest way: joins by a hash table of the smaller side, which must fit, and rows in large batches.
    Ample,
    /// The way that needs least: joins of sorted rows wherever that is possible, which spill, and rows in small batches.
    Scarce,
}

impl Budget {
    /// Rows of a batch: `DataFusion`'s default, and an eighth of it. A sort holds two batches of each run that it merges.
    pub(super) fn batch_rows(self) -> usize {
        match self {
            Self::Ample => 8192,
            Self::Scarce => 1024,
        }
    }
}

/// How long the memory of a try is waited for before the next one: its threads notice within a batch that nobody wants its rows.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Memory that is taken from a pool of all queries, and counted.
///
/// An exchange of rows between partitions that gets no memory writes them to the disk, and then two of its writers can wait for its
/// reader for good (<https://github.com/apache/datafusion/issues/24883>, in 55.2.0; mended by pull request 24891). So a query
/// whose exchange gets none is stopped, and runs once more in one partition, which needs no exchange.
#[derive(Debug)]
pub(super) struct QueryMemory {
    shared: Arc<dyn MemoryPool>,
    held: watch::Sender<usize>,
    is_crowded: CancellationToken,
}

impl QueryMemory {
    /// Takes from the memory of `runtime`.
    pub(super) fn of(runtime: &RuntimeEnv) -> Arc<Self> {
        let (shared, held) = (Arc::clone(&runtime.memory_pool), watch::Sender::new(0));
        Arc::new(Self { shared, held, is_crowded: CancellationToken::new() })
    }

    /// Returns an environment like `runtime` with this memory.
    pub(super) fn runtime(self: &Arc<Self>, runtime: &RuntimeEnv) -> Arc<RuntimeEnv> {
        Arc::new(RuntimeEnv { memory_pool: Arc::clone(self) as Arc<dyn MemoryPool>, ..runtime.clone() })
    }

    /// Waits until an exchange of rows gets no memory.
    pub(super) async fn crowded(&self) {
        self.is_crowded.cancelled().await;
    }

    /// Waits until everything was given back, for a while.
    pub(super) async fn given_back(&self) {
        let mut held = self.held.subscribe();
        // What is still held then is missing to the next try, and nothing worse.
        let _waited = tokio::time::timeout(LONGEST_WAIT, held.wait_for(|held| *held == 0)).await;
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &'static str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.shared.grow(reservation, additional);
        self.held.send_modify(|held| *held = held.saturating_add(additional));
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shared.shrink(reservation, shrink);
        self.held.send_modify(|held| *held = held.saturating_sub(shrink));
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        let grown = self.shared.try_grow(reservation, additional);
        match &grown {
            Ok(()) => self.held.send_modify(|held| *held = held.saturating_add(additional)),
            Err(_) if is_exchange(reservation.consumer()) => self.is_crowded.cancel(),
            Err(_) => {}
        }
        grown
    }

    fn reserved(&self) -> usize {
        self.shared.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.shared.memory_limit()
    }
}

/// Tells whether memory is for rows on their way between partitions: a consumer is named for its operator.
fn is_exchange(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(RepartitionExec::static_name())
}

impl Display for QueryMemory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.shared, f)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::FairSpillPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn an_exchange_without_room_is_told_and_what_is_held_is_waited_for() {
        let pool = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(100)));
        let memory = QueryMemory::of(&pool.build().unwrap());
        let runtime = memory.runtime(&RuntimeEnv::default());
        let sort = MemoryConsumer::new("ExternalSorter[0]").with_can_spill(true).register(&runtime.memory_pool);
        sort.try_grow(60).unwrap();
        assert!(sort.try_grow(60).is_err());
        assert!(memory.crowded().now_or_never().is_none(), "a sort spills");
        let name = format!("{}[1]", RepartitionExec::static_name());
        let exchange = MemoryConsumer::new(name).with_can_spill(true).register(&runtime.memory_pool);
        assert!(exchange.try_grow(60).is_err());
        assert!(memory.crowded().now_or_never().is_some());
        assert!(memory.given_back().now_or_never().is_none());
        drop(sort);
        assert!(memory.given_back().now_or_never().is_some());
    }
}
