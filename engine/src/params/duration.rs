//! Durations as users write them: `30s`, `5m`, `1h 30m`, `2d 12h`.

use std::time::Duration;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as `1h 30m` or `10s`, found `{0}`")]
pub struct DurationError(pub String);

/// Reads `[Nd] [Nh] [Nm] [Ns]`: letter case and blanks free, at least one part, the larger ones first.
///
/// # Errors
/// When the text has another form, or is longer than a `u64` of seconds.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let problem = || DurationError(text.to_owned());
    let compact: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    if compact.is_empty() {
        return Err(problem());
    }
    let mut seconds: u64 = 0;
    let mut rest = compact.as_str();
    let mut units = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)].into_iter();
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(problem)?;
        let (digits, tail) = rest.split_at(end);
        let number: u64 = digits.parse().map_err(|_| problem())?;
        let letter = tail.chars().next().map(|letter| letter.to_ascii_lowercase()).ok_or_else(problem)?;
        // Each unit once, the larger ones first: the iterator does not go back.
        let (_, factor) = units.find(|(unit, _)| *unit == letter).ok_or_else(problem)?;
        seconds = number.checked_mul(factor).and_then(|part| seconds.checked_add(part)).ok_or_else(problem)?;
        rest = tail.get(1..).unwrap_or_default();
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_in_falling_order() {
        let seconds = |text: &str| parse(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(seconds("10s"), Some(10));
        assert_eq!(seconds("1H30m"), Some(5_400));
        assert_eq!(seconds(" 2d 12h "), Some(216_000));
        assert_eq!(seconds("0s"), Some(0));
        for wrong in ["", "10", "s", "1m1h", "1x", "-1s", "1.5h", "99999999999999999999s"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
