//! The body of a request as it stands on the connection: whoever reads it may stop anywhere, and what is left is still there.
//!
//! What an answer leaves unread would be taken for the next request on the same connection, or the other way round: a client
//! that sends `Expect: 100-continue` and is refused sends no body, so the first bytes of its next request would be read as
//! that body. So the rest is read and thrown away when it is on its way; else the connection ends with the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::poll_fn;
use hyper::body::{Body, Frame, SizeHint};

/// How many bytes nobody reads are thrown away: more than the parts that clients send.
const MOST_THROWN_AWAY: usize = 128 << 20;

/// How long that may take.
const LONGEST: Duration = Duration::from_secs(10);

/// A body that stays when its reader goes. Cheap to clone: all read the same.
#[derive(Debug)]
pub(crate) struct Wire<B> {
    shared: Arc<Mutex<Shared<B>>>,
}

#[derive(Debug)]
struct Shared<B> {
    body: B,
    is_begun: bool,
    has_ended: bool,
}

impl<B> Clone for Wire<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Wire<B> {
    pub(crate) fn new(body: B) -> Self {
        let has_ended = body.is_end_stream();
        Self { shared: Arc::new(Mutex::new(Shared { body, is_begun: false, has_ended })) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared<B>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether nothing is left to read, without reading.
    pub(crate) fn is_empty(&self) -> bool {
        self.shared().has_ended
    }

    /// Reads what nobody has read and throws it away. Says whether nothing is left, so that another request may follow.
    ///
    /// A client that waits to be told to send (`waits`) and was not told sends nothing: there is nothing to read.
    pub(crate) async fn is_read_out(&self, waits: bool) -> bool {
        {
            let shared = self.shared();
            if shared.has_ended || (waits && !shared.is_begun) {
                return shared.has_ended;
            }
        }
        let rest = async {
            let mut thrown_away = 0;
            while thrown_away <= MOST_THROWN_AWAY {
                match poll_fn(|context| self.shared().poll(context)).await {
                    Some(Ok(frame)) => thrown_away += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
            false
        };
        tokio::time::timeout(LONGEST, rest).await.unwrap_or(false)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Shared<B> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.is_begun = true;
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.has_ended = matches!(polled, Poll::Ready(None)) || self.body.is_end_stream();
        polled
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Wire<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.shared().poll(context)
    }

    fn is_end_stream(&self) -> bool {
        self.shared().has_ended
    }

    fn size_hint(&self) -> SizeHint {
        self.shared().body.size_hint()
    }
}
