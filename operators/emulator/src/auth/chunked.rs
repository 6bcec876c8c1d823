//! Bodies in `aws-chunked`: pieces with their sizes, perhaps signed one by one, perhaps with trailers at the end.
//!
//! The form and its signatures: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>.

use bytes::{Buf as _, Bytes, BytesMut};
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use super::canonical::empty_sha256;
use super::digest::{hex, sha256_hex, unhex};
use super::mac;

/// How long the line before a piece, or a trailer, may be.
const MAX_LINE_BYTES: usize = 4096;

/// How many trailers there may be.
const MAX_TRAILERS: usize = 16;

/// What the signatures of pieces are checked with: each covers the one before.
#[derive(Clone)]
pub(crate) struct ChunkSigner {
    key: Vec<u8>,
    time: String,
    scope: String,
    previous: String,
}

impl std::fmt::Debug for ChunkSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkSigner").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl ChunkSigner {
    pub(super) fn new(key: Vec<u8>, time: String, scope: String, seed: String) -> Self {
        Self { key, time, scope, previous: seed }
    }

    /// Checks the signature of a piece or of the trailers, and goes on from it.
    fn check(&mut self, text: &str, signature: &str) -> Result<(), ChunkError> {
        let expected = unhex(signature).ok_or(ChunkError::Signature)?;
        mac(&self.key, text.as_bytes()).verify_slice(&expected).map_err(|_| ChunkError::Signature)?;
        signature.clone_into(&mut self.previous);
        Ok(())
    }

    fn check_piece(&mut self, sha256: &str, signature: &str) -> Result<(), ChunkError> {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{sha256}",
            self.time,
            self.scope,
            self.previous,
            empty_sha256()
        );
        self.check(&text, signature)
    }

    fn check_trailers(&mut self, trailers: &[(String, String)], signature: &str) -> Result<(), ChunkError> {
        let lines: String =
            trailers.iter().flat_map(|(name, value)| [name.as_str(), ":", value.as_str(), "\n"]).collect();
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.time,
            self.scope,
            self.previous,
            sha256_hex(lines.as_bytes())
        );
        self.check(&text, signature)
    }
}

/// Why a body cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChunkError {
    /// It is not in the form.
    Malformed(&'static str),
    /// A signature is not the one it should be.
    Signature,
    /// It ends too early.
    Truncated,
}

/// Where in the form the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the line of a piece.
    Size,
    /// In a piece, with so many bytes to go.
    Data(u64),
    /// Before the line end after a piece.
    DataEnd,
    /// After the last piece.
    Trailers,
    /// After all.
    Done,
}

/// Takes the bytes of a body as they come and gives back those that were meant.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// None when signatures are not checked.
    signer: Option<ChunkSigner>,
    /// Whether pieces carry signatures.
    signed: bool,
    state: State,
    buffer: BytesMut,
    piece: Sha256,
    signature: Option<String>,
    trailers: Vec<(String, String)>,
}

impl Decoder {
    /// Makes a decoder; `signed` says whether the pieces carry signatures.
    pub(crate) fn new(signer: Option<ChunkSigner>, signed: bool) -> Self {
        Self {
            signer: signer.filter(|_| signed),
            signed,
            state: State::Size,
            buffer: BytesMut::new(),
            piece: Sha256::new(),
            signature: None,
            trailers: Vec::new(),
        }
    }

    /// Takes bytes, and returns those of pieces. What is returned is sound only when [`Decoder::finish`] says so.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Bytes>, ChunkError> {
        self.buffer.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = self.line()? else { return Ok(out) };
                    self.start_piece(&line)?;
                }
                State::Data(left) => {
                    let here = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    if here == 0 {
                        return Ok(out);
                    }
                    let data = self.buffer.split_to(here).freeze();
                    if self.signer.is_some() {
                        self.piece.update(&data);
                    }
                    out.push(data);
                    let left = left - u64::try_from(here).unwrap_or(left);
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                }
                State::DataEnd => {
                    if self.buffer.len() < 2 {
                        return Ok(out);
                    }
                    if !self.buffer.starts_with(b"\r\n") {
                        return Err(ChunkError::Malformed("expected a line end after a piece"));
                    }
                    self.buffer.advance(2);
                    self.end_piece()?;
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some(line) = self.line()? else { return Ok(out) };
                    self.trailer(&line)?;
                }
                State::Done => {
                    return if self.buffer.is_empty() {
                        Ok(out)
                    } else {
                        Err(ChunkError::Malformed("found bytes after the end"))
                    };
                }
            }
        }
    }

    /// Ends the body, and returns its trailers.
    pub(crate) fn finish(mut self) -> Result<Vec<(String, String)>, ChunkError> {
        // Some clients leave out the last line end when there are no trailers.
        if self.state == State::Trailers && self.buffer.is_empty() {
            self.end_trailers()?;
        }
        if self.state == State::Done { Ok(self.trailers) } else { Err(ChunkError::Truncated) }
    }

    /// Takes a line without its end out of the buffer, when it is there whole.
    fn line(&mut self) -> Result<Option<String>, ChunkError> {
        let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") else {
            return if self.buffer.len() > MAX_LINE_BYTES {
                Err(ChunkError::Malformed("a line is too long"))
            } else {
                Ok(None)
            };
        };
        if end > MAX_LINE_BYTES {
            return Err(ChunkError::Malformed("a line is too long"));
        }
        let line = self.buffer.split_to(end);
        self.buffer.advance(2);
        let line = std::str::from_utf8(&line).map_err(|_| ChunkError::Malformed("a line is not text"))?;
        Ok(Some(line.to_owned()))
    }

    fn start_piece(&mut self, line: &str) -> Result<(), ChunkError> {
        let (size, rest) = line.split_once(';').unwrap_or((line, ""));
        let size = u64::from_str_radix(size.trim(), 16)
            .map_err(|_| ChunkError::Malformed("expected the size of a piece in hexadecimal digits"))?;
        self.signature = rest.trim().strip_prefix("chunk-signature=").map(str::to_owned);
        if self.signed && self.signature.is_none() {
            return Err(ChunkError::Malformed("expected `;chunk-signature=` after the size of a piece"));
        }
        self.piece = Sha256::new();
        if size > 0 {
            self.state = State::Data(size);
        } else {
            self.end_piece()?;
            self.state = State::Trailers;
        }
        Ok(())
    }

    fn end_piece(&mut self) -> Result<(), ChunkError> {
        let sha256 = std::mem::take(&mut self.piece).finalize();
        match (&mut self.signer, &self.signature) {
            (Some(signer), Some(signature)) => signer.check_piece(&hex(&sha256), signature),
            _ => Ok(()),
        }
    }

    fn trailer(&mut self, line: &str) -> Result<(), ChunkError> {
        if line.is_empty() {
            return self.end_trailers();
        }
        let (name, value) = line.split_once(':').ok_or(ChunkError::Malformed("expected a trailer `name:value`"))?;
        if self.trailers.len() >= MAX_TRAILERS {
            return Err(ChunkError::Malformed("there are too many trailers"));
        }
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn end_trailers(&mut self) -> Result<(), ChunkError> {
        let mut trailers = std::mem::take(&mut self.trailers);
        let signature = trailers.iter().position(|(name, _)| name == "x-amz-trailer-signature");
        let signature = signature.map(|index| trailers.remove(index).1);
        if let Some(signer) = self.signer.as_mut().filter(|_| !trailers.is_empty()) {
            signer.check_trailers(&trailers, &signature.ok_or(ChunkError::Signature)?)?;
        }
        self.trailers = trailers;
        self.state = State::Done;
        Ok(())
    }
}
