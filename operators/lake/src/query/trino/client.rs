//! Trino's REST protocol: a statement is posted, its answers are fetched one after the other, and it is deleted when it is
//! not wanted any more (<https://trino.io/docs/476/develop/client-protocol.html>).
//!
//! A posted statement runs only when its first answer is asked for
//! (<https://github.com/trinodb/trino/blob/476/core/trino-main/src/main/java/io/trino/dispatcher/QueuedStatementResource.java>,
//! `submitIfNeeded`), and every answer may be asked for once more until the next one is. So every call here may be repeated: a
//! post whose answer was lost has run nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{RequestBuilder, StatusCode, Url};

use super::page::{Page, PageColumn};
use super::settings::{TrinoLogin, TrinoSettings};
use crate::aws::Reach;
use crate::aws::error::root_cause;
use crate::error::{Error, ErrorKind, Result};

/// What the queries of suiro are told apart by in Trino's list, and in the rules of resource groups.
pub(super) const SOURCE: &str = "suiro";

/// The same of what suiro asks about queries, which is no query of a user.
const SOURCE_OF_QUESTIONS: &str = "suiro-questions";

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long Trino may think before it answers: it holds an answer back for a second at most when there is nothing new, and
/// what stands before it may add to that.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause before the first repetition; the documentation names 50 to 100 milliseconds. Each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often a call is tried while a query lives: for two minutes with these pauses. Trino gives a query up when its client
/// has not been heard of for five (`query.client.timeout`).
const TRIES: u32 = 18;

/// How long that takes.
const LONGEST_TRYING: Duration = Duration::from_mins(2);

/// How often a statement is posted when nobody answers at all: for three seconds, because a wrong address should be told soon.
const CONNECTING_TRIES: u32 = 6;

/// How long that takes.
const LONGEST_CONNECTING: Duration = Duration::from_secs(3);

const OPERATION: &str = "ask Trino";

/// A client of one coordinator. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    reach: Reach,
    statements: Url,
    settings: Arc<TrinoSettings>,
}

/// A statement to post.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// The text.
    pub(super) text: String,
    /// The database of unqualified tables.
    pub(super) database: String,
    /// The name of the effect, among the tags that Trino shows of the query; none for a question of ours.
    pub(super) token: Option<String>,
    /// Session properties besides those of the settings.
    pub(super) session: Vec<(String, String)>,
}

impl Client {
    /// Makes a client; nothing is sent.
    ///
    /// # Errors
    /// `InvalidInput` for settings that cannot be used; `External` for a file of certificates that cannot be read.
    pub(super) fn open(settings: TrinoSettings, reach: Reach) -> Result<Self> {
        settings.check()?;
        let wrong = |error: &dyn std::error::Error| {
            let made = Error::new(ErrorKind::InvalidInput, "open Trino", format!("cannot open Trino: {error}"));
            made.with("url", &settings.url)
        };
        let mut builder = reqwest::Client::builder()
            .use_rustls_tls()
            .user_agent(concat!("suiro/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = &settings.ca_file {
            let text = std::fs::read(file).map_err(|error| Error::io("read the certificates", file, error))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&text).map_err(|error| wrong(&error))? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let http = builder.build().map_err(|error| wrong(&error))?;
        let base = Url::parse(&format!("{}/", settings.url.trim_end_matches('/'))).map_err(|error| wrong(&error))?;
        let statements = base.join("v1/statement").map_err(|error| wrong(&error))?;
        Ok(Self { http, reach, statements, settings: Arc::new(settings) })
    }

    /// Returns what it was opened with.
    pub(super) fn settings(&self) -> &TrinoSettings {
        &self.settings
    }

    /// Posts a statement; returns the first answer, which holds no rows yet. The statement runs when the next answer is asked
    /// for.
    ///
    /// # Errors
    /// `External` when Trino cannot be reached; `PermissionDenied` when it does not let the user in.
    pub(super) async fn post(&self, statement: &Statement) -> Result<Page> {
        let headers = self.headers(statement)?;
        let request = || self.http.post(self.statements.clone()).headers(headers.clone()).body(statement.text.clone());
        let answer = self.sent(CONNECTING_TRIES, request).await?;
        match answer.status {
            // There is no query yet that Trino could not know.
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => {
                Err(self.no_trino(&answer.status))
            }
            _ => self.page(&answer),
        }
    }

    /// Asks for the answer at an address that an answer named.
    ///
    /// # Errors
    /// As [`Client::post`]; `NotFound` when Trino does not know the query any more.
    pub(super) async fn next(&self, address: &str) -> Result<Page> {
        let address = self.trusted(address)?;
        let answer = self.sent(TRIES, || self.http.get(address.clone())).await?;
        self.page(&answer)
    }

    /// Says that the answers at an address are not wanted: Trino stops the query.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(super) async fn delete(&self, address: &str) -> Result<()> {
        let address = self.trusted(address)?;
        let answer = self.sent(TRIES, || self.http.delete(address.clone())).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            // It has ended meanwhile.
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            _ => Err(self.refused(&answer)),
        }
    }

    /// Runs a question of ours to its end, and returns all of its answer.
    ///
    /// # Errors
    /// As [`Client::post`], and the question's own.
    pub(super) async fn ask(
        &self,
        text: &str,
        database: &str,
    ) -> Result<(Vec<PageColumn>, Vec<Vec<serde_json::Value>>)> {
        let statement =
            Statement { text: text.to_owned(), database: database.to_owned(), token: None, session: Vec::new() };
        let mut page = self.post(&statement).await?;
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        loop {
            if let Some(error) = &page.error {
                return Err(super::failure::of(error).with("query", page.id));
            }
            if let Some(found) = page.columns.take() {
                columns = found;
            }
            rows.extend(page.data.take().unwrap_or_default());
            match page.next_uri {
                Some(address) => page = self.next(&address).await?,
                None => return Ok((columns, rows)),
            }
        }
    }

    fn headers(&self, statement: &Statement) -> Result<HeaderMap> {
        let settings = &self.settings;
        let session: Vec<String> = settings
            .session_properties
            .iter()
            .chain(statement.session.iter().map(|(name, value)| (name, value)))
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let source = if statement.token.is_some() { SOURCE } else { SOURCE_OF_QUESTIONS };
        let tags = statement.token.as_ref().map_or_else(|| SOURCE.to_owned(), |token| format!("{SOURCE},{token}"));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-trino-source", source),
            ("x-trino-catalog", settings.catalog.as_str()),
            ("x-trino-schema", statement.database.as_str()),
            // As Athena: the answer must not depend on where a coordinator stands.
            ("x-trino-time-zone", "UTC"),
            ("x-trino-client-tags", &tags),
            // Without it every time has three digits.
            ("x-trino-client-capabilities", "PARAMETRIC_DATETIME"),
            ("x-trino-session", &session.join(",")),
        ] {
            let value = HeaderValue::from_str(value).map_err(|_| {
                let message = format!("`{}` cannot be sent to Trino", value.escape_debug());
                Error::new(ErrorKind::InvalidInput, OPERATION, message)
            })?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    /// Reads an address of an answer. It must lead where the settings lead, when a secret is sent along.
    fn trusted(&self, address: &str) -> Result<Url> {
        let url = Url::parse(address).map_err(|error| {
            Error::new(ErrorKind::External, OPERATION, format!("Trino named the address `{address}`: {error}"))
        })?;
        if self.settings.login != TrinoLogin::Nothing && url.origin() != self.statements.origin() {
            let message = format!(
                "Trino names another place for its answers than `{}`: `{}`; the password is not sent there",
                self.settings.url,
                url.origin().ascii_serialization()
            );
            return Err(Error::new(ErrorKind::External, OPERATION, message)
                .help("behind a proxy set `http-server.process-forwarded=true` in Trino's config.properties"));
        }
        Ok(url)
    }

    /// Reads an answer.
    fn page(&self, answer: &Answer) -> Result<Page> {
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map_err(|error| self.no_trino(&error)),
            _ => Err(self.refused(answer)),
        }
    }

    /// Makes the error of somebody who is not Trino.
    fn no_trino(&self, why: &dyn std::fmt::Display) -> Error {
        let message = format!("what `{}` answers is not Trino's: {why}", self.settings.url);
        Error::new(ErrorKind::External, OPERATION, message)
            .help("look at `url` of the profile: it is the address of a coordinator of Trino")
    }

    /// Returns the `url` that an answer leads to, when it sends its client elsewhere.
    fn elsewhere(&self, answer: &Answer) -> Option<String> {
        let place = self.statements.join(answer.location.as_deref()?).ok()?;
        let place = place.as_str();
        Some(place.strip_suffix("v1/statement").unwrap_or(place).trim_end_matches('/').to_owned())
    }

    /// Sends a request until somebody answers who is not busy.
    async fn sent(&self, connecting: u32, request: impl Fn() -> RequestBuilder) -> Result<Answer> {
        let settings = &self.settings;
        let mut pause = FIRST_PAUSE;
        let mut tried = 1;
        loop {
            let request = request().header("x-trino-user", &settings.user);
            let request = match &settings.login {
                TrinoLogin::Nothing => request,
                TrinoLogin::Password(password) => request.basic_auth(&settings.user, Some(password.reveal())),
                TrinoLogin::Jwt(token) => request.bearer_auth(token.reveal()),
            };
            let failed = match answer(request).await {
                Ok(answer) if !is_busy(answer.status) => {
                    self.reach.answered();
                    return Ok(answer);
                }
                Ok(answer) if tried >= TRIES => return Err(self.refused(&answer).retryable()),
                Ok(answer) => {
                    self.reach.tell(tried + 1, LONGEST_TRYING, &format!("it answers {}", answer.status));
                    None
                }
                Err(error) => Some(error),
            };
            if let Some(error) = failed {
                let most = if error.is_connect() { connecting } else { TRIES };
                if tried >= most || error.is_builder() {
                    return Err(self.unreachable(error));
                }
                let patience = if most == TRIES { LONGEST_TRYING } else { LONGEST_CONNECTING };
                self.reach.tell(tried + 1, patience, &root_cause(&error));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tried += 1;
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        let cause = root_cause(&error);
        let is_certificate = cause.contains("certificate") || cause.contains("UnknownIssuer");
        let made = Error::new(
            ErrorKind::External,
            OPERATION,
            format!("cannot reach Trino at `{}`: {}", self.settings.url, cause.trim_end_matches('.')),
        )
        .retryable()
        .source(error.without_url());
        if is_certificate {
            made.help("name the file of the authority that signed Trino's certificate: `ca_file` of the profile")
        } else {
            made.help("look at `url` of the profile, and whether Trino runs")
        }
    }

    fn refused(&self, answer: &Answer) -> Error {
        let status = answer.status;
        let text = String::from_utf8_lossy(&answer.body);
        let said = text.lines().next().unwrap_or_default().trim();
        let said: String = if said.starts_with(['<', '{']) { String::new() } else { said.chars().take(200).collect() };
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let user = &self.settings.user;
        let made = |kind, message: String| Error::new(kind, OPERATION, message).with("url", &self.settings.url);
        match status {
            StatusCode::UNAUTHORIZED => {
                made(ErrorKind::PermissionDenied, format!("Trino does not let the user `{user}` in{said}"))
                    .help("look at `user`, and at the variable that `password_env` or `jwt_env` of the profile names")
            }
            StatusCode::FORBIDDEN => {
                made(ErrorKind::PermissionDenied, format!("Trino does not let the user `{user}` do this{said}"))
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                made(ErrorKind::NotFound, format!("Trino does not know the query (any more){said}"))
            }
            _ if status.is_redirection() => match self.elsewhere(answer) {
                Some(place) => {
                    let message = format!("`{}` leads to `{place}` ({status})", self.settings.url);
                    made(ErrorKind::External, message).help(format!("set `url: {place}` in the profile"))
                }
                None => made(ErrorKind::External, format!("Trino answered {status}{said}"))
                    .help("look at `url` of the profile: it is the address of a coordinator of Trino"),
            },
            _ => made(ErrorKind::External, format!("Trino answered {status}{said}")),
        }
    }
}

/// What was answered.
struct Answer {
    status: StatusCode,
    /// Where it sends its client instead.
    location: Option<String>,
    body: Bytes,
}

/// Sends a request, and waits for all of its answer.
async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let location = response.headers().get(LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned);
    Ok(Answer { status: response.status(), location, body: response.bytes().await? })
}

/// Tells whether the same request may be let in later.
fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

#[cfg(test)]
mod tests;
