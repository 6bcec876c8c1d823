//! Runs the statements that a real Trino answered: the same answer or a refusal, never another answer.
//!
//! `SQL_SHOW=<start of a name>|all` prints each statement that is not equal, with both answers; `SQL_EXTRA=<file>` runs
//! further statements of the same form.

#[path = "trino/compare.rs"]
mod compare;
#[path = "trino/page.rs"]
mod page;
#[path = "trino/tables.rs"]
mod tables;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lake::sql::{self, Session, Settings, Type};
use lake::{Error, ErrorKind};
use serde_json::Value;

use crate::compare::{Answer, Verdict, verdict};
use crate::tables::Tables;

/// A recorded statement.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Statement {
    pub(crate) name: String,
    pub(crate) sql: String,
    #[serde(default = "utc")]
    pub(crate) tz: String,
    #[serde(default)]
    pub(crate) setup: Vec<String>,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) columns: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) rows: Vec<Vec<Value>>,
    #[serde(default)]
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) ordered: bool,
    #[serde(default)]
    pub(crate) approximate: bool,
    #[serde(default)]
    pub(crate) athena: Option<Value>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How many statements of a group ended how.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) equal: usize,
    pub(crate) refused: usize,
    pub(crate) different: usize,
}

impl Figures {
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Equal => self.equal += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::Different => self.different += 1,
        }
    }

    pub(crate) fn total(self) -> usize {
        self.equal + self.refused + self.different
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn statements(file: &str) -> Vec<Statement> {
    // A path of its own stands for itself: statements that are still being looked at.
    let path = root().join("tests/sql/trino").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

async fn answer(statement: &Statement, tables: &Tables) -> Answer {
    if !statement.setup.is_empty() {
        return Answer::Refused("statements before it".to_owned());
    }
    let session = Session {
        time_zone: statement.tz.clone(),
        start_us: 1_750_000_000_000_000,
        database: Some("corpus".to_owned()),
    };
    let planned = match sql::plan(&statement.sql, &session, tables).await {
        Ok(planned) => planned,
        Err(error) => return failed(&error),
    };
    let settings = Settings { parallelism: Some(2), ..Settings::default() };
    let context = sql::context(&settings);
    let run = async {
        let frame = context.execute_logical_plan(planned.plan).await?;
        frame.collect().await
    };
    let batches = match tokio::time::timeout(Duration::from_mins(1), run).await {
        Err(_) => return Answer::Refused("it takes more than a minute".to_owned()),
        Ok(Err(error)) => return failed(&sql::from_execution(error)),
        Ok(Ok(batches)) => batches,
    };
    let types: Vec<&Type> = planned.columns.iter().map(|(_, data_type)| data_type).collect();
    let mut rows = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().zip(&types);
            rows.push(values.map(|(column, data_type)| sql::text::json_value(column, row, data_type)).collect());
        }
    }
    Answer::Rows { columns: planned.columns, rows }
}

fn failed(error: &Error) -> Answer {
    let name = error.context.iter().find(|(key, _)| *key == "error").map(|(_, name)| name.clone());
    match (error.kind, name) {
        (ErrorKind::InvalidSql | ErrorKind::QueryFailed, Some(name)) => {
            Answer::Error { name, message: error.to_string() }
        }
        _ => Answer::Refused(error.to_string()),
    }
}

#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whoever runs this test chooses what it shows")]
fn run() -> BTreeMap<String, Figures> {
    let show = std::env::var("SQL_SHOW").ok();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let tables = Tables::load(&root().join("tests/sql/trino/tables"));
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let mut marks: BTreeMap<String, Figures> = BTreeMap::new();
    let mut report = String::new();
    let extra = std::env::var("SQL_EXTRA").ok();
    let mut files = vec![("visible_expr.jsonl", false), ("recorded_expr.jsonl", false), ("visible_tables.jsonl", true)];
    files.extend(extra.as_deref().map(|file| (file, false)));
    for (file, rounded) in files {
        for statement in statements(file) {
            let given = runtime.block_on(answer(&statement, &tables));
            let verdict = verdict(&statement, &given, rounded);
            let group = statement.name.split('.').next().unwrap_or_default().to_owned();
            figures.entry(group).or_default().count(&verdict);
            if statement.athena.is_none() {
                marks.entry(file.to_owned()).or_default().count(&verdict);
            }
            let shown = match (&verdict, &show) {
                (Verdict::Equal, _) | (Verdict::Refused, None) => false,
                (Verdict::Different, _) => true,
                (Verdict::Refused, Some(show)) => show == "all" || statement.name.starts_with(show.as_str()),
            };
            if shown {
                let _ = writeln!(
                    report,
                    "{verdict:?} {}\n    {}\n  trino {}\n  ours  {given}",
                    statement.name,
                    statement.sql,
                    statement.expected()
                );
            }
        }
    }
    if show.is_some() {
        for (group, figures) in &figures {
            let _ = writeln!(report, "{group:8} {figures:?}");
        }
    }
    let _ = writeln!(report, "{marks:#?}");
    let different: usize = figures.values().map(|figures| figures.different).sum();
    assert_eq!(different, 0, "answers that differ from Trino's:\n{report}");
    for (file, least) in [("visible_expr.jsonl", 40), ("recorded_expr.jsonl", 40), ("visible_tables.jsonl", 60)] {
        let mark = marks.get(file).copied().unwrap_or_default();
        assert!(mark.equal * 100 >= mark.total() * least, "less than {least} % of {file} are equal:\n{report}");
    }
    if show.is_some() {
        eprintln!("{report}");
    }
    figures
}

impl Statement {
    fn expected(&self) -> String {
        if self.status == "ok" {
            format!(
                "{:?} {}",
                self.columns,
                Value::from(self.rows.iter().take(8).cloned().map(Value::from).collect::<Vec<_>>())
            )
        } else {
            format!("{}: {}", self.error, self.message)
        }
    }
}

#[test]
fn every_answer_is_trinos_or_a_refusal() {
    let figures = run();
    page::check(&root().join("docs/sql.md"), &figures);
}
