//! The clients of one account and region: made once when the lake is opened, and shared.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_glue::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::origin::Origin;
use aws_types::service_config::ServiceConfigKey;

use super::credentials::{KeptCredentials, assume};
use super::error;
use super::profile;
use super::reach::Reach;
use super::settings::AwsSettings;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::notice::{Deaf, Listener};

/// How often a call is made at most. A workflow can wait: with pauses of up to 20 seconds (jittered, doubling) sixteen tries
/// outlast a minute of refusals, where the SDK's own three give up after a second.
const ATTEMPTS: u32 = 16;

/// How long the first pause between tries is at most. The SDK's own, a second, is long beside a call of some milliseconds, and
/// most refusals are over at once: where one call in twenty fails, the first pauses are most of what that costs.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// How long one pause between tries is at most.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a service may think before the first byte of its answer; `GetPartitions` of a big table takes seconds.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// How long one try may take as a whole.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// The clients of one account and region. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AwsClients {
    /// What they were opened with.
    pub settings: Arc<AwsSettings>,
    /// The region.
    pub region: String,
    /// Glue.
    pub glue: aws_sdk_glue::Client,
    /// Athena.
    pub athena: aws_sdk_athena::Client,
    /// STS, which knows whose account it is.
    pub(crate) sts: aws_sdk_sts::Client,
    /// The address of Glue, when it is not that of AWS.
    pub(crate) glue_endpoint: Option<String>,
    /// The address of S3, when it is not that of AWS.
    pub(crate) s3_endpoint: Option<String>,
    /// The address of Athena, when it is not that of AWS.
    pub(crate) athena_endpoint: Option<String>,
    /// Who is told when a service cannot be reached.
    pub(crate) listener: Arc<dyn Listener>,
    /// The credentials, for requests that are signed here.
    pub(crate) credentials: KeptCredentials,
}

impl AwsClients {
    /// Makes clients of which nobody is told that a service cannot be reached; see [`AwsClients::open_heard`].
    ///
    /// # Errors
    /// As [`AwsClients::open_heard`].
    pub async fn open(settings: &AwsSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let listener: Arc<dyn Listener> = Arc::new(Deaf);
        // Finding credentials knows many ways, and all of them are in its future.
        Box::pin(Self::open_heard(settings, clock, &listener)).await
    }

    /// Finds the region and the credentials, and makes the clients. Nothing is sent but what finding credentials needs (STS,
    /// SSO, the metadata services of ECS and EC2). `listener` is told when a service cannot be reached and is tried again.
    ///
    /// # Errors
    /// `InvalidInput` without a region; `PermissionDenied` when there are no credentials, they have expired, or a role
    /// cannot be assumed; its help says what to do.
    pub async fn open_heard(
        settings: &AwsSettings,
        clock: Arc<dyn Clock>,
        listener: &Arc<dyn Listener>,
    ) -> Result<Self> {
        settings.writes.check()?;
        let Account { config, region, credentials } = Account::find(settings, clock).await?;
        let config =
            config.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials.clone())).build();
        // Set on the client's own configuration: there it comes before the variables of the environment.
        let mut glue = aws_sdk_glue::config::Builder::from(&config);
        if let Some(endpoint) = endpoint(settings, settings.endpoints.glue.as_ref()) {
            glue = glue.endpoint_url(endpoint);
        }
        let mut athena = aws_sdk_athena::config::Builder::from(&config);
        if let Some(endpoint) = endpoint(settings, settings.endpoints.athena.as_ref()) {
            athena = athena.endpoint_url(endpoint);
        }
        let mut sts = aws_sdk_sts::config::Builder::from(&config);
        if let Some(endpoint) = endpoint(settings, settings.endpoints.sts.as_ref()) {
            sts = sts.endpoint_url(endpoint);
        }
        let reach = |service, own| {
            let address = endpoint_of(service, &config, settings, own);
            let is_of_aws = || format!("its address in {region}");
            Reach::of(service, &address.unwrap_or_else(is_of_aws), Arc::clone(listener))
        };
        let glue = glue.interceptor(reach("Glue", settings.endpoints.glue.as_ref())).retry_partition(own_tries());
        let athena =
            athena.interceptor(reach("Athena", settings.endpoints.athena.as_ref())).retry_partition(own_tries());
        let sts = sts.interceptor(reach("STS", settings.endpoints.sts.as_ref())).retry_partition(own_tries());
        Ok(Self {
            settings: Arc::new(settings.clone()),
            region,
            glue: aws_sdk_glue::Client::from_conf(glue.build()),
            athena: aws_sdk_athena::Client::from_conf(athena.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            glue_endpoint: endpoint_of("Glue", &config, settings, settings.endpoints.glue.as_ref()),
            s3_endpoint: endpoint_of("S3", &config, settings, settings.endpoints.s3.as_ref()),
            athena_endpoint: endpoint_of("Athena", &config, settings, settings.endpoints.athena.as_ref()),
            listener: Arc::clone(listener),
            credentials,
        })
    }
}

/// Who is asked as whom: what clients of every service have in common.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) config: SdkConfig,
    pub(super) region: String,
    pub(super) credentials: KeptCredentials,
}

impl Account {
    /// Finds the region and the credentials.
    ///
    /// # Errors
    /// As [`AwsClients::open`].
    pub(super) async fn find(settings: &AwsSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let config = load(settings).await?;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "open the AWS lake", "no AWS region is set")
                .help("set `region:` in the profile, `AWS_REGION`, or `region` in `~/.aws/config`")
        })?;
        let base = base(settings, &config, &clock).await?;
        let sts = at(&config, endpoint(settings, settings.endpoints.sts.as_ref()));
        let assumed = assume(&sts, base, &settings.roles, &clock).await;
        let credentials = KeptCredentials::new(assumed, clock);
        credentials.get().await.map_err(|failed| error::of_credentials(&failed, settings))?;
        Ok(Self { config, region, credentials })
    }
}

/// Returns whose credentials roles are assumed with: those that the program hands over, those of the profile that the settings
/// name, or what the SDK's default chain finds.
async fn base(settings: &AwsSettings, config: &SdkConfig, clock: &Arc<dyn Clock>) -> Result<SharedCredentialsProvider> {
    let kept = |provider| KeptCredentials::new(provider, Arc::clone(clock));
    let base = match &settings.credentials_profile {
        Some(name) if settings.keys.is_none() => {
            let of_profile = kept(profile::provider(name, config).await?);
            // Asked here, where an error is still the profile's and not that of a role.
            of_profile.get().await.map_err(|failed| profile::failed(name, &failed))?;
            of_profile
        }
        _ => kept(config.credentials_provider().ok_or_else(error::no_credentials)?),
    };
    Ok(SharedCredentialsProvider::new(base))
}

async fn load(settings: &AwsSettings) -> Result<SdkConfig> {
    // Plain HTTP works with it as well, for endpoints on this machine.
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_PAUSE)
        .with_max_backoff(LONGEST_PAUSE);
    let app = AppName::new("suiro").map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "open the AWS lake", "the name of the program cannot be sent").source(error)
    })?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        .app_name(app);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(keys) = &settings.keys {
        loader = loader.credentials_provider(Credentials::new(&keys.id, &keys.secret, None, None, "the program"));
    }
    if let Some(profile) = &settings.credentials_profile {
        loader = loader.profile_name(profile);
    }
    Ok(loader.load().await)
}

/// Leaves it to each call how often it is tried. The SDK has the calls of a service share a quota of repeats, which some calls
/// at once use up in seconds: in an outage they would give up long before [`ATTEMPTS`], one because of the others. What such a
/// quota is for, that clients do not keep a service down, the growing pauses and the rates of [`super::CallRates`] see to.
fn own_tries() -> RetryPartition {
    RetryPartition::custom("suiro").token_bucket(TokenBucket::unlimited()).build()
}

/// Returns the address that the settings give a service; none for what the SDK finds itself.
fn endpoint(settings: &AwsSettings, own: Option<&String>) -> Option<String> {
    own.or(settings.endpoints.all.as_ref()).cloned()
}

fn at(config: &SdkConfig, endpoint: Option<String>) -> SdkConfig {
    let Some(endpoint) = endpoint else { return config.clone() };
    let mut builder = config.to_builder().endpoint_url(endpoint);
    // Said in code, as it were: so it comes before the variables of the environment.
    builder.insert_origin("endpoint_url", Origin::shared_config());
    builder.build()
}

/// Returns the address of a service as the SDK's own client would find it, `S3` say: the settings, `AWS_ENDPOINT_URL_S3` (and
/// `endpoint_url` of the service's section in `~/.aws/config`), `AWS_ENDPOINT_URL`
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
pub(super) fn endpoint_of(
    service_id: &str,
    config: &SdkConfig,
    settings: &AwsSettings,
    own: Option<&String>,
) -> Option<String> {
    let of_service = || {
        let key =
            ServiceConfigKey::builder().service_id(service_id).profile("endpoint_url").env("AWS_ENDPOINT_URL").build();
        config.service_config()?.load_config(key.ok()?)
    };
    endpoint(settings, own).or_else(of_service).or_else(|| config.endpoint_url().map(ToOwned::to_owned))
}
