//! Reads and checks the `schedule:` mapping; all problems at once.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Days, Rule, Schedule};
use crate::diagnostic::{Code, code, suggest};
use crate::params::{ParamPath, Params, duration};

/// What is wrong with a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// It is not a mapping with one rule.
    Shape,
    /// A key that no schedule has, or not with this rule.
    UnknownKey,
    /// A value that cannot be read.
    Value,
    /// A rule that never comes true.
    Never,
}

impl ProblemKind {
    /// Returns the code whose page explains it.
    pub const fn code(self) -> Code {
        match self {
            Self::Shape => code::SCHEDULE_SHAPE,
            Self::UnknownKey => code::SCHEDULE_KEY,
            Self::Value => code::SCHEDULE_VALUE,
            Self::Never => code::SCHEDULE_NEVER,
        }
    }
}

/// One problem of a `schedule:` mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The key inside `schedule:`; empty for the mapping as a whole.
    pub path: ParamPath,
    /// What was expected and what was found.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    fn new(kind: ProblemKind, path: &str, message: impl Into<String>) -> Self {
        Self { kind, path: ParamPath::from(path), message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The rules, by the name before `>`, with the form of their value.
const RULES: [(&str, &str); 7] = [
    ("hourly", "MM:SS"),
    ("daily", "HH:MM:SS"),
    ("weekly", "DAY,HH:MM:SS"),
    ("monthly", "DAY,HH:MM:SS"),
    ("minutes_interval", "a number of minutes from 1 to 59"),
    ("seconds_interval", "a number of seconds"),
    ("cron", "MINUTE HOUR DAY MONTH WEEKDAY"),
];

const OPTIONS: [&str; 5] = ["start", "end", "skip_on_overtime", "skip_delayed_by", "delay"];

impl Schedule {
    /// Reads a `schedule:` mapping.
    ///
    /// A schedule comes back only when there are no problems. Templates are not evaluated here, as in Digdag.
    pub fn parse(value: &Value, zone: &TimeZone) -> (Option<Self>, Vec<Problem>) {
        let Some(map) = value.as_object() else {
            let problem = Problem::new(
                ProblemKind::Shape,
                "",
                format!("expected a mapping such as `daily>: 07:00:00`, found {}", shown(value)),
            );
            return (None, vec![problem]);
        };
        let mut problems = Vec::new();
        let rule = find_rule(map, &mut problems);
        let rule = rule.and_then(|(key, name, value)| {
            let delay = map.get("delay").map(|value| (value, duration(value)));
            let delay = match delay {
                Some((value, None)) => {
                    problems.push(expected("delay", "a duration such as `10m` or a number of seconds", value));
                    SignedDuration::ZERO
                }
                Some((_, Some(delay))) => delay,
                None => SignedDuration::ZERO,
            };
            match read_rule(key, name, value, delay) {
                Ok(rule) => Some(rule),
                Err(problem) => {
                    problems.push(problem);
                    None
                }
            }
        });
        let mut date = |key: &str| -> Option<Date> {
            let value = map.get(key)?;
            let date = value.as_str().filter(|text| text.len() == 10).and_then(|text| text.parse::<Date>().ok());
            if date.is_none() {
                problems.push(expected(key, "a date `YYYY-MM-DD`", value));
            }
            date
        };
        let (start, end) = (date("start"), date("end"));
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            problems.push(Problem::new(
                ProblemKind::Never,
                "end",
                format!("the schedule ends on {end}, before it starts on {start}"),
            ));
        }
        let skip_on_overtime = match map.get("skip_on_overtime") {
            None => false,
            Some(Value::Bool(skip)) => *skip,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(other) => {
                problems.push(expected("skip_on_overtime", "`true` or `false`", other));
                false
            }
        };
        let skip_delayed_by = map.get("skip_delayed_by").and_then(|value| {
            let duration = duration(value);
            if duration.is_none() {
                problems.push(expected("skip_delayed_by", "a duration such as `30m` or `1h 30m`", value));
            }
            duration
        });
        let Some(rule) = rule.filter(|_| problems.is_empty()) else { return (None, problems) };
        let schedule = Self { rule, zone: zone.clone(), start, end, skip_on_overtime, skip_delayed_by };
        (Some(schedule), problems)
    }
}

/// Finds the one rule of a mapping, as `name>: value` or as `_type: name` with `at: value`, and checks the other keys.
fn find_rule<'v>(map: &'v Params, problems: &mut Vec<Problem>) -> Option<(&'v str, &'static str, &'v Value)> {
    let mut rules = Vec::new();
    for (key, value) in map {
        if let Some(written) = key.strip_suffix('>') {
            match RULES.iter().find(|(name, _)| *name == written) {
                Some((name, _)) => rules.push((key.as_str(), *name, value)),
                None => problems.push(unknown_rule(key, written)),
            }
        } else if key == "_type" {
            match value.as_str().and_then(|written| RULES.iter().find(|(name, _)| *name == written)) {
                Some((name, _)) => match map.get("at") {
                    Some(at) => rules.push(("at", *name, at)),
                    None => problems.push(Problem::new(ProblemKind::Shape, "_type", "expected `at: …` beside `_type`")),
                },
                None => problems.push(unknown_rule("_type", &text(value).unwrap_or_default())),
            }
        } else if key == "at" && map.contains_key("_type") {
            // Read with its `_type`.
        } else if !OPTIONS.contains(&key.as_str()) {
            let mut problem = Problem::new(ProblemKind::UnknownKey, key, format!("no schedule has a key `{key}`"));
            let rule = RULES.iter().find(|(name, _)| name == key);
            problem.help =
                rule.map(|(name, _)| format!("write `{name}>`")).or_else(|| suggest::did_you_mean(key, OPTIONS));
            problems.push(problem);
        }
    }
    match rules.as_slice() {
        [] if problems.is_empty() => {
            problems.push(Problem::new(
                ProblemKind::Shape,
                "",
                "expected a rule such as `daily>: 07:00:00`, found none",
            ));
            None
        }
        [] => None,
        [rule] => {
            if rule.1 == "seconds_interval" {
                for key in ["start", "end"].into_iter().filter(|key| map.contains_key(*key)) {
                    problems.push(Problem::new(
                        ProblemKind::UnknownKey,
                        key,
                        format!("`seconds_interval>` has no `{key}`"),
                    ));
                }
            }
            if !matches!(rule.1, "seconds_interval" | "minutes_interval" | "cron") && map.contains_key("delay") {
                problems.push(Problem::new(
                    ProblemKind::UnknownKey,
                    "delay",
                    format!("`{}>` has no `delay`: its value says when it is due", rule.1),
                ));
            }
            Some(*rule)
        }
        [first, second, ..] => {
            let message = format!("a schedule has one rule, found `{}` and `{}`", first.0, second.0);
            problems.push(Problem::new(ProblemKind::Shape, second.0, message));
            None
        }
    }
}

fn unknown_rule(key: &str, written: &str) -> Problem {
    let problem = Problem::new(ProblemKind::UnknownKey, key, format!("no schedule has a rule `{written}>`"));
    match suggest::nearest(written, RULES.map(|(name, _)| name)) {
        Some(name) => problem.help(format!("did you mean `{name}>`?")),
        None => problem.help(format!("the rules are {}", RULES.map(|(name, _)| format!("`{name}>`")).join(", "))),
    }
}

fn read_rule(key: &str, name: &'static str, value: &Value, delay: SignedDuration) -> Result<Rule, Problem> {
    let form = RULES.iter().find(|(rule, _)| *rule == name).map_or("", |(_, form)| *form);
    let refuse = || {
        let form = if form.starts_with('a') { form.to_owned() } else { format!("`{form}`") };
        let problem = expected(key, &form, value);
        if text(value).is_some_and(|text| text.contains("${")) {
            problem.help("templates are not evaluated in a schedule")
        } else {
            problem
        }
    };
    let written = text(value).ok_or_else(refuse)?;
    let written = written.trim();
    match name {
        "hourly" => {
            let (minute, second) = written.split_once(':').ok_or_else(refuse)?;
            let seconds =
                i64::from(sixtieth(minute).ok_or_else(refuse)?) * 60 + i64::from(sixtieth(second).ok_or_else(refuse)?);
            let pattern = cron("0 * * * *").map_err(|_| refuse())?;
            Ok(Rule::Times { patterns: vec![pattern], delay: SignedDuration::from_secs(seconds) })
        }
        "daily" => match time_of_day(written) {
            Some(at) => Ok(Rule::Days { days: Days::All, at }),
            None if written
                .split(':')
                .next()
                .and_then(|hour| hour.parse::<u8>().ok())
                .is_some_and(|hour| hour > 23) =>
            {
                Err(refuse()
                    .help("a time of day ends at 23:59:59; for the data of the day before use `last_session_date`"))
            }
            None => Err(refuse()),
        },
        "weekly" => {
            let (day, at) = written.split_once(',').ok_or_else(refuse)?;
            let weekday = weekday(day.trim()).ok_or_else(|| {
                refuse().help("a day of the week is `Sun` to `Sat`, or 0 (Sunday) to 6; 7 is Sunday too")
            })?;
            Ok(Rule::Days { days: Days::Weekday(weekday), at: time_of_day(at.trim()).ok_or_else(refuse)? })
        }
        "monthly" => {
            let (day, at) = written.split_once(',').ok_or_else(refuse)?;
            let day: i8 = day
                .trim()
                .parse()
                .ok()
                .filter(|day| (1..=31).contains(day))
                .ok_or_else(|| refuse().help("a day of the month is 1 to 31; a month that lacks it is skipped"))?;
            Ok(Rule::Days { days: Days::DayOfMonth(day), at: time_of_day(at.trim()).ok_or_else(refuse)? })
        }
        "minutes_interval" => {
            let minutes: u8 = written.parse().ok().filter(|minutes| (1..=59).contains(minutes)).ok_or_else(|| {
                refuse().help("the steps begin anew every hour; for whole hours use `cron>: \"0 */2 * * *\"`")
            })?;
            let pattern = cron(&format!("*/{minutes} * * * *")).map_err(|_| refuse())?;
            Ok(Rule::Times { patterns: vec![pattern], delay })
        }
        "seconds_interval" => {
            let every: i64 =
                written.parse().ok().filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(refuse)?;
            Ok(Rule::Seconds { every, delay })
        }
        _ => {
            let mut patterns = Vec::new();
            for pattern in written.split('|') {
                let parsed = cron(pattern.trim()).map_err(|error| {
                    Problem::new(
                        ProblemKind::Value,
                        key,
                        format!("expected `{form}`, found `{written}`: {}", first_lower(&error)),
                    )
                })?;
                // A day such as 30 February: the search for it ends, but only after all the years there are.
                if parsed.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), false).is_err() {
                    return Err(Problem::new(ProblemKind::Never, key, format!("`{}` is never due", pattern.trim())));
                }
                patterns.push(parsed);
            }
            Ok(Rule::Times { patterns, delay })
        }
    }
}

/// Reads a pattern of five fields; a day must match both its day of the month and its day of the week, as in cron4j.
fn cron(pattern: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(true).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

fn first_lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

fn sixtieth(text: &str) -> Option<u8> {
    let two_digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| two_digits && *n < 60)
}

fn time_of_day(text: &str) -> Option<Time> {
    let parts: Vec<&str> = text.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return None };
    let hour = sixtieth(hour).filter(|hour| *hour < 24)?;
    let number = |n: u8| i8::try_from(n).ok();
    Time::new(number(hour)?, number(sixtieth(minute)?)?, number(sixtieth(second)?)?, 0).ok()
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("sunday", Weekday::Sunday),
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
];

fn weekday(text: &str) -> Option<Weekday> {
    if let Ok(number) = text.parse::<i8>() {
        return (0..=7).contains(&number).then(|| Weekday::from_sunday_zero_offset(number % 7).ok())?;
    }
    let text = text.to_ascii_lowercase();
    WEEKDAYS.iter().find(|(name, _)| *name == text || name.get(..3) == Some(&text)).map(|(_, weekday)| *weekday)
}

/// Reads a duration (`1h 30m`) or a number of seconds.
fn duration(value: &Value) -> Option<SignedDuration> {
    let text = text(value)?;
    let seconds = match text.trim().parse() {
        Ok(seconds) => seconds,
        Err(_) => duration::parse(&text).ok()?.as_secs(),
    };
    i64::try_from(seconds).ok().map(SignedDuration::from_secs)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn expected(key: &str, form: &str, found: &Value) -> Problem {
    Problem::new(ProblemKind::Value, key, format!("expected {form}, found {}", shown(found)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(value: &Value) -> String {
        let (schedule, problems) = Schedule::parse(value, &TimeZone::UTC);
        assert_eq!(schedule.is_some(), problems.is_empty());
        let lines = problems.iter().map(|problem| {
            let help = problem.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
            format!("{} {}: {}{help}", problem.kind.code(), problem.path, problem.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn reads_every_rule() {
        for value in [
            json!({"hourly>": "30:00"}),
            json!({"hourly>": "00:00", "start": "2024-01-01", "end": "2024-12-31"}),
            json!({"daily>": "07:00:00", "skip_on_overtime": true, "skip_delayed_by": "1h 30m"}),
            json!({"weekly>": "Tue,09:00:00"}),
            json!({"weekly>": "7,09:00:00"}),
            json!({"weekly>": "sunday, 09:00:00"}),
            json!({"monthly>": "31,09:00:00"}),
            json!({"minutes_interval>": 7}),
            json!({"minutes_interval>": "45", "delay": 30}),
            json!({"seconds_interval>": 90}),
            json!({"cron>": "42 4 1 * *"}),
            json!({"cron>": "0 5 * * MON|0 6 L * *", "delay": "10s"}),
            json!({"_type": "daily", "at": "07:00:00"}),
        ] {
            assert_eq!(problems(&value), "", "{value}");
        }
    }

    #[test]
    fn names_everything_that_is_wrong() {
        let table = [
            (json!(5), "E0501 : expected a mapping such as `daily>: 07:00:00`, found `5`"),
            (json!({}), "E0501 : expected a rule such as `daily>: 07:00:00`, found none"),
            (
                json!({"daily>": "25:00:00"}),
                "E0503 daily>: expected `HH:MM:SS`, found `25:00:00` | a time of day ends at 23:59:59; for the data of the day before use `last_session_date`",
            ),
            (json!({"hourly>": "10:11:12"}), "E0503 hourly>: expected `MM:SS`, found `10:11:12`"),
            (json!({"daily>": null}), "E0503 daily>: expected `HH:MM:SS`, found nothing"),
            (
                json!({"daily>": "${at}"}),
                "E0503 daily>: expected `HH:MM:SS`, found `${at}` | templates are not evaluated in a schedule",
            ),
            (
                json!({"weekly>": "Foo,01:00:00"}),
                "E0503 weekly>: expected `DAY,HH:MM:SS`, found `Foo,01:00:00` | a day of the week is `Sun` to `Sat`, or 0 (Sunday) to 6; 7 is Sunday too",
            ),
            (
                json!({"monthly>": "32,01:00:00"}),
                "E0503 monthly>: expected `DAY,HH:MM:SS`, found `32,01:00:00` | a day of the month is 1 to 31; a month that lacks it is skipped",
            ),
            (
                json!({"minutes_interval>": 60}),
                "E0503 minutes_interval>: expected a number of minutes from 1 to 59, found `60` | the steps begin anew every hour; for whole hours use `cron>: \"0 */2 * * *\"`",
            ),
            (
                json!({"daily>": "07:00:00", "hourly>": "00:00"}),
                "E0501 hourly>: a schedule has one rule, found `daily>` and `hourly>`",
            ),
            (json!({"dayly>": "07:00:00"}), "E0502 dayly>: no schedule has a rule `dayly>` | did you mean `daily>`?"),
            (json!({"daily": "07:00:00"}), "E0502 daily: no schedule has a key `daily` | write `daily>`"),
            (
                json!({"daily>": "07:00:00", "skip_on_overtme": true, "start": "2024-02-30", "skip_delayed_by": "soon"}),
                "E0502 skip_on_overtme: no schedule has a key `skip_on_overtme` | did you mean `skip_on_overtime`?\n\
                 E0503 start: expected a date `YYYY-MM-DD`, found `2024-02-30`\n\
                 E0503 skip_delayed_by: expected a duration such as `30m` or `1h 30m`, found `soon`",
            ),
            (
                json!({"daily>": "07:00:00", "start": "2024-03-01", "end": "2024-02-01"}),
                "E0504 end: the schedule ends on 2024-02-01, before it starts on 2024-03-01",
            ),
            (json!({"cron>": "0 0 30 2 *"}), "E0504 cron>: `0 0 30 2 *` is never due"),
            (
                json!({"daily>": "07:00:00", "delay": 5}),
                "E0502 delay: `daily>` has no `delay`: its value says when it is due",
            ),
        ];
        for (value, expected) in table {
            assert_eq!(problems(&value), expected, "{value}");
        }
        assert!(
            problems(&json!({"cron>": "bad cron"}))
                .starts_with("E0503 cron>: expected `MINUTE HOUR DAY MONTH WEEKDAY`, found `bad cron`: ")
        );
    }
}
