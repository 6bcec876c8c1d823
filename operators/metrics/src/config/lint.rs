//! What is wrong with tiers as a whole: an order that makes no sense, and points that would be gone before anybody read them.

mod places;

use lake::name::{Location, TableName};
use serde_json::Value;

use super::{ParquetTier, Period, TierConfig, TiersConfig};
use crate::window::PartitionUnit;

/// The seconds of a day: steps divide it.
const DAY_SECONDS: i64 = 86_400;

/// The longest name of a tier, in characters: it is part of names of files and keys of the ledger.
const NAME_CHARACTERS: usize = 64;

/// A place in `tiers.yml` and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierProblem {
    /// The path of the value: `tiers.warm.keep`.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// What comes of it.
    pub kind: ProblemKind,
}

/// What comes of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The value makes no sense.
    Wrong,
    /// Points would be lost.
    Loss,
    /// Two writers would overwrite each other.
    TwoWriters,
}

impl TierProblem {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: None, kind: ProblemKind::Wrong }
    }

    fn help(self, text: impl Into<String>) -> Self {
        Self { help: Some(text.into()), ..self }
    }

    fn of(self, kind: ProblemKind) -> Self {
        Self { kind, ..self }
    }
}

impl TiersConfig {
    /// Looks at texts that have a grammar of their own, before the config is read. `is_known` tells whether a text is what it
    /// will be.
    #[must_use]
    pub fn text_problems(config: &Value, is_known: &dyn Fn(&str) -> bool) -> Vec<TierProblem> {
        let mut problems = Vec::new();
        let mut look = |path: String, value: Option<&Value>| {
            let text = value.and_then(Value::as_str).filter(|text| is_known(text));
            if let Some(text) = text.filter(|text| Period::parse(text).is_none()) {
                let message = format!("expected {} for `{path}`, found the string `{text}`", Period::EXPECTED);
                problems.push(TierProblem::new(path, message));
            }
        };
        look("lateness".to_owned(), config.get("lateness"));
        for (name, tier) in config.get("tiers").and_then(Value::as_object).into_iter().flatten() {
            for key in ["step", "keep", "item"] {
                look(format!("tiers.{name}.{key}"), tier.get(key));
            }
            look(format!("tiers.{name}.flush.age"), tier.pointer("/flush/age"));
        }
        problems
    }

    /// Looks at everything that needs no server and no catalog, and returns all problems at once.
    #[must_use]
    pub fn problems(&self) -> Vec<TierProblem> {
        let mut problems = Vec::new();
        if self.tiers.is_empty() {
            let problem = TierProblem::new("tiers", "expected at least one tier in `tiers`, found none");
            problems.push(problem.help("the first one may be `hot: {store: embedded, step: 1m, keep: 26h}`"));
        }
        for (name, tier) in &self.tiers {
            name_problem(name, &mut problems);
            tier_problems(name, tier, &mut problems);
        }
        self.order(&mut problems);
        if problems.is_empty() {
            self.places(&mut problems);
            self.retention(&mut problems);
        }
        problems
    }

    /// Looks at the order of the tiers.
    fn order(&self, problems: &mut Vec<TierProblem>) {
        let mut above: Option<(&String, &TierConfig)> = None;
        for (name, tier) in &self.tiers {
            let path = format!("tiers.{name}");
            let step = tier.step();
            match above {
                None if tier.as_parquet().is_some() => problems.push(
                    TierProblem::new(
                        &path,
                        format!("expected a store as the first tier, found `{name}`, which is Parquet"),
                    )
                    .help("points are written to the first tier: `hot: {store: embedded, step: 1m, keep: 26h}`"),
                ),
                Some((upper, above)) if step < above.step() => problems.push(
                    TierProblem::new(
                        format!("{path}.step"),
                        format!(
                            "`{name}` has the step {step}, which is smaller than the {} of `{upper}` above it",
                            above.step()
                        ),
                    )
                    .help("tiers stand in the order in which points move: from the smallest step to the largest"),
                ),
                Some((upper, TierConfig::Parquet(_))) if tier.as_parquet().is_none() => problems.push(
                    TierProblem::new(
                        path,
                        format!("expected Parquet below `{upper}`, found a store that takes points"),
                    )
                    .help("points move from stores to Parquet and never back: put the stores first"),
                ),
                Some((upper, above @ TierConfig::Parquet(_))) if step == above.step() => problems.push(
                    TierProblem::new(
                        format!("{path}.step"),
                        format!("`{upper}` above it is Parquet of the step {step} already"),
                    )
                    .help("a roll-up has a larger step than the tier that it is made of"),
                ),
                Some((upper, above)) if step > above.step() && above.as_parquet().is_none() => problems.push(
                    TierProblem::new(
                        format!("{path}.step"),
                        format!("expected the step {} of `{upper}` above it, found {step}", above.step()),
                    )
                    .help(format!(
                        "a roll-up is made of Parquet: put a `parquet` tier of the step {} between",
                        above.step()
                    )),
                ),
                Some((upper, TierConfig::Parquet(above)))
                    if tier.as_parquet().is_some_and(|tier| tier.unit() < above.unit()) =>
                {
                    let message = format!(
                        "expected partitions at least as long as those of `{upper}`, found {}s",
                        tier.as_parquet().map_or("", |tier| tier.unit().noun())
                    );
                    problems.push(TierProblem::new(format!("{path}.partition"), message));
                }
                Some((upper, above))
                    if above.step() > Period::ZERO && step.as_seconds() % above.step().as_seconds() != 0 =>
                {
                    problems.push(TierProblem::new(
                        format!("{path}.step"),
                        format!("expected a multiple of the step {} of `{upper}`, found {step}", above.step()),
                    ));
                }
                None | Some(_) => {}
            }
            above = Some((name, tier));
        }
    }

    /// Looks for points that would be gone before the next tier has read them.
    fn retention(&self, problems: &mut Vec<TierProblem>) {
        for ((name, tier), (next_name, next)) in self.tiers.iter().zip(self.tiers.iter().skip(1)) {
            let (needed, why) = if let TierConfig::Parquet(parquet) = next {
                let unit = parquet.unit();
                let pass = if parquet.step == tier.step() { "dumped to" } else { "rolled up to" };
                let noun = unit.noun();
                let why =
                    format!("it is {pass} `{next_name}` by the whole {noun}, {} after the {noun}'s end", self.lateness);
                (longest(unit).plus(self.lateness), why)
            } else {
                let Some(needed) = self.needed_by_flush(tier, next_name) else { continue };
                needed
            };
            if tier.keep() < needed {
                let message =
                    format!("`{name}` keeps points for {}, and the oldest is needed for {needed}: {why}", tier.keep());
                problems.push(
                    TierProblem::new(format!("tiers.{name}.keep"), message)
                        .help(format!("keep them for {needed} at least"))
                        .of(ProblemKind::Loss),
                );
            }
        }
    }
}

impl TiersConfig {
    /// Returns how long a store needs its oldest point that writing moves on to the store `next_name`, and why.
    fn needed_by_flush(&self, tier: &TierConfig, next_name: &str) -> Option<(Period, String)> {
        let lateness = self.lateness;
        if let Some(age) = tier.flush()?.age {
            let why = format!("it is flushed to `{next_name}` with an age of {age}, and may come {lateness} late");
            return Some((age.plus(lateness), why));
        }
        let (archive, unit) = self.tiers.iter().find_map(|(name, tier)| Some((name, tier.as_parquet()?.unit())))?;
        let noun = unit.noun();
        let why = format!(
            "without an `age` of `flush` a series below its `count` is flushed to `{next_name}` when the {noun} is due for `{archive}`, \
             {lateness} after the {noun}'s end"
        );
        Some((longest(unit).plus(lateness), why))
    }
}

/// Looks at a tier's name: it becomes part of a file's name.
fn name_problem(name: &str, problems: &mut Vec<TierProblem>) {
    let is_good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= NAME_CHARACTERS
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_good {
        let message = format!(
            "expected the name of a tier (a letter, then letters, digits and `_`, all small, at most {NAME_CHARACTERS}), found `{}`",
            name.escape_debug()
        );
        problems.push(TierProblem::new(format!("tiers{}", key(name)), message));
    }
}

/// Writes the end of a path to a key: one with other characters than `a-zA-Z0-9_-+^>` is quoted.
fn key(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '+' | '^' | '>');
    if !name.is_empty() && name.chars().all(is_plain) { format!(".{name}") } else { format!("[{name:?}]") }
}

/// Looks at one tier.
fn tier_problems(name: &str, tier: &TierConfig, problems: &mut Vec<TierProblem>) {
    let path = |key: &str| format!("tiers.{name}.{key}");
    let (step, keep) = (tier.step(), tier.keep());
    if step == Period::ZERO || DAY_SECONDS % step.as_seconds() != 0 {
        let message = format!("expected a step that divides a day, such as `1m` or `1h`, found {step}");
        problems.push(TierProblem::new(path("step"), message));
    } else if keep < step {
        problems.push(TierProblem::new(path("keep"), format!("expected the step {step} at least, found {keep}")));
    }
    if let Some(flush) = tier.flush() {
        if flush.count.is_none() && flush.age.is_none() {
            problems.push(TierProblem::new(path("flush"), "expected `count`, `age` or both, found neither"));
        }
        if flush.count == Some(0) {
            problems.push(TierProblem::new(path("flush.count"), "expected a number from 1, found 0"));
        }
    }
    match tier {
        TierConfig::Embedded(_) => {}
        TierConfig::Redis(tier) => {
            let is_address = ["redis://", "rediss://", "unix:///"].iter().any(|scheme| tier.uri.starts_with(scheme));
            // What is secret is not known yet.
            if !is_address && !tier.uri.contains("${") {
                // The text may hold a password: it is not repeated.
                let message =
                    "expected an address such as `redis://host:6379/0` (`rediss://` with TLS), found another text";
                problems.push(TierProblem::new(path("uri"), message));
            }
            if !tier.key.contains("{name}") {
                let message =
                    format!("expected `{{name}}` in the key of a series, found `{}`", tier.key.escape_debug());
                problems.push(TierProblem::new(path("key"), message).help("without it all series would be one"));
            }
        }
        TierConfig::Dynamodb(tier) => {
            if tier.table.is_empty() {
                problems.push(TierProblem::new(path("table"), "expected the name of a table, found an empty text"));
            }
            if tier.item < tier.step || tier.item == Period::ZERO || DAY_SECONDS % tier.item.as_seconds().max(1) != 0 {
                let message = format!(
                    "expected a part of a day that divides it, from the step {} on, found {}",
                    tier.step, tier.item
                );
                problems.push(TierProblem::new(path("item"), message));
            }
            if let Some(capacity) = tier.capacity.filter(|capacity| !capacity.is_finite() || *capacity <= 0.0) {
                let message = format!("expected a number above 0, found {capacity}");
                problems.push(TierProblem::new(path("capacity"), message));
            }
        }
        TierConfig::Parquet(tier) => parquet_problems(name, tier, problems),
    }
}

fn parquet_problems(name: &str, tier: &ParquetTier, problems: &mut Vec<TierProblem>) {
    let path = |key: &str| format!("tiers.{name}.{key}");
    match tier.table.split_once('.') {
        Some((database, table)) if !table.contains('.') => {
            if let Err(error) = TableName::new(database, table) {
                problems.push(TierProblem::new(path("table"), error.message));
            }
        }
        _ => {
            let message = format!("expected `database.table`, found `{}`", tier.table.escape_debug());
            problems.push(TierProblem::new(path("table"), message));
        }
    }
    // What is evaluated later is not known yet.
    if let Some(wrong) =
        tier.path.as_deref().filter(|path| !path.contains("${")).and_then(|path| Location::parse(path).err())
    {
        problems.push(TierProblem::new(path("path"), wrong.message));
    }
    if tier.unit() == PartitionUnit::Hour && tier.step > Period::from_seconds(3_600) {
        let message = format!("expected partitions at least as long as the step {}, found hours", tier.step);
        problems.push(TierProblem::new(path("partition"), message));
    }
}

/// Returns the longest time that a partition can be of.
const fn longest(unit: PartitionUnit) -> Period {
    Period::from_seconds(match unit {
        PartitionUnit::Hour => 3_600,
        PartitionUnit::Day => DAY_SECONDS,
        PartitionUnit::Month => 31 * DAY_SECONDS,
        PartitionUnit::Year => 366 * DAY_SECONDS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(tiers: &serde_json::Value) -> Vec<String> {
        let config: TiersConfig = serde_json::from_value(serde_json::json!({"tiers": tiers})).unwrap();
        config.problems().into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn the_tiers_of_the_manual_are_right() {
        let tiers = serde_json::json!({
            "hot": {"store": "embedded", "step": "1m", "keep": "26h", "flush": {"count": 60, "age": "2h"}},
            "warm": {"store": "dynamodb", "table": "points", "step": "1m", "item": "1h", "keep": "60d"},
            "cold": {"store": "parquet", "table": "metrics.points_1m", "step": "1m", "keep": "460d"},
            "hourly": {"store": "parquet", "table": "metrics.points_1h", "step": "1h", "keep": "10y"},
            "daily": {"store": "parquet", "table": "metrics.points_1d", "step": "1d", "keep": "10y"},
        });
        assert_eq!(problems(&tiers), Vec::<String>::new());
    }

    #[test]
    fn points_are_kept_until_the_next_tier_has_read_them() {
        let found = problems(&serde_json::json!({
            "hot": {"store": "embedded", "step": "1m", "keep": "3h", "flush": {"age": "2h"}},
            "warm": {"store": "embedded", "step": "1m", "keep": "25h"},
            "cold": {"store": "parquet", "table": "m.a", "step": "1m", "keep": "31d"},
            "hourly": {"store": "parquet", "table": "m.b", "step": "1h", "keep": "10y"},
        }));
        let count_alone = problems(&serde_json::json!({
            "hot": {"store": "embedded", "step": "1m", "keep": "25h", "flush": {"count": 60}},
            "warm": {"store": "embedded", "step": "1m", "keep": "26h"},
            "cold": {"store": "parquet", "table": "m.a", "step": "1m", "keep": "460d"},
        }));
        assert_eq!(
            count_alone,
            [
                "tiers.hot.keep: `hot` keeps points for 1d 1h, and the oldest is needed for 1d 2h: without an `age` of `flush` a series \
              below its `count` is flushed to `warm` when the day is due for `cold`, 2h after the day's end"
            ]
        );
        assert_eq!(
            found,
            [
                "tiers.hot.keep: `hot` keeps points for 3h, and the oldest is needed for 4h: it is flushed to `warm` with an age \
                 of 2h, and may come 2h late",
                "tiers.warm.keep: `warm` keeps points for 1d 1h, and the oldest is needed for 1d 2h: it is dumped to `cold` by \
                 the whole day, 2h after the day's end",
                "tiers.cold.keep: `cold` keeps points for 31d, and the oldest is needed for 31d 2h: it is rolled up to `hourly` \
                 by the whole month, 2h after the month's end",
            ]
        );
    }

    #[test]
    fn nothing_is_no_limit() {
        let dynamodb = |key: &str, value: serde_json::Value| {
            let mut tier = serde_json::json!({"store": "dynamodb", "table": "t", "step": "1m", "keep": "26h"});
            tier[key] = value;
            serde_json::json!({"a": tier})
        };
        let embedded = |key: &str, value: serde_json::Value| {
            let mut tier = serde_json::json!({"store": "embedded", "step": "1m", "keep": "26h"});
            tier[key] = value;
            serde_json::json!({"a": tier})
        };
        for (tiers, wrong) in [
            (
                embedded("flush", serde_json::json!({"count": 0})),
                "tiers.a.flush.count: expected a number from 1, found 0",
            ),
            (embedded("flush", serde_json::json!({})), "tiers.a.flush: expected `count`, `age` or both, found neither"),
            (embedded("keep", "0s".into()), "tiers.a.keep: expected the step 1m at least, found 0s"),
            (
                embedded("step", "0s".into()),
                "tiers.a.step: expected a step that divides a day, such as `1m` or `1h`, found 0s",
            ),
            (dynamodb("capacity", 0.into()), "tiers.a.capacity: expected a number above 0, found 0"),
            (dynamodb("capacity", (-5).into()), "tiers.a.capacity: expected a number above 0, found -5"),
            (
                dynamodb("item", "0h".into()),
                "tiers.a.item: expected a part of a day that divides it, from the step 1m on, found 0s",
            ),
        ] {
            assert_eq!(problems(&tiers), [wrong]);
        }
    }

    #[test]
    fn an_order_that_makes_no_sense_is_refused() {
        let store = |step: &str| serde_json::json!({"store": "embedded", "step": step, "keep": "99d"});
        let parquet = |table: &str, step: &str| serde_json::json!({"store": "parquet", "table": table, "step": step, "keep": "10y"});
        for (tiers, wrong) in [
            (
                serde_json::json!({"a": store("1m"), "b": parquet("m.a", "1m"), "c": store("1m")}),
                "tiers.c: expected Parquet below `b`, found a store that takes points",
            ),
            (
                serde_json::json!({"a": store("1m"), "b": store("5m")}),
                "tiers.b.step: expected the step 1m of `a` above it, found 5m",
            ),
            (
                serde_json::json!({"a": store("2m"), "b": parquet("m.a", "2m"), "c": parquet("m.b", "3m")}),
                "tiers.c.step: expected a multiple of the step 2m of `b`, found 3m",
            ),
            (
                serde_json::json!({"a": store("1h"), "b": parquet("m.a", "1h"), "c": parquet("m.b", "5m")}),
                "tiers.c.step: `c` has the step 5m, which is smaller than the 1h of `b` above it",
            ),
            (
                serde_json::json!({"a": store("1m"), "b": parquet("m.a", "1m"), "c": parquet("m.b", "1m")}),
                "tiers.c.step: `b` above it is Parquet of the step 1m already",
            ),
            (
                serde_json::json!({"a": store("1m"), "b": parquet("m.a", "1m"), "c": parquet("M.A", "1h")}),
                "tiers.c.table: `c` and `b` would be kept in the same place: each would overwrite the other's",
            ),
            (
                serde_json::json!({"a": store("1m"), "b": parquet("a", "1m")}),
                "tiers.b.table: expected `database.table`, found `a`",
            ),
            (
                serde_json::json!({"a": store("7m")}),
                "tiers.a.step: expected a step that divides a day, such as `1m` or `1h`, found 7m",
            ),
            (
                serde_json::json!({"a": {"store": "redis", "uri": "host", "key": "x", "step": "1m", "keep": "26h"}}),
                "tiers.a.uri: expected an address such as `redis://host:6379/0` (`rediss://` with TLS), found another text",
            ),
        ] {
            assert_eq!(problems(&tiers).first().map(String::as_str), Some(wrong));
        }
    }
}
