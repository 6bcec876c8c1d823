//! `suiro query`: an ad hoc SELECT; the result on stdout, what it cost on stderr.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use comfy_table::CellAlignment;
use engine::diagnostic::{code, suggest};
use engine::run::ProcessGroups;
use futures::TryStreamExt;
use lake::aws::EngineKind;
use lake::publish::ParquetFile;
use lake::query::{Query, QueryId, QueryStats, QueryStatus, ResultColumn};
use lake::sql::{Type, text as sql_text};
use lake::words::bytes;
use lake::{ErrorKind, Lake, Place};
use operators::Purpose;
use serde_json::{Map, Value};

use crate::cli::{self, QueryFormat};
use crate::compose::{Base, door_to, has_lake, lake_settings, no_project, state_is_a_folder};
use crate::failure::{Exit, Failure};
use crate::output::{counted, dollars, duration, stdout_width, table, text};
use crate::settings::{Settings, is_marked};
use crate::signals::Signals;

/// How long an engine elsewhere may take to stop a query after Ctrl-C.
const STOPPING: Duration = Duration::from_secs(2);

/// How many rows a table for people shows at most: more scroll away unread, and the columns' widths need all rows at once.
const TABLE_ROWS: usize = 1_000;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Query) -> Result<(), Failure> {
    let format = format(base, command)?;
    let sql = statement(&command.sql)?;
    let settings = base.settings(None)?;
    let mut signals = Signals::listen(base.output, ProcessGroups::default(), "stopped at once")?;
    let lake = tokio::select! {
        lake = open(base, &settings, &sql, &command.database) => lake?,
        () = signals.asked_to_stop() => return Err(stopped(base, "the query was stopped")),
    };
    let started = Instant::now();
    let query = Query::new(sql, Some(&command.database), uuid::Uuid::new_v4().to_string());
    let start = lake.engine.start(&query);
    tokio::pin!(start);
    let id = tokio::select! {
        id = &mut start => id?,
        () = signals.asked_to_stop() => {
            // It may be started by now, and would cost for nothing.
            return Err(match tokio::time::timeout(STOPPING, start).await {
                Ok(Ok(id)) => stop(base, &lake, &id).await?,
                // Refused: nothing runs.
                Ok(Err(error)) if error.kind != ErrorKind::External => stopped(base, "the query was stopped"),
                Ok(Err(_)) | Err(_) => {
                    stopped(base, "nobody answers: it is not known whether the query was started")
                }
            });
        }
    };
    let result = async {
        let (columns, mut batches) = match lake.engine.fetch(&id).await {
            Err(error) if is_about_a_missing_table(&error) => return Err(without_table(&lake, error).await),
            fetched => fetched?,
        };
        let mut sink = Sink::open(format, command.output.as_deref(), &columns)?;
        let mut n_rows = 0_u64;
        while let Some(batch) = batches.try_next().await.map_err(lake::sql::from_execution)? {
            n_rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
            if let Err(failure) = sink.write(&columns, &batch) {
                // Nobody takes the rows any more: what still runs the query need not. That it could not be stopped matters less.
                let _stopped = lake.engine.cancel(&id).await;
                return Err(failure);
            }
        }
        sink.finish(&columns)?;
        Ok::<_, Failure>(n_rows)
    };
    let n_rows = tokio::select! {
        n_rows = result => n_rows?,
        () = signals.asked_to_stop() => return Err(stop(base, &lake, &id).await?),
    };
    let stats = match lake.engine.poll(&id).await? {
        QueryStatus::Succeeded(stats) => stats,
        _ => QueryStats::default(),
    };
    let cost = match &settings.place {
        _ if stats.cost_micro_usd > 0 => dollars(stats.cost_micro_usd),
        Place::Folder { .. } => "no cost on the embedded lake".to_owned(),
        Place::Aws(aws) if matches!(aws.engine, EngineKind::Trino(_)) => "no price on Trino".to_owned(),
        Place::Aws(_) => "nothing billed by Athena".to_owned(),
    };
    base.output.note(&format!(
        "{} in {}, scanned {} ({cost})",
        counted(n_rows, "row"),
        duration(started.elapsed()),
        bytes(stats.scanned_bytes)
    ));
    Ok(())
}

/// Opens the lake to look at it; where there is none, an empty one, for statements that read no table.
async fn open(base: &Base, settings: &Settings, sql: &str, database: &str) -> Result<Lake, Failure> {
    if has_lake(settings) {
        return Ok(door_to(settings, Purpose::Look, base.listener()).lake().await?.clone());
    }
    let lake = Box::pin(Lake::open_empty(lake_settings(settings))).await?;
    let described = lake.engine.describe(sql, Some(database)).await;
    if described.is_err_and(|error| is_about_a_missing_table(&error)) {
        state_is_a_folder(settings)?;
        let is_project = is_marked(&settings.project);
        return Err(if is_project { super::table::no_tables(settings) } else { no_project(settings) });
    }
    Ok(lake)
}

/// Says which table may be meant by the name of one that is not there.
async fn without_table(lake: &Lake, error: lake::Error) -> Failure {
    let missing = error.message.split('\'').nth(1).unwrap_or_default().to_owned();
    let failure = Failure::from(error);
    let mut names = missing.rsplit('.');
    let (table, database) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    // What cannot be looked up is no help.
    let mut there = Vec::new();
    for database in lake.catalog.databases().await.unwrap_or_default() {
        let tables = lake.catalog.tables(&database.name).await.unwrap_or_default();
        there.extend(tables.into_iter().map(|table| table.name));
    }
    if let Some(elsewhere) = there.iter().find(|name| name.table == table && name.database != database) {
        let database = &elsewhere.database;
        return failure.help(format!(
            "did you mean `{elsewhere}`? `--database {database}` is where tables without a database are"
        ));
    }
    let there: Vec<String> = there.iter().map(ToString::to_string).collect();
    match suggest::nearest(&format!("{database}.{table}"), there.iter().map(String::as_str)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure.help("`suiro table list` shows all tables"),
    }
}

/// Stops a query that nobody waits for any more.
async fn stop(base: &Base, lake: &Lake, id: &QueryId) -> Result<Failure, Failure> {
    let cancel = lake.engine.cancel(id);
    match &lake.settings.place {
        // It ends with this process, and nothing but its own work keeps it from being stopped.
        Place::Folder { .. } => cancel.await?,
        Place::Aws(_) => {
            if let Ok(canceled) = tokio::time::timeout(STOPPING, cancel).await {
                canceled?;
            } else {
                let message = format!("nobody says that the query {} has stopped: it may go on for a while", id.0);
                return Ok(stopped(base, &message));
            }
        }
    }
    Ok(stopped(base, "the query was stopped"))
}

/// Says what became of the query of an interrupted command.
fn stopped(base: &Base, what: &str) -> Failure {
    base.output.note(what);
    Failure::said(Exit::Interrupted)
}

/// Tells whether a statement names a table that is not there (Trino's name for it).
fn is_about_a_missing_table(error: &lake::Error) -> bool {
    error.context.iter().any(|(key, value)| *key == "error" && value == "TABLE_NOT_FOUND")
}

/// Decides how the result is printed.
fn format(base: &Base, command: &cli::Query) -> Result<QueryFormat, Failure> {
    let by_name = || match command.output.as_deref().and_then(Path::extension)?.to_str()? {
        "csv" => Some(QueryFormat::Csv),
        "json" | "jsonl" | "ndjson" => Some(QueryFormat::Json),
        "parquet" => Some(QueryFormat::Parquet),
        _ => None,
    };
    let format = command.format.or_else(by_name).unwrap_or_else(|| {
        if base.output.json {
            QueryFormat::Json
        } else if command.output.is_none() && io::stdout().is_terminal() {
            QueryFormat::Table
        } else {
            QueryFormat::Csv
        }
    });
    if format == QueryFormat::Parquet && command.output.is_none() {
        return Err(Failure::usage("Parquet goes to a file").help("say `--output FILE`"));
    }
    Ok(format)
}

/// Takes SQL as it is, and a file's text for what looks like a file.
fn statement(text: &str) -> Result<String, Failure> {
    let looks_like_file = !text.contains(char::is_whitespace) && text.to_ascii_lowercase().ends_with(".sql");
    if !looks_like_file {
        return Ok(text.to_owned());
    }
    let read = std::fs::read_to_string(text);
    read.map(|sql| sql.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(sql))
        .map_err(|error| Failure::of_code(code::SQL_FILE, format!("cannot read the SQL file `{text}`: {error}")))
}

/// Where rows go.
enum Sink {
    Table { rows: Vec<Vec<Option<String>>>, n_more: usize, width: Option<usize>, out: Box<dyn Write> },
    Csv(Box<dyn Write>),
    Json { names: Vec<String>, out: Box<dyn Write> },
    Parquet(Box<ParquetFile>),
}

impl Sink {
    fn open(format: QueryFormat, output: Option<&Path>, columns: &[ResultColumn]) -> Result<Self, Failure> {
        let out = || -> Result<Box<dyn Write>, Failure> {
            Ok(match output {
                None => Box::new(io::BufWriter::new(io::stdout())),
                Some(path) => Box::new(io::BufWriter::new(create(path)?)),
            })
        };
        Ok(match (format, output) {
            (QueryFormat::Table, _) => {
                let width = if output.is_none() { stdout_width() } else { None };
                Self::Table { rows: Vec::new(), n_more: 0, width, out: out()? }
            }
            (QueryFormat::Json, _) => Self::Json { names: distinct_names(columns), out: out()? },
            (QueryFormat::Parquet, Some(path)) => Self::Parquet(Box::new(ParquetFile::create(create(path)?, columns)?)),
            (QueryFormat::Csv | QueryFormat::Parquet, _) => {
                let mut out = out()?;
                let names: Vec<Option<String>> = columns.iter().map(|column| Some(column.name.clone())).collect();
                csv_line(&mut out, &names)?;
                Self::Csv(out)
            }
        })
    }

    fn write(&mut self, columns: &[ResultColumn], batch: &RecordBatch) -> Result<(), Failure> {
        let values = |row: usize| -> Vec<Option<String>> {
            columns
                .iter()
                .zip(batch.columns())
                .map(|(column, array)| sql_text::display(&column.data_type, array, row))
                .collect()
        };
        match self {
            Self::Table { rows, n_more, .. } => {
                for row in 0..batch.num_rows() {
                    if rows.len() < TABLE_ROWS { rows.push(values(row)) } else { *n_more += 1 }
                }
            }
            Self::Csv(out) => {
                for row in 0..batch.num_rows() {
                    csv_line(out, &values(row))?;
                }
            }
            Self::Json { names, out } => {
                for row in 0..batch.num_rows() {
                    let object: Map<String, Value> = names
                        .iter()
                        .zip(columns.iter().zip(batch.columns()))
                        .map(|(name, (column, array))| {
                            (name.clone(), sql_text::json_value(array, row, &column.data_type))
                        })
                        .collect();
                    serde_json::to_writer(&mut *out, &object).map_err(io::Error::from)?;
                    out.write_all(b"\n")?;
                }
            }
            Self::Parquet(file) => file.write(batch)?,
        }
        Ok(())
    }

    fn finish(self, columns: &[ResultColumn]) -> Result<(), Failure> {
        match self {
            Self::Table { rows, n_more, width, mut out } => {
                let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                let mut drawn = table(&names);
                for row in &rows {
                    drawn.add_row(row.iter().map(|value| value.as_deref().unwrap_or("NULL")));
                }
                for (index, column) in columns.iter().enumerate() {
                    let drawn = drawn.column_mut(index).filter(|_| is_number(&column.data_type));
                    if let Some(drawn) = drawn {
                        drawn.set_cell_alignment(CellAlignment::Right);
                    }
                }
                writeln!(out, "{}", text(&drawn, width))?;
                if n_more > 0 {
                    writeln!(
                        out,
                        "… and {}; `--format csv` prints all",
                        counted(u64::try_from(n_more).unwrap_or(u64::MAX), "more row")
                    )?;
                }
                out.flush()?;
            }
            Self::Csv(mut out) | Self::Json { mut out, .. } => out.flush()?,
            Self::Parquet(file) => file.finish()?,
        }
        Ok(())
    }
}

/// Names the columns for JSON, whose readers keep one value of a name: later ones of a name are `a_2`, `a_3` and so on.
fn distinct_names(columns: &[ResultColumn]) -> Vec<String> {
    // No made name takes that of another column.
    let mut taken: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut seen = HashSet::new();
    let name = |column: &ResultColumn| {
        if seen.insert(column.name.clone()) {
            return column.name.clone();
        }
        let mut number = 2_u64;
        loop {
            let name = format!("{}_{number}", column.name);
            if taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    };
    columns.iter().map(name).collect()
}

fn is_number(data_type: &Type) -> bool {
    matches!(
        data_type,
        Type::Tinyint | Type::Smallint | Type::Integer | Type::Bigint | Type::Real | Type::Double | Type::Decimal(..)
    )
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path)
        .map_err(|error| Failure::of_code(code::STORAGE, format!("cannot write `{}`: {error}", path.display())))
}

/// Writes a line of CSV by [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180); NULL is nothing, an empty text is `""`.
fn csv_line(out: &mut impl Write, values: &[Option<String>]) -> io::Result<()> {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match value {
            None => {}
            Some(value) if value.is_empty() || value.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", value.replace('"', "\"\""))?;
            }
            Some(value) => out.write_all(value.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_lose_no_value() {
        for (names, distinct) in [
            (vec!["a", "b"], vec!["a", "b"]),
            (vec!["a", "a", "a"], vec!["a", "a_2", "a_3"]),
            (vec!["a", "a", "a_2", "a_2"], vec!["a", "a_3", "a_2", "a_2_2"]),
        ] {
            let columns: Vec<ResultColumn> =
                names.into_iter().map(|name| ResultColumn::of_result(0, name.to_owned(), Type::Bigint)).collect();
            assert_eq!(distinct_names(&columns), distinct);
        }
    }
}
