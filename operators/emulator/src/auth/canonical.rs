//! The canonical form of a request: the text that a signature is made over.

use std::fmt::Write as _;

use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::digest::sha256_hex;

/// What stands as it is in a query.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands as it is in a path.
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// The parameters of a request's query, decoded, in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of a request; none when it is not UTF-8. A `+` is a blank, as in what forms send: some clients write
    /// blanks so, and sign them as `%20`.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
        });
        pairs.collect::<Option<Vec<_>>>().map(Self)
    }

    /// Returns the first parameter of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether there is a parameter of a name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Decodes `%XX`; none when the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Encodes a text for a place in a path or URL; `/` stays.
pub(crate) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}

/// Returns a header as text, those of one name joined by commas.
pub(crate) fn header_value(parts: &Parts, name: &str) -> Option<String> {
    let values: Vec<&str> =
        parts.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect::<Option<Vec<_>>>()?;
    (!values.is_empty()).then(|| values.join(","))
}

/// Writes the canonical request.
///
/// # Errors
/// The name of a signed header that the request does not have.
pub(super) fn request(parts: &Parts, query: &Query, signed: &[String], payload: &str) -> Result<String, String> {
    let path = decode(parts.uri.path()).unwrap_or_else(|| parts.uri.path().to_owned());
    let mut pairs: Vec<(String, String)> = query
        .0
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| {
            (utf8_percent_encode(name, IN_QUERY).to_string(), utf8_percent_encode(value, IN_QUERY).to_string())
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut text = format!("{}\n{}\n{}\n", parts.method, encode_path(&path), pairs.join("&"));
    let mut names = signed.to_vec();
    names.sort();
    for name in &names {
        let value = header_value(parts, name).ok_or_else(|| name.clone())?;
        // Runs of blanks count as one.
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        // Writing into a string cannot fail.
        let _infallible = writeln!(text, "{name}:{value}");
    }
    let _infallible = write!(text, "\n{}\n{payload}", names.join(";"));
    Ok(text)
}

/// Returns the SHA-256 of nothing, in hexadecimal digits.
pub(super) fn empty_sha256() -> String {
    sha256_hex(b"")
}
