//! The endpoint over a real socket.

use std::net::SocketAddr;

use lake::LakeSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::*;
use crate::fault::FaultPlan;
use crate::{Credentials, Emulator, SecretKey};

/// An endpoint of its own.
struct Place {
    _folder: tempfile::TempDir,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Place {
    async fn new(faults: serde_json::Value, credentials: Option<Credentials>) -> Self {
        Self::with_quotas(faults, credentials, &[]).await
    }

    async fn with_quotas(faults: serde_json::Value, credentials: Option<Credentials>, quotas: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = LakeSettings::new(folder.path().join("state"), folder.path().join("warehouse"));
        let faults: FaultPlan = serde_json::from_value(faults).unwrap();
        assert!(faults.problems().is_empty());
        let settings_of = EmulatorSettings {
            credentials,
            faults,
            region: "us-east-1".to_owned(),
            quotas: crate::Quotas::default(),
            call_quotas: crate::CallQuotas::of(quotas.iter().map(|quota| quota.parse().unwrap())),
        };
        let emulator = Emulator::new(Lake::open(settings).await.unwrap(), settings_of).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(emulator.serve(listener, stop.clone().cancelled_owned()));
        Self { _folder: folder, address, stop, served }
    }

    /// Sends a request, and returns all that comes back until the connection ends.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is broken off may end in an error.
        let _end = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn put(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.send(&format!(
            "PUT {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:80\r\nconnection: close\r\n\r\n")).await
    }

    async fn json(&self, target: &str, body: &str) -> String {
        let length = body.len();
        self.send(&format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: {target}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_port_serves_three_services() {
    let place = Place::new(serde_json::json!({}), None).await;
    assert!(place.put("/lake", "").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(place.put("/lake/k", "hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    let got = place.get("/lake/k").await;
    assert!(got.ends_with("\r\n\r\nhello"), "{got}");
    let databases = place.json("AWSGlue.GetDatabases", "{}").await;
    assert!(databases.starts_with("HTTP/1.1 200 OK\r\n") && databases.contains("x-amzn-requestid: "), "{databases}");
    assert!(databases.contains("content-type: application/x-amz-json-1.1\r\n"), "{databases}");
    let absent = place.json("AWSGlue.GetDatabase", "{\"Name\": \"absent\"}").await;
    assert!(absent.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{absent}");
    assert!(
        absent.contains("\"__type\":\"EntityNotFoundException\"")
            && absent.contains("\"Message\":\"Database absent not found.\""),
        "{absent}"
    );
    let athena = place.json("AmazonAthena.NoSuchOperation", "{}").await;
    assert!(
        athena.contains("\"__type\":\"UnknownOperationException\"") || athena.contains("InvalidRequestException"),
        "{athena}"
    );
    assert!(place.json("DynamoDB_20120810.ListTables", "{}").await.contains("UnknownOperationException"));
    assert!(place.json("AWSGlue.GetDatabases", "[]").await.contains("SerializationException"));
    assert!(place.json("AWSGlue.GetDatabases", "{").await.contains("SerializationException"));
    place.end().await;
}

/// What a refused client does not send is not read out of its next request.
#[tokio::test]
async fn a_refused_body_that_was_not_sent_ends_the_connection() {
    let keys = Credentials { access_key: "AKID".to_owned(), secret_key: SecretKey::new("secret".to_owned()) };
    let place = Place::new(serde_json::json!({}), Some(keys)).await;
    // The client is told no before it was told to go on, keeps its body, and sends the next request if it may.
    let first = "PUT /lake/k HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    let next = "PUT /lake/l HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answered = place.send(&format!("{first}{next}")).await;
    assert_eq!(answered.matches("HTTP/1.1 ").count(), 1, "{answered}");
    assert!(answered.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answered}");
    assert!(answered.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answered}");
    place.end().await;
}

/// What a refused client has sent already is no request.
#[tokio::test]
async fn a_refused_body_that_was_sent_is_passed_over() {
    let keys = Credentials { access_key: "AKID".to_owned(), secret_key: SecretKey::new("secret".to_owned()) };
    let place = Place::new(serde_json::json!({}), Some(keys)).await;
    let body = "GET /other HTTP/1.1\r\n".repeat(50_000);
    let length = body.len();
    let first = format!("PUT /lake/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}");
    let next = "PUT /lake/l HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answered = place.send(&format!("{first}{next}")).await;
    let resources: Vec<&str> = answered.split("<Resource>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    assert_eq!(answered.matches("HTTP/1.1 403 Forbidden\r\n").count(), 2, "{answered}");
    assert_eq!(resources, ["/lake/k", "/lake/l"], "{answered}");
    place.end().await;
}

#[tokio::test]
async fn sts_says_whose_keys_these_are() {
    let faults = serde_json::json!({"rules": [
        {"service": "sts", "operation": "GetCallerIdentity", "nth": [2], "effect": "throttle"},
    ]});
    let place = Place::new(faults, None).await;
    let ask = async |form: &str| {
        let length = form.len();
        place
            .send(&format!(
                "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\r\n\
                 connection: close\r\ncontent-length: {length}\r\n\r\n{form}"
            ))
            .await
    };
    let identity = ask("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(identity.starts_with("HTTP/1.1 200 OK\r\n"), "{identity}");
    assert!(
        identity.contains(
            "<GetCallerIdentityResult><Arn>arn:aws:iam::000000000000:user/suiro</Arn><UserId>suiro</UserId>\
             <Account>000000000000</Account></GetCallerIdentityResult>"
        ),
        "{identity}"
    );
    let throttled = ask("Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(throttled.contains("<Type>Sender</Type><Code>Throttling</Code>"), "{throttled}");
    let other = ask("Action=Assume%3CRole&Version=2011-06-15").await;
    assert!(other.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{other}");
    assert!(
        other.contains(
            "<Code>InvalidAction</Code><Message>STS&apos;s `Assume&lt;Role` is not served here: `GetCallerIdentity` is</Message>"
        ),
        "{other}"
    );
    place.end().await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked() {
    let place = Place::new(serde_json::json!({}), None).await;
    place.put("/lake", "").await;
    let mut stream = TcpStream::connect(place.address).await.unwrap();
    let head = "PUT /lake/k HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    place.end().await;
}

/// There is nothing to ask it for, so it takes the answer for what it waits for; botocore reads no second one on that connection.
#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_nothing_begins_another_connection() {
    let place = Place::new(serde_json::json!({}), None).await;
    place.put("/lake", "").await;
    let put = "PUT /lake/k HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n";
    let answered = place.send(put).await.to_ascii_lowercase();
    assert!(
        answered.starts_with("http/1.1 200 ok\r\n") && answered.contains("\r\nconnection: close\r\n"),
        "{answered}"
    );
    place.end().await;
}

#[tokio::test]
async fn a_request_whose_client_left_is_carried_out_to_its_end() {
    let rules = serde_json::json!({"rules": [
        {"service": "s3", "operation": "CreateBucket", "times": 1, "effect": {"delay": "300ms"}},
    ]});
    let place = Place::new(rules, None).await;
    let mut stream = TcpStream::connect(place.address).await.unwrap();
    stream.write_all(b"PUT /lake HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    // The request is on its way when the client leaves.
    drop(stream);
    let made = async {
        while !place.get("/lake?list-type=2").await.starts_with("HTTP/1.1 200 OK\r\n") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), made).await.expect("the bucket is made");
    place.end().await;
}

#[tokio::test]
async fn without_keys_only_names_of_this_machine_are_answered() {
    let place = Place::new(serde_json::json!({}), None).await;
    for (host, status) in [
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:5055", 200),
        ("s3.localhost", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("10.0.0.1", 403),
        ("", 403),
    ] {
        let answer = place.send(&format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
    place.end().await;
}

#[tokio::test]
async fn with_keys_nobody_calls_without_a_signature() {
    let keys = Credentials { access_key: "id".to_owned(), secret_key: SecretKey::new("secret".to_owned()) };
    let place = Place::new(serde_json::json!({}), Some(keys)).await;
    assert!(place.get("/").await.contains("<Code>AccessDenied</Code>"));
    assert!(place.put("/lake", "").await.contains("<Code>AccessDenied</Code>"));
    for target in ["AWSGlue.GetDatabases", "AmazonAthena.ListWorkGroups"] {
        assert!(place.json(target, "{}").await.contains("MissingAuthenticationTokenException"), "{target}");
    }
    // A signature of version 2 is none, whoever makes it and wherever it stands.
    let by_url = "AWSAccessKeyId=id&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=4102444800";
    let by_header = "authorization: AWS id:vjbyPxybdZaNmGa+yT272YEAiv4=\r\n";
    for (method, query, header) in [
        ("GET", by_url, ""),
        ("PUT", by_url, ""),
        ("DELETE", by_url, ""),
        ("GET", "", by_header),
        ("PUT", "", by_header),
    ] {
        let head = format!("{method} /lake/k?{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}");
        let answer = place.send(&format!("{head}content-length: 0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {query}: {answer}");
        assert!(answer.contains("<Code>InvalidRequest</Code>"), "{method} {query}: {answer}");
        assert!(answer.contains("is not supported. Please use AWS4-HMAC-SHA256"), "{method} {query}: {answer}");
    }
    place.end().await;
}

#[tokio::test]
async fn calls_beyond_their_quota_are_refused_in_the_words_of_the_service() {
    // A second call within the same second, if the machine is not that slow.
    let quotas = ["glue.GetDatabases=1", "athena.ListWorkGroups=1", "s3.GetObject=1"];
    let place = Place::with_quotas(serde_json::json!({}), None, &quotas).await;
    place.put("/lake", "").await;
    place.put("/lake/k", "hello").await;
    let refused = async |answers: [String; 8], good: &str, bad: &str| {
        let (fine, beyond): (Vec<String>, Vec<String>) = answers.into_iter().partition(|answer| answer.contains(good));
        assert!(!fine.is_empty() && !beyond.is_empty(), "{fine:?}, {beyond:?}");
        assert!(beyond.iter().all(|answer| answer.contains(bad)), "{beyond:?}");
    };
    let ask = async |target: &str| {
        let mut answers = [const { String::new() }; 8];
        for answer in &mut answers {
            *answer = if target == "s3" { place.get("/lake/k").await } else { place.json(target, "{}").await };
        }
        answers
    };
    refused(ask("AWSGlue.GetDatabases").await, "DatabaseList", "\"__type\":\"ThrottlingException\"").await;
    refused(ask("AmazonAthena.ListWorkGroups").await, "primary", "\"__type\":\"ThrottlingException\"").await;
    refused(ask("s3").await, "hello", "<Code>SlowDown</Code>").await;
    place.end().await;
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let rules = serde_json::json!({"rules": [
        {"service": "s3", "operation": "PutObject", "nth": [1], "effect": "lost_reply"},
        {"service": "s3", "operation": "PutObject", "nth": [2], "effect": "refuse"},
        {"service": "s3", "operation": "GetObject", "nth": [1], "effect": "truncate"},
        {"service": "s3", "operation": "GetObject", "nth": [2], "effect": "throttle"},
        {"service": "glue", "operation": "CreateDatabase", "nth": [1], "effect": "twice"},
        {"service": "glue", "operation": "GetDatabases", "nth": [1], "effect": "throttle"},
        {"service": "glue", "operation": "GetDatabases", "nth": [2], "effect": "internal_error"},
        {"service": "glue", "operation": "GetDatabases", "nth": [3], "effect": "unavailable"},
        {"service": "glue", "operation": "GetDatabases", "nth": [4], "effect": "deny"},
        {"service": "s3", "operation": "DeleteObject", "nth": [1], "effect": "deny"},
    ]});
    let place = Place::new(rules, None).await;
    place.put("/lake", "").await;
    assert_eq!(place.put("/lake/lost", "0123456789").await, "", "it is done, and the answer is lost");
    assert_eq!(place.put("/lake/refused", "x").await, "");
    let cut = place.get("/lake/lost").await;
    assert!(cut.contains("content-length: 10\r\n") && cut.ends_with("\r\n\r\n01234"), "{cut}");
    assert!(place.get("/lake/lost").await.contains("<Code>SlowDown</Code>"));
    assert!(place.get("/lake/lost").await.ends_with("0123456789"));
    assert!(place.get("/lake/refused").await.contains("NoSuchKey"));
    let twice = place.json("AWSGlue.CreateDatabase", "{\"DatabaseInput\": {\"Name\": \"web\"}}").await;
    assert!(twice.contains("AlreadyExistsException"), "{twice}");
    for code in [
        "ThrottlingException",
        "InternalServiceException",
        "ServiceUnavailableException",
        "AccessDeniedException",
        "DatabaseList",
    ] {
        let answer = place.json("AWSGlue.GetDatabases", "{}").await;
        assert!(answer.contains(code), "{code}: {answer}");
    }
    let denied = place.send("DELETE /lake/lost HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(denied.starts_with("HTTP/1.1 403 ") && denied.contains("<Code>AccessDenied</Code>"), "{denied}");
    place.end().await;
}

#[tokio::test]
async fn a_late_request_is_carried_out_after_the_client_gave_up() {
    let rules = serde_json::json!({"rules": [{"operation": "PutObject", "times": 1, "effect": {"late": "1ms"}}]});
    let place = Place::new(rules, None).await;
    place.put("/lake", "").await;
    assert_eq!(place.put("/lake/k", "late").await, "");
    // It comes by itself; nothing else writes this object.
    loop {
        let got = place.get("/lake/k").await;
        if got.ends_with("late") {
            break;
        }
        assert!(got.contains("NoSuchKey"), "{got}");
    }
    place.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_endpoint_stops() {
    let place = Place::new(serde_json::json!({}), None).await;
    place.put("/lake", "").await;
    let mut stream = TcpStream::connect(place.address).await.unwrap();
    stream
        .write_all(b"PUT /lake/k HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n")
        .await
        .unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    place.stop.cancel();
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(TcpStream::connect(place.address).await.is_err(), "no more are taken");
    place.served.await.unwrap().unwrap();
}
