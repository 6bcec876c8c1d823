//! Calendar and clock arithmetic of the dialect: the proleptic Gregorian calendar, units and rounding.
//!
//! Time zones are in [`zone`], reading in [`parse`], writing in [`mod@format`]. Nothing here reads a clock.

pub mod format;
pub mod parse;
pub mod zone;
pub mod zoned;

pub use zone::{Zone, Zones};

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 86_400_000;

/// Returns the day number (1970-01-01 is 0) of a civil date; the month counts from 1.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of its year and months follow one formula.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of a day number.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Returns how many days a month has.
#[must_use]
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Moves a day number by months; a day that the new month does not have becomes its last.
#[must_use]
pub fn add_months(days: i64, months: i64) -> i64 {
    let (year, month, day) = civil_from_days(days);
    let month_number = year * 12 + (month - 1) + months;
    let (year, month) = (month_number.div_euclid(12), month_number.rem_euclid(12) + 1);
    days_from_civil(year, month, day.min(days_in_month(year, month)))
}

/// Rounds to a multiple of `unit`, halves up (towards the later instant), as Trino lowers the precision of times.
#[must_use]
pub fn round_to(value: i64, unit: i64) -> Option<i64> {
    if unit <= 1 {
        return Some(value);
    }
    Some(value.checked_add(unit / 2)?.div_euclid(unit) * unit)
}

/// Returns how many microseconds the last digit of `timestamp(precision)` or `time(precision)` stands for, at least 1.
#[must_use]
pub fn micros_of_precision(precision: u8) -> i64 {
    10_i64.pow(u32::from(6_u8.saturating_sub(precision)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        for (civil, days) in [
            ((1970, 1, 1), 0),
            ((2024, 2, 29), 19_782),
            ((1969, 12, 31), -1),
            ((1, 1, 1), -719_162),
            ((9999, 12, 31), 2_932_896),
            ((-5_877_641, 6, 23), -2_147_483_648),
        ] {
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), days);
            assert_eq!(civil_from_days(days), civil);
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_inverse(days in -800_000_000_i64..800_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert!((1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month));
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn months_end_where_the_month_ends() {
        let day = |y, m, d| days_from_civil(y, m, d);
        assert_eq!(add_months(day(2024, 1, 31), 1), day(2024, 2, 29));
        assert_eq!(add_months(day(2024, 3, 31), -1), day(2024, 2, 29));
        assert_eq!(add_months(day(2024, 2, 29), 12), day(2025, 2, 28));
        assert_eq!(add_months(day(2024, 1, 15), -13), day(2022, 12, 15));
    }

    #[test]
    fn halves_go_to_the_later_instant() {
        assert_eq!(round_to(1_500, 1_000), Some(2_000));
        assert_eq!(round_to(1_499, 1_000), Some(1_000));
        assert_eq!(round_to(-500, 1_000), Some(0));
        assert_eq!(round_to(-501, 1_000), Some(-1_000));
    }
}
