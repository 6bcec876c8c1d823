//! How often calls may be made: quotas of calls per second, as AWS has them for an account and region. What is beyond is
//! refused in the words of the service; clients send it again after a pause.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use lake::aws::CallRate;
use tokio::time::Instant;

use crate::server::Service;

/// The quotas that Athena documents for an account and region
/// (<https://docs.aws.amazon.com/athena/latest/ug/service-limits.html>, "Per account API call quotas"): calls per second, and
/// at once after a rest.
const DOCUMENTED: [(&[&str], CallRate); 4] = [
    (&["StartQueryExecution", "StopQueryExecution"], CallRate { per_second: 20, burst: 80 }),
    (&["GetQueryExecution", "GetQueryResults"], CallRate { per_second: 100, burst: 200 }),
    (&["BatchGetQueryExecution"], CallRate { per_second: 20, burst: 40 }),
    (&["BatchGetNamedQuery", "ListNamedQueries", "ListQueryExecutions"], CallRate { per_second: 5, burst: 10 }),
];

/// Quotas of calls, each of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallQuotas(Vec<(Service, String, CallRate)>);

impl CallQuotas {
    /// Puts quotas together; the last one of an operation holds.
    pub fn of(quotas: impl IntoIterator<Item = Self>) -> Self {
        Self(quotas.into_iter().flat_map(|quotas| quotas.0).collect())
    }
}

impl FromStr for CallQuotas {
    type Err = String;

    /// Reads `aws`, for the quotas that Athena documents, or `SERVICE.OPERATION=RATE` or `…=RATE/BURST`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "aws" {
            let all = DOCUMENTED.iter().flat_map(|(operations, rate)| {
                operations.iter().map(|operation| (Service::Athena, (*operation).to_owned(), *rate))
            });
            return Ok(Self(all.collect()));
        }
        let quota = || {
            let (call, rate) = text.split_once('=')?;
            let (service, operation) = call.split_once('.')?;
            let service = Service::SERVED.into_iter().find(|one| one.signing_name() == service)?;
            let (per_second, burst) = rate.split_once('/').unwrap_or((rate, rate));
            let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
            let rate = CallRate { per_second: number(per_second)?, burst: number(burst)? };
            (!operation.is_empty()).then(|| Self(vec![(service, operation.to_owned(), rate)]))
        };
        let quotas = quota().ok_or_else(|| {
            "expected `aws`, or a quota such as `athena.StartQueryExecution=20/80`: calls per second, and at once after a rest"
                .to_owned()
        })?;
        match quotas.0.iter().find_map(|(service, name, _)| Service::unknown_operation(&[*service], name)) {
            Some(unknown) => Err(unknown),
            None => Ok(quotas),
        }
    }
}

/// The quotas at work.
#[derive(Debug)]
pub(crate) struct Rates {
    buckets: HashMap<(Service, String), (CallRate, Mutex<Bucket>)>,
}

/// The tokens of a quota: a call takes one.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    pub(crate) fn new(quotas: CallQuotas) -> Self {
        let at = Instant::now();
        let bucket = |rate: CallRate| (rate, Mutex::new(Bucket { tokens: f64::from(rate.burst), at }));
        let buckets =
            quotas.0.into_iter().map(|(service, operation, rate)| ((service, operation), bucket(rate))).collect();
        Self { buckets }
    }

    /// Tells whether a call is within its quota, which it uses up.
    pub(crate) fn admits(&self, service: Service, operation: &str) -> bool {
        self.buckets.is_empty() || self.admits_at(service, operation, Instant::now())
    }

    fn admits_at(&self, service: Service, operation: &str, now: Instant) -> bool {
        let Some((rate, bucket)) = self.buckets.get(&(service, operation.to_owned())) else { return true };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * f64::from(rate.per_second)).min(f64::from(rate.burst));
        bucket.at = now;
        let is_within = bucket.tokens >= 1.0;
        if is_within {
            bucket.tokens -= 1.0;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quotas(texts: &[&str]) -> CallQuotas {
        CallQuotas::of(texts.iter().map(|text| text.parse().unwrap()))
    }

    #[test]
    fn a_rest_fills_the_burst_and_more_waits_for_its_second() {
        let rates = Rates::new(quotas(&["aws", "glue.GetTable=2"]));
        // Whatever has passed by now, the bursts are full.
        let start = Instant::now() + Duration::from_mins(1);
        let within = |operation: &str, calls: usize, later: Duration| {
            (0..calls).filter(|_| rates.admits_at(Service::Athena, operation, start + later)).count()
        };
        let (at_once, soon, rested) = (Duration::ZERO, Duration::from_millis(500), Duration::from_mins(1));
        assert_eq!(within("StartQueryExecution", 100, at_once), 80);
        assert_eq!(within("StopQueryExecution", 100, at_once), 80, "each operation has its own");
        assert_eq!(within("GetWorkGroup", 1000, at_once), 1000, "no quota of it is documented");
        assert_eq!(within("StartQueryExecution", 100, soon), 10);
        assert_eq!(within("StartQueryExecution", 100, rested), 80);
        assert_eq!((0..5).filter(|_| rates.admits_at(Service::Glue, "GetTable", start)).count(), 2);
        assert!(rates.admits(Service::Athena, "GetTable"));
    }

    #[test]
    fn a_quota_is_read_and_the_last_one_holds() {
        let rates = Rates::new(quotas(&["aws", "athena.StartQueryExecution=1/3"]));
        let now = Instant::now();
        assert_eq!((0..100).filter(|_| rates.admits_at(Service::Athena, "StartQueryExecution", now)).count(), 3);
        for wrong in ["", "AWS", "StartQueryExecution=1", "athena.=1", "athena.X=0", "athena.X=1/x", "ec2.X=1"] {
            assert!(wrong.parse::<CallQuotas>().unwrap_err().starts_with("expected `aws`, or a quota"), "{wrong}");
        }
        assert_eq!(
            "athena.Nope=1".parse::<CallQuotas>().unwrap_err(),
            "expected an operation of athena that is served, found `Nope`"
        );
    }
}
