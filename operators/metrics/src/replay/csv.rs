//! Time series in CSV files: `timestamp,value`, one series a file, named for it.

mod again;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use lake::words::counted;
use lake::{Error, ErrorKind, Result};

pub use place::{Disorder, Place};

use crate::point::{SeriesName, canonical, same_value};
use crate::time::{WHOLE_MS, check_time, civil_utc, instant};

/// How many lines that cannot be read are named.
const NAMED_LINES: usize = 10;

/// The longest line, in bytes: a longer one is no line of CSV.
const LINE_BYTES: u64 = 1 << 20;

/// A file of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesFile {
    /// Where it is.
    pub path: PathBuf,
    /// The series: the file's name without `.csv`.
    pub name: SeriesName,
}

/// What is in a folder of series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesFiles {
    /// The files, in the order of their names.
    pub files: Vec<SeriesFile>,
    /// How many `.csv` files are left out, as their names begin with `.` or `_`.
    pub hidden: u64,
    /// The names of what else is there, in their order: other files, and folders, with a slash behind.
    pub others: Vec<String>,
}

/// Lists the files of series: a file itself, or the `.csv` files of a folder but those whose names begin with `.` or `_`.
///
/// # Errors
/// `NotFound` when there is none; `InvalidData` for a file whose name is no series' name.
pub fn list(path: &Path) -> Result<SeriesFiles> {
    let read = |error| Error::io("list files of series", path, error);
    let (mut paths, mut others, mut hidden) = (Vec::new(), Vec::new(), 0);
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let is_hidden = name.is_empty() || name.starts_with(['.', '_']);
            let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
            let at = |error| Error::io("list files of series", &path, error);
            if is_csv && (is_hidden || std::fs::metadata(&path).map_err(at)?.is_file()) {
                if is_hidden {
                    hidden += 1;
                } else {
                    paths.push(path);
                }
            } else if !is_hidden {
                others.push(if path.is_dir() { format!("{name}/") } else { name });
            }
        }
        paths.sort();
        others.sort();
        if paths.is_empty() {
            let but = if hidden > 0 { " but those whose names begin with `.` or `_`, which are left out" } else { "" };
            let others = if others.is_empty() { String::new() } else { format!("; there is {}", some(&others)) };
            let message = format!("there are no `.csv` files in `{}`{but}{others}", path.display());
            return Err(Error::new(ErrorKind::NotFound, "list files of series", message)
                .help("each file is one series, its first line `timestamp,value`"));
        }
    } else {
        std::fs::metadata(path).map_err(read)?;
        paths.push(path.to_owned());
    }
    let file = |path: PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        let Some(text) = stem.to_str() else {
            let message = format!("expected a file name in UTF-8, as it names the series, found `{}`", path.display());
            return Err(Error::new(ErrorKind::InvalidData, "list files of series", message));
        };
        let name = SeriesName::new(text).map_err(|error| error.with("file", path.display().to_string()))?;
        Ok(SeriesFile { path, name })
    };
    let files: Vec<SeriesFile> = paths.into_iter().map(file).collect::<Result<_>>()?;
    let mut by_name: BTreeMap<&str, &Path> = BTreeMap::new();
    for file in &files {
        if let Some(other) = by_name.insert(file.name.as_str(), &file.path) {
            let message =
                format!("`{}` and `{}` would be one series, `{}`", other.display(), file.path.display(), file.name);
            return Err(Error::new(ErrorKind::InvalidData, "list files of series", message)
                .help("the name of a file is that of its series: give one of both another name"));
        }
    }
    Ok(SeriesFiles { files, hidden, others })
}

/// How many names are told of several.
const NAMED_OTHERS: usize = 5;

/// Tells the first of some names.
pub fn some(names: &[String]) -> String {
    let told: Vec<String> = names.iter().take(NAMED_OTHERS).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMED_OTHERS);
    if more > 0 { format!("{} and {more} more", told.join(", ")) } else { told.join(", ") }
}

/// The latest row so far.
#[derive(Debug, Clone, Copy)]
struct Latest {
    time_ms: i64,
    line: u64,
}

/// Reads the file of a series, piece by piece.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// What messages call the file.
    shown: String,
    line: u64,
    /// How many fields each row has.
    columns: usize,
    time_column: usize,
    value_column: usize,
    latest: Option<Latest>,
    before: Option<f64>,
    /// The times of rows that are earlier than one above them.
    earlier: BTreeSet<i64>,
    places: Vec<Place>,
}

impl Reader<BufReader<File>> {
    /// Opens a file that messages call `shown`.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, `External`; `InvalidData` when its first line names no `timestamp` and `value`.
    pub fn open(path: &Path, shown: &str) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read a file of a series", path, error))?;
        Self::new(BufReader::with_capacity(1 << 16, file), shown)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn new(input: R, shown: &str) -> Result<Self> {
        let mut reader = Self {
            input,
            shown: shown.to_owned(),
            line: 0,
            columns: 0,
            time_column: 0,
            value_column: 0,
            latest: None,
            before: None,
            earlier: BTreeSet::new(),
            places: Vec::new(),
        };
        let header = reader.next_line()?.unwrap_or_default();
        let names: Vec<String> = fields(header.trim_start_matches('\u{feff}')).unwrap_or_default();
        let column = |wanted: &str| {
            let mut found = names.iter().enumerate().filter(|(_, name)| name.trim().eq_ignore_ascii_case(wanted));
            // Of two, nobody knows which one is meant.
            found.next().filter(|_| found.next().is_none()).map(|(column, _)| column)
        };
        let (Some(time_column), Some(value_column)) = (column("timestamp"), column("value")) else {
            let message = format!(
                "{shown}:1: expected the header `timestamp,value`, found `{}`",
                header.chars().take(100).collect::<String>().escape_debug()
            );
            return Err(Error::new(ErrorKind::InvalidData, "read a file of a series", message));
        };
        (reader.columns, reader.time_column, reader.value_column) = (names.len(), time_column, value_column);
        Ok(reader)
    }

    /// Reads the next rows, at most so many, in the order in which they are written; none when there are no more.
    ///
    /// # Errors
    /// `UnreadableLines` with the first ten lines that cannot be read; `External` when the file cannot be read.
    pub fn next_rows(&mut self, most: usize) -> Result<Option<Vec<(i64, f64)>>> {
        let mut rows = Vec::new();
        let (mut wrong, mut n_wrong) = (Vec::new(), 0_u64);
        while rows.len() < most {
            let Some(line) = self.next_line()? else { break };
            if line.trim().is_empty() {
                continue;
            }
            match self.row(&line) {
                Ok((time_ms, value)) => {
                    self.note(time_ms, value);
                    rows.push((time_ms, value));
                }
                Err(why) => {
                    n_wrong += 1;
                    if wrong.len() < NAMED_LINES {
                        wrong.push(format!("{}:{}: {why}", self.shown, self.line));
                    }
                }
            }
        }
        if n_wrong > 0 {
            let mut message = wrong.join("\n");
            if n_wrong > NAMED_LINES as u64 {
                message.push_str("\n… and more");
            }
            return Err(Error::new(ErrorKind::UnreadableLines, "read a file of a series", message));
        }
        Ok(Some(rows).filter(|rows| !rows.is_empty()))
    }

    /// Returns the places that are not in order, as far as the file was read.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Tells whether a row so far is earlier than one above it: then [`Reader::name_repeats`] says more.
    pub fn is_out_of_order(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Reads the next row with its line, passing over lines that hold none.
    fn next_row(&mut self) -> Result<Option<(u64, i64, f64)>> {
        while let Some(line) = self.next_line()? {
            if let Ok((time_ms, value)) = self.row(&line) {
                return Ok(Some((self.line, time_ms, value)));
            }
        }
        Ok(None)
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        let wrong = |line: u64, shown: &str, why: &str| {
            Error::new(ErrorKind::InvalidData, "read a file of a series", format!("{shown}:{line}: {why}"))
        };
        let mut bytes = Vec::new();
        let read = std::io::Read::take(&mut self.input, LINE_BYTES).read_until(b'\n', &mut bytes);
        read.map_err(|error| Error::io("read a file of a series", Path::new(&self.shown), error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if bytes.len() as u64 == LINE_BYTES && !bytes.ends_with(b"\n") {
            return Err(wrong(self.line, &self.shown, "expected a line of less than 1 MiB, found a longer one"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| wrong(self.line, &self.shown, "expected text in UTF-8, found other bytes"))?;
        Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    fn row(&self, line: &str) -> Result<(i64, f64), String> {
        let fields = fields(line).ok_or_else(|| "a quote is never closed".to_owned())?;
        let field = |column: usize, what: &str| {
            let missing = || format!("expected a {what}, found only {}", counted(fields.len() as u64, "field"));
            fields.get(column).map(|field| field.trim()).ok_or_else(missing)
        };
        if fields.len() > self.columns {
            return Err(format!("expected {} fields, as the header has, found {}", self.columns, fields.len()));
        }
        let (time, value) = (field(self.time_column, "timestamp")?, field(self.value_column, "value")?);
        let (time_ms, is_whole) = timestamp(time)
            .ok_or_else(|| format!("expected a time such as `2014-02-14 14:30:00`, found `{}`", time.escape_debug()))?;
        if !is_whole {
            return Err(format!("{WHOLE_MS}, found `{}`", time.escape_debug()));
        }
        if check_time(time_ms).is_err() {
            return Err(format!("expected a time from 1970 to 9999 in UTC, found `{}`", time.escape_debug()));
        }
        let number =
            value.parse::<f64>().map_err(|_| format!("expected a number, found `{}`", value.escape_debug()))?;
        // Digits that no double holds; infinity is a word.
        if number.is_infinite() && value.contains(|letter: char| letter.is_ascii_digit()) {
            return Err(format!("expected a number that a double holds, found `{}`", value.escape_debug()));
        }
        Ok((time_ms, canonical(number)))
    }

    /// Remembers a row that is not in order.
    fn note(&mut self, time_ms: i64, value: f64) {
        let line = self.line;
        let changed = u64::from(self.before.is_some_and(|before| !same_value(before, value)));
        self.before = Some(value);
        let Some(latest) = self.latest.filter(|latest| latest.time_ms >= time_ms) else {
            self.latest = Some(Latest { time_ms, line });
            return;
        };
        if time_ms < latest.time_ms {
            self.earlier.insert(time_ms);
        }
        let last = self.places.last_mut().filter(|place| place.last_line + 1 == line);
        match last {
            Some(Place { last_line, what: Disorder::Repeats { time_ms: of, changed: so_far, .. }, .. })
                if *of == time_ms && latest.time_ms == time_ms =>
            {
                (*last_line, *so_far) = (line, *so_far + changed);
            }
            Some(Place { last_line, what: Disorder::Earlier { .. }, .. }) if latest.time_ms > time_ms => {
                *last_line = line;
            }
            _ => {
                let what = if latest.time_ms == time_ms {
                    Disorder::Repeats { time_ms, of_line: latest.line, changed }
                } else {
                    Disorder::Earlier { time_ms, latest_ms: latest.time_ms, of_line: latest.line }
                };
                self.places.push(Place { first_line: line, last_line: line, what });
            }
        }
    }
}

/// Takes a line of CSV apart; none when a quote is never closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if is_quoted || field.trim().is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    (!is_quoted).then_some(fields)
}

/// Reads a time: ISO 8601 with a zone, or a date and time in UTC; what is finer than a millisecond is left out, and a leap second is
/// the last second of its minute, as a load has it.
pub fn parse_time(text: &str) -> Option<i64> {
    timestamp(text).map(|(time_ms, _)| time_ms)
}

/// Reads a bound of a span of time, in milliseconds since 1970: of one that is finer the next millisecond, as no point is between.
pub fn parse_bound(text: &str) -> Option<i64> {
    timestamp(text).map(|(time_ms, is_whole)| if is_whole { time_ms } else { time_ms + 1 })
}

/// Reads a time, in milliseconds since 1970, and tells whether it is not finer.
fn timestamp(text: &str) -> Option<(i64, bool)> {
    instant(text).or_else(|| civil_utc(text))
}

impl<R> fmt::Display for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests;
