//! Who may call: signatures of version 4, checked for all services in the same way.
//!
//! Without keys everybody may call, which is why the endpoint then listens on loopback only. The rules are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.

pub(crate) mod canonical;
pub(crate) mod chunked;
pub(crate) mod digest;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use hyper::StatusCode;
use hyper::http::request::Parts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use lake::clock::Clock;
use sha2::Sha256;

use crate::error::ApiError;
use crate::server::Service;
use canonical::{Query, header_value};
use chunked::ChunkSigner;

/// The one algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the clocks of client and server may be apart.
const MAX_SKEW_SECONDS: i64 = 15 * 60;

/// How long a presigned URL may hold at most, in seconds: seven days.
const MAX_EXPIRES_SECONDS: i64 = 7 * 24 * 3600;

/// What S3 takes in place of a hash when the payload is not signed.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A secret: it is never printed.
#[derive(Clone)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes a secret.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The keys that requests are signed with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: SecretKey,
}

/// Decides who may call.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    credentials: Option<Credentials>,
    /// The region that requests must be signed for.
    region: String,
    clock: Arc<dyn Clock>,
}

/// Why a request may not call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It carries no signature.
    Missing,
    /// Its signature is of version 2.
    Outdated,
    /// Its signature cannot be read.
    Malformed(String),
    /// Its access key is another one.
    UnknownKey(String),
    /// It is signed for another region.
    OtherRegion { found: String, expected: String },
    /// Its signature is not that of our secret.
    Mismatch,
    /// Its time is too far from ours.
    Skewed,
    /// It is a presigned URL that has run out.
    Expired,
}

impl Refusal {
    /// Returns the error in the words of a service.
    pub(crate) fn error(&self, service: Service) -> ApiError {
        let message = match self {
            Self::Missing => "the request is not signed; this endpoint was started with `--access-key`".to_owned(),
            Self::Outdated => {
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256; \
                 in boto3: `Config(signature_version=\"s3v4\")`."
                    .to_owned()
            }
            Self::Malformed(why) => why.clone(),
            Self::UnknownKey(key) => format!("the access key `{key}` is not the one of `--access-key`"),
            Self::OtherRegion { found, expected } => {
                format!("the region `{found}` of the signature is wrong: this endpoint is in `{expected}`")
            }
            Self::Mismatch => {
                "the signature is not the one that SUIRO_EMULATE_SECRET_KEY gives: check the client's secret key"
                    .to_owned()
            }
            Self::Skewed => "the request's time is more than 15 minutes from the server's".to_owned(),
            Self::Expired => "the presigned URL has expired".to_owned(),
        };
        let (status, code) = match (service, self) {
            (Service::S3, Self::Missing | Self::Expired) => (StatusCode::FORBIDDEN, "AccessDenied"),
            (_, Self::Outdated) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
            (Service::S3, Self::Malformed(_) | Self::OtherRegion { .. }) => {
                (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed")
            }
            (Service::S3, Self::UnknownKey(_)) => (StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            (Service::S3, Self::Mismatch) => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            (Service::S3, Self::Skewed) => (StatusCode::FORBIDDEN, "RequestTimeTooSkewed"),
            (Service::Sts, Self::UnknownKey(_)) => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            (Service::Sts, Self::Mismatch | Self::Skewed | Self::Expired | Self::OtherRegion { .. }) => {
                (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
            }
            (_, Self::Missing) => (StatusCode::BAD_REQUEST, "MissingAuthenticationTokenException"),
            (_, Self::Malformed(_)) => (StatusCode::BAD_REQUEST, "IncompleteSignatureException"),
            (_, Self::UnknownKey(_)) => (StatusCode::BAD_REQUEST, "UnrecognizedClientException"),
            (_, Self::Mismatch | Self::Skewed | Self::Expired | Self::OtherRegion { .. }) => {
                (StatusCode::BAD_REQUEST, "InvalidSignatureException")
            }
        };
        ApiError::new(status, code, message)
    }
}

/// What a signature says, before anything is checked.
struct Claim {
    access_key: String,
    /// `20260101`.
    day: String,
    region: String,
    service: String,
    /// `20260101T000000Z`.
    time: String,
    signed_headers: Vec<String>,
    signature: String,
    /// How long a presigned URL holds, in seconds.
    expires: Option<i64>,
}

impl Gate {
    pub(crate) fn new(credentials: Option<Credentials>, region: &str, clock: Arc<dyn Clock>) -> Self {
        Self { credentials, region: region.to_owned(), clock }
    }

    /// Tells whether everybody may call.
    pub(crate) fn is_open(&self) -> bool {
        self.credentials.is_none()
    }

    /// Checks a request. `payload` is the SHA-256 of its body, or what stands for it.
    ///
    /// Returns what the signatures of chunks start from, or none when everybody may call.
    pub(crate) fn check(
        &self,
        service: Service,
        parts: &Parts,
        query: &Query,
        payload: &str,
    ) -> Result<Option<ChunkSigner>, Refusal> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let claim = if query.has("X-Amz-Signature") {
            presigned_claim(query)?
        } else if query.has("AWSAccessKeyId") {
            return Err(Refusal::Outdated);
        } else {
            header_claim(parts)?
        };
        if claim.access_key != credentials.access_key {
            return Err(Refusal::UnknownKey(claim.access_key));
        }
        if claim.service != service.signing_name() {
            return Err(Refusal::Malformed(format!(
                "the credential is for the service `{}`, the request is for `{}`",
                claim.service,
                service.signing_name()
            )));
        }
        // STS answers at one address for all regions.
        if claim.region != self.region && service != Service::Sts {
            return Err(Refusal::OtherRegion { found: claim.region, expected: self.region.clone() });
        }
        self.check_time(&claim)?;
        check_signed_headers(parts, &claim)?;
        let scope = format!("{}/{}/{}/aws4_request", claim.day, claim.region, claim.service);
        let payload = if claim.expires.is_some() { UNSIGNED_PAYLOAD } else { payload };
        let request = canonical::request(parts, query, &claim.signed_headers, payload)
            .map_err(|name| Refusal::Malformed(format!("the signed header `{name}` is not in the request")))?;
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", claim.time, digest::sha256_hex(request.as_bytes()));
        let key = signing_key(&credentials.secret_key, &claim);
        let expected = digest::unhex(&claim.signature)
            .ok_or_else(|| Refusal::Malformed("the signature is not written in hexadecimal digits".to_owned()))?;
        // The comparison takes the same time wherever the difference is.
        mac(&key, text.as_bytes()).verify_slice(&expected).map_err(|_| Refusal::Mismatch)?;
        Ok(Some(ChunkSigner::new(key, claim.time, scope, claim.signature)))
    }

    fn check_time(&self, claim: &Claim) -> Result<(), Refusal> {
        let malformed =
            || Refusal::Malformed(format!("expected a time such as `20260102T030405Z`, found `{}`", claim.time));
        let time = parse_time(&claim.time).ok_or_else(malformed)?;
        if !claim.time.starts_with(&claim.day) {
            return Err(Refusal::Malformed("the credential's day is not the request's".to_owned()));
        }
        let age = self.clock.now().as_second() - time.as_second();
        match claim.expires {
            None if age.abs() > MAX_SKEW_SECONDS => Err(Refusal::Skewed),
            Some(_) if age < -MAX_SKEW_SECONDS => Err(Refusal::Skewed),
            Some(expires) if age > expires => Err(Refusal::Expired),
            _ => Ok(()),
        }
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The host and everything that changes what a request means must be under the signature.
fn check_signed_headers(parts: &Parts, claim: &Claim) -> Result<(), Refusal> {
    let signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    if !signed("host") {
        return Err(Refusal::Malformed("the header `host` is not signed".to_owned()));
    }
    for name in parts.headers.keys().map(hyper::header::HeaderName::as_str) {
        if name.starts_with("x-amz-") && !signed(name) {
            return Err(Refusal::Malformed(format!("the header `{name}` is not signed")));
        }
    }
    Ok(())
}

/// Reads the header `Authorization`.
fn header_claim(parts: &Parts) -> Result<Claim, Refusal> {
    let text = header_value(parts, "authorization").ok_or(Refusal::Missing)?;
    if text.starts_with("AWS ") {
        return Err(Refusal::Outdated);
    }
    let malformed = |why: &str| Refusal::Malformed(format!("the header `Authorization` cannot be read: {why}"));
    let fields =
        text.strip_prefix(ALGORITHM).ok_or_else(|| malformed(&format!("expected a signature by {ALGORITHM}")))?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
            .ok_or_else(|| malformed(&format!("it has no `{name}`")))
    };
    let time = header_value(parts, "x-amz-date").ok_or_else(|| malformed("the header `x-amz-date` is missing"))?;
    claim(field("Credential")?, &time, field("SignedHeaders")?, field("Signature")?, None)
        .ok_or_else(|| malformed("expected a credential `KEY/DAY/REGION/SERVICE/aws4_request`"))
}

/// Reads the parameters of a presigned URL.
fn presigned_claim(query: &Query) -> Result<Claim, Refusal> {
    let malformed = |why: String| Refusal::Malformed(format!("the presigned URL cannot be read: {why}"));
    let field = |name: &str| query.get(name).ok_or_else(|| malformed(format!("it has no `{name}`")));
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(malformed(format!("expected a signature by {ALGORITHM}")));
    }
    let expires = field("X-Amz-Expires")?
        .parse::<i64>()
        .ok()
        .filter(|seconds| (1..=MAX_EXPIRES_SECONDS).contains(seconds))
        .ok_or_else(|| malformed(format!("expected `X-Amz-Expires` from 1 to {MAX_EXPIRES_SECONDS} seconds")))?;
    claim(
        field("X-Amz-Credential")?,
        field("X-Amz-Date")?,
        field("X-Amz-SignedHeaders")?,
        field("X-Amz-Signature")?,
        Some(expires),
    )
    .ok_or_else(|| malformed("expected a credential `KEY/DAY/REGION/SERVICE/aws4_request`".to_owned()))
}

fn claim(credential: &str, time: &str, headers: &str, signature: &str, expires: Option<i64>) -> Option<Claim> {
    // An access key may hold `/`; the four parts after it may not.
    let mut parts = credential.rsplitn(5, '/');
    let (end, service, region, day) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let access_key = parts.next()?;
    (end == "aws4_request").then(|| Claim {
        access_key: access_key.to_owned(),
        day: day.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        time: time.to_owned(),
        signed_headers: headers.split(';').map(str::to_ascii_lowercase).collect(),
        signature: signature.to_owned(),
        expires,
    })
}

/// Starts a code of authentication over a text.
fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // INVARIANT: HMAC takes keys of every length.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes every key"));
    mac.update(text);
    mac
}

fn signing_key(secret: &SecretKey, claim: &Claim) -> Vec<u8> {
    let mut key = format!("AWS4{}", secret.0).into_bytes();
    for part in [claim.day.as_str(), claim.region.as_str(), claim.service.as_str(), "aws4_request"] {
        key = mac(&key, part.as_bytes()).finalize().into_bytes().to_vec();
    }
    key
}
