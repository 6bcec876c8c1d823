//! Where the parts of uploads are: a folder for each upload, named by its id.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use lake::name::Location;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use crate::error::{ApiError, ApiResult};
use crate::s3::io_failed;
use crate::s3::note::Note;

/// What an upload is started with.
const STARTED: &str = "upload.json";

/// What is left of an upload that was completed.
const DONE: &str = "done.json";

/// An upload that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "`started` is when it was started")]
pub(super) struct Started {
    #[serde(skip)]
    pub(super) id: String,
    #[serde(skip)]
    folder: PathBuf,
    /// The `ETag` of the object, once it is completed.
    #[serde(skip)]
    pub(super) done: Option<String>,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) started: Timestamp,
    pub(super) note: Note,
}

/// A part that is there.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) number: u32,
    /// The MD5 of its bytes, in hexadecimal digits.
    pub(super) etag: String,
    pub(super) bytes: u64,
    pub(super) modified: Timestamp,
    pub(super) path: PathBuf,
}

/// Opens the folder of uploads, and forgets those that were completed: who lost an answer has asked by now.
pub(super) async fn open(folder: &Path) -> lake::Result<()> {
    let failed = |error| lake::Error::io("open the folder of uploads", folder, error);
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let is_upload = entry.file_name().to_str().is_some_and(|name| parse_id(name).is_some());
        if is_upload && tokio::fs::try_exists(entry.path().join(DONE)).await.map_err(failed)? {
            tokio::fs::remove_dir_all(entry.path()).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Reads the id of an upload: what is none never becomes a path.
fn parse_id(text: &str) -> Option<String> {
    let id = Uuid::try_parse(text).ok()?.simple().to_string();
    (id == text).then_some(id)
}

impl Started {
    /// Starts an upload.
    pub(super) async fn make(uploads: &Path, location: &Location, note: Note, now: Timestamp) -> ApiResult<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let folder = uploads.join(&id);
        let started = Self {
            id,
            folder,
            done: None,
            bucket: location.bucket().to_owned(),
            key: location.key().to_owned(),
            started: now,
            note,
        };
        let text = serde_json::to_vec(&started).map_err(|error| ApiError::internal(error.to_string()))?;
        let path = started.folder.join(STARTED);
        tokio::fs::create_dir(&started.folder).await.map_err(io_failed("start an upload", &started.folder))?;
        tokio::fs::write(&path, text).await.map_err(io_failed("start an upload", &path))?;
        Ok(started)
    }

    /// Returns the upload of an id.
    pub(super) async fn find(uploads: &Path, id: &str) -> ApiResult<Option<Self>> {
        let Some(id) = parse_id(id) else { return Ok(None) };
        let folder = uploads.join(&id);
        let path = folder.join(STARTED);
        let text = match tokio::fs::read(&path).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(io_failed("read an upload", &path))?,
        };
        let read = |error: serde_json::Error| ApiError::internal(format!("the upload `{id}` cannot be read: {error}"));
        let mut started: Self = serde_json::from_slice(&text).map_err(read)?;
        let done = folder.join(DONE);
        started.done = match tokio::fs::read(&done).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            text => Some(serde_json::from_slice(&text.map_err(io_failed("read an upload", &done))?).map_err(read)?),
        };
        Ok(Some(Self { folder, id: id.clone(), ..started }))
    }

    /// Returns all uploads.
    pub(super) async fn all(uploads: &Path) -> ApiResult<Vec<Self>> {
        let mut found = Vec::new();
        let mut entries = tokio::fs::read_dir(uploads).await.map_err(io_failed("list uploads", uploads))?;
        while let Some(entry) = entries.next_entry().await.map_err(io_failed("list uploads", uploads))? {
            if let Some(name) = entry.file_name().to_str()
                && let Some(started) = Self::find(uploads, name).await?
            {
                found.push(started);
            }
        }
        Ok(found)
    }

    /// Refuses an upload that was completed.
    pub(super) fn refuse_done(&self) -> ApiResult<()> {
        if self.done.is_some() { Err(super::no_such_upload()) } else { Ok(()) }
    }

    /// Returns the parts that are there, by number.
    pub(super) async fn parts(&self) -> ApiResult<Vec<Part>> {
        let failed = || io_failed("list parts", &self.folder);
        let mut parts: Vec<Part> = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.folder).await.map_err(failed())?;
        while let Some(entry) = entries.next_entry().await.map_err(failed())? {
            let Some((number, etag)) = entry.file_name().to_str().and_then(parse_part) else { continue };
            let metadata = entry.metadata().await.map_err(failed())?;
            let nanoseconds = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified =
                nanoseconds.and_then(|since| Timestamp::from_nanosecond(i128::try_from(since.as_nanos()).ok()?).ok());
            parts.push(Part {
                number,
                etag,
                bytes: metadata.len(),
                modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
                path: entry.path(),
            });
        }
        // Of a part that was sent again the newer one counts.
        parts.sort_by_key(|part| (part.number, std::cmp::Reverse(part.modified)));
        parts.dedup_by_key(|part| part.number);
        Ok(parts)
    }

    /// Ends an upload whose object is there: its parts go, the answer stays.
    pub(super) async fn complete(&self, etag: &str) -> ApiResult<()> {
        let path = self.folder.join(DONE);
        let text = serde_json::to_vec(etag).map_err(|error| ApiError::internal(error.to_string()))?;
        tokio::fs::write(&path, text).await.map_err(io_failed("complete an upload", &path))?;
        for part in self.parts().await? {
            tokio::fs::remove_file(&part.path).await.map_err(io_failed("delete a part", &part.path))?;
        }
        Ok(())
    }

    /// Gives an upload up.
    pub(super) async fn remove(&self) -> ApiResult<()> {
        tokio::fs::remove_dir_all(&self.folder).await.map_err(io_failed("give up an upload", &self.folder))
    }
}

/// Reads the name of the file of a part: `part-00001-ETAG`.
fn parse_part(name: &str) -> Option<(u32, String)> {
    let (number, etag) = name.strip_prefix("part-")?.split_once('-')?;
    let is_etag = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((number.parse().ok()?, etag.to_owned())).filter(|_| is_etag)
}

/// Writes a part: it is there whole, or not at all.
#[derive(Debug)]
pub(super) struct PartWriter {
    number: u32,
    folder: PathBuf,
    temporary: PathBuf,
    file: tokio::fs::File,
    bytes: u64,
}

impl PartWriter {
    pub(super) async fn open(started: &Started, number: u32) -> ApiResult<Self> {
        let temporary = started.folder.join(format!("writing-{}", Uuid::new_v4().simple()));
        let file = tokio::fs::File::create(&temporary).await.map_err(io_failed("write a part", &temporary))?;
        Ok(Self { number, folder: started.folder.clone(), temporary, file, bytes: 0 })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> ApiResult<()> {
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.file.write_all(bytes).await.map_err(io_failed("write a part", &self.temporary))
    }

    /// Makes the part count, in place of one of its number that came before.
    pub(super) async fn finish(mut self, etag: String) -> ApiResult<Part> {
        let failed = || io_failed("write a part", &self.temporary);
        self.file.flush().await.map_err(failed())?;
        self.file.sync_all().await.map_err(failed())?;
        let path = self.folder.join(format!("part-{:05}-{etag}", self.number));
        tokio::fs::rename(&self.temporary, &path).await.map_err(failed())?;
        Ok(Part { number: self.number, etag, bytes: self.bytes, modified: Timestamp::UNIX_EPOCH, path })
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        // A part that was finished has another name by now.
        let _gone = std::fs::remove_file(&self.temporary);
    }
}
