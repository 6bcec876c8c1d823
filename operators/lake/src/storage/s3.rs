//! Objects on S3, through `object_store`'s client for one bucket and our signatures.
//!
//! Query engines read through the same store, so there is one client, one pool of connections and one policy of repeats.

mod answer;
mod delete;
mod error;
mod router;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use crate::aws::{AwsClients, Reach};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

pub(super) use delete::delete;
pub(crate) use error::is_without_bucket;
pub(super) use error::{is_race, of as error_of};
pub(super) use router::Buckets;
use sign::Signed;

/// The biggest object that one `CopyObject` copies: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
pub(super) const LARGEST_COPY: u64 = 5 << 30;

/// How often a request is repeated, and for how long: as the SDK's clients of Glue and Athena do (`aws::clients`), from a short
/// pause on, for about a minute. A pause is a random time from the first one to `GROWTH` times the one before: half as long again on
/// the mean. (With the store's own growth of 2 the mean pause would grow by a few milliseconds each time, and all of it be over
/// within seconds.)
const REPEATS: usize = 16;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const GROWTH: f64 = 3.0;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const LONGEST_REPEATING: Duration = Duration::from_mins(3);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one request may take with its body: a part of 64 MiB over 2 Mbit/s. What was read by then is kept, and the
/// rest read anew.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(5);

/// Makes the clients of buckets.
#[derive(Debug)]
struct Opener {
    client: HttpClient,
    options: ClientOptions,
    region: String,
    /// The address without the bucket: `https://s3.eu-west-1.amazonaws.com`.
    endpoint: String,
    path_style: bool,
}

/// Hands out one client to all buckets.
#[derive(Debug)]
struct Shared(HttpClient);

impl HttpConnector for Shared {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// Opens the store of all buckets. Its requests are made on the runtime that this is called on.
pub(super) fn open(clients: &AwsClients, clock: Arc<dyn Clock>) -> Result<Buckets> {
    let endpoint = clients.s3_endpoint.clone().unwrap_or_else(|| endpoint_of(&clients.region));
    let endpoint = endpoint.trim_end_matches('/').to_owned();
    let options = ClientOptions::new()
        .with_allow_http(endpoint.starts_with("http://"))
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT);
    let plain = ReqwestConnector::default().connect(&options).map_err(|error| {
        Error::new(ErrorKind::External, "open the AWS lake", format!("cannot make a client of S3: {error}"))
    })?;
    let reach = Reach::of("S3", &endpoint, Arc::clone(&clients.listener));
    let signed = Signed::new(plain, clients, reach, clock, tokio::runtime::Handle::current())?;
    let path_style = clients.settings.path_style || is_this_machine(&endpoint);
    let client = HttpClient::new(signed);
    Ok(Buckets::new(Opener { client, options, region: clients.region.clone(), endpoint, path_style }))
}

impl Opener {
    fn open(&self, bucket: &str) -> object_store::Result<AmazonS3> {
        // A name with a dot is no host that the certificate of S3 covers.
        let path_style = self.path_style || bucket.contains('.');
        let endpoint = match self.endpoint.split_once("://") {
            Some((scheme, host)) if !path_style => format!("{scheme}://{bucket}.{host}"),
            _ => self.endpoint.clone(),
        };
        AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(&self.region)
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(!path_style)
            // Signed by us, below: with the headers that this client does not know.
            .with_skip_signature(true)
            .with_http_connector(Shared(self.client.clone()))
            .with_client_options(self.options.clone())
            // S3 compares it with what it received, part by part, and keeps it with the object.
            .with_checksum_algorithm(Checksum::SHA256)
            .with_retry(RetryConfig {
                backoff: BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: GROWTH },
                max_retries: REPEATS,
                retry_timeout: LONGEST_REPEATING,
            })
            .build()
    }
}

/// Returns the address of S3 in a region: <https://docs.aws.amazon.com/general/latest/gr/s3.html>.
fn endpoint_of(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{domain}")
}

/// Tells whether an address is one that no bucket can be put before: a number, or this machine.
fn is_this_machine(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    if host.starts_with('[') {
        return true;
    }
    let host = host.split(':').next().unwrap_or_default();
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_regions_and_of_this_machine() {
        assert_eq!(endpoint_of("eu-west-1"), "https://s3.eu-west-1.amazonaws.com");
        assert_eq!(endpoint_of("cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
        for (endpoint, expected) in [
            ("http://127.0.0.1:4566", true),
            ("http://localhost:4566/x", true),
            ("http://[::1]:4566", true),
            ("https://minio.example.com", false),
        ] {
            assert_eq!(is_this_machine(endpoint), expected, "{endpoint}");
        }
    }
}
