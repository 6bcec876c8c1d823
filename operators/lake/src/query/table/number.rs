//! Numbers in lines of text, as Java reads them: what Trino's and Hive's readers are made of.

/// Reads an integer as Hive's lazy types do: the digits behind a point do not count, but must be digits.
pub(super) fn truncated(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text == whole {
        return whole_number(text);
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "" | "+" | "-" => Some(0),
        _ => whole_number(whole),
    }
}

/// Reads an integer as `Long.parseLong` does.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Reads an integer as `BigDecimal` does and cuts what is behind the point.
pub(super) fn cut(text: &str) -> Option<i64> {
    let number = Plain::parse(text)?;
    let digits = number.scaled(0, Rounding::Down)?;
    i64::try_from(digits).ok()
}

/// Reads an integer in decimal, hexadecimal (`0x1f`) or octal (`017`).
pub(super) fn of_any_base(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    match bytes {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => i64::from_str_radix(text.get(2..)?, 16).ok(),
        [b'0', b'0'..=b'8', ..] => i64::from_str_radix(text.get(1..)?, 8).ok(),
        _ => whole_number(text),
    }
}

/// Takes the text of a number as `Double.parseDouble` takes it to the form that Rust reads: blanks around it and one of `f` and
/// `d` behind it are left out.
pub(super) fn double_text(text: &str) -> Option<&str> {
    let text = text.trim_matches(|character: char| character <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    text.bytes().all(is_number).then_some(text)
}

/// Reads a decimal number as `BigDecimal` does, rounded half up to `scale` digits behind the point; none when it has more than
/// `precision` digits.
pub(super) fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let number = Plain::parse(text)?.scaled(i64::from(scale), Rounding::HalfUp)?;
    let limit = 10_i128.checked_pow(u32::from(precision))?;
    (number.abs() < limit).then_some(number)
}

/// Writes a number as `BigDecimal.toString` does: with an exponent when there is no shorter way.
pub(super) fn canonical(text: &str) -> Option<String> {
    let number = Plain::parse(text)?;
    let sign = if number.is_negative && number.digits != "0" { "-" } else { "" };
    let digits = &number.digits;
    let length = i64::try_from(digits.len()).ok()?;
    let adjusted = length - 1 - number.scale;
    if number.scale >= 0 && adjusted >= -6 {
        let scale = usize::try_from(number.scale).ok()?;
        if scale == 0 {
            return Some(format!("{sign}{digits}"));
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at_checked(padded.len() - scale)?;
        return Some(format!("{sign}{whole}.{fraction}"));
    }
    let (first, rest) = digits.split_at_checked(1)?;
    let point = if rest.is_empty() { "" } else { "." };
    let exponent = if adjusted == 0 { String::new() } else { format!("E{adjusted:+}") };
    Some(format!("{sign}{first}{point}{rest}{exponent}"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounding {
    Down,
    HalfUp,
}

/// A decimal number: its digits without leading zeros, and how many of them are behind the point.
struct Plain {
    is_negative: bool,
    digits: String,
    scale: i64,
}

impl Plain {
    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (text.get(..at)?, text.get(at + 1..)?.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let is_negative = mantissa.starts_with('-');
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        let significant = digits.trim_start_matches('0');
        let digits = if significant.is_empty() { "0" } else { significant }.to_owned();
        Some(Self { is_negative, digits, scale })
    }

    /// Returns the number times ten to the power of `scale` as an integer.
    fn scaled(&self, scale: i64, rounding: Rounding) -> Option<i128> {
        let shift = scale.checked_sub(self.scale)?;
        let magnitude = if self.digits == "0" {
            0
        } else if shift >= 0 {
            // No decimal has more than 38 digits.
            let power = u32::try_from(shift).ok().filter(|shift| *shift <= 38)?;
            self.digits.parse::<i128>().ok()?.checked_mul(10_i128.checked_pow(power)?)?
        } else {
            let cut = usize::try_from(-shift).ok()?;
            let kept = self.digits.len().checked_sub(cut);
            let whole: i128 = match kept {
                None | Some(0) => 0,
                Some(kept) => self.digits.get(..kept)?.parse().ok()?,
            };
            let next = kept.and_then(|kept| self.digits.as_bytes().get(kept));
            let is_up = rounding == Rounding::HalfUp && next.is_some_and(|digit| *digit >= b'5');
            whole + i128::from(is_up)
        };
        Some(if self.is_negative { -magnitude } else { magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Trino 476 answers.
    #[test]
    fn integers_are_read_as_their_readers_do() {
        for (text, lazy, whole) in [
            ("1", Some(1), Some(1)),
            ("+1", Some(1), Some(1)),
            ("-0012", Some(-12), Some(-12)),
            ("1.0", Some(1), None),
            ("1.5", Some(1), None),
            (".5", Some(0), None),
            ("1.x", None, None),
            ("1e2", None, None),
            (" 1", None, None),
            ("1 ", None, None),
            ("", None, None),
            ("-", None, None),
            ("9223372036854775807", Some(i64::MAX), Some(i64::MAX)),
            ("9223372036854775808", None, None),
        ] {
            assert_eq!(truncated(text), lazy, "{text}");
            assert_eq!(whole_number(text), whole, "{text}");
        }
        assert_eq!(["0x1F", "017", "-3", "0", "1.5"].map(of_any_base), [Some(31), Some(15), Some(-3), Some(0), None]);
        assert_eq!(["1.9", "-1e2", "1e-400", "x"].map(cut), [Some(1), Some(-100), Some(0), None]);
    }

    /// What Trino 476 answers.
    #[test]
    fn decimals_keep_every_digit() {
        for (text, expected) in [
            ("12345678901234.56789", Some(1_234_567_890_123_456_789)),
            ("99999999999999999.99999", Some(9_999_999_999_999_999_999_999)),
            ("1e2", Some(10_000_000)),
            ("0.000001", Some(0)),
            ("0.000005", Some(1)),
            ("-0.000005", Some(-1)),
            ("1e-6", Some(0)),
            ("-1.5", Some(-150_000)),
            ("5.", Some(500_000)),
            (" 1", None),
            ("1x", None),
            ("", None),
            ("1e40", None),
            ("999999999999999999999999999999999.99999", Some(99_999_999_999_999_999_999_999_999_999_999_999_999)),
            ("999999999999999999999999999999999.999999", None),
        ] {
            assert_eq!(decimal(text, 38, 5), expected, "{text}");
        }
    }

    #[test]
    fn doubles_are_written_as_in_java() {
        for (text, expected) in [
            ("1f", Some("1")),
            ("1.5D", Some("1.5")),
            (" 1 ", Some("1")),
            ("-Infinity", Some("-Infinity")),
            ("NaN", Some("NaN")),
            ("nan", None),
            ("inf", None),
            ("infinity", None),
        ] {
            assert_eq!(double_text(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_shown_as_in_java() {
        for (text, expected) in [
            ("99999999999999999.99999", "99999999999999999.99999"),
            ("12345678901234567890.5", "12345678901234567890.5"),
            ("1e2", "1E+2"),
            ("0.10", "0.10"),
            ("-0.0000001", "-1E-7"),
            ("1.25e10", "1.25E+10"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected));
        }
    }
}
