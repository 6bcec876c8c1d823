//! Numbers as text: as Java's `toString` writes them (results, JSON), and in the scientific form of Trino's casts.

use std::fmt::Write;

/// The digits of a number, without a point: `d.ddd × 10^exponent`.
struct Scientific {
    digits: String,
    exponent: i32,
}

impl Scientific {
    /// Takes apart what `{:e}` writes.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.truncate(digits.trim_end_matches('0').len().max(1));
        Self { digits, exponent: exponent.parse().unwrap_or(0) }
    }

    /// `1.25E-7`
    fn write(&self, out: &mut String) {
        let (first, rest) = self.digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let _ = write!(out, "{first}.{rest}E{}", self.exponent);
    }

    /// `0.00125`, `12500.0`
    fn write_plain(&self, out: &mut String) {
        if let Ok(exponent) = usize::try_from(self.exponent) {
            let whole = exponent + 1;
            for place in 0..whole {
                out.push_str(self.digits.get(place..=place).unwrap_or("0"));
            }
            out.push('.');
            out.push_str(self.digits.get(whole..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', usize::try_from(-self.exponent - 1).unwrap_or(0)));
            out.push_str(&self.digits);
        }
    }
}

/// The shortest digits that read back as the number. Java gives at least two, and of two digits the nearest.
fn shortest(value: f64) -> Scientific {
    let found = Scientific::read(&format!("{value:e}"));
    if found.digits.len() == 1 {
        let nearest = format!("{value:.1e}");
        if nearest.parse() == Ok(value) {
            return Scientific::read(&nearest);
        }
    }
    found
}

fn shortest_single(value: f32) -> Scientific {
    let found = Scientific::read(&format!("{value:e}"));
    if found.digits.len() == 1 {
        let nearest = format!("{value:.1e}");
        if nearest.parse() == Ok(value) {
            return Scientific::read(&nearest);
        }
    }
    found
}

fn java(value: f64, digits: impl FnOnce() -> Scientific) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let mut out = String::new();
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
    } else if value == 0.0 {
        out.push_str("0.0");
    } else {
        let digits = digits();
        if (-3..7).contains(&digits.exponent) {
            digits.write_plain(&mut out);
        } else {
            digits.write(&mut out);
        }
    }
    out
}

/// Writes a double as Java's `Double.toString`: `0.1`, `100.0`, `1.0E10`.
#[must_use]
pub fn java_double(value: f64) -> String {
    java(value, || shortest(value.abs()))
}

/// Writes a real as Java's `Float.toString`.
#[must_use]
pub fn java_float(value: f32) -> String {
    java(value.into(), || shortest_single(value.abs()))
}

fn cast(value: f64, digits: impl FnOnce() -> Scientific) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    if value == 0.0 {
        return format!("{sign}0E0");
    }
    let mut out = sign.to_owned();
    digits().write(&mut out);
    out
}

/// Writes a double as Trino's cast to varchar: `1.0E0`, `-0E0`, `NaN`.
#[must_use]
pub fn cast_double(value: f64) -> String {
    cast(value, || shortest(value.abs()))
}

/// Writes a real as Trino's cast to varchar: seven digits at most, halves to even.
#[must_use]
pub fn cast_real(value: f32) -> String {
    cast(value.into(), || {
        let exact = shortest_single(value.abs());
        if exact.digits.len() <= 7 {
            return exact;
        }
        // The eighth digit is rounded off on the double that the real's own text reads as.
        let (first, rest) = exact.digits.split_at(1);
        let read: f64 = format!("{first}.{rest}e{}", exact.exponent).parse().unwrap_or_else(|_| value.abs().into());
        Scientific::read(&format!("{read:.6e}"))
    })
}

/// Writes a decimal of a scale: `-0.05`.
pub fn decimal(out: &mut String, value: i128, scale: u8) {
    if value < 0 {
        out.push('-');
    }
    let digits = value.unsigned_abs().to_string();
    let scale = usize::from(scale);
    if scale == 0 {
        out.push_str(&digits);
        return;
    }
    let width = scale + 1;
    let padded = format!("{digits:0>width$}");
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.push_str(whole);
    out.push('.');
    out.push_str(fraction);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (1.25e-5, "1.25E-5"),
            (123_456.789, "123456.789"),
            (-0.0, "-0.0"),
            (5e-324, "4.9E-324"),
            (2e-3, "0.002"),
            (2e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(java_double(value), text);
        }
        assert_eq!(java_float(1.1), "1.1");
        assert_eq!(java_float(2_147_483_648.0), "2.1474836E9");
    }

    #[test]
    fn casts_are_scientific() {
        for (value, text) in [
            (1e0, "1.0E0"),
            (0.1, "1.0E-1"),
            (123_456.789, "1.23456789E5"),
            (1e7, "1.0E7"),
            (-0.0, "-0E0"),
            (0.0, "0E0"),
            (4.9e-324, "4.9E-324"),
            (9_007_199_254_740_993.0, "9.007199254740992E15"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(cast_double(value), text);
        }
        for (value, text) in [(1.1_f32, "1.1E0"), (1e8, "1.0E8"), (f32::MAX, "3.402823E38"), (0.0, "0E0")] {
            assert_eq!(cast_real(value), text);
        }
    }

    #[test]
    fn decimals() {
        for (value, scale, text) in [(1250, 2, "12.50"), (-5, 2, "-0.05"), (5, 0, "5"), (0, 3, "0.000")] {
            let mut out = String::new();
            decimal(&mut out, value, scale);
            assert_eq!(out, text);
        }
    }
}
