//! Decimal digits rounded as text: half away from zero, whatever their number.

/// Digits before and behind the point, without a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digits {
    /// At least one digit.
    pub(super) whole: String,
    pub(super) fraction: String,
}

impl Digits {
    /// The shortest digits that mean a finite double, which is how Java prints it.
    pub(super) fn shortest(value: f64) -> Self {
        Self::of_plain(&format!("{}", value.abs()))
    }

    /// All digits of a finite double.
    pub(super) fn exact(value: f64) -> Self {
        /// More digits than any double of this size or larger has behind the point.
        const MOST: usize = 60;
        Self::of_plain(&format!("{:.MOST$}", value.abs()))
    }

    /// The digits of a decimal.
    pub(super) fn of_decimal(unscaled: i128, scale: u8) -> Self {
        let scale = usize::from(scale);
        let digits = format!("{:0>least$}", unscaled.unsigned_abs(), least = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        Self { whole: whole.to_owned(), fraction: fraction.to_owned() }
    }

    fn of_plain(text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        Self { whole: whole.to_owned(), fraction: fraction.to_owned() }
    }

    /// Rounds to so many digits behind the point, and fills up with zeros.
    pub(super) fn rounded(mut self, places: usize) -> Self {
        let up = self.fraction.as_bytes().get(places).is_some_and(|digit| *digit >= b'5');
        self.fraction.truncate(places);
        let missing = places - self.fraction.len();
        self.fraction.extend(std::iter::repeat_n('0', missing));
        if up {
            let mut digits: Vec<u8> = self.whole.bytes().chain(self.fraction.bytes()).collect();
            let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
            let kept = digits.len() - nines;
            digits[kept..].fill(b'0');
            if kept == 0 {
                digits.insert(0, b'1');
            } else {
                digits[kept - 1] += 1;
            }
            let text: String = digits.into_iter().map(char::from).collect();
            let (whole, fraction) = text.split_at(text.len() - places);
            self = Self { whole: whole.to_owned(), fraction: fraction.to_owned() };
        }
        self
    }

    /// The digits with a point, and commas between thousands where wanted.
    pub(super) fn plain(&self, grouped: bool) -> String {
        let mut out = String::with_capacity(self.whole.len() * 2 + self.fraction.len() + 1);
        for (at, digit) in self.whole.chars().enumerate() {
            if grouped && at > 0 && (self.whole.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        if !self.fraction.is_empty() {
            out.push('.');
            out.push_str(&self.fraction);
        }
        out
    }

    /// The digits with one before the point, and the power of ten.
    pub(super) fn scientific(self, places: usize) -> String {
        let all = format!("{}{}", self.whole, self.fraction);
        let leading = all.bytes().take_while(|digit| *digit == b'0').count();
        let (significant, exponent) = if leading == all.len() {
            ("0", 0)
        } else {
            let before = i64::try_from(self.whole.len()).unwrap_or_default();
            (&all[leading..], before - 1 - i64::try_from(leading).unwrap_or_default())
        };
        let one = Self { whole: significant[..1].to_owned(), fraction: significant[1..].to_owned() }.rounded(places);
        // Ten is one with a larger power.
        let (one, exponent) = if one.whole == "10" {
            (Self { whole: "1".to_owned(), fraction: one.fraction }, exponent + 1)
        } else {
            (one, exponent)
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", one.plain(false), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn halves_go_up_in_the_digits_that_are_shown() {
        let fixed = |value, places| Digits::shortest(value).rounded(places).plain(false);
        assert_eq!(fixed(0.25, 1), "0.3");
        assert_eq!(fixed(2.5, 0), "3");
        assert_eq!(fixed(1.005, 2), "1.01");
        assert_eq!(fixed(9.995, 2), "10.00");
        assert_eq!(fixed(1e20, 1), "100000000000000000000.0");
        assert_eq!(Digits::exact(1.005).rounded(2).plain(false), "1.00");
        assert_eq!(Digits::exact(998.5).rounded(0).plain(false), "999");
        assert_eq!(Digits::of_decimal(-123_456_789_500, 5).rounded(2).plain(true), "1,234,567.90");
        assert_eq!(Digits::shortest(12_345.678).scientific(3), "1.235e+04");
        assert_eq!(Digits::shortest(0.000_999_96).scientific(1), "1.0e-03");
        assert_eq!(Digits::shortest(0.0).scientific(6), "0.000000e+00");
    }
}
