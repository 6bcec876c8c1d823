//! Two tiers whose addresses lead to one place: nothing is deleted, as the place itself says whose points it has.

use std::sync::Arc;

use async_trait::async_trait;
use lake::crash::CrashPoints;
use lake::{ErrorKind, Result, Secret};

use super::world::*;
use crate::store::conformance::server::RedisServer;
use crate::store::{KeyTemplate, RedisSettings, RedisStore};
use crate::*;

/// One database of one server by two addresses.
#[derive(Debug)]
struct Spelled {
    port: u16,
    warm_key: &'static str,
}

#[async_trait]
impl StoreOpener for Spelled {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        let is_hot = tier.name.as_str() == "hot";
        let (host, key) = if is_hot { ("127.0.0.1", KeyTemplate::DEFAULT) } else { ("localhost", self.warm_key) };
        let key = KeyTemplate::parse(key, &tier.step.to_string())?;
        let uri = Secret::new(format!("redis://{host}:{}/0", self.port));
        Ok(Arc::new(RedisStore::open(&RedisSettings { uri, key, ca_file: None })?))
    }
}

#[tokio::test]
async fn nothing_is_moved_between_two_tiers_that_are_one_place() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let world = World::new();
    let lake = world.lake(CrashPoints::default()).await;
    let (hot, warm, now) = (tier("hot"), tier("warm"), at("2026-03-01T00:00:00Z"));
    let ask = |words: &[&str]| -> ::redis::Value {
        let mut connection = ::redis::Client::open(server.uri()).unwrap().get_connection().unwrap();
        ::redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).unwrap()
    };
    for (warm_key, is_claimed) in [(KeyTemplate::DEFAULT, true), ("{step}:w:{name}", true), ("1m:{name}", false)] {
        let open = async || {
            let opener = Arc::new(Spelled { port: server.port, warm_key });
            Metrics::open(&lake, tiers(DuplicateRule::Last), opener).await.unwrap()
        };
        let metrics = open().await;
        let points = batch(&[("cpu", &[(ms("2026-02-01T00:00:00Z"), 1.0), (ms("2026-02-01T00:01:00Z"), 2.0)])]);
        metrics.write(&hot, &points, now).await.unwrap();
        if !is_claimed {
            // As written by an earlier version, or by another program.
            ask(&["DEL", "suiro:tiers"]);
        }
        let metrics = open().await;
        let refused = metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidInput);
        let expected = "expected a place of its own for the points of the tier `warm of metrics.cold`, found one that the tier \
                        `hot of metrics.cold` has: ";
        assert!(refused.message.starts_with(expected), "{refused}");
        assert_eq!(stored(&metrics, "hot").await, 2, "{warm_key}");
    }
}
