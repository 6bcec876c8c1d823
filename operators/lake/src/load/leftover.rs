//! What a load leaves whose caller keeps no state ([`super::run`]) and whose process is killed.
//!
//! A load of a workflow finds its own state again and gives up what it had written. Here nobody does, so such a load holds a file
//! below `STATE/loads/` while it runs, which says how its versions are called. The next load, whichever it is, gives up what
//! those did not publish whose holders are gone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::OutputConfig;
use super::job::Plan;
use super::table_output;
use crate::error::{Error, ErrorKind, Result};
use crate::held::HeldFile;
use crate::lake::Lake;
use crate::name::TableName;
use crate::publish::VersionState;
use crate::publish::record::Record;

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
struct Holding {
    database: String,
    table: String,
    request_hash: String,
}

/// A load that runs.
#[derive(Debug)]
pub(super) struct RunningLoad {
    held: HeldFile,
}

impl RunningLoad {
    /// Notes that a load is about to write; none for files, which the next run of the same load finds by their names.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path.
    pub(super) async fn begin(lake: &Lake, plan: &Plan) -> Result<Option<Self>> {
        let OutputConfig::Table(table) = &plan.config.out else { return Ok(None) };
        let holding =
            Holding { database: table.database.clone(), table: table.table.clone(), request_hash: plan.request_hash() };
        let text = serde_json::to_vec(&holding).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "note a load", "the note cannot be written as JSON").source(error)
        })?;
        let folder = folder(lake);
        let note = blocking(move || {
            let failed = |error| Error::io("note a load", &folder, error);
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let mut held = HeldFile::make(&folder, "").map_err(failed)?;
            held.write(&text).map_err(failed)?;
            Ok(held)
        });
        let held = lake.settings.crash_points.around("load: note that it runs", note).await?;
        Ok(Some(Self { held }))
    }

    /// Notes that nothing of it is left to give up.
    pub(super) fn end(self) {
        self.held.remove();
    }
}

/// Gives up what loads wrote and did not publish whose processes are gone, and deletes it.
///
/// # Errors
/// Those of the ledger and the storage; repeating it goes on.
pub(super) async fn give_up(lake: &Lake) -> Result<()> {
    let folder = folder(lake);
    let abandoned = blocking(move || Ok(HeldFile::abandoned(&folder, ""))).await?;
    if abandoned.is_empty() {
        return Ok(());
    }
    let mut given_up = Vec::new();
    for mut held in abandoned {
        // A process may have been killed before it wrote anything, here or anywhere.
        if let Some(Holding { database, table, request_hash }) = read(&mut held) {
            table_output::give_up(lake, &database, &table, &request_hash).await?;
            for table in [table_output::rejected_table(&table), table] {
                settle(lake, &TableName::new(&database, &table)?, &request_hash).await?;
            }
        }
        given_up.push(held);
    }
    lake.collect().await?;
    for held in given_up {
        held.remove();
    }
    Ok(())
}

/// Completes what a publish was in the middle of: a version that readers see gets its predecessor's tombstone, one that they do
/// not see will never be seen.
async fn settle(lake: &Lake, table: &TableName, request_hash: &str) -> Result<()> {
    let mark = format!("-{request_hash}-g");
    let (mut unseen, mut replaced) = (Vec::new(), Vec::new());
    for version in lake.versions.of_table(table).await? {
        if version.state != VersionState::Published || !version.location.file_name().contains(&mark) {
            continue;
        }
        let seen = match &version.values {
            Some(values) => {
                let partition = lake.catalog.partition(table, values).await?;
                partition.map(|partition| (Some(partition.location), partition.parameters))
            }
            None => lake.catalog.table(table).await?.map(|table| (table.location, table.parameters)),
        };
        match seen.filter(|(location, _)| location.as_ref() == Some(&version.location)) {
            Some((_, parameters)) => {
                replaced.extend(Record::read(&parameters)?.and_then(|record| record.previous_location));
            }
            None => unseen.push(version.location),
        }
    }
    lake.abandon_versions(&unseen).await?;
    lake.retire_versions(&replaced).await
}

fn read(held: &mut HeldFile) -> Option<Holding> {
    let text = held.read().ok()?;
    serde_json::from_slice(&text).ok()
}

fn folder(lake: &Lake) -> PathBuf {
    let state: &Path = &lake.settings.state_dir;
    state.join("loads")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::External, "note a load", "the work was stopped").source(error))?
}
