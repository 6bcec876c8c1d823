//! Reads numbers and truth values from the bytes of a cell.

/// Takes an optional sign off a number; true for a minus.
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Reads 1 to 8 digits, all at once: each becomes a byte of a word, two neighbours are joined to a number below 100, then two of
/// these, then two of those.
#[inline]
fn few_digits(text: &[u8]) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // The last digit in the lowest byte. Two pieces of the text that overlap have the same bytes where they do.
    let join = |first: u64, last: u64, piece: usize| first << ((text.len() - piece) * 8) | last;
    let digits = match text.len() {
        1 => u64::from(text[0]),
        2..=3 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            join(u16::from_be_bytes(*first).into(), u16::from_be_bytes(*last).into(), 2)
        }
        4..=7 => {
            let (first, last) = (text.first_chunk()?, text.last_chunk()?);
            join(u32::from_be_bytes(*first).into(), u32::from_be_bytes(*last).into(), 4)
        }
        8 => u64::from_be_bytes(*text.first_chunk()?),
        _ => return None,
    };
    let digits = digits ^ (ZEROS >> ((8 - text.len()) * 8));
    // A byte above 9 gets its highest bit; where one carries into the next, the text is no number already.
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits >> 8 & 0x00FF_00FF_00FF_00FF) * 10 + (digits & 0x00FF_00FF_00FF_00FF);
    let fours = (pairs >> 16 & 0x0000_FFFF_0000_FFFF) * 100 + (pairs & 0x0000_FFFF_0000_FFFF);
    Some((fours >> 32) * 10_000 + (fours & 0xFFFF_FFFF))
}

/// Reads `-12`: an optional sign and digits, nothing else.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = signed(text);
    let value = match digits.len() {
        0..=8 => few_digits(digits)?,
        9..=16 => {
            let (first, last) = digits.split_at(digits.len() - 8);
            few_digits(first)? * 100_000_000 + few_digits(last)?
        }
        _ => return long_integer(digits, negative),
    };
    let value = i64::try_from(value).ok()?;
    Some(if negative { -value } else { value })
}

/// As [`integer`], for digits that may be too many.
fn long_integer(digits: &[u8], negative: bool) -> Option<i64> {
    let mut value: i64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Downwards, as the smallest number has no positive twin.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a number with a point or exponent, `NaN`, `Infinity`; a number too large for a double is none.
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    let value: f64 = lexical_core::parse(text).ok()?;
    (value.is_finite() || !text.iter().any(u8::is_ascii_digit)).then_some(value)
}

/// As [`double`], for a number of 32 bits.
pub(crate) fn real(text: &[u8]) -> Option<f32> {
    let value: f32 = lexical_core::parse(text).ok()?;
    (value.is_finite() || !text.iter().any(u8::is_ascii_digit)).then_some(value)
}

/// Tells whether a double that was read from a text still says all its digits: it does up to 15 of them, and where the text is what
/// programs write for that double, in the fewest digits or in 17.
pub(crate) fn keeps_digits(value: f64, text: &[u8]) -> bool {
    let wanted = significant(text);
    wanted.len() <= usize::try_from(f64::DIGITS).unwrap_or(0)
        || [format!("{value:e}"), format!("{value:.16e}")]
            .iter()
            .any(|written| significant(written.as_bytes()) == wanted)
}

/// Returns the digits of a number from the first to the last that is no zero.
fn significant(text: &[u8]) -> Vec<u8> {
    let mantissa = text.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let digits: Vec<u8> =
        mantissa.iter().copied().filter(u8::is_ascii_digit).skip_while(|byte| *byte == b'0').collect();
    let end = digits.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last + 1);
    digits[..end].to_vec()
}

/// Reads a truth value. DIFFERENCE(embulk): what is neither true nor false is refused; Embulk takes it for false.
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"True" | b"TRUE" | b"t" | b"T" | b"yes" | b"Yes" | b"YES" | b"y" | b"Y" | b"on" | b"On" | b"ON"
        | b"1" => Some(true),
        b"false" | b"False" | b"FALSE" | b"f" | b"F" | b"no" | b"No" | b"NO" | b"n" | b"N" | b"off" | b"Off"
        | b"OFF" | b"0" => Some(false),
        _ => None,
    }
}

/// The powers of ten that 128 bits hold.
const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// Reads `12.50` with as many digits after the point as the scale has, and at most 8 on either side. None says nothing.
#[inline]
fn aligned_decimal(digits: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let point = digits.len().checked_sub(usize::from(scale) + 1)?;
    let (whole, rest) = digits.split_at(point);
    let fraction = few_digits(rest.strip_prefix(b".")?)?;
    let value = i128::from(few_digits(whole)?) * POWERS_OF_TEN.get(usize::from(scale))? + i128::from(fraction);
    (value < *POWERS_OF_TEN.get(usize::from(precision))?).then_some(value)
}

/// Reads `12.50` with at most 18 digits and no more of them after the point than the scale has: the common case, for which 64
/// bits are enough. None says nothing: [`decimal`] looks closer.
fn short_decimal(digits: &[u8], precision: u8, scale: u8) -> Option<i128> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value: u64 = 0;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
        } else if *byte == b'.' && point.is_none() && digits.len() > 1 {
            point = Some(at);
        } else {
            return None;
        }
    }
    let places = point.map_or(0, |at| digits.len() - at - 1);
    let shift = usize::from(scale).checked_sub(places)?;
    let value = i128::from(value).checked_mul(*POWERS_OF_TEN.get(shift)?)?;
    (value < *POWERS_OF_TEN.get(usize::from(precision))?).then_some(value)
}

/// Reads an exact number; digits beyond the scale must be zeros, as nothing is rounded away without a word.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, rest) = signed(text);
    let short = aligned_decimal(rest, precision, scale).or_else(|| short_decimal(rest, precision, scale));
    if let Some(value) = short {
        return Some(if negative { -value } else { value });
    }
    let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&rest[..at], integer(&rest[at + 1..]).filter(|exponent| exponent.abs() <= 100)?),
        None => (rest, 0),
    };
    let mut value: i128 = 0;
    let mut digits = 0_u32;
    let mut after_point: Option<i64> = None;
    for byte in mantissa {
        if *byte == b'.' {
            if after_point.replace(0).is_some() {
                return None;
            }
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        digits += 1;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
        after_point = after_point.map(|places| places + 1);
    }
    if digits == 0 {
        return None;
    }
    let mut shift = i64::from(scale) - after_point.unwrap_or(0) + exponent;
    while shift > 0 && value != 0 {
        value = value.checked_mul(10)?;
        shift -= 1;
    }
    while shift < 0 && value != 0 {
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        shift += 1;
    }
    if value >= *POWERS_OF_TEN.get(usize::from(precision))? {
        return None;
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_strict() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("00000000000000000000000001", Some(1)),
            ("", None),
            ("-", None),
            ("1.0", None),
            (" 1", None),
            ("1_000", None),
            ("0x10", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("1.23", Some(123)),
            ("-1.2", Some(-120)),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("1.230", Some(123)),
            ("1.234", None),
            ("99999999.99", Some(9_999_999_999)),
            ("100000000", None),
            ("1e2", Some(10_000)),
            ("123e-2", Some(123)),
            ("0e99", Some(0)),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1e", None),
        ] {
            assert_eq!(decimal(text.as_bytes(), 10, 2), expected, "{text}");
        }
        let largest = "9".repeat(38);
        assert_eq!(decimal(largest.as_bytes(), 38, 0).unwrap().to_string(), largest);
        assert_eq!(decimal("9".repeat(60).as_bytes(), 38, 0), None);
    }

    #[test]
    fn doubles_do_not_overflow_into_infinity() {
        assert_eq!(double(b"1.5"), Some(1.5));
        assert_eq!(double(b"-1e3"), Some(-1000.0));
        assert_eq!(double(b"1e400"), None);
        assert_eq!(double(b"Infinity"), Some(f64::INFINITY));
        assert!(double(b"NaN").unwrap().is_nan());
        assert_eq!(double(b"1,5"), None);
        assert_eq!(double(b""), None);
    }

    #[test]
    fn a_double_says_what_it_cannot_keep() {
        for (text, keeps) in [
            ("1.5", true),
            ("-0.00", true),
            ("123456789012.345", true),
            ("0.30000000000000004", true),
            ("0.10000000000000001", true),
            ("5e-324", true),
            ("1.7976931348623157E308", true),
            ("000012.500000000000000000000", true),
            ("1234567890123456.78", false),
            ("0.333333333333333333", false),
            ("9007199254740993.0", false),
        ] {
            assert_eq!(keeps_digits(double(text.as_bytes()).unwrap(), text.as_bytes()), keeps, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_program_writes_for_a_double_is_kept(value in proptest::num::f64::NORMAL) {
            for text in [format!("{value}"), format!("{value:e}"), format!("{value:.16e}")] {
                prop_assert!(keeps_digits(value, text.as_bytes()), "{}", text);
            }
        }

        #[test]
        fn an_integer_is_what_rust_takes_for_one(text in "[+-]?[0-9]{0,21}", place in 0_usize..30, odd in "[\u{0}-\u{7f}]") {
            prop_assert_eq!(integer(text.as_bytes()), text.parse().ok());
            let mut spoilt = text;
            spoilt.insert_str(place.min(spoilt.len()), &odd);
            prop_assert_eq!(integer(spoilt.as_bytes()), spoilt.parse().ok());
        }

        #[test]
        fn a_short_decimal_is_read_as_a_long_one(
            text in "[+-]?[0-9]{0,12}[.]?[0-9]{0,6}",
            (precision, scale) in (1_u8..=38).prop_flat_map(|precision| (Just(precision), 0..=precision)),
        ) {
            let (negative, digits) = signed(text.as_bytes());
            let sign = if negative { "-" } else { "" };
            // Zeros before a number change nothing, but make it too long for the common case; none is a number by itself.
            let is_number = digits.iter().any(u8::is_ascii_digit);
            let long = format!("{sign}{}{}", "0".repeat(18), String::from_utf8_lossy(digits));
            let expected = if is_number { decimal(long.as_bytes(), precision, scale) } else { None };
            prop_assert_eq!(decimal(text.as_bytes(), precision, scale), expected);
        }
    }
}
