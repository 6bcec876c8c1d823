//! Writes objects of a folder away from where they will be: a process that is killed in the middle of a write leaves nothing
//! beside an object.
//!
//! `object_store` writes `name#1` and renames it to `name`; whoever finds a `name#1` cannot tell whether its writer lives.
//! Here that happens below `.staging/`, in a folder that goes with its process ([`TemporaryFolder`]), and a second rename brings
//! the object to its place. The folder is in the same file system as the objects, and no bucket has such a name.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use tokio::sync::OnceCell;

use super::error::NoFile;
use crate::temporary::TemporaryFolder;

/// The folder of unfinished objects, below the folder of all buckets.
const STAGING: &str = ".staging";

/// A folder of objects.
#[derive(Debug)]
pub(super) struct StagedFileSystem {
    inner: Arc<LocalFileSystem>,
    staging: PathBuf,
    /// Made with the first write.
    folder: OnceCell<TemporaryFolder>,
    next: AtomicU64,
}

impl StagedFileSystem {
    /// Takes the folder of all buckets, and removes what dead processes left unfinished.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn open(root: &std::path::Path) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(root)?.with_automatic_cleanup(true);
        let staging = root.join(STAGING);
        TemporaryFolder::remove_left_over(&staging);
        TemporaryFolder::remove_parent(&staging);
        Ok(Self { inner: Arc::new(inner), staging, folder: OnceCell::new(), next: AtomicU64::new(1) })
    }

    /// Refuses a key that no file can have: `object_store` goes through addresses of the scheme `file`, and these take a letter
    /// with `|` or `:` at their end for a drive, which is a folder.
    ///
    /// # Errors
    /// `Generic` with [`NoFile`].
    pub(super) fn check(location: &Path) -> Result<()> {
        match location.as_ref().as_bytes() {
            [.., letter, b'|' | b':'] if letter.is_ascii_alphabetic() => {
                Err(object_store::Error::Generic { store: "StagedFileSystem", source: Box::new(NoFile) })
            }
            _ => Ok(()),
        }
    }

    /// Returns a path that nobody else writes to.
    async fn stage(&self) -> Result<Path> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
            store: "StagedFileSystem",
            source,
        };
        let make = || async {
            let staging = self.staging.clone();
            tokio::task::spawn_blocking(move || TemporaryFolder::open(&staging))
                .await
                .map_err(|error| failed(error.into()))?
                .map_err(|error| failed(error.into()))
        };
        let folder = self.folder.get_or_try_init(make).await?;
        let name = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(Path::from_iter([STAGING, name, &number.to_string()]))
    }

    /// Brings a written object to its place.
    async fn bring(inner: &LocalFileSystem, from: &Path, to: &Path, mode: &PutMode) -> Result<()> {
        let brought = match mode {
            PutMode::Create => inner.rename_if_not_exists(from, to).await,
            PutMode::Overwrite | PutMode::Update(_) => inner.rename(from, to).await,
        };
        if brought.is_err() {
            // The folder goes with the process, whatever is in it.
            let _goes_later = inner.delete(from).await;
        }
        brought
    }
}

impl Drop for StagedFileSystem {
    fn drop(&mut self) {
        drop(self.folder.take());
        TemporaryFolder::remove_parent(&self.staging);
    }
}

impl fmt::Display for StagedFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for StagedFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        Self::check(location)?;
        let mode = options.mode.clone();
        if let PutMode::Update(_) = mode {
            // A folder has no versions; what it stands on says so.
            return self.inner.put_opts(location, payload, options).await;
        }
        let staged = self.stage().await?;
        let put = self.inner.put_opts(&staged, payload, PutOptions { mode: PutMode::Overwrite, ..options }).await?;
        Self::bring(&self.inner, &staged, location, &mode).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Self::check(location)?;
        let staged = self.stage().await?;
        let upload = self.inner.put_multipart_opts(&staged, options).await?;
        Ok(Box::new(StagedUpload { upload, inner: Arc::clone(&self.inner), staged, location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        Self::check(to)?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        Self::check(to)?;
        self.inner.rename_opts(from, to, options).await
    }
}

/// An object that is written in parts.
#[derive(Debug)]
struct StagedUpload {
    upload: Box<dyn MultipartUpload>,
    inner: Arc<LocalFileSystem>,
    staged: Path,
    location: Path,
}

#[async_trait]
impl MultipartUpload for StagedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.upload.complete().await?;
        StagedFileSystem::bring(&self.inner, &self.staged, &self.location, &PutMode::Overwrite).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}
