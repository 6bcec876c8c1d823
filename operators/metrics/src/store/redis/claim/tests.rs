//! Who may have which keys, on a real Redis.

use lake::catalog::CatalogIdentity;

use super::super::connection::Connection;
use super::super::tests::{asked, store, words};
use super::super::{KeyTemplate, RedisSettings, RedisStore};
use super::*;
use crate::duplicate::DuplicateRule;
use crate::point::SeriesName;
use crate::store::claim::tests::lake;
use crate::store::conformance::server::RedisServer;
use crate::store::conformance::{batch, everything};
use crate::store::{PointStore as _, Selection};
use lake::Secret;

const START: i64 = 1_709_164_800_000;

fn owner(tier: &str, table: &str) -> Owner {
    of_lake("1", tier, table)
}

fn of_lake(id: &str, tier: &str, table: &str) -> Owner {
    Owner { tier: crate::TierName::new(tier).unwrap(), table: table.to_owned(), lake: Some(lake(id)) }
}

fn with_key(uri: &str, key: &str) -> RedisStore {
    let key = KeyTemplate::parse(key, "1m").unwrap();
    RedisStore::open(&RedisSettings { uri: Secret::new(uri), key, ca_file: None }).unwrap()
}

/// What the hash of claims holds, a pair a line.
async fn claims(uri: &str) -> Vec<String> {
    let answer = asked(uri, &words(&["HGETALL", CLAIMS])).await;
    let texts: Vec<String> = match &answer {
        Value::Array(texts) => texts.iter().filter_map(text_of).collect(),
        Value::Map(pairs) => pairs.iter().flat_map(|(key, value)| [text_of(key), text_of(value)]).flatten().collect(),
        other => panic!("{other:?}"),
    };
    let mut pairs: Vec<String> = texts.chunks(2).map(|pair| pair.join(" is ")).collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn keys_belong_to_one_tier_whatever_the_address_is() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let uri = server.uri();
    let other_uri = format!("redis://localhost:{}/0", server.port);
    let other_database = format!("redis://127.0.0.1:{}/1", server.port);
    let (hot, warm) = (owner("hot", "m.a"), owner("warm", "m.a"));
    // Looking claims nothing.
    with_key(&uri, "{step}:{name}").claim(&warm, Claiming::Look).await.unwrap();
    for _ in 0..2 {
        with_key(&uri, "{step}:{name}").claim(&hot, Claiming::Take).await.unwrap();
    }
    with_key(&other_uri, "1m:{name}").claim(&owner("hot", ""), Claiming::Take).await.unwrap();
    with_key(&other_database, "1m:{name}").claim(&warm, Claiming::Take).await.unwrap();
    with_key(&uri, "w:{step}:{name}").claim(&warm, Claiming::Take).await.unwrap();
    for how in [Claiming::Look, Claiming::Take] {
        let error = with_key(&other_uri, "1m:{name}").claim(&warm, how).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "expected a place of its own for the points of the tier `warm of m.a`, found one that the tier `hot of m.a` has: the keys \
             `1m:{name}` of one database of Redis. Each would take the other's points for its own, and delete them"
        );
        assert!(error.help.unwrap().contains("`hot of m.a` before: stop whatever uses them, and remove the claim (`HDEL suiro:tiers \"1m:{name}\" \"1m:{lake}\"`)"));
        // The same tier of another project.
        assert!(with_key(&uri, "1m:{name}").claim(&owner("hot", "m.b"), how).await.is_err());
        for overlapping in ["{name}", "1m:x:{name}", "{name}:x", "1{name}"] {
            let error = with_key(&uri, overlapping).claim(&warm, how).await.unwrap_err();
            let keys = format!("keys `{overlapping}` may be keys `1m:{{name}}` in one database of Redis");
            assert!(error.to_string().contains(&keys), "{error}");
        }
    }
    // What was thrown away, or removed by hand, is claimed again.
    asked(&uri, &words(&["HDEL", "suiro:tiers", "1m:{name}"])).await;
    with_key(&uri, "1m:{name}").claim(&warm, Claiming::Take).await.unwrap();
    assert!(with_key(&uri, "1m:{name}").claim(&hot, Claiming::Take).await.is_err());
}

#[tokio::test]
async fn claims_are_no_series() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let store = with_key(&server.uri(), "{name}");
    store.claim(&owner("hot", ""), Claiming::Take).await.unwrap();
    assert!(everything(&store).await.is_empty());
    assert!(store.summaries(Selection::All).await.unwrap().is_empty());
    let names = [SeriesName::new("suiro:tiers").unwrap()];
    assert!(store.summaries(Selection::Names(&names)).await.unwrap().is_empty());
    let error = store.write(&batch([("suiro:tiers", vec![(START, 1.0)])]), DuplicateRule::Last).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a series with a key of its own, found `suiro:tiers`, whose key `suiro:tiers` says which tiers there are"
    );
    store.write(&batch([("a", vec![(START, 1.0)])]), DuplicateRule::Last).await.unwrap();
    assert_eq!(everything(&store).await.count(), 1);
}

#[tokio::test]
async fn keys_belong_to_one_lake() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let uri = server.uri();
    let store = store(&uri);
    let own = of_lake("1", "hot", "m.a");
    let nobody = Owner { lake: None, ..own.clone() };
    store.claim(&nobody, Claiming::Look).await.unwrap();
    assert_eq!(claims(&uri).await, [""; 0], "looking claims nothing");
    // It may be moved meanwhile.
    let moved = Owner { lake: Some(CatalogIdentity { made_in: None, ..lake("1") }), ..own.clone() };
    for own in [&own, &moved] {
        for how in [Claiming::Take, Claiming::Look] {
            store.claim(own, how).await.unwrap();
            assert_eq!(claims(&uri).await, ["1m:{lake} is 1 (/srv/1)", "1m:{name} is hot of m.a"]);
        }
    }
    for (other, named) in [(of_lake("2", "hot", "m.a"), "the lake 2 (/srv/2)"), (nobody, "this lake")] {
        for how in [Claiming::Look, Claiming::Take] {
            let error = store.claim(&other, how).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert_eq!(
                error.to_string(),
                format!(
                    "expected a place of its own for the points of the tier `hot of m.a` in {named}, found one that the tier `hot of m.a` in \
                     the lake 1 (/srv/1) has: the keys `1m:{{name}}` of one database of Redis. Each would take the other's points for its \
                     own, and delete them"
                )
            );
            let help = error.help.unwrap();
            let end = "; when the points are this lake's, whose catalog was made anew or is another one now: stop whatever uses them, \
                       and remove the claim (`HDEL suiro:tiers \"1m:{name}\" \"1m:{lake}\"`)";
            assert!(help.ends_with(end), "{help}");
        }
    }
    // As the error says, and with half of it.
    for (fields, id) in [(&["1m:{name}", "1m:{lake}"][..], "2"), (&["1m:{name}"], "3")] {
        asked(&uri, &words(&[&["HDEL", "suiro:tiers"], fields].concat())).await;
        store.claim(&of_lake(id, "hot", "m.a"), Claiming::Take).await.unwrap();
        let expected = [format!("1m:{{lake}} is {id} (/srv/{id})"), "1m:{name} is hot of m.a".to_owned()];
        assert_eq!(claims(&uri).await, expected);
    }
}

#[tokio::test]
async fn a_claim_of_an_earlier_version_is_the_first_writers() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let uri = server.uri();
    let store = store(&uri);
    for kept in ["hot of m.a", "hot"] {
        asked(&uri, &words(&["DEL", "suiro:tiers"])).await;
        asked(&uri, &words(&["HSET", "suiro:tiers", "1m:{name}", kept])).await;
        for id in ["1", "2"] {
            store.claim(&of_lake(id, "hot", "m.a"), Claiming::Look).await.unwrap();
        }
        store.claim(&Owner { lake: None, ..owner("hot", "m.a") }, Claiming::Look).await.unwrap();
        assert_eq!(claims(&uri).await, [format!("1m:{{name}} is {kept}")], "looking leaves it");
        store.claim(&of_lake("2", "hot", "m.a"), Claiming::Take).await.unwrap();
        assert_eq!(claims(&uri).await, ["1m:{lake} is 2 (/srv/2)", "1m:{name} is hot of m.a"]);
        assert!(store.claim(&of_lake("1", "hot", "m.a"), Claiming::Look).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_lakes_that_come_at_once_one_is_first() {
    let Some(server) = RedisServer::start(&[]) else { return };
    for round in 0..10 {
        let tries: Vec<_> = (0..8)
            .map(|number| {
                let store = with_key(&server.uri(), &format!("{round}:{{step}}:{{name}}"));
                let owner = of_lake(&number.to_string(), "hot", "m.a");
                tokio::spawn(async move { store.claim(&owner, Claiming::Take).await.is_ok() })
            })
            .collect();
        let mut taken = 0;
        for tried in tries {
            taken += usize::from(tried.await.unwrap());
        }
        assert_eq!(taken, 1);
    }
}

#[tokio::test]
async fn a_server_that_cannot_save_takes_no_claim_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let Some(server) = RedisServer::start(&["--save", "900 1", "--appendonly", "no", "--dir", &path]) else { return };
    let uri = server.uri();
    asked(&uri, &words(&["PING"])).await;
    drop(folder);
    asked(&uri, &words(&["SET", "other", "x"])).await;
    asked(&uri, &words(&["BGSAVE"])).await;
    let connection = Connection::new(&Secret::new(uri.as_str()), None).unwrap();
    let write = words(&["SET", "other", "y"]);
    let mut refused = None;
    for _ in 0..100_000 {
        // It saves beside what it answers.
        if let Err(error) = connection.ask("write", &write).await {
            refused = Some(error);
            break;
        }
    }
    let error = store(&uri).claim(&owner("hot", "m.a"), Claiming::Take).await.unwrap_err();
    for error in [refused.unwrap(), error] {
        assert_eq!(error.kind, ErrorKind::ResourcesExhausted, "{error}");
        let message =
            "Redis takes no writes, because it cannot save what it has on its disk: nothing more is written\n";
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(error.help.unwrap().starts_with("look at the room and the rights on its disk"));
    }
}

#[tokio::test]
async fn a_full_memory_takes_no_claim_and_says_so() {
    let Some(server) = RedisServer::start(&["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]) else { return };
    let uri = server.uri();
    let connection = Connection::new(&Secret::new(uri.as_str()), None).unwrap();
    let fill = |number: u32| {
        let mut set = redis::cmd("SET");
        set.arg(format!("other:{number}")).arg("x".repeat(100_000));
        set
    };
    let mut number = 0;
    while connection.ask("fill", &fill(number)).await.is_ok() {
        number += 1;
        assert!(number < 1_000);
    }
    let store = store(&uri);
    store.claim(&owner("hot", "m.a"), Claiming::Look).await.unwrap();
    let error = store.claim(&owner("hot", "m.a"), Claiming::Take).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourcesExhausted, "{error}");
    assert!(error.to_string().starts_with("the memory of Redis is full: nothing more is written\n"), "{error}");
    assert!(error.help.unwrap().starts_with("give it more memory (`maxmemory`)"));
}
