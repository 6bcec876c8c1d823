//! Objects by [`Location`]: `s3://bucket/key` is `WAREHOUSE/s3/bucket/key` on the embedded lake.
//!
//! What a call reports as written survives the loss of power: the file and every folder above it are on the disk. It
//! knows no tables and no formats.

mod durable;
mod error;
mod marker;
mod staged;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::io::AsyncWriteExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;

pub(crate) use marker::is_version_name;
pub use marker::{MARKER, Marker, MarkerKind, PlaceRecord};
pub use writer::ObjectWriter;

/// An object in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Where.
    pub location: Location,
    /// Its bytes.
    pub bytes: u64,
    /// When it was last changed, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Whether a part of its name below the listed prefix starts with `_` or `.`: readers of tables pass over it.
    pub hidden: bool,
}

/// What a put does when the object is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It fails with `AlreadyExists`.
    Create,
    /// It replaces the object.
    Replace,
}

/// The objects of a lake.
#[derive(Debug, Clone)]
pub struct Storage {
    root: PathBuf,
    store: Arc<dyn ObjectStore>,
}

impl Storage {
    /// Opens the folder of a warehouse; makes it when it is not there.
    ///
    /// # Errors
    /// `PermissionDenied`, `ResourcesExhausted` or `External` with the path, when it cannot be made.
    pub async fn open(warehouse: &Path) -> Result<Self> {
        let root = warehouse.join("s3");
        durable::create_dir_all(&root).await?;
        let root =
            tokio::fs::canonicalize(&root).await.map_err(|error| Error::io("open the warehouse", &root, error))?;
        let store = staged::StagedFileSystem::open(&root)
            .map_err(|error| error::of("open the warehouse", None, &root, error))?;
        Ok(Self { root, store: Arc::new(store) })
    }

    /// Returns the store behind it; paths in it are `bucket/key`.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Returns the folder of all buckets.
    pub fn root(&self) -> &Path {
        &self.root
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

    /// Returns the location of a path in the store.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is no location: a file that somebody else put into the folder.
    pub fn location(path: &object_store::path::Path) -> Result<Location> {
        Location::parse(&format!("s3://{path}"))
    }

    /// Returns the file of a location, for messages and for outside readers.
    pub fn file(&self, location: &Location) -> PathBuf {
        // INVARIANT: a `Location` has no empty, `.` or `..` part, so this stays below the root.
        self.root.join(location.bucket()).join(location.key())
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
            let meta = meta.map_err(|error| error::of("list objects", Some(&prefix), &self.file(&prefix), error))?;
            objects.push(object_of(&prefix, &meta)?);
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
            Some(Err(error)) => Err(error::of("list objects", Some(&prefix), &self.file(&prefix), error)),
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
            Err(error) => Err(error::of("read an object", Some(location), &self.file(location), error)),
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `External`.
    pub async fn read(&self, location: &Location) -> Result<Bytes> {
        let failed = |error| error::of("read an object", Some(location), &self.file(location), error);
        let result = self.store.get(&Self::store_path(location)?).await.map_err(failed)?;
        result.bytes().await.map_err(failed)
    }

    /// Reads an object as a stream of chunks.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` or `External`, at once or between chunks.
    pub async fn stream(&self, location: &Location) -> Result<futures::stream::BoxStream<'static, Result<Bytes>>> {
        let file = self.file(location);
        let result = self
            .store
            .get(&Self::store_path(location)?)
            .await
            .map_err(|error| error::of("read an object", Some(location), &file, error))?;
        let location = location.clone();
        Ok(result
            .into_stream()
            .map_err(move |error| error::of("read an object", Some(&location), &file, error))
            .boxed())
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
        let options = PutOptions {
            mode: match put {
                Put::Create => PutMode::Create,
                Put::Replace => PutMode::Overwrite,
            },
            ..PutOptions::default()
        };
        self.store
            .put_opts(&Self::store_path(location)?, bytes.into(), options)
            .await
            .map_err(|error| error::of("write an object", Some(location), &self.file(location), error))?;
        Ok(())
    }

    /// Makes objects that were placed ([`ObjectWriter::place`]) survive the loss of power; many at once cost little more than a
    /// few.
    ///
    /// # Errors
    /// `NotFound` when one is not there, `ResourcesExhausted`, `External`.
    pub async fn sync_all(&self, locations: &[Location]) -> Result<()> {
        durable::sync_all(&self.root, locations.iter().map(|location| self.file(location)).collect()).await
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
        for location in locations {
            match self.store.delete(&Self::store_path(location)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    return Err(error::of("delete an object", Some(location), &self.file(location), error));
                }
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
                durable::remove_dir_all(&self.file(prefix)).await.map(|()| 0)
            } else {
                Err(refused(prefix, "it carries no marker of suiro"))
            };
        }
        let (markers, others): (Vec<_>, Vec<_>) =
            objects.iter().map(|object| object.location.clone()).partition(|location| location.file_name() == MARKER);
        self.delete(&others).await?;
        self.delete(&markers).await?;
        // Pieces of unfinished writes are no objects, but they take room.
        durable::remove_dir_all(&self.file(prefix)).await?;
        Ok(objects.len())
    }

    /// Makes an object's bytes and name survive the loss of power.
    async fn sync(&self, location: &Location) -> Result<()> {
        durable::sync(&self.root, &self.file(location)).await
    }
}

fn refused(prefix: &Location, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "delete a prefix",
        format!("refused to delete everything below `{prefix}`: {why}"),
    )
}

fn object_of(prefix: &Location, meta: &ObjectMeta) -> Result<Object> {
    let location = Storage::location(&meta.location)?;
    let below = location.key().strip_prefix(prefix.key()).unwrap_or(location.key());
    let hidden = below.split('/').any(|part| part.starts_with(['_', '.']));
    Ok(Object { hidden, bytes: meta.size, modified_ms: meta.last_modified.timestamp_millis(), location })
}

#[cfg(test)]
mod tests;
