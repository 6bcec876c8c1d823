//! The `combined` access log of Apache and nginx:
//!
//! ```text
//! host ident user [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 1234 "referer" "user agent"
//! ```
//!
//! Grammar: <https://httpd.apache.org/docs/2.4/logs.html#combined>. `-` is NULL where it says that a value is missing;
//! in place of the bytes it is 0, as Apache's `%b` defines it. Inside quotes `\"` is a quote and `\\` a backslash; other
//! escapes (`\x16`, `\n`) stay as they are, as they stand for bytes that may be no text. A line that ends within its user
//! agent is a row, as log daemons cut long lines there; one that ends before is rejected.

use super::{RecordSink, for_each_line};
use crate::load::column::ReadColumn;
use crate::load::config::ColumnType;
use crate::load::number::integer;
use crate::load::reject::Reason;
use crate::load::time_format::{TimeDefaults, TimeFormat, parse_access_log_time};

const COLUMNS: [(&str, ColumnType); 11] = [
    ("remote_host", ColumnType::Varchar(None)),
    ("ident", ColumnType::Varchar(None)),
    ("remote_user", ColumnType::Varchar(None)),
    ("time", ColumnType::Timestamp),
    ("method", ColumnType::Varchar(None)),
    ("path", ColumnType::Varchar(None)),
    ("protocol", ColumnType::Varchar(None)),
    ("status", ColumnType::Integer),
    ("bytes", ColumnType::Bigint),
    ("referer", ColumnType::Varchar(None)),
    ("user_agent", ColumnType::Varchar(None)),
];

/// Returns the columns, which are fixed.
pub(crate) fn columns() -> Vec<ReadColumn> {
    COLUMNS
        .iter()
        .map(|(name, column_type)| ReadColumn {
            name: (*name).to_owned(),
            column_type: *column_type,
            format: TimeFormat::ISO,
            defaults: TimeDefaults::default(),
            is_guessed: false,
        })
        .collect()
}

/// Reads the lines of a chunk.
pub(crate) fn parse(sink: &mut RecordSink<'_>) {
    let bytes = sink.bytes();
    let mut scratch = Vec::new();
    for_each_line(bytes, |start, end, line| {
        let record = &bytes[start..end];
        if record.is_empty() {
            sink.skip();
            return;
        }
        let read = match sink.not_text(record) {
            Some(reason) => Err(reason),
            None => Line::read(record).and_then(|read| read.append(record, sink, &mut scratch)),
        };
        match read {
            Ok(()) => sink.accept(start, end, line),
            Err(reason) => sink.reject(start, end, line, &reason),
        }
    });
}

/// The fields of a line, as they stand in it.
struct Line<'a> {
    remote_host: &'a [u8],
    ident: &'a [u8],
    remote_user: &'a [u8],
    micros: i64,
    request: &'a [u8],
    status: &'a [u8],
    bytes: &'a [u8],
    referer: &'a [u8],
    user_agent: &'a [u8],
}

fn expected(expected: &'static str, at: usize) -> Reason {
    Reason::AccessLog { expected, at: at + 1 }
}

impl<'a> Line<'a> {
    fn read(line: &'a [u8]) -> Result<Self, Reason> {
        if let Some(at) = line.iter().position(|byte| *byte < 0x20 && *byte != b'\t') {
            return Err(Reason::Control { at: at + 1 });
        }
        let (remote_host, at) = word(line, 0, "the remote host")?;
        let (ident, at) = word(line, at, "the identity")?;
        // A user's name may hold blanks and brackets: the time starts at the first ` [` that a digit follows.
        let user_end = memchr::memmem::find_iter(&line[at..], b" [")
            .map(|found| at + found)
            .find(|found| line.get(found + 2).is_some_and(u8::is_ascii_digit))
            .ok_or_else(|| expected("a user and a time in brackets", at))?;
        let remote_user = &line[at..user_end];
        let time_start = user_end + 2;
        let time_end = memchr::memchr(b']', &line[time_start..])
            .map(|found| time_start + found)
            .ok_or_else(|| expected("`]` after the time", time_start))?;
        let micros = parse_access_log_time(&line[time_start..time_end])
            .ok_or_else(|| expected("a time as `17/May/2015:10:05:03 +0000`", time_start))?;
        let (request, at) = quoted(line, time_end + 1, "the request in quotes", "a closing quote after the request")?;
        let (status, at) = word(line, at + 1, "the status")?;
        let (bytes, at) = word(line, at, "the bytes")?;
        let (referer, at) = quoted(line, at - 1, "the referer in quotes", "a closing quote after the referer")?;
        let (user_agent, at) = last_quoted(line, at)?;
        if line[at..].iter().any(|byte| *byte != b' ') {
            return Err(expected("the end of the line after the user agent", at));
        }
        Ok(Self { remote_host, ident, remote_user, micros, request, status, bytes, referer, user_agent })
    }

    fn append(&self, line: &[u8], sink: &mut RecordSink<'_>, scratch: &mut Vec<u8>) -> Result<(), Reason> {
        let place = |part: &[u8]| part.as_ptr().addr() - line.as_ptr().addr();
        if !(self.status.len() == 3 && integer(self.status).is_some_and(|status| status >= 100)) && self.status != b"-"
        {
            return Err(expected("a status of three digits", place(self.status)));
        }
        let bytes: &[u8] = if self.bytes == b"-" { b"0" } else { self.bytes };
        if !bytes.first().is_some_and(u8::is_ascii_digit) {
            return Err(expected("a number of bytes or `-`", place(self.bytes)));
        }
        let (method, path, protocol) = split_request(self.request);
        let [c_host, c_ident, c_user, c_time, c_method, c_path, c_protocol, c_status, c_bytes, c_referer, c_agent] =
            sink.rows.columns()
        else {
            return Err(expected("the columns of an access log", 0));
        };
        let bad = |_| expected("a number of bytes or `-`", place(self.bytes));
        for (column, value, escaped) in [
            (c_host, Some(self.remote_host), false),
            (c_ident, Some(self.ident), false),
            (c_user, Some(self.remote_user), true),
            (c_method, method, true),
            (c_path, path, true),
            (c_protocol, protocol, true),
            (c_status, Some(self.status), false),
            (c_referer, Some(self.referer), true),
            (c_agent, Some(self.user_agent), true),
        ] {
            match value {
                None | Some(b"-") => column.append_null(),
                Some(text) if escaped && memchr::memchr(b'\\', text).is_some() => {
                    unescape(text, scratch);
                    column.append_text(scratch).map_err(bad)?;
                }
                Some(text) => column.append_text(text).map_err(bad)?,
            }
        }
        c_time.append_micros(self.micros).map_err(bad)?;
        c_bytes.append_text(bytes).map_err(bad)
    }
}

/// Reads up to the next blank; returns the place after it.
fn word<'a>(line: &'a [u8], at: usize, what: &'static str) -> Result<(&'a [u8], usize), Reason> {
    let rest = line.get(at..).unwrap_or_default();
    match memchr::memchr(b' ', rest) {
        Some(0) | None => Err(expected(what, at)),
        Some(length) => Ok((&rest[..length], at + length + 1)),
    }
}

/// Reads a blank and a text in quotes; returns the place after the closing quote.
fn quoted<'a>(
    line: &'a [u8],
    at: usize,
    what: &'static str,
    closing: &'static str,
) -> Result<(&'a [u8], usize), Reason> {
    if !line.get(at..).is_some_and(|rest| rest.starts_with(b" \"")) {
        return Err(expected(what, at));
    }
    let start = at + 2;
    let mut from = start;
    loop {
        let found = memchr::memchr2(b'"', b'\\', &line[from..]).map(|found| from + found);
        match found {
            Some(end) if line[end] == b'"' => return Ok((&line[start..end], end + 1)),
            // An escape takes the next byte with it; at the line's end there is none.
            Some(escape) if escape + 2 <= line.len() => from = escape + 2,
            _ => return Err(expected(closing, line.len())),
        }
    }
}

/// Reads the user agent. Log daemons cut long lines, and the user agent is what they cut: a line that ends in it is a row all
/// the same, with the user agent that is there.
fn last_quoted(line: &[u8], at: usize) -> Result<(&[u8], usize), Reason> {
    const CLOSING: &str = "a closing quote after the user agent";
    match quoted(line, at, "the user agent in quotes", CLOSING) {
        Err(Reason::AccessLog { expected: CLOSING, .. }) => Ok((&line[at + 2..], line.len())),
        read => read,
    }
}

/// Method, path and protocol.
type Request<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Option<&'a [u8]>);

/// Splits `GET /path HTTP/1.1`; what is no such line goes whole into the path.
fn split_request(request: &[u8]) -> Request<'_> {
    if request == b"-" {
        return (None, None, None);
    }
    let whole = (None, Some(request), None);
    let Some(first) = memchr::memchr(b' ', request) else { return whole };
    let Some(last) = memchr::memrchr(b' ', request) else { return whole };
    let (method, protocol) = (&request[..first], &request[last + 1..]);
    let is_method =
        !method.is_empty() && method.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    let is_protocol = protocol.starts_with(b"HTTP/") && protocol.len() > 5;
    if !is_method || !is_protocol || last <= first + 1 {
        return whole;
    }
    (Some(method), Some(&request[first + 1..last]), Some(protocol))
}

fn unescape(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        match rest.get(at + 1) {
            Some(byte @ (b'"' | b'\\')) => out.push(*byte),
            Some(byte) => out.extend_from_slice(&[b'\\', *byte]),
            None => out.push(b'\\'),
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Parser;
    use super::super::tests::run;
    use super::*;

    fn read(text: &[u8]) -> (Vec<String>, Vec<String>, u64) {
        run(&Parser::ApacheCombined, &columns(), text)
    }

    #[test]
    fn lines_become_rows() {
        let (rows, rejected, skipped) = read(
            br#"192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a?b=c HTTP/1.1" 200 203023 "http://example.com/" "Mozilla/5.0 (X11)"
2001:db8::1 id al ice [17/May/2015:23:59:59 -0100] "POST /x y HTTP/2.0" 304 - "-" "say \"hi\" \\ \x16"

192.0.2.2 - bob [18/May/2015:00:00:00 +0000] "\x16\x03\x01" 400 0 "-" "-"
192.0.2.2 - - [18/May/2015:00:00:00 +0000] "-" 408 - "-" "-"
192.0.2.2 - - [18/May/2015:00:00:00 +0000] "GET /old" 200 5 "" ""
192.0.2.2 - - [18/May/2015:00:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11
"#,
        );
        assert_eq!(rejected, Vec::<String>::new());
        assert_eq!(skipped, 1);
        assert_eq!(
            rows,
            [
                "192.0.2.1|∅|∅|2015-05-17T10:05:03|GET|/a?b=c|HTTP/1.1|200|203023|http://example.com/|Mozilla/5.0 (X11)",
                r#"2001:db8::1|id|al ice|2015-05-18T00:59:59|POST|/x y|HTTP/2.0|304|0|∅|say "hi" \ \x16"#,
                r"192.0.2.2|∅|bob|2015-05-18T00:00:00|∅|\x16\x03\x01|∅|400|0|∅|∅",
                "192.0.2.2|∅|∅|2015-05-18T00:00:00|∅|∅|∅|408|0|∅|∅",
                "192.0.2.2|∅|∅|2015-05-18T00:00:00|∅|GET /old|∅|200|5||",
                "192.0.2.2|∅|∅|2015-05-18T00:00:00|GET|/|HTTP/1.1|200|5|∅|Mozilla/5.0 (X11",
            ]
        );
    }

    #[test]
    fn what_is_no_line_is_rejected_with_its_place() {
        let (rows, rejected, _) = read(
            b"garbage\n\
              192.0.2.1 - - [17/Mai/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"http://cut.off\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 2000 1 \"-\" \"-\"\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 x \"-\" \"-\"\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\" more\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"G\0T / HTTP/1.1\" 200 1 \"-\" \"-\"\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"G\xFFT / HTTP/1.1\" 200 1 \"-\" \"-\"\n\
              192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"G\x1bT / HTTP/1.1\" 200 1 \"-\" \"-\"\n",
        );
        assert_eq!(rows, Vec::<String>::new());
        assert_eq!(
            rejected.iter().map(|text| text.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect::<Vec<_>>(),
            [
                "1: expected the remote host at byte 1",
                "2: expected a time as `17/May/2015:10:05:03 +0000` at byte 16",
                "3: expected a closing quote after the referer at byte 82",
                "4: expected the bytes at byte 65",
                "5: expected a status of three digits at byte 61",
                "6: expected a number of bytes or `-` at byte 65",
                "7: expected the end of the line after the user agent at byte 74",
                "8: expected text, found a NUL at byte 46",
                "9: expected text in UTF-8, found other bytes at byte 46",
                "10: expected text, found a control character at byte 46",
            ]
        );
        assert!(rejected[8].contains("G\\xffT"), "{}", rejected[8]);
    }

    proptest! {
        #[test]
        fn no_line_is_lost(text in prop::collection::vec(prop_oneof![
            Just(b"192.0.2.1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"".to_vec()),
            prop::collection::vec(any::<u8>(), 0..40),
            "[ -~]{0,60}".prop_map(String::into_bytes),
            "192 - - \\[17/May/2015:10:05:03 \\+0000\\] \"[ -~]{0,12}\" [0-9-]{1,4} [0-9-]{1,3} \"[ -~]{0,8}\" \"[ -~]{0,8}\"?".prop_map(String::into_bytes),
        ], 0..12)) {
            let text = text.join(&b'\n');
            let lines = text.split(|byte| *byte == b'\n').count() - usize::from(text.is_empty() || text.ends_with(b"\n"));
            let (rows, rejected, skipped) = read(&text);
            prop_assert_eq!(rows.len() + rejected.len() + usize::try_from(skipped).unwrap(), lines);
        }
    }
}
