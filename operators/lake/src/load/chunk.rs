//! Cuts an input into chunks of whole records, so that they can be parsed apart from each other.
//!
//! Where the cuts fall depends on the content alone, so that the same input always gives the same chunks. Memory stays
//! bounded: a chunk is as large as asked for and a record more, and a record may have 64 MiB.

use serde::{Deserialize, Serialize};

use super::decode::Decoded;
use super::parse::csv::{Dialect, Scanned, line_ends, no_header};
use super::parse::{Chunk, Parser, not_text};
use super::reject::{Reason, shortened};
use crate::error::{Error, ErrorKind, Result};

/// The decoded bytes of a chunk: enough that work on it outweighs handing it over, little enough that several fit into a
/// processor's cache and a few hundred kilobytes of input already keep two threads busy.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// The longest record. It keeps a file that is no text from being taken into memory whole.
pub(crate) const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;

/// What stands at the start of every file, before the records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// How many lines are skipped first.
    pub lines: u32,
    /// The record after them that names the columns.
    pub record: HeaderRecord,
}

/// A record that names columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HeaderRecord {
    /// There is none.
    #[default]
    None,
    /// It is there, and what it says does not matter.
    Any,
    /// It must be this one: the columns' names and order came from it.
    Names(Vec<String>),
}

/// Reads one file as chunks.
#[derive(Debug)]
pub(crate) struct ChunkReader<'a> {
    name: &'a str,
    file: usize,
    input: Decoded,
    parser: &'a Parser,
    header: &'a Header,
    target: usize,
    pending: Vec<u8>,
    line: u64,
    header_lines: u64,
    is_started: bool,
    is_end: bool,
}

impl<'a> ChunkReader<'a> {
    /// Reads the file `name`, which is the `file`th of the inputs, in chunks of about `target` bytes.
    pub(crate) fn new(
        name: &'a str,
        file: usize,
        input: Decoded,
        parser: &'a Parser,
        header: &'a Header,
        target: usize,
    ) -> Self {
        Self {
            name,
            file,
            input,
            parser,
            header,
            target,
            pending: Vec::new(),
            line: 1,
            header_lines: 0,
            is_started: false,
            is_end: false,
        }
    }

    /// Returns how many bytes of the file have been read.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.input.raw_bytes()
    }

    /// Returns how many lines were passed before the first record.
    pub(crate) fn header_lines(&self) -> u64 {
        self.header_lines
    }

    /// Returns the next chunk; none at the end.
    ///
    /// # Errors
    /// `InvalidData` for a broken archive, a header that differs, a record that is too long; `External` when reading fails.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut wanted = self.target;
        loop {
            self.fill(wanted)?;
            if !self.is_started {
                self.is_started = self.pass_header()?;
                wanted = if self.is_started { self.target } else { self.pending.len() + self.target };
                continue;
            }
            if self.pending.is_empty() {
                return Ok(None);
            }
            let end = if self.is_end { self.pending.len() } else { self.last_record_end() };
            if end > 0 {
                let mut bytes = Vec::with_capacity(self.target + self.target / 4);
                bytes.extend_from_slice(&self.pending[end..]);
                std::mem::swap(&mut bytes, &mut self.pending);
                bytes.truncate(end);
                let chunk = Chunk { file: self.file, first_line: self.line, bytes };
                self.line += match self.parser {
                    Parser::Csv(_) => line_ends(&chunk.bytes),
                    _ => u64::try_from(memchr::memchr_iter(b'\n', &chunk.bytes).count()).unwrap_or(u64::MAX),
                };
                return Ok(Some(chunk));
            }
            if self.pending.len() >= MAX_RECORD_BYTES {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    "read a file",
                    format!("line {} does not end within {MAX_RECORD_BYTES} bytes: is the file text?", self.line),
                )
                .with("file", self.name));
            }
            wanted = self.pending.len() + self.target;
        }
    }

    /// Reads until so many bytes are at hand, or the file ends.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        let mut filled = self.pending.len();
        if self.is_end || filled >= wanted {
            return Ok(());
        }
        self.pending.resize(wanted, 0);
        let mut result = Ok(());
        while filled < wanted && !self.is_end && result.is_ok() {
            match self.input.read(&mut self.pending[filled..]) {
                Ok(0) => self.is_end = true,
                Ok(read) => filled += read,
                Err(error) => result = Err(error),
            }
        }
        self.pending.truncate(filled);
        result
    }

    /// Returns the byte after the last record that is whole for sure.
    fn last_record_end(&self) -> usize {
        match self.parser {
            Parser::Csv(parser) => last_csv_record_end(parser.dialect(), &self.pending),
            _ => memchr::memrchr(b'\n', &self.pending).map_or(0, |at| at + 1),
        }
    }

    /// Passes the byte order mark and the header; false when more bytes are needed to see its end.
    fn pass_header(&mut self) -> Result<bool> {
        let mut at = if self.pending.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let mut lines = 0;
        for _ in 0..self.header.lines {
            if at >= self.pending.len() && self.is_end {
                break;
            }
            let Some(end) = first_line_end(&self.pending[at..], self.is_end) else { return self.more_header() };
            let line = &self.pending[at..at + end];
            at += end;
            // Any text may be passed over, in any encoding; a file of which nothing else is left must be one.
            let reason = not_text(line);
            if let Some(reason) = reason
                && (matches!(reason, Reason::Nul { .. }) || at >= self.pending.len() && self.is_end)
            {
                return Err(unreadable(self.name, self.line + lines, &reason, line));
            }
            lines += 1;
        }
        if let Parser::Csv(parser) = self.parser
            && self.header.record != HeaderRecord::None
            && !(at >= self.pending.len() && self.is_end)
        {
            let mut stops = parser.dialect().stops(&self.pending);
            let mut fields = Vec::new();
            // Blank lines and comments before the header are no header.
            let names = loop {
                match parser.dialect().scan(&mut stops, at, self.is_end, &mut fields) {
                    Scanned::Incomplete => return self.more_header(),
                    Scanned::Skipped(extent) => {
                        lines += extent.lines;
                        at = extent.next;
                        if at >= self.pending.len() && self.is_end {
                            break None;
                        }
                    }
                    Scanned::Bad(extent, reason) => {
                        let reason = not_text(&self.pending[at..extent.end]).unwrap_or(reason);
                        return Err(unreadable(self.name, self.line + lines, &reason, &self.pending[at..extent.end]));
                    }
                    Scanned::Record(extent) => {
                        if let Some(reason) = no_header(&self.pending, at, extent.end, &fields) {
                            return Err(unreadable(
                                self.name,
                                self.line + lines,
                                &reason,
                                &self.pending[at..extent.end],
                            ));
                        }
                        lines += extent.lines;
                        at = extent.next;
                        break Some(parser.texts(&self.pending, &fields));
                    }
                }
            };
            if let (HeaderRecord::Names(expected), Some(found)) = (&self.header.record, names)
                && *expected != found
            {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    "read a file",
                    format!(
                        "expected the header of the first file, `{}`, found `{}`: give `columns`",
                        expected.join(", "),
                        found.join(", ")
                    ),
                )
                .with("file", self.name));
            }
        }
        self.pending.drain(..at);
        self.line += lines;
        self.header_lines = lines;
        Ok(true)
    }

    fn more_header(&self) -> Result<bool> {
        if self.pending.len() < MAX_RECORD_BYTES {
            return Ok(false);
        }
        let message = format!("the header does not end within {MAX_RECORD_BYTES} bytes: is the file text?");
        Err(Error::new(ErrorKind::InvalidData, "read a file", message).with("file", self.name))
    }
}

/// Refuses a file for a line of its header.
pub(crate) fn unreadable(file: &str, line: u64, reason: &Reason, text: &[u8]) -> Error {
    /// How much of the line is shown.
    const SHOWN: usize = 120;
    let shown = shortened(text.trim_ascii_end(), SHOWN);
    let message = format!("the header cannot be read\n  {file}:{line}: {reason}\n    | {shown}");
    Error::new(ErrorKind::InvalidData, "read a file", message).help("mend the file: it must be text in UTF-8")
}

/// Returns the byte after the last CSV record that is whole for sure.
fn last_csv_record_end(dialect: &Dialect, bytes: &[u8]) -> usize {
    let mut stops = dialect.stops(bytes);
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some(quote) = dialect.quote().and_then(|quote| memchr::memchr(quote, &bytes[at..])) {
        // Records without a quote end with their lines: only the one that the next quote is in needs a closer look.
        let start = at + memchr::memrchr2(b'\n', b'\r', &bytes[at..at + quote]).map_or(0, |end| end + 1);
        match dialect.scan(&mut stops, start, false, &mut fields) {
            Scanned::Record(extent) | Scanned::Skipped(extent) | Scanned::Bad(extent, _) => at = extent.next,
            Scanned::Incomplete => return start,
        }
    }
    let rest = &bytes[at..];
    let end = memchr::memrchr(b'\n', rest).or_else(|| {
        // A CR at the very end may be half of a CRLF.
        memchr::memrchr(b'\r', &rest[..rest.len().saturating_sub(1)])
    });
    end.map_or(at, |end| at + end + 1)
}

fn first_line_end(bytes: &[u8], is_end: bool) -> Option<usize> {
    let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) else { return is_end.then_some(bytes.len()) };
    match (bytes[at], bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) if !is_end => None,
        _ => Some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::load::config::CsvConfig;
    use crate::load::parse::csv::CsvParser;

    fn chunks(text: &[u8], parser: &Parser, header: &Header, target: usize) -> Result<Vec<(u64, String)>> {
        let input = Decoded::open("a.csv", Box::new(Cursor::new(text.to_vec())), 0)?;
        let mut reader = ChunkReader::new("a.csv", 0, input, parser, header, target);
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk()? {
            chunks.push((chunk.first_line, String::from_utf8(chunk.bytes).unwrap()));
        }
        Ok(chunks)
    }

    fn csv() -> Parser {
        Parser::Csv(CsvParser::new(&CsvConfig::default(), ","))
    }

    #[test]
    fn cuts_fall_between_records() {
        let text = b"\xEF\xBB\xBFa,b\n1,2\n\"x\ny\nz\",3\n4,5";
        let header = Header { lines: 0, record: HeaderRecord::Names(vec!["a".to_owned(), "b".to_owned()]) };
        let found = chunks(text, &csv(), &header, 6).unwrap();
        assert_eq!(found, [(2, "1,2\n".to_owned()), (3, "\"x\ny\nz\",3\n".to_owned()), (6, "4,5".to_owned())]);
    }

    #[test]
    fn a_header_that_differs_is_an_error() {
        let header = Header { lines: 0, record: HeaderRecord::Names(vec!["a".to_owned(), "b".to_owned()]) };
        let error = chunks(b"b,a\n1,2\n", &csv(), &header, 100).unwrap_err();
        assert_eq!(error.message, "expected the header of the first file, `a, b`, found `b, a`: give `columns`");
        assert_eq!(chunks(b"", &csv(), &header, 100).unwrap(), []);
    }

    #[test]
    fn a_header_that_is_no_text_is_an_error_at_its_line() {
        let any = |lines| Header { lines, record: HeaderRecord::Any };
        let said = |text: &[u8], header: &Header| match chunks(text, &csv(), header, 7) {
            Ok(chunks) => format!("{} chunks", chunks.len()),
            Err(error) => error.message,
        };
        for (text, expected) in [
            (&b"a\0,b\n1,2\n"[..], "a.csv:1: expected text, found a NUL at byte 2\n    | a\\x00,b"),
            (
                b"\nname,caf\xE9\n1,x\n",
                "a.csv:2: expected text in UTF-8, found other bytes at byte 9\n    | name,caf\\xe9",
            ),
            (b"\x1F", "a.csv:1: expected text, found a control character at byte 1\n    | \\x1f"),
            (b"\"a,b\n1,2\n", "a.csv:1: field 1: expected a closing quote, found none\n    | \"a,b"),
        ] {
            assert_eq!(said(text, &any(0)), format!("the header cannot be read\n  {expected}"));
        }
        // Lines that are passed over may be in any encoding, as long as something follows them.
        let passed = Header { lines: 1, record: HeaderRecord::None };
        assert_eq!(said(b"caf\xE9\n1,2\n", &passed), "1 chunks");
        let alone =
            "the header cannot be read\n  a.csv:1: expected text in UTF-8, found other bytes at byte 4\n    | caf\\xe9";
        assert_eq!(said(b"caf\xE9\n", &passed), alone);
        assert_eq!(said(b"", &passed), "0 chunks");
        let second = "the header cannot be read\n  a.csv:2: expected text, found a NUL at byte 1\n    | \\x00";
        assert_eq!(said(b"#\n\0\n1,2\n", &Header { lines: 2, record: HeaderRecord::None }), second);
    }

    proptest! {
        #[test]
        fn chunks_are_the_text_whatever_their_size(text in "[a\",\\\\\\n\\r]{0,80}", target in 1_usize..40) {
            let whole = chunks(text.as_bytes(), &csv(), &Header::default(), 1000).unwrap();
            let cut = chunks(text.as_bytes(), &csv(), &Header::default(), target).unwrap();
            let joined: String = cut.iter().map(|(_, text)| text.as_str()).collect();
            prop_assert_eq!(&joined, &text);
            // Parsing chunk by chunk sees the records of the whole.
            let starts = |chunks: &[(u64, String)]| {
                let config = CsvConfig::default();
                let dialect = Dialect::new(&config, ",");
                let mut records = Vec::new();
                for (line, text) in chunks {
                    let mut stops = dialect.stops(text.as_bytes());
                    let (mut at, mut line) = (0, *line);
                    while at < text.len() {
                        match dialect.scan(&mut stops, at, true, &mut Vec::new()) {
                            Scanned::Record(extent) | Scanned::Skipped(extent) | Scanned::Bad(extent, _) => {
                                records.push((line, text[at..extent.next].to_owned()));
                                at = extent.next;
                                line += extent.lines;
                            }
                            Scanned::Incomplete => break,
                        }
                    }
                }
                records
            };
            prop_assert_eq!(starts(&cut), starts(&whole));
        }
    }
}
