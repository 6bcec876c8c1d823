//! Tags of workgroups and data catalogs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{input, list};
use crate::athena::Athena;
use crate::athena::store::Kind;
use crate::error::ApiResult;

/// A tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
struct Resource {
    #[serde(rename = "ResourceARN")]
    resource: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Athena {
    /// Returns the name of a resource among all of AWS.
    pub(super) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:athena:{}:{}:{resource}", self.inner.region, crate::ACCOUNT)
    }

    pub(super) async fn put_tags(&self, resource: &str, tags: &[Tag]) -> ApiResult<()> {
        for tag in tags {
            self.inner.store.put(Kind::Tag, resource, &tag.key, tag).await?;
        }
        Ok(())
    }

    /// Drops the tags of a resource that goes.
    pub(super) async fn forget_tags(&self, resource: &str) -> ApiResult<()> {
        let tags: Vec<(String, Tag)> = self.inner.store.list(Kind::Tag, resource).await?;
        for (key, _) in tags {
            self.inner.store.delete(Kind::Tag, resource, &key).await?;
        }
        Ok(())
    }

    pub(in crate::athena) async fn tag_resource(&self, body: Value) -> ApiResult<Value> {
        let Resource { resource, tags, .. } = input(body)?;
        self.put_tags(&resource, &tags).await?;
        Ok(json!({}))
    }

    pub(in crate::athena) async fn untag_resource(&self, body: Value) -> ApiResult<Value> {
        let Resource { resource, tag_keys, .. } = input(body)?;
        for key in tag_keys {
            self.inner.store.delete(Kind::Tag, &resource, &key).await?;
        }
        Ok(json!({}))
    }

    pub(in crate::athena) async fn list_tags_for_resource(&self, body: Value) -> ApiResult<Value> {
        let Resource { resource, max_results, next_token, .. } = input(body)?;
        let tags: Vec<(String, Value)> = self.inner.store.list(Kind::Tag, &resource).await?;
        list::page(tags, "Tags", max_results, 75, next_token.as_deref())
    }
}
