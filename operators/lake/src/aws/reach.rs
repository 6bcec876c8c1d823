//! Whether a service can be reached: how long one that does not answer is tried, and what is told meanwhile.
//!
//! An address at which nobody has ever answered in this process is most likely wrong, or nobody runs there: that is found out
//! soon. One that has answered before will most likely answer again, so it is waited for longer.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_glue::config::interceptors::FinalizerInterceptorContextMut;
use aws_sdk_glue::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_glue::error::{BoxError, ConnectorError};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use super::clients::{FIRST_PAUSE, LONGEST_PAUSE};
use super::error::{causes, root_cause};
use crate::notice::Listener;

/// How long a service is tried that has never answered in this process.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(10);

/// How long one is tried that has answered before.
const PATIENCE: Duration = Duration::from_mins(1);

/// The services for which the local endpoint answers.
const EMULATED: [&str; 4] = ["Athena", "Glue", "S3", "STS"];

/// How often it is told that a service is still tried.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// A service at an address. Shared by all who call it.
#[derive(Debug, Clone)]
pub struct Reach {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: &'static str,
    address: String,
    listener: Arc<dyn Listener>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    has_answered: bool,
    /// When it was told last that it cannot be reached; none while it can.
    told: Option<Instant>,
}

/// The tries of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tries {
    since: Instant,
    failed: u32,
}

impl Tries {
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), failed: 0 }
    }
}

impl Storable for Tries {
    type Storer = StoreReplace<Self>;
}

/// A service that nobody answers for, and is tried no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// The service: `Glue`.
    pub service: &'static str,
    /// The address that was tried.
    pub address: String,
    /// Why there was no connection.
    pub cause: String,
    /// How often it was tried.
    pub tries: u32,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, address, cause, tries } = self;
        write!(f, "{service} cannot be reached at {address} (tried {tries} times): {cause}")
    }
}

impl std::error::Error for Unreachable {}

impl Unreachable {
    /// Says what to do about it.
    pub(crate) fn help(&self) -> &'static str {
        if is_this_machine(&self.address) && !EMULATED.contains(&self.service) {
            "does the service run there? Look at `endpoint` of the tier, and at `AWS_ENDPOINT_URL` with and without the name of the service"
        } else if is_this_machine(&self.address) {
            "does `suiro emulate` run there? Look at `endpoint` of the profile and at `AWS_ENDPOINT_URL`"
        } else {
            "look at the network, at the region, and at the endpoint if one is set"
        }
    }
}

impl Reach {
    /// Makes the one of a service.
    pub(crate) fn of(service: &'static str, address: &str, listener: Arc<dyn Listener>) -> Self {
        let address = address.trim_end_matches('/').to_owned();
        Self { shared: Arc::new(Shared { service, address, listener, state: Mutex::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the service has answered, whatever it said.
    pub(crate) fn answered(&self) {
        let was_away = {
            let mut state = self.state();
            state.has_answered = true;
            state.told.take().is_some()
        };
        if was_away {
            let Shared { service, address, listener, .. } = &*self.shared;
            listener.hear(&format!("{service} answers again at {address}"));
        }
    }

    /// Notes a try that did not reach the service; `pause` is the longest until the next one.
    ///
    /// # Errors
    /// When it should not be tried again: the next try would come too late.
    pub(crate) fn failed(&self, tries: &mut Tries, pause: Duration, cause: &str) -> Result<(), Unreachable> {
        self.failed_at(Instant::now(), tries, pause, cause)
    }

    fn failed_at(&self, now: Instant, tries: &mut Tries, pause: Duration, cause: &str) -> Result<(), Unreachable> {
        let Shared { service, address, .. } = &*self.shared;
        tries.failed += 1;
        let patience = if self.state().has_answered { PATIENCE } else { PATIENCE_AT_FIRST };
        if now.saturating_duration_since(tries.since) + pause > patience {
            let cause = cause.trim_end_matches('.').to_owned();
            return Err(Unreachable { service, address: address.clone(), cause, tries: tries.failed });
        }
        self.tell_at(now, tries.failed + 1, patience, cause);
        Ok(())
    }

    /// Tells that the service cannot be reached and is tried again, for so long; not with every try.
    pub(crate) fn tell(&self, next: u32, patience: Duration, cause: &str) {
        self.tell_at(Instant::now(), next, patience, cause);
    }

    fn tell_at(&self, now: Instant, next: u32, patience: Duration, cause: &str) {
        let is_news = {
            let mut state = self.state();
            let is_news = state.told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY);
            if is_news {
                state.told = Some(now);
            }
            is_news
        };
        if is_news {
            let Shared { service, address, listener, .. } = &*self.shared;
            let seconds = patience.as_secs();
            listener.hear(&format!(
                "{service} cannot be reached at {address}: {cause}; it is tried again (try {next}) for up to {seconds} s"
            ));
        }
    }
}

/// Tells whether an address leads to this machine.
fn is_this_machine(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]")
}

/// Returns the longest pause after so many failed tries of a call.
pub(crate) fn longest_pause(failed: u32) -> Duration {
    let doubled = 2_u32.checked_pow(failed.saturating_sub(1)).and_then(|times| FIRST_PAUSE.checked_mul(times));
    doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// Tells whether no request has come to the service: there is no connection, or nobody answers on it. A connection that broke
/// is none of these.
fn is_unreached(error: &ConnectorError) -> bool {
    if error.is_timeout() {
        return true;
    }
    let is_broken = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    });
    error.is_io() && !is_broken
}

/// Every call of an SDK's client passes here after each try.
impl Intercept for Reach {
    fn name(&self) -> &'static str {
        "Reach"
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut tries = config.load::<Tries>().copied().unwrap_or_else(Tries::begin);
        let unreached = match context.output_or_error() {
            Some(Err(error)) => error.as_connector_error().filter(|error| is_unreached(error)),
            _ => None,
        };
        let Some(error) = unreached else {
            if context.response().is_some() {
                self.answered();
            }
            return Ok(());
        };
        let pause = longest_pause(tries.failed + 1);
        let decided = self.failed(&mut tries, pause, &root_cause(error));
        config.interceptor_state().store_put(tries);
        // An error of ours is no error that the SDK repeats a call for.
        decided.map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Listener for Heard {
        fn hear(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
    }

    fn reach() -> (Reach, Arc<Heard>) {
        let heard = Arc::new(Heard::default());
        (Reach::of("Glue", "http://127.0.0.1:5055/", Arc::clone(&heard) as Arc<dyn Listener>), heard)
    }

    const PAUSE: Duration = Duration::from_secs(1);

    /// Counts the tries of a call, one a second, until it is given up.
    fn tries_of_a_call(reach: &Reach, begun: Instant) -> Unreachable {
        let mut tries = Tries { since: begun, failed: 0 };
        let mut now = begun;
        loop {
            match reach.failed_at(now, &mut tries, PAUSE, "refused") {
                Ok(()) => now += PAUSE,
                Err(unreachable) => return unreachable,
            }
        }
    }

    #[test]
    fn one_that_never_answered_is_given_up_soon_and_one_that_did_is_waited_for() {
        let (reach, heard) = reach();
        let begun = Instant::now();
        let given_up = tries_of_a_call(&reach, begun);
        assert_eq!(given_up.to_string(), "Glue cannot be reached at http://127.0.0.1:5055 (tried 11 times): refused");
        assert!(given_up.help().starts_with("does `suiro emulate` run there?"));
        let said = |next, seconds| {
            format!(
                "Glue cannot be reached at http://127.0.0.1:5055: refused; it is tried again (try {next}) for up to {seconds} s"
            )
        };
        // The last try tells nothing: the error does.
        assert_eq!(std::mem::take(&mut *heard.0.lock().unwrap()), [said(2, 10), said(7, 10)]);
        // Each call has a patience of its own.
        assert_eq!(tries_of_a_call(&reach, begun + PAUSE * 60).tries, 11);
        heard.0.lock().unwrap().clear();
        reach.answered();
        reach.answered();
        assert_eq!(std::mem::take(&mut *heard.0.lock().unwrap()), ["Glue answers again at http://127.0.0.1:5055"]);
        assert_eq!(tries_of_a_call(&reach, begun).tries, 61);
        assert_eq!(heard.0.lock().unwrap()[0], said(2, 60));
    }

    #[test]
    fn pauses_are_those_of_the_sdk() {
        let millis: Vec<u128> = [1, 2, 3, 10, 11, 40].map(|failed| longest_pause(failed).as_millis()).into();
        assert_eq!(millis, [25, 50, 100, 12_800, 20_000, 20_000]);
    }

    #[test]
    fn addresses_of_this_machine_are_those_of_the_local_endpoint() {
        for (address, expected) in [
            ("http://127.0.0.1:5055", true),
            ("http://localhost:5055", true),
            ("http://[::1]:5055", true),
            ("https://glue.eu-west-1.amazonaws.com", false),
        ] {
            assert_eq!(is_this_machine(address), expected, "{address}");
        }
    }
}
