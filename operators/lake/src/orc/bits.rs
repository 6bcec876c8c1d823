//! Bytes and bits in runs.
//!
//! <https://orc.apache.org/specification/ORCv1/#byte-run-length-encoding>.

use std::io;

use super::chunk::Chunks;

/// The longest run of equal bytes, and the shortest that is worth it.
const RUN: (usize, usize) = (3, 130);

/// The most bytes that stand there one by one.
const LITERALS: usize = 128;

/// Bytes that are read.
#[derive(Debug)]
pub(super) struct Bytes {
    chunks: Chunks,
    /// How many are left of the run, and its byte; none for bytes one by one.
    left: usize,
    run: Option<u8>,
}

impl Bytes {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self { chunks, left: 0, run: None }
    }

    pub(super) fn next(&mut self) -> io::Result<u8> {
        if self.left == 0 {
            let control = self.chunks.byte()?;
            if control < 0x80 {
                self.left = usize::from(control) + RUN.0;
                self.run = Some(self.chunks.byte()?);
            } else {
                self.left = 256 - usize::from(control);
                self.run = None;
            }
        }
        self.left -= 1;
        match self.run {
            Some(byte) => Ok(byte),
            None => self.chunks.byte(),
        }
    }
}

/// Bits that are read: the highest of a byte first.
#[derive(Debug)]
pub(super) struct Bits {
    bytes: Bytes,
    byte: u8,
    left: u32,
}

impl Bits {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self { bytes: Bytes::new(chunks), byte: 0, left: 0 }
    }

    pub(super) fn next(&mut self) -> io::Result<bool> {
        if self.left == 0 {
            self.byte = self.bytes.next()?;
            self.left = 8;
        }
        self.left -= 1;
        Ok(self.byte >> self.left & 1 == 1)
    }
}

/// Writes bytes in runs.
pub(super) fn write_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut literals, mut at) = (0, 0);
    let flush = |out: &mut Vec<u8>, from: usize, to: usize| {
        for piece in bytes.get(from..to).unwrap_or_default().chunks(LITERALS) {
            out.push(u8::try_from(256 - piece.len()).unwrap_or_default());
            out.extend_from_slice(piece);
        }
    };
    while let Some(byte) = bytes.get(at) {
        let run = bytes.iter().skip(at).take(RUN.1).take_while(|other| *other == byte).count();
        if run >= RUN.0 {
            flush(&mut out, literals, at);
            out.push(u8::try_from(run - RUN.0).unwrap_or_default());
            out.push(*byte);
            literals = at + run;
        }
        at += run;
    }
    flush(&mut out, literals, bytes.len());
    out
}

/// Bits that are written.
#[derive(Debug, Default)]
pub(super) struct WrittenBits {
    bytes: Vec<u8>,
    byte: u8,
    used: u32,
}

impl WrittenBits {
    pub(super) fn push(&mut self, bit: bool) {
        self.byte = self.byte << 1 | u8::from(bit);
        self.used += 1;
        if self.used == 8 {
            self.bytes.push(self.byte);
            (self.byte, self.used) = (0, 0);
        }
    }

    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the bits and returns their bytes in runs.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        while self.used != 0 {
            self.push(false);
        }
        write_bytes(&std::mem::take(&mut self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{Codec, Packing};
    use super::*;

    fn chunks(bytes: Vec<u8>) -> Chunks {
        Chunks::new(bytes.into(), Packing { codec: Codec::None, chunk: 1 })
    }

    #[test]
    fn bytes_are_read_as_they_are_written() {
        for bytes in [vec![], vec![1], vec![7; 1000], (0..=255).collect(), vec![1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5]] {
            let mut read = Bytes::new(chunks(write_bytes(&bytes)));
            let found: Vec<u8> = bytes.iter().map(|_| read.next().unwrap()).collect();
            assert_eq!(found, bytes);
            assert!(read.next().is_err());
        }
        // The examples of the specification.
        assert_eq!(write_bytes(&[0; 100]), [0x61, 0x00]);
        assert_eq!(write_bytes(&[0x44, 0x45]), [0xfe, 0x44, 0x45]);
    }

    #[test]
    fn bits_are_read_as_they_are_written() {
        let bits: Vec<bool> = (0..1003).map(|n| n % 3 == 0 || n > 500).collect();
        let mut written = WrittenBits::default();
        for bit in &bits {
            written.push(*bit);
        }
        let mut read = Bits::new(chunks(written.finish()));
        assert_eq!(bits.iter().map(|_| read.next().unwrap()).collect::<Vec<_>>(), bits);
        let mut example = WrittenBits::default();
        (0..8).for_each(|n| example.push(n == 0));
        assert_eq!(example.finish(), [0xff, 0x80]);
    }
}
