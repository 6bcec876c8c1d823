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

    /// An STS that gives out the keys `K1`, `K2`, … and keeps what it was asked.
    async fn sts() -> (String, Arc<Mutex<Vec<String>>>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = String::new();
                let mut buffer = [0; 4096];
                // A form ends with the version of the API, or with what was asked for last: all of it comes at once or in pieces.
                let is_whole = |request: &str| {
                    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    length.is_some_and(|length: usize| body.len() >= length)
                };
                while !is_whole(&request) {
                    let read = stream.read(&mut buffer).await.unwrap();
                    request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
                }
                let number = {
                    let mut kept = kept.lock().await;
                    kept.push(request);
                    kept.len()
                };
                let answer = format!(
                    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                     <AccessKeyId>K{number}</AccessKeyId><SecretAccessKey>S{number}</SecretAccessKey>\
                     <SessionToken>T{number}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>\
                     </AssumeRoleResult></AssumeRoleResponse>"
                );
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn a_chain_of_roles_is_assumed_once_each_with_the_keys_of_the_one_before() {
        use crate::aws::{AwsClients, AwsEndpoints, AwsKeys, AwsSettings};
        let (address, asked) = sts().await;
        let settings = AwsSettings {
            region: Some("eu-west-1".to_owned()),
            keys: Some(AwsKeys { id: "BASE".to_owned(), secret: "secret".to_owned() }),
            roles: vec![
                AssumedRole { arn: "arn:aws:iam::111111111111:role/base".to_owned(), ..AssumedRole::default() },
                AssumedRole {
                    arn: "arn:aws:iam::222222222222:role/etl".to_owned(),
                    external_id: Some("partner".to_owned()),
                    session_name: Some("nightly".to_owned()),
                },
            ],
            endpoints: AwsEndpoints { sts: Some(address), ..AwsEndpoints::default() },
            ..AwsSettings::default()
        };
        let clients = AwsClients::open(&settings, Arc::new(crate::clock::SystemClock)).await.unwrap();
        for _call in 0..20 {
            assert_eq!(clients.credentials.get().await.unwrap().access_key_id(), "K2");
        }
        let asked = asked.lock().await;
        assert_eq!(asked.len(), 2, "once for each role, however many calls there are");
        for (request, parts) in asked.iter().zip([
            ["Credential=BASE/", "RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fbase&", "RoleSessionName=suiro"],
            ["Credential=K1/", "RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fetl&", "RoleSessionName=nightly"],
        ]) {
            for part in parts {
                assert!(request.contains(part), "{part}: {request}");
            }
        }
        assert!(!asked[0].contains("ExternalId"), "{}", asked[0]);
        assert!(asked[1].contains("ExternalId=partner"), "{}", asked[1]);
        assert!(asked[1].contains("x-amz-security-token: T1"), "{}", asked[1]);
    }
}
