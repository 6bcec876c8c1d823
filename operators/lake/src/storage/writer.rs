//! Writes an object in pieces: it appears whole, when it is finished and kept, or not at all.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use object_store::buffered::BufWriter;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::parts::PartsWriter;
use super::{Place, Storage, error};
use crate::error::{Error, Result};
use crate::name::Location;

/// Takes the bytes of one object.
///
/// Dropped without [`ObjectWriter::finish`], it leaves no object.
#[derive(Debug)]
pub struct ObjectWriter {
    storage: Storage,
    location: Location,
    inner: Inner,
    bytes: u64,
}

#[derive(Debug)]
enum Inner {
    File(BufWriter),
    Parts(PartsWriter),
}

impl ObjectWriter {
    pub(super) fn open(storage: Storage, location: &Location) -> Result<Self> {
        storage.check_key(location)?;
        let (store, path) = (storage.object_store(), Storage::store_path(location)?);
        let inner = match storage.place {
            Place::Folder(_) => Inner::File(BufWriter::new(store, path)),
            Place::S3 { .. } => Inner::Parts(PartsWriter::new(store, path)),
        };
        Ok(Self { storage, location: location.clone(), inner, bytes: 0 })
    }

    /// Returns where it writes.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Returns how many bytes it has taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the object visible; when it returns, the object survives the loss of power. Returns its bytes.
    ///
    /// # Errors
    /// `ResourcesExhausted` on a full disk, `PermissionDenied`, `External`.
    pub async fn finish(self) -> Result<u64> {
        let (storage, location) = (self.storage.clone(), self.location.clone());
        let bytes = self.place().await?;
        storage.sync(&location).await?;
        Ok(bytes)
    }

    /// Makes the object visible; it survives the loss of power only after [`Storage::sync_all`]. Returns its bytes.
    ///
    /// # Errors
    /// As [`ObjectWriter::finish`].
    pub async fn place(mut self) -> Result<u64> {
        let ended = match &mut self.inner {
            Inner::File(writer) => writer.shutdown().await,
            Inner::Parts(writer) => writer.shutdown().await,
        };
        if let Err(error) = ended {
            return Err(self.failed(error));
        }
        Ok(self.bytes)
    }

    /// Gives up: what was written goes away.
    ///
    /// # Errors
    /// `External` when it cannot be removed.
    pub async fn abort(mut self) -> Result<()> {
        let aborted = match &mut self.inner {
            Inner::File(writer) => writer.abort().await,
            Inner::Parts(writer) => writer.abort().await,
        };
        aborted.map_err(|failed| self.storage.failed("give up an object", Some(&self.location), failed))
    }

    /// Makes our error of a failed write of this writer.
    pub fn failed(&self, failed: io::Error) -> Error {
        let failed = match self.storage.folder() {
            Some(_) => failed,
            // The store's error travels inside of the system's.
            None => match failed.downcast::<object_store::Error>() {
                Ok(failed) => return self.storage.failed("write an object", Some(&self.location), failed),
                Err(failed) => failed,
            },
        };
        let cause = error::io_cause(&failed).filter(|cause| cause.raw_os_error().is_some());
        let cause = cause.unwrap_or(&failed);
        let made = Error::new(
            crate::error::io_kind(cause),
            "write an object",
            format!("cannot write an object: {}", crate::error::io_text(cause)),
        )
        .with("location", self.location.to_string());
        let made = match self.storage.file(&self.location) {
            Some(file) => made.with("path", file.display().to_string()),
            None => made,
        };
        made.source(failed)
    }
}

impl AsyncWrite for ObjectWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.inner {
            Inner::File(writer) => Pin::new(writer).poll_write(cx, buffer),
            Inner::Parts(writer) => Pin::new(writer).poll_write(cx, buffer),
        };
        if let Poll::Ready(Ok(written)) = &polled {
            self.bytes += u64::try_from(*written).unwrap_or(u64::MAX);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::File(writer) => Pin::new(writer).poll_flush(cx),
            Inner::Parts(writer) => Pin::new(writer).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::File(writer) => Pin::new(writer).poll_shutdown(cx),
            Inner::Parts(writer) => Pin::new(writer).poll_shutdown(cx),
        }
    }
}
