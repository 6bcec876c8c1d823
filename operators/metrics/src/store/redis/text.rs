//! Times and values as the texts that a hash holds.

use std::fmt::Write as _;

/// Writes a time: decimal milliseconds since 1970.
pub(super) fn of_time(time_ms: i64) -> String {
    time_ms.to_string()
}

/// Reads a time as [`of_time`] writes it; nothing else is one, because a field is deleted by its text.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let is_plain = text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || text.first() != Some(&b'0'));
    let time_ms = std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()?;
    crate::time::check_time(time_ms).ok().map(|()| time_ms)
}

/// Writes a value: the shortest decimal that reads back equal; `NaN`, `Infinity`, `-Infinity`.
pub(super) fn of_value(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Unlike `Display`, it writes very large and very small numbers with an exponent.
    let mut text = String::with_capacity(24);
    // Writing to a text does not fail.
    let _done = write!(text, "{value:?}");
    if text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    text
}

/// Reads a value, however another program may have written it: `1.50`, `1e3`, `nan`, `-inf`.
pub(super) fn value(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::point::{canonical, same_value};

    #[test]
    fn values_are_short() {
        let table = [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e15, "1000000000000000"),
            (1e22, "1e22"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, text) in table {
            assert_eq!(of_value(value), text);
        }
    }

    #[test]
    fn only_a_plain_number_is_a_time() {
        assert_eq!(time(b"0"), Some(0));
        assert_eq!(time(b"1700000000000"), Some(1_700_000_000_000));
        for wrong in [&b""[..], b"-1", b"+1", b"01", b"1.0", b"1e3", b" 1", b"x", b"9999999999999999", b"\xff"] {
            assert_eq!(time(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn values_read_back(bits: u64) {
            let written = canonical(f64::from_bits(bits));
            let read = value(of_value(written).as_bytes()).unwrap();
            prop_assert!(same_value(canonical(read), written));
        }
    }
}
