//! Intervals as Trino prints them, for which CAST has no way back.

/// Reads `-1 02:03:04.005` as milliseconds.
pub(super) fn day_to_second(text: &str) -> Option<i64> {
    let (negative, text) = signed(text);
    let (days, clock) = text.split_once(' ')?;
    let mut parts = clock.splitn(3, ':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let (seconds, millis) = parts.next()?.split_once('.')?;
    let (seconds, millis) = (seconds.parse::<i64>().ok()?, millis.parse::<i64>().ok()?);
    let hours = days.parse::<i64>().ok()?.checked_mul(24)?.checked_add(hours)?;
    let seconds = hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?.checked_add(seconds)?;
    let value = seconds.checked_mul(1000)?.checked_add(millis)?;
    Some(if negative { -value } else { value })
}

/// Reads `-1-2` as months.
pub(super) fn year_to_month(text: &str) -> Option<i32> {
    let (negative, text) = signed(text);
    let (years, months) = text.split_once('-')?;
    let value = years.parse::<i32>().ok()?.checked_mul(12)?.checked_add(months.parse().ok()?)?;
    Some(if negative { -value } else { value })
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_with_their_sign() {
        assert_eq!(day_to_second("1 02:03:04.005"), Some(93_784_005));
        assert_eq!(day_to_second("-0 00:00:00.001"), Some(-1));
        assert_eq!(day_to_second("1"), None);
        assert_eq!(year_to_month("-1-2"), Some(-14));
        assert_eq!(year_to_month("14"), None);
    }
}
