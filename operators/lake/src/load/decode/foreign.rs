//! Knows bytes that are not decoded by how they begin: archives of other kinds, and texts in other encodings than UTF-8.
//!
//! What begins like this is never a text of ours, so that a file is refused for what it is, not for its lines.

use crate::error::{Error, ErrorKind};

/// What bytes are that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// Compressed in a way that is not decoded.
    Compressed(&'static str),
    /// A text in another encoding, which its byte order mark tells.
    Text(&'static str),
}

/// How many bytes it takes to know all of them.
pub(super) const HEAD_BYTES: usize = 10;

/// The beginnings of archives. Sources: bzip2's manual and its block and end marks, APPNOTE.TXT of PKWARE (4.3.7, 4.3.16), the xz
/// file format (2.1.1.1), the LZ4 frame format, the Snappy framing format (4.1), 7zFormat.txt.
const ARCHIVES: [(&str, &[&[u8]]); 6] = [
    ("zip", &[b"PK\x03\x04", b"PK\x05\x06"]),
    ("xz", &[b"\xFD7zXZ\x00"]),
    ("lz4", &[b"\x04\x22\x4D\x18"]),
    ("snappy", &[b"\xFF\x06\x00\x00sNaPpY"]),
    ("7z", &[b"7z\xBC\xAF\x27\x1C"]),
    ("lzip", &[b"LZIP\x01"]),
];

/// What follows `BZh` and a digit: the mark of a block, or that of the end.
const BZIP2_MARKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

/// Byte order marks; those of UTF-32 first, as that of little endian begins with UTF-16's.
const BYTE_ORDER_MARKS: [(&str, &[u8]); 4] = [
    ("UTF-32", b"\xFF\xFE\x00\x00"),
    ("UTF-32", b"\x00\x00\xFE\xFF"),
    ("UTF-16", b"\xFF\xFE"),
    ("UTF-16", b"\xFE\xFF"),
];

impl Foreign {
    /// Knows bytes by the first [`HEAD_BYTES`] of them, or all when there are fewer.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let bzip2 = head.strip_prefix(b"BZh").and_then(|rest| rest.split_first());
        if bzip2.is_some_and(|(_, rest)| BZIP2_MARKS.iter().any(|mark| rest.starts_with(mark))) {
            return Some(Self::Compressed("bzip2"));
        }
        let begins = |beginnings: &[&[u8]]| beginnings.iter().any(|beginning| head.starts_with(beginning));
        let archive = ARCHIVES.iter().find(|(_, beginnings)| begins(beginnings));
        let mark = || BYTE_ORDER_MARKS.iter().find(|(_, mark)| head.starts_with(mark));
        archive.map(|(name, _)| Self::Compressed(name)).or_else(|| mark().map(|(name, _)| Self::Text(name)))
    }

    /// Refuses the file of this name.
    pub(super) fn refuse(self, file: &str) -> Error {
        let error = |message: String| Error::new(ErrorKind::InvalidData, "decode a file", message);
        match self {
            Self::Compressed(name) => error(format!(
                "{file} is compressed with {name}, which is not decoded: expected plain text, gzip or zstd"
            ))
            .help("decompress the file, or compress it with gzip or zstd"),
            Self::Text(name) => {
                error(format!("{file}:1: expected text in UTF-8, found the byte order mark of {name} at byte 1"))
                    .help(format!("write the file in UTF-8: `iconv -f {name} -t UTF-8`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginning() {
        for (head, expected) in [
            (&b"BZh91AY&SY"[..], Some(Foreign::Compressed("bzip2"))),
            (b"BZh9\x17\x72\x45\x38\x50\x90", Some(Foreign::Compressed("bzip2"))),
            (b"PK\x03\x04", Some(Foreign::Compressed("zip"))),
            (b"\xFD7zXZ\x00\x00\x04", Some(Foreign::Compressed("xz"))),
            (b"\x04\x22\x4D\x18", Some(Foreign::Compressed("lz4"))),
            (b"\xFF\x06\x00\x00sNaPpY", Some(Foreign::Compressed("snappy"))),
            (b"7z\xBC\xAF\x27\x1C", Some(Foreign::Compressed("7z"))),
            (b"\xFF\xFEa\x00", Some(Foreign::Text("UTF-16"))),
            (b"\xFF\xFE", Some(Foreign::Text("UTF-16"))),
            (b"\xFE\xFF\x00a", Some(Foreign::Text("UTF-16"))),
            (b"\xFF\xFE\x00\x00a\x00\x00\x00", Some(Foreign::Text("UTF-32"))),
            // Texts that begin alike.
            (b"BZh9,b\n1,2", None),
            (b"BZh", None),
            (b"PK,name\n1,", None),
            (b"7z,xz\n", None),
            (b"LZIP,a\n", None),
            (b"\xFFa", None),
            (b"", None),
        ] {
            assert_eq!(Foreign::of(head), expected, "{}", head.escape_ascii());
        }
    }
}
