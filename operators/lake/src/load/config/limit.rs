//! `max_rejected`: how many lines of a load may be rejected.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many lines may be rejected before the load fails with nothing published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxRejected {
    /// So many lines.
    Rows(u64),
    /// So large a share of all lines that were read.
    Share {
        /// The share in billionths: `0.1%` is 1,000,000. Whole numbers, so that the limit is exact.
        parts_per_billion: u32,
    },
}

const PARTS_PER_PERCENT: u64 = 10_000_000;

impl MaxRejected {
    /// What a value must be to be a limit.
    pub(super) const EXPECTED: &'static str = "a number of lines (`10`) or a share of all lines (`0.1%`)";

    /// Tells whether `rejected` of `lines` are over the limit.
    #[must_use]
    pub fn is_exceeded(self, rejected: u64, lines: u64) -> bool {
        match self {
            Self::Rows(rows) => rejected > rows,
            Self::Share { parts_per_billion } => {
                u128::from(rejected) * 1_000_000_000 > u128::from(lines) * u128::from(parts_per_billion)
            }
        }
    }

    /// Reads `12` or `0.1%`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let Some(percent) = text.strip_suffix('%') else { return text.parse().ok().map(Self::Rows) };
        let (whole, fraction) = percent.trim_end().split_once('.').unwrap_or((percent.trim_end(), ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || fraction.len() > 7 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction: u64 = format!("{fraction:0<7}").parse().ok()?;
        let parts = whole.parse::<u64>().ok()? * PARTS_PER_PERCENT + fraction;
        let parts_per_billion = u32::try_from(parts).ok().filter(|parts| *parts <= 1_000_000_000)?;
        Some(Self::Share { parts_per_billion })
    }
}

impl fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows}"),
            Self::Share { parts_per_billion } => {
                let parts = u64::from(*parts_per_billion);
                let fraction = format!("{:07}", parts % PARTS_PER_PERCENT);
                let fraction = fraction.trim_end_matches('0');
                let point = if fraction.is_empty() { "" } else { "." };
                write!(f, "{}{point}{fraction}%", parts / PARTS_PER_PERCENT)
            }
        }
    }
}

impl Serialize for MaxRejected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rows(rows) => serializer.serialize_u64(*rows),
            Self::Share { .. } => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for MaxRejected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = MaxRejected;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(MaxRejected::EXPECTED)
            }

            fn visit_u64<E: serde::de::Error>(self, rows: u64) -> Result<MaxRejected, E> {
                Ok(MaxRejected::Rows(rows))
            }

            fn visit_i64<E: serde::de::Error>(self, rows: i64) -> Result<MaxRejected, E> {
                u64::try_from(rows)
                    .map(MaxRejected::Rows)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(rows), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MaxRejected, E> {
                MaxRejected::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for MaxRejected {
    fn schema_name() -> Cow<'static, str> {
        "MaxRejected".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a number of lines (`10`) or a share of all lines (`0.1%`)",
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^\\s*([0-9]+|[0-9]{1,3}(\\.[0-9]{0,7})?\\s*%)\\s*$"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_shares_are_read_and_written() {
        for text in ["0", "12", "0.1%", "100%", "0%", "33.3333333%"] {
            assert_eq!(MaxRejected::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "-1", "0.1", "101%", "%", ".5%", "1e3", "0.12345678%", "1 %%"] {
            assert_eq!(MaxRejected::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_share_is_exact() {
        let limit = MaxRejected::parse("0.1%").unwrap();
        assert!(!limit.is_exceeded(10, 10_000));
        assert!(limit.is_exceeded(11, 10_000));
        assert!(!limit.is_exceeded(0, 0));
        assert!(MaxRejected::Rows(0).is_exceeded(1, 1));
    }
}
