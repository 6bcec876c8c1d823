//! What is run and stopped: small workflows that pass, together, every crash point there is.

use std::path::Path;
use std::process::{Command, Stdio};

use engine::session::AttemptState;

use super::reader::Reader;
use super::{How, Stop};
use crate::support::{Outcome, Project};

/// A project, the command that is stopped in it, and what then brings it to its end.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    before: fn() -> Project,
    /// What happens to each copy first: a run that is stopped at a plan, and what is done to the project then.
    lead_in: Option<LeadIn>,
    pub(super) command: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
    /// How the command ends when nothing stops it.
    pub(super) exit: i32,
    /// What is run after it.
    pub(super) finish: &'static [&'static [&'static str]],
    /// The points to stop at, by the beginnings of their names; all when there are none.
    only: &'static [&'static str],
    /// Which passes of a point are stopped at.
    passes: Passes,
    /// Whether it is interrupted at each point as well.
    interrupted: bool,
    /// The point at which a script is to be waiting still; it waits for the file `go`.
    holds: Option<&'static str>,
    /// Partitions that are published in place: a reader can meet them between.
    pub(super) loose: &'static [&'static str],
    /// Objects that no table points to.
    pub(super) places: &'static [&'static str],
    /// How many objects belong to nobody in the end, because the workflow says so.
    pub(super) leaves: usize,
}

struct LeadIn {
    command: &'static [&'static str],
    plan: &'static str,
    then: fn(&Project),
}

/// The points of the lake and its operators.
const LAKE: &[&str] = &["add_partition: ", "collect: ", "drop: ", "load: ", "publish", "query: ", "version: "];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    First,
    FirstAndLast,
    /// The first two, the middle one and the last.
    Several,
}

impl Scenario {
    /// Makes the project.
    pub(super) fn before(&self) -> Project {
        (self.before)()
    }

    /// Prepares a command of the scenario.
    pub(super) fn command(&self, project: &Project, arguments: &[&str]) -> Command {
        let mut command = project.command(arguments);
        command.envs(self.env.iter().copied());
        command
    }

    /// Runs what each copy starts with.
    pub(super) fn lead_in(&self, project: &Project) {
        let Some(lead_in) = &self.lead_in else { return };
        let mut command = self.command(project, lead_in.command);
        // What it leaves running must not keep a pipe of ours open.
        let mut child =
            command.env("SUIRO_CRASH_AT", lead_in.plan).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "{}: the run before was not stopped", self.name);
        (lead_in.then)(project);
    }

    /// Whether the script waits while the process is stopped at this point.
    pub(super) fn holds_for(&self, point: &str) -> bool {
        self.holds == Some(point)
    }

    /// Lets a script that waits come to its end.
    #[expect(clippy::unused_self, reason = "a part of the scenario like the others")]
    pub(super) fn let_go(&self, project: &Project) {
        if !project.path().join("interrupts").exists() {
            project.write("go", "");
        }
    }

    /// The stops of a run that passed these points so often.
    pub(super) fn stops(&self, passed: &[(String, usize)]) -> Vec<Stop> {
        let held = self.holds.map(|point| (point.to_owned(), 1));
        let mut stops = Vec::new();
        for (point, count) in passed.iter().cloned().chain(held) {
            if !self.only.is_empty() && !self.only.iter().any(|start| point.starts_with(start)) {
                continue;
            }
            let mut passes = match self.passes {
                Passes::First => vec![1],
                Passes::FirstAndLast => vec![1, count],
                Passes::Several => vec![1, 2.min(count), count.div_ceil(2), count],
            };
            passes.sort_unstable();
            passes.dedup();
            for pass in passes {
                let stop = |moment| Stop { how: How::Killed, point: point.clone(), moment, pass };
                stops.extend(["before", "after"].map(stop));
            }
            if self.interrupted {
                stops.push(Stop { how: How::Interrupted, point, moment: "before", pass: 1 });
            }
        }
        stops
    }

    /// Gives the same command again until it comes to its end, then what follows; returns what went wrong.
    pub(super) fn run_to_end(&self, project: &Project, reader: &mut Reader<'_>) -> Vec<Outcome> {
        let mut wrong = Vec::new();
        let again = [(self.command, self.exit)];
        for (command, exit) in again.into_iter().chain(self.finish.iter().map(|command| (*command, 0))) {
            let output = reader.watch(&mut self.command(project, command));
            let outcome = Outcome::of(project, &output);
            // A script that interrupts its run does so once.
            let interrupted = self.exit == 130 && outcome.exit == Some(0);
            if outcome.exit != Some(exit) && !interrupted {
                wrong.push(outcome);
            }
        }
        if someone_is_left(project.path()) {
            wrong.push(Outcome { exit: None, stdout: String::new(), stderr: "a script still runs\n".to_owned() });
        }
        wrong
    }

    /// Sessions that end otherwise than with success.
    pub(super) fn ends_as(&self) -> Vec<(&'static str, AttemptState)> {
        if self.exit == 3 { vec![("strict", AttemptState::Failed)] } else { Vec::new() }
    }
}

/// Whether a process still works in a folder, where the system tells.
fn someone_is_left(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap();
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
}

/// All scenarios.
pub(super) fn all() -> Vec<Scenario> {
    let plain = || Scenario {
        name: "",
        before: main_job,
        lead_in: None,
        command: &["run", "main.dig", "--session", "2024-03-01"],
        env: &[],
        exit: 0,
        finish: &[],
        only: &[],
        passes: Passes::First,
        interrupted: false,
        holds: None,
        loose: &[],
        places: &[],
        leaves: 0,
    };
    vec![
        Scenario {
            name: "the lease",
            before: script,
            command: &["run", "script.dig", "--session", "2024-03-01"],
            // It is renewed three times in that span.
            env: &[("SUIRO_LEASE", "1s")],
            only: &["run: extend the lease"],
            holds: Some("run: extend the lease"),
            ..plain()
        },
        Scenario { name: "from nothing", ..plain() },
        Scenario {
            name: "over what is there",
            before: main_job_once,
            command: &["run", "main.dig", "--session", "2024-03-02"],
            passes: Passes::Several,
            interrupted: true,
            ..plain()
        },
        Scenario {
            name: "collected at once",
            before: main_job_once,
            command: &["run", "main.dig", "--session", "2024-03-02"],
            env: &[("SUIRO_RETENTION", "0s")],
            only: &["collect: ", "publish: ", "version: "],
            passes: Passes::FirstAndLast,
            ..plain()
        },
        Scenario {
            name: "other loads",
            before: loads_once,
            command: &["run", "loads.dig", "--session", "2024-03-02"],
            // The engine's own points are passed in the same way by the main job.
            only: LAKE,
            passes: Passes::FirstAndLast,
            interrupted: true,
            ..plain()
        },
        Scenario {
            name: "a load without a workflow",
            before: load_config_once,
            command: &["load", "run", "fruit.yml"],
            finish: &[&["load", "run", "fruit.yml"]],
            only: LAKE,
            passes: Passes::FirstAndLast,
            ..plain()
        },
        Scenario {
            name: "files once more",
            before: loads_with_fewer_rejected,
            command: &["run", "loads.dig", "--session", "2024-03-01", "--rerun"],
            only: &["load: ", "run: create attempt"],
            ..plain()
        },
        Scenario {
            name: "too many rejected",
            before: strict_loads,
            command: &["run", "strict.dig", "--session", "2024-03-01"],
            exit: 3,
            only: &["load: ", "publish", "version: ", "collect: ", "run: tick"],
            passes: Passes::FirstAndLast,
            ..plain()
        },
        Scenario {
            name: "other publishes",
            before: publishes_once,
            command: &["run", "more.dig", "--session", "2024-03-01"],
            env: &[("SUIRO_RETENTION", "0s")],
            // The engine's own points are passed in the same way by the main job.
            only: LAKE,
            passes: Passes::FirstAndLast,
            interrupted: true,
            loose: &["web.placed p", "web.daily d"],
            places: &["s3://lake/bare/"],
            leaves: 1,
            ..plain()
        },
        Scenario {
            name: "more partitions than one query writes",
            before: many_partitions_once,
            command: &["run", "many.dig", "--session", "2024-03-02"],
            env: &[("SUIRO_RETENTION", "0s")],
            only: &["publish: ", "query: ", "version: ", "collect: "],
            passes: Passes::FirstAndLast,
            ..plain()
        },
        Scenario {
            name: "lines and buckets",
            before: forms_once,
            command: &["run", "forms.dig", "--session", "2024-03-02"],
            env: &[("SUIRO_RETENTION", "0s")],
            only: &["publish: ", "query: ", "version: ", "collect: "],
            passes: Passes::FirstAndLast,
            ..plain()
        },
        Scenario {
            name: "undo",
            before: main_job_twice,
            command: &["partition", "undo", "web.summary", "kind=all"],
            ..plain()
        },
        Scenario {
            name: "redo",
            before: main_job_undone,
            command: &["partition", "redo", "web.summary", "kind=all"],
            ..plain()
        },
        Scenario {
            name: "edited while it loaded",
            lead_in: Some(LeadIn {
                command: &["run", "main.dig", "--session", "2024-03-01"],
                plan: "load: write an object:after:2",
                then: edit,
            }),
            ..plain()
        },
        Scenario {
            name: "edited while a query wrote",
            before: main_job_once,
            lead_in: Some(LeadIn {
                command: &["run", "main.dig", "--session", "2024-03-02"],
                plan: "query: write the objects:after",
                then: edit,
            }),
            command: &["run", "main.dig", "--session", "2024-03-02"],
            ..plain()
        },
        Scenario {
            name: "edited while it wrote files",
            before: loads_once,
            lead_in: Some(LeadIn {
                command: &["run", "loads.dig", "--session", "2024-03-02"],
                plan: "load: write a file:after",
                then: edit,
            }),
            command: &["run", "loads.dig", "--session", "2024-03-02"],
            only: &["run: ", "load: ", "version: ", "collect: "],
            ..plain()
        },
        Scenario {
            name: "results",
            before: queried,
            command: &["run", "other.dig", "--session", "2024-03-01"],
            env: &[("SUIRO_RESULT_RETENTION", "0s")],
            only: &["collect: "],
            ..plain()
        },
        Scenario {
            name: "a tombstone before its time",
            before: publishes_once,
            lead_in: Some(LeadIn {
                command: &["run", "drop.dig", "--session", "2024-03-01"],
                plan: "drop: the catalog call:before",
                then: |_| (),
            }),
            command: &["run", "other.dig", "--session", "2024-03-01"],
            env: &[("SUIRO_RETENTION", "0s")],
            finish: &[&["run", "drop.dig", "--session", "2024-03-01"]],
            only: &["collect: "],
            loose: &["web.placed p"],
            places: &["s3://lake/bare/"],
            ..plain()
        },
        Scenario {
            name: "a script that was left",
            before: script,
            lead_in: Some(LeadIn {
                command: &["run", "script.dig", "--session", "2024-03-01"],
                plan: "sh: open the gate:after",
                then: |project| await_file(&project.path().join("log")),
            }),
            command: &["run", "script.dig", "--session", "2024-03-01"],
            ..plain()
        },
        Scenario {
            name: "an interrupt",
            before: interrupting_script,
            command: &["run", "script.dig", "--session", "2024-03-01"],
            exit: 130,
            finish: &[&["run", "script.dig", "--session", "2024-03-01"]],
            ..plain()
        },
    ]
}

/// A load with a rejected line, a table from a SELECT, and a partition from a SELECT with a check.
const MAIN: &str = r#"
timezone: UTC
+load:
  load>:
    in:
      type: file
      path: fruit-${session_date}.csv
      parser:
        type: csv
        columns: [{name: name, type: varchar}, {name: price, type: "decimal(10,2)"}, {name: day, type: date}]
    out:
      type: table
      database: web
      table: fruit
      partition_by: {dt: "cast(day AS varchar)"}
      mode: replace_partitions
    max_rejected: 1
+copy:
  athena.ctas>: SELECT name, price * 2 AS twice FROM fruit ORDER BY name
  database: web
  table: twice
  save_mode: overwrite
+summary:
  athena.apas>: SELECT count(*) AS n, sum(price) AS total FROM fruit
  database: web
  table: summary
  partition_kv: {kind: all}
  checks:
    - SELECT n FROM new_version WHERE n < 1
"#;

/// Rows that are appended, a partition that goes, a table without partitions, and files with a rejected line.
const LOADS: &str = r#"
timezone: UTC
+append:
  load>:
    in: {type: file, path: "sales-${session_date}.csv", parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
    out: {type: table, database: shop, table: sales, partition_by: {dt: "cast(day AS varchar)"}, mode: append}
+replace:
  load>:
    in: {type: file, path: "sales-${session_date}.csv", parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
    out: {type: table, database: shop, table: stock, partition_by: {kind: name}, mode: replace}
+whole:
  load>:
    in: {type: file, path: "sales-${session_date}.csv", parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
    out: {type: table, database: shop, table: whole, mode: replace}
+files:
  load>:
    in: {type: file, path: "files-${session_date}.csv", parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
    out: {type: file, path: out/}
    max_rejected: 1
"#;

/// More rejected lines than are allowed, for files and for a table.
const STRICT: &str = r#"
timezone: UTC
+loads:
  _parallel: true
  +files:
    load>:
      in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
      out: {type: file, path: out/}
      max_rejected: 1
  +table:
    load>:
      in: {type: file, path: rows.csv, parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}}
      out: {type: table, database: shop, table: strict, partition_by: {dt: "cast(day AS varchar)"}}
      max_rejected: 1
"#;

/// What the other publishes meet.
const BASE: &str = r#"
timezone: UTC
+daily:
  for_each>: {day: [a, b, c, d, e, f, g]}
  _do:
    athena.apas>: SELECT '${day}' AS name, 1 AS n
    database: web
    table: daily
    partition_kv: {k: "${day}"}
+hollow:
  athena.add_partition>:
  database: web
  table: daily
  partition_kv: {k: hollow}
  location: s3://lake/hollow/
  follow_location: false
+placed:
  athena.apas>: SELECT 1 AS n
  database: web
  table: placed
  partition_kv: {k: p}
  publish: in_place
+bare:
  athena.ctas>: SELECT 1 AS n
  database: web
  table: bare
  table_mode: data_only
  location: s3://lake/bare/
+keyed:
  athena.ctas>: SELECT 1 AS n, 'x' AS k
  database: web
  table: keyed
  partitioned_by: [k]
+gone:
  athena.ctas>: SELECT 1 AS n
  database: web
  table: gone
"#;

/// A table of more partitions than one query may write.
const MANY: &str = r"
timezone: UTC
+many:
  athena.ctas>: SELECT '${session_date}' AS day, n AS k FROM UNNEST(sequence(1, 103)) AS t (n)
  database: web
  table: many
  partitioned_by: [k]
";

/// Objects that are no Parquet, and rows dealt out to buckets.
const FORMS: &str = r#"
timezone: UTC
+lines:
  athena.ctas>: SELECT '${session_date}' AS day, n FROM UNNEST(sequence(1, 2)) AS t (n)
  database: web
  table: lines
  format: json
+line:
  athena.apas>: SELECT '${session_date}' AS day, 1 AS n
  database: web
  table: line
  partition_kv: {k: a}
  format: textfile
  field_delimiter: "|"
+dealt:
  athena.ctas>: SELECT '${session_date}' AS day, n FROM UNNEST(sequence(1, 9)) AS t (n)
  database: web
  table: dealt
  bucketed_by: [n]
  bucket_count: 3
"#;

/// Every other way to publish, and to take away.
const MORE: &str = r"
timezone: UTC
+columns:
  athena.apas>: SELECT 'a' AS name, 2 AS n, 3 AS extra
  database: web
  table: daily
  partition_kv: {k: a}
  on_schema_change: append
+dropped:
  athena.apas>: SELECT name, n, extra FROM daily WHERE n > 100
  database: web
  table: daily
  partition_kv: {k: b}
  on_empty: drop
+kept:
  athena.apas>: SELECT name, n, extra FROM daily WHERE n > 100
  database: web
  table: daily
  partition_kv: {k: c}
  on_empty: skip
+from_version:
  athena.apas>: SELECT 'd' AS name, 2 AS n, 3 AS extra
  database: web
  table: daily
  partition_kv: {k: d}
  publish: in_place
+placed:
  athena.apas>: SELECT 2 AS n
  database: web
  table: placed
  partition_kv: {k: p}
  publish: in_place
+bare:
  athena.ctas>: SELECT 2 AS n
  database: web
  table: bare
  table_mode: data_only
  location: s3://lake/bare/
+keyed:
  athena.ctas>: SELECT 2 AS n, 'x' AS k UNION ALL SELECT 3, 'y'
  database: web
  table: keyed
  partitioned_by: [k]
+new:
  athena.apas>: SELECT 1 AS n
  database: made
  table: first
  partition_kv: {k: z}
+ask:
  athena.query>: SELECT 1 AS one
  preview: true
+hollow:
  athena.add_partition>:
  database: web
  table: daily
  partition_kv: {k: hollow}
+register:
  athena.add_partition>:
  database: web
  table: daily
  partition_kv: {k: g}
  location: s3://lake/bare/
+forget:
  athena.drop_partition>:
  database: web
  table: daily
  partition_kv: {k: e}
  with_location: true
+hand_over:
  athena.drop_partition>:
  database: web
  table: daily
  partition_kv: {k: f}
+gone:
  athena.drop_table>:
  database: web
  table: gone
  with_location: true
";

const DROP: &str = r"
timezone: UTC
+forget:
  athena.drop_partition>:
  database: web
  table: daily
  partition_kv: {k: e}
  with_location: true
";

const OTHER: &str = r"
timezone: UTC
+other:
  athena.apas>: SELECT 1 AS n
  database: web
  table: other
  partition_kv: {k: z}
";

/// A script that is not done before the file `go` is there.
const SCRIPT: &str = r"
timezone: UTC
+script:
  sh>: |
    test -e go && exit 0
    echo started >> log
    exec tail -f /dev/null > /dev/null
+after:
  echo>: after
";

/// A script that interrupts its run, once.
const INTERRUPTING: &str = r"
timezone: UTC
+script:
  sh>: |
    test -e go && exit 0
    touch go
    kill -INT $PPID
    exec tail -f /dev/null > /dev/null
+after:
  echo>: after
";

/// The first session's rows, and the second's, which replace them.
const FRUIT: [(&str, &str); 2] = [
    ("2024-03-01", "apple,1.20,2024-03-01\npear,2.05,2024-03-01\nplum,0.35,2024-03-02\nbad\n"),
    ("2024-03-02", "apple,1.30,2024-03-01\npear,2.15,2024-03-01\nfig,0.80,2024-03-01\nplum,0.45,2024-03-02\nworse\n"),
];

fn main_job() -> Project {
    let project = Project::new();
    project.write("main.dig", MAIN);
    for (session, rows) in FRUIT {
        project.write(&format!("fruit-{session}.csv"), rows);
    }
    project
}

fn load_config_once() -> Project {
    let project = Project::new();
    project.write(
        "fruit.yml",
        "in:\n  type: file\n  path: fruit.csv\n  parser: {type: csv, columns: [{name: name, type: varchar}, {name: day, type: date}]}\n\
         out: {type: table, database: web, table: fruit, partition_by: {dt: \"cast(day AS varchar)\"}, mode: append}\n\
         max_rejected: 1\n",
    );
    project.write("fruit.csv", "apple,2024-03-01\npear,2024-03-02\nbad\n");
    project.succeed(&["load", "run", "fruit.yml"]);
    project.write("fruit.csv", "apple,2024-03-01\nfig,2024-03-03\nworse\n");
    project
}

fn main_job_once() -> Project {
    let project = main_job();
    project.succeed(&["run", "main.dig", "--session", "2024-03-01"]);
    project
}

fn main_job_twice() -> Project {
    let project = main_job_once();
    project.succeed(&["run", "main.dig", "--session", "2024-03-02"]);
    project
}

fn main_job_undone() -> Project {
    let project = main_job_twice();
    project.succeed(&["partition", "undo", "web.summary", "kind=all"]);
    project
}

fn loads_once() -> Project {
    let project = Project::new();
    project.write("loads.dig", LOADS);
    project.write("sales-2024-03-01.csv", "apple,2024-03-01\npear,2024-03-02\n");
    project.write("sales-2024-03-02.csv", "apple,2024-03-02\nfig,2024-03-02\n");
    project.write("files-2024-03-01.csv", "apple,2024-03-01\nbad\n");
    project.write("files-2024-03-02.csv", "pear,2024-03-02\nworse\n");
    project.succeed(&["run", "loads.dig", "--session", "2024-03-01"]);
    project
}

fn loads_with_fewer_rejected() -> Project {
    let project = loads_once();
    project.write("files-2024-03-01.csv", "apple,2024-03-01\nplum,2024-03-01\n");
    project
}

fn strict_loads() -> Project {
    let project = Project::new();
    project.write("strict.dig", STRICT);
    project.write("rows.csv", "apple,2024-03-01\nbad\nworse\n");
    project
}

fn publishes_once() -> Project {
    let project = Project::new();
    for (file, text) in [("base.dig", BASE), ("more.dig", MORE), ("drop.dig", DROP), ("other.dig", OTHER)] {
        project.write(file, text);
    }
    project.succeed(&["run", "base.dig", "--session", "2024-03-01"]);
    project
}

fn forms_once() -> Project {
    let project = Project::new();
    project.write("forms.dig", FORMS);
    project.succeed(&["run", "forms.dig", "--session", "2024-03-01"]);
    project
}

fn many_partitions_once() -> Project {
    let project = Project::new();
    project.write("many.dig", MANY);
    project.succeed(&["run", "many.dig", "--session", "2024-03-01"]);
    project
}

fn queried() -> Project {
    let project = Project::new();
    project.write("query.dig", "timezone: UTC\n+ask:\n  athena.query>: SELECT 1 AS one\n");
    project.write("other.dig", OTHER);
    project.succeed(&["run", "query.dig", "--session", "2024-03-01"]);
    project
}

fn script() -> Project {
    let project = Project::new();
    project.write("script.dig", SCRIPT);
    project
}

fn interrupting_script() -> Project {
    let project = Project::new();
    project.write("script.dig", INTERRUPTING);
    project.write("interrupts", "");
    project
}

/// The workflow becomes another one, that does not do what was begun.
fn edit(project: &Project) {
    for file in ["main.dig", "loads.dig"] {
        if project.path().join(file).is_file() {
            project.write(file, "timezone: UTC\n+say:\n  echo>: edited\n");
        }
    }
}

/// Waits until a file is there that another process makes.
fn await_file(file: &Path) {
    while !file.exists() {
        std::thread::yield_now();
    }
}
