//! Objects by [`Location`]: `s3://bucket/key` is `WAREHOUSE/s3/bucket/key` on the embedded lake, and itself on AWS.
//!
//! What a call reports as written survives the loss of power: on S3 by S3's own promise; in a folder the file and every
//! folder above it are on the disk. It knows no tables and no formats.

mod durable;
mod error;
mod folder;
mod marker;
mod object;
mod parts;
mod s3;
mod staged;
mod swap;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::io::AsyncWriteExt as _;

use crate::aws::AwsClients;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

pub use folder::Folder;
pub(crate) use marker::is_version_name;
pub use marker::{MARKER, Marker, MarkerKind, PlaceRecord};
pub use object::Object;
use object::object_of;
pub(crate) use s3::is_without_bucket;
pub(crate) use swap::Tag;
pub use writer::ObjectWriter;

/// What a put does when the object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It fails with `AlreadyExists`.
    Create,
    /// It replaces the object.
    Replace,
}

/// The objects of a lake: in a folder, or on S3.
#[derive(Debug, Clone)]
pub struct Storage {
    place: Place,
    store: Arc<dyn ObjectStore>,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(Folder),
    S3 {
        results: Option<Location>,
        /// Another address than AWS's own, which whoever makes a bucket there has to name.
        endpoint: Option<String>,
    },
}

/// Where results are kept in a folder.
const RESULTS: &str = "s3://suiro-results/";

/// How often a write that must be the first is tried, when S3 does not know yet who was first.
const RACES: u32 = 20;

impl Storage {
    /// Opens the folder of a warehouse; makes it when it is not there.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path, when it cannot be made.
    pub async fn open(warehouse: &Path) -> Result<Self> {
        let root = warehouse.join("s3");
        durable::create_dir_all(&root).await?;
        let root =
            tokio::fs::canonicalize(&root).await.map_err(|error| Error::folder("open the warehouse", &root, error))?;
        Self::at(root)
    }

    /// Looks whether the folder of a warehouse is there or could be made, as far as can be seen; nothing is made.
    ///
    /// # Errors
    /// `InvalidInput` that names what stands in its place.
    pub fn can_be_made(warehouse: &Path) -> Result<()> {
        Error::in_the_way("make a folder", &warehouse.join("s3")).map_or(Ok(()), Err)
    }

    /// Opens the folder of a warehouse to read it; nothing is made. One that is not there is empty, as `empty` is.
    ///
    /// # Errors
    /// `PermissionDenied` or `External` with the path, when it cannot be opened.
    pub(crate) fn open_to_look(warehouse: &Path, empty: &Path) -> Result<Self> {
        Self::open_if_there(warehouse)?.map_or_else(|| Self::at(empty.to_owned()), Ok)
    }

    /// Opens the folder of a warehouse to read it, if it is there; nothing is made.
    ///
    /// # Errors
    /// `PermissionDenied` or `External` with the path, when it cannot be opened.
    pub fn open_if_there(warehouse: &Path) -> Result<Option<Self>> {
        match warehouse.join("s3").canonicalize() {
            Ok(root) => Self::at(root).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::folder("open the warehouse", warehouse, error)),
        }
    }

    /// Takes the folder of the names of buckets that stay without objects: from here on a bucket may be missing.
    pub(crate) fn with_bucket_names(mut self, names: Option<PathBuf>) -> Self {
        if let Place::Folder(folder) = &mut self.place {
            folder.bucket_names = names;
        }
        self
    }

    fn at(root: PathBuf) -> Result<Self> {
        let store = staged::StagedFileSystem::open(&root)
            .map_err(|error| error::of("open the warehouse", None, &root, error))?;
        Ok(Self { place: Place::Folder(Folder { root, bucket_names: None }), store: Arc::new(store) })
    }

    /// Opens the buckets of S3; nothing is sent. Kept results of queries go below `results`. It must be called on the
    /// runtime that lives longest: all requests are made there.
    ///
    /// Reading needs the IAM actions `s3:GetObject` and `s3:ListBucket`; writing `s3:PutObject` and
    /// `s3:AbortMultipartUpload` (with tags `s3:PutObjectTagging`, with an ACL `s3:PutObjectAcl`); deleting `s3:DeleteObject`.
    ///
    /// # Errors
    /// `External` when no client can be made.
    pub fn open_s3(clients: &AwsClients, results: Option<Location>, clock: Arc<dyn Clock>) -> Result<Self> {
        let place = Place::S3 { results, endpoint: clients.s3_endpoint.clone() };
        Ok(Self { place, store: Arc::new(s3::open(clients, clock)?) })
    }

    /// Makes buckets in memory, which behave as those of S3 do.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self {
            place: Place::S3 { results: None, endpoint: None },
            store: Arc::new(object_store::memory::InMemory::new()),
        }
    }

    /// Returns the store behind it; paths in it are `bucket/key`.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Returns the folder of the objects, when they are in one.
    pub fn folder(&self) -> Option<&Folder> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            Place::S3 { .. } => None,
        }
    }

    /// Returns the file of a location, for messages and for outside readers; none on S3.
    pub fn file(&self, location: &Location) -> Option<PathBuf> {
        self.folder().map(|folder| folder.file(location))
    }

    /// Returns where the embedded engine keeps results, `QUERY ID/` below it: in a bucket of its own in a folder, which is
    /// all ours; on S3 where the settings say, or nowhere.
    pub(crate) fn results(&self) -> Result<Option<Location>> {
        match &self.place {
            Place::Folder(_) => Location::parse(RESULTS).map(Some),
            Place::S3 { results, .. } => Ok(results.clone()),
        }
    }

    /// Makes our error of a failed call of the store.
    pub(crate) fn failed(
        &self,
        operation: &'static str,
        location: Option<&Location>,
        error: object_store::Error,
    ) -> Error {
        match (&self.place, location) {
            (Place::Folder(folder), Some(location)) => {
                error::of(operation, Some(location), &folder.file(location), error)
            }
            (Place::Folder(folder), None) => error::of(operation, None, folder.root(), error),
            (Place::S3 { endpoint, .. }, location) => s3::error_of(operation, location, endpoint.as_deref(), error),
        }
    }

    /// Returns the address under which query engines register the store.
    ///
    /// # Errors
    /// None in practice: the text is constant.
    pub fn object_store_url() -> Result<ObjectStoreUrl> {
        ObjectStoreUrl::parse("suiro://warehouse/")
            .map_err(|error| Error::new(ErrorKind::External, "name the store", error.to_string()))
    }

    /// Returns the path of a location in the store.
    ///
    /// # Errors
    /// `InvalidInput` for a key that the store cannot hold.
    pub fn store_path(location: &Location) -> Result<object_store::path::Path> {
        let text = format!("{}/{}", location.bucket(), location.key());
        object_store::path::Path::parse(text.trim_end_matches('/')).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "read a location", format!("`{location}` cannot be a path: {error}"))
        })
    }

    /// Checks that an object can have this key: a folder cannot hold all that S3 does.
    ///
    /// # Errors
    /// `InvalidInput` for a key that no file can have.
    pub fn check_key(&self, location: &Location) -> Result<()> {
        match &self.place {
            Place::Folder(_) => staged::StagedFileSystem::check(&Self::store_path(location)?)
                .map_err(|error| self.failed("write an object", Some(location), error)),
            Place::S3 { .. } => Ok(()),
        }
    }

    /// Returns the location of a path in the store.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is no location: a file that somebody else put into the folder.
    pub fn location(path: &object_store::path::Path) -> Result<Location> {
        Location::parse(&format!("s3://{path}"))
    }

    /// Lists the objects below a prefix, ordered by key, hidden ones too.
    ///
    /// # Errors
    /// `PermissionDenied` or `External`; an absent prefix is an empty list.
    pub async fn list(&self, prefix: &Location) -> Result<Vec<Object>> {
        let prefix = prefix.as_prefix();
        let path = Self::store_path(&prefix)?;
        let mut listing = self.store.list(Some(&path));
        let mut objects = Vec::new();
        while let Some(meta) = listing.next().await {
            let meta = meta.map_err(|error| self.failed("list objects", Some(&prefix), error))?;
            let object = object_of(&prefix, &meta)?;
            if !self.is_folder_mark(&object).await? {
                objects.push(object);
            }
        }
        objects.sort_by(|left, right| left.location.cmp(&right.location));
        Ok(objects)
    }

    /// Lists the objects below a prefix that readers of a table see, ordered by key.
    ///
    /// # Errors
    /// As [`Storage::list`].
    pub async fn list_data(&self, prefix: &Location) -> Result<Vec<Object>> {
        let mut objects = self.list(prefix).await?;
        objects.retain(|object| !object.hidden);
        Ok(objects)
    }

    /// Refuses a place without objects whose bucket is not there; S3 itself refuses to list one.
    ///
    /// # Errors
    /// `NotFound` in words like those of Trino, which Athena is, and of S3; `External`.
    pub(crate) async fn require_bucket(&self, prefix: &Location) -> Result<()> {
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        let is_there = folder.has_bucket(prefix).await;
        if is_there.map_err(|error| Error::folder("look for a bucket", folder.root(), error))? {
            return Ok(());
        }
        let message = format!(
            "HIVE_FILESYSTEM_ERROR: Failed to list directory: {prefix}: The specified bucket does not exist (Service: S3, Status \
             Code: 404, Error Code: NoSuchBucket)"
        );
        let help = format!("make the bucket `{}`, or change the location to a bucket that is there", prefix.bucket());
        Err(Error::new(ErrorKind::NotFound, "list objects", message).help(help))
    }

    /// Tells whether readers of a table see an object below a prefix: of a long list only the beginning is asked for.
    ///
    /// # Errors
    /// As [`Storage::list`].
    pub async fn has_data(&self, prefix: &Location) -> Result<bool> {
        let prefix = prefix.as_prefix();
        let mut listing = self.store.list(Some(&Self::store_path(&prefix)?));
        while let Some(meta) = listing.next().await {
            let meta = meta.map_err(|error| self.failed("list objects", Some(&prefix), error))?;
            let object = object_of(&prefix, &meta)?;
            if !object.hidden && !self.is_folder_mark(&object).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether nothing at all is below a prefix, hidden or not.
    ///
    /// # Errors
    /// As [`Storage::list`].
    pub async fn is_empty(&self, prefix: &Location) -> Result<bool> {
        let prefix = prefix.as_prefix();
        let mut listing = self.store.list(Some(&Self::store_path(&prefix)?));
        match listing.next().await {
            None => Ok(true),
            Some(Ok(_)) => Ok(false),
            Some(Err(error)) => Err(self.failed("list objects", Some(&prefix), error)),
        }
    }

    /// Returns what is known of an object without reading it.
    ///
    /// # Errors
    /// `PermissionDenied` or `External`.
    pub async fn head(&self, location: &Location) -> Result<Option<Object>> {
        match self.store.head(&Self::store_path(location)?).await {
            Ok(meta) => {
                let parent = location.parent().unwrap_or_else(|| location.as_prefix());
                Ok(Some(object_of(&parent, &meta)?))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) if error::is_below_a_file(&error) => Ok(None),
            Err(error) => Err(self.failed("read an object", Some(location), error)),
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `External`.
    pub async fn read(&self, location: &Location) -> Result<Bytes> {
        let failed = |error| self.failed("read an object", Some(location), error);
        if let Place::Folder(folder) = &self.place {
            return folder.read(location).await.map_err(failed);
        }
        let result = self.store.get(&Self::store_path(location)?).await.map_err(failed)?;
        result.bytes().await.map_err(failed)
    }

    /// Reads an object as a stream of chunks.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `External`, at once or between chunks.
    pub async fn stream(&self, location: &Location) -> Result<futures::stream::BoxStream<'static, Result<Bytes>>> {
        let result = self
            .store
            .get(&Self::store_path(location)?)
            .await
            .map_err(|error| self.failed("read an object", Some(location), error))?;
        let (storage, location) = (self.clone(), location.clone());
        Ok(result.into_stream().map_err(move |error| storage.failed("read an object", Some(&location), error)).boxed())
    }

    /// Writes a whole object; when it returns, the object survives the loss of power.
    ///
    /// # Errors
    /// `AlreadyExists` with [`Put::Create`], `ResourcesExhausted` on a full disk, `PermissionDenied`, `External`.
    pub async fn put(&self, location: &Location, bytes: Bytes, put: Put) -> Result<()> {
        self.place(location, bytes, put).await?;
        self.sync(location).await
    }

    /// Writes a whole object that survives the loss of power only after [`Storage::sync_all`].
    async fn place(&self, location: &Location, bytes: Bytes, put: Put) -> Result<()> {
        let mode = match put {
            Put::Create => PutMode::Create,
            Put::Replace => PutMode::Overwrite,
        };
        let path = Self::store_path(location)?;
        let mut races = 0;
        loop {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            match self.store.put_opts(&path, bytes.clone().into(), options).await {
                Ok(_) => return Ok(()),
                // Another one writes the same object: the next try finds it, or is the first.
                Err(error) if races < RACES && s3::is_race(&error) => races += 1,
                Err(error) => return Err(self.failed("write an object", Some(location), error)),
            }
        }
    }

    /// Makes objects that were placed ([`ObjectWriter::place`]) survive the loss of power; many at once cost little more than a
    /// few. On S3 they do as soon as they are there.
    ///
    /// # Errors
    /// `NotFound` when one is not there, `ResourcesExhausted`, `External`.
    pub async fn sync_all(&self, locations: &[Location]) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => {
                let files = locations.iter().map(|location| folder.file(location)).collect();
                durable::sync_all(folder.root(), files).await
            }
            Place::S3 { .. } => Ok(()),
        }
    }

    /// Opens a writer that takes an object in pieces; nothing is visible before [`ObjectWriter::finish`].
    ///
    /// # Errors
    /// `InvalidInput` for a key that the store cannot hold.
    pub fn writer(&self, location: &Location) -> Result<ObjectWriter> {
        ObjectWriter::open(self.clone(), location)
    }

    /// Copies an object; the copy survives the loss of power.
    ///
    /// # Errors
    /// `NotFound`, `ResourcesExhausted`, `PermissionDenied`, `External`.
    pub async fn copy(&self, from: &Location, to: &Location) -> Result<()> {
        if self.folder().is_none() && from.bucket() == to.bucket() {
            let failed = |error| self.failed("copy an object", Some(from), error);
            let path = Self::store_path(from)?;
            let meta = self.store.head(&path).await.map_err(failed)?;
            if meta.size <= s3::LARGEST_COPY {
                return self.store.copy(&path, &Self::store_path(to)?).await.map_err(failed);
            }
        }
        // Byte by byte: the store's own copy makes a second name of the same file, and repeated over such a copy it leaves
        // a stray third one behind, because renaming a file to another name of itself does nothing (rename(2)).
        let mut bytes = self.stream(from).await?;
        let mut writer = self.writer(to)?;
        while let Some(chunk) = bytes.next().await {
            if let Err(error) = writer.write_all(&chunk?).await {
                return Err(writer.failed(error));
            }
        }
        writer.finish().await.map(|_bytes| ())
    }

    /// Deletes objects; those that are not there are passed over, so a repeated call ends well.
    ///
    /// # Errors
    /// `PermissionDenied` or `External`; some objects may be gone by then.
    pub async fn delete(&self, locations: &[Location]) -> Result<()> {
        if self.folder().is_none() {
            return s3::delete(self.store.as_ref(), locations).await;
        }
        for location in locations {
            match self.store.delete(&Self::store_path(location)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete an object", Some(location), error)),
            }
        }
        Ok(())
    }

    /// Tells whether what is below a prefix is ours to delete: a marker of suiro is on it or above it.
    ///
    /// # Errors
    /// As [`Storage::read`].
    pub async fn owns(&self, prefix: &Location) -> Result<bool> {
        marker::owned(self, &prefix.as_prefix()).await
    }

    /// Deletes everything below a prefix that carries our marker, the marker last; returns how many objects went.
    ///
    /// Repeating it after a stop goes on where it stopped.
    ///
    /// # Errors
    /// `InvalidInput` when the prefix does not end in `/`, is a bucket, or carries no marker of ours; `External`.
    pub async fn delete_prefix(&self, prefix: &Location) -> Result<usize> {
        if !prefix.key().ends_with('/') {
            return Err(refused(prefix, "it does not end in `/`"));
        }
        let objects = self.list(prefix).await?;
        if !marker::owned(self, prefix).await? {
            // A stop after the marker was deleted leaves an empty folder: nothing is left to own.
            return if objects.is_empty() {
                self.remove_folder(prefix).await.map(|()| 0)
            } else {
                Err(refused(prefix, "it carries no marker of suiro"))
            };
        }
        let (markers, others): (Vec<_>, Vec<_>) =
            objects.iter().map(|object| object.location.clone()).partition(|location| location.file_name() == MARKER);
        self.delete(&others).await?;
        self.delete(&markers).await?;
        self.remove_folder(prefix).await?;
        Ok(objects.len())
    }

    /// Removes the folder of a prefix: pieces of unfinished writes are no objects, but they take room. S3 has none.
    async fn remove_empty_folders(&self, prefix: &Location) -> Result<()> {
        match self.file(prefix) {
            Some(folder) => durable::remove_empty_dirs(&folder).await,
            None => Ok(()),
        }
    }

    async fn remove_folder(&self, prefix: &Location) -> Result<()> {
        match self.file(prefix) {
            Some(folder) => durable::remove_dir_all(&folder).await,
            None => Ok(()),
        }
    }

    /// Tells whether an object of a list is `name/`, which consoles make to show a folder: the store calls it `name`, and
    /// under that name nothing is there.
    async fn is_folder_mark(&self, object: &Object) -> Result<bool> {
        Ok(object.bytes == 0 && self.folder().is_none() && self.head(&object.location).await?.is_none())
    }

    /// Makes an object's bytes and name survive the loss of power.
    async fn sync(&self, location: &Location) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => durable::sync(folder.root(), &folder.file(location)).await,
            // What S3 has answered for is kept: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DataDurability.html>.
            Place::S3 { .. } => Ok(()),
        }
    }
}

fn refused(prefix: &Location, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "delete a prefix",
        format!("refused to delete everything below `{prefix}`: {why}"),
    )
}

#[cfg(test)]
mod tests;
