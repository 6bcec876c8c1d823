//! Which tier of which lake the items of a step belong to: an item of the table says it, whatever region and address lead to it.

use lake::aws::Call;
use lake::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::client::Table;
use super::item::{EPOCH, SERIES};
use crate::store::claim::{CLAIM, Claim, Claiming, Owner, Place, claimed};

/// The partition key of the claims: it is no series', as names that begin like that are hashed.
const CLAIMS: &str = "sha256:tiers";

/// The attribute that names the tier.
const OWNER: &str = "tier";

/// The attribute that names the lake. Earlier versions pass over it.
const LAKE: &str = "lake";

const LOOK: Call = Call { operation: CLAIM, action: "dynamodb:Query" };
const TAKE: Call = Call { operation: CLAIM, action: "dynamodb:UpdateItem" };

impl Table {
    /// Refuses items that are another tier's. Of two that come at once one is first: the claim is made when none is there, and a lake
    /// added to one without when it is still that.
    pub(super) async fn claim(&self, owner: &Owner, how: Claiming) -> Result<()> {
        let kept = self.kept_claim(owner).await?;
        let lake = owner.lake.as_ref().map(ToString::to_string);
        let is_whole = kept.as_ref().is_some_and(|kept| kept.lake.is_some() || lake.is_none());
        if is_whole || how == Claiming::Look {
            return Ok(());
        }
        let mut names = json!({"#owner": OWNER});
        let mut values = json!({":owner": {"S": kept.as_ref().map_or_else(|| owner.name(), |kept| kept.name.clone())}});
        let (mut condition, mut sets) = match kept {
            None => ("attribute_not_exists(#owner)".to_owned(), vec!["#owner = :owner"]),
            Some(_) => ("#owner = :owner".to_owned(), Vec::new()),
        };
        if let Some(lake) = lake {
            condition.push_str(" AND attribute_not_exists(#lake)");
            sets.push("#lake = :lake");
            names["#lake"] = LAKE.into();
            values[":lake"] = json!({ "S": lake });
        }
        let request = json!({
            "TableName": self.name,
            "Key": self.key_of_claim(),
            "ConditionExpression": condition,
            "UpdateExpression": format!("SET {}", sets.join(", ")),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        });
        match self.api.call(TAKE, "UpdateItem", &request).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is("ConditionalCheckFailedException") => {
                if self.kept_claim(owner).await?.is_some() {
                    return Ok(());
                }
                let message = "the claim of the table's items was removed meanwhile";
                Err(Error::new(ErrorKind::External, CLAIM, message).retryable().with("table", &self.name))
            }
            Err(refusal) => Err(self.explained(refusal)),
        }
    }

    /// Returns the claim of the items, which is the owner's; none where they are nobody's.
    async fn kept_claim(&self, owner: &Owner) -> Result<Option<Claim>> {
        let key = self.key_of_claim();
        let request = json!({
            "TableName": self.name,
            "KeyConditionExpression": "#series = :series AND #epoch = :epoch",
            "ExpressionAttributeNames": {"#series": SERIES, "#epoch": EPOCH},
            "ExpressionAttributeValues": {":series": key[SERIES], ":epoch": key[EPOCH]},
            "ConsistentRead": true,
        });
        let answer = self.call(LOOK, "Query", &request).await?;
        let item = answer.get("Items").and_then(Value::as_array).and_then(|items| items.first());
        let text = |attribute: &str| Some(item?.pointer(&format!("/{attribute}/S"))?.as_str()?.to_owned());
        let Some(name) = text(OWNER) else { return Ok(None) };
        let kept = Claim { name, lake: text(LAKE) };
        if owner.has(&kept) {
            return Ok(Some(kept));
        }
        let shared = format!("the items of the step {} of the table `{}` of DynamoDB", self.items.step, self.name);
        let remove = format!("aws dynamodb delete-item --table-name {} --key '{key}'", self.name);
        let apart = "give each tier a table of its own".to_owned();
        Err(claimed(owner, &kept, &Place { shared, apart, remove: &remove }))
    }

    /// Returns the key of the item, as attributes. What stands for its step is none, so that it is passed over as an item of points.
    fn key_of_claim(&self) -> Value {
        json!({SERIES: {"S": CLAIMS}, EPOCH: {"S": format!("0:tiers:{}", self.items.step)}})
    }
}
