//! A stream of a file: chunks, each with a header of three bytes, compressed or as they are.

use std::io::{self, Read};

use bytes::Bytes;

use super::{bad, lzo};

/// The largest chunk that a file may say its chunks have, decompressed; the header of a chunk cannot count to more.
pub(super) const CHUNK_BYTES: usize = 1 << 23;

/// The chunks that are written: what other writers make too.
pub(super) const WRITTEN_CHUNK_BYTES: usize = 256 << 10;

/// How chunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// There are no chunks: a stream is its bytes.
    None,
    /// Raw DEFLATE (RFC 1951).
    Zlib,
    Snappy,
    /// LZO1X; read only.
    Lzo,
    /// Blocks of LZ4 without a frame.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    pub(super) fn of(number: u64) -> io::Result<Self> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Zlib),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lzo),
            4 => Ok(Self::Lz4),
            5 => Ok(Self::Zstd),
            6 => Err(bad("its compression is Brotli, which is not read")),
            other => Err(bad(format!("its compression {other} is not known"))),
        }
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Zlib => 1,
            Self::Snappy => 2,
            Self::Lzo => 3,
            Self::Lz4 => 4,
            Self::Zstd => 5,
        }
    }

    /// Decompresses a chunk of at most so many bytes.
    fn decompress(self, data: &[u8], most: usize) -> io::Result<Vec<u8>> {
        let plain = match self {
            Self::None => data.to_vec(),
            Self::Zlib => {
                let mut plain = Vec::new();
                let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
                flate2::read::DeflateDecoder::new(data).take(limit).read_to_end(&mut plain)?;
                plain
            }
            Self::Snappy => {
                let length = snap::raw::decompress_len(data).map_err(io::Error::other)?;
                if length > most {
                    return Err(too_long(most));
                }
                snap::raw::Decoder::new().decompress_vec(data).map_err(io::Error::other)?
            }
            Self::Lzo => lzo::decompress(data, most)?,
            Self::Lz4 => {
                let mut plain = vec![0; most];
                let length = lz4_flex::block::decompress_into(data, &mut plain).map_err(io::Error::other)?;
                plain.truncate(length);
                plain
            }
            Self::Zstd => zstd::bulk::decompress(data, most)?,
        };
        if plain.len() > most { Err(too_long(most)) } else { Ok(plain) }
    }

    fn compress(self, data: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(data.to_vec()),
            Self::Zlib => {
                let mut packed = Vec::new();
                flate2::read::DeflateEncoder::new(data, flate2::Compression::default()).read_to_end(&mut packed)?;
                Ok(packed)
            }
            Self::Snappy => snap::raw::Encoder::new().compress_vec(data).map_err(io::Error::other),
            Self::Lzo => Err(io::Error::other("LZO is not written")),
            Self::Lz4 => Ok(lz4_flex::block::compress(data)),
            Self::Zstd => zstd::bulk::compress(data, 3),
        }
    }

    /// Writes a stream in chunks; a chunk that would not become smaller is left as it is.
    pub(super) fn pack(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        if self == Self::None {
            return Ok(plain.to_vec());
        }
        let mut packed = Vec::new();
        for chunk in plain.chunks(WRITTEN_CHUNK_BYTES) {
            let small = self.compress(chunk)?;
            let (flag, body) = if small.len() < chunk.len() { (0, small.as_slice()) } else { (1, chunk) };
            let header = u32::try_from(body.len()).unwrap_or(u32::MAX) << 1 | flag;
            packed.extend_from_slice(header.to_le_bytes().get(..3).unwrap_or_default());
            packed.extend_from_slice(body);
        }
        Ok(packed)
    }
}

fn too_long(most: usize) -> io::Error {
    bad(format!("a chunk is longer than {most} bytes"))
}

/// How the streams of a file are packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packing {
    pub(super) codec: Codec,
    /// How long a chunk is at most, decompressed.
    pub(super) chunk: usize,
}

/// The bytes of a stream, unpacked as they are taken.
#[derive(Debug)]
pub(super) struct Chunks {
    packing: Packing,
    rest: Bytes,
    ready: Bytes,
}

impl Chunks {
    pub(super) fn new(stream: Bytes, packing: Packing) -> Self {
        if packing.codec == Codec::None {
            return Self { packing, rest: Bytes::new(), ready: stream };
        }
        Self { packing, rest: stream, ready: Bytes::new() }
    }

    /// Makes sure that bytes are ready; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        while self.ready.is_empty() {
            if self.rest.is_empty() {
                return Ok(false);
            }
            let [low, middle, high] = *self.rest.get(..3).unwrap_or_default() else {
                return Err(bad("a stream ends in the header of a chunk"));
            };
            let header = u32::from_le_bytes([low, middle, high, 0]);
            let length = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            if self.rest.len() - 3 < length {
                return Err(bad("a stream ends in a chunk"));
            }
            let body = self.rest.slice(3..3 + length);
            self.rest = self.rest.slice(3 + length..);
            self.ready = if header & 1 == 1 {
                body
            } else {
                Bytes::from(self.packing.codec.decompress(&body, self.packing.chunk)?)
            };
        }
        Ok(true)
    }

    /// Takes a byte.
    pub(super) fn byte(&mut self) -> io::Result<u8> {
        if self.ready.is_empty() && !self.fill()? {
            return Err(ended());
        }
        let byte = self.ready.first().copied().ok_or_else(ended)?;
        self.ready = self.ready.slice(1..);
        Ok(byte)
    }

    /// Takes so many bytes.
    pub(super) fn take_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        // Grows as bytes come: what a damaged length promises is not allocated.
        let mut bytes = Vec::with_capacity(count.min(CHUNK_BYTES));
        while bytes.len() < count {
            if self.ready.is_empty() && !self.fill()? {
                return Err(ended());
            }
            let part = self.ready.split_to((count - bytes.len()).min(self.ready.len()));
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Takes all that is left.
    pub(super) fn rest(mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.fill()? {
            let part = std::mem::take(&mut self.ready);
            if part.len() > most.saturating_sub(bytes.len()) {
                return Err(bad(format!("its metadata is longer than {most} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Takes a number: seven bits a byte, the lowest first.
    pub(super) fn varint(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for at in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(bad("a number has more than ten bytes"))
    }

    /// Takes a number of up to 128 bits with its sign in the lowest bit.
    pub(super) fn large_number(&mut self) -> io::Result<i128> {
        let mut number: u128 = 0;
        for at in 0..19 {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
            }
        }
        Err(bad("a decimal has more than 19 bytes"))
    }
}

fn ended() -> io::Error {
    bad("a stream ends before the rows of its stripe do")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(codec: Codec, packed: Vec<u8>, chunk: usize) -> io::Result<Vec<u8>> {
        Chunks::new(Bytes::from(packed), Packing { codec, chunk }).rest(usize::MAX)
    }

    #[test]
    fn every_codec_gives_back_what_it_was_given() {
        let mut noise: u64 = 1;
        let mut plain: Vec<u8> = (0..600_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for _ in 0..300_000 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            plain.push(noise.to_be_bytes()[0]);
        }
        for codec in [Codec::None, Codec::Zlib, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let packed = codec.pack(&plain).unwrap();
            assert_eq!(unpacked(codec, packed.clone(), WRITTEN_CHUNK_BYTES).unwrap(), plain, "{codec:?}");
            assert_eq!(Codec::of(codec.number()).unwrap(), codec);
            if codec != Codec::None {
                assert!(packed.len() < plain.len());
                let error = unpacked(codec, packed.clone(), 1000).unwrap_err();
                assert!(!error.to_string().is_empty());
                assert!(unpacked(codec, packed[..packed.len() - 1].to_vec(), WRITTEN_CHUNK_BYTES).is_err());
            }
        }
    }
}
