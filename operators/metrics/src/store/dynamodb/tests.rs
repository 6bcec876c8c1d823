//! What only `DynamoDB` can do wrong, on `DynamoDB` Local.

use std::sync::atomic::{AtomicU32, Ordering};

use lake::aws::{AwsKeys, Call};
use lake::catalog::CatalogIdentity;
use lake::clock::SystemClock;
use lake::pause::Patience;
use serde_json::{Value, json};

use super::*;
use crate::store::claim::tests::lake;
use crate::store::conformance::http::Busy;
use crate::store::conformance::proxy::Proxy;
use crate::store::conformance::{Fixture, batch, everything, keeps_its_promises, keeps_its_promises_with_few_points};

const START: i64 = 1_709_164_800_000;
const HOUR: i64 = 3_600_000;

const TEST: Call = Call { operation: "test", action: "dynamodb:Test" };

/// Waits less than for the real one.
const PATIENCE: Patience = Patience { tries: 12, first: Duration::from_millis(1), longest: Duration::from_millis(50) };

/// Returns the address of `DynamoDB` Local; none when nobody has started it.
pub(crate) fn server() -> Option<String> {
    let url = std::env::var_os("SUIRO_TEST_DYNAMODB").and_then(|url| url.into_string().ok());
    if url.is_none() {
        println!("skipped: no SUIRO_TEST_DYNAMODB (`./test` sets it)");
    }
    url
}

fn settings(url: &str, table: &str) -> DynamoDbSettings {
    DynamoDbSettings {
        table: table.to_owned(),
        step: "1m".to_owned(),
        item: Duration::from_hours(1),
        ttl_attr: "ttl".to_owned(),
        keep: Duration::from_hours(24),
        capacity: None,
        endpoint: Some(url.to_owned()),
        aws: AwsSettings {
            region: Some("eu-west-1".to_owned()),
            keys: Some(AwsKeys { id: "AKIDEXAMPLE".to_owned(), secret: "hunter2".to_owned() }),
            ..AwsSettings::default()
        },
    }
}

async fn opened(settings: &DynamoDbSettings) -> DynamoDbStore {
    let mut store = DynamoDbStore::open(settings, Arc::new(SystemClock)).await.unwrap();
    store.table.api = store.table.api.clone().with_patience(PATIENCE);
    store
}

/// Makes a store on a new table.
async fn store(url: &str) -> DynamoDbStore {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let number = TABLES.fetch_add(1, Ordering::SeqCst);
    let store = opened(&settings(url, &format!("points-{}-{number}", std::process::id()))).await;
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    store
        .asked(
            "CreateTable",
            json!({
                "KeySchema": [key("series", "HASH"), key("epoch", "RANGE")],
                "AttributeDefinitions": [text("series"), text("epoch")],
                "BillingMode": "PAY_PER_REQUEST",
            }),
        )
        .await;
    store
}

/// Makes a new table for tests of others, and returns what it is opened with.
pub(crate) async fn table(url: &str) -> DynamoDbSettings {
    settings(url, &store(url).await.table.name)
}

impl DynamoDbStore {
    /// Asks the service something of the table as another program would.
    async fn asked(&self, name: &str, mut request: Value) -> Value {
        request["TableName"] = self.table.name.clone().into();
        self.table.api.call(TEST, name, &request).await.unwrap()
    }

    async fn item(&self, series: &str, epoch: &str) -> Value {
        let key = json!({"series": {"S": series}, "epoch": {"S": epoch}});
        self.asked("GetItem", json!({"Key": key, "ConsistentRead": true})).await["Item"].clone()
    }
}

struct NewTables {
    url: String,
}

impl Fixture for NewTables {
    type Store = DynamoDbStore;

    async fn empty(&self) -> Arc<DynamoDbStore> {
        Arc::new(store(&self.url).await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamodb_keeps_the_promises_of_a_store() {
    let Some(url) = server() else { return };
    keeps_its_promises(&NewTables { url }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_throttles_every_second_call_keeps_them_too() {
    let Some(url) = server() else { return };
    let busy = Busy::before(&url).await;
    keeps_its_promises_with_few_points(&NewTables { url: busy.url.clone() }).await;
    let (refused, left_over) = busy.figures();
    assert!(refused > 100 && left_over > 20, "{refused} {left_over}");
}

#[tokio::test]
async fn items_are_as_the_page_says() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    let long = "🐙".repeat(1_000);
    let points = vec![(START, 1.5), (START + HOUR - 1, 2.0), (START + HOUR, 3.0)];
    store.write(&batch([("a:b", points), (long.as_str(), vec![(START, 1.0)])]), DuplicateRule::Last).await.unwrap();
    let item = store.item("a:b", "1709164800000:1m").await;
    let first = "AAABjfIpKAA/+AAAAAAAAA==";
    assert!(item["points"]["BS"].as_array().unwrap().contains(&json!(first)), "{item}");
    assert_eq!(item["points"]["BS"].as_array().unwrap().len(), 2);
    // The end of the hour, and a day.
    assert_eq!(item["ttl"]["N"], (START / 1_000 + 3_600 + 86_400).to_string());
    assert_eq!(item.as_object().unwrap().keys().collect::<BTreeSet<_>>().len(), 5, "{item}");
    assert!(store.item("a:b", "1709168400000:1m").await["revision"]["N"].is_string());
    let hashed = item::partition_key(&SeriesName::new(&long).unwrap());
    assert_eq!(store.item(&hashed, "1709164800000:1m").await["name"]["S"], long);
}

#[tokio::test]
async fn an_item_past_its_time_to_live_is_points_like_others() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    // Of 1970: it has been gone, by its time to live, for half a century.
    let old = batch([("a", vec![(1, 1.0)])]);
    store.write(&old, DuplicateRule::Last).await.unwrap();
    assert_eq!(store.item("a", "0:1m").await["ttl"]["N"], "90000");
    assert_eq!(everything(&store).await, old);
    assert_eq!(store.summaries(Selection::All).await.unwrap().len(), 1);
    assert_eq!(store.days().await.unwrap(), BTreeSet::from([0]));
    assert_eq!(store.delete_exact(&old).await.unwrap(), 1);
}

#[tokio::test]
async fn what_other_programs_add_is_kept() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    // As programs do that keep no revision: the set is added to.
    let key = json!({"series": {"S": "a"}, "epoch": {"S": "1709164800000:1m"}});
    let add = |point: &str| {
        json!({
            "Key": key,
            "UpdateExpression": "ADD #points :new SET host = :host",
            "ExpressionAttributeNames": {"#points": "points"},
            "ExpressionAttributeValues": {":new": {"BS": [point]}, ":host": {"S": "h"}},
        })
    };
    store.asked("UpdateItem", add("AAABjfIpKAA/+AAAAAAAAA==")).await;
    store.write(&batch([("a", vec![(START + 1, 2.0)])]), DuplicateRule::Last).await.unwrap();
    assert_eq!(everything(&store).await, batch([("a", vec![(START, 1.5), (START + 1, 2.0)])]));
    assert_eq!(store.item("a", "1709164800000:1m").await["host"]["S"], "h");
    assert_eq!(store.delete_exact(&batch([("a", vec![(START, 1.5), (START + 1, 2.0)])])).await.unwrap(), 2);
    assert_eq!(store.item("a", "1709164800000:1m").await, Value::Null);
}

#[tokio::test]
async fn tiers_of_other_steps_share_a_table() {
    let Some(url) = server() else { return };
    let minutes = store(&url).await;
    let settings = DynamoDbSettings {
        step: "1h".to_owned(),
        item: Duration::from_hours(24),
        ..settings(&url, &minutes.table.name)
    };
    let hours = opened(&settings).await;
    let of = |value| batch([("a", vec![(START, value)])]);
    minutes.write(&of(1.0), DuplicateRule::Last).await.unwrap();
    hours.write(&of(2.0), DuplicateRule::Last).await.unwrap();
    assert_eq!((everything(&minutes).await, everything(&hours).await), (of(1.0), of(2.0)));
    assert_eq!(hours.delete_exact(&of(2.0)).await.unwrap(), 1);
    assert_eq!(everything(&minutes).await, of(1.0));
    // A span that was another one is found out.
    let settings = DynamoDbSettings { item: Duration::from_hours(24), step: "1m".to_owned(), ..settings };
    minutes.write(&batch([("a", vec![(START + HOUR, 1.0)])]), DuplicateRule::Last).await.unwrap();
    let error = opened(&settings).await.summaries(Selection::All).await.unwrap_err();
    assert!(error.to_string().contains("do not begin at that time: `item` was another one"), "{error}");
}

#[tokio::test]
async fn an_item_that_is_too_large_is_refused_before_it_is_sent() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    let points = |count: i64| (0..count).map(|n| (START + n, 1.0)).collect::<Vec<_>>();
    store.write(&batch([("a", points(23_600))]), DuplicateRule::Last).await.unwrap();
    let error = store.write(&batch([("a", points(23_700))]), DuplicateRule::Last).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourcesExhausted);
    assert_eq!(
        error.to_string(),
        "expected at most 23612 points in one item, found 23700 in that of `a`, `1709164800000:1m`: DynamoDB takes items of \
         400 KB"
    );
    assert_eq!(everything(&store).await.count(), 23_600);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_made_again() {
    let Some(url) = server() else { return };
    let behind = store(&url).await;
    let port = url.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    let proxy = Proxy::before(port).await;
    let store = opened(&settings(&format!("http://127.0.0.1:{}", proxy.port), &behind.table.name)).await;
    let all = batch([("a", vec![(START, 1.0), (START + HOUR, 2.0)]), ("b", vec![(START, 3.0)])]);
    for losses in 1..=4 {
        proxy.lose_answers(losses);
        store.write(&all, DuplicateRule::Error).await.unwrap();
        assert!(proxy.has_lost_all());
        proxy.lose_answers(losses);
        assert_eq!(everything(&store).await, all);
        proxy.lose_answers(losses);
        store.delete_exact(&batch([("a", vec![(START, 1.0)])])).await.unwrap();
        assert_eq!(everything(&behind).await.count(), 2);
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_or_has_other_keys_says_how_it_is_made() {
    let Some(url) = server() else { return };
    let missing = opened(&settings(&url, "missing")).await;
    let points = batch([("a", vec![(START, 1.0)])]);
    for error in [
        missing.write(&points, DuplicateRule::Last).await.unwrap_err(),
        missing.summaries(Selection::All).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("\n  table: missing"), "{error}");
        assert!(error.help.unwrap().contains("aws dynamodb create-table --table-name missing"));
    }
    assert!(!format!("{missing:?}").contains("hunter2"));
}

fn owner(id: &str, tier: &str) -> Owner {
    Owner { tier: crate::TierName::new(tier).unwrap(), table: "m.a".to_owned(), lake: Some(lake(id)) }
}

/// The item that says whose points a table holds, without its keys.
async fn claim_of(store: &DynamoDbStore) -> Value {
    let mut item = store.item("sha256:tiers", "0:tiers:1m").await;
    if let Some(item) = item.as_object_mut() {
        item.retain(|attribute, _| !["series", "epoch"].contains(&attribute.as_str()));
    }
    item
}

#[tokio::test]
async fn items_belong_to_one_lake() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    let nobody = Owner { lake: None, ..owner("1", "hot") };
    store.claim(&nobody, Claiming::Look).await.unwrap();
    assert_eq!(claim_of(&store).await, Value::Null, "looking claims nothing");
    let moved = Owner { lake: Some(CatalogIdentity { made_in: None, ..lake("1") }), ..owner("1", "hot") };
    for own in [owner("1", "hot"), moved] {
        for how in [Claiming::Take, Claiming::Look] {
            store.claim(&own, how).await.unwrap();
            assert_eq!(claim_of(&store).await, json!({"tier": {"S": "hot of m.a"}, "lake": {"S": "1 (/srv/1)"}}));
        }
    }
    for (other, named) in [(owner("2", "hot"), "the lake 2 (/srv/2)"), (nobody, "this lake")] {
        for how in [Claiming::Look, Claiming::Take] {
            let error = store.claim(&other, how).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "expected a place of its own for the points of the tier `hot of m.a` in {named}, found one that the tier `hot of m.a` in \
                     the lake 1 (/srv/1) has: the items of the step 1m of the table `{}` of DynamoDB. Each would take the other's points \
                     for its own, and delete them",
                    store.table.name
                )
            );
        }
    }
}

#[tokio::test]
async fn a_claim_of_an_earlier_version_is_the_first_writers() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    let key = json!({"series": {"S": "sha256:tiers"}, "epoch": {"S": "0:tiers:1m"}});
    let mut item = key.clone();
    item["tier"] = json!({"S": "hot of m.a"});
    store.asked("PutItem", json!({ "Item": item })).await;
    for id in ["1", "2"] {
        store.claim(&owner(id, "hot"), Claiming::Look).await.unwrap();
    }
    assert_eq!(claim_of(&store).await, json!({"tier": {"S": "hot of m.a"}}), "looking leaves it");
    store.claim(&owner("2", "hot"), Claiming::Take).await.unwrap();
    assert_eq!(claim_of(&store).await, json!({"tier": {"S": "hot of m.a"}, "lake": {"S": "2 (/srv/2)"}}));
    assert!(store.claim(&owner("1", "hot"), Claiming::Look).await.is_err());
    // What is removed by hand is claimed again.
    store.asked("DeleteItem", json!({ "Key": key })).await;
    store.claim(&owner("1", "hot"), Claiming::Take).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_lakes_that_come_at_once_one_is_first() {
    let Some(url) = server() else { return };
    for is_claimed_before in [false, true] {
        let table = store(&url).await;
        if is_claimed_before {
            let item =
                json!({"series": {"S": "sha256:tiers"}, "epoch": {"S": "0:tiers:1m"}, "tier": {"S": "hot of m.a"}});
            table.asked("PutItem", json!({ "Item": item })).await;
        }
        let mut tries = Vec::new();
        for number in 0..8 {
            let store = opened(&settings(&url, &table.table.name)).await;
            let owner = owner(&number.to_string(), "hot");
            tries.push(tokio::spawn(async move { store.claim(&owner, Claiming::Take).await.is_ok() }));
        }
        let mut taken = 0;
        for tried in tries {
            taken += usize::from(tried.await.unwrap());
        }
        assert_eq!(taken, 1, "{is_claimed_before}");
    }
}

#[tokio::test]
async fn items_belong_to_one_tier_whatever_the_address_is() {
    let Some(url) = server() else { return };
    let store = store(&url).await;
    let owner = |tier: &str| owner("1", tier);
    // Looking claims nothing.
    store.claim(&owner("warm"), Claiming::Look).await.unwrap();
    for _ in 0..2 {
        store.claim(&owner("hot"), Claiming::Take).await.unwrap();
    }
    let localhost = url.replace("127.0.0.1", "localhost");
    let other = opened(&settings(&localhost, &store.table.name)).await;
    for how in [Claiming::Look, Claiming::Take] {
        let error = other.claim(&owner("warm"), how).await.unwrap_err();
        let table = &store.table.name;
        assert_eq!(
            error.to_string(),
            format!(
                "expected a place of its own for the points of the tier `warm of m.a`, found one that the tier `hot of m.a` has: the \
                 items of the step 1m of the table `{table}` of DynamoDB. Each would take the other's points for its own, and delete them"
            )
        );
        let remove = format!(
            "aws dynamodb delete-item --table-name {table} --key \
             '{{\"series\":{{\"S\":\"sha256:tiers\"}},\"epoch\":{{\"S\":\"0:tiers:1m\"}}}}'"
        );
        let help = error.help.unwrap();
        assert!(help.contains(&remove), "{help}");
    }
    let hourly = opened(&DynamoDbSettings { step: "1h".to_owned(), ..settings(&url, &store.table.name) }).await;
    hourly.claim(&owner("warm"), Claiming::Take).await.unwrap();
    // The claims are no series.
    assert!(everything(&store).await.is_empty());
    assert!(store.summaries(Selection::All).await.unwrap().is_empty());
    assert!(store.days().await.unwrap().is_empty());
}
