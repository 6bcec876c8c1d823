//! Guesses what separates the fields of delimited text.

use super::for_each_scanned;
use crate::load::config::CsvConfig;
use crate::load::parse::csv::{CsvParser, Field, FieldForm};

/// The delimiters that are looked for; of two that cut alike the first one is meant: a comma stands in numbers and texts, too.
const DELIMITERS: [&str; 4] = ["\t", "|", ";", ","];

/// How many records are cut by each.
const RECORDS: usize = 100;

/// How a delimiter cuts the records of a sample.
#[derive(Debug, Clone, Copy)]
struct Cut {
    delimiter: &'static str,
    /// The number of fields of the first record.
    width: usize,
    /// How many records are cut into as many fields. A record with a field that holds a quote and does not begin with it may be
    /// cut inside of a quoted text, and does not count.
    alike: usize,
    /// Whether each comma in the fields is one of a number or a sentence: it stands between digits, or before a space.
    has_commas_of_values: bool,
}

/// Returns the delimiter that cuts the most records into as many fields as the first, more than one; a comma when none does.
///
/// A comma that cuts as many records into more fields is meant before a `;` or `|`, which may stand once in the texts of every
/// record (`1,red,a;b`), unless the commas are those of numbers (`1,5;2,5`) or sentences (`1;red, green`).
pub(super) fn guess(config: &CsvConfig, sample: &[u8], is_end: bool) -> &'static str {
    let mut best: Option<Cut> = None;
    for delimiter in DELIMITERS {
        let cut = cut(config, delimiter, sample, is_end);
        let is_better = |best: Cut| {
            let separates = delimiter == "," && best.delimiter != "\t" && !best.has_commas_of_values;
            cut.alike > best.alike || cut.alike == best.alike && separates && cut.width > best.width
        };
        if cut.width > 1 && cut.alike > 0 && best.is_none_or(is_better) {
            best = Some(cut);
        }
    }
    best.map_or(",", |best| best.delimiter)
}

fn cut(config: &CsvConfig, delimiter: &'static str, sample: &[u8], is_end: bool) -> Cut {
    let parser = CsvParser::new(config, delimiter);
    let quote = parser.dialect().quote();
    let is_inside_quotes = |field: &Field| {
        field.form == FieldForm::Plain && quote.is_some_and(|quote| sample[field.start..field.end].contains(&quote))
    };
    let mut cut = Cut { delimiter, width: 0, alike: 0, has_commas_of_values: true };
    for_each_scanned(&parser, sample, is_end, RECORDS, |_, fields| {
        if cut.width == 0 {
            cut.width = fields.len();
        }
        cut.alike += usize::from(fields.len() == cut.width && !fields.iter().any(is_inside_quotes));
        cut.has_commas_of_values &= fields
            .iter()
            .filter(|field| field.form == FieldForm::Plain)
            .all(|field| has_commas_of_values(&sample[field.start..field.end]));
    });
    cut
}

fn has_commas_of_values(field: &[u8]) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    memchr::memchr_iter(b',', field).all(|at| {
        let (before, after) = (at.checked_sub(1).and_then(|before| field.get(before)), field.get(at + 1));
        after == Some(&b' ') || is_digit(before) && is_digit(after)
    })
}
