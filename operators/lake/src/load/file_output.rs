//! `out: {type: file}`: Parquet files in a folder, and no catalog.
//!
//! Files are written under hidden names and renamed when all are there, each at once. What an earlier run of the same load
//! left (`load-<id>-*.parquet`) is replaced; other files stay.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::config::FileOutput;
use super::job::Plan;
use super::report::PublishedPart;
use super::sink::{Sink, TemporaryFile, WrittenFile, io_error};
use super::stream::{Destination, StreamKey};
use super::table_output::NewPart;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};

/// Returns the folder of the rows.
pub(crate) fn folder(plan: &Plan, output: &FileOutput) -> PathBuf {
    plan.base.join(&output.path)
}

/// Returns the folder of the rejected lines: beside that of the rows, so that readers of the folder do not see them.
pub(crate) fn rejected_folder(plan: &Plan, output: &FileOutput) -> PathBuf {
    plan.base.join(format!("{}__rejected", output.path.trim_end_matches('/')))
}

/// Opens files under hidden names.
#[derive(Debug)]
pub(crate) struct FolderDestination {
    rows: PathBuf,
    rejected: PathBuf,
    plan: Plan,
    crash_points: CrashPoints,
}

impl FolderDestination {
    /// Makes the destination.
    pub(crate) fn new(plan: &Plan, output: &FileOutput, crash_points: CrashPoints) -> Self {
        let (rows, rejected) = (folder(plan, output), rejected_folder(plan, output));
        Self { rows, rejected, plan: plan.clone(), crash_points }
    }
}

impl Destination for FolderDestination {
    /// Files need nothing before they are made.
    fn prepare(&self, _keys: &[StreamKey]) -> Result<()> {
        Ok(())
    }

    fn open(&self, key: &StreamKey, part: usize) -> Result<Sink> {
        let folder = match key {
            StreamKey::Rows(_) => &self.rows,
            StreamKey::Rejected => &self.rejected,
        };
        let file = folder.join(hidden(&self.plan.file_name(part)));
        let file = self.crash_points.around_now("load: make a file", || TemporaryFile::create(&file))?;
        Ok(Sink::File { file, crash_points: self.crash_points.clone() })
    }
}

fn hidden(name: &str) -> String {
    format!(".{name}.part")
}

/// The name that a hidden file gets.
fn visible(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".part")?;
    Some(path.with_file_name(name))
}

/// Renames the files of a folder and removes what an earlier run of the load left there.
///
/// # Errors
/// `PermissionDenied` or `External` with the path; repeating it goes on.
pub(crate) async fn publish(plan: &Plan, folder: &Path, parts: &[NewPart], points: &CrashPoints) -> Result<()> {
    let paths: Vec<PathBuf> = parts.iter().flat_map(|part| &part.files).map(PathBuf::from).collect();
    let (folder, start) = (folder.to_owned(), format!("load-{}-", plan.load_id()));
    let points = points.clone();
    tokio::task::spawn_blocking(move || publish_files(&folder, &start, &paths, &points))
        .await
        .map_err(|error| Error::new(ErrorKind::External, "publish files", "the work was stopped").source(error))?
}

/// As [`publish`], for the rejected lines: without any, their folder goes too, unless somebody put something else there.
///
/// # Errors
/// As [`publish`].
pub(crate) async fn publish_rejected(
    plan: &Plan,
    output: &FileOutput,
    rejected: Option<&NewPart>,
    points: &CrashPoints,
) -> Result<()> {
    let folder = rejected_folder(plan, output);
    publish(plan, &folder, rejected.map_or(&[], std::slice::from_ref), points).await?;
    if rejected.is_none() {
        // A folder that holds something else stays.
        let _removed = tokio::fs::remove_dir(folder).await;
    }
    Ok(())
}

fn publish_files(folder: &Path, start: &str, paths: &[PathBuf], points: &CrashPoints) -> Result<()> {
    let mut kept = Vec::with_capacity(paths.len());
    for path in paths {
        let at = |error| io_error("rename a file", error).with("path", path.display().to_string());
        let Some(target) = visible(path) else { continue };
        points.around_now("load: rename a file", || match std::fs::rename(path, &target) {
            // A try before this one may have renamed it already.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::metadata(&target).map(drop).map_err(at)
            }
            renamed => renamed.map_err(at),
        })?;
        kept.push(target);
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && paths.is_empty() => return Ok(()),
        Err(error) => return Err(io_error("read a folder", error).with("path", folder.display().to_string())),
    };
    for entry in entries {
        let at = |error| io_error("replace an earlier file", error).with("path", folder.display().to_string());
        let path = entry.map_err(at)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = name.strip_prefix('.').unwrap_or(name).starts_with(start);
        if is_ours && !kept.contains(&path) {
            points.around_now("load: remove an earlier file", || std::fs::remove_file(&path).map_err(at))?;
        }
    }
    // The names must survive the loss of power too.
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| io_error("sync a folder", error).with("path", folder.display().to_string()))
}

/// Removes files that will not be published, and the folder when nothing else is in it.
///
/// # Errors
/// `PermissionDenied` or `External` with the path; files that are gone are fine.
pub(crate) async fn abandon(folder: &Path, parts: &[NewPart], points: &CrashPoints) -> Result<()> {
    for path in parts.iter().flat_map(|part| &part.files) {
        points.around_now("load: give up a file", || match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io_error("remove a file", error).with("path", path.clone()))
            }
            _ => Ok(()),
        })?;
    }
    // A folder that holds something else stays.
    let _removed = tokio::fs::remove_dir(folder).await;
    Ok(())
}

/// Removes the hidden files that a load left which will not go on.
///
/// # Errors
/// `PermissionDenied` or `External` with the path; a folder that is not there is fine.
pub(crate) async fn give_up(plan: &Plan, folder: &Path, points: &CrashPoints) -> Result<()> {
    let at = |error| io_error("read a folder", error).with("path", folder.display().to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(error)),
    };
    let (start, mut left) = (format!(".load-{}-", plan.load_id()), Vec::new());
    for entry in entries {
        let path = entry.map_err(at)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&start) && visible(&path).is_some() {
            left.push(WrittenFile { place: path.to_string_lossy().into_owned(), bytes: 0, rows: 0 });
        }
    }
    abandon(folder, &[NewPart::file(Vec::new(), &left)], points).await
}

/// Says what was published.
pub(crate) fn published(folder: &Path, plan: &Plan, parts: &[NewPart]) -> Vec<PublishedPart> {
    let shown = folder.strip_prefix(&plan.base).unwrap_or(folder);
    parts
        .iter()
        .map(|part| PublishedPart {
            table: None,
            partition: IndexMap::new(),
            rows: part.rows,
            bytes: part.bytes,
            location: shown.to_string_lossy().into_owned(),
        })
        .collect()
}
