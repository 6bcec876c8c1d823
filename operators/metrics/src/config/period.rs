//! Lengths of time as users write them: `1m`, `26h`, `60d`, `10y`.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole seconds: parts of `y` (365 days), `d`, `h`, `m` and `s`, the larger ones first: `1d 12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    seconds: i64,
}

/// The units, the larger ones first, with their seconds.
const UNITS: [(char, i64); 5] = [('y', 31_536_000), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// The longest period: more than there are times of points, and far from the limits of arithmetic.
const MAX_SECONDS: i64 = 10_000 * 31_536_000;

impl Period {
    /// What a text must be to be a period.
    pub const EXPECTED: &'static str = "a length of time such as `1m`, `26h`, `60d` or `10y`";

    /// No time at all.
    pub const ZERO: Self = Self { seconds: 0 };

    /// Makes a period of seconds that are not negative.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds }
    }

    /// Reads a period; none when the text is not one. Letter case and blanks are free.
    pub fn parse(text: &str) -> Option<Self> {
        let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        if compact.is_empty() {
            return None;
        }
        let mut seconds: i64 = 0;
        let mut rest = compact.as_str();
        // Each unit once, the larger ones first: the iterator does not go back.
        let mut units = UNITS.into_iter();
        while !rest.is_empty() {
            let end = rest.find(|character: char| !character.is_ascii_digit())?;
            let (digits, tail) = rest.split_at(end);
            let number: i64 = digits.parse().ok()?;
            let letter = tail.chars().next()?.to_ascii_lowercase();
            let (_, factor) = units.find(|(unit, _)| *unit == letter)?;
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            rest = tail.get(1..)?;
        }
        (seconds <= MAX_SECONDS).then_some(Self { seconds })
    }

    /// Tells whether a text looks like months (`1M`), as others write them: where those would make sense, they are not to be taken for
    /// minutes.
    pub fn has_months(text: &str) -> bool {
        text.trim().ends_with('M') && Self::parse(text).is_some()
    }

    /// Returns it in seconds.
    pub const fn as_seconds(self) -> i64 {
        self.seconds
    }

    /// Returns it in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.seconds * 1_000
    }

    /// Returns both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { seconds: self.seconds.saturating_add(other.seconds) }
    }
}

impl fmt::Display for Period {
    /// Writes whole years as years, all others from days on: `26h` is `1d 2h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.seconds == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.seconds;
        let mut blank = "";
        let is_whole_years = rest % UNITS[0].1 == 0;
        for (unit, factor) in UNITS.into_iter().skip(usize::from(!is_whole_years)) {
            let number = rest / factor;
            if number > 0 {
                write!(f, "{blank}{number}{unit}")?;
                blank = " ";
            }
            rest %= factor;
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("expected {}, found `{text}`", Self::EXPECTED)))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a length of time: `1m`, `26h`, `60d`, `10y` (365 days each)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_are_written_the_same_way() {
        for (text, seconds, written) in [
            ("1m", 60, "1m"),
            ("26h", 93_600, "1d 2h"),
            ("60d", 5_184_000, "60d"),
            ("460d", 39_744_000, "460d"),
            ("10Y", 315_360_000, "10y"),
            (" 1d 12h ", 129_600, "1d 12h"),
            ("0d", 0, "0s"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!((period.as_seconds(), period.to_string().as_str()), (seconds, written), "{text}");
            assert_eq!(Period::parse(&period.to_string()), Some(period));
        }
        for wrong in ["", "1", "h", "1h1d", "1h1h", "-1h", "1.5h", "1w", "99999999999y", "10001y"] {
            assert_eq!(Period::parse(wrong), None, "{wrong}");
        }
    }
}
