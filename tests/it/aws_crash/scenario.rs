//! What is run on AWS and stopped: one task each, whose result alternates from session to session.

use jiff::ToSpan as _;
use jiff::civil::date;
use lake::name::TableName;

use super::world::Target;
use crate::support::Project;

/// A workflow, and where to stop it.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) workflow: &'static str,
    /// What a session publishes.
    pub(super) targets: fn(&Session) -> Vec<Target>,
    /// Whether each session publishes what was not there.
    pub(super) is_first: bool,
    /// The points to stop at, by the beginnings of their names.
    pub(super) only: &'static [&'static str],
    /// Whether to stop at every pass of a point; else at the first one.
    pub(super) every_pass: bool,
    /// The calls that fail.
    pub(super) faults: &'static str,
    /// What the profile says besides.
    pub(super) settings: &'static str,
    /// How many queries a session runs well, and how many fail.
    pub(super) queries: (usize, usize),
    /// How many sessions run without a stop, after the first two.
    pub(super) undisturbed: usize,
}

/// One session of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    number: i32,
    /// Its date, as the command line takes it.
    pub(crate) date: String,
}

impl Session {
    pub(crate) fn of(number: i32) -> Self {
        Self { number, date: (date(2024, 1, 1) + number.days()).to_string() }
    }

    /// Which of the two results it has.
    pub(crate) fn side(&self) -> usize {
        usize::from(self.number % 2 != 0)
    }

    /// Writes what the session loads.
    pub(crate) fn write_rows(&self, project: &Project) {
        let side = self.side();
        project.write(&format!("rows-{}.csv", self.date), format!("a{side},d1\nb{side},d1\nc{side},d2\n"));
    }
}

fn partition(database: &str, table: &str, value: &str) -> Target {
    (TableName::new(database, table).unwrap(), Some(vec![value.to_owned()]))
}

/// By the days since the first session: the two results alternate. Checks before the first publish need a database as well.
const FIRST: &str = r"
timezone: UTC
+apas:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: made_${session_date_compact}
  table: daily
  partition_kv: {k: a}
  checks: [SELECT n FROM new_version WHERE n > 1]
+unchecked:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: plain_${session_date_compact}
  table: daily
  partition_kv: {k: a}
";

const REPLACING: &str = r"
timezone: UTC
+apas:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: a}
  checks: [SELECT n FROM new_version WHERE n > 1]
";

const UNCHECKED: &str = r"
timezone: UTC
+apas:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: a}
";

const CTAS: &str = r"
timezone: UTC
+ctas:
  athena.ctas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: made
  save_mode: overwrite
";

/// Two batches of partitions; the last one holds what alternates.
const MANY: &str = r"
timezone: UTC
+many:
  athena.ctas>: |
    SELECT CAST(n % 7 + date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n, CAST(n AS varchar) AS k
    FROM UNNEST(sequence(1, 4)) AS t (n)
  database: web
  table: many
  partitioned_by: [k]
  save_mode: overwrite
";

const LOAD: &str = r"
timezone: UTC
+load:
  load>:
    in: {type: file, path: 'rows-${session_date}.csv', parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: varchar}]}}
    out: {type: table, database: web, table: loaded, partition_by: {dt: day}, mode: replace_partitions}
";

const BOTH: &str = r"
timezone: UTC
+apas:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: a}
  checks: [SELECT n FROM new_version WHERE n > 1]
+first:
  athena.apas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: daily
  partition_kv: {k: '${session_date}'}
+ctas:
  athena.ctas>: SELECT CAST(date_diff('day', DATE '2024-01-01', DATE '${session_date}') % 2 AS bigint) AS n
  database: web
  table: made
  save_mode: overwrite
";

/// All scenarios.
pub(super) fn all() -> Vec<Scenario> {
    let plain = || Scenario {
        name: "",
        workflow: REPLACING,
        targets: |_| vec![partition("web", "daily", "a")],
        is_first: false,
        only: &[],
        every_pass: false,
        faults: "",
        settings: "",
        queries: (1, 0),
        undisturbed: 0,
    };
    vec![
        // Every state that is stored: the intent before the first call, the query's id, its end, its checks, the publish.
        Scenario {
            name: "a partition that is replaced",
            only: &["aws: ", "collect: ", "publish: ", "run: checkpoint", "version: "],
            every_pass: true,
            queries: (2, 0),
            ..plain()
        },
        Scenario {
            name: "a first partition",
            workflow: FIRST,
            targets: |session| {
                let day = session.date.replace('-', "");
                ["made", "plain"].map(|name| partition(&format!("{name}_{day}"), "daily", "a")).into()
            },
            is_first: true,
            only: &["aws: ", "publish", "version: "],
            queries: (3, 0),
            ..plain()
        },
        Scenario {
            name: "a table that is replaced",
            workflow: CTAS,
            targets: |_| vec![(TableName::new("web", "made").unwrap(), None)],
            only: &["aws: ", "publish: "],
            ..plain()
        },
        Scenario {
            name: "a load",
            workflow: LOAD,
            targets: |_| vec![partition("web", "loaded", "d1"), partition("web", "loaded", "d2")],
            only: &["aws: ", "load: ", "publish: "],
            queries: (0, 0),
            ..plain()
        },
        // What a failed query has written stays where nobody looks; the next one writes elsewhere.
        Scenario {
            name: "queries that fail",
            workflow: UNCHECKED,
            only: &["aws: start the query", "run: checkpoint", "version: give it up"],
            every_pass: true,
            faults: "{service: athena, nth: [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, \
                     45, 47, 49, 51, 53, 55, 57, 59, 61, 63, 65, 67, 69, 71, 73, 75, 77, 79], effect: fail_query}\n",
            queries: (1, 1),
            ..plain()
        },
        // Of the first try, of the rows aside, of their list, of a first batch that fails, of the same once more, of a second one.
        Scenario {
            name: "batches of partitions, one of which fails",
            workflow: MANY,
            targets: |_| {
                let name = TableName::new("web", "many").unwrap();
                let partition = |value: &str| (name.clone(), Some(vec![value.to_owned()]));
                vec![partition("1"), partition("3"), partition("4")]
            },
            only: &[
                "aws: delete what a batch left",
                "aws: start the query",
                "publish: delete the rows that were aside",
                "publish: list the partitions",
                "publish: start a batch",
                "publish: write the rows aside",
            ],
            every_pass: true,
            faults: "{service: athena, nth: [4, 10, 16, 22, 28, 34, 40, 46, 52, 58, 64, 70, 76, 82, 88, 94, 100, 106, 112, 118, 124, 130, 136, \
                     142, 148, 154, 160, 166, 172, 178, 184, 190, 196, 202, 208, 214, 220, 226, 232, 238, 244, 250, 256, \
                     262, 268, 274, 280, 286, 292, 298, 304, 310, 316, 322, 328, 334, 340, 346, 352, 358], \
                     effect: fail_query}\n",
            // As many partitions as are enough for two batches.
            settings: "    max_partitions: 3\n",
            queries: (4, 2),
            ..plain()
        },
        // Not one that is stopped: replies that are lost, and calls that come late or twice.
        Scenario {
            name: "lost replies",
            workflow: BOTH,
            targets: |session| {
                let made = (TableName::new("web", "made").unwrap(), None);
                vec![partition("web", "daily", "a"), partition("web", "daily", &session.date), made]
            },
            only: &["none"],
            faults: "{operation: StartQueryExecution, nth: [1], effect: lost_reply}\n\
                     {operation: StartQueryExecution, nth: [2], effect: {late: 300ms}}\n\
                     {operation: StartQueryExecution, nth: [3, 5], effect: truncate}\n\
                     {operation: StartQueryExecution, nth: [6], effect: twice}\n\
                     {operation: BatchGetQueryExecution, nth: [2], effect: lost_reply}\n\
                     {operation: CreateDatabase, nth: [1], effect: lost_reply}\n\
                     {operation: CreateTable, nth: [1, 4], effect: lost_reply}\n\
                     {operation: CreateTable, nth: [6], effect: twice}\n\
                     {operation: DeleteTable, nth: [1], effect: lost_reply}\n\
                     {operation: DeleteTable, nth: [3], effect: {late: 300ms}}\n\
                     {operation: CreatePartition, nth: [1], effect: lost_reply}\n\
                     {operation: CreatePartition, nth: [2], effect: {late: 300ms}}\n\
                     {operation: CreatePartition, nth: [4], effect: twice}\n\
                     {operation: UpdatePartition, nth: [1], effect: lost_reply}\n\
                     {operation: UpdatePartition, nth: [2], effect: {late: 300ms}}\n\
                     {operation: UpdatePartition, nth: [4], effect: twice}\n\
                     {operation: UpdateTable, nth: [1], effect: lost_reply}\n\
                     {operation: UpdateTable, nth: [2], effect: {late: 300ms}}\n\
                     {operation: UpdateTable, nth: [4], effect: twice}\n\
                     {operation: PutObject, nth: [2, 5, 7], effect: lost_reply}\n\
                     {operation: PutObject, nth: [3], effect: {late: 300ms}}\n\
                     {operation: PutObject, nth: [9], effect: twice}\n\
                     {operation: DeleteObjects, nth: [1], effect: lost_reply}\n",
            queries: (4, 0),
            undisturbed: 6,
            ..plain()
        },
    ]
}
