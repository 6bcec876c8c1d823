//! Schedules: when sessions are due. Here for `last_session_time`, `next_session_time` and the session of a run; the
//! scheduler itself comes with the server.
//!
//! A slot has a session time, which names the data it is for, and a run time, when it is due. On the days the clock changes:
//! - a daily, weekly or monthly session begins at the first instant of its day, whatever the clock shows then; it is due at
//!   its time of day, or as much later as the clock jumped over it, and the first time when the clock shows it twice;
//! - `cron>` with one hour and one minute is due once on every matching day: right after the gap when the clock jumps over
//!   it, the first time when the clock shows it twice;
//! - any other `cron>`, `hourly>` and `minutes_interval>` are due whenever the clock shows a matching time: not in a gap, and
//!   twice in an hour that comes twice.
//!
//! DIFFERENCE(digdag): Digdag is due a fixed number of seconds after the session time, so a `daily> 10:00:00` runs at 09:00
//! or 11:00 on such a day; and its `cron>` leaves out or doubles what falls into the change.

mod parse;
pub mod session_flag;
mod zone;

use croner::Cron;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};

pub use parse::{Problem, ProblemKind};
pub use zone::{ZoneError, time_zone};

/// When a workflow's sessions are due.
#[derive(Debug, Clone)]
pub struct Schedule {
    rule: Rule,
    zone: TimeZone,
    start: Option<Date>,
    end: Option<Date>,
    /// Whether a slot is skipped while the session before it still runs.
    pub skip_on_overtime: bool,
    /// A slot is skipped when it would start so much later than it was due.
    pub skip_delayed_by: Option<SignedDuration>,
}

/// One session of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The time the session is for.
    pub session_time: Zoned,
    /// When it is due.
    pub run_time: Zoned,
}

#[derive(Debug, Clone)]
enum Rule {
    /// The days that match, due at a time of day.
    Days { days: Days, at: Time },
    /// The times that a pattern matches, due some time later. Several patterns are one pattern with `|`.
    Times { patterns: Vec<Cron>, delay: SignedDuration },
    /// Every so many seconds since 1970-01-01 UTC.
    Seconds { every: i64, delay: SignedDuration },
}

#[derive(Debug, Clone, Copy)]
enum Days {
    All,
    Weekday(Weekday),
    DayOfMonth(i8),
}

/// The longest wait for a matching day: a 31st follows a 31st within 62 days.
const MAX_DAYS_APART: i32 = 64;

impl Schedule {
    /// Returns the first slot of the schedule with a later session time, whether or not `start` and `end` let it run.
    ///
    /// None only at the end of all time.
    pub fn next_after(&self, at: Timestamp) -> Option<Slot> {
        let session_time = match &self.rule {
            Rule::Days { days, .. } => self.day(*days, at, 1),
            Rule::Times { patterns, .. } => {
                let at = at.to_zoned(self.zone.clone());
                patterns.iter().filter_map(|cron| self.pattern_after(cron, &at)).min_by_key(Zoned::timestamp)
            }
            Rule::Seconds { every, .. } => {
                let slot = at.as_second().div_euclid(*every).checked_add(1)?.checked_mul(*every)?;
                Some(Timestamp::from_second(slot).ok()?.to_zoned(self.zone.clone()))
            }
        }?;
        self.slot(session_time)
    }

    /// Returns the last slot of the schedule with an earlier session time, whether or not `start` and `end` let it run.
    ///
    /// None only at the beginning of all time.
    pub fn last_before(&self, at: Timestamp) -> Option<Slot> {
        let session_time = match &self.rule {
            Rule::Days { days, .. } => self.day(*days, at, -1),
            Rule::Times { patterns, .. } => {
                patterns.iter().filter_map(|cron| self.pattern_before(cron, at)).max_by_key(Zoned::timestamp)
            }
            Rule::Seconds { every, .. } => {
                let whole = if at.subsec_nanosecond() == 0 { at.as_second().checked_sub(1)? } else { at.as_second() };
                let slot = whole.div_euclid(*every).checked_mul(*every)?;
                Some(Timestamp::from_second(slot).ok()?.to_zoned(self.zone.clone()))
            }
        }?;
        self.slot(session_time)
    }

    /// Returns the last slot whose session time has come.
    pub fn latest(&self, now: Timestamp) -> Option<Slot> {
        self.last_before(now.checked_add(1.nanosecond()).ok()?)
    }

    /// Returns the first slot that is due after an instant and on a day that `start` and `end` allow; none after `end`.
    pub fn next_due(&self, after: Timestamp) -> Option<Slot> {
        let from = match self.start {
            Some(start) => {
                after.max(start.to_zoned(self.zone.clone()).ok()?.timestamp().checked_sub(1.nanosecond()).ok()?)
            }
            None => after,
        };
        // A session is due at most a day (or its delay) after its session time, so the search begins that much earlier.
        let reach = match &self.rule {
            Rule::Days { .. } => SignedDuration::from_hours(26),
            Rule::Times { delay, .. } | Rule::Seconds { delay, .. } => *delay,
        };
        let mut slot = self.next_after(from.checked_sub(reach).ok()?)?;
        while slot.run_time.timestamp() <= from {
            slot = self.next_after(slot.session_time.timestamp())?;
        }
        self.end.is_none_or(|end| slot.run_time.date() <= end).then_some(slot)
    }

    /// Croner gives up before a gap of more than two hours, such as the day that Samoa left out: begin again behind it.
    fn pattern_after(&self, cron: &Cron, at: &Zoned) -> Option<Zoned> {
        cron.find_next_occurrence(at, false).ok().or_else(|| {
            let behind = self.zone.following(at.timestamp()).next()?.timestamp().to_zoned(self.zone.clone());
            cron.find_next_occurrence(&behind, true).ok()
        })
    }

    /// Croner counts from whole seconds backwards; a slot in the second that `at` is in has come already.
    fn pattern_before(&self, cron: &Cron, at: Timestamp) -> Option<Zoned> {
        let whole = Timestamp::from_second(at.as_second()).ok()?;
        let inclusive = at > whole;
        cron.find_previous_occurrence(&whole.to_zoned(self.zone.clone()), inclusive).ok().or_else(|| {
            let before = self.zone.preceding(at).next()?.timestamp().checked_sub(1.second()).ok()?;
            cron.find_previous_occurrence(&before.to_zoned(self.zone.clone()), true).ok()
        })
    }

    fn day(&self, days: Days, at: Timestamp, step: i32) -> Option<Zoned> {
        let today = at.to_zoned(self.zone.clone()).date();
        // A clock that goes back over midnight shows a date that has begun before: start a day early.
        let mut date = today.checked_sub(step.days()).ok()?;
        for _ in 0..=MAX_DAYS_APART {
            let matches = match days {
                Days::All => true,
                Days::Weekday(weekday) => date.weekday() == weekday,
                Days::DayOfMonth(day) => date.day() == day,
            };
            if matches {
                let session = date.to_zoned(self.zone.clone()).ok()?.start_of_day().ok()?;
                if (step > 0 && session.timestamp() > at) || (step < 0 && session.timestamp() < at) {
                    return Some(session);
                }
            }
            date = date.checked_add(step.days()).ok()?;
        }
        None
    }

    fn slot(&self, session_time: Zoned) -> Option<Slot> {
        let run_time = match &self.rule {
            Rule::Days { at, .. } => session_time.date().to_datetime(*at).to_zoned(self.zone.clone()).ok()?,
            Rule::Times { delay, .. } | Rule::Seconds { delay, .. } => session_time.checked_add(*delay).ok()?,
        };
        // A day that begins after its due time, because the clock jumped over both, is due when it begins.
        let run_time = if run_time < session_time { session_time.clone() } else { run_time };
        Some(Slot { session_time, run_time })
    }
}

#[cfg(test)]
mod tests;
