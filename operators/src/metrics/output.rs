//! What `metrics.…>` operators tell: parameters below `metrics`, and lines for people.

use engine::params::{ParamPath, Params};
use serde_json::{Value, json};

/// Puts a value below `metrics`.
pub(super) fn store(key: &str, value: Value) -> Params {
    let mut metrics = Params::new();
    metrics.insert(key.to_owned(), value);
    let mut params = Params::new();
    params.insert("metrics".to_owned(), json!(metrics));
    params
}

/// The path of a key below `metrics`, for `reset`: what an earlier task stored there must not shine through.
pub(super) fn path(key: &str) -> ParamPath {
    ParamPath(format!("metrics.{key}"))
}

/// A number of things in memory.
pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Writes a number with a comma every three digits.
pub(super) fn figure(number: u64) -> String {
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

/// Writes a number of bytes: `640 B`, `1.5 KiB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
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
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0, 999, 67_740, 1_234_567].map(figure), ["0", "999", "67,740", "1,234,567"]);
        assert_eq!([640, 1_536, 3 << 20].map(bytes), ["640 B", "1.5 KiB", "3.0 MiB"]);
    }
}
