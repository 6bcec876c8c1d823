//! Reads the objects of text tables: plain, gzip or zstd by their first bytes, line by line.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

use super::line::LineForm;
use super::stream::{Asked, Batches};
use crate::error::Result;
use crate::lines::next_line;

/// A line longer than this is no record of a table: a limit for memory, Athena's own is 32 MB for a JSON record.
const LINE_BYTES: usize = 32 << 20;

/// What editors on Windows put before text; Hadoop's readers of lines pass over it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How objects begin that are compressed in a way that is not read: the magic numbers of these formats.
const COMPRESSIONS: [(&[u8], &str); 5] = [
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (&[0xff, 0x06, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y'], "snappy"),
    (&[0x89, b'L', b'Z', b'O', 0], "lzop"),
    (b"PK\x03\x04", "zip"),
];

/// Reads one object; ends early when nobody reads the batches any more.
///
/// # Errors
/// `InvalidData` for an object that cannot be read.
pub(super) fn read(asked: &Asked, form: &LineForm, bytes: impl Read, batches: &Batches) -> Result<()> {
    let mut bytes = BufReader::with_capacity(1 << 16, bytes);
    // Magic numbers of gzip (RFC 1952) and zstd (RFC 8878).
    let magic = bytes.fill_buf().map_err(|error| asked.failed(&error))?;
    if magic.starts_with(&[0x1f, 0x8b]) {
        let decoder = flate2::bufread::MultiGzDecoder::new(bytes);
        lines(asked, form, BufReader::with_capacity(1 << 16, decoder), batches)
    } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| asked.failed(&error))?;
        lines(asked, form, BufReader::with_capacity(1 << 16, decoder), batches)
    } else if let Some(name) = compression(magic) {
        let expected = "expected plain text, gzip or zstd";
        Err(asked.broken(&format!("{expected}, found what begins as {name} does: compress the object as one of these")))
    } else {
        lines(asked, form, bytes, batches)
    }
}

/// Names the way in which an object is compressed.
fn compression(magic: &[u8]) -> Option<&'static str> {
    // Text may begin with `BZh` too; its level and the sign of a block follow.
    if magic.starts_with(b"BZh") && magic.get(4..10) == Some(b"1AY&SY") {
        return Some("bzip2");
    }
    COMPRESSIONS.iter().find(|(start, _)| magic.starts_with(start)).map(|(_, name)| *name)
}

fn lines(asked: &Asked, form: &LineForm, mut bytes: impl BufRead, batches: &Batches) -> Result<()> {
    let mut lines = Vec::with_capacity(asked.batch_rows);
    let mut number: u64 = 0;
    let mut header = form.header;
    // Lines that are records only when as many follow as an object's footer has.
    let mut held = VecDeque::with_capacity(form.footer.min(asked.batch_rows));
    let mut line = Vec::new();
    while next_line(&mut bytes, &mut line, LINE_BYTES).map_err(|error| asked.failed(&error))? {
        number += 1;
        if line.len() > LINE_BYTES {
            return Err(asked.broken(&format!("line {number} is longer than {LINE_BYTES} bytes")));
        }
        if number == 1 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if header > 0 {
            header -= 1;
            continue;
        }
        if form.footer > 0 {
            held.push_back(std::mem::take(&mut line));
            if held.len() <= form.footer {
                continue;
            }
            line = held.pop_front().unwrap_or_default();
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            let at = number.saturating_sub(u64::try_from(held.len()).unwrap_or(0));
            return Err(asked.broken(&format!("line {at} is no UTF-8")));
        };
        lines.push(text.to_owned());
        if lines.len() == asked.batch_rows && !send(asked, form, &mut lines, batches)? {
            return Ok(());
        }
    }
    if !lines.is_empty() {
        send(asked, form, &mut lines, batches)?;
    }
    Ok(())
}

/// Sends the lines as a batch; false when nobody reads any more.
fn send(asked: &Asked, form: &LineForm, lines: &mut Vec<String>, batches: &Batches) -> Result<bool> {
    let arrays = form.columns(lines, &asked.columns, &asked.wanted).map_err(|error| asked.in_object(error))?;
    let rows = lines.len();
    lines.clear();
    asked.send(arrays, rows, batches)
}

#[cfg(test)]
mod tests;
