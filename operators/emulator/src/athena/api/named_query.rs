//! Named queries: texts that are kept for people.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::workgroup::PRIMARY;
use super::{input, list};
use crate::athena::Athena;
use crate::athena::refusal::{ErrorCode, invalid};
use crate::athena::store::Kind;
use crate::auth::digest::sha256_hex;
use crate::error::ApiResult;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
struct NamedQuery {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    database: String,
    query_string: String,
    #[serde(default)]
    named_query_id: String,
    #[serde(default)]
    work_group: Option<String>,
    /// The token that made it: sending it again gives the same query.
    #[serde(default, skip_serializing)]
    client_request_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(clippy::struct_field_names, reason = "the names are the service's")]
struct Id {
    named_query_id: String,
    name: Option<String>,
    description: Option<String>,
    query_string: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ids {
    named_query_ids: Vec<String>,
}

impl Athena {
    async fn named_query(&self, id: &str) -> ApiResult<NamedQuery> {
        self.inner
            .store
            .get(Kind::NamedQuery, "", id)
            .await?
            .ok_or_else(|| invalid(ErrorCode::InvalidInput, absent(id)))
    }

    /// Lists the ids of a workgroup's named queries.
    pub(super) async fn named_queries_of(&self, group: &str) -> ApiResult<Vec<String>> {
        let all: Vec<(String, NamedQuery)> = self.inner.store.list(Kind::NamedQuery, "").await?;
        let own = all.into_iter().filter(|(_, query)| query.work_group.as_deref() == Some(group));
        Ok(own.map(|(id, _)| id).collect())
    }

    /// Deletes a named query with what it was made by.
    pub(super) async fn forget_named_query(&self, id: &str) -> ApiResult<()> {
        self.inner.store.delete(Kind::NamedQuery, "", id).await?;
        self.inner.store.delete(Kind::NamedQueryRequest, "", id).await?;
        Ok(())
    }

    pub(in crate::athena) async fn create_named_query(&self, body: Value) -> ApiResult<Value> {
        let mut made: NamedQuery = input(body)?;
        let request = sha256_hex(json!(made).to_string().as_bytes());
        let group = made.work_group.clone().unwrap_or_else(|| PRIMARY.to_owned());
        self.workgroup(&group).await?;
        // The id follows from the token, so that a call that is sent again makes no second one.
        let id = match &made.client_request_token {
            Some(token) => Uuid::new_v5(&Uuid::NAMESPACE_OID, token.as_bytes()),
            None => Uuid::new_v4(),
        };
        if made.client_request_token.is_some() {
            let name = id.to_string();
            let store = &self.inner.store;
            let is_new = store.create(Kind::NamedQueryRequest, "", &name, &request).await?;
            if !is_new && store.get(Kind::NamedQueryRequest, "", &name).await? != Some(request) {
                let message = "Idempotent parameters do not match";
                return Err(invalid(ErrorCode::IdempotentParameterMismatch, message));
            }
        }
        made.named_query_id = id.to_string();
        made.work_group = Some(group);
        let id = made.named_query_id.clone();
        self.inner.store.create(Kind::NamedQuery, "", &id, &made).await?;
        Ok(json!({ "NamedQueryId": id }))
    }

    pub(in crate::athena) async fn get_named_query(&self, body: Value) -> ApiResult<Value> {
        let Id { named_query_id, .. } = input(body)?;
        Ok(json!({ "NamedQuery": self.named_query(&named_query_id).await? }))
    }

    pub(in crate::athena) async fn batch_get_named_query(&self, body: Value) -> ApiResult<Value> {
        let Ids { named_query_ids } = input(body)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in named_query_ids {
            match self.inner.store.get::<NamedQuery>(Kind::NamedQuery, "", &id).await? {
                Some(query) => found.push(json!(query)),
                None => missing.push(list::missing("NamedQueryId", &id, "INVALID_INPUT", &absent(&id))),
            }
        }
        Ok(json!({ "NamedQueries": found, "UnprocessedNamedQueryIds": missing }))
    }

    pub(in crate::athena) async fn list_named_queries(&self, body: Value) -> ApiResult<Value> {
        let asked: list::OfWorkGroup = input(body)?;
        let group = asked.workgroup();
        let ids = self.named_queries_of(group).await?.into_iter().map(|id| (id.clone(), json!(id))).collect();
        list::page(ids, "NamedQueryIds", asked.max_results, 50, asked.next_token.as_deref())
    }

    pub(in crate::athena) async fn update_named_query(&self, body: Value) -> ApiResult<Value> {
        let Id { named_query_id, name, description, query_string } = input(body)?;
        let mut query = self.named_query(&named_query_id).await?;
        query.name = name.unwrap_or(query.name);
        query.description = description.or(query.description);
        query.query_string = query_string.unwrap_or(query.query_string);
        self.inner.store.put(Kind::NamedQuery, "", &named_query_id, &query).await?;
        Ok(Value::Object(Map::new()))
    }

    pub(in crate::athena) async fn delete_named_query(&self, body: Value) -> ApiResult<Value> {
        let Id { named_query_id, .. } = input(body)?;
        self.named_query(&named_query_id).await?;
        self.forget_named_query(&named_query_id).await?;
        Ok(json!({}))
    }
}

fn absent(id: &str) -> String {
    format!("NamedQuery {id} was not found")
}
