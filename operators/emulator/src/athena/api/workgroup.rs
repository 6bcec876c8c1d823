//! Workgroups: where results go, whether a client may say otherwise, and how much a query may scan.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{input, list};
use crate::athena::refusal::{ErrorCode, constraint, invalid};
use crate::athena::store::Kind;
use crate::athena::{Athena, DEFAULT_OUTPUT};
use crate::error::ApiResult;
use crate::json::seconds;

/// The workgroup that is always there.
pub(in crate::athena) const PRIMARY: &str = "primary";

/// The engine that all queries run with, as far as clients ask.
pub(super) const ENGINE: &str = "Athena engine version 3";

/// The choice of an engine that leaves it to the service.
const AUTO: &str = "AUTO";

/// The least that `BytesScannedCutoffPerQuery` may be.
const LEAST_CUTOFF: u64 = 10_000_000;

/// A workgroup as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::athena) struct WorkGroup {
    pub(in crate::athena) name: String,
    pub(in crate::athena) description: Option<String>,
    pub(in crate::athena) enabled: bool,
    pub(in crate::athena) created_ms: i64,
    pub(in crate::athena) configuration: Configuration,
}

/// How queries of a workgroup are run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::athena) struct Configuration {
    pub(in crate::athena) output_location: Option<String>,
    /// Whether a client's own location is passed over.
    pub(in crate::athena) enforced: bool,
    /// How many bytes a query may scan.
    pub(in crate::athena) cutoff_bytes: Option<u64>,
    /// What else was set: it is given back as it came.
    pub(in crate::athena) other: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Name {
    #[serde(alias = "Name")]
    work_group: String,
    #[serde(default)]
    recursive_delete_option: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    configuration: Option<Map<String, Value>>,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<super::tag::Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    work_group: String,
    description: Option<String>,
    configuration_updates: Option<Map<String, Value>>,
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Configuration {
    fn new(output_location: Option<String>, enforced: bool) -> Self {
        Self { output_location, enforced, cutoff_bytes: None, other: Map::new() }
    }

    /// Takes over what a call sets.
    fn update(&mut self, set: &Map<String, Value>) -> ApiResult<()> {
        for (key, value) in set {
            match key.as_str() {
                "EnforceWorkGroupConfiguration" => self.enforced = value.as_bool().unwrap_or(self.enforced),
                "BytesScannedCutoffPerQuery" => {
                    let bytes = value.as_u64().filter(|bytes| *bytes >= LEAST_CUTOFF).ok_or_else(|| {
                        constraint(
                            "configuration.bytesScannedCutoffPerQuery",
                            &format!("have value greater than or equal to {LEAST_CUTOFF}"),
                        )
                    })?;
                    self.cutoff_bytes = Some(bytes);
                }
                "RemoveBytesScannedCutoffPerQuery" => {
                    if value.as_bool() == Some(true) {
                        self.cutoff_bytes = None;
                    }
                }
                "ResultConfiguration" | "ResultConfigurationUpdates" => {
                    if value.get("RemoveOutputLocation").and_then(Value::as_bool) == Some(true) {
                        self.output_location = None;
                    }
                    if let Some(location) = value.get("OutputLocation").and_then(Value::as_str) {
                        checked_location(location)?;
                        self.output_location = Some(location.to_owned());
                    }
                }
                "EngineVersion" => {
                    let selected = value.get("SelectedEngineVersion").and_then(Value::as_str);
                    if let Some(other) = selected.filter(|selected| ![AUTO, ENGINE].contains(selected)) {
                        let message = format!("Engine version {other} cannot be selected: expected {AUTO} or {ENGINE}");
                        return Err(invalid(ErrorCode::InvalidInput, message));
                    }
                }
                _ => {
                    self.other.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(())
    }

    fn output(&self) -> Value {
        let mut result = Map::new();
        if let Some(location) = &self.output_location {
            result.insert("OutputLocation".to_owned(), json!(location));
        }
        let mut output = Map::from_iter([
            ("ResultConfiguration".to_owned(), Value::Object(result)),
            ("EnforceWorkGroupConfiguration".to_owned(), json!(self.enforced)),
            ("PublishCloudWatchMetricsEnabled".to_owned(), json!(false)),
            ("RequesterPaysEnabled".to_owned(), json!(false)),
            ("EnableMinimumEncryptionConfiguration".to_owned(), json!(false)),
            ("EngineVersion".to_owned(), engine()),
        ]);
        if let Some(bytes) = self.cutoff_bytes {
            output.insert("BytesScannedCutoffPerQuery".to_owned(), json!(bytes));
        }
        output.extend(self.other.clone());
        Value::Object(output)
    }
}

/// Checks that a text is a place where results can go.
pub(super) fn checked_location(text: &str) -> ApiResult<lake::name::Location> {
    let location = lake::name::Location::parse(text)
        .map_err(|_| invalid(ErrorCode::InvalidInput, "outputLocation is not a valid S3 path."))?;
    Ok(location.into_prefix())
}

pub(super) fn engine() -> Value {
    json!({ "SelectedEngineVersion": AUTO, "EffectiveEngineVersion": ENGINE })
}

/// Answers `ListEngineVersions`.
pub(in crate::athena) fn engine_versions() -> Value {
    json!({ "EngineVersions": [engine(), { "SelectedEngineVersion": ENGINE, "EffectiveEngineVersion": ENGINE }] })
}

impl Athena {
    /// Returns a workgroup.
    ///
    /// # Errors
    /// The service's own when there is none of the name.
    pub(in crate::athena) async fn workgroup(&self, name: &str) -> ApiResult<WorkGroup> {
        if let Some(found) = self.inner.store.get(Kind::WorkGroup, "", name).await? {
            return Ok(found);
        }
        if name == PRIMARY {
            return Ok(WorkGroup {
                name: PRIMARY.to_owned(),
                description: None,
                enabled: true,
                created_ms: 0,
                configuration: Configuration::new(Some(DEFAULT_OUTPUT.to_owned()), false),
            });
        }
        Err(invalid(ErrorCode::InvalidInput, "WorkGroup is not found."))
    }

    pub(in crate::athena) async fn create_work_group(&self, body: Value) -> ApiResult<Value> {
        let Create { name, configuration, description, tags } = input(body)?;
        let plain = !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if !plain {
            return Err(constraint("name", "satisfy regular expression pattern: [a-zA-Z0-9._-]{1,128}"));
        }
        let mut made = WorkGroup {
            name: name.clone(),
            description,
            enabled: true,
            created_ms: self.now_ms(),
            configuration: Configuration::new(None, true),
        };
        made.configuration.update(&configuration.unwrap_or_default())?;
        if name == PRIMARY || !self.inner.store.create(Kind::WorkGroup, "", &name, &made).await? {
            return Err(invalid(ErrorCode::InvalidInput, "WorkGroup is already created"));
        }
        let resource = self.arn(&format!("workgroup/{name}"));
        self.put_tags(&resource, &tags).await?;
        Ok(json!({}))
    }

    pub(in crate::athena) async fn get_work_group(&self, body: Value) -> ApiResult<Value> {
        let name: Name = input(body)?;
        let found = self.workgroup(&name.work_group).await?;
        let mut output = Map::from_iter([
            ("Name".to_owned(), json!(found.name)),
            ("State".to_owned(), json!(state(&found))),
            ("Configuration".to_owned(), found.configuration.output()),
            ("CreationTime".to_owned(), json!(seconds(found.created_ms))),
        ]);
        if let Some(description) = found.description {
            output.insert("Description".to_owned(), json!(description));
        }
        Ok(json!({ "WorkGroup": output }))
    }

    pub(in crate::athena) async fn list_work_groups(&self, body: Value) -> ApiResult<Value> {
        let List { max_results, next_token } = input(body)?;
        let mut found: Vec<(String, WorkGroup)> = self.inner.store.list(Kind::WorkGroup, "").await?;
        if !found.iter().any(|(name, _)| name == PRIMARY) {
            found.push((PRIMARY.to_owned(), self.workgroup(PRIMARY).await?));
            found.sort_by(|left, right| left.0.cmp(&right.0));
        }
        let items = found
            .into_iter()
            .map(|(name, group)| {
                let value = json!({
                    "Name": group.name,
                    "State": state(&group),
                    "Description": group.description.clone().unwrap_or_default(),
                    "CreationTime": seconds(group.created_ms),
                    "EngineVersion": engine(),
                });
                (name, value)
            })
            .collect();
        list::page(items, "WorkGroups", max_results, 50, next_token.as_deref())
    }

    pub(in crate::athena) async fn update_work_group(&self, body: Value) -> ApiResult<Value> {
        let Update { work_group, description, configuration_updates, state } = input(body)?;
        let mut found = self.workgroup(&work_group).await?;
        if let Some(description) = description {
            found.description = Some(description);
        }
        match state.as_deref() {
            None => {}
            Some("ENABLED") => found.enabled = true,
            Some("DISABLED") => found.enabled = false,
            Some(_) => return Err(constraint("state", "satisfy enum value set: [ENABLED, DISABLED]")),
        }
        found.configuration.update(&configuration_updates.unwrap_or_default())?;
        self.inner.store.put(Kind::WorkGroup, "", &work_group, &found).await?;
        Ok(json!({}))
    }

    pub(in crate::athena) async fn delete_work_group(&self, body: Value) -> ApiResult<Value> {
        let name: Name = input(body)?;
        if name.work_group == PRIMARY {
            return Err(invalid(ErrorCode::InvalidInput, "The primary workgroup cannot be deleted"));
        }
        self.workgroup(&name.work_group).await?;
        let store = &self.inner.store;
        if name.recursive_delete_option != Some(true) {
            let queries = store.executions(&name.work_group, None, 1).await?;
            let prepared: Vec<(String, Value)> = store.list(Kind::PreparedStatement, &name.work_group).await?;
            let named = self.named_queries_of(&name.work_group).await?;
            if !queries.is_empty() || !prepared.is_empty() || !named.is_empty() {
                return Err(invalid(ErrorCode::InvalidInput, format!("WorkGroup {} is not empty", name.work_group)));
            }
        }
        for named in self.named_queries_of(&name.work_group).await? {
            self.forget_named_query(&named).await?;
        }
        let prepared: Vec<(String, Value)> = store.list(Kind::PreparedStatement, &name.work_group).await?;
        for (statement, _) in prepared {
            store.delete(Kind::PreparedStatement, &name.work_group, &statement).await?;
        }
        self.forget_tags(&self.arn(&format!("workgroup/{}", name.work_group))).await?;
        store.forget_executions(&name.work_group).await?;
        store.delete(Kind::WorkGroup, "", &name.work_group).await?;
        Ok(json!({}))
    }
}

fn state(group: &WorkGroup) -> &'static str {
    if group.enabled { "ENABLED" } else { "DISABLED" }
}
