//! Guesses names and types of columns from the start of an input.
//!
//! What it looks at depends on the content alone: the first 10,000 records within the first 4 MiB of the first file that is
//! not empty. A type is guessed only when every value that is not NULL is of it; in this order: `boolean` (`true`, `false`),
//! `bigint` (without leading zeros), `double`, `date` (`2024-02-29`), `timestamp` (ISO 8601, or one of the formats below),
//! `varchar`. Nested JSON values are `json`. A column that holds nothing is `varchar`.

use std::collections::{HashMap, HashSet};

use super::chunk::{Header, HeaderRecord};
use super::column::{double, integer};
use super::config::{ColumnType, CsvConfig, JsonlConfig};
use super::layout::{Layout, LayoutColumn};
use super::parse::csv::{CsvParser, Scanned};
use super::parse::for_each_line;
use super::parse::json::{self, Kind};
use super::time_format::{TimeDefaults, TimeFormat, parse_date};

/// How many records are looked at.
pub(crate) const SAMPLE_RECORDS: usize = 10_000;

/// How many decoded bytes are looked at.
pub(crate) const SAMPLE_BYTES: usize = 4 * 1024 * 1024;

const DELIMITERS: [&str; 4] = [",", "\t", "|", ";"];

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

impl Guess {
    fn see(&mut self, text: &[u8]) {
        let defaults = TimeDefaults::default();
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        let leading_zero = unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1] != b'.';
        let is_number = unsigned.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.') && !leading_zero;
        self.is_empty = false;
        self.boolean &= text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false");
        self.bigint &= is_number && integer(text).is_some();
        // A whole number that is too long for `bigint` is an id, whose digits a `double` would lose.
        let is_long_id = unsigned.len() > 15 && unsigned.iter().all(u8::is_ascii_digit);
        self.double &= is_number && !is_long_id && double(text).is_some();
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

/// Guesses the layout of delimited text; none when there is no record.
pub(crate) fn csv(config: &CsvConfig, sample: &[u8], is_end: bool) -> Option<Layout> {
    let mut start = if sample.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    for _ in 0..config.skip_header_lines.unwrap_or(0) {
        let end = memchr::memchr(b'\n', &sample[start..]).map_or(sample.len(), |at| start + at + 1);
        start = end;
    }
    let sample = &sample[start..];
    let delimiter = match &config.delimiter {
        Some(delimiter) => delimiter.clone(),
        None => guess_delimiter(config, sample, is_end).to_owned(),
    };
    let parser = CsvParser::new(config, &delimiter);
    let mut first: Option<Vec<String>> = None;
    let mut columns: Vec<Guess> = Vec::new();
    let mut repeats_first = HashSet::new();
    for_each_record(&parser, sample, is_end, SAMPLE_RECORDS, |fields| {
        let Some(names) = &first else {
            let texts: Vec<String> =
                fields.iter().map(|field| String::from_utf8_lossy(field.unwrap_or_default()).into_owned()).collect();
            columns.resize(texts.len(), Guess::default());
            first = Some(texts);
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
    let first = first?;
    let is_header = match config.header_line {
        Some(is_header) => is_header,
        None => looks_like_header(&first, &columns, repeats_first.is_empty()),
    };
    if !is_header {
        for (column, text) in columns.iter_mut().zip(&first) {
            if !text.is_empty() {
                column.see(text.as_bytes());
            }
        }
    }
    let names = if is_header { names_of(&first) } else { names_of(&vec![String::new(); first.len()]) };
    Some(Layout {
        columns: names.into_iter().zip(&columns).map(|(name, guess)| column(name, guess, Vec::new())).collect(),
        delimiter,
        header: Header {
            lines: config.skip_header_lines.unwrap_or(0),
            record: if is_header { HeaderRecord::Names(first) } else { HeaderRecord::None },
        },
        is_guessed: true,
    })
}

/// The first record is a header when all its fields are texts and a column below is something else than text; or when they
/// differ, too, and no text of it turns up below.
///
/// A name that is there twice says nothing by itself: a join writes such headers, and rows of texts repeat theirs.
fn looks_like_header(first: &[String], columns: &[Guess], is_unlike: bool) -> bool {
    let mut seen = HashSet::new();
    let is_name = |text: &String| {
        let mut guess = Guess::default();
        guess.see(text.as_bytes());
        !text.trim().is_empty() && !guess.is_typed()
    };
    let are_names = first.iter().all(is_name);
    let differ = first.iter().all(|text| seen.insert(text.to_lowercase()));
    let has_rows = columns.iter().any(|column| !column.is_empty);
    let has_types = columns.iter().any(Guess::is_typed);
    let are_words = first.iter().all(|text| text.len() <= 64 && !text.contains(['\n', '\r']));
    are_names && (has_types || differ && (!has_rows || is_unlike && are_words))
}

/// The delimiter that cuts the most records into as many fields as the first, more than one.
fn guess_delimiter(config: &CsvConfig, sample: &[u8], is_end: bool) -> &'static str {
    const RECORDS: usize = 100;
    let mut best = (0, 1, DELIMITERS[0]);
    for delimiter in DELIMITERS {
        let parser = CsvParser::new(config, delimiter);
        let mut counts = Vec::new();
        for_each_record(&parser, sample, is_end, RECORDS, |fields| counts.push(fields.len()));
        let width = counts.first().copied().unwrap_or(0);
        let alike = counts.iter().filter(|count| **count == width).count();
        if width > 1 && (alike, width) > (best.0, best.1) {
            best = (alike, width, delimiter);
        }
    }
    best.2
}

/// Calls `record` with the values of each whole record of a sample; the last one only when the sample is all there is.
fn for_each_record(
    parser: &CsvParser,
    sample: &[u8],
    is_end: bool,
    most: usize,
    mut record: impl FnMut(&[Option<&[u8]>]),
) {
    let (mut fields, mut at, mut seen) = (Vec::new(), 0, 0);
    while at < sample.len() && seen < most {
        match parser.dialect().scan(sample, at, is_end, &mut fields) {
            Scanned::Record(extent) => {
                let mut scratches = vec![Vec::new(); fields.len()];
                let values: Vec<Option<&[u8]>> = fields
                    .iter()
                    .zip(&mut scratches)
                    .map(|(field, scratch)| parser.value(sample, *field, scratch))
                    .collect();
                record(&values);
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
pub(crate) fn jsonl(_: &JsonlConfig, sample: &[u8], is_end: bool) -> Option<Layout> {
    let whole = if is_end { sample.len() } else { memchr::memrchr(b'\n', sample).map_or(0, |at| at + 1) };
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").map_or(&sample[..whole], |rest| &rest[..whole.saturating_sub(3)]);
    let mut keys: Vec<String> = Vec::new();
    let mut by_key: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut guesses: Vec<JsonGuess> = Vec::new();
    let mut seen = 0;
    for_each_line(sample, |start, end, _| {
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
        return None;
    }
    let names = names_of(&keys);
    let columns = names.into_iter().zip(keys).zip(&guesses).map(|((name, key), guess)| {
        let (column_type, format) = guess.decide();
        LayoutColumn { format: format.map(str::to_owned), path: vec![key], ..LayoutColumn::new(name, column_type) }
    });
    Some(Layout { columns: columns.collect(), delimiter: String::new(), header: Header::default(), is_guessed: true })
}

fn column(name: String, guess: &Guess, path: Vec<String>) -> LayoutColumn {
    let (column_type, format) = guess.decide();
    LayoutColumn { format: format.map(str::to_owned), path, ..LayoutColumn::new(name, column_type) }
}

/// Makes column names of texts: lower case, letters, digits and `_`; `cN` for nothing; `_2` and so on for a name that is
/// there.
fn names_of(texts: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let clean: String = text
                .trim()
                .to_lowercase()
                .chars()
                .map(|character| if character.is_alphanumeric() { character } else { '_' })
                .collect();
            let clean = match clean.chars().next() {
                None => format!("c{index}"),
                Some(first) if first.is_ascii_digit() => format!("_{clean}"),
                Some(_) => clean,
            };
            let mut name = clean.clone();
            let mut number = 2;
            while !seen.insert(name.clone()) {
                name = format!("{clean}_{number}");
                number += 1;
            }
            name
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(layout: &Layout) -> String {
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
        let layout = csv(&CsvConfig::default(), text.as_bytes(), true).unwrap();
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
            (
                "t1,t2,t3\n2024-02-29T10:00:00Z,2024-02-29,17/May/2015:10:05:03 +0000\n2024-02-29,2024-02-29 10:00,17/May/2015:10:05:03 +0000\n",
                "t1 timestamp, t2 timestamp, t3 timestamp `%d/%b/%Y:%H:%M:%S %z`; \",\"; header",
            ),
            ("A B,a-b,,2x\n,,,\n", "c0 varchar, c1 varchar, c2 varchar, c3 varchar; \",\"; no header"),
            ("A B,a-b,Ärger,2x\n,,,1\n", "a_b varchar, a_b_2 varchar, ärger varchar, _2x bigint; \",\"; header"),
            ("x\n12345678901234567890\n", "x varchar; \",\"; header"),
            ("a,b\na,c\n", "c0 varchar, c1 varchar; \",\"; no header"),
            ("a,a,b\n1,2,x\n", "a bigint, a_2 bigint, b varchar; \",\"; header"),
            ("id,A,a,a_2\nx,1,,\n", "id varchar, a bigint, a_2 varchar, a_2_2 varchar; \",\"; header"),
            ("a,a,b\nx,y,z\n", "c0 varchar, c1 varchar, c2 varchar; \",\"; no header"),
            ("a,b\n", "a varchar, b varchar; \",\"; header"),
        ] {
            assert_eq!(guess_csv(text), expected, "{text}");
        }
        assert!(csv(&CsvConfig::default(), b"", true).is_none());
        // A record that the sample cuts off says nothing.
        let layout = csv(&CsvConfig::default(), b"a,b\n1,2\n3,x", false).unwrap();
        assert_eq!(shown(&layout), "a bigint, b bigint");
    }

    #[test]
    fn json_keys_and_types() {
        let text = br#"{"id": 1, "Name": "x", "at": "2024-02-29T10:00:00Z", "tags": [], "mixed": 1, "zip": "123"}
{"id": 2.5, "late": true, "mixed": "a", "tags": "x"}
not json
"#;
        let layout = jsonl(&JsonlConfig::default(), text, true).unwrap();
        assert_eq!(
            shown(&layout),
            "id double, name varchar, at timestamp, tags json, mixed varchar, zip varchar, late boolean"
        );
        assert_eq!(layout.columns[1].path, ["Name"]);
        assert!(jsonl(&JsonlConfig::default(), b"[]\n", true).is_none());
    }
}
