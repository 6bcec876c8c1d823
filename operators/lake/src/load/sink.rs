//! Where the bytes of a written file go: an object of the lake, or a file of this machine.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;

use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::ObjectWriter;

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenFile {
    /// Where: `s3://…`, or a path.
    pub place: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
}

/// Takes the bytes of one file; dropped before [`Sink::finish`], it leaves nothing that readers see.
#[derive(Debug)]
pub(crate) enum Sink {
    /// An object.
    Object {
        /// Its writer.
        writer: Box<ObjectWriter>,
        /// Where the writer's work is done.
        runtime: Handle,
        /// Where tests stop the process.
        crash_points: CrashPoints,
    },
    /// A file with a temporary name; whoever made it renames it when all files are there.
    File {
        /// The file.
        file: TemporaryFile,
        /// Where tests stop the process.
        crash_points: CrashPoints,
    },
}

/// A file that goes away unless it is kept.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    is_kept: bool,
}

impl TemporaryFile {
    /// Makes the file, and the folder that it is in.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let at = |error| io_error("write a file", error).with("path", path.display().to_string());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Error::folder("make a folder", folder, error))?;
        }
        let file = File::create(path).map_err(at)?;
        Ok(Self { path: path.to_owned(), file, bytes: 0, is_kept: false })
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody is left to tell; the next run of the load removes it.
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Object { writer, runtime, .. } => match runtime.block_on(writer.write(bytes)) {
                Ok(written) => Ok(written),
                Err(error) => Err(io::Error::other(writer.failed(error))),
            },
            Self::File { file, .. } => {
                let written = file.file.write(bytes)?;
                file.bytes += u64::try_from(written).unwrap_or(u64::MAX);
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            // An object's pieces go out when they are full.
            Self::Object { .. } => Ok(()),
            Self::File { file, .. } => file.file.flush(),
        }
    }
}

impl Sink {
    /// Ends the file. A file's bytes survive the loss of power then, those of an object after [`crate::storage::Storage::sync_all`].
    ///
    /// # Errors
    /// `ResourcesExhausted` on a full disk, `PermissionDenied`, `External`.
    pub(crate) fn finish(self, rows: u64) -> Result<WrittenFile> {
        match self {
            Self::Object { writer, runtime, crash_points } => {
                let place = writer.location().to_string();
                let bytes = runtime.block_on(crash_points.around("load: write an object", writer.place()))?;
                Ok(WrittenFile { place, bytes, rows })
            }
            Self::File { mut file, crash_points } => {
                let at = |error| io_error("write a file", error).with("path", file.path.display().to_string());
                crash_points.around_now("load: write a file", || file.file.sync_all().map_err(at))?;
                file.is_kept = true;
                Ok(WrittenFile { place: file.path.to_string_lossy().into_owned(), bytes: file.bytes, rows })
            }
        }
    }
}

/// Makes our error of the system's.
pub(crate) fn io_error(operation: &'static str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourcesExhausted,
        _ => ErrorKind::External,
    };
    Error::new(kind, operation, format!("cannot {operation}: {error}")).source(error)
}
