//! Avro's object container file with its blocks as they were before they were compressed.
//!
//! The decoder of rows would bring its own copies of all codecs; here are those that the house has anyway.
//! <https://avro.apache.org/docs/1.12.0/specification/#object-container-files>.

use std::io::{self, BufRead, Read};

const MAGIC: &[u8; 4] = b"Obj\x01";

/// A schema is shorter than this, and so is what else stands in a header.
const HEADER_BYTES: usize = 16 << 20;

/// A block is shorter than this, compressed or not: a limit for memory. Writers make blocks of 16 to 64 KB, some of megabytes.
const BLOCK_BYTES: usize = 512 << 20;

/// A file whose bytes are those of the same file without compression.
#[derive(Debug)]
pub(super) struct Container<R> {
    source: R,
    schema: String,
    codec: Codec,
    sync: [u8; 16],
    /// What was read and not taken yet.
    ready: Vec<u8>,
    taken: usize,
    blocks: u64,
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Null,
    /// Raw DEFLATE (RFC 1951).
    Deflate,
    /// Snappy, with the CRC-32 of the bytes behind it.
    Snappy,
    Zstandard,
}

impl<R: BufRead> Container<R> {
    /// Reads the header.
    pub(super) fn open(mut source: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        source.read_exact(&mut magic).map_err(|_| bad("it does not begin as an Avro file does".to_owned()))?;
        if magic != *MAGIC {
            return Err(bad("it does not begin as an Avro file does".to_owned()));
        }
        let (mut schema, mut codec) = (None, Codec::Null);
        loop {
            let mut entries = number(&mut source)?;
            if entries == 0 {
                break;
            }
            if entries < 0 {
                // The bytes of these entries follow, for readers that pass over them.
                number(&mut source)?;
                entries = entries.saturating_neg();
            }
            for _ in 0..entries {
                let key = bytes(&mut source, HEADER_BYTES)?;
                let value = bytes(&mut source, HEADER_BYTES)?;
                let text = || String::from_utf8(value.clone()).map_err(|_| bad("its header is no UTF-8".to_owned()));
                match key.as_slice() {
                    b"avro.schema" => schema = Some(text()?),
                    b"avro.codec" => codec = Codec::read(&text()?)?,
                    _ => {}
                }
            }
        }
        let mut sync = [0; 16];
        source.read_exact(&mut sync)?;
        let schema = schema.ok_or_else(|| bad("its header has no schema".to_owned()))?;
        let mut ready = MAGIC.to_vec();
        write_number(2, &mut ready);
        for part in ["avro.schema", &schema, "avro.codec", "null"] {
            write_length(part.len(), &mut ready);
            ready.extend_from_slice(part.as_bytes());
        }
        write_number(0, &mut ready);
        ready.extend_from_slice(&sync);
        Ok(Self { source, schema, codec, sync, ready, taken: 0, blocks: 0 })
    }

    /// Returns the schema, as JSON.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Reads the next block; false behind the last one.
    fn next_block(&mut self) -> io::Result<bool> {
        if self.source.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.blocks += 1;
        let rows = number(&mut self.source)?;
        let compressed = bytes(&mut self.source, BLOCK_BYTES)?;
        let mut sync = [0; 16];
        self.source.read_exact(&mut sync)?;
        if sync != self.sync {
            return Err(bad(format!("the mark behind block {} is not that of the file", self.blocks)));
        }
        let data = self.codec.decompress(compressed)?;
        self.taken = 0;
        self.ready.clear();
        write_number(rows, &mut self.ready);
        write_length(data.len(), &mut self.ready);
        self.ready.extend_from_slice(&data);
        self.ready.extend_from_slice(&sync);
        Ok(true)
    }
}

/// Counts the rows of a file by what its blocks say, without decompressing them.
///
/// # Errors
/// Of what is no such file, or a damaged one.
pub(crate) fn rows(source: impl BufRead) -> io::Result<u64> {
    let mut container = Container::open(source)?;
    let mut rows = 0;
    while !container.source.fill_buf()?.is_empty() {
        let block = number(&mut container.source)?;
        rows += u64::try_from(block).map_err(|_| bad("a block has fewer than no rows".to_owned()))?;
        bytes(&mut container.source, BLOCK_BYTES)?;
        let mut sync = [0; 16];
        container.source.read_exact(&mut sync)?;
        if sync != container.sync {
            return Err(bad("the mark behind a block is not that of the file".to_owned()));
        }
    }
    Ok(rows)
}

impl<R: BufRead> BufRead for Container<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.ready.len() && !self.next_block()? {
            return Ok(&[]);
        }
        Ok(self.ready.get(self.taken..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.taken = self.taken.saturating_add(amount).min(self.ready.len());
    }
}

impl<R: BufRead> Read for Container<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl Codec {
    fn read(name: &str) -> io::Result<Self> {
        match name {
            "null" => Ok(Self::Null),
            "deflate" => Ok(Self::Deflate),
            "snappy" => Ok(Self::Snappy),
            "zstandard" => Ok(Self::Zstandard),
            other => Err(bad(format!(
                "expected the codec `null`, `deflate`, `snappy` or `zstandard`, found `{}`",
                other.escape_debug()
            ))),
        }
    }

    fn decompress(self, compressed: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Null => Ok(compressed),
            Self::Deflate => all_of(flate2::read::DeflateDecoder::new(compressed.as_slice())),
            Self::Zstandard => all_of(zstd::stream::read::Decoder::new(compressed.as_slice())?),
            Self::Snappy => {
                let Some((block, expected)) = compressed.split_last_chunk::<4>() else {
                    return Err(bad("a block of Snappy without its check sum".to_owned()));
                };
                if snap::raw::decompress_len(block).map_err(io::Error::other)? > BLOCK_BYTES {
                    return Err(too_long());
                }
                let data = snap::raw::Decoder::new().decompress_vec(block).map_err(io::Error::other)?;
                if crc32fast::hash(&data) != u32::from_be_bytes(*expected) {
                    return Err(bad("a block of Snappy with another check sum".to_owned()));
                }
                Ok(data)
            }
        }
    }
}

/// Reads a stream to its end, if that comes soon enough.
fn all_of(stream: impl Read) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    stream.take(BLOCK_BYTES as u64 + 1).read_to_end(&mut data)?;
    if data.len() > BLOCK_BYTES { Err(too_long()) } else { Ok(data) }
}

fn too_long() -> io::Error {
    bad(format!("a block is longer than {BLOCK_BYTES} bytes"))
}

fn bad(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Reads a number: seven bits a byte, the lowest first, the sign in the lowest bit.
fn number(source: &mut impl Read) -> io::Result<i64> {
    let mut bits: u64 = 0;
    for at in 0..10 {
        let mut byte = [0];
        source.read_exact(&mut byte)?;
        let [byte] = byte;
        bits |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((bits >> 1).cast_signed() ^ -((bits & 1).cast_signed()));
        }
    }
    Err(bad("a number has more than ten bytes".to_owned()))
}

fn write_number(number: i64, to: &mut Vec<u8>) {
    let mut bits = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while bits > 0x7f {
        to.push(u8::try_from(bits & 0x7f).unwrap_or_default() | 0x80);
        bits >>= 7;
    }
    to.push(u8::try_from(bits).unwrap_or_default());
}

fn write_length(length: usize, to: &mut Vec<u8>) {
    write_number(i64::try_from(length).unwrap_or(i64::MAX), to);
}

/// Reads a length and so many bytes.
fn bytes(source: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let length = number(source)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= most);
    let length = length.ok_or_else(|| bad(format!("expected a length of at most {most} bytes, found another")))?;
    let mut data = Vec::new();
    // Grows as bytes come: what a damaged length promises is not allocated.
    source.take(length as u64).read_to_end(&mut data)?;
    if data.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(data) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, -1, 1, 63, -64, 64, 8191, 8192, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            write_number(number, &mut bytes);
            assert_eq!(self::number(&mut bytes.as_slice()).unwrap(), number);
        }
        // Of the specification.
        let mut bytes = Vec::new();
        write_number(-64, &mut bytes);
        assert_eq!(bytes, [0x7f]);
        assert!(number(&mut [0x80; 11].as_slice()).is_err());
    }

    /// A file of two blocks.
    fn file(codec: &str, blocks: [Vec<u8>; 2]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        write_number(2, &mut file);
        for part in ["avro.codec", codec, "avro.schema", r#""long""#] {
            write_length(part.len(), &mut file);
            file.extend_from_slice(part.as_bytes());
        }
        write_number(0, &mut file);
        file.extend_from_slice(&[7; 16]);
        for block in blocks {
            write_number(1, &mut file);
            write_length(block.len(), &mut file);
            file.extend_from_slice(&block);
            file.extend_from_slice(&[7; 16]);
        }
        file
    }

    fn plain(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Container::open(file)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn every_codec_gives_the_same_file() {
        let wanted = plain(&file("null", [b"abc".to_vec(), Vec::new()])).unwrap();
        let deflated = |data: &[u8]| {
            let mut compressed = Vec::new();
            flate2::read::DeflateEncoder::new(data, flate2::Compression::default())
                .read_to_end(&mut compressed)
                .unwrap();
            compressed
        };
        let snappy = |data: &[u8]| {
            let mut compressed = snap::raw::Encoder::new().compress_vec(data).unwrap();
            compressed.extend_from_slice(&crc32fast::hash(data).to_be_bytes());
            compressed
        };
        let zstandard = |data: &[u8]| zstd::stream::encode_all(data, 0).unwrap();
        assert_eq!(plain(&file("deflate", [deflated(b"abc"), deflated(b"")])).unwrap(), wanted);
        assert_eq!(plain(&file("snappy", [snappy(b"abc"), snappy(b"")])).unwrap(), wanted);
        assert_eq!(plain(&file("zstandard", [zstandard(b"abc"), zstandard(b"")])).unwrap(), wanted);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let whole = file("null", [b"abc".to_vec(), b"d".to_vec()]);
        let failure = |file: &[u8]| plain(file).unwrap_err().to_string();
        // Where a block ends nobody can tell that another one should follow.
        let ends = [whole.len() - 19 - 21, whole.len() - 19];
        for length in (0..whole.len()).filter(|length| !ends.contains(length)) {
            assert!(plain(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        assert_eq!(failure(b"PAR1"), "it does not begin as an Avro file does");
        assert_eq!(
            failure(&file("bzip2", [Vec::new(), Vec::new()])),
            "expected the codec `null`, `deflate`, `snappy` or `zstandard`, found `bzip2`"
        );
        let mut other = whole.clone();
        *other.last_mut().unwrap() = 0;
        assert_eq!(failure(&other), "the mark behind block 2 is not that of the file");
        assert_eq!(
            failure(&file("snappy", [b"\x00\x01\x02\x03\x04".to_vec(), Vec::new()])),
            "a block of Snappy with another check sum"
        );
    }
}
