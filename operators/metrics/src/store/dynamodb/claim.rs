//! Which tier the items of a step belong to: an item of the table says it, whatever region and address lead to it.

use lake::aws::Call;
use lake::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::client::Table;
use super::item::{EPOCH, SERIES};
use crate::store::claim::{CLAIM, Claiming, Owner, claimed};

/// The partition key of the claims: it is no series', as names that begin like that are hashed.
const CLAIMS: &str = "sha256:tiers";

/// The attribute that names the tier.
const OWNER: &str = "tier";

const LOOK: Call = Call { operation: CLAIM, action: "dynamodb:Query" };
const TAKE: Call = Call { operation: CLAIM, action: "dynamodb:UpdateItem" };

impl Table {
    /// Refuses items that are another tier's. Of two that come at once one is first: the claim is made when none is there.
    pub(super) async fn claim(&self, owner: &Owner, how: Claiming) -> Result<()> {
        if self.is_claimed(owner).await? || how == Claiming::Look {
            return Ok(());
        }
        let request = json!({
            "TableName": self.name,
            "Key": self.key_of_claim(),
            "ConditionExpression": "attribute_not_exists(#owner)",
            "UpdateExpression": "SET #owner = :owner",
            "ExpressionAttributeNames": {"#owner": OWNER},
            "ExpressionAttributeValues": {":owner": {"S": owner.to_string()}},
        });
        match self.api.call(TAKE, "UpdateItem", &request).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is("ConditionalCheckFailedException") => {
                if self.is_claimed(owner).await? {
                    return Ok(());
                }
                let message = "the claim of the table's items was removed meanwhile";
                Err(Error::new(ErrorKind::External, CLAIM, message).retryable().with("table", &self.name))
            }
            Err(refusal) => Err(self.explained(refusal)),
        }
    }

    /// Tells whether the items are the owner's; they may be nobody's.
    async fn is_claimed(&self, owner: &Owner) -> Result<bool> {
        let key = self.key_of_claim();
        let request = json!({
            "TableName": self.name,
            "KeyConditionExpression": "#series = :series AND #epoch = :epoch",
            "ExpressionAttributeNames": {"#series": SERIES, "#epoch": EPOCH},
            "ExpressionAttributeValues": {":series": key[SERIES], ":epoch": key[EPOCH]},
            "ConsistentRead": true,
        });
        let answer = self.call(LOOK, "Query", &request).await?;
        let items = answer.get("Items").and_then(Value::as_array);
        let claim = items.and_then(|items| items.first()).and_then(|item| item.pointer(&format!("/{OWNER}/S")));
        let Some(kept) = claim.and_then(Value::as_str) else { return Ok(false) };
        if owner.has(kept) {
            return Ok(true);
        }
        let place = format!("the items of the step {} of the table `{}` of DynamoDB", self.items.step, self.name);
        let remove = format!("aws dynamodb delete-item --table-name {} --key '{key}'", self.name);
        Err(claimed(owner, kept, &place, "give each tier a table of its own", &remove))
    }

    /// Returns the key of the item, as attributes. What stands for its step is none, so that it is passed over as an item of points.
    fn key_of_claim(&self) -> Value {
        json!({SERIES: {"S": CLAIMS}, EPOCH: {"S": format!("0:tiers:{}", self.items.step)}})
    }
}
