use std::time::Duration;

use super::super::memory::Budget;
use super::super::plan::{Manner, Prepared};
use super::super::{EmbeddedEngine, Planner};
use super::*;
use crate::lake::{Lake, LakeSettings};
use crate::sql::function::Session;
use crate::temporary::TemporaryFolder;
use datafusion::execution::runtime_env::RuntimeEnv;

/// A million rows of one key; each statement pairs them with each other, a trillion times.
const NUMBERS: &str = "WITH n AS (SELECT a * 1000 + b AS x, a * 0 AS k FROM UNNEST(sequence(1, 1000)) AS t (a) \
                       CROSS JOIN UNNEST(sequence(1, 1000)) AS u (b))";

/// Statements that have no row to give for hours; the operator of the plan that is busy.
const ENDLESS: [(&str, &str); 7] = [
    ("NestedLoopJoinExec", "SELECT count(*) FROM n AS p CROSS JOIN n AS q WHERE p.x + q.x < 0"),
    ("NestedLoopJoinExec", "SELECT count(*) FROM n AS p LEFT JOIN n AS q ON p.x + q.x < 0"),
    ("NestedLoopJoinExec", "SELECT count(*) FROM n AS p WHERE EXISTS (SELECT 1 FROM n AS q WHERE p.x + q.x < 0)"),
    (
        "CrossJoinExec",
        "SELECT count(*) FROM (SELECT p.x AS a, q.x AS b FROM n AS p CROSS JOIN n AS q LIMIT 999999999999) WHERE a + b < 0",
    ),
    ("HashJoinExec", "SELECT count(*) FROM n AS p JOIN n AS q ON p.k = q.k AND p.x < q.x AND q.x < p.x"),
    ("HashJoinExec", "SELECT count(*) FROM n AS p WHERE p.k IN (SELECT q.k FROM n AS q)"),
    (
        "UnnestExec",
        "SELECT count(*) FROM n CROSS JOIN UNNEST(sequence(1, 10000)) AS v (y) \
                    CROSS JOIN UNNEST(sequence(1, 10000)) AS w (z) WHERE x + y + z < 0",
    ),
];

/// How long a test waits for what must happen soon, before it counts as failed.
const PATIENCE: Duration = Duration::from_mins(3);

struct Fixture {
    planner: Planner,
    runtime: Arc<RuntimeEnv>,
    pool: Arc<ThreadPool>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = LakeSettings::new(folder.path().join("state"), folder.path().join("warehouse"));
        let lake = Lake::open(settings.clone()).await.unwrap();
        let temporary = TemporaryFolder::open(&folder.path().join("tmp")).unwrap();
        let settings = LakeSettings { parallelism: Some(2), ..settings };
        let engine = EmbeddedEngine::open(lake.storage, lake.catalog, temporary, &settings).unwrap();
        Self {
            planner: engine.inner.planner.clone(),
            runtime: engine.runtime(),
            pool: Arc::clone(&engine.inner.threads),
            _folder: folder,
        }
    }

    async fn plan(&self, sql: &str, parallelism: usize, budget: Budget, stop: &Stop) -> Prepared {
        let session = Session { time_zone: "UTC".to_owned(), start_us: 0, database: None };
        let manner = Manner { parallelism: Some(parallelism), budget, runtime: Arc::clone(&self.runtime) };
        self.planner.plan(format!("{NUMBERS} {sql}"), session, Vec::new(), manner, stop).await.unwrap()
    }
}

fn operators(plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let below = plan.children().into_iter().flat_map(operators);
    std::iter::once(plan.name().to_owned()).chain(below).collect()
}

/// Says whether an operator of a plan has got rows to work on.
fn is_busy(plan: &Arc<dyn ExecutionPlan>, operator: &str) -> bool {
    let has_input = |plan: &Arc<dyn ExecutionPlan>| {
        let batches = plan.metrics().and_then(|metrics| metrics.sum_by_name("input_batches"));
        batches.is_some_and(|batches| batches.as_usize() > 0)
    };
    (plan.name() == operator && has_input(plan)) || plan.children().into_iter().any(|child| is_busy(child, operator))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_nobody_wants_any_more_stops_whatever_it_does() {
    let fixture = Fixture::new().await;
    let sorted = ENDLESS.iter().filter(|(operator, _)| *operator == "HashJoinExec");
    let sorted = sorted.map(|(_, sql)| ("SortMergeJoinExec", *sql, Budget::Scarce));
    let statements: Vec<_> =
        ENDLESS.iter().map(|(operator, sql)| (*operator, *sql, Budget::Ample)).chain(sorted).collect();
    // What writes objects has a plan of one thread.
    for (parallelism, (operator, sql, budget)) in
        [2, 1].into_iter().flat_map(|number| statements.iter().map(move |statement| (number, *statement)))
    {
        let threads = Threads::start(2).unwrap();
        let tasks = threads.0.as_ref().unwrap().metrics();
        fixture.pool.idle().push(threads);
        let stop = Stop::default();
        let prepared = fixture.plan(sql, parallelism, budget, &stop).await;
        let operators = operators(&prepared.physical);
        assert!(operators.contains(&operator.to_owned()), "{sql}\n{operators:?}");
        let mut rows = fixture.pool.run(Arc::clone(&prepared.physical), prepared.context.task_ctx(), stop).unwrap();
        let begun = async {
            while !is_busy(&prepared.physical, operator) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            row = rows.next() => panic!("{sql}\n{row:?}"),
            () = begun => {}
        }
        drop(rows);
        let through = async {
            while tasks.num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, through).await.is_ok(),
            "still at work: {parallelism} {sql}\n{operators:?}"
        );
        assert_eq!(fixture.pool.idle().len(), 0, "threads that were given up are not used again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_of_a_query_that_ended_well_are_used_again() {
    let fixture = Fixture::new().await;
    for _ in 0..3 {
        let prepared = fixture.plan("SELECT count(*) FROM n", 2, Budget::Ample, &Stop::default()).await;
        let rows = fixture.pool.run(prepared.physical, prepared.context.task_ctx(), Stop::default()).unwrap();
        let batches: Vec<DfResult<RecordBatch>> = rows.collect().await;
        assert_eq!(batches.iter().map(|batch| batch.as_ref().unwrap().num_rows()).sum::<usize>(), 1);
        assert_eq!(fixture.pool.idle().len(), 1);
    }
}
