//! A Redis that throws points away after they were written: nothing is decided by what is left.

use std::sync::Arc;

use async_trait::async_trait;
use lake::crash::CrashPoints;
use lake::{ErrorKind, Result, Secret};

use super::world::*;
use crate::store::conformance::server::RedisServer;
use crate::store::{KeyTemplate, RedisSettings, RedisStore, ThrownAway};
use crate::*;

/// All stores on one server, the tier's name in their keys.
#[derive(Debug)]
struct OnRedis(String);

#[async_trait]
impl StoreOpener for OnRedis {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        let key = KeyTemplate::parse(KeyTemplate::DEFAULT, tier.name.as_str())?;
        Ok(Arc::new(RedisStore::open(&RedisSettings { uri: Secret::new(self.0.as_str()), key, ca_file: None })?))
    }
}

#[tokio::test]
async fn after_points_were_thrown_away_nothing_is_moved_read_or_deleted_until_that_is_accepted() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let ask = |words: &[&str]| -> ::redis::Value {
        let mut connection = ::redis::Client::open(server.uri()).unwrap().get_connection().unwrap();
        ::redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).unwrap()
    };
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let open = async |flush| {
        let mut list = tiers(DuplicateRule::Last).all().to_vec();
        list[0].kind = TierKind::Store { flush };
        let tiers = Tiers::new(list, DuplicateRule::Last, 0).unwrap();
        Metrics::open(&lake, tiers, Arc::new(OnRedis(server.uri()))).await.unwrap()
    };
    let (hot, warm, cold, now) = (tier("hot"), tier("warm"), tier("cold"), at("2026-03-01T00:00:00Z"));
    let start = ms("2026-02-01T00:00:00Z");
    let rows: Vec<(i64, f64)> = (0..1_000).map(|minute| (start + minute * 60_000, 1.5)).collect();
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let all: Vec<(&str, &[(i64, f64)])> = names.iter().map(|name| (name.as_str(), rows.as_slice())).collect();
    let metrics = open(None).await;
    metrics.write(&hot, &batch(&all), now).await.unwrap();
    ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
    ask(&["CONFIG", "SET", "maxmemory", "1500kb"]);
    while metrics.store_to_fill(&hot).await.unwrap().thrown_away().await.unwrap().unwrap().keys == 0 {
        ask(&["PING"]);
    }
    let refused = metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ResourcesExhausted, "{refused}");
    let direct = metrics.store_to_fill(&hot).await.unwrap().summaries(store::Selection::All).await.unwrap_err();
    assert!(direct.message.ends_with("what it holds may not be all that was written"), "{direct}");
    ask(&["CONFIG", "SET", "maxmemory", "0"]);
    ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    // One of them is the hash of claims.
    let gone = 31
        - u64::try_from(match ask(&["DBSIZE"]) {
            ::redis::Value::Int(left) => left,
            other => panic!("{other:?}"),
        })
        .unwrap();
    // By a process that comes later as well.
    drop(metrics);
    let metrics = open(Some(FlushRule { count: Some(1), age_ms: None })).await;
    let request = ReadRequest {
        names: vec![name("s0")],
        range: TimeRange::ALL,
        step: None,
        aggregate: None,
        on_gap: OnGap::Fail,
    };
    let keys = if gone == 1 { "1 key".to_owned() } else { format!("{gone} keys") };
    for refused in [
        metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap_err(),
        metrics.dump(&warm, &cold, day("2026-02-01"), &options(), now).await.unwrap_err(),
        metrics.read(&request, now).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind, ErrorKind::ResourcesExhausted);
        assert_eq!(
            refused.to_string(),
            format!(
                "expected a server that keeps every key, found one that has thrown {keys} away since it was last seen: points of \
                 the tier may be lost, and nothing was moved or deleted\n  tier: hot"
            )
        );
        assert!(refused.help.unwrap().contains("suiro metrics accept-loss hot"));
    }
    // Points are taken all the while, and stay where they were written; what is accepted is told once.
    let written = metrics.write(&hot, &batch(&all), now).await.unwrap();
    assert_eq!(written.merged.added + written.merged.same, 30_000);
    assert!(written.not_flushed.unwrap().to_string().ends_with("nothing was moved or deleted\n  tier: hot"));
    assert_eq!(metrics.store_to_fill(&warm).await.unwrap().summaries(store::Selection::All).await.unwrap(), []);
    assert_eq!(metrics.accept_loss(&hot).await.unwrap(), AcceptedLoss::Points);
    assert_eq!(metrics.accept_loss(&hot).await.unwrap(), AcceptedLoss::Nothing);
    // The lower tier is on the same server.
    assert!(metrics.flush(&hot, &warm, FlushRule::default(), now).await.is_ok());
    assert_eq!(stored(&metrics, "warm").await, 30_000);
}

#[test]
fn a_restart_counts_anew_and_what_may_go_is_not_ours() {
    let seen =
        |run: &str, keys, takes_marked_keys_only| ThrownAway { run: run.to_owned(), keys, takes_marked_keys_only };
    assert_eq!(seen("a", 5, false).since(&seen("a", 5, false)), None);
    assert_eq!(seen("a", 7, false).since(&seen("a", 5, false)), Some(2));
    assert_eq!(seen("b", 0, false).since(&seen("a", 5, false)), None);
    assert_eq!(seen("b", 3, false).since(&seen("a", 5, false)), Some(3));
    assert_eq!(seen("a", 7, true).since(&seen("a", 5, true)), None);
    // It took others before.
    assert_eq!(seen("a", 7, true).since(&seen("a", 5, false)), Some(2));
}
