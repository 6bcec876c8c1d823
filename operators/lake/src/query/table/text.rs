//! Reads the objects of text tables: plain, gzip or zstd by their first bytes, line by line.

use std::io::{BufRead, BufReader, Read};

use super::line::LineForm;
use super::stream::{Asked, Batches};
use crate::error::Result;

/// A line longer than this is no record of a table: a limit for memory, Athena's own is 32 MB for a JSON record.
const LINE_BYTES: u64 = 32 << 20;

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
    } else {
        lines(asked, form, bytes, batches)
    }
}

fn lines(asked: &Asked, form: &LineForm, mut bytes: impl BufRead, batches: &Batches) -> Result<()> {
    let mut lines = Vec::with_capacity(asked.batch_rows);
    let mut number: u64 = 0;
    let mut skip = form.skip;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut bytes).take(LINE_BYTES).read_until(b'\n', &mut line).map_err(|error| asked.failed(&error))?;
        if read == 0 {
            break;
        }
        number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if u64::try_from(read).unwrap_or(u64::MAX) >= LINE_BYTES {
            return Err(asked.broken(&format!("line {number} is longer than {LINE_BYTES} bytes")));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        match std::str::from_utf8(&line) {
            Ok(text) => lines.push(text.to_owned()),
            Err(_) => return Err(asked.broken(&format!("line {number} is no UTF-8"))),
        }
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
