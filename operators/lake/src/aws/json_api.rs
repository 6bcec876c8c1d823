//! Services of AWS that speak JSON over HTTP (`awsJson1_0`, `awsJson1_1`), by their protocol: a call is one signed `POST` with its
//! name in a header (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).
//!
//! For services of which a few calls are needed: their SDKs would be a large part of the whole build. Credentials, region,
//! endpoints and errors are those of the SDK clients beside it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::clients::{Account, endpoint_of};
use super::credentials::KeptCredentials;
use super::error::{Call, answered, of_credentials, root_cause, unreachable_service};
use super::reach::{Reach, Tries};
use super::settings::AwsSettings;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::notice::{Deaf, Listener};
use crate::pause::Patience;

/// As the SDK clients are: see `clients.rs`.
const PATIENCE: Patience = Patience { tries: 14, first: Duration::from_millis(100), longest: Duration::from_secs(20) };
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_mins(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(90);

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonService {
    /// What signatures and hosts call it: `dynamodb`.
    name: &'static str,
    /// What configuration calls it: `DynamoDB`, and so `AWS_ENDPOINT_URL_DYNAMODB`.
    id: &'static str,
    /// What stands before the name of a call.
    target: &'static str,
    content_type: &'static str,
}

impl JsonService {
    /// `DynamoDB`.
    pub const DYNAMODB: Self = Self {
        name: "dynamodb",
        id: "DynamoDB",
        target: "DynamoDB_20120810",
        content_type: "application/x-amz-json-1.0",
    };

    /// Kinesis Data Streams.
    pub const KINESIS: Self =
        Self { name: "kinesis", id: "Kinesis", target: "Kinesis_20131202", content_type: "application/x-amz-json-1.1" };

    /// Returns its address in a region: <https://docs.aws.amazon.com/general/latest/gr/rande.html>.
    fn address(self, region: &str) -> String {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{}.{region}.{domain}", self.name)
    }
}

/// A client of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JsonApi {
    http: reqwest::Client,
    service: JsonService,
    address: Url,
    region: String,
    credentials: KeptCredentials,
    clock: Arc<dyn Clock>,
    patience: Patience,
    reach: Reach,
}

/// Why a call gave no answer.
#[derive(Debug)]
pub struct Refusal {
    /// What the service calls it: `ConditionalCheckFailedException`; none when it has not answered.
    pub code: Option<String>,
    /// The error.
    pub error: Error,
    /// Why there was no connection, or no answer over one.
    unreached: Option<String>,
}

impl Refusal {
    /// Tells whether the service calls it so.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl JsonApi {
    /// Finds region and credentials, and makes a client. Nothing is sent but what finding credentials needs. The address of
    /// the service is `endpoint`, when there is one; else that of the settings, of the environment, or of the region.
    ///
    /// # Errors
    /// As [`super::AwsClients::open`]; `InvalidInput` for an address that is none.
    pub async fn open(
        service: JsonService,
        settings: &AwsSettings,
        endpoint: Option<&String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let Account { config, region, credentials } = Account::find(settings, Arc::clone(&clock)).await?;
        let address = endpoint_of(service.id, &config, settings, endpoint).unwrap_or_else(|| service.address(&region));
        let wrong = |error: &dyn std::error::Error| {
            let message = format!("cannot use `{address}` as the address of {}: {error}", service.id);
            Error::new(ErrorKind::InvalidInput, "open a service of AWS", message)
                .help("write it as `http://127.0.0.1:8000`")
        };
        let url = Url::parse(&address).map_err(|error| wrong(&error))?;
        let http = reqwest::Client::builder()
            .use_rustls_tls()
            .user_agent(concat!("suiro/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(&error))?;
        let reach = Reach::of(service.id, &address, Arc::new(Deaf));
        Ok(Self { http, service, address: url, region, credentials, clock, patience: PATIENCE, reach })
    }

    /// Sets who is told when the service cannot be reached and is tried again.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.reach = Reach::of(self.service.id, self.address.as_str(), listener);
        self
    }

    /// Sets how often a call is tried that was refused for now, or that nobody answered.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Calls `name` until it is answered; throttling, failures of the service and of the network are waited out. A call whose
    /// answer was lost is sent again: it may have been done. A service that nobody answers for is tried as long as [`Reach`] says.
    ///
    /// # Errors
    /// What the service answers, and what is said of the last try.
    pub async fn call(&self, call: Call, name: &str, body: &Value) -> Result<Value, Refusal> {
        let body = Bytes::from(body.to_string());
        let (mut pauses, mut tries) = (self.patience.begin(), Tries::begin());
        loop {
            let refusal = match self.once(call, name, &body).await {
                Ok(answer) => {
                    self.reach.answered();
                    return Ok(answer);
                }
                Err(refusal) => refusal,
            };
            if let Some(cause) = &refusal.unreached {
                if let Err(unreachable) = self.reach.failed(&mut tries, pauses.longest_next(), cause) {
                    let error = unreachable_service(call.operation, &unreachable).source(unreachable);
                    return Err(Refusal { error, ..refusal });
                }
            } else {
                if refusal.code.is_some() {
                    self.reach.answered();
                }
                // What it was busy with before is no time in which it could not be reached.
                tries = Tries::begin();
            }
            if refusal.error.retryable == Retryable::No || !pauses.wait().await {
                return Err(refusal);
            }
            tracing::debug!(error = %refusal.error, name, "the call is made again");
        }
    }

    async fn once(&self, call: Call, name: &str, body: &Bytes) -> Result<Value, Refusal> {
        let unanswered = |error: Error| Refusal { code: None, error, unreached: None };
        let request = self.signed(call, name, body).await.map_err(unanswered)?;
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            let unreached = (error.is_connect() || error.is_timeout()).then(|| root_cause(&error));
            let error = unreachable_service(call.operation, &error).source(error);
            Refusal { code: None, error, unreached }
        };
        let response = self.http.execute(request).await.map_err(lost)?;
        let status = response.status();
        let request_id = header(&response, "x-amzn-requestid");
        let code_in_header = header(&response, "x-amzn-errortype");
        let body = response.bytes().await.map_err(lost)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| unanswered(unreadable(call).source(error)));
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        // `com.amazonaws.dynamodb.v20120810#ThrottlingException`, or with an address behind it.
        let code = text("__type").or(code_in_header.as_deref()).map(|code| {
            let code = code.rsplit('#').next().unwrap_or(code);
            code.split(':').next().unwrap_or(code).to_owned()
        });
        let message = text("message").or(text("Message")).unwrap_or_default();
        let named = code.clone().unwrap_or_else(|| format!("HTTP {}", status.as_u16()));
        let mut error = answered(call, &named, message);
        let is_busy = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        if is_busy && error.kind == ErrorKind::External {
            error = error.retryable();
        }
        if let Some(request_id) = request_id {
            error = error.with("request id", request_id);
        }
        Err(Refusal { code, error, unreached: None })
    }

    async fn signed(&self, call: Call, name: &str, body: &Bytes) -> Result<reqwest::Request> {
        let identity = self.credentials.get().await;
        let identity = identity.map_err(|error| of_credentials(&error, &AwsSettings::default()))?.into();
        let unsigned = |error: &dyn std::error::Error| {
            let message = format!("cannot {}: the request cannot be signed: {error}", call.operation);
            Error::new(ErrorKind::InvalidInput, call.operation, message)
        };
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.name)
            .time(SystemTime::from(self.clock.now()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let target = format!("{}.{name}", self.service.target);
        let headers = [("content-type", self.service.content_type), ("x-amz-target", target.as_str())];
        let signable =
            SignableRequest::new("POST", self.address.as_str(), headers.into_iter(), SignableBody::Bytes(body))
                .map_err(|error| unsigned(&error))?;
        let (instructions, _signature) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
        let mut request = self.http.post(self.address.clone()).body(body.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.build().map_err(|error| unsigned(&error))
    }
}

fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

fn unreadable(call: Call) -> Error {
    let message = format!("cannot {}: AWS answered something that cannot be read", call.operation);
    Error::new(ErrorKind::External, call.operation, message).retryable()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::aws::AwsKeys;
    use crate::clock::SystemClock;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Listener for Heard {
        fn hear(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
    }

    #[tokio::test]
    async fn a_service_that_refuses_connections_is_not_waited_for_as_one_that_is_busy() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let settings = AwsSettings {
            region: Some("eu-west-1".to_owned()),
            keys: Some(AwsKeys { id: "AKIDEXAMPLE".to_owned(), secret: "secret".to_owned() }),
            ..AwsSettings::default()
        };
        let (heard, clock) = (Arc::new(Heard::default()), Arc::new(SystemClock));
        let api = JsonApi::open(JsonService::DYNAMODB, &settings, Some(&address), clock).await.unwrap();
        let api = api.with_listener(Arc::clone(&heard) as Arc<dyn Listener>);
        let call = async |tries, first| {
            let longest = first;
            let api = api.clone().with_patience(Patience { tries, first, longest });
            let call = Call { operation: "read points", action: "dynamodb:Query" };
            api.call(call, "Query", &Value::Null).await.unwrap_err().error
        };
        // The next try would come when it is given up.
        let error = call(100, Duration::from_secs(11)).await;
        let expected = format!("cannot read points: DynamoDB cannot be reached at {address} (tried 1 times): ");
        assert!(error.message.starts_with(&expected), "{error}");
        assert!(error.help.unwrap().starts_with("does the service run there? Look at `endpoint` of the tier"));
        assert!(heard.0.lock().unwrap().is_empty());
        let error = call(2, Duration::from_millis(1)).await;
        assert!(error.message.starts_with("cannot read points: AWS cannot be reached: "), "{error}");
        let heard = heard.0.lock().unwrap();
        assert!(heard[0].starts_with(&format!("DynamoDB cannot be reached at {address}: ")), "{heard:?}");
        assert!(heard[0].ends_with("; it is tried again (try 2) for up to 10 s"), "{heard:?}");
    }

    #[test]
    fn services_have_their_addresses() {
        assert_eq!(JsonService::DYNAMODB.address("eu-west-1"), "https://dynamodb.eu-west-1.amazonaws.com");
        assert_eq!(JsonService::KINESIS.address("cn-north-1"), "https://kinesis.cn-north-1.amazonaws.com.cn");
    }
}
