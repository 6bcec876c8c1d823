//! What the options of several `athena.…>` operators have in common.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::{Params, duration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The parameters that `apas>` and `ctas>` share: how rows are written, and how the query is run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WritingParams {
    /// The delimiter of text formats.
    #[serde(default)]
    field_delimiter: Option<String>,
    /// Columns to bucket by.
    #[serde(default)]
    bucketed_by: Vec<String>,
    /// How many buckets.
    #[serde(default)]
    bucket_count: Option<u32>,
    /// Further properties of Athena's CTAS; on the embedded lake there is none that changes what is written.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; the embedded lake runs no CTAS statement")]
    additional_properties: Params,
    /// The workgroup; on the embedded lake there are none.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; there are no workgroups on the embedded lake")]
    workgroup: Option<String>,
    /// What the query's token starts with; it has no effect on the embedded lake.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; tokens are made of the task on the embedded lake")]
    token_prefix: Option<String>,
    /// How long the query may run: `10m`, `1h 30m`. The query is stopped then and nothing is published.
    #[serde(default)]
    timeout: Option<String>,
    /// The catalog, an AWS account id; on the embedded lake there is one catalog and this has no effect.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; there is one catalog on the embedded lake")]
    catalog_id: Option<String>,
}

impl WritingParams {
    /// Reads `timeout`.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, TaskError> {
        timeout(self.timeout.as_deref())
    }

    /// Refuses what the embedded lake cannot write.
    pub(super) fn refuse_unwritable(&self) -> Result<(), TaskError> {
        if !self.bucketed_by.is_empty() || self.bucket_count.is_some() {
            return Err(problem("bucketed_by", "buckets are not supported by the embedded lake".to_owned()));
        }
        if self.field_delimiter.is_some() {
            let message = "text formats are not written by the embedded lake: expected `format: parquet`";
            return Err(problem("field_delimiter", message.to_owned()));
        }
        Ok(())
    }
}

/// Reads `timeout`.
///
/// DIFFERENCE(digdag-operator-athena): without one there is no limit of ours; there it was 10 minutes, below Athena's own.
pub(super) fn timeout(text: Option<&str>) -> Result<Option<Duration>, TaskError> {
    text.map(|text| duration::parse(text).map_err(|error| problem("timeout", error.to_string()))).transpose()
}

/// Returns what an SQL file may use besides the parameters in scope: the keys of the exported mappings `athena` and
/// `athena.<operator>`, as in digdag-operator-athena; the nearer one wins.
pub(super) fn athena_scope(context: &TaskContext, operator: &str) -> Params {
    let scope = context.scope();
    let mut extra = Params::new();
    for name in [super::DEFAULTS, operator] {
        if let Some(Value::Object(map)) = scope.get(name) {
            for (key, value) in map {
                if !scope.contains_key(key) {
                    extra.insert(key.clone(), value.clone());
                }
            }
        }
    }
    extra
}

/// An error that points at a parameter.
pub(super) fn problem(path: &str, message: String) -> TaskError {
    TaskError::config(code::PARAM_VALUE, message.clone()).param(ParamProblem::new(path.into(), message))
}
