//! From which tier to which: what makes sense for each operator.

use engine::diagnostic::suggest;
use engine::operator::{ParamProblem, TaskError};
use engine::params::ParamPath;
use metrics::config::{TierConfig, TiersConfig};

/// What is done with tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Points are put into a store.
    Write,
    /// Points move from a store to the next one.
    Flush,
    /// Windows of a store become Parquet.
    Dump,
    /// Windows of Parquet become buckets of a larger step.
    Rollup,
    /// Two tiers are compared.
    Verify,
    /// Points of a store are deleted, or windows of Parquet.
    Expire,
    /// Tiers are read; none is named.
    Look,
}

/// The tiers that a task names: which parameter, and which tier.
pub(super) type Named<'a> = [(ParamPath, &'a str)];

impl Work {
    /// Says what is wrong with the tiers that a task names; `file` is what messages call the file of the tiers.
    pub(super) fn problems(self, config: &TiersConfig, file: &str, named: &Named<'_>) -> Vec<ParamProblem> {
        let unknown: Vec<ParamProblem> =
            named.iter().filter_map(|(path, tier)| unknown(config, file, path, tier)).collect();
        if !unknown.is_empty() {
            return unknown;
        }
        let problem = match (self, named) {
            (Self::Write, [(path, tier)]) => store(config, path, tier),
            (Self::Flush | Self::Dump | Self::Rollup | Self::Verify, [(from_path, from), (to_path, to)]) => {
                self.pair(config, (from_path, from), (to_path, to))
            }
            (Self::Verify, _) => {
                let message = format!("expected two tiers, the finer one first, found {}", named.len());
                Some(ParamProblem::new("_command".into(), message).help("write it as `metrics.verify>: [warm, cold]`"))
            }
            _ => None,
        };
        problem.into_iter().collect()
    }

    /// Says that a store stands between the two tiers of a dump or of its verification: what it holds of a window would be passed over.
    pub(super) fn passes_over(self, config: &TiersConfig, named: &Named<'_>) -> Option<ParamProblem> {
        let [(path, from), (_, to)] = named else { return None };
        let stores = config.tiers.iter().filter(|(_, tier)| tier.as_parquet().is_none());
        let last =
            stores.map(|(name, _)| name).next_back().filter(|last| *last != from && !is_parquet(config, from))?;
        let help = match self {
            Self::Dump => {
                format!("points move down one store after the other: flush them into `{last}`, and dump that")
            }
            Self::Verify => format!("compare it with the store that it is dumped from: `[{last}, {to}]`"),
            _ => return None,
        };
        let message =
            format!("`{last}` stands between `{from}` and `{to}`: what it holds of a window would be passed over");
        Some(ParamProblem::new(path.clone(), message).help(help))
    }

    /// Says both of a running task.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(self, config: &TiersConfig, file: &str, named: &Named<'_>) -> Result<(), TaskError> {
        let mut problems = self.problems(config, file, named);
        if problems.is_empty() {
            problems.extend(self.passes_over(config, named));
        }
        if problems.is_empty() { Ok(()) } else { Err(TaskError::wrong_params(problems)) }
    }

    fn pair(self, config: &TiersConfig, from: (&ParamPath, &str), to: (&ParamPath, &str)) -> Option<ParamProblem> {
        let ((from_path, from), (to_path, to)) = (from, to);
        let (upper, lower) = (config.tiers.get_index_of(from)?, config.tiers.get_index_of(to)?);
        if upper >= lower {
            let message = format!("`{to}` does not stand below `{from}`: points move down");
            return Some(ParamProblem::new(to_path.clone(), message));
        }
        let (from_parquet, to_parquet) = (is_parquet(config, from), is_parquet(config, to));
        let same_step = step(config, from) == step(config, to);
        let wrong = |path: &ParamPath, message: String, help: &str| {
            Some(ParamProblem::new(path.clone(), message).help(help.to_owned()))
        };
        match self {
            Self::Flush if from_parquet || to_parquet => {
                let (path, tier) = if from_parquet { (from_path, from) } else { (to_path, to) };
                wrong(
                    path,
                    format!("expected a store, found `{tier}`, which is Parquet"),
                    "`metrics.dump>` writes Parquet",
                )
            }
            Self::Dump if from_parquet => wrong(
                from_path,
                format!("expected a store to dump, found `{from}`, which is Parquet"),
                "`metrics.rollup>` makes larger steps of Parquet",
            ),
            Self::Dump if !to_parquet => wrong(
                to_path,
                format!("expected a `parquet` tier, found the store `{to}`"),
                "`metrics.flush>` moves points between stores",
            ),
            Self::Dump if !same_step => wrong(
                to_path,
                format!("expected the `parquet` tier of the step of `{from}`, found `{to}`, which is a roll-up"),
                "dump first, then `metrics.rollup>`",
            ),
            Self::Rollup if !from_parquet => wrong(
                from_path,
                format!("expected a `parquet` tier, found the store `{from}`"),
                "dump first: roll-ups are made of Parquet",
            ),
            Self::Verify if !to_parquet => wrong(
                to_path,
                format!("expected a `parquet` tier, found the store `{to}`"),
                "windows are verified where they are archived",
            ),
            Self::Verify if !from_parquet && !same_step => {
                let archive = config.tiers.iter().find(|(_, tier)| tier.as_parquet().is_some());
                let made_of = config.tiers.get_index(lower.saturating_sub(1)).map_or("", |(name, _)| name);
                wrong(
                    to_path,
                    format!("expected the `parquet` tier of the step of `{from}`, found `{to}`, which is a roll-up"),
                    &format!(
                        "each is compared with what it is made of: `[{from}, {}]`, and `[{made_of}, {to}]`",
                        archive.map_or("", |(name, _)| name)
                    ),
                )
            }
            Self::Rollup | Self::Verify if from_parquet && lower != upper + 1 => {
                let next = config.tiers.get_index(upper + 1).map_or("", |(name, _)| name);
                let made_of = config.tiers.get_index(lower - 1).map_or("", |(name, _)| name);
                let help = match self {
                    Self::Rollup => "roll up one tier after the other".to_owned(),
                    _ => format!("a roll-up is compared with what it is made of: `[{made_of}, {to}]`"),
                };
                wrong(to_path, format!("`{next}` stands between `{from}` and `{to}`"), &help)
            }
            _ => None,
        }
    }
}

fn store(config: &TiersConfig, path: &ParamPath, tier: &str) -> Option<ParamProblem> {
    is_parquet(config, tier).then(|| {
        let message = format!("expected a store that takes points, found `{tier}`, which is Parquet");
        ParamProblem::new(path.clone(), message).help(match names(config, false).as_str() {
            "" => "put a store above it: `hot: {store: embedded, step: 1m, keep: 26h}`".to_owned(),
            names => format!("the stores are {names}"),
        })
    })
}

fn unknown(config: &TiersConfig, file: &str, path: &ParamPath, tier: &str) -> Option<ParamProblem> {
    if config.tiers.contains_key(tier) {
        return None;
    }
    let problem = ParamProblem::new(path.clone(), format!("there is no tier `{}` in `{file}`", tier.escape_debug()));
    let known: Vec<&str> = config.tiers.keys().map(String::as_str).collect();
    Some(match suggest::did_you_mean(tier, known.iter().copied()) {
        Some(help) => problem.help(help),
        None => problem.help(format!("it has `{}`", known.join("`, `"))),
    })
}

fn is_parquet(config: &TiersConfig, tier: &str) -> bool {
    config.tiers.get(tier).is_some_and(|tier| tier.as_parquet().is_some())
}

fn step(config: &TiersConfig, tier: &str) -> Option<metrics::config::Period> {
    config.tiers.get(tier).map(TierConfig::step)
}

/// Lists the tiers that are Parquet, or that are not.
fn names(config: &TiersConfig, parquet: bool) -> String {
    let wanted = config.tiers.iter().filter(|(_, tier)| tier.as_parquet().is_some() == parquet);
    wanted.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
