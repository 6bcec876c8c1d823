//! What a folder cannot keep of an object: its `ETag`, its headers, metadata and tags, in a note of its own.
//!
//! A note holds for the file it was written for, by length and time: an object that the lake itself writes in the place of
//! another has no note, and its `ETag` is made of length and time. A note that is lost costs no data.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use indexmap::IndexMap;
use jiff::Timestamp;
use lake::name::Location;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use super::checksum::Algorithm;
use super::io_failed;
use crate::auth::digest::sha256_hex;
use crate::error::{ApiError, ApiResult};

/// How many writers may end at a time; those of one object never do.
const LOCKS: usize = 64;

/// A note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Note {
    /// The length of the file it was written for.
    pub(super) bytes: u64,
    /// The time of that file, in nanoseconds since 1970.
    pub(super) modified_ns: u64,
    /// Its `ETag`, without quotes.
    pub(super) etag: String,
    /// The headers that come back with it: `content-type` and others.
    pub(super) headers: IndexMap<String, String>,
    /// The metadata of its writer: `x-amz-meta-…` without that beginning.
    pub(super) metadata: IndexMap<String, String>,
    /// Its tags.
    pub(super) tags: IndexMap<String, String>,
    /// The checksum that its writer sent.
    pub(super) checksum: Option<(Algorithm, String)>,
}

/// An object that is there.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: u64,
    pub(super) modified: Timestamp,
    pub(super) note: Note,
}

/// Returns the time of a file in nanoseconds since 1970.
fn modified_ns(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

/// The notes of all objects.
#[derive(Debug)]
pub(super) struct Notes {
    folder: PathBuf,
    locks: Vec<Mutex<()>>,
}

impl Notes {
    pub(super) async fn open(folder: PathBuf) -> lake::Result<Self> {
        tokio::fs::create_dir_all(&folder).await.map_err(|error| lake::Error::io("make a folder", &folder, error))?;
        Ok(Self { folder, locks: (0..LOCKS).map(|_| Mutex::new(())).collect() })
    }

    /// Makes others who would change the same object wait.
    pub(super) async fn lock(&self, location: &Location) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        location.hash(&mut hasher);
        // INVARIANT: a remainder by the number of locks is the index of one.
        let index = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        self.locks[index].lock().await
    }

    /// Returns the file of a note; the name of the object stands in it as a hash only.
    fn file(&self, location: &Location) -> PathBuf {
        let hash = sha256_hex(location.key().as_bytes());
        self.folder.join(location.bucket()).join(&hash[..2]).join(format!("{hash}.json"))
    }

    /// Returns what is known of an object whose file is there.
    pub(super) async fn read(&self, location: &Location, metadata: &Metadata) -> Object {
        let (bytes, modified_ns) = (metadata.len(), modified_ns(metadata));
        let read = tokio::fs::read(self.file(location)).await.ok();
        let note = read
            .and_then(|text| serde_json::from_slice::<Note>(&text).ok())
            .filter(|note| note.bytes == bytes && note.modified_ns == modified_ns)
            .unwrap_or_else(|| Note {
                bytes,
                modified_ns,
                // As that of an upload in parts: no client takes it for an MD5.
                etag: format!("{modified_ns:016x}{bytes:016x}-1"),
                ..Note::default()
            });
        Object {
            bytes,
            modified: Timestamp::from_nanosecond(modified_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH),
            note,
        }
    }

    /// Keeps a note for the file as it is now. The caller holds the object's lock.
    pub(super) async fn write(&self, location: &Location, metadata: &Metadata, note: Note) -> ApiResult<Note> {
        let note = Note { bytes: metadata.len(), modified_ns: modified_ns(metadata), ..note };
        let file = self.file(location);
        let text = serde_json::to_vec(&note).map_err(|error| ApiError::internal(error.to_string()))?;
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(io_failed("make a folder", folder))?;
        }
        // A half-written note is one that cannot be read: it does not hold.
        tokio::fs::write(&file, text).await.map_err(io_failed("write a note", &file))?;
        Ok(note)
    }

    /// Forgets the note of an object that is gone.
    pub(super) async fn remove(&self, location: &Location) {
        // A note without its file does not hold, so that one which stays does no harm.
        let _stays = tokio::fs::remove_file(self.file(location)).await;
    }
}
