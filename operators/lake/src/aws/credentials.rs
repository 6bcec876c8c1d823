//! Whose name requests carry: the SDK's default chain, then a chain of roles, read once and kept until shortly before its end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use super::settings::AssumedRole;
use crate::clock::Clock;

/// How long before their end credentials are read anew: a request that was signed before must still arrive. The SDKs of
/// Java and Python begin at five minutes as well
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
const RENEWED_BEFORE_END: Duration = Duration::from_mins(5);

/// How credentials that are not as good as another five minutes are kept: a service that gives out short ones is not asked
/// with every request.
const KEPT_AT_LEAST_PART: u32 = 2;

/// How the session of an assumed role is called when nobody says.
const SESSION_NAME: &str = "suiro";

/// Keeps credentials of another provider.
#[derive(Debug, Clone)]
pub(crate) struct KeptCredentials {
    inner: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Option<Kept>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    credentials: Credentials,
    renew_at: Option<SystemTime>,
}

impl KeptCredentials {
    pub(crate) fn new(inner: SharedCredentialsProvider, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, kept: Arc::default() }
    }

    /// Returns credentials that are good for some minutes. Callers that come together wait for one read.
    pub(crate) async fn get(&self) -> provider::Result {
        let mut kept = self.kept.lock().await;
        let now = SystemTime::from(self.clock.now());
        if let Some(found) = kept.as_ref().filter(|kept| kept.renew_at.is_none_or(|at| now < at)) {
            return Ok(found.credentials.clone());
        }
        match self.inner.provide_credentials().await {
            Ok(credentials) => {
                let renew_at = credentials.expiry().map(|end| renew_at(now, end));
                *kept = Some(Kept { credentials: credentials.clone(), renew_at });
                Ok(credentials)
            }
            // What is left of the old ones is better than nothing: the service says when they are over.
            Err(error) => match kept.as_ref().filter(|kept| kept.credentials.expiry().is_some_and(|end| now < end)) {
                Some(found) => {
                    tracing::warn!(%error, "credentials could not be renewed, the old ones are used as long as they last");
                    Ok(found.credentials.clone())
                }
                None => Err(error),
            },
        }
    }
}

/// Says when credentials that end at `end` are read anew.
fn renew_at(now: SystemTime, end: SystemTime) -> SystemTime {
    let left = end.duration_since(now).unwrap_or_default();
    let early = RENEWED_BEFORE_END.min(left / KEPT_AT_LEAST_PART);
    end.checked_sub(early).unwrap_or(end)
}

impl ProvideCredentials for KeptCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

/// Assumes a chain of roles, each with the credentials of the one before.
pub(crate) async fn assume(
    config: &SdkConfig,
    base: SharedCredentialsProvider,
    roles: &[AssumedRole],
    clock: &Arc<dyn Clock>,
) -> SharedCredentialsProvider {
    let mut credentials = base;
    for role in roles {
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(config)
            .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME));
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let kept = KeptCredentials::new(credentials, Arc::clone(clock));
        credentials = SharedCredentialsProvider::new(builder.build_from_provider(kept).await);
    }
    credentials
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::error::CredentialsError;
    use jiff::Timestamp;

    use super::*;
    use crate::clock::ManualClock;

    /// Gives out credentials of ten minutes, with a number each, as many times as it may.
    #[derive(Debug)]
    struct Counted {
        clock: Arc<ManualClock>,
        given: AtomicU64,
        at_most: u64,
    }

    impl ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.given.fetch_add(1, Ordering::SeqCst);
            if number >= self.at_most {
                return future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("gone")));
            }
            let end = SystemTime::from(self.clock.now()) + Duration::from_mins(10);
            future::ProvideCredentials::ready(Ok(Credentials::new(number.to_string(), "s", None, Some(end), "test")))
        }
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_their_end() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let inner = Counted { clock: Arc::clone(&clock), given: AtomicU64::new(0), at_most: 2 };
        let kept = KeptCredentials::new(SharedCredentialsProvider::new(inner), Arc::clone(&clock) as Arc<dyn Clock>);
        let key = async || kept.get().await.map(|credentials| credentials.access_key_id().to_owned());
        assert_eq!(key().await.unwrap(), "0");
        clock.advance(Duration::from_secs(299));
        assert_eq!(key().await.unwrap(), "0");
        clock.advance(Duration::from_secs(1));
        assert_eq!(key().await.unwrap(), "1", "read anew five minutes before their end");
        clock.advance(Duration::from_secs(599));
        assert_eq!(key().await.unwrap(), "1", "a failed renewal does no harm before the end");
        clock.advance(Duration::from_secs(1));
        key().await.unwrap_err();
    }
}
