//! `suiro table list|show|drop`.

use std::io::{IsTerminal, Write};

use engine::diagnostic::code;
use lake::Lake;
use lake::catalog::{self, Partition, TableFormat};
use lake::name::TableName;
use lake::publish::record::Record;
use lake::words::{bytes, figure};
use operators::Purpose;
use serde_json::json;

use crate::cli;
use crate::compose::Base;
use crate::failure::{Exit, Failure};
use crate::output::{counted, right, stdout_width, table, text};
use crate::settings::Settings;

/// Runs the command.
pub(crate) async fn run(base: &Base, command: &cli::Table) -> Result<(), Failure> {
    let settings = base.settings(None)?;
    let purpose = match command {
        cli::Table::List { .. } | cli::Table::Show { .. } => Purpose::Look,
        cli::Table::Drop { .. } => Purpose::Work,
    };
    let Some(lake) = base.existing_lake(&settings, purpose).await? else {
        if matches!(command, cli::Table::List { database: None }) {
            base.output.note("there are no tables: nothing was loaded or published in this project yet");
            return Ok(());
        }
        return Err(no_tables(&settings));
    };
    match command {
        cli::Table::List { database } => list(base, &lake, database.as_deref()).await,
        cli::Table::Show { table } => show(base, &lake, &name(table)?).await,
        cli::Table::Drop { table, with_location, yes } => {
            drop_table(base, &lake, &name(table)?, *with_location, *yes).await
        }
    }
}

/// Says that a project has no tables yet.
pub(crate) fn no_tables(settings: &Settings) -> Failure {
    let project = settings.project.display();
    Failure::of_code(
        code::NOT_FOUND,
        format!("the project `{project}` has no tables: nothing was loaded or published in it yet"),
    )
    .help("run a workflow first: `suiro run FILE`")
}

/// Reads `database.table`; the database is `default` when left out.
pub(crate) fn name(text: &str) -> Result<TableName, Failure> {
    let (database, table) = text.split_once('.').unwrap_or(("default", text));
    Ok(TableName::new(database, table)?)
}

/// Returns a table, or says that it is not there.
pub(crate) async fn find(lake: &Lake, name: &TableName) -> Result<catalog::Table, Failure> {
    if let Some(table) = lake.catalog.table(name).await? {
        return Ok(table);
    }
    let near: Vec<String> =
        lake.catalog.tables(&name.database).await?.into_iter().map(|table| table.name.table).collect();
    let failure = Failure::of_code(code::NOT_FOUND, format!("there is no table `{name}`"));
    Err(match engine::diagnostic::suggest::nearest(&name.table, near.iter().map(String::as_str)) {
        Some(nearest) => failure.help(format!("did you mean `{}.{nearest}`?", name.database)),
        None => failure.help("`suiro table list` shows all tables"),
    })
}

/// Says in a line how a table or partition is stored: its format, and its buckets where it has some.
pub(crate) fn stored_as(storage: &catalog::Storage) -> String {
    let format = match TableFormat::of(storage) {
        Some(format) => format.to_string(),
        None if storage.serde.is_empty() => "not said".to_owned(),
        None => storage.serde.clone(),
    };
    let detail = &storage.detail;
    match detail.bucket_count.and_then(|count| u64::try_from(count).ok()) {
        Some(count) if count > 0 => {
            format!("format   {format}, {} by {}", counted(count, "bucket"), detail.bucket_columns.join(", "))
        }
        _ => format!("format   {format}"),
    }
}

/// The rows and bytes of a partition, as its publish recorded them.
fn figures(partition: &Partition) -> Result<(u64, u64), Failure> {
    let record = Record::read(&partition.parameters)?;
    Ok(record.map_or((0, 0), |record| (record.rows, record.bytes)))
}

async fn list(base: &Base, lake: &Lake, database: Option<&str>) -> Result<(), Failure> {
    let databases = match database {
        Some(name) => match lake.catalog.database(&name.to_lowercase()).await? {
            Some(database) => vec![database],
            None => return Err(Failure::of_code(code::NOT_FOUND, format!("there is no database `{name}`"))),
        },
        None => lake.catalog.databases().await?,
    };
    let mut rows = table(&["table", "columns", "partition keys", "partitions", "location"]);
    let mut any = false;
    for database in databases {
        for found in lake.catalog.tables(&database.name).await? {
            any = true;
            let partitions = lake.catalog.partitions(&found.name).await?.len();
            let keys: Vec<&str> = found.partition_keys.iter().map(|key| key.name.as_str()).collect();
            if base.output.json {
                base.output.json_line(&json!({
                    "table": found.name.to_string(),
                    "type": found.table_type,
                    "columns": found.columns.len(),
                    "partition_keys": keys,
                    "partitions": partitions,
                    "location": found.location,
                }))?;
                continue;
            }
            rows.add_row(vec![
                found.name.to_string(),
                found.columns.len().to_string(),
                keys.join(", "),
                if keys.is_empty() { String::new() } else { figure(u64::try_from(partitions).unwrap_or(u64::MAX)) },
                found.location.map_or_else(String::new, |location| location.to_string()),
            ]);
        }
    }
    if !any {
        base.output.note("there are no tables");
    } else if !base.output.json {
        right(&mut rows, &[1, 3]);
        base.output.line(&text(&rows, stdout_width()))?;
    }
    Ok(())
}

async fn show(base: &Base, lake: &Lake, name: &TableName) -> Result<(), Failure> {
    let found = find(lake, name).await?;
    if base.output.json {
        return Ok(base.output.json_line(&found)?);
    }
    base.output.line(&format!("{}  ({})", found.name, found.table_type.to_lowercase().replace('_', " ")))?;
    if let Some(location) = &found.location {
        base.output.line(&format!("location {location}"))?;
        base.output.line(&stored_as(&found.storage))?;
    }
    base.output.line("")?;
    let mut rows = table(&["column", "type", "remark"]);
    for column in &found.columns {
        rows.add_row(vec![column.name.clone(), column.hive_type.clone(), column.comment.clone().unwrap_or_default()]);
    }
    for key in &found.partition_keys {
        rows.add_row(vec![key.name.clone(), key.hive_type.clone(), "partition key".to_owned()]);
    }
    base.output.line(&text(&rows, stdout_width()))?;
    let partitions = lake.catalog.partitions(name).await?;
    if !found.partition_keys.is_empty() {
        let (mut total_rows, mut total_bytes) = (0, 0);
        for partition in &partitions {
            let (rows, bytes) = figures(partition)?;
            total_rows += rows;
            total_bytes += bytes;
        }
        base.output.line("")?;
        base.output.line(&format!(
            "{}, {}, {}",
            counted(u64::try_from(partitions.len()).unwrap_or(u64::MAX), "partition"),
            counted(total_rows, "row"),
            bytes(total_bytes)
        ))?;
    }
    if !found.parameters.is_empty() {
        base.output.line("")?;
        let mut rows = table(&["parameter", "value"]);
        for (key, value) in &found.parameters {
            rows.add_row(vec![key, value]);
        }
        base.output.line(&text(&rows, stdout_width()))?;
    }
    Ok(())
}

async fn drop_table(base: &Base, lake: &Lake, name: &TableName, with_location: bool, yes: bool) -> Result<(), Failure> {
    let found = find(lake, name).await?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(format!("dropping `{name}` needs a yes")).help("say `--yes`"));
        }
        let mut stderr = std::io::stderr().lock();
        let what = if with_location { " and delete its data" } else { "" };
        write!(stderr, "drop {name}{what}? [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            base.output.note("nothing was changed");
            return Err(Failure::said(Exit::Failed));
        }
    }
    let deleted = operators::drop_table(lake, &found, with_location).await?;
    if base.output.json {
        return Ok(base.output.json_line(&json!({"dropped": name.to_string(), "deleted_prefixes": deleted}))?);
    }
    base.output.note(&format!("dropped {name}"));
    Ok(())
}
