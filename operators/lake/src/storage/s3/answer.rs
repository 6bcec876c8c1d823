//! Answers whose text is what was asked for are read to their end before they count: lists, errors, what a POST says.
//!
//! `object_store` repeats a request that nobody answered, and reads on where an object broke off. An answer that breaks off
//! anywhere else it passes on as an error, also that of an object that is not there.

use std::fmt;

use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse};

use crate::aws::error::{cause_of, root_cause};

/// How often a request is repeated whose answer breaks off.
pub(super) const REPEATS: u32 = 5;

/// What an answer that breaks off means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nothing was changed: the request may be sent again.
    Repeat,
    /// It was carried out, and what became of it is unknown, as if the answer had been lost.
    Lost,
    /// Nobody needs it, or whoever reads it reads on elsewhere.
    Passed,
}

/// What was asked, as far as it says what an answer is for.
#[derive(Debug)]
pub(super) struct Asked {
    method: String,
    lists: bool,
    copies: bool,
}

/// An answer that broke off.
#[derive(Debug)]
pub(crate) struct BrokenOff {
    error: HttpError,
    is_lost: bool,
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer broke off: {}", root_cause(&self.error))
    }
}

impl std::error::Error for BrokenOff {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl BrokenOff {
    /// Tells whether the request may be sent again. One that ran out of time would again.
    pub(super) fn may_be_repeated(&self) -> bool {
        !self.is_lost && self.error.kind() != HttpErrorKind::Timeout
    }

    /// Makes the error for the store, which repeats what was lost if that may be done twice.
    pub(super) fn into_error(self) -> HttpError {
        let kind = if self.is_lost { HttpErrorKind::Interrupted } else { HttpErrorKind::Unknown };
        HttpError::new(kind, self)
    }
}

impl Asked {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self {
            method: request.method().to_string(),
            lists: query.split('&').any(|pair| pair.starts_with("list-type=")),
            copies: request.headers().contains_key("x-amz-copy-source"),
        }
    }

    /// Reads an answer whose text counts.
    pub(super) async fn whole(&self, answer: HttpResponse) -> Result<HttpResponse, BrokenOff> {
        let status = answer.status();
        let meaning = self.meaning(status.is_success(), status.is_client_error());
        if meaning == Meaning::Passed {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        match body.bytes().await {
            Ok(bytes) => Ok(HttpResponse::from_parts(head, bytes.into())),
            Err(error) => Err(BrokenOff { error, is_lost: meaning == Meaning::Lost }),
        }
    }

    fn meaning(&self, is_success: bool, is_refusal: bool) -> Meaning {
        match (is_success, self.method.as_str()) {
            _ if is_refusal => Meaning::Repeat,
            (true, "GET") if self.lists => Meaning::Repeat,
            (true, "POST") => Meaning::Lost,
            (true, "PUT") if self.copies => Meaning::Lost,
            // An object is read on by the store; all of a PUT's answer is in its head; a failure of S3 is repeated unread.
            _ => Meaning::Passed,
        }
    }
}

/// Tells whether an answer broke off, also that of an object which the store could not read on.
pub(super) fn broke_off(error: &(dyn std::error::Error + 'static)) -> bool {
    cause_of::<BrokenOff>(error).is_some()
        || cause_of::<reqwest::Error>(error).is_some_and(|error| error.is_body() || error.is_decode())
}
