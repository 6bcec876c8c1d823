//! Queries that need more memory than they may have.

use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation, UnboundedMemoryPool};
use datafusion::physical_plan::ExecutionPlan as _;
use datafusion::physical_plan::repartition::RepartitionExec;

use super::*;

/// How long a test waits for a query of less than a second, before it counts as stopped for good.
const PATIENCE: Duration = Duration::from_mins(3);

async fn with_memory(folder: &Path, memory_limit: usize) -> Lake {
    let settings = LakeSettings {
        parallelism: Some(2),
        memory_limit,
        ..LakeSettings::new(folder.join(".suiro"), folder.join("warehouse"))
    };
    Lake::open(settings).await.unwrap()
}

/// Makes a table of a hundred thousand rows, which have 40 MB together.
async fn with_a_table(folder: &Path) {
    let lake = open(folder).await;
    lake.catalog.create_database(&Database::new("web")).await.unwrap();
    let columns = vec![Column::new("n", "bigint"), Column::new("text", "string")];
    let (name, place) = (TableName::new("web", "big").unwrap(), Location::parse("s3://b/big/").unwrap());
    let table = Table::new(name, columns, Vec::new(), place.clone(), TableFormat::Parquet);
    lake.catalog.put_table(&table, Expect::Absent).await.unwrap();
    let text = format!("concat(CAST(n AS varchar), '-{}')", "x".repeat(400));
    let sql = format!("SELECT n, {text} AS text FROM ({}) AS t", numbers(5));
    written(lake.engine.as_ref(), &sql, &place.to_string(), "big").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_need_more_memory_than_there_is_spill_whatever_they_do() {
    let folder = tempfile::tempdir().unwrap();
    with_a_table(folder.path()).await;
    let lake = with_memory(folder.path(), 24 << 20).await;
    for (sql, expected) in [
        (
            "SELECT count(*), sum(b.n) FROM web.big AS a JOIN web.big AS b ON a.n = b.n AND a.text <> concat(b.text, 'y')",
            "100000|4999950000",
        ),
        ("SELECT count(*), count(b.n) FROM web.big AS a LEFT JOIN web.big AS b ON a.n = b.n AND b.n < 9", "100000|9"),
        // A condition of pairs keeps its columns, whichever the statement shows.
        (
            "SELECT count(x), count(y), sum(k), sum(l) FROM (SELECT a.text AS x, a.n AS k, b.n AS l, b.text AS y \
             FROM (SELECT n, text, 0 * n AS p, n * 7919 % 100000 AS q FROM web.big) AS a \
             JOIN (SELECT n, text, n % 2 AS p, n - n - 1 AS q FROM web.big) AS b ON a.n = b.n AND a.p < b.p)",
            "50000|50000|2500000000|2500000000",
        ),
        ("SELECT count(*), sum(a.n) FROM web.big AS a FULL JOIN web.big AS b ON a.text = b.text", "100000|4999950000"),
        ("SELECT count(*) FROM web.big WHERE text IN (SELECT text FROM web.big WHERE n % 2 = 0)", "50000"),
        (
            "SELECT count(*) FROM web.big AS a WHERE NOT EXISTS (SELECT 1 FROM web.big AS b WHERE b.text = a.text AND b.n < 9)",
            "99991",
        ),
        ("SELECT count(*), sum(c) FROM (SELECT text, count(*) AS c FROM web.big GROUP BY 1)", "100000|100000"),
        ("SELECT count(*) FROM (SELECT DISTINCT text FROM web.big)", "100000"),
        ("SELECT count(*) FROM (SELECT text FROM web.big UNION SELECT text FROM web.big)", "100000"),
        ("SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY text ORDER BY n) AS r FROM web.big)", "1"),
    ] {
        assert_eq!(rows(lake.engine.as_ref(), sql).await.unwrap(), [expected], "{sql}");
    }
    // What is written has one partition from the first.
    let sql = "SELECT a.n, b.text FROM web.big AS a JOIN web.big AS b ON a.text = b.text";
    assert_eq!(written(lake.engine.as_ref(), sql, "s3://b/joined/", "joined").await.rows, 100_000);
    drop(lake);
    let left = std::fs::read_dir(folder.path().join(".suiro/tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files are removed");
}

/// Memory for everything but rows on their way between partitions.
#[derive(Debug, Default)]
struct NoRoomForExchanges(UnboundedMemoryPool);

impl std::fmt::Display for NoRoomForExchanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl MemoryPool for NoRoomForExchanges {
    fn name(&self) -> &'static str {
        "no room for exchanges"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        if reservation.consumer().name().starts_with(RepartitionExec::static_name()) {
            return Err(DataFusionError::ResourcesExhausted("no room".to_owned()));
        }
        self.0.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_exchange_finds_no_room_runs_once_more_without_one() {
    const SQL: &str = "SELECT count(*) FROM (SELECT text, count(*) FROM web.big GROUP BY 1)";
    let folder = tempfile::tempdir().unwrap();
    with_a_table(folder.path()).await;
    let lake = open(folder.path()).await;
    let engine = |pool: Option<Arc<dyn MemoryPool>>| {
        let settings = LakeSettings {
            parallelism: Some(2),
            ..LakeSettings::new(folder.path().join(".suiro"), folder.path().join("warehouse"))
        };
        let temporary = TemporaryFolder::open(&folder.path().join("tmp")).unwrap();
        let made = EmbeddedEngine::open(lake.storage.clone(), Arc::clone(&lake.catalog), temporary, &settings);
        let mut engine = made.unwrap();
        let inner = Arc::get_mut(&mut engine.inner).unwrap();
        if let Some(memory_pool) = pool {
            inner.runtime = Arc::new(RuntimeEnv { memory_pool, ..inner.runtime.as_ref().clone() });
        }
        engine
    };
    let scanned = async |engine: &EmbeddedEngine| {
        let id = engine.start(&Query::new(SQL, None, "scanned")).await.unwrap();
        let QueryStatus::Succeeded(stats) = ended(engine, &id).await else { panic!("it ends well") };
        (id, stats.scanned_bytes)
    };
    let (_, once) = scanned(&engine(None)).await;
    let crowded = engine(Some(Arc::new(NoRoomForExchanges::default())));
    let (id, in_all) = scanned(&crowded).await;
    assert!(in_all > once, "what the first try read counts: {in_all} and {once}");
    assert_eq!(rows(&crowded, SQL).await.unwrap(), ["100000"]);

    // The first try is given up, and does not spill.
    let memory = QueryMemory::of(&crowded.inner.runtime);
    let running = crowded.running(&id).unwrap();
    let error = crowded.inner.attempt(&id, &running, &memory, Some(2), Budget::Ample).await.unwrap_err();
    assert_eq!(error.message, "EXCEEDED_LOCAL_MEMORY_LIMIT: rows on their way between partitions found no room");
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_of_sorted_rows_answer_what_hash_joins_do() {
    const LEFT: &str = "(VALUES (1, 'a', 5, 7), (1, 'b', 9, 2), (2, 'c', NULL, 3), (3, 'd', 4, 4), (NULL, 'e', 1, 1)) AS a (n, t, p, q)";
    const RIGHT: &str = "(VALUES (1, 'z', 6, 8), (1, 'y', 3, 3), (2, 'x', 7, NULL), (4, 'w', 4, 4), (NULL, 'v', 1, 1)) AS b (n, t, p, q)";
    let fixture = fixture().await;
    let settings = LakeSettings::new(fixture.folder.path().join(".suiro"), fixture.folder.path().join("warehouse"));
    let temporary = TemporaryFolder::open(&fixture.folder.path().join("tmp")).unwrap();
    let engine =
        EmbeddedEngine::open(fixture.lake.storage.clone(), Arc::clone(&fixture.lake.catalog), temporary, &settings)
            .unwrap();
    for kind in ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
        for condition in
            ["", " AND a.p < b.p", " AND a.q <> b.q", " AND a.p + b.q > 9", " AND a.t = b.t", " AND b.p > 3"]
        {
            for shown in [
                "*",
                "a.t, b.t",
                "b.t, a.t",
                "b.q, a.t, a.n",
                "a.q, b.n",
                "b.t",
                "a.n, a.t",
                "a.n, a.t, b.n, b.t",
                "a.t, a.n, b.n, b.q",
            ] {
                let sql = format!("SELECT {shown} FROM {LEFT} {kind} {RIGHT} ON a.n = b.n{condition}");
                let mut answers = Vec::new();
                for (number, budget) in [Budget::Ample, Budget::Scarce].into_iter().enumerate() {
                    let id = engine.start(&Query::new(&sql, None, format!("{number} {sql}"))).await.unwrap();
                    let running = engine.running(&id).unwrap();
                    running.ended().await;
                    let memory = QueryMemory::of(&engine.inner.runtime);
                    let (_, result) = engine.inner.attempt(&id, &running, &memory, Some(1), budget).await.unwrap();
                    let plan = displayable(running.plan().as_ref().unwrap().as_ref()).indent(false).to_string();
                    let is_sorted = plan.contains("SortMergeJoinExec");
                    let can_be = kind == "JOIN" || condition.is_empty() || condition == " AND a.t = b.t";
                    assert!(is_sorted == (budget == Budget::Scarce && can_be) || !can_be, "{sql}:\n{plan}");
                    let mut rows = texts(result.unwrap().open().unwrap().1).await;
                    rows.sort_unstable();
                    answers.push(rows);
                }
                assert_eq!(answers[0], answers[1], "{sql}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_spill_never_wait_for_each_other_for_good() {
    let folder = tempfile::tempdir().unwrap();
    with_a_table(folder.path()).await;
    // An exchange of rows that spills stopped one of ten for good.
    for _ in 0..10 {
        let lake = with_memory(folder.path(), 32 << 20).await;
        let sql = "SELECT count(*) FROM (SELECT text, count(*) FROM web.big GROUP BY 1)";
        let answer = tokio::time::timeout(PATIENCE, rows(lake.engine.as_ref(), sql)).await;
        assert_eq!(answer.expect("it ends").unwrap(), ["100000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_beyond_the_memory_limit_spills_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let lake = with_memory(folder.path(), 24 << 20).await;
    // A hundred thousand rows of some hundred bytes do not fit into 24 MiB.
    let sql = format!(
        "SELECT n, concat(CAST(n AS varchar), '-{}') AS text FROM ({}) AS t ORDER BY text",
        "x".repeat(400),
        numbers(5)
    );
    let stats = written(lake.engine.as_ref(), &sql, "s3://b/sorted/", "spill").await;
    assert_eq!(stats.rows, 100_000);
    drop(lake);
    let left = std::fs::read_dir(folder.path().join(".suiro/tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files are removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_cannot_spill_says_what_ran_out() {
    let folder = tempfile::tempdir().unwrap();
    let lake = with_memory(folder.path(), 1 << 16).await;
    let sql = format!("SELECT cardinality(array_agg(n)) FROM ({}) AS t", numbers(5));
    let error = rows(lake.engine.as_ref(), &sql).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourcesExhausted, "{error}");
    assert!(error.message.starts_with("EXCEEDED_LOCAL_MEMORY_LIMIT: "), "{error}");
    assert_eq!(
        error.help.as_deref(),
        Some("raise `memory_limit` of `suiro.yml`, which is 64.0 KiB, or make a query of parts")
    );
}
