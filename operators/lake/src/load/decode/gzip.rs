//! The members of a gzip file one after the other, and what may follow the last of them: nothing.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::FollowedBySomething;

/// What a member begins with (RFC 1952, section 2.3.1).
pub(super) const MAGIC: [u8; 2] = [0x1F, 0x8B];

/// Decodes all members.
///
/// `flate2`'s own decoder of several members takes whatever follows one for the header of the next, so that a few bytes
/// too many look like a file that was cut off.
pub(super) struct Members<R> {
    /// None at the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(raw: R) -> Self {
        Self { member: Some(GzDecoder::new(raw)) }
    }

    /// Goes to the next member, if there is one.
    fn next(&mut self) -> io::Result<()> {
        let Some(ended) = self.member.take() else { return Ok(()) };
        let mut raw = ended.into_inner();
        let rest = loop {
            match raw.fill_buf() {
                Ok(rest) => break rest,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if rest.is_empty() {
            return Ok(());
        }
        // The rest may begin with the last byte of a buffer; then the header's reader judges the second.
        if !rest.iter().zip(MAGIC).all(|(found, expected)| *found == expected) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, FollowedBySomething));
        }
        self.member = Some(GzDecoder::new(raw));
        Ok(())
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.next()?;
        }
        Ok(0)
    }
}
