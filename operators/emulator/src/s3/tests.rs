//! The service as its clients meet it: requests in, answers out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use lake::LakeSettings;
use lake::clock::SystemClock;
use lake::name::Location;
use std::fmt::Write as _;

use super::xml::Element;
use super::*;
use crate::body;

/// A lake of its own.
struct Place {
    folder: tempfile::TempDir,
    s3: S3,
    gate: Gate,
}

/// An answer that was read.
#[derive(Debug)]
struct Read {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Read {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn xml(&self) -> Element {
        Element::parse(&self.body).unwrap()
    }

    /// The code of an error, or the status of what is none.
    fn code(&self) -> String {
        if self.status < 400 { self.status.to_string() } else { self.xml().get("Code").unwrap().to_owned() }
    }
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let s3 = Self::open(&folder).await;
        let place = Self { folder, s3, gate: Gate::new(None, "us-east-1", Arc::new(SystemClock)) };
        assert_eq!(place.put("/lake", "").await.status, 200);
        place
    }

    async fn open(folder: &tempfile::TempDir) -> S3 {
        let settings = LakeSettings::new(folder.path().join("state"), folder.path().join("warehouse"));
        S3::open(Lake::open(settings).await.unwrap(), "us-east-1".to_owned()).await.unwrap()
    }

    async fn call(&self, method: &str, uri: &str, headers: &[(&str, &str)], bytes: impl Into<Bytes>) -> Read {
        let bytes = bytes.into();
        let mut request = hyper::Request::builder().method(method).uri(uri).header("host", "127.0.0.1");
        request = request.header("content-length", bytes.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let query = Query::of(&parts).unwrap();
        let response = self.s3.call(&parts, &query, &self.gate, body::again(bytes), "id").await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Read { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn get(&self, uri: &str) -> Read {
        self.call("GET", uri, &[], "").await
    }

    async fn put(&self, uri: &str, bytes: impl Into<Bytes>) -> Read {
        self.call("PUT", uri, &[], bytes).await
    }

    /// Returns the keys and groups that a bucket lists.
    async fn list(&self, query: &str) -> (Vec<String>, Vec<String>) {
        let xml = self.get(&format!("/lake?list-type=2{query}")).await.xml();
        let texts = |name: &'static str, field: &'static str| -> Vec<String> {
            xml.all(name).map(|entry| entry.get(field).unwrap().to_owned()).collect()
        };
        (texts("Contents", "Key"), texts("CommonPrefixes", "Prefix"))
    }
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let place = Place::new().await;
    let headers = [
        ("content-type", "text/csv"),
        ("content-encoding", "aws-chunked,gzip"),
        ("cache-control", "no-cache"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-tagging", "a=1&b=2%203"),
    ];
    let put = place.call("PUT", "/lake/t/dt%3D1/a%20b.csv", &headers, "hello").await;
    assert_eq!((put.status, put.header("etag")), (200, Some("\"5d41402abc4b2a76b9719d911017c592\"")));
    for method in ["GET", "HEAD"] {
        let got = place.call(method, "/lake/t/dt=1/a b.csv".replace(' ', "%20").as_str(), &[], "").await;
        assert_eq!(got.status, 200);
        assert_eq!(&got.body[..], if method == "GET" { &b"hello"[..] } else { b"" });
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/csv"),
            ("content-encoding", "gzip"),
            ("cache-control", "no-cache"),
            ("x-amz-meta-owner", "me"),
            ("x-amz-tagging-count", "2"),
            ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
            ("accept-ranges", "bytes"),
            ("x-amz-request-id", "id"),
        ] {
            assert_eq!(got.header(name), Some(value), "{name}");
        }
    }
    // It is the object of the lake of the same name.
    let location = Location::parse("s3://lake/t/dt=1/a b.csv").unwrap();
    assert_eq!(place.s3.storage.read(&location).await.unwrap(), "hello");
    let other = place.get("/lake/t/dt=1/a%20b.csv?response-content-type=text/plain").await;
    assert_eq!(other.header("content-type"), Some("text/plain"));

    // What is known of an object survives a restart, and is not taken for one that another writer put in its place.
    let place = Place { s3: Place::open(&place.folder).await, ..place };
    assert_eq!(place.get("/lake/t/dt%3D1/a%20b.csv").await.header("x-amz-meta-owner"), Some("me"));
    place.s3.storage.put(&location, Bytes::from("other"), lake::storage::Put::Replace).await.unwrap();
    let got = place.get("/lake/t/dt%3D1/a%20b.csv").await;
    assert_eq!((&got.body[..], got.header("x-amz-meta-owner")), (&b"other"[..], None));
    assert!(got.header("etag").unwrap().ends_with("-1\""), "no client takes it for an MD5: {got:?}");
}

#[tokio::test]
async fn parts_of_an_object_are_read() {
    let place = Place::new().await;
    place.put("/lake/k", "0123456789").await;
    for (range, body, answer) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-", "89", "bytes 8-9/10"),
        ("bytes=5-100", "56789", "bytes 5-9/10"),
    ] {
        let got = place.call("GET", "/lake/k", &[("range", range)], "").await;
        assert_eq!((got.status, &got.body[..]), (206, body.as_bytes()), "{range}");
        assert_eq!(got.header("content-range"), Some(answer));
        assert_eq!(got.header("content-length"), Some(body.len().to_string().as_str()));
    }
    assert_eq!(place.call("GET", "/lake/k", &[("range", "bytes=10-")], "").await.code(), "InvalidRange");
    assert_eq!(place.call("GET", "/lake/k", &[("range", "bytes=0-1,3-4")], "").await.body.len(), 10);
}

#[tokio::test]
async fn conditions_are_kept() {
    let place = Place::new().await;
    let once = [("if-none-match", "*")];
    assert_eq!(place.call("PUT", "/lake/k", &once, "first").await.status, 200);
    assert_eq!(place.call("PUT", "/lake/k", &once, "second").await.code(), "PreconditionFailed");
    assert_eq!(place.get("/lake/k").await.body, "first");
    let etag = place.get("/lake/k").await.header("etag").unwrap().to_owned();
    assert_eq!(place.call("GET", "/lake/k", &[("if-none-match", &etag)], "").await.status, 304);
    assert_eq!(place.call("GET", "/lake/k", &[("if-match", "\"x\"")], "").await.status, 412);
    assert_eq!(place.call("PUT", "/lake/k", &[("if-match", &etag)], "third").await.status, 200);
    assert_eq!(place.call("PUT", "/lake/k", &[("if-match", &etag)], "fourth").await.code(), "PreconditionFailed");
    assert_eq!(place.call("PUT", "/lake/absent", &[("if-match", &etag)], "x").await.code(), "NoSuchKey");

    // Of many who make an object one does.
    let writers = (0..16).map(|writer| {
        let place = &place;
        async move { place.call("PUT", "/lake/new", &[("if-none-match", "*")], format!("{writer}")).await.status }
    });
    let mut statuses = futures::future::join_all(writers).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[15]), (200, 412, 412));
}

#[tokio::test]
async fn bytes_that_are_not_those_that_were_announced_make_no_object() {
    let place = Place::new().await;
    let wrong_md5 = STANDARD.encode([0; 16]);
    let other_sha256 = "0".repeat(64);
    for (header, value, code) in [
        ("content-md5", wrong_md5.as_str(), "BadDigest"),
        ("x-amz-content-sha256", other_sha256.as_str(), "XAmzContentSHA256Mismatch"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-content-sha256", "nonsense", "InvalidArgument"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "IncompleteBody"),
    ] {
        assert_eq!(place.call("PUT", "/lake/k", &[(header, value)], "hello").await.code(), code, "{header}: {value}");
        assert_eq!(place.get("/lake/k").await.code(), "NoSuchKey");
    }
    let chunked =
        [("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), ("x-amz-decoded-content-length", "6")];
    let body = "5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(place.call("PUT", "/lake/k", &chunked, body).await.code(), "IncompleteBody");
    assert!(place.list("").await.0.is_empty(), "nothing is left of them");
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together_and_its_trailer_checked() {
    let place = Place::new().await;
    let headers = |sum: &'static str| {
        [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "9"),
            ("x-amz-trailer", sum),
            ("content-encoding", "aws-chunked"),
        ]
    };
    let body = |trailer: &str| format!("4\r\n1234\r\n5\r\n56789\r\n0\r\n{trailer}\r\n\r\n");
    let crc32 = headers("x-amz-checksum-crc32");
    let put = place.call("PUT", "/lake/k", &crc32, body("x-amz-checksum-crc32:y/Q5Jg==")).await;
    assert_eq!((put.status, put.header("x-amz-checksum-crc32")), (200, Some("y/Q5Jg==")));
    let got = place.call("GET", "/lake/k", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!((&got.body[..], got.header("x-amz-checksum-crc32")), (&b"123456789"[..], Some("y/Q5Jg==")));
    assert_eq!(got.header("content-encoding"), None);
    let wrong = place.call("PUT", "/lake/k2", &crc32, body("x-amz-checksum-crc32:y/Q5Jw==")).await;
    assert_eq!(wrong.code(), "BadDigest");
    let missing =
        place.call("PUT", "/lake/k2", &headers("x-amz-checksum-sha256"), body("x-amz-checksum-crc32:y/Q5Jg==")).await;
    assert_eq!(missing.code(), "BadDigest");
}

#[tokio::test]
async fn a_bucket_lists_its_keys_by_prefix_group_and_page() {
    let place = Place::new().await;
    for key in ["a", "t/dt=1/x", "t/dt=1/y", "t/dt=10/x", "t-2/z", "u%20v/%C3%A9"] {
        assert_eq!(place.put(&format!("/lake/{key}"), "1").await.status, 200, "{key}");
    }
    let list = |keys: &[&str], groups: &[&str]| {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        (own(keys), own(groups))
    };
    assert_eq!(place.list("").await, list(&["a", "t-2/z", "t/dt=1/x", "t/dt=1/y", "t/dt=10/x", "u v/é"], &[]));
    assert_eq!(place.list("&delimiter=/").await, list(&["a"], &["t-2/", "t/", "u v/"]));
    assert_eq!(place.list("&prefix=t/dt%3D1&delimiter=/").await, list(&[], &["t/dt=1/", "t/dt=10/"]));
    assert_eq!(place.list("&prefix=t/dt%3D1/").await, list(&["t/dt=1/x", "t/dt=1/y"], &[]));
    assert_eq!(place.list("&start-after=t/dt%3D1/x").await.0[0], "t/dt=1/y");
    assert_eq!(place.list("&encoding-type=url&prefix=u").await, list(&["u%20v/%C3%A9"], &[]));
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = place.get(&format!("/lake?list-type=2&max-keys=2&delimiter=/{token}")).await.xml();
        found.extend(page.all("Contents").map(|entry| entry.get("Key").unwrap().to_owned()));
        found.extend(page.all("CommonPrefixes").map(|entry| entry.get("Prefix").unwrap().to_owned()));
        let Some(next) = page.get("NextContinuationToken") else { break };
        token = format!("&continuation-token={next}");
    }
    assert_eq!(found, ["a", "t-2/", "t/", "u v/"]);
    // However a client writes a blank, and a plus is no blank.
    for blank in ["%20", "+"] {
        assert!(!place.list(&format!("&prefix=u{blank}v/")).await.0.is_empty(), "{blank}");
    }
    assert!(place.list("&prefix=u%2Bv/").await.0.is_empty());
    // The older form of the call.
    let first = place.get("/lake?max-keys=2&delimiter=/").await.xml();
    let marker = first.get("NextMarker").unwrap();
    assert_eq!((first.get("IsTruncated"), marker), (Some("true"), "t-2/"));
    let second = place.get(&format!("/lake?delimiter=/&marker={marker}")).await.xml();
    let groups: Vec<&str> = second.all("CommonPrefixes").map(|entry| entry.get("Prefix").unwrap()).collect();
    assert_eq!(groups, ["t/", "u v/"]);
    let entry = place.get("/lake?list-type=2&prefix=a").await.xml();
    let entry = entry.all("Contents").next().unwrap();
    assert_eq!((entry.get("Size"), entry.get("ETag")), (Some("1"), Some("\"c4ca4238a0b923820dcc509a6f75849b\"")));
    assert_eq!(place.get("/lake?list-type=2&continuation-token=!").await.code(), "InvalidArgument");
}

#[tokio::test]
async fn buckets_are_made_and_go_when_they_are_empty() {
    let place = Place::new().await;
    assert_eq!(place.get("/absent").await.code(), "NoSuchBucket");
    assert_eq!(place.put("/absent/k", "x").await.code(), "NoSuchBucket");
    assert_eq!(place.put("/No_Bucket", "").await.code(), "InvalidBucketName");
    assert_eq!(place.put("/other", "").await.status, 200);
    assert_eq!(place.put("/other", "").await.status, 200, "in us-east-1 one's own bucket is made again");
    place.put("/other/a/b", "x").await;
    assert_eq!(place.call("DELETE", "/other", &[], "").await.code(), "BucketNotEmpty");
    assert_eq!(place.get("/other/a/b").await.status, 200, "nothing was deleted");
    assert_eq!(place.call("DELETE", "/other/a/b", &[], "").await.status, 204);
    assert_eq!(place.call("DELETE", "/other/a/b", &[], "").await.status, 204, "what is not there is as good");
    assert_eq!(place.call("HEAD", "/other", &[], "").await.status, 200, "the bucket stays when its last object goes");
    assert_eq!(place.put("/other/a", "x").await.status, 200, "an empty folder is in nobody's way");
    place.call("DELETE", "/other/a", &[], "").await;
    let names: Vec<String> = place
        .get("/")
        .await
        .xml()
        .all("Buckets")
        .flat_map(|list| list.all("Bucket"))
        .map(|bucket| bucket.get("Name").unwrap().to_owned())
        .collect();
    assert_eq!(names, ["lake", "other"]);
    assert_eq!(place.call("DELETE", "/other", &[], "").await.status, 204);
    assert_eq!(place.call("HEAD", "/other", &[], "").await.status, 404);
    assert_eq!(
        place.get("/lake?location").await.body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"
    );
    assert_eq!(place.get("/lake?policy").await.code(), "NoSuchBucketPolicy");
    assert_eq!(place.get("/lake?versions").await.code(), "NotImplemented");
    assert_eq!(
        place.call("DELETE", "/lake?website", &[], "").await.code(),
        "NotImplemented",
        "the bucket is not deleted"
    );
    assert_eq!(place.get("/lake?acl").await.status, 200);
}

#[tokio::test]
async fn nothing_leads_out_of_the_warehouse() {
    let place = Place::new().await;
    std::fs::write(place.folder.path().join("secret"), "secret").unwrap();
    std::fs::create_dir_all(place.folder.path().join("warehouse/s3/other")).unwrap();
    std::fs::write(place.folder.path().join("warehouse/s3/other/k"), "other's").unwrap();
    for uri in [
        "/lake/..%2f..%2fsecret",
        "/lake/%2e%2e/%2e%2e/secret",
        "/lake/%2e%2e/other/k",
        "/lake/a/%2e%2e/%2e%2e/other/k",
        "/..%2f..%2fsecret/k",
        "/%2e%2e/secret",
        "/lake//etc/passwd",
        "/lake/..%5c..%5csecret",
        "/lake/k%00",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = place.call(method, uri, &[], "").await;
            assert!((400..500).contains(&answer.status), "{method} {uri}: {answer:?}");
        }
        let copy = place.call("PUT", "/lake/copy", &[("x-amz-copy-source", uri)], "").await;
        assert!((400..500).contains(&copy.status), "{uri}: {copy:?}");
    }
    let delete = "<Delete><Object><Key>../other/k</Key></Object><Object><Key>../../secret</Key></Object></Delete>";
    let answer = place.call("POST", "/lake?delete", &[], delete).await;
    assert_eq!(answer.xml().all("Error").count(), 2);
    assert_eq!(place.get("/lake?list-type=2&prefix=../").await.xml().all("Contents").count(), 0);
    for id in ["..", "../../state", "..%2f..", "0123"] {
        assert_eq!(place.get(&format!("/lake/k?uploadId={id}")).await.code(), "NoSuchUpload");
        assert_eq!(place.call("DELETE", &format!("/lake/k?uploadId={id}"), &[], "").await.code(), "NoSuchUpload");
    }
    assert_eq!(std::fs::read(place.folder.path().join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read(place.folder.path().join("warehouse/s3/other/k")).unwrap(), b"other's");
}

#[tokio::test]
async fn many_objects_are_deleted_at_once() {
    let place = Place::new().await;
    for key in ["a", "b/c", "b&d"] {
        place.put(&format!("/lake/{key}"), "x").await;
    }
    let delete = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a</Key></Object>\
        <Object><Key>b&amp;d</Key></Object><Object><Key>absent</Key></Object></Delete>";
    let answer = place.call("POST", "/lake?delete", &[], delete).await.xml();
    let deleted: Vec<&str> = answer.all("Deleted").map(|entry| entry.get("Key").unwrap()).collect();
    assert_eq!(deleted, ["a", "b&d", "absent"]);
    assert_eq!(place.list("").await.0, ["b/c"]);
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b/c</Key></Object></Delete>";
    assert!(place.call("POST", "/lake?delete", &[], quiet).await.xml().children.is_empty());
    for body in ["", "<Delete/>", "<Other><Object><Key>a</Key></Object></Other>", "<Delete><Object/></Delete>"] {
        assert_eq!(place.call("POST", "/lake?delete", &[], body).await.code(), "MalformedXML", "{body}");
    }
}

#[tokio::test]
async fn an_object_is_copied_with_or_without_what_is_said_of_it() {
    let place = Place::new().await;
    place
        .call(
            "PUT",
            "/lake/a%20b",
            &[("content-type", "text/csv"), ("x-amz-meta-k", "v"), ("x-amz-tagging", "t=1")],
            "bytes",
        )
        .await;
    let copy = |headers: Vec<(&'static str, &'static str)>, target: &'static str| {
        let place = &place;
        async move { place.call("PUT", target, &headers, "").await }
    };
    let made = copy(vec![("x-amz-copy-source", "/lake/a%20b")], "/lake/copy").await;
    assert_eq!(made.xml().get("ETag"), Some("\"4b3a6218bb3e3a7303e8a171a60fcf92\""));
    let got = place.get("/lake/copy").await;
    assert_eq!(
        (&got.body[..], got.header("content-type"), got.header("x-amz-meta-k")),
        (&b"bytes"[..], Some("text/csv"), Some("v"))
    );
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
    copy(
        vec![("x-amz-copy-source", "lake/a%20b"), ("x-amz-metadata-directive", "REPLACE"), ("x-amz-meta-n", "w")],
        "/lake/copy",
    )
    .await;
    let got = place.get("/lake/copy").await;
    assert_eq!((got.header("x-amz-meta-k"), got.header("x-amz-meta-n")), (None, Some("w")));
    for (headers, target, code) in [
        (vec![("x-amz-copy-source", "/lake/absent")], "/lake/copy", "NoSuchKey"),
        (vec![("x-amz-copy-source", "/absent/k")], "/lake/copy", "NoSuchBucket"),
        (vec![("x-amz-copy-source", "/lake/copy")], "/lake/copy", "InvalidRequest"),
        (
            vec![("x-amz-copy-source", "/lake/copy"), ("x-amz-copy-source-if-match", "\"x\"")],
            "/lake/c2",
            "PreconditionFailed",
        ),
        (vec![("x-amz-copy-source", "/lake/copy"), ("if-none-match", "*")], "/lake/a%20b", "PreconditionFailed"),
    ] {
        assert_eq!(copy(headers.clone(), target).await.code(), code, "{headers:?}");
    }
    let itself =
        copy(vec![("x-amz-copy-source", "/lake/copy"), ("x-amz-metadata-directive", "REPLACE")], "/lake/copy").await;
    assert_eq!(itself.status, 200);
    assert_eq!(place.get("/lake/copy").await.body, "bytes");
}

#[tokio::test]
async fn tags_are_put_read_and_deleted() {
    let place = Place::new().await;
    place.put("/lake/k", "x").await;
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value></Value></Tag></TagSet></Tagging>";
    assert_eq!(place.put("/lake/k?tagging", tags).await.status, 200);
    let read = place.get("/lake/k?tagging").await.xml();
    let read: Vec<(&str, &str)> = read
        .all("TagSet")
        .flat_map(|set| set.all("Tag"))
        .map(|tag| (tag.get("Key").unwrap(), tag.get("Value").unwrap()))
        .collect();
    assert_eq!(read, [("a", "1"), ("b", "")]);
    assert_eq!(place.get("/lake/k").await.body, "x", "the object is as it was");
    assert_eq!(place.call("DELETE", "/lake/k?tagging", &[], "").await.status, 204);
    assert_eq!(place.get("/lake/k").await.header("x-amz-tagging-count"), None);
    assert_eq!(place.put("/lake/absent?tagging", tags).await.code(), "NoSuchKey");
    assert_eq!(place.put("/lake/k?tagging", "<Tagging><TagSet><Tag/></TagSet></Tagging>").await.code(), "MalformedXML");
}

/// Sends parts, and returns the list that completes the upload.
async fn send(place: &Place, uri: &str, parts: &[(u32, Vec<u8>)]) -> String {
    let mut list = String::new();
    for (number, bytes) in parts {
        let put = place.put(&format!("{uri}&partNumber={number}"), bytes.clone()).await;
        assert_eq!(put.status, 200, "{put:?}");
        let etag = put.header("etag").unwrap();
        write!(list, "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>").unwrap();
    }
    format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn an_object_is_put_together_of_parts() {
    let place = Place::new().await;
    let started = place.call("POST", "/lake/t/big?uploads", &[("x-amz-meta-k", "v")], "").await.xml();
    let uri = format!("/lake/t/big?uploadId={}", started.get("UploadId").unwrap());
    let large = vec![b'a'; 5 << 20];
    // The third was sent wrong first; the second is not used.
    send(&place, &uri, &[(3, b"wrong".to_vec()), (2, b"unused".to_vec())]).await;
    let list = send(&place, &uri, &[(1, large.clone()), (3, b"end".to_vec())]).await;
    assert_eq!(place.list("").await.0.len(), 0, "nothing is there before it is complete");
    let parts = place.get(&uri).await.xml();
    let sizes: Vec<&str> = parts.all("Part").map(|part| part.get("Size").unwrap()).collect();
    assert_eq!(sizes, ["5242880", "6", "3"]);
    assert_eq!(place.get("/lake?uploads").await.xml().all("Upload").count(), 1);

    let done = place.call("POST", &uri, &[], list.clone()).await;
    let etag = done.xml().get("ETag").unwrap().to_owned();
    assert!(etag.ends_with("-2\""), "{etag}");
    let got = place.get("/lake/t/big").await;
    assert_eq!(
        (got.body.len(), got.header("etag"), got.header("x-amz-meta-k")),
        ((5 << 20) + 3, Some(etag.as_str()), Some("v"))
    );
    assert!(got.body.ends_with(b"aend"));
    // Who lost the answer asks again, and nothing changes.
    assert_eq!(place.call("POST", &uri, &[], list).await.xml().get("ETag"), Some(etag.as_str()));
    assert_eq!(place.put(&format!("{uri}&partNumber=1"), "x").await.code(), "NoSuchUpload");
    assert_eq!(place.get("/lake?uploads").await.xml().all("Upload").count(), 0);
}

#[tokio::test]
async fn an_upload_that_is_wrong_makes_no_object() {
    let place = Place::new().await;
    let started = place.call("POST", "/lake/k?uploads", &[], "").await.xml();
    let uri = format!("/lake/k?uploadId={}", started.get("UploadId").unwrap());
    let complete = |list: String| {
        let (place, uri) = (&place, &uri);
        async move { place.call("POST", uri, &[], list).await.code() }
    };
    let small = send(&place, &uri, &[(1, b"small".to_vec()), (2, b"end".to_vec())]).await;
    assert_eq!(complete(small.clone()).await, "EntityTooSmall");
    assert_eq!(complete(small.replace("<PartNumber>2", "<PartNumber>3")).await, "InvalidPart");
    assert_eq!(complete(small.replace("<PartNumber>2", "<PartNumber>1")).await, "InvalidPartOrder");
    assert_eq!(complete("<CompleteMultipartUpload/>".to_owned()).await, "MalformedXML");
    assert_eq!(place.put(&format!("{uri}&partNumber=0"), "x").await.code(), "InvalidArgument");
    assert_eq!(place.put(&format!("{uri}&partNumber=10001"), "x").await.code(), "InvalidArgument");
    let other = uri.replace("/lake/k", "/lake/other");
    assert_eq!(place.put(&format!("{other}&partNumber=1"), "x").await.code(), "NoSuchUpload", "it is another key's");
    let bad =
        place.call("PUT", &format!("{uri}&partNumber=4"), &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")], "x").await;
    assert_eq!(bad.code(), "BadDigest");
    assert_eq!(place.get(&uri).await.xml().all("Part").count(), 2);
    assert_eq!(place.call("DELETE", &uri, &[], "").await.status, 204);
    assert_eq!(complete(small).await, "NoSuchUpload");
    assert!(place.list("").await.0.is_empty());
    assert_eq!(
        std::fs::read_dir(place.folder.path().join("state/emulate/uploads")).unwrap().count(),
        0,
        "its parts are gone"
    );
}

#[tokio::test]
async fn a_part_is_copied_from_an_object() {
    let place = Place::new().await;
    place.put("/lake/source", "0123456789").await;
    let started = place.call("POST", "/lake/k?uploads", &[], "").await.xml();
    let uri = format!("/lake/k?uploadId={}", started.get("UploadId").unwrap());
    let headers = [("x-amz-copy-source", "/lake/source"), ("x-amz-copy-source-range", "bytes=2-5")];
    let copied = place.call("PUT", &format!("{uri}&partNumber=1"), &headers, "").await.xml();
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        copied.get("ETag").unwrap()
    );
    assert_eq!(place.call("POST", &uri, &[], list).await.status, 200);
    assert_eq!(place.get("/lake/k").await.body, "2345");
}

#[tokio::test]
async fn what_a_folder_cannot_hold_is_refused_and_folders_are_nothing() {
    let place = Place::new().await;
    assert_eq!(place.put("/lake/a/b", "x").await.status, 200);
    assert_eq!(place.put("/lake/a", "x").await.code(), "InvalidRequest");
    assert_eq!(place.put("/lake/a/b/c/d", "x").await.code(), "InvalidRequest");
    assert_eq!(place.put("/lake/folder/", "").await.status, 200);
    assert_eq!(place.put("/lake/folder/", "x").await.code(), "InvalidArgument");
    assert_eq!(place.get("/lake/folder/").await.code(), "NoSuchKey");
    assert_eq!(place.get("/lake/a").await.code(), "NoSuchKey", "a folder is no object");
    assert_eq!(place.call("DELETE", "/lake/a", &[], "").await.status, 204);
    assert_eq!(place.call("DELETE", "/lake/a/", &[], "").await.status, 204);
    assert_eq!(place.list("").await.0, ["a/b"]);
    let long = "x".repeat(300);
    assert_eq!(place.get(&format!("/lake/{long}")).await.code(), "NoSuchKey");
    assert!(place.put(&format!("/lake/{long}"), "x").await.status >= 400);
}

#[tokio::test]
async fn a_key_that_a_folder_cannot_hold_is_refused_by_every_way_in() {
    let place = Place::new().await;
    for (method, uri) in [("PUT", "/lake/odd/pipe%7C"), ("POST", "/lake/odd/pipe%7C?uploads")] {
        let refused = place.call(method, uri, &[], "x").await;
        assert_eq!(refused.status, 400, "{method} {refused:?}");
        let body = String::from_utf8_lossy(&refused.body);
        for said in ["<Code>InvalidArgument</Code>", "its key ends in a letter and `|` or `:`", "s3://lake/odd/pipe|"] {
            assert!(body.contains(said), "{method} {said}: {body}");
        }
    }
    assert_eq!(place.call("PUT", "/lake/whole", &[], "x").await.status, 200);
    let copied = place.call("PUT", "/lake/copy%7C", &[("x-amz-copy-source", "/lake/whole")], "").await;
    assert_eq!(copied.status, 400, "{copied:?}");
    assert_eq!(place.call("PUT", "/lake/1%7C", &[], "x").await.status, 200);
    assert_eq!(place.get("/lake/pipe%7C").await.status, 404);
}
