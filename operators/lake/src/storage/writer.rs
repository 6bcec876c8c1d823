//! Writes an object in pieces: it appears whole, when it is finished and on the disk, or not at all.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use object_store::buffered::BufWriter;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Storage, error};
use crate::error::{Error, Result};
use crate::name::Location;

/// Takes the bytes of one object.
///
/// Dropped without [`ObjectWriter::finish`], it leaves no object.
#[derive(Debug)]
pub struct ObjectWriter {
    storage: Storage,
    location: Location,
    inner: BufWriter,
    bytes: u64,
}

impl ObjectWriter {
    pub(super) fn open(storage: Storage, location: &Location) -> Result<Self> {
        let inner = BufWriter::new(storage.object_store(), Storage::store_path(location)?);
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
        if let Err(error) = self.inner.shutdown().await {
            return Err(self.failed(error));
        }
        Ok(self.bytes)
    }

    /// Gives up: what was written goes away.
    ///
    /// # Errors
    /// `External` when it cannot be removed.
    pub async fn abort(mut self) -> Result<()> {
        self.inner.abort().await.map_err(|failed| {
            error::of("give up an object", Some(&self.location), &self.storage.file(&self.location), failed)
        })
    }

    /// Makes our error of a failed write of this writer.
    pub fn failed(&self, failed: io::Error) -> Error {
        let file = self.storage.file(&self.location);
        let made = match error::io_cause(&failed) {
            Some(io) if io.raw_os_error().is_some() => Error::new(
                crate::error::io_kind(io),
                "write an object",
                format!("cannot write an object: {}", crate::error::io_text(io)),
            ),
            _ => Error::new(
                crate::error::io_kind(&failed),
                "write an object",
                format!("cannot write an object: {}", crate::error::io_text(&failed)),
            ),
        };
        made.with("location", self.location.to_string()).with("path", file.display().to_string()).source(failed)
    }
}

impl AsyncWrite for ObjectWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buffer);
        if let Poll::Ready(Ok(written)) = &polled {
            self.bytes += u64::try_from(*written).unwrap_or(u64::MAX);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
