//! Finds the files of an input and opens them, in an order that depends on their names alone.

use std::collections::HashSet;
use std::fs::FileType;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path, PathBuf};

use bytes::{Buf, Bytes};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::config::FileInput;
use super::decode::Decoded;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::storage::Storage;

/// A file of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// What it is called in messages and in the table of rejected lines: the path as configured, or `s3://…`.
    pub name: String,
    /// Where it is.
    place: Place,
    /// Its bytes as stored.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    File(PathBuf),
    Object(Location),
}

/// Finds the files of an input, in the order of their names.
///
/// # Errors
/// `NotFound` when there is none, with the path that was looked at; `InvalidInput` for a pattern that is none, and for a folder with
/// links that go round, or with a pipe, a socket or a device in it, which could let the load wait for ever;
/// `PermissionDenied` or `External` when a folder cannot be read.
pub(crate) async fn find(input: &FileInput, base: &Path, storage: &Storage) -> Result<Vec<InputFile>> {
    let (text, is_prefix) = path_of(input)?;
    if text.starts_with(OBJECTS) {
        return in_order(text, base, find_objects(text, is_prefix, storage).await?);
    }
    find_local(input, base).await
}

/// Finds the files of an input of this machine, as [`find`] does.
///
/// # Errors
/// As [`find`].
pub(crate) async fn find_local(input: &FileInput, base: &Path) -> Result<Vec<InputFile>> {
    let (text, is_prefix) = path_of(input)?;
    let (path, folder) = (text.to_owned(), base.to_owned());
    let files =
        tokio::task::spawn_blocking(move || find_files(&path, is_prefix, &folder)).await.map_err(|error| {
            Error::new(ErrorKind::External, "find input files", "the search was stopped").source(error)
        })??;
    in_order(text, base, files)
}

/// What the paths of objects begin with.
const OBJECTS: &str = "s3://";

impl FileInput {
    /// Tells whether it reads objects, not files of this machine.
    pub(crate) fn is_of_objects(&self) -> bool {
        path_of(self).is_ok_and(|(text, _)| text.starts_with(OBJECTS))
    }
}

/// Returns the path of an input, and whether it is the beginning of paths.
fn path_of(input: &FileInput) -> Result<(&str, bool)> {
    match (&input.path, &input.path_prefix) {
        (Some(path), _) => Ok((path.as_str(), false)),
        (None, Some(prefix)) => Ok((prefix.as_str(), true)),
        (None, None) => Err(Error::new(ErrorKind::InvalidInput, "find input files", "expected `in.path`")),
    }
}

/// Puts files into the order of their names.
fn in_order(text: &str, base: &Path, mut files: Vec<InputFile>) -> Result<Vec<InputFile>> {
    files.sort_by(|left, right| left.name.cmp(&right.name));
    files.dedup_by(|left, right| left.name == right.name);
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "find input files", format!("no file is there for `{text}`"))
            .with("folder", base.display().to_string()));
    }
    Ok(files)
}

fn find_files(text: &str, is_prefix: bool, base: &Path) -> Result<Vec<InputFile>> {
    let mut search = Search { base, files: Vec::new(), within: Vec::new() };
    let whole = base.join(text);
    if is_prefix {
        let (folder, start) = match text.rsplit_once('/') {
            Some((folder, start)) => (base.join(if folder.is_empty() { "/" } else { folder }), start),
            None => (base.to_owned(), text),
        };
        for entry in read_folder(&folder)? {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)) {
                search.collect(&entry, Found::OnTheWay)?;
            }
        }
        return Ok(each_once(base, search.files));
    }
    // A path that is there is meant as it is, whatever characters it has; else it is a pattern.
    match std::fs::metadata(&whole) {
        Ok(_) => search.collect(&whole, Found::Named)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pattern = format!("{}/{text}", glob::Pattern::escape(&base.to_string_lossy()));
            let pattern = if text.starts_with('/') { text } else { pattern.as_str() };
            let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
            let paths = glob::glob_with(pattern, options).map_err(|error| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "find input files",
                    format!("expected a path or a pattern as `logs/*.gz`, found `{text}`: {}", error.msg),
                )
            })?;
            for path in paths {
                let path = path.map_err(|error| {
                    let path = error.path().to_owned();
                    folder_error(&path, error.into())
                })?;
                search.collect(&path, Found::OnTheWay)?;
            }
        }
        Err(error) => return Err(folder_error(&whole, error)),
    }
    Ok(each_once(base, search.files))
}

/// Leaves out links to files that are found anyway, such as `latest.csv` beside the files of the days: their rows would be there twice.
fn each_once(base: &Path, files: Vec<InputFile>) -> Vec<InputFile> {
    let base = std::fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
    let (mut seen, mut links, mut kept) = (HashSet::new(), Vec::new(), Vec::new());
    for file in files {
        let target = match &file.place {
            Place::File(path) => std::fs::canonicalize(path).ok(),
            Place::Object(_) => None,
        };
        match target {
            Some(target) if target != base.join(&file.name) => links.push((target, file)),
            // What has no path of its own, such as a pipe behind `/dev/stdin`, is no other's twin.
            None => kept.push(file),
            Some(target) => {
                seen.insert(target);
                kept.push(file);
            }
        }
    }
    kept.extend(links.into_iter().filter(|(target, _)| seen.insert(target.clone())).map(|(_, link)| link));
    kept
}

/// How deep folders are followed.
const MAX_DEPTH: usize = 64;

/// How a path was come upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The config names it: whatever it is, it is to be read, as `/dev/stdin`.
    Named,
    /// In a folder, or by a pattern.
    OnTheWay,
}

/// A search for the files below folders.
struct Search<'a> {
    base: &'a Path,
    files: Vec<InputFile>,
    /// The folders that the one at hand is in, and itself, without links.
    within: Vec<PathBuf>,
}

impl Search<'_> {
    /// Adds a file, or all files below a folder.
    fn collect(&mut self, path: &Path, found: Found) -> Result<()> {
        let metadata = std::fs::metadata(path).map_err(|error| folder_error(path, error))?;
        if metadata.is_dir() {
            return self.collect_below(path);
        }
        if found == Found::OnTheWay
            && let Some(what) = waits(metadata.file_type())
        {
            let message = format!("expected files and folders, found `{}`, which is {what}", shown(path, self.base));
            return Err(Error::new(ErrorKind::InvalidInput, "find input files", message).help(
                "move it elsewhere, give it a name that begins with `.` or `_`, or name the files that are meant",
            ));
        }
        self.files.push(InputFile {
            name: shown(path, self.base),
            place: Place::File(path.to_owned()),
            bytes: if metadata.is_file() { metadata.len() } else { 0 },
        });
        Ok(())
    }

    fn collect_below(&mut self, folder: &Path) -> Result<()> {
        let itself = std::fs::canonicalize(folder).map_err(|error| folder_error(folder, error))?;
        if self.within.contains(&itself) {
            let message = format!("the link `{}` leads back to a folder that it is in", shown(folder, self.base));
            return Err(Error::new(ErrorKind::InvalidInput, "find input files", message)
                .help("remove the link, or give it a name that begins with `.` or `_`"));
        }
        if self.within.len() >= MAX_DEPTH {
            let message = format!("folders are more than {MAX_DEPTH} deep");
            return Err(Error::new(ErrorKind::InvalidInput, "find input files", message)
                .with("path", folder.display().to_string()));
        }
        self.within.push(itself);
        for entry in read_folder(folder)? {
            let is_hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
            if !is_hidden {
                self.collect(&entry, Found::OnTheWay)?;
            }
        }
        self.within.pop();
        Ok(())
    }
}

/// Says what something is that is no file and may let its reader wait for ever; none for a file.
fn waits(file_type: FileType) -> Option<&'static str> {
    if file_type.is_file() {
        None
    } else if file_type.is_fifo() {
        Some("a pipe (FIFO)")
    } else if file_type.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

fn read_folder(path: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>())
        .map_err(|error| folder_error(path, error))?;
    entries.sort();
    Ok(entries)
}

/// Returns the path as seen from the base folder, so that names do not change with the machine.
fn shown(path: &Path, base: &Path) -> String {
    let below = path.strip_prefix(base).unwrap_or(path);
    let clean: PathBuf = below.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    clean.to_string_lossy().into_owned()
}

fn folder_error(path: &Path, error: io::Error) -> Error {
    // Whatever else keeps a link from being followed (one that leads to itself) is a fault of the input.
    let is_link = || std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if error.kind() == io::ErrorKind::NotFound && is_link() {
        let message = format!("the link `{}` leads nowhere", path.display());
        return Error::new(ErrorKind::InvalidInput, "find input files", message)
            .help("remove the link, or give it a name that begins with `.` or `_`");
    }
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ if is_link() => ErrorKind::InvalidInput,
        _ => ErrorKind::External,
    };
    Error::new(kind, "find input files", format!("cannot look for files: {error}"))
        .with("path", path.display().to_string())
        .source(error)
}

async fn find_objects(text: &str, is_prefix: bool, storage: &Storage) -> Result<Vec<InputFile>> {
    let has_pattern = text.contains(['*', '?', '[']);
    let fixed = &text[..text.find(['*', '?', '[']).filter(|_| !is_prefix).unwrap_or(text.len())];
    let pattern = if has_pattern && !is_prefix {
        Some(glob::Pattern::new(text).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "find input files", format!("`{text}` is no pattern: {}", error.msg))
        })?)
    } else {
        None
    };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    if pattern.is_none() && !is_prefix {
        let location = Location::parse(text)?;
        if !location.key().ends_with('/')
            && let Some(object) = storage.head(&location).await?
        {
            return Ok(vec![InputFile { name: text.to_owned(), place: Place::Object(location), bytes: object.bytes }]);
        }
        return objects_below(&location.as_prefix(), storage).await;
    }
    let folder = fixed.rfind('/').map_or(fixed, |at| &fixed[..=at]);
    let below = objects_below(&Location::parse(folder)?.as_prefix(), storage).await?;
    Ok(below
        .into_iter()
        .filter(|file| match &pattern {
            Some(pattern) => pattern.matches_with(&file.name, options),
            None => file.name.starts_with(text),
        })
        .collect())
}

async fn objects_below(prefix: &Location, storage: &Storage) -> Result<Vec<InputFile>> {
    let objects = storage.list_data(prefix).await?.into_iter();
    Ok(objects
        .map(|object| InputFile {
            name: object.location.to_string(),
            bytes: object.bytes,
            place: Place::Object(object.location),
        })
        .collect())
}

impl InputFile {
    /// Opens the file. The calling thread must not be one of the runtime's own, as reading may wait.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `External`.
    pub(crate) fn open(&self, storage: &Storage, runtime: &Handle) -> Result<Decoded> {
        let raw: Box<dyn Read + Send> = match &self.place {
            Place::File(path) => Box::new(std::fs::File::open(path).map_err(|error| folder_error(path, error))?),
            Place::Object(location) => Box::new(StreamReader {
                stream: runtime.block_on(storage.stream(location))?,
                piece: Bytes::new(),
                runtime: runtime.clone(),
            }),
        };
        Decoded::open(&self.name, raw, self.bytes)
    }
}

/// Reads a stream of pieces on a thread that may wait.
struct StreamReader {
    stream: BoxStream<'static, Result<Bytes>>,
    piece: Bytes,
    runtime: Handle,
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
            }
        }
        let length = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
