//! A series as a drawing of a terminal: Braille dots, two by four in a cell.

use std::fmt::Write as _;

use jiff::Timestamp;
use lake::words::figure;

/// How wide the drawing is at most, in cells: beyond it, it is no clearer.
const MOST_COLUMNS: usize = 160;

/// How high the drawing is, in cells.
const ROWS: usize = 12;

/// The dots of a cell by column and row, as bits of U+2800
/// (<https://www.unicode.org/charts/PDF/U2800.pdf>).
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// The smallest and the largest value of a column of dots.
type Reach = Option<(f64, f64)>;

/// Draws points of a span of time `[start, end)` into lines of so many cells; none when there is nothing to draw.
///
/// A column of dots shows all values of its time, from the smallest to the largest: a spike of one point is seen. Where no point
/// is, nothing is drawn.
pub(super) fn draw(points: &[(i64, f64)], (start_ms, end_ms): (i64, i64), width: usize) -> Option<String> {
    let finite: Vec<(i64, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let low = finite.iter().map(|(_, value)| *value).reduce(f64::min)?;
    let high = finite.iter().map(|(_, value)| *value).reduce(f64::max)?;
    let labels = [label(high), label(f64::midpoint(low, high)), label(low)];
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 2).clamp(10, MOST_COLUMNS);
    let reaches = reaches(&finite, (start_ms, end_ms), columns * 2);
    let cells = cells(&reaches, (low, high), columns);
    let mut text = String::new();
    for (row, line) in cells.iter().enumerate() {
        let label = match row {
            0 => &labels[0],
            _ if row == ROWS / 2 => &labels[1],
            _ if row == ROWS - 1 => &labels[2],
            _ => "",
        };
        let line: String = line.iter().map(|bits| char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ')).collect();
        // An empty cell is a blank, so that lines end where the dots do.
        let line = line.replace('\u{2800}', " ");
        let _infallible = writeln!(text, "{}", format!("{label:>margin$} ┤{line}").trim_end());
    }
    let (from, to) = (moment(start_ms), moment(end_ms));
    let gap = (columns + 1).saturating_sub(from.chars().count() + to.chars().count()).max(1);
    let _infallible = write!(text, "{:margin$} {from}{:gap$}{to}", "", "");
    Some(text)
}

/// Says how many values have no place in a drawing; none when all have one.
pub(super) fn left_out(points: &[(i64, f64)]) -> Option<String> {
    let count = |is_such: fn(f64) -> bool| points.iter().filter(|(_, value)| is_such(*value)).count();
    let kinds = [
        (count(|value| value == f64::INFINITY), "inf"),
        (count(|value| value == f64::NEG_INFINITY), "-inf"),
        (count(f64::is_nan), "NaN"),
    ];
    let said: Vec<String> = kinds
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} `{kind}`", figure(u64::try_from(count).unwrap_or(u64::MAX))))
        .collect();
    (!said.is_empty()).then(|| format!("not drawn: {}", said.join(", ")))
}

/// Collects the smallest and largest value of each column of dots.
fn reaches(points: &[(i64, f64)], (start_ms, end_ms): (i64, i64), columns: usize) -> Vec<Reach> {
    let mut reaches: Vec<Reach> = vec![None; columns];
    let span = i128::from(end_ms) - i128::from(start_ms);
    for (time_ms, value) in points {
        let at = (i128::from(*time_ms) - i128::from(start_ms)) * columns as i128 / span.max(1);
        let Some(reach) = usize::try_from(at).ok().and_then(|at| reaches.get_mut(at)) else { continue };
        *reach = Some(reach.map_or((*value, *value), |(low, high)| (low.min(*value), high.max(*value))));
    }
    reaches
}

/// Sets the dots.
fn cells(reaches: &[Reach], (low, high): (f64, f64), columns: usize) -> Vec<Vec<u8>> {
    let mut cells = vec![vec![0_u8; columns]; ROWS];
    for (column, reach) in reaches.iter().enumerate() {
        let Some((smallest, largest)) = reach else { continue };
        let (from, to) = (dot(*largest, low, high), dot(*smallest, low, high));
        for dot in from..=to {
            let bits = DOTS[column % 2][dot % 4];
            if let Some(cell) = cells.get_mut(dot / 4).and_then(|row| row.get_mut(column / 2)) {
                *cell |= bits;
            }
        }
    }
    cells
}

/// Returns the row of dots of a value, the uppermost first.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of the height, from 0 to 1"
)]
fn dot(value: f64, low: f64, high: f64) -> usize {
    const LAST: usize = ROWS * 4 - 1;
    // Halves keep the difference of the largest numbers finite.
    let height = high / 2.0 - low / 2.0;
    let share = if height > 0.0 { (value / 2.0 - low / 2.0) / height } else { 0.5 };
    LAST - ((share * LAST as f64).round() as usize).min(LAST)
}

/// Writes a value beside the axis, short.
fn label(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size >= 1_000.0 {
        0
    } else if size >= 10.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}

/// Writes an end of the axis of time: the day, with the time when it is not midnight.
fn moment(time_ms: i64) -> String {
    let Ok(time) = Timestamp::from_millisecond(time_ms) else { return metrics::time::shown(time_ms) };
    let text = if time_ms.rem_euclid(86_400_000) == 0 { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
    time.strftime(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_rises_a_spike_is_seen_and_a_gap_stays_empty() {
        let day = 86_400_000;
        let mut points: Vec<(i64, f64)> =
            (0..40).map(|at| (at * day / 100, f64::from(i32::try_from(at).unwrap()))).collect();
        points.push((day * 9 / 10, 100.0));
        points.push((day * 95 / 100, f64::NAN));
        let text = draw(&points, (0, day), 30).unwrap();
        assert_eq!(
            text,
            "\
100.0 ┤                    ⠈
      ┤
      ┤
      ┤
      ┤
      ┤
 50.0 ┤
      ┤       ⢀⡴
      ┤     ⢀⠔⠁
      ┤   ⢀⡴⠋
      ┤ ⢀⡴⠁
0.000 ┤⡴⠋
      1970-01-01    1970-01-02"
        );
        assert_eq!(draw(&[(0, f64::INFINITY)], (0, day), 30), None);
        assert_eq!(left_out(&points).unwrap(), "not drawn: 1 `NaN`");
    }

    #[test]
    fn values_without_a_place_are_counted() {
        let points = [1.0, f64::INFINITY, f64::NAN, f64::NEG_INFINITY, f64::INFINITY].map(|value| (0, value));
        assert_eq!(left_out(&points).unwrap(), "not drawn: 2 `inf`, 1 `-inf`, 1 `NaN`");
        assert_eq!(left_out(&points[..1]), None);
    }

    #[test]
    fn numbers_of_any_size_have_a_place() {
        for value in [0.0, f64::MAX, f64::MIN, 5e-324] {
            assert!(dot(value, f64::MIN, f64::MAX) < ROWS * 4);
        }
        assert_eq!(dot(3.0, 3.0, 3.0), dot(7.0, 7.0, 7.0));
        assert_eq!([label(0.0), label(51.846), label(1e9), label(-0.25)], ["0.000", "51.8", "1.000e9", "-0.250"]);
    }
}
