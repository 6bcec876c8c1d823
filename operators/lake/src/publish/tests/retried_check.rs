//! A check whose query fails in a way that may go well the next time.

use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use datafusion::execution::SendableRecordBatchStream;

use super::*;
use crate::query::{Description, Left, Query, QueryEngine, QueryId, QueryStatus, ResultColumn};

/// An engine whose checks fail so often before they run.
#[derive(Debug)]
struct Failing {
    engine: Arc<dyn QueryEngine>,
    left: AtomicU32,
    retryable: bool,
    checks: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl QueryEngine for Failing {
    async fn describe(&self, sql: &str, database: Option<&str>) -> Result<Description> {
        self.engine.describe(sql, database).await
    }
    async fn start(&self, query: &Query) -> Result<QueryId> {
        let id = self.engine.start(query).await?;
        if query.token.contains("check") {
            self.checks.lock().unwrap().insert(id.0.clone());
        }
        Ok(id)
    }
    async fn poll(&self, id: &QueryId) -> Result<QueryStatus> {
        if self.checks.lock().unwrap().contains(&id.0) && self.left.load(Ordering::SeqCst) > 0 {
            self.left.fetch_sub(1, Ordering::SeqCst);
            let error = Error::new(ErrorKind::External, "run a query", "GENERIC_INTERNAL_ERROR: lost a worker");
            return Ok(QueryStatus::Failed(if self.retryable { error.retryable() } else { error }));
        }
        self.engine.poll(id).await
    }
    async fn fetch(&self, id: &QueryId) -> Result<(Vec<ResultColumn>, SendableRecordBatchStream)> {
        self.engine.fetch(id).await
    }
    async fn cancel(&self, id: &QueryId) -> Result<()> {
        self.engine.cancel(id).await
    }
    async fn leave(&self, id: &QueryId) -> Left {
        self.engine.leave(id).await
    }
    async fn release(&self, id: &QueryId) {
        self.engine.release(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_run_again_under_a_token_of_its_own_and_not_for_ever() {
    let world = World::new().await;
    for (failures, retryable, queries, ends_well) in
        [(1, true, 2, true), (4, true, 5, true), (5, true, 5, false), (1, false, 1, false)]
    {
        world.tick();
        let mut lake = world.open(CrashPoints::default()).await;
        let failing = Arc::new(Failing {
            engine: Arc::clone(&lake.engine),
            left: AtomicU32::new(failures),
            retryable,
            checks: Mutex::default(),
        });
        lake.engine = Arc::clone(&failing) as Arc<dyn QueryEngine>;
        let mut checked = request("d", ONE);
        checked.options.checks =
            vec![Check { name: "none.sql".to_owned(), sql: "SELECT * FROM new_version WHERE n < 0".to_owned() }];
        let ended = publish(&lake, &checked).await;
        assert_eq!(failing.checks.lock().unwrap().len(), queries, "{failures} failures");
        match ended {
            Ok(outcome) => assert!(ends_well && outcome.result == PublishResult::Published, "{failures} failures"),
            Err(error) => {
                assert!(!ends_well, "{failures} failures: {error}");
                assert_eq!(
                    error.to_string(),
                    "GENERIC_INTERNAL_ERROR: lost a worker\n  check: none.sql",
                    "{failures} failures"
                );
            }
        }
    }
}
