//! Dates and times from text, as Trino's literals and casts read them.

use super::{days_from_civil, days_in_month};

/// Why a text is not a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It has another form, or a field is out of range.
    Form,
    /// It has more than 12 digits of a second.
    Precision,
}

/// A civil date and time as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilText<'a> {
    /// The day.
    pub days: i64,
    /// The time of day.
    pub time: TimeText,
    /// What stands behind the time.
    pub zone: Option<&'a str>,
}

/// A time of day as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeText {
    /// Seconds since midnight.
    pub seconds: i64,
    /// Picoseconds of the second.
    pub picos: i64,
    /// How many digits of a second were written.
    pub precision: u8,
}

impl TimeText {
    /// Returns picoseconds, rounded half up to so many digits of a second: up to a whole second.
    #[must_use]
    pub fn rounded_picos(&self, precision: u8) -> i64 {
        let unit = 10_i64.pow(u32::from(12 - precision.min(12)));
        (self.picos + unit / 2) / unit * unit
    }

    /// Returns microseconds since midnight, rounded to so many (at most 6) digits of a second: up to a whole day.
    #[must_use]
    pub fn micros(&self, precision: u8) -> i64 {
        self.seconds * 1_000_000 + self.rounded_picos(precision.min(6)) / 1_000_000
    }
}

impl CivilText<'_> {
    /// Returns microseconds of civil time since 1970, rounded to so many (at most 6) digits of a second.
    #[must_use]
    pub fn micros(&self, precision: u8) -> Option<i64> {
        self.days.checked_mul(super::MICROS_PER_DAY)?.checked_add(self.time.micros(precision))
    }

    /// Returns nanoseconds of civil time since 1970, rounded to so many (at most 9) digits of a second.
    #[must_use]
    pub fn nanos(&self, precision: u8) -> Option<i64> {
        let of_day = self.time.seconds * 1_000_000_000 + self.time.rounded_picos(precision.min(9)) / 1_000;
        self.days.checked_mul(super::MICROS_PER_DAY * 1_000)?.checked_add(of_day)
    }
}

/// A text that is read sign by sign.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, sign: char) -> bool {
        self.rest.strip_prefix(sign).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), Malformed> {
        if self.take(sign) { Ok(()) } else { Err(Malformed::Form) }
    }

    /// Takes from `least` to `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Result<&'a str, Malformed> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return Err(Malformed::Form);
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(digits)
    }

    fn number(&mut self, least: usize, most: usize) -> Result<i64, Malformed> {
        self.digits(least, most)?.parse().map_err(|_| Malformed::Form)
    }

    /// Takes a date whose year has at least so many digits.
    fn date(&mut self, year_digits: usize) -> Result<i64, Malformed> {
        let negative = self.take('-');
        if !negative {
            self.take('+');
        }
        let year = self.number(year_digits, 10)?;
        let year = if negative { -year } else { year };
        self.expect('-')?;
        let month = self.number(1, 2)?;
        self.expect('-')?;
        let day = self.number(1, 2)?;
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
            return Err(Malformed::Form);
        }
        Ok(days_from_civil(year, month, day))
    }

    /// Takes `h:m`, `h:m:s` or `h:m:s.f`.
    fn time(&mut self) -> Result<TimeText, Malformed> {
        let hour = self.number(1, 2)?;
        self.expect(':')?;
        let minute = self.number(1, 2)?;
        let mut time = TimeText::default();
        let mut second = 0;
        if self.take(':') {
            second = self.number(1, 2)?;
            if self.take('.') {
                let digits = self.digits(1, usize::MAX)?;
                time.precision =
                    u8::try_from(digits.len()).ok().filter(|count| *count <= 12).ok_or(Malformed::Precision)?;
                let fraction: i64 = digits.parse().map_err(|_| Malformed::Form)?;
                time.picos = fraction * 10_i64.pow(u32::from(12 - time.precision));
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(Malformed::Form);
        }
        time.seconds = hour * 3_600 + minute * 60 + second;
        Ok(time)
    }
}

/// Reads a date: `2024-2-3`, with blanks around it.
///
/// # Errors
/// `Form` when it is none, or is out of the range of a 32-bit day number.
pub fn date(text: &str) -> Result<i32, Malformed> {
    let mut reader = Reader { rest: text.trim() };
    let days = reader.date(1)?;
    if reader.rest.is_empty() { i32::try_from(days).map_err(|_| Malformed::Form) } else { Err(Malformed::Form) }
}

/// Reads a date with an optional time and zone: `2024-02-03 04:05:06.789 Asia/Tokyo`.
///
/// # Errors
/// `Form`, or `Precision` for more than 12 digits of a second.
pub fn timestamp(text: &str) -> Result<CivilText<'_>, Malformed> {
    let mut reader = Reader { rest: text };
    let days = reader.date(4)?;
    let mut time = TimeText::default();
    if reader.rest.is_empty() {
        return Ok(CivilText { days, time, zone: None });
    }
    reader.expect(' ')?;
    let before_time = reader.rest;
    match reader.time() {
        Ok(found) => time = found,
        Err(Malformed::Precision) => return Err(Malformed::Precision),
        // A zone may follow the date.
        Err(Malformed::Form) => reader.rest = before_time,
    }
    let zone = reader.rest.trim_start();
    Ok(CivilText { days, time, zone: (!zone.is_empty()).then_some(zone) })
}

/// Reads a time of day, with the minutes of an offset `+09:00` where one is written.
///
/// # Errors
/// `Form`, or `Precision` for more than 12 digits of a second.
pub fn time(text: &str) -> Result<(TimeText, Option<i64>), Malformed> {
    let mut reader = Reader { rest: text };
    let time = reader.time()?;
    reader.rest = reader.rest.trim_start();
    if reader.rest.is_empty() {
        return Ok((time, None));
    }
    let sign = if reader.take('+') {
        1
    } else if reader.take('-') {
        -1
    } else {
        return Err(Malformed::Form);
    };
    let hours = reader.number(2, 2)?;
    reader.expect(':')?;
    let minutes = reader.number(2, 2)?;
    if !reader.rest.is_empty() || minutes > 59 || hours * 60 + minutes > 14 * 60 {
        return Err(Malformed::Form);
    }
    Ok((time, Some(sign * (hours * 60 + minutes))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::temporal::format;

    #[test]
    fn dates() {
        for (written, read) in [
            ("2024-02-29", "2024-02-29"),
            (" 2024-02-03 ", "2024-02-03"),
            ("2024-2-3", "2024-02-03"),
            ("224-02-03", "0224-02-03"),
            ("+12024-02-03", "+12024-02-03"),
            ("02024-2-3", "2024-02-03"),
            ("-5877641-06-23", "-5877641-06-23"),
        ] {
            let mut out = String::new();
            format::date(&mut out, date(written).unwrap().into(), format::FarYear::Signed);
            assert_eq!(out, read);
        }
        for bad in ["20240229", "yesterday", "2024-02-30", "2024-13-01", "2024-02-03x", "1", "", "2024-05-17 10:00:00"]
        {
            assert_eq!(date(bad), Err(Malformed::Form), "{bad}");
        }
    }

    #[test]
    fn timestamps() {
        for (written, precision, read, zone) in [
            ("2024-02-29 10:11:12.3456", 3, "2024-02-29 10:11:12.346", None),
            ("2024-02-29 10:11:12.9996", 3, "2024-02-29 10:11:13.000", None),
            ("2024-7-1 1:2:3", 0, "2024-07-01 01:02:03", None),
            ("2024-07-01", 0, "2024-07-01 00:00:00", None),
            ("2024-07-01 ", 0, "2024-07-01 00:00:00", None),
            ("2024-07-01 +09:00", 0, "2024-07-01 00:00:00", Some("+09:00")),
            ("2024-07-01 12:00:00.5 +05:30", 1, "2024-07-01 12:00:00.5", Some("+05:30")),
            ("2024-01-01 09:00:00Z", 0, "2024-01-01 09:00:00", Some("Z")),
            ("2024-01-01 09:00 Asia/Tokyo", 0, "2024-01-01 09:00:00", Some("Asia/Tokyo")),
        ] {
            let civil = timestamp(written).unwrap();
            let mut out = String::new();
            format::timestamp_micros(&mut out, civil.micros(precision).unwrap(), precision);
            assert_eq!((out.as_str(), civil.zone), (read, zone), "{written}");
        }
        for bad in ["2024-07-01T12:00:00", " 2024-07-01", "1", "29.02.2024", "224-07-01 00:00:00"] {
            assert_eq!(timestamp(bad), Err(Malformed::Form), "{bad}");
        }
        // An hour out of range leaves text where a zone should be.
        assert_eq!(timestamp("2024-03-04 24:00:00").unwrap().zone, Some("24:00:00"));
        assert_eq!(timestamp("2024-07-01 12:00:00.1234567890123"), Err(Malformed::Precision));
    }

    #[test]
    fn times() {
        assert_eq!(time("1:2:3").unwrap().0.seconds, 3_723);
        assert_eq!(time("01:02:03.1 +09:00").unwrap().1, Some(540));
        for bad in ["25:00:00", "24:00:00", "01", "10h", " 01:02:03", "01:02:03+09", "01:02:03 UTC"] {
            assert_eq!(time(bad), Err(Malformed::Form), "{bad}");
        }
    }
}
