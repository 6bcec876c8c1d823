//! One address for all services: which request is for which, and what becomes of it on the way.

mod failure;
mod operations;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lake::Lake;
use lake::catalog::GlueCatalog;
use lake::clock::Clock;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::EmulatorSettings;
use crate::athena::Athena;
use crate::auth::canonical::{Query, header_value};
use crate::auth::{Gate, digest};
use crate::body::{self, RequestBody, ResponseBody, Wire};
use crate::error::{ApiError, ApiResult};
use crate::fault::{Effect, Faults};
use crate::glue::Glue;
use crate::json;
use crate::rate::Rates;
use crate::s3::{Operation, S3};
use crate::sts;
use failure::{denied, internal, throttled, unavailable, unreadable};

/// How long a client may take for the head of a request, and how long a connection may rest between two.
const HEAD_TIMEOUT: Duration = Duration::from_mins(2);

/// How long requests under way may take once the endpoint is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How long a body may be that a fault delivers late or twice.
const MAX_HELD_BYTES: usize = 256 << 20;

/// A service that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Athena.
    Athena,
    /// Glue's catalog.
    Glue,
    /// S3.
    S3,
    /// STS, which only says whose keys a call is signed with.
    Sts,
}

impl Service {
    /// All of them.
    pub(crate) const SERVED: [Self; 4] = [Self::Athena, Self::Glue, Self::S3, Self::Sts];

    /// Returns the name that requests are signed for.
    pub(crate) fn signing_name(self) -> &'static str {
        match self {
            Self::Athena => "athena",
            Self::Glue => "glue",
            Self::S3 => "s3",
            Self::Sts => "sts",
        }
    }
}

/// The services, and what stands before them.
#[derive(Debug)]
pub(crate) struct Services {
    athena: Athena,
    glue: Glue,
    s3: S3,
    gate: Gate,
    faults: Arc<Faults>,
    rates: Rates,
    /// Requests that a fault delivers late.
    late: TaskTracker,
    /// Requests that are carried out, whether their clients still wait or not.
    under_way: TaskTracker,
}

/// A request, read as far as needed to know what it asks for.
struct Call {
    service: Service,
    operation: String,
    query: Query,
    parts: Parts,
    request_id: String,
}

/// The reply is not given: the connection breaks.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is broken off by a fault")
    }
}

impl std::error::Error for Dropped {}

impl Services {
    pub(crate) async fn new(
        lake: Lake,
        catalog: Arc<dyn GlueCatalog>,
        settings: EmulatorSettings,
        clock: Arc<dyn Clock>,
    ) -> lake::Result<Self> {
        let s3 = S3::open(lake.clone(), settings.region.clone()).await?;
        let faults = Arc::new(Faults::new(settings.faults));
        let gate = Gate::new(settings.credentials, &settings.region, clock);
        let glue = Arc::clone(&catalog);
        let (region, quotas) = (settings.region, settings.quotas);
        let athena = Athena::open(lake, glue, s3.buckets(), region, quotas, Arc::clone(&faults)).await?;
        Ok(Self {
            athena,
            glue: Glue::new(catalog),
            s3,
            gate,
            faults,
            rates: Rates::new(settings.call_quotas),
            late: TaskTracker::new(),
            under_way: TaskTracker::new(),
        })
    }

    /// Answers a request, or breaks the connection when a fault says so.
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<ResponseBody>, Dropped> {
        let (parts, incoming) = request.into_parts();
        let waits = header_value(&parts, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        let wire = Wire::new(incoming);
        // A client that waits to be told to send nothing is never told, and may take the answer for what it waits for: botocore
        // then waits on the same connection for an answer that it has read.
        let waits_for_nothing = waits && wire.is_empty();
        let mut response = self.carried_to_its_end(parts, body::incoming(wire.clone())).await?;
        if waits_for_nothing || !wire.is_read_out(waits).await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Answers a request in a task of its own: the future of a connection is dropped when its client leaves, and what a call
    /// does in several steps must not stop between two of them.
    async fn carried_to_its_end(
        self: Arc<Self>,
        parts: Parts,
        body: RequestBody,
    ) -> Result<Response<ResponseBody>, Dropped> {
        let tracker = self.under_way.clone();
        match tracker.spawn(self.answer_to(parts, body)).await {
            Ok(answered) => answered,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_stopped) => Err(Dropped),
            },
        }
    }

    async fn answer_to(
        self: Arc<Self>,
        parts: Parts,
        mut body: RequestBody,
    ) -> Result<Response<ResponseBody>, Dropped> {
        let mut call = match Call::of(parts) {
            Ok(call) => call,
            Err(response) => return Ok(response),
        };
        if self.gate.is_open() && !is_local(&call.parts) {
            let message = "this endpoint answers requests to `localhost` and loopback addresses only; \
                 `--access-key` opens it to others";
            return Ok(call.fail(ApiError::new(StatusCode::FORBIDDEN, "AccessDenied", message)));
        }
        if call.service == Service::Sts {
            match body::collect(body, sts::MAX_BODY_BYTES).await {
                Ok(form) => {
                    call.operation = sts::operation(&form);
                    body = body::again(form);
                }
                Err(error) => return Ok(call.fail(unreadable(call.service, &error))),
            }
        }
        // Said under a name of its own: `SUIRO_LOG=call=debug` tells what a client asks for, and nothing else.
        tracing::debug!(target: "call", service = call.service.signing_name(), operation = call.operation);
        if !self.rates.admits(call.service, &call.operation) {
            return Ok(call.fail(throttled(call.service)));
        }
        let Some(effect) = self.faults.decide(call.service, &call.operation) else {
            return Ok(self.carry_out(&call, body).await);
        };
        tracing::debug!(service = ?call.service, operation = call.operation, ?effect, "fault");
        match effect {
            Effect::Refuse => Err(Dropped),
            Effect::Throttle => Ok(call.fail(throttled(call.service))),
            Effect::Deny => Ok(call.fail(denied(call.service, &call.operation))),
            Effect::InternalError => Ok(call.fail(internal(call.service))),
            Effect::Unavailable => Ok(call.fail(unavailable(call.service))),
            Effect::Delay(by) => {
                tokio::time::sleep(by.0).await;
                Ok(self.carry_out(&call, body).await)
            }
            Effect::LostReply => {
                let _lost = self.carry_out(&call, body).await;
                Err(Dropped)
            }
            Effect::Truncate => Ok(truncate(self.carry_out(&call, body).await)),
            Effect::Twice => match body::collect(body, MAX_HELD_BYTES).await {
                Ok(bytes) => {
                    let _first = self.carry_out(&call, body::again(bytes.clone())).await;
                    Ok(self.carry_out(&call, body::again(bytes)).await)
                }
                Err(error) => Ok(call.fail(unreadable(call.service, &error))),
            },
            Effect::Late(after) => {
                let Ok(bytes) = body::collect(body, MAX_HELD_BYTES).await else { return Err(Dropped) };
                let services = Arc::clone(&self);
                self.late.spawn(async move {
                    tokio::time::sleep(after.0).await;
                    let _unheard = services.carry_out(&call, body::again(bytes)).await;
                });
                Err(Dropped)
            }
            // These fire where a query ends.
            Effect::FailQuery | Effect::CancelQuery => Ok(self.carry_out(&call, body).await),
        }
    }

    /// Carries out a call.
    async fn carry_out(&self, call: &Call, body: RequestBody) -> Response<ResponseBody> {
        if call.service == Service::S3 {
            return self.s3.call(&call.parts, &call.query, &self.gate, body, &call.request_id).await;
        }
        if call.service == Service::Sts {
            let result = self.signed_body(call, body).await.and_then(|_form| sts::call(&call.operation));
            return sts::respond(&call.operation, result, &call.request_id);
        }
        json::respond(self.call_json(call, body).await, &call.request_id)
    }

    /// Reads the body of a call whose signature holds.
    async fn signed_body(&self, call: &Call, body: RequestBody) -> ApiResult<Bytes> {
        let bytes =
            body::collect(body, json::MAX_BODY_BYTES).await.map_err(|error| unreadable(call.service, &error))?;
        self.gate
            .check(call.service, &call.parts, &call.query, &digest::sha256_hex(&bytes))
            .map_err(|refusal| refusal.error(call.service))?;
        Ok(bytes)
    }

    async fn call_json(&self, call: &Call, body: RequestBody) -> ApiResult<Value> {
        let bytes = self.signed_body(call, body).await?;
        let input: Value = if bytes.is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_slice(&bytes)
                .map_err(|error| ApiError::client("SerializationException", format!("the body is no JSON: {error}")))?
        };
        if !input.is_object() {
            return Err(ApiError::client("SerializationException", "expected a JSON object as the body"));
        }
        match call.service {
            Service::Athena => self.athena.call(&call.operation, input).await,
            Service::Glue | Service::S3 | Service::Sts => self.glue.call(&call.operation, input).await,
        }
    }
}

impl Call {
    /// Reads what a request asks for.
    fn of(parts: Parts) -> Result<Self, Response<ResponseBody>> {
        let request_id = Uuid::new_v4().to_string();
        let Some(query) = Query::of(&parts) else {
            let error = ApiError::client("InvalidURI", "the query of the URL is not UTF-8");
            return Err(crate::s3::xml::respond_error(&error, &parts, &request_id));
        };
        let (service, operation) = match header_value(&parts, "x-amz-target") {
            None if sts::is_asked(&parts) => (Service::Sts, String::new()),
            None => (Service::S3, Operation::of(&parts, &query).name()),
            Some(target) => match target.split_once('.') {
                Some(("AmazonAthena", operation)) => (Service::Athena, operation.to_owned()),
                Some(("AWSGlue", operation)) => (Service::Glue, operation.to_owned()),
                _ => {
                    let error = ApiError::client(
                        "UnknownOperationException",
                        format!(
                            "expected `X-Amz-Target: AmazonAthena.…` or `AWSGlue.…`, found `{}`",
                            target.escape_debug()
                        ),
                    );
                    return Err(json::respond(Err(error), &request_id));
                }
            },
        };
        Ok(Self { service, operation, query, parts, request_id })
    }

    /// Makes the answer that says an error.
    fn fail(&self, error: ApiError) -> Response<ResponseBody> {
        match self.service {
            Service::S3 => crate::s3::xml::respond_error(&error, &self.parts, &self.request_id),
            Service::Athena | Service::Glue => json::respond(Err(error), &self.request_id),
            Service::Sts => sts::respond(&self.operation, Err(error), &self.request_id),
        }
    }
}

/// Tells whether a request was sent to a name of this machine: a page in a browser that has another name point to loopback
/// must not reach the lake.
fn is_local(parts: &Parts) -> bool {
    let Some(host) = header_value(parts, "host").or_else(|| parts.uri.authority().map(ToString::to_string)) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Breaks an answer off in its middle; one without a body breaks off at once.
fn truncate(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let (head, body) = response.into_parts();
    let length = hyper::body::Body::size_hint(&body).exact().or_else(|| {
        head.headers.get(hyper::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
    });
    let mut left = length.unwrap_or_default() / 2;
    let cut = move |bytes: Bytes| {
        let here = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= u64::try_from(here).unwrap_or(left);
        bytes.slice(..here)
    };
    let pieces =
        body.into_data_stream().map_ok(cut).try_take_while(|piece| futures::future::ready(Ok(!piece.is_empty())));
    // What stands before the break is on its way before it breaks.
    let broken = futures::stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(head, body::stream(futures::StreamExt::chain(pieces, broken)))
}

/// Answers requests on a listener until `shutdown` is done.
pub(crate) async fn serve(
    services: Arc<Services>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let stop = CancellationToken::new();
    let connections = TaskTracker::new();
    let under_way = services.under_way.clone();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&services), stream, stop.clone()));
                }
                Err(error) if is_passing(&error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(error),
            },
        }
    }
    drop(listener);
    stop.cancel();
    connections.close();
    under_way.close();
    // A client that never ends its request must not keep the process.
    let _cut_off = tokio::time::timeout(STOP_GRACE, async {
        connections.wait().await;
        under_way.wait().await;
    })
    .await;
    Ok(())
}

/// Tells whether a listener may go on after an error: the client left, or too many files are open for now.
fn is_passing(error: &std::io::Error) -> bool {
    const TOO_MANY_OPEN_FILES: [i32; 2] = [23, 24];
    matches!(error.kind(), std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::ConnectionReset)
        || error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code))
}

async fn connection(services: Arc<Services>, stream: TcpStream, stop: CancellationToken) {
    // Small answers should not wait for more to send; a socket that refuses is as good.
    let _slower = stream.set_nodelay(true);
    let service = service_fn(move |request| Arc::clone(&services).answer(request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

#[cfg(test)]
mod tests;
