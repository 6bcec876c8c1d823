//! Delimited text: RFC 4180 and its relatives, by Embulk's rules (see [`CsvConfig`] for the options).
//!
//! ```text
//! record = field *(delimiter field) (LF / CRLF / CR / end)
//! field  = plain / quoted
//! quoted = quote *(any / quote quote / escape quote / escape escape) quote *blank
//! plain  = anything up to a delimiter or line end; a quote that does not start the field is data
//! ```
//!
//! The scanner that finds where records end ([`Dialect::scan`]) is used by whoever cuts a file into chunks and by the parser
//! of a chunk, so that both see the same records. A record that breaks the grammar is rejected up to the end of the line on
//! which its bad quote opened, and reading goes on at the next line.

use super::stops::Stops;
use super::{RecordSink, not_text};
use crate::load::column::ColumnBuilder;
use crate::load::config::{CsvConfig, Newline, NullStrings};
use crate::load::reject::Reason;

/// How records and fields are told apart.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    delimiter: Vec<u8>,
    quote: Option<u8>,
    escape: Option<u8>,
    trim: bool,
    comment: Option<Vec<u8>>,
    max_quoted: usize,
    /// The bytes that a plain field stops at: the delimiter's first, LF, CR.
    stops: [u8; 3],
    /// The delimiter is one byte, and blanks around fields are theirs.
    is_simple: bool,
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its first byte, without the quote.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// How it was written.
    pub form: FieldForm,
}

/// How a field was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldForm {
    /// Without quotes.
    Plain,
    /// In quotes, meaning what stands there.
    Quoted,
    /// In quotes, with escapes or doubled quotes.
    Escaped,
}

/// What was found at the start of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// A record.
    Record(Extent),
    /// An empty line, or a comment.
    Skipped(Extent),
    /// No record.
    Bad(Extent, Reason),
    /// The record goes on after the bytes at hand.
    Incomplete,
}

/// Where a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The byte after its last, without the line end.
    pub end: usize,
    /// Where the next record starts.
    pub next: usize,
    /// How many lines it is.
    pub lines: u64,
}

impl Dialect {
    /// Makes the dialect of a config, with a delimiter that may have been guessed.
    pub(crate) fn new(config: &CsvConfig, delimiter: &str) -> Self {
        let ascii = |character: char| u8::try_from(u32::from(character)).ok();
        let delimiter = delimiter.as_bytes().to_vec();
        let stops = [delimiter.first().copied().unwrap_or(b','), b'\n', b'\r'];
        let quote = config.quote.and_then(ascii);
        Self {
            is_simple: delimiter.len() == 1 && !config.trim_if_not_quoted,
            delimiter,
            quote,
            // A quote that is its own escape is doubled, which is understood anyway.
            escape: config.escape.and_then(ascii).filter(|escape| Some(*escape) != quote),
            trim: config.trim_if_not_quoted,
            comment: config.comment_line_marker.as_ref().map(|marker| marker.as_bytes().to_vec()),
            max_quoted: usize::try_from(config.max_quoted_size_limit).unwrap_or(usize::MAX),
            stops,
        }
    }

    /// Returns the quote.
    pub(crate) fn quote(&self) -> Option<u8> {
        self.quote
    }

    /// Begins the search in a text for what ends plain fields.
    pub(crate) fn stops<'a>(&self, bytes: &'a [u8]) -> Stops<'a> {
        Stops::new(bytes, self.stops)
    }

    /// Finds the record that starts at `start` in the text of [`Dialect::stops`]; `is_end` says that nothing follows the text.
    pub(crate) fn scan(&self, stops: &mut Stops<'_>, start: usize, is_end: bool, fields: &mut Vec<Field>) -> Scanned {
        let bytes = stops.text();
        fields.clear();
        if let Some(comment) = &self.comment {
            let rest = &bytes[start..];
            if rest.starts_with(comment) {
                return match line_end(bytes, start, is_end) {
                    Some((end, next)) => Scanned::Skipped(Extent { end, next, lines: 1 }),
                    None => Scanned::Incomplete,
                };
            }
            if !is_end && rest.len() < comment.len() && comment.starts_with(rest) {
                return Scanned::Incomplete;
            }
        }
        let mut at = start;
        let mut lines = 0;
        loop {
            // Most fields: no quote in front, and the one byte of the delimiter after them.
            while self.is_simple
                && let Some(first) = bytes.get(at)
                && Some(*first) != self.quote
                && let Some(end) = stops.next(at)
                && bytes[end] == self.stops[0]
            {
                fields.push(Field { start: at, end, form: FieldForm::Plain });
                at = end + 1;
            }
            let field_start = at;
            let mut content = at;
            if self.trim {
                while bytes.get(content) == Some(&b' ') {
                    content += 1;
                }
            }
            let is_quoted = self.quote.is_some() && bytes.get(content).copied() == self.quote;
            if is_quoted {
                let (field, after) = match self.quoted(bytes, content, is_end) {
                    Quoted::Field(field, after) => (field, after),
                    Quoted::Incomplete => return Scanned::Incomplete,
                    Quoted::Unclosed { is_too_long } => {
                        let field = fields.len() + 1;
                        return bad(
                            bytes,
                            content,
                            is_end,
                            lines,
                            Reason::UnclosedQuote { field, within: is_too_long.then_some(self.max_quoted) },
                        );
                    }
                };
                lines += line_ends(&bytes[field.start..field.end]);
                fields.push(field);
                at = after;
                if self.stop(bytes, at, is_end) == Stop::None {
                    let field = fields.len();
                    let lines_before = lines - line_ends(&bytes[content + 1..after]);
                    return bad(bytes, content, is_end, lines_before, Reason::AfterQuote { field });
                }
            } else {
                at = self.plain_end(stops, at);
                let (mut first, mut last) = (field_start, at);
                if self.trim {
                    first = content.min(at);
                    while last > first && bytes[last - 1] == b' ' {
                        last -= 1;
                    }
                }
                fields.push(Field { start: first, end: last, form: FieldForm::Plain });
            }
            match self.stop(bytes, at, is_end) {
                Stop::Delimiter => at += self.delimiter.len(),
                Stop::Line(next) => {
                    let extent = Extent { end: at, next, lines: lines + 1 };
                    let is_blank = at == start && fields.len() == 1;
                    return if is_blank { Scanned::Skipped(extent) } else { Scanned::Record(extent) };
                }
                Stop::Incomplete => return Scanned::Incomplete,
                // `plain_end` stops at nothing else.
                Stop::None => at += 1,
            }
        }
    }

    /// Returns where a plain field that starts at `at` ends.
    fn plain_end(&self, stops: &mut Stops<'_>, mut at: usize) -> usize {
        let bytes = stops.text();
        loop {
            match stops.next(at) {
                None => return bytes.len(),
                Some(found) if bytes[found] != self.stops[0] || self.is_delimiter(bytes, found) => return found,
                // It may become a delimiter with the bytes that follow.
                Some(found) if self.delimiter.starts_with(&bytes[found..]) => return found,
                Some(found) => at = found + 1,
            }
        }
    }

    /// Tells whether the delimiter stands at a place. It mostly is one byte, which needs no comparison of texts.
    #[inline]
    fn is_delimiter(&self, bytes: &[u8], at: usize) -> bool {
        bytes[at] == self.stops[0] && (self.delimiter.len() == 1 || bytes[at..].starts_with(&self.delimiter))
    }

    #[inline]
    fn stop(&self, bytes: &[u8], at: usize, is_end: bool) -> Stop {
        let Some(byte) = bytes.get(at) else {
            return if is_end { Stop::Line(at) } else { Stop::Incomplete };
        };
        match byte {
            b'\n' => Stop::Line(at + 1),
            b'\r' => match bytes.get(at + 1) {
                Some(b'\n') => Stop::Line(at + 2),
                None if !is_end => Stop::Incomplete,
                _ => Stop::Line(at + 1),
            },
            _ if self.is_delimiter(bytes, at) => Stop::Delimiter,
            _ if !is_end && self.delimiter.starts_with(&bytes[at..]) => Stop::Incomplete,
            _ => Stop::None,
        }
    }

    /// Reads the field whose quote stands at `open`; returns it and the place after the quote and its blanks.
    fn quoted(&self, bytes: &[u8], open: usize, is_end: bool) -> Quoted {
        let quote = bytes[open];
        let start = open + 1;
        let mut form = FieldForm::Quoted;
        let mut at = start;
        let most = start.saturating_add(self.max_quoted);
        let window = &bytes[..bytes.len().min(most.saturating_add(2))];
        loop {
            let rest = window.get(at..).unwrap_or_default();
            let found = match self.escape {
                Some(escape) => memchr::memchr2(quote, escape, rest),
                None => memchr::memchr(quote, rest),
            };
            let Some(found) = found.map(|found| at + found).filter(|found| *found <= most) else {
                let is_too_long = bytes.len() > most;
                return if is_too_long || is_end { Quoted::Unclosed { is_too_long } } else { Quoted::Incomplete };
            };
            let following = bytes.get(found + 1).copied();
            if following.is_none() && !is_end {
                return Quoted::Incomplete;
            }
            if bytes[found] != quote {
                if following == Some(quote) || following == self.escape {
                    form = FieldForm::Escaped;
                    at = found + 2;
                } else {
                    at = found + 1;
                }
                continue;
            }
            if following == Some(quote) {
                form = FieldForm::Escaped;
                at = found + 2;
                continue;
            }
            let mut after = found + 1;
            while bytes.get(after) == Some(&b' ') && !bytes[after..].starts_with(&self.delimiter) {
                after += 1;
            }
            return Quoted::Field(Field { start, end: found, form }, after);
        }
    }

    /// Returns what a field means, in `scratch` where it does not stand in the bytes as it is.
    fn value<'a>(&self, bytes: &'a [u8], field: Field, newline: Option<&[u8]>, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let text = &bytes[field.start..field.end];
        let rewrite = match field.form {
            FieldForm::Plain => false,
            FieldForm::Quoted => newline.is_some() && memchr::memchr2(b'\n', b'\r', text).is_some(),
            FieldForm::Escaped => true,
        };
        if !rewrite {
            return text;
        }
        scratch.clear();
        let quote = self.quote.unwrap_or(b'"');
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            let following = text.get(at + 1).copied();
            let pair = following == Some(quote) && (*byte == quote || Some(*byte) == self.escape)
                || following.is_some() && following == self.escape && Some(*byte) == self.escape;
            match (pair, following, newline) {
                (true, Some(meant), _) => {
                    scratch.push(meant);
                    at += 2;
                    continue;
                }
                (_, following, Some(newline)) if matches!(byte, b'\r' | b'\n') => {
                    scratch.extend_from_slice(newline);
                    if *byte == b'\r' && following == Some(b'\n') {
                        at += 1;
                    }
                }
                _ => scratch.push(*byte),
            }
            at += 1;
        }
        scratch
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Delimiter,
    Line(usize),
    Incomplete,
    None,
}

enum Quoted {
    Field(Field, usize),
    Incomplete,
    Unclosed { is_too_long: bool },
}

/// A bad record ends with the line on which its bad quote opened.
fn bad(bytes: &[u8], open: usize, is_end: bool, lines_before: u64, reason: Reason) -> Scanned {
    match line_end(bytes, open, is_end) {
        Some((end, next)) => Scanned::Bad(Extent { end, next, lines: lines_before + 1 }, reason),
        None => Scanned::Incomplete,
    }
}

/// Returns the end of the line that `at` is on, and the start of the next.
fn line_end(bytes: &[u8], at: usize, is_end: bool) -> Option<(usize, usize)> {
    let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map(|found| at + found) else {
        return is_end.then_some((bytes.len(), bytes.len()));
    };
    match (bytes[found], bytes.get(found + 1)) {
        (b'\r', Some(b'\n')) => Some((found, found + 2)),
        (b'\r', None) if !is_end => None,
        _ => Some((found, found + 1)),
    }
}

/// Counts the line ends in a text; CRLF is one.
pub(crate) fn line_ends(text: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', text).count();
    let returns = memchr::memchr_iter(b'\r', text).filter(|at| text.get(at + 1) != Some(&b'\n')).count();
    u64::try_from(feeds + returns).unwrap_or(u64::MAX)
}

/// Reads delimited text into columns.
#[derive(Debug, Clone)]
pub(crate) struct CsvParser {
    dialect: Dialect,
    null_strings: Option<NullStrings>,
    newline: Option<&'static [u8]>,
    allow_optional_columns: bool,
    allow_extra_columns: bool,
}

impl CsvParser {
    /// Makes a parser.
    pub(crate) fn new(config: &CsvConfig, delimiter: &str) -> Self {
        Self {
            dialect: Dialect::new(config, delimiter),
            null_strings: config.null_string.clone(),
            newline: config.newline.map(Newline::as_bytes),
            allow_optional_columns: config.allow_optional_columns,
            allow_extra_columns: config.allow_extra_columns,
        }
    }

    /// Returns how records are told apart.
    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Returns what a field means; none is NULL.
    #[inline]
    pub(crate) fn value<'a>(&self, bytes: &'a [u8], field: Field, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let value = match field.form {
            FieldForm::Plain => &bytes[field.start..field.end],
            _ => self.dialect.value(bytes, field, self.newline, scratch),
        };
        let is_null = match &self.null_strings {
            None => value.is_empty() && field.form == FieldForm::Plain,
            Some(NullStrings(texts)) => texts.iter().any(|text| text.as_bytes() == value),
        };
        (!is_null).then_some(value)
    }

    /// Returns what the fields of a header mean.
    pub(crate) fn texts(&self, bytes: &[u8], fields: &[Field]) -> Vec<String> {
        let mut scratch = Vec::new();
        let text = |field: &Field| {
            String::from_utf8_lossy(self.dialect.value(bytes, *field, self.newline, &mut scratch)).into_owned()
        };
        fields.iter().map(text).collect()
    }

    /// Reads the records of a chunk.
    pub(crate) fn parse(&self, sink: &mut RecordSink<'_>) {
        let bytes = sink.bytes();
        let mut stops = self.dialect.stops(bytes);
        let mut fields = Vec::new();
        let mut scratch = Vec::new();
        let mut at = 0;
        let mut line = 0;
        while at < bytes.len() {
            match self.dialect.scan(&mut stops, at, true, &mut fields) {
                Scanned::Record(extent) => {
                    match self.append(&bytes[at..extent.end], bytes, &fields, sink, &mut scratch) {
                        Ok(()) => sink.accept(at, extent.end, line),
                        Err(reason) => sink.reject(at, extent.end, line, &reason),
                    }
                    at = extent.next;
                    line += extent.lines;
                }
                Scanned::Skipped(extent) => {
                    sink.skip();
                    at = extent.next;
                    line += extent.lines;
                }
                Scanned::Bad(extent, reason) => {
                    sink.reject(at, extent.end, line, &reason);
                    at = extent.next;
                    line += extent.lines;
                }
                // Nothing is incomplete at the end of the bytes.
                Scanned::Incomplete => break,
            }
        }
    }

    fn append(
        &self,
        record: &[u8],
        bytes: &[u8],
        fields: &[Field],
        sink: &mut RecordSink<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if let Some(reason) = sink.not_text(record) {
            return Err(reason);
        }
        let columns = sink.rows.columns();
        let (expected, found) = (columns.len(), fields.len());
        if found < expected && !self.allow_optional_columns {
            return Err(Reason::TooFewFields { expected, found });
        }
        if found > expected && !self.allow_extra_columns {
            return Err(Reason::TooManyFields { expected, found });
        }
        for (column, field) in columns.iter_mut().zip(fields) {
            match self.value(bytes, *field, scratch) {
                None => column.append_null(),
                Some(value) => {
                    if column.append_text(value).is_err() {
                        return Err(Reason::bad_value(column.column(), value));
                    }
                }
            }
        }
        columns.iter_mut().skip(found).for_each(ColumnBuilder::append_null);
        Ok(())
    }
}

/// Tells why the record at `start..end` cannot be a header: it is no text, or a field of it holds what no name does. What is read
/// as a header is looked at by nobody else.
pub(crate) fn no_header(bytes: &[u8], start: usize, end: usize, fields: &[Field]) -> Option<Reason> {
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    let control = |field: &Field| {
        let at = bytes[field.start..field.end].iter().position(is_control)?;
        Some(Reason::Control { at: field.start + at - start + 1 })
    };
    not_text(&bytes[start..end]).or_else(|| fields.iter().find_map(control))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Parser;
    use super::super::tests::{column, run};
    use super::*;

    fn read(options: serde_json::Value, types: &[&str], text: &str) -> (Vec<String>, Vec<String>, u64) {
        let config: CsvConfig = serde_json::from_value(options).unwrap();
        let delimiter = config.delimiter.clone().unwrap_or_else(|| ",".to_owned());
        let columns: Vec<_> =
            types.iter().zip(b'a'..).map(|(kind, name)| column(&char::from(name).to_string(), kind)).collect();
        run(&Parser::Csv(CsvParser::new(&config, &delimiter)), &columns, text.as_bytes())
    }

    fn rows(options: serde_json::Value, types: &[&str], text: &str) -> Vec<String> {
        let (rows, rejected, _) = read(options, types, text);
        assert_eq!(rejected, Vec::<String>::new());
        rows
    }

    #[test]
    fn line_ends_of_every_kind_end_a_record() {
        let (rows, rejected, skipped) =
            read(serde_json::json!({}), &["varchar", "bigint"], "a,1\nb,2\r\nc,3\rd,4\n\n\r\ne,5");
        assert_eq!(rows, ["a|1", "b|2", "c|3", "d|4", "e|5"]);
        assert_eq!((rejected.len(), skipped), (0, 2));
    }

    #[test]
    fn quotes_hold_delimiters_line_ends_and_quotes() {
        let text = "\"a,1\",\"x\ny\"\n\"say \"\"hi\"\"\" ,b\"2\n\"back\\\"slash\\\\\",\"\\n\"\n";
        assert_eq!(
            rows(serde_json::json!({}), &["varchar", "varchar"], text),
            ["a,1|x\ny", "say \"hi\"|b\"2", "back\"slash\\|\\n"]
        );
        let (good, rejected, _) = read(serde_json::json!({"escape": null}), &["varchar", "varchar"], text);
        assert_eq!(good, ["a,1|x\ny", "say \"hi\"|b\"2"]);
        assert_eq!(
            rejected,
            [
                "4: field 1: expected a delimiter or the line's end after the closing quote: \"back\\\"slash\\\\\",\"\\n\""
            ]
        );
        assert_eq!(rows(serde_json::json!({"newline": "CRLF"}), &["varchar"], "\"x\ny\r\nz\"\n"), ["x\r\ny\r\nz"]);
        assert_eq!(rows(serde_json::json!({"quote": null}), &["varchar"], "\"x\"\n"), ["\"x\""]);
    }

    #[test]
    fn a_quote_that_never_closes_costs_one_line() {
        let (good, rejected, _) = read(serde_json::json!({}), &["varchar", "bigint"], "a,1\n\"b,2\nc,3\nd,4\n");
        assert_eq!(good, ["a|1", "c|3", "d|4"]);
        assert_eq!(rejected, ["2: field 1: expected a closing quote, found none: \"b,2"]);
        let (good, rejected, _) = read(
            serde_json::json!({"max_quoted_size_limit": 4}),
            &["varchar", "bigint"],
            "\"abcd\",1\n\"abcde\",2\nc,3\n",
        );
        assert_eq!(good, ["abcd|1", "c|3"]);
        assert_eq!(
            rejected,
            ["2: field 1: expected a closing quote within 4 bytes (`max_quoted_size_limit`), found none: \"abcde\",2"]
        );
    }

    #[test]
    fn short_and_long_records_are_rejected_unless_allowed() {
        let text = "a,1\nb\nc,3,x\n";
        let (good, rejected, _) = read(serde_json::json!({}), &["varchar", "bigint"], text);
        assert_eq!(good, ["a|1"]);
        assert_eq!(
            rejected,
            ["2: expected 2 fields, found 1: too short: b", "3: expected 2 fields, found 3: too long: c,3,x"]
        );
        let allowed = serde_json::json!({"allow_optional_columns": true, "allow_extra_columns": true});
        assert_eq!(rows(allowed, &["varchar", "bigint"], text), ["a|1", "b|∅", "c|3"]);
    }

    #[test]
    fn null_strings_follow_embulk() {
        let text = ",\"\",NULL,\"NULL\"\n";
        let types = ["varchar"; 4];
        assert_eq!(rows(serde_json::json!({}), &types, text), ["∅||NULL|NULL"]);
        assert_eq!(rows(serde_json::json!({"null_string": ""}), &types, text), ["∅|∅|NULL|NULL"]);
        assert_eq!(rows(serde_json::json!({"null_string": "NULL"}), &types, text), ["||∅|∅"]);
        assert_eq!(rows(serde_json::json!({"null_string": ["", "NULL"]}), &types, text), ["∅|∅|∅|∅"]);
        let (_, rejected, _) = read(serde_json::json!({"null_string": "NA"}), &["bigint", "bigint"], "NA,\n");
        assert_eq!(rejected, ["1: column `b`: expected bigint, found ``: NA,"]);
    }

    #[test]
    fn delimiters_comments_and_blanks() {
        assert_eq!(rows(serde_json::json!({"delimiter": "\t"}), &["varchar", "varchar"], " a \tb,c\n"), [" a |b,c"]);
        assert_eq!(
            rows(serde_json::json!({"delimiter": "||"}), &["varchar", "varchar"], "a|x||b\nc|||d\n"),
            ["a|x|b", "c||d"]
        );
        let (good, _, skipped) =
            read(serde_json::json!({"comment_line_marker": "#"}), &["varchar", "varchar"], "#c\"\na,#b\n\"#x\",y\n");
        assert_eq!((good, skipped), (vec!["a|#b".to_owned(), "#x|y".to_owned()], 1));
        assert_eq!(
            rows(serde_json::json!({"trim_if_not_quoted": true}), &["varchar"; 3], " a , \" b \" ,  \n"),
            ["a| b |∅"]
        );
    }

    #[test]
    fn values_that_do_not_fit_are_rejected() {
        let (good, rejected, _) = read(
            serde_json::json!({}),
            &["boolean", "decimal(5,2)", "date", "timestamp", "varchar(3)"],
            "yes,1.5,2024-02-29,2024-02-29 10:00:00,äöü\nmaybe,1.5,2024-02-29,,x\nno,1.555,,,x\n,,2023-02-29,,x\n,,,yesterday,x\n,,,,abcd\nno,\0,,,\n",
        );
        assert_eq!(good, ["true|1.50|2024-02-29|2024-02-29T10:00:00|äöü"]);
        let reasons: Vec<_> =
            rejected.iter().map(|text| text.split(": ").take(3).collect::<Vec<_>>().join(": ")).collect();
        assert_eq!(
            reasons,
            [
                "2: column `a`: expected boolean, found `maybe`",
                "3: column `b`: expected decimal(5,2), found `1.555`",
                "4: column `c`: expected date, found `2023-02-29`",
                "5: column `d`: expected timestamp, found `yesterday`",
                "6: column `e`: expected varchar(3), found `abcd`",
                "7: expected text, found a NUL at byte 4: no,\\x00,,,",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_lost_and_chunks_do_not_matter(
            text in "[a\",\\\\ #\\n\\r]{0,60}",
            quote in prop_oneof![Just(Some('"')), Just(None)],
            escape in prop_oneof![Just(Some('\\')), Just(None), Just(Some('"'))],
            delimiter in prop_oneof![Just(","), Just(",,")],
            trim: bool,
            limit in 1_u32..20,
            cut in 0_usize..60,
        ) {
            let config = CsvConfig {
                quote, escape, trim_if_not_quoted: trim, max_quoted_size_limit: limit,
                comment_line_marker: Some("#".to_owned()), allow_optional_columns: true, allow_extra_columns: true,
                ..CsvConfig::default()
            };
            let dialect = Dialect::new(&config, delimiter);
            let bytes = text.as_bytes();
            let mut stops = dialect.stops(bytes);
            let (mut fields, mut at, mut lines, mut open_end) = (Vec::new(), 0, 0, 0);
            while at < bytes.len() {
                let whole = dialect.scan(&mut stops, at, true, &mut fields);
                // What is seen with fewer bytes at hand is the same, or not known yet.
                let known = (at + cut).min(bytes.len());
                let mut known_stops = dialect.stops(&bytes[..known]);
                let partial = dialect.scan(&mut known_stops, at.min(known), false, &mut Vec::new());
                prop_assert!(partial == whole || partial == Scanned::Incomplete, "{:?} {:?}", partial, whole);
                let (Scanned::Record(extent) | Scanned::Skipped(extent) | Scanned::Bad(extent, _)) = whole else {
                    return Err(TestCaseError::fail("incomplete at the end"));
                };
                prop_assert!(extent.next > at && extent.end <= extent.next);
                open_end = u64::from(extent.next == extent.end);
                prop_assert_eq!(extent.lines, line_ends(&bytes[at..extent.next]) + open_end);
                at = extent.next;
                lines += extent.lines;
            }
            prop_assert_eq!(lines, line_ends(bytes) + open_end);
        }

        #[test]
        fn the_parser_takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let parser = Parser::Csv(CsvParser::new(&CsvConfig::default(), ","));
            let _ = run(&parser, &[column("a", "bigint"), column("b", "json")], &bytes);
        }
    }
}
