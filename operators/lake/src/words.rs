//! Words of messages, and how numbers in them are written.

/// Writes a number of things: `1 row`, `2 rows`.
#[must_use]
pub fn counted(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Writes a number with a comma every three digits: `1,234,567`.
#[must_use]
pub fn figure(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Writes a number of bytes in the unit that keeps it short: `640 B`, `1.5 KiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{bytes, counted, figure};

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "row")), ["0 rows", "1 row", "2 rows"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 67_740, 1_234_567].map(figure), ["0", "999", "67,740", "1,234,567"]);
        assert_eq!(
            [640, 1_023, 1_536, 3 << 20, 5 << 30].map(bytes),
            ["640 B", "1023 B", "1.5 KiB", "3.0 MiB", "5.0 GiB"]
        );
    }
}
