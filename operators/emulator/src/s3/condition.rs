//! Conditions and ranges: `If-Match` and its kin, `Range`.

use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{no_such_key, precondition_failed};
use crate::auth::canonical::header_value;
use crate::error::{ApiError, ApiResult};

/// What conditions are about: an object that is there.
#[derive(Debug, Clone)]
pub(super) struct State<'s> {
    /// Its `ETag`, without quotes.
    pub(super) etag: &'s str,
    /// When it was last changed.
    pub(super) modified: Timestamp,
}

/// Writes a time as headers do.
pub(super) fn http_time(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Writes a time as XML does.
pub(super) fn iso_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Reads a time of a header; none for one that is none, which is passed over (RFC 9110, 13.1.3).
fn parse_time(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text.trim()).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Tells whether a list of `ETag`s names one; `*` names all.
fn names(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|item| {
        let item = item.strip_prefix("W/").unwrap_or(item);
        item == "*" || item.trim_matches('"') == etag
    })
}

/// Checks the conditions on an object that is read, in the order of RFC 9110, 13.2.2.
pub(super) fn check_read(parts: &Parts, state: &State<'_>) -> ApiResult<()> {
    check(parts, state, ["if-match", "if-unmodified-since", "if-none-match", "if-modified-since"], true)
}

/// Checks the conditions on the source of a copy.
pub(super) fn check_source(parts: &Parts, state: &State<'_>) -> ApiResult<()> {
    let names = [
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-unmodified-since",
        "x-amz-copy-source-if-none-match",
        "x-amz-copy-source-if-modified-since",
    ];
    check(parts, state, names, false)
}

fn check(parts: &Parts, state: &State<'_>, headers: [&str; 4], reads: bool) -> ApiResult<()> {
    let [matches, unmodified, none_match, modified] = headers.map(|name| header_value(parts, name));
    // Headers have whole seconds.
    let second = state.modified.as_second();
    if let Some(list) = matches {
        if !names(&list, state.etag) {
            return Err(precondition_failed());
        }
    } else if unmodified.as_deref().and_then(parse_time).is_some_and(|time| second > time.as_second()) {
        return Err(precondition_failed());
    }
    let unchanged = match none_match {
        Some(list) => names(&list, state.etag),
        None => modified.as_deref().and_then(parse_time).is_some_and(|time| second <= time.as_second()),
    };
    match unchanged {
        false => Ok(()),
        true if reads && matches!(parts.method, Method::GET | Method::HEAD) => {
            Err(ApiError::new(StatusCode::NOT_MODIFIED, "NotModified", "Not Modified"))
        }
        true => Err(precondition_failed()),
    }
}

/// Checks the conditions on an object that is written: `If-None-Match: *` makes it, `If-Match` replaces one that is known.
pub(super) fn check_write(parts: &Parts, etag: Option<&str>) -> ApiResult<()> {
    if let Some(list) = header_value(parts, "if-none-match") {
        if list.trim() != "*" {
            return Err(ApiError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                "a write takes `If-None-Match: *` only",
            ));
        }
        if etag.is_some() {
            return Err(precondition_failed());
        }
    }
    match (header_value(parts, "if-match"), etag) {
        (Some(list), Some(etag)) if !names(&list, etag) => Err(precondition_failed()),
        (Some(_), None) => Err(no_such_key()),
        _ => Ok(()),
    }
}

/// The bytes of an object that are wanted: from, and the first one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Range {
    /// Reads a header such as `bytes=0-9`, `bytes=10-` or `bytes=-10` (the last ten) for an object of a length.
    ///
    /// None for a header that is none or has several ranges: the whole object is meant then, as S3 answers.
    pub(super) fn parse(text: &str, length: u64) -> ApiResult<Option<Self>> {
        let Some((from, to)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Ok(None);
        };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let range = match (from.trim(), to.trim()) {
            ("", last) => match number(last) {
                None => return Ok(None),
                Some(last) => Self { from: length.saturating_sub(last), to: length },
            },
            (from, "") => match number(from) {
                None => return Ok(None),
                Some(from) => Self { from, to: length },
            },
            (from, to) => match (number(from), number(to)) {
                (Some(from), Some(to)) if from <= to => Self { from, to: to.saturating_add(1).min(length) },
                _ => return Ok(None),
            },
        };
        if range.from >= range.to {
            return Err(ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "InvalidRange",
                format!("The requested range is not satisfiable: the object has {length} bytes"),
            ));
        }
        Ok(Some(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (text, expected) in [
            ("bytes=0-9", Some((0, 10))),
            ("bytes=90-", Some((90, 100))),
            ("bytes=-10", Some((90, 100))),
            ("bytes=-1000", Some((0, 100))),
            ("bytes=50-1000", Some((50, 100))),
            ("bytes=99-99", Some((99, 100))),
            ("bytes=5-4", None),
            ("bytes=0-1,3-4", None),
            ("bytes=x-", None),
            ("lines=1-2", None),
        ] {
            let found = Range::parse(text, 100).unwrap().map(|range| (range.from, range.to));
            assert_eq!(found, expected, "{text}");
        }
        for (text, length) in [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)] {
            assert_eq!(Range::parse(text, length).unwrap_err().status, StatusCode::RANGE_NOT_SATISFIABLE, "{text}");
        }
    }

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().method(method).uri("/b/k");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn conditions_are_those_of_http() {
        let modified = Timestamp::from_second(1_700_000_000).unwrap();
        let state = State { etag: "abc", modified };
        let (now, before) = (http_time(modified), http_time(Timestamp::from_second(1_600_000_000).unwrap()));
        assert_eq!(now, "Tue, 14 Nov 2023 22:13:20 GMT");
        for (header, value, expected) in [
            ("if-match", "\"abc\"", 200),
            ("if-match", "\"x\", \"abc\"", 200),
            ("if-match", "\"x\"", 412),
            ("if-none-match", "\"abc\"", 304),
            ("if-none-match", "*", 304),
            ("if-none-match", "\"x\"", 200),
            ("if-modified-since", now.as_str(), 304),
            ("if-modified-since", before.as_str(), 200),
            ("if-modified-since", "yesterday", 200),
            ("if-unmodified-since", before.as_str(), 412),
            ("if-unmodified-since", now.as_str(), 200),
        ] {
            let status = check_read(&parts("GET", &[(header, value)]), &state)
                .map_or_else(|error| error.status.as_u16(), |()| 200);
            assert_eq!(status, expected, "{header}: {value}");
        }
        let both = parts("GET", &[("if-match", "\"abc\""), ("if-unmodified-since", &before)]);
        check_read(&both, &state).unwrap();
    }

    #[test]
    fn a_write_may_ask_for_what_is_there() {
        let put = |headers: &[(&str, &str)], etag| {
            check_write(&parts("PUT", headers), etag).map_err(|error| error.status.as_u16())
        };
        assert_eq!(put(&[("if-none-match", "*")], None), Ok(()));
        assert_eq!(put(&[("if-none-match", "*")], Some("abc")), Err(412));
        assert_eq!(put(&[("if-none-match", "\"abc\"")], None), Err(501));
        assert_eq!(put(&[("if-match", "\"abc\"")], Some("abc")), Ok(()));
        assert_eq!(put(&[("if-match", "\"abc\"")], Some("x")), Err(412));
        assert_eq!(put(&[("if-match", "\"abc\"")], None), Err(404));
    }
}
