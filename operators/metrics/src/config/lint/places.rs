//! Tiers that would be kept in one place, as far as their addresses tell. What they do not tell is found out by the claim that stands
//! in the place itself.

use std::collections::BTreeMap;

use super::{ProblemKind, TierProblem};
use crate::config::{TierConfig, TiersConfig};
use crate::store::KeyTemplate;

impl TiersConfig {
    /// Looks at tiers that would be kept in one place.
    pub(super) fn places(&self, problems: &mut Vec<TierProblem>) {
        self.keys_of_redis(problems);
        let mut taken: BTreeMap<(String, String), &String> = BTreeMap::new();
        for (name, tier) in &self.tiers {
            let (key, place) = match tier {
                TierConfig::Embedded(_) | TierConfig::Redis(_) => continue,
                TierConfig::Dynamodb(tier) => {
                    let place = format!("{:?} {:?} {}", tier.endpoint, tier.region, tier.table);
                    ("table", ("dynamodb".to_owned(), place))
                }
                TierConfig::Parquet(tier) => ("table", ("parquet".to_owned(), tier.table.to_lowercase())),
            };
            if let Some(other) = taken.insert(place, name) {
                let message =
                    format!("`{name}` and `{other}` would be kept in the same place: each would overwrite the other's");
                problems.push(TierProblem::new(format!("tiers.{name}.{key}"), message).of(ProblemKind::TwoWriters));
            }
        }
    }

    /// Looks at tiers of one address of Redis whose keys may be the same; an address that is written otherwise is found out by the
    /// claim that stands in the database.
    fn keys_of_redis(&self, problems: &mut Vec<TierProblem>) {
        let mut seen: Vec<(&String, &str, KeyTemplate)> = Vec::new();
        for (name, tier) in &self.tiers {
            let TierConfig::Redis(tier) = tier else { continue };
            let keys = match KeyTemplate::parse(&tier.key, &tier.step.to_string()) {
                Ok(keys) => keys,
                Err(error) => {
                    problems.push(TierProblem::new(format!("tiers.{name}.key"), error.message));
                    continue;
                }
            };
            let other = seen.iter().find(|(_, uri, other)| *uri == tier.uri && keys.overlaps(other));
            if let Some((other, _, other_keys)) = other {
                let message = if keys == *other_keys {
                    format!("`{name}` and `{other}` would be kept in the same place: each would overwrite the other's")
                } else {
                    format!(
                        "a key `{keys}` of `{name}` may be a key `{other_keys}` of `{other}`: each would take the other's points for its own"
                    )
                };
                let help = format!("give them keys that begin or end differently: `key: \"{name}:{{step}}:{{name}}\"`");
                let problem = TierProblem::new(format!("tiers.{name}.key"), message).help(help);
                problems.push(problem.of(ProblemKind::TwoWriters));
            }
            seen.push((name, tier.uri.as_str(), keys));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(tiers: &serde_json::Value) -> Vec<String> {
        let config: TiersConfig = serde_json::from_value(serde_json::json!({"tiers": tiers})).unwrap();
        config.problems().into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn tiers_on_one_redis_have_keys_that_begin_or_end_differently() {
        let found = |hot: &str, warm: &str, uris: [&str; 2]| {
            let tier = |key: &str, uri: &str| serde_json::json!({"store": "redis", "uri": uri, "key": key, "step": "1m", "keep": "26h"});
            problems(&serde_json::json!({"hot": tier(hot, uris[0]), "warm": tier(warm, uris[1])}))
        };
        let same = ["${secret:redis}", "${secret:redis}"];
        assert_eq!(
            found("{step}:{name}", "1m:{name}", same),
            ["tiers.warm.key: `warm` and `hot` would be kept in the same place: each would overwrite the other's"]
        );
        assert_eq!(
            found("{name}", "w:{name}", same),
            [
                "tiers.warm.key: a key `w:{name}` of `warm` may be a key `{name}` of `hot`: each would take the other's points for its own"
            ]
        );
        for (hot, warm) in [("m:{name}", "m:w:{name}"), ("{name}", "{name}:w"), ("{name}:h", "{name}:w:h")] {
            assert_eq!(found(hot, warm, same).len(), 1, "{hot} {warm}");
        }
        for (hot, warm, uris) in [
            ("h:{name}", "w:{name}", same),
            ("m:{name}:h", "m:{name}:w", same),
            ("{name}", "{name}", ["redis://a/0", "redis://a/1"]),
        ] {
            assert_eq!(found(hot, warm, uris), Vec::<String>::new(), "{hot} {warm}");
        }
    }
}
