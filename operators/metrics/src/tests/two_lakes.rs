//! Lakes that know nothing of each other, whose tiers have the same names and places: each takes its own points for its own, whatever
//! becomes of the folders in which they are.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use lake::clock::SystemClock;
use lake::{ErrorKind, Lake, LakeSettings, Result, Secret};
use tempfile::TempDir;

use super::drop::{NOW, points};
use super::world::*;
use crate::store::conformance::server::RedisServer;
use crate::store::dynamodb::tests::{server, table};
use crate::store::{DynamoDbSettings, DynamoDbStore, KeyTemplate, RedisSettings, RedisStore};
use crate::*;

/// The upper tier in Redis, the lower one in `DynamoDB`, where there are these.
#[derive(Debug, Clone)]
struct OnServers {
    redis: Option<u16>,
    dynamodb: Option<DynamoDbSettings>,
    folder: std::path::PathBuf,
}

#[async_trait]
impl StoreOpener for OnServers {
    async fn open(&self, tier: &Tier) -> Result<Arc<dyn PointStore>> {
        match (tier.name.as_str(), self.redis, &self.dynamodb) {
            ("hot", Some(port), _) => {
                let key = KeyTemplate::parse(KeyTemplate::DEFAULT, &tier.step.to_string())?;
                let uri = Secret::new(format!("redis://127.0.0.1:{port}/0"));
                Ok(Arc::new(RedisStore::open(&RedisSettings { uri, key, ca_file: None })?))
            }
            ("warm", _, Some(settings)) => {
                Ok(Arc::new(Box::pin(DynamoDbStore::open(settings, Arc::new(SystemClock))).await?))
            }
            _ => {
                let stores =
                    EmbeddedStores { folder: self.folder.clone(), crash_points: lake::crash::CrashPoints::default() };
                stores.open(tier).await
            }
        }
    }
}

/// A project in a folder.
async fn project(folder: &Path, servers: &OnServers) -> Metrics {
    let settings =
        LakeSettings { parallelism: Some(2), ..LakeSettings::new(folder.join(".suiro"), folder.join("warehouse")) };
    let lake = Lake::open(settings).await.unwrap();
    let opener = OnServers { folder: folder.join(".suiro/metrics"), ..servers.clone() };
    Metrics::open(&lake, tiers(DuplicateRule::Last), Arc::new(opener)).await.unwrap()
}

async fn id(metrics: &Metrics) -> Option<String> {
    metrics.lake.catalog.identity().await.unwrap().map(|identity| identity.id)
}

/// Whose points a tier's place holds, as somebody sees who is not the owner.
async fn refused(metrics: &Metrics, text: &str, holder: &str) {
    let (hot, warm, now) = (tier("hot"), tier("warm"), at(NOW));
    let own = metrics.lake.catalog.identity().await.unwrap();
    let own = own.map_or_else(|| "this lake".to_owned(), |own| format!("the lake {own}"));
    let expected = format!(
        "expected a place of its own for the points of the tier `{text} of metrics.cold` in {own}, found one that the tier \
         `{text} of metrics.cold` in the lake {holder} has: "
    );
    let written = metrics.write(&tier(text), &points(), now).await.unwrap_err();
    let looked_at = metrics.store(&tier(text)).await.unwrap_err();
    let moved = if text == "hot" {
        metrics.flush(&hot, &warm, FlushRule::default(), now).await.unwrap_err()
    } else {
        metrics.due_dumps(&warm, &tier("cold"), None, now).await.unwrap_err()
    };
    for error in [written, looked_at, moved] {
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{error}");
        assert!(error.message.starts_with(&expected), "{error}\ninstead of\n{expected}");
        assert!(
            error.help.unwrap().contains("whose catalog was made anew or is another one now: stop whatever uses them")
        );
    }
}

/// Two lakes whose tier of a name is in one place; `text` says which.
async fn each_has_its_own(text: &str, servers: &OnServers) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let own = tier(text);
    let (first, second) = (project(&path("first"), servers).await, project(&path("second"), servers).await);
    // Looking makes no id, and claims nothing.
    for metrics in [&first, &second] {
        assert_eq!(stored(metrics, text).await, 0);
        assert_eq!(id(metrics).await, None);
    }
    first.write(&own, &points(), at(NOW)).await.unwrap();
    let holder = first.lake.catalog.identity().await.unwrap().unwrap().to_string();
    assert!(holder.ends_with("/first/.suiro)"), "{holder}");
    // One that looked before, and one that comes now.
    let error = second.write(&own, &points(), at(NOW)).await.unwrap_err();
    assert!(error.message.contains(&format!("in the lake {holder} has: ")), "{error}");
    let third = project(&path("third"), servers).await;
    refused(&third, text, &holder).await;
    refused(&project(&path("second"), servers).await, text, &holder).await;
    assert_eq!(stored(&first, text).await, 4, "nothing was written or deleted");

    // The folder is moved, and copied with all that is in it: it is the same lake.
    drop(first);
    std::fs::rename(path("first"), path("moved")).unwrap();
    let copied = Command::new("cp").arg("-r").args([path("moved"), path("copy")]).status().unwrap();
    assert!(copied.success());
    for name in ["moved", "copy"] {
        let metrics = project(&path(name), servers).await;
        metrics.write(&own, &points(), at(NOW)).await.unwrap();
        assert_eq!(stored(&metrics, text).await, 4);
        assert_eq!(metrics.lake.catalog.identity().await.unwrap().unwrap().to_string(), holder);
    }
    // A copy without its state is another one.
    std::fs::remove_dir_all(path("copy")).unwrap();
    let copy = project(&path("copy"), servers).await;
    refused(&copy, text, &holder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lakes_on_one_redis_are_told_apart() {
    let Some(server) = RedisServer::start(&[]) else { return };
    let servers = OnServers { redis: Some(server.port), dynamodb: None, folder: Path::new("").to_owned() };
    each_has_its_own("hot", &servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lakes_on_one_table_of_dynamodb_are_told_apart() {
    let Some(url) = server() else { return };
    let servers = OnServers { redis: None, dynamodb: Some(table(&url).await), folder: Path::new("").to_owned() };
    each_has_its_own("warm", &servers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_whose_stores_are_its_own_gets_no_id() {
    let world = World::new();
    let metrics = world.open().await;
    metrics.write(&tier("hot"), &points(), at(NOW)).await.unwrap();
    metrics.flush(&tier("hot"), &tier("warm"), FlushRule::default(), at(NOW)).await.unwrap();
    assert_eq!(id(&metrics).await, None);
}
