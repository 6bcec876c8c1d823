//! Bodies of requests and answers.

mod wire;

use std::io;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Body, Frame};

pub(crate) use wire::Wire;

/// What reading a body may fail with.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request.
pub(crate) type RequestBody = BoxBody<Bytes, BodyError>;

/// The body of an answer.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// Makes a body of bytes that are there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Makes a body without bytes.
pub(crate) fn empty() -> ResponseBody {
    full(Bytes::new())
}

/// Makes a body of a stream.
pub(crate) fn stream(bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> ResponseBody {
    StreamBody::new(bytes.map_ok(Frame::data)).boxed_unsync()
}

/// Makes the body of a request of bytes that were read before.
pub(crate) fn again(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// Makes the body of a request of what came over the wire.
pub(crate) fn incoming<B>(body: B) -> RequestBody
where
    B: Body<Data = Bytes> + Send + Sync + 'static,
    B::Error: Into<BodyError>,
{
    body.map_err(Into::into).boxed()
}

/// Returns the pieces of a body; trailers of the HTTP message are passed over.
pub(crate) fn pieces(body: RequestBody) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin {
    BodyStream::new(body)
        .filter_map(|frame| futures::future::ready(frame.map(|frame| frame.into_data().ok()).transpose()))
}

/// Why a body could not be read whole.
#[derive(Debug)]
pub(crate) enum CollectError {
    /// It is longer than allowed.
    TooLong {
        /// How long it may be.
        limit: usize,
    },
    /// It broke off.
    Broken(BodyError),
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn collect(body: RequestBody, limit: usize) -> Result<Bytes, CollectError> {
    let mut pieces = pieces(body);
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(CollectError::Broken)?;
        if all.len() + piece.len() > limit {
            return Err(CollectError::TooLong { limit });
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.freeze())
}
