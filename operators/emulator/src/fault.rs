//! What goes wrong on purpose: rules that say which calls fail, and how.
//!
//! The rules are plain data; the command line reads them from YAML. With the same seed and the same order of calls the same
//! calls fail.

use std::sync::Mutex;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use crate::server::Service;

/// The rules of an endpoint; the first one that fires decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// What chance starts from.
    #[serde(default)]
    pub seed: u64,
    /// The rules.
    #[serde(default)]
    pub rules: Vec<FaultRule>,
}

/// A rule: which calls, when, and what happens to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only calls of this service.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only calls of this operation, such as `PutObject` or `StartQueryExecution`.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only these of the calls that match, counted from 1.
    #[serde(default)]
    pub nth: Vec<u64>,
    /// Only with this probability, from 0 to 1.
    #[serde(default)]
    pub probability: Option<f64>,
    /// At most so often.
    #[serde(default)]
    pub times: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It is refused for now: `ThrottlingException`, or S3's `SlowDown`.
    Throttle,
    /// It is refused for good, as one that no policy allows: `AccessDeniedException`, or S3's `AccessDenied`.
    Deny,
    /// It is answered with an internal error (500); nothing is done.
    InternalError,
    /// It is answered with 503; nothing is done.
    Unavailable,
    /// The connection breaks before anything is done.
    Refuse,
    /// It is done, and the connection breaks before the answer.
    LostReply,
    /// It is done twice; the second answer is given.
    Twice,
    /// It is done, and its answer breaks off in the middle.
    Truncate,
    /// It is done after this time.
    Delay(Span),
    /// The connection breaks at once, and it is done after this time: a late write of somebody who was given up.
    Late(Span),
    /// The query that it starts fails in the middle of its work, and leaves what it wrote.
    FailQuery,
    /// The query that it starts is cancelled in the middle of its work, and leaves what it wrote.
    CancelQuery,
}

/// A length of time: `200ms`, `30s`, `1m 30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Span(
    #[serde(serialize_with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required::serialize")]
    #[schemars(with = "String")]
    pub Duration,
);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = serde_json::Value::deserialize(deserializer)?;
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        SpanParser::new().parse_unsigned_duration(&text).map(Self).map_err(|_| {
            D::Error::custom(format!(
                "expected a length of time such as `200ms` or `1m 30s`, found `{}`",
                text.escape_debug()
            ))
        })
    }
}

impl Effect {
    /// Tells whether it fires where a query ends instead of where a call comes in.
    fn is_of_queries(self) -> bool {
        matches!(self, Self::FailQuery | Self::CancelQuery)
    }
}

/// What a rule of the plan holds that the types do not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultProblem {
    /// The rule, counted from 0.
    pub rule: usize,
    /// The key in it.
    pub key: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

impl FaultPlan {
    /// Returns what is wrong with the rules beyond their types.
    pub fn problems(&self) -> Vec<FaultProblem> {
        let mut problems = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let mut problem = |key, message: String| problems.push(FaultProblem { rule: index, key, message });
            if let Some(probability) = rule.probability.filter(|probability| !(0.0..=1.0).contains(probability)) {
                problem("probability", format!("expected a probability from 0 to 1, found {probability}"));
            }
            if rule.nth.contains(&0) {
                problem("nth", "expected numbers from 1: calls are counted from 1, found 0".to_owned());
            }
            let services = rule.service.map_or_else(|| Service::SERVED.to_vec(), |service| vec![service]);
            let unknown = rule.operation.as_deref().and_then(|name| Service::unknown_operation(&services, name));
            if let Some(message) = unknown.filter(|_| !rule.effect.is_of_queries()) {
                problem("operation", message);
            }
            if rule.effect.is_of_queries() {
                if rule.service.is_some_and(|service| service != Service::Athena) {
                    problem("service", "expected `athena`: only Athena starts queries".to_owned());
                }
                if rule.operation.as_deref().is_some_and(|operation| operation != "StartQueryExecution") {
                    problem("operation", "expected `StartQueryExecution`: it is what starts queries".to_owned());
                }
            }
        }
        problems
    }
}

/// How often a rule was asked and how often it fired.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    matched: u64,
    fired: u64,
}

/// The rules at work.
#[derive(Debug)]
pub(crate) struct Faults {
    plan: FaultPlan,
    counts: Mutex<Vec<Count>>,
}

impl Faults {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        let counts = vec![Count::default(); plan.rules.len()];
        Self { plan, counts: Mutex::new(counts) }
    }

    /// Returns what happens to a call.
    pub(crate) fn decide(&self, service: Service, operation: &str) -> Option<Effect> {
        self.first(service, operation, |effect| !effect.is_of_queries())
    }

    /// Returns what happens to a query that is being started.
    pub(crate) fn decide_query(&self) -> Option<Effect> {
        self.first(Service::Athena, "StartQueryExecution", Effect::is_of_queries)
    }

    fn first(&self, service: Service, operation: &str, of_kind: impl Fn(Effect) -> bool) -> Option<Effect> {
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut decided = None;
        // Every rule counts the calls that match it, also those that a rule before it decides.
        for (index, (rule, count)) in self.plan.rules.iter().zip(counts.iter_mut()).enumerate() {
            let matches = of_kind(rule.effect)
                && rule.service.is_none_or(|wanted| wanted == service)
                && rule.operation.as_ref().is_none_or(|wanted| wanted == operation);
            if !matches {
                continue;
            }
            count.matched += 1;
            let fires = decided.is_none()
                && (rule.nth.is_empty() || rule.nth.contains(&count.matched))
                && rule.probability.is_none_or(|probability| self.chance(index, count.matched) < probability)
                && rule.times.is_none_or(|times| count.fired < times);
            if fires {
                count.fired += 1;
                decided = Some(rule.effect);
            }
        }
        decided
    }

    /// Returns a number from 0 to 1 that depends on the seed, the rule and the call alone (`SplitMix64`).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    fn chance(&self, rule: usize, call: u64) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let rule = u64::try_from(rule).unwrap_or(u64::MAX);
        let mut mixed = self.plan.seed ^ rule.wrapping_mul(0xd1b5_4a32_d192_ed03);
        mixed = mixed.wrapping_add(call.wrapping_mul(STEP));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: serde_json::Value) -> Faults {
        Faults::new(serde_json::from_value(plan).unwrap())
    }

    fn effects(faults: &Faults, calls: &[(Service, &str)]) -> Vec<Option<Effect>> {
        calls.iter().map(|(service, operation)| faults.decide(*service, operation)).collect()
    }

    #[test]
    fn rules_fire_where_they_say() {
        let faults = faults(serde_json::json!({"rules": [
            {"service": "s3", "operation": "PutObject", "nth": [2], "effect": "lost_reply"},
            {"service": "glue", "times": 1, "effect": {"late": "30s"}},
        ]}));
        let put = (Service::S3, "PutObject");
        assert_eq!(
            effects(&faults, &[put, (Service::S3, "GetObject"), put, put]),
            [None, None, Some(Effect::LostReply), None]
        );
        let late = Effect::Late(Span(Duration::from_secs(30)));
        assert_eq!(effects(&faults, &[(Service::Glue, "GetTable"), (Service::Glue, "GetTable")]), [Some(late), None]);
    }

    #[test]
    fn queries_have_their_own_rules() {
        let faults = faults(serde_json::json!({"rules": [{"nth": [2], "effect": "fail_query"}]}));
        assert_eq!(faults.decide(Service::Athena, "StartQueryExecution"), None);
        assert_eq!([faults.decide_query(), faults.decide_query()], [None, Some(Effect::FailQuery)]);
    }

    #[test]
    fn chance_is_the_same_with_the_same_seed() {
        let run = |seed: u64| {
            let plan = serde_json::json!({"seed": seed, "rules": [{"probability": 0.25, "effect": "throttle"}]});
            let faults = faults(plan);
            (0..4000).map(|_| faults.decide(Service::S3, "GetObject").is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let fired = run(7).into_iter().filter(|fired| *fired).count();
        assert!((850..1150).contains(&fired), "a quarter of 4,000 calls, not {fired}");
    }

    #[test]
    fn what_the_types_do_not_refuse_is_found() {
        let plan: FaultPlan = serde_json::from_value(serde_json::json!({"rules": [
            {"probability": 1.5, "nth": [0], "effect": "throttle"},
            {"service": "s3", "effect": "fail_query"},
            {"service": "glue", "operation": "PutObject", "effect": "throttle"},
            {"operation": "Nope", "effect": {"delay": "1m 30s"}},
        ]}))
        .unwrap();
        let problems: Vec<(usize, &str)> = plan.problems().iter().map(|problem| (problem.rule, problem.key)).collect();
        assert_eq!(problems, [(0, "probability"), (0, "nth"), (1, "service"), (2, "operation"), (3, "operation")]);
        for (span, found) in [(serde_json::json!(3), "3"), (serde_json::json!("soon"), "soon")] {
            let error = serde_json::from_value::<Span>(span).unwrap_err();
            let expected = format!("expected a length of time such as `200ms` or `1m 30s`, found `{found}`");
            assert_eq!(error.to_string(), expected);
        }
    }
}
