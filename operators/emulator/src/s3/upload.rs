//! The bytes of an object on their way in: decoded, counted and compared with everything the client said of them.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use hyper::http::request::Parts;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::checksum::{Algorithm, Sum};
use crate::auth::UNSIGNED_PAYLOAD;
use crate::auth::canonical::header_value;
use crate::auth::chunked::{ChunkError, ChunkSigner, Decoder};
use crate::auth::digest::hex;
use crate::body::{BodyError, RequestBody, pieces};
use crate::error::{ApiError, ApiResult};

/// How long a document (a list of keys, of parts, of tags) may be.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// How the body of a request is written, as its header `x-amz-content-sha256` says.
#[derive(Debug)]
pub(super) enum Payload {
    /// As it is; perhaps with its SHA-256.
    Plain(Option<String>),
    /// In pieces with their sizes.
    Chunked {
        /// Whether each piece is signed.
        signed: bool,
        /// What the signatures are checked with, when they are.
        signer: Option<ChunkSigner>,
    },
}

impl Payload {
    /// Reads what a request says of its body; the text is what stands for the body under the signature.
    pub(super) fn of(parts: &Parts) -> ApiResult<(Self, String)> {
        let text = header_value(parts, "x-amz-content-sha256").unwrap_or_else(|| UNSIGNED_PAYLOAD.to_owned());
        let payload = match text.as_str() {
            UNSIGNED_PAYLOAD => Self::Plain(None),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => {
                Self::Chunked { signed: true, signer: None }
            }
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::Chunked { signed: false, signer: None },
            hash if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Self::Plain(Some(hash.to_ascii_lowercase()))
            }
            other => {
                return Err(ApiError::client(
                    "InvalidArgument",
                    format!("`x-amz-content-sha256: {}` is not one that is taken here", other.escape_debug()),
                ));
            }
        };
        Ok((payload, text))
    }

    /// Takes what the signatures of pieces are checked with.
    pub(super) fn signed_with(self, signer: Option<ChunkSigner>) -> Self {
        match self {
            Self::Chunked { signed, .. } => Self::Chunked { signed, signer },
            plain @ Self::Plain(_) => plain,
        }
    }
}

/// What was found of an object's bytes.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) md5: [u8; 16],
    /// The checksum that the client sent, which holds.
    pub(super) checksum: Option<(Algorithm, String)>,
}

/// A checksum that the client sent, or will send behind the bytes.
struct Check {
    algorithm: Algorithm,
    sum: Sum,
    expected: Option<String>,
}

/// The bytes of an object on their way in.
pub(super) struct Upload {
    pieces: BoxStream<'static, Result<Bytes, BodyError>>,
    decoder: Option<Decoder>,
    decoded: VecDeque<Bytes>,
    md5: Md5,
    sha256: Option<(Sha256, String)>,
    check: Option<Check>,
    bytes: u64,
    expected_bytes: Option<u64>,
    expected_md5: Option<String>,
}

impl Upload {
    pub(super) fn new(parts: &Parts, payload: Payload, body: RequestBody) -> ApiResult<Self> {
        let number = |name: &str| -> ApiResult<Option<u64>> {
            let wrong = || ApiError::client("InvalidArgument", format!("the header `{name}` is no number"));
            header_value(parts, name).map(|text| text.parse().map_err(|_| wrong())).transpose()
        };
        let (decoder, sha256, expected_bytes) = match payload {
            Payload::Plain(hash) => (None, hash.map(|hash| (Sha256::new(), hash)), number("content-length")?),
            Payload::Chunked { signed, signer } => {
                (Some(Decoder::new(signer, signed)), None, number("x-amz-decoded-content-length")?)
            }
        };
        let announced = header_value(parts, "x-amz-trailer").map(|names| names.to_ascii_lowercase());
        let check = Algorithm::ALL.into_iter().find_map(|algorithm| {
            let expected = header_value(parts, algorithm.header());
            let comes =
                announced.as_ref().is_some_and(|names| names.split(',').any(|name| name.trim() == algorithm.header()));
            (expected.is_some() || comes).then(|| Check { algorithm, sum: algorithm.start(), expected })
        });
        Ok(Self {
            pieces: stream(body).boxed(),
            decoder,
            decoded: VecDeque::new(),
            md5: Md5::new(),
            sha256,
            check,
            bytes: 0,
            expected_bytes,
            expected_md5: header_value(parts, "content-md5"),
        })
    }

    /// Returns the next piece of the object.
    pub(super) async fn next(&mut self) -> ApiResult<Option<Bytes>> {
        loop {
            if let Some(piece) = self.decoded.pop_front() {
                self.md5.update(&piece);
                if let Some((sha256, _)) = &mut self.sha256 {
                    sha256.update(&piece);
                }
                if let Some(check) = &mut self.check {
                    check.sum.update(&piece);
                }
                self.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if self.expected_bytes.is_some_and(|expected| self.bytes > expected) {
                    return Err(incomplete("it is longer than it was said to be"));
                }
                return Ok(Some(piece));
            }
            let Some(piece) = self.pieces.next().await else { return Ok(None) };
            let piece = piece.map_err(|error| incomplete(&format!("it broke off: {error}")))?;
            match &mut self.decoder {
                Some(decoder) => self.decoded.extend(decoder.push(&piece).map_err(chunk_error)?),
                None => self.decoded.push_back(piece),
            }
        }
    }

    /// Compares the bytes with what was said of them, once all are read.
    pub(super) fn finish(self) -> ApiResult<Found> {
        let trailers = self.decoder.map_or_else(|| Ok(Vec::new()), |decoder| decoder.finish().map_err(chunk_error))?;
        if let Some(expected) = self.expected_bytes.filter(|expected| *expected != self.bytes) {
            return Err(incomplete(&format!("expected {expected} bytes, found {}", self.bytes)));
        }
        let md5: [u8; 16] = self.md5.finalize().into();
        if self.expected_md5.is_some_and(|expected| expected.trim() != STANDARD.encode(md5)) {
            return Err(ApiError::client("BadDigest", "The Content-MD5 you specified did not match what we received."));
        }
        if let Some((sha256, expected)) = self.sha256
            && hex(&sha256.finalize()) != expected
        {
            return Err(ApiError::client(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ));
        }
        let checksum = match self.check {
            None => None,
            Some(check) => {
                let header = check.algorithm.header();
                let behind = || trailers.iter().find(|(name, _)| name == header).map(|(_, value)| value.clone());
                let found = check.sum.finish();
                if check.expected.or_else(behind).is_none_or(|expected| expected != found) {
                    return Err(ApiError::client(
                        "BadDigest",
                        format!("The `{header}` you specified did not match what we received."),
                    ));
                }
                Some((check.algorithm, found))
            }
        };
        Ok(Found { md5, checksum })
    }

    /// Reads a whole document.
    pub(super) async fn document(mut self) -> ApiResult<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            if bytes.len() + piece.len() > MAX_DOCUMENT_BYTES {
                return Err(ApiError::client("MaxMessageLengthExceeded", "Your request was too big."));
            }
            bytes.extend_from_slice(&piece);
        }
        self.finish()?;
        Ok(bytes)
    }
}

fn stream(body: RequestBody) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    pieces(body)
}

fn incomplete(why: &str) -> ApiError {
    ApiError::client("IncompleteBody", format!("the body is not what was announced: {why}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn chunk_error(error: ChunkError) -> ApiError {
    match error {
        ChunkError::Malformed(why) => incomplete(why),
        ChunkError::Truncated => incomplete("it ends too early"),
        ChunkError::Signature => ApiError::new(
            hyper::StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "the signature of a piece of the body is not the one it should be",
        ),
    }
}
