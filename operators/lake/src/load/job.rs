//! A load as steps that survive a stop of the process: planned → written → kept → done.
//!
//! The caller keeps the [`LoadState`] (it is plain data) after every [`advance`] and hands it in again, also in another
//! process. Repeating a step is harmless:
//!
//! | stopped … | what is there | what the next `advance` does |
//! |---|---|---|
//! | while planning | nothing | plans again |
//! | while writing | versions in the ledger that nobody points to | gives them up, writes again as the next generation |
//! | while keeping rejected lines, publishing | versions, some of them published | publishes again; what is published stays |
//!
//! When another writer publishes to the same table between writing and publishing, the load goes back to planned and writes
//! again: the last one wins.
//!
//! The files that are read and the guessed columns are part of the plan, so a load goes on as it began.

mod state;

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use self::state::Stage;
pub use self::state::{LoadControl, LoadState, LoadToken};
pub(crate) use self::state::{Plan, WrittenLoad};
use super::chunk::MAX_RECORD_BYTES;
use super::config::{InputConfig, LoadConfig, OutputConfig, ParserConfig, StagedOutput, TableOutput};
use super::empty;
use super::file_output::{self, FolderDestination};
use super::guess::SAMPLE_BYTES;
use super::input::{self, InputFile};
use super::layout::InputLayout;
use super::leftover;
use super::notice::Notice;
use super::partition::{PARTITION_KEY, PartitionKeys};
use super::pipeline::{Outcome, Pipeline};
use super::race;
use super::report::{LoadReport, PublishedPart};
use super::staged;
use super::stream::{Destination, StreamKey, Written};
use super::table_output::{self, NewPart, TableDestination};
use super::unreadable;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::name::TableName;
use crate::storage::Storage;

/// Finds the files, guesses columns where none are given, and compares with the table. Nothing is changed.
///
/// # Errors
/// `InvalidInput` with all problems of the config; `NotFound` when no file is there; `SchemaMismatch` with every difference
/// between the columns and the table's; `InvalidData` for an input that is broken; those of storage and catalog.
pub async fn plan(config: &LoadConfig, lake: &Lake, token: LoadToken, base: &Path) -> Result<LoadState> {
    let problems = config.problems();
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Error::new(ErrorKind::InvalidInput, "read the load's config", lines.join("\n")));
    }
    let InputConfig::File(file) = &config.input;
    let files = input::find(file, base, &lake.storage).await?;
    let mut layout = match InputLayout::declared(&file.parser) {
        Some(layout) => layout,
        None => guess(file.parser.clone(), files.clone(), lake).await?,
    };
    if layout.is_guessed
        && let OutputConfig::Table(table) = &config.out
        && let Some(table) = lake.catalog.table(&TableName::new(&table.database, &table.table)?).await?
    {
        layout.follow(&table.columns);
    }
    let mut plan = Plan {
        config: config.clone(),
        token,
        base: base.to_owned(),
        planned_ms: lake.settings.clock.now().as_millisecond(),
        files,
        layout,
        key_types: Vec::new(),
        races: 0,
    };
    if let OutputConfig::Table(table) = &config.out {
        let columns = plan.layout.read_columns(&file.parser)?;
        PartitionKeys::compile(&table.partition_by, &columns, plan.planned_ms)?;
        apart(table, &plan.layout)?;
        let catalog_columns = table_output::columns(&plan.layout);
        if let Some(table) = table_output::compare(lake, table, &catalog_columns).await? {
            plan.key_types = table.partition_keys.iter().map(|key| key.hive_type.clone()).collect();
        }
    }
    Ok(LoadState { plan, stage: Stage::Planned })
}

/// Looks whether a guessed column has the name of a partition key; declared ones were looked at with the config.
fn apart(table: &TableOutput, layout: &InputLayout) -> Result<()> {
    let is_column = |key: &str| layout.columns.iter().any(|column| column.name.eq_ignore_ascii_case(key));
    let Some(key) = table.partition_by.keys().find(|key| is_column(key)) else { return Ok(()) };
    let message = format!("`{key}` is a column of the input and a key of `partition_by`: a table has each name once");
    Err(Error::new(ErrorKind::InvalidInput, "plan a load", message)
        .with(PARTITION_KEY, key)
        .help("give the key another name, or name the column otherwise in the parser's `columns`"))
}

/// Adds up the bytes of the files that a load would read, as stored; none for objects where there is no storage to ask. Nothing is
/// opened.
///
/// # Errors
/// `NotFound` when no file is there; `InvalidInput` for a pattern that is none; those of storage.
pub async fn input_bytes(config: &LoadConfig, base: &Path, storage: Option<&Storage>) -> Result<Option<u64>> {
    let InputConfig::File(file) = &config.input;
    let files = match storage {
        Some(storage) => input::find(file, base, storage).await?,
        None if file.is_of_objects() => return Ok(None),
        None => input::find_local(file, base).await?,
    };
    Ok(Some(files.iter().map(|file| file.bytes).sum()))
}

/// Guesses the layout from the first file that is not empty.
async fn guess(parser: ParserConfig, files: Vec<InputFile>, lake: &Lake) -> Result<InputLayout> {
    let (storage, runtime) = (lake.storage.clone(), Handle::current());
    blocking("guess columns", move || {
        let (mut sample, mut name) = (Vec::new(), "");
        let mut is_end = true;
        for file in &files {
            name = &file.name;
            let mut input = file.open(&storage, &runtime)?;
            sample.clear();
            // A first line that is longer than the sample is read whole: there would be nothing to guess from.
            while sample.is_empty() || (!is_end && sample.len() < MAX_RECORD_BYTES && !sample.contains(&b'\n')) {
                let wanted = (2 * sample.len()).max(SAMPLE_BYTES);
                is_end = fill(&mut sample, wanted, &mut |buffer| input.read(buffer))?;
                if sample.is_empty() {
                    break;
                }
            }
            if !sample.is_empty() {
                break;
            }
        }
        InputLayout::guessed(&parser, name, &sample, is_end)
    })
    .await
}

/// Reads until there are `wanted` bytes, and tells whether the input ended before.
fn fill(sample: &mut Vec<u8>, wanted: usize, read: &mut dyn FnMut(&mut [u8]) -> Result<usize>) -> Result<bool> {
    let mut length = sample.len();
    sample.resize(wanted, 0);
    while length < wanted {
        let read = read(&mut sample[length..])?;
        if read == 0 {
            break;
        }
        length += read;
    }
    sample.truncate(length);
    Ok(length < wanted)
}

/// Runs work that waits on a thread made for it.
async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::External, operation, "the work was stopped").source(error))?
}

/// Takes the next step and returns the state after it, which the caller keeps before it goes on. A done load stays as it is.
///
/// # Errors
/// `UnreadableLines` when a line cannot be read and none may be rejected: nothing is kept. `DataQuality` when more lines were
/// rejected than allowed, or no rows were found and that is an error: the rejected lines are kept, the rows are not published.
/// `Canceled`. `Conflict` when other writers changed a partition each time that it was written. `InvalidData` for broken input.
/// Those of storage and catalog. After an error nothing that readers see has changed, except by steps that were done before.
pub async fn advance(lake: &Lake, state: LoadState, control: &LoadControl) -> Result<LoadState> {
    let LoadState { plan, stage } = state;
    let stage = match stage {
        Stage::Planned => Stage::Written(Box::new(write(lake, &plan, control).await?)),
        Stage::Written(written) => match keep_rejected(lake, &plan, &written).await {
            Ok(()) => Stage::Kept(written),
            Err(error) => return write_again(lake, plan, &written, error, control).await,
        },
        Stage::Kept(written) => {
            if !is_published(lake, &plan, &written, control).await? {
                let rejected_kept = rejected_kept(&plan, written.rejected.as_ref());
                let report = LoadReport { rejected_kept, ..written.report };
                return Ok(LoadState { plan, stage: Stage::Done(Box::new(report)) });
            }
            match publish(lake, &plan, &written).await {
                Ok(report) => {
                    if let (Some(table), rows @ 1..) = (plan.table_name(), written.replaced) {
                        (control.notice)(&Notice::Replaces { table, rows });
                    }
                    Stage::Done(Box::new(report))
                }
                Err(error) => return write_again(lake, plan, &written, error, control).await,
            }
        }
        Stage::Done(report) => Stage::Done(report),
    };
    Ok(LoadState { plan, stage })
}

/// Goes back to writing when another writer was there first.
async fn write_again(
    lake: &Lake,
    plan: Plan,
    written: &WrittenLoad,
    lost: Error,
    control: &LoadControl,
) -> Result<LoadState> {
    let plan = race::plan_anew(lake, plan, written, lost).await?;
    if let Some(table) = plan.table_name() {
        (control.notice)(&Notice::WritesAgain { table, times: plan.races, most: race::RACES });
    }
    Ok(LoadState { plan, stage: Stage::Planned })
}

/// Gives up a load that will not go on: what it wrote and did not publish goes away. A done load stays as it is.
///
/// # Errors
/// Those of the ledger and the storage; repeating it goes on.
pub async fn give_up(lake: &Lake, state: &LoadState) -> Result<()> {
    let plan = &state.plan;
    if matches!(state.stage, Stage::Done(_)) {
        return Ok(());
    }
    match &plan.config.out {
        OutputConfig::Table(table) => {
            table_output::next_generation(lake, plan, table).await?;
        }
        OutputConfig::File(file) => give_up_files(lake, plan, file).await?,
        OutputConfig::Staged(output) => {
            if let Some(table) = &output.rejected {
                table_output::next_generation(lake, plan, table).await?;
            }
            staged::remove_staged(state).await?;
        }
    }
    lake.collect().await?;
    Ok(())
}

async fn give_up_files(lake: &Lake, plan: &Plan, file: &super::config::FileOutput) -> Result<()> {
    let points = &lake.settings.crash_points;
    for folder in [file_output::folder(plan, file), file_output::rejected_folder(plan, file)] {
        file_output::give_up(plan, &folder, points).await?;
    }
    Ok(())
}

/// Plans and takes all steps at once, for callers that keep no state. What an earlier one left whose process was killed goes away.
///
/// # Errors
/// Those of [`plan`] and [`advance`].
pub async fn run(
    config: &LoadConfig,
    lake: &Lake,
    token: LoadToken,
    base: &Path,
    control: &LoadControl,
) -> Result<LoadReport> {
    leftover::give_up(lake).await?;
    let mut state = plan(config, lake, token, base).await?;
    if let Some(guess) = state.guess() {
        (control.notice)(&guess);
    }
    let running = leftover::RunningLoad::begin(lake, &state.plan).await?;
    let plan = state.plan.clone();
    let ended = loop {
        if let Stage::Done(report) = state.stage {
            break Ok(*report);
        }
        match advance(lake, state, control).await {
            Ok(next) => state = next,
            Err(error) => break Err(error),
        }
    };
    if let Some(running) = running {
        // What cannot be given up now is given up by the next load: the note stays.
        let is_clean = ended.is_ok() || give_up(lake, &LoadState { plan, stage: Stage::Planned }).await.is_ok();
        if is_clean {
            running.end();
        }
    }
    ended
}

async fn write(lake: &Lake, plan: &Plan, control: &LoadControl) -> Result<WrittenLoad> {
    match &plan.config.out {
        OutputConfig::Table(table) => {
            let generation = table_output::next_generation(lake, plan, table).await?;
            let destination = TableDestination::new(lake, plan, table, generation).await?;
            let finished = match run_pipeline(lake, plan, control, destination.clone()).await {
                Ok(outcome) => finish_table(plan, table, &destination, outcome).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &finished {
                // What fails here is given up by the next run: the ledger lists it.
                let _given_up = destination.abandon().await;
                if error.kind != ErrorKind::Canceled {
                    collect(lake).await;
                }
            }
            finished
        }
        OutputConfig::File(file) => {
            let destination = FolderDestination::new(plan, file, lake.settings.crash_points.clone());
            let written = run_pipeline(lake, plan, control, destination).await;
            let finished = written.and_then(|outcome| finish_files(plan, outcome));
            if finished.is_err()
                && let Err(error) = give_up_files(lake, plan, file).await
            {
                // The next run of the load replaces them.
                tracing::warn!(%error, "files of a load that failed could not be removed");
            }
            finished
        }
        OutputConfig::Staged(output) => staged::write(lake, plan, output, control).await,
    }
}

fn finish_files(plan: &Plan, outcome: Outcome) -> Result<WrittenLoad> {
    let report = wrote(plan, &outcome);
    unreadable::refuse_any(plan, &report)?;
    let (parts, rejected) = by_kind(outcome.written);
    Ok(WrittenLoad {
        report,
        parts: parts.into_iter().map(|(values, written)| NewPart::file(values, &written)).collect(),
        rejected: rejected.map(|written| NewPart::file(Vec::new(), &written)),
        replaced: 0,
    })
}

async fn finish_table(
    plan: &Plan,
    table: &super::config::TableOutput,
    destination: &TableDestination,
    outcome: Outcome,
) -> Result<WrittenLoad> {
    let report = wrote(plan, &outcome);
    unreadable::refuse_any(plan, &report)?;
    let mut written = outcome.written;
    let left = destination.left_by_earlier_runs(&written).await?;
    written.extend(left.into_iter().map(|values| Written { key: StreamKey::Rows(values), files: Vec::new() }));
    if table.partition_by.is_empty() && !written.iter().any(|stream| matches!(stream.key, StreamKey::Rows(_))) {
        // A table without rows is still a table.
        written.push(Written { key: StreamKey::Rows(Vec::new()), files: Vec::new() });
    }
    let (mut parts, mut rejected) = (Vec::with_capacity(written.len()), None);
    for (stream, part) in written.iter().zip(destination.finish_all(&written).await?) {
        match stream.key {
            StreamKey::Rows(_) => parts.push(part),
            StreamKey::Rejected => rejected = Some(part),
        }
    }
    Ok(WrittenLoad { report, parts, rejected, replaced: destination.replaced() })
}

type Files = Vec<super::sink::WrittenFile>;

fn by_kind(written: Vec<Written>) -> (Vec<(Vec<String>, Files)>, Option<Files>) {
    let (mut parts, mut rejected) = (Vec::new(), None);
    for Written { key, files } in written {
        match key {
            StreamKey::Rows(values) => parts.push((values, files)),
            StreamKey::Rejected => rejected = Some(files),
        }
    }
    (parts, rejected)
}

/// Says what was read and written; what is published comes later.
pub(super) fn wrote(plan: &Plan, outcome: &Outcome) -> LoadReport {
    let (database, table) = match &plan.config.out {
        OutputConfig::Table(table) => (Some(table.database.to_lowercase()), Some(table.table.to_lowercase())),
        OutputConfig::File(_) | OutputConfig::Staged(_) => (None, None),
    };
    LoadReport {
        database,
        table,
        rows: outcome.rows,
        rejected: outcome.rejected,
        skipped: outcome.skipped,
        files: u64::try_from(plan.files.len()).unwrap_or(u64::MAX),
        bytes_read: outcome.bytes_read,
        published: Vec::new(),
        rejected_kept: None,
        first_rejected: unreadable::first(plan, outcome),
    }
}

pub(super) async fn run_pipeline<D: Destination + 'static>(
    lake: &Lake,
    plan: &Plan,
    control: &LoadControl,
    destination: D,
) -> Result<Outcome> {
    let (lake, plan, progress, check) =
        (lake.clone(), plan.clone(), Arc::clone(&control.progress), control.check.clone());
    let runtime = Handle::current();
    let cancel = control.cancel.child_token();
    // When the caller gives up on this future, the threads end too.
    let guard = cancel.clone().drop_guard();
    let outcome = blocking("load", move || {
        let parser = plan.parser_config();
        let columns = plan.layout.read_columns(parser)?;
        let keys = match &plan.config.out {
            OutputConfig::Table(table) => {
                PartitionKeys::compile(&table.partition_by, &columns, plan.planned_ms)?.of_types(&plan.key_types)?
            }
            OutputConfig::File(_) | OutputConfig::Staged(_) => {
                PartitionKeys::compile(&indexmap::IndexMap::new(), &columns, plan.planned_ms)?
            }
        };
        let threads = lake.settings.parallelism;
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        Pipeline {
            files: &plan.files,
            layout: &plan.layout,
            parser: plan.layout.parser(parser),
            columns,
            keys,
            check,
            keeps_rejected: plan.config.limit().is_some(),
            compression: plan.config.out.compression(),
            destination: &destination,
            storage: &lake.storage,
            runtime,
            threads,
            progress: &*progress,
            cancel,
        }
        .run()
    })
    .await;
    drop(guard);
    outcome
}

async fn keep_rejected(lake: &Lake, plan: &Plan, written: &WrittenLoad) -> Result<()> {
    match &plan.config.out {
        OutputConfig::Table(table) => table_output::keep_rejected(lake, plan, table, written.rejected.as_ref()).await,
        OutputConfig::Staged(output) => match &output.rejected {
            Some(table) => table_output::keep_rejected(lake, plan, table, written.rejected.as_ref()).await,
            None => Ok(()),
        },
        OutputConfig::File(file) => {
            file_output::publish_rejected(plan, file, written.rejected.as_ref(), &lake.settings.crash_points).await
        }
    }
}

/// Tells whether the rows are to be published. When they are not, what was written is given up.
///
/// # Errors
/// `DataQuality` when more lines were rejected than may be, or there are no rows and that is an error.
async fn is_published(lake: &Lake, plan: &Plan, written: &WrittenLoad, control: &LoadControl) -> Result<bool> {
    let decided = match unreadable::too_many(plan, written) {
        Some(error) => Err(error),
        None => empty::is_published(lake, plan, written).await,
    };
    match &decided {
        Ok(true) => return decided,
        Err(error) if error.kind != ErrorKind::DataQuality => return decided,
        Ok(false) | Err(_) => {}
    }
    match &plan.config.out {
        OutputConfig::Table(_) => {
            table_output::abandon_all(lake, &written.parts).await?;
            collect(lake).await;
        }
        OutputConfig::File(file) | OutputConfig::Staged(StagedOutput { files: file, .. }) => {
            let points = &lake.settings.crash_points;
            file_output::abandon(&file_output::folder(plan, file), &written.parts, points).await?;
        }
    }
    if let (Ok(false), Some(table)) = (&decided, plan.table_name()) {
        (control.notice)(&Notice::LeftAsItIs { table });
    }
    decided
}

/// Deletes what is no longer needed. The load is what it is whether that succeeds or not; the next collection goes on with it.
async fn collect(lake: &Lake) {
    if let Err(error) = lake.collect().await {
        tracing::warn!(%error, "versions that are no longer needed could not be collected");
    }
}

async fn publish(lake: &Lake, plan: &Plan, written: &WrittenLoad) -> Result<LoadReport> {
    let report = publish_parts(lake, plan, written).await?;
    collect(lake).await;
    Ok(report)
}

async fn publish_parts(lake: &Lake, plan: &Plan, written: &WrittenLoad) -> Result<LoadReport> {
    let WrittenLoad { report, parts, rejected, .. } = written;
    let mut report = report.clone();
    match &plan.config.out {
        OutputConfig::Table(table) => {
            report.published = table_output::publish(lake, plan, table, parts).await?;
        }
        // Whoever runs the load takes them from there: nobody else sees them.
        OutputConfig::Staged(StagedOutput { files, .. }) => {
            let folder = file_output::folder(plan, files);
            file_output::publish(plan, &folder, parts, &lake.settings.crash_points).await?;
        }
        OutputConfig::File(file) => {
            let folder = file_output::folder(plan, file);
            file_output::publish(plan, &folder, parts, &lake.settings.crash_points).await?;
            report.published = file_output::published(&folder, plan, parts);
        }
    }
    report.rejected_kept = rejected_kept(plan, rejected.as_ref());
    Ok(report)
}

/// Says where the rejected lines are.
fn rejected_kept(plan: &Plan, part: Option<&NewPart>) -> Option<PublishedPart> {
    match &plan.config.out {
        OutputConfig::Table(table) => part.map(|part| kept_in(table, part)),
        OutputConfig::Staged(output) => Some(kept_in(output.rejected.as_ref()?, part?)),
        OutputConfig::File(file) => {
            let folder = file_output::rejected_folder(plan, file);
            file_output::published(&folder, plan, part.map(std::slice::from_ref).unwrap_or_default()).into_iter().next()
        }
    }
}

fn kept_in(table: &TableOutput, part: &NewPart) -> PublishedPart {
    let name =
        TableName { database: table.database.to_lowercase(), table: table_output::rejected_name(table).to_lowercase() };
    PublishedPart {
        table: Some(name.to_text()),
        partition: [("load".to_owned(), part.values.join("/"))].into_iter().collect(),
        rows: part.rows,
        bytes: part.bytes,
        location: part.prefix.clone(),
    }
}
