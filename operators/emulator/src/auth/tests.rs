//! The examples of AWS's own documentation, and what must not get through.

use std::fmt::Write as _;

use hyper::Request;
use lake::clock::ManualClock;

use super::canonical::Query;
use super::chunked::{ChunkError, Decoder};
use super::*;

const TIME: &str = "20130524T000000Z";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

/// The gate of the documentation's account, so many seconds after its examples were signed.
fn gate(seconds: i64) -> Gate {
    let now = parse_time(TIME).unwrap().as_second() + seconds;
    let clock = ManualClock::new(Timestamp::from_second(now).unwrap());
    let credentials = Credentials {
        access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
    };
    Gate::new(Some(credentials), "us-east-1", Arc::new(clock))
}

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// A request with a signature in its header.
fn signed(method: &str, uri: &str, headers: &[(&str, &str)], names: &str, signature: &str) -> Parts {
    let authorization =
        format!("{ALGORITHM} Credential=AKIAIOSFODNN7EXAMPLE/{SCOPE},SignedHeaders={names},Signature={signature}");
    let mut all = headers.to_vec();
    all.extend([("x-amz-date", TIME), ("authorization", authorization.as_str())]);
    parts(method, uri, &all)
}

fn check(gate: &Gate, parts: &Parts) -> Result<Option<ChunkSigner>, Refusal> {
    let payload = header_value(parts, "x-amz-content-sha256").unwrap_or_else(|| UNSIGNED_PAYLOAD.to_owned());
    gate.check(Service::S3, parts, &Query::of(parts).unwrap(), &payload)
}

const HOST: (&str, &str) = ("host", "examplebucket.s3.amazonaws.com");
const NAMES: &str = "host;x-amz-content-sha256;x-amz-date";

fn get_object() -> Parts {
    signed(
        "GET",
        "/test.txt",
        &[HOST, ("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY)],
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[test]
fn the_documentations_requests_are_let_in() {
    let put = signed(
        "PUT",
        "/test$file.text",
        &[
            HOST,
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
        ],
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    let lifecycle = signed(
        "GET",
        "/?lifecycle",
        &[HOST, ("x-amz-content-sha256", EMPTY)],
        NAMES,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    let list = signed(
        "GET",
        "/?max-keys=2&prefix=J",
        &[HOST, ("x-amz-content-sha256", EMPTY)],
        NAMES,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    for parts in [get_object(), put, lifecycle, list] {
        check(&gate(60), &parts).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", parts.uri));
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
fn presigned() -> Parts {
    parts(
        "GET",
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3\
         %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\
         aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        &[HOST],
    )
}

#[test]
fn a_presigned_url_holds_for_its_time() {
    check(&gate(86_400), &presigned()).unwrap();
    assert_eq!(check(&gate(86_401), &presigned()).unwrap_err(), Refusal::Expired);
    assert_eq!(check(&gate(-901), &presigned()).unwrap_err(), Refusal::Skewed);
}

#[test]
fn what_was_changed_is_not_let_in() {
    let change = |with: &dyn Fn(&mut Parts)| {
        let mut parts = get_object();
        with(&mut parts);
        check(&gate(0), &parts).unwrap_err()
    };
    assert_eq!(change(&|parts| parts.method = hyper::Method::DELETE), Refusal::Mismatch);
    assert_eq!(change(&|parts| parts.uri = "/other.txt".parse().unwrap()), Refusal::Mismatch);
    assert_eq!(change(&|parts| parts.uri = "/test.txt?uploads".parse().unwrap()), Refusal::Mismatch);
    for (name, value) in [("host", "other"), ("range", "bytes=0-99"), ("x-amz-content-sha256", UNSIGNED_PAYLOAD)] {
        assert_eq!(
            change(&|parts| {
                parts.headers.insert(name, value.parse().unwrap());
            }),
            Refusal::Mismatch,
            "{name}"
        );
    }
    assert_eq!(
        change(&|parts| {
            parts.headers.remove("range");
        }),
        Refusal::Malformed("the signed header `range` is not in the request".to_owned())
    );
    let added = change(&|parts| {
        parts.headers.insert("x-amz-copy-source", "/b/k".parse().unwrap());
    });
    assert_eq!(added, Refusal::Malformed("the header `x-amz-copy-source` is not signed".to_owned()));
    assert_eq!(
        change(&|parts| {
            parts.headers.remove("authorization");
        }),
        Refusal::Missing
    );

    let mut presigned = presigned();
    presigned.uri = presigned.uri.to_string().replace("86400", "86401").parse().unwrap();
    assert_eq!(check(&gate(0), &presigned).unwrap_err(), Refusal::Mismatch);
}

#[test]
fn another_key_time_or_service_is_not_let_in() {
    assert_eq!(check(&gate(901), &get_object()).unwrap_err(), Refusal::Skewed);
    let replaced = |from: &str, to: &str| {
        let mut parts = get_object();
        let text = header_value(&parts, "authorization").unwrap().replace(from, to);
        parts.headers.insert("authorization", text.parse().unwrap());
        check(&gate(0), &parts).unwrap_err()
    };
    assert_eq!(replaced("AKIAIOSFODNN7EXAMPLE", "other"), Refusal::UnknownKey("other".to_owned()));
    assert_eq!(replaced("f0e8", "f0e9"), Refusal::Mismatch);
    assert!(matches!(replaced("/s3/", "/glue/"), Refusal::Malformed(_)));
    assert!(matches!(replaced("aws4_request", "x"), Refusal::Malformed(_)));
    assert!(matches!(replaced("SignedHeaders=host;", "SignedHeaders="), Refusal::Malformed(_)));
    assert!(matches!(replaced("20130524/", "20130525/"), Refusal::Malformed(_)));
    assert!(matches!(replaced("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 "), Refusal::Malformed(_)));
    let outdated = parts("GET", "/test.txt?AWSAccessKeyId=id&Signature=x&Expires=1", &[HOST]);
    assert_eq!(check(&gate(0), &outdated).unwrap_err(), Refusal::Outdated);
    let outdated = parts("GET", "/test.txt", &[HOST, ("authorization", "AWS id:signature")]);
    assert_eq!(check(&gate(0), &outdated).unwrap_err(), Refusal::Outdated);
    assert!(Gate::new(None, "us-east-1", Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH))).is_open());
}

#[test]
fn a_secret_is_never_printed() {
    assert!(!format!("{:?}", gate(0)).contains("wJalrX"));
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
fn streaming() -> (Parts, Vec<u8>) {
    let parts = signed(
        "PUT",
        "/examplebucket/chunkObject.txt",
        &[
            ("host", "s3.amazonaws.com"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("x-amz-decoded-content-length", "66560"),
        ],
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let mut body = String::new();
    for (length, signature) in [
        (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ] {
        write!(body, "{length:x};chunk-signature={signature}\r\n{}\r\n", "a".repeat(length)).unwrap();
    }
    assert_eq!(body.len(), 66_824);
    (parts, body.into_bytes())
}

/// The names and values of trailers.
type Trailers = Vec<(String, String)>;

/// Decodes a body that comes in pieces of a length.
fn decode(mut decoder: Decoder, body: &[u8], length: usize) -> Result<(Vec<u8>, Trailers), ChunkError> {
    let mut decoded = Vec::new();
    for piece in body.chunks(length) {
        for bytes in decoder.push(piece)? {
            decoded.extend_from_slice(&bytes);
        }
    }
    Ok((decoded, decoder.finish()?))
}

#[test]
fn signed_pieces_are_checked_one_by_one() {
    let (parts, body) = streaming();
    let signer = check(&gate(0), &parts).unwrap();
    for length in [1, 7, 4096, body.len()] {
        let (decoded, trailers) = decode(Decoder::new(signer.clone(), true), &body, length).unwrap();
        assert_eq!((decoded.len(), trailers), (66_560, Vec::new()));
        assert!(decoded.iter().all(|byte| *byte == b'a'));
    }
    let mut changed = body.clone();
    changed[100] = b'b';
    assert_eq!(decode(Decoder::new(signer.clone(), true), &changed, 4096).unwrap_err(), ChunkError::Signature);
    assert_eq!(
        decode(Decoder::new(signer.clone(), true), &body[..body.len() - 100], 4096).unwrap_err(),
        ChunkError::Truncated
    );
    // Who does not know the secret cannot leave pieces out: the last one covers those before it.
    let last = &body[body.len() - 87..];
    assert_eq!(decode(Decoder::new(signer, true), last, 4096).unwrap_err(), ChunkError::Signature);
    // Without keys signatures are read and not checked.
    assert_eq!(decode(Decoder::new(None, true), &changed, 4096).unwrap().0.len(), 66_560);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>
#[test]
fn signed_trailers_are_checked() {
    let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    let claim = claim(&format!("key/{SCOPE}"), TIME, "host", seed, None).unwrap();
    let key = signing_key(&SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()), &claim);
    let signer = ChunkSigner::new(key, TIME.to_owned(), SCOPE.to_owned(), seed.to_owned());
    let mut body = String::new();
    for (length, signature) in [
        (65_536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
        (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
    ] {
        write!(body, "{length:x};chunk-signature={signature}\r\n{}\r\n", "a".repeat(length)).unwrap();
    }
    body.push_str("0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n");
    body.push_str("x-amz-checksum-crc32c:sOO8/Q==\r\n");
    body.push_str("x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
    let (decoded, trailers) = decode(Decoder::new(Some(signer.clone()), true), body.as_bytes(), 1000).unwrap();
    assert_eq!(decoded.len(), 66_560);
    assert_eq!(trailers, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
    for (from, to) in [("sOO8", "sOO9"), ("x-amz-trailer-signature:d8", "x-amz-other:d8"), ("crc32c", "crc32")] {
        let changed = body.replace(from, to);
        let error = decode(Decoder::new(Some(signer.clone()), true), changed.as_bytes(), 1000).unwrap_err();
        assert_eq!(error, ChunkError::Signature, "{from}");
    }
}

#[test]
fn unsigned_pieces_are_decoded() {
    let body = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-amz-checksum-crc32:yv66vg==\r\n\r\n";
    let (decoded, trailers) = decode(Decoder::new(None, false), body, 5).unwrap();
    assert_eq!(decoded, b"abcdefg");
    assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "yv66vg==".to_owned())]);
    assert_eq!(decode(Decoder::new(None, false), b"0\r\n", 5).unwrap().0, b"");
    for (body, expected) in [
        (&b"x\r\n"[..], ChunkError::Malformed("expected the size of a piece in hexadecimal digits")),
        (b"3\r\nabcde", ChunkError::Malformed("expected a line end after a piece")),
        (b"0\r\n\r\nrest", ChunkError::Malformed("found bytes after the end")),
        (b"ffffffffffffffffff\r\n", ChunkError::Malformed("expected the size of a piece in hexadecimal digits")),
        (b"3\r\nab", ChunkError::Truncated),
        (b"", ChunkError::Truncated),
    ] {
        assert_eq!(decode(Decoder::new(None, false), body, 100).unwrap_err(), expected);
    }
    let endless = vec![b'1'; 10_000];
    assert_eq!(
        decode(Decoder::new(None, false), &endless, 100).unwrap_err(),
        ChunkError::Malformed("a line is too long")
    );
    let unsigned = decode(Decoder::new(None, true), b"3\r\nabc\r\n0\r\n\r\n", 100).unwrap_err();
    assert_eq!(unsigned, ChunkError::Malformed("expected `;chunk-signature=` after the size of a piece"));
}

#[test]
fn a_signature_for_another_region_is_refused() {
    let there = Gate { region: "eu-west-1".to_owned(), ..gate(0) };
    let headers = [HOST, ("x-amz-content-sha256", EMPTY)];
    let request = signed("GET", "/test.txt", &headers, NAMES, &"0".repeat(64));
    let refusal = check(&there, &request).unwrap_err();
    let error = refusal.error(Service::S3);
    assert_eq!(error.code, "AuthorizationHeaderMalformed");
    assert_eq!(error.message, "the region `us-east-1` of the signature is wrong: this endpoint is in `eu-west-1`");
    assert_eq!(refusal.error(Service::Glue).code, "InvalidSignatureException");
}
