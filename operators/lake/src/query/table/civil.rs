//! Dates and times in lines of text, as Trino's Hive connector reads them: parts of any width, and what is beyond the end of its
//! month, day or hour goes on in the next one.

/// Reads a date (`2020-1-2`, `1-01-01`) as days since 1970; what stands behind a blank does not count.
pub(super) fn date(text: &str) -> Option<i32> {
    let text = text.trim();
    let mut rest = Rest(text.split_once(' ').map_or(text, |(date, _)| date));
    let days = rest.date()?;
    if rest.0.is_empty() { i32::try_from(days).ok() } else { None }
}

/// Reads the date that a text begins with, as days since 1970: a year of up to four digits; behind the day stands nothing, or
/// anything but one more digit (`2020-01-02T03:04:05Z`).
pub(super) fn leading_date(text: &str) -> Option<i32> {
    let mut rest = Rest(text.trim());
    let is_negative = rest.eat('-');
    let year: i64 = rest.digits(4)?.parse().ok()?;
    let month = rest.eat('-').then(|| rest.digits(2)?.parse().ok())??;
    let day = rest.eat('-').then(|| rest.digits(2)?.parse().ok())??;
    if rest.0.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    i32::try_from(days(if is_negative { -year } else { year }, month, day)).ok()
}

/// Reads a time of a day (`2020-01-02 3:04:05.678`, `2020-01-02T03:04`) as seconds since 1970 and nanoseconds.
pub(super) fn timestamp(text: &str) -> Option<(i64, u32)> {
    let mut rest = Rest(text.trim());
    let found = rest.timestamp()?;
    if rest.0.is_empty() { Some(found) } else { None }
}

/// Reads a time with an offset to UTC at its end (`2020-01-02T03:04:05Z`, `…+02:00`, `…+0200`).
pub(super) fn instant(text: &str) -> Option<(i64, u32)> {
    let mut rest = Rest(text);
    if !text.contains(['T', 't']) {
        return None;
    }
    let (seconds, nanos) = rest.timestamp()?;
    if rest.0.eq_ignore_ascii_case("z") {
        return Some((seconds, nanos));
    }
    let sign = if rest.eat('+') { 1 } else { rest.eat('-').then_some(-1)? };
    let digits: String = rest.0.chars().filter(|character| *character != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let offset = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some((seconds.checked_sub(sign * offset)?, nanos))
}

/// What is not read yet.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn eat(&mut self, character: char) -> bool {
        match self.0.strip_prefix(character) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Takes digits, so many at most.
    fn digits(&mut self, most: usize) -> Option<&str> {
        let end = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        (end > 0).then_some(digits)
    }

    fn number(&mut self) -> Option<i64> {
        self.digits(9)?.parse().ok()
    }

    fn date(&mut self) -> Option<i64> {
        let is_negative = self.eat('-');
        if !is_negative {
            self.eat('+');
        }
        let year = self.number()?;
        let month = self.eat('-').then(|| self.number())??;
        let day = self.eat('-').then(|| self.number())??;
        Some(days(if is_negative { -year } else { year }, month, day))
    }

    fn timestamp(&mut self) -> Option<(i64, u32)> {
        let days = self.date()?;
        // Only behind a `T` may the seconds be left out.
        let is_iso = self.eat('T') || self.eat('t');
        if !is_iso && !self.eat(' ') {
            return None;
        }
        let hours = self.number()?;
        let minutes = self.eat(':').then(|| self.number())??;
        let mut seconds = 0;
        let mut nanos = 0;
        if self.eat(':') {
            seconds = self.number()?;
            if self.eat('.')
                && let Some(digits) = self.digits(9)
            {
                nanos = format!("{digits:0<9}").parse().ok()?;
            }
        } else if !is_iso {
            return None;
        }
        let of_day = hours * 3600 + minutes * 60 + seconds;
        Some((days.checked_mul(86_400)?.checked_add(of_day)?, nanos))
    }
}

/// Counts the days from 1970 to a day of the proleptic Gregorian calendar; months and days may be beyond their ends.
///
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Trino 476 answers.
    #[test]
    fn dates_are_those_of_trino() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("2020-01-01", Some(18_262)),
            (" 2020-1-1 ", Some(18_262)),
            ("2020-01-01 01:02", Some(18_262)),
            ("2020-02-30", Some(18_322)),
            ("2019-13-01", Some(18_262)),
            ("1-01-01", Some(-719_162)),
            ("0001-01-01", Some(-719_162)),
            ("20200101", None),
            ("2020-01-01T01:02:03+02:00", None),
            ("2020-01-01x", None),
            ("2020-01", None),
            ("", None),
        ] {
            assert_eq!(date(text), days, "{text}");
        }
    }

    /// What Trino 476 answers for openx's JSON.
    #[test]
    fn a_leading_date_has_anything_but_digits_behind_it() {
        for (text, days) in [
            ("2020-01-01", Some(18_262)),
            (" 2020-1-1 ", Some(18_262)),
            ("2020-01-01 01:02", Some(18_262)),
            ("2020-01-01T05:00:00", Some(18_262)),
            ("2020-01-01T23:00:00-05:00", Some(18_262)),
            ("2020-01-01Z", Some(18_262)),
            ("2020-01-01x", Some(18_262)),
            ("2020-02-30T", Some(18_322)),
            ("2019-13-01", Some(18_262)),
            ("2020-01-011", None),
            ("20200-01-01", None),
            ("+2020-01-01", None),
            ("20200101", None),
            ("2020-01", None),
            ("x2020-01-01", None),
        ] {
            assert_eq!(leading_date(text), days, "{text}");
        }
    }

    /// What Trino 476 answers.
    #[test]
    fn times_are_those_of_trino() {
        for (text, expected) in [
            ("1970-01-02 00:00:01", Some((86_401, 0))),
            ("1970-01-02 0:0:1.5", Some((86_401, 500_000_000))),
            ("1970-01-02T00:00", Some((86_400, 0))),
            ("1970-01-02T00:00:01.25", Some((86_401, 250_000_000))),
            ("1970-01-01 24:00:00", Some((86_400, 0))),
            ("1969-12-31 23:59:59.999999999", Some((-1, 999_999_999))),
            ("2020-01-01", None),
            ("2020-01-01 01:02", None),
            ("2020-01-01 01:02:03Z", None),
            ("2020-01-01T01:02:03Z", None),
            ("2020-01-01T01:02:03+02:00", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
        assert_eq!(instant("1970-01-02T00:00:01Z"), Some((86_401, 0)));
        assert_eq!(instant("1970-01-02T02:00:01+02:00"), Some((86_401, 0)));
        assert_eq!(instant("1970-01-01T23:00:01-0100"), Some((86_401, 0)));
        assert_eq!(instant("1970-01-02 00:00:01Z"), None);
    }
}
