//! Opens an input's bytes: gzip and zstd are found by content, never by name, and an end that comes too early is an error. So is
//! what cannot be decoded, and what is no text by its first bytes.

mod foreign;
mod gzip;
mod zstandard;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::foreign::{Foreign, HEAD_BYTES};
use crate::error::{Error, ErrorKind, Result};

const BUFFER_BYTES: usize = 256 * 1024;

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Plain,
    /// Gzip (RFC 1952), of one or several members.
    Gzip,
    /// Zstandard (RFC 8878), of one or several frames.
    Zstd,
}

impl Encoding {
    fn of(start: &[u8]) -> Self {
        if start.starts_with(&gzip::MAGIC) {
            Self::Gzip
        } else if zstandard::is_start(start) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Counts the bytes that go through: under a buffer, for progress and for the end of a file; over it, for the place of an
/// error.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
        self.count.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The decoded bytes of one input.
pub(crate) struct Decoded {
    name: String,
    encoding: Encoding,
    reader: Box<dyn Read + Send>,
    raw: Arc<AtomicU64>,
    /// How many bytes of the file the decoder has taken.
    consumed: Arc<AtomicU64>,
    taken: u64,
    /// How long the file was when it was found.
    found_bytes: u64,
    /// The first decoded bytes; none once they were looked at.
    head: Option<Vec<u8>>,
}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoded").field("name", &self.name).field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

impl Decoded {
    /// Opens the bytes of the input `name`, of which there were `found_bytes` when it was found.
    ///
    /// # Errors
    /// `External` or `PermissionDenied` when the first bytes cannot be read.
    pub(crate) fn open(name: &str, raw: Box<dyn Read + Send>, found_bytes: u64) -> Result<Self> {
        let count = Arc::new(AtomicU64::new(0));
        let mut buffered = BufReader::with_capacity(BUFFER_BYTES, Counted { inner: raw, count: Arc::clone(&count) });
        let start = fill(&mut buffered).map_err(|error| read_error(name, error))?;
        let encoding = Encoding::of(start);
        let consumed = Arc::new(AtomicU64::new(0));
        let buffered = Counted { inner: buffered, count: Arc::clone(&consumed) };
        let reader: Box<dyn Read + Send> = match encoding {
            Encoding::Plain => Box::new(buffered),
            Encoding::Gzip => Box::new(gzip::Members::new(buffered)),
            Encoding::Zstd => Box::new(zstandard::Frames::new(buffered).map_err(|error| read_error(name, error))?),
        };
        Ok(Self {
            name: name.to_owned(),
            encoding,
            reader,
            raw: count,
            consumed,
            taken: 0,
            found_bytes,
            head: Some(Vec::new()),
        })
    }

    /// Returns how many bytes of the file have been read.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw.load(Ordering::Relaxed)
    }

    /// Reads decoded bytes; 0 at the end.
    ///
    /// # Errors
    /// `InvalidData` for an archive that is cut off or broken, with file and place, for a file that has become shorter, and for bytes that are no text in UTF-8 by how
    /// they begin; `External` when reading fails.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.taken += u64::try_from(read).unwrap_or(u64::MAX);
                    if read == 0 && !buffer.is_empty() && self.raw_bytes() < self.found_bytes {
                        return Err(self.became_shorter());
                    }
                    self.look_at_head(&buffer[..read])?;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Looks at the first decoded bytes as soon as there are enough of them, or no more come.
    fn look_at_head(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(head) = &mut self.head else { return Ok(()) };
        head.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES - head.len())]);
        if head.len() < HEAD_BYTES && !bytes.is_empty() {
            return Ok(());
        }
        let head = self.head.take().unwrap_or_default();
        if let Some(foreign) = Foreign::of(&head) {
            return Err(foreign.refuse(&self.name));
        }
        let (outer, inner) = (self.encoding, Encoding::of(&head));
        if outer == Encoding::Plain || inner == Encoding::Plain {
            return Ok(());
        }
        let message = format!("{} is compressed twice: {} inside of {}", self.name, inner.name(), outer.name());
        Err(Error::new(ErrorKind::InvalidData, "decode a file", message).help("decompress the file once"))
    }

    /// The end is no end of a line, then, but wherever another program has cut the file off.
    fn became_shorter(&self) -> Error {
        let (end, found) = (self.raw_bytes(), self.found_bytes);
        let message = format!(
            "the file ends at byte {end}, and had {found} bytes when the load found it: something has cut it off"
        );
        Error::new(ErrorKind::InvalidData, "read a file", message)
            .with("file", &self.name)
            .help("load it when nothing else writes to it: a log that is rotated by copying (`copytruncate`) is cut off while it is read")
    }

    fn failed(&self, error: io::Error) -> Error {
        let is_system =
            error.raw_os_error().is_some() || error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).is_some();
        if self.encoding == Encoding::Plain || is_system {
            return read_error(&self.name, error);
        }
        let (name, raw, decoded) = (self.encoding.name(), self.raw_bytes(), self.taken);
        if FollowedBySomething::is_in(&error) {
            let end = self.consumed.load(Ordering::Relaxed);
            let message = format!(
                "broken {name}: its stream ends at byte {end}, after {decoded} decoded bytes, and bytes that are no {name} \
                 follow: cut them off, or fetch the file again"
            );
            return Error::new(ErrorKind::InvalidData, "decode a file", message).with("file", &self.name).source(error);
        }
        let message = if error.kind() == io::ErrorKind::UnexpectedEof {
            format!(
                "truncated {name}: the file ends at byte {raw}, after {decoded} decoded bytes, and its {name} stream goes on: \
                 fetch the file again"
            )
        } else {
            let near = self.consumed.load(Ordering::Relaxed);
            format!("broken {name} near byte {near}, after {decoded} decoded bytes: {error}")
        };
        Error::new(ErrorKind::InvalidData, "decode a file", message).with("file", &self.name).source(error)
    }
}

/// The last member or frame has ended, and the file goes on with bytes that begin none.
#[derive(Debug)]
struct FollowedBySomething;

impl FollowedBySomething {
    /// Tells whether that is what an error says.
    fn is_in(error: &io::Error) -> bool {
        error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()).is_some()
    }
}

impl fmt::Display for FollowedBySomething {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other bytes follow")
    }
}

impl std::error::Error for FollowedBySomething {}

/// Returns the first bytes; at least as many as it takes to know the encoding, unless the file is shorter.
fn fill<R: Read>(reader: &mut BufReader<R>) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(reader.buffer())
}

fn read_error(name: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => {
            let kind = match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::External,
            };
            Error::new(kind, "read a file", format!("the file cannot be read: {error}"))
                .with("file", name)
                .source(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(bytes: Vec<u8>) -> Result<Vec<u8>> {
        let found_bytes = bytes.len() as u64;
        read_found(bytes, found_bytes)
    }

    fn read_found(bytes: Vec<u8>, found_bytes: u64) -> Result<Vec<u8>> {
        let mut decoded = Decoded::open("logs/a.gz", Box::new(io::Cursor::new(bytes)), found_bytes)?;
        let mut out = Vec::new();
        let mut buffer = [0; 1000];
        loop {
            let read = decoded.read(&mut buffer)?;
            if read == 0 {
                return Ok(out);
            }
            out.extend_from_slice(&buffer[..read]);
        }
    }

    #[test]
    fn compression_is_found_by_content() {
        let text = b"line\n".repeat(10_000);
        assert_eq!(read_all(text.clone()).unwrap(), text);
        assert_eq!(read_all(gzip(&text)).unwrap(), text);
        assert_eq!(read_all(zstd::encode_all(&text[..], 1).unwrap()).unwrap(), text);
        assert_eq!(read_all(Vec::new()).unwrap(), b"");
        assert_eq!(read_all(vec![0x1F]).unwrap(), [0x1F]);
        let members = [gzip(b"a\n"), gzip(b""), gzip(b"b\n")].concat();
        assert_eq!(read_all(members).unwrap(), b"a\nb\n");
        let frames = [zstd::encode_all(&b"a\n"[..], 1).unwrap(), zstd::encode_all(&b"b\n"[..], 1).unwrap()].concat();
        assert_eq!(read_all(frames).unwrap(), b"a\nb\n");
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        for file in [b"a\nb".to_vec(), gzip(b"a\nb")] {
            let length = file.len() as u64;
            let error = read_found(file.clone(), length + 2).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidData);
            assert_eq!(
                error.message,
                format!(
                    "the file ends at byte {length}, and had {} bytes when the load found it: something has cut it off",
                    length + 2
                )
            );
            // One that has grown, or a pipe, is read to its end.
            assert_eq!(read_found(file, 0).unwrap(), b"a\nb");
        }
    }

    #[test]
    fn an_early_end_is_an_error_with_its_place() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        for (name, archive) in [("gzip", gzip(&text)), ("zstd", zstd::encode_all(&text[..], 1).unwrap())] {
            for keep in [archive.len() - 1, archive.len() / 2, 12] {
                let error = read_all(archive[..keep].to_vec()).unwrap_err();
                assert_eq!(error.kind, ErrorKind::InvalidData);
                let expected = format!("truncated {name}: the file ends at byte {keep}, after ");
                assert!(error.message.starts_with(&expected), "{}", error.message);
                assert!(error.to_string().contains("file: logs/a.gz"), "{error}");
            }
        }
    }

    #[test]
    fn broken_archives_are_errors() {
        let mut archive = gzip(&b"line\n".repeat(1000));
        let last = archive.len() - 6;
        archive[last] ^= 0xFF;
        let error = read_all(archive).unwrap_err();
        assert!(error.message.starts_with("broken gzip near byte"), "{error}");
        // A second member whose method is none, far from the end of the file.
        let first = gzip(&b"line\n".repeat(1000));
        let error = read_all([first.clone(), vec![0x1F, 0x8B, 0x07], vec![0; 600_000]].concat()).unwrap_err();
        let near = error.message.strip_prefix("broken gzip near byte ").and_then(|rest| rest.split(',').next());
        let near: usize = near.unwrap_or_else(|| panic!("{error}")).parse().unwrap();
        assert!((first.len()..=first.len() + 10).contains(&near), "{near} is not just after {}", first.len());
    }

    #[test]
    fn what_is_no_text_by_its_first_bytes_is_refused_by_name() {
        let message = |bytes: Vec<u8>| read_all(bytes).unwrap_err().message;
        let bzip2 = "logs/a.gz is compressed with bzip2, which is not decoded: expected plain text, gzip or zstd";
        assert_eq!(message(b"BZh91AY&SY and more".to_vec()), bzip2);
        assert_eq!(message(gzip(b"BZh91AY&SY and more")), bzip2);
        assert_eq!(message(gzip(&gzip(b"a\n"))), "logs/a.gz is compressed twice: gzip inside of gzip");
        let zstd = zstd::encode_all(&b"a\n"[..], 1).unwrap();
        assert_eq!(message(gzip(&zstd)), "logs/a.gz is compressed twice: zstd inside of gzip");
        let utf_16 = "logs/a.gz:1: expected text in UTF-8, found the byte order mark of UTF-16 at byte 1";
        assert_eq!(message(b"\xFF\xFE".to_vec()), utf_16);
        assert_eq!(message(b"\xFF\xFEa\0,\0b\0\n\0".to_vec()), utf_16);
    }

    /// A frame of zstd's to be passed over, with `length` bytes in it.
    fn skippable(length: u8) -> Vec<u8> {
        [&[0x5A, 0x2A, 0x4D, 0x18, length, 0, 0, 0][..], &vec![7; usize::from(length)]].concat()
    }

    #[test]
    fn archives_of_nothing_and_frames_to_be_passed_over_hold_no_bytes() {
        assert_eq!(read_all(gzip(b"")).unwrap(), b"");
        assert_eq!(read_all(zstd::encode_all(&b""[..], 1).unwrap()).unwrap(), b"");
        let frame = zstd::encode_all(&b"a\n"[..], 1).unwrap();
        for archive in [
            [skippable(3), frame.clone()].concat(),
            [frame.clone(), skippable(200)].concat(),
            [frame.clone(), skippable(0), frame.clone()].concat(),
        ] {
            let expected = b"a\n".repeat(archive.windows(4).filter(|window| *window == &frame[..4]).count());
            assert_eq!(read_all(archive).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_after_the_end_of_an_archive_are_called_so() {
        let (gzip, zstd) = (gzip(b"a\n"), zstd::encode_all(&b"a\n"[..], 1).unwrap());
        for (name, whole, beginning) in [("gzip", gzip, &[0x1F][..]), ("zstd", zstd, &[0x28, 0xB5, 0x2F])] {
            let end = whole.len();
            for rest in [&b"x"[..], b"garbage", beginning] {
                let error = read_all([&whole[..], rest].concat()).unwrap_err();
                assert_eq!(error.kind, ErrorKind::InvalidData);
                let expected = if rest == beginning {
                    // It may be the beginning of another member or frame.
                    format!(
                        "truncated {name}: the file ends at byte {}, after 2 decoded bytes, and its {name} stream goes on: \
                         fetch the file again",
                        end + rest.len()
                    )
                } else {
                    format!(
                        "broken {name}: its stream ends at byte {end}, after 2 decoded bytes, and bytes that are no {name} \
                         follow: cut them off, or fetch the file again"
                    )
                };
                assert_eq!(error.message, expected, "{name} {rest:?}");
            }
        }
    }

    #[test]
    fn zeros_after_the_end_of_gzip_are_passed_over() {
        for zeros in [1, 512, 1 << 20] {
            assert_eq!(read_all([gzip(b"a\n"), gzip(b"b\n"), vec![0; zeros]].concat()).unwrap(), b"a\nb\n");
        }
        let members = [gzip(b"a\n"), vec![0; 9], gzip(b"b\n"), vec![0; 512]].concat();
        assert_eq!(read_all(members).unwrap(), b"a\nb\n");
        let error = read_all([gzip(b"a\n"), vec![0; 9], b"x".to_vec()].concat()).unwrap_err();
        assert!(error.message.contains("and bytes that are no gzip follow"), "{error}");
    }

    #[test]
    fn many_frames_are_read_whatever_their_place_in_the_buffer() {
        let frame = zstd::encode_all(&b"0123456789\n"[..], 1).unwrap();
        let count = 2 * BUFFER_BYTES / frame.len() + 10;
        assert_eq!(read_all(frame.repeat(count)).unwrap(), b"0123456789\n".repeat(count));
        let error = read_all([frame.repeat(count), b"\n".to_vec()].concat()).unwrap_err();
        let expected =
            format!("broken zstd: its stream ends at byte {}, after {} decoded bytes", frame.len() * count, 11 * count);
        assert!(error.message.starts_with(&expected), "{error}");
    }
}
