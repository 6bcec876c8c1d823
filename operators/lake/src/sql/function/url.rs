//! Parts of URLs, read as Java's `java.net.URI` does (RFC 2396 with its deviations), and URL encoding of text.
//!
//! What is no URI has no parts: NULL. A part that a URI does not have is the empty text.

use std::net::Ipv6Addr;
use std::ops::Range;

use arrow::datatypes::Int64Type;

use super::kernel::{Evaluated, each, form, invalid, text, typed};
use super::string::bounded;
use super::{Argument, Call, EvalError, Function};
use crate::sql::types::Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "url_extract_protocol", overloads: &[form("(varchar(x)) -> varchar(x)", protocol)] },
    Function { name: "url_extract_host", overloads: &[form("(varchar(x)) -> varchar(x)", host)] },
    Function { name: "url_extract_port", overloads: &[form("(varchar(x)) -> bigint", port)] },
    Function { name: "url_extract_path", overloads: &[form("(varchar(x)) -> varchar(x)", path)] },
    Function { name: "url_extract_query", overloads: &[form("(varchar(x)) -> varchar(x)", query)] },
    Function { name: "url_extract_fragment", overloads: &[form("(varchar(x)) -> varchar(x)", fragment)] },
    Function { name: "url_extract_parameter", overloads: &[form("(varchar(x), varchar(y)) -> varchar(x)", parameter)] },
    Function { name: "url_encode", overloads: &[typed("(varchar(x)) -> varchar", encoded_type, encode)] },
    Function { name: "url_decode", overloads: &[form("(varchar(x)) -> varchar(x)", decode)] },
];

/// The parts of a URI, as written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<i32>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: &'a str,
}

/// What characters a part may have.
#[derive(Clone, Copy)]
struct Allowed {
    /// Beside ASCII letters and digits.
    others: &'static str,
    /// Whether `%` and two digits, and visible characters beyond ASCII, are allowed.
    escapes: bool,
    letters: bool,
    digits: bool,
}

const URIC: Allowed = Allowed { others: ";/?:@&=+$,[]-_.!~*'()", escapes: true, letters: true, digits: true };
const PATH: Allowed = Allowed { others: ":@&=+$,;/-_.!~*'()", ..URIC };
const USER: Allowed = Allowed { others: ";:&=+$,-_.!~*'()", ..URIC };
const REGISTRY: Allowed = Allowed { others: "$,;:@&=+-_.!~*'()", ..URIC };
const SERVER: Allowed = Allowed { others: ";:&=+$,-_.!~*'().:@[]%", ..URIC };
const SCHEME: Allowed = Allowed { others: "+-.", escapes: false, ..URIC };
const SCOPE: Allowed = Allowed { others: "_.", escapes: false, ..URIC };
const LABEL: Allowed = Allowed { others: "-", escapes: false, ..URIC };
const DIGITS: Allowed = Allowed { others: "", escapes: false, letters: false, digits: true };

/// A `%` that two hexadecimal digits do not follow: no URI, wherever it is.
struct BadEscape;

impl Allowed {
    /// How many bytes of a text have these characters.
    fn span(self, text: &str) -> Result<usize, BadEscape> {
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            let plain = (self.letters && character.is_ascii_alphabetic())
                || (self.digits && character.is_ascii_digit())
                || self.others.contains(character);
            if plain {
                continue;
            }
            if self.escapes && character == '%' {
                let hex = |next: Option<(usize, char)>| next.is_some_and(|(_, digit)| digit.is_ascii_hexdigit());
                if !hex(characters.next()) || !hex(characters.next()) {
                    return Err(BadEscape);
                }
                continue;
            }
            if self.escapes && !character.is_ascii() && !character.is_control() && !is_separator(character) {
                continue;
            }
            return Ok(at);
        }
        Ok(text.len())
    }

    /// Whether a whole text has these characters.
    fn all(self, text: &str) -> bool {
        self.span(text).is_ok_and(|span| span == text.len())
    }
}

/// Tells whether a character is a space, line or paragraph separator.
fn is_separator(character: char) -> bool {
    matches!(
        character,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Splits a text before the first of some characters.
fn split_before<'a>(text: &'a str, ends: &[char]) -> (&'a str, &'a str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Reads a URI; nothing when it is none.
fn parse(text: &str) -> Option<Uri<'_>> {
    let mut uri = Uri::default();
    let start = text.find([':', '/', '?', '#']).filter(|at| text[*at..].starts_with(':'));
    let rest = match start {
        Some(colon) => {
            uri.scheme = &text[..colon];
            if !uri.scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !SCHEME.all(uri.scheme) {
                return None;
            }
            let rest = &text[colon + 1..];
            if rest.starts_with('/') {
                hierarchical(rest, &mut uri)?
            } else {
                let (opaque, rest) = split_before(rest, &['#']);
                if opaque.is_empty() || !URIC.all(opaque) {
                    return None;
                }
                rest
            }
        }
        None => hierarchical(text, &mut uri)?,
    };
    if let Some(fragment) = rest.strip_prefix('#') {
        uri.fragment = fragment;
        return URIC.all(fragment).then_some(uri);
    }
    rest.is_empty().then_some(uri)
}

/// Reads an authority, a path and a query, and gives what follows.
fn hierarchical<'a>(text: &'a str, uri: &mut Uri<'a>) -> Option<&'a str> {
    let mut rest = text;
    if let Some(after) = text.strip_prefix("//") {
        let (authority, following) = split_before(after, &['/', '?', '#']);
        if authority.is_empty() {
            if following.is_empty() {
                return None;
            }
        } else {
            read_authority(authority, uri)?;
        }
        rest = following;
    }
    let (path, mut rest) = split_before(rest, &['?', '#']);
    if !PATH.all(path) {
        return None;
    }
    uri.path = path;
    if let Some(after) = rest.strip_prefix('?') {
        let (query, following) = split_before(after, &['#']);
        if !URIC.all(query) {
            return None;
        }
        uri.query = Some(query);
        rest = following;
    }
    Some(rest)
}

/// Reads an authority: a server's, with a host, or else a name of a registry, which has none.
fn read_authority<'a>(text: &'a str, uri: &mut Uri<'a>) -> Option<()> {
    let registry = REGISTRY.span(text).ok()? == text.len();
    if SERVER.span(text).ok()? == text.len()
        && let Some((host, port)) = server(text)
    {
        uri.host = &text[host];
        uri.port = port;
        return Some(());
    }
    registry.then_some(())
}

/// Finds the host and the port of a server's authority.
fn server(text: &str) -> Option<(Range<usize>, Option<i32>)> {
    let start = match text.find('@') {
        Some(at) if USER.all(&text[..at]) => at + 1,
        Some(_) => return None,
        None => 0,
    };
    let rest = &text[start..];
    let length = match rest.strip_prefix('[') {
        Some(inner) => bracketed(inner)? + 2,
        None => match address(rest) {
            Some(length) => length,
            None => hostname(rest)?,
        },
    };
    let host = start..start + length;
    match rest[length..].strip_prefix(':') {
        Some("") => Some((host, None)),
        Some(port) if DIGITS.all(port) => Some((host, Some(port.parse().ok()?))),
        None if rest.len() == length => Some((host, None)),
        _ => None,
    }
}

/// The length of an IPv6 address in brackets.
fn bracketed(inner: &str) -> Option<usize> {
    let end = inner.find(']')?;
    let (address, scope) = split_before(&inner[..end], &['%']);
    let scoped = scope.is_empty() || (scope.len() > 1 && SCOPE.all(&scope[1..]));
    (scoped && address.parse::<Ipv6Addr>().is_ok()).then_some(end)
}

/// The length of an IPv4 address at the start.
fn address(text: &str) -> Option<usize> {
    let length = text.find(|next: char| next != '.' && !next.is_ascii_digit()).unwrap_or(text.len());
    let parts: Vec<&str> = text[..length].split('.').collect();
    let bytes = parts.iter().all(|part| part.parse::<u32>().is_ok_and(|value| value <= 255));
    (parts.len() == 4 && bytes && (length == text.len() || text[length..].starts_with(':'))).then_some(length)
}

/// The length of a host's name at the start: labels of letters, digits and inner dashes, the last one with a letter
/// first unless it is the only one.
fn hostname(text: &str) -> Option<usize> {
    let (name, _) = split_before(text, &[':']);
    let labels = name.strip_suffix('.').unwrap_or(name);
    let mut last = None;
    for label in labels.split('.') {
        let edges = |edge: Option<char>| edge.is_some_and(|edge| edge.is_ascii_alphanumeric());
        if !LABEL.all(label) || !edges(label.chars().next()) || !edges(label.chars().next_back()) {
            return None;
        }
        last = Some(label);
    }
    let lettered = last?.starts_with(|first: char| first.is_ascii_alphabetic());
    (lettered || !labels.contains('.')).then_some(name.len())
}

/// Writes bytes as text, as Java decodes UTF-8: a lone surrogate is one replaced character.
fn write_decoded(bytes: &[u8], out: &mut String) {
    let mut rest = bytes;
    while let Some(at) = rest.windows(3).position(|three| matches!(three, [0xed, 0xa0..=0xbf, 0x80..=0xbf])) {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        out.push(char::REPLACEMENT_CHARACTER);
        rest = &rest[at + 3..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
}

/// The value of a hexadecimal digit.
fn hex(digit: Option<&u8>) -> Option<u8> {
    char::from(*digit?).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Writes a part with its escapes read; they are known to be well-formed.
fn write_unescaped(part: &str, plus_is_blank: bool, out: &mut String) {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes().iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (hex(rest.next()), hex(rest.next()));
                bytes.extend(high.zip(low).map(|(high, low)| high << 4 | low));
            }
            b'+' if plus_is_blank => bytes.push(b' '),
            _ => bytes.push(*byte),
        }
    }
    write_decoded(&bytes, out);
}

/// A part of each URL, written into a buffer.
fn extract(call: &Call<'_>, arguments: &[Argument], mut write: impl FnMut(&Uri<'_>, &mut String)) -> Evaluated {
    each(call, text(arguments, 0)?).text_or_null(|text, out| {
        let Some(uri) = parse(text) else { return Ok(None) };
        write(&uri, out);
        Ok(Some(()))
    })
}

fn protocol(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extract(call, arguments, |uri, out| out.push_str(uri.scheme))
}

fn host(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extract(call, arguments, |uri, out| out.push_str(uri.host))
}

fn path(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extract(call, arguments, |uri, out| write_unescaped(uri.path, false, out))
}

fn query(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extract(call, arguments, |uri, out| write_unescaped(uri.query.unwrap_or_default(), false, out))
}

fn fragment(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    extract(call, arguments, |uri, out| write_unescaped(uri.fragment, false, out))
}

fn port(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let ports = each(call, text(arguments, 0)?)
        .nullable::<Int64Type>(|text| Ok(parse(text).and_then(|uri| uri.port).map(i64::from)))?;
    Ok(std::sync::Arc::new(ports))
}

fn parameter(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text_or_null(|(text, name), out| {
        let Some(query) = parse(text).and_then(|uri| uri.query) else { return Ok(None) };
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key == name {
                write_unescaped(value, true, out);
                return Ok(Some(()));
            }
        }
        Ok(None)
    })
}

/// The longest a text can become: each character as four escaped bytes.
fn encoded_type(arguments: &[Type]) -> Option<Type> {
    let [Type::Varchar(length)] = arguments else { return None };
    Some(length.map_or(Type::Varchar(None), |length| bounded(u64::from(length) * 12)))
}

fn encode(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    each(call, text(arguments, 0)?).text(|text, out| {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
                b' ' => out.push('+'),
                _ => {
                    out.push('%');
                    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                    out.push(char::from(DIGITS[usize::from(byte & 15)]));
                }
            }
        }
        Ok(())
    })
}

fn decode(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    each(call, text(arguments, 0)?).text(|text, out| {
        check_escapes(text.as_bytes())?;
        write_unescaped(text, true, out);
        Ok(())
    })
}

/// Every `%` must have two hexadecimal digits behind it.
fn check_escapes(bytes: &[u8]) -> Result<(), EvalError> {
    let mut at = 0;
    while let Some(percent) = bytes[at..].iter().position(|byte| *byte == b'%').map(|found| at + found) {
        let Some(digits) = bytes.get(percent + 1..percent + 3) else {
            return Err(invalid("URLDecoder: Incomplete trailing escape (%) pattern"));
        };
        if let Some(digit) = digits.iter().find(|digit| !digit.is_ascii_hexdigit()) {
            return Err(invalid(format!(
                "URLDecoder: Illegal hex characters in escape (%) pattern - not a hexadecimal digit: \"{}\" = {digit}",
                char::from(*digit)
            )));
        }
        at = percent + 3;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error, text, value};
    use crate::sql::types::Type;

    fn of(name: &str, url: &str) -> String {
        value(name, 0, Type::Varchar(None), &[text(url)])
    }

    #[test]
    fn hosts_are_those_of_servers_only() {
        for (url, host) in [
            ("http://user:pw@[::1]:80/", "[::1]"),
            ("http://[::1%25eth0]/", "[::1%25eth0]"),
            ("http://[1:2]/", "null"),
            ("ftp://u@h.example/x", "h.example"),
            ("http://u@p@h/", ""),
            ("http://a_b.com/x", ""),
            ("http://-a.com", ""),
            ("http://a-/", ""),
            ("http://1.2.3.4/", "1.2.3.4"),
            ("http://1.2.3/", ""),
            ("http://256.1.1.1/", ""),
            ("http://a.1/", ""),
            ("http://a.b./", "a.b."),
            ("http://a..b/", ""),
            ("http://a.b:/", "a.b"),
            ("http://a.b:x/", ""),
            ("http://:80/", ""),
            ("http:///x", ""),
            ("http://", "null"),
            ("http://é.com/", ""),
            ("http://a%20b/", ""),
            ("//h/p", "h"),
            ("mailto:a@b", ""),
            ("not a url", "null"),
            ("http://exa mple.com/", "null"),
            ("a+b-c.d://h", "h"),
            ("", ""),
        ] {
            assert_eq!(of("url_extract_host", url), host, "{url}");
        }
    }

    #[test]
    fn paths_and_queries_are_unescaped() {
        for (url, path) in [
            ("https://e.com/caf%C3%A9/x%20y", "/café/x y"),
            ("http://e.com/a|b", "null"),
            ("http://e.com/a[1]", "null"),
            ("http://e.com/a%zz", "null"),
            ("http://e.com/a\u{a0}b", "null"),
            ("http://e.com/a#b#c", "null"),
            ("http:", "null"),
            (":a", "null"),
            ("?x=1", ""),
            ("//a", ""),
            ("a:b/c", ""),
            ("./a:b", "./a:b"),
            ("http://e.com//a/../b/./c", "//a/../b/./c"),
        ] {
            assert_eq!(of("url_extract_path", url), path, "{url}");
        }
        assert_eq!(of("url_extract_query", "/a/b?c=%3D"), "c==");
        assert_eq!(of("url_extract_query", "mailto:a@b?x=1"), "");
        assert_eq!(of("url_extract_query", "http://e.com/?a=[1]"), "a=[1]");
        assert_eq!(of("url_extract_fragment", "http://e.com/é?x=é#é%41"), "éA");
        assert_eq!(of("url_extract_protocol", "1a://h"), "null");
    }

    #[test]
    fn ports_and_parameters_may_be_missing() {
        let port = |url| value("url_extract_port", 0, Type::Bigint, &[text(url)]);
        assert_eq!(port("http://a.b:99999/"), "99999");
        assert_eq!(port("http://a.b:99999999999/"), "null");
        let parameter = |url, name| value("url_extract_parameter", 0, Type::Varchar(None), &[text(url), text(name)]);
        assert_eq!(parameter("http://e.com/?a=b=c", "a"), "b=c");
        assert_eq!(parameter("http://e.com/?a=x+y&b", "a"), "x y");
        assert_eq!(parameter("http://e.com/?a=x+y&b", "b"), "");
        assert_eq!(parameter("http://e.com/?%61=1", "a"), "null");
        assert_eq!(parameter("http://e.com/?=1", ""), "1");
    }

    #[test]
    fn escapes_are_checked_when_decoded() {
        assert_eq!(of("url_encode", "a b&c=d/é*~"), "a+b%26c%3Dd%2F%C3%A9*%7E");
        assert_eq!(of("url_decode", "%FF%41+%e2%82%ac"), "\u{fffd}A €");
        assert_eq!(
            error("url_decode", 0, Type::Varchar(None), &[text("%zz")]),
            "INVALID_FUNCTION_ARGUMENT: URLDecoder: Illegal hex characters in escape (%) pattern - not a hexadecimal \
             digit: \"z\" = 122"
        );
        assert_eq!(
            error("url_decode", 0, Type::Varchar(None), &[text("a%2")]),
            "INVALID_FUNCTION_ARGUMENT: URLDecoder: Incomplete trailing escape (%) pattern"
        );
    }
}
