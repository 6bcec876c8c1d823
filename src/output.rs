//! How the commands speak: data on stdout, everything else on stderr, `--json` as one object a line.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::{Cell, ContentArrangement, Row, Table, presets};
use console::{Term, measure_text_width};
use lake::words::figure;
use serde::Serialize;

use crate::cli::Color;

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON object a line on stdout.
    pub(crate) json: bool,
    /// Colours on stderr.
    pub(crate) color: bool,
}

impl Output {
    /// Decides by the flags, the terminal and `NO_COLOR` (<https://no-color.org>).
    pub(crate) fn new(json: bool, color: Color, no_color: bool) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !no_color && io::stderr().is_terminal(),
        };
        Self { json, color }
    }

    /// Prints one JSON object as a line on stdout.
    #[expect(clippy::unused_self, reason = "commands print through their output and nowhere else")]
    pub(crate) fn json_line(self, value: &impl Serialize) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, value)?;
        stdout.write_all(b"\n")
    }

    /// Prints a line on stdout.
    #[expect(clippy::unused_self, reason = "commands print through their output and nowhere else")]
    pub(crate) fn line(self, line: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_bytes())?;
        stdout.write_all(b"\n")
    }

    /// Prints a line on stderr; what cannot be said there is lost, as nobody reads it.
    #[expect(clippy::unused_self, reason = "commands print through their output and nowhere else")]
    pub(crate) fn note(self, line: &str) {
        // In one piece: stderr has no buffer, and other processes may write to the same terminal or file.
        let _lost = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }
}

/// Passes over that nobody reads stdout any more: for what goes on to its end and whose exit code counts all the same.
pub(crate) fn read_or_not(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Makes an empty table for people.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

/// Makes a column of figures line up on the right.
pub(crate) fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
}

/// Returns the columns of the terminal that is stdout; none when it is none.
pub(crate) fn stdout_width() -> Option<usize> {
    Term::stdout().size_checked().map(|(_, columns)| usize::from(columns))
}

/// Returns the columns of the terminal that is stderr; none when it is none.
pub(crate) fn stderr_width() -> Option<usize> {
    Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
}

/// Returns a table's text, its lines without blanks at the end. `width` is what a terminal has for them; none elsewhere.
///
/// Lines that a terminal breaks are no table any more: where there is not enough room, each row is a paragraph, with a line for
/// each of its values.
pub(crate) fn text(table: &Table, width: Option<usize>) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
        text.push('\n');
    }
    text.pop();
    let has_room = width.is_none_or(|width| text.lines().all(|line| measure_text_width(line) <= width));
    if has_room { text } else { paragraphs(table) }
}

/// Writes a paragraph for each row of a table.
fn paragraphs(table: &Table) -> String {
    let names: Vec<String> =
        table.header().into_iter().flat_map(|header| header.cell_iter().map(Cell::content)).collect();
    let columns = names.iter().map(|name| measure_text_width(name)).max().unwrap_or_default();
    let paragraph = |row: &Row| {
        let line = |(name, cell): (&String, &Cell)| {
            let blanks = " ".repeat(columns - measure_text_width(name));
            let value = cell.content().replace('\n', &format!("\n{:columns$}  ", ""));
            format!("{name}{blanks}  {value}").trim_end().to_owned()
        };
        names.iter().zip(row.cell_iter()).map(line).collect::<Vec<_>>().join("\n")
    };
    table.row_iter().map(paragraph).collect::<Vec<_>>().join("\n\n")
}

/// Writes a number of things: `1 row`, `1,610 rows`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{} {thing}{many}", figure(number))
}

/// Returns an amount of millionths of a US dollar in dollars.
#[expect(clippy::cast_precision_loss, reason = "an amount for people")]
pub(crate) fn usd(micro_usd: u64) -> f64 {
    micro_usd as f64 / 1e6
}

/// Writes an amount of money, given in millionths of a US dollar: `$12.50`, `$0.0013`, `$0.000048`. Small ones have two digits
/// that count.
pub(crate) fn dollars(micro_usd: u64) -> String {
    let (whole, part) = (micro_usd / 1_000_000, micro_usd % 1_000_000);
    let digits = format!("{part:06}");
    let leading = digits.bytes().take_while(|digit| *digit == b'0').count();
    let shown = if whole > 0 || leading >= digits.len() { 2 } else { (leading + 2).min(digits.len()) };
    format!("${}.{}", figure(whole), &digits[..shown])
}

/// Writes a duration: `8 ms`, `1.25 s`, `2 m 05 s`, `1 h 02 m`.
pub(crate) fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..=59 => format!("{seconds}.{:02} s", duration.subsec_millis() / 10),
        60..=3599 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_has_no_room_is_a_paragraph_a_row() {
        let mut rows = table(&["table", "partition keys", "location"]);
        rows.add_row(vec!["web.access_log", "dt", "s3://warehouse/web/access_log/"]);
        rows.add_row(vec!["web.t", "", "two\nlines"]);
        let whole = "\
table           partition keys  location
web.access_log  dt              s3://warehouse/web/access_log/
web.t                           two
                                lines";
        assert_eq!(text(&rows, None), whole);
        assert_eq!(text(&rows, Some(62)), whole);
        assert_eq!(
            text(&rows, Some(61)),
            "\
table           web.access_log
partition keys  dt
location        s3://warehouse/web/access_log/

table           web.t
partition keys
location        two
                lines"
        );
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(1_610, "row"), "1,610 rows");
        assert_eq!(dollars(0), "$0.00");
        assert_eq!(dollars(48), "$0.000048");
        assert_eq!(dollars(1_350), "$0.0013");
        assert_eq!(dollars(990_000), "$0.99");
        assert_eq!(dollars(1_234_512_500_000), "$1,234,512.50");
        assert_eq!(duration(Duration::from_millis(8)), "8 ms");
        assert_eq!(duration(Duration::from_millis(1257)), "1.25 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 m 05 s");
        assert_eq!(duration(Duration::from_secs(3725)), "1 h 02 m");
    }
}
