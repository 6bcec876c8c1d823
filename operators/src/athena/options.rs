//! What the options of several `athena.…>` operators have in common.

use std::time::Duration;

use engine::diagnostic::code;
use engine::operator::surroundings::constant;
use engine::operator::{ParamProblem, TaskContext, TaskError};
use engine::params::{Params, byte_size, duration};
use lake::name::Location;
use lake::publish::Buckets;
use lake::query::QueryOptions;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::access::AccessParams;
use crate::door::Access;
use crate::partition::table_name;

/// The parameters that `apas>` and `ctas>` share: how rows are written, and how the query is run.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WritingParams {
    /// The delimiter of `format: textfile`, one ASCII character: `,` or `"\t"`; `^A`, Hive's own, unless given.
    #[serde(default)]
    field_delimiter: Option<String>,
    /// Columns by whose values rows are dealt out to buckets, each an object (or more) of its own, as Hive does: whole numbers,
    /// `boolean`, `real`, `double`, `date` and text. An existing table's buckets are taken unless given. With Athena rows go through a
    /// table that is dropped again, which a workgroup that enforces its output location does not allow.
    #[serde(default)]
    bucketed_by: Vec<String>,
    /// How many buckets, 1 to 100; it goes with `bucketed_by`.
    #[serde(default)]
    bucket_count: Option<u32>,
    /// Further properties of Athena's CTAS; on the embedded lake there is none that changes what is written.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; the embedded lake runs no CTAS statement")]
    additional_properties: Params,
    /// What its queries may use.
    #[serde(flatten)]
    query: QueryParams,
    /// What the query's token starts with in digdag-operator-athena; it has no effect, tokens are made of the task.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the language; tokens are made of the task")]
    token_prefix: Option<String>,
}

impl WritingParams {
    /// Returns what its queries may use.
    pub(super) fn query(&self) -> &QueryParams {
        &self.query
    }

    /// Reads the buckets; none for those of the table.
    ///
    /// # Errors
    /// Of the workflow's author, for columns without a number, and a number without columns.
    pub(super) fn buckets(&self) -> Result<Option<Buckets>, TaskError> {
        buckets(&self.bucketed_by, self.bucket_count)
    }

    /// Returns the delimiter of text.
    pub(super) fn field_delimiter(&self) -> Option<&str> {
        self.field_delimiter.as_deref()
    }
}

/// The parameters that all operators share which run queries.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct QueryParams {
    /// The workgroup of Athena; the profile's unless given. On the embedded lake there are none.
    #[serde(default)]
    pub(super) workgroup: Option<String>,
    /// Where Athena writes results: `s3://bucket/prefix/`; the profile's unless given. A workgroup that enforces its own takes no
    /// notice of it. On the embedded lake it has no effect.
    #[serde(default)]
    output_location: Option<String>,
    /// How many bytes a query may read before it is stopped: `10GiB`. Athena tells after a while how much it has read, so it is
    /// stopped somewhat later; what it has read by then is billed.
    #[serde(default)]
    max_scan_bytes: Option<ByteCount>,
    /// How long the query may wait in Athena's queue: `10m`. It is stopped then. No limit unless given.
    #[serde(default)]
    queue_timeout: Option<String>,
    /// How long the query may run: `10m`, `1h 30m`. The query is stopped then, and nothing is published. The time in the queue
    /// does not count. No limit unless given.
    // DIFFERENCE(digdag-operator-athena): there it was 10 minutes unless given, below Athena's own.
    #[serde(default)]
    timeout: Option<String>,
    /// In whose name it acts.
    #[serde(flatten)]
    access: AccessParams,
}

/// A number of bytes, as a number or as a text with a unit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
enum ByteCount {
    /// `1073741824`.
    Number(u64),
    /// `1GiB`.
    Text(String),
}

impl QueryParams {
    /// Says in whose name the task acts.
    pub(super) fn access(&self) -> Result<Access, TaskError> {
        self.access.access()
    }

    /// Reads `timeout`.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, TaskError> {
        span("timeout", self.timeout.as_deref())
    }

    /// Reads what the engine holds queries to. `timeout` is not among it: the task itself stops its query then.
    pub(super) fn options(&self) -> Result<QueryOptions, TaskError> {
        let location = |text: &String| Location::parse(text).map_err(|error| problem("output_location", error.message));
        let bytes = |count: &ByteCount| match count {
            ByteCount::Number(number) => Ok(*number),
            ByteCount::Text(text) => {
                byte_size::parse(text).map_err(|error| problem("max_scan_bytes", error.to_string()))
            }
        };
        let queue_timeout = span("queue_timeout", self.queue_timeout.as_deref())?;
        Ok(QueryOptions {
            workgroup: self.workgroup.clone(),
            output_location: self.output_location.as_ref().map(location).transpose()?,
            max_scan_bytes: self.max_scan_bytes.as_ref().map(bytes).transpose()?,
            queue_timeout_ms: queue_timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            run_timeout_ms: None,
        })
    }
}

/// Reads the buckets; none for those of the table.
///
/// # Errors
/// Of the workflow's author, for columns without a number, and a number without columns.
pub(super) fn buckets(bucketed_by: &[String], bucket_count: Option<u32>) -> Result<Option<Buckets>, TaskError> {
    match (bucketed_by.is_empty(), bucket_count) {
        (true, None) => Ok(None),
        (true, Some(_)) => Err(problem("bucket_count", NO_COLUMNS.to_owned())),
        (false, None) => Err(problem("bucketed_by", NO_COUNT.to_owned())),
        (false, Some(count)) => {
            Ok(Some(Buckets { columns: bucketed_by.iter().map(|name| name.to_lowercase()).collect(), count }))
        }
    }
}

/// Looks at options whose values are written as they are, for what their types do not say: names, spans of time, places, and what
/// is not written. What a `${…}` decides is not known yet.
pub(crate) fn inspect(params: &Params) -> Vec<ParamProblem> {
    let known = |name: &str| params.get(name).and_then(Value::as_str).and_then(constant);
    let mut wrong: Vec<TaskError> = Vec::new();
    if let Some(database) = known("database") {
        wrong.extend(table_name(&database, "t").err());
    }
    if let Some(table) = known("table").filter(|table| !table.contains('.')) {
        wrong.extend(table_name("d", &table).err());
    }
    for name in ["timeout", "queue_timeout"] {
        wrong.extend(span(name, known(name).as_deref()).err());
    }
    if let Some(text) = known("max_scan_bytes") {
        wrong.extend(byte_size::parse(&text).err().map(|error| problem("max_scan_bytes", error.to_string())));
    }
    for name in ["location", "version_location", "output_location"] {
        let parsed = known(name).map(|text| Location::parse(&text));
        wrong.extend(parsed.and_then(Result::err).map(|error| problem(name, error.message)));
    }
    let read = |name: &str| known(name).map(Value::String);
    let format = read("format").and_then(|name| serde_json::from_value(name).ok());
    let compression = read("compression").and_then(|name| serde_json::from_value(name).ok());
    // Of a format that is not known yet, and of that of a table which gets a partition, nobody can tell the compressions.
    let is_of_table = !is_given(params, "format") && is_given(params, "partition_kv");
    if is_of_table {
        wrong.extend(super::format::format(None, None, known("field_delimiter").as_deref()).err());
    } else if format.is_some() || !is_given(params, "format") {
        let delimiter = known("field_delimiter");
        wrong.extend(super::format::format(format, compression, delimiter.as_deref()).err());
    }
    let names = params.get("bucketed_by").filter(|value| !matches!(value, Value::Null));
    let has_columns = names.is_some_and(|names| names.as_array().is_none_or(|names| !names.is_empty()));
    match (has_columns, is_given(params, "bucket_count")) {
        (true, false) => wrong.push(problem("bucketed_by", NO_COUNT.to_owned())),
        (false, true) => wrong.push(problem("bucket_count", NO_COLUMNS.to_owned())),
        _ => {}
    }
    if let Some(count) = params.get("bucket_count").and_then(Value::as_u64)
        && !(1..=u64::from(Buckets::MOST)).contains(&count)
    {
        let message = format!("expected 1 to {} buckets, found {count}", Buckets::MOST);
        wrong.push(problem("bucket_count", message));
    }
    let in_place = known("table_mode").as_deref() == Some("data_only")
        || known("publish").as_deref() == Some("in_place")
        || (is_given(params, "location") && is_given(params, "partition_kv"));
    if has_columns && in_place {
        let message =
            "buckets are told by the names of their objects, which get others in place: leave one of both out";
        wrong.push(problem("bucketed_by", message.to_owned()));
    }
    wrong.into_iter().flat_map(|error| error.params).collect()
}

fn is_given(params: &Params, name: &str) -> bool {
    params.get(name).is_some_and(|value| !matches!(value, Value::Null))
}

const NO_COUNT: &str = "expected `bucket_count` beside it: how many buckets";

const NO_COLUMNS: &str = "expected `bucketed_by` beside it: the columns that decide the bucket";

/// Reads a span of time.
fn span(name: &'static str, text: Option<&str>) -> Result<Option<Duration>, TaskError> {
    text.map(|text| duration::parse(text).map_err(|error| problem(name, error.to_string()))).transpose()
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
