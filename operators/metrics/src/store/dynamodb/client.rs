//! The calls of one table, whatever is throttled, left over or comes in pages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lake::aws::{Call, JsonApi, JsonService, Refusal};
use lake::clock::Clock;
use lake::pause::Patience;
use lake::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::DynamoDbSettings;
use super::capacity::Capacity;
use super::item::{EPOCH, Items, Key, NAME, POINTS, REVISION, SERIES, Stored, partition_key};
use crate::point::{Points, SeriesName};
use crate::time::TimeRange;

/// How many keys `BatchGetItem` takes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
pub(super) const BATCH_KEYS: usize = 100;

/// How often an item is changed anew that others change as well: with these pauses for half a minute.
pub(super) const CONFLICTS: Patience =
    Patience { tries: 40, first: Duration::from_millis(10), longest: Duration::from_secs(1) };

/// How often what `BatchGetItem` leaves over is asked for without getting any of it.
const LEFT_OVER: Patience = Patience { tries: 14, first: Duration::from_millis(100), longest: Duration::from_secs(20) };

/// A write unit is a kilobyte of an item
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
const WRITE_UNIT: f64 = 1_024.0;

const READ: Call = Call { operation: "read points", action: "dynamodb:BatchGetItem" };
const QUERY: Call = Call { operation: "read points", action: "dynamodb:Query" };
const LIST: Call = Call { operation: "list series", action: "dynamodb:Scan" };
const WRITE: Call = Call { operation: "write points", action: "dynamodb:UpdateItem" };
const DELETE: Call = Call { operation: "delete points", action: "dynamodb:DeleteItem" };

/// A table of items.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) api: JsonApi,
    pub(super) name: String,
    pub(super) items: Items,
    capacity: Option<Capacity>,
}

type Item = Map<String, Value>;

impl Table {
    pub(super) async fn open(settings: &DynamoDbSettings, items: Items, clock: Arc<dyn Clock>) -> Result<Self> {
        // Finding credentials knows many ways, and all of them are in its future.
        let api = JsonApi::open(JsonService::DYNAMODB, &settings.aws, settings.endpoint.as_ref(), clock);
        let api = Box::pin(api).await?;
        let capacity = settings.capacity.map(|per_second| Capacity::new(per_second, Instant::now()));
        Ok(Self { api, name: settings.table.clone(), items, capacity })
    }

    /// Reads items, at most [`BATCH_KEYS`]; those that are not there are left out.
    pub(super) async fn get(&self, keys: &[&Key]) -> Result<BTreeMap<Key, Stored>> {
        let mut found = BTreeMap::new();
        if keys.is_empty() {
            return Ok(found);
        }
        let wanted: Vec<Value> = keys.iter().map(|key| self.items.key(key)).collect();
        let mut request = json!({&self.name: {"Keys": wanted, "ConsistentRead": true}});
        let mut pauses = LEFT_OVER.begin();
        loop {
            let answer = self.call(READ, "BatchGetItem", &json!({ "RequestItems": request })).await?;
            let items = answer.pointer("/Responses").and_then(|tables| tables.get(&self.name));
            let items = items.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for item in items.iter().filter_map(Value::as_object) {
                if let Some(key) = self.items.read_key(item)? {
                    let stored = self.items.read(&key, item)?;
                    found.insert(key, stored);
                }
            }
            let left = answer.get("UnprocessedKeys").filter(|left| left.get(&self.name).is_some());
            let Some(left) = left else { return Ok(found) };
            if !items.is_empty() {
                pauses = LEFT_OVER.begin();
            } else if !pauses.wait().await {
                let message = "cannot read points: DynamoDB leaves them over again and again";
                return Err(Error::new(ErrorKind::External, READ.operation, message)
                    .retryable()
                    .with("table", &self.name)
                    .help("give the table more read capacity"));
            }
            request = left.clone();
        }
    }

    /// Puts points in the place of what was read of an item; none of them deletes it. Returns false when it is another item by
    /// now.
    pub(super) async fn put(&self, key: &Key, before: Option<&Stored>, points: &Points) -> Result<bool> {
        let set = self.items.points(key, points)?;
        let (condition, mut values) = match before {
            None => ("attribute_not_exists(#series)", json!({})),
            Some(Stored { revision: Some(revision), .. }) => {
                ("#revision = :before", json!({":before": {"N": revision.to_string()}}))
            }
            Some(Stored { raw, .. }) => {
                ("attribute_not_exists(#revision) AND #points = :before", json!({ ":before": raw }))
            }
        };
        let mut names = Map::new();
        for (name, attribute) in [("#series", SERIES), ("#revision", REVISION), ("#points", POINTS)] {
            if condition.contains(name) {
                names.insert(name.to_owned(), attribute.into());
            }
        }
        let mut request = json!({
            "TableName": self.name,
            "Key": self.items.key(key),
            "ConditionExpression": condition,
        });
        let (call, name) = if points.is_empty() {
            (DELETE, "DeleteItem")
        } else {
            let revision =
                before.and_then(|stored| stored.revision).map_or_else(revision_by_chance, |r| r.wrapping_add(1));
            let mut sets = vec!["#points = :points", "#revision = :revision", "#ttl = :ttl"];
            let mut set_to = |name: &str, attribute: &str, value: Value| {
                names.insert(format!("#{name}"), attribute.into());
                values[format!(":{name}")] = value;
            };
            set_to("points", POINTS, set);
            set_to("revision", REVISION, json!({"N": revision.to_string()}));
            set_to("ttl", &self.items.ttl_attr, json!({"N": self.items.gone_after(key.1).to_string()}));
            if partition_key(&key.0) != key.0.as_str() {
                set_to("name", NAME, json!({"S": key.0.as_str()}));
                sets.push("#name = :name");
            }
            request["UpdateExpression"] = format!("SET {}", sets.join(", ")).into();
            (WRITE, "UpdateItem")
        };
        request["ExpressionAttributeNames"] = names.into();
        if values.as_object().is_some_and(|values| !values.is_empty()) {
            request["ExpressionAttributeValues"] = values;
        }
        if let Some(capacity) = &self.capacity {
            let longer = before.map_or(0, |stored| stored.points.len()).max(points.len());
            capacity.take(write_units(key, longer)).await;
        }
        match self.api.call(call, name, &request).await {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.is("ConditionalCheckFailedException") => Ok(false),
            Err(refusal) => Err(self.explained(refusal)),
        }
    }

    /// Reads the items of a series that a span asks for, and perhaps others.
    pub(super) async fn query(&self, name: &SeriesName, range: TimeRange) -> Result<Vec<(Key, Stored)>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut condition = "#series = :series".to_owned();
        let mut names = json!({"#series": SERIES});
        let mut values = json!({":series": {"S": partition_key(name)}});
        let (first, last) = (self.items.epoch_of(range.start_ms), self.items.epoch_of(range.end_ms - 1));
        // Texts are in the order of their numbers when they have the same number of digits: from 2001 to 2286.
        if (1_000_000_000_000..10_000_000_000_000).contains(&first) && (..10_000_000_000_000).contains(&last) {
            condition.push_str(" AND #epoch BETWEEN :first AND :last");
            names["#epoch"] = EPOCH.into();
            values[":first"] = json!({"S": format!("{first}:")});
            values[":last"] = json!({"S": self.items.sort_key(last)});
        }
        let request = json!({
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ConsistentRead": true,
        });
        let mut found = Vec::new();
        self.pages(QUERY, "Query", request, |item| {
            if let Some(key) = self.items.read_key(item)?.filter(|key| key.0 == *name) {
                let stored = self.items.read(&key, item)?;
                found.push((key, stored));
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Calls `seen` with the key of every item.
    pub(super) async fn keys(&self, mut seen: impl FnMut(Key) + Send) -> Result<()> {
        let request = json!({
            "TableName": self.name,
            "ProjectionExpression": "#series, #epoch, #name",
            "ExpressionAttributeNames": {"#series": SERIES, "#epoch": EPOCH, "#name": NAME},
            "ConsistentRead": true,
        });
        self.pages(LIST, "Scan", request, |item| {
            if let Some(key) = self.items.read_key(item)? {
                seen(key);
            }
            Ok(())
        })
        .await
    }

    /// Calls `seen` with every item.
    pub(super) async fn each(&self, mut seen: impl FnMut(Key, Stored) + Send) -> Result<()> {
        let request = json!({"TableName": self.name, "ConsistentRead": true});
        self.pages(LIST, "Scan", request, |item| {
            if let Some(key) = self.items.read_key(item)? {
                let stored = self.items.read(&key, item)?;
                seen(key, stored);
            }
            Ok(())
        })
        .await
    }

    async fn pages(
        &self,
        call: Call,
        name: &str,
        mut request: Value,
        mut seen: impl FnMut(&Item) -> Result<()> + Send,
    ) -> Result<()> {
        loop {
            let answer = self.call(call, name, &request).await?;
            let items = answer.get("Items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            items.iter().filter_map(Value::as_object).try_for_each(&mut seen)?;
            match answer.get("LastEvaluatedKey") {
                Some(last) if !last.is_null() => request["ExclusiveStartKey"] = last.clone(),
                _ => return Ok(()),
            }
        }
    }

    pub(super) async fn call(&self, call: Call, name: &str, request: &Value) -> Result<Value> {
        self.api.call(call, name, request).await.map_err(|refusal| self.explained(refusal))
    }

    pub(super) fn explained(&self, refusal: Refusal) -> Error {
        let is_no_table = refusal.is("ResourceNotFoundException");
        let is_key = refusal.is("ValidationException") && refusal.error.message.contains("key");
        let error = refusal.error.with("table", &self.name);
        if is_no_table || is_key {
            return error.help(format!(
                "the table has the partition key `{SERIES}` and the sort key `{EPOCH}`, both texts: `aws dynamodb create-table \
                 --table-name {} --billing-mode PAY_PER_REQUEST --attribute-definitions \
                 AttributeName={SERIES},AttributeType=S AttributeName={EPOCH},AttributeType=S --key-schema \
                 AttributeName={SERIES},KeyType=HASH AttributeName={EPOCH},KeyType=RANGE`",
                self.name
            ));
        }
        error
    }
}

/// Returns about how many write units a change of an item takes.
fn write_units((name, _): &Key, points: usize) -> f64 {
    // What stands beside the points: keys, names of attributes, the two numbers.
    let bytes = 17 * points + name.as_str().len() + 100;
    (f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / WRITE_UNIT).ceil()
}

/// Returns the first revision of a new item.
fn revision_by_chance() -> u64 {
    // Half of the numbers are left for counting on.
    getrandom::u64().unwrap_or(1) >> 1
}
