//! Guesses names and types of columns from the start of an input.
//!
//! What it looks at depends on the content alone: the first 10,000 records within the first 4 MiB of the first file that is
//! not empty, or its first line, if that is longer. A type is guessed only when every value that is not NULL is of it; in this order: `boolean` (`true`, `false`),
//! `bigint` (without leading zeros), `double` (which keeps every digit), `date` (`2024-02-29`), `timestamp` (ISO 8601, or one of the formats below),
//! `varchar`. Nested JSON values are `json`. A column that holds nothing is `varchar`.

mod delimiter;

use std::collections::{HashMap, HashSet};
use std::fmt;

use indexmap::IndexMap;

use super::chunk::{Header, HeaderRecord};
use super::config::{ColumnType, CsvConfig, JsonlConfig, ParserConfig};
use super::layout::{InputLayout, LayoutColumn};
use super::number::{double, integer, keeps_digits};
use super::parse::csv::{CsvParser, Field, Scanned, line_ends, no_header};
use super::parse::json::{self, Kind};
use super::parse::{for_each_line, not_text};
use super::reject::Reason;
use super::time_format::{TimeDefaults, TimeFormat, parse_date};

/// How many records are looked at.
pub(crate) const SAMPLE_RECORDS: usize = 10_000;

/// How many decoded bytes are looked at.
pub(crate) const SAMPLE_BYTES: usize = 4 * 1024 * 1024;

/// Formats of timestamps besides ISO 8601.
const FORMATS: [&str; 3] = ["%d/%b/%Y:%H:%M:%S %z", "%Y/%m/%d %H:%M:%S", "%a, %d %b %Y %H:%M:%S %z"];

/// What the values of a column allow.
#[derive(Debug, Clone)]
struct Guess {
    is_empty: bool,
    boolean: bool,
    bigint: bool,
    double: bool,
    date: bool,
    iso: bool,
    formats: [bool; FORMATS.len()],
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            is_empty: true,
            boolean: true,
            bigint: true,
            double: true,
            date: true,
            iso: true,
            formats: [true; FORMATS.len()],
        }
    }
}

/// Tells whether a text is written as numbers are: without a plus, and without zeros before it, which ids have.
fn is_plain_number(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let leading_zero = unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1] != b'.';
    unsigned.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') && !leading_zero
}

fn is_truth(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false")
}

/// Tells whether a later value is one that a guessed type could have been guessed from: what it would change is no value of it.
pub(crate) fn could_be(column_type: ColumnType, text: &[u8]) -> bool {
    match column_type {
        ColumnType::Boolean => is_truth(text),
        ColumnType::Tinyint | ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint => is_plain_number(text),
        ColumnType::Double => {
            is_plain_number(text) && (text.len() <= 15 || double(text).is_some_and(|value| keeps_digits(value, text)))
        }
        _ => true,
    }
}

impl Guess {
    fn see(&mut self, text: &[u8]) {
        let defaults = TimeDefaults::default();
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        let is_number = is_plain_number(text);
        self.is_empty = false;
        self.boolean &= is_truth(text);
        self.bigint &= is_number && integer(text).is_some();
        // A whole number that is too long for `bigint` is an id, whatever a `double` would keep of it.
        let is_long_id = unsigned.len() > 15 && unsigned.iter().all(u8::is_ascii_digit);
        self.double &= is_number && !is_long_id && double(text).is_some_and(|value| keeps_digits(value, text));
        self.date = self.date && parse_date(text).is_some();
        self.iso = self.iso && TimeFormat::ISO.parse(text, &defaults).is_some();
        for (possible, format) in self.formats.iter_mut().zip(FORMATS) {
            *possible =
                *possible && TimeFormat::compile(format).is_ok_and(|format| format.parse(text, &defaults).is_some());
        }
    }

    fn decide(&self) -> (ColumnType, Option<&'static str>) {
        if self.is_empty {
            return (ColumnType::Varchar(None), None);
        }
        if self.boolean {
            return (ColumnType::Boolean, None);
        }
        if self.bigint {
            return (ColumnType::Bigint, None);
        }
        if self.double {
            return (ColumnType::Double, None);
        }
        if self.date {
            return (ColumnType::Date, None);
        }
        if self.iso {
            return (ColumnType::Timestamp, None);
        }
        match FORMATS.iter().zip(self.formats).find(|(_, possible)| *possible) {
            Some((format, _)) => (ColumnType::Timestamp, Some(*format)),
            None => (ColumnType::Varchar(None), None),
        }
    }

    fn is_typed(&self) -> bool {
        !matches!(self.decide().0, ColumnType::Varchar(_))
    }
}

/// Columns that would have the same name: which one is meant by it cannot be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedAlike {
    /// The line of the header, or the first with the last of the keys.
    pub line: u64,
    /// What stands there: `the header`, `the keys of the lines`.
    giver: &'static str,
    /// The places of the columns, from 1, and what stands there, by name.
    columns: IndexMap<String, Vec<(usize, String)>>,
    /// What to do about it.
    pub help: &'static str,
}

impl fmt::Display for NamedAlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, columns)) in self.columns.iter().enumerate() {
            let shown: Vec<String> =
                columns.iter().map(|(place, text)| format!("{place} (`{}`)", text.escape_debug())).collect();
            let giver = if index == 0 { format!("{} would give", self.giver) } else { ", and".to_owned() };
            let (last, before) = shown.split_last().map_or(("", &shown[..0]), |(last, before)| (last.as_str(), before));
            write!(f, "{giver} the name `{name}` to the columns {} and {last}", before.join(", "))?;
        }
        Ok(())
    }
}

/// Why nothing is guessed from a header, or from keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoNames {
    /// Columns would have the same name.
    Alike(NamedAlike),
    /// The header cannot be read.
    Unreadable {
        /// Its line, from 1.
        line: u64,
        /// Why not.
        reason: Reason,
        /// What stands there.
        text: Vec<u8>,
    },
}

impl From<NamedAlike> for NoNames {
    fn from(alike: NamedAlike) -> Self {
        Self::Alike(alike)
    }
}

/// Guesses the layout of delimited text; none when there is no record.
///
/// # Errors
/// When a header is no text, or gives two columns the same name.
pub(crate) fn csv(config: &CsvConfig, sample: &[u8], is_end: bool) -> Result<Option<InputLayout>, NoNames> {
    let whole = sample;
    let mut start = if sample.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    for _ in 0..config.skip_header_lines.unwrap_or(0) {
        let end = memchr::memchr(b'\n', &sample[start..]).map_or(sample.len(), |at| start + at + 1);
        start = end;
    }
    let sample = &sample[start..];
    let delimiter = match &config.delimiter {
        Some(delimiter) => delimiter.clone(),
        None => delimiter::guess(config, sample, is_end).to_owned(),
    };
    let parser = CsvParser::new(config, &delimiter);
    let mut first: Option<Vec<String>> = None;
    let mut first_at = 0;
    let mut columns: Vec<Guess> = Vec::new();
    let mut repeats_first = HashSet::new();
    for_each_record(&parser, sample, is_end, SAMPLE_RECORDS, |at, fields| {
        let Some(names) = &first else {
            let texts: Vec<String> =
                fields.iter().map(|field| String::from_utf8_lossy(field.unwrap_or_default()).into_owned()).collect();
            columns.resize(texts.len(), Guess::default());
            first = Some(texts);
            first_at = at;
            return;
        };
        for (index, (column, field)) in columns.iter_mut().zip(fields).enumerate() {
            if let Some(text) = field {
                if names[index].as_bytes() == *text {
                    repeats_first.insert(index);
                }
                column.see(text);
            }
        }
    });
    let Some(first) = first else { return Ok(None) };
    let is_header = match config.header_line {
        Some(is_header) => is_header,
        None => looks_like_header(&first, &columns, repeats_first.is_empty()),
    };
    let line = line_ends(&whole[..start + first_at]) + 1;
    if is_header && let Some((reason, text)) = unreadable_header(&parser, sample, first_at, is_end) {
        return Err(NoNames::Unreadable { line, reason, text });
    }
    if !is_header {
        for (column, text) in columns.iter_mut().zip(&first) {
            if !text.is_empty() {
                column.see(text.as_bytes());
            }
        }
    }
    let names = if is_header {
        names_of(&first).map_err(|columns| NamedAlike {
            line,
            giver: "the header",
            columns,
            help: "give `columns` in the parser, each with a name of its own and its type, and `header_line: true`",
        })?
    } else {
        (0..first.len()).map(|index| format!("c{index}")).collect()
    };
    Ok(Some(InputLayout {
        columns: names.into_iter().zip(&columns).map(|(name, guess)| column(name, guess, Vec::new())).collect(),
        delimiter,
        header: Header {
            lines: config.skip_header_lines.unwrap_or(0),
            record: if is_header { HeaderRecord::Names(first) } else { HeaderRecord::None },
        },
        is_guessed: true,
    }))
}

/// Tells why the record at `start` cannot be a header, and what stands there.
fn unreadable_header(parser: &CsvParser, sample: &[u8], start: usize, is_end: bool) -> Option<(Reason, Vec<u8>)> {
    let mut fields = Vec::new();
    match parser.dialect().scan(&mut parser.dialect().stops(sample), start, is_end, &mut fields) {
        Scanned::Record(extent) => {
            let reason = no_header(sample, start, extent.end, &fields)?;
            Some((reason, sample[start..extent.end].to_vec()))
        }
        Scanned::Skipped(_) | Scanned::Bad(..) | Scanned::Incomplete => None,
    }
}

/// The first record is a header when all its fields are texts and a column below is something else than text; or when they
/// differ, too, and no text of it turns up below. One that leaves names out (a table with an index, a delimiter at the end of each
/// line) is a header when a column that it names is something else than text.
///
/// A name that is there twice says nothing by itself: a join writes such headers, and rows of texts repeat theirs.
fn looks_like_header(first: &[String], columns: &[Guess], is_unlike: bool) -> bool {
    let mut seen = HashSet::new();
    let is_text = |text: &str| {
        let mut guess = Guess::default();
        guess.see(text.as_bytes());
        !guess.is_typed()
    };
    let names: Vec<Option<&str>> = first.iter().map(|text| Some(text.trim()).filter(|name| !name.is_empty())).collect();
    let are_names = names.iter().flatten().all(|name| is_text(name));
    let are_all_named = names.iter().all(Option::is_some);
    let differ = first.iter().all(|text| seen.insert(text.to_lowercase()));
    let has_rows = columns.iter().any(|column| !column.is_empty);
    let has_types = names.iter().zip(columns).any(|(name, column)| name.is_some() && column.is_typed());
    let are_words = first.iter().all(|text| text.len() <= 64 && !text.contains(['\n', '\r']));
    are_names && (has_types || are_all_named && differ && (!has_rows || is_unlike && are_words))
}

/// Calls `record` with the place and the values of each whole record of a sample; the last one only when the sample is all there is.
fn for_each_record(
    parser: &CsvParser,
    sample: &[u8],
    is_end: bool,
    most: usize,
    mut record: impl FnMut(usize, &[Option<&[u8]>]),
) {
    for_each_scanned(parser, sample, is_end, most, |at, fields| {
        let mut scratches = vec![Vec::new(); fields.len()];
        let values: Vec<Option<&[u8]>> =
            fields.iter().zip(&mut scratches).map(|(field, scratch)| parser.value(sample, *field, scratch)).collect();
        record(at, &values);
    });
}

/// Calls `record` with the place and the fields of each whole record of a sample; the last one only when the sample is all there is.
fn for_each_scanned(
    parser: &CsvParser,
    sample: &[u8],
    is_end: bool,
    most: usize,
    mut record: impl FnMut(usize, &[Field]),
) {
    let mut stops = parser.dialect().stops(sample);
    let (mut fields, mut at, mut seen) = (Vec::new(), 0, 0);
    while at < sample.len() && seen < most {
        match parser.dialect().scan(&mut stops, at, is_end, &mut fields) {
            Scanned::Record(extent) => {
                record(at, &fields);
                at = extent.next;
                seen += 1;
            }
            Scanned::Skipped(extent) | Scanned::Bad(extent, _) => at = extent.next,
            Scanned::Incomplete => break,
        }
    }
}

/// What the values of a JSON key allow.
#[derive(Debug, Clone, Default)]
struct JsonGuess {
    strings: Guess,
    numbers: Guess,
    has_boolean: bool,
    has_nested: bool,
}

impl JsonGuess {
    /// Tells whether the key had no value but NULL.
    fn is_unknown(&self) -> bool {
        self.strings.is_empty && self.numbers.is_empty && !self.has_boolean && !self.has_nested
    }

    fn decide(&self) -> (ColumnType, Option<&'static str>) {
        let (has_strings, has_numbers) = (!self.strings.is_empty, !self.numbers.is_empty);
        match (self.has_nested, has_strings, has_numbers, self.has_boolean) {
            (true, ..) => (ColumnType::Json, None),
            (_, false, true, false) => match self.numbers.decide() {
                (kind @ (ColumnType::Bigint | ColumnType::Double), _) => (kind, None),
                _ => (ColumnType::Varchar(None), None),
            },
            (_, false, false, true) => (ColumnType::Boolean, None),
            // A string that looks like a number was made a string on purpose.
            (_, true, false, false) => match self.strings.decide() {
                time @ (ColumnType::Date | ColumnType::Timestamp, _) => time,
                _ => (ColumnType::Varchar(None), None),
            },
            _ => (ColumnType::Varchar(None), None),
        }
    }
}

/// Guesses the layout of JSON lines; none when there is no object.
///
/// # Errors
/// When two keys would be columns of the same name.
pub(crate) fn jsonl(_: &JsonlConfig, sample: &[u8], is_end: bool) -> Result<Option<InputLayout>, NoNames> {
    let whole = if is_end { sample.len() } else { memchr::memrchr(b'\n', sample).map_or(0, |at| at + 1) };
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").map_or(&sample[..whole], |rest| &rest[..whole.saturating_sub(3)]);
    let mut keys: Vec<String> = Vec::new();
    let mut by_key: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut guesses: Vec<JsonGuess> = Vec::new();
    let mut lines: Vec<u64> = Vec::new();
    let mut seen = 0;
    for_each_line(sample, |start, end, number| {
        let line = &sample[start..end];
        if seen >= SAMPLE_RECORDS || std::str::from_utf8(line).is_err() {
            return;
        }
        let mut members = Vec::new();
        if json::read_object(line, &mut |key, value| members.push((key.to_vec(), value))).is_err() {
            return;
        }
        seen += 1;
        for (key, value) in members {
            let index = *by_key.entry(key.clone()).or_insert_with(|| {
                keys.push(String::from_utf8_lossy(&key).into_owned());
                guesses.push(JsonGuess::default());
                lines.push(number + 1);
                keys.len() - 1
            });
            let guess = &mut guesses[index];
            match value.kind {
                Kind::Null => {}
                Kind::Boolean => guess.has_boolean = true,
                Kind::Number => guess.numbers.see(value.text),
                Kind::String { .. } => guess.strings.see(&json::unescape(value.text).unwrap_or_default()),
                Kind::Object | Kind::Array => guess.has_nested = true,
            }
        }
    });
    if keys.is_empty() {
        return Ok(None);
    }
    let names = names_of(&keys).map_err(|columns| NamedAlike {
        line: columns.values().flatten().filter_map(|(place, _)| lines.get(place - 1).copied()).max().unwrap_or(1),
        giver: "the keys of the lines",
        columns,
        help: "give `columns` in the parser, each with a name of its own, its type, and the key in `element_at: /KEY`",
    })?;
    let columns = names.into_iter().zip(keys).zip(&guesses).map(|((name, key), guess)| {
        let (column_type, format) = guess.decide();
        let format = format.map(str::to_owned);
        let (is_unknown, fits_double) = (guess.is_unknown(), guess.numbers.double);
        LayoutColumn { format, path: vec![key], is_unknown, fits_double, ..LayoutColumn::new(name, column_type) }
    });
    let columns = columns.collect();
    Ok(Some(InputLayout { columns, delimiter: String::new(), header: Header::default(), is_guessed: true }))
}

/// Returns the first line of a sample that cannot be read, from 1, and why not: where nothing could be, that tells the reason.
pub(crate) fn first_unreadable(parser: &ParserConfig, sample: &[u8]) -> Option<(u64, Reason)> {
    let ParserConfig::Jsonl(_) = parser else { return None };
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample);
    let mut found = None;
    for_each_line(sample, |start, end, number| {
        let line = sample.get(start..end).unwrap_or_default();
        if found.is_none() && !line.trim_ascii().is_empty() {
            let unread = || json::read_object(line, &mut |_, _| {}).err();
            let no_object = || unread().map(|error| Reason::Json { expected: error.expected, at: error.at + 1 });
            found = not_text(line).or_else(no_object).map(|reason| (number + 1, reason));
        }
    });
    found
}

fn column(name: String, guess: &Guess, path: Vec<String>) -> LayoutColumn {
    let (column_type, format) = guess.decide();
    let format = format.map(str::to_owned);
    let (is_unknown, fits_double) = (guess.is_empty, guess.double);
    LayoutColumn { format, path, is_unknown, fits_double, ..LayoutColumn::new(name, column_type) }
}

/// Names that more than one text becomes, with the places (from 1) and texts of each.
type Alike = IndexMap<String, Vec<(usize, String)>>;

/// Makes column names of texts: lower case, letters, digits and `_`; `cN` for nothing.
///
/// # Errors
/// Names that more than one text becomes, with the places (from 1) and texts of each.
fn names_of(texts: &[String]) -> Result<Vec<String>, Alike> {
    let name = |(index, text): (usize, &String)| {
        let clean: String = text
            .trim()
            .to_lowercase()
            .chars()
            .map(|character| if character.is_alphanumeric() { character } else { '_' })
            .collect();
        match clean.chars().next() {
            None => format!("c{index}"),
            Some(first) if first.is_ascii_digit() => format!("_{clean}"),
            Some(_) => clean,
        }
    };
    let names: Vec<String> = texts.iter().enumerate().map(name).collect();
    let mut columns = Alike::new();
    for (index, (name, text)) in names.iter().zip(texts).enumerate() {
        columns.entry(name.clone()).or_default().push((index + 1, text.clone()));
    }
    columns.retain(|_, columns| columns.len() > 1);
    if columns.is_empty() { Ok(names) } else { Err(columns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(layout: &InputLayout) -> String {
        let columns: Vec<String> = layout
            .columns
            .iter()
            .map(|column| match &column.format {
                Some(format) => format!("{} {} `{format}`", column.name, column.column_type),
                None => format!("{} {}", column.name, column.column_type),
            })
            .collect();
        columns.join(", ")
    }

    fn guess_csv(text: &str) -> String {
        let layout = match csv(&CsvConfig::default(), text.as_bytes(), true) {
            Ok(layout) => layout.unwrap(),
            Err(NoNames::Alike(alike)) => return format!("line {}: {alike}", alike.line),
            Err(NoNames::Unreadable { line, reason, .. }) => return format!("line {line}: {reason}"),
        };
        let header = if layout.header.record == HeaderRecord::None { "no header" } else { "header" };
        format!("{}; {:?}; {header}", shown(&layout), layout.delimiter)
    }

    #[test]
    fn csv_types_names_and_delimiters() {
        for (text, expected) in [
            ("id,name,ok\n1,a,true\n2,b,FALSE\n", "id bigint, name varchar, ok boolean; \",\"; header"),
            ("1,a\n2,b\n", "c0 bigint, c1 varchar; \",\"; no header"),
            ("City;Code\nParis;00123\nRoma;00456\n", "city varchar, code varchar; \";\"; header"),
            ("a\tb\n1.5\t2024-02-29\n2\t2024-03-01\n", "a double, b date; \"\\t\"; header"),
            // Decimal commas stand in every record; a `;` inside of quotes cuts nothing, nor does a comma there.
            ("1,5;2,5\n1,5;4,5\n", "c0 varchar, c1 varchar; \";\"; no header"),
            ("name|n, of all\n\"a|b\"|1\n\"c;d\"|2\n", "name varchar, n__of_all bigint; \"|\"; header"),
            ("1,\"a;b\"\n2,\"c;d\"\n", "c0 bigint, c1 varchar; \",\"; no header"),
            ("\"a,b\";\"c\"\n\"d,e\";\"f\"\n", "a_b varchar, c varchar; \";\"; header"),
            // One `;` or `|` in the texts of every record does not make it the delimiter.
            ("1,foo,x;y\n2,bar,z;w\n", "c0 bigint, c1 varchar, c2 varchar; \",\"; no header"),
            ("1,a|b,2024-02-29\n2,c|d,2024-03-01\n", "c0 bigint, c1 varchar, c2 date; \",\"; no header"),
            ("1,5;a;2,5\n1,5;b;4,5\n", "c0 varchar, c1 varchar, c2 varchar; \";\"; no header"),
            ("1;a, b, c\n2;d, e, f\n", "c0 bigint, c1 varchar; \";\"; no header"),
            ("\"city\";\"people\"\n\"Paris, France\";2\n\"Roma\";3\n", "city varchar, people bigint; \";\"; header"),
            (
                "t1,t2,t3\n2024-02-29T10:00:00Z,2024-02-29,17/May/2015:10:05:03 +0000\n2024-02-29,2024-02-29 10:00,17/May/2015:10:05:03 +0000\n",
                "t1 timestamp, t2 timestamp, t3 timestamp `%d/%b/%Y:%H:%M:%S %z`; \",\"; header",
            ),
            // As `to_csv` writes the index of a table, and what ends every line with a delimiter.
            (",name,n\n0,a,1.5\n1,b,2\n", "c0 bigint, name varchar, n double; \",\"; header"),
            ("name,n,\na,1,\nb,2,\n", "name varchar, n bigint, c2 varchar; \",\"; header"),
            (",x\n1,y\n", "c0 bigint, c1 varchar; \",\"; no header"),
            ("A B,a-b,,2x\n,,,\n", "c0 varchar, c1 varchar, c2 varchar, c3 varchar; \",\"; no header"),
            ("A B,Ärger,2x\n,,1\n", "a_b varchar, ärger varchar, _2x bigint; \",\"; header"),
            ("x\n12345678901234567890\n", "x varchar; \",\"; header"),
            ("a,b\na,c\n", "c0 varchar, c1 varchar; \",\"; no header"),
            ("a,a,b\n1,2,x\n", "line 1: the header would give the name `a` to the columns 1 (`a`) and 2 (`a`)"),
            (
                "\n\nid,A,a,ID,id,a-1,\"a\n1\"\nx,1,,,,,\n",
                "line 3: the header would give the name `id` to the columns 1 (`id`), 4 (`ID`) and 5 (`id`), and the name `a` to the \
                 columns 2 (`A`) and 3 (`a`), and the name `a_1` to the columns 6 (`a-1`) and 7 (`a\\n1`)",
            ),
            ("a,a,b\nx,y,z\n", "c0 varchar, c1 varchar, c2 varchar; \",\"; no header"),
            ("a,b\n", "a varchar, b varchar; \",\"; header"),
            ("\n\u{1f}\n", "line 2: expected text, found a control character at byte 1"),
            ("a,b\0\n1,2\n", "line 1: expected text, found a NUL at byte 4"),
            // A row is rejected when it is read.
            ("1,b\0\n1,2\n", "c0 bigint, c1 varchar; \",\"; no header"),
        ] {
            assert_eq!(guess_csv(text), expected, "{text}");
        }
        assert_eq!(csv(&CsvConfig::default(), b"", true), Ok(None));
        // A record that the sample cuts off says nothing.
        let layout = csv(&CsvConfig::default(), b"a,b\n1,2\n3,x", false).unwrap().unwrap();
        let skipping = CsvConfig { skip_header_lines: Some(2), ..CsvConfig::default() };
        let Err(NoNames::Alike(alike)) = csv(&skipping, b"#\n#\n\na,a\n1,2\n", true) else { panic!("names alike") };
        assert_eq!(alike.line, 4);
        assert_eq!(shown(&layout), "a bigint, b bigint");
    }

    #[test]
    fn json_keys_and_types() {
        let text = br#"{"id": 1, "Name": "x", "at": "2024-02-29T10:00:00Z", "tags": [], "mixed": 1, "zip": "123"}
{"id": 2.5, "late": true, "mixed": "a", "tags": "x"}
not json
"#;
        let layout = jsonl(&JsonlConfig::default(), text, true).unwrap().unwrap();
        assert_eq!(
            shown(&layout),
            "id double, name varchar, at timestamp, tags json, mixed varchar, zip varchar, late boolean"
        );
        assert_eq!(layout.columns[1].path, ["Name"]);
        assert_eq!(jsonl(&JsonlConfig::default(), b"[]\n", true), Ok(None));
        let text = b"{\"id\": 1, \"Name\": 2}\n{}\n{\"name\": 3}\n";
        let Err(NoNames::Alike(alike)) = jsonl(&JsonlConfig::default(), text, true) else { panic!("names alike") };
        assert_eq!(
            format!("{}: {alike}", alike.line),
            "3: the keys of the lines would give the name `name` to the columns 2 (`Name`) and 3 (`name`)"
        );
    }
}
