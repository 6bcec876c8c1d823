//! Every request to S3 gets its last headers and its signature here, each try anew: what the settings say of writes, who
//! pays, and whose name it carries.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningError, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use object_store::HeaderValue;
use object_store::client::{HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::answer::{Asked, REPEATS};
use crate::aws::credentials::KeptCredentials;
use crate::aws::error::root_cause;
use crate::aws::reach::Tries;
use crate::aws::{AwsClients, Encryption, Reach, S3Writes};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::publish::version::hex;

/// The header that carries the checksum of a body, which `object_store` computes for all that is long.
const BODY_SHA256: &str = "x-amz-checksum-sha256";

/// The first pause before a connection is tried again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Adds headers and a signature, and sends, on the threads that the lake was opened on: those of a query are given up with
/// it, and would take along the connections that others still use.
#[derive(Debug)]
pub(super) struct Signed {
    signer: Arc<Signer>,
    runtime: Handle,
}

#[derive(Debug)]
struct Signer {
    client: HttpClient,
    reach: Reach,
    credentials: KeptCredentials,
    region: String,
    /// What goes with each object that is written.
    of_writes: Vec<(&'static str, HeaderValue)>,
    has_tags: bool,
    requester_pays: bool,
    clock: Arc<dyn Clock>,
}

/// Why a request could not be signed.
#[derive(Debug)]
enum Unsigned {
    Credentials(CredentialsError),
    Request(SigningError),
    Parameters(v4::signing_params::BuildError),
    Header(String),
}

impl std::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Credentials(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Parameters(error) => error.fmt(f),
            Self::Header(name) => write!(f, "the header `{name}` holds what cannot be sent"),
        }
    }
}

impl std::error::Error for Unsigned {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Credentials(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Parameters(error) => Some(error),
            Self::Header(_) => None,
        }
    }
}

impl Signed {
    /// # Errors
    /// `InvalidInput` for a setting of writes that no header can hold.
    pub(super) fn new(
        client: HttpClient,
        clients: &AwsClients,
        reach: Reach,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let writes = &clients.settings.writes;
        let signer = Signer {
            client,
            reach,
            credentials: clients.credentials.clone(),
            region: clients.region.clone(),
            of_writes: headers_of(writes)?,
            has_tags: !writes.tags.is_empty(),
            requester_pays: writes.requester_pays,
            clock,
        };
        Ok(Self { signer: Arc::new(signer), runtime })
    }
}

impl Signer {
    fn add_headers(&self, request: &mut HttpRequest) {
        let copies = request.headers().contains_key("x-amz-copy-source");
        if writes_object(request.method().as_str(), request.uri().query().unwrap_or_default()) {
            for (name, value) in &self.of_writes {
                request.headers_mut().insert(*name, value.clone());
            }
            if copies && self.has_tags {
                request.headers_mut().insert("x-amz-tagging-directive", HeaderValue::from_static("REPLACE"));
            }
        }
        if self.requester_pays {
            request.headers_mut().insert("x-amz-request-payer", HeaderValue::from_static("requester"));
        }
    }

    /// Signs and sends; while S3 cannot be reached or its answers break off, again and again, and no longer than it makes sense.
    async fn execute(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        write_blanks(&mut request);
        let asked = Asked::of(&request);
        let mut broken_off = 0;
        let mut tries = Tries::begin();
        let mut pause = FIRST_PAUSE;
        loop {
            let mut request = request.clone();
            self.add_headers(&mut request);
            self.sign(&mut request).await.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
            match self.client.execute(request).await {
                Ok(answer) => {
                    self.reach.answered();
                    match asked.whole(answer).await {
                        Ok(whole) => return Ok(whole),
                        Err(broken) if broken.may_be_repeated() && broken_off < REPEATS => {
                            tracing::info!(%broken, "a request to S3 is sent again");
                            broken_off += 1;
                        }
                        Err(broken) => return Err(broken.into_error()),
                    }
                }
                Err(error) if is_unreached(&error) => self
                    .reach
                    .failed(&mut tries, pause, &root_cause(&error))
                    .map_err(|unreachable| HttpError::new(HttpErrorKind::Unknown, unreachable))?,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn sign(&self, request: &mut HttpRequest) -> Result<(), Unsigned> {
        let identity = self.credentials.get().await.map_err(Unsigned::Credentials)?.into();
        let mut settings = SigningSettings::default();
        // What S3 wants other than the rest: <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::from(self.clock.now()))
            .settings(settings)
            .build()
            .map_err(Unsigned::Parameters)?
            .into();
        let body = SignableBody::Precomputed(body_hash(request));
        let mut headers = Vec::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            let value = value.to_str().map_err(|_| Unsigned::Header(name.to_string()))?;
            headers.push((name.as_str(), value));
        }
        let uri = request.uri().to_string();
        let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)
            .map_err(Unsigned::Request)?;
        let (instructions, _signature) = sign(signable, &parameters).map_err(Unsigned::Request)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}

#[async_trait]
impl HttpService for Signed {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let signer = Arc::clone(&self.signer);
        let answered = self.runtime.spawn(async move { signer.execute(request).await });
        AbortOnDropHandle::new(answered).await.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?
    }
}

/// Writes the blanks of a query as they are signed, `%20`. `object_store` writes them as forms do, `+`, which is another key
/// where only `%XX` is decoded (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, "Uri encode").
fn write_blanks(request: &mut HttpRequest) {
    let text = request.uri().to_string();
    let Some((before, query)) = text.split_once('?').filter(|(_, query)| query.contains('+')) else { return };
    // What is an address is one with other blanks as well.
    if let Ok(uri) = format!("{before}?{}", query.replace('+', "%20")).parse() {
        *request.uri_mut() = uri;
    }
}

/// Tells whether there was no connection, so that nothing was sent.
fn is_unreached(error: &HttpError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<reqwest::Error>());
    error.kind() == HttpErrorKind::Connect || source.is_some_and(reqwest::Error::is_connect)
}

/// Tells whether a request makes an object: `PutObject`, `CopyObject` and `CreateMultipartUpload`, but no part of one.
fn writes_object(method: &str, query: &str) -> bool {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    match method {
        "PUT" => !has("uploadId"),
        "POST" => has("uploads"),
        _ => false,
    }
}

/// Returns the hash of a body in hexadecimal digits. A long one was hashed before, for its checksum.
fn body_hash(request: &HttpRequest) -> String {
    let known = request.headers().get(BODY_SHA256).and_then(|sum| STANDARD.decode(sum).ok());
    match known {
        Some(sum) => hex(&sum),
        None => hex(&Sha256::digest(request.body().as_bytes().map_or(&[] as &[u8], AsRef::as_ref))),
    }
}

/// Returns what goes with each object that is written. What cannot be sent is no object without it: a key left out would be
/// another encryption than was asked for.
fn headers_of(writes: &S3Writes) -> Result<Vec<(&'static str, HeaderValue)>, Error> {
    let mut headers = Vec::new();
    let mut add = |name: &'static str, text: &str| {
        let value = HeaderValue::from_str(text).map_err(|_| {
            let message =
                format!("a setting of the profile cannot be sent to S3 as `{name}`: `{}`", text.escape_debug());
            Error::new(ErrorKind::InvalidInput, "open the AWS lake", message)
        })?;
        headers.push((name, value));
        Ok::<_, Error>(())
    };
    match &writes.encryption {
        Encryption::Bucket => {}
        Encryption::S3 => add("x-amz-server-side-encryption", "AES256")?,
        Encryption::Kms { key } => {
            add("x-amz-server-side-encryption", "aws:kms")?;
            if let Some(key) = key {
                add("x-amz-server-side-encryption-aws-kms-key-id", key)?;
            }
        }
    }
    if let Some(acl) = writes.acl {
        add("x-amz-acl", acl.as_str())?;
    }
    if let Some(class) = writes.storage_class {
        add("x-amz-storage-class", class.as_str())?;
    }
    if !writes.tags.is_empty() {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs: Vec<String> =
            writes.tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
        add("x-amz-tagging", &pairs.join("&"))?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use futures::TryStreamExt as _;
    use object_store::ClientOptions;
    use object_store::client::{HttpConnector as _, HttpRequestBody, ReqwestConnector};

    use super::*;
    use crate::aws::{CannedAcl, StorageClass};
    use crate::clock::SystemClock;
    use crate::notice::Deaf;

    /// An S3 that gives these answers, one to each connection, as they are; it counts the requests.
    async fn s3(answers: Vec<&'static str>) -> (String, Arc<AtomicUsize>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
                while !request.ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..read]);
                }
                count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (address, asked)
    }

    async fn ask(address: &str, method: &str, path: &str) -> Result<HttpResponse, HttpError> {
        let plain = ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true)).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = SharedCredentialsProvider::new(Credentials::new("id", "secret", None, None, "test"));
        let signer = Signer {
            client: plain,
            reach: Reach::of("S3", address, Arc::new(Deaf)),
            credentials: KeptCredentials::new(keys, Arc::clone(&clock)),
            region: "us-east-1".to_owned(),
            of_writes: Vec::new(),
            has_tags: false,
            requester_pays: false,
            clock,
        };
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = format!("{address}{path}").parse().unwrap();
        signer.execute(request).await
    }

    const CUT: &str = "HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<Erro";
    const MISSING: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 8\r\n\r\n<Error/>";
    const HALF: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\nhalf";
    const FULL: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\nhalfhalf";

    #[test]
    fn a_blank_in_a_query_is_sent_as_it_is_signed() {
        let sent = |uri: &str| {
            let mut request = HttpRequest::new(HttpRequestBody::empty());
            *request.uri_mut() = uri.parse().unwrap();
            write_blanks(&mut request);
            request.uri().to_string()
        };
        assert_eq!(
            sent("http://s3.test/b?list-type=2&prefix=a+b%2Bc%2F"),
            "http://s3.test/b?list-type=2&prefix=a%20b%2Bc%2F"
        );
        for other in ["http://s3.test/b/a+b", "http://s3.test/b/a+b?uploadId=x%2By"] {
            assert_eq!(sent(other), other);
        }
    }

    #[tokio::test]
    async fn a_request_that_changed_nothing_is_sent_again_when_its_answer_breaks_off() {
        for (method, path, answers, text) in [
            ("GET", "/b/k", vec![CUT, CUT, MISSING], "<Error/>"),
            ("PUT", "/b/k", vec![CUT, MISSING], "<Error/>"),
            ("GET", "/b?list-type=2&prefix=p", vec![HALF, FULL], "halfhalf"),
        ] {
            let expected = answers.len();
            let (address, asked) = s3(answers).await;
            let answer = ask(&address, method, path).await.unwrap();
            assert_eq!(answer.into_body().bytes().await.unwrap(), text, "{method} {path}");
            assert_eq!(asked.load(Ordering::SeqCst), expected, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn what_was_carried_out_is_not_sent_again_and_an_object_is_left_to_who_reads_it() {
        let (address, _) = s3(vec![HALF]).await;
        let lost = ask(&address, "POST", "/b/k?uploads=").await.unwrap_err();
        assert_eq!(lost.kind(), HttpErrorKind::Interrupted);
        let error = object_store::Error::Generic { store: "S3", source: Box::new(lost) };
        let error = super::super::error_of("write an object", None, None, error);
        assert!(error.to_string().starts_with("cannot write an object: S3's answer broke off: "), "{error}");
        assert_eq!(error.help.unwrap(), "look at the network, and at what stands between here and S3");

        let (address, _) = s3(vec![HALF]).await;
        let mut object = ask(&address, "GET", "/b/k").await.unwrap().into_body().bytes_stream();
        assert_eq!(object.try_next().await.unwrap().unwrap(), "half");
        let broken = object.try_next().await.unwrap_err();
        let error = object_store::Error::Generic { store: "S3", source: Box::new(broken) };
        let error = super::super::error_of("read an object", None, None, error);
        assert!(error.to_string().starts_with("cannot read an object: S3's answer broke off: "), "{error}");
    }

    #[test]
    fn headers_go_with_whole_objects_only() {
        for (method, query, expected) in [
            ("PUT", "", true),
            ("PUT", "partNumber=1&uploadId=x", false),
            ("POST", "uploads=", true),
            ("POST", "uploadId=x", false),
            ("POST", "delete", false),
            ("GET", "", false),
        ] {
            assert_eq!(writes_object(method, query), expected, "{method} {query}");
        }
    }

    #[test]
    fn settings_of_writes_become_headers() {
        let writes = S3Writes {
            encryption: Encryption::Kms { key: Some("alias/lake".to_owned()) },
            acl: Some(CannedAcl::BucketOwnerFullControl),
            storage_class: Some(StorageClass::StandardIa),
            tags: [("team".to_owned(), "a b&c".to_owned())].into_iter().collect(),
            requester_pays: false,
        };
        let headers: Vec<(&str, String)> = headers_of(&writes)
            .unwrap()
            .into_iter()
            .map(|(name, value)| (name, value.to_str().unwrap().to_owned()))
            .collect();
        let unsendable = S3Writes { encryption: Encryption::Kms { key: Some("a\nb".to_owned()) }, ..writes };
        assert_eq!(
            headers_of(&unsendable).unwrap_err().message,
            "a setting of the profile cannot be sent to S3 as `x-amz-server-side-encryption-aws-kms-key-id`: `a\\nb`"
        );
        assert_eq!(
            headers,
            [
                ("x-amz-server-side-encryption", "aws:kms".to_owned()),
                ("x-amz-server-side-encryption-aws-kms-key-id", "alias/lake".to_owned()),
                ("x-amz-acl", "bucket-owner-full-control".to_owned()),
                ("x-amz-storage-class", "STANDARD_IA".to_owned()),
                ("x-amz-tagging", "team=a%20b%26c".to_owned()),
            ]
        );
    }
}
