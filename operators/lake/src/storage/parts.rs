//! Sends an object in parts while it is written, with a bounded number of bytes in memory.
//!
//! S3 takes at most 10,000 parts, each of 5 MiB or more but the last
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>). Parts start small, so that writing many objects at a
//! time stays cheap, and double every thousand: 8 TB fit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMultipartOptions};
use tokio::io::AsyncWrite;
use tokio::task::JoinSet;

/// The size of the first parts.
const FIRST_PART: usize = 8 << 20;

/// After how many parts they double.
const DOUBLES_AFTER: u32 = 1000;

/// How many bytes are under way at a time, besides the part that is being filled; one part always may.
const UNDER_WAY: usize = 32 << 20;

type Upload = Box<dyn MultipartUpload>;

/// Writes one object.
pub(super) struct PartsWriter {
    store: Arc<dyn ObjectStore>,
    path: Path,
    buffer: BytesMut,
    sent: u32,
    under_way: JoinSet<object_store::Result<()>>,
    state: State,
}

enum State {
    /// Nothing was sent yet: an object that fits one part is put at once.
    Small,
    Starting(BoxFuture<'static, object_store::Result<Upload>>),
    Started(Upload),
    Ending(BoxFuture<'static, object_store::Result<()>>),
    Over,
}

impl std::fmt::Debug for PartsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartsWriter").field("path", &self.path).field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// Returns the size of the part of a number, from 0.
fn part_size(number: u32) -> usize {
    FIRST_PART << (number / DOUBLES_AFTER).min(20)
}

impl PartsWriter {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, buffer: BytesMut::new(), sent: 0, under_way: JoinSet::new(), state: State::Small }
    }

    /// Sends the part that was filled, as soon as there is room for it.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<object_store::Result<()>> {
        loop {
            match &mut self.state {
                State::Small => {
                    let (store, path) = (Arc::clone(&self.store), self.path.clone());
                    let start = async move { store.put_multipart_opts(&path, PutMultipartOptions::default()).await };
                    self.state = State::Starting(start.boxed());
                }
                State::Starting(start) => match ready!(start.poll_unpin(cx)) {
                    Ok(upload) => self.state = State::Started(upload),
                    Err(error) => {
                        self.state = State::Over;
                        return Poll::Ready(Err(error));
                    }
                },
                State::Started(upload) => {
                    let at_once = (UNDER_WAY / part_size(self.sent)).max(1);
                    while self.under_way.len() >= at_once {
                        match ready!(self.under_way.poll_join_next(cx)) {
                            Some(result) => joined(result)?,
                            None => break,
                        }
                    }
                    let part = std::mem::take(&mut self.buffer).freeze();
                    self.under_way.spawn(upload.put_part(part.into()));
                    self.sent += 1;
                    return Poll::Ready(Ok(()));
                }
                State::Ending(_) | State::Over => return Poll::Ready(Err(over())),
            }
        }
    }

    /// Gives up: what was sent goes away.
    pub(super) async fn abort(&mut self) -> object_store::Result<()> {
        self.under_way.shutdown().await;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Starting(start) => start.await?.abort().await,
            State::Started(mut upload) => upload.abort().await,
            State::Small | State::Ending(_) | State::Over => Ok(()),
        }
    }

    fn start_ending(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Over);
        let rest = std::mem::take(&mut self.buffer).freeze();
        let mut under_way = std::mem::take(&mut self.under_way);
        self.state = match state {
            State::Small => {
                let (store, path) = (Arc::clone(&self.store), self.path.clone());
                State::Ending(async move { store.put(&path, rest.into()).await.map(|_| ()) }.boxed())
            }
            State::Started(mut upload) => {
                if !rest.is_empty() {
                    under_way.spawn(upload.put_part(rest.into()));
                }
                State::Ending(async move { complete(upload, under_way).await }.boxed())
            }
            other => other,
        };
    }
}

async fn complete(mut upload: Upload, mut parts: JoinSet<object_store::Result<()>>) -> object_store::Result<()> {
    let mut sent = Ok(());
    while let Some(result) = parts.join_next().await {
        if sent.is_ok() {
            sent = joined(result);
        }
    }
    let ended = match sent {
        Ok(()) => upload.complete().await.map(|_| ()),
        Err(error) => Err(error),
    };
    if ended.is_err()
        && let Err(error) = upload.abort().await
    {
        tracing::warn!(%error, "an upload in parts could not be given up: its parts stay until a rule of the bucket removes them");
    }
    ended
}

fn joined(result: Result<object_store::Result<()>, tokio::task::JoinError>) -> object_store::Result<()> {
    result.unwrap_or_else(|error| Err(object_store::Error::JoinError { source: error }))
}

fn over() -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: "the object was ended already".into() }
}

impl AsyncWrite for PartsWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let size = part_size(self.sent);
        if self.buffer.len() >= size {
            ready!(self.poll_send(cx))?;
        }
        if matches!(self.state, State::Ending(_) | State::Over) {
            return Poll::Ready(Err(over().into()));
        }
        let taken = bytes.len().min(part_size(self.sent).saturating_sub(self.buffer.len()));
        self.buffer.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A part below 5 MiB must be the last one: what is buffered goes with the end.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Small | State::Started(_) => self.start_ending(),
                State::Starting(start) => match ready!(start.poll_unpin(cx)) {
                    Ok(upload) => self.state = State::Started(upload),
                    Err(error) => {
                        self.state = State::Over;
                        return Poll::Ready(Err(error.into()));
                    }
                },
                State::Ending(ending) => {
                    let ended = ready!(ending.poll_unpin(cx));
                    self.state = State::Over;
                    return Poll::Ready(ended.map_err(io::Error::from));
                }
                State::Over => return Poll::Ready(Err(over().into())),
            }
        }
    }
}

impl Drop for PartsWriter {
    fn drop(&mut self) {
        let State::Started(mut upload) = std::mem::replace(&mut self.state, State::Over) else { return };
        let mut under_way = std::mem::take(&mut self.under_way);
        // Without a runtime the process is ending: a rule of the bucket removes the parts then.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                under_way.shutdown().await;
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "an upload in parts could not be given up");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[test]
    fn ten_thousand_parts_hold_more_than_an_object_may_have() {
        let total: u64 = (0..10_000).map(|number| part_size(number) as u64).sum();
        assert!(total > 5 << 40, "{total}");
        assert_eq!(part_size(0), part_size(999));
        assert_eq!(part_size(1000), 2 * part_size(0));
    }

    #[tokio::test]
    async fn what_is_written_in_pieces_reads_back_whole() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for bytes in [0_usize, 10, FIRST_PART, 5 * FIRST_PART + 3] {
            let path = Path::from(format!("b/{bytes}"));
            let content: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut writer = PartsWriter::new(Arc::clone(&store), path.clone());
            for piece in content.chunks(3 << 20) {
                writer.write_all(piece).await.unwrap();
            }
            store.head(&path).await.unwrap_err();
            writer.shutdown().await.unwrap();
            writer.write_all(b"more").await.unwrap_err();
            assert!(store.get(&path).await.unwrap().bytes().await.unwrap() == content, "{bytes}");
        }
    }

    #[tokio::test]
    async fn what_is_given_up_is_not_there() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let path = Path::from("b/k");
        let mut writer = PartsWriter::new(Arc::clone(&store), path.clone());
        writer.write_all(&vec![1; 2 * FIRST_PART + 1]).await.unwrap();
        writer.abort().await.unwrap();
        drop(writer);
        store.head(&path).await.unwrap_err();
    }
}
