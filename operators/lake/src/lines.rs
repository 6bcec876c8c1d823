//! Lines of text as the readers of tables take them: one ends with `\n`, `\r\n` or, as in Hive, `\r` alone. Whoever counts rows and
//! whoever reads them must mean the same, so this is the one place that knows it.

use std::io::{BufRead, Result};

/// Reads a line without its end; false when there is none. One that is longer than `most` bytes is left in its middle.
pub(crate) fn next_line(bytes: &mut impl BufRead, line: &mut Vec<u8>, most: usize) -> Result<bool> {
    line.clear();
    pass_line(bytes, |piece| {
        line.extend_from_slice(piece);
        line.len() <= most
    })
}

/// Counts the lines; the last one may have no end.
pub(crate) fn count_lines(bytes: &mut impl BufRead) -> Result<u64> {
    let mut lines = 0;
    while pass_line(bytes, |_| true)? {
        lines += 1;
    }
    Ok(lines)
}

/// Passes over a line, piece by piece, until `take` has enough of it; false when there is none.
fn pass_line(bytes: &mut impl BufRead, mut take: impl FnMut(&[u8]) -> bool) -> Result<bool> {
    let mut has_begun = false;
    loop {
        let found = bytes.fill_buf()?;
        if found.is_empty() {
            return Ok(has_begun);
        }
        has_begun = true;
        let end = memchr::memchr2(b'\n', b'\r', found);
        let (piece, rest) = found.split_at(end.unwrap_or(found.len()));
        let wants_more = take(piece);
        let taken = piece.len() + usize::from(end.is_some());
        let is_return = rest.first() == Some(&b'\r');
        bytes.consume(taken);
        if is_return && bytes.fill_buf()?.first() == Some(&b'\n') {
            bytes.consume(1);
        }
        if end.is_some() || !wants_more {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// What Trino 476 answers.
    #[test]
    fn lines_are_counted_as_they_are_read() {
        for (text, lines) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\rb\r\nc\n\rd\r\r\ne", &["a", "b", "c", "", "d", "", "e"]),
            ("\r\n\r\n", &["", ""]),
            ("\r", &[""]),
        ] {
            // In buffers whose bounds fall into the ends of lines, too.
            for capacity in 1..8 {
                let mut bytes = BufReader::with_capacity(capacity, text.as_bytes());
                let (mut line, mut read) = (Vec::new(), Vec::new());
                while next_line(&mut bytes, &mut line, 100).unwrap() {
                    read.push(String::from_utf8(line.clone()).unwrap());
                }
                assert_eq!(read, lines, "{text:?} by {capacity}");
                let mut bytes = BufReader::with_capacity(capacity, text.as_bytes());
                assert_eq!(count_lines(&mut bytes).unwrap(), lines.len() as u64, "{text:?} by {capacity}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_left_in_its_middle() {
        let mut bytes = BufReader::with_capacity(4, &b"0123456789\n"[..]);
        let mut line = Vec::new();
        assert!(next_line(&mut bytes, &mut line, 5).unwrap());
        assert_eq!(line, b"01234567");
    }
}
