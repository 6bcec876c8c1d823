//! The members of a gzip file one after the other, and what may follow each of them: nothing but zeros, with which writers of whole
//! blocks fill the last one (Python's `gzip` passes them over, too).

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
        let rest = behind_zeros(&mut raw)?;
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

/// Returns the bytes that are there, none at the end.
fn available<R: BufRead>(raw: &mut R) -> io::Result<&[u8]> {
    loop {
        match raw.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // What is buffered is given again, and nothing is read.
    raw.fill_buf()
}

/// Reads zeros, and returns the bytes that are there behind them, none at the end.
fn behind_zeros<R: BufRead>(raw: &mut R) -> io::Result<&[u8]> {
    loop {
        let rest = available(raw)?;
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            break;
        }
        raw.consume(zeros);
    }
    available(raw)
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
