//! What only Redis can do wrong, on a real one.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lake::ErrorKind;
use redis::Cmd;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::proxy::Proxy;
use crate::store::conformance::server::{RedisServer, free_port};
use crate::store::conformance::{Fixture, batch, everything, keeps_its_promises};

const START: i64 = 1_709_164_800_000;

fn settings(uri: &str, step: &str) -> RedisSettings {
    let key = KeyTemplate::parse(KeyTemplate::DEFAULT, step).unwrap();
    RedisSettings { uri: Secret::new(uri), key, ca_file: None }
}

pub(super) fn store(uri: &str) -> RedisStore {
    RedisStore::open(&settings(uri, "1m")).unwrap()
}

/// Asks a server something as another program would.
pub(super) async fn asked(uri: &str, command: &Cmd) -> redis::Value {
    let connection = Connection::new(&Secret::new(uri), None).unwrap();
    connection.ask("ask", command).await.unwrap()
}

pub(super) fn words(command: &[&str]) -> Cmd {
    let mut made = redis::cmd(command[0]);
    made.arg(&command[1..]);
    made
}

/// Every store has keys of its own on one server.
struct OneServer {
    server: RedisServer,
    made: AtomicU32,
}

impl Fixture for OneServer {
    type Store = RedisStore;

    async fn empty(&self) -> Arc<RedisStore> {
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        // Characters that patterns are made of.
        let settings = settings(&self.server.uri(), &format!("[{number}]*?\\"));
        Arc::new(RedisStore::open(&settings).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_promises_of_a_store() {
    let Some(server) = RedisServer::start(&[]) else { return };
    keeps_its_promises(&OneServer { server, made: AtomicU32::new(0) }).await;
}

#[tokio::test]
async fn points_are_hashes_that_other_programs_read() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (uri, store) = (server.uri(), store(&server.uri()));
    let points = vec![(START, 1.0), (START + 1, 0.1), (START + 2, f64::NAN), (START + 3, f64::NEG_INFINITY)];
    store.write(&batch([("a:b", points)]), DuplicateRule::Last).await.unwrap();
    for (field, value) in [(START, "1"), (START + 1, "0.1"), (START + 2, "NaN"), (START + 3, "-Infinity")] {
        let found = asked(&uri, &words(&["HGET", "1m:a:b", &field.to_string()])).await;
        assert_eq!(text_of(&found).as_deref(), Some(value));
    }
    // And what other programs write is read, and goes by its number however it is written.
    let written = ["HSET", "1m:x", "1709164800000", "1.50", "1709164800001", "-0", "1709164800002", "nan", "5", "1e3"];
    asked(&uri, &words(&written)).await;
    let x = batch([("x", vec![(START, 1.5), (START + 1, 0.0), (START + 2, f64::NAN), (5, 1000.0)])]);
    let names = [SeriesName::new("x").unwrap()];
    let found: Vec<PointBatch> = store.scan(TimeRange::ALL, Selection::Names(&names)).try_collect().await.unwrap();
    assert_eq!(found, std::slice::from_ref(&x));
    let merged = store.write(&x, DuplicateRule::Error).await.unwrap();
    assert_eq!(merged, Merged { added: 0, same: 4, changed: 0 });
    assert_eq!(store.delete_exact(&x).await.unwrap(), 4);
    assert_eq!(asked(&uri, &words(&["EXISTS", "1m:x"])).await, redis::Value::Int(0));
}

#[tokio::test]
async fn keys_that_are_no_series_are_named() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let (uri, store) = (server.uri(), store(&server.uri()));
    asked(&uri, &words(&["SET", "5m:other", "passed over"])).await;
    let found = "expected a hash of points, found something else";
    let table = [
        (&["SET", "1m:lock", "x"][..], format!("{found}: it is no hash\n  key: 1m:lock")),
        (
            &["HSET", "1m:lock", "name", "1"],
            format!("{found}: its field `name` is no time in milliseconds since 1970\n  key: 1m:lock"),
        ),
        (
            &["HSET", "1m:lock", "5", "x\n"],
            format!("{found}: the value `x\\n` of its field `5` is no number\n  key: 1m:lock"),
        ),
        (&["HSET", "1m:a\nb", "5", "1"], format!("{found}: its name is none of a series\n  key: 1m:a\\nb")),
    ];
    for (command, message) in table {
        asked(&uri, &words(command)).await;
        let failed = store.scan(TimeRange::ALL, Selection::All).try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!((failed.kind, failed.to_string()), (ErrorKind::InvalidData, message));
        asked(&uri, &words(&["DEL", command[1]])).await;
    }
    asked(&uri, &words(&["SET", "1m:lock", "x"])).await;
    let error = store.write(&batch([("lock", vec![(5, 1.0)])]), DuplicateRule::Last).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
    asked(&uri, &words(&["DEL", "1m:lock"])).await;
    asked(&uri, &words(&["HSET", "1m:lock", "5", "x"])).await;
    let error = store.write(&batch([("lock", vec![(5, 1.0)])]), DuplicateRule::Max).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{found}: its value `x` is no number\n  key: 1m:lock"));
}

#[tokio::test]
async fn a_server_that_evicts_gets_no_points() {
    let Some(server) = RedisServer::start(&["--maxmemory", "200mb", "--maxmemory-policy", "allkeys-lru"]) else {
        return;
    };
    let (uri, store) = (server.uri(), store(&server.uri()));
    let points = batch([("a", vec![(START, 1.0)])]);
    let error = store.write(&points, DuplicateRule::Last).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourcesExhausted);
    assert_eq!(
        error.to_string(),
        "expected a Redis that keeps every key, found one that throws keys away when its memory is full \
         (`maxmemory-policy allkeys-lru`, `maxmemory 209715200`): nothing was written"
    );
    let refused = [
        store.scan(TimeRange::ALL, Selection::All).try_collect::<Vec<_>>().await.unwrap_err(),
        store.summaries(Selection::All).await.unwrap_err(),
        store.days().await.unwrap_err(),
        store.delete_exact(&points).await.unwrap_err(),
    ];
    for (error, ending) in refused.iter().zip(["written", "written", "written", "deleted"]) {
        assert_eq!(error.kind, ErrorKind::ResourcesExhausted);
        assert!(error.to_string().starts_with("expected a Redis that keeps every key, found one that"), "{error}");
        assert!(error.to_string().ends_with(ending), "{error}");
    }
    asked(&uri, &words(&["CONFIG", "SET", "maxmemory", "0"])).await;
    assert!(everything(&store).await.is_empty());
    asked(&uri, &words(&["CONFIG", "SET", "maxmemory", "200mb"])).await;
    // It is looked at with every write: somebody may set it meanwhile.
    for (setting, value, is_taken) in [
        ("maxmemory-policy", "volatile-lru", true),
        ("maxmemory-policy", "allkeys-random", false),
        ("maxmemory", "0", true),
        ("maxmemory", "300mb", false),
        ("maxmemory-policy", "noeviction", true),
    ] {
        asked(&uri, &words(&["CONFIG", "SET", setting, value])).await;
        assert_eq!(store.write(&points, DuplicateRule::Last).await.is_ok(), is_taken, "{setting} {value}");
    }
}

#[tokio::test]
async fn whether_a_server_evicts_is_found_out_by_what_the_user_may_ask() {
    let Some(server) = RedisServer::start(&["--maxmemory", "200mb", "--maxmemory-policy", "allkeys-lru"]) else {
        return;
    };
    let admin = server.uri();
    let points = batch([("a", vec![(START, 1.0)])]);
    for (may, message) in [
        ("-config", "expected a Redis that keeps every key"),
        ("-info", "expected a Redis that keeps every key"),
        ("-info -config", "Redis does not let us look how Redis keeps points: NOPERM"),
    ] {
        let mut command = words(&["ACL", "SETUSER", "limited", "reset", "on", ">pw", "~*", "+@all"]);
        command.arg(may.split(' ').collect::<Vec<_>>());
        asked(&admin, &command).await;
        let store = store(&format!("redis://limited:pw@127.0.0.1:{}", server.port));
        let error = store.write(&points, DuplicateRule::Last).await.unwrap_err();
        assert!(error.to_string().starts_with(message), "{may}: {error}");
    }
}

#[tokio::test]
async fn a_full_memory_is_an_error_and_what_was_there_stays() {
    let Some(server) = RedisServer::start(&["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]) else { return };
    let store = store(&server.uri());
    let some = |series: u32| {
        let points = (0..1_000_i32).map(|n| (START + i64::from(n), f64::from(n) / 7.0)).collect();
        batch([(format!("s{series}").as_str(), points)])
    };
    let mut kept = 0;
    let error = loop {
        match store.write(&some(kept), DuplicateRule::Last).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000);
    };
    assert_eq!(error.kind, ErrorKind::ResourcesExhausted);
    assert!(error.to_string().starts_with("the memory of Redis is full: nothing more is written\n"), "{error}");
    assert_eq!(everything(&store).await.count(), 1_000 * usize::try_from(kept).unwrap());
}

#[tokio::test]
async fn a_password_lets_in_and_is_shown_nowhere() {
    let Some(server) = RedisServer::start(&["--requirepass", "hunter2&more"]) else { return };
    let points = batch([("a", vec![(START, 1.0)])]);
    let right = store(&format!("redis://:hunter2%26more@127.0.0.1:{}/3", server.port));
    right.write(&points, DuplicateRule::Last).await.unwrap();
    assert!(!format!("{right:?} {:?}", settings("redis://:hunter2@h", "1m")).contains("hunter2"));
    for uri in ["redis://:hunter3@127.0.0.1:{}", "redis://me:hunter3@127.0.0.1:{}", "redis://127.0.0.1:{}"] {
        let store = store(&uri.replace("{}", &server.port.to_string()));
        let error = store.write(&points, DuplicateRule::Last).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{uri}: {error}");
        assert!(error.to_string().starts_with("Redis does not let us in: "), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
    for uri in ["http://:hunter3@x", "hunter3", "redis://:hunter3@", "rediss://:hunter3@h/#insecure"] {
        let error = RedisStore::open(&settings(uri, "1m")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{uri}");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
    for uri in [
        "redis://:hunter#3@127.0.0.1:6379/0",
        "redis://:hunter/3@127.0.0.1:6379/0",
        "redis://:Q@hunter#xyz@127.0.0.1:6379/3",
        "redis://:Q@hunter@127.0.0.1:6379/3",
        "redis://default:1hunter#x@127.0.0.1:6379",
    ] {
        let error = RedisStore::open(&settings(uri, "1m")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
        let help = error.help.unwrap();
        assert!(help.contains("`%23` for `#`, `%2F` for `/`"), "{uri}: {help}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_ten_seconds_or_so() {
    // It takes connections, and never says a word.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let store = store(&format!("redis://127.0.0.1:{}", silent.local_addr().unwrap().port()));
    let begun = std::time::Instant::now();
    let error = store.summaries(Selection::All).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::External);
    let took = begun.elapsed().as_secs();
    assert!((8..16).contains(&took), "{took} s: {error}");
}

#[tokio::test]
async fn a_restart_loses_nothing_and_is_waited_for() {
    let Some(mut server) = RedisServer::start(&[]) else { return };
    let store = store(&server.uri());
    let mut expected = Vec::new();
    for number in 0..3 {
        expected.push((START + number, 1.0));
        store.write(&batch([("a", vec![(START + number, 1.0)])]), DuplicateRule::Last).await.unwrap();
        server.restart();
        assert_eq!(everything(&store).await, batch([("a", expected.clone())]));
    }
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_made_again() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let proxy = Proxy::before(server.port).await;
    let store = store(&format!("redis://127.0.0.1:{}", proxy.port));
    let all = batch([("a", vec![(START, 1.0), (START + 1, 2.0)]), ("b", vec![(START, 3.0)])]);
    assert!(everything(&store).await.is_empty());
    for losses in 1..=3 {
        proxy.lose_answers(losses);
        store.write(&all, DuplicateRule::Error).await.unwrap();
        assert!(proxy.has_lost_all());
        proxy.lose_answers(losses);
        assert_eq!(everything(&store).await, all);
        proxy.lose_answers(losses);
        assert_eq!(store.summaries(Selection::All).await.unwrap().len(), 2);
        proxy.lose_answers(losses);
        store.delete_exact(&batch([("a", vec![(START, 1.0)])])).await.unwrap();
        assert_eq!(everything(&store).await.count(), 2);
    }
}

#[tokio::test]
async fn nobody_who_answers_is_an_error_that_names_the_place() {
    let port = free_port();
    let mut store = store(&format!("redis://:hunter2@127.0.0.1:{port}"));
    store.connection.patience.tries = 2;
    let error = store.summaries(Selection::All).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::External, lake::error::Retryable::Yes));
    assert!(error.to_string().starts_with(&format!("cannot reach Redis at `127.0.0.1:{port}`: ")), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

/// Makes an authority, and a key and a certificate of `localhost`; none without `openssl`.
fn certificates() -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let ran = Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output();
        match ran {
            Ok(ran) => {
                assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
                true
            }
            Err(_) => false,
        }
    };
    let has_openssl = run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca \
         -addext basicConstraints=critical,CA:TRUE",
    );
    if !has_openssl {
        println!("skipped: there is no openssl");
        return None;
    }
    run(
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
    );
    std::fs::write(folder.path().join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    run("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
    Some(folder)
}

#[tokio::test]
async fn tls_trusts_the_authority_that_is_named_and_no_other() {
    let Some(folder) = certificates() else { return };
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (tls_port, certificate, key, ca) =
        (free_port().to_string(), file("server.pem"), file("server.key"), file("ca.pem"));
    let options = [
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "hunter2",
    ];
    let Some(_server) = RedisServer::start(&options) else { return };
    let uri = format!("rediss://:hunter2@localhost:{tls_port}");
    let trusting = RedisSettings { ca_file: Some(ca.clone().into()), ..settings(&uri, "1m") };
    let points = batch([("a", vec![(START, 1.0)])]);
    let store = RedisStore::open(&trusting).unwrap();
    store.write(&points, DuplicateRule::Last).await.unwrap();
    assert_eq!(everything(&store).await, points);

    let error = RedisStore::open(&settings(&uri, "1m")).unwrap().summaries(Selection::All).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(error.help.unwrap().contains("ca_file"));
    // Not to a host of another name either.
    let other = RedisSettings { uri: Secret::new(uri.replace("localhost", "127.0.0.1")), ..trusting };
    let error = RedisStore::open(&other).unwrap().summaries(Selection::All).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let plain = RedisSettings { uri: Secret::new("redis://h"), ..other };
    let error = RedisStore::open(&plain).unwrap_err();
    assert_eq!(error.to_string(), "certificates are given, and the address of Redis does not begin with `rediss:`");
}
