//! What a statement gave, and the objects that tell clients of it.

use bytes::Bytes;
use lake::name::Location;
use lake::query::{Destination, QueryStats};
use lake::storage::Put;
use lake::{ErrorKind, Result};

use super::{Job, Order};
use crate::athena::Athena;
use crate::athena::model::{Execution, ResultForm, ResultRecord, State};
use crate::athena::result::column::ResultColumn;
use crate::athena::result::{csv, metadata};

/// What a statement gave.
#[derive(Debug, Default)]
pub(in crate::athena) struct Outcome {
    /// The columns of its result.
    pub(super) columns: Vec<ResultColumn>,
    pub(super) body: Body,
    pub(super) update_count: Option<u64>,
    pub(super) stats: QueryStats,
    /// What it did, when it wrote: `INSERT`.
    pub(super) wrote: Option<&'static str>,
    /// The list of what it wrote.
    pub(super) manifest: Option<Location>,
}

/// The rows of a result.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    #[default]
    Nothing,
    /// Lines of text, to be written.
    Lines(Vec<String>),
    /// CSV, already written.
    Csv,
}

impl Outcome {
    /// A statement that gives nothing.
    pub(super) fn nothing() -> Self {
        Self { body: Body::Lines(Vec::new()), ..Self::default() }
    }

    /// Lines under columns of text.
    pub(super) fn lines(columns: &[&str], lines: Vec<String>, update_count: Option<u64>) -> Self {
        Self {
            columns: columns.iter().map(|name| ResultColumn::text(name)).collect(),
            body: Body::Lines(lines),
            update_count,
            ..Self::default()
        }
    }

    /// Rows that were written.
    pub(super) fn written(what: &'static str, stats: QueryStats) -> Self {
        Self {
            columns: vec![ResultColumn::rows()],
            update_count: Some(stats.rows),
            wrote: Some(what),
            stats,
            ..Self::default()
        }
    }

    /// Returns what is kept of it.
    pub(super) fn record(&self) -> ResultRecord {
        ResultRecord {
            columns: self.columns.clone(),
            form: match self.body {
                Body::Nothing => ResultForm::Nothing,
                Body::Lines(_) => ResultForm::Text,
                Body::Csv => ResultForm::Csv,
            },
            update_count: self.update_count,
        }
    }
}

impl Athena {
    /// Runs a SELECT and writes its rows.
    pub(super) async fn select(&self, job: &Job, order: &Order, sql: &str) -> Result<Outcome> {
        let (query, stats) = self.run_query(job, order, sql, Destination::Fetch).await?;
        order.strike()?;
        let location = Location::parse(&job.output_location())?;
        let (columns, bytes) = csv::write(&self.inner.lake, &query, &location).await?;
        let outcome = Outcome {
            columns,
            body: Body::Csv,
            update_count: Some(0),
            stats: QueryStats { written_bytes: bytes, ..stats },
            ..Outcome::default()
        };
        self.describe_result(job, &outcome).await?;
        Ok(outcome)
    }

    /// Gives the result of an earlier query again; none when it is not there any more.
    pub(super) async fn reuse(&self, job: &Job, earlier: &Execution) -> Result<Option<Outcome>> {
        for ending in ["", ".metadata"] {
            let from = Location::parse(&format!("{}{ending}", earlier.output_location))?;
            let to = Location::parse(&format!("{}{ending}", job.output_location()))?;
            match self.inner.lake.storage.copy(&from, &to).await {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let now_ms = self.now_ms();
        job.change(|execution| {
            execution.state = State::Running;
            execution.started_ms = Some(now_ms);
            execution.reused = true;
        });
        Ok(Some(Outcome {
            columns: earlier.result.columns.clone(),
            body: Body::Csv,
            update_count: earlier.result.update_count,
            stats: QueryStats { rows: earlier.rows, ..QueryStats::default() },
            ..Outcome::default()
        }))
    }

    /// Explains a SELECT.
    pub(super) async fn explain(&self, job: &Job, sql: &str) -> Result<Outcome> {
        let now_ms = self.now_ms();
        job.change(|execution| {
            execution.state = State::Running;
            execution.started_ms = Some(now_ms);
        });
        let described = self.inner.lake.engine.describe(sql, Some(&job.database())).await?;
        let columns: Vec<String> =
            described.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
        let tables: Vec<String> = described.tables.iter().map(|table| format!("awsdatacatalog.{table}")).collect();
        let mut lines = vec![
            format!("Output: {}", columns.join(", ")),
            format!("Tables: {}", if tables.is_empty() { "none".to_owned() } else { tables.join(", ") }),
            described
                .predicted_bytes
                .map_or_else(|| "Bytes at most: not known".to_owned(), |bytes| format!("Bytes at most: {bytes}")),
        ];
        lines.extend(described.plan.lines().map(str::to_owned));
        Ok(Outcome {
            columns: vec![ResultColumn::of("Query Plan", &lake::sql::Type::Varchar(None))],
            body: Body::Lines(lines),
            update_count: Some(0),
            ..Outcome::default()
        })
    }

    /// Writes the objects of a result: its lines, and what describes it.
    pub(super) async fn deliver(&self, job: &Job, outcome: Outcome) -> Result<Outcome> {
        if let Body::Lines(lines) = &outcome.body {
            let location = Location::parse(&job.output_location())?;
            self.inner.lake.storage.put(&location, Bytes::from(lines.join("\n")), Put::Replace).await?;
        }
        self.describe_result(job, &outcome).await?;
        Ok(outcome)
    }

    async fn describe_result(&self, job: &Job, outcome: &Outcome) -> Result<()> {
        if outcome.columns.is_empty() {
            return Ok(());
        }
        let update = outcome.wrote.map(|what| (what, outcome.stats.rows));
        let bytes = metadata::encode(&job.id(), update, &outcome.columns);
        let location = Location::parse(&format!("{}.metadata", job.output_location()))?;
        self.inner.lake.storage.put(&location, Bytes::from(bytes), Put::Replace).await
    }

    /// Writes the list of the objects that a statement wrote, and returns its place.
    pub(super) async fn write_manifest(&self, job: &Job, stats: &QueryStats) -> Result<Location> {
        let location = manifest_place(job)?;
        let mut lines = String::new();
        for object in &stats.objects {
            lines.push_str(&object.location.to_string());
            lines.push('\n');
        }
        self.inner.lake.storage.put(&location, Bytes::from(lines), Put::Replace).await?;
        Ok(location)
    }
}

/// Returns where the list of what a statement wrote is.
pub(super) fn manifest_place(job: &Job) -> Result<Location> {
    Location::parse(&format!("{}-manifest.csv", job.output_location()))
}
