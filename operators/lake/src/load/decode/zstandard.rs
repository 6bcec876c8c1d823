//! The frames of a zstd file one after the other, and what may follow the last of them: nothing.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{Decoder, InBuffer, Operation as _, OutBuffer};

use super::FollowedBySomething;

/// What a frame begins with (RFC 8878, section 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// What a frame to be passed over begins with, the lower half of its first byte left out (RFC 8878, section 3.1.2). Programs that
/// write frames side by side keep their tables in such, at the start or at the end of the file.
const SKIPPABLE: [u8; 4] = [0x50, 0x2A, 0x4D, 0x18];

/// Tells whether a file is one of zstd's.
pub(super) fn is_start(start: &[u8]) -> bool {
    start.len() >= MAGIC.len() && begins_frame(start)
}

/// Tells whether bytes are the beginning of a frame, as far as they go.
fn begins_frame(bytes: &[u8]) -> bool {
    let begins = |magic: [u8; 4], mask: u8| {
        let first = bytes.first().is_none_or(|first| first & mask == magic[0]);
        first && bytes.iter().zip(magic).skip(1).all(|(found, expected)| *found == expected)
    };
    begins(MAGIC, 0xFF) || begins(SKIPPABLE, 0xF0)
}

/// Decodes all frames.
///
/// The library's own reader takes whatever follows a frame for the header of the next, so that a few bytes too many look like a
/// file that was cut off.
pub(super) struct Frames<R> {
    raw: R,
    decoder: Decoder<'static>,
    is_between: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(raw: R) -> io::Result<Self> {
        Ok(Self { raw, decoder: Decoder::new()?, is_between: true })
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.raw.fill_buf()?;
            let is_end = input.is_empty();
            if self.is_between {
                if is_end || buffer.is_empty() {
                    return Ok(0);
                }
                // The input may hold but the first bytes of a header; then the decoder judges the rest.
                if !begins_frame(input) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, FollowedBySomething));
                }
                self.decoder.reinit()?;
                self.is_between = false;
            }
            let mut source = InBuffer::around(input);
            let mut destination = OutBuffer::around(buffer);
            let wants = self.decoder.run(&mut source, &mut destination)?;
            let (taken, made) = (source.pos(), destination.pos());
            self.raw.consume(taken);
            // Nothing is wanted any more when the frame is whole and handed out.
            self.is_between = wants == 0;
            if made > 0 || buffer.is_empty() {
                return Ok(made);
            }
            if is_end && !self.is_between {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
